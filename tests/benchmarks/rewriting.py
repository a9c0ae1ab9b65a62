"""Equivalent rewrites of a hand-written derivation: what a person may write instead, and be just as right.

A rewrite replaces one line of the manual part by one or more lines, or renames a variable throughout. The operators
only propose; whether the result is equal is found by running (`cases.rewritten`), so they may be bold.
"""

from __future__ import annotations

import ast
import copy
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.corpus import Derivation, manual_lines
from tests.benchmarks.mutation import value_of

ODD_NAMES = ("foo", "qq", "blah", "thing", "k7", "zz_top", "temp3", "answer", "aa", "Gamma_", "u_u", "stuff")
FRESH = ("tmp", "aux", "t1", "part", "local", "piece", "inner_", "common", "fac")


@dataclass(frozen=True)
class Rewrite:
    """Lines that take the place of lines; or a new name for an old one."""

    operator: str
    line: int = 0
    end: int = 0
    text: tuple[str, ...] = ()
    rename: tuple[str, str] = ("", "")

    def apply(self, source: str, declared: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The new source, and the declared expressions as they are now called."""
        old, new = self.rename
        if old:
            names = re.compile(rf"(?<![\w.\"']){re.escape(old)}(?![\w\"'])")
            return _renamed(source, old, new), tuple(names.sub(new, d) for d in declared)
        lines = source.split("\n")
        lines[self.line - 1 : self.end] = self.text
        return "\n".join(lines), tuple(declared)


def _renamed(source: str, old: str, new: str) -> str:
    lines = source.split("\n")
    places = []
    for node in ast.walk(ast.parse(source)):
        if (isinstance(node, ast.Name) and node.id == old) or (isinstance(node, ast.arg) and node.arg == old):
            places.append((node.lineno, node.col_offset))
    for line, column in sorted(places, reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + new + text[column + len(old) :]
    return "\n".join(lines)


@dataclass(frozen=True)
class _At:
    """A statement with what the operators ask about it."""

    stmt: ast.stmt
    value: ast.expr
    indent: str
    forward: dict[str, ast.expr]
    taken: frozenset[str]
    rng: random.Random
    #: ``math.`` or ``np.`` or ``torch.``: what its functions are called by.
    library: str

    def fresh(self) -> str:
        return self.rng.choice([n for n in FRESH if n not in self.taken])

    def line(self, value: ast.AST | str) -> str:
        """The statement with another value."""
        new = _Replace(self.value, _parsed(value) if isinstance(value, str) else value).visit(copy.copy(self.stmt))
        return self.indent + ast.unparse(new)


class _Replace(ast.NodeTransformer):
    """Puts one node in place of another, the rest shared no more."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return self.new
        fields = {
            name: [self.visit(x) if isinstance(x, ast.AST) else x for x in value]
            if isinstance(value, list)
            else self.visit(value)
            if isinstance(value, ast.AST)
            else value
            for name, value in ast.iter_fields(node)
        }
        return ast.copy_location(type(node)(**fields), node)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


#: More operators: what else one expression, or one statement, may be written as.
Expressions = Callable[[_At, ast.expr], Iterator[tuple[str, str]]]
Statements = Callable[[_At], Iterator[tuple[str, list[str]]]]


def rewrites(
    case: Derivation,
    source: str,
    rng: random.Random,
    expressions: Expressions | None = None,
    statements: Statements | None = None,
) -> Iterator[Rewrite]:
    """Proposals for a source, which may have been rewritten before."""
    tree = ast.parse(source)
    lines = source.split("\n")
    manual = manual_lines(source)
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
        n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)
    }
    forward = {
        s.targets[0].id: s.value
        for s in tree.body
        if isinstance(s, ast.Assign) and s.lineno < case.first and isinstance(s.targets[0], ast.Name)
    }
    library = next((m for m in ("np.", "torch.", "math.") if f"import {m[:-1]}" in source), "")
    blocks = [b for n in ast.walk(tree) for f in ("body", "orelse") if isinstance(b := getattr(n, f, None), list)]
    for block in blocks:
        for k, stmt in enumerate(block):
            value = value_of(stmt)
            if value is None or stmt.lineno not in manual or stmt.lineno != stmt.end_lineno:
                continue
            indent = lines[stmt.lineno - 1][: stmt.col_offset]
            at = _At(stmt, value, indent, forward, frozenset(names), rng, library)
            for operator, text in _statement(at, expressions):
                yield Rewrite(operator, stmt.lineno, stmt.lineno, tuple(text))
            for operator, text in statements(at) if statements else ():
                yield Rewrite(operator, stmt.lineno, stmt.lineno, tuple(text))
            yield from _inlined(at, block[k + 1 :], lines)
    yield from _renames(case, tree, rng, names)
    yield from _hoisted(tree, lines, rng, names, manual)


