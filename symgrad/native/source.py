"""A graph as the text of one loop in C: nothing goes through memory but inputs and results.

Everything is computed in double. float32 comes out rounded once, which no compensation in float32 reaches; float64 is
compensated with the rules of :func:`symgrad.evaluate.run`, where a fused multiply-add gives the error of a product.
Nothing of a user's text gets into the source: it is made from op names of the table and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from symgrad.formats import Format
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.ops.ckernels import ANGLE, NEAR, kernel, prelude, square
from symgrad.ops.compensation import carried

#: What stands before the loop that does a block once more.
AGAIN = "  if (far)"
#: Points of a block, after which it is asked whether any argument was too large for what is quick.
BLOCK = 1024
#: Longer graphs are not compiled: what the compiler needs grows faster than linearly.
LONGEST = 600
#: pi and e to 60 digits, for what a double leaves of them.
_DIGITS = {
    "pi": Fraction("3.14159265358979323846264338327950288419716939937510582097494"),
    "E": Fraction("2.71828182845904523536028747135266249775724709369995957496697"),
}
#: How quotients are written, and which operand is divided by which.
_QUOTIENTS = {"{0} / {1}": (0, 1), "{1} / {0}": (1, 0)}


class _Missing(Exception):
    """An op has no kernel in C."""


class _Value:
    """A double of the loop under its name in C, with Python's operators."""

    __slots__ = ("device", "dtype", "name", "writer")

    def __init__(self, writer: _Writer, name: str) -> None:
        self.writer = writer
        self.name = name
        self.dtype, self.device = "float64", "cpu"

    def _with(self, template: str, *others: Any) -> _Value:
        return self.writer.let(template, self, *others)

    def __add__(self, other: Any) -> _Value:
        return self._with("{0} + {1}", other)

    def __radd__(self, other: Any) -> _Value:
        return self._with("{1} + {0}", other)

    def __sub__(self, other: Any) -> _Value:
        return self._with("{0} - {1}", other)

    def __rsub__(self, other: Any) -> _Value:
        return self._with("{1} - {0}", other)

    def __mul__(self, other: Any) -> _Value:
        return self._with("{0} * {1}", other)

    def __rmul__(self, other: Any) -> _Value:
        return self._with("{1} * {0}", other)

    def __truediv__(self, other: Any) -> _Value:
        return self._with("{0} / {1}", other)

    def __rtruediv__(self, other: Any) -> _Value:
        return self._with("{1} / {0}", other)

    def __pow__(self, other: Any) -> Any:
        return self.writer.op("pow", self, other)

    def __neg__(self) -> _Value:
        return self._with("-{0}")

    def __gt__(self, other: Any) -> _Value:
        return self._with("({0} > {1} ? 1.0 : 0.0)", other)

    def __lt__(self, other: Any) -> _Value:
        return self._with("({0} < {1} ? 1.0 : 0.0)", other)


class _Writer:
    """Collects the assignments of the loop's body; equal ones are written once.

    Args:
        inverts: divisions are products with an inverse, which all divisions by the same number share: a division takes
            as long as ten products. For float32, which is rounded in the end, the last digit of a double is nothing.
    """

    def __init__(self, *, inverts: bool) -> None:
        self.lines: list[str] = []
        #: The arguments of what holds for small ones only.
        self.angles: dict[str, None] = {}
        self.inverts = inverts
        self._known: dict[str, _Value] = {}

    def text(self, value: Any) -> str:
        if isinstance(value, _Value):
            return value.name
        number = float(value)
        if math.isnan(number):
            return '__builtin_nan("")'
        return f"({number.hex()})" if math.isfinite(number) else f"({'-' if number < 0 else ''}__builtin_inf())"

    def let(self, template: str, *args: Any) -> _Value:
        if self.inverts and template in _QUOTIENTS:
            above, below = (args[k] for k in _QUOTIENTS[template])
            inverse = self.let("1.0 / {0}", below)
            return inverse if not isinstance(above, _Value) and above == 1 else self.let("{0} * {1}", above, inverse)
        text = template.format(*map(self.text, args))
        if text not in self._known:
            name = f"v{len(self.lines)}"
            self.lines.append(f"const double {name} = {text};")
            self._known[text] = _Value(self, name)
        return self._known[text]

    def op(self, name: str, *args: Any) -> Any:
        """One op of the table. An op without a kernel is composed as the table says.

        Raises:
            _Missing: it has neither.
        """
        op = OPS[name]
        filled = [*args, *(float(d) for d in op.defaults[len(args) - op.arity + len(op.defaults) :])]
        last = filled[-1]
        template = kernel(name, None if isinstance(last, _Value) else float(last))
        if template is not None:
            if template.startswith(tuple(NEAR)):
                self.angles[self.text(filled[0])] = None
            return self.let(template, *filled)
        if op.lower is None:
            raise _Missing(name)
        return op.lower(_Rules(self), *filled)


