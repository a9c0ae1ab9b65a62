"""Single edits of a hand-written tensor pass: MISTAKES.md section 1, what scalars do not have.

What scalars do have (a factor dropped, a sign, ``=`` for ``+=``) comes from `mutation`. Here are reductions, products
of matrices, counts, slices, duplicate indices, softmax, other objectives, regularisers, order of statements. Names are
replaced by what has the same shape, which is known from a run.
"""

from __future__ import annotations

import ast
import difflib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks import mutation as scalar
from tests.benchmarks.mutation import ABSENT, FORMULAS, LOCAL, WHOLE, Edit, Place, value_of
from tests.benchmarks.tensor_corpus import Reach, TensorCase, reach

REDUCED = ("wrong-reduction", "missing-reduction", "wrong-shape", "scale", "wrong-formula")
PRODUCTS = ("transpose", "wrong-formula", "wrong-shape", "wrong-variable")
COUNTS = ("scale", "missing-factor", "extra-factor", "wrong-variable")
#: Functions whose argument somebody may take for their value.
ELEMENTWISE = frozenset("exp log sqrt tanh sin cos sigmoid sig sigma sign".split())
#: Values that are no contribution to anything: their lines are not scaled or negated.
EMPTY = frozenset("zeros zeros_like ones ones_like eye empty empty_like arange".split())
REGULARISER = re.compile(r"\b(reg|lam|lambd)\b")


@dataclass(frozen=True)
class TensorPlace(Place):
    """A statement of a hand-written part, and what is in reach of it."""

    case: TensorCase
    here: Reach
    #: The statements of the block that stand before it.
    before: Sequence[ast.stmt]
    lines: Sequence[str]

    def shape(self, node: ast.AST) -> tuple[int, ...] | None:
        """The shape of an expression's value where it stands; ``None`` for what is no array."""
        if any(isinstance(n, ast.Call) and ast.unparse(n.func).endswith(("append", ".at")) for n in ast.walk(node)):
            return None
        return self.here.shape(self.text(node))


def places(case: TensorCase) -> Iterator[TensorPlace]:
    """The one-line statements of the hand-written parts that a run comes to."""
    tree, lines = ast.parse(case.source), case.source.split("\n")
    inputs = _forward_inputs(tree, case)
    seen = reach(case)
    for block in (b for n in ast.walk(tree) for f in ("body", "orelse") if isinstance(b := getattr(n, f, None), list)):
        for k, stmt in enumerate(block):
            if not isinstance(stmt, ast.stmt) or stmt.lineno not in seen or stmt.lineno != stmt.end_lineno:
                continue
            parents = {child: up for up in ast.walk(stmt) for child in ast.iter_child_nodes(up)}
            rng = random.Random(f"{case.name}:{stmt.lineno}")
            here = seen[stmt.lineno]
            yield TensorPlace(
                stmt, lines[stmt.lineno - 1], parents, (), inputs, rng, case, here, block[:k], lines
            )  # fmt: skip


def _forward_inputs(tree: ast.Module, case: TensorCase) -> dict[str, str]:
    """``h`` -> ``z`` for every ``h = f(z)`` of the forward pass: one text goes in."""
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and not case.manual(node.lineno):
            calls = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
            inner = {id(n.func) for n in calls} | {id(n) for c in calls for n in ast.walk(c.func)}
            used = {
                ast.unparse(n)
                for n in ast.walk(node.value)
                if isinstance(n, ast.Name | ast.Attribute) and id(n) not in inner and not _part(n, node.value)
            }
            if calls and len(used) == 1:
                out[ast.unparse(node.targets[0])] = used.pop()
    return out


def _part(node: ast.AST, root: ast.AST) -> bool:
    """Whether a name is the object of an attribute that is looked at instead."""
    return any(isinstance(n, ast.Attribute) and n.value is node for n in ast.walk(root))


