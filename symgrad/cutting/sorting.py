"""The assignments of a run, sorted into the forward pass of one result and what may be its derivation."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from symgrad.cutting.epochs import Epoch
from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, is_bare, is_generic, key_of, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph

#: What is typed in once more is made of so many steps at most.
MOST_RETYPED = 200
#: What is computed from something is looked for among so many steps at most.
MOST_NEAR = 200
#: Constants of chemistry and physics that begin as derivatives do: De, Da, Gr.
_SYMBOL = re.compile(r"[DG][a-z]\w?")


class Sorting:
    """Takes the assignments in their order.

    Args:
        graph: of the run, cut to what is differentiated; its output is that.
        forward: for each step, whether it is of the forward pass.
        epoch: the last round of training, where there are rounds.
        h: the step size of a difference quotient, -1 where there is none.
        done: the assignment with which the result is there.
        unnamed: steps that move a parameter without having a name.
        mapping: of names, what they hold the gradient of.
        moved: the steps of parameters, as they are before they are moved.
    """

    def __init__(
        self, trace: Trace, graph: Graph, forward: Sequence[bool], epoch: Epoch | None, h: int,
        done: int, unnamed: Collection[int], mapping: Mapping[str, str], moved: Collection[int] = (),
    ) -> None:  # fmt: skip
        self._trace, self._graph, self._forward, self._epoch, self._mapping = trace, graph, forward, epoch, mapping
        #: What each step of the forward pass is called first, and all its names.
        self.names: dict[int, str] = {}
        self.aliases: list[tuple[str, int]] = []
        #: Of these the ones that were given once the result was there.
        self.later: set[tuple[str, int]] = set()
        #: The values that a name has in no function; the names of derivatives that are given in one.
        self.outside: dict[str, set[int]] = {}
        self.inside: set[str] = set()
        #: What may be a derivative.
        self.units: list[Unit] = []
        #: What is written into, or added to, after what it is of has been worked out once more.
        self.left_out: list[tuple[str, int]] = []
        loss = graph.output
        self._quotients = trace.graph.dependents(h) if h >= 0 else None
        quotients = self._quotients
        entries = [b for b in trace.bindings if quotients is not None and quotients[b.step] and "[" in b.name]
        self._numeric = {b.name.split("[", maxsplit=1)[0] for b in entries}
        #: Where the forward pass stands, if it was run at another point for the derivation than for the differences.
        self._twice = {(b.name, b.line) for b in trace.bindings if forward[b.step]} if quotients is not None else set()
        self._done, self._unnamed, self._moved = done, unnamed, moved
        self._latest: dict[str, int] = {}
        self._known: set[str] = set()
        self._dead: set[str] = set()
        self._beyond: set[int] = set()
        self._ends: set[int] = set()
        #: A name and its line, or what is assigned to it -> the values that this had in the forward pass.
        self._written: dict[tuple[str, int | str], set[int]] = {}
        #: The values that a name had in the forward pass, on whatever line.
        self._had: dict[str, set[int]] = {}
        all_names = {b.name for b in trace.bindings}
        self._derived = {n for name in all_names for c in claims(name) for n in (c.top, c.bottom)}
        #: What the run works out and gives a name.
        self._worked_out = {normal(b.name) for b in trace.bindings if not graph.steps[b.step].is_leaf}
        self._begins = loss if len(trace.backward_calls) > 1 else -1
        self._elsewhere = _elsewhere(trace, graph, forward)

    def take(self, b: Binding) -> None:
        """Sort one assignment."""
        is_forward = self._forward[b.step]
        if not is_forward and (self._is_another_matter(b) or (b.is_number and not any(claims(b.name)))):
            return  # an object of a small engine on which the loss does not depend: relu(u) = 0 has none of u
        if not is_forward and self._is_data(b):
            return
        if self._is_lost(b):
            self._beyond.add(b.step)
            if b.augmented or "[" in b.name:
                self.left_out.append((b.name, b.step))
            return
        bottoms = {c.bottom for c in claims(b.name)}
        claimed = b.name in self._mapping or (b.step in self.names and bool(bottoms & self._known))
        if is_forward and b.order <= self._done and not claimed:
            self._take_forward(b)
        elif claimed or not is_forward or bottoms & self._known:
            self._take_unit(b)
            if not claimed and self._is_another_name(b):
                self.aliases.append((b.name, original(self._graph, b.step)))
                self.later.add((b.name, original(self._graph, b.step)))
        elif self._graph.steps[b.step].shape:
            # After the loss a plain new name for a forward value (x, = ctx.saved_tensors) claims nothing itself; grad_x
            # may be meant by it all the same.
            self.aliases.append((b.name, b.step))
            self.later.add((b.name, b.step))
            self._at_the_top(b)
        self._latest[b.name] = b.step

    def _is_another_name(self, b: Binding) -> bool:
        """``a, b = v`` and ``p = poly(x)``, once the result is there: a new name of a number of the forward pass, by
        which derivatives may be called. What is called a derivative itself may just have that value."""
        of = original(self._graph, b.step)
        new = not b.scope and b.name not in self._latest and normal(b.name) not in self._known
        plain = new and of != b.step and self._forward[of] and not self._graph.steps[of].shape
        return plain and not is_bare(b.name) and not is_generic(b.name) and normal(b.name) in self._derived

    def _is_another_matter(self, b: Binding) -> bool:
        """It belongs to no derivation of this result."""
        if b.name.split("[", maxsplit=1)[0] in self._numeric:
            return True  # what a difference quotient is written into
        if self._epoch is not None and b.step < self._epoch.start:
            self._latest[b.name] = b.step
            return True  # of an earlier round
        if self._quotients is not None and self._quotients[b.step]:
            return True  # the difference quotient, and what compares it
        if (b.name, b.line) in self._twice and not is_bare(b.name):
            return True  # a line of the forward pass, run once more for the derivation
        if b.step < self._begins:
            return True  # the derivation of an earlier epoch, of which the last loss knows nothing
        reads = any(claims(b.name)) or is_bare(b.name)
        if not reads or self._elsewhere is None or not self._elsewhere[b.step]:
            return False
        if any(c.top in self._worked_out and c.bottom in self._known for c in claims(b.name)):
            return False  # df2_dA, of another result that is there by another array: it says so itself
        if b.name in self._latest and self._graph.steps[held := self._latest[b.name]].is_leaf:
            # The zeros that it is added up in are of the other cell as well.
            self.units = [u for u in self.units if (u.name, u.step) != (b.name, held)]
            self._latest.pop(b.name)
        return True

    def _is_data(self, b: Binding) -> bool:
        """``De = 4.75``, given before anything was worked out: a symbol with a capital letter, no derivative by e."""
        if not self._graph.steps[b.step].is_input or b.order > self._done or _SYMBOL.fullmatch(b.name) is None:
            return False
        value = self._trace.values[b.step]
        return isinstance(value, float) and value not in (0, 1)  # Dy = 1.0 is where a derivation begins

    def _is_lost(self, b: Binding) -> bool:
        """It is derived from a line of the forward pass that was run once more, with another value."""
        lost = bool(self._dead) and any(self._dead & {c.top, c.bottom} for c in claims(b.name))
        return lost or _near(b.step, self._beyond, self._graph, self._ends)

    def _take_forward(self, b: Binding) -> None:
        self.names.setdefault(b.step, b.name)
        self.aliases.append((b.name, b.step))
        self._at_the_top(b)
        held = _hash(self._trace.values[b.step])
        self._had.setdefault(b.name, set()).add(held)
        self._written.setdefault((b.name, b.line), set()).add(held)
        if not self._graph.steps[b.step].is_leaf:
            self._written.setdefault((b.name, _text(b, self._trace)), set()).add(held)
        self._known |= {normal(b.name), normal(key_of(b.name))}

    def _at_the_top(self, b: Binding) -> None:
        if not b.scope:
            self.outside.setdefault(normal(b.name), set()).add(b.step)

    def _take_unit(self, b: Binding) -> None:
        if b.scope:
            self.inside.add(b.name)
        written = self._written
        earlier, nameless = self._latest.get(b.name, -1), b.step in self._unnamed
        self.units.append(
            Unit(b.name, b.step, b.span, b.line, b.augmented, earlier, b.written, b.near, nameless, b.scope)
        )
        self._ends.add(b.step)
        before = written.get((b.name, b.line)) or written.get((b.name, _text(b, self._trace)), set())
        # What is taken out of a cache once more is what was put there, in whatever epoch.
        again = bool(before) and _hash(self._trace.values[b.step]) not in before | self._had.get(b.name, set())
        again = again and ((b.name, b.line) in written or not self._is_retyped(b.step))
        # What one layer keeps is what the one before it gave, and not what that layer kept; t0, t1 = t1, f(t1): in the
        # last round t0 is a value of the forward pass under another name.
        again = again and not self._forward[original(self._graph, b.step)]
        # Every round moves a parameter in one line, and that of every layer.
        again = again and not any(original(self._graph, j) in self._moved for j in self._graph.steps[b.step].inputs)
        again = again and not (b.scope and self._is_of_derivatives(b))
        if again and normal(b.name) in self._derived and not is_bare(b.name):
            # The line of the forward pass runs once more, and the loss knows nothing of it: what is derived from here
            # on under this name is no derivative of the loss. (A backward pass may well work out once more what forward
            # had: that is the same value.)
            self._dead.add(normal(b.name))
            self._beyond.add(b.step)

    def _is_of_derivatives(self, b: Binding) -> bool:
        """A function worked it out of a gradient that it was given: ``rope(dq, cos, -sin)``, whose ``out`` is no value
        of the forward pass, though the forward pass runs the function as well, or one with such a line."""
        outside = {u.step: u.name for u in self.units if u.scope != b.scope}
        stack, seen = [b.step], set[int]()
        while stack and len(seen) < MOST_NEAR:
            i = stack.pop()
            if i in outside and i != b.step:
                if any(claims(outside[i])) or is_bare(outside[i]):
                    return True
            elif i not in seen:
                seen.add(i)
                stack.extend(j for j in self._graph.steps[i].inputs if not self._forward[j])
        return False

    def _is_retyped(self, step: int) -> bool:
        """A number of the forward pass is typed in once more, and made of the same inputs: wrongly then, and of no
        other data. What was moved by a derivative is other data."""
        graph, forward = self._graph, self._forward
        derivatives = {u.step for u in self.units if any(claims(u.name)) or is_bare(u.name)}
        stack, seen = [step], set[int]()
        while stack and len(seen) < MOST_RETYPED:
            i = stack.pop()
            if graph.steps[i].shape or i in derivatives or (graph.steps[i].is_input and not forward[i]):
                return False
            if i not in seen:
                seen.add(i)
                stack.extend(j for j in graph.steps[i].inputs if not forward[j])
        return not stack


def _elsewhere(trace: Trace, graph: Graph, forward: Sequence[bool]) -> list[bool] | None:
    """For each step, whether it is made of other arrays than the loss, and of none of its own: what another cell of a
    notebook tries out, under the same names. ``None`` without arrays."""
    # What autograd has handed over is a gradient of the loss.
    given = {g.step for g in trace.grad_reads}
    mine = [i for i, s in enumerate(graph.steps) if s.is_input and s.shape and (forward[i] or i in given)]
    others = [i for i, s in enumerate(graph.steps) if s.is_input and s.shape and not forward[i] and i not in given]
    # Zeros that something is added up in are no data.
    others = [i for i in others if len(set(_flat(trace.values[i]))) > 1]
    if not mine or not others:
        return None
    near, far = graph.dependents(*mine), graph.dependents(*others)
    return [far[i] and not near[i] and not s.is_leaf for i, s in enumerate(graph.steps)]


def _flat(value: Any) -> list[float]:
    import numpy as np

    found: list[float] = np.asarray(value, dtype=np.float64).ravel()[:200].tolist()
    return found


def _hash(value: Any) -> int:
    """The same for the same value of a step."""
    if isinstance(value, float):
        return hash(value)
    import numpy as np

    return hash(np.asarray(value, dtype=np.float64).tobytes())


@lru_cache(maxsize=4)
def _lines(source: str) -> list[str]:
    return source.split("\n")


def _text(b: Binding, trace: Trace) -> str:
    """The right-hand side as it is written."""
    lines = _lines(trace.graph.source)
    if b.span.line != b.span.end_line or b.span.line > len(lines):
        return f"line {b.span.line}"
    return lines[b.span.line - 1][b.span.column - 1 : b.span.end_column - 1]


def _near(step: int, wanted: Collection[int], graph: Graph, ends: Collection[int]) -> bool:
    """A step is one of some others, or computed from one: looked for as far as the next assignments (``ends``)."""
    stack, seen = [step], set[int]()
    while wanted and stack and len(seen) < MOST_NEAR:
        i = stack.pop()
        if i in wanted:
            return True
        if i not in seen and (i == step or i not in ends):
            seen.add(i)
            stack.extend(graph.steps[i].inputs)
    return False
