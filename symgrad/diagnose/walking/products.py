"""What stands in the products of a line: a factor that is written twice, one that is divided by."""

from __future__ import annotations

from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import Line
from symgrad.ops import OPS, sign_of


def is_twice(line: Line, node: int, slot: int) -> bool:
    """The factor in one slot of a product is written in the other one as well: ``x*(1 - a)*(1 - a)``."""
    inputs = line.graph.steps[node].inputs
    factor, todo = line.values(inputs[slot]), [inputs[1 - slot]]
    while todo:
        i = todo.pop()
        step = line.graph.steps[i]
        if not step.is_const and line.values(i).same(factor):
            return True
        if not line.is_stop(i) and sign_of(step.op) in ("*", "/"):
            todo += step.inputs
    return False


def divides(line: Line, node: int, factor: Vec) -> bool:
    """A product divides by a value, or by a power of it."""
    todo = [(node, False)]
    while todo:
        i, below = todo.pop()
        step = line.graph.steps[i]
        if below and line.values(i).same(factor):
            return True
        infix = None if step.is_leaf or (i != line.root and line.is_stop(i)) else OPS[step.op].infix
        if infix is None or infix.symbol in ("+", "-"):
            if infix is not None and infix.prefix:
                todo.append((step.inputs[0], below))
            continue
        todo.append((step.inputs[0], below))
        if infix.symbol in "*/" and not infix.prefix:
            todo.append((step.inputs[1], below != (infix.symbol == "/")))
    return False


def is_written(line: Line, node: int, factor: Vec) -> bool:
    """A value stands somewhere within a sub-expression."""
    todo, seen = [node], set[int]()
    while todo:
        i = todo.pop()
        if i in seen:
            continue
        seen.add(i)
        step = line.graph.steps[i]
        if line.values(i).same(factor):
            return True
        if not step.is_leaf and (i == line.root or not line.is_stop(i)):
            todo += step.inputs
    return False
