"""Text -> graph -> text: what each way of writing means, and that nothing is lost on the way."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import Span, SymgradError
from symgrad.frontends.expression import operand_spans, parse
from symgrad.frontends.pointtext import parse_points
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, SPELLINGS
from symgrad.printing import expression_text, number_text, step_text, text_names, to_text
from symgrad.report.formulas import written
from tests.work import at_most


def nested(graph: Graph, index: int | None = None) -> Any:
    """A small graph as nested tuples, names and numbers."""
    out: list[object] = []
    for step in graph:
        if step.is_input:
            out.append(step.name)
        elif step.is_const:
            out.append(step.value)
        else:
            out.append((step.op, *(out[j] for j in step.inputs)))
    return out[graph.output if index is None else index]


def meaning(graph: Graph, table: dict[object, int]) -> tuple[Counter[int], int]:
    """Equal for graphs that differ in the order of independent steps only.

    ``table`` is shared by the graphs that are compared. A name that had to be made unique counts as the same.
    """
    ids: list[int] = []
    for step in graph:
        name = "" if step.is_hidden else step.name.replace("#", "_")
        key = (step.op, tuple(ids[j] for j in step.inputs), step.params, step.shape, name)
        ids.append(table.setdefault(key, len(table)))
    return Counter(ids), ids[graph.output]


def assert_round_trip(graph: Graph) -> None:
    text = to_text(graph)
    again = parse(text).verify()
    table: dict[object, int] = {}
    assert meaning(graph, table) == meaning(again, table), text
    assert to_text(again) == text


# --- what is read -----------------------------------------------------------------------------------------------

X2 = ("pow", "x", Fraction(2))

READS = [
    ("x", "x"),
    ("2*x+1", ("add", ("mul", Fraction(2), "x"), Fraction(1))),
    ("a-b-c", ("sub", ("sub", "a", "b"), "c")),
    ("a/b/c", ("div", ("div", "a", "b"), "c")),
    ("a/b*c", ("mul", ("div", "a", "b"), "c")),
    ("a**b**c", ("pow", "a", ("pow", "b", "c"))),
    ("a^b^c", ("pow", "a", ("pow", "b", "c"))),
    ("-x^2", ("neg", X2)),
    ("2^-x", ("pow", Fraction(2), ("neg", "x"))),
    ("-x*y", ("mul", ("neg", "x"), "y")),
    ("x--y", ("sub", "x", ("neg", "y"))),
    ("+x", "x"),
    ("-2", Fraction(-2)),
    ("-2^2", ("neg", ("pow", Fraction(2), Fraction(2)))),
    ("(-2)^2", ("pow", Fraction(-2), Fraction(2))),
    ("-(2)", ("neg", Fraction(2))),
    # Identities stay: the user's text is kept.
    ("x*1", ("mul", "x", Fraction(1))),
    ("x+0", ("add", "x", Fraction(0))),
    ("0*x", ("mul", Fraction(0), "x")),
    ("2+3", ("add", Fraction(2), Fraction(3))),
    ("--x", ("neg", ("neg", "x"))),
    # Numbers are exact.
    ("0.1", Fraction(1, 10)),
    (".5", Fraction(1, 2)),
    ("3.", Fraction(3)),
    ("1e-3", Fraction(1, 1000)),
    ("1.5E+2", Fraction(150)),
    ("2e300", Fraction(2 * 10**300)),
    # Constants and names.
    ("pi", "pi"),
    ("π", "pi"),
    ("2E", ("mul", Fraction(2), "E")),
    ("2e", ("mul", Fraction(2), "e")),
    ("h1_raw", "h1_raw"),
    ("_x", "_x"),
    ("α_1", "α_1"),
    ("ϕ", "φ"),
    ("x₁₂", "x12"),
    ("µ", "μ"),
    ("gamma*x", ("mul", "gamma", "x")),
    ("gamma(x)", ("gamma", "x")),
    ("σ*σ", ("mul", "σ", "σ")),
    ("σ(x)", ("sigmoid", "x")),
    ("psi", "psi"),
    # Unicode operators.
    ("a·b", ("mul", "a", "b")),
    ("a×b÷c", ("div", ("mul", "a", "b"), "c")),
    ("a−b", ("sub", "a", "b")),
    ("x²", X2),
    ("-x²", ("neg", X2)),
    ("x⁻¹", ("pow", "x", Fraction(-1))),
    ("x¹⁰", ("pow", "x", Fraction(10))),
    ("sin(x)²", ("pow", ("sin", "x"), Fraction(2))),
    ("2^x²", ("pow", Fraction(2), X2)),
    ("√x", ("sqrt", "x")),
    ("√(x+y)", ("sqrt", ("add", "x", "y"))),
    ("√√x", ("sqrt", ("sqrt", "x"))),
    ("2√x", ("mul", Fraction(2), ("sqrt", "x"))),
    ("(√x)²", ("pow", ("sqrt", "x"), Fraction(2))),
    ("√(x²)", ("sqrt", X2)),
    # Implicit multiplication.
    ("2x", ("mul", Fraction(2), "x")),
    ("2x^2", ("mul", Fraction(2), X2)),
    ("-2x", ("mul", Fraction(-2), "x")),
    ("3(x+1)", ("mul", Fraction(3), ("add", "x", Fraction(1)))),
    ("2 x y", ("mul", ("mul", Fraction(2), "x"), "y")),
    ("(x)(y)", ("mul", "x", "y")),
    ("2sin(x)", ("mul", Fraction(2), ("sin", "x"))),
    ("2 x - y", ("sub", ("mul", Fraction(2), "x"), "y")),
    ("2x/y", ("div", ("mul", Fraction(2), "x"), "y")),
    ("(1/2)x", ("mul", ("div", Fraction(1), Fraction(2)), "x")),
    ("1/(2x)", ("div", Fraction(1), ("mul", Fraction(2), "x"))),
    ("x² y", ("mul", X2, "y")),
    ("2π", ("mul", Fraction(2), "pi")),
    # Calls.
    ("max(a,b,c)", ("max", ("max", "a", "b"), "c")),
    ("minimum(a,b)", ("min", "a", "b")),
    ("log(x, b)", ("div", ("log", "x"), ("log", "b"))),
    ("ln(x)", ("log", "x")),
    ("pow(a,b)", ("pow", "a", "b")),
    ("leaky_relu(x)", ("leaky_relu", "x", Fraction(1, 100))),
    ("leaky_relu(x, 0.2)", ("leaky_relu", "x", Fraction(1, 5))),
    ("heaviside(x)", ("heaviside", "x", Fraction(1, 2))),
    ("sin (x)", ("sin", "x")),
    ("where(x<1, a, b)", ("where", ("lt", "x", Fraction(1)), "a", "b")),
    ("where((x>=1), a, b)", ("where", ("ge", "x", Fraction(1)), "a", "b")),
    ("where(c, a, b)", ("where", "c", "a", "b")),
    # White space, comments, several lines.
    ("x # the input\n", "x"),
    ("# first\n\n;x;\n", "x"),
    ("(x\n + # a comment\n y)", ("add", "x", "y")),
    ("a = 1\r\na*x\r\n", ("mul", Fraction(1), "x")),
    ("\tx\t+ y ", ("add", "x", "y")),
    ("9**9**9", ("pow", Fraction(9), ("pow", Fraction(9), Fraction(9)))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), READS, ids=[r[0] for r in READS])
def test_reads(text: str, wanted: object) -> None:
    graph = parse(text).verify()
    assert nested(graph) == wanted
    assert graph.source == text
    assert_round_trip(graph)


COMPARISONS = [
    ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"), ("==", "eq"), ("!=", "ne"),
    ("≤", "le"), ("≥", "ge"), ("≠", "ne"),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "op"), COMPARISONS)
def test_comparisons(symbol: str, op: str) -> None:
    assert nested(parse(f"where(x{symbol}y, 1, 2)")) == ("where", (op, "x", "y"), Fraction(1), Fraction(2))


@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_every_spelling_is_a_call(spelling: str) -> None:
    op = OPS[SPELLINGS[spelling]]
    args = [f"v{i}" for i in range(op.arity)]
    graph = parse(f"{spelling}({', '.join(args)})")
    assert nested(graph) == (op.name, *args)
    assert_round_trip(graph)
    if op.defaults:
        short = parse(f"{spelling}({', '.join(args[: -len(op.defaults)])})")
        assert nested(short) == (op.name, *args[: -len(op.defaults)], *op.defaults)
        assert_round_trip(short)


# --- statements -------------------------------------------------------------------------------------------------


def test_statements_name_steps() -> None:
    graph = parse("q = x+y; f = q*z")
    assert list(graph.variables) == ["x", "y", "z"]
    assert graph[graph.output].name == "f"
    assert graph[graph.find("q")].op == "add"
    assert graph[graph.output].inputs == (graph.find("q"), graph.find("z"))


def test_a_name_may_be_assigned_again() -> None:
    graph = parse("x = w\nx = tanh(w*x)\nx = tanh(w*x)\n")
    assert [s.name for s in graph if not s.is_hidden] == ["w", "x", "x#2"]
    assert nested(graph) == ("tanh", ("mul", "w", ("tanh", ("mul", "w", "w"))))
    assert to_text(graph) == "x = tanh(w*w); x = tanh(w*x)"
    assert [s.name for s in parse(to_text(graph))] == [s.name for s in graph]


def test_an_input_stays_an_input_when_its_name_is_assigned() -> None:
    graph = parse("x = x*2; x + 1")
    assert list(graph.variables) == ["x"]
    assert nested(graph) == ("add", ("mul", "x", Fraction(2)), Fraction(1))
    assert_round_trip(graph)


def test_an_old_value_that_is_still_used_keeps_its_name_apart() -> None:
    graph = parse("a = x; x = x*2; x = x+1; a*x")
    assert to_text(graph) == "x_2 = x*2; x_3 = x_2 + 1; x*x_3"
    assert_round_trip(graph)


def test_named_numbers_are_steps_of_their_own() -> None:
    graph = parse("c = 3; y = c*x + 3")
    assert [s.name for s in graph if s.is_const] == ["c", "%3"]
    assert to_text(graph) == "c = 3; y = c*x + 3"
    assert_round_trip(graph)


@pytest.mark.parametrize(
    ("text", "printed"),
    [("f = x", "x"), ("a = x+1; b = a; b", "a = x + 1"), ("5", "5"), ("a = 5x; 5", "a = 5*x; 5"), ("p = π", "p = pi"),
     ("a = x; b = y+1; a", "x = x; b = y + 1; x"), ("a = x+1; b = a*2; a", "a = x + 1; b = a*2; a")],
)  # fmt: skip
def test_outputs(text: str, printed: str) -> None:
    graph = parse(text)
    assert to_text(graph) == printed
    assert_round_trip(graph)


def test_constants_are_shared_and_variables_too() -> None:
    graph = parse("x*2 + x*2")
    assert [s.op for s in graph] == ["input", "const", "mul", "mul", "add"]


# --- spans ------------------------------------------------------------------------------------------------------


def spanned(text: str) -> dict[str, str]:
    """For each op of ``text`` (used once), the text that its span covers."""
    lines = text.split("\n")
    out = {}
    for step in parse(text):
        assert step.span is not None
        s = step.span
        assert s.line == s.end_line
        out[step.op] = lines[s.line - 1][s.column - 1 : s.end_column - 1]
    return out


def test_spans_cover_the_sub_expression() -> None:
    spans = spanned("q = x1 + 2\nf = (-q)*sin( q )**3 / (tanh(q))")
    assert spans == {
        "input": "x1", "const": "3", "add": "x1 + 2", "neg": "-q", "sin": "sin( q )", "pow": "sin( q )**3",
        "mul": "(-q)*sin( q )**3", "tanh": "tanh(q)", "div": "(-q)*sin( q )**3 / (tanh(q))",
    }  # fmt: skip


def test_spans_over_lines_and_file() -> None:
    span = parse("(x\n+ y)", file="f.txt")[2].span
    assert span is not None
    assert (span.file, span.line, span.column, span.end_line, span.end_column) == ("f.txt", 1, 2, 2, 4)
    assert str(span) == "f.txt:1:2"


# --- precedence against an independent reader: Python's own grammar ---------------------------------------------

_PYTHON = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}


def from_python(node: ast.expr) -> object:
    if isinstance(node, ast.BinOp):
        return (_PYTHON[type(node.op)], from_python(node.left), from_python(node.right))
    if isinstance(node, ast.UnaryOp):
        inner = from_python(node.operand)
        literal = isinstance(node.operand, ast.Constant) and node.operand.col_offset == node.col_offset + 1
        if isinstance(node.op, ast.UAdd):
            return inner
        return -inner if literal and isinstance(inner, Fraction) else ("neg", inner)
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    assert isinstance(node, ast.Name)
    return node.id


def _operators(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(children, st.sampled_from(["+", "-", "*", "/", "**"]), children).map("".join),
        children.map("-{}".format),
        children.map("({})".format),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.sampled_from(["x", "y", "2", "7"]), _operators, max_leaves=12))
def test_precedence_is_pythons(text: str) -> None:
    assert nested(parse(text)) == from_python(ast.parse(text, mode="eval").body)


# --- round trips ------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["x", "y", "w1", "α", "q", "f"])
_NUMBERS = st.one_of(
    st.integers(0, 10**30).map(str),
    st.decimals(0, 10**9, places=6, allow_nan=False).map(str),
    st.floats(0, 1e300, allow_nan=False).map(repr),
    st.sampled_from(["pi", "E", ".5", "3.", "1e-300"]),
)


@st.composite
def _calls(draw: st.DrawFn, children: st.SearchStrategy[str]) -> str:
    spelling = draw(st.sampled_from(sorted(SPELLINGS)))
    op = OPS[SPELLINGS[spelling]]
    args = [draw(children) for _ in range(op.arity - draw(st.integers(0, len(op.defaults))))]
    if op.name in ("max", "min"):
        args += draw(st.lists(children, max_size=2))
    if op.name == "where" and draw(st.booleans()):
        args[0] += draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "≠"])) + draw(children)
    if spelling == "log" and draw(st.booleans()):
        args.append(draw(children))
    return f"{spelling}({', '.join(args)})"


def _expressions(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = children.map("({})".format)
    return st.one_of(
        _operators(children), _calls(children), _calls(children), group.map("√{}".format), group.map("{}²".format),
        st.tuples(group, group).map("".join), st.tuples(_NAMES, st.just(" "), _NAMES).map("".join).map("({})".format),
    )  # fmt: skip


_EXPRESSION = st.recursive(_NAMES | _NUMBERS, _expressions, max_leaves=10)
_PROGRAM = st.tuples(
    st.lists(
        st.tuples(_NAMES, st.just("="), _EXPRESSION, st.sampled_from([";", "\n", " ;\n# c\n"])).map("".join), max_size=5
    ),
    _EXPRESSION,
).map(lambda p: "".join(p[0]) + p[1])  # fmt: skip


def parse_unless_unclear(text: str) -> Graph | None:
    """The graph; ``None`` for "a/(b)(c)" and the like, which may arise from the parts and are refused on purpose."""
    try:
        return parse(text)
    except SymgradError as error:
        if "needs parentheses" in error.message or "how far this root" in error.message:
            return None
        raise


@settings(max_examples=400, deadline=None)
@given(_PROGRAM)
def test_text_graph_text(text: str) -> None:
    graph = parse_unless_unclear(text)
    if graph is None:
        return
    graph.verify()
    assert_round_trip(graph)
    assert Graph.from_json(graph.to_json()) == graph
    names = text_names(graph)
    assert len(set(names.values())) == len(names)
    for i, step in enumerate(graph):
        # One step in terms of its inputs: reads back as that op (comparisons only stand in "where").
        one = step_text(graph, i, names)
        if OPS.get(step.op) is None or not OPS[step.op].hidden:
            assert parse(one)[-1 if not step.is_leaf else 0].op == step.op


@settings(max_examples=200, deadline=None)
@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False).map(Fraction))
def test_numbers_are_printed_exactly(value: Fraction) -> None:
    text = number_text(value)
    assert Fraction(text) == value
    builder = GraphBuilder()
    constant = builder.build(builder.const(value))
    assert to_text(constant) == text
    if "/" not in text:
        assert nested(parse(text)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(0), "0"), (Fraction(1, 2), "0.5"), (Fraction(-40), "-40"), (Fraction(1, 10**5), "1e-5"),
     (Fraction(1, 1000), "0.001"), (Fraction(10**300), "1e300"), (Fraction(1, 3), "1/3"), (Fraction(1500), "1500"),
     (Fraction(123456789, 1000), "123456.789")],
)  # fmt: skip
def test_number_text(value: Fraction, text: str) -> None:
    assert number_text(value) == text


def test_huge_numbers_print() -> None:
    assert Decimal(number_text(Fraction(7**9000))) == 7**9000
    assert number_text(Fraction(10**6000)) == "1e6000"


# --- printing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "printed"),
    [("a+(b+c)", "a + (b + c)"), ("(a+b)+c", "a + b + c"), ("a-(b-c)", "a - (b - c)"), ("(a*b)*c", "a*b*c"),
     ("a*(b*c)", "a*(b*c)"), ("(a**b)**c", "(a**b)**c"), ("a**(b**c)", "a**b**c"), ("(-a)**2", "(-a)**2"),
     ("-(a**2)", "-a**2"), ("a/(b*c)", "a/(b*c)"), ("-(a+b)", "-(a + b)"), ("a*-b", "a*-b"), ("x**-2", "x**-2"),
     ("(-2)**x", "(-2)**x"), ("-(2)", "-(2)"), ("((x))", "x"),
     ("where((x<1),(a+b),c)", "where(x < 1, a + b, c)"), ("elu(x, 1)", "elu(x)"), ("ln(x)", "log(x)")],
)  # fmt: skip
def test_fewest_parentheses(text: str, printed: str) -> None:
    assert to_text(parse(text)) == printed


def test_a_shared_hidden_step_gets_a_name() -> None:
    builder = GraphBuilder()
    u1 = builder.add("input", name="u1")
    shared = builder.add("sin", (u1,))
    graph = builder.build(builder.add("mul", (shared, shared)))
    assert to_text(graph) == "u2 = sin(u1); u2*u2"
    assert step_text(graph, graph.output) == "u2*u2"
    assert expression_text(graph, graph.output) == "sin(u1)*sin(u1)"
    assert expression_text(graph, graph.output, {shared}) == "u2*u2"
    assert expression_text(graph, graph.output, limit=10) == ""


def test_doubling_does_not_expand() -> None:
    builder = GraphBuilder()
    x = builder.add("input", name="x")
    for _ in range(200):
        x = builder.add("add", (x, x))
    graph = builder.build(x)
    assert len(to_text(graph)) < 5000
    assert expression_text(graph, x) == ""
    assert step_text(graph, x) == "u199 + u199"
    assert_shape_of(graph)


def assert_shape_of(graph: Graph) -> None:
    """Reads back with the same ops, inputs and numbers; hidden steps may have got names."""
    again = parse(to_text(graph))
    assert [(s.op, s.inputs, s.params) for s in again] == [(s.op, s.inputs, s.params) for s in graph]
    assert again.output == graph.output


def test_names_that_no_text_can_hold() -> None:
    builder = GraphBuilder()
    names = ["self.W[0]", "tanh", "lambda", "x", "x", "x_2", "1st", "__init__", "u1", "pi"]
    index = 0
    for name in names:
        index = builder.add("input", name=name) if index == 0 else builder.add("add", (index, index), name=name)
    graph = builder.build(builder.add("neg", (index,)))
    printed = text_names(graph)
    assert printed[3] == "x"
    assert printed[5] == "x_2"
    assert len(set(printed.values())) == len(graph)
    for name in printed.values():
        assert nested(parse(name)) == name
    assert_shape_of(graph)


def test_output_selects_what_is_printed() -> None:
    graph = parse("a = x+1; b = y*2; a*b")
    assert to_text(graph, graph.find("b")) == "b = y*2"
    assert to_text(graph, separator="\n") == "a = x + 1\nb = y*2\na*b"


# --- size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["x = w\n" + "x = tanh(w*x);\n" * 10_000, "tanh(" * 10_000 + "x" + ")" * 10_000, "f = " + "-" * 10_000 + "x",
     "x**" * 10_000 + "2",
     "+".join("x" * 10_000), "2*(" * 10_000 + "x" + ")" * 10_000, "√" * 10_000 + "x", "max(" + "x," * 10_000 + "x)"],
    ids=["statements", "calls", "signs", "powers", "sum", "groups", "roots", "arguments"],
)  # fmt: skip
def test_depth_10_000(text: str) -> None:
    parse("x")
    with at_most(15_000_000):
        graph = parse(text)
    assert len(graph) >= 10_000
    with at_most(15_000_000):
        assert_shape_of(graph)
    assert len(expression_text(graph, graph.output)) <= 200


def test_importing_does_not_import_lark_or_torch() -> None:
    code = (
        "import sys; import symgrad.frontends.expression as e; assert not {'lark', 'torch'} & set(sys.modules); "
        "e.parse('x'); assert 'lark' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_threads_do_not_mix() -> None:
    results: dict[int, object] = {}

    def work(n: int) -> None:
        results[n] = [nested(parse(f"v{n} + " * 50 + "1"))[1] for _ in range(20)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n in range(4):
        assert results[n] == [nested(parse(f"v{n} + " * 50 + "1"))[1]] * 20


# --- points -----------------------------------------------------------------------------------------------------


def test_points() -> None:
    values = parse_points(["w=2", "x=3, z = max(1, 2)", "α=pi/4,  σ=-1e-3"])
    assert {k: nested(g) for k, g in values.items()} == {
        "w": Fraction(2), "x": Fraction(3), "z": ("max", Fraction(1), Fraction(2)), "α": ("div", "pi", Fraction(4)),
        "σ": Fraction(-1, 1000),
    }  # fmt: skip
    assert parse_points([]) == {}
    (value,) = parse_points(["x_1=(1+\n2)"]).values()
    assert nested(value) == ("add", Fraction(1), Fraction(2))


def test_spans_of_points_count_from_the_whole_text() -> None:
    span = parse_points(["x=3, z=sqrt(2)"])["z"][1].span
    assert str(span) == "--at:1:8"


def test_another_name_for_a_value_prints_as_the_value() -> None:
    """``b = a`` in a script is a step; in the language of expressions it is the statement alone."""
    builder = GraphBuilder()
    a = builder.add("input", name="a")
    total = builder.add("add", (a, builder.const(Fraction(2))))
    b = builder.add("alias", (total,), name="b")
    c = builder.add("alias", (builder.const(Fraction(-2)),), name="c")
    graph = builder.build(builder.add("mul", (b, c), name="d"))
    assert to_text(graph) == "b = a + 2; c = -2; d = b*c"
    assert [step_text(graph, i) for i in (b, c)] == ["u1", "-2"]
    assert written(graph, b, {0: "a", 3: "b", 4: "c", 5: "d"}) == "a + 2"
    assert "alias" not in SPELLINGS
    with pytest.raises(SymgradError, match="alias"):
        parse("alias(x)")


@pytest.mark.parametrize(
    ("text", "operation", "operands"),
    [
        ("x^2*y", "x^2*y", ["x^2", "y"]),
        ("2*(x + y)^3", "(x + y)^3", ["x + y", "3"]),
        ("3x y", "3x", ["3", "x"]),
        ("-((x))", "-((x))", ["x"]),
        ("tanh((x + 1)/2)", "(x + 1)/2", ["x + 1", "2"]),
        ("max(x, 2, y)", "max(x, 2, y)", ["x", "2"]),
        ("√(x + 1)", "√(x + 1)", ["x + 1"]),
        ("x² + 1", "x²", None),
        ("a = x*y; a - (+x)", "a - (+x)", ["a", "+x"]),
    ],
)
def test_where_the_operands_are_written(text: str, operation: str, operands: list[str] | None) -> None:
    def words(span: Span) -> str:
        return text[span.column - 1 : span.end_column - 1]

    table = {words(place): [words(p) for p in parts] for place, parts in operand_spans(text).items()}
    assert table.get(operation) == operands
