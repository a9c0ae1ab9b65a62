"""How many checks a second: one process, warm, expressions not seen before, simplification off.

    python -m tests.benchmarks.checks [rounds]

The peer of an expression is SymPy alone: ``diff`` of the same expression, lambdified to torch and run at the point,
which proves nothing. A script's peer is running it. Every report must say what it should.
"""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import race, record, version

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def fresh() -> Callable[[], str]:
    """Expressions of the flagship's size, none twice."""
    number = iter(range(1, 10**9))
    return lambda: f"{40 + next(number)}*tanh(w*tanh(w*0.{next(number)}))"


def used() -> float:
    """Seconds of the processor that this process has used."""
    return time.process_time()


def parts(path: Path) -> dict[str, float]:
    """Where the time of one check goes, in milliseconds: the least of several."""
    import symgrad
    from symgrad.frontends import sandbox
    from symgrad.manual import scripts, work

    spent: dict[str, float] = {}

    def timed(owner: Any, name: str, what: str) -> None:
        inner = getattr(owner, name)

        def run(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return inner(*args, **options)
            finally:
                spent[what] = spent.get(what, 0.0) + time.perf_counter() - start

        patched.append((owner, name, inner))
        setattr(owner, name, run)

    patched: list[tuple[Any, str, Any]] = []
    timed(sandbox, "run_source", "runs in the sandbox, the second with the fixes")
    timed(scripts, "choose", "which step is differentiated, in both runs")
    timed(work, "diagnose", "diagnosis of both runs, and of other readings")
    timed(scripts, "script_report", "report")
    best: dict[str, float] = {}
    try:
        for _ in range(5):
            spent.clear()
            start = time.perf_counter()
            symgrad.check(path)
            spent["the rest"] = time.perf_counter() - start - sum(spent.values())
            best = {k: min(v, best.get(k, math.inf)) for k, v in spent.items()}
    finally:
        for owner, name, inner in patched:
            setattr(owner, name, inner)
    return {k: 1000 * v for k, v in best.items()}


def main(rounds: int = 15) -> None:
    import sympy as sp
    import torch

    import symgrad

    text = fresh()

    def expression(given: str = "") -> float:
        report = symgrad.check(given or text(), at={"w": 2}, simplify_seconds=0)
        assert report.ok
        return float(report.gradients[0].exact)

    def alone(given: str = "") -> float:
        w = sp.Symbol("w")
        expr = sp.diff(sp.sympify(given or text()), w)
        return float(sp.lambdify(w, expr, modules=torch)(torch.tensor(2.0, dtype=torch.float64)))

    for _ in range(3):
        given = text()
        assert math.isclose(expression(given), alone(given), rel_tol=1e-9), given
    seconds = race({"check": expression, "sympy": alone}, rounds)
    ratio = seconds["check"] / seconds["sympy"]
    mine = 1000 * seconds["check"]
    print(f"an expression of the flagship's size: {mine:.1f} ms (goal: 5 ms), {ratio:.2f} of SymPy's time")
    record("checks", "check of an expression / SymPy's diff and lambdify", ratio, peer=version("sympy"),
           milliseconds=1000 * seconds["check"])  # fmt: skip
    record("checks", "check of an expression, ms", 1000 * seconds["check"], goal="at most 5")
    for name, mistakes, goal in (("recurrent_tanh.py", 4, 30), ("vanilla_rnn.py", 2, 60)):
        path = EXAMPLES / name
        took, plain, busy = [], [], []
        code = compile(path.read_text(), name, "exec")
        for n in range(max(rounds // 2, 5) + 1):
            start, before = time.perf_counter(), used()
            report: Any = symgrad.check(path)
            middle, after = time.perf_counter(), used()
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, {"__name__": "__main__"})
            if n:
                took.append(middle - start)
                busy.append(after - before)
                plain.append(time.perf_counter() - middle)
            assert len([f for f in report.findings if f.root]) == mistakes, name
        found, processor = 1000 * statistics.median(took), 1000 * statistics.median(busy)
        print(
            f"{name}: {found:.0f} ms (goal: {goal} ms), {processor:.0f} ms of them of this process's processor; "
            f"running it takes {1000 * statistics.median(plain):.2f} ms"
        )
        for what, milliseconds in parts(path).items():
            print(f"  {what}: {milliseconds:.0f} ms")
        record("checks", f"check of {name}, ms", found, goal=f"at most {goal}", run=statistics.median(plain),
               processor=processor)  # fmt: skip


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
