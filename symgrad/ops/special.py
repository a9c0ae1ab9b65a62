"""Kernels for functions that torch lacks or evaluates badly, and the polygamma functions in Arb.

torch 2.13 has no gamma and no cbrt. Its digamma reduces ``pi*x`` only after rounding it, so that near the negative
poles no digit is left; its trigamma stops its series early and is good to 1e-9 only; and its polygamma of order 2 and
up walks from a negative argument to 0 in unit steps, which at -1e9 takes seconds and at -1e15 years. The kernels here
use elementwise torch functions alone, run on any device, and hold to a few units in the last place. Each takes the
module ``torch`` first, so that nothing here imports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import arb, arb_series, ctx, fmpq

#: The zero of digamma at 1.46..., as the sum of two floats.
_ROOT_HIGH = 1.4616321449683623
_ROOT_DIGITS = "1.46163214496836234126265954232572132846819620400644629512959840859878644035380181"

#: From here on the asymptotic series reach float64's precision.
_LARGE = 10


def differentiable(forward: Callable[..., Any], slope: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel ``(torch, x) -> y`` with the derivative ``slope(torch, y, x)`` in place of the kernel's own graph.

    Kernels choose formulas by ranges; differentiated as written, the range not taken would turn ``0 * inf`` into nan.
    The slope is differentiable itself, so that higher derivatives work.
    """

    @lru_cache(maxsize=1)
    def function() -> Any:
        import torch

        class Kernel(torch.autograd.Function):
            generate_vmap_rule = True

            @staticmethod
            def forward(x: Any) -> Any:
                return forward(torch, x)

            @staticmethod
            def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
                ctx.save_for_backward(inputs[0], output)

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                x, y = ctx.saved_tensors
                return grads[0] * slope(torch, y, x)

        return Kernel

    return lambda t, x: function().apply(x)


