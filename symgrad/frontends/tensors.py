"""Text -> graph where names stand for arrays: ``sum(tanh(W @ x + b)**2)``, ``np.mean(x, axis=0)``, ``x[1:] * W[:, 0]``.

The language of :mod:`symgrad.frontends.expression`, with what arrays need besides (``tensors.lark``). The shapes of the
names are given; each step's follows from them, and one that does not fit is refused at its operator.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from symgrad.errors import InternalError, SymgradError, did_you_mean
from symgrad.frontends.arraywords import ArrayWords, unshaped
from symgrad.frontends.tensoractions import TensorActions
from symgrad.frontends.tokens import MAX_TEXT, Source, built, unexpected
from symgrad.graph import Graph
from symgrad.ops import Shape

_LOCK = threading.Lock()
_NOTHING = Source("", "")


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression with arrays.

    Attributes:
        graph: every step with its shape.
        data: names used as labels or places, which nothing is differentiated by.
    """

    graph: Graph
    data: frozenset[str]


@cache
def _parser() -> tuple[Any, ArrayWords, TensorActions]:
    words, actions = ArrayWords(), TensorActions()
    return built("tensors.lark", words, actions), words, actions


def parse_tensors(
    text: str, shapes: Mapping[str, Shape], whole: Mapping[str, Any] | None = None, file: str = "expression"
) -> Parsed:
    """Read an expression whose names have these shapes.

    Args:
        text: what the user wrote.
        shapes: of every name that it uses; ``()`` for a single number.
        whole: the values of names that are whole numbers all over: they may be labels or places.

    Raises:
        SymgradError: the text is no expression, its shapes do not fit, or names have none; it says where and why.
    """
    from lark.exceptions import LarkError, UnexpectedToken

    source = Source(text[:MAX_TEXT], file)
    if len(text) > MAX_TEXT:
        raise source.error(0, 1, f"the text has {len(text)} characters; at most {MAX_TEXT} can be read")
    if not "".join(line.partition("#")[0] for line in text.split("\n")).strip(" \t\r\n;"):
        raise source.error(0, 1, "the expression is empty", "write a formula, such as sum((W @ x)**2)")
    with _LOCK:
        parser, words, actions = _parser()
        words.start(source, shapes)
        actions.begin_arrays(source, shapes, whole or {})
        try:
            graph = parser.parse(text)
            data = frozenset(actions.data)
            if actions.missing:
                raise unshaped(source, actions.missing)
        except UnexpectedToken as bad:
            raise unexpected(source, bad.token, words.given) from None
        except LarkError as bad:
            raise InternalError(f"the parser failed: {bad}") from bad
        finally:
            words.start(_NOTHING)
            actions.begin_arrays(_NOTHING, {}, {})
    if not isinstance(graph, Graph):
        raise InternalError("the parser returned no graph")
    used = _uses(graph)
    for name in data:
        if used[graph.variables[name]]:
            span = graph.steps[graph.variables[name]].span
            raise SymgradError(
                f"'{name}' is used as whole numbers that pick entries, and as values too", span, source=text,
                hint="give the two uses two names",
            )  # fmt: skip
    return Parsed(graph, data)


def _uses(graph: Graph) -> list[bool]:
    needed = graph.ancestors(graph.output)
    needed[graph.output] = True
    return needed


def unknown_names(given: Mapping[str, Any], graph: Graph, option: str) -> None:
    """Refuse a name that the expression does not have.

    Raises:
        SymgradError: there is one.
    """
    for name in given:
        if name not in graph.variables:
            raise SymgradError(
                f"{option} names '{name}', which is no variable of the expression{did_you_mean(name, graph.variables)}",
                hint=f"the variables are {', '.join(graph.variables) or '(none)'}",
            )
