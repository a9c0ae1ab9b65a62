"""Files of pictures: the graph alone, and plots of a derivative's errors."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import symgrad
from symgrad.cli import main
from symgrad.curves import curve, split_ranges
from symgrad.errors import SymgradError
from symgrad.report import layout
from symgrad.report.curve import picture
from tests.reports import report_of

SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(("kind", "magic"), [
    ("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph"),
])  # fmt: skip
def test_graph(kind: str, magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"out.{kind}"
    result = run("q = x + y; f = q*z", "--at", "x=-2,y=5,z=-4", "--graph", str(path))
    assert result.exit_code == 0
    assert path.read_bytes().startswith(magic)


def test_graph_says_values_and_gradients_as_cs231n_does(tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    run("q = x + y; f = q*z", "--at", "x=-2,y=5,z=-4", "--graph", str(path))
    wires = [g for g in ET.parse(path).getroot().iter(f"{SVG}g") if "wire" in (g.get("class") or "")]
    said = [tuple(t.text for t in g.iter(f"{SVG}text")) for g in wires]
    assert said == [("-2", "-4"), ("5", "-4"), ("3", "-4"), ("-4", "3")]


def test_graph_without_graphviz_is_the_same_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    from symgrad.report.graphs import graph_bytes

    drawn = report_of("recurrent_tanh.py").picture

    def words() -> list[str | None]:
        return sorted(t.text or "" for t in ET.fromstring(graph_bytes(drawn, "svg")).iter(f"{SVG}text"))

    before = words()
    monkeypatch.setattr("symgrad.report.graphs.has_graphviz", lambda: False)
    assert words() == before
    assert "gradient 8.1888" in before


def test_graphviz_that_fails_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no dot")

    monkeypatch.setattr(layout.subprocess, "run", fails)
    from symgrad.report.sheets import sheets

    assert layout.place(sheets(report_of("staged.py").picture), engine="dot").boxes


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("name", ["recurrent_tanh.py", "vanilla_rnn.py"])
def test_graphviz_reads_the_dot_file(name: str) -> None:
    from symgrad.report.graphs import graph_bytes

    drawn = graph_bytes(report_of(name).picture, "dot")
    done = subprocess.run(["dot", "-Tsvg"], input=drawn, capture_output=True, check=True)
    assert b"<svg" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (["--graph", "out.gif"], "must end in one of .svg, .png, .pdf, .dot"),
    (["--plot", "out.txt"], "must end in one of .png, .svg, .pdf"),
    (["--graph", "/no/such/folder/x.svg"], "No such file or directory"),
    (["--html", "/no/such/folder/x.html"], "No such file or directory"),
])  # fmt: skip
def test_files_that_cannot_be_written(arguments: list[str], message: str) -> None:
    result = run("x*y", "--at", "x=1,y=2", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_html_beside_json(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    result = run("x*y", "--at", "x=1,y=2", "--json", "--html", str(path))
    assert result.stdout.startswith("{")
    assert path.read_text().startswith("<!DOCTYPE html>")


# --- plots ----------------------------------------------------------------------------------------------------------


def test_a_curve_shows_where_digits_are_lost() -> None:
    found = curve("40*tanh(w*tanh(w/2))", ["w=-14:14"], dtype="float32", points=57)
    assert found.xs[0] == -14
    assert found.xs[-1] == 14
    near = [e for x, e in zip(found.xs, found.errors["autograd"], strict=True) if abs(x) <= 1]
    far = [e for x, e in zip(found.xs, found.errors["autograd"], strict=True) if abs(x) >= 10]
    assert max(near) < 10
    # Of 24 bits none is left: autograd gives 0 there.
    assert min(far) > 1e6
    exact = dict(zip(found.xs, found.derivatives["exact"], strict=True))
    assert exact[10.0] == pytest.approx(3.3065e-7, rel=1e-3)


def test_a_curve_shows_where_the_formula_parts() -> None:
    found = curve("x*tanh(x)", ["x=-2:2"], manual="tanh(x) + x*(1 - x^2)", points=9)
    errors = dict(zip(found.xs, found.errors["manual"], strict=True))
    assert errors[0.0] == 0
    assert errors[2.0] > 1e15
    assert errors[2.0] > errors[0.5] > 1e10
    right = curve("x*tanh(x)", ["x=-2:2"], manual="tanh(x) + x*(1 - tanh(x)^2)", points=9)
    assert max(right.errors["manual"]) < 32
    assert right.worst("manual")[1] == max(right.errors["manual"])


def test_a_curve_where_there_is_no_derivative() -> None:
    found = curve("log(x) + abs(x - 1)*k", ["x=-1:1", "k=2"], points=5)
    assert [math.isnan(v) for v in found.derivatives["exact"]] == [True, True, True, False, True]
    assert found.at == {"k": 2.0}
    assert picture(found, "svg").startswith(b"<?xml")


def test_plot(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "p.png"
    options = ["--manual", "w=40*w", "--dtype", "float32", "--plot", str(path)]
    result = run("40*tanh(w*tanh(w/2))", "--at", "w=-4:4", *options)
    assert result.exit_code == 0, result.output
    assert "autograd (torch)" in result.stdout
    assert "manual (yours)" in result.stdout
    found = image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    colours = {c for _, c in found.getcolors(1 << 20)}
    # The three curves are there: dark, blue, red.
    assert {(0x05, 0x50, 0xAE), (0xCF, 0x22, 0x2E), (0x1F, 0x23, 0x28)} <= colours


@pytest.mark.parametrize(("at", "message"), [
    (["x=1"], "a plot needs the range of one variable"),
    (["x=1:2,y=1:2"], "a plot needs the range of one variable"),
    (["x=2:1,y=1"], "is empty"),
    (["z=1:2"], "no variable"),
    (["x=1:2"], "no value for y"),
    (["x=1:foo,y=1"], "foo"),
])  # fmt: skip
def test_ranges_that_are_none(at: list[str], message: str) -> None:
    with pytest.raises(SymgradError, match=message):
        curve("x*y", at)


def test_ranges_are_found_among_values() -> None:
    assert split_ranges(["w=-4:4, b=2", "c=max(1,2)"]) == ({"w": ("-4", "4")}, [" b=2", "c=max(1,2)"])


def test_a_script_cannot_be_plotted() -> None:
    result = run("examples/recurrent_tanh.py", "--plot", "x.png")
    assert result.exit_code == 2
    assert "--plot is for expressions" in result.output


def test_no_variable_no_graph() -> None:
    from symgrad.report.graphs import graph_bytes

    with pytest.raises(SymgradError, match="no graph"):
        graph_bytes(None, "svg")
    assert symgrad.check("x*y").picture is not None
