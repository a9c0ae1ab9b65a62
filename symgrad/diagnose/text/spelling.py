"""Formulas as the user's script can run them: ``tanh`` as ``np.tanh`` where NumPy is imported as np."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from symgrad.ops import OPS
from symgrad.ops.slips import PLAINLY

_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
_PI = re.compile(r"(?<![\w.])pi(?![\w.(\[])")
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
        return self._constants(out + text[at:])

    def _constants(self, text: str) -> str:
        """``math.pi`` for ``pi``."""
        module = next((m for m in ("math", "numpy", "torch") if m in self._modules), "")
        if not module or "pi" in self._own:
            return text
        return _PI.sub(f"{self._modules[module]}.pi", text)

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


class Owner:
    """What an object is called where it is not ``self``: in a function of its own, ``net.z`` for ``self.z``.

    Args:
        names: of the forward pass, as the classes have them.
    """

    def __init__(self, source: str, names: Iterable[str]) -> None:
        self.source = source
        self.attributes = {n.removeprefix("self.").partition("[")[0] for n in names if n.startswith("self.")}

    def spelled(self, text: str, line: int) -> str:
        """A formula as a line can say it."""
        if "self." not in text or not self.attributes:
            return text
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return text
        around: ast.FunctionDef | None = None
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno):
                around = node if around is None or node.lineno > around.lineno else around
        if around is not None and any(a.arg == "self" for a in around.args.args):
            return text
        reads = Counter(
            node.value.id
            for node in ast.walk(around if around is not None else tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id != "self"
            and node.attr in self.attributes
        )
        if len(reads) != 1:
            return text  # of several objects nobody knows which
        return re.sub(r"(?<![\w.])self\.", f"{next(iter(reads))}.", text)


def _closing(text: str, begin: int) -> int:
    """Where the bracket is closed that was opened before a place; -1 if nowhere."""
    depth = 1
    for n in range(begin, len(text)):
        depth += (text[n] in "([") - (text[n] in ")]")
        if depth == 0:
            return n
    return -1
