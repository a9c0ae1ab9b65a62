"""symgrad grade: the worked example, marks that cannot be raised, runs that go on where they were, and bad input."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from symgrad.cli import main
from symgrad.errors import InternalError, SymgradError
from symgrad.grading import results, running
from symgrad.grading.assignment import Assignment, read_assignment
from symgrad.grading.pool import Handle, Pool
from symgrad.grading.running import grade_folder
from symgrad.grading.submissions import Submission, read
from symgrad.grading.worker import to_task
from tests.homework import FORWARD, HOMEWORK, RIGHT, SUBMISSIONS, assignment, graded


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's results."""
    out = tmp_path_factory.mktemp("example")
    found = grade_folder(SUBMISSIONS, HOMEWORK / "hw.toml", out, jobs=2)
    assert found.exit_code == 0
    return out


# --- the worked example ---------------------------------------------------------------------------------------------


def test_the_example_gives_what_it_says(example: Path) -> None:
    assert (example / "results.csv").read_text() == (HOMEWORK / "expected.csv").read_text()
    table = list(csv.DictReader(io.StringIO((example / "results.csv").read_text())))
    assert len(table) == 12
    assert [r["submission"] for r in table if r["marks"] == "10.0"] == ["ada.py", "bela.py"]
    kinds = [r["mistakes"] for r in table if r["mistakes"]]
    assert len(kinds) == len(set(kinds)) == 7


def test_one_slip_costs_one_step(example: Path) -> None:
    """Error carried forward: a wrong factor at the beginning of the pass, and all that follows keeps its marks."""
    document = json.loads((example / "goran.py" / "report.json").read_text())
    by_name = {(s["name"], s["line"]): s["status"] for s in document["steps"]}
    assert by_name["dh2_raw", 16] == "wrong"
    assert [s for s in by_name.values() if s == "wrong"] == ["wrong"]
    assert by_name["dh1", 18] == by_name["dh1_raw", 19] == "carried"
    assert document["gradients"][0]["marks"] == pytest.approx(8 * 5 / 6, abs=0.01)


def test_feedback_tells_what_the_hint_level_allows(example: Path) -> None:
    text = (example / "dora.py" / "feedback.txt").read_text()
    assert "dora.py:16" in text
    assert "dh2_raw = (1 - h2_raw**2) * dh2" in text
    page = (example / "dora.py" / "feedback.html").read_text()
    for secret in ("h2**2", "0.17326", "input-for-output", "8.188"):
        assert secret not in text
        assert secret not in page
    report = json.loads((example / "dora.py" / "report.json").read_text())["report"]
    assert report["findings"][0]["expected"] == "1 - h2**2"  # the teacher's


def test_the_summary_counts_mistakes(example: Path) -> None:
    page = (example / "summary.html").read_text()
    assert "11 %" in page
    assert "wrote the input of tanh where its output belongs" in page
    assert "open is not available in a traced file" in page