def _in_double(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Run a kernel in float64 and round once at the end: smaller dtypes then come out correct to half an ulp."""
    return lambda t, x: kernel(t, x.to(t.float64)).to(x.dtype)


def _horner(t: Any, coefficients: tuple[float, ...], z: Any) -> Any:
    total = t.full_like(z, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * z + c
    return total


def _series(length: int, build: Callable[[], Any]) -> tuple[float, ...]:
    """The first coefficients of a power series that Arb computes, as floats."""
    precision, terms = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = 192, length
    try:
        series = build()
        return tuple(float(series[k]) for k in range(length))
    finally:
        ctx.prec, ctx.cap = precision, terms


@lru_cache(maxsize=1)
def _reciprocal_gamma() -> tuple[float, ...]:
    """1/gamma(3/2 + t): entire, so 26 terms do for |t| <= 1/2."""
    return _series(26, lambda: arb_series([arb(3) / 2, 1]).rgamma())


@lru_cache(maxsize=1)
def _stirling() -> tuple[float, ...]:
    """gamma(1/t) / (sqrt(2 pi) (1/t)^(1/t - 1/2) exp(-1/t)) for t <= 1/10."""

    def build() -> Any:
        terms: list[Any] = [arb(0)] * 18
        for k in range(1, 10):
            terms[2 * k - 1] = arb(fmpq.bernoulli(2 * k)) / (2 * k * (2 * k - 1))
        return arb_series(terms).exp()

    return _series(18, build)


@lru_cache(maxsize=1)
def _digamma_at_root() -> tuple[float, ...]:
    """digamma(root + t); the nearest pole is 1.46 away, so that 42 terms do for -0.47 <= t <= 0.54."""

    def build() -> Any:
        root = arb(_ROOT_DIGITS)
        # n-th derivative over n!: (-1)^(n+1) zeta(n+1, root); the value at the root is 0.
        return [arb(0)] + [(-1) ** (n + 1) * arb(n + 1).zeta(root) for n in range(1, 42)]

    return _series(42, build)


def _turn(t: Any, x: Any) -> tuple[Any, Any]:
    """``x - n`` and the sign of ``(-1)**n`` for the nearest integer n: exact, where ``pi*x`` would round."""
    n = t.round(x)
    return x - n, 1.0 - 2.0 * t.remainder(n, 2.0)


def _gamma_forward(t: Any, x: Any) -> Any:
    a = t.abs(x)
    # Up to 10: divide down to [1, 2]. x - k is exact there.
    small = t.clamp(a, max=float(_LARGE))
    n = t.clamp(t.ceil(small) - 2.0, min=-1.0)
    product = t.ones_like(small)
    for k in range(1, _LARGE - 1):
        product = t.where(n >= k, product * (small - k), product)
    below = product / _horner(t, _reciprocal_gamma(), (small - n) - 1.5)
    # Below 1 this is gamma(1 + a), one step up.
    stepped = n < 0
    # From 10 on: Stirling. The power is split in halves, for it overflows before gamma does.
    big = t.clamp(a, min=float(_LARGE), max=200.0)
    root = big ** (big / 2.0 - 0.25)
    half = math.sqrt(2.0 * math.pi) * t.exp(-big) * _horner(t, _stirling(), 1.0 / big) * root
    is_small = a < _LARGE
    first, second = t.where(is_small, t.where(stepped, below / a, below), half), t.where(is_small, t.ones_like(a), root)
    # gamma(-a) = -pi / (sin(pi a) (a gamma(a))): the form without 1 + a, which would round.
    r, sign = _turn(t, a)
    upper = t.where(stepped, below, a * first)
    reflected = -sign * (math.pi / t.sin(math.pi * r)) / upper / second
    return t.where(x < 0, t.where(r == 0.0, math.nan, reflected), first * second)


def _digamma_positive(t: Any, x: Any) -> Any:
    """digamma for x > 0, accurate around its zero too: torch's own errs by 6 roundoffs relative to 1 there."""
    small = t.clamp(x, max=float(_LARGE))
    n = t.clamp(t.ceil(small) - 2.0, min=-1.0)
    offset = (small - _ROOT_HIGH) - n
    # Between 0 and 1 the step up is not exact, but its error is relative to 1 and 1/x is larger than that.
    value = _horner(t, _digamma_at_root(), offset - _root_low())
    value = value - t.where(n < 0, 1.0 / small, t.zeros_like(small))
    for k in range(_LARGE - 2, 0, -1):
        value = t.where(n >= k, value + 1.0 / (small - k), value)
    return t.where(x < _LARGE, value, t.digamma(t.clamp(x, min=float(_LARGE))))


@lru_cache(maxsize=1)
def _root_low() -> float:
    return float(Fraction(_ROOT_DIGITS) - Fraction(_ROOT_HIGH))


def _digamma_forward(t: Any, x: Any) -> Any:
    negative = x < 0
    value = _digamma_positive(t, t.where(negative, 1.0 - x, x))
    r, _ = _turn(t, t.where(negative, x, 0.25))
    reflected = value - math.pi / t.tan(math.pi * r)
    return t.where(negative, t.where(r == 0.0, math.nan, reflected), value)


@lru_cache(maxsize=64)
def _cotangent_derivative(n: int) -> tuple[int, ...]:
    """The n-th derivative of cot as a polynomial in cot; all of its terms have one sign."""
    p = [0, 1]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(p)][1:]
        p = [0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            p[k] -= c
            p[k + 2] -= c
    return tuple(p)


def _polygamma_forward(t: Any, n: int, x: Any) -> Any:
    if n == 0:
        return _digamma_forward(t, x)
    negative = x < 0
    a = t.where(negative, 1.0 - x, x)
    # torch's zeta is 0 for huge arguments; two terms of its asymptotic series are exact to rounding from 1e9 on.
    huge = t.clamp(a, min=1e9)
    far = huge ** (-n) * (1.0 + n / (2.0 * huge)) / n
    value = t.where(a < 1e9, t.special.zeta(n + 1.0, a), far) * (float(math.factorial(n)) * (-1.0) ** (n + 1))
    r, _ = _turn(t, t.where(negative, x, 0.25))
    # From its nearer zero or pole: the fraction is exact there, a multiple of pi is not.
    size = t.abs(r)
    c = t.sign(r) * t.where(size > 0.25, t.tan(math.pi * (0.5 - size)), 1.0 / t.tan(math.pi * size))
    cotangent = _horner(t, tuple(map(float, _cotangent_derivative(n))), c) * math.pi ** (n + 1)
    reflected = (-1.0) ** n * value - cotangent
    return t.where(negative, t.where(r == 0.0, math.nan, reflected), value)


@lru_cache(maxsize=64)
def polygamma_kernel(n: int) -> Callable[..., Any]:
    """The kernel of the n-th derivative of digamma."""
    forward = _in_double(lambda t, x: _polygamma_forward(t, n, x))
    return differentiable(forward, lambda t, y, x: polygamma_kernel(n + 1)(t, x))


def _cbrt_forward(t: Any, x: Any) -> Any:
    a = t.abs(x)
    # frexp keeps the cube in range; the exponent left over is a multiple of 3.
    mantissa, exponent = t.frexp(a)
    third = t.floor(exponent.to(x.dtype) / 3.0)
    m = mantissa * 2.0 ** (exponent - 3.0 * third)
    y = m ** (1.0 / 3.0)
    # One Newton step mends the rounding of 1/3.
    y = y - (y * y * y - m) / (3.0 * y * y)
    out = t.sign(x) * y * 2.0**third
    return t.where((a > 0) & t.isfinite(a), out, x)


digamma_kernel: Callable[..., Any] = polygamma_kernel(0)
gamma_kernel = differentiable(_in_double(_gamma_forward), lambda t, y, x: y * digamma_kernel(t, x))
#: torch's own lgamma is good; its derivative is torch's own digamma, which is not.
lgamma_kernel = differentiable(lambda t, x: t.lgamma(x), lambda t, y, x: digamma_kernel(t, x))
cbrt_kernel = differentiable(_in_double(_cbrt_forward), lambda t, y, x: 1.0 / (3.0 * y**2))


def polygamma_of_orders(t: Any, n: Any, x: Any) -> Any:
    """``n`` a number or a tensor of orders: each order that occurs has its own kernel."""
    if not isinstance(n, t.Tensor):
        return polygamma_kernel(_order(n))(t, x)
    if not isinstance(x, t.Tensor):
        x = t.full_like(n, x)
    orders = [_order(k) for k in t.unique(n.detach()).tolist()] or [1]  # of no numbers, any order
    out = polygamma_kernel(orders[0])(t, t.where(n == orders[0], x, 1.0))
    for k in orders[1:]:
        # Where another order is taken, a harmless argument: the gradient of what is not taken must not be nan.
        out = t.where(n == k, polygamma_kernel(k)(t, t.where(n == k, x, 1.0)), out)
    return out.expand(t.broadcast_shapes(n.shape, x.shape))


def _order(n: float) -> int:
    if n < 0 or n != int(n):
        raise ValueError(f"polygamma has no derivative of order {n}")
    return int(n)


def digamma_cancels(x: float) -> bool:
    """Whether the two terms of digamma's reflection cancel at a negative ``x``."""
    if x >= 0 or x == math.floor(x):
        return False
    cotangent = math.pi / math.tan(math.pi * (x - round(x)))
    return abs(math.log(0.5 - x) - cotangent) < max(abs(cotangent), 1.0)


def enclose_polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma in Arb. Left of 0 by reflection: python-flint's own takes milliseconds there."""
    if n == 0:
        return x.digamma()
    if x > 0:
        value = arb(n + 1).zeta(x) * arb(n + 1).gamma()
        return value if n % 2 else -value
    cotangent = arb(0)
    c = x.cos_pi() / x.sin_pi()
    for coefficient in reversed(_cotangent_derivative(n)):
        cotangent = cotangent * c + coefficient
    value = arb(n + 1).zeta(1 - x) * arb(n + 1).gamma()
    return -value - cotangent * arb.pi() ** (n + 1)
