"""A sandbox kept warm: a process that has imported what a run needs, and forks one locked-in child for each script.

This process never runs a line of a stranger's code. It reads commands, one JSON document a line, and answers each with
one line:

* ``{"request": PATH, "out": PATH, "err": PATH}``: fork a child, which reads the request from a file, answers into the
  first pipe and writes its errors to the second, as :mod:`symgrad.frontends.trace.child` does. Answer: its number.
* ``{"end": NUMBER}``: kill that child and whatever it may have left, and wait for it. Answer: its exit status.

The pipes are files of the caller's, made for this one run: a child shares no channel with the children before and after
it. A child is locked in exactly as one that was started for one script, and begins as a copy of this process, in which
nothing was ever run: so nothing of one script can be there in the next.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
from typing import Any

from symgrad.frontends.trace import child


def main() -> None:
    child.load()
    child.warm()
    # What a child imports first thing, in every run.
    import ctypes  # noqa: F401

    from symgrad.frontends.siblings import Siblings  # noqa: F401
    from symgrad.frontends.trace.data import Trace, TraceError  # noqa: F401
    from symgrad.graph import Graph  # noqa: F401

    gc.collect()
    gc.freeze()
    alive: set[int] = set()
    _say({"ready": True})
    for command in _commands():
        if "end" in command:
            number = int(command["end"])
            _say({"status": _end(number)})
            alive.discard(number)
        else:
            number = _fork(command)
            alive.add(number)
            _say({"pid": number})
    for number in alive:
        _end(number)


def _commands() -> Any:
    """The commands on standard input, until it is closed."""
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _say(document: dict[str, Any]) -> None:
    os.write(1, json.dumps(document).encode() + b"\n")


def _fork(command: dict[str, str]) -> int:
    """Start one child. Both pipes are open on the caller's side, so nothing here waits."""
    request = os.open(command["request"], os.O_RDONLY)
    out, err = (os.open(command[name], os.O_WRONLY) for name in ("out", "err"))
    number = os.fork()
    if number:
        for fd in (request, out, err):
            os.close(fd)
        return number
    try:
        os.setsid()
        for fd, place in ((request, 0), (out, 1), (err, 2)):
            os.dup2(fd, place)
        os.closerange(3, 1024)
        parts = []
        while data := os.read(0, 1 << 20):
            parts.append(data)
        child.locked(json.loads(b"".join(parts)))
    except BaseException as problem:
        # What the caller is told of a child that could not begin; nothing of this process's own loop may go on in it.
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
    os._exit(1)


def _end(number: int) -> int:
    """Kill a child and its session. Its number is its own until it has been waited for."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(number, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    return 1
