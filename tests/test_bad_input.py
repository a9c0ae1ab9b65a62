"""Input that cannot be used: one line that says where and why, quickly, and nothing is ever run."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import SymgradError
from symgrad.frontends.expression import NAME_HINTS, parse
from symgrad.frontends.pointtext import parse_points
from tests.work import at_most

#: Text, line:column, fragment of the message, fragment of the help.
BAD = [
    ("", "1:1", "the expression is empty", ""),
    (" \n ; # nothing\n", "1:1", "the expression is empty", ""),
    # Structure.
    ("2 +* x", "1:4", "expected a number, a name or '(' after '+', not '*'", ""),
    ("x +", "1:4", "expected a number, a name or '(' after '+', but the text ends", ""),
    ("x +\ny = 2", "1:4", "after '+', but the line ends", ""),
    ("*x", "1:1", "at the start, not '*'", ""),
    ("x = 1\ny = * 2", "2:5", "after '=', not '*'", ""),
    ("2 3", "1:3", "a number cannot follow a value directly", "operator"),
    ("x 2", "1:3", "a number cannot follow a value directly", "operator"),
    ("1.2.3", "1:4", "a number cannot follow a value directly", ""),
    ("()", "1:1", "nothing between these parentheses", ""),
    ("sin(x,)", "1:7", "after ',', not ')'", ""),
    ("1,5", "1:2", "',' can only separate the arguments", "1.5"),
    ("(x", "1:1", "this '(' is never closed", ""),
    ("(x)*((y)", "1:5", "this '(' is never closed", ""),
    ("sin(x + (y", "1:9", "this '(' is never closed", ""),
    ("f = (x+1\ny = f*2", "1:5", "this '(' is never closed", ""),
    ("x; (y; z)", "1:4", "not closed before the next ';'", ""),
    ("x)", "1:2", "this ')' has no '('", ""),
    ("(x))+((y)", "1:4", "this ')' has no '('", ""),
    ("1/2x", "1:1", "'1/2x' is unclear: it needs parentheses", "(1/2)*x or 1/(2*x)"),
    ("y+a*b/c d", "1:3", "'a*b/c d' is unclear", "(a*b/c)*d or a*b/(c*d)"),
    ("√x²", "1:1", "how far this root reaches", "√"),
    ("√x^2", "1:1", "how far this root reaches", "√"),
    ("√-x", "1:2", "after '√', not '-'", ""),
    # Functions.
    ("tnah(x)", "1:1", "unknown function 'tnah'; did you mean 'tanh'?", ""),
    ("2 + sigmod(x)", "1:5", "did you mean 'sigmoid'?", ""),
    ("x(x+1)", "1:1", "'x' is a variable, not a function", "for a product write x*(x+1)"),
    ("q = 2y; q (z)", "1:9", "'q' is a variable, not a function", "for a product write q*(z)"),
    ("a(b+c)", "1:1", "unknown function 'a'", "for a product write a*(b+c)"),
    ("pi(x)", "1:1", "'pi' is a constant, not a function", "pi*(x)"),
    ("f(x) = x^2", "1:1", "'f(x)' cannot be assigned", "f = ..."),
    ("gamma*gamma(x)", "1:7", "used as a variable as well", "rename"),
    ("tanh x", "1:1", "'tanh' is a function: write its argument in parentheses", ""),
    ("1 + sin", "1:5", "'sin' is a function", ""),
    ("sin²(x)", "1:1", "'sin' is a function", "sin(x)**2"),
    ("tanh = 2", "1:1", "'tanh' is a function and cannot be assigned", ""),
    ("sin()", "1:1", "sin takes 1 argument, not 0", ""),
    ("x+sin(x,y)", "1:3", "sin takes 1 argument, not 2", ""),
    ("atan2(x)", "1:1", "atan2 takes 2 arguments, not 1", ""),
    ("max(x)", "1:1", "max takes at least 2 arguments, not 1", ""),
    ("log(x,2,3)", "1:1", "log takes 1 or 2 arguments, not 3", ""),
    ("ln(x,2)", "1:1", "ln takes 1 argument, not 2", ""),
    ("leaky_relu(x,1,2)", "1:1", "leaky_relu takes 1 or 2 arguments, not 3", ""),
    ("where(x<1, 2)", "1:1", "where takes 3 arguments, not 2", ""),
    # Comparisons and assignments.
    ("x == y", "1:1", "a comparison can only be the first argument of where", ""),
    ("1 + (x<2)", "1:5", "a comparison can only be the first argument", ""),
    ("y = x<2", "1:5", "a comparison can only be the first argument", ""),
    ("where(1, x<2, 3)", "1:10", "a comparison can only be the first argument", ""),
    ("+(x<2)", "1:2", "a comparison can only be the first argument", ""),
    ("where(0<x<1, 1, 2)", "1:10", "only one comparison", ""),
    ("a=b=c", "1:4", "only one '=' can stand in a statement", ""),
    ("= 2", "1:1", "'=' needs a name before it", ""),
    ("2x = 3", "1:4", "only a single name can stand before '='", ""),
    ("sin(x=2)", "1:6", "'=' cannot stand inside parentheses", "=="),
    ("pi = 3", "1:1", "'pi' is a constant and cannot be assigned", ""),
    ("x + 1\ny", "1:1", "the value of this expression is not used", "give it a name"),
    ("x += 1", "1:3", "'+=' is not part of an expression", "x = x + 1"),
    # Numbers.
    ("nan", "1:1", "'nan' is not a finite number", ""),
    ("x*Inf", "1:3", "'Inf' is not a finite number", ""),
    ("2 + ∞", "1:5", "infinity is not a number", ""),
    ("1e999999999", "1:1", "the exponent of this number is beyond 3000", ""),
    ("x+1e-99999", "1:3", "the exponent of this number is beyond 3000", ""),
    ("9" * 5000, "1:1", "the number has more than 1000 digits", ""),
    ("x" + "⁹" * 5000, "1:2", "the exponent is too long", ""),
    ("0x1F", "1:1", "'0x1F' is not a number", "decimal"),
    ("1_000", "1:1", "'1_000' is not a number", "underscores"),
    ("１ + x", "1:1", "FULLWIDTH DIGIT ONE", "write 1"),
    # Names.
    ("lambda x: x", "1:1", "'lambda' is a keyword of Python", "rename"),
    ("class + 1", "1:1", "'class' is a keyword of Python", "rename"),
    ("None", "1:1", "'None' is a keyword of Python", "rename"),
    ("2True", "1:2", "'True' is a keyword of Python", "rename"),
    ("x if y else z", "1:3", "'if' is a keyword of Python", "rename"),
    ('__import__("os").system("x")', "1:1", "'__import__' cannot be a name", ""),
    ("__class__", "1:1", "two underscores", ""),
    ("a" * 101, "1:1", "the name is longer than 100 characters", ""),
    ("A + Α", "1:5", "look alike", "rename"),
    ("х", "1:1", "CYRILLIC SMALL LETTER HA", ""),
    ("x̂", "1:2", "U+0302", ""),
    ("ϖ", "1:1", "GREEK PI SYMBOL", ""),
    # Python that is no mathematics, and characters that are nothing.
    ('f"{x}"', "1:2", "a quote is not part of an expression", ""),
    ("'a'", "1:1", "a quote is not part of an expression", ""),
    ("x'", "1:2", "a quote is not part of an expression", "derivative"),
    ("x.y", "1:2", "'.' is neither part of a number nor an operator", "attributes"),
    ("x[0]", "1:2", "'[' is not part of an expression", "x0"),
    ("x!", "1:2", "'!' is not part of an expression", "gamma(x + 1)"),
    ("|x|", "1:1", "'|' is not part of an expression", "abs(x)"),
    ("x//2", "1:2", "'//' rounds down", "/"),
    ("x @ y", "1:3", "'@' cannot be used", ""),
    ("\\sin(x)", "1:1", "a backslash", "tanh(x)"),
    ("x\0", "1:2", "the control character U+0000", ""),
    ("x\x1b[31m", "1:2", "the control character U+001B", ""),
    ("x\ry", "1:2", "a carriage return", ""),
    ("x\u202e", "1:2", "RIGHT-TO-LEFT OVERRIDE", ""),
    ("x\u200by", "1:2", "ZERO WIDTH SPACE", ""),
    ("x\xa0y", "1:2", "no-break space", "plain space"),
    ("\ud800", "1:1", "U+D800", ""),
    ("x😀", "1:2", "GRINNING FACE", ""),
    # Size.
    ("(" * 100_000, "1:20001", "nested more than 20000 deep", ""),
    ("(" * 100_000 + ")" * 100_000, "1:20001", "nested more than 20000 deep", ""),
    ("(" * 99_000 + "x" + ")" * 99_000, "1:20001", "nested more than 20000 deep", ""),
    (")" * 100_000, "1:1", "this ')' has no '('", ""),
    ("x" * 1_000_000, "1:1", "the text has 1000000 characters; at most 200000", ""),
    ("x+" * 500_000, "1:1", "the text has 1000000 characters; at most 200000", ""),
]  # fmt: skip


def refused(text: str) -> SymgradError:
    parse("x")
    # One second is promised: that is some millions of calls.
    with at_most(6_000_000), pytest.raises(SymgradError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(("text", "place", "message", "hint"), BAD, ids=[ascii(b[0][:30]) for b in BAD])
def test_refused(text: str, place: str, message: str, hint: str) -> None:
    error = refused(text)
    assert str(error.span) == f"expression:{place}"
    assert message in error.message
    assert hint in error.hint
    assert_readable(error)


def assert_readable(error: SymgradError) -> None:
    """One short line, nothing that could drive a terminal, no word of lark's."""
    assert error.exit_code == 2
    assert len(error.message) < 200
    assert "\n" not in error.message + error.hint
    rendered = error.render()
    assert all(c.isprintable() or c == "\n" for c in rendered)
    assert len(rendered) < 1000
    assert rendered.isascii() or rendered.encode("utf-8")
    ours = re.sub(r"\(U\+.*?\)", "", error.message)  # a character's own name may be ... NUMBER TEN
    for word in ("Unexpected", "Token", "LPAR", "RPAR", "NUMBER", "$END", "lark"):
        assert word not in ours


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("xy2.e(),;=+-*/^<>!√²\n#πσ_ tanhmxlog[]'\0\ud800١"), max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_in_place(text: str) -> None:
    error = problem(text)
    if error is None:
        return
    assert error.span is not None
    lines = text.split("\n")
    assert 1 <= error.span.line <= len(lines)
    assert 1 <= error.span.column <= len(lines[error.span.line - 1]) + 1
    assert_readable(error)


