"""Lists of zeros that nothing is ever put into: ``db = [0.0] * 2``, and no line that sets ``db[k]``.

Zeros of a list are numbers without names: what is put in their place gets one. A list in which nothing is put by the
end of the run is a result all the same, and a wrong one where it is meant for gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.frontends.trace.run import Run
    from symgrad.frontends.trace.sites import Site

#: A list with more entries is none that is written out in plain Python.
MOST = 64


@dataclass(slots=True)
class Zeros:
    """A list of zeros with the name that it was given, and the place."""

    held: list[Any]
    site: Site
    scope: str


class Unset:
    """The lists of zeros of one run, by name."""

    def __init__(self) -> None:
        self._zeros: dict[str, Zeros] = {}
        self._gone: set[str] = set()

    def bound(self, site: Site, name: str, value: Any, scope: str) -> None:
        """A name gets a value: what it held before counts no more, even if it is zeros again (in a loop, in a call)."""
        if name in self._zeros or name in self._gone:
            self._zeros.pop(name, None)
            self._gone.add(name)
        elif type(value) is list and not site.augmented and _entries(value):
            self._zeros[name] = Zeros(value, site, scope)

    def settle(self, run: Run) -> None:
        """Name the entries of the lists that are zeros still, and of which no entry ever had a name."""
        tr = run.tracer
        # A list that a function left behind may be a part of something else by now.
        used = {b.name.partition("[")[0] for b in tr.bindings}
        left = {n: z for n, z in self._zeros.items() if n not in used and run.globals.get(n) is z.held}
        if left and tr.result is None:
            tr.result = len(tr.builder.steps) - 1
        for name, zeros in left.items():
            for key, value in _entries(zeros.held):
                run.leaf(zeros.site, f"{name}{key}", value, zeros.scope)


def _entries(value: list[Any]) -> list[tuple[str, float]]:
    """The places and the entries of a list, or a list of lists, of nothing but zeros; nothing of any other."""
    out: list[tuple[str, float]] = []
    for i, inner in enumerate(value[: MOST + 1]):
        rows = enumerate(inner) if type(inner) is list else ((None, inner),)
        out += [(f"[{i}]" if j is None else f"[{i}][{j}]", v) for j, v in rows]
    plain = all(type(v) is float and v == 0 for _, v in out)
    return out if plain and 0 < len(out) <= MOST else []


__all__ = ["Unset"]
