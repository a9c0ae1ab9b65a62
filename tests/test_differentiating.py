"""Scripts that hold their own derivative against ``jax.grad``, ``torch.func``, HIPS autograd or SciPy's optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy
import torch

import symgrad
from symgrad.frontends.tracing import trace_source
from tests.slips import found, passes


def value(script: str, name: str) -> Any:
    """What a name holds when a script that must run to its end has done so."""
    made = trace_source(script, "script.py")
    assert made.error is None, made.error
    made.graph.verify()
    return made.values[[b.step for b in made.bindings if b.name == name][-1]]


# --- the numbers that a script gets are those of the library ----------------------------------------------------------


def of_torch(x: torch.Tensor) -> torch.Tensor:
    total = torch.tanh(x).sum() * x[0] + (x**3).sum() / x.norm()
    return total + torch.logsumexp(x, 0) + (x[:2] @ x[1:]) * torch.exp(-x[2])


TEXT = """\
{start}
def f(x):
    total = {m}.tanh(x).sum() * x[0] + (x**3).sum() / {norm}(x)
    return total + {lse}(x) + (x[:2] @ x[1:]) * {m}.exp(-x[2])
x = {array}([0.3, -0.8, 1.1])
found = {call}
"""
LIBRARIES = {
    "jax": ("import jax, jax.numpy as np\nfrom jax.scipy.special import logsumexp", "np", "np.linalg.norm", "np.array"),
    "autograd": (
        "import autograd.numpy as np\nfrom autograd import grad, jacobian, hessian\n"
        "from autograd.scipy.special import logsumexp", "np", "np.linalg.norm", "np.array",
    ),
    "torch": (
        "import torch\nfrom torch.func import grad, jacrev, hessian\nfrom torch import logsumexp as lse\n"
        "logsumexp = lambda x: lse(x, 0)", "torch", "torch.norm", "torch.tensor",
    ),
}  # fmt: skip
CALLS: list[tuple[str, str, Callable[[torch.Tensor], Any]]] = [
    ("jax", "jax.grad(f)(x)", torch.func.grad(of_torch)),
    ("jax", "jax.value_and_grad(f)(x)[1]", torch.func.grad(of_torch)),
    ("jax", "jax.jit(jax.hessian(f))(x)", torch.func.hessian(of_torch)),
    ("jax", "jax.jacfwd(jax.jacrev(f))(x)", torch.func.hessian(of_torch)),
    ("jax", "jax.vjp(f, x)[1](2.0)[0]", lambda x: 2 * torch.func.grad(of_torch)(x)),
    ("jax", "jax.grad(lambda y: f(y) * x[1])(x)", lambda x: x[1] * torch.func.grad(of_torch)(x)),
    ("autograd", "grad(f)(x)", torch.func.grad(of_torch)),
    ("autograd", "jacobian(grad(f))(x)", torch.func.hessian(of_torch)),
    ("torch", "grad(f)(x)", torch.func.grad(of_torch)),
    ("torch", "torch.autograd.functional.hessian(f, x)", torch.func.hessian(of_torch)),
    ("torch", "jacrev(lambda x: torch.outer(x, x) @ x)(x)", torch.func.jacrev(lambda x: torch.outer(x, x) @ x)),
]


@pytest.mark.parametrize(("library", "call", "witness"), CALLS, ids=[f"{a}: {b}" for a, b, _ in CALLS])
def test_the_numbers_are_torchs(library: str, call: str, witness: Callable[[torch.Tensor], Any]) -> None:
    start, m, norm, array = LIBRARIES[library]
    text = TEXT.format(start=start, m=m, norm=norm, array=array, lse="logsumexp", call=call)
    want = witness(torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64))
    np.testing.assert_allclose(value(text, "found"), want.numpy(), rtol=1e-12, atol=1e-14)


def test_derivatives_of_derivatives_of_numbers_are_sympys() -> None:
    w = sympy.Symbol("w")
    f = 40 * sympy.tanh(w * sympy.tanh(w / 2))
    text = "import jax\nimport jax.numpy as jnp\nw = 0.7\nf = lambda w: 40 * jnp.tanh(w * jnp.tanh(w / 2))\n"
    nested = "f"
    for order in (1, 2, 3):
        nested = f"jax.grad({nested})"
        want = float(sympy.diff(f, w, order).subs(w, sympy.Rational(7, 10)))
        assert value(f"{text}found = {nested}(w)\n", "found") == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(
    ("script", "want"),
    [
        ("from jax import vmap, grad\nxs = jnp.linspace(0.0, 1.0, 5)\nfound = vmap(grad(jnp.sin))(xs)",
         np.cos(np.linspace(0, 1, 5))),
        ("x = jnp.arange(4.0)\ny = 1.0 * x\nfound = y.at[jnp.array([1, 1])].add(5.0) - y.at[0].set(9.0)",
         [-9.0, 10.0, 0.0, 0.0]),
        ("from jax import lax\nw = jnp.array([0.5, 2.0])\n"
         "found = lax.scan(lambda c, x: (c * x, c + x), 1.0, w)[1]", [1.5, 2.5]),
        ("from jax import lax\nfound = lax.fori_loop(0, 3, lambda i, c: c * 2.0, jnp.array([1.0, 2.0]) * 1.0)",
         [8.0, 16.0]),
        ("from jax import grad, lax\nw = 3.0\nfound = grad(lambda w: w * lax.stop_gradient(w**2))(w)", 9.0),
        ("from jax import grad\np = {'a': jnp.array([1.0, 2.0]), 'b': [3.0]}\n"
         "found = grad(lambda p: (p['a'] * p['b'][0]).sum())(p)['a']", [3.0, 3.0]),
        ("from jax import jvp\nx = jnp.array([1.0, 2.0])\n"
         "found = jvp(lambda x: x**2, (x,), (jnp.array([1.0, -1.0]),))[1]", [2.0, -4.0]),
        ("import jax\nx = jnp.array([[1.0, 2.0]])\nfound = jax.nn.softmax(x, axis=-1)[0] * 1.0",
         [1 / (1 + np.e), np.e / (1 + np.e)]),
    ],
)  # fmt: skip
def test_what_is_jaxs_own(script: str, want: Any) -> None:
    np.testing.assert_allclose(value(f"import jax.numpy as jnp\n{script}\n", "found"), want, rtol=1e-12)


TWICE = """\
import torch, math
x = torch.tensor(0.7, requires_grad=True)
y = torch.sin(x) * torch.exp(-x**2)
(g,) = torch.autograd.grad(y, x, create_graph=True)
(h,) = torch.autograd.grad(g, x)
"""


def test_each_of_two_derivatives_is_held_against_its_own() -> None:
    second = "mine_second = math.exp(-a**2) * ((4*a**2 - 3)*math.sin(a) - 4*a*math.cos(a))\n"
    source = (
        f"{TWICE}a = x.item()\nmine_first = math.cos(a)*math.exp(-a**2) - 2*a*math.sin(a)*math.exp(-a**2)\n{second}"
        "print(g.item(), mine_first)\nprint(h.item(), mine_second)\n"
    )
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert {"mine_first", "mine_second"} <= set(report.confirmed)
    wrong = symgrad.check(source.replace("4*a**2 - 3", "4*a**2 - 2"))
    assert [f.span.line for f in wrong.findings if f.root and f.span] == [8], wrong.explain()


def test_torchs_second_derivatives() -> None:
    x = sympy.Symbol("x")
    f = sympy.sin(x) * sympy.exp(-(x**2))
    for name, order in (("g", 1), ("h", 2)):
        assert value(TWICE, name) == pytest.approx(float(sympy.diff(f, x, order).subs(x, 0.7)), rel=1e-12)
    made = trace_source(f"{TWICE}loss = y + (g**2 - 1)**2\nloss.backward()\n", "script.py")
    assert made.error is not None
    assert "create_graph=True" in made.error.message


def test_a_gradient_of_no_scalar_is_refused_where_it_is_asked_for() -> None:
    made = trace_source("import jax\nx = jax.numpy.ones(3) * 0.5\ng = jax.grad(lambda x: x * 2)(x)\n", "script.py")
    assert made.error is not None
    assert "scalar-output" in made.error.message
    assert made.error.span is not None
    assert made.error.span.line == 3


# --- what is held against them is judged ------------------------------------------------------------------------------

JAX = """\
import jax
import jax.numpy as jnp
from jax import grad, random
def loss(params, x, y):
    w, b = params
    p = jax.nn.sigmoid(x @ w + b)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))
