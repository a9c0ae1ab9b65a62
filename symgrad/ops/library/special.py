"""Special functions of SciPy and torch that are no op of the table, composed of ops that are."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import spelled

#: Below this the tail of the normal distribution is taken from its asymptotic series, good to 1e-14 there.
_TAIL = -25.0

#: Above this the logarithm of what is nearly 1 is taken from what is missing to 1.
_ABOVE = 5.0


def somewhere(x: Any, test: Any, unknown: bool = True) -> bool:
    """Whether an entry passes the test at the point; ``unknown`` where the numbers are not at hand."""
    import numpy as np

    value = getattr(x, "raw", x)
    if not isinstance(value, int | float | np.ndarray | list | tuple):
        return unknown
    return bool(np.any(test(np.asarray(value, dtype=np.float64))))


def _times(m: Any, x: Any, y: Any, inner: Any, edge: float) -> Any:
    """``x*inner(y)``, which is 0 where x is, even where ``inner`` has no value: there ``edge`` stands for ``y``.

    The derivative by ``x`` is ``inner(y)`` also at ``x = 0``, wherever that is a number, as it is torch's.
    """
    if somewhere(x, lambda v: v == 0):
        y = m.where(m.mul(m.eq(x, 0), m.le(y, edge - 1)), edge, y)
    return x * inner(y)


@spelled("torch.xlogy", "torch.Tensor.xlogy", "torch.special.xlogy", "scipy.special.xlogy", rename={"y": "other"})
def xlogy(m: Any, x: Any, other: Any) -> Any:
    return _times(m, x, other, m.log, 1.0)


@spelled("torch.special.xlog1py", "scipy.special.xlog1py", rename={"y": "other"})
def xlog1py(m: Any, x: Any, other: Any) -> Any:
    return _times(m, x, other, m.log1p, 0.0)


@spelled("torch.special.entr", "scipy.special.entr")
def entr(m: Any, x: Any) -> Any:
    """``-x*log(x)``, 0 at 0.

    Raises:
        Unsupported: a negative number, of which it is minus infinity.
    """
    _not_negative(x, "entr")
    return -xlogy(m, x, x)


@spelled("scipy.special.rel_entr", rename={"y": "other"})
def rel_entr(m: Any, x: Any, other: Any) -> Any:
    _not_negative(x, "rel_entr")
    _not_negative(other, "rel_entr")
    return xlogy(m, x, x / other)


@spelled("scipy.special.kl_div", rename={"y": "other"})
def kl_div(m: Any, x: Any, other: Any) -> Any:
    """``x*log(x/y) - x + y``: not the function of torch of the same name."""
    return rel_entr(m, x, other) - x + other


def _not_negative(x: Any, what: str) -> None:
    if somewhere(x, lambda v: v < 0, unknown=False):
        raise Unsupported(f"{what} of a negative number")


@spelled("scipy.special.loggamma")
def loggamma(m: Any, x: Any) -> Any:
    """Of positive numbers: left of 0 SciPy goes into the complex plane."""
    _not_negative(x, "loggamma")
    return m.lgamma(x)


@spelled("scipy.special.betaln", rename={"b": "other"})
def betaln(m: Any, x: Any, other: Any) -> Any:
    return m.lgamma(x) + m.lgamma(other) - m.lgamma(x + other)


@spelled("scipy.special.beta", rename={"b": "other"})
def beta(m: Any, x: Any, other: Any) -> Any:
    _not_negative(x, "beta")
    _not_negative(other, "beta")
    return m.exp(betaln(m, x, other))


@spelled("scipy.special.multigammaln", "torch.special.multigammaln", "torch.mvlgamma", rename={"d": "p"})
def multigammaln(m: Any, x: Any, p: Any) -> Any:
    found: Any = int(p) * (int(p) - 1) / 4 * math.log(math.pi)
    for j in range(int(p)):
        found = m.lgamma(x - j / 2) + found
    return found


@spelled("scipy.special.logit", "torch.special.logit", "torch.logit", "torch.Tensor.logit")
def logit(m: Any, x: Any, eps: Any = None) -> Any:
    if eps is not None:
        x = m.min(m.max(x, eps), 1 - eps)
    return m.log(x / (1 - x))


@spelled("scipy.special.log_expit")
def log_expit(m: Any, x: Any) -> Any:
    return m.logsigmoid(x)


@spelled("scipy.special.softplus")
def softplus(m: Any, x: Any) -> Any:
    return m.softplus(x)


@spelled("scipy.special.exp2", "torch.special.exp2")
def exp2(m: Any, x: Any) -> Any:
    return m.pow(2, x)


@spelled("scipy.special.exp10")
def exp10(m: Any, x: Any) -> Any:
    return m.pow(10, x)


@spelled("scipy.special.ndtr", "torch.special.ndtr")
def ndtr(m: Any, x: Any) -> Any:
    """The distribution function of the standard normal distribution."""
    return m.erfc(-x / math.sqrt(2)) / 2


@spelled("scipy.special.log_ndtr", "torch.special.log_ndtr")
def log_ndtr(m: Any, x: Any) -> Any:
    """Its logarithm, far into both tails as well."""
    if somewhere(x, lambda v: v > _ABOVE):
        above = m.gt(x, _ABOVE)
        missing = ndtr(m, -m.where(above, x, _ABOVE))
        return m.where(above, m.log1p(-missing), _log_below(m, m.where(above, _ABOVE, x)))
    return _log_below(m, x)


def _log_below(m: Any, x: Any) -> Any:
    if not somewhere(x, lambda v: v < _TAIL):
        return m.log(ndtr(m, x))
    far = m.lt(x, _TAIL)
    t = m.where(far, x, _TAIL)
    z = 1 / t**2
    series = m.log1p(-z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z * (1 - 9 * z)))))
    tail = -(t**2) / 2 - m.log(-t) - math.log(2 * math.pi) / 2 + series
    return m.where(far, tail, m.log(ndtr(m, m.where(far, _TAIL, x))))


@spelled("torch.sinc", "torch.Tensor.sinc", "torch.special.sinc", "numpy.sinc")
def sinc(m: Any, x: Any) -> Any:
    """``sin(pi*x)/(pi*x)``, 1 at 0."""
    y = math.pi * x
    if not somewhere(x, lambda v: v == 0):
        return m.sin(y) / y
    zero = m.eq(x, 0)
    safe = m.where(zero, 1.0, y)
    return m.where(zero, 1.0, m.sin(safe) / safe)


@spelled("numpy.deg2rad", "numpy.radians", "torch.deg2rad", "torch.Tensor.deg2rad")
def deg2rad(m: Any, x: Any) -> Any:
    return x * (math.pi / 180)


@spelled("numpy.rad2deg", "numpy.degrees", "torch.rad2deg", "torch.Tensor.rad2deg")
def rad2deg(m: Any, x: Any) -> Any:
    return x * (180 / math.pi)


@spelled("numpy.logaddexp2", "torch.logaddexp2", rename={"x1": "x", "x2": "other"})
def logaddexp2(m: Any, x: Any, other: Any) -> Any:
    return m.logaddexp(x * math.log(2), other * math.log(2)) / math.log(2)
