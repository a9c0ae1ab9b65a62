"""The mutation benchmark's own foundations: its corpus is right, its mutants are wrong, its rewrites are right."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.benchmarks.cases import (
    REWRITES,
    Mutant,
    differs,
    is_negative,
    outcome,
    pairs,
    rewritten,
    singles,
)
from tests.benchmarks.corpus import CHANGED, EQUAL, Derivation, close, corpus, expected, validate
from tests.benchmarks.mutants import Finding, judge, names_factor

MISTAKES = frozenset(
    "input-for-output wrong-variable wrong-time-step missing-factor extra-factor sign scale missing-term extra-term"
    " lost-accumulation never-assigned transpose missing-reduction wrong-reduction wrong-shape overwritten"
    " wrong-formula other-objective unknown".split()
)
by_name = pytest.mark.parametrize("case", corpus(), ids=lambda c: c.name)


@by_name
def test_corpus_is_right(case: Derivation) -> None:
    assert case.declared
    assert validate(case) == []


@by_name
def test_mutants_differ_and_keep_the_layout(case: Derivation) -> None:
    correct = case.source.split("\n")
    for mutant in (*singles(case)[::3], *pairs(case)[::3]):
        found = outcome(case, mutant.source)
        assert found is not None
        assert differs(found, expected(case))
        assert not is_negative(case, found)
        assert mutant.hidden == close(found[0], expected(case)[0], CHANGED)
        lines = mutant.source.split("\n")
        assert [k for k, (a, b) in enumerate(zip(correct, lines, strict=True), 1) if a != b] == sorted(
            e.line for e in mutant.edits
        )
        for edit in mutant.edits:
            was, now = correct[edit.line - 1], lines[edit.line - 1]
            assert case.first < edit.line < case.last
            assert now == was[: edit.column] + edit.text + was[edit.end :]
            assert edit.mistakes
            assert MISTAKES.issuperset(edit.mistakes)


@by_name
def test_rewrites_are_equal(case: Derivation) -> None:
    """Run again from the text alone where nothing declared was renamed; the rest was run when it was made."""
    for rewrite in rewritten(case, n=6):
        ast.parse(rewrite.source)
        assert rewrite.source != case.source
        found = outcome(case, rewrite.source)
        if found is None:
            assert "rename" in rewrite.operators
            continue
        assert all(close(a, b, EQUAL) for a, b in zip(found, expected(case), strict=True))


def test_counts() -> None:
    assert len(corpus()) >= 30
    one = [m for case in corpus() for m in singles(case)]
    two = [m for case in corpus() for m in pairs(case)]
    # The first of those that the benchmark takes: fewer than all are enough for what is promised of all.
    other = [r for case in corpus() for r in rewritten(case, n=8)]
    assert len({m.source for m in one}) == len(one) >= 700
    assert len({m.source for m in two}) == len(two) >= 300
    assert len(one) + len(two) >= 1000
    assert len({r.source for r in other}) == len(other) >= 500
    assert min(Counter(m.edits[0].operator for m in one).values()) >= 10
    assert len({operator for r in other for operator in r.operators}) >= 18
    assert any(m.hidden for m in (*one, *two))
    assert REWRITES >= 8


def test_the_draw_is_fixed_by_its_seed() -> None:
    case = corpus()[3]
    assert singles(case, 1) == singles(case, 1) != singles(case, 2)
    assert [m.source for m in pairs(case, 1)] == [m.source for m in pairs(case, 1)]
    assert [r.source for r in rewritten(case, 1)] == [r.source for r in rewritten(case, 1)]


def _finding(mutant: Mutant, **changed: object) -> Finding:
    edit = mutant.edits[0]
    was = mutant.case.source.split("\n")[edit.line - 1]
    given: dict[str, object] = {
        "line": edit.line,
        "column": edit.column + 1,
        "end_column": edit.column + max(len(edit.text), 1) + 1,
        "factor": edit.dropped,
        "expected": was[edit.column : edit.end],
        "mistake": edit.mistakes[0],
        "fix": was[edit.column : edit.end],
        "fix_verified": True,
        "root": True,
        "message": "",
    }
    return Finding(**{**given, **changed})  # type: ignore[arg-type]


@by_name
def test_a_perfect_diagnosis_scores_fully_and_others_do_not(case: Derivation) -> None:
    for mutant in singles(case, n=8):
        edit = mutant.edits[0]
        perfect = judge(mutant, [_finding(mutant)])
        assert perfect.line
        assert perfect.factor
        assert perfect.kind
        assert perfect.fix
        assert perfect.confirmed or edit.operator in ("lost-accumulation", "dropped-line", "sign-term", "drop-factor")
        assert not judge(mutant, []).line
        assert not judge(mutant, [_finding(mutant, line=case.first)]).line
        assert not judge(mutant, [_finding(mutant), _finding(mutant, line=case.first)]).line
        assert judge(mutant, [_finding(mutant), _finding(mutant, line=case.first, root=False)]).line
        assert not names_factor(
            mutant, edit, _finding(mutant, column=1, end_column=1, expected="", factor="", fix="", mistake="unknown")
        )
    for mutant in pairs(case, n=2):
        first = _finding(mutant)
        assert not judge(mutant, [first]).found
        second = _finding(Mutant(case, mutant.edits[1:], mutant.source, False))
        both = judge(mutant, [first, second])
        assert both.line
        assert both.found
