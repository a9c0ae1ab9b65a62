"""A state of several variables that a loop carries on, with the derivative of each carried beside it.

``x`` and ``v`` of an oscillator, and ``dx_dk`` and ``dv_dk``: neither is made of the last value of the other, so no one
of them is all that is differentiated. Their sum is, of which both are parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgrad.diagnose.meaning.following import is_made_of
from symgrad.diagnose.text.abbreviations import spelled_out
from symgrad.diagnose.text.naming import Claim, claims, normal
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph, Step
from symgrad.upstream import extended

#: A variable that was given a value so often is carried on by a loop.
ROUNDS = 3


def joined(trace: Trace, results: Sequence[int]) -> tuple[Trace, list[int]]:
    """The run, and what may be differentiated in it.

    Args:
        results: the steps that may be. They stay, unless none of them knows the last values of all variables that a
            loop carries on and whose derivatives by something are named; then it is the sum of those values.
    """
    values: dict[str, dict[int, int]] = {}
    for b in trace.bindings:
        values.setdefault(normal(b.name), {}).setdefault(b.step, b.line)
    asked = {c.top for b in trace.bindings for c in claims(b.name) if c.top and c.bottom in values}
    asked |= {c.top for c in in_full(trace).values()}
    steps = trace.graph.steps
    ends = [e for top in sorted(asked) if (e := _end(values.get(top, {}), steps)) >= 0]
    if len(ends) < 2 or any(steps[i].shape or steps[i].is_leaf for i in ends):
        return trace, list(results)
    for i in results:
        known = Graph(steps, i, trace.graph.source).ancestors(i)
        if all(known[j] for j in ends):
            return trace, list(results)
    total = ends[0]
    for i in ends[1:]:
        trace, total = extended(trace, "add", (total, i))
    return trace, [total]


def in_full(trace: Trace) -> dict[str, Claim]:
    """The names of a run that say "this by that" in short forms -> what they say in full."""
    names = dict.fromkeys(b.name for b in trace.bindings)
    return spelled_out(names, [name for name in names if not any(c.top for c in claims(name))])


def _end(values: Mapping[int, int], steps: Sequence[Step]) -> int:
    """The last of the values of one name (with their lines) of which each is made of the one before; -1 where they are
    too few.

    What the derivation works out once more under the same name (``xm = xs[n] + dt*vs[n]``) is another series.
    """
    run: list[int] = []
    for i, line in values.items():
        looped = len(run) >= ROUNDS and len({values[j] for j in run[1 - ROUNDS :]}) == 1 and values[run[-1]] != line
        if run and (looped or i < run[-1] or not is_made_of(steps, i, run[-1])):
            if len(run) >= ROUNDS:
                break
            run = []
        run.append(i)
    return run[-1] if len(run) >= ROUNDS else -1


__all__ = ["in_full", "joined"]
