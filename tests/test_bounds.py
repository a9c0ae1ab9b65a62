"""What is left out for speed: readings that cannot win, changes that cannot fit. Nothing comes out otherwise for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.diagnose.deciding import loss
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.walking import changes
from symgrad.diagnose.walking.region import Region
from symgrad.errors import Span
from symgrad.frontends.tracing import trace_source
from symgrad.manual import check_source, lasting, verifying
from symgrad.subjects import choose

ROOT = Path(__file__).parent.parent
SCRIPTS = [
    *sorted((ROOT / "tests" / "benchmarks" / "corpus_scalar").glob("*.py"))[::2],
    ROOT / "examples" / "recurrent_tanh.py",
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_the_reading_that_is_chosen_is_the_best_of_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_source(path.read_text(encoding="utf-8"), path.name)
    found = choose(trace, None, {})
    monkeypatch.setattr(loss, "_may_reach", lambda *_: True)
    plain = choose(trace, None, {})
    assert (found.loss, found.seed) == (plain.loss, plain.seed)
    # A second run of the text, where it is known what was differentiated, is read in the same way.
    assert choose(trace, None, {}, found).loss == found.loss


WRONG_SHAPES = {
    "a row for a column": "dW = np.zeros(3)\nfor t in range(4):\n    dW += g[t]*xs[t]\n",
    "a sum over the wrong axis": "dW = np.zeros((3, 1))\nfor t in range(4):\n    dW += (g[t]*xs[t]).sum()\n",
    "outer the wrong way round": "dW = np.zeros((1, 3))\nfor t in range(4):\n    dW += np.outer(xs[t], g[t])\n",
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_changes_that_cannot_fit_are_none_that_are_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "import numpy as np\nnp.random.seed(3)\nW = np.random.randn(3, 1)\nxs = np.random.randn(4, 1)\n"
        "hs = [W @ x for x in xs]\nloss = sum((h**2).sum() for h in hs)\ng = [2*h for h in hs]\n"
    ) + WRONG_SHAPES[name]
    found = check_source(source, sandbox=False)
    assert [f for f in found.findings if f.root]
    asked: list[bool] = []
    may = Region.may_fit

    def anything(self: Region, sites: tuple[changes.Site, ...]) -> bool:
        asked.append(may(self, sites))
        return True

    monkeypatch.setattr(Region, "may_fit", anything)
    assert check_source(source, sandbox=False).findings == found.findings
    assert asked


def test_texts_that_leave_a_mistake_as_it_is_need_not_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (ROOT / "examples" / "vanilla_rnn.py").read_text(encoding="utf-8")
    found = check_source(source, sandbox=False)
    assert [f.mistake for f in found.findings if f.root] == ["never-assigned", "wrong-shape"]
    asked: list[bool] = []
    stay = lasting.Lasting.stay

    def never(self: lasting.Lasting, span: Span, *, whole: bool) -> bool:
        asked.append(stay(self, span, whole=whole))
        return False

    monkeypatch.setattr(lasting.Lasting, "stay", never)
    assert check_source(source, sandbox=False).findings == found.findings
    assert any(asked)


def test_fixes_are_not_run_where_a_mistake_without_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    stays = verifying.stays

    def never(diagnosis: Diagnosis) -> bool:
        asked.append(stays(diagnosis))
        return False

    for name in ("vanilla_rnn.py", "recurrent_tanh.py", "lstm.py", "attention.py", "batchnorm.py"):
        source = (ROOT / "examples" / name).read_text(encoding="utf-8")
        found = check_source(source, sandbox=False).findings
        with monkeypatch.context() as patched:
            patched.setattr(verifying, "stays", never)
            assert check_source(source, sandbox=False).findings == found, name
    assert any(asked)
    assert not all(asked)
