"""The results folder: a folder for each submission, a table, and a summary page. Every file is written whole or not."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import html
import io
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from symgrad.errors import SymgradError
from symgrad.grading.feedback import page

REPORT, TEXT, PAGE = "report.json", "feedback.txt", "feedback.html"
TABLE, SUMMARY = "results.csv", "summary.html"

#: What a mistake is called where it is counted; ``{at}`` is the function whose derivative it is.
WORDS = dict((  # noqa: C406  (kinds of mistakes, and no ops)
    ("input-for-output", "wrote the input of {at} where its output belongs, or the reverse"),
    ("wrong-variable", "used another variable, layer or gradient"),
    ("wrong-time-step", "used another time step"),
    ("missing-factor", "left out a factor of the chain rule"),
    ("extra-factor", "had one factor too many"),
    ("sign", "had the wrong sign"),
    ("scale", "were off by a constant factor"),
    ("missing-term", "left out a path"),
    ("extra-term", "counted a path twice"),
    ("lost-accumulation", "wrote = where += belongs"),
    ("never-assigned", "never worked out a gradient"),
    ("overwritten", "changed a value before it was used"),
    ("wrong-formula", "used another rule than the one for {at}"),
    ("other-objective", "derived another function"),
    ("transpose", "exchanged or transposed factors of a product"),
    ("missing-reduction", "left out a sum over an axis"),
    ("wrong-reduction", "summed over the wrong axis, or took a mean"),
    ("wrong-shape", "had the right entries in another shape"),
    ("unknown", "had a line that is no derivative of anything"),
))


def folder_name(submission: str) -> str:
    """The folder of a submission's results: its name, with nothing in it that a path could trip over."""
    safe = re.sub(r"[^A-Za-z0-9._-]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), submission)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Have the folder for oneself.

    Raises:
        SymgradError: it cannot be made, or somebody else writes into it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        fd = os.open(out / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as e:
        raise SymgradError(f"{out} cannot be written into: {e.strerror}") from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SymgradError(f"{out}: another run of symgrad writes into this folder") from None
        for left in out.glob("**/.tmp-*"):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(fd)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all, whenever this is interrupted."""
    temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
    try:
        with open(temporary, "x", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_result(out: Path, document: Mapping[str, Any]) -> None:
    """Write what belongs to one submission. Its report comes last: where that is, the rest is."""
    folder = out / folder_name(document["submission"])
    folder.mkdir(exist_ok=True)
    feedback = document["feedback"]
    write_whole(folder / TEXT, feedback["text"])
    write_whole(folder / PAGE, feedback["html"])
    kept = {k: v for k, v in document.items() if k != "feedback"}
    write_whole(folder / REPORT, json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=True) + "\n")


def read_result(out: Path, submission: str, content: str, assignment: str) -> dict[str, Any] | None:
    """The document of an earlier run, if it was made of the same submission by the same assignment."""
    folder = out / folder_name(submission)
    try:
        document: dict[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = (document.get("content"), document.get("assignment"), document.get("submission"))
    if same != (content, assignment, submission) or not all((folder / name).is_file() for name in (TEXT, PAGE)):
        return None
    return document


# --- all together ---------------------------------------------------------------------------------------------------


def table(documents: Sequence[Mapping[str, Any]]) -> str:
    """``results.csv``: one line a submission, in the order of their names."""
    gradients = list(dict.fromkeys(g["name"] for d in documents for g in d["gradients"]))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([
        "submission", "status", "marks", "open", "out_of", *gradients, "mistakes", "review", "not_checked", "reason",
    ])  # fmt: skip
    for d in documents:
        marks = {g["name"]: g["marks"] for g in d["gradients"]}
        row = [d["submission"], d["status"], d["marks"], d["open"], d["out_of"], *(marks.get(n, "") for n in gradients),
               _kinds(d), "; ".join(d["review"]), "; ".join(d["not_checked"]), d["reason"]]  # fmt: skip
        writer.writerow([_cell(v) for v in row])
    return stream.getvalue()


def _kinds(d: Mapping[str, Any]) -> str:
    """The kinds of mistakes in one submission, each once."""
    return "; ".join(dict.fromkeys(m["kind"] for m in d["mistakes"]))


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is none."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def frequent(documents: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """The mistakes, the most frequent first: in words, and how many submissions made it."""
    count: Counter[tuple[str, str]] = Counter()
    for d in documents:
        count.update({(m["kind"], m["at"] if "{at}" in WORDS.get(m["kind"], "") else "") for m in d["mistakes"]})
    told = {key: _words(*key) for key in count}
    return sorted(((told[key], n) for key, n in count.items()), key=lambda pair: (-pair[1], pair[0]))


def _words(kind: str, at: str) -> str:
    return WORDS.get(kind, f"made a mistake of the kind {kind}").replace("{at}", at or "a function")


def shown_share(n: int, of: int) -> str:
    return f"{round(100 * n / of)} %" if of else "0 %"


def summary(title: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """``summary.html``: the most frequent mistakes, what a person must look at, and every submission."""
    graded = [d for d in documents if d["status"] == "graded"]
    marks = [d["marks"] for d in documents]
    mean = sum(marks) / len(marks) if marks else 0.0
    escape = html.escape
    mistakes = "".join(
        f'<tr><td class="number">{shown_share(n, len(graded))}</td><td>{escape(words)}</td>'
        f'<td class="number">{n}</td></tr>'
        for words, n in frequent(documents)
    )
    looks = "".join(
        f"<tr><td>{_link(d)}</td><td>{escape('; '.join(said))}</td></tr>" for d in documents if (said := _to_look_at(d))
    )
    rows = "".join(
        f'<tr><td>{_link(d)}</td><td>{escape(d["status"])}</td><td class="number">{d["marks"]:g}</td>'
        f'<td class="number">{d["open"]:g}</td><td>{escape(d["reason"] or _kinds(d).replace("; ", ", "))}</td></tr>'
        for d in documents
    )
    out_of = documents[0]["out_of"] if documents else 0
    none = "<tr><td>none</td></tr>"
    body = (
        f"<h1>{escape(title)}</h1>\n<p>{len(documents)} submissions, {len(graded)} of them graded line by line; "
        f"{mean:.2f} of {out_of:g} marks on average.</p>\n"
        f"<h2>Mistakes</h2>\n<table>{mistakes or none}</table>\n<h2>To look at</h2>\n<table>{looks or none}</table>\n"
        f'<h2>Submissions</h2>\n<table><tr><th></th><th></th><th class="number">marks</th>'
        f'<th class="number">open</th><th>mistakes, or why there are no marks</th></tr>{rows}</table>\n'
    )
    return page(title, body)


def _to_look_at(d: Mapping[str, Any]) -> list[str]:
    """What a person must decide, and what nobody has checked."""
    unchecked = d["not_checked"]
    return [*d["review"], *([f"not checked: {', '.join(unchecked)}"] if unchecked else [])]


def _link(d: Mapping[str, Any]) -> str:
    from urllib.parse import quote

    target = f"{quote(folder_name(d['submission']))}/{PAGE}"
    return f'<a href="{html.escape(target)}">{html.escape(d["submission"])}</a>'


__all__ = ["folder_name", "frequent", "locked", "read_result", "shown_share", "summary", "table", "write_result"]
