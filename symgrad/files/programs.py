"""The text of a file, a script or a notebook, ready to be run; and whether a text is a script at all."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symgrad.deep import parsed
from symgrad.frontends import sandbox
from symgrad.frontends.cells import read_cell
from symgrad.frontends.notebook import read_notebook
from symgrad.frontends.plan import Plan
from symgrad.frontends.texts import read_text
from symgrad.frontends.trace.data import Trace

#: What begins a line of a script and of no expression.
_STATEMENT = re.compile(r"^(?:(?:import|from|def|class|for|while|if|with|try|del|assert)\b.*|print *\(.*|@\w.*)$", re.M)
_MAGIC = re.compile(r"^[ \t]*[%!]\w", re.M)


@dataclass(frozen=True, slots=True)
class Code:
    """A file's text, ready to be run.

    Attributes:
        given: values of top-level names, in place of what the file assigns to them.
        source: what runs; ``original``: with the line ends of the file.
        name: in messages; ``path``: where the files are that it imports.
        timeout: seconds that a run may take.
    """

    source: str
    original: str
    name: str
    path: str
    timeout: float
    given: Mapping[str, Any] = field(default_factory=dict)

    def run(self, text: str, plan: Plan | None = None) -> Trace:
        return sandbox.run_source(
            text, self.name, timeout=self.timeout, plan=plan, beside=self.path, given=self.given
        )


def opened(path: str | os.PathLike[str], timeout: float) -> tuple[str, Code]:
    """What a script or a notebook runs, and how.

    Raises:
        SymgradError: it cannot be read, or is no notebook.
    """
    if os.fspath(path).endswith(".ipynb"):
        notebook = read_notebook(path)
        return notebook.source, Code(notebook.source, "", notebook.file, os.fspath(path), timeout)
    source, original = read_text(path)
    if _MAGIC.search(source):  # a notebook that was saved as a file
        source = read_cell(1, source).python
    return source, Code(source, original, os.path.basename(os.fspath(path)), os.fspath(path), timeout)


def is_program(text: str) -> bool:
    """Whether a text is a script, and no expression: more than formulas stand in it, or all its names are given values.

    It is parsed, and nothing of it is run. ``a = x*y`` and ``f = 2*a`` in two lines are an expression: x and y are
    free. With ``x = 3.0`` and ``y = 2.0`` before it they are a script.
    """
    if "\n" not in text.strip():
        return False
    if _STATEMENT.search(text):
        return True
    try:
        tree = parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if not all(isinstance(s, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr) for s in tree.body):
        return True
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    given = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return bool(given) and all(n.id in given | called for n in names if isinstance(n.ctx, ast.Load))