def _renames(case: Derivation, tree: ast.Module, rng: random.Random, names: set[str]) -> Iterator[Rewrite]:
    """Any name that the script assigns, but no input's (those are how the derivatives are checked) nor a keyword's."""
    keywords = {k.arg for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords}
    defined = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    inputs = {re.split(r"[\[.]", x)[0] for x in case.inputs} | set(getattr(case, "variables", ()))
    free = [n for n in ODD_NAMES if n not in names]
    for name in sorted(defined - keywords - inputs - {"_"}):
        yield Rewrite("rename", rename=(name, rng.choice(free)))


def _statement(at: _At, expressions: Expressions | None = None) -> Iterator[tuple[str, list[str]]]:
    """What can be done to one statement alone."""
    value = at.value
    if isinstance(at.stmt, ast.AugAssign):
        yield from _unaugmented(at, at.stmt)
    if isinstance(at.stmt, ast.Assign) and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        target = ast.unparse(at.stmt.targets[0])
        free = target not in {ast.unparse(n) for n in ast.walk(value) if isinstance(n, ast.expr)}
        if free:
            first, second = at.line(value.left), f"{at.indent}{target} += {ast.unparse(value.right)}"
            yield "accumulate", [first, second]
            yield "accumulate", [at.line("0.0"), f"{at.indent}{target} += {ast.unparse(value.left)}", second]
    for node in ast.walk(value):
        if not isinstance(node, ast.expr) or isinstance(node, ast.Lambda):
            continue
        for operator, new in (*_expression(at, node), *(expressions(at, node) if expressions else ())):
            yield operator, [at.line(_Replace(node, _parsed(new)).visit(value))]
        inside = any(isinstance(n, ast.Lambda) for n in ast.walk(value))
        if isinstance(node, ast.BinOp | ast.Call) and node is not value and not inside:
            name = at.fresh()
            head = f"{at.indent}{name} = {ast.unparse(node)}"
            yield "split", [head, at.line(_Replace(node, _parsed(name)).visit(value))]
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in at.forward and not inside:
            name = at.fresh()
            yield "alias", [f"{at.indent}{name} = {node.id}", at.line(_Replace(node, _parsed(name)).visit(value))]
    if isinstance(value, ast.BinOp | ast.Call) and isinstance(at.stmt, ast.Assign | ast.AugAssign):
        name = at.fresh()
        yield "split-whole", [f"{at.indent}{name} = {ast.unparse(value)}", at.line(name)]


def _unaugmented(at: _At, stmt: ast.AugAssign) -> Iterator[tuple[str, list[str]]]:
    target, value = ast.unparse(stmt.target), ast.unparse(stmt.value)
    sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}.get(type(stmt.op))
    if sign:
        yield "unaugment", [f"{at.indent}{target} = {target} {sign} ({value})"]
    if sign == "+":
        yield "unaugment", [f"{at.indent}{target} = {value} + {target}"]
        yield "negate", [f"{at.indent}{target} -= -({value})"]


def _chain(node: ast.expr, ops: type | tuple[type, ...]) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ops):
        return [*_chain(node.left, ops), *_chain(node.right, ops)]
    return [node]


def _expression(at: _At, node: ast.expr) -> Iterator[tuple[str, str]]:
    """Other ways to write one expression."""
    text = ast.unparse(node)
    if isinstance(node, ast.BinOp):
        yield from _binary(at, node)
    match node:
        case ast.UnaryOp(ast.USub(), operand):
            yield "negate", f"-1 * ({ast.unparse(operand)})"
            if isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.Mult | ast.Div):
                sign = "*" if isinstance(operand.op, ast.Mult) else "/"
                yield "negate", f"({ast.unparse(operand.left)}) {sign} (-({ast.unparse(operand.right)}))"
        case ast.IfExp(test, yes, ast.Constant(0.0)):
            yield "mask", f"({ast.unparse(yes)}) * (1.0 if {ast.unparse(test)} else 0.0)"
            yield "mask", f"0.0 if not ({ast.unparse(test)}) else {ast.unparse(yes)}"
        case ast.Call(ast.Attribute(attr="where"), [test, yes, ast.Constant(0)]):
            yield "mask", f"({ast.unparse(yes)}) * ({ast.unparse(test)})"
        case ast.Call(ast.Attribute(ast.Name(lib), "cos" | "sin" as name), [x]) if lib in ("math", "np"):
            shifted: tuple[str, str] = ("sin", "+") if name == "cos" else ("cos", "-")
            yield "identity", f"{lib}.{shifted[0]}({ast.unparse(x)} {shifted[1]} {lib}.pi / 2)"
    if isinstance(node, ast.Name | ast.Subscript) and isinstance(node.ctx, ast.Load):
        if text in at.forward and isinstance(at.forward[text], ast.BinOp | ast.Call | ast.IfExp):
            yield "inline-forward", f"({ast.unparse(at.forward[text])})"
    elif isinstance(node, ast.BinOp | ast.Call) and at.rng.random() < 0.2:
        yield "neutral", f"1.0 * ({text})"
        yield "neutral", f"0.0 + ({text})"
    for known, value in at.forward.items():
        if isinstance(value, ast.BinOp | ast.Call) and ast.unparse(value) == text:
            yield "use-forward", known


