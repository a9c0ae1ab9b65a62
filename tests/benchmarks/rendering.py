"""How long a report of many steps takes to be rendered: every rendering, of a recurrence of 1,000 and of 10,000 steps.

    python -m tests.benchmarks.rendering [steps ...]

The goal is 2 s for 1,000 steps. The first rendering imports what it needs, and is timed with that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import symgrad
from tests.benchmarks.timing import record


def recurrence(steps: int) -> str:
    """h_t = tanh(w*h_{t-1} + b), as statements; two operations and a tanh for each h."""
    rounds = steps // 3
    lines = ["h0 = x"] + [f"h{t} = tanh(w*h{t - 1} + b)" for t in range(1, rounds + 1)]
    return "; ".join([*lines, f"f = h{rounds}**2"])


def renderings(report: Any) -> dict[str, Callable[[], object]]:
    return {
        "text": report.explain,
        "json": report.to_json,
        "latex": lambda: report.latex(document=True),
        "html": report.html,
    }


def main(sizes: Sequence[int] = (1_000, 10_000)) -> None:
    for steps in sizes:
        start = time.perf_counter()
        report = symgrad.check(recurrence(steps), at={"x": 0.3, "w": 0.9, "b": 0.1}, simplify_seconds=0)
        print(f"{steps} steps ({len(report.picture.nodes)} nodes): checked in {time.perf_counter() - start:.2f} s")
        for name, render in renderings(report).items():
            start = time.perf_counter()
            text = str(render())
            size, first = len(text), time.perf_counter() - start
            assert "h1" in text  # the steps have their names
            if steps == 1_000:
                record("rendering", f"1,000 steps as {name}: seconds", first, goal="at most 2")
            start = time.perf_counter()
            render()
            print(f"  {name:<6} {first:6.2f} s, again {time.perf_counter() - start:6.2f} s   {size:>10,} characters")


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or (1_000, 10_000))
