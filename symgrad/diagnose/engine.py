"""From a subject to findings: points, truth, the search for the mistakes, words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from symgrad.diagnose import frames, truncation
from symgrad.diagnose.analogies import analogies
from symgrad.diagnose.blame import Walk
from symgrad.diagnose.branches import branches, keep
from symgrad.diagnose.evidence import guesses, is_strong, scaled
from symgrad.diagnose.frames import Blame
from symgrad.diagnose.joined import joined
from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import is_bare, normal
from symgrad.diagnose.outcomes import results
from symgrad.diagnose.places import Repair
from symgrad.diagnose.quiet import quiet
from symgrad.diagnose.reading import Reading
from symgrad.diagnose.renaming import with_own_steps
from symgrad.diagnose.replay import Budget, Layout, Result
from symgrad.diagnose.residuals import converged, is_near, residuals
from symgrad.diagnose.search import Search
from symgrad.diagnose.source import SourceMap
from symgrad.diagnose.stepping import stepping
from symgrad.diagnose.strides import strides
from symgrad.diagnose.subject import BITS, Subject, Unit, forward_values, sample_points
from symgrad.diagnose.through import deferred
from symgrad.diagnose.truth import Quantity, Truth
from symgrad.diagnose.unchecked import not_checked
from symgrad.diagnose.unfinished import Unfinished
from symgrad.diagnose.updates import updates
from symgrad.diagnose.vectors import Vec, constant
from symgrad.diagnose.verdicts import Root, Verdicts
from symgrad.diagnose.wording import Wording
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: How far random points lie from the user's, tried in this order until the forward pass has values at all of them.
RADII = (0.4, 0.1, 0.02, 0.002)
#: Under what name a subject keeps what was prepared for it.
_PREPARED = "prepared"
#: What is a mistake by weak evidence only needs a repair that is no dearer than this.
WEAK = 2.0

#: What a later line may put right.
LATER = ("sign", "scale", "missing-term", "missing-factor", "wrong-shape", "missing-reduction")

#: ... where there are arrays: near enough that the code would seldom take another path.
SHAPED_RADII = (0.05, 0.005, 0.0005)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found out about a manual derivative.

    Attributes:
        blames: the independent mistakes, in the order of their lines.
        right: assignments that are right; ``inherited``: wrong only because of an earlier one.
        notes: things to know that are no mistakes.
        conventions: deliberate differences that the results allow: a negative gradient, a deferred factor.
        unchecked: assignments that may be derivatives, and were not recognised.
        subject: what was judged, whose steps these are: names of one array may have been told apart.
        left: what to blame for a result that is plainly wrong, where no other reading of the run explains it.
    """

    blames: tuple[Blame, ...]
    right: tuple[Unit, ...]
    inherited: tuple[Unit, ...]
    notes: tuple[str, ...]
    conventions: tuple[str, ...] = ()
    unchecked: tuple[Unit, ...] = ()
    subject: Subject | None = None
    left: tuple[Blame, ...] = ()

    @property
    def understood(self) -> int:
        """How many assignments were recognised as some derivative, right or not."""
        return len(self.right) + len(self.inherited) + len(self.blames)


@dataclass(slots=True)
class Prepared:
    """What is worked out once for a subject, for all who walk over it.

    Attributes:
        moves: what is made of the gradients, once they are there.
        walk: the walk in which every line is under suspicion, where it was done.
    """

    truth: Truth
    known: Known
    layout: Layout
    reading: Reading
    moves: Collection[Unit]
    walk: Walk | None = None


@quiet()
def prepare(subject: Subject) -> Prepared | None:
    """The truth at points where the forward pass has values, and what it is compared by; ``None`` where it has none."""
    if _PREPARED not in subject.memo:
        truth = _truth(subject)
        if truth is None:
            subject.memo[_PREPARED] = None
            return None
        known, layout = Known(truth), Layout(subject, truth)
        reading = Reading(subject, truth, analogies(layout, known) | guesses(layout, known))
        index_tangents(subject, truth, known, reading)
        moved = strides(layout, reading)
        layout.aside = {**residuals(layout), **joined(layout), **moved}
        layout.moved = {i: q.vec for i, q in moved.items()}
        reading.leave({u.name for u in subject.units if u.step in layout.aside})
        subject.memo[_PREPARED] = Prepared(truth, known, layout, reading, updates(layout, reading))
    found: Prepared | None = subject.memo[_PREPARED]
    return found


