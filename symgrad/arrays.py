"""Running whole graphs in NumPy float64: scalars and arrays alike, forward and backward steps.

This is what the diagnosis of arrays computes with, so it is made for speed: a graph is compiled once into a list of
calls, with its parameters decoded, and then run at as many points as are wanted. Time is linear in the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from symgrad.errors import SymgradError
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.floats import COMPARISONS
from symgrad.ops.values import function, number

#: A float64 array, or a NumPy float64 for a step of shape ().
Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]] | np.float64"


def _truth(run: Callable[..., Any], *args: Any) -> Any:
    """A comparison's value: 1 or 0, so that rules may subtract it."""
    return np.asarray(run(*args), dtype=np.float64)[()]


def _call(step: Step) -> Callable[..., Any]:
    """What computes one step."""
    op = OPS[step.op]
    run = function(step.op)
    if isinstance(op, TensorOp):
        return partial(_shaped, run, dict(step.params)) if step.params else partial(_shaped, run, {})
    return partial(_truth, run) if step.op in COMPARISONS else run


def _shaped(run: Callable[..., Any], params: Mapping[str, Any], *args: Any) -> Any:
    return run(*map(np.asarray, args), **params)


class Program:
    """A graph made ready to be run many times.

    Args:
        graph: any graph.
        targets: the steps that are wanted; with ``None`` all of them.

    Raises (when run):
        SymgradError: a step cannot be computed; the message is NumPy's, the place the step's.
    """

    def __init__(self, graph: Graph, targets: Sequence[int] | None = None) -> None:
        self.graph = graph
        self.targets = tuple(range(len(graph)) if targets is None else targets)
        needed = [True] * len(graph) if targets is None else graph.ancestors(*targets)
        #: Steps whose value must be given.
        self.inputs = tuple(i for i, s in enumerate(graph.steps) if s.is_input and needed[i])
        self._start: list[Any] = [None] * len(graph)
        self._plan: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        for i, step in enumerate(graph.steps):
            if needed[i] and step.is_const:
                self._start[i] = np.float64(number(step.value))
            elif needed[i] and not step.is_leaf:
                self._plan.append((i, _call(step), step.inputs))
        self._frees = self._last_uses() if targets is not None else {}

    def _last_uses(self) -> dict[int, tuple[int, ...]]:
        """After which step which values are used no more."""
        last: dict[int, int] = {}
        for i, _, inputs in self._plan:
            for j in inputs:
                last[j] = i
        frees: dict[int, list[int]] = {}
        wanted = set(self.targets)
        for j, i in last.items():
            if j not in wanted:
                frees.setdefault(i, []).append(j)
        return {i: tuple(js) for i, js in frees.items()}

    def __call__(self, values: Mapping[int, Any]) -> list[Any]:
        """Run at one point.

        Args:
            values: a number or array for each step of ``inputs``; the shapes are those of the steps.

        Returns:
            one float64 array per target. They may be views of one another and of ``values``: do not write into them.
        """
        out = list(self._start)
        for i in self.inputs:
            out[i] = np.asarray(values[i], dtype=np.float64)[()]
        frees = self._frees
        step = -1
        try:
            with np.errstate(all="ignore"):
                for step, run, inputs in self._plan:
                    out[step] = run(*[out[j] for j in inputs])
                    if frees and step in frees:
                        for j in frees[step]:
                            out[j] = None
        except (ValueError, TypeError, IndexError, np.linalg.LinAlgError) as problem:
            where = self.graph.steps[step]
            source = self.graph.source if where.span is not None else None
            raise SymgradError(f"{OPS[where.op].title}: {problem}", where.span, source=source) from problem
        return [out[t] for t in self.targets]


def evaluate(graph: Graph, values: Mapping[int, Any], targets: Sequence[int] | None = None) -> list[Any]:
    """Run a graph once; see :class:`Program`."""
    return Program(graph, targets)(values)
