"""Where something is in the user's text, and the errors that point at it.

Three kinds of trouble are kept apart, because they have three different readers:

* :class:`SymgradError`: the input cannot be used. It says where and why; exit code 2.
* :class:`Unsupported`: the input makes sense but symgrad does not handle it (yet); exit code 2.
* :class:`InternalError`: symgrad contradicts itself. That is our bug, never the user's; exit code 70.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from symgrad.swift import swift

#: A source line longer than this is shown as a window around the caret.
FRAME_WIDTH = 100


@swift
@dataclass(frozen=True, slots=True)
class Span:
    """A range of source text. Lines and columns count from 1; the end is exclusive.

    In a notebook ``cell`` is the number of the cell, from 1 and with text cells counted, and lines count within it.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    cell: int = 0

    def __str__(self) -> str:
        return f"{self.where}:{self.column}"

    @property
    def where(self) -> str:
        """The file and the line."""
        return f"{self.file}, cell {self.cell}, line {self.line}" if self.cell else f"{self.file}:{self.line}"

    def to(self, other: Span) -> Span:
        """The smallest span that covers this one and a later one."""
        return Span(self.file, self.line, self.column, other.end_line, other.end_column, self.cell)


def frame(source: str, span: Span, label: str = "") -> str:
    """Render the source line of ``span`` with carets under it, as rustc and ruff do.

    A long line is cut to a window around the caret; tabs and control characters are replaced, so that
    carets stay under what they point at and nothing in the source can drive the terminal.
    """
    lines = source.split("\n")
    text = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
    start = max(span.column - 1, 0)
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    end = max(end, start + 1)
    left = max(0, min(start - FRAME_WIDTH // 3, len(text) - FRAME_WIDTH))
    window = text[left : left + FRAME_WIDTH]
    clean = "".join(c if c.isprintable() else " " for c in window)
    prefix = "..." if left else ""
    suffix = "..." if left + FRAME_WIDTH < len(text) else ""
    width = max(1, min(end, left + len(window) + 1) - start)
    number = str(span.line)
    pad = " " * len(number)
    caret = " " * (len(prefix) + start - left) + "^" * width + (f" {label}" if label else "")
    return f"{pad} |\n{number} | {prefix}{clean}{suffix}\n{pad} | {caret}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'tanh'?"``, or an empty string where nothing is near.

    Two letters that changed places are the likeliest slip: ``tahn`` is tanh, although tan is as short a way off.
    """
    names = list(known)
    turned = (word[:n] + word[n + 1] + word[n] + word[n + 2 :] for n in range(len(word) - 1))
    near = [w for w in turned if w in names] or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


class SymgradError(Exception):
    """The input cannot be used.

    Attributes:
        message: one line that says what is wrong.
        span: where, if it has a place.
        source: the text that ``span`` points into.
        hint: what to write instead, if known.
        kind: of a run that was stopped, why: see :class:`symgrad.frontends.trace.data.TraceError`.
    """

    exit_code = 2
    kind = ""

    def __init__(
        self, message: str, span: Span | None = None, *, source: str | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.source = source
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.span}: {self.message}" if self.span else self.message

    def render(self) -> str:
        """The message on one line, then, where there is a place, the source with a caret under it."""
        out = f"error: {self}"
        if self.span is not None and self.source is not None:
            out += "\n" + frame(self.source, self.span)
        if self.hint:
            out += f"\n  = help: {self.hint}"
        return out


class Unsupported(SymgradError):
    """The input is meaningful, but beyond what symgrad handles."""


class InternalError(Exception):
    """symgrad contradicts itself: a bug of ours."""

    exit_code = 70
