"""The lines of a derivation by arrays: the forward pass, and the gradient of each step in matrix form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.backward import Backward
from symgrad.graph import Graph
from symgrad.printing import expression_text, step_text
from symgrad.report.arrays import ArrayStep
from symgrad.steps import READABLE


def spaced(text: str) -> str:
    """The product of matrices set off by blanks, as it is usually written."""
    return re.sub(r"(?<=\S)@(?=\S)", " @ ", text)


def listed(value: Any) -> Any:
    """An array as nested lists of floats."""
    return np.asarray(value, dtype=np.float64).tolist()


def prefix(names: Sequence[str]) -> str:
    """What stands before a name for its gradient: ``d``, unless the user has such a name already."""
    taken = set(names)
    return next(p for p in ("d", "grad_", "gradient_of_") if not any(p + n in taken for n in names if n))


def forward_lines(graph: Graph, names: Sequence[str], values: Sequence[Any]) -> tuple[ArrayStep, ...]:
    """One line for each step that the result depends on.

    Args:
        graph: the function.
        names: of its steps; ``values``: at the point, in float64.
    """
    needed = graph.ancestors(graph.output)
    shown = {i: n for i, n in enumerate(names) if n}
    return tuple(
        ArrayStep(names[i], spaced(step_text(graph, i, shown)), step.shape, listed(values[i]), step.span)
        for i, step in enumerate(graph.steps)
        if needed[i] and not step.is_leaf
    )


def gradient_names(
    reverse: Backward, names: Sequence[str], letter: str
) -> tuple[list[tuple[int, int]], dict[int, str]]:
    """Which gradients get a line, and under which names later lines use them.

    Returns:
        (forward step, position of its gradient) in the order of the reverse pass; and position -> name. Where two steps
        have one gradient, as the terms of a sum have, it is called after the one that comes first.
    """
    lines = [
        (i, reverse.cotangents[i]) for i in sorted(reverse.cotangents, reverse=True) if i < len(names) and names[i]
    ]
    called: dict[int, str] = {}
    for i, position in lines:
        if not reverse.graph.steps[position].is_const:
            called.setdefault(position, letter + names[i])
    return lines, called


def backward_lines(
    reverse: Backward, names: Sequence[str], letter: str, output: int, values: Sequence[Any]
) -> tuple[ArrayStep, ...]:
    """One line for the gradient of each step: ``dW = outer(du1, x)``.

    Args:
        reverse: as taught.
        names: of the forward steps.
        letter: see :func:`prefix`.
        output: the result; its own gradient has no line, unless it is the upstream gradient that is given.
        values: of every step of ``reverse``, in float64.
    """
    graph = reverse.graph
    lines, called = gradient_names(reverse, names, letter)
    shown = {i: n for i, n in enumerate(names) if n} | called
    out = []
    done: set[int] = set()
    for i, position in lines:
        if i == output:
            done.add(position)
            continue
        step = graph.steps[position]
        formula = called[position] if position in done & called.keys() else expression_text(
            graph, position, stop=shown.keys() - {position}, names=shown, limit=READABLE
        )  # fmt: skip
        done.add(position)
        out.append(
            ArrayStep(
                letter + names[i], spaced(formula) or "(too long to be read)", step.shape, listed(values[position])
            )
        )
    return tuple(out)
