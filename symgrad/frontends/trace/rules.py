"""Which Python the sandbox accepts: checked on the whole syntax tree before anything runs.

Why not RestrictedPython's transformer? It rewrites much the same things (attribute access, iteration, unpacking,
in-place operators), but it is a deny-list over names plus policies that every embedder must supply, its rewriting
moves the source positions that the carets of symgrad's findings depend on, and it refuses what gradient code is full
of (in-place operators on attributes and items, annotated assignments). Here the rule is the other way round, and in
three layers, of which each would stop the known escapes by itself:

1. this module: only node types of an allow-list, and no identifier that begins with two underscores but a few;
2. ``guard.py``: every attribute access of the script goes through a function that decides by the *exact type* of the
   object which names exist; there is no path to a frame, a code object, a module, a base class or a function's globals;
3. ``child.py`` and ``locks.py``: a process without files, network or subprocesses, where an audit hook ends the run
   on the first attempt.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from symgrad.frontends.trace.trees import walk

#: Node types that a script may contain. What is not listed is refused: await, async, match, except*, ...
ALLOWED: frozenset[type[ast.AST]] = frozenset({
    ast.Module, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Del, ast.Attribute, ast.Subscript, ast.Slice,
    ast.Starred, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr, ast.FormattedValue,
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.NamedExpr, ast.Call, ast.keyword, ast.Lambda,
    ast.arguments, ast.arg, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension,
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Pass, ast.Break, ast.Continue, ast.Return, ast.Yield,
    ast.YieldFrom, ast.If, ast.For, ast.While, ast.With, ast.withitem, ast.Try, ast.ExceptHandler, ast.Raise,
    ast.Assert, ast.FunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.alias,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.LShift, ast.RShift,
    ast.BitAnd, ast.BitOr, ast.BitXor, ast.Invert, ast.Not, ast.UAdd, ast.USub, ast.And, ast.Or, ast.Eq, ast.NotEq,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
})  # fmt: skip

#: Of these, those in which there is more to look at than that.
_LOOKED_INTO: frozenset[type[ast.AST]] = frozenset({
    ast.Attribute, ast.Name, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.comprehension, ast.arg,
    ast.keyword, ast.ExceptHandler, ast.Global, ast.Nonlocal,
})  # fmt: skip
_PLAIN = ALLOWED - _LOOKED_INTO

#: What a refused node type is called.
WORDS: dict[type[ast.AST], str] = {
    ast.AsyncFunctionDef: "async functions",
    ast.AsyncFor: "async loops",
    ast.AsyncWith: "async with",
    ast.Await: "await",
    ast.Match: "match statements",
    ast.TryStar: "except*",
}

#: Special methods that a class may define. None is called with anything that the script does not already have.
METHODS = frozenset(
    "__init__ __call__ __repr__ __str__ __len__ __iter__ __next__ __getitem__ __setitem__ __contains__ __enter__ "
    "__exit__ __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__ __rtruediv__ "
    "__itruediv__ __pow__ __rpow__ __neg__ __pos__ __abs__ __matmul__ __rmatmul__ __eq__ __ne__ __lt__ __le__ __gt__ "
    "__ge__ __bool__ __hash__ __float__".split()
)

#: Special names that may be read as plain names, and as attributes.
NAMES = frozenset({"__name__", "__file__"})
#: What a module says of itself: names like any other.
METADATA = frozenset(
    "__author__ __version__ __all__ __license__ __copyright__ __email__ __date__ __maintainer__ __status__ "
    "__credits__ __title__ __metaclass__".split()
)
ATTRIBUTES = frozenset({"__init__", "__name__"})

#: Attributes of frames, code, tracebacks and generators. The guards know no type that has them; they are refused
#: before anything runs, so that the message names the intent.
INTERNAL = frozenset(
    "f_back f_builtins f_code f_globals f_locals f_trace tb_frame tb_next co_code co_consts gi_frame gi_code "
    "gi_yieldfrom cr_frame cr_code cr_await ag_frame ag_code func_globals func_code mro".split()
)

#: A script longer than this is not homework.
MAX_SOURCE = 2_000_000


def settle_private(tree: ast.AST) -> None:
    """Before anything looks at the names: ``self.__w`` in a class is ``self._Class__w``, as Python has it; and harmless
    uses of special names are written without them."""
    nodes = walk(tree)
    for owner in [n for n in nodes if isinstance(n, ast.ClassDef)]:
        start = f"_{owner.name.lstrip('_')}"
        for node in walk(owner):
            if isinstance(node, ast.Attribute) and _private(node.attr):
                node.attr = start + node.attr
            elif isinstance(node, ast.FunctionDef) and _private(node.name):
                node.name = start + node.name
    if any(isinstance(n, ast.Attribute) and n.attr in ("__name__", "__call__") for n in nodes):
        _Plain().visit(tree)


class _Plain(ast.NodeTransformer):
    """``x.__class__.__name__`` as ``type(x).__name__``, and ``self.__call__(x)`` as ``self(x)``."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        inner = node.value
        if node.attr == "__name__" and isinstance(inner, ast.Attribute) and inner.attr == "__class__":
            made = ast.Call(ast.copy_location(ast.Name("type", ast.Load()), inner), [inner.value], [])
            node.value = ast.copy_location(made, inner)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        inner = node.func
        if isinstance(inner, ast.Attribute) and inner.attr == "__call__" and isinstance(inner.value, ast.Name):
            node.func = inner.value
        return node


