"""Products of arrays: matmul, outer and einsum; inverses, determinants and linear systems.

dot, inner and tensordot are composed of these in ``library.py``. The rules for inv, solve and det are those of
Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.graph import Param
from symgrad.ops.arithmetic import PRODUCT, UNARY
from symgrad.ops.base import Infix
from symgrad.ops.shapes import operand
from symgrad.ops.tensor import Shape, ShapeError, broadcast, declare, objects, shape_of

# --- matmul ---------------------------------------------------------------------------------------------------------


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    """Vectors, matrices, and stacks of matrices, as NumPy's ``@``."""
    if not a or not b:
        raise ShapeError(f"@ of shapes {a} and {b}: it multiplies vectors and matrices, * multiplies by a number")
    inner, other = a[-1], b[-2] if len(b) > 1 else b[0]
    if inner != other:
        raise ShapeError(f"@ of shapes {a} and {b}: the inner lengths {inner} and {other} differ")
    try:
        batch = broadcast(a[:-2], b[:-2])
    except ShapeError:
        raise ShapeError(f"@ of shapes {a} and {b}: the stacks {a[:-2]} and {b[:-2]} do not fit") from None
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def turned(m: Any, x: Any) -> Any:
    """Each matrix of a stack transposed."""
    rank = len(shape_of(x))
    return m.transpose(x, axes=(*range(rank - 2), rank - 1, rank - 2))


def _column(m: Any, x: Any) -> Any:
    return m.reshape(x, shape=(*shape_of(x), 1))


def _row(m: Any, x: Any) -> Any:
    shape = shape_of(x)
    return m.reshape(x, shape=(*shape[:-1], 1, shape[-1]))


def _left(m: Any, g: Any, y: Any, a: Any, b: Any) -> Any:
    """dA = dY B^T; where one of them is a vector, the sum or outer product that this comes to."""
    rank_a, rank_b = len(shape_of(a)), len(shape_of(b))
    if rank_b == 1:
        if rank_a == 1:
            return g * b
        return m.outer(g, b) if rank_a == 2 else _column(m, g) * b
    if rank_a == 1:
        if rank_b == 2:
            return m.matmul(b, g)
        return m.reshape(m.matmul(b, _column(m, g)), shape=(*shape_of(g)[:-1], shape_of(b)[-2]))
    return m.matmul(g, turned(m, b))


def _right(m: Any, g: Any, y: Any, a: Any, b: Any) -> Any:
    """dB = A^T dY."""
    rank_a, rank_b = len(shape_of(a)), len(shape_of(b))
    if rank_a == 1:
        if rank_b == 1:
            return g * a
        return m.outer(a, g) if rank_b == 2 else _column(m, a) * _row(m, g)
    if rank_b == 1:
        return m.matmul(turned(m, a), g) if rank_a == 2 else a * _column(m, g)
    return m.matmul(turned(m, a), g)


def _product(np: Any, a: Any, b: Any) -> Any:
    # The inner loop of objects cannot make the sum of nothing.
    if a.dtype == object and a.shape[-1] == 0:
        return np.zeros(_matmul_shape(a.shape, b.shape), dtype=object)
    return np.matmul(a, b)


declare(
    "matmul", 2, vjp=(_left, _right), shape=_matmul_shape, run=_product, torch=lambda t, a, b: t.matmul(a, b),
    numpy="numpy.matmul", latex="{0} {1}", infix=Infix("@", PRODUCT, PRODUCT, UNARY),
    examples=(
        (((2, 3), (3, 4)), {}), (((3,), (3,)), {}), (((3,), (3, 4)), {}), (((2, 3), (3,)), {}),
        (((5, 2, 3), (3, 4)), {}), (((5, 2, 3), (5, 3, 4)), {}), (((3,), (5, 3, 4)), {}), (((5, 2, 3), (3,)), {}),
    ),
)  # fmt: skip

# --- outer ----------------------------------------------------------------------------------------------------------


