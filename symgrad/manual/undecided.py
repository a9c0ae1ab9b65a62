"""Where the search for what is wrong ended early: wrong results are told, and no line is blamed for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from symgrad.diagnose.deciding.standing import wrong_results
from symgrad.diagnose.engine import Diagnosis
from symgrad.effort import is_cut_short
from symgrad.report.model import UNDECIDED, Finding
from symgrad.report.moving import joined

#: Another text in the place of all that is there makes any line right, and so what a wrong line before it spoils.
REWRITTEN = ("wrong-formula", "wrong-value", "unknown")


def undecided(diagnosis: Diagnosis, verified: Collection[int]) -> tuple[Diagnosis, set[int], list[Finding]]:
    """The diagnosis without the lines that the search came upon, and had no time to clear.

    What a slip explains whose fix was tried out is decided, and so is what no result depends on.

    Args:
        verified: numbers of the blames whose fixes were tried out.

    Returns:
        The diagnosis, the numbers of its verified blames, and what is said instead of those that it had.
    """
    blames, subject = diagnosis.blames, diagnosis.subject
    kept = [n for n, b in enumerate(blames) if n in verified and b.mistake not in REWRITTEN]
    if len(kept) == len(blames) or subject is None or not is_cut_short():
        return diagnosis, set(verified), []
    accused = {(b.step, b.span.line) for n, b in enumerate(blames) if n not in kept}
    left = [u for u in subject.units if not accused.isdisjoint({(u.name, u.line), (u.name, u.span.line)})]
    reached = subject.graph.dependents(*(u.step for u in left))
    wrong = {i for i in wrong_results(subject) if reached[i]}
    names = list(dict.fromkeys(u.name for u in subject.units if u.step in wrong and not u.unnamed))
    if not names:
        return diagnosis, set(verified), []
    inherited = [u for u in diagnosis.inherited if reached[u.step]]
    named = {(u.name, u.line): u for u in (*diagnosis.unchecked, *left, *inherited)}
    told = replace(
        diagnosis, blames=tuple(blames[n] for n in kept),
        inherited=tuple(u for u in diagnosis.inherited if u not in inherited),
        unchecked=tuple(sorted(named.values(), key=lambda u: u.step)),
    )  # fmt: skip
    come = "comes" if len(names) == 1 else "come"
    message = f"{joined(names)} {come} out wrong, and it is not decided which line is to blame"
    return told, set(range(len(kept))), [Finding(UNDECIDED, message, mistake=UNDECIDED, root=True)]
