"""Places in the user's text: which characters are an operand, and what the text is with a repair put in."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, lru_cache

from symgrad.diagnose.text.comprehensions import Summed, local_names, summed
from symgrad.diagnose.text.spelling import Spelling
from symgrad.diagnose.text.statements import Statements, text_at
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span, SymgradError
from symgrad.frontends.expression import operand_spans
from symgrad.graph import Graph

#: How the name of a formula's text begins: it is in symgrad's own language, where ``^`` is a power.
FORMULA = "--manual "


class SourceMap:
    """The user's text, by position: Python, or a formula in the language of expressions."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.split("\n")

    @cached_property
    def _nodes(self) -> dict[tuple[int, int, int, int], ast.expr]:
        out: dict[tuple[int, int, int, int], ast.expr] = {}
        for node in nodes(self.source):
            if isinstance(node, ast.expr) and node.end_lineno is not None and node.end_col_offset is not None:
                out.setdefault((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset), node)
        return out

    @cached_property
    def _statements(self) -> dict[int, ast.AugAssign]:
        return {n.lineno: n for n in nodes(self.source) if isinstance(n, ast.AugAssign)}

    @cached_property
    def _formula(self) -> dict[Span, tuple[Span, ...]]:
        try:
            return operand_spans(self.source, FORMULA)
        except SymgradError:
            return {}

    @cached_property
    def _assignments(self) -> dict[int, ast.Assign]:
        return {n.lineno: n for n in nodes(self.source) if isinstance(n, ast.Assign) and len(n.targets) == 1}

    def is_header(self, span: Span) -> bool:
        """What a loop runs over: ``enumerate(self.x)`` of ``for i, x in enumerate(self.x):``."""
        return (span.line, span.column, span.end_column) in self._headers

    @cached_property
    def _headers(self) -> set[tuple[int, int, int]]:
        loops = (n.iter for n in nodes(self.source) if isinstance(n, ast.For))
        return {(n.lineno, n.col_offset + 1, (n.end_col_offset or 0) + 1) for n in loops}

    def target(self, line: int) -> str:
        """What the assignment that begins on a line assigns to, as it is written; empty if there is none."""
        node = self._assignments.get(line)
        return self.text(_span("", node.targets[0])) if node is not None else ""

    def assigned(self, line: int) -> Span | None:
        """Where the value of an assignment that begins on a line is written."""
        node = self._assignments.get(line)
        return _span("", node.value) if node is not None else None

    def is_pure_helper(self, line: int) -> bool:
        """The line stands in a function that assigns nothing: a formula with a name, such as ``dtanh``."""
        inner: ast.AST | None = None
        for node in nodes(self.source):
            around = isinstance(node, ast.FunctionDef | ast.Lambda) and node.lineno <= line <= (node.end_lineno or line)
            if around and (inner is None or getattr(node, "lineno", 0) >= getattr(inner, "lineno", 0)):
                inner = node
        return inner is not None and not any(isinstance(n, ast.Assign | ast.AugAssign) for n in ast.walk(inner))

    def respelled(self, spans: Sequence[Span | None], piece: str, whole: Span) -> tuple[Span, str]:
        """The smallest balanced piece of a line that holds some operands, and how it reads with others in their place.

        Where the operands do not all stand on one line, the place is ``whole``, and nothing is offered for it.
        """
        found = sorted({s for s in spans if s is not None}, key=lambda s: s.column)
        if (
            not found
            or len(found) < len(set(spans))
            or any(s.line != s.end_line or s.line != found[0].line for s in found)
        ):
            return whole, ""
        line = self.lines[found[0].line - 1]
        begin, end = found[0].column - 1, found[-1].end_column - 1
        while begin > 0 and line[begin:end].count(")") > line[begin:end].count("("):
            begin = line.rindex("(", 0, begin)
        while end < len(line) and line[begin:end].count("(") > line[begin:end].count(")"):
            end = line.index(")", end) + 1
        text, at = "", begin
        for s in found:
            text += line[at : s.column - 1] + piece
            at = s.end_column - 1
        first = found[0]
        return Span(first.file, first.line, begin + 1, first.line, end + 1), text + line[at:end]

    def operand(self, parent: Span | None, slot: int) -> Span | None:
        """Where the operand number ``slot`` of the operation at ``parent`` is written."""
        if parent is None:
            return None
        if parent.file.startswith(FORMULA):
            spans = self._formula.get(replace(parent, file=FORMULA), ())
            return replace(spans[slot], file=parent.file) if slot < len(spans) else None
        node = self._nodes.get((parent.line, parent.column - 1, parent.end_line, parent.end_column - 1))
        children: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            children = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            children = [node.operand]
        elif isinstance(node, ast.Compare):
            children = [node.left, *node.comparators]
        elif isinstance(node, ast.IfExp):
            children = [node.test, node.body, node.orelse]
        elif isinstance(node, ast.Call):
            children = _operands(node)
        elif isinstance(node, ast.Attribute | ast.Subscript):
            children = [node.value]
        elif node is None and parent.line in self._statements:
            statement = self._statements[parent.line]
            children = [statement.target, statement.value]
        return _span(parent.file, children[slot]) if slot < len(children) else None

    def arguments(self, call: Span | None) -> list[tuple[Span, str]]:
        """Where the variables are written that a function of the script is called with, and which they are."""
        node = self._at(call)
        if call is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return []
        names = (a for a in node.args if isinstance(a, ast.Name))
        return [(_span(call.file, a), a.id) for a in names]

    def index(self, span: Span | None, place: int) -> tuple[Span, ast.expr] | None:
        """What stands at a place between the brackets of the item at ``span``."""
        node = self._at(span)
        if span is None or not isinstance(node, ast.Subscript):
            return None
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return (_span(span.file, items[place]), items[place]) if place < len(items) else None

    def summed(self, span: Span | None) -> Summed | None:
        """What the call at a place adds up, if that is what a comprehension makes."""
        return summed(self._at(span))

    def local_names(self, line: int) -> set[str]:
        """The variables of the comprehensions of a line."""
        if not self._has_comprehensions:
            return set()
        return {name for node in self._simple.get(line, ()) for name in local_names(node)}

    @cached_property
    def _has_comprehensions(self) -> bool:
        return any(isinstance(node, ast.comprehension) for node in nodes(self.source))

    @staticmethod
    def span_of(file: str, node: ast.expr) -> Span:
        """Where an expression is written."""
        return _span(file, node)

    @cached_property
    def statements(self) -> Statements:
        """The statements, to be moved."""
        return Statements(self.lines, nodes(self.source))

    def statement(self, span: Span | None) -> Span | None:
        """The one-line statement that holds a span."""
        for node in self._simple.get(span.line, ()) if span is not None else ():
            end = node.end_col_offset or 0
            if span is not None and node.col_offset < span.column <= end + 1:
                return Span(span.file, node.lineno, node.col_offset + 1, node.lineno, end + 1)
        return None

    @cached_property
    def _simple(self) -> dict[int, list[ast.stmt]]:
        """The statements of each line that stand on one line."""
        out: dict[int, list[ast.stmt]] = {}
        for node in nodes(self.source):
            if isinstance(node, ast.stmt) and node.lineno == node.end_lineno:
                out.setdefault(node.lineno, []).append(node)
        return out

    def _at(self, span: Span | None) -> ast.expr | None:
        if span is None:
            return None
        return self._nodes.get((span.line, span.column - 1, span.end_line, span.end_column - 1))

    def exchanged(self, span: Span | None) -> str:
        """The text of an operation with its two operands exchanged."""
        node = self._at(span)
        last = len(node.args) - 1 if isinstance(node, ast.Call) else 1
        # Of np.where(mask, a, b) it is the last two.
        first, second = self.operand(span, last - 1), self.operand(span, last)
        if span is None or first is None or second is None or span.line != span.end_line:
            return ""
        line, (a, b) = self.lines[span.line - 1], (self.text(first), self.text(second))
        between = line[first.end_column - 1 : second.column - 1]
        return (
            line[span.column - 1 : first.column - 1]
            + b
            + between
            + a
            + line[second.end_column - 1 : span.end_column - 1]
        )

    def turned(self, span: Span) -> str:
        """``a if test else 0`` for ``0 if test else a``; empty where a span is no such choice."""
        node = self._nodes.get((span.line, span.column - 1, span.end_line, span.end_column - 1))
        if not isinstance(node, ast.IfExp):
            return ""
        test, yes, no = (self.text(_span(span.file, n)) for n in (node.test, node.body, node.orelse))
        return f"{no} if {test} else {yes}"

    def branches(self, span: Span) -> tuple[str, ...]:
        """The two texts that a choice is between; none where a span is no choice."""
        node = self._at(span)
        nodes = (node.body, node.orelse) if isinstance(node, ast.IfExp) else ()
        return tuple("0" if _is_zero(n) else self.text(_span(span.file, n)) for n in nodes)

    def added_at(self, span: Span, function: str) -> str:
        """``G[i] += v``, or ``G[i] = v``, as the call ``function(G, i, v)``."""
        node = self._statements.get(span.line) or self._assignments.get(span.line)
        if node is None or (isinstance(node, ast.AugAssign) and not isinstance(node.op, ast.Add)):
            return ""
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        if not isinstance(target, ast.Subscript):
            return ""
        texts = [self.text(_span(span.file, p)) for p in (target.value, target.slice, node.value)]
        if isinstance(target.slice, ast.Tuple):
            texts[1] = f"({texts[1].strip('()')})"
        return f"{function}({', '.join(texts)})"

    @staticmethod
    def is_atom(text: str) -> bool:
        """A name, an attribute, a call or an item: what a method can be called on as it stands."""
        try:
            node = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return False
        return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)

    @cached_property
    def spelled(self) -> Spelling:
        """Makes a formula one that the script can run."""
        return Spelling(self.source)

    def text(self, span: Span) -> str:
        """The characters of a span, on one line."""
        return text_at(self.lines, span)

    def replaced(self, span: Span, text: str) -> str:
        """The whole source with a span replaced."""
        before = self.lines[: span.line - 1]
        after = self.lines[span.end_line :]
        line = (
            self.lines[span.line - 1][: span.column - 1] + text + self.lines[span.end_line - 1][span.end_column - 1 :]
        )
        return "\n".join([*before, line, *after])

    def fitted(self, span: Span, text: str) -> str:
        """``text``, in parentheses where the place needs them."""
        if ";" in text or "\n" in text:
            return text  # statements
        if text[:1] in ("+", "-") and self.text(span)[:1] in ("+", "-") and text[1:] == self.text(span)[1:]:
            return text  # a term with its sign
        if not _is_compound(text) or self._is_enclosed(span) or self._is_whole(span) or self.statement(span) == span:
            return text
        return f"({text})"

    def _is_enclosed(self, span: Span) -> bool:
        line = self.lines[span.line - 1]
        end = self.lines[span.end_line - 1]
        before = line[: span.column - 1].rstrip()
        after = end[span.end_column - 1 :].lstrip()
        return bool(before) and bool(after) and before[-1] in "(," and after[0] in "),"

    def _is_whole(self, span: Span) -> bool:
        """The span is all that is assigned."""
        before = self.lines[span.line - 1][: span.column - 1].rstrip()
        after = self.lines[span.end_line - 1][span.end_column - 1 :].split("#")[0].strip()
        return before.endswith("=") and not after


