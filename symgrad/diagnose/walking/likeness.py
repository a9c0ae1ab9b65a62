"""How much a line looks like the chain rule as it is taught: of two changes that do the same, the one after which the
line reads as expected is the likelier.

Values cannot tell ``dsb`` from ``-dsa`` where the two always are each other's negative, nor ``1 + exp(r)`` from
``exp(s)``. What a line is made of can: which gradients, which variables of the forward pass, which numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.walking.places import Line, Repair
from symgrad.diagnose.words.wording import Wording
from symgrad.ops import OPS
from symgrad.printing import value_text

#: What it counts that a gradient, and that something else, stands there or is missing against the formula as taught.
GRADIENT, OTHER = 0.45, 0.12
#: ... that a derivative carried forward does.
CARRIED = 0.8
#: Formulas of so many parts are short.
SHORT = 6
#: Nothing is more unlike than this.
MOST = 1.2
#: A line of more parts than this is not looked at, nor a sum of more paths taken apart.
LONGEST, PATHS = 60, 6
#: Of so many paths any may be written in one line.
FEW = 4

_TOKEN = re.compile(
    r"([A-Za-z_][\w.]*+(?:\[[^\]]*\])*+(?!\()|(?<![\w.])\d+(?:\.\d*)?)(?:\s*(?:\*\*|\^)\s*([2-4])(?![\w.]))?"
)
_METHOD = re.compile(r"\.(?:item|detach|numpy|clone)\(\)")
#: A gradient among the parts.
_MARK = "d:"

Parts = Counter[str]


class Likeness:
    """Compares what lines are made of with the formulas that are taught, at one place of a walk."""

    def __init__(self, layout: Layout, wording: Wording) -> None:
        self.layout, self.wording = layout, wording
        self.graph, self.truth = layout.graph, layout.truth
        #: What was found out: for steps of a line, and for texts.
        self._steps: dict[tuple[int, int, int], tuple[Line, Parts]] = {}
        self._texts: dict[tuple[str, int], Parts] = {}

    def taught(self, unit: Unit, target: Quantity) -> list[Parts]:
        """What the line is made of as it is taught: all of a gradient, or one of its paths."""
        w, before = self.wording, unit.step
        texts: list[str] = []
        at_loss = target.kind == "local" and target.top == self.layout.subject.loss
        if at_loss or target.kind in ("cotangent", "sum", "contribution"):
            tops = [t for t, _ in self.truth.into.get(target.bottom, ())]
            if at_loss or target.kind == "contribution":
                tops = [target.top]
            if len(tops) <= PATHS:
                texts = [w.paths(list(some), target.bottom, before) for some in _subsets(tops)]
            if target.kind == "cotangent" and self.graph.steps[target.bottom].is_input:
                texts.append(w.chain(target.top, target.bottom, before))
        elif target.kind == "tangent":
            texts = [w.chain(target.top, target.bottom, before)]
        elif target.kind == "local":
            texts = [w.local(target.top, target.bottom)]
        return [self.of_text(text, before) for text in texts if text]

    def distance(self, parts: Parts | None, taught: Sequence[Parts]) -> float:
        """How unlike a line is what is taught; 0 where nothing is known of it."""
        return min((_apart(parts, other) for other in taught), default=0.0) if parts is not None else 0.0

    # --- what something is made of ------------------------------------------------------------------------------

    def of_text(self, text: str, before: int) -> Parts:
        """The parts of a formula in the user's names, as they are before a step."""
        if (text, before) not in self._texts:
            self._texts[text, before] = self._read(text, before)
        return self._texts[text, before]

    def _read(self, text: str, before: int) -> Parts:
        out: Parts = Counter()
        for token, power in _TOKEN.findall(_METHOD.sub("", text)):
            if token[0].isdigit():
                out[value_text(Fraction(token))] += 1
            else:
                for part, n in self._of_name(token, before).items():
                    out[part] += n * int(power or 1)  # x**2 is x*x
        return out

    def of_line(self, unit: Unit, line: Line) -> Parts:
        """The parts of a line as it stands."""
        return self._of_step(line.root, unit, line)

    def of_repair(self, unit: Unit, line: Line, repair: Repair) -> Parts | None:
        """The parts of a line after a change; ``None`` where that is not known."""
        node, whole = repair.place.node, self.of_line(unit, line)
        here = self._of_step(node, unit, line)
        q = repair.quantity
        if repair.regain or repair.op:
            return whole
        if q is not None:
            new = self._of_quantity(q, unit)
            if repair.everywhere:
                inside = set(line.inside())
                if any(i not in inside for i, _ in repair.everywhere):
                    return None  # in a function that the line calls
                uses = len(repair.everywhere)
                return whole - _times(here, uses) + _times(new, uses)
            return whole + new if repair.combine else whole - here + new
        if repair.keep >= 0:
            return whole - here + self._of_step(line.graph.steps[node].inputs[repair.keep], unit, line)
        value = Fraction(repair.number) if isinstance(repair.number, int | Fraction) else None
        if value is not None and (parent := repair.place.parent) >= 0 and (power := self._power(parent)) > 1:
            # x**2 is x*x.
            if repair.combine or repair.place.slot != 1 or value not in (1, 2, 3, 4):
                return None
            base = self._of_step(self.graph.steps[parent].inputs[0], unit, line)
            return whole - _times(base, power) + _times(base, int(value))
        if value is not None:
            if repair.combine == "*" and abs(value) == 1:
                return whole
            new = Counter({value_text(abs(value)): 1})
            return whole + new if repair.combine else whole - here + new
        return None

    def _of_quantity(self, q: Quantity, unit: Unit) -> Parts:
        if q.kind == "helper":
            return Counter()  # made of what the line has at hand
        return self.of_text(self.wording.quantity(q, unit.step), unit.step) or Counter({"?": 1})

    def _of_step(self, node: int, unit: Unit, line: Line) -> Parts:
        """What a step is made of within a line."""
        key = (node, unit.step, id(line))
        if key not in self._steps:
            self._steps[key] = (line, self._parts(node, unit, line))
        return self._steps[key][1]

    def _parts(self, node: int, unit: Unit, line: Line) -> Parts:
        out: Parts = Counter()
        todo = [node]
        while todo and out.total() <= LONGEST:
            i = todo.pop()
            step = self.graph.steps[i]
            power = self._power(i)
            if power > 1 and (i == line.root or not line.is_stop(i)):
                todo += [step.inputs[0]] * power
                continue
            if unit.augmented in ("+=", "-=") and i == unit.previous:
                continue
            value = step.value if step.is_const else None
            if isinstance(value, Fraction):
                out[value_text(abs(value))] += 1
            elif step.is_leaf or (i != line.root and line.is_stop(i)):
                for part, n in self._of_end(i).items():
                    out[part] += n
            else:
                todo.extend(step.inputs)
        return out

    def _power(self, i: int) -> int:
        """The exponent where a step is a small power of a variable; 1 where it is none."""
        step = self.graph.steps[i]
        infix = None if step.is_leaf else OPS[step.op].infix
        if infix is None or infix.symbol != "**":
            return 1
        exponent = self.graph.steps[step.inputs[1]]
        value = exponent.value if exponent.is_const else None
        simple = self.graph.steps[step.inputs[0]].is_leaf or self.layout.variable(step.inputs[0])
        return int(value) if simple and isinstance(value, Fraction) and value in (2, 3, 4) else 1

    def _of_end(self, i: int) -> Parts:
        """A variable that a line reads."""
        meaning = self.wording.meaning.get(i)
        if meaning is not None and meaning.kind in ("cotangent", "tangent", "local"):
            return self._of_meaning(meaning, self.layout.variable(i))
        origin = self.layout.origin(i)
        if self.layout.is_forward(origin):
            return self.of_text(self.wording.symbol(origin), -1)
        return Counter({self.layout.variable(i) or f"u{i}": 1})

    def _of_name(self, name: str, before: int) -> Parts:
        found = [q for step, q in self._called.get(name, ()) if step < before]
        if found:
            return self._of_meaning(found[-1], name)
        mine = [u.step for u in self.layout.by_name.get(name, ()) if u.step < before]
        origin = self.layout.origin(mine[-1]) if mine else -1
        if mine and self.layout.is_forward(origin) and origin in self.layout.subject.names:
            return Counter({self.layout.subject.names[origin]: 1})  # another name for a value of the forward pass
        return Counter({name: 1})

    def _of_meaning(self, q: Quantity, name: str) -> Parts:
        """Two names for one gradient are one thing; a local derivative that has a name is meant to be called by it."""
        if q.kind == "cotangent":
            plain = name and not claims(name) and not is_bare(name)  # pb, which happens to be dsb as well
            return Counter({f"{_MARK}{q.bottom}": 1, **({name: 1} if plain else {})})
        link = next((k for k in self.truth.links.get(q.top, ()) if k.bottom == q.bottom), None)
        if name and link is not None and link.local is not None and link.local.same(q.vec):
            return Counter({name: 1})
        return Counter({f"{_MARK}{q.top}/{q.bottom}": 1})

    @cached_property
    def _called(self) -> dict[str, list[tuple[int, Quantity]]]:
        """What the names of the derivation stood for, one after the other."""
        out: dict[str, list[tuple[int, Quantity]]] = {}
        for step, q in sorted(self.wording.meaning.items()):
            if q.kind in ("cotangent", "tangent", "local"):
                for unit in self.layout.units_at.get(step, ()):
                    out.setdefault(unit.name, []).append((step, q))
        return out


def _subsets(tops: Sequence[int]) -> Iterator[Sequence[int]]:
    """Every single path, all together, and of a few all that may stand in one line."""
    for size in range(1, len(tops) + 1):
        if size in (1, len(tops)) or len(tops) <= FEW:
            yield from combinations(tops, size)


def _apart(a: Parts, b: Parts) -> float:
    """How far ``a`` is from what is taught, ``b``: of a long formula a part more or less says little."""
    total, other = 0.0, OTHER * min(1.0, SHORT / max(b.total(), 1))
    for part in {*a, *b}:
        weight = other
        if part.startswith(_MARK):
            weight = CARRIED if "/" in part else GRADIENT
        total += abs(a[part] - b[part]) * weight
    return min(total, MOST)


def _times(parts: Parts, n: int) -> Parts:
    return Counter({k: v * n for k, v in parts.items()})
