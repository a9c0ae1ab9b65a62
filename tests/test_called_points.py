"""Functions of a script are checked where the script itself calls them; what ran before a limit is checked."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from symgrad.errors import SymgradError
from symgrad.files.asked import returns_at_the_first
from symgrad.files.entry import check_file
from symgrad.frontends import driving
from symgrad.frontends.plan import Plan
from symgrad.frontends.sandbox import run_file
from symgrad.frontends.trace import tracer
from symgrad.frontends.trace.hosting import Hosted
from symgrad.frontends.trace.run import Run
from symgrad.report.model import Report


def check(tmp_path: Path, text: str, timeout: float = 20.0) -> Report:
    path = tmp_path / "script.py"
    path.write_text(dedent(text), encoding="utf-8")
    return check_file(path, timeout=timeout)


def wrong(report: Report) -> list[tuple[int, str]]:
    """The line and the mistake of every finding."""
    return [(f.span.line, f.fix) for f in report.findings if f.root and f.span is not None]


NEWTON = """\
    import math

    def f(x):
        return x**3 - 2*x - 5

    def fprime(x):
        return 3*x**2 - 2

    x = 2.0
    for i in range(8):
        x = x - f(x)/fprime(x)
    print("root:", x)
    """
STEPPED = """\
    import numpy as np

    def newton(f, df, x0, tol=1e-10, most=50):
        x = x0
        for i in range(most):
            dx = f(x) / df(x)
            x = x - dx
            if abs(dx) < tol:
                return x, i
        raise RuntimeError("no convergence")

    f = lambda x: np.cos(x) - x
    df = lambda x: -np.sin(x) - 1
    root, n = newton(f, df, 1.0)
    """
ADAM = """\
    import numpy as np

    def f(x, y, a=1.0, b=100.0):
        return (a - x)**2 + b*(y - x**2)**2

    def df(x, y, a=1.0, b=100.0):
        return np.array([-2*(a - x) - 4*b*x*(y - x**2), 2*b*(y - x**2)])

    class Adam:
        def __init__(self, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
            self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
            self.m, self.v, self.t = 0, 0, 0

        def step(self, p, g):
            self.t += 1
            self.m = self.beta1*self.m + (1 - self.beta1)*g
            self.v = self.beta2*self.v + (1 - self.beta2)*g**2
            mhat = self.m/(1 - self.beta1**self.t)
            vhat = self.v/(1 - self.beta2**self.t)
            return p - self.lr*mhat/(np.sqrt(vhat) + self.eps)

    if __name__ == "__main__":
        p = np.array([-1.5, 2.0])
        opt = Adam(lr=0.05)
        for k in range(20):
            g = df(*p)
            p = opt.step(p, g)
            if k % 10 == 0:
                print(f"{k:4d} {p} {f(*p):.5f}")
    """
FORCE = """\
    def energy(x, k=3.0, D=2.0):
        return 0.5*k*x**2 + D*x**4

    def force(x, k=3.0, D=2.0):
        return -k*x - 4*D*x**3

    m, dt = 1.5, 0.01
    x, v = 1.0, 0.0
    for n in range(10):
        v = v + dt*force(x)/m
        x = x + dt*v
        E = 0.5*m*v**2 + energy(x)
    """
SPRING = """\
    import numpy as np

    def potential_energy(pos, k, L0):
        d = pos[1] - pos[0]
        r = np.sqrt(np.sum(d**2))
        return 0.5*k*(r - L0)**2

    def spring_force(pos, k, L0):
        d = pos[1] - pos[0]
        r = np.sqrt(np.sum(d**2))
        f = k*(r - L0)*d/r
        return np.array([f, -f])

    pos = np.array([[0.0, 0.1], [1.2, 0.7]])
    vel = np.zeros_like(pos)
    for step in range(5):
        F = spring_force(pos, 5.0, 1.0)
        vel += F*0.01
        pos += vel*0.01
    """


@pytest.mark.parametrize(
    ("text", "right", "slip", "line", "fix"),
    [
        pytest.param(NEWTON, "3*x**2 - 2", "3*x**2 + 2", 7, "3*x**2 - 2", id="newton"),
        pytest.param(STEPPED, "-np.sin(x) - 1", "np.sin(x) - 1", 13, "-np.sin(x)", id="functions that are passed"),
        pytest.param(ADAM, "- 4*b*x*", "- 2*b*x*", 7, "2*(y - x**2)", id="several numbers, and an optimiser"),
        pytest.param(FORCE, "- 4*D*x**3", "- 2*D*x**3", 5, "4", id="a force"),
    ],
)
def test_functions_are_checked_where_the_script_calls_them(
    tmp_path: Path, text: str, right: str, slip: str, line: int, fix: str
) -> None:
    report = check(tmp_path, text)
    assert report.ok
    assert report.confirmed
    ((found, offered),) = wrong(check(tmp_path, text.replace(right, slip)))
    assert found == line
    assert fix.endswith(offered)


def test_a_force_on_several_bodies(tmp_path: Path) -> None:
    report = check(tmp_path, SPRING)
    assert report.ok
    assert "return" in report.confirmed


def test_a_force_that_is_the_gradient_itself_is_a_convention(tmp_path: Path) -> None:
    report = check(tmp_path, FORCE.replace("-k*x - 4*D*x**3", "k*x + 4*D*x**3").replace("+ dt*force", "- dt*force"))
    assert report.ok
    assert any("not its negative" in f.message for f in report.findings)


def test_a_derivative_by_another_parameter_than_the_first(tmp_path: Path) -> None:
    text = """\
        def f(x, t):
            return x**2*t**3

        def f_deriv(x, t):
            return 3*x**2*t**2

        t = 0.7
        for n in range(3):
            t = t - 0.1*f(2.0, t)/f_deriv(2.0, t)
        """
    report = check(tmp_path, text)
    assert report.ok
    assert report.confirmed == ("return",)


def test_a_parameter_that_is_moved_is_no_loss(tmp_path: Path) -> None:
    text = """\
        def step(x):
            dx = (x**2 - 2)/(2*x)
            x = x - dx
            return x

        x = step(step(1.5))
        """
    with pytest.raises(SymgradError, match=r"recognised as a derivative|never computes"):
        check(tmp_path, text)


# --- limits ---------------------------------------------------------------------------------------------------------

LONG = """\
    import math
    w, x = 0.7, 1.3
    h = math.tanh(w*x)
    y = h**2
    dy_dh = 2*h
    dy_dw = dy_dh*(1 - h**2)*x
    while True:
        pass
    """


def test_of_a_run_without_an_end_the_first_values_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(dedent(LONG).replace("pass\n", "h = math.tanh(w*h)\n"), "long.py")
    emit = run.tracer.emit

    def late(*args: Any, **options: Any) -> int:
        if len(run.tracer.values) > 40:
            run.tracer.out_of_time(None, 1.0)
        return emit(*args, **options)

    monkeypatch.setattr(run.tracer, "emit", late)
    monkeypatch.setattr(tracer, "MOST_DIAGNOSED", 15)
    trace = run.execute(run.compile())
    assert trace.error is not None
    assert trace.error.kind == "time"
    assert len(trace.graph) == len(trace.values) == 15
    assert max(b.step for b in trace.bindings) < 15
    assert "dy_dw" in {b.name for b in trace.bindings}
    assert trace.notes[-1].message.endswith("values by then, of which the first 15 are looked at")


def test_what_ran_before_the_limit_is_checked(tmp_path: Path) -> None:
    report = check(tmp_path, LONG, timeout=1.0)
    assert report.exit_code == 2
    assert report.confirmed == ("dy_dh", "dy_dw")
    (stopped,) = [f for f in report.findings if f.code == "stopped"]
    assert stopped.message == (
        "the script does not end within 1 s: it was ended here; what ran before was checked, and the rest was not"
    )
    assert stopped.span is not None
    assert stopped.span.line in (7, 8)


def test_a_mistake_before_the_limit_is_found(tmp_path: Path) -> None:
    report = check(tmp_path, LONG.replace("(1 - h**2)", "(1 - h)"), timeout=1.0)
    assert report.exit_code == 1
    assert wrong(report) == [(6, "1 - h**2")]


def test_a_loop_that_trains_in_an_imported_file_ends(tmp_path: Path) -> None:
    tmp_path.joinpath("net.py").write_text(dedent("""\
        class Net:
            def __init__(self, w):
                self.w = w

            def fit(self, xs, ys, epochs, rate):
                for epoch in range(epochs):
                    for x, y in zip(xs, ys):
                        error = self.w*x - y
                        grad = error*x
                        self.w = self.w - rate*grad
        """))  # fmt: skip
    script = tmp_path / "script.py"
    script.write_text(dedent("""\
        import numpy as np
        from net import Net
        net = Net(np.array([0.5]))
        net.fit(np.array([1.0, 2.0]), np.array([2.0, 4.0]), epochs=100000, rate=0.1)
        loss = ((net.w*2.0 - 4.0)**2).sum()
        """))  # fmt: skip
    trace = run_file(script)
    assert trace.error is None
    assert any("since they are alike" in n.message for n in trace.notes)
    assert len(trace.graph) < 1000


@pytest.mark.parametrize(
    ("load", "shape"),
    [
        ("from sklearn.datasets import load_iris\niris = load_iris()\nX, y = iris.data, iris['target']", (150, 4)),
        ("from sklearn.datasets import load_wine\nX, y = load_wine(return_X_y=True)", (178, 13)),
        ("from keras.datasets import mnist\n(X, y), (Xt, yt) = mnist.load_data()\nX = X.reshape(-1, 784)", (60, 784)),
    ],
)
def test_data_of_courses_have_stand_ins(load: str, shape: tuple[int, int], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import numpy as np\n{load}\nfrom sklearn.model_selection import train_test_split\n"
        "A, B, a, b = train_test_split(X, y, test_size=0.2)\nw = np.ones(X.shape[1])*0.5\n"
        "r = A @ w - a\nloss = (r**2).sum()\ndw = 2*A.T @ r\n"
    )
    trace = run_file(script)
    assert trace.error is None
    assert shape in {trace.graph.steps[b.step].shape for b in trace.bindings if b.name == "X"}
    assert check_file(script).confirmed == ("dw",)


def test_a_squeezed_list_and_a_picture_are_no_end(tmp_path: Path) -> None:
    text = """\
        import numpy as np
        import matplotlib.pyplot as plt
        w = 2.0
        costs = []
        for i in range(3):
            costs.append(w*i)
        plt.plot(np.squeeze(costs))
        locs, labels = plt.xticks()
        plt.xticks(locs[1:-1], tuple(np.array(locs[1:-1], dtype="int")*2))
        loss = w**2
        dw = 2*w
        """
    report = check(tmp_path, text)
    assert report.exit_code == 0
    assert "dw" in report.confirmed


# --- functions and layers that are called by themselves -------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            """
            import numpy as np

            class Dense:
                def __init__(self, n_inputs, n_neurons):
                    self.weights = 0.1*np.random.randn(n_inputs, n_neurons)
                    self.biases = np.zeros((1, n_neurons))

                def forward(self, inputs):
                    self.inputs = inputs
                    self.output = np.dot(inputs, self.weights) + self.biases

                def backward(self, dvalues):
                    self.dweights = np.dot(self.inputs.T, dvalues)
                    self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
                    self.dinputs = np.dot(dvalues, self.weights.T)
            """,
            id="a layer that keeps its output",
        ),
        pytest.param(
            """
            import numpy as np

            class SquaredError:
                def forward(self, y_pred, y_true):
                    return np.mean((y_true - y_pred)**2, axis=-1)

                def backward(self, dvalues, y_true):
                    samples = len(dvalues)
                    outputs = len(dvalues[0])
                    self.dinputs = -2*(y_true - dvalues)/outputs
                    self.dinputs = self.dinputs/samples
            """,
            id="a loss for each sample, of which the mean is meant",
        ),
        pytest.param(
            """
            import numpy as np

            class Softmax:
                def forward(self, input):
                    tmp = np.exp(input)
                    self.output = tmp/np.sum(tmp)
                    return self.output

                def backward(self, output_gradient, learning_rate):
                    n = np.size(self.output)
                    return np.dot((np.identity(n) - self.output.T)*self.output, output_gradient)
            """,
            id="a softmax of a column",
        ),
        pytest.param(
            """
            import numpy as np

            class Row:
                def __init__(self, input_size, output_size):
                    self.weights = np.random.rand(input_size, output_size) - 0.5
                    self.bias = np.random.rand(1, output_size) - 0.5

                def forward(self, x):
                    self.x = x
                    return np.dot(self.x, self.weights) + self.bias

                def backward(self, error, learning_rate):
                    x_error = np.dot(error, self.weights.T)
                    weights_error = np.dot(self.x.T, error)
                    self.weights -= learning_rate*weights_error
                    self.bias -= learning_rate*error
                    return x_error
            """,
            id="a layer for one row",
        ),
        pytest.param(
            """
            class Activation:
                def __init__(self, activation, activation_prime):
                    self.activation = activation
                    self.activation_prime = activation_prime

                def forward(self, x):
                    self.x = x
                    return self.activation(x)

                def backward(self, dout):
                    return self.activation_prime(self.x)*dout
            """,
            id="functions that are passed",
        ),
        pytest.param(
            """
            import numpy as np
            from scipy import signal

            class Conv:
                def __init__(self, input_shape, kernel_size, depth):
                    self.input_depth, height, width = input_shape
                    self.depth = depth
                    self.kernels = np.random.randn(depth, self.input_depth, kernel_size, kernel_size)
                    self.biases = np.random.randn(depth, height - kernel_size + 1, width - kernel_size + 1)

                def forward(self, x):
                    self.x = x
                    out = np.copy(self.biases)
                    for i in range(self.depth):
                        for j in range(self.input_depth):
                            out[i] += signal.correlate2d(x[j], self.kernels[i, j], "valid")
                    return out

                def backward(self, dout):
                    self.dkernels = np.zeros_like(self.kernels)
                    dx = np.zeros_like(self.x)
                    for i in range(self.depth):
                        for j in range(self.input_depth):
                            self.dkernels[i, j] = signal.correlate2d(self.x[j], dout[i], "valid")
                            dx[j] += signal.convolve2d(dout[i], self.kernels[i, j], "full")
                    self.dbiases = dout
                    return dx
            """,
            id="convolutions of SciPy, and a layer made for a shape",
        ),
        pytest.param(
            """
            import numpy as np

            class Output:
                def forward(self, z):
                    self.p = np.exp(z)/np.sum(np.exp(z))
                    return self.p

                def backprop(self, d_L_d_out):
                    for i, gradient in enumerate(d_L_d_out):
                        if gradient == 0:
                            continue
                        d_out_d_z = -self.p[i]*self.p
                        d_out_d_z[i] = self.p[i]*(1 - self.p[i])
                        return gradient*d_out_d_z
            """,
            id="a pass that is for one entry",
        ),
    ],
)
def test_what_is_right_for_the_inputs_that_are_meant_is_right(tmp_path: Path, text: str) -> None:
    report = check(tmp_path, text)
    assert wrong(report) == []
    assert report.confirmed


def test_a_loss_that_is_not_computed_is_not_guessed(tmp_path: Path) -> None:
    text = """
        import numpy as np

        class Net:
            def __init__(self, n_in, n_out):
                self.W = np.random.randn(n_out, n_in)

            def feed_forward(self, x):
                self.x = x
                self.out = 1/(1 + np.exp(-(self.W @ x)))
                return self.out

            def back_propagate(self, y, output):
                dz = output - y
                return (1./y.shape[1])*dz @ self.x.T
        """
    with pytest.raises(SymgradError, match="a loss that forward does not compute"):
        check(tmp_path, text)


def test_a_return_at_the_first_entry_is_seen() -> None:
    text = "def f(g):\n    for v in g:\n        if v == 0:\n            continue\n        return v\n"
    assert returns_at_the_first(text, "f")
    assert not returns_at_the_first(text.replace("        return v", "    return v"), "f")
    assert not returns_at_the_first(text.replace("v == 0", "v > 0"), "f")


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_a_gradient_that_says_nothing_is_right_for_whatever_it_is_right_for(tmp_path: Path) -> None:
    """b has the shape of x, and ``grad`` is by x."""
    text = """\
        import numpy as np
        A = np.array([[2.0, 0.3], [0.3, 1.5]])
        b = np.array([0.4, -0.7])
        x = np.array([1.1, 0.6])
        f = 0.5*x @ A @ x - b @ x + np.sum(x**4)
        grad = A @ x - b + 4*x**3
        """
    assert check(tmp_path, text).confirmed == ("grad",)


@pytest.mark.parametrize(
    ("tangents", "line"),
    [
        ("v = np.array([0.3, -0.2])\nz_dot = W @ v\ny_dot = np.sum(2*h*(1 - h**2)*z_dot)\n", 7),
        ("dx = np.array([0.3, -0.2])\ndz = W @ dx\ndh = (1 - h**2)*dz\ndy = np.sum(2*h*dh)\n", 7),
    ],
)
def test_derivatives_of_arrays_along_a_direction_are_refused_with_their_place(
    tangents: str, line: int, tmp_path: Path
) -> None:
    text = "import numpy as np\nW, x = np.array([[0.5, 1.2], [0.7, -0.4], [0.1, 0.9]]), np.array([0.8, -0.3])\n"
    text += f"z = W @ x\nh = np.tanh(z)\ny = np.sum(h**2)\n{tangents}"
    with pytest.raises(SymgradError, match="along a direction") as caught:
        check(tmp_path, text)
    assert caught.value.span is not None
    assert caught.value.span.line == line


def test_a_number_that_both_passes_work_out_stays_one_number(tmp_path: Path) -> None:
    text = """\
        import numpy as np

        class Attention:
            def forward(self, Q, K, V):
                scale = 1/np.sqrt(Q.shape[-1])
                scores = Q @ K.T*scale
                e = np.exp(scores)
                self.w = e/e.sum(axis=1, keepdims=True)
                self.Q, self.K, self.V = Q, K, V
                return self.w @ V

            def backward(self, dout):
                scale = 1/np.sqrt(self.K.shape[-1])
                dV = self.w.T @ dout
                dw = dout @ self.V.T
                dscores = self.w*(dw - np.sum(dw*self.w, axis=1, keepdims=True))
                dQ = dscores @ self.K*scale
                dK = dscores.T @ self.Q*scale
                return dQ, dK, dV
        """
    report = check(tmp_path, text)
    assert wrong(report) == []
    assert {"dQ", "dK", "dV"} <= set(report.confirmed)
    assert wrong(check(tmp_path, text.replace("self.K*scale", "self.K"))) != []


@pytest.mark.parametrize(
    ("penalty", "said"),
    [("", "the gradient times 4:"), (" + 0.3*np.sign(w)", "weight decay"), (" + 0.3*w", "weight decay")],
)
def test_a_step_that_is_the_gradient_times_a_number(penalty: str, said: str, tmp_path: Path) -> None:
    text = f"""\
        import numpy as np
        N = 8
        X = np.random.randn(N, 3)
        Y = X @ np.array([1.0, 0.5, -0.5]) + 0.1*np.random.randn(N)
        w = np.random.randn(3)
        for t in range(200):
            delta = X @ w - Y
            w = w - 0.01*(X.T @ delta{penalty})
            mse = delta @ delta / N
        """
    report = check(tmp_path, text)
    assert wrong(report) == []
    assert any(said in f.message for f in report.findings), [f.message for f in report.findings]


def test_no_shape_brings_back_a_module_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred combinations of shapes would all end at the same line."""
    text = """
        import numpy as np
        from layers import softplus
        def act_forward(x, w, b):
            y = softplus(x*w + b)
            return y, (x, w, b)
        def act_backward(dout, cache):
            x, w, b = cache
            return dout*w, dout*x, dout
    """
    tried: list[int] = []
    before = driving.Driver.adapted

    def adapted(self: Any, *args: Any) -> Any:
        tried.append(1)
        return before(self, *args)

    monkeypatch.setattr(driving.Driver, "adapted", adapted)
    run = Hosted(dedent(text), "s.py")
    code = run.compile()
    run.attempt(lambda: exec(code, run.namespace()))
    trace = driving.Driver(Plan("act_forward", "act_backward"), lambda: (run, None)).drive()
    assert trace.error is not None
    assert "layers" in trace.error.message
    assert len(tried) < 100
