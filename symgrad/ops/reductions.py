"""Sums, means, extremes, products and norms over axes; cumulative sums.

``axis`` is a tuple of axes counted from the front, in order; all of them where nobody said. With ``keepdims`` an axis
that was summed over stays, with length 1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flint import arb

from symgrad.graph import Param
from symgrad.ops.late import later
from symgrad.ops.shapes import WHOLE, one_axis, some_axes
from symgrad.ops.tensor import Example, Shape, ShapeError, declare, objects, shape_of

Axes = tuple[int, ...]


def over_axes(what: str, *, empty: bool = True) -> Callable[..., dict[str, Param]]:
    """Canonical axes of a reduction; with ``empty=False`` one of no numbers is refused, as NumPy does."""

    def settle(x: Shape, *, axis: Any = None, keepdims: Any = False) -> dict[str, Param]:
        axes = some_axes(axis, x, what)
        if not empty and 0 in (x[a] for a in axes):
            raise ShapeError(f"{what} of shape {x} over axes {axes}: there is no {what} of no numbers")
        return {"axis": axes, "keepdims": bool(keepdims)}

    return settle


def reduced(x: Shape, axis: Axes, keepdims: bool) -> Shape:
    """The shape after a reduction."""
    if keepdims:
        return tuple(1 if a in axis else n for a, n in enumerate(x))
    return tuple(n for a, n in enumerate(x) if a not in axis)


def count(x: Any, axis: Axes) -> int:
    """How many numbers each entry of the result is made of."""
    return math.prod(shape_of(x)[a] for a in axis)


def restored(m: Any, g: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """``g``, which has the shape of a reduction of ``x``, so that it stands beside ``x``: length 1 where it was summed.

    A single number stands beside anything as it is.
    """
    return g if keepdims or not shape_of(g) else m.reshape(g, shape=reduced(shape_of(x), axis, True))


def _spread(m: Any, g: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """``g`` at every place that was summed over."""
    if not shape_of(g):
        return m.broadcast_to(g, shape=shape_of(x))
    return m.broadcast_to(restored(m, g, x, axis, keepdims), shape=shape_of(x))


def _set(name: str, arrow: str = "") -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    """``\\sum_{0,1} x``: the axes stand below."""

    def typeset(x: Sequence[str], params: Mapping[str, Any]) -> str:
        below = ",".join(map(str, params["axis"]))
        return f"{name}_{{{below}}}\\left({x[0]}\\right)" if below else f"{name}\\left({x[0]}\\right)"

    return typeset


def _no_axes(x: Shape, axis: Axes, keepdims: bool) -> bool:
    return not axis


EXAMPLES: tuple[Example, ...] = (
    (((2, 3),), {}), (((2, 3),), {"axis": 0}), (((2, 3, 2),), {"axis": (0, -1), "keepdims": True}),
)  # fmt: skip


def _reduction(
    name: str, rule: Any, run: Callable[..., Any], torch: Callable[..., Any], typeset: str, **more: Any
) -> None:
    """Declare a reduction over a tuple of axes."""
    what = more.pop("what", name)
    declare(
        name, 1, vjp=(rule,), settle=over_axes(what, empty=more.pop("empty", True)), shape=reduced,
        run=run, torch=torch, typeset=_set(typeset), examples=more.pop("examples", EXAMPLES), **more,
    )  # fmt: skip


_reduction(
    "sum", lambda m, g, y, x, axis, keepdims: _spread(m, g, x, axis, keepdims),
    lambda np, x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims),
    # torch takes an empty tuple of axes for all of them.
    lambda t, x, axis, keepdims: t.sum(x, axis, keepdims) if axis else x,
    "\\sum", numpy="numpy.sum", trivial=_no_axes,
)  # fmt: skip

_reduction(
    "mean", lambda m, g, y, x, axis, keepdims: _spread(m, g / count(x, axis), x, axis, keepdims),
    lambda np, x, axis, keepdims: np.mean(x, axis=axis, keepdims=keepdims),
    lambda t, x, axis, keepdims: t.mean(x, axis, keepdims) if axis else x,
    "\\operatorname{mean}", numpy="numpy.mean", trivial=_no_axes, empty=False,
    define=lambda m, x, axis, keepdims: m.sum(x, axis=axis, keepdims=keepdims) / count(x, axis),
)  # fmt: skip

# --- extremes -------------------------------------------------------------------------------------------------------


def _shared(m: Any, g: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The cotangent goes to the entry that is the extreme; equal ones share it evenly, as torch.amax has it."""
    here = m.eq(x, restored(m, y, x, axis, keepdims))
    ties = m.sum(here, axis=axis, keepdims=True)
    return restored(m, g, x, axis, keepdims) * (here / ties)


