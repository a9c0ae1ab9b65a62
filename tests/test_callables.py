"""Functions of the caller's own: forward and backward pairs, layers, torch.autograd.Functions."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgrad
from symgrad import check_backward
from symgrad.errors import SymgradError, Unsupported
from symgrad.report.diagnostics import unified_diff
from symgrad.report.model import Finding, Report
from tests import pairs

SOURCE = Path(pairs.__file__).read_text()
XWB = {"x": 0.7, "w": -0.6, "b": 0.2}


def roots(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.root]


def line(text: str, source: str = SOURCE) -> int:
    (found,) = [n for n, row in enumerate(source.split("\n"), 1) if text in row]
    return found


def only(report: Report) -> Finding:
    found = roots(report)
    assert len(found) == 1, report.explain()
    return found[0]


# --- functions ----------------------------------------------------------------------------------------------------


def test_a_right_pair() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward, XWB)
    assert report.ok, report.explain()
    assert {"return[0]", "return[1]", "return[2]"} <= set(report.confirmed)


def test_a_wrong_factor_is_found_in_the_file() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_wrong, XWB)
    found = only(report)
    assert (found.line, found.mistake, found.found, found.expected) == (
        line("# the input"), "input-for-output", "1 - z**2", "1 - y**2",
    )  # fmt: skip
    assert found.span is not None
    assert found.span.file == pairs.__file__
    assert found.fix_verified
    assert "# the input" in report.explain()
    diff = unified_diff(report)
    assert "-    dz = dout * (1 - z**2)  # the input\n+    dz = dout * (1 - y**2)  # the input\n" in diff
    assert report.to_json()["findings"][0]["file"] == pairs.__file__


@pytest.mark.parametrize("inputs", [(0.7, -0.6, 0.2), [0.7, -0.6, 0.2], (np.float64(0.7), np.array(-0.6), 0.2)])
def test_inputs_in_order(inputs: Any) -> None:
    assert check_backward(pairs.tanh_forward, pairs.tanh_backward, inputs).ok
    assert not check_backward(pairs.tanh_forward, pairs.tanh_backward_wrong, inputs).ok


def test_an_upstream_gradient_that_is_not_used() -> None:
    found = only(check_backward(pairs.tanh_forward, pairs.tanh_backward_unused, XWB))
    assert (found.line, found.mistake) == (line("# no dout"), "missing-factor")
    assert found.found_value != found.expected_value
    assert not check_backward(pairs.tanh_forward, pairs.tanh_backward_unused, XWB, upstream=1.0).ok
    assert check_backward(pairs.tanh_forward, pairs.tanh_backward, XWB, upstream=1).ok


def test_gradients_in_the_wrong_order() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_swapped, XWB)
    assert {f.line for f in roots(report)} == {line("# swapped")}, report.explain()
    assert check_backward(
        pairs.tanh_forward, pairs.tanh_backward_swapped, XWB, returns=("dw", "dx", "db")
    ).ok


def test_the_names_of_what_is_returned_tell_the_order() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_named, XWB)
    assert report.ok, report.explain()
    assert any("in the order w, b, x, which is not that of the inputs" in f.message for f in report.findings)


def test_a_dictionary_of_gradients() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_dict, XWB)
    found = only(report)
    assert (found.line, found.step, found.mistake) == (line("# twice"), 'return["db"]', "scale")


def test_no_upstream_gradient() -> None:
    found = only(check_backward(pairs.square, pairs.square_gradient, 0.7))
    assert (found.line, found.mistake) == (line("# three"), "scale")
    with pytest.raises(SymgradError, match="no parameter for the upstream gradient"):
        check_backward(pairs.square, pairs.square_gradient, 0.7, upstream=2.0)


def test_helpers_and_globals() -> None:
    assert check_backward(pairs.product, pairs.product_gradient, (0.7, 1.3)).ok
    report = check_backward(pairs.product, pairs.product_gradient_wrong, (0.7, 1.3))
    assert [f.mistake for f in roots(report)] == ["sign", "missing-factor"], report.explain()
    assert {f.line for f in roots(report)} == {line("# sign and scale")}


def test_numbers_in_a_global_dictionary() -> None:
    found = only(check_backward(pairs.uses_table, pairs.uses_table_back, 0.7))
    assert (found.line, found.mistake) == (line("# no k"), "missing-factor")
    assert pairs.TABLE == {"k": 0.4}
    assert type(pairs.TABLE["k"]) is float


@pytest.mark.parametrize("inputs", [0.3, (0.3, 3), (0.3, 3, 0.5), {"x": 0.3, "scale": 2.0}])
def test_defaults_of_both_are_the_same_input(inputs: Any) -> None:
    returns = None if not isinstance(inputs, tuple | dict) else ("dx",)
    report = check_backward(pairs.power, pairs.power_back, inputs, returns=returns)
    assert report.ok, report.explain()


def test_backward_may_take_the_output() -> None:
    assert check_backward(pairs.unnamed_output, pairs.of_the_output, 0.3).ok


def test_several_outputs() -> None:
    report = check_backward(pairs.two_outputs, pairs.two_outputs_back, (0.7, 1.3), upstream=(1.1, 0.4))
    found = only(report)
    assert (found.line, found.mistake) == (line("# no d2"), "missing-term")
    assert not check_backward(pairs.two_outputs, pairs.two_outputs_back, (0.7, 1.3)).ok


def test_parameters_in_a_dictionary() -> None:
    inputs = {"x": 0.7, "params": {"w": 0.3, "b": [0.1]}}
    report = check_backward(pairs.of_params, pairs.of_params_back, inputs)
    assert report.ok, report.explain()
    assert inputs == {"x": 0.7, "params": {"w": 0.3, "b": [0.1]}}


def test_closures() -> None:
    forward, backward = pairs.make(2.5)
    found = only(check_backward(forward, backward, 0.7))
    assert found.line == line("return dout * k * x  # half")
    assert (found.mistake, found.fix_verified) == ("scale", True)


def test_lambdas() -> None:
    assert check_backward(lambda x, w: x * w, lambda dout, x, w: (dout * w, dout * x), (0.7, 1.3)).ok


# --- layers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["methods", "object", "class"])
def test_a_layer(given: str) -> None:
    layer = pairs.Layer()
    before = copy.deepcopy(vars(layer))
    if given == "methods":
        report = check_backward(layer.forward, layer.backward, 0.7)
    else:
        report = check_backward(layer if given == "object" else pairs.Layer, None, 0.7)
    assert (only(report).line, only(report).step) == (line("self.dw = "), "self.dw"), report.explain()
    assert vars(layer) == before


def test_a_layer_that_calls_its_base() -> None:
    found = only(check_backward(pairs.Deeper(), None, {"x": 0.7}))
    assert (found.line, found.mistake) == (line("# half of it"), "scale")


def test_objects_that_are_called_and_properties() -> None:
    stack = pairs.Stack()
    report = check_backward(stack, None, 0.7)
    assert report.ok, report.explain()
    assert [type(unit).__name__ for unit in stack.units] == ["Unit", "Unit"]
    assert vars(stack.last) == {"k": 1.1}
    found = only(check_backward(pairs.WrongStack(), None, 0.7))
    assert found.line == line("# half too little")


def test_static_methods() -> None:
    found = only(check_backward(pairs.Static, None, 0.7))
    assert found.line == line("# power")


def test_torch_functions() -> None:
    from tests import torch_pairs

    source = Path(torch_pairs.__file__).read_text()
    assert check_backward(torch_pairs.Tanh, None, (0.7, 1.3)).ok
    report = check_backward(torch_pairs.Swapped, None, (0.7, 1.3))
    assert {f.line for f in roots(report)} == {line("# the order counts", source)}, report.explain()
    report = check_backward(torch_pairs.Newer, None, {"x": 0.7, "power": 3})
    assert {f.line for f in roots(report)} == {line("# no power", source)}, report.explain()


def test_tensors_as_inputs() -> None:
    import torch

    from tests import torch_pairs

    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert check_backward(torch_pairs.Tanh, None, (x, torch.tensor(1.3)), upstream=torch.tensor(2.0)).ok
    assert x.grad is None
    assert check_backward(torch_pairs.Tanh, None, (torch.tensor([0.7, 0.2]), torch.tensor([1.3, -0.4]))).ok


# --- what cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backward", "message", "text"),
    [
        (pairs.tanh_backward_two, r"returns 2 values for 3 inputs \(x, w, b\)", "# two"),
        (pairs.tanh_backward_nothing, "backward returns nothing", "def tanh_backward_nothing"),
        (pairs.tanh_backward_text, "the gradient of 'x' is a str and no number", 'return "dx", 1.0, 2.0'),
    ],
)
def test_what_is_no_gradient(backward: Any, message: str, text: str) -> None:
    with pytest.raises(SymgradError, match=message) as caught:
        check_backward(pairs.tanh_forward, backward, XWB)
    assert caught.value.span is not None
    assert caught.value.span.line == line(text)
    assert caught.value.span.file == pairs.__file__
    assert caught.value.exit_code == 2


def test_none_for_an_input_that_matters() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_none, XWB)
    found = only(report)
    assert (found.line, found.mistake) == (line("# none"), "never-assigned")
    assert "None is returned for 'w'" in found.message
    assert report.exit_code == 1


def test_a_backward_that_raises_is_checked_up_to_there() -> None:
    report = check_backward(pairs.tanh_forward, pairs.tanh_backward_raises, XWB)
    assert only(report).line == SOURCE.split("\n").index("def tanh_backward_raises(dout, cache):") + 3
    stopped = [f for f in report.findings if f.code == "stopped"]
    assert "the backward pass stopped here: ZeroDivisionError" in stopped[0].message


@pytest.mark.parametrize(
    ("forward", "inputs", "message"),
    [
        (pairs.none_forward, 0.7, "forward returns None"),
        (pairs.constant_forward, 0.7, "does not depend on any input"),
        (pairs.fails_forward, 0.7, "ZeroDivisionError"),
        (pairs.square, {"y": 0.7}, "forward has no parameter 'y'"),
        (pairs.square, (0.7, 0.8), "forward takes 1 inputs, 2 were given"),
        (pairs.square, {}, "there is no value for forward's parameter 'x'"),
    ],
)
def test_what_cannot_be_called(forward: Any, inputs: Any, message: str) -> None:
    with pytest.raises(SymgradError, match=message):
        check_backward(forward, pairs.square_gradient, inputs)


def test_what_is_no_pair() -> None:
    with pytest.raises(SymgradError, match="forward returns no gradients beside its value"):
        check_backward(pairs.square, None, 0.7)
    with pytest.raises(SymgradError, match="give forward and backward"):
        check_backward(object(), None, 0.7)
    with pytest.raises(SymgradError, match="what is backward's parameter 'bar'"):
        check_backward(pairs.square, pairs.ambiguous, 0.7)
    with pytest.raises(SymgradError, match="no Python function"):
        check_backward(np.tanh, pairs.square_gradient, 0.7)
    with pytest.raises(Unsupported, match="two files"):
        check_backward(lambda x: x * x, pairs.square_gradient, 0.7)
    with pytest.raises(SymgradError, match="'dq' is the gradient of none of the inputs x, w, b"):
        check_backward(pairs.tanh_forward, pairs.tanh_backward, XWB, returns=("dx", "dq", ""))


def test_functions_without_text() -> None:
    scope: dict[str, Any] = {}
    exec("def f(x): return x*x\ndef b(x): return 2*x", scope)
    with pytest.raises(Unsupported, match="the source text of f is not to be found"):
        check_backward(scope["f"], scope["b"], 0.7)
    code = "import symgrad\ndef f(x): return x*x\nsymgrad.check_backward(f, f, 0.7)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "the source text of f is not to be found" in done.stderr


def test_a_function_of_another_file_is_not_taken_for_a_constant() -> None:
    from tests.test_callables_helper import through_math

    assert through_math(0.5) > 0
    with pytest.raises(SymgradError, match="through_math, which is in another file"):
        check_backward(uses_another_file, lambda x: 2 * x, 0.7)


def uses_another_file(x: float) -> float:
    from tests.test_callables_helper import through_math

    return through_math(x) * x


# --- symgrad.check of a function ----------------------------------------------------------------------------------


def test_a_function_that_holds_a_derivation() -> None:
    found = only(symgrad.check(pairs.loss_and_gradient, {"x": 0.7, "w": 1.3}))
    assert (found.line, found.mistake) == (line("dw = dh * (1 - h**2) * w"), "wrong-variable")


def test_a_function_as_an_expression() -> None:
    report = symgrad.check(pairs.plain, (0.7, 1.3))
    assert report.verdict == "agree"
    assert {g.wrt for g in report.gradients} == {"x", "w"}
    assert report["x"].witnesses["autograd"].verdict == "agree"
    manual = {"x": "w*tanh(w*x) + w*x*w*(1 - tanh(w*x)^2)"}
    assert symgrad.check(pairs.plain, (0.7, 1.3), manual=manual).ok
    assert not symgrad.check(pairs.plain, (0.7, 1.3), manual={"x": "w*tanh(w*x)"}).ok
    with pytest.raises(SymgradError, match="'loss' is for scripts"):
        symgrad.check(pairs.plain, (0.7, 1.3), loss="a")
    with pytest.raises(SymgradError, match="the inputs of a function are values"):
        symgrad.check(pairs.plain, "x=0.7,w=1.3")
    with pytest.raises(SymgradError, match="a function is traced at a point"):
        symgrad.check(pairs.plain)


def test_an_object_with_both() -> None:
    assert not symgrad.check(pairs.Layer(), {"x": 0.7}).ok
