"""Warm workers as seen by whoever has submissions to grade: taken from a pool, put back, and replaced when they die."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from symgrad.errors import InternalError, SymgradError
from symgrad.grading.assignment import Assignment

#: Seconds in which a worker must have imported everything and read the assignment.
STARTING = 180.0
#: Seconds beyond the budget of a submission in which its worker must have answered.
GRACE = 30.0
#: How often a submission is tried whose worker died.
TRIES = 3

_CODE = "import sys; sys.path[:] = {path!r}; from symgrad.grading.worker import main; main()"


class Handle:
    """A worker process for one assignment.

    Raises:
        SymgradError: the assignment cannot be used.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.budget = assignment.budget
        path = [p for p in sys.path if p]
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        one = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _CODE.format(path=[os.path.abspath(p) for p in path])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env | one, start_new_session=True,
        )  # fmt: skip
        self._rest = bytearray()
        answer = self._ask(assignment.to_json(), STARTING)
        if "error" in answer:
            self.close()
            raise SymgradError(str(answer["error"]).removeprefix("error: "))

    def grade(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The document of one submission.

        Raises:
            InternalError: the worker has died.
        """
        return self._ask(task, self.budget + GRACE)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _ask(self, document: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(document).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as e:
            raise InternalError(f"a worker has ended: {e}") from e
        fd, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._rest:
            wait = deadline - time.monotonic()
            ready = select.select([fd], [], [], wait)[0] if wait > 0 else []
            part = os.read(fd, 1 << 16) if ready else b""
            if not part:
                raise InternalError("a worker has ended" if ready else "a worker does not answer")
            self._rest += part
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest = bytearray(rest)
        answer: dict[str, Any] = json.loads(line)
        return answer


class Pool:
    """The workers of this process that have nothing to do, by assignment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[Handle]] = {}
        self._owner = os.getpid()
        atexit.register(self.close)

    def grade(self, data: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
        """Grade one submission; a worker that dies over it is replaced, and the submission tried again."""
        assignment = Assignment.from_json(data)
        key = assignment.fingerprint
        problem: Exception | None = None
        for _ in range(TRIES):
            handle = self._take(key) or Handle(assignment)
            try:
                answer = handle.grade(task)
            except InternalError as error:
                handle.process.kill()
                handle.close()
                problem = error
                continue
            except BaseException:
                handle.process.kill()
                handle.close()
                raise
            with self._lock:
                self._idle.setdefault(key, []).append(handle)
            return answer
        raise InternalError(f"no worker survives {task['name']!r}: {problem}")

    def _take(self, key: str) -> Handle | None:
        with self._lock:
            if self._owner != os.getpid():  # forked: the workers are the other process's
                self._idle, self._owner = {}, os.getpid()
            idle = self._idle.get(key)
            return idle.pop() if idle else None

    def close(self) -> None:
        """End all workers that have nothing to do."""
        with self._lock:
            handles = [h for idle in self._idle.values() for h in idle] if self._owner == os.getpid() else []
            self._idle = {}
        for handle in handles:
            handle.close()


POOL = Pool()


def run_task(data: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """Grade one submission in this process's pool: what an executor is given to do.

    Args:
        data: the assignment, :meth:`Assignment.to_json`; task: the submission, :func:`symgrad.grading.worker.to_task`.

    Raises:
        SymgradError: the assignment cannot be used.
        InternalError: workers die, whatever is tried.
    """
    return POOL.grade(data, task)


__all__ = ["POOL", "Handle", "Pool", "run_task"]
