"""What an assignment's right answer is, and whether a run of a submission holds it.

The reference's forward pass is traced and differentiated; its gradients, at the assignment's point and at others near
it, are what decides about a submission's results. A submission's own run is a graph as well: it is evaluated at the
same points, so that neither a number that was written down, nor a function that is another one, passes for right.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.arrays import Program
from symgrad.cutting.subject import read_as
from symgrad.diagnose.meaning import differences
from symgrad.diagnose.text.naming import LOSS_NAMES, claims, key_of, normal
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.data import Trace
from symgrad.grading.assignment import Assignment
from symgrad.graph import Graph
from symgrad.reference import Reference, ratio, reference, same

#: Runs a text, with functions to be called or values of its names: the sandbox's, warm or not.
Runner = Callable[..., Trace]

#: What may have become of a gradient.
RIGHT, WRONG, MISSING, REVIEW = "right", "wrong", "missing", "review"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right.

    Attributes:
        reference: the values, at several points.
        gradients: the inputs whose gradients are asked for.
        result: the name of what is differentiated; may be empty.
        given: values of top-level names, as the sandbox takes them.
        plan: which functions are called, and with what; ``None`` for scripts.
    """

    reference: Reference
    gradients: tuple[str, ...]
    result: str
    given: Mapping[str, Any]
    plan: Plan | None = None

    @property
    def scale(self) -> float:
        """The size of the result."""
        return float(max(np.max(np.abs(r), initial=0.0) for r in self.reference.results))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one gradient in a submission.

    Attributes:
        name: of the input; status: right, wrong, missing or review.
        found_as: the name under which the submission has it; empty if it has none.
        note: what there is to say.
    """

    name: str
    status: str
    found_as: str = ""
    note: str = ""


# --- the truth ------------------------------------------------------------------------------------------------------


def truth_of(assignment: Assignment, run: Runner) -> Truth:
    """Work out what is right.

    Args:
        run: runs the reference: ``run(text, name, plan=..., given=...)``.

    Raises:
        SymgradError: the assignment contradicts itself, or its reference cannot be used.
    """
    drawn = {n: _drawn(n, what, assignment.seed) for n, what in assignment.inputs.items()}
    given = {n: {"value": v.tolist() if isinstance(v, np.ndarray) else v} for n, v in drawn.items()}
    if assignment.expression:
        return _of_expression(assignment, drawn, given)
    if assignment.calls:
        return _of_functions(assignment, drawn, run)
    trace = run(assignment.reference, assignment.reference_name, given=given)
    if trace.error is not None:
        raise trace.error.exception(assignment.reference)
    named = [b for b in trace.bindings if not trace.graph.steps[b.step].is_leaf]
    if assignment.result:
        named = [b for b in named if b.name == assignment.result]
        if not named:
            known = list(dict.fromkeys(b.name for b in trace.bindings))
            raise SymgradError(f"the reference has no '{assignment.result}'{did_you_mean(assignment.result, known)}")
    if not named:
        raise SymgradError("the reference computes nothing")
    result = named[-1]
    leaves, base = _leaves(trace)
    wrt = assignment.gradients or _wrt(trace, result.step, leaves)
    for name in wrt:
        if name not in leaves:
            raise SymgradError(f"the reference has no input '{name}'{did_you_mean(name, leaves)}",
                               hint=f"its inputs are {', '.join(leaves)}")  # fmt: skip
    graph = Graph(trace.graph.steps, result.step, trace.graph.source)
    if graph.steps[result.step].shape:
        raise SymgradError(f"the reference's {result.name} is an array: say result = ..., a single number")
    needed = graph.ancestors(result.step)
    # What submissions are given is what the reference itself assigns: so all have the same point.
    values = {n: v for n, v in base.items() if needed[leaves[n]]}
    given = {n: {"value": v.tolist()} for n, v in values.items() if n.isidentifier()} | given
    found = reference(graph, values, wrt, seed=assignment.seed, inputs=leaves, fixed=_fixed(trace))
    return Truth(found, tuple(wrt), result.name, given)


def _of_expression(assignment: Assignment, drawn: Mapping[str, Any], given: Mapping[str, Any]) -> Truth:
    from symgrad.checking import read_target
    from symgrad.shaped.checking import function_of

    shapes = {n: np.shape(v) for n, v in drawn.items()}
    shaped = any(shapes.values())
    graph = function_of(assignment.expression, shapes) if shaped else read_target(assignment.expression)
    needed = graph.ancestors(graph.output)
    missing = [n for n, i in graph.variables.items() if needed[i] and n not in drawn]
    if missing:
        raise SymgradError(f"no value for {', '.join(missing)}", hint="[inputs] gives each a value or a shape")
    wrt = assignment.gradients or tuple(n for n, i in graph.variables.items() if needed[i])
    found = reference(graph, drawn, wrt, seed=assignment.seed)
    name = assignment.result or graph.steps[graph.output].name
    return Truth(found, tuple(wrt), "" if name.startswith("%") else name, given)


def _of_functions(assignment: Assignment, drawn: Mapping[str, Any], run: Runner) -> Truth:
    values = {n: (v.tolist() if isinstance(v, np.ndarray) else v) for n, v in drawn.items()}
    plan = Plan(
        assignment.forward, assignment.backward, values=values, returns=assignment.returns, seed=assignment.seed
    )  # fmt: skip
    trace = run(assignment.reference, assignment.reference_name, plan=plan)
    call = trace.call
    if trace.error is not None or call is None or not call.loss:
        if trace.error is not None:
            raise trace.error.exception(assignment.reference)
        raise SymgradError("the reference's functions could not be called")
    loss = next(b.step for b in reversed(trace.bindings) if b.name == call.loss)
    graph = Graph(trace.graph.steps, loss, trace.graph.source)
    leaves, base = _leaves(trace)
    held = {i: name for name, i in leaves.items()}
    asked = tuple(dict.fromkeys(held[i] for i in call.gradients.values() if i in held))
    for name in assignment.gradients:
        if name not in asked:
            raise SymgradError(f"the reference returns no gradient of '{name}'{did_you_mean(name, asked)}")
    needed = graph.ancestors(loss)
    point = {n: v for n, v in base.items() if needed[leaves[n]]}
    wrt = assignment.gradients or asked
    found = reference(graph, point, wrt, seed=assignment.seed, inputs=leaves, fixed=_fixed(trace))
    truth = Truth(found, wrt, "", {}, plan)
    for outcome in outcomes(trace, truth, assignment):
        if outcome.status != RIGHT:
            raise SymgradError(f"the reference's own gradient of {outcome.name} is {outcome.status}: {outcome.note}")
    return truth


def _drawn(name: str, what: Mapping[str, Any], seed: int) -> Any:
    """An input's value: as given, or numbers of its own, no two alike."""
    if "shape" in what:
        source = np.random.default_rng([seed, zlib.crc32(name.encode())])
        return np.round(source.standard_normal(tuple(what["shape"])), 6)
    value = what["value"]
    made = np.array(value) if isinstance(value, list) and value else None
    return made if made is not None and made.dtype.kind in "iuf" else value


