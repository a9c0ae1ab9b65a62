"""Derived rounding bounds: how far a floating-point computation can be from the truth, and which step is to blame.

The bound is first-order error analysis in reverse: with v the exact value of a step and u the unit roundoff,

    |computed - exact|  <=  sum over steps of  |d result / d step| * (error of that step alone)

where a correctly rounded op errs by u*|v|, another function by its declared ulp, a constant by what the dtype cannot
hold, and anything near the bottom of the range by half the smallest subnormal. The derivatives are taken over balls
that enclose the perturbed values (the mean value form), so that a step that has lost all its digits widens the bound
instead of invalidating it. See Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.enclosure import precision
from symgrad.formats import Format
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, Op
from symgrad.ops.balls import ArbMath, exact_ball, run_balls

BITS = 96
#: Below this relative error a step's perturbation does not change the derivatives noticeably.
_NARROW = 2.0**-20
_SHIFT, _OUTWARD = arb((1, -40)), 1 + arb((1, -39))
_M = ArbMath()


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on |computed - exact| for one result.

    Attributes:
        value: the bound as a ball-free number (may be infinite).
        lost_at: the step that contributes most to it, or -1 where every step is exact.
        overflow: a step whose exact value the dtype cannot hold, or -1.
    """

    value: Any
    lost_at: int
    overflow: int


class _Terms:
    """What the error of one evaluation of an op in a format is made of, as balls: found once, used at every step.

    Attributes:
        errs: it rounds at all; ``correct`` says that it rounds correctly.
        relative, absolute: its error in units of roundoff, relative to the result and to 1.
        tiny: what is added to it near the bottom of the range.
        rules: the accurate local derivatives; ``switches`` are the inputs without one, such as a condition.
    """

    def __init__(self, op: Op, fmt: Format) -> None:
        self.errs = bool(op.ulp or op.ulp_absolute)
        self.correct = op.ulp <= 0.5
        self.relative = arb(1 if self.correct else 2 * op.ulp)
        self.absolute = arb(2 * op.ulp_absolute)
        self.tiny = exact_ball(fmt.tiny) / 2 * (1 + 2 * op.ulp)
        self.rules = tuple(op.rule(position, "accurate") for position in range(op.arity))
        self.switches = tuple(n for n, rule in enumerate(self.rules) if rule is None)
        self.gathers = op.gathers
        self._jumps = tuple(k.expr for k in op.kinks if k.jump)

    def each(self, inputs: Sequence[int]) -> tuple[Any, ...]:
        """The rule of each input."""
        return self.rules[:1] * len(inputs) if self.gathers else self.rules

    def jumps_at(self, inputs: Sequence[Any]) -> bool:
        """Whether the inputs may stand on a place where the op jumps."""
        for place in self._jumps:
            at = place(_M, *inputs)
            if not (at > 0 or at < 0):
                return True
        return False


