"""Code that runs under tracing: a script's text, or a function of the caller's own.

:func:`trace_source` runs a script in *this* process: for text that the caller trusts, and for the sandbox's child,
which has locked itself in first. The guards of ``trace/guard.py`` hold in both, but only the child has a second wall;
a file from outside goes through :func:`symgrad.frontends.sandbox.run_file`.

:func:`trace_callable` traces a Python function that the caller already has, together with the functions of the same
file that it calls.
"""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from symgrad.errors import Span, Unsupported
from symgrad.frontends.trace import autograd
from symgrad.frontends.trace import instrument as names
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.data import BackwardCall, Binding, GradRead, Leaf, Note, Trace, TraceError
from symgrad.frontends.trace.registry import Facade, Marker, Missing
from symgrad.frontends.trace.run import Run
from symgrad.frontends.trace.sites import Site
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.values import Value


def trace_source(source: str, filename: str = "<script>") -> Trace:
    """Run a script under tracing in this process.

    Raises:
        SymgradError: the text does not parse, uses what is not accepted, or passes a limit. An exception of the
        script's
            own, or something that cannot be traced yet, is the trace's ``error`` instead: what ran before it is kept.
    """
    trace = trace_unchecked(source, filename)
    if trace.error is not None and trace.error.fatal:
        raise trace.error.exception(source)
    return trace


def trace_unchecked(source: str, filename: str) -> Trace:
    """As :func:`trace_source`, but every error is returned in the trace: what the sandbox's child sends back."""
    run = Run(source, filename)
    try:
        code = run.compile()
    except Stop as e:
        return run.tracer.finish(e.error)
    return run.execute(code)


