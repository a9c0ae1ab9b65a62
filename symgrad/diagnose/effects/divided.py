"""What the forward pass divides by, and a line does not: ``/ s`` or ``/ s**2`` of a quotient's derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from symgrad.diagnose.effects.lapses import Try
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Offer, slimmed
from symgrad.ops.slips import is_within

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a division is left out; that one by the square is.
ONCE, TWICE = 1.4, 1.5


def divided(passage: Passage, offers: Sequence[Offer]) -> Iterator[Try]:
    """What is tried in a line: where, how deep, what, and in words."""
    below = [o for o in offers if o.text and o.quantity.kind == "forward" and o.quantity.bottom in passage.below]
    for depth, sites in enumerate(passage.groups() if below else ()):
        if not passage.takes(sites)[0]:
            continue
        i, slot = sites[0]
        have = passage.value(passage.graph.steps[i].inputs[slot] if slot >= 0 else i)
        for offer in below:
            if not have.shape or not is_within(offer.quantity.vec.shape, have.shape):
                continue
            for power, cost in ((1, ONCE), (2, TWICE)):

                def make(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer, power: int = power) -> Vec:
                    by = slimmed(offer.value(i), value)
                    return value / by if power == 1 else value / (by * by)

                text = offer.text if power == 1 else f"{offer.text}**2"
                yield sites, depth, make, Repair(
                    UNPLACED, "missing-factor", "leaves out a factor", cost, offer.quantity, template=f"{{0}} / {text}"
                )
