"""Exponentials, logarithms, roots, trigonometric and hyperbolic functions."""

from __future__ import annotations

from typing import Any

from flint import arb

from symgrad.ops.arithmetic import as_tensor, as_tensors, estimate, exact_product
from symgrad.ops.base import Condition, Op, Pitfall, Rule, register
from symgrad.ops.late import later, sp
from symgrad.ops.special import cbrt_kernel

REALS = ((-3.0,), (-0.7,), (0.3,), (1.2,), (4.0,))
POSITIVE = ((1e-3,), (0.4,), (1.7,), (30.0,))


def _fn(name: str) -> str:
    return f"\\{name}\\left({{0}}\\right)"


def _operator(name: str) -> str:
    return f"\\operatorname{{{{{name}}}}}\\left({{0}}\\right)"


_positive = (Condition(lambda m, x: x, ">", "a positive argument"),)
_nonzero = (Condition(lambda m, x: x, "!=", "an argument other than zero"),)
_inside = (
    Condition(lambda m, x: 1 - x, ">=", "an argument between -1 and 1"),
    Condition(lambda m, x: 1 + x, ">=", "an argument between -1 and 1"),
)
_outside = (Condition(lambda m, x: abs(x) - 1, ">=", "an argument outside (-1, 1)"),)


def _input_for_output(factor: Rule) -> Pitfall:
    return Pitfall(factor, "uses its input {0} where its output {y} belongs", "input-for-output")


# --- exponentials and logarithms --------------------------------------------------------------------------------

register(
    Op(
        "exp", 1, (lambda m, y, x: y,),
        sympy=later.exp, enclose=lambda x: x.exp(), torch="torch.exp", numpy="numpy.exp", math="math.exp",
        latex="e^{{{0}}}", points=REALS,
        pitfalls=(_input_for_output(lambda m, y, x: x),
                  Pitfall(lambda m, y, x: 1, "leaves out the factor {y}", "missing-factor")),
    )
)  # fmt: skip
register(
    Op(
        "expm1", 1, (lambda m, y, x: m.exp(x),), autograd=(lambda m, y, x: y + 1,),
        sympy=lambda x: sp.exp(x) - 1, enclose=lambda x: x.expm1(), torch="torch.expm1", numpy="numpy.expm1",
        math="math.expm1", latex="\\left(e^{{{0}}} - 1\\right)", points=REALS, named=True,
    )
)  # fmt: skip
register(
    Op(
        "log", 1, (lambda m, y, x: 1 / x,),
        sympy=later.log, enclose=lambda x: x.log(), torch="torch.log", numpy="numpy.log", math="math.log",
        latex=_fn("log"), domain=_positive, points=POSITIVE, aliases=("ln",),
    )
)  # fmt: skip
register(
    Op(
        "log1p", 1, (lambda m, y, x: 1 / (1 + x),),
        sympy=lambda x: sp.log(1 + x), enclose=lambda x: x.log1p(), torch="torch.log1p", numpy="numpy.log1p",
        math="math.log1p", latex="\\log\\left(1 + {0}\\right)", named=True,
        domain=(Condition(lambda m, x: 1 + x, ">", "an argument above -1"),),
        points=((-0.9,), (-0.3,), (1e-6,), (2.5,)),
    )
)  # fmt: skip
register(
    Op(
        "log2", 1, (lambda m, y, x: 1 / (x * m.log(m.constant(2))),),
        sympy=lambda x: sp.log(x) / sp.log(2), enclose=lambda x: x.log() / arb(2).log(),
        torch="torch.log2", numpy="numpy.log2", math="math.log2", latex="\\log_{{2}}\\left({0}\\right)",
        domain=_positive, points=POSITIVE, named=True,
    )
)  # fmt: skip
register(
    Op(
        "log10", 1, (lambda m, y, x: 1 / (x * m.log(m.constant(10))),),
        sympy=lambda x: sp.log(x) / sp.log(10), enclose=lambda x: x.log() / arb(10).log(),
        torch="torch.log10", numpy="numpy.log10", math="math.log10", latex="\\log_{{10}}\\left({0}\\right)",
        domain=_positive, points=POSITIVE, named=True,
    )
)  # fmt: skip


def _sqrt_residual(t: Any, y: Any, x: Any) -> Any:
    """The remainder ``x - y*y`` is exact; divided by ``2*y`` it is what ``y`` lacks, to first order."""
    x = as_tensor(t, x, y)
    p = y * y
    return estimate(t, ((x - p) - exact_product(t, p, y, y)) / (2 * y), x)


