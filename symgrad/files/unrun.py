"""Functions that work out derivatives and that nothing ran: it is said, since silence would be praise."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from symgrad.deep import parsed
from symgrad.diagnose.text.naming import claims, normal
from symgrad.errors import Span
from symgrad.frontends.trace.data import Trace
from symgrad.report.model import Finding, Report

#: So many derivatives, of values that the file has, are worked out in a backward pass.
LEAST = 3
#: What compares, draws or trains is made of derivatives, and is none.
_OTHER = re.compile(
    r"check|numer|test|plot|optim|update|train|fit|step|init|sgd|adam|descent|zero_?grad|main|clip", re.I
)


def with_unrun(report: Report, source: str, trace: Trace) -> Report:
    """The report, and in it the backward passes of the file that nobody called and no line of which was looked at."""
    if report.verdict == "disagree" or not report.confirmed:
        return report
    ran = {s.span.line for s in trace.graph.steps if s.span is not None} | {j.span.line for j in report.judged}
    ran |= {f.span.line for f in report.findings if f.span is not None}
    file = next((j.span.file for j in report.judged), report.target)
    said = [
        Finding("unchecked", f"{name} was not checked: nothing calls it", Span(file, line, 1, line, 1))
        for name, line in _unrun(source, ran)
        if not any(f.message.startswith((f"{name} ", f"{name}:")) for f in report.findings)
    ]
    return replace(report, findings=(*report.findings, *said)) if said else report


def lines_never_run(source: str, name: str, trace: Trace) -> set[int]:
    """The lines of a function of a file, by its name, on which something is worked out under the name of a derivative,
    and that nothing ran."""
    tree = parsed(source)
    known = {normal(_name(n)) for n in ast.walk(tree)} - {""}
    ran = {s.span.line for s in trace.graph.steps if s.span is not None} | {b.line for b in trace.bindings}
    found = (node for n, node in _functions(tree) if n == name)
    return {part.lineno for node in found for part, _ in _derived(node, known)} - ran


def _unrun(source: str, ran: Collection[int]) -> Iterator[tuple[str, int]]:
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    known = {normal(_name(n)) for n in ast.walk(tree)} - {""}
    for name, node in _functions(tree):
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if _OTHER.search(node.name) or any(n in lines for n in ran):
            continue
        if len(_derivatives(node, known)) >= LEAST:
            yield name, node.lineno


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{n.name}", n) for n in node.body if isinstance(n, ast.FunctionDef))


def _derivatives(node: ast.FunctionDef, known: Collection[str]) -> set[str]:
    """The names of derivatives that a function works out."""
    return {name for _, name in _derived(node, known)}


def _derived(node: ast.FunctionDef, known: Collection[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Where something is worked out in a function under the name of a derivative by something that the file has."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign | ast.AugAssign) and isinstance(part.value, ast.BinOp | ast.Call):
            names = map(_name, part.targets if isinstance(part, ast.Assign) else [part.target])
            yield from ((part, n) for n in names if any(c.bottom in known and not c.top for c in claims(n)))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


__all__ = ["lines_never_run", "with_unrun"]
