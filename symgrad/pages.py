"""Memory for large results: whole large pages, which the next result gets when nobody holds this one any more.

A fresh page is cleared by the kernel before it can be written to, which for ten million points takes a third of all the
time. So the memory of a result that is gone is kept and marked as free: the kernel takes it when it is short of memory,
and until then the next result of the same size is written where the last one was.
"""

from __future__ import annotations

import math
import mmap
import sys
import weakref
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

#: Results of fewer bytes than this are allocated as torch does it.
LARGE = 1 << 22
#: What a large page holds.
PAGE = 1 << 21
#: So many bytes may wait for the next result.
MOST = 1 << 29
POSSIBLE = sys.platform == "linux" and hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")

#: Regions that nobody holds, by how many bytes of results they are for. Every access is one step of Python's, and safe
#: from whatever thread lets go of a result, at whatever moment.
_idle: dict[int, deque[mmap.mmap]] = {}


def empty(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """A new tensor on the CPU, contiguous and aligned, with anything in it. A large one cannot be resized in place."""
    import torch

    size = math.prod(shape) * dtype.itemsize
    if size < LARGE or not POSSIBLE:
        return torch.empty(tuple(shape), dtype=dtype)
    region = _region(size)
    if region is None:
        return torch.empty(tuple(shape), dtype=dtype)
    # Every tensor that shares this memory keeps the array alive, and nothing else does.
    whole = np.ndarray((size,), dtype=np.uint8, buffer=region, offset=_start(region))
    weakref.finalize(whole, _let_go, size, region).atexit = False
    return torch.from_numpy(whole).view(dtype).view(tuple(shape))


def _region(size: int) -> mmap.mmap | None:
    """Memory for so many bytes from the start of a large page on; ``None`` where there is none to be had."""
    try:
        return _idle[size].pop()
    except (KeyError, IndexError):
        # Of another size: what waits would only add to what is held.
        _idle.clear()
    try:
        region = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # What does not fill a large page gets small ones: many results would waste much otherwise.
        region.madvise(mmap.MADV_HUGEPAGE, _start(region), size // PAGE * PAGE)
    except (OSError, ValueError, MemoryError):
        return None
    return region


def _start(region: mmap.mmap) -> int:
    """Where the first large page of a region begins."""
    return int(-np.frombuffer(region, dtype=np.uint8).ctypes.data % PAGE)


def _let_go(size: int, region: mmap.mmap) -> None:
    """A result is gone."""
    waiting = sum(n * len(regions) for n, regions in list(_idle.items()))
    if waiting + size > MOST:
        return
    try:
        region.madvise(mmap.MADV_FREE)
    except (OSError, ValueError):
        return
    _idle.setdefault(size, deque()).append(region)


def release() -> None:
    """Give back what waits for the next result."""
    _idle.clear()