def test_nothing_of_a_submission_is_markup(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.py"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text(RIGHT.replace("(1 - h1**2)", "(1 - h1)") + "# <script>alert(1)</script>\n")
    grade_folder(tmp_path / "in", assignment(), tmp_path / "out", jobs=1)
    pages = list((tmp_path / "out").glob("**/*.html"))
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert "<img" not in text
        assert "<script" not in text
        assert "&lt;img" in text


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.py").write_text(RIGHT)
    arguments = ["grade", str(tmp_path / "in"), "--assignment", str(HOMEWORK / "hw.toml"), "--out",
                 str(tmp_path / "out"), "--jobs", "1"]  # fmt: skip
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 0
    assert "1 submissions graded, 1 of them line by line" in first.stdout
    second = CliRunner().invoke(main, arguments)
    assert "1 by an earlier run" in second.stdout
    assert CliRunner().invoke(main, ["grade", "--help"]).exit_code == 0


def test_grade_may_be_a_variable() -> None:
    result = CliRunner().invoke(main, ["grade", "--at", "grade=2"])
    assert result.exit_code == 0
    assert "dgrade/dgrade = 1" in result.stdout


# --- right is right -------------------------------------------------------------------------------------------------

REWRITES = {
    "other names": RIGHT.replace("dh2_raw", "a").replace("dh1_raw", "b").replace("dh1", "c"),
    "an unforeseen name": RIGHT.replace("dw_h", "slope_wanted"),
    "in a function": "import numpy as np\n\ndef solve():\n"
    + "".join(f"    {line}\n" for line in RIGHT.splitlines()[2:])
    + "    return dw_h, dw_y\n\nsolve()\n",
    "values left as they were": RIGHT.replace("h0 = 0.5", "h0 = 1/2"),
    "a dictionary": RIGHT.replace("dw_h", 'grads["w_h"]').replace("dw_y", 'grads["w_y"]')
    .replace("dy2", "grads = {}\ndy2", 1),
    "torch by hand": RIGHT.replace("import numpy as np", "import torch as np")
    .replace("= 40.0", "= np.tensor(40.0, dtype=np.float64)")
    .replace("= 2.0", "= np.tensor(2.0, dtype=np.float64)")
    .replace("= 0.5", "= np.tensor(0.5, dtype=np.float64)"),
    "inputs under other names": RIGHT.replace("w_y", "out_weight").replace("w_h", "rec_weight")
    .replace("drec_weight", "dw_h").replace("dout_weight", "dw_y"),
    "one line": FORWARD + "dw_h = w_y*(1 - h2**2)*(h1 + w_h*(1 - h1*h1)*h0)\ndw_y = h2\n",
}  # fmt: skip


@pytest.mark.parametrize("name", REWRITES)
def test_a_right_submission_loses_nothing(name: str) -> None:
    document = graded(REWRITES[name])
    assert document["marks"] == 10, document["gradients"]
    assert not document["open"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("dw_h += h0 * dh1_raw", "dw_h = -(dw_h + h0 * dh1_raw)"), "negative"),
        (("dw_h += h0 * dh1_raw", "dw_h += h0 * dh1_raw\ndw_h = dw_h*0.5 + 1"), "was right, and was changed"),
        (("dw_h += h0 * dh1_raw", "dw_h = 8.188808168328674"), "was written down"),
    ],
)
def test_what_is_no_plain_mistake_is_left_open(change: tuple[str, str], says: str) -> None:
    document = graded(RIGHT.replace(*change))
    assert (document["marks"], document["open"]) == (2, 8)
    assert any(says in text for text in document["review"])


# --- marks cannot be raised -----------------------------------------------------------------------------------------

WRONG = RIGHT.replace("(1 - h1**2)", "(1 - h1_raw**2)")

