"""Formulas as the user's script can run them: ``tanh`` as ``np.tanh`` where NumPy is imported as np."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from symgrad.ops import OPS
from symgrad.ops.slips import PLAINLY

_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
#: The modules that an op may be spelled by, in this order.
_MODULES = ("numpy", "torch", "math")


class Spelling:
    """How functions are called in one script."""

    def __init__(self, source: str) -> None:
        self._modules: dict[str, str] = {}
        self._own: set[str] = set()
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._modules.update({a.name: a.asname or a.name for a in node.names})
            elif isinstance(node, ast.ImportFrom):
                self._own.update(a.asname or a.name for a in node.names)
            elif isinstance(node, ast.FunctionDef):
                self._own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._own.add(node.id)

    def __call__(self, text: str) -> str:
        """The formula with every function that the script does not have under its bare name as the script has it."""
        if not self._modules:
            return text
        out, at = "", 0
        while (found := _CALL.search(text, at)) is not None:
            name, begin = found.group(1), found.end()
            out += text[at : found.start()]
            end = _closing(text, begin)
            plain = PLAINLY.get(name)
            if name not in self._own and plain is not None and end >= 0:
                out += plain.format(self(text[begin:end]))
                at = end + 1
                continue
            out += self._name(name) + "("
            at = begin
        return out + text[at:]

    def _name(self, name: str) -> str:
        op = OPS.get(name)
        if name in self._own or op is None:
            return name
        dotted: Mapping[str, object] = {"numpy": op.numpy, "torch": op.torch, "math": op.math}
        for module in _MODULES:
            path = dotted[module]
            if module in self._modules and isinstance(path, str) and path.startswith(module + "."):
                return self._modules[module] + path.removeprefix(module)
        return name


def _closing(text: str, begin: int) -> int:
    """Where the bracket is closed that was opened before a place; -1 if nowhere."""
    depth = 1
    for n in range(begin, len(text)):
        depth += (text[n] in "([") - (text[n] in ")]")
        if depth == 0:
            return n
    return -1
