"""Ops that only move numbers about: reshaping, transposing, repeating, joining, padding, diagonals.

Each is linear, and its vjp is the rearrangement backwards. What NumPy and torch offer beyond these (squeeze, stack,
split, tile, flip, roll, moveaxis, ...) is composed of them in ``library.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.ops.tensor import Shape, ShapeError, declare, shape_of

#: How an index takes an axis whole.
WHOLE = ("slice", None, None, None)


def one_axis(axis: Any, rank: int, what: str, shape: Shape) -> int:
    """An axis counted from the front.

    Raises:
        ShapeError: there is no such axis.
    """
    n = int(axis)
    if not -rank <= n < rank:
        axes = "no axes" if rank == 0 else "1 axis" if rank == 1 else f"{rank} axes"
        raise ShapeError(f"{what} over axis {n} of shape {shape}, which has {axes}")
    return n % rank if rank else 0


def some_axes(axis: Any, shape: Shape, what: str) -> tuple[int, ...]:
    """Axes counted from the front, in order; ``None`` is all of them.

    Raises:
        ShapeError: one is not there, or given twice.
    """
    rank = len(shape)
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    if not rank and axis in (0, -1):  # NumPy's sums and torch take it for a number
        return ()
    out = tuple(sorted(one_axis(a, rank, what, shape) for a in given))
    if len(set(out)) < len(out):
        raise ShapeError(f"{what} over axes {tuple(int(a) for a in given)} of shape {shape}: an axis is given twice")
    return out


# --- reshape --------------------------------------------------------------------------------------------------------


def _new_shape(x: Shape, *, shape: Any) -> dict[str, Any]:
    """One length may be -1: it is what is left over."""
    wanted = [int(n) for n in shape] if isinstance(shape, tuple | list) else [int(shape)]
    size = math.prod(x)
    if wanted.count(-1) == 1:
        rest = math.prod(n for n in wanted if n != -1)
        if rest and size % rest == 0:
            wanted[wanted.index(-1)] = size // rest
    if any(n < 0 for n in wanted) or math.prod(wanted) != size:
        given = tuple(int(n) for n in shape) if isinstance(shape, tuple | list) else int(shape)
        raise ShapeError(f"reshape of shape {x} ({size} numbers) to {given}: that is another number of entries")
    return {"shape": tuple(wanted)}


def flat(shape: Shape) -> Shape:
    """What is made flat is so whatever its size is: that of ``np.outer`` is not written down."""
    return (-1,) if len(shape) == 1 else shape


declare(
    "reshape", 1, uniform=True, vjp=(lambda m, g, y, x, shape: m.reshape(g, shape=shape_of(x)),),
    settle=_new_shape, shape=lambda x, shape: shape, trivial=lambda x, shape: x == shape,
    write=lambda m, v, x, shape: m.reshape(v, shape=shape_of(x)),
    run=lambda np, x, shape: np.reshape(x, flat(shape)), torch=lambda t, x, shape: t.reshape(x, shape),
    numpy="numpy.reshape", text=lambda p, s: f"{{0}}.reshape{p['shape']}",
    typeset=lambda x, p: f"\\operatorname{{reshape}}_{{{times(p['shape'])}}}\\left({x[0]}\\right)",
    examples=(((((2, 3, 4)),), {"shape": (4, -1)}), (((6,),), {"shape": (2, 3)})),
)  # fmt: skip


def times(shape: Shape) -> str:
    """A shape in LaTeX: ``3 \\times 4``."""
    return " \\times ".join(map(str, shape)) if shape else "1"


# --- transpose ------------------------------------------------------------------------------------------------------


def _permutation(x: Shape, *, axes: Any = None) -> dict[str, Any]:
    """``None`` turns the axes round."""
    rank = len(x)
    if axes is None:
        return {"axes": tuple(reversed(range(rank)))}
    out = tuple(one_axis(a, rank, "transpose", x) for a in axes)
    if sorted(out) != list(range(rank)):
        raise ShapeError(f"transpose of shape {x} by axes {tuple(int(a) for a in axes)}: each axis is needed once")
    return {"axes": out}


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axes.index(i) for i in range(len(axes)))


def _transposed(x: Sequence[str], params: Mapping[str, Any]) -> str:
    axes = params["axes"]
    if axes == (1, 0):
        return f"{operand(x[0])}^{{\\top}}"
    return f"\\operatorname{{permute}}_{{{','.join(map(str, axes))}}}\\left({x[0]}\\right)"


def operand(text: str) -> str:
    """Set in parentheses where an exponent would bind to a part of it only."""
    simple = text.replace("\\", "").replace("{", "").replace("}", "").replace("_", "").isalnum()
    return text if simple else f"\\left({text}\\right)"


declare(
    "transpose", 1, uniform=True,
    vjp=(lambda m, g, y, x, axes: m.transpose(g, axes=_inverse(axes)),),
    write=lambda m, v, x, axes: m.transpose(v, axes=_inverse(axes)),
    settle=_permutation, shape=lambda x, axes: tuple(x[a] for a in axes),
    trivial=lambda x, axes: axes == tuple(range(len(x))),
    run=lambda np, x, axes: np.transpose(x, axes), torch=lambda t, x, axes: t.permute(x, axes),
    numpy="numpy.transpose", typeset=_transposed,
    text=lambda p, s: "{0}.T" if p["axes"] == tuple(range(len(s[0])))[::-1] else f"transpose({{0}}, {p['axes']})",
    examples=((((2, 3),), {}), (((2, 3, 4),), {"axes": (1, 2, 0)})),
)  # fmt: skip

# --- broadcasting ---------------------------------------------------------------------------------------------------


def _wider(x: Shape, *, shape: Any) -> dict[str, Any]:
    wanted = tuple(int(n) for n in shape) if isinstance(shape, tuple | list) else (int(shape),)
    if len(wanted) < len(x) or any(a not in (1, b) for a, b in zip(reversed(x), reversed(wanted), strict=False)):
        raise ShapeError(f"broadcast of shape {x} to {wanted}: each length must be 1 or stay")
    return {"shape": wanted}


# Summing back to the shape of x is done for every op in backward.py.
declare(
    "broadcast_to", 1, uniform=True, vjp=(lambda m, g, y, x, shape: g,),
    settle=_wider, shape=lambda x, shape: shape, trivial=lambda x, shape: x == shape,
    run=lambda np, x, shape: np.broadcast_to(x, shape), torch=lambda t, x, shape: t.broadcast_to(x, shape),
    numpy="numpy.broadcast_to", text=lambda p, s: f"broadcast_to({{0}}, {p['shape']})",
    typeset=lambda x, p: f"\\operatorname{{broadcast}}_{{{times(p['shape'])}}}\\left({x[0]}\\right)",
    examples=((((3,),), {"shape": (2, 3)}), (((2, 1),), {"shape": (4, 2, 3)}), (((),), {"shape": (2, 2)})),
)  # fmt: skip


def _iota(np: Any, shape: Shape) -> Any:
    return np.arange(math.prod(shape), dtype=np.float64).reshape(shape)


# The numbers 0, 1, 2, ... in an array: no derivative flows into it. It tells apart the entries of another array.
declare(
    "iota", 0, vjp=(), settle=lambda *, shape: {"shape": tuple(shape)}, shape=lambda shape: shape,
    run=_iota, torch=lambda t, shape: t.arange(math.prod(shape)).reshape(shape), numpy="numpy.arange",
    latex="\\operatorname{{iota}}", examples=(((), {"shape": (2, 3)}),),
)  # fmt: skip

# --- joining --------------------------------------------------------------------------------------------------------


def _join_axis(*shapes: Shape, axis: Any = 0) -> dict[str, Any]:
    rank = len(shapes[0])
    given = " and ".join(map(str, shapes))
    if any(len(s) != rank for s in shapes):
        raise ShapeError(f"concatenate of shapes {given}: they have different numbers of axes")
    if not rank:
        raise ShapeError("concatenate of numbers that have no axes")
    n = one_axis(axis, rank, "concatenate", shapes[0])
    if any(s[:n] + s[n + 1 :] != shapes[0][:n] + shapes[0][n + 1 :] for s in shapes):
        raise ShapeError(f"concatenate of shapes {given} along axis {n}: the other axes differ")
    return {"axis": n}


def _alike(*shapes: Shape) -> dict[str, Any]:
    if any(s != shapes[0] for s in shapes):
        raise ShapeError(f"stack of shapes {', '.join(str(s) for s in shapes)}: they differ")
    return {}


def _cut(m: Any, g: Any, y: Any, *x: Any, index: int, axis: int) -> Any:
    """The part of the cotangent that belongs to input ``index``."""
    start = sum(shape_of(v)[axis] for v in x[:index])
    stop = start + shape_of(x[index])[axis]
    return m.index(g, spec=(*(WHOLE,) * axis, ("slice", start, stop, None)))


declare(
    "concatenate", 1, variadic=True, vjp=(_cut,), settle=_join_axis,
    shape=lambda *shapes, axis: (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]),
    run=lambda np, *x, axis: np.concatenate(x, axis), torch=lambda t, *x, axis: t.cat(x, axis),
    numpy="numpy.concatenate",
    text=lambda p, s: f"concatenate([{', '.join(f'{{{i}}}' for i in range(len(s)))}], axis={p['axis']})",
    typeset=lambda x, p: "\\left[" + " \\mid ".join(x) + f"\\right]_{{{p['axis']}}}",
    examples=((((2, 3), (2, 1), (2, 3)), {"axis": 1}), (((3,),), {}), (((1, 2), (2, 2)), {"axis": -2})),
)  # fmt: skip

# Many values of one shape, one behind the other along a new first axis: what many writes into an array write.
declare(
    "stack", 1, variadic=True, vjp=(lambda m, g, y, *x, index: m.index(g, spec=(index,)),), settle=_alike,
    shape=lambda *shapes: (len(shapes), *shapes[0]), run=lambda np, *x: np.stack(x), torch=lambda t, *x: t.stack(x),
    numpy="numpy.stack", text=lambda p, s: f"stack([{', '.join(f'{{{i}}}' for i in range(len(s)))}])",
    typeset=lambda x, p: "\\left[" + ";\\ ".join(x) + "\\right]",
    examples=((((), (), ()), {}), (((2, 3), (2, 3)), {}), (((0,),), {})),
)  # fmt: skip

# --- padding with zeros ---------------------------------------------------------------------------------------------


def _widths(x: Shape, *, widths: Any) -> dict[str, Any]:
    """``((before, after), ...)``, one pair per axis."""
    pairs = tuple((int(a), int(b)) for a, b in widths)
    if len(pairs) != len(x) or any(n < 0 for pair in pairs for n in pair):
        raise ShapeError(f"pad of shape {x} by {pairs}: it takes one pair of widths for each axis, none negative")
    return {"widths": pairs}


declare(
    "pad", 1,
    vjp=(lambda m, g, y, x, widths: m.index(
        g, spec=tuple(("slice", a, a + n, None) for n, (a, _) in zip(shape_of(x), widths, strict=True))),),
    settle=_widths, shape=lambda x, widths: tuple(a + n + b for n, (a, b) in zip(x, widths, strict=True)),
    trivial=lambda x, widths: not any(map(any, widths)),
    run=lambda np, x, widths: np.pad(x, widths) if widths else x,
    torch=lambda t, x, widths: t.nn.functional.pad(x, [n for pair in reversed(widths) for n in pair]),
    numpy="numpy.pad", latex="\\operatorname{{pad}}\\left({0}\\right)",
    examples=((((2, 3),), {"widths": ((1, 0), (0, 2))}), (((3,),), {"widths": ((2, 2),)})),
)  # fmt: skip

# --- diagonals and triangles ----------------------------------------------------------------------------------------


def _vector_k(x: Shape, *, k: Any = 0) -> dict[str, Any]:
    if len(x) != 1:
        raise ShapeError(f"diag makes a matrix of a vector; here is shape {x}")
    return {"k": int(k)}


def _matrix_k(what: str) -> Any:
    def settle(x: Shape, *, k: Any = 0) -> dict[str, Any]:
        if len(x) < 2:
            raise ShapeError(f"{what} needs a matrix; here is shape {x}")
        if what == "diagonal" and int(k) and not -x[-2] < int(k) < x[-1]:
            raise ShapeError(f"diagonal {int(k)} of shape {x}: there is none")
        return {"k": int(k)}

    return settle


def _diagonal_length(rows: int, columns: int, k: int) -> int:
    return max(min(rows + min(k, 0), columns - max(k, 0)), 0)


def _diagonal_spec(length: int, k: int) -> tuple[Any, ...]:
    rows = tuple(range(max(-k, 0), max(-k, 0) + length))
    columns = tuple(range(max(k, 0), max(k, 0) + length))
    return ("...", ("ints", (length,), rows), ("ints", (length,), columns))


def _on_diagonal(m: Any, g: Any, y: Any, x: Any, k: int) -> Any:
    """Zeros with the cotangent on the diagonal."""
    nothing = m.broadcast_to(m.constant(0), shape=shape_of(x))
    return m.set(nothing, g, spec=_diagonal_spec(shape_of(y)[-1], k))


declare(
    "diag", 1, vjp=(lambda m, g, y, x, k: m.diagonal(g, k=k),), settle=_vector_k,
    shape=lambda x, k: (x[0] + abs(k),) * 2,
    run=lambda np, x, k: np.diag(x, k), torch=lambda t, x, k: t.diag(x, k), numpy="numpy.diag",
    latex="\\operatorname{{diag}}\\left({0}\\right)", examples=((((3,),), {}), (((2,),), {"k": -1})),
)  # fmt: skip
declare(
    "diagonal", 1, vjp=(_on_diagonal,), settle=_matrix_k("diagonal"),
    shape=lambda x, k: (*x[:-2], _diagonal_length(x[-2], x[-1], k)),
    run=lambda np, x, k: np.diagonal(x, k, -2, -1), torch=lambda t, x, k: t.diagonal(x, k, -2, -1),
    numpy="numpy.diagonal", latex="\\operatorname{{diagonal}}\\left({0}\\right)",
    examples=((((3, 4),), {}), (((2, 3, 3),), {"k": 1}), (((4, 2),), {"k": -1})),
)  # fmt: skip

for _name, _side in (("triu", 1), ("tril", -1)):
    # Entries beyond the k-th diagonal are replaced by 0, those of the cotangent too.
    declare(
        _name, 1, vjp=(lambda m, g, y, x, k, name=_name: getattr(m, name)(g, k=k),), settle=_matrix_k(_name),
        shape=lambda x, k: x, run=lambda np, x, k, name=_name: getattr(np, name)(x, k),
        torch=lambda t, x, k, name=_name: getattr(t, name)(x, k), numpy=f"numpy.{_name}",
        latex=f"\\operatorname{{{{{_name}}}}}\\left({{0}}\\right)",
        examples=((((3, 4),), {}), (((2, 3, 3),), {"k": _side}), (((4, 2),), {"k": -_side})),
    )  # fmt: skip
