"""Start-up: what each use may import, and when something heavy creeps in, through which module, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

#: A use of symgrad -> the modules that it has no need of.
LIGHT = {
    "import symgrad": "torch sympy numpy flint lark rich click nbformat",
    "from symgrad.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass": "torch sympy numpy flint lark rich",
    "from symgrad.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass": "torch sympy numpy flint lark",
    "import symgrad\nd = symgrad.derive('x*tanh(x)')\nd.simplified, d.latex(), symgrad.check('x*y').explain()": (
        "torch nbformat jsonschema"
    ),
    f"import symgrad\nfor name in 'recurrent_tanh.py', 'homework.ipynb':\n"
    f"    symgrad.check({str(EXAMPLES)!r} + '/' + name).explain()": "torch sympy nbformat jsonschema",
    "import symgrad.ops, symgrad.grading.worker, symgrad.grading.one, symgrad.grading.truth": "torch sympy",
    "import symgrad\nsymgrad.check('x*y', at='x=1,y=2').explain()": (
        "torch._dynamo torch._inductor nbformat jsonschema jax matplotlib pandas"
    ),
    "import symgrad, torch\nsymgrad.derive('x*x').torch()(torch.ones(9000))": "torch._dynamo torch._inductor jax",
}

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")


@dataclass(frozen=True)
class Import:
    """A module that was imported: its time with all that it imported, and the chain of those that asked for it."""

    name: str
    milliseconds: float
    chain: tuple[str, ...]


@cache
def imports(code: str) -> dict[str, Import]:
    """Every module that a piece of code imports, by name, in a process of its own."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Import] = {}
    # A line comes when its import is done, after those of all that it imported: from the end, importers stand first.
    above: list[tuple[int, str]] = []
    for line in reversed(done.stderr.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        depth, name = len(match[3]), match[4]
        while above and above[-1][0] >= depth:
            above.pop()
        found[name] = Import(name, int(match[2]) / 1000, tuple(n for _, n in above))
        above.append((depth, name))
    return found


def offence(found: dict[str, Import], heavy: str) -> str:
    """How the modules that are not wanted came in, in words; empty where none did."""
    lines = []
    for name in heavy.split():
        if name in found:
            one = found[name]
            ours = [m for m in one.chain if m.startswith("symgrad")]
            blamed = ours[-1] if ours else (one.chain[0] if one.chain else "the code itself")
            lines.append(f"{blamed} imports {name} ({one.milliseconds:.0f} ms): {' -> '.join((*one.chain, name))}")
    return "\n".join(lines)


@pytest.mark.parametrize("code", LIGHT, ids=[c.splitlines()[-1][:50] for c in LIGHT])
def test_nothing_heavy_is_imported(code: str) -> None:
    problem = offence(imports(code), LIGHT[code])
    assert not problem, problem


def test_the_offender_is_named() -> None:
    found = imports("import symgrad.symbolic.closed")
    assert "sympy" in found
    words = offence(found, "sympy torch")
    (line,) = words.splitlines()
    blamed = line.split(" imports sympy (")[0]
    source = Path(__file__).parent.parent / Path(*blamed.split(".")).with_suffix(".py")
    assert "sympy" in source.read_text(encoding="utf-8"), line
    assert "symgrad.symbolic.closed -> " in line


def test_importing_symgrad_is_a_fraction_of_the_interpreters_start() -> None:
    """By the interpreter's own account, in modules: seconds would depend on the machine's load."""
    found = imports("import symgrad")
    ours = [name for name, one in found.items() if name.startswith("symgrad") or any("symgrad" in c for c in one.chain)]
    assert len(ours) <= 60, ours
