"""How derivation grows with the size of the function: symgrad, SymPy's diff, SymEngine and CasADi, in one run.

    python -m tests.benchmarks.symbolic_scale [seconds]

Timed is the derivative alone, in seconds of the processor: each tool has built the expression before, in its own way.
Each tool works in a process of its own, in turn with the others, five rounds; one that dies, passes the recursion limit
or takes longer than the limit (8 s) is said to, and is not asked for larger sizes. Every result is evaluated at a point
and held against symgrad's before its time counts (to 1e-8, relative; the evaluation is not timed).

* nested: x = w; x = tanh(w*x), n times; the derivative by w
* product: (w + 1/n)*(w + 2/n)*...; the derivative by w
* recurrence: h = w*h + sin(h)/2 + w/3, n times: 2n uses of w; the derivative by w
* quadratic: sum of a_ij*x_i*x_j over n variables; its gradient, and for Hessian all entries of the upper triangle
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks.timing import record, version

ROUNDS = 5
#: Seconds that may be taken for what is not timed: putting the function together, evaluating the result.
BUILDING, EVALUATING = 30.0, 8.0
SIZES = {
    "nested": (10, 40, 160, 1000, 10000),
    "product": (10, 100, 1000),
    "recurrence": (10, 100, 1000),
    "quadratic": (10, 30, 100),
    "hessian": (10, 30),
}
POINT = 0.7


def function(case: str, n: int, xs: Sequence[Any], tanh: Any, sin: Any, number: Any) -> Any:
    """The function, of any tool's variables."""
    w = xs[0]
    if case == "nested":
        x = w
        for _ in range(n):
            x = tanh(w * x)
        return x
    if case == "product":
        out = w + number(1, n)
        for k in range(2, n + 1):
            out = out * (w + number(k, n))
        return out
    if case == "recurrence":
        h = w
        for _ in range(n):
            h = w * h + sin(h) / 2 + w / 3
        return h
    total = None
    for i in range(n):
        for j in range(n):
            term = number(1 + (3 * i + 5 * j) % 7, 4) * xs[i] * xs[j]
            total = term if total is None else total + term
    return total


def count(case: str, n: int) -> int:
    return n if case in ("quadratic", "hessian") else 1


def at(k: int) -> float:
    """The value of variable ``k``."""
    return POINT + 0.01 * k


class Tool:
    """A tool in its process: ``build`` once, ``derive`` as often as is asked, ``values`` to compare."""

    def build(self, case: str, n: int) -> None:
        raise NotImplementedError

    def derive(self) -> Any:
        raise NotImplementedError

    def values(self, derived: Any) -> list[float]:
        raise NotImplementedError


class Symgrad(Tool):
    def build(self, case: str, n: int) -> None:
        from symgrad.graph import GraphBuilder
        from symgrad.ops import Formula

        self.builder = GraphBuilder()
        m = Formula(self.builder)
        xs = [m.ref(self.builder.add("input", name=f"x{k}")) for k in range(count(case, n))]
        number = lambda a, b: m.constant(a) / m.constant(b)  # noqa: E731
        out = function(case, n, xs, m.tanh, m.sin, number)
        self.graph = self.builder.build(out.index)
        self.wrt = list(self.graph.variables.values())
        self.order = 2 if case == "hessian" else 1

    def derive(self) -> Any:
        from symgrad.backward import rows

        return rows(self.graph, self.wrt, self.order, "taught")

    def values(self, derived: Any) -> list[float]:
        import torch

        from symgrad import evaluate
        from symgrad.ops import lower

        out = []
        for row in derived:
            low = lower(row.reverse.graph)
            given = {low.place[i]: torch.tensor(at(k), dtype=torch.float64) for k, i in enumerate(self.wrt)}
            targets = [low.place[t] for t in row.targets]
            run = evaluate.run(low.graph, given, targets, dtype=torch.float64, device=torch.device("cpu"))
            out += [float(v) for v in run]
        return out


class SymPy(Tool):
    def build(self, case: str, n: int) -> None:
        import sympy as sp

        self.xs = sp.symbols(f"x0:{count(case, n)}")
        self.expr = function(case, n, self.xs, sp.tanh, sp.sin, sp.Rational)
        self.order = 2 if case == "hessian" else 1

    def derive(self) -> Any:
        from sympy.core.cache import clear_cache

        clear_cache()  # else the second round is a look-up
        return _pairs(self.xs, self.order, lambda e, x: e.diff(x), self.expr)

    def values(self, derived: Any) -> list[float]:
        import sympy as sp

        run = sp.lambdify(self.xs, derived, modules="math", cse=True)
        return [float(v) for v in run(*(at(k) for k in range(len(self.xs))))]


class SymEngine(Tool):
    def build(self, case: str, n: int) -> None:
        import symengine as se

        self.xs = se.symbols(f"x0:{count(case, n)}")
        self.xs = self.xs if isinstance(self.xs, (list, tuple)) else [self.xs]
        self.expr = function(case, n, self.xs, se.tanh, se.sin, se.Rational)
        self.order = 2 if case == "hessian" else 1

    def derive(self) -> Any:
        return _pairs(self.xs, self.order, lambda e, x: e.diff(x), self.expr)

    def values(self, derived: Any) -> list[float]:
        import symengine as se

        run = se.Lambdify(self.xs, derived, cse=True)
        return [float(v) for v in run([at(k) for k in range(len(self.xs))])]


