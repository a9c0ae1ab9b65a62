"""Products of arrays, as NumPy and torch spell them."""

from __future__ import annotations

import string
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.shapes import rearranged
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import ShapeError, shape_of


@spelled(
    "numpy.matmul", "numpy.linalg.matmul", "torch.matmul", "torch.Tensor.matmul", "torch.linalg.matmul",
    rename={"x1": "x", "x2": "other"},
)  # fmt: skip
def matmul(m: Any, x: Any, other: Any) -> Any:
    return m.matmul(x, other)


@spelled(
    "torch.mm", "torch.Tensor.mm", "torch.bmm", "torch.Tensor.bmm", "torch.mv", "torch.Tensor.mv", "torch.dot",
    "torch.Tensor.dot", "torch.inner", "torch.Tensor.inner", rename={"mat2": "other", "vec": "other"},
)  # fmt: skip
def product(m: Any, x: Any, other: Any) -> Any:
    """The special cases of matmul; inner is one of them for vectors only."""
    return m.matmul(x, other)


@spelled("numpy.dot", "numpy.ndarray.dot", rename={"b": "other"})
def dot(m: Any, x: Any, other: Any) -> Any:
    """``a.dot(b)``: the last axis of a with the last but one of b; with a number it is ``*``."""
    a, b = shape_of(x), shape_of(other)
    if not a or not b:
        return x * other
    if len(b) <= 2 and len(a) <= 2:
        return m.matmul(x, other)
    return tensordot(m, x, other, ((len(a) - 1,), (max(len(b) - 2, 0),)))


@spelled("numpy.inner", rename={"b": "other"})
def inner(m: Any, x: Any, other: Any) -> Any:
    a, b = shape_of(x), shape_of(other)
    if not a or not b:
        return x * other
    return m.matmul(x, other) if len(a) == len(b) == 1 else tensordot(m, x, other, ((-1,), (-1,)))


@spelled("numpy.vdot", "torch.vdot", rename={"b": "other"})
def vdot(m: Any, x: Any, other: Any) -> Any:
    return m.matmul(m.reshape(x, shape=(-1,)), m.reshape(other, shape=(-1,)))


@spelled(
    "numpy.outer", "numpy.linalg.outer", "torch.outer", "torch.Tensor.outer", "torch.ger", "torch.Tensor.ger",
    rename={"b": "other", "vec2": "other"},
)  # fmt: skip
def outer(m: Any, x: Any, other: Any) -> Any:
    return m.outer(m.reshape(x, shape=(-1,)), m.reshape(other, shape=(-1,)))


@spelled("numpy.vecdot", "numpy.linalg.vecdot", "torch.linalg.vecdot", rename={"x1": "x", "x2": "other", "y": "other"})
def vecdot(m: Any, x: Any, other: Any, axis: Any = -1) -> Any:
    return m.sum(x * other, axis=axis)


@spelled("numpy.multiply.outer", rename={"b": "other"})
def every_product(m: Any, x: Any, other: Any) -> Any:
    """Every entry of the one with every entry of the other, the axes of both kept."""
    return _apart(m, x, other) * other


@spelled("numpy.add.outer", rename={"b": "other"})
def every_sum(m: Any, x: Any, other: Any) -> Any:
    return _apart(m, x, other) + other


@spelled("numpy.subtract.outer", rename={"b": "other"})
def every_difference(m: Any, x: Any, other: Any) -> Any:
    return _apart(m, x, other) - other


def _apart(m: Any, x: Any, other: Any) -> Any:
    """The one with an axis of length 1 for each axis of the other."""
    return m.reshape(x, shape=(*shape_of(x), *(1,) * len(shape_of(other))))


