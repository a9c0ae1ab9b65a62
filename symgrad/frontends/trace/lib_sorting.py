"""Orders and quantiles: which entry stands where is read off at the user's point, as that of ``sort`` is.

So the results are entries of the array, or mixtures of two, and their derivatives are those of the entries.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Tensor
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.numpy_plain import bare
from symgrad.frontends.trace.records import Extreme
from symgrad.frontends.trace.registry import HANDLERS, as_array, traced
from symgrad.frontends.trace.shaped import call
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, apply


def _lined(tr: Tracer, x: Any, axis: Any) -> tuple[Any, int]:
    """The array with the axis last, or flat where none is named; and how long that axis is."""
    value = as_array(tr, x)
    if axis is None:
        value = call(tr, "numpy.ravel", value)
    elif isinstance(axis, list | tuple):
        tr.unsupported("quantiles over several axes")
    else:
        value = call(tr, "numpy.moveaxis", value, int(raw(axis)), -1)
    length = int(np.shape(raw(value))[-1])
    if not length or np.isnan(raw(value)).any():
        tr.unsupported("an order of no numbers, or of what has a NaN in it")
    return value, length


def _ordered(tr: Tracer, x: Any, axis: Any) -> tuple[Any, int]:
    """The same, its entries in ascending order."""
    value, length = _lined(tr, x, axis)
    places = np.argsort(raw(value), axis=-1, kind="stable")
    return call(tr, "numpy.take_along_axis", value, places, -1), length


def quantile(tr: Tracer, x: Any, q: Any, axis: Any, keepdims: Any, method: str) -> Any:
    """Between the two entries beside the place ``q*(n - 1)``; of several ``q`` the first axis is theirs."""
    levels = np.asarray(q, dtype=np.float64)
    if levels.ndim > 1 or (levels < 0).any() or (levels > 1).any():
        tr.unsupported("quantiles beyond 0 and 1, or in more than one axis")
    ordered, length = _ordered(tr, x, axis)
    found = [_between(tr, ordered, float(level) * (length - 1), method) for level in levels.ravel()]
    if keepdims:
        shape = list(np.shape(raw(as_array(tr, x))))
        if axis is None:
            shape = [1] * len(shape)
        else:
            shape[int(raw(axis))] = 1
        found = [call(tr, "numpy.reshape", f, tuple(shape)) for f in found]
    return call(tr, "numpy.stack", found) if levels.ndim else found[0]


def _between(tr: Tracer, ordered: Any, place: float, method: str) -> Any:
    low, high = int(np.floor(place)), int(np.ceil(place))
    if method == "nearest":
        low = high = int(np.round(place))
    elif method in ("lower", "higher"):
        low = high = low if method == "lower" else high
    first, second = ordered[..., low], ordered[..., high]
    if low == high:
        return first
    if method == "midpoint":
        return (first + second) / 2
    if method != "linear":
        tr.unsupported(f"quantiles by the method {method}")
    return first + (place - low) * (second - first)


def _quantiles(scale: float) -> Callable[..., Any]:
    def run(tr: Tracer, a: Any, q: Any, axis: Any = None, method: Any = "linear", keepdims: Any = False,
            **other: Any) -> Any:  # fmt: skip
        _refuse(tr, other, "quantiles")
        return quantile(tr, a, np.asarray(bare(q), dtype=np.float64) / scale, axis, keepdims, str(method))

    return run


def _refuse(tr: Tracer, other: dict[str, Any], what: str) -> None:
    for name, value in other.items():
        if name not in ("overwrite_input", "stable", "sorted") and value is not None:
            tr.unsupported(f"{what} with {name}")


for _home in ("numpy.", "numpy.nan"):
    HANDLERS[f"{_home}quantile"] = _quantiles(1.0)
    HANDLERS[f"{_home}percentile"] = _quantiles(100.0)


@traced("numpy.median", "numpy.nanmedian")
def _median(tr: Tracer, a: Any, axis: Any = None, keepdims: Any = False, **other: Any) -> Any:
    _refuse(tr, other, "median")
    return quantile(tr, a, 0.5, axis, keepdims, "linear")




@traced("torch.quantile", "torch.nanquantile")
def _torch_quantile(
    tr: Tracer, input: Any, q: Any, dim: Any = None, keepdim: Any = False, *, interpolation: Any = "linear"
) -> Any:
    return quantile(tr, input, bare(q), dim, keepdim, str(interpolation))


# --- torch ----------------------------------------------------------------------------------------------------------


def _picked(tr: Tracer, x: Any, places: Any, dim: int) -> Extreme:
    return Extreme((call(tr, "torch.take_along_dim", x, places, dim), Tensor(tr, places)))


@traced("torch.sort")
def _sort(tr: Tracer, input: Any, dim: Any = -1, descending: Any = False, **other: Any) -> Any:
    _refuse(tr, other, "sort")
    values = raw(input)
    places = np.argsort(-values if descending else values, axis=int(dim), kind="stable")
    return _picked(tr, input, places, int(dim))


@traced("torch.msort")
def _msort(tr: Tracer, input: Any) -> Any:
    return _sort(tr, input, 0)[0]


@traced("torch.topk")
def _topk(tr: Tracer, input: Any, k: Any, dim: Any = -1, largest: Any = True, **other: Any) -> Any:
    _refuse(tr, other, "topk")
    values = raw(input)
    places = np.argsort(-values if largest else values, axis=int(dim), kind="stable")
    return _picked(tr, input, np.take(places, range(int(k)), axis=int(dim)), int(dim))


@traced("torch.kthvalue")
def _kthvalue(tr: Tracer, input: Any, k: Any, dim: Any = -1, keepdim: Any = False) -> Any:
    places = np.argsort(raw(input), axis=int(dim), kind="stable")
    found = _picked(tr, input, np.take(places, [int(k) - 1], axis=int(dim)), int(dim))
    return found if keepdim else Extreme(call(tr, "torch.squeeze", part, int(dim)) for part in found)


@traced("torch.median", "torch.nanmedian")
def _torch_median(tr: Tracer, input: Any, dim: Any = None, keepdim: Any = False) -> Any:
    """The lower of the two in the middle."""
    if dim is None:
        return _kthvalue(tr, call(tr, "torch.ravel", input), (np.size(raw(input)) + 1) // 2)[0]
    return _kthvalue(tr, input, (np.shape(raw(input))[int(dim)] + 1) // 2, dim, keepdim)


def _running(largest: bool) -> Callable[..., Any]:
    def run(tr: Tracer, input: Any, dim: Any) -> Any:
        values = np.moveaxis(raw(input) if largest else -raw(input), int(dim), -1)
        best = np.maximum.accumulate(values, axis=-1)
        # torch takes the later of two equal ones.
        places = np.maximum.accumulate(np.where(values == best, np.arange(values.shape[-1]), 0), axis=-1)
        return _picked(tr, input, np.moveaxis(places, -1, int(dim)), int(dim))

    return run


HANDLERS["torch.cummax"] = _running(True)
HANDLERS["torch.cummin"] = _running(False)


@traced("torch.masked_select")
def _masked_select(tr: Tracer, input: Any, mask: Any) -> Any:
    return input[mask]


# --- between points -------------------------------------------------------------------------------------------------


@traced("numpy.interp")
def _interp(tr: Tracer, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Straight lines between points; which line it is, is read off. Beyond the ends the value is that of the end."""
    if period is not None:
        tr.unsupported("numpy.interp with period")
    at: Any = x if isinstance(x, float | int) else as_array(tr, x)
    places, values = as_array(tr, xp), as_array(tr, fp)
    known, wanted = np.asarray(raw(places)), np.asarray(raw(at), dtype=np.float64)
    n = len(known)
    low = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, n - 2)
    first, second = (call(tr, "numpy.take", values, low + k) for k in (0, 1))
    start, end = (call(tr, "numpy.take", places, low + k) for k in (0, 1))
    found = first + (at - start) * ((second - first) / (end - start))
    for outside, end_value in ((wanted < known[0], values[0] if left is None else left),
                               (wanted > known[-1], values[n - 1] if right is None else right)):  # fmt: skip
        if outside.any():
            found = apply("where", (as_array(tr, outside.tolist()), end_value, found), floor=NUMPY)
    return found


@traced("numpy.select")
def _select(tr: Tracer, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first choice whose condition holds."""
    found = default
    for condition, choice in zip(list(condlist)[::-1], list(choicelist)[::-1], strict=True):
        found = HANDLERS["numpy.where"](tr, condition, choice, found)
    return found


@traced("numpy.piecewise")
def _piecewise(tr: Tracer, x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Each function is called with the entries that it is for, and no others."""
    value = as_array(tr, x)
    conditions = [np.asarray(bare(c), dtype=bool) for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    found = HANDLERS["numpy.zeros_like"](tr, value)
    for condition, function in zip(conditions, functions, strict=True):
        if condition.any():
            places = tuple(np.nonzero(condition)) if condition.ndim else ()
            part = value[places] if places else value
            made = function(part, *args, **kw) if callable(function) else function
            if places:
                found[places] = made
            else:
                found = made
    return found
