"""Activation functions and special functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.ops.arithmetic import estimate
from symgrad.ops.base import Condition, Kink, Op, Pitfall, register
from symgrad.ops.elementary import REALS
from symgrad.ops.late import later, sp
from symgrad.ops.special import (
    digamma_cancels,
    digamma_kernel,
    enclose_polygamma,
    gamma_kernel,
    lgamma_kernel,
    polygamma_kernel,
    polygamma_of_orders,
)


def _call(name: str) -> str:
    return f"\\operatorname{{{{{name}}}}}\\left({{0}}\\right)"


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + (-x).exp()) if x > 0 else (e := x.exp()) / (1 + e) if x < 0 else 1 / (1 + (-x).exp())


def _sigmoid_residual(t: Any, y: Any, x: Any) -> Any:
    """As for tanh: near 1 the complement is known to full relative precision."""
    return estimate(t, t.where(y > 0.5, (1.0 - y) - t.sigmoid(-x), t.zeros_like(y)))


register(
    Op(
        "sigmoid", 1, (lambda m, y, x: y * (1 - y),),
        accurate=(lambda m, y, x: m.sigmoid(x) * m.sigmoid(-x),), autograd=(lambda m, y, x: (1 - y) * y,),
        sympy=lambda x: 1 / (1 + sp.exp(-x)), enclose=_sigmoid, torch="torch.sigmoid",
        latex="\\sigma\\left({0}\\right)", aliases=("logistic", "expit", "σ"),
        canonical=(lambda m, y, x, target: y - target, "cross-entropy"),
        points=(*REALS, (0.0,), (40.0,), (-40.0,)), residual=_sigmoid_residual, named=True,
        pitfalls=(
            Pitfall(lambda m, y, x: x * (1 - x), "uses its input {0} where its output {y} belongs", "input-for-output"),
            Pitfall(lambda m, y, x: 1 - y, "leaves out the factor {y}", "missing-factor"),
            Pitfall(lambda m, y, x: y, "leaves out the factor 1 - {y}", "missing-factor"),
            Pitfall(lambda m, y, x: 1 - y**2, "is the derivative of tanh"),
            Pitfall(lambda m, y, x: m.sigmoid(y) * (1 - m.sigmoid(y)), "applies sigmoid twice", "input-for-output"),
        ),
    )
)  # fmt: skip
# What torch's own backward of logsigmoid evaluates, and what the backward of that one does: z = sigmoid(x), and then
# (z - 1)*z, which cancels where x is large.
register(
    Op(
        "logsigmoid_slope", 1, (lambda m, y, x: (m.sigmoid(x) - 1) * m.sigmoid(x),),
        lower=lambda m, x: m.where(m.lt(x, 0), 1 - (z := m.exp(x)) / (1 + z), (z := m.exp(-x)) / (1 + z)),
        sympy=lambda x: 1 / (1 + sp.exp(x)), enclose=lambda x: 1 / (1 + x.exp()),
        latex="\\sigma\\left(-{0}\\right)", points=(*REALS, (0.0,)), hidden=True,
    )
)  # fmt: skip
register(
    Op(
        "logsigmoid", 1, (lambda m, y, x: 1 - m.sigmoid(x),), accurate=(lambda m, y, x: m.sigmoid(-x),),
        autograd=(lambda m, y, x: m.logsigmoid_slope(x),),
        sympy=lambda x: -sp.log(1 + sp.exp(-x)),
        enclose=lambda x: -((-x).exp().log1p()) if x > 0 else x - x.exp().log1p(),
        torch="torch.nn.functional.logsigmoid", latex="\\log\\sigma\\left({0}\\right)",
        aliases=("log_sigmoid",), points=(*REALS, (0.0,)), named=True,
    )
)  # fmt: skip
register(
    Op(
        "softplus", 1, (lambda m, y, x: m.sigmoid(x),),
        autograd=(lambda m, y, x: (z := m.exp(m.min(x, 40))) / (z + 1),),
        sympy=lambda x: sp.log(1 + sp.exp(x)),
        enclose=lambda x: x + (-x).exp().log1p() if x > 0 else x.exp().log1p(),
        # torch's own threshold of 20 drops exp(-20), far more than a float64 rounding.
        torch=lambda t, x: t.nn.functional.softplus(x, 1.0, 40.0),
        latex=_call("softplus"), points=(*REALS, (0.0,)), named=True,
    )
)  # fmt: skip
register(
    Op(
        "softsign", 1, (lambda m, y, x: 1 / (1 + m.abs(x)) ** 2,),
        sympy=lambda x: x / (1 + sp.Abs(x)), enclose=lambda x: x / (1 + abs(x)),
        lower=lambda m, x: x / (1 + m.abs(x)), latex=_call("softsign"), points=REALS, named=True,
    )
)  # fmt: skip
register(
    Op(
        "relu", 1, (lambda m, y, x: m.heaviside(x),),
        sympy=lambda x: sp.Max(x, 0), enclose=lambda x: x.max(arb(0)), torch="torch.relu",
        latex=_call("relu"), points=REALS, kinks=(Kink(lambda m, x: x),), ulp=0.0, named=True,
        pitfalls=(Pitfall(lambda m, y, x: 1, "leaves out the mask {0} > 0", "missing-factor"),
                  Pitfall(lambda m, y, x: m.heaviside(-x), "has the mask the wrong way round", "wrong-formula"),
                  Pitfall(lambda m, y, x: y, "uses its output where the mask {0} > 0 belongs")),
    )
)  # fmt: skip


def _leaky(x: Any, a: Any) -> Any:
    return x.max(arb(0)) + a * x.min(arb(0))


register(
    Op(
        "leaky_relu", 2,
        (lambda m, y, x, a: m.where(m.gt(x, 0), 1, a), lambda m, y, x, a: m.min(x, 0)),
        sympy=lambda x, a: sp.Max(x, 0) + a * sp.Min(x, 0), enclose=_leaky,
        torch=lambda t, x, a: t.where(x > 0, x, a * x), defaults=(Fraction(1, 100),),
        latex="\\operatorname{{leakyrelu}}\\left({0}\\right)", ulp=0.5, named=True,
        kinks=(Kink(lambda m, x, a: x, active=lambda m, x, a: 1 - a),),
        points=((1.5, 0.01), (-2.0, 0.01), (-0.5, 0.2)),
    )
)  # fmt: skip


def _elu(x: Any, a: Any) -> Any:
    return x.max(arb(0)) + a * x.min(arb(0)).expm1()


register(
    Op(
        "elu", 2,
        (lambda m, y, x, a: m.where(m.gt(x, 0), 1, a * m.exp(m.min(x, 0))), lambda m, y, x, a: m.expm1(m.min(x, 0))),
        sympy=lambda x, a: sp.Max(x, 0) + a * (sp.exp(sp.Min(x, 0)) - 1), enclose=_elu,
        autograd=(lambda m, y, x, a: m.where(m.gt(x, 0), 1, a * (m.expm1(m.min(x, 0)) + 1)), None),
        torch=lambda t, x, a: t.where(x > 0, x, a * t.expm1(t.clamp(x, max=0.0))), defaults=(Fraction(1),),
        latex="\\operatorname{{elu}}\\left({0}\\right)", named=True, ulp=3.0,
        kinks=(Kink(lambda m, x, a: x, active=lambda m, x, a: 1 - a),),
        points=((1.5, 1.0), (-2.0, 1.0), (-0.5, 0.2)),
    )
)  # fmt: skip
register(
    Op(
        "silu", 1, (lambda m, y, x: m.sigmoid(x) + y * (1 - m.sigmoid(x)),),
        accurate=(lambda m, y, x: m.sigmoid(x) * (1 + x * m.sigmoid(-x)),),
        autograd=(lambda m, y, x: m.sigmoid(x) * (1 + x * (1 - m.sigmoid(x))),),
        sympy=lambda x: x / (1 + sp.exp(-x)), enclose=lambda x: x * _sigmoid(x),
        torch="torch.nn.functional.silu", latex=_call("silu"), points=(*REALS, (0.0,)), aliases=("swish",), named=True,
        ulp=3.0, lossy=(lambda x: -1.35 < x < -1.2, "near -1.278, where the derivative of silu is zero"),
    )
)  # fmt: skip


def _mish_slope(m: Any, t: Any, x: Any, slope: Any) -> Any:
    return t + x * slope * m.sigmoid(x)


def _mish_accurate(m: Any, x: Any) -> Any:
    """The same with p = sigmoid(x), q = sigmoid(-x), by tanh(softplus(x)) = p*(1 + q)/(1 + q**2).

    Nothing cancels but at its zero; and there is no case distinction, which a second derivative would have to cross.
    """
    q = m.sigmoid(-x)
    return m.sigmoid(x) * ((1 + q) * (1 + q**2) + 4 * x * q**2) / (1 + q**2) ** 2


register(
    Op(
        "mish", 1,
        (lambda m, y, x: _mish_slope(m, t := m.tanh(m.softplus(x)), x, 1 - t**2),),
        accurate=(lambda m, y, x: _mish_accurate(m, x),),
        sympy=lambda x: x * sp.tanh(sp.log(1 + sp.exp(x))),
        enclose=lambda x: x * (x + (-x).exp().log1p() if x > 0 else x.exp().log1p()).tanh(),
        torch="torch.nn.functional.mish", latex=_call("mish"), points=(*REALS, (0.0,)), named=True, ulp=6.0,
        lossy=(lambda x: -1.25 < x < -1.13, "near -1.192, where the derivative of mish is zero"),
    )
)  # fmt: skip


def _pdf(m: Any, x: Any) -> Any:
    return m.exp(-(x**2) / 2) / m.sqrt(2 * m.constant("pi"))


register(
    Op(
        "gelu", 1,
        (lambda m, y, x: (1 + m.erf(x / m.sqrt(m.constant(2)))) / 2 + x * _pdf(m, x),),
        accurate=(lambda m, y, x: m.erfc(-x / m.sqrt(m.constant(2))) / 2 + x * _pdf(m, x),),
        sympy=lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2,
        enclose=lambda x: x * (-x / arb(2).sqrt()).erfc() / 2,
        torch="torch.nn.functional.gelu", latex=_call("gelu"), points=(*REALS, (0.0,)), named=True,
        # torch computes x*(1 + erf(x/sqrt(2))): relative to 1, not to the result, for negative x; in float32 with
        # an erf of its own that errs by 5 roundoffs.
        ulp=3.0, ulp_absolute=16.0,
        lossy=(lambda x: -0.85 < x < -0.65, "near -0.752, where the derivative of gelu is zero"),
    )
)  # fmt: skip


def _gelu_argument(m: Any, x: Any) -> Any:
    return m.sqrt(2 / m.constant("pi")) * (x + m.constant(Fraction(44715, 1000000)) * x**3)


def _gelu_argument_exact(m: Any, x: Any) -> Any:
    """The same from constants that a float holds: sech(u)**2 multiplies the error of u by 2u."""
    return m.sqrt(2 / m.constant("pi")) * (x + 44715 * x**3 / 1000000)


def _gelu_tanh_slope(m: Any, x: Any, half: Any, slope: Any) -> Any:
    inner = m.sqrt(2 / m.constant("pi")) * (1 + m.constant(Fraction(134145, 1000000)) * x**2)
    return half + x * slope * inner / 2


def _gelu_tanh_accurate(m: Any, x: Any) -> Any:
    u = _gelu_argument_exact(m, x)
    slope = m.sech(u) ** 2
    # Where the slope underflows, x**2 may overflow: 0*inf would be nan.
    half = m.sigmoid(2 * u)
    return m.where(m.ne(slope, 0), _gelu_tanh_slope(m, x, half, slope), half)


def _gelu_tanh(x: Any) -> Any:
    u = (2 / arb.pi()).sqrt() * (x + arb(44715) / 1000000 * x**3)
    return x * _sigmoid(2 * u)


register(
    Op(
        "gelu_tanh", 1,
        (lambda m, y, x: _gelu_tanh_slope(m, x, (1 + (t := m.tanh(_gelu_argument(m, x)))) / 2, 1 - t**2),),
        accurate=(lambda m, y, x: _gelu_tanh_accurate(m, x),),
        sympy=lambda x: x * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (x + sp.Rational(44715, 1000000) * x**3))) / 2,
        enclose=_gelu_tanh, torch=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
        latex="\\operatorname{{gelu}}_{{\\tanh}}\\left({0}\\right)", points=(*REALS, (0.0,)), named=True,
        ulp=3.0, ulp_absolute=2.0,
        lossy=(lambda x: -0.95 < x < -0.6, "near -0.753, where the derivative of gelu is zero"),
    )
)  # fmt: skip
register(
    Op(
        "hardtanh", 1, (lambda m, y, x: m.heaviside(1 - m.abs(x)),),
        sympy=lambda x: sp.Max(-1, sp.Min(1, x)), enclose=lambda x: x.min(arb(1)).max(arb(-1)),
        torch="torch.nn.functional.hardtanh", latex=_call("hardtanh"), points=((-2.0,), (0.4,), (1.5,)), named=True,
        kinks=(Kink(lambda m, x: x - 1), Kink(lambda m, x: x + 1)), ulp=0.0,
    )
)  # fmt: skip

# --- special functions ------------------------------------------------------------------------------------------


def _erf_residual(t: Any, y: Any, x: Any) -> Any:
    size = t.abs(y)
    return estimate(t, t.where(size > 0.5, t.sign(y) * ((1.0 - size) - t.erfc(t.abs(x))), t.zeros_like(y)))


register(
    Op(
        "erf", 1, (lambda m, y, x: 2 / m.sqrt(m.constant("pi")) * m.exp(-(x**2)),),
        sympy=later.erf, enclose=lambda x: x.erf(), torch="torch.erf", math="math.erf", latex=_call("erf"),
        points=REALS, residual=_erf_residual,
        pitfalls=(Pitfall(lambda m, y, x: m.exp(-(x**2)), "leaves out 2/sqrt(pi)", "scale"),),
    )
)  # fmt: skip
register(
    Op(
        "erfc", 1, (lambda m, y, x: -2 / m.sqrt(m.constant("pi")) * m.exp(-(x**2)),),
        sympy=later.erfc, enclose=lambda x: x.erfc(), torch="torch.erfc", math="math.erfc", latex=_call("erfc"),
        points=REALS, ulp=8.0,
    )
)  # fmt: skip


def _pole_distance(m: Any, x: Any) -> Any:
    """Zero exactly at 0, -1, -2, ...: the poles of the gamma function and its kin."""
    return x if x > 0 else x.sin_pi()


_no_pole = (Condition(_pole_distance, "!=", "an argument that is not zero or a negative integer"),)


def _lgamma(x: Any) -> Any:
    if x > 0:
        return x.lgamma()
    return (arb.pi() / abs(x.sin_pi())).log() - (1 - x).lgamma()


_GAMMA_POINTS = ((-1.5,), (0.3,), (1.8,), (5.5,))
_cancels = (digamma_cancels, "left of 0, near a zero of digamma")

register(
    Op(
        "gamma", 1, (lambda m, y, x: y * m.digamma(x),),
        sympy=later.gamma, enclose=lambda x: x.gamma(), torch=gamma_kernel, math="math.gamma",
        latex="\\Gamma\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS, ulp=8.0, lossy=_cancels,
        pitfalls=(Pitfall(lambda m, y, x: m.digamma(x), "leaves out the factor {y}", "missing-factor"),),
    )
)  # fmt: skip
register(
    Op(
        "lgamma", 1, (lambda m, y, x: m.digamma(x),),
        sympy=lambda x: sp.log(sp.Abs(sp.gamma(x))), enclose=_lgamma, torch=lgamma_kernel, math="math.lgamma",
        latex="\\log\\left|\\Gamma\\left({0}\\right)\\right|", domain=_no_pole, points=_GAMMA_POINTS,
        aliases=("gammaln", "loggamma"), named=True, ulp=8.0, ulp_absolute=8.0, lossy=_cancels,
    )
)  # fmt: skip
register(
    Op(
        "digamma", 1, (lambda m, y, x: m.trigamma(x),),
        sympy=later.digamma, enclose=lambda x: x.digamma(), torch=digamma_kernel,
        latex="\\psi\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS, aliases=("psi",),
        # Left of 0 two terms of up to log|x| cancel: an error relative to them, not to the result.
        ulp=8.0, ulp_absolute=64.0,
    )
)  # fmt: skip
register(
    Op(
        "trigamma", 1, (lambda m, y, x: m.polygamma(2, x),),
        sympy=lambda x: sp.polygamma(1, x), enclose=lambda x: enclose_polygamma(1, x), torch=polygamma_kernel(1),
        latex="\\psi^{{(1)}}\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS, ulp=8.0,
        lossy=(lambda x: x < 0 and abs(x - round(x)) > 0.3, "left of 0, midway between poles"),
    )
)  # fmt: skip


def _enclose_polygamma(n: Any, x: Any) -> Any:
    """NaN for an order that is no integer: there is no such derivative."""
    return enclose_polygamma(int(n.unique_fmpz()), x) if n.is_integer() and n >= 0 else arb("nan")


def _natural(m: Any, n: Any, x: Any) -> Any:
    """Not negative where the order may be a natural number; -1 where it is certainly none."""
    return n if n.contains_integer() else arb(-1)


register(
    Op(
        # The order n is an integer, so nothing varies with it.
        "polygamma", 2, (None, lambda m, y, n, x: m.polygamma(n + 1, x)),
        sympy=later.polygamma, enclose=_enclose_polygamma, torch=polygamma_of_orders,
        latex="\\psi^{{({0})}}\\left({1}\\right)", points=((2.0, 0.3), (2.0, 1.8), (3.0, 5.5), (2.0, -1.3)),
        # Left of 0, for even orders, two terms cancel midway between poles.
        ulp=16.0, ulp_absolute=64.0, lossy=(lambda n, x: x < 0, "left of 0"),
        domain=(
            Condition(lambda m, n, x: _pole_distance(m, x), "!=", "an argument that is not zero or a negative integer"),
            Condition(_natural, ">=", "an order that is a natural number"),
        ),
    )
)  # fmt: skip