def _leaves(trace: Trace) -> tuple[dict[str, int], dict[str, Any]]:
    """The numbers that a run was given names for: name -> step, and name -> value; of several the first."""
    places: dict[str, int] = {}
    values: dict[str, Any] = {}
    for name, step, value in _named(trace):
        if name not in places:
            places[name], values[name] = step, value
    return places, values


def _named(trace: Trace) -> list[tuple[str, int, Any]]:
    """The inputs of a run: (name, step, value). What was put straight into a dictionary is called as it is read."""
    own = {leaf.step: leaf.name for leaf in trace.leaves}
    read = read_as(trace.graph, [True] * len(trace.graph), own)
    pairs = [*((leaf.name, leaf.step) for leaf in trace.leaves), *((name, i) for i, name in read.items())]
    return [(name, i, np.asarray(trace.values[i], dtype=np.float64)) for name, i in pairs]


def _fixed(trace: Trace) -> dict[int, Any]:
    """The value of every input step, whether it has a name or not."""
    return {i: trace.values[i] for i, s in enumerate(trace.graph.steps) if s.is_input}


def _wrt(trace: Trace, result: int, leaves: Mapping[str, int]) -> tuple[str, ...]:
    needed = Graph(trace.graph.steps, result).ancestors(result)
    return tuple(n for n, i in leaves.items() if needed[i])


