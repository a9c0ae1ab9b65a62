"""Equivalent rewrites of tensor passes: other spellings of products, sums, transposes, shapes, masks and updates.

They are proposed by `rewriting.rewrites` beside those for scalars; whether the result is equal is found by running, so
they may be bold: a spelling that does not fit the shapes raises, and is not taken.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.benchmarks.rewriting import _At

Proposal = tuple[str, str]


def expressions(at: _At, node: ast.expr) -> Iterator[Proposal]:
    """Other ways to write one expression of arrays."""
    if isinstance(getattr(node, "ctx", ast.Load()), ast.Store):
        return
    lib = at.library or "np."
    match node:
        case ast.BinOp(left, ast.MatMult(), right):
            yield from _product(lib, ast.unparse(left), ast.unparse(right), "@")
        case ast.BinOp(left, op, right):
            yield from _elementwise(lib, node, ast.unparse(left), ast.unparse(right), op)
        case ast.Attribute(value, "T"):
            x = ast.unparse(value)
            for new in (f"{lib}transpose({x})", f"{x}.transpose()", f"{lib}swapaxes({x}, 0, 1)"):
                yield "transpose", new if lib == "np." else f"{x}.t()" if "." in new else f"{x}.transpose(0, 1)"
        case ast.Call():
            yield from _call(lib, node)


def _product(lib: str, a: str, b: str, written: str) -> Iterator[Proposal]:
    if written != "@":
        yield "matmul-spelling", f"({a}) @ ({b})"
    if written != "np.matmul":
        yield "matmul-spelling", f"{lib}matmul({a}, {b})"
    if lib == "np.":
        yield "matmul-spelling", f"np.dot({a}, {b})"
        yield "matmul-spelling", f"({a}).dot({b})"
        yield "matmul-spelling", f"np.tensordot({a}, {b}, axes=1)"
    yield "transposed-product", f"(({b}).T @ ({a}).T).T"
    for letters in ("ij,jk->ik", "ij,j->i", "i,ij->j", "ij,j...->i...", "bij,bjk->bik"):
        yield "einsum", f"{lib}einsum('{letters}', {a}, {b})"
    for expand in (f"({a})[:, :, None] * ({b})[None, :, :]",):
        yield "product-as-sum", f"({expand}).sum({_axis(lib)}=1)"


def _axis(lib: str) -> str:
    return "dim" if lib == "torch." else "axis"


def _elementwise(lib: str, node: ast.BinOp, left: str, right: str, op: ast.operator) -> Iterator[Proposal]:
    names = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
    if type(op) in names and lib in ("np.", "torch."):
        yield "function-for-operator", f"{lib}{names[type(op)]}({left}, {right})"
    match op, node.right:
        case ast.Pow(), ast.Constant(2):
            yield "square", f"{lib}square({left})"
            yield "square", f"({left}) * ({left})"
        case ast.Mult(), ast.Compare() if lib in ("np.", "torch."):
            yield "mask-spelling", f"{lib}where({right}, {left}, 0.0)"
            if lib == "np.":
                yield "mask-spelling", f"({left}) * ({right}).astype(float)"
            yield "mask-spelling", f"({left}) * (1.0 - {lib}where({right}, 0.0, 1.0))"
        case ast.Mult(), _ if left == right:
            yield "square", f"({left}) ** 2"
        case ast.Div(), _:
            yield "reciprocal", f"({left}) * ({right}) ** -1.0"
    text = ast.unparse(node)
    for y in (left, right):
        if text in (f"1 - {y} ** 2", f"1.0 - {y} ** 2", f"1 - {y} * {y}"):
            yield "tanh-derivative", f"1 / {lib}cosh({lib}arctanh({y})) ** 2"
            yield "tanh-derivative", f"(1 + {y}) * (1 - {y})"


def _call(lib: str, node: ast.Call) -> Iterator[Proposal]:
    name = ast.unparse(node.func)
    last = name.rsplit(".", 1)[-1]
    module = name.startswith(("np.", "torch."))
    method = isinstance(node.func, ast.Attribute) and not module
    given = [node.func.value, *node.args] if method and isinstance(node.func, ast.Attribute) else node.args
    args = [ast.unparse(a) for a in given]
    options = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if last in ("dot", "matmul") and len(args) == 2:
        yield from _product(lib, args[0], args[1], f"np.{last}")
    elif last == "outer" and len(args) == 2:
        x, y = args
        yield "outer", f"({x})[:, None] * ({y})[None, :]"
        yield "outer", f"({x}).reshape(-1, 1) * ({y})"
        yield "outer", f"({x}).reshape(-1, 1) @ ({y}).reshape(1, -1)"
        yield "outer", f"{lib}einsum('i,j->ij', {x}, {y})"
    elif last in ("sum", "mean") and args:
        yield from _reduction(lib, last, args, options, method)
    elif last in ("zeros_like", "ones_like") and len(args) == 1:
        (x,) = args
        yield (
            "empty-spelling",
            f"{lib}{last[:-5]}({x}.shape)" if lib == "np." else f"({x}) * 0.0 + {int(last[0] == 'o')}",
        )
        if last == "zeros_like":
            yield "empty-spelling", f"0.0 * ({x})"
    elif last == "zeros" and len(args) == 1 and lib == "np.":
        yield "empty-spelling", f"np.full({args[0]}, 0.0)"
    elif last in ("copy", "clone") and args:
        yield "copy-spelling", f"({args[0]}) + 0.0"
        yield "copy-spelling", f"1.0 * ({args[0]})"
        if lib == "np.":
            yield "copy-spelling", f"np.array({args[0]})"
    elif last == "where" and len(args) == 3:
        yield "where-spelling", f"({args[0]}) * ({args[1]}) + (1 - 1 * ({args[0]})) * ({args[2]})"
    elif last == "concatenate":
        yield "join", f"np.hstack({args[0]})"
        yield "join", f"np.concatenate([q_.T for q_ in {args[0]}], axis=0).T"
    elif last == "reshape" and method:
        yield "reshape", f"np.reshape({args[0]}, {args[1] if len(args) == 2 else '(' + ', '.join(args[1:]) + ')'})"
    elif last == "einsum" and len(args) >= 3:
        letters = args[0].strip("'")
        into, _, out = letters.partition("->")
        parts = into.split(",")
        if len(parts) == len(args) - 1:
            turned = f"{','.join(reversed(parts))}->{out}"
            yield "einsum", f"{lib}einsum('{turned}', {', '.join(reversed(args[1:]))})"
            renamed = letters.translate(str.maketrans("abijkno", "pqrstuv"))
            yield "einsum", f"{lib}einsum('{renamed}', {', '.join(args[1:])})"


def _reduction(
    lib: str, name: str, args: list[str], options: dict[str | None, str], method: bool
) -> Iterator[Proposal]:
    """Sums over axes, written otherwise."""
    x = args[0]
    axis = options.get("axis", options.get("dim", args[1] if len(args) > 1 else ""))
    keep = options.get("keepdims", options.get("keepdim", ""))
    word = _axis(lib)
    tail = f", {word}={axis}" if axis else ""
    if not keep:
        if method:
            yield "sum-spelling", f"{lib}{name}({x}{tail})"
        else:
            yield "sum-spelling", f"({x}).{name}({tail[2:]})"
    if keep and axis:
        yield (
            "keepdims",
            f"{lib}expand_dims({lib}{name}({x}, {axis}), {axis})"
            if lib == "np."
            else (f"({x}).{name}({axis}).unsqueeze({axis})"),
        )
        if axis == "1":
            yield "keepdims", f"({x}).{name}({axis})[:, None]"
            yield "keepdims", f"({x}).{name}({axis}).reshape(-1, 1)"
        if axis == "0":
            yield "keepdims", f"({x}).{name}({axis})[None, :]"
    elif axis and name == "sum":
        if axis == "0" and lib == "np.":
            yield "ones-product", f"np.ones(len({x})) @ ({x})"
        if axis == "1" and lib == "np.":
            yield "ones-product", f"({x}) @ np.ones(({x}).shape[1])"
        yield "keepdims", f"({x}).sum({axis}, keepdim{'s' * (lib == 'np.')}=True).squeeze({axis})"
        yield "einsum", f"{lib}einsum('ij->{'j' if axis == '0' else 'i'}', {x})"
    elif not axis and name == "sum":
        yield "sum-spelling", f"({x}).sum(0).sum()"
        yield "sum-spelling", f"({x}).reshape(-1).sum()"
    if name == "mean" and lib == "np.":
        count = f"({x}).shape[{axis}]" if axis else f"np.size({x})"
        kept = ", keepdims=True" if keep else ""
        yield "mean-spelling", f"np.sum({x}{tail}{kept}) / {count}"


def statements(at: _At) -> Iterator[tuple[str, list[str]]]:
    """Other ways to write one statement: loops for products and for np.add.at, filled arrays for new ones."""
    stmt, value = at.stmt, at.value
    match stmt:
        case ast.Assign([ast.Name(target)], ast.BinOp(ast.Attribute(left, "T"), ast.MatMult(), right)):
            a, b, i = ast.unparse(left), ast.unparse(right), at.fresh()
            yield (
                "loop-over-samples",
                [
                    f"{at.indent}{target} = 0.0",
                    f"{at.indent}for {i} in range(len({a})):",
                    f"{at.indent}    {target} = {target} + {at.library or 'np.'}outer(({a})[{i}], ({b})[{i}])",
                ],
            )
        case ast.Assign([ast.Name(target)], ast.Call(ast.Attribute(attr="sum"), args, keywords)) if keywords:
            if ast.unparse(keywords[0].value) == "0" and len(keywords) == 1:
                x = ast.unparse(args[0] if args else value.func.value)  # type: ignore[attr-defined]
                yield (
                    "loop-over-samples",
                    [
                        f"{at.indent}{target} = 0.0",
                        f"{at.indent}for row_ in {x}:",
                        f"{at.indent}    {target} = {target} + row_",
                    ],
                )
        case ast.Expr(ast.Call(ast.Attribute(attr="at"), [target, where, v])):
            i, t, w, x = at.fresh(), ast.unparse(target), ast.unparse(where), ast.unparse(v)
            yield (
                "add-at-loop",
                [f"{at.indent}for {i} in range(len({w})):", f"{at.indent}    {t}[{w}[{i}]] += ({x})[{i}]"],
            )
            yield (
                "add-at-loop",
                [
                    f"{at.indent}for {i} in np.ndindex(*np.shape({w})):",
                    f"{at.indent}    {t}[np.asarray({w})[{i}]] += ({x})[{i}]",
                ],
            )
        case ast.AugAssign(target, ast.Add(), v) if isinstance(target, ast.Name | ast.Attribute):
            t = ast.unparse(target)
            yield "accumulate-in-place", [f"{at.indent}{t}[...] = {t} + {ast.unparse(v)}"]
    if isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name) and at.library == "np.":
        name, text = stmt.targets[0].id, ast.unparse(value)
        yield "fill-in-place", [f"{at.indent}{name} = np.zeros(np.shape({text}))", f"{at.indent}{name}[...] = {text}"]
        yield "fill-in-place", [f"{at.indent}{name} = np.empty_like({text})", f"{at.indent}{name}[:] = {text}"]
        yield "fill-in-place", [f"{at.indent}{name} = np.zeros_like({text})", f"{at.indent}{name} += {text}"]
    if isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name) and isinstance(value, ast.BinOp):
        name, sign = stmt.targets[0].id, {ast.Mult: "*", ast.Div: "/", ast.Sub: "-"}.get(type(value.op))
        if sign:
            yield (
                "in-place-operator",
                [
                    f"{at.indent}{name} = 1.0 * ({ast.unparse(value.left)})",
                    f"{at.indent}{name} {sign}= {ast.unparse(value.right)}",
                ],
            )