@lru_cache(maxsize=8)
def source_map(source: str) -> SourceMap:
    """The places of a text: found once for all who ask for them. Nobody changes what it holds."""
    return SourceMap(source)


def number_names(graph: Graph, source: SourceMap) -> dict[Fraction, str]:
    """What the script calls the numbers that it works with: 3 may be N, which is ``len(X)``."""
    found: dict[Fraction, set[str]] = {}
    held: dict[str, set[Fraction]] = {}
    for step in graph.steps:
        for slot, j in enumerate(step.inputs):
            value = graph.steps[j].value if graph.steps[j].is_const else None
            if isinstance(value, Fraction):
                where = source.operand(step.span, slot)
                text = source.text(where) if where is not None else ""
                if text.isidentifier():
                    held.setdefault(text, set()).add(value)
                    found.setdefault(value, set()).add(text)
    out = {}
    for value, names in found.items():
        # What counts the rounds of a loop is this number by chance.
        lasting = [name for name in names if len(held[name]) == 1]
        if len(lasting) == 1 and value not in (0, 1, -1):
            out[value] = lasting[0]
    return out


#: Modules whose functions take all their operands between the parentheses.
_MODULES = frozenset({"np", "numpy", "torch", "math", "F", "cupy", "jnp", "scipy"})


