"""What a derivation works out and never uses: it may belong where something else stands."""

from __future__ import annotations

from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.naming import is_bare


def idle_names(layout: Layout, reading: Reading) -> frozenset[str]:
    """The names of what is worked out and used nowhere, or in no further round of its loop; a gradient that is a result
    need not be."""
    out = set()
    steps = layout.graph.steps
    for name, units in layout.by_name.items():
        result = reading.by_inputs(name) and reading.is_exact(name)
        told = is_bare(name) or result or not name.isidentifier()
        made = [u for u in units if not steps[u.step].is_leaf]
        carried = len({u.line for u in made}) == 1 < len(made)
        inner = made[:-1] if carried else units
        used = any(layout.children[u.step] for u in inner)
        if told or used or any(layout.is_forward(u.step) for u in units):
            continue
        origins = [layout.origin(u.step) for u in (made if carried else units)]
        if not any(steps[i].is_leaf or layout.is_forward(i) for i in origins):
            out.add(name)
    for i in layout.subject.autograd:
        name = steps[i].name
        if name.isidentifier() and not layout.children[i]:
            out.add(name)  # what autograd hands to a function
    return frozenset(out)
