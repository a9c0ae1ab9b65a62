"""Running a stranger's file under tracing, in a child process that is locked in.

What is promised: the file's code runs in another process, in a subset of Python whose every attribute access is checked
against an allow-list, with facades in place of ``math``, NumPy and torch; without files, network, subprocesses or
imports; within limits of time, memory and output; and only JSON comes back, which is checked field by field. An
attempt to leave is an error with its line.

What is not promised: this is no virtual machine. A bug in CPython's or NumPy's C code that can be reached by arithmetic
alone could be used to run code in the child; it would then run as the same user. The network is cut by a namespace only
where Linux allows that to unprivileged processes; elsewhere the child is without it only because its language is.
Limits on memory and processes are those of the operating system, which is more lenient to root.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symgrad.effort import ran
from symgrad.errors import InternalError, Span, SymgradError
from symgrad.frontends import children
from symgrad.frontends.plan import Plan
from symgrad.frontends.siblings import Siblings, siblings
from symgrad.frontends.starting import command, environment
from symgrad.frontends.texts import read_source
from symgrad.frontends.trace.child import BEGUN
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.locks import ANSWERING
from symgrad.frontends.trace.places import CODE_NAME
from symgrad.frontends.trace.wire import from_json
from symgrad.frontends.trace.writes import whole

#: More than this from the child is not a trace.
MAX_ANSWER = 256 << 20
DEFAULT_MEMORY_MB = 1024

#: Seconds that the child may take to start, before its script runs: a loaded machine is slow to import.
STARTING = 60.0
#: Seconds beyond the script's own limit in which the child must have ended itself, or answered.
ENDING = ANSWERING + 5.0
#: Seconds that a child which has not ended itself is given to say where it is.
CONFESSING = 3.0

#: How a child ends that is ended for its time.
_TIMERS = (-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGPROF)

#: A line of faulthandler's report. Its innermost frame comes first.
_FRAME = re.compile(rf'File "{re.escape(CODE_NAME)}", line (\d+)')


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child left: its document, its standard error, how it ended, whether the script had begun, and whether it
    ended after its time."""

    data: bytes
    errors: str
    status: int
    late: bool
    begun: bool = True
    overdue: bool = False