@jax.jit
def by_hand(params, x, y):
    w, b = params
    p = jax.nn.sigmoid(x @ w + b)
    return x.T @ (p - y) / len(y), (p - y).mean()
key = random.PRNGKey(0)
x, y = random.normal(key, (8, 3)), random.bernoulli(key, 0.5, (8,)) * 1.0
params = (jnp.array([0.1, 0.2, -0.3]), jnp.array(0.05))
for a, m in zip(grad(loss)(params, x, y), by_hand(params, x, y)):
    assert jnp.allclose(a, m)
"""
RULE = """\
import jax
import jax.numpy as jnp
@jax.custom_vjp
def softplus(x):
    return jnp.log(1 + jnp.exp(x))
def forward(x):
    return softplus(x), x
def backward(x, g):
    return (g * (1 - 1 / (1 + jnp.exp(x))),)
softplus.defvjp(forward, backward)
w = 0.4
print(jax.grad(lambda w: softplus(w)**2)(w))
"""
JACOBIAN = """\
import torch
from torch.autograd.functional import jacobian
def softmax(z):
    e = torch.exp(z)
    return e / e.sum()
z = torch.tensor([0.2, -0.4, 1.1])
s = softmax(z)
print(torch.allclose(jacobian(softmax, z), torch.diag(s) - torch.outer(s, s)))
"""
HESSIAN = """\
import jax, jax.numpy as jnp
def f(x):
    return jnp.sum(x**3) + x[0] * x[1]
