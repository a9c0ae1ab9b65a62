"""What could be written in a line: the variables at hand there, entries of lists beside them, gradients, numbers.

A role is a text, and the step that it stands for in each round of the line.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from symgrad.diagnose.meaning.parameters import Parameters, function_at
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.callees import Callee, Calls
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.trying.elements import Elements, Sum
from symgrad.diagnose.trying.typed import entry, is_sum, shifted
from symgrad.errors import Span
from symgrad.ops import OPS
from symgrad.swift import swift

#: A place in the text where something is computed: line and column.
At: TypeAlias = tuple[int, int]


@swift
@dataclass(frozen=True, slots=True)
class Role:
    """Something that could be written: its text, and the step that it stands for in each round (-1: none)."""

    text: str
    steps: tuple[int, ...]


class Roles:
    """The roles in the lines of one derivation. See :func:`roles_of`.

    Attributes:
        names: forward step -> what it is called.
        entries: (list, place) -> the step that is kept there.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.graph, self.subject = layout.graph, layout.subject
        self.source = source_map(self.subject.source)
        self.calls = Calls(self.graph, self.source)
        self.elements = Elements(self.graph, self.source)
        self.parameters = Parameters(layout)
        #: A number of rounds -> what the lines read that have so many.
        self._alike: dict[int, Mapping[At, Sequence[tuple[Span, int, Role]]]] = {}
        self.names: dict[int, list[str]] = {}
        self.entries: dict[tuple[str, int], int] = {}
        # The loss itself may be put into a list once it is there.
        listed = [(n, i) for n, i, _ in self.subject.bound if entry(n) is not None and self.layout.is_forward(i)]
        for name, step in dict.fromkeys((*self.subject.aliases, *listed)):
            self.names.setdefault(step, []).append(name)
            if (place := entry(name)) is not None:
                self.entries[place] = step

    def sites(self, unit: Unit) -> dict[Span, int]:
        """The operations of one round of a line, by place."""
        out: dict[Span, int] = {}
        self._collect(unit, unit.step, out, None)
        return out

    def rounds(self, unit: Unit) -> list[dict[Span, int]]:
        """The same, where each element of a sum over a comprehension is a round of its own."""
        return self.elements.rounds(unit.step, lambda i, out, sums: self._collect(unit, i, out, sums))

    def _collect(self, unit: Unit, first: int, out: dict[Span, int], sums: list[Sum] | None) -> None:
        """What a step is made of in a line; with ``sums`` no further than to the sums there, which are put into it."""
        stack = [first]
        while stack:
            i = stack.pop()
            step = self.graph.steps[i]
            if step.is_leaf or step.span is None or step.span.line != unit.span.line or step.span in out:
                continue
            if i != unit.step and (i in self.layout.units_at or self.layout.is_forward(i)):
                continue
            out[step.span] = i
            total = self.elements.of(i) if sums is not None else None
            if sums is not None and total is not None:
                sums.append(total)
            else:
                stack.extend(step.inputs)

    def place(self, span: Span, slot: int, i: int) -> Span | None:
        """Where an operand is written: of ``dz = dh`` all that is assigned."""
        return span if OPS[self.graph.steps[i].op].renames else self.source.operand(span, slot)

    def at_hand(self, units: Sequence[Unit]) -> list[Role]:
        """What could be written in a line of a loop, of which ``units`` are the rounds."""
        count = len(units)
        if count not in self._alike:
            lines: dict[At, list[Unit]] = {}
            for u in self.subject.units:
                lines.setdefault((u.line, u.span.column), []).append(u)
            alike = {at: mine for at, mine in lines.items() if len(mine) == count}
            self._alike[count] = {at: list(self.operands([self.sites(u) for u in m])) for at, m in alike.items()}
        return self.at(units, self._alike[count])

    def operands(self, rounds: Sequence[Mapping[Span, int]]) -> Iterator[tuple[Span, int, Role]]:
        """The variables and numbers that a line reads: (operation, slot, what it is in each round)."""
        first = rounds[0]
        for span, i in first.items():
            for slot, j in enumerate(self.graph.steps[i].inputs):
                inner = self.graph.steps[j]
                if not inner.is_leaf and inner.span is not None and first.get(inner.span) == j:
                    continue
                place = self.place(span, slot, i)
                if place is None or place.line != place.end_line:
                    continue
                steps = tuple(
                    self.graph.steps[r[span]].inputs[slot]
                    if span in r and slot < len(self.graph.steps[r[span]].inputs)
                    else -1
                    for r in rounds
                )
                yield span, slot, Role(self.source.text(place), steps)

    def at(self, units: Sequence[Unit], operands: Mapping[At, Sequence[tuple[Span, int, Role]]]) -> list[Role]:
        """What could stand in a line: what is read in the loop, its neighbours in lists, weights, gradients."""
        count = len(units)
        out: dict[str, Role] = {}
        for at, found in operands.items():
            if (not units[0].name or units[0].written) and at[0] != units[0].line:
                continue  # a function sees its own names
            if any(c.place[0] == at[0] != units[0].line for c in self.calls.callees.values()):
                continue  # ... and nobody else does
            theirs = self.source.local_names(at[0]) if at[0] != units[0].line else set()
            for _, _, role in found:
                if not theirs.isdisjoint(names_in(role.text)):
                    continue
                if len(role.steps) == count and not self.graph.steps[role.steps[0]].is_const:
                    out.setdefault(role.text, role)
                    for near in self._neighbours(role):
                        out.setdefault(near.text, near)
        for text, steps_of in self._run_through(units).items():
            out.setdefault(text, Role(text, steps_of))
        for text in dict.fromkeys(text for u in units for text, _ in u.near):
            out.setdefault(text, Role(text, tuple(dict(u.near).get(text, -1) for u in units)))
        if not units[0].name or units[0].written:
            for text, steps_of in (self._parameters(units) or self._inside(units)).items():
                out.setdefault(text, Role(text, steps_of))
            return list(out.values())
        for text, steps_of in self._handed(units).items():
            out.setdefault(text, Role(text, steps_of))
        for text, role in self._compound(units, list(out.values())).items():
            out.setdefault(text, role)
        for name, step in self.subject.aliases:
            if "[" in name or name in out or self._is_later(name, units[0].step):
                continue
            if self._is_single(name):
                out[name] = Role(name, (step,) * count)
            else:
                # What a loop over the data has at hand: its latest value.
                held = tuple(self._latest(name, u.step) for u in units)
                if min(held) >= 0:
                    out[name] = Role(name, held)
        for name, mine in self.layout.by_name.items():
            # What a name stands for depends on where it is read, if it is given to one value after the other.
            changes = name in out and len({u.line for u in mine}) > 1
            if "[" in name or mine[0].unnamed or (name in out and not changes):
                continue
            steps = [u.step for u in mine]
            held = tuple(steps[n - 1] if (n := bisect_left(steps, u.step)) else -1 for u in units)
            if held[-1] >= 0:
                out[name] = Role(name, held)
        return list(out.values())

    def _run_through(self, units: Sequence[Unit]) -> dict[str, tuple[int, ...]]:
        """The variables of the comprehension that a line adds up, where its elements are the rounds."""
        if len({u.step for u in units}) > 1:
            return {}
        sums = (self.elements.of(i) for i in self.rounds(units[0])[0].values())
        lists = {name: stem for total in sums if total is not None for name, stem in total.lists.items()}
        out = {}
        for name, stem in lists.items():
            held = tuple(self._entry(stem, k, units[0].step) for k in range(len(units)))
            if min(held) >= 0 and self._entry(stem, len(units), units[0].step) < 0:
                out[name] = held
        return out

    def _entry(self, stem: str, k: int, before: int) -> int:
        """The step that is kept at a place of a list; -1 if there is none."""
        mine = [u.step for u in self.layout.by_name.get(f"{stem}[{k}]", ()) if u.step < before]
        return mine[-1] if mine else self.entries.get((stem, k), -1)

    def _handed(self, units: Sequence[Unit]) -> dict[str, tuple[int, ...]]:
        """The parameters of the function that a line is in, with what they were in each of its calls."""
        if all(u.step not in self.subject.callers for u in units):
            return {}
        given = [self.parameters.given(u.step, u.span.line) for u in units]
        return {p: tuple(g.get(p, -1) for g in given) for p in given[0] if all(p in g for g in given)}

    def _inside(self, units: Sequence[Unit]) -> dict[str, tuple[int, ...]]:
        """What a line that a function returns has at hand: its parameters, and what was worked out before."""
        out = self._handed(units)
        around = function_at(self.subject.source, units[0].span.line)
        if around is None or not out:
            return {}
        for name, mine in self.layout.by_name.items():
            steps = [u.step for u in mine if around.lineno < u.line <= (around.end_lineno or u.line)]
            held = tuple(steps[n - 1] if (n := bisect_left(steps, u.step)) else -1 for u in units)
            if name.isidentifier() and min(held) >= 0:
                out.setdefault(name, held)
        return out

    def _parameters(self, units: Sequence[Unit]) -> dict[str, tuple[int, ...]]:
        """What a function of one expression was given in each of its calls, and what others make of that."""
        callee = self.calls.at(units[0].span)
        if callee is None:
            return {}
        given = [self._given(u.step, callee) for u in units]
        out = {p: tuple(g.get(p, -1) for g in given) for p in callee.parameters if any(p in g for g in given)}
        for name, other in self.calls.callees.items():
            if name == callee.name or len(other.parameters) != 1:
                continue
            for p in callee.parameters:
                found = [self._made(name, g.get(p, -1), u.step) for g, u in zip(given, units, strict=True)]
                if min(found) >= 0:
                    out[f"{name}({p})"] = tuple(found)
        return out

    def _given(self, i: int, callee: Callee) -> dict[str, int]:
        """What a call that made a step was given: as its steps read it, else as the call is written."""
        out = self.calls.given(i, callee)
        for parameter, name in self.calls.arguments(self.subject.callers.get(i), callee).items():
            if parameter not in out and name.isidentifier() and (step := self._held(name, i)) >= 0:
                out[parameter] = step
        return out

    def _held(self, name: str, before: int) -> int:
        """The step that a name stands for where another one is made; -1 if there is none."""
        mine = [u.step for u in self.layout.by_name.get(name, ()) if u.step < before]
        return max(mine[-1] if mine else -1, self._latest(name, before) if name in self._by_alias else -1)

    def _made(self, name: str, given: int, before: int) -> int:
        """What a function made of something, the last time before a step; -1 if it did not."""
        return max((i for i in self.calls.results.get((name, given), ()) if i < before), default=-1)

    def _is_later(self, name: str, before: int) -> bool:
        """The name was given to something of the derivation by then: in a second epoch, say."""
        mine = self.layout.by_name.get(name)
        return mine is not None and mine[0].step < before

    def _compound(self, units: Sequence[Unit], known: Sequence[Role]) -> dict[str, Role]:
        """What the forward pass computes without a name, from what a line could write: ``(pred - t)``."""
        count = len(units)
        at_hand: list[set[int]] = [{r.steps[n] for r in known} for n in range(count)]
        names = {r.text for r in known}
        out: dict[str, Role] = {}
        for span, steps in self.unnamed.items():
            text = f"({self.source.text(span)})"
            if not is_sum(text[1:-1]) or not names_in(text) <= names | self._by_alias.keys():
                continue
            found = []
            for n in range(count):
                mine = [i for i in steps if self._inputs_of(i) <= at_hand[n]]
                found.append(mine[0] if len(mine) == 1 or (mine and count == 1) else -1)
            if min(found) >= 0:
                out[text] = Role(text, tuple(found))
        return out

    @cached_property
    def unnamed(self) -> dict[Span, list[int]]:
        """The operations of the forward pass that have no name, by place."""
        out: dict[Span, list[int]] = {}
        # A formula may be checked of a function that stands elsewhere.
        files = {u.span.file for u in self.subject.units}
        for i, step in enumerate(self.graph.steps):
            plain = step.span is not None and step.span.line == step.span.end_line and step.span.file in files
            if plain and step.span and not step.is_leaf and self.layout.is_forward(i) and i not in self.subject.names:
                out.setdefault(step.span, []).append(i)
        return out

    @cached_property
    def reads(self) -> dict[tuple[Span, int], list[int]]:
        """The variables that the forward pass reads, by place: what they are in each round."""
        out: dict[tuple[Span, int], list[int]] = {}
        for i, step in enumerate(self.graph.steps):
            if step.span is None or step.is_leaf or not self.layout.is_forward(i):
                continue
            for slot, j in enumerate(step.inputs):
                if not self.graph.steps[j].is_const and j in self.names:
                    out.setdefault((step.span, slot), []).append(j)
        return out

    def _inputs_of(self, i: int) -> set[int]:
        return {j for j in self.graph.steps[i].inputs if not self.graph.steps[j].is_const}

    def _latest(self, name: str, before: int) -> int:
        """The forward step that a name stands for where a step is made; -1 if there is none yet."""
        steps = self._by_alias[name]
        n = bisect_left(steps, before)
        return steps[n - 1] if n else -1

    @cached_property
    def _by_alias(self) -> dict[str, list[int]]:
        out: dict[str, set[int]] = {}
        for name, step in self.subject.aliases:
            out.setdefault(name, set()).add(step)
        return {name: sorted(steps) for name, steps in out.items()}

    def _is_single(self, name: str) -> bool:
        return len(self._counts[name]) == 1

    @cached_property
    def _counts(self) -> dict[str, set[int]]:
        out: dict[str, set[int]] = {}
        for name, step in self.subject.aliases:
            out.setdefault(name, set()).add(self.layout.original(step))
        return out

    def _neighbours(self, role: Role) -> Iterator[Role]:
        """``hs[t+1]`` and ``hs[t-1]`` for ``hs[t]``, and other lists at these places."""
        try:
            node = ast.parse(role.text, mode="eval").body
        except SyntaxError:
            return
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            return
        base = node.value.id
        places: list[tuple[str, int] | None] = []
        for i in role.steps:
            found = [e for e in map(entry, self.names.get(self.layout.original(i), ())) if e is not None]
            found += [e for e in map(entry, self.names.get(i, ())) if e is not None]
            places.append(next((e for e in found if e[0] == base), None))
        if any(p is None for p in places):
            return
        for other in dict.fromkeys((base, *(stem for stem, _ in self.entries))):
            size = sum(stem == other for stem, _ in self.entries)
            for by in (0, -1, 1, -2, 2):
                at = [p[1] + by for p in places if p is not None]
                if "-" in role.text and by > 0:
                    at = [n if (other, n) in self.entries else n % size for n in at]  # xs[i - 1] is the last of all
                steps = tuple(self.entries.get((other, n), -1) for n in at)
                if (other, by) != (base, 0) and any(s >= 0 for s in steps):
                    yield Role(f"{other}[{shifted(node.slice, by)}]", steps)


def roles_of(layout: Layout) -> Roles:
    """The roles of a derivation: found out once for all who ask."""
    held = layout.tried.setdefault("roles", [])
    if not held:
        held.append(Roles(layout))
    roles: Roles = held[0]
    return roles


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """The variables in an expression."""
    try:
        return frozenset(n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name))
    except SyntaxError:
        return frozenset((text,))
