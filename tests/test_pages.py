"""Memory for large results: used again when nobody holds it any more, and never before."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from symgrad import pages

needs_linux = pytest.mark.skipif(not pages.POSSIBLE, reason="memory is kept on Linux only")
MANY = 3_000_000


@pytest.fixture(scope="module", autouse=True)
def only_what_is_made_here_is_collected() -> Iterator[None]:
    """Everything else that a test process holds, with torch and SymPy in it, takes a second to go through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    gc.collect()
    pages.release()
    yield
    pages.release()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (MANY,), (3, 1_000_000), (0, 4)])
def test_it_is_a_tensor_like_any_other(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    out = pages.empty(shape, dtype)
    assert (tuple(out.shape), out.dtype, out.is_contiguous()) == (shape, dtype, True)
    assert out.data_ptr() % 64 == 0
    out.fill_(2)
    assert float(out.double().sum()) == 2 * out.numel()


@needs_linux
def test_what_is_gone_is_used_again_and_what_is_held_is_not() -> None:
    first = pages.empty((MANY,), torch.float32)
    where = first.data_ptr()
    assert where % pages.PAGE == 0
    first.fill_(1)
    second = pages.empty((MANY,), torch.float32)
    assert second.data_ptr() != where
    second.fill_(2)
    assert bool((first == 1).all())
    part = first[10:20]
    del first
    third = pages.empty((MANY,), torch.float32)
    assert third.data_ptr() not in (where, second.data_ptr())  # a part of it is held
    assert part.tolist() == [1] * 10
    seen = part.numpy()
    del part
    assert pages.empty((MANY,), torch.float32).data_ptr() != where
    assert seen.tolist() == [1] * 10
    del seen
    found = [pages.empty((MANY,), torch.float32) for _ in range(3)]
    assert where in [t.data_ptr() for t in found]
    for n, t in enumerate(found):
        t.fill_(n)
    assert [float(t[-1]) for t in found] == [0, 1, 2]


@needs_linux
def test_what_waits_is_given_back_for_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pages.empty((MANY,), torch.float32)
    assert sum(map(len, pages._idle.values())) == 1
    other = pages.empty((MANY + 1,), torch.float32)
    assert not pages._idle
    monkeypatch.setattr(pages, "MOST", 1000)
    del other
    assert not pages._idle


@needs_linux
def test_threads_never_share_memory() -> None:
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(30):
            mine = pages.empty((MANY // 2,), torch.float32)
            mine[::1000] = n
            if not bool((mine[::1000] == n).all()):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_where_the_kernel_gives_nothing_torch_allocates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_region", lambda size: None)
    assert pages.empty((MANY,), torch.float32).shape == (MANY,)
    monkeypatch.setattr(pages, "POSSIBLE", False)
    assert np.asarray(pages.empty((MANY,), torch.float64)).shape == (MANY,)