def problem(text: str) -> SymgradError | None:
    try:
        parse(text).verify()
    except SymgradError as error:
        return error
    return None


def test_nothing_is_run_and_memory_is_bounded() -> None:
    code = """
import resource, sys
from symgrad.frontends.expression import parse
from symgrad.errors import SymgradError
parse("x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def hook(event, args):
    assert event not in ("exec", "compile", "open", "os.system", "subprocess.Popen"), event
sys.addaudithook(hook)
for text in ['__import__("os").system("x")', "9**9**9**9", "(" * 10**5, "1e999999999", "9" * 10**5, "-" * 10**5 + "x",
             "exec(1)", "x" * 10**7, "lambda: 1", "x+" * 99_999 + "x"]:
    try:
        parse(text)
    except SymgradError:
        pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 300_000, f"{grown} KB"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- points -----------------------------------------------------------------------------------------------------

BAD_POINTS = [
    ("", "1:1", "a value such as w=2 is missing"),
    ("w", "1:1", "'w' gives no variable a value"),
    ("w=", "1:2", "'w' has no value"),
    ("x=1, w= ", "1:7", "'w' has no value"),
    ("x=1,", "1:5", "a value such as w=2 is missing"),
    ("=2", "1:1", "a name is missing"),
    ("x=1, x=2", "1:6", "'x' is given twice"),
    ("x=y+1", "1:3", "the value of 'x' uses the variable 'y'"),
    ("z=1, x=2e", "1:9", "the value of 'x' uses the variable 'e'"),
    ("x=nan", "1:3", "'nan' is not a finite number"),
    ("x=-inf", "1:4", "'inf' is not a finite number"),
    ("x=1e999999999", "1:3", "the exponent of this number"),
    ("x=foo(2)", "1:3", "unknown function 'foo'"),
    ("a=1, x=tnah(2)", "1:8", "did you mean 'tanh'?"),
    ("x=1;y=2", "1:5", "the value of 'x' must be"),
    ("x=y=2", "1:3", "the value of 'x' must be an expression"),
    ("x==2", "1:3", "'=' needs a name"),
    ("x=(1", "1:3", "this '(' is never closed"),
    ("x=1)", "1:4", "this ')' has no '('"),
    ("x=1<2", "1:3", "a comparison can only"),
    ("2=x", "1:1", "'2' is not a name"),
    ("tanh=2", "1:1", "'tanh' is a function"),
    ("pi=3", "1:1", "'pi' is a constant"),
    ("if=2", "1:1", "'if' is a keyword"),
    ("__x=2", "1:1", "two underscores"),
    ("x=__import__('os')", "1:3", "'__import__' cannot be a name"),
    ("x=1,y=a.b", "1:8", "'.' is neither"),
    ("x\0=1", "1:1", "is not a name"),
    ("\ud800=1", "1:1", "is not a name"),
    ("x=1," * 10_000, "1:1", "the text has 40000 characters"),
]


@pytest.mark.parametrize(("text", "place", "message"), BAD_POINTS, ids=[ascii(b[0][:30]) for b in BAD_POINTS])
def test_refused_point(text: str, place: str, message: str) -> None:
    with pytest.raises(SymgradError) as caught:
        parse_points([text])
    assert str(caught.value.span) == f"--at:{place}"
    assert message in caught.value.message
    assert_readable(caught.value)


def test_a_name_given_in_two_options() -> None:
    with pytest.raises(SymgradError, match="'x' is given twice") as caught:
        parse_points(["x=1", "y=2, x = 3"])
    assert caught.value.source == "y=2, x = 3"
    assert str(caught.value.span) == "--at:1:6"


def test_hints_for_names() -> None:
    assert "E" in NAME_HINTS["e"]
    assert parse("e^x").variables.keys() == {"e", "x"}