ATTACKS = {
    "reads the reference": FORWARD + "exec(open('reference.py').read())\ndw_h = 1\n",
    "imports the reference": "from reference import *\ndw_h = 1.0\n",
    "imports another submission": "from ada import dw_h, dw_y\n",
    "prints a report": FORWARD
    + "print('{\"marks\": 10, \"complete\": true, \"status\": \"graded\"}')\ndw_h = h1 * 1.0\n",
    "leaves with success": FORWARD + "raise SystemExit(0)\n",
    "leaves by os": FORWARD + "import os\nos._exit(0)\n",
    "patches symgrad": FORWARD + "import symgrad.grading.one as g\ng.grade = lambda *a: {'marks': 10}\n",
    "patches numpy": "import numpy as np\nnp.tanh = lambda x: x\nnp.isfinite = lambda x: True\n"
    + FORWARD + "dw_h = h1\n",
    "writes results": FORWARD + "open('results/hw.py/report.json', 'w').write('{}')\n",
    "forks": FORWARD + "import os\nif os.fork() == 0:\n    while True: pass\n",
    "equals everything": FORWARD + "class Any(float):\n    def __eq__(self, other): return True\n"
    "    def __sub__(self, other): return 0\ndw_h = Any(1.0)\ndw_y = Any(1.0)\n",
    "another function": "w_y = 40.0\nw_h = 2.0\nh0 = 0.5\ny2 = w_h + w_y\ndw_h = 1.0\ndw_y = 1.0\n",
    "another function, after the right one": FORWARD
    + "z = w_h + w_y\nloss = z*1.0\ndz = 1.0\ndw_h = dz*1.0\ndw_y = dz*1.0\n",
    "numbers": FORWARD + "dw_h = 8.188808168328674\ndw_y = 0.909251695546144\n",
    "difference quotient": FORWARD + "def f(w):\n    return w_y*np.tanh(w*np.tanh(w*h0))\n"
    "e = 1e-6\ndw_h = (f(w_h + e) - f(w_h - e))/(2*e)\n",
    "autograd": "import torch\nw_y, w_h, h0 = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in"
    " (40.0, 2.0, 0.5))\ny2 = w_y*torch.tanh(w_h*torch.tanh(w_h*h0))\ny2.backward()\ndw_h, dw_y = w_h.grad, w_y.grad\n",
    "nothing": FORWARD,
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_no_submission_raises_its_marks(name: str) -> None:
    """Nothing that is not derived by hand from the function that was asked for earns anything."""
    document = graded(ATTACKS[name])
    assert document["marks"] == 0, document["gradients"]


def test_right_lines_written_often_weigh_no_more() -> None:
    once = graded(WRONG)
    padding = "".join(f"dh2_{n} = dh2*1.0\ndw_h = dw_h + 0*dh2_{n}\n" for n in range(20))
    often = graded(WRONG + padding)
    assert often["marks"] <= once["marks"] + 0.5
    assert once["marks"] < 10


def test_nothing_leaks_from_one_submission_to_the_next() -> None:
    hostile = """import numpy as np
import math
math.pi = 3
np.random.seed(5)
np.seterr(all="raise")
np.tanh.__doc__
try:
    np.tanh = lambda x: x
except Exception:
    pass
counter = []
def tanh(x, seen=counter):
    seen.append(x)
    return len(seen)
"""
    handle = Handle(assignment())
    try:
        right = to_task(Submission("hw.py", {"hw.py": RIGHT.encode()}))
        first = handle.grade(right)
        for source in (hostile, "import numpy\nnumpy.tanh = None\n", "x = [0]*10**9\n", "while 1: pass\n", WRONG):
            handle.grade(to_task(Submission("hw.py", {"hw.py": source.encode()})))
        assert handle.grade(right) == first
        assert first["marks"] == 10
    finally:
        handle.close()


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("while True:\n    pass\n", "stopped"),
        ("x = []\nwhile True:\n    x.append([0.0]*10**6)\n", "stopped"),
        ("def f(n):\n    return f(n + 1)\nf(0)\n", "failed"),
        ("import ctypes\nctypes.string_at(0)\n", "refused"),
        ("x = 1 +\n", "unreadable"),
    ],
)
def test_what_hangs_crashes_or_eats_costs_its_own_marks(source: str, status: str) -> None:
    document = graded(source)
    assert document["status"] in (status, "stopped" if status == "failed" else status)
    assert document["marks"] == 0
    assert document["reason"]


def test_a_grader_that_takes_too_long_leaves_the_results() -> None:
    """The results are known before the diagnosis begins; a diagnosis that is ended leaves its marks open."""
    long = FORWARD + "dh = 1.0\n" + "".join(f"dw_h = h1*{n}.5 + w_h\n" for n in range(1500))
    document = graded(long, to=replace(assignment(), budget=2.0))
    assert document["marks"] == 0
    assert document["status"] in ("graded", "stopped")


# --- what cannot be read --------------------------------------------------------------------------------------------


