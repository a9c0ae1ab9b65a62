"""From a run to what is diagnosed: which step is differentiated, what is its forward pass, what the derivation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from symgrad.cutting.subject import subject_at
from symgrad.diagnose.deciding.loss import best_seed, best_subject
from symgrad.diagnose.meaning import differences
from symgrad.diagnose.meaning.moves import seeds
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, is_bare, is_loss, is_some_loss, is_surely_loss, normal
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.trace.data import Trace
from symgrad.subjects import upstream
from symgrad.subjects.afterwards import adds_up_a_loss
from symgrad.subjects.candidates import losses
from symgrad.subjects.curves import of_curves
from symgrad.subjects.duals import carried
from symgrad.subjects.prepared import prepared
from symgrad.subjects.states import joined


def choose(
    trace: Trace, loss: str | None, mapping: Mapping[str, str], like: Subject | None = None
) -> Subject:
    """What of a run is the forward pass and what the derivation; see :func:`check_source` for the arguments.

    ``like`` is what was differentiated in another run of the same text, with mistakes in it: if just one of what may be
    differentiated is called the same, that is it.

    Raises:
        SymgradError: nothing is a function of anything.
    """
    trace = prepared(trace)
    names = list(dict.fromkeys(b.name for b in trace.bindings))
    if loss is not None and loss not in names:
        raise SymgradError(f"--loss: the script has no variable '{loss}'{did_you_mean(loss, names)}")
    steps = losses(trace, loss)
    count = len(trace.graph)
    if any(step.shape for step in trace.graph.steps):
        if trace.backward_calls and loss is None:
            # A twin in torch may stand beside the pass by hand, and have a loss of its own.
            steps = list(dict.fromkeys((*steps, *losses(replace(trace, backward_calls=()), None))))
        beside = differences.arrays_beside(trace) if loss is None and not trace.backward_calls else []
        trace, steps = upstream.sums(trace, beside) if beside else upstream.numbers(trace, steps)
    elif loss is None and not trace.backward_calls:
        if (duals := carried(trace)) is not None and (dual := subject_at(duals.trace, duals.loss, mapping)) is not None:
            return replace(dual, mapped={**duals.mapped, **dual.mapped}, seed=Fraction(1), sure=True)
        trace, steps = of_curves(*joined(trace, steps))
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

    def is_sure(s: Subject) -> bool:
        """By the script's own words, or by a name, it is this that is differentiated."""
        name = s.names.get(s.loss, "")
        return known or bool(s.guessed) or is_some_loss(name) or normal(name) in asked

    found = [replace(s, sure=is_sure(s)) for s in found]
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
