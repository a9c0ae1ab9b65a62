"""Grading two hundred submissions of the recurrent-net homework, against one process per submission.

    python -m tests.benchmarks.grading [submissions] [singles]

The submissions are the right ones of examples/homework and those with a mistake, each with names and comments of its
own, so that no two are alike. ``singles`` of them are also checked by a ``symgrad FILE`` of their own, one after the
other and two at a time; the rates are of whole processes. Processor time, of all processes together, is what a busy
machine changes least.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from symgrad.frontends.warm import Nursery
from symgrad.grading.assignment import read_assignment
from symgrad.grading.feedback import with_feedback
from symgrad.grading.one import grade
from symgrad.grading.submissions import read
from symgrad.grading.truth import truth_of
from tests.benchmarks.timing import record, symgrad

HOMEWORK = Path(__file__).parent.parent.parent / "examples" / "homework"
KINDS = ("ada", "bela", "dora", "emil", "fatima", "goran", "hana")
#: How many submissions are graded in the same time as one by a process of its own: the goal of the homework issue.
GOAL = 10.0
#: Of fewer, the start of ``symgrad grade`` itself decides.
FEW = 200


def write(folder: Path, count: int) -> list[Path]:
    """So many submissions, no two alike."""
    texts = [(HOMEWORK / "submissions" / f"{kind}.py").read_text(encoding="utf-8") for kind in KINDS]
    out = []
    for n in range(count):
        text = re.sub(r"\b(h[12]_raw|d_inner|d_outer)\b", rf"\1_{n}" if n % 3 else r"\1", texts[n % len(texts)])
        path = folder / f"student_{n:04}.py"
        path.write_text(f"# student {n}\n{text}", encoding="utf-8")
        out.append(path)
    return out


def measured(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Submissions a second, and milliseconds of processor time for each, in all processes that ``work`` starts."""
    before, start = used(), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return count / seconds, 1000 * (used() - before) / count


def used() -> float:
    """Processor time of the processes that have been waited for, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def whole(folder: Path, jobs: int) -> tuple[float, float]:
    """One ``symgrad grade``, from start to exit."""
    with tempfile.TemporaryDirectory() as out:
        command = symgrad("grade", str(folder), "--assignment", str(HOMEWORK / "hw.toml"), "--out", out,
                          "--jobs", str(jobs))  # fmt: skip
        return measured(
            lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), len(list(folder.iterdir()))
        )  # fmt: skip


def single(paths: list[Path], jobs: int) -> tuple[float, float]:
    """A process for each."""

    def one(path: Path) -> None:
        done = subprocess.run(symgrad(str(path)), check=False, capture_output=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr.decode()[-500:])

    def all_of_them() -> None:
        with ThreadPoolExecutor(jobs) as threads:
            list(threads.map(one, paths))

    return measured(all_of_them, len(paths))


def parts(paths: list[Path]) -> dict[str, float]:
    """Where the time of one submission goes, in milliseconds, in one process and without forking a grader."""
    nursery = Nursery()
    spent = {"runs in the sandbox": 0.0}

    def run(*args: object, **options: object) -> object:
        start = time.perf_counter()
        try:
            return nursery.run(*args, **options)  # type: ignore[arg-type]
        finally:
            spent["runs in the sandbox"] += time.perf_counter() - start

    try:
        assignment = read_assignment(HOMEWORK / "hw.toml")
        truth = truth_of(assignment, nursery.run)
        for path in paths[: len(KINDS)]:
            grade(read(path), assignment, truth, run)  # type: ignore[arg-type]
        spent["runs in the sandbox"] = 0.0
        start = time.perf_counter()
        for path in paths:
            with_feedback(grade(read(path), assignment, truth, run))  # type: ignore[arg-type]
        total = time.perf_counter() - start
    finally:
        nursery.close()
    spent["results and diagnosis"] = total - spent["runs in the sandbox"]
    return {name: 1000 * seconds / len(paths) for name, seconds in spent.items()}


def main(count: int = 200, singles: int = 12) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = write(folder, count)
        single(paths[:2], 1)  # warms the disk cache
        alone = {jobs: single(paths[:singles], jobs) for jobs in (1, 2)}
        many = {jobs: whole(folder, jobs) for jobs in (1, 2)}
        for jobs in (1, 2):
            rate, cpu = alone[jobs]
            print(f"one process per submission, {jobs} at a time: {rate:6.2f} a second, {cpu:5.0f} ms of processor")
        for jobs in (1, 2):
            rate, cpu = many[jobs]
            print(f"symgrad grade --jobs {jobs}, {count} submissions: {rate:6.2f} a second, {cpu:5.0f} ms of processor")
        for jobs in (1, 2):
            rates, times = many[jobs][0] / alone[jobs][0], alone[jobs][1] / many[jobs][1]
            print(f"ratio, {jobs} at a time: {rates:.1f} in rate, {times:.1f} in processor time (goal: {GOAL:g})")
            record("grading", f"{count} submissions, {jobs} at a time: rate / a process for each", rates,
                   goal=f"at least {GOAL:g}" if count >= FEW else "", processor=times, peer="symgrad FILE")  # fmt: skip
        for name, milliseconds in parts(paths[:56]).items():
            print(f"  {name}: {milliseconds:.0f} ms a submission")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3]))
