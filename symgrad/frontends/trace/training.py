"""Which loops of a text train: that parameters are updated in them is read off the text.

Their rounds are alike, and a loop that trains may be ended after a few of them.
"""

from __future__ import annotations

import ast
import re

from symgrad.frontends.trace.trees import walk

#: What :func:`kind` says: its rounds are alike for sure, or perhaps.
SURELY, PERHAPS = "surely", "perhaps"

#: A loop inside more than so many others is left alone.
DEEPEST = 2

#: A loop of which the text says that parameters are updated in it.
_TRAINS = re.compile(
    r"-=|(?<!loss )(?<!cost )\+= *-|lr\b|learning_rate|step_size|\.step\(|update|backward\(|optimi[sz]e|epoch|n_iter",
    re.I,
)

#: The same of a loop inside another one: over the samples of an epoch.
_STEPS = re.compile(r"lr\b|learning_rate|step_size|\.step\(|update|backward\w*\(|optimi[sz]e", re.I)

#: What counts the rounds of training, and nothing else; what is made smaller in them; what one round calls.
_EPOCH = re.compile(r"^(epochs?|ep|iter|iters|iteration|iterations|it|n_epoch)$", re.I)
_COUNT = re.compile(r"^(?:n|no|num|number_of|nb|max|total)?_?(epochs?|iters?|iterations?)$", re.I)
_EPOCHS = re.compile(r"^(epochs?|ep)$", re.I)
_FORWARD = re.compile(r"^_?(feed_?forward|forward|predict|fwd)", re.I)
_BACKWARD = re.compile(
    r"^_?(back_?prop|backward|bwd|train_|gradient_descent|optimi[sz]e|(step|train|fit)$)|update", re.I
)
_WIDTH = re.compile(r"^(eps|epsilon|h|dx|step|delta|tiny|i|j|k|n)$", re.I)
_RATE = re.compile(r"\b(lr|eta|alpha|rate|step|\w*_(lr|rate|step|size)|learn\w*|\w*grad\w*|\w*delta\w*)\b", re.I)
_LOSS = re.compile(r"(^|_)(loss|cost|error|mse|nll|objective)(_|$|\d)|^[JLE]$", re.I)


def kind(loop: ast.For | ast.While, *, last: bool, depth: int) -> str | None:
    """Whether a loop trains; ``None`` where it does not.

    Args:
        last: nothing is worked out after it; see :func:`last_loop`.
        depth: how many loops it stands in.
    """
    if depth > DEEPEST:
        return None
    sums = _added_up(loop)
    if _surely_trains(loop, sums) or (last and any(_moves(node) for node in walk(loop) if node not in sums)):
        return SURELY
    texts = {ast.unparse(node) for node in sums}
    text = "\n".join(line for line in ast.unparse(loop).split("\n") if line.strip() not in texts)
    perhaps = (_STEPS if depth else _TRAINS).search(text) is not None
    if not perhaps and not depth and (isinstance(loop, ast.While) or "range(" in ast.unparse(loop.iter)):
        perhaps = any(_descends(n) for n in walk(loop) if n not in sums)  # and not over the samples of an epoch
    return PERHAPS if perhaps else None


def _added_up(loop: ast.For | ast.While) -> set[ast.AST]:
    """The statements that only take something from a sum: ``cost -= np.log(p[k])``, where nothing else in the loop is
    made of the cost. That moves no parameter, and the sum is to be whole."""
    found: dict[str, list[ast.AST]] = {}
    reads: dict[str, int] = {}
    counted: set[str] = set()
    for node in (n for statement in loop.body for n in walk(statement)):
        match node:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Sub()) if not _RATE.search(ast.unparse(node.value)):
                found.setdefault(name, []).append(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.BinOp()) if _goes_on(node):
                found.setdefault(name, []).append(node)
                reads[name] = reads.get(name, 0) - 1
            case ast.Name(id=name, ctx=ast.Load()):
                reads[name] = reads.get(name, 0) + 1
            case ast.For(target=target):
                counted |= {n.id for n in walk(target) if isinstance(n, ast.Name)}  # for p, d in zip(...): p -= d
    sums = {name for name in found if reads.get(name, 0) <= 0 and name not in counted}
    return {node for name in sums for node in found[name] if not _descends(node)}


def _goes_on(node: ast.Assign) -> bool:
    """``cost = cost - a - b``: it is the first of the terms, and none of them has a rate in it."""
    first = node.value
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add | ast.Sub):
        first = first.left
    own = isinstance(first, ast.Name) and first is not node.value
    return own and ast.unparse(first) == ast.unparse(node.targets[0]) and not _RATE.search(ast.unparse(node.value))


