"""The objectives that a script may be making smaller without computing one: squares of what it compares, and what
belongs to a link.

Each is made of the first difference between what the parameters give and what they do not, at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import CONST, Step
from symgrad.manual.training import (
    differences_of,
    first_epoch,
    parameters_of,
    picked_of,
)
from symgrad.ops import sign_of
from symgrad.subjects.upstream import extended, grown

#: Names for the objective, of which the first is taken that the script has no use for.
NAMES = ("loss", "objective", "the_loss")
#: What is said of an objective by the link of a generalised linear model.
LINKED = "is the gradient"
#: What a softmax is made of stands so many steps before it at most.
NEAR = 40


#: What is made of a difference, by what it is multiplied when all are added up, and what that is in words.
Way = tuple[Callable[[Trace, int], tuple[Trace, int]], Fraction, str]


Values = npt.NDArray[np.float64]
Link = Callable[[Values], Values]


@dataclass(frozen=True, slots=True)
class Objective:
    """A run that computes an objective at its end.

    Attributes:
        name: of the objective; text: what it is, in the script's words.
        downhill: what is subtracted is what the parameters give: ``y - f(x)``, which leads to the negative gradient.
    """

    trace: Trace
    name: str
    text: str
    downhill: bool = False


def objectives(trace: Trace) -> Iterator[Objective]:
    """What the script may be making smaller, the likeliest first; nothing where there are no parameters."""
    trace = first_epoch(trace)
    if not trace.bindings:
        return
    picked = picked_of(trace)
    differences = [] if picked else differences_of(trace)
    names = {b.name for b in trace.bindings}
    name = next((n for n in NAMES if n not in names), None)
    if name is None:
        return
    if picked:
        count = sum(int(np.size(trace.values[i])) for i in picked)
        words = "the cross-entropy with a softmax"
        chosen: list[Way] = [(_of_labels, Fraction(1), words), (_of_labels, Fraction(1, count), f"the mean of {words}")]
        yield from _made(trace, picked, chosen, name)
    span = trace.graph.steps[differences[0]].span if differences else None
    text = _text(trace.graph.source, span)
    if span is None or not text:
        return
    count = sum(int(np.size(trace.values[i])) for i in differences)
    squares = f"({text})**2"
    ways: list[Way] = [
        (_square, Fraction(1, count), f"mean({squares})"),
        (_square, Fraction(1, 2 * count), f"mean({squares})/2"),
        (_square, Fraction(1), f"sum({squares})"),
        (_square, Fraction(1, 2), f"sum({squares})/2"),
    ]
    for function, make, words in LINKS:
        found = [_outcome(trace, i, function) for i in differences]
        if all(pair is not None for pair in found):
            classes = _classes(trace, *found[0]) if function is _softmax and found[0] is not None else 1
            ways.append((make, Fraction(classes, count), f"the mean {words}, of which {text} {LINKED}"))
            ways.append((make, Fraction(1), f"the {words}, of which {text} {LINKED}"))
    if count == 1:
        ways = [(make, factor, words if make is not _square else _single(words)) for make, factor, words in ways]
    yield from _made(trace, differences, ways, name)


def _made(trace: Trace, differences: list[int], ways: Sequence[Way], name: str) -> Iterator[Objective]:
    """The run with each of these objectives."""
    span = trace.graph.steps[differences[0]].span
    assert span is not None  # what is found in the text has a place there
    row, moved = trace.graph.steps[differences[0]], trace.graph.dependents(*parameters_of(trace))
    downhill = sign_of(row.op) == "-" and len(row.inputs) == 2 and moved[row.inputs[1]] and not moved[row.inputs[0]]
    # It is known as soon as the last difference is: what follows is derivation.
    after = next((n for n, b in enumerate(trace.bindings) if b.step > differences[-1]), len(trace.bindings))
    for make, factor, words in ways:
        made, total = _added(trace, differences, make)
        made, number = _number(made, factor)
        made, step = extended(made, "mul", (total, number))
        bound = Binding(name, step, span, span.line, "", after)
        bindings = (*trace.bindings[:after], bound, *trace.bindings[after:])
        numbered = tuple(replace(b, order=n) for n, b in enumerate(bindings))
        yield Objective(replace(made, bindings=numbered), name, words, downhill)


def _of_labels(trace: Trace, i: int) -> tuple[Trace, int]:
    """``-log(p)`` of what a softmax gives for the labels."""
    trace, logarithm = extended(trace, "log", (trace.graph.steps[i].inputs[0],))
    return extended(trace, "neg", (logarithm,))


def _added(trace: Trace, differences: list[int], make: Callable[[Trace, int], tuple[Trace, int]]) -> tuple[Trace, int]:
    """What ``make`` gives for each difference, all added up to one number."""
    total = -1
    for i in differences:
        trace, part = make(trace, i)
        if trace.graph.steps[part].shape:
            trace, part = extended(trace, "sum", (part,))
        trace, total = (trace, part) if total < 0 else extended(trace, "add", (total, part))
    return trace, total


def _square(trace: Trace, i: int) -> tuple[Trace, int]:
    return extended(trace, "mul", (i, i))


def _cross_entropy(trace: Trace, i: int) -> tuple[Trace, int]:
    """``-(y*log(p) + (1 - y)*log(1 - p))``, whose derivative by the argument of the sigmoid p is ``p - y``."""
    found = _outcome(trace, i, _sigmoid)
    assert found is not None  # else this is not among the ways
    trace, one = _number(trace, Fraction(1))
    total = -1
    for of_one in (False, True):
        parts = []
        for part in found:
            trace, held = extended(trace, "sub", (one, part)) if of_one else (trace, part)
            parts.append(held)
        trace, logarithm = extended(trace, "log", (parts[0],))
        trace, term = extended(trace, "mul", (parts[1], logarithm))
        trace, total = (trace, term) if total < 0 else extended(trace, "add", (total, term))
    return extended(trace, "neg", (total,))


def _poisson(trace: Trace, i: int) -> tuple[Trace, int]:
    """``p - y*log(p)``, whose derivative by the argument of the exponential p is ``p - y``."""
    found = _outcome(trace, i, _exp)
    assert found is not None  # else this is not among the ways
    trace, logarithm = extended(trace, "log", (found[0],))
    trace, term = extended(trace, "mul", (found[1], logarithm))
    return extended(trace, "sub", (found[0], term))


def _of_classes(trace: Trace, i: int) -> tuple[Trace, int]:
    """``-y*log(p)`` of a softmax p and labels y, whose derivative by the argument of the softmax is ``p - y``."""
    found = _outcome(trace, i, _softmax)
    assert found is not None  # else this is not among the ways
    trace, logarithm = extended(trace, "log", (found[0],))
    trace, term = extended(trace, "mul", (found[1], logarithm))
    return extended(trace, "neg", (term,))


def _outcome(trace: Trace, i: int, function: Link) -> tuple[int, int] | None:
    """p and y of a difference of p = function(z) and y, however the function is written; ``None`` if it is none."""
    steps = trace.graph.steps
    if function is _softmax:
        one, other = steps[i].inputs
        return next((pair for pair in ((one, other), (other, one)) if _is_softmax(trace, *pair)), None)
    for p, y in (steps[i].inputs, steps[i].inputs[::-1]):
        z = p
        while len(others := [j for j in steps[z].inputs if not steps[j].is_const]) == 1:
            z = others[0]
            expected = function(np.asarray(trace.values[z], dtype=np.float64))
            if np.shape(expected) == np.shape(trace.values[p]) and np.allclose(expected, trace.values[p], 1e-9, 1e-12):
                return p, y
    return None


def _is_softmax(trace: Trace, p: int, y: int) -> bool:
    """p is the softmax of something that it is made of, along some axis, and each y sums up to one along it."""
    return _classes(trace, p, y) > 0


def _classes(trace: Trace, p: int, y: int) -> int:
    """How many classes there are then; 0 where that is not so."""
    steps = trace.graph.steps
    shape = steps[p].shape
    if not shape or steps[y].shape != shape:
        return 0
    have, labels = (np.asarray(trace.values[j], dtype=np.float64) for j in (p, y))
    axes = [a for a, n in enumerate(shape) if n > 1 and np.allclose([have.sum(a), labels.sum(a)], 1)]
    made_of = trace.graph.ancestors(p) if axes else []
    near = [j for j in range(p - 1, max(p - NEAR, -1), -1) if made_of and made_of[j] and steps[j].shape == shape]
    for j, a in ((j, a) for j in near for a in axes):
        if np.allclose(_softmax(np.asarray(trace.values[j], dtype=np.float64), a), have, 1e-9, 1e-12):
            return shape[a]
    return 0


def _softmax(z: Values, axis: int = -1) -> Values:
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=axis, keepdims=True))
        return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _sigmoid(z: Values) -> Values:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-z)))


def _exp(z: Values) -> Values:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(z))


#: Generalised linear models: the function by which what is predicted comes of a linear one, the loss whose gradient is
#: then what is predicted less what is known (McCullagh and Nelder, Generalized Linear Models, 2.2.4), and its name.
LINKS: tuple[tuple[Link, Callable[[Trace, int], tuple[Trace, int]], str], ...] = (
    (_softmax, _of_classes, "cross-entropy with a softmax"),
    (_sigmoid, _cross_entropy, "cross-entropy"),
    (_exp, _poisson, "negative log-likelihood of a Poisson distribution"),
)


def _number(trace: Trace, value: Fraction) -> tuple[Trace, int]:
    """The run with one constant more."""
    steps = trace.graph.steps
    made = Step(f"%{len(steps)}", CONST, (), (("value", value),))
    return grown(trace, (*steps, made)), len(steps)


def _single(words: str) -> str:
    """The sum or mean of one thing is that thing."""
    return words.replace("mean(", "", 1).replace("sum(", "", 1).replace("**2)", "**2", 1)


def _text(source: str, span: Span | None) -> str:
    lines = source.split("\n")
    if span is None or span.line != span.end_line or not 0 < span.line <= len(lines):
        return ""
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]


__all__ = ["LINKED", "objectives"]
