"""The text of one notebook cell as plain Python, line for line and column for column.

A cell is nearly Python. What is not (magic commands, shell commands, questions) is found here by looking at where
statements begin, never by parsing: text from outside is parsed in the sandbox only. A line that is left out becomes
``pass``, so that every other line keeps its number and a block that held nothing else is still a block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: Cell magics that run the rest of the cell as it stands.
TRANSPARENT = frozenset({"time", "capture", "prun"})
#: Magics that only set up how things are shown: nothing is said of leaving them out.
SILENT = frozenset({"matplotlib", "config", "load_ext", "reload_ext", "autoreload", "precision", "capture", "time"})

_QUESTION = re.compile(r"\??\??[\w.%]+\?{1,2}$|\?{1,2}[\w.%*]+$")
_ASSIGNED = re.compile(r"[\w.,\[\]'\" ]+=\s*[%!](?!=)")
_INSTALLER = re.compile(r"(?:pip3?|conda|mamba) +[a-z]+\b(?! *[=(.\[])")
_TIMED = re.compile(r"%time (?=\S)")

_PLACEHOLDER = re.compile(r"your code|todo|fill (?:this )?in|to be (?:filled|completed)|implement (?:this|me)", re.I)
_EMPTY = re.compile(r"raise NotImplementedError\b|\.\.\.\s*(?:#.*)?$|[\w.,\[\]'\" ]+=\s*\.\.\.\s*(?:#.*)?$")
_STUB = re.compile(r"(?:pass|[\w.,\[\]'\" ]+=\s*None)\s*#(.*)$")


@dataclass(slots=True)
class Cell:
    """One code cell.

    Attributes:
        number: among all cells of the notebook, text cells included, from 1.
        text: as the person wrote it; ``python``: what of it is run, with the same number of lines.
        commands: (line, text) of what was left out and is worth a remark.
        blanks: lines that still hold a placeholder.
        unclosed: (line, column, what) of a bracket, string or line that goes on at the end of the cell.
    """

    number: int
    text: str
    python: str = ""
    commands: list[tuple[int, str]] = field(default_factory=list)
    blanks: list[int] = field(default_factory=list)
    unclosed: tuple[int, int, str] | None = None


def read_cell(number: int, text: str) -> Cell:
    """Sort out what of a cell's text is Python."""
    cell = Cell(number, text)
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        name = _word(lines[first][2:])
        if name not in SILENT or name not in TRANSPARENT:
            cell.commands.append((first + 1, lines[first].strip()))
        if name not in TRANSPARENT:
            cell.python = "\n".join("" for _ in lines)
            return cell
        lines[first] = "pass"
    reader = _Reader()
    out: list[str] = []
    left_out = False  # a command that goes on after a backslash
    code = False
    for n, line in enumerate(lines, 1):
        made = line
        if left_out or (reader.at_start and _is_command(line)):
            continues = left_out
            if not continues and _word(line.strip().lstrip("%!")) not in SILENT:
                cell.commands.append((n, line.strip()))
            made = "" if continues else _replaced(line)
            left_out = line.rstrip().endswith("\\") and made.strip() in ("", "pass")
        elif reader.at_start:
            stripped = line.strip()
            code = code or bool(stripped and not stripped.startswith("#"))
            stub = _STUB.match(stripped)
            if _EMPTY.match(stripped) or (stub and _PLACEHOLDER.search(stub[1])):
                cell.blanks.append(n)
                if line.startswith("raise NotImplementedError"):
                    made = "pass"  # the cells after it are to be looked at as well
        reader.read(n, made)
        out.append(made)
    if not code and not cell.commands:
        cell.blanks = [n for n, line in enumerate(lines, 1) if _PLACEHOLDER.search(line)][:1]
    cell.unclosed = reader.unclosed
    cell.python = "\n".join(out)
    return cell


def _word(text: str) -> str:
    found = re.match(r"\w+", text)
    return found[0] if found else ""


def _is_command(line: str) -> bool:
    stripped = line.strip()
    if stripped[:1] in ("%", "!", "?") and stripped:
        return True
    return bool(_QUESTION.match(stripped) or _ASSIGNED.match(stripped) or _INSTALLER.match(stripped))


def _replaced(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    # ``%time y = f(x)`` runs the statement; this is as long, so that the columns stay.
    timed = _TIMED.match(line.lstrip())
    return indent + ("if 1: " + line.lstrip()[timed.end() :] if timed else "pass")


class _Reader:
    """Knows whether a line begins a statement: no bracket, string or backslash is open before it."""

    def __init__(self) -> None:
        self.brackets: list[tuple[int, int, str]] = []
        self.quote = ""
        self.opened = (1, 1)
        self.continued: tuple[int, int] | None = None

    @property
    def at_start(self) -> bool:
        return not (self.brackets or self.quote or self.continued)

    @property
    def unclosed(self) -> tuple[int, int, str] | None:
        if self.quote:
            return (*self.opened, "this string is not closed in its cell")
        if self.brackets:
            line, column, bracket = self.brackets[-1]
            return line, column, f"'{bracket}' was never closed in its cell"
        return (*self.continued, "the cell ends in a line that goes on") if self.continued else None

    def read(self, number: int, line: str) -> None:
        i = 0
        self.continued = None
        while i < len(line):
            c = line[i]
            if c == "\\":
                if i == len(line) - 1 and not self.quote:
                    self.continued = (number, i + 1)
                i += 2
            elif self.quote:
                ends = line.startswith(self.quote, i)
                i += len(self.quote) if ends else 1
                self.quote = "" if ends else self.quote
            elif c == "#":
                break
            elif c in "'\"":
                self.quote = c * 3 if line.startswith(c * 3, i) else c
                self.opened = (number, i + 1)
                i += len(self.quote)
            else:
                if c in "([{":
                    self.brackets.append((number, i + 1, c))
                elif c in ")]}" and self.brackets:
                    self.brackets.pop()
                i += 1
        # A plain string ends with its line, unless a backslash carries it over: what else is wrong Python will say.
        if len(self.quote) == 1 and not line.endswith("\\"):
            self.quote = ""
