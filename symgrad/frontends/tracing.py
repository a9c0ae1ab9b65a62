"""Code that runs under tracing: a script's text, or a function of the caller's own.

:func:`trace_source` runs a script in *this* process: for text that the caller trusts, and for the sandbox's child, which
has locked itself in first. The guards of ``trace/guard.py`` hold in both, but only the child has a second wall; a file
from outside goes through :func:`symgrad.frontends.sandbox.run_file`.

:func:`trace_callable` traces a Python function that the caller already has, together with the functions of the same file
that it calls.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from symgrad.errors import Span, Unsupported
from symgrad.frontends.trace.data import (
    BackwardCall,
    Binding,
    GradRead,
    Leaf,
    Note,
    Trace,
    TraceError,
)
from symgrad.frontends.trace.instrument import Site
from symgrad.frontends.trace.registry import MODULES
from symgrad.frontends.trace.run import Run
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.tracer import CODE_NAME
from symgrad.frontends.trace.values import Array


def trace_source(source: str, filename: str = "<script>") -> Trace:
    """Run a script under tracing in this process.

    Raises:
        SymgradError: the text does not parse, uses what is not accepted, or passes a limit. An exception of the script's
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
    target = inspect.unwrap(function)
    if inspect.ismethod(target):
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


class _Trusted(Run):
    """A run of functions that live in this process."""

    def __init__(self, source: str, filename: str) -> None:
        super().__init__(source, filename)
        self.tree = ast.parse(source)
        self.done: dict[Any, Any] = {}
        # Several functions are rewritten one after the other: their tables are kept apart by an offset.
        self.guard.getattr = self.open_getattr  # type: ignore[method-assign]
        self.guard.setattr = self.open_setattr  # type: ignore[method-assign]

    def trace(self, target: FunctionType, inputs: Mapping[str, Any]) -> Trace:
        traced = self.convert(target)
        node = self.find(target)
        parameters = {a.arg: a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        arguments: dict[str, Any] = {}
        for name, value in inputs.items():
            at: ast.AST = parameters.get(name, node)
            site = Site(name, at, getattr(at, "lineno", 1), literal=True)
            if isinstance(value, np.ndarray | np.generic):
                value = Array(self.tracer, value)
            named = isinstance(value, float | Array) or (type(value) is int)
            arguments[name] = self.bound(site, name, value, "") if named else value
        return self.guarded(lambda: self.bind_result(node, traced(**arguments)))

    def bind_result(self, node: ast.AST, value: Any) -> None:
        """Nothing to do: the last step is the result."""

    def find(self, target: FunctionType) -> ast.FunctionDef | ast.Lambda:
        """The text of a function."""
        first = target.__code__.co_firstlineno
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                decorators = getattr(node, "decorator_list", [])
                if min([node.lineno, *(d.lineno for d in decorators)]) == first:
                    if getattr(node, "name", "<lambda>") == target.__code__.co_name:
                        return node
        raise Unsupported(f"the source text of {target.__name__} is not to be found in {self.tracer.filename}")

    def convert(self, target: FunctionType) -> Any:
        """The function again, rewritten."""
        if target.__code__ in self.done:
            return self.done[target.__code__]
        raise NotImplementedError

    def open_getattr(self, obj: Any, name: str) -> Any:
        raise NotImplementedError

    def open_setattr(self, obj: Any, name: str, value: Any) -> None:
        raise NotImplementedError
