"""JAX's own: its loops, its activations, its random keys, and ``x.at[i].add(v)``, which leaves ``x`` as it is."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.lib_differentiating import first_of, stacked
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.nested import mapped
from symgrad.frontends.trace.nothing import NOTHING
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.registry import CONSTANTS, HANDLERS, SPELLED, elementwise, traced
from symgrad.frontends.trace.shaped import Recorder, add_at, call
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Value, number
from symgrad.ops.base import COPY


@traced("jax.lax.stop_gradient")
def _stop_gradient(tr: Tracer, x: Any) -> Any:
    if not isinstance(x, Value) or x.step is None or not tr.varies[x.step]:
        return x
    step = tr.emit(COPY, (x.step,), x.raw)
    tr.cuts.append(step)
    return Array(tr, x.raw, step) if isinstance(x, Array) else number(tr, x.raw, step, x.flavour)


@traced("jax.lax.scan")
def _scan(tr: Tracer, f: Any, init: Any, xs: Any = None, length: Any = None, reverse: Any = False) -> Any:
    count = len(first_of(xs)) if xs is not None else int(raw(length))
    carry, rows = init, []
    for n in reversed(range(count)) if reverse else range(count):
        tr.alive()
        carry, row = f(carry, None if xs is None else mapped(lambda x, n=n: x[n], xs))
        rows.append(row)
    if not rows or rows[0] is None:
        return carry, None
    return carry, stacked(tr, rows[::-1] if reverse else rows)


@traced("jax.lax.fori_loop")
def _fori_loop(tr: Tracer, lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    for n in range(int(raw(lower)), int(raw(upper))):
        tr.alive()
        init_val = body_fun(n, init_val)
    return init_val


@traced("jax.lax.while_loop")
def _while_loop(tr: Tracer, cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
    while cond_fun(init_val):
        tr.alive()
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


@traced("jax.device_put", "jax.device_get", "jax.block_until_ready", "numpy.asnumpy")  # the last is CuPy's
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


__all__ = ["CHOSEN_METHODS", "Chosen", "Places"]
