"""Work counted in calls: what a machine's load does not change, as it does the seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


@dataclass
class Work:
    """How many calls were made, of Python functions and of C functions."""

    calls: int = 0


@contextmanager
def counted() -> Iterator[Work]:
    """Count the calls that are made within. A profiler that was active is restored."""
    work = Work()
    before = sys.getprofile()

    def count(_frame: FrameType, event: str, _arg: Any) -> None:
        if event in ("call", "c_call"):
            work.calls += 1

    sys.setprofile(count)
    try:
        yield work
    finally:
        sys.setprofile(before)


@contextmanager
def at_most(calls: int) -> Iterator[Work]:
    """The same, and no more than so many."""
    with counted() as work:
        yield work
    assert work.calls <= calls, f"{work.calls:,} calls, at most {calls:,}"