def fold(x: Any, axis: Axes, keepdims: bool, join: Callable[[Any, Any], Any]) -> Any:
    """Reduce an array of objects by a function of two of them."""
    import numpy as np

    array = np.asarray(x, dtype=object)
    rest = [a for a in range(array.ndim) if a not in axis]
    moved = np.transpose(array, (*rest, *axis)).reshape(*(array.shape[a] for a in rest), count(array, axis))
    found = np.empty(moved.shape[:-1], dtype=object)
    for place in np.ndindex(found.shape):
        found[place] = functools.reduce(join, moved[place])
    return objects(found.reshape(reduced(array.shape, axis, keepdims)))


for _name, _numpy, _enclose, _sympy in (("amax", "max", arb.max, later.Max), ("amin", "min", arb.min, later.Min)):
    _reduction(
        _name, _shared,
        lambda np, x, axis, keepdims, name=_name: getattr(np, name)(x, axis=axis, keepdims=keepdims),
        lambda t, x, axis, keepdims, name=_name: getattr(t, name)(x, axis, keepdims) if axis else x,
        f"\\{_numpy}", numpy=f"numpy.{_name}", trivial=_no_axes, empty=False, what=_numpy, ulp=0.0, join=_numpy,
        enclose=lambda x, axis, keepdims, join=_enclose: fold(x, axis, keepdims, join),
        sympy=lambda x, axis, keepdims, join=_sympy: fold(x, axis, keepdims, join),
    )  # fmt: skip


def _some_axis(what: str) -> Callable[..., dict[str, Param]]:
    def settle(x: Shape, *, axis: Any = None, keepdims: Any = False) -> dict[str, Param]:
        if 0 in x:
            raise ShapeError(f"{what} of shape {x}: there is no {what} of no numbers")
        axes = some_axes(axis, x, what)
        return {"axis": axes, "keepdims": bool(keepdims)}

    return settle


def _position(np: Any, x: Any, axis: Axes, name: str, keepdims: bool) -> Any:
    """The place of the extreme, counted through all the axes searched, as a float64."""
    rest = tuple(a for a in range(x.ndim) if a not in axis)
    moved = np.transpose(x, (*rest, *axis)).reshape(*(x.shape[a] for a in rest), -1)
    return getattr(np, name)(moved, axis=-1).astype(np.float64).reshape(reduced(x.shape, axis, keepdims))


def _torch_position(t: Any, x: Any, axis: Axes, name: str, keepdims: bool) -> Any:
    rest = tuple(a for a in range(x.ndim) if a not in axis)
    moved = x.permute((*rest, *axis)).reshape(*(x.shape[a] for a in rest), -1)
    return getattr(t, name)(moved, -1).to(x.dtype).reshape(reduced(tuple(x.shape), axis, keepdims))


def _enclosed_position(x: Any, axis: Axes, name: str, keepdims: bool) -> Any:
    """Of the balls' midpoints: an index cannot be a ball."""
    import numpy as np

    mids = np.vectorize(float, otypes=[np.float64])(np.asarray(x, dtype=object))
    return objects(np.frompyfunc(arb, 1, 1)(np.asarray(_position(np, mids, axis, name, keepdims), dtype=object)))


for _name in ("argmax", "argmin"):
    declare(
        _name, 1, vjp=(None,), settle=_some_axis(_name), shape=reduced,
        run=lambda np, x, axis, keepdims, name=_name: _position(np, x, axis, name, keepdims),
        torch=lambda t, x, axis, keepdims, name=_name: _torch_position(t, x, axis, name, keepdims),
        enclose=lambda x, axis, keepdims, name=_name: _enclosed_position(x, axis, name, keepdims),
        typeset=_set(f"\\operatorname{{{_name}}}"), numpy=f"numpy.{_name}", examples=EXAMPLES, ulp=0.0, whole=True,
    )  # fmt: skip