def edits(place: TensorPlace) -> Iterator[Edit]:
    """Every edit of one statement."""
    stmt, value = place.stmt, value_of(place.stmt)
    yield from _order(place)
    if isinstance(stmt, ast.Assign | ast.Return):
        yield from _tuples(place, stmt)
    if value is None or isinstance(value, ast.Tuple | ast.List | ast.Dict | ast.Lambda):
        return
    target = place.text(stmt.targets[0]) if isinstance(stmt, ast.Assign) else ""
    name = value.func.attr if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else ""
    if name in EMPTY or isinstance(_counted(place, target), int):
        yield from _lengths(place, value)
        return
    comprehension = isinstance(value, ast.ListComp | ast.DictComp | ast.GeneratorExp)
    if not comprehension:
        yield from scalar.whole(place, value)
    if isinstance(stmt, ast.AugAssign):
        yield from scalar.augmented(place, stmt)
        yield from _divided(place, stmt)
    if isinstance(stmt, ast.Assign):
        yield from _never(place, stmt, value, target)
        yield from _regularised(place, value, target)
    if isinstance(stmt, ast.Expr):
        yield from _add_at(place, stmt)
    yield from _updated_first(place, value)
    if not comprehension:
        yield from _count(place, value)
    for node in ast.walk(value):
        yield from _within(place, node)
    yield from _lengths(place, value)


def _counted(place: TensorPlace, target: str) -> object:
    """What a target holds later on."""
    return next((r.texts[target] for r in reach(place.case).values() if target in r.texts), None)


