"""What would make a wrong line right: the cheapest change to one sub-expression, or to two.

Each sub-expression of the line is asked: what value would you need for the line to be right? That value is found by
inverting the ops between the line and the sub-expression, and looked up among everything that is true of the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from symgrad.diagnose.match import Known
from symgrad.diagnose.truth import Quantity
from symgrad.diagnose.vectors import Vec, apply, inverses
from symgrad.enclosure import precision
from symgrad.graph import Graph
from symgrad.diagnose.subject import BITS
from symgrad.ops import OPS

#: Sub-expressions of one line that are looked at; a longer line is diagnosed by its largest parts.
MOST_PLACES = 300


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


@dataclass(frozen=True, slots=True)
class Repair:
    """One change that makes the line right.

    Attributes:
        place: what to change.
        mistake: the kind, as findings name it.
        words: what is wrong with it.
        cost: how far-fetched the change is; the cheapest wins.
        quantity: what belongs there, if it is something with a name.
        combine: how ``quantity`` goes with what stands there: ``""`` (in its place), ``"*"``, ``"/"``, ``"+"``, ``"-"``.
        number: a rational that belongs there (or goes with it), if it is one.
        op: another op that belongs there.
    """

    place: Place
    mistake: str
    words: str
    cost: float
    quantity: Quantity | None = None
    combine: str = ""
    number: object = None
    op: str = ""


class Line:
    """One manual assignment under repair.

    Args:
        graph: the subject's.
        root: the assignment's step.
        values: the corrected value of every step that it uses.
        is_stop: steps that are not looked into: they are right, or judged on their own.
    """

    def __init__(
        self, graph: Graph, root: int, values: Callable[[int], Vec], is_stop: Callable[[int], bool]
    ) -> None:
        self.graph = graph
        self.root = root
        self.values = values
        self.is_stop = is_stop

    def places(self, wanted: Vec) -> Iterator[Place]:
        """Every occurrence of every sub-expression with the value that it would need, outermost first."""
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
                for needed in inverses(OPS[step.op], args, slot, place.wanted):
                    queue.append(Place(j, place.node, slot, needed, (*place.path, (place.node, slot))))

    def used(self) -> list[int]:
        """The steps at which the line ends: forward steps, settled manual steps, leaves."""
        seen: set[int] = set()
        out: list[int] = []
        stack = [self.root]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            step = self.graph.steps[i]
            if step.is_leaf or (i != self.root and self.is_stop(i)):
                out.append(i)
            else:
                stack.extend(step.inputs)
        return out

    def inside(self) -> list[int]:
        """The steps that the line computes itself, the root first."""
        seen: set[int] = set()
        order: list[int] = []
        stack = [self.root]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            if not self.graph.steps[i].is_leaf and (i == self.root or not self.is_stop(i)):
                order.append(i)
                stack.extend(self.graph.steps[i].inputs)
        return order

    def recompute(self, replaced: Mapping[int, Vec]) -> Vec:
        """The line's value with some of its steps replaced."""
        memo: dict[int, Vec] = dict(replaced)
        with precision(BITS):
            for i in sorted(self.inside()):
                if i not in memo:
                    inputs = [memo.get(j) or self.values(j) for j in self.graph.steps[i].inputs]
                    memo[i] = apply(self.graph.steps[i].op, inputs)
        return memo[self.root]


def repairs(line: Line, wanted: Vec, known: Known, variables: Callable[[int], str]) -> list[Repair]:
    """All changes of one sub-expression that make the line's value ``wanted``, cheapest first.

    Args:
        variables: the user's name of a step, or an empty string.
    """
    found: list[Repair] = []
    with precision(BITS):
        for place in line.places(wanted):
            have = line.values(place.node)
            if have.same(place.wanted) or not place.wanted.usable:
                continue
            found.extend(_candidates(line, place, have, known, variables))
    return sorted(found, key=lambda r: (r.cost, len(r.place.path)))


