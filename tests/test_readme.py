"""What the README and docs/ show is what happens: console blocks are run and compared, Python blocks executed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from symgrad.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    found
    for page in PAGES
    for found in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    assert links
    for path, heading in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        titles = re.findall(r"^#+ (.*)", target.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}, heading


def test_the_readme_leads_to_every_page() -> None:
    assert all(f"](docs/{page.name})" in README for page in PAGES[1:])


@pytest.mark.parametrize(("command", "expected"), RUNS, ids=[c for c, _ in RUNS])
def test_console(command: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    if "--out" in command:  # what is written is written elsewhere
        (tmp_path / "examples").symlink_to(ROOT / "examples")
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
    exec(compile(block, "<block>", "exec"), {})
