"""What the sandbox's child locks itself in with: limits, time, no network, and an audit hook that ends the run.

The language guards already leave a script no way to try; this is the wall behind them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
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

_is_cut = False


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
        #: How often code may still be started: once for the script, and once for each text that it imports.
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
