"""What is left over where something was forgotten: values that are worked out and used nowhere, and numbers that stand
without the root that belongs around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from symgrad.diagnose.effects.lapses import Try
from symgrad.diagnose.values.shaped import shape_of
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Offer, Site, slimmed
from symgrad.ops import OPS

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a value which is used nowhere was left out, alone or in a product.
UNUSED = 0.9
IN_PRODUCT = 1.1
#: Values that are used nowhere are tried with so many others, at most.
MOST_PARTNERS = 30




def remnants(passage: Passage, offers: Sequence[Offer]) -> Iterator[Try]:
    """What is tried in a line: where, how deep, what, and in words."""
    idle = [o for o in offers if o.text in passage.idle]
    for depth, sites in enumerate(passage.groups()):
        i, slot = sites[0]
        step = passage.graph.steps[i]
        if slot < 0 and idle and not step.is_leaf:
            yield from _unused(passage, sites, depth, idle, offers)
        if slot >= 0 and not passage.graph.steps[step.inputs[slot]].shape:
            yield from _rooted(passage, sites, depth)


def _unused(
    passage: Passage, sites: tuple[Site, ...], depth: int, idle: Sequence[Offer], offers: Sequence[Offer]
) -> Iterator[Try]:
    """``dnorm - mean1`` where mean2 is worked out and used nowhere: ``- norm*mean2`` is missing."""
    shape = passage.graph.steps[sites[0][0]].shape
    own = passage.text.words(passage.number)
    partners = [o for o in offers if o.text and o.quantity.kind == "forward"]
    partners.sort(key=lambda o: o.text not in own)
    for one in idle:
        for other in (None, *partners[:MOST_PARTNERS]):
            shapes = [one.quantity.vec.shape, other.quantity.vec.shape] if other is not None else []
            made = shape_of(OPS["mul"], shapes, {}) if shapes else one.quantity.vec.shape
            if made is None or shape_of(OPS["add"], [made, shape], {}) not in (shape, passage.goal.shape):
                continue
            cost = UNUSED if other is None else IN_PRODUCT
            text = one.text if other is None else f"{other.text}*{one.text}"
            for op, sign, mistake in (("sub", "-", "term"), ("add", "+", "term"), ("mul", "*", "factor")):

                def make(
                    i: int, value: Vec, _args: Sequence[Vec], one: Offer = one, other: Offer | None = other,
                    op: str = op,
                ) -> Vec:  # fmt: skip
                    more = slimmed(one.value(i), value)
                    if other is not None:
                        more = more * slimmed(other.value(i), value)
                    return apply(op, [value, more])

                carried = len(passage.layout.by_name.get(one.text, ())) > 1
                words = f"leaves out {one.text}, which {'no round uses' if carried else 'is used nowhere'}"
                yield sites, depth, make, Repair(
                    UNPLACED, f"missing-{mistake}", words, cost, template=f"{{0}} {sign} {text}"
                )  # fmt: skip


def _rooted(passage: Passage, sites: tuple[Site, ...], depth: int) -> Iterator[Try]:
    """``/ d`` for ``/ sqrt(d)``."""
    i, slot = sites[0]
    where = passage.text.source.operand(passage.graph.steps[i].span, slot)
    name = passage.text.source.text(where) if where is not None else ""
    rooted = re.compile(rf"sqrt\({re.escape(name)}\)|(?<![\w.]){re.escape(name)}\s*\*\*\s*\(?(?:0?\.5|-0?\.5|1 ?/ ?2)")
    if not name.isidentifier() or rooted.search(passage.layout.subject.source) is None:
        return  # of this number nobody takes a root anywhere

    def root(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return apply("sqrt", [value])

    words = "stands without the root that belongs around it"
    yield sites, depth, root, Repair(UNPLACED, "wrong-formula", words, 0.97, text=f"{name}**0.5", span=where)
