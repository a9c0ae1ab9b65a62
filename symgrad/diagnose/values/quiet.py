"""NumPy without its warnings: asked for once for a block of many steps, and not for every step of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import numpy as np

#: A block of many steps is under way, in which NumPy does not warn.
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
_NOTHING = contextlib.nullcontext()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings of NumPy in a block of many steps: asked for once, and not for every step."""
    before = _QUIET.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _QUIET.reset(before)


def is_quiet() -> bool:
    """NumPy does not warn just now."""
    return _QUIET.get()


def unwarned() -> contextlib.AbstractContextManager[object]:
    """No warnings of NumPy in a block, which costs nothing inside of :func:`quiet`."""
    return _NOTHING if _QUIET.get() else np.errstate(all="ignore")
