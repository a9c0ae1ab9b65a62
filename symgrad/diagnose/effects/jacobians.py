"""The Jacobian of a softmax, which people write down as a matrix: ``np.diag(p) - np.outer(p, p)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.diagnose.effects.lapses import Try
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import TOLERANCE, Vec
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Offer, slimmed

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a matrix is another one than the Jacobian of a softmax.
COST = 1.2




def jacobians(passage: Passage, offers: Sequence[Offer]) -> Iterator[Try]:
    """A square matrix as the Jacobian of a softmax that has as many entries."""
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


def _jacobian(array: Any) -> Any:
    p = array.ravel()
    return np.diag(p) - np.outer(p, p)


def _is_distribution(array: Any) -> bool:
    return bool((array > 0).all()) and abs(float(array.sum()) - 1) <= TOLERANCE
