"""Graph to SymPy and back. Both directions walk steps in order; nothing recurses on depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.errors import InternalError, Unsupported
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Op
from symgrad.ops.balls import exact_ball
from symgrad.symbolic.guard import (
    BUILD_LIMIT,
    MAX_BITS,
    MAX_SCALE,
    ClosedFormCensus,
    TooLarge,
    check_arguments,
    precision,
)
from symgrad.symbolic.named import (
    apply,
    definition,
    lattices,
    named_function,
    placeholder,
    relations,
    selector,
    spelled,
)

#: Comparisons and selections in one closed form: SymPy compares each pair of the arguments of Max.
MAX_BRANCHES = 24
#: A SymPy Float beyond 2**(this) is not made an exact rational.
FLOAT_SCALE = 4096

_LATTICES = (sp.Max, sp.Min)

#: SymPy's constants by the names of our graphs.
CONSTANTS: dict[str, Any] = {"pi": sp.pi, "E": sp.E}

# --- Graph -> SymPy ----------------------------------------------------------------------------------------------


def tree_size(graph: Graph, index: int, limit: int = BUILD_LIMIT) -> int:
    """Operations of the step at ``index`` written out as one formula, counted up to ``limit + 1``. Linear time."""
    sizes: list[int] = []
    for step in graph.steps[: index + 1]:
        inside = sum(sizes[j] for j in step.inputs)
        sizes.append(min(inside + (not step.is_leaf), limit + 1))
    return sizes[index]


def symbol(name: str) -> Any:
    """The symbol of the input called ``name``."""
    return sp.Symbol(name, real=True)


def to_sympy(graph: Graph, index: int, *, definitions: bool = False, limit: int = BUILD_LIMIT) -> Any:
    """The closed form of one step.

    Args:
        graph: any graph of scalar steps.
        index: position of the step.
        definitions: write functions that SymPy lacks by their definitions, not under their own names.
        limit: operations that the formula may have when written out (``READABLE`` for one that is shown).

    Raises:
        TooLarge: it is larger, deeper, or holds a number that SymPy could not write out; found before it is built.
        Unsupported: the step is no scalar.
    """
    if tree_size(graph, index, limit) > limit:
        raise TooLarge(f"the closed form has more than {limit} operations")
    needed = graph.ancestors(index)
    writer = _Writer(definitions)
    values: list[Any] = [None] * len(graph)
    balls: list[Any] = [None] * len(graph)
    for i, step in enumerate(graph.steps[: index + 1]):
        if not needed[i]:
            continue
        if step.shape != ():
            raise Unsupported(f"{step.name} is no scalar: it has no closed form", step.span)
        if step.is_input:
            values[i] = symbol(step.name)
        elif step.is_const:
            values[i] = _constant(step.value)
            with precision(64):
                balls[i] = exact_ball(step.value)
        else:
            inputs = tuple(values[j] for j in step.inputs)
            inside = [balls[j] for j in step.inputs]
            constant = all(b is not None for b in inside)
            values[i], balls[i] = writer.write(OPS[step.op], inputs, inside if constant else None)
    return values[index]


def _constant(value: Fraction | str) -> Any:
    if isinstance(value, str):
        return CONSTANTS[value]
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise TooLarge(f"a number of the closed form has more than {MAX_BITS} binary digits")
    return sp.Rational(value.numerator, value.denominator)


class _Writer:
    """Writes one op after another, and refuses what SymPy would choke on."""

    def __init__(self, definitions: bool) -> None:
        self.definitions = definitions
        self.census = ClosedFormCensus()
        self.branches = 0

    def write(self, op: Op, args: tuple[Any, ...], balls: Sequence[Any] | None) -> tuple[Any, Any]:
        """The op's expression, and its ball where it is a constant (``balls`` are those of its inputs)."""
        form = definition(op.name)
        check_arguments(form, args)
        ball = _measure(op, balls) if balls is not None else None
        if ball is not None and form.has(sp.Piecewise, sp.Max, sp.Min) and not op.named:
            # Which branch a constant takes was proven; SymPy might search for it without end.
            return _decided(args, balls, ball), ball
        try:
            expr = self._build(op, form, args)
        except Unsupported:
            raise
        except Exception as error:
            # SymPy 1.14 fails in many ways on constants that it tries to be clever about, e.g. acos(cos(10**300)).
            raise TooLarge(f"SymPy cannot write {op.name} of these arguments") from error
        expr = self.census.admit(expr)
        if ball is not None and ball.contains(0) and not expr.is_Rational:
            # SymPy decides the sign of such a constant by minimal polynomials, for minutes.
            raise TooLarge("a constant of the closed form cannot be told from zero")
        return expr, ball

    def _build(self, op: Op, form: Any, args: tuple[Any, ...]) -> Any:
        if op.named and not self.definitions:
            return named_function(op.name)(*args)
        if form.has(sp.Piecewise, sp.Max, sp.Min):
            self.branches += 1 + sum(len(a.args) for a in args if isinstance(a, _LATTICES))
            if self.branches > MAX_BRANCHES:
                raise TooLarge(f"the closed form has more than {MAX_BRANCHES} cases")
        if isinstance(form, sp.Piecewise):
            return _piecewise(form, args)
        if isinstance(form, _LATTICES) and not op.named:
            parts = [p for a in args for p in (a.args if a.func == form.func else (a,))]
            return form.func(*parts, evaluate=False) if len(set(parts)) > 1 else parts[0]
        return op.sympy(*args)


