"""Lists of gradients, which may be in the order of what they are of, or filled from the end: values tell."""

from __future__ import annotations

import re
from collections import defaultdict

from symgrad.diagnose.meaning.names import Pair
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.values.vectors import Vec

#: An entry of a list.
_ENTRY = re.compile(r"(.+)\[(\d+)\]")


def in_order(layout: Layout, reading: Reading) -> dict[str, tuple[Pair, ...]]:
    """Entries of lists of gradients -> the entry of which each is the gradient, where more of them are right in that
    order than in the other one. Of numbers only."""
    lists: dict[str, dict[int, Unit]] = defaultdict(dict)
    for name, unit in layout.last.items() if not layout.subject.is_shaped else ():
        found = _ENTRY.fullmatch(name)
        if found is not None and len(reading.pairs(name)) > 1 and reading.by_inputs(name):
            lists[found[1]][int(found[2])] = unit
    out: dict[str, tuple[Pair, ...]] = {}
    for mine in lists.values():
        own = {k: p for k, u in mine.items() if (p := _entry(u.name, k, layout, reading)) is not None}
        count = max(mine) + 1
        ahead = {k for k, p in own.items() if _is(layout.actual(mine[k].step), p, reading)}
        # What is right in its own place says nothing in another one.
        turned = ((count - 1 - k, p) for k, p in own.items() if k not in ahead)
        back = sum(k in mine and _is(layout.actual(mine[k].step), p, reading) for k, p in turned)
        # The one in the middle is in its place in either order.
        middle = {k for k in ahead if 2 * k == count - 1 and count > 1}
        if len(own) == len(mine) and len(ahead - middle) > back:
            out.update((mine[k].name, (p,)) for k, p in own.items())
    return out


def _entry(name: str, k: int, layout: Layout, reading: Reading) -> Pair | None:
    """The pair that a name stands for, whose variable is at the same place of its list."""
    steps = [i for called, i in layout.subject.aliases if called.endswith(f"[{k}]")]
    found = [pair for pair in reading.pairs(name) if pair[1] in steps]
    return found[0] if len(found) == 1 else None


def _is(vec: Vec, pair: Pair, reading: Reading) -> bool:
    return not vec.is_zero and vec.same(reading.vec(pair))


__all__ = ["in_order"]