class Sandbox:
    """A child process that has been started and waits for a script.

    Starting it early lets its imports run beside the caller's own: ``with Sandbox() as s: ...; s.run(source, name)``.
    """

    def __init__(self, *, timeout: float = 20.0, memory_mb: int = DEFAULT_MEMORY_MB) -> None:
        self.timeout = timeout
        self.memory = memory_mb << 20
        #: The child has told all that it had to tell, and is about to end: nobody waits for that.
        self._answered = False
        #: From a nursery, whose imports are done: see ``children``.
        self.process: subprocess.Popen[bytes] | children.Child
        self.process = children.child(command("nurse"), environment()) or _start()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, and whatever it may have started."""
        if isinstance(self.process, children.Child):
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._answered and isinstance(self.process, children.Child):
            self.process.leave()
        else:
            self.process.wait()

    def run(
        self,
        source: str,
        filename: str,
        plan: Plan | None = None,
        beside: str | Siblings = "",
        given: Mapping[str, Any] | None = None,
        patient: bool = False,
    ) -> Trace:
        """Trace one script. A sandbox runs one, and is closed after it.

        With a plan the functions that it names are called when the script has ended, and they are the trace.
        ``beside`` is the path of the script, where its name is not: the files that it imports are looked for there; or
        these files themselves.
        ``given`` are values of top-level names in place of what the script would assign; see ``plan.given_values``.
        ``patient``: loops that train have all their rounds, as far as these are not too many for anybody.

        Raises:
            SymgradError: it does not parse, does something that is refused, or passes a limit; with its line.
        """
        others = beside if isinstance(beside, Siblings) else _siblings(beside or filename, source)
        request = {
            "source": source, "filename": filename, "timeout": self.timeout, "memory": self.memory,
            "plan": None if plan is None else plan.to_json(),
            "given": dict(given or {}), "siblings": others.to_json(), "patient": patient,
        }  # fmt: skip
        data = json.dumps(request).encode()
        try:
            answer = self._exchange(data)
            if not answer.data and not answer.begun and not answer.late and isinstance(self.process, children.Child):
                # The nursery did not come up: a child of our own says why.
                self.close()
                self.process = _start()
                answer = self._exchange(data)
        finally:
            self.close()
        trace = _read(answer, source, filename, self.timeout)
        if trace.error is not None and trace.error.fatal:
            raise trace.error.exception(source)
        return whole(trace)

    def _exchange(self, request: bytes) -> Answer:
        """Send the request and collect the answer, within the time and the size."""
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        # The child stops itself at its time limit and says where. This is for a child that cannot, and for its imports.
        deadline = time.monotonic() + STARTING
        begun = late = False
        begin = math.inf
        parts: dict[int, bytearray] = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
        with selectors.DefaultSelector() as selector:
            for stream in (process.stdin, process.stdout, process.stderr):
                os.set_blocking(stream.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            left = memoryview(request)
            while selector.get_map():
                wait = deadline - time.monotonic()
                ready = selector.select(wait) if wait > 0 else []
                if not ready:
                    if late or not begun:
                        late = True
                        break
                    # Its fault handler writes the line that it is at.
                    late = True
                    deadline = time.monotonic() + CONFESSING
                    process.send_signal(signal.SIGABRT)
                    continue
                for key, _ in ready:
                    if key.fileobj is process.stdin:
                        try:
                            left = left[os.write(key.fd, left[: 1 << 16]) :]
                        except BrokenPipeError:
                            left = left[:0]
                        if not left:
                            selector.unregister(process.stdin)
                            process.stdin.close()
                        continue
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif not begun and key.fileobj is process.stderr and BEGUN in parts[key.fd] + data:
                        begun = True
                        begin = time.monotonic()
                        deadline = begin + self.timeout + ENDING
                        parts[key.fd] += data
                    elif len(parts[key.fd]) < MAX_ANSWER:
                        parts[key.fd] += data
                    else:
                        return Answer(b"", "", 1, late=False)
        out, err = parts.values()
        # What has answered in full has nothing more to say by how it ends.
        self._answered = not late and out.endswith(b"}") and isinstance(process, children.Child)
        status = 0 if late or self._answered else process.wait()
        overdue = time.monotonic() - begin >= self.timeout
        return Answer(bytes(out), bytes(err[-65536:]).decode(errors="replace"), status, late, begun, overdue)


def _start() -> subprocess.Popen[bytes]:
    """A child that imports everything by itself."""
    return subprocess.Popen(
        command("main"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
        env=environment(), start_new_session=True,
    )  # fmt: skip


def run_file(path: str | os.PathLike[str], *, timeout: float = 20.0, memory_mb: int = DEFAULT_MEMORY_MB) -> Trace:
    """Trace a script in the sandbox.

    Raises:
        SymgradError: the file cannot be read or does not parse, does something that is refused, or passes a limit. An
            exception of the script's own, or something that cannot be traced yet, is the trace's ``error`` instead.
    """
    return run_source(read_source(path), os.fspath(path), timeout=timeout, memory_mb=memory_mb)


def run_source(
    source: str,
    filename: str = "<script>",
    *,
    timeout: float = 20.0,
    memory_mb: int = DEFAULT_MEMORY_MB,
    plan: Plan | None = None,
    beside: str | Siblings = "",
    given: Mapping[str, Any] | None = None,
) -> Trace:
    """Trace a script's text in the sandbox; see :func:`run_file`, and :meth:`Sandbox.run`.

    Of a loop that trains few rounds are traced. What fails after it is run once more, with all of them.
    """
    begin = time.monotonic()
    with Sandbox(timeout=timeout, memory_mb=memory_mb) as sandbox:
        trace = sandbox.run(source, filename, plan, beside, given)
    ran(time.monotonic() - begin)
    if trace.error is None or not trace.hurried or trace.error.kind == "time":
        return trace
    try:
        with Sandbox(timeout=timeout, memory_mb=memory_mb) as sandbox:
            return sandbox.run(source, filename, plan, beside, given, patient=True)
    except SymgradError:
        return trace


def _siblings(filename: str, source: str) -> Siblings:
    """The files beside a file that it imports; none where the text is not a file's."""
    return siblings(filename, source) if os.path.isfile(filename) else Siblings()


def _read(answer: Answer, source: str, filename: str, timeout: float) -> Trace:
    """The child's document as a trace, or why there is none."""
    if answer.data and not answer.late:
        try:
            document: Any = json.loads(answer.data)
            return from_json(document)
        except (ValueError, RecursionError, InternalError, AttributeError, TypeError) as e:
            raise SymgradError(f"{filename}: the sandbox gave no usable answer") from e
    if answer.late and not answer.begun:
        raise SymgradError(f"{filename}: the sandbox did not start within {STARTING:g} s: the machine is too busy")
    line = _FRAME.search(answer.errors)
    # Where no line was running, the text was still being read: that is its beginning.
    span = _line_span(source, filename, int(line[1]) if line else 1)
    # A process that is told to write where it is, in the midst of a C call, may come to grief over that.
    if answer.late or answer.status in _TIMERS or (answer.overdue and answer.status < 0):
        error = SymgradError(
            f"the script does not end within {timeout:g} s", span, source=source,
            hint="raise the limit with --timeout, or shorten the loop",
        )  # fmt: skip
        error.kind = "limit"
        raise error
    if "Fatal Python error" in answer.errors or answer.status < 0:
        error = SymgradError("the script brought its process down", span, source=source)
        error.kind = "limit"
        raise error
    detail = answer.errors.strip().split("\n")[-1]
    raise InternalError(f"the sandbox could not be started: {detail or f'status {answer.status}'}")


def _line_span(source: str, filename: str, number: int) -> Span:
    lines = source.split("\n")
    text = lines[number - 1] if 0 < number <= len(lines) else ""
    start = len(text) - len(text.lstrip())
    return Span(filename, number, start + 1, number, max(len(text.rstrip()), start + 1) + 1)
