"""Text -> graph: the language of expressions.

Arithmetic as it is written on paper or in Python: ``40*tanh(w*tanh(w/2))``, ``2x^2 + 3(x+1)``, ``q = x+y; f = q*z``.
The grammar is in ``grammar.lark``; lark's LALR parser calls :class:`Actions` at each reduction, so no tree is built,
nothing recurses on depth, and the cost is linear in the text. Text is never run as Python and never given to SymPy.

What the user wrote is kept: ``x*1`` and ``0*x`` stay steps. Two things only are made simpler: a sign in front of a
number belongs to the number, and ``+x`` is ``x``.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from symgrad.errors import InternalError, Span
from symgrad.frontends.tokens import MAX_DIGITS, MAX_TEXT, Source, Words, built, number, unexpected
from symgrad.graph import CONST, INPUT, Graph, GraphBuilder
from symgrad.names import CONSTANTS, NAME_HINTS, normalize
from symgrad.ops import OPS, SPELLINGS
from symgrad.printing import to_text

__all__ = ["NAME_HINTS", "operand_spans", "parse", "read", "to_text"]

#: Infix symbol -> op.
_INFIX = {op.infix.symbol: op.name for op in OPS.values() if op.infix and not op.infix.prefix}
#: Prefix symbol -> op.
_PREFIX = {op.infix.symbol: op.name for op in OPS.values() if op.infix and op.infix.prefix and op.infix.symbol}
#: Other ways to write a symbol.
_SYMBOLS = {"^": "**", "·": "*", "×": "*", "⋅": "*", "÷": "/", "−": "-", "≤": "<=", "≥": ">=", "≠": "!="}
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

_SQRT = SPELLINGS["sqrt"]
_POWER = _INFIX["**"]
_TIMES = _INFIX["*"]
_DIVIDE = _INFIX["/"]
#: Functions of two arguments that are also written with more.
_FOLDED = frozenset({SPELLINGS["max"], SPELLINGS["min"]})
#: Functions whose first argument may be a comparison.
_CONDITIONAL = frozenset({SPELLINGS["where"]})
#: Spellings that take a base as second argument.
_BASED = frozenset({"log"})

_SEVERAL = "separate several variables with commas: x=1, y=2"


@dataclass(frozen=True, slots=True)
class Node:
    """A parsed sub-expression.

    Attributes:
        index: its step; -1 for a number or constant that no step uses yet.
        value: of such a number or constant.
        start: offset of its first character, parentheses included; ``end`` is exclusive.
        form: what its outermost part is, where that decides how it may be combined: ``"number"``, ``"comparison"``,
            ``"quotient"``, ``"root"``, ``"super"``; anything in parentheses has none, save a comparison.
        split: for a quotient, the offset of its denominator.
        inside: for anything in parentheses, the range within the innermost pair.
    """

    index: int
    start: int
    end: int
    form: str = ""
    value: Fraction | str = ""
    split: int = -1
    inside: tuple[int, int] | None = None


class Actions:
    """What the parser does at each reduction. The methods are named in ``grammar.lark``."""

    def begin(self, source: Source, *, value_of: str = "") -> None:
        """Prepare for one text. With ``value_of`` it must be a single expression, the value of that variable."""
        self.source = source
        self.value_of = value_of
        self.builder = GraphBuilder(source=source.text)
        self.bound: dict[str, int] = {}
        self.loose: Node | None = None
        #: The range of an operation -> those of its operands, both without parentheses around them.
        self.operands: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}

    # --- building steps -----------------------------------------------------------------------------------------

    def _use(self, node: Node) -> int:
        """The step of an operand."""
        if node.form == "comparison":
            message = "a comparison can only be the first argument of where(condition, a, b)"
            raise self.source.error(node.start, node.end, message)
        if node.index >= 0:
            return node.index
        return self.builder.const(node.value, self.source.span(node.start, node.end))

    def _step(
        self, op: str, operands: Sequence[Node], start: int, end: int, *, form: str = "", split: int = -1
    ) -> Node:
        inputs = [self._use(n) for n in operands]
        self.operands.setdefault((start, end), tuple(n.inside or (n.start, n.end) for n in operands))
        index = self.builder.add(op, inputs, span=self.source.span(start, end))
        return Node(index, start, end, form=form, split=split)

    # --- statements ---------------------------------------------------------------------------------------------

    def start(self, children: list[Any]) -> Graph:
        return self.builder.build(children[0])

    def first(self, children: list[Any]) -> int:
        return int(children[0])

    def following(self, children: list[Any]) -> int:
        return int(children[2])

    def _begin_statement(self, node: Node) -> None:
        if self.value_of and self.loose is not None:
            message = f"the value of '{self.value_of}' must be a single expression"
            raise self.source.error(node.start, node.end, message, _SEVERAL)
        if self.loose is not None:
            message = "the value of this expression is not used"
            raise self.source.error(self.loose.start, self.loose.end, message, "give it a name: NAME = ...")

    def bare(self, children: list[Node]) -> int:
        node = children[0]
        self._begin_statement(node)
        self.loose = node
        return self._use(node)

    def assign(self, children: list[Any]) -> int:
        token, _, node = children
        self._begin_statement(replace(node, start=token.start_pos))
        if self.value_of:
            message = f"the value of '{self.value_of}' must be an expression, not an assignment"
            raise self.source.error(token.start_pos, node.end, message, _SEVERAL)
        name = normalize(token)
        if node.index < 0 and node.form != "comparison":
            # A named number is a step of its own: another "3" in the text is not meant by the name.
            span = self.source.span(node.start, node.end)
            index = self.builder.add(CONST, name=name, params=(("value", node.value),), span=span)
        else:
            index = self._use(node)
            step = self.builder.steps[index]
            if step.is_hidden and not step.is_leaf:
                self.builder.rename(index, name)
            # Otherwise this is a second name for something that has one.
        self.bound[name] = index
        return index

    # --- expressions --------------------------------------------------------------------------------------------

    def compare(self, children: list[Any]) -> Node:
        a, token, b = children
        symbol = _SYMBOLS.get(token, str(token))
        return self._step(_INFIX[symbol], (a, b), a.start, b.end, form="comparison")

    def binary(self, children: list[Any]) -> Node:
        a, token, b = children
        op = _INFIX[_SYMBOLS.get(token, str(token))]
        if op == _POWER and a.form == "root":
            raise self._unclear_root(a.start, b.end)
        form = "quotient" if op == _DIVIDE else ""
        return self._step(op, (a, b), a.start, b.end, form=form, split=b.start if form else -1)

    def implicit(self, children: list[Node]) -> Node:
        a, b = children
        source = self.source
        if source.text[source.base + b.start] in ".0123456789":
            message = "a number cannot follow a value directly"
            raise source.error(b.start, b.end, message, "write an operator between them")
        if a.form == "quotient":
            whole = source.quote(a.start, b.end)
            message = f"'{whole}' is unclear" if whole else "this division is unclear"
            top = source.quote(a.start, a.split).rstrip(" \t/÷")
            left, bottom = source.quote(a.start, a.end), source.quote(a.split, a.end)
            right = source.quote(b.start, b.end)
            raise source.error(
                a.start, b.end, f"{message}: it needs parentheses",
                f"write ({left})*{right} or {top}/({bottom}*{right})" if whole else "",
            )  # fmt: skip
        return self._step(_TIMES, (a, b), a.start, b.end)

    def signed(self, children: list[Any]) -> Node:
        token = children[0]
        node: Node = children[1]
        symbol = _SYMBOLS.get(token, str(token))
        start = token.start_pos
        if isinstance(node.value, Fraction) and node.form == "number":
            value = node.value if symbol == "+" else -node.value
            return Node(-1, start, node.end, "", value)
        if symbol in _PREFIX:
            return self._step(_PREFIX[symbol], (node,), start, node.end)
        self._refuse_comparison(node)
        return replace(node, start=start, form="", inside=None)

    def _refuse_comparison(self, node: Node) -> None:
        if node.form == "comparison":
            self._use(node)

    def root(self, children: list[Any]) -> Node:
        token, node = children
        if node.form == "super":
            raise self._unclear_root(token.start_pos, node.end)
        return self._step(_SQRT, (node,), token.start_pos, node.end, form="root")

    def _unclear_root(self, start: int, end: int) -> Exception:
        message = "it is unclear how far this root reaches"
        return self.source.error(start, end, message, "write (√(...))**n or √((...)**n)")

    def super(self, children: list[Any]) -> Node:
        node, token = children
        digits = str(token).translate(_SUPERSCRIPTS)
        if len(digits) > MAX_DIGITS:
            raise self.source.error(token.start_pos, token.end_pos, "the exponent is too long")
        exponent = Node(-1, token.start_pos, token.end_pos, "", Fraction(int(digits)))
        made = self._step(_POWER, (node, exponent), node.start, token.end_pos, form="super")
        # No other text could stand in place of a superscript.
        del self.operands[node.start, token.end_pos]
        return made

    def number(self, children: list[Any]) -> Node:
        token = children[0]
        return Node(-1, token.start_pos, token.end_pos, "number", number(self.source, token))

    def constant(self, children: list[Any]) -> Node:
        token = children[0]
        return Node(-1, token.start_pos, token.end_pos, "", CONSTANTS[token])

    def variable(self, children: list[Any]) -> Node:
        token = children[0]
        name = normalize(token)
        index = self.bound.get(name)
        if index is None:
            if self.value_of:
                message = f"the value of '{self.value_of}' uses the variable '{name}'; it must be a number"
                raise self.source.error(token.start_pos, token.end_pos, message, NAME_HINTS.get(name, ""))
            index = self.builder.add(INPUT, name=name, span=self.source.span(token.start_pos, token.end_pos))
            self.bound[name] = index
        return Node(index, token.start_pos, token.end_pos)

    def group(self, children: list[Any]) -> Node:
        left, right = children[0], children[2]
        node: Node = children[1]
        form = node.form if node.form == "comparison" else ""
        inside = node.inside or (node.start, node.end)
        return replace(node, start=left.start_pos, end=right.end_pos, form=form, inside=inside)

    # --- calls --------------------------------------------------------------------------------------------------

    def arguments(self, children: list[Node]) -> list[Node]:
        return children

    def more_arguments(self, children: list[Any]) -> list[Node]:
        known: list[Node] = children[0]
        known.append(children[2])
        return known

    def call(self, children: list[Any]) -> Node:
        token, close = children[0], children[-1]
        args: list[Node] = children[2] if len(children) == 4 else []
        start, end = token.start_pos, close.end_pos
        spelling = normalize(token)
        op = OPS[SPELLINGS[spelling]]
        count = len(args)
        if spelling in _BASED and count == 2:
            return self._quotient_of_logs(op.name, args, start, end)
        folded = op.name in _FOLDED
        least = op.arity - len(op.defaults)
        if count < least or (count > op.arity and not folded):
            raise self._wrong_count(token, end, spelling, count)
        if op.name in _CONDITIONAL and args[0].form == "comparison":
            args[0] = replace(args[0], form="")
        if folded:
            result = args[0]
            for arg in args[1:]:
                result = self._step(op.name, (result, arg), start, end)
            return result
        defaults = [Node(-1, start, end, "", d) for d in op.defaults[len(op.defaults) - (op.arity - count) :]]
        return self._step(op.name, [*args, *(defaults if count < op.arity else ())], start, end)

    def _quotient_of_logs(self, op: str, args: list[Node], start: int, end: int) -> Node:
        top = self._step(op, args[:1], start, end)
        return self._step(_DIVIDE, (top, self._step(op, args[1:], start, end)), start, end)

    def _wrong_count(self, token: Any, end: int, spelling: str, count: int) -> Exception:
        op = OPS[SPELLINGS[spelling]]
        least = op.arity - len(op.defaults)
        if op.name in _FOLDED:
            wanted = f"at least {op.arity}"
        elif spelling in _BASED:
            wanted = f"{op.arity} or 2"
        else:
            wanted = f"{least} or {op.arity}" if op.defaults else str(op.arity)
        plural = "" if wanted == "1" else "s"
        return self.source.error(token.start_pos, end, f"{spelling} takes {wanted} argument{plural}, not {count}")


# --- parsing ----------------------------------------------------------------------------------------------------

# The parser is built once a process and holds the state of one parse at a time.
_LOCK = threading.Lock()
_NOTHING = Source("", "")


@cache
def _parser() -> tuple[Any, Words, Actions]:
    words, actions = Words(), Actions()
    return built("grammar.lark", words, actions), words, actions


def read(
    source: Source, text: str, *, value_of: str = "", operands: dict[Span, tuple[Span, ...]] | None = None
) -> Graph:
    """The graph of a text; see :func:`parse`.

    Args:
        value_of: the name that the text gives a value: it may have no variables then.
        operands: where given, is filled with what stands beside each operator.

    Raises:
        SymgradError: the text is no expression; it says where and why.
    """
    from lark.exceptions import LarkError, UnexpectedToken

    with _LOCK:
        parser, words, actions = _parser()
        words.start(source)
        actions.begin(source, value_of=value_of)
        try:
            graph = parser.parse(text)
            if operands is not None:
                for place, parts in actions.operands.items():
                    operands[source.span(*place)] = tuple(source.span(*part) for part in parts)
        except UnexpectedToken as bad:
            raise unexpected(source, bad.token, words.given) from None
        except LarkError as bad:
            raise InternalError(f"the parser failed: {bad}") from bad
        finally:
            # The parser lives on; what it parsed need not.
            words.start(_NOTHING)
            actions.begin(_NOTHING)
    if not isinstance(graph, Graph):
        raise InternalError("the parser returned no graph")
    return graph


def parse(text: str, file: str = "expression") -> Graph:
    """Read an expression, or several statements separated by ``;`` or line ends, into a graph.

    The last statement is the output. Each step's span covers its sub-expression without the parentheses around it.

    Args:
        text: what the user wrote.
        file: the name that errors and spans give to it.

    Raises:
        SymgradError: the text is no expression; it says where and why.
    """
    source = Source(text[:MAX_TEXT], file)
    if len(text) > MAX_TEXT:
        message = f"the text has {len(text)} characters; at most {MAX_TEXT} can be read"
        raise source.error(0, 1, message)
    body = "".join(line.partition("#")[0] for line in text.split("\n"))
    if not body.strip(" \t\r\n;"):
        raise source.error(0, 1, "the expression is empty", "write a formula, such as tanh(w*x)")
    return read(source, text)


def operand_spans(text: str, file: str = "expression") -> dict[Span, tuple[Span, ...]]:
    """Where the operands of each operation of an expression are written, without parentheses around them.

    Args:
        text, file: as for :func:`parse`.

    Raises:
        SymgradError: as for :func:`parse`.
    """
    out: dict[Span, tuple[Span, ...]] = {}
    read(Source(text[:MAX_TEXT], file), text, operands=out)
    return out
