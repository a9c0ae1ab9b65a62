"""Evaluating derivatives at very many points: in blocks that stay in the cache, or in a compiled loop.

What costs time at ten million points is memory traffic, not arithmetic. So the steps are run on a few thousand points
at a time, into buffers that are planned by liveness over the graph and used again; or, once there are so many points
that it pays, in a loop in C (:mod:`symgrad.native`), which keeps everything in registers. Formats up to float32 are
computed in float64 and rounded once; float64 is compensated as in :func:`symgrad.evaluate.run`. Beside inputs and
results this takes at most 16 MB.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symgrad import evaluate, native
from symgrad.graph import Graph
from symgrad.ops.inplace import INPLACE, Kernel, square
from symgrad.pages import empty

if TYPE_CHECKING:
    import torch

#: Fewer points than this are evaluated as they are.
SMALL = 2048
#: Points of one block, and bytes that all buffers together may take.
BLOCK = 16_384
BUFFERS = 8 << 20
#: Points of one piece that a thread takes: the least, and the most (several large pages of each result, since two
#: threads that fault on one page both clear it); so many for each thread; points of one piece on an accelerator.
PIECE, LARGEST, SHARES = 1 << 16, 1 << 20, 8
ON_DEVICE = 1 << 24

#: What torch takes for one step of one point in a block, in seconds, and compensated; what compiling takes.
_STEP, _COMPENSATED = 1e-9, 12e-9
_COMPILING, _COMPILING_STEP = 0.2, 3e-3


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
            place[i] = evaluate.number(step.value)
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


class Bulk:
    """One derivative (or several at once) at many points.

    Args:
        graph: a lowered graph of single numbers, in the accurate style.
        inputs: positions of its input steps, in the order of the values.
        targets: positions of the results.
        compile: whether the loop may be compiled: ``None`` where it pays, ``True`` at once, ``False`` never.
    """

    def __init__(self, graph: Graph, inputs: Sequence[int], targets: Sequence[int], compile: bool | None) -> None:
        self._graph, self._inputs, self._targets, self._compile = graph, tuple(inputs), tuple(targets), compile
        self._loops: dict[tuple[str, tuple[bool, ...]], native.Loop | None] = {}
        self._kernels: dict[tuple[str, str, tuple[bool, ...]], Callable[..., Any]] = {}
        self._spent = 0.0
        self._lock = threading.Lock()

    def __call__(
        self, values: Sequence[torch.Tensor], shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> list[torch.Tensor]:
        """Results of ``shape``, one per target; ``values`` broadcast to it, all of ``dtype`` on ``device``."""
        import torch

        count = math.prod(shape)
        if count < SMALL and not (self._compile and count):
            return [v.expand(tuple(shape)) for v in self._plain(values, dtype, device)]
        if device.type != "cpu":
            return self._on_device(values, shape, dtype, device)
        results = [empty(shape, dtype) for _ in self._targets]
        single = tuple(v.numel() == 1 for v in values)
        loop = self._loop(count, dtype, single)
        threads = torch.get_num_threads()
        limit = min(max(PIECE, count // (SHARES * threads)), LARGEST) if loop is not None else PIECE
        pieces = _pieces(values, results, shape, limit)
        with torch.no_grad():
            if loop is not None:
                share(loop.on, pieces, threads)
            else:
                # In blocks that fit the cache, MKL's own threads wait for one another longer than they work.
                torch.set_num_threads(1)
                try:
                    buffers: list[torch.Tensor] = []
                    for given, out in pieces:
                        self._blocks(given, out, dtype, buffers)
                finally:
                    torch.set_num_threads(threads)
        return results

    @cached_property
    def _program(self) -> Plan:
        return plan(self._graph, self._inputs, self._targets)

    def _plain(self, values: Sequence[torch.Tensor], dtype: torch.dtype, device: torch.device) -> list[torch.Tensor]:
        placed = dict(zip(self._inputs, values, strict=True))
        return evaluate.run(self._graph, placed, self._targets, dtype=dtype, device=device, compensated=True)

    def _loop(self, count: int, dtype: torch.dtype, single: tuple[bool, ...]) -> native.Loop | None:
        """The compiled loop, if there is one or it is time to make one."""
        if self._compile is False:
            return None
        key = (str(dtype).removeprefix("torch."), single)
        with self._lock:
            return self._built(key, count)

    def _built(self, key: tuple[str, tuple[bool, ...]], count: int) -> native.Loop | None:
        if key not in self._loops:
            steps = len(self._graph)
            self._spent += count * steps * (_COMPENSATED if key[0] == "float64" else _STEP)
            if not self._compile and self._spent < _COMPILING + steps * _COMPILING_STEP:
                return None
            self._loops[key] = native.build(self._graph, self._inputs, self._targets, *key)
        return self._loops[key]

    def _blocks(
        self, values: Sequence[torch.Tensor], results: Sequence[torch.Tensor], dtype: torch.dtype,
        buffers: list[torch.Tensor],
    ) -> None:  # fmt: skip
        """Run one piece in blocks; ``buffers`` are kept from piece to piece."""
        import torch

        count = results[0].numel()
        if dtype == torch.float64:
            size = min(BLOCK, max(1024, BUFFERS // (16 * len(self._graph))))
            for low in range(0, count, size):
                part = [v if v.numel() == 1 else v[low : low + size] for v in values]
                found = self._plain(part, dtype, torch.device("cpu"))
                for out, value in zip(results, found, strict=True):
                    out[low : low + size] = value
            return
        program = self._program
        size = min(BLOCK, max(1024, BUFFERS // (8 * (program.buffers + len(values) + 1))))
        while len(buffers) < program.buffers + len(values):
            buffers.append(torch.empty(size, dtype=torch.float64))
        for low in range(0, count, size):
            n = min(size, count - low)
            slots: dict[Any, Any] = {}
            for k, v in enumerate(values):
                slots["x", k] = buffers[k][:n].copy_(v if v.numel() == 1 else v[low : low + n])
            for k in range(program.buffers):
                slots["b", k] = buffers[len(values) + k][:n]
            execute(program, slots, torch)
            for out, slot in zip(results, program.results, strict=True):
                out[low : low + n] = slots[slot] if isinstance(slot, tuple) else slot

    def _on_device(
        self, values: Sequence[torch.Tensor], shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> list[torch.Tensor]:
        """On an accelerator: pieces of the plain evaluation, or one fused kernel where that was asked for."""
        import torch

        if self._compile:
            # One kernel keeps nothing between, and what it gives is the result: a copy would take as long again.
            flat = [v.reshape(-1) if v.numel() == 1 else v.expand(tuple(shape)).reshape(-1) for v in values]
            found = self._fused(flat, dtype, device)(*flat)
            count = math.prod(shape)
            return [(f if f.numel() == count else f.expand(count).clone()).view(tuple(shape)) for f in found]
        results = [torch.empty(tuple(shape), dtype=dtype, device=device) for _ in self._targets]
        for given, out in _pieces(values, results, shape, limit=ON_DEVICE):
            for into, value in zip(out, self._rounded(dtype, device)(*given), strict=True):
                into.copy_(value)
        return results

    def _rounded(self, dtype: torch.dtype, device: torch.device) -> Callable[..., list[torch.Tensor]]:
        """The plain evaluation as a function of the values: half precision computed in float32 and rounded once."""
        import torch

        half = dtype in (torch.float16, torch.bfloat16)
        wide = torch.float32 if half else dtype

        def run(*given: torch.Tensor) -> list[torch.Tensor]:
            placed = {i: v.to(wide) for i, v in zip(self._inputs, given, strict=True)}
            found = evaluate.run(
                self._graph, placed, self._targets, dtype=wide, device=device, compensated=not half
            )
            return [v.to(dtype) for v in found]

        return run

    def _fused(
        self, given: Sequence[torch.Tensor], dtype: torch.dtype, device: torch.device
    ) -> Callable[..., Sequence[torch.Tensor]]:
        """The same as one kernel by torch.compile: some seconds, so only when asked for.

        It is given the bare tensor operations, in order, and nothing of the Python that made them.
        """
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        # Its constants lie on one device: another one needs a kernel of its own.
        key = str(dtype), str(given[0].device if given else device), tuple(v.numel() == 1 for v in given)
        if key not in self._kernels:
            traced = make_fx(self._rounded(dtype, device), tracing_mode="symbolic")(*given)
            self._kernels[key] = torch.compile(traced, dynamic=True)
        return self._kernels[key]


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


def _pieces(
    values: Sequence[torch.Tensor], results: Sequence[torch.Tensor], shape: Sequence[int], limit: int = PIECE
) -> Iterator[tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """Flat, contiguous pieces of inputs and results. An input is copied only where it is broadcast or has gaps."""
    count = math.prod(shape)
    if not count:
        return
    whole = [v.numel() == 1 or (tuple(v.shape) == tuple(shape) and v.is_contiguous()) for v in values]
    if all(whole) or count <= limit:
        given = [v.reshape(-1) if v.numel() == 1 else v.expand(tuple(shape)).reshape(-1).contiguous() for v in values]
        flat = [r.view(-1) for r in results]
        for low in range(0, count, limit):
            cut = slice(low, low + limit)
            yield [v if v.numel() == 1 else v[cut] for v in given], [r[cut] for r in flat]
        return
    spread = [v if v.numel() == 1 else v.expand(tuple(shape)) for v in values]
    rest = math.prod(shape[1:])
    step = max(1, limit // rest)
    for low in range(0, shape[0], step):
        cut = slice(low, low + step)
        part = [v if v.numel() == 1 else v[cut] for v in spread]
        out = [r[cut] for r in results]
        if rest <= limit:
            yield from _pieces(part, out, out[0].shape, limit)
        else:
            yield from _pieces([v if v.numel() == 1 else v[0] for v in part], [r[0] for r in out], shape[1:], limit)


def share(run: Callable[[Any], None], pieces: Iterator[Any], threads: int) -> None:
    """Run every piece, in this thread and in ``threads - 1`` others: whoever is free takes the next.

    This thread works too, so that on a busy machine nothing waits for a helper that is not let run.
    """
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not errors:
                with lock:
                    piece = next(pieces, None)
                if piece is None:
                    return
                run(piece)
        except BaseException as error:  # to be raised where somebody sees it
            errors.append(error)

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
