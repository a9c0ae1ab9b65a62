"""How NumPy and torch write each op, as source text: what generated code is made of.

A piece of text is a template with ``{0}``, ``{1}``, ... for the inputs; ``{0:t}`` asks for one that binds as a name
does. Ops between operands (``+``, ``@``, ``**``) are written as Python does and stand in the table of ops itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import Unsupported
from symgrad.graph import Graph, Step
from symgrad.ops.arithmetic import PRODUCT, SUM, UNARY
from symgrad.ops.base import OPS
from symgrad.ops.indexing import numpy_index
from symgrad.ops.tensor import Shape, TensorOp

#: Binding strength of a name or a call, and of a comparison.
ATOM, LOOSE = 100, 0
#: Integer arrays of more entries than this get a name of their own.
SHORT = 6

Params = Mapping[str, Any]
#: Gives a name to a constant that is too long to stand in a line: its text -> the name.
Hoist = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Written:
    """A template, and how strongly the whole binds. ``functional``: constants among its inputs must be tensors."""

    template: str
    strength: int = ATOM
    functional: bool = False


#: Elementwise functions that NumPy lacks, or calls otherwise than the table does; ``np`` becomes the library's name.
_NUMPY: dict[str, Written] = {
    "sigmoid": Written("1/(1 + np.exp(-{0:t}))", PRODUCT),
    "relu": Written("np.maximum({0}, 0)"),
    "leaky_relu": Written("np.where({0} > 0, {0}, {1:t}*{0:t})"),
    "elu": Written("np.where({0} > 0, {0}, {1:t}*(np.exp({0}) - 1))"),
    "softplus": Written("np.logaddexp(0, {0})"),
    "logsigmoid": Written("-np.logaddexp(0, -{0:t})", UNARY),
    "softsign": Written("{0:t}/(1 + np.abs({0}))", PRODUCT),
    "silu": Written("{0:t}/(1 + np.exp(-{0:t}))", PRODUCT),
    "mish": Written("{0:t}*np.tanh(np.logaddexp(0, {0}))", PRODUCT),
    "hardtanh": Written("np.clip({0}, -1, 1)"),
    "gelu_tanh": Written("0.5*{0:t}*(1 + np.tanh(np.sqrt(2/np.pi)*({0} + 0.044715*{0:t}**3)))", PRODUCT),
    "where": Written("np.where({0}, {1}, {2})"),
    # The derivative of relu at its kink: torch's choice, and everybody's.
    "heaviside": Written("{0} > 0", LOOSE),
    "sec": Written("1/np.cos({0})", PRODUCT), "csc": Written("1/np.sin({0})", PRODUCT),
    "cot": Written("1/np.tan({0})", PRODUCT), "sech": Written("1/np.cosh({0})", PRODUCT),
    "csch": Written("1/np.sinh({0})", PRODUCT), "coth": Written("1/np.tanh({0})", PRODUCT),
    "asec": Written("np.arccos(1/{0:t})"), "acsc": Written("np.arcsin(1/{0:t})"),
    "acot": Written("np.arctan(1/{0:t})"), "asech": Written("np.arccosh(1/{0:t})"),
    "acsch": Written("np.arcsinh(1/{0:t})"), "acoth": Written("np.arctanh(1/{0:t})"),
}  # fmt: skip

_TORCH: dict[str, Written] = {
    **{k: Written(w.template.replace("np.arc", "torch.a").replace("np.", "torch."), w.strength)
       for k, w in _NUMPY.items()},
    "sigmoid": Written("torch.sigmoid({0})", functional=True),
    "relu": Written("torch.relu({0})", functional=True),
    "logsigmoid": Written("torch.nn.functional.logsigmoid({0})", functional=True),
    "softplus": Written("torch.nn.functional.softplus({0})", functional=True),
    "mish": Written("torch.nn.functional.mish({0})", functional=True),
    "gelu_tanh": Written("torch.nn.functional.gelu({0}, approximate='tanh')", functional=True),
    "where": Written("torch.where({0:t} != 0, {1}, {2})"),
    "max": Written("torch.maximum({0}, {1})", functional=True),
    "min": Written("torch.minimum({0}, {1})", functional=True),
    "cbrt": Written("torch.sign({0})*torch.abs({0})**(1/3)", PRODUCT, functional=True),
    "atan2": Written("torch.atan2({0}, {1})", functional=True),
    "hypot": Written("torch.hypot({0}, {1})", functional=True),
    "logaddexp": Written("torch.logaddexp({0}, {1})", functional=True),
    "lgamma": Written("torch.lgamma({0})", functional=True),
    "digamma": Written("torch.digamma({0})", functional=True),
}  # fmt: skip


def written(step: Step, shapes: Sequence[Shape], library: str, hoist: Hoist) -> Written:
    """How one step is written in terms of its inputs.

    Args:
        step: of a graph; no leaf.
        shapes: of its inputs.
        library: ``"numpy"`` or ``"torch"``.
        hoist: names what is too long.

    Raises:
        Unsupported: the library has no such function.
    """
    op = OPS[step.op]
    known = _NUMPY if library == "numpy" else _TORCH
    if step.op in known:
        return known[step.op]
    if op.infix is not None:
        return _between(step.op)
    if isinstance(op, TensorOp):
        make = _ARRAYS.get(step.op)
        text = make(dict(step.params), shapes, library, hoist) if make else _plain(op, shapes, library)
        return text if isinstance(text, Written) else Written(text)
    inputs = ", ".join(f"{{{i}}}" for i in range(op.arity))
    if library == "numpy" and op.numpy is not None:
        return Written(f"np.{op.numpy.partition('.')[2]}({inputs})")
    if library == "numpy" and op.math is not None:
        return Written(f"np.vectorize({op.math})({inputs})")
    if library == "torch" and isinstance(op.torch, str):
        return Written(f"{op.torch}({inputs})", functional=True)
    raise Unsupported(f"{op.title}: {'NumPy' if library == 'numpy' else library} has no function for it")


def _between(name: str) -> Written:
    """An operator, with the precedences that the table of ops gives it."""
    infix = OPS[name].infix
    assert infix is not None
    if infix.prefix:
        return Written(f"{infix.symbol}{{0}}", infix.precedence)
    space = " " if infix.precedence <= SUM or infix.symbol == "@" else ""
    return Written(f"{{0}}{space}{infix.symbol}{space}{{1}}", infix.precedence)


def _plain(op: TensorOp, shapes: Sequence[Shape], library: str) -> str:
    """A function of arrays alone: np.outer(x, y)."""
    name = op.numpy.partition(".")[2] if op.numpy else op.name
    return f"{'np' if library == 'numpy' else 'torch'}.{name}({', '.join(f'{{{i}}}' for i in range(len(shapes)))})"


# --- arrays ---------------------------------------------------------------------------------------------------------


def _options(params: Params, shape: Shape, library: str) -> str:
    """``, axis=0, keepdims=True``, as far as there is something to say."""
    axis, keep = params["axis"], params.get("keepdims", False)
    out = ""
    if axis != tuple(range(len(shape))) or (keep and library == "torch"):
        given = axis[0] if len(axis) == 1 else axis
        out += f", {'axis' if library == 'numpy' else 'dim'}={given}"
    return out + (f", keepdim{'s' if library == 'numpy' else ''}=True" if keep else "")


def _reduction(numpy: str, torch: str) -> Callable[..., str]:
    def make(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
        name = f"np.{numpy}" if library == "numpy" else f"torch.{torch}"
        return f"{name}({{0}}{_options(params, shapes[0], library)})"

    return make


def _norm(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    lib = "np" if library == "numpy" else "torch"
    return f"{lib}.sqrt({lib}.sum({{0:t}}**2{_options(params, shapes[0], library)}))"


def _product(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    if library == "numpy":
        return f"np.prod({{0}}{_options(params, shapes[0], library)})"
    text = "{0}"
    for axis in reversed(params["axis"]):
        text = f"torch.prod({text}, {axis}{', keepdim=True' if params['keepdims'] else ''})"
    return text


def _place(name: str) -> Callable[..., str]:
    def make(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
        axis, lib = params["axis"], "np" if library == "numpy" else "torch"
        if axis == tuple(range(len(shapes[0]))):
            return f"{lib}.{name}({{0}})"
        if len(axis) != 1:
            raise Unsupported(f"{name} over several axes")
        return f"{lib}.{name}({{0}}{_options(params, shapes[0], library)})"

    return make


def _softmax(log: bool) -> Callable[..., Written]:
    def make(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> Written:
        axis = params["axis"]
        if library == "torch":
            return Written(f"torch.{'log_' if log else ''}softmax({{0}}, dim={axis})")
        total = f"np.sum(np.exp({{0}}), axis={axis}, keepdims=True)"
        return Written(f"{{0}} - np.log({total})", SUM) if log else Written(f"np.exp({{0}})/{total}", PRODUCT)

    return make


def _logsumexp(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    if library == "torch":
        return f"torch.logsumexp({{0}}, dim={params['axis']}, keepdim={params['keepdims']})"
    return f"np.log(np.sum(np.exp({{0}}){_options(params, shapes[0], library)}))"


def _transpose(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    axes = params["axes"]
    if len(axes) == 2:
        return "{0:t}.T"
    return f"{{0:t}}.{'transpose' if library == 'numpy' else 'permute'}{axes}"


def _reshape(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    shape = params["shape"]
    rank = len(shapes[0])
    if len(shape) == rank + 1 and shape.count(1) == shapes[0].count(1) + 1:
        for axis in range(rank + 1):
            if shape[axis] == 1 and shape[:axis] + shape[axis + 1 :] == shapes[0]:
                items = [":"] * axis + ["None"] + ([":"] * (rank - axis))
                return f"{{0:t}}[{', '.join(items)}]"
    return f"{{0:t}}.reshape({', '.join(map(str, shape)) if shape else '()'})"


def _broadcast(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    return f"{'np' if library == 'numpy' else 'torch'}.broadcast_to({{0}}, {params['shape']})"


def _join(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    items = ", ".join(f"{{{i}}}" for i in range(len(shapes)))
    return f"np.concatenate([{items}], axis={params['axis']})" if library == "numpy" else (
        f"torch.cat([{items}], dim={params['axis']})"
    )  # fmt: skip


def _pad(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    widths = params["widths"]
    if library == "numpy":
        return f"np.pad({{0}}, {widths})"
    return f"torch.nn.functional.pad({{0}}, {[n for pair in reversed(widths) for n in pair]})"


def _diagonal(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    if library == "numpy":
        return f"np.diagonal({{0}}, {params['k']}, -2, -1)"
    return f"torch.diagonal({{0}}, {params['k']}, -2, -1)"


def _with_k(name: str) -> Callable[..., str]:
    def make(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
        k = f", {params['k']}" if params["k"] else ""
        return f"{'np' if library == 'numpy' else 'torch'}.{name}({{0}}{k})"

    return make


def _cumsum(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    return f"{'np' if library == 'numpy' else 'torch'}.cumsum({{0}}, {params['axis']})"


def _einsum(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    inputs = ", ".join(f"{{{i}}}" for i in range(len(shapes)))
    return f'{"np" if library == "numpy" else "torch"}.einsum("{params["spec"]}", {inputs})'


def _iota(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    shape = params["shape"]
    return (
        f"{'np' if library == 'numpy' else 'torch'}.arange({int(np.prod(shape))}).reshape({', '.join(map(str, shape))})"
    )


def _index(params: Params, shapes: Sequence[Shape], library: str, hoist: Hoist) -> str:
    return f"{{0:t}}[{brackets(params['spec'], library, hoist)}]"


def brackets(spec: Sequence[Any], library: str, hoist: Hoist) -> str:
    """What stands between the brackets of an index."""
    return ", ".join(_item(i, library, hoist) for i in spec) or "..."


def _item(item: Any, library: str, hoist: Hoist) -> str:
    if item is None or isinstance(item, int) or item == "...":
        return str(item)
    if item[0] == "slice":
        start, stop, step = ("" if v is None else str(v) for v in item[1:])
        if item[3] is not None and item[3] < 0 and library == "torch":
            raise Unsupported("a slice that runs backwards: torch has none")
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if item[0] == "input":
        return f"{{{item[1]}:t}}.{'astype(int)' if library == 'numpy' else 'long()'}"
    if item[0] == "mask":
        places = np.unravel_index(np.array(item[2], dtype=int), item[1])
        return ", ".join(_array(p, library, hoist) for p in places)
    return _array(np.array(item[2], dtype=int).reshape(item[1]), library, hoist)


def _array(places: Any, library: str, hoist: Hoist) -> str:
    text = str(places.tolist())
    if places.ndim == 1 and places.size <= SHORT:
        return text
    return hoist(f"{'np.array' if library == 'numpy' else 'torch.tensor'}({text})")


_ARRAYS: dict[str, Callable[..., Written | str]] = {
    "index": _index, "einsum": _einsum, "reshape": _reshape, "transpose": _transpose, "broadcast_to": _broadcast,
    "iota": _iota, "concatenate": _join, "pad": _pad, "diagonal": _diagonal, "cumsum": _cumsum, "norm": _norm,
    "diag": _with_k("diag"), "triu": _with_k("triu"), "tril": _with_k("tril"), "prod": _product,
    "sum": _reduction("sum", "sum"), "mean": _reduction("mean", "mean"), "amax": _reduction("max", "amax"),
    "amin": _reduction("min", "amin"), "argmax": _place("argmax"), "argmin": _place("argmin"),
    "softmax": _softmax(False), "log_softmax": _softmax(True), "logsumexp": _logsumexp,
}  # fmt: skip


# --- writing into arrays --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """A step that is a changed copy of an array: ``base[place] = value``, or added where ``adds``.

    ``statement`` is a template of the statement that changes the array in place: ``{a}`` is the array, ``{0}``,
    ``{1}``, ... are the step's inputs.
    """

    base: int
    adds: bool
    statement: str


def write(step: Step, shapes: Sequence[Shape], library: str, hoist: Hoist) -> Write | None:
    """The step as a write into an array; ``None`` for any other step."""
    if step.op not in ("set", "add_at"):
        return None
    spec: Sequence[Any] = dict(step.params)["spec"]  # type: ignore[assignment]
    inside = brackets(spec, library, hoist)
    adds = step.op == "add_at"
    repeats = any(isinstance(i, tuple) and i[0] in ("ints", "input") for i in spec) and not _distinct(spec, shapes[0])
    if adds and repeats and library == "numpy":
        loose = "," in re.sub(r"\[.*?\]|\(.*?\)", "", inside) or ":" in inside
        where = f"np.s_[{inside}]" if ":" in inside or "..." in inside else f"({inside})" if loose else inside
        return Write(step.inputs[0], adds, f"np.add.at({{a}}, {where}, {{1}})")
    if adds and repeats:
        named = [i for i in spec if i is not None]
        if any(isinstance(i, tuple) and i[0] == "slice" for i in named) or len(named) != len(shapes[0]):
            if len(named) == 1:
                return Write(
                    step.inputs[0], adds, f"{{a}}.index_put_((torch.as_tensor({inside}),), {{1}}, accumulate=True)"
                )
            raise Unsupported("adding at repeated places of some axes: torch has no plain call for it")
        items = ", ".join(f"torch.as_tensor({_item(i, library, hoist)})" for i in named)
        return Write(step.inputs[0], adds, f"{{a}}.index_put_(({items},), {{1:x}}, accumulate=True)")
    return Write(step.inputs[0], adds, f"{{a}}[{inside}] {'+=' if adds else '='} {{1}}")


def _distinct(spec: Sequence[Any], shape: Shape) -> bool:
    """Whether an index names no place twice."""
    if any(isinstance(i, tuple) and i[0] == "input" for i in spec):
        return False
    places = np.arange(math.prod(shape)).reshape(shape)[numpy_index(tuple(spec), ())]
    return bool(len(np.unique(places)) == places.size)


def uniform(graph: Graph, index: int) -> Fraction | None:
    """The number that an array holds at every place, where that is plain to see."""
    step = graph.steps[index]
    op = OPS.get(step.op)
    if isinstance(op, TensorOp) and op.uniform and step.inputs:
        return uniform(graph, step.inputs[0])
    value = step.value if step.is_const else None
    return value if isinstance(value, Fraction) else None


def zeros(graph: Graph, index: int) -> bool:
    """Whether a step is an array of zeros, plain to see."""
    return uniform(graph, index) == 0


def unspread(graph: Graph, index: int, shape: Shape, stop: Container[int]) -> int:
    """What a step spreads over an array of some shape, which adding it to such an array does by itself."""
    while index not in stop:
        step = graph.steps[index]
        inner = step.inputs[0] if step.inputs else -1
        if step.op == "reshape":
            given = graph.steps[inner].shape
            if step.shape[len(step.shape) - len(given) :] != given:
                break
        elif step.op != "broadcast_to":
            break
        given = graph.steps[inner].shape
        if len(given) > len(shape) or any(a not in (1, b) for a, b in zip(given[::-1], shape[::-1], strict=False)):
            break
        index = inner
    return index