def zipped(*entries: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def link() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("hw.py")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return stream.getvalue()


def lying() -> bytes:
    """A zip file whose directory calls a large part small."""
    data = bytearray(zipped(("hw.py", b"#" * 30_000_000)))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark) + offset
        data[place : place + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


NOTEBOOK = (SUBMISSIONS / "chen.ipynb").read_bytes()
UNREADABLE = {
    "random.py": (os.urandom(10_000), ""),
    "random.ipynb": (os.urandom(10_000), "no JSON"),
    "random.zip": (os.urandom(10_000), "cannot be unpacked"),
    "truncated.ipynb": (NOTEBOOK[: len(NOTEBOOK) // 2], "no JSON"),
    "empty.ipynb": (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no code"),
    "list.ipynb": (b"[]", "no notebook"),
    "empty.py": (b"  \n", "empty"),
    "utf16.py": (RIGHT.encode("utf-16"), ""),
    "latin.py": ("# -*- coding: utf-8 -*-\n# é\n".encode("latin-1") + RIGHT.encode(), "no Python text"),
    "coding.py": (b"# -*- coding: no-such-thing -*-\n" + RIGHT.encode(), "unknown encoding"),
    "zeros.py": (b"\0" * 1000, ""),
    "bomb.zip": (zipped(("hw.py", b"#" * 19_000_000)), "too large when unpacked"),
    "lying.zip": (lying(), ""),
    "up.zip": (zipped(("../../hw.py", RIGHT.encode())), "reaches outside"),
    "root.zip": (zipped(("/tmp/hw.py", RIGHT.encode())), "reaches outside"),
    "windows.zip": (zipped(("..\\hw.py", RIGHT.encode())), "reaches outside"),
    "link.zip": (link(), "symbolic link"),
    "nothing.zip": (zipped(("a.txt", b"hello")), "no .py or .ipynb"),
    "two.zip": (zipped(("a.py", RIGHT.encode()), ("b.py", RIGHT.encode())), "no file net.py"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str) -> None:
    data, says = UNREADABLE[name]
    document = graded(data, name)
    assert document["status"] == "unreadable"
    assert says in document["reason"]
    assert document["reason"]
    assert document["marks"] == document["open"] == 0


def test_files_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text(RIGHT)
    (tmp_path / "link.py").symlink_to(tmp_path / "target.py")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "hw.py").symlink_to(tmp_path / "target.py")
    os.mkfifo(tmp_path / "pipe.py")
    with open(tmp_path / "large.py", "wb") as file:
        file.truncate(50_000_000)
    (tmp_path / "notes.txt").write_text("hello")
    said = {p.name: read(p).trouble for p in sorted(tmp_path.iterdir())}
    assert "symbolic link" in said["link.py"]
    assert "no .py or .ipynb" in said["folder"]
    assert "no regular file" in said["pipe.py"]
    assert "50 MB" in said["large.py"]
    assert "no .py, .ipynb or .zip" in said["notes.txt"]
    assert said["target.py"] == ""
    document = graded("", "large.py")
    assert document["status"] == "unreadable"


def test_a_folder_in_a_zip_file_is_read() -> None:
    files = {p.name: p.read_bytes() for p in (SUBMISSIONS / "lena").iterdir()}
    document = graded(zipped(*((f"lena/{name}", data) for name, data in files.items())), "lena.zip")
    assert document["mistakes"][0]["kind"] == "scale"
    assert document["marks"] == 9


# --- runs -----------------------------------------------------------------------------------------------------------


def many(folder: Path, count: int) -> None:
    folder.mkdir()
    for n in range(count):
        (folder / f"s{n:02}.py").write_text(f"# {n}\n{(RIGHT, WRONG)[n % 2]}")


def content(out: Path) -> dict[str, bytes]:
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    """Killed at any moment: in the end nothing is lost, doubled or half-written."""
    many(tmp_path / "in", 8)
    command = [sys.executable, "-m", "symgrad", "grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"),
               "--assignment", str(HOMEWORK / "hw.toml"), "--jobs", "2"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("*/report.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in (tmp_path / "out").glob("*/report.json"):
        json.loads(path.read_text())
    found = grade_folder(tmp_path / "in", HOMEWORK / "hw.toml", tmp_path / "out", jobs=1)
    assert 3 <= found.reused < 8
    grade_folder(tmp_path / "in", HOMEWORK / "hw.toml", tmp_path / "whole", jobs=1)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_a_changed_submission_is_graded_again(tmp_path: Path) -> None:
    many(tmp_path / "in", 2)
    grade_folder(tmp_path / "in", assignment(), tmp_path / "out", jobs=1)
    (tmp_path / "in" / "s01.py").write_text(RIGHT)
    again = grade_folder(tmp_path / "in", assignment(), tmp_path / "out", jobs=1)
    assert again.reused == 1
    assert [d["marks"] for d in again.documents] == [10, 10]
    (tmp_path / "out" / "s00.py" / "report.json").write_text('{"submission": "s00.py", "marks": 99')
    third = grade_folder(tmp_path / "in", assignment(), tmp_path / "out", jobs=1)
    assert third.reused == 1
    assert third.documents[0]["marks"] == 10


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    many(tmp_path / "in", 1)
    with (
        results.locked(tmp_path / "out"),
        pytest.raises(SymgradError, match="another run"),
    ):
        grade_folder(tmp_path / "in", assignment(), tmp_path / "out")


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_will_do(kind: type[Any], tmp_path: Path) -> None:
    many(tmp_path / "in", 3)
    options = {} if kind is ThreadPoolExecutor else {"mp_context": multiprocessing.get_context("spawn")}
    executor: Executor
    with kind(1, **options) as executor:
        found = grade_folder(tmp_path / "in", assignment(), tmp_path / "out", executor=executor, jobs=1)
    assert [d["marks"] for d in found.documents] == [10, 8.4, 10]


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """The submission that it was at is given to another."""
    pool = Pool()
    data, task = assignment().to_json(), to_task(Submission("hw.py", {"hw.py": RIGHT.encode()}))
    assert pool.grade(data, task)["marks"] == 10
    (handle,) = pool._idle[assignment().fingerprint]
    handle.process.kill()
    assert pool.grade(data, task)["marks"] == 10
    (other,) = pool._idle[assignment().fingerprint]
    assert other is not handle
    pool.close()


def test_a_worker_that_dies_in_the_midst_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pool = Pool()
    data = replace(assignment(), timeout=1.5).to_json()
    task = to_task(Submission("hw.py", {"hw.py": b"while True: pass\n"}))
    pool.grade(data, to_task(Submission("hw.py", {"hw.py": RIGHT.encode()})))
    ((handle,),) = pool._idle.values()
    threading.Timer(0.5, handle.process.kill).start()
    assert pool.grade(data, task)["status"] == "stopped"
    pool.close()
    assert not list(tmp_path.iterdir()), "nothing is left behind, even of a worker that was killed"


def test_what_cannot_be_graded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path / "in", 2)

    def broken(data: Any, task: Any) -> Any:
        raise InternalError("no worker survives")

    monkeypatch.setattr(running, "run_task", broken)
    found = grade_folder(tmp_path / "in", assignment(), tmp_path / "out", jobs=1)
    assert found.exit_code == 1
    assert set(found.failed) == {"s00.py", "s01.py"}


# --- assignments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expression"),
        ("name = ", "no TOML"),
        ('expression = "x"\nreference = "r.py"', "one of"),
        ('expression = "x*y"\ngradiens = []', "did you mean 'gradients'"),
        ('expression = "x*y"\nhint = "lines"', "no such level"),
        ('expression = "x*y"\ntimeout = "long"', "timeout"),
        ('expression = "x*y"\n[rubric]\npoint = 3', "did you mean 'points'"),
        ('expression = "x*y"\n[rubric.mistakes]\nsign = 2', "from 0 to 1"),
        ('expression = "x*y"\n[rubric]\nunchecked = "maybe"', "review, right, wrong"),
        ('expression = "x*y"\n[inputs]\nx = {shape = [0]}', "list of lengths"),
        ('reference = "nowhere.py"', "cannot be read"),
        ('expression = "x*y"\n[functions]\nforward = "f"', "reference file"),
    ],
)
def test_assignments_that_cannot_be_used(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "hw.toml").write_text(text)
    with pytest.raises(SymgradError, match=says) as error:
        read_assignment(tmp_path / "hw.toml")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"expression": "x*tnah(y)"}, "tnah"),
        ({"expression": "x*y"}, "no value for x"),
        ({"reference": "x = 2.0\n", "gradients": ("x",)}, "computes nothing"),
        ({"reference": "x = 2.0\ny = x*x\n", "gradients": ("z",)}, "no input 'z'"),
        ({"reference": "x = 2.0\ny = x*x\n", "result": "q"}, "no 'q'"),
        ({"reference": "import os\nos.system('x')\n"}, "not available"),
    ],
)
def test_references_that_cannot_be_used(options: dict[str, Any], says: str) -> None:
    with pytest.raises(SymgradError, match=says):
        graded(RIGHT, to=Assignment("hw", **options))


