"""SymPy to Graph. Nothing recurses on depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.errors import InternalError, Unsupported
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import Formula
from symgrad.symbolic.named import apply, lattices, named_function, relations, selector, spelled

#: A SymPy Float beyond 2**(this) is not made an exact rational.
FLOAT_SCALE = 4096

#: SymPy's constants by the names of our graphs.
CONSTANTS: dict[str, Any] = {"pi": sp.pi, "E": sp.E}


def from_sympy(expr: Any, variables: Iterable[str] = ()) -> Graph:
    """The graph of a SymPy expression over real numbers. Symbols become inputs by name.

    Args:
        expr: the expression.
        variables: names of inputs, in this order; symbols that are not named here follow in alphabetical order.

    Raises:
        Unsupported: it holds something that is not in the table of ops, or two symbols of one name.
    """
    expr = _expression(expr)
    found: dict[str, Any] = {}
    for node in _nodes(expr):
        if node.is_Symbol and found.setdefault(node.name, node) != node:
            raise Unsupported(f"two different symbols are called {node.name}")
    builder = GraphBuilder(share=True)
    names = list(dict.fromkeys([*variables, *sorted(found)]))
    inputs = {n: builder.add("input", name=n) for n in names}
    math = Formula(builder)
    result = write(expr, math, {found[n]: math.ref(i) for n, i in inputs.items() if n in found})
    return builder.build(result.index)


def write(expr: Any, m: Any, symbols: Mapping[Any, Any]) -> Any:
    """Write a SymPy expression through a namespace of rules (see :class:`symgrad.ops.Math`).

    Args:
        expr: the expression.
        m: graph steps, balls, ...
        symbols: what stands for each symbol.

    Raises:
        Unsupported: it holds something that is not in the table of ops.
    """
    values: dict[Any, Any] = dict(symbols)
    plans: dict[Any, tuple[tuple[Any, ...], Callable[..., Any]]] = {}
    stack = [_expression(expr)]
    while stack:
        node = stack[-1]
        if node in values:
            stack.pop()
            continue
        if node not in plans:
            plans[node] = _plan(node, m)
        parts, make = plans[node]
        missing = [p for p in parts if p not in values]
        if missing:
            stack += reversed(missing)
            continue
        stack.pop()
        values[node] = make(*(values[p] for p in parts))
    return values[expr]


def _expression(expr: Any) -> Any:
    if not isinstance(expr, sp.Expr):
        raise Unsupported(f"{type(expr).__name__} is no SymPy expression")
    return expr


def _nodes(expr: Any) -> Iterable[Any]:
    """Every distinct sub-expression once."""
    seen = {expr}
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        for arg in node.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)


#: How a node is written: the sub-expressions that it needs, and what makes it of their values.
Plan = tuple[tuple[Any, ...], Callable[..., Any]]


def _plan(node: Any, m: Any) -> Plan:
    if node.is_Number or node.is_NumberSymbol:
        return _number_plan(node, m)
    if node.is_Add:
        return _sum_plan(node, m)
    if node.is_Mul:
        return _product_plan(node, m)
    if node.is_Pow:
        return _power_plan(node, m)
    if isinstance(node, sp.Piecewise):
        return _cases_plan(node, m)
    if node.func in lattices():
        name = lattices()[node.func]
        return tuple(sp.ordered(node.args)), lambda *v: _fold(v, lambda a, b: apply(m, name, a, b))
    found = spelled(node)
    if found is not None:
        name, inputs = found
        return inputs, lambda *v: apply(m, name, *v)
    if node.func in relations():
        name = relations()[node.func]
        return node.args, lambda *v: apply(m, name, *v)
    if node.func in _REWRITTEN:
        return (_REWRITTEN[node.func](*node.args),), lambda v: v
    if isinstance(node, sp.And):
        return tuple(sp.ordered(node.args)), lambda *v: _fold(v, m.mul)
    if isinstance(node, sp.Or):
        return tuple(sp.ordered(node.args)), lambda *v: _fold(v, m.max)
    if isinstance(node, sp.Not):
        return node.args, lambda v: m.sub(m.constant(1), v)
    if node in (True, False):
        return (), lambda: m.constant(int(bool(node)))
    if node.is_Symbol:
        raise Unsupported(f"the symbol {node.name} stands for nothing here")
    raise Unsupported(f"{node.func.__name__} is not supported", hint="rewrite it in functions that symgrad knows")


def _loggamma(x: Any) -> Any:
    # The real part of SymPy's loggamma, which over the reals is what has a value.
    return named_function("lgamma")(x)


def _zeta(n: Any) -> Any:
    """zeta(3) and its kin, which SymPy makes of polygamma(n, 1)."""
    if not (n.is_Integer and 2 <= n <= 64):
        raise Unsupported("zeta is not supported")
    return (-1) ** n / sp.factorial(n - 1) * sp.polygamma(n - 1, 1, evaluate=False)


#: SymPy's functions that are others in disguise.
_REWRITTEN: dict[Any, Callable[..., Any]] = {
    sp.loggamma: _loggamma,
    sp.factorial: lambda n: sp.gamma(n + 1, evaluate=False),
    sp.zeta: _zeta,
}


def _fold(values: Sequence[Any], join: Callable[[Any, Any], Any]) -> Any:
    total, *rest = values
    for v in rest:
        total = join(total, v)
    return total


def _number_plan(node: Any, m: Any) -> Plan:
    if node.is_Rational:
        return (), lambda: m.constant(Fraction(int(node.p), int(node.q)))
    if node.is_Float and node.is_finite:
        sign, man, exponent, _ = node._mpf_
        if abs(exponent) > FLOAT_SCALE:
            raise Unsupported("a floating-point number too large or too small to be taken exactly")
        exact = Fraction(int(man)) * Fraction(2) ** int(exponent)
        return (), lambda: m.constant(-exact if sign else exact)
    known = next((name for name, constant in CONSTANTS.items() if node is constant), None)
    if known is not None:
        return (), lambda: m.constant(known)
    if node is sp.EulerGamma:
        return (), lambda: m.neg(m.digamma(m.constant(1)))
    if node is sp.Catalan:
        return (), lambda: m.div(
            m.sub(m.trigamma(m.constant(Fraction(1, 4))), m.pow(m.constant("pi"), m.constant(2))), m.constant(8)
        )
    if node is sp.GoldenRatio:
        return ((1 + sp.sqrt(5)) / 2,), lambda v: v
    raise Unsupported(f"the constant {node} is not supported")


def _negative(term: Any) -> bool:
    c = term.as_coeff_Mul()[0]
    return bool(c.is_Rational and c < 0)


def _sum_plan(node: Any, m: Any) -> Plan:
    """Terms with a minus sign are subtracted, and come last."""
    plus = [t for t in node.args if not _negative(t)]
    minus = [-t for t in node.args if _negative(t)]

    def make(*values: Any) -> Any:
        if plus:
            total = _fold(values[: len(plus)], m.add)
            return _fold((total, *values[len(plus) :]), m.sub)
        return m.neg(_fold(values, m.add))

    return (*plus, *minus), make


def _product_plan(node: Any, m: Any) -> Plan:
    """Factors with a negative exponent go below the line; a rational's denominator too."""
    top: list[Any] = []
    bottom: list[Any] = []
    negative = False
    for factor in node.args:
        if factor.is_Rational:
            negative ^= bool(factor < 0)
            top += [sp.Integer(abs(factor.p))] * (abs(factor.p) != 1)
            bottom += [sp.Integer(factor.q)] * (factor.q != 1)
        elif factor.is_Pow and factor.exp.is_Rational and factor.exp < 0 and factor.base is not sp.E:
            bottom.append(_inverse(factor))
        else:
            top.append(factor)

    def make(*values: Any) -> Any:
        result = _fold(values[: len(top)], m.mul) if top else m.constant(1)
        if bottom:
            result = m.div(result, _fold(values[len(top) :], m.mul))
        return m.neg(result) if negative else result

    return (*top, *bottom), make


