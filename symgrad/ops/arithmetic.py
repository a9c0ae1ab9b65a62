"""Arithmetic, powers, comparisons and selection."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.ops.base import Condition, Infix, Kink, Op, Pitfall, register
from symgrad.ops.late import later, sp

SUM, PRODUCT, UNARY, POWER, ATOM = 1, 2, 3, 4, 5

PAIRS = ((3.0, -4.0), (-2.5, 0.75), (0.3, 7.0), (1e-3, 1e3))


def as_tensor(t: Any, value: Any, like: Any) -> Any:
    """A constant as torch sees it beside ``like``: rounded to its dtype. A tensor is returned as it is."""
    return value if isinstance(value, t.Tensor) else t.full((), value, dtype=like.dtype, device=like.device)


def as_tensors(t: Any, *values: Any) -> list[Any]:
    """Numbers beside tensors, as tensors: for functions that take no Python number, or would pick its dtype."""
    like = next(v for v in values if isinstance(v, t.Tensor))
    return [as_tensor(t, v, like) for v in values]


def estimate(t: Any, error: Any, product: Any = None) -> Any:
    """A residual where it is known, else 0.

    Overflow leaves infinities and nan in its making; and where ``product``, a number that was multiplied out to get
    it, is so small that half of its digits lie below the smallest subnormal, the residual is noise.
    """
    known = t.nan_to_num(error, nan=0.0, posinf=0.0, neginf=0.0)
    if product is None:
        return known
    info = t.finfo(error.dtype)
    return t.where(t.abs(product) > info.tiny / info.eps, known, t.zeros_like(known))


def _two_sum(t: Any, y: Any, a: Any, b: Any) -> Any:
    """Knuth's TwoSum: the exact rounding error of ``y = a + b``."""
    a, b = as_tensor(t, a, y), as_tensor(t, b, y)
    c = y - a
    return estimate(t, (a - (y - c)) + (b - c))


def _split(t: Any, a: Any) -> tuple[Any, Any]:
    """Dekker's splitting of a number into two halves, each of half as many bits: the factor is 2**ceil(bits/2) + 1."""
    factor = {t.float64: 134217729.0, t.float32: 4097.0, t.float16: 65.0, t.bfloat16: 17.0}[a.dtype]
    c = a * factor
    high = c - (c - a)
    return high, a - high


def exact_product(t: Any, y: Any, a: Any, b: Any) -> Any:
    """Dekker's TwoProduct: ``a*b - y`` exactly, where ``y`` is near ``a*b`` and nothing over- or underflows."""
    if (fused := getattr(t, "exact_product", None)) is not None:  # a namespace that has fused multiply-add
        return fused(y, a, b)
    ah, al = _split(t, a)
    bh, bl = _split(t, b)
    return al * bl - (((y - ah * bh) - al * bh) - ah * bl)


def _two_prod(t: Any, y: Any, a: Any, b: Any) -> Any:
    return estimate(t, exact_product(t, y, as_tensor(t, a, y), as_tensor(t, b, y)), y)


def _quotient_residual(t: Any, y: Any, a: Any, b: Any) -> Any:
    """The remainder ``a - y*b`` is exact; divided by ``b`` it is what ``y`` lacks."""
    a, b = as_tensor(t, a, y), as_tensor(t, b, y)
    p = y * b
    return estimate(t, ((a - p) - exact_product(t, p, y, b)) / b, p)


register(
    Op(
        "add", 2, (lambda m, y, a, b: 1, lambda m, y, a, b: 1),
        sympy=lambda a, b: a + b, enclose=lambda a, b: a + b, torch=lambda t, a, b: a + b,
        numpy="numpy.add", latex="{0} + {1}", infix=Infix("+", SUM, SUM, SUM), ulp=0.5,
        residual=_two_sum, points=PAIRS,
    )
)  # fmt: skip

register(
    Op(
        "sub", 2, (lambda m, y, a, b: 1, lambda m, y, a, b: -1),
        sympy=lambda a, b: a - b, enclose=lambda a, b: a - b, torch=lambda t, a, b: a - b,
        numpy="numpy.subtract", latex="{0} - {1}", infix=Infix("-", SUM, SUM, PRODUCT), ulp=0.5,
        residual=lambda t, y, a, b: _two_sum(t, y, a, -b), points=PAIRS,
        pitfalls=(Pitfall(lambda m, y, a, b: 1, "loses the minus sign of {1}", "sign", 1),),
    )
)  # fmt: skip

