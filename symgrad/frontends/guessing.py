"""What a function may be called with, where nobody says: shapes and kinds of its parameters.

Three things tell, in this order: the docstring (``x: Input data, of shape (N, D)``), the text (``N, D = x.shape``;
``param["stride"]``; ``mode == "train"``), and the names that people give (``b`` has fewer axes than ``W``, ``y`` are
labels). A length is a symbol; all symbols get different sizes, so that nothing fits by accident. What is still open is
found by trying: an operation that does not fit tells which two lengths are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from symgrad.frontends.kinds import (
    ARRAY,
    BIAS,
    COUNT,
    COUNTS,
    DEFAULT,
    DICT,
    LABELLED,
    LABELS,
    USUAL,
    VALUE,
    WEIGHT,
    Kind,
    Parameter,
    usual,
)
from symgrad.frontends.lengths import Lengths

#: A dictionary of settings of which nothing is known.
_SETTINGS = {k: Kind(VALUE, value=USUAL[k]) for k in ("mode", "stride", "pad", "p", "seed", "eps")}
_NUMBER = re.compile(r"(?:reg\w*|eps\w*|lr|lambd?a?\w*|alpha|momentum|learning_rate|decay\w*|p|ratio|temperature|C)$")
_COUNT = re.compile(
    r"(?:\w*(?:size|dim|_num|dims_?\d|units|neurons|nodes|length|len|depth|height|width|classes|features|channels|filters)|n_\w+|num_\w+"
    r"|[DHNTVMK]|in_\w+|out_\w+|nin|nout)$"
)
_COUNTS = re.compile(r"(?:\w*(?:sizes|dims|layers|_list)|layer_\w+)$")
_LOWER = re.compile(r"(?:\w*_)?(?:min|low|lower|lo)(?:_\w+)?$|(?:min|low|Q_?[nN]|qmin)\w*$")
#: Settings of which the default hides something: weights so small that all is linear.
_SCALES = re.compile(r"(?:weight_scale|weight_init_std|init_std|std|init_scale)$")


def candidates(parameter: Parameter, told: Kind | None) -> list[Kind]:
    """What a parameter may be, the likeliest first."""
    name = parameter.name
    given = {VALUE: str, COUNTS: tuple | list}.get(told.what) if told is not None else None
    if told is not None and given is not None and isinstance(parameter.default, given):
        return [Kind(DEFAULT), told]  # mode="train", which the text compares with "test"; shape=(2, 2)
    if told is not None and (told.what != DICT or told.items or not parameter.optional):
        if told.what == DICT:
            items = {k: _inner(k, v) for k, v in told.items.items()}
            return [Kind(DICT, items=items or _SETTINGS)]
        others = [k for k in _by_name(name) if k.what == ARRAY and len(k.dims) != len(told.dims)]
        first = [told, *others] if told.what == ARRAY else [told]
        return first if not LABELLED.match(name) or told.what == LABELS else [*first, Kind(LABELS, told.dims[:1])]
    if parameter.optional:
        wanted = LABELLED.match(name) and parameter.default is None
        if parameter.default is None and BIAS.match(name):
            return [*_arrays(name, (1, 2)), Kind(DEFAULT)]
        if type(parameter.default) is int and parameter.default > 12 and _COUNT.match(name):
            return [Kind(COUNT, (name,)), Kind(DEFAULT)]
        if isinstance(parameter.default, float) and _SCALES.match(name):
            return [Kind(VALUE, value=0.5)]
        zero = parameter.default == 0.0 and isinstance(parameter.default, int | float) and _NUMBER.match(name)
        if zero and not isinstance(parameter.default, bool):
            return [Kind(VALUE, value=0.3), Kind(DEFAULT)]
        labels = [Kind(LABELS, (f"{name}.0",)), *_arrays(name, (2, 1)), Kind(DEFAULT)]
        return labels if wanted else [Kind(DEFAULT)]
    likely = _by_name(name)
    if parameter.annotation == "int" and likely[0].what in (ARRAY, LABELS):
        return [Kind(COUNT, (name,)), *likely]
    if parameter.annotation == "float" and likely[0].what == ARRAY:
        return [Kind(ARRAY), *likely]
    return likely


def numbers(name: str) -> list[Kind]:
    """What a parameter is that is a number: what is usual, a lower bound, or any."""
    known = usual(name)
    return [known if known is not None else Kind(VALUE, value=-0.6 if _LOWER.match(name) else 0.7)]


def _by_name(name: str) -> list[Kind]:
    if re.search(r"(?:param|config|option|conf)s?$", name) and name not in ("params", "parameters"):
        return [Kind(DICT, items=_SETTINGS)]
    if re.match(r"(?:G|groups?|step|lag|window_size|sample_size)$", name):
        return [Kind(VALUE, value=2), *_arrays(name, (2, 1))]
    if re.match(r"(?:\w*[wW]ord_?(?:[iI]dx|[iI]ndex)|\w*(?:target|center|context|true)_?(?:[iI]dx|[iI]ndex))$", name):
        return [Kind(VALUE, value=1), Kind(LABELS, (f"{name}.0",))]
    if re.match(r"[hw]_(?:filter|kernel|pool)$|(?:filter|kernel|pool)_[hw]$", name):
        return [Kind(VALUE, value=2), *_arrays(name, (2, 1))]
    if re.match(r"(?:in|input|image|img|x)_?shape$", name):
        return [Kind(COUNTS, tuple(f"{name}.{n}" for n in range(r))) for r in (3, 2, 1)]
    if _COUNTS.match(name) and not re.match(r"layer_(?:depth|size|width)$", name):
        return [Kind(COUNTS, (f"{name}.0", f"{name}.1", f"{name}.2")), *_arrays(name, (2, 1))]
    if _COUNT.match(name):
        return [Kind(COUNT, (name,)), *_arrays(name, (2, 1))]
    if re.match(r"(?:corpus|contexts?|words?|tokens?|inputs?_idx)$", name):
        ranks = (2, 1) if name.startswith("context") else (1, 2)
        return [Kind(LABELS, tuple(f"{name}.{n}" for n in range(r))) for r in ranks]
    known = usual(name)
    if known is not None and name not in ("f", "c", "p", "delta"):
        return [known]
    if LABELLED.match(name):
        return [Kind(LABELS, (f"{name}.0",)), *_arrays(name, (2, 1)), Kind(LABELS, (f"{name}.0", f"{name}.1"))]
    if _NUMBER.match(name):
        return [Kind(VALUE, value=0.7), *_arrays(name, (2, 1))]
    if BIAS.match(name):
        row, column = Kind(ARRAY, (1, f"{name}.1")), Kind(ARRAY, (f"{name}.0", 1))
        return [*_arrays(name, (1,)), row, column, *_arrays(name, (2, 0, 4))]
    if WEIGHT.match(name):
        return _arrays(name, (2, 4, 1, 0))
    column = Kind(ARRAY, (f"{name}.0", 1))
    labels = [Kind(LABELS, (f"{name}.0",)), Kind(LABELS, (f"{name}.0", f"{name}.1"))]
    return [*_arrays(name, (2, 1, 3, 4, 0)), column, *labels]


def _inner(key: str, kind: Kind) -> Kind:
    """An entry of a dictionary; an array of which nothing is known is what its name says."""
    if kind.what != ARRAY or kind.dims:
        return kind
    return candidates(Parameter(key), None)[0]


def _arrays(name: str, ranks: Sequence[int]) -> list[Kind]:
    """Arrays of so many axes; one of four holds pictures, or kernels for them."""
    pictures = ("F", "C", "HH", "WW") if WEIGHT.match(name) else ("N", "C", "H", "W")
    return [Kind(ARRAY, pictures if rank == 4 else tuple(f"{name}.{n}" for n in range(rank))) for rank in ranks]


def reshaped(
    options: Mapping[str, Sequence[Kind]], kinds: Mapping[str, Kind], have: int, want: int
) -> list[dict[str, Kind]]:
    """The same combination with arrays of so many axes that were of another number of axes: one, and then all."""
    found = {
        n: next((o for o in options[n] if len(o.dims) == want and o.what == k.what), None)
        or next(o for o in options[n] if len(o.dims) == want)
        for n, k in kinds.items()
        if k.what in (ARRAY, LABELS) and len(k.dims) == have and any(len(o.dims) == want for o in options[n])
    }
    out = [{**kinds, n: k} for n, k in found.items()]
    return [*out, {**kinds, **found}] if len(found) > 1 else out


def laid_along(
    kinds: Mapping[str, Kind], shapes: Mapping[str, tuple[int, ...]], lengths: Lengths
) -> dict[str, Kind] | None:
    """The same combination where what is returned as the gradient of a vector lies along another axis than the vector
    does: ``gamma`` of shape (1, C, 1, 1). A gradient that was not summed at all tells nothing."""
    if any(n not in kinds for n in shapes):
        return _laid_within(kinds, shapes, lengths)
    vectors = [n for n in shapes if n in kinds and kinds[n].what == ARRAY and len(kinds[n].dims) == 1]
    laid = [s for n, s in shapes.items() if n in vectors and len(s) > 1 and sum(length != 1 for length in s) == 1]
    if not laid or len(vectors) < len(shapes) or len(set(laid)) > 1:
        return None
    # Of several vectors all lie as those do of which the gradient shows it.
    kind = Kind(ARRAY, tuple(1 if n == 1 else lengths.of_size(n) for n in laid[0]))
    return {**kinds, **dict.fromkeys(vectors, kind)}


def _laid_within(
    kinds: Mapping[str, Kind], shapes: Mapping[str, tuple[int, ...]], lengths: Lengths
) -> dict[str, Kind] | None:
    """The same of vectors in a dictionary of parameters, each of a length of its own: ``parameters["b1"]``."""
    out = dict(kinds)
    for name, shape in shapes.items():
        top, _, rest = name.partition('["')
        key, held = rest.removesuffix('"]'), out.get(top)
        inner = held.items.get(key) if held is not None and held.what == DICT else None
        if held is None or inner is None or inner.what != ARRAY or len(inner.dims) != 1:
            return None
        if len(shape) < 2 or sum(length != 1 for length in shape) != 1:
            return None
        laid = Kind(ARRAY, tuple(1 if n == 1 else lengths.of_size(n) for n in shape))
        out[top] = Kind(DICT, items={**held.items, key: laid})
    return out


def as_places(options: Mapping[str, Sequence[Kind]], kinds: Mapping[str, Kind]) -> list[dict[str, Kind]]:
    """The same combination with one array of numbers as places, of as many axes first."""
    out: list[dict[str, Kind]] = []
    for n, k in kinds.items():
        if k.what == ARRAY:
            found = [o for o in options[n] if o.what == LABELS]
            found.sort(key=lambda o: len(o.dims) != len(k.dims))
            # A docstring that says its shape does not always say that it is whole numbers.
            found += [Kind(LABELS, k.dims)] if k.dims and not found else []
            out.extend({**kinds, n: o} for o in found)
    return out


def as_numbers(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The same combination with a single number for every array and for all labels: what ``math`` and ``if`` take."""
    return {n: Kind(ARRAY) if k.what in (ARRAY, LABELS) else k for n, k in kinds.items()}


def choices(options: Mapping[str, Sequence[Kind]], most: int) -> Iterator[dict[str, Kind]]:
    """Combinations of what the parameters may be, the likeliest first."""
    names = list(options)
    ranges = [range(len(options[n])) for n in names]
    every = sorted(islice(product(*ranges), 20_000), key=lambda c: (sum(c), max(c, default=0)))
    for chosen in every[:most]:
        yield {n: options[n][i] for n, i in zip(names, chosen, strict=True)}
