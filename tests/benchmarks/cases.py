"""The benchmark's cases: mutants that make a difference, one and two at a time, and rewrites that make none.

Whether a difference is made is found by running. A mutant counts where some declared derivative changes at a random
point near the inputs, by more than `CHANGED` relative; `hidden` says that it does not change at the inputs as written.
Left out are

* mutants that raise or give infinities, for no derivation came out, and idle lines (``x = x``);
* mutants after which every declared gradient is exactly the negative of the true one: that is the negative-gradient
  convention of MISTAKES.md section 2, a note and no mistake;
* mutants that begin with another number than the correct script's 1, and after which every declared gradient is just
  that many times the true one: an upstream gradient, which symgrad takes as given and says so in a note;
* pairs in which one edit hides the other: both must still make a difference beside each other;
* pairs that nothing tells from a single edit: every number that the finished script holds under some name is, at every
  point, what it is after one edit of one line. Whoever looks for the fewest mistakes finds that one.

Which line is the mutated one: the edited line. A statement that was dropped leaves ``pass`` behind; then the right
line is this one or, as good, the last remaining line that binds the same target, where the term is now missing. And
where nothing tells a single edit from another one of its kind, in another line (``g = 0.5/d; g *= 0.5/d``: a half too
many in the first or in the second), either line is right: again every number that the script and its functions hold
in the end is the same, at every point.
"""

from __future__ import annotations

import ast
import math
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from types import FrameType

from tests.benchmarks.corpus import CHANGED, EQUAL, Derivation, Unusable, close, corpus, expected, program, run, values
from tests.benchmarks.mutation import Edit, edits, numeric, places
from tests.benchmarks.rewriting import Rewrite, rewrites

SEED = 3
#: How many of each are taken from one file at most.
SINGLES, PAIRS, REWRITES = 30, 11, 18

