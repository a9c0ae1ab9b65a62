"""From an expression and a range of one variable to the curves of its derivative and of who computes it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from symgrad.backward import backward
from symgrad.checking import read_target
from symgrad.enclosure import OutsideDomain, precision, prove
from symgrad.errors import SymgradError
from symgrad.formats import Format, get_format
from symgrad.frontends.expression import parse_points
from symgrad.graph import Graph
from symgrad.manual import merged_formula
from symgrad.naming import display_names
from symgrad.ops import lower
from symgrad.ops.balls import exact_ball
from symgrad.points import evaluate_constant, read_point
from symgrad.report.curve import Curve

#: So many points make a curve.
POINTS = 401
_RANGE = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*=(?P<low>[^:,=]+):(?P<high>[^:,=]+)\s*")


def split_ranges(texts: Sequence[str]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """The ranges ``w=-4:4`` among what ``--at`` was given, and the rest."""
    ranges: dict[str, tuple[str, str]] = {}
    rest: list[str] = []
    for text in texts:
        for part in text.split(","):
            match = _RANGE.fullmatch(part)
            if match:
                ranges[match["name"]] = (match["low"].strip(), match["high"].strip())
            elif rest and "=" not in part:
                rest[-1] += "," + part
            else:
                rest.append(part)
    return ranges, [r for r in rest if r.strip()]


def curve(
    target: Any,
    at: Sequence[str],
    *,
    manual: Mapping[str, str] | str | None = None,
    dtype: str = "float64",
    device: str = "cpu",
    points: int = POINTS,
) -> Curve:
    """Follow a function of one variable over a range.

    Args:
        target: an expression, as for ``symgrad.check``.
        at: one range, ``"w=-4:4"``, and the values of the other variables.
        manual: the user's own derivative by that variable, a formula.
        dtype, device: in which autograd and the formula compute.
        points: how many.

    Raises:
        SymgradError: the target cannot be used, there is not exactly one range, or a value is missing.
    """
    fmt = get_format(dtype)
    graph = read_target(target)
    ranges, fixed = split_ranges(at)
    if len(ranges) != 1:
        raise SymgradError("a plot needs the range of one variable", hint="--at w=-4:4")
    ((name, ends),) = ranges.items()
    if name not in graph.variables:
        known = ", ".join(graph.variables) or "(none)"
        raise SymgradError(f"--at gives a range to '{name}', which is no variable", hint=f"the variables are {known}")
    low, high = (evaluate_constant(name, parse_points([f"{name}={text}"])[name]) for text in ends)
    if not low < high:
        raise SymgradError(f"the range of '{name}' is empty: {ends[0]} is not less than {ends[1]}")
    variable = graph.variables[name]
    base = read_point(graph, [*fixed, f"{name}={ends[0]}"], fmt)
    xs = _spread(low, high, points, fmt)
    formula = _formula(graph, name, manual)
    value, exact, balls = _proven(graph, variable, base, xs)
    computed = _computed(graph, variable, base, xs, fmt, device, formula)
    errors = {who: tuple(map(lambda n, b: _ulps(n, b, fmt), ys, balls)) for who, ys in computed.items()}
    names = display_names(graph)
    return Curve(
        target=str(target), result=names[graph.output] or "f", variable=name, xs=tuple(float(x) for x in xs),
        values=tuple(value), derivatives={"exact": tuple(exact), **{k: tuple(v) for k, v in computed.items()}},
        errors=errors, dtype=fmt.name, device=device,
        at={graph.steps[i].name: float(v) for i, v in base.items() if i != variable},
    )  # fmt: skip


def _spread(low: Fraction, high: Fraction, points: int, fmt: Format) -> list[Fraction]:
    out = []
    for n in range(points):
        rounded = fmt.round(low + (high - low) * Fraction(n, max(points - 1, 1)))
        if rounded is None:
            raise SymgradError(f"the range is too wide for {fmt.name}")
        out.append(rounded)
    return list(dict.fromkeys(out))


def _formula(graph: Graph, name: str, manual: Mapping[str, str] | str | None) -> Graph | None:
    if manual is None:
        return None
    text = manual if isinstance(manual, str) else manual.get(name)
    if text is None:
        raise SymgradError(f"the plot is over '{name}': give its derivative, --manual {name}=FORMULA")
    return merged_formula(graph, name, text)


def _proven(
    graph: Graph, variable: int, base: Mapping[int, Fraction], xs: Sequence[Fraction]
) -> tuple[list[float], list[float], list[Any]]:
    """Values, derivatives, and the proven balls of these (``None`` where there is no derivative)."""
    reverse = backward(graph, [variable], "accurate")
    values: list[float] = []
    derivatives: list[float] = []
    balls: list[Any] = []
    for x in xs:
        try:
            proof = prove(reverse, {**base, variable: x})
        except OutsideDomain:
            values.append(math.nan)
            derivatives.append(math.nan)
            balls.append(None)
            continue
        found = proof.gradients[0]
        values.append(_float(proof.output.ball) if proof.output.defined else math.nan)
        derivatives.append(_float(found.ball) if found.defined else math.nan)
        balls.append(found.ball if found.defined else None)
    return values, derivatives, balls


def _float(ball: Any) -> float:
    try:
        return float(ball) if ball.is_finite() else math.nan
    except OverflowError:
        return math.inf if ball > 0 else -math.inf


def _computed(
    graph: Graph, variable: int, base: Mapping[int, Fraction], xs: Sequence[Fraction], fmt: Format, device_name: str,
    formula: Graph | None,
) -> dict[str, list[float]]:  # fmt: skip
    """What autograd gives, and the user's formula, at all points at once."""
    import torch

    from symgrad import evaluate

    dtype, device = evaluate.torch_dtype(fmt), evaluate.torch_device(device_name)
    count = len(xs)

    def tensors(low: Any) -> dict[int, Any]:
        given = {low.place[variable]: torch.tensor([float(x) for x in xs], dtype=dtype, device=device)}
        for i, v in base.items():
            if i != variable:
                given[low.place[i]] = torch.full((count,), float(v), dtype=dtype, device=device)
        return given

    low = lower(graph)
    _, (found,) = evaluate.autograd(low.graph, tensors(low), [low.place[variable]], dtype=dtype, device=device)
    out = {"autograd": [float(v) for v in found.expand(count)]}
    if formula is not None:
        low = lower(formula)
        (mine,) = evaluate.run(low.graph, tensors(low), [low.place[formula.output]], dtype=dtype, device=device)
        out["manual"] = [float(v) for v in mine.expand(count)]
    return out


def _ulps(value: float, ball: Any, fmt: Format) -> float:
    """How far a number is from the proven one, in units in the last place of the format at that size."""
    if ball is None or not ball.is_finite():
        return math.nan
    if not math.isfinite(value):
        return math.inf
    with precision(256):
        off = abs(exact_ball(Fraction(value)) - ball)
        size = abs(float(ball.mid()))
        exponent = math.frexp(size)[1] - 1 if size else fmt.min_exponent
        unit = Fraction(2) ** (max(exponent, fmt.min_exponent) - fmt.digits + 1)
        # Less than half a unit is rounding to nearest: as good as it can be.
        return _float(off.mid() / exact_ball(unit))