register(
    Op(
        "neg", 1, (lambda m, y, a: -1,),
        sympy=lambda a: -a, enclose=lambda a: -a, torch=lambda t, a: -a,
        numpy="numpy.negative", latex="-{0}", infix=Infix("-", UNARY, UNARY, UNARY, prefix=True), ulp=0.0,
        residual=lambda t, y, a: t.zeros_like(y), points=((1.5,), (-2.0,)),
        pitfalls=(Pitfall(lambda m, y, a: 1, "loses the minus sign", "sign"),),
    )
)  # fmt: skip

register(
    Op(
        "mul", 2, (lambda m, y, a, b: b, lambda m, y, a, b: a),
        sympy=lambda a, b: a * b, enclose=lambda a, b: a * b, torch=lambda t, a, b: a * b,
        numpy="numpy.multiply", latex="{0} \\cdot {1}", infix=Infix("*", PRODUCT, PRODUCT, UNARY), ulp=0.5,
        residual=_two_prod, points=PAIRS,
        pitfalls=(
            Pitfall(lambda m, y, a, b: a, "uses {0} where the other factor {1} belongs", "wrong-variable", 0),
            Pitfall(lambda m, y, a, b: b, "uses {1} where the other factor {0} belongs", "wrong-variable", 1),
        ),
    )
)  # fmt: skip

register(
    Op(
        "div", 2, (lambda m, y, a, b: 1 / b, lambda m, y, a, b: -a / b**2),
        sympy=lambda a, b: a / b, enclose=lambda a, b: a / b, torch=lambda t, a, b: a / b,
        numpy="numpy.divide", latex="\\frac{{{0}}}{{{1}}}", infix=Infix("/", PRODUCT, PRODUCT, UNARY), ulp=0.5,
        accurate=(lambda m, y, a, b: 1 / b, lambda m, y, a, b: -y / b),
        autograd=(lambda m, y, a, b: 1 / b, lambda m, y, a, b: -((a / b) / b)),
        residual=_quotient_residual,
        domain=(Condition(lambda m, a, b: b, "!=", "a denominator other than zero"),),
        points=PAIRS,
        pitfalls=(
            Pitfall(lambda m, y, a, b: a / b**2, "loses the minus sign of the quotient rule", "sign", 1),
            Pitfall(lambda m, y, a, b: -a / b, "divides by {1} once, not twice", "missing-factor", 1),
            Pitfall(lambda m, y, a, b: -1 / b**2, "leaves out the numerator {0}", "missing-factor", 1),
        ),
    )
)  # fmt: skip


# Another name for a value (``b = a`` in a script): a step of its own, so that the line stays visible.
register(
    Op(
        "alias", 1, (lambda m, y, a: 1,),
        sympy=lambda a: a, enclose=lambda a: a, torch=lambda t, a: a, latex="{0}", ulp=0.0, hidden=True,
        infix=Infix("", ATOM, ATOM, ATOM, prefix=True), residual=lambda t, y, a: t.zeros_like(y),
        points=((1.5,), (-2.0,)),
    )
)  # fmt: skip


def _pow_base(m: Any, a: Any, b: Any) -> Any:
    return arb(1) if b.is_integer() else a


def _pow_pole(m: Any, a: Any, b: Any) -> Any:
    return a if b < 0 else arb(1)


def _pow_residual(t: Any, y: Any, a: Any, b: Any) -> Any:
    """Squares and cubes, which torch multiplies out, carry most of the digits that are lost in derivatives."""
    if isinstance(b, t.Tensor) or b not in (2.0, 3.0):
        return t.zeros_like(y)
    a = as_tensor(t, a, y)
    if b == 2.0:
        return _two_prod(t, y, a, a)
    square = a * a
    return estimate(t, exact_product(t, y, square, a) + exact_product(t, square, a, a) * a, t.minimum(square, t.abs(y)))


def _pow_slope(m: Any, y: Any, a: Any, b: Any) -> Any:
    return m.where(m.ne(a, 0), y * m.log(a), 0)


def _pow_corner(m: Any, a: Any, b: Any) -> Any:
    return abs(a) + abs(b)