def _binary(at: _At, node: ast.BinOp) -> Iterator[tuple[str, str]]:
    left, right = ast.unparse(node.left), ast.unparse(node.right)
    l_, r_ = f"({left})", f"({right})"
    match node.op:
        case ast.Mult():
            factors = [f"({ast.unparse(f)})" for f in _chain(node, ast.Mult)]
            yield "reorder-factors", " * ".join(at.rng.sample(factors, len(factors)))
            yield "reorder-factors", f"{r_} * {l_}"
            yield "reciprocal", f"{l_} / (1 / {r_})"
            yield "negate", f"-({l_} * (-{r_}))"
            for one, two in ((node.left, node.right), (node.right, node.left)):
                if isinstance(two, ast.BinOp) and isinstance(two.op, ast.Add | ast.Sub):
                    sign = "+" if isinstance(two.op, ast.Add) else "-"
                    a_ = f"({ast.unparse(one)})"
                    yield "distribute", f"{a_} * ({ast.unparse(two.left)}) {sign} {a_} * ({ast.unparse(two.right)})"
            if left == right:
                yield "power", f"{l_}**2"
        case ast.Div():
            yield "reciprocal", f"{l_} * (1 / {r_})"
            yield "reciprocal", f"{l_} * {r_}**-1"
            yield "reciprocal", f"1 / ({r_} / {l_})"
            if isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Mult):
                yield "reciprocal", f"{l_} / ({ast.unparse(node.right.left)}) / ({ast.unparse(node.right.right)})"
            if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub):
                sign = "+" if isinstance(node.left.op, ast.Add) else "-"
                a, b = f"({ast.unparse(node.left.left)})", f"({ast.unparse(node.left.right)})"
                yield "distribute", f"{a} / {r_} {sign} {b} / {r_}"
        case ast.Add():
            terms = [f"({ast.unparse(t)})" for t in _chain(node, ast.Add)]
            yield "reorder-terms", " + ".join(at.rng.sample(terms, len(terms)))
            yield "reorder-terms", f"{right} + {left}"
            yield from _factored(node, "+")
        case ast.Sub():
            yield "reorder-terms", f"-{r_} + {left}"
            yield "negate", f"-({right} - {l_})"
            yield from _factored(node, "-")
        case ast.Pow() if isinstance(node.right, ast.Constant):
            yield from _power(l_, node.right.value)
            for name, value in at.forward.items():
                match value:
                    case ast.Call(ast.Attribute(attr="sqrt"), [x]) if name == left and node.right.value == 2:
                        yield "identity", f"({ast.unparse(x)})"
    yield from _identities(at, node)


def _factored(node: ast.BinOp, sign: str) -> Iterator[tuple[str, str]]:
    """a*b + a*c as a*(b + c), whatever the places of the common factor."""
    if all(isinstance(s, ast.BinOp) and isinstance(s.op, ast.Mult) for s in (node.left, node.right)):
        a, b = ([ast.unparse(f) for f in _chain(s, ast.Mult)] for s in (node.left, node.right))
        for common in sorted(set(a) & set(b)):
            rest = []
            for side in (a, b):
                left = list(side)
                left.remove(common)
                rest.append(" * ".join(f"({f})" for f in left) or "1")
            yield "factor-out", f"({common}) * ({rest[0]} {sign} {rest[1]})"


