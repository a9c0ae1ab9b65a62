"""What a function may be called with, where nobody says: shapes and kinds of its parameters.

Three things tell, in this order: the docstring (``x: Input data, of shape (N, D)``), the text (``N, D = x.shape``;
``param["stride"]``; ``mode == "train"``), and the names that people give (``b`` has fewer axes than ``W``, ``y`` are
labels). A length is a symbol; all symbols get different sizes, so that nothing fits by accident. What is still open is
found by trying: an operation that does not fit tells which two lengths are one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice, product
from typing import Any

import numpy as np

#: A length: a number, a symbol, or a sum or multiple of these.
Dim = int | str | tuple[str, ...]

#: The kinds of a parameter. ``array``; ``labels``: whole numbers; ``value``: given; ``dict``: of further parameters.
ARRAY, LABELS, VALUE, DICT, DEFAULT = "array", "labels", "value", "dict", "default"
#: Whole numbers that are lengths themselves: one of them, or a list.
COUNT, COUNTS = "count", "counts"
#: Several arrays of one shape in a list.
LIST = "list"
#: A function of one array, and the derivative of that.
FUNCTION, DERIVED = "function", "derived"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter is taken to be.

    Attributes:
        what: one of the kinds above; ``default``: it is left out.
        dims: of an array or of labels.
        value: a given value.
        items: of a dictionary.
    """

    what: str
    dims: tuple[Dim, ...] = ()
    value: Any = None
    items: Mapping[str, Kind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function: its name, whether it may be left out, and its default where that is a literal."""

    name: str
    optional: bool = False
    default: Any = None


#: What is usual for a dictionary's keys and for parameters that are no arrays.
USUAL: dict[str, Any] = {
    "mode": "train", "train_flg": True, "training": True, "is_training": True, "train": True, "p": 0.6, "dropout": 0.6,
    "keep_prob": 0.6, "seed": 3, "stride": 1, "pad": 1, "padding": 0, "eps": 1e-5, "epsilon": 1e-5, "momentum": 0.9,
    "pool_height": 2, "pool_width": 2, "pool_h": 2, "pool_w": 2, "f": 2, "reg": 0.3, "lambd": 0.7, "lamda": 0.7,
    "lambda_": 0.7, "alpha": 0.3, "lr": 0.1, "learning_rate": 0.1, "delta": 1.0, "dropout_ratio": 0.4, "c": 0.7,
    "weight_decay": 0.3, "verbose": False, "debug": False, "stateful": False, "axis": -1, "dropout_rate": 0.4,
    "dropout_p": 0.4, "kernel_shape": (2, 2), "filter_shape": (2, 2), "pool_shape": (2, 2), "kernel_width": 2,
    "kernel_size": 2, "pool_size": 2, "dilation": 0,
}  # fmt: skip
#: A dictionary of settings of which nothing is known.
_SETTINGS = {k: Kind(VALUE, value=USUAL[k]) for k in ("mode", "stride", "pad", "p", "seed", "eps")}
#: Where a docstring says a shape, and that something is whole numbers.
_SHAPE = re.compile(
    r"(?:shape|size|array|vector|matrix|tensor|examples|data\S*|state\S*|labels?)\D{0,40}?[(\[]([^()\[\]]+)[)\]]"
)
_WHOLE = re.compile(r"\blabels?\b|\bind(?:ex|ices)\b|integers?\b", re.I)
_BIAS = re.compile(r"(?:b|bias|beta|gamma|mu|mean|scale|shift|theta0?|b[a-z0-9]{1,3}|\w+_b|bias\w*|\w+_bias)$")
_WEIGHT = re.compile(r"(?:[WUV]\w*|w|w\d|w_\w+|weights?\w*|kernel\w*|theta\d?|Theta\d?|k[xhqv]?|embed\w*|filters?)$")
_LABELS = re.compile(
    r"(?:y|t|labels?|targets?|y_true|ground_truth|idx|indices|ids?|classes|y_batch|ts|actual"
    r"|\w+_(?:idx|indices|ids?)|\w+(?:Idx|Indices|Ids?))$"
)
_STATE = re.compile(r"(?:h|c|h0|c0|h_?prev\w*|prev_\w+|c_?prev\w*|\w+_prev|a0|hprev|h_t\w*|state)$")
_NUMBER = re.compile(r"(?:reg\w*|eps\w*|lr|lambd?a?\w*|alpha|momentum|learning_rate|decay\w*|p|ratio|temperature|C)$")
_POSITIVE = re.compile(
    r"(?:\w*var\w*|sigma\w*|std\w*|p_?hat|ps?|preds?|prob\w*|y_?hat\w*|AL|y_pred\w*|A2|a2|output\w*)$"
)
_COUNT = re.compile(
    r"(?:\w*(?:size|dim|_num|dims_?\d|units|neurons|nodes|length|len|depth|height|width|classes|features|channels|filters)|n_\w+|num_\w+"
    r"|[DHNTVMK]|in_\w+|out_\w+|nin|nout)$"
)
_COUNTS = re.compile(r"(?:\w*(?:sizes|dims|layers|_list)|layer_\w+)$")
#: Settings of which the default hides something: weights so small that all is linear.
_SCALES = re.compile(r"(?:weight_scale|weight_init_std|init_std|std|init_scale)$")
_DERIVED = re.compile(r"(?:prime|deriv|grad|^d_|_d$|backward)", re.I)
_SMALL = re.compile(r"(?:hh|ww|f|fh|fw|kh|kw|k|kernel\w*|filter_?[hw]\w*|pool_?\w*|r|s)$")
#: Methods that take the new lengths.
_RESHAPING = frozenset({"reshape", "view"})
#: Sizes of lengths in the order in which they are met.
_SIZES = (4, 3, 5, 2, 6, 7, 8, 9, 10, 11, 12, 13)


# --- what the text says -----------------------------------------------------------------------------------------------


def told_by_text(node: ast.FunctionDef | ast.Lambda, names: Sequence[str]) -> dict[str, Kind]:
    """What a function's docstring and statements say about its parameters."""
    out: dict[str, Kind] = {}
    document = (ast.get_docstring(node) or "") if isinstance(node, ast.FunctionDef) else ""
    for name in names:
        found = _documented(document, name, names)
        if found is not None:
            out[name] = found
    partly: dict[str, dict[int, str]] = {}
    for part in ast.walk(node):
        _look(part, names, out)
        _look_at_length(part, names, partly)
    for name, dims in partly.items():
        if name not in out:
            rank = max(max(dims) + 1, 1 if _BIAS.match(name) else 2)
            out[name] = Kind(ARRAY, tuple(dims.get(n, f"{name}.{n}") for n in range(rank)))
    return out


def called_in(node: ast.AST, names: Sequence[str]) -> dict[str, Kind]:
    """Parameters that are functions: the text calls them, or an attribute that is one of them."""
    own = {
        s.targets[0].attr: s.value.id
        for s in ast.walk(node)
        if isinstance(s, ast.Assign) and isinstance(s.value, ast.Name) and s.value.id in names
        and len(s.targets) == 1 and isinstance(s.targets[0], ast.Attribute)
    }  # fmt: skip
    out = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and len(part.args) == 1:
            f = part.func
            name = own.get(f.attr, "") if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
            if name in names:
                out[name] = Kind(DERIVED if _DERIVED.search(name) else FUNCTION)
    return out


def _look_at_length(part: ast.AST, names: Sequence[str], out: dict[str, dict[int, str]]) -> None:
    """``H = Wh.shape[0]``."""
    if not isinstance(part, ast.Assign) or len(part.targets) != 1 or not isinstance(part.targets[0], ast.Name):
        return
    value = part.value
    if (
        isinstance(value, ast.Subscript) and isinstance(value.value, ast.Attribute) and value.value.attr == "shape"
        and isinstance(value.value.value, ast.Name) and value.value.value.id in names
        and isinstance(value.slice, ast.Constant) and isinstance(value.slice.value, int) and value.slice.value >= 0
    ):  # fmt: skip
        out.setdefault(value.value.value.id, {})[value.slice.value] = part.targets[0].id


def gates(*nodes: ast.AST | None) -> tuple[int, str] | None:
    """``A[:, 2*H:3*H]``: several gates stand side by side in one array; how many, and what one's length is called."""
    most: dict[str, int] = {}
    for node in nodes:
        for part in ast.walk(node) if node is not None else ():
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult):
                for a, b in ((part.left, part.right), (part.right, part.left)):
                    times = a.value if isinstance(a, ast.Constant) else None
                    if isinstance(times, int) and 1 < times < 5 and isinstance(b, ast.Name):
                        most[b.id] = max(most.get(b.id, 0), times)
    if not most:
        text = " ".join(getattr(n, "name", "") for n in nodes if n is not None).lower()
        return (4, "H") if "lstm" in text else (3, "H") if "gru" in text else None
    name, found = max(most.items(), key=lambda item: item[1])
    text = " ".join(ast.unparse(n) for n in nodes if n is not None).replace(" ", "")
    if f"{found}*{name}:]" in text:
        found += 1  # the last slice is open: A[:, 3*H:]
    return (found, name) if found > 2 else None


