"""Graph -> source: the correct backward pass as a person would write it, in NumPy or torch.

The source is one function that runs on its own: the forward pass with the user's names, then one statement for each
named step's derivative, in the order in which the chain rule comes to them. What is used in several places is added up
with ``+=``; what has no name and is used once is written where it is used. Each line ends in the shape of its value.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.backward import backward
from symgrad.graph import INPUT, Graph, Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.arithmetic import PRODUCT, SUM
from symgrad.ops.recognise import recognise
from symgrad.ops.source import ATOM, LOOSE, Write, Written, uniform, unspread, write, written, zeros
from symgrad.ops.tidy import tidy
from symgrad.printing import number_text

LANGUAGES = ("numpy", "torch", "latex")
#: How the derivative by ``x`` may be called; the first is taken where the user's own lines do not tell.
STYLES = (
    "d{}", "d_{}", "grad_{}", "{}_grad", "g{}", "g_{}", "dL_d{}", "dL{}", "dloss_d{}", "delta_{}", "D{}", "nabla_{}",
    "{}_bar", "d{}_", "gradient_{}",
)  # fmt: skip
#: An expression of more operations than this gets a name; one of fewer is repeated rather than named.
LONG, CHEAP = 9, 2
#: An array without a name of more numbers than this is a parameter.
CONSTANT = 64
#: Where the shape stands, if the line is not longer.
COLUMN = 56
_RESERVED = {*keyword.kwlist, "np", "torch", "math", "gradients", "print", "range", "len"}


@dataclass(frozen=True, slots=True)
class Line:
    """One statement: what it is called and says, and the shape of its value."""

    text: str
    shape: tuple[int, ...] | None


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
    writer = _Writer(small, [place[w] for w in wrt], language, chosen, known, frozenset(names))
    text = writer.source()
    back = {n: i for i, n in place.items()}
    return Emitted(text, tuple((writer.label[n], back[n]) for n in writer.parameters))


def style_of(names: Iterable[str], forward: Iterable[str]) -> str:
    """How the user calls the derivative by ``x``, by majority."""
    plain = {identifier(n) for n in forward if not n.startswith("%")}
    found: Counter[str] = Counter()
    for name in {identifier(n) for n in names}:
        for form in STYLES:
            head, tail = form.split("{}")
            inner = name[len(head) : len(name) - len(tail)]
            if name.startswith(head) and name.endswith(tail) and inner in plain:
                found[form] += 1
    return max(found, key=lambda s: (found[s], -STYLES.index(s))) if found else STYLES[0]


def identifier(name: str) -> str:
    """A Python name for what the user calls ``self.W``, ``params["W1"]``, ``hs[3]`` or ``x#2``."""
    base = name.partition("#")[0]
    base = re.sub(r"^.*\[[\"'](\w+)[\"']\]$", r"\1", base)
    base = base.rsplit(".", 1)[-1] if re.fullmatch(r"[\w.\[\]\-]+", base) else base
    base = base.replace("[-", "_m")
    base = re.sub(r"\W+", "_", base).strip("_") or "t"
    base = f"_{base}" if base[0].isdigit() else base
    return f"{base}_" if base in _RESERVED else base


def _above(graph: Graph, wrt: Sequence[int]) -> list[bool]:
    """What the result depends on, but nothing that only leads to what is differentiated by."""
    needed, ends = [False] * len(graph), set(wrt)
    for i in (graph.output, *wrt):
        needed[i] = True
    for i in range(len(graph) - 1, -1, -1):
        for j in graph.steps[i].inputs if needed[i] and i not in ends else ():
            needed[j] = True
    return needed


def pruned(graph: Graph, wrt: Sequence[int]) -> tuple[Graph, dict[int, int]]:
    """Only what the result depends on, and what is differentiated by; renamings are seen through."""
    needed = _above(graph, wrt)
    place: dict[int, int] = {}
    steps: list[Step] = []
    known: dict[tuple[object, ...], int] = {}
    for i, step in enumerate(graph.steps):
        if not needed[i]:
            continue
        if not step.is_leaf and OPS[step.op].renames:
            place[i] = place[step.inputs[0]]
            continue
        if i in wrt and not step.is_input:
            step = Step(step.name if not step.is_hidden else "x", INPUT, shape=step.shape, span=step.span)
        inputs = tuple(place[j] for j in step.inputs)
        key = (step.op, inputs, step.params)
        if step.is_hidden and not step.is_leaf and key in known:
            place[i] = known[key]
            continue
        place[i] = len(steps)
        known.setdefault(key, len(steps))
        steps.append(Step(step.name, step.op, inputs, step.params, step.shape, step.span))
    return Graph(tuple(steps), place[graph.output], graph.source), place