def _within(place: TensorPlace, node: ast.AST) -> Iterator[Edit]:
    match node:
        case ast.BinOp(op=ast.MatMult()):
            yield from _product(place, node, node.left, node.right)
        case ast.BinOp():
            yield from scalar.binary(place, node)
            yield from _softmax(place, node)
            yield from _objective(place, node)
        case ast.UnaryOp(op=ast.USub()):
            lost = "a minus sign is lost"
            yield from place.edit(node, place.text(node.operand), "sign-term", ("sign", "wrong-formula"), lost)
        case ast.Compare(ops=[ast.Gt() | ast.Lt()], left=left, comparators=[right]):
            sign = "<" if isinstance(node.ops[0], ast.Gt) else ">"
            new = f"{place.text(left)} {sign} {place.text(right)}"
            yield from place.edit(node, new, "wrong-formula", FORMULAS, "the condition is turned round")
        case ast.Call():
            yield from _call(place, node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield from _variable(place, node)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if not (isinstance(node.value, ast.Attribute) and node.value.attr == "shape"):
            yield from scalar.index(place, node)
        yield from _slices(place, node)


def _call(place: TensorPlace, node: ast.Call) -> Iterator[Edit]:
    name = ast.unparse(node.func)
    last = name.rsplit(".", 1)[-1]
    module = name.startswith(("np.", "torch."))
    args = node.args if module or not isinstance(node.func, ast.Attribute) else [node.func.value, *node.args]
    if last in ("dot", "matmul") and len(args) == 2:
        yield from _product(place, node, *args)
    elif last == "outer" and len(args) == 2:
        a, b = map(place.text, args)
        why = f"{b} and {a} change places"
        yield from place.edit(node, f"np.outer({b}, {a})", "operand-order", PRODUCTS, why, scope=WHOLE)
        kinds = ("wrong-formula", "transpose", "wrong-reduction", "wrong-shape")
        yield from place.edit(node, f"np.dot({a}, {b})", "dot-outer", kinds, "dot for outer", scope=WHOLE)
        yield from place.edit(node, f"{a} * {b}", "dot-outer", kinds, "elementwise for outer", scope=WHOLE)
    elif last in ("sum", "mean"):
        yield from _reduction(place, node, args, last, module)
    elif last == "where" and len(args) == 3:
        yield from scalar.choice(place, node, args[1], args[2], place.text(args[0]))
    elif last in ("copy", "clone"):
        kinds = ("overwritten", "wrong-variable", "wrong-formula")
        inner = place.text(args[0])
        yield from place.edit(node, inner, "no-copy", kinds, f"{inner} itself, which is then changed", scope=WHOLE)
    elif last in ELEMENTWISE and len(args) == 1:
        yield from scalar.function(place, node, node.func, args[0])
    elif last in ("t", "transpose"):
        inner = place.text(args[0])
        yield from place.edit(node, inner, "transpose", PRODUCTS, f"{inner} is not transposed", scope=WHOLE)


def _product(place: TensorPlace, node: ast.expr, left: ast.expr, right: ast.expr) -> Iterator[Edit]:
    """Transposes dropped and added, operands changed over, elementwise for the product of matrices."""
    for operand in (left, right):
        text = place.text(operand)
        match operand:
            case ast.Attribute(value=inner, attr="T"):
                new = place.text(inner)
                yield from place.edit(operand, new, "transpose", PRODUCTS, f"{new} is not transposed", scope=WHOLE)
            case ast.Name() | ast.Attribute() if len(place.shape(operand) or ()) == 2:
                why = f"{text} is transposed"
                yield from place.edit(operand, f"{text}.T", "transpose", PRODUCTS, why, scope=WHOLE)
    a, b = place.text(left), place.text(right)
    old = place.text(node)
    if isinstance(node, ast.BinOp):
        swapped = f"{b} @ {a}" if not isinstance(left, ast.BinOp) else f"{b} @ ({a})"
    else:
        swapped = (
            f"{old[: old.index(a)]}{b}{old[old.index(a) + len(a) : old.rindex(b)]}{a}{old[old.rindex(b) + len(b) :]}"
        )
    yield from place.edit(node, swapped, "operand-order", PRODUCTS, f"{a} and {b} change places", scope=WHOLE)
    kinds = ("wrong-formula", "missing-reduction", "transpose", "wrong-shape")
    yield from place.edit(node, f"{a} * {b}", "dot-outer", kinds, "elementwise for the product", scope=WHOLE)
    for keep, gone in ((left, b), (right, a)):
        kinds = ("missing-factor", "wrong-formula", "wrong-shape")
        new = place.text(keep)
        yield from place.edit(node, new, "drop-factor", kinds, f"{gone} is left out", scope=ABSENT, dropped=gone)


def _reduction(place: TensorPlace, node: ast.Call, args: Sequence[ast.expr], name: str, module: bool) -> Iterator[Edit]:
    """Over no axis, over another, over all of them; the mean for the sum; axes kept or dropped."""
    other = "mean" if name == "sum" else "sum"
    func = place.text(node.func)
    kinds = ("scale", "wrong-reduction", "wrong-formula")
    new = func[: -len(name)] + other
    yield from place.edit(node.func, new, "mean-sum", kinds, f"{other} for {name}", scope=WHOLE)
    operand = args[0]
    inner = place.text(operand)
    shape = place.shape(operand) or ()
    keywords = {k.arg: k for k in node.keywords}
    axis = next((keywords[a].value for a in ("axis", "dim") if a in keywords), args[1] if len(args) > 1 else None)
    if shape:
        # s*(g - s*g) is a softmax taken entry by entry.
        kinds = (*REDUCED, "softmax-elementwise")
        yield from place.edit(node, inner, "no-sum", kinds, f"{inner} is not summed", scope=WHOLE)
    if axis is not None and isinstance(axis, ast.Constant) and isinstance(axis.value, int):
        for k in range(len(shape)):
            if k != axis.value % len(shape):
                yield from place.edit(axis, str(k), "sum-axis", REDUCED, f"axis {k} for {axis.value}", scope=WHOLE)
    if axis is not None:
        rest = [inner] if module else []
        rest += [f"{k.arg}={place.text(k.value)}" for k in node.keywords if k.arg not in ("axis", "dim")]
        new = f"{func}({', '.join(rest)})"
        yield from place.edit(node, new, "sum-axis", REDUCED, "summed over all axes", scope=WHOLE)
    keep = "keepdim" if func.startswith("torch.") or "keepdim" in keywords else "keepdims"
    old = place.text(node)
    if keep in keywords:
        new = re.sub(rf",? ?{keep}=True", "", old)
        yield from place.edit(node, new, "keepdims", REDUCED, "the axis is not kept", scope=WHOLE)
    elif axis is not None:
        new = f"{old[:-1]}, {keep}=True)"
        yield from place.edit(node, new, "keepdims", REDUCED, "the axis is kept", scope=WHOLE)


def _softmax(place: TensorPlace, node: ast.BinOp) -> Iterator[Edit]:
    """s*(g - sum(g*s)) taken elementwise, s*(1 - s)*g; diag(p) - outer(p, p) likewise."""
    kinds = ("softmax-elementwise", "wrong-formula", "missing-term", "extra-factor", "missing-factor")
    match node:
        case ast.BinOp(s, ast.Mult(), ast.BinOp(g, ast.Sub(), ast.Call(func=ast.Attribute(attr="sum")))):
            s_, g_ = place.text(s), place.text(g)
            new = f"{s_} * (1 - {s_}) * {g_}"
            yield from place.edit(node, new, "softmax-elementwise", kinds, "softmax as if elementwise", scope=WHOLE)
        case ast.BinOp(ast.Call(args=[p], func=ast.Attribute(attr="diag")), ast.Sub(), ast.Call()):
            p_ = place.text(p)
            new = f"np.diag({p_} * (1 - {p_}))"
            yield from place.edit(node, new, "softmax-elementwise", kinds, "softmax as if elementwise", scope=WHOLE)


def _objective(place: TensorPlace, node: ast.BinOp) -> Iterator[Edit]:
    """The delta of another loss: of absolute errors, of squared ones behind a sigmoid."""
    if not isinstance(node.op, ast.Sub) or isinstance(node.left, ast.Constant):
        return
    a, b = place.shape(node.left), place.shape(node.right)
    if not a or a != b or not isinstance(node.left, ast.Name | ast.Attribute | ast.Subscript):
        return
    text, p = place.text(node), place.text(node.left)
    kinds = ("other-objective", "wrong-formula", "extra-factor", "scale")
    lib = "torch" if "import torch" in place.case.source else "np"
    new = f"{lib}.sign({text})"
    yield from place.edit(node, new, "other-objective", kinds, "absolute errors for squared", scope=WHOLE)
    new = f"({text}) * {p} * (1 - {p})"
    yield from place.edit(node, new, "other-objective", kinds, "squared errors for cross-entropy", scope=WHOLE)


def _variable(place: TensorPlace, node: ast.Name | ast.Attribute | ast.Subscript) -> Iterator[Edit]:
    """Another variable of the same shape: its input, a neighbour, some other one."""
    up = place.parents.get(node)
    if isinstance(up, ast.Attribute) and up.attr in ("shape", "size", "dtype"):
        return
    text = place.text(node)
    values = place.here.texts
    shape = getattr(values.get(text), "shape", () if isinstance(values.get(text), float) else None)
    if shape is None:
        return
    target = place.text(place.stmt.targets[0]) if isinstance(place.stmt, ast.Assign) else ""
    others = [
        t for t, v in values.items()
        if t not in (text, target) and not _same(v, values[text])
        and getattr(v, "shape", () if isinstance(v, float) else None) == shape
    ]  # fmt: skip
    others.sort(key=lambda t: (-difflib.SequenceMatcher(None, t, text).ratio(), t))
    chosen = others[:2] + place.rng.sample(others[2:], min(1, len(others[2:])))
    into = place.inputs.get(text)
    if into in values:
        chosen = [into, *(t for t in chosen if t != into)]
    for new in chosen:
        kinds: tuple[str, ...] = ("wrong-variable", "wrong-time-step", "input-for-output")
        operator = "wrong-variable"
        if new == into:
            kinds, operator = ("input-for-output", "wrong-variable", "wrong-time-step"), "input-for-output"
        yield from place.edit(node, new, operator, kinds, f"{new} for {text}")


def _same(a: object, b: object) -> bool:
    """The very same number: ``dout`` beside ``grad_out``, which is no mistake."""
    import numpy as np

    return bool(np.array_equal(a, b))  # type: ignore[arg-type]


def _slices(place: TensorPlace, node: ast.Subscript) -> Iterator[Edit]:
    """A slice that begins or ends elsewhere."""
    kinds = ("wrong-variable", "wrong-time-step", "wrong-formula", "wrong-shape")
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for item in items:
        if not isinstance(item, ast.Slice) or (item.lower is None and item.upper is None):
            continue
        low, high = (place.text(v) if v is not None else "" for v in (item.lower, item.upper))
        if low and high:
            new, why = f"{low} - 1 : {high} - 1", "a slice one place earlier"
        elif high:
            new, why = f"{high} : 2 * ({high})", "the next slice"
        else:
            continue
        end = item.end_col_offset
        assert end is not None
        yield Edit(place.stmt.lineno, item.col_offset, end, new, "wrong-slice", kinds, why, WHOLE)


def _lengths(place: TensorPlace, value: ast.expr) -> Iterator[Edit]:
    """N of another axis."""
    for node in ast.walk(value):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant(int(k))):
                shape = place.shape(node.value.value)  # type: ignore[attr-defined]
                for other in range(len(shape or ())):
                    if other != k:
                        why = f"the length of axis {other} for {k}"
                        yield from place.edit(node.slice, str(other), "wrong-count", COUNTS, why, scope=WHOLE)
            case ast.Name(id=name) if isinstance(place.here.texts.get(name), int) and _divides(place, node):
                old = place.here.texts[name]
                counts = {t: v for t, v in place.here.texts.items() if isinstance(v, int) and v not in (0, 1, old)}
                for new in sorted(counts)[:2]:
                    yield from place.edit(node, new, "wrong-count", COUNTS, f"{new} for {name}", scope=WHOLE)


