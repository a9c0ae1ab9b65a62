"""The door of the Python API: ``check`` takes whatever can be checked and sends it to the right room."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.checking import check_expression, derive
from symgrad.collecting import seldom_collected
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.points import Point
    from symgrad.report.arrays import ArrayReport
    from symgrad.report.model import Report
    from symgrad.report.sweeping import SweepReport

__all__ = ["check", "check_backward", "derive"]

_SCRIPT_ONLY = (
    "loss", "mapping", "timeout", "strict", "sandbox", "witnesses", "forward", "backward", "shapes", "values",
    "upstream", "returns",
)  # fmt: skip


@seldom_collected()
def check(
    target: Any, at: Point | None = None, *, manual: Mapping[str, str] | str | None = None, **options: Any
) -> Report | ArrayReport | SweepReport:
    """Check a derivative.

    Args:
        target: an expression as text, a SymPy expression or a Graph; or the path of a Python script or a notebook that
            works out a derivative by hand (text that ends in ``.py`` or ``.ipynb``, or a ``pathlib.Path``), or the text
            of such a script, several lines of it; or a function of your own, which is traced in this process (see
            ``symgrad.callables.check_function``).
        at: the point, for expressions and functions: ``{"w": 2}`` or ``"w=2"``. A range, ``"w=-4:4:10_000_000"``,
            checks an expression at that many points (see ``symgrad.sweep.check_sweep``).
        manual: the user's own derivatives, as formulas: ``{"w": "40*(1 - tanh(w)**2)"}``.
        options: for expressions of arrays ``shapes`` and ``upstream`` (see ``symgrad.shaped.checking.check_arrays``;
            an array in ``at`` says as much); for expressions ``wrt``, ``dtype``, ``device``, ``order``,
            ``simplify_seconds`` (see
            ``symgrad.checking.check_expression``); for scripts ``loss``, ``mapping``, ``timeout``, ``witnesses`` (see
            ``symgrad.manual.check_source``).

    Raises:
        SymgradError: the input cannot be used; the error says where and why.
    """
    if is_script(target):
        from symgrad.files.entry import check_file, check_text

        if at is not None or manual is not None:
            message = "a script brings its own values and its own derivative: 'at' and 'manual' are for expressions"
            raise SymgradError(message)
        unknown = sorted(set(options) - set(_SCRIPT_ONLY))
        if unknown:
            name = os.fspath(target) if is_code(target) else "this text"
            raise SymgradError(f"'{unknown[0]}' is for expressions, and {name} is a script")
        return check_file(target, **options) if is_code(target) else check_text(target, **options)
    if (callable(target) or hasattr(target, "backward")) and not hasattr(target, "free_symbols"):
        from symgrad.callables import check_function, is_callable

        if is_callable(target):
            return check_function(target, at, manual, **options)
    if isinstance(target, str) and of_arrays(target, at, options):
        from symgrad.shaped.checking import check_arrays

        if _is_sweep(at):
            raise SymgradError("a range of points is for functions of single numbers, not of arrays")
        return check_arrays(target, at, manual=manual, **options)
    for name in ("shapes", "upstream"):
        if options.pop(name, None):
            raise SymgradError(f"'{name}' is for expressions given as text")
    if _is_sweep(at):
        from symgrad.sweep import check_sweep

        return check_sweep(target, at, manual=manual, **options)
    if manual is not None:
        from symgrad.manual import check_formulas

        return check_formulas(target, manual, at, **options)
    return check_expression(target, at, **options)


def is_script(target: Any) -> bool:
    """A path of Python code, or the text of a script: several lines of it."""
    if is_code(target) or not isinstance(target, str) or "\n" not in target:
        return is_code(target)
    from symgrad.files.programs import is_program

    return is_program(target)


def _is_sweep(at: Any) -> bool:
    """Whether a point holds a range of values, ``w=-4:4:1000``."""
    texts = at.values() if isinstance(at, Mapping) else [at] if isinstance(at, str) else at or ()
    return any(isinstance(t, str) and ":" in t for t in texts)


#: What only expressions of arrays hold: the product of matrices, a transpose, a call of one of these.
_ARRAYS = re.compile(
    r"@|\.T\b|\bnp\.|\b(?:sum|mean|var|std|prod|norm|dot|matmul|outer|einsum|trace|softmax|log_softmax|logsumexp"
    r"|transpose|reshape|concatenate|stack|cross_entropy|mse)\s*\("
)


def of_arrays(target: str, at: Any, options: Mapping[str, Any]) -> bool:
    """Whether names stand for arrays: shapes are given, or an array, or the expression makes sense for nothing else."""
    if options.get("shapes") or options.get("upstream") is not None:
        return True
    values = at.values() if isinstance(at, Mapping) else [at] if isinstance(at, str) else at or ()
    if any(_is_array(v) for v in values):
        return True
    return _ARRAYS.search(target) is not None


def _is_array(value: Any) -> bool:
    if isinstance(value, str):
        return re.search(r"(?:^|=)\s*\[", value) is not None
    # An array of one number has always been taken for that number.
    return isinstance(value, list | tuple) or math.prod(getattr(value, "shape", ())) != 1


def check_backward(
    forward: Any, backward: Any = None, inputs: Any = (), upstream: Any = None,
    returns: Sequence[str] | None = None, **options: Any,
) -> Report:  # fmt: skip
    """Check a backward pass against its forward pass, both functions of your own: for code that you trust.

    See :func:`symgrad.callables.check_backward`, to which all arguments go.

    Raises:
        SymgradError: the functions cannot be found, called or traced, or return what is no gradient.
    """
    from symgrad import callables

    return callables.check_backward(forward, backward, inputs, upstream, returns, **options)


def is_code(target: Any) -> bool:
    """A path of Python code: a Path, or text that ends as such a path does and holds no operator."""
    if isinstance(target, Path):
        return True
    return isinstance(target, str) and target.endswith((".py", ".ipynb")) and "\n" not in target
