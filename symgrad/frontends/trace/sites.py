"""What the rewriting of a script keeps for the recorder: a table entry for each place where a number gets a name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(slots=True)
class Site:
    """One assignment in the text: what the recorder must know when it happens.

    Attributes:
        name: the target; of an attribute or item, the text of the object that it belongs to.
        node: whose range is the span to report.
        line: of the target.
        literal: the right-hand side is a number as written.
        fresh: the right-hand side is a list, tuple or dict display, so its elements are numbers being named.
        elements: for a display, the site of each element.
        each: for a list comprehension, the site of all its elements.
        augmented: ``"+="``, ...
    """

    name: str
    node: ast.AST
    line: int
    literal: bool = False
    fresh: bool = False
    elements: tuple[Site, ...] = ()
    each: Site | None = None
    augmented: str = ""


@dataclass(slots=True)
class Function:
    """One function in the text: its name, and a site for each parameter."""

    qualname: str
    parameters: tuple[Site, ...]


@dataclass(slots=True)
class Loop:
    """A loop that trains: how often it has gone round, and what there was before.

    ``surely``: that it trains is certain, and few rounds of it are enough.
    """

    node: ast.AST
    surely: bool = False
    rounds: int = 0
    begun: tuple[int, int] = (0, 0)
    #: Where the last round began, what it did, and how often that was what the one before it did.
    since: int = 0
    ops: int = 0
    alike: int = 0


@dataclass(slots=True)
class Instrumented:
    """The tables that the helper calls of rewritten trees index."""

    loops: list[Loop] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    exacts: list[tuple[float, Fraction]] = field(default_factory=list)


def literal_value(node: ast.AST) -> tuple[float, Fraction] | None:
    """The value of an expression of nothing but number literals: as Python computes it, and exactly."""
    if isinstance(node, ast.Constant):
        value = node.value
        if type(value) is int and value.bit_length() <= 1024:
            return value, Fraction(value)
        if type(value) is float and value - value == 0:
            return value, Fraction(repr(value))
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = literal_value(node.operand)
        if inner is None:
            return None
        return (-inner[0], -inner[1]) if isinstance(node.op, ast.USub) else inner
    if not isinstance(node, ast.BinOp):
        return None
    right = literal_value(node.right)
    left = literal_value(node.left) if right is not None else None
    if left is None or right is None:
        return None
    (a, exact_a), (b, exact_b) = left, right
    try:
        if isinstance(node.op, ast.Add):
            return a + b, exact_a + exact_b
        if isinstance(node.op, ast.Sub):
            return a - b, exact_a - exact_b
        if isinstance(node.op, ast.Mult):
            return a * b, exact_a * exact_b
        if isinstance(node.op, ast.Div):
            return a / b, exact_a / exact_b
        if isinstance(node.op, ast.Pow) and exact_b.denominator == 1 and abs(b) <= 64 and abs(a) < 1e15:
            return a**b, exact_a ** int(b)
    except (ArithmeticError, ValueError):
        pass
    return None
