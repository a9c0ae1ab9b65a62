"""A derivation as LaTeX: steps, chain-rule factors, and the result, in one ``align*`` environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from symgrad.backward import Row
from symgrad.graph import Graph, Step
from symgrad.naming import display_names
from symgrad.ops import OPS, TensorOp

#: Binding strength of a finished piece of LaTeX that needs no parentheses anywhere.
ATOM = 9
#: A derivation of more steps than this is cut: nobody reads page four.
LIMIT = 200

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
    base = _word(head, alone=True)
    if rest:
        base = f"{base}_{{{','.join(_word(r, alone=False) for r in rest)}}}"
    return base + "'" * primes


def _word(word: str, *, alone: bool) -> str:
    if word in _GREEK:
        return "\\" + word
    if word in _LETTERS:
        return "\\" + _LETTERS[word]
    safe = "".join("\\" + _LETTERS[c] + " " if c in _LETTERS else escaped(c) for c in word)
    if len(word) == 1 or word.isdigit() or safe != word:
        return safe
    return f"\\mathrm{{{safe}}}" if not alone or len(word) > 1 else safe


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


def formula(graph: Graph, index: int, names: Sequence[str], forward: int) -> str:
    """The LaTeX of a step, with every named forward step other than itself as its symbol. No recursion."""
    done: dict[int, tuple[str, int]] = {}
    stack = [index]
    while stack:
        i = stack[-1]
        step = graph.steps[i]
        if i in done:
            stack.pop()
            continue
        if step.is_const:
            value = step.value
            weak = isinstance(value, Fraction) and (value < 0 or "frac" in number(value))
            done[i] = (number(value), 2 if weak else ATOM)
        elif (i != index and i < forward and names[i]) or step.is_input:
            done[i] = (symbol(names[i]), ATOM)
        else:
            waiting = [j for j in step.inputs if j not in done]
            if waiting:
                stack.extend(waiting)
                continue
            done[i] = compose(graph, i, done)
        stack.pop()
    return done[index][0]


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


def derivation_latex(graph: Graph, rows: Sequence[Row], closed: Mapping[str, str]) -> str:
    """The whole derivation.

    Args:
        graph: the function.
        rows: its reverse passes, as taught.
        closed: for each derivative its simplified form in LaTeX, or an empty string where there is none.
    """
    names = display_names(graph)
    result = symbol(names[graph.output]) if names[graph.output] else "f"
    needed = graph.ancestors(graph.output)
    lines: list[str] = []
    shown = [i for i, s in enumerate(graph.steps) if needed[i] and not s.is_leaf]
    for i in shown[:LIMIT]:
        lines.append(f"{symbol(names[i])} &= {formula(graph, i, names, len(graph))}")
    if len(shown) > LIMIT:
        lines.append("&\\;\\;\\vdots")
    second = any("," in label for row in rows for label in row.labels)
    single = len(graph.variables) == 1
    if not second:
        lines += _chain(rows[0], names, result, single=single)
    for row in rows:
        for label in row.labels:
            if closed.get(label):
                if second:
                    left = _second(result, label, single=single)
                else:
                    left = partial(result, symbol(label), single=single)
                lines.append(f"{left} &= {closed[label]}")
    body = " \\\\\n".join("  " + line for line in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _second(result: str, label: str, *, single: bool) -> str:
    a, b = label.split(",")
    d = "\\mathrm{d}" if single else "\\partial"
    if a == b:
        return f"\\frac{{{d}^{{2}} {result}}}{{{d} {symbol(a)}^{{2}}}}"
    return f"\\frac{{{d}^{{2}} {result}}}{{{d} {symbol(a)} \\, {d} {symbol(b)}}}"


def _chain(row: Row, names: Sequence[str], result: str, *, single: bool) -> list[str]:
    """The chain rule: each step's derivative as a sum over the paths that leave it, each partial worked out."""
    reverse = row.reverse
    graph = reverse.graph
    lines: list[str] = []
    into: dict[int, list[str]] = {}
    values: dict[int, list[str]] = {}
    for edge in reverse.edges:
        step = graph.steps[edge.step]
        target = step.inputs[edge.input]
        top = symbol(names[edge.step])
        bottom = symbol(names[target])
        straight = len(step.inputs) == 1 and single
        local = formula(graph, edge.local, names, reverse.forward) if edge.local >= reverse.forward else (
            symbol(names[edge.local]) if names[edge.local] else number(graph.steps[edge.local].value)
        )  # fmt: skip
        factor = partial(top, bottom, single=straight)
        if edge.step == graph.output:
            # Nothing stands upstream of the result: the factor is its own chain rule.
            into.setdefault(target, []).append(factor)
            values.setdefault(target, []).append(local)
            continue
        upstream = partial(result, top, single=single) + " \\cdot "
        into.setdefault(target, []).append(upstream + factor)
        values.setdefault(target, []).append(upstream + (f"\\left({local}\\right)" if " " in local else local))
    order = sorted(into, reverse=True)
    for target in order[:LIMIT]:
        left = partial(result, symbol(names[target]), single=single)
        rule = " + ".join(into[target])
        worked_out = " + ".join(values[target])
        trivial = rule.replace("\\mathrm{d}", "\\partial") == left.replace("\\mathrm{d}", "\\partial")
        lines.append(f"{left} &= {worked_out}" if trivial else f"{left} &= {rule} = {worked_out}")
    if len(order) > LIMIT:
        lines.append("&\\;\\;\\vdots")
    return lines
