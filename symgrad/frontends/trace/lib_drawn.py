"""What our texts of ``torch.distributions`` and ``scipy.stats`` cannot write themselves: random numbers as data."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.numpy_plain import bare
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import Value

#: The generator's methods that may be asked for.
KNOWN = frozenset("normal lognormal laplace uniform exponential gamma beta poisson binomial".split())


def drawn(tr: Tracer, name: str, shape: Any, *parameters: Any) -> Tensor:
    """A tensor of this shape, drawn with the numbers that the parameters have now: data, whatever they depend on."""
    source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
    size = size_of(tr, shape)
    plain = [np.asarray(raw(p), dtype=np.float64) for p in parameters]
    whole = name == "categorical"
    if whole:
        edges = np.cumsum(plain[0], axis=-1)
        found = np.sum(source.uniform(size=size)[..., None] >= edges[..., :-1] / edges[..., -1:], axis=-1)
    elif name == "bernoulli":
        found = (source.uniform(size=size) < plain[0]).astype(np.float64)
    elif name in KNOWN:
        found = np.asarray(getattr(source, name)(*plain, size=size), dtype=np.float64)
    else:
        tr.unsupported(f"a sample of {name}")
    return Tensor(tr, np.asarray(found), dtype="int64" if whole else tr.default_dtype)


def held(tr: Tracer, value: Any) -> Any:
    """The numbers of a tensor, as data."""
    return Tensor(tr, np.array(raw(value)), dtype=value.dtype)


def normal_quantile(tr: Tracer, q: Any) -> Any:
    """Where the standard normal distribution function reaches ``q``, which must be data."""
    if isinstance(q, Value) and q.step is not None and tr.varies[q.step]:
        tr.unsupported("quantiles of the normal distribution at what is differentiated")
    levels = np.asarray(bare(q), dtype=np.float64)
    found = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])(levels)
    return Array(tr, found) if found.ndim else float(found)
