"""Which lengths would have to be equal for an op to work on arrays that do not fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Ops of which the shapes alone do not tell.
_UNCLEAR = frozenset({"einsum", "reshape", "index", "transpose"})


def misfits(
    op: str, shapes: Sequence[tuple[int, ...]], params: Mapping[str, Any] | None = None
) -> list[tuple[int, int]]:
    """Pairs of lengths that would have to be equal for the operation to work."""
    if op == "concatenate":
        axis = int((params or {}).get("axis", 0))
        first = shapes[0]
        rest = [s for s in shapes[1:] if len(s) == len(first)]
        return [(a, b) for s in rest for n, (a, b) in enumerate(zip(first, s, strict=True)) if n != axis and a != b]
    if op == "matmul" and len(shapes) == 2 and all(shapes):
        a, b = shapes
        left, right = a[-1], b[-2] if len(b) > 1 else b[0]
        return [(left, right)] if left != right else []
    if op in _UNCLEAR:
        return []
    out = []
    known = [s for s in (*shapes[:2], *([tuple((params or {})["shape"])] if op == "broadcast_to" else [])) if s]
    if len(known) == 2:
        for m, n in zip(reversed(known[0]), reversed(known[1]), strict=False):
            if m != n and 1 not in (m, n):
                out.append((m, n))
    return out
