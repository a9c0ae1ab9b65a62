"""Names that are told by their likes: where ``grad_t2`` holds the gradient of theta2, ``grad_t1`` is that of theta1;
and where ``score_c`` holds that of beta_c, ``score_t`` is that of beta_t."""

from __future__ import annotations

import re
from collections.abc import Collection

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.naming import claims, normal

_NUMBER = re.compile(r"\d+")
#: Only what is called a gradient and nothing else: t1 and t2 may be anything. g0 and g1 may be by b0 and b1.
_GRADIENT = re.compile(r"^(grad|gradient)_?[A-Za-z]\w*\d|^[A-Za-z]\w*\d\w*_(grad|gradient)$|^(g|grad)_?\d+$")
#: What ends as the name of an input may.
_ENDING = re.compile(r"^(?:grad|gradient|score|g|d|nabla|partial)_([A-Za-z]\w*)$")
#: ... where nothing else is said.
_BARE = re.compile(r"^(g|grad)_?\d+$")


def analogies(layout: Layout, known: Known) -> dict[str, tuple[tuple[int, int], ...]]:
    """Gradients whose names say nothing of what -> the pair that they are meant to be."""
    subject, truth = layout.subject, layout.truth
    if subject.is_shaped:
        return _by_endings(layout, known)
    leaves = {name: i for name, i in subject.aliases if i in truth.cotangents and layout.graph.steps[i].is_input}
    forward = {normal(name) for name, _ in subject.aliases}
    called = {i: name for name, i in leaves.items()}
    alike: dict[str, str] = {}
    open_names: list[str] = []
    for name, unit in layout.last.items():
        if not _GRADIENT.match(name) or any(c.bottom in forward for c in claims(name)):
            continue
        flows = [q for q in known.right(layout.actual(unit.step)) if q.kind == "cotangent"]
        bottoms = [called[q.bottom] for q in flows if q.bottom in called]
        fitting = [b for b in bottoms if _NUMBER.findall(b) == _NUMBER.findall(name)]
        if len(fitting) == 1:
            alike[_NUMBER.sub("#", name)] = _NUMBER.sub("#", fitting[0])
        elif not fitting:
            open_names.append(name)
    if not alike:
        alike = _of_one_kind([n for n in open_names if _BARE.match(n)], leaves)
    out: dict[str, tuple[tuple[int, int], ...]] = {}
    for name in open_names:
        numbers = iter(_NUMBER.findall(name))
        stem = alike.get(_NUMBER.sub("#", name), "")
        bottom = "".join(next(numbers, "") if c == "#" else c for c in stem)
        if bottom in leaves:
            out[name] = ((subject.loss, leaves[bottom]),)
    return _by_endings(layout, known) | out


def _by_endings(layout: Layout, known: Known) -> dict[str, tuple[tuple[int, int], ...]]:
    """Of gradients that are numbers, those that end as the name of one input does, where one of them is right."""
    subject, steps = layout.subject, layout.graph.steps
    leaves = {n: i for n, i in subject.aliases if i in layout.truth.cotangents and steps[i].is_input}
    forward = {normal(name) for name, _ in subject.aliases}
    meant: dict[str, int] = {}
    right = set()
    for name, unit in layout.last.items():
        found = _ENDING.match(name)
        if found is None or steps[unit.step].shape or any(c.bottom in forward for c in claims(name)):
            continue
        fitting = {i for n, i in leaves.items() if n.endswith(f"_{found[1]}") and not steps[i].shape}
        if len(fitting) != 1:
            continue
        (meant[name],) = fitting
        if any(q.kind == "cotangent" and q.bottom in fitting for q in known.right(layout.actual(unit.step))):
            right.add(name)
    # One that is right tells of the others with the same beginning.
    told = {name.partition("_")[0] for name in right}
    return {n: ((subject.loss, i),) for n, i in meant.items() if n not in right and n.partition("_")[0] in told}


def _of_one_kind(names: Collection[str], leaves: Collection[str]) -> dict[str, str]:
    """g0, g1 and g2, where b0, b1 and b2 are the only inputs with these numbers, and no others with them."""
    stems, wanted = {_NUMBER.sub("#", n) for n in names}, {tuple(_NUMBER.findall(n)) for n in names}
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for leaf in leaves:
        if (numbers := tuple(_NUMBER.findall(leaf))) and "[" not in leaf:
            kinds.setdefault(_NUMBER.sub("#", leaf), set()).add(numbers)
    fitting = [stem for stem, numbers in kinds.items() if numbers == wanted]
    return {stems.pop(): fitting[0]} if len(stems) == len(fitting) == 1 and len(wanted) > 1 else {}


__all__ = ["analogies"]
