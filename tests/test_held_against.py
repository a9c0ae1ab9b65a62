"""What many values are held against is prepared once: what comes of it is what comes of comparing them one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symgrad.diagnose.effects.edits import Check
from symgrad.diagnose.effects.partly import Gain
from symgrad.diagnose.trying.trials import close
from symgrad.diagnose.values.closeness import REST, Multiples, is_multiple, is_near, signature
from symgrad.diagnose.values.shaped import Shaped
from symgrad.diagnose.values.vectors import TOLERANCE
from symgrad.manual import check_source, hidden, work


def _arrays(shape, seed):
    rng = np.random.default_rng(seed)
    right = rng.normal(size=shape)
    some = right.copy()
    some.flat[: some.size // 2] *= -1
    odd = right.copy()
    odd.flat[-1] = math.nan
    large = right.copy()
    large.flat[0] = math.inf
    moved = right * (1 + 1e-13)
    return right, [right.copy(), moved, some, odd, large, right + 1e-3, np.zeros(shape), 3 * right, right * 1e200]


def _plainly_near(a, b):
    larger = np.maximum(np.abs(a), np.abs(b))
    scale = float(larger.max())
    return bool(np.isfinite(scale)) and bool((np.abs(a - b) <= TOLERANCE * larger + REST * max(scale, 1.0)).all())


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 2)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_near_is_what_it_is_entry_by_entry(shape):
    right, tried = _arrays(shape, 1)
    for a in tried:
        assert is_near(a, right) == _plainly_near(a, right)
        assert is_near(a.T, right.T) == _plainly_near(a, right)
    assert is_near(right, right)
    assert not is_near(right + 1, right)


@pytest.mark.parametrize("shape", [(7,), (3, 4)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_multiples_of_one_array(shape):
    right, tried = _arrays(shape, 2)
    of = Multiples(right)
    assert [of.has(a) for a in tried] == [is_multiple(a, right) for a in tried]
    assert of.has(-2 * right)
    assert not of.has(right + 1)
    assert not of.has(right.ravel()[:1])
    assert not Multiples(np.ones(1)).has(np.ones(1))  # of one number everything is a multiple
    assert not Multiples(np.empty(0)).has(np.empty(0))


def test_gained_is_of_the_array_that_it_was_before():
    right = np.arange(1.0, 11.0)
    gain = Gain(right)
    before, better = np.full(10, 20.0), right.copy()
    better[:4] = 20.0
    assert gain.of(before, better) == pytest.approx(0.6)
    assert gain.of(before, before) == 0.0
    # What was right and is lost counts against it, whatever was asked before.
    half = right.copy()
    half[:5] = 20.0
    other = right.copy()
    other[5:8] = 20.0
    assert gain.of(half, other) == pytest.approx((5 - 3) / 5)
    assert gain.of(before, better) == pytest.approx(0.6)
    assert gain.of(before, np.zeros(10)) == 0.0
    assert gain.of(before, better.reshape(2, 5)) == 0.0


def test_a_value_in_between_is_right_in_any_shape_and_a_result_in_its_own():
    right = np.arange(6.0).reshape(2, 3)
    assert Check(1, (right,), is_result=False).is_right(right.ravel())
    assert not Check(1, (right,), is_result=True).is_right(right.ravel())
    assert not Check(1, (right,), is_result=False).is_right(right + 1)
    assert Check(1, (right + 5, right), is_result=True).is_multiple(2 * right)


@pytest.mark.parametrize("wanted", [[1.0], [1.0, 2.0, 3.0], [math.nan, 2.0, 2.0, 4.0], [math.inf, 1.0, 2.0]])
def test_close_to_one_of_several(wanted):
    values = np.array([1.0, 2.0 * (1 + 1e-15), 2.1, math.nan, math.inf, -1.0, 0.0])
    with np.errstate(all="ignore"):
        each = [close(values, [x]) for x in wanted]
        assert close(values, wanted).tolist() == np.logical_or.reduce(each).tolist()
        assert [bool(close(float(v), wanted)) for v in values] == close(values, wanted).tolist()


def test_one_point_is_what_it_is_among_several():
    a = np.arange(6.0).reshape(2, 3)
    one = Shaped.at_one(a)
    assert (one.points, one.shape, one.floats) == (1, (2, 3), (signature(a),))
    assert one.same_at_user(Shaped([a]))


#: Two mistakes in numbers: the fix that is told first is not all that is wrong, so that the mended text is asked for
#: by more than one.
_TWO = """
x, w, b, t = 0.7, 1.3, -0.4, 0.2
z = w * x + b
a = z ** 2
loss = (a - t) ** 2
da = 3 * (a - t)
dz = da * z * z
dw = dz * x
db = dz
"""


def test_a_text_with_its_fixes_is_diagnosed_once(monkeypatch):
    asked = []
    diagnose = work.diagnose
    monkeypatch.setattr(work, "diagnose", lambda subject, **more: asked.append(subject) or diagnose(subject, **more))
    report = check_source(_TWO, sandbox=False)
    assert {f.line for f in report.findings if f.root} <= {6, 7}
    assert any(f.root for f in report.findings)
    assert all(a != b for n, a in enumerate(asked) for b in asked[:n])


def test_a_fix_that_is_what_stands_there_makes_no_other_program():
    assert hidden._is_same("a = (b) * c", "a = b * c")
    assert not hidden._is_same("a = b * c", "a = c * b")
    assert not hidden._is_same("a = (b", "a = (b")
