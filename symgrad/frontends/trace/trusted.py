"""Functions of the caller's own, traced in this process: recorded as a script's are, but not guarded.

A function's text is found, rewritten as a script's is, and run with its own globals, closure and defaults. What it
finds there is exchanged where it must be: ``math``, NumPy and torch for their traced forms, a number for an input of
the graph, a function or method of the same file for its rewritten form. Afterwards the caller's objects are as before.
"""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from symgrad.deep import parsed
from symgrad.errors import Span
from symgrad.frontends.trace import hooks as names
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.functions import (
    MAKE,
    RETURN,
    WatchedReturns,
    content,
    factory,
    mangle,
    names_of,
    without_defaults,
)
from symgrad.frontends.trace.hosting import Hosting, is_tensor
from symgrad.frontends.trace.instrument import instrument
from symgrad.frontends.trace.naming import key_text
from symgrad.frontends.trace.places import CODE_NAME
from symgrad.frontends.trace.registry import Facade, Marker, Missing
from symgrad.frontends.trace.values import Value

#: Real modules -> the facades that stand for them while a trusted function runs.
_REPLACED = ("math", "numpy", "numpy.random", "torch", "torch.nn.functional", "torch.autograd", "random")
#: Libraries whose functions are never looked into; their own traced forms, or NumPy's protocols, do the work.
_LIBRARIES = frozenset({"numpy", "torch", "symgrad", "builtins"}) | sys.stdlib_module_names

_ABSENT = object()


