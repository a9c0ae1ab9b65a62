"""How long a report of many steps takes to be rendered: every rendering, of a recurrence of 1,000 and of 10,000 steps.

    python -m tests.benchmarks.rendering

The goal is 2 s for 1,000 steps. The first rendering imports what it needs, and is timed with that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import symgrad


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


def main() -> None:
    for steps in (1_000, 10_000):
        start = time.perf_counter()
        report = symgrad.check(recurrence(steps), at={"x": 0.3, "w": 0.9, "b": 0.1}, simplify_seconds=0)
        print(f"{steps} steps ({len(report.picture.nodes)} nodes): checked in {time.perf_counter() - start:.2f} s")
        for name, render in renderings(report).items():
            start = time.perf_counter()
            size = len(str(render()))
            first = time.perf_counter() - start
            start = time.perf_counter()
            render()
            print(f"  {name:<6} {first:6.2f} s, again {time.perf_counter() - start:6.2f} s   {size:>10,} characters")


if __name__ == "__main__":
    main()