# --- products -------------------------------------------------------------------------------------------------------

#: A product of more numbers than this is differentiated by dividing: writing out all but one of each takes n**2.
LONG = 64


def _all_but_one(m: Any, g: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The product of the others. ``y / x`` says the same, but not where a factor is 0."""
    n = count(x, axis)
    top = restored(m, g, x, axis, keepdims)
    if n > LONG:
        return top * (restored(m, y, x, axis, keepdims) / x)
    shape = shape_of(x)
    rest = tuple(a for a in range(len(shape)) if a not in axis)
    lengths = tuple(shape[a] for a in rest)
    flat = m.reshape(m.transpose(x, axes=(*rest, *axis)), shape=(*lengths, 1, n))
    square = m.broadcast_to(flat, shape=(*lengths, n, n))
    diagonal = ("ints", (n,), tuple(range(n)))
    others = m.prod(m.set(square, m.constant(1), spec=("...", diagonal, diagonal)), axis=(len(rest) + 1,))
    order = (*rest, *axis)
    back = m.reshape(others, shape=tuple(shape[a] for a in order))
    return top * m.transpose(back, axes=tuple(order.index(a) for a in range(len(shape))))


def _torch_product(t: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    for a in reversed(axis):
        x = t.prod(x, a, keepdims)
    return x


_reduction(
    "prod", _all_but_one, lambda np, x, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims),
    _torch_product, "\\prod", numpy="numpy.prod", trivial=_no_axes,
)  # fmt: skip

# --- norms ----------------------------------------------------------------------------------------------------------

# The Euclidean norm of a vector, the Frobenius norm of a matrix: other norms are composed of abs, sum and amax.
_reduction(
    "norm", lambda m, g, y, x, axis, keepdims:
        restored(m, g, x, axis, keepdims) * (x / restored(m, y, x, axis, keepdims)),
    lambda np, x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    lambda t, x, axis, keepdims: t.linalg.vector_norm(x, 2, axis, keepdims) if axis else t.abs(x),
    "\\operatorname{norm}", numpy="numpy.linalg.norm",
    define=lambda m, x, axis, keepdims: m.sqrt(m.sum(x**2, axis=axis, keepdims=keepdims)),
)  # fmt: skip


def _logsumexp(np: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The largest is taken out, so that nothing overflows; where it is infinite there is nothing to take out."""
    top = np.amax(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else out.reshape(reduced(x.shape, axis, False))


def _stable_logsumexp(m: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    top = m.largest(x, axis)
    total = m.log(m.sum(m.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else m.reshape(total, shape=reduced(shape_of(x), axis, False))


_reduction(
    "logsumexp", lambda m, g, y, x, axis, keepdims:
        restored(m, g, x, axis, keepdims) * m.exp(x - restored(m, y, x, axis, keepdims)),
    _logsumexp,
    lambda t, x, axis, keepdims: t.logsumexp(x, axis, keepdims) if axis else x,
    "\\operatorname{logsumexp}", numpy="scipy.special.logsumexp", trivial=_no_axes, empty=False,
    define=lambda m, x, axis, keepdims: m.log(m.sum(m.exp(x), axis=axis, keepdims=keepdims)),
    stable=_stable_logsumexp,
)  # fmt: skip


# --- cumulative sums ------------------------------------------------------------------------------------------------


def _along(x: Shape, *, axis: Any = 0) -> dict[str, Param]:
    return {"axis": one_axis(axis, len(x), "cumsum", x)}


def flipped(m: Any, x: Any, axis: int) -> Any:
    """The other way round along one axis."""
    return m.index(x, spec=(*(WHOLE,) * axis, ("slice", None, None, -1)))


declare(
    "cumsum", 1, vjp=(lambda m, g, y, x, axis: flipped(m, m.cumsum(flipped(m, g, axis), axis=axis), axis),),
    settle=_along, shape=lambda x, axis: x,
    run=lambda np, x, axis: np.cumsum(x, axis), torch=lambda t, x, axis: t.cumsum(x, axis),
    numpy="numpy.cumsum", latex="\\operatorname{{cumsum}}\\left({0}\\right)",
    examples=((((4,),), {}), (((2, 3),), {"axis": 1}), (((2, 3, 2),), {"axis": -2})),
)  # fmt: skip
