"""What follows ``--at``: values of variables as text, each a formula without variables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.errors import InternalError
from symgrad.frontends.expression import read
from symgrad.frontends.tokens import Source
from symgrad.graph import Graph
from symgrad.names import normalize, refusal

#: Longest text of one ``--at``, in characters.
MAX_POINT = 20_000

_EQUATION = re.compile(r"[ \t]*([^=\s]*)[ \t]*(=?)")


def parse_points(texts: Sequence[str]) -> dict[str, Graph]:
    """Read values such as ``"x=3, z=sqrt(2)"``: a graph without variables for each name, in the order given.

    Raises:
        SymgradError: a name or a value is missing, a name is given twice, or a value is no constant expression.
    """
    values: dict[str, Graph] = {}
    for text in texts:
        source = Source(text[:MAX_POINT], "--at")
        if len(text) > MAX_POINT:
            raise source.error(0, 1, f"the text has {len(text)} characters; at most {MAX_POINT} can be read")
        for start, end in _parts(text):
            name, value = _point(source, start, end)
            if name in values:
                at = text.index(text[start:end].strip(), start)
                raise source.error(at, end, f"'{name}' is given twice")
            values[name] = value
    return values


def _parts(text: str) -> list[tuple[int, int]]:
    """The ranges between the commas that stand outside parentheses."""
    out, depth, start = [], 0, 0
    for i, char in enumerate(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth <= 0:
            out.append((start, i))
            start = i + 1
    return [*out, (start, len(text))]


def _point(source: Source, start: int, end: int) -> tuple[str, Graph]:
    text = source.text
    match = _EQUATION.match(text, start, end)
    if match is None:
        raise InternalError("the pattern of an equation matches everything")
    word = match[1]
    place = (match.start(1), max(match.end(1), match.start(1) + 1))
    example = "write it as NAME=VALUE, such as w=2"
    if not word:
        raise source.error(*place, "a name is missing" if match[2] else "a value such as w=2 is missing", example)
    name = normalize(word)
    shown = source.quote(*place)
    reason = refusal(name)
    if not match[2]:
        raise source.error(*place, f"'{shown}' gives no variable a value" if shown else "there is no '='", example)
    if reason is not None:
        raise source.error(*place, *reason)
    after = match.end()
    if not text[after:end].strip():
        raise source.error(match.start(2), match.end(2), f"'{name}' has no value", f"write {name}=2")
    graph = read(source.part(after), text[after:end], value_of=name)
    return name, graph