def _operands(node: ast.Call) -> list[ast.expr]:
    """The operands of a call; of a method, what it is called on comes first. Letters of einsum are none, and a list of
    arrays (concatenate) is as many as there are in it."""
    args: list[ast.expr] = []
    for n, arg in enumerate(node.args):
        if n == 0 and isinstance(arg, ast.List | ast.Tuple):
            args += arg.elts
        elif not (isinstance(arg, ast.Constant) and isinstance(arg.value, str)):
            args.append(arg)
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr == "at" and len(args) == 3:
        return [args[0], args[2], args[1]]  # np.add.at(array, places, what is added)
    if isinstance(function, ast.Attribute):
        base: ast.expr = function
        while isinstance(base, ast.Attribute):
            base = base.value
        if not (isinstance(base, ast.Name) and base.id in _MODULES):
            return [function.value, *args]
    return args


def _span(file: str, node: ast.expr) -> Span:
    end_line = node.end_lineno or node.lineno
    end = node.end_col_offset if node.end_col_offset is not None else node.col_offset
    return Span(file, node.lineno, node.col_offset + 1, end_line, end + 1)


def _is_compound(text: str) -> bool:
    """There is an operator outside all parentheses."""
    depth = 0
    for n, c in enumerate(text):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif depth == 0 and c in "+-*/^·×÷− " and n > 0:
            return True
    return text.startswith("-")


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0