def forget(subject: Subject) -> None:
    """Let go of what was worked out: of a long loop it takes much memory."""
    subject.memo.pop(_PREPARED, None)


def _truth(subject: Subject) -> Truth | None:
    shapes = subject.graph.steps
    integers = [i for i in subject.leaves() if not shapes[i].shape and subject.point[i].denominator == 1]
    solved, chosen, spare = [] if subject.is_shaped else converged(subject), branches(subject), None
    for frozen in ((), integers):
        for radius in SHAPED_RADII if subject.is_shaped else RADII:
            points = sample_points(subject, radius, frozen)
            values = forward_values(subject, points)
            loss = values[subject.loss]
            if loss is None or not all(math.isfinite(x) for x in loss.floats[1:]):
                continue
            kept = keep(subject, chosen, points) and all(is_near(values[i], values[j]) for i, j in solved)
            if not kept and spare is not None:
                continue
            truth = Truth(subject, points, values)
            if all(v.usable for v in truth.cotangents.values()):
                if kept:
                    return truth
                spare = spare or truth
    return spare


@quiet()
def diagnose(subject: Subject, *, brief: bool = False) -> Diagnosis:
    """Find every independent mistake in the manual part of a subject.

    ``brief``: of arrays it is only asked whether there is any, and not what would put it right.
    """
    prepared = prepare(subject)
    if prepared is None:
        return Diagnosis((), (), (), ("the forward pass has no finite value near the given point: nothing was judged",))
    truth, known, layout, reading = prepared.truth, prepared.known, prepared.layout, prepared.reading
    layout.budget = Budget()
    if (renamed := with_own_steps(layout, reading)) is not None:
        return diagnose(renamed, brief=brief)
    search = Search(layout, known, reading, prepared.moves, None if subject.is_shaped else prepared.walk)
    prepared.walk = None  # what comes of it is changed from here on
    walk = search.glance() if brief and subject.is_shaped else search.run()
    verdicts = walk.out
    roots = verdicts.roots
    verdicts.roots, remark = _believed(roots, walk, search.results)
    if roots and not verdicts.roots and not walk.brief and not subject.is_shaped:
        # Nothing shows in a result, so nothing is put right: what follows is judged as it stands.
        walk = Walk(layout, known, reading, (), moves=search.moves)
        verdicts = walk.run()
    elif roots and not verdicts.roots:
        # The same of arrays: results are right as they stand, and were put off by what was put right before them.
        fine = {r.unit.step: r.unit for r in search.results if r.is_right(r.actual)}
        fine |= {u.step: u for u in verdicts.right}
        verdicts.right = [fine[i] for i in sorted(fine)]
        verdicts.inherited = [u for u in verdicts.inherited if u.step not in fine]
    verdicts.roots, doubtful, left = _explained(
        verdicts.roots, layout, reading, verdicts.right, bool(walk.given), walk.settled
    )
    verdicts.roots, truncated = truncation.told(verdicts.roots, walk, truth)
    wording = Wording(subject, truth, verdicts.meaning, layout.variable)
    wording.deferred = (lambda: deferred(layout)) if subject.is_shaped else None
    source = SourceMap(subject.source)
    steps, told = stepping(walk, source)
    verdicts.roots = sorted((*verdicts.roots, *steps), key=lambda r: r.unit.step)
    found = []
    for root in verdicts.roots:
        found.extend(frames.blames(root, subject, truth, walk, wording, source))
    blames = _attribute(_distinct(found), verdicts)
    open_blames = [b for root in left for b in frames.blames(root, subject, truth, walk, wording, source)]
    if not remark and not verdicts.roots and not verdicts.right:
        remark = _scaled_remark(layout)
    notes = [_literal_note(unit, repair, wording) for unit, repair in verdicts.literal]
    if not verdicts.roots:
        notes += [_misnamed_note(unit, verdicts.meaning[unit.step], wording) for unit in verdicts.misnamed]
    notes += [*truncated, *told]
    notes += _seed_note(subject, truth, layout)
    notes += [f"line {u.line}: {u.name} is clipped here: a deliberate difference" for u in verdicts.limited]
    return Diagnosis(
        tuple(blames),
        tuple(verdicts.right),
        tuple(verdicts.inherited),
        tuple(dict.fromkeys(notes)),
        tuple(dict.fromkeys(text for text in (subject.convention, remark) if text)),
        tuple(sorted((*not_checked(walk), *doubtful), key=lambda u: u.step)),
        subject,
        tuple(_attribute(_distinct(open_blames), verdicts)),
    )


