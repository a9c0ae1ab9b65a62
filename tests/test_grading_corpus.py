"""Right derivations of many kinds, rewritten and spoiled: a right one has all its marks, a wrong one never."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symgrad.frontends.warm import Nursery
from symgrad.grading.assignment import Assignment
from symgrad.grading.one import grade
from symgrad.grading.submissions import Submission
from symgrad.grading.truth import truth_of
from tests.benchmarks import cases, tensor_cases
from tests.benchmarks.corpus import Derivation, corpus
from tests.benchmarks.tensor_corpus import TensorCase, tensor_corpus

#: Another draw than the benchmarks'.
DRAW = 5
#: Their inputs have other names inside than outside, autograd calls what was written by hand, or parameters are moved
#: in place by gradients without a name.
LEFT_OUT = {"dropout_net", "inplace_update", "layer_classes", "layernorm_class", "lists_of_lists", "mlp_grads_dict",
            "rnn_class", "torch_function", "maxpool", "newton_unrolled", "conv_loops", "net_lists_sgd"}  # fmt: skip

CASES = [c for c in (*corpus()[::3], *tensor_corpus()[::3]) if c.name not in LEFT_OUT]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_right_and_wrong(case: Derivation, nursery: Nursery) -> None:
    made = tensor_cases if isinstance(case, TensorCase) else cases
    pairs = case.gradients or [(name, bottom) for name, top, bottom in case.tangents if top == case.loss]
    assignment = Assignment(
        case.name, reference=case.source, result=case.loss, gradients=tuple(i for _, i in pairs),
        names={i: (name,) for name, i in pairs},
    )  # fmt: skip
    truth = truth_of(assignment, nursery.run)

    reviewed: list[str] = []

    def marks(source: str) -> tuple[float, list[tuple[str, str, str]]]:
        document = grade(Submission("hw.py", {"hw.py": source.encode()}), assignment, truth, nursery.run)
        reviewed[:] = document["review"]
        return document["marks"], [(g["name"], g["status"], g["note"]) for g in document["gradients"]]

    assert marks(case.source)[0] == 10
    for right in made.rewritten(case, DRAW, 1):  # type: ignore[arg-type]
        got, rows = marks(right.source)
        assert got == 10, f"{rows}\n{right.source}"
    for wrong in made.singles(case, DRAW, 1):  # type: ignore[arg-type]
        if case.gradients:  # a mistake in a tangent by another input is none here
            got, rows = marks(wrong.source)
            # Where the same gradient is carried forward as well, and only that is wrong, a person is told.
            assert got < 10 or (case.tangents and reviewed), f"{rows}\n{wrong.source}"
