"""States of several variables, parameters moved by formulas, and names that are told by their likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.manual import check_source

OSCILLATOR = """
k, c = 1.4, 0.3
x, v = 0.8, -0.1
dt = 0.2
dx_dk, dv_dk = 0, 0
for step in range(3):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-x - k * dx_dk - c * dv_dk)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
"""

NET = """
import math
x = [0.7, -0.4]
t = 0.9
w1 = [0.3, -0.6]
b1 = [0.05, 0.2]
w2 = [0.8, -0.5]
b2 = 0.1
lr = 0.25
h = [0, 0]
for j in range(2):
    h[j] = math.tanh(w1[j] * x[j] + b1[j])
o = b2
for j in range(2):
    o += w2[j] * h[j]
loss = 0.5 * (o - t) ** 2
d_o = o - t
d_h = [0, 0]
for j in range(2):
    d_h[j] = d_o * w2[j] * (1 - h[j] ** 2)
for j in range(2):
    w2[j] -= lr * d_o * h[j]
    w1[j] -= lr * d_h[j] * x[j]
    b1[j] -= lr * d_h[j]
b2 -= lr * d_o
"""

ARM = """
import math
l1, l2 = 1.2, 0.7
theta1, theta2 = 0.5, -0.9
x = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
cost = 0.5 * (x - 1.1) ** 2
J1 = -l1 * math.sin(theta1) - l2 * math.sin(theta1 + theta2)
J2 = -l2 * math.sin(theta1 + theta2)
grad_t1 = (x - 1.1) * J1
grad_t2 = (x - 1.1) * J2
"""

# The forward pass first, its states in lists; the derivation works out the middle of each step once more.
MIDPOINT = """
k = 1.4
c = 0.3
x = 0.8
v = -0.1
dt = 0.2
xs, vs = [x], [v]
for step in range(3):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
    xs.append(x)
    vs.append(v)
dx_dk, dv_dk = 0, 0
for n in range(3):
    xm = xs[n] + 0.5 * dt * vs[n]
    vm = vs[n] + 0.5 * dt * (-k * xs[n] - c * vs[n])
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-xs[n] - k * dx_dk - c * dv_dk)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
"""
AGAIN = "xm = xs[n] + 0.5 * dt * vs[n]"
ADDED = MIDPOINT.replace(AGAIN, "xm = xs[n]\n    xm += 0.5 * dt * vs[n]")
FROM_ZERO = MIDPOINT.replace(AGAIN, "xm = 0.0\n    xm = xs[n] + xm\n    xm += 0.5 * dt * vs[n]")
#: J22 stands between what is differentiated and its gradients; gx is no gradient of x.
UNNAMED_ARM = """
import math
l1, l2 = 1.2, 0.7
theta1, theta2 = 0.5, -0.9
gx, gy = 1.1, 0.8
x = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
y = l1 * math.sin(theta1) + l2 * math.sin(theta1 + theta2)
ex = x - gx
ey = y - gy
temp3 = 0.5 * (ex**2 + ey**2)
J11 = -l1 * math.sin(theta1) - l2 * math.sin(theta1 + theta2)
J12 = -l2 * math.sin(theta1 + theta2)
J21 = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
J22 = l2 * math.cos(theta1 + theta2)
grad_theta1 = ex * J11 + ey * J21
grad_theta2 = ex * J12
grad_theta2 += ey * J22
"""
#: A rate of its own for each layer; one that a line works out.
RATES = NET.replace("lr = 0.25", "lr = 0.25\nrate = 0.1").replace("w2[j] -= lr", "w2[j] -= rate")
DECAYED = NET.replace("b2 -= lr", "slower = lr / (1 + 0.3 * 4)\nb2 -= slower")
ADDING = NET.replace("-= lr * d", "+= -lr * d")
#: No name says of what: two parameters in turn, in dictionaries.
DRAG = """
import math
theta, k = 0.8, 0.06
g, dt = 9.81, 0.1
x, y = 0.0, 0.0
vx, vy = 9.0 * math.cos(theta), 9.0 * math.sin(theta)
history = []
for _ in range(3):
    history.append((vx, vy))
    v = math.hypot(vx, vy)
    ax = -k * v * vx
    ay = -g - k * v * vy
    x, y = x + vx * dt, y + vy * dt
    vx, vy = vx + ax * dt, vy + ay * dt
