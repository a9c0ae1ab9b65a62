"""torch's autograd, as far as a script can see it: which tensors are tracked, ``.backward()`` and ``.grad``.

The numbers are ours: the table's local derivatives in float64, multiplied and summed along the tape. What a script
reads from ``.grad`` becomes an input-like step of the graph, marked as autograd's: it is a number to compare with, and
no consequence of the steps that the user wrote.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np

from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.data import BackwardCall, GradRead
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import PACKAGERS, TENSOR
from symgrad.graph import Param

_serial = count()


class Node:
    """One tensor's place on the tape.

    Attributes:
        op, params: what made it; empty for a leaf.
        parents: the operands' places, ``None`` where nothing is tracked.
        inputs, output: concrete values when it was computed.
        tensor: whom to give the gradient to: a leaf, or a tensor that retains it.
    """

    __slots__ = ("inputs", "op", "order", "output", "params", "parents", "tensor")

    def __init__(
        self,
        op: str,
        parents: tuple[Node | None, ...],
        inputs: Sequence[Any],
        output: Any,
        tensor: Tensor | None,
        params: tuple[tuple[str, Param], ...] = (),
    ) -> None:
        self.op = op
        self.params = params
        self.parents = parents
        self.inputs = tuple(inputs)
        self.output = output
        self.tensor = tensor
        self.order = next(_serial)

    @property
    def is_leaf(self) -> bool:
        return not self.op


def record(
    tr: Tracer,
    op: str,
    args: tuple[Any, ...],
    raw: Sequence[Any],
    data: Any,
    step: int | None,
    params: tuple[tuple[str, Param], ...] = (),
) -> Tensor:
    """The tensor that an op gives, on the tape if an operand is and torch is tracking."""
    out = Tensor(tr, data, step, dtype=_result_dtype(tr, args))
    parents = tuple(a.node if isinstance(a, Tensor) else None for a in args)
    if not tr.no_grad and any(p is not None for p in parents):
        out.node = Node(op, parents, raw, data, None, params)
    return out


PACKAGERS[TENSOR] = record


def _result_dtype(tr: Tracer, args: tuple[Any, ...]) -> str:
    kinds = [a.dtype for a in args if isinstance(a, Tensor)]
    return "float64" if "float64" in kinds else next((k for k in kinds if k.startswith("float")), tr.default_dtype)


def track(tensor: Tensor) -> Tensor:
    """``requires_grad=True``: a leaf of the tape."""
    if tensor.node is None:
        tensor.node = Node("", (), (), tensor.data, tensor)
        if tensor.step is not None:
            tensor.tr.grad_steps.add(tensor.step)
    return tensor


def untrack(tensor: Tensor) -> Tensor:
    if tensor.node is not None and not tensor.node.is_leaf:
        raise RuntimeError("you can only change requires_grad flags of leaf variables.")
    tensor.node = None
    return tensor


def retain(tensor: Tensor) -> None:
    """``retain_grad()``: a computed tensor whose gradient is to be kept."""
    if tensor.node is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    tensor.node.tensor = tensor


def sweep(roots: Iterable[tuple[Node, Any]]) -> dict[Node, Any]:
    """The reverse pass: the gradient at every node that the roots depend on. Linear, and not recursive."""
    pending: dict[Node, Any] = {}
    heap: list[tuple[int, Node]] = []
    done: dict[Node, Any] = {}

    def add(node: Node, value: Any) -> None:
        if node in pending:
            pending[node] = pending[node] + value
        else:
            pending[node] = value
            # A node is made after its parents, so the latest one pending has received all that it will.
            heapq.heappush(heap, (-node.order, node))

    for node, seed in roots:
        add(node, seed)
    while heap:
        node = heapq.heappop(heap)[1]
        total = done[node] = pending.pop(node)
        for position, parent in enumerate(node.parents):
            if parent is None:
                continue
            flow = numeric.pull(node.op, position, total, node.output, node.inputs, dict(node.params))
            if flow is not None:
                add(parent, numeric.unbroadcast(flow, np.shape(node.inputs[position])))
    return done


def _seed(tensor: Tensor, gradient: Any) -> Any:
    if gradient is None:
        if tensor.data.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return np.ones(tensor.data.shape)
    return np.broadcast_to(np.asarray(getattr(gradient, "raw", gradient), dtype=np.float64), tensor.data.shape)


def backward(tensor: Tensor, gradient: Any = None, **ignored: Any) -> None:
    """``tensor.backward()``."""
    tr = tensor.tr
    if tensor.node is None:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    tr.backward_calls.append(BackwardCall(tensor.place, tr.here()))
    for node, value in sweep([(tensor.node, _seed(tensor, gradient))]).items():
        owner = node.tensor
        if owner is not None:
            data = np.asarray(value, dtype=np.float64)
            # A new object each time, as a reading of .grad must keep the number that it saw.
            owner.grad = Tensor(tr, data if owner.grad is None else owner.grad.data + data, dtype=owner.dtype)


def read(tensor: Tensor) -> Tensor | None:
    """``tensor.grad``: the same step for as long as the gradient is the same."""
    grad, tr = tensor.grad, tensor.tr
    if grad is None:
        return None
    if grad.step is None:
        _name(tr, grad, tensor.place)
    if grad.step is not None:
        tr.grad_reads.append(GradRead(tensor.place, grad.step, tr.here()))
    return grad


def _name(tr: Tracer, grad: Tensor, target: int) -> None:
    data, span = grad.data, tr.here()
    # As the user wrote it, where that is an attribute; else after the step.
    text = tr.text(span)
    name = text if text.endswith(".grad") and text.isprintable() else f"{tr.builder.steps[target].name}.grad"
    grad.step = tr.input(name, data if data.ndim else data.item(), span)


def grad_of(
    tr: Tracer, outputs: Any, inputs: Any, grad_outputs: Any = None, **ignored: Any
) -> tuple[Tensor | None, ...]:
    """``torch.autograd.grad(outputs, inputs)``."""
    tops = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    wanted = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    seeds = list(grad_outputs) if isinstance(grad_outputs, list | tuple) else [grad_outputs] * len(tops)
    if not all(isinstance(t, Tensor) for t in (*tops, *wanted)):
        raise TypeError("torch.autograd.grad needs tensors")
    if any(t.node is None for t in (*tops, *wanted)):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    for top in tops:
        tr.backward_calls.append(BackwardCall(top.place, tr.here()))
    found = sweep([(t.node, _seed(t, s)) for t, s in zip(tops, seeds, strict=True)])
    results: list[Tensor | None] = []
    for tensor in wanted:
        if tensor.node not in found:
            results.append(None)
            continue
        grad = Tensor(tr, np.asarray(found[tensor.node], dtype=np.float64), dtype=tensor.dtype)
        _name(tr, grad, tensor.place)
        assert grad.step is not None
        tr.grad_reads.append(GradRead(tensor.place, grad.step, tr.here()))
        results.append(grad)
    return tuple(results)


def detached(tensor: Tensor) -> Tensor:
    """The same number off the tape; in-place changes of it are not seen by the original.

    A step of its own: where the loss depends on it, no gradient flows through it.
    """
    tr = tensor.tr
    if not tr.varies[tensor.place]:
        return Tensor(tr, tensor.data, tensor.place, tensor.dtype)
    step = tr.emit("alias", (tensor.place,), tensor.data)
    tr.cuts.append(step)
    return Tensor(tr, tensor.data, step, tensor.dtype)


def to_numpy(tensor: Array) -> Any:
    """``.numpy()``: the same step as an array."""
    return Array(tensor.tr, tensor.data, tensor.place, tensor.dtype)
