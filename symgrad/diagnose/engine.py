"""From a subject to findings: points, truth, the search for the mistakes, words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symgrad.diagnose.deciding import truncation
from symgrad.diagnose.deciding.believing import believed, explained
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.deciding.search import Search
from symgrad.diagnose.deciding.stepping import stepping
from symgrad.diagnose.deciding.unchecked import not_checked
from symgrad.diagnose.deciding.unmoved import still_zero
from symgrad.diagnose.meaning.clipping import clipped_note, unclipped
from symgrad.diagnose.meaning.renaming import with_own_steps
from symgrad.diagnose.observing.replay import Budget
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.telling import frames
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.telling.remarks import literal_note, misnamed_note, scaled_remark, seed_note
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Verdicts
from symgrad.diagnose.words.through import deferred
from symgrad.diagnose.words.wording import Wording


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
    if (free := unclipped(layout, reading)) is not None:
        found_out = diagnose(free[0], brief=brief)
        return replace(found_out, notes=(*found_out.notes, *free[1]))
    search = Search(layout, known, reading, prepared.moves, None if subject.is_shaped else prepared.walk)
    prepared.walk = None  # what comes of it is changed from here on
    walk = search.glance() if brief and subject.is_shaped else search.run()
    verdicts = walk.out
    roots = verdicts.roots
    verdicts.roots, remark = believed(roots, walk, search.results)
    if roots and not verdicts.roots and not walk.brief and not subject.is_shaped:
        # Nothing shows in a result, so nothing is put right: what follows is judged as it stands.
        walk = Walk(layout, known, reading, (), moves=search.moves)
        verdicts = walk.run()
    elif roots and not verdicts.roots:
        # The same of arrays: results are right as they stand, and were put off by what was put right before them.
        fine = {r.unit.step: r.unit for r in search.results if r.is_right(r.actual)}
        fine |= {u.step: u for u in verdicts.right}
        verdicts.right = [fine[i] for i in sorted(fine)]
        verdicts.inherited = []  # there is nothing that they could be wrong because of
    given = bool(walk.given)
    verdicts.roots, doubtful, left = explained(verdicts.roots, layout, reading, verdicts.right, given, walk.settled)
    verdicts.roots, truncated = truncation.told(verdicts.roots, walk, truth)
    wording = Wording(subject, truth, verdicts.meaning, layout.variable)
    wording.deferred = (lambda: deferred(layout)) if subject.is_shaped else None
    source = source_map(subject.source)
    steps, told = stepping(walk, source)
    for root, unit in still_zero(walk):
        steps.append(root)
        verdicts.right = [u for u in verdicts.right if u != unit]
        verdicts.inherited.append(unit)
    verdicts.roots = sorted((*verdicts.roots, *steps), key=lambda r: r.unit.step)
    found = []
    for root in verdicts.roots:
        found.extend(frames.blames(root, subject, truth, walk, wording, source))
    blames = _attribute(_distinct(found), verdicts)
    open_blames = [b for root in left for b in frames.blames(root, subject, truth, walk, wording, source)]
    if not remark and not verdicts.roots and not verdicts.right and (subject.sure or subject.made_up):
        remark = scaled_remark(layout)  # of any other a state that goes on, x += dt*v, may be its multiple by chance
    notes = [literal_note(unit, repair, wording) for unit, repair in verdicts.literal]
    if not verdicts.roots:
        # dh[h <= 0] = 0: everybody keeps the name of what is changed in place.
        others = [u for u in verdicts.misnamed if u.previous < 0]
        notes += [misnamed_note(unit, verdicts.meaning[unit.step], wording) for unit in others]
    notes += [*truncated, *told]
    notes += seed_note(subject, truth, layout)
    if not (verdicts.roots or remark or subject.convention or truncated or told or verdicts.limited):
        # Wrong because of what was not believed: then nothing is known about them.
        held = {u.place for u in doubtful}
        doubtful = [*doubtful, *{u.place: u for u in verdicts.inherited if u.place not in held}.values()]
        verdicts.inherited = []
    clipped = sorted((*verdicts.limited, *prepared.limited), key=lambda u: u.step)
    notes += map(clipped_note, clipped)
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


def _distinct(blames: list[Blame]) -> list[Blame]:
    seen: dict[tuple[int, int, int, int], Blame] = {}
    for b in blames:
        key = (b.span.line, b.span.column, b.span.end_line, b.span.end_column)
        # Of several names that one line sets, the one for which it is known which line is missing.
        if key not in seen or (b.fix and b.mistake == "never-assigned" != seen[key].mistake):
            seen[key] = b
    # That an entry is nothing that can be told is said by what puts its line right.
    fixed = {b.span.line for b in seen.values() if b.fix}
    kept = [b for b in seen.values() if b.fix or b.mistake != "unknown" or b.span.line not in fixed]
    return sorted(kept, key=lambda b: (b.span.line, b.span.column))


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
