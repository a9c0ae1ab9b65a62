"""The warm sandbox: every attack on one nursery, one after the other, and after them it is as new."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from symgrad.errors import SymgradError
from symgrad.frontends import children
from symgrad.frontends.sandbox import run_source
from symgrad.frontends.siblings import siblings_among
from symgrad.frontends.texts import read_source
from symgrad.frontends.warm import Nursery
from tests.test_sandbox import ATTACKS, CANARY, HONEST, expected


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


def test_every_attack_and_then_an_honest_script(nursery: Nursery) -> None:
    before = nursery.run(HONEST, "s.py")
    held = []
    for path in ATTACKS[::2]:  # what holds one kind holds the other: each attack is made on a cold sandbox as well
        source = read_source(path)
        says, lines, timeout = expected(source)
        if timeout < 10 or path.stem.startswith("import_"):
            continue  # those that last, and those that come with files of their own
        try:
            trace = nursery.run(source, path.name, timeout=timeout, memory_mb=256)
        except SymgradError as e:
            error, place = e.message, e.span
        else:
            assert trace.error is not None, f"{path.name} ran to its end"
            error, place = trace.error.message, trace.error.span
        assert re.search(says, error), f"{path.name}: {error}"
        assert place is not None
        assert place.line in lines, f"{path.name}: {error}"
        held.append(path.name)
    assert len(held) > 50
    assert not CANARY.exists()
    assert nursery.run(HONEST, "s.py") == before == run_source(HONEST, "s.py")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 0.5\nfor _ in iter(int, 1):\n    pass\n", "does not end"),
        ("x = 0.5\ny = [x]\nwhile True:\n    y.append([0.0]*10**6)\n", "memory|does not end"),
        ("x = 0.5\nimport ctypes\nctypes.string_at(0)\n", "not available"),
    ],
)
def test_limits(nursery: Nursery, source: str, says: str) -> None:
    try:
        trace = nursery.run(source, "s.py", timeout=1, memory_mb=64)
        assert trace.error is not None
        message = trace.error.message
    except SymgradError as error:
        message = error.message
    assert re.search(says, message)
    assert nursery.run("x = 0.5\ny = x*2\n", "s.py").values == (0.5, 2.0, 1.0)


def test_files_beside_it_are_those_given_and_no_others(
    tmp_path: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reference.py").write_text("secret = 2.0\n")
    monkeypatch.chdir(tmp_path)
    source = "from mine import f\nx = 0.5\ny = f(x)\nimport reference\nz = reference.secret\n"
    given = siblings_among({"hw.py": source.encode(), "mine.py": b"def f(x): return 2*x\n"}, "hw.py")
    trace = nursery.run(source, "hw.py", beside=given)
    assert [b.name for b in trace.bindings][-1] == "y"
    assert trace.error is not None


def test_after_a_nursery_that_has_ended_comes_another(nursery: Nursery) -> None:
    before = nursery.run("x = 0.5\n", "s.py")
    assert children._nursery is not None
    os.kill(children._nursery.process.pid, signal.SIGKILL)
    assert nursery.run("x = 0.5\n", "s.py") == before
    nursery.renew()
    assert nursery.run("x = 0.5\n", "s.py") == before
