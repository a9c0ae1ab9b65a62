"""What a traced run leaves behind: plain data, which crosses the sandbox's wall as JSON and as nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from symgrad.errors import Span, SymgradError, Unsupported
from symgrad.graph import Graph, Step
from symgrad.swift import swift

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: The value of a step: a float, or an array of float64 for a shaped one, which nobody writes into.
    Number = float | NDArray[np.float64]


@swift
@dataclass(frozen=True, slots=True)
class Binding:
    """One assignment of a traced value to a name.

    Attributes:
        name: as the user would write it: ``dx``, ``self.dW``, ``grads["x"]``, ``hs[3]``.
        step: the step that the name stands for from here on.
        span: the right-hand side, or the whole statement of an augmented assignment.
        line: of the target.
        scope: ``""`` at module level, else the function's qualified name, ``#`` and the number of the call.
        order: position among all bindings of the run.
        augmented: ``""``, or the operator as written: ``"+="``.
        written: the target as it stands in the line, where the name is its object's: ``self.grad`` for ``a.grad``.
        near: what such a line has at hand, (text, step): ``("other.data", 3)``.
        is_number: it is the number of such an object, whatever that is called, and no gradient.
    """

    name: str
    step: int
    span: Span
    line: int
    scope: str
    order: int
    augmented: str = ""
    written: str = ""
    near: tuple[tuple[str, int], ...] = ()
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number that the user named: an ``input`` step of the graph.

    Attributes:
        requires_grad: torch was asked for its gradient.
        literal: the right-hand side is a number as written, not something computed.
        dtype: ``"float64"``, ``"float32"`` (torch's default), ``"int64"``, ...
        scope: as for :class:`Binding`.
    """

    name: str
    step: int
    span: Span
    requires_grad: bool = False
    literal: bool = False
    dtype: str = "float64"
    scope: str = ""


@dataclass(frozen=True, slots=True)
class BackwardCall:
    """``y.backward()``: the step of ``y``, and where.

    Attributes:
        step: of what is differentiated: a number; ``sum(y*g)`` for ``y.backward(g)``.
        by_hand: a ``torch.autograd.Function`` of the file's took part with a backward of its own.
    """

    step: int
    span: Span
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class GradRead:
    """``x.grad`` was read: ``step`` is an input-like step that holds autograd's number for ``target``."""

    target: int
    step: int
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was evaluated as a constant, or left out, and where."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Given:
    """What a parameter of a called function was.

    Attributes:
        words: its value or shape as messages show it: ``4x3``.
        shape: of a number or an array; ``None`` for what is none: a dictionary, a setting.
        whole: it was an array of whole numbers: labels.
        parts: of a dictionary of arrays of numbers, their shapes.
    """

    name: str
    words: str
    shape: tuple[int, ...] | None = None
    whole: bool = False
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.words}"


@dataclass(frozen=True, slots=True)
class Call:
    """Functions of the traced file that were called when it had run: a forward and a backward pass.

    Attributes:
        forward, backward: their names, as in ``Affine.backward``; the second is empty where one function does both.
        loss: the name under which what is differentiated is bound; empty where the run did not come so far.
        gradients: name under which a returned gradient is bound -> the step that it is the gradient of.
        missing: (input, place) of a gradient that should have been returned and was ``None``.
        notes: what is to be said besides.
        inputs: what the functions were called with.
    """

    forward: str
    backward: str
    loss: str = ""
    gradients: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[tuple[str, Span], ...] = ()
    notes: tuple[tuple[str, Span], ...] = ()
    inputs: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """A round of a loop that trains: its steps begin at ``start``, those of the loop at ``begun``."""

    begun: int
    start: int


