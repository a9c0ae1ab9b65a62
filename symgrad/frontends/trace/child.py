"""The inside of the sandbox: a process that locks itself in, runs one script under tracing, and answers with JSON.

The order matters. Everything that will ever be needed is imported first; then limits are set, the network is cut where
the system allows it, and an audit hook is armed that ends the run at the first attempt to open, import, connect, start
or inspect anything. Only then does the script's code run.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import sys
import time
from dataclasses import replace
from types import ModuleType
from typing import Any

from symgrad.collecting import MANY
from symgrad.frontends.trace.locks import Wall, cut, limit, unwatch, watch, watch_kindly

#: How much of its time a file may run before its functions are called.
SHARE = 0.3
#: What is written when the script begins: on the stream of errors, which the script cannot reach.
BEGUN = b"symgrad: the script begins\n"

#: What a child runs while it waits, so that its memory is its own: something of everything, and nothing that lasts.
REHEARSAL = """
import math
import numpy as np

w, x = 0.5, 2.0
h = math.tanh(w*x + 1)
y = w*h - x**2/3.0
dh = 2*w
dw = (1 - h**2)*dh*x


def forward(a, v):
    z = np.dot(a, v)
    return np.exp(z) - 1


a = np.array([[0.5, 1.5], [2.0, 0.25]])
v = np.ones(2)
for k in range(2):
    z = forward(a, v)
    if k > 0:
        da = np.outer(np.exp(z), v)
    loss = z.sum()
print("w", dw)
"""

_warmed = False


class _Nothing:
    """Stands for anything that a library would hold: callable, and every attribute of it is itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


class _Hollow(ModuleType):
    """A module of nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()


def load() -> Any:
    """Import the tracer, without SymPy and Arb: a declaration of an op names their functions, a traced run calls none.

    That halves the child's start, and keeps two large libraries out of a process that runs a stranger's code.
    """
    hollow = [name for name in ("sympy", "flint") if name not in sys.modules]
    for name in hollow:
        sys.modules[name] = _Hollow(name)
    try:
        import symgrad.frontends.driving
        import symgrad.frontends.trace.wire
        from symgrad.frontends.tracing import trace_unchecked
    except Exception:
        # Some declaration does more with them at import than naming: then they are loaded after all.
        for name in [*hollow, *(m for m in sys.modules if m.startswith("symgrad."))]:
            sys.modules.pop(name, None)
        import symgrad.frontends.driving
        import symgrad.frontends.trace.wire  # noqa: F401
        from symgrad.frontends.tracing import trace_unchecked
    return trace_unchecked


def warm() -> None:
    """Have done once what Python and NumPy import for lazily, before importing ends; a nursery does it for all."""
    global _warmed  # noqa: PLW0603  (of the process, and of those that are forked from it)
    if _warmed:
        return
    _warmed = True
    import unicodedata  # noqa: F401  (the parser's, for names that are not ASCII)

    import numpy as np

    "\\".encode("unicode_escape")
    repr(np.random.RandomState(0).randn(2))
    np.array2string(np.zeros(2), precision=4, floatmode="fixed")
    with np.errstate(all="ignore"):
        np.sum(np.zeros((2, 2)), axis=(0,))


def practise() -> None:
    """Run a few lines of ours as a script is run."""
    with contextlib.suppress(Exception):
        from symgrad.frontends.plan import given_values
        from symgrad.frontends.siblings import Siblings
        from symgrad.frontends.trace.wire import to_json

        request = json.loads(json.dumps({"source": REHEARSAL, "given": {}, "siblings": Siblings().to_json()}))
        Siblings.from_json(request["siblings"])
        given_values(request["given"])
        answer_of(to_json(load()(request["source"], "rehearsal.py")))


def answer(out: int, data: bytes) -> None:
    """Write one JSON document and end, without running anything on the way out."""
    while data:
        data = data[os.write(out, data) :]
    # Whoever waits need not wait until all that this process holds is taken down.
    os.close(out)
    os.close(2)
    os._exit(0)


def answer_of(document: dict[str, Any]) -> bytes:
    """A trace's document as it is sent."""
    return json.dumps(document, allow_nan=False).encode()


