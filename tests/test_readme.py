"""What the README shows is what happens: its console blocks are run and compared, its Python blocks executed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from symgrad.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
CONSOLE = [body for kind, body in BLOCKS if kind == "console"]
PYTHON = [body for kind, body in BLOCKS if kind == "python"]


def sessions(block: str) -> list[tuple[str, str]]:
    """(command, expected output) for each ``$`` line of a block."""
    out: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            out.append((line[2:], ""))
        else:
            command, text = out[-1]
            out[-1] = (command, text + line + "\n")
    return out


RUNS = [s for block in CONSOLE for s in sessions(block) if s[0].startswith("symgrad ")]


def test_the_first_screen_has_output_and_two_commands() -> None:
    first = "\n".join(README.splitlines()[:75])
    assert "symgrad \"40*tanh(w*tanh(w*0.5))\" --at w=2" in first
    assert ".ci/run" in first
    assert len(RUNS) >= 3


@pytest.mark.parametrize(("command", "expected"), RUNS, ids=[c for c, _ in RUNS])
def test_console(command: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    if "--out" in command:  # what is written is written elsewhere
        (tmp_path / "examples").symlink_to(Path(__file__).parent.parent / "examples")
        monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)[1:]
    code = 0
    if arguments[-2:-1] == ["#"]:
        arguments = arguments[:-2]
    result = CliRunner().invoke(main, arguments)
    assert result.output.rstrip() == expected.rstrip()
    assert result.exit_code in (0, 1, 2), code


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {})
