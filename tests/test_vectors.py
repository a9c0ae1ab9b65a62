"""Values that are told apart by floats: never otherwise than by the balls that they stand for."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.diagnose.deciding import loss
from symgrad.diagnose.observing import recognising
from symgrad.diagnose.observing.match import Index
from symgrad.diagnose.observing.recognising import recognised
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.values.glimpses import still_open
from symgrad.diagnose.values.shaped import Shaped, is_nowhere
from symgrad.diagnose.values.surveys import are_other, run, survey
from symgrad.diagnose.values.vectors import Vec, apply, difference, is_other, quotient
from symgrad.enclosure import precision
from symgrad.frontends.tracing import trace_source
from symgrad.graph import Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.balls import NAN, exact_ball
from symgrad.subjects.chosen import choose
from tests.benchmarks.cases import candidates
from tests.benchmarks.corpus import corpus

NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, 1e-40, 1e-13, -1e35, 1e150]),
    st.floats(-5, 5, allow_nan=False),
    st.floats(-1e12, 1e12, allow_nan=False),
)
POINTS = st.lists(NUMBERS, min_size=4, max_size=4)
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def vec(numbers: list[float]) -> Vec:
    return Vec([exact_ball(Fraction(x)) for x in numbers])


def plain(made: Vec) -> Vec:
    """The same value, of which only the balls are known."""
    return Vec(made.balls)


@settings(max_examples=150, deadline=None)
@given(a=POINTS, b=POINTS, sign=st.sampled_from(sorted(OPERATIONS)), near=st.sampled_from([None, 1.0, 1 + 1e-9, 1.01]))
def test_floats_tell_what_balls_tell(a: list[float], b: list[float], sign: str, near: float | None) -> None:
    with precision(256):
        if near is not None:
            b = [x * near for x in a]
        made = OPERATIONS[sign](vec(a), vec(b))
        right = plain(OPERATIONS[sign](vec(a), vec(b)))
        for k in range(4):
            rough = OPERATIONS[sign](vec(a), vec(b)).rough(k)
            assert math.isnan(rough) or abs(rough - right.floats[k]) <= 1e-8 * abs(right.floats[k])
        assert OPERATIONS[sign](vec(a), vec(b)).is_zero == right.is_zero
        assert OPERATIONS[sign](vec(a), vec(b)).usable == right.usable
        assert OPERATIONS[sign](vec(a), vec(b)).constant() == right.constant()
        for other in (vec(a), vec(b), right, -right):
            assert OPERATIONS[sign](vec(a), vec(b)).same(other) == right.same(plain(other))
            assert other.same(OPERATIONS[sign](vec(a), vec(b))) == plain(other).same(right)
        assert made.floats == right.floats or any(map(math.isnan, made.floats))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.floats(-4, 4), min_size=4, max_size=4), min_size=1, max_size=6), st.data())
def test_nothing_is_missed_by_looking_floats_up(values: list[list[float]], data: st.DataObject) -> None:
    with precision(256):
        index: Index[int] = Index()
        for n, value in enumerate(values):
            index.add(vec(value), n, n)
        one, two = data.draw(st.sampled_from(values)), data.draw(st.sampled_from(values))
        for asked in (vec(one) * vec(two), vec(one) / vec(two), (vec(one) + vec(two)) - vec(two), -vec(one)):
            near = [n for n, value in enumerate(values) if vec(value).same(plain(asked))]
            assert set(index.find(asked)) == set(index.find(plain(asked)))
            nothing = all(not 1e-300 <= abs(x) < math.inf for x in plain(asked).floats[1:])
            assert nothing or set(index.find(asked)) == set(near)


@pytest.mark.parametrize("name", sorted(n for n, op in OPS.items() if not isinstance(op, TensorOp) and op.arity <= 2))
def test_an_op_is_never_taken_for_another_value(name: str) -> None:
    """What is surely another value by floats is another one in balls."""
    for sample in ((0.3, 0.7), (-0.5, 2.0), (1.5, -1.25), (4.0, 3.0), (1e-8, 1e8), (0.0, 1.0), (50.0, 3.0)):
        at = [vec([x, x * 1.1, x * 0.9, x * 1.3]) for x in sample[: OPS[name].arity]]
        with precision(256):
            value = apply(name, at)
            assert not is_other(name, at, plain(value)), sample
            for k in (1, 2):
                rough = apply(name, at).rough(k)
                exact = value.floats[k]
                # Some functions have values in floats that are not proven, such as polygamma(0.3, x).
                assert math.isnan(rough) or math.isnan(exact) or abs(rough - exact) <= 1e-6 * abs(exact), sample
            for other in at:
                assert apply(name, at).same(other) == plain(apply(name, at)).same(other), sample
            assert apply(name, at).usable == plain(apply(name, at)).usable, sample
            assert apply(name, at).is_zero == plain(apply(name, at)).is_zero, sample
            assert apply(name, at).constant() == plain(apply(name, at)).constant(), sample


def test_lost_digits_are_no_rough_value() -> None:
    assert math.isnan(difference(1.0, 1.0 + 1e-9))
    assert math.isnan(quotient(1.0, 0.0))
    assert math.isnan(quotient(math.nan, 1.0))
    assert difference(3.0, 1.0) == 2.0


def every(candidates: list[Subject]) -> Subject | None:
    """The choice among candidates when all of them are walked over to the end."""
    before = loss._may_reach
    loss._may_reach = lambda subject, prior, everything, least: True
    try:
        return loss.best_subject(candidates)
    finally:
        loss._may_reach = before


def test_readings_that_are_given_up_early_would_not_have_been_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    import symgrad.subjects.chosen

    seen: list[tuple[Any, Any]] = []
    choice = loss.best_subject

    def both(candidates: list[Subject]) -> Subject | None:
        fast = choice(candidates)
        for c in candidates:
            c.memo.clear()
        seen.append((fast and fast.loss, (full := every(candidates)) and full.loss))
        return fast

    monkeypatch.setattr(symgrad.subjects.chosen, "best_subject", both)
    some = corpus()[::9]
    texts = [c.source for c in some] + [candidates(c)[len(c.source) % 5][1] for c in some]
    texts.append((Path(__file__).parent.parent / "examples" / "recurrent_tanh.py").read_text(encoding="utf-8"))
    for text in texts:
        choose(trace_source(text, "a.py"), None, {})
    assert len(seen) > 3
    assert all(a == b for a, b in seen)


def test_what_has_no_value_somewhere_is_compared_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inverse of a power has values at some points only; it is looked up by those where it has."""
    values = [[1.0, 1.0 + n / 7, 2.0 + n / 3, 5.0 - n / 11] for n in range(2000)]
    with precision(256):
        index: Index[int] = Index()
        for n, value in enumerate(values):
            index.add(vec(value), n, n)
        asked = Vec([exact_ball(Fraction(1)), NAN, *(exact_ball(Fraction(x)) for x in values[1234][2:])])
        compared = []
        same = Vec.same
        monkeypatch.setattr(Vec, "same", lambda self, other: compared.append(self) or same(self, other))
        assert index.find(asked) == [1234]
        assert len(compared) < 5


