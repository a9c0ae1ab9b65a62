"""What a step writes into an array, and many such writes as one step.

``Z[i, j] = v`` in a loop makes a new copy of ``Z`` in every round, of which nobody but the next round reads anything:
n writes into n entries cost n*n numbers. Where they do not overlap, or add up, one write of all values is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.graph import Step
from symgrad.ops.indexing import numpy_index

SET, ADD_AT, INDEX, SUM, STACK = "set", "add_at", "index", "add", "stack"
CONCATENATE, RESHAPE = "concatenate", "reshape"
#: Ops that give a copy of an array (their first input) in which something (the second) is written.
WRITING = frozenset({SET, ADD_AT})


@dataclass(frozen=True, slots=True)
class Write:
    """One write into an array.

    Attributes:
        array: the step of the array as it was.
        value: the step of what is written, or added.
        adds: it is added to what is there.
        spec: where.
        reads: the steps that read what is there and add to it, which nobody else needs.
    """

    array: int
    value: int
    adds: bool
    spec: tuple[Any, ...]
    reads: tuple[int, ...] = ()


def write_at(steps: Sequence[Step], i: int, inputs: Sequence[int]) -> Write | None:
    """The write that a step is, if its places are known before it runs; ``inputs`` are those of the step."""
    op = steps[i].op
    if op not in WRITING or len(inputs) != 2:
        return None
    spec: Any = dict(steps[i].params)["spec"]
    array, value = inputs
    if op == ADD_AT:
        return Write(array, value, True, spec)
    total = steps[value]
    if total.op == SUM:
        for read, added in (total.inputs, total.inputs[::-1]):
            seen = steps[read]
            if seen.op == INDEX and seen.inputs == (array,) and dict(seen.params)["spec"] == spec and read != added:
                return Write(array, added, True, spec, (read, value))
    return Write(array, value, False, spec)


def read_at(steps: Sequence[Step], i: int) -> tuple[int, Any] | None:
    """The array that a step reads a part of, and where, if the places are known before it runs."""
    step = steps[i]
    return (step.inputs[0], dict(step.params)["spec"]) if step.op == INDEX and len(step.inputs) == 1 else None


def is_united(step: Step) -> bool:
    """The values of many writes that were made one."""
    return step.op == STACK


def is_joined(step: Step) -> bool:
    """Several values as one array: ``np.array([g0, g1])``."""
    return step.op in (STACK, CONCATENATE) and len(step.inputs) > 1


def number_at(steps: Sequence[Step], i: int) -> int:
    """The number that an array of one number was made of."""
    while steps[i].op == RESHAPE:
        i = steps[i].inputs[0]
    return i


def places(spec: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """The flat places that are written, in the shape of the region."""
    numbers = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    return np.asarray(numbers[numpy_index(spec)])


def repeats(where: Any) -> bool:
    """Some place is there twice."""
    flat = where.ravel()
    return bool(len(np.unique(flat)) < flat.size)


def united(
    array: int, values: Sequence[int], where: Sequence[Any], shape: tuple[int, ...], *, adds: bool
) -> tuple[Step, Step]:
    """Two steps that do what many writes do: the values stacked, and one write. The first stands right before the
    second, which has -1 for its place; names and spans are the caller's to give."""
    spots = np.stack(where)
    indices = np.unravel_index(spots, shape)
    spec = tuple(("ints", spots.shape, tuple(axis.ravel().tolist())) for axis in indices)
    together = Step("", STACK, tuple(values), (), spots.shape)
    return together, Step("", ADD_AT if adds else SET, (array, -1), (("spec", spec),), shape)
