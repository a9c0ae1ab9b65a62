"""What the user's text and names say of each line: items of lists, loops, and what every name is at any time."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from itertools import chain
from operator import itemgetter

from symgrad.diagnose.meaning.parameters import Parameters
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.callees import Calls
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.walking.offers import SERIES
from symgrad.diagnose.words.numbers import Numbers, numbers_of
from symgrad.errors import Span
from symgrad.ops import OPS
from symgrad.ops.recognise import Softmax, softmaxes

_NAME = re.compile(r"[A-Za-z_][\w.]*")

#: stem -> index -> step, and step -> its (stem, index).
Listed = tuple[Mapping[str, Mapping[int, int]], Mapping[int, Sequence[tuple[str, int]]]]


def listed(layout: Layout) -> Listed:
    """What is kept in lists, by name and place."""
    entries: dict[str, dict[int, int]] = {}
    named: dict[int, list[tuple[str, int]]] = {}
    units = ((u.name, u.step) for us in layout.by_name.values() for u in us)
    for name, i in chain(layout.subject.aliases, units):
        match = SERIES.match(name)
        if match:
            entries.setdefault(match.group(1), {})[int(match.group(2))] = i
            named.setdefault(i, []).append((match.group(1), int(match.group(2))))
    return entries, named


class Text:
    """What the text says of lines.

    Attributes:
        brackets: line -> the items of lists in it, as (list, index).
        added: the places of augmented assignments.
        calls: of functions of one expression.
        loops: line -> the variables of the loops around it, the innermost first.
        loop_at: line -> the line in which the innermost loop around it begins.
        headers: the lines in which loops begin.
        bound: name -> (after which step, what it then is), in order.
        parameters: what functions were given.
    """

    def __init__(self, layout: Layout) -> None:
        source = layout.subject.source
        self.bound = _bindings(layout)
        self._since = {name: [time for time, _ in times] for name, times in self.bound.items()}
        self.parameters = Parameters(layout)
        self._words: dict[int, set[str]] = {}
        self.source = source_map(source)
        self._layout = layout
        self.calls = Calls(layout.graph, self.source)
        self.brackets: dict[int, list[tuple[str, ast.expr]]] = {}
        self.added: set[tuple[int, int]] = set()
        self.loops: dict[int, list[str]] = {}
        self.loop_at: dict[int, int] = {}
        self.headers: set[int] = set()
        for node in nodes(source):
            if isinstance(node, ast.For):
                self.headers.add(node.lineno)
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name | ast.Attribute):
                self.brackets.setdefault(node.lineno, []).append((ast.unparse(node.value), node.slice))
            elif isinstance(node, ast.AugAssign):
                self.added.add((node.lineno, node.col_offset + 1))
            elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    self.loops.setdefault(line, []).insert(0, node.target.id)
                    self.loop_at[line] = node.lineno

    @cached_property
    def _numbers(self) -> Numbers:
        return numbers_of(self._layout.subject)

    def count(self, n: int, line: int) -> str:
        """How a line can write a count, or twice one: ``N``, ``2 * N``; else the number."""
        half = self._numbers.called(n // 2, line) if n % 2 == 0 else ""
        return self._numbers.called(n, line) or (f"2 * {half}" if half else str(n))

    @cached_property
    def softmaxes(self) -> list[Softmax]:
        """The arrays of the forward pass that are softmaxes."""
        graph, found = self._layout.graph, softmaxes(self._layout.graph)
        return [s for s in found if graph.steps[s.outputs[0]].shape and self._layout.is_forward(s.outputs[0])]

    def before(self, name: str, step: int) -> int:
        """How often a name has been given something before a step is made."""
        return bisect_left(self._since.get(name, ()), step)

    def words(self, line: int) -> Set[str]:
        """The names that stand in a line, those of attributes with their objects."""
        if line not in self._words:
            text = self.source.lines[line - 1] if 0 < line <= len(self.source.lines) else ""
            self._words[line] = set(_NAME.findall(text))
        return self._words[line]

    def functions(self, values: Set[int]) -> dict[str, str]:
        """The functions of one argument that the forward pass applies to one of some values, or to its negative, as
        they are called there: op -> ``np.exp``."""
        steps = self._layout.graph.steps
        out: dict[str, str] = {}
        for i in values:
            near = [k for k in self._layout.children[i] if self._layout.is_forward(k)]
            signs = [k for k in near if len(steps[k].inputs) == 1]
            for k in (*near, *(c for j in signs for c in self._layout.children[j])):
                step = steps[k]
                plain = len(step.inputs) == 1 and OPS[step.op].elementwise and OPS[step.op].infix is None
                called, bracket, _ = self.source.text(step.span).partition("(") if plain and step.span else ("", "", "")
                if bracket and _NAME.fullmatch(called) and not OPS[step.op].renames:
                    out.setdefault(step.op, called)
        return out

    def is_added(self, span: Span | None) -> bool:
        """``+=`` and its like stand there."""
        return span is not None and (span.line, span.column) in self.added


def _bindings(layout: Layout) -> dict[str, list[tuple[int, int]]]:
    """What every name is, and since when: a loop over what was kept binds steps that were made long before."""
    out: dict[str, list[tuple[int, int]]] = {}
    for name, i, time in layout.subject.bound:
        out.setdefault(name, []).append((time, i))
    for name, i in layout.subject.aliases if not out else ():
        out.setdefault(name, []).append((i, i))
    for i in layout.subject.autograd:
        name = layout.graph.steps[i].name
        if name.isidentifier():  # what autograd hands to a function: grad_output
            out.setdefault(name, []).append((i, i))
    for times in out.values():
        times.sort(key=itemgetter(0))
    return out
