"""A mistake in a file that the checked one imports: it is said where, and no change of the call is offered for it."""

from __future__ import annotations

from dataclasses import replace

from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.source import source_map
from symgrad.manual.work import Account


def in_imported(taken: Account) -> Account:
    """The account in which what an imported function returned wrongly is told with the line of that function."""
    trace, found = taken.trace, taken.diagnosis
    if not trace.elsewhere or not found.blames:
        return taken
    source = source_map(trace.graph.source)
    places = {(b.name, b.line): trace.elsewhere[b.step] for b in trace.bindings if b.step in trace.elsewhere}
    told = [
        _told(b, source.text(b.span), places[b.step, b.span.line]) if (b.step, b.span.line) in places else b
        for b in found.blames
    ]
    return replace(taken, diagnosis=replace(found, blames=tuple(told)))


def _told(blame: Blame, text: str, place: tuple[str, int, str]) -> Blame:
    file, line, written = place
    what = f"what {file} works out for {blame.step} (line {line}: `{written}`)"
    quoted = f"`{text}`"
    message = blame.message.replace(quoted, what) if quoted in blame.message else f"{what}: {blame.message}"
    _, _, numbers = blame.label.partition("; ")
    return replace(blame, message=message, label=numbers, fix="", edits=(), expected="")
