"""Running a graph in torch: at any dtype, on CPU or CUDA, plain, compensated, or under autograd.

torch is imported when something is run, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymgradError, Unsupported
from symgrad.formats import Format, get_format
from symgrad.graph import Graph
from symgrad.ops import OPS, Op
from symgrad.ops.compensation import carried
from symgrad.ops.values import number

if TYPE_CHECKING:
    import torch


def torch_dtype(fmt: Format) -> torch.dtype:
    import torch

    dtype: torch.dtype = getattr(torch, fmt.name)
    return dtype


def torch_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        SymgradError: it is no device's name, or this machine has no such device.
    """
    import torch

    try:
        device = torch.device(name)
    except (RuntimeError, ValueError) as problem:
        raise SymgradError(f"'{name}' is no device: use cpu, cuda or cuda:N") from problem
    if device.type not in ("cpu", "cuda"):
        raise SymgradError(f"the device '{name}' is not supported: use cpu, cuda or cuda:N")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise SymgradError(f"the device '{name}' is not there: torch {torch.__version__} sees no CUDA device")
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise SymgradError(f"the device '{name}' is not there: torch sees {torch.cuda.device_count()} CUDA devices")
    return device


@cache
def function(name: str) -> Callable[..., Any]:
    """The torch function that an op names (or the callable it gives), upcasting where torch lacks half precision."""
    import torch

    op: Op = OPS[name]
    raw: Callable[..., Any]
    if callable(op.torch):
        given = op.torch

        def raw(*args: Any, **params: Any) -> Any:
            return given(torch, *args, **params)
    else:
        found: Any = torch
        for part in str(op.torch).split(".")[1:]:
            found = getattr(found, part)
        raw = found
    lacking: set[Any] = set()

    def guarded(*args: Any, **params: Any) -> Any:
        dtype = next((a.dtype for a in args if isinstance(a, torch.Tensor)), None) if lacking else None
        if dtype not in lacking:
            try:
                return raw(*args, **params)
            except (TypeError, AttributeError):
                # Some functions take no Python numbers beside tensors, where others round them better.
                if all(isinstance(a, torch.Tensor) for a in args):
                    raise
                return guarded(*(_promote(a, args) for a in args), **params)
            except (NotImplementedError, RuntimeError) as problem:
                dtype = next((a.dtype for a in args if isinstance(a, torch.Tensor)), None)
                if dtype not in (torch.float16, torch.bfloat16) or "not implemented" not in str(problem):
                    raise
                lacking.add(dtype)
        wide = [a.float() if isinstance(a, torch.Tensor) else a for a in args]
        return raw(*wide, **params).to(dtype)

    return guarded


#: pi and e to 60 digits, for what a float leaves of them.
_DIGITS = {
    "pi": Fraction("3.14159265358979323846264338327950288419716939937510582097494"),
    "E": Fraction("2.71828182845904523536028747135266249775724709369995957496697"),
}


def _lost(value: Fraction | str, fmt: Format) -> float:
    """What the format cannot hold of a constant: exact minus rounded."""
    exact = _DIGITS[value] if isinstance(value, str) else value
    rounded = fmt.round(exact)
    return 0.0 if rounded is None else float(exact - rounded)


