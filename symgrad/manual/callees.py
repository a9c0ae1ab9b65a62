"""A mistake in a function of one expression: what belongs there is written with the function's own parameters.

``self.output*(1 - self.output)`` is no expression that ``def sigmoid_derivative(x)`` could hold; ``x*(1 - x)`` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.callees import Callee, Calls
from symgrad.diagnose.text.source import SourceMap
from symgrad.manual.work import Account


def in_parameters(taken: Account) -> Account:
    """The account in which fixes inside such functions can be put there."""
    found, subject = taken.diagnosis, taken.subject
    calls = Calls(subject.graph, SourceMap(subject.source))
    told = []
    for b in found.blames:
        callee = calls.at(b.span) if b.edits else None
        told.append(b if callee is None else _told(b, callee, calls, taken))
    return replace(taken, diagnosis=replace(found, blames=tuple(told)))


def _told(blame: Blame, callee: Callee, calls: Calls, taken: Account) -> Blame:
    names = {i: name for name, i in taken.subject.aliases} | dict(taken.subject.names)
    for given in _given(callee, calls):
        called = {names[i]: p for p, i in given.items() if i in names}
        own = {name for name in names.values() if name not in callee.parameters}
        texts = {text: _renamed(text, called) for text in (blame.fix, *(text for _, text in blame.edits))}
        if any(texts[t] != t for t in texts) and not any(_has(text, own) for text in texts.values()):
            edits = tuple((span, texts[text]) for span, text in blame.edits)
            return replace(blame, fix=texts[blame.fix], edits=edits)
    return blame


def _given(callee: Callee, calls: Calls) -> Iterator[Mapping[str, int]]:
    """What the calls of a function were given, each once."""
    seen: list[Mapping[str, int]] = []
    for i, step in enumerate(calls.graph.steps):
        if step.span is not None and callee.span(step.span.file) == step.span:
            given = calls.given(i, callee)
            if given and given not in seen:
                seen.append(given)
                yield given


def _pattern(name: str) -> str:
    return rf"(?<![\w.]){re.escape(name)}(?![\w\[(])"


def _renamed(text: str, called: Mapping[str, str]) -> str:
    if not called:
        return text
    names = sorted(called, key=len, reverse=True)
    return re.sub("|".join(map(_pattern, names)), lambda m: called[m.group()], text)


def _has(text: str, names: set[str]) -> bool:
    return any(name in text and re.search(_pattern(name), text) for name in names)


__all__ = ["in_parameters"]
