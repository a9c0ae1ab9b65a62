"""``symgrad grade``: options in, a results folder and a table out."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import Any

import click

from symgrad import __version__

EPILOG = """\b
Examples:
  symgrad grade submissions/ --assignment hw.toml --out results/
  symgrad grade submissions/ --assignment hw.toml --out results/ --jobs 8
  symgrad grade submissions/ --assignment hw.toml --out results/ --scheduler tcp://HOST:8786

\b
Exit codes:
  0  every submission was graded, unreadable ones included
  1  some could not be graded; they are named, and are tried again by the next run
  2  the assignment or the folder cannot be used
  70 a bug in symgrad
"""

#: So many submissions are listed in the terminal; all are in results.csv.
MOST_ROWS = 40


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("submissions", type=click.Path())
@click.option("--assignment", required=True, type=click.Path(), metavar="FILE.toml", help="What is asked and right.")
@click.option("--out", required=True, type=click.Path(), metavar="FOLDER", help="Where the results are written.")
@click.option("--jobs", type=click.IntRange(1, 4096), metavar="N", help="Grade N at a time; all processors by default.")
@click.option("--scheduler", metavar="ADDRESS", help="Grade on Dask: tcp://HOST:PORT, or local for one made here.")
@click.version_option(__version__, prog_name="symgrad")
def grade(submissions: str, assignment: str, out: str, jobs: int | None, scheduler: str | None) -> None:
    """Grade a folder of SUBMISSIONS: marks, feedback and a summary.

    A submission is a .py or .ipynb file, a folder, or a zip file of one. Its code runs in a sandbox. A run that was
    ended goes on where it was when it is started again.
    """
    from symgrad.errors import InternalError, SymgradError
    from symgrad.grading.pool import POOL

    try:
        found = _graded(submissions, assignment, out, jobs, scheduler)
    except SymgradError as error:
        click.echo(error.render(), err=True)
        sys.exit(error.exit_code)
    except InternalError as error:
        click.echo(f"symgrad: internal error, a bug in symgrad: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        _end(130)
    _show(found, out)
    POOL.close()
    for name, why in found.failed.items():
        click.echo(f"error: {name} could not be graded: {why}", err=True)
    sys.exit(found.exit_code)


def _end(code: int) -> None:
    """Leave at once: what is being graded is not waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _graded(submissions: str, assignment: str, out: str, jobs: int | None, scheduler: str | None) -> Any:
    from symgrad.grading.running import grade_folder

    with _Progress() as progress:
        if scheduler is None:
            return grade_folder(submissions, assignment, out, jobs=jobs, progress=progress.show)
        from symgrad.grading.cluster import connected

        with connected(scheduler, jobs) as (executor, count):
            return grade_folder(submissions, assignment, out, executor=executor, jobs=count, progress=progress.show)


class _Progress:
    """A bar on the error stream, with rate and time left; nothing where that is no terminal."""

    def __enter__(self) -> _Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self.task = self.bar.add_task("grading", total=None, rate="")
        self.bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.bar.stop()

    def show(self, done: int, reused: int, whole: int) -> None:
        """``done`` of ``whole`` are graded, ``reused`` of them by an earlier run."""
        elapsed = self.bar.tasks[0].elapsed or 0.0
        rate = f"{(done - reused) / elapsed:.1f}/s" if elapsed > 1 else ""
        self.bar.update(self.task, completed=done, total=whole, rate=rate)


def _show(found: Any, out: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from symgrad.grading.results import frequent, shown_share

    stream = io.StringIO()
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 160))
    console = Console(file=stream, width=width, highlight=False, soft_wrap=False)
    documents = found.documents
    shown = documents if len(documents) <= MOST_ROWS else [d for d in documents if d["review"] or d["reason"]]
    table = Table(box=None, pad_edge=False)
    for name in ("submission", "", "marks", "open", "mistakes"):
        table.add_column(name, justify="right" if name in ("marks", "open") else "left", overflow="fold")
    for d in shown[:MOST_ROWS]:
        kinds = ", ".join(dict.fromkeys(m["kind"] for m in d["mistakes"]))
        cells = [_clean(d["submission"]), d["status"], f"{d['marks']:g}", f"{d['open']:g}" if d["open"] else "",
                 kinds or _clean(d["reason"])]  # fmt: skip
        table.add_row(*(Text(c) for c in cells))
    console.print(table)
    graded = sum(d["status"] == "graded" for d in documents)
    reused = f", {found.reused} by an earlier run" if found.reused else ""
    console.print(f"\n{len(documents)} submissions graded{reused}, {graded} of them line by line")
    for words, n in frequent(documents)[:5]:
        console.print(Text(f"  {shown_share(n, graded):>5} {words}"))
    look = sum(bool(d["review"]) for d in documents)
    if look:
        console.print(f"{look} to look at: see summary.html")
    console.print(Text(f"results in {os.path.join(out, 'results.csv')}"), soft_wrap=True)
    click.echo("\n".join(line.rstrip() for line in stream.getvalue().rstrip().split("\n")))


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


__all__ = ["grade"]
