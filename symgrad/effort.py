"""How much one check may compute to find out what is wrong, all that it looks at together.

It is counted and not timed, so that the answer is the same on every machine, but for programs that run long: each
further run of one counts for the time that it takes. Once it is spent, no more changes are tried, and no more texts are
run. What is right is still found to be right, and what is wrong to be wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

#: Steps of small arrays that are computed in a second, on the machine that this was written on.
RATE = 100_000
#: An array of so many numbers costs twice as much as a small one.
NUMBERS = 3_000
#: Runs of a program count if they take longer than this, in seconds: what is shorter depends on the machine.
SHORT = 1.0

#: What is told where something was left out.
TOLD = (
    "not everything was tried that may explain what is wrong, since it would have taken too long: "
    "where no fix is verified, another line may be to blame"
)
HINT = "with a larger timeout (--timeout) more is tried"


@dataclass(slots=True)
class Effort:
    """What may still be computed, in steps; whether something was left out for want of it."""

    left: float
    lacked: bool = False


_EFFORT: ContextVar[Effort | None] = ContextVar("effort", default=None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Effort]:
    """A block in which so much may be computed as takes about so long.

    Inside of another one it is what that has left, and what is lacking is told by that one.
    """
    if _EFFORT.get() is not None:
        yield Effort(0.0)
        return
    effort = Effort(seconds * RATE)
    token = _EFFORT.set(effort)
    try:
        yield effort
    finally:
        _EFFORT.reset(token)


def spend(steps: float, numbers: int = 0) -> None:
    """Some steps were computed, each of an array of so many numbers."""
    effort = _EFFORT.get()
    if effort is not None:
        effort.left -= steps * (1 + numbers / NUMBERS)


def ran(seconds: float) -> None:
    """A program was run once more, which took so long."""
    if seconds > SHORT:
        spend(seconds * RATE)


def is_cut_short() -> bool:
    """Something was left out by now. To ask says nothing."""
    effort = _EFFORT.get()
    return effort is not None and effort.lacked


def is_spent() -> bool:
    """Nothing more is to be looked for. To ask is to say that there was more."""
    effort = _EFFORT.get()
    if effort is None or effort.left > 0:
        return False
    effort.lacked = True
    return True
