"""NumPy's generators, old and new: which numbers they draw is data."""

# A handler has the signature of the function that it stands for, used or not.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.numpy_plain import bare
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.registry import HANDLERS, Facade, as_array, traced
from symgrad.frontends.trace.shaped import call as library
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, number


def draw(tr: Tracer, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One draw from NumPy's old generator, so that a seed gives the numbers that it gives outside."""
    source = tr.__dict__.setdefault("numpy_random", np.random.RandomState(0))
    shape = kwargs.get("size", args if name in ("rand", "randn") else ())
    if shape not in ((), None):
        size_of(tr, shape)
    plain = [tuple(int(n) for n in a) if isinstance(a, tuple | list) else raw(a) for a in args]
    for a in plain[2:]:
        size_of(tr, a)
    value = getattr(source, name)(*plain, **{k: raw(v) for k, v in kwargs.items()})
    if isinstance(value, np.ndarray):
        return Array(tr, value)
    return int(value) if isinstance(value, int | np.integer) else number(tr, float(value), None, NUMPY)


def _draws(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        return draw(tr, name, args, kwargs)

    return call


for _name in ("rand", "randn", "random", "random_sample", "uniform", "normal", "standard_normal", "randint"):
    HANDLERS[f"numpy.random.{_name}"] = _draws(_name)


@traced("numpy.random.permutation", "numpy.random.choice")
def _chosen(tr: Tracer, x: Any, size: Any = None, replace: Any = True, p: Any = None) -> Any:
    """A permutation of so many numbers or entries, or so many of them: which ones they are is data."""
    source = tr.__dict__.setdefault("numpy_random", np.random.RandomState(0))
    if not isinstance(x, int):
        items = list(x) if isinstance(x, list | tuple | range) else x
        count = len(items)
        if size is None and p is None and not isinstance(x, list | tuple | range):
            return library(tr, "numpy.take", x, source.permutation(count), 0)
        found = source.choice(count, size, bool(replace), None if p is None else bare(p))
        if np.ndim(found):
            return as_array(tr, [items[int(i)] for i in np.ravel(found)])
        return items[int(found)]
    if size is None and p is None:
        return Array(tr, source.permutation(size_of(tr, x)[0]))
    found = source.choice(size_of(tr, x)[0], size, bool(replace), None if p is None else bare(p))
    return Array(tr, found) if np.ndim(found) else int(found)


@traced("numpy.random.default_rng")
def _generator(tr: Tracer, seed: Any = None) -> Any:
    tr.__dict__["numpy_generator"] = np.random.default_rng(0 if seed is None else int(seed))
    return Facade(tr, "numpy.random.Generator")


#: Distributions of one number: their second argument is a size, and that of others their third.
_OF_ONE_NUMBER = frozenset(
    "poisson exponential geometric dirichlet chisquare rayleigh standard_t standard_gamma weibull".split()
)


def _generates(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        source = tr.__dict__["numpy_generator"]
        plainly = bool(args) and name in ("standard_normal", "random", "standard_exponential")
        size = kwargs.get("size", args[0] if plainly else None)
        if name in _OF_ONE_NUMBER and len(args) > 1:
            size = args[1]
        if size is not None:
            size_of(tr, size)
        plain = [tuple(int(n) for n in a) if isinstance(a, tuple | list) else raw(a) for a in args]
        for a in plain[2:]:
            size_of(tr, a)
        value = getattr(source, name)(*plain, **{k: raw(v) for k, v in kwargs.items() if k != "dtype"})
        if isinstance(value, np.ndarray):
            return Array(tr, value)
        return int(value) if isinstance(value, int | np.integer) else number(tr, float(value), None, NUMPY)

    return call


for _name in (
    "standard_normal", "normal", "uniform", "random", "integers", "binomial", "poisson", "exponential", "laplace",
    "beta", "gamma", "geometric", "logistic", "multivariate_normal", "multinomial", "dirichlet", "gumbel", "chisquare",
    "lognormal", "rayleigh", "standard_t", "standard_exponential", "standard_gamma", "triangular", "weibull",
):  # fmt: skip
    HANDLERS[f"numpy.random.Generator.{_name}"] = _generates(_name)


@traced("numpy.random.RandomState")
def _state(tr: Tracer, seed: Any = None) -> Any:
    """A generator of its own; a second one takes the place of the first, whose later draws are then other numbers."""
    tr.__dict__["numpy_state"] = np.random.RandomState(0 if seed is None else int(seed))
    return Facade(tr, "numpy.random.mtrand.RandomState")


def stateful(name: str, made: str = "numpy_state") -> Callable[..., Any]:
    """The same draw as from NumPy's one generator, from the one that was made last (``made``: of which kind)."""
    run = HANDLERS[f"numpy.random.{name}"]

    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        held = tr.__dict__.get("numpy_random")
        tr.__dict__["numpy_random"] = tr.__dict__[made]
        try:
            return run(tr, *args, **kwargs)
        finally:
            if held is None:
                del tr.__dict__["numpy_random"]
            else:
                tr.__dict__["numpy_random"] = held

    return call


for _name in (
    "rand", "randn", "random", "random_sample", "uniform", "normal", "standard_normal", "randint", "permutation",
    "choice",
):  # fmt: skip
    HANDLERS[f"numpy.random.mtrand.RandomState.{_name}"] = stateful(_name)
for _name in ("permutation", "choice"):
    HANDLERS[f"numpy.random.Generator.{_name}"] = stateful(_name, "numpy_generator")


@traced("numpy.random.seed")
def _seed(tr: Tracer, seed: Any = 0) -> None:
    tr.__dict__["numpy_random"] = np.random.RandomState(int(seed or 0))
