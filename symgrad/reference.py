"""What is right: the gradients of a known function as plain float64 numbers, at one given point and at others near it.

This is what answers are held against that are numbers and not lines: what a function of a student's returns, and what a
submission holds in the end. The points beside the first show what was written down as a number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.arrays import Program
from symgrad.backward import backward
from symgrad.errors import SymgradError, did_you_mean
from symgrad.graph import Graph

#: What float64 code may be off by, as a share of the right value: a mistake is far beyond, rounding far below.
CLOSE = 1e-6
#: How many points there are, and how far the others lie from the first.
POINTS, RADIUS = 3, 0.05

Array = Any


@dataclass(frozen=True, slots=True)
class Reference:
    """A function and its gradients.

    Attributes:
        points: name of an input -> its value, for each point; the first is the given one.
        results: the function's value at each.
        gradients: name -> the gradient by this input, at each point.
    """

    points: tuple[Mapping[str, Array], ...]
    results: tuple[Array, ...]
    gradients: Mapping[str, tuple[Array, ...]]


def reference(
    graph: Graph, at: Mapping[str, Any], wrt: Sequence[str], *, seed: int = 1, radius: float = RADIUS,
    inputs: Mapping[str, int] | None = None, fixed: Mapping[int, Any] | None = None,
) -> Reference:  # fmt: skip
    """The gradients of a function of a single value.

    Args:
        graph: the function; ``at``: the value of each of its inputs that it needs.
        wrt: names of the inputs to differentiate by.
        seed: of the points that are drawn; radius: how far they lie from ``at``, as a share of each value.
        inputs: the step of each input, where the names in the graph do not tell.
        fixed: the values of input steps that have no name; they stay.

    Raises:
        SymgradError: there is no such input, or the function has no finite value or gradient at a point.
    """
    inputs = graph.variables if inputs is None else inputs
    needed = graph.ancestors(graph.output)
    for name in wrt:
        if name not in inputs:
            raise SymgradError(f"the function has no input '{name}'{did_you_mean(name, inputs)}",
                               hint=f"its inputs are {', '.join(inputs)}")  # fmt: skip
    missing = [n for n, i in inputs.items() if needed[i] and n not in at]
    if missing:
        raise SymgradError(f"no value for {', '.join(missing)}")
    reverse = backward(graph, [inputs[n] for n in wrt], "accurate")
    program = Program(reverse.graph, [*reverse.gradients, graph.output])
    base = {n: np.asarray(at[n], dtype=np.float64) for n, i in inputs.items() if needed[i] or n in at}
    points, results = [], []
    gradients: dict[str, list[Array]] = {n: [] for n in wrt}
    for point in near(base, wrt, seed=seed, radius=radius):
        *found, result = program({**(fixed or {}), **{inputs[n]: v for n, v in point.items()}})
        if not all(np.isfinite(v).all() for v in (*found, result)):
            raise SymgradError("the function has no finite value and gradient at the point, or near it")
        points.append(point)
        results.append(result)
        for name, value in zip(wrt, found, strict=True):
            gradients[name].append(np.broadcast_to(value, base[name].shape))
    return Reference(tuple(points), tuple(results), {n: tuple(v) for n, v in gradients.items()})


def near(
    base: Mapping[str, Array], wrt: Sequence[str], *, seed: int = 1, radius: float = RADIUS, count: int = POINTS
) -> list[dict[str, Array]]:
    """The point itself and others near it.

    What is differentiated by moves, and what is no whole number: labels, masks and counts stay. Each input has random
    numbers of its own, whatever the other inputs are.
    """
    out = [dict(base)]
    for n in range(1, count):
        moved = dict(base)
        for name, value in base.items():
            if name not in wrt and np.all(value == np.round(value)):
                continue
            draw = np.random.default_rng([seed, n, zlib.crc32(name.encode())])
            step = draw.uniform(0.2, 1.0, value.shape) * draw.choice((-1.0, 1.0), value.shape)
            moved[name] = value * (1 + radius * step) + radius * draw.uniform(-1, 1, value.shape) / 4
        out.append(moved)
    return out


def same(found: Any, right: Any, scale: float = 0.0) -> bool:
    """Two values are the same, rounding aside: of one shape, and off by a millionth of the largest entry at most.

    A column or a row for a plain vector, and an array of one entry for a number, are the same value too.

    Args:
        scale: the size of what they were computed from, so that noise where nothing should be is no difference.
    """
    try:
        a, b = np.asarray(found, dtype=np.float64), np.asarray(right, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    if a.shape != b.shape:
        if a.size != b.size or _long(a.shape) != _long(b.shape) or len(_long(a.shape)) > 1:
            return False
        a = a.reshape(b.shape)
    if not np.isfinite(a).all():
        return False
    most = max(float(np.max(np.abs(b), initial=0.0)), 1e-9 * scale, 1e-300)
    return bool(np.max(np.abs(a - b), initial=0.0) <= CLOSE * most)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def ratio(found: Any, right: Any) -> float | None:
    """The constant by which one value is off, if it is one."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if a.shape != b.shape or not a.size or not np.isfinite(a).all() or not np.any(b):
        return None
    k = float(np.vdot(b, a) / np.vdot(b, b))
    return k if k and same(a, k * b) else None


