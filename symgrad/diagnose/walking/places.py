"""A line under repair, its sub-expressions, and what a change to one of them is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Budget
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.values.glimpses import still_open
from symgrad.diagnose.values.shaped import is_nowhere
from symgrad.diagnose.values.surveys import are_other, survey
from symgrad.diagnose.values.surveys import run as surveyed
from symgrad.diagnose.values.vectors import Vec, apply, constant, inverses
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, TensorOp
from symgrad.swift import swift

#: Sub-expressions of one line that are looked at; a longer line is diagnosed by its largest parts.
MOST_PLACES = 300


@swift
@dataclass(frozen=True, slots=True)
class Place:
    """One occurrence of a sub-expression: input ``slot`` of the step ``parent`` (-1: the line itself).

    ``path`` is the chain of (step, slot) from the line down to it.
    """

    node: int
    parent: int
    slot: int
    wanted: Vec
    path: tuple[tuple[int, int], ...]


#: Where a change is, as long as that is not known.
UNPLACED = Place(-1, -1, -1, constant(0, 1), ())


@swift
@dataclass(frozen=True, slots=True)
class Repair:
    """One change that makes the line right.

    Attributes:
        place: what to change.
        mistake: the kind, as findings name it.
        words: what is wrong with it.
        cost: how far-fetched the change is; the cheapest wins.
        quantity: what belongs there, if it is something with a name.
        combine: how ``quantity`` goes with what stands there: ``"*"``, ``"/"``, ``"+"``, ``"-"``, or in its place.
        number: a rational that belongs there (or goes with it), if it is one.
        op: another op that belongs there.
        keep: the one operand that belongs there.
        regain: the name whose earlier value is to be kept: ``=`` should be ``+=``.
        template: the right text, with ``{0}`` for what is written.
        respell: (pattern, replacement) pairs that make the right text; the first that is found counts.
        operand: the right text, with ``{0}`` for the first operand as it is written.
        series: (stem, offset) where an entry of a list belongs, counted from the round of the loop.
        spelling: how ``quantity`` is written, where that is known.
        renamed: (as it is called in one round, in all): entries of lists in what is shown.
        text: what belongs at ``span``, where the change was found in the text itself.
        adds: a line that is missing.
        negated: it is the negative of ``quantity``.
        at_parent: the value wanted is that of the operation that reads the place.
        everywhere: all the (step, slot) that the change concerns, if it concerns more than ``place``.
    """

    place: Place
    mistake: str
    words: str
    cost: float
    quantity: Quantity | None = None
    combine: str = ""
    number: object = None
    op: str = ""
    keep: int = -1
    regain: str = ""
    template: str = ""
    respell: tuple[tuple[str, str], ...] = ()
    operand: str = ""
    series: tuple[str, int] | None = None
    everywhere: tuple[tuple[int, int], ...] = ()
    text: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    span: Span | None = None
    spelling: str = ""
    adds: Statement | None = None
    negated: bool = False
    at_parent: bool = False


class Line:
    """One manual assignment under repair.

    Args:
        graph: the subject's.
        root: the assignment's step.
        values: the corrected value of every step that it uses.
        is_stop: steps that are not looked into: they are right, or judged on their own.
        is_lent: of these, the ones that a function shared with the forward pass makes for this line: sigmoid(x).
    """

    def __init__(
        self,
        graph: Graph,
        root: int,
        values: Callable[[int], Vec],
        is_stop: Callable[[int], bool],
        is_lent: Callable[[int], bool] = lambda i: False,
    ) -> None:
        self.graph = graph
        self.root = root
        self.values = values
        self.is_stop = is_stop
        self.is_lent = is_lent

    def everything(self) -> list[int]:
        """All steps that are made for the line, by itself and by functions it calls; the root first."""
        return [i for i, within in self._walk(self.is_lent) if within]

    def _walk(self, is_open: Callable[[int], bool] = lambda i: False) -> Iterator[tuple[int, bool]]:
        """Every step down to those at which the line ends, the root first, with whether it is looked into."""
        seen: set[int] = set()
        stack = [self.root]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            within = not self.graph.steps[i].is_leaf and (i == self.root or not self.is_stop(i) or is_open(i))
            yield i, within
            if within:
                stack.extend(self.graph.steps[i].inputs)

    def respelled(
        self, places: Collection[tuple[int, int]], values: Sequence[Vec], wanted: Vec, everything: Sequence[int],
        budget: Budget | None = None,
    ) -> Iterator[tuple[int, Vec]]:  # fmt: skip
        """The line's value with another one read at some (step, slot): with each of several, but those with which it
        is surely not the value that is wanted. Each with its number; as many of them as ``budget`` allows.

        ``everything``: the steps of :meth:`everything`, in their order.
        """
        #: The steps that change, and what they are made of: -1 for the other value.
        changing: list[tuple[Step, int, list[int]]] = []
        changed: set[int] = set()
        for i in everything:
            step = self.graph.steps[i]
            read = [-1 if (i, slot) in places else j for slot, j in enumerate(step.inputs)]
            if i == self.root or self.is_lent(i) or any(j < 0 or j in changed for j in read):
                changed.add(i)
                changing.append((step, i, read))
        fixed = {j: self.values(j) for _, _, read in changing for j in read if j >= 0 and j not in changed}
        for n in self._open(changing, fixed, values, wanted):
            if budget is not None:
                if budget.left <= 0:
                    return
                budget.left -= len(changing)
            memo = {**fixed, -1: values[n]}
            made = values[n]
            with precision(BITS):
                for step, i, read in changing:
                    made = memo[i] = apply(step.op, [memo[j] for j in read], step.params)
                    if is_nowhere(made):
                        break  # the program would end here
            yield n, made

    def _open(
        self, changing: Sequence[tuple[Step, int, list[int]]], fixed: Mapping[int, Vec], values: Sequence[Vec],
        wanted: Vec,
    ) -> list[int]:  # fmt: skip
        """The numbers of the values with which the line may be what is wanted, as far as floats tell."""
        everything = list(range(len(values)))
        if not values or not changing:
            return everything
        if wanted.shaped or any(v.shaped for v in (*fixed.values(), *values)):
            return still_open(changing, fixed, values, wanted)
        if any(isinstance(OPS[step.op], TensorOp) for step, _, _ in changing):
            return everything
        memo = {j: survey([v]) for j, v in fixed.items()}
        made = memo[-1] = survey(values)
        for step, i, read in changing:
            made = memo[i] = surveyed(step.op, [memo[j] for j in read])
        other = are_other(made, wanted)
        return [n for n in everything if not other[n if len(other) > 1 else 0]]

    def places(self, wanted: Vec, only: Container[int] | None = None) -> Iterator[Place]:
        """Every occurrence of every sub-expression with the value that it would need, outermost first; with ``only`` of
        these."""
        queue = [Place(self.root, -1, -1, wanted, ())]
        count = 0
        while queue and count < MOST_PLACES:
            place = queue.pop(0)
            count += 1
            yield place
            step = self.graph.steps[place.node]
            if step.is_leaf or (place.node != self.root and self.is_stop(place.node)):
                continue
            args = [self.values(j) for j in step.inputs]
            for slot, j in enumerate(step.inputs):
                if only is not None and j not in only:
                    continue
                for needed in inverses(OPS[step.op], args, slot, place.wanted):
                    queue.append(Place(j, place.node, slot, needed, (*place.path, (place.node, slot))))

    def leading_to(self, i: int) -> set[int]:
        """The steps of the line that a step has a part in, and that step."""
        out = {i}
        for k in sorted(self.inside()):
            if not out.isdisjoint(self.graph.steps[k].inputs):
                out.add(k)
        return out

    def used(self) -> list[int]:
        """The steps at which the line ends: forward steps, settled manual steps, leaves."""
        return [i for i, within in self._walk() if not within]

    def inside(self) -> list[int]:
        """The steps that the line computes itself, the root first."""
        return [i for i, within in self._walk() if within]

    def recompute(self, replaced: Mapping[int, Vec]) -> Vec:
        """The line's value with some of its steps replaced."""
        memo: dict[int, Vec] = dict(replaced)
        with precision(BITS):
            for i in sorted(self.inside()):
                if i not in memo:
                    inputs = [memo.get(j) or self.values(j) for j in self.graph.steps[i].inputs]
                    memo[i] = apply(self.graph.steps[i].op, inputs, self.graph.steps[i].params)
        return memo[self.root]


