"""Statements: a name for what is long, used more than once or must stand alone, and the shape of its value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symgrad.codegen.expressions import Expressions
from symgrad.codegen.style import identifier
from symgrad.graph import Graph
from symgrad.ops.source import ATOM, Write, write, zeros

#: An expression of more operations than this gets a name.
LONG = 9
#: Where the shape stands, if the line is not longer.
COLUMN = 56


@dataclass(frozen=True, slots=True)
class Line:
    """One statement: what it is called and says, and the shape of its value."""

    text: str
    shape: tuple[int, ...] | None

    def commented(self) -> str:
        """The line of the function's body, which ends in the shape."""
        text = f"    {self.text}"
        if self.shape is None:
            return text
        shape = str(self.shape) if self.shape else "scalar"
        return f"{text:{COLUMN}s}  # {shape}"


class Statements(Expressions):
    """The lines so far; see :class:`Expressions`."""

    def __init__(self, graph: Graph, forward: int, library: str, wrt: Sequence[int]) -> None:
        super().__init__(graph, forward, library, wrt)
        self.lines: list[Line] = []

    def _state(self, name: str, index: int, *, root: bool = True) -> None:
        """``name = ...``, and what it needs before it."""
        step = self.graph.steps[index]
        self.lines.append(Line(f"{name} = {self.text(index, root=root)}", step.shape))

    def _writes(self, index: int) -> Write | None:
        step = self.graph.steps[index]
        if step.is_leaf:
            return None
        return write(step, [self.graph.steps[j].shape for j in step.inputs], self.library, self._hoist)

    def _copied(self, name: str, index: int, how: Write) -> None:
        """A changed copy of an array, in two statements."""
        base, shape = how.base, self.graph.steps[index].shape
        if zeros(self.graph, base):
            self.lines.append(Line(f"{name} = {self._zeros(shape)}", shape))
        else:
            copy = f"np.array({self.text(base)})" if self.library == "numpy" else f"{self.text(base, ATOM)}.clone()"
            copy = self.text(base) if self.text(base).startswith(f"{self.lib}.") else copy
            self.lines.append(Line(f"{name} = {copy}", shape))
        self.lines.append(Line(self._change(name, index, how), None))

    def _change(self, name: str, index: int, how: Write) -> str:
        step = self.graph.steps[index]
        text = how.statement.replace("{a}", name)

        def put(found: re.Match[str]) -> str:
            n = int(found[1])
            value = self.text(step.inputs[n], ATOM if found[2] == ":t" else 0)
            if found[2] == ":x" and not self.graph.steps[step.inputs[n]].shape:
                return f"torch.as_tensor({value}, dtype={name}.dtype)"
            return value

        return re.sub(r"\{(\d+)(:\w)?\}", put, text)

    def _prepare(self, roots: Iterable[int], uses: Mapping[int, int]) -> None:
        """Statements for what the roots use more than once, or is long, or must stand alone."""
        seen: set[int] = set()
        stack = list(roots)
        first = set(stack)
        while stack:
            i = stack.pop()
            if i in seen or (i in self.label and i not in first):
                continue
            seen.add(i)
            stack.extend(self.graph.steps[i].inputs)
        size: dict[int, int] = {}
        for i in sorted(seen):
            step = self.graph.steps[i]
            if step.is_leaf:
                size[i] = 0
                continue
            size[i] = 1 + sum(size.get(j, 0) for j in step.inputs if j not in self.label)
            if i in first or i in self.label:
                continue
            how = self._writes(i)
            if how is not None or size[i] > LONG or (uses.get(i, 0) > 1 and not self._cheap(i)):
                self._name(i, how)
                size[i] = 0

    def _name(self, index: int, how: Write | None) -> None:
        step = self.graph.steps[index]
        wanted = "u" if index < self.forward else "t"
        if not step.is_hidden:
            wanted = identifier(step.name)
        name = self._fresh(wanted)
        if how is not None:
            self._copied(name, index, how)
        else:
            self._state(name, index)
        self.label[index] = name