@spelled("numpy.tensordot", "torch.tensordot", rename={"b": "other", "axis": "axes"})
def tensordot(m: Any, x: Any, other: Any, axes: Any = 2, axis: Any = None) -> Any:
    """Summed over pairs of axes; a number means the last of the one with the first of the other."""
    a, b = shape_of(x), shape_of(other)
    axes = axes if axis is None else axis
    if isinstance(axes, int):
        n = int(axes)
        if n > min(len(a), len(b)):
            raise ShapeError(f"tensordot of shapes {a} and {b} over {n} axes: there are not so many")
        left, right = tuple(range(len(a) - n, len(a))), tuple(range(n))
    else:
        left, right = (tuple(v) if isinstance(v, tuple | list) else (v,) for v in axes)
        left = tuple(one_axis(i, len(a), "tensordot", a) for i in left)
        right = tuple(one_axis(i, len(b), "tensordot", b) for i in right)
    if len(left) != len(right) or any(a[i] != b[j] for i, j in zip(left, right, strict=False)):
        raise ShapeError(f"tensordot of shapes {a} and {b} over axes {left} and {right}: their lengths differ")
    names = list(string.ascii_lowercase[: len(a)])
    others = list(string.ascii_uppercase[: len(b)])
    for i, j in zip(left, right, strict=True):
        others[j] = names[i]
    kept = [c for i, c in enumerate(names) if i not in left] + [c for j, c in enumerate(others) if j not in right]
    return m.einsum(x, other, spec=f"{''.join(names)},{''.join(others)}->{''.join(kept)}")


@spelled("numpy.einsum", "torch.einsum")
def einsum(m: Any, spec: Any, *arrays: Any, **options: Any) -> Any:
    """With ``...`` spelt out as letters, and a letter that an array has twice taken on its diagonal first.

    Raises:
        Unsupported: the form with lists of numbers in place of letters.
    """
    if not isinstance(spec, str):
        raise Unsupported("einsum with lists of axes")
    if len(arrays) == 1 and isinstance(arrays[0], tuple | list):
        arrays = tuple(arrays[0])
    left, arrow, result = spec.replace(" ", "").partition("->")
    parts = left.split(",")
    given = " and ".join(str(shape_of(a)) for a in arrays)
    if len(parts) != len(arrays):
        raise ShapeError(f"einsum '{spec}' of shapes {given}: it names {len(parts)} arrays, there are {len(arrays)}")
    if not arrow:
        letters = "".join(parts).replace("...", "")
        result = ("..." if "..." in left else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    spare = [c for c in string.ascii_letters if c not in spec]
    ranks = [len(shape_of(a)) - len(p.replace("...", "")) for p, a in zip(parts, arrays, strict=True)]
    if any(n < 0 or (n and "..." not in p) for n, p in zip(ranks, parts, strict=True)):
        raise ShapeError(f"einsum '{spec}' of shapes {given}: the axes are not as many as the letters")
    dots = "".join(spare[: max(ranks, default=0)])
    full = [p.replace("...", dots[len(dots) - n :]) for p, n in zip(parts, ranks, strict=True)]
    operands = []
    for n, array in enumerate(arrays):
        full[n], taken = _diagonals(m, full[n], array)
        operands.append(taken)
    return m.einsum(*operands, spec=f"{','.join(full)}->{result.replace('...', dots)}")


def _diagonals(m: Any, letters: str, x: Any) -> tuple[str, Any]:
    """Each letter once: where it stands twice, the diagonal of those two axes, put last."""
    while len(set(letters)) < len(letters):
        twice = next(c for c in letters if letters.count(c) > 1)
        a = letters.index(twice)
        b = letters.index(twice, a + 1)
        if shape_of(x)[a] != shape_of(x)[b]:
            raise ShapeError(f"einsum '{letters}' of shape {shape_of(x)}: '{twice}' has two lengths")
        rest = [i for i in range(len(letters)) if i not in (a, b)]
        x = m.diagonal(m.transpose(x, axes=(*rest, a, b)), k=0)
        letters = "".join(letters[i] for i in rest) + twice
    return letters, x


@spelled("numpy.kron", "torch.kron", "torch.Tensor.kron", rename={"b": "other"})
def kron(m: Any, x: Any, other: Any) -> Any:
    """Every entry of the one times the whole of the other, in its place."""
    rank = max(len(shape_of(x)), len(shape_of(other)))
    a, b = ((1,) * (rank - len(shape_of(v))) + tuple(shape_of(v)) for v in (x, other))
    apart = m.reshape(x, shape=tuple(k for n in a for k in (n, 1)))
    product = apart * m.reshape(other, shape=tuple(k for n in b for k in (1, n)))
    return m.reshape(product, shape=tuple(p * q for p, q in zip(a, b, strict=True)))


@spelled("numpy.cross", "numpy.linalg.cross", "torch.linalg.cross", rename={"b": "other"})
def cross(m: Any, x: Any, other: Any, axis: Any = -1) -> Any:
    """Of vectors of three numbers along an axis."""
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "cross", shape)
    if shape[where] != 3 or shape_of(other)[where - len(shape)] != 3:
        raise Unsupported("cross of anything but vectors of three numbers")
    before = ("...",)

    def turn(v: Any, order: tuple[int, ...]) -> Any:
        after = (("slice", None, None, None),) * (len(shape) - 1 - where)
        return m.index(v, spec=(*before, ("ints", (3,), order), *after))

    ahead, back = (1, 2, 0), (2, 0, 1)
    return turn(x, ahead) * turn(other, back) - turn(x, back) * turn(other, ahead)