sx = {"th": 0.0, "k": 0.0}
sy = {"th": 0.0, "k": 0.0}
svx = {"th": -9.0 * math.sin(theta), "k": 0.0}
svy = {"th": 9.0 * math.cos(theta), "k": 0.0}
for vx_n, vy_n in history:
    v_n = math.sqrt(vx_n**2 + vy_n**2)
    for p in ("th", "k"):
        dv = (vx_n * svx[p] + vy_n * svy[p]) / v_n
        dax = -k * (dv * vx_n + v_n * svx[p])
        day = -k * (dv * vy_n + v_n * svy[p])
        if p == "k":
            dax -= v_n * vx_n
            day -= v_n * vy_n
        sx[p] += svx[p] * dt
        sy[p] += svy[p] * dt
        svx[p] += dax * dt
        svy[p] += day * dt
"""
#: y is carried one round beyond the cost, and moved by no gradient.
CONTROL = """
Kp, Ki = 1.4, 0.6
tau, setpoint, dt = 0.9, 1.0, 0.2
y, integ, cost = 0.1, 0.0, 0.0
es, integs = [], []
for step in range(3):
    e = setpoint - y
    integ += e * dt
    u = Kp * e + Ki * integ
    es.append(e)
    integs.append(integ)
    cost += e**2 * dt
    y += dt * (u - y) / tau
dcost_dKp = dcost_dKi = 0.0
dy_p = dy_i = 0.0
dint_p = dint_i = 0.0
for e, integ in zip(es, integs):
    dcost_dKp += -2 * e * dy_p * dt
    dcost_dKi += -2 * e * dy_i * dt
    dint_p -= dy_p * dt
    dint_i -= dy_i * dt
    du_p = e - Kp * dy_p + Ki * dint_p
    du_i = -Kp * dy_i + integ + Ki * dint_i
    dy_p += dt * (du_p - dy_p) / tau
    dy_i += dt * (du_i - dy_i) / tau
