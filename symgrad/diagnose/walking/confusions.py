"""What is mistaken for what: variables, time steps, operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.text.naming import stem_of
from symgrad.ops import OPS


def swapped(known: Known, found: int, wanted: Quantity, variables: Callable[[int], str]) -> tuple[str, str]:
    """Names the mistake of writing one variable for another."""
    a, b = found, wanted.bottom
    first, second = variables(a), variables(b)
    if "[" in first and "[" in second and stem_of(first) == stem_of(second):
        return "wrong-time-step", "is the value of another step in time"
    # h = Value(tanh(z)): what holds the output is another name of it.
    real = known.truth.original
    ends = {real(a), real(b)}
    for links in (known.truth.links.get(i, ()) for i in (a, b, *ends)):
        for link in links:
            if {real(link.top), real(link.bottom)} == ends:
                if real(link.top) == real(b):
                    return "input-for-output", "uses the input where the output belongs"
                return "input-for-output", "uses the output where the input belongs"
    steps = known.truth.subject.graph.steps
    if (part := left_out(known.truth, real(a), real(b))) is not None:
        return part
    if stem_of(first) and stem_of(first) == stem_of(second) and not (steps[a].is_input and steps[b].is_input):
        return "wrong-time-step", "is the value of another step in time"
    return "wrong-variable", "is another variable than belongs here"


def left_out(truth: Truth, found: int, wanted: int) -> tuple[str, str] | None:
    """What is left out where a variable stands for a formula of it that has no name: ``x`` for ``x + y``."""
    graph, names = truth.subject.graph, truth.subject.names
    step, real = graph.steps[wanted], truth.original
    if wanted in names or step.is_leaf:
        return None
    if found in map(real, step.inputs):
        infix = OPS[step.op].infix
        if infix is not None and infix.symbol in ("+", "-"):
            return ("missing-term", "leaves out a term") if not infix.prefix else ("sign", "has the wrong sign")
        if infix is not None and infix.symbol in ("*", "/"):
            return "missing-factor", "leaves out a factor"
        return "input-for-output", "uses the input where the output belongs"
    # cdf(d1): whatever lies between has no name either.
    todo, reached = list(step.inputs), False
    while todo:
        i = todo.pop()
        if real(i) == found:
            reached = True
        elif not graph.steps[i].is_const:
            if i in names or graph.steps[i].is_leaf:
                return None
            todo += graph.steps[i].inputs
    return ("input-for-output", "uses the input where the output belongs") if reached else None


@cache
def alternatives(name: str) -> Sequence[str]:
    """Ops that are confused with this one: of the same precedence if infix, else of the same arity."""
    op = OPS[name]
    out = []
    for other in OPS.values():
        if other.name == name or other.arity != op.arity or other.hidden or (op.infix is None) != (other.infix is None):
            continue
        if op.infix is None or (other.infix is not None and other.infix.precedence == op.infix.precedence):
            out.append(other.name)
    return out


def differ_by_sign(a: str, b: str) -> bool:
    """Two ops between the same operands that differ by the sign of one: sum and difference."""
    first, second = OPS[a].infix, OPS[b].infix
    return first is not None and second is not None and {first.symbol, second.symbol} == {"+", "-"}
