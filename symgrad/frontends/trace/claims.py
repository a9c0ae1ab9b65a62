"""What a script itself says a value is the gradient of: it compares it with autograd's, or hands it to an optimiser.

Such a value needs no name that says so: ``np.allclose(grad(loss)(w), mine(w))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import Value
from symgrad.ops.base import COPY

#: What is nearer than this and not the same was worked out by differences, and claims no more than to be near.
NEAR, SAME = 1e-3, 1e-9


def claim(tr: Tracer, one: Any, other: Any) -> None:
    """Two values are compared: where one is autograd's gradient of a step, the other is claimed to be that as well."""
    found = {read.step: read.target for read in tr.grad_reads}
    steps = [-1 if not isinstance(v, Value) or v.step is None else v.step for v in (one, other)]
    for mine, auto, value, known in ((0, 1, one, other), (1, 0, other, one)):
        target = found.get(steps[auto])
        if target is not None and steps[mine] not in found and isinstance(value, Value):
            distance = _distance(value.raw, known.raw)
            if not SAME < distance < NEAR and not _denied(tr):
                claimed(tr, value, target)
            return


def claimed(tr: Tracer, value: Any, target: int) -> None:
    """A value is claimed to be the gradient by a step."""
    step = value.step if isinstance(value, Value) else None
    if step is None or not tr.varies[step] or not tr.varies[target]:
        return
    names = {b.name for b in tr.bindings if b.step == step}
    own = {n for n in names if sum(b.name == n for b in tr.bindings) == 1}
    if own:
        tr.returned.append((min(own), target))
        return
    span = tr.builder.steps[step].span or tr.here()
    data = value.raw if isinstance(value, Array) and value.data.ndim else float(value)
    made = tr.emit(COPY, (step,), data, span=span)
    name = f"grad_{tr.builder.steps[target].name}"
    if any(b.name == name for b in tr.bindings) and (name, target) not in tr.returned:
        return
    tr.bind(name, made, span, span.line, "", "")
    tr.returned.append((name, target))


def _distance(one: Any, other: Any) -> float:
    """How far two values are apart, relatively; infinite where their shapes differ."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape:
        return float("inf")
    scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
    return float(np.max(np.abs(a - b), initial=0.0)) / scale


def _denied(tr: Tracer) -> bool:
    """``not np.allclose(...)``: they are shown to differ."""
    span = tr.here()
    line = tr.lines[span.line - 1] if span.line <= len(tr.lines) else ""
    return line[: span.column - 1].rstrip().endswith("not")
