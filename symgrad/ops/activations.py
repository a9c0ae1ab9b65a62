"""Activation functions and special functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp
from flint import acb, arb

from symgrad.ops.base import Condition, Kink, Op, Pitfall, register
from symgrad.ops.elementary import REALS


def _call(name: str) -> str:
    return f"\\operatorname{{{{{name}}}}}\\left({{0}}\\right)"


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + (-x).exp()) if x > 0 else (e := x.exp()) / (1 + e) if x < 0 else 1 / (1 + (-x).exp())


def _sigmoid_residual(t: Any, y: Any, x: Any) -> Any:
    """As for tanh: near 1 the complement is known to full relative precision."""
    return t.where(y > 0.5, (1.0 - y) - t.sigmoid(-x), 0.0)


register(
    Op(
        "sigmoid", 1, (lambda m, y, x: y * (1 - y),),
        accurate=(lambda m, y, x: m.sigmoid(x) * m.sigmoid(-x),), autograd=(lambda m, y, x: (1 - y) * y,),
        sympy=lambda x: 1 / (1 + sp.exp(-x)), enclose=_sigmoid, torch="torch.sigmoid",
        latex="\\sigma\\left({0}\\right)", aliases=("logistic", "expit", "σ"), points=(*REALS, (40.0,), (-40.0,)),
        residual=_sigmoid_residual, named=True,
        pitfalls=(
            Pitfall(lambda m, y, x: x * (1 - x), "uses its input {0} where its output {y} belongs", "input-for-output"),
            Pitfall(lambda m, y, x: 1 - y, "leaves out the factor {y}", "missing-factor"),
            Pitfall(lambda m, y, x: y, "leaves out the factor 1 - {y}", "missing-factor"),
            Pitfall(lambda m, y, x: 1 - y**2, "is the derivative of tanh"),
            Pitfall(lambda m, y, x: m.sigmoid(y) * (1 - m.sigmoid(y)), "applies sigmoid twice", "input-for-output"),
        ),
    )
)  # fmt: skip
register(
    Op(
        "logsigmoid", 1, (lambda m, y, x: 1 - m.sigmoid(x),), accurate=(lambda m, y, x: m.sigmoid(-x),),
        autograd=(lambda m, y, x: 1 - m.sigmoid(x),),
        sympy=lambda x: -sp.log(1 + sp.exp(-x)),
        enclose=lambda x: -((-x).exp().log1p()) if x > 0 else x - x.exp().log1p(),
        torch="torch.nn.functional.logsigmoid", latex="\\log\\sigma\\left({0}\\right)",
        aliases=("log_sigmoid",), points=REALS, named=True,
    )
)  # fmt: skip
register(
    Op(
        "softplus", 1, (lambda m, y, x: m.sigmoid(x),),
        autograd=(lambda m, y, x: m.sigmoid(x),),
        sympy=lambda x: sp.log(1 + sp.exp(x)),
        enclose=lambda x: x + (-x).exp().log1p() if x > 0 else x.exp().log1p(),
        # torch's own threshold of 20 drops exp(-20), far more than a float64 rounding.
        torch=lambda t, x: t.nn.functional.softplus(x, 1.0, 40.0),
        latex=_call("softplus"), points=REALS, named=True,
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
        torch="torch.nn.functional.silu", latex=_call("silu"), points=REALS, aliases=("swish",), named=True, ulp=3.0,
        lossy=(lambda x: -1.5 < x < -1.1, "near -1.278, where the derivative of silu is zero"),
    )
)  # fmt: skip


def _mish_slope(m: Any, t: Any, x: Any, slope: Any) -> Any:
    return t + x * slope * m.sigmoid(x)


register(
    Op(
        "mish", 1,
        (lambda m, y, x: _mish_slope(m, t := m.tanh(m.softplus(x)), x, 1 - t**2),),
        accurate=(lambda m, y, x: _mish_slope(m, m.tanh(s := m.softplus(x)), x, m.sech(s) ** 2),),
        sympy=lambda x: x * sp.tanh(sp.log(1 + sp.exp(x))),
        enclose=lambda x: x * (x + (-x).exp().log1p() if x > 0 else x.exp().log1p()).tanh(),
        torch="torch.nn.functional.mish", latex=_call("mish"), points=REALS, named=True, ulp=6.0,
        lossy=(lambda x: -1.4 < x < -1.0, "near -1.192, where the derivative of mish is zero"),
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
        torch="torch.nn.functional.gelu", latex=_call("gelu"), points=REALS, named=True,
        # torch computes 1 + erf(x/sqrt(2)): relative to 1, not to the result, for negative x.
        ulp=3.0, ulp_absolute=2.0,
        lossy=(lambda x: x < -0.5, "left of -0.5, where the two terms of gelu's derivative cancel"),
    )
)  # fmt: skip


def _gelu_argument(m: Any, x: Any) -> Any:
    return m.sqrt(2 / m.constant("pi")) * (x + m.constant(Fraction(44715, 1000000)) * x**3)


def _gelu_tanh_slope(m: Any, x: Any, half: Any, slope: Any) -> Any:
    inner = m.sqrt(2 / m.constant("pi")) * (1 + m.constant(Fraction(134145, 1000000)) * x**2)
    return half + x * slope * inner / 2


def _gelu_tanh(x: Any) -> Any:
    u = (2 / arb.pi()).sqrt() * (x + arb(44715) / 1000000 * x**3)
    return x * _sigmoid(2 * u)


register(
    Op(
        "gelu_tanh", 1,
        (lambda m, y, x: _gelu_tanh_slope(m, x, (1 + (t := m.tanh(_gelu_argument(m, x)))) / 2, 1 - t**2),),
        accurate=(lambda m, y, x: _gelu_tanh_slope(
            m, x, m.sigmoid(2 * (u := _gelu_argument(m, x))), m.sech(u) ** 2),),
        sympy=lambda x: x * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (x + sp.Rational(44715, 1000000) * x**3))) / 2,
        enclose=_gelu_tanh, torch=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
        latex="\\operatorname{{gelu}}_{{\\tanh}}\\left({0}\\right)", points=REALS, named=True,
        ulp=3.0, ulp_absolute=2.0,
        lossy=(lambda x: x < -0.5, "left of -0.5, where the two terms of gelu's derivative cancel"),
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
    return t.where(size > 0.5, t.sign(y) * ((1.0 - size) - t.erfc(t.abs(x))), 0.0)


register(
    Op(
        "erf", 1, (lambda m, y, x: 2 / m.sqrt(m.constant("pi")) * m.exp(-(x**2)),),
        sympy=sp.erf, enclose=lambda x: x.erf(), torch="torch.erf", math="math.erf", latex=_call("erf"), points=REALS,
        residual=_erf_residual,
        pitfalls=(Pitfall(lambda m, y, x: m.exp(-(x**2)), "leaves out 2/sqrt(pi)", "scale"),),
    )
)  # fmt: skip
register(
    Op(
        "erfc", 1, (lambda m, y, x: -2 / m.sqrt(m.constant("pi")) * m.exp(-(x**2)),),
        sympy=sp.erfc, enclose=lambda x: x.erfc(), torch="torch.erfc", math="math.erfc", latex=_call("erfc"),
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

register(
    Op(
        "gamma", 1, (lambda m, y, x: y * m.digamma(x),),
        sympy=sp.gamma, enclose=lambda x: x.gamma(), numpy=None, math="math.gamma",
        # exp(lgamma) has no sign; for x < 0 the reflection formula supplies it.
        lower=lambda m, x: m.where(
            m.gt(x, 0), m.exp(m.lgamma(m.abs(x))),
            m.constant("pi") / (m.sin(m.constant("pi") * x) * m.exp(m.lgamma(1 + m.abs(x))))),
        latex="\\Gamma\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS,
        lossy=(lambda x: x < 0 or x > 6, "beyond 6, where torch's exp(lgamma) loses digits, and left of 0"),
    )
)  # fmt: skip
register(
    Op(
        "lgamma", 1, (lambda m, y, x: m.digamma(x),),
        sympy=lambda x: sp.log(sp.Abs(sp.gamma(x))), enclose=_lgamma, torch="torch.lgamma", math="math.lgamma",
        latex="\\log\\left|\\Gamma\\left({0}\\right)\\right|", domain=_no_pole, points=_GAMMA_POINTS,
        aliases=("gammaln", "loggamma"), named=True, ulp=8.0, ulp_absolute=8.0,
        lossy=(lambda x: x < 0 or 1.3 < x < 1.6, "left of 0 and near 1.4616, the zero of digamma"),
    )
)  # fmt: skip


def _polygamma(n: int, x: Any) -> Any:
    if x > 0:
        sign = -1 if n % 2 == 0 else 1
        return sign * arb(n + 1).zeta(x) * arb(n + 1).gamma()
    return acb(x).polygamma(acb(n)).real


register(
    Op(
        "digamma", 1, (lambda m, y, x: m.trigamma(x),),
        sympy=sp.digamma, enclose=lambda x: x.digamma(), torch="torch.digamma",
        latex="\\psi\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS, aliases=("psi",),
        ulp=8.0, ulp_absolute=8.0,
        lossy=(lambda x: x < 0, "left of 0"),
    )
)  # fmt: skip
register(
    Op(
        "trigamma", 1, (lambda m, y, x: m.polygamma(m.constant(2), x),),
        sympy=lambda x: sp.polygamma(1, x), enclose=lambda x: _polygamma(1, x),
        torch=lambda t, x: t.special.polygamma(1, x),
        latex="\\psi^{{(1)}}\\left({0}\\right)", domain=_no_pole, points=_GAMMA_POINTS, ulp=8.0, ulp_absolute=8.0,
        lossy=(lambda x: x < 0, "left of 0"),
    )
)  # fmt: skip


def _order(n: Any) -> int:
    return int(n.unique_fmpz()) if isinstance(n, arb) else int(n)


register(
    Op(
        "polygamma", 2, (None, lambda m, y, n, x: m.polygamma(n + 1, x)),
        sympy=sp.polygamma, enclose=lambda n, x: _polygamma(_order(n), x),
        torch=lambda t, n, x: t.special.polygamma(_order(n), x),
        latex="\\psi^{{({0})}}\\left({1}\\right)", points=((2.0, 0.3), (2.0, 1.8), (3.0, 5.5)),
        ulp=16.0, ulp_absolute=16.0,
        domain=(Condition(lambda m, n, x: _pole_distance(m, x), "!=",
                          "an argument that is not zero or a negative integer"),),
        lossy=(lambda n, x: x < 0, "left of 0"),
    )
)  # fmt: skip

