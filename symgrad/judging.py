"""Everything that needs a point: proven values, witnesses, their rounding bounds and verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symgrad import symbolic
from symgrad.backward import Row, backward, rows, same_rules
from symgrad.derivation import Derivation, Manual
from symgrad.enclosure import Proof, Proven, precision, prove, trimmed
from symgrad.formats import Format
from symgrad.graph import Graph
from symgrad.judge import ROUNDING, UNDEFINED, judge, worst
from symgrad.naming import display_names
from symgrad.ops import Lowered, lower
from symgrad.ops.balls import exact_ball
from symgrad.picturing import picture
from symgrad.report.model import BackwardStep, Finding, ForwardStep, GradientReport, Report, WitnessValue
from symgrad.report.picture import Drawing, Picture
from symgrad.rounding import ErrorModel, enclose_step
from symgrad.steps import as_float, backward_steps, forward_steps

#: Digits of the exact value that are shown; all are proven.
DIGITS = 21


def judged(
    report: Report, derivation: Derivation, point: Mapping[int, Fraction], fmt: Format, names: list[str],
    manual: Mapping[str, Manual],
) -> Report:
    """The report with everything that needs a point: proven values, witnesses, verdicts."""
    graph = derivation.graph
    needed = graph.ancestors(graph.output)
    used = {i: v for i, v in point.items() if needed[i]}
    accurate = rows(graph, derivation.wrt, derivation.order, "accurate")
    proofs = [prove(row.reverse, point) for row in accurate]
    proven = [p for proof in proofs for p in proof.gradients]
    first = proofs[0]
    if derivation.order == 2:
        first = prove(backward(graph, derivation.wrt, "accurate"), point)
        proven = _twice(first, derivation, proven)
    where = lambda step: names[step] if step < len(graph) else ""  # noqa: E731
    with precision(first.bits):
        value = digits(first.output) if first.output.defined else ""
    results: dict[str, list[WitnessValue]] = {}
    with precision(proofs[0].bits):
        rules = symbolic.confirmed_rules(graph, proofs[0].steps)
    # The same pass twice is made once; in a long chain it is most of the work.
    symbolic_rows = accurate if rules == "accurate" else rows(graph, derivation.wrt, derivation.order, rules)
    for name, computed in _witnesses(derivation, symbolic_rows, point, fmt, report.device):
        results[name] = [c.judge(p, fmt, where) for c, p in zip(computed, proven, strict=True)]
    gradients = []
    for n, (gradient, truth) in enumerate(zip(report.gradients, proven, strict=True)):
        mine = {name: values[n] for name, values in results.items()}
        if gradient.wrt in manual:
            mine["manual"] = _manual(manual[gradient.wrt], fmt, report.device, truth)
        verdict = worst([w.verdict for w in mine.values()]) if truth.defined else UNDEFINED
        place = truth.where if truth.where is not None else truth.kink
        span = graph.steps[_forward_step(graph, accurate, place)].span if place is not None else None
        gradients.append(
            replace(
                gradient,
                exact=digits(truth) if truth.defined else "",
                left=_short(truth.left), right=_short(truth.right),
                reason=_reason(truth, mine), span=span, witnesses=mine, verdict=verdict,
            )
        )  # fmt: skip
    steps = forward_steps(graph, names, first.steps)
    walked = () if derivation.order == 2 else backward_steps(
        derivation.rows[0], names, (accurate[0], _all_steps(proofs[0], accurate[0]))
    )  # fmt: skip
    return replace(
        report, at={graph.steps[i].name: float(v) for i, v in used.items()}, value=value,
        verdict=worst([g.verdict for g in gradients]), gradients=tuple(gradients),
        steps=steps, backward=walked,
        findings=_findings(gradients),
        drawing=Drawing(lambda: _picture(derivation, names, first, accurate, proofs, steps, walked)),
    )  # fmt: skip


def _picture(
    derivation: Derivation, names: Sequence[str], first: Proof, accurate: Sequence[Row], proofs: Sequence[Proof],
    steps: Sequence[ForwardStep], walked: Sequence[BackwardStep],
) -> Picture:  # fmt: skip
    """The graph with the values that the lists of steps have; of second derivatives the function's own values."""
    graph = derivation.graph
    result = names[graph.output] or "f"
    if derivation.order == 2:
        taught = backward(graph, derivation.wrt, "taught")
        same = backward(graph, derivation.wrt, "accurate")
        return picture(taught, names, (same, lambda i: as_float(first.steps, i)), result=result)
    balls = _all_steps(proofs[0], accurate[0])
    return picture(
        derivation.rows[0].reverse, names, (accurate[0].reverse, lambda i: as_float(balls, i)), result=result,
        written=([s.formula for s in steps], [b.formula for b in walked]),
    )  # fmt: skip