"""
NAMELESS_ARM = UNNAMED_ARM[: UNNAMED_ARM.index("grad_theta2")] + "qq = ex * J12 + ey * J22\n"
RIGHT = [OSCILLATOR, NET, RATES, DECAYED, ADDING, ARM, MIDPOINT, ADDED, FROM_ZERO, UNNAMED_ARM]
RIGHT += [DRAG, CONTROL, NAMELESS_ARM]

WRONG = [
    (MIDPOINT, "xm = xs[n] + 0.5 * dt * vs[n]", "xm = xs[n] + 0.5 * dt * vs[n] * vs[n]"),
    (MIDPOINT, "+ dt * (-xm - k * dxm_dk", "+ dt * (-xm + k * dxm_dk"),
    (OSCILLATOR, "(-x - k * dx_dk - c * dv_dk)", "(-x - k * dx_dk + c * dv_dk)"),
    (OSCILLATOR, "dx_dk = dx_dk + dt * dvm_dk", "dx_dk = dx_dk + dt * dv_dk"),
    (NET, "w2[j] -= lr * d_o * h[j]", "w2[j] -= lr * d_o * x[j]"),
    (NET, "b1[j] -= lr * d_h[j]", "b1[j] -= lr * d_h[j] * h[j]"),
    (NET, "b2 -= lr * d_o", "b2 += lr * d_o"),
    (NET, "d_o * w2[j] * (1 - h[j] ** 2)", "d_o * w2[j] * (1 + h[j] ** 2)"),
    (NET, "w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= -lr * d_h[j] * x[j]"),
    (NET, "w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= d_h[j] * x[j]"),
    (NET, "w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= loss * d_h[j] * x[j]"),
    (NET, "w1[j] -= lr * d_h[j] * x[j]", "w1[j] = lr * d_h[j] * x[j]"),
    (NET, "b2 -= lr * d_o", "b2 = lr * d_o"),
    (ARM, "J1 = -l1 * math.sin(theta1)", "J1 = -l1 * math.cos(theta1)"),
    (ARM, "grad_t1 = (x - 1.1) * J1", "grad_t1 = (x - 1.1) * J2"),
]


@pytest.mark.parametrize("source", RIGHT)
def test_what_is_right_is_left_alone(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok
    assert not report.unchecked


@pytest.mark.parametrize(("source", "right", "wrong"), WRONG)
def test_the_line_of_the_mistake_is_told(source: str, right: str, wrong: str) -> None:
    (found,) = [f for f in check_source(source.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == source.count("\n", 0, source.index(right)) + 1


BOTH = [
    [("d_h[j] = d_o * w2[j] * (1 - h[j] ** 2)", "d_h[j] = d_o * w2[j] * (1 - h[j])"),
     ("w2[j] -= lr * d_o * h[j]", "w2[j] -= 2 * lr * d_o * h[j]")],
    [("d_o = o - t", "d_o = o - b2"), ("w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= -lr * d_h[j] * x[j]")],
    [("d_o = o - t", "d_o = 0.5 * (o - t)"), ("w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= lr * d_h[j] * x[j] * x[j]")],
]  # fmt: skip


@pytest.mark.parametrize("slips", BOTH)
def test_a_wrong_move_beside_a_wrong_gradient_is_told_as_well(slips: list[tuple[str, str]]) -> None:
    wrong = NET
    for right, slip in slips:
        wrong = wrong.replace(right, slip)
    found = [f for f in check_source(wrong, sandbox=False).findings if f.root]
    assert [f.line for f in found] == [NET.count("\n", 0, NET.index(right)) + 1 for right, _ in slips]
    assert all(f.fix_verified for f in found)


CORPUS = Path(__file__).parent / "benchmarks" / "corpus_scalar"
#: Of derivations of the benchmark's corpus: the file, and slips in it (text, what stands there instead).
SLIPS = [
    # Three results that a loop carries on, and no loss.
    ("bicycle_model", [("(sin(th_k) + v", "(cos(th_k) + v")]),
    ("bicycle_model", [("cos(steer) ** 2 * dt", "cos(steer) * dt")]),
    ("bicycle_model", [("v / wheelbase / cos(steer) ** 2", "v / wheelbase / steer ** 2")]),
    # Gradients in a list that says nothing of what.
    ("sharpe_ratio", [("excess * drisk) / variance", "excess * drisk) * variance")]),
    ("sharpe_ratio", [("marginal[i] / risk", "2 * marginal[i] / risk")]),
    ("sharpe_ratio", [("- excess * drisk)", "+ excess * drisk)"), ("drf = -1 / risk", "drf = 2 * -1 / risk")]),
    # Entries of a dictionary that only the run tells.
    ("elo_ratings", [("grad[white] += surprise", "grad[white] = surprise")]),
    ("elo_ratings", [("grad[black] -= surprise", "grad[black] += surprise"), ("black]) / scale**2", "black])")]),
    # What holds every adjoint as it is has no wrong sign.
    ("logistic_growth_adjoint", [("dr += lam", "dr -= lam"), ("dcap += lam", "dcap += -lam")]),
    # The gradient that is handed to a method and used nowhere, and a value that is kept for the way back.
    ("neuron_list", [("ds = grad * self.a", "ds = self.a")]),
    ("object_attributes", [("net.dw1 = da", "net.dw1 = -da")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "slips"), SLIPS)
def test_each_mistake_is_told_at_its_line(name: str, slips: list[tuple[str, str]]) -> None:
    source = wrong = (CORPUS / f"{name}.py").read_text()
    for right, slip in slips:
        assert right in wrong
        wrong = wrong.replace(right, slip)
    found = [f for f in check_source(wrong, sandbox=False).findings if f.root]
    assert [f.line for f in found] == [source.count("\n", 0, source.index(right)) + 1 for right, _ in slips]


@pytest.mark.parametrize(("line", "name"), [("w2[j] -= lr * d_o * h[j]", "w2"), ("b2 -= lr * d_o", "b2")])
def test_a_parameter_that_is_left_out_is_told(line: str, name: str) -> None:
    (found,) = [f for f in check_source(NET.replace(line, "pass"), sandbox=False).findings if f.root]
    assert (found.mistake, found.line) == ("never-assigned", NET.count("\n", 0, NET.index(f"{name} = ")) + 1)


def test_inputs_are_not_moved() -> None:
    """x1 and x2 are no parameters, though w1 and w2 are moved."""
    source = """
x1, x2, t = 0.7, -0.4, 0.9
w1, w2 = 0.3, -0.6
lr = 0.25
loss = 0.5 * (w1 * x1 + w2 * x2 - t) ** 2
d_o = w1 * x1 + w2 * x2 - t
w1 -= lr * d_o * x1
w2 -= lr * d_o * x2
"""
    report = check_source(source, sandbox=False)
    assert report.ok, report.explain()


def test_a_list_that_something_right_is_made_of_is_no_list_of_gradients() -> None:
    """Twice too large, and put right where it is used: ``g[i]`` is not by x[i], though there are as many."""
    source = """
x = [0.4, -0.7, 1.3]
y = [0.2, 0.5, 0.9]
w = 0.6
loss = sum((w * x[i] - y[i]) ** 2 for i in range(3)) / 3
g = []
for i in range(3):
    g.append(2 * (w * x[i] - y[i]))
dw = sum(g[i] * x[i] for i in range(3)) / 3
"""
    report = check_source(source, sandbox=False)
    assert report.ok, report.explain()


SMOOTHING = """
series = [3.1, 2.8, 3.6, 4.0, 3.7]
alpha = 0.35
level = series[0]
dlevel = 0.0
sse = 0.0
dsse = 0.0
for obs in series[1:]:
    err = obs - level
    sse += err ** 2
    dsse += 2 * err * -dlevel
    dlevel = (1 - alpha) * dlevel + (obs - level)
    level = alpha * obs + (1 - alpha) * level
