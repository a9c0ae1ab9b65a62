"""Formulas of one round of a loop, as all its rounds can say them: ``1 - acts[l + 1]**2`` for ``1 - h**2``, where h is
what was put into acts by then."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, product

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import stem_of
from symgrad.diagnose.trying.roles import Role, roles_of
from symgrad.diagnose.values.vectors import TOLERANCE, Vec
from symgrad.diagnose.walking.blame import Walk

#: A loop of more rounds than this is shown as the round that went wrong first.
MOST = 50
#: A random point, by which roles are told apart.
POINT = 1
#: So many spellings of one formula are tried.
TRIED = 64
_VARIABLE = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*+(?:\[[^\]]*\])*+(?!\()")
_ATOM = re.compile(r"[A-Za-z_][\w.]*(?:\[[^\]]*\])*")
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: pow,
}  # fmt: skip


class Rounds:
    """The rounds of the loop that some assignments are made in, with what can be written there.

    Args:
        units: one assignment in all its rounds.
    """

    def __init__(self, units: Sequence[Unit], walk: Walk) -> None:
        self.units, self.walk, self.layout = units, walk, walk.layout

    @classmethod
    def of(cls, unit: Unit, walk: Walk) -> Rounds | None:
        """Those of the line of an assignment; ``None`` where it runs once, or very often."""
        mine = [u for u in walk.subject.units if (u.line, u.span.column) == (unit.line, unit.span.column)]
        return cls(mine, walk) if 2 <= len(mine) <= MOST and unit in mine and not walk.subject.is_shaped else None

    @cached_property
    def _base(self) -> list[float]:
        return [self.layout.actual(i).floats[POINT] for i in range(len(self.layout.graph))]

    @cached_property
    def _roles(self) -> list[Role]:
        roles, real = roles_of(self.layout), self.layout.original
        found = roles.at_hand(self.units)
        varied = [r for r in found if len({real(i) for i in r.steps if i >= 0}) > 1 and _ATOM.fullmatch(r.text)]
        # hs[t] rather than h, which is assigned again and again.
        return sorted(varied, key=lambda r: ("[" not in r.text, min(r.steps) < 0))

    def respelled(self, text: str, n: int, wanted: float, *, after: bool = False) -> str:
        """A formula of round ``n`` in terms of what every round has at hand; as it is, where that is not possible.

        Args:
            wanted: its value there, at a random point.
            after: it is to stand behind the assignment.
        """
        names = list(dict.fromkeys(m.group() for m in _VARIABLE.finditer(text)))
        options = [list(self._spellings(name, n, after=after)) for name in names]
        if all(len(o) == 1 and o[0][0] == name for o, name in zip(options, names, strict=True)):
            return text
        for chosen in islice(product(*options), TRIED):
            env = {name: value for name, (_, value) in zip(names, chosen, strict=True)}
            if close(valued(text, env), wanted):
                by = {name: spelled for name, (spelled, _) in zip(names, chosen, strict=True)}
                return _VARIABLE.sub(lambda m, by=by: by[m.group()], text)  # type: ignore[misc]
        return text

    def is_(self, text: str, n: int, wanted: float) -> bool:
        """A formula behind the assignment has a value in round ``n``."""
        names = dict.fromkeys(m.group() for m in _VARIABLE.finditer(text))
        found = {name: next(self._spellings(name, n, after=True), ("", math.nan)) for name in names}
        known = all(spelled == name for name, (spelled, _) in found.items())
        return known and close(valued(text, {name: value for name, (_, value) in found.items()}), wanted)

    def _spellings(self, name: str, n: int, *, after: bool = False) -> Iterator[tuple[str, float]]:
        """What a variable of a formula can be called in all rounds, with its value in round ``n``."""
        real, names, before = self.layout.original, self.walk.subject.names, self.units[n].step + after
        if after and name == self.units[n].name:
            yield name, self._now(self.units[n].step)
            return
        written = next((r for r in self._roles if r.text == name and r.steps[n] >= 0), None)
        if written is not None:
            yield name, self._now(written.steps[n])
        steps = [i for i, own in names.items() if own == name]
        if len({real(i) for i in steps}) > 1 or (steps and self._is_listed(name)):
            mine = {real(i) for i in steps}
            for role in self._roles:
                if role.steps[n] >= 0 and real(role.steps[n]) in mine:
                    yield role.text, self._now(role.steps[n])
            return
        if written is not None:
            return
        if steps:
            yield name, self._base[steps[0]]
            return
        held = [u.step for u in self.layout.by_name.get(name, ()) if u.step < before]
        if held:
            value = self.walk.corrected(held[-1]).floats[POINT]
            yield name, value

    def _now(self, i: int) -> float:
        """The value of a step, as it should be."""
        return self._base[i] if self.layout.is_forward(i) else self.walk.corrected(i).floats[POINT]

    def _is_listed(self, name: str) -> bool:
        """It is one of several entries of a list."""
        stem = stem_of(name)
        return "[" in name and any(own != name and stem_of(own) == stem for own in self.walk.subject.names.values())


def in_all_rounds(text: str, unit: Unit, walk: Walk, wanted: Vec, *, whole: bool = False) -> str:
    """A formula for a line of a loop, as all the rounds of the line can say it.

    Args:
        wanted: its value in the round of ``unit``.
        whole: the value is that of the name; of ``dw += dz*x`` the formula is for what is added.
    """
    rounds = Rounds.of(unit, walk) if text and not walk.subject.is_shaped else None
    if rounds is None or not wanted.usable:
        return text
    value = wanted.floats[POINT]
    if whole and unit.augmented in ("+=", "-="):
        value -= walk.corrected(unit.previous).floats[POINT]
        value = -value if unit.augmented == "-=" else value
    return rounds.respelled(text, rounds.units.index(unit), value)


def formula_value(text: str, unit: Unit, walk: Walk) -> float:
    """The value of a text where an assignment stands, at a random point; not a number where that is not known."""
    layout, env = walk.layout, dict[str, float]()
    for name in dict.fromkeys(m.group() for m in _VARIABLE.finditer(text)):
        held = [u.step for u in layout.by_name.get(name, ()) if u.step < unit.step]
        steps = [i for i, own in walk.subject.names.items() if own == name]
        if held or len(steps) == 1:
            env[name] = (walk.corrected(held[-1]) if held else layout.actual(steps[0])).floats[POINT]
    return valued(text, env)


def close(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def valued(text: str, env: Mapping[str, float]) -> float:
    """The value of a formula of numbers; not a number where it has none."""
    placed = list(env)
    plain = _VARIABLE.sub(lambda m: f"_{placed.index(m.group())}" if m.group() in env else m.group(), text)
    try:
        found = _value(ast.parse(plain.strip().replace("^", "**"), mode="eval").body, list(env.values()))
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, LookupError):
        return math.nan
    return found if isinstance(found, float) else math.nan  # a power may be complex


def _value(node: ast.expr, env: Sequence[float]) -> float:
    match node:
        case ast.Constant(int(x) | float(x)):
            return float(x)
        case ast.Name(name) if name[1:].isdigit():
            return env[int(name[1:])]
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, env)
        case ast.BinOp(left, op, right):
            return _OPERATORS[type(op)](_value(left, env), _value(right, env))
        case ast.Call(func, [argument], []):
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            return float(getattr(math, name)(_value(argument, env))) if name in dir(math) else math.nan
    return math.nan
