"""Every derivation compiles with a real LaTeX, without a line that is too long, and looks like a page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import symgrad
from tests.benchmarks.rendering import recurrence
from tests.reports import EXPRESSIONS, SCRIPTS, report_of

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")

EXTRA = (
    ("x^2*y + sin(x)*exp(y)*log(1 + x^2)/(1 + y^2)", {"order": 2}),
    ("very_long_name_of_a_variable*another_name^2 + where(x < 1, sqrt(x), cbrt(x))*abs(x) + gamma(x)", {}),
    ("tanh(" * 30 + "x*y" + ")" * 30, {}),
    ("*".join(f"(a{n} + b{n}*x)" for n in range(12)), {}),
    (recurrence(300), {"simplify_seconds": 0}),
)


def compiled(document: str, folder: Path) -> str:
    """The log of a run."""
    (folder / "d.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "d.tex"], cwd=folder,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    log = (folder / "d.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


def joined(documents: list[str]) -> str:
    """Several documents as one: LaTeX takes most of its time to start."""
    head = documents[0].split("\\begin{document}")[0] + "\\begin{document}\n"
    bodies = [d.split("\\begin{document}")[1].split("\\end{document}")[0] for d in documents]
    return head + "\\clearpage\n".join(bodies) + "\\end{document}\n"


def test_examples_compile(tmp_path: Path) -> None:
    reports = [report_of(name) for name in SCRIPTS + EXPRESSIONS]
    documents = [r.latex(notation=n, document=True) for r in reports for n in ("fraction", "bar", "d")]
    log = compiled(joined(documents), tmp_path)
    assert not re.findall(r"Overfull \\hbox.*", log)


def test_wide_and_long_derivations_compile(tmp_path: Path) -> None:
    documents = [symgrad.check(text, **options).latex(document=True) for text, options in EXTRA]
    log = compiled(joined(documents), tmp_path)
    assert not re.findall(r"Overfull \\hbox.*", log)


def test_a_fragment_needs_amsmath_alone(tmp_path: Path) -> None:
    fragment = report_of("recurrent_tanh.py").latex()
    head = "\\documentclass{article}\\usepackage{amsmath}\\begin{document}\n"
    compiled(f"{head}{fragment}\n\\end{{document}}\n", tmp_path)


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="no pdftoppm is installed")
def test_a_page_as_a_picture(tmp_path: Path) -> None:
    """Nothing stands in the margins; something red is struck out; the page is neither empty nor black."""
    image = pytest.importorskip("PIL.Image")
    compiled(report_of("recurrent_tanh.py").latex(document=True), tmp_path)
    subprocess.run(["pdftoppm", "-r", "60", "-png", "-f", "1", "-l", "1", "d.pdf", "page"], cwd=tmp_path, check=True)
    (path,) = tmp_path.glob("page*.png")
    page = image.open(path).convert("RGB")
    dark = [
        (x, y)
        for x in range(page.width)
        for y in range(page.height)
        if sum(page.getpixel((x, y))) < 600
    ]
    margin = 60 * 2.0 / 2.54
    assert min(x for x, _ in dark) > margin
    assert max(x for x, _ in dark) < page.width - margin
    assert 0.003 < len(dark) / (page.width * page.height) < 0.2
    red = sum(1 for x, y in dark if (p := page.getpixel((x, y)))[0] > 150 and max(p[1:]) < 120)
    assert red > 20
