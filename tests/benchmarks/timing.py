"""Interleaved timing, of whole commands and of functions, and the lines that go into the table of all benchmarks."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


def whole_process(command: Sequence[str], expected: Collection[int] = (0,)) -> float:
    """Seconds that one process takes from start to exit. Raises if its exit code is not among the expected ones."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    start = time.perf_counter()
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in expected:
        raise RuntimeError(f"{command} exited with {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds


def interleaved(
    commands: Mapping[str, Sequence[str]], runs: int, expected: Mapping[str, Collection[int]] | None = None
) -> dict[str, float]:
    """The median over ``runs`` rounds in which every command runs once; one round more warms the disk cache.

    ``expected`` are the exit codes of commands that may end with another one than 0.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(runs + 1):
        for name, command in commands.items():
            seconds = whole_process(command, (expected or {}).get(name, (0,)))
            if n:
                times[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def symgrad(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "symgrad", *arguments]


def race(functions: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """The median seconds over ``rounds`` rounds in which every function runs once; one round more warms them up."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for n in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if n:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def record(benchmark: str, what: str, ratio: float | None, *, peer: str = "", goal: str = "", **more: Any) -> None:
    """One line for the table that ``python -m tests.benchmarks`` prints; nothing where nobody collects them.

    Args:
        benchmark, what: where it was measured, and what.
        ratio: against the peer (how it is to be read is said by ``what``); ``None`` where it could not be measured.
        peer: what it was measured against, with its version where it has one.
        goal: in words: ``"at least 8"``.
        more: whatever else belongs into the JSON document.
    """
    path = os.environ.get("SYMGRAD_BENCHMARKS")
    if path:
        line = {"benchmark": benchmark, "what": what, "ratio": ratio, "peer": peer, "goal": goal, **more}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def version(package: str) -> str:
    """``package 1.2``, or the name alone where it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def machine() -> str:
    """The processor, how many of them, and the system."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
