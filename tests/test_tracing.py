"""Tracing: names, exact places and values of everything a script computes."""

from __future__ import annotations

import inspect
import json
import math
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch

from symgrad.errors import InternalError, SymgradError
from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.frontends.trace.functions import plain_function, source_of
from symgrad.frontends.trace.trusted import Trusted
from symgrad.frontends.trace.wire import from_json, to_json
from symgrad.frontends.trace.writes import whole
from symgrad.frontends.tracing import trace_source
from symgrad.ops import OPS


def trace(text: str) -> Trace:
    """A script that must run to its end."""
    made = trace_source(dedent(text), "script.py")
    assert made.error is None, made.error
    if made.graph.steps:
        made.graph.verify()
    document = to_json(made)
    assert to_json(from_json(json.loads(json.dumps(document, allow_nan=False)))) == document
    return made


def under(made: Trace, span: Any) -> str:
    """The source under a span of one line."""
    assert span.line == span.end_line
    return made.graph.source.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1]


def bindings(made: Trace, name: str) -> list[Binding]:
    return [b for b in made.bindings if b.name == name]


def value(made: Trace, name: str) -> Any:
    """The last value that a name had, arrays as lists."""
    found = made.values[bindings(made, name)[-1].step]
    return found if isinstance(found, float) else found.tolist()


def step(made: Trace, name: str) -> Any:
    return made.graph[bindings(made, name)[-1].step]


def origin(made: Trace, index: int) -> int:
    """The step that an alias (``b = a``) is another name of."""
    while made.graph[index].op == "alias":
        (index,) = made.graph[index].inputs
    return index


def formula(made: Trace, index: int) -> str:
    """A step as a nested expression down to named steps."""

    def name(i: int) -> str:
        s = made.graph[i]
        return str(s.value) if s.is_const else s.name if not s.is_hidden else formula(made, i)

    s = made.graph[index]
    return f"{s.op}({', '.join(name(i) for i in s.inputs)})"


def rhs(made: Trace, name: str, which: int = -1) -> str:
    return formula(made, bindings(made, name)[which].step)


FORUM = """
    import numpy as np
    w_y = 40.0
    w_h = 0.5
    h0 = 2.0
    h1_raw = w_h*h0
    h1 = np.tanh(h1_raw)
    h2_raw = w_h*h1
    h2 = np.tanh(h2_raw)
    y2 = w_y*h2
    # analytically
    dh1raw_dwh = h0
    dh1_dwh = (1 - h1_raw**2) * dh1raw_dwh
    dh2raw_dwh = h1 + w_h*dh1_dwh
    dh2_dwh = (1 - h2_raw**2) * dh2raw_dwh
    dy2_dwh = w_y * dh2_dwh
    # reverse
    dy2 = 1.0
    dh2 = w_y * dy2
    dh2_raw = (1-h2_raw**2)*dh2
    dwh = dh2_raw * h1
    dh1 = dh2_raw * w_h
    dwh += (1 - h1_raw**2)*dh1*h0
    print(f"{dwh:.4f}", dy2_dwh == dwh)
"""


def test_the_forum_case() -> None:
    made = trace(FORUM)
    assert [f.name for f in made.leaves] == ["w_y", "w_h", "h0", "dy2"]
    assert all(f.literal for f in made.leaves)
    assert rhs(made, "h2") == "tanh(h2_raw)"
    assert rhs(made, "dh1_dwh") == "mul(sub(1, pow(h1_raw, 2)), dh1raw_dwh)"
    assert rhs(made, "dh2_raw") == "mul(sub(1, pow(h2_raw, 2)), dh2)"
    assert rhs(made, "dwh") == "add(dwh, mul(mul(sub(1, pow(h1_raw, 2)), dh1), h0))"
    assert value(made, "y2") == 40 * np.tanh(0.5 * np.tanh(1.0))
    assert made.prints == ("26.0463 True",) or made.prints == ("26.0463 False",)
    # The caret of the wrong factor.
    factor = made.graph[step(made, "dh2_raw").inputs[0]]
    assert under(made, factor.span) == "1-h2_raw**2"
    last = bindings(made, "dwh")[-1]
    assert (last.augmented, under(made, last.span)) == ("+=", "dwh += (1 - h1_raw**2)*dh1*h0")
    assert step(made, "dwh").name == "dwh#2"
    assert origin(made, bindings(made, "dh1raw_dwh")[0].step) == bindings(made, "h0")[0].step


