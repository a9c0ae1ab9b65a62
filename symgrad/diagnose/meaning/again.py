"""Values of the forward pass that a derivation works out once more: they are right as they stand.

A function for the gradient begins with ``r = x @ w - y``, as the one for the loss did. That it is no derivative of
anything speaks no more against it than against the forward pass.
"""

from __future__ import annotations

from functools import cached_property

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.ops import OPS


class Again:
    """Which assignments of a derivation hold such values."""

    def __init__(self, layout: Layout, known: Known) -> None:
        self.layout, self.known = layout, known

    def holds(self, i: int, vec: Vec) -> bool:
        """Whether an assignment with this value holds one, or what one is changed by: ``du = 1 + 3*c*x**2``, where
        ``u = x + c*x**3`` is worked out again."""
        name = next((u.name for u in self.layout.units_at.get(i, ())), "")
        if not name or self.layout.graph.steps[i].is_leaf or is_bare(name):
            return False
        if not claims(name):
            return self._is_forward(vec, OPS[self.layout.graph.steps[i].op].renames)
        held = self.known.right(vec)
        tops = {top for c in claims(name) for top in self._named.get(c.bottom, ())}
        return any(q.kind in ("local", "tangent") and q.top in tops for q in held)

    def _is_forward(self, vec: Vec, renamed: bool) -> bool:
        """A value that the forward pass has, perhaps with other axes of one entry: a sum that keeps its axis. What is
        worked out may be one that was given, too: the noise of ``z = mu + std*noise``."""
        flat = tuple(n for n in vec.shape if n != 1)
        vecs = [vec] if flat == vec.shape or not flat else [vec, lifted(vec).reshaped(flat)]
        leaves = not renamed and bool(flat) and vec.constant() is None
        held = (q for v in vecs for q in self.known.right(v) if q.kind == "forward")
        return any(leaves or not self.layout.graph.steps[q.bottom].is_leaf for q in held)

    @cached_property
    def _named(self) -> dict[str, set[int]]:
        """The steps of the forward pass that are worked out again, by the names that they have then."""
        out: dict[str, set[int]] = {}
        for unit in self.layout.subject.units:
            if self.layout.graph.steps[unit.step].is_leaf or claims(unit.name) or is_bare(unit.name):
                continue
            held = self.known.right(self.layout.actual(unit.step))
            out.setdefault(normal(unit.name), set()).update(q.bottom for q in held if q.kind == "forward")
        return out


def names_again(layout: Layout, known: Known) -> set[str]:
    """Names that hold values of the forward pass that have these names there, worked out once more: ``dx = xs[i] -
    xs[j]`` of a distance."""
    forward: dict[str, set[int]] = {}
    for name, i in layout.subject.aliases:
        forward.setdefault(name, set()).add(i)
    return {
        name
        for name, units in layout.by_name.items()
        if name in forward
        and all(
            any(q.kind == "forward" and q.bottom in forward[name] for q in known.right(layout.actual(u.step)))
            for u in units
        )
    }
