"""Single edits of a hand-written derivation: MISTAKES.md section 1, as far as it applies to scalars.

An operator looks at one place of one statement and yields `Edit` s: the piece of the line that goes, the text that
comes, and what the person has thereby got wrong. Lines keep their numbers, and nothing but the piece changes
(parentheses come with it where the meaning needs them). What makes no difference is found by running, in `cases`.
"""

from __future__ import annotations

import ast
import difflib
import random
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.corpus import Derivation, Unusable, manual_lines, program, run

#: What a caret must do to be right: point into the edited piece; say what was dropped; or judge the line as a whole.
LOCAL, ABSENT, WHOLE = "local", "absent", "whole"

FORMULAS = ("wrong-formula", "missing-factor", "extra-factor", "missing-term", "extra-term", "scale", "sign")


@dataclass(frozen=True)
class Edit:
    """One change within one line: columns are 0-based, ends exclusive."""

    line: int
    column: int
    end: int
    text: str
    operator: str
    #: The issue's kinds that describe it, the most apt first.
    mistakes: tuple[str, ...]
    description: str
    scope: str = LOCAL
    #: For what was dropped: its text.
    dropped: str = ""
    #: Lines of which any is as good as `line`: only for a dropped statement.
    instead: tuple[int, ...] = ()
    #: Edits of other lines after which nothing that the script holds is different: any of these lines is as good.
    twins: tuple[Edit, ...] = ()
    #: Other lines that it replaces as a whole, with their new text: for two lines that change places.
    others: tuple[tuple[int, str], ...] = ()

    def apply(self, lines: list[str]) -> None:
        """Make the change in the lines of the file."""
        old = lines[self.line - 1]
        lines[self.line - 1] = old[: self.column] + self.text + old[self.end :]
        for number, text in self.others:
            lines[number - 1] = text

    @property
    def changed(self) -> frozenset[int]:
        """The lines that it changes."""
        return frozenset((self.line, *(number for number, _ in self.others)))


@dataclass(frozen=True)
class Place:
    """A statement of the manual part, on one line, with what the operators need to know around it."""

    stmt: ast.stmt
    line: str
    parents: dict[ast.AST, ast.AST]
    names: tuple[str, ...]
    #: Forward outputs and the name that went in: ``h`` -> ``z`` for ``h = tanh(z)``.
    inputs: dict[str, str]
    rng: random.Random

    def text(self, node: ast.AST) -> str:
        """The source of a node."""
        return self.line[node.col_offset : node.end_col_offset]  # type: ignore[attr-defined]

    def is_term(self, node: ast.AST) -> bool:
        """Whether it is a term of the value assigned, and not part of a factor or of a helper function's formula."""
        up = self.parents.get(node)
        if isinstance(up, ast.Return):
            return False
        return not isinstance(up, ast.expr) or (
            isinstance(up, ast.BinOp) and isinstance(up.op, ast.Add | ast.Sub) and self.is_term(up)
        )

    def edit(
        self, node: ast.AST, text: str, operator: str, mistakes: Iterable[str], description: str, **more: Any
    ) -> Iterator[Edit]:
        """The replacement of a node, in parentheses where it would otherwise be read differently."""
        a, b = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        safe = _dump(self.line[:a] + f"({text})" + self.line[b:])
        if safe is None:
            return
        if _dump(self.line[:a] + text + self.line[b:]) != safe:
            text = f"({text})"
        if within_index(self, node):
            # Whatever is done to a place in a list, another entry is read.
            mistakes = dict.fromkeys(("wrong-time-step", "wrong-variable", "input-for-output", *mistakes))
            more = {k: v for k, v in more.items() if k not in ("scope", "dropped")}
        yield Edit(self.stmt.lineno, a, b, text, operator, tuple(mistakes), description, **more)


def _dump(line: str) -> str | None:
    try:
        return ast.dump(ast.parse(line.strip()))
    except SyntaxError:
        return None