def with_gates(name: str, found: tuple[int, str] | None, told: Kind | None) -> list[Kind]:
    """What a weight or a bias is, where several gates stand side by side in it."""
    if found is None or not (_WEIGHT.match(name) or _BIAS.match(name)):
        return []
    wide = ("*", str(found[0]), found[1])
    first = told.dims[0] if told and told.dims else f"{name}.0"
    return [Kind(ARRAY, (wide,) if _BIAS.match(name) else (first, wide))]


def _look(part: ast.AST, names: Sequence[str], out: dict[str, Kind]) -> None:
    if isinstance(part, ast.Assign) and len(part.targets) == 1:
        target, value = part.targets[0], part.value
        if (
            isinstance(target, ast.Tuple) and isinstance(value, ast.Attribute) and value.attr == "shape"
            and isinstance(value.value, ast.Name) and value.value.id in names
            and all(isinstance(e, ast.Name) for e in target.elts)
        ):  # fmt: skip
            name = value.value.id
            dims = tuple(
                e.id if isinstance(e, ast.Name) and e.id != "_" else f"{name}.{n}" for n, e in enumerate(target.elts)
            )
            known = out.get(name)
            if known is None or len(known.dims) != len(dims):
                out[name] = Kind(known.what if known and known.what == LABELS else ARRAY, dims)
        elif (
            isinstance(target, ast.Tuple) and isinstance(value, ast.Name) and value.id in names
            and re.search(r"(?:dims?|shape|size)$", value.id)
        ):  # fmt: skip
            # self.d_X, self.h_X, self.w_X = X_dim
            dims = tuple(f"{value.id}.{n}" for n in range(len(target.elts)))
            out.setdefault(value.id, Kind(COUNTS, dims))
    elif (reshaped := _reshape_of(part, names)) is not None:
        out.setdefault(*reshaped)
    elif isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and part.value.id in names:
        key = part.slice
        if not isinstance(part.ctx, ast.Load):
            if part.value.id not in out and isinstance(key, ast.Constant) and isinstance(key.value, str):
                out[part.value.id] = Kind(DICT)
        elif isinstance(key, ast.Constant) and isinstance(key.value, str):
            _add_key(out, part.value.id, key.value)
        elif isinstance(key, ast.BinOp) and isinstance(key.left, ast.Constant) and isinstance(key.left.value, str):
            for number in (1, 2):  # parameters["W" + str(l)]
                _add_key(out, part.value.id, f"{key.left.value}{number}")
    elif (
        isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and isinstance(part.func.value, ast.Name)
        and part.func.value.id in names and part.func.attr in ("get", "setdefault", "items", "keys")
    ):  # fmt: skip
        if part.func.value.id not in out or out[part.func.value.id].what != DICT:
            out[part.func.value.id] = Kind(DICT)
    elif isinstance(part, ast.Compare) and isinstance(part.left, ast.Name) and part.left.id in names:
        other = part.comparators[0]
        if isinstance(other, ast.Constant) and isinstance(other.value, str):
            out.setdefault(part.left.id, Kind(VALUE, value=other.value))


