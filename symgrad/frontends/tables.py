"""Functions that return a Jacobian: the derivative of each output by each input, as ``jacobian(params, t)`` does.

Its product with a row of numbers is the gradient of the same sum of the outputs, and as that it is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.frontends.returned import Returned
from symgrad.frontends.trace.shaped import Recorder
from symgrad.frontends.trace.values import Value

if TYPE_CHECKING:
    from symgrad.frontends.calling import Caller


class Table(SymgradError):
    """Backward returns a Jacobian: it is to be called as a function that does."""


class Tables:
    """What becomes of a Jacobian in one run of a pair of functions."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        #: The row, where backward is called as a function that returns a Jacobian.
        self.cotangent: Any = None

    def bind(self, answer: Any, output: Any, arguments: Mapping[str, Any], result: Returned) -> None:
        """Bind what backward returned.

        Raises:
            Table: it is a Jacobian, and was not called as one: ``softmax_gradient(z)``, to which nothing flows in,
                gives a table of how each output goes with each input.
        """
        owners = self.by(answer, output, arguments)
        if not owners:
            result.bind(answer)
            return
        if not self.caller.table:
            message = "each output's derivative by each input is returned (a Jacobian), which is not checked"
            raise self.caller.error("backward", message, Table, hint="a backward pass takes the gradient of its output")
        m, shape = Recorder(self.caller.run_.tracer), np.shape(arguments[owners[0]].raw)
        size = len(owners) if len(owners) > 1 else int(np.prod(shape, dtype=int))
        count, begin = int(np.size(output.raw)), len(self.caller.run_.tracer.builder.steps)
        # In the other layout, inputs before outputs, the row comes from the other side.
        turned = shape != () and np.shape(answer.raw)[: len(shape)] == shape != np.shape(output.raw)
        flat = m.reshape(answer, shape=(size, count) if turned else (count, size))
        row = m.reshape(self.cotangent, shape=(count,))
        product = m.matmul(flat, row) if turned else m.matmul(row, flat)
        parts = [product[n] for n in range(size)] if len(owners) > 1 else [m.reshape(product, shape=shape)]
        steps, span = self.caller.run_.tracer.builder.steps, self.caller.run_.span(self.caller.place("backward"))
        steps[begin:] = [replace(step, span=span) for step in steps[begin:]]
        for n, (owner, part) in enumerate(zip(owners, parts, strict=True)):
            label = f"return[..., {n}]" if len(owners) > 1 else "return"
            result.bind_one(label, owner, part, self.caller.place("backward"))

    def row(self, output: Any) -> list[Any]:
        """What a Jacobian is multiplied with, where backward returns one: an input of the graph."""
        if not self.caller.table:
            return []
        given = np.round(np.random.default_rng(5).uniform(0.5, 1.5, np.shape(output.raw)), 6)
        self.cotangent = self.caller.run_.named("cotangent", self.caller.kind(given), self.caller.place("forward"))
        return [self.cotangent]

    def by(self, answer: Any, output: Any, arguments: Mapping[str, Any]) -> list[str]:
        """The input by which backward returns the derivatives of all that forward gave, or the numbers by which a
        column holds them each; empty where it returns something else."""
        rows: tuple[int, ...] = np.shape(output.raw) if isinstance(output, Value) else ()
        shapes = {n: np.shape(v.raw) for n, v in arguments.items() if isinstance(v, Value)}
        whole = bool(self.caller.derivative or self.caller.helper)  # nothing flows in
        if not whole or not isinstance(answer, Value) or len(rows) != 1 or rows[0] < 2:
            return []
        held = np.shape(answer.raw)
        for name, shape in shapes.items():
            if len(shape) == 1 and held in {(*rows, *shape), (*shape, *rows)} - set(shapes.values()):
                return [name]
        numbers = [n for n, shape in shapes.items() if not shape and n not in self.caller.defaults]
        return numbers if len(numbers) > 1 and held == (*rows, len(numbers)) else []


__all__ = ["Table", "Tables"]
