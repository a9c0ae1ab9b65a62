"""A backward pass that takes labels, which the forward pass does not: the cost is worked out by a third function.

``A2, cache = forward(X, parameters)``, ``cost = compute_cost(A2, Y)``, ``grads = backward(parameters, cache, X, Y)``:
the two before it are joined to one, which is put at the end of the text, and that is the forward pass.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from symgrad.files.asked import function_of, functions_of, parameters_of
from symgrad.files.programs import Code
from symgrad.frontends.plan import Plan
from symgrad.frontends.returned import LABELS
from symgrad.frontends.roles import is_upstream

_COST = re.compile(
    r"(?:.*_)?(?:cost|loss|objective|cross_?entropy|mse|bce|nll)(?:_.*)?$|.*(?:Cost|Loss)$", re.IGNORECASE
)


def with_its_cost(code: Code, plan: Plan) -> tuple[Code, Plan]:
    """The text and the plan with the joined function, where there is just one that fits; else as they are."""
    ours, theirs = parameters_of(code.source, plan.forward), parameters_of(code.source, plan.backward)
    more = [p for p in theirs if p not in ours and (LABELS.match(p) or not is_upstream(p))]
    returned = _returned(code.source, plan.forward)
    if "." in plan.forward or not any(map(LABELS.match, more)) or not returned:
        return code, plan
    found = {}
    for name in functions_of(code.source):
        takes = parameters_of(code.source, name)
        output = [p for p in takes if p not in ours and p not in more]
        if _COST.match(name) and name not in (plan.forward, plan.backward) and len(output) == 1:
            found[name] = [p for p in more if p in takes]
    found = {n: used for n, used in found.items() if any(map(LABELS.match, used))}
    most = max(map(len, found.values()), default=0)
    best = [n for n, used in found.items() if len(used) == most]
    if len(best) != 1:
        return code, plan
    joined, text = _joined(code.source, plan.forward, best[0], found[best[0]], returned)
    source = f"{code.source.rstrip()}\n\n\n{text}"
    return replace(code, source=source, original=""), replace(plan, forward=joined)


def _returned(source: str, forward: str) -> int:
    """How many values a function returns; 0 where that is not the same everywhere."""
    node = function_of(source, forward)
    ends = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)] if node is not None else []
    counts = {len(e.elts) if isinstance(e, ast.Tuple) else 1 for e in ends}
    return counts.pop() if len(counts) == 1 else 0


def _joined(source: str, forward: str, cost: str, used: Sequence[str], count: int) -> tuple[str, str]:
    """The name and the text of the function that does both."""
    name, ours = f"{cost}_of_{forward}", parameters_of(source, forward)
    saved = [f"saved{n}" for n in range(count - 1)]
    given = [p if p in (*ours, *used) else "output" for p in parameters_of(source, cost)]
    inside = ", ".join(given)
    lines = [
        f"def {name}({', '.join((*ours, *used))}):",
        f"    {', '.join(('output', *saved))} = {forward}({', '.join(ours)})",
        f"    return {', '.join((f'{cost}({inside})', *saved))}",
    ]
    return name, "\n".join(lines) + "\n"