def edits(place: Place) -> Iterator[Edit]:
    """Every edit of one statement."""
    stmt = place.stmt
    value = value_of(stmt)
    if value is None or isinstance(value, ast.Tuple | ast.List | ast.Dict | ast.Lambda):
        if isinstance(value, ast.Lambda):
            yield from _within(place, value.body)
        return
    yield from whole(place, value)
    if isinstance(stmt, ast.AugAssign):
        yield from augmented(place, stmt)
    yield from _within(place, value)


def within_index(place: Place, node: ast.AST) -> bool:
    """A node is a part of the place in a list: of the ``t + 1`` of ``hs[t + 1]``."""
    up = place.parents.get(node)
    while up is not None and not isinstance(up, ast.Subscript):
        node, up = up, place.parents.get(up)
    return isinstance(up, ast.Subscript) and node is up.slice


def value_of(stmt: ast.stmt) -> ast.expr | None:
    """The expression that a statement computes: the value assigned, returned, appended, or added by ``np.add.at``."""
    match stmt:
        case ast.Assign(targets=[ast.Tuple()]):
            return None
        case ast.Assign() | ast.AugAssign() | ast.Return():
            return stmt.value
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[value])):
            return value
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[_, _, value])):
            return value
    return None


def whole(place: Place, value: ast.expr) -> Iterator[Edit]:
    """The line as a whole: scale and sign."""
    text = place.text(value)
    tight = f"({text})" if isinstance(value, ast.BinOp | ast.IfExp | ast.UnaryOp) else text
    product = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div)
    for k in ("2", "0.5"):
        new = f"{k} * {text if product else tight}"
        # Half of something may lack a factor 2 just as well.
        kinds = ("scale", "extra-factor", "missing-factor")[: 2 if k == "2" else 3]
        yield from place.edit(value, new, "scale", kinds, f"the line times {k}", scope=WHOLE)
    sign = ("sign", "scale", "extra-factor")
    if not isinstance(value, ast.UnaryOp):
        new = f"-{text}" if product and not place.text(value).startswith("-") else f"-{tight}"
        yield from place.edit(value, new, "sign-line", sign, "the line negated", scope=WHOLE)


def augmented(place: Place, stmt: ast.AugAssign) -> Iterator[Edit]:
    """``+=`` and its kin."""
    a = place.line.index("=", stmt.target.end_col_offset) - 1
    target, value = place.text(stmt.target), place.text(stmt.value)

    def put(text: str, operator: str, mistakes: tuple[str, ...], why: str, scope: str = WHOLE) -> Edit:
        return Edit(stmt.lineno, a, a + 2, text, operator, mistakes, why, scope)

    if isinstance(stmt.op, ast.Add | ast.Sub):
        lost = ("lost-accumulation", "missing-term", "overwritten")
        yield put("=", "lost-accumulation", lost, f"{target} is overwritten, not added to")
        other = "-=" if isinstance(stmt.op, ast.Add) else "+="
        yield put(other, "sign-term", ("sign",), f"{other} for {place.line[a : a + 2]}")
        twice = f"{value} + {value}" if not isinstance(stmt.value, ast.BinOp) else f"2 * ({value})"
        more = {"scope": WHOLE, "mistakes": ("extra-term", "scale", "extra-factor")}
        yield from place.edit(stmt.value, twice, "counted-twice", description="the path is added twice", **more)
        end = stmt.end_col_offset
        assert end is not None
        yield Edit(
            stmt.lineno, stmt.col_offset, end, "pass", "dropped-line",
            ("missing-term", "lost-accumulation", "never-assigned"), f"{target} lacks {value}", ABSENT, value,
        )  # fmt: skip
    elif isinstance(stmt.op, ast.Mult):
        yield put("/=", "wrong-formula", FORMULAS, "divided for multiplied")
        yield put(" =", "drop-factor", ("missing-factor", "overwritten"), "the upstream gradient is lost")


