"""A process that has imported everything the sandbox needs, and forks a fresh child from itself for every script.

It never runs a script, reads one, or sees what a child says: it is sent three pipe ends and a fourth for the child's
status, and hands them to a child. The child ends up as one that was started by itself would: its own session, those
three descriptors and no others. So a script can no more reach another than before; only the imports are not paid for
every time.

Children are forked before they are asked for, where there is time. While one waits it runs a few lines of ours, so that
the memory that a run writes to is its own by then: half of what a short script took went into copying that. These lines
cost more than they save, so they are for a core that is idle. A check takes two children, the second soon after the
first. Where more are asked for, the nursery runs these lines some times itself when it has nothing else to do: Python
makes code faster that has been run before, and every child inherits that.
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
#: So many children wait; the second is forked when nobody has asked for this time, in seconds.
SPARES, APART = 2, 0.012
#: How often the nursery runs what a child runs while it waits, and after how many children that were asked for.
PRACTICE, PRACTISES_AFTER = 12, 2
#: After these times, in seconds, a child that waits looks whether some core is idle, and then gives up.
LOOKS = (0.0, 0.01, 0.02, 0.04, 0.08)


class _Spare:
    """A child that waits for its descriptors; it ends where none can come any more."""

    def __init__(self, child: Callable[[], None], ready: Callable[[], None], practise: Callable[[], None]) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid:
            theirs.close()
            return
        code = 0
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(theirs.detach(), 3)
            os.closerange(4, HIGHEST)
            os.dup2(1, 0)  # nothing is read before it is given
            waiting = socket.socket(fileno=3)
            ready()
            for pause in LOOKS:
                if select.select([waiting], [], [], pause)[0]:
                    break
                if is_idle():
                    practise()
                    break
            word, given, _, _ = socket.recv_fds(waiting, 1, 4)
            waiting.detach()
            if word:
                _take(given)
                child()
                code = 70
        finally:
            os._exit(code)

    def give(self, descriptors: list[int]) -> bool:
        """Have it begin; false where it is there no longer."""
        try:
            socket.send_fds(self.channel, [b"c"], descriptors)
        except OSError:
            return False
        finally:
            self.channel.close()
        return True


def serve(
    child: Callable[[], None],
    ready: Callable[[], None] = lambda: None,
    practise: Callable[[], None] = lambda: None,
) -> None:
    """Fork a child for every set of descriptors that comes by standard input, a socket, until that is closed.

    ``child`` reads its request from descriptor 0 and never returns; ``ready`` is run by a child that has to wait, and
    ``practise`` by that child and here, where there is time.
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
    spares: list[_Spare] = []
    times, served = 0, 0
    while True:
        # Nobody asks for a child just now: the next one is made.
        while len(spares) < SPARES and not select.select([channel.fileno()], [], [], APART if spares else 0)[0]:
            spares.append(_Spare(child, ready, practise))
        while served >= PRACTISES_AFTER and times < PRACTICE:
            if select.select([channel.fileno(), woken], [], [], APART)[0]:
                break
            practise()
            times += 1
            if times == PRACTICE:
                # Those who wait have not seen it.
                while spares:
                    spares.pop().channel.close()
                gc.collect()
                gc.freeze()
        asked, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in asked:
            os.read(woken, 4096)
            gone = _reap(watched)
            for spare in [s for s in spares if s.pid in gone]:
                spare.channel.close()
                spares.remove(spare)
        if channel.fileno() in asked:
            word, given, _, _ = socket.recv_fds(channel, 1, 4)
            if not word:
                break
            pid = 0
            served += 1
            if spares:
                # The one that has waited longest is ready.
                spare = spares.pop(0)
                pid = spare.pid if spare.give(given) else 0
            if not pid:
                pid = os.fork()
                if pid == 0:
                    _become(given)
                    child()
                    os._exit(70)
            watched[pid] = given.pop()
            for descriptor in given:
                os.close(descriptor)
    for pid in (*watched, *(s.pid for s in spares)):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)


def is_idle() -> bool:
    """Whether no more is running than there are cores, this process counted; false where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Without Python's files: they touch a megabyte that would have to be copied.
        descriptor = os.open("/proc/loadavg", os.O_RDONLY)
        try:
            running = int(os.read(descriptor, 256).split()[3].split(b"/")[0])
        finally:
            os.close(descriptor)
        return running <= len(os.sched_getaffinity(0))
    return False


def _reap(watched: dict[int, int]) -> list[int]:
    """Tell each child's status to whoever waits for it; the children that had nobody yet."""
    alone: list[int] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return alone
        if pid == 0:
            return alone
        told = watched.pop(pid, None)
        if told is None:
            alone.append(pid)
            continue
        with contextlib.suppress(OSError):
            os.write(told, f"e{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(told)


def _become(given: list[int]) -> None:
    """In the child: a session of its own, and nothing open but the three descriptors."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    _take(given)


def _take(given: list[int]) -> None:
    # Its number is told from here on: before, its group could not be ended.
    os.write(given[3], f"p{os.getpid()}\n".encode())
    for target in range(3):
        os.dup2(given[target], target)
    os.closerange(3, HIGHEST)
