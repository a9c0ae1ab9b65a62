"""Where in the text a mistake is written: the characters that the carets stand under."""

from __future__ import annotations

from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.verdicts import handed
from symgrad.errors import Span
from symgrad.graph import Step


def value_span(unit: Unit, source: SourceMap, step: Step | None = None, made: Step | None = None) -> Span:
    """The right-hand side also of an augmented assignment, and of a call the expression that it returns.

    ``made``: what a function worked out that the assignment calls, where that has no name of its own there.
    """
    if made is not None and made.span is not None and not made.is_leaf and not _is_within(made.span, unit.span):
        alone = source.is_pure_helper(made.span.line) and "()" not in source.text(unit.span)
        if source.statement(made.span) is not None and not alone:
            return made.span
    if step is not None and step.span is not None and not step.is_leaf and not _is_within(step.span, unit.span):
        # A function that does part of the work is to blame itself; one that is a mere formula was used wrongly.
        own = step.name == unit.name or step.name.startswith(f"{unit.name}#")
        if own and not source.is_pure_helper(step.span.line):
            return step.span
    if unit.augmented:
        value = source.operand(unit.span, 1)
        if value is not None:
            return value
    return unit.span


def made_by_call(unit: Unit, subject: Subject) -> Step | None:
    """What a method that is called in the line of an assignment worked out."""
    from symgrad.ops import OPS

    i, steps = unit.step, subject.graph.steps
    while not steps[i].is_leaf and OPS[steps[i].op].renames:
        if is_handed_back(unit, steps[i]):
            return steps[i]
        i = steps[i].inputs[0]
    call = subject.callers.get(i)
    return steps[i] if call is not None and call.line == unit.span.line and not unit.augmented else None


def is_handed_back(unit: Unit, step: Step) -> bool:
    """``return dx`` in the function that an assignment calls: a step of its own, written elsewhere."""
    from symgrad.ops import OPS

    if step.span is None or step.is_leaf or not OPS[step.op].renames:
        return False
    return step.span.line != unit.span.line and not _is_within(step.span, unit.span)


def place_span(unit: Unit, repair: Repair, subject: Subject, walk: Walk, source: SourceMap) -> Span:
    """Where the wrong sub-expression is written: an operand's own characters if they can be told."""
    place = repair.place
    if repair.span is not None:
        return repair.span
    if place.parent < 0:
        return value_span(unit, source, subject.graph.steps[unit.step])
    parent = subject.graph.steps[place.parent].span
    step = subject.graph.steps[place.node]
    if (call := handed(repair, unit, walk.layout)) is not None:
        return call
    named = bool(walk.layout.variable(place.node))
    operand = source.operand(parent, place.slot) if parent is not None else None
    if parent is not None and is_handed_back(unit, subject.graph.steps[place.parent]):
        operand = parent if source.text(parent).replace(".", "").isidentifier() else operand
    # Where a variable is read, its value came from elsewhere, whether or not it is called so there as well.
    if operand is not None and step.span is not None and step.span.line != operand.line:
        named = named or source.text(operand).replace(".", "").isidentifier()
    own = step.span if not step.is_leaf and not named else None
    # By a function of the forward pass, which is right, or by one that does right where another line calls it.
    lent = own in walk.layout.forward_spans or _is_right_elsewhere(place.node, subject, walk)
    if own is not None and not (lent and operand) and (operand is None or not _is_within(own, operand)):
        return own  # inside a helper function, not where it is called
    return operand or own or parent or unit.span


def _is_right_elsewhere(i: int, subject: Subject, walk: Walk) -> bool:
    """Another line that is right calls the function that made a step as well."""
    span, call = subject.graph.steps[i].span, subject.callers.get(i)
    right = {u.line for u in walk.out.right}
    calls = (subject.callers.get(k) for k, s in enumerate(subject.graph.steps) if k != i and s.span == span)
    return call is not None and any(c is not None and c.line != call.line and c.line in right for c in calls)


def _is_within(inner: Span, outer: Span) -> bool:
    return (outer.line, outer.column) <= (inner.line, inner.column) and (inner.end_line, inner.end_column) <= (
        outer.end_line,
        outer.end_column,
    )
