"""``dk_dlog_sigma`` where the script has ``sigma`` and no ``log_sigma``: a parameter and the logarithm of it.

Such a parameter becomes the exponential of an input with that name, so that there is something to differentiate by.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from typing import Any

from symgrad.diagnose.text.naming import claims, normal
from symgrad.frontends.trace.data import Leaf, Trace
from symgrad.graph import INPUT, Step
from symgrad.ops.base import EXPONENTIAL

#: How a logarithm begins, as names are normalised.
_LOG = ("log", "ln")


def by_logarithms(trace: Trace) -> Trace:
    """The same run, with inputs of their own for parameters that some name differentiates by the logarithm of."""
    wanted = _wanted(trace)
    if not wanted:
        return trace
    places = sorted(wanted)

    def moved(i: int) -> int:
        return i + bisect_right(places, i)

    steps: list[Step] = []
    values: list[Any] = []
    leaves = [replace(f, step=moved(f.step)) for f in trace.leaves if f.step not in wanted]
    for i, step in enumerate(trace.graph.steps):
        value = trace.values[i]
        if i in wanted:
            old = next(f for f in trace.leaves if f.step == i)
            leaves.append(Leaf(wanted[i], len(steps), old.span, False, old.literal, old.dtype, old.scope))
            assert isinstance(value, float)  # of a number only
            steps.append(Step(wanted[i], INPUT, (), span=step.span))
            values.append(math.log(value))
            steps.append(Step(step.name, EXPONENTIAL, (len(steps) - 1,), span=step.span))
        else:
            steps.append(replace(step, inputs=tuple(map(moved, step.inputs))))
        values.append(value)
    return replace(trace.relocated(steps, values, moved), leaves=tuple(leaves))


def _wanted(trace: Trace) -> dict[int, str]:
    """The inputs that some name differentiates by the logarithm of, and what that logarithm is called."""
    names = {normal(b.name) for b in trace.bindings}
    inputs = {normal(leaf.name): leaf for leaf in trace.leaves}
    out: dict[int, str] = {}
    for b in trace.bindings:
        for c in claims(b.name):
            for log in _LOG:
                leaf = inputs.get(c.bottom.removeprefix(log)) if c.bottom.startswith(log) else None
                if leaf is None or not c.top or c.bottom in names or c.top not in names:
                    continue
                value = trace.values[leaf.step]
                if isinstance(value, float) and value > 0 and not trace.graph.steps[leaf.step].shape:
                    out[leaf.step] = f"log_{leaf.name}"
    return out
