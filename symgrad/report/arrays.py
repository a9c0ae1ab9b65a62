"""The report on a function of arrays, as frozen plain data: arrays are nested lists beside their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symgrad.backward import Backward
from symgrad.errors import Span
from symgrad.graph import Graph
from symgrad.report.model import Finding
from symgrad.report.picture import Picture
from symgrad.report.shown import Shown

#: Version of the JSON document where values are arrays.
SCHEMA = "symgrad-report/2"

Shape = tuple[int, ...]
#: Numbers nested as deep as the shape has axes; a plain number for the shape ().
Nested = Any


@dataclass(frozen=True, slots=True)
class ArrayWitness:
    """What one witness says of one gradient.

    Attributes:
        values: the numbers that it computed, as the dtype holds them; ``None`` where it was not attempted.
        verdicts: verdict -> how many entries have it.
        verdict: the worst of them; ``"skipped"`` where it was not attempted.
        entry: the worst entry, ``"W[1,2]"``: that of the worst verdict, furthest off in units of its bound.
        entries: those of the worst verdict, the first few of them, unless that is ``agree``.
        value, difference, bound: of that entry: what was computed, |value - exact|, and the rounding bound.
        lost_at: name of the step that lost the digits; empty unless the verdict is rounding.
        note: why, in words, where there is more to say.
    """

    values: Nested
    verdicts: Mapping[str, int]
    verdict: str
    entry: str = ""
    entries: tuple[str, ...] = ()
    value: float = 0.0
    difference: float = 0.0
    bound: float = 0.0
    lost_at: str = ""
    note: str = ""

    @property
    def in_bounds(self) -> float:
        """The difference of the worst entry in units of its bound."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.bound if self.bound else float("inf")


@dataclass(frozen=True, slots=True)
class ArrayGradient:
    """The gradient by one variable, and its witnesses.

    Attributes:
        wrt: the variable.
        symbol: how it is written: ``"df/dW"``, or ``"dW"`` where an upstream gradient flows into the result.
        shape: of the variable, and of the gradient.
        formula: in matrix form, in terms of forward steps and of the gradients of later steps: ``outer(du1, x)``.
        exact: the proven digits of every entry, nested; an empty string where there is no derivative.
        undefined: entry -> why there is no derivative.
        span: where that is, in the user's text.
        witnesses: by name, in the order shown.
        verdict: the worst of the witnesses'.
    """

    wrt: str
    symbol: str
    shape: Shape
    formula: str
    exact: Nested
    undefined: Mapping[str, str] = field(default_factory=dict)
    span: Span | None = None
    witnesses: Mapping[str, ArrayWitness] = field(default_factory=dict)
    verdict: str = "agree"


@dataclass(frozen=True, slots=True)
class ArrayStep:
    """A line of the forward or backward pass: ``name = formula``, with its shape and its values in float64."""

    name: str
    formula: str
    shape: Shape
    values: Nested
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ArrayReport(Shown[ArrayGradient]):
    """The result of a check of a function of arrays.

    Attributes:
        target, source: what was checked, and the text that spans point into.
        result: the name of the function's value; ``shape`` is its shape.
        shapes: of every variable, data included.
        at: the values of the variables, exactly as the dtype holds them.
        drawn: the names of those that symgrad chose.
        data: names that hold labels or places: nothing is differentiated by them.
        upstream: name of the gradient that flows into a result that is no single number; empty where it is one.
        dtype, device: where the witnesses ran.
        value: the proven digits of the function's value, nested.
        verdict: the worst verdict of any gradient.
        gradients, steps, backward, findings: see their classes.
        graph, reverse: the function, and its reverse pass as taught; ``prefix`` is put before a name for its gradient.
        picture: the computation graph as it is drawn.
    """

    target: str
    source: str
    result: str
    shape: Shape
    shapes: Mapping[str, Shape]
    at: Mapping[str, Nested]
    drawn: tuple[str, ...]
    data: tuple[str, ...]
    upstream: str
    dtype: str
    device: str
    value: Nested
    verdict: str
    gradients: tuple[ArrayGradient, ...]
    steps: tuple[ArrayStep, ...]
    backward: tuple[ArrayStep, ...]
    findings: tuple[Finding, ...]
    graph: Graph = field(repr=False)
    reverse: Backward = field(repr=False)
    prefix: str = "d"
    order: int = 1
    manual_source: str = ""
    confirmed: tuple[str, ...] = ()
    is_code: bool = False
    original: str = field(default="", repr=False)
    cells: Mapping[int, str] = field(default_factory=dict, repr=False)
    picture: Picture | None = field(default=None, repr=False)

    def explain(self, *, width: int = 100, color: bool = False, unicode: bool = False) -> str:
        """The report as text, as the command line prints it; with ``unicode`` 1 - u4**2 is ``1 − u4²``."""
        from symgrad.report.array_text import render
        from symgrad.report.unicode import prettied

        return render(prettied(self) if unicode else self, width=width, color=color)

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON document: plain dict, list, str, int, float and None."""
        from symgrad.report.array_document import document

        return document(self)
