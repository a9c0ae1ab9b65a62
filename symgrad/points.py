"""The point at which a derivative is checked: what the user gave, and the binary values that the dtype makes of it."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from symgrad.enclosure import precision
from symgrad.errors import SymgradError, did_you_mean
from symgrad.formats import Format
from symgrad.frontends.pointtext import parse_points
from symgrad.graph import Graph
from symgrad.names import NAME_HINTS
from symgrad.ops.balls import run_balls

#: What ``at=`` may be: ``{"x": 3, "z": "pi/4"}``, ``"x=3,z=2"``, or several such strings.
Point = Mapping[str, Any] | str | Sequence[str]


def read_point(graph: Graph, at: Point, fmt: Format) -> dict[int, Fraction]:
    """The exact value of every variable, rounded to the format: position of the input step -> value.

    A variable that the function does not use needs no value; it is 0 then.

    Raises:
        SymgradError: a variable is missing or unknown, or a value is not a finite number that the format holds.
    """
    if isinstance(at, Mapping):
        given = {str(name): _plain(str(name), value) for name, value in at.items()}
    else:
        texts = [at] if isinstance(at, str) else list(at)
        if not all(isinstance(text, str) for text in texts):
            raise SymgradError("the point says which variable has which value: at={'x': 2}, or at='x=2'")
        given = {name: evaluate_constant(name, value) for name, value in parse_points(texts).items()}
    variables = graph.variables
    for name in given:
        if name not in variables:
            raise SymgradError(
                f"--at gives a value to '{name}', which is no variable of the expression"
                f"{did_you_mean(name, variables)}",
                hint=f"the variables are {', '.join(variables) or '(none)'}",
            )
    needed = graph.ancestors(graph.output)
    missing = [name for name, i in variables.items() if name not in given and needed[i]]
    if missing:
        wanted = ",".join(f"{name}=..." for name in missing)
        hints = "; ".join(NAME_HINTS[name] for name in missing if name in NAME_HINTS)
        span = graph.steps[variables[missing[0]]].span
        raise SymgradError(
            f"no value for {' and '.join(missing)}: add --at {wanted}", span, source=graph.source, hint=hints
        )
    point = {i: Fraction(0) for name, i in variables.items() if name not in given}
    for name, exact in given.items():
        rounded = fmt.round(exact)
        if rounded is None:
            raise SymgradError(f"the value of '{name}' is too large for {fmt.name} (largest: {float(fmt.largest):.4g})")
        point[variables[name]] = rounded
    return point


def _plain(name: str, value: Any) -> Fraction:
    """A number of any kind (Python, NumPy, a tensor of one element), or an expression as text."""
    if isinstance(value, str):
        return evaluate_constant(name, parse_points([f"{name}={value}"])[name])
    if isinstance(value, numbers.Rational) and not isinstance(value, bool):
        return Fraction(int(value.numerator), int(value.denominator))  # NumPy's integers are no Python ones
    if hasattr(value, "item"):
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError) as problem:
            raise SymgradError(f"the value of '{name}' must be one number; this has several elements") from problem
    if not isinstance(value, int | float):
        try:
            value = float(value)
        except (TypeError, ValueError) as problem:
            raise SymgradError(f"the value of '{name}' is no number: {reprlib.repr(value)}") from problem
    if isinstance(value, bool):
        raise SymgradError(f"the value of '{name}' is no number: {value}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SymgradError(f"the value of '{name}' is {value}; symgrad needs a finite number")
    return Fraction(value)


def evaluate_constant(name: str, graph: Graph) -> Fraction:
    """A constant expression to far more digits than any format holds."""
    step = graph.steps[graph.output]
    if step.is_const and isinstance(step.value, Fraction):
        return step.value
    with precision(2048):
        ball = run_balls(graph, {}, graph.ancestors(graph.output))[graph.output]
        if not ball.is_finite() or (ball.rel_accuracy_bits() < 1200 and not ball.contains(0)):
            raise SymgradError(f"the value of '{name}' is no finite number", step.span, source=graph.source)
        if ball.contains(0):
            return Fraction(0)
        mantissa, exponent = ball.mid().man_exp()
        if exponent > 2048:
            raise SymgradError(f"the value of '{name}' is too large", step.span, source=graph.source)
        if exponent < -10000:
            return Fraction(0)
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
