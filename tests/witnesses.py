"""Independent witnesses of the op table: Arb, SymPy, differences and torch, each run on its own.

Nothing here uses symgrad's evaluators or its judge: the table is what those stand on, so it is tested without them.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import sympy as sp
import torch
from flint import arb, ctx, fmpq

from symgrad.backward import backward
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Op, Ref, Rule, lower

#: Working precision of witnesses that need no adaptive one.
BITS = 320
#: Step of the central differences.
STEP = 2.0**-60
#: Digits asked of SymPy's evalf; and the relative error allowed to it, which leaves it five of them.
DIGITS, DIGITS_LEFT = 40, arb(10) ** -35

DTYPES = {"float64": torch.float64, "float32": torch.float32}
#: Significand bits, exponent of the smallest subnormal, largest finite value.
FORMAT = {
    "float64": (53, -1074, torch.finfo(torch.float64).max),
    "float32": (24, -149, torch.finfo(torch.float32).max),
}


#: Results below this are subnormal.
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126}


# --- Arb ---------------------------------------------------------------------------------------------------------


def ball(value: Any) -> arb:
    """An exact number, or pi or E, as a ball at the context's precision."""
    if isinstance(value, arb):
        return value
    if value == "pi":
        return arb.pi()
    if value == "E":
        return arb(1).exp()
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


class Balls:
    """The namespace ``m`` over Arb balls."""

    def constant(self, value: Any) -> arb:
        return ball(value)

    def __getattr__(self, name: str) -> Callable[..., arb]:
        op = OPS[name]

        def call(*args: Any) -> arb:
            missing = op.arity - len(args)
            given = [*args, *op.defaults[len(op.defaults) - missing :]] if missing else args
            return ball(op.enclose(*(ball(a) for a in given)))

        return call


BALLS = Balls()


def at_precision(bits: int, action: Callable[[], Any]) -> Any:
    """Run ``action`` at ``bits`` of Arb precision."""
    before = ctx.prec
    ctx.prec = bits
    try:
        return action()
    finally:
        ctx.prec = before


def enclosed(op: Op, x: Sequence[Any]) -> arb:
    return ball(op.enclose(*(ball(v) for v in x)))


def factor(op: Op, rule: Rule | None, x: Sequence[Any]) -> arb:
    """A local factor at ``x`` in balls; a missing rule is the factor 0."""
    if rule is None:
        return arb(0)
    balls = [ball(v) for v in x]
    return ball(rule(BALLS, enclosed(op, x), *balls))


def proven(compute: Callable[[], arb], bits: int = 90) -> arb:
    """``compute()`` with at least ``bits`` correct bits, by doubling the precision; a ball may be exactly 0."""
    prec = 128
    while True:
        value = at_precision(prec, compute)
        if value.is_finite() and (value.is_exact() or value.rel_accuracy_bits() >= bits):
            return value
        if prec >= 1 << 14:
            return value
        prec *= 2


def inside(op: Op, x: Sequence[float]) -> bool:
    """Whether ``x`` is proven to lie in the op's domain."""

    def test() -> bool:
        for condition in op.domain:
            value = ball(condition.expr(BALLS, *(ball(v) for v in x)))
            ok = {">": value > 0, ">=": value >= 0, "!=": bool(value != 0)}[condition.relation]
            if not ok:
                return False
        return True

    return bool(at_precision(256, test))


def at_kink(op: Op, x: Sequence[float]) -> bool:
    def test() -> bool:
        return any(ball(kink.expr(BALLS, *(ball(v) for v in x))).contains(0) for kink in op.kinks)

    return bool(at_precision(256, test))


def difference(op: Op, index: int, x: Sequence[float], reach: float = STEP) -> tuple[arb, arb]:
    """The central difference in input ``index``, and a bound on its distance from the derivative.

    The difference with step h errs by f'''/6 h^2 + O(h^4), so the one with step 2h differs from it by three times
    that: their distance bounds the error.
    """

    def slope(h: arb) -> arb:
        up, down = [ball(v) for v in x], [ball(v) for v in x]
        up[index], down[index] = up[index] + h, down[index] - h
        return (enclosed(op, up) - enclosed(op, down)) / (2 * h)

    def both() -> tuple[arb, arb]:
        h = arb(reach)
        near, far = slope(h), slope(2 * h)
        return near, (near - far).abs_upper()

    result: tuple[arb, arb] = at_precision(BITS, both)
    return result


# --- SymPy -------------------------------------------------------------------------------------------------------


def symbols(op: Op) -> list[sp.Symbol]:
    return [sp.Symbol(f"x{i}", real=True) for i in range(op.arity)]


def rational(value: float) -> sp.Rational:
    exact = Fraction(value)
    return sp.Rational(exact.numerator, exact.denominator)


