"""Going through syntax trees as ``ast`` does, in half the time: checking a short script is mostly that."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

N = TypeVar("N", bound=ast.AST)
#: The fields of statements that hold statements, or what holds these.
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_Place = tuple[int, int, int | None, int | None]


def walk(tree: ast.AST) -> list[ast.AST]:
    """All nodes, as :func:`ast.walk` gives them."""
    nodes = [tree]
    for node in nodes:
        have = node.__dict__
        for name in node._fields:  # its places are no nodes
            value = have.get(name)
            if isinstance(value, ast.AST):
                nodes.append(value)
            elif type(value) is list:
                nodes += [part for part in value if isinstance(part, ast.AST)]
    return nodes


def statements(tree: ast.AST) -> list[ast.AST]:
    """The tree itself and all statements in it (and the handlers that these stand in), the outer ones first: no others
    hold a class."""
    nodes = [tree]
    for node in nodes:
        have = node.__dict__
        for name in _BLOCKS:
            nodes += have.get(name, ())
    return nodes


def copied(node: N) -> N:
    """A tree of its own, as :func:`copy.deepcopy` makes it; nodes that hold nothing (``ast.Load()``) may be shared."""
    made = node.__class__.__new__(node.__class__)
    new = made.__dict__
    for name, value in node.__dict__.items():
        if isinstance(value, ast.AST):
            value = copied(value) if value.__dict__ else value
        elif type(value) is list:
            value = [copied(part) if isinstance(part, ast.AST) else part for part in value]
        new[name] = value
    return made


def placed(node: N, like: ast.AST) -> N:
    """A new node in the place of another one, as :func:`ast.copy_location` does it."""
    have, new = like.__dict__, node.__dict__
    if "lineno" in have:
        new["lineno"], new["col_offset"] = have["lineno"], have["col_offset"]
        new["end_lineno"], new["end_col_offset"] = have.get("end_lineno"), have.get("end_col_offset")
    return node


def fill_places(tree: ast.AST) -> None:
    """Nodes without a place have that of the node they stand in, as :func:`ast.fix_missing_locations` does it."""
    stack: list[tuple[ast.AST, _Place]] = [(tree, (1, 0, 1, 0))]
    while stack:
        node, outer = stack.pop()
        have = node.__dict__
        if "lineno" in node._attributes:
            line, column = have.get("lineno", outer[0]), have.get("col_offset", outer[1])
            end_line, end_column = have.get("end_lineno"), have.get("end_col_offset")
            place = (
                line, column, outer[2] if end_line is None else end_line, outer[3] if end_column is None else end_column
            )  # fmt: skip
            have["lineno"], have["col_offset"], have["end_lineno"], have["end_col_offset"] = outer = place
        for name in node._fields:
            value = have.get(name)
            if isinstance(value, ast.AST):
                if value._attributes or value._fields:  # ast.Load() has no place
                    stack.append((value, outer))
            elif type(value) is list:
                stack += [(part, outer) for part in value if isinstance(part, ast.AST)]


class Transformer(ast.NodeTransformer):
    """:class:`ast.NodeTransformer`, which looks up only once what visits a kind of node."""

    _visitors: ClassVar[dict[tuple[type, type], Callable[[Any, Any], Any]]] = {}

    def visit(self, node: ast.AST) -> Any:
        key = (type(self), type(node))
        found = self._visitors.get(key)
        if found is None:
            name = f"visit_{type(node).__name__}"
            found = self._visitors[key] = getattr(type(self), name, type(self).generic_visit)
        return found(self, node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        have = node.__dict__
        for field in node._fields:
            old = have.get(field)
            if isinstance(old, ast.AST):
                made = self.visit(old)
                if made is None:
                    delattr(node, field)
                elif made is not old:
                    have[field] = made
            elif type(old) is list:
                parts: list[Any] = []
                for part in old:
                    made = self.visit(part) if isinstance(part, ast.AST) else part
                    if isinstance(part, ast.AST) and (made is None or not isinstance(made, ast.AST)):
                        parts += made or ()
                    else:
                        parts.append(made)
                old[:] = parts
        return node