class _Torch:
    """What the table's ``residual`` rules ask of torch, over values of the loop."""

    Tensor = _Value
    float64 = "float64"

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args: self._writer.op(name, *args)

    def full(self, _shape: Any, value: float, **_like: Any) -> Any:
        return self._writer.let("{0}", value)

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        return self._writer.let("({0} != 0.0 ? {1} : {2})", condition, a, b)

    def minimum(self, a: Any, b: Any) -> Any:
        return self._writer.op("min", a, b)

    def zeros_like(self, _value: Any) -> float:
        return 0.0

    def nan_to_num(self, value: Any, **_numbers: float) -> Any:
        return self._writer.let("k_finite({0})", value)

    def finfo(self, _dtype: Any) -> Any:
        return SimpleNamespace(tiny=2.0**-1022, eps=2.0**-52)

    def exact_product(self, y: Any, a: Any, b: Any) -> Any:
        return self._writer.let("k_product_error({0}, {1}, {2})", y, a, b)


class _Rules:
    """The namespace ``m`` of the table's rules, over values of the loop."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args: self._writer.op(name, *args)

    def constant(self, value: Fraction | int | str) -> float:
        return float(_DIGITS[value] if isinstance(value, str) else value)


def write(
    graph: Graph, inputs: Sequence[int], targets: Sequence[int], fmt: Format, single: Sequence[bool]
) -> str | None:
    """The C source of one loop over all points, or ``None`` where an op has no kernel.

    Args:
        graph: a lowered graph of single numbers.
        inputs: positions of the input steps, in the order of the function's pointers.
        targets: positions of the results, whose pointers follow.
        fmt: float32 or float64: of what is read and written.
        single: for each input, whether it is one number for all points.
    """
    if len(graph) > LONGEST or any(s.shape or s.params for s in graph.steps if not s.is_const):
        return None
    compensated = fmt.name == "float64"
    writer = _Writer(inverts=not compensated)
    try:
        values = {p: writer.let(f"x{n}[{'0' if single[n] else 'i'}]") for n, p in enumerate(inputs)}
        results = _body(writer, graph, values, targets, compensated)
    except _Missing:
        return None
    real = "double" if fmt.name == "float64" else "float"
    pointers = [f"const {real} *restrict x{n}" for n in range(len(inputs))]
    pointers += [f"{real} *restrict y{n}" for n in range(len(targets))]
    stores = [f"y{n}[i] = ({real}){writer.text(v)};" for n, v in enumerate(results)]
    body = [*writer.lines, *stores]
    loops = _loop(body, "0", "count") if compensated or not writer.angles else _in_blocks(body, list(writer.angles))
    return (
        f"{'' if compensated else '#define SINGLE'}\n{prelude()}\nvoid run(long long count, {', '.join(pointers)}) {{\n"
        f"{loops}}}\n"
    )


def _loop(body: Sequence[str], low: str, high: str) -> str:
    lines = "\n    ".join(body)
    return f"#pragma GCC ivdep\n  for (long long i = {low}; i < {high}; i++) {{\n    {lines}\n  }}\n"


def _in_blocks(body: Sequence[str], angles: Sequence[str]) -> str:
    """The loop in blocks: one with an angle in it that is too large for what is quick is done once more, as for any."""
    far = " | ".join(f"(k_abs({a}) > {ANGLE.hex()})" for a in angles)
    plain = "\n".join(body)
    for near, whole in NEAR.items():
        plain = plain.replace(near, whole)
    return (
        f"  for (long long low = 0; low < count; low += {BLOCK}) {{\n"
        f"  long long high = low + {BLOCK} < count ? low + {BLOCK} : count, far = 0;\n"
        f"{_loop([*body, f'far |= {far};'], 'low', 'high')}"
        f"{AGAIN} {{\n{_loop(plain.splitlines(), 'low', 'high')}  }}\n  }}\n"
    )


def _constant(value: Fraction | str) -> tuple[float, float]:
    """A constant in double, and what that lacks."""
    exact = _DIGITS[value] if isinstance(value, str) else value
    try:
        rounded = float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf, 0.0
    return rounded, float(exact - Fraction(rounded))


def _body(
    writer: _Writer, graph: Graph, values: dict[int, _Value], targets: Sequence[int], compensated: bool
) -> list[Any]:
    needed = graph.ancestors(*targets)
    torch, rules = _Torch(writer), _Rules(writer)
    out: list[Any] = [None] * len(graph)
    errors: list[Any] = [0.0] * len(graph)
    for i, step in enumerate(graph.steps):
        if not needed[i]:
            continue
        if step.is_input:
            out[i] = values[i]
            continue
        if step.is_const:
            out[i], errors[i] = _constant(step.value)
            continue
        args = [out[j] for j in step.inputs]
        if not any(isinstance(a, _Value) for a in args):
            args[0] = writer.let("{0}", args[0])
        base = graph.steps[step.inputs[0]]
        last = None if isinstance(args[-1], _Value) else float(args[-1])
        whole = None if compensated else square(step.op, last, base.op)
        if whole is not None:
            out[i] = writer.let(whole, *(out[j] for j in base.inputs))
            continue
        out[i] = writer.op(step.op, *args)
        if compensated:
            errors[i] = carried(torch, rules, step.op, out[i], args, [errors[j] for j in step.inputs])
    results = []
    for t in targets:
        value = out[t]
        if compensated and isinstance(value, _Value) and isinstance(errors[t], _Value):
            better = value + errors[t]
            value = writer.let("(k_abs({0}) <= 0x1.fffffffffffffp1023 ? {0} : {1})", better, value)
        results.append(value)
    return results