def sympy_value(expr: Any, names: Sequence[Any], x: Sequence[float]) -> arb:
    """``expr`` at ``x`` by evalf; DIGITS digits of it."""
    value = sp.N(sp.sympify(expr).subs(dict(zip(names, map(rational, x), strict=True))), DIGITS, maxn=800)
    if not value.is_real:  # no real value there
        return arb("nan")
    return at_precision(BITS, lambda: arb(str(value)))


@cache
def sympy_definition(name: str) -> tuple[Any, tuple[Any, ...]]:
    op = OPS[name]
    names = symbols(op)
    return op.sympy(*names), tuple(names)


@cache
def sympy_partial(name: str, index: int, second: int = -1) -> tuple[Any, tuple[Any, ...]]:
    """SymPy's own derivative of the op's definition."""
    expr, names = sympy_definition(name)
    if second < 0:
        return sp.diff(expr, names[index]), names
    expr = sympy_partial(name, index)[0]
    # SymPy leaves the derivative of a sign unevaluated; it is 0 off the zeros.
    held = {s: sp.Dummy() for s in expr.atoms(sp.sign)}
    return sp.diff(expr.xreplace(held), names[second]).xreplace({v: k for k, v in held.items()}), names


# --- graphs and torch --------------------------------------------------------------------------------------------

#: What an op is applied to: ``None`` for a variable, a number for a constant.
Given = tuple[Fraction | None, ...]


def graph_of(op: Op, given: Given | None = None) -> tuple[Graph, tuple[int, ...]]:
    """The graph of one application of ``op``, and the positions of its inputs."""
    builder = GraphBuilder()
    m = Formula(builder)
    places = tuple(
        builder.add("input", name=f"x{i}") if value is None else builder.const(value)
        for i, value in enumerate(given or (None,) * op.arity)
    )
    y = m.call(op.name, *(m.ref(p) for p in places), label="y")
    return builder.build(y.index), places


def factor_graph(op: Op, rule: Rule, given: Given | None = None) -> Graph:
    """The graph of a local factor, its inputs and the op's output included."""
    graph, places = graph_of(op, given)
    builder = GraphBuilder(graph, share=True)
    m = Formula(builder)
    result = rule(m, m.ref(graph.output), *(m.ref(p) for p in places))
    return builder.build((result if isinstance(result, Ref) else m.constant(result)).index)


def rounded(value: Any, dtype: torch.dtype) -> float:
    """A constant at the dtype's precision, as a Python float: so torch's scalar overloads get it."""
    near = at_precision(BITS, lambda: float(ball(value)))
    return float(torch.tensor(near, dtype=torch.float64).to(dtype))


@cache
def resolve(name: str) -> Callable[..., Any]:
    head, _, tail = name.partition(".")
    target: Any = importlib.import_module(head)
    for part in tail.split("."):
        target = getattr(target, part)
    result: Callable[..., Any] = target
    return result


def torch_call(op: Op, *x: Any, dtype: torch.dtype) -> torch.Tensor:
    """One op in torch. Constants are Python floats; where all are, or torch wants tensors, they become tensors."""
    if isinstance(op.torch, str):
        like = next((v for v in x if isinstance(v, torch.Tensor)), torch.zeros((), dtype=dtype))
        tensors = [v if isinstance(v, torch.Tensor) else torch.full_like(like, v) for v in x]
        result = resolve(op.torch)(*tensors)
    else:
        assert op.torch is not None
        if all(not isinstance(v, torch.Tensor) for v in x):
            x = tuple(torch.tensor(v, dtype=dtype) for v in x)
        result = op.torch(torch, *x)
    assert isinstance(result, torch.Tensor)
    return result


def torch_steps(graph: Graph, values: Sequence[Any], dtype: torch.dtype) -> list[Any]:
    """Every step of a lowered graph in torch; ``values`` are those of its variables in order."""
    feed = iter(values)
    out: list[Any] = []
    for step in graph:
        if step.is_input:
            out.append(next(feed))
        elif step.is_const:
            out.append(rounded(step.value, dtype))
        else:
            out.append(torch_call(OPS[step.op], *(out[j] for j in step.inputs), dtype=dtype))
    return out


def torch_value(graph: Graph, values: Sequence[Any], dtype: torch.dtype) -> torch.Tensor:
    lowered = lower(graph).graph
    result = torch_steps(lowered, values, dtype)[lowered.output]
    return result if isinstance(result, torch.Tensor) else torch.tensor(result, dtype=dtype)


