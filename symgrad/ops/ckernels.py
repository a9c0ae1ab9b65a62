"""Which ops have a kernel in C: their spelling, for loops that are compiled (see ``symgrad.native``)."""

from __future__ import annotations

from pathlib import Path

#: Op -> its value in C, of doubles ``{0}``, ``{1}``, ...; what is missing here is evaluated by torch.
KERNELS: dict[str, str] = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}", "alias": "{0}",
    "sqrt": "__builtin_sqrt({0})", "abs": "k_abs({0})", "sign": "k_sign({0})",
    "max": "k_max({0}, {1})", "min": "k_min({0}, {1})", "relu": "k_max({0}, 0.0)",
    "where": "({0} != 0.0 ? {1} : {2})", "heaviside": "k_heaviside({0}, {1})",
    "lt": "({0} < {1} ? 1.0 : 0.0)", "gt": "({0} > {1} ? 1.0 : 0.0)", "le": "({0} <= {1} ? 1.0 : 0.0)",
    "ge": "({0} >= {1} ? 1.0 : 0.0)", "eq": "({0} == {1} ? 1.0 : 0.0)", "ne": "({0} != {1} ? 1.0 : 0.0)",
    "leaky_relu": "k_leaky_relu({0}, {1})", "elu": "k_elu({0}, {1})", "hardtanh": "k_hardtanh({0})",
    **{n: f"k_{n}({{0}})" for n in ("exp", "expm1", "tanh", "sech", "csch", "sinh", "cosh", "sigmoid", "softplus",
                                    "logsigmoid", "silu", "log", "sin", "cos")},
    **{n: f"{n}({{0}})" for n in ("log2", "log10", "log1p", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh",
                                  "erf", "erfc")},
    **{n: f"{n}({{0}}, {{1}})" for n in ("atan2", "hypot", "pow")},
}  # fmt: skip

#: What holds in loops of single precision for arguments up to ``ANGLE`` only, and what holds for any.
NEAR: dict[str, str] = {"k_sin(": "sin(", "k_cos(": "cos("}
ANGLE = 2.0**31

#: The square of an op's value, where that is cheaper and better than squaring.
SQUARES: dict[str, str] = {"sech": "k_sech_squared({0})"}

#: Powers by a constant that are multiplied out.
_POWERS = {
    -1.0: "1.0 / {0}", -2.0: "1.0 / ({0} * {0})", 0.5: "__builtin_sqrt({0})", 2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}", 4.0: "({0} * {0}) * ({0} * {0})",
}  # fmt: skip


def kernel(op: str, constant: float | None) -> str | None:
    """The C expression of an op, or ``None``; ``constant`` is its last input where that is a number."""
    if op == "pow" and constant in _POWERS:
        return _POWERS[constant]
    return KERNELS.get(op)


def square(op: str, constant: float | None, base: str) -> str | None:
    """The C expression of ``op(base(x), constant)`` in ``x`` where that is a square with a kernel of its own."""
    return SQUARES.get(base) if op == "pow" and constant == 2.0 else None


def prelude() -> str:
    """The source that the expressions need."""
    return (Path(__file__).parent / "ckernels.c").read_text(encoding="utf-8")