Outcome = tuple[tuple[float, ...], ...]
#: The names of a finished script, and what stands under them; then the declared derivatives.
Held = tuple[tuple[str, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Mutant:
    """A derivation with one or two mistakes in it."""

    case: Derivation
    edits: tuple[Edit, ...]
    source: str
    #: Right where the inputs are as written, wrong in general.
    hidden: bool

    @property
    def name(self) -> str:
        """File and lines."""
        return f"{self.case.name}:{'+'.join(str(e.line) for e in self.edits)}"

    def is_right(self, source: str) -> bool:
        """Whether a text works out the right derivatives."""
        found = outcome(self.case, source)
        return found is not None and all(close(a, b, CHANGED) for a, b in zip(found, expected(self.case), strict=True))

    @property
    def accepted(self) -> tuple[frozenset[int], ...]:
        """For each edit the lines of which exactly one must be reported."""
        return tuple(frozenset((e.line, *e.instead, *(t.line for t in e.twins))) for e in self.edits)


@dataclass(frozen=True)
class Rewritten:
    """A derivation that is written differently and just as right."""

    case: Derivation
    source: str
    operators: tuple[str, ...]

    @property
    def name(self) -> str:
        """File and what was done."""
        return f"{self.case.name}:{'+'.join(self.operators)}"


Case = Mutant | Rewritten | Derivation


def outcome(case: Derivation, source: str, declared: Sequence[str] | None = None) -> Outcome | None:
    """The declared derivatives at every point; None where the script cannot be used."""
    try:
        code = program(source, case.first)
        return tuple(values(code, at, declared or case.declared) for at in case.points())
    except (Unusable, SyntaxError):
        return None


@contextmanager
def _locals() -> Iterator[dict[str, float]]:
    """The numbers that a script's functions hold when they return."""
    out: dict[str, float] = {}
    calls: dict[str, int] = defaultdict(int)

    def look(frame: FrameType, event: str, arg: object) -> None:
        if event == "return" and frame.f_code.co_filename == "derivation.py" and frame.f_code.co_name != "<module>":
            name = f"{frame.f_code.co_qualname}#{calls[frame.f_code.co_qualname]}"
            calls[frame.f_code.co_qualname] += 1
            own = dict(frame.f_locals)
            out.update((f"{name}.{n}", float(own[n])) for n in numeric(own))

    sys.setprofile(look)
    try:
        yield out
    finally:
        sys.setprofile(None)


@cache
def everything_held(case: Derivation, source: str) -> tuple[Held, ...] | None:
    """Every number that the finished script holds under some name, at every point; None where it cannot be used."""
    try:
        code = program(source, case.first)
        out = []
        for at in case.points():
            with _locals() as inside:
                scope = run(code, at)
            held = {n: float(scope[n]) for n in numeric(scope)} | inside
            declared = values(code, at, case.declared)
            out.append((tuple(sorted(held)), tuple(held[n] for n in sorted(held)) + declared))
        return tuple(out)
    except (Unusable, SyntaxError):
        return None


def indistinct(a: tuple[Held, ...], b: tuple[Held, ...]) -> bool:
    """Whether two finished scripts hold the same numbers under the same names, at every point."""
    return all(
        m == n and all(map(math.isfinite, (*x, *y))) and close(x, y, CHANGED)
        for (m, x), (n, y) in zip(a, b, strict=True)
    )


def differs(a: Outcome, b: Outcome) -> bool:
    """Whether they differ at one of the random points."""
    return not all(close(x, y, CHANGED) for x, y in zip(a[1:], b[1:], strict=True))


def is_negative(case: Derivation, found: Outcome) -> bool:
    """Whether all gradients are negated: a convention, and no mistake."""
    n = len(case.gradients) or len(case.tangents)
    return all(
        close([-v for v in f[:n]], t[:n], CHANGED) and close(f[n:], t[n:], CHANGED)
        for f, t in zip(found, expected(case), strict=True)
    )


def is_seeded(case: Derivation, edit: Edit, found: Outcome) -> bool:
    """Whether the pass only begins with another number than 1, and every gradient is that many times the true one."""
    (stmt,) = ast.parse(case.source.split("\n")[edit.line - 1].strip() or "pass").body
    if not isinstance(stmt, ast.Assign) or not isinstance(stmt.value, ast.Constant) or stmt.value.value != 1:
        return False
    n = len(case.gradients)
    both = zip(found, expected(case), strict=True)
    ratios = [f / t for got, true in both for f, t in zip(got[:n], true[:n], strict=True) if t]
    return bool(ratios) and close(ratios, [ratios[0]] * len(ratios), CHANGED)


@cache
def _by_value(case: Derivation) -> dict[tuple[str, ...], list[tuple[Edit, Outcome, str]]]:
    """Every single edit of a file by the derivatives that come of it, roughly."""
    out: dict[tuple[str, ...], list[tuple[Edit, Outcome, str]]] = defaultdict(list)
    for edit, source in candidates(case):
        found = outcome(case, source)
        if found is not None:
            out[_roughly(found)].append((edit, found, source))
    return out


def _roughly(found: Outcome) -> tuple[str, ...]:
    """The derivatives at one random point; two that agree may still fall on two sides of a rounding, seldom."""
    return tuple(f"{v + 0.0:.6g}" for v in found[1])


def alike(case: Derivation, source: str, found: Outcome, like: Edit | None = None) -> Iterator[Edit]:
    """The single edits that nothing tells from a mutant; with ``like``, those in other lines by the same operator."""
    for edit, other, text in _by_value(case).get(_roughly(found), ()):
        if text == source or differs(found, other):
            continue
        if like is not None and (edit.operator != like.operator or edit.line in (like.line, *like.instead)):
            continue
        a, b = everything_held(case, source), everything_held(case, text)
        if a is not None and b is not None and indistinct(a, b):
            yield edit


def applied(source: str, changes: Iterable[Edit]) -> str:
    """The source with edits of different lines made in it."""
    lines = source.split("\n")
    for edit in changes:
        edit.apply(lines)
    return "\n".join(lines)


def _counts(case: Derivation, found: Outcome | None) -> bool:
    return found is not None and differs(found, expected(case)) and not is_negative(case, found)


@cache
def candidates(case: Derivation) -> tuple[tuple[Edit, str], ...]:
    """Every edit of a file with the source it leads to, each source once; not yet run."""
    seen, out = {case.source}, []
    for place in places(case):
        for edit in edits(place):
            source = applied(case.source, [edit])
            if source not in seen and not _idles(source.split("\n")[edit.line - 1]):
                seen.add(source)
                out.append((edit, source))
    return tuple(out)


def _idles(line: str) -> bool:
    """``x = x``: nobody writes that, and a line that is not there cannot be the one to blame."""
    name, _, value = line.partition(" = ")
    return bool(value) and name.strip() == value.strip()


@cache
def single(case: Derivation, edit: Edit, source: str) -> tuple[Mutant, Outcome] | None:
    """The mutant, if it counts."""
    found = outcome(case, source)
    if found is None or not _counts(case, found) or is_seeded(case, edit, found):
        return None
    if edit.operator == "dropped-line":
        edit = replace(edit, instead=_binders(case, edit))
    edit = replace(edit, twins=tuple(alike(case, source, found, edit)))
    return Mutant(case, (edit,), source, close(found[0], expected(case)[0], CHANGED)), found


def _binders(case: Derivation, edit: Edit) -> tuple[int, ...]:
    """The last line, other than the dropped one, that binds its target; and the last that binds an entry of the same
    list or dictionary, where only the run tells which entries these are: ``grad[black]`` beside ``grad[white]``."""
    binds = defaultdict(list)
    keyed = defaultdict(list)
    for node in ast.walk(ast.parse(case.source)):
        if isinstance(node, ast.Assign | ast.AugAssign) and node.lineno != edit.line:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for t in target.elts if isinstance(target, ast.Tuple) else [target]:
                    binds[ast.unparse(t)].append(node.lineno)
                    if isinstance(t, ast.Subscript) and not isinstance(t.slice, ast.Constant):
                        keyed[ast.unparse(t.value)].append(node.lineno)
    line = ast.parse(case.source.split("\n")[edit.line - 1].strip()).body[0]
    assert isinstance(line, ast.AugAssign)
    name = ast.unparse(line.target)
    lines = binds[name] or binds[name.split("[")[0]]
    match line.target:
        case ast.Subscript(value, index) if not isinstance(index, ast.Constant):
            others = keyed[ast.unparse(value)]
        case _:
            others = []
    return tuple(dict.fromkeys(max(some) for some in (lines, others) if some))


def _chosen(case: Derivation, n: int, rng: random.Random) -> list[tuple[Mutant, Outcome]]:
    """n singles, every operator in turn, so that no operator crowds the others out."""
    by: dict[str, list[tuple[Edit, str]]] = defaultdict(list)
    items = candidates(case)
    for item in rng.sample(items, len(items)):
        by[item[0].operator].append(item)
    out: list[tuple[Mutant, Outcome]] = []
    while len(out) < n and any(by.values()):
        for operator in rng.sample(sorted(by), len(by)):
            found = None
            while by[operator] and found is None and len(out) < n:
                found = single(case, *by[operator].pop())
            if found is not None:
                out.append(found)
    return sorted(out, key=lambda m: (m[0].edits[0].line, m[0].edits[0].column, m[0].source))


def singles(case: Derivation, seed: int = SEED, n: int = SINGLES) -> list[Mutant]:
    """The single mutants of a file that the benchmark takes."""
    return [m for m, _ in _chosen(case, n, random.Random(f"{seed}:singles:{case.name}"))]


def pairs(case: Derivation, seed: int = SEED, n: int = PAIRS) -> list[Mutant]:
    """Pairs of single mutants on two lines, neither hiding the other."""
    rng = random.Random(f"{seed}:pairs:{case.name}")
    out: list[Mutant] = []
    both = [
        ((a, alone), (b, other))
        for (a, alone), (b, other) in combinations(_chosen(case, 3 * n, rng), 2)
        if not a.accepted[0] & b.accepted[0]
    ]
    rng.shuffle(both)
    for (a, alone), (b, other) in both:
        if len(out) == n:
            break
        changes = (*a.edits, *b.edits)
        source = applied(case.source, changes)
        found = outcome(case, source)
        if found and _counts(case, found) and differs(found, alone) and differs(found, other):
            if any(alike(case, source, found)):
                continue
            hidden = close(found[0], expected(case)[0], CHANGED)
            out.append(Mutant(case, changes, source, hidden))
    return out


def rewritten(case: Derivation, seed: int = SEED, n: int = REWRITES) -> list[Rewritten]:
    """Rewrites of a file, one to three at a time, each proved equal by running."""

    def offered(source: str, rng: random.Random) -> Iterator[Rewrite]:
        return rewrites(case, source, rng)

    return in_turn(case, seed, n, 40 * n, offered, lambda new: _equal(case, *new))


def in_turn(
    case: Derivation,
    seed: int,
    n: int,
    tries: int,
    offered: Callable[[str, random.Random], Iterator[Rewrite]],
    is_equal: Callable[[tuple[str, tuple[str, ...]]], bool],
) -> list[Rewritten]:
    """n files, each rewritten one to three times, with every operator in its turn.

    Args:
        offered: the rewrites of a source; ``is_equal``: a source, with what it declares, does what the file does.
    """
    rng = random.Random(f"{seed}:rewrites:{case.name}")
    out: list[Rewritten] = []
    seen = {case.source}
    turn: dict[str, int] = defaultdict(int)
    for attempt in range(tries):
        if len(out) == n:
            break
        source, declared = case.source, case.declared
        done: list[str] = []
        for _ in range(1 + attempt % 3):
            options = sorted(offered(source, rng), key=lambda r: r.operator)
            among = sorted({r.operator for r in options} - set(done))  # the order of a set is not the same in two runs
            kinds = sorted(among, key=lambda o: (turn[o], rng.random()))
            if not kinds:
                break
            step = rng.choice([r for r in options if r.operator == kinds[0]])
            new = step.apply(source, declared)
            turn[step.operator] += 1
            if not is_equal(new):
                continue
            (source, declared), done = new, [*done, step.operator]
        if done and source not in seen:
            seen.add(source)
            out.append(Rewritten(case, source, tuple(done)))
    return out


def _equal(case: Derivation, source: str, declared: Sequence[str]) -> bool:
    found = outcome(case, source, declared)
    return found is not None and all(close(f, t, EQUAL) for f, t in zip(found, expected(case), strict=True))


def everything(
    seed: int = SEED, only: str = "", counts: tuple[int, int, int] = (SINGLES, PAIRS, REWRITES)
) -> Iterator[Case]:
    """All cases, file by file: the file itself, its singles, its pairs, its rewrites."""
    for case in corpus():
        if only in case.name:
            yield case
            yield from singles(case, seed, counts[0])
            yield from pairs(case, seed, counts[1])
            yield from rewritten(case, seed, counts[2])