class _Writer:
    """One function: decides what gets a name, and in which order statements stand."""

    def __init__(
        self, graph: Graph, wrt: Sequence[int], library: str, style: str, values: Mapping[int, Any],
        names: frozenset[str],
    ) -> None:  # fmt: skip
        self.names = names
        self.library, self.style = library, style
        self.lib = "np" if library == "numpy" else "torch"
        self.wrt = wrt
        recognised = recognise(graph)
        reverse = backward(recognised, wrt)
        self.forward = len(graph)
        flows: dict[int, list[int]] = {}
        for edge in reverse.edges:
            target = recognised.steps[edge.step].inputs[edge.input]
            flows.setdefault(target, []).append(edge.contribution)
        stated = {
            j for j in reverse.cotangents if j in wrt or not graph.steps[j].is_hidden or len(flows.get(j, ())) > 1
        }
        tidied = tidy(reverse.graph, self.forward, {reverse.cotangents[j] for j in stated})
        # Written is the forward pass as the user has it, not as it was recognised.
        self.graph = Graph((*graph.steps, *tidied.graph.steps[self.forward :]), graph.output, graph.source)
        self.reverse = reverse
        self.stated = stated
        self.flows = {j: [tidied.place[c] for c in cs] for j, cs in flows.items()}
        self.total = {j: tidied.place[c] for j, c in reverse.cotangents.items()}
        self.local = [
            (e.step, recognised.steps[e.step].inputs[e.input], tidied.place[e.contribution]) for e in reverse.edges
        ]
        self.values = values
        self.label: dict[int, str] = {}
        self.taken: set[str] = set(_RESERVED)
        self.hoisted: dict[str, str] = {}
        self.lines: list[Line] = []
        self.parameters: list[int] = []
        self._names: dict[int, str] = {}
        self._waiting: dict[int, str] = {}
        self.sizes = self._sizes()

    # --- what gets a name ---------------------------------------------------------------------------------------

    def _sizes(self) -> list[int]:
        """The operations of each step written out down to leaves and named steps."""
        out: list[int] = []
        for i, step in enumerate(self.graph.steps):
            named = i < self.forward and not step.is_hidden
            out.append(0 if step.is_leaf or named else 1 + sum(out[j] for j in step.inputs))
        return out

    def _cheap(self, index: int) -> bool:
        """Repeated rather than named: ``x.T``, ``pred - y``, ``1 - h**2``."""
        if self.sizes[index] > CHEAP:
            return False
        stack = [index]
        while stack:
            i = stack.pop()
            step = self.graph.steps[i]
            if step.is_leaf or i in self.label:
                continue
            op = OPS[step.op]
            if not (op.infix is not None or (isinstance(op, TensorOp) and op.uniform)) or isinstance(op, TensorOp) is (
                op.infix is not None
            ):
                return False
            stack.extend(step.inputs)
        return True

    def _fresh(self, wanted: str) -> str:
        name, n = wanted, 1
        while name in self.taken:
            n += 1
            name = f"{wanted}_{n}"
        self.taken.add(name)
        return name

    def _hoist(self, text: str) -> str:
        """A name for a long constant, the same for the same one."""
        if text not in self.hoisted:
            self.hoisted[text] = self._fresh("index" if "." not in text.partition("(")[2] else "constant")
        return self.hoisted[text]

    # --- text -----------------------------------------------------------------------------------------------------

    def _written(self, index: int) -> Written:
        step = self.graph.steps[index]
        return written(step, [self.graph.steps[j].shape for j in step.inputs], self.library, self._hoist)

    def text(self, index: int, need: int = 0, *, root: bool = False) -> str:
        """A step in terms of what has a name. Depth is bounded: what is long has got a name before."""
        if index in self.label and not root:
            return self.label[index]
        step = self.graph.steps[index]
        if step.is_const:
            return self._constant(step, need)
        if step.is_leaf:
            return self.label[index]
        every = uniform(self.graph, index)
        if every is not None and step.shape:
            return self._full(every, step.shape)
        how = self._written(index)
        infix = OPS[step.op].infix if how.strength < ATOM else None
        out = []
        for part in re.split(r"(\{\d+(?::t)?\}(?:[.\[])?)", how.template):
            found = re.fullmatch(r"\{(\d+)(:t)?\}([.\[]?)", part)
            if not found:
                out.append(part)
                continue
            n = int(found[1])
            tight = ATOM if found[2] or found[3] else 0
            if infix is not None and not tight and "{1}" in how.template:
                tight = infix.left if n == 0 else max(infix.right, infix.precedence + 1)
                if n and infix.symbol == "*" and self.graph.steps[step.inputs[0]].is_const:
                    tight = infix.precedence  # 2*a/b says the same as 2*(a/b)
            elif infix is not None and not tight:
                tight = infix.right
            elif how.strength == LOOSE or (how.strength < ATOM and not tight):
                tight = max(tight, how.strength + 1)
            given = self.text(step.inputs[n], tight)
            if how.functional and self.library == "torch" and self.graph.steps[step.inputs[n]].is_const:
                given = f"torch.tensor({given}, dtype=torch.float64)"
            out.append(given + found[3])
        whole = "".join(out)
        if infix is not None and "".join(out[2:3]) == " + ":
            # out is the text before, left, the sign, right, the text after
            left, right = out[1], out[3]
            whole = right if left == "0" else f"{left} - {right[1:]}" if right.startswith("-") else whole
        return f"({whole})" if how.strength < need else whole

    def _constant(self, step: Step, need: int) -> str:
        value = step.value
        if isinstance(value, str):
            return {"pi": f"{self.lib}.pi", "E": f"{self.lib}.e"}[value]
        text = number_text(value)
        if len(text) > 20:
            text = repr(float(value))
        weak = 2 if "/" in text else 3 if text.startswith("-") else ATOM
        return f"({text})" if weak < need else text

    def _full(self, value: Fraction, shape: tuple[int, ...]) -> str:
        """An array of one number."""
        more = "" if self.library == "numpy" else ", dtype=torch.float64"
        if value in (0, 1):
            return f"{self.lib}.{'zeros' if value == 0 else 'ones'}({shape}{more})"
        return f"{self.lib}.full({shape}, {number_text(value)}{more})"

    # --- statements -----------------------------------------------------------------------------------------------

    def _state(self, name: str, index: int, *, root: bool = True) -> None:
        """``name = ...``, and what it needs before it."""
        step = self.graph.steps[index]
        self.lines.append(Line(f"{name} = {self.text(index, root=root)}", step.shape))

    def _writes(self, index: int) -> Write | None:
        step = self.graph.steps[index]
        if step.is_leaf:
            return None
        return write(step, [self.graph.steps[j].shape for j in step.inputs], self.library, self._hoist)

    def _copied(self, name: str, index: int, how: Write) -> None:
        """A changed copy of an array, in two statements."""
        base, shape = how.base, self.graph.steps[index].shape
        if zeros(self.graph, base):
            self.lines.append(Line(f"{name} = {self._zeros(shape)}", shape))
        else:
            copy = f"np.array({self.text(base)})" if self.library == "numpy" else f"{self.text(base, ATOM)}.clone()"
            copy = self.text(base) if self.text(base).startswith(f"{self.lib}.") else copy
            self.lines.append(Line(f"{name} = {copy}", shape))
        self.lines.append(Line(self._change(name, index, how), None))

    def _change(self, name: str, index: int, how: Write) -> str:
        step = self.graph.steps[index]
        text = how.statement.replace("{a}", name)

        def put(found: re.Match[str]) -> str:
            n = int(found[1])
            value = self.text(step.inputs[n], ATOM if found[2] == ":t" else 0)
            if found[2] == ":x" and not self.graph.steps[step.inputs[n]].shape:
                return f"torch.as_tensor({value}, dtype={name}.dtype)"
            return value

        return re.sub(r"\{(\d+)(:\w)?\}", put, text)

    def _zeros(self, shape: tuple[int, ...]) -> str:
        if not shape:
            return "0.0"
        like = next((i for i in self.wrt if self.graph.steps[i].shape == shape and i in self.label), None)
        if like is not None:
            return f"{self.lib}.zeros_like({self.label[like]})"
        return self._full(Fraction(0), shape)

    def _prepare(self, roots: Iterable[int], uses: Mapping[int, int]) -> None:
        """Statements for what the roots use more than once, or is long, or must stand alone."""
        seen: set[int] = set()
        stack = list(roots)
        first = set(stack)
        while stack:
            i = stack.pop()
            if i in seen or (i in self.label and i not in first):
                continue
            seen.add(i)
            stack.extend(self.graph.steps[i].inputs)
        size: dict[int, int] = {}
        for i in sorted(seen):
            step = self.graph.steps[i]
            if step.is_leaf:
                size[i] = 0
                continue
            size[i] = 1 + sum(size.get(j, 0) for j in step.inputs if j not in self.label)
            if i in first or i in self.label:
                continue
            how = self._writes(i)
            if how is not None or size[i] > LONG or (uses.get(i, 0) > 1 and not self._cheap(i)):
                self._name(i, how)
                size[i] = 0

    def _name(self, index: int, how: Write | None) -> None:
        step = self.graph.steps[index]
        wanted = "u" if index < self.forward else "t"
        if not step.is_hidden:
            wanted = identifier(step.name)
        name = self._fresh(wanted)
        if how is not None:
            self._copied(name, index, how)
        else:
            self._state(name, index)
        self.label[index] = name

    # --- the function -----------------------------------------------------------------------------------------------

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
        body = ["    # forward", *map(_commented, [*constants, *self.lines[:split]]), "    # backward"]
        body += [*map(_commented, self.lines[split:]), f"    return {', '.join(results)}"]
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


def _commented(line: Line) -> str:
    text = f"    {line.text}"
    if line.shape is None:
        return text
    shape = str(line.shape) if line.shape else "scalar"
    return f"{text:{COLUMN}s}  # {shape}"


__all__ = ["LANGUAGES", "Emitted", "emit", "identifier", "pruned", "style_of"]
