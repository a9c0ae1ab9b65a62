"""A script with one loss after the other, each of which is derived before the next: those of a discriminator
and of a generator, of an actor and of a critic.

They share what was computed before, and the second may be made of a parameter that the first one has moved. So nothing
is cut off: of each loss it is told which lines derive it, and what was moved by then is a number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symgrad.diagnose.text.naming import claims, is_bare, is_some_loss, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Step
from symgrad.ops import is_sum, sign_of

#: More losses than this are no such script.
MOST = 4


def by_losses(trace: Trace) -> tuple[tuple[str, Trace], ...]:
    """The losses of a run by their names, and the run as each of them knows it; empty where there are no several, or
    one is made of another."""
    losses = _losses(trace)
    if not 2 <= len(losses) <= MOST or trace.backward_calls or trace.grad_reads:
        return ()
    moved = [_moved(trace, losses[0].order, b.order) for b in losses]
    needed = [_needed(trace, b.step, given) for b, given in zip(losses, moved, strict=True)]
    ends = [*(b.order for b in losses[1:]), math.inf]
    out = []
    for n, (loss, end) in enumerate(zip(losses, ends, strict=True)):
        if any(other.step in needed[n] for other in losses if other is not loss):
            return ()
        # What comes before the next loss, and is made for that, is no part of the derivation.
        later = set().union(*needed[n + 1 :]) - set().union(*moved)
        own = [b for b in trace.bindings if loss.order < b.order < end and b.step not in later]
        called = {normal(b.name) for b in trace.bindings if b.step in needed[n]}
        if not any(_derives(b, trace, called) for b in own):
            return ()
        # d_fake, which only the other loss is made of, is no derivative here by fake.
        foreign = set().union(*needed) - needed[n]
        before = [
            b for b in trace.bindings
            if b.order <= loss.order and b.step not in foreign
            and (b.order < losses[0].order or b.step in needed[n] or b.step in moved[n])
        ]  # fmt: skip
        part = replace(trace, bindings=(*before, *own), cuts=(*trace.cuts, *sorted(moved[n] & needed[n])))
        out.append((loss.name, part))
    return tuple(out)


def _losses(trace: Trace) -> Sequence[Binding]:
    """Losses of a script that are worked out once, outside of functions; nothing where one is again."""
    steps, found = trace.graph.steps, dict[str, Binding]()
    for b in trace.bindings:
        if steps[b.step].is_leaf or steps[b.step].shape or not is_some_loss(b.name.rstrip("0123456789")):
            continue
        if b.scope or b.name in found:
            return ()
        found[b.name] = b
    return tuple(found.values())


def _moved(trace: Trace, begin: int, end: int) -> set[int]:
    """What parameters are that were given before the first loss, and moved since: under their names, or under those of
    their own that they have by then: ``D2 = D - 0.1*dD``."""
    steps = trace.graph.steps
    given = {b.name: b.step for b in trace.bindings if b.order < begin and steps[b.step].is_leaf}
    since = [b for b in trace.bindings if begin < b.order < end and not steps[b.step].is_leaf]
    by: dict[int, set[int]] = {}
    for name, step in given.items():
        mine = {b.step for b in since if any(c.bottom == normal(name) for c in claims(b.name))}
        by.setdefault(step, set()).update(mine)
    return {b.step for b in since if b.name in given or _is_move(steps, b.step, by)}


def _is_move(steps: Sequence[Step], step: int, derivatives: Mapping[int, Collection[int]]) -> bool:
    """A step is one of some parameters, and added to it, or taken from it, a derivative by it times a rate."""
    if not is_sum(steps[step].op):
        return False
    for at, moved in zip(steps[step].inputs, reversed(steps[step].inputs), strict=True):
        by = derivatives.get(at, ())
        factors = {moved, *steps[moved].inputs} if sign_of(steps[moved].op) == "*" else {moved}
        if not factors.isdisjoint(by):
            return True
    return False


def _needed(trace: Trace, step: int, given: Collection[int]) -> set[int]:
    seen, stack = {step}, [step]
    while stack:
        i = stack.pop()
        new = set(trace.graph.steps[i].inputs) - seen if i not in given else set()
        seen |= new
        stack.extend(new)
    return seen


def _derives(b: Binding, trace: Trace, called: Collection[str]) -> bool:
    """It is called a derivative by something that a loss is made of."""
    told = is_bare(b.name) or any(c.bottom in called for c in claims(b.name))
    return told and not trace.graph.steps[b.step].is_leaf
