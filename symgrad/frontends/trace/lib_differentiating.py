"""Names of libraries that differentiate functions: ``autograd``, ``jax``, ``torch.func`` and its older homes.

Their arrays are NumPy's to a script: ``jax.numpy`` and ``autograd.numpy`` are other names of ``numpy``. What is JAX's
own is here: its random keys, its loops, ``x.at[i].add(v)``.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.differentiating import Derivatives, mapped
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.nothing import NOTHING
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.registry import CONSTANTS, HANDLERS, MODULES, SPELLED, elementwise, traced
from symgrad.frontends.trace.shaped import Recorder, add_at, call, gather
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Value, number
from symgrad.ops.base import COPY

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
        count = next((len(_one(a)) for a, axis in zip(moved, each, strict=True) if axis is not None), None)
        if count is None:
            raise ValueError("vmap must have at least one non-None value in in_axes")
        rows = [
            fun(*(a if axis is None else mapped(lambda x, n=n: x[n], a) for a, axis in zip(moved, each, strict=True)))
            for n in range(count)
        ]
        return _stacked(tr, rows, int(raw(options.get("out_dims", out_axes))))

    return over


def _one(tree: Any) -> Any:
    """Any array of an argument: all have as many rows."""
    while isinstance(tree, dict | list | tuple):
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree


def _first(tr: Tracer, tree: Any, axis: Any) -> Any:
    """The arrays with the axis that is gone along in front."""
    return tree if axis == 0 else mapped(lambda x: call(tr, "numpy.moveaxis", x, int(raw(axis)), 0), tree)


def _stacked(tr: Tracer, rows: list[Any], axis: int = 0) -> Any:
    """Results of the same form, as one of arrays with an axis more."""
    first = rows[0]
    if isinstance(first, dict):
        return {k: _stacked(tr, [r[k] for r in rows], axis) for k in first}
    if isinstance(first, list | tuple):
        made = [_stacked(tr, list(parts), axis) for parts in zip(*rows, strict=True)]
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


# --- what is JAX's own ------------------------------------------------------------------------------------------------


@traced("jax.lax.stop_gradient")
def _stop_gradient(tr: Tracer, x: Any) -> Any:
    if not isinstance(x, Value) or x.step is None or not tr.varies[x.step]:
        return x
    step = tr.emit(COPY, (x.step,), x.raw)
    tr.cuts.append(step)
    return Array(tr, x.raw, step) if isinstance(x, Array) else number(tr, x.raw, step, x.flavour)


@traced("jax.lax.scan")
def _scan(tr: Tracer, f: Any, init: Any, xs: Any = None, length: Any = None, reverse: Any = False) -> Any:
    count = len(_one(xs)) if xs is not None else int(raw(length))
    carry, rows = init, []
    for n in reversed(range(count)) if reverse else range(count):
        carry, row = f(carry, None if xs is None else mapped(lambda x, n=n: x[n], xs))
        rows.append(row)
    if not rows or rows[0] is None:
        return carry, None
    return carry, _stacked(tr, rows[::-1] if reverse else rows)


@traced("jax.lax.fori_loop")
def _fori_loop(tr: Tracer, lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    for n in range(int(raw(lower)), int(raw(upper))):
        init_val = body_fun(n, init_val)
    return init_val


@traced("jax.lax.while_loop")
def _while_loop(tr: Tracer, cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
    while cond_fun(init_val):
        init_val = body_fun(init_val)
    return init_val


@traced("jax.lax.cond")
def _cond(tr: Tracer, pred: Any, true_fun: Any, false_fun: Any, *operands: Any) -> Any:
    return (true_fun if pred else false_fun)(*operands)


def _axis(run: str) -> Callable[..., Any]:
    """A function of a library, of arrays."""
    return lambda tr, x, axis=-1, **options: call(tr, run, x, axis)


HANDLERS["jax.nn.softmax"] = _axis("scipy.special.softmax")
HANDLERS["jax.nn.log_softmax"] = _axis("scipy.special.log_softmax")
HANDLERS["jax.nn.logsumexp"] = lambda tr, x, axis=None, keepdims=False: call(
    tr, "scipy.special.logsumexp", x, axis, keepdims
)


def _activation(name: str) -> Callable[..., Any]:
    op, run, _ = SPELLED[f"torch.nn.functional.{name}"]
    return lambda tr, x, *args: elementwise(tr, f"jax.nn.{name}", op, run, NUMPY, x, *args)


for _name, _of_torch in (
    ("relu", "relu"), ("sigmoid", "sigmoid"), ("softplus", "softplus"), ("silu", "silu"), ("swish", "silu"),
    ("elu", "elu"), ("leaky_relu", "leaky_relu"), ("tanh", "tanh"), ("log_sigmoid", "logsigmoid"),
    ("soft_sign", "softsign"), ("mish", "mish"), ("hard_tanh", "hardtanh"),
):  # fmt: skip
    HANDLERS[f"jax.nn.{_name}"] = _activation(_of_torch)


@traced("jax.nn.gelu")
def _gelu(tr: Tracer, x: Any, approximate: Any = True) -> Any:
    m = Recorder(tr)
    return m.gelu_tanh(x) if approximate else m.gelu(x)


@traced("jax.nn.one_hot")
def _one_hot(tr: Tracer, x: Any, num_classes: Any, **options: Any) -> Any:
    labels = np.asarray(raw(x)).astype(np.int64)
    size_of(tr, (labels.size, num_classes))
    return Array(tr, (labels[..., None] == np.arange(int(num_classes))).astype(np.float64))


@traced("jax.device_put", "jax.device_get", "jax.block_until_ready")
def _same(tr: Tracer, x: Any, *args: Any) -> Any:
    return x


for _name in ("jax.config", "jax.profiler", "jax.debug.print"):
    CONSTANTS[_name] = lambda tr: NOTHING


class Places:
    """``x.at``: some places of an array, of which another array is made."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __getitem__(self, index: Any) -> Chosen:
        return Chosen(self.array, index)


