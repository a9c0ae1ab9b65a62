"""The binary floating-point formats that a computation can run in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symgrad.errors import SymgradError


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format.

    Attributes:
        name: as torch spells it.
        digits: bits of the significand, the hidden one included.
        max_exponent: the largest finite value is just below ``2**max_exponent``.
        min_exponent: the smallest normal value is ``2**min_exponent``.
    """

    name: str
    digits: int
    max_exponent: int
    min_exponent: int

    @property
    def roundoff(self) -> float:
        """Unit roundoff u = 2**-digits: rounding to nearest moves a normal value x by at most u*|x|."""
        return 2.0**-self.digits

    @property
    def largest(self) -> Fraction:
        """The largest finite value."""
        return Fraction(2) ** self.max_exponent * (1 - Fraction(1, 2**self.digits))

    @property
    def smallest_normal(self) -> Fraction:
        return Fraction(1, 2**-self.min_exponent)

    @property
    def tiny(self) -> Fraction:
        """The smallest positive subnormal."""
        return Fraction(1, 2 ** (self.digits - 1 - self.min_exponent))

    def round(self, value: Fraction) -> Fraction | None:
        """The nearest value of the format, ties to even; ``None`` where it overflows."""
        if value == 0:
            return value
        size = abs(value)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        if size < Fraction(2) ** exponent:
            exponent -= 1
        quantum = Fraction(2) ** (max(exponent, self.min_exponent) - self.digits + 1)
        # Python rounds a Fraction to the nearest integer, ties to even: just what the format does.
        rounded = round(size / quantum) * quantum
        if rounded > self.largest:
            return None
        return rounded if value > 0 else -rounded


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("float64", 53, 1024, -1022),
        Format("float32", 24, 128, -126),
        Format("bfloat16", 8, 128, -126),
        Format("float16", 11, 16, -14),
    )
}


def get_format(name: str) -> Format:
    """Look up a dtype by name; ``torch.float32`` and ``float32`` both do.

    Raises:
        SymgradError: there is no such dtype.
    """
    short = str(name).removeprefix("torch.")
    if short not in FORMATS:
        raise SymgradError(f"unknown dtype '{name}': symgrad knows {', '.join(FORMATS)}")
    return FORMATS[short]