def hess(x):
    H = jnp.diag(6 * x)
    return H.at[0, 1].add(1.0).at[1, 0].add(1.0)
x = jnp.array([1.0, 2.0, 3.0])
assert jnp.allclose(jax.hessian(f)(x), hess(x))
"""
ROSEN = """\
import numpy as np
from scipy.optimize import check_grad, minimize
def rosen(x):
    return 100*(x[1] - x[0]**2)**2 + (1 - x[0])**2
def rosen_der(x):
    der = np.zeros_like(x)
    der[0] = -400*x[0]*(x[1] - x[0]**2) - 2*(1 - x[0])
    der[1] = 200*(x[1] - x[0]**2)
    return der
x0 = np.array([-1.2, 1.0])
print(check_grad(rosen, rosen_der, x0))
print(minimize(rosen, x0, jac=rosen_der, method="BFGS").x)
"""
RIDGE = """\
import numpy as np
from scipy.optimize import minimize
def objective(w, X, y, lam):
    r = X @ w - y
    return 0.5 * r @ r + 0.5 * lam * w @ w, X.T @ r + lam * w
rng = np.random.default_rng(0)
X, y = rng.normal(size=(10, 3)), rng.normal(size=10)
print(minimize(objective, np.zeros(3), args=(X, y, 0.1), jac=True).fun)
"""
FITTED = """\
import numpy as np
from scipy.optimize import curve_fit
def model(t, a, tau):
    return a * np.exp(-t / tau)
def jac(t, a, tau):
    e = np.exp(-t / tau)
    return np.stack([e, a * t / tau**2 * e], axis=1)