register(
    Op(
        "sqrt", 1, (lambda m, y, x: 1 / (2 * y),),
        sympy=later.sqrt, enclose=lambda x: x.sqrt(), torch="torch.sqrt", numpy="numpy.sqrt", math="math.sqrt",
        latex="\\sqrt{{{0}}}", ulp=1.0, residual=_sqrt_residual,
        domain=(Condition(lambda m, x: x, ">=", "an argument that is not negative"),), points=POSITIVE,
        pitfalls=(_input_for_output(lambda m, y, x: 1 / (2 * x)),
                  Pitfall(lambda m, y, x: 1 / y, "leaves out the factor 1/2", "scale"),
                  Pitfall(lambda m, y, x: y / 2, "multiplies by the root where it divides")),
    )
)  # fmt: skip


def _cbrt(x: Any) -> Any:
    if x.is_zero():
        return arb(0)
    if x > 0:
        return x.root(3)
    return -((-x).root(3)) if x < 0 else arb("nan")


register(
    Op(
        "cbrt", 1, (lambda m, y, x: 1 / (3 * y**2),),
        sympy=lambda x: sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3), enclose=_cbrt,
        torch=cbrt_kernel, numpy="numpy.cbrt", math="math.cbrt",
        latex="\\sqrt[3]{{{0}}}", points=((-8.5,), (-0.4,), (1.7,), (30.0,)), named=True,
    )
)  # fmt: skip

# --- trigonometric ----------------------------------------------------------------------------------------------

register(
    Op(
        "sin", 1, (lambda m, y, x: m.cos(x),),
        sympy=later.sin, enclose=lambda x: x.sin(), torch="torch.sin", numpy="numpy.sin", math="math.sin",
        latex=_fn("sin"), points=REALS,
        pitfalls=(Pitfall(lambda m, y, x: -m.cos(x), "has a minus sign too many", "sign"),
                  Pitfall(lambda m, y, x: m.cos(y), "takes the cosine of its output", "wrong-variable")),
    )
)  # fmt: skip
register(
    Op(
        "cos", 1, (lambda m, y, x: -m.sin(x),),
        sympy=later.cos, enclose=lambda x: x.cos(), torch="torch.cos", numpy="numpy.cos", math="math.cos",
        latex=_fn("cos"), points=REALS,
        pitfalls=(Pitfall(lambda m, y, x: m.sin(x), "loses the minus sign of the cosine", "sign"),),
    )
)  # fmt: skip
register(
    Op(
        "tan", 1, (lambda m, y, x: 1 + y**2,),
        sympy=later.tan, enclose=lambda x: x.tan(), torch="torch.tan", numpy="numpy.tan", math="math.tan",
        latex=_fn("tan"), points=REALS, domain=(Condition(lambda m, x: m.cos(x), "!=", "a cosine other than zero"),),
        pitfalls=(_input_for_output(lambda m, y, x: 1 + x**2),
                  Pitfall(lambda m, y, x: 1 - y**2, "has the sign of tanh's derivative", "sign")),
    )
)  # fmt: skip
register(
    Op(
        "sec", 1, (lambda m, y, x: y * m.tan(x),),
        sympy=later.sec, enclose=lambda x: x.sec(), lower=lambda m, x: 1 / m.cos(x), latex=_fn("sec"), points=REALS,
        domain=(Condition(lambda m, x: m.cos(x), "!=", "a cosine other than zero"),),
    )
)  # fmt: skip
register(
    Op(
        "csc", 1, (lambda m, y, x: -y * m.cot(x),),
        sympy=later.csc, enclose=lambda x: x.csc(), lower=lambda m, x: 1 / m.sin(x), latex=_fn("csc"), points=REALS,
        domain=(Condition(lambda m, x: m.sin(x), "!=", "a sine other than zero"),),
    )
)  # fmt: skip
register(
    Op(
        "cot", 1, (lambda m, y, x: -(1 + y**2),),
        sympy=later.cot, enclose=lambda x: x.cot(), lower=lambda m, x: m.cos(x) / m.sin(x), latex=_fn("cot"),
        points=REALS, domain=(Condition(lambda m, x: m.sin(x), "!=", "a sine other than zero"),),
    )
)  # fmt: skip

_INSIDE = ((-0.95,), (-0.3,), (0.2,), (0.8,))
_OUTSIDE = ((-3.0,), (-1.05,), (1.2,), (8.0,))

