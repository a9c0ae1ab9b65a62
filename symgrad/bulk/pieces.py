"""Flat pieces of inputs and results, and the threads that share them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

#: Points of one piece that a thread takes, at least.
PIECE = 1 << 16


def pieces(
    values: Sequence[torch.Tensor], results: Sequence[torch.Tensor], shape: Sequence[int], limit: int = PIECE
) -> Iterator[tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """Flat, contiguous pieces of inputs and results. An input is copied only where it is broadcast or has gaps."""
    count = math.prod(shape)
    if not count:
        return
    whole = [v.numel() == 1 or (tuple(v.shape) == tuple(shape) and v.is_contiguous()) for v in values]
    if all(whole) or count <= limit:
        given = [v.reshape(-1) if v.numel() == 1 else v.expand(tuple(shape)).reshape(-1).contiguous() for v in values]
        flat = [r.view(-1) for r in results]
        for low in range(0, count, limit):
            cut = slice(low, low + limit)
            yield [v if v.numel() == 1 else v[cut] for v in given], [r[cut] for r in flat]
        return
    spread = [v if v.numel() == 1 else v.expand(tuple(shape)) for v in values]
    rest = math.prod(shape[1:])
    step = max(1, limit // rest)
    for low in range(0, shape[0], step):
        cut = slice(low, low + step)
        part = [v if v.numel() == 1 else v[cut] for v in spread]
        out = [r[cut] for r in results]
        if rest <= limit:
            yield from pieces(part, out, out[0].shape, limit)
        else:
            yield from pieces([v if v.numel() == 1 else v[0] for v in part], [r[0] for r in out], shape[1:], limit)


def share(run: Callable[[Any], None], pieces: Iterator[Any], threads: int) -> None:
    """Run every piece, in this thread and in ``threads - 1`` others: whoever is free takes the next.

    This thread works too, so that on a busy machine nothing waits for a helper that is not let run.
    """
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not errors:
                with lock:
                    piece = next(pieces, None)
                if piece is None:
                    return
                run(piece)
        except BaseException as error:  # to be raised where somebody sees it
            errors.append(error)

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
