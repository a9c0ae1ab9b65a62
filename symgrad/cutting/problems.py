"""A file of several exercises: each computes a result of its own and derives it, and knows nothing of the others.

Where one is over and the next begins, nothing that was computed is used any more: the data may be. A run is cut there
if on both sides of it something is computed, and a derivative of that is worked out afterwards. The rounds of a loop
over data that carries nothing on are such exercises as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from symgrad.diagnose.text.naming import LOSS_NAMES, claims, is_bare, is_some_loss, normal
from symgrad.diagnose.text.syntax import nodes
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.ops.base import COPY

#: More exercises than this are no exercises, nor are more pieces; of the rounds of one loop so many are looked at.
MOST, PIECES, ROUNDS = 24, 300, 6


@dataclass(frozen=True, slots=True)
class _Piece:
    """The steps from ``begin`` up to ``end``, made by the statements from line ``first`` to line ``last``."""

    begin: int
    end: int
    first: int
    last: int

    def and_(self, other: _Piece) -> _Piece:
        return _Piece(
            min(self.begin, other.begin), max(self.end, other.end), min(self.first, other.first),
            max(self.last, other.last),
        )  # fmt: skip


def problems(trace: Trace) -> tuple[Trace, ...]:
    """The runs of the exercises of a file, each with the data that it uses; empty where there are no several.

    Of a loop of many rounds some are there, the first and the last among them.
    """
    if trace.call is not None or len(trace.graph) < 4:
        return ()
    cut = _Cut(trace)
    found = _some_of_each(cut.grouped())
    return tuple(cut.run(p, last=p is found[-1]) for p in found) if 1 < len(found) <= MOST else ()


def _some_of_each(pieces: Sequence[_Piece]) -> list[_Piece]:
    loops: dict[int, list[_Piece]] = {}
    for piece in pieces:
        loops.setdefault(piece.last, []).append(piece)
    out = []
    for mine in loops.values():
        out += _some(mine)
    return out


def _some(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The first, the last, and some in between."""
    n, most = len(pieces), min(len(pieces), ROUNDS)
    return [pieces[k * (n - 1) // max(most - 1, 1)] for k in range(most)]


class _Cut:
    """Where a run may be cut, and what is on either side."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.steps = trace, trace.graph.steps
        names = {name for name, _ in trace.returned}
        #: What is claimed to be a gradient by being shown beside one has a step of its own at the end of the run.
        self.claimed = {b.step: b for b in trace.bindings if b.name in names and self.steps[b.step].op == COPY}
        self.end = len(self.steps)
        while self.end - 1 in self.claimed:
            self.end -= 1
        self.claimed = {i: b for i, b in self.claimed.items() if i >= self.end}
        self.given = [b for b in trace.bindings if b.step < self.end]
        self.lines, self.main = _statements(trace.graph.source)
        #: The line outside of functions that each step was made by, and that of its statement; 0 where there is none.
        self.at = self._places()
        self.looped: set[int] = set()  # statements that are loops, with a cut between rounds
        self.statement = [self.lines.get(line, 0) for line in self.at]
        names = {normal(b.name) for b in trace.bindings}
        #: What something is called the derivative of.
        self.tops = {c.top for b in trace.bindings for c in claims(b.name) if c.top and c.bottom in names}
        #: Names and shapes of arrays whose gradient is given: ``out``, where there is a ``dout`` to begin with.
        self.begun = {
            (c.bottom, shape) for b in self.given
            if self.steps[b.step].is_leaf and (shape := self.steps[b.step].shape) for c in claims(b.name)
        }  # fmt: skip
        #: The last step that there was when a name was given.
        self.when: list[int] = []
        latest, line = -1, 0
        for b in self.given:
            latest = max(latest, b.step)
            if self._is_outside(b):
                if b.line < line and b.step < latest and self.lines.get(b.line) == self.lines.get(line):
                    # for x, t in data: with the next round the line goes back, whatever was computed last
                    latest = next((p for p in range(latest + 1, self.end) if self.at[p] < line), latest)
                line = b.line
            self.when.append(latest)

    def _is_outside(self, b: Binding) -> bool:
        """A name is given outside of functions."""
        return not b.scope or (bool(self.main) and b.scope.partition("#")[0] == self.main)

    def _places(self) -> list[int]:
        """The line outside of functions that each step was made by; 0 where there is none."""
        at = [0] * self.end
        for i, step in enumerate(self.steps[: self.end]):
            called = self.trace.callers.get(i)
            lines = [s.line for s in (step.span, called) if s is not None]
            at[i] = next((line for line in lines if line in self.lines), 0)
        for b in self.given:
            if self._is_outside(b) and not at[b.step]:
                at[b.step] = b.line if b.line in self.lines else 0
        known = 0
        for i in reversed(range(len(at))):
            known = at[i] = at[i] or known
        for i in range(1, len(at)):
            at[i] = at[i] or at[i - 1]
        return at

    def pieces(self) -> list[_Piece]:
        """The run in as many pieces as can be: no piece uses what an earlier one computed. In loops: rounds."""
        steps, at, n = self.steps, self.statement, self.end
        last = list(range(n))
        for k, step in enumerate(steps[:n]):
            for i in step.inputs:
                last[i] = k
        for b, when in zip(self.given, self.when, strict=True):
            last[b.step] = max(last[b.step], when)
        for g in self.trace.grad_reads:
            asked = [c.step for c in self.trace.backward_calls if c.step < g.step]
            for i in (g.target, *asked[-1:]):
                last[i] = max(last[i], g.step)
        ours = {b.name for b in self.claimed.values()}
        for name, i in self.trace.returned:
            if name not in ours:
                last[i] = n
        low = [0] * n  # the first statement of this step and all after it
        for i in reversed(range(n)):
            low[i] = min(at[i], low[i + 1]) if i + 1 < n else at[i]
        out: list[_Piece] = []
        begin, used, high = 0, -1, 0
        for p in range(n):
            again = at[p] == high == low[p] == at[p - 1] and self.at[p] < self.at[p - 1]  # the next round of a loop
            if p > begin and used < p and (high < low[p] or again):
                if again:
                    self.looped.add(at[p])
                out.append(_Piece(begin, p, min(at[begin:p]), high))
                begin = p
            if not steps[p].is_leaf:
                used = max(used, last[p])
            high = max(high, at[p])
        return [*out, _Piece(begin, n, min(at[begin:]), high)]

    def grouped(self) -> list[_Piece]:
        """The pieces put together so that each has a result and a derivation of it."""
        groups: list[_Piece] = []
        begun: _Piece | None = None  # data for what comes next
        pieces = self._thinned(self.pieces())
        for piece in pieces if len(pieces) <= PIECES else ():
            mine = piece if begun is None else begun.and_(piece)
            if all(self.steps[i].is_leaf for i in range(piece.begin, piece.end)):
                begun = mine
                continue
            if groups and not (self._results(piece) and self._is_whole(groups[-1])):
                groups[-1] = groups[-1].and_(mine)
            else:
                groups.append(mine)
            begun = None
        if begun is not None and groups:
            groups[-1] = groups[-1].and_(begun)
        out: list[_Piece] = []
        for group in groups:
            if out and not (self._is_whole(group) and self._is_whole(out[-1])):
                out[-1] = out[-1].and_(group)
            else:
                out.append(group)
        return out

    def _thinned(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Of a loop of many rounds some, where each is an exercise: nobody looks at all of a thousand."""
        out: list[_Piece] = []
        for first, group in groupby(pieces, key=lambda p: p.first):
            mine = list(group)
            thin = first in self.looped and len(mine) > ROUNDS and self._is_whole(mine[0]) and self._is_whole(mine[-1])
            out += _some(mine) if thin else mine
        return out

    def _within(self, piece: _Piece) -> list[tuple[Binding, int]]:
        """The names that are given in a piece, and when."""
        given = zip(self.given, self.when, strict=True)
        return [(b, when) for b, when in given if self._is_in(b, when, piece)]

    def _is_in(self, b: Binding, when: int, piece: _Piece) -> bool:
        line = self.lines.get(b.line, 0) if self._is_outside(b) else 0
        if line and (line < piece.first or line > piece.last):
            return False
        # A round of a loop is told from the others by its steps.
        return (line > 0 and line not in self.looped) or piece.begin <= when < piece.end

    def _results(self, piece: _Piece) -> list[tuple[str, int]]:
        """What is computed in a piece and may be what is differentiated."""
        out = [
            (normal(b.name), b.step) for b, _ in self._within(piece)
            if not self.steps[b.step].is_leaf and b.step >= piece.begin and self._may_be_one(b)
            and not any(c.top and c.top in self.tops for c in claims(b.name))
        ]  # fmt: skip
        return [*out, *(("", c.step) for c in self.trace.backward_calls if piece.begin <= c.step < piece.end)]

    def _may_be_one(self, b: Binding) -> bool:
        if shape := self.steps[b.step].shape:
            return (normal(b.name), shape) in self.begun
        return is_some_loss(b.name.rstrip("0123456789")) or normal(b.name) in self.tops

    def _is_whole(self, piece: _Piece) -> bool:
        """Something is computed in a piece, and a derivative of that is worked out afterwards."""
        found = self._results(piece)
        if not found:
            return False
        forward = self.trace.graph.ancestors(*(step for _, step in found))
        first = min(step for _, step in found)
        given = self._within(piece)
        known = {normal(b.name) for b in self.trace.bindings if forward[b.step]}
        tops = {"", *LOSS_NAMES, *(name for name, _ in found)}
        numbers = {name[len(name.rstrip("0123456789")) :] for name, _ in found}
        asked = any(piece.begin <= g.step < piece.end for g in self.trace.grad_reads)
        for b, when in given:
            if when < first or (b.step == first and when == first):
                continue
            read = [c for c in claims(b.name) if c.top in tops]
            # dw2 beside loss2: by w
            read += [replace(c, bottom=c.bottom.removesuffix(n)) for c in read for n in numbers if n]
            if any(c.bottom in known for c in read) or is_bare(b.name):
                return True
            # beside x.grad any name may be that of the derivative by hand
            if asked and self._is_outside(b) and not forward[b.step] and not self.steps[b.step].is_leaf:
                return True
        return False

    def run(self, piece: _Piece, *, last: bool) -> Trace:
        """The run of one exercise alone: its steps, and the numbers from before that it uses."""
        steps, trace = self.steps, self.trace
        named = {b.step for b, _ in self._within(piece)}
        kept = {j for i in range(piece.begin, piece.end) for j in steps[i].inputs if j < piece.begin}
        kept |= {i for i in named if i < piece.begin}
        claimed = [i for i in self.claimed if piece.begin <= steps[i].inputs[0] < piece.end]
        order = [*sorted(kept), *range(piece.begin, piece.end), *claimed]
        place = {i: n for n, i in enumerate(order)}
        mine = {id(b) for b, _ in self._within(piece)}
        bindings = tuple(
            b for b in trace.bindings
            if id(b) in mine or b.step in claimed or (b.step in kept and self.lines.get(b.line, 0) < piece.first)
        )  # fmt: skip
        rounds = tuple(r for r in trace.rounds if piece.begin <= r.start < piece.end)
        bare = replace(trace, bindings=bindings, rounds=rounds, error=trace.error if last else None)
        # An input that had to be called otherwise beside that of another exercise has its own name here.
        free = {b.name for b in bindings} - {steps[i].name for i in order}
        own: dict[int, str] = {}
        for b in bindings:
            if b.name in free and steps[b.step].is_input and b.step not in own:
                own[b.step] = b.name
                free.discard(b.name)
        new = [
            replace(steps[i], name=own.get(i, steps[i].name), inputs=tuple(place[j] for j in steps[i].inputs))
            for i in order
        ]
        return bare.relocated(new, [trace.values[i] for i in order], lambda i: place.get(i, -1))


@lru_cache(maxsize=4)
def _statements(source: str) -> tuple[dict[int, int], str]:
    """Line -> the first line of the statement outside of functions and classes that it belongs to; and the name of the
    one function that a file consists of, ``main``, whose statements count as outside: empty where there is none."""
    tree = next(iter(nodes(source)), None)
    body = list(_outside(tree.body)) if isinstance(tree, ast.Module) else []
    functions = {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
    alone = [n for s in body if (n := _called_alone(s)) in functions]
    calls = [n.func.id for n in nodes(source) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    main = alone[0] if len(alone) == 1 and calls.count(alone[0]) == 1 else ""
    out: dict[int, int] = {}
    for s in (*body, *(functions[main].body if main else ())):
        if not isinstance(s, ast.FunctionDef | ast.ClassDef):
            out |= dict.fromkeys(range(s.lineno, (s.end_lineno or s.lineno) + 1), s.lineno)
    return out, main


def _outside(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """What stands under ``if __name__ == "__main__"`` stands outside as well."""
    for s in body:
        if isinstance(s, ast.If) and "__name__" in ast.unparse(s.test):
            yield from s.body
        else:
            yield s


def _called_alone(s: ast.stmt) -> str:
    """``main`` for ``main()``."""
    call = s.value if isinstance(s, ast.Expr) else None
    plain = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not (call.args or call.keywords)
    return call.func.id if plain and isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""


__all__ = ["problems"]
