"""The caller's side of a sandbox that is kept warm: many scripts, each in a locked-in process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from symgrad.errors import InternalError
from symgrad.frontends import sandbox
from symgrad.frontends.plan import Plan
from symgrad.frontends.sandbox import Answer, converse, read_answer, request_of
from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace.data import Trace

#: Seconds in which the nursery must have forked or buried a child.
MINDING = 30.0


class Nursery:
    """A warm sandbox; see :mod:`symgrad.frontends.trace.nursery`.

    It may be used by a process that was forked from the one that started it, but by one process at a time.
    """

    def __init__(self) -> None:
        self.process = sandbox.start("nursery")
        self._rest = b""
        self._hear(sandbox.STARTING)

    def close(self) -> None:
        """End it and its children."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        with contextlib.suppress(Exception):
            self.process.wait(2.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait()

    def run(
        self, source: str, filename: str, *, timeout: float = 20.0, memory_mb: int = sandbox.DEFAULT_MEMORY_MB,
        plan: Plan | None = None, beside: Siblings | None = None, given: Mapping[str, Any] | None = None,
    ) -> Trace:  # fmt: skip
        """Trace one script; see :meth:`symgrad.frontends.sandbox.Sandbox.run`.

        Args:
            beside: the files that it may import, as texts.

        Raises:
            SymgradError: it does not parse, does something that is refused, or passes a limit; with its line.
            InternalError: the nursery itself has ended.
        """
        request = request_of(source, filename, timeout, memory_mb << 20, plan, beside or Siblings(), given)
        return read_answer(self._exchange(request, timeout), source, filename, timeout)

    def _exchange(self, request: bytes, timeout: float) -> Answer:
        with tempfile.TemporaryDirectory(prefix="symgrad-") as folder, contextlib.ExitStack() as closing:
            paths = {name: os.path.join(folder, name) for name in ("request", "out", "err")}
            with open(paths["request"], "wb") as file:
                file.write(request)
            fds = []
            for name in ("out", "err"):
                os.mkfifo(paths[name], 0o600)
                fds.append(os.open(paths[name], os.O_RDONLY | os.O_NONBLOCK))
                closing.callback(os.close, fds[-1])
            number = int(self._ask(paths)["pid"])

            def abort() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGABRT)

            try:
                answer = converse(fds[0], fds[1], timeout, abort=abort)
            finally:
                status = int(self._ask({"end": number})["status"])
            return answer if answer.late or answer.status else replace(answer, status=status)

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            os.write(self.process.stdin.fileno(), json.dumps(command).encode() + b"\n")
        except OSError as e:
            raise InternalError(f"the warm sandbox has ended: {e}") from e
        return self._hear(MINDING)

    def _hear(self, seconds: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        fd, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]
            data = os.read(fd, 1 << 16) if ready else b""
            if not data:
                raise InternalError("the warm sandbox does not answer")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


__all__ = ["Nursery"]
