"""The formulas of a picture as LaTeX: steps, local derivatives, and what flows along each link.

Numbers and arrays alike: what has axes is bold, and a product entry by entry of two arrays is told from that of
matrices. How the gradient by X is written is the reader's choice, see :data:`NOTATIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.backward import NO_LOCAL
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.shapes import operand
from symgrad.report.latex import ATOM, compose, number, partial, symbol
from symgrad.report.picture import Picture

#: How the gradient by X is set: as a fraction dL/dX, with a bar over X, or as dX.
NOTATIONS = ("fraction", "bar", "d")
_TIMES, _CIRCLE = "\\cdot", "\\odot"


def bold(name: str, shape: tuple[int, ...]) -> str:
    """``\\mathbf{W}_{h}``: the letter bold where it has axes, the subscript as it is."""
    text = symbol(name)
    if not shape:
        return text
    primes = len(text) - len(text.rstrip("'"))
    head, under, rest = text.rstrip("'").partition("_{")
    inner = head.removeprefix("\\mathrm{").removesuffix("}") if head.startswith("\\mathrm{") else head
    letters = f"\\boldsymbol{{{inner}}}" if inner.startswith("\\") else f"\\mathbf{{{inner}}}"
    return letters + under + rest + "'" * primes


def written(graph: Graph, index: int, symbols: Mapping[int, str], strength: int = 0) -> str:
    """A step in terms of those that have symbols, itself excepted. No recursion.

    Args:
        strength: what binds less is put in parentheses.
    """
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
    return _within(done[index], strength)


def _everywhere(graph: Graph, step: Step, value: str) -> str:
    """One number over and over, a multiple of the array of ones; empty for any other step."""
    op = OPS[step.op]
    if not (isinstance(op, TensorOp) and op.uniform and step.shape and not graph.steps[step.inputs[0]].shape):
        return ""
    return {"1": "\\mathbf{1}", "0": "\\mathbf{0}"}.get(value, f"{value} \\, \\mathbf{{1}}")


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


class Formulas:
    """The LaTeX of one picture.

    Args:
        picture: what is drawn.
        notation: one of :data:`NOTATIONS`.
    """

    def __init__(self, picture: Picture, notation: str = "fraction") -> None:
        self.picture = picture
        self.graph = picture.reverse.graph
        self.notation = notation
        steps = self.graph.steps
        symbols = {i: bold(n, steps[i].shape) for i, n in enumerate(picture.names) if n}
        # A prime is an exponent to LaTeX, which takes no second one.
        self.symbols = {i: f"{{{text}}}" if text.endswith("'") else text for i, text in symbols.items()}
        self.single = len(self.graph.variables) == 1 and not any(s.shape for s in steps[: picture.reverse.forward])
        output = picture.nodes[picture.result].step
        # A result that is an array is not itself what is differentiated: L stands for the number behind it.
        self.loss = "L" if picture.upstream else self.symbols.get(output, "f")
        #: Forward steps by their symbols, and the gradients that later lines may use by theirs.
        self.known = dict(self.symbols)
        for i in sorted(picture.reverse.cotangents, reverse=True):
            position = picture.reverse.cotangents[i]
            if i in self.symbols and position not in self.known and not steps[position].is_const:
                self.known[position] = self.gradient(i)
        if picture.upstream:
            for i, step in enumerate(steps):
                if step.is_input and step.name == picture.upstream:
                    self.known[i] = self.gradient(output)

    def gradient(self, step: int) -> str:
        """The gradient by a forward step, in the chosen notation."""
        text = self.symbols[step]
        if self.notation == "bar":
            return f"\\overline{{{text}}}"
        if self.notation == "d":
            return f"\\mathrm{{d}}{text}"
        return partial(self.loss, text, single=self.single)

    def node(self, n: int) -> str:
        """How a node is computed from the ones before it; empty for an input."""
        step = self.picture.nodes[n].step
        return "" if self.graph.steps[step].is_leaf else written(self.graph, step, self.symbols)

    def factor(self, n: int) -> str:
        """A link's factor by its name: the head differentiated by the tail."""
        link = self.picture.links[n]
        top, bottom = (self.symbols[self.picture.nodes[k].step] for k in (link.head, link.tail))
        inputs = self.graph.steps[self.picture.nodes[link.head].step].inputs
        straight = self.single and sum(1 for j in inputs if not self.graph.steps[j].is_const) == 1
        return partial(top, bottom, single=straight)

    def local(self, n: int, strength: int = 0) -> str:
        """A link's factor worked out; empty where it is no number but a linear map."""
        edge = self.picture.reverse.edges[self.picture.links[n].edge]
        if edge.local == NO_LOCAL:
            return ""
        if edge.local in self.symbols:
            return self.symbols[edge.local]
        return written(self.graph, edge.local, self.symbols, strength)

    def flow(self, n: int) -> str:
        """What flows to the tail of a link, in terms of the gradient of its head."""
        position = self.picture.reverse.edges[self.picture.links[n].edge].contribution
        if position in self.symbols:
            return self.symbols[position]
        known = {i: t for i, t in self.known.items() if i != position}
        head = self.picture.reverse.cotangents.get(self.picture.nodes[self.picture.links[n].head].step, -1)
        if head == position and position in self.known:
            return self.gradient(self.picture.nodes[self.picture.links[n].head].step)
        return written(self.graph, position, known)
