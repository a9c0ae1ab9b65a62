"""Training without a loss: ``w -= rate * x.T @ (x @ w - y)`` where no line computes what is being made smaller.

What is differentiated is a guess then: a sum or a mean of squares of the first difference between what the parameters
give and what they do not. It is taken where the derivation agrees with it at least in part, and it is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.deciding.loss import convention
from symgrad.diagnose.engine import Diagnosis, diagnose
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.naming import claims, is_bare, is_loss, is_surely_loss, normal
from symgrad.diagnose.words.formulas import names_in
from symgrad.errors import Span
from symgrad.frontends.trace.data import Trace
from symgrad.manual.negatives import of_the_negative
from symgrad.manual.penalties import decayed
from symgrad.manual.training import (
    claimed,
    differences_of,
    first_epoch,
    is_called_derivative,
    parameters_of,
    trained,
)
from symgrad.manual.unwritten import LINKED, objectives
from symgrad.manual.work import Account
from symgrad.ops import OPS, sign_of
from symgrad.ops.writing import INDEX
from symgrad.subjects.chosen import choose

#: Of arrays, mistakes are looked for against so many objectives.
MOST_FULL = 6


def of_an_objective(taken: Account) -> Account:
    """The account against what the script may be making smaller without computing it, where that explains more."""
    trace, found = taken.trace, taken.diagnosis
    missed = taken.work.guesses and is_missed(trace)
    if not _may_be_another(taken, missed=missed):
        return taken
    # exp(z) is its own derivative, and where mu = exp(z) was taken for the loss that tells nothing.
    names = {normal(b.name) for b in trace.bindings}
    derived = any(is_called_derivative(u.name, names) for u in found.right)
    if derived and not (taken.subject.made_up and found.blames) and not _is_idle(taken):
        return taken
    best, begins = taken, _begins(trace)
    for other in _candidates(trace):
        again = diagnose(other, brief=True)
        # Where there is a derivation of something as it is, this must explain more.
        first = best is taken and not missed and not derived
        more = _explained(again, begins) > _explained(best.diagnosis, begins)
        if more and best.diagnosis.blames and (derived or LINKED in other.assumed):
            # That a line is wrong as it is, or as a square's gradient, is no reason for another; that fewer are is one.
            more = _bad(again) < _bad(best.diagnosis)
        if _is_told(again, other, begins) and (first or more):
            again = replace(diagnose(other), notes=(*again.notes, _said(other)))
            best = replace(taken, subject=again.subject or other, diagnosis=again)
    if best is not taken or derived or _is_told(found, taken.subject, begins):
        return best
    best = taken if taken.brief else _explained_by_fixes(taken)
    if best is taken and found.blames:
        return replace(taken, diagnosis=replace(found, blames=(), right=(), inherited=(), unchecked=(), conventions=()))
    return best


def _may_be_another(taken: Account, *, missed: bool) -> bool:
    """Something else may be made smaller than what was taken for the loss."""
    trace, found, subject = taken.trace, taken.diagnosis, taken.subject
    named = is_surely_loss(subject.names.get(subject.loss, "")) or bool(trace.backward_calls)
    # Names ask for it: df_dx of an array f, or of several states.
    asked = subject.loss not in subject.names and not subject.made_up and not _is_idle(taken)
    if not taken.work.guesses or named or trace.error is not None or (asked and not missed):
        return False
    return missed or not (found.right or found.understood) or stands_for_want(trace, subject) or _is_idle(taken)


def _is_idle(taken: Account) -> bool:
    """Parameters are moved, and by nothing that is right or wrong as it is: only beside that something seems right."""
    moving = {m.source for m in taken.subject.moves}
    return bool(moving) and not taken.diagnosis.blames and not any(u.step in moving for u in taken.diagnosis.right)


def _is_told(found: Diagnosis, subject: Subject, begins: Collection[Span | None]) -> bool:
    """Something that is a derivative by its name or its use is right. That ``error = y - out`` is, with which squares
    and a cross-entropy begin, tells nothing."""
    moving = {m.source for m in subject.moves}
    mine = [u for u in found.right if u.span not in begins or u.step in moving]
    if subject.made_up and mine:
        # Nor does what knows nothing of the parameters: the last reward, which is 1 as well.
        at = found.subject or subject  # one array's names may have been told apart
        made = at.graph.dependents(*(i for i in at.leaves() if at.graph.steps[i].is_input))
        mine = [u for u in mine if made[u.step]]
    return any(u.step in moving or is_bare(u.name) or any(claims(u.name)) for u in mine)


def _begins(trace: Trace) -> set[Span | None]:
    """Where the differences stand that the derivation may begin with."""
    first = first_epoch(trace)
    return {first.graph.steps[i].span for i in differences_of(first)} if first.bindings else set()


def _explained_by_fixes(taken: Account) -> Account:
    """The account against the objective for which the fewest changes would make everything right, where nothing is yet;
    whether they do is found out by running the script with them."""
    best = taken
    made = [*_along_one_parameter(taken.trace), *_candidates(taken.trace)]
    if len(made) > MOST_FULL and taken.subject.is_shaped:
        # To look for what is wrong takes long: against those under which the most is right, in their order.
        right = {id(s): len(diagnose(s, brief=True).right) for s in made}
        made = sorted(made, key=lambda s: -right[id(s)])[:MOST_FULL]
    for other in made:
        candidate = of_the_negative(replace(taken, subject=other, diagnosis=diagnose(other)))
        again = candidate.diagnosis
        fixable = again.blames and not again.unchecked and all(b.edits for b in again.blames)
        fixable = fixable and not any(_is_weight(b, taken.trace) for b in again.blames)
        if fixable and (best is taken or len(again.blames) < len(best.diagnosis.blames)):
            again = replace(again, notes=(*again.notes, _said(other)))
            best = replace(candidate, subject=again.subject or candidate.subject, diagnosis=again)
    return best


def _is_weight(blame: Blame, trace: Trace) -> bool:
    """What is a factor too many against a guess are data, one for each sample: the samples may well be weighted, as by
    the advantages of a policy gradient."""
    if blame.mistake != "extra-factor":
        return False
    lost = names_in(blame.found) - names_in(blame.fix)
    held = {b.name: b.step for b in trace.bindings if b.name in lost}
    moved = trace.graph.dependents(*parameters_of(trace))
    return bool(held) and all(trace.graph.steps[i].shape and not moved[i] for i in held.values())


def _along_one_parameter(trace: Trace) -> Iterator[Subject]:
    """Where one array is all that is trained, and one gradient of its shape is worked out for it, ``g = J.T @ r``, what
    that is the gradient of up to its sign: half the sum of squares, before any other."""
    names = trained(trace)
    shapes = {b.name: trace.graph.steps[b.step].shape for b in reversed(trace.bindings)}
    given = {b.name for b in trace.bindings if is_bare(b.name) and not trace.graph.steps[b.step].is_leaf}
    if len(names) != 1 or len(given) != 1:
        return
    (name,), (gradient,) = names, given
    if shapes[name] != shapes[gradient] or not shapes[name]:
        return
    for o in objectives(trace):
        if o.text.endswith("**2)/2") and o.text.startswith("sum("):
            subject = replace(choose(o.trace, o.name, {gradient: name}), made_up=True, assumed=o.text)
            seed = Fraction(-1 if o.downhill else 1)
            yield replace(subject, seed=seed, convention=convention(seed)) if subject.seed == 1 != seed else subject


def _candidates(trace: Trace) -> Iterator[Subject]:
    """What may be differentiated: every objective, and then every one with the penalties
    whose gradients are added to those of the weights."""
    made = list(objectives(trace))
    plain = [replace(choose(o.trace, o.name, {}), made_up=True, assumed=o.text) for o in made]
    yield from plain
    for subject, o in zip(plain, made, strict=True):
        if o.downhill and subject.seed == 1 and not subject.moves:
            yield replace(subject, seed=Fraction(-1), convention=convention(Fraction(-1)))
    for subject in plain:
        if (whole := decayed(subject)) is not None:
            yield replace(whole, assumed=f"{subject.assumed} and a penalty of the weights' squares")


def _said(subject: Subject) -> str:
    return f"no loss is computed: the derivatives are held against that of {subject.assumed}"


def _explained(found: Diagnosis, begins: Collection[Span | None]) -> tuple[int, int]:
    """What is left open counts as what is wrong: another objective is no way to say nothing of a line."""
    right = {(u.name, u.line) for u in found.right if u.span not in begins or u.unnamed}
    return len(right) - _bad(found), -_bad(found)


def _bad(found: Diagnosis) -> int:
    return len(found.blames) + len(found.unchecked)


def is_missed(trace: Trace) -> bool:
    """Something is called the derivative of a loss, ``d_L_d_ypred``, and no loss is computed before the parameters are
    moved: later there may be that of other samples."""
    bindings = first_epoch(trace).bindings
    names = {normal(b.name) for b in bindings}
    told = {c.top for b in bindings for c in claims(b.name) if c.bottom in names and c.top and is_loss(c.top)}
    return bool(told) and not any(normal(b.name) in told or is_surely_loss(b.name) for b in bindings)


def stands_for_want(trace: Trace, subject: Subject) -> bool:
    """What was taken for the loss stands there for want of one: a parameter after its update, or a mere difference
    of what a training script compares; what has no name, where only a gradient is worked out; and what the parameters
    are moved by: ``error += delta[k]*w[j][k]``."""
    names = trained(trace)
    at, steps = subject.loss, subject.graph.steps
    made = subject.graph.dependents(at)
    if at in subject.names and any(made[m.source] for m in subject.moves):
        return True
    while not steps[at].is_leaf and (OPS[steps[at].op].renames or steps[at].op == INDEX):
        at = steps[at].inputs[0]  # a, b, c = p takes no loss out of p
    step = steps[at]
    if not names and subject.loss not in subject.names:
        if _is_given(trace, subject):
            return False
        called = {normal(b.name) for b in trace.bindings}
        told = any({c.top, c.bottom} <= called for b in trace.bindings for c in claims(b.name))  # dx_dv is that of x
        return not told and bool(claimed(trace)) and not any(is_loss(b.name) for b in trace.bindings)
    called = {subject.names.get(subject.loss, ""), *(b.name for b in trace.bindings if b.step == at != subject.loss)}
    return bool(names) and (subject.made_up or not names.isdisjoint(called) or sign_of(step.op) == "-")


def _is_given(trace: Trace, subject: Subject) -> bool:
    """``sum(out*dout)``, where ``dout`` is given with the data: the gradient to begin with is nobody's guess."""
    steps = subject.graph.steps
    product = next((j for j in steps[subject.loss].inputs if sign_of(steps[j].op) == "*"), -1)
    given = [subject.names.get(j, "") for j in steps[product].inputs if steps[j].is_input] if product >= 0 else []
    data = {b.name for b in trace.bindings if trace.graph.steps[b.step].is_leaf}
    return subject.made_up and any(name in data and (is_bare(name) or any(claims(name))) for name in given)


__all__ = ["of_an_objective", "stands_for_want"]
