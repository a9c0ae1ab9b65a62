"""A grader kept warm: a process that has imported everything once, and forks the processes that do the work.

It reads the assignment and then submissions from standard input, one JSON document a line, and writes one document for
each. Two kinds of processes are forked:

* a *run* of a submission's code, from the sandbox's nursery (:mod:`symgrad.frontends.trace.nursery`): a process of its
  own for each run, locked in before it begins. Nothing of it is left but a document that is checked field by field;
* the *grader*, from this process: it unpacks submissions, asks for runs and diagnoses them. It runs symgrad's own code
  only, so that one serves for some submissions. Limits of time and memory are set for each all the same, since a
  submission decides what it works on: one that passes them takes its grader down, and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from symgrad.errors import SymgradError
from symgrad.frontends import children
from symgrad.frontends.warm import Nursery
from symgrad.grading.assignment import Assignment
from symgrad.grading.entry import lost
from symgrad.grading.feedback import with_feedback
from symgrad.grading.one import grade
from symgrad.grading.submissions import Submission
from symgrad.grading.truth import Truth, truth_of

#: Bytes that grading one submission may take, beside what is there already.
GRADER_MEMORY = 3 << 30
#: So many submissions are graded by one process, since its first steps, on memory that it must copy, are the dearest.
BATCH = 25
#: A grader that has grown by more than so many kilobytes gives its memory back: it was the last of its batch.
GROWN = 256 << 10
#: A document is not longer than this.
MAX_DOCUMENT = 64 << 20


def main() -> None:
    """Serve until standard input ends. Standard output carries documents and nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    first = source.readline()
    if not first:
        return
    worker = Worker(Assignment.from_json(json.loads(first)))
    _say(sink, {"ready": True} if worker.trouble is None else {"error": worker.trouble})
    for line in source:
        if worker.trouble is not None:
            break
        _say(sink, worker.grade(from_task(json.loads(line))))
    worker.close()


def _say(fd: int, document: Mapping[str, Any]) -> None:
    data = memoryview(json.dumps(document, allow_nan=False).encode() + b"\n")
    while data:
        data = data[os.write(fd, data) :]


def to_task(submission: Submission) -> dict[str, Any]:
    """A submission as JSON."""
    files = {path: base64.b64encode(data).decode("ascii") for path, data in submission.files.items()}
    return {"name": submission.name, "files": files, "trouble": submission.trouble}


def from_task(task: Mapping[str, Any]) -> Submission:
    """The inverse of :func:`to_task`."""
    files = {path: base64.b64decode(data) for path, data in task["files"].items()}
    return Submission(task["name"], files, task["trouble"])


class Worker:
    """Grades submissions to one assignment.

    Attributes:
        trouble: what is wrong with the assignment; nothing can be graded then.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.nursery = Nursery()
        self.truth: Truth | None = None
        self.trouble: str | None = None
        self.grader: _Grader | None = None
        try:
            self.truth = truth_of(assignment, self.nursery.run)
            self._warm()
        except SymgradError as error:
            self.trouble = error.render()
        gc.collect()
        gc.freeze()

    def _warm(self) -> None:
        """Grade the reference itself: what that imports and looks up is there for all submissions."""
        if self.assignment.reference and self.truth is not None:
            own = Submission(self.assignment.reference_name, {"warm.py": self.assignment.reference.encode()})
            with_feedback(grade(own, self.assignment, self.truth, self.nursery.run))

    def close(self) -> None:
        """End the grader and the sandbox."""
        if self.grader is not None:
            self.grader.close()
            self.grader = None
        self.nursery.close()

    def grade(self, submission: Submission) -> dict[str, Any]:
        """The document of one submission, whatever happens to the process that makes it."""
        if self.grader is None:
            self.grader = _Grader(self)
        documents, why = self.grader.grade(submission)
        if why:
            self.grader.close()
            # A run of its code may be under way, which only the sandbox's nursery knows.
            self.nursery.renew()
        if why or self.grader.has_ended:
            self.grader = None
        if documents:
            # The first is of the results alone; it stands where the second never came.
            document = documents[-1]
            if why:
                document["note"] = f"{document.get('note', '')} ({why})".strip()
                document["review"] = [*document["review"], why]
                document = with_feedback(document)
            return document
        return with_feedback(lost(submission, self.assignment, self.truth, f"it could not be graded: {why}"))


class _Grader:
    """A process forked from the worker that grades some submissions, one after the other.

    Attributes:
        has_ended: it has answered its last submission, and was waited for.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.budget = worker.assignment.budget
        self.has_ended = False
        theirs, self._ask = os.pipe()
        self._answers, into = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._ask)
            os.close(self._answers)
            _serve(worker, theirs, into)
        os.close(theirs)
        os.close(into)

    def grade(self, submission: Submission) -> tuple[list[dict[str, Any]], str]:
        """What it said of a submission, and why it did not come to the end, if so."""
        deadline = time.monotonic() + self.budget
        with contextlib.suppress(BrokenPipeError):  # it has died; that shows below
            _say(self._ask, to_task(submission))
        documents: list[dict[str, Any]] = []
        data = bytearray()
        size = 0
        while True:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([self._answers], [], [], wait)[0]:
                return documents, f"grading it took more than {self.budget:g} s"
            part = os.read(self._answers, 1 << 16)
            if not part:
                status = self._wait()
                why = "it needs too much memory or time" if status < 0 else f"its grader ended with {status}"
                return documents, why
            data += part
            size += len(part)
            if size > MAX_DOCUMENT:
                return documents, "its report is too large"
            *lines, data = data.split(b"\n")
            documents += [json.loads(line) for line in lines]
            if documents and "more" in documents[-1]:
                if not documents[-1].pop("more"):
                    self.close()
                return documents, ""

    def close(self) -> None:
        """End it."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self.has_ended = True
        os.close(self._ask)
        os.close(self._answers)
        return status


def _serve(worker: Worker, source: int, into: int) -> None:
    """The grader's own process. It ends here."""
    status, name = 70, ""
    try:
        children.borrow()
        _limit_memory()
        assert worker.truth is not None

        def early(document: dict[str, Any]) -> None:
            _say(into, with_feedback(document))

        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with os.fdopen(source, "rb") as tasks:
            for n, line in enumerate(tasks, 1):
                submission = from_task(json.loads(line))
                name = submission.name
                _limit_time(worker.assignment.budget)
                document = grade(submission, worker.assignment, worker.truth, worker.nursery.run, early)
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
                more = n < BATCH and grown < GROWN
                _say(into, {**with_feedback(document), "more": more})
                if not more:
                    break
        status = 0
    except BaseException as problem:
        # For whoever looks after the worker; the caller is told the status.
        with contextlib.suppress(BaseException):
            sys.stderr.write(f"symgrad: {name}: {type(problem).__name__}: {problem}\n")
            if os.environ.get("SYMGRAD_TRACEBACK"):
                import traceback

                traceback.print_exc()
            sys.stderr.flush()
    os._exit(status)


def _limit_memory() -> None:
    """The memory of a grader: what it works on comes from strangers."""
    mapped = 0
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    for which, value in ((resource.RLIMIT_AS, mapped + GRADER_MEMORY), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))


def _limit_time(budget: float) -> None:
    """The processor time until the next submission is through. The worker looks at the clock, and comes first."""
    most = int(time.process_time() + budget) + 5
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


__all__ = ["Worker", "from_task", "main", "to_task"]
