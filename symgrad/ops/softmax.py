"""Softmax and its logarithm: ops of their own, since people write a backward line for each.

With s = softmax(x) the Jacobian is diag(s) - s s^T, so that a cotangent g becomes s*(g - sum(g*s)) along the axis;
for log_softmax it becomes g - exp(y)*sum(g).
"""

from __future__ import annotations

from typing import Any

from symgrad.graph import Param
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import Example, Shape, ShapeError, declare


def _along(what: str) -> Any:
    def settle(x: Shape, *, axis: Any = -1) -> dict[str, Param]:
        if not x:
            raise ShapeError(f"{what} of a single number: it needs an axis to sum over")
        return {"axis": one_axis(axis, len(x), what, x)}

    return settle


def _total(m: Any, x: Any, axis: int) -> Any:
    return m.sum(x, axis=(axis,), keepdims=True)


def _softmax(np: Any, x: Any, axis: int) -> Any:
    if not x.size:
        return x
    e = np.exp(x - np.amax(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(np: Any, x: Any, axis: int) -> Any:
    if not x.size:
        return x
    below = x - np.amax(x, axis=axis, keepdims=True)
    return below - np.log(np.sum(np.exp(below), axis=axis, keepdims=True))


def _exponentials(m: Any, x: Any, axis: int) -> tuple[Any, Any]:
    e = m.exp(x)
    return e, m.sum(e, axis=(axis,), keepdims=True)


def _defined_softmax(m: Any, x: Any, axis: int) -> Any:
    top, bottom = _exponentials(m, x, axis)
    return top / bottom


def _defined_log_softmax(m: Any, x: Any, axis: int) -> Any:
    return x - m.log(_exponentials(m, x, axis)[1])


def _stable_softmax(m: Any, x: Any, axis: int) -> Any:
    return _defined_softmax(m, x - m.largest(x, (axis,)), axis)


def _stable_log_softmax(m: Any, x: Any, axis: int) -> Any:
    return _defined_log_softmax(m, x - m.largest(x, (axis,)), axis)


_EXAMPLES: tuple[Example, ...] = ((((4,),), {}), (((2, 3),), {"axis": 1}), (((2, 3, 2),), {"axis": 0}))

declare(
    "softmax", 1, vjp=(lambda m, g, y, x, axis: y * (g - _total(m, g * y, axis)),),
    settle=_along("softmax"), shape=lambda x, axis: x, run=_softmax, define=_defined_softmax, stable=_stable_softmax,
    torch=lambda t, x, axis: t.softmax(x, axis), numpy="scipy.special.softmax",
    latex="\\operatorname{{softmax}}\\left({0}\\right)", examples=_EXAMPLES, ulp=4.0,
)  # fmt: skip
declare(
    "log_softmax", 1, vjp=(lambda m, g, y, x, axis: g - m.exp(y) * _total(m, g, axis),),
    settle=_along("log_softmax"), shape=lambda x, axis: x, run=_log_softmax, define=_defined_log_softmax,
    stable=_stable_log_softmax,
    torch=lambda t, x, axis: t.log_softmax(x, axis), numpy="scipy.special.log_softmax",
    latex="\\operatorname{{logsoftmax}}\\left({0}\\right)", examples=_EXAMPLES, ulp=4.0,
)  # fmt: skip
