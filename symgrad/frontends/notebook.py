"""A Jupyter notebook as one Python text, and the way back: from a line of that text to a cell and a line in it.

The code cells are put one after the other, in the order in which they stand. Nothing of a notebook is run or parsed as
Python here; its text goes through the sandbox as a script's does.
"""

from __future__ import annotations

import bisect
import json
import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symgrad.errors import Span, SymgradError, Unsupported
from symgrad.frontends.cells import Cell, read_cell
from symgrad.frontends.texts import read_bytes

#: A notebook holds its pictures, so it may be much larger than its code.
MAX_BYTES = 64_000_000
#: Between two cells: nothing of one may go on in the next, and an empty block at the end of a cell stays its own fault.
SEPARATOR = "pass"
#: How many left-out commands are named.
MOST_COMMANDS = 8


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's code.

    Attributes:
        file: its name in messages.
        source: all code cells as one Python text.
        cells: the code cells; ``starts``: the line of ``source`` at which each begins.
        python: the version of Python that the notebook says it is for, where it says so.
    """

    file: str
    source: str
    cells: tuple[Cell, ...]
    starts: tuple[int, ...]
    python: str = ""

    @property
    def texts(self) -> Mapping[int, str]:
        """Cell number -> the text of the cell as the person wrote it."""
        return {cell.number: cell.text for cell in self.cells}

    def place(self, span: Span) -> Span:
        """A place in ``source`` as a place in a cell."""
        if span.cell or not self.cells:
            return span
        index = max(bisect.bisect_right(self.starts, span.line) - 1, 0)
        cell, start = self.cells[index], self.starts[index]
        lines = cell.text.split("\n")
        line = span.line - start + 1
        if line > len(lines):  # the separator: what is wrong there is missing at the end of the cell
            end = len(lines[-1]) + 1
            return Span(self.file, len(lines), end, len(lines), end + 1, cell.number)
        end_line, end_column = span.end_line - start + 1, span.end_column
        if end_line > len(lines):
            end_line, end_column = len(lines), len(lines[-1]) + 1
        return Span(self.file, line, span.column, end_line, end_column, cell.number)

    def located(self, error: SymgradError) -> SymgradError:
        """An error in ``source``, put where it belongs; what is still to be filled in may be the reason for it."""
        if error.span is not None and error.source is not None:
            error.span = self.place(error.span)
            error.source = self.texts.get(error.span.cell, error.source)
        blank = [f"cell {cell.number}, line {cell.blanks[0]}" for cell in self.cells if cell.blanks]
        if blank:
            error.hint = "; ".join(part for part in (error.hint, f"still to be filled in: {', '.join(blank)}") if part)
        return error

    def notes(self) -> list[tuple[str, Span]]:
        """What there is to say of the notebook itself: blanks, and commands that were left out."""
        out = [
            ("this is still to be filled in", self._line(cell, cell.blanks[0])) for cell in self.cells if cell.blanks
        ]
        commands = [(cell, line, text) for cell in self.cells for line, text in cell.commands]
        if commands:
            named = [f"{_shown(text)} (cell {cell.number}, line {line})" for cell, line, text in commands]
            rest = [f"{len(named) - MOST_COMMANDS} more"] if len(named) > MOST_COMMANDS else []
            message = f"not run, since it is no Python: {', '.join([*named[:MOST_COMMANDS], *rest])}"
            out.append((message, self._line(*commands[0][:2])))
        if self.python.startswith("2") and self.cells:
            message = f"the notebook says it is for Python {self.python}; it was run as Python 3, where 1/2 is 0.5"
            out.append((message, self._line(self.cells[0], 1)))
        return out

    def _line(self, cell: Cell, line: int) -> Span:
        text = cell.text.split("\n")[line - 1]
        start = len(text) - len(text.lstrip())
        return Span(self.file, line, start + 1, line, max(len(text.rstrip()), start + 1) + 1, cell.number)


def read_notebook(path: str | os.PathLike[str]) -> Notebook:
    """Read a notebook's code cells.

    Raises:
        SymgradError: it is not there, is no notebook, has no code, or a cell ends in the middle of something.
        Unsupported: its language is not Python.
    """
    return notebook_of(read_bytes(path, MAX_BYTES), os.path.basename(os.fspath(path)))


def notebook_of(raw: bytes, name: str) -> Notebook:
    """The same of a notebook's bytes.

    Raises:
        SymgradError, Unsupported: as for :func:`read_notebook`.
    """
    data = _load(raw, name)
    metadata = data.get("metadata") or {}
    language, version = _language(metadata)
    if language not in ("", "python", "ipython"):
        raise Unsupported(f"{name}: the notebook's language is {_shown(language)}, not Python")
    cells = [
        read_cell(number, _text(cell.get("source", "")))
        for number, cell in enumerate(data["cells"], 1)
        if cell.get("cell_type") == "code"
    ]
    cells = [cell for cell in cells if cell.text.strip()]
    if not cells:
        raise SymgradError(f"{name}: the notebook has no code")
    starts, parts, line = [], [], 1
    for cell in cells:
        starts.append(line)
        parts += [cell.python, SEPARATOR]
        line += cell.python.count("\n") + 2
    notebook = Notebook(name, "\n".join(parts), tuple(cells), tuple(starts), version)
    for cell in cells:
        if cell.unclosed is not None:
            at, column, message = cell.unclosed
            span = Span(name, at, column, at, column + 1, cell.number)
            raise notebook.located(SymgradError(message, span, source=cell.text))
    return notebook


def _load(raw: bytes, name: str) -> Any:
    """The notebook in version 4 of the format, whatever version it is of, or why it is none."""
    try:
        text = raw.decode("utf-8-sig")
        parsed = json.loads(text)
    except json.JSONDecodeError as e:
        span = Span(name, e.lineno, e.colno, e.lineno, e.colno + 1)
        raise SymgradError(f"the notebook is no JSON: {e.msg}", span, source=e.doc) from None
    except (ValueError, RecursionError) as e:
        raise SymgradError(f"{name}: the notebook is no JSON: {e}") from None
    if not isinstance(parsed, dict) or not {"cells", "worksheets"} & parsed.keys():
        raise SymgradError(f"{name} is no notebook: it has no cells")
    # What is of version 4 needs no conversion: nbformat, with a schema validator's imports, takes seconds to load.
    current = parsed.get("nbformat") == 4 and isinstance(parsed.get("metadata"), dict)
    data = parsed if current else _converted(parsed, name)
    cells = data.get("cells")
    if not isinstance(cells, list) or not all(isinstance(c, dict) for c in cells):
        raise SymgradError(f"{name} is no notebook: it has no cells")
    return data


def _converted(parsed: dict[str, Any], name: str) -> Any:
    """A notebook of another version, as nbformat converts it."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("traitlets").addFilter(_quiet)
            try:
                # No id, or an output of an unknown kind: that is no matter here. What is needed is looked at after.
                reads: Any = nbformat.reads
                return reads(json.dumps(parsed), as_version=4)
            finally:
                logging.getLogger("traitlets").removeFilter(_quiet)
    except Exception as e:
        raise SymgradError(f"{name} is no notebook: {(str(e).strip() or type(e).__name__).splitlines()[0]}") from None


def _quiet(record: logging.LogRecord) -> bool:  # noqa: ARG001
    return False


def _language(metadata: Any) -> tuple[str, str]:
    """The language that a notebook declares, and its version; empty where it does not."""
    if not isinstance(metadata, dict):
        return "", ""
    info, kernel = metadata.get("language_info"), metadata.get("kernelspec")
    info = info if isinstance(info, dict) else {}
    kernel = kernel if isinstance(kernel, dict) else {}
    language = str(info.get("name") or kernel.get("language") or "").lower()
    version = str(info.get("version") or ("2" if kernel.get("name") == "python2" else ""))[:10]
    return language, version if version.isprintable() else ""


def _text(source: Any) -> str:
    """A cell's text, with one kind of line end, and without what is no text."""
    joined = "".join(str(part) for part in source) if isinstance(source, list) else str(source)
    return joined.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")


def _shown(text: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text)
    return f"`{clean if len(clean) <= 40 else clean[:37] + '...'}`"
