"""Witnesses of the ops that are not elementwise, and the applications that they are asked about.

torch's autograd, differences in Arb at 320 bits, and SymPy differentiating the op's definition entry by entry: none of
them knows the table's vjp rules.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
import torch
from flint import arb, ctx

from symgrad import evaluate
from symgrad.arrays import Program
from symgrad.backward import Backward, backward
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Ref, Shape, TensorOp
from symgrad.ops.balls import run_balls

BITS = 320
CPU = torch.device("cpu")
TENSOR = sorted(n for n, op in OPS.items() if not op.elementwise)

W = ("slice", None, None, None)
#: Beyond the examples of the table: arrays of no entry, of one entry, and what is special to an op.
MORE: dict[str, list[tuple[tuple[Shape, ...], dict[str, Any]]]] = {
    "reshape": [(((0, 3),), {"shape": (3, 0)}), (((1,),), {"shape": ()}), (((),), {"shape": (1, 1)})],
    "transpose": [(((0, 2),), {}), (((),), {}), (((3, 3),), {}), (((2, 1, 3, 2),), {"axes": (3, 0, -2, 1)})],
    "broadcast_to": [
        (((1,),), {"shape": (0,)}), (((1, 1),), {"shape": (1, 1)}), (((3, 1, 1),), {"shape": (2, 3, 1, 2)}),
    ],
    "concatenate": [(((0, 2), (3, 2)), {}), (((1,), (1,), (2,)), {}), (((2, 2, 2), (2, 2, 1)), {"axis": -1})],
    "pad": [(((0,),), {"widths": ((1, 1),)}), (((1, 1),), {"widths": ((0, 0), (0, 3))}), (((),), {"widths": ()})],
    "diag": [(((1,),), {}), (((0,),), {}), (((3,),), {"k": 2})],
    "diagonal": [(((1, 1),), {}), (((2, 5),), {"k": 2}), (((3, 3),), {})],
    "triu": [(((1, 1),), {}), (((0, 3),), {}), (((3, 3),), {"k": 1})],
    "tril": [(((1, 1),), {}), (((0, 3),), {}), (((3, 3),), {"k": -1})],
    "sum": [(((0, 3),), {"axis": 0}), (((),), {}), (((1, 1),), {"keepdims": True}), (((2, 3),), {"axis": ()})],
    "mean": [(((1,),), {}), (((),), {}), (((0, 3),), {"axis": 1}), (((4, 1),), {"axis": -1})],
    "amax": [(((1,),), {}), (((),), {}), (((0, 3),), {"axis": 1}), (((3, 4),), {"axis": 1, "keepdims": True})],
    "amin": [(((1,),), {}), (((),), {}), (((0, 3),), {"axis": 1}), (((3, 4),), {"axis": 1, "keepdims": True})],
    "argmax": [(((1,),), {}), (((2, 3, 4),), {"axis": 1})],
    "argmin": [(((1,),), {}), (((2, 3, 4),), {"axis": 1})],
    "prod": [(((1,),), {}), (((),), {}), (((0, 2),), {"axis": 0}), (((70,),), {}), (((2, 3, 2),), {"axis": (0, 2)})],
    "norm": [(((1,),), {}), (((0, 2),), {"axis": 1}), (((3, 3),), {"axis": 1, "keepdims": True})],
    "logsumexp": [(((1,),), {}), (((),), {}), (((0, 2),), {"axis": 1}), (((3, 3),), {"axis": 0, "keepdims": True})],
    "cumsum": [(((1,),), {}), (((0, 2),), {"axis": 0}), (((3, 3),), {"axis": 1})],
    "softmax": [(((1,),), {}), (((0, 3),), {}), (((3, 3),), {"axis": 0})],
    "log_softmax": [(((1,),), {}), (((0, 3),), {}), (((3, 3),), {"axis": 0})],
    "matmul": [
        (((3, 3), (3, 3)), {}), (((1, 1), (1, 1)), {}), (((0, 3), (3, 2)), {}), (((2, 0), (0, 3)), {}),
        (((0,), (0,)), {}),
        (((2, 1, 2, 3), (4, 3, 2)), {}), (((2, 3), (5, 3, 4)), {}), (((3,), (2, 5, 3, 4)), {}),
        (((2, 5, 2, 3), (3,)), {}),
    ],
    "outer": [(((1,), (1,)), {}), (((0,), (3,)), {}), (((3,), (3,)), {})],
    "einsum": [
        (((2, 3, 4), (4, 3)), {"spec": "bij,ji->b"}), (((2, 3), (2, 3)), {"spec": "ij,ij->"}),
        (((3, 1), (3, 4)), {"spec": "ij,ij->i"}),
        (((0, 3), (3,)), {"spec": "ij,j"}), (((2, 3, 4),), {"spec": "ijk->ki"}), (((2, 3), (4,)), {"spec": "ij,k->k"}),
        (((3, 3),), {"spec": "ij->ji"}), (((2, 5, 3), (2, 4, 3)), {"spec": "bqd,bkd->bqk"}),
    ],
    "inv": [(((1, 1),), {}), (((0, 0),), {})],
    "solve": [(((1, 1), (1,)), {}), (((2, 2, 2), (2, 2, 1)), {}), (((2, 2), (3, 2, 2)), {})],
    "det": [(((1, 1),), {}), (((2, 2),), {})],
    "index": [
        (((3,),), {"spec": (("mask", (3,), ()),)}), (((1,),), {"spec": (0,)}), (((0, 2),), {"spec": (W, 1)}),
        (((4, 3),), {"spec": (W, ("ints", (2, 2), (0, 1, 2, 2)))}),
        (((5,),), {"spec": (("slice", None, None, -1), None)}),
        (((3, 4),), {"spec": (("ints", (2, 1), (0, 2)), ("ints", (3,), (1, 1, 0)))}),
        (((3, 3),), {"spec": (("slice", 0, 0, 1),)}),
        (((3, 4, 2),), {"spec": (("ints", (2,), (2, 0)), W, ("ints", (2,), (0, 0)))}),
    ],
    "set": [
        (((3,), (0,)), {"spec": (("mask", (3,), ()),)}), (((1,), ()), {"spec": (0,)}),
        (((4, 3), (3,)), {"spec": ("...",)}),
        (((5,), (2,)), {"spec": (("slice", 3, None, -2),)}),
        (((3, 4), (2, 3)), {"spec": (("ints", (2, 1), (0, 2)), ("ints", (3,), (1, 1, 0)))}),
        (((0, 2), ()), {"spec": (W, 1)}), (((3, 3), (1, 3)), {"spec": (0,)}),
    ],
    "add_at": [
        (((3,), (0,)), {"spec": (("mask", (3,), ()),)}), (((1,), ()), {"spec": (0,)}),
        (((4, 3), (3,)), {"spec": ("...",)}),
        (((5,), (2,)), {"spec": (("slice", 3, None, -2),)}),
        (((3, 4), (2, 3)), {"spec": (("ints", (2, 1), (0, 2)), ("ints", (3,), (1, 1, 0)))}),
        (((4, 2), (3, 2)), {"spec": (("ints", (3,), (1, 1, 1)),)}), (((3, 3), (1, 3)), {"spec": (0,)}),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One application of an op, its result weighted and summed to a number, and a point."""

    name: str
    graph: Graph
    inputs: tuple[int, ...]
    result: int
    values: dict[int, Any]

    def __repr__(self) -> str:
        shapes = ", ".join(str(self.graph[i].shape) for i in self.inputs)
        return f"{self.name}({shapes}; {dict(self.graph[self.result].params)})"

    @property
    def wrt(self) -> tuple[int, ...]:
        return self.inputs


