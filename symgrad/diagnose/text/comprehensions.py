"""Sums over comprehensions, as they are written: ``sum(e*d for e, d in zip(errors, slopes))``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: What adds up what it is given.
_SUMS = ("sum", "fsum")


@dataclass(frozen=True, slots=True)
class Summed:
    """What is added up: the expression of one element, and the lists that its variables run through, by variable."""

    element: ast.expr
    lists: Mapping[str, str]


def summed(node: ast.AST | None) -> Summed | None:
    """What a call adds up, if that is what a comprehension makes."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    made = node.args[0]
    if function not in _SUMS or not isinstance(made, ast.GeneratorExp | ast.ListComp):
        return None
    loop = made.generators[0]
    plain = len(made.generators) == 1 and not loop.ifs
    return Summed(made.elt, dict(_lists(loop.target, loop.iter)) if plain else {})


def local_names(node: ast.AST) -> set[str]:
    """The variables that the comprehensions within something run through: nobody else can read them."""
    loops = (n for n in ast.walk(node) if isinstance(n, ast.comprehension))
    return {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}


def _lists(target: ast.expr, source: ast.expr) -> Iterator[tuple[str, str]]:
    """The variables of a loop, each with the list that it runs through from its beginning."""
    if isinstance(target, ast.Name) and isinstance(source, ast.Name | ast.Attribute):
        yield target.id, ast.unparse(source)
    if not isinstance(target, ast.Tuple) or not isinstance(source, ast.Call) or not isinstance(source.func, ast.Name):
        return
    if source.func.id == "zip" and len(source.args) == len(target.elts):
        for one, arg in zip(target.elts, source.args, strict=True):
            yield from _lists(one, arg)
    if source.func.id == "enumerate" and len(target.elts) == 2 and len(source.args) == 1:
        yield from _lists(target.elts[1], source.args[0])


__all__ = ["Summed", "local_names", "summed"]
