"""The elementwise ops against witnesses that know nothing of the table: SymPy's diff, differences in Arb, torch, NumPy.

Every test runs over every op; where one has to be named, the reason stands beside it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from flint import acb, arb

from symgrad.backward import backward
from symgrad.errors import InternalError
from symgrad.graph import Graph
from symgrad.ops import OPS, SPELLINGS, Formula, Op, Ref, Rule, register
from tests.witnesses import (
    BALLS,
    BITS,
    DIGITS_LEFT,
    DTYPES,
    FORMAT,
    SMALLEST_NORMAL,
    STEP,
    at_kink,
    at_precision,
    ball,
    columns,
    compensated,
    difference,
    enclosed,
    error,
    factor,
    factor_graph,
    flush,
    graph_of,
    inside,
    leaves_range,
    proven,
    resolve,
    rounding_bound,
    run_balls,
    sample_values,
    samples,
    sympy_definition,
    sympy_partial,
    sympy_value,
    torch_call,
    torch_gradient,
    torch_value,
)

STYLES = ("partials", "accurate", "autograd")
NAMES = sorted(n for n, op in OPS.items() if op.elementwise)
KINDS = sorted(DTYPES)

every_op = pytest.mark.parametrize("name", NAMES)
every_kind = pytest.mark.parametrize("kind", KINDS)


def rules(op: Op) -> Iterator[tuple[str, int, Rule | None]]:
    """Every rule that the op declares; ``None`` stands for a derivative that is 0."""
    for index, rule in enumerate(op.partials):
        yield "partials", index, rule
    for style in STYLES[1:]:
        for index, rule in enumerate(getattr(op, style)):
            if rule is not None:
                yield style, index, rule


def at_points(op: Op) -> list[tuple[float, ...]]:
    return [tuple(map(float, p)) for p in op.points]


# --- 1. every rule against every witness -------------------------------------------------------------------------


@cache
def by_sympy(name: str, index: int, x: tuple[float, ...]) -> tuple[arb, arb]:
    """SymPy's derivative of its own definition, and how far off evalf may be."""
    value = sympy_value(*sympy_partial(name, index), x)
    return value, at_precision(BITS, lambda: abs(value) * DIGITS_LEFT)