def _outer_shape(a: Shape, b: Shape) -> Shape:
    if len(a) != 1 or len(b) != 1:
        raise ShapeError(f"outer of shapes {a} and {b}: it needs two vectors")
    return (*a, *b)


def _set_outer(x: Sequence[str], params: Mapping[str, Any]) -> str:
    """Of two columns: ``u v^T``."""
    return f"{_factor(x[0])} {operand(x[1])}^{{\\top}}"


def _factor(text: str) -> str:
    return text if " + " not in text and " - " not in text else f"\\left({text}\\right)"


declare(
    "outer", 2, vjp=(lambda m, g, y, a, b: m.matmul(g, b), lambda m, g, y, a, b: m.matmul(a, g)),
    shape=_outer_shape, run=lambda np, a, b: np.outer(a, b), torch=lambda t, a, b: t.outer(a, b),
    numpy="numpy.outer", typeset=_set_outer, examples=((((2,), (3,)), {}),),
)  # fmt: skip

# --- einsum ---------------------------------------------------------------------------------------------------------


def _split(spec: str) -> tuple[list[str], str]:
    left, _, right = spec.partition("->")
    return left.split(","), right


def _lengths(shapes: Sequence[Shape], spec: str) -> dict[str, int]:
    """The length of each letter.

    Raises:
        ShapeError: a letter stands for axes of different lengths, or the number of axes is another.
    """
    lengths: dict[str, int] = {}
    parts, result = _split(spec)
    given = " and ".join(map(str, shapes))
    if len(parts) != len(shapes):
        raise ShapeError(f"einsum '{spec}' of shapes {given}: it names {len(parts)} arrays, there are {len(shapes)}")
    for letters, shape in zip(parts, shapes, strict=True):
        if len(letters) != len(shape):
            raise ShapeError(f"einsum '{spec}' of shapes {given}: '{letters}' does not fit shape {shape}")
        for letter, n in zip(letters, shape, strict=True):
            known = lengths.get(letter, 1)
            if n != 1 and known not in (1, n):
                raise ShapeError(f"einsum '{spec}' of shapes {given}: '{letter}' is both {known} and {n}")
            lengths[letter] = n if known == 1 else known
    unknown = sorted(set(result) - set(lengths))
    if unknown:
        raise ShapeError(f"einsum '{spec}' of shapes {given}: no array has the axis '{unknown[0]}' of the result")
    return lengths


def _explicit(*shapes: Shape, spec: Any) -> dict[str, Param]:
    """A specification with ``->``, without blanks and ``...``, and with no letter twice in one array.

    A diagonal (``ii``) is taken before this op, by :func:`symgrad.ops.library.einsum`.
    """
    text = str(spec).replace(" ", "")
    parts, result = _split(text)
    if "." in text or any(len(set(p)) < len(p) for p in (*parts, result)):
        raise ShapeError(f"einsum '{spec}': not in the form that the graph holds")
    if "->" not in text:
        letters = "".join(parts)
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    full = f"{','.join(parts)}->{result}"
    _lengths(shapes, full)
    return {"spec": full}


def _einsum_shape(*shapes: Shape, spec: str) -> Shape:
    lengths = _lengths(shapes, spec)
    return tuple(lengths[c] for c in _split(spec)[1])


def _einsum_pull(m: Any, g: Any, y: Any, *x: Any, index: int, spec: str) -> Any:
    """The same product with the cotangent in the place of input ``index``.

    Letters that only this input has were summed over: the cotangent is the same at each of their places.
    """
    parts, result = _split(spec)
    lengths = _lengths([shape_of(v) for v in x], spec)
    others = [p for n, p in enumerate(parts) if n != index]
    mine = parts[index]
    known = set(result).union(*others)
    kept = "".join(c for c in mine if c in known)
    found = m.einsum(g, *(v for n, v in enumerate(x) if n != index), spec=f"{','.join([result, *others])}->{kept}")
    if kept == mine:
        return found
    ones = m.reshape(found, shape=tuple(shape_of(found)[kept.index(c)] if c in kept else 1 for c in mine))
    return m.broadcast_to(ones, shape=tuple(
        shape_of(ones)[i] if c in kept else lengths[c] for i, c in enumerate(mine)
    ))  # fmt: skip


