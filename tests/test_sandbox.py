"""The sandbox: every attack ends in an error with its line and nothing done; honest scripts come back whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from symgrad.errors import InternalError, SymgradError
from symgrad.frontends.sandbox import Answer, Sandbox, _read, run_file, run_source
from symgrad.frontends.texts import read_source
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.tracing import trace_source

ATTACKS = sorted((Path(__file__).parent / "attacks").glob("*.py"))

#: What the attacks would create.
CANARY = Path("/tmp/symgrad-canary")


def expected(source: str) -> tuple[str, list[int], float]:
    """What an attack's error must say, on which line (marked ``#!``; any of several), and the time it is given."""
    says = re.search(r"^# says: (.*)$", source, re.M)
    timeout = re.search(r"^# timeout: (.*)$", source, re.M)
    assert says is not None
    lines = [i for i, line in enumerate(source.split("\n"), 1) if line.endswith("#!")]
    return says[1], lines or [1], float(timeout[1]) if timeout else 10.0


@pytest.mark.parametrize("path", ATTACKS, ids=lambda p: p.stem)
def test_attack(path: Path) -> None:
    source = read_source(path)
    says, lines, timeout = expected(source)
    began = time.monotonic()
    try:
        trace = run_file(path, timeout=timeout, memory_mb=256)
    except SymgradError as e:
        error, place = str(e.message), e.span
    else:
        assert trace.error is not None, "the attack ran to its end"
        error, place = trace.error.message, trace.error.span
    assert re.search(says, error), error
    assert place is not None
    assert place.line in lines, error
    assert time.monotonic() - began < timeout + 30
    assert not CANARY.exists()


def test_there_are_attacks() -> None:
    assert len(ATTACKS) > 120


# --- honest scripts ---------------------------------------------------------------------------------------------

HONEST = """
import os
import numpy as np
import torch
from dataclasses import dataclass
x = 0.5
w = torch.tensor(2.0, requires_grad=True)
y = torch.tanh(w * x)
y.backward()
h = np.tanh(1.0 * x)
print("naïve", w.grad.item(), 1 / 3 * h)
for t in range(3):
    h = h * x
"""


def test_the_sandbox_gives_the_same_trace_as_this_process() -> None:
    assert run_source(HONEST, "s.py") == trace_source(HONEST, "s.py")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nx = 0.5  # \xe9\ny = x*2\n".encode("latin-1"))
    made = run_file(path)
    assert [b.name for b in made.bindings] == ["x", "y"]
    assert made.bindings[1].span.file == str(path)


def test_an_empty_file() -> None:
    made = run_source("", "s.py")
    assert made.graph.steps == ()
    assert made.error is None


def test_an_exception_of_the_script_is_no_exception_here() -> None:
    made = run_source("x = 0.5\ny = x*2\nz = y/0\n", "s.py")
    assert made.error is not None
    assert made.error.span is not None
    assert made.error.span.line == 3
    assert [b.name for b in made.bindings] == ["x", "y"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SymgradError, match="cannot be read"):
        run_file(tmp_path / "missing.py")
    (tmp_path / "bytes.py").write_bytes(b"x = '\xff\xfe'")
    with pytest.raises(SymgradError, match="no Python text"):
        run_file(tmp_path / "bytes.py")
    (tmp_path / "long.py").write_bytes(b"#" * 3_000_000)
    with pytest.raises(SymgradError, match="too long"):
        run_file(tmp_path / "long.py")


def test_a_started_sandbox_can_wait() -> None:
    with Sandbox() as sandbox:
        time.sleep(0.3)
        made = sandbox.run("x = 0.5\ny = x*2", "s.py")
    assert len(made.graph) == 3
    assert sandbox.process.returncode is not None


def test_a_small_file_is_quick() -> None:
    times = []
    for _ in range(5):
        began = time.monotonic()
        run_source("import numpy as np\nx = 0.5\ny = np.tanh(x)\n", "s.py")
        times.append(time.monotonic() - began)
    # The machine may be busy with other tests: the quickest counts.
    assert min(times) < 1.5


