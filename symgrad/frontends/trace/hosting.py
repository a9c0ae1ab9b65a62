"""Calling functions of a file under its recorder: what a run offers to whoever calls them.

:class:`symgrad.frontends.trace.trusted.Trusted` does so for functions that live in this process, :class:`Hosted` for
those that a file in the sandbox defines.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from types import FunctionType
from typing import Any

import numpy as np

from symgrad.deep import deep
from symgrad.errors import Unsupported
from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace import autograd
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.functions import RETURN, WatchedReturns
from symgrad.frontends.trace.instrument import instrument
from symgrad.frontends.trace.places import CODE_NAME
from symgrad.frontends.trace.run import Run
from symgrad.frontends.trace.sites import Site
from symgrad.frontends.trace.trees import copied, walk
from symgrad.frontends.trace.values import NUMPY, Value, number


class Context:
    """What a torch.autograd.Function calls ``ctx``."""

    def __init__(self, count: int) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad = (True,) * count

    def save_for_backward(self, *values: Any) -> None:
        self.saved_tensors = values

    def mark_dirty(self, *values: Any) -> None:
        pass

    def mark_non_differentiable(self, *values: Any) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass


def _place(node: ast.expr) -> tuple[int, int | None, int, int | None]:
    """Where a node stands, as the code made of it has it."""
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


class Hosting(Run):
    """A run whose functions are called from outside.

    Args:
        source: the text of the file; ``filename``: its name.
    """

    #: The text as it was before it was rewritten.
    tree: ast.Module

    def __init__(self, source: str, filename: str, siblings: Siblings | None = None) -> None:
        super().__init__(source, filename, siblings)
        self.returns: list[ast.Return] = []
        #: Who returned last, of those whose returns are watched -> which of its returns it was.
        self.returned_at: dict[str, ast.Return] = {}

    def returning(self, index: int, watched: str, value: Any) -> Any:
        self.returned_at[watched] = self.returns[index]
        return value

    def find(self, target: FunctionType) -> ast.FunctionDef | ast.Lambda:
        """The text of a function.

        Raises:
            Unsupported: it is not in this file.
        """
        code = target.__code__
        # Several lambdas may stand on one line; names beginning with two underscores are mangled in a class.
        found = self._functions.get((code.co_name, code.co_firstlineno, code.co_argcount), ())
        if found:
            places = set(code.co_positions()) if len(found) > 1 else set()
            return next((n for n in found if isinstance(n, ast.Lambda) and _place(n.body) in places), found[0])
        raise Unsupported(f"the source text of {target.__name__} is not to be found in {self.tracer.filename}")

    @cached_property
    def _functions(self) -> dict[tuple[str, int, int], list[ast.FunctionDef | ast.Lambda]]:
        """All functions of the file, by name, first line and number of parameters."""
        out: dict[tuple[str, int, int], list[ast.FunctionDef | ast.Lambda]] = {}
        for node in walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
                count = len(node.args.posonlyargs) + len(node.args.args)
                out.setdefault((getattr(node, "name", "<lambda>"), start, count), []).append(node)
        return out

    def convert(self, target: FunctionType, watched: str = "") -> Any:
        """The function as it may be called; with ``watched``, which of its returns was taken is kept under this
        name."""
        raise NotImplementedError

    def named(self, name: str, value: Any, at: ast.AST) -> Any:
        """A number or an array from outside, as an input of the graph; anything else as it is."""
        tr = self.tracer
        if isinstance(value, np.ndarray):
            value = Array(tr, value)
        elif isinstance(value, np.floating):
            value = number(tr, float(value), None, NUMPY)
        elif isinstance(value, np.generic):
            value = value.item()
        elif is_tensor(value):
            made = Tensor(tr, value.detach().cpu().double().numpy(), dtype=str(value.dtype).removeprefix("torch."))
            made = made if value.dtype.is_floating_point else Tensor(tr, value.detach().cpu().numpy(), dtype=made.dtype)
            value = autograd.track(made) if value.requires_grad else made
        if isinstance(value, Value) or type(value) in (int, float):
            return self.bound(Site(name, at, getattr(at, "lineno", 1), literal=True), name, value, "")
        return value

    def context(self, count: int) -> Any:
        """What a torch.autograd.Function is given as ``ctx``, for so many inputs."""
        return Context(count)

    def restore(self) -> None:
        """Make the caller's objects what they were, with no traced value left in them."""


class Hosted(Hosting):
    """A file in the sandbox, whose functions are called when it has run.

    Args:
        opened: within this context Python's own machinery may look into functions; the file's code does not run in it.
    """

    def __init__(
        self,
        source: str,
        filename: str,
        siblings: Siblings | None = None,
        opened: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(source, filename, siblings)
        self.opened = opened
        #: The functions and classes at the top of the file.
        self.definitions: list[ast.FunctionDef | ast.ClassDef] = []

    def rewrite(self, tree: ast.Module) -> Any:
        """Every return of every function says that it was taken."""
        self.tree = copied(tree)
        for node in walk(tree):
            if isinstance(node, ast.FunctionDef):
                watched = WatchedReturns(self.returns, _key(node))
                node.body = [watched.visit(statement) for statement in node.body]
        instrument(tree, self.made, self.given)
        self.definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return compile(tree, CODE_NAME, "exec", dont_inherit=True)

    def take(self, other: Hosted) -> None:
        """What was made of the same text for another run of it, which is over."""
        self.library.codes, self.tracer.texts = other.library.codes, other.tracer.texts
        self.tree, self.made, self.definitions = other.tree, other.made, other.definitions
        self.returns, self.passes, self.asked.wanted = other.returns, other.passes, other.asked.wanted

    def define_the_rest(self) -> None:
        """The functions and classes that the file did not come to, since something at its top stopped it: a demo, or
        data that is not here. What one of them needs that is not there it says itself when it is called."""
        for node in self.definitions:
            if node.name not in self.globals:
                with deep(), self.opened():
                    code = compile(ast.Module([node], []), CODE_NAME, "exec", dont_inherit=True)
                self.attempt(partial(exec, code, self.globals))
                self.tracer.revive()

    def namespace(self) -> dict[str, Any]:
        table = super().namespace()
        table["__builtins__"] |= {RETURN: self.returning}
        return table

    def find(self, target: FunctionType) -> ast.FunctionDef | ast.Lambda:
        with self.opened():
            return super().find(target)

    def context(self, count: int) -> Any:
        """An object of a class that the guards know."""
        made = self.library.of_ours("torch.autograd.function.FunctionContext")
        context = Context(count) if made is None else made()
        context.needs_input_grad = (True,) * count
        return context

    def convert(self, target: FunctionType, watched: str = "") -> Any:
        """It is rewritten already."""
        if watched:
            key = _key(self.find(target))

            def call(*args: Any, **kwargs: Any) -> Any:
                result = target(*args, **kwargs)
                if key in self.returned_at:
                    self.returned_at[watched] = self.returned_at[key]
                return result

            return call
        return target


def _key(node: ast.FunctionDef | ast.Lambda) -> str:
    return f"line {node.lineno}"


def is_tensor(value: object) -> bool:
    """A torch tensor, told without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and type(value).__name__ in ("Tensor", "Parameter")


__all__ = ["Hosted", "Hosting", "is_tensor"]