def run(
    graph: Graph,
    values: Mapping[int, torch.Tensor],
    targets: Sequence[int],
    *,
    dtype: torch.dtype,
    device: torch.device,
    compensated: bool = False,
    keep: bool = False,
) -> list[Any]:
    """Evaluate steps of a lowered graph.

    Args:
        graph: every op in it has a torch function (see :func:`symgrad.ops.lower`).
        values: a tensor of ``dtype`` on ``device`` for each input step that is needed; shapes broadcast.
        targets: the steps wanted.
        compensated: carry each step's first-order rounding error along (Ogita, Rump and Oishi's idea, applied to
            a whole graph): sums and products by error-free transformations, functions by their ``residual``
            rule and their local derivative. The results are then nearly as good as in twice the precision.
        keep: return all steps, not only the targets (those not needed are ``None``).

    Returns:
        one tensor per target (or per step). Intermediate values are freed after their last use.
    """
    import torch

    needed = graph.ancestors(*targets)
    last = [-1] * len(graph)
    for i, step in enumerate(graph.steps):
        if needed[i]:
            for j in step.inputs:
                last[j] = i
    wanted = set(targets)
    out: list[Any] = [None] * len(graph)
    errors: list[Any] = [0.0] * len(graph) if compensated else []

    fmt = get_format(str(dtype))

    def tensor(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=dtype, device=device)

    for i, step in enumerate(graph.steps):
        if not needed[i]:
            continue
        if step.is_input:
            out[i] = values[i]
            continue
        if step.is_const:
            out[i] = number(step.value)
            if compensated:
                errors[i] = _lost(step.value, fmt)
            continue
        args = [out[j] for j in step.inputs]
        if not OPS[step.op].elementwise:
            args = [a if isinstance(a, torch.Tensor) else tensor(a) for a in args]
            out[i] = function(step.op)(*args, **dict(step.params)).to(dtype=dtype, device=device)
        else:
            if not any(isinstance(a, torch.Tensor) for a in args):
                args = [tensor(a) for a in args]
            out[i] = function(step.op)(*args)
        if compensated:
            errors[i] = carried(torch, _MATH, step.op, out[i], args, [errors[j] for j in step.inputs])
        if not keep:
            for j in step.inputs:
                if last[j] == i and j not in wanted:
                    out[j] = None
                    if compensated:
                        errors[j] = 0.0
    if compensated:
        for t in wanted:
            if isinstance(out[t], torch.Tensor) and isinstance(errors[t], torch.Tensor):
                better = out[t] + errors[t]
                out[t] = torch.where(torch.isfinite(better), better, out[t])
    for t in wanted:
        if not isinstance(out[t], torch.Tensor):
            out[t] = tensor(out[t])
    return out if keep else [out[t] for t in targets]


class _TorchMath:
    """The namespace ``m`` of rules, over tensors: used to carry an error through a function."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = OPS[name]

        def call(*args: Any) -> Any:
            filled = [*args, *(float(d) for d in op.defaults[len(args) - op.arity + len(op.defaults) :])]
            if op.lower is not None:
                return op.lower(self, *filled)
            return function(name)(*(_promote(a, filled) for a in filled))

        setattr(self, name, call)
        return call

    def constant(self, value: Fraction | int | str) -> Any:
        return number(Fraction(value) if isinstance(value, int) else value)


def _promote(value: Any, among: Sequence[Any]) -> Any:
    """A number beside tensors as a tensor like them; a tensor is returned as it is."""
    import torch

    if isinstance(value, torch.Tensor):
        return value
    like = next((a for a in among if isinstance(a, torch.Tensor)), None)
    return torch.tensor(value, dtype=torch.float64) if like is None else torch.full_like(like, float(value))


_MATH = _TorchMath()


def autograd(
    graph: Graph,
    values: Mapping[int, torch.Tensor],
    wrt: Sequence[int],
    *,
    dtype: torch.dtype,
    device: torch.device,
    order: int = 1,
) -> tuple[Any, list[Any]]:
    """Run the forward graph and let torch differentiate it.

    Args:
        graph: a lowered graph.
        values: as for :func:`run`.
        wrt: positions of the variables.
        order: 1 for the gradient, 2 for all Hessian entries (row by row).

    Returns:
        the output, and one tensor per variable (order 1) or per pair of variables (order 2).
    """
    import torch

    leaves = {i: v.detach().clone().requires_grad_(i in wrt) for i, v in values.items()}
    (out,) = run(graph, leaves, [graph.output], dtype=dtype, device=device)
    variables = [leaves[i] for i in wrt]

    def grad(y: Any, again: bool) -> list[Any]:
        if not y.requires_grad:
            return [torch.zeros_like(v) for v in variables]
        # The sum, and not ones as grad_outputs: those make torch import its symbolic shapes, 60 ms and more.
        found = torch.autograd.grad(y.sum(), variables, create_graph=again, allow_unused=True)
        return [torch.zeros_like(v) if g is None else g for v, g in zip(variables, found, strict=True)]

    try:
        first = grad(out, order > 1)
        if order == 1:
            return out.detach(), [g.detach() for g in first]
        second = [h.detach() for g in first for h in grad(g, True)]  # each row needs the graph below again
    except (NotImplementedError, RuntimeError) as problem:
        raise Unsupported(f"torch's autograd cannot differentiate this: {problem}") from problem
    return out.detach(), second

