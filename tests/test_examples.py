"""Every file in examples/ runs, in a process of its own namespace, and says what it promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from symgrad.diagnosing import check_file

#: Of scripts with arrays: the lines that must be blamed, each with the kinds of mistake that describe it; nothing else.
VERDICTS: dict[str, dict[int, set[str]]] = {
    "affine_chain.py": {},
    "matmul_upstream.py": {},
    "softmax_cross_entropy.py": {19: {"wrong-formula", "missing-term"}},
    "batchnorm.py": {27: {"missing-term"}},
    "lstm.py": {37: {"wrong-variable", "wrong-time-step", "input-for-output"}},
    "attention.py": {25: {"missing-factor", "scale"}},
    "custom_function.py": {18: {"input-for-output"}},
    "vanilla_rnn.py": {32: {"never-assigned"}, 38: {"wrong-shape"}},
}
#: What is not diagnosed like this yet, and why.
OPEN: dict[str, str] = {}

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 14


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_example(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    """The mistakes that stand in the example, in their lines, and no other."""
    if name in OPEN:
        pytest.xfail(OPEN[name])
    report = check_file(Path(__file__).parent.parent / "examples" / name)
    found = {f.line or 0: f.mistake for f in report.findings if f.root}
    assert found.keys() == VERDICTS[name].keys(), report.explain()
    for line, kinds in VERDICTS[name].items():
        assert found[line] in kinds, report.explain()
    assert report.exit_code == (1 if found else 0)
