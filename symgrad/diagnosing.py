"""The pipeline for manual derivations: a script or a formula in, a diagnosis out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from symgrad.diagnose.engine import Diagnosis, best_subject, diagnose
from symgrad.diagnose.naming import LOSS_NAMES, claims, normal
from symgrad.diagnose.subject import Subject, Unit
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph


def subjects(trace: Trace, loss: str | None = None) -> list[Subject]:
    """The readings of a trace: which step is the loss, and so what is forward and what is manual. Likeliest first."""
    return [s for step in _losses(trace, loss) if (s := _subject(trace, step)) is not None]


def _losses(trace: Trace, loss: str | None) -> list[int]:
    if loss is not None:
        found = [b.step for b in trace.bindings if b.name == loss]
        return found[-1:]
    if trace.backward_calls:
        return [trace.backward_calls[-1].step]
    names = {normal(b.name) for b in trace.bindings}
    leaves = {leaf.step for leaf in trace.leaves}

    def is_claim(b: Binding) -> bool:
        return any(c.bottom in names and c.bottom != normal(b.name) for c in claims(b.name))

    plain = [b for b in trace.bindings if not is_claim(b) and b.step not in leaves]
    wanted: list[int] = []
    for b in trace.bindings:
        for c in claims(b.name):
            if c.top and c.bottom in names:
                wanted += [p.step for p in plain if normal(p.name) == c.top][-1:]
        if is_claim(b) and b.step in leaves and trace.values[b.step] == 1.0:
            wanted += [p.step for c in claims(b.name) for p in plain if normal(p.name) == c.bottom][-1:]
    wanted += [p.step for p in plain if normal(p.name) in LOSS_NAMES][-1:]
    first = next((b.order for b in trace.bindings if is_claim(b) and b.step not in leaves), len(trace.bindings))
    wanted += [p.step for p in plain if p.order < first][-1:]
    wanted += [p.step for p in plain][-3:]
    # A later quantity first: with dh2_dw and dy2_dw both claimed, y2 is the loss.
    unique = list(dict.fromkeys(wanted))
    return sorted(unique, reverse=True)[:5]


def _subject(trace: Trace, loss: int) -> Subject | None:
    base = trace.graph
    graph = Graph(base.steps, loss, base.source)
    forward = graph.ancestors(loss)
    done = next((b.order for b in trace.bindings if b.step == loss), len(trace.bindings))
    names: dict[int, str] = {}
    aliases: list[tuple[str, int]] = []
    units: list[Unit] = []
    latest: dict[str, int] = {}
    known: set[str] = set()
    for b in trace.bindings:
        is_forward = forward[b.step]
        claimed = b.step in names and any(c.bottom in known for c in claims(b.name))
        if is_forward and b.order <= done and not claimed:
            names.setdefault(b.step, b.name)
            aliases.append((b.name, b.step))
            known.add(normal(b.name))
        elif not is_forward or claimed or b.order > done:
            # After the loss, a plain new name for a forward value (h = hs[t]) is a name and no claim.
            if is_forward and not any(c.bottom in known for c in claims(b.name)):
                latest[b.name] = b.step
                continue
            units.append(Unit(b.name, b.step, b.span, b.line, b.augmented, latest.get(b.name, -1)))
        latest[b.name] = b.step
    point: dict[int, Fraction] = {}
    for i, step in enumerate(graph.steps):
        value = trace.values[i]
        if step.is_input:
            if not isinstance(value, float) or value != value or value in (float("inf"), float("-inf")):
                return None
            point[i] = Fraction(value)
    autograd = {g.step: g.target for g in trace.grad_reads}
    return Subject(graph, point, names, tuple(aliases), tuple(units), base.source, autograd)


def diagnose_trace(trace: Trace, loss: str | None = None) -> tuple[Diagnosis, Subject] | None:
    """Diagnose the manual part of a traced script; ``None`` where nothing in it is a function of anything."""
    found = subjects(trace, loss)
    if not found:
        return None
    subject = found[0] if len(found) == 1 else best_subject(found)
    if subject is None:
        return None
    return diagnose(subject), subject


def candidates(found: Sequence[Subject]) -> Subject | None:
    return best_subject(found)
