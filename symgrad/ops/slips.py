"""What people write in place of an op on arrays, or leave out around one: how a repair finds what a line should be.

A slip is a way from what was written to what may have been meant: the mean where the sum belongs, another axis, a
missing transpose. Whether it was meant is for values to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

from symgrad.ops.indexing import may_repeat, moved
from symgrad.ops.tensor import Shape

#: Axes are exchanged in arrays of up to this many.
MOST_AXES = 4


@dataclass(frozen=True, slots=True)
class Slip:
    """Another op where one was written, or one more around a value.

    Attributes:
        op: what belongs there; ``inputs``: which of the written inputs it takes, in order.
        params: of ``op``, as a person gives them.
        mistake, words: as for findings. cost: how far-fetched it is.
        respell: (pattern, replacement) pairs that make the right text out of the written one: the first that is found
            counts.
        template: the right text, with ``{0}`` for the written one.
    """

    op: str
    inputs: tuple[int, ...]
    mistake: str
    words: str
    cost: float
    params: Mapping[str, Any] = field(default_factory=dict)
    respell: tuple[tuple[str, str], ...] = ()
    template: str = ""


def slips(name: str, shapes: Sequence[Shape], params: Mapping[str, Any]) -> Iterator[Slip]:
    """What may have been meant by an op, applied to inputs of these shapes."""
    if name in ("sum", "mean"):
        other = "mean" if name == "sum" else "sum"
        words = f"takes the {name} where the {other} belongs"
        same = {"axis": params["axis"], "keepdims": params["keepdims"]}
        yield Slip(other, (0,), "wrong-reduction", words, 0.6, same, ((rf"\b{name}\b", other),))
    if name in ("amax", "amin", "prod"):
        same = {"axis": params["axis"], "keepdims": params["keepdims"]}
        for other in ("sum", "amax", "amin"):
            if other != name:
                spelled = ((rf"\b{name.removeprefix('a')}\b", other.removeprefix("a")),)
                yield Slip(other, (0,), "wrong-reduction", "is another reduction than belongs here", 1.0, same, spelled)
    if name in ("sum", "mean", "amax", "amin", "prod", "norm", "logsumexp"):
        yield from _other_axes(name, shapes[0], params)
    if name in ("softmax", "log_softmax", "cumsum"):
        for axis in range(len(shapes[0])):
            if axis != params["axis"]:
                yield Slip(
                    name, (0,), "wrong-reduction", "runs over another axis than belongs here", 0.8, {"axis": axis},
                    _axis_text(axis),
                )  # fmt: skip
    if name == "matmul":
        yield Slip("matmul", (1, 0), "transpose", "has its two factors the wrong way round", 0.8)
        yield Slip("mul", (0, 1), "wrong-formula", "is a product of matrices where an elementwise one belongs", 1.0)
        if len(shapes[0]) == len(shapes[1]) == 1:
            yield Slip(
                "outer", (0, 1), "transpose", "is an inner product where the outer one belongs", 0.6,
                respell=((r"\bdot\b", "outer"), (r"^(.*?)\s*@\s*(.*)$", r"np.outer(\1, \2)")),
            )  # fmt: skip
    if name == "outer":
        yield Slip("outer", (1, 0), "transpose", "has its two factors the wrong way round", 0.7)
        if shapes[0] == shapes[1]:
            yield Slip(
                "matmul", (0, 1), "wrong-formula", "is an outer product where the inner one belongs", 0.9,
                respell=((r"\bouter\b", "dot"),),
            )  # fmt: skip
            yield Slip("mul", (0, 1), "wrong-formula", "is an outer product where an elementwise one belongs", 0.9)
    if name in _OPPOSITE:
        other, written, right = _OPPOSITE[name]
        spelled = ((written, right),)
        words = "holds where it should not, and the other way round"
        yield Slip(other, (0, 1), "wrong-formula", words, 0.7, {}, spelled)
    if name == "where" and shapes[1] == shapes[2]:
        yield Slip("where", (0, 2, 1), "wrong-formula", "has its two cases the wrong way round", 0.7)
    if name == "mul" and shapes[0] and shapes[1]:
        yield Slip("matmul", (0, 1), "wrong-formula", "is an elementwise product where one of matrices belongs", 0.9,
                   respell=((r"^(.*?)\s*\*\s*(.*)$", r"\1 @ \2"),))  # fmt: skip
        if len(shapes[0]) == len(shapes[1]) == 1:
            yield Slip("outer", (0, 1), "transpose", "is an elementwise product where the outer one belongs", 0.8,
                       respell=((r"^(.*?)\s*\*\s*(.*)$", r"np.outer(\1, \2)"),))  # fmt: skip


#: What is true where a comparison is not, and how the one is written for the other.
_OPPOSITE = {
    "gt": ("le", r">(?!=)", "<="), "le": ("gt", r"<=", ">"), "lt": ("ge", r"<(?!=)", ">="), "ge": ("lt", r">=", "<"),
    "eq": ("ne", r"==", "!="), "ne": ("eq", r"!=", "=="),
}  # fmt: skip


def _axis_text(axis: int) -> tuple[tuple[str, str], ...]:
    return (
        (r"\b(axis|dim)\s*=\s*-?\d+", rf"\1={axis}"),
        (r",\s*-?\d+\s*\)$", f", {axis})"),
        (r"\(\s*-?\d+\s*\)$", f"({axis})"),
        (r"\(\s*-?\d+\s*(,\s*\w+\s*=)", rf"({axis}\1"),
        (r",\s*-?\d+\s*(,\s*\w+\s*=)", rf", {axis}\1"),
    )


def _other_axes(name: str, shape: Shape, params: Mapping[str, Any]) -> Iterator[Slip]:
    """The same reduction over other axes, or with the other ``keepdims``."""
    every = range(len(shape))
    now = tuple(params["axis"])
    for count in range(1, len(shape) + 1):
        for axes in combinations(every, count):
            if axes == now:
                continue
            if len(axes) == 1:
                spelled = (*_axis_text(axes[0]), (r"\(\s*\)$", f"(axis={axes[0]})"), (r"\)$", f", axis={axes[0]})"))
            elif len(axes) == len(shape):
                spelled = ((r",?\s*\b(axis|dim)\s*=\s*(-?\d+|\([^)]*\))", ""),)
            else:
                spelled = (
                    (r"\b(axis|dim)\s*=\s*(-?\d+|\([^)]*\))", rf"\1={axes}"), (r"\(\s*\)$", f"(axis={axes})"),
                    (r"\)$", f", axis={axes})"),
                )  # fmt: skip
            yield Slip(
                name, (0,), "wrong-reduction", "is taken over another axis than belongs here", 0.7,
                {"axis": axes, "keepdims": params["keepdims"]}, spelled,
            )  # fmt: skip
    if now:
        keep = not params["keepdims"]
        more = ((r"\(\)$", "(keepdims=True)"), (r"\)$", ", keepdims=True)"))
        spelled = more if keep else ((r",?\s*keepdims\s*=\s*\w+", ""),)
        yield Slip(
            name, (0,), "wrong-shape", "gives another shape than belongs here", 0.7,
            {"axis": params["axis"], "keepdims": keep}, spelled,
        )  # fmt: skip


def around(shape: Shape) -> Iterator[Slip]:
    """What may have been left out around a value of this shape: a transpose, a sum."""
    rank = len(shape)
    # One axis moved past others: channels from the front to the end, and back.
    shifted = {
        (*rest[:b], a, *rest[b:]) for a in range(rank) for rest in [[k for k in range(rank) if k != a]]
        for b in range(rank)
    }  # fmt: skip
    for axes in permutations(range(rank)) if 2 <= rank <= MOST_AXES else ():
        moved = sum(a != n for n, a in enumerate(axes))
        turned = axes == tuple(reversed(range(rank)))
        if not moved or (moved > 2 and not turned and axes not in shifted):
            continue
        template = "{0}.T" if turned else "{0}.transpose(" + ", ".join(map(str, axes)) + ")"
        yield Slip(
            "transpose", (0,), "transpose", "is not transposed", 0.7 if turned else 0.9, {"axes": axes}, (), template
        )
    for count in sorted({1, rank - 1, rank} - {0}) if rank else ():
        for axes in combinations(range(rank), count):
            said = f"axis={axes[0]}" if count == 1 else "" if count == rank else f"axis={axes}"
            for keep in (False, True):
                more = ", ".join(part for part in (said, "keepdims=True" if keep else "") if part)
                params = {"axis": axes, "keepdims": keep}
                # A sum over one entry moves nothing: only the shape changes.
                size = math.prod(shape[a] for a in axes)
                mistake, words = (
                    ("wrong-shape", "has another shape than belongs here")
                    if size == 1
                    else ("missing-reduction", "is not summed over the axes along which it was broadcast")
                )
                yield Slip("sum", (0,), mistake, words, 0.7 + 0.02 * keep, params, (), f"{{0}}.sum({more})")
                if size > 1:
                    yield Slip(
                        "mean", (0,), "missing-reduction", "is not averaged over the axes that the mean was taken over",
                        1.0, params, (), f"{{0}}.mean({more})",
                    )  # fmt: skip


def products(other: Shape, value: Shape) -> Iterator[tuple[str, bool, bool, str]]:
    """Products with another array that may have been left out: op, whether that array comes first, whether it is
    transposed, and the text with ``{0}`` for what is written and ``{1}`` for the array."""
    turns = (True, False) if len(other) == 2 else (False,)
    for turn in turns:
        yield "matmul", True, turn, "{1} @ {0}"
        yield "matmul", False, turn, "{0} @ {1}"
    if len(other) == len(value) == 1:
        yield "outer", True, False, "np.outer({1}, {0})"
        yield "outer", False, False, "np.outer({0}, {1})"


def repeating(name: str, params: Mapping[str, Any]) -> str:
    """The op that adds where a written one stands, and differs from it where a place comes twice; empty if none can."""
    return "add_at" if name == "set" and may_repeat(params["spec"]) else ""


def averaged(name: str, shape: Shape, params: Mapping[str, Any]) -> int:
    """How many entries of an array go into each mean; 0 where an op takes none."""
    return math.prod(shape[a] for a in params["axis"]) if name == "mean" else 0


def is_same_place(value: str, read: str, read_params: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """``G[i] = G[i] + v``: what is added to is the very place that is written."""
    return (value, read) == ("add", "index") and moved(read_params["spec"], 1) == params["spec"]


def written(name: str) -> str:
    """The op that reads what this one writes; empty if it writes no part of an array."""
    return "index" if name == "set" else ""


def cases(name: str) -> tuple[int, ...]:
    """The operands of which an op takes one or the other, entry by entry."""
    return (1, 2) if name == "where" else ()


def is_place(name: str) -> bool:
    """The op reads a part of an array: another part may have been meant."""
    return name == "index"


def shifts(name: str, params: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """(item, by): another place in an array, one before or after the one that is read."""
    for n, item in enumerate(params["spec"] if is_place(name) else ()):
        if isinstance(item, int) or _is_slice(item):
            yield from ((n, -1), (n, 1))


def shifted(params: Mapping[str, Any], n: int, by: int) -> tuple[tuple[str, Any], ...]:
    """Parameters with one item of the place moved."""
    spec = list(params["spec"])
    item = spec[n]
    spec[n] = item + by if isinstance(item, int) else ("slice", item[1] + by, item[2] + by, item[3])
    return (("spec", tuple(spec)),)


def is_within(shape: Shape, wide: Shape) -> bool:
    """An array of one shape is spread over another one."""
    same = zip(reversed(shape), reversed(wide), strict=False)
    return len(shape) <= len(wide) and all(n in (1, m) for n, m in same)


def _is_slice(item: Any) -> bool:
    return isinstance(item, tuple) and item[0] == "slice" and item[1] is not None and item[2] is not None


#: Functions of derivatives that no library has under one argument, as a person writes them.
PLAINLY = {"heaviside": "({} > 0)"}
