"""A mistake in a function of one expression: what belongs there is written with the function's own parameters.

``self.output*(1 - self.output)`` is no expression that ``def sigmoid_derivative(x)`` could hold; ``x*(1 - x)`` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.callees import Callee, Calls
from symgrad.diagnose.text.source import source_map
from symgrad.manual.work import Account


def in_parameters(taken: Account) -> Account:
    """The account in which fixes inside such functions can be put there."""
    found, subject = taken.diagnosis, taken.subject
    calls = Calls(subject.graph, source_map(subject.source))
    told = []
    for b in _once(found.blames, subject, calls):
        callee = calls.at(b.span) if b.edits else None
        told.append(b if callee is None else _told(b, callee, calls, taken))
    return replace(taken, diagnosis=replace(found, blames=tuple(told)))


def _once(blames: Sequence[Blame], subject: Subject, calls: Calls) -> list[Blame]:
    """Without what is told of single calls, ``db = dact(z)``, where the same is told of all that the function gives."""
    steps = subject.graph.steps
    made = {(u.name, u.line): steps[u.step].span for u in subject.units if not steps[u.step].is_leaf}
    inside = {(b.span, b.mistake): n for n, b in enumerate(blames) if calls.at(b.span) is not None}
    out, more = [], dict[int, list[int]]()
    for b in blames:
        n = inside.get((span, b.mistake)) if (span := made.get((b.step, b.span.line))) is not None else None
        if n is None or b.span == span:
            out.append(b)
        else:
            more.setdefault(n, []).extend((b.span.line, *b.inherited))
    places = {id(blames[n]): lines for n, lines in more.items()}
    return [
        replace(b, inherited=tuple(sorted({*b.inherited, *places[id(b)]}))) if id(b) in places else b for b in out
    ]


def _told(blame: Blame, callee: Callee, calls: Calls, taken: Account) -> Blame:
    names = {i: name for name, i in taken.subject.aliases} | dict(taken.subject.names)
    made = {i: name for (name, given), some in calls.results.items() for i in some if given in names}
    of = {i: given for (_, given), some in calls.results.items() for i in some}
    for given in _given(callee, calls):
        called = {names[i]: p for p, i in given.items() if i in names}
        # What another function gives for the same argument, act(z) of an inner dact(z), can be written with it.
        by = {i: p for p, i in given.items()}
        called |= {names[i]: f"{name}({by[of[i]]})" for i, name in made.items() if i in names and of[i] in by}
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
