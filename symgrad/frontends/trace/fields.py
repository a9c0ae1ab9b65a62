"""Data classes: the constructor that ``@dataclass`` makes is written out, before anything runs.

Python's own makes it from text, with ``exec``. Of the rest (comparison, printing) nothing is needed here.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from symgrad.frontends.trace.registry import constant
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.trees import walk

T = TypeVar("T", bound=ast.AST)

#: What a class may define to be called when its fields are set, and how it is called here.
_AFTER, _RENAMED = "__post_init__", "_after_fields"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: where it stands, its default, and what makes one; whether the constructor takes it."""

    node: ast.AnnAssign
    name: str
    default: ast.expr | None = None
    factory: ast.expr | None = None
    taken: bool = True


def with_constructors(tree: ast.AST) -> None:
    """Give every data class that has none its ``__init__``, in place."""
    owners = [n for n in walk(tree) if isinstance(n, ast.ClassDef)]
    known: dict[str, list[_Field]] = {}
    for owner in owners:
        if not any(_is_decorator(d) for d in owner.decorator_list):
            continue
        known[owner.name] = fields = _fields(owner, known)
        methods = {n.name: n for n in owner.body if isinstance(n, ast.FunctionDef)}
        needed = [f.default is None and f.factory is None for f in fields if f.taken]
        if "__init__" in methods or sorted(needed, reverse=True) != needed:
            continue
        owner.decorator_list = [d for d in owner.decorator_list if not _is_decorator(d)]
        own = {id(f.node) for f in fields}
        owner.body = [s for s in owner.body if id(s) not in own]
        if _AFTER in methods:
            methods[_AFTER].name = _RENAMED
        owner.body.insert(_begin(owner.body), _constructor(owner, fields, _AFTER in methods))


def _is_decorator(node: ast.expr) -> bool:
    """``@dataclass``, ``@dataclasses.dataclass`` and ``@dataclass(frozen=True)``."""
    inner = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(inner) in ("dataclass", "dataclasses.dataclass")


def _fields(owner: ast.ClassDef, known: Mapping[str, list[_Field]]) -> list[_Field]:
    """Those of the data classes that it is made from, and its own."""
    bases = [b.id for b in owner.bases if isinstance(b, ast.Name)]
    found = {f.name: f for base in reversed(bases) for f in known.get(base, ())}
    for node in owner.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if "ClassVar" not in ast.unparse(node.annotation):
                found[name] = _field(node, name)
    return list(found.values())


def _field(node: ast.AnnAssign, name: str) -> _Field:
    value = node.value
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "dataclasses.field")):
        return _Field(node, name, value)
    said = {k.arg: k.value for k in value.keywords}
    init = said.get("init")
    taken = not (isinstance(init, ast.Constant) and init.value is False)
    return _Field(node, name, said.get("default"), said.get("default_factory"), taken)


def _constructor(owner: ast.ClassDef, fields: list[_Field], after: bool) -> ast.FunctionDef:
    """``def __init__(self, w, b=0.5): self.w = w; self.b = b``, each statement where its field stands."""
    body: list[ast.stmt] = []
    for f in fields:
        value = _value(f)
        if value is not None:
            target = ast.Attribute(ast.Name("self", ast.Load()), f.name, ast.Store())
            body.append(_placed(ast.Assign([target], value), f.node))
    if after:
        call = ast.Call(ast.Attribute(ast.Name("self", ast.Load()), _RENAMED, ast.Load()), [], [])
        body.append(_placed(ast.Expr(call), owner))
    taken = [f for f in fields if f.taken]
    arguments = ast.arguments(
        [], [_placed(ast.arg(name), owner) for name in ("self", *(f.name for f in taken))], None, [], [], None,
        [_placed(f.default or ast.Constant(None), f.node) for f in taken if f.default or f.factory],
    )  # fmt: skip
    return _placed(ast.FunctionDef("__init__", arguments, body or [_placed(ast.Pass(), owner)], [], None, None), owner)


def _value(f: _Field) -> ast.expr | None:
    given: ast.expr = ast.Name(f.name, ast.Load())
    if f.factory is not None:
        made = ast.Call(f.factory, [], [])
        if not f.taken:
            return made
        test = ast.Compare(ast.Name(f.name, ast.Load()), [ast.Is()], [ast.Constant(None)])
        return ast.IfExp(test, made, given)
    return given if f.taken else f.default


def _placed(made: T, like: ast.AST) -> T:
    """Every node without a place gets that of another one."""
    for node in walk(made):
        if "lineno" in node._attributes and not hasattr(node, "lineno"):
            ast.copy_location(node, like)
    return made


def _begin(body: list[ast.stmt]) -> int:
    """Behind the docstring."""
    first = body[0] if body else None
    return int(isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant))


@constant("dataclasses.dataclass")
def _decorator(tr: Tracer) -> Any:
    """What has an ``__init__`` of its own keeps it."""
    return lambda owner=None, **options: owner if owner is not None else lambda made: made


@constant("dataclasses.field")
def _made_field(tr: Tracer) -> Any:
    return lambda **options: options.get("default")
