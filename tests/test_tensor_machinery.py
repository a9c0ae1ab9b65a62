"""The tensor benchmark's own foundations: its corpus is right, its mutants are wrong, its rewrites are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.benchmarks.tensor_corpus import TensorCase, array, differences, expected, near, program, run, tensor_corpus
from tests.tensor_forwards import FORWARDS

by_name = pytest.mark.parametrize("case", tensor_corpus(), ids=lambda c: c.name)


def autograd(case: TensorCase, point: int) -> list[np.ndarray[Any, Any]]:
    """The loss and the declared gradients by the independent forward pass in torch."""
    scope = run(case, program(case, case.source), point)

    def number(expression: str) -> torch.Tensor:
        known = scope["__inputs"] if expression.split("[")[0] in scope["__inputs"] else scope
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
