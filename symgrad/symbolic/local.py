"""The symbolic witness of the table's rules: what SymPy says each local derivative is."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from symgrad.ops import OPS, Op, Rule
from symgrad.symbolic.named import placeholder, slope
from symgrad.symbolic.reading import from_sympy, replay


def local_derivative(op: Op, index: int) -> Rule | None:
    """A rule ``(m, y, *x) -> d op / d input index``, by SymPy's own differentiation of the op's definition.

    Nothing of ``op.partials`` is used. ``None`` where SymPy has no derivative (by the order of polygamma), or where
    the op is constant between jumps; as in the table.
    """
    return _rule(op.name, index)


@cache
def _rule(name: str, index: int) -> Rule | None:
    found = slope(name, index)
    if found is None or found.is_zero:
        return None
    names = [f"x{i}" for i in range(OPS[name].arity)]
    plain = found.xreplace({placeholder(i): sp.Symbol(n, real=True) for i, n in enumerate(names)})
    template = from_sympy(plain, names)

    def rule(m: Any, _output: Any, *x: Any) -> Any:
        return replay(template, m, x)

    return rule