def test_the_forum_case_in_torch() -> None:
    made = trace("""
        import torch
        w_y = torch.tensor(40.0)
        w_h = torch.tensor(0.5, requires_grad=True)
        h0 = torch.tensor(2.0)
        h1_raw = w_h*h0
        h1 = torch.tanh(h1_raw)
        h1.retain_grad()
        h2 = (w_h*h1).tanh()
        y2 = w_y*h2
        y2.backward()
        print("autograd", w_h.grad.item())
        dh2 = w_y.detach() * (1 - h2.detach()**2)
        dwh = dh2 * h1.detach()
        dwh += dh2*w_h.detach()*(1 - h1**2).item()*h0
        assert torch.allclose(dwh, w_h.grad)
        assert abs(dwh - w_h.grad) < 1e-6
        gap = dwh - w_h.grad
        ok = h1.grad
    """)
    assert [(f.name, f.requires_grad, f.dtype) for f in made.leaves] == [
        ("w_y", False, "float32"),
        ("w_h", True, "float32"),
        ("h0", False, "float32"),
    ]
    w = 0.5
    u = math.tanh(2 * w)
    true = 40 * (1 - math.tanh(w * u) ** 2) * (u + w * 2 * (1 - u * u))
    assert value(made, "dwh") == pytest.approx(true, rel=1e-12)
    names = {made.graph[g.step].name for g in made.grad_reads}
    assert names == {"w_h.grad", "h1.grad"}
    read = made.grad_reads[0]
    assert made.graph[read.target].name == "w_h"
    assert made.values[read.step] == pytest.approx(true, rel=1e-12)
    assert under(made, read.span) == "w_h.grad"
    assert made.graph[made.backward_calls[0].step].name == "y2"
    assert made.graph.output == made.backward_calls[0].step
    assert rhs(made, "gap") == "sub(dwh#2, w_h.grad)"
    assert rhs(made, "dh2") == "mul(alias(w_y), sub(1, pow(alias(h2), 2)))"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("x = 0.5\ny = 2*x", "y", "mul(2, x)"),
        ("x = 0.5\ny = 0.1*x", "y", "mul(1/10, x)"),
        ("x = 0.5\ny = x/3 + 1/3", "y", "add(div(x, 3), 1/3)"),
        ("x = 0.5\ny = (1/3)*x**-2", "y", "mul(1/3, pow(x, -2))"),
        ("x = 0.5\ny = -x", "y", "neg(x)"),
        ("x = 0.5\ny = -2*x", "y", "mul(-2, x)"),
        ("x = 0.5\ny = x**2", "y", "pow(x, 2)"),
        ("x = 0.5\ny = 2**x", "y", "pow(2, x)"),
        ("x = 0.5\ny = x**x", "y", "pow(x, x)"),
        ("x = 0.5\ny = pow(x, 3)", "y", "pow(x, 3)"),
        ("x = 0.5\ny = abs(-x)", "y", "abs(neg(x))"),
        ("x = 0.5\ny = max(0, x)", "y", "max(0, x)"),
        ("x = 0.5\ny = min(x, 1.0, x*2)", "y", "min(min(x, 1), mul(x, 2))"),
        ("x = 0.5\ny = sum([x, x, 1])", "y", "add(add(x, x), 1)"),
        ("x = 0.5\ny = sum(i*x for i in range(3))", "y", "add(add(mul(0, x), mul(1, x)), mul(2, x))"),
        ("x = 0.5\ny = float(x*2)", "y", "mul(x, 2)"),
        ("import math\nx = 0.5\ny = math.exp(-x)", "y", "exp(neg(x))"),
        ("import math\nx = 0.5\ny = math.log(x, 2)", "y", "div(log(x), log(2))"),
        ("import math\nx = 0.5\ny = 2*math.pi*x", "y", "mul(mul(2, pi), x)"),
        ("from math import sin as s, e\nx = 0.5\ny = s(x)*e", "y", "mul(sin(x), E)"),
        ("import numpy\nx = 0.5\ny = numpy.log1p(x)", "y", "log1p(x)"),
        ("import numpy as np\nx = 0.5\ny = np.maximum(0, x)", "y", "max(0, x)"),
        ("import numpy as np\nx = 0.5\ny = np.where(x > 0, x, 0.0)", "y", "where(gt(x, 0), x, 0)"),
        ("import numpy as np\nx = 0.5\ny = np.square(x)", "y", "pow(x, 2)"),
        ("import numpy as np\nx = 0.5\ny = np.clip(x, -1, 1)", "y", "min(max(x, -1), 1)"),
        ("import numpy as np\nx = np.float64(0.5)\ny = np.dot(x, 2.0)", "y", "mul(x, 2)"),
        ("import numpy as np\nx = np.array(0.5)\ny = np.sum(x*2)", "y", "mul(x, 2)"),
        ("import torch\nx = torch.tensor(0.5)\ny = torch.sigmoid(x).item()", "y", "sigmoid(x)"),
        ("import torch.nn.functional as F, torch\nx = torch.tensor(0.5)\ny = F.relu(x)", "y", "relu(x)"),
        ("from torch.nn import functional as F\nimport torch\nx = torch.ones(1)\ny = F.mish(x)", "y", "mish(x)"),
        ("import torch\nx = torch.ones(())\ny = torch.nn.functional.leaky_relu(x, 0.2)", "y", "leaky_relu(x, 1/5)"),
        ("import torch\nx = torch.tensor(0.5)\ny = x.pow(2).exp().clamp(min=0)", "y", "max(exp(pow(x, 2)), 0)"),
        ("import torch, torch.nn.functional as F\nx = torch.ones(())\ny = F.gelu(x)", "y", "gelu(x)"),
        ("import torch\nx = torch.ones(())\nf = torch.nn.functional.gelu\ny = f(x, approximate='tanh')", "y",
         "gelu_tanh(x)"),
        ("from functools import reduce\nx = 0.5\ny = reduce(lambda a, b: a*b, [x, x, x])", "y", "mul(mul(x, x), x)"),
        ("x = 0.5\ny = (x > 0)*x", "y", "mul(gt(x, 0), x)"),
        ("x = 0.5\ny = x if x > 1 else 3*x", "y", "mul(3, x)"),
        ("x = 0.5\nif x > 0:\n    y = x*2\nelse:\n    y = x*3", "y", "mul(x, 2)"),
        ("x = -0.5\ny = 0 if x < 0 else x", "y", "alias(0)"),
        ("x = -0.5\nif x < 0:\n    y = 0\nelse:\n    y = x", "y", "alias(0)"),
        ("n = 4\ny = 1.0/n", "y", "div(1, n)"),
        ("n = 4\ny = -2.5*n", "y", "mul(-5/2, n)"),
        ("n = 4\ny = 0.5 - n", "y", "sub(1/2, n)"),
        ("n = 3\nx = 0.5\nfor i in range(n):\n    y = x*i", "y", "mul(x, 2)"),
        ("x = 0.5\ny = x*1\nwhile y < 3:\n    y = y*2", "y", "mul(y#3, 2)"),
        ("x = 0.5\ny = [v*2 for v in [x]][0]", "y", "mul(x, 2)"),
        ("x = 0.5\nz = (y := x*2) + 1", "y", "mul(x, 2)"),
        ("x: float = 0.5\ny: 'anything at all' = x*2", "y", "mul(x, 2)"),
        ("x = 0.5\nf = lambda a, k=3: a*k\ny = f(x)", "y", "mul(x, k)"),
        ("x = 0.5\ntry:\n    y = x/0\nexcept ZeroDivisionError:\n    y = x*2", "y", "mul(x, 2)"),
        ("import random\nrandom.seed(1)\nx = random.random()\ny = x*2", "y", "mul(x, 2)"),
        ("import copy\nx = 0.5\nd = copy.deepcopy({'a': [x]})\ny = d['a'][0]*2", "y", "mul(x, 2)"),
    ],
)  # fmt: skip
def test_what_is_recorded(text: str, name: str, expected: str) -> None:
    made = trace(text)
    assert rhs(made, name) == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, b = 0.5, 2.0", ["a", "b"]),
        ("a = b = 0.5", ["a", "b"]),
        ("(a, (b, c)), *d = (0.5, (1.5, 2.5)), 1, 2", ["a", "b", "c"]),
        ("xs = [0.1, 0.2]", ["xs[0]", "xs[1]"]),
        ("p = {'w': 0.5, 'b': [0.1]}", ['p["w"]', 'p["b"][0]']),
        ("g = {}\ng['x'] = 0.5\ng['x'] += 1.0", ['g["x"]', 'g["x"]']),
        ("hs = []\nhs.append(0.5)\nhs.append(hs[0]*2)", ["hs[0]", "hs[1]"]),
        ("xs = [0.0]*3\nxs[1] = 0.5", ["xs[1]"]),
        ("xs = [0.1, 0.2]\nfor x in xs:\n    pass", ["xs[0]", "xs[1]", "x", "x"]),
        ("for x in [0.1, 0.2]:\n    pass", ["x", "x"]),
        ("for i, (x, y) in enumerate([(0.1, 0.2)]):\n    pass", ["x", "y"]),
        ("class A:\n    pass\na = A()\na.b = 0.5\na.b *= 2.0\na.c, d = a.b, 0.1", ["a.b", "a.b", "a.c", "d"]),
        ("class A:\n    w = 0.5\n    def f(self):\n        self.dW = self.w*2\nA().f()", ["w", "self.dW"]),
        ("class A:\n    def __init__(self):\n        self._x = 0.5\nA()", ["self._x"]),
        ("import torch\nx = torch.tensor(0.5, requires_grad=True)\n(x*2).backward()\ng = x.grad", ["x", "g"]),
        ("x = 0.5\ndel x", ["x"]),
        ("i = 3\nj = i + 1\nk = len([1])\nb = True\ns = 'a'", ["i", "j"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    made = trace(text)
    assert [b.name for b in made.bindings] == names
    assert [b.order for b in made.bindings] == list(range(len(names)))


def test_scopes_count_the_calls() -> None:
    made = trace("""
        def sq(x):
            y = x*x
            return y
        class Net:
            def forward(self, x):
                h = sq(x)
                return h
        a = 0.5
        b = Net().forward(a)
        c = sq(0.25)
    """)
    assert [(b.name, b.scope) for b in made.bindings] == [
        ("a", ""), ("y", "sq#1"), ("h", "Net.forward#1"), ("b", ""), ("x", "sq#2"), ("y", "sq#2"), ("c", ""),
    ]  # fmt: skip
    # The number has one step, called as it was first; all its other names lead to it.
    assert {origin(made, b.step) for b in made.bindings if b.name in ("h", "b")} == {made.graph.find("y")}
    assert [f.name for f in made.leaves] == ["a", "x"]


def test_spans_are_the_sub_expressions() -> None:
    made = trace('x = 0.5\né = "ü"; y = (x + 1)*(x - 2)/x**2; z = abs(x)\nw = (x +\n     y)\n')
    texts = {s.op: under(made, s.span) for s in made.graph if s.op not in ("input", "const") and s.span.line == 2}
    assert texts == {
        "add": "x + 1", "sub": "x - 2", "pow": "x**2", "mul": "(x + 1)*(x - 2)", "div": "(x + 1)*(x - 2)/x**2",
        "abs": "abs(x)",
    }  # fmt: skip
    wide = step(made, "w").span
    assert (wide.line, wide.column, wide.end_line, wide.end_column) == (3, 6, 4, 7)


def test_spans_inside_helpers_are_the_helpers() -> None:
    made = trace("def d(x):\n    return 1 - x**2\nz = 0.5\ny = d(z)\n")
    assert under(made, step(made, "y").span) == "1 - x**2"
    assert under(made, bindings(made, "y")[0].span) == "d(z)"


def test_values_are_the_scripts_own() -> None:
    made = trace("""
        import numpy as np, math
        x = 0.3; n = 4
        a = np.exp(x)*math.sin(x) + x**n - n/x
        print(a, n, n//2, n % 3, round(x, 1), int(x), f"{x:.2f} {n:d} {n:>3}", [x], "%d %.3f" % (n, x))
        print("{0:.3f} {a} {0}".format(x, a=n), str(x), repr(n), x > 0, not x > 0, x == 0.3, [1,2,3,4,5][n])
        assert isinstance(x, float) and isinstance(n, int) and not isinstance(x, int)
        assert isinstance(a, np.float64) and type(x) is float and type(n) == int and type(x).__name__ == "float"
        assert math.isclose(x, 0.3) and np.isclose(x, 0.3) and abs(x - 0.3) < 1e-9 and np.allclose([x], 0.3) is True
        assert {x: 1}[0.3] == 1 and n in (4, 5) and x in [0.3] and x != None and list(range(n)) == [0, 1, 2, 3]
        assert sorted([0.5, x, 0.1])[1] is x and divmod(n, 3) == (1, 1) and "ab"*n == "abababab"
    """)
    assert value(made, "a") == np.exp(0.3) * math.sin(0.3) + 0.3**4 - 4 / 0.3
    assert made.prints == (
        f"{value(made, 'a')} 4 2 1 0.3 0 0.30 4   4 [0.3] 4 0.300",
        "0.300 4 0.3 0.3 4 True False True 5",
    )


def test_constants_are_exact() -> None:
    made = trace("x = 0.5\ny = 0.1*x + 1e-3*x + 123456789.25*x + 7*x + (2/7)*x")
    consts = [s.value for s in made.graph if s.is_const]
    assert consts == [
        Fraction(1, 10), Fraction(1, 1000), Fraction(12345678925, 100), Fraction(7), Fraction(2, 7),
    ]  # fmt: skip
    assert made.values[[s.is_const for s in made.graph].index(True)] == 0.1


def test_constant_expressions_are_leaves() -> None:
    made = trace("import math\na = -0.5\nb = 1/3\nc = math.sqrt(2)\nd = 2*math.pi\ne = float('0.5')\nf = a + b")
    assert [f.name for f in made.leaves] == ["a", "b", "c", "d", "e"]
    assert [f.literal for f in made.leaves] == [True, True, False, False, False]
    assert step(made, "f").op == "add"
    assert value(made, "c") == math.sqrt(2)


def test_arrays_are_shaped_values() -> None:
    made = trace("""
        import numpy as np
        x = np.array([[0.1, 0.2, 0.3]])
        w = np.array([[1.0], [2.0]])
        b = 0.5
        h = np.tanh(w*x + b)
        d = (1 - h**2)
        d *= 2
        alias = d
        alias += 1
        m = (x > 0.15)*x
        z = np.zeros((2, 3)) + h
        print(h.shape, d is alias)
    """)
    assert step(made, "h").shape == (2, 3)
    x, w = np.array([[0.1, 0.2, 0.3]]), np.array([[1.0], [2.0]])
    h = np.tanh(w * x + 0.5)
    assert np.allclose(value(made, "h"), h)
    assert np.allclose(value(made, "alias"), (1 - h**2) * 2 + 1)
    assert value(made, "m") == [[0.0, 0.2, 0.3]]
    # alias is d: what is done to the one is done to the other.
    assert [(b.name, b.augmented) for b in made.bindings if b.augmented] == [("d", "*="), ("d", "[]="), ("alias", "+=")]
    assert made.prints == ("(2, 3) True",)


def test_in_place_changes_are_seen_through_every_name() -> None:
    made = trace("import numpy as np\na = np.array([1.0, 2.0])\nb = a\nb *= 3\nc = a + 0.0")
    assert value(made, "c") == [3.0, 6.0]


def test_a_whole_torch_script() -> None:
    made = trace("""
        import torch
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        w = torch.tensor(0.7, requires_grad=True)
        b = torch.zeros((), requires_grad=True)
        for epoch in range(3):
            if w.grad is not None:
                w.grad.zero_(); b.grad = None
            loss = (torch.sigmoid(w*1.5 + b) - 1)**2
            loss.backward()
            with torch.no_grad():
                w -= 0.1*w.grad
                b.data -= 0.1*b.grad
        g, = torch.autograd.grad(w*w, [w])
        frozen = w.detach()*3
        assert not frozen.requires_grad and w.requires_grad and w.is_leaf and loss.item() > 0
        assert isinstance(w, torch.Tensor) and w.dtype == torch.float64 and w.dim() == 0
    """)
    w = b = 0.0
    w = 0.7
    for _ in range(3):
        s = 1 / (1 + math.exp(-(w * 1.5 + b)))
        d = 2 * (s - 1) * s * (1 - s)
        w, b = w - 0.1 * d * 1.5, b - 0.1 * d
    assert value(made, "w") == pytest.approx(w, rel=1e-12)
    assert value(made, "g") == pytest.approx(2 * w, rel=1e-12)
    assert len(made.backward_calls) == 4
    assert {f.name: f.requires_grad for f in made.leaves} == {"w": True, "b": True}
    assert {f.dtype for f in made.leaves} == {"float64"}


@pytest.mark.parametrize("op", sorted(n for n, op in OPS.items() if op.elementwise), ids=str)
def test_the_childs_autograd_agrees_with_differences(op: str) -> None:
    row = OPS[op]
    for point in row.points:
        for i in range(row.arity):
            if row.partials[i] is None or row.kinks or (row.lossy and row.lossy[0](*point)):
                continue
            h = 1e-6 * max(1.0, abs(point[i]))

            def at(t: float, i: int = i, point: tuple[float, ...] = point) -> float:
                return float(numeric.function(op)(*(np.float64(t if j == i else p) for j, p in enumerate(point))))

            with np.errstate(all="ignore"):
                found = numeric.partial(op, i, at(point[i]), point)
                difference = (at(point[i] + h) - at(point[i] - h)) / (2 * h)
            if math.isfinite(difference):
                assert float(found) == pytest.approx(difference, rel=2e-4, abs=1e-7 * max(1.0, abs(at(point[i]))))


@pytest.mark.parametrize("op", sorted(n for n, op in OPS.items() if op.elementwise), ids=str)
def test_every_op_has_a_value(op: str) -> None:
    """Against the Arb enclosure, an independent witness."""
    from flint import arb

    for point in OPS[op].points:
        found = float(numeric.function(op)(*(np.float64(p) for p in point)))
        true = float(OPS[op].enclose(*(arb(p) for p in point)).mid())
        assert found == pytest.approx(true, rel=1e-12, abs=1e-14), point


@pytest.mark.parametrize(
    ("text", "kind", "says", "place"),
    [
        ("x = 0.5\ny = x/(x - x)", "exception", "ZeroDivisionError", (2, "x/(x - x)")),
        ("x = 0.5\ny = foo(x)", "exception", "NameError: name 'foo'", (2, "foo")),
        ("x = 0.5\nx.foo()", "exception", "'float' object has no attribute 'foo'", (2, "x.foo")),
        ("x = [1]\nx.apend(2)", "exception", "did you mean 'append'", (2, "x.apend")),
        ("import math\nx = -1.0\ny = math.log(x)", "exception", "ValueError", (3, "math.log(x)")),
        ("x = 0.5\nassert x > 1, 'too small'", "exception", "AssertionError: too small", (2, "x > 1")),
        ("d = {}\nx = d['a']", "exception", "KeyError: 'a'", (2, "d['a']")),
        ("import numpy as np\na = np.array([1.0, 2.0])\nb = a[2]", "exception", "out of bounds", (3, "a[2]")),
        ("import numpy as np\na = np.ones((2, 3))\nb = a @ a", "exception", "inner lengths 3 and 2", (3, "a @ a")),
        ("import numpy as np\na = np.array([1.0])\nb = a.sum(1)", "exception", "axis 1 of shape (1,)", (3, "a.sum(1)")),
        ("import numpy as np\na = np.linalg.eig(1.0)", "unsupported", "numpy.linalg.eig", (2, "np.linalg.eig(1.0)")),
        ("import torch\nl = torch.nn.Fold(1)", "unsupported", "torch.nn.Fold", (2, "torch.nn.Fold(1)")),
        ("import sympy\nx = 0.5\ny = sympy.special.expit(x)", "unsupported", "module sympy", (3, "sympy.special")),
        ("x = -0.5\ny = x**0.5", "unsupported", "complex", (2, "x**0.5")),
        ("def f(x):\n    return x/0\ny = f(0.5)", "exception", "ZeroDivisionError", (2, "x/0")),
        ("class E(Exception):\n    pass\nraise E('no')", "exception", "E: no", (3, "raise E('no')")),
        ("import torch\nx = torch.tensor(1.0)\nx.backward()", "exception", "not require grad", (3, "x.backward()")),
        ("import numpy as np\na = np.array([1.0, 2.0]) + np.array([1.0, 2.0, 3.0])", "exception", "not be broadcast",
         (2, "np.array([1.0, 2.0]) + np.array([1.0, 2.0, 3.0])")),
    ],
)  # fmt: skip
def test_what_stops_a_run_is_located(text: str, kind: str, says: str, place: tuple[int, str]) -> None:
    made = trace_source(text, "script.py")
    assert made.error is not None
    assert made.error.kind == kind
    assert says in made.error.message
    assert made.error.span is not None
    assert (made.error.span.line, under(made, made.error.span)) == place
    assert to_json(from_json(json.loads(json.dumps(to_json(made))))) == to_json(made)


def test_what_was_traced_before_an_error_is_kept() -> None:
    made = trace_source("x = 0.5\ny = x*2\nz = undefined\nw = x*3\n", "script.py")
    assert made.error is not None
    assert [b.name for b in made.bindings] == ["x", "y"]
    assert value(made, "y") == 1.0


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("x = 0.5\nprint x\n", "Python 2 print statement", 2),
        ("x = 0.5\nexec 'x'\n", "Python 2 exec statement", 2),
        ("try:\n    x = 1\nexcept ValueError, e:\n    pass\n", "Python 2 except", 3),
        ("x = 0.5\ny = (x\n", "'(' was never closed", 2),
        ("def f(:\n    pass\n", "invalid syntax", 1),
        ("x = 1\n  y = 2\n", "unexpected indent", 2),
        ("return 1\n", "'return' outside function", 1),
        ("x = 0.5\ny = x.__dict__\n", "__dict__", 2),
    ],
)
def test_text_that_does_not_parse(text: str, says: str, line: int) -> None:
    with pytest.raises(SymgradError, match=re.escape(says)) as caught:
        trace_source(text, "script.py")
    assert caught.value.span is not None
    assert caught.value.span.line == line
    assert "^" in caught.value.render()


