"""The steps of a graph as instructions on buffers, which are planned by liveness and used again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad import evaluate
from symgrad.graph import Graph
from symgrad.ops.inplace import INPLACE, Kernel, square
from symgrad.ops.values import number


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of a blocked evaluation.

    Attributes:
        run: ``(torch, buffer, *inputs)`` writes into a buffer; ``None`` where ``call`` returns a new tensor.
        call: the op's function in torch, for ops without such a kernel.
        inputs: numbers, or names of slots: ``("b", n)`` a buffer, ``("x", n)`` an input, ``("t", n)`` a tensor.
        out: the slot that it fills.
        frees: tensors that are not needed after it.
    """

    run: Kernel | None
    call: Callable[..., Any] | None
    inputs: tuple[Any, ...]
    out: tuple[str, int]
    frees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The instructions for one graph, how many buffers they need, and where the results are."""

    instructions: tuple[Instruction, ...]
    buffers: int
    results: tuple[Any, ...]


def plan(graph: Graph, inputs: Sequence[int], targets: Sequence[int]) -> Plan:
    """Plan a lowered graph of single numbers: which buffer each step writes to, by liveness.

    A buffer is used again as soon as the last step that reads it is reached: kernels may write over their inputs.
    """
    needed, folded = _needed(graph, targets)
    last: dict[int, int] = {}
    for i in range(len(graph)):
        if needed[i]:
            for j in _inputs(graph, i, folded):
                last[j] = i
    wanted = set(targets)
    place: dict[int, Any] = {p: ("x", n) for n, p in enumerate(inputs)}
    free: list[int] = []
    count = 0
    instructions = []
    for i, step in enumerate(graph.steps):
        if not needed[i] or step.is_input:
            continue
        if step.is_const:
            place[i] = number(step.value)
            continue
        used = _inputs(graph, i, folded)
        arguments = tuple(place[j] for j in used)
        if not any(isinstance(a, tuple) for a in arguments):
            place[i] = _folded(step.op, arguments)
            continue
        done = [place[j] for j in dict.fromkeys(used) if last[j] == i and j not in wanted]
        frees = tuple(slot[1] for slot in done if _is(slot, "t"))
        run = folded.get(i) or INPLACE.get(step.op)
        if run is not None:
            free += [slot[1] for slot in done if _is(slot, "b")]
            if not free:
                free.append(count)
                count += 1
            place[i] = ("b", free.pop())
            instructions.append(Instruction(run, None, arguments, place[i], frees))
        else:
            # Its result is a tensor of its own, so buffers are free only after it.
            place[i] = ("t", i)
            instructions.append(Instruction(None, evaluate.function(step.op), arguments, place[i], frees))
            free += [slot[1] for slot in done if _is(slot, "b")]
    return Plan(tuple(instructions), count, tuple(place[t] for t in targets))


def _folded(op: str, numbers: Sequence[float]) -> float:
    """An op of numbers alone."""
    import torch

    return float(evaluate.function(op)(*(torch.tensor(n, dtype=torch.float64) for n in numbers)))


def _is(slot: Any, kind: str) -> bool:
    return isinstance(slot, tuple) and slot[0] == kind


def _needed(graph: Graph, targets: Sequence[int]) -> tuple[list[bool], dict[int, Kernel]]:
    """The steps that are run, and those among them that take their input's input at once."""
    folded: dict[int, Kernel] = {}
    for i, step in enumerate(graph.steps):
        if len(step.inputs) == 2 and graph.steps[step.inputs[1]].is_const:
            exponent = graph.steps[step.inputs[1]].value
            number = float(exponent) if isinstance(exponent, Fraction) and abs(exponent) < 10 else None
            kernel = square(step.op, number, graph.steps[step.inputs[0]].op)
            if kernel is not None:
                folded[i] = kernel
    needed = [False] * len(graph)
    for t in targets:
        needed[t] = True
    for i in range(len(graph) - 1, -1, -1):
        if needed[i]:
            for j in _inputs(graph, i, folded):
                needed[j] = True
    return needed, folded


def _inputs(graph: Graph, i: int, folded: dict[int, Kernel]) -> tuple[int, ...]:
    inputs = graph.steps[i].inputs
    return graph.steps[inputs[0]].inputs if i in folded else inputs


def execute(program: Plan, slots: dict[Any, Any], torch: Any) -> None:
    """Run a plan on the buffers and inputs in ``slots``; results stand in the slots that the plan names."""
    for step in program.instructions:
        given = [slots[a] if isinstance(a, tuple) else a for a in step.inputs]
        if step.run is not None:
            step.run(torch, slots[step.out], *given)
        elif step.call is not None:
            slots[step.out] = step.call(*given)
        for j in step.frees:
            slots.pop(("t", j), None)
