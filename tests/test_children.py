"""Children from the nursery: fresh ones, as locked in as those that start by themselves, and none when it has gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from symgrad.errors import InternalError, SymgradError
from symgrad.frontends import children, starting
from symgrad.frontends.sandbox import Sandbox, run_source
from symgrad.frontends.trace.nursery import SPARES
from symgrad.frontends.trace.wire import to_json

pytestmark = pytest.mark.skipif(not children.POSSIBLE, reason="children are forked on Linux only")

SCRIPT = "x = 0.5\ny = x*2\n"


def test_the_second_child_costs_no_imports() -> None:
    run_source(SCRIPT, "s.py")
    nursery = children._nursery
    with Sandbox() as one:
        assert isinstance(one.process, children.Child)
        assert one.process.pid != nursery.process.pid  # type: ignore[union-attr]
        assert len(one.run(SCRIPT, "s.py").graph) == 3
    assert children._nursery is nursery
    assert one.process.returncode == 0


def test_each_script_has_a_process_of_its_own() -> None:
    """What one script leaves behind, the next does not find."""
    run_source("import math\nimport numpy as np\nnp.random.seed(7)\nx = 0.5\n", "a.py")
    first = run_source("import numpy as np\nnp.random.seed(1)\nx = float(np.random.rand())\n", "b.py")
    again = run_source("import numpy as np\nnp.random.seed(1)\nx = float(np.random.rand())\n", "b.py")
    assert to_json(first) == to_json(again)


def test_a_child_holds_three_descriptors_and_leads_its_session() -> None:
    with Sandbox() as one, Sandbox() as other:
        pid = one.process.pid
        assert pid != other.process.pid
        held: list[int] = []
        until = time.monotonic() + 20  # a loaded machine lets a new process wait
        while held != [0, 1, 2] and time.monotonic() < until:
            held = sorted(int(n) for n in os.listdir(f"/proc/{pid}/fd"))
            time.sleep(0.01)
        assert held == [0, 1, 2]
        assert os.getsid(pid) == pid
        assert len(one.run(SCRIPT, "s.py").graph) == len(other.run(SCRIPT, "s.py").graph) == 3


def test_many_at_once() -> None:
    found: list[int] = []

    def check(n: int) -> None:
        found.append(len(run_source("x = 0.5\n" + "x = x*2\n" * n, "s.py").bindings))

    threads = [threading.Thread(target=check, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(found) == [n + 1 for n in range(8)]


def test_a_dead_nursery_is_replaced() -> None:
    run_source(SCRIPT, "s.py")
    before = children._nursery
    assert before is not None
    os.kill(before.process.pid, signal.SIGKILL)
    before.process.wait()
    assert len(run_source(SCRIPT, "s.py").graph) == 3
    assert children._nursery is not before


def test_a_nursery_that_dies_takes_its_children_and_the_script_is_run_once_more() -> None:
    with Sandbox() as one:
        assert one.process.pid
        nursery = children._nursery
        assert nursery is not None
        os.kill(nursery.process.pid, signal.SIGKILL)
        nursery.process.wait()
        try:
            trace = one.run(SCRIPT, "s.py")
        except SymgradError:
            return  # it had begun: an end that nobody could explain
        assert len(trace.graph) == 3


def test_what_keeps_a_nursery_from_starting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_path", lambda: ["/nowhere"])
    with pytest.raises(InternalError, match="could not be started"):
        run_source(SCRIPT, "s.py")
    monkeypatch.undo()
    assert len(run_source(SCRIPT, "s.py").graph) == 3


def test_without_fork_everything_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "POSSIBLE", False)
    with Sandbox() as one:
        assert isinstance(one.process, subprocess.Popen)
        assert len(one.run(SCRIPT, "s.py").graph) == 3


def test_nothing_is_left_when_the_caller_has_gone() -> None:
    code = (
        "from symgrad.frontends import children\nfrom symgrad.frontends.sandbox import Sandbox, run_source\n"
        "run_source('x = 0.5', 's.py')\none = Sandbox()\nprint(children._nursery.process.pid, one.process.pid)\n"
        "import os\nos._exit(0)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    for pid in out.stdout.split():
        for _ in range(300):
            stat = Path(f"/proc/{pid}/stat")
            if not stat.exists() or stat.read_text().split(") ")[1][0] == "Z":
                break
            threading.Event().wait(0.02)
        else:
            pytest.fail(f"process {pid} lives on")


def test_a_forked_caller_has_a_nursery_of_its_own() -> None:
    run_source(SCRIPT, "s.py")
    before = children._nursery
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run_source(SCRIPT, "s.py")
            code = 0 if children._nursery is not before else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(run_source(SCRIPT, "s.py").graph) == 3
    assert children._nursery is before


def waiting(used: int = 0) -> int:
    """The first of the children that the nursery has made before it is asked for one; it may take a moment, and so may
    the end of the one that was used."""
    assert children._nursery is not None
    number = children._nursery.process.pid
    found: list[int] = []
    before: list[int] = []
    until = time.monotonic() + 20
    # One that was used may still be there beside the first of the new ones: so it is looked at twice.
    while (len(found) != SPARES or used in found or found != before) and time.monotonic() < until:
        time.sleep(0.1)
        before = found
        with Path(f"/proc/{number}/task/{number}/children").open() as listed:
            found = [int(n) for n in listed.read().split()]
    return found[0]


def test_a_child_waits_for_the_next_script_and_is_used_for_it() -> None:
    run_source(SCRIPT, "s.py")
    pid = waiting()
    with Sandbox() as one:
        assert one.process.pid == pid
        assert os.getsid(pid) == pid
        assert len(one.run(SCRIPT, "s.py").graph) == 3
    assert waiting(used=pid) != pid


def test_a_child_that_died_while_it_waited_is_not_missed() -> None:
    run_source(SCRIPT, "s.py")
    nursery = children._nursery
    os.kill(waiting(), signal.SIGKILL)
    for _ in range(3):
        assert len(run_source(SCRIPT, "s.py").graph) == 3
    assert children._nursery is nursery


def test_what_a_child_rehearses_runs_to_its_end() -> None:
    from symgrad.frontends.trace.child import REHEARSAL
    from symgrad.frontends.tracing import trace_source

    assert trace_source(REHEARSAL).error is None


def test_a_child_rehearses_on_an_idle_core_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from symgrad.frontends.trace.nursery import is_idle

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(100_000))
    assert is_idle()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(0))
    assert not is_idle()