def test_what_became_a_constant_is_noted() -> None:
    made = trace("import math\nx = 0.7\ny = math.floor(x)*x\nz = x // 0.5\nr = round(x*2, 3)\n")
    assert [(n.span.line, n.message) for n in made.notes] == [
        (3, "the result of math.floor is taken as a constant"),
        (4, "the result of // is taken as a constant"),
        (5, "the result of round is taken as a constant"),
    ]


def test_infinities_and_nan_cross_as_json() -> None:
    made = trace_source("import numpy as np\nx = np.float64(0.0)\ny = 1/x\nz = y - y\nm = -np.inf\n", "script.py")
    again = from_json(json.loads(json.dumps(to_json(made), allow_nan=False)))
    assert repr(again) == repr(made)
    assert value(made, "y") == math.inf
    assert value(made, "m") == -math.inf
    assert math.isnan(value(made, "z"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(schema=99),
        lambda d: d["values"].pop(),
        lambda d: d["bindings"][0].__setitem__(1, 10**6),
        lambda d: d["bindings"][0].__setitem__(2, [7, 1, 1, 1, 1]),
        lambda d: d["bindings"].append("x"),
        lambda d: d["values"].__setitem__(0, {"a": 1}),
        lambda d: d["graph"]["steps"][1].update(inputs=[5, 5]),
        lambda d: d.pop("leaves"),
    ],
)
def test_a_spoilt_document_is_refused(spoil: Any) -> None:
    document = to_json(trace("x = 0.5\ny = x*2\n"))
    spoil(document)
    with pytest.raises(InternalError):
        from_json(document)