def numbers(shape: Shape, seed: str) -> Any:
    """Random numbers, no two alike, which no op's kink comes near."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    return rng.standard_normal(shape)


def application(name: str, shapes: Sequence[Shape], params: dict[str, Any]) -> Case:
    builder = GraphBuilder()
    m = Formula(builder)
    refs = [m.ref(builder.add("input", name=f"x{i}", shape=s)) for i, s in enumerate(shapes)]
    y = m.call(name, *refs, label="y", **params)
    weight = builder.add("input", name="w", shape=y.shape)
    graph = builder.build(m.sum(y * m.ref(weight)).index)
    values = {i: numbers(s.shape, f"{name}{i}{shapes}") for i, s in enumerate(graph) if s.is_input}
    return Case(name, graph, tuple(r.index for r in refs), y.index, values)


@cache
def cases(name: str) -> tuple[Case, ...]:
    op = OPS[name]
    assert isinstance(op, TensorOp)
    return tuple(application(name, *example) for example in [*op.examples, *MORE.get(name, [])])


def reverse(case: Case) -> Backward:
    return backward(case.graph, case.wrt)


# --- values ------------------------------------------------------------------------------------------------------


def strided(value: Any) -> Any:
    """The same numbers, neither contiguous nor in order: every second of a larger array, turned round."""
    array = np.asarray(value)
    if not array.ndim:
        return array
    large = np.full([2 * n + 1 for n in reversed(array.shape)], np.nan)
    view = large.T[tuple(slice(1, None, 2) for _ in array.shape)][tuple(slice(None, n) for n in array.shape)]
    view = view[tuple(slice(None, None, -1) for _ in array.shape)]
    view[...] = array
    assert array.size < 2 or not view.flags.c_contiguous
    return view


def by_numpy(graph: Graph, values: dict[int, Any], targets: Sequence[int]) -> list[Any]:
    return Program(graph, targets)(values)


def tensors(values: dict[int, Any]) -> dict[int, torch.Tensor]:
    """With strides: torch has no negative ones."""
    out = {}
    for i, v in values.items():
        t = torch.tensor(np.asarray(v), dtype=torch.float64)
        out[i] = torch.stack((t.mT.contiguous().mT, t), -1)[..., 0] if t.ndim > 1 else t
    return out


def by_torch(graph: Graph, values: dict[int, Any], targets: Sequence[int]) -> list[Any]:
    found = evaluate.run(graph, tensors(values), targets, dtype=torch.float64, device=CPU)
    return [f.numpy() for f in found]


def balls(value: Any) -> Any:
    array = np.asarray(value)
    if not array.ndim:
        return arb(float(array))
    out = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        out[place] = arb(float(array[place]))
    return out


def in_arb(graph: Graph, values: dict[int, Any], targets: Sequence[int]) -> list[Any]:
    old = ctx.prec
    ctx.prec = BITS
    try:
        found = run_balls(graph, {i: balls(v) for i, v in values.items()}, graph.ancestors(*targets))
    finally:
        ctx.prec = old
    return [np.asarray(found[t], dtype=object) for t in targets]


def floats(value: Any) -> Any:
    array = np.asarray(value, dtype=object)
    return np.array([float(v) for v in array.ravel()], dtype=np.float64).reshape(array.shape)


def near(a: Any, b: Any, digits: float = 1e-11) -> bool:
    """Equal in shape, and in value up to the rounding of a few dozen operations on numbers around 1."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    size = max(1.0, float(np.max(np.abs(y), initial=0.0)))
    return x.shape == y.shape and bool(np.all(np.abs(x - y) <= digits * size))


