"""What the parameters of a function stand for in one of its calls: ``dout`` is what ``backward(2*(y - t))`` was given.

A parameter is no step of the graph, nor is it assigned: it is whatever step was written in the call.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property, lru_cache

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span


@lru_cache(maxsize=4)
def _functions(source: str) -> tuple[ast.FunctionDef, ...]:
    """The functions of a Python text, inner ones last; nothing where it does not parse. Nobody changes them."""
    return tuple(sorted((n for n in nodes(source) if isinstance(n, ast.FunctionDef)), key=lambda f: f.lineno))


def function_at(source: str, line: int) -> ast.FunctionDef | None:
    """The innermost function that a line is in."""
    around = (f for f in _functions(source) if f.lineno < line <= (f.end_lineno or f.lineno))
    return max(around, key=lambda f: f.lineno, default=None)


def _spread(arguments: Sequence[ast.expr], count: int) -> list[ast.expr] | None:
    """The arguments of a call, with those in ``f(*p)`` as the entries of p; ``None`` where it is not known which."""
    out = list[ast.expr]()
    for a in arguments:
        if not isinstance(a, ast.Starred):
            out.append(a)
        elif isinstance(a.value, ast.Name) and a is arguments[-1]:
            out += [ast.Name(f"{a.value.id}[{n}]") for n in range(count - len(out))]
        else:
            return None
    return out


class Parameters:
    """Looks up what functions were given, in one derivation."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.graph, self.subject = layout, layout.graph, layout.subject

    def given(self, i: int, line: int) -> dict[str, int]:
        """Parameter -> step, for the call in which a step was made at a line; those that are known.

        Args:
            i: the step.
            line: where it is written, within the function.
        """
        return {p: step for p, (_, step) in self.handed(i, line).items()}

    def handed(self, i: int, line: int) -> dict[str, tuple[ast.expr, int]]:
        """The same, with what is written in the call; its columns count from where the call begins."""
        call = self.subject.callers.get(i)
        function = function_at(self.subject.source, line)
        if call is None or function is None or call.line != call.end_line or call.file.startswith("--"):
            return {}
        written = self._arguments(call, function)
        found = ((p, a, self._step(a, call, i)) for p, a in written.items())
        return {p: (a, step) for p, a, step in found if step >= 0}

    def _arguments(self, call: Span, function: ast.FunctionDef) -> dict[str, ast.expr]:
        lines = self.subject.source.split("\n")
        if call.line > len(lines) or not lines[call.line - 1].isascii():
            return {}
        try:
            node = ast.parse(lines[call.line - 1][call.column - 1 : call.end_column - 1], mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return {}
        if not isinstance(node, ast.Call):
            return {}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name != function.name:
            return {}
        parameters = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        if isinstance(node.func, ast.Attribute) and parameters[:1] == ["self"]:
            parameters = parameters[1:]
        if (arguments := _spread(node.args, len(parameters))) is None:
            return {}
        out = dict(zip(parameters, arguments, strict=False))
        return out | {k.arg: k.value for k in node.keywords if k.arg}

    def _step(self, argument: ast.expr, call: Span, before: int) -> int:
        """The step that an argument of a call was; -1 where that is not known."""
        if isinstance(argument, ast.Name | ast.Attribute):
            return self._held(ast.unparse(argument), before)
        begin, end = call.column + argument.col_offset, call.column + (argument.end_col_offset or 0)
        mine = self._by_place.get((call.line, begin, call.line, end), [])
        n = bisect_left(mine, before)
        return mine[n - 1] if n else -1

    def _held(self, name: str, before: int) -> int:
        steps = sorted((*(u.step for u in self.layout.by_name.get(name, ())), *self._by_alias.get(name, ())))
        n = bisect_left(steps, before)
        return steps[n - 1] if n else -1

    @cached_property
    def _by_place(self) -> dict[tuple[int, int, int, int], list[int]]:
        out: dict[tuple[int, int, int, int], list[int]] = {}
        for i, step in enumerate(self.graph.steps):
            if step.span is not None and not step.is_leaf:
                s = step.span
                out.setdefault((s.line, s.column, s.end_line, s.end_column), []).append(i)
        return out

    @cached_property
    def _by_alias(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for name, step in self.subject.aliases:
            out.setdefault(name, []).append(step)
        return out


def named_by_parameters(layout: Layout) -> dict[str, tuple[tuple[int, int], ...]]:
    """Names that are assigned in functions -> the pair that they are meant to hold, where it is a parameter that they
    are called after, and this was an input of what is differentiated: ``d_top`` in ``gradient(bottom, top)``. One of
    the function's bears that out, for it may as well return the slopes of an inner step; or what is differentiated
    comes from a function that was given the same under the same name."""
    parameters, leaves = Parameters(layout), set(layout.truth.leaves)
    cotangents, loss = layout.truth.cotangents, layout.subject.loss
    span = layout.graph.steps[layout.original(loss)].span
    giving = function_at(layout.subject.source, span.line) if span is not None else None
    own = parameters.given(layout.original(loss), span.line) if span is not None else {}
    differentiated = {(normal(p), original(layout.graph, i)) for p, i in own.items()}
    within: dict[int, dict[str, int]] = {}
    out: dict[str, tuple[tuple[int, int], ...]] = {}
    sure: set[int] = set()
    for name, units in layout.by_name.items():
        if giving is not None and not all(layout.graph.steps[u.step].is_leaf for u in units):
            # dfdb, where f(a, b) gave what is differentiated: whatever b is called where f is called.
            tops = {normal(giving.name)}
            handed = [own[p] for c in claims(name) if c.top in tops for p in own if normal(p) == c.bottom]
            found = [i for k in handed for i in (k, original(layout.graph, k)) if i in cotangents]
            if found:
                out[name] = ((loss, found[0]),)
        bottoms = [c.bottom for c in claims(name) if not c.top]
        worked_out = [u for u in units if not layout.graph.steps[u.step].is_leaf]
        function = function_at(layout.subject.source, units[-1].line)
        if function is not None and bottoms and not worked_out and differentiated:
            # Still the zero that it began with: what its function was given is told by what else was worked out there.
            scopes = {u.scope for u in units}
            mine = (u for u in layout.subject.units if u.scope in scopes)
            worked_out = [u for u in mine if not layout.graph.steps[u.step].is_leaf]
        if not bottoms or function is None or not worked_out:
            continue
        given = [parameters.given(u.step, u.line) for u in (worked_out[0], worked_out[-1])]
        called = [{normal(p): original(layout.graph, i) for p, i in some.items()} for some in given]
        meant = {next((some[b] for b in bottoms if b in some), -1) for some in called}
        i = meant.pop()
        if meant or i not in leaves or i not in cotangents:
            continue  # called for one layer after the other
        within.setdefault(function.lineno, {})[name] = i
        if function is not giving and any((b, i) in differentiated for b in bottoms):
            sure.add(function.lineno)
        actual = layout.actual(units[-1].step)
        sure |= {function.lineno} if not actual.is_zero and actual.same(cotangents[i]) else set()
    return out | {name: ((loss, i),) for line in sure for name, i in within[line].items()}
