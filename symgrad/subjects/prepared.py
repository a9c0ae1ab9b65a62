"""A run with a step of its own for whatever can be wrong by itself."""

from __future__ import annotations

from dataclasses import replace

from symgrad.diagnose.meaning import functions
from symgrad.diagnose.text.naming import claims, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.subjects.afterwards import brought_back
from symgrad.subjects.copies import told_apart
from symgrad.subjects.logarithms import by_logarithms
from symgrad.subjects.rates import with_rates_apart
from symgrad.subjects.returned import with_returns


def prepared(trace: Trace) -> Trace:
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