# --- witnesses of the derivative -----------------------------------------------------------------------------------


def autograd_of(case: Case) -> list[Any]:
    _, found = evaluate.autograd(case.graph, tensors(case.values), case.wrt, dtype=torch.float64, device=CPU)
    return [f.numpy() for f in found]


def rejects_autograd(case: Case, expected: list[Any]) -> bool:
    back = reverse(case)
    return not all(near(a, b) for a, b in zip(by_numpy(back.graph, case.values, back.gradients), expected, strict=True))


def differences_of(case: Case) -> list[tuple[Any, Any]]:
    """For each input a random direction, and the central difference along it: exact to some 30 digits."""
    out = []
    for i in case.inputs:
        direction = numbers(case.graph[i].shape, f"direction {case} {i}")
        old = ctx.prec
        ctx.prec = BITS
        try:
            h = arb(2) ** -60
            start = {j: balls(v) for j, v in case.values.items()}
            sides = []
            for sign in (1, -1):
                moved = {**start, i: start[i] + balls(direction) * (h * sign)}
                sides.append(run_balls(case.graph, moved)[case.graph.output])
            out.append((direction, (sides[0] - sides[1]) / (2 * h)))
        finally:
            ctx.prec = old
    return out


def rejects_differences(case: Case, expected: list[tuple[Any, Any]]) -> bool:
    back = reverse(case)
    found = in_arb(back.graph, case.values, back.gradients)
    old = ctx.prec
    ctx.prec = BITS
    try:
        for gradient, (direction, slope) in zip(found, expected, strict=True):
            if gradient.shape != np.shape(direction):
                return True
            along = sum((g * arb(float(d)) for g, d in zip(gradient.ravel(), np.ravel(direction), strict=True)), arb(0))
            if not abs(along - slope) < arb(10) ** -25 * (1 + abs(slope)):
                return True
    finally:
        ctx.prec = old
    return False


#: SymPy takes its time: no more entries than this.
SMALL = 9


def small(name: str) -> Case | None:
    """The first application of few entries that are not just one."""
    fit = [c for c in cases(name) if c.inputs and all(1 < np.size(c.values[i]) <= SMALL for i in c.inputs)]
    return fit[0] if fit else None


def sympy_of(case: Case) -> list[Any]:
    """The derivatives of sum(w * op(x)) by SymPy's diff, at the point."""
    op = OPS[case.name]
    symbols, at = [], {}
    for i in case.inputs:
        shape = case.graph[i].shape
        names = np.array([sp.Symbol(f"x{i}_{n}", real=True) for n in range(int(np.prod(shape)))], dtype=object)
        symbols.append(names.reshape(shape))
        at.update(zip(names, (sp.Rational(float(v)) for v in np.ravel(case.values[i])), strict=True))
    y = np.asarray(op.sympy(*symbols, **dict(case.graph[case.result].params)), dtype=object)
    weights = np.ravel(next(case.values[i] for i, s in enumerate(case.graph) if s.name == "w"))
    total = sum((sp.Rational(float(w)) * v for w, v in zip(weights, y.ravel(), strict=True)), sp.Integer(0))
    out = []
    for names in symbols:
        flat = [float(sp.diff(total, s).subs(at).evalf(20)) for s in names.ravel()]
        out.append(np.array(flat).reshape(names.shape))
    return out


def refs(m: Formula, *indices: int) -> list[Ref]:
    return [m.ref(i) for i in indices]
