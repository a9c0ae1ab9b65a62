"""All benchmarks, each in a process of its own and in a size that fits into ten minutes, and one table of it all.

    python -m tests.benchmarks [--all] [--json FILE] [--plot FILE]
    python -m tests.benchmarks NAME [arguments of that benchmark ...]

The second form runs one of them at its full size. Peers that are not installed are said to be missing:
``pip install '.[bench]'`` brings them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import machine, version

HERE = Path(__file__).parent

#: name -> the arguments with which it fits, and the seconds that it takes on a machine that does nothing else.
SUITE: dict[str, tuple[tuple[str, ...], int]] = {
    "bulk": (("10_000_000",), 80),
    "symbolic_scale": (("1.5",), 50),
    "checks": (("9",), 15),
    "startup": (("5",), 30),
    "depth": (("--quick",), 20),
    "diagnose_time": (("5",), 25),
    "mutants": (("--limit", "40"), 20),
    "tensor_mutants": (("--limit", "12", "--timeout", "15"), 20),
    "tensor_time": (("10", "--quick"), 25),
    "grading": (("60", "4"), 25),
    "rendering": (("1_000",), 10),
}
#: On a busy machine each may take so many times as long, as long as the others have what they need.
PATIENCE = 3
#: Seconds for all of them together.
BUDGET = 590.0
PEERS = ("torch", "jax", "jaxlib", "sympy", "sympytorch", "symengine", "casadi", "numpy", "python-flint")


def present() -> list[str]:
    """The benchmarks: modules here that can be run by themselves."""
    files = sorted(p for p in HERE.glob("*.py") if not p.name.startswith("_"))
    return [p.stem for p in files if 'if __name__ == "__main__":' in p.read_text(encoding="utf-8")]


def run(name: str, arguments: Sequence[str], seconds: float, into: Path) -> str:
    """Run one benchmark, its records into a file; how it ended, in words, empty where it is as it should be."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]
    process = subprocess.Popen(command, env={**os.environ, "SYMGRAD_BENCHMARKS": str(into)}, start_new_session=True)
    try:
        # Exit code 1 says that a goal was missed, which the table shows.
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"cut off after {seconds:.0f} s"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return "" if code in (0, 1) else f"ended with exit code {code}"


def allotted(needed: float, left: float, later: float) -> float:
    """The seconds that one benchmark may take: of those that are left, ``later`` are needed by others."""
    return min(PATIENCE * needed, max(left - later, left * needed / (needed + later)))


def met(row: dict[str, Any]) -> bool | None:
    """Whether a row's goal is met; ``None`` where it has none or nothing was measured."""
    words = str(row["goal"]).split()
    if row["ratio"] is None or len(words) != 3:
        return None
    goal = float(words[2])
    return bool(row["ratio"] >= goal if words[1] == "least" else row["ratio"] <= goal)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown, which a terminal shows as well."""
    lines = ["| benchmark | what | measured | goal | | peer |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}"
        note = f" ({row['trouble']})" if row.get("trouble") else ""
        mark = {True: "met", False: "missed", None: ""}[met(row)]
        lines.append(f"| {row['benchmark']} | {row['what']} | {ratio}{note} | {row['goal']} | {mark} | {row['peer']} |")
    return "\n".join(lines)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> bool:
    """Two pictures in one file: what bulk evaluation gains, and how derivation grows; false without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5))
    bulk = [r for r in rows if r["benchmark"] == "bulk" and r["ratio"] and " / symgrad" in r["what"]]
    bulk = [r for r in bulk if "compiler" not in r["what"]]
    left.barh([r["what"] for r in bulk][::-1], [r["ratio"] for r in bulk][::-1])
    left.axvline(1, color="black", linewidth=0.8)
    left.set_xlabel("times as long as symgrad, float32")
    left.set_title("function and all derivatives at many points")
    scale = [r for r in rows if r["benchmark"] == "symbolic_scale" and r["what"].startswith("nested ") and r["mine"]]
    sizes = sorted({int(r["what"].split()[1].rstrip(":")) for r in scale})
    for who in ("symgrad", "sympy", "symengine", "casadi"):
        points = []
        for r in scale:
            size, name = int(r["what"].split()[1].rstrip(":")), r["what"].split()[2]
            if name == who and r["ratio"] is not None and not r.get("trouble"):
                points.append((size, 1000 * r["ratio"] * r["mine"]))
            elif who == "symgrad" and name == "sympy":
                points.append((size, 1000 * r["mine"]))
        if who == "symgrad" and not points:
            points = [(n, 1000 * next(r["mine"] for r in scale if f"nested {n}:" in r["what"])) for n in sizes]
        right.loglog(*zip(*sorted(points), strict=True), "o-", label=who) if points else None
    right.set_xlabel("nested tanh")
    right.set_ylabel("ms to derive")
    right.legend()
    right.set_title("growth of derivation")
    figure.tight_layout()
    figure.savefig(path)
    return True


def everything(json_path: Path, plot_path: Path, every: bool) -> int:
    """Run the suite, print the table and write the files."""
    started = time.monotonic()
    troubles: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "records"
        into.touch()
        for n, (name, (arguments, seconds)) in enumerate(SUITE.items()):
            later = sum(needed for _, needed in list(SUITE.values())[n + 1 :])
            allowed = allotted(seconds, BUDGET - (time.monotonic() - started), later)
            print(f"\n== {name} {' '.join(arguments)}", flush=True)
            trouble = run(name, arguments, allowed, into) if allowed > 0 else "no time was left"
            if trouble:
                troubles[name] = trouble
                print(f"{name}: {trouble}")
        rows = [json.loads(line) for line in into.read_text(encoding="utf-8").splitlines()]
    print(f"\n{machine()}\n{', '.join(map(version, PEERS))}\nload {os.getloadavg()[0]:.1f} at the end\n")
    print(table(rows if every else [r for r in rows if r["goal"]]))
    for name, trouble in troubles.items():
        print(f"\n{name}: {trouble}")
    took = time.monotonic() - started
    document = {
        "machine": machine(), "versions": [version(p) for p in PEERS], "load": os.getloadavg(), "seconds": took,
        "rows": rows, "troubles": troubles,
    }  # fmt: skip
    json_path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    drawn = plot(rows, plot_path)
    print(f"\n{took:.0f} s; written: {json_path}{f', {plot_path}' if drawn else ' (no plot: matplotlib is missing)'}")
    return 1 if troubles else 0


def main(arguments: list[str]) -> int:
    """One benchmark as it is, or all of them."""
    if arguments and not arguments[0].startswith("-"):
        name, *rest = arguments
        if name not in present():
            print(f"no benchmark is called {name}; there are {', '.join(present())}", file=sys.stderr)
            return 2
        return subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}", *rest], check=False).returncode
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), help="where the results go")
    parser.add_argument("--plot", type=Path, default=Path("benchmarks.svg"), help="where the pictures go")
    parser.add_argument("--all", action="store_true", help="also show what has no goal; the JSON always has it")
    options = parser.parse_args(arguments)
    return everything(options.json, options.plot, options.all)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
