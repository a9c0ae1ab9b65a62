"""The computation graph as it is drawn: frozen plain data, made when a rendering first asks the report for it.

A :class:`Node` is a forward step, a :class:`Link` one of its inputs; each knows its values at the point, and what was
found out about the factor that flows along it. Nothing here is computed by a rendering.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from symgrad.backward import Backward
from symgrad.errors import Span

#: What is known of a factor or of a gradient that a person worked out. Empty: nothing was said about it.
RIGHT, WRONG, INHERITED = "right", "wrong", "inherited"

#: A float, nested lists of floats, or ``None`` where there is no point or too much to be shown.
Held = Any


@dataclass(frozen=True, slots=True)
class Node:
    """One forward step: an input or an operation. Constants are parts of the formulas that they stand in.

    Attributes:
        step: its position in the picture's graph.
        name: under which it is shown.
        formula: how it is computed from the steps before it; empty for an input.
        shape: of its value, and of its gradient.
        value: at the point.
        gradient: d result / d this, at the point; ``None`` also where nothing is differentiated by it.
        manual: what the person's own line gives for the gradient, where one line does.
        status: of the person's own gradient: right, wrong, inherited (wrong only because of another), or empty.
        lines: the lines on which the person works it out.
        span: where the step stands.
        stage: what it belongs to: a time step, a call, a part of the text. Steps of one stage stand together.
        findings: the findings of the report about its gradient.
    """

    step: int
    name: str
    formula: str = ""
    shape: tuple[int, ...] = ()
    value: Held = None
    gradient: Held = None
    manual: Held = None
    status: str = ""
    lines: tuple[int, ...] = ()
    span: Span | None = None
    stage: str = ""
    findings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """How one step enters another: a chain-rule factor.

    Attributes:
        tail, head: places in the picture's ``nodes``; the value flows from tail to head, the gradient back.
        edge: place in the reverse pass's edges; -1 where no gradient flows.
        symbol: how the factor is written: ``dh2/dh2_raw``.
        local: it, in terms of the forward steps; empty for operations of arrays, whose derivative is no number.
        factor: its value. ``flow``: what flows to the tail along this edge.
        status: of the factor in the person's derivation; ``findings``: those of the report about it.
    """

    tail: int
    head: int
    edge: int
    symbol: str
    local: str = ""
    factor: Held = None
    flow: Held = None
    status: str = ""
    findings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn.

    Attributes:
        reverse: the reverse pass as taught; its graph holds the function.
        names: of the forward steps, as shown; empty for constants and for what is not of the function.
        nodes: in topological order, inputs where they are first used.
        links: in the order of their heads.
        result: place in ``nodes``.
        result_name: how the result is called.
        upstream: name of the gradient that flows into a result that is no single number; empty where it is one.
        wrt: places in ``nodes`` of what is differentiated by.
        judged: a derivation by hand was checked, so that what is right is known too.
    """

    reverse: Backward = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    result: int
    result_name: str
    upstream: str = ""
    wrt: tuple[int, ...] = ()
    judged: bool = False


class Drawing:
    """A picture that is worked out when it is first asked for: who reads a report as text asks for none."""

    def __init__(self, make: Callable[[], Picture | None] | None = None) -> None:
        self._make = make

    @cached_property
    def picture(self) -> Picture | None:
        """``None`` where there is nothing to draw."""
        made = None if self._make is None else self._make()
        self._make = None  # what it was made of is let go
        return made

    def changed(self, change: Callable[[Picture], Picture]) -> Drawing:
        """The same with something changed in it, where there is anything to draw."""

        def make() -> Picture | None:
            return None if self.picture is None else change(self.picture)

        return Drawing(make)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Drawing) and self.picture == other.picture

    def __hash__(self) -> int:
        return hash(self.picture)

    def __reduce__(self) -> tuple[Any, ...]:
        return _drawn, (self.picture,)


def _drawn(picture: Picture | None) -> Drawing:
    return Drawing(lambda: picture)