def _torch_einsum(t: Any, *x: Any, spec: str) -> Any:
    # Letters of torch must be a-z and A-Z, as NumPy's are.
    return t.einsum(spec, *x)


def _run_einsum(np: Any, *x: Any, spec: str) -> Any:
    # The product of two arrays is best done by matmul; of objects, and of one or three, as it stands.
    fast = len(x) > 1 and all(v.dtype == np.float64 and v.size for v in x)
    return np.einsum(spec, *x, optimize=fast)


def _set_einsum(x: Sequence[str], params: Mapping[str, Any]) -> str:
    parts, result = _split(str(params["spec"]))
    summed = sorted(set("".join(parts)) - set(result))
    terms = " ".join(f"\\left({text}\\right)_{{{p}}}" if p else text for text, p in zip(x, parts, strict=True))
    return f"\\sum_{{{','.join(summed)}}} {terms}" if summed else terms


def _identity(*shapes: Shape, spec: str) -> bool:
    parts, result = _split(spec)
    return len(parts) == 1 and parts[0] == result


declare(
    "einsum", 1, variadic=True, vjp=(_einsum_pull,), settle=_explicit, shape=_einsum_shape, run=_run_einsum,
    torch=_torch_einsum, numpy="numpy.einsum", typeset=_set_einsum, trivial=_identity,
    text=lambda p, s: f"einsum('{p['spec']}', {', '.join(f'{{{i}}}' for i in range(len(s)))})",
    examples=(
        (((2, 3), (3, 4)), {"spec": "ij,jk->ik"}), (((2, 3),), {"spec": "ij->j"}),
        (((5, 2, 3), (5, 3)), {"spec": "bij,bj"}),
        (((2, 3), (3, 4), (4, 2)), {"spec": "ij,jk,kl->il"}), (((2,), (3,)), {"spec": "i,j->ji"}),
    ),
)  # fmt: skip

# --- inverse, systems, determinants ---------------------------------------------------------------------------------


def _square(what: str) -> Any:
    def settle(*shapes: Shape) -> dict[str, Param]:
        a = shapes[0]
        if len(a) < 2 or a[-1] != a[-2]:
            raise ShapeError(f"{what} needs a square matrix; here is shape {a}")
        return {}

    return settle


def _solve_shape(a: Shape, b: Shape) -> Shape:
    if len(b) < 2:
        if len(b) != 1 or len(a) != 2 or b[0] != a[-1]:
            raise ShapeError(f"solve of shapes {a} and {b}: the right side must have {a[-1]} rows")
        return b
    if b[-2] != a[-1]:
        raise ShapeError(f"solve of shapes {a} and {b}: the right side must have {a[-1]} rows")
    return (*broadcast(a[:-2], b[:-2], what="solve"), *b[-2:])


def _solve_left(m: Any, g: Any, y: Any, a: Any, b: Any) -> Any:
    back = m.solve(turned(m, a), g)
    return -(m.outer(back, y) if len(shape_of(b)) == 1 else m.matmul(back, turned(m, y)))


def _size(entry: Any) -> float:
    """How good a pivot it is: symbols are all alike."""
    try:
        return abs(float(entry))
    except TypeError:
        return 1.0


