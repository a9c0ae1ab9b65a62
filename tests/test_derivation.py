"""A Derivation: closed forms, Hessians, SymPy targets, variables, and the function on torch tensors."""

from __future__ import annotations

import pytest
import sympy as sp
import torch

import symgrad
from symgrad import SymgradError, Unsupported

x, y, z, w = (sp.Symbol(n, real=True) for n in "xyzw")


def equal(a: object, b: object) -> bool:
    """Equal as functions: SymPy proves it, or 30 digits at irrational points do."""
    difference = sp.sympify(a) - sp.sympify(b)
    if sp.simplify(difference) == 0:
        return True
    point = {s: sp.sqrt(n) / 2 for n, s in zip((2, 3, 5, 7), sorted(difference.free_symbols, key=str), strict=False)}
    return bool(abs(difference.subs(point).evalf(30)) < 1e-25)


@pytest.mark.parametrize(
    "expression",
    [x**3, sp.sin(x) * sp.exp(x), sp.tanh(x * sp.tanh(x / 2)), 1 / (1 + sp.exp(-x)), sp.log(1 + x**2),
     sp.sqrt(x**2 + 1), sp.atan(x) / x, sp.erf(x) * sp.cosh(x)],
    ids=str,
)  # fmt: skip
def test_of_a_sympy_expression(expression: sp.Expr) -> None:
    """SymPy's own diff is the witness: our derivative never comes from it."""
    derivation = symgrad.derive(expression)
    assert equal(derivation.expr, sp.diff(expression, x))
    assert equal(derivation.simplified, sp.diff(expression, x))
    assert symgrad.check(expression, at={"x": 0.75}).verdict == "agree"


def test_several_variables_give_a_column() -> None:
    derivation = symgrad.derive("x^2*y + sin(z)")
    assert derivation.variables == ("x", "y", "z")
    assert derivation.expr.shape == (3, 1)
    for found, wanted in zip(derivation.simplified, (2 * x * y, x**2, sp.cos(z)), strict=True):
        assert equal(found, wanted)


def test_wrt() -> None:
    assert equal(symgrad.derive("x^2*y", wrt="y").expr, x**2)
    assert symgrad.derive("x*y", wrt=["y", "x"]).expr == sp.ImmutableMatrix([x, y])
    assert len(symgrad.derive("x*y", wrt=["y", "y"]).entries) == 1
    with pytest.raises(SymgradError, match="cannot differentiate by 'q'") as caught:
        symgrad.derive("x*y", wrt="q")
    assert "x, y" in caught.value.hint
    with pytest.raises(SymgradError, match="did you mean 'weight'"):
        symgrad.derive("weight*2", wrt="wieght")
    with pytest.raises(SymgradError, match="no variable"):
        symgrad.derive("2*pi")


def test_entries() -> None:
    derivation = symgrad.derive("x*y*z", order=2)
    assert derivation["x,z"] is derivation["z,x"]
    with pytest.raises(KeyError):
        derivation["x"]
    with pytest.raises(KeyError):
        symgrad.derive("x")["q"]


HESSIANS = [
    ("x^2 + 3*x*y + y^3", [[2, 3], [3, 6 * y]]),
    ("sin(x*y)", [[-(y**2) * sp.sin(x * y), sp.cos(x * y) - x * y * sp.sin(x * y)], [None, -(x**2) * sp.sin(x * y)]]),
    ("x/y", [[0, -1 / y**2], [None, 2 * x / y**3]]),
    ("exp(x + 2y)", [[sp.exp(x + 2 * y), 2 * sp.exp(x + 2 * y)], [None, 4 * sp.exp(x + 2 * y)]]),
]


@pytest.mark.parametrize(("text", "hessian"), HESSIANS, ids=[h[0] for h in HESSIANS])
def test_hessians(text: str, hessian: list[list[sp.Expr]]) -> None:
    derivation = symgrad.derive(text, order=2)
    found = derivation.simplified
    assert found.shape == (2, 2)
    assert found == found.T
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert equal(found[i, j], hessian[i][j])


def test_second_derivative_of_one_variable_is_no_matrix() -> None:
    assert equal(symgrad.derive("tanh(x)", order=2).expr, sp.diff(sp.tanh(x), x, 2))
    with pytest.raises(SymgradError, match="order must be 1 or 2, not 3"):
        symgrad.derive("x", order=3)


