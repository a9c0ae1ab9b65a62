"""A smaller, fixed run of the mutation benchmark: the goals of ``python -m tests.benchmarks.mutants``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from tests.benchmarks.cases import SEED, Case, pairs, rewritten, singles
from tests.benchmarks.corpus import corpus
from tests.benchmarks.mutants import Result, run_cases, share

#: Another draw than the benchmark's, so that the two do not see the same mutants.
DRAW = SEED + 100


def _drawn(cases: Sequence[Case], n: int) -> list[Result]:
    return run_cases(random.Random(DRAW).sample(cases, n))


@cache
def _singles() -> tuple[Result, ...]:
    return tuple(_drawn([m for case in corpus() for m in singles(case, DRAW, 2)], 60))


def _failures(results: Sequence[Result], what: str) -> str:
    return "\n".join(f"{r.case.name} {r.error} {r.findings}\n{r.case.source}" for r in results if not getattr(r, what))


def test_single_mutants() -> None:
    """One test, so that the cases are checked once whatever worker takes it."""
    results = _singles()
    assert share(results, "line") == 1, _failures(results, "line")
    assert share(results, "factor") >= 0.98, _failures(results, "factor")
    assert share(results, "fix") >= 0.9, _failures(results, "fix")


def test_pairs_of_mutants() -> None:
    results = _drawn([m for case in corpus() for m in pairs(case, DRAW, 1)], 20)
    assert share(results, "found") == 1, _failures(results, "found")
    assert share(results, "line") == 1, _failures(results, "line")


def test_rewrites_are_not_blamed() -> None:
    results = _drawn([r for case in corpus() for r in rewritten(case, DRAW, 2)], 60)
    assert share(results, "right") == 1, _failures(results, "right")


def test_correct_derivations_are_not_blamed() -> None:
    results = run_cases(corpus())
    assert share(results, "right") == 1, _failures(results, "right")
