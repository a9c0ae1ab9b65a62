"""From a run to what is diagnosed: which step is differentiated, what is its forward pass, what the derivation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

from symgrad.cutting.epochs import last_epoch
from symgrad.cutting.subject import subject_at
from symgrad.diagnose.deciding.loss import best_seed, best_subject
from symgrad.diagnose.meaning import differences, functions
from symgrad.diagnose.meaning.following import ends_of
from symgrad.diagnose.meaning.moves import seeds
from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.abbreviations import joined as joined_names
from symgrad.diagnose.text.naming import (
    TIMES,
    claims,
    dotted,
    is_bare,
    is_loss,
    is_score,
    is_some_loss,
    is_surely_loss,
    normal,
    primitives,
)
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.ops import OPS
from symgrad.subjects import upstream
from symgrad.subjects.afterwards import adds_up_a_loss, brought_back
from symgrad.subjects.copies import told_apart
from symgrad.subjects.duals import carried
from symgrad.subjects.logarithms import by_logarithms
from symgrad.subjects.rates import with_rates_apart
from symgrad.subjects.returned import with_returns
from symgrad.subjects.seconds import second_results
from symgrad.subjects.states import in_full, joined


def choose(
    trace: Trace, loss: str | None, mapping: Mapping[str, str], like: Subject | None = None
) -> Subject:
    """What of a run is the forward pass and what the derivation; see :func:`check_source` for the arguments.

    ``like`` is what was differentiated in another run of the same text, with mistakes in it: if just one of what may be
    differentiated is called the same, that is it.

    Raises:
        SymgradError: nothing is a function of anything.
    """
    trace = _prepared(trace)
    names = list(dict.fromkeys(b.name for b in trace.bindings))
    if loss is not None and loss not in names:
        raise SymgradError(f"--loss: the script has no variable '{loss}'{did_you_mean(loss, names)}")
    steps = _losses(trace, loss)
    count = len(trace.graph)
    if any(step.shape for step in trace.graph.steps):
        if trace.backward_calls and loss is None:
            # A twin in torch may stand beside the pass by hand, and have a loss of its own.
            steps = list(dict.fromkeys((*steps, *_losses(replace(trace, backward_calls=()), None))))
        trace, steps = upstream.numbers(trace, steps)
    elif loss is None and not trace.backward_calls:
        if (duals := carried(trace)) is not None and (dual := subject_at(duals.trace, duals.loss, mapping)) is not None:
            return replace(dual, mapped={**duals.mapped, **dual.mapped}, seed=Fraction(1), sure=True)
        trace, steps = joined(trace, steps)
        count = len(trace.graph)
    same = _once_more(trace, steps, mapping, like) if like is not None else None
    found = [same] if same is not None else [
        s for step in steps if (s := subject_at(trace, step, mapping)) is not None
    ]
    # x = x - dx: a parameter that is being moved is no result whose derivative moves it.
    found = [s for s in found if not any(m.bottom == s.loss for m in s.moves)] or found
    plainly = {b.step for b in trace.bindings if is_surely_loss(b.name) or adds_up_a_loss(b)}
    if any(s.loss in plainly for s in found):
        # Nor is what that is moved by.
        moves = [m for s in found for m in s.moves if not is_loss(m.name)]  # a loss is only added up
        moved, by = {m.name for m in moves}, {m.source for m in moves}
        found = [s for s in found if s.names.get(s.loss, "") not in moved and s.loss not in by] or found
    # Nor what goes into that, where a loss does not: ``error += delta[k]*w[j][k]``, and ``total`` is of no more use.
    goes = {s.loss: _moves_by_it(s, found) for s in found}
    if any(is_loss(s.names.get(s.loss, "")) and not goes[s.loss] for s in found):
        found = [s for s in found if not goes[s.loss]]
    found = [_under_its_name(replace(s, made_up=s.loss >= count)) for s in found]
    asked = {c.top for b in trace.bindings for c in claims(b.name)}
    known = loss is not None or bool(trace.backward_calls)
    found = [replace(s, sure=known or is_some_loss(n := s.names.get(s.loss, "")) or normal(n) in asked) for s in found]
    found = [replace(s, seed=Fraction(1)) if s.seed != 1 and _is_inside(s, found) else s for s in found]
    # A loss that is worked out once more when the parameters have been moved: nothing is derived of that.
    derived = {normal(s.names.get(s.loss, "")) for s in found if _is_derived(s)}
    found = [s for s in found if normal(s.names.get(s.loss, "")) not in derived or _is_derived(s)]
    alike = [s for s in found if like is not None and _is_called(s, like)]
    subject = found[0] if len(found) == 1 else alike[0] if len(alike) == 1 else best_subject(found)
    if subject is not None and subject.seed == 1 and (others := seeds(subject)):
        if like is not None and _is_called(subject, like):
            subject = replace(subject, seed=like.seed, convention=like.convention)
        else:
            subject = best_seed(subject, others)
    if subject is None or not subject.sure:
        _refuse_lost(trace)
    if subject is None:
        _refuse_infinite(trace, steps)
        raise SymgradError("nothing in the script is a function of anything: there is no derivative to check")
    return subject


def _is_derived(subject: Subject) -> bool:
    """Something has the name of a derivative by what is differentiated here is made of."""
    known = {normal(name) for name, _ in subject.aliases}
    return any(is_bare(u.name) or any(c.bottom in known for c in claims(u.name)) for u in subject.units)


def _moves_by_it(subject: Subject, others: Sequence[Subject]) -> bool:
    """What parameters are moved by is made of what is differentiated here."""
    made = subject.graph.dependents(subject.loss)
    return any(m.source < len(made) and made[m.source] for s in others for m in s.moves)


def _under_its_name(subject: Subject) -> Subject:
    """Where f is an array of values, and the sum of them is differentiated, df_dx is that of the sum: entry by entry.
    What is differentiated is no guess then."""
    steps = subject.graph.steps
    inputs = steps[subject.loss].inputs
    if not subject.made_up or len(inputs) != 1 or not steps[inputs[0]].shape or inputs[0] not in subject.names:
        return subject
    name = subject.names[inputs[0]]
    asked = any(c.top == normal(name) for u in subject.units for c in claims(u.name))
    return replace(subject, aliases=(*subject.aliases, (name, subject.loss)), made_up=not asked)


def _once_more(trace: Trace, steps: Sequence[int], mapping: Mapping[str, str], like: Subject) -> Subject | None:
    """What was differentiated in another run, where no more than one of some steps can be that: the others need not be
    looked at. ``None`` where there is more to it."""
    name = like.names.get(like.loss, "")
    named = {b.step for b in trace.bindings if b.name == name}
    wanted = [step for step in steps if step in named]
    subject = subject_at(trace, wanted[0], mapping) if len(wanted) == 1 else None
    if subject is None or subject.seed != 1 or any(m.bottom == subject.loss for m in subject.moves):
        return None
    return subject if _is_called(subject, like) else None


def _is_called(subject: Subject, other: Subject) -> bool:
    """What is differentiated has one name in two runs of a text, and that was given as often before."""
    name = subject.names.get(subject.loss, "")
    if not name or name != other.names.get(other.loss, ""):
        return False
    times = [sum(n == name for n, _ in s.aliases) for s in (subject, other)]
    return times[0] == times[1]


def _prepared(trace: Trace) -> Trace:
    """The run with a step of its own for whatever can be wrong by itself."""
    apart = told_apart(with_returns(with_rates_apart(by_logarithms(_without_lengths(trace)))))
    return brought_back(functions.with_results(functions.tied(apart)))


def _without_lengths(trace: Trace) -> Trace:
    """The run of arrays without the names of lengths: ``d_in, d_h, d_out = 8, 5, 3`` are no derivatives by what is
    called ``out`` later on."""
    whole = {leaf.step for leaf in trace.leaves if leaf.literal and leaf.dtype.startswith("int")}
    whole = {i for i in whole if not trace.graph.steps[i].shape and trace.values[i] not in (0.0, 1.0)}
    if not whole or not any(step.shape for step in trace.graph.steps):
        return trace
    begun: dict[str, int] = {}
    for b in trace.bindings:
        begun.setdefault(normal(b.name), b.order)

    def is_length(b: Binding) -> bool:
        bottoms = [c.bottom for c in claims(b.name)]
        return b.step in whole and bool(bottoms) and all(begun.get(n, b.order + 1) > b.order for n in bottoms)

    gone = {b.order for b in trace.bindings if is_length(b)}
    return replace(trace, bindings=tuple(b for b in trace.bindings if b.order not in gone)) if gone else trace


def _refuse_lost(trace: Trace) -> None:
    """A loss that is made of what was rounded is no function of anything: to look for another one would be to guess.

    Raises:
        SymgradError: there is such a loss; with the place where the link was lost.
    """
    rounded = [n for n in trace.notes if n.message.endswith("is taken as a constant")]
    plain = {leaf.step for leaf in trace.leaves if not leaf.literal}
    lost = [b for b in trace.bindings if is_loss(b.name) and b.step in plain]
    if rounded and lost and not trace.backward_calls:
        raise SymgradError(
            f"{rounded[0].message}, and {lost[0].name} is made of it: nothing can be checked; a gradient that is "
            "passed straight through a rounding is a deliberate difference",
            span=rounded[0].span,
        )


def _refuse_infinite(trace: Trace, steps: Sequence[int]) -> None:
    """Nothing can be judged where what is differentiated is infinite because an input is.

    Raises:
        SymgradError: that is so.
    """
    infinite = [i for i in steps if isinstance(v := trace.values[i], float) and not math.isfinite(v)]
    names = {b.step: b.name for b in trace.bindings}
    if infinite and infinite[0] in names:
        span = trace.graph.steps[infinite[0]].span
        found = "nan" if math.isnan(float(trace.values[infinite[0]])) else "infinite"
        message = f"{names[infinite[0]]} is {found}: the forward pass has no finite value, so nothing was judged"
        raise SymgradError(message, span, source=trace.graph.source)


def _is_inside(subject: Subject, others: Sequence[Subject]) -> bool:
    """Something that is called a loss depends on it: dout = 2 is no upstream gradient then, where L = out**2."""
    inner = subject.loss
    return any(
        s.loss != inner and is_loss(s.names.get(s.loss, "")) and s.graph.ancestors(s.loss)[inner] for s in others
    )


def subject_of(trace: Trace, loss: int, mapping: Mapping[str, int]) -> Subject | None:
    """The same where the step that is differentiated is known, and for some names the step of which they hold the
    gradient; ``None`` where an input has no finite value."""
    subject = subject_at(trace, loss, {})
    return subject and replace(subject, seed=Fraction(1), mapped={n: (loss, i) for n, i in mapping.items()})


def _losses(trace: Trace, loss: str | None) -> list[int]:
    """The steps that may be what is differentiated."""
    if loss is not None:
        return [b.step for b in trace.bindings if b.name == loss][-1:]
    if trace.backward_calls:
        # A backward of the file's own may be run before that of what it is compared with.
        own = [c.step for c in trace.backward_calls if c.by_hand][-1:]
        return list(dict.fromkeys((*own, trace.backward_calls[-1].step)))
    names = {normal(b.name) for b in trace.bindings}
    called = functions.called(trace)
    leaves = {leaf.step for leaf in trace.leaves}
    short = in_full(trace)
    given = {normal(b.name) for b in trace.bindings if b.step in leaves}
    made = {normal(b.name) for b in trace.bindings if b.step not in leaves}

    timed = any(normal(b.name) in TIMES and b.step in leaves and normal(b.name) not in made for b in trace.bindings)

    def is_subscripted(name: str) -> bool:
        """F_x, and F_xy, of an F(x, y)."""
        head, _, rest = name.partition("_")
        return len(head) == 1 and normal(head) in made and bool(rest) and set(rest.lower()) <= given

    @cache
    def of_function(line: int) -> frozenset[str]:
        function = function_at(trace.graph.source, line)
        return frozenset(normal(a.arg) for a in function.args.args) if function is not None else frozenset()

    def parameters(b: Binding) -> frozenset[str]:
        """Of the function that it is assigned in."""
        return of_function(b.line) if b.scope else frozenset()

    def is_claim(b: Binding) -> bool:
        held = [*(c.bottom for c in claims(b.name)), *primitives(b.name)]
        told = b.name in short or is_subscripted(b.name) or is_score(b.name, names)
        held += [dotted(b.name)] if timed else []
        return told or any((stem in names and stem != normal(b.name)) or stem in parameters(b) for stem in held)

    def is_rename(b: Binding) -> bool:
        step = trace.graph.steps[b.step]
        return not step.is_leaf and OPS[step.op].renames

    def is_one(b: Binding) -> bool:
        value = trace.values[b.step]
        return isinstance(value, float) and value == 1.0

    derived = functions.of_derivatives(trace)
    told = {c.top for b in trace.bindings for c in claims(b.name) if c.bottom in names}  # g, where there is dg_dl
    plain = [
        b for b in trace.bindings
        if not is_claim(b) and (not is_bare(b.name) or normal(b.name) in told)
        and b.step not in leaves and not is_rename(b) and (b.scope not in derived or is_surely_loss(b.name))
    ]  # fmt: skip
    if (beside := differences.beside(trace)) is not None:
        # The cost that a gradient check works out once more, for each of its differences, is none to differentiate.
        held = {normal(b.name) for b in plain if not beside[b.step]}
        plain = [b for b in plain if not beside[b.step] or normal(b.name) not in held]
    last: dict[str, int] = {normal(b.name): b.step for b in plain}
    wanted: list[int] = []
    for b in trace.bindings:
        for c in (*claims(b.name), *([short[b.name]] if b.name in short else [])):
            if c.top in last and c.bottom in names:
                wanted.append(last[c.top])
            if b.step in leaves and is_one(b) and c.bottom in last:
                wanted.append(last[c.bottom])
        by_time = [dotted(b.name)] if timed else []
        for stem in (*primitives(b.name), *by_time, *functions.stems(called.get(b.name, ""))):
            if stem in last and last[stem] < b.step:
                wanted.append(last[stem])
        # F_x for dF/dx
        head, _, rest = b.name.partition("_")
        if rest and normal(head) in last and normal(rest) in names:
            wanted.append(last[normal(head)])
    # Of losses that are kept in a list, one for each round, the last.
    kept = {b.name.split("[", maxsplit=1)[0]: b.step for b in trace.bindings if is_loss(b.name)}
    wanted += [
        b.step
        for b in trace.bindings
        if is_loss(b.name)
        and b.step not in leaves
        and last.get(normal(b.name), b.step) == b.step
        and ("[" not in b.name or kept[b.name.split("[", maxsplit=1)[0]] == b.step)
    ]
    if not wanted:
        wanted += differences.shifted_values(trace)[:2]
    used = {j for step in trace.graph.steps for j in step.inputs}
    begun = next((b.order for b in trace.bindings if b.step not in leaves and is_claim(b)), len(trace.bindings))
    # What nothing is made of, and the derivation comes after: cost, before the entries of a Jacobian.
    late = [p.step for p in plain if p.order < begun and p.step not in used][-3:]
    for among in (trace.bindings, [b for b in trace.bindings if b.step not in leaves]):
        first = next((b.order for b in among if is_claim(b)), len(trace.bindings))
        wanted += [p.step for p in plain if p.order < first][-1:]
        late += [p.step for p in plain if p.order < first][-3:]
    late += [p.step for p in plain[-2:]]
    # What nothing else is made of may be what all is done for, however far up it stands.
    used = {j for step in trace.graph.steps for j in step.inputs}
    late += [p.step for p in plain if p.step not in used][-2:]
    if not any(is_claim(b) for b in trace.bindings):
        # No name says anything: every result is tried, and values decide.
        late += list(last.values())[-12:]
    quotients = differences.quotients(trace)
    # The latest first: where dh2_dw and dy2_dw are both there, y2 is what is differentiated. What only stands late in
    # the script comes last: more likely it belongs to the derivation.
    found = [
        *sorted(dict.fromkeys(wanted), reverse=True),
        *(step for step in dict.fromkeys(late) if step not in wanted),
    ]
    found = _of_last_rounds([step for step in found if step not in quotients], trace)
    found = _but_once_more(found, trace)[:12]
    # g(x), where nothing else is: no gradient then, whatever it is called.
    return found or [b.step for b in trace.bindings if b.step not in leaves and not is_claim(b)][-1:]


def _but_once_more(steps: Sequence[int], trace: Trace) -> list[int]:
    """Without values that the derivation works out once more, and that another of these steps is made of, as they stood
    in the forward pass: ``r2 = dx*dx + dy*dy``. But for what some name says that it is the derivative of, and for what
    is made of the value itself: a mean of costs that are all alike is none of them once more."""
    asked = {c.top for b in trace.bindings for c in claims(b.name)}
    held: dict[tuple[str, Any], set[int]] = {}
    for b in trace.bindings:
        if isinstance(trace.values[b.step], float) and normal(b.name) not in asked:
            held.setdefault((b.name, trace.values[b.step]), set()).add(b.step)
    again = {i: some for some in held.values() for i in some if i > min(some)}
    made_of = {i: trace.graph.ancestors(i) for i in steps} if any(i in again for i in steps) else {}
    return [
        i for i in steps
        if not any(
            j < i and made_of[k][j] and not made_of[i][j] for j in again.get(i, ()) for k in steps if k not in (i, j)
        )
    ]  # fmt: skip


def _of_last_rounds(steps: Sequence[int], trace: Trace) -> list[int]:
    """Of a loss that every round of training computes, the last: the first sample may be all zeros."""
    places = {b.step: (b.name, b.line) for b in trace.bindings if b.step in set(steps)}
    last = {place: step for step, place in places.items()}
    late = {place for place, step in last.items() if last_epoch(trace, step) is not None}
    return [i for i in steps if i not in places or places[i] not in late or last[places[i]] == i]


def names_result(name: str, subject: Subject) -> bool:
    """A name says that it holds a derivative of what is differentiated here: dy_dx of y, f_prime of f, F_xy of F_x."""
    called = {normal(n) for n, step in subject.aliases if step == subject.loss}
    called.add(normal(subject.names.get(subject.loss, "")))
    inputs = {normal(subject.names[i]) for i in subject.leaves() if i in subject.names}
    known = {normal(n) for n, _ in subject.aliases}
    if (claim := joined_names((u.name for u in subject.units), known).get(name)) is not None:
        return claim.top in called
    second = any(top and normal(name) in {top + i for i in inputs} for top in called) or name in subject.mapped
    timed = not TIMES.isdisjoint(inputs) and dotted(name) in called
    return second or timed or bool(called & {*(c.top for c in claims(name)), *primitives(name)})


def still_open(subject: Subject, unchecked: Sequence[Unit], right: Sequence[Unit]) -> tuple[Unit, ...]:
    """Of the assignments that nothing is known about, those that are not made of others that are right."""
    fine = {u.step for u in right}
    named = {u.step for u in subject.units}
    out = []
    for unit in unchecked:
        ends = ends_of(subject.graph, unit.step, named.__contains__)
        steps = subject.graph.steps
        if all(i in fine or steps[i].is_const or (steps[i].is_input and i in named) for i in ends):
            fine.add(unit.step)
        else:
            out.append(unit)
    return tuple(out)


def is_only_of(unit: Unit, other: Subject, subject: Subject) -> bool:
    """An assignment after another loss of arrays is called after what that is made of, and the main one is not: a
    critic's weights, beside the loss of an actor."""
    if unit.step < other.loss or not subject.is_shaped:
        return False
    theirs, ours = _called_after(other), _called_after(subject)
    return any(c.bottom in theirs and c.bottom not in ours for c in claims(unit.name))


