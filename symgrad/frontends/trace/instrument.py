"""The rewriting that lets a script run under tracing and under guard.

Assignments tell the recorder the name, attribute access asks the guards, and everything keeps its place in the text: a
rewritten node takes the location of the node it replaces, so that Python's own positions stay those of the original.
The helpers' names begin and end with two underscores: the script cannot write them (``rules.py``), and a class body
does not mangle them.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import TypeGuard

from symgrad.frontends.trace import training
from symgrad.frontends.trace.assigning import Assigning, text_of
from symgrad.frontends.trace.hooks import (
    APPEND,
    CHECK,
    CHOSEN,
    DELATTR,
    ENTER,
    EXACT,
    FROM,
    GETATTR,
    HELD,
    IMPORT,
    LEFT,
    LOOP,
    POWER,
    RETURN,
    ROUND,
    SCOPE,
    SETATTR,
    SHIFT,
    STAR,
    TEST,
)
from symgrad.frontends.trace.rules import Refused
from symgrad.frontends.trace.sites import Function, Instrumented, Loop, Site, literal_value
from symgrad.frontends.trace.trees import fill_places, placed

#: What Python asks of the right operand: too late where that is a whole number, which a float knows how to take.
REFLECTED = {ast.Add: "__radd__", ast.Sub: "__rsub__", ast.Mult: "__rmul__", ast.Div: "__rtruediv__"}


def instrument(tree: ast.Module, out: Instrumented, given: Collection[str] = ()) -> None:
    """Rewrite a checked tree in place, and extend the tables.

    Args:
        given: names whose assignment at the top of the file is replaced by what is given for them.
    """
    _Rewriter(out, given, training.last_loop(tree)).visit(tree)
    fill_places(tree)


def _is_own(node: ast.expr) -> bool:
    """``self.hs``: reading it twice does nothing."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def _settles(branch: Sequence[ast.stmt], other: Sequence[ast.stmt]) -> bool:
    """A branch begins with ``y = 0``, and the other one assigns to ``y``, too."""

    def targets(statement: ast.stmt) -> list[str]:
        parts = statement.targets if isinstance(statement, ast.Assign) else []
        return [part.id for part in parts if isinstance(part, ast.Name)]

    if not branch or not isinstance(branch[0], ast.Assign) or literal_value(branch[0].value) is None:
        return False
    mine = targets(branch[0])
    return len(mine) == len(branch[0].targets) == 1 and any(mine == targets(s) for s in other)