def test_a_closed_form_too_large_is_unsupported_and_steps_remain() -> None:
    derivation = symgrad.derive("x = w;" + "x = tanh(w*x);" * 300)
    with pytest.raises(Unsupported):
        _ = derivation.expr
    with pytest.raises(Unsupported):
        _ = derivation.simplified
    assert len(derivation.steps) > 600
    assert derivation.latex().startswith("\\begin{align*}")
    value = derivation.torch()(torch.tensor([0.5, 1.5]))
    assert torch.isfinite(value).all()


def test_names_and_steps() -> None:
    derivation = symgrad.derive("q = x + y; f = q*z")
    assert derivation.names == ["x", "y", "q", "z", "f"]
    assert [s.name for s in derivation.steps][:3] == ["x", "y", "q"]
    assert all(s.of is None for s in derivation.steps.steps[:5])


# --- on torch tensors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 4), (0,), (2, 0)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_shapes_and_dtypes_are_those_of_the_input(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    given = torch.linspace(-2, 2, max(1, torch.Size(shape).numel())).to(dtype)[: torch.Size(shape).numel()]
    out = symgrad.derive("tanh(x)*x").torch()(given.reshape(shape))
    assert isinstance(out, torch.Tensor)
    assert out.shape == shape
    assert out.dtype == dtype
    assert not out.requires_grad


def test_it_is_the_derivative() -> None:
    """torch's autograd in float64 is the witness; both are good to some 10 ulp here."""
    text = "sigmoid(x)*sin(y) + x^2/y"
    a, b = torch.randn(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64) + 1
    u, v = a.clone().requires_grad_(), b.clone().requires_grad_()
    (torch.sigmoid(u) * torch.sin(v) + u**2 / v).sum().backward()
    dx, dy = symgrad.derive(text).torch()(a, b)
    torch.testing.assert_close(dx, u.grad, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(dy, v.grad, rtol=1e-13, atol=1e-14)


def test_broadcasting() -> None:
    f = symgrad.derive("x*y").torch()
    dx, dy = f(torch.ones(3, 1), torch.arange(4.0))
    assert dx.shape == dy.shape == (3, 4)
    assert torch.equal(dx[0], torch.arange(4.0))
    with pytest.raises(RuntimeError):
        f(torch.ones(3), torch.ones(4))


def test_constant_derivatives_have_the_full_shape() -> None:
    assert torch.equal(symgrad.derive("3x").torch()(torch.zeros(2, 2)), torch.full((2, 2), 3.0))
    dx, dy = symgrad.derive("x + sign(y)").torch()(torch.zeros(2), torch.ones(2))
    assert dx.tolist() == [1, 1]
    assert dy.tolist() == [0, 0]


def test_arguments() -> None:
    f = symgrad.derive("x^2*y").torch()
    assert [float(v) for v in f(3, 5)] == [30, 9]
    assert [float(v) for v in f(3, y=5)] == [30, 9]
    assert [float(v) for v in f(y=5, x=3)] == [30, 9]
    assert f.variables == ("x", "y")
    assert f.labels == ("x", "y")
    for args, kwargs, message in (
        ((1,), {}, "no value for y"),
        ((1, 2, 3), {}, r"takes 2 arguments \(x, y\), not 3"),
        ((1, 2), {"x": 3}, "'x' is given twice"),
        ((1,), {"q": 3}, "there is no variable 'q'"),
    ):
        with pytest.raises(TypeError, match=message):
            f(*args, **kwargs)


def test_a_dtype_asked_for() -> None:
    f = symgrad.derive("x^2").torch(dtype="float32", device="cpu")
    assert f(torch.tensor(3.0, dtype=torch.float64)).dtype == torch.float32
    assert f(3).dtype == torch.float32
    assert symgrad.derive("x^2").torch()(torch.tensor(3)).dtype == torch.float64  # integers have no dtype to keep
    with pytest.raises(SymgradError, match="unknown dtype"):
        symgrad.derive("x").torch(dtype="int8")
    with pytest.raises(SymgradError, match="no device"):
        symgrad.derive("x").torch(device="tpu!")


def test_wrt_keeps_all_arguments() -> None:
    f = symgrad.derive("x^2*y", wrt="y").torch()
    assert float(f(3, 5)) == 9


def test_hessian_on_tensors() -> None:
    f = symgrad.derive("x^2*y^3", order=2).torch()
    assert f.labels == ("x,x", "x,y", "y,y")
    xx, xy, yy = f(torch.tensor([2.0]), torch.tensor([3.0]))
    assert (xx.item(), xy.item(), yy.item()) == (54, 108, 72)


def test_a_requires_grad_tensor_is_read_only() -> None:
    given = torch.tensor(2.0, requires_grad=True)
    assert not symgrad.derive("x^2").torch()(given).requires_grad
    assert given.grad is None
