"""Objects that hold a number and its gradient: the ``Value`` of a small autograd engine.

In such a class every number is called ``self.data`` and every gradient ``self.grad`` or ``other.grad``: names that tell
nothing apart. When the run has ended it is known what the script calls each object, and the number takes that name:
``a`` for ``a.data``, and ``a.grad`` for its gradient, as with torch.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.frontends.trace.data import BackwardCall, Note
from symgrad.frontends.trace.trees import statements, walk
from symgrad.frontends.trace.values import Value
from symgrad.ops import OPS

if TYPE_CHECKING:
    from symgrad.frontends.trace.tracer import Tracer

#: What the attribute is called that holds the gradient, and what the one that holds the number.
GRADIENTS = frozenset({"grad", "gradient", "g", "deriv", "derivative", "adjoint", "adj", "bar", "d", "dv", "dval"})
NUMBERS = frozenset({"data", "value", "val", "v", "x", "item", "num", "number", "output", "a", "primal", "array"})
#: Objects that are looked through for names.
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Written:
    """A value was put into an attribute.

    Attributes:
        owner: the object; spelled: how the line calls it.
        attribute: of the object.
        place: of the binding that says so.
        reads: the attributes that were read since the last such assignment, as they are written, and their objects.
    """

    owner: Any
    spelled: str
    attribute: str
    place: int
    reads: Mapping[str, Any]


class Cells:
    """What was put into attributes of the script's own objects."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self._written: list[Written] = []
        self._kinds: set[str] = set()

    def write(self, owner: Any, attribute: str, spelled: str, value: Any, reads: Mapping[str, Any]) -> None:
        """``spelled.attribute = value`` was done, and bound."""
        if isinstance(value, Value) and value.step is not None:
            place = self.tracer.place_bound(f"{spelled}.{attribute}", value.step)
            if place >= 0:
                self._written.append(Written(owner, spelled, attribute, place, reads))

    def read(self, tree: ast.Module) -> None:
        """Find the classes in a text whose objects have a gradient."""
        for node in statements(tree):
            if isinstance(node, ast.ClassDef):
                written = (n for n in walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
                if any(_plain(n.attr) in GRADIENTS for n in written):
                    self._kinds.add(node.name)

    def holds(self, owner: Any, attribute: str) -> bool:
        """An object keeps its number in this attribute, and it has a gradient as well."""
        return _plain(attribute) in NUMBERS and type(owner).__name__ in self._kinds

    def settle(self, table: Mapping[str, Any], classes: set[type]) -> None:
        """Give numbers and gradients the names of their objects. ``table``: the script's top-level names."""
        pairs = self._pairs()
        if not pairs:
            return
        tr = self.tracer
        names = dict(_names(table, classes, pairs))
        taken = {b.name for b in tr.bindings} | {leaf.name for leaf in tr.leaves} | set(table)
        at_hand = self._at_hand()
        left = self._again(pairs)
        typed = self._typed(pairs)
        numbers: dict[int, int] = {}
        count = 0
        for w in self._written:
            number, gradient = pairs.get(id(w.owner), ("", ""))
            if w.attribute not in (number, gradient) or w.place in left | typed:
                continue
            if id(w.owner) not in names:
                count += 1
                while f"u{count}" in taken:
                    count += 1
                names[id(w.owner)] = f"u{count}"
            name, before = names[id(w.owner)], tr.bindings[w.place]
            if w.attribute == number:
                numbers[id(w.owner)] = before.step
                self._name_number(before.step, before.name, name)
                tr.bindings[w.place] = replace(before, name=name, scope="", written=before.name, is_number=True)
                continue
            near = [
                (f"{text}.{pairs[id(owner)][0]}", numbers[id(owner)])
                for text, owner in at_hand[before.scope].items()
                if id(owner) in pairs and id(owner) in numbers
            ]
            full = f"{name}.{gradient}"
            steps = tr.builder.steps
            if steps[before.step].name.partition("#")[0] == before.name:
                tr.builder.rename(before.step, full)
            tr.bindings[w.place] = replace(before, name=full, scope="", written=before.name, near=tuple(near))
            if steps[before.step].is_input and np.all(np.equal(tr.value(before.step), 1)) and id(w.owner) in numbers:
                top = numbers[id(w.owner)]  # the pass begins here: this is what is differentiated
                if not tr.backward_calls or tr.backward_calls[-1].step != top:
                    tr.backward_calls.append(BackwardCall(top, before.span))
        mine = {w.place: w for w in self._written}
        other: set[int] = set()
        for place, origin in tr.moved.items():
            first = mine.get(origin)
            # x.grad += ... by another name that the array had before: that is said already.
            if first is not None and place not in mine and first.attribute in pairs.get(id(first.owner), ()):
                other.add(place)
        for places, message in (
            (left, "a second backward pass adds to the gradients of the first: what it adds is not checked"),
            (typed, "a gradient is given as a number: what follows from it is not checked"),
        ):
            if places:
                span = tr.bindings[min(places)].span
                tr.notes.setdefault((message, span), Note(message, span))
        tr.bindings[:] = [b for b in tr.bindings if b.order not in left | typed | other]

    def _typed(self, pairs: Mapping[int, tuple[str, str]]) -> set[int]:
        """The places at which gradients are written down as numbers, and those that depend on them."""
        tr = self.tracer
        mine = [w for w in self._written if w.attribute == pairs.get(id(w.owner), ("", ""))[1]]
        steps = tr.builder.steps
        reached = bytearray(len(steps))
        for w in mine:
            step = tr.bindings[w.place].step
            if steps[step].is_input and np.any(tr.value(step)) and not np.all(np.equal(tr.value(step), 1)):
                reached[step] = 1
        if not any(reached):
            return set()
        for i, step_ in enumerate(steps):
            if any(reached[j] for j in step_.inputs):
                reached[i] = 1
        return {w.place for w in mine if reached[tr.bindings[w.place].step]}

    def _again(self, pairs: Mapping[int, tuple[str, str]]) -> set[int]:
        """The places at which gradients are added to that an earlier pass has left, and nobody has set to zero."""
        tr = self.tracer
        full: set[int] = set()
        stale: set[int] = set()
        out: set[int] = set()
        for w in self._written:
            if w.attribute != pairs.get(id(w.owner), ("", ""))[1]:
                continue
            step = self._given(tr.bindings[w.place].step)
            if not tr.builder.steps[step].is_input:
                full.add(id(w.owner))
                if id(w.owner) in stale:
                    out.add(w.place)
                continue
            full.discard(id(w.owner))
            stale.discard(id(w.owner))
            if np.any(tr.value(step)):  # the seed of a pass
                stale |= full
        return out

    def _given(self, step: int) -> int:
        """What a step only renames: the 0 that is a field's default is one for all objects."""
        steps = self.tracer.builder.steps
        while not steps[step].is_leaf and OPS[steps[step].op].renames:
            step = steps[step].inputs[0]
        return step

    def _at_hand(self) -> dict[str, dict[str, Any]]:
        """For each call of a function, the objects that it works on, by the names that it has for them."""
        out: dict[str, dict[str, Any]] = {}
        for w in self._written:
            mine = out.setdefault(self.tracer.bindings[w.place].scope, {})
            mine[w.spelled] = w.owner
            for text, owner in w.reads.items():
                base = text.rpartition(".")[0]
                if base.isidentifier():
                    mine[base] = owner
        return out

    def _pairs(self) -> dict[int, tuple[str, str]]:
        """The objects that hold a number and its gradient: by which attributes."""
        held: dict[int, dict[str, None]] = {}
        for w in self._written:
            held.setdefault(id(w.owner), {})[w.attribute] = None
        out = {}
        for owner, attributes in held.items():
            gradients = [a for a in attributes if _plain(a) in GRADIENTS]
            numbers = [a for a in attributes if _plain(a) in NUMBERS and a not in gradients]
            if len(gradients) == 1 and len(numbers) == 1:
                out[owner] = (numbers[0], gradients[0])
        return out

    def _name_number(self, step: int, before: str, name: str) -> None:
        """The number of an object takes its name, and so does what the constructor was given: ``self.data = data``."""
        tr = self.tracer
        steps = tr.builder.steps
        while True:
            if steps[step].name.partition("#")[0] == before or steps[step].is_input:
                tr.builder.rename(step, name)
            for n, leaf in enumerate(tr.leaves):
                if leaf.step == step:
                    tr.leaves[n] = replace(leaf, name=name, scope="")
            if steps[step].is_leaf or not OPS[steps[step].op].renames:
                return
            inner = steps[step].inputs[0]
            # It is computed where the constructor is called, and called where its operation is written.
            place = tr.callers.get(inner, steps[inner].span)
            steps[step] = replace(steps[step], span=place)
            step = inner


def _plain(attribute: str) -> str:
    """``grad`` for ``_grad``, which is read as a property."""
    return attribute.lower().lstrip("_")


def _names(table: Mapping[str, Any], classes: set[type], cells: Container[int]) -> Iterator[tuple[int, str]]:
    """The script's objects, and the shortest name that leads to each; none that leads through one of ``cells``."""
    seen: set[int] = set()
    level = [(name, value) for name, value in table.items() if not name.startswith("_")]
    while level and len(seen) < MOST:
        following: list[tuple[str, Any]] = []
        for name, value in level:
            if id(value) in seen:
                continue
            if type(value) in classes:
                seen.add(id(value))
                yield id(value), name
                if id(value) not in cells:
                    following += [(f"{name}.{k}", v) for k, v in vars(value).items() if not k.startswith("_")]
            elif type(value) in (list, tuple):
                seen.add(id(value))
                following += [(f"{name}[{i}]", v) for i, v in enumerate(value)]
            elif type(value) is dict:
                seen.add(id(value))
                following += [(f'{name}["{k}"]', v) for k, v in value.items() if isinstance(k, str) and k.isprintable()]
        level = [(name, value) for name, value in following if not isinstance(value, Value)]


__all__ = ["Cells"]
