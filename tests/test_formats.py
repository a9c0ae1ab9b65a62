"""Formats: rounding to nearest even, against torch and NumPy as witnesses; ranges and names."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symgrad import SymgradError
from symgrad.formats import FORMATS, Format, get_format

DTYPES = {name: getattr(torch, name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_ranges_are_those_of_torch(name: str) -> None:
    fmt, info = FORMATS[name], torch.finfo(DTYPES[name])
    assert float(fmt.largest) == info.max
    assert float(fmt.smallest_normal) == info.tiny
    assert fmt.tiny == fmt.smallest_normal * Fraction(info.eps)
    assert fmt.roundoff == info.eps / 2


@pytest.mark.parametrize("name", FORMATS)
@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.floats(-7e4, 7e4) | st.floats(-1e-7, 1e-7))
def test_rounding_is_that_of_torch(name: str, value: float) -> None:
    """float64 -> dtype is correctly rounded in torch, so the two must be equal, ties and subnormals included."""
    rounded = FORMATS[name].round(Fraction(value))
    theirs = float(torch.tensor(value, dtype=torch.float64).to(DTYPES[name]))
    if rounded is None:
        assert theirs in (float("inf"), float("-inf"))
        assert (theirs > 0) == (value > 0)
    else:
        assert float(rounded) == theirs


@given(st.fractions(max_denominator=10**30))
def test_float64_rounding_is_that_of_python(value: Fraction) -> None:
    """Python's int/int division is correctly rounded."""
    rounded = FORMATS["float64"].round(value)
    assert rounded is not None
    assert float(rounded) == value.numerator / value.denominator
    assert FORMATS["float64"].round(rounded) == rounded


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_the_edges(fmt: Format) -> None:
    half_step = fmt.largest * Fraction(1, 2**fmt.digits)
    assert fmt.round(Fraction(0)) == 0
    assert fmt.round(fmt.largest) == fmt.largest
    assert fmt.round(-fmt.largest) == -fmt.largest
    assert fmt.round(fmt.largest + half_step / 4) == fmt.largest
    assert fmt.round(fmt.largest + half_step * 2) is None
    assert fmt.round(-fmt.largest - half_step * 2) is None
    assert fmt.round(fmt.tiny) == fmt.tiny
    assert fmt.round(fmt.tiny / 2) == 0  # a tie goes to even
    assert fmt.round(fmt.tiny * Fraction(501, 1000)) == fmt.tiny
    assert fmt.round(fmt.tiny * Fraction(3, 2)) == 2 * fmt.tiny
    # Just below the smallest normal number, halfway steps round up into it.
    assert fmt.round(fmt.smallest_normal - fmt.tiny / 4) == fmt.smallest_normal


def test_names() -> None:
    assert get_format("float32") is get_format("torch.float32")
    assert get_format(str(torch.bfloat16)).name == "bfloat16"
    with pytest.raises(SymgradError, match="unknown dtype 'float8': symgrad knows float64, float32, bfloat16, float16"):
        get_format("float8")
