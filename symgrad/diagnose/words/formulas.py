"""The forward pass and its local derivatives as formulas, in the names that the user has for its values."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cached_property

from symgrad.backward import backward
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.observing.truth import Link, Truth
from symgrad.diagnose.text.callees import Calls
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.values.vectors import Vec
from symgrad.errors import SymgradError
from symgrad.graph import GraphBuilder
from symgrad.ops import OPS, Formula, Ref
from symgrad.printing import expression_text

_VARIABLE = re.compile(r"[A-Za-z_][\w.]*+(?:\[[^\]]*\])*+(?!\()")
#: Formulas beyond this are not written into a message.
LONGEST = 300
#: Steps between two named ones that are written into one formula.
WIDEST = 60


class Formulas:
    """Writes values and local derivatives of a forward pass.

    Args:
        slopes: (top, bottom) -> how the local derivative is written; may be shared, as long as the subject is the same.
    """

    def __init__(self, subject: Subject, truth: Truth, slopes: dict[tuple[int, int], str] | None = None) -> None:
        self.subject, self.truth = subject, truth
        self._slopes = {} if slopes is None else slopes

    def symbol(self, step: int) -> str:
        """The name of a forward step, or its formula where it has none."""
        name = self.subject.names.get(step, "") or self._calls.get(step, "")
        if name:
            return name
        return self.formula(step) or "u"

    @cached_property
    def _calls(self) -> dict[int, str]:
        """Steps without a name that a function of the script made of something that has one: ``cdf(d1)``."""
        names, calls = self.subject.names, Calls(self.subject.graph, source_map(self.subject.source))
        return {
            i: f"{function}({names[given]})"
            for (function, given), made in calls.results.items()
            for i in made
            if given in names and i not in names and self.truth.values[i] is not None
        }

    def variable(self, vec: Vec) -> str:
        """The name of a forward value."""
        for i, name in self.subject.names.items():
            value = self.truth.values[i]
            if value is not None and value.same(vec):
                return name
        return ""

    def formula(self, step: int) -> str:
        """A forward step in terms of named ones."""
        stop = {i for i in self.subject.names if i != step}
        return expression_text(self.subject.graph, step, stop, names=self.subject.names, limit=LONGEST)

    def factor(self, top: int, bottom: int) -> str:
        """How the local derivative is called: ``dh2/dh2_raw``."""
        if not self.subject.names.get(bottom) and not self.subject.graph.steps[bottom].is_input:
            inner = self.formula(bottom)
            step = self.subject.graph.steps[top]
            outer = OPS[step.op].title if len(step.inputs) == 1 else ""
            if outer and bottom in step.inputs:
                return f"d {outer}(u)/du with u = {inner}"
        return f"d{self._short(top)}/d{self._short(bottom)}"

    def _short(self, step: int) -> str:
        if step == self.subject.loss and not self.subject.names.get(step):
            return "f"
        name = self.symbol(step)
        return name if name.replace("_", "").replace("[", "").replace("]", "").isalnum() else f"({name})"

    def between(self, tops: Sequence[int], bottom: int) -> set[int]:
        """The steps that some steps are made of, down to named ones; empty where there are too many."""
        graph, named = self.subject.graph, self.subject.names
        region: set[int] = set()
        todo = list(tops)
        while todo:
            i = todo.pop()
            if i in region:
                continue
            region.add(i)
            if i in tops or (i not in named and not graph.steps[i].is_leaf):
                todo.extend(graph.steps[i].inputs)
        return region if len(region) <= WIDEST and bottom in region else set()

    def copied(self, region: Collection[int], tops: Collection[int]) -> tuple[GraphBuilder, dict[int, int]]:
        """A little graph of some forward steps; named ones are its inputs."""
        graph, named = self.subject.graph, self.subject.names
        builder = GraphBuilder()
        place: dict[int, int] = {}
        for i in sorted(region):
            step = graph.steps[i]
            if step.is_const:
                place[i] = builder.const(step.value)
            elif i not in tops and (i in named or step.is_input):
                place[i] = builder.add("input", name=self.symbol(i), shape=step.shape)
            else:
                inputs = [place[j] for j in step.inputs]
                place[i] = builder.add(step.op, inputs, params=step.params, shape=step.shape)
        return builder, place

    def slope(self, link: Link) -> str:
        """A local derivative as taught, in terms of the forward pass; empty where that is long."""
        key = link.top, link.bottom
        if key not in self._slopes:
            self._slopes[key] = self._taught_as(link)
        return self._slopes[key]

    def _taught_as(self, link: Link) -> str:
        top, bottom = link.top, link.bottom
        rule = link.op.partials[link.slot] if link.op is not None else None
        if link.op is not None and rule is not None:
            builder = GraphBuilder()
            math = Formula(builder)
            step = self.subject.graph.steps[top]
            direct = OPS.get(step.op) is link.op
            inputs = [self._operand(math, j) for j in (step.inputs if direct else (bottom,))]
            made = rule(math, self._operand(math, top), *inputs)
            index = made.index if isinstance(made, Ref) else math.constant(made).index
            names = {i: s.name for i, s in enumerate(builder.steps) if s.is_input}
            text = expression_text(builder.build(index), index, names, names=names, limit=LONGEST)
            return text[1:-1] if builder.steps[index].is_input and text.startswith("(") else text
        return self.composite(top, bottom)

    def link(self, top: int, bottom: int) -> Link | None:
        whole = self.truth.written_out.get(top)
        if whole is not None and whole.bottom == bottom:
            return whole
        for links in (self.truth.links.get(top, ()), self.truth.elementary.get(top, ())):
            for link in links:
                if link.bottom == bottom:
                    return link
        return None

    def _operand(self, math: Formula, step: int) -> Ref:
        found = self.subject.graph.steps[step]
        if found.is_const:
            return math.constant(found.value)
        name = self.symbol(step)
        name = name if step in self.subject.names or is_atom(name) else f"({name})"
        for i, s in enumerate(math.builder.steps):
            if s.is_input and s.name == name:
                return math.ref(i)
        return math.ref(math.builder.add("input", name=name))

    def composite(self, top: int, bottom: int) -> str:
        """Through hidden steps: differentiate the little graph between the named ones."""
        whole = self.truth.written_out.get(top)
        if whole is not None and whole.bottom != bottom:
            link = self.link(top, whole.bottom)
            outer = self.slope(link) if link is not None and link.local is not None else ""
            inner = self.composite(whole.bottom, bottom)
            if outer and inner:
                return outer if inner == "1" else f"{wrap(outer)}*{wrap(inner)}"
        region = self.between([top], bottom)
        if not region:
            return ""
        builder, place = self.copied(region, [top])
        try:
            reverse = backward(builder.build(place[top]), [place[bottom]])
        except SymgradError:
            return ""
        names = {i: s.name for i, s in enumerate(reverse.graph.steps) if s.is_input}
        if top in self.subject.names and reverse.gradients[0] != place[top]:
            names[place[top]] = self.symbol(top)  # exp(u) where it is called e
        text = expression_text(reverse.graph, reverse.gradients[0], names, names=names, limit=LONGEST)
        # Two values of one name (of several rounds of a loop) cannot be told apart in a formula.
        return "" if "#" in text or "__setitem__" in text else text


def names_in(text: str) -> set[str]:
    """The variables of a formula, entries of lists and attributes among them."""
    return set(_VARIABLE.findall(text))


def is_atom(text: str) -> bool:
    """There is no operator outside all brackets."""
    depth = 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in "+-*/ ":
            return False
    return True


def wrap(text: str) -> str:
    """What may stand as a factor."""
    depth = 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in "+- ":
            return f"({text})"
    return f"({text})" if "/" in text or text.startswith("-") else text
