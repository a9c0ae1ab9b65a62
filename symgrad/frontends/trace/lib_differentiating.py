"""Names of libraries that differentiate functions: ``autograd``, ``jax``, ``torch.func`` and its older homes.

Their arrays are NumPy's to a script: ``jax.numpy`` and ``autograd.numpy`` are other names of ``numpy``. What is JAX's
own besides is in ``lib_jax.py``.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace import autograd
from symgrad.frontends.trace.arrays import Tensor
from symgrad.frontends.trace.differentiating import Derivatives
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.nested import mapped
from symgrad.frontends.trace.registry import HANDLERS, MODULES, traced
from symgrad.frontends.trace.shaped import call, gather
from symgrad.frontends.trace.tracer import Tracer

MODULES |= {
    "autograd", "autograd.test_util", "autograd.misc", "autograd.builtins", "jax", "jax.nn", "jax.random", "jax.lax",
    "jax.tree_util", "jax.tree", "jax.test_util", "jax.debug", "torch.func", "functorch", "torch.autograd.functional",
    "torch.amp", "torch.cuda.amp",
}  # fmt: skip


def derivatives(tr: Tracer) -> Derivatives:
    """The derivatives that this run asks for."""
    found: Derivatives = tr.__dict__.setdefault("derivatives", Derivatives(tr))
    return found


# --- gradients of functions -------------------------------------------------------------------------------------------


@traced("torch.autograd.grad")
def _grad_of_tensors(
    tr: Tracer, outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: Any = None,
    create_graph: Any = False, **options: Any,
) -> tuple[Any, ...]:  # fmt: skip
    tops = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    wanted = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    again = any(isinstance(t, Tensor) and t.node is None and t.step in tr.of_gradients() for t in tops)
    if not (create_graph or again) or not all(isinstance(t, Tensor) for t in (*tops, *wanted)):
        return autograd.grad_of(tr, outputs, inputs, grad_outputs, **options)
    seeds = list(grad_outputs) if isinstance(grad_outputs, list | tuple) else [grad_outputs] * len(tops)
    pairs = [(t, autograd.seed_of(t, s)) for t, s in zip(tops, seeds, strict=True)]
    if not create_graph:
        return tuple(derivatives(tr).again(pairs, wanted))
    made = derivatives(tr).recorded(pairs, wanted)
    tr.gradients |= {g.step for g in made if g.step is not None}
    return tuple(made)


@traced("jax.grad", "torch.func.grad", "functorch.grad")
def _grad(tr: Tracer, fun: Any, argnums: Any = 0, has_aux: Any = False, **options: Any) -> Any:
    return derivatives(tr).gradient(fun, argnums, aux=bool(has_aux))


@traced("autograd.grad")
def _grad_of(tr: Tracer, fun: Any, argnum: Any = 0, **options: Any) -> Any:
    return derivatives(tr).gradient(fun, argnum)


@traced("autograd.elementwise_grad", "autograd.egrad")
def _elementwise_grad(tr: Tracer, fun: Any, argnum: Any = 0, **options: Any) -> Any:
    return derivatives(tr).gradient(fun, argnum, summed=True)


@traced("jax.value_and_grad")
def _value_and_grad(tr: Tracer, fun: Any, argnums: Any = 0, has_aux: Any = False, **options: Any) -> Any:
    return derivatives(tr).gradient(fun, argnums, value=True, aux=bool(has_aux))


@traced("autograd.value_and_grad")
def _value_and_grad_of(tr: Tracer, fun: Any, argnum: Any = 0, **options: Any) -> Any:
    return derivatives(tr).gradient(fun, argnum, value=True)


@traced("torch.func.grad_and_value", "functorch.grad_and_value")
def _grad_and_value(tr: Tracer, fun: Any, argnums: Any = 0, has_aux: Any = False) -> Any:
    found = derivatives(tr).gradient(fun, argnums, value=True, aux=bool(has_aux))
    return lambda *args, **kwargs: tuple(reversed(found(*args, **kwargs)))


@traced("jax.jacobian", "jax.jacrev", "jax.jacfwd", "torch.func.jacrev", "torch.func.jacfwd", "functorch.jacrev",
        "functorch.jacfwd")  # fmt: skip
def _jacobian(tr: Tracer, fun: Any, argnums: Any = 0, **options: Any) -> Any:
    return derivatives(tr).jacobian(fun, argnums)


@traced("autograd.jacobian")
def _jacobian_of(tr: Tracer, fun: Any, argnum: Any = 0) -> Any:
    return derivatives(tr).jacobian(fun, argnum)


@traced("jax.hessian", "torch.func.hessian", "functorch.hessian")
def _hessian(tr: Tracer, fun: Any, argnums: Any = 0, **options: Any) -> Any:
    return derivatives(tr).hessian(fun, argnums)


@traced("autograd.hessian")
def _hessian_of(tr: Tracer, fun: Any, argnum: Any = 0) -> Any:
    return derivatives(tr).hessian(fun, argnum)


@traced("torch.autograd.functional.jacobian")
def _functional_jacobian(tr: Tracer, func: Any, inputs: Any, **options: Any) -> Any:
    several = isinstance(inputs, tuple)
    places: Any = tuple(range(len(inputs))) if several else 0
    return derivatives(tr).jacobian(func, places)(*(inputs if several else (inputs,)))


@traced("torch.autograd.functional.hessian")
def _functional_hessian(tr: Tracer, func: Any, inputs: Any, **options: Any) -> Any:
    if isinstance(inputs, tuple):
        tr.unsupported("torch.autograd.functional.hessian of several inputs")
    return derivatives(tr).hessian(func)(inputs)


@traced("jax.vjp", "torch.func.vjp", "functorch.vjp")
def _vjp(tr: Tracer, fun: Any, *primals: Any, **options: Any) -> Any:
    return derivatives(tr).pullback(fun, *primals)


@traced("torch.autograd.functional.vjp")
def _functional_vjp(tr: Tracer, func: Any, inputs: Any, v: Any = None, **options: Any) -> Any:
    several = isinstance(inputs, tuple)
    out, pull = derivatives(tr).pullback(func, *(inputs if several else (inputs,)))
    found = pull(np.ones(np.shape(raw(out))) if v is None else v)
    return out, found if several else found[0]


@traced("jax.jvp", "torch.func.jvp", "functorch.jvp", "torch.autograd.functional.jvp")
def _jvp(tr: Tracer, fun: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    return derivatives(tr).pushforward(fun, primals, tangents)


@traced("jax.test_util.check_grads")
def _check_grads(tr: Tracer, f: Any, args: Any, *more: Any, **options: Any) -> None:
    """The function is run; what it is compared with are differences."""
    f(*args)


@traced("autograd.test_util.check_grads")
def _check_grads_of(tr: Tracer, f: Any, *more: Any, **options: Any) -> Any:
    return lambda *args, **kwargs: (f(*args, **kwargs), None)[1]


# --- functions made of functions --------------------------------------------------------------------------------------


def _as_it_is(tr: Tracer, function: Any = None, *args: Any, **options: Any) -> Any:
    """A decorator that changes nothing of what is computed, with settings or without."""
    return function if callable(function) else lambda inner: inner


for _name in (
    "jax.jit", "jax.checkpoint", "jax.remat", "torch.autograd.function.once_differentiable", "torch.amp.custom_fwd",
    "torch.amp.custom_bwd", "torch.cuda.amp.custom_fwd", "torch.cuda.amp.custom_bwd",
):  # fmt: skip
    HANDLERS[_name] = _as_it_is


@traced("jax.vmap", "torch.vmap", "torch.func.vmap", "functorch.vmap")
def _vmap(tr: Tracer, fun: Any, in_axes: Any = 0, out_axes: Any = 0, in_dims: Any = None, **options: Any) -> Any:
    """The function of one row after the other; what it gives is stacked."""
    axes = in_axes if in_dims is None else in_dims

    def over(*args: Any) -> Any:
        each = list(axes) if isinstance(axes, list | tuple) else [axes] * len(args)
        moved = [a if axis is None else _first(tr, a, axis) for a, axis in zip(args, each, strict=True)]
        count = next((len(first_of(a)) for a, axis in zip(moved, each, strict=True) if axis is not None), None)
        if count is None:
            raise ValueError("vmap must have at least one non-None value in in_axes")
        rows = [
            fun(*(a if axis is None else mapped(lambda x, n=n: x[n], a) for a, axis in zip(moved, each, strict=True)))
            for n in range(count)
        ]
        return stacked(tr, rows, int(raw(options.get("out_dims", out_axes))))

    return over


def first_of(tree: Any) -> Any:
    """Any array of an argument: all have as many rows."""
    while isinstance(tree, dict | list | tuple):
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree


def _first(tr: Tracer, tree: Any, axis: Any) -> Any:
    """The arrays with the axis that is gone along in front."""
    return tree if axis == 0 else mapped(lambda x: call(tr, "numpy.moveaxis", x, int(raw(axis)), 0), tree)


def stacked(tr: Tracer, rows: list[Any], axis: int = 0) -> Any:
    """Results of the same form, as one of arrays with an axis more."""
    first = rows[0]
    if isinstance(first, dict):
        return {k: stacked(tr, [r[k] for r in rows], axis) for k in first}
    if isinstance(first, list | tuple):
        made = [stacked(tr, list(parts), axis) for parts in zip(*rows, strict=True)]
        return made if isinstance(first, list) else tuple(made)
    stacked = gather(tr, rows)
    return stacked if axis == 0 else call(tr, "numpy.moveaxis", stacked, 0, axis)


@traced("jax.tree_util.tree_map", "jax.tree_map", "jax.tree.map")
def _tree_map(tr: Tracer, f: Any, tree: Any, *rest: Any) -> Any:
    return mapped(f, tree, *rest)


@traced("jax.tree_util.tree_leaves", "jax.tree_leaves", "jax.tree.leaves")
def _tree_leaves(tr: Tracer, tree: Any) -> list[Any]:
    found: list[Any] = []
    mapped(found.append, tree)
    return found


class CustomRule:
    """A function with a pullback of its own: ``@jax.custom_vjp``."""

    def __init__(self, tr: Tracer, function: Callable[..., Any]) -> None:
        self.tr, self.function = tr, function
        self.rule: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self.inside = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = derivatives(self.tr)
        if self.rule is None or not found.depth or kwargs or self.inside:
            return self.function(*args, **kwargs)
        forward, backward = self.rule
        self.inside = True  # fwd(x) calls the function itself for its value
        try:
            out, saved = forward(*args)
        finally:
            self.inside = False
        return found.with_rule(out, args, lambda g: backward(saved, g))

    def defvjp(self, fwd: Any, bwd: Any) -> None:
        self.rule = (fwd, bwd)


#: What a script may do with one.
RULE_METHODS = frozenset({"defvjp"})


@traced("jax.custom_vjp")
def _custom_vjp(tr: Tracer, fun: Any, **options: Any) -> CustomRule:
    return CustomRule(tr, fun)


__all__ = ["RULE_METHODS", "CustomRule", "derivatives", "first_of", "stacked"]