def _candidates(
    line: Line, place: Place, have: Vec, known: Known, variables: Callable[[int], str]
) -> Iterator[Repair]:
    step = line.graph.steps[place.node]
    wanted = place.wanted
    whole = 0.8 if place.parent < 0 else 0.0
    simple = step.is_leaf or bool(variables(place.node))
    # A factor that is known to be written wrongly.
    right = known.right(wanted)
    for wrong in known.wrong(have):
        for q in right:
            if q.kind == "local" and (q.top, q.bottom) == (wrong.top, wrong.bottom):
                yield Repair(place, wrong.mistake, wrong.words, wrong.cost, q)
    # A variable in place of another one.
    if simple and not step.is_const:
        for q in right:
            if q.kind == "forward":
                hidden = 0.0 if q.bottom in known.truth.subject.names else 0.4
                yield Repair(place, *_swapped(line.graph, known, place.node, q, variables), 1.0 + hidden, q)
            elif q.kind in ("cotangent", "tangent"):
                yield Repair(place, "wrong-variable", "is another derivative than belongs here", 1.1, q)
    # A number in place of another one; a factor; a sign.
    if step.is_const or (step.is_input and place.node not in known.truth.cotangents):
        for q in right:
            if q.kind == "forward" and step.is_const and have.same_at_user(wanted):
                yield Repair(place, "literal", "is the value of a variable, written out", 0.3, q)
        number = wanted.constant()
        if number is not None:
            mistake = "sign" if number == -(have.constant() or 0) else "scale"
            yield Repair(place, mistake, "is another number than belongs here", 1.05, number=number)
    ratio = wanted / have
    factor = ratio.constant()
    if factor is not None and not step.is_const:
        if factor == -1:
            yield Repair(place, "sign", "has the wrong sign", 1.2 + whole / 4 + (0.2 if simple else 0), number=factor, combine="*")
        else:
            yield Repair(place, "scale", "is off by a constant factor", 1.4 + whole / 4 + (0.2 if simple else 0), number=factor, combine="*")
    # Another op on the same inputs.
    if not step.is_leaf:
        args = [line.values(j) for j in step.inputs]
        for name in _alternatives(step.op):
            if apply(name, args).same(wanted):
                yield Repair(place, "sign" if _signs(name, step.op) else "wrong-formula",
                             "applies another operation than belongs here", 1.15, op=name)  # fmt: skip
        if len(args) == 2 and _swappable(step.op) and apply(step.op, args[::-1]).same(wanted):
            yield Repair(place, "wrong-formula", "has its two operands the wrong way round", 1.15, op=step.op)
    # What belongs here is known, whatever stands here.
    for q in right:
        if q.kind in ("local", "contribution", "term", "sum") or (q.kind in ("cotangent", "tangent") and not simple):
            yield Repair(place, "wrong-formula", "is not the derivative that belongs here", 2.6 + whole + (0 if q.kind == "local" else 0.2), q)
        elif q.kind == "forward" and not simple:
            yield Repair(place, "wrong-variable", "is another value than belongs here", 2.2, q)
    # A missing or superfluous factor.
    if not ratio.is_zero and ratio.usable and factor is None:
        for q in known.right(ratio):
            if q.kind in ("local", "forward", "cotangent", "tangent"):
                yield Repair(place, "missing-factor", "leaves out a factor", 1.5 + (0.3 if q.kind != "local" else 0) + (0.15 if simple and place.parent >= 0 else 0), q, "*")
        for q in known.right(have / wanted):
            if q.kind in ("local", "forward", "cotangent", "tangent"):
                yield Repair(place, "extra-factor", "has a factor too many", 1.6 + (0.3 if q.kind != "local" else 0), q, "/")
    # A missing or superfluous term.
    gap = wanted - have
    if not gap.is_zero and gap.usable:
        for q in known.right(gap):
            if q.kind in ("contribution", "term", "cotangent", "sum", "tangent"):
                yield Repair(place, "missing-term", "leaves out a term", 1.7, q, "+")
        for q in known.right(-gap):
            if q.kind in ("contribution", "term", "cotangent", "sum", "tangent"):
                yield Repair(place, "extra-term", "has a term too many", 1.7, q, "-")