def _twice(first: Proof, derivation: Derivation, second: Sequence[Proven]) -> list[Proven]:
    """Second derivatives, each undefined where a first derivative that it is taken of is."""
    names = [derivation.graph.steps[i].name for i in derivation.wrt]
    firsts = dict(zip(names, first.gradients, strict=True))
    out = []
    for entry, truth in zip(derivation.entries, second, strict=True):
        missing = next((p for p in map(firsts.__getitem__, entry.label.split(",")) if not p.defined), None)
        if missing is not None:
            reason = f"the first derivative is not defined: {missing.reason}"
            truth = Proven(truth.ball, missing.kink, reason=reason, where=missing.where)
        out.append(truth)
    return out


def _all_steps(proof: Proof, row: Row) -> list[Any]:
    """The proof's balls, and those of steps that it did without because a factor of 1 or 0 was folded away."""
    balls = list(proof.steps)
    with precision(proof.bits):
        for i, step in enumerate(row.reverse.graph.steps):
            if balls[i] is not None or step.is_input:
                continue
            if step.is_const:
                balls[i] = exact_ball(step.value)
            elif all(balls[j] is not None for j in step.inputs):
                balls[i] = enclose_step(step, [balls[j] for j in step.inputs])
    return balls


@dataclass(frozen=True, slots=True)
class _Computed:
    """A witness's number, and what is needed to judge it.

    Attributes:
        value: what it computed.
        model: the error model of its computation, and ``target`` the result's place in it.
        owner: step of the model -> forward step of the user's graph.
        rerun: computes every step of the model, for finding where digits were lost; only called if some were.
    """

    value: float
    model: ErrorModel
    target: int
    owner: Callable[[int], int]
    rerun: Callable[[], list[float | None]]

    def judge(self, truth: Proven, fmt: Format, name: Callable[[int], str]) -> WitnessValue:
        bound = self.model.bound(self.target)
        verdict = judge(self.value, truth, bound, fmt)
        lost = note = ""
        if verdict.verdict == ROUNDING:
            culprit = self.model.culprit(self.target, self.rerun())
            step = culprit if culprit >= 0 else bound.lost_at
            lost = name(self.owner(step)) if step >= 0 else ""
            note = f"{fmt.name} overflows there" if not math.isfinite(verdict.bound) and bound.overflow >= 0 else ""
        return WitnessValue(self.value, verdict.difference, verdict.bound, verdict.verdict, lost, note)


def _witnesses(
    derivation: Derivation, symbolic_rows: Sequence[Row], point: Mapping[int, Fraction], fmt: Format, device_name: str
) -> Iterator[tuple[str, list[_Computed]]]:
    """Run the witnesses: name, then one computed value per derivative.

    ``symbolic_rows`` are the reverse passes that the symbolic witness runs.
    """
    from symgrad import evaluate

    graph, wrt, order = derivation.graph, derivation.wrt, derivation.order
    dtype, device = evaluate.torch_dtype(fmt), evaluate.torch_device(device_name)
    import torch

    values = {i: torch.tensor(float(v), dtype=dtype, device=device) for i, v in point.items()}

    modelled: dict[int, tuple[Lowered, ErrorModel]] = {}

    def run_rows(found: Sequence[Row], origin: Sequence[int], *, values_at: Mapping[int, Any], compensated: bool,
                 given: Sequence[float] | None = None) -> list[_Computed]:  # fmt: skip
        out: list[_Computed] = []
        for row in found:
            if id(row) not in modelled:
                low = lower(row.reverse.graph)
                exact = {low.place[i]: point[j] for i, j in zip(values_at, point, strict=True)}
                modelled[id(row)] = low, ErrorModel(low.graph, exact, fmt, [low.place[t] for t in row.targets])
            low, model = modelled[id(row)]
            targets = [low.place[t] for t in row.targets]
            placed = {low.place[i]: v for i, v in values_at.items()}
            if given is None:
                run = evaluate.run(low.graph, placed, targets, dtype=dtype, device=device, compensated=compensated)
                numbers = [float(v) for v in run]
            else:
                numbers = list(given[len(out) : len(out) + len(targets)])

            def rerun(low: Any = low, placed: Any = placed, targets: Any = targets) -> list[float | None]:
                kept = evaluate.run(low.graph, placed, targets, dtype=dtype, device=device, keep=True)
                return [None if v is None else float(v) for v in kept]

            def owner(i: int, low: Any = low, graph: Graph = row.reverse.graph) -> int:
                return origin[forward_step_of(graph, low.origin[i], len(origin))]

            out += [
                _Computed(v, model, t, owner, rerun) for v, t in zip(numbers, targets, strict=True)
            ]  # fmt: skip
        return out

    itself = range(len(graph))
    yield "symbolic", run_rows(symbolic_rows, itself, values_at=values, compensated=True)
    forward = lower(graph)
    leaves = {forward.place[i]: v for i, v in values.items()}
    variables = [forward.place[i] for i in wrt]
    _, found = evaluate.autograd(forward.graph, leaves, variables, dtype=dtype, device=device, order=order)
    if order == 2:
        n = len(variables)
        found = [found[i * n + j] for i in range(n) for j in range(i, n)]
    taught = derivation.rows
    alike = forward.graph is graph and all(same_rules(r.reverse, "autograd", "taught") for r in taught)
    theirs = taught if alike else rows(forward.graph, variables, order, "autograd")
    yield "autograd", run_rows(
        theirs, forward.origin, values_at=leaves, compensated=False, given=[float(v) for v in found]
    )
    yield "backward", run_rows(taught, itself, values_at=values, compensated=False)


