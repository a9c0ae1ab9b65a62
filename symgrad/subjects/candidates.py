"""The steps of a run that may be what is differentiated, the likeliest first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from symgrad.cutting.epochs import last_epoch
from symgrad.diagnose.meaning import differences, functions
from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.text.naming import (
    TIMES,
    claims,
    dotted,
    is_bare,
    is_loss,
    is_score,
    is_surely_loss,
    normal,
    primitives,
)
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.ops import OPS
from symgrad.subjects.states import in_full


def losses(trace: Trace, loss: str | None) -> list[int]:
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
    elif beside is not None and not any(is_loss(b.name) for b in plain if not beside[b.step]):
        wanted += differences.numbers_beside(trace)
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
