"""A script that stopped in the midst of a loop: what the loop was adding up is no result yet, and no mistake either."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from symgrad.diagnose.engine import Diagnosis
from symgrad.frontends.trace.data import Trace


def without_unfinished(trace: Trace, found: Diagnosis) -> Diagnosis:
    """The diagnosis without what the loops were filling in which the run stopped: these are not checked."""
    if trace.error is None or trace.error.span is None or not found.blames:
        return found
    names = _filled(trace.graph.source, trace.error.span.line)
    early = [b for b in found.blames if _stem(b.step) in names]
    if not early:
        return found
    places = {(b.step, b.span.line) for b in early}
    units = found.subject.units if found.subject is not None else ()
    left = {(u.name, u.line): u for u in units if (u.name, u.line) in places}
    return replace(
        found,
        blames=tuple(b for b in found.blames if b not in early),
        unchecked=(*found.unchecked, *left.values()),
    )


def _stem(name: str) -> str:
    """``self.dW`` of ``self.dW[0]``; ``self.grads["W"]`` stays what it is."""
    return re.split(r"\[(?![\"'])", name.replace("'", '"'), maxsplit=1)[0]


def _filled(source: str, line: int) -> set[str]:
    """What is added to, or filled part by part, in the outermost loop around a line."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a notebook's cells, or another Python's: nothing is known
        return set()
    loops = [
        n for n in ast.walk(tree)
        if isinstance(n, ast.For | ast.While) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]  # fmt: skip
    if not loops:
        return set()
    inner = [
        n for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]  # fmt: skip
    begin = max((f.lineno for f in inner), default=0)
    # A loop around the function's definition is no loop around its lines.
    around = min((n for n in loops if n.lineno >= begin), key=lambda n: n.lineno, default=None)
    out: set[str] = set()
    for node in ast.walk(around) if around is not None else ():
        if isinstance(node, ast.AugAssign):
            out.add(_stem(ast.unparse(node.target)))
        elif isinstance(node, ast.Assign):
            out |= {_stem(ast.unparse(t)) for t in node.targets if isinstance(t, ast.Subscript)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            out.add(_stem(ast.unparse(node.func.value)))
    return out