# --- a submission ---------------------------------------------------------------------------------------------------


class Held:
    """A submission's run at the points of the truth: the value of every named step."""

    def __init__(self, trace: Trace, truth: Truth) -> None:
        self.trace, self.truth = trace, truth
        self.mapped = mapping(trace, truth)
        self.steps = sorted({b.step for b in trace.bindings})
        self._program = Program(trace.graph, self.steps)
        self._place = {i: n for n, i in enumerate(self.steps)}
        self._tables: list[list[Any] | None] = [None] * len(truth.reference.points)

    def at(self, n: int, step: int) -> Any:
        """The value of a named step at point ``n``; ``None`` where it cannot be computed there."""
        if self._tables[n] is None:
            point = self.truth.reference.points[n]
            values = {i: self.trace.values[i] for i, s in enumerate(self.trace.graph.steps) if s.is_input}
            values |= {i: point[name] for i, name in self.mapped.items()}
            try:
                self._tables[n] = self._program(values)
            except SymgradError:
                self._tables[n] = [None] * len(self.steps)
        table = self._tables[n]
        assert table is not None
        return table[self._place[step]]

    def is_right(self, step: int, values: Sequence[Any]) -> bool:
        """A step has these values, one for each point."""
        scale = self.truth.scale
        return all((v := self.at(n, step)) is not None and same(v, right, scale) for n, right in enumerate(values))

    @property
    def is_complete(self) -> bool:
        """All inputs of the truth are there."""
        return set(self.truth.reference.points[0]) <= set(self.mapped.values())

    @cached_property
    def result(self) -> int:
        """The step that is the function that was asked for; -1 where the submission does not compute it."""
        found = [step for step in self.steps if self.is_right(step, self.truth.reference.results)]
        return found[0] if found else -1

    @cached_property
    def forward(self) -> list[bool]:
        """Which steps the function is made of."""
        graph = self.trace.graph
        if self.result < 0:
            return [False] * len(graph)
        out = graph.ancestors(self.result)
        out[self.result] = True
        return out


def mapping(trace: Trace, truth: Truth) -> dict[int, str]:
    """Input steps of a submission's run -> the inputs that they are: by their names, or else by their values."""
    base = truth.reference.points[0]
    leaves = _named(trace)
    out: dict[int, str] = {}
    for name, value in base.items():
        called = {normal(name), normal(key_of(name))}
        named = [(i, v) for n, i, v in leaves if {normal(n), normal(key_of(n))} & called and v.shape == value.shape]
        equal = [i for i, v in named if np.array_equal(v, value)]
        if equal or named:
            out |= dict.fromkeys(equal or [named[0][0]], name)
    for name, value in base.items():
        if name not in out.values():
            alike = [i for _, i, v in leaves if i not in out and v.shape == value.shape and np.array_equal(v, value)]
            if len(set(alike)) == 1:
                out[alike[0]] = name
    return out


def outcomes(trace: Trace, truth: Truth, assignment: Assignment) -> list[Outcome]:
    """What became of each gradient that is asked for."""
    held = Held(trace, truth)
    quotients = differences.quotients(trace)
    read = {g.step for g in trace.grad_reads}
    return [_outcome(name, held, assignment, quotients, read) for name in truth.gradients]


