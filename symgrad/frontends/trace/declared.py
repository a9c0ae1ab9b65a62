"""Classes that are declared by their fields, dataclasses and ``NamedTuple``, as the plain classes that they stand for.

Python makes their methods from text that it runs; here they are written into the syntax tree before anything looks at
it, so that a script's own ``__init__`` is all that there is to trace and to guard.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TypeVar

from symgrad.frontends.trace.trees import statements

#: What a class of fields is marked by.
_DECORATOR, _BASE = "dataclass", "NamedTuple"
S = TypeVar("S", bound=ast.stmt)


def write_out(tree: ast.AST) -> None:
    """Give the declared classes of a file the methods that they have, and take ``__slots__`` away, which saves memory
    and does nothing else."""
    known: dict[str, dict[str, ast.AnnAssign]] = {}
    for node in statements(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        node.body = [m for m in node.body if not _is_slots(m)] or [ast.copy_location(ast.Pass(), node)]
        if (is_tuple := _is_tuple(node)) is None:
            continue
        fields = {n: f for b in node.bases for n, f in known.get(_name(b), {}).items()}
        own = [f for f in node.body if isinstance(f, ast.AnnAssign) and "ClassVar" not in ast.unparse(f.annotation)]
        fields |= {f.target.id: f for f in own if isinstance(f.target, ast.Name)}
        known[node.name] = fields
        _write(node, fields, is_tuple)


def _is_slots(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(_name(t) == "__slots__" for t in node.targets)


def _is_tuple(node: ast.ClassDef) -> bool | None:
    """Whether a class is a tuple, or a dataclass; ``None`` where it is a plain one."""
    if any(_name(b) == _BASE for b in node.bases):
        return True
    return False if any(_name(d) == _DECORATOR for d in node.decorator_list) else None


def _name(node: ast.expr) -> str:
    """``dataclass`` of ``@dataclasses.dataclass(frozen=True)``."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _write(node: ast.ClassDef, fields: Mapping[str, ast.AnnAssign], is_tuple: bool) -> None:
    node.decorator_list = [d for d in node.decorator_list if _name(d) != _DECORATOR]
    node.bases = [b for b in node.bases if _name(b) != _BASE]
    own = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
    mine = set(map(id, fields.values()))
    node.body = [m for m in node.body if id(m) not in mine] or [ast.copy_location(ast.Pass(), node)]
    for made in _methods(node, fields, "__post_init__" in own, is_tuple):
        if made.name not in own:
            node.body.append(made)
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__post_init__":
            method.name = "_post_init"


def _methods(
    node: ast.ClassDef, fields: Mapping[str, ast.AnnAssign], then: bool, is_tuple: bool
) -> Iterator[ast.FunctionDef]:
    parameters, defaults, body = [], list[ast.expr](), list[ast.stmt]()
    for name, field in fields.items():
        value, factory, taken = _default(field)
        if not taken and value is None:
            continue  # it is set by what comes after
        given: ast.expr = ast.Name(name, ast.Load())
        if taken:
            parameters.append(ast.arg(name))
            defaults += [value] if value is not None else []
        elif value is not None:
            given = ast.Call(factory, [], []) if factory is not None else value
        if taken and factory is not None:
            empty = ast.Compare(ast.Name(name, ast.Load()), [ast.Is()], [ast.Constant(None)])
            given = ast.IfExp(empty, ast.Call(factory, [], []), given)
        target = ast.Attribute(ast.Name("self", ast.Load()), name, ast.Store())
        body.append(_at(ast.Assign([target], given), field))
    if then:
        body.append(_at(_parsed("self._post_init()"), node))
    arguments = ast.arguments([], [ast.arg("self"), *parameters], None, [], [], None, defaults)
    yield _at(ast.FunctionDef("__init__", arguments, body, []), node)
    items = ", ".join(f"{n!r}: self.{n}" for n in fields)
    values = "".join(f"self.{n}, " for n in fields)
    texts = [
        f"def _asdict(self):\n    return {{{items}}}",
        f"def _replace(self, **changes):\n    return {node.name}(**{{{items}, **changes}})",
    ]
    if is_tuple:
        texts += [
            f"def __iter__(self):\n    return iter(({values}))",
            f"def __getitem__(self, place):\n    return ({values})[place]",
            f"def __len__(self):\n    return {len(fields)}",
        ]
    for text in texts:
        made = _parsed(text)
        assert isinstance(made, ast.FunctionDef)
        yield _at(made, node)


def _default(field: ast.AnnAssign) -> tuple[ast.expr | None, ast.expr | None, bool]:
    """The value of a field that is not given, and what makes it anew each time; whether the constructor takes it."""
    value = field.value
    if isinstance(value, ast.Call) and _name(value) == "field":
        options = {k.arg: k.value for k in value.keywords}
        said = options.get("init")
        taken = not (isinstance(said, ast.Constant) and said.value is False)
        if "default_factory" in options:
            return ast.Constant(None), options["default_factory"], taken
        return options.get("default"), None, taken
    return value, None, True


def _parsed(text: str) -> ast.stmt:
    """A statement without a place."""
    made = ast.parse(text).body[0]
    for node in ast.walk(made):
        for place in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            node.__dict__.pop(place, None)
    return made


def _at(made: S, like: ast.stmt) -> S:
    """A statement at the place of another one, but for what stood in the text already."""
    for node in ast.walk(made):
        if "lineno" not in node.__dict__:
            ast.copy_location(node, like)
    return made


__all__ = ["write_out"]
