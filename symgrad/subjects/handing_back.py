"""Where functions hand back a name as it is: ``return dx``, which computes nothing, and may be the wrong name."""

from __future__ import annotations

import ast
from functools import cached_property

from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace


class Returns:
    """The places in one run's text at which functions of the script hand back what its names are given."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def place(self, b: Binding) -> Span | None:
        """Where the value of an assignment that calls a function is handed back, if that is a mere name there."""
        called = self._calls.get((b.span.line, b.span.column, b.span.end_line, b.span.end_column))
        function = self._function(called, b.span) if called is not None and not b.augmented else None
        given = [n.value for n in _returns(function) if n.value is not None] if function is not None else []
        if len(given) != 1:
            return None
        value: ast.expr | None = given[0]
        if isinstance(value, ast.Tuple):
            value = self._item(b, value)
        if not isinstance(value, ast.Name | ast.Attribute) or value.lineno != value.end_lineno:
            return None
        return Span(b.span.file, value.lineno, value.col_offset + 1, value.lineno, (value.end_col_offset or 0) + 1)

    def _item(self, b: Binding, given: ast.Tuple) -> ast.expr | None:
        """Of several values that are handed back that which a name is given."""
        for node in self._assignments.get(b.line, ()):
            names = [ast.unparse(e) for e in node.elts]
            if len(names) == len(given.elts) and names.count(b.written or b.name) == 1:
                return given.elts[names.index(b.written or b.name)]
        return None

    def _function(self, name: str, call: Span) -> ast.FunctionDef | None:
        """The function that was called: of methods of one name that in which the call computed something."""
        named = [f for f in self._functions if f.name == name]
        if len(named) > 1:
            steps, callers = self._trace.graph.steps, self._trace.callers
            spans = (steps[i].span for i, c in callers.items() if c == call and i < len(steps))
            lines = {s.line for s in spans if s is not None}
            named = [f for f in named if any(f.lineno < n <= (f.end_lineno or f.lineno) for n in lines)]
        return named[0] if len(named) == 1 else None

    @cached_property
    def _functions(self) -> list[ast.FunctionDef]:
        return [n for n in nodes(self._trace.graph.source) if isinstance(n, ast.FunctionDef)]

    @cached_property
    def _calls(self) -> dict[tuple[int, int, int, int], str]:
        """Where functions and methods are called, and what they are called."""
        out = {}
        for n in nodes(self._trace.graph.source):
            if isinstance(n, ast.Call) and n.end_lineno is not None:
                name = n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")
                out[n.lineno, n.col_offset + 1, n.end_lineno, (n.end_col_offset or 0) + 1] = name
        return out

    @cached_property
    def _assignments(self) -> dict[int, list[ast.Tuple]]:
        out: dict[int, list[ast.Tuple]] = {}
        for n in nodes(self._trace.graph.source):
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple):
                out.setdefault(n.lineno, []).append(n.targets[0])
        return out


def _returns(function: ast.FunctionDef) -> list[ast.Return]:
    """Its own, and not those of functions inside it."""
    inner = {id(n) for f in ast.walk(function) if isinstance(f, ast.FunctionDef | ast.Lambda) and f is not function
             for n in ast.walk(f)}  # fmt: skip
    return [n for n in ast.walk(function) if isinstance(n, ast.Return) and id(n) not in inner]
