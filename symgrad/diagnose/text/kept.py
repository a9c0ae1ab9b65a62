"""What is put together under some names, and taken apart under the same: ``cache = (x, w)``, ``x, w = cache``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence


def put_together(nodes: Iterable[ast.AST]) -> list[list[str]]:
    """The names in every ``save_for_backward(x, w)`` and ``cache = (x, w)`` of a text, in their order."""
    out = []
    for node in nodes:
        if isinstance(node, ast.Call):
            given = node.args
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
            given = node.elts
        else:
            continue
        names = [n.id for n in given if isinstance(n, ast.Name)]
        if len(given) > 1 and len(names) == len(given):
            out.append(names)
    return out


def is_as_kept(target: ast.Tuple, kept: Sequence[list[str]]) -> bool:
    """The names of ``x, w = cache`` are put together in this order somewhere, and in no other one: it is right."""
    names = [n.id for n in target.elts if isinstance(n, ast.Name)]
    same = [some for some in kept if sorted(some) == sorted(names)]
    return len(names) == len(target.elts) and bool(same) and all(some == names for some in same)
