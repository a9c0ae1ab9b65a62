"""torch's autograd, as far as a script can see it: which tensors are tracked, ``.backward()`` and ``.grad``.

The numbers are ours: the table's local derivatives in float64, multiplied and summed along the tape. What a script
reads from ``.grad`` becomes an input-like step of the graph, marked as autograd's: it is a number to compare with, and
no consequence of the steps that the user wrote.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count, zip_longest
from typing import Any

import numpy as np

from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.data import BackwardCall, GradRead
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import PACKAGERS, TENSOR
from symgrad.graph import Param
from symgrad.ops.base import COPY

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


class FunctionNode(Node):
    """A call of a ``torch.autograd.Function``: its own backward is what multiplies.

    Attributes:
        call: ``(*gradients of the outputs) -> gradients of the arguments``.
        outputs: the tensors that it gave; ``args``: what it was called with.
    """

    __slots__ = ("args", "call", "names", "outputs")

    def __init__(
        self, args: Sequence[Any], outputs: Sequence[Any], call: Callable[..., Any], names: Sequence[str]
    ) -> None:
        parents = tuple(a.node if isinstance(a, Tensor) else None for a in args)
        super().__init__("function", parents, [getattr(a, "raw", a) for a in args], None, None)
        self.call, self.outputs, self.args = call, tuple(outputs), tuple(args)
        #: What the steps of the arguments are called, so that their gradients can be.
        self.names = tuple(names)


class OutputNode(Node):
    """One of the tensors that a Function gave."""

    __slots__ = ("place",)

    def __init__(self, owner: FunctionNode, place: int) -> None:
        super().__init__("output", (owner,), (), None, None)
        self.place = place


def on_tape(tr: Tracer, output: Any, args: Sequence[Any], call: Callable[..., Any], title: str = "f") -> Any:
    """What a Function's forward gave, linked to what it was called with."""
    outputs = list(output) if isinstance(output, tuple) else [output]
    tracked = [isinstance(a, Tensor) and a.node is not None for a in args]
    if tr.no_grad or not any(tracked):
        return output
    before = tr.wants_gradients.get(title, [])
    tr.wants_gradients[title] = [a or b for a, b in zip_longest(before, tracked, fillvalue=False)]
    # An argument that is handed through is a tensor of its own from here on.
    fresh = [Tensor(tr, o.data, o.place, o.dtype) if isinstance(o, Tensor) else o for o in outputs]
    names = [_called(tr, a, f"{title}_input{n or ''}") for n, a in enumerate(args)]
    owner = FunctionNode(args, fresh, call, names)
    for n, o in enumerate(fresh):
        if isinstance(o, Tensor):
            o.node = OutputNode(owner, n)
    return tuple(fresh) if isinstance(output, tuple) else fresh[0]


def _called(tr: Tracer, argument: Any, otherwise: str) -> str:
    """The name of an argument's step, if it has one that nothing else has; else it gets one."""
    if not isinstance(argument, Tensor) or argument.node is None:
        return ""
    step = tr.builder.steps[argument.place]
    if not step.is_hidden and "#" not in step.name:
        return step.name
    taken = {b.name for b in tr.bindings}
    name = next(n for n in (otherwise, *(f"{otherwise}_{i}" for i in range(1, 10_000))) if n not in taken)
    span = tr.here()
    tr.bind(name, argument.place, span, span.line, "", "")
    return name


def _through(
    tr: Tracer, node: FunctionNode, grads: dict[int, Any], handed: list[tuple[Node, str, int]]
) -> list[Any]:
    """The user's own backward: what it is given is autograd's number, what it gives are lines of the user's: of which
    value each is the gradient, and by what name, is put into ``handed``."""
    given: list[Tensor | None] = []
    for n, o in enumerate(node.outputs):
        if not isinstance(o, Tensor):
            given.append(None)
            continue
        data = np.asarray(grads.get(n, np.zeros(o.data.shape)), dtype=np.float64)
        grad = Tensor(tr, data, dtype=o.dtype)
        owner = o.step if o.step is not None else o.place
        name = f"grad_output{n}" if len(node.outputs) > 1 else "grad_output"
        grad.step = tr.input(name, data if data.ndim else data.item(), tr.here())
        tr.grad_reads.append(GradRead(owner, grad.step, tr.here()))
        given.append(grad)
    before, tr.no_grad = tr.no_grad, 1
    try:
        answer = node.call(*given)
    finally:
        tr.no_grad = before
    found = list(answer) if isinstance(answer, tuple | list) else [answer]
    if len(found) < len(node.args):
        raise RuntimeError(
            f"function returned an incorrect number of gradients (expected {len(node.args)}, got {len(found)})"
        )
    flows: list[Any] = []
    for argument, value, name in zip(node.args, found, node.names, strict=False):
        if not isinstance(argument, Tensor) or argument.node is None or value is None:
            flows.append(None)
            continue
        data = np.asarray(value.raw if isinstance(value, Array) else value, dtype=np.float64)
        if isinstance(value, Array) and value.step is not None and tr.varies[value.step]:
            span = tr.builder.steps[value.step].span or tr.here()
            made = tr.emit(COPY, (value.step,), data if data.ndim else float(data), span=span)
            tr.bind(f"grad_{name}", made, span, span.line, "", "")
            handed.append((argument.node, f"grad_{name}", argument.place))
        flows.append(data)
    return flows


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
    flows_into: dict[Node, int] = {}
    handed: list[tuple[Node, str, int]] = []
    tracer: Tracer | None = None

    def add(node: Node, value: Any) -> None:
        flows_into[node] = flows_into.get(node, 0) + 1
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
        if isinstance(node, OutputNode):
            owner = node.parents[0]
            assert owner is not None
            if owner in pending:
                pending[owner][node.place] = pending[owner].get(node.place, 0.0) + total
            else:
                add(owner, {node.place: total})
            continue
        if isinstance(node, FunctionNode):
            tensor = next(o for o in node.outputs if isinstance(o, Tensor))
            tracer = tensor.tr
            for parent, flow in zip(node.parents, _through(tracer, node, total, handed), strict=True):
                if parent is not None and flow is not None:
                    add(parent, flow)
            continue
        for position, parent in enumerate(node.parents):
            if parent is None:
                continue
            flow = numeric.pull(node.op, position, total, node.output, node.inputs, dict(node.params))
            if flow is not None:
                add(parent, numeric.unbroadcast(flow, np.shape(node.inputs[position])))
    if tracer is not None:
        # Where nothing else flows in, what a Function returns is the whole gradient.
        tracer.returned += [(name, place) for owner, name, place in handed if flows_into.get(owner) == 1]
    return done


