"""``%load_ext symgrad``, then ``%%symgrad`` on a cell: its forward and backward lines are checked.

What the cell uses and does not define itself (numbers, arrays, modules, functions) is taken from the notebook as it is
when the cell runs. The check happens in the sandbox, as that of a script; then the cell runs in the notebook, as usual.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import shlex
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

from symgrad.errors import Span, SymgradError
from symgrad.manual import check_source
from symgrad.report.model import Report
from symgrad.report.moving import moved

#: Arrays of more numbers than this are not carried into the sandbox.
MOST_NUMBERS = 200_000
BEFORE = "the notebook's variables"
CELL = "cell"
#: How the lines before the cell call the libraries, whatever the notebook calls them.
NUMPY, TORCH = "numpy_of_the_notebook", "torch_of_the_notebook"


def check_cell(cell: str, variables: Mapping[str, Any], **options: Any) -> Report:
    """Check the derivative that a cell works out, at the notebook's values.

    Args:
        cell: its text.
        variables: the notebook's names.
        options: as for :func:`symgrad.manual.check_source`.

    Raises:
        SymgradError: the cell cannot be used, or uses a value that cannot be carried over.
    """
    before = prelude(cell, variables)
    offset = before.count("\n")

    def place(span: Span) -> Span:
        if span.line <= offset:
            return Span(BEFORE, span.line, span.column, span.end_line, span.end_column)
        return Span(CELL, span.line - offset, span.column, span.end_line - offset, span.end_column)

    try:
        report = check_source(before + cell, CELL, **options)
    except SymgradError as error:
        span = place(error.span) if error.span is not None else None
        source = cell if span is not None and span.file == CELL else before
        raise type(error)(error.message, span, source=source, hint=error.hint) from None
    report = moved(report, place, {})
    return replace(report, source=cell, manual_source=cell if report.manual_source else "", original="")


def prelude(cell: str, variables: Mapping[str, Any]) -> str:
    """Lines that give the cell what it uses of the notebook."""
    try:
        tree = ast.parse(cell)
    except SyntaxError:
        return ""  # the check says so, with the line
    lines: dict[str, str] = {}
    waiting = [n for n in _used(tree) if n in variables]
    while waiting:
        name = waiting.pop(0)
        if name in lines:
            continue
        value = variables[name]
        lines[name] = _assigned(name, value)
        if isinstance(value, FunctionType):
            waiting += [n for n in _used(ast.parse(lines[name])) if n in variables and n not in lines]
    order = {ModuleType: 0, FunctionType: 2}
    text = "".join(lines[n] for n in sorted(lines, key=lambda n: order.get(type(variables[n]), 1)))
    own = {NUMPY: "numpy", TORCH: "torch"}
    imports = "".join(f"import {module} as {name}\n" for name, module in own.items() if name in text)
    return imports + text


def _used(tree: ast.AST) -> list[str]:
    """Names that are read somewhere, in order."""
    names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    # x += 1 reads x as well.
    names += [n.target.id for n in ast.walk(tree) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)]
    return list(dict.fromkeys(names))


def _assigned(name: str, value: Any) -> str:
    """A statement that gives a name this value; empty where the sandbox has no use for it."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}\n"
    if isinstance(value, FunctionType):
        try:
            return textwrap.dedent(inspect.getsource(value)).rstrip("\n") + "\n"
        except (OSError, TypeError):
            return ""
    text = _literal(name, value)
    return f"{name} = {text}\n" if text else ""


def _literal(name: str, value: Any) -> str:
    if value is None or type(value) in (bool, int, float, str):
        return repr(value)
    if isinstance(value, list | tuple):
        parts = [_literal(name, v) for v in value]
        if not all(parts):
            return ""
        inner = ", ".join(parts)
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)"
    if isinstance(value, dict):
        pairs = {repr(k): _literal(name, v) for k, v in value.items() if isinstance(k, str | int)}
        return "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items()) + "}" if all(pairs.values()) else ""
    kind = type(value).__module__.split(".")[0]
    size = int(value.numel()) if hasattr(value, "numel") else int(getattr(value, "size", 0))
    if kind not in ("numpy", "torch") or not hasattr(value, "tolist"):
        return ""
    if size > MOST_NUMBERS:
        raise SymgradError(f"'{name}' has {size} numbers: too many to be checked", hint="take a part of it")
    if not getattr(value, "shape", ()) and kind == "numpy":
        return repr(value.item())
    if kind == "torch":
        grad = ", requires_grad=True" if value.requires_grad else ""
        dtype = str(value.dtype).replace("torch", TORCH)
        return f"{TORCH}.tensor({value.detach().tolist()!r}, dtype={dtype}{grad})"
    return f"{NUMPY}.array({value.tolist()!r})"


def _options(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="%%symgrad", exit_on_error=False, add_help=False)
    parser.add_argument("--loss")
    parser.add_argument("--map", action="append", default=[], metavar="NAME=STEP")
    parser.add_argument("--witnesses", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--check-only", action="store_true")
    known, rest = parser.parse_known_args(shlex.split(line))
    if rest:
        raise SymgradError(f"%%symgrad does not know {rest[0]}", hint="--loss --map --witnesses --strict --check-only")
    return known


def symgrad_magic(shell: Any, line: str, cell: str) -> Report | None:
    """What ``%%symgrad`` does: check the cell at the values before it runs, run it, and give the report back."""
    report = None
    try:
        options = _options(line)
        mapping = {}
        for pair in options.map:
            name, _, step = pair.partition("=")
            mapping[name.strip()] = step.strip()
        report = check_cell(
            cell, shell.user_ns, loss=options.loss, mapping=mapping, witnesses=options.witnesses,
            strict=options.strict, timeout=options.timeout,
        )  # fmt: skip
        run = not options.check_only
    except SymgradError as error:
        print(error.render(), file=sys.stderr)
        return None
    except argparse.ArgumentError as error:
        print(f"error: %%symgrad: {error}", file=sys.stderr)
        return None
    if run:
        shell.run_cell(cell)
    return report


def register(shell: Any) -> None:
    """Give an IPython shell the magic."""

    def magic(line: str, cell: str) -> Report | None:
        return symgrad_magic(shell, line, cell)

    shell.register_magic_function(magic, "cell", "symgrad")
