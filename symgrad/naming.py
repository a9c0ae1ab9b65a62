"""Names that a person sees: hidden steps become u1, u2, ..., the result f, and a cotangent df/du1."""

from __future__ import annotations

from symgrad.graph import Graph

#: Letters for a result that the user gave no name, in order of preference.
RESULT_NAMES = ("f", "y", "F", "out", "result")


def display_names(graph: Graph) -> list[str]:
    """One name per step of a forward graph, unique, the user's own where there is one.

    ``x#2``, the second value of a name that was assigned again, is shown as ``x_2`` (or ``x_2'``, where the user has
    an ``x_2`` too). Constants get no name.
    """
    taken = {s.name for s in graph.steps if not s.is_hidden}
    letter = next((c for c in ("u", "v", "s", "t", "node") if not any(_is_numbered(n, c) for n in taken)), "_u")
    names: list[str] = []
    count = 0
    for i, step in enumerate(graph.steps):
        if step.is_const:
            names.append("")
        elif not step.is_hidden:
            names.append(_printable(step.name, taken))
        elif i == graph.output:
            names.append(next((n for n in RESULT_NAMES if n not in taken), "_f"))
        else:
            count += 1
            names.append(f"{letter}{count}")
    return names


def _is_numbered(name: str, letter: str) -> bool:
    return name.startswith(letter) and name[len(letter) :].isdigit()


def _printable(name: str, taken: set[str]) -> str:
    if "#" not in name:
        return name
    shown = name.replace("#", "_")
    while shown in taken:
        shown += "'"
    return shown
