"""A grader kept warm: a process that has imported everything once, and forks one process for each submission.

It reads the assignment and then submissions from standard input, one JSON document a line, and writes one document for
each. Two kinds of processes are forked, and neither outlives its submission:

* the *grader* of one submission, from this process: it unpacks the submission, asks for runs and diagnoses them. Its
  code is symgrad's own; limits of time and memory are set all the same, since a submission decides what it works on;
* a *run* of its code, from the sandbox's nursery (:mod:`symgrad.frontends.trace.nursery`), locked in before it begins.
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
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from symgrad.errors import SymgradError
from symgrad.frontends import children
from symgrad.frontends.warm import Nursery
from symgrad.grading.assignment import Assignment
from symgrad.grading.feedback import with_feedback
from symgrad.grading.one import grade, lost
from symgrad.grading.submissions import Submission
from symgrad.grading.truth import Truth, truth_of

#: Bytes that grading one submission may take, beside what is there already.
GRADER_MEMORY = 3 << 30
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
    """Grades submissions to one assignment, each in a process of its own.

    Attributes:
        trouble: what is wrong with the assignment; nothing can be graded then.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.nursery = Nursery()
        self.truth: Truth | None = None
        self.trouble: str | None = None
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
        """End the sandbox."""
        self.nursery.close()

    def grade(self, submission: Submission) -> dict[str, Any]:
        """The document of one submission, whatever happens to the process that makes it."""
        with tempfile.TemporaryDirectory(prefix="symgrad-") as folder:
            documents, why = self._forked(submission, folder)
        if documents:
            # The first is of the results alone; it stands where the second never came.
            document = documents[-1]
            if why:
                document["note"] = f"{document.get('note', '')} ({why})".strip()
                document["review"] = [*document["review"], why]
                document = with_feedback(document)
            return document
        return with_feedback(lost(submission, self.assignment, self.truth, f"it could not be graded: {why}"))

    def _forked(self, submission: Submission, folder: str) -> tuple[list[dict[str, Any]], str]:
        """What the grader of a submission said, and why it ended before its end, if it did."""
        out, into = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(out)
            self._child(submission, into, folder)
        os.close(into)
        data = bytearray()
        deadline = time.monotonic() + self.assignment.budget
        why = ""
        while True:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([out], [], [], wait)[0]:
                why = f"grading it took more than {self.assignment.budget:g} s"
                break
            part = os.read(out, 1 << 16)
            if not part:
                break
            data += part
            if len(data) > MAX_DOCUMENT:
                why = "its report is too large"
                break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(out)
        whole, _, _ = bytes(data).rpartition(b"\n")
        documents = [json.loads(line) for line in whole.split(b"\n") if line]
        complete = bool(documents) and documents[-1].get("complete", False)
        if not complete:
            why = why or ("it needs too much memory or time" if status < 0 else f"its grader ended with {status}")
            # A run of its code may be under way, which only the sandbox's nursery knows.
            self.nursery.renew()
        for document in documents:
            document.pop("complete", None)
        return documents, "" if complete else why

    def _child(self, submission: Submission, into: int, folder: str) -> None:
        """The grader's own process. It ends here."""
        status = 70
        try:
            children.borrow()
            _limit(self.assignment.budget)
            tempfile.tempdir = folder
            assert self.truth is not None

            def early(document: dict[str, Any]) -> None:
                _say(into, with_feedback(document))

            document = grade(submission, self.assignment, self.truth, self.nursery.run, early)
            _say(into, {**with_feedback(document), "complete": True})
            status = 0
        except BaseException as problem:
            # For whoever looks after the worker; the caller is told the status.
            with contextlib.suppress(BaseException):
                sys.stderr.write(f"symgrad: {submission.name}: {type(problem).__name__}: {problem}\n")
                if os.environ.get("SYMGRAD_TRACEBACK"):
                    import traceback

                    traceback.print_exc()
                sys.stderr.flush()
        os._exit(status)


def _limit(budget: float) -> None:
    """Limits of a grader: what it works on comes from a stranger."""
    mapped = 0
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    for which, value in ((resource.RLIMIT_AS, mapped + GRADER_MEMORY), (resource.RLIMIT_CPU, int(budget) + 5),
                         (resource.RLIMIT_CORE, 0)):  # fmt: skip
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))


__all__ = ["Worker", "from_task", "main", "to_task"]
