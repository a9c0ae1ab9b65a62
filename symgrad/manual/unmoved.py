"""A parameter that is left out where all others are moved by formulas: ``w1[j] -= lr*d_h[j]*x[j]``, beside b1, w2, b2.

No line holds the gradient of such a parameter by itself, so that with the line its gradient is missing as well. To
leave a parameter as it is may be meant; but not of ``w1``, where ``w2`` is moved, and ``b1`` as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from symgrad.diagnose.deciding.prepared import Prepared, prepare
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.words.wording import Wording
from symgrad.manual.work import Account

#: ``w1[0]``: what it is, of which layer, and which entry.
_NAME = re.compile(r"([A-Za-z]\w*?)_?(\d+)(\[.*\])?")
#: Of the steps until the end of the script.
_END = 10**9


def of_parameters_left_out(taken: Account) -> Account:
    """The account in which such parameters are told, each by its first entry."""
    if taken.subject.is_shaped or taken.trace.error is not None or taken.subject.made_up:
        return taken
    prepared = prepare(taken.subject)
    if prepared is None or not prepared.layout.moved:
        return taken
    told = [_blame(i, prepared) for i in _left_out(prepared)]
    blames = tuple(sorted((*taken.diagnosis.blames, *told), key=lambda b: (b.span.line, b.span.column)))
    return replace(taken, diagnosis=replace(taken.diagnosis, blames=blames)) if told else taken


def _left_out(prepared: Prepared) -> Iterator[int]:
    layout, truth = prepared.layout, prepared.truth
    names = layout.subject.names
    set_again = {u.name for u in layout.subject.units}
    moved = {m.group(1, 2) for before, _ in layout.moved.values() if (m := _NAME.fullmatch(names.get(before, "")))}
    kinds, layers = {kind for kind, _ in moved}, {layer for _, layer in moved}
    seen: set[tuple[str | Any, ...]] = set()
    for i in truth.leaves:
        m = _NAME.fullmatch(names.get(i, ""))
        if m is None or m.group(1, 2) in moved | seen or m[1] not in kinds or m[2] not in layers:
            continue
        cotangent = truth.cotangents.get(i)
        span = layout.graph.steps[i].span
        if cotangent is not None and not cotangent.is_zero and names[i] not in set_again and span is not None:
            seen.add(m.group(1, 2))
            yield i


def _blame(i: int, prepared: Prepared) -> Blame:
    layout, truth = prepared.layout, prepared.truth
    subject = layout.subject
    wording = Wording(subject, truth, {}, layout.variable)
    name, span = subject.names[i], layout.graph.steps[i].span
    assert span is not None  # else it is not told
    whole = f"d{subject.names.get(subject.loss, 'f')}/d{name}"
    gradient = wording.paths([top for top, _ in truth.into.get(i, ())], i, _END) or whole
    others = ", ".join(sorted({subject.names[before].partition("[")[0] for before, _ in layout.moved.values()}))
    plain = name.partition("[")[0]
    message = f"{plain} is never moved by its gradient, as {others} are by theirs"
    value = layout.actual(i).floats[0]
    return Blame(
        "never-assigned", "never-assigned", message, f"a line such as `{name} -= ...` is missing", span, name, whole,
        name, f"its gradient is {gradient}", value, truth.cotangents[i].floats[0], None, "", (), "", None, (), 0, False,
    )  # fmt: skip


__all__ = ["of_parameters_left_out"]
