"""What of the mistakes that a walk found is believed: results decide, and weak evidence accuses nobody alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.meaning.evidence import is_strong
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.meaning.unfinished import Unfinished
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import claims, is_bare, is_generic, is_kept, is_plain, key_of, normal
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Root
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: What is a mistake by weak evidence only needs a repair that is no dearer than this.
WEAK = 2.0
#: ... or than this, where it is written out.
WRITTEN = 3.5
#: What a later line may put right.
LATER = ("sign", "scale", "missing-term", "missing-factor", "wrong-shape", "missing-reduction")


def believed(roots: list[Root], walk: Walk, finals: Sequence[Result]) -> tuple[list[Root], str]:
    """The roots that show in a result, and a remark where what looked wrong does not.

    Results decide. A line that is off by a factor which a later line puts right (a deferred 1/N), or that is merely
    unlike any derivative, is no mistake if every result that it feeds is right. And where every result is the negative
    of the true one, that is a convention.
    """
    layout = walk.layout
    if walk.subject.is_shaped:
        # What is, as it stands, all that its name says is no mistake: something before it was taken for another thing.
        wrong_ones = {r.unit.step for r in finals if not r.is_right(r.actual)}
        others = [r for r in roots if r.unit.step in walk.given or not _is_as_named(r, walk)]
        # But where nothing else is wrong, and results are: it is so in another round than where it belongs.
        roots = others or [r for r in roots if layout.feeds(r.unit.step, wrong_ones)]
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
    if negative and _ascends(layout, {r.unit.step for r in wrong}):
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


def explained(
    roots: Sequence[Root], layout: Layout, reading: Reading, fine: Sequence[Unit], given: bool, settled: int
) -> tuple[list[Root], list[Unit], list[Root]]:
    """The roots that are mistakes, and assignments of which only weak evidence said what they should be, and which no
    change makes that: they were not understood. Last those of the latter that a result is plainly wrong by, if nothing
    else is a mistake.

    ``given``: changes of the text are known under which all is right; ``settled``: so many results, that were wrong.
    """
    kept: list[Root] = []
    doubtful: list[Unit] = []
    unfit: list[Root] = []
    unfinished = Unfinished(layout.subject)
    right = {unit.name: unit.step for unit in reversed(fine)}
    moving = _wrongly_moved(layout, reading)
    # Of what the script handed over as a derivative, or --map says, it is known what it is to be.
    told_of = {layout.original(u.step) for u in layout.subject.units if u.name in layout.subject.mapped}
    for told in roots:
        root = told
        if not root.repairs and layout.graph.steps[root.unit.step].is_leaf:
            # What a function returns was left as it is inside, under the same name.
            mine = (u for u in layout.units_at.get(root.unit.step, ()) if u.name == root.unit.name)
            root = replace(root, unit=next(mine, root.unit), lines=frozenset())
        elif layout.subject.is_shaped and (inner := _inside(root, layout, reading)) is not None:
            repairs = tuple(replace(r, span=None) for r in root.repairs)
            root = replace(root, unit=inner, lines=frozenset((inner.line,)), repairs=repairs)
        name = told.unit.name
        if _is_data(root.unit, layout):
            doubtful.append(root.unit)
            continue
        before = right.get(name, root.unit.step)
        again = layout.subject.is_shaped and not root.repairs and before < root.unit.step
        again = again and root.unit.step not in moving and root.unit.step not in {*reading.own, *layout.aside}
        # What goes on being added to is one and the same.
        again = again and not ((name, before) in layout.continued and _is_sum_of_a_result(root.unit, layout, reading))
        if again and (layout.children[before] or not _is_plain_result(root.unit, layout, reading)):
            # What is under this name once more, made in another way, and no slip away from right: of something else.
            # But what stands in the place of a result that nobody has used by then is that result.
            doubtful.append(root.unit)
            continue
        found = root.repairs and given  # the change makes all wrong results right
        passing = _is_filled(root.unit, layout) or _ends_well(root.unit, layout, reading)
        if layout.subject.is_shaped and passing and not found:
            continue
        # What a name itself says of a gradient is no guess, if a parameter is moved by it as well.
        weak = name in reading.guessed and not is_strong(name, layout) and not _says_itself(name, reading)
        if layout.subject.is_shaped and not root.repairs:
            # An array that no change puts right, under a name that says little: more likely it was misread.
            own = root.unit.step in reading.own
            ends = own or layout.original(layout.last[name].step) == layout.original(root.unit.step)
            turned = root.found.shape != root.target.vec.shape and root.found.alike(root.target.vec)
            weak = weak or is_bare(name) or not (own or reading.is_exact(name)) or not ends
            weak = weak or ":" in name  # a slice: what is in the rest is another line's
            # The right entries in another shape are no accident, nor is what is left at zero in a run that ended.
            weak = weak and not turned and not _is_plain_result(root.unit, layout, reading)
            weak = weak and not _is_left_at_zero(root.unit, layout, reading, given)
        weak = weak and layout.original(root.unit.step) not in told_of
        # What was still to come may have put it right: the terms that are missing, a factor, a convention of signs.
        later = not reading.is_exact(name) or not any(r.mistake not in LATER for r in root.repairs)
        later = later and not _cannot_become(root)
        if root.unit in unfinished or (later and layout.subject.stopped and layout.subject.is_shaped):
            doubtful.append(root.unit)
            continue
        # What one line alone makes right of several gradients, it was to be, whatever it is called.
        shown = found and settled > 1
        # A change of the text that makes all results right, of numbers, is dear for what it writes down.
        most = WRITTEN if not layout.subject.is_shaped and all(r.text for r in root.repairs) else WEAK
        if weak and not shown and root.unit.step not in layout.aside and (not root.repairs or root.cost > most):
            doubtful.append(root.unit)
            if not root.repairs:
                unfit.append(root)
        else:
            moved = _before_what_is_right(root, layout, kept)
            if moved is not root:
                # It says of the line all that is wrong in it: a part of that explained nothing.
                kept = [k for k in kept if k.unit != moved.unit]
            kept.append(moved)
    wrong = {*_wrong_results(layout, reading), *moving} if unfit and not kept else set()
    return kept, doubtful, [r for r in unfit if any(layout.feeds(r.unit.step, {i}) for i in wrong)]


def _cannot_become(root: Root) -> bool:
    """No sum over axes, and no other order of them, makes what was found an array of the right shape."""
    left = list(root.found.shape)
    for n in root.target.vec.shape:
        if n not in left:
            return True
        left.remove(n)
    return False


def _before_what_is_right(root: Root, layout: Layout, others: Collection[Root] = ()) -> Root:
    """``dW += reg*W`` adds a term that is right to what was wrong before: the line that worked out that is to blame.

    ``others``: roots before it. Where that line is one of them, no formula is added here instead."""
    unit, steps = root.unit, layout.graph.steps
    named = [u for u in layout.by_name[unit.name] if u.step <= unit.step]
    # Zeros, to which nothing else was added.
    empty = len(named) == 2 and named[0].step == unit.previous and layout.actual(unit.previous).is_zero
    blamed = empty or any(r.unit.name == unit.name and r.unit.step == unit.previous for r in others)
    held = all(
        r.quantity is not None and ((r.place.node == unit.previous and not r.combine) or (blamed and r.text == ""))
        for r in root.repairs
    )
    if not held or unit.augmented != "+=" or not layout.subject.is_shaped:
        return root
    mine = [u for u in named if u.step < unit.step and (empty or not steps[u.step].is_leaf)]
    own = layout.original(unit.previous) if unit.previous >= 0 else -1
    added = [layout.actual(j) for j in steps[unit.step].inputs if layout.original(j) != own]
    if not mine or mine[-1].line == unit.line or len(added) != 1:
        return root
    bottom = root.target.bottom
    terms = [*(flow for _, flow in layout.truth.into.get(bottom, ())), *layout.truth.sums(bottom)]
    if not any(added[0].same(t) for t in terms) or layout.actual(mine[-1].step).shape != root.target.vec.shape:
        return root
    rest = replace(root.target, kind="sum", vec=root.target.vec - added[0])
    found = layout.actual(mine[-1].step)
    return replace(root, unit=mine[-1], target=rest, found=found, repairs=(), lines=frozenset((mine[-1].line,)))


def _wrong_results(layout: Layout, reading: Reading) -> list[int]:
    """What is there in the end under the plain name of a gradient by an input, and is not that, nor nearly so."""
    out = []
    for unit in layout.last.values() if layout.subject.is_shaped else ():
        actual = layout.actual(unit.step)
        if _is_plain_result(unit, layout, reading) and not actual.is_zero:
            rights = reading.rights(unit.name)
            if not any(_is_nearly(actual, r) for r in rights):
                out.append(unit.step)
    return out


def _wrongly_moved(layout: Layout, reading: Reading) -> set[int]:
    """What a parameter is moved by under the name of its gradient, and is not that, nor nearly so: of several layers
    that all have a dW, the one that moves a W is its."""
    out = set()
    pairs = ((m.source, (layout.subject.loss, m.bottom)) for m in layout.subject.moves)
    for step, pair in pairs if layout.subject.is_shaped else ():
        named = any(pair in reading.pairs(u.name) and not u.unnamed for u in layout.units_at.get(step, ()))
        if named and not layout.actual(step).is_zero and not _is_nearly(layout.actual(step), reading.vec(pair)):
            out.add(step)
    return out


def _is_nearly(actual: Vec, right: Vec) -> bool:
    """Right but for its shape, or a number."""
    return actual.alike(right) or (actual / right).constant() is not None


def _says_itself(name: str, reading: Reading) -> bool:
    return bool(reading.pairs(name)) and not reading.is_loose(name)


def _inside(root: Root, layout: Layout, reading: Reading) -> Unit | None:
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
    if mine and step.span is not None and step.span.line != unit.span.line:
        # `return c` returns the wrong thing if c is no gradient by its name, or the very one that it is called.
        name, actual = mine[-1].name, layout.actual(made)
        called = is_bare(name) or is_generic(name) or is_plain(name) or any(claims(name))
        if not called or any(actual.same(right) for right in reading.rights(name)):
            return None
    return mine[-1] if mine else None


def _is_data(unit: Unit, layout: Layout) -> bool:
    """An array of given numbers: no derivative that was worked out wrongly, whatever it is called."""
    step = layout.graph.steps[unit.step]
    value = layout.subject.point.get(unit.step)
    return step.is_input and bool(step.shape) and value is not None and bool((value != value.flat[0]).any())


def _ends_well(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What the name holds in the end is what it says, so this was on the way there."""
    last = layout.last[unit.name]
    if last is unit or unit.step in reading.own:
        return False
    actual = layout.actual(last.step)
    return not actual.is_zero and any(actual.same(right) for right in reading.rights(unit.name))