def _within(place: Place, value: ast.expr) -> Iterator[Edit]:
    """Every node of the value."""
    for node in ast.walk(value):
        match node:
            case ast.BinOp():
                yield from binary(place, node)
            case ast.UnaryOp(op=ast.USub()):
                yield from place.edit(
                    node, place.text(node.operand), "sign-term", ("sign", "wrong-formula"), "a minus sign is lost"
                )
            case ast.Name(ctx=ast.Load()) if not isinstance(place.parents.get(node), ast.Attribute | ast.Subscript):
                yield from _name(place, node)
            case ast.Subscript(ctx=ast.Load()):
                yield from index(place, node)
            case ast.IfExp():
                yield from choice(place, node, node.body, node.orelse, place.text(node.test))
            case ast.Call(func=ast.Attribute(attr="where"), args=[test, yes, no]):
                yield from choice(place, node, yes, no, place.text(test))
            case ast.Call(func=func, args=[argument]):
                yield from function(place, node, func, argument)
            case ast.Compare(ops=[ast.Gt()], left=left, comparators=[right]):
                new = f"{place.text(left)} < {place.text(right)}"
                yield from place.edit(node, new, "wrong-formula", FORMULAS, "the condition is turned round")


def binary(place: Place, node: ast.BinOp) -> Iterator[Edit]:
    left, right = place.text(node.left), place.text(node.right)
    whole = place.text(node)
    match node.op:
        case ast.Mult() | ast.Div():
            yield from _product(place, node)
        case ast.Add() | ast.Sub():
            term = place.is_term(node)
            minus = isinstance(node.op, ast.Sub)
            kinds = ("missing-term", "lost-accumulation", "wrong-formula") if term else FORMULAS
            operator = "drop-term" if term else "wrong-formula"
            yield from place.edit(node, left, operator, kinds, f"{right} is left out", scope=ABSENT, dropped=right)
            if not (isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub)):
                rest = f"-{_tight(node.right, right)}" if minus else right
                yield from place.edit(node, rest, operator, kinds, f"{left} is left out", scope=ABSENT, dropped=left)
            flipped = f"{left} {'+' if minus else '-'} {_tight(node.right, right)}"
            if term:
                yield from place.edit(node, flipped, "sign-term", ("sign", "wrong-formula"), f"the sign of {right}")
                twice = f"{whole} {'-' if minus else '+'} {_tight(node.right, right)}"
                extra = ("extra-term", "scale", "extra-factor", "wrong-formula")
                yield from place.edit(node, twice, "counted-twice", extra, f"{right} is counted twice")
            else:
                yield from place.edit(node, flipped, "wrong-formula", FORMULAS, "+ and - mixed up")
            match node:  # 1 - y**2, which belongs to tanh
                case ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(y, ast.Pow(), ast.Constant(2))):
                    y_ = _tight(y, place.text(y))
                    yield from place.edit(node, f"{y_} * (1 - {y_})", "wrong-formula", FORMULAS, "sigmoid's for tanh's")
        case ast.Pow() if isinstance(node.right, ast.Constant) and isinstance(node.right.value, int | float):
            n = node.right.value
            base = left if place.line[node.left.col_offset - 1 : node.left.col_offset] != "(" else f"({left})"
            less = f"{base}**{n - 1:g}" if n != 2 else left
            yield from place.edit(node, less, "exponent", FORMULAS, f"power {n - 1:g} for {n:g}")
            yield from place.edit(node, f"{base}**{n + 1:g}", "exponent", FORMULAS, f"power {n + 1:g} for {n:g}")


