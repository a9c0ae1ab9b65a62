"""Other operations in the place of what a line of arrays does: what is tried where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter

from symgrad.diagnose.values.shaped import Shaped, lifted, shape_of
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.confusions import alternatives, differ_by_sign
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Region, Site, slimmed
from symgrad.graph import Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.slips import Slip, is_place, is_same_place, repeating, slips, written
from symgrad.ops.tensor import typed


def repaired(mistake: str, words: str, cost: float, **more: object) -> Repair:
    """A change, wherever it is made."""
    return Repair(UNPLACED, mistake, words, cost, **more)  # type: ignore[arg-type]


def operations(region: Region, sites: tuple[Site, ...]) -> Iterator[tuple[Make, Repair]]:
    """Everything that is tried of one operation."""
    i = sites[0][0]
    yield from _other_op(region, i)
    if is_place(region.graph.steps[i].op) and len({region.graph.steps[k].params for k, _ in sites}) == 1:
        yield from _other_place(region, i)
    yield from _fewer(region, i)
    yield from _added(region, i)


def _on_inputs(compute: Callable[[Sequence[Vec]], Vec]) -> Make:
    """Something else made of a step's inputs."""

    def make(_i: int, _value: Vec, args: Sequence[Vec]) -> Vec:
        return compute(args)

    return make


def around_it(slip: Slip) -> tuple[Make, Repair]:
    """An operation more on what is there: a transpose, a sum."""

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return _apply(slip, [value])

    return make, repaired(slip.mistake, slip.words, slip.cost, template=slip.template)


def reshaped_to(goal: Shaped) -> tuple[Make, Repair]:
    """The right numbers in another shape."""

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        found = lifted(value)
        fits = all(a.size in (1, math.prod(goal.shape)) for a in found.arrays)
        return found.reshaped(goal.shape) if fits else value

    how = ", ".join(map(str, goal.shape)) if len(goal.shape) > 1 else str(goal.shape[0] if goal.shape else ())
    return make, repaired(
        "wrong-shape", "has the right entries in another shape", 0.75, template=f"{{0}}.reshape({how})"
    )


def _apply(slip: Slip, values: Sequence[Vec]) -> Vec:
    """The op that a slip leads to; NaN where it does not fit."""
    args = [values[k] for k in slip.inputs]
    if shape_of(OPS[slip.op], [a.shape for a in args], slip.params) is None:
        return Shaped([float("nan")] * len(lifted(args[0]).arrays))
    return apply(slip.op, args, typed(slip.op, [a.shape for a in args], slip.params)[0])