def _manual(manual: Manual, fmt: Format, device_name: str, truth: Proven) -> WitnessValue:
    """The user's own derivative, run as it is written, against its own rounding bound."""
    import torch

    from symgrad import evaluate

    low = lower(manual.graph)
    target = low.place[manual.target]
    dtype, device = evaluate.torch_dtype(fmt), evaluate.torch_device(device_name)
    exact = {low.place[i]: v for i, v in manual.point.items()}
    values = {i: torch.tensor(float(v), dtype=dtype, device=device) for i, v in exact.items()}
    (found,) = evaluate.run(low.graph, values, [target], dtype=dtype, device=device)
    model = ErrorModel(low.graph, exact, fmt, [target])

    def rerun() -> list[float | None]:
        kept = evaluate.run(low.graph, values, [target], dtype=dtype, device=device, keep=True)
        return [None if v is None else float(v) for v in kept]

    names = display_names(manual.graph)
    computed = _Computed(float(found), model, target, lambda i: low.origin[i], rerun)
    return computed.judge(truth, fmt, lambda i: names[i])


def forward_step_of(graph: Graph, index: int, forward: int) -> int:
    """The forward step whose derivative a backward step belongs to."""
    while index >= forward:
        of = graph.steps[index].of
        if of is None:
            return graph.output if graph.output < forward else 0
        index = of[0]
    return index


def _forward_step(graph: Graph, passes: Sequence[Row], index: int) -> int:
    return forward_step_of(passes[0].reverse.graph, index, len(graph))


def digits(truth: Proven) -> str:
    """The proven decimal digits."""
    ball = truth.ball
    if ball.is_zero() or (ball.contains(0) and ball.is_finite()):
        return "0"
    digits = str(ball.str(DIGITS, radius=False))
    # A dyadic value that fits is exact: its trailing zeros say nothing.
    return trimmed(digits) if ball.is_exact() else digits


def _short(ball: Any) -> str:
    return "" if ball is None else trimmed(str(ball.str(12, radius=False)))


def _reason(truth: Proven, witnesses: Mapping[str, WitnessValue]) -> str:
    picked = f"torch picks {witnesses['autograd'].value + 0.0:.12g}"
    if truth.kink is None:
        return truth.reason
    if truth.reason:
        return f"{truth.reason}; {picked}"
    if any(w.verdict == UNDEFINED for w in witnesses.values()):
        return f"the point lies on a kink, where a framework must pick a side: {picked}; both sides agree on the truth"
    return ""


def _findings(gradients: Sequence[GradientReport]) -> tuple[Finding, ...]:
    """What a caller must look at: each disagreement and each place without a derivative."""
    out = []
    for g in gradients:
        if g.reason and not g.exact:
            out.append(Finding("undefined", f"{g.symbol} is not defined here: {g.reason}", g.span))
        elif g.reason:
            out.append(Finding("kink", f"{g.symbol}: {g.reason}", g.span))
        for name, witness in g.witnesses.items():
            if witness.verdict == "disagree":
                found = f"{name} gives {g.symbol} = {witness.value!r}; the proven value is {g.exact}"
                out.append(Finding("disagreement", found))
    return tuple(out)