def nurse() -> None:
    """A process that makes children: all that they need is imported once."""
    from symgrad.frontends.trace.nursery import serve

    load()
    warm()
    from symgrad.frontends.trace.library import get_ready

    get_ready()
    # Of a short run nothing is garbage that the collector could find.
    gc.set_threshold(MANY, *gc.get_threshold()[1:])
    serve(main, cut, practise)


def main() -> None:
    with open(0, "rb", closefd=False) as given:
        request = json.loads(given.read())
    # The answer goes out by a descriptor that print does not know.
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    load()
    warm()
    from symgrad.frontends.siblings import Siblings
    from symgrad.frontends.trace.data import Trace, TraceError
    from symgrad.frontends.trace.wire import to_json
    from symgrad.graph import Graph

    seconds = float(request["timeout"])
    cut()
    os.write(2, BEGUN)
    faulthandler.enable(file=2)
    watch(seconds)
    limit(int(request["memory"]), seconds)
    source, filename = str(request["source"]), str(request["filename"])
    siblings = Siblings.from_json(request["siblings"])
    wall = Wall(None)
    made: Any = None
    try:
        if request["plan"] is None:
            made = traced(
                source, filename, siblings, wall, request["given"], patient=request["patient"], seconds=seconds
            )
        else:
            made = called(source, filename, siblings, wall, request["plan"], seconds=seconds)
        data = answer_of(to_json(made))
    except MemoryError:
        late = made.error if made is not None and made.error is not None and made.error.kind == "time" else None
        del made
        gc.collect()
        error = TraceError("limit", "the trace does not fit into the memory that the script may have")
        error = error if late is None else replace(late, kind="limit")
        data = answer_of(to_json(Trace(Graph((), 0, source), (), error=error)))
    answer(out, data)


def traced(
    source: str, filename: str, siblings: Any, wall: Wall, given: dict[str, Any], *, patient: bool = False,
    seconds: float,
) -> Any:  # fmt: skip
    """The trace of a script; of ``given`` names the values come from outside."""
    from symgrad.frontends.plan import given_values
    from symgrad.frontends.trace.run import Run
    from symgrad.frontends.trace.stop import Stop

    run = Run(source, filename, siblings)
    run.given = given_values(given)
    run.patient = patient
    # What comes after the script's end is ours.
    run.ended = unwatch
    watch_kindly(seconds, run.tracer)
    wall.renew(run.tracer, 1 + run.library.most)
    try:
        code = run.compile()
    except Stop as e:
        return run.tracer.finish(e.error)
    # Never opened again: a generator of the script's may still be finalised while the answer is written.
    wall.closed = True
    return run.execute(code)


def called(
    source: str, filename: str, siblings: Any, wall: Wall, plan: dict[str, Any], *, seconds: float
) -> Any:
    """The trace of a file's functions, which are called when it has run, or has had a part of its time."""
    from symgrad.frontends.driving import Driver
    from symgrad.frontends.plan import Plan, given_values
    from symgrad.frontends.trace.hosting import Hosted
    from symgrad.frontends.trace.stop import Stop

    end = time.monotonic() + seconds
    made: list[tuple[Hosted, Any]] = []

    def start() -> tuple[Any, Any]:
        with wall.opened():
            run = Hosted(source, filename, siblings, wall.opened)
            run.given = given_values(plan["globals"])
            wall.renew(run.tracer, 1 + run.library.most)
            try:
                if made:
                    run.take(made[0][0])
                else:
                    made.append((run, run.compile()))
            except Stop as e:
                return run, e.error
        code = made[0][1]
        wall.closed = True
        watch_kindly(seconds * SHARE, run.tracer)
        error = run.attempt(lambda: exec(code, run.namespace()))
        unwatch()
        watch(max(end - time.monotonic(), 1.0))
        if error is not None and not error.fatal:
            run.tracer.revive()
            left = wall.runs
            wall.runs += len(run.definitions)
            run.define_the_rest()
            wall.runs = min(left, wall.runs)
        return run, error

    trace = Driver(Plan.from_json(plan), start).drive()
    unwatch()
    return trace
