"""One change to the text of a line, and what all such changes are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.text.naming import stem_of
from symgrad.diagnose.text.source import number_names, source_map
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.trying.roles import At, Role, roles_of
from symgrad.diagnose.trying.typed import (
    Change,
    entry,
)
from symgrad.diagnose.walking.confusions import left_out
from symgrad.errors import Span

#: So many numbers of the forward pass are tried as factors.
MOST_NUMBERS = 6


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One change to the text of a line.

    Attributes:
        at_text: the line that it is in, and where that line's value begins.
        span: what is replaced, by ``text``.
        cost: how far-fetched it is; ``mistake`` and ``words`` as a repair has them.
        at: the round -> (step, what it becomes).
        parent, slot: in the first round, the step that reads what is replaced, and which of its inputs that is.
        instead: in the first round, the step that is read in its place; -1 where it is none.
        adds: the line that is missing, where that is the change; ``span`` is where its name is given its first value.
    """

    at_text: At
    span: Span
    text: str
    cost: float
    mistake: str
    words: str
    at: tuple[tuple[int, Change], ...]
    parent: int
    slot: int
    instead: int = -1
    adds: Statement | None = None

    @property
    def line(self) -> int:
        return self.at_text[0]


class Writing:
    """Writes down changes to the lines that wrong results are computed in.

    Args:
        results: of the derivation.
        base: the value of every step at one random point, to tell two variables apart.
    """

    def __init__(self, layout: Layout, results: Sequence[Result], base: Sequence[float]) -> None:
        self.layout, self.results, self._base = layout, results, base
        self.graph, self.subject = layout.graph, layout.subject
        self.source = source_map(self.subject.source)
        #: The one change that is asked for again, in all rounds: its place and text.
        self._only: tuple[Span, str] | None = None
        self._seen: dict[
            tuple[tuple[At, int], ...], tuple[dict[At, list[dict[Span, int]]], dict[At, list[tuple[Span, int, Role]]]]
        ] = {}
        self.roles = roles_of(layout)

    @cached_property
    def _numbers(self) -> list[Fraction]:
        """The numbers of the forward pass, by which something may be off."""
        steps = self.graph.steps
        found = (s.value for i, s in enumerate(steps) if s.is_const and self.layout.is_forward(i))
        plain = (abs(v) for v in found if isinstance(v, Fraction))
        return [v for v in dict.fromkeys(plain) if v not in (0, 1, 2, Fraction(1, 2))][:MOST_NUMBERS]

    @cached_property
    def _number_names(self) -> dict[Fraction, str]:
        return number_names(self.graph, self.source)

    def _hypothesis(
        self, line: At, span: Span | None, text: str, cost: float, mistake: str, words: str,
        at: Iterable[tuple[int, Change]], parent: int, slot: int, instead: int = -1,
    ) -> Iterator[Hypothesis]:  # fmt: skip
        if span is None or (self._only is not None and self._only != (span, text)):
            return
        made = tuple(at)
        if made:
            yield Hypothesis(line, span, text, cost, mistake, words, made, parent, slot, instead)

    def _is_other(self, text: str) -> bool:
        """Nothing with this text is asked for."""
        return self._only is not None and text not in self._only[1]

    def _swapped(self, found: int, role: Role) -> tuple[str, str]:
        """The kind of mistake where one variable stands for another."""
        a, b = self.layout.original(found), self.layout.original(role.steps[0]) if role.steps[0] >= 0 else -1
        steps = self.graph.steps
        names = [self.layout.variable(i) for i in (a, b)] if b >= 0 else ["", ""]
        listed = role.text.split("[", maxsplit=1)[0] if "[" in role.text else ""
        own = any(e is not None and e[0] == listed for e in map(entry, self.roles.names.get(a, ())))
        if listed and own:
            return "wrong-time-step", "is the value of another step in time"
        made_of = (made for (_, given), made in self.roles.calls.results.items() if given == found)
        if "(" in role.text and any(role.steps[0] in made for made in made_of):
            return "input-for-output", "uses the input where the output belongs"
        links = self.layout.truth.links
        real = self.layout.original

        def feeds(bottom: int, top: int, held: int) -> bool:
            found = (*links.get(top, ()), *links.get(held, ()))
            return any(real(link.top) == top and real(link.bottom) == bottom for link in found)

        if b >= 0 and self.layout.is_forward(a) and (feeds(a, b, role.steps[0]) or feeds(b, a, found)):
            first = feeds(a, b, role.steps[0])
            words = "uses the input where the output belongs" if first else "uses the output where the input belongs"
            return "input-for-output", words
        if b >= 0 and self.layout.is_forward(a) and self.layout.is_forward(b):
            part = left_out(self.layout.truth, a, b)
            if part is not None:
                return part
        if b >= 0 and names[0] and stem_of(names[0]) == stem_of(names[1]) and not steps[a].is_input:
            return "wrong-time-step", "is the value of another step in time"
        return "wrong-variable", "is another variable than belongs here"
