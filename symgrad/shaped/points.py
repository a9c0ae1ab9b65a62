"""The values at which a derivative by arrays is checked: what the user gave, and numbers of symgrad's own choice.

Numbers of its own choice are the same in every run, no two of them are alike in size, and no square matrix of them is
symmetric: so that a transposed matrix, a swapped index or a sum over the wrong axis cannot go unnoticed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.formats import Format
from symgrad.frontends.pointtext import parse_points
from symgrad.frontends.shapes import Literal, nested, read_values
from symgrad.graph import Graph
from symgrad.names import normalize
from symgrad.points import evaluate_constant

#: Where numbers are drawn from, one range after the other until the function has a value there: on both sides of 0;
#: above it; between 0 and 1.
_RANGES = ((-1.5, 1.5), (0.25, 2.0), (0.05, 0.95))


@dataclass(frozen=True, slots=True)
class ArrayPoint:
    """A value for each input of a graph.

    Attributes:
        values: input step -> an object array of Fractions, of the step's shape, exactly as the dtype holds them.
        drawn: the names of those that symgrad chose.
    """

    values: Mapping[int, Any]
    drawn: tuple[str, ...]

    def floats(self) -> dict[int, Any]:
        """The same in float64, which holds every value of every dtype."""
        return {i: np.asarray(v.astype(np.float64)) for i, v in self.values.items()}


def read_literals(at: Any) -> dict[str, Literal]:
    """``--at`` as text, several texts, or a mapping from names to numbers, nested lists, NumPy arrays or tensors.

    Raises:
        SymgradError: a value is no array of finite numbers.
    """
    if at is None:
        return {}
    if isinstance(at, Mapping):
        out = {}
        for name, value in at.items():
            known = normalize(str(name))
            text = isinstance(value, str)
            out[known] = _single(f"{name}={value}", known) if text else nested(value, known)
        return out
    found = read_values([at] if isinstance(at, str) else list(at))
    return {n: v if isinstance(v, Literal) else _single(f"{n}={v}", n) for n, v in found.items()}


def _single(text: str, name: str) -> Literal:
    """A single number, written as an array or as a constant expression."""
    value = text.partition("=")[2].strip()
    if value.startswith("["):
        found = read_values([text])[name]
        if isinstance(found, Literal):
            return found
    return Literal((), (evaluate_constant(name, parse_points([text])[name]),))


def points(graph: Graph, wanted: Sequence[int], given: Mapping[str, Literal], fmt: Format) -> Iterator[ArrayPoint]:
    """Points to be tried, one after the other: a single one where every value was given.

    Args:
        graph: with the shape of each input.
        wanted: the inputs that need a value.
        given: by name, of the right shapes.
        fmt: values are rounded to it.

    Raises:
        SymgradError: a value is too large for the format.
    """
    fixed: dict[int, Any] = {}
    for i in wanted:
        step = graph.steps[i]
        if step.name in given:
            fixed[i] = _rounded(given[step.name], step.name, fmt)
    missing = [i for i in wanted if i not in fixed]
    names = tuple(graph.steps[i].name for i in missing)
    for low, high in _RANGES if missing else _RANGES[:1]:
        shapes = [graph.steps[i].shape for i in missing]
        numbers = _distinct(sum(map(math.prod, shapes)), low, high, fmt)
        drawn: dict[int, Any] = {}
        for i, shape in zip(missing, shapes, strict=True):
            drawn[i] = of_objects([next(numbers) for _ in range(math.prod(shape))], shape)
        yield ArrayPoint(fixed | drawn, names)


def of_objects(numbers: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """An array of what NumPy has no type for: rationals, balls, words."""
    out = np.empty(len(numbers), dtype=object)
    out[:] = numbers
    return out.reshape(shape)


def _rounded(literal: Literal, name: str, fmt: Format) -> Any:
    out = []
    for exact in literal.numbers:
        value = fmt.round(exact)
        if value is None:
            raise SymgradError(f"a value of '{name}' is too large for {fmt.name} (largest: {float(fmt.largest):.4g})")
        out.append(value)
    return of_objects(out, literal.shape)


def _distinct(count: int, low: float, high: float, fmt: Format) -> Iterator[Fraction]:
    """Numbers in a range, no two of the same size after rounding, with as few decimals as that takes."""
    source = random.Random(20)
    places = 2
    while (high - max(low, 0)) * 10**places < 4 * count:
        places += 1
    seen: set[Fraction] = {Fraction(0)}
    tries = 0
    for _ in range(count):
        while True:
            tries += 1
            value = fmt.round(Fraction(round(source.uniform(low, high), places)).limit_denominator(10**places))
            # A format of few bits runs out of numbers: then some are alike.
            if value is not None and (abs(value) not in seen or tries > 50 * count + 1000):
                break
        seen.add(abs(value))
        yield value