def _product(place: Place, node: ast.BinOp) -> Iterator[Edit]:
    left, right = _source(place, node.left), _source(place, node.right)
    divides = isinstance(node.op, ast.Div)
    for keep, drop, gone in ((node.left, node.right, right), (node.right, node.left, left)):
        if keep is node.right and (divides or _is_product(node.left)):
            continue
        constant = isinstance(drop, ast.Constant) or _is_constant(drop)
        kinds: tuple[str, ...] = (
            ("scale", "missing-factor") if constant else ("missing-factor", "wrong-formula", "scale")
        )
        if constant and place.text(drop).strip("() ") in ("-1", "-1.0"):
            kinds = ("sign", *kinds)  # the factor -1 is nothing else
        operator = "drop-constant" if constant else "drop-factor"
        kept = _source(place, keep)
        yield from place.edit(
            node, kept, operator, kinds, f"{'/ ' * (divides and keep is node.left)}{gone} is left out",
            scope=ABSENT, dropped=gone,
        )  # fmt: skip
    if divides:
        kinds = ("wrong-formula", "extra-factor", "missing-factor", "scale")
        yield from place.edit(node, f"{left} * {right}", "wrong-formula", kinds, "multiplied for divided")
    else:
        again = f"{left} * {right} * {right}"
        kinds = ("extra-factor", "scale", "wrong-formula")
        if not isinstance(node.right, ast.Constant):
            yield from place.edit(node, again, "double-factor", kinds, f"{right} is applied twice")
    match node:  # y*(1 - y), which belongs to the sigmoid
        case ast.BinOp(ast.Name(a), ast.Mult(), ast.BinOp(ast.Constant(1), ast.Sub(), ast.Name(b))) if a == b:
            yield from place.edit(node, f"1 - {a}**2", "wrong-formula", FORMULAS, "tanh's for sigmoid's")
            gone = f"{a} is left out"
            yield from place.edit(node, f"1 - {a}", "drop-factor", FORMULAS, gone, scope=ABSENT, dropped=a)


def _source(place: Place, node: ast.expr) -> str:
    """A factor's text, with the parentheses that it needs as a factor."""
    text = place.text(node)
    return f"({text})" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) else text


def _tight(node: ast.expr, text: str) -> str:
    loose = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({text})" if loose or isinstance(node, ast.UnaryOp | ast.IfExp) else text


def _is_product(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)


def _is_constant(node: ast.expr) -> bool:
    return not any(isinstance(n, ast.Name) for n in ast.walk(node))


def _name(place: Place, node: ast.Name) -> Iterator[Edit]:
    """Another variable in its place: its input, a neighbour, some other one."""
    if node.id not in place.names:
        return
    others = [n for n in place.names if n != node.id]
    others.sort(key=lambda n: (-difflib.SequenceMatcher(None, n, node.id).ratio(), n))
    chosen = others[:2] + place.rng.sample(others[2:], min(1, len(others[2:])))
    into = place.inputs.get(node.id)
    if into in place.names:
        chosen = [into, *(n for n in chosen if n != into)]
    for new in chosen:
        if new == into:
            kinds: tuple[str, ...] = ("input-for-output", "wrong-variable", "wrong-time-step")
            yield from place.edit(node, new, "input-for-output", kinds, f"{new} for {node.id}")
        else:
            kinds = ("wrong-variable", "wrong-time-step", "input-for-output")
            yield from place.edit(node, new, "wrong-variable", kinds, f"{new} for {node.id}")


def index(place: Place, node: ast.Subscript) -> Iterator[Edit]:
    """The neighbouring time step."""
    index, base = place.text(node.slice), place.text(node.value)
    match node.slice:
        case ast.Name():
            near = [f"{index} - 1", f"{index} + 1"]
        case ast.BinOp(ast.Name(t), ast.Add() | ast.Sub(), ast.Constant(1)):
            near = [t]
        case ast.Constant(int(k)) if not isinstance(k, bool):
            near = [str(k + 1), str(max(k - 1, 0))]
        case _:
            return
    kinds = ("wrong-time-step", "wrong-variable", "input-for-output")
    for new in near:
        yield from place.edit(node.slice, new, "time-step", kinds, f"{base}[{new}] for {base}[{index}]")