@dataclass(frozen=True, slots=True)
class TraceError:
    """Why the run stopped.

    ``kind`` is ``"syntax"`` (does not parse), ``"refused"`` (the sandbox does not allow it), ``"limit"`` (time,
    memory, output, depth), ``"time"`` (its time was over, where what is recorded is whole), ``"call"`` (its functions
    cannot be called as asked), ``"unsupported"`` (cannot be traced
    yet) or ``"exception"`` (the user's code raised). ``frames`` are the places in the text that were being executed,
    the innermost first: what their loops and functions were to do next was not done.
    """

    kind: str
    message: str
    span: Span | None = None
    hint: str = ""
    frames: tuple[Span, ...] = ()

    @property
    def fatal(self) -> bool:
        """Nothing traced before it may be used."""
        return self.kind in ("syntax", "refused", "limit", "call")

    def exception(self, source: str) -> SymgradError:
        """The same as an exception to raise."""
        make = Unsupported if self.kind == "unsupported" else SymgradError
        made = make(self.message, self.span, source=source, hint=self.hint)
        made.kind = self.kind
        return made


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole run.

    Attributes:
        graph: every number that flowed; its output is the last ``.backward()``'s step, else the last step.
        values: float64 value of each step at the user's point. As it comes out of the sandbox those of arrays that were
            written into are missing: see ``writes.whole``.
        bindings: every assignment of a traced value to a name, in order.
        leaves: the numbers that the user named.
        backward_calls: where torch's autograd was started.
        grad_reads: where its result was read.
        callers: for steps made inside a function of the script, where that function was called.
        cuts: steps that a gradient does not flow through: ``.detach()``.
        prints: what the script printed, line by line.
        notes: what was evaluated as a constant since it could not be traced.
        error: why the run stopped before its end; what was traced before it is kept.
        call: of functions that were called, what became of that.
        passes: forward and backward passes that the file holds and does not run itself: (forward, backward).
        offered: all such passes, whether the file runs anything or not.
        asked: of the functions of these, what the file itself calls them with: (function, parameter -> plain value).
        elsewhere: for named steps made in an imported file, its name, the line, and that line's text.
        returned: what the backward of a Function of torch's returned, as (name, the step that it is the gradient of).
        rounds: of the loops that train, in the order in which they began.
        compared: pairs of steps that the script says should be equal.
        shown: the steps that it prints in one line, of each such line the last; the lines in order.
        roundings: steps that are what others were rounded to.
        hurried: a loop was ended after a few rounds; what failed after it may have failed for want of the others.
    """

    graph: Graph
    values: tuple[Number, ...]
    bindings: tuple[Binding, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    backward_calls: tuple[BackwardCall, ...] = ()
    grad_reads: tuple[GradRead, ...] = ()
    callers: Mapping[int, Span] = field(default_factory=dict)
    cuts: tuple[int, ...] = ()
    prints: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    error: TraceError | None = None
    call: Call | None = None
    passes: tuple[tuple[str, str], ...] = ()
    offered: tuple[tuple[str, str], ...] = ()
    asked: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    elsewhere: Mapping[int, tuple[str, int, str]] = field(default_factory=dict)
    returned: tuple[tuple[str, int], ...] = ()
    rounds: tuple[Round, ...] = ()
    hurried: bool = False
    compared: tuple[tuple[int, int], ...] = ()
    shown: tuple[tuple[int, ...], ...] = ()
    roundings: Mapping[int, int] = field(default_factory=dict)

    def relocated(self, steps: Sequence[Step], values: Sequence[Number], moved: Callable[[int], int]) -> Trace:
        """The same run with more steps, or fewer.

        Args:
            moved: where a step stands now, or the one that stands for it; negative where it is gone, and with it what
                was said of it.
        """

        def left(*indices: int) -> bool:
            return all(moved(i) >= 0 for i in indices)

        def begins(i: int) -> int:
            return next((new for k in range(i, len(self.graph)) if (new := moved(k)) >= 0), len(steps))

        output = moved(self.graph.output)
        call = self.call
        if call is not None:
            call = replace(call, gradients={name: moved(i) for name, i in call.gradients.items() if left(i)})
        return replace(
            self,
            graph=Graph(tuple(steps), output if output >= 0 else len(steps) - 1, self.graph.source),
            values=tuple(values),
            bindings=tuple(
                b
                if moved(b.step) == b.step and not b.near
                else replace(b, step=moved(b.step), near=tuple((text, moved(i)) for text, i in b.near))
                for b in self.bindings
                if left(b.step, *(i for _, i in b.near))
            ),
            leaves=tuple(replace(f, step=moved(f.step)) for f in self.leaves if left(f.step)),
            backward_calls=tuple(replace(c, step=moved(c.step)) for c in self.backward_calls if left(c.step)),
            returned=tuple((name, moved(i)) for name, i in self.returned if left(i)),
            rounds=tuple(Round(begins(r.begun), begins(r.start)) for r in self.rounds),
            grad_reads=tuple(
                replace(g, step=moved(g.step), target=moved(g.target))
                for g in self.grad_reads
                if left(g.step, g.target)
            ),
            callers={moved(i): s for i, s in self.callers.items() if left(i)},
            cuts=tuple(moved(i) for i in self.cuts if left(i)),
            compared=tuple((moved(i), moved(j)) for i, j in self.compared if left(i, j)),
            shown=tuple(tuple(map(moved, some)) for some in self.shown if left(*some)),
            roundings={moved(i): moved(j) for i, j in self.roundings.items() if left(i, j)},
            elsewhere={moved(i): place for i, place in self.elsewhere.items() if left(i)},
            call=call,
        )

    def until(self, end: int) -> Trace:
        """The run up to a step, itself not included: nothing is said of what comes after it."""
        begun = replace(self, rounds=())
        before = begun.relocated(self.graph.steps[:end], self.values[:end], lambda i: i if i < end else -1)
        return replace(before, rounds=tuple(r for r in self.rounds if r.start < end))
