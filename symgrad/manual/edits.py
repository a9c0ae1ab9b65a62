"""A text with changes put into it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from symgrad.diagnose.text.source import SourceMap
from symgrad.errors import Span


def patched(source: str, edits: Sequence[tuple[Span, str]]) -> str | None:
    """The text with all edits made, last first; ``None`` if there are none or two overlap."""
    if not edits:
        return None
    ordered = sorted(edits, key=lambda e: (e[0].line, e[0].column), reverse=True)
    for later, earlier in pairwise(ordered):
        if (earlier[0].end_line, earlier[0].end_column) > (later[0].line, later[0].column):
            return None
    for span, text in ordered:
        source = SourceMap(source).replaced(span, text)
    return source