def trace_callable(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Trace:
    """Trace a function of the caller's own, at ``inputs`` (numbers, arrays and anything else, by parameter).

    The function is trusted: its text is rewritten to record names and places, but it keeps its own globals, with
    ``math``, ``numpy`` and ``torch`` replaced by their traced forms, and the attributes of its own objects. Functions
    of the same file are traced with it; others are called as they are.

    Raises:
        Unsupported: there is no source text to trace (a built-in, or something typed into a prompt).
    """
    target: Any = inspect.unwrap(function)
    if isinstance(target, MethodType):
        inputs = {next(iter(inspect.signature(target.__func__).parameters)): target.__self__, **inputs}
        target = target.__func__
    if not isinstance(target, FunctionType):
        raise Unsupported(f"{getattr(function, '__name__', 'this')} is no Python function: it cannot be traced")
    try:
        filename = inspect.getsourcefile(target) or "<function>"
        lines, _ = inspect.findsource(target)
    except OSError as e:
        raise Unsupported(f"the source text of {target.__name__} is not to be found") from e
    return _Trusted("".join(lines), filename).trace(target, inputs)


#: Real modules -> the facades that stand for them while a trusted function runs.
_REPLACED = ("math", "numpy", "numpy.random", "torch", "torch.nn.functional", "torch.autograd", "random")


_ABSENT = object()


class _Trusted(Run):
    """A run of functions that live in this process: recorded as a script's are, but not guarded."""

    def __init__(self, source: str, filename: str) -> None:
        super().__init__(source, filename)
        self.tree = ast.parse(source)
        self.functions: dict[FunctionType, Any] = {}
        #: (object, attribute) -> the input that its number became; the object is kept, so that its id stays its own.
        self.read: dict[tuple[int, str], tuple[object, object, Any]] = {}
        #: Attributes of the caller's objects that were set, and what they were before.
        self.changed: list[tuple[Any, str, Any]] = []

    def trace(self, target: FunctionType, inputs: Mapping[str, Any]) -> Trace:
        node = self.find(target)
        places = {a.arg: a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        arguments: dict[str, Any] = {}
        for name, value in inputs.items():
            at: ast.AST = places.get(name, node)
            arguments[name] = self.named(name, value, at)

        def action() -> None:
            result = self.convert(target)(**arguments)
            self.returned("return", result)
            if isinstance(result, Value) and result.step is not None:
                self.tracer.result = result.step

        try:
            return self.guarded(action)
        finally:
            # The caller's objects are as they were, with no traced value left in them.
            for owner, name, before in reversed(self.changed):
                if before is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, before)

    def named(self, name: str, value: Any, at: ast.AST) -> Any:
        """A number or an array from outside, as an input of the graph; anything else as it is."""
        if isinstance(value, np.ndarray):
            value = Array(self.tracer, value)
        elif isinstance(value, np.generic):
            value = value.item()
        elif type(value).__module__ == "torch" and type(value).__name__ in ("Tensor", "Parameter"):
            made = Tensor(
                self.tracer, value.detach().cpu().double().numpy(), dtype=str(value.dtype).removeprefix("torch.")
            )
            value = autograd.track(made) if value.requires_grad else made
        if isinstance(value, Value) or type(value) in (int, float):
            return self.bound(Site(name, at, getattr(at, "lineno", 1), literal=True), name, value, "")
        return value

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

    def find(self, target: FunctionType) -> ast.FunctionDef | ast.Lambda:
        """The text of a function."""
        first = target.__code__.co_firstlineno
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                decorators = getattr(node, "decorator_list", [])
                start = min([node.lineno, *(d.lineno for d in decorators)])
                if start == first and getattr(node, "name", "<lambda>") == target.__name__:
                    return node
        raise Unsupported(f"the source text of {target.__name__} is not to be found in {self.filename}")

    def convert(self, target: FunctionType) -> Any:
        """The function again, rewritten, with its own globals, closure and defaults."""
        if target not in self.functions:
            node = copy.deepcopy(self.find(target))
            if isinstance(node, ast.Lambda):
                name = ast.copy_location(ast.Name("made", ast.Store()), node)
                made: ast.stmt = ast.copy_location(ast.Assign([name], node), node)
            else:
                # The decorators have been applied already; a default may refer to what is gone by now.
                node.decorator_list = []
                made = node
            closure = dict(zip(target.__code__.co_freevars, target.__closure__ or (), strict=True))
            scope = {**self.trusted_globals(target), names.SCOPE: ""}
            scope |= {n: self.outside(n, cell.cell_contents, node) for n, cell in closure.items()}
            exec(self.rewrite(ast.Module([made], [])), scope)
            self.functions[target] = scope["made" if isinstance(node, ast.Lambda) else node.name]
        return self.functions[target]

    def trusted_globals(self, target: FunctionType) -> dict[str, Any]:
        """The function's globals as it may see them while it is traced."""
        table = vars(builtins) | {
            n: v for n, v in self.namespace()["__builtins__"].items() if not isinstance(v, Missing)
        }
        table |= {"__build_class__": builtins.__build_class__, "type": type, "print": print}
        table |= {names.GETATTR: self.open_getattr, names.SETATTR: self.open_set, "getattr": self.open_getattr}
        table |= {names.DELATTR: delattr, names.IMPORT: self.open_import, names.FROM: self.open_from}
        used = _names_of(target.__code__)
        node = self.find(target)
        scope = {n: self.outside(n, v, node) if n in used else v for n, v in target.__globals__.items()}
        return scope | {"__builtins__": table}

    def outside(self, name: str, value: Any, at: ast.AST) -> Any:
        """Something that a function finds in its globals or its closure."""
        if type(value) is float or isinstance(value, np.ndarray):
            return self.named(name, value, at)
        return self.replaced(value)

    def replaced(self, value: Any) -> Any:
        """What a real object of a traced library, or a function of this file, is while tracing."""
        if isinstance(value, ModuleType):
            return self.guard.module(value.__name__) if value.__name__ in _REPLACED else value
        if isinstance(value, FunctionType) and value.__code__.co_filename == self.filename:
            # Converted when it is called, not before: it may be recursive, or never run.
            return lambda *args, **kwargs: self.convert(value)(*args, **kwargs)  # noqa: PLW0108
        if isinstance(value, MethodType) and value.__func__.__code__.co_filename == self.filename:
            bound: Any = value.__func__
            owner = value.__self__
            return lambda *args, **kwargs: self.convert(bound)(owner, *args, **kwargs)
        for module in ("math", "numpy"):
            # ``from math import tanh``: the function itself, which says where it comes from.
            name = getattr(value, "__name__", None)
            if callable(value) and isinstance(name, str) and getattr(sys.modules.get(module), name, None) is value:
                return self.guard.module(module).get(name)
        return value

    def open_getattr(self, obj: Any, name: str, *default: Any) -> Any:
        if isinstance(obj, Value | Facade | Missing | Marker):
            return self.guard.builtin_getattr(obj, name, *default)
        value = getattr(obj, name, *default)
        if type(value) is float or isinstance(value, np.ndarray):
            key = (id(obj), name)
            if key not in self.read or self.read[key][1] is not value:
                self.read[key] = (obj, value, self.named(f"self.{name}", value, self.tree))
            return self.read[key][2]
        return self.replaced(value)

    def open_set(self, index: int, value: Any, scope: str, owner: Any, name: str) -> None:
        site = self.made.sites[index]
        value = self.bound(site, f"{site.name}.{name}", value, scope)
        if isinstance(owner, Value):
            self.guard.setattr(owner, name, value)
        else:
            self.changed.append(
                (owner, name, vars(owner).get(name, _ABSENT) if hasattr(owner, "__dict__") else _ABSENT)
            )
            setattr(owner, name, value)

    def open_import(self, name: str, whole: bool) -> Any:
        return self.guard.import_module(name, whole) if name.partition(".")[0] in _REPLACED else _imported(name, whole)

    def open_from(self, module: str, name: str) -> Any:
        if module in _REPLACED:
            return self.guard.import_from(module, name)
        return self.replaced(getattr(_imported(module, True), name))


def _imported(name: str, whole: bool) -> Any:
    module = importlib.import_module(name)
    return module if whole else sys.modules[name.partition(".")[0]]


def _names_of(code: CodeType) -> set[str]:
    """Every global name that a function or one inside it may read."""
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(_names_of, inner))


__all__ = [
    "BackwardCall", "Binding", "GradRead", "Leaf", "Note", "Trace", "TraceError", "trace_callable", "trace_source",
]  # fmt: skip
