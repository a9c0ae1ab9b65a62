"""The partial derivatives of a residual, from which the implicit function theorem makes derivatives of its root.

``dy_da = -F_a/F_y`` where y solves ``F(y, a, b) = 0`` by Newton's method: ``F_a`` is no derivative of y, and F need
have no name. What such a family of names holds tells which step of the forward pass F is: of several that are partial
derivatives of one step by what they are called after, the others are meant to be that as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.meaning.partials import held_fixed
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout, Replay
from symgrad.diagnose.observing.subject import BITS, Subject, Unit, forward_values
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.text.naming import normal
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.enclosure import precision
from symgrad.ops import sign_of

#: ``F_y``, and ``dF_dy``, which must not be read as that of some ``dy``.
_FAMILY = tuple(
    re.compile(rf"^(?:d|partial_)?(?P<stem>[A-Za-z]\w*?)_?{by}(?P<bottom>[A-Za-z]\w*)$") for by in ("_d", "(?:_|d_)")
)
#: So many steps of the forward pass are looked at, the last ones first.
MOST = 200
#: Of a variable with fewer values no loop is thought; and how near the last two are of one that is solved for.
MANY, NEAR = 4, 1e-9

Family = dict[str, list[Unit]]


def converged(subject: Subject) -> list[tuple[int, int]]:
    """The last two values of each variable that a loop has brought to a fixed point, where the script is run.

    At other points more rounds may be needed for that, and the derivatives of such a value are those of the fixed point
    only where it was reached.
    """
    rounds = _rounds(subject)
    ends = [(steps[-2], steps[-1]) for steps in rounds.values() if len(steps) > MANY]
    needed = subject.graph.ancestors(subject.loss)
    if not (ends := [pair for pair in ends if needed[pair[0]] and needed[pair[1]]]):
        return []
    values = forward_values(subject, [subject.point])
    return [(i, j) for i, j in ends if is_near(values[i], values[j])]


def is_near(one: Vec | None, other: Vec | None) -> bool:
    """Two values are the same but for what a further round would add."""
    if one is None or other is None:
        return False
    pairs = zip(one.floats, other.floats, strict=True)
    return all(abs(a - b) <= NEAR * max(abs(a), abs(b)) for a, b in pairs)


def residuals(layout: Layout, known: Known) -> dict[int, Quantity]:
    """For assignments that are meant as partial derivatives of a residual, what they should be."""
    if layout.subject.is_shaped:
        return {}
    out: dict[int, Quantity] = {}
    for family in _families(layout).values():
        bottoms = _bottoms(family, layout)
        if len(bottoms) > 1:
            out |= _of_family(family, bottoms, layout, known)
    return out


def _families(layout: Layout) -> Mapping[str, Family]:
    """Names such as F_y, F_a and F_b, by F, which is nothing that the forward pass has, and then by y, a and b."""
    forward = {name for name, _ in layout.subject.aliases}
    plain = {normal(name): name for name in sorted(forward)}
    out: dict[str, Family] = defaultdict(lambda: defaultdict(list))
    for unit in layout.subject.units:
        for match in filter(None, (family.match(unit.name) for family in _FAMILY)):
            bottom = match["bottom"] if match["bottom"] in forward else plain.get(normal(match["bottom"]), "")
            if bottom and normal(match["stem"]) not in plain:
                out[match["stem"]][bottom].append(unit)
                break
    return {stem: family for stem, family in out.items() if len(family) > 1}


def _bottoms(family: Family, layout: Layout) -> dict[str, list[int]]:
    """The steps that a name of the forward pass was given, one after the other."""
    return {name: steps for name, steps in _rounds(layout.subject).items() if name in family}


def _rounds(subject: Subject) -> dict[str, list[int]]:
    """The same of all names. What a library solved for was given one value after the other as well, without a name."""
    out: dict[str, list[int]] = defaultdict(list)
    for name, i in subject.aliases:
        out[name].append(i)
    for steps in out.values():
        if len(steps) == 1:
            steps[:0] = _newton(subject, steps[0])
    return out


def _newton(subject: Subject, root: int) -> list[int]:
    """The values that a root had before, where it was found by Newton's method, in one place of the text."""
    rows, out = subject.graph.steps, list[int]()
    i = original(subject.graph, root)
    while sign_of(rows[i].op) == "-" and sign_of(rows[rows[i].inputs[1]].op) == "/":
        before = rows[i].inputs[0]
        if rows[before].span != rows[i].span:
            return []
        out.insert(0, before)
        i = before
    return out if rows[i].is_input and len(out) >= MANY else []


