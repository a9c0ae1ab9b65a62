"""Partial credit: what each step of a derivation by hand is worth, and what of it was earned.

Each step is judged given its own inputs: what only inherits an earlier mistake keeps its marks. Steps that stand in one
line (a loop's rounds) are one step, and steps that hold the same value are one step, so that neither a long loop nor a
right line written ten times weighs more. What was not checked is neither right nor wrong: it is *open*, unless the
rubric says otherwise.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from symgrad.errors import Span, SymgradError, did_you_mean
from symgrad.report.model import UNDECIDED, Finding, Report

#: What a mistake costs, as a share of its step, where the rubric does not say: half for what is right but for a number.
COSTS = {"sign": 0.5, "scale": 0.5}
#: What may become of steps about which nothing is known.
CHOICES = ("review", "right", "wrong")


@dataclass(frozen=True, slots=True)
class Rubric:
    """What counts how much.

    Attributes:
        points: marks in all.
        gradients: input -> how much its gradient counts beside the others; all alike where it is empty.
        steps: name of a step, with ``*`` and ``?``, -> its weight; 1 for those that are not named.
        mistakes: kind of mistake -> what it costs, as a share of its step; see :data:`COSTS` for those not named.
        unchecked: what becomes of a step that was not checked: ``review`` leaves its marks open.
        conventions: the same for a gradient that differs by a convention only, such as its sign.
    """

    points: float = 10.0
    gradients: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    mistakes: Mapping[str, float] = field(default_factory=dict)
    unchecked: str = "review"
    conventions: str = "review"

    def weight(self, name: str) -> float:
        """The weight of a step of this name; the first pattern that fits."""
        return next((w for pattern, w in self.steps.items() if fnmatchcase(name, pattern)), 1.0)

    def cost(self, mistake: str) -> float:
        """What a mistake costs of its step, from 0 to 1."""
        return self.mistakes.get(mistake, self.mistakes.get("*", COSTS.get(mistake, 1.0)))


@dataclass(frozen=True, slots=True)
class Mark:
    """One step and its marks, in units of its own weight.

    Attributes:
        name, span, status, gradients: as for :class:`symgrad.report.model.Judged`; ``missing`` is one more status.
        weight: what it is worth; earned: what of that was earned; open: what of it nobody has decided yet.
        mistakes: the kinds of mistakes in it.
    """

    name: str
    span: Span | None
    status: str
    gradients: tuple[str, ...]
    weight: float
    earned: float
    open: float = 0.0
    mistakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a derivation.

    Attributes:
        out_of: how many there are to earn.
        earned: how many were earned for certain.
        open: how many more it may be: what was not checked, for a person to decide.
        steps: every step with its marks.
        gradients: input -> (earned, open, out of), where the rubric names gradients.
    """

    out_of: float
    earned: float
    open: float
    steps: tuple[Mark, ...]
    gradients: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The share that was earned for certain."""
        return self.earned / self.out_of if self.out_of else 0.0


# --- rubrics --------------------------------------------------------------------------------------------------------


def rubric_of(given: Any) -> Rubric:
    """A rubric from whatever a caller has: nothing, a :class:`Rubric`, its tables, or a TOML text.

    Raises:
        SymgradError: it has a key or a value that no rubric has.
    """
    if given is None:
        return Rubric()
    if isinstance(given, Rubric):
        return given
    if isinstance(given, str):
        try:
            given = tomllib.loads(given)
        except tomllib.TOMLDecodeError as e:
            raise SymgradError(f"the rubric is no TOML: {e}") from None
        given = given.get("rubric", given)
    if not isinstance(given, Mapping):
        raise SymgradError("a rubric is a table")
    known = tuple(Rubric.__dataclass_fields__)
    for key in given:
        if key not in known:
            raise SymgradError(f"[rubric]: there is no '{key}'{did_you_mean(str(key), known)}",
                               hint=f"there are {', '.join(known)}")  # fmt: skip
    options: dict[str, Any] = {}
    for key in ("gradients", "steps", "mistakes"):
        if key in given:
            most = 1.0 if key == "mistakes" else math.inf
            options[key] = _weights(given[key], f"[rubric.{key}]", most)
    for key in ("unchecked", "conventions"):
        if key in given:
            if given[key] not in CHOICES:
                raise SymgradError(f"[rubric] {key} = {given[key]!r}: it is one of {', '.join(CHOICES)}")
            options[key] = given[key]
    if "points" in given:
        options["points"] = _weights({"points": given["points"]}, "[rubric]", math.inf)["points"]
    return Rubric(**options)


def _weights(table: Any, where: str, most: float) -> dict[str, float]:
    if not isinstance(table, Mapping):
        raise SymgradError(f"{where} is a table of numbers")
    out = {}
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            limit = f" to {most:g}" if most < math.inf else " on"
            raise SymgradError(f"{where} {key} = {value!r}: it is a number from 0{limit}")
        if not math.isfinite(value):
            raise SymgradError(f"{where} {key} = {value!r}: it is a finite number")
        out[str(key)] = float(value)
    return out


# --- marks ----------------------------------------------------------------------------------------------------------


def mark(report: Report, rubric: Rubric) -> Marks:
    """The marks of a report.

    Raises:
        SymgradError: no step of a derivation by hand is in it.
    """
    steps = marked_steps(report, rubric)
    if not steps:
        raise SymgradError("there is no step of a derivation by hand to give marks for")
    if not rubric.gradients:
        earned, still = shares(steps)
        return Marks(rubric.points, rubric.points * earned, rubric.points * still, steps)
    whole = sum(rubric.gradients.values())
    table = {}
    for name, weight in rubric.gradients.items():
        points = rubric.points * weight / whole if whole else 0.0
        earned, still = shares([s for s in steps if name in s.gradients])
        table[name] = (points * earned, points * still, points)
    return Marks(
        rubric.points, sum(t[0] for t in table.values()), sum(t[1] for t in table.values()), steps, table
    )  # fmt: skip


def marked_steps(report: Report, rubric: Rubric) -> tuple[Mark, ...]:
    """The steps of a report, those of one line and those of one value taken together, with what they earn."""
    roots = [f for f in report.findings if f.root]
    by_line: dict[tuple[int, int, str], Mark] = {}
    seen: dict[tuple[str, tuple[str, ...]], None] = {}
    told: set[int] = set()
    wrong = {j.value for j in report.judged if j.status == "wrong"}
    for judged in report.judged:
        if judged.status in ("right", "carried") and judged.value:
            if judged.status == "carried" and judged.value in wrong:
                continue  # a wrong line under another name: what returns it, for one
            key = (judged.value, judged.gradients)
            if key in seen:
                continue
            seen[key] = None
        mine = [f for f in roots if judged.status == "wrong" and _concerns(f, judged.name, judged.span)]
        told |= {id(f) for f in mine}
        kinds = tuple(dict.fromkeys(f.mistake for f in mine))
        made = _mark(judged.name, judged.span, judged.status, judged.gradients, kinds, rubric)
        if judged.is_number and judged.status != "wrong":
            made = replace(made, weight=0.0, earned=0.0, open=0.0)  # to begin with 1 is no step of a derivation
        place = (judged.span.cell, judged.span.line, _stem(judged.name))
        before = by_line.get(place)
        by_line[place] = made if before is None else _worse(before, made)
    # What is not decided stands in the lines that are left unchecked.
    rest = [f for f in roots if id(f) not in told and f.code != UNDECIDED]
    lost = [_mark(f.step, f.span, "missing", _gradient_of(f), (f.mistake,), rubric) for f in rest]
    return (*by_line.values(), *lost)


def shares(steps: Sequence[Mark]) -> tuple[float, float]:
    """What share of some steps' weight was earned, and what share is open; nothing where there is no step."""
    whole = sum(s.weight for s in steps)
    if not whole:
        return 0.0, 0.0
    return sum(s.earned for s in steps) / whole, sum(s.open for s in steps) / whole


