"""The whole pipeline on one page: a target in, a Report out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symgrad import symbolic
from symgrad.backward import Chooser, Row, backward, rows
from symgrad.derivation import Derivation, Entry, pick_variables
from symgrad.enclosure import Proof, Proven, precision, prove, trimmed
from symgrad.errors import SymgradError
from symgrad.formats import Format, get_format
from symgrad.frontends import expression
from symgrad.graph import Graph
from symgrad.judge import ROUNDING, UNDEFINED, judge, worst
from symgrad.naming import display_names
from symgrad.ops import lower
from symgrad.ops.balls import exact_ball
from symgrad.points import Point, read_point
from symgrad.printing import expression_text, step_text
from symgrad.report.model import BackwardStep, Finding, ForwardStep, GradientReport, Report, WitnessValue
from symgrad.rounding import ErrorModel, enclose_step

#: Formulas of more characters than this are given as named steps.
READABLE = 600
#: Digits of the exact value that are shown; all are proven.
DIGITS = 21


@dataclass(frozen=True, slots=True)
class Manual:
    """A derivative that the user computes: a step of a graph, with the exact values of that graph's inputs."""

    graph: Graph
    target: int
    point: Mapping[int, Fraction]


def derive(
    target: Any, wrt: Sequence[str] | str | None = None, *, order: int = 1, simplify_seconds: float = 1.0
) -> Derivation:
    """Derive the exact derivative of an expression. Imports no torch.

    Args:
        target: text such as ``"x*tanh(x)"`` (several statements allowed), a SymPy expression, or a Graph.
        wrt: names of the variables to differentiate by; all by default.
        order: 1 for the gradient, 2 for the Hessian.
        simplify_seconds: budget for simplification, counted in work so that the result does not depend on the machine.

    Raises:
        SymgradError: the target cannot be used; the error says where and why.
    """
    if order not in (1, 2):
        raise SymgradError(f"order must be 1 or 2, not {order}")
    graph = read_target(target)
    positions = pick_variables(graph, wrt)
    return Derivation(graph, positions, order, rows(graph, positions, order, "taught"), simplify_seconds)


def check_expression(
    target: Any,
    at: Point | None = None,
    *,
    wrt: Sequence[str] | str | None = None,
    dtype: str = "float64",
    device: str = "cpu",
    order: int = 1,
    simplify_seconds: float = 1.0,
    manual: Mapping[str, Manual] | None = None,
) -> Report:
    """Derive the derivative of ``target``, and hold every witness of it at a point against the proven value.

    Args:
        target: as for :func:`derive`.
        at: the point: ``{"w": 2}`` (numbers, or text such as ``"pi/4"``) or ``"w=2"``. Without it the report holds
            the derivation alone, and torch is not imported.
        wrt, order, simplify_seconds: as for :func:`derive`.
        dtype: float64, float32, bfloat16 or float16: the format in which the witnesses compute. The exact value is
            proven at the binary values that this format makes of ``at``.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        manual: the user's own derivatives, by variable: one more witness each.

    Returns:
        a Report; ``report.ok`` and ``report.verdict`` sum it up.

    Raises:
        SymgradError: the input cannot be used: a syntax error, a missing value, a point outside a function's domain, an
            unknown dtype, a device that is not there.
    """
    fmt = get_format(dtype)
    derivation = derive(target, wrt, order=order, simplify_seconds=simplify_seconds)
    graph = derivation.graph
    point = read_point(graph, at, fmt) if at is not None else None
    names = display_names(graph)
    text = target if isinstance(target, str) else graph.source or expression.to_text(graph)
    gradients = [_closed_form(entry, names, graph) for entry in derivation.entries]
    report = Report(
        target=text, source=graph.source, result=names[graph.output] or "f", at={}, dtype=fmt.name, device=device,
        order=order, value="", verdict="agree", gradients=tuple(gradients), steps=_forward(graph, names, None),
        backward=_backward(derivation.rows[0], names, None) if order == 1 else (), findings=(), graph=graph,
        rows=derivation.rows,
    )  # fmt: skip
    return report if point is None else _judged(report, derivation, point, fmt, names, manual or {})