def _of_family(
    family: Family, bottoms: Mapping[str, list[int]], layout: Layout, known: Known
) -> dict[int, Quantity]:
    """Of the step that most of a family are partial derivatives of, those of all of it: of several such steps the one
    by whose partial derivatives most of what is made of them is right."""
    truth, loss = layout.truth, layout.subject.loss
    # What is solved for has a value after each round, and may have a partial derivative under any name.
    rounds = _rounds(layout.subject)
    ended = {n for n, s in rounds.items() if len(s) > MANY and is_near(truth.values[s[-2]], truth.values[s[-1]])}
    among = (s for n, s in rounds.items() if n in ended or (n in bottoms and len(s) > 1))
    solved = {i for steps in among for i in steps}
    if not solved:
        return {}
    frozen = {i for name in bottoms for i in bottoms[name]} | {i for i in solved if not layout.graph.steps[i].is_const}
    found: tuple[int, dict[int, Quantity]] = (0, {})
    tops = ((False, held_fixed(truth, top, frozen)) for top in _candidates(truth, loss, frozen))
    ends = ((True, p) for p in _of_fixed_points(truth, [rounds[n] for n in ended if n in family], frozen))
    for is_solved, partials in chain(tops, ends):
        held = {
            name: next((partials[i] for i in reversed(steps) if i in partials), None) for name, steps in bottoms.items()
        }
        if any(held[name] is None for name in family):
            continue
        wanted = {u.step: v for name, units in family.items() for u in units[-1:] if (v := held[name]) is not None}
        fits = {i: v for i, v in wanted.items() if layout.actual(i).same(v)}
        telling = [i for i, v in fits.items() if v.constant() is None]
        # Two wrong ones of three leave one, which no accident makes right at random points.
        enough = telling and len(fits) * 3 >= len(wanted) and len(wanted) > 1
        if not (enough or is_solved):
            continue
        made = _made_right(wanted, layout, known)
        # Where a value is wrong that all of them are made of, none is right, and only what they would make tells that.
        # What they make says more: a part of F, exp(y)*x of y + exp(y)*x, has those of F in which a term was forgotten.
        if (enough or made > 1) and len(fits) + 2 * made > found[0]:
            found = len(fits) + 2 * made, {i: Quantity("helper", -1, -1, v) for i, v in wanted.items()}
    return found[1]


def _made_right(wanted: Mapping[int, Vec], layout: Layout, known: Known) -> int:
    """How many of the assignments that use some are a derivative if those have the values that are wanted."""
    replay = Replay(layout)
    uses = {k for i in wanted for k in layout.dependents(i)} - wanted.keys()
    with precision(BITS):
        for i, vec in wanted.items():
            replay.overrides[i] = vec
        values = [replay.corrected(k) for k in sorted(uses)]
    derivatives = ("tangent", "cotangent")
    return sum(v.constant() is None and any(q.kind in derivatives for q in known.right(v)) for v in values)


def _candidates(truth: Truth, loss: int, frozen: Collection[int]) -> Iterator[int]:
    """The steps of the forward pass, the last ones first."""
    n = 0
    for top in sorted(truth.elementary, reverse=True):
        if top <= loss and top not in frozen:
            yield top
            n += 1
        if n >= MOST:
            return


def _of_fixed_points(
    truth: Truth, solved: Sequence[Sequence[int]], frozen: Collection[int]
) -> Iterator[dict[int, Vec]]:
    """Of ``x = phi(x, a)``, iterated until it holds: the partial derivatives of x - phi(x, a), and of its negative."""
    one = constant(1, truth.points)
    for steps in solved:
        partials = held_fixed(truth, steps[-1], {i for i in frozen if i != steps[-1]})
        if steps[-2] in partials:
            with precision(BITS):
                yield {i: one - v if i == steps[-2] else -v for i, v in partials.items()}
                yield {i: v - one if i == steps[-2] else v for i, v in partials.items()}


__all__ = ["converged", "is_near", "residuals"]