def test_an_assignment_survives_its_journey() -> None:
    made = assignment()
    again = Assignment.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.fingerprint == made.fingerprint


LAYER = """import numpy as np

def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)

"""
BACKWARD = """def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
"""


@pytest.mark.parametrize(
    ("source", "marks", "kinds"),
    [
        (LAYER + BACKWARD, 9, set()),
        (BACKWARD, 9, set()),
        (LAYER + BACKWARD.replace("dout.sum(axis=0)", "dout.mean(axis=0)"), 6, {"wrong-reduction", "scale"}),
        (BACKWARD.replace("x.T @ dout", "x.T @ dout * 2"), 7.5, {"scale"}),
        (LAYER.replace("+ b", "") + BACKWARD, 9, set()),  # right by values
        (LAYER, 0, set()),
    ],
)
def test_functions_are_called(source: str, marks: float, kinds: set[str]) -> None:
    made = Assignment(
        "affine", reference=LAYER + BACKWARD, forward="affine_forward", backward="affine_backward", provided=True,
        inputs={"x": {"shape": [4, 3]}, "w": {"shape": [3, 5]}, "b": {"shape": [5]}},
        rubric=read_assignment(HOMEWORK / "hw.toml").rubric.__class__(points=9),
    )  # fmt: skip
    document = graded(source, to=made)
    assert document["marks"] == pytest.approx(marks), document["gradients"]
    assert {m["kind"] for m in document["mistakes"]} <= kinds


def test_an_expression_of_arrays() -> None:
    made = Assignment(
        "softmax regression", expression="loss = sum(tanh(W @ x + b)**2)", gradients=("W", "b"),
        inputs={"W": {"shape": [3, 4]}, "x": {"shape": [4]}, "b": {"shape": [3]}},
    )  # fmt: skip
    source = """import numpy as np
W = np.random.randn(3, 4)
x = np.random.randn(4)
b = np.zeros(3)
a = np.tanh(W @ x + b)
loss = np.sum(a**2)
dz = 2*a*(1 - a**2)
dW = np.outer(dz, x)
db = dz
"""
    assert graded(source, to=made)["marks"] == 10
    wrong = graded(source.replace("np.outer(dz, x)", "np.outer(a, x)"), to=made)
    assert wrong["gradients"][1]["status"] == "right"
    assert wrong["gradients"][0]["status"] == "wrong"