# --- answers that are values ----------------------------------------------------------------------------------------


def wrong_answers(
    target: Any, answer: Any, at: Any = None, shapes: Mapping[str, Sequence[int]] | None = None
) -> dict[str, str]:
    """Which gradients an answer has wrong.

    Args:
        target: the function, as for ``symgrad.check``; ``at`` and ``shapes`` likewise.
        answer: a function of the variables, by name or in order; or numbers, with ``at``. Several gradients are a tuple
            or a list in the order of the variables, or a dictionary.

    Returns:
        input -> what is wrong with its gradient, for each that is wrong: ``"is 2 times what it should be"``.

    Raises:
        SymgradError: the function cannot be read, or the answer is nothing of the kind.
    """
    graph, point = _function(target, at, shapes)
    names = [n for n, i in graph.variables.items() if graph.ancestors(graph.output)[i]]
    given = names if not isinstance(answer, Mapping) else [str(n) for n in answer]
    truth = reference(graph, point, given)
    out: dict[str, str] = {}
    for n, values in enumerate(truth.points if callable(answer) else truth.points[:1]):
        found = answer
        if callable(answer):
            found = _called(answer, {name: values[name] for name in names})
            if isinstance(found, Mapping) and list(found) != given:
                given = [str(k) for k in found]
                truth = reference(graph, point, given)
        table = _table(found, given)
        for name, value in table.items():
            right = truth.gradients[name][n]
            if name not in out and not same(value, right, float(np.max(np.abs(truth.results[n])))):
                out[name] = _difference(value, right)
    return out


def _function(target: Any, at: Any, shapes: Any) -> tuple[Graph, dict[str, Array]]:
    from symgrad.checking import read_target
    from symgrad.formats import get_format
    from symgrad.points import read_point
    from symgrad.shaped.checking import function_of

    if shapes:
        graph = function_of(target, shapes)
        given = at if isinstance(at, Mapping) else {}
    elif isinstance(at, Mapping) and any(np.ndim(v) for v in at.values() if not isinstance(v, str)):
        graph = function_of(target, {n: np.shape(v) for n, v in at.items()}, None)
        given = at
    else:
        graph = read_target(target)
        if at is not None:
            exact = read_point(graph, at, get_format("float64"))
            return graph, {graph.steps[i].name: np.float64(v) for i, v in exact.items()}
        given = {}
    source = np.random.default_rng(7)
    drawn = {n: source.uniform(0.4, 1.6, graph.steps[i].shape) for n, i in graph.variables.items()}
    return graph, {**drawn, **{n: np.asarray(v, dtype=np.float64) for n, v in given.items()}}


def _called(answer: Callable[..., Any], values: Mapping[str, Array]) -> Any:
    import inspect

    plain = {n: (float(v) if np.ndim(v) == 0 else v.copy()) for n, v in values.items()}
    try:
        parameters = list(inspect.signature(answer).parameters)
    except (TypeError, ValueError):
        parameters = []
    by_name = bool(parameters) and all(p in plain for p in parameters)
    return answer(**{p: plain[p] for p in parameters}) if by_name else answer(*plain.values())


def _table(found: Any, names: Sequence[str]) -> dict[str, Any]:
    """Gradient by gradient."""
    if isinstance(found, Mapping):
        return {str(n): v for n, v in found.items()}
    if len(names) == 1 and not (isinstance(found, tuple | list) and len(found) == 1):
        return {names[0]: found}
    if not isinstance(found, tuple | list) or len(found) != len(names):
        raise SymgradError(f"the answer must have {len(names)} gradients, in the order {', '.join(names)}")
    return dict(zip(names, found, strict=True))


def _difference(found: Any, right: Any) -> str:
    try:
        value = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        return f"is no number but a {type(found).__name__}"
    if value.shape != right.shape:
        return f"has the shape {value.shape}, and its variable {right.shape}"
    factor = ratio(value, right)
    if factor is not None and abs(factor) > 1e-9:
        return f"is {factor:.6g} times what it should be"
    if value.ndim == 0:
        return f"should be {float(right):.6g}, is {float(value):.6g}"
    off = ~np.isclose(value, right, rtol=CLOSE, atol=CLOSE * float(np.max(np.abs(right), initial=0.0)))
    return f"is wrong in {int(off.sum())} of its {off.size} entries"


__all__ = ["CLOSE", "Reference", "near", "ratio", "reference", "same", "wrong_answers"]