@spelled("torch.cross", "torch.Tensor.cross")
def torch_cross(m: Any, x: Any, other: Any, axis: Any = None) -> Any:
    """Along the first axis of length 3 where none is named."""
    if axis is None:
        axis = next((a for a, n in enumerate(shape_of(x)) if n == 3), -1)
    return cross(m, x, other, axis)


@spelled("numpy.linalg.multi_dot", "torch.linalg.multi_dot", rename={"tensors": "arrays"})
def multi_dot(m: Any, arrays: Any) -> Any:
    found = arrays[0]
    for factor in arrays[1:]:
        found = m.matmul(found, factor)
    return found


@spelled("torch.chain_matmul")
def chain_matmul(m: Any, *arrays: Any) -> Any:
    return multi_dot(m, arrays)


@spelled(
    "numpy.linalg.matrix_power", "torch.linalg.matrix_power", "torch.matrix_power", "torch.Tensor.matrix_power"
)  # fmt: skip
def matrix_power(m: Any, x: Any, n: Any) -> Any:
    """A whole power, by squaring."""
    import numpy as np

    left = abs(int(n))
    if left == 0:
        return m.broadcast_to(np.eye(shape_of(x)[-1]), shape=shape_of(x))
    square, found = x if n > 0 else m.inv(x), None
    while left:
        if left % 2:
            found = square if found is None else m.matmul(found, square)
        left //= 2
        square = m.matmul(square, square) if left else square
    return found


@spelled("numpy.linalg.inv", "torch.linalg.inv", "torch.inverse", "torch.Tensor.inverse")
def inv(m: Any, x: Any) -> Any:
    return m.inv(x)


@spelled("numpy.linalg.solve", "torch.linalg.solve", rename={"b": "other", "B": "other", "A": "x"})
def solve(m: Any, x: Any, other: Any) -> Any:
    return m.solve(x, other)


@spelled("numpy.linalg.det", "torch.linalg.det", "torch.det", "torch.Tensor.det")
def det(m: Any, x: Any) -> Any:
    return m.det(x)


@spelled("torch.logdet", "torch.Tensor.logdet")
def logdet(m: Any, x: Any) -> Any:
    return m.log(m.det(x))


@spelled("numpy.linalg.slogdet", "torch.slogdet", "torch.linalg.slogdet", rename={"a": "x", "A": "x"})
def slogdet(m: Any, x: Any) -> tuple[Any, ...]:
    found = m.det(x)
    return m.sign(found), m.log(m.abs(found))


@spelled("numpy.lib.stride_tricks.sliding_window_view")
def sliding_window_view(m: Any, x: Any, window_shape: Any, axis: Any = None) -> Any:
    import numpy as np

    return rearranged(m, x, lambda places: np.lib.stride_tricks.sliding_window_view(places, window_shape, axis))


@spelled("numpy.lib.stride_tricks.as_strided")
def as_strided(m: Any, x: Any, shape: Any, strides: Any) -> Any:
    """Strides are in bytes of float64, as they were read from ``x.strides``.

    Raises:
        Unsupported: they lead outside the array.
    """
    import numpy as np

    size = int(np.prod(shape_of(x)))
    reach = sum((int(n) - 1) * int(s) for n, s in zip(shape, strides, strict=True)) // 8
    if any(int(s) % 8 or int(s) < 0 for s in strides) or (reach >= size and 0 not in shape):
        raise Unsupported("as_strided beyond the array")

    def how(places: Any) -> Any:
        return np.lib.stride_tricks.as_strided(np.ascontiguousarray(places), shape, strides)

    return rearranged(m, x, how)
