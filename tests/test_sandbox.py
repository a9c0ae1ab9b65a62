"""The sandbox: every attack ends in an error with its line and nothing done; honest scripts come back whole."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from symgrad.errors import InternalError, SymgradError
from symgrad.frontends.sandbox import Answer, Sandbox, _read, read_source, run_file, run_source
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.tracing import trace_source

ATTACKS = sorted((Path(__file__).parent / "attacks").glob("*.py"))

#: What the attacks would create.
CANARY = Path("/tmp/symgrad-canary")


def expected(source: str) -> tuple[str, list[int], float]:
    """What an attack's error must say, on which line (marked ``#!``; of a loop, any of several), and the time it is given."""
    says = re.search(r"^# says: (.*)$", source, re.M)
    timeout = re.search(r"^# timeout: (.*)$", source, re.M)
    assert says is not None
    lines = [i for i, line in enumerate(source.split("\n"), 1) if line.endswith("#!")]
    return says[1], lines or [1], float(timeout[1]) if timeout else 10.0


@pytest.mark.parametrize("path", ATTACKS, ids=lambda p: p.stem)
def test_attack(path: Path) -> None:
    source = read_source(path)
    says, lines, timeout = expected(source)
    began = time.monotonic()
    try:
        trace = run_file(path, timeout=timeout, memory_mb=256)
    except SymgradError as e:
        error, place = str(e.message), e.span
        assert e.exit_code == 2
    else:
        assert trace.error is not None, "the attack ran to its end"
        error, place = trace.error.message, trace.error.span
    assert re.search(says, error), error
    assert place is not None
    assert place.line in lines, error
    assert time.monotonic() - began < timeout + 12
    assert not CANARY.exists()


def test_there_are_attacks() -> None:
    assert len(ATTACKS) > 120