class CasADi(Tool):
    def build(self, case: str, n: int) -> None:
        import casadi as ca

        self.x = ca.SX.sym("x", count(case, n))
        self.expr = function(case, n, [self.x[k] for k in range(count(case, n))], ca.tanh, ca.sin, lambda a, b: a / b)
        self.order = 2 if case == "hessian" else 1

    def derive(self) -> Any:
        import casadi as ca

        return ca.hessian(self.expr, self.x)[0] if self.order == 2 else ca.gradient(self.expr, self.x)

    def values(self, derived: Any) -> list[float]:
        import casadi as ca

        size = self.x.shape[0]
        full = ca.Function("f", [self.x], [ca.densify(derived)])([at(k) for k in range(size)])
        if self.order == 1:
            return [float(full[k]) for k in range(size)]
        return [float(full[i, j]) for i in range(size) for j in range(i, size)]


def _pairs(xs: Sequence[Any], order: int, diff: Callable[[Any, Any], Any], expr: Any) -> list[Any]:
    first = [diff(expr, x) for x in xs]
    if order == 1:
        return first
    return [diff(first[i], xs[j]) for i in range(len(xs)) for j in range(i, len(xs))]


TOOLS: dict[str, type[Tool]] = {"symgrad": Symgrad, "sympy": SymPy, "symengine": SymEngine, "casadi": CasADi}


def work(name: str, channel: Connection) -> None:
    """A worker's loop. What it cannot do, it says; what kills it, its parent notices."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    tool = TOOLS[name]()
    derived: Any = None
    while True:
        what, *details = channel.recv()
        try:
            if what == "build":
                tool.build(*details)
                channel.send(("ok", None))
            elif what == "derive":
                # As timeit does: whether the collector comes by is a matter of chance.
                derived = None
                gc.collect()
                gc.disable()
                start = time.process_time()
                derived = tool.derive()
                took = time.process_time() - start
                gc.enable()
                channel.send(("ok", took))
            else:
                channel.send(("ok", tool.values(derived)))
        except ImportError:
            channel.send(("not installed", None))
        except (RecursionError, MemoryError) as problem:
            channel.send((type(problem).__name__, None))


class Worker:
    """A tool in its process, started anew when it has died."""

    def __init__(self, name: str, limit: float) -> None:
        self.name, self.limit = name, limit
        self.trouble = ""
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(self.name, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, *question: Any, patience: float | None = None) -> Any:
        """The answer; ``None`` where there is none, and ``trouble`` says why."""
        try:
            self.channel.send(question)
            if not self.channel.poll(patience or self.limit):
                self.trouble = f"over {patience or self.limit:g} s"
            else:
                word, found = self.channel.recv()
                if word == "ok":
                    return found if found is not None else True
                self.trouble = word
                return None
        except (EOFError, OSError):
            self.trouble = "died"
        self.process.kill()
        self.process.join()
        self._start()
        return None

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def one(case: str, n: int, workers: dict[str, Worker]) -> dict[str, float]:
    """The median seconds of each tool that is still alive at this size; the others' trouble is in the worker."""
    alive = {name: w for name, w in workers.items() if not w.trouble}
    for worker in alive.values():
        worker.ask("build", case, n, patience=BUILDING)
    times: dict[str, list[float]] = {name: [] for name in alive}
    for _ in range(ROUNDS):
        for name, worker in alive.items():
            if not worker.trouble:
                found = worker.ask("derive")
                if found is not None:
                    times[name].append(found)
    truth = workers["symgrad"].ask("values", patience=BUILDING) if times.get("symgrad") else None
    if truth is None:
        return {}  # nothing to hold the others against
    out = {}
    for name, worker in alive.items():
        if worker.trouble or len(times[name]) < ROUNDS:
            continue
        values = truth if name == "symgrad" else worker.ask("values", patience=EVALUATING)
        if values is None:
            # What nobody can hold against the truth has no time.
            worker.trouble = f"derived, but could not be evaluated: {worker.trouble}"
        elif all(math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-12) for a, b in zip(values, truth, strict=True)):
            out[name] = statistics.median(times[name])
        else:
            worker.trouble = "another result"
    return out


def main(limit: float = 8.0) -> None:
    # The limit is for the others: nothing is told without symgrad's own result.
    workers = {name: Worker(name, max(limit, EVALUATING) if name == "symgrad" else limit) for name in TOOLS}
    for case, sizes in SIZES.items():
        before: tuple[int, float] | None = None
        for worker in workers.values():
            worker.trouble = worker.trouble if worker.trouble == "not installed" else ""
        for n in sizes:
            asked = [name for name, w in workers.items() if not w.trouble]
            found = one(case, n, workers)
            line = "  ".join(
                f"{name} {1000 * found[name]:.2f} ms" if name in found else f"{name}: {w.trouble}"
                for name, w in workers.items()
            )
            mine = found.get("symgrad")
            growth = ""
            if mine and before:
                growth = f"  ({mine / before[1]:.1f} times the time for {n / before[0]:g} times the size)"
            print(f"{case:11}{n:>6}  {line}{growth}", flush=True)
            for name in ("sympy", "symengine", "casadi"):
                goal = ""
                if case == "nested" and n == 40:
                    goal = {"sympy": "at least 100", "symengine": "at least 0.05"}.get(name, "")
                trouble = workers[name].trouble
                ratio = found[name] / mine if name in found and mine else None
                if ratio is None and trouble.startswith("over") and name in asked and mine:
                    ratio, trouble = limit / mine, "at least: it was cut off"
                if name in asked:
                    record("symbolic_scale", f"{case} {n}: {name} / symgrad", ratio, peer=version(name), goal=goal,
                           mine=mine, trouble=trouble)  # fmt: skip
            if mine:
                before = n, mine
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main(*(float(a) for a in sys.argv[1:2]))
