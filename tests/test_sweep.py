"""Ranges of points: what is counted is true, what is said is proven, and bad ranges are refused."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
import torch
from click.testing import CliRunner

import symgrad
from symgrad import SymgradError
from symgrad.cli import main
from symgrad.ranges import SLICES, Grid, Range, read_ranges

FLAGSHIP = "40*tanh(w*tanh(w*0.5))"


def sweep(*args: object, **options: object) -> object:
    return symgrad.check(*args, **options)  # type: ignore[arg-type]


def test_float32_loses_digits_where_the_single_point_does() -> None:
    report = sweep(FLAGSHIP, at="w=-10:10:20_000", dtype="float32")
    assert report.verdict == "rounding"
    assert report.exit_code == 0
    assert report.points == 20_000
    witnesses = report["w"].witnesses
    assert witnesses["symbolic"].close == 20_000
    assert witnesses["symbolic"].worst <= 8
    autograd = witnesses["autograd"]
    assert autograd.verdict == "rounding"
    assert autograd.lost_at == "u4"
    assert autograd.lost > 5_000
    left, right = autograd.where
    assert left.first["w"] == -10
    assert right.last["w"] == 10
    assert left.last["w"] < -5 < 5 < right.first["w"]
    single = symgrad.check(FLAGSHIP, at=dict(autograd.at), dtype="float32")
    assert single["w"].exact == autograd.exact
    assert single["w"].witnesses["autograd"].value == autograd.value
    assert single["w"].witnesses["autograd"].verdict == autograd.there


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_counts_are_those_of_a_loop_over_single_points(dtype: str) -> None:
    report = sweep("sigmoid(x)*x - 1", at="x=-3:5:97", dtype=dtype)
    grid = Grid([Range("x", -3, 5, 97)], {}, getattr(torch, dtype), torch.device("cpu"))
    digits = {"float64": 53, "float32": 24, "bfloat16": 8}[dtype]
    close = dict.fromkeys(("symbolic", "autograd", "backward"), 0)
    for n in range(97):
        one = symgrad.check("sigmoid(x)*x - 1", at=grid.point(n), dtype=dtype, simplify_seconds=0)["x"]
        for name in close:
            unit = abs(float(one.exact)) * 2.0 ** (1 - digits)
            close[name] += one.witnesses[name].difference <= 8 * unit
    for name, count in close.items():
        assert abs(report["x"].witnesses[name].close - count) <= (2 if dtype == "float64" else 0)


@pytest.mark.parametrize("factor", ["1.0000001", "2", "-1"])
def test_a_wrong_formula_is_refuted_and_a_right_one_is_not(factor: str) -> None:
    right = "x*cos(x) + sin(x)"
    report = sweep("x*sin(x)", at="x=-3:3:3000", manual=f"{factor}*({right})")
    assert report.verdict == "disagree"
    assert report.exit_code == 1
    assert report["x"].witnesses["manual"].refuted is not None
    assert sweep("x*sin(x)", at="x=-3:3:3000", manual=right).exit_code == 0


def test_a_mistake_in_a_corner_is_found() -> None:
    """Wrong only beyond 2.9, where it is off by less than rounding loses elsewhere."""
    report = sweep("x^2", at="x=-3:3:100_000", manual="2x + max(x - 2.9, 0)/1000")
    manual = report["x"].witnesses["manual"]
    assert manual.refuted is not None
    assert manual.refuted["x"] > 2.9
    assert report.verdict == "disagree"


def test_points_without_a_derivative_are_counted() -> None:
    report = sweep("log(x)*y", at={"x": "-1:4:1000", "y": "1:2:10"})
    assert report.points == 10_000
    assert report["x"].undefined == 10 * sum(1 for k in range(1000) if -1 + 5 * k / 999 <= 0)
    assert report.exit_code == 0
    assert sweep("log(x)", at="x=-2:-1:50").exit_code == 2
    kinked = sweep("relu(x)", at="x=-1:1:3")
    assert kinked.exit_code == 0
    assert any("kink" in note for note in kinked.notes)


def test_a_grid_numbers_every_point_once() -> None:
    ranges = [Range("a", 0, 1, 3), Range("b", -1, 1, 5)]
    grid = Grid(ranges, {"c": Fraction(7)}, torch.float64, torch.device("cpu"))
    seen = {(p["a"], p["b"]) for p in map(grid.point, range(grid.count))}
    assert seen == {(a, b) for a in (0, 0.5, 1) for b in (-1, -0.5, 0, 0.5, 1)}
    whole = grid.values(0, grid.count)
    assert [float(v) for v in whole["b"]] == [grid.point(n)["b"] for n in range(grid.count)]
    assert [grid.edge(n) for n in (0, SLICES)] == [0, grid.count]


@pytest.mark.parametrize(
    ("first", "last", "count"), [(-4, 4, 10_000_000), (0.1, 0.3, 3), (1e-300, 1e300, 7), (-1, 2, 2)]
)
def test_both_ends_are_met_exactly(first: float, last: float, count: int) -> None:
    grid = Grid([Range("w", first, last, count)], {}, torch.float64, torch.device("cpu"))
    assert grid.point(0)["w"] == first
    assert grid.point(count - 1)["w"] == last
    assert math.isclose(grid.point(count // 2)["w"], first + (last - first) * (count // 2) / (count - 1), abs_tol=1e-9)


BAD = {
    "x=1:2": "FIRST:LAST:COUNT",
    "x=1:2:3:4": "FIRST:LAST:COUNT",
    "x=:2:3": "FIRST:LAST:COUNT",
    "x=2:1:5": "below the last",
    "x=1:1:5": "below the last",
    "x=0:1:2.5": "whole number",
    "x=0:1:1": "whole number",
    "x=0:1:1e12": "at most 10,000,000,000",
    "x=0:1e400:5": "leaves what float64 holds",
    "x=0:q:5": "uses the variable 'q'",
    "=0:1:5": "NAME=FIRST:LAST:COUNT",
    "z=0:1:5": "no variable of the expression",
    "x=0:1:5,x=3": "twice",
    "x=0:1:5,x=0:1:6": "twice",
}


@pytest.mark.parametrize("at", BAD)
def test_bad_ranges_are_refused(at: str) -> None:
    result = CliRunner().invoke(main, ["x*x", "--at", at])
    assert result.exit_code == 2
    assert BAD[at] in result.output


def test_what_does_not_go_with_ranges() -> None:
    for more in (["--order", "2"], ["--latex"], ["--diff"], ["--manual", "x=2q"], ["--dtype", "float16"]):
        result = CliRunner().invoke(main, ["x*x", "--at", "x=0:1e6:5", *more])
        assert result.exit_code == 2, more
    with pytest.raises(SymgradError, match="not of arrays"):
        sweep("sum(x)", at="x=0:1:5")
    with pytest.raises(SymgradError, match="say which derivative"):
        sweep("x*y", at="x=0:1:5,y=2", manual="x")
    assert read_ranges(["x=0:1:1_000", "y=pi/2"])[0][0].count == 1000


def test_the_command_line_prints_text_or_json() -> None:
    result = CliRunner().invoke(main, [FLAGSHIP, "--at", "w=-4:4:1_000", "--json"])
    document = json.loads(result.stdout)
    assert document["schema"] == "symgrad-sweep/1"
    assert document["points"] == 1000
    assert document["gradients"][0]["witnesses"]["symbolic"]["within_8_ulp"] == 1000
    text = CliRunner().invoke(main, [FLAGSHIP, "--at", "w=-4:4:1_000"]).stdout
    assert "✓ agree: every witness agrees" in text
    assert "1,000 points, w = -4 ... 4 (float64 on cpu)" in text


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    sweep("x*x", at="x=0:1:300_000", progress=lambda done, all_: told.append((done, all_)))
    assert told[-1] == (300_000, 300_000)
    assert [d for d, _ in told] == sorted(d for d, _ in told)
