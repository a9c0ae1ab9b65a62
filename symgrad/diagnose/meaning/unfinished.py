"""What was still to be done, or was done out of sight: an array that is written into by then is not done, not wrong.

Where a run stopped is recorded (`Subject.frames`): what stands after these places, and in the loops around them, was
not done. So is what is not looked at (`Subject.left_out`). A run that came to its end has done everything: what its
text holds besides was not to be done.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.syntax import module

Scope = ast.Module | ast.FunctionDef
#: The first line, the last one, and what is written there.
Rest = tuple[int, int, frozenset[str]]


class Unfinished:
    """The assignments of a subject whose run would have gone on with what they name."""

    def __init__(self, subject: Subject) -> None:
        self._rests = list(_rests(subject)) if subject.stopped else []
        self._subject = subject
        #: The writes that are not looked at, by name.
        self._left_out: dict[str, set[int]] = {}
        for name, step in subject.left_out:
            self._left_out.setdefault(_bare(name), set()).add(step)

    def __contains__(self, unit: Unit) -> bool:
        stem = _bare(unit.name)
        if stem in self._left_out and self._goes_on(unit.step, stem) and not self._is_used(unit):
            return True
        for first, last, written in self._rests:
            local = first <= unit.line <= last
            if stem in written and (local or "." in stem):
                return True
        return False

    def _is_used(self, unit: Unit) -> bool:
        """A number that another derivative is made of by now: a state that goes on, no sum that is still to grow."""
        if self._subject.is_shaped:
            return False
        made = self._subject.graph.dependents(unit.step)
        return any(made[u.step] and u.name != unit.name for u in self._subject.units)

    def _goes_on(self, first: int, stem: str) -> bool:
        """A write that is not looked at goes on with this value: another function, or the next round, may have
        something else under the same name."""
        graph, hidden = self._subject.graph, self._left_out[stem]
        same = {u.step for u in self._subject.units if u.step > first and _bare(u.name) == stem}
        held = {original(graph, first)}
        for i in sorted(i for i in hidden | same if i > first):
            if any(original(graph, j) in held for j in graph.steps[i].inputs):
                if i in hidden:
                    return True
                held.add(original(graph, i))
        return False


def _bare(name: str) -> str:
    return name.split("[", maxsplit=1)[0]


def _rests(subject: Subject) -> Iterator[Rest]:
    tree = module(subject.source)
    if tree is None:
        return
    for line in subject.frames:
        scope = _scope(tree, line)
        loops = [n for n in _own(scope) if isinstance(n, ast.For | ast.While) and _holds(n, line)]
        begins = min((n.lineno for n in loops), default=line)
        names = (w for n in _own(scope) if getattr(n, "lineno", 0) >= begins for w in _written(n))
        last = scope.end_lineno if isinstance(scope, ast.FunctionDef) else subject.source.count("\n") + 1
        yield (scope.lineno if isinstance(scope, ast.FunctionDef) else 1), last or line, frozenset(names)


def _scope(tree: ast.Module, line: int) -> Scope:
    """The innermost function around a line."""
    found: Scope = tree
    for node in ast.walk(tree):  # the outer ones first
        if isinstance(node, ast.FunctionDef) and _holds(node, line) and node.lineno < line:
            found = node
    return found


def _holds(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _own(scope: Scope) -> Iterator[ast.AST]:
    """What stands in a function, and in no function inside it."""
    stack: list[ast.AST] = list(scope.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


def _written(node: ast.AST) -> Iterator[str]:
    """What a statement goes on with: ``d += ...``, ``d[i] = ...``, ``d = d/n``, ``np.add.at(d, ...)``."""
    match node:
        case ast.AugAssign(target):
            yield _stem(target)
        case ast.Assign(targets, value):
            read = {ast.unparse(n) for n in ast.walk(value) if isinstance(n, ast.Name | ast.Attribute)}
            for one in targets:
                if isinstance(one, ast.Subscript) or ast.unparse(one) in read:
                    yield _stem(one)
        case ast.Expr(ast.Call(ast.Attribute(owner, method), args)):
            yield ast.unparse(owner)
            if method == "at" and args:
                yield _stem(args[0])


def _stem(target: ast.expr) -> str:
    return _stem(target.value) if isinstance(target, ast.Subscript) else ast.unparse(target)
