"""A state of several variables that a loop carries on, with the derivative of each carried beside it.

``x`` and ``v`` of an oscillator, and ``dx_dk`` and ``dv_dk``: neither is made of the last value of the other, so no one
of them is all that is differentiated. Their sum is, of which both are parts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from symgrad.diagnose.meaning.following import is_made_of
from symgrad.diagnose.text.abbreviations import spelled_out, subscripted
from symgrad.diagnose.text.naming import Claim, claims, normal
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph, Step
from symgrad.subjects.upstream import extended

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
    ends = _ends(asked, values, steps)
    if len(ends) < 2 and not asked:
        # No name says of what: then the values have to, and the sum is one more thing that may be differentiated.
        ends = _ends(_carried(trace, values), values, steps)
        total = _summed(trace, ends) if len(ends) > 1 and not _is_known(trace, results, ends) else None
        return (total, [*results, len(total.graph) - 1]) if total is not None else (trace, list(results))
    if len(ends) < 2:
        return trace, list(results)
    if _is_known(trace, results, ends):
        return trace, list(results)
    trace = _summed(trace, ends)
    return trace, [len(trace.graph) - 1]


def _ends(names: Collection[str], values: Mapping[str, Mapping[int, int]], steps: Sequence[Step]) -> list[int]:
    """The last values of variables that a loop carries on; none, where one of them is no number that is worked out."""
    ends = [e for name in sorted(names) if (e := _end(values.get(name, {}), steps)) >= 0]
    return [] if any(steps[i].shape or steps[i].is_leaf for i in ends) else ends


def _is_known(trace: Trace, results: Sequence[int], ends: Sequence[int]) -> bool:
    """One of the results is made of all these."""
    graphs = ((i, Graph(trace.graph.steps, i, trace.graph.source)) for i in results)
    return any(all(known[j] for j in ends) for i, graph in graphs if (known := graph.ancestors(i)))


def _summed(trace: Trace, ends: Sequence[int]) -> Trace:
    total = ends[0]
    for i in ends[1:]:
        trace, total = extended(trace, "add", (total, i))
    return trace


def _carried(trace: Trace, values: Mapping[str, Mapping[int, int]]) -> set[str]:
    """The variables that the first loop of all carries on: what is worked out of them comes in another."""
    steps = trace.graph.steps
    ends = {name: end for name, mine in values.items() if (end := _end(mine, steps)) >= 0 and not steps[end].is_leaf}
    first = min(ends.values(), default=-1)
    return {name for name in ends if min(i for i in values[name] if not steps[i].is_leaf) < first}


def in_full(trace: Trace) -> dict[str, Claim]:
    """The names of a run that say "this by that" in short forms, or ``x_r`` for "x by r" -> what they say in full."""
    names = dict.fromkeys(b.name for b in trace.bindings)
    steps = trace.graph.steps
    made = dict.fromkeys(b.name for b in trace.bindings if not steps[b.step].is_leaf)
    given = dict.fromkeys(b.name for b in trace.bindings if steps[b.step].is_input and b.name not in made)
    short = subscripted(made, given, made) if not any(step.shape for step in steps) else {}
    return short | spelled_out(names, [name for name in names if not any(c.top for c in claims(name))])


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