def read_target(target: Any) -> Graph:
    """Text, a SymPy expression or a Graph, as a Graph."""
    if isinstance(target, Graph):
        return target.verify()
    if isinstance(target, str):
        return expression.parse(target)
    if hasattr(target, "free_symbols") and hasattr(target, "func"):
        return symbolic.from_sympy(target)
    raise SymgradError(f"symgrad cannot check a {type(target).__name__}: give text or a SymPy expression")


def _closed_form(entry: Entry, names: Sequence[str], graph: Graph) -> GradientReport:
    result = names[graph.output] or "f"
    parts = entry.label.split(",")
    if len(parts) == 1:
        written = f"d{result}/d{entry.label}"
    else:
        below = f"d{parts[0]}2" if parts[0] == parts[1] else f"(d{parts[0]} d{parts[1]})"
        written = f"d2{result}/{below}"
    reverse = entry.row.reverse
    inputs = {i for i, s in enumerate(graph.steps) if s.is_input}
    chain = expression_text(reverse.graph, entry.target, stop=inputs, limit=READABLE) or ""
    derivative = latex = ""
    closed = entry.closed
    if not closed.reason:
        derivative, latex = symbolic.sympy_text(closed.simplified), symbolic.sympy_latex(closed.simplified)
        if len(derivative) > READABLE:
            derivative = ""
    return GradientReport(entry.label, written, chain, derivative, latex)


def _judged(
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
        value = _digits(first.output) if first.output.defined else ""
    results: dict[str, list[WitnessValue]] = {}
    with precision(proofs[0].bits):
        rules = symbolic.confirmed_rules(graph, proofs[0].steps)
    for name, computed in _witnesses(derivation, rules, point, fmt, report.device):
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
                exact=_digits(truth) if truth.defined else "",
                left=_short(truth.left), right=_short(truth.right),
                reason=_reason(truth, mine), span=span, witnesses=mine, verdict=verdict,
            )
        )  # fmt: skip
    return replace(
        report, at={graph.steps[i].name: float(v) for i, v in used.items()}, value=value,
        verdict=worst([g.verdict for g in gradients]), gradients=tuple(gradients),
        steps=_forward(graph, names, first.steps),
        backward=_backward(derivation.rows[0], names, (accurate[0], _all_steps(proofs[0], accurate[0])))
        if derivation.order == 1 else (),
        findings=_findings(gradients),
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
    derivation: Derivation, rules: Chooser, point: Mapping[int, Fraction], fmt: Format, device_name: str
) -> Iterator[tuple[str, list[_Computed]]]:
    """Run the witnesses: name, then one computed value per derivative."""
    from symgrad import evaluate

    graph, wrt, order = derivation.graph, derivation.wrt, derivation.order
    dtype, device = evaluate.torch_dtype(fmt), evaluate.torch_device(device_name)
    import torch

    values = {i: torch.tensor(float(v), dtype=dtype, device=device) for i, v in point.items()}

    def run_rows(found: Sequence[Row], origin: Sequence[int], *, values_at: Mapping[int, Any], compensated: bool,
                 given: Sequence[float] | None = None) -> list[_Computed]:  # fmt: skip
        out: list[_Computed] = []
        for row in found:
            low = lower(row.reverse.graph)
            targets = [low.place[t] for t in row.targets]
            placed = {low.place[i]: v for i, v in values_at.items()}
            exact = {low.place[i]: point[j] for i, j in zip(values_at, point, strict=True)}
            model = ErrorModel(low.graph, exact, fmt, targets)
            if given is None:
                run = evaluate.run(low.graph, placed, targets, dtype=dtype, device=device, compensated=compensated)
                numbers = [float(v) for v in run]
            else:
                numbers = list(given[len(out) : len(out) + len(targets)])

            def rerun(low: Any = low, placed: Any = placed, targets: Any = targets) -> list[float | None]:
                kept = evaluate.run(low.graph, placed, targets, dtype=dtype, device=device, keep=True)
                return [None if v is None else float(v) for v in kept]

            def owner(i: int, low: Any = low, graph: Graph = row.reverse.graph) -> int:
                return origin[_forward_step_of(graph, low.origin[i], len(origin))]

            out += [
                _Computed(v, model, t, owner, rerun) for v, t in zip(numbers, targets, strict=True)
            ]  # fmt: skip
        return out

    itself = range(len(graph))
    yield "symbolic", run_rows(rows(graph, wrt, order, rules), itself, values_at=values, compensated=True)
    forward = lower(graph)
    leaves = {forward.place[i]: v for i, v in values.items()}
    variables = [forward.place[i] for i in wrt]
    _, found = evaluate.autograd(forward.graph, leaves, variables, dtype=dtype, device=device, order=order)
    if order == 2:
        n = len(variables)
        found = [found[i * n + j] for i in range(n) for j in range(i, n)]
    modelled = rows(forward.graph, variables, order, "autograd")
    yield "autograd", run_rows(
        modelled, forward.origin, values_at=leaves, compensated=False, given=[float(v) for v in found]
    )
    yield "backward", run_rows(derivation.rows, itself, values_at=values, compensated=False)


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