def _called_after(subject: Subject) -> set[str]:
    forward = subject.graph.ancestors(subject.loss)
    return {normal(name) for name, i in subject.aliases if i < len(forward) and forward[i]}


def _other_losses(trace: Trace, subject: Subject, unchecked: Sequence[Unit]) -> list[int]:
    """Other losses of the run, each as it was worked out last, before something that nothing is known about."""
    forward, last = subject.graph.ancestors(subject.loss), max(u.step for u in unchecked)
    named = {
        b.name: b.step for b in trace.bindings
        if is_some_loss(b.name.rstrip("0123456789")) and not trace.graph.steps[b.step].is_leaf and b.step < last
    }  # fmt: skip
    return [i for i in named.values() if i >= len(forward) or not forward[i]]


#: So many other results are looked at, for what the main one says nothing about.
MOST_FURTHER = 8


def further(trace: Trace, subject: Subject, unchecked: Sequence[Unit], right: Sequence[Unit]) -> list[Subject]:
    """Other results of the run, whose derivatives the assignments may be that nothing is known about: y in dy_dx beside
    dx_dt, and first derivatives that are right, for the second ones."""
    trace = _prepared(trace)  # as the subject was made of it
    steps = trace.graph.steps
    names = {normal(u.name) for u in unchecked}
    named: dict[str, int] = {}
    begun: dict[str, int] = {}
    for b in trace.bindings:
        begun.setdefault(normal(b.name), b.step)
        if not steps[b.step].is_leaf:
            named[normal(b.name)] = b.step
    # In a loop the derivative may come before the value: dp_dx = dp_dx*x + p, p = p*x + c.
    wanted: dict[int, None] = {}
    short = in_full(trace)
    for u in unchecked:
        read = (*claims(u.name), *([short[u.name]] if u.name in short else []))
        stems = [*(c.top for c in read if c.top), *primitives(u.name), dotted(u.name)]
        wanted.update((named[stem], None) for stem in stems if stem in named and begun[stem] < u.step)
    if subject.is_shaped:
        # Only what names ask for, and of these numbers: an array has no one upstream gradient.
        wanted.update((i, None) for i in _other_losses(trace, subject, unchecked))
        wanted = {i: None for i in wanted if not steps[i].shape}
    else:
        first = [u.step for u in right if u.step < len(steps) and not steps[u.step].is_leaf]
        wanted.update((i, None) for i in first[-MOST_FURTHER:])
        # An objective that was made up is no step of the run, and knows only the beginning of it.
        forward = subject.graph.ancestors(subject.loss)
        known = len(forward) if subject.made_up else len(steps)
        wanted.update(
            (b.step, None)
            for b in trace.bindings
            if b.step < known and not forward[b.step] and not steps[b.step].is_leaf and normal(b.name) not in names
        )
    found = [subject_at(trace, i, {}) for i in list(wanted)[:MOST_FURTHER] if i != subject.loss]
    return [*second_results(trace, subject, unchecked, right), *(s for s in found if s is not None)]