def _mark(
    name: str, span: Span | None, status: str, gradients: tuple[str, ...], kinds: tuple[str, ...], rubric: Rubric
) -> Mark:
    weight = rubric.weight(name)
    if status in ("wrong", "missing"):
        kept = max(0.0, 1.0 - sum(rubric.cost(k) for k in kinds or ("unknown",)))
        return Mark(name, span, status, gradients, weight, weight * kept, 0.0, kinds)
    if status == "unchecked":
        earned = weight if rubric.unchecked == "right" else 0.0
        return Mark(name, span, status, gradients, weight, earned, weight if rubric.unchecked == "review" else 0.0)
    return Mark(name, span, status, gradients, weight, weight)


def _worse(a: Mark, b: Mark) -> Mark:
    """Of two rounds of one line the one with less; both together go into more gradients than each."""
    kept = a if (a.earned, a.open) <= (b.earned, b.open) else b
    kinds = tuple(dict.fromkeys((*a.mistakes, *b.mistakes)))
    return replace(kept, gradients=tuple(dict.fromkeys((*a.gradients, *b.gradients))), mistakes=kinds)


def _concerns(f: Finding, name: str, span: Span) -> bool:
    """A finding is about this step: of its name, and in its line where it is not a helper's."""
    if f.step != name:
        return False
    if f.span is None or f.span.line < span.line:
        return True  # it may stand in a helper above
    return f.span.cell == span.cell and f.span.line <= max(span.end_line, span.line)


def _gradient_of(f: Finding) -> tuple[str, ...]:
    """A gradient that was never worked out is called dX: it is X's."""
    return (f.step, f.step[1:]) if f.step.startswith("d") else (f.step,)


def _stem(name: str) -> str:
    return name.split("[", maxsplit=1)[0]


__all__ = ["Mark", "Marks", "Rubric", "mark", "marked_steps", "rubric_of", "shares"]
