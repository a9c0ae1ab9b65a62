"""A process that has imported everything the sandbox needs, and forks a fresh child from itself for every script.

It never runs a script, reads one, or sees what a child says: it is sent three pipe ends and a fourth for the child's
status, and forks. The child ends up as one that was started by itself would: its own session, those three descriptors
and no others. So a script can no more reach another than before; only the imports are not paid for every time.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Callable

#: Descriptors above this are not open: none is inherited but what was sent.
HIGHEST = 1024


def serve(child: Callable[[], None]) -> None:
    """Fork a child for every set of descriptors that comes by standard input, a socket, until that is closed.

    ``child`` reads its request from descriptor 0 and never returns.
    """
    channel = socket.socket(fileno=0)
    # What is alive now is never collected, in no child: so its memory stays shared.
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    watched: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(watched)
        if channel.fileno() in ready:
            word, given, _, _ = socket.recv_fds(channel, 1, 4)
            if not word:
                break
            pid = os.fork()
            if pid == 0:
                _become(given)
                child()
                os._exit(70)
            watched[pid] = given.pop()
            for descriptor in given:
                os.close(descriptor)
    for pid in watched:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _reap(watched: dict[int, int]) -> None:
    """Tell each child's status to whoever waits for it."""
    while watched:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        told = watched.pop(pid)
        with contextlib.suppress(OSError):
            os.write(told, f"e{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(told)


def _become(given: list[int]) -> None:
    """In the child: a session of its own, and nothing open but the three descriptors."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    # Its number is told from here on: before, its group could not be ended.
    os.write(given[3], f"p{os.getpid()}\n".encode())
    for target in range(3):
        os.dup2(given[target], target)
    os.closerange(3, HIGHEST)