def _outcome(name: str, held: Held, assignment: Assignment, quotients: set[int], read: set[int]) -> Outcome:
    right = held.truth.reference.gradients[name]
    found = list(_candidates(name, held, assignment))
    if not found:
        # Under whatever name: a right answer is right. Unless the forward pass holds that value anyway.
        forward = held.forward
        for b in reversed(held.trace.bindings):
            if held.is_right(b.step, right):
                if forward[b.step]:
                    note = f"no line is called a gradient of {name}; {b.name} has its value"
                    return Outcome(name, REVIEW, b.name, note)
                return _by_hand(Outcome(name, RIGHT, b.name, f"found as {b.name}"), b.step, held, quotients, read)
        return Outcome(name, MISSING, "", "no line gives this gradient")
    called, step = found[-1]
    if held.is_right(step, right):
        return _by_hand(Outcome(name, RIGHT, called), step, held, quotients, read)
    if _depends(held.trace.graph, step, read):
        return Outcome(name, REVIEW, called, "this is autograd's number, and not derived by hand")
    first = held.at(0, step)
    if first is not None and same(first, right[0], held.truth.scale):
        known = name in held.mapped.values()
        why = "it is a number that was written down" if known else f"the input {name} is not to be found"
        return Outcome(name, REVIEW, called, f"right at the given values only: {why}")
    stem = called.split("[", maxsplit=1)[0]
    for b in held.trace.bindings:  # a list that was turned round or sorted: its entries are called as they were before
        if "[" in b.name and b.name.split("[", maxsplit=1)[0] == stem and held.is_right(b.step, right):
            return _by_hand(Outcome(name, RIGHT, b.name, f"found as {b.name}"), b.step, held, quotients, read)
    earlier = [n for n, i in found[:-1] if held.is_right(i, right)]
    if earlier:
        return Outcome(name, REVIEW, called, f"{earlier[-1]} was right, and was changed after that")
    factor = None if first is None else ratio(first, right[0])
    if factor is not None and not any(
        (v := held.at(n, step)) is None or not same(v, factor * np.asarray(r)) for n, r in enumerate(right)
    ):
        choice = assignment.rubric.conventions
        if abs(factor + 1) < 1e-9 and choice != "wrong":
            status = RIGHT if choice == "right" else REVIEW
            return Outcome(name, status, called, "this is the negative of the gradient")
        return Outcome(name, WRONG, called, f"this is {factor:.6g} times the gradient")
    forward = held.forward
    for b in reversed(held.trace.bindings):
        if not forward[b.step] and held.is_right(b.step, right):
            return Outcome(name, REVIEW, called, f"{called} is wrong, and {b.name} has the right value")
    return Outcome(name, WRONG, called)


def _by_hand(outcome: Outcome, step: int, held: Held, quotients: set[int], read: set[int]) -> Outcome:
    """A right value that was not derived is for a person to judge."""
    if _depends(held.trace.graph, step, read):
        return Outcome(outcome.name, REVIEW, outcome.found_as, "this is autograd's number, and not derived by hand")
    if _depends(held.trace.graph, step, quotients):
        return Outcome(outcome.name, REVIEW, outcome.found_as, "this is a difference quotient, and not derived by hand")
    return outcome


def _depends(graph: Graph, step: int, on: set[int]) -> bool:
    if not on:
        return False
    needed = graph.ancestors(step)
    return any(needed[i] or i == step for i in on)


def _candidates(name: str, held: Held, assignment: Assignment) -> Iterator[tuple[str, int]]:
    """What a submission may mean by the gradient of an input: (name, step), in order."""
    trace = held.trace
    if trace.call is not None and trace.call.loss:
        for called, leaf in trace.call.gradients.items():
            if held.mapped.get(leaf) == name:
                yield from ((called, b.step) for b in trace.bindings if b.name == called)
        return
    wanted = assignment.names.get(name, ())
    explicit = [(b.name, b.step) for b in trace.bindings if b.name in wanted]
    if explicit:
        yield from explicit
        return
    bottoms = {normal(name), normal(key_of(name))}
    tops = {"", normal(held.truth.result), *LOSS_NAMES}
    forward = {i for i in held.mapped if held.mapped[i] == name}
    for b in trace.bindings:
        if b.step not in forward and any(c.bottom in bottoms and c.top in tops for c in claims(b.name)):
            yield b.name, b.step


__all__ = ["MISSING", "REVIEW", "RIGHT", "WRONG", "Held", "Outcome", "Truth", "outcomes", "truth_of"]