t = np.linspace(0, 5, 20)
p, cov = curve_fit(model, t, model(t, 2.0, 1.5), p0=[1.0, 1.2], jac=jac)
"""
NEWTON = """\
import math
from scipy.optimize import newton
def f(E, M=1.2, e=0.3):
    return E - e * math.sin(E) - M
def fprime(E, M=1.2, e=0.3):
    return 1 - e * math.cos(E)
print(newton(f, 1.0, fprime=fprime))
"""
UNNAMED = """\
import torch
import torch.nn.functional as F
logits = torch.randn(6, 4, requires_grad=True)
target = torch.tensor([0, 1, 2, 3, 1, 2])
F.cross_entropy(logits, target).backward()
p = F.softmax(logits.detach(), dim=1)
mine = (p - F.one_hot(target, 4)) / 6
assert torch.allclose(mine, logits.grad, atol=1e-6)
"""
MANUAL = """\
import math
def f(x):
    return math.exp(-x**2) * math.sin(3*x)
def f_prime_by_hand(x):
    return math.exp(-x**2) * (3*math.cos(3*x) - 2*x*math.sin(3*x))
def manual(x):
    return math.exp(-x**2) * (3*math.cos(3*x) - 2*x*math.sin(3*x))
for x in (0.3, 0.7, 1.1):
    print(x, f_prime_by_hand(x))
"""
BEGUN = """\
import numpy as np
def loss(params, xs, target):
    W, U, v = params
    h = np.zeros(3)
    for t in range(3):
        h = np.tanh(W @ h + U @ xs[t])
    return 0.5 * (v @ h - target) ** 2
