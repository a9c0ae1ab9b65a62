"""The door of the Python API: ``check`` takes whatever can be checked and sends it to the right room."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.checking import check_expression, derive
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.points import Point
    from symgrad.report.model import Report

__all__ = ["check", "derive"]

_SCRIPT_ONLY = ("loss", "mapping", "timeout", "strict", "sandbox", "witnesses")


def check(
    target: Any, at: Point | None = None, *, manual: Mapping[str, str] | str | None = None, **options: Any
) -> Report:
    """Check a derivative.

    Args:
        target: an expression as text, a SymPy expression or a Graph; or the path of a Python script that works out a
            derivative by hand (text that ends in ``.py``, or a ``pathlib.Path``).
        at: the point, for expressions: ``{"w": 2}`` or ``"w=2"``.
        manual: the user's own derivatives, as formulas: ``{"w": "40*(1 - tanh(w)**2)"}``.
        options: for expressions ``wrt``, ``dtype``, ``device``, ``order``, ``simplify_seconds`` (see
            ``symgrad.checking.check_expression``); for scripts ``loss``, ``mapping``, ``timeout``, ``witnesses`` (see
            ``symgrad.diagnosing.check_source``).

    Raises:
        SymgradError: the input cannot be used; the error says where and why.
    """
    if is_code(target):
        from symgrad.diagnosing import check_file

        if at is not None or manual is not None:
            message = "a script brings its own values and its own derivative: 'at' and 'manual' are for expressions"
            raise SymgradError(message)
        unknown = sorted(set(options) - set(_SCRIPT_ONLY))
        if unknown:
            raise SymgradError(f"'{unknown[0]}' is for expressions, and {os.fspath(target)} is a script")
        return check_file(target, **options)
    if manual is not None:
        from symgrad.diagnosing import check_formulas

        return check_formulas(target, manual, at, **options)
    return check_expression(target, at, **options)


def is_code(target: Any) -> bool:
    """A path of Python code: a Path, or text that ends as such a path does and holds no operator."""
    if isinstance(target, Path):
        return True
    return isinstance(target, str) and target.endswith((".py", ".ipynb")) and "\n" not in target
