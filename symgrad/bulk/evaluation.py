"""One derivative at very many points.

What costs time at ten million points is memory traffic, not arithmetic. So the steps are run on a few thousand points
at a time, into buffers that are planned by liveness over the graph and used again; or, once there are so many points
that it pays, in a loop in C (:mod:`symgrad.native`), which keeps everything in registers. Formats up to float32 are
computed in float64 and rounded once; float64 is compensated as in :func:`symgrad.evaluate.run`. Beside inputs and
results this takes at most 16 MB.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symgrad import evaluate
from symgrad.bulk.pieces import PIECE, pieces, share
from symgrad.bulk.plan import Plan, execute, plan
from symgrad.graph import Graph
from symgrad.native import loops
from symgrad.pages import empty

if TYPE_CHECKING:
    import torch

#: Fewer points than this are evaluated as they are.
SMALL = 2048
#: Points of one block, and bytes that all buffers together may take.
BLOCK = 16_384
BUFFERS = 8 << 20
#: Points of one piece that a thread takes, at most (several large pages of each result, since two threads that fault on
#: one page both clear it); so many for each thread; points of one piece on an accelerator.
LARGEST, SHARES = 1 << 20, 8
ON_DEVICE = 1 << 24

#: What torch takes for one step of one point in a block, in seconds, and compensated; what compiling takes.
_STEP, _COMPENSATED = 1e-9, 12e-9
_COMPILING, _COMPILING_STEP = 0.2, 3e-3


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
        self._loops: dict[tuple[str, tuple[bool, ...]], loops.Loop | None] = {}
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
        parts = pieces(values, results, shape, limit)
        with torch.no_grad():
            if loop is not None:
                share(loop.on, parts, threads)
            else:
                # In blocks that fit the cache, MKL's own threads wait for one another longer than they work.
                torch.set_num_threads(1)
                try:
                    buffers: list[torch.Tensor] = []
                    for given, out in parts:
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

    def _loop(self, count: int, dtype: torch.dtype, single: tuple[bool, ...]) -> loops.Loop | None:
        """The compiled loop, if there is one or it is time to make one."""
        if self._compile is False:
            return None
        key = (str(dtype).removeprefix("torch."), single)
        with self._lock:
            return self._built(key, count)

    def _built(self, key: tuple[str, tuple[bool, ...]], count: int) -> loops.Loop | None:
        if key not in self._loops:
            steps = len(self._graph)
            self._spent += count * steps * (_COMPENSATED if key[0] == "float64" else _STEP)
            if not self._compile and self._spent < _COMPILING + steps * _COMPILING_STEP:
                return None
            self._loops[key] = loops.build(self._graph, self._inputs, self._targets, *key)
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
        for given, out in pieces(values, results, shape, limit=ON_DEVICE):
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
            found = evaluate.run(self._graph, placed, self._targets, dtype=wide, device=device, compensated=not half)
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