register(
    Op(
        "asin", 1, (lambda m, y, x: 1 / m.sqrt(1 - x**2),),
        accurate=(lambda m, y, x: 1 / m.sqrt((1 - x) * (1 + x)),),
        sympy=later.asin, enclose=lambda x: x.asin(), torch="torch.asin", numpy="numpy.arcsin", math="math.asin",
        latex=_fn("arcsin"), points=_INSIDE, domain=_inside, aliases=("arcsin",),
    )
)  # fmt: skip
register(
    Op(
        "acos", 1, (lambda m, y, x: -1 / m.sqrt(1 - x**2),),
        accurate=(lambda m, y, x: -1 / m.sqrt((1 - x) * (1 + x)),),
        sympy=later.acos, enclose=lambda x: x.acos(), torch="torch.acos", numpy="numpy.arccos", math="math.acos",
        latex=_fn("arccos"), points=_INSIDE, domain=_inside, aliases=("arccos",),
    )
)  # fmt: skip
register(
    Op(
        "atan", 1, (lambda m, y, x: 1 / (1 + x**2),),
        sympy=later.atan, enclose=lambda x: x.atan(), torch="torch.atan", numpy="numpy.arctan", math="math.atan",
        latex=_fn("arctan"), points=REALS, aliases=("arctan",),
    )
)  # fmt: skip
def _leg(m: Any, x: Any) -> Any:
    """sqrt(x**2 - 1) that neither cancels near 1 nor overflows: the inverse functions of 1/x lose all digits near 1."""
    size = m.abs(x)
    return m.sqrt(size - 1) * m.sqrt(size + 1)


register(
    Op(
        "asec", 1, (lambda m, y, x: 1 / (m.abs(x) * m.sqrt(x**2 - 1)),),
        accurate=(lambda m, y, x: 1 / (m.abs(x) * m.sqrt((x - 1) * (x + 1))),),
        sympy=later.asec, enclose=lambda x: (1 / x).acos(), lower=lambda m, x: m.atan2(_leg(m, x), m.sign(x)),
        latex=_operator("arcsec"), points=_OUTSIDE, domain=_outside, aliases=("arcsec",),
    )
)  # fmt: skip
register(
    Op(
        "acsc", 1, (lambda m, y, x: -1 / (m.abs(x) * m.sqrt(x**2 - 1)),),
        accurate=(lambda m, y, x: -1 / (m.abs(x) * m.sqrt((x - 1) * (x + 1))),),
        sympy=later.acsc, enclose=lambda x: (1 / x).asin(), lower=lambda m, x: m.atan2(m.sign(x), _leg(m, x)),
        latex=_operator("arccsc"), points=_OUTSIDE, domain=_outside, aliases=("arccsc",),
    )
)  # fmt: skip
register(
    Op(
        "acot", 1, (lambda m, y, x: -1 / (1 + x**2),),
        sympy=later.acot, enclose=lambda x: (1 / x).atan(), lower=lambda m, x: m.atan(1 / x),
        latex=_operator("arccot"), points=REALS, domain=_nonzero, aliases=("arccot",),
    )
)  # fmt: skip

_PLANE = ((1.0, 2.0), (-1.5, 0.5), (0.4, -3.0), (-2.0, -0.3))
register(
    Op(
        "atan2", 2, (lambda m, y, a, b: b / (a**2 + b**2), lambda m, y, a, b: -a / (a**2 + b**2)),
        accurate=(lambda m, y, a, b: b / (h := m.hypot(a, b)) / h, lambda m, y, a, b: -a / (h := m.hypot(a, b)) / h),
        autograd=(lambda m, y, a, b: b * (1 / (a * a + b * b)), lambda m, y, a, b: -a * (1 / (a * a + b * b))),
        sympy=later.atan2, enclose=arb.atan2, torch=lambda t, a, b: t.atan2(*as_tensors(t, a, b)),
        numpy="numpy.arctan2", math="math.atan2", latex="\\operatorname{{atan2}}\\left({0}, {1}\\right)", points=_PLANE,
        aliases=("arctan2",),
        domain=(Condition(lambda m, a, b: abs(a) + abs(b), ">", "arguments that are not both zero"),),
    )
)  # fmt: skip

# --- hyperbolic -------------------------------------------------------------------------------------------------

register(
    Op(
        "sinh", 1, (lambda m, y, x: m.cosh(x),),
        sympy=later.sinh, enclose=lambda x: x.sinh(), torch="torch.sinh", numpy="numpy.sinh", math="math.sinh",
        latex=_fn("sinh"), points=REALS,
    )
)  # fmt: skip
register(
    Op(
        "cosh", 1, (lambda m, y, x: m.sinh(x),),
        sympy=later.cosh, enclose=lambda x: x.cosh(), torch="torch.cosh", numpy="numpy.cosh", math="math.cosh",
        latex=_fn("cosh"), points=REALS,
        pitfalls=(Pitfall(lambda m, y, x: -m.sinh(x), "has the sign of the cosine's derivative", "sign"),),
    )
)  # fmt: skip


