"""A traced run as JSON, and back: nothing else crosses the sandbox's wall, and what comes back is checked."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from symgrad.errors import InternalError, Span
from symgrad.frontends.trace.data import (
    BackwardCall,
    Binding,
    Call,
    Given,
    GradRead,
    Leaf,
    Note,
    Round,
    Trace,
    TraceError,
)
from symgrad.graph import Graph

if TYPE_CHECKING:
    from symgrad.frontends.trace.data import Number

TRACE_SCHEMA = 1


def to_json(trace: Trace) -> dict[str, Any]:
    """Plain data: dict, list, str, int, float, bool and None; no NaN or infinity."""
    # Spans share one file name nearly always, so they travel as four numbers and an index.
    files: dict[str, int] = {}

    def span(s: Span) -> list[int]:
        return [files.setdefault(s.file, len(files)), s.line, s.column, s.end_line, s.end_column]

    out: dict[str, Any] = {
        "schema": TRACE_SCHEMA,
        "graph": trace.graph.to_json() if trace.graph.steps else None,
        "source": trace.graph.source,
        "values": [_value_to_json(v) for v in trace.values],
        "bindings": [[b.name, b.step, span(b.span), b.line, b.scope, b.order, b.augmented] for b in trace.bindings],
        "objects": [
            [b.order, b.written, [list(n) for n in b.near], b.is_number] for b in trace.bindings if b.written
        ],
        "leaves": [
            [f.name, f.step, span(f.span), f.requires_grad, f.literal, f.dtype, f.scope] for f in trace.leaves
        ],
        "backward_calls": [[c.step, span(c.span), c.by_hand] for c in trace.backward_calls],
        "grad_reads": [[g.target, g.step, span(g.span)] for g in trace.grad_reads],
        "callers": [[i, span(s)] for i, s in trace.callers.items()],
        "cuts": list(trace.cuts),
        "compared": [list(pair) for pair in trace.compared],
        "shown": [list(some) for some in trace.shown],
        "roundings": [list(pair) for pair in trace.roundings.items()],
        "prints": list(trace.prints),
        "notes": [[n.message, span(n.span)] for n in trace.notes],
        "error": None,
        "call": None,
        "passes": [list(p) for p in trace.passes],
        "offered": [list(p) for p in trace.offered],
        "asked": [[name, dict(given)] for name, given in trace.asked],
        "elsewhere": [[i, *place] for i, place in trace.elsewhere.items()],
        "rounds": [[r.begun, r.start] for r in trace.rounds],
        "hurried": trace.hurried,
        "returned": [list(pair) for pair in trace.returned],
    }
    if trace.call is not None:
        c = trace.call
        out["call"] = {
            "forward": c.forward, "backward": c.backward, "loss": c.loss, "gradients": dict(c.gradients),
            "missing": [[name, span(s)] for name, s in c.missing], "notes": [[t, span(s)] for t, s in c.notes],
            "inputs": [
                [g.name, g.words, None if g.shape is None else list(g.shape), g.whole,
                 {k: list(v) for k, v in g.parts.items()}]
                for g in c.inputs
            ],
        }  # fmt: skip
    if trace.error is not None:
        e = trace.error
        out["error"] = [e.kind, e.message, span(e.span) if e.span else None, e.hint, [span(f) for f in e.frames]]
    out["files"] = list(files)
    return out


def from_json(data: Mapping[str, Any]) -> Trace:
    """The inverse of :func:`to_json`. Every field is converted and checked: the document may be hostile.

    Raises:
        InternalError: the document is not a trace.
    """
    try:
        return _from_json(data)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as e:
        raise InternalError(f"not a trace: {type(e).__name__}: {e}") from e


def _from_json(data: Mapping[str, Any]) -> Trace:
    if data["schema"] != TRACE_SCHEMA:
        raise InternalError(f"trace schema {data['schema']!r} is not {TRACE_SCHEMA}")
    graph = Graph((), 0, str(data["source"])) if data["graph"] is None else Graph.from_json(data["graph"])
    files = [str(f) for f in data["files"]]

    def span(s: Any) -> Span:
        where, line, column, end_line, end_column = map(int, s)
        return Span(files[where], line, column, end_line, end_column)

    def step(index: Any) -> int:
        if not 0 <= int(index) < len(graph):
            raise InternalError(f"a trace refers to step {index!r}, which it does not have")
        return int(index)

    if len(data["values"]) != len(graph):
        raise InternalError("a trace does not have one value a step")
    error = None
    if data["error"] is not None:
        kind, message, where, hint, frames = data["error"]
        place = span(where) if where is not None else None
        error = TraceError(str(kind), str(message), place, str(hint), tuple(span(f) for f in frames))
    call = None
    if data["call"] is not None:
        c = data["call"]
        call = Call(
            str(c["forward"]), str(c["backward"]), str(c["loss"]), {str(n): step(i) for n, i in c["gradients"].items()},
            tuple((str(n), span(s)) for n, s in c["missing"]), tuple((str(t), span(s)) for t, s in c["notes"]),
            tuple(
                Given(
                    str(n), str(w), None if shape is None else tuple(int(d) for d in shape), bool(whole),
                    {str(k): tuple(int(d) for d in v) for k, v in parts.items()},
                )
                for n, w, shape, whole, parts in c["inputs"]
            ),
        )  # fmt: skip
    objects = {
        int(o): (str(w), tuple((str(t), step(i)) for t, i in near), bool(n)) for o, w, near, n in data["objects"]
    }
    return Trace(
        graph=graph,
        values=tuple(_value_from_json(v) for v in data["values"]),
        bindings=tuple(
            Binding(
                str(n), step(i), span(s), int(line), str(scope), int(order), str(aug), *objects.get(int(order), ())
            )
            for n, i, s, line, scope, order, aug in data["bindings"]
        ),
        leaves=tuple(
            Leaf(str(n), step(i), span(s), bool(r), bool(lit), str(d), str(scope))
            for n, i, s, r, lit, d, scope in data["leaves"]
        ),
        backward_calls=tuple(BackwardCall(step(i), span(s), bool(h)) for i, s, h in data["backward_calls"]),
        grad_reads=tuple(GradRead(step(t), step(i), span(s)) for t, i, s in data["grad_reads"]),
        callers={step(i): span(s) for i, s in data["callers"]},
        cuts=tuple(step(i) for i in data["cuts"]),
        compared=tuple((step(i), step(j)) for i, j in data["compared"]),
        shown=tuple(tuple(step(i) for i in some) for some in data["shown"]),
        roundings={step(i): step(j) for i, j in data["roundings"]},
        prints=tuple(str(p) for p in data["prints"]),
        notes=tuple(Note(str(m), span(s)) for m, s in data["notes"]),
        error=error,
        call=call,
        passes=tuple((str(f), str(b)) for f, b in data["passes"]),
        offered=tuple((str(f), str(b)) for f, b in data["offered"]),
        asked=tuple((str(n), {str(p): _argument(v) for p, v in given.items()}) for n, given in data["asked"]),
        elsewhere={step(i): (str(file), int(line), str(text)) for i, file, line, text in data["elsewhere"]},
        rounds=tuple(Round(int(begun), int(start)) for begun, start in data["rounds"]),
        hurried=bool(data["hurried"]),
        returned=tuple((str(name), step(i)) for name, i in data["returned"]),
    )


def _argument(value: Any) -> Any:
    """A plain value, as it may have been passed to a function.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, list):
        return [_argument(v) for v in value]
    if isinstance(value, dict):
        return {str(key): _argument(v) for key, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError("no plain value")


def _value_to_json(value: Number | None) -> Any:
    """An array as its bytes: a million numbers in decimal take seconds to write and to read."""
    if value is None:
        return None
    if isinstance(value, float | int):
        return value if math.isfinite(value) else repr(value)
    array = value.astype("<f8", copy=False)
    return {"shape": list(array.shape), "f64": b64encode(array.tobytes()).decode("ascii")}


def _value_from_json(value: Any) -> Any:
    """A number, an array, or ``None`` for what was not kept."""
    if value is None:
        return None
    if isinstance(value, dict):
        import numpy as np

        numbers = np.frombuffer(b64decode(str(value["f64"]), validate=True), dtype="<f8")
        return numbers.reshape([int(n) for n in value["shape"]])
    return float(value)
