"""Where in the user's code something happens: the sub-expression that the interpreter is executing.

Python 3.11 keeps for every instruction the range of source text that it came from, so the innermost frame of the
user's code and its instruction pointer tell.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType, TracebackType

from symgrad.errors import Span

#: The file name that the user's code is compiled under: it marks its frames, and cannot be a real file's.
CODE_NAME = "<symgrad: the traced code>"
#: ... and the name that the files are compiled under which that code imports, before their own.
LIBRARY_NAME = "<symgrad: an imported file>"
#: So many calls are kept of a run that stopped, the innermost.
MOST_FRAMES = 50


class Places:
    """Finds places in one text while it runs."""

    def __init__(self, source: str, filename: str) -> None:
        self.source, self.filename = source, filename
        self.lines = source.split("\n")
        #: By the number of a code object, which ``_positions`` keeps alive: to hash one takes longer than all else.
        self._spans: dict[tuple[int, int], Span] = {}
        self._positions: dict[int, tuple[CodeType, list[tuple[int | None, int | None, int | None, int | None]]]] = {}
        #: Where in an imported file the last place lies: its label and line.
        self._inside: tuple[str, int] | None = None

    def here(self) -> Span:
        """The sub-expression of the user's code that is being executed."""
        frame: FrameType | None = sys._getframe(1)
        self._inside = None
        while frame is not None:
            name = frame.f_code.co_filename
            if name == CODE_NAME:
                return self.place(frame.f_code, frame.f_lasti)
            if self._inside is None and name.startswith(LIBRARY_NAME):
                self._inside = (name.removeprefix(LIBRARY_NAME), frame.f_lineno)
            frame = frame.f_back
        return Span(self.filename, 1, 1, 1, 1)

    def caller(self) -> Span | None:
        """Where the function of the script that is running was called in the script; ``None`` at module level."""
        frame: FrameType | None = sys._getframe(1)
        inside = False
        while frame is not None:
            code = frame.f_code
            if code.co_filename == CODE_NAME:
                if inside:
                    return self.place(code, frame.f_lasti)
                if code.co_name == "<module>":
                    return None
                # A comprehension is a function to Python, and none to the reader.
                inside = code.co_name not in ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")
            frame = frame.f_back
        return None

    def place(self, code: CodeType, lasti: int) -> Span:
        """The source range of the instruction at byte ``lasti`` of ``code``."""
        key = (id(code), lasti)
        found = self._spans.get(key)
        if found is None:
            if id(code) not in self._positions:
                self._positions[id(code)] = code, list(code.co_positions())
            positions = self._positions[id(code)][1]
            line, end_line, column, end_column = positions[lasti // 2] if lasti >= 0 else (None,) * 4
            line = line or code.co_firstlineno
            end_line = end_line or line
            found = self._spans[key] = Span(
                self.filename, line, self.column(line, column or 0), end_line, self.column(end_line, end_column or 0)
            )
        return found

    def column(self, line: int, offset: int) -> int:
        """A 1-based column in characters from the interpreter's 0-based offset in UTF-8 bytes."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode()[:offset].decode(errors="ignore")) + 1

    def text(self, span: Span) -> str:
        """The source under a span that lies within one line, else nothing."""
        inside = span.line == span.end_line and 0 < span.line <= len(self.lines)
        return self.lines[span.line - 1][span.column - 1 : span.end_column - 1] if inside else ""

    def place_of(self, traceback: TracebackType | None, *, calls: bool = False) -> Span | None:
        """The innermost place in the user's code that an exception passed through.

        With ``calls``, a place that is the head of a function gives way to where the function was called: what fails
        for want of depth may fail at the first thing that the last call does.
        """
        found = None
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if code.co_filename == CODE_NAME:
                place = self.place(code, traceback.tb_lasti)
                line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
                if found is None or not calls or not line[place.column - 1 :].startswith("def "):
                    found = place
            traceback = traceback.tb_next
        return found

    def frames(self, traceback: TracebackType | None = None) -> tuple[Span, ...]:
        """All places in the user's code that are being executed, or that an exception passed through, the innermost
        first."""
        found: list[Span] = []
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == CODE_NAME:
                found.insert(0, self.place(traceback.tb_frame.f_code, traceback.tb_lasti))
            traceback = traceback.tb_next
        frame: FrameType | None = None if found else sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == CODE_NAME:
                found.append(self.place(frame.f_code, frame.f_lasti))
            frame = frame.f_back
        return tuple(found[:MOST_FRAMES])