def seed_of(tensor: Tensor, gradient: Any) -> Any:
    if gradient is None:
        if tensor.data.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return np.ones(tensor.data.shape)
    return np.broadcast_to(np.asarray(getattr(gradient, "raw", gradient), dtype=np.float64), tensor.data.shape)


def differentiated(tr: Tracer, top: Tensor, gradient: Any = None) -> int:
    """The step of the number whose gradient it is that flows back when ``top`` is given one: ``sum(top*gradient)``."""
    from symgrad.frontends.trace.shaped import Recorder

    data = np.asarray(getattr(gradient, "raw", gradient), dtype=np.float64) if gradient is not None else None
    if data is None or not tr.varies[top.place] or (not top.data.ndim and data.size == 1 and float(data.flat[0]) == 1):
        return top.place
    given = gradient if isinstance(gradient, Tensor) else Tensor(tr, data, dtype=top.dtype)
    if not tr.builder.steps[given.place].is_leaf:
        tr.cuts.append(given.place)  # it is given: where it is made of the parameters, no gradient goes through it
    before, tr.no_grad = tr.no_grad, 1
    try:
        total = Recorder(tr, TENSOR).sum(top * given)
    finally:
        tr.no_grad = before
    return total.place if isinstance(total, Tensor) else top.place


def _swept(tr: Tracer, tops: Sequence[tuple[Tensor, Any]]) -> dict[Node, Any]:
    """The reverse pass from some tensors, each with the gradient that it is given; where it began is kept."""
    at = len(tr.backward_calls)
    tr.backward_calls += [BackwardCall(differentiated(tr, t, g), tr.here()) for t, g in tops]
    found = sweep([(t.node, seed_of(t, g)) for t, g in tops if t.node is not None])
    if any(isinstance(node, FunctionNode) for node in found):
        tr.backward_calls[at] = replace(tr.backward_calls[at], by_hand=True)
    return found


def backward(tensor: Tensor, gradient: Any = None, **ignored: Any) -> None:
    """``tensor.backward()``."""
    tr = tensor.tr
    if tensor.step in tr.of_gradients():
        tr.unsupported("backward() through a gradient that was made with create_graph=True")
    if tensor.node is None:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    for node, value in _swept(tr, [(tensor, gradient)]).items():
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


def gradcheck(tr: Tracer, function: Any, inputs: Any, *args: Any, **ignored: Any) -> bool:
    """``torch.autograd.gradcheck``: the function is run, and its backward with a gradient that is nothing special."""
    from symgrad.frontends.trace.shaped import Recorder

    given = inputs if isinstance(inputs, tuple | list) else (inputs,)
    found = function(*given)
    total: Any = None
    source = np.random.RandomState(3)
    for out in found if isinstance(found, tuple | list) else (found,):
        if isinstance(out, Tensor) and out.node is not None:
            weights = Tensor(tr, np.round(source.standard_normal(out.data.shape), 6), dtype=out.dtype)
            part = Recorder(tr, TENSOR).sum(out * weights)
            total = part if total is None else total + part
    if total is not None:
        backward(total)
    return True


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
    found = _swept(tr, list(zip(tops, seeds, strict=True)))
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
    step = tr.emit(COPY, (tensor.place,), tensor.data)
    tr.cuts.append(step)
    return Tensor(tr, tensor.data, step, tensor.dtype)


def to_numpy(tensor: Array) -> Any:
    """``.numpy()``: the same step as an array."""
    return Array(tensor.tr, tensor.data, tensor.place, tensor.dtype)
