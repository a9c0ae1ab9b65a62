"""Functions of one expression, such as ``dact = lambda y: 1 - y**2``: where they are written, and what a call read.

A parameter is no step of the graph: it is whatever step the call was given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.graph import Graph
from symgrad.ops import OPS

#: A function that calls functions that call functions is followed so far.
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Callee:
    """A function that is one expression on one line.

    Attributes:
        place: line, column, end column of the expression (from 1, the end exclusive).
    """

    name: str
    parameters: tuple[str, ...]
    place: tuple[int, int, int]

    def holds(self, span: Span | None) -> bool:
        """A span lies in the expression."""
        line, begin, end = self.place
        return span is not None and span.line == line and begin <= span.column and span.end_column <= end

    def span(self, file: str) -> Span:
        line, begin, end = self.place
        return Span(file, line, begin, line, end)


@lru_cache(maxsize=8)
def callees(source: str) -> Mapping[str, Callee]:
    """The functions of one expression in a text, by name; of a name that is given twice none."""
    out: dict[str, Callee | None] = {}
    for name, arguments, body in _functions(source):
        plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs)
        one = body is not None and body.lineno == body.end_lineno and plain
        made = None
        if one and body is not None and source.split("\n")[body.lineno - 1].isascii():
            place = (body.lineno, body.col_offset + 1, (body.end_col_offset or 0) + 1)
            made = Callee(name, tuple(a.arg for a in arguments.args), place)
        out[name] = made if name not in out else None
    return {name: c for name, c in out.items() if c is not None}


def _functions(source: str) -> Iterator[tuple[str, ast.arguments, ast.expr | None]]:
    """Name, parameters, and the expression that is all of it."""
    for node in nodes(source):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value.args, node.value.body
        elif isinstance(node, ast.FunctionDef):
            body = node.body[bool(ast.get_docstring(node)) :]
            last = body[-1] if body else None
            yield node.name, node.args, last.value if len(body) == 1 and isinstance(last, ast.Return) else None


class Calls:
    """The calls of such functions in one run."""

    def __init__(self, graph: Graph, source: SourceMap) -> None:
        self.graph, self.source = graph, source

    @cached_property
    def callees(self) -> Mapping[str, Callee]:
        return callees(self.source.source)

    def at(self, span: Span | None) -> Callee | None:
        """The function whose expression a place is in."""
        return next((c for c in self.callees.values() if c.holds(span)), None)

    def given(self, i: int, callee: Callee, depth: int = 0) -> dict[str, int]:
        """What a call was given, from what its steps read: parameter -> step.

        Args:
            i: a step that the function's expression made, its result.
        """
        out: dict[str, int] = {}
        stack, seen = [i], {i}
        while stack:
            k = stack.pop()
            step = self.graph.steps[k]
            for slot, j in enumerate(step.inputs):
                place = step.span if OPS[step.op].renames else self.source.operand(step.span, slot)
                text = self.source.text(place).strip() if place is not None else ""
                while text.startswith("(") and text.endswith(")"):
                    text = text[1:-1]
                if text in callee.parameters:
                    out.setdefault(text, j)
                elif callee.holds(self.graph.steps[j].span) and not self.graph.steps[j].is_leaf:
                    if j not in seen:
                        seen.add(j)
                        stack.append(j)
                elif (inner := self._call(text)) is not None and depth < DEEPEST:
                    name, arguments = inner
                    for parameter, argument in zip(
                        self.callees[name].parameters, arguments, strict=False
                    ):
                        if argument in callee.parameters and argument not in out:
                            found = self.given(j, self.callees[name], depth + 1)
                            if parameter in found:
                                out[argument] = found[parameter]
        return out

    def inside(self, result: int, given: int, line: int) -> list[int]:
        """The steps that a call in a line makes of a value, in their order; none where it is no call."""
        statements = self.source.statements
        own, stack, found = statements.function_around(line), [result], set[int]()
        while stack:
            i = stack.pop()
            span = self.graph.steps[i].span
            if i <= given or i in found or span is None or span.line == line or self.graph.steps[i].is_leaf:
                continue
            if statements.function_around(span.line) in (0, own) and self.at(span) is None:
                continue
            found.add(i)
            stack.extend(self.graph.steps[i].inputs)
        reached, out = {given}, list[int]()
        for i in sorted(found):
            if reached & set(self.graph.steps[i].inputs):
                reached.add(i)
                out.append(i)
        return out if out and out[-1] == result else []

    def arguments(self, call: Span | None, callee: Callee) -> dict[str, str]:
        """What is written in a call: parameter -> argument."""
        found = self._call(self.source.text(call).strip()) if call is not None else None
        if found is None or found[0] != callee.name:
            return {}
        return dict(zip(callee.parameters, found[1], strict=False))

    def _call(self, text: str) -> tuple[str, list[str]] | None:
        """``f`` and ``["x"]`` for ``f(x)``."""
        return called_by(text, self.callees)

    @cached_property
    def results(self) -> dict[tuple[str, int], list[int]]:
        """(function, the step that its one argument was) -> the steps that its calls made of it."""
        out: dict[tuple[str, int], list[int]] = {}
        by_place = {c.place: c for c in self.callees.values() if len(c.parameters) == 1}
        for i, step in enumerate(self.graph.steps):
            if step.span is None or step.is_leaf or step.span.line != step.span.end_line:
                continue
            callee = by_place.get((step.span.line, step.span.column, step.span.end_column))
            if callee is not None:
                for given in self.given(i, callee).values():
                    out.setdefault((callee.name, given), []).append(i)
        return out


def called_by(text: str, known: Mapping[str, Callee]) -> tuple[str, list[str]] | None:
    """The function and the arguments of a text that is a call of one of some functions."""
    if not text.endswith(")"):
        return None
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        return None
    return (node.func.id, [ast.unparse(a) for a in node.args]) if node.func.id in known else None