def _swapped(
    graph: Graph, known: Known, found: int, wanted: Quantity, variables: Callable[[int], str]
) -> tuple[str, str]:
    """Names the mistake of writing one variable for another."""
    a, b = found, wanted.bottom
    for links in (known.truth.links.get(a, ()), known.truth.links.get(b, ())):
        for link in links:
            if {link.top, link.bottom} == {a, b}:
                if link.top == b:
                    return "input-for-output", "uses the input where the output belongs"
                return "input-for-output", "uses the output where the input belongs"
    if _stem(variables(a)) and _stem(variables(a)) == _stem(variables(b)):
        return "wrong-time-step", "is the value of another step in time"
    return "wrong-variable", "is another variable than belongs here"


def _stem(name: str) -> str:
    return name.split("[")[0].rstrip("0123456789").rstrip("_")


def _alternatives(name: str) -> Sequence[str]:
    """Ops of the same arity that are confused with this one: infix for infix, function for function."""
    op = OPS[name]
    out = []
    for other in OPS.values():
        if other.name == name or other.arity != op.arity or other.hidden:
            continue
        if (op.infix is None) == (other.infix is None):
            out.append(other.name)
    return out


def _signs(a: str, b: str) -> bool:
    """Two ops between the same operands that differ by the sign of one: sum and difference."""
    first, second = OPS[a].infix, OPS[b].infix
    return first is not None and second is not None and {first.symbol, second.symbol} == {"+", "-"}


def _swappable(name: str) -> bool:
    """Order matters: for what is symmetric in its inputs a swap is no repair (it would give the same value)."""
    return OPS[name].arity == 2


def pair_repairs(line: Line, wanted: Vec, known: Known, variables: Callable[[int], str]) -> list[tuple[Repair, ...]]:
    """Changes of two sub-expressions, of which the first is a factor known to be written wrongly."""
    out: list[tuple[Repair, ...]] = []
    with precision(BITS):
        suspects: list[tuple[int, Repair]] = []
        for node in line.inside():
            have = line.values(node)
            for wrong in known.wrong(have):
                right = next((q.vec for q in _local(known, wrong.top, wrong.bottom)), None)
                if right is None:
                    continue
                place = Place(node, _parent(line, node), 0, right, ())
                quantity = Quantity("local", wrong.top, wrong.bottom, right)
                suspects.append((node, Repair(place, wrong.mistake, wrong.words, wrong.cost, quantity)))
        # All suspects at once, then each one with a single repair of the rest.
        chosen: dict[int, Repair] = {}
        for node, repair in suspects:
            if node not in chosen or repair.cost < chosen[node].cost:
                chosen[node] = repair
        if len(chosen) > 1:
            replaced = {n: r.place.wanted for n, r in chosen.items()}
            if line.recompute(replaced).same(wanted):
                out.append(tuple(chosen.values()))
        for node, repair in suspects:
            patched = Line(
                line.graph, line.root,
                lambda i, node=node, repair=repair: repair.place.wanted if i == node else line.values(i),
                lambda i, node=node: i == node or line.is_stop(i),
            )  # fmt: skip
            values = _recomputed(patched, node, repair.place.wanted)
            fixed = Line(line.graph, line.root, lambda i, v=values: v.get(i) or line.values(i), patched.is_stop)
            rest = repairs(fixed, wanted, known, variables)
            if rest and rest[0].cost < 2.0 and rest[0].place.parent >= 0:
                out.append((repair, rest[0]))
    return sorted(out, key=lambda rs: sum(r.cost for r in rs))


def _local(known: Known, top: int, bottom: int) -> Iterator[Quantity]:
    for links in (known.truth.links.get(top, ()), known.truth.elementary.get(top, ())):
        for link in links:
            if link.bottom == bottom:
                yield Quantity("local", top, bottom, link.local)


def _parent(line: Line, node: int) -> int:
    return next((i for i in line.inside() if node in line.graph.steps[i].inputs), -1)


def _recomputed(line: Line, node: int, value: Vec) -> dict[int, Vec]:
    memo = {node: value}
    for i in sorted(line.inside()):
        if i not in memo:
            memo[i] = apply(line.graph.steps[i].op, [memo.get(j) or line.values(j) for j in line.graph.steps[i].inputs])
    return memo