def test_long_recurrences_are_linear() -> None:
    text = """
        import numpy as np
        w = 0.9; h0 = 0.3; T = {n}
        hs = [h0]
        raws = []
        for t in range(T):
            raw = w*hs[t] + 0.1*np.sin(hs[t])
            raws.append(raw)
            hs.append(np.tanh(raw))
        dh = 1.0
        dw = 0.0
        for t in reversed(range(T)):
            draw = (1 - hs[t+1]**2)*dh
            dw += draw*hs[t]
            dh = draw*w + draw*0.1*np.cos(hs[t])
        y = hs[-1]
    """
    began = time.process_time()
    made = trace_source(dedent(text.replace("{n}", "1500")), "script.py")
    seconds = time.process_time() - began
    assert made.error is None
    assert len(made.graph) > 19_000
    assert seconds < 2.0


def test_deep_autograd_is_not_recursive() -> None:
    made = trace("import torch\nw = torch.tensor(0.9, requires_grad=True)\nh = w*1\nfor t in range(5000):\n"
                 "    h = h*0.999\nh.backward()\ng = w.grad\n")  # fmt: skip
    assert value(made, "g") == pytest.approx(0.999**5000, rel=1e-10)


def test_torch_is_never_imported() -> None:
    code = (
        "import sys\nfrom symgrad.frontends.tracing import trace_source\n"
        "t = trace_source('import torch\\nx = torch.tensor(1.0, requires_grad=True)\\n(x*x).backward()\\n'\n"
        "                 'print(x.grad)')\n"
        "assert t.prints == ('tensor(2.0000)',), t.prints\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- functions of the caller's own ------------------------------------------------------------------------------

SCALE = 3.0


def helper(z: float) -> float:
    return math.exp(-z) * SCALE


def forward(x: float, w: float) -> float:
    h = np.tanh(w * x)
    return helper(h) + np.sin(x)


def forward_and_gradient(x: float, w: float = 2.0) -> Any:
    h = np.tanh(w * x)
    return h, {"dx": (1 - h**2) * w}


class Layer:
    def __init__(self) -> None:
        self.w = 0.3
        self.calls = 0

    def act(self, z: float) -> float:
        return z * z

    def forward(self, x: float) -> float:
        self.calls += 1
        self.h = self.act(self.w * x)
        return self.h


def make(k: float) -> Any:
    def inner(x: float) -> float:
        return x * k

    return inner


def recursive(x: float, n: int) -> float:
    return x if n == 0 else recursive(x * x, n - 1)


def trace_callable(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Trace:
    """A function that is there already, at these inputs."""
    target, owner = plain_function(function)
    if owner is not None:
        inputs = {next(iter(inspect.signature(target).parameters)): owner, **inputs}
    return whole(Trusted(*source_of(target)).trace(target, inputs))


def test_a_trusted_function() -> None:
    made = trace_callable(forward, {"x": 0.5, "w": 2.0})
    assert made.error is None
    assert [f.name for f in made.leaves] == ["x", "w", "SCALE"]
    assert rhs(made, "return") == "add(mul(exp(neg(h)), SCALE), sin(x))"
    assert made.values[made.graph.output] == forward(0.5, 2.0)
    assert under(made, step(made, "h").span) == "np.tanh(w * x)"
    assert step(made, "h").span.file == __file__


def test_a_trusted_function_that_returns_several() -> None:
    made = trace_callable(forward_and_gradient, {"x": 0.5})
    assert [b.name for b in made.bindings] == ["x", "w", "h", "return[0]", 'return[1]["dx"]']


def test_a_trusted_method_leaves_its_object_alone() -> None:
    layer = Layer()
    made = trace_callable(layer.forward, {"x": 0.5})
    assert made.error is None
    assert [b.name for b in made.bindings] == ["x", "self.w", "self.h", "return"]
    assert vars(layer) == {"w": 0.3, "calls": 0}
    assert type(layer.w) is float


def test_trusted_closures_lambdas_and_recursion() -> None:
    assert rhs(trace_callable(make(2.5), {"x": 0.5}), "return") == "mul(x, k)"
    assert rhs(trace_callable(lambda x, y: x * y + 1, {"x": 0.5, "y": 2}), "return") == "add(mul(x, y), 1)"
    made = trace_callable(recursive, {"x": 0.5, "n": 3})
    assert made.values[made.graph.output] == 0.5**8


def test_a_trusted_function_on_arrays() -> None:
    made = trace_callable(forward_and_gradient, {"x": np.array([0.5, 1.0]), "w": 2.0})
    assert np.allclose(value(made, "return[0]"), np.tanh([1.0, 2.0]))
    assert step(made, "h").shape == (2,)


def test_a_trusted_function_that_raises() -> None:
    made = trace_callable(make(0.0), {"x": "text"})
    assert made.error is not None
    assert made.error.span is not None


def test_something_without_source_is_said_to_be_so() -> None:
    with pytest.raises(SymgradError):
        trace_callable(math.sin, {"x": 0.5})


# --- the same as plain Python -----------------------------------------------------------------------------------

HONEST = sorted((Path(__file__).parent / "honest").glob("*.py"))


@pytest.mark.parametrize("path", HONEST, ids=lambda p: p.stem)
def test_a_script_prints_under_tracing_what_it_prints_under_python(path: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    made = trace(path.read_text())
    assert list(made.prints) == plain.stdout.rstrip("\n").split("\n")


@pytest.mark.parametrize(
    ("call", "op"),
    [
        ("torch.maximum(x, y)", "max"),
        ("torch.minimum(x, y)", "min"),
        ("torch.atan2(x, y)", "atan2"),
        ("torch.hypot(x, y)", "hypot"),
        ("torch.logaddexp(x, y)", "logaddexp"),
        ("torch.lgamma(x)", "lgamma"),
        ("torch.digamma(x)", "digamma"),
        ("torch.polygamma(2, x)", "polygamma"),
        ("torch.where(x > 0, x, y)", "where"),
        ("x.lgamma()", "lgamma"),
        ("x.maximum(y)", "max"),
    ],
)
def test_torch_functions_that_the_table_runs_by_a_callable(call: str, op: str) -> None:
    """Their entry in the table is no dotted name, so their spellings are stated; the value is torch's own."""
    text = f"""
        import torch
        x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        y = torch.tensor(1.9, dtype=torch.float64)
        r = {call}
    """
    made = trace(text)
    assert step(made, "r").op == op
    x, y = torch.tensor([0.7, 1.9], dtype=torch.float64)
    truth = eval(call, {"torch": torch, "x": x, "y": y})
    assert value(made, "r") == pytest.approx(float(truth), rel=1e-14)


@pytest.mark.parametrize(
    "declared",
    [
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    w: float\n    b: float = 0.5\np = P(a, b=b)",
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass P:\n    w: float\n    b: float = 0.5\n"
        "p = dataclasses.replace(P(a), b=b)\nassert dataclasses.astuple(p) == (a, b)",
        "from dataclasses import dataclass, field, asdict\n@dataclass\nclass Q:\n    w: float\n"
        "@dataclass\nclass P(Q):\n    b: float = 0.0\n    seen: list = field(default_factory=list)\n"
        "    def __post_init__(self):\n        self.seen.append(self.w)\np = P(a, b)\n"
        "assert asdict(P(a, b))['seen'] == [a]",
        "from typing import NamedTuple\nclass P(NamedTuple):\n    w: float\n    b: float = 0.5\np = P(a, b=b)\n"
        "w, b2 = p\nassert p[0] == a and len(p) == 2 and p._replace(w=b).w == b",
        "class P:\n    __slots__ = ('w', 'b')\n    def __init__(self, w, b):\n        self.w, self.b = w, b\n"
        "p = P(a, b)",
    ],
)
def test_declared_classes_are_plain_ones(declared: str) -> None:
    trace = trace_source(f"a = 0.7\nb = 1.9\n{declared}\nL = (p.w*p.b)**2\n", "s.py")
    assert trace.error is None
    assert next(trace.values[b.step] for b in trace.bindings if b.name == "L") == pytest.approx((0.7 * 1.9) ** 2)


def test_statistics_and_dictionaries_that_are_comprehended() -> None:
    text = "import statistics as st\na = 0.7\nm = st.mean([a, 2*a, 4.0])\ns = st.stdev([a, m, 1.0])\n"
    trace = trace_source(text + "g = {k: 2*m for k in 'ab'}\n", "s.py")
    held = {b.name: trace.values[b.step] for b in trace.bindings}
    assert held["m"] == pytest.approx(6.1 / 3)
    assert held["s"] == pytest.approx(statistics.stdev([0.7, 6.1 / 3, 1.0]))
    assert held['g["a"]'] == held['g["b"]'] == pytest.approx(2 * 6.1 / 3)
