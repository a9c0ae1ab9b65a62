"""A real notebook: reports display as HTML and LaTeX, and %%symgrad checks a cell at the notebook's values."""

from __future__ import annotations

from typing import Any

import nbformat
import numpy as np
import pytest

import symgrad
from symgrad.errors import SymgradError
from symgrad.jupyter import check_cell, prelude

nbclient = pytest.importorskip("nbclient")

CELLS = [
    "%load_ext symgrad\nimport symgrad\nimport numpy as np\nx = np.array([[1.0, 2.0], [3.0, 4.5]])\n"
    "W = np.array([[0.1, 0.2], [0.3, -0.4]])\ndef act(z):\n    return np.tanh(z)",
    "%%symgrad\nh = act(x @ W)\nloss = np.sum(h**2)\ndh = 2*h\ndz = dh*(1 - h)\ndW = x.T @ dz",
    "print(dW.shape, float(loss) > 0)",
    "symgrad.check('x*tanh(x)', at={'x': 1})",
    "symgrad.derive('x*tanh(x)')",
    "%%symgrad --check-only\ny = x +",
    "%%symgrad --nonsense\ny = 1",
    "%%symgrad --check-only --loss f\nf = k**2\ndk = 2*k",
    "k = 3.0",
    "%%symgrad --check-only --loss f\nf = k**2\ndk = 2*k",
]


def executed() -> list[list[Any]]:
    """What each cell shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    done = nbclient.NotebookClient(notebook, timeout=180, allow_errors=True).execute()
    return [cell.outputs for cell in done.cells]


def shown(cell: list[Any]) -> dict[str, str]:
    """All that a cell displays, by mime type; text streams under their names."""
    out: dict[str, str] = {}
    for output in cell:
        if "data" in output:
            out.update(output["data"])
        elif output["output_type"] == "stream":
            out[output["name"]] = out.get(output["name"], "") + output["text"]
        else:
            out["error"] = output["evalue"]
    return out


def test_a_real_notebook() -> None:
    """One run, since a kernel takes seconds to start."""
    outputs = executed()
    # A cell is checked and run.
    found = shown(outputs[1])
    assert "1 mistake, in line 4" in found["text/html"]
    assert "cell:4:10" in found["text/html"]
    assert r"\sgwrong" in found["text/latex"]
    assert shown(outputs[2])["stdout"] == "(2, 2) True\n"
    # Reports and derivations display.
    report, derivation = shown(outputs[3]), shown(outputs[4])
    assert report["text/html"].startswith("<iframe")
    assert "every witness agrees" in report["text/html"]
    for found in (report, derivation):
        assert found["text/latex"].startswith("$$")
        assert r"\frac{\mathrm{d} f}{\mathrm{d} x}" in found["text/latex"]
        assert r"\intertext" not in found["text/latex"]
    assert "<math" in derivation["text/html"]
    # What cannot be checked is said without a traceback.
    assert "cell:1" in shown(outputs[5])["stderr"]
    assert "does not know --nonsense" in shown(outputs[6])["stderr"]
    # k is not there yet, and then it is.
    assert "k" in shown(outputs[7])["stderr"]
    assert "no mistake found" in shown(outputs[9])["text/html"]
    assert not any("error" in shown(cell) for cell in outputs)


def test_values_of_the_notebook() -> None:
    torch = pytest.importorskip("torch")

    def double(v: float) -> float:
        return scale * v

    scale = 2.0
    variables = {
        "np": np, "scale": scale, "double": double, "a": np.float64(1.5), "b": [1, 2.5], "c": {"k": np.arange(3)},
        "t": torch.ones(2, requires_grad=True), "unused": object(), "n": np.int64(4),
    }  # fmt: skip
    text = prelude("y = double(a)*np.sum(c['k'])*b[0]*n*t.sum()", variables)
    assert "import numpy as np\n" in text
    assert "a = 1.5\n" in text
    assert "n = 4\n" in text
    assert "scale = 2.0\n" in text
    assert "requires_grad=True" in text
    assert "unused" not in text
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    assert namespace["double"](4.0) == 8.0
    assert namespace["c"]["k"].tolist() == [0, 1, 2]


def test_a_cell_is_checked_at_the_values_before_it() -> None:
    report = check_cell("y = w**3\ndw = 3*w**2\n", {"w": 2.0})
    assert report.ok
    assert report.confirmed == ("dw",)
    report = check_cell("y = w**3\ndw = 2*w**2\n", {"w": 2.0})
    (found,) = [f for f in report.findings if f.root]
    assert (found.line, found.span.file) == (2, "cell")
    assert "2 | dw = 2*w**2" in report.explain()


def test_too_many_numbers() -> None:
    with pytest.raises(SymgradError, match="too many"):
        check_cell("y = big.sum()", {"big": np.zeros(300_000)})


def test_the_extension_is_loaded_by_name() -> None:
    registered = {}

    class Shell:
        user_ns: dict[str, Any] = {"w": 2.0}  # noqa: RUF012

        def register_magic_function(self, function: Any, kind: str, name: str) -> None:
            registered[kind, name] = function

        def run_cell(self, cell: str) -> None:
            exec(cell, self.user_ns)

    shell = Shell()
    symgrad.load_ipython_extension(shell)
    report = registered["cell", "symgrad"]("", "y = w**3\ndw = 3*w**2\n")
    assert report.ok
    assert shell.user_ns["dw"] == 12