@quiet()
def glance(subject: Subject) -> Diagnosis:
    """What of a derivation is right as it stands; mistakes are not looked for."""
    p = prepare(subject)
    if p is None:
        return Diagnosis((), (), (), ())
    out = Walk(p.layout, p.known, p.reading, (), moves=p.moves, brief=True).run()
    return Diagnosis((), tuple(out.right), (), ())


@quiet()
def standing(subject: Subject) -> tuple[int, int]:
    """How many results that names tell are right, and how many there are: what is quick to find out."""
    p = prepare(subject)
    if p is None:
        return 0, 0
    found = results(p.layout, p.reading, p.moves)
    return sum(r.is_right(r.actual) for r in found), len(found)


def is_refuted(subject: Subject) -> bool:
    """Some result that a name tells is wrong: quick to find out where many texts are tried."""
    found = _told(subject)
    return found is None or not all(r.is_right(r.actual) for r in found)


def is_settled(subject: Subject) -> bool:
    """All results that names tell are right: what is quick to find out, and enough where nothing else was wrong."""
    found = _told(subject)
    return bool(found) and all(r.is_right(r.actual) for r in found or ())


def _told(subject: Subject) -> list[Result] | None:
    """The results that names tell; ``None`` where the forward pass has no values."""
    prepared = _truth(subject)
    if prepared is None:
        return None
    layout = Layout(subject, prepared)
    reading = Reading(subject, prepared)
    return results(layout, reading, updates(layout, reading))


def index_tangents(subject: Subject, truth: Truth, known: Known, reading: Reading) -> None:
    """Forward-mode values are indexed for the variables that some name differentiates by."""
    for name in {unit.name: None for unit in subject.units}:
        for top, bottom in reading.pairs(name):
            if top != subject.loss and (vec := truth.segment(top, bottom)) is not None:
                known.add(Quantity("tangent", top, bottom, vec))
    for leaf in reading.carried:
        known.add_tangents(leaf)


def _believed(roots: list[Root], walk: Walk, finals: Sequence[Result]) -> tuple[list[Root], str]:
    """The roots that show in a result, and a remark where what looked wrong does not.

    Results decide. A line that is off by a factor which a later line puts right (a deferred 1/N), or that is merely
    unlike any derivative, is no mistake if every result that it feeds is right. And where every result is the negative
    of the true one, that is a convention.
    """
    layout = walk.layout
    if walk.subject.is_shaped:
        # What is, as it stands, all that its name says is no mistake: something before it was taken for another thing.
        roots = [r for r in roots if r.unit.step in walk.given or not _is_as_named(r, walk)]
    if not finals or not roots:
        return roots, ""
    wrong = [r for r in finals if not r.is_right(r.actual)]
    results = {r.unit.step for r in finals}
    # What feeds no result that has a name is judged by its own value.
    apart = [r for r in roots if not layout.feeds(r.unit.step, results)]
    if not wrong and walk.subject.is_shaped:
        # One text is not right in one round and wrong in the next: the derivative by a state that starts as zeros.
        fine = {(u.span, u.name) for u in walk.out.right}
        apart = [r for r in apart if r.found.usable and (r.unit.span, r.unit.name) not in fine]
    if not wrong and apart:
        return apart, ""
    if not wrong:
        scaled = {
            r.unit.line
            for r in roots
            if r.unit.step not in results and _is_scale(r.found / r.target.vec, layout)
        }
        lines = ", ".join(str(n) for n in sorted(scaled))
        return [], f"line {lines}: off by a constant factor, and every result that uses it is right" if scaled else ""
    negative = len(wrong) == len(finals) and all(r.is_right(-r.actual) for r in wrong)
    if negative and _ascends(walk.subject):
        return [], "every result is the negative of the gradient: a convention of descent directions, and right as that"
    targets = {r.unit.step for r in wrong}
    well = {r.unit.step for r in finals} - targets
    if walk.subject.is_shaped and not walk.given and len(roots) > 1:
        # Off by a factor that a later line puts right, as a right result shows.
        deferred = [
            r for r in roots
            if r.unit.step not in targets and layout.feeds(r.unit.step, well)
            and r.found.shape == r.target.vec.shape and _is_scale(r.found / r.target.vec, layout)
        ]  # fmt: skip
        roots = [r for r in roots if r not in deferred] or roots
    kept = [r for r in roots if r in apart or layout.feeds(r.unit.step, targets)]
    # Two mistakes may cancel in one result; what stands below a mistake is judged by its own value.
    return [r for r in roots if r in kept or any(layout.feeds(k.unit.step, {r.unit.step}) for k in kept)], ""