def _other_op(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """Another op on the same inputs."""
    step = region.graph.steps[i]
    args = [region.value(j) for j in step.inputs]
    for slip in slips(step.op, [a.shape for a in args], dict(step.params)):
        swaps = slip.op == step.op and slip.inputs[-2:] != (len(slip.inputs) - 2, len(slip.inputs) - 1)
        yield (
            _on_inputs(partial(_apply, slip)),
            repaired(
                slip.mistake,
                slip.words,
                slip.cost,
                op=slip.op if swaps or not slip.respell else "",
                respell=slip.respell,
            ),
        )
    if not isinstance(OPS[step.op], TensorOp):
        for name in alternatives(step.op):
            sign = differ_by_sign(name, step.op)
            yield (
                _on_inputs(partial(apply, name)),
                repaired(
                    "sign" if sign else "wrong-formula", "applies another operation than belongs here",
                    # That a plus and a minus are mixed up is likelier than that a whole line lacks its sign.
                    0.88 if sign else 1.0, op=name,
                ),
            )
        if len(args) == 2:
            yield (
                _on_inputs(lambda args: apply(step.op, args[::-1])),
                repaired("wrong-formula", "has its two operands the wrong way round", 1.15, op=step.op),
            )


def _other_place(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """Another part of an array: one that is read elsewhere from an array of this shape."""
    step = region.graph.steps[i]
    shape = region.graph.steps[step.inputs[0]].shape
    seen = {step.params}
    for other in region.graph.steps:
        if other.op != step.op or len(other.inputs) != 1 or len(step.inputs) != 1 or other.params in seen:
            continue
        if region.graph.steps[other.inputs[0]].shape != shape or other.shape != step.shape:
            continue
        seen.add(other.params)
        if len(seen) > 40:
            return
        op = OPS[step.op]
        assert isinstance(op, TensorOp)  # only arrays have parts
        template = op.template(dict(other.params), [shape])
        yield (
            _on_inputs(partial(apply, step.op, params=other.params)),
            repaired("wrong-variable", "is another part of the array than belongs here", 0.95, operand=template),
        )


def _fewer(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """A factor, a term, a sign or a function that should not be there."""
    step = region.graph.steps[i]
    op = OPS[step.op]
    if op.infix is None and len(step.inputs) != 1:
        return
    for slot, _ in enumerate(step.inputs):
        make = _on_inputs(itemgetter(slot))
        if op.infix is None and region.value(i).alike(region.value(step.inputs[slot])):
            yield make, repaired("wrong-shape", "has the right entries in another shape", 0.7, keep=slot)
        elif op.infix is None:
            yield make, repaired("wrong-formula", f"applies {op.title} where nothing belongs", 0.98, keep=slot)
        elif op.infix.prefix:
            if op.infix.symbol:
                yield make, repaired("sign", "has a minus sign too many", 0.85, keep=slot)
        elif op.infix.symbol in "+-":
            yield make, repaired("extra-term", "has a term too many", 0.95, keep=slot)
        else:
            dropped = region.graph.steps[step.inputs[1 - slot]]
            if dropped.is_const and op.infix.symbol in "*/":
                yield make, repaired("scale", "has a constant factor too many", 0.45, keep=slot)
            else:
                cost = 0.95 if op.infix.symbol in "*/@" else 1.3
                yield make, repaired("extra-factor", "has a factor too many", cost, keep=slot)


def _added(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """``G[idx] += v`` where a place comes twice: only the last is kept."""
    step = region.graph.steps[i]
    if len(step.inputs) < 2:
        return
    value = region.graph.steps[step.inputs[1]]
    reading = written(step.op)
    # What is read out of another array is fresh: x[i:i+3] = cols[i].
    fresh = not any(_reads(region, j, step, reading) for j in (step.inputs[1], *value.inputs))
    if len(step.inputs) == 2 and reading and fresh:
        # Where nothing is there as yet, what is taken away is the value with the wrong sign.
        empty = apply(reading, [region.value(step.inputs[0])], step.params).is_zero
        for sign in (1, -1):

            def keep(k: int, _old: Vec, args: Sequence[Vec], sign: int = sign) -> Vec:
                place = region.graph.steps[k].params
                held = apply(reading, args[:1], place)
                return apply(step.op, [args[0], held + args[1] if sign > 0 else held - args[1]], place)

            yield keep, repaired(
                "lost-accumulation", "throws away what was there before", 0.4 if sign > 0 else 0.96 if empty else 0.5,
                regain=region.context.variable(i) or "it", combine="+" if sign > 0 else "-",
            )  # fmt: skip
    name = repeating(step.op, dict(step.params))
    if not name:
        return
    found = [-1]
    for slot, j in enumerate(() if value.is_leaf else value.inputs):
        read = region.graph.steps[j]
        same = not read.is_leaf and read.inputs == (step.inputs[0], *step.inputs[2:])
        if same and is_same_place(value.op, read.op, dict(read.params), dict(step.params)):
            found = [1 - slot]
    for other in found:

        def make(k: int, old: Vec, args: Sequence[Vec], other: int = other) -> Vec:
            steps = region.graph.steps
            added = args[1]
            if other >= 0:
                added = slimmed(region.value(steps[steps[k].inputs[1]].inputs[other]), old)
            return apply(name, [args[0], added, *args[2:]], steps[k].params)

        yield make, repaired(
            "lost-accumulation", "keeps only the last of what is added at a place that comes twice",
            0.3 if other >= 0 else 0.45, template="np.add.at",
        )  # fmt: skip


def _reads(region: Region, j: int, step: Step, reading: str) -> bool:
    """A step reads the very place that another one writes."""
    read = region.graph.steps[j]
    return read.op == reading and read.params == step.params and read.inputs[:1] == step.inputs[:1]
