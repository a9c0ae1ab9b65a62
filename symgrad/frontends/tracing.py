"""A script's text that runs under tracing.

:func:`trace_source` runs a script in *this* process: for text that the caller trusts, and for the sandbox's child,
which has locked itself in first. The guards of ``trace/guard.py`` hold in both, but only the child has a second wall;
a file from outside goes through :func:`symgrad.frontends.sandbox.run_file`.

A function that the caller already has is traced by :class:`symgrad.frontends.trace.trusted.Trusted`.
"""

from __future__ import annotations

from symgrad.frontends.trace.data import BackwardCall, Binding, GradRead, Leaf, Note, Trace, TraceError
from symgrad.frontends.trace.run import Run
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.writes import whole


def trace_source(source: str, filename: str = "<script>") -> Trace:
    """Run a script under tracing in this process.

    Raises:
        SymgradError: the text does not parse, uses what is not accepted, or passes a limit. An exception of the
        script's
            own, or something that cannot be traced yet, is the trace's ``error`` instead: what ran before it is kept.
    """
    trace = trace_unchecked(source, filename)
    if trace.error is not None and trace.hurried:
        trace = trace_unchecked(source, filename, patient=True)  # it may want all rounds of its loops
    if trace.error is not None and trace.error.fatal:
        raise trace.error.exception(source)
    return whole(trace)


def trace_unchecked(source: str, filename: str, *, patient: bool = False) -> Trace:
    """As :func:`trace_source`, but every error is returned in the trace: what the sandbox's child sends back."""
    run = Run(source, filename)
    run.patient = patient
    try:
        code = run.compile()
    except Stop as e:
        return run.tracer.finish(e.error)
    return run.execute(code)


__all__ = [
    "BackwardCall", "Binding", "GradRead", "Leaf", "Note", "Trace", "TraceError", "trace_source",
]  # fmt: skip