def compensated(graph: Graph, values: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """The graph's value plus the first-order effect of the rounding errors that its ops can tell."""
    graph = lower(graph).graph
    steps = torch_steps(graph, values, dtype)
    errors: list[Any] = []
    for step, y in zip(graph, steps, strict=True):
        if step.is_input:
            errors.append(0.0)
            continue
        if step.is_const:
            off = at_precision(BITS, lambda s=step, v=y: float(ball(s.value) - arb(v)))
            errors.append(off)
            continue
        op = OPS[step.op]
        x = [steps[j] for j in step.inputs]
        total: Any = 0.0 if op.residual is None else op.residual(torch, y, *x)
        for i, j in enumerate(step.inputs):
            rule = op.rule(i, "accurate")
            if rule is None or (isinstance(errors[j], float) and errors[j] == 0.0):
                continue
            slope = torch_value(factor_graph(op, rule), [torch.as_tensor(v, dtype=dtype) for v in x], dtype)
            part = slope * errors[j]
            total = total + torch.where(torch.isfinite(part), part, 0.0)
        errors.append(total)
    out = steps[graph.output]
    out = out if isinstance(out, torch.Tensor) else torch.tensor(out, dtype=dtype)
    final = out + errors[graph.output]
    return torch.where(torch.isfinite(final), final, out)


def run_balls(graph: Graph, x: Sequence[Any]) -> list[arb]:
    """Every step of a graph in balls."""
    feed = iter(x)
    out: list[arb] = []
    for step in graph:
        if step.is_input:
            out.append(ball(next(feed)))
        elif step.is_const:
            out.append(ball(step.value))
        else:
            out.append(enclosed(OPS[step.op], [out[j] for j in step.inputs]))
    return out


# --- rounding ----------------------------------------------------------------------------------------------------


def ulp_of(value: arb, kind: str) -> float:
    """The distance of neighbouring floats at ``value``."""
    bits, smallest, _ = FORMAT[kind]
    if value.is_zero():
        return 2.0**smallest
    if not value.is_finite():
        return math.inf
    mantissa, power = value.mid().man_exp()
    exponent = abs(int(mantissa)).bit_length() + int(power) - 1
    if exponent > 1023:
        return math.inf
    return math.ldexp(1.0, max(exponent - bits + 1, smallest))


def error(got: float, value: arb, kind: str) -> tuple[float, float]:
    """``|got - value|`` in ulps of the value, and in units of roundoff.

    Infinity is right from half the largest number on: torch's sinh, for one, takes exp(|x|) before it halves it.
    """
    bits, _, largest = FORMAT[kind]
    if math.isinf(got) and (value > 0) == (got > 0) and abs(value) > arb(largest) / 2:
        return 0.0, 0.0
    if not math.isfinite(got):
        return math.inf, math.inf
    off = at_precision(BITS, lambda: float(abs(arb(got) - value.mid())))
    if abs(value) > arb(largest):
        return off / ulp_of(arb(largest), kind), off * 2.0**bits
    return off / ulp_of(value, kind), off * 2.0**bits


def _exact_constant(value: Any, kind: str) -> bool:
    return isinstance(value, Fraction) and Fraction(rounded(value, DTYPES[kind])) == value


def rounding_bound(graph: Graph, x: Sequence[float], kind: str) -> arb:
    """First-order bound on torch's error at the graph's output: each step's own error, times what it is worth.

    Whatever falls below the normal range may be lost whole, on the way too, so that much is allowed for every step.
    1 % is for the terms of second order.
    """
    every = [
        i for i, s in enumerate(graph.steps) if not (s.is_input or (s.is_const and _exact_constant(s.value, kind)))
    ]
    back = backward(graph, every, "accurate")
    values = run_balls(back.graph, x)
    unit = arb(2) ** -FORMAT[kind][0]
    lost = flush(x, kind)
    total = arb(0)
    for i in every:
        if i not in back.cotangents:
            continue
        step, value, worth = graph[i], values[i], values[back.cotangents[i]]
        op = None if step.is_const else OPS[step.op]
        ulp, absolute = (0.5, 0.0) if op is None else (op.ulp, op.ulp_absolute)
        if ulp <= 0.5 and not absolute and value.is_exact() and arb(_round(float(value), kind)) == value:
            continue  # correctly rounded, and there is nothing to round
        if ulp or absolute:
            total += abs(worth) * (ulp * ulp_of(value, kind) + absolute * unit + lost)
    return total * arb("1.01")


def flush(x: Sequence[float], kind: str) -> float:
    """What an op may lose to underflow: sigmoid returns 0 for subnormal results, silu loses x times as much."""
    return SMALLEST_NORMAL[kind] * (1 + sum(map(abs, x)))


def leaves_range(graph: Graph, x: Sequence[float], kind: str) -> bool:
    """Whether some step of a computation over- or underflows, even if its result does not."""
    largest, smallest = arb(FORMAT[kind][2]), arb(SMALLEST_NORMAL[kind])
    for value in run_balls(lower(graph).graph, x):
        size = abs(value)
        if not size < largest or (size < smallest and not value.is_zero()):
            return True
    return False


# --- samples -----------------------------------------------------------------------------------------------------


def _pool(rng: random.Random, kind: str) -> list[float]:
    """Numbers of every size: tiny, huge, around 1 and the integers, and the ranges where functions saturate."""
    low, high = (-1070, 1022) if kind == "float64" else (-148, 126)
    bits = FORMAT[kind][0]
    pool = [0.0, 1.0, -1.0, 0.5, 2.0, 3.0]
    for exponent in range(low, high, max((high - low) // 60, 1)):
        pool += [math.ldexp(rng.uniform(1, 2), exponent) * sign for sign in (1, -1)]
    for exponent in range(-30, 12):
        pool += [math.ldexp(rng.uniform(1, 2), exponent) * sign for sign in (1, -1)]
    for width, count in ((1, 150), (3, 150), (10, 200), (40, 150), (200, 100), (800, 100)):
        pool += [rng.uniform(-width, width) for _ in range(count)]
    for centre in (1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -7.0, math.pi / 2, math.pi, 100 * math.pi, 1.4616321449683623):
        for k in range(1, bits, 4):
            pool += [centre * (1 + 2.0**-k), centre * (1 - 2.0**-k)]
    return pool


def _round(value: float, kind: str) -> float:
    return float(torch.tensor(value, dtype=torch.float64).to(DTYPES[kind]))


@cache
def samples(name: str, kind: str, size: int = 1500) -> tuple[tuple[float, ...], ...]:
    """Deterministic inputs over the whole domain of an op, its kinks left out."""
    op = OPS[name]
    rng = random.Random(f"{name} {kind}")
    pool = [_round(v, kind) for v in _pool(rng, kind)]
    medium = [v for v in pool if 2**-20 < abs(v) < 1000]
    rows: list[tuple[float, ...]] = [tuple(_round(v, kind) for v in p) for p in op.points]
    if op.arity == 1:
        rows += [(v,) for v in pool]
    elif name == "polygamma":
        rows += [(float(rng.randint(1, 5)), rng.choice(pool)) for _ in range(size)]
    else:
        for _ in range(size):
            rows.append(tuple(rng.choice(pool if rng.random() < 0.5 else medium) for _ in range(op.arity)))
        for _ in range(size // 5):
            a = rng.choice(medium)
            near = _round(a * (1 + rng.choice((-1, 1)) * 2.0 ** -rng.randint(1, FORMAT[kind][0])), kind)
            rows.append((*(rng.choice(medium) for _ in range(op.arity - 2)), a, rng.choice((near, -near))))
        if name == "pow":
            special = (2.0, 3.0, -1.0, -2.0, 0.5, -0.5, 4.0, 7.0, -3.0, 1.0, 0.0, 1 / 3, 1.5, 20.0, 101.0)
            rows += [(rng.choice(pool), _round(rng.choice(special), kind)) for _ in range(size)]
            rows += [(rng.uniform(0.5, 2), rng.uniform(-700, 700)) for _ in range(size // 5)]
            rows = [tuple(_round(v, kind) for v in row) for row in rows]
    return tuple(r for r in dict.fromkeys(rows) if all(map(math.isfinite, r)) and inside(op, r) and not at_kink(op, r))


@cache
def sample_values(name: str, kind: str) -> tuple[arb, ...]:
    op = OPS[name]
    return tuple(proven(lambda x=x: enclosed(op, x)) for x in samples(name, kind))


def torch_gradient(name: str, index: int, x: Sequence[float], kind: str) -> tuple[float, arb]:
    """torch's own derivative, and the rounding bound of the formulas that its backward evaluates."""
    graph, _ = graph_of(OPS[name])
    inputs = [c[0].requires_grad_() for c in columns([tuple(x)], kind)]
    value = torch_value(graph, inputs, DTYPES[kind])
    found = torch.autograd.grad(value, inputs[index], allow_unused=True)[0] if value.requires_grad else None
    lowered = lower(graph)
    back = backward(lowered.graph, [lowered.place[index]], "autograd")
    reverse = lower(Graph(back.graph.steps, back.gradients[0])).graph
    bound = at_precision(BITS, lambda: rounding_bound(reverse, x, kind))
    return 0.0 if found is None else float(found), bound


def columns(rows: Sequence[tuple[float, ...]], kind: str) -> list[torch.Tensor]:
    return [torch.tensor(c, dtype=torch.float64).to(DTYPES[kind]) for c in zip(*rows, strict=True)]