def _power(base: str, n: object) -> Iterator[tuple[str, str]]:
    if n in (2, 3, 4):
        yield "power", " * ".join([base] * int(n))
    if n == 1.5:
        yield "power", f"{base} * {base}**0.5"
    if n == 0.5:
        yield "power", f"{base} / {base}**0.5"


def _identities(at: _At, node: ast.BinOp) -> Iterator[tuple[str, str]]:
    """What a function's derivative may also be called."""
    text = ast.unparse(node)
    lib = at.library
    for one, y in re.findall(r"^(1 - )(\w+) ?\*\* ?2$", text) + re.findall(r"^(1 - )(\w+) \* \2$", text):
        del one
        yield "identity", f"(1 - {y}) * (1 + {y})"
        value = at.forward.get(y)
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("tanh"):
            z = ast.unparse(value.args[0])
            yield "identity", f"1 / {lib}cosh({z})**2"
            yield "identity", f"4 / ({lib}exp({z}) + {lib}exp(-({z})))**2"
    for y in [a or b for a, b in re.findall(r"^(\w+) \* \(1 - \1\)$|^\(1 - (\w+)\) \* \2$", text)]:
        yield "identity", f"({y} - {y}**2)"
        z = _sigmoids(at.forward.get(y))
        if z:
            yield "identity", f"{lib}exp(-({z})) / (1 + {lib}exp(-({z})))**2"
            yield "identity", f"0.25 / {lib}cosh(({z}) / 2)**2"
    for k, y in re.findall(r"^(.+) / \(2 \* (\w+)\)$", text) + re.findall(r"^(0\.5) / (\w+)$", text):
        value = at.forward.get(y)
        half = "1" if k == "0.5" else k
        yield "identity", f"0.5 * ({half}) / {y}"
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("sqrt"):
            yield "identity", f"({half}) * 0.5 * ({ast.unparse(value.args[0])})**-0.5"
    for n, d in re.findall(rf"({re.escape(lib)}exp\(\w+\)) / \(1 \+ ({re.escape(lib)}exp\(\w+\))\)$", text):
        if n == d:
            head = text[: text.index(n)] + "1"
            yield "identity", f"{head} / (1 + 1 / {n})"


def _sigmoids(value: ast.expr | None) -> str:
    """The argument, where a forward value is a sigmoid written out or called."""
    match value:
        case ast.BinOp(ast.Constant(1), ast.Div(), ast.BinOp(ast.Constant(1), ast.Add(), ast.Call(_, [minus]))):
            return ast.unparse(minus.operand) if isinstance(minus, ast.UnaryOp) else ""
        case ast.Call(ast.Name("sig" | "sigmoid") | ast.Attribute(attr="sigmoid"), [z]):
            return ast.unparse(z)
    return ""


def _inlined(at: _At, after: Sequence[ast.stmt], lines: list[str]) -> Iterator[Rewrite]:
    """A plain assignment put into the statement that follows it."""
    if not (isinstance(at.stmt, ast.Assign) and isinstance(at.stmt.targets[0], ast.Name) and after):
        return
    name, into = at.stmt.targets[0].id, after[0]
    uses = [n for n in ast.walk(into) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    if value_of(into) is None or len(uses) != 1 or into.lineno != into.end_lineno:
        return
    new = _Replace(uses[0], at.value).visit(into)
    between = lines[at.stmt.lineno : into.lineno - 1]
    yield Rewrite("inline", at.stmt.lineno, into.lineno, (*between, at.indent + ast.unparse(new)))


def _hoisted(
    tree: ast.Module, lines: list[str], rng: random.Random, names: set[str], manual: frozenset[int]
) -> Iterator[Rewrite]:
    """A sub-expression that occurs twice, once computed."""
    found: dict[str, list[ast.expr]] = {}
    for stmt in tree.body:
        value = value_of(stmt)
        if value is None or stmt.lineno not in manual:
            continue
        for node in ast.walk(value):
            if isinstance(node, ast.BinOp | ast.Call):
                found.setdefault(ast.unparse(node), []).append(node)
    name = rng.choice([n for n in FRESH if n not in names])
    for text, nodes in sorted(found.items()):
        first, end = min(n.lineno for n in nodes), max(n.lineno for n in nodes)
        if len(nodes) < 2 or "lambda" in text:
            continue
        block = list(lines[first - 1 : end])
        for n in sorted(nodes, key=lambda n: (n.lineno, n.col_offset), reverse=True):
            old = block[n.lineno - first]
            block[n.lineno - first] = old[: n.col_offset] + name + old[n.end_col_offset :]
        yield Rewrite("hoist", first, end, (f"{name} = {text}", *block))
