"""The tensor benchmark's cases: mutants that make a difference, such as raise, and rewrites that make none.

Whether a difference is made is found by running, as for scalars (`cases`): a mutant counts where some declared gradient
changes at a random point by more than `CHANGED` of its largest entry, or changes its shape, and the loss stays. Edits
after which the script raises are apart: symgrad must end them as unusable, at the line that raises. Left out are
mutants that give infinities or nothing, idle lines, negated gradients, and pairs in which one edit hides the other.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

from tests.benchmarks.cases import Mutant, Rewritten, applied, in_turn
from tests.benchmarks.mutation import Edit
from tests.benchmarks.rewriting import Rewrite, rewrites
from tests.benchmarks.tensor_corpus import (
    CHANGED,
    EQUAL,
    Raised,
    TensorCase,
    Values,
    expected,
    is_right,
    near,
    outcome,
    same,
    tensor_corpus,
)
from tests.benchmarks.tensor_mutation import edits, places
from tests.benchmarks.tensor_rewriting import expressions, statements

SEED = 5
#: How many of each are taken from one file at most.
SINGLES, PAIRS, RAISING, REWRITES = 32, 10, 3, 14

Outcome = tuple[Values, ...]


@dataclass(frozen=True)
class TensorMutant(Mutant):
    """A pass with one or two mistakes in it."""

    case: TensorCase

    def is_right(self, source: str) -> bool:
        """Whether a text works out the right gradients."""
        return is_right(self.case, source)


@dataclass(frozen=True)
class Raising:
    """A pass that raises, and in which line: no diagnosis, but a located error."""

    case: TensorCase
    edits: tuple[Edit, ...]
    source: str
    line: int
    message: str

    @property
    def name(self) -> str:
        """File and line."""
        return f"{self.case.name}:{self.line}"


TensorAny = TensorMutant | Raising | Rewritten | TensorCase


def _counts(case: TensorCase, found: Outcome | Raised | None) -> bool:
    """Whether gradients differ and the loss does not."""
    if not isinstance(found, tuple):
        return False
    true = expected(case)
    if not all(near(f[0], t[0], CHANGED) for f, t in zip(found, true, strict=True)):
        return False
    negative = all(same([tuple(-g for g in f[1:])], [t[1:]]) for f, t in zip(found, true, strict=True))
    return not same(found[1:], true[1:]) and not negative


@cache
def candidates(case: TensorCase) -> tuple[tuple[Edit, str], ...]:
    """Every edit of a file with the source it leads to, each source once; not yet run."""
    seen, out = {case.source}, []
    for place in places(case):
        for edit in edits(place):
            source = applied(case.source, [edit])
            line = source.split("\n")[edit.line - 1]
            name, _, value = line.partition(" = ")
            if source in seen or (value and name.strip() == value.strip()):
                continue
            seen.add(source)
            out.append((edit, source))
    return tuple(out)


@cache
def single(case: TensorCase, edit: Edit, source: str) -> tuple[TensorMutant, Outcome] | Raising | None:
    """The mutant, if it counts; or what raises."""
    found = outcome(case, source)
    if isinstance(found, Raised):
        return Raising(case, (edit,), source, found.line, found.message) if found.line else None
    if not isinstance(found, tuple) or not _counts(case, found):
        return None
    if edit.text == "pass" or edit.operator == "return-in-loop":
        edit = replace(edit, instead=_binders(case, edit))
    return TensorMutant(case, (edit,), source, near_all(found[0], expected(case)[0])), found


def near_all(a: Values, b: Values) -> bool:
    """Whether two outcomes at one point are the same."""
    return same([a], [b])


def _binders(case: TensorCase, edit: Edit) -> tuple[int, ...]:
    """The last line, other than the dropped one, that binds what it bound, in the same function."""
    tree = ast.parse(case.source)
    inside = [
        f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.lineno <= edit.line <= (f.end_lineno or 0)
    ]
    lines: dict[str, list[int]] = defaultdict(list)
    name = ""
    for node in ast.walk(inside[-1] if inside else tree):
        match node:
            case ast.Assign(targets=targets):
                pass
            case ast.AugAssign(target=target):
                targets = [target]
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[target, *_])):
                targets = [target]
            case ast.Return(value=ast.Name() as target) if node.lineno == edit.line:
                targets = [target]
            case _:
                continue
        for t in (e for given in targets for e in (given.elts if isinstance(given, ast.Tuple) else [given])):
            if node.lineno == edit.line:
                name = ast.unparse(t)
            elif case.manual(node.lineno):
                lines[ast.unparse(t)].append(node.lineno)
                if "['" not in ast.unparse(t):  # an entry of a dictionary is an array of its own
                    lines[ast.unparse(t).split("[", 1)[0]].append(node.lineno)
    bound = lines[name] or lines[name.split("[", 1)[0]]
    return (max(bound),) if bound else ()


@cache
def _chosen(case: TensorCase, seed: str, n: int, raising: bool) -> tuple[TensorMutant | Raising, ...]:
    """n of them, every operator in turn, so that no operator crowds the others out."""
    rng = random.Random(seed)
    by: dict[str, list[tuple[Edit, str]]] = defaultdict(list)
    items = candidates(case)
    for item in rng.sample(items, len(items)):
        by[item[0].operator].append(item)
    out: list[TensorMutant | Raising] = []
    while len(out) < n and any(by.values()):
        for operator in rng.sample(sorted(by), len(by)):
            found: TensorMutant | Raising | None = None
            while by[operator] and found is None and len(out) < n:
                one = single(case, *by[operator].pop())
                if isinstance(one, Raising):
                    found = one if raising else None
                elif one is not None and not raising:
                    found = one[0]
            if found is not None:
                out.append(found)
    return tuple(sorted(out, key=lambda m: (m.edits[0].line, m.edits[0].column, m.source)))


def singles(case: TensorCase, seed: int = SEED, n: int = SINGLES) -> list[TensorMutant]:
    """The single mutants of a file that the benchmark takes."""
    return list(_chosen(case, f"{seed}:singles:{case.name}", n, False))  # type: ignore[arg-type]


def raising(case: TensorCase, seed: int = SEED, n: int = RAISING) -> list[Raising]:
    """Edits of a file after which it raises."""
    return list(_chosen(case, f"{seed}:raising:{case.name}", n, True))  # type: ignore[arg-type]


def pairs(case: TensorCase, seed: int = SEED, n: int = PAIRS) -> list[TensorMutant]:
    """Pairs of single mutants on different lines, neither hiding the other."""
    rng = random.Random(f"{seed}:pairs:{case.name}")
    known = _chosen(case, f"{seed}:for pairs:{case.name}", 3 * n, False)
    both = [
        (a, b)
        for a, b in combinations(known, 2)
        if not (a.edits[0].changed | {*a.edits[0].instead}) & (b.edits[0].changed | {*b.edits[0].instead})
    ]
    rng.shuffle(both)
    out: list[TensorMutant] = []
    for a, b in both[: 4 * n]:
        if len(out) == n:
            break
        source = applied(case.source, (*a.edits, *b.edits))
        found = outcome(case, source)
        if not isinstance(found, tuple) or not _counts(case, found):
            continue
        alone = [outcome(case, m.source) for m in (a, b)]
        if all(isinstance(o, tuple) and not same(found, o) for o in alone):
            out.append(TensorMutant(case, (*a.edits, *b.edits), source, near_all(found[0], expected(case)[0])))
    return out


def rewritten(case: TensorCase, seed: int = SEED, n: int = REWRITES) -> list[Rewritten]:
    """Rewrites of a file, one to three at a time, each proved equal by running."""

    def offered(source: str, rng: random.Random) -> Iterator[Rewrite]:
        return rewrites(case, source, rng, expressions, statements)

    return in_turn(case, seed, n, 12 * n, offered, lambda new: is_right(case, *new, EQUAL))


def everything(
    seed: int = SEED,
    only: str = "",
    counts: tuple[int, int, int, int] = (SINGLES, PAIRS, RAISING, REWRITES),
    kinds: Sequence[str] = ("corpus", "singles", "pairs", "raising", "rewrites"),
) -> Iterator[TensorAny]:
    """All cases, file by file: the file itself, its singles, its pairs, what raises, its rewrites."""
    for case in tensor_corpus():
        if only not in case.name:
            continue
        if "corpus" in kinds:
            yield case
        if "singles" in kinds:
            yield from singles(case, seed, counts[0])
        if "pairs" in kinds:
            yield from pairs(case, seed, counts[1])
        if "raising" in kinds:
            yield from raising(case, seed, counts[2])
        if "rewrites" in kinds:
            yield from rewritten(case, seed, counts[3])
