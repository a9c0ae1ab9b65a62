"""The cases that this project grew from, each at its point, with every witness."""

from __future__ import annotations

import math

import pytest

import symgrad

SEEDS = [
    ("x", "x=5", {"x": 1}),
    ("x^2", "x=3", {"x": 6}),
    ("x^2+x^3", "x=3", {"x": 33}),
    ("sigmoid(x^2)+tanh(x^3)", "x=3", {"x": 0.00074027609859}),
    ("tanh(x+sigmoid(x^2))", "x=3", {"x": 0.0013422743525}),
    ("f=(x+y)z", "x=-2,y=5,z=-4", {"x": -4, "y": -4, "z": 3}),
    ("x*y", "x=4,y=-3", {"x": -3, "y": 4}),
    ("(x+sigmoid(y))/(sigmoid(x)+(x+y)^2)", "x=3,y=-4", {"x": 2.05956979557216, "y": 1.59223275148381}),
    ("(y - x^2)^2", "x=1,y=10", {"x": -36, "y": 18}),
    ("w*x+b", "w=2,x=3,b=1", {"w": 3, "x": 2, "b": 1}),
    ("h1 = w*h0; h2 = w*h1", "w=3,h0=5", {"w": 30, "h0": 9}),
    ("40*tanh(w*tanh(w*0.5))", "w=2", {"w": 8.18880816832867}),
]


@pytest.mark.parametrize(("text", "at", "expected"), SEEDS, ids=[s[0] for s in SEEDS])
def test_seed(text: str, at: str, expected: dict[str, float]) -> None:
    report = symgrad.check(text, at=at)
    assert report.verdict == "agree"
    assert report.exit_code == 0
    assert {g.wrt for g in report.gradients} == set(expected)
    for name, value in expected.items():
        gradient = report[name]
        assert float(gradient.exact) == pytest.approx(value, rel=2e-11)
        assert set(gradient.witnesses) == {"symbolic", "autograd", "backward"}
        for witness in gradient.witnesses.values():
            assert witness.value == pytest.approx(value, rel=1e-9)
            assert witness.difference <= witness.bound


def test_sigmoid_neuron() -> None:
    """CS231n's neuron: the gradients are s(1-s) times the inputs."""
    report = symgrad.check("1/(1+exp(-(w0*x0+w1*x1+w2)))", at={"w0": 2, "w1": -3, "w2": -3, "x0": -1, "x1": -2})
    s = 1 / (1 + math.exp(-1.0))
    slope = s * (1 - s)
    expected = {"w0": -1 * slope, "w1": -2 * slope, "w2": slope, "x0": 2 * slope, "x1": -3 * slope}
    assert report.verdict == "agree"
    for name, value in expected.items():
        assert float(report[name].exact) == pytest.approx(value, rel=1e-14)


def test_rounding_is_no_mistake_and_is_located() -> None:
    """allclose calls autograd's 1.6689e-05 wrong; it is rounding, and it happens in the sigmoid."""
    report = symgrad.check("sigmoid(x^2+z)+tanh(x^3 z^2)", at="x=3,z=2", dtype="float32")
    dz = report["z"]
    assert report.verdict == "rounding"
    assert report.exit_code == 0
    assert float(dz.exact) == pytest.approx(1.670114291046e-05, rel=1e-12)
    assert dz.witnesses["autograd"].value == pytest.approx(1.6689e-05, rel=1e-4)
    assert dz.witnesses["autograd"].verdict == "rounding"
    sigmoid = next(s for s in report.steps if s.formula.startswith("sigmoid"))
    assert dz.witnesses["autograd"].lost_at == sigmoid.name
    assert dz.witnesses["symbolic"].verdict == "agree"


@pytest.mark.parametrize(
    ("w", "dtype", "ulp", "truth"),
    [(20, "float64", 2.0**-103, 6.797368461695949965e-16), (10, "float32", 2.0**-45, 3.306539464748e-07)],
)
def test_where_autograd_cancels_to_zero_the_derivative_is_still_found(
    w: float, dtype: str, ulp: float, truth: float
) -> None:
    report = symgrad.check("40*tanh(w*tanh(w*0.5))", at={"w": w}, dtype=dtype)
    witnesses = report["w"].witnesses
    assert witnesses["autograd"].value == 0
    assert witnesses["autograd"].verdict == "rounding"
    assert abs(witnesses["symbolic"].value - truth) <= 8 * ulp
    assert witnesses["symbolic"].verdict == "agree"
    assert report.verdict == "rounding"