def _is_scale(ratio: Vec, layout: Layout) -> bool:
    """A number, or a count among the inputs: the m of a mean over m samples."""
    if ratio.constant() is not None:
        return True
    truth, point = layout.truth, layout.subject.point
    with precision(BITS):
        inverse = constant(1, truth.points) / ratio
    return any(
        isinstance(n := point[i], Fraction) and n.denominator == 1 and (v := truth.values[i]) is not None
        and (ratio.same(v) or inverse.same(v))
        for i in truth.leaves
    )  # fmt: skip


def _explained(
    roots: Sequence[Root], layout: Layout, reading: Reading, fine: Sequence[Unit], given: bool, settled: int
) -> tuple[list[Root], list[Unit], list[Root]]:
    """The roots that are mistakes, and assignments of which only weak evidence said what they should be, and which no
    change makes that: they were not understood. Last those of the latter that a result is plainly wrong by, if nothing
    else is a mistake.

    ``given``: changes of the text are known under which all is right; ``settled``: so many results, that were wrong.
    """
    kept: list[Root] = []
    doubtful: list[Unit] = []
    open_roots: list[Root] = []
    unfinished = Unfinished(layout.subject)
    right = {unit.name: unit.step for unit in reversed(fine)}
    for told in roots:
        root = told
        if not root.repairs and layout.graph.steps[root.unit.step].is_leaf:
            # What a function returns was left as it is inside, under the same name.
            mine = (u for u in layout.units_at.get(root.unit.step, ()) if u.name == root.unit.name)
            root = replace(root, unit=next(mine, root.unit), lines=frozenset())
        elif layout.subject.is_shaped and (inner := _inside(root, layout)) is not None:
            repairs = tuple(replace(r, span=None) for r in root.repairs)
            root = replace(root, unit=inner, lines=frozenset((inner.line,)), repairs=repairs)
        name = told.unit.name
        if _is_data(root.unit, layout):
            doubtful.append(root.unit)
            continue
        before = right.get(name, root.unit.step)
        again = layout.subject.is_shaped and not root.repairs and before < root.unit.step
        if again and (layout.children[before] or not _is_plain_result(root.unit, layout, reading)):
            # What is under this name once more, made in another way, and no slip away from right: of something else.
            # But what stands in the place of a result that nobody has used by then is that result.
            doubtful.append(root.unit)
            continue
        found = root.repairs and given  # the change makes all wrong results right
        passing = _is_filled(root.unit, layout) or _ends_well(root.unit, layout, reading)
        if layout.subject.is_shaped and passing and not found:
            continue
        weak = name in reading.guessed and not is_strong(name, layout)
        if layout.subject.is_shaped and not root.repairs:
            # An array that no change puts right, under a name that says little: more likely it was misread.
            ends = layout.original(layout.last[name].step) == layout.original(root.unit.step)
            turned = root.found.shape != root.target.vec.shape and root.found.alike(root.target.vec)
            weak = weak or is_bare(name) or not reading.is_exact(name) or not ends
            weak = weak or ":" in name  # a slice: what is in the rest is another line's
            # The right entries in another shape are no accident, nor is what is left at zero in a run that ended.
            weak = weak and not turned and not _is_plain_result(root.unit, layout, reading)
            weak = weak and not _is_left_at_zero(root.unit, layout, reading, given)
        # What was still to come may have put it right: the terms that are missing, a factor, a convention of signs.
        later = not reading.is_exact(name) or not any(r.mistake not in LATER for r in root.repairs)
        if root.unit in unfinished or (later and layout.subject.stopped and layout.subject.is_shaped):
            doubtful.append(root.unit)
            continue
        # What one line alone makes right of several gradients, it was to be, whatever it is called.
        shown = found and settled > 1
        if weak and not shown and root.unit.step not in layout.aside and (not root.repairs or root.cost > WEAK):
            doubtful.append(root.unit)
            if not root.repairs:
                open_roots.append(root)
        else:
            kept.append(root)
    wrong = _wrong_results(layout, reading) if open_roots and not kept else []
    return kept, doubtful, [r for r in open_roots if any(layout.feeds(r.unit.step, {i}) for i in wrong)]


