"""How many checks a second: one process, warm, expressions not seen before, simplification off.

    python -m tests.benchmarks.checks [rounds]

The peer of an expression is SymPy alone: ``diff`` of the same expression, lambdified to torch and run at the point,
which proves nothing. A script's peer is running it. Every report must say what it should.
"""

from __future__ import annotations

import contextlib
import io
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


def main(rounds: int = 15) -> None:
    import sympy as sp
    import torch

    import symgrad

    text = fresh()

    def expression() -> None:
        assert symgrad.check(text(), at={"w": 2}, simplify_seconds=0).ok

    def alone() -> None:
        w = sp.Symbol("w")
        expr = sp.diff(sp.sympify(text()), w)
        float(sp.lambdify(w, expr, modules=torch)(torch.tensor(2.0, dtype=torch.float64)))

    seconds = race({"check": expression, "sympy": alone}, rounds)
    ratio = seconds["check"] / seconds["sympy"]
    mine = 1000 * seconds["check"]
    print(f"an expression of the flagship's size: {mine:.1f} ms (goal: 5 ms), {ratio:.2f} of SymPy's time")
    record("checks", "check of an expression / SymPy's diff and lambdify", ratio, peer=version("sympy"),
           milliseconds=1000 * seconds["check"])  # fmt: skip
    record("checks", "check of an expression, ms", 1000 * seconds["check"], goal="at most 5")
    for name, mistakes, goal in (("recurrent_tanh.py", 4, 30), ("vanilla_rnn.py", 2, 60)):
        path = EXAMPLES / name
        took, plain = [], []
        code = compile(path.read_text(), name, "exec")
        for n in range(max(rounds // 2, 5) + 1):
            start = time.perf_counter()
            report: Any = symgrad.check(path)
            middle = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, {"__name__": "__main__"})
            if n:
                took.append(middle - start)
                plain.append(time.perf_counter() - middle)
            assert len([f for f in report.findings if f.root]) == mistakes, name
        found = 1000 * statistics.median(took)
        print(f"{name}: {found:.0f} ms (goal: {goal} ms), running it takes {1000 * statistics.median(plain):.2f} ms")
        record("checks", f"check of {name}, ms", found, goal=f"at most {goal}", run=statistics.median(plain))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