def choice(place: Place, node: ast.expr, yes: ast.expr, no: ast.expr, test: str) -> Iterator[Edit]:
    """A mask: left out, or its branches changed over."""
    kinds = ("missing-factor", "wrong-formula")
    mask = f"the mask {test} is left out"
    yield from place.edit(node, place.text(yes), "drop-factor", kinds, mask, scope=ABSENT, dropped=test)
    a, b = place.text(yes), place.text(no)
    if isinstance(node, ast.IfExp):
        new = f"{b} if {test} else {a}"
    else:
        new = f"{place.text(node.func)}({test}, {b}, {a})"  # type: ignore[attr-defined]
    yield from place.edit(node, new, "wrong-formula", FORMULAS, "the branches are changed over", scope=WHOLE)


SWAPS = {"sin": "cos", "cos": "sin", "exp": "log1p", "sqrt": "log", "log": "sqrt", "tanh": "sin"}


def function(place: Place, node: ast.Call, func: ast.expr, argument: ast.expr) -> Iterator[Edit]:
    """Another function's value, or its argument for its value."""
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    if name in SWAPS:
        new = place.text(func)[: -len(name)] + SWAPS[name]
        yield from place.edit(func, new, "wrong-formula", FORMULAS, f"{SWAPS[name]} for {name}")
    if name:
        kinds = ("input-for-output", "wrong-formula", "missing-factor")
        yield from place.edit(node, place.text(argument), "input-for-output", kinds, f"the argument for {name} of it")


def numeric(scope: dict[str, Any]) -> set[str]:
    out = set()
    for name, value in scope.items():
        if name.startswith("__") or type(value) in (bool, int):
            continue
        with warnings.catch_warnings(), suppress(TypeError, ValueError):
            warnings.simplefilter("ignore")
            float(value)
            out.add(name)
    return out


def places(case: Derivation) -> Iterator[Place]:
    """The one-line statements of the manual part."""
    tree, lines = ast.parse(case.source), case.source.split("\n")
    try:
        module_names = numeric(run(program(case.source, case.first), case.points()[0]))
    except Unusable as e:
        raise AssertionError(f"{case.name} does not run: {e}") from e
    inputs, manual = _forward_inputs(tree), manual_lines(case.source)
    inside = {s: f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for s in ast.walk(f)}
    for stmt in ast.walk(tree):
        if not isinstance(stmt, ast.stmt) or stmt.lineno not in manual:
            continue
        if stmt.lineno != stmt.end_lineno or isinstance(stmt, ast.For | ast.FunctionDef):
            continue
        names = _local_names(inside[stmt]) if stmt in inside else module_names
        parents = {child: up for up in ast.walk(stmt) for child in ast.iter_child_nodes(up)}
        rng = random.Random(f"{case.name}:{stmt.lineno}")
        yield Place(stmt, lines[stmt.lineno - 1], parents, tuple(sorted(names)), inputs, rng)


def _forward_inputs(tree: ast.Module) -> dict[str, str]:
    """``h`` -> ``z`` for every ``h = f(z)``, and for ``h = 1 / (1 + exp(-z))`` and its like: one name goes in."""
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            functions = {ast.unparse(c.func) for c in ast.walk(node.value) if isinstance(c, ast.Call)}
            heads = {f.split(".")[0] for f in functions}
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)} - heads
            if functions and len(used) == 1:
                out[node.targets[0].id] = used.pop()
    return out


def _local_names(function: ast.FunctionDef) -> set[str]:
    """What takes part in arithmetic in a function, less what it calls."""
    called = {ast.unparse(c.func).split(".")[0] for c in ast.walk(function) if isinstance(c, ast.Call)}
    nodes = (n for b in ast.walk(function) if isinstance(b, ast.BinOp) for n in (b.left, b.right))
    return {n.id for n in nodes if isinstance(n, ast.Name)} - called
