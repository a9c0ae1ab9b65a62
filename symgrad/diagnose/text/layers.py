"""Other texts for layers that are objects: one whose ``backward`` nobody calls, though its ``forward`` was called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from symgrad.diagnose.text.texts import Rewording, Text, at

#: What the two directions of a layer are called.
PAIRS = (("forward", "backward"), ("forward", "backprop"))


def passed_over(text: Text) -> Iterator[Rewording]:
    """``norm.backward(dout)`` for ``norm.backward(act.backward(dout))``, where act took part in the forward pass."""
    calls = [n for n in text.nodes if isinstance(n, ast.Call) and len(n.args) == 1 and not n.keywords]
    for ahead, back in PAIRS:
        gone = {_of(c, ahead): None for c in calls}
        done = [c for c in calls if _of(c, back)]
        left = [name for name in gone if name and name not in {_of(c, back) for c in done}]
        for name in left if len(left) == 1 else ():
            message = f"{name}.{back} is never called, though {name} took part in the forward pass"
            for call in done:
                given = call.args[0]
                if call.lineno != call.end_lineno or not text.is_about(call.lineno):
                    continue
                yield at(given, f"{name}.{back}({text.of(given)})", "missing-factor", message, 0.5)
                yield at(call, f"{name}.{back}({text.of(call)})", "missing-factor", message, 0.55)


def _of(call: ast.Call, method: str) -> str:
    """The object of which a method is called."""
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr == method and not isinstance(function.value, ast.Call):
        return ast.unparse(function.value)
    return ""


__all__ = ["passed_over"]
