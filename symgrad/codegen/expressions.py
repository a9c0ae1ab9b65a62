"""Steps of a graph as expressions of NumPy or torch, in terms of what has a name already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from symgrad.codegen.style import RESERVED
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.source import ATOM, LOOSE, Written, uniform, written
from symgrad.printing import number_text

#: An expression of at most so many operations is repeated rather than named.
CHEAP = 2


class Expressions:
    """What has got which name, and the text of everything else.

    Args:
        graph: the forward pass, and after it what is worked out from it.
        forward: how many of its steps are the forward pass.
        library: ``"numpy"`` or ``"torch"``.
        wrt: the steps that are differentiated by.
    """

    def __init__(self, graph: Graph, forward: int, library: str, wrt: Sequence[int]) -> None:
        self.graph, self.forward, self.library, self.wrt = graph, forward, library, wrt
        self.lib = "np" if library == "numpy" else "torch"
        self.label: dict[int, str] = {}
        self.taken: set[str] = set(RESERVED)
        #: Long constants, and what they are called.
        self.hoisted: dict[str, str] = {}
        self.sizes = self._sizes()

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

    def _zeros(self, shape: tuple[int, ...]) -> str:
        if not shape:
            return "0.0"
        like = next((i for i in self.wrt if self.graph.steps[i].shape == shape and i in self.label), None)
        if like is not None:
            return f"{self.lib}.zeros_like({self.label[like]})"
        return self._full(Fraction(0), shape)
