"""Places in the user's text: which characters are an operand, and what the text is with a repair put in."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, lru_cache

from symgrad.diagnose.spelling import Spelling
from symgrad.errors import Span, SymgradError
from symgrad.frontends.expression import operand_spans
from symgrad.graph import Graph

#: How the name of a formula's text begins: it is in symgrad's own language, where ``^`` is a power.
FORMULA = "--manual "


@lru_cache(maxsize=4)
def _nodes(source: str) -> tuple[ast.AST, ...]:
    """All that a Python text is made of, read once; nothing where it does not parse. Nobody changes it."""
    try:
        return tuple(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


class SourceMap:
    """The user's text, by position: Python, or a formula in the language of expressions."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.split("\n")

    @cached_property
    def _nodes(self) -> dict[tuple[int, int, int, int], ast.expr]:
        out: dict[tuple[int, int, int, int], ast.expr] = {}
        for node in _nodes(self.source):
            if isinstance(node, ast.expr) and node.end_lineno is not None and node.end_col_offset is not None:
                out.setdefault((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset), node)
        return out

    @cached_property
    def _statements(self) -> dict[int, ast.AugAssign]:
        return {n.lineno: n for n in _nodes(self.source) if isinstance(n, ast.AugAssign)}

    @cached_property
    def _formula(self) -> dict[Span, tuple[Span, ...]]:
        try:
            return operand_spans(self.source, FORMULA)
        except SymgradError:
            return {}

    @cached_property
    def _assignments(self) -> dict[int, ast.Assign]:
        return {n.lineno: n for n in _nodes(self.source) if isinstance(n, ast.Assign) and len(n.targets) == 1}

    def is_header(self, span: Span) -> bool:
        """What a loop runs over: ``enumerate(self.x)`` of ``for i, x in enumerate(self.x):``."""
        return (span.line, span.column, span.end_column) in self._headers

    @cached_property
    def _headers(self) -> set[tuple[int, int, int]]:
        loops = (n.iter for n in _nodes(self.source) if isinstance(n, ast.For))
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
        for node in _nodes(self.source):
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

    def index(self, span: Span | None, place: int) -> tuple[Span, ast.expr] | None:
        """What stands at a place between the brackets of the item at ``span``."""
        node = self._at(span)
        if span is None or not isinstance(node, ast.Subscript):
            return None
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return (_span(span.file, items[place]), items[place]) if place < len(items) else None

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
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return {}
        out: dict[int, list[ast.stmt]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt) and node.lineno == node.end_lineno:
                out.setdefault(node.lineno, []).append(node)
        return out

    def moved_down(self, span: Span, name: str) -> tuple[Span, str] | None:
        """A statement moved behind the last one after it that reads a name: the place of all of them, and their text.

        ``None`` where there is none, or nothing can follow it.
        """
        for block in self._blocks:
            at = next((n for n, s in enumerate(block) if _begins(s) == (span.line, span.column)), -1)
            if at < 0:
                continue
            loop = self._loop(block[at], name)
            if loop is not None and at + 1 < len(block):
                # In the next round it would be read again.
                return self._behind(block[at], block[at + 1], loop, span.file)
            again = next((n for n in range(at + 1, len(block)) if _uses(block[n], name, ast.Store)), len(block))
            readers = [n for n in range(at + 1, len(block)) if n <= again and _uses(block[n], name, ast.Load)]
            if not readers:
                return None
            first, last = block[at], block[readers[-1]]
            if isinstance(last, ast.Return) and (last.value is None or last is not block[at + 1]):
                return None
            begin, end = _begins(block[at + 1]), _ends(last)
            own = self.text(Span(span.file, *_begins(first), *_ends(first)))
            joint = "; " if first.lineno == last.end_lineno else "\n" + " " * (span.column - 1)
            text = self._as_it_is(begin, end) + joint + own
            if isinstance(last, ast.Return) and last.value is not None:
                text = joint.join((f"result = {self.text(_span(span.file, last.value))}", own, "return result"))
            return Span(span.file, *_begins(first), *end), text
        return None

    def loop_statement(self, lines: Sequence[int]) -> tuple[int, int] | None:
        """The first and the last line of the statement in the body of the innermost loop around some lines."""
        loops = (n for n in self._compound if isinstance(n, ast.For | ast.While))
        around = [n for n in loops if all(n.lineno < at <= (n.end_lineno or 0) for at in lines)]
        inner = max(around, key=lambda n: n.lineno, default=None)
        for s in inner.body if isinstance(inner, ast.For | ast.While) else ():
            if all(s.lineno <= at <= (s.end_lineno or 0) for at in lines):
                return s.lineno, s.end_lineno or s.lineno
        return None

    def loop_around(self, line: int, *, inner: bool = False) -> tuple[int, int] | None:
        """The first and the last line of the outermost loop around a line, or of the innermost; none beyond a function.
        """
        around = [n for n in self._compound if n.lineno < line <= (n.end_lineno or 0)]
        function = max((n.lineno for n in around if isinstance(n, ast.FunctionDef)), default=0)
        loops = [n for n in around if not isinstance(n, ast.FunctionDef) and n.lineno > function]
        loop = (max if inner else min)(loops, key=lambda n: n.lineno, default=None)
        return (loop.lineno, loop.end_lineno or loop.lineno) if loop is not None else None

    def _loop(self, statement: ast.stmt, name: str) -> ast.stmt | None:
        """The outermost loop around a statement that reads a name; none beyond a function."""
        inside = [f for f in self._compound if isinstance(f, ast.FunctionDef) and _holds(f, statement)]
        loops = [n for n in self._compound if isinstance(n, ast.For | ast.While) and _holds(n, statement)]
        inner = max(inside, key=lambda f: f.lineno, default=None)
        mine = (n for n in loops if (inner is None or _holds(inner, n)) and _uses(n, name, ast.Load))
        return min(mine, key=lambda n: n.lineno, default=None)

    def _behind(self, first: ast.stmt, following: ast.stmt, loop: ast.stmt, file: str) -> tuple[Span, str]:
        """A statement moved behind a loop."""
        own = self.text(Span(file, *_begins(first), *_ends(first)))
        rest = self._as_it_is(_begins(following), _ends(loop))
        text = rest + "\n" + " " * loop.col_offset + own
        return Span(file, *_begins(first), *_ends(loop)), text

    def _as_it_is(self, begin: tuple[int, int], end: tuple[int, int]) -> str:
        """The characters between two places, on as many lines as they are."""
        lines = self.lines[begin[0] - 1 : end[0]]
        lines[-1] = lines[-1][: end[1] - 1]
        lines[0] = lines[0][begin[1] - 1 :]
        return "\n".join(lines)

    @cached_property
    def _compound(self) -> list[ast.stmt]:
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.For | ast.While)]

    def moved_behind(self, span: Span | None, name: str) -> tuple[Span, str] | None:
        """A statement moved behind the next one that gives a name its value: the place of both, and their text."""
        for block in self._blocks if span is not None else ():
            at = next((n for n, s in enumerate(block) if span and _begins(s) == (span.line, span.column)), -1)
            later = block[at + 1] if 0 <= at < len(block) - 1 else None
            if span is not None and later is not None and _uses(later, name, ast.Store):
                texts = [self.text(Span(span.file, *_begins(s), *_ends(s))) for s in (later, block[at])]
                joint = "; " if later.lineno == span.line else "\n" + " " * (span.column - 1)
                return Span(span.file, *_begins(block[at]), *_ends(later)), joint.join(texts)
        return None

    def followed(self, span: Span, line: int, text: str) -> tuple[Span, str] | None:
        """A statement with another one put in behind a later line of its block: the place of all, and their text."""
        for block in self._blocks:
            at = next((n for n, s in enumerate(block) if _begins(s) == (span.line, span.column)), -1)
            last = next((s for s in block[at + 1 :] if s.lineno == line == s.end_lineno), None) if at >= 0 else None
            if last is not None:
                whole = self._as_it_is((span.line, span.column), _ends(last))
                return Span(span.file, span.line, span.column, *_ends(last)), f"{whole}\n{' ' * last.col_offset}{text}"
        return None

    @cached_property
    def _blocks(self) -> list[list[ast.stmt]]:
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        fields = ("body", "orelse", "finalbody")
        return [b for n in ast.walk(tree) for f in fields if isinstance(b := getattr(n, f, None), list) and b]

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
        if span.line == span.end_line and span.line <= len(self.lines):
            return self.lines[span.line - 1][span.column - 1 : span.end_column - 1]
        first = self.lines[span.line - 1][span.column - 1 :]
        middle = self.lines[span.line : span.end_line - 1]
        last = self.lines[span.end_line - 1][: span.end_column - 1]
        return " ".join(part.strip() for part in (first, *middle, last))

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


def _begins(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1


def _ends(node: ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, (node.end_col_offset or 0) + 1


def _holds(outer: ast.stmt, inner: ast.stmt) -> bool:
    return outer is not inner and outer.lineno <= inner.lineno and (inner.end_lineno or 0) <= (outer.end_lineno or 0)


def _uses(node: ast.stmt, name: str, how: type[ast.expr_context]) -> bool:
    """A statement reads a variable, or gives it a value."""
    found = (n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, how))
    return any(ast.unparse(n) == name for n in found)


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
