"""A term that belongs to a part of the array only: ``grad += lam*theta`` where the penalty leaves out ``theta[0]``.

Which part that is, the forward pass says: ``np.sum(theta[1:]**2)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.diagnose.effects.lapses import Try
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.ops import OPS
from symgrad.ops.slips import is_place
from symgrad.ops.values import function

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage


#: What is read: its name, and which part of it.
_PART = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?P<part>\[[^\[\]]*:[^\[\]]*\])")
#: What it costs that a part should have been left out.
COST = 0.95


def slices(passage: Passage) -> Iterator[Try]:
    """What is tried in a line: where, how deep, what, and in words."""
    if len(passage.ends) > 1:
        return
    for unit in passage.units:
        step = passage.graph.steps[unit.step]
        infix = None if step.is_leaf else OPS[step.op].infix
        if infix is None or infix.prefix or infix.symbol not in ("+", "-"):
            continue
        if passage.graph.steps[step.inputs[1]].shape != step.shape:
            continue
        for name, part, mask in _parts(passage, step.shape):
            told = _told(passage, unit, name, part)
            if told is None:
                continue

            def make(_i: int, value: Vec, _args: Sequence[Vec], mask: Any = mask) -> Vec:
                return value * Shaped([mask for _ in lifted(value).arrays])

            span, text = told
            words = f"belongs in {name}{part} only: the rest of {name} has no such term"
            yield ((unit.step, 1),), 0, make, Repair(UNPLACED, "extra-term", words, COST, text=text, span=span)


def _parts(passage: Passage, shape: tuple[int, ...]) -> Iterator[tuple[str, str, Any]]:
    """The parts of arrays of a shape that the forward pass reads: of what, which one, and 1 where it is."""
    seen: set[str] = set()
    for i, step in enumerate(passage.graph.steps):
        if step.is_leaf or not passage.layout.is_forward(i) or not is_place(step.op) or len(step.inputs) != 1:
            continue
        if passage.graph.steps[step.inputs[0]].shape != shape or step.span is None:
            continue
        found = _PART.fullmatch(passage.text.source.text(step.span))
        if found is None or found["part"] in seen:
            continue
        seen.add(found["part"])
        places = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
        mask = np.zeros(math.prod(shape))
        mask[np.asarray(function(step.op)(places, **dict(step.params))).astype(int).ravel()] = 1.0
        if not mask.all():
            yield found["name"], found["part"], mask.reshape(shape)


def _told(passage: Passage, unit: Unit, name: str, part: str) -> tuple[Any, str] | None:
    """The statement as it should be, and where it stands; ``None`` where it is no ``grad = ... + term``."""
    source = passage.text.source
    step = passage.graph.steps[unit.step]
    statement, other, operand = source.statement(unit.span), *(source.operand(step.span, slot) for slot in (0, 1))
    infix = OPS[step.op].infix
    if statement is None or operand is None or infix is None or not unit.name.replace(".", "").isidentifier():
        return None
    term = source.text(operand)
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.\[])")
    if len(word.findall(term)) == 1:
        term = word.sub(lambda m: m[0] + part, term)
    else:
        term = f"{term}{part}" if term.isidentifier() else f"({term}){part}"
    more = f"{unit.name}{part} {infix.symbol}= {term}"
    if unit.augmented:
        return statement, more
    if other is None:
        return None
    rest = source.text(other)
    if rest == unit.name:
        return statement, more
    return statement, f"{unit.name} = {rest}{'.copy()' if rest.isidentifier() else ''}; {more}"


__all__ = ["slices"]
