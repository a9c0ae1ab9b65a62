"""What is mistaken for what: variables, time steps, operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import stem_of
from symgrad.diagnose.truth import Quantity
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
    if stem_of(first) and stem_of(first) == stem_of(second) and not (steps[a].is_input and steps[b].is_input):
        return "wrong-time-step", "is the value of another step in time"
    return "wrong-variable", "is another variable than belongs here"


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
