"""The text of functions that live in this process, and what is done to it before it is rewritten."""

from __future__ import annotations

import ast
import inspect
from types import CodeType, FunctionType, MethodType
from typing import Any

from symgrad.deep import parsed
from symgrad.errors import Unsupported
from symgrad.frontends.trace.sites import literal_value
from symgrad.frontends.trace.trees import copied

#: The helper that a watched return calls, and the function that makes a rewritten one.
RETURN, MAKE = "__sg_returning__", "__sg_make__"


def plain_function(function: Any) -> tuple[FunctionType, Any]:
    """The Python function in a function, method or static method, and the object that a method is bound to.

    Raises:
        Unsupported: there is none in it.
    """
    target: Any = inspect.unwrap(function)
    owner = None
    if isinstance(target, MethodType):
        owner, target = target.__self__, inspect.unwrap(target.__func__)
    if isinstance(target, staticmethod):
        target = target.__func__
    if not isinstance(target, FunctionType):
        raise Unsupported(f"{getattr(function, '__name__', 'this')} is no Python function: it cannot be traced")
    return target, owner


def source_of(target: FunctionType) -> tuple[str, str]:
    """The text of the file that a function is in, and the file's name.

    Raises:
        Unsupported: there is no such text, or it is no Python.
    """
    try:
        filename = inspect.getsourcefile(target) or "<function>"
        source = "".join(inspect.findsource(target)[0])
        parsed(source)
    except (OSError, TypeError, SyntaxError, ValueError) as e:
        raise Unsupported(
            f"the source text of {target.__name__} is not to be found",
            hint="put the function into a .py file and import it from there: what was typed into a prompt or built "
            "by exec has no text that could be traced",
        ) from e
    return source, filename


class WatchedReturns(ast.NodeTransformer):
    """Has each return of one function say that it was taken; not those of functions inside it."""

    def __init__(self, table: list[ast.Return], watched: str) -> None:
        self.table, self.watched = table, watched

    def visit_Return(self, node: ast.Return) -> ast.Return:
        self.table.append(copied(node))
        value = node.value or ast.copy_location(ast.Constant(None), node)
        parts = [ast.Constant(len(self.table) - 1), ast.Constant(self.watched), value]
        made = ast.Return(ast.Call(ast.Name(RETURN, ast.Load()), parts, []))
        return ast.fix_missing_locations(ast.copy_location(made, node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        return node


def factory(body: list[ast.stmt], parameters: tuple[str, ...], result: str) -> ast.stmt:
    """``def make(closure variables): def f...; return f``: so that a closure is one again, ``super()`` included."""
    arguments = ast.arguments([], [ast.arg(p) for p in parameters], None, [], [], None, [])
    returned = ast.Return(ast.Name(result, ast.Load()))
    return ast.FunctionDef(MAKE, arguments, [*body, returned], [])


def without_defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    """Take out the defaults that are no literals, by parameter."""
    out: dict[str, ast.expr] = {}
    ordered = [*arguments.posonlyargs, *arguments.args]
    first = len(ordered) - len(arguments.defaults)
    for n, default in enumerate(arguments.defaults):
        if literal_value(default) is None:
            out[ordered[first + n].arg] = default
            arguments.defaults[n] = ast.copy_location(ast.Constant(None), default)
    for n, given in enumerate(arguments.kw_defaults):
        if given is not None and literal_value(given) is None:
            out[arguments.kwonlyargs[n].arg] = given
            arguments.kw_defaults[n] = ast.copy_location(ast.Constant(None), given)
    return out


def content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def mangle(node: ast.AST, target: FunctionType) -> None:
    """``self.__w`` in a class is ``self._Class__w``: Python does so by where the text stands, which is here no more."""
    parts = target.__qualname__.split(".")
    if len(parts) < 2 or parts[-2] == "<locals>":
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr.startswith("__") and not part.attr.endswith("__"):
            part.attr = f"_{parts[-2].lstrip('_')}{part.attr}"


def names_of(code: CodeType) -> set[str]:
    """Every global name that a function or one inside it may read."""
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(names_of, inner))