def _forward_step_of(graph: Graph, index: int, forward: int) -> int:
    """The forward step whose derivative a backward step belongs to."""
    while index >= forward:
        of = graph.steps[index].of
        if of is None:
            return graph.output if graph.output < forward else 0
        index = of[0]
    return index


def _forward_step(graph: Graph, passes: Sequence[Row], index: int) -> int:
    return _forward_step_of(passes[0].reverse.graph, index, len(graph))


def _digits(truth: Proven) -> str:
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


def _number(balls: Sequence[Any] | None, index: int) -> float | None:
    if balls is None or balls[index] is None:
        return None
    if not balls[index].is_finite():
        return math.nan
    try:
        return float(balls[index])
    except OverflowError:
        return math.inf if balls[index] > 0 else -math.inf


def _forward(graph: Graph, names: Sequence[str], balls: Sequence[Any] | None) -> tuple[ForwardStep, ...]:
    needed = graph.ancestors(graph.output)
    shown = {i: n for i, n in enumerate(names) if n}
    return tuple(
        ForwardStep(names[i], step_text(graph, i, shown), _number(balls, i), step.span)
        for i, step in enumerate(graph.steps)
        if needed[i] and not step.is_leaf
    )


def _backward(
    row: Row, names: Sequence[str], proven: tuple[Row, Sequence[Any]] | None
) -> tuple[BackwardStep, ...]:
    """The chain-rule factors as taught, with values from the accurate pass, which has the same edges."""
    reverse = row.reverse
    graph = reverse.graph
    shown = {i: n for i, n in enumerate(names) if n}
    last = {graph.steps[e.step].inputs[e.input]: n for n, e in enumerate(reverse.edges)}
    forward = set(shown)
    out = []
    for n, edge in enumerate(reverse.edges):
        target = graph.steps[edge.step].inputs[edge.input]
        formula = shown.get(edge.local) or expression_text(graph, edge.local, stop=forward, names=shown, limit=READABLE)
        factor = contribution = total = None
        if proven is not None:
            twin, balls = proven[0].reverse.edges[n], proven[1]
            factor = _number(balls, twin.local)
            contribution = _number(balls, twin.contribution)
            total = _number(balls, proven[0].reverse.cotangents[target]) if last[target] == n else None
        out.append(BackwardStep(names[edge.step], names[target], formula, factor, contribution, total))
    return tuple(out)
