"""Other texts for a line whose arrays do not fit together: where ``X.dot(dZ)`` stops a run, ``X.T.dot(dZ)`` may not.

What is tried is what people mistake: a transpose that is missing or too many, operands the wrong way round, an outer
product, another variable, a product with a weight that was left out. Shapes sort out what would stop again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from symgrad.diagnose.text.syntax import module
from symgrad.diagnose.text.texts import Rewording, at
from symgrad.errors import Span
from symgrad.ops.spelling import MATRIX_PRODUCTS, OUTER_PRODUCTS, outer_product

#: An array's shape; ``None`` if it is not known.
Known = tuple[int, ...] | None
#: So many variables are tried in one place.
MOST_VARIABLES = 12


def fittings(source: str, span: Span, shapes: Mapping[str, tuple[int, ...]]) -> list[Rewording]:
    """The changes of the statement that stopped a run, the likeliest first.

    Args:
        span: what could not be computed.
        shapes: of the variables, as they were by then.
    """
    tree = module(source)
    statement = _statement(tree, span) if tree is not None else None
    if statement is None:
        return []
    lines = source.split("\n")
    return sorted(_Fitting(lines, statement, span, shapes).all(), key=lambda r: r.cost)


def _statement(tree: ast.Module, span: Span) -> ast.Assign | ast.AugAssign | ast.Return | None:
    """The statement of one line that the place is in."""
    for node in ast.walk(tree):
        simple = isinstance(node, ast.Assign | ast.AugAssign | ast.Return)
        if simple and node.lineno == node.end_lineno == span.line:  # type: ignore[attr-defined]
            return node  # type: ignore[return-value]
    return None


class _Fitting:
    def __init__(
        self, lines: Sequence[str], statement: ast.Assign | ast.AugAssign | ast.Return, span: Span,
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:  # fmt: skip
        self.lines, self.statement, self.shapes = lines, statement, shapes
        value = statement.value
        self.value = value
        inside = [n for n in ast.walk(value) if isinstance(n, ast.expr)] if value is not None else []
        here = [n for n in inside if (n.col_offset + 1, (n.end_col_offset or 0) + 1) == (span.column, span.end_column)]
        #: What could not be computed: an expression, or all that is assigned.
        self.failing: list[ast.expr] = here[:1] or ([value] if value is not None else [])
        target = statement.target if isinstance(statement, ast.AugAssign) else None
        self.wanted: Known = self.shape(target) if target is not None and not here else None
        assigned = statement.targets[0] if isinstance(statement, ast.Assign) else target
        self.target = ast.unparse(assigned) if assigned is not None else ""

    def of(self, node: ast.expr) -> str:
        return self.lines[node.lineno - 1][node.col_offset : node.end_col_offset]

    def shape(self, node: ast.expr) -> Known:
        """Of an expression, as far as the names in it tell."""
        text = ast.unparse(node)
        if text in self.shapes:
            return self.shapes[text]
        if isinstance(node, ast.Subscript) and (listed := self._listed(ast.unparse(node.value))):
            return listed[0]
        inner = _turned_back(node)
        if inner is not None:
            have = self.shape(inner)
            return have[::-1] if have is not None else None
        pair = _product(node)
        if pair is not None:
            a, b = map(self.shape, pair[1:])
            return _made(pair[0], a, b)
        if isinstance(node, ast.BinOp | ast.Compare):
            operands = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
            return _together([self.shape(o) for o in operands])
        if isinstance(node, ast.UnaryOp):
            return self.shape(node.operand)
        if isinstance(node, ast.Constant):
            return ()
        return None

    def _listed(self, name: str) -> list[tuple[int, ...]]:
        """The shapes of what is kept in a list: ``self.hs[0]``, ``self.hs[1]``."""
        return [s for n, s in self.shapes.items() if n.startswith(f"{name}[") and n[len(name) + 1 : -1].isdigit()]

    def all(self) -> Iterator[Rewording]:
        for node in self.failing:
            yield from self._products(node)
            for inner in ast.walk(node):
                if isinstance(inner, ast.BinOp) and _product(inner) is None:
                    yield from self._entry_by_entry(inner)
                if isinstance(inner, ast.Name | ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Load):
                    yield from self._variables(inner)

    def _products(self, node: ast.expr) -> Iterator[Rewording]:
        """A product of matrices with its operands turned, or the other way round."""
        for inner in ast.walk(node):
            pair = _product(inner) if isinstance(inner, ast.expr) else None
            if pair is None or not isinstance(inner, ast.expr):
                continue
            outer, a, b = pair
            for swapped, turn_a, turn_b in product((False, True), repeat=3):
                if not (swapped or turn_a or turn_b) or (outer and (turn_a or turn_b)):
                    continue
                first, second = (b, a) if swapped else (a, b)
                turns = (turn_b, turn_a) if swapped else (turn_a, turn_b)
                shapes = [_reversed(self.shape(n), turn) for n, turn in zip((first, second), turns, strict=True)]
                made = _made(outer, *shapes)
                if None not in shapes and made is None:
                    continue  # it would stop again
                if self.wanted is not None and inner is self.value and made is not None and made != self.wanted:
                    continue
                if not swapped and turn_a != turn_b:
                    one = a if turn_a else b
                    back = _turned_back(one)
                    said = "transposed, and should not be" if back is not None else "not transposed"
                    whole = self.of(back if back is not None else one)
                    yield at(one, self._turned(one), "transpose", f"`{whole}` is {said}", 1.0)
                    continue
                pairs = zip((first, second), turns, strict=True)
                texts = [self._turned(n) if turn else self.of(n) for n, turn in pairs]
                said = "has its operands the wrong way round" if swapped else "has both operands turned the wrong way"
                cost = 1.1 + 0.1 * (turn_a + turn_b)
                yield at(inner, self._written(inner, *texts), "transpose", f"`{self.of(inner)}` {said}", cost)

    def _entry_by_entry(self, node: ast.BinOp) -> Iterator[Rewording]:
        """``dz * x`` for an outer product, and an operand that a weight was to be multiplied with."""
        left, right = self.shape(node.left), self.shape(node.right)
        if left is None or right is None:
            return
        texts = self.of(node.left), self.of(node.right)
        wanted = self.wanted if node is self.value else None
        if isinstance(node.op, ast.Mult) and len(left) == len(right) == 1 and wanted in (None, (*left, *right)):
            library = "torch" if any("torch" in line for line in self.lines) else "np"
            message = f"`{self.of(node)}` multiplies entry by entry where an outer product belongs"
            yield at(node, outer_product(library, *texts), "wrong-formula", message, 1.3)
        if _together([left, right]) is not None:
            return
        for one, have, want in ((node.left, left, right), (node.right, right, left)):
            for name, shape in self.shapes.items():
                if len(shape) != 2 or not have:
                    continue
                for turned, before in product((True, False), repeat=2):
                    matrix = shape[::-1] if turned else shape
                    made = _made(False, matrix, have) if before else _made(False, have, matrix)
                    if made != want:
                        continue
                    text = f"{name}.T" if turned else name
                    whole = f"{text} @ {self._inside(one)}" if before else f"{self._inside(one)} @ {text}"
                    message = f"`{self.of(one)}` leaves out the product with {text}"
                    yield at(one, f"({whole})", "missing-factor", message, 1.6)

    def _variables(self, node: ast.expr) -> Iterator[Rewording]:
        """Another variable: one that fits what it is put together with is likelier, and one of the same letters."""
        have = self.shape(node)
        if have is None or (isinstance(node, ast.Attribute) and node.attr == "T"):
            return
        held = ast.unparse(node)
        known = {n: s for n, s in self.shapes.items() if s != have and s and n not in (held, self.target)}
        lists = {n.partition("[")[0] for n in known if n[-2:-1].isdigit() and n.endswith("]")}
        known = {n: s for n, s in known.items() if n.partition("[")[0] not in lists}
        if isinstance(node, ast.Subscript):
            index = ast.unparse(node.slice)
            places = (index, f"{index} + 1", f"{index} - 1")
            known |= {f"{n}[{i}]": s for n in lists for s in self._listed(n)[:1] for i in places if s != have}
        fitting = sorted(known, key=lambda n: (known[n] not in self.shapes_beside(node), _far(n, held, self.target)))
        for rank, name in enumerate(fitting[:MOST_VARIABLES]):
            yield at(node, name, "wrong-variable", f"`{held}` stands where {name} belongs", 1.5 + 0.05 * rank)

    def shapes_beside(self, node: ast.expr) -> set[tuple[int, ...]]:
        """The shapes of what a variable is put together with, entry by entry."""
        out = set()
        for failing in self.failing:
            for inner in ast.walk(failing):
                if isinstance(inner, ast.BinOp) and _product(inner) is None:
                    for one, other in ((inner.left, inner.right), (inner.right, inner.left)):
                        if any(n is node for n in ast.walk(one)) and (shape := self.shape(other)):
                            out.add(shape)
        return out

    def _turned(self, node: ast.expr) -> str:
        inner = _turned_back(node)
        return self.of(inner) if inner is not None else f"{self._inside(node)}.T"

    def _inside(self, node: ast.expr) -> str:
        plain = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        return self.of(node) if plain else f"({self.of(node)})"

    def _written(self, node: ast.expr, first: str, second: str) -> str:
        """A product of two other operands, as this one is written."""
        if isinstance(node, ast.BinOp):
            return f"{first} @ {second}"
        assert isinstance(node, ast.Call)
        function = node.func
        assert isinstance(function, ast.Attribute)
        if len(node.args) == 1:
            return f"{first}.{function.attr}({second})"
        return f"{self.of(function)}({first}, {second})"


def _turned_back(node: ast.expr) -> ast.expr | None:
    """``X`` of ``X.T``, ``X.t()`` and ``X.transpose()``."""
    match node:
        case ast.Attribute(value, "T"):
            return value
        case ast.Call(ast.Attribute(value, "t" | "transpose"), []):
            return value
    return None


def _product(node: ast.expr) -> tuple[bool, ast.expr, ast.expr] | None:
    """A product of two matrices or vectors, whether it is an outer one, and its operands."""
    match node:
        case ast.BinOp(a, ast.MatMult(), b):
            return False, a, b
        case ast.Call(ast.Attribute(_, name), [a, b], []) if name in MATRIX_PRODUCTS | OUTER_PRODUCTS:
            return name in OUTER_PRODUCTS, a, b
        case ast.Call(ast.Attribute(a, name), [b], []) if name in MATRIX_PRODUCTS | OUTER_PRODUCTS:
            return name in OUTER_PRODUCTS, a, b
    return None


def _made(outer: bool, a: Known, b: Known) -> Known:
    """The shape of a product; ``None`` if it is not known, or there is none."""
    if a is None or b is None:
        return None
    if outer:
        return (*a, *b) if len(a) == len(b) == 1 else None
    if not a or not b or a[-1] != (b[-2] if len(b) > 1 else b[0]):
        return None
    return (*a[:-1], *b[-1:]) if len(b) > 1 else a[:-1]


def _together(shapes: Sequence[Known]) -> Known:
    """What arrays are broadcast to; ``None`` if that is not known, or cannot be."""
    out: list[int] = []
    for shape in shapes:
        if shape is None:
            return None
        longest = max(len(out), len(shape))
        pairs = zip([1] * (longest - len(out)) + out, [1] * (longest - len(shape)) + list(shape), strict=True)
        both = list(pairs)
        if any(m != n and 1 not in (m, n) for m, n in both):
            return None
        out = [n if m == 1 else m for m, n in both]
    return tuple(out)


def _reversed(shape: Known, turn: bool) -> Known:
    return shape[::-1] if shape is not None and turn else shape


def _far(name: str, held: str, target: str) -> int:
    """How little a name has to do with the one that stands there, and with what is assigned."""
    bare = name.rpartition(".")[2].lower()
    near = bare and (bare in target.lower() or bare in held.lower() or held.lower() in bare)
    return 0 if near else 1


__all__ = ["fittings"]
