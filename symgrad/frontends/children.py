"""Children for the sandbox that cost a fork, not an interpreter and its imports: from a nursery that waits for them.

The first sandbox of a process starts the nursery, all of them use it, and it ends with the process. Where there is no
``fork`` that is safe, or the nursery has gone, a sandbox starts its child by itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

#: Whether children can come from a nursery: forking a process that has loaded NumPy is safe on Linux.
POSSIBLE = sys.platform == "linux" and hasattr(socket, "send_fds")

_lock = threading.Lock()


class Nursery:
    """The process, and the socket that it is asked by."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.key = (tuple(command), tuple(sorted(environment.items())))
        self.owner = os.getpid()
        #: It is another process's, from which this one was forked.
        self.borrowed = False
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = subprocess.Popen(
                list(command), stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                env={**environment}, start_new_session=True,
            )  # fmt: skip

    def usable(self, key: tuple[object, ...]) -> bool:
        """Whether it is this process's own, as wanted, and alive."""
        if self.borrowed:
            return self.key == key
        return self.owner == os.getpid() and self.key == key and self.process.poll() is None


_nursery: Nursery | None = None


def child(command: Sequence[str], environment: Mapping[str, str]) -> Child | None:
    """A new child of the nursery that ``command`` starts, or ``None`` where there can be none."""
    global _nursery  # noqa: PLW0603  (one for the process)
    if not POSSIBLE:
        return None
    with _lock:
        key = (tuple(command), tuple(sorted(environment.items())))
        for _ in range(2):
            if _nursery is None or not _nursery.usable(key):
                _end()
                _nursery = Nursery(command, environment)
            try:
                return Child(_nursery.channel)
            except OSError:
                _nursery.process.kill()
                _nursery.process.wait()
    return None


def borrow() -> None:
    """In a process that was forked from the one that started the nursery, and that ends before it: use that nursery."""
    if _nursery is not None:
        _nursery.borrowed = True


def renew() -> None:
    """End the nursery with all of its children: the next sandbox starts another."""
    with _lock:
        _end()


def _end() -> None:
    """Let go of a nursery that is of no use. One of another process lives on: it is that one's."""
    global _nursery  # noqa: PLW0603
    if _nursery is not None:
        _nursery.channel.close()
        if _nursery.owner == os.getpid():
            with contextlib.suppress(OSError):
                _nursery.process.kill()
            _nursery.process.wait()
    _nursery = None


class Child:
    """One child, as ``subprocess.Popen`` would show it."""

    def __init__(self, channel: socket.socket) -> None:
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for reads in (True, False, False, False):
                read, write = os.pipe()
                ours.append(write if reads else read)
                theirs.append(read if reads else write)
            socket.send_fds(channel, [b"c"], theirs)
        except OSError:
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.stdin: IO[bytes] | None = os.fdopen(ours[0], "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(ours[1], "rb", buffering=0)
        self.stderr: IO[bytes] | None = os.fdopen(ours[2], "rb", buffering=0)
        self._status = os.fdopen(ours[3], "rb", buffering=0)
        self._told = b""
        self._number = 0
        self.returncode: int | None = None

    def _listen(self, *, wait: bool) -> bool:
        """Read what is told of the child; false where there is nothing, or nothing more."""
        if self.returncode is not None or not (wait or select.select([self._status], [], [], 0)[0]):
            return False
        data = self._status.read(64) or b""
        self._told += data
        *lines, self._told = self._told.split(b"\n")
        for line in lines:
            if line.startswith(b"p"):
                self._number = int(line[1:])
            elif line.startswith(b"e"):
                self.returncode = int(line[1:])
        if not data:
            # The nursery has gone, and took its children with it.
            self.returncode = -signal.SIGKILL
        if self.returncode is not None:
            self._status.close()
        return True

    @property
    def pid(self) -> int:
        """Its number; 0 where it never came to be. Waits until the nursery has made it."""
        while not self._number and self._listen(wait=True):
            pass
        return self._number

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        while self._listen(wait=False):
            pass
        if self.returncode is None and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and what it may have started."""
        while self._listen(wait=False):
            pass
        if self.returncode is None and self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def leave(self) -> None:
        """Ask no more how it ends: it has done all that it was to do. The nursery waits for it."""
        if self.returncode is None:
            self._status.close()
            self.returncode = 0

    def wait(self) -> int:
        """Wait until it has ended: its exit code, or minus the signal that ended it."""
        while self.returncode is None:
            self._listen(wait=True)
        return self.returncode