class Trusted(Hosting):
    """A run of functions that live in this process.

    Traced with a function: the functions, methods, properties and callable objects of the same file that it finds by
    name or as an attribute, with their closures; ``math``, NumPy and torch; numbers in its globals, its closure and the
    attributes of its objects, and in lists and dictionaries there, which become inputs. Not traced: functions of other
    files. They are called as they are, and where one makes a plain number out of traced ones, the run ends and says so.
    What Python calls by itself (``__init__``, ``__add__``) is not looked into either.

    Args:
        source: the text of the functions' file. It may be another than the one that is loaded, such as one with
            repairs in it, as long as functions begin at the same lines.
        filename: the file.
    """

    def __init__(self, source: str, filename: str) -> None:
        super().__init__(source, filename)
        self.tree = parsed(source)
        self.functions: dict[FunctionType, Any] = {}
        #: (object, attribute) -> the input that its number became; the object is kept, so that its id stays its own.
        self.read: dict[tuple[int, str], tuple[object, object, Any]] = {}
        #: How to undo what was changed of the caller's objects, in order.
        self.undo: list[Callable[[], None]] = []
        self.seen: dict[int, object] = {}

    def trace(self, target: FunctionType, inputs: Mapping[str, Any]) -> Trace:
        """Run one function, whose result is the graph's output."""
        arguments = self.arguments(target, inputs)

        def action() -> None:
            result = self.convert(target)(**arguments)
            self.returned("return", result)
            if isinstance(result, Value) and result.step is not None:
                self.tracer.result = result.step

        try:
            return self.guarded(action)
        finally:
            self.restore()

    def arguments(self, target: FunctionType, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Numbers as inputs of the graph, called as the parameters are."""
        node = self.find(target)
        places = {a.arg: a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        return {name: self.named(name, value, places.get(name, node)) for name, value in inputs.items()}

    def restore(self) -> None:
        """Make the caller's objects what they were, with no traced value left in them."""
        while self.undo:
            self.undo.pop()()

    def returned(self, name: str, value: Any) -> None:
        """The parts of the result that were traced are bindings: ``return``, ``return[0]``, ``return["dw"]``."""
        if isinstance(value, Value) and value.step is not None:
            span = self.tracer.builder.steps[value.step].span or Span(self.filename, 1, 1, 1, 1)
            self.tracer.bind(name, value.step, span, span.line, "", "")
        elif isinstance(value, list | tuple):
            for i, part in enumerate(value):
                self.returned(f"{name}[{i}]", part)
        elif isinstance(value, dict):
            for key, part in value.items():
                self.returned(f"{name}[{key!r}]".replace("'", '"'), part)

    @property
    def filename(self) -> str:
        return self.tracer.filename

    # --- functions ----------------------------------------------------------------------------------------------

    def convert(self, target: FunctionType, watched: str = "") -> Any:
        """The function again, rewritten, with its own globals, closure and defaults.

        With ``watched``, which of its returns was taken is kept under this name.
        """
        if target not in self.functions:
            node = copy.deepcopy(self.find(target))
            mangle(node, target)
            if watched and isinstance(node, ast.FunctionDef):
                node.body = [WatchedReturns(self.returns, watched).visit(statement) for statement in node.body]
            if isinstance(node, ast.Lambda):
                name = ast.copy_location(ast.Name("made", ast.Store()), node)
                made: ast.stmt = ast.copy_location(ast.Assign([name], node), node)
            else:
                node.decorator_list = []  # they have been applied already
                made = node
            given = without_defaults(node.args)
            cells = dict(zip(target.__code__.co_freevars, target.__closure__ or (), strict=True))
            module = ast.Module([made], [])
            instrument(module, self.made)
            module.body = [factory(module.body, tuple(cells), "made" if isinstance(node, ast.Lambda) else node.name)]
            ast.fix_missing_locations(module)
            scope = self.trusted_globals(target)
            exec(compile(module, CODE_NAME, "exec", dont_inherit=True), scope)
            # Functions that share a variable share its input, as they share the cell.
            values = {n: self.outside(n, content(cell), node, cell) for n, cell in cells.items()}
            function = scope[MAKE](**values)
            self.take_defaults(target, function, given)
            self.functions[target] = function
        return self.functions[target]

    def take_defaults(self, target: FunctionType, function: FunctionType, given: Mapping[str, ast.expr]) -> None:
        """A default that is no literal is the value that the real function has: what it was made of may be gone."""

        def value(name: str, mine: Any, real: Any) -> Any:
            if name not in given:
                return mine
            at, table = given[name], target.__globals__
            if isinstance(at, ast.Name) and table.get(at.id, _ABSENT) is real:
                return self.outside(at.id, real, at, table)  # k=K is the K that others read
            return self.outside(name, real, at)

        code = target.__code__
        if target.__defaults__:
            last = code.co_varnames[: code.co_argcount][-len(target.__defaults__) :]
            pairs = zip(last, function.__defaults__ or (), target.__defaults__, strict=True)
            function.__defaults__ = tuple(value(*p) for p in pairs)
        if target.__kwdefaults__:
            mine = function.__kwdefaults__ or {}
            function.__kwdefaults__ = {n: value(n, mine.get(n), real) for n, real in target.__kwdefaults__.items()}

    def trusted_globals(self, target: FunctionType) -> dict[str, Any]:
        """The function's globals as it may see them while it is traced."""
        table = vars(builtins) | {
            n: v for n, v in self.namespace()["__builtins__"].items() if not isinstance(v, Missing)
        }
        table |= {"__build_class__": builtins.__build_class__, "type": type, "print": print}
        table |= {names.GETATTR: self.open_getattr, names.SETATTR: self.open_set, "getattr": self.open_getattr}
        table |= {names.DELATTR: delattr, names.IMPORT: self.open_import, names.FROM: self.open_from}
        table |= {names.SETITEM: self.open_item, names.APPEND: self.open_append, RETURN: self.returning}
        table.pop("display", None)
        used = names_of(target.__code__)
        node = self.find(target)
        real = target.__globals__
        scope = {n: self.outside(n, v, node, real) if n in used else v for n, v in real.items()}
        return scope | {"__builtins__": table, names.SCOPE: ""}

    # --- what the functions find --------------------------------------------------------------------------------

    def outside(self, name: str, value: Any, at: ast.AST, owner: object = None) -> Any:
        """Something that a function finds in its globals or its closure, or as a default."""
        if type(value) is not float and not isinstance(value, np.ndarray | np.floating) and not is_tensor(value):
            return self.replaced(self.entered_into(name, value))
        if owner is None:
            return self.named(name, value, at)
        return self.kept(owner, name, value, name, at)

    def kept(self, owner: object, key: str, value: Any, name: str, at: ast.AST) -> Any:
        """The input that a number became: the same one whenever and wherever it is read."""
        place = (id(owner), key)
        if place not in self.read or self.read[place][1] is not value:
            self.read[place] = (owner, value, self.named(name, value, at))
        return self.read[place][2]

    def entered_into(self, name: str, value: Any) -> Any:
        """A list or dictionary of the caller's: until the run is over, the numbers in it are inputs, and its functions
        traced ones."""
        if type(value) not in (list, dict) or id(value) in self.seen:
            return value
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        self.remember(value)
        for key, inner in items:
            if type(inner) is float or isinstance(inner, np.floating | np.ndarray) or is_tensor(inner):
                value[key] = self.named(f"{name}[{key_text(key)}]", inner, self.tree)
            else:
                made = self.replaced(self.entered_into(f"{name}[{key_text(key)}]", inner))
                if made is not inner:
                    value[key] = made
        return value

    def remember(self, owner: Any) -> None:
        """Keep what a list or dictionary holds, before it is changed for the first time."""
        if id(owner) in self.seen:
            return
        self.seen[id(owner)] = owner
        if isinstance(owner, dict):
            before = dict(owner)

            def undo() -> None:
                owner.clear()
                owner.update(before)

            self.undo.append(undo)
        elif isinstance(owner, list):
            items = list(owner)
            self.undo.append(lambda: owner.__setitem__(slice(None), items))

    def replaced(self, value: Any) -> Any:
        """What a real object of a traced library, or a function, is while tracing."""
        if isinstance(value, ModuleType):
            return self.guard.module(value.__name__) if value.__name__ in _REPLACED else value
        if isinstance(value, FunctionType | MethodType):
            function: Any = value.__func__ if isinstance(value, MethodType) else value
            owners = (value.__self__,) if isinstance(value, MethodType) else ()
            if self.is_ours(function):
                # Converted when it is called, not before: it may be recursive, or never run.
                return lambda *args, **kwargs: self.convert(function)(*owners, *args, **kwargs)
            if (getattr(value, "__module__", None) or "").partition(".")[0] not in _LIBRARIES:
                return self.foreign(value)
        if not isinstance(value, type) and self.is_ours(vars_of(type(value)).get("__call__")):
            return CallableObject(self, value)
        for module in ("math", "numpy"):
            # ``from math import tanh``: the function itself, which says where it comes from.
            name = getattr(value, "__name__", None)
            if callable(value) and isinstance(name, str) and getattr(sys.modules.get(module), name, None) is value:
                return self.guard.module(module).get(name)
        return value

    def is_ours(self, function: object) -> bool:
        """A Python function of the file that is traced."""
        return isinstance(function, FunctionType) and function.__code__.co_filename == self.filename

    def foreign(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of another file: called as it is. A number that comes out of it untraced would be taken for a
        constant, and right lines blamed for it."""

        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            given = [*args, *kwargs.values()]
            traced = any(isinstance(a, Value) and a.step is not None and self.tracer.varies[a.step] for a in given)
            if traced and type(result) in (float, np.float64):
                name = getattr(function, "__name__", "a function")
                self.tracer.unsupported(f"{name}, which is in another file,", "put it into the same file")
            return result

        return call

    def open_getattr(self, obj: Any, name: str, *default: Any) -> Any:
        if isinstance(obj, Value | Facade | Missing | Marker):
            return self.guard.builtin_getattr(obj, name, *default)
        if isinstance(obj, CallableObject):
            obj = obj.real
        made = getattr(type(obj), name, None)
        if isinstance(made, property) and self.is_ours(made.fget):
            return self.convert(cast(FunctionType, made.fget))(obj)
        value = getattr(obj, name, *default)
        if type(value) is float or isinstance(value, np.ndarray | np.floating) or is_tensor(value):
            return self.kept(obj, name, value, f"self.{name}", self.tree)
        return self.replaced(self.entered_into(f"self.{name}", value))

    def open_set(self, index: int, value: Any, scope: str, owner: Any, name: str) -> None:
        site = self.made.sites[index]
        owner = owner.real if isinstance(owner, CallableObject) else owner
        value = self.bound(site, f"{site.name}.{name}", self.renamed(site, value), scope)
        if isinstance(owner, Value):
            self.guard.setattr(owner, name, value)
            return
        before = vars(owner).get(name, _ABSENT) if hasattr(owner, "__dict__") else getattr(owner, name, _ABSENT)
        self.undo.append(lambda: delattr(owner, name) if before is _ABSENT else setattr(owner, name, before))
        setattr(owner, name, value)

    def open_item(self, index: int, value: Any, scope: str, owner: Any, key: Any) -> None:
        self.remember(owner)
        self.set_item(index, value, scope, owner, key)

    def open_append(self, index: int, value: Any, scope: str, owner: Any) -> Any:
        self.remember(owner)
        return self.append(index, value, scope, owner)

    def open_import(self, name: str, whole: bool) -> Any:
        return self.guard.import_module(name, whole) if name.partition(".")[0] in _REPLACED else _imported(name, whole)

    def open_from(self, module: str, name: str) -> Any:
        if module in _REPLACED:
            return self.guard.import_from(module, name)
        return self.replaced(getattr(_imported(module, True), name))


class CallableObject:
    """An object of the caller's whose class says how it is called."""

    def __init__(self, run: Trusted, real: Any) -> None:
        self.run, self.real = run, real

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run.convert(vars_of(type(self.real))["__call__"])(self.real, *args, **kwargs)


def vars_of(kind: type) -> dict[str, Any]:
    """What a class and its bases define, by name; nothing is called for it."""
    return {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}


def _imported(name: str, whole: bool) -> Any:
    module = importlib.import_module(name)
    return module if whole else sys.modules[name.partition(".")[0]]
