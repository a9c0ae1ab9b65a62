"""Growth with depth: ``x = w; x = tanh(w*x)`` repeated 1,000 and 10,000 times, derived, evaluated and judged.

    python -m tests.benchmarks.depth [--quick]

Each is run three times, and the median counts; with ``--quick`` once.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from tests.benchmarks.timing import record


def one(depth: int) -> None:
    """Check one chain in this process and print the seconds that check() took and the peak memory."""
    import symgrad

    symgrad.check("x*x", at={"x": 1})  # imports and warms up torch, which is not what grows
    text = "x = w; " + "x = tanh(w*x); " * depth
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Of the processor: the machine may be shared, and the two depths do not run side by side.
    start = time.process_time()
    report = symgrad.check(text, at={"w": "1.5"})
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(seconds, (peak - base) / 1024, report.verdict)


def main(depths: tuple[int, ...] = (1000, 10000), rounds: int = 3) -> None:
    found = {}
    for depth in depths:
        runs = []
        for _ in range(rounds):
            out = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.depth", str(depth)], capture_output=True, text=True, check=True
            )
            seconds, memory, verdict = out.stdout.split()
            runs.append((float(seconds), float(memory), verdict))
        found[depth] = sorted(runs)[len(runs) // 2]
        print(f"{depth:6} steps: {found[depth][0]:6.2f} s, {found[depth][1]:6.0f} MB more, {found[depth][2]}")
    small, large = found[depths[0]], found[depths[-1]]
    record("depth", "check of 10,000 steps / of 1,000", large[0] / small[0], peer="itself", goal="at most 15")
    print(f"time {large[0] / small[0]:.1f}x for {depths[-1] // depths[0]}x the steps (goal: at most 15x)")


if __name__ == "__main__":
    if sys.argv[1:] == ["--quick"]:
        main(rounds=1)
    elif len(sys.argv) > 1:
        one(int(sys.argv[1]))
    else:
        main()