@cache
def by_differences(name: str, index: int, x: tuple[float, ...]) -> tuple[arb, arb]:
    value, off = difference(OPS[name], index, x)
    return value, at_precision(BITS, lambda: off + value.rad() + arb(2) ** (-BITS // 3) * abs(value))


@cache
def by_autograd(name: str, index: int, x: tuple[float, ...]) -> tuple[arb, arb]:
    value, bound = torch_gradient(name, index, x, "float64")
    return arb(value), bound


WITNESSES: dict[str, Callable[[str, int, tuple[float, ...]], tuple[arb, arb]]] = {
    "sympy": by_sympy,
    "differences": by_differences,
    "autograd": by_autograd,
}


def value_of(op: Op, rule: Rule | None, x: tuple[float, ...]) -> arb:
    """A rule by way of the graph that it makes, in balls."""
    if rule is None:
        return arb(0)

    def run() -> arb:
        graph = factor_graph(op, rule)
        return run_balls(graph, x)[graph.output]

    value: arb = at_precision(BITS, run)
    return value


def sees(witness: str, op: Op, index: int) -> bool:
    """Whether a witness can say anything of a derivative at all."""
    # The order of polygamma is an integer, which only a rule of None says; SymPy leaves its derivative unevaluated.
    # SymPy has no derivative of Heaviside in its value at 0, and none of a Piecewise in its condition.
    return (op.name, index) not in {("polygamma", 0), ("heaviside", 1), ("where", 0)}


def rejects(witness: str, op: Op, index: int, rule: Rule | None) -> list[tuple[float, ...]]:
    """The test points at which a witness contradicts a rule."""
    found = []
    for x in at_points(op):
        expected, allowed = WITNESSES[witness](op.name, index, x)
        got = value_of(op, rule, x)
        if not expected.is_finite():
            # No derivative there (x**b in b, for a negative x): the rule must not have one either.
            if got.is_finite():
                found.append(x)
            continue
        if not at_precision(BITS, lambda e=expected, a=allowed, g=got: bool(abs(g.mid() - e.mid()) <= g.rad() + a)):
            found.append(x)
    return found


@pytest.mark.parametrize("witness", sorted(WITNESSES))
@every_op
def test_rules_agree_with_every_witness(name: str, witness: str) -> None:
    op = OPS[name]
    for style, index, rule in rules(op):
        if sees(witness, op, index):
            assert not rejects(witness, op, index, rule), (style, index)


@every_op
def test_points_lie_inside_and_off_the_kinks(name: str) -> None:
    for x in at_points(OPS[name]):
        assert inside(OPS[name], x)
        assert not at_kink(OPS[name], x)


@every_op
def test_second_derivatives(name: str) -> None:
    """The taught rules differentiated again through the reverse pass, against SymPy's second derivatives."""
    op = OPS[name]
    graph, places = graph_of(op)
    for i, j in itertools.product(range(op.arity), repeat=2):
        if not (sees("sympy", op, i) and sees("sympy", op, j)):
            continue
        for style in ("taught", "accurate"):
            first = backward(graph, [places[i]], style)
            second = backward(Graph(first.graph.steps, first.gradients[0]), [places[j]], style)
            for x in at_points(op):
                got = at_precision(BITS, lambda s=second, x=x: run_balls(s.graph, x)[s.gradients[0]])
                expected = sympy_value(*sympy_partial(name, i, j), x)
                off = at_precision(BITS, lambda g=got, e=expected: abs(g.mid() - e.mid()) - g.rad())
                if not expected.is_finite():
                    assert not got.is_finite(), (style, i, j, x)
                    continue
                assert off <= abs(expected) * DIGITS_LEFT, (style, i, j, x)


@every_op
def test_autograd_stays_within_the_bound_of_its_declared_formula(name: str) -> None:
    """Over samples of the whole domain, also where most digits are lost: the bound must not be too small either."""
    op = OPS[name]
    compared = 0
    for kind in KINDS:
        rows = samples(name, kind)
        for x in rows[:: max(len(rows) // 40, 1)]:
            for index in range(op.arity):
                rule = op.rule(index, "accurate")
                value = proven(lambda x=x, r=rule: factor(op, r, x))
                got, bound = torch_gradient(name, index, x, kind)
                if not (bound.is_finite() and value.is_finite()):
                    continue
                compared += 1
                if not math.isfinite(got):
                    graph = Graph(*_autograd_graph(name, index))
                    assert leaves_range(graph, x, kind), (kind, index, x, got)
                    continue
                off = at_precision(BITS, lambda g=got, v=value: abs(arb(g) - v.mid()))
                assert off <= bound + flush(x, kind), (kind, index, x, got, value, bound)
    assert compared > 40


@cache
def _autograd_graph(name: str, index: int) -> tuple[Any, int]:
    graph, places = graph_of(OPS[name])
    back = backward(graph, [places[index]], "autograd")
    return back.graph.steps, back.gradients[0]


# --- 2. the definitions ------------------------------------------------------------------------------------------


def contradictions(op: Op) -> list[tuple[str, tuple[float, ...]]]:
    """Which of an op's own definitions differ from its enclosure, and where."""
    found = []
    names = sympy_definition(op.name)[1]
    expr = op.sympy(*names)
    for x in at_points(op):
        truth = at_precision(BITS, lambda x=x: enclosed(op, x))

        def off(got: Any, truth: arb = truth) -> arb:
            return at_precision(BITS, lambda: abs(ball(got) - truth.mid()) - truth.rad())

        size = abs(truth) + 1 if op.ulp_absolute else abs(truth)
        if not off(sympy_value(expr, names, x)) <= abs(truth) * DIGITS_LEFT:
            found.append(("sympy", x))
        inputs = [c[0] for c in columns([x], "float64")]
        if op.lower is None:
            got = float(torch_call(op, *inputs, dtype=torch.float64))
            # Table units: ulps of the result, and roundoffs of 1.
            allowed = op.ulp * 2.0**-52 * abs(truth) + op.ulp_absolute * 2.0**-53
        else:
            lowered = op.lower(Formula(builder := _empty(op)), *_inputs(builder, op))
            low = builder.build(lowered.index)
            got = float(torch_value(low, inputs, torch.float64))
            allowed = at_precision(BITS, lambda low=low, x=x: rounding_bound(low, x, "float64"))
        if not off(got) <= allowed:
            found.append(("torch", x))
        # NumPy's vector loops promise 4 ulp; CPython's own gamma and lgamma were accepted at 20 (mathmodule.c).
        for label, dotted, ulps in (("numpy", op.numpy, 4), ("math", op.math, 20)):
            if dotted is not None and not off(float(resolve(dotted)(*x))) <= ulps * 2.0**-52 * size:
                found.append((label, x))
    return found


def _empty(op: Op) -> Any:
    from symgrad.graph import GraphBuilder

    builder = GraphBuilder()
    for i in range(op.arity):
        builder.add("input", name=f"x{i}")
    return builder


def _inputs(builder: Any, op: Op) -> list[Ref]:
    math_ = Formula(builder)
    return [math_.ref(i) for i in range(op.arity)]


@every_op
def test_definitions_agree(name: str) -> None:
    assert contradictions(OPS[name]) == []


@every_op
def test_names_resolve(name: str) -> None:
    op = OPS[name]
    for dotted in (op.numpy, op.math, op.torch):
        if isinstance(dotted, str):
            assert callable(resolve(dotted)), dotted
    if op.numpy:
        got = resolve(op.numpy)(*(np.array([p[i] for p in op.points]) for i in range(op.arity)))
        assert got.shape == (len(op.points),)


# --- 2b. declared errors -----------------------------------------------------------------------------------------


def beyond(name: str, kind: str, rows: Any, values: Any, got: list[float]) -> list[Any]:
    """Samples at which torch errs by more than the op declares."""
    op = OPS[name]
    graph, _ = graph_of(op)
    bits = FORMAT[kind][0]
    found = []
    for x, truth, value in zip(rows, values, got, strict=True):
        ulps, units = error(value, truth, kind)
        if ulps <= op.ulp and op.lower is None:
            continue
        if op.lower is None:
            # A result of ulp declared ulps, plus absolute units, plus what underflow may take.
            allowed = op.ulp_absolute + op.ulp * units / ulps + flush(x, kind) * 2.0**bits
            if units <= allowed:
                continue
        else:
            from symgrad.ops import lower

            low = lower(graph).graph
            if leaves_range(low, x, kind):
                continue
            bound = at_precision(BITS, lambda low=low, x=x: rounding_bound(low, x, kind))
            if at_edge(op, x):  # no slope there, so no bound of first order: the value is all the more exact
                assert ulps <= 1
                continue
            if math.isfinite(units) and arb(units) * arb(2) ** -bits <= bound:
                continue
        found.append((x, value, float(truth), ulps, units))
    return found


def at_edge(op: Op, x: tuple[float, ...]) -> bool:
    """Whether x lies on the rim of the domain, where a derivative may be infinite."""
    return any(ball(c.expr(BALLS, *map(arb, x))).is_zero() for c in op.domain)


@every_kind
@every_op
def test_declared_error_holds(name: str, kind: str) -> None:
    """Vectorised over the whole domain; then in 0-dim tensors and odd lengths, where torch runs other code."""
    rows, values = samples(name, kind), sample_values(name, kind)
    assert len(rows) > 100
    graph, _ = graph_of(OPS[name])
    got = torch_value(graph, columns(rows, kind), DTYPES[kind]).tolist()
    assert beyond(name, kind, rows, values, got) == []
    few = list(range(0, len(rows), max(len(rows) // 60, 1)))
    single = [float(torch_value(graph, [c[0] for c in columns([rows[i]], kind)], DTYPES[kind])) for i in few]
    assert beyond(name, kind, [rows[i] for i in few], [values[i] for i in few], single) == []
    strided = [torch.stack((c, c), 1)[:, 0][3:-4] for c in columns(rows, kind)]
    assert beyond(name, kind, rows[3:-4], values[3:-4], torch_value(graph, strided, DTYPES[kind]).tolist()) == []


# --- 3. accurate factors -----------------------------------------------------------------------------------------

ULPS = 8.0


@every_kind
@every_op
def test_accurate_factors(name: str, kind: str) -> None:
    """Within 8 ulp of the proven derivative, everywhere but in the declared lossy region."""
    op = OPS[name]
    rows = samples(name, kind)
    checked = 0
    for index in range(op.arity):
        rule = op.rule(index, "accurate")
        if rule is None:
            continue
        graph = factor_graph(op, rule)
        got = compensated(graph, columns(rows, kind), DTYPES[kind]).expand(len(rows)).tolist()
        for x, value in zip(rows, got, strict=True):
            if op.lossy is not None and op.lossy[0](*x):
                continue
            truth = proven(lambda x=x, r=rule: factor(op, r, x))
            if not truth.is_finite():
                # x**b with a negative x has a derivative in b nowhere: not a place to be accurate at.
                assert at_edge(op, x) or not inside(OPS["log"], x[:1]), x
                assert not math.isfinite(value), x
                continue
            checked += 1
            if error(value, truth, kind)[0] > ULPS:
                small = abs(truth) < SMALLEST_NORMAL[kind]
                assert small or leaves_range(graph, x, kind), (index, x, value, truth)
    assert checked > 50 or all(op.rule(i, "accurate") is None for i in range(op.arity))


@every_op
def test_lossy_regions_are_small(name: str) -> None:
    op = OPS[name]
    if op.lossy is None:
        return
    assert op.lossy[1]
    rows = samples(name, "float64")
    assert sum(op.lossy[0](*x) for x in rows) < len(rows) / 2


# --- 4. residuals ------------------------------------------------------------------------------------------------

WITH_RESIDUAL = [n for n in NAMES if OPS[n].residual is not None]
#: Sums and products have a rounding error that is itself a number; the others' is estimated.
EXACT = {"add", "sub", "mul", "neg", "abs", "alias"}


@every_kind
@pytest.mark.parametrize("name", WITH_RESIDUAL)
def test_residual_points_to_the_truth(name: str, kind: str) -> None:
    op = OPS[name]
    assert op.residual is not None
    rows, values = samples(name, kind), sample_values(name, kind)
    bits, low, largest = FORMAT[kind]
    groups: list[tuple[list[Any], Any]] = [(columns(rows, kind), list(zip(rows, values, strict=True)))]
    if op.arity == 2:  # constants come as Python floats
        for constant in (2.0, 3.0, -0.75):
            kept = [x[0] for x in rows if inside(op, (x[0], constant))][:400]
            truth = [((a, constant), proven(lambda a=a, c=constant: enclosed(op, (a, c)))) for a in kept]
            groups.append(([columns([(a,) for a in kept], kind)[0], constant], truth))
    for inputs, expected in groups:
        y = torch_call(op, *inputs, dtype=DTYPES[kind])
        residual = op.residual(torch, y, *inputs)
        assert residual.dtype == DTYPES[kind]
        assert bool(torch.isfinite(residual).all())
        for (x, v), a, r in zip(expected, y.tolist(), residual.expand(y.shape).tolist(), strict=True):
            if not math.isfinite(a) or abs(a) > largest / 2**28 or max(map(abs, x)) > largest / 2**28:
                continue  # Dekker's splitting overflows
            if abs(v) < arb(2.0 ** (low + 3 * bits)):
                continue  # the residual itself underflows
            before, after = at_precision(
                1200, lambda a=a, r=r, v=v: (abs(arb(a) - v.mid()), abs(arb(a) + arb(r) - v.mid()))
            )
            if name in EXACT:
                assert after <= abs(v) * arb(2) ** -100 + v.rad(), (x, a, r)
            else:
                # tanh, sigmoid and erf know 1 - |y| to its own few ulps, which is no better than y near 1/2.
                complement = 0.0 if op.ulp <= 1 or name == "pow" else max(0.0, 1 - abs(float(v)))
                # The estimate itself is rounded: a few roundoffs of it.
                slack = 8 * 2.0**-bits
                assert (after <= before * (1 + slack) + 2 * v.rad() and after <= before + slack * abs(v)) or (
                    after <= 16 * 2.0**-bits * complement
                ), (x, a, r, float(v))


@every_kind
@pytest.mark.parametrize("name", WITH_RESIDUAL)
def test_residual_is_never_nan(name: str, kind: str) -> None:
    op = OPS[name]
    assert op.residual is not None
    hard = (0.0, -0.0, math.inf, -math.inf, math.nan, FORMAT[kind][2], -FORMAT[kind][2], 2.0 ** FORMAT[kind][1], 1.0)
    for x in itertools.product(hard, repeat=op.arity):
        inputs = [torch.tensor([v], dtype=torch.float64).to(DTYPES[kind]) for v in x]
        y = torch_call(op, *inputs, dtype=DTYPES[kind])
        assert bool(torch.isfinite(op.residual(torch, y, *inputs)).all()), x


# --- 5. domains and kinks ----------------------------------------------------------------------------------------

CANDIDATES = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, -3.0, 3.0, 1e-300, -1e-300, 7.25, -7.25, 1 + 2.0**-52)
#: Outside the domain torch gives the limit from one side.
ONE_SIDED = {"atan2": "atan2(0, 0) is 0 by convention", "acot": "arccot(0) is pi/2 from the right"}


@every_op
def test_outside_the_domain(name: str) -> None:
    op = OPS[name]
    graph, _ = graph_of(op)
    outside = 0
    for x in itertools.product(CANDIDATES, repeat=min(op.arity, 2)):
        if op.arity > 2:
            break
        if inside(op, x):
            continue
        wrong = [
            c
            for c in op.domain
            if (
                (v := at_precision(BITS, lambda c=c, x=x: ball(c.expr(BALLS, *map(arb, x)))))
                and not (v > 0 if c.relation == ">" else v >= 0 if c.relation == ">=" else v != 0)
            )
            or (v.is_zero() and c.relation != ">=")
        ]
        assert wrong, x
        outside += 1
        inputs = [c[0] for c in columns([x], "float64")]
        try:
            value = float(torch_value(graph, inputs, torch.float64))
        except ValueError:
            continue
        assert not math.isfinite(value) or name in ONE_SIDED, (x, value)
    # sec, csc, tan and cot leave their domain between floats only; csc and cot at 0 too.
    assert outside or not op.domain or name in {"tan", "sec"}


@every_op
def test_kinks(name: str) -> None:
    """The derivative (or, at a jump, the value) differs from one side to the other, unless the kink is inactive."""
    op = OPS[name]
    h = arb(STEP)
    for kink in op.kinks:
        seen = 0
        for x in itertools.product((0.0, 1.0, -1.0, 0.5, 2.0), repeat=op.arity):
            balls = [arb(v) for v in x]
            if not ball(kink.expr(BALLS, *balls)).is_zero():
                continue
            seen += 1

            def sides(take: Callable[[list[arb]], arb], balls: list[arb] = balls) -> list[arb]:
                gaps = []
                for i in range(op.arity):
                    up, down = list(balls), list(balls)
                    up[i], down[i] = up[i] + h, down[i] - h
                    gaps.append(abs(take(up) - take(down)))
                return gaps

            def every_gap(sides: Any = sides, kink: Any = kink, balls: list[arb] = balls) -> list[arb]:
                if kink.jump:
                    n = kink.varies or 0
                    beside = enclosed(op, [*balls[:n], balls[n] + h, *balls[n + 1 :]])
                    return [*sides(lambda at: enclosed(op, at)), abs(beside - enclosed(op, balls))]
                return [
                    g
                    for rule in op.partials
                    if rule is not None
                    for g in sides(lambda at, r=rule: ball(r(BALLS, enclosed(op, at), *at)))
                ]

            active = kink.active is None or not ball(kink.active(BALLS, *balls)).contains(0)
            # 0**b has no value left of b = 0.
            biggest = max(v for g in at_precision(BITS, every_gap) if math.isfinite(v := float(g)))
            # Where there is no kink, the derivative moves by h times its own slope at most.
            assert biggest > 0.1 if active else biggest < 2.0**-50, (x, biggest)
        assert seen


@pytest.mark.parametrize("name", ["lt", "gt", "le", "ge", "eq", "ne", "heaviside"])
def test_undecided_comparisons_are_the_ball_from_0_to_1(name: str) -> None:
    """At an unknown sign all that is known is 0 <= y <= 1; a known sign, or an exact tie, decides."""
    op = OPS[name]
    tie = arb(0, 1e-30)
    other = () if name == "heaviside" else (arb(0),)
    rest = other or (arb(0.5),)
    y = op.enclose(tie, *rest)
    assert y.contains(0)
    assert y.contains(1)
    assert y.mid() == 0.5
    assert y.rad() < 0.5 + 2.0**-20
    for v in (-1.0, 0.0, 1.0):
        exact = op.enclose(arb(v), *rest)
        assert exact.is_exact()
        assert float(exact) == float(torch_call(op, torch.tensor(v), torch.tensor(float(rest[0])), dtype=torch.float32))


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_a_power_of_a_ball_around_zero_is_a_ball_around_zero(n: int) -> None:
    """Arb's own power takes the way of log there, and knows nothing."""
    y = OPS["pow"].enclose(arb(0, 0.5), arb(n))
    assert y.contains(0)
    assert 0.5**n <= abs(y).upper() <= 0.51**n


def test_undecided_selection_holds_both_branches() -> None:
    y = OPS["where"].enclose(arb(0.5, 0.5), arb(2), arb(5))
    assert y.contains(2)
    assert y.contains(5)
    assert OPS["where"].enclose(arb(0), arb(2), arb(5)) == 5
    assert OPS["where"].enclose(arb(0.5, 0.25), arb(2), arb(5)) == 2


def test_constants_beside_tensors_keep_the_dtype() -> None:
    """torch.where of two Python floats is float32: 0.1 would lose half of its digits."""
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    for op, args in (("where", (x, 0.1, 0.3)), ("heaviside", (x, 0.1)), ("max", (x, 0.1)), ("min", (0.1, x))):
        got = torch_call(OPS[op], *args, dtype=torch.float64)
        assert got.dtype == torch.float64
        assert set(got.tolist()) <= {0.1, 0.3, 0.0, 1.0, -1.0, 2.0}
    for op in ("lt", "ge", "eq"):
        assert torch_call(OPS[op], x, 0.0, dtype=torch.float64).dtype == torch.float64


# --- 6. pitfalls -------------------------------------------------------------------------------------------------


@every_op
def test_pitfalls_are_wrong(name: str) -> None:
    """A pitfall that is right would blame the innocent. A mask may be right on its own side of a kink."""
    op = OPS[name]
    for pitfall in op.pitfalls:
        wrong = []
        for x in at_points(op):
            right = value_of(op, op.partials[pitfall.input], x)
            got = value_of(op, pitfall.factor, x)
            wrong.append(not got.overlaps(right))
        assert any(wrong) if op.kinks else all(wrong), (pitfall.words, wrong)
        text = pitfall.words.format(*(f"<{i}>" for i in range(op.arity)), y="<y>")
        assert text
        assert "{" not in text
        assert 0 <= pitfall.input < op.arity


# --- 7. the checks are checked -----------------------------------------------------------------------------------


class Careless(Formula):
    """Writes a formula but forgets the second operand of the ``skip``-th sum, difference, product or quotient."""

    def __init__(self, builder: Any, skip: int) -> None:
        super().__init__(builder)
        self.skip, self.count = skip, 0

    def call(self, name: str, *args: Any, label: str = "") -> Ref:
        if name in ("add", "sub", "mul", "div"):
            self.count += 1
            if self.count - 1 == self.skip:
                return args[0] if isinstance(args[0], Ref) else self.constant(args[0])
        return super().call(name, *args, label=label)


def _careless(rule: Rule, skip: int) -> Rule:
    def corrupted(m: Formula, *refs: Ref) -> Any:
        careless = Careless(m.builder, skip)
        return rule(careless, *(careless.ref(r.index) for r in refs))

    return corrupted


def _terms(op: Op, rule: Rule) -> int:
    counter = []

    def counting(m: Formula, *refs: Ref) -> Any:
        counter.append(careless := Careless(m.builder, -1))
        return rule(careless, *(careless.ref(r.index) for r in refs))

    factor_graph(op, counting)
    return int(counter[0].count)


def corruptions(op: Op, rule: Rule | None) -> Iterator[tuple[str, Rule]]:
    """Mistakes in a rule. A missing rule can only be wrong by being there."""
    if rule is None:
        yield "present", lambda m, y, *x: x[0] * 0 + 1
        return
    yield "negated", lambda m, *a: -(m.constant(0) + rule(m, *a))
    yield "scaled", lambda m, *a: m.constant(1) * rule(m, *a) * 1001 / 1000
    yield "input for output", lambda m, y, *x: rule(m, x[0], y, *x[1:])
    for skip in range(_terms(op, rule)):
        yield f"operand {skip} dropped", _careless(rule, skip)


def differs(op: Op, rule: Rule | None, other: Rule) -> bool:
    """Whether two rules have different values at some test point."""
    for x in at_points(op):
        a, b = value_of(op, rule, x), value_of(op, other, x)
        if not at_precision(BITS, lambda a=a, b=b: bool(abs(a - b) <= abs(a) * 2.0**-30)):
            return True
    return False


@every_op
def test_a_corrupted_rule_is_caught(name: str) -> None:
    op = OPS[name]
    for style, index, rule in rules(op):
        for mistake, wrong in corruptions(op, rule):
            entries = list(getattr(op, style))
            entries[index] = wrong
            corrupted = dataclasses.replace(op, **{style: tuple(entries)})
            harmless = not differs(op, rule, wrong)
            if mistake in ("negated", "scaled", "present"):
                # A factor that is 0 at every point would hide any mistake.
                assert not harmless or not sees("sympy", op, index), (style, index, mistake)
            if harmless:
                # Swapping what the rule does not use, or a factor 1, changes nothing.
                continue
            for witness in WITNESSES:
                if sees(witness, op, index):
                    assert rejects(witness, corrupted, index, getattr(corrupted, style)[index]), (
                        style,
                        index,
                        mistake,
                        witness,
                    )


@every_op
def test_a_corrupted_definition_is_caught(name: str) -> None:
    op = OPS[name]
    assert op.numpy is None or ("numpy", at_points(op)[0]) not in contradictions(op)

    definitions: dict[str, Any] = {
        "sympy": lambda *x: op.sympy(*x) * sp.Rational(1001, 1000) + sp.Rational(1, 500),
        "enclose": lambda *x: op.enclose(*x) * arb("1.001") + arb("0.002"),
    }
    if op.lower is not None:
        definitions["lower"] = lambda m, *x: op.lower(m, *x) * 1001 / 1000 + m.constant(2) / 1000
    else:
        definitions["torch"] = lambda t, *x: torch_call(op, *x, dtype=torch.float64) * 1.001 + 0.002
    for field, wrong in definitions.items():
        assert contradictions(dataclasses.replace(op, **{field: wrong})), field


@pytest.mark.parametrize("name", [n for n in WITH_RESIDUAL if OPS[n].ulp > 0])
def test_a_corrupted_residual_is_caught(name: str) -> None:
    """With the sign turned round, every residual that is not 0 makes the result worse: the check sees that."""
    op = OPS[name]
    rows, values = samples(name, "float64"), sample_values(name, "float64")
    inputs = columns(rows, "float64")
    if name == "pow":
        inputs, rows = [inputs[0], 2.0], tuple((x[0], 2.0) for x in rows)
        values = tuple(proven(lambda x=x: enclosed(op, x)) for x in rows)
    y = torch_call(op, *inputs, dtype=torch.float64)
    assert op.residual is not None
    residual = op.residual(torch, y, *inputs).tolist()
    better = worse = 0
    for v, a, r in zip(values, y.tolist(), residual, strict=True):
        if r and math.isfinite(a):
            before, after, turned = at_precision(
                1200, lambda a=a, r=r, v=v: [float(abs(arb(a) + s * arb(r) - v)) for s in (0, 1, -1)]
            )
            better += after < before
            worse += turned > before
    assert better > 20
    assert worse > 20


# --- 8. declarations ---------------------------------------------------------------------------------------------


def _fresh(**changes: Any) -> Op:
    base = dataclasses.replace(OPS["tanh"], name="not_yet_taken", aliases=())
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "tanh"}, "declared twice"),
        ({"partials": ()}, "1 inputs but 0 partials"),
        ({"torch": None}, "torch function or a lowering"),
        ({"lower": lambda m, x: x}, "torch function or a lowering"),
        ({"points": ()}, "no points"),
        ({"points": ((1.0, 2.0),)}, "another arity"),
        ({"latex": "tanh"}, "leaves out an input"),
        ({"aliases": ("ln",)}, "spelling ln is taken by log"),
    ],
)
def test_register_refuses(changes: dict[str, Any], complaint: str) -> None:
    ops, spellings = dict(OPS), dict(SPELLINGS)
    try:
        with pytest.raises(InternalError, match=complaint):
            register(_fresh(**changes))
    finally:
        OPS.clear()
        OPS.update(ops)
        SPELLINGS.clear()
        SPELLINGS.update(spellings)


@every_op
def test_declaration_is_consistent(name: str) -> None:
    op = OPS[name]
    assert op.ulp >= 0
    assert len(op.accurate) in (0, op.arity)
    assert len(op.autograd) in (0, op.arity)
    assert all(c.relation in (">", ">=", "!=") and c.words for c in op.domain)
    assert op.hidden or SPELLINGS[name] == name


# --- 9. spelling -------------------------------------------------------------------------------------------------


@every_op
def test_latex_is_well_formed(name: str) -> None:
    op = OPS[name]
    text = op.latex.format(*(f"<{i}>" for i in range(op.arity)))
    depth = 0
    for before, c in zip(" " + text, text, strict=False):
        depth += (c == "{" and before != "\\") - (c == "}" and before != "\\")
        assert depth >= 0
    assert depth == 0
    assert text.count("\\left") == text.count("\\right")
    assert text.count("\\begin") == text.count("\\end")
    assert all(f"<{i}>" in text for i in range(op.arity - len(op.defaults)))


@every_op
def test_infix_is_well_formed(name: str) -> None:
    infix = OPS[name].infix
    if infix is not None:
        assert infix.symbol or (infix.prefix and OPS[name].hidden and OPS[name].latex == "{0}")
        assert OPS[name].arity == (1 if infix.prefix else 2)
        assert infix.left >= infix.precedence
        # A power's exponent may be a negated one, as in 2**-x; everything else nests to the left.
        assert infix.right >= infix.precedence or infix.symbol == "**"


# --- particular places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", [(1.0, 2.0), (1.0, -2.0), (-1.0, -2.0), (-1.0, 2.0), (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0)]
)
def test_atan2_knows_the_quadrant(point: tuple[float, float]) -> None:
    assert abs(float(OPS["atan2"].enclose(*map(arb, point))) - math.atan2(*point)) <= 2.0**-51


@pytest.mark.parametrize(
    ("a", "b"), [(-2.0, 3.0), (-2.0, -3.0), (-1.5, 2.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.5), (-3.0, 0.0)]
)
def test_pow_at_negative_bases_and_at_zero(a: float, b: float) -> None:
    op = OPS["pow"]
    assert float(enclosed(op, (a, b))) == a**b
    if a or b > 1:
        slope = factor(op, op.rule(0, "accurate"), (a, b))
        x = torch.tensor(a, dtype=torch.float64, requires_grad=True)
        assert float(slope) == float(torch.autograd.grad(x**b, x)[0])
    if a == 0:
        for style in ("accurate", "autograd"):
            assert factor(op, op.rule(1, style), (a, b)) == 0
        e = torch.tensor(b, dtype=torch.float64, requires_grad=True)
        assert float(torch.autograd.grad(torch.tensor(a, dtype=torch.float64) ** e, e)[0]) == 0.0


@pytest.mark.parametrize("x", [-0.5, -1.25, -7.75, -30.4, -1e6 - 0.3])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_polygamma_left_of_zero(n: int, x: float) -> None:
    """The reflection in the table against Arb's own complex polygamma."""
    got, expected = at_precision(
        BITS, lambda: (OPS["polygamma"].enclose(arb(n), arb(x)), acb(x).polygamma(acb(n)).real)
    )
    assert got.overlaps(expected)
    assert got.rel_accuracy_bits() > 200


def test_polygamma_wants_a_natural_order() -> None:
    assert not OPS["polygamma"].enclose(arb(1.5), arb(1)).is_finite()
    with pytest.raises(ValueError, match="order"):
        torch_call(OPS["polygamma"], 1.5, torch.tensor(1.0), dtype=torch.float32)


@pytest.mark.parametrize("name", ["gamma", "lgamma", "digamma", "trigamma", "cbrt"])
def test_kernels_differentiate_twice_and_under_vmap(name: str) -> None:
    x = torch.tensor([0.3, 1.7, 4.2, -1.3], dtype=torch.float64, requires_grad=True)

    def run(v: torch.Tensor) -> torch.Tensor:
        return torch_call(OPS[name], v, dtype=torch.float64)

    assert torch.autograd.gradgradcheck(run, (x,))
    assert torch.equal(torch.vmap(run)(x), run(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_op
def test_half_precision_runs(name: str, dtype: torch.dtype) -> None:
    """Forward and backward: if torch loses one, the evaluator has to widen it."""
    op = OPS[name]
    graph, _ = graph_of(op)
    for x in at_points(op):
        inputs = [torch.tensor([v], dtype=dtype, requires_grad=True) for v in x]
        y = torch_value(graph, inputs, dtype)
        assert y.dtype == dtype
        if y.requires_grad:
            y.sum().backward()  # type: ignore[no-untyped-call]
