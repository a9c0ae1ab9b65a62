"""Results that are arrays: a number to differentiate, made from the gradient that the user starts with.

Where a script computes ``D = W @ X`` and starts from a given ``dD``, or from ``error = y - out`` without ever writing
the loss down, what is differentiated is ``sum(D * dD)``: its gradient by D is dD, and dD itself is a given array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from symgrad.diagnose.text.naming import claims, is_bare, is_loss, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph, Step
from symgrad.ops import typed


def numbers(trace: Trace, candidates: Sequence[int]) -> tuple[Trace, list[int]]:
    """Of the steps that may be what is differentiated the numbers; where there is none, numbers made of the arrays.

    Returns:
        the run, extended by these, and their steps, the likeliest first.
    """
    steps = trace.graph.steps
    arrays = [False] * len(steps)
    for i, step in enumerate(steps):
        arrays[i] = bool(step.shape) or any(arrays[j] for j in step.inputs)
    plain = [i for i in candidates if not steps[i].shape and arrays[i]]
    given = next(_given(trace), None)
    # dp[y] = -1/p[y] is an entry of a gradient.
    derived = {b.step for b in trace.bindings if "[" in b.name and any(claims(b.name))}
    plain = [i for i in plain if i not in derived] or plain
    # A[i, h, w, c] = ... in a loop is an entry of a result, and no loss; losses.append(loss) makes none of a loss.
    plainly = {b.step for b in trace.bindings if "[" not in b.name or is_loss(b.name)}
    entries = {b.step for b in trace.bindings} - plainly
    if plain and (given is None or not all(i in entries for i in plain)):
        return trace, plain
    if given is not None:
        top, start = given
        trace, product = extended(trace, "mul", (top, start.step))
        trace, total = extended(trace, "sum", (product,))
        return replace(trace, cuts=(*trace.cuts, start.step)), [total]
    trace, out = sums(trace, [i for i in candidates if steps[i].shape][:4])
    return trace, out or list(candidates)


def sums(trace: Trace, arrays: Sequence[int]) -> tuple[Trace, list[int]]:
    """The run, extended by the sums of some arrays, and the steps of these."""
    out = []
    for i in arrays:
        trace, total = extended(trace, "sum", (i,))
        out.append(total)
    return trace, out


def _given(trace: Trace) -> Iterator[tuple[int, Binding]]:
    """(step of a result, the assignment that holds the gradient that the derivation starts with)."""
    steps = trace.graph.steps
    held: dict[str, int] = {}
    latest = -1

    def starts(b: Binding, top: int) -> bool:
        """It is a result that the gradient arrives at, and the gradient is given, or made of that result: what is made
        of other things only, as dy_dx = 2*x is, is what comes out."""
        if steps[top].is_leaf or steps[top].shape != steps[b.step].shape or not steps[top].shape:
            return False
        return steps[b.step].is_leaf or Graph(steps, b.step, trace.graph.source).ancestors(b.step)[top]

    for b in trace.bindings:
        bottoms = [held[c.bottom] for c in claims(b.name) if c.bottom in held]
        if bottoms and starts(b, bottoms[0]):
            yield bottoms[0], b
        elif is_bare(b.name) and not bottoms and latest >= 0 and starts(b, latest):
            yield latest, b
        if not bottoms and not is_bare(b.name) and steps[b.step].shape:
            held[normal(b.name)] = b.step
            if not steps[b.step].is_leaf:
                latest = b.step
    yield from _given_first(trace)


def _given_first(trace: Trace) -> Iterator[tuple[int, Binding]]:
    """The same where the gradient is given with the data: ``x = ...; dout = ...; out = np.tanh(x)``."""
    steps = trace.graph.steps
    for b in trace.bindings:
        shape = steps[b.step].shape
        if not steps[b.step].is_leaf or not shape or not b.name.isidentifier():
            continue
        if not trace.values[b.step].any():  # type: ignore[union-attr]  # an array it is
            continue  # zeros begin a sum
        bottoms = {c.bottom for c in claims(b.name)}
        later = [o for o in trace.bindings if o.order > b.order and steps[o.step].shape == shape]
        later = [o for o in later if not steps[o.step].is_leaf and not trace.graph.ancestors(o.step)[b.step]]
        named = [o for o in later if normal(o.name) in bottoms]
        plain = [o for o in later if not any(claims(o.name)) and not is_bare(o.name)] if is_bare(b.name) else []
        if named or plain:
            yield (named or plain)[-1].step, b


def extended(trace: Trace, name: str, inputs: tuple[int, ...]) -> tuple[Trace, int]:
    """The run with one step more, of an op by its name."""
    graph = trace.graph
    params, shape = typed(name, [graph.steps[j].shape for j in inputs], {})
    made = Step(f"%{len(graph)}", name, inputs, params, shape)
    return grown(trace, (*graph.steps, made)), len(graph)


def grown(trace: Trace, steps: Sequence[Step]) -> Trace:
    """The run with further steps, none of them an input: their values are worked out."""
    import numpy as np

    from symgrad.ops.values import applied

    values: list[Any] = list(trace.values)
    for step in steps[len(values) :]:
        if step.is_const:
            values.append(float(step.value))
            continue
        inputs = [np.asarray(values[j], dtype=np.float64).reshape(steps[j].shape) for j in step.inputs]
        values.append(applied(step.op, inputs, step.shape, step.params))
    graph = Graph(tuple(steps), trace.graph.output, trace.graph.source)
    return replace(trace, graph=graph, values=tuple(values))