def _divides(place: TensorPlace, node: ast.AST) -> bool:
    up = place.parents.get(node)
    return (isinstance(up, ast.BinOp) and isinstance(up.op, ast.Mult | ast.Div)) or isinstance(up, ast.AugAssign)


def _count(place: TensorPlace, value: ast.expr) -> Iterator[Edit]:
    """1/N once too often."""
    named = {
        ast.unparse(n.right)
        for n in ast.walk(ast.parse(place.case.source))
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)
    }
    texts = place.here.texts
    for n in sorted(t for t in named if isinstance(texts.get(t), int) and texts[t] > 1)[:2]:
        text = place.text(value)
        loose = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub)
        new = f"({text}) / {n}" if loose else f"{text} / {n}"
        yield from place.edit(value, new, "count-again", COUNTS, f"1/{n} once too often", scope=WHOLE)


def _divided(place: TensorPlace, stmt: ast.AugAssign) -> Iterator[Edit]:
    """``x /= N`` left out."""
    if isinstance(stmt.op, ast.Div) and stmt.end_col_offset is not None:
        n = place.text(stmt.value)
        yield Edit(
            stmt.lineno, stmt.col_offset, stmt.end_col_offset, "pass", "dropped-line", COUNTS,
            f"1/{n} is left out", ABSENT, n,
        )  # fmt: skip


