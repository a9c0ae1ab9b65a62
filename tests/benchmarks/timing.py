"""Interleaved timing of whole commands, as ratios of medians against a named peer in the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence


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