def _is_plain_result(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What is there in the end as dx, where x is an input and the run came to its end: no cotangent on the way."""
    name, subject = unit.name, layout.subject
    inputs = {normal(subject.names[i]) for i in layout.truth.leaves if i in subject.names and i not in subject.frozen}
    kept = is_kept(name) and key_of(name) != name  # grads["w"]
    if subject.stopped or name in reading.guessed or not (name.isidentifier() or kept) or not reading.is_exact(name):
        return False
    ends = layout.original(layout.last[name].step) == layout.original(unit.step)
    spelled = name[:1] == "d" and normal(name[1:]) in inputs
    spelled = spelled or ("grad" in name.lower() and any(not c.top and c.bottom in inputs for c in claims(name)))
    keys = {normal(key_of(subject.names[i])) for i in layout.truth.leaves if i in subject.names} if kept else set()
    spelled = spelled or any(not c.top and c.bottom in keys for c in claims(name))
    last = layout.original(layout.last[name].step)
    used = any(layout.original(i) != last for i in layout.dependents(layout.last[name].step))
    return ends and spelled and reading.by_inputs(name) and not used


def _is_sum_of_a_result(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What was added up, to the end, as the gradient by an input."""
    name, last = unit.name, layout.last[unit.name]
    ends = layout.original(last.step) == layout.original(unit.step) and not layout.subject.stopped
    return ends and name not in reading.guessed and reading.is_exact(name) and reading.by_inputs(name)


def _is_left_at_zero(unit: Unit, layout: Layout, reading: Reading, given: bool) -> bool:
    """A result that nothing was put into, in a derivation that was gone through: others of its results are right, or
    are so with changes that are known (``given``)."""
    if layout.subject.stopped or not layout.actual(unit.step).is_zero or unit.step < layout.subject.loss:
        return False
    pairs, own = reading.pairs(unit.name), unit.step in reading.own
    if not (own or (len(pairs) == 1 and reading.by_inputs(unit.name))) or layout.dependents(unit.step):
        return False
    mine = (u for u in layout.by_name[unit.name] if layout.original(u.step) == layout.original(unit.step))
    if not own and layout.last[unit.name] not in mine:
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


def _ascends(layout: Layout, negative: Collection[int]) -> bool:
    """What these go into is added to a parameter: it is meant to be the negative gradient."""
    subject = layout.subject
    moved = [m for m in subject.moves if any(i == m.source or layout.feeds(i, {m.source}) for i in negative)]
    if moved:
        return all(m.up for m in moved)
    # A sum that begins with 0 is added to as well, and is no parameter by that.
    parameters = {subject.names[i] for i in subject.leaves() if i in subject.names}
    return any(
        unit.augmented == "+=" and unit.name in parameters and any(layout.feeds(i, {unit.step}) for i in negative)
        for unit in subject.units
    )