def _inverse(power: Any) -> Any:
    """One over a power with a negative exponent; unevaluated, since the base may be large (see census.py)."""
    return power.base if power.exp == -1 else sp.Pow(power.base, -power.exp, evaluate=False)


def _power_plan(node: Any, m: Any) -> Plan:
    base, exponent = node.base, node.exp
    if exponent.is_Rational and exponent < 0:
        return (_inverse(node),), lambda v: m.div(m.constant(1), v)
    if exponent == sp.S.Half:
        return (base,), m.sqrt
    return (base, exponent), m.pow


def _cases_plan(node: Any, m: Any) -> Plan:
    *pieces, (last, always) = node.args
    if always is not sp.true:
        raise Unsupported("a Piecewise without a last, unconditional case is not supported")
    parts = [p for piece in pieces for p in piece]

    def make(*values: Any) -> Any:
        result = values[-1]
        for i in range(len(parts) - 2, -1, -2):
            result = apply(m, selector(), values[i + 1], values[i], result)
        return result

    return (*parts, last), make


def replay(graph: Graph, m: Any, inputs: Sequence[Any]) -> Any:
    """Run a graph through a namespace of rules; ``inputs`` stand for its inputs in order.

    Raises:
        InternalError: their number is wrong.
    """
    given = iter(inputs)
    values: list[Any] = []
    for step in graph.steps:
        if step.is_input:
            value = next(given, None)
            if value is None:
                raise InternalError("a template has more inputs than it was given")
            values.append(value)
        elif step.is_const:
            values.append(m.constant(step.value))
        else:
            values.append(apply(m, step.op, *(values[j] for j in step.inputs)))
    return values[graph.output]
