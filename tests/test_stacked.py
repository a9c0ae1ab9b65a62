"""Ops on stacks give what they give array by array, for every op of the table; and so do the vectors made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.diagnose.values import shaped
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.values.shaped import Shaped
from symgrad.ops import OPS, TensorOp
from symgrad.ops.stacked import stacked
from symgrad.ops.tensor import typed
from symgrad.ops.values import function

POINTS = 3
#: Every op with examples of its own, and elementwise ones with arrays that are broadcast.
CASES = [
    (op.name, shapes, params) for op in OPS.values() if isinstance(op, TensorOp) for shapes, params in op.examples
] + [
    (op.name, shapes[: op.arity], {})
    for op in OPS.values()
    if not isinstance(op, TensorOp) and 0 < op.arity <= 3
    for shapes in (((2, 3), (3,), ()), ((), (2, 1), (1, 3)), ((3,), (3,), (3,)))
]


def arrays(name: str, shapes: tuple[tuple[int, ...], ...], seed: int) -> list[list[np.ndarray]]:
    """For each input one array a point; whole numbers where these are indices."""
    rng = np.random.default_rng(seed)
    return [[rng.uniform(0.1, 0.9, s) for _ in range(POINTS)] for s in shapes]


@pytest.mark.parametrize("name", sorted({c[0] for c in CASES}))
def test_stacks_give_what_arrays_give(name: str) -> None:
    for n, (op, shapes, params) in enumerate(CASES):
        if op != name or any(0 in s for s in shapes):
            continue
        settled = dict(typed(name, shapes, params)[0])
        if "input" in str(settled):
            continue
        given = arrays(name, shapes, n)
        run = stacked(OPS[name])
        with np.errstate(all="ignore"):
            made = None if run is None or not shapes else run(*(np.array(a) for a in given), **settled)
            plain = [np.asarray(function(name)(*at, **settled), dtype=float) for at in zip(*given, strict=True)]
        if made is not None:
            assert made.shape == (POINTS, *plain[0].shape), (shapes, params)
            np.testing.assert_allclose(made, np.array(plain), rtol=1e-14, atol=1e-15)


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0, 1e-17, -1e-17, 1 + 1e-16, 1e13, -1e13, math.nan, math.inf])


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, min_size=9, max_size=9), st.lists(NUMBERS, min_size=9, max_size=9), st.sampled_from(
    ["add", "sub", "mul", "div", "matmul", "outer", "sum"]))  # fmt: skip
def test_what_is_computed_at_once_is_what_comes_out_point_by_point(
    first: list[float], then: list[float], name: str
) -> None:
    """What cancels, what has no value, and how two are compared: with stacks as without."""

    def computed() -> list[object]:
        a = Shaped(np.array(first).reshape(3, 3))
        b = Shaped(np.array(then).reshape(3, 3))
        op = OPS[name]
        args = (a,) if op.arity == 1 else (a, b)
        params = dict(typed(name, [x.shape for x in args], {})[0])
        with quiet():
            out = shaped.run(op, args, params)
            back = shaped.run(OPS["sub"], (out, shaped.lifted(a)), {}) if out.shape == a.shape else out
            nearly = Shaped([x * (1 + 3e-7) for x in out.arrays])
            return [
                [x.tolist() for x in out.arrays], [x.tolist() for x in back.arrays], out.is_zero, out.usable,
                out.same(nearly), out.same(back), a.same(b), a.is_zero, a.usable, [str(x) for x in out.tops],
                (-out).same(out),
            ]  # fmt: skip

    at_once = computed()
    before = shaped.AT_ONCE
    shaped.AT_ONCE = 0
    try:
        plain = computed()
    finally:
        shaped.AT_ONCE = before
    for x, y in zip(at_once, plain, strict=True):
        if isinstance(x, list) and x and not isinstance(x[0], str):
            np.testing.assert_allclose(np.array(x, float), np.array(y, float), rtol=1e-15, atol=0)
        else:
            assert x == y
