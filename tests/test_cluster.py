"""Grading on Dask: a real scheduler and two worker processes on loopback, one of which is killed in the midst."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from symgrad.cli import main
from symgrad.errors import SymgradError
from symgrad.grading import cluster
from symgrad.grading.cluster import connected
from symgrad.grading.running import grade_folder
from tests.homework import HOMEWORK, assignment
from tests.test_grading import content, many

ROOT = Path(__file__).parent.parent


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The scheduler's address, and its two workers."""
    pytest.importorskip("distributed", reason="Dask is an optional extra: pip install 'symgrad[dask]'")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "30s"}
    place = tmp_path / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *options]
        started.append(subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.DEVNULL))

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(place))
        deadline = time.monotonic() + 60
        while not place.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = str(json.loads(place.read_text())["address"])
        for name in ("one", "two"):
            start("worker", address, "--nthreads", "1", "--no-nanny", "--name", name, "--host", "127.0.0.1",
                  "--local-directory", str(tmp_path / name))  # fmt: skip
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def test_nothing_is_lost_with_a_worker(dask: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path) -> None:
    address, workers = dask
    many(tmp_path / "in", 12)
    killed: list[int] = []

    def kill(done: int, reused: int, whole: int) -> None:
        if done >= 3 and not killed:
            killed.append(done)
            workers[0].kill()

    with connected(address) as (executor, _):
        found = grade_folder(
            tmp_path / "in", assignment(), tmp_path / "out", executor=executor, jobs=2, progress=kill
        )  # fmt: skip
    assert killed
    assert workers[0].wait(30) != 0
    assert workers[1].poll() is None
    assert found.exit_code == 0
    assert len(found.documents) == 12
    grade_folder(tmp_path / "in", assignment(), tmp_path / "here", jobs=1)
    assert content(tmp_path / "out") == content(tmp_path / "here")
    arguments = ["grade", str(tmp_path / "in"), "--assignment", str(HOMEWORK / "hw.toml"), "--out",
                 str(tmp_path / "out"), "--scheduler", address]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "12 by an earlier run" in result.stdout


def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="Dask is an optional extra")
    monkeypatch.setattr(cluster, "CONNECTING", 1)
    with pytest.raises(SymgradError, match="--scheduler"), connected("tcp://127.0.0.1:1"):
        pass


def test_dask_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SymgradError, match="needs Dask"), connected("local"):
        pass
