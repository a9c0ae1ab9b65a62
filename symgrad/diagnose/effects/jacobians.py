"""The Jacobian of a softmax, which people write down as a matrix, ``np.diag(p) - np.outer(p, p)``, or take entry by
entry: ``p*(1 - p)*g``, or ``p*g``, for ``p*(g - sum(g*p))``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.diagnose.effects.lapses import Try
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import TOLERANCE, Vec, apply
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Offer, slimmed

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a matrix is another one than the Jacobian of a softmax; that its diagonal stands for it.
COST = 1.2
DIAGONAL = 0.85




def jacobians(passage: Passage, offers: Sequence[Offer]) -> Iterator[Try]:
    """A square matrix as the Jacobian of a softmax that has as many entries; what its diagonal was multiplied by."""
    yield from _entry_by_entry(passage)
    unit = passage.units[0] if len(passage.units) == 1 else None
    shape = passage.graph.steps[unit.step].shape if unit is not None else ()
    if unit is None or unit.augmented or len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
        return
    if unit.line != passage.number or unit.span.line != unit.span.end_line:
        return
    for offer in offers:
        q = offer.quantity
        if q.kind != "forward" or not offer.text or passage.graph.steps[q.bottom].is_leaf:
            continue
        if q.vec.shape not in ((shape[0],), (shape[0], 1)) or not all(map(_is_distribution, lifted(q.vec).arrays)):
            continue

        def make(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer) -> Vec:
            return Shaped([_jacobian(a) for a in lifted(slimmed(offer.value(i), value)).arrays])

        have = lifted(passage.value(unit.step)).arrays[-1]
        p = lifted(q.vec).arrays[-1].ravel()
        part = any(np.allclose(have, m, rtol=TOLERANCE, atol=0) for m in (np.diag(p), -np.outer(p, p)))
        lib, name = "np." if "np." in passage.text.source.source else "torch.", offer.text
        diagonal = f"{lib}diagflat({name})" if len(q.vec.shape) == 2 else f"{lib}diag({name})"
        outer = f"{name} @ {name}.T" if len(q.vec.shape) == 2 else f"{lib}outer({name}, {name})"
        mistake, words = ("missing-term", "leaves out a term") if part else (
            "wrong-formula", "is not the derivative that belongs here",
        )  # fmt: skip
        repair = Repair(UNPLACED, mistake, words, COST, text=f"{diagonal} - {outer}", span=unit.span)
        yield ((unit.step, -1),), 0, make, repair


def _entry_by_entry(passage: Passage) -> Iterator[Try]:
    """``p*(1 - p)*g``, or ``p*g`` without the sum, where g stands in the line."""
    unit = passage.units[0] if len(passage.units) == 1 else None
    if unit is None or unit.augmented or not passage.graph.steps[unit.step].shape:
        return
    value = passage.layout.actual
    shape = passage.graph.steps[unit.step].shape
    alike = [i for i in passage.line.used() if passage.graph.steps[i].shape == shape]
    for softmax in passage.text.softmaxes:
        p, axis = softmax.outputs[0], softmax.axis
        if passage.graph.steps[p].shape != shape or not passage.layout.is_forward(p):
            continue
        slope = value(p) - value(p) * value(p)
        for j in alike:
            name, called = _name(passage, j, unit.step), _name(passage, p, unit.step)
            if not (name and called):
                continue
            if value(unit.step).same(value(p) * value(j)):
                mistake, words = "missing-term", "leaves out a term"
            elif value(unit.step).same(slope * value(j)):
                mistake, words = "wrong-formula", "takes a softmax entry by entry"
            else:
                continue

            def make(_i: int, old: Vec, _args: Sequence[Vec], j: int = j, p: int = p, axis: int = axis) -> Vec:
                s, g = slimmed(value(p), old), slimmed(passage.board.now(j), old)
                total = apply("sum", [g * s], (("axis", (axis % len(shape),)), ("keepdims", True)))
                return s * (g - total)

            lib = "np." if "np." in passage.text.source.source else "torch."
            along = f", axis={axis}, keepdims=True" if len(shape) > 1 else ""
            text = f"{called} * ({name} - {lib}sum({name} * {called}{along}))"
            yield ((unit.step, -1),), 0, make, Repair(UNPLACED, mistake, words, DIAGONAL, text=text, span=unit.span)


def _name(passage: Passage, step: int, time: int) -> str:
    """What a value is called at some time."""
    names = (n for n, times in passage.text.bound.items() for t, i in times if i == step and t <= time)
    return next((n for n in names if n.isidentifier()), "")


def _jacobian(array: Any) -> Any:
    p = array.ravel()
    return np.diag(p) - np.outer(p, p)


def _is_distribution(array: Any) -> bool:
    return bool((array > 0).all()) and abs(float(array.sum()) - 1) <= TOLERANCE
