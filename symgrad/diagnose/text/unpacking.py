"""Other texts for what several values are unpacked to at once: ``h, c, i, f = cache``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from symgrad.diagnose.text.kept import is_as_kept, put_together
from symgrad.diagnose.text.texts import Rewording, Text, at
from symgrad.diagnose.text.unread import MOST_NAMES


def unpacked(text: Text) -> Iterator[Rewording]:
    """``x, stride, size = cache`` where the cache has them in another order."""
    kept = put_together(text.nodes)
    for target in _targets(text):
        if len(target.elts) <= MOST_NAMES and not is_as_kept(target, kept):
            for a, b in combinations(range(len(target.elts)), 2):
                yield _exchanged(text, target, a, b, 1.0 + 0.01 * (b - a))


def misplaced(text: Text) -> Iterator[Rewording]:
    """The same where a tuple of as many values, put together elsewhere, has some of these names at another place.

    Two names that a cache has the other way round say which slip it was, however long the cache is.
    """
    made = [[ast.unparse(e) for e in n.elts] for n in text.nodes if isinstance(n, ast.Tuple) and _is_made(n)]
    called = {id(n.targets[0]) for n in text.simple if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)}
    # What a function hands back may be in the wrong order there.
    for target in (t for t in _targets(text) if id(t) not in called):
        mine = [ast.unparse(e) for e in target.elts]
        for there in (t for t in made if len(t) == len(mine)):
            for a, b in combinations(range(len(mine)), 2):
                settled = mine[a] == there[a] or mine[b] == there[b]
                if not settled and (mine[a] == there[b] or mine[b] == there[a]):
                    both = mine[a] == there[b] and mine[b] == there[a]
                    yield _exchanged(text, target, a, b, 0.4 if both else 0.5)


def _targets(text: Text) -> Iterator[ast.Tuple]:
    for node in text.simple:
        if not isinstance(node, ast.Assign) or isinstance(node.value, ast.Tuple | ast.List):
            continue
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and (text.is_about(node.lineno) or _leads_in(text, node)):
            yield target


def _leads_in(text: Text, node: ast.stmt) -> bool:
    """A loop of the derivation begins with a line, which makes no step itself: ``h, c, i = caches[t]``."""
    block = next(b for b in text.blocks if node in b)
    at = block.index(node)
    return block is not text.blocks[0] and len(block) > at + 1 and block[at + 1].lineno in text.manual


def _is_made(node: ast.Tuple) -> bool:
    return isinstance(node.ctx, ast.Load) and node.lineno == node.end_lineno


def _exchanged(text: Text, target: ast.Tuple, a: int, b: int, cost: float) -> Rewording:
    texts = [text.of(e) for e in target.elts]
    message = f"`{text.of(target)}` has {texts[a]} and {texts[b]} the wrong way round"
    texts[a], texts[b] = texts[b], texts[a]
    return at(target, ", ".join(texts), "wrong-variable", message, cost)


__all__ = ["misplaced", "unpacked"]