class ErrorModel:
    """One computation in one format at one point: shared work for the bounds of several results.

    Args:
        graph: a lowered graph, exactly the steps that the computation rounds.
        point: exact values of the input steps.
        fmt: the format that it ran in.
        targets: positions of the results.
    """

    def __init__(self, graph: Graph, point: Mapping[int, Fraction], fmt: Format, targets: Sequence[int]) -> None:
        self.graph = graph
        self.fmt = fmt
        self._needed = graph.ancestors(*targets)
        self._own: list[Any] = [None] * len(graph)
        self._partials: list[tuple[Any, ...]] = [()] * len(graph)
        self._finite: list[bool] = [False] * len(graph)
        self._bounds: dict[int, Bound] = {}
        self._carried: list[Any] = []
        with precision(BITS):
            self._forward({i: exact_ball(v) for i, v in point.items()})

    def _forward(self, values: Mapping[int, Any]) -> None:
        """One sweep: each step's own error, its local derivatives, and the error that it carries."""
        graph, fmt, needed = self.graph, self.fmt, self._needed
        exact = run_balls(graph, values, needed)
        u = arb(fmt.roundoff)
        normal, largest = exact_ball(fmt.smallest_normal), exact_ball(fmt.largest)
        small = normal * 4
        zero, infinity = arb(0), arb("inf")
        carried = self._carried = [zero] * len(graph)
        wide: list[Any] = list(exact)
        terms = {name: _Terms(OPS[name], fmt) for name in {s.op for s in graph.steps if not s.is_leaf}}
        for i, step in enumerate(graph.steps):
            if not needed[i]:
                continue
            mine = exact[i]
            size = mine.abs_upper() if mine.is_finite() else infinity
            if step.op not in terms:  # a leaf
                own = zero if step.is_input else _constant_error(step, fmt, u, size)
                if not size <= largest:
                    own = infinity
                    self._finite[i] = mine.is_finite()
                total = own
            else:
                op = terms[step.op]
                unsure = [j for j in step.inputs if not carried[j].is_zero()]
                moved = any(carried[j] > _NARROW * abs(exact[j]) for j in unsure)
                inputs = [(wide if moved else exact)[j] for j in step.inputs]
                value = enclose_step(step, inputs) if moved else mine
                own = zero
                # A correctly rounded op that is given exact numbers and whose result is 0 gives just that.
                if op.gathers:
                    # In whatever order they are added up, each term takes part in at most n - 1 additions.
                    sizes = sum((abs(x).abs_upper() for x in inputs if x.is_finite()), arb(0))
                    own = u * (len(inputs) - 1) * sizes
                elif op.errs and not (op.correct and not unsure and mine.is_zero()):
                    own = u * (size * op.relative + op.absolute)
                    if size < small:
                        own = own + op.tiny
                    if not op.correct:
                        # A function built from others may flush to 0, where one of them leaves the range: torch's
                        # sigmoid does once exp(-x) overflows, as does whatever it multiplies by its inputs then.
                        reach = sum((abs(x).abs_upper() for x in inputs if x.is_finite()), arb(1))
                        own = own + normal * reach
                if not value.is_exact() and (op.jumps_at(inputs) or any(step.inputs[p] in unsure for p in op.switches)):
                    own = own + 2 * value.rad()
                partials = []
                total = own
                for rule, j in zip(op.each(step.inputs), step.inputs, strict=True):
                    if rule is None or (graph.steps[j].is_const and carried[j].is_zero()):
                        partials.append(zero)
                        continue
                    local = rule(_M, value, *inputs)
                    local = local if isinstance(local, arb) else arb(local)
                    partials.append(local)
                    if j in unsure:
                        total = total + (abs(local) * carried[j]).abs_upper()
                self._partials[i] = tuple(partials)
                if not size <= largest:
                    own = infinity
                    self._finite[i] = mine.is_finite()
            carried[i] = total
            self._own[i] = own
            if not total.is_zero():
                wide[i] = _widened(mine, total)

    def bound(self, target: int) -> Bound:
        """The bound for one result, by one reverse sweep over the steps that it depends on."""
        if target not in self._bounds:
            with precision(BITS):
                self._bounds[target] = self._bound(target)
        return self._bounds[target]

    def rough(self, target: int) -> Bound:
        """A wider bound that needs no sweep of its own: errors of different steps that would cancel are added up."""
        with precision(BITS):
            return Bound((self._carried[target] * arb("1.01")).abs_upper(), -1, -1)

    def culprit(self, target: int, computed: Sequence[float | None]) -> int:
        """The step whose *actual* rounding moved the result most, given what each step computed.

        The bound weighs what each step might lose; this weighs what it did lose: the difference between the number
        that it produced and the exact function of the numbers that it was given.

        Args:
            target: position of the result.
            computed: the value that the computation gave each step (``None`` where it was not run).
        """
        graph = self.graph
        worst, found = arb(0), -1
        with precision(BITS):
            adjoint: dict[int, Any] = {target: arb(1)}
            for i in range(target, -1, -1):
                adj = adjoint.pop(i, None)
                value = computed[i]
                if adj is None or adj.is_zero() or value is None:
                    continue
                if not math.isfinite(value):
                    found, worst = i, arb("inf")
                step = graph.steps[i]
                given = [computed[j] for j in step.inputs]
                if not step.is_input and all(g is not None and math.isfinite(g) for g in given):
                    exact = exact_ball(step.value) if step.is_const else enclose_step(step, [arb(g) for g in given])
                    share = (abs(adj) * abs(exact - arb(value))).abs_upper()
                    if share > worst:
                        worst, found = share, i
                for j, local in zip(step.inputs, self._partials[i], strict=False):
                    if isinstance(local, arb) and not local.is_zero():
                        flow = adj * local
                        adjoint[j] = adjoint[j] + flow if j in adjoint else flow
        return found

    def _bound(self, target: int) -> Bound:
        graph = self.graph
        adjoint: dict[int, Any] = {target: arb(1)}
        total = arb(0)
        worst, lost_at, overflow = arb(0), -1, -1
        for i in range(target, -1, -1):
            adj = adjoint.pop(i, None)
            if adj is None or adj.is_zero():
                continue
            own = self._own[i]
            if not own.is_zero():
                share = abs(adj).abs_upper() * own
                if not own.is_finite() and self._finite[i]:
                    overflow = i
                if not share.is_finite():
                    return Bound(arb("inf"), i, overflow)
                total = total + share
                if share > worst:
                    worst, lost_at = share, i
            for j, local in zip(graph.steps[i].inputs, self._partials[i], strict=False):
                if isinstance(local, arb) and not local.is_zero():
                    flow = adj * local
                    adjoint[j] = adjoint[j] + flow if j in adjoint else flow
        # 1 % for the terms of second order in u.
        return Bound((total * arb("1.01")).abs_upper(), lost_at, overflow)


def _widened(exact: Any, by: Any) -> Any:
    """A ball around every number within ``by`` of an exact one."""
    if not by.is_finite():
        return arb("nan")
    # Around a middle of just 0, python-flint's x**2 is nan: move it a little.
    middle = exact.mid()
    if middle.is_zero():
        middle = by.mid() * _SHIFT
    return arb(middle, (by + exact.rad()) * _OUTWARD)


def enclose_step(step: Step, inputs: Sequence[Any]) -> Any:
    """One step in balls; NaN where it has no value."""
    try:
        return OPS[step.op].enclose(*inputs)
    except (ValueError, ZeroDivisionError, OverflowError):
        return arb("nan")


def _constant_error(step: Step, fmt: Format, u: Any, size: Any) -> Any:
    """What the dtype cannot hold of a constant: nothing for one that it represents exactly."""
    value = step.value
    if isinstance(value, Fraction):
        odd = value.numerator >> ((value.numerator & -value.numerator).bit_length() - 1) if value else 0
        power_of_two = value.denominator & (value.denominator - 1) == 0
        if power_of_two and abs(odd).bit_length() <= fmt.digits and value.denominator.bit_length() <= -fmt.min_exponent:
            return arb(0)
    return u * size