def _sets_attribute(node: ast.expr) -> TypeGuard[ast.Call]:
    """``setattr(self, name, value)``: an assignment to ``self.w``, whichever name that is."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "setattr":
        return False
    return len(node.args) == 3 and not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)


#: An assertion that says so is about numbers, and not about shapes or settings.
_NEAR = re.compile(r"\b(?:allclose|isclose|array_equal|equal)\(|\babs\(|\bnorm\(|\w*(?:err|diff)\w*(?:\(.*)? <=? ")


class _Rewriter(Assigning):
    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if _NEAR.search(ast.unparse(node.test)):
            return placed(ast.Expr(self.call(HELD, node.test, self.expr(node.test))), node)
        node.test = self.expr(node.test)
        node.msg = None if node.msg is None else self.expr(node.msg)
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        site = self.site(node.target.id, node.value, node.target.lineno, node.value)
        made = ast.NamedExpr(node.target, self.bound(site, self.expr(node.value), node.value))
        return placed(made, node)

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        over = ast.unparse(node.iter)
        backwards = "reversed(" in over or "-1" in over
        begun, rounds = ([], []) if backwards else self.rounds(node)
        name = self.temporary()
        # There is no right-hand side: a loop variable's span is the iterable.
        stores = self.assign(node.target, self.load(name, node.target), None, node.iter)
        node.target = self.store(name, node.target)
        node.iter = self.expr(node.iter)
        node.body = [*rounds, *stores, *self.looped(node.body)]
        node.orelse = self.block(node.orelse)
        return [*begun, node]

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        begun, rounds = self.rounds(node)
        node.test = self.expr(node.test)
        node.body = [*rounds, *self.looped(node.body)]
        node.orelse = self.block(node.orelse)
        return [*begun, node]

    def rounds(self, node: ast.For | ast.While) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """A loop that trains may be ended when its rounds are all alike: asked at the start of each.

        Returns:
            What stands before the loop (it begins anew whenever its function is called), and in it.
        """
        trains = training.kind(node, last=node is self.last, depth=self.loops)
        if trains is None:
            return [], []
        self.out.loops.append(Loop(node, trains == training.SURELY))
        number = self.constant(len(self.out.loops) - 1, node)
        begin = placed(ast.Expr(self.call(LOOP, node, number)), node)
        leave = placed(ast.Break(), node)
        return [begin], [placed(ast.If(self.call(ROUND, node, number), [leave], []), node)]

    def looped(self, body: list[ast.stmt]) -> list[ast.stmt]:
        self.loops += 1
        made = self.block(body)
        self.loops -= 1
        return made

    def visit_withitem(self, node: ast.withitem) -> ast.withitem:
        if node.optional_vars is not None and not isinstance(node.optional_vars, ast.Name):
            raise Refused("'with ... as' must give a plain name here", node.optional_vars)
        node.context_expr = self.expr(node.context_expr)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        for part in ast.walk(node.target):
            if isinstance(part, ast.Attribute | ast.Subscript):
                raise Refused("a comprehension's variable must be a plain name here", part)
        node.iter = self.expr(node.iter)
        node.ifs = [self.expr(test) for test in node.ifs]
        return node

    def visit_Delete(self, node: ast.Delete) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                name = self.constant(target.attr, target)
                made: ast.stmt = ast.Expr(self.call(DELATTR, target, self.expr(target.value), name))
            elif isinstance(target, ast.Subscript):
                target.value, target.slice = self.expr(target.value), self.expr(target.slice)
                made = ast.Delete([target])
            elif isinstance(target, ast.Name):
                made = ast.Delete([target])
            else:
                raise Refused("delete one thing at a time here", target)
            out.append(placed(made, node))
        return out

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            made = self.visit(statement)
            out += made if isinstance(made, list) else [made]
        return out

    # --- expressions --------------------------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self.call(GETATTR, node, self.expr(node.value), self.constant(node.attr, node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        literal = literal_value(node)
        if literal is not None:
            return self.exactly(node, literal)
        begins = literal_value(node.left)
        node.left, node.right = self.expr(node.left), self.expr(node.right)
        if isinstance(node.op, ast.Pow):
            small = isinstance(node.right, ast.Constant) and node.right.value in (1, 2, 3, 4)
            return node if small else self.call(POWER, node, node.left, node.right)
        if isinstance(node.op, ast.LShift):
            return self.call(SHIFT, node, node.left, node.right)
        if begins is not None and type(begins[0]) is float and type(node.op) in REFLECTED:
            return self.call(LEFT, node, self.constant(REFLECTED[type(node.op)], node), node.left, node.right)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """``0 if x < 0 else x``: the number is the value of a branch, and no input that somebody chose."""
        node.test = self.expr(node.test)
        arms = [literal_value(arm) is not None for arm in (node.body, node.orelse)]
        node.body, node.orelse = (
            self.call(CHOSEN, arm, self.expr(arm)) if is_number else self.expr(arm)
            for arm, is_number in zip((node.body, node.orelse), arms, strict=True)
        )
        # The test is asked right before the arm is worked out, which asks for nothing itself.
        node.test = self.call(TEST, node.test, node.test) if any(arms) else node.test
        return node

    def visit_If(self, node: ast.If) -> ast.If:
        """The same of ``if x < 0: y = 0``, where the other branch gives ``y`` as well."""
        settled = [_settles(node.body, node.orelse), _settles(node.orelse, node.body)]
        node.test = self.expr(node.test)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        for arm, is_settled in zip((node.body, node.orelse), settled, strict=True):
            if is_settled and isinstance(arm[0], ast.Assign) and isinstance(arm[0].value, ast.Call):
                number = arm[0].value.args[1]
                arm[0].value.args[1] = self.call(CHOSEN, number, number)
        node.test = self.call(TEST, node.test, node.test) if any(settled) else node.test
        return node

    def exactly(self, node: ast.BinOp, literal: tuple[float, Fraction]) -> ast.expr:
        """``1/3`` stays a third. Where the decimal that Python writes is exact, nothing needs to be done."""
        value, exact = literal
        if type(value) is not float or Fraction(repr(value)) == exact:
            return placed(ast.Constant(value), node)
        self.out.exacts.append((value, exact))
        return self.call(EXACT, node, self.constant(len(self.out.exacts) - 1, node))

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        value = node.value
        if _sets_attribute(value):
            owner, key, given = value.args
            self.out.sites.append(self.site(text_of(owner), given, value.lineno, given))
            number = self.constant(len(self.out.sites) - 1, given)
            held = (self.expr(given), self.load(SCOPE, given), self.expr(owner), self.expr(key))
            node.value = self.call(SETATTR, value, number, *held)
            return node
        if (
            isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "append"
            and (isinstance(value.func.value, ast.Name) or _is_own(value.func.value))
            and len(value.args) == 1 and not value.keywords
        ):  # fmt: skip
            # hs.append(h): the value gets the name hs[3]; self.hs.append(h) as well.
            name = text_of(value.func.value)
            argument = value.args[0]
            if not isinstance(argument, ast.Starred):
                self.out.sites.append(self.site(name, argument, value.lineno, argument))
                number = self.constant(len(self.out.sites) - 1, argument)
                scope = self.load(SCOPE, argument)
                owner = self.expr(copy.deepcopy(value.func.value))
                value.args = [self.call(APPEND, argument, number, self.expr(argument), scope, owner)]
                value.func = self.expr(value.func)
                return node
        node.value = self.expr(value)
        return node

    # --- functions, classes, imports ----------------------------------------------------------------------------

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        self._arguments(node.args)
        node.body = self.expr(node.body)
        return node

    def _arguments(self, arguments: ast.arguments) -> None:
        """Default values become leaves; annotations are dropped, so that they are never evaluated."""
        ordered = [*arguments.posonlyargs, *arguments.args]
        pairs = list(zip(ordered[len(ordered) - len(arguments.defaults) :], arguments.defaults, strict=True))
        arguments.defaults = [self._default(a, d) for a, d in pairs]
        arguments.kw_defaults = [
            None if d is None else self._default(a, d)
            for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ]
        for a in (*ordered, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if a is not None:
                a.annotation = None

    def _default(self, argument: ast.arg, default: ast.expr) -> ast.expr:
        site = self.site(argument.arg, default, argument.lineno, default)
        return self.bound(site, self.expr(default), default) if site.literal else self.expr(default)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.returns = None
        node.decorator_list = [self.expr(d) for d in node.decorator_list]
        self._arguments(node.args)
        ordered = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        self.path.append(node.name)
        sites = tuple(Site(a.arg, a, a.lineno, literal=True) for a in ordered)
        self.out.functions.append(Function(".".join(self.path), sites))
        number = self.constant(len(self.out.functions) - 1, node)
        entered = self.call(ENTER, node, number, *(self.load(a.arg, node) for a in ordered))
        names: list[ast.expr] = [self.store(n, node) for n in (SCOPE, *(a.arg for a in ordered))]
        enter = placed(ast.Assign([placed(ast.Tuple(names, ast.Store()), node)], entered), node)
        self.path.append("<locals>")
        outer, self.loops = self.loops, 0
        body = self.block(node.body)
        self.loops = outer
        del self.path[-2:]
        docstring = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        node.body = [*body[:docstring], enter, *body[docstring:]]
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        if isinstance(node.value, ast.Name | ast.Attribute):
            # What is only handed back computes nothing, and yet is a line that may be wrong.
            self.out.sites.append(self.site("return", node.value, node.value.lineno, None))
            number = self.constant(len(self.out.sites) - 1, node.value)
            node.value = self.call(RETURN, node.value, number, self.expr(node.value))
        elif isinstance(node.value, ast.Dict) and any("grad" in name.lower() for name in self.path[-2:]):
            # return {"w": 2*x*r}: the gradients that a function hands back under the names of what they are by.
            node.value = self._gradients(node.value)
        elif node.value is not None:
            node.value = self.expr(node.value)
        return node

    def _gradients(self, display: ast.Dict) -> ast.expr:
        for n, (key, value) in enumerate(zip(display.keys, display.values, strict=True)):
            made = self.expr(value)
            worked_out = isinstance(value, ast.BinOp | ast.UnaryOp)
            if worked_out and isinstance(key, ast.Constant) and isinstance(key.value, str):
                name = key.value if key.value.isidentifier() else "..."
                made = self.bound(self.site(f'grads["{name}"]', value, value.lineno, value), made, value)
            display.values[n] = made
        display.keys = [None if key is None else self.expr(key) for key in display.keys]
        return display

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        node.decorator_list = [self.expr(d) for d in node.decorator_list]
        node.bases = [self.expr(b) for b in node.bases]
        self.path.append(node.name)
        node.body = self.block(node.body)
        self.path.pop()
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        if node.type is not None:
            node.type = self.expr(node.type)
        # Whatever was caught, a run that has ended stays ended.
        check = placed(ast.Expr(self.call(CHECK, node)), node)
        node.body = [check, *self.block(node.body)]
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            whole = self.constant(alias.asname is not None, node)
            value = self.call(IMPORT, node, self.constant(alias.name, node), whole)
            out.append(placed(ast.Assign([self.store(bound, node)], value), node))
        return out

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt] | ast.stmt:
        if node.module == "__future__":
            return placed(ast.Pass(), node)
        out: list[ast.stmt] = []
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                if self.path:
                    raise Refused("import * is only allowed at the top of a file", node)
                star = ast.Expr(self.call(STAR, node, self.constant(module, node)))
                out.append(placed(star, node))
                continue
            value = self.call(FROM, node, self.constant(module, node), self.constant(alias.name, node))
            stored = ast.Assign([self.store(alias.asname or alias.name, node)], value)
            out.append(placed(stored, node))
        return out