def _never(place: TensorPlace, stmt: ast.Assign, value: ast.expr, target: str) -> Iterator[Edit]:
    """A gradient that stays at zeros."""
    kinds = ("never-assigned", "missing-term", "missing-factor", "wrong-formula")
    gradients = dict(place.case.gradients)
    end = stmt.end_col_offset
    if isinstance(stmt.targets[0], ast.Subscript) and end is not None and '"' not in target and "'" not in target:
        why = f"{target} is never assigned"
        yield Edit(stmt.lineno, stmt.col_offset, end, "pass", "dropped-line", kinds, why, ABSENT, place.text(value))
    elif target in gradients and place.here.shape(gradients[target]):
        lib = "torch" if "import torch" in place.case.source else "np"
        new = f"{lib}.zeros_like({gradients[target]})"
        yield from place.edit(value, new, "never-assigned", kinds, "left at zeros", scope=WHOLE)


def _regularised(place: TensorPlace, value: ast.expr, target: str) -> Iterator[Edit]:
    """The regulariser applied to what it does not hold for."""
    path = dict(place.case.gradients).get(target)
    found = REGULARISER.search(place.case.source)
    if path is None or found is None or REGULARISER.search(place.text(value)):
        return
    if path in place.here.texts and found[0] in place.here.texts:
        new = f"{place.text(value)} + {found[0]} * {path}"
        kinds = ("extra-term", "wrong-formula")
        yield from place.edit(value, new, "regulariser", kinds, f"the regulariser on {path}", scope=WHOLE)


