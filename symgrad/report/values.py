"""Numbers and arrays as a person reads them in passing: a few digits, on one line."""

from __future__ import annotations

from typing import Any

#: An array of more numbers than this is not written out.
MOST_NUMBERS = 8


def shape_text(shape: tuple[int, ...]) -> str:
    """``3x4``, ``3``, or ``scalar``."""
    return "x".join(map(str, shape)) if shape else "scalar"


def numpy_shape(shape: tuple[int, ...]) -> str:
    """``(3, 4)`` and ``(3,)``, as NumPy writes them; an empty text for a single number."""
    return str(tuple(shape)) if shape else ""


def flat(values: Any) -> list[Any]:
    """The numbers of a nested list, in order."""
    return [n for v in values for n in flat(v)] if isinstance(values, list) else [values]


def digits(value: Any, count: int = 5) -> str:
    """One number; text stays as it is."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value + 0.0:.{count}g}"


def brief(values: Any, count: int = 5) -> str:
    """Nested numbers on one line; of many the first and the last."""
    if not isinstance(values, list):
        return digits(values, count)
    numbers = flat(values)
    if len(numbers) <= MOST_NUMBERS:
        return "[" + ", ".join(brief(v, count) for v in values) + "]"
    return f"{', '.join(digits(n, count) for n in numbers[:3])}, ..., {digits(numbers[-1], count)}"
