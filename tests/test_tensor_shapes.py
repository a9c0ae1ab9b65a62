"""The shape rules against NumPy, over random shapes: both refuse, or both give one shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.arrays import Program
from symgrad.graph import GraphBuilder
from symgrad.ops import Formula, ShapeError, typed
from symgrad.ops.indexing import encode
from symgrad.ops.tensor import broadcast

lengths = st.integers(0, 4)
shapes = st.lists(lengths, max_size=4).map(tuple)
axes = st.one_of(st.none(), st.integers(-4, 4), st.lists(st.integers(-3, 3), max_size=3).map(tuple))

quick = settings(max_examples=150, deadline=None)


def numpys(call: Any) -> tuple[int, ...] | None:
    """The shape that NumPy gives, ``None`` where it refuses."""
    try:
        return tuple(np.shape(call()))
    except (ValueError, IndexError, np.exceptions.AxisError, TypeError, MemoryError):
        return None


def ours(name: str, *given_shapes: tuple[int, ...], **params: Any) -> tuple[int, ...] | None:
    try:
        return typed(name, given_shapes, params)[1]
    except ShapeError:
        return None


@quick
@given(shapes, shapes, shapes)
def test_broadcast(a: Any, b: Any, c: Any) -> None:
    expected = numpys(lambda: np.broadcast(*(np.zeros(s) for s in (a, b, c))))
    try:
        assert broadcast(a, b, c) == expected
    except ShapeError:
        assert expected is None


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "prod", "norm"])
@quick
@given(x=shapes, axis=axes, keepdims=st.booleans())
def test_reductions(name: str, x: Any, axis: Any, keepdims: bool) -> None:
    function = {"norm": np.sum}.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        expected = numpys(lambda: function(np.zeros(x), axis=axis, keepdims=keepdims))
    got = ours(name, x, axis=axis, keepdims=keepdims)
    if not x and axis in (0, -1):
        assert got == ()  # NumPy's sum takes this, its mean does not
        return
    if name == "mean" and got is None and expected is not None:
        assert 0 in x  # NumPy gives nan and a warning
        return
    assert got == expected


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@quick
@given(x=shapes, axis=st.one_of(st.none(), st.integers(-4, 4)), keepdims=st.booleans())
def test_positions(name: str, x: Any, axis: Any, keepdims: bool) -> None:
    expected = numpys(lambda: getattr(np, name)(np.zeros(x), axis=axis, keepdims=keepdims))
    if not x and axis is not None:
        return
    if expected is not None and 0 in x:
        return  # NumPy takes no maximum, and no offence, where another axis is empty
    assert ours(name, x, axis=axis, keepdims=keepdims) == expected


@quick
@given(shapes, shapes)
def test_matmul(a: Any, b: Any) -> None:
    assert ours("matmul", a, b) == numpys(lambda: np.matmul(np.zeros(a), np.zeros(b)))


@quick
@given(shapes, st.lists(st.integers(-1, 6), max_size=3).map(tuple))
def test_reshape(x: Any, shape: Any) -> None:
    assert ours("reshape", x, shape=shape) == numpys(lambda: np.reshape(np.zeros(x), shape))


@quick
@given(shapes, st.one_of(st.none(), st.lists(st.integers(-3, 3), max_size=4)))
def test_transpose(x: Any, order: Any) -> None:
    assert ours("transpose", x, axes=order) == numpys(lambda: np.transpose(np.zeros(x), order))


@quick
@given(shapes, shapes)
def test_broadcast_to(x: Any, shape: Any) -> None:
    assert ours("broadcast_to", x, shape=shape) == numpys(lambda: np.broadcast_to(np.zeros(x), shape))


@quick
@given(st.lists(shapes, min_size=1, max_size=3), st.integers(-3, 3))
def test_concatenate(parts: Any, axis: int) -> None:
    assert ours("concatenate", *parts, axis=axis) == numpys(lambda: np.concatenate([np.zeros(p) for p in parts], axis))


@quick
@given(shapes, st.integers(-4, 4))
def test_triangles_and_diagonals(x: Any, k: int) -> None:
    if len(x) > 1:
        assert ours("triu", x, k=k) == numpys(lambda: np.triu(np.zeros(x), k))
        got = ours("diagonal", x, k=k)
        expected = numpys(lambda: np.diagonal(np.zeros(x), k, -2, -1))
        assert got == expected or (got is None and expected is not None and 0 in expected)
    if len(x) == 1:
        assert ours("diag", x, k=k) == numpys(lambda: np.diag(np.zeros(x), k))


letters = st.text("ijk", max_size=3)


@settings(max_examples=300, deadline=None)
@given(letters, letters, st.one_of(st.none(), letters), st.dictionaries(st.sampled_from("ijk"), st.integers(1, 3)))
def test_einsum(a: str, b: str, result: str | None, sizes: dict[str, int]) -> None:
    spec = f"{a},{b}" + ("" if result is None else f"->{result}")
    left, right = (tuple(sizes.get(c, 2) for c in word) for word in (a, b))
    expected = numpys(lambda: np.einsum(spec, np.zeros(left), np.zeros(right)))
    got = ours("einsum", left, right, spec=spec)
    if any(len(set(w)) < len(w) for w in (a, b)):
        assert got is None  # diagonals are taken before
        return
    assert got == expected


numbers_ = st.integers(-4, 3)
arrays = st.lists(numbers_, max_size=3).map(lambda v: np.array(v, dtype=np.int64))
items = st.one_of(
    numbers_, st.none(), st.just(Ellipsis), arrays,
    st.builds(slice, *[st.one_of(st.none(), numbers_)] * 2, st.one_of(st.none(), numbers_.filter(bool))),
    st.lists(st.booleans(), min_size=1, max_size=4).map(np.array),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(shapes, st.lists(items, max_size=4).map(tuple))
def test_indexing_is_numpys(x: Any, index: Any) -> None:
    """Shape, value, and what assignment and addition do; also that an index survives as plain data."""
    array = np.arange(float(np.prod(x))).reshape(x)
    expected = numpys(lambda: array[index])
    spec, operands = encode(index)
    assert not operands
    hash(spec)
    assert ours("index", x, spec=spec) == expected
    if expected is None:
        return
    builder = GraphBuilder()
    m = Formula(builder)
    p, v = (m.ref(builder.add("input", name=n, shape=s)) for n, s in (("x", x), ("v", expected)))
    calls = {"index": [p], "set": [p, v], "add_at": [p, v]}
    targets = [m.call(op, *given, label=op, spec=spec).index for op, given in calls.items()]
    value = 100.0 + np.arange(float(np.prod(expected))).reshape(expected)
    read, written, added = Program(builder.build(targets[-1]), targets)({p.index: array, v.index: value})
    assert np.array_equal(read, array[index])
    copy = array.copy()
    copy[index] = value
    assert np.array_equal(written, copy)
    copy = array.copy()
    np.add.at(copy, index, value)
    assert np.allclose(added, copy)