def _add_at(place: TensorPlace, stmt: ast.Expr) -> Iterator[Edit]:
    """np.add.at lost: of equal indices only the last one counts."""
    call = stmt.value
    if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith("add.at")):
        return
    target, where, value = map(place.text, call.args)
    where = where[1:-1] if where.startswith("(") else where
    end = stmt.end_col_offset
    assert end is not None
    kinds = ("lost-accumulation", "missing-term", "missing-reduction", "overwritten", "wrong-formula")
    for sign in ("+=", "="):
        why = "equal indices overwrite one another"
        text = f"{target}[{where}] {sign} {value}"
        yield Edit(stmt.lineno, stmt.col_offset, end, text, "add-at", kinds, why, WHOLE)
    kinds = ("missing-term", "lost-accumulation", "never-assigned")
    yield Edit(stmt.lineno, stmt.col_offset, end, "pass", "dropped-line", kinds, f"{target} lacks it", ABSENT, value)


def _updated_first(place: TensorPlace, value: ast.expr) -> Iterator[Edit]:
    """A parameter is updated before its old value is used."""
    stmt = place.stmt
    for gradient, path in place.case.gradients:
        g, p = gradient, path
        if "." in path and '"' not in path:
            g, p = f"self.{gradient.rsplit('.', 1)[-1]}", f"self.{path.rsplit('.', 1)[-1]}"
        values = place.here.texts
        if getattr(values.get(g), "shape", None) != getattr(values.get(p), "shape", ()):
            continue
        if any(place.text(n) == p for n in ast.walk(value) if isinstance(n, ast.Name | ast.Attribute)):
            yield Edit(
                stmt.lineno, stmt.col_offset, stmt.col_offset, f"{p} -= 0.1 * {g}; ", "updated-first",
                ("overwritten", "wrong-variable", "wrong-formula"), f"{p} is updated before it is used", WHOLE,
            )  # fmt: skip


def _order(place: TensorPlace) -> Iterator[Edit]:
    """Two lines change places; a return moves into the loop before it."""
    stmt = place.stmt
    if not place.before:
        return
    last = place.before[-1]
    if isinstance(stmt, ast.Return) and isinstance(last, ast.For):
        inner = last
        while isinstance(inner.body[-1], ast.For):
            inner = inner.body[-1]
        deeper = " " * inner.body[-1].col_offset
        kinds = ("lost-accumulation", "missing-term", "wrong-reduction", "never-assigned")
        yield Edit(stmt.lineno, 0, stmt.col_offset, deeper, "return-in-loop", kinds, "returned too early", WHOLE)
    simple = isinstance(stmt, ast.Assign | ast.AugAssign | ast.Expr) and isinstance(last, ast.Assign | ast.AugAssign)
    if simple and last.lineno == stmt.lineno - 1 and place.case.manual(last.lineno):
        kinds = ("overwritten", "wrong-variable", "lost-accumulation", "wrong-time-step", "never-assigned")
        above = place.lines[last.lineno - 1]
        yield Edit(
            stmt.lineno, 0, len(place.line), above, "swapped-lines", kinds, "two lines change places", WHOLE,
            instead=(last.lineno,), others=((last.lineno, place.line),),
        )  # fmt: skip


def _tuples(place: TensorPlace, stmt: ast.Assign | ast.Return) -> Iterator[Edit]:
    """Two of the values that are unpacked or returned change places."""
    node = stmt.targets[0] if isinstance(stmt, ast.Assign) else stmt.value
    if not isinstance(node, ast.Tuple) or (isinstance(stmt, ast.Assign) and isinstance(stmt.value, ast.Tuple)):
        return
    texts = [place.text(e) for e in node.elts]
    kinds = ("wrong-variable", "wrong-shape", "wrong-formula")
    for k in range(len(texts) - 1):
        new = [*texts[:k], texts[k + 1], texts[k], *texts[k + 2 :]]
        why = f"{texts[k]} and {texts[k + 1]} change places"
        yield from place.edit(node, ", ".join(new), "tuple-order", kinds, why, scope=WHOLE)


__all__ = ["LOCAL", "TensorPlace", "edits", "places"]