"""
POLICY = """
import math
theta = [0.2, -0.5, 0.4]
reward = [1.0, 0.3, -0.6]
exps = [math.exp(v) for v in theta]
total = sum(exps)
pi = [e / total for e in exps]
J = sum(p * r for p, r in zip(pi, reward))
grad = [p * (r - J) for p, r in zip(pi, reward)]
"""


def test_what_the_last_round_carries_on_is_not_asked_for() -> None:
    """The loss knows nothing of the last level, nor of its derivative."""
    report = check_source(SMOOTHING, sandbox=False)
    assert report.ok, report.explain()
    assert {"dlevel", "dsse"} <= set(report.confirmed)
    assert not report.unchecked


@pytest.mark.parametrize(("right", "wrong"), [("+ (obs - level)", "+ obs"), ("2 * err * -dlevel", "2 * err * dlevel")])
def test_a_mistake_that_earlier_rounds_show_is_told(right: str, wrong: str) -> None:
    (found,) = [f for f in check_source(SMOOTHING.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == SMOOTHING.count("\n", 0, SMOOTHING.index(right)) + 1


def test_one_path_of_several_is_no_gradient_in_a_list() -> None:
    assert check_source(POLICY, sandbox=False).ok
    report = check_source(POLICY.replace("p * (r - J) for", "p * (1 - p) * r for"), sandbox=False)
    assert not any(name.startswith("grad") for name in report.confirmed)


DUAL = """
import math
class Dual:
    def __init__(self, value, deriv):
        self.value = value
        self.deriv = deriv
    def __mul__(self, other):
        return Dual(self.value * other.value, self.deriv * other.value + self.value * other.deriv)
    def sin(self):
        return Dual(math.sin(self.value), math.cos(self.value) * self.deriv)
x, y = 0.8, 1.3
fx = (Dual(x, 1) * Dual(y, 0)).sin()
fy = (Dual(x, 0) * Dual(y, 1)).sin()
"""


# Numbers beside dual numbers, rules that call rules, a function that seeds, and what is no derivative at all.
DUAL_FUNCTION = """
import math
class DualNumber:
    def __init__(self, real, dual=0.0):
        self.real = real
        self.dual = dual
    def __add__(self, other):
        other = other if isinstance(other, DualNumber) else DualNumber(other)
        return DualNumber(self.real + other.real, self.dual + other.dual)
    def __mul__(self, other):
        other = other if isinstance(other, DualNumber) else DualNumber(other)
        return DualNumber(self.real * other.real, self.real * other.dual + self.dual * other.real)
    def __neg__(self):
        return DualNumber(-self.real, -self.dual)
    def __sub__(self, other):
        return self + (-other)
    def __pow__(self, n):
        return DualNumber(self.real ** n, n * self.real ** (n - 1) * self.dual)
    __rmul__ = __mul__
    __radd__ = __add__
def exp(a):
    e = math.exp(a.real)
    return DualNumber(e, e * a.dual)
def f(x):
    return exp(3 * x ** 2) * x - x + 2
def derivative(f, x):
    return f(DualNumber(x, 1.0)).dual
x = 0.4
df = derivative(f, x)
print(df)
"""
COMPLEX = """
class Complex:
    def __init__(self, re, im):
        self.re = re
        self.im = im
    def __mul__(self, other):
        return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
a, b = 0.8, 1.3
z = Complex(a, 1) * Complex(b, 0)
loss = z.re ** 2
dz = 2 * z.re
da = dz * b
"""


@pytest.mark.parametrize("source", [DUAL, DUAL_FUNCTION, COMPLEX])
def test_objects_of_two_numbers_that_are_right_are_left_alone(source: str) -> None:
    assert check_source(source, sandbox=False).ok


WRONG_RULES = [
    (DUAL, "math.cos(self.value) * self.deriv", "math.cos(self.value)", "self.deriv"),
    (DUAL, "math.cos(self.value) * self.deriv", "math.sin(self.value) * self.deriv", "cos"),
    (DUAL, "self.deriv * other.value + self.value * other.deriv", "self.deriv * other.value", "self.value"),
    (DUAL, "+ self.value * other.deriv", "- self.value * other.deriv", ""),
    (DUAL_FUNCTION, "self.real ** (n - 1)", "self.real ** n", ""),
    (DUAL_FUNCTION, "e * a.dual", "a.real * a.dual", "e"),
]


@pytest.mark.parametrize(("source", "right", "wrong", "fix"), WRONG_RULES)
def test_a_wrong_rule_of_dual_numbers_is_told_at_its_line(source: str, right: str, wrong: str, fix: str) -> None:
    (found,) = [f for f in check_source(source.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == source.count("\n", 0, source.index(right)) + 1
    assert fix in found.fix