def _eliminate(a: Any, b: Any) -> Any:
    """Gaussian elimination with the largest pivot, on objects: balls, or SymPy's rationals.

    Works on one matrix; returns the solution and the determinant.
    """
    import numpy as np

    n = a.shape[0]
    a, b, determinant = a.copy(), b.copy(), None
    for c in range(n):
        pivot = max(range(c, n), key=lambda r: _size(a[r, c]))
        sign = 1
        if pivot != c:
            a[[c, pivot]], b[[c, pivot]], sign = a[[pivot, c]], b[[pivot, c]], -1
        determinant = a[c, c] * sign if determinant is None else determinant * a[c, c] * sign
        for r in range(c + 1, n):
            factor = a[r, c] / a[c, c]
            a[r] = a[r] - factor * a[c]
            b[r] = b[r] - factor * b[c]
    out = np.empty_like(b)
    for c in reversed(range(n)):
        rest = b[c]
        for r in range(c + 1, n):
            rest = rest - a[c, r] * out[r]
        out[c] = rest / a[c, c]
    return out, determinant


def _each_matrix(a: Any, b: Any) -> tuple[Any, Any]:
    """:func:`_eliminate` over a stack; ``b`` has matrices too."""
    import numpy as np

    batch = broadcast(a.shape[:-2], b.shape[:-2])
    left = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    right = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    out, dets = np.empty(right.shape, dtype=object), np.empty(batch, dtype=object)
    for place in np.ndindex(batch):
        out[place], dets[place] = _eliminate(left[place], right[place])
    return out, dets


def _objects_solve(a: Any, b: Any) -> Any:
    import numpy as np

    left, right = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
    column = right[:, None] if right.ndim == 1 else right
    return objects(_each_matrix(left, column)[0].reshape(_solve_shape(left.shape, right.shape)))


def _unit(a: Any) -> Any:
    """The identity matrix in the entries' own numbers."""
    import numpy as np

    zero = a.flat[0] * 0
    return np.array([[zero + int(i == j) for j in range(a.shape[-1])] for i in range(a.shape[-1])], dtype=object)


def _objects_inverse(a: Any) -> Any:
    import numpy as np

    left = np.asarray(a, dtype=object)
    return objects(_each_matrix(left, _unit(left))[0]) if left.size else left


def _objects_determinant(a: Any) -> Any:
    import numpy as np

    left = np.asarray(a, dtype=object)
    return objects(_each_matrix(left, _unit(left))[1])


declare(
    "inv", 1, vjp=(lambda m, g, y, a: -m.matmul(m.matmul(turned(m, y), g), turned(m, y)),), settle=_square("inv"),
    shape=lambda a: a, run=lambda np, a: np.linalg.inv(a), torch=lambda t, a: t.linalg.inv(a),
    enclose=_objects_inverse, sympy=_objects_inverse, numpy="numpy.linalg.inv", latex="\\left({0}\\right)^{{-1}}",
    examples=((((3, 3),), {}), (((2, 2, 2),), {})), ulp=64.0,
)  # fmt: skip
declare(
    "solve", 2, vjp=(_solve_left, lambda m, g, y, a, b: m.solve(turned(m, a), g)), settle=_square("solve"),
    shape=_solve_shape, run=lambda np, a, b: np.linalg.solve(a, b), torch=lambda t, a, b: t.linalg.solve(a, b),
    enclose=_objects_solve, sympy=_objects_solve, numpy="numpy.linalg.solve",
    latex="\\left({0}\\right)^{{-1}} {1}", examples=((((3, 3), (3,)), {}), (((3, 3), (3, 2)), {})), ulp=64.0,
)  # fmt: skip
declare(
    "det", 1,
    vjp=(lambda m, g, y, a: m.reshape(g * y, shape=(*shape_of(y), 1, 1)) * turned(m, m.inv(a)),),
    settle=_square("det"), shape=lambda a: a[:-2], run=lambda np, a: np.linalg.det(a),
    torch=lambda t, a: t.linalg.det(a), enclose=_objects_determinant, sympy=_objects_determinant,
    numpy="numpy.linalg.det", latex="\\det\\left({0}\\right)", examples=((((3, 3),), {}), (((2, 2, 2),), {})), ulp=64.0,
)  # fmt: skip
