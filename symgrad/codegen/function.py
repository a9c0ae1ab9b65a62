"""One function that runs on its own: the forward pass with the user's names, then the derivative of each named step.

There is one statement for each derivative, in the order in which the chain rule comes to them. What is used in several
places is added up with ``+=``; what has no name and is used once is written where it is used. Each line ends in the
shape of its value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.backward import backward
from symgrad.codegen.pruning import pruned
from symgrad.codegen.statements import Line, Statements
from symgrad.codegen.style import identifier, style_of
from symgrad.graph import Graph
from symgrad.ops import OPS, TensorOp
from symgrad.ops.arithmetic import PRODUCT, SUM
from symgrad.ops.recognise import recognise
from symgrad.ops.source import unspread, zeros
from symgrad.ops.tidy import tidy

LANGUAGES = ("numpy", "torch", "latex")
#: An array without a name of more numbers than this is a parameter.
CONSTANT = 64


@dataclass(frozen=True, slots=True)
class Emitted:
    """Generated source.

    Attributes:
        text: the source.
        inputs: the function's parameters in order: their names, and the steps of the graph that they stand for.
    """

    text: str
    inputs: tuple[tuple[str, int], ...] = ()


def emit(
    graph: Graph,
    wrt: Sequence[int],
    language: str = "numpy",
    *,
    style: str = "",
    names: Sequence[str] = (),
    values: Mapping[int, Any] | None = None,
) -> Emitted:
    """The gradients of ``graph.output`` as source.

    Args:
        graph: a forward pass; other steps in it are left out.
        wrt: the steps that are differentiated by: they become parameters.
        language: ``"numpy"`` or ``"torch"``.
        style: how the derivative by ``x`` is called: ``"d{}"``.
        names: what the user called things: tells the style where none is given.
        values: of input steps, where known; numbers that no name of the user's stands for are written out.

    Returns:
        a function ``gradients`` of the inputs, which returns the result and the gradients in the order of ``wrt``.

    Raises:
        Unsupported: a step cannot be written in the language.
    """
    small, place = pruned(graph, wrt)
    known = {place[i]: v for i, v in (values or {}).items() if i in place}
    chosen = style or style_of(names, [s.name for s in small.steps])
    writer = _Function(small, [place[w] for w in wrt], language, chosen, known, frozenset(names))
    text = writer.source()
    back = {n: i for i, n in place.items()}
    return Emitted(text, tuple((writer.label[n], back[n]) for n in writer.parameters))


class _Function(Statements):
    """Decides what gets a name, and in which order statements stand."""

    def __init__(
        self, graph: Graph, wrt: Sequence[int], library: str, style: str, values: Mapping[int, Any],
        names: frozenset[str],
    ) -> None:  # fmt: skip
        recognised = recognise(graph)
        reverse = backward(recognised, wrt)
        forward = len(graph)
        flows: dict[int, list[int]] = {}
        for edge in reverse.edges:
            target = recognised.steps[edge.step].inputs[edge.input]
            flows.setdefault(target, []).append(edge.contribution)
        stated = {
            j for j in reverse.cotangents if j in wrt or not graph.steps[j].is_hidden or len(flows.get(j, ())) > 1
        }
        tidied = tidy(reverse.graph, forward, {reverse.cotangents[j] for j in stated})
        # Written is the forward pass as the user has it, not as it was recognised.
        whole = Graph((*graph.steps, *tidied.graph.steps[forward:]), graph.output, graph.source)
        super().__init__(whole, forward, library, wrt)
        self.names, self.style, self.values = names, style, values
        self.reverse = reverse
        self.stated = stated
        self.flows = {j: [tidied.place[c] for c in cs] for j, cs in flows.items()}
        self.total = {j: tidied.place[c] for j, c in reverse.cotangents.items()}
        self.local = [
            (e.step, recognised.steps[e.step].inputs[e.input], tidied.place[e.contribution]) for e in reverse.edges
        ]
        self.parameters: list[int] = []
        self._names: dict[int, str] = {}
        self._waiting: dict[int, str] = {}

    def source(self) -> str:
        self.parameters = self._inputs()
        parameters = [self.label[i] for i in self.parameters]
        uses = self._uses()
        self._forward(uses)
        split = len(self.lines)
        self._backward(uses)
        results = [self.text(self.graph.output), *(self._gradient(w) for w in self.wrt)]
        head = ["import numpy as np" if self.library == "numpy" else "import torch", "", ""]
        head += [f"def gradients({', '.join(parameters)}):"]
        constants = [Line(f"{name} = {text}", None) for text, name in self.hoisted.items()]
        body = ["    # forward", *(line.commented() for line in [*constants, *self.lines[:split]]), "    # backward"]
        body += [*(line.commented() for line in self.lines[split:]), f"    return {', '.join(results)}"]
        if any("(math." in line for line in body):
            head = ["import math", "", *head]
        return "\n".join([*head, *body]) + "\n"

    def _inputs(self) -> list[int]:
        """Names for the inputs, and which of them are parameters; what has no name of the user's is written out."""
        out = []
        bases = Counter(identifier(s.name) for s in self.graph.steps[: self.forward] if not s.is_hidden)
        for i, step in enumerate(self.graph.steps[: self.forward]):
            if not step.is_input:
                continue
            text = self._known(i, bases)
            if text:
                self.label[i] = text
            else:
                self.label[i] = self._fresh(identifier(step.name))
                out.append(i)
        return out

    def _known(self, index: int, bases: Mapping[str, int]) -> str:
        step = self.graph.steps[index]
        plain = step.name.isidentifier() and bases[identifier(step.name)] == 1
        plain = plain and (not self.names or step.name in self.names)
        if index in self.wrt or plain or index not in self.values:
            return ""
        import numpy as np

        value = np.asarray(self.values[index], dtype=np.float64)
        if value.size == 0 or not np.all(value == value.flat[0]):
            own = not self.names or step.name in self.names or value.size > CONSTANT
            more = "" if self.library == "numpy" else ", dtype=torch.float64"
            made = "array" if self.library == "numpy" else "tensor"
            return "" if own else self._hoist(f"{self.lib}.{made}({value.tolist()}{more})")
        number = f"{value.flat[0]:g}" if float(f"{value.flat[0]:g}") == value.flat[0] else repr(float(value.flat[0]))
        if not step.shape:
            return number if value.flat[0] >= 0 else f"({number})"
        return self._full(Fraction(float(value.flat[0])), step.shape)

    def _uses(self) -> dict[int, int]:
        """How many steps use each step, among those that will be written; derivatives that have names are ends."""
        ends = {self.total[j] for j in self.stated}
        roots = {c for j in self.stated for c in self.flows.get(j, [self.total[j]])} | {self.graph.output}
        uses = Counter(c for j in self.stated if len(self.flows.get(j, ())) > 1 for c in set(self.flows[j]))
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            for j in self.graph.steps[i].inputs:
                uses[j] += 1
                if j not in ends:
                    stack.append(j)
        return uses

    def _forward(self, uses: Mapping[int, int]) -> None:
        """The named steps in order, each after what it needs."""
        for i in range(self.forward):
            step = self.graph.steps[i]
            if step.is_leaf or i in self.label:
                continue
            if step.is_hidden and i != self.graph.output:
                continue
            self._prepare([i], uses)
            how = self._writes(i)
            name = self._fresh(identifier(step.name) if not step.is_hidden else "loss")
            if how is not None:
                self._copied(name, i, how)
            else:
                self._state(name, i)
            self.label[i] = name

    def _backward(self, uses: Mapping[int, int]) -> None:
        """The reverse pass: a statement as soon as a derivative is complete, or a part of it known."""
        begun: dict[int, bool] = {}
        edges: dict[int, list[tuple[int, int]]] = {}
        for step, target, contribution in self.local:
            edges.setdefault(step, []).append((target, contribution))
        for j in sorted(self.reverse.cotangents, reverse=True):
            many = len(self.flows.get(j, ())) > 1
            if j in self.stated and not many and j != self.graph.output:
                self._single(j, uses)
            if j in begun:
                self.label[self.total[j]] = self._waiting.pop(j, "") or self._gradient_name(j)
            given = Counter(edges.get(j, ()))
            for (target, contribution), times in given.items():
                if len(self.flows[target]) > 1:
                    for _ in range(times if self._writes(contribution) else 1):
                        self._accumulate(target, contribution, begun, uses, times)

    def _gradient_name(self, j: int) -> str:
        step = self.graph.steps[j]
        if j not in self._names:
            base = identifier(step.name) if not step.is_hidden else "u"
            self._names[j] = self._fresh(self.style.format(self.label.get(j, base)))
        return self._names[j]

    def _single(self, j: int, uses: Mapping[int, int]) -> None:
        at = self.total[j]
        if self.graph.steps[at].is_const:
            return
        if at in self.label:
            if j in self.wrt:
                self.lines.append(Line(f"{self._gradient_name(j)} = {self.label[at]}", self.graph.steps[j].shape))
            return
        self._prepare([at], uses)
        how = self._writes(at)
        name = self._gradient_name(j)
        if how is not None:
            self._copied(name, at, how)
        else:
            self._state(name, at)
        self.label[at] = name

    def _accumulate(
        self, j: int, contribution: int, begun: dict[int, bool], uses: Mapping[int, int], times: int
    ) -> None:
        """``dx = ...`` at first, ``dx += ...`` then; in place only into an array that is nobody else's."""
        if contribution not in self.label:
            self._prepare([contribution], uses)
            if uses.get(contribution, 0) > 1 and not self._cheap(contribution) and self._writes(contribution) is None:
                self._name(contribution, None)
        name, shape = self._gradient_name(j), self.graph.steps[j].shape
        how = self._writes(contribution) if contribution not in self.label else None
        if how is not None and how.adds and zeros(self.graph, how.base):
            if not begun.get(j, False):
                start = f"{self._waiting.pop(j)} + 0.0" if j in begun else self._zeros(shape)
                self.lines.append(Line(f"{name} = {start}", shape))
            self.lines.append(Line(self._change(name, contribution, how), None))
            begun[j] = True
            return
        if times > 1:
            text = f"{times}*{self.text(unspread(self.graph, contribution, shape, self.label), PRODUCT)}"
            head = f"{name} +=" if begun.get(j) else f"{name} = {self._waiting.pop(j)} +" if j in begun else f"{name} ="
            self.lines.append(Line(f"{head} {text}", shape))
            begun[j] = True
            return
        if j not in begun and not (contribution not in self.label and self._is_new(contribution)):
            # Another name for something: written out with what is added to it.
            self._waiting[j] = self.text(contribution)
            begun[j] = False
            return
        if j not in begun:
            self.lines.append(Line(f"{name} = {self.text(contribution)}", shape))
        else:
            added = unspread(self.graph, contribution, shape, self.label)
            negative = self._negative(added)
            if negative is not None:
                sign, text = "-", self.text(unspread(self.graph, negative, shape, self.label), SUM + 1)
            else:
                sign, text = "+", self.text(added, 0 if begun[j] else SUM)
            head = f"{name} {sign}=" if begun[j] else f"{name} = {self._waiting.pop(j)} {sign}"
            self.lines.append(Line(f"{head} {text}", shape))
        begun[j] = True

    def _negative(self, index: int) -> int | None:
        """What a step is the negative of."""
        step = self.graph.steps[index]
        op = OPS.get(step.op)
        prefix = op is not None and op.infix is not None and op.infix.prefix
        return step.inputs[0] if prefix and index not in self.label else None

    def _is_new(self, index: int) -> bool:
        """Whether a step makes an array that no other name stands for."""
        op = OPS.get(self.graph.steps[index].op)
        return op is not None and not (isinstance(op, TensorOp) and (op.uniform or op.write is not None))

    def _gradient(self, j: int) -> str:
        at = self.total.get(j)
        if at is None or zeros(self.graph, at):
            return self._zeros(self.graph.steps[j].shape)
        waiting = f"{self._names[j]} = " if j in self._names else "-"
        return self._names[j] if any(line.text.startswith(waiting) for line in self.lines) else self.text(at)
