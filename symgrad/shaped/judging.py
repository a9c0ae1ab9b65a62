"""Witnesses of a gradient by an array, entry by entry: proven values, rounding bounds, verdicts.

The exact gradient is proven on the graph of single numbers (:mod:`symgrad.ops.entries`), by the chain rule of single
numbers: it shares no rule for matrices with the pass that is shown. Autograd and that pass run in torch on the arrays
as they are; their rounding is modelled entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from symgrad import symbolic
from symgrad.backward import Backward, backward, same_rules
from symgrad.enclosure import OutsideDomain, Proof, Proven, precision, prove
from symgrad.errors import SymgradError
from symgrad.formats import Format
from symgrad.graph import Graph
from symgrad.judge import ROUNDING, VERDICTS, judge
from symgrad.judging import forward_step_of
from symgrad.ops import lower
from symgrad.ops.entries import Spread, bracket, spread
from symgrad.report.arrays import ArrayWitness
from symgrad.rounding import BITS, Bound, ErrorModel
from symgrad.shaped.points import of_objects

#: The symbolic witness runs number by number: it is not attempted beyond so many.
SYMBOLIC_STEPS = 3_000
#: Bounds are found by a sweep for each entry, up to so much work (entries times numbers); beyond, by one sweep for all.
SWEEPS = 4_000_000

#: So many entries of the worst verdict are named.
MOST_ENTRIES = 8

#: A verdict beside those of :mod:`symgrad.judge`.
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Proofs:
    """What was proven about a function of arrays at a point.

    Attributes:
        numbers: the function by single numbers, as it is defined.
        proof: of its value and of every derivative by one number.
        value: the function's value, an object array of balls; ``None`` for an entry that could not be proven.
        gradients: for each variable an object array of :class:`symgrad.enclosure.Proven`.
        reverse: the reverse pass by single numbers.
    """

    numbers: Spread
    proof: Proof
    value: Any
    gradients: tuple[Any, ...]
    reverse: Backward


def proven(graph: Graph, result: int, wrt: Sequence[int], values: Mapping[int, Any], names: Sequence[str]) -> Proofs:
    """Prove every entry of the gradients of ``graph.output``, a single number.

    Args:
        graph: the function, with an upstream gradient where the result is no single number.
        result: the step whose value is shown.
        wrt: the variables.
        values: exact values of the inputs, object arrays.
        names: of the steps, for messages.

    Raises:
        SymgradError: the point is outside the domain of a step; the entry is named.
    """
    with precision(BITS):
        numbers = spread(graph, [graph.output, result], values)
    at = {int(p): v for i, array in values.items() for p, v in _entries(numbers.place[i], array)}
    variables = [int(p) for i in wrt if numbers.place[i] is not None for p in numbers.place[i].reshape(-1)]
    reverse = backward(numbers.graph, variables, "accurate")
    try:
        proof = prove(reverse, at)
    except OutsideDomain as problem:
        where = entry_name(numbers, graph, problem.index, names)
        raise OutsideDomain(f"{problem.message}, at {where}", numbers.graph, problem.index) from None
    known = iter(proof.gradients)
    gradients = []
    for i in wrt:
        shape = graph.steps[i].shape
        filled = np.empty(math.prod(shape), dtype=object)
        for flat in range(filled.size):
            filled[flat] = Proven(arb(0)) if numbers.place[i] is None else next(known)
        gradients.append(filled.reshape(shape))
    place = numbers.place[result]
    balls = np.empty(place.size, dtype=object)
    for flat, p in enumerate(place.reshape(-1)):
        balls[flat] = proof.steps[p]
    return Proofs(numbers, proof, balls.reshape(place.shape), tuple(gradients), reverse)


def _entries(place: Any, array: Any) -> list[tuple[Any, Any]]:
    return (
        [] if place is None else list(zip(place.reshape(-1), np.asarray(array, dtype=object).reshape(-1), strict=True))
    )


def entry_name(numbers: Spread, graph: Graph, index: int, names: Sequence[str]) -> str:
    """What a person calls a single number: ``u1[2]``."""
    step = numbers.origin[index]
    name = names[step] if step < len(names) and names[step] else graph.steps[step].name
    return numbers.label(index, name, graph.steps[step].shape)


# --- witnesses ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Computed:
    """What a witness computed for each gradient, and how far each entry of it may be off.

    Attributes:
        values: for each gradient a float64 array; ``None`` where it was not attempted, and ``note`` says why.
        bounds: for each gradient an object array of bounds.
        lost: names the step at which a bound says that digits were lost.
    """

    values: tuple[Any, ...] | None
    bounds: tuple[Any, ...] = ()
    lost: Callable[[Bound], str] = lambda bound: ""
    note: str = ""

    def judge(self, n: int, truths: Any, fmt: Format, name: str) -> ArrayWitness:
        """Hold one gradient against the proven values."""
        if self.values is None:
            return ArrayWitness(None, {}, SKIPPED, note=self.note)
        values, bounds = self.values[n], self.bounds[n]
        worst: tuple[int, float] | None = None
        found: tuple[Any, ...] = ()
        named: dict[str, list[int]] = {}
        pairs = zip(values.reshape(-1).tolist(), truths.reshape(-1), bounds.reshape(-1), strict=True)
        for flat, (value, truth, bound) in enumerate(pairs):
            verdict = judge(value, truth, bound, fmt)
            named.setdefault(verdict.verdict, []).append(flat)
            share = verdict.in_bounds
            key = (VERDICTS.index(verdict.verdict), 0.0 if math.isnan(share) else share)
            if worst is None or key > worst:
                worst, found = key, (flat, value, verdict, bound)
        if worst is None:
            return ArrayWitness(values.tolist(), {}, VERDICTS[0])
        flat, value, verdict, bound = found
        lost = self.lost(bound) if verdict.verdict == ROUNDING else ""
        note = (
            f"{fmt.name} overflows there" if lost and not math.isfinite(verdict.bound) and bound.overflow >= 0 else ""
        )
        entry = name + bracket(flat, values.shape)
        counts = {kind: len(places) for kind, places in named.items()}
        worse = named[verdict.verdict][:MOST_ENTRIES] if verdict.verdict != VERDICTS[0] else []
        entries = tuple(name + bracket(n, values.shape) for n in worse)
        return ArrayWitness(
            values.tolist(),
            counts,
            verdict.verdict,
            entry,
            entries,
            value,
            verdict.difference,
            verdict.bound,
            lost,
            note,
        )


class Runner:
    """Runs the witnesses of one function at one point.

    Args:
        graph: as for :func:`proven`.
        wrt: the variables.
        values: exact values of the inputs.
        fmt: the format that torch computes in; ``device``: where.
        names: of the forward steps.
    """

    def __init__(
        self,
        graph: Graph,
        wrt: Sequence[int],
        values: Mapping[int, Any],
        fmt: Format,
        device: str,
        names: Sequence[str],
    ) -> None:
        import torch

        from symgrad import evaluate

        self.graph, self.wrt, self.values, self.fmt, self.names = graph, tuple(wrt), values, fmt, names
        self.dtype, self.device = evaluate.torch_dtype(fmt), evaluate.torch_device(device)
        self.tensors = {
            i: torch.tensor(v.astype(np.float64), dtype=self.dtype, device=self.device) for i, v in values.items()
        }

    def symbolic(self, proofs: Proofs) -> Computed:
        """The derivative by single numbers, with the local factors that SymPy confirms."""
        import torch

        from symgrad import evaluate

        graph = proofs.numbers.graph
        size = len(proofs.reverse.graph)
        if size > SYMBOLIC_STEPS:
            return Computed(None, note=f"not attempted: {size} numbers, and it takes at most {SYMBOLIC_STEPS}")
        with precision(proofs.proof.bits):
            rules = symbolic.confirmed_rules(graph, proofs.proof.steps)
        reverse = proofs.reverse if rules == "accurate" else backward(graph, proofs.reverse.wrt, rules)
        low = lower(reverse.graph)
        at = {int(p): v for i, array in self.values.items() for p, v in _entries(proofs.numbers.place[i], array)}
        exact = {low.place[i]: v for i, v in at.items()}
        targets = [low.place[t] for t in reverse.gradients]
        model = ErrorModel(low.graph, exact, self.fmt, targets)
        placed = {i: torch.tensor(float(v), dtype=self.dtype, device=self.device) for i, v in exact.items()}
        ran = evaluate.run(low.graph, placed, targets, dtype=self.dtype, device=self.device, compensated=True)
        numbers = iter([float(v) for v in ran])
        positions = iter(targets)
        values, bounds = [], []
        for i in self.wrt:
            shape = self.graph.steps[i].shape
            known = proofs.numbers.place[i] is not None
            found = [next(numbers) if known else 0.0 for _ in range(math.prod(shape))]
            values.append(np.array(found, dtype=np.float64).reshape(shape))
            limits = [model.bound(next(positions)) if known else Bound(arb(0), -1, -1) for _ in range(math.prod(shape))]
            bounds.append(of_objects(limits, shape))

        def lost(bound: Bound) -> str:
            number = forward_step_of(reverse.graph, low.origin[bound.lost_at], len(graph))
            return self._named(proofs.numbers.origin[number])

        return Computed(tuple(values), tuple(bounds), lost)

    def autograd(self, taught: Backward, shared: Computed | None = None) -> Computed:
        """What torch differentiates by itself.

        ``shared`` is what the taught pass computed: where torch's backward has the same rules, the bounds are the same.
        """
        from symgrad import evaluate

        low = lower(self.graph)
        placed = {low.place[i]: v for i, v in self.tensors.items()}
        variables = [low.place[i] for i in self.wrt]
        _, found = evaluate.autograd(low.graph, placed, variables, dtype=self.dtype, device=self.device)
        if shared is not None and low.graph is self.graph and same_rules(taught, "autograd", "taught"):
            return Computed(tuple(map(_array, found)), shared.bounds, shared.lost)
        theirs = backward(low.graph, variables, "autograd")
        bounds, lost = self._model(theirs, low.origin, {low.place[i]: v for i, v in self.values.items()})
        return Computed(tuple(map(_array, found)), bounds, lost)

    def taught(self, reverse: Backward) -> Computed:
        """The pass that is shown, step by step."""
        return self.run(reverse, reverse.gradients)

    def run(self, reverse: Backward, targets: Sequence[int]) -> Computed:
        """Any steps of a graph that extends the function."""
        from symgrad import evaluate

        low = lower(reverse.graph)
        wanted = [low.place[t] for t in targets]
        placed = {low.place[i]: v for i, v in self.tensors.items()}
        found = evaluate.run(low.graph, placed, wanted, dtype=self.dtype, device=self.device)
        values = []
        for t, v in zip(targets, found, strict=True):
            shape = reverse.graph.steps[t].shape
            values.append(np.broadcast_to(_array(v), shape))
        bounds, lost = self._model(reverse, range(len(reverse.graph)), self.values, targets)
        return Computed(tuple(values), bounds, lost)

    def _model(
        self, reverse: Backward, origin: Sequence[int], values: Mapping[int, Any], targets: Sequence[int] | None = None
    ) -> tuple[tuple[Any, ...], Callable[[Bound], str]]:
        """Rounding bounds of every entry, and how to name the step that a bound blames."""
        low = lower(reverse.graph)
        steps = [low.place[t] for t in (reverse.gradients if targets is None else targets)]
        exact = {low.place[i]: v for i, v in values.items()}
        with precision(BITS):
            numbers = spread(low.graph, steps, exact, gathered=True)
        at = {int(p): v for i, array in exact.items() for p, v in _entries(numbers.place[i], array)}
        wanted = [int(p) for t in steps for p in numbers.place[t].reshape(-1)]
        model = ErrorModel(numbers.graph, at, self.fmt, wanted)
        find = model.bound if len(set(wanted)) * len(numbers.graph) <= SWEEPS else model.rough
        bounds = tuple(
            of_objects([find(int(p)) for p in numbers.place[t].reshape(-1)], low.graph.steps[t].shape) for t in steps
        )

        def lost(bound: Bound) -> str:
            if bound.lost_at < 0:
                return ""
            step = low.origin[numbers.origin[bound.lost_at]]
            forward = forward_step_of(reverse.graph, step, reverse.forward)
            return self._named(origin[forward])

        return bounds, lost

    def _named(self, step: int) -> str:
        return self.names[step] if step < len(self.names) else ""


def _array(tensor: Any) -> Any:
    """A tensor of any dtype and device as float64, which holds all of them."""
    import torch

    return tensor.detach().to(device="cpu", dtype=torch.float64).numpy()


def worst(verdicts: Sequence[str]) -> str:
    """The worst of several verdicts; what was not attempted does not count."""
    return max((v for v in verdicts if v != SKIPPED), key=VERDICTS.index, default=VERDICTS[0])


def refused(problem: SymgradError) -> bool:
    """Whether another point may do better."""
    return isinstance(problem, OutsideDomain)
