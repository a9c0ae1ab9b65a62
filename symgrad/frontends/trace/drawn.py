"""What is drawn by chance, what numbers are taken apart into, and batches of data: constants, whatever they depend on.

Which entry a sampler picks has no derivative, so the rest of a script goes on with what was picked. A decomposition of
data (``u, _, v = svd(randn(n, n))``, to begin with an orthogonal matrix) is data; one of a value that a derivative is
wanted of is refused.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.numpy_random import draw, stateful
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.registry import HANDLERS, as_array, constant, traced
from symgrad.frontends.trace.shaped import gather, pick
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import Value

#: Modules of which the functions at the end are.
BATCHES = {"torch.utils", "torch.utils.data"}


# --- NumPy --------------------------------------------------------------------------------------------------------


#: Distributions of one parameter: the second argument is how many numbers are wanted.
_ONE_NUMBER = frozenset(
    "exponential poisson dirichlet geometric standard_gamma chisquare rayleigh standard_t weibull".split()
)


def _draws(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        _said(tr, f"numpy.random.{name}", args)
        if name in _ONE_NUMBER and len(args) > 1 and args[1] is not None:
            size_of(tr, args[1])
        return draw(tr, name, args, kwargs)

    return call


for _name in (
    "binomial", "multinomial", "multivariate_normal", "exponential", "laplace", "poisson", "beta", "gamma", "gumbel",
    "dirichlet", "geometric", "standard_gamma", "random_integers", "triangular", "standard_cauchy", "logistic",
    "chisquare", "lognormal", "rayleigh", "standard_t", "standard_exponential", "weibull",
):  # fmt: skip
    HANDLERS[f"numpy.random.{_name}"] = _draws(_name)
    HANDLERS[f"numpy.random.mtrand.RandomState.{_name}"] = stateful(_name)


@traced("numpy.random.shuffle")
def _shuffle(tr: Tracer, x: Any) -> None:
    source = tr.__dict__.setdefault("numpy_random", np.random.RandomState(0))
    if isinstance(x, list):
        x[:] = [x[int(i)] for i in source.permutation(len(x))]
    elif isinstance(x, Array):
        x.replace(pick(x, [int(i) for i in source.permutation(len(x))]))
    else:
        raise TypeError(f"{type(x).__name__} object does not support item assignment")


HANDLERS["numpy.random.mtrand.RandomState.shuffle"] = stateful("shuffle")
HANDLERS["numpy.random.Generator.shuffle"] = stateful("shuffle", "numpy_generator")


def _said(tr: Tracer, name: str, args: tuple[Any, ...]) -> None:
    if any(isinstance(a, Value) and a.step is not None and tr.varies[a.step] and not tr.is_count(a.step) for a in args):
        tr.note(f"what {name} draws is taken as a constant")


# --- torch --------------------------------------------------------------------------------------------------------


def _source(tr: Tracer) -> np.random.RandomState:
    found: np.random.RandomState = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
    return found


@traced("torch.multinomial", "torch.Tensor.multinomial")
def _multinomial(tr: Tracer, input: Any, num_samples: Any, replacement: Any = False, **options: Any) -> Any:
    """Places, by their weights: for each row so many."""
    _said(tr, "torch.multinomial", (input,))
    weights = np.asarray(raw(input), dtype=np.float64)
    if weights.ndim not in (1, 2) or np.any(weights < 0) or not np.all(np.isfinite(weights)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    count = int(num_samples)
    size_of(tr, (*weights.shape[:-1], count))
    rows = np.atleast_2d(weights)
    picked = [_source(tr).choice(rows.shape[1], count, bool(replacement), row / row.sum()) for row in rows]
    return Tensor(tr, np.array(picked).reshape(*weights.shape[:-1], count))


@traced("torch.bernoulli", "torch.Tensor.bernoulli")
def _bernoulli(tr: Tracer, input: Any, **options: Any) -> Any:
    _said(tr, "torch.bernoulli", (input,))
    chance = np.asarray(raw(input), dtype=np.float64)
    return Tensor(tr, (_source(tr).uniform(size=chance.shape) < chance).astype(np.float64), dtype=tr.default_dtype)


@traced("torch.normal")
def _normal(tr: Tracer, mean: Any = 0.0, std: Any = 1.0, size: Any = None, **options: Any) -> Any:
    _said(tr, "torch.normal", (mean, std))
    middle, width = np.asarray(raw(mean), dtype=np.float64), np.asarray(raw(std), dtype=np.float64)
    shape = np.broadcast_shapes(middle.shape, width.shape) if size is None else size_of(tr, size)
    return Tensor(tr, middle + width * _source(tr).standard_normal(shape), dtype=tr.default_dtype)


def _alike(name: str) -> None:
    def call(tr: Tracer, input: Any, **options: Any) -> Any:
        made = getattr(_source(tr), name)(*np.shape(raw(input)))
        return Tensor(tr, np.asarray(made), dtype=input.dtype if isinstance(input, Array) else tr.default_dtype)

    HANDLERS[f"torch.{name}_like"] = call


for _name in ("rand", "randn"):
    _alike(_name)


# --- decompositions -----------------------------------------------------------------------------------------------


#: What orthogonal matrices are begun with: nobody derives through these by hand.
_BEGINNINGS = frozenset({"svd", "qr"})


def _of_data(name: str) -> None:
    def call(tr: Tracer, x: Any, **options: Any) -> Any:
        array = as_array(tr, x)
        if isinstance(array, Value) and array.step is not None and tr.varies[array.step]:
            step = tr.builder.steps[array.step]
            if not step.is_leaf and name not in _BEGINNINGS:
                tr.unsupported(f"numpy.linalg.{name} of what is computed from the inputs")
            tr.note(f"the result of numpy.linalg.{name} is taken as a constant")
        function = getattr(np.linalg, name)
        found = function(np.asarray(raw(array), dtype=np.float64), **{k: raw(v) for k, v in options.items()})
        parts = tuple(found) if isinstance(found, tuple) else (found,)
        if any(np.iscomplexobj(p) for p in parts):
            tr.unsupported("a complex number")
        made = tuple(Array(tr, p) if np.ndim(p) else float(p) for p in parts)
        return made if isinstance(found, tuple) else made[0]

    HANDLERS[f"numpy.linalg.{name}"] = call


for _name in ("svd", "qr", "eigh", "eigvalsh", "pinv", "matrix_rank", "cond"):
    if f"numpy.linalg.{_name}" not in HANDLERS:
        _of_data(_name)


# --- data in batches ----------------------------------------------------------------------------------------------


@constant("torch.utils.data.Dataset", "torch.utils.data.IterableDataset")
def _dataset(tr: Tracer) -> Any:
    return object


@traced("torch.utils.data.TensorDataset")
def _tensors(tr: Tracer, *tensors: Any) -> Any:
    return list(zip(*tensors, strict=True))


@traced("torch.utils.data.DataLoader")
def _loader(tr: Tracer, dataset: Any, batch_size: Any = 1, *args: Any, **options: Any) -> Any:
    """Batches, in order: shuffled they are no other data."""
    return _batches(tr, dataset, int(batch_size or 1), bool(options.get("drop_last", False)))


def _batches(tr: Tracer, dataset: Any, size: int, whole: bool) -> Iterator[Any]:
    items = [dataset[i] for i in range(len(dataset))]
    made = []
    for begin in range(0, len(items), size):
        rows = items[begin : begin + size]
        if len(rows) == size or not whole:
            pairs = isinstance(rows[0], tuple | list)
            made.append([gather(tr, list(c)) for c in zip(*rows, strict=True)] if pairs else gather(tr, rows))
    return iter(made)