def test_the_child_loads_neither_sympy_nor_torch() -> None:
    code = (
        "from symgrad.frontends.trace import child\nimport sys\nchild.load()\n"
        "assert 'sympy.core' not in sys.modules and 'torch' not in sys.modules\n"
        "from symgrad.ops import OPS\nassert len(OPS) > 60\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- the walls, each by itself ----------------------------------------------------------------------------------

WALL = """
import contextlib, os, subprocess, sys
from symgrad.frontends.trace import locks
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.tracer import Tracer
wall = locks.Wall(Tracer("", "s.py"))
wall.closed = wall.begun = True
try:
    {attempt}
except Stop as e:
    wall.closed = False
    print("stopped:", e.error.message)
else:
    wall.closed = False
    print("through")
"""


@pytest.mark.parametrize(
    ("attempt", "event"),
    [
        ("open('/etc/passwd')", "open"),
        ("os.open('/tmp/symgrad-canary', os.O_CREAT)", "open"),
        ("os.system('true')", "os.system"),
        ("os.fork()", "os.fork"),
        ("subprocess.Popen(['true'])", "subprocess.Popen"),
        ("os.listdir('/')", "os.listdir"),
        ("os.remove('/tmp/symgrad-nothing')", "os.remove"),
        ("__import__('sqlite3')", "import"),
        ("exec('1')", "compile"),
        ("exec(compile.__call__.__self__ and (lambda: 0).__code__)", "object.__getattr__"),
        ("(i for i in ()).gi_frame.f_globals", "object.__getattr__"),
        ("__import__('_socket').socket()", "socket"),
    ],
)
def test_the_audit_hook_stops_what_the_guards_would_have_missed(attempt: str, event: str) -> None:
    code = "import _socket\n" * ("_socket" in attempt) + WALL.format(attempt=attempt)
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert out.stdout.startswith("stopped:"), out.stdout
    assert f"({event}" in out.stdout


LIMITS = """
from symgrad.frontends.trace import locks
import os, socket
locks.cut()
locks.limit(64 << 20, 5)
try:
    {attempt}
except (MemoryError, OSError) as e:
    os.write(1, b"stopped " + type(e).__name__.encode())
else:
    os.write(1, b"through")
"""


@pytest.mark.parametrize("attempt", ["x = [0] * 10**8", "open('/etc/passwd')", "socket.socket()", "os.dup(0)"])
def test_the_limits_hold_by_themselves(attempt: str) -> None:
    out = subprocess.run(
        [sys.executable, "-c", LIMITS.format(attempt=attempt)], check=True, capture_output=True, text=True, timeout=60
    )
    assert out.stdout.startswith("stopped"), out.stdout


def test_the_child_does_not_see_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAD_SECRET", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with Sandbox() as sandbox:
        environment = Path(f"/proc/{sandbox.process.pid}/environ")
        if environment.exists():
            time.sleep(0.1)
            assert b"SECRET" not in environment.read_bytes()
        assert len(sandbox.run("x = 0.5", "s.py").graph) == 1


def test_a_child_that_hangs_before_its_script_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.frontends.sandbox.STARTING", 0.5)
    with Sandbox() as sandbox:
        os.kill(sandbox.process.pid, signal.SIGSTOP)
        with pytest.raises(SymgradError, match="did not start within"):
            sandbox.run("x = 0.5", "s.py")
    assert sandbox.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("timeout", [0.7, 1.1, 1.6])
def test_a_traced_loop_without_end_is_told_with_its_line(timeout: float) -> None:
    """The recorder's own frames come and go fast: it is ended where what it has recorded is whole, and can be used."""
    trace = run_source("x = 0.5\nwhile True:\n    x = x*0.999\n", "s.py", timeout=timeout)
    assert trace.error is not None
    assert (trace.error.kind, trace.error.fatal) == ("time", False)
    assert "does not end" in trace.error.message
    assert trace.error.span is not None
    assert trace.error.span.line in (2, 3)
    assert len(trace.graph) == len(trace.values) > 1000


def test_a_script_that_catches_its_end_is_ended_all_the_same() -> None:
    text = "x = 0.5\nwhile True:\n    try:\n        x = x*0.999\n    except:\n        pass\n"
    trace = run_source(text, "s.py", timeout=0.7)
    assert trace.error is not None
    assert trace.error.kind == "time"


def test_a_call_without_end_is_ended_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.frontends.trace.locks.LEAVING", 0.3)
    with pytest.raises(SymgradError, match="does not end") as caught:
        run_source("x = 0.5\ny = max(iter(int, 1))\n", "s.py", timeout=0.5)
    assert caught.value.span is not None
    assert caught.value.span.line == 2


def test_a_sum_without_end_is_ended_between_two_terms() -> None:
    """In a loop of our own nothing of the script's is running, and nothing is recorded."""
    began = time.monotonic()
    trace = run_source("w = 2.0\ny = w*w\nx = sum([[1]]*10**6, [])\n", "s.py", timeout=0.5)
    assert trace.error is not None
    assert (trace.error.kind, trace.error.span and trace.error.span.line) == ("time", 3)
    assert time.monotonic() - began < 20  # seconds of this machine's, however busy: it was a minute and more


def test_a_long_sum_is_not_nested() -> None:
    """The syntax tree of a sum of n terms is n nodes deep."""
    trace = run_source("x = 0.5\ny = " + " + ".join(["x"] * 5000) + "\n", "s.py")
    assert trace.error is None
    assert sum(step.op == "add" for step in trace.graph.steps) == 4999
    assert trace.values[-1] == 2500.0


def test_a_sum_that_is_too_long_is_refused_and_nothing_breaks() -> None:
    with pytest.raises(SymgradError, match="too deeply to be read, or a formula in it is too long"):
        run_source("x = 0.5\ny = " + " + ".join(["x"] * 100_000) + "\n", "s.py")
    with pytest.raises(SymgradError, match="calls itself too deeply"):
        run_source("def f(x):\n    return f(x) + 1\ny = f(0.5)\n", "s.py")


@pytest.mark.parametrize("watched", [True, False])
def test_a_script_without_end_is_told_with_its_line(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the child's own watchdog, and where that fails by the parent, which asks."""
    if not watched:
        monkeypatch.setattr("symgrad.frontends.sandbox.ENDING", -19.0)
    try:
        trace = run_source("x = 0.5\nfor _ in iter(int, 1):\n    pass\n", "s.py", timeout=1 if watched else 20)
    except SymgradError as e:
        message, span = e.message, e.span
    else:
        assert trace.error is not None
        message, span = trace.error.message, trace.error.span
    assert "does not end" in message
    assert span is not None
    assert span.line in (2, 3)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer(b"{", "", 0, False), SymgradError, "no usable answer"),
        (Answer(b"[]", "", 0, False), SymgradError, "no usable answer"),
        (Answer(b'{"schema": 1}', "", 0, False), SymgradError, "no usable answer"),
        (Answer(b"[" * 100_000, "", 0, False), SymgradError, "no usable answer"),
        (Answer(b"\x80\x04N.", "", 0, False), SymgradError, "no usable answer"),
        (Answer(b"", "", -signal.SIGKILL, False), SymgradError, "brought its process down"),
        (Answer(b"", "", -signal.SIGXCPU, False), SymgradError, "does not end"),
        (Answer(b"", "ModuleNotFoundError: numpy", 1, False), InternalError, "could not be started: ModuleNotFound"),
    ],
)
def test_what_the_child_says_is_checked(answer: Answer, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        _read(answer, "x = 0.5", "s.py", 20.0)


def test_a_long_answer_crosses() -> None:
    made = run_source("x = 0.5\nfor i in range(20000):\n    x = x*0.999 + 0.1\n", "s.py")
    assert isinstance(made, Trace)
    assert len(made.graph) > 40_000


def test_a_file_beside_the_script_is_not_written_and_that_is_said(tmp_path: Path) -> None:
    script = tmp_path / "log.py"
    script.write_text('x = 0.5\nwith open("log.txt", "w") as f:\n    f.write(str(x))\nloss = x**2\ndx = 2*x\n')
    trace = run_file(script)
    assert trace.error is None
    assert [n.message for n in trace.notes] == ["nothing is written to 'log.txt'"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.py"]


@pytest.mark.parametrize("path", ["/tmp/log.txt", "../log.txt", "a/../../log.txt", "~/log.txt"])
def test_anywhere_else_a_write_is_an_error(path: str, tmp_path: Path) -> None:
    script = tmp_path / "log.py"
    script.write_text(f'x = 0.5\nf = open("{path}", "w")\n')
    with pytest.raises(SymgradError) as caught:
        run_file(script)
    assert caught.value.span is not None
    assert caught.value.span.line == 2
