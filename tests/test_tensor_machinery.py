"""The tensor benchmark's own foundations: its corpus is right, its mutants are wrong, its rewrites are right."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.benchmarks.mutants import Finding, judge, names_factor
from tests.benchmarks.tensor_cases import TensorMutant, candidates, pairs, raising, rewritten, singles
from tests.benchmarks.tensor_corpus import (
    EQUAL,
    Raised,
    TensorCase,
    array,
    differences,
    expected,
    is_right,
    near,
    outcome,
    program,
    run,
    tensor_corpus,
)
from tests.benchmarks.tensor_mutants import Ended
from tests.tensor_forwards import FORWARDS

by_name = pytest.mark.parametrize("case", tensor_corpus(), ids=lambda c: c.name)


def autograd(case: TensorCase, point: int) -> list[np.ndarray[Any, Any]]:
    """The loss and the declared gradients by the independent forward pass in torch."""
    scope = run(case, program(case, case.source), point)

    def number(expression: str) -> torch.Tensor:
        known = {**scope, **scope["__inputs"]}
        return torch.tensor(array(eval(expression, {}, known)))

    inputs = {
        path: torch.tensor(array(eval(path, {}, scope["__inputs"])), requires_grad=True) for _, path in case.gradients
    }
    loss = FORWARDS[case.name](inputs, number)
    found = torch.autograd.grad(loss, [inputs[path] for _, path in case.gradients])
    return [loss.detach().numpy(), *(g.numpy() for g in found)]


@by_name
def test_the_corpus_is_right(case: TensorCase) -> None:
    """By torch's autograd, and by differences of the script itself."""
    assert case.declared
    for point, found in enumerate(expected(case)):
        names = ["the loss", *case.declared]
        for name, mine, true in zip(names, found, autograd(case, point), strict=True):
            assert near(mine, true, 1e-10), f"{name} at point {point}: {mine} and by autograd {true}"
        assert differences(case, point) == []


@by_name
def test_mutants_differ_and_keep_the_forward_pass(case: TensorCase) -> None:
    correct = case.source.split("\n")
    for mutant in (*singles(case, n=6), *pairs(case, n=1)):
        found = outcome(case, mutant.source)
        assert isinstance(found, tuple)
        assert not mutant.is_right(mutant.source)
        assert all(near(f[0], t[0], 1e-9) for f, t in zip(found, expected(case), strict=True))
        lines = mutant.source.split("\n")
        changed = {k for k, (a, b) in enumerate(zip(correct, lines, strict=True), 1) if a != b}
        assert changed == set().union(*(e.changed for e in mutant.edits))
        assert all(map(case.manual, changed))
        assert all(e.mistakes for e in mutant.edits)


@by_name
def test_what_raises_raises_in_that_line(case: TensorCase) -> None:
    for broken in raising(case, n=1):
        found = outcome(case, broken.source)
        assert isinstance(found, Raised)
        assert found.line == broken.line > 0
        assert Ended(broken, "", broken.line, 2, 0.0).right
        assert not Ended(broken, "", broken.line - 1, 2, 0.0).right
        assert not Ended(broken, "", broken.line, 70, 0.0).right


@by_name
def test_rewrites_are_equal(case: TensorCase) -> None:
    """Run again from the text alone where nothing declared was renamed; the rest was run when it was made."""
    for rewrite in rewritten(case, n=3):
        ast.parse(rewrite.source)
        assert rewrite.source != case.source
        assert "rename" in rewrite.operators or is_right(case, rewrite.source, tolerance=EQUAL)


def test_the_operators_cover_what_people_get_wrong() -> None:
    """Every kind of mistake of MISTAKES.md, section 1, is proposed somewhere; enough of the corpus is in each style."""
    proposed = Counter(edit.operator for case in tensor_corpus() for edit, _ in candidates(case))
    wanted = (
        "scale count-again wrong-count mean-sum drop-factor drop-constant wrong-variable time-step lost-accumulation"
        " add-at wrong-formula updated-first no-copy sum-axis no-sum keepdims input-for-output softmax-elementwise"
        " other-objective sign-line sign-term counted-twice dropped-line never-assigned transpose operand-order"
        " dot-outer regulariser wrong-slice swapped-lines tuple-order return-in-loop double-factor drop-term exponent"
    )
    assert set(wanted.split()) <= set(proposed)
    assert sum(proposed.values()) >= 3000
    sources = [case.source for case in tensor_corpus()]
    assert len(sources) >= 24
    for style, least in (("class ", 5), ("def ", 8), ("torch", 2), ("self.", 4), ("np.add.at", 3), ("append(", 4)):
        assert sum(style in s for s in sources) >= least, style


def _finding(mutant: TensorMutant, **changed: object) -> Finding:
    edit = mutant.edits[0]
    was = mutant.case.source.split("\n")[edit.line - 1]
    given: dict[str, object] = {
        "line": edit.line,
        "column": edit.column + 1,
        "end_column": edit.column + max(len(edit.text), 1) + 1,
        "factor": edit.dropped,
        "expected": was[edit.column : edit.end],
        "mistake": edit.mistakes[0],
        "fix": was[edit.column : edit.end].strip() or was.strip(),
        "fix_verified": True,
        "root": True,
        "message": "",
    }
    return Finding(**{**given, **changed})  # type: ignore[arg-type]


@by_name
def test_a_perfect_diagnosis_scores_fully_and_others_do_not(case: TensorCase) -> None:
    for mutant in singles(case, n=8):
        edit = mutant.edits[0]
        perfect = judge(mutant, [_finding(mutant)])
        assert perfect.line
        assert perfect.factor, (edit, mutant.source)
        assert perfect.kind
        assert perfect.fix
        assert not judge(mutant, []).line
        assert not judge(mutant, [_finding(mutant, line=1)]).line
        assert not judge(mutant, [_finding(mutant), _finding(mutant, line=1)]).line
        nothing = _finding(mutant, column=1, end_column=1, expected="", factor="", fix="", mistake="unknown")
        assert not names_factor(mutant, edit, nothing)
    for mutant in pairs(case, n=1):
        first = _finding(mutant)
        assert not judge(mutant, [first]).found
        second = _finding(replace(mutant, edits=mutant.edits[1:]))
        both = judge(mutant, [first, second])
        assert both.line
        assert both.found
