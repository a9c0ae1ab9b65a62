"""Grading a folder of submissions on any executor, so that it can be interrupted and go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symgrad.errors import InternalError, SymgradError
from symgrad.grading.assignment import Assignment, read_assignment
from symgrad.grading.pool import run_task
from symgrad.grading.results import SUMMARY, TABLE, locked, read_result, summary, table, write_result, write_whole
from symgrad.grading.submissions import Submission, entries, read
from symgrad.grading.worker import to_task

#: Called with (graded so far, of which were there already, submissions in all).
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class Graded:
    """What a run came to.

    Attributes:
        documents: one for each submission that was graded, in the order of their names, without feedback.
        failed: submission -> why it could not be graded.
        reused: how many were there already.
    """

    documents: tuple[dict[str, Any], ...]
    failed: dict[str, str]
    reused: int

    @property
    def exit_code(self) -> int:
        """0: all were graded."""
        return 1 if self.failed else 0


def grade_folder(
    submissions: str | os.PathLike[str],
    assignment: Assignment | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Graded:
    """Grade every submission in a folder.

    A run that was ended goes on where it was: what is there of the same submission and the same assignment is kept.

    Args:
        submissions: the folder; see :mod:`symgrad.grading.submissions`.
        assignment: an assignment, or its TOML file.
        out: where results are written.
        executor: whatever runs functions: threads, processes, a cluster. Each of its workers keeps a warm grader, and
            needs symgrad but no common disk. Threads by default.
        jobs: how many submissions are graded at a time; the number of processors by default.
        progress: is called when one is done.

    Raises:
        SymgradError: the folder or the assignment cannot be used.
    """
    made = assignment if isinstance(assignment, Assignment) else read_assignment(Path(assignment))
    paths = entries(Path(submissions))
    folder = Path(out)
    count = jobs or os.cpu_count() or 1
    with locked(folder):
        if executor is not None:
            found = _run(paths, made, folder, executor, count, progress)
        else:
            threads = ThreadPoolExecutor(count)
            try:
                found = _run(paths, made, folder, threads, count, progress)
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)  # who stops a run does not wait for it
                raise
            threads.shutdown()
        write_whole(folder / TABLE, table(found.documents))
        write_whole(folder / SUMMARY, summary(made.name, found.documents))
    return found


def _run(
    paths: list[Path], assignment: Assignment, out: Path, executor: Executor, jobs: int, progress: Progress | None
) -> Graded:
    documents: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    data, key = assignment.to_json(), assignment.fingerprint
    pending: dict[Future[dict[str, Any]], str] = {}
    reused = 0

    def tell() -> None:
        if progress is not None:
            progress(len(documents) + len(failed), reused, len(paths))

    def new() -> Iterator[Submission]:
        """The submissions that are still to be graded, read one by one."""
        nonlocal reused
        for path in paths:
            submission = read(path)
            known = read_result(out, submission.name, submission.fingerprint, key)
            if known is None:
                yield submission
            else:
                documents[submission.name] = known
                reused += 1
                tell()

    tell()
    waiting = new()
    exhausted = False
    try:
        while True:
            # Not all at once: a submission is in memory from here on.
            while not exhausted and len(pending) < 2 * jobs + 2:
                submission = next(waiting, None)
                if submission is None:
                    exhausted = True
                else:
                    pending[executor.submit(run_task, data, to_task(submission))] = submission.name
            if not pending:
                break
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                name = pending.pop(future)
                try:
                    document = future.result()
                except SymgradError:
                    raise  # the assignment's fault: it is every submission's
                except (InternalError, OSError, RuntimeError) as error:
                    failed[name] = f"{type(error).__name__}: {error}"
                else:
                    write_result(out, document)
                    documents[name] = {k: v for k, v in document.items() if k not in ("feedback", "report")}
                tell()
    finally:
        for future in pending:
            future.cancel()
    order = [read_name(p) for p in paths]
    return Graded(tuple(documents[n] for n in order if n in documents), failed, reused)


def read_name(path: Path) -> str:
    """The name of the submission at a path."""
    return path.name.encode("utf-8", "replace").decode()


__all__ = ["Graded", "grade_folder"]
