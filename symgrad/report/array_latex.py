"""A derivation by arrays as LaTeX: matrices bold, a shape on every line, index-free.

Read with the report's names: a variable of shape ``()`` is set as usual, one with axes bold. The gradient by X is set
as dX, as it is in the text.
"""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.graph import Graph, Step
from symgrad.naming import display_names
from symgrad.ops import OPS, TensorOp
from symgrad.ops.shapes import operand
from symgrad.report.arrays import ArrayReport, Shape
from symgrad.report.latex import ATOM, LIMIT, compose, number, symbol

_TIMES, _CIRCLE = "\\cdot", "\\odot"


def derivation(report: ArrayReport) -> str:
    """The forward steps, and the gradient of each, in one ``align*`` environment (amsmath)."""
    graph, reverse = report.graph, report.reverse
    names = display_names(graph)
    symbols = {i: _bold(n, graph.steps[i].shape) for i, n in enumerate(names) if n}
    needed = graph.ancestors(graph.output)
    lines = [
        _line(symbols[i], _formula(graph, i, symbols), step.shape)
        for i, step in enumerate(graph.steps)
        if needed[i] and not step.is_leaf
    ]
    if len(lines) > LIMIT:
        lines = [*lines[:LIMIT], "&\\;\\;\\vdots"]
    whole = reverse.graph
    if report.upstream:
        seed = next(i for i, s in enumerate(whole.steps) if s.is_input and s.name == report.upstream)
        symbols[seed] = _gradient(symbols[graph.output])
    count = 0
    for i in sorted(reverse.cotangents, reverse=True):
        if i >= len(graph) or i not in symbols or i == graph.output:
            continue
        position = reverse.cotangents[i]
        name = _gradient(symbols[i])
        text = symbols.get(position) or _formula(whole, position, symbols)
        if not whole.steps[position].is_const:
            symbols.setdefault(position, name)
        count += 1
        if count <= LIMIT:
            lines.append(_line(name, text, graph.steps[i].shape))
    if count > LIMIT:
        lines.append("&\\;\\;\\vdots")
    body = " \\\\\n".join("  " + line for line in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _line(left: str, right: str, shape: Shape) -> str:
    where = " \\times ".join(map(str, shape))
    return (
        f"{left} &= {right} && \\in \\mathbb{{R}}^{{{where}}}" if shape else f"{left} &= {right} && \\in \\mathbb{{R}}"
    )


def _bold(name: str, shape: Shape) -> str:
    """``\\mathbf{W}_{h}``: the letter bold where it has axes, the subscript as it is."""
    text = symbol(name)
    if not shape:
        return text
    primes = len(text) - len(text.rstrip("'"))
    head, under, rest = text.rstrip("'").partition("_")
    inner = head.removeprefix("\\mathrm{").removesuffix("}") if head.startswith("\\mathrm{") else head
    letters = f"\\boldsymbol{{{inner}}}" if inner.startswith("\\") else f"\\mathbf{{{inner}}}"
    return letters + under + rest + "'" * primes


def _gradient(text: str) -> str:
    return f"\\mathrm{{d}}{text}"


def _formula(graph: Graph, index: int, symbols: Mapping[int, str]) -> str:
    """A step in terms of those that have symbols. No recursion."""
    done: dict[int, tuple[str, int]] = {}
    stack = [index]
    while stack:
        i = stack[-1]
        step = graph.steps[i]
        if i in done:
            stack.pop()
            continue
        if i != index and i in symbols:
            done[i] = (symbols[i], ATOM)
        elif step.is_const:
            text = number(step.value)
            done[i] = (text, 2 if text.startswith("-") or "frac" in text else ATOM)
        elif step.is_leaf:
            done[i] = (symbols.get(i, symbol(step.name)), ATOM)
        else:
            waiting = [j for j in step.inputs if j not in done]
            if waiting:
                stack.extend(waiting)
                continue
            done[i] = _composed(graph, i, done)
        stack.pop()
    return done[index][0]


def _everywhere(graph: Graph, step: Step, number: str) -> str:
    """One number over and over, a multiple of the array of ones; empty for any other step."""
    op = OPS[step.op]
    if not (isinstance(op, TensorOp) and op.uniform and step.shape and not graph.steps[step.inputs[0]].shape):
        return ""
    return {"1": "\\mathbf{1}", "0": "\\mathbf{0}"}.get(number, f"{number} \\, \\mathbf{{1}}")


def _composed(graph: Graph, i: int, done: Mapping[int, tuple[str, int]]) -> tuple[str, int]:
    """As for single numbers; but a product entry by entry of two arrays is not that of matrices."""
    step = graph.steps[i]
    constant = _everywhere(graph, step, _within(done[step.inputs[0]], 2)) if step.inputs else ""
    if constant:
        return constant, 2 if " " in constant else ATOM
    text, strength = compose(graph, i, done)
    arrays = sum(1 for j in step.inputs if graph.steps[j].shape)
    op = OPS[step.op]
    if not op.elementwise and op.infix is not None and len(graph.steps[step.inputs[0]].shape) == 1:
        # A vector on the left of a product of matrices is a row.
        right = _within(done[step.inputs[1]], op.infix.right)
        return op.latex.format(f"{operand(done[step.inputs[0]][0])}^{{\\top}}", right), op.infix.precedence
    if arrays == 2 and op.elementwise and op.infix is not None and _TIMES in op.latex:
        needs = (op.infix.left, op.infix.right)
        left, right = (_within(done[j], need) for j, need in zip(step.inputs, needs, strict=True))
        return f"{left} {_CIRCLE} {right}", strength
    return text, strength


def _within(part: tuple[str, int], need: int) -> str:
    return f"\\left({part[0]}\\right)" if part[1] < need else part[0]
