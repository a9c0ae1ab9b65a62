"""What there is to say of a derivation that is no mistake."""

from __future__ import annotations

from symgrad.diagnose.meaning.evidence import scaled
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.words.wording import Wording


def scaled_remark(layout: Layout) -> str:
    """Where nothing else is said of a derivation, that what moves the parameters is their gradient but for a factor."""
    found = {u.line: (u.name, f) for u, f in scaled(layout) if f not in (1.0, -1.0)}
    said = "; ".join(f"line {line}: {name} is the gradient times {f:.6g}" for line, (name, f) in found.items())
    up = {m.source: m.up for m in layout.subject.moves}
    downhill = all((f < 0) == up[u.step] for u, f in scaled(layout))
    return f"{said}: a constant factor{', which a learning rate makes up for' if downhill else ''}" if said else ""


def seed_note(subject: Subject, truth: Truth, layout: Layout) -> list[str]:
    """The derivation begins with a gradient that is not 1: that is said, since it may as well be a slip."""
    name = subject.names.get(subject.loss, "")
    if subject.seed == 1 or subject.convention or subject.is_shaped:
        return []
    given = (u for u in subject.units if layout.actual(u.step).same(truth.cotangents[subject.loss]))
    first = next(given, None)
    if first is None or not subject.graph.steps[layout.original(first.step)].is_leaf:
        return []
    return [
        f"line {first.line}: {first.name} = {float(subject.seed):g} is taken as the gradient that arrives at {name}; "
        f"if {name} is all that is differentiated, it is 1"
    ]


def literal_note(unit: Unit, repair: Repair, wording: Wording) -> str:
    name = wording.quantity(repair.quantity, repair.place.node) if repair.quantity else "a variable"
    return (
        f"line {unit.line}: a number stands where {name} does in the forward pass; right while {name} keeps its value"
    )


def misnamed_note(unit: Unit, meaning: Quantity, wording: Wording) -> str:
    top = meaning.top if meaning.top >= 0 else wording.subject.loss
    held = wording.factor(top, meaning.bottom) if meaning.kind != "sum" else "a part of a gradient"
    return f"line {unit.line}: {unit.name} holds {held}, not what its name says; every result that uses it is right"