def last_loop(tree: ast.Module) -> ast.stmt | None:
    """A loop after which nothing is worked out, only printed or drawn: it may be shorter, for all that follows."""
    body = list(tree.body)
    while body and isinstance(body[-1], ast.Expr):
        body.pop()
    last = body[-1] if body else None
    return last if isinstance(last, ast.For | ast.While) and "range(" in ast.unparse(last).partition(":")[0] else None


def _surely_trains(loop: ast.For | ast.While, sums: set[ast.AST]) -> bool:
    """It moves something, and counts epochs, computes a loss anew in each round, or goes forward and back.

    ``sums``: what it only adds up.
    """
    own = [node for statement in loop.body for node in walk(statement)]
    counts = isinstance(loop, ast.For) and (_is_called(_EPOCH, loop.target) or _is_up_to(_COUNT, loop.iter))
    targets = [t for node in own if isinstance(node, ast.Assign) for t in node.targets]
    names = (n.attr if isinstance(n, ast.Attribute) else n.id if isinstance(n, ast.Name) else "" for n in targets)
    if isinstance(loop, ast.For) and not counts and "range(" not in ast.unparse(loop.iter):
        return False  # over parameters, or data
    calls = [ast.unparse(node.func).rsplit(".", maxsplit=1)[-1] for node in own if isinstance(node, ast.Call)]
    rounds = any(_LOSS.search(name) for name in names) or any(_FORWARD.match(name) for name in calls)
    if not counts and not rounds:
        return False
    return any(_BACKWARD.search(c) for c in calls) or any(
        _moves(node) or _ascends(node, loop) for node in own if node not in sums
    )


def _is_called(pattern: re.Pattern[str], node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return pattern.match(name) is not None


def _is_up_to(pattern: re.Pattern[str], node: ast.expr) -> bool:
    """``range(epochs)``, ``range(1, self.n_epochs + 1)``."""
    match node:
        case ast.Call(func=ast.Name(id="range" | "trange"), args=args) if args:
            return any(_is_called(pattern, n) for n in walk(args[min(1, len(args) - 1)]) if isinstance(n, ast.expr))
    return False


def _ascends(node: ast.AST, loop: ast.For | ast.While) -> bool:
    """``W += rate*h.T @ delta`` over epochs, where something else in the round is made of W: what is added is the
    negative gradient. What only is added up is read nowhere."""
    # Not over steps: x += dt*v carries a state on.
    if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name) or not _EPOCHS.match(loop.target.id):
        return False
    if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add) or not isinstance(node.value, ast.BinOp):
        return False
    name = ast.unparse(node.target)
    read = (n for statement in loop.body for n in walk(statement) if isinstance(n, ast.Name | ast.Attribute))
    return any(isinstance(n.ctx, ast.Load) and ast.unparse(n) == name for n in read)


def _descends(node: ast.AST) -> bool:
    """``w = w - 0.01*dw``: what is taken away is called a gradient, or that of w."""
    if not _moves(node) or not isinstance(node, ast.Assign | ast.AugAssign):
        return False
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
    held = (
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in walk(node.value)
        if isinstance(n, ast.Attribute | ast.Name)
    )
    of = re.compile(rf"d\w*?_?{re.escape(name)}|{re.escape(name)}_?grad\w*|g_?{re.escape(name)}|\w*grad\w*|nabla\w*")
    return bool(name) and any(of.fullmatch(n) for n in held if n != name)


def _moves(node: ast.AST) -> bool:
    """``w -= rate*dw``, ``w -= 0.1*dw``, ``w = w - rate*dw``, ``v = 0.9*v - rate*dw``; and one by one,
    ``w = [a - rate*g for a, g in zip(w, grad)]``."""
    if isinstance(node, ast.AugAssign):
        # ``x[i] -= 2*eps`` goes back to where a difference quotient began.
        names = {n.id for n in walk(node.value) if isinstance(n, ast.Name)}
        by_a_number = isinstance(node.value, ast.BinOp) and any(not _WIDTH.match(name) for name in names)
        return isinstance(node.op, ast.Sub) and (len(names) > 1 or by_a_number)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Sub):
        target = ast.unparse(node.targets[0])
        return any(isinstance(n, ast.expr) and ast.unparse(n) == target for n in walk(node.value.left))
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.ListComp):
        made, of = node.value.elt, node.value.generators[0].iter
        if isinstance(made, ast.BinOp) and isinstance(made.op, ast.Sub) and isinstance(made.right, ast.BinOp):
            target = ast.unparse(node.targets[0])
            rated = isinstance(made.right.op, ast.Mult)  # and no mean, as of xs - mean
            return rated and any(isinstance(n, ast.Name) and n.id == target for n in walk(of))
    return False