CHAINED = ["add", "div", "log", "mul", "neg", "sin", "sqrt", "sub", "tanh"]


@settings(max_examples=300, deadline=None)
@given(
    a=POINTS, b=POINTS, ops=st.lists(st.sampled_from(CHAINED), min_size=1, max_size=6),
    near=st.sampled_from([1.0, 1 + 1e-9, 1.01, -1.0]),
)  # fmt: skip
def test_a_survey_rules_no_right_value_out(a: list[float], b: list[float], ops: list[str], near: float) -> None:
    """However many operations follow one another, and whatever they cancel."""
    with precision(256):
        one, two = vec(a), vec(b)
        made, found = plain(one), survey([one, two])
        fixed = survey([two])
        for name in ops:
            both = OPS[name].arity == 2
            made = plain(apply(name, [made, two] if both else [made]))
            found = run(name, [found, fixed] if both else [found])
        for wanted in (made, plain(made * vec([near] * 4))):
            if made.same(wanted):
                assert not are_other(found, wanted)[0], (ops, made.floats, found)


#: Each step reads the value that is tried (-1), what is fixed (0), or the step before it (1, 2, ...).
LINES = [
    [("matmul", (0, -1))],
    [("mul", (0, -1)), ("tanh", (1,)), ("sub", (2, -1))],
    [("outer", (-1, -1)), ("transpose", (1,)), ("sub", (1, 2)), ("add", (3, 0))],  # cancels
    [("sub", (-1, -1)), ("div", (1, 1))],  # has no value
    [("index", (-1,)), ("mul", (1, 0)), ("amax", (2,))],
]
PARAMS = {
    "transpose": (("axes", (1, 0)),),
    "index": (("spec", (1,)),),
    "amax": (("axis", (0,)), ("keepdims", False)),
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[-1][0])
def test_a_glimpse_rules_no_right_array_out(line: list[tuple[str, tuple[int, ...]]]) -> None:
    """And of those that are not right few are left, whatever their shapes."""
    draws = np.random.default_rng(4)
    shapes = [(3,)] * 9 + [(3, 3)] * 9 + [(2,)] * 3 + [()] * 3
    fixed = {0: Shaped([draws.uniform(-2, 2, (3, 3)) for _ in range(4)])}
    values = [Shaped([draws.uniform(-2, 2, shape) for _ in range(4)]) for shape in shapes]
    steps = [(Step(f"s{i}", op, read, PARAMS.get(op, ())), i, read) for i, (op, read) in enumerate(line, 1)]
    made = []
    for value in values:
        memo: dict[int, Vec] = {**fixed, -1: value}
        for step, i, read in steps:
            memo[i] = apply(step.op, [memo[j] for j in read], step.params)
            if is_nowhere(memo[i]):
                break
        else:
            made.append(memo[len(steps)])
            continue
        made.append(None)
    for wanted in filter(None, made):
        right = {n for n, other in enumerate(made) if other is not None and other.same(wanted)}
        found = set(still_open(steps, fixed, values, wanted))
        assert right <= found
        assert found == right or not wanted.usable or wanted.is_zero or not wanted.shape


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_a_function_that_is_written_out_is_told_by_few_entries(first: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays often begin with zeros, and most functions are 0 or 1 there."""
    draws = np.random.default_rng(2)
    xs = [np.concatenate(([first, first], draws.uniform(-2, 2, 20))) for _ in range(4)]
    asked: list[str] = []
    monkeypatch.setattr(recognising, "apply", lambda name, args: asked.append(name) or apply(name, args))
    for made, name in ((lambda x: 1/(1 + np.exp(-x)), "sigmoid"), (np.tanh, "tanh"), (lambda x: x*np.exp(x), "")):
        asked.clear()
        found = recognised(Shaped(xs), Shaped([made(x) for x in xs]))
        assert (found.name if found is not None else "") == name
        assert set(asked) <= {name}
