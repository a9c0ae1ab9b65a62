"""Python's collector of cyclic garbage, which a short check leaves nothing for."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

#: In a block, so many objects more than have gone again let the collector look at those that are new. It is 700
#: otherwise: what a check works with is then gone through several times, and none of it is garbage yet.
MANY = 20_000

_lock = threading.Lock()
_within = 0
_before = (0, 0, 0)


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """A block in which the collector runs more seldom; after the last of several at a time it is as it was before."""
    global _within, _before  # noqa: PLW0603  (the collector is one for the process)
    with _lock:
        if _within == 0:
            _before = gc.get_threshold()
            if 0 < _before[0] < MANY:
                gc.set_threshold(MANY, *_before[1:])
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0 and gc.get_threshold()[0] == MANY:
                gc.set_threshold(*_before)
