"""What is left out for speed: readings that cannot win, changes that cannot fit. Nothing comes out otherwise for it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from symgrad.diagnose.deciding import loss, search
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.replay import Result
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text import syntax
from symgrad.diagnose.values import shaped
from symgrad.diagnose.walking import changes
from symgrad.diagnose.walking.region import Region
from symgrad.errors import Span
from symgrad.frontends.tracing import trace_source
from symgrad.manual import check_source, lasting, reworded, verifying
from symgrad.manual.reporting import _ten_digits
from symgrad.subjects.chosen import choose

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
    monkeypatch.setattr(lasting.Lasting, "for_good", property(lambda _: False))
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


def test_a_fix_alone_is_not_run_where_another_result_stays_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    leaves = lasting.leaves_wrong

    def never(subject: Subject, blame: Blame) -> bool:
        asked.append(leaves(subject, blame))
        return False

    both = "    dscores /= num_train\n", "    dW = X.T.dot(dscores)\n"
    softmax = (ROOT / "tests" / "benchmarks" / "corpus_tensor" / "softmax_vectorized.py").read_text(encoding="utf-8")
    assert both[0] + both[1] in softmax
    texts = {
        # Two mistakes, one of which leads to the only result; and two that have nothing to do with one another.
        "the order, and an entry": softmax.replace(both[0] + both[1], both[1] + both[0]).replace("] -= 1", "] = 1"),
        "the example": (ROOT / "examples" / "vanilla_rnn.py").read_text(encoding="utf-8"),
    }
    for name, source in texts.items():
        found = check_source(source, sandbox=False).findings
        with monkeypatch.context() as patched:
            patched.setattr(reworded, "leaves_wrong", never)
            assert check_source(source, sandbox=False).findings == found, name
    assert any(asked)


def test_a_few_entries_tell_no_arrays_apart_that_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    plain = random.standard_normal((3, 40, 50)) * 10.0 ** random.integers(-9, 9, (3, 40, 50))
    pairs = []
    for size in (0.0, 1e-9, 3e-7, 1e-6, 3e-6, 1e-5):
        for where in (slice(None), slice(17, 18), slice(0, 1)):
            other = plain.copy()
            other[:, :, where] *= 1 + size * random.uniform(-1, 1, other[:, :, where].shape)
            pairs.append((shaped.Shaped.of(plain), shaped.Shaped.of(other)))
    pairs.append((shaped.Shaped.of(plain), shaped.Shaped.of(np.where(plain > 1e8, np.nan, plain))))
    found = [a.same(b) for a, b in pairs]
    asked: list[bool] = []
    apart = shaped.are_apart

    def never(*args: object) -> bool:
        asked.append(apart(*args))
        return False

    monkeypatch.setattr(shaped, "are_apart", never)
    assert [a.same(b) for a, b in pairs] == found
    assert any(found)
    assert any(asked)


def test_ten_digits_are_those_that_would_be_written() -> None:
    random = np.random.default_rng(6)
    some = random.standard_normal(500) * 10.0 ** random.integers(-280, 280, 500)
    some = np.concatenate([some, [0.0, np.inf, -np.inf, np.nan, 1000.0, 1.7e308, 999.99999999999]])
    for factor in (1 + 1e-15, 1 + 1e-10, 1 + 1e-9, -1.0):
        for a in some:
            alike = f"{a:.10g}" == f"{a * factor:.10g}" or (a == 0 and factor < 0)
            digits = _ten_digits(np.array([a])), _ten_digits(np.array([a * factor]))
            assert np.array_equal(*digits, equal_nan=True) == alike, (a, factor)


def test_lines_that_leave_a_result_wrong_need_not_be_suspected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (ROOT / "examples" / "vanilla_rnn.py").read_text(encoding="utf-8")
    found = check_source(source, sandbox=False).findings
    left_out: list[int] = []
    leading = search.Search._leading_to_all

    def all_of_them(self: search.Search, sites: Sequence[int], wrong: Sequence[Result]) -> list[int]:
        left_out.append(len(sites) - len(leading(self, sites, wrong)))
        return list(sites)

    monkeypatch.setattr(search.Search, "_leading_to_all", all_of_them)
    assert check_source(source, sandbox=False).findings == found
    assert any(left_out)


def test_a_text_is_read_once() -> None:
    assert syntax.nodes("x = 1\ny = x") is syntax.nodes("x = 1\ny = x")
    assert [type(n).__name__ for n in syntax.nodes("x = 1")][:2] == ["Module", "Assign"]
    assert syntax.nodes("x = ") == ()
    assert syntax.module("x = ") is None
    assert isinstance(syntax.module(""), ast.Module)
