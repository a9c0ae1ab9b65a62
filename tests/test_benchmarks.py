"""The benchmarks' own machinery: medians of interleaved runs, goals, the table, and equality before time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks import checks
from tests.benchmarks.__main__ import BUDGET, PATIENCE, SUITE, allotted, met, plot, present, table
from tests.benchmarks.bulk import CASES, eager, equal, lambdified
from tests.benchmarks.symbolic_scale import TOOLS, Worker, one
from tests.benchmarks.timing import race, record

ROW = {
    "benchmark": "bulk", "what": "a: jax / symgrad", "ratio": 2.0, "peer": "jax 1", "goal": "at least 1", "mine": 1.0
}  # fmt: skip


def test_rounds_are_interleaved_and_the_median_counts() -> None:
    order: list[str] = []
    found = race({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 5)
    assert order == ["a", "b"] * 6
    assert set(found) == {"a", "b"}


def test_all_benchmarks_fit_into_ten_minutes() -> None:
    assert allotted(10, 500, 100) == 10 * PATIENCE  # there is enough
    assert allotted(10, 105, 100) == pytest.approx(105 * 10 / 110)  # all get less than they need
    assert allotted(10, 115, 100) == 15
    left = BUDGET
    needs = [needed for _, needed in SUITE.values()]
    for n, needed in enumerate(needs):
        left -= allotted(needed, left, sum(needs[n + 1 :]))  # each takes all that it may
        assert left >= -1e-9
    assert 2 * sum(needs) > BUDGET > sum(needs)


def test_goals() -> None:
    assert met(ROW) is True
    assert met({**ROW, "ratio": 0.99}) is False
    assert met({**ROW, "goal": "at most 1"}) is False
    assert met({**ROW, "goal": ""}) is None
    assert met({**ROW, "ratio": None}) is None
    assert "| missed |" in table([{**ROW, "ratio": 0.5}])


def test_records_are_lines_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record("x", "nobody collects", 1.0)
    monkeypatch.setenv("SYMGRAD_BENCHMARKS", str(tmp_path / "r"))
    record("x", "y", 1.5, peer="p", goal="at most 2", more=3)
    (line,) = (tmp_path / "r").read_text().splitlines()
    wanted = {"benchmark": "x", "what": "y", "ratio": 1.5, "peer": "p", "goal": "at most 2", "more": 3}
    assert json.loads(line) == wanted


def test_the_suite_and_the_readme_name_all_benchmarks_and_unknown_ones_are_refused() -> None:
    assert set(SUITE) == set(present())
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    speed = readme[readme.index("\n## Speed") :]
    assert [name for name in SUITE if f"`{name}`" not in speed] == []
    command = [sys.executable, "-m", "tests.benchmarks", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no benchmark is called nothing" in done.stderr


@pytest.mark.parametrize("name", CASES)
def test_peers_compute_the_same_functions(name: str) -> None:
    import symgrad

    text, function, variables = CASES[name]
    values = [torch.linspace(-3.9, 4, 500) + 0.125 * k for k in range(variables)]
    truth = symgrad.derive(text).torch(value=True, dtype="float64")(*(v.double() for v in values))
    found = eager(function, values)()
    assert equal(found, truth)
    assert equal(lambdified(text, values)(), truth)
    assert not equal([v * 1.001 for v in found], truth)


def test_a_tool_that_is_wrong_or_too_slow_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = {name: Worker(name, 20.0) for name in ("symgrad", "sympy")}
    try:
        assert set(one("nested", 3, workers)) == {"symgrad", "sympy"}
        workers["sympy"].ask("build", "nested", 4)
        workers["sympy"].ask("derive")
        monkeypatch.setattr(workers["sympy"], "limit", 0.001)
        assert set(one("nested", 10, workers)) == {"symgrad"}
        assert workers["sympy"].trouble.startswith("over")
    finally:
        for worker in workers.values():
            worker.close()
    assert set(TOOLS) == {"symgrad", "sympy", "symengine", "casadi"}


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib, of the extra 'bench'")
def test_the_plot(tmp_path: Path) -> None:
    nested = {**ROW, "benchmark": "symbolic_scale"}
    scale = [{**nested, "what": f"nested {n}: sympy / symgrad", "mine": n / 1e4} for n in (10, 40)]
    assert plot([ROW, *scale], tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")


def test_where_the_time_of_a_check_goes_adds_up() -> None:
    found = checks.parts(checks.EXAMPLES / "recurrent_tanh.py")
    assert len(found) >= 5
    assert all(milliseconds >= 0 for milliseconds in found.values())
    assert found["the rest"] < sum(found.values()) / 2
