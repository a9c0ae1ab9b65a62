"""``dz = dh`` for arrays: two names of one step, told apart, so that one of them can be wrong and the other right."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from symgrad.diagnose.text.naming import claims, is_bare, is_plain, normal
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Step
from symgrad.ops.base import COPY
from symgrad.subjects.handing_back import Returns

_NAME = re.compile(r"^[A-Za-z_][\w.]*$")
#: An item that is called by its key: ``grads["W"]``.
_ITEM = re.compile(r'^[\w.]+\["\w+"\]$')


def told_apart(trace: Trace) -> Trace:
    """The same run with a step of its own for each second name that reads as a derivative.

    Which uses mean which name is read from the text.
    """
    copies = _copies(trace)
    if not copies:
        return trace
    after = [p + 1 for p, _ in copies]

    def moved(i: int) -> int:
        return i + bisect_right(after, i)

    old = trace.graph.steps
    steps: list[Step] = []
    made: list[int] = []
    values = []
    source = source_map(trace.graph.source)
    held: dict[str, tuple[int, int]] = {}
    own: dict[int, int] = {}
    returns = Returns(trace)
    handed_back = {b.order: returns.place(b) for _, b in copies}
    calls: dict[int, Span] = {}
    for i, step in enumerate(old):
        inputs = list(map(moved, step.inputs))
        for slot, j in enumerate(step.inputs):
            text = _text(source, step.span, slot) if held else ""
            if text in held and held[text][0] == j:
                inputs[slot] = held[text][1]
        steps.append(step if tuple(inputs) == step.inputs else replace(step, inputs=tuple(inputs)))
        values.append(trace.values[i])
        while len(made) < len(copies) and copies[len(made)][0] == i:
            b = copies[len(made)][1]
            if b.name in held and held[b.name][0] == b.step:
                # What a function returns is what it was there under this name.
                own[b.order] = held[b.name][1]
                after.remove(i + 1)
                copies.pop(len(made))
                continue
            place = handed_back.get(b.order)
            # What is handed back is what the function calls it: dx = dout may be the line that leaves something out.
            before = held.get(source.text(place or b.span).strip(), (-1, -1))
            origin = before[1] if before[0] == b.step else moved(b.step)
            shape = old[b.step].shape
            if place is not None:
                calls[len(steps)] = b.span
            steps.append(Step(f"%copy{len(made)}", COPY, (origin,), shape=shape, span=place or b.span))
            values.append(trace.values[b.step])
            held[b.name] = (b.step, len(steps) - 1)
            own[b.order] = len(steps) - 1
            made.append(len(steps) - 1)
    made_of = trace.relocated(steps, values, moved)
    bindings = (_rebound(b, own.get(b.order, b.step)) for b in made_of.bindings)
    return replace(made_of, bindings=tuple(bindings), callers={**made_of.callers, **calls})


def _rebound(b: Binding, step: int) -> Binding:
    return b if b.step == step else replace(b, step=step)


def _text(source: SourceMap, span: Span | None, slot: int) -> str:
    where = source.operand(span, slot)
    return source.text(where) if where is not None else ""


def _copies(trace: Trace) -> list[tuple[int, Binding]]:
    """The bindings that give a step of an array another name, each with the last step that was made before it."""
    steps: Sequence[Step] = trace.graph.steps
    names: dict[int, str] = {}
    known: set[str] = set()
    out: list[tuple[int, Binding]] = []
    copied: dict[str, int] = {}
    latest = -1
    begun = False
    source = source_map(trace.graph.source)
    rounds = sorted({r.start for r in trace.rounds}, reverse=True)
    for b in trace.bindings:
        while rounds and b.step >= rounds[-1]:
            # Another round of training goes forward first: self.inputs = inputs hands on no derivative there.
            rounds.pop()
            begun = False
        latest = max(latest, b.step)
        second = names.setdefault(b.step, b.name) != b.name
        named = any(c.bottom in known for c in claims(b.name)) or is_plain(b.name)
        begun = begun or (named and not steps[b.step].is_leaf)
        reads = named or is_bare(b.name)
        # mean1 = dnorm: a line that does nothing to a derivative. self.x = x in a later round does nothing to the data.
        is_data = steps[b.step].is_leaf and not claims(names[b.step])
        reads = reads or (begun and not is_data and source.text(b.span).strip().isidentifier())
        text = source.text(b.span).strip()
        reads = reads or (_ITEM.match(b.name) is not None and _NAME.match(text) is not None and any(claims(text)))
        reads = reads and not b.is_number
        step = steps[b.step]
        given = False
        if not second and reads and not b.augmented:
            # grad_z = grad_output, where that is a parameter, and so not bound by a line.
            second = given = _NAME.match(text) is not None and text != b.name
        if step.op == COPY and b.span in (step.span, trace.callers.get(b.step)):
            second = False  # it has a step of its own as it is
        if step.is_const:
            second = step.value != 0
        if not second and copied.get(b.name) == b.step:
            out.append((latest, b))  # what a function returns, where it was called
        elif second and reads and not b.augmented and (
            _NAME.match(b.name) or (given and _ITEM.match(b.name)) or _is_collected(b, trace)
        ):
            out.append((latest, b))
            copied[b.name] = b.step
        elif copied.get(b.name, b.step) != b.step:
            del copied[b.name]
        known.add(normal(b.name))
    return out


def _is_collected(b: Binding, trace: Trace) -> bool:
    """A number is put into a list of gradients that the script only prints, or turns round, afterwards."""
    stem, bracket, _ = b.name.partition("[")
    if not bracket or not stem.isidentifier() or trace.graph.steps[b.step].shape:
        return False
    rest = trace.graph.source.split("\n")[b.line :]
    return not any(re.search(rf"\b{stem}\[(?!::)|\bin {stem}\b|\({stem},|, ?{stem}\)(?!$)", line) for line in rest)
