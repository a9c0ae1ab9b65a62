"""``p - y`` of a loss by itself: the gradient by what the sigmoid or softmax is applied to that gives ``p``.

The derivative of a cross-entropy and that of the function before it are worked out together by many a class: what it is
called with is ``p``, and what it hands back is to be handed on past that function. So is ``2*(p - y)/len(p)`` beside a
mean over all entries: it is summed over the outputs and the mean is taken over the samples. Both are right as that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.observing.replay import Result
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.values.shaped import lifted
from symgrad.frontends.roles import is_upstream
from symgrad.manual.work import Account

Values = npt.NDArray[np.float64]
#: A small number that guards a logarithm makes no difference.
NEAR = 1e-5


def of_canonical_links(taken: Account) -> Account:
    """The account in which the gradient of a loss that is meant so is right, and what it is is said."""
    subject, found = taken.subject, taken.diagnosis
    if not found.blames or taken.work.what == "script" or not subject.is_shaped:
        return taken
    if any(is_upstream(subject.names.get(i, "")) for i in subject.leaves()):
        return taken
    meant = _meant(subject, {b.step for b in found.blames})
    if meant is None:
        return taken
    ends, said = meant
    lines = ", ".join(str(n) for n in sorted({b.span.line for b in found.blames}))
    units = {u.step: u for u in subject.units}
    fine = {r.unit.step for r in ends} | {u.step for u in (*found.right, *found.inherited)}
    told = replace(
        found, blames=(), inherited=(), right=tuple(units[i] for i in sorted(fine & units.keys())),
        conventions=(*found.conventions, f"line {lines}: {said}"),
    )  # fmt: skip
    return replace(taken, diagnosis=told)


@quiet()
def _meant(subject: Subject, blamed: set[str]) -> tuple[list[Result], str] | None:
    """The results that are such gradients, and in words what they are; ``None`` where it is not that."""
    prepared = prepare(subject)
    ends = results(prepared.layout, prepared.reading, prepared.moves) if prepared is not None else []
    wrong = [r for r in ends if not r.is_right(r.actual)]
    bottoms = {b for r in wrong for _, b in prepared.reading.pairs(r.unit.name)} if prepared is not None else set()
    if prepared is None or len(bottoms) != 1 or not blamed <= {r.unit.name for r in wrong}:
        return None
    bottom = bottoms.pop()
    given, right = prepared.truth.values[bottom], prepared.truth.cotangents.get(bottom)
    if given is None or right is None or not given.shape:
        return None
    name = subject.names.get(bottom, "the input")
    points = list(zip(lifted(given).arrays, lifted(right).arrays, strict=True))
    for link, words in _links(given.shape):
        wanted = [link(p, g) for p, g in points]
        if all(_is_counted(lifted(r.actual).arrays, wanted) for r in wrong):
            return wrong, words.format(name)
    rest = math.prod(given.shape[1:])
    batch = [g * rest for _, g in points]
    if rest > 1 and all(_is_same(lifted(r.actual).arrays, batch) for r in wrong):
        said = f"the mean over the samples alone, and not over all entries of {name}: right as the gradient of that"
        return wrong, said
    return None


def _links(shape: tuple[int, ...]) -> Iterator[tuple[Callable[[Values, Values], Values], str]]:
    """The gradient by the argument of a function from the value of that and the gradient by it."""
    words = "the gradient by what the {} is applied to that gives {{0}}, not by {{0}}: right where it is handed on so"
    yield lambda p, g: g * p * (1 - p), words.format("sigmoid")
    for axis in {len(shape) - 1, 0}:
        yield (
            lambda p, g, axis=axis: p * (g - np.sum(g * p, axis=axis, keepdims=True)),  # type: ignore[misc]
            words.format("softmax"),
        )


def _is_counted(have: Sequence[Values], want: Sequence[Values]) -> bool:
    """The same, or the same times a count of entries: of a mean that is not divided by it."""
    shape = want[0].shape
    axes = chain.from_iterable(combinations(shape, n) for n in range(len(shape) + 1))
    return any(_is_same(have, [w * math.prod(some) for w in want]) for some in axes)


def _is_same(have: Sequence[Values], want: Sequence[Values]) -> bool:
    pairs = zip(have, want, strict=True)
    return all(a.shape == b.shape and np.allclose(a, b, rtol=NEAR, atol=0) and b.any() for a, b in pairs)


__all__ = ["of_canonical_links"]
