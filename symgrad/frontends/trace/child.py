"""The inside of the sandbox: a process that locks itself in, runs one script under tracing, and answers with JSON.

The order matters. Everything that will ever be needed is imported first; then limits are set, the network is cut where
the system allows it, and an audit hook is armed that ends the run at the first attempt to open, import, connect, start
or inspect anything. Only then does the script's code run. The language guards already leave it no way to try; this is
the wall behind them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

#: Events that Python raises during a normal traced run. Everything else ends it.
HARMLESS = frozenset({"sys._getframe", "builtins.id"})

#: Attributes that the recorder itself reads to find the line, and that Python raises an event for.
OURS = frozenset({"f_code", "tb_frame"})


#: Seconds that writing the answer may take, when the script has ended.
ANSWERING = 25
#: Seconds of computing after its time in which a script may come to a place where it can be ended, and seconds after
#: which that is tried again.
LEAVING, RETRYING = 3.0, 0.05
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
_is_cut = False


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
        from symgrad.frontends.tracing import trace_unchecked
    except Exception:
        # Some declaration does more with them at import than naming: then they are loaded after all.
        for name in [*hollow, *(m for m in sys.modules if m.startswith("symgrad."))]:
            sys.modules.pop(name, None)
        import symgrad.frontends.driving  # noqa: F401
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


def rehearse() -> None:
    """In a child that waits for its script: all that can be done before it comes."""
    cut()
    with contextlib.suppress(Exception):
        answer_of(load()(REHEARSAL, "rehearsal.py").to_json())


def cut() -> None:
    """Ask Linux for a network namespace of nothing, no new privileges, and death with the parent. All best effort."""
    global _is_cut  # noqa: PLW0603  (of the process)
    if _is_cut:
        return
    _is_cut = True
    with contextlib.suppress(Exception):
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        pr_set_pdeathsig, pr_set_no_new_privs, sigkill = 1, 38, 9
        clone_newuser, clone_newnet = 0x10000000, 0x40000000
        libc.prctl(pr_set_pdeathsig, sigkill, 0, 0, 0)
        libc.prctl(pr_set_no_new_privs, 1, 0, 0, 0)
        libc.unshare(clone_newuser | clone_newnet)


def limit(memory: int, seconds: float) -> None:
    """Resource limits: they cannot be raised again."""

    def lower(which: int, value: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))

    # What the imports have mapped already is not the script's.
    mapped = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Without Python's files: they touch a megabyte that would have to be copied.
        descriptor = os.open("/proc/self/statm", os.O_RDONLY)
        try:
            mapped = int(os.read(descriptor, 256).split()[0]) * resource.getpagesize()
        finally:
            os.close(descriptor)
    lower(resource.RLIMIT_AS, mapped + memory)
    # Neither is what they have cost in time. The watchdog comes first and says where; this is for what it cannot stop.
    most = int(time.process_time() + seconds) + ANSWERING
    with contextlib.suppress(OSError, ValueError):
        # Of two equal limits only the harder one would be noticed, and nothing could be said any more.
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 2))
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NPROC, 0)
    lower(resource.RLIMIT_NOFILE, 3)


def watch(seconds: float) -> None:
    """Have the process write the line that it is at and end, when its time is over, even in the midst of one C call.

    It is a signal that does so, and not ``faulthandler.dump_traceback_later``: the thread of the latter reads the
    frames of an interpreter that runs on meanwhile, and crashes over them more often than not.
    """
    for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGPROF):
        # The handler before, which is called in turn, ends the process.
        faulthandler.unregister(number)
        signal.signal(number, signal.SIG_DFL)
        faulthandler.register(number, file=2, all_threads=False, chain=True)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))


def watch_kindly(seconds: float, tracer: Any) -> None:
    """When its time is over, have the recorder end the run where what was recorded is whole, so that it can be used.

    A script that does not come to such a place, within one call or in an ``except`` that catches everything, is ended
    as by :func:`watch` when it has computed for some seconds more.
    """

    def over(_number: int, frame: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, RETRYING)
        tracer.out_of_time(frame, seconds)

    faulthandler.unregister(signal.SIGALRM)
    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.001) + LEAVING)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))


def unwatch() -> None:
    """The script has ended in time, or has been ended."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)


class Wall:
    """The audit hook. It cannot be removed."""

    def __init__(self, tracer: Any) -> None:
        self.closed = False
        #: How often code may still be started: once for the script, and once for each file that it imports.
        self.runs = 1
        self.tracer = tracer
        sys.addaudithook(self.event)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """While our own code looks into functions. No code of the script's runs in it."""
        before, self.closed = self.closed, False
        try:
            yield
        finally:
            self.closed = before

    def renew(self, tracer: Any, runs: int) -> None:
        """The script is about to be run, for another recorder; with so many files."""
        self.tracer, self.runs = tracer, runs

    def event(self, name: str, details: tuple[Any, ...]) -> None:
        if not self.closed or name in HARMLESS or (name == "object.__getattr__" and details[1] in OURS):
            return
        if name == "exec" and self.runs > 0:
            self.runs -= 1  # the script itself, or a file that it imports
            return
        # Saying why reads frames again.
        self.closed = False
        try:
            self.tracer.stop("refused", f"the script reaches outside the sandbox ({name})")
        finally:
            self.closed = True


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
    serve(main, rehearse)


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
        data = answer_of(made.to_json())
    except MemoryError:
        late = made.error if made is not None and made.error is not None and made.error.kind == "time" else None
        del made
        gc.collect()
        error = TraceError("limit", "the trace does not fit into the memory that the script may have")
        error = error if late is None else replace(late, kind="limit")
        data = answer_of(Trace(Graph((), 0, source), (), error=error).to_json())
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
    wall.renew(run.tracer, 2 + len(run.library.siblings.texts))
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

    def start() -> tuple[Any, Any]:
        with wall.opened():
            run = Hosted(source, filename, siblings, wall.opened)
            run.given = given_values(plan["globals"])
            wall.renew(run.tracer, 2 + len(run.library.siblings.texts))
            try:
                code = run.compile()
            except Stop as e:
                return run, e.error
        wall.closed = True
        watch_kindly(seconds * SHARE, run.tracer)
        error = run.attempt(lambda: exec(code, run.namespace()))
        unwatch()
        watch(max(end - time.monotonic(), 1.0))
        if error is not None and not error.fatal:
            run.tracer.revive()
        return run, error

    trace = Driver(Plan.from_json(plan), start).drive()
    unwatch()
    return trace
