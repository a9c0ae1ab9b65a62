"""Many arrays in one place of a line, at one random point, at once: most surely do not make it what it should be.

What :mod:`symgrad.diagnose.values.surveys` is for numbers. What a glimpse leaves open is computed at every point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.shaped import MISFITS, NOWHERE, Shape, Shaped, is_nowhere, lifted, run, shape_of
from symgrad.diagnose.values.sizes import bounded
from symgrad.diagnose.values.vectors import Vec
from symgrad.graph import Step
from symgrad.ops import OPS
from symgrad.ops.stacked import stacked
from symgrad.ops.tensor import ShapeError
from symgrad.ops.values import function

#: The point that is looked at: a random one.
POINT = 1
#: What differs by more than this, beside the largest entry, is another array: rests of what cancels are far smaller.
APART = 1e-3
#: So many entries are computed at once, of all arrays together.
ENTRIES = 1 << 16

#: The steps that change, each with what it reads: -1 for the value that is tried.
Steps = Sequence[tuple[Step, int, Sequence[int]]]


def still_open(steps: Steps, fixed: Mapping[int, Vec], values: Sequence[Vec], wanted: Vec) -> list[int]:
    """The numbers of the values with which the last of some steps may be what is wanted.

    Args:
        fixed: the value of every step that is read and does not change.
    """
    target = _at(wanted)
    # Zeros, and what has no value, are told from other arrays at all points together only.
    if not target.size or not np.isfinite(target).all() or not target.any():
        return list(range(len(values)))
    known = {j: _at(v) for j, v in fixed.items()}
    groups: dict[Shape, list[int]] = {}
    tried = [_at(v) for v in values]
    for n, array in enumerate(tried):
        groups.setdefault(array.shape, []).append(n)
    out: list[int] = []
    for members in groups.values():
        each = max(1, target.size, tried[members[0]].size, *(a.size for a in known.values()))
        most = max(1, ENTRIES // each)
        for k in range(0, len(members), most):
            some = members[k : k + most]
            out.extend(_of_one_shape(steps, known, [tried[n] for n in some], some, target))
    return sorted(out)


def _at(vec: Vec) -> Any:
    return lifted(vec).arrays[POINT]


def _of_one_shape(
    steps: Steps, known: Mapping[int, Any], arrays: Sequence[Any], numbers: Sequence[int], target: Any
) -> list[int]:
    """Which of them are still open, of arrays of one shape with these numbers."""
    many = len(arrays)
    # Most make something of another shape. (Of what does not fit by the rules NumPy may still make something.)
    made_of = _shape_made(steps, {-1: arrays[0].shape, **{j: a.shape for j, a in known.items()}})
    if target.shape and made_of not in (None, target.shape):
        return []
    memo = {j: np.broadcast_to(a, (many, *a.shape)) for j, a in known.items()}
    made = memo[-1] = np.stack(arrays)
    try:
        with unwarned():
            for step, i, read in steps:
                made = memo[i] = _computed(step, [memo[j] for j in read])
    except MISFITS:
        if target.shape and made_of is None:
            return []  # the program would end there with any of them
        return [n for n, a in zip(numbers, arrays, strict=True) if _is_open(_alone(steps, known, a), target)]
    if made.shape[1:] != target.shape:
        return []
    return [n for n, array in zip(numbers, made, strict=True) if _is_open(array, target)]


def _computed(step: Step, stacks: Sequence[Any]) -> Any:
    """One step of all of them."""
    compute, params = stacked(OPS[step.op]), dict(step.params)
    bounded(OPS[step.op], [s[0] for s in stacks], params)
    found = compute(*stacks, **params) if compute is not None and all(s.size for s in stacks) else None
    if found is None or found.shape[:1] != (len(stacks[0]),):
        run_one = function(step.op)
        found = np.stack([run_one(*arrays, **params) for arrays in zip(*stacks, strict=True)])
    return np.asarray(found, dtype=np.float64)


def _shape_made(steps: Steps, shapes: dict[int, Shape]) -> Shape | None:
    """What comes of arrays of these shapes; ``None`` where the program would end on the way."""
    shape: Shape | None = None
    for step, i, read in steps:
        shape = shape_of(OPS[step.op], [shapes[j] for j in read], dict(step.params))
        if shape is None:
            return None
        shapes[i] = shape
    return shape


def _alone(steps: Steps, known: Mapping[int, Any], array: Any) -> Any:
    """What comes out with one of them; NaN where the program would end."""
    memo = {j: Shaped((a,)) for j, a in known.items()}
    made = memo[-1] = Shaped((array,))
    for step, i, read in steps:
        try:
            bounded(OPS[step.op], [memo[j].arrays[0] for j in read], dict(step.params))
        except ShapeError:
            return NOWHERE
        made = memo[i] = run(OPS[step.op], [memo[j] for j in read], dict(step.params))
        if is_nowhere(made):
            break
    return made.arrays[0]


def _is_open(array: Any, target: Any) -> bool:
    """It may be the array that is wanted."""
    if array.shape != target.shape:
        return False
    with unwarned():
        apart = np.abs(array - target).max()
        return not apart > APART * max(np.abs(array).max(), np.abs(target).max())