def bptt(params, xs, target):
    W, U, v = params
    hs = [np.zeros(3)]
    for t in range(3):
        hs.append(np.tanh(W @ hs[-1] + U @ xs[t]))
    err = v @ hs[-1] - target
    dv, dh = err * hs[-1], err * v
    dW, dU = np.zeros_like(W), np.zeros_like(U)
    for t in reversed(range(3)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dW = dW + np.outer(dz, hs[t])
        dU = dU + np.outer(dz, xs[t])
        dh = W.T @ dz
    return dW, dU, dv
params = [np.random.randn(3, 3), np.random.randn(3, 2), np.random.randn(3)]
xs = np.random.randn(3, 2)
L = loss(params, xs, 0.7)
dW, dU, dv = bptt(params, xs, 0.7)
"""
SECOND = (
    TWICE
    + """\
v = x.item()
dy_dx = math.cos(v) * math.exp(-v**2) - 2*v*math.sin(v) * math.exp(-v**2)
d2y_dx2 = math.exp(-v**2) * ((4*v**2 - 3)*math.sin(v) - 4*v*math.cos(v))
print(h.item(), d2y_dx2)
"""
)
PARTIALS = """\
import jax.numpy as jnp
from jax import grad
def kernel(x1, x2, ls):
    return jnp.exp(-0.5 * jnp.sum((x1 - x2)**2) / ls**2)
def dkernel_dx1(x1, x2, ls):
    return -(x1 - x2) / ls**2 * kernel(x1, x2, ls)
def dkernel_dls(x1, x2, ls):
    return kernel(x1, x2, ls) * jnp.sum((x1 - x2)**2) / ls**3
a, b = jnp.array([0.1, 0.4]), jnp.array([0.7, -0.3])
print(jnp.allclose(grad(kernel)(a, b, 0.8), dkernel_dx1(a, b, 0.8)))
print(jnp.allclose(grad(kernel, 2)(a, b, 0.8), dkernel_dls(a, b, 0.8)))
"""
KERNEL = """\
import numpy as np
def kernel(x1, x2, ls):
    return np.exp(-0.5 * np.sum((x1 - x2)**2) / ls**2)
def dkernel_dx1(x1, x2, ls):
    return -(x1 - x2) / ls**2 * kernel(x1, x2, ls)
print(kernel(np.array([0.1, 0.4]), np.array([0.7, -0.3]), 0.8))
print(dkernel_dx1(np.array([0.1, 0.4]), np.array([0.7, -0.3]), 0.8))
"""
ATTENTION = """\
import torch, math
Q, K = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)
P = torch.softmax(Q @ K.T / math.sqrt(5), dim=-1)
dP = torch.randn(4, 4)
P.backward(dP)
q, k, p = Q.detach(), K.detach(), P.detach()
dS = p * (dP - (dP * p).sum(dim=-1, keepdim=True))
dQ = dS @ k / math.sqrt(5)
dK = dS.T @ q / math.sqrt(5)
"""
SLIPS = [
    (SECOND, "*v**2 - 3)", "*v**2 - 2)", "scale"),
    (PARTIALS, "/ ls**3", "/ ls**2", ""),
    (KERNEL, "-(x1 - x2) / ls", "(x1 - x2) / ls", "sign"),
    (ATTENTION, "dS @ k / math.sqrt(5)", "dS @ k", ""),
    (JAX, "x.T @ (p - y) / len(y)", "x.T @ (p - y)", "scale"),
    (JAX, "x.T @ (p - y) / len(y)", "x.T @ (y - p) / len(y)", "sign"),
    (RULE, "(1 - 1 / (1", "(1 / (1", ""),
    (JACOBIAN, "torch.diag(s) - ", "torch.diag(s) + ", ""),
    (HESSIAN, "6 * x", "3 * x", ""),
    (ROSEN, "-400*x[0]*(x[1]", "-400*(x[1]", "missing-factor"),
    (ROSEN, "- 2*(1 - x[0])\n", "+ 2*(1 - x[0])\n", "sign"),
    (ROSEN, "200*(", "100*(", ""),
    (RIDGE, "+ lam * w\n", "+ 0.5 * lam * w\n", "scale"),
    (FITTED, "tau**2 * e", "tau * e", ""),
    (NEWTON, "1 - e * math.cos", "1 + e * math.cos", "sign"),
    (UNNAMED, " / 6", "", "scale"),
    (MANUAL, "3*math.cos(3*x) - 2*x*math.sin(3*x))\ndef", "math.cos(3*x) - 2*x*math.sin(3*x))\ndef", ""),
    (MANUAL, "3*math.cos(3*x) - 2*x*math.sin(3*x))\nfor", "3*math.cos(3*x) - 2*math.sin(3*x))\nfor", ""),
    (BEGUN, "hs[t + 1] ** 2", "hs[t] ** 2", ""),
    (BEGUN, "W.T @ dz", "W @ dz", "transpose"),
]


@pytest.mark.parametrize(("source", "right", "slip", "mistake"), SLIPS)
def test_slips(source: str, right: str, slip: str, mistake: str) -> None:
    assert found(source, right, slip, mistake).span is not None


@pytest.mark.parametrize(
    "source", [JAX, RULE, JACOBIAN, HESSIAN, ROSEN, RIDGE, FITTED, NEWTON, UNNAMED, MANUAL, BEGUN, KERNEL, ATTENTION]
)
def test_what_is_right_passes(source: str) -> None:
    passes(source)


SQUARES = """\
import numpy as np
from scipy.optimize import {name}
def f(w, t):
    return {value}
def df(w, t):
    return {slope}
