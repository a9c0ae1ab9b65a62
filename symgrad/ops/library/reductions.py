"""Sums, means, variances, extremes and norms, as NumPy and torch spell them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from symgrad.errors import Unsupported
from symgrad.ops.library.special import somewhere
from symgrad.ops.library.spelling import both, spelled
from symgrad.ops.reductions import count
from symgrad.ops.shapes import one_axis, some_axes
from symgrad.ops.tensor import shape_of


class Extreme(NamedTuple):
    """What ``torch.max(x, dim)`` returns."""

    values: Any
    indices: Any


class Ends(NamedTuple):
    """What ``torch.aminmax`` returns."""

    min: Any
    max: Any


@spelled(*both("sum"))
def total(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.sum(x, axis=axis, keepdims=keepdims)


@spelled("numpy.add.reduce")
def reduced(m: Any, x: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    """A sum, over the first axis where none is said."""
    return m.sum(x, axis=axis, keepdims=keepdims)


@spelled(*both("mean"))
def mean(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.mean(x, axis=axis, keepdims=keepdims)


# torch's reduces over one axis only, and has no tuple of them; the extra freedom is harmless.
@spelled(*both("prod"))
def product(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.prod(x, axis=axis, keepdims=keepdims)


@spelled(
    "numpy.max", "numpy.amax", "numpy.ndarray.max", "torch.amax", "torch.Tensor.amax", "numpy.nanmax",
)  # fmt: skip
def largest(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.amax(x, axis=axis, keepdims=keepdims)


@spelled(
    "numpy.min", "numpy.amin", "numpy.ndarray.min", "torch.amin", "torch.Tensor.amin", "numpy.nanmin",
)  # fmt: skip
def smallest(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.amin(x, axis=axis, keepdims=keepdims)


def _torch_extreme(reduce: str, place: str, pair: str) -> Any:
    def call(m: Any, x: Any, axis: Any = None, keepdims: Any = False, other: Any = None) -> Any:
        if other is not None or (axis is not None and not isinstance(axis, int)):
            return getattr(m, pair)(x, axis if other is None else other)
        if axis is None:
            return getattr(m, reduce)(x)
        values = getattr(m, reduce)(x, axis=axis, keepdims=keepdims)
        return Extreme(values, getattr(m, place)(x, axis=axis, keepdims=keepdims))

    return call


spelled("torch.max", "torch.Tensor.max")(_torch_extreme("amax", "argmax", "max"))
spelled("torch.min", "torch.Tensor.min")(_torch_extreme("amin", "argmin", "min"))


@spelled(*both("argmax"))
def argmax(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.argmax(x, axis=axis, keepdims=keepdims)


@spelled(*both("argmin"))
def argmin(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.argmin(x, axis=axis, keepdims=keepdims)


def variance(m: Any, x: Any, axis: Any, ddof: Any, keepdims: Any) -> Any:
    """The mean of the squared distances from the mean; ``ddof`` is taken off the number of terms."""
    axes = some_axes(axis, shape_of(x), "var")
    squares = (x - m.mean(x, axis=axes, keepdims=True)) ** 2
    if ddof == 0:
        return m.mean(squares, axis=axes, keepdims=keepdims)
    return m.sum(squares, axis=axes, keepdims=keepdims) / (count(x, axes) - int(ddof))


@spelled("numpy.multiply.reduce")
def multiplied(m: Any, x: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    return m.prod(x, axis=axis, keepdims=keepdims)


@spelled("numpy.maximum.reduce")
def highest(m: Any, x: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    return m.amax(x, axis=axis, keepdims=keepdims)


@spelled("numpy.minimum.reduce")
def lowest(m: Any, x: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    return m.amin(x, axis=axis, keepdims=keepdims)


@spelled("numpy.logaddexp.reduce")
def logarithm_of_sum(m: Any, x: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    return m.logsumexp(x, axis=axis, keepdims=keepdims)


@spelled("numpy.var", "numpy.ndarray.var", rename={"correction": "ddof"})
def var(m: Any, x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    return variance(m, x, axis, ddof, keepdims)


@spelled("numpy.std", "numpy.ndarray.std", rename={"correction": "ddof"})
def std(m: Any, x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    return m.sqrt(variance(m, x, axis, ddof, keepdims))


def _unbiased(axis: Any, unbiased: Any, correction: Any) -> tuple[Any, int]:
    """torch divides by N - 1 unless told otherwise; its first argument may be the flag."""
    if isinstance(axis, bool):
        axis, unbiased = None, axis
    if correction is not None:
        return axis, int(correction)
    return axis, 1 if unbiased is None or unbiased else 0


@spelled("torch.var", "torch.Tensor.var")
def torch_var(
    m: Any, x: Any, axis: Any = None, unbiased: Any = None, keepdims: Any = False, correction: Any = None
) -> Any:
    axes, ddof = _unbiased(axis, unbiased, correction)
    return variance(m, x, axes, ddof, keepdims)


@spelled("torch.std", "torch.Tensor.std")
def torch_std(
    m: Any, x: Any, axis: Any = None, unbiased: Any = None, keepdims: Any = False, correction: Any = None
) -> Any:
    axes, ddof = _unbiased(axis, unbiased, correction)
    return m.sqrt(variance(m, x, axes, ddof, keepdims))


@spelled("torch.var_mean")
def var_mean(m: Any, x: Any, axis: Any = None, keepdims: Any = False, **other: Any) -> tuple[Any, Any]:
    spread = torch_var(m, x, axis, keepdims=keepdims, **other)
    return spread, m.mean(x, axis=None if isinstance(axis, bool) else axis, keepdims=keepdims)


@spelled("torch.std_mean")
def std_mean(m: Any, x: Any, axis: Any = None, keepdims: Any = False, **other: Any) -> tuple[Any, Any]:
    spread, middle = var_mean(m, x, axis, keepdims, **other)
    return m.sqrt(spread), middle


@spelled("torch.aminmax", "torch.Tensor.aminmax")
def aminmax(m: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> tuple[Any, Any]:
    return Ends(m.amin(x, axis=axis, keepdims=keepdims), m.amax(x, axis=axis, keepdims=keepdims))


@spelled("numpy.ptp")
def ptp(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.amax(x, axis=axis, keepdims=keepdims) - m.amin(x, axis=axis, keepdims=keepdims)


@spelled("numpy.average")
def average(m: Any, x: Any, axis: Any = None, weights: Any = None, keepdims: Any = False) -> Any:
    if weights is None:
        return m.mean(x, axis=axis, keepdims=keepdims)
    if shape_of(weights) != shape_of(x):
        raise Unsupported("numpy.average with weights of another shape")
    top = m.sum(x * weights, axis=axis, keepdims=keepdims)
    return top / m.sum(weights, axis=axis, keepdims=keepdims)


@spelled(
    "numpy.linalg.norm", "torch.norm", "torch.Tensor.norm", "torch.linalg.norm", "torch.linalg.vector_norm",
    "numpy.linalg.vector_norm", rename={"p": "ord"},
)  # fmt: skip
def norm(m: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    """Vector norms of any order over axes, and of a matrix the Frobenius norm.

    Raises:
        Unsupported: another matrix norm.
    """
    axes = some_axes(axis, shape_of(x), "norm")
    if ord in (None, "fro", "f") or (ord == 2 and len(axes) < 2):
        return m.norm(x, axis=axes, keepdims=keepdims)
    if len(axes) > 1 and not (axis is None and len(shape_of(x)) < 2):
        raise Unsupported(f"a matrix norm of order {ord}")
    size = m.abs(x)
    if ord == math.inf:
        return m.amax(size, axis=axes, keepdims=keepdims)
    if ord == -math.inf:
        return m.amin(size, axis=axes, keepdims=keepdims)
    if ord == 1:
        return m.sum(size, axis=axes, keepdims=keepdims)
    return m.sum(size**ord, axis=axes, keepdims=keepdims) ** (1 / ord)


@spelled("numpy.linalg.trace")
def last_trace(m: Any, x: Any, *, offset: Any = 0) -> Any:
    return m.sum(m.diagonal(x, k=offset), axis=-1)


@spelled("numpy.linalg.matrix_norm", "torch.linalg.matrix_norm")
def matrix_norm(m: Any, x: Any, ord: Any = "fro", axis: Any = (-2, -1), keepdims: Any = False) -> Any:
    return norm(m, x, ord, axis, keepdims)


@spelled("torch.dist", "torch.Tensor.dist")
def dist(m: Any, x: Any, other: Any, p: Any = 2) -> Any:
    return norm(m, m.reshape(x - other, shape=(-1,)), p)


@spelled("torch.logsumexp", "torch.Tensor.logsumexp")
def logsumexp(m: Any, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return m.logsumexp(x, axis=axis, keepdims=keepdims)


@spelled("scipy.special.logsumexp")
def weighted_logsumexp(
    m: Any, x: Any, axis: Any = None, b: Any = None, keepdims: Any = False, return_sign: Any = False
) -> Any:
    """``log(sum(b*exp(x)))`` of positive weights.

    Raises:
        Unsupported: the sign is asked for, or a weight is not positive.
    """
    if return_sign or (b is not None and somewhere(b, lambda v: v <= 0, unknown=False)):
        raise Unsupported("logsumexp with return_sign, or with weights that are not positive")
    return m.logsumexp(x if b is None else x + m.log(b), axis=axis, keepdims=keepdims)


@spelled("torch.softmax", "torch.Tensor.softmax", "torch.nn.functional.softmax")
def softmax(m: Any, x: Any, axis: Any = -1) -> Any:
    return m.softmax(x, axis=axis)


@spelled("torch.log_softmax", "torch.Tensor.log_softmax", "torch.nn.functional.log_softmax")
def log_softmax(m: Any, x: Any, axis: Any = -1) -> Any:
    return m.log_softmax(x, axis=axis)


@spelled("scipy.special.softmax")
def softmax_of_all(m: Any, x: Any, axis: Any = None) -> Any:
    """Over all entries where no axis is named."""
    return m.softmax(x, axis=axis) if axis is not None else _over_all(m, m.softmax, x)


@spelled("scipy.special.log_softmax")
def log_softmax_of_all(m: Any, x: Any, axis: Any = None) -> Any:
    return m.log_softmax(x, axis=axis) if axis is not None else _over_all(m, m.log_softmax, x)


def _over_all(m: Any, function: Any, x: Any) -> Any:
    if len(shape_of(x)) == 1:
        return function(x, axis=0)
    return m.reshape(function(m.reshape(x, shape=(-1,)), axis=0), shape=shape_of(x))


@spelled(*both("trace"))
def trace(m: Any, x: Any, offset: Any = 0) -> Any:
    return m.sum(m.diagonal(x, k=offset), axis=-1)


@spelled("numpy.diff", "torch.diff", "torch.Tensor.diff")
def diff(m: Any, x: Any, n: Any = 1, axis: Any = -1) -> Any:
    where = one_axis(axis, len(shape_of(x)), "diff", shape_of(x))
    before = (("slice", None, None, None),) * where
    for _ in range(int(n)):
        later = m.index(x, spec=(*before, ("slice", 1, None, None)))
        x = later - m.index(x, spec=(*before, ("slice", None, -1, None)))
    return x
