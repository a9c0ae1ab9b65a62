"""Large results by some of their columns: it must not be told from computing all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from symgrad.diagnose.effects import narrow
from symgrad.diagnose.effects.attempts import Attempts
from symgrad.diagnose.values.closeness import is_multiple, is_near
from symgrad.errors import SymgradError
from symgrad.manual import check_source
from symgrad.ops import OPS
from symgrad.ops.columns import for_columns, has_columns
from symgrad.ops.values import function
from tests.benchmarks.tensor_cases import SEED, singles
from tests.benchmarks.tensor_corpus import tensor_corpus

#: Files whose diagnosis takes a fraction of a second.
QUICK = ("attention", "layernorm_long", "mlp_script", "residual_mlp")


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("matmul", ((3, 4), (4, 40))), ("matmul", ((2, 3, 4), (4, 40))), ("matmul", ((4,), (4, 40))),
        ("outer", ((3,), (40,))), ("add", ((3, 40), (3, 40))), ("mul", ((3, 40), (40,))), ("div", ((3, 40), (3, 1))),
        ("sub", ((), (3, 40))), ("tanh", ((3, 40),)),
    ],
)  # fmt: skip
def test_columns_are_those_of_the_whole(name: str, shapes: Sequence[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(3)
    args = [rng.uniform(0.5, 2.0, s) for s in shapes]
    picked = np.array([0, 7, 39])
    run = function(name)
    whole = run(*args)
    assert has_columns(OPS[name])
    found = for_columns(OPS[name], args, [False] * len(args), picked, 40)
    assert found is not None
    np.testing.assert_allclose(run(*found), whole[..., picked], rtol=1e-14)


def test_what_has_no_such_columns_is_not_guessed() -> None:
    vector = np.ones(4)
    assert for_columns(OPS["matmul"], [np.ones((40, 4)), vector], [False, False], np.array([1]), 40) is None
    assert for_columns(OPS["add"], [np.ones((3, 40)), np.ones((3, 5))], [False, False], np.array([1]), 40) is None
    assert not has_columns(OPS["transpose"])


def test_what_is_refused_is_refused_as_a_whole() -> None:
    """Whatever the columns refuse, the whole array is not near, and is no multiple, either."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        right = rng.normal(size=(9, 40)) * 10.0 ** rng.integers(-9, 9, size=(9, 40))
        value = right * rng.choice([1.0, 1.0, -2.0, 0.25]) * (1 + 3e-6 * rng.normal(size=right.shape))
        value = np.where(rng.random(right.shape) < 0.01, value + 1e-6 * rng.normal(), value)
        columns = np.array(sorted({int(np.abs(right).argmax()) % 40, 6, 20, 33}))
        scale = float(np.abs(right).max())
        made = object.__new__(narrow.Narrow)
        made.columns, made._parts = {0: columns}, {0: (9, len(columns))}
        made._rights = {0: ((right[..., columns], scale),)}
        part = value[..., columns]
        assert made.may_be_right(0, part) or not is_near(value, right)
        assert made.may_be_multiple(0, part) or not is_multiple(value, right)


def _told(source: str) -> str:
    try:
        return repr(check_source(source, sandbox=False, verify=False).findings)
    except SymgradError as e:
        return str(e)


def test_reports_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every result narrowed, and with none."""
    cases = [c for c in tensor_corpus() if c.name in QUICK]
    drawn = random.Random(7).sample([m for c in cases for m in singles(c, SEED + 200, 3)], 8)
    refused: list[bool] = []
    inner = Attempts._is_hopeless

    def counted(self: Attempts, *args: object) -> bool:
        refused.append(inner(self, *args))  # type: ignore[arg-type]
        return refused[-1]

    monkeypatch.setattr(Attempts, "_is_hopeless", counted)
    by_columns = 0
    for case in drawn:
        monkeypatch.setattr(narrow, "LARGE", 1 << 40)
        plain = _told(case.source)
        assert not any(refused)
        monkeypatch.setattr(narrow, "LARGE", 2)
        monkeypatch.setattr(narrow, "WIDE", 2)
        assert _told(case.source) == plain, case.name
        by_columns += sum(refused)
        refused.clear()
    assert by_columns > 100