@dataclass(frozen=True, slots=True)
class Context:
    """What a repair may draw upon.

    Attributes:
        known: everything true, and the known wrong factors.
        variable: the user's name of a step, or an empty string.
        held: whether an earlier assignment holds a derivative, so that its name could have been written.
        origin: the forward step that a step only renames, or itself.
        derivatives: what the assignments before a step hold, with the values.
        flows: whether a step holds a cotangent, or a part of one.
        seeded: the user holds dL/dL = 1, so that every line has a gradient to start from.
        goal: what the line should be; offering it as its own repair would say nothing.
    """

    known: Known
    variable: Callable[[int], str]
    held: Callable[[Quantity], bool]
    origin: Callable[[int], int]
    flows: Callable[[int], bool]
    seeded: bool
    goal: Quantity
    derivatives: Callable[[int], Sequence[tuple[Quantity, Vec]]] = lambda before: ()

    def forward(self) -> Iterator[Quantity]:
        """The values of all variables of the forward pass."""
        truth = self.known.truth
        for i in truth.subject.names:
            vec = truth.values[i]
            if vec is not None:
                yield Quantity("forward", -1, i, vec)

    def offers(self, vec: Vec) -> list[Quantity]:
        """The true quantities of this value, without the line's own goal."""
        goal = self.goal
        same = (goal.kind, goal.top, goal.bottom)
        return [q for q in self.known.right(vec) if (q.kind, q.top, q.bottom) != same]