def _wrong_results(layout: Layout, reading: Reading) -> list[int]:
    """What is there in the end under the plain name of a gradient by an input, and is not that, nor nearly so."""
    out = []
    for unit in layout.last.values() if layout.subject.is_shaped else ():
        actual = layout.actual(unit.step)
        if _is_plain_result(unit, layout, reading) and not actual.is_zero:
            rights = reading.rights(unit.name)
            if not any(actual.alike(r) or (actual / r).constant() is not None for r in rights):
                out.append(unit.step)
    return out


def _inside(root: Root, layout: Layout) -> Unit | None:
    """``loss, dU = f(...)``: where the function works out what the line only gets."""
    unit = root.unit
    step = layout.graph.steps[unit.step]
    if any(r.span is not None and r.span.line != unit.span.line for r in root.repairs):
        return None  # it is known where the mistake is
    if step.is_leaf or not OPS[step.op].renames or unit.augmented:
        return None
    made = layout.original(unit.step)
    call = layout.subject.callers.get(made)
    if call is None or call.line != unit.span.line or layout.is_forward(made):
        return None
    mine = [u for u in layout.units_at.get(made, ()) if u.line != unit.line]
    return mine[-1] if mine else None


def _is_data(unit: Unit, layout: Layout) -> bool:
    """An array of given numbers: no derivative that was worked out wrongly, whatever it is called."""
    step = layout.graph.steps[unit.step]
    value = layout.subject.point.get(unit.step)
    return step.is_input and bool(step.shape) and value is not None and bool((value != value.flat[0]).any())


