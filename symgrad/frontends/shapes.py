"""Shapes and arrays as text: ``W=3x4`` and ``W=[[1, 2], [3, 4]]``. Read by a grammar of their own, never evaluated."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.errors import SymgradError
from symgrad.frontends.pointtext import MAX_POINT
from symgrad.frontends.tensoractions import MOST_NUMBERS
from symgrad.frontends.tokens import MAX_DIGITS, MAX_EXPONENT, Source
from symgrad.names import normalize, refusal

Shape = tuple[int, ...]

#: Longest text of one array, in characters, and most axes.
MAX_ARRAY = 400_000
MAX_AXES = 16

_SCALAR = frozenset({"scalar", ""})
_AXIS = re.compile(r"[0-9]{1,7}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[ \t]*([^=\s\[\],]*)[ \t]*=")


@dataclass(frozen=True, slots=True)
class Literal:
    """An array as it was written: its shape, and its numbers row by row."""

    shape: Shape
    numbers: tuple[Fraction, ...]


def read_shapes(texts: Sequence[str] | Mapping[str, Any] | str | None) -> dict[str, Shape]:
    """``["W=3x4", "b=3,lam=scalar"]`` or ``{"W": (3, 4)}``: the shape of each name.

    Raises:
        SymgradError: a name or a shape is none, or a name is given twice.
    """
    out: dict[str, Shape] = {}
    if isinstance(texts, Mapping):
        for name, given in texts.items():
            out[normalize(str(name))] = _plain_shape(str(name), given)
        return out
    for text in [texts] if isinstance(texts, str) else texts or ():
        source = Source(text[:MAX_POINT], "--shape")
        for start, end in _parts(text[:MAX_POINT]):
            name, after = _name(source, start, end, "write it as NAME=AxB, such as W=3x4")
            if name in out:
                raise source.error(start, end, f"the shape of '{name}' is given twice")
            out[name] = _shape(source, after, end, name)
    return out


def _plain_shape(name: str, given: Any) -> Shape:
    if isinstance(given, str):
        return read_shapes([f"{name}={given}"])[normalize(name)]
    lengths = tuple(given) if isinstance(given, tuple | list) or hasattr(given, "__iter__") else (given,)
    if any(isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < 0 for n in lengths):
        raise SymgradError(f"the shape of '{name}' is {given!r}; it must be whole numbers, none negative")
    return _checked(tuple(int(n) for n in lengths), lambda m: SymgradError(f"'{name}': {m}"))


def _shape(source: Source, start: int, end: int, name: str) -> Shape:
    text = source.text[start:end]
    bare = text.strip().lower().strip("()[] ")
    place = (start + len(text) - len(text.lstrip()), max(start + len(text.rstrip()), start + 1))
    if bare in _SCALAR and text.strip():
        return ()
    parts = [p.strip() for p in re.split(r"[x×*,]", bare) if p.strip() or "," not in bare]
    if not parts or any(_AXIS.fullmatch(p) is None for p in parts):
        hint = f"write {name}=3x4, {name}=3, or {name}=scalar for a single number"
        raise source.error(*place, f"'{text.strip()[:40]}' is no shape", hint)
    return _checked(tuple(int(p) for p in parts), lambda m: source.error(*place, m))


def _checked(shape: Shape, error: Callable[[str], SymgradError]) -> Shape:
    if len(shape) > MAX_AXES:
        raise error(f"the shape has {len(shape)} axes; at most {MAX_AXES} can be handled")
    if math.prod(shape) > MOST_NUMBERS:
        raise error(f"this shape has {math.prod(shape)} numbers; at most {MOST_NUMBERS} can be handled")
    return shape


def read_values(texts: Sequence[str]) -> dict[str, Literal | str]:
    """``["W=[[1,2],[3,4]],x=pi/4"]``: arrays as they are, other values as text.

    Raises:
        SymgradError: a name is missing or given twice, or an array is ragged or no array; with the place.
    """
    out: dict[str, Literal | str] = {}
    for text in texts:
        if len(text) > MAX_ARRAY:
            message = f"the text has {len(text)} characters; at most {MAX_ARRAY} can be read"
            raise Source(text[:MAX_POINT], "--at").error(0, 1, message)
        source = Source(text, "--at")
        for start, end in _parts(text):
            name, after = _name(source, start, end, "write it as NAME=VALUE, such as W=[[1,2],[3,4]]")
            if name in out:
                raise source.error(start, end, f"'{name}' is given twice")
            value = text[after:end].strip()
            out[name] = read_array(source, after, end, name) if value.startswith("[") else value
    return out


def _parts(text: str) -> list[tuple[int, int]]:
    """The ranges between the commas that stand outside brackets and that a name follows."""
    out, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth <= 0 and "=" in text[i:]:
            out.append((start, i))
            start = i + 1
    return [*out, (start, len(text))]


def _name(source: Source, start: int, end: int, example: str) -> tuple[str, int]:
    match = _NAME.match(source.text, start, end)
    if match is None or not match[1]:
        raise source.error(start, max(end, start + 1), "a name and '=' are missing", example)
    name = normalize(match[1])
    reason = refusal(name)
    if reason is not None:
        raise source.error(match.start(1), match.end(1), *reason)
    return name, match.end()


def read_array(source: Source, start: int, end: int, name: str) -> Literal:
    """Nested lists of numbers, without recursion.

    Raises:
        SymgradError: located: what is no number, a bracket without its partner, rows of different lengths.
    """
    text = source.text
    open_: list[tuple[int, list[Any]]] = []
    numbers: list[Fraction] = []
    done: Shape | None = None
    value_next = True
    i = start
    while i < end:
        char = text[i]
        if char in " \t\r\n":
            i += 1
            continue
        if done is not None:
            raise source.error(i, end, f"there is more after the array '{name}'")
        if char == "[":
            if not value_next:
                raise source.error(i, i + 1, "a comma is missing before this '['")
            open_.append((i, []))
            if len(open_) > MAX_AXES:
                raise source.error(i, i + 1, f"'{name}' has more than {MAX_AXES} axes")
            i += 1
            value_next = True
        elif char == "]":
            if not open_:
                raise source.error(i, i + 1, "this ']' has no '[' before it")
            at, shapes = open_.pop()
            shape = _joined(source, at, i + 1, name, shapes)
            value_next = False
            i += 1
            if open_:
                open_[-1][1].append(shape)
            else:
                done = shape
        elif char == ",":
            if value_next:
                raise source.error(i, i + 1, "a number is missing before this comma")
            value_next = True
            i += 1
        else:
            match = _NUMBER.match(text, i, end)
            stop = match.end() if match else i + 1
            if match is None or (stop < end and text[stop] not in " \t\r\n,]"):
                word = re.match(r"[^\s,\[\]]+", text[i:end])
                shown = word[0][:40] if word else char
                raise source.error(i, i + len(shown), f"'{shown}' in '{name}' is no number", "write plain decimals")
            if not open_:
                raise source.error(i, stop, "an array is written in brackets", f"write [{match[0]}]")
            if not value_next:
                raise source.error(i, stop, "a comma is missing before this number")
            numbers.append(_exact(source, i, stop, match[0]))
            open_[-1][1].append(())
            value_next = False
            i = stop
        if len(numbers) > MOST_NUMBERS:
            raise source.error(start, start + 1, f"'{name}' has more than {MOST_NUMBERS} numbers")
    if open_ or done is None:
        at = open_[-1][0] if open_ else start
        raise source.error(at, at + 1, "this '[' is never closed")
    return Literal(done, tuple(numbers))


def _joined(source: Source, start: int, end: int, name: str, shapes: Sequence[Shape]) -> Shape:
    """The shape of a list of things of these shapes."""
    if not shapes:
        return (0,)
    other = next((s for s in shapes if s != shapes[0]), None)
    if other is not None:
        first = shapes[0]
        if first and other and len(first) == len(other) == 1:
            message = f"the rows of '{name}' have different lengths, {first[0]} and {other[0]}"
        else:
            message = f"'{name}' is ragged: it holds parts of shapes {first} and {other} side by side"
        raise source.error(start, end, message, "every row of an array has the same length")
    return (len(shapes), *shapes[0])


def _exact(source: Source, start: int, end: int, text: str) -> Fraction:
    mantissa, _, exponent = text.lower().partition("e")
    size = exponent.lstrip("+-").lstrip("0")
    if len(mantissa) > MAX_DIGITS or len(size) > 9 or int(size or "0") > MAX_EXPONENT:
        raise source.error(start, end, "this number has too many digits, or too large an exponent")
    return Fraction(text)


def nested(value: Any, name: str) -> Literal:
    """An array given as an object: nested lists or tuples, a NumPy array, a tensor.

    Raises:
        SymgradError: it is ragged, or holds something else than finite numbers.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return Literal((), (_finite(value, name),))
    shapes = {nested_shape(v) for v in value}
    if len(shapes) > 1:
        raise SymgradError(f"'{name}' is ragged: it holds parts of shapes {' and '.join(map(str, sorted(shapes)))}")
    inner = [nested(v, name) for v in value]
    shape = (len(inner), *(inner[0].shape if inner else ()))
    return Literal(shape, tuple(n for part in inner for n in part.numbers))


def nested_shape(value: Any) -> Shape:
    if not isinstance(value, list | tuple):
        return ()
    return (len(value), *(nested_shape(value[0]) if value else ()))


def _finite(value: Any, name: str) -> Fraction:
    try:
        if isinstance(value, bool):
            raise TypeError
        return Fraction(value) if not isinstance(value, str) else Fraction(value.strip())
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise SymgradError(f"'{name}' holds {str(value)[:40]!r}, which is no finite number") from None
