"""What is to be diagnosed: one graph in which the forward pass and the user's own derivative stand side by side."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from symgrad.diagnose.text.naming import claims, normal, stem_of
from symgrad.diagnose.values.vectors import PRECISION, Vec, apply, constant
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.graph import Graph, Step
from symgrad.ops.balls import exact_ball
from symgrad.swift import swift

#: Random points beside the user's own.
RANDOM_POINTS = 3
#: ... and where there are arrays, whose entries say as much as many points.
SHAPED_POINTS = 2
#: Working precision.
BITS = PRECISION
#: An entry of a table in lists.
_TABLE = re.compile(r"(.+)\[(\d+)\]\[(\d+)\]")


@swift
@dataclass(frozen=True, slots=True)
class Unit:
    """One assignment in the manual part: the smallest thing that is right, wrong, or wrong only by inheritance.

    Attributes:
        name: as the user would write it.
        step: the step that it names.
        span: of the right-hand side (or of the statement of an augmented assignment).
        line: of the target.
        augmented: ``""`` or ``"+="`` and its like.
        previous: for an augmented assignment the step that the name stood for before, else -1.
        written: the target as it stands in the line, where that is another name: ``self.grad`` for ``a.grad``.
        near: what such a line has at hand, (text, step).
        unnamed: the user has no name for it, and a parameter is moved by it: ``name`` says of which.
        scope: the call of a function in which it is made, empty outside of them.
    """

    name: str
    step: int
    span: Span
    line: int
    augmented: str = ""
    previous: int = -1
    written: str = ""
    near: tuple[tuple[str, int], ...] = ()
    unnamed: bool = False
    scope: str = field(default="", compare=False)

    def goes_on_from(self, earlier: Unit) -> bool:
        """What the name held at an earlier assignment is there still: a variable of a function is new in each call."""
        return not self.scope or not self.name.isidentifier() or self.scope == earlier.scope

    @property
    def place(self) -> tuple[int, int, int, str]:
        """The place in the text; where one call gives several names, of each."""
        name = self.written or self.name.split("[", maxsplit=1)[0]
        return (self.span.line, self.span.column, self.span.end_column, name)


def is_one_number(shape: tuple[int, ...]) -> bool:
    """An array of one number, such as the bias of one neuron."""
    return bool(shape) and set(shape) == {1}


def broadcasts(have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    """``b -= lr*db`` with db of shape (3,) and b of shape (1, 3): every entry gets what belongs to it."""
    return len(have) < len(want) and want == (1,) * (len(want) - len(have)) + have


@dataclass(frozen=True, slots=True)
class Move:
    """A parameter is moved by something: ``w -= lr*g``.

    Attributes:
        name: of the parameter.
        bottom: its value before, in the forward pass.
        source: the step that was worked out as its gradient, all that is a number of its own taken off.
        up: it is added, not subtracted.
    """

    name: str
    bottom: int
    source: int
    up: bool


@dataclass(frozen=True)
class Subject:
    """A forward pass and a manual derivative of it.

    Attributes:
        graph: both, in the order in which they ran; its output is the loss.
        point: the value of every input step: exact for a number, a float64 array for a shaped one.
        names: forward step -> the user's name for it.
        aliases: (name, step) for every name that a forward step was given in the forward part.
        units: the manual assignments, in order.
        source: the user's text.
        mapped: name -> (top, bottom) where the user said what a name stands for.
        callers: for steps made inside a function, where that function was called.
        seed: dL/dL, if the user starts with another upstream gradient than 1.
        convention: what there is to say of ``seed``, where it was found out and not given.
        guessed: name -> (top, bottom) pairs where something else than the name tells what it stands for.
        called: name -> the function whose result it holds, where that is called as a derivative.
        sure: the loss was given, or its name says that it is one.
        moves: how the parameters are moved once their gradients are there.
        made_up: what is differentiated is nothing that the script computes.
        assumed: what that is, in words, where no loss is computed and the derivatives are held against one like it.
        autograd: step that holds a number read from autograd -> forward step whose gradient it is.
        frozen: inputs that stay as they are: whole numbers, such as labels and places.
        bound: (name, step, the latest step by then) of every assignment, in the order in which they ran.
        left_out: (name, step) of writes into arrays, and sums, that the loss knows nothing of: of another epoch.
        later: those of ``aliases`` that were given once the loss was there.
        outside: name of a derivative that no function knows -> the values by the names that they have in none.
        stopped: the run raised: what was under way then was never finished.
        frames: where it was by then: the lines of the text that were being executed.
    """

    graph: Graph
    point: Mapping[int, Any]
    names: Mapping[int, str]
    aliases: tuple[tuple[str, int], ...]
    units: tuple[Unit, ...]
    source: str
    autograd: Mapping[int, int] = field(default_factory=dict)
    mapped: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    callers: Mapping[int, Span] = field(default_factory=dict)
    seed: Fraction = Fraction(1)
    convention: str = ""
    guessed: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict)
    sure: bool = False
    frozen: frozenset[int] = frozenset()
    left_out: tuple[tuple[str, int], ...] = ()
    later: frozenset[tuple[str, int]] = frozenset()
    outside: Mapping[str, Mapping[str, Collection[int]]] = field(default_factory=dict)
    made_up: bool = False
    assumed: str = ""
    stopped: bool = False
    frames: tuple[int, ...] = ()
    bound: tuple[tuple[str, int, int], ...] = ()
    #: What was worked out about it, by those who did; a changed copy starts anew.
    memo: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def is_shaped(self) -> bool:
        """Arrays flow in it."""
        return any(step.shape for step in self.graph.steps)

    @property
    def loss(self) -> int:
        return self.graph.output

    def leaves(self) -> list[int]:
        """Input steps that the loss depends on."""
        return list(self._leaves)

    @cached_property
    def _leaves(self) -> tuple[int, ...]:
        needed = self.graph.ancestors(self.loss)
        return tuple(i for i, s in enumerate(self.graph.steps) if needed[i] and s.is_input)


def sample_points(
    subject: Subject, radius: float, frozen: Collection[int] = (), *, shifted: bool = True
) -> list[dict[int, Any]]:
    """The user's point, then random ones: every input that the loss depends on moves, all else stays as it is.

    The same subject gives the same points: a diagnosis must not depend on luck.

    ``shifted``: numbers move by so much besides their share, so that zeros move as well. To 1.8e-5, a constant in units
    of its own, every such shift may be too much.
    """
    rng = random.Random(20260101)
    groups = _distributions(subject)
    together = {i for group in groups for i in group}
    still = subject.frozen | together | set(frozen)
    leaves = [i for i in subject.leaves() if i not in still]
    mirrored, claimed = _mirrored(subject), _claimed(subject)
    shares = {i: _shared_out(subject.point[i]) for i in leaves if normal(subject.names.get(i, "")) not in claimed}
    points = [dict(subject.point)]
    scale = Fraction(radius).limit_denominator(1000)
    for _ in range(SHAPED_POINTS if subject.is_shaped else RANDOM_POINTS):
        moved = dict(subject.point)
        for i in leaves:
            value = subject.point[i]
            if subject.graph.steps[i].shape:
                moved[i] = _moved(value, radius, rng)
                if (axis := shares.get(i)) is not None:
                    weights = np.abs(moved[i]) + radius / 4  # what is 0 in it moves as well
                    moved[i] = weights / weights.sum(axis=axis, keepdims=True)
                continue
            step = _simple(rng.uniform(0.2, 1.0)) * rng.choice((-1, 1))
            shift = scale * _simple(rng.uniform(-1, 1)) / 4
            moved[i] = value * (1 + scale * step) + (shift if shifted or not value else 0)
        moved.update((i, moved[j]) for i, j in mirrored.items() if i in leaves and j in leaves)
        for group in groups:
            weights = [_simple(rng.uniform(0.1, 1.0)) for _ in group]
            moved.update(zip(group, (w / sum(weights) for w in weights), strict=True))
        points.append(moved)
    return points


@lru_cache(maxsize=4096)
def _simple(x: float) -> Fraction:
    """Near to a number; for all subjects these are the same random ones."""
    return Fraction(x).limit_denominator(10**6)


def _moved(array: Any, radius: float, rng: random.Random) -> Any:
    """An array near another one: no entry stays what it was, and no two are moved alike."""
    draw = np.random.default_rng(rng.getrandbits(32))
    step = draw.uniform(0.2, 1.0, array.shape) * draw.choice((-1.0, 1.0), array.shape)
    shift = draw.uniform(-1, 1, array.shape)
    if _is_symmetric(array):
        step, shift = (step + step.T) / 2, (shift + shift.T) / 2
    return array * (1 + radius * step) + radius * shift / 4


def _shared_out(array: Any) -> int | None:
    """The axis along which an array adds up to one everywhere: smoothed labels, probabilities. As with numbers, they
    stay that at every point."""
    if not np.ndim(array) or (array < 0).any():
        return None
    axes = (k for k in (array.ndim - 1, 0) if array.shape[k] > 1)
    return next((k for k in axes if np.allclose(array.sum(axis=k), 1.0, rtol=0, atol=1e-6)), None)


def _is_symmetric(array: Any) -> bool:
    """A matrix that was meant to be symmetric, as that of a quadratic form: no identity, and no one number over and
    over, which weights may be to begin with."""
    if array.ndim != 2 or len(array) < 2 or array.shape[0] != array.shape[1]:
        return False
    upper = array[~np.eye(len(array), dtype=bool)]
    return bool((array == array.T).all() and upper.any() and (array != array[0, 0]).any())


def _mirrored(subject: Subject) -> dict[int, int]:
    """The entries below the diagonal of tables in lists that are symmetric, such as ``cov[1][0]``, and what stands
    above it for each: they stay the same at every point. What somebody differentiates by is no such table."""
    claimed = _claimed(subject)
    tables: dict[str, dict[tuple[int, int], int]] = {}
    for i in subject.leaves():
        m = _TABLE.fullmatch(subject.names.get(i, ""))
        if m is not None and not subject.graph.steps[i].shape and normal(m[1]) not in claimed:
            tables.setdefault(m[1], {})[int(m[2]), int(m[3])] = i
    out: dict[int, int] = {}
    for table in tables.values():
        rows = 1 + max(max(place) for place in table)
        array = np.full((rows, rows), np.nan)
        for place, i in table.items():
            array[place] = float(subject.point[i])
        if _is_symmetric(array):
            out.update((i, table[c, r]) for (r, c), i in table.items() if r > c)
    return out


def _distributions(subject: Subject) -> list[list[int]]:
    """Inputs of one name that add up to one, and that nobody differentiates by: one-hot labels, target probabilities.

    They stay a distribution at every point: p - y is the gradient of softmax and cross-entropy for such y only.
    """
    claimed = _claimed(subject)
    groups: dict[str, list[int]] = {}
    for i in subject.leaves():
        name = subject.names.get(i, "")
        if subject.graph.steps[i].shape:
            continue
        if name and normal(name) not in claimed and 0 <= subject.point[i] <= 1:
            groups.setdefault(stem_of(name), []).append(i)
    return [g for g in groups.values() if len(g) > 1 and sum(subject.point[i] for i in g) == 1]


def _claimed(subject: Subject) -> set[str]:
    """What some name says that it is differentiated by."""
    return {c.bottom for unit in subject.units for c in claims(unit.name)}


def forward_values(subject: Subject, points: Sequence[Mapping[int, Any]]) -> list[Vec | None]:
    """The value of every step that the loss depends on, at every point; ``None`` for the others."""
    graph = subject.graph
    needed = graph.ancestors(subject.loss)
    out: list[Vec | None] = [None] * len(graph)
    with precision(BITS):
        for i, step in enumerate(graph.steps):
            if needed[i]:
                args = [a for j in step.inputs if (a := out[j]) is not None]
                out[i] = leaf(step, [p.get(i) for p in points]) if step.is_leaf else apply(step.op, args, step.params)
    return out


def leaf(step: Step, values: Sequence[Any]) -> Vec:
    """The value of a constant, or of an input with its values at the points."""
    if step.is_const:
        return constant(step.value, len(values))
    if step.shape:
        from symgrad.diagnose.values.shaped import Shaped

        return Shaped(values)
    return Vec([exact_ball(v) for v in values])
