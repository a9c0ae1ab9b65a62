"""``dW += reg*W`` where the loss that is computed knows of no penalty: weight decay, on purpose.

Many a script prints the loss of the data alone and keeps its weights small all the same. The derivation is held against
that loss with the penalty whose gradient was added; where nothing is wrong then, that is said, and nobody is blamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.observing.subject import BITS, Subject
from symgrad.enclosure import precision
from symgrad.graph import Graph, GraphBuilder, Step
from symgrad.manual.work import Account
from symgrad.ops import sign_of
from symgrad.ops.build import Formula
from symgrad.ops.recognise import sign_at

#: (number, parameter, squared, product) of every ``reg*W`` that is added to something; not squared: ``reg*sign(W)``.
Penalty = tuple[int, int, bool, int]


def with_penalties(taken: Account) -> Account:
    """The account against the loss with a penalty, where every mistake was a term too many and none is left; or what
    moves the parameters was not understood."""
    subject, found = taken.subject, taken.diagnosis
    sources = {m.source for m in subject.moves}
    steps = [u for u in found.unchecked if u.step in sources]
    if not (found.blames or steps) or any(b.mistake != "extra-term" for b in found.blames):
        return taken
    whole = decayed(subject, shared=not found.blames)
    if whole is None:
        return taken
    again = taken.against(whole)
    if again.diagnosis.blames or len(again.diagnosis.right) < len(found.right):
        return taken
    if not found.blames and {u.step for u in again.diagnosis.unchecked} & sources:
        return taken
    lines = ", ".join(str(n) for n in sorted({b.span.line for b in found.blames} or {u.line for u in steps}))
    called = subject.names.get(subject.loss, "the loss")
    note = f"line {lines}: a penalty of the weights is in the gradients, and not in {called}: right as weight decay"
    return replace(again, diagnosis=replace(again.diagnosis, notes=(*again.diagnosis.notes, note)))


def decayed(subject: Subject, *, shared: bool = False) -> Subject | None:
    """What is differentiated with the penalties whose gradients are added to those of the weights; ``None`` where there
    are none.

    ``shared``: what moves the parameters may be some times the gradient, and the penalty beside it is not.
    """
    weights = {m.bottom for m in subject.moves}
    if not weights:
        return None
    graph = subject.graph
    forward = graph.ancestors(subject.loss)
    manual = [i for i in range(len(graph)) if not forward[i]]
    added = _penalties(graph.steps, manual, weights, graph.dependents(*weights))
    if not added:
        return None
    share = _share(subject, added) if shared else Fraction(1)
    return replace(subject, graph=_penalised(graph, subject.loss, added, share), made_up=True)


def _share(subject: Subject, added: Sequence[Penalty]) -> Fraction:
    """How many times the gradient is in a step beside the penalty, where that is a number: ``X.T @ r + reg*w`` beside
    ``r @ r / N``; else 1."""
    prepared = prepare(subject)
    products = {weight: product for _, weight, _, product in added}
    for m in subject.moves if prepared is not None else ():
        right = prepared.truth.cotangents.get(m.bottom) if prepared is not None else None
        if prepared is not None and right is not None and m.bottom in products:
            with precision(BITS):
                own = prepared.layout.actual(m.source) - prepared.layout.actual(products[m.bottom])
                ratio = (own / right).constant()
            if ratio:
                return ratio
    return Fraction(1)


def _penalties(
    steps: Sequence[Step], manual: Iterable[int], weights: set[int], depends: Sequence[bool]
) -> list[Penalty]:
    """The parts of gradients that are to keep weights small.

    Args:
        manual: the steps that may be sums with such a part; weights: the steps of the parameters.
        depends: for each step, whether it is made of one of them.
    """
    found: dict[int, Penalty] = {}
    twice: set[int] = set()
    for i in manual:
        if sign_of(steps[i].op) != "+":
            continue
        for j in steps[i].inputs:
            part = steps[j]
            if sign_of(part.op) != "*" or len(part.inputs) != 2:
                continue
            for number, weight in (part.inputs, part.inputs[::-1]):
                squared = weight in weights
                kept = weight if squared else sign_at(steps, weight)
                if kept in weights and not steps[number].shape and not depends[number]:
                    before = found.setdefault(kept, (number, kept, squared, j))[3]
                    if before != j and _line(steps[before]) == _line(part) > 0:
                        twice.add(kept)  # of two in one line, one is a slip
    return [p for kept, p in found.items() if kept not in twice]


def _line(step: Step) -> int:
    return step.span.line if step.span is not None else 0


def _penalised(graph: Graph, total: int, added: Sequence[Penalty], share: Fraction) -> Graph:
    """Its output is the step ``total`` and ``number*sum(weight**2)/2``, or ``number*sum(abs(weight))``, for each;
    these divided by ``share``."""
    builder = GraphBuilder(graph)
    m = Formula(builder)
    out = m.ref(total)
    for number, weight, squared, _ in added:
        w = m.ref(weight)
        size = w * w if squared else m.call("abs", w)
        size = m.call("sum", size) if size.shape else size
        amount = size * m.ref(number)
        factor = (Fraction(1, 2) if squared else Fraction(1)) / share
        out = out + (amount if factor == 1 else amount * m.constant(factor))
    return Graph(tuple(builder.steps), out.index, graph.source)


__all__ = ["decayed", "with_penalties"]
