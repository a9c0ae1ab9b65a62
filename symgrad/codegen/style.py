"""Names of Python for what the user calls things, and how derivatives are called, as the user calls them."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable

#: How the derivative by ``x`` may be called; the first is taken where the user's own lines do not tell.
STYLES = (
    "d{}", "d_{}", "grad_{}", "{}_grad", "g{}", "g_{}", "dL_d{}", "dL{}", "dloss_d{}", "delta_{}", "D{}", "nabla_{}",
    "{}_bar", "d{}_", "gradient_{}",
)  # fmt: skip
#: Names that mean something else in what is written.
RESERVED = {*keyword.kwlist, "np", "torch", "math", "gradients", "print", "range", "len"}


def style_of(names: Iterable[str], forward: Iterable[str]) -> str:
    """How the user calls the derivative by ``x``, by majority."""
    plain = {identifier(n) for n in forward if not n.startswith("%")}
    found: Counter[str] = Counter()
    for name in {identifier(n) for n in names}:
        for form in STYLES:
            head, tail = form.split("{}")
            inner = name[len(head) : len(name) - len(tail)]
            if name.startswith(head) and name.endswith(tail) and inner in plain:
                found[form] += 1
    return max(found, key=lambda s: (found[s], -STYLES.index(s))) if found else STYLES[0]


def identifier(name: str) -> str:
    """A Python name for what the user calls ``self.W``, ``params["W1"]``, ``hs[3]`` or ``x#2``."""
    base = name.partition("#")[0]
    base = re.sub(r"^.*\[[\"'](\w+)[\"']\]$", r"\1", base)
    base = base.rsplit(".", 1)[-1] if re.fullmatch(r"[\w.\[\]\-]+", base) else base
    base = base.replace("[-", "_m")
    base = re.sub(r"\W+", "_", base).strip("_") or "t"
    base = f"_{base}" if base[0].isdigit() else base
    return f"{base}_" if base in RESERVED else base
