"""``symgrad gradescope``: one submission graded as Gradescope wants it, and a folder that is ready to be uploaded.

Gradescope runs ``setup.sh`` once, to make an image, and ``run_autograder`` for each submission, which it puts into
``/autograder/submission``; it reads ``/autograder/results/results.json``.
"""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import click

from symgrad import __version__

EPILOG = """\b
Examples:
  symgrad gradescope --assignment hw.toml --folder autograder/      then zip the folder and upload it
  symgrad gradescope SUBMISSION --assignment hw.toml --results results.json
"""

SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, as root, when the autograder is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python3 -m venv "${SYMGRAD_VENV:-/autograder/venv}"
"${SYMGRAD_VENV:-/autograder/venv}/bin/python" -m pip install --quiet -r requirements.txt
"""

RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission. Whatever a submission does happens in symgrad's sandbox.
set -uo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
export PYTHONPATH="$root/source/lib"
mkdir -p "$root/results"
"${SYMGRAD_VENV:-/autograder/venv}/bin/python" -m symgrad gradescope "$root/submission" \\
    --assignment "$root/source/assignment/hw.toml" --results "$root/results/results.json"
"""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("submission", required=False, type=click.Path())
@click.option("--assignment", required=True, type=click.Path(), metavar="FILE.toml", help="What is asked and right.")
@click.option("--results", type=click.Path(), metavar="FILE.json", help="Where results.json of SUBMISSION is written.")
@click.option("--folder", type=click.Path(), metavar="FOLDER", help="Make an autograder folder here.")
@click.option("--visibility", default="visible", show_default=True,
              type=click.Choice(["visible", "hidden", "after_due_date", "after_published"]),
              help="Who sees the tests.")  # fmt: skip
@click.version_option(__version__, prog_name="symgrad")
def gradescope(
    submission: str | None, assignment: str, results: str | None, folder: str | None, visibility: str
) -> None:
    """Grade one SUBMISSION for Gradescope, or make the autograder that does so.

    SUBMISSION is a file, or the folder that Gradescope puts the student's files into.
    """
    from symgrad.errors import InternalError, SymgradError

    try:
        if (submission is None) == (folder is None) or (submission is not None and results is None):
            raise SymgradError("give either a SUBMISSION and --results, or --folder")
        if folder is not None:
            make_folder(Path(assignment), Path(folder))
            click.echo(f"zip what is in {folder} and upload it as the autograder")
        else:
            assert submission is not None
            assert results is not None
            write_results(Path(submission), Path(assignment), Path(results), visibility)
    except SymgradError as error:
        click.echo(error.render(), err=True)
        sys.exit(error.exit_code)
    except InternalError as error:
        click.echo(f"symgrad: internal error, a bug in symgrad: {error}", err=True)
        sys.exit(error.exit_code)


def write_results(submission: Path, assignment: Path, results: Path, visibility: str = "visible") -> dict[str, Any]:
    """Grade a submission and write Gradescope's results.json, as a whole or not at all.

    Raises:
        SymgradError: the assignment cannot be used.
    """
    from symgrad.grading.assignment import read_assignment
    from symgrad.grading.pool import run_task
    from symgrad.grading.results import write_whole
    from symgrad.grading.submissions import read
    from symgrad.grading.worker import to_task

    made = read_assignment(assignment)
    document = run_task(made.to_json(), to_task(read(submission)))
    found = results_of(document, visibility)
    results.parent.mkdir(parents=True, exist_ok=True)
    write_whole(results, json.dumps(found, indent=1) + "\n")
    return found


def results_of(document: dict[str, Any], visibility: str = "visible") -> dict[str, Any]:
    """A graded submission as results.json: one test for each gradient, and one that only the staff sees.

    The student is told what the assignment's hint level allows. What is open earns nothing here; the staff is told.
    """
    status = {"right": "passed", "wrong": "failed", "missing": "failed", "review": "failed"}
    said = [part for part in (document["reason"], document["hinted"]) if part]
    tests: list[dict[str, Any]] = []
    for n, row in enumerate(document["gradients"], 1):
        words = {"review": "open: a person will look"}.get(row["status"], row["status"])
        note = row["note"] if row["status"] != "wrong" or document["hint"] in ("factor", "fix") else ""
        tests.append({
            "name": f"gradient of {row['name']}", "number": str(n), "score": row["marks"], "max_score": row["out_of"],
            "status": status[row["status"]], "output": _markdown(f"{words}{'. ' + note if note else ''}"),
            "output_format": "md", "visibility": visibility,
        })  # fmt: skip
    staff = [f"{document['open']:g} marks are open"] * bool(document["open"]) + list(document["review"])
    staff += [f"{m['kind']}: {m['message']} ({m['file']}:{m['line']})" for m in document["mistakes"]]
    staff += [f"not checked: {name}" for name in document["not_checked"]]
    tests.append({
        "name": "for the staff", "score": 0, "max_score": 0, "status": "passed", "output_format": "md",
        "output": _fenced("\n".join(staff) or "nothing to add"), "visibility": "hidden",
    })  # fmt: skip
    still = f"{document['open']:g} more marks are open: a person will look at them." if document["open"] else ""
    return {
        "score": document["marks"], "visibility": visibility, "stdout_visibility": "hidden",
        "output": "\n\n".join([*([still] if still else []), *(_fenced(part) for part in said)])
        or "All gradients are right.",
        "output_format": "md", "tests": tests, "extra_data": {"status": document["status"], "open": document["open"]},
    }  # fmt: skip


def _fenced(text: str) -> str:
    """Text that Markdown must not touch: a fence that is longer than any within it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def _markdown(text: str) -> str:
    """Text within a line of Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+!|~$&" else c for c in text)


def make_folder(assignment: Path, folder: Path) -> None:
    """Make an autograder: setup.sh, run_autograder, the assignment, and this very symgrad.

    Raises:
        SymgradError: the assignment cannot be used, or the folder cannot be written into.
    """
    from symgrad.errors import SymgradError
    from symgrad.frontends.warm import Nursery
    from symgrad.grading.assignment import read_assignment
    from symgrad.grading.truth import truth_of

    made = read_assignment(assignment)
    nursery = Nursery()
    try:
        truth_of(made, nursery.run)
    finally:
        nursery.close()
    try:
        kept = folder / "assignment"
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(assignment, kept / "hw.toml")
        if made.reference:
            (kept / made.reference_name).write_text(made.reference, encoding="utf-8")
        here = Path(__file__).parent.parent
        target = folder / "lib" / here.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(here, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        (folder / "requirements.txt").write_text(_requirements(), encoding="utf-8")
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
            path = folder / name
            path.write_text(text, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as e:
        raise SymgradError(f"{folder} cannot be written into: {e.strerror}") from None


#: What grading imports; torch is not among it.
_NEEDED = ("click", "lark", "nbformat", "numpy", "python-flint", "rich", "sympy")


def _requirements() -> str:
    """What symgrad needs for grading, in the versions that are installed here."""
    from importlib.metadata import PackageNotFoundError, version

    lines = []
    for name in _NEEDED:
        try:
            lines.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            lines.append(name)
    return "\n".join(lines) + "\n"


__all__ = ["gradescope", "make_folder", "results_of", "write_results"]