def _reshape_of(part: ast.AST, names: Sequence[str]) -> tuple[str, Kind] | None:
    """``a.reshape(N, T, 1)``: what else it is than these lengths, it cannot be told better."""
    if not (
        isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _RESHAPING
        and isinstance(part.func.value, ast.Name) and part.func.value.id in names
    ):  # fmt: skip
        return None
    lengths = part.args[0].elts if len(part.args) == 1 and isinstance(part.args[0], ast.Tuple) else part.args
    dims = [e.id for e in lengths if isinstance(e, ast.Name)]
    ones = [e for e in lengths if isinstance(e, ast.Constant) and e.value == 1]
    if not ones or len(dims) + len(ones) != len(lengths) or not dims:
        return None
    return part.func.value.id, Kind(ARRAY, tuple(dims))


def _add_key(out: dict[str, Kind], name: str, key: str) -> None:
    known = out.get(name)
    items = dict(known.items) if known is not None and known.what == DICT else {}
    items.setdefault(key, _usual(key) or Kind(ARRAY, ()))
    out[name] = Kind(DICT, items=items)


def _usual(name: str) -> Kind | None:
    return Kind(VALUE, value=USUAL[name.lower()]) if name.lower() in USUAL else None


def _documented(document: str, name: str, names: Sequence[str]) -> Kind | None:
    """What a docstring says: the first shape after the parameter's name and before the next parameter's."""
    start = re.search(rf"(?m)^[ \t]*[-*:]*[ \t]*(?:param\s+)?{re.escape(name)}\b[ \t]*(?:--|:|-|=|,|\()", document)
    if start is None:
        return None
    rest = document[start.start() :]
    others = "|".join(re.escape(n) for n in names if n != name)
    end = re.search(rf"(?m)\n[ \t]*(?:[-*:]*[ \t]*(?:{others})\b[ \t]*(?:--|:|-)|Returns?\b|Output)", rest[1:])
    chunk = rest[: end.start() + 1] if end else rest[:400]
    said = chunk[chunk.find(name) + len(name) :][:60]
    if re.match(r"\s*(?:--|:|-|=|\()\s*`*(?:int|float|bool|str|integer|boolean|string)\b(?! *(?:array|nd))", said):
        return None  # a number: what comes behind is no shape of it
    if re.match(r"\s*(?:--|:|-)\s*`*list of (?:length|n|arrays|inputs|tensors|matrices)\b", said):
        return Kind(LIST, (f"{name}.0", f"{name}.1"))
    if re.search(r"\bdict", chunk[: len(name) + 60], re.I):
        return Kind(DICT)
    found = _SHAPE.search(chunk)
    found = found or re.search(r"[(\[]([^()\[\]]*,[^()\[\]]*)[)\]]", chunk)
    if found is None:
        return None
    dims = tuple(d for part in found[1].split(",") if part.strip() for d in [_dim(part.strip())] if d != "...")
    if any(d is None for d in dims) or not dims:
        return None
    whole = _WHOLE.search(chunk) and not re.search(r"one.?hot|0.{1,12}1", chunk)
    return Kind(LABELS if whole else ARRAY, tuple(d for d in dims if d is not None))