def _measure(op: Op, balls: Sequence[Any]) -> Any:
    """The value of a constant, at a low precision: is it one that SymPy can be given?"""
    with precision(64):
        try:
            ball = op.enclose(*balls)
        except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
            raise TooLarge("a constant of the closed form has no value") from error
        if not ball.is_finite():
            raise TooLarge("a constant of the closed form has no value, or is too large")
        if ball.is_zero():
            return ball
        size = abs(ball)
        top, scale = size.upper(), exact_ball(2) ** MAX_SCALE
        if top > scale or top < 1 / scale:
            raise TooLarge("a constant of the closed form is too large or too small to be written out")
    return ball


def _decided(args: tuple[Any, ...], balls: Sequence[Any] | None, ball: Any) -> Any:
    """The value of a comparison or a selection of constants: an integer, or the one input that it can be."""
    if ball.is_exact() and ball.is_integer():
        return sp.Integer(int(ball.unique_fmpz()))
    same = {a for a, b in zip(args, balls or (), strict=True) if b.overlaps(ball)}
    if len(same) == 1:
        return same.pop()
    raise TooLarge("a comparison of constants that cannot be decided")


def _piecewise(form: Any, args: tuple[Any, ...]) -> Any:
    """A comparison or a selection. Nothing is evaluated: SymPy would solve the conditions."""
    filled = {placeholder(i): a for i, a in enumerate(args)}
    pieces: list[tuple[Any, Any]] = []
    for value, condition in form.args:
        test = condition
        if condition.args:
            test = _condition(condition.func, *(filled.get(a, a) for a in condition.args))
        if test is sp.false:
            continue
        pieces.append((filled.get(value, value), test))
        if test is sp.true:
            break
    return pieces[0][0] if pieces[0][1] is sp.true else sp.Piecewise(*pieces, evaluate=False)


def _condition(relation: Any, left: Any, right: Any) -> Any:
    if left.is_Rational and right.is_Rational:
        return relation(left, right)
    if isinstance(left, sp.Piecewise) and right.is_zero:
        (yes, test), (no, _) = left.args[0], left.args[-1]
        if len(left.args) == 2 and (yes, no) == (1, 0):  # [a < b] is not 0, or is 0
            if relation is sp.Ne:
                return test
            if relation is sp.Eq:
                return test.negated
    if left.has(sp.Piecewise) or right.has(sp.Piecewise):
        raise TooLarge("a condition on a case distinction is not written as a closed form")
    return relation(left, right, evaluate=False)


# --- SymPy -> Graph ----------------------------------------------------------------------------------------------


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
            bottom.append(factor.base**-factor.exp)
        else:
            top.append(factor)

    def make(*values: Any) -> Any:
        result = _fold(values[: len(top)], m.mul) if top else m.constant(1)
        if bottom:
            result = m.div(result, _fold(values[len(top) :], m.mul))
        return m.neg(result) if negative else result

    return (*top, *bottom), make


def _power_plan(node: Any, m: Any) -> Plan:
    base, exponent = node.base, node.exp
    if exponent.is_Rational and exponent < 0:
        return (base**-exponent,), lambda v: m.div(m.constant(1), v)
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


# --- what SymPy says the derivative of an op is --------------------------------------------------------------------


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
