"""What a line of arrays hands to a function may be another variable: ``dsigmoid(out)`` for ``dsigmoid(h)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.confusions import swapped
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Offer, Site, slimmed

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a function is handed its output, or what it is to be handed is another variable.
CONFUSED, OTHER = 0.45, 1.0



def arguments(passage: Passage, offers: Sequence[Offer]) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
    """Every other variable of that shape in every call of a function of the script."""
    steps, source = passage.graph.steps, passage.text.source
    plain = [o for o in offers if o.quantity.kind == "forward" and o.text.isidentifier()]
    for depth, sites in enumerate(passage.groups()):
        i, slot = sites[0]
        if slot < 0 or len(sites) != len(passage.ends):
            continue
        for place, name in source.arguments(source.operand(steps[i].span, slot)):
            held = passage.held(name)
            made = [(steps[k].inputs[at], held[passage.round_of(k)]) for k, at in sites]
            inside = [passage.text.calls.inside(r, given, passage.number) if given >= 0 else [] for r, given in made]
            if not all(inside):
                continue
            have = passage.value(made[0][1])
            for offer in plain:
                if offer.text == name or offer.quantity.vec.shape != have.shape or offer.quantity.vec.same(have):
                    continue
                mistake, words = swapped(
                    passage.context.known, passage.layout.origin(made[0][1]), offer.quantity, passage.layout.variable
                )
                cost = CONFUSED if mistake == "input-for-output" else OTHER
                repair = Repair(UNPLACED, mistake, words, cost, text=offer.text, span=place)
                yield sites, depth, _make(passage, offer, [given for _, given in made], inside), repair


def _make(passage: Passage, offer: Offer, given: Sequence[int], inside: Sequence[Sequence[int]]) -> Make:
    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        n, steps = passage.round_of(i), passage.graph.steps
        held = {given[n]: offer.value(i)}
        for k in inside[n]:
            args = (held[j] if j in held else passage.value(j) for j in steps[k].inputs)
            held[k] = apply(steps[k].op, [slimmed(a, value) for a in args], steps[k].params)
        return slimmed(held[inside[n][-1]], value)

    return make


__all__ = ["arguments"]
