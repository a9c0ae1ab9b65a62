"""Findings for other programs: GitHub's workflow annotations, and SARIF 2.1.0 for editors and code scanning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from symgrad import __version__
from symgrad.errors import Span, SymgradError
from symgrad.report.document import finding as as_json
from symgrad.report.model import Finding
from symgrad.report.moving import in_cells
from symgrad.report.sources import headline

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: Kind of mistake -> what it means, for a list of rules.
_RULES = """
input-for-output: A function's input stands where its output belongs, or the reverse.
wrong-variable: Another variable, layer or gradient stands where this one belongs.
wrong-time-step: The value of another time step stands where this one belongs.
missing-factor: A factor of the chain rule is left out.
extra-factor: There is a factor of the chain rule too many.
sign: A sign is wrong.
scale: A constant factor is wrong.
missing-term: A path is left out of the sum.
extra-term: A term is counted that is not there, or counted twice.
lost-accumulation: A gradient is assigned where it should be added to.
never-assigned: A gradient is never given its value.
overwritten: A value is changed before it is used.
wrong-formula: Another rule is used than the one that belongs here.
other-objective: This is the gradient of another function.
transpose: Operands are transposed or exchanged.
missing-reduction: A sum is left out.
wrong-reduction: A sum is taken over another axis, or is a mean.
wrong-shape: The right entries stand in another shape.
wrong-value: The value is not that of the derivative.
unknown: This is no derivative of anything here.
undecided: Results are wrong, and it was not found out in time by which line.
"""
RULES = dict(line.split(": ", 1) for line in _RULES.strip().splitlines())


def rule_of(f: Finding) -> str:
    """The kind of a finding: what is wrong, or what sort of note it is."""
    return f.mistake if f.root and f.mistake else f.code


def _words(f: Finding) -> str:
    """Everything that a finding says, in a few lines."""
    lines = [f.message]
    if f.label:
        lines.append(f.label)
    if f.fix:
        lines.append(f"fix: {f.fix}" + ("" if f.fix_verified else " (not verified)"))
    if f.hint:
        lines.append(f"help: {f.hint}")
    if f.inherited:
        be = "are" if len(f.inherited) > 1 else "is"
        lines.append(f"{in_cells(f.inherited, f.inherited_cells)} {be} wrong only because of this one")
    return "\n".join(lines)


# --- GitHub ---------------------------------------------------------------------------------------------------------


def github(report: Any, path: str = "") -> str:
    """Workflow commands: one line for each finding, and a line that sums up.

    Args:
        path: of the file, as it is seen from the root of the repository; empty for an expression.
    """
    out = [_command(f, path) for f in report.findings]
    head = headline(report)
    verdict = f"{head.verdict}: " if head.verdict else ""
    level = "error" if report.exit_code else "notice"
    caution = f"; {head.caution}" if head.caution else ""
    out.append(_line(level, {"title": "symgrad"}, f"{verdict}{head.words}{caution}"))
    return "\n".join(out) + "\n"


def github_error(error: SymgradError, path: str = "") -> str:
    """The command for input that could not be used."""
    f = Finding("bad-input", error.message, error.span, hint=error.hint, root=True)
    return _command(f, path) + "\n"


def _command(f: Finding, path: str) -> str:
    level = "error" if f.root else "notice"
    properties: dict[str, str] = {}
    where = ""
    if path:
        properties["file"] = path
    if f.span is not None and path and not f.span.cell:
        properties["line"] = str(f.span.line)
        properties["endLine"] = str(f.span.end_line)
        if f.span.line == f.span.end_line:
            # GitHub takes columns only for places on one line.
            properties["col"] = str(f.span.column)
            properties["endColumn"] = str(f.span.end_column)
    elif f.span is not None:
        where = f"{f.span}: "
    properties["title"] = f"symgrad {rule_of(f)}"
    return _line(level, properties, where + _words(f))


def _line(level: str, properties: dict[str, str], message: str) -> str:
    inside = ",".join(f"{k}={_escaped(v, ':,')}" for k, v in properties.items())
    return f"::{level} {inside}::{_escaped(message, '')}"


def _escaped(text: str, more: str) -> str:
    out = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for c in more:
        out = out.replace(c, f"%{ord(c):02X}")
    return "".join(c if c.isprintable() else " " for c in out)


# --- SARIF ----------------------------------------------------------------------------------------------------------


def sarif(report: Any, path: str = "") -> dict[str, Any]:
    """The findings as a SARIF 2.1.0 document, fixes included.

    Args:
        path: as for :func:`github`.
    """
    results = [_result(f, path) for f in report.findings]
    head = headline(report)
    run = _run(results)
    run["invocations"] = [{"executionSuccessful": True, "exitCode": report.exit_code}]
    run["properties"] = {
        "verdict": report.verdict, "headline": head.words, "right": list(report.confirmed), "target": report.target,
    }  # fmt: skip
    return _document(run)


def sarif_error(error: SymgradError, path: str = "") -> dict[str, Any]:
    """The document of a run that could not use its input."""
    f = Finding("bad-input", error.message, error.span, hint=error.hint, root=True)
    run = _run([_result(f, path)])
    notification = {"level": "error", "message": {"text": error.message}}
    run["invocations"] = [
        {"executionSuccessful": False, "exitCode": error.exit_code, "toolExecutionNotifications": [notification]}
    ]
    return _document(run)


def _document(run: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _run(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    used = list(dict.fromkeys(r["ruleId"] for r in results))
    rules = [{"id": name, "shortDescription": {"text": RULES.get(name, name)}} for name in used]
    for result in results:
        result["ruleIndex"] = used.index(result["ruleId"])
    return {
        "tool": {"driver": {"name": "symgrad", "semanticVersion": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": list(results),
    }


def _result(f: Finding, path: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "ruleId": rule_of(f),
        "kind": "fail" if f.root else "informational",
        "level": "error" if f.root else "none",
        "message": {"text": _words(f)},
        "locations": [_location(f.span, path)],
    }
    related = []
    if f.forward_span is not None and path:
        related.append({**_location(f.forward_span, path), "message": {"text": f"forward: {f.forward}"}})
    for n, line in enumerate(f.inherited if path else ()):
        cell = f.inherited_cells[n] if f.inherited_cells else 0
        span = Span(path, line, 1, line, 1, cell)
        related.append({**_location(span, path, whole=True), "message": {"text": "wrong only because of this one"}})
    if related:
        out["relatedLocations"] = [{"id": n + 1, **r} for n, r in enumerate(related)]
    if path and f.edits and f.fix_verified and not any(span.cell for span, _ in f.edits):
        replacements = [
            {"deletedRegion": _region(span), "insertedContent": {"text": text}} for span, text in f.edits
        ]  # fmt: skip
        change = {"artifactLocation": _artifact(path), "replacements": replacements}
        out["fixes"] = [{"description": {"text": f"{f.fix}"}, "artifactChanges": [change]}]
    keep = (
        "step",
        "factor",
        "found",
        "expected",
        "found_value",
        "expected_value",
        "ratio",
        "mistake",
        "fix",
        "fix_verified",
    )
    document = as_json(f)
    out["properties"] = {k: document[k] for k in keep if document[k] is not None}
    return out


def _artifact(path: str) -> dict[str, str]:
    pure = PurePath(path)
    return {"uri": pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())}


def _region(span: Span, *, whole: bool = False) -> dict[str, int]:
    if whole:
        return {"startLine": span.line}
    return {
        "startLine": span.line, "startColumn": span.column, "endLine": span.end_line, "endColumn": span.end_column
    }  # fmt: skip


def _location(span: Span | None, path: str, *, whole: bool = False) -> dict[str, Any]:
    """A place in a file; within a notebook or an expression, whose lines are not those of a file, by its name."""
    out: dict[str, Any] = {}
    if path:
        out["physicalLocation"] = {"artifactLocation": _artifact(path)}
        if span is not None and not span.cell:
            out["physicalLocation"]["region"] = _region(span, whole=whole)
    if span is None or span.cell or not path:
        out["logicalLocations"] = [{"fullyQualifiedName": str(span) if span is not None else "report"}]
    return out