found = {name}({call})
"""
CALLED = [
    ("least_squares", "np.exp(w[0] * t) - w[1]", "np.stack([t * np.exp(w[0] * t), -t / t], 1)", "f, w, df, args=(t,)"),
    ("fmin_bfgs", "((w - t[:2])**2).sum()", "2 * (w - t[:2])", "f, w, df, (t,)"),
    ("fmin_l_bfgs_b", "(((w - t[:2])**2).sum(), 2 * (w - t[:2]))", "", "f, w, args=(t,)"),
    ("fmin_tnc", "((w - t[:2])**2).sum()", "2 * (w - t[:2])", "func=f, x0=w, fprime=df, args=(t,)"),
    ("fmin_tnc", "((w - t[:2])**2).sum()", "", "f, w, args=(t,), approx_grad=True"),
    ("fmin", "((w - t[:2])**2).sum()", "", "f, w, (t,)"),
]


@pytest.mark.parametrize(("name", "of", "slope", "call"), CALLED, ids=[f"{c[0]}({c[3]})" for c in CALLED])
def test_optimisers_are_called_as_scipy_has_them(name: str, of: str, slope: str, call: str) -> None:
    source = SQUARES.format(name=name, value=of, slope=slope, call=call)
    source = source.replace("def df(w, t):\n    return \n", "")
    source = source.replace("found =", "w, t = np.array([0.3, 0.7]), np.array([0.1, 0.5, 0.9])\nfound =")
    made = trace_source(source, "script.py")
    assert made.error is None, made.error
    if "2 *" in source:
        wrong = source.replace("2 * (w", "3 * (w")
        assert symgrad.check(source).ok
        assert [f.span.line for f in symgrad.check(wrong).findings if f.root and f.span] == [
            1 + source[: source.index("2 * (w")].count("\n")
        ]


def test_what_is_shown_to_differ_is_not_claimed_to_be_equal() -> None:
    wrong = UNNAMED.replace("mine = (p - F.one_hot(target, 4)) / 6", "mine = 2 * p")
    assert not symgrad.check(wrong).ok
    denied = wrong.replace("assert torch", "assert not torch")
    assert not [f for f in symgrad.check(denied).findings if f.root]


def test_differences_claim_no_more_than_to_be_near() -> None:
    near = UNNAMED.replace("/ 6\n", "/ 6 + 1e-7\n").replace("allclose(mine", "allclose(mine * 1.0")
    assert not [f for f in symgrad.check(near).findings if f.root]


def test_a_failing_assertion_about_numbers_ends_no_run() -> None:
    made = trace_source("x = 0.5\nassert abs(x - 0.7) < 1e-9\ny = x**2\n", "script.py")
    assert made.error is None
    assert [(n.message.partition(";")[0], n.span.line) for n in made.notes] == [
        ("the assertion `abs(x - 0.7) < 1e-9` does not hold", 2)
    ]


def test_a_jacobian_by_numbers_has_a_column_for_each() -> None:
    source = FITTED[: FITTED.index("t = np")].replace("from scipy.optimize import curve_fit\n", "")
    passes(source)
    found(source, "tau**2 * e", "tau * e", "")


#: What is shown beside autograd's gradient, or subtracted from it.
SHOWN = """\
import torch
x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
y = (x ** 3).sum() + torch.exp(-x).prod()
y.backward()
xs = x.detach()
result = 3 * xs ** 2 - torch.exp(-xs.sum())
"""
SHOWING = [
    "print(x.grad, result)", 'print("autograd:", x.grad)\nprint("mine:", result)',
    "print((result - x.grad).abs().max())",
    'print(f"{x.grad}")\nprint(f"by hand {result}")', "print(torch.dist(x.grad, result))",
]  # fmt: skip


@pytest.mark.parametrize("shown", SHOWING)
def test_what_is_shown_beside_autograds_gradient_is_claimed_to_be_it(shown: str) -> None:
    passes(f"{SHOWN}{shown}\n")
    found(f"{SHOWN}{shown}\n", "3 * xs ** 2", "3 * xs", "")


@pytest.mark.parametrize(
    "shown",
    [
        "print(x.grad, y, torch.sin(xs))\n", "print(x.grad)\nprint(torch.sin(xs))\n",
        "with torch.no_grad():\n    x -= torch.sin(xs) - x.grad\n", "print(x.grad, x.grad * 2 + xs)\n",
        "print(x.grad, torch.sin(xs).sum())\n",
    ],
)  # fmt: skip
def test_what_else_is_shown_claims_nothing(shown: str) -> None:
    report = symgrad.check(SHOWN + "assert torch.allclose(x.grad, result)\n" + shown)
    assert not [f for f in report.findings if f.root], report.explain()