def _private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


class Refused(Exception):
    """A construct that the sandbox does not accept, and the node that it is."""

    def __init__(self, message: str, node: ast.AST, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.hint = hint


def check(tree: ast.AST) -> None:
    """Go through every node, without recursion.

    Raises:
        Refused: the first construct, in source order, that is not accepted.
    """
    found = [problem for node in walk(tree) if type(node) not in _PLAIN for problem in _problems(node)]
    if found:
        raise min(found, key=_order)


def _order(problem: Refused) -> tuple[int, int, int]:
    """By place; of an attribute chain the first link, and what has no place of its own last."""
    node = problem.node
    return (
        getattr(node, "lineno", sys.maxsize),
        getattr(node, "col_offset", 0),
        getattr(node, "end_col_offset", None) or 0,
    )


def _problems(node: ast.AST) -> Iterator[Refused]:
    kind = type(node)
    if kind not in ALLOWED:
        yield Refused(f"{WORDS.get(kind, kind.__name__)} are not accepted in a traced file", node)
    elif isinstance(node, ast.Attribute):
        name = node.attr
        if (name.startswith("__") and name not in ATTRIBUTES) or name in INTERNAL:
            yield Refused(f"the attribute {name} leads into Python's internals", node)
        elif name.startswith("__") and not isinstance(node.ctx, ast.Load):
            yield Refused(f"the attribute {name} cannot be assigned", node)
    elif isinstance(node, ast.Name):
        # __radd__ = __add__ in a class body is a plain name like any other.
        known = node.id in METHODS or node.id in METADATA or (node.id in NAMES and isinstance(node.ctx, ast.Load))
        if node.id.startswith("__") and not known:
            yield Refused(f"the name {node.id} leads into Python's internals", node)
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        if node.name.startswith("__") and not (node.name in METHODS and kind is ast.FunctionDef):
            yield Refused(f"defining {node.name} is not accepted in a traced file", node)
        if isinstance(node, ast.ClassDef) and node.keywords:
            yield Refused("a class with a metaclass or keyword arguments is not accepted", node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from _import_problems(node)
    elif isinstance(node, ast.comprehension) and node.is_async:
        yield Refused("async comprehensions are not accepted in a traced file", node.target)
    else:
        yield from _hidden_names(node)


def _hidden_names(node: ast.AST) -> Iterator[Refused]:
    """Identifiers that are plain strings in the tree: parameters, keywords, ``except ... as``, ``global``."""
    names: list[str | None] = []
    if isinstance(node, ast.arg | ast.keyword):
        names = [node.arg]
    elif isinstance(node, ast.ExceptHandler):
        names = [node.name]
    elif isinstance(node, ast.Global | ast.Nonlocal):
        names = list(node.names)
    for name in names:
        if name is not None and name.startswith("__"):
            yield Refused(f"the name {name} leads into Python's internals", node)


def _is_beside(node: ast.Import | ast.ImportFrom) -> bool:
    """``from ._base import Module``: a file beside this one, and none of Python's own."""
    return isinstance(node, ast.ImportFrom) and node.level > 0


def _import_problems(node: ast.Import | ast.ImportFrom) -> Iterator[Refused]:
    for alias in node.names:
        hidden = [part for part in alias.name.split(".") if part.startswith("__" if _is_beside(node) else "_")]
        hidden += [n for n in (alias.asname or "",) if n.startswith("__")]
        if hidden:
            yield Refused(f"importing {hidden[0]} leads into Python's internals", node)
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    hidden_name = module.startswith("__" if _is_beside(node) else "_") and module != "__future__"
    if isinstance(node, ast.ImportFrom) and hidden_name:
        yield Refused(f"the module {node.module} leads into Python's internals", node)


#: Beginnings of the parser's messages on statements that only Python 2 had -> what they are called.
PYTHON_2 = (
    ("Missing parentheses in call to 'print'", "a Python 2 print statement"),
    ("Missing parentheses in call to 'exec'", "a Python 2 exec statement"),
    ("multiple exception types must be parenthesized", "a Python 2 except clause"),
    ("leading zeros in decimal integer literals", "a Python 2 octal number"),
)


def syntax_message(error: SyntaxError, source: str) -> tuple[str, str]:
    """Python's own words, and a hint where the text is Python 2."""
    message = error.msg or "invalid syntax"
    for start, words in PYTHON_2:
        if message.startswith(start):
            return f"this is {words}: {message}", "symgrad reads Python 3; 2to3 converts such a file"
    line = source.split("\n")[error.lineno - 1] if error.lineno and error.lineno <= source.count("\n") + 1 else ""
    if "<>" in line:
        return f"this is Python 2's <> operator: {message}", "write !="
    return message, ""