def _dim(text: str) -> Dim | None:
    """``N``, ``4H``, ``n_a + n_x``, ``size of the current layer``; dots are one more length."""
    text = text.strip().strip("`'\"")
    if text.isdecimal():
        return int(text) if int(text) < 20 else text
    times = re.fullmatch(r"(\d)\s*\*?\s*([A-Za-z]\w*)", text)
    if times:
        return ("*", times[1], times[2])
    if "+" in text:
        return ("+", *(t.strip() for t in text.split("+")))
    if text in ("...", "…"):
        return "..."
    words = re.sub(r"\b(?:the|of|a|number|in)\b", " ", text)
    plain = " ".join(words.split())
    return plain if plain and re.fullmatch(r"[\w .'*/-]{1,40}", plain) else None


# --- what the names say -----------------------------------------------------------------------------------------------


def candidates(parameter: Parameter, told: Kind | None) -> list[Kind]:
    """What a parameter may be, the likeliest first."""
    name = parameter.name
    if told is not None and told.what == VALUE and isinstance(parameter.default, str):
        return [Kind(DEFAULT), told]  # mode="train", which the text compares with "test"
    if told is not None and (told.what != DICT or told.items or not parameter.optional):
        if told.what == DICT:
            items = {k: _inner(k, v) for k, v in told.items.items()}
            return [Kind(DICT, items=items or _SETTINGS)]
        others = [k for k in _by_name(name) if k.what == ARRAY and len(k.dims) != len(told.dims)]
        first = [told, *others] if told.what == ARRAY else [told]
        return first if not _LABELS.match(name) or told.what == LABELS else [*first, Kind(LABELS, told.dims[:1])]
    if parameter.optional:
        wanted = _LABELS.match(name) and parameter.default is None
        if parameter.default is None and _BIAS.match(name):
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
    return _by_name(name)


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
    usual = _usual(name)
    if usual is not None and name not in ("f", "c", "p", "delta"):
        return [usual]
    if _LABELS.match(name):
        return [Kind(LABELS, (f"{name}.0",)), *_arrays(name, (2, 1)), Kind(LABELS, (f"{name}.0", f"{name}.1"))]
    if _NUMBER.match(name):
        return [Kind(VALUE, value=0.7), *_arrays(name, (2, 1))]
    if _BIAS.match(name):
        row, column = Kind(ARRAY, (1, f"{name}.1")), Kind(ARRAY, (f"{name}.0", 1))
        return [*_arrays(name, (1,)), row, column, *_arrays(name, (2, 0, 4))]
    if _WEIGHT.match(name):
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
    pictures = ("F", "C", "HH", "WW") if _WEIGHT.match(name) else ("N", "C", "H", "W")
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


