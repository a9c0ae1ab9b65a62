"""What is refused of expressions of arrays: with a sentence, the place, and exit code 2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.cli import main
from symgrad.errors import SymgradError
from symgrad.frontends.shapes import MAX_ARRAY, read_shapes, read_values
from symgrad.frontends.tensors import parse_tensors

SHAPES = {
    "W": (3, 4), "x": (4,), "b": (3,), "A": (2, 3), "B": (3, 2), "Z": (5, 3), "F": (3, 3), "s": (), "T": (2, 3, 4),
}  # fmt: skip

#: Expression, first and one past the last column under the carets, and what the message must hold.
BAD: list[tuple[str, int, int, tuple[str, ...]]] = [
    # Shapes: both of them, at the operator.
    ("W @ b", 3, 4, ("(3, 4)", "(3,)", "4 and 3 differ")),
    ("sum(tanh(W @ b))", 12, 13, ("(3, 4)", "(3,)")),
    ("W @ x + x", 7, 8, ("(3,)", "(4,)", "cannot be broadcast")),
    ("x - b", 3, 4, ("'-'", "(4,)", "(3,)")),
    ("x*b", 2, 3, ("'*'", "(4,)", "(3,)")),
    ("x / W.T", 3, 4, ("(4,)", "(4, 3)")),
    ("x**b", 2, 4, ("'**'", "(4,)", "(3,)")),
    ("W > b", 3, 4, ("'>'", "(3, 4)", "(3,)")),
    ("s @ x", 3, 4, ("()", "(4,)", "* multiplies by a number")),
    ("A @ A", 3, 4, ("(2, 3)", "3 and 2 differ")),
    ("T @ A", 3, 4, ("(2, 3, 4)", "(2, 3)")),
    ("W x", 1, 4, ("(3, 4)", "(4,)", "side by side")),
    ("where(x > 0, x, b)", 1, 6, ("(4,)", "(3,)")),
    ("max(x, b)", 1, 4, ("(4,)", "(3,)")),
    ("dot(W, b)", 1, 4, ("(3, 4)", "(3,)")),
    ("np.matmul(W, b)", 1, 10, ("(3, 4)", "(3,)")),
    ("W.dot(b)", 2, 6, ("(3, 4)", "(3,)")),
    ("einsum('ij,jk->ik', A, A)", 1, 7, ("(2, 3)", "'j' is both 3 and 2")),
    ("einsum('ij,j', A)", 1, 7, ("names 2 arrays, there are 1",)),
    ("einsum('ijk', A)", 1, 7, ("(2, 3)", "not as many as the letters")),
    ("concatenate([x, W])", 1, 12, ("(4,)", "(3, 4)")),
    ("concatenate([A, W], axis=0)", 1, 12, ("(2, 3)", "(3, 4)", "the other axes differ")),
    ("stack([x, b])", 1, 6, ("(4,)", "(3,)")),
    ("reshape(W, (5, 2))", 1, 8, ("(3, 4)", "(5, 2)", "12 numbers")),
    ("W.reshape(7)", 2, 10, ("(3, 4)", "(7,)")),
    ("transpose(W, (0, 0))", 1, 10, ("(3, 4)", "each axis is needed once")),
    ("mse(x, b)", 1, 4, ("(4,)", "(3,)")),
    ("cross_entropy(Z, [0, 1])", 1, 14, ("(5, 3)", "(2,)")),
    ("outer(A, B) @ x", 13, 14, ("(6, 6)", "(4,)")),
    ("trace(x)", 1, 6, ("(4,)",)),
    ("diag(T) + x @ A", 13, 14, ("(4,)", "(2, 3)")),
    ("cross_entropy(Z, [[0, 1]])", 18, 26, ("a list of whole numbers",)),
    # Axes and places.
    ("sum(x, axis=1)", 1, 4, ("axis 1", "(4,)", "1 axis")),
    ("W.sum(axis=(0, 0))", 2, 6, ("given twice",)),
    ("softmax(s)", 1, 8, ("single number",)),
    ("W[3]", 2, 5, ("(3, 4)", "out of bounds")),
    ("W[0, 4]", 2, 8, ("(3, 4)", "out of bounds")),
    ("x[0, 0]", 2, 8, ("(4,)", "too many indices")),
    ("x[[0, 9]]", 2, 10, ("(4,)", "out of bounds")),
    ("x[1.5]", 3, 6, ("a whole number belongs here",)),
    ("x[s]", 3, 4, ("a whole number belongs here",)),
    ("x[::0]", 2, 7, ("step cannot be zero",)),
    ("x[b > 0]", 3, 8, ("a whole number belongs here",)),
    # Names.
    ("Q @ x", 1, 2, ("no shape for Q", "--shape Q=...")),
    ("Q @ (x + y)", 1, 2, ("no shape for Q and y",)),
    ("sum(W, foo=1)", 1, 4, ("unexpected keyword argument 'foo'",)),
    ("sum(W, axis=0, axis=1)", 16, 20, ("'axis' is given twice",)),
    ("sum()", 1, 4, ("missing 1 required positional argument",)),
    ("tanh(x, axis=0)", 9, 13, ("tanh takes values only",)),
    ("tanh([x])", 6, 9, ("tanh takes values only",)),
    ("tanh(x, b)", 1, 11, ("takes 1 argument, not 2",)),
    ("foo(x)", 1, 4, ("unknown function 'foo'",)),
    ("np.foo(x)", 1, 7, ("unknown function 'np.foo'",)),
    ("np.summ(x)", 1, 8, ("did you mean 'sum'?",)),
    ("x.foo()", 2, 6, ("there is no method 'foo'",)),
    ("x.summ()", 2, 7, ("did you mean 'sum'?",)),
    ("np.random.rand(3)", 1, 15, ("unknown function",)),
    ("np.load('a')", 1, 8, ("unknown function",)),
    ("x.dtype", 2, 8, ("'.dtype' is not part of an expression",)),
    ("np.array", 1, 9, ("not part of an expression",)),
    ("torch.tensor(x)", 1, 13, ("unknown function",)),
    ("F.relu(x)", 2, 7, ("there is no method 'relu'",)),
    # Grammar.
    ("sum(x", 4, 5, ("never closed",)),
    ("x[0", 2, 3, ("never closed",)),
    ("x[0)", 4, 5, ("closes a '['",)),
    ("x]", 2, 3, ("has no partner",)),
    ("x[]", 3, 4, ("not ']'",)),
    ("[1, 2] @ x", 1, 2, ("not '['",)),
    ("W @", 4, 5, ("the text ends",)),
    ("@ x", 1, 2, ("not '@'",)),
    ("x = ", 4, 5, ("the text ends",)),
    ("sum(x; b)", 4, 5, ("not closed before",)),
    ("x; sum(x)", 1, 2, ("is not used",)),
    ("W' @ x", 2, 3, ("a quote",)),
    ("|x|", 1, 2, ("abs(x)",)),
    ("x += 1", 3, 5, ("not part of an expression",)),
    ("'abc'", 1, 6, ("not ''abc''",)),
    ("W @@ x", 4, 5, ("not '@'",)),
    ("sum(x, axis=)", 13, 14, ("not ')'",)),
    ("W⁻¹ @ x", 2, 4, ("inverse",)),
    ("A.T.foo(x)", 4, 8, ("there is no method",)),
    ("2[0]", 2, 5, ("an index of shape ()",)),
    ("", 1, 2, ("the expression is empty",)),
    ("tile(W, (1000, 1000))", 1, 5, ("12000000 numbers",)),
    ("x[:, :, 0]", 2, 11, ("too many indices",)),
]


@pytest.mark.parametrize(("text", "start", "end", "words"), BAD, ids=[ascii(b[0][:30]) for b in BAD])
def test_refused(text: str, start: int, end: int, words: tuple[str, ...]) -> None:
    with pytest.raises(SymgradError) as caught:
        parse_tensors(text, SHAPES)
    error = caught.value
    for word in words:
        assert word in error.message + error.hint
    assert error.span is not None
    assert (error.span.column, error.span.end_column) == (start, end)
    assert "^" * min(end - start, 1) in error.render()


@pytest.mark.parametrize(("arguments", "words"), [
    (["W @ b", "--shape", "W=3x4", "--shape", "b=3"], ["@ of shapes (3, 4) and (3,)", "expression:1:3"]),
    (["sum(x)", "--shape", "x=axb"], ["'axb' is no shape", "--shape:1:3"]),
    (["sum(x)", "--shape", "x"], ["a name and '=' are missing"]),
    (["sum(x)", "--shape", "x=3", "--shape", "x=4"], ["given twice"]),
    (["sum(x)", "--shape", "x=2", "--shape", "y=3"], ["--shape names 'y'", "the variables are x"]),
    (["sum(data)", "--shape", "data=2", "--at", "date=[1,2]"], ["--at names 'date'", "did you mean 'data'?"]),
    (["sum(x)", "--shape", "x=2", "--at", "x=[1,2,3]"], ["'x' has shape (2,)", "values of shape (3,)"]),
    (["sum(x)", "--at", "x=[[1,2],[3]]"], ["rows of 'x' have different lengths, 2 and 1", "--at:1:3"]),
    (["sum(x)", "--at", "x=[1,[2]]"], ["ragged"]),
    (["sum(x)", "--at", "x=[1,nan]"], ["'nan' in 'x' is no number"]),
    (["sum(x)", "--at", "x=[1,1e999999]"], ["too many digits, or too large an exponent"]),
    (["sum(x)", "--at", "x=[1,1e300]", "--dtype", "float32"], ["too large for float32"]),
    (["sum(x)", "--at", "x=[1,2"], ["never closed"]),
    (["sum(x)", "--at", "x=[__import__('os')]"], ["is no number"]),
    (["sum(x)"], ["no shape for x", "--shape x=..."]),
    (["W @ x"], ["no shape for W and x"]),
    (["mean(x)", "--shape", "x=0"], ["there is no mean of no numbers", "(0,)"]),
    (["max(x)", "--shape", "x=0"], ["there is no max of no numbers"]),
    (["sum(x)", "--shape", "x=99999x99999"], ["at most 1000000"]),
    (["sum(x)", "--shape", "x=2", "--order", "2"], ["second derivatives are for functions of single numbers"]),
    (["sum(x)", "--shape", "x=2", "--dtype", "int8"], ["unknown dtype"]),
    (["sum(x)", "--shape", "x=2", "--device", "tpu"], ["'tpu' is no device"]),
    (["sum(x)", "--shape", "x=2", "--wrt", "y"], ["cannot differentiate by 'y'"]),
    (["W @ x", "--shape", "W=2x2", "--shape", "x=2", "--upstream", "[1]"], ["--upstream has shape (1,)"]),
    (["sum(x)", "--shape", "x=2", "--upstream", "[1]"], ["needs no --upstream"]),
    (["sum(A @ B)", "--shape", "A=300x300", "--shape", "B=300x300"], ["too large to be proven entry by entry"]),
    (["sum(x)", "--shape", "x=1000x1000"], ["too large to be proven entry by entry"]),
    (["sum(x + zeros((300, 300)))", "--shape", "x=300"], ["too large to be proven entry by entry"]),
    (["ones(3)", "--shape", "x=3"], ["no variable"]),
    (["sum(x)", "--shape", "x=2", "--manual", "y=x"], ["--manual is for 'y'"]),
    (["sum(x*y)", "--shape", "x=2", "--shape", "y=2", "--manual", "x"], ["write NAME=FORMULA"]),
    (["sum(x)", "--shape", "x=2", "--manual", "x=q"], ["no shape for q"]),
    (["cross_entropy(Z, y) + sum(y)", "--shape", "Z=2x3", "--at", "y=[0,1]"], ["as values too"]),
    (["cross_entropy(Z, y)", "--shape", "Z=2x3", "--at", "y=[0,1]", "--wrt", "y"], ["labels or places"]),
    (["cross_entropy(Z, y)", "--shape", "Z=2x3", "--at", "y=[0,3]"], ["out of bounds"]),
    (["sum(sqrt(x))", "--at", "x=[1,-1]"], ["sqrt needs", "at u1[1]"]),
])  # fmt: skip
def test_the_command_refuses(arguments: list[str], words: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.output
    as_json = CliRunner().invoke(main, [*arguments, "--json"])
    document = json.loads(as_json.stdout)
    assert (document["verdict"], document["exit_code"]) == ("error", 2)


@pytest.mark.parametrize(("text", "shapes"), [
    ("W=3x4", {"W": (3, 4)}), ("W=3x4,b=3", {"W": (3, 4), "b": (3,)}), ("W=(3, 4)", {"W": (3, 4)}),
    ("W=[3,4], b=3", {"W": (3, 4), "b": (3,)}), ("x=(3,)", {"x": (3,)}), ("s=scalar", {"s": ()}), ("s=()", {"s": ()}),
    ("x=0", {"x": (0,)}), (" W = 2 x 3 ", {"W": (2, 3)}), ("W=2×3", {"W": (2, 3)}), ("T=1x2x3x4", {"T": (1, 2, 3, 4)}),
])  # fmt: skip
def test_shapes_as_people_write_them(text: str, shapes: dict[str, Any]) -> None:
    assert read_shapes([text]) == shapes


def test_values_as_people_write_them() -> None:
    found: Any = read_values(["W=[[1, 2.5], [-3e-1, +.5]], b = [1,2,], s=pi/4", "e_0=[]"])
    assert found["W"].shape == (2, 2)
    assert [float(n) for n in found["W"].numbers] == [1, 2.5, -0.3, 0.5]
    assert found["b"].shape == (2,)
    assert found["s"] == "pi/4"
    assert found["e_0"].shape == (0,)


def test_a_long_value_is_refused() -> None:
    with pytest.raises(SymgradError, match="at most"):
        read_values(["x=[" + "1," * MAX_ARRAY + "]"])


def test_values_of_python() -> None:
    for value in ([[1, 2], [3]], [1, "a"], [float("nan")], [None], [[1], 2]):
        with pytest.raises(SymgradError):
            symgrad.check("sum(x)", {"x": value})
    for shape in (-1, (2, -1), "q", 2.5, (True,)):
        with pytest.raises(SymgradError):
            symgrad.check("sum(x)", shapes={"x": shape})
    with pytest.raises(SymgradError, match="given as text"):
        symgrad.check(symgrad.frontends.expression.parse("x"), shapes={"x": 2})


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(
    ["W", "x", "b", "A", "B", "s", "T", "F", "@", "+", "*", "**", "-", "(", ")", "[", "]", ",", ":", "...", "sum",
     "max", "softmax", "reshape", "einsum", "'ij->ji'", "axis=", "keepdims=True", "0", "1", "-1", "2.5",
     ".T", ".sum()", " ",
     "=", ";", "np.", "None", "tanh", "where", ">", "x[0]", "\n", "²", "concatenate", "π", "np.pi", "norm", "#", "F.T"]
), max_size=14).map("".join))  # fmt: skip
@example("F.T.T")
@example("x[...]")
@example("x[x]")
@example("axis=1")
@example("sum(axis=1)")
@example("max(x,(1,2))")
@example("reshape(x,)")
@example("sum(x,(0,))")
@example("(x,)")
@example("x[None:1]")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = parse_tensors(text, SHAPES)
    except SymgradError as error:
        error.render()
        return
    parsed.graph.verify()


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("Wx=[],.-+e0123 \n()a'"), max_size=25))
def test_any_value_is_read_or_refused(text: str) -> None:
    for read in (lambda: read_values([text]), lambda: read_shapes([text])):
        try:
            read()
        except SymgradError as error:
            error.render()