class Chosen:
    """``x.at[index]``: each method gives a new array, and leaves ``x`` as it is."""

    def __init__(self, array: Array, index: Any) -> None:
        self.array, self.index = array, index

    def get(self) -> Any:
        return self.array[self.index]

    def set(self, values: Any) -> Any:
        made = copied(self.array)
        made[self.index] = values
        return made

    def add(self, values: Any) -> Any:
        made = copied(self.array)
        add_at(made, self.index, values)
        return made

    def subtract(self, values: Any) -> Any:
        return self.add(-values)

    def multiply(self, values: Any) -> Any:
        return self.set(self.array[self.index] * values)

    def divide(self, values: Any) -> Any:
        return self.set(self.array[self.index] / values)


#: What a script may do with one.
CHOSEN_METHODS = frozenset({"get", "set", "add", "subtract", "multiply", "divide"})


# --- JAX's random numbers: which they are is data ---------------------------------------------------------------------


@traced("jax.random.PRNGKey", "jax.random.key")
def _key(tr: Tracer, seed: Any = 0) -> Any:
    tr.note("JAX's random numbers are not reproduced: the trace draws its own")
    tr.__dict__["jax_random"] = np.random.RandomState(int(raw(seed)) % 2**32)
    return "key"


@traced("jax.random.split")
def _split(tr: Tracer, key: Any, num: Any = 2) -> Any:
    return ["key"] * size_of(tr, num)[0]


@traced("jax.random.fold_in")
def _fold_in(tr: Tracer, key: Any, data: Any) -> Any:
    return key


def _source(tr: Tracer) -> np.random.RandomState:
    found: np.random.RandomState = tr.__dict__.setdefault("jax_random", np.random.RandomState(0))
    return found


def _drawn(tr: Tracer, data: Any) -> Any:
    array = np.asarray(data)
    return Array(tr, array) if array.ndim else number(tr, array.item(), None, NUMPY)


@traced("jax.random.normal")
def _normal(tr: Tracer, key: Any, shape: Any = (), *args: Any, **options: Any) -> Any:
    return _drawn(tr, _source(tr).standard_normal(size_of(tr, shape)))


@traced("jax.random.uniform")
def _uniform(tr: Tracer, key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0) -> Any:
    return _drawn(tr, _source(tr).uniform(raw(minval), raw(maxval), size_of(tr, shape)))


@traced("jax.random.randint")
def _randint(tr: Tracer, key: Any, shape: Any, minval: Any, maxval: Any, *args: Any) -> Any:
    return _drawn(tr, _source(tr).randint(int(raw(minval)), int(raw(maxval)), size_of(tr, shape)))


@traced("jax.random.bernoulli")
def _bernoulli(tr: Tracer, key: Any, p: Any = 0.5, shape: Any = ()) -> Any:
    return _drawn(tr, _source(tr).uniform(size=size_of(tr, shape)) < raw(p))


@traced("jax.random.permutation")
def _permutation(tr: Tracer, key: Any, x: Any, *args: Any) -> Any:
    if isinstance(x, Array):
        return x[Array(tr, _source(tr).permutation(len(x)))]
    return Array(tr, _source(tr).permutation(size_of(tr, x)[0]))


__all__ = ["CHOSEN_METHODS", "RULE_METHODS", "Chosen", "CustomRule", "Places", "derivatives"]
