"""Many points on a CUDA device: right, wherever and however the values lie, and how near to copying them.

All of this skips where torch sees no device.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch

import symgrad
from symgrad.bulk import evaluation
from symgrad.frontends.expression import parse
from tests.benchmarks.bulk import CASES

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and torch sees none"),
]

TEXTS = {name: text for name, (text, _, _) in CASES.items()}
KINDS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
WAYS = pytest.mark.parametrize("fused", [False, True], ids=["pieces", "fused"])
#: More points than a 32-bit index counts, and what that needs of a device, in bytes.
HUGE, ROOM = 2**31 + 4096, 12 << 30
#: Less than this share of the copy bandwidth is no fused kernel. (The goal is 0.8: the benchmark tells.)
BROKEN = 0.5


def held_against_the_cpu(text: str, fused: bool, *values: torch.Tensor) -> None:
    """On the device as on the CPU, from the same values."""
    there = symgrad.derive(text).torch(value=True, compile=fused or None)(*values)
    here = symgrad.derive(text).torch(value=True)(*(v.cpu() for v in values))
    for a, b in zip(there, here, strict=True):
        assert a.is_cuda
        assert a.shape == b.shape
        eps = torch.finfo(b.dtype).eps
        torch.testing.assert_close(a.cpu(), b, rtol=32 * eps, atol=32 * eps)


@WAYS
@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("name", TEXTS)
def test_many_points(name: str, dtype: torch.dtype, fused: bool) -> None:
    count = len(parse(TEXTS[name]).variables)
    values = [torch.linspace(-3.9, 4, 100_000, device="cuda").to(dtype) + 0.125 * n for n in range(count)]
    held_against_the_cpu(TEXTS[name], fused, *values)


@WAYS
def test_values_that_have_gaps_or_are_spread(fused: bool) -> None:
    whole = torch.linspace(-2, 2, 120_000, device="cuda")
    text = "x*sin(y)/(1 + y^2)"
    held_against_the_cpu(text, fused, whole[::3], whole.view(3, -1).t()[:, 1])
    held_against_the_cpu(text, fused, whole.view(300, 400).t(), whole[:300])
    held_against_the_cpu(text, fused, whole[:1], whole.view(300, 400))
    held_against_the_cpu(text, fused, whole[:0], whole[:0])


@WAYS
def test_a_number_on_the_cpu_goes_to_the_device(fused: bool) -> None:
    many = torch.linspace(-2, 2, 50_000, device="cuda")
    found = symgrad.derive("a*tanh(x)").torch(compile=fused or None)(torch.tensor(0.5), many)
    assert all(f.is_cuda for f in found)
    torch.testing.assert_close(found[0], torch.tanh(many))


@WAYS
def test_a_stream_of_the_callers(fused: bool) -> None:
    """What the caller queued before is seen, and what follows on the same stream sees the result."""
    function = symgrad.derive("tanh(x)").torch(compile=fused or None)
    function(torch.linspace(-2, 2, 2_000_000, device="cuda"))
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        source = torch.zeros(2_000_000, device="cuda")
        for _ in range(50):
            source += 0.01
        found = function(source) + 1
    stream.synchronize()
    torch.testing.assert_close(found, 1 + 1 / torch.cosh(source) ** 2)


@WAYS
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_devices_one_after_the_other(fused: bool) -> None:
    function = symgrad.derive("3*tanh(x/7)").torch(compile=fused or None)
    for n in (0, 1, 0):
        found = function(torch.linspace(-2, 2, 50_000, device=f"cuda:{n}"))
        assert found.device == torch.device("cuda", n)


@WAYS
def test_more_points_than_32_bits_count(fused: bool) -> None:
    if torch.cuda.mem_get_info()[0] < ROOM + 4 * evaluation.ON_DEVICE * 40:
        pytest.skip("the device has too little memory")
    source = torch.zeros(HUGE, dtype=torch.bfloat16, device="cuda")
    source[-1] = 1
    found = symgrad.derive("x*x*x").torch(compile=fused or None)(source)
    assert found.shape == source.shape
    assert found[-1] == 3
    assert found[:-1].count_nonzero() == 0


def milliseconds(run: Callable[[], object]) -> float:
    """The median of a few runs, each until the device is done."""
    times = []
    for n in range(9):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        if n > 1:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


@pytest.mark.parametrize("dtype", KINDS[:3], ids=str)
@pytest.mark.parametrize("name", [n for n, (_, _, count) in CASES.items() if count == 1])
def test_share_of_the_copy_bandwidth(
    name: str, dtype: torch.dtype, record_property: Callable[[str, object], None]
) -> None:
    """The fused kernel of a function of one variable reads and writes as much as a copy does."""
    source = torch.linspace(-4, 4, 1 << 26, dtype=torch.float32, device="cuda").to(dtype)
    target = torch.empty_like(source)
    function = symgrad.derive(TEXTS[name]).torch(compile=True)
    copied = milliseconds(lambda: target.copy_(source))
    mine = milliseconds(lambda: function(source))
    share = copied / mine
    bandwidth = 2e-6 * source.numel() * source.element_size() / copied
    record_property("device", torch.cuda.get_device_name())
    record_property("share", round(share, 3))
    print(f"{torch.cuda.get_device_name()}: {name} in {dtype}: {share:.2f} of a copy's {bandwidth:.0f} GB/s")
    if dtype != torch.float64:
        assert share >= BROKEN