def _tanh_residual(t: Any, y: Any, x: Any) -> Any:
    """Near saturation 1 - |y| is exact, and 2/(exp(2|x|) + 1) is what it should have been."""
    size = t.abs(y)
    complement = 2.0 / (t.exp(2.0 * t.abs(x)) + 1.0)
    return estimate(t, t.where(size > 0.5, t.sign(y) * ((1.0 - size) - complement), t.zeros_like(y)))


register(
    Op(
        "tanh", 1, (lambda m, y, x: 1 - y**2,), accurate=(lambda m, y, x: m.sech(x) ** 2,),
        sympy=later.tanh, enclose=lambda x: x.tanh(), torch="torch.tanh", numpy="numpy.tanh", math="math.tanh",
        latex=_fn("tanh"), points=(*REALS, (20.0,), (-60.0,)), residual=_tanh_residual,
        pitfalls=(_input_for_output(lambda m, y, x: 1 - x**2),
                  Pitfall(lambda m, y, x: 1 - y, "does not square the output {y}", "wrong-formula"),
                  Pitfall(lambda m, y, x: 1 + y**2, "has the sign of tan's derivative", "sign"),
                  Pitfall(lambda m, y, x: 1 - m.tanh(y) ** 2, "applies tanh twice", "input-for-output"),
                  Pitfall(lambda m, y, x: y * (1 - y), "is the derivative of sigmoid", "wrong-formula")),
    )
)  # fmt: skip
def _tensor_sech(t: Any, x: Any) -> Any:
    """1/cosh where cosh is small; beyond 20 it is 2*exp(-|x|) to 2**-57, which neither overflows nor flushes to 0."""
    near = 1.0 / t.cosh(t.clamp(x, -20.0, 20.0))
    return t.where(t.abs(x) < 20.0, near, 2.0 * t.exp(-t.abs(x)))


def _tensor_csch(t: Any, x: Any) -> Any:
    near = 1.0 / t.sinh(t.clamp(x, -20.0, 20.0))
    return t.where(t.abs(x) < 20.0, near, 2.0 * t.sign(x) * t.exp(-t.abs(x)))


