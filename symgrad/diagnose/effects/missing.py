"""A line of arrays that is missing: ``dW += x.T @ da`` in a loop, where dW is still zeros in the end.

What is there by then, once in every round, is put together with what the forward pass has at hand, in the ways in which
gradients of parameters are made, until it adds up to what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.values.closeness import signature
from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.shaped import MISFITS, lifted
from symgrad.diagnose.values.vectors import TOLERANCE
from symgrad.ops.slips import is_place

if TYPE_CHECKING:
    from symgrad.diagnose.effects.attempts import Attempts
    from symgrad.diagnose.effects.passage import Passage
    from symgrad.diagnose.observing.replay import Result
    from symgrad.diagnose.walking.region import Offer

#: A point -> a value in every round.
Values = Callable[[int], list[Any]]
#: A point -> what is to be added up.
_Parts = Callable[[int], Iterator[Any]]
#: What the forward pass has at hand: how it is written, how many axes it has, its value in every round.
_Forward = tuple[str, int, Values]
#: Ways to put a gradient and a value together: how many axes each has, what comes of it, and how it is written.
_Way = tuple[tuple[int, int], Callable[[Any, Any], Any], str]
_WAYS: tuple[_Way, ...] = (
    ((1, 1), np.outer, "{lib}outer({g}, {x})"),
    ((1, 1), lambda g, x: np.outer(x, g), "{lib}outer({x}, {g})"),
    ((2, 2), lambda g, x: x.T @ g, "{x}.T @ {g}"),
    ((2, 2), lambda g, x: g.T @ x, "{g}.T @ {x}"),
    ((2, 2), lambda g, x: g @ x.T, "{g} @ {x}.T"),
    ((2, 2), lambda g, x: x @ g, "{x} @ {g}"),
    ((2, 2), lambda g, x: g @ x, "{g} @ {x}"),
    ((2, 1), lambda g, x: g @ x, "{g} @ {x}"),
    ((2, 1), lambda g, x: g.T @ x, "{g}.T @ {x}"),
    ((1, 2), lambda g, x: x.T @ g, "{x}.T @ {g}"),
    ((1, 2), lambda g, x: x @ g, "{x} @ {g}"),
)
#: The random points at which it must hold; a loop of more rounds is not gone through.
POINTS = (1, 2)
MOST_ROUNDS = 50


def missing(attempts: Attempts) -> dict[int, Statement]:
    """What is still to be written for results that are zeros to the end: the step of each, and a line."""
    out: dict[int, Statement] = {}
    for r in attempts.lost:
        made = _line(r, attempts) if r.actual.is_zero and len(r.rights) == 1 else None
        if made is not None:
            out[attempts.layout.original(r.unit.step)] = made
    return out


def _line(result: Result, attempts: Attempts) -> Statement | None:
    source = attempts.layout.subject.source
    numpy = "np." in source
    words = {"lib": "np.", "axis": "axis", "keep": "keepdims"} if numpy else {
        "lib": "torch.", "axis": "dim", "keep": "keepdim"
    }  # fmt: skip
    wanted = [lifted(result.rights[0]).arrays[k] for k in POINTS]
    seen: set[object] = set()
    for passage in sorted(attempts.passages, key=lambda p: p.number):
        rounds = len(passage.ends)
        if rounds > MOST_ROUNDS or not passage.units:
            continue
        own = source.split("\n")[passage.number - 1]
        sign = "+=" if rounds > 1 else "="
        offers = passage.at_hand()
        plain = (o for o in offers if o.quantity.kind == "forward" and o.text)
        forward = [(o.text, len(o.quantity.vec.shape), _values(passage, o)) for o in plain]
        forward += _slices(passage)
        for name, held in _held(passage, offers):
            key = (name, rounds, tuple(map(signature, held(POINTS[0]))))
            if key in seen or name == result.unit.name or not held(POINTS[0])[0].ndim:
                continue
            seen.add(key)
            for parts, text in _made(held, forward):
                if all(_is_it(parts, k, right) for k, right in zip(POINTS, wanted, strict=True)):
                    line = f"{result.unit.name} {sign} {text.format(g=name, **words)}"
                    end = passage.units[0].span.end_line
                    return Statement(end, line, own[: len(own) - len(own.lstrip())])
    return None


def _held(passage: Passage, offers: Sequence[Offer]) -> Iterator[tuple[str, Values]]:
    """The gradients that are there once a line is done, in every round: its own, and those before it."""
    actual = passage.layout.actual
    units = [u for u in passage.units if u.name.isidentifier() and not u.augmented]
    ends = sorted({u.step for u in units})
    if ends and len(ends) == len(passage.ends):
        yield units[0].name, cache(lambda k: [lifted(actual(i)).arrays[k] for i in ends])
    for offer in offers:
        if offer.quantity.kind == "cotangent" and offer.text.isidentifier():
            yield offer.text, _values(passage, offer)


def _slices(passage: Passage) -> Iterator[_Forward]:
    """What the forward pass reads of an array in every round of a loop over the same variable: ``x[:, t]``."""
    rounds, layout, source = len(passage.ends), passage.layout, passage.text.source
    names = passage.text.loops.get(passage.number, [])[:1]
    found: dict[str, list[int]] = {}
    for i, step in enumerate(layout.graph.steps):
        if step.span is not None and layout.is_forward(i) and not step.is_leaf and is_place(step.op):
            found.setdefault(source.text(step.span), []).append(i)
    for text, steps in found.items():
        if len(steps) == rounds > 1 and set(re.findall(r"[A-Za-z_]\w*", text.partition("[")[2])) == set(names):
            axes = len(layout.graph.steps[steps[0]].shape)
            for order in (steps, steps[::-1]):
                yield text, axes, cache(lambda k, order=order: [lifted(layout.actual(i)).arrays[k] for i in order])


def _values(passage: Passage, offer: Offer) -> Values:
    """What is offered, in every round."""
    first: dict[int, int] = {}
    for i in passage.steps:
        first.setdefault(passage.round_of(i), i)
    return cache(lambda k: [lifted(offer.value(i)).arrays[k] for i in first.values()])


def _made(held: Values, forward: Sequence[_Forward]) -> Iterator[tuple[_Parts, str]]:
    """What can be made of a gradient in every round, at a point; and how it is written."""
    axes = held(POINTS[0])[0].ndim
    yield (lambda k: iter(held(k))), "{g}"
    for over in (c for n in range(1, axes + 1) for c in combinations(range(axes), n)):
        axis = str(over[0]) if len(over) == 1 else str(over)
        for keep in (False, True):
            more = ", {keep}=True" if keep else ""
            yield (
                lambda k, over=over, keep=keep: (g.sum(axis=over, keepdims=keep) for g in held(k)),  # type: ignore[misc]
                f"{{g}}.sum({{axis}}={axis}{more})",
            )
    for written, their_axes, others in forward:
        for both, make, text in _WAYS:
            if both == (axes, their_axes):

                def parts(
                    k: int, others: Values = others, make: Callable[[Any, Any], Any] = make
                ) -> Iterator[Any]:
                    return (make(g, x) for g, x in zip(held(k), others(k), strict=True))

                yield parts, text.replace("{x}", written.replace("{", "{{").replace("}", "}}"))


def _is_it(parts: _Parts, point: int, wanted: Any) -> bool:
    """The sum over all rounds is what is missing: most are told by the shape in the first of them."""
    try:
        rounds = parts(point)
        first = next(rounds)
        if not _fits(np.shape(first), wanted.shape):
            return False
        found = sum(rounds, first)
    except MISFITS:
        return False
    if np.shape(found) != wanted.shape:
        return False
    with unwarned():  # what has no value is not near
        return bool((np.abs(found - wanted) <= 1e-13 + TOLERANCE * np.abs(wanted)).all())


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """An array of one shape can be added to one of the other, which keeps it."""
    return len(shape) <= len(into) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(into), strict=False))
