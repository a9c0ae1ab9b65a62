"""True quantities in the gradients and names that the user has: what should stand in a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations

from symgrad.backward import Backward, backward
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.observing.truth import Link, Quantity, Truth
from symgrad.diagnose.text.naming import claims
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.words.formulas import LONGEST, Formulas, is_atom, wrap
from symgrad.diagnose.words.through import Held, gathered, through
from symgrad.errors import SymgradError
from symgrad.ops import OPS
from symgrad.ops.tidy import Tidied, tidy
from symgrad.printing import expression_text

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w(])")
#: All paths of a number together, beyond which they are not written into a message.
LONGEST_OF_PATHS = 600
#: ... a whole derivative by an array: what is longer says less than the entries that are wrong.
LONGEST_OF_ARRAYS = 120
#: Of more paths than this it is not asked which of them a sum is of.
MOST_FLOWS = 6


class Wording(Formulas):
    """Writes quantities of one diagnosis as the user would.

    Args:
        meaning: step -> what it holds.
    """

    def __init__(
        self, subject: Subject, truth: Truth, meaning: Mapping[int, Quantity], variable: Callable[[int], str],
        formulas: dict[tuple[int, int], str] | None = None,
    ) -> None:
        super().__init__(subject, truth, formulas)
        self.meaning = meaning
        self._variable = variable
        #: Finds what holds gradients up to a constant factor, where that is asked.
        self.deferred: Callable[[], Mapping[int, Sequence[tuple[int, Held]]]] | None = None
        self._taught: Backward | None = None
        self._tidied: Tidied | None = None
        #: (top, bottom) -> what the user calls d top/d bottom, with its value.
        self._factors: dict[tuple[int, int], list[tuple[int, Vec]]] = {}
        self._held: dict[tuple[str, int, int], list[int]] = {}
        for step, q in meaning.items():
            if q.kind in ("cotangent", "tangent", "local"):
                self._held.setdefault((q.kind, q.top, q.bottom), []).append(step)
                if q.kind != "cotangent":
                    self._factors.setdefault((q.top, q.bottom), []).append((step, q.vec))

    @cached_property
    def _respellings(self) -> dict[str, str]:
        """Names of the forward pass that the derivation calls something else: ``a_ = a.detach()``."""
        steps, names = self.subject.graph.steps, self.subject.names
        renamed: dict[int, list[tuple[int, str]]] = {}
        for unit in self.subject.units:
            i = unit.step
            while not steps[i].is_leaf and OPS[steps[i].op].renames:
                i = steps[i].inputs[0]
            if i != unit.step and i in names and unit.name.isidentifier() and unit.step not in self.meaning:
                renamed.setdefault(i, []).append((unit.step, unit.name))
        manual = [s for s, v in zip(steps, self.truth.values, strict=True) if v is None]
        out: dict[str, str] = {}
        for i, others in renamed.items():
            first, name = others[0]
            if sum(first in s.inputs for s in manual) >= sum(i in s.inputs for s in manual):
                out[names[i]] = name
        return out

    def own(self, text: str) -> str:
        """A formula in the names that the derivation has for the values of the forward pass."""
        if not self._respellings:
            return text
        return _NAME.sub(lambda m: self._respellings.get(m.group(), m.group()), text)

    def quantity(self, q: Quantity, before: int) -> str:
        """A quantity as a formula of what is there before the step ``before``; empty where there is no short one."""
        if q.kind == "forward":
            return self.symbol(q.bottom)
        if q.kind == "local":
            return self.local(q.top, q.bottom, before)
        held = [s for s in self._held.get((q.kind, q.top, q.bottom), ()) if s < before]
        if held and (name := self._called(held[-1])):
            return name
        if q.kind in ("cotangent", "contribution"):
            tops = [q.top] if q.kind == "contribution" else [t for t, _ in self.truth.into.get(q.bottom, ())]
            text = self.paths(tops, q.bottom, before)
            return text or (self.through(q.bottom, before, tops) if self.subject.is_shaped else "")
        if q.kind == "tangent" and q.top != q.bottom:
            return self.chain(q.top, q.bottom, before)
        if q.kind == "term":
            return ""
        return ""

    def expected(self, q: Quantity, before: int, tops: list[int] | None = None) -> str:
        """The right-hand side that gives a quantity, never the name of a step that holds it already."""
        if q.kind == "tangent":
            return self.chain(q.top, q.bottom, before)
        if q.kind == "local":
            return self.local(q.top, q.bottom)
        if q.kind in ("cotangent", "contribution", "sum"):
            chosen = tops or ([q.top] if q.kind == "contribution" else self._summed(q))
            if q.bottom == self.subject.loss:
                return "1"
            if not chosen:
                return ""
            if made := self.paths(chosen, q.bottom, before):
                return made
            some = None if q.kind == "cotangent" else chosen
            if self.subject.is_shaped and (made := self.through(q.bottom, before, some)):
                return made
            return self.closed(q.bottom) if q.kind == "cotangent" else ""
        return self.quantity(q, before)

    def _summed(self, q: Quantity) -> list[int]:
        """The steps along which what adds up to a quantity flows: all there are, or those that it is the sum of."""
        flows = self.truth.into.get(q.bottom, ())
        tops = [t for t, _ in flows]
        if q.kind != "sum" or not self.subject.is_shaped:
            return tops
        for count in range(len(flows), 0, -1):
            for some in combinations(flows, count):
                total = some[0][1]
                for _, flow in some[1:]:
                    total = total + flow
                if total.usable and total.same(q.vec):
                    return [t for t, _ in some]
            if len(flows) > MOST_FLOWS:
                break
        return []

    def through(self, bottom: int, before: int, tops: Sequence[int] | None = None) -> str:
        """The derivative by a step in the gradients that are held before a step; empty if that is long."""

        def holder(i: int) -> Held | None:
            name = self._holder("cotangent", self.subject.loss, i, before)
            return (name, Fraction(1)) if name else None

        def roughly(i: int) -> Held | None:
            mine = (held for step, held in self._deferred.get(i, ()) if step < before and i != bottom)
            return holder(i) or next(mine, None)

        for held in (holder, roughly):
            text = through(self.subject, self.truth, bottom, held, tops=tops, symbol=self.symbol, limit=LONGEST)
            if text or (held is holder and not self._deferred):
                return text
        return ""

    @cached_property
    def _deferred(self) -> Mapping[int, Sequence[tuple[int, Held]]]:
        return self.deferred() if self.deferred is not None else {}

    def closed(self, bottom: int) -> str:
        """dL/d bottom written out in terms of the forward pass; empty if that is long."""
        if self._taught is None:
            self._taught = backward(self.subject.graph, self.truth.leaves)
        position = self._taught.cotangents.get(bottom)
        if position is None:
            return ""
        names = {i: self.symbol(i) for i in (*self.truth.leaves, *self.subject.names)}
        if not self.subject.is_shaped:
            return expression_text(self._taught.graph, position, set(names), names=names, limit=LONGEST)
        if self._tidied is None:
            self._tidied = tidy(self._taught.graph, len(self.subject.graph))
        tidied = self._tidied
        return expression_text(tidied.graph, tidied.place[position], set(names), names=names, limit=LONGEST_OF_ARRAYS)

    def paths(self, tops: list[int], bottom: int, before: int) -> str:
        """What flows to a step along some paths, in terms of the gradients that are held; empty if one is not, or if it
        is long."""
        if self.subject.is_shaped:
            return self._pulled(tops, bottom, before)
        parts = []
        for top in tops:
            if near := self._near(top, bottom, before):
                parts += near
                continue
            local = self.local(top, bottom, before)
            if top == self.subject.loss:
                upstream = self._seed(before)
            else:
                upstream = self._holder("cotangent", self.subject.loss, top, before)
                if not upstream and not _is_one(self.truth.cotangents[top]):
                    return ""
            if not local:
                return ""
            if not upstream:
                parts.append(local)
            elif local == "1":
                parts.append(upstream)
            else:
                parts.append(_product(upstream, local))
        text = " + ".join(parts)
        return text if len(text) <= LONGEST_OF_PATHS else ""

    def _near(self, top: int, bottom: int, before: int) -> list[str]:
        """The paths from one step to another by way of steps without a name, whose gradients are held nevertheless."""
        held: dict[int, str] = {}
        todo = [i for i in self._hidden.get(bottom, ()) if self.truth.owner[i] == top]
        while todo:
            i = todo.pop(0)
            name = self._holder("cotangent", self.subject.loss, i, before)
            onward = [k for k in self._hidden.get(i, ()) if self.truth.owner[k] == top]
            if name:
                held[i] = name
            elif not onward or top in self._consumers(i):
                return []
            else:
                todo += onward
        factors = [(name, self.local(i, bottom, before) or self.composite(i, bottom)) for i, name in held.items()]
        return [n if x == "1" else _product(n, x) for n, x in factors] if all(x for _, x in factors) else []

    def _consumers(self, i: int) -> list[int]:
        return [link.top for link in self._used_by.get(i, ())]

    @cached_property
    def _used_by(self) -> dict[int, list[Link]]:
        out: dict[int, list[Link]] = {}
        for links in self.truth.elementary.values():
            for link in links:
                out.setdefault(link.bottom, []).append(link)
        return out

    @cached_property
    def _hidden(self) -> dict[int, list[int]]:
        """Steps without a name, by what they are made of."""
        out: dict[int, list[int]] = {}
        for i in self.truth.owner:
            for j in dict.fromkeys(self.subject.graph.steps[i].inputs):
                out.setdefault(j, []).append(i)
        return out

    def _seed(self, before: int) -> str:
        """The name of dL/dL, where something is made of it; empty where it goes without saying."""
        loss = self.subject.loss
        held = [s for s in self._held.get(("cotangent", loss, loss), ()) if s < before]
        if not held or (_is_one(self.truth.cotangents[loss]) and not self._is_used(held[-1])):
            return ""
        return self._called(held[-1])

    def _is_used(self, step: int) -> bool:
        return any(step in s.inputs for s in self.subject.graph.steps[step + 1 :])

    def _pulled(self, tops: list[int], bottom: int, before: int) -> str:
        """What flows from some steps to another one, of arrays: by the vjp of all that lies between them."""
        graph = self.subject.graph
        region = self.between(tops, bottom)
        if not region or bottom in tops:
            return ""
        builder, place = self.copied(region, tops)
        seeds: dict[int, int] = {}
        for top in tops:
            held = self._holder("cotangent", self.subject.loss, top, before)
            if held:
                seeds[place[top]] = builder.add("input", name=held, shape=graph.steps[top].shape)
            elif top == self.subject.loss and not graph.steps[top].shape and _is_one(self.truth.cotangents[top]):
                seeds[place[top]] = builder.const(Fraction(1))
            else:
                return ""
        try:
            reverse = backward(builder.build(place[tops[0]]), [place[bottom]], seeds=seeds)
        except SymgradError:
            return ""
        tidied = tidy(reverse.graph, len(region) + len(seeds))
        names: Mapping[int, str] = {i: s.name for i, s in enumerate(tidied.graph.steps) if s.is_input}
        text = expression_text(tidied.graph, tidied.place[reverse.gradients[0]], names, names=names, limit=LONGEST)
        # Two values of one name (of several rounds of a loop) cannot be told apart in a formula.
        return "" if "#" in text or "__setitem__" in text else gathered(text)

    def _holder(self, kind: str, top: int, bottom: int, before: int) -> str:
        held = [s for s in self._held.get((kind, top, bottom), ()) if s < before]
        return self._called(held[-1]) if held else ""

    def _called(self, step: int) -> str:
        """What a derivative is called, also where it is only another name of a value: dnum = invden."""
        if step in self.subject.names:
            return next((u.name for u in self.subject.units if u.step == step and claims(u.name)), self._variable(step))
        return self._variable(step)

    def chain(self, top: int, leaf: int, before: int) -> str:
        """d top/d leaf by the chain rule, in terms of the tangents that the user has."""
        if top == leaf:
            return "1"
        parts = []
        for link in self.truth.links.get(top, ()):
            if link.bottom == leaf:
                parts.append(self.local(top, leaf, before))
            elif link.bottom in self.truth.tangents(leaf):
                inner = self._holder("tangent", link.bottom, leaf, before)
                if not inner:
                    return ""
                local = self.local(top, link.bottom, before)
                parts.append(inner if local == "1" else f"{wrap(local)}*{inner}")
        return " + ".join(parts)

    def local(self, top: int, bottom: int, before: int = 0) -> str:
        """The local derivative d top/d bottom as taught, in the user's names: one that is held ``before`` a step."""
        link = self.link(top, bottom)
        if link is None or link.local is None:
            return ""
        held_so = () if self._is_carried_on(top, bottom) else self._factors.get((top, bottom), ())
        for held, vec in reversed(held_so):
            if held < before and vec.same(link.local) and (name := self._variable(held)):
                return name
        return self.slope(link)

    def _is_carried_on(self, top: int, bottom: int) -> bool:
        """d top/d bottom is one of a series of derivatives that are carried forward: no factor of a reverse pass."""
        others = (t for t, b in self._factors if b == bottom and t != top)
        return any(link.bottom == top for t in others for link in self.truth.links.get(t, ()))

def _is_one(vec: object) -> bool:
    constant = getattr(vec, "constant", lambda: None)()
    return bool(constant == 1)


def _product(upstream: str, local: str) -> str:
    """A gradient times a local derivative: ``dr/x`` for the derivative ``1/x``."""
    below = local.removeprefix("1/")
    return f"{upstream}/{below}" if below != local and is_atom(below) else f"{upstream}*{wrap(local)}"