def _product(a: Any, n: int) -> Any:
    """``a**n`` by squarings: around 0 Arb takes the way of log(a) even so, and knows nothing then."""
    out = a if n % 2 else arb(1)
    return out if n == 1 else out * _product(a * a, n // 2)


def _power(a: Any, b: Any) -> Any:
    """``a**b`` in balls. Arb goes by way of log(a) unless it knows that b is an integer."""
    if b.is_integer():
        n = int(b.unique_fmpz())
        return _product(a, n) if n > 0 and a.mid().is_zero() else a**n
    if a.is_zero() and b > 0:
        return arb(0)
    return a**b


register(
    Op(
        "pow", 2, (lambda m, y, a, b: b * a ** (b - 1), lambda m, y, a, b: y * m.log(a)),
        sympy=lambda a, b: a**b, enclose=_power, torch=lambda t, a, b: a**b,
        # 0**b is 0 for every b > 0, so its slope in b is 0: y*log(a) would be 0*inf.
        accurate=(None, _pow_slope), autograd=(None, _pow_slope),
        numpy="numpy.power", math="math.pow", latex="{0}^{{{1}}}", infix=Infix("**", POWER, ATOM, UNARY),
        residual=_pow_residual,
        domain=(
            Condition(_pow_base, ">=", "a base that is not negative when the exponent is not an integer"),
            Condition(_pow_pole, "!=", "a base other than zero when the exponent is negative"),
        ),
        # 0**0 is 1, but 0**b is 0 right of b = 0 and has no value left of it. The slope of x**0 is 0 everywhere.
        kinks=(Kink(_pow_corner, jump=True, varies=1),),
        # Beyond 2**24 the exponent less one is not exact, and its parity is the sign.
        lossy=(lambda a, b: a < 0 and abs(b) >= 2.0**24, "a negative base with an exponent beyond 2**24"),
        points=((3.0, 4.0), (-1.5, 3.0), (2.0, 0.5), (0.7, -2.5), (-3.0, -2.0), (10.0, 1.0 / 3)),
        pitfalls=(
            Pitfall(lambda m, y, a, b: a ** (b - 1), "leaves out the exponent {1}", "missing-factor"),
            Pitfall(lambda m, y, a, b: b * a**b, "does not lower the exponent by one"),
            Pitfall(lambda m, y, a, b: b * a, "drops the power of {0}"),
        ),
    )
)  # fmt: skip


def _truth(t: Any, result: Any, a: Any, b: Any) -> Any:
    """torch's comparisons give bool; a step holds a number of the computation's dtype."""
    return result.to((a if isinstance(a, t.Tensor) else b).dtype)


def _compare(positive: bool | None, difference: Any) -> Any:
    """A comparison in ball arithmetic: 1, 0, or the ball [0, 1] where it cannot be told.

    ``positive`` is the truth where the difference is positive; ``None`` means "equal".
    """
    if difference.is_zero():
        return arb(1) if positive is None else arb(0)
    if difference > 0:
        return arb(1 if positive else 0)
    if difference < 0:
        return arb(1 if positive is False else 0)
    return arb(0.5, 0.5)


def _comparison(name: str, symbol: str, latex: str, numpy: str, *, sympy: Any, enclose: Any, run: Any) -> None:
    register(
        Op(
            name, 2, (None, None), sympy=sympy, enclose=enclose,
            torch=lambda t, a, b: _truth(t, run(a, b), a, b), numpy=numpy, latex=latex,
            infix=Infix(symbol, 0, SUM, SUM), ulp=0.0, hidden=True,
            kinks=(Kink(lambda m, a, b: a - b, jump=True),),
            points=((1.0, 2.0), (2.0, -1.0), (0.5, 0.25)),
        )
    )  # fmt: skip


def _indicator(condition: Any) -> Any:
    return sp.Piecewise((1, condition), (0, True))


_comparison(
    "lt", "<", "[{0} < {1}]", "numpy.less", sympy=lambda a, b: _indicator(sp.Lt(a, b)),
    enclose=lambda a, b: _compare(True, b - a), run=lambda a, b: a < b,
)  # fmt: skip
_comparison(
    "gt", ">", "[{0} > {1}]", "numpy.greater", sympy=lambda a, b: _indicator(sp.Gt(a, b)),
    enclose=lambda a, b: _compare(True, a - b), run=lambda a, b: a > b,
)  # fmt: skip
_comparison(
    "le", "<=", "[{0} \\le {1}]", "numpy.less_equal", sympy=lambda a, b: _indicator(sp.Le(a, b)),
    enclose=lambda a, b: 1 - _compare(True, a - b), run=lambda a, b: a <= b,
)  # fmt: skip
_comparison(
    "ge", ">=", "[{0} \\ge {1}]", "numpy.greater_equal", sympy=lambda a, b: _indicator(sp.Ge(a, b)),
    enclose=lambda a, b: 1 - _compare(True, b - a), run=lambda a, b: a >= b,
)  # fmt: skip
_comparison(
    "eq", "==", "[{0} = {1}]", "numpy.equal", sympy=lambda a, b: _indicator(sp.Eq(a, b)),
    enclose=lambda a, b: _compare(None, a - b), run=lambda a, b: a == b,
)  # fmt: skip
_comparison(
    "ne", "!=", "[{0} \\ne {1}]", "numpy.not_equal", sympy=lambda a, b: _indicator(sp.Ne(a, b)),
    enclose=lambda a, b: 1 - _compare(None, a - b), run=lambda a, b: a != b,
)  # fmt: skip


def _select(c: Any, a: Any, b: Any) -> Any:
    if c.is_zero():
        return b
    return a if not c.contains(0) else a.union(b)


def _tensor_where(t: Any, c: Any, a: Any, b: Any) -> Any:
    c, a, b = as_tensors(t, c, a, b)
    return t.where(c != 0, a, b)


register(
    Op(
        "where", 3,
        (None, lambda m, y, c, a, b: m.ne(c, 0), lambda m, y, c, a, b: m.eq(c, 0)),
        sympy=lambda c, a, b: sp.Piecewise((a, sp.Ne(c, 0)), (b, True)),
        enclose=_select, torch=_tensor_where, numpy="numpy.where", ulp=0.0,
        latex="\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{otherwise}} \\end{{cases}}",
        points=((1.0, 2.0, 5.0), (0.0, 2.0, 5.0), (1.0, -3.0, 0.5)),
    )
)  # fmt: skip

register(
    Op(
        "max", 2, (lambda m, y, a, b: m.heaviside(a - b), lambda m, y, a, b: m.heaviside(b - a)),
        sympy=later.Max, enclose=lambda a, b: a.max(b),
        torch=lambda t, a, b: t.maximum(*as_tensors(t, a, b)), numpy="numpy.maximum", aliases=("maximum",), ulp=0.0,
        limits=True,
        latex="\\max\\left({0}, {1}\\right)", kinks=(Kink(lambda m, a, b: a - b),),
        points=((3.0, -4.0), (-2.5, 0.75), (1.5, 2.5), (3.0, 2.0)),
    )
)  # fmt: skip

register(
    Op(
        "min", 2, (lambda m, y, a, b: m.heaviside(b - a), lambda m, y, a, b: m.heaviside(a - b)),
        sympy=later.Min, enclose=lambda a, b: a.min(b),
        torch=lambda t, a, b: t.minimum(*as_tensors(t, a, b)), numpy="numpy.minimum", aliases=("minimum",), ulp=0.0,
        limits=True,
        latex="\\min\\left({0}, {1}\\right)", kinks=(Kink(lambda m, a, b: a - b),),
        points=((3.0, -4.0), (-2.5, 0.75), (1.5, 2.5), (3.0, 2.0)),
    )
)  # fmt: skip

register(
    Op(
        "abs", 1, (lambda m, y, x: m.sign(x),),
        sympy=later.Abs, enclose=abs, torch="torch.abs", numpy="numpy.abs", math="math.fabs", ulp=0.0,
        latex="\\left|{0}\\right|", kinks=(Kink(lambda m, x: x),), points=((1.5,), (-2.0,)),
        residual=lambda t, y, x: t.zeros_like(y), aliases=("fabs",),
    )
)  # fmt: skip

register(
    Op(
        "sign", 1, (None,),
        sympy=later.sign, enclose=lambda x: x.sgn(), torch="torch.sign", numpy="numpy.sign", ulp=0.0,
        latex="\\operatorname{{sign}}\\left({0}\\right)", kinks=(Kink(lambda m, x: x, jump=True),),
        points=((1.5,), (-2.0,)), aliases=("sgn",),
    )
)  # fmt: skip


def _tensor_step(t: Any, x: Any, at_zero: Any) -> Any:
    x, at_zero = as_tensors(t, x, at_zero)
    return t.where(x > 0, t.ones_like(x), t.where(x < 0, t.zeros_like(x), at_zero))


def _step_function(x: Any, at_zero: Any) -> Any:
    if x.is_zero():
        return at_zero
    return _compare(True, x)


register(
    Op(
        "heaviside", 2, (None, lambda m, y, x, h: m.eq(x, 0)),
        sympy=later.Heaviside, enclose=_step_function, torch=_tensor_step,
        numpy="numpy.heaviside", defaults=(Fraction(1, 2),), ulp=0.0,
        latex="H\\left({0}\\right)", kinks=(Kink(lambda m, x, h: x, jump=True),),
        points=((1.5, 0.5), (-2.0, 0.5)),
    )
)  # fmt: skip
