"""Assertions for homework checkers: ``assert`` that a derivative is right, and say as much as the student may see.

    from symgrad.testing import assert_backward, assert_derivative

    assert_derivative("40*tanh(w*tanh(w/2))", student_answer, hint="line")
    assert_backward(forward, student_backward, {"x": x, "w": w}, hint="factor")

The text of the ``AssertionError`` is the diagnostic. ``hint`` says how much of it: ``"none"`` which gradient is wrong,
``"line"`` in which line, ``"factor"`` which factor of the chain rule and what it should be, ``"fix"`` everything.
Below ``"factor"`` nothing is said from which the right value could be read.

Functions run in this process: a course that runs strangers' code does that in a sandbox of its own, or has
``symgrad grade`` do it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.report.model import Report

__all__ = [
    "DerivativeError", "NotChecked", "assert_backward", "assert_derivation", "assert_derivative", "assert_report",
]  # fmt: skip


class DerivativeError(AssertionError):
    """A derivative is wrong. Its text is what the student may see, and it holds nothing else."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the text, and neither our lines nor those of the test."""
        return str(self).split("\n")


class NotChecked(UserWarning):
    """A line may be a derivative, was not recognised as one, and is therefore neither right nor wrong."""


def assert_derivative(
    function: Any,
    answer: Any,
    at: Mapping[str, Any] | str | None = None,
    *,
    hint: str = "fix",
    shapes: Mapping[str, Sequence[int]] | None = None,
    message: str = "",
) -> None:
    """Assert that an answer is the derivative of a function.

    Args:
        function: the function, as ``symgrad.check`` takes it: ``"40*tanh(w*tanh(w/2))"``.
        answer: the student's: a formula; a dictionary of formulas, one for each variable; a function of the variables,
            by name or in order, that returns the derivative (several as a tuple in their order, or a dictionary); or a
            number, with ``at``.
        at: the point, as for ``symgrad.check``. Without one, formulas and functions are judged at points of symgrad's
            own choice.
        hint: how much a student is told: ``"none"``, ``"line"``, ``"factor"`` or ``"fix"``.
        shapes: the shapes of variables that are arrays.
        message: what to say before the diagnostic.

    Raises:
        DerivativeError: it is wrong; an AssertionError.
        SymgradError: it cannot be judged: the formula does not parse, there is no derivative at the point.
    """
    __tracebackhide__ = True
    from symgrad.api import check
    from symgrad.report.hints import level_of

    level_of(hint)
    formulas = isinstance(answer, str) or (
        isinstance(answer, Mapping) and bool(answer) and all(isinstance(v, str) for v in answer.values())
    )
    if not formulas:
        from symgrad.reference import wrong_answers

        wrong = wrong_answers(function, answer, at, shapes)
        lines = [f"d/d{name} {what}" for name, what in wrong.items()] if hint in ("factor", "fix") else []
        head = f"wrong gradient{'s' if len(wrong) > 1 else ''}: {', '.join(wrong)}" if wrong else ""
        _fail("\n".join([head, *lines]) if wrong else "", message)
        return
    options: dict[str, Any] = {} if shapes is None else {"shapes": shapes}
    assert_report(check(function, at, manual=answer, **options), hint=hint, message=message)


def assert_backward(
    forward: Any,
    backward: Any = None,
    inputs: Any = (),
    upstream: Any = None,
    returns: Sequence[str] | None = None,
    *,
    hint: str = "fix",
    strict: bool = True,
    message: str = "",
) -> None:
    """Assert that a backward pass is right.

    Args:
        forward, backward, inputs, upstream, returns: as for :func:`symgrad.check_backward`.
        hint, message: as for :func:`assert_derivative`.
        strict: a negative or scaled gradient is wrong too; with ``False`` it is a convention.

    Raises:
        DerivativeError: a gradient is wrong; an AssertionError.
        SymgradError: the functions cannot be called or traced.
    """
    __tracebackhide__ = True
    from symgrad.callables import check_backward
    from symgrad.report.hints import level_of

    level_of(hint)
    report = check_backward(forward, backward, inputs, upstream, returns, strict=strict)
    assert_report(report, hint=hint, message=message)


def assert_derivation(
    target: str | os.PathLike[str] | Callable[..., Any], at: Any = None, *, hint: str = "fix", message: str = "",
    **options: Any,
) -> None:  # fmt: skip
    """Assert that a script or a notebook (it runs in the sandbox), or a function of your own, derives rightly.

    Args:
        target: a path, or a function; ``at``: the inputs of a function.
        hint, message: as for :func:`assert_derivative`.
        options: as for :func:`symgrad.check` of such a target: ``loss``, ``mapping``, ``forward``, ``backward``, ...

    Raises:
        DerivativeError: a line is wrong; an AssertionError.
        SymgradError: the file cannot be used.
    """
    __tracebackhide__ = True
    from pathlib import Path

    from symgrad.api import check
    from symgrad.report.hints import level_of

    level_of(hint)
    found = Path(target) if isinstance(target, str) else target
    assert_report(check(found, at, **options), hint=hint, message=message)


def assert_report(report: Any, *, hint: str = "fix", message: str = "") -> None:
    """Assert that a report holds no mistake.

    A line that was not recognised as a derivative is neither right nor wrong: it is told as a :class:`NotChecked`
    warning, so that a test which passes does not hide it.

    Raises:
        DerivativeError: it holds one.
        SymgradError: there is no derivative at the point.
    """
    __tracebackhide__ = True
    _fail(_text(report, hint), message)
    if report.exit_code == 2:
        gradient = next((g for g in report.gradients if g.verdict == "undefined"), None)
        why = gradient.reason if gradient is not None and gradient.reason else "there is no derivative at this point"
        raise SymgradError(f"this cannot be judged here: {why}")
    for u in getattr(report, "unchecked", ()):
        warnings.warn(f"not checked: {u.span.where}: {u.name}", NotChecked, stacklevel=3)


def _text(report: Report, hint: str) -> str:
    """What is wrong, in words; empty where nothing is."""
    from symgrad.report.hints import hinted, level_of

    level_of(hint)
    if report.exit_code != 1:
        return ""
    said = hinted(report, hint) if hasattr(report, "judged") else ""
    if said:
        return said
    wrong = [g.wrt for g in report.gradients if g.verdict == "disagree"]
    text = f"wrong gradient{'s' if len(wrong) > 1 else ''}: {', '.join(wrong)}" if wrong else "the derivative is wrong"
    findings = [f.message for f in report.findings] if hint == "fix" else []
    return "\n".join([text, *findings])


def _fail(text: str, message: str) -> None:
    """Raise, with no trace of what is behind it: a traceback that shows locals must show nothing."""
    __tracebackhide__ = True
    if text:
        raise DerivativeError(f"{message}\n{text}" if message else text) from None


