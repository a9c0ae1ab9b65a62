"""Another file, for test_callables.py."""

from __future__ import annotations

import math


def through_math(x: float) -> float:
    return math.exp(x)