def as_places(options: Mapping[str, Sequence[Kind]], kinds: Mapping[str, Kind]) -> list[dict[str, Kind]]:
    """The same combination with one array of numbers as places, of as many axes first."""
    out: list[dict[str, Kind]] = []
    for n, k in kinds.items():
        if k.what == ARRAY:
            found = [o for o in options[n] if o.what == LABELS]
            found.sort(key=lambda o: len(o.dims) != len(k.dims))
            out.extend({**kinds, n: o} for o in found)
    return out


def choices(options: Mapping[str, Sequence[Kind]], most: int) -> Iterator[dict[str, Kind]]:
    """Combinations of what the parameters may be, the likeliest first."""
    names = list(options)
    ranges = [range(len(options[n])) for n in names]
    every = sorted(islice(product(*ranges), 20_000), key=lambda c: (sum(c), max(c, default=0)))
    for chosen in every[:most]:
        yield {n: options[n][i] for n, i in zip(names, chosen, strict=True)}


# --- lengths ----------------------------------------------------------------------------------------------------------


class Lengths:
    """The sizes of symbols, and which of them are one."""

    def __init__(self) -> None:
        self.same: dict[str, str] = {}
        self.fixed: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self._next = count()

    def root(self, symbol: str) -> str:
        while symbol in self.same:
            symbol = self.same[symbol]
        return symbol

    def size(self, dim: Dim, small: bool = False) -> int:
        if isinstance(dim, int):
            return dim
        if isinstance(dim, tuple):
            if dim[0] == "*":
                return int(dim[1]) * self.size(dim[2])
            return sum(int(d) if d.isdecimal() else self.size(d) for d in dim[1:])
        symbol = self.root(dim)
        if symbol in self.fixed:
            return self.fixed[symbol]
        if symbol not in self.sizes:
            self.sizes[symbol] = self._new(symbol, small)
        return self.sizes[symbol]

    def _new(self, symbol: str, small: bool) -> int:
        plain = symbol.lower()
        if _SMALL.match(plain):
            return 3 if plain in ("ww", "kw", "fw", "filter_w") or plain == "f" else 2
        if (small and plain in ("h", "height", "in_h")) or plain.startswith("n_h"):
            return 4 if plain != "n_h" else 5
        if (small and plain in ("w", "width", "in_w")) or plain.startswith("n_w"):
            return 6 if plain != "n_w" else 7
        if small and plain in ("n", "m"):
            return 2
        taken = {*self.sizes.values(), *self.fixed.values()}
        return next((n for n in _SIZES if n not in taken), _SIZES[next(self._next) % len(_SIZES)])

    def shrink(self, to: int, fixed: set[str]) -> bool:
        """An index went beyond a length of this size: a greater one, the next, must be the same."""
        mine = next((s.partition(".")[0] for s, n in self.sizes.items() if n == to and s not in self.same), "")
        known = [(s, n) for s, n in self.sizes.items() if n > to and s not in self.same and s not in fixed]
        greater = sorted((s.partition(".")[0] == mine, n) for s, n in known)  # of another array, if there is one
        return bool(greater) and self.join(to, greater[0][1], fixed)

    def join(self, a: int, b: int, fixed: set[str]) -> bool:
        """Two sizes have to be one: so their symbols are, or the symbol is the number."""
        if 0 in (a, b):
            return False
        one = next((s for s, n in self.sizes.items() if n == a and s not in self.same), None)
        other = next((s for s, n in self.sizes.items() if n == b and s not in self.same), None)
        if one is not None and other is not None:
            keep, gone = (one, other) if "." in other or "." not in one else (other, one)
            self.same[gone] = keep
            return True
        symbol, number = (one, b) if one is not None else (other, a)
        if symbol is None or symbol in fixed:
            return False
        self.fixed[symbol] = number
        fixed.add(symbol)
        return True


