"""What a function's text says about its parameters: its docstring, ``N, D = x.shape``, ``param["stride"]``."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from symgrad.frontends.kinds import (
    ARRAY,
    BIAS,
    COUNT,
    COUNTS,
    DERIVED,
    DICT,
    FUNCTION,
    LABELS,
    LIST,
    VALUE,
    WEIGHT,
    Dim,
    Kind,
    usual,
)

#: Where a docstring says a shape, and that something is whole numbers.
_SHAPE = re.compile(
    r"(?:shape|size|array|vector|matrix|tensor|examples|data\S*|state\S*|labels?)\D{0,40}?[(\[]([^()\[\]]+)[)\]]"
)
_WHOLE = re.compile(r"\blabels?\b|\bind(?:ex|ices)\b|integers?\b|\bint(?:32|64)?\b", re.I)
_DERIVED = re.compile(r"(?:prime|deriv|grad|^d_|_d$|backward)", re.I)
#: How many heads, and what is split among them.
_HEADS = re.compile(r"(?:n|num|number_of)?_?heads?$")
_EMBEDDED = re.compile(r"(?:d_?model|d_embed\w*|emb\w*_(?:dim|size)|model_dim|dim|hidden_(?:dim|size))$")
#: Methods that take the new lengths.
_RESHAPING = frozenset({"reshape", "view"})


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
            rank = max(max(dims) + 1, 1 if BIAS.match(name) else 2)
            out[name] = Kind(ARRAY, tuple(dims.get(n, f"{name}.{n}") for n in range(rank)))
    for name in names:
        if name not in out and (count := _entries(node, name)):
            out[name] = Kind(ARRAY, (count,))
    return out


def _entries(node: ast.FunctionDef | ast.Lambda, name: str) -> int:
    """How many numbers a parameter holds of which nothing but single ones are used: ``x[0]`` and ``x[1]``, or
    ``a, b, c = params``; 0 where more is done with it."""
    used = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))
    most = seen = 0
    for part in ast.walk(node):
        match part:
            case ast.Subscript(value=ast.Name(id=held), slice=ast.Constant(value=int(place))) if held == name:
                most, seen = max(most, place + 1), seen + 1 if place >= 0 else seen
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=held)) if held == name:
                most, seen = max(most, len(parts)), seen + all(isinstance(p, ast.Name) for p in parts)
    return most if used == seen and most > 1 else 0


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


def divided(node: ast.AST, names: Sequence[str]) -> dict[str, Kind]:
    """``d_model % n_heads`` and ``d_model // n_heads``: the one is a multiple of the other. So it is of heads, though
    another file divides."""
    pairs = []
    for part in ast.walk(node):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod | ast.FloorDiv):
            sides = [e.attr if isinstance(e, ast.Attribute) else getattr(e, "id", "") for e in (part.left, part.right)]
            pairs += [sides] if set(sides) <= set(names) else []
    heads = [n for n in names if _HEADS.match(n)]
    pairs += [[n, heads[0]] for n in names if heads and _EMBEDDED.match(n)]
    out: dict[str, Kind] = {}
    for whole, count in pairs:
        out |= {count: Kind(VALUE, value=2), whole: Kind(COUNT, (("*", "2", whole),))}
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
    if found is None or not (WEIGHT.match(name) or BIAS.match(name)):
        return []
    wide = ("*", str(found[0]), found[1])
    first = told.dims[0] if told and told.dims else f"{name}.0"
    return [Kind(ARRAY, (wide,) if BIAS.match(name) else (first, wide))]


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
    items.setdefault(key, usual(key) or Kind(ARRAY, ()))
    out[name] = Kind(DICT, items=items)


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
