"""The sentences about one mistake: its headline, and what stands beside the carets."""

from __future__ import annotations

from symgrad.diagnose.telling.precise import precise
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.words.wording import Wording


def code_of(repair: Repair) -> str:
    """The code of a finding, from its kind of mistake."""
    return {
        "missing-term": "missing-term",
        "extra-term": "extra-term",
        "sign": "wrong-sign",
        "scale": "wrong-scale",
        "missing-factor": "missing-factor",
        "lost-accumulation": "lost-accumulation",
        "extra-factor": "extra-factor",
        "overwritten": "overwritten",
        "other-objective": "other-objective",
    }.get(repair.mistake, "wrong-factor")


def headline(
    repair: Repair, factor: str, wording: Wording, text: str, expected: str, *, signed: bool = False
) -> str:
    """What is wrong, in one sentence.

    Args:
        factor: which factor of the chain rule it is about.
        text: what stands there; ``expected``: what belongs there.
        signed: only the sign of a term is wrong.
    """
    words = "has the wrong sign" if signed else precise(repair.words, text, expected)
    q = repair.quantity
    if (q is not None and q.kind == "local" and "{" in words) or "{y}" in words:
        assert q is not None  # only factors of a link have such words
        graph = wording.subject.graph
        inputs = (
            [wording.symbol(j) for j in graph.steps[q.top].inputs]
            if not wording.subject.names.get(q.bottom)
            else [wording.symbol(q.bottom)]
        )
        step = graph.steps[q.top]
        inputs = [wording.symbol(j) for j in step.inputs] if q.bottom in step.inputs else [wording.symbol(q.bottom)]
        words = words.format(*inputs, *[""] * 3, y=wording.symbol(q.top))
    subject = (
        f"the local derivative {factor}"
        if q is not None and q.kind == "local" and not repair.combine
        else f"`{short(text)}`"
    )
    if repair.mistake in ("overwritten", "other-objective"):
        return f"`{short(text)}` {words}"
    if repair.regain:
        return f"`=` throws away what {repair.regain} held already; it should be `+=`"
    if repair.combine and q is not None:
        if repair.mistake == "missing-factor" and q.kind == "local" and repair.combine == "*":
            return f"the factor {factor} of the chain rule is missing"
        if repair.mistake == "missing-factor" and words != repair.words:
            return f"`{short(text)}` {words}"
        if repair.combine == "*":
            return f"{factor}: a factor of the chain rule is missing"
        if repair.combine == "/":
            if repair.mistake == "missing-factor":
                return f"`{short(text)}` {words}"
            return f"{factor}: there is a factor {wording.quantity(q, 10**9) or ''} too many".replace("  ", " ")
        if repair.combine == "+":
            if words != repair.words and words.startswith("lacks the term "):
                words = words.removeprefix("lacks ")
                return f"{factor}: {words} is missing; the paths through all uses add up"
            return f"{factor}: a term is missing; the paths through all uses add up"
        return f"{factor}: there is a term too many"
    return f"{subject} {words}"


def short(text: str) -> str:
    """The beginning of a text that is long."""
    return text if len(text) <= 40 else text[:37] + "..."


def beside(label: str, expected: str, name: str, *, valued: bool) -> str:
    """What stands beside the carets.

    Args:
        name: of what they are under; empty for a piece of something, whose name would be another value's.
        valued: the values are of what is shown.
    """
    _, should, rest = label.partition(" should be ")
    if not should or not rest.startswith(expected):
        return label
    if name:
        return f"{name} should be {rest}"
    values = rest.removeprefix(expected).replace("; this is ", "; it is ")
    number = expected.lstrip("-").replace(".", "", 1).isdigit()
    plain = not valued or number or "= " in expected  # a statement has no value
    return f"this should be {expected}{'' if plain else values}"