def _ends_well(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What the name holds in the end is what it says, so this was on the way there."""
    last = layout.last[unit.name]
    if last is unit:
        return False
    actual = layout.actual(last.step)
    return not actual.is_zero and any(actual.same(right) for right in reading.rights(unit.name))


def _is_plain_result(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What is there in the end as dx, where x is an input and the run came to its end: no cotangent on the way."""
    name, subject = unit.name, layout.subject
    inputs = {normal(subject.names[i]) for i in layout.truth.leaves if i in subject.names and i not in subject.frozen}
    if subject.stopped or name in reading.guessed or not name.isidentifier() or not reading.is_exact(name):
        return False
    ends = layout.original(layout.last[name].step) == layout.original(unit.step)
    spelled = name[:1] == "d" and normal(name[1:]) in inputs
    last = layout.original(layout.last[name].step)
    used = any(layout.original(i) != last for i in layout.dependents(layout.last[name].step))
    return ends and spelled and reading.by_inputs(name) and not used


def _is_left_at_zero(unit: Unit, layout: Layout, reading: Reading, given: bool) -> bool:
    """A result that nothing was put into, in a derivation that was gone through: others of its results are right, or
    are so with changes that are known (``given``)."""
    if layout.subject.stopped or not layout.actual(unit.step).is_zero or unit.step < layout.subject.loss:
        return False
    pairs = reading.pairs(unit.name)
    if len(pairs) != 1 or not reading.by_inputs(unit.name) or layout.dependents(unit.step):
        return False
    mine = (u for u in layout.by_name[unit.name] if layout.original(u.step) == layout.original(unit.step))
    if layout.last[unit.name] not in mine:
        return False
    others = (u for u in layout.last.values() if reading.by_inputs(u.name) and reading.pairs(u.name) != pairs)
    found = ((layout.actual(u.step), u.name) for u in others)
    return given or any(not a.is_zero and any(map(a.same, reading.rights(name))) for a, name in found)


def _is_filled(unit: Unit, layout: Layout) -> bool:
    """An array of zeros that gets its entries later: ``dC = zeros_like(C)``, and then ``dC[i] += ...``."""
    if not layout.actual(unit.step).is_zero:
        return False
    stem = _array_of(unit.name)
    later = (u for u in layout.subject.units if u.step > unit.step and _array_of(u.name) == stem)
    return any(not layout.actual(u.step).is_zero for u in later)


def _array_of(name: str) -> str:
    """The array that an entry is of; an entry of a dictionary is an array of its own."""
    return name if '["' in name else name.split("[", maxsplit=1)[0]


def _is_as_named(root: Root, walk: Walk) -> bool:
    actual = walk.layout.actual(root.unit.step)
    return not actual.is_zero and any(actual.same(right) for right in walk.reading.rights(root.unit.name))


def _ascends(subject: Subject) -> bool:
    """A parameter is moved by ``+=``: what is added to it is meant to be the negative gradient."""
    parameters = {subject.names[i] for i in subject.leaves() if i in subject.names}
    return any(unit.augmented == "+=" and unit.name in parameters for unit in subject.units)


def _scaled_remark(layout: Layout) -> str:
    """Where nothing else is said of a derivation, that what moves the parameters is their gradient but for a factor."""
    found = {u.line: (u.name, f) for u, f in scaled(layout) if f not in (1.0, -1.0)}
    said = [f"line {line}: {name} is the gradient times {f:.6g}" for line, (name, f) in found.items()]
    return "; ".join(said) + ": a constant factor, which a learning rate makes up for" if said else ""


def _seed_note(subject: Subject, truth: Truth, layout: Layout) -> list[str]:
    """The derivation begins with a gradient that is not 1: that is said, since it may as well be a slip."""
    name = subject.names.get(subject.loss, "")
    if subject.seed == 1 or subject.convention or subject.is_shaped:
        return []
    given = (u for u in subject.units if layout.actual(u.step).same(truth.cotangents[subject.loss]))
    first = next(given, None)
    if first is None or not subject.graph.steps[layout.original(first.step)].is_leaf:
        return []
    return [
        f"line {first.line}: {first.name} = {float(subject.seed):g} is taken as the gradient that arrives at {name}; "
        f"if {name} is all that is differentiated, it is 1"
    ]


def _literal_note(unit: Unit, repair: Repair, wording: Wording) -> str:
    name = wording.quantity(repair.quantity, repair.place.node) if repair.quantity else "a variable"
    return (
        f"line {unit.line}: a number stands where {name} does in the forward pass; right while {name} keeps its value"
    )


def _misnamed_note(unit: Unit, meaning: Quantity, wording: Wording) -> str:
    top = meaning.top if meaning.top >= 0 else wording.subject.loss
    held = wording.factor(top, meaning.bottom) if meaning.kind != "sum" else "a part of a gradient"
    return f"line {unit.line}: {unit.name} holds {held}, not what its name says; every result that uses it is right"


def _distinct(blames: list[Blame]) -> list[Blame]:
    seen: dict[tuple[int, int, int, int], Blame] = {}
    for b in blames:
        key = (b.span.line, b.span.column, b.span.end_line, b.span.end_column)
        if key not in seen:
            seen[key] = b
    return sorted(seen.values(), key=lambda b: (b.span.line, b.span.column))


def _attribute(blames: list[Blame], verdicts: Verdicts) -> list[Blame]:
    """The lines that are wrong only by inheritance are listed once, with the last root before them."""
    lines = sorted({u.line for u in verdicts.inherited} - {b.span.line for b in blames})
    if not blames:
        return blames
    owner: dict[int, list[int]] = {}
    for line in lines:
        before = [n for n, b in enumerate(blames) if b.span.line < line]
        owner.setdefault(before[-1] if before else 0, []).append(line)
    return [replace(b, inherited=tuple(owner.get(n, ()))) for n, b in enumerate(blames)]
