"""A derivation as LaTeX: steps, chain-rule factors, and the result, in one ``align*`` environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from symgrad.graph import Graph, Step
from symgrad.ops import OPS, TensorOp

#: Binding strength of a finished piece of LaTeX that needs no parentheses anywhere.
ATOM = 9

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
_LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψω", _GREEK[:23], strict=True)) | dict(
    zip("ΓΔΘΛΞΠΣΥΦΨΩ", _GREEK[23:], strict=True)
)


_INDEXED = re.compile(r"(?P<base>.+)\[(?P<index>[^\[\]]*)\]")
_SPECIAL = {c: "\\" + c for c in "{}%&#$_"} | {"\\": "\\backslash ", "^": "\\wedge ", "~": "\\sim "}


def escaped(text: str) -> str:
    """Text that LaTeX must not read as commands, for use in mathematics."""
    return "".join(_SPECIAL.get(c, c if c.isprintable() else " ") for c in text)


def symbol(name: str) -> str:
    """A name typeset: ``w_h`` as w with subscript h, ``h1_raw`` as h with subscript 1, raw, ``alpha`` as the letter."""
    primes = len(name) - len(name.rstrip("'"))
    bare = name.rstrip("'").removeprefix("self.")
    indices: list[str] = []
    while found := _INDEXED.fullmatch(bare):
        inner = found["index"].strip("\"'")
        if inner != found["index"]:
            # params["W1"] is W1 to whoever reads the formula.
            bare = inner
            continue
        bare, indices = found["base"], [inner, *indices]
    head, *rest = [p for p in bare.split("_") if p] or [bare]
    rest = [*rest, *indices]
    match = re.fullmatch(r"(.*?[^0-9])([0-9]+)", head)
    if match:
        head, rest = match.group(1), [match.group(2), *rest]
    base = _word(head)
    if rest:
        base = f"{base}_{{{','.join(_word(r) for r in rest)}}}"
    return base + "'" * primes


def _word(word: str) -> str:
    if word in _GREEK:
        return "\\" + word
    if word in _LETTERS:
        return "\\" + _LETTERS[word]
    safe = "".join("\\" + _LETTERS[c] + " " if c in _LETTERS else escaped(c) for c in word)
    if len(word) == 1 or word.isdigit() or any(c in _LETTERS for c in word):
        return safe
    return f"\\mathrm{{{safe}}}"


def number(value: Fraction | str) -> str:
    """A constant: a short decimal where it is one, else a fraction."""
    if isinstance(value, str):
        return "\\pi" if value == "pi" else "e"
    if value.denominator == 1:
        return str(value.numerator)
    scale = value.denominator
    while scale % 2 == 0:
        scale //= 2
    while scale % 5 == 0:
        scale //= 5
    if scale == 1 and value.denominator < 10**6:
        return f"{float(value):.12g}" if abs(value) >= Fraction(1, 1000) else f"{float(value):g}"
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _said(graph: Graph, step: Step) -> dict[str, Any]:
    """The parameters that say something: all the axes need not be listed."""
    params: dict[str, Any] = dict(step.params)
    if step.inputs and params.get("axis") == tuple(range(len(graph.steps[step.inputs[0]].shape))):
        params["axis"] = ()
    return params


def compose(graph: Graph, i: int, done: Mapping[int, tuple[str, int]]) -> tuple[str, int]:
    step = graph.steps[i]
    op = OPS[step.op]
    parts = [done[j] for j in step.inputs]
    if isinstance(op, TensorOp) and op.infix is None:
        return op.tex([p[0] for p in parts], _said(graph, step)), ATOM
    if op.infix is None:
        return op.latex.format(*(p[0] for p in parts)), ATOM
    if not op.infix.symbol:
        return parts[0]
    self_delimiting = op.latex.startswith("\\frac")
    texts = []
    for position, (text, strength) in enumerate(parts):
        need = op.infix.left if position == 0 else op.infix.right
        exponent = position == 1 and "^{" in op.latex
        if strength < need and not self_delimiting and not exponent:
            text = f"\\left({text}\\right)"
        texts.append(text)
    return op.latex.format(*texts), ATOM if self_delimiting else op.infix.precedence


def partial(top: str, bottom: str, *, single: bool) -> str:
    d = "\\mathrm{d}" if single else "\\partial"
    return f"\\frac{{{d} {top}}}{{{d} {bottom}}}"