# --- values -----------------------------------------------------------------------------------------------------------


def make(name: str, kind: Kind, lengths: Lengths, source: np.random.Generator, *, positive: bool, classes: int) -> Any:
    """A value of a kind: random, not symmetric, nothing special about any entry."""
    if kind.what == VALUE:
        return kind.value
    if kind.what == DICT:
        return {k: make(k, v, lengths, source, positive=positive, classes=classes) for k, v in kind.items.items()}
    if kind.what == COUNT:
        return lengths.size(kind.dims[0])
    if kind.what == LIST:
        return [random(tuple(lengths.size(d) for d in kind.dims), source, positive=positive) for _ in range(2)]
    if kind.what == COUNTS:
        return [lengths.size(d) for d in kind.dims]
    small = len(kind.dims) > 3
    shape = tuple(lengths.size(d, small) for d in kind.dims)
    if kind.what == LABELS:
        total = int(np.prod(shape)) if shape else 1
        picked = np.arange(total)[::-1] % max(classes, 1)
        return picked.reshape(shape)
    return random(shape, source, positive=positive or bool(_POSITIVE.match(name)))


def random(shape: tuple[int, ...], source: np.random.Generator, *, positive: bool = False) -> Any:
    """Random numbers with six digits, so that they can be shown; a plain number for no axes."""
    numbers = source.uniform(0.15, 0.85, shape) if positive else source.standard_normal(shape)
    rounded = np.round(numbers, 6)
    return float(rounded) if not shape else rounded