register(
    Op(
        "sech", 1, (lambda m, y, x: -y * m.tanh(x),),
        autograd=(lambda m, y, x: m.where(m.lt(m.abs(x), 20), -(y * y) * m.sinh(x), -y * m.tanh(x)),),
        sympy=later.sech, enclose=lambda x: x.sech(), torch=_tensor_sech,
        latex=_operator("sech"), points=(*REALS, (25.0,), (-60.0,)), ulp=3.0,
    )
)  # fmt: skip
register(
    Op(
        "csch", 1, (lambda m, y, x: -y * m.coth(x),),
        autograd=(lambda m, y, x: m.where(m.lt(m.abs(x), 20), -(y * y) * m.cosh(x), -y * m.coth(x)),),
        sympy=later.csch, enclose=lambda x: x.csch(), torch=_tensor_csch,
        latex=_operator("csch"), points=(*REALS, (25.0,), (-60.0,)), domain=_nonzero, ulp=3.0,
    )
)  # fmt: skip
register(
    Op(
        "coth", 1, (lambda m, y, x: 1 - y**2,), accurate=(lambda m, y, x: -(m.csch(x) ** 2),),
        sympy=later.coth, enclose=lambda x: x.coth(), lower=lambda m, x: 1 / m.tanh(x),
        latex=_fn("coth"), points=REALS, domain=_nonzero,
    )
)  # fmt: skip
register(
    Op(
        "asinh", 1, (lambda m, y, x: 1 / m.sqrt(1 + x**2),), accurate=(lambda m, y, x: 1 / m.hypot(1, x),),
        sympy=later.asinh, enclose=lambda x: x.asinh(), torch="torch.asinh", numpy="numpy.arcsinh", math="math.asinh",
        latex=_operator("arsinh"), points=REALS, aliases=("arcsinh", "arsinh"),
    )
)  # fmt: skip
register(
    Op(
        "acosh", 1, (lambda m, y, x: 1 / m.sqrt(x**2 - 1),),
        accurate=(lambda m, y, x: 1 / (m.sqrt(x - 1) * m.sqrt(x + 1)),),
        sympy=later.acosh, enclose=lambda x: x.acosh(), torch="torch.acosh", numpy="numpy.arccosh", math="math.acosh",
        latex=_operator("arcosh"), points=((1.05,), (1.7,), (9.0,)), aliases=("arccosh", "arcosh"),
        domain=(Condition(lambda m, x: x - 1, ">=", "an argument of at least 1"),),
    )
)  # fmt: skip
register(
    Op(
        "atanh", 1, (lambda m, y, x: 1 / (1 - x**2),), accurate=(lambda m, y, x: 1 / ((1 - x) * (1 + x)),),
        sympy=later.atanh, enclose=lambda x: x.atanh(), torch="torch.atanh", numpy="numpy.arctanh", math="math.atanh",
        latex=_operator("artanh"), points=_INSIDE, aliases=("arctanh", "artanh"),
        domain=(Condition(lambda m, x: 1 - x, ">", "an argument strictly between -1 and 1"),
                Condition(lambda m, x: 1 + x, ">", "an argument strictly between -1 and 1")),
    )
)  # fmt: skip
register(
    Op(
        "asech", 1, (lambda m, y, x: -1 / (x * m.sqrt(1 - x**2)),),
        accurate=(lambda m, y, x: -1 / (x * m.sqrt((1 - x) * (1 + x))),),
        sympy=later.asech, enclose=lambda x: (1 / x).acosh(),
        lower=lambda m, x: 2 * m.asinh(m.sqrt(1 - x) / m.sqrt(2 * x)),
        latex=_operator("arsech"), points=((0.05,), (0.3,), (0.95,)), aliases=("arcsech", "arsech"),
        domain=(Condition(lambda m, x: x, ">", "an argument between 0 and 1"),
                Condition(lambda m, x: 1 - x, ">=", "an argument between 0 and 1")),
    )
)  # fmt: skip
register(
    Op(
        "acsch", 1, (lambda m, y, x: -1 / (m.abs(x) * m.sqrt(1 + x**2)),),
        accurate=(lambda m, y, x: -1 / (m.abs(x) * m.hypot(1, x)),),
        sympy=later.acsch, enclose=lambda x: (1 / x).asinh(), lower=lambda m, x: m.asinh(1 / x),
        latex=_operator("arcsch"), points=REALS, domain=_nonzero, aliases=("arccsch", "arcsch"),
    )
)  # fmt: skip
register(
    Op(
        "acoth", 1, (lambda m, y, x: 1 / (1 - x**2),), accurate=(lambda m, y, x: 1 / ((1 - x) * (1 + x)),),
        sympy=later.acoth, enclose=lambda x: (1 / x).atanh(),
        lower=lambda m, x: m.sign(x) * m.log1p(2 / (m.abs(x) - 1)) / 2,
        latex=_operator("arcoth"), points=_OUTSIDE, aliases=("arccoth", "arcoth"),
        domain=(Condition(lambda m, x: abs(x) - 1, ">", "an argument outside [-1, 1]"),),
    )
)  # fmt: skip
register(
    Op(
        "hypot", 2, (lambda m, y, a, b: a / y, lambda m, y, a, b: b / y),
        sympy=lambda a, b: sp.sqrt(a**2 + b**2), enclose=lambda a, b: (a * a + b * b).sqrt(),
        torch=lambda t, a, b: t.hypot(*as_tensors(t, a, b)),
        numpy="numpy.hypot", math="math.hypot", latex="\\operatorname{{hypot}}\\left({0}, {1}\\right)",
        points=_PLANE, named=True,
    )
)  # fmt: skip
register(
    Op(
        "logaddexp", 2, (lambda m, y, a, b: m.exp(a - y), lambda m, y, a, b: m.exp(b - y)),
        accurate=(lambda m, y, a, b: m.sigmoid(a - b), lambda m, y, a, b: m.sigmoid(b - a)),
        autograd=(lambda m, y, a, b: 1 / (1 + m.exp(b - a)), lambda m, y, a, b: 1 / (1 + m.exp(a - b))),
        sympy=lambda a, b: sp.log(sp.exp(a) + sp.exp(b)), enclose=lambda a, b: a.max(b) + (-abs(a - b)).exp().log1p(),
        torch=lambda t, a, b: t.logaddexp(*as_tensors(t, a, b)), numpy="numpy.logaddexp",
        latex="\\log\\left(e^{{{0}}} + e^{{{1}}}\\right)",
        # The larger input and the logarithm cancel where the result is near 0: both are below 0.7 there.
        points=_PLANE, named=True, ulp_absolute=1.0,
    )
)  # fmt: skip
