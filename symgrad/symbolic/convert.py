"""Graph to SymPy: the closed form of a step, and what must not be made one. Steps are walked in order."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.errors import Unsupported
from symgrad.graph import Graph
from symgrad.ops import OPS, Op
from symgrad.ops.balls import exact_ball, precision
from symgrad.symbolic.census import ClosedFormCensus
from symgrad.symbolic.guard import (
    BUILD_LIMIT,
    MAX_BITS,
    MAX_SCALE,
    TooLarge,
    check_arguments,
)
from symgrad.symbolic.named import (
    definition,
    named_function,
    placeholder,
)
from symgrad.symbolic.reading import CONSTANTS

#: Comparisons and selections in one closed form: SymPy compares each pair of the arguments of Max.
MAX_BRANCHES = 24

_LATTICES = (sp.Max, sp.Min)


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


def to_sympy(graph: Graph, index: int, *, definitions: bool = False) -> Any:
    """The closed form of one step.

    Args:
        graph: any graph of scalar steps.
        index: position of the step.
        definitions: write functions that SymPy lacks by their definitions, not under their own names.

    Raises:
        TooLarge: it is larger, deeper, or holds a number that SymPy could not write out; found before it is built.
        Unsupported: the step is no scalar.
    """
    if tree_size(graph, index, BUILD_LIMIT) > BUILD_LIMIT:
        raise TooLarge(f"the closed form has more than {BUILD_LIMIT} operations")
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
    return writer.census.reveal(values[index])


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
        if not (form.is_Add or form.is_Mul or (form.is_Pow and args[-1].is_Integer)) and not form.is_Piecewise:
            args = self.census.hidden(args)
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
            return _piecewise(form, args, self.census)
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


def _piecewise(form: Any, args: tuple[Any, ...], census: ClosedFormCensus) -> Any:
    """A comparison or a selection. Nothing is evaluated: SymPy would solve the conditions."""
    filled = {placeholder(i): a for i, a in enumerate(args)}
    pieces: list[tuple[Any, Any]] = []
    for value, condition in form.args:
        test = condition
        if condition.args:
            left, right = (filled.get(a, a) for a in condition.args)
            test = _condition(condition.func, left, right, census)
        if test is sp.false:
            continue
        pieces.append((filled.get(value, value), test))
        if test is sp.true:
            break
    return pieces[0][0] if pieces[0][1] is sp.true else sp.Piecewise(*pieces, evaluate=False)


def _condition(relation: Any, left: Any, right: Any, census: ClosedFormCensus) -> Any:
    if left.is_Rational and right.is_Rational:
        return relation(left, right)
    if isinstance(left, sp.Piecewise) and right.is_zero:
        (yes, test), (no, _) = left.args[0], left.args[-1]
        if len(left.args) == 2 and (yes, no) == (1, 0):  # [a < b] is not 0, or is 0
            if relation is sp.Ne:
                return test
            if relation is sp.Eq:
                return test.negated
    if census.has_cases(left) or census.has_cases(right):
        # SymPy rewrites these as nested ITE, which grow exponentially.
        raise TooLarge("a condition on a case distinction is not written as a closed form")
    return relation(*census.hidden((left, right)), evaluate=False)
