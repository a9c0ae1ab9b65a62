"""Ops that torch evaluates into a buffer that is there already: for the blocked evaluation of ``symgrad.bulk``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: ``(torch, buffer, *inputs)``: the buffer may be one of the inputs. Inputs are tensors or numbers, at least one a
#: tensor.
Kernel = Callable[..., Any]


def _named(name: str) -> Kernel:
    return lambda t, out, x: getattr(t, name)(x, out=out)


def _sub(t: Any, out: Any, a: Any, b: Any) -> None:
    # torch.sub takes no number on the left.
    t.sub(a, b, out=out) if isinstance(a, t.Tensor) else t.neg(t.sub(b, a, out=out), out=out)


def _div(t: Any, out: Any, a: Any, b: Any) -> None:
    if isinstance(a, t.Tensor):
        t.div(a, b, out=out)
    else:
        t.reciprocal(b, out=out)
        if a != 1.0:
            out.mul_(a)


def _either(name: str) -> Kernel:
    """Sums and products: a number stands on the right."""
    return lambda t, out, a, b: (
        getattr(t, name)(a, b, out=out) if isinstance(a, t.Tensor) else getattr(t, name)(b, a, out=out)
    )


def _relu(t: Any, out: Any, x: Any) -> None:
    t.clamp(x, min=0.0, out=out)


def _sech_squared(t: Any, out: Any, x: Any) -> None:
    """sech(x)**2 = 4*s*(1 - s) with s = sigmoid(-2|x|), which is at most 1/2: nothing cancels."""
    t.abs(x, out=out)
    out.mul_(-2.0).sigmoid_()
    t.ops.aten.sigmoid_backward.grad_input(t.tensor(4.0, dtype=out.dtype), out, grad_input=out)


INPLACE: dict[str, Kernel] = {
    "add": _either("add"), "mul": _either("mul"), "sub": _sub, "div": _div,
    "pow": lambda t, out, a, b: t.pow(a, b, out=out),
    "neg": _named("neg"), "abs": _named("abs"), "sign": _named("sign"), "relu": _relu,
    **{n: _named(n) for n in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin",
                              "acos", "atan", "sinh", "asinh", "acosh", "atanh", "erf", "erfc",
                              "tanh", "sigmoid")},
}  # fmt: skip

#: The square of an op's value in one go.
SQUARES: dict[str, Kernel] = {"sech": _sech_squared}


def square(op: str, constant: Any, base: str) -> Kernel | None:
    """The kernel of ``op(base(x), constant)`` in ``x`` where that is a square with a kernel of its own."""
    return SQUARES.get(base) if op == "pow" and constant == 2.0 else None
