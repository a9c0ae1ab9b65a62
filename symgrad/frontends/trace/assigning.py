"""The rewriting of assignments: each tells the recorder the name that a value gets, and where."""

from __future__ import annotations

import ast
from collections.abc import Collection

from symgrad.frontends.trace.hooks import BIND, GETATTR, GIVEN, INPLACE, SCOPE, SETATTR, SETITEM
from symgrad.frontends.trace.rules import Refused
from symgrad.frontends.trace.sites import Instrumented, Site, literal_value
from symgrad.frontends.trace.trees import Transformer, placed

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
}  # fmt: skip


def text_of(node: ast.AST) -> str:
    """How the user would write an expression."""
    text = ast.unparse(node)
    return text if len(text) <= 60 and text.isprintable() else "..."


def _is_nested(node: ast.ListComp | ast.DictComp) -> bool:
    """``[[g*x for x in xs] for g in dz]``."""
    return isinstance(node, ast.ListComp) and isinstance(node.elt, ast.ListComp)


class Assigning(Transformer):
    """Rewrites assignments, and has what the other rewriting needs."""

    def __init__(self, out: Instrumented, given: Collection[str], last: ast.stmt | None) -> None:
        self.out = out
        self.last = last
        self.given = frozenset(given)
        self.loops = 0
        self.path: list[str] = []
        self.temporaries = 0

    # --- helpers ------------------------------------------------------------------------------------------------

    def call(self, helper: str, at: ast.AST, *args: ast.expr) -> ast.Call:
        function = placed(ast.Name(helper, ast.Load()), at)
        return placed(ast.Call(function, list(args), []), at)

    def constant(self, value: object, at: ast.AST) -> ast.Constant:
        return placed(ast.Constant(value), at)  # type: ignore[arg-type]

    def load(self, name: str, at: ast.AST) -> ast.Name:
        return placed(ast.Name(name, ast.Load()), at)

    def store(self, name: str, at: ast.AST) -> ast.Name:
        return placed(ast.Name(name, ast.Store()), at)

    def temporary(self) -> str:
        self.temporaries += 1
        return f"__sg_t{self.temporaries}__"

    def expr(self, node: ast.expr) -> ast.expr:
        made = self.visit(node)
        assert isinstance(made, ast.expr)
        return made

    def site(self, name: str, node: ast.AST, line: int, value: ast.AST | None, augmented: str = "") -> Site:
        """``node`` is what the span covers, ``value`` the right-hand side if there is one to look into."""
        literal = value is not None and literal_value(value) is not None
        made = Site(name, node, line, literal, augmented=augmented)
        parts: list[ast.expr] = []
        if isinstance(value, ast.ListComp | ast.DictComp):
            entry = value.elt if isinstance(value, ast.ListComp) else value.value
            zeros = isinstance(value, ast.DictComp) and literal_value(entry) is not None
            made.each = self.site("", entry, entry.lineno, entry if zeros or _is_nested(value) else None)
        if isinstance(value, ast.List | ast.Tuple):
            parts = value.elts
        elif isinstance(value, ast.Dict):
            parts = value.values
        if isinstance(value, ast.List | ast.Tuple | ast.Dict):
            made.fresh = True
            # A starred element shifts the others, so that none can be told from its position.
            if not any(isinstance(p, ast.Starred) for p in parts) and None not in getattr(value, "keys", ()):
                made.elements = tuple(self.site("", p, p.lineno, p) for p in parts)
        return made

    def bound(self, site: Site, value: ast.expr, at: ast.AST) -> ast.expr:
        self.out.sites.append(site)
        number = self.constant(len(self.out.sites) - 1, at)
        return self.call(BIND, at, number, value, self.load(SCOPE, at))

    # --- assignment ---------------------------------------------------------------------------------------------

    def assign(
        self, target: ast.expr, value: ast.expr, source: ast.expr | None, span: ast.AST, augmented: str = ""
    ) -> list[ast.stmt]:
        """Statements that store ``value`` (rewritten already) into ``target`` (as the user wrote it).

        ``source`` is the right-hand side as written, where it is one; ``span`` is what a binding's span covers.
        """
        at = target
        if isinstance(target, ast.Name):
            site = self.site(target.id, span, target.lineno, source, augmented)
            stored = ast.Assign([self.store(target.id, at)], self.bound(site, value, span))
            return [placed(stored, at)]
        if isinstance(target, ast.Attribute | ast.Subscript):
            site = self.site(text_of(target.value), span, target.lineno, source, augmented)
            self.out.sites.append(site)
            number = self.constant(len(self.out.sites) - 1, at)
            scope = self.load(SCOPE, at)
            owner = self.expr(target.value)
            if isinstance(target, ast.Attribute):
                name = self.constant(target.attr, at)
                made = self.call(SETATTR, at, number, value, scope, owner, name)
            else:
                made = self.call(SETITEM, at, number, value, scope, owner, self.expr(target.slice))
            return [placed(ast.Expr(made), at)]
        if isinstance(target, ast.Tuple | ast.List):
            return self.unpack(target, value, source, span)
        if isinstance(target, ast.Starred):
            return self.assign(target.value, value, None, span)
        raise Refused("this cannot be assigned to", target)

    def unpack(
        self, target: ast.Tuple | ast.List, value: ast.expr, source: ast.expr | None, span: ast.AST
    ) -> list[ast.stmt]:
        """``a, (b, self.c), *d = value``: Python unpacks into temporaries, which are then assigned one by one."""
        parts: list[ast.expr] = []
        after: list[ast.stmt] = []
        sources: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(source, ast.Tuple | ast.List):
            starred = any(isinstance(e, ast.Starred) for e in (*source.elts, *target.elts))
            if len(source.elts) == len(target.elts) and not starred:
                sources = list(source.elts)
        for element, part in zip(target.elts, sources, strict=True):
            name = self.temporary()
            stored: ast.expr = self.store(name, element)
            if isinstance(element, ast.Starred):
                stored = placed(ast.Starred(stored, ast.Store()), element)
            parts.append(stored)
            after += self.assign(element, self.load(name, element), part, part or span)
        packed = placed(ast.Tuple(parts, ast.Store()), target)
        return [placed(ast.Assign([packed], value), span), *after]

    def from_outside(self, node: ast.Assign) -> ast.expr | None:
        """What stands for the right-hand side where the caller gives the values of all targets."""
        if not self.given or self.path or len(node.targets) != 1:
            return None
        target = node.targets[0]
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        wanted = [p.id for p in parts if isinstance(p, ast.Name) and p.id in self.given]
        if len(wanted) != len(parts):
            return None
        return self.call(GIVEN, node.value, *(self.constant(n, node.value) for n in wanted))

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        outside = self.from_outside(node)
        value = self.expr(node.value) if outside is None else outside
        if len(node.targets) == 1:
            return self._located(self.assign(node.targets[0], value, node.value, node.value), node)
        name = self.temporary()
        first = ast.Assign([self.store(name, node)], value)
        out: list[ast.stmt] = [placed(first, node)]
        source: ast.expr | None = node.value
        for target in node.targets:
            # x = y = 0.5: one leaf each.
            out += self.assign(target, self.load(name, node.value), source, node.value)
        return self._located(out, node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt] | ast.stmt:
        if node.value is None:
            return placed(ast.Pass(), node)
        return self._located(self.assign(node.target, self.expr(node.value), node.value, node.value), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        symbol = OPERATORS[type(node.op)]
        target = node.target
        # Before it is rewritten.
        text = text_of(target.value) if isinstance(target, ast.Attribute | ast.Subscript) else ""
        out: list[ast.stmt] = []
        if isinstance(target, ast.Name):
            old: ast.expr = self.load(target.id, target)
            again: ast.expr = target
        else:
            # The object and the index are evaluated once, before the old value is read.
            owner = self.temporary()
            out.append(placed(ast.Assign([self.store(owner, node)], self.expr(target.value)), target))
            if isinstance(target, ast.Attribute):
                old = self.call(GETATTR, target, self.load(owner, target), self.constant(target.attr, target))
                again = placed(ast.Attribute(self.load(owner, target), target.attr, ast.Store()), target)
            else:
                index = self.temporary()
                value = self.expr(target.slice)
                out.append(placed(ast.Assign([self.store(index, node)], value), target))
                old = placed(
                    ast.Subscript(self.load(owner, target), self.load(index, target), ast.Load()), target
                )
                again = placed(
                    ast.Subscript(self.load(owner, target), self.load(index, target), ast.Store()), target
                )
        result = self.call(INPLACE, node, self.constant(symbol, node), old, self.expr(node.value))
        stores = self.assign(again, result, None, node, symbol + "=")
        if text:
            self.out.sites[-1].name = text
        return self._located([*out, *stores], node)

    def _located(self, statements: list[ast.stmt], node: ast.stmt) -> list[ast.stmt]:
        return [placed(s, node) if not hasattr(s, "lineno") else s for s in statements]
