"""From a function and what was found out about its derivative to the :class:`~symgrad.report.picture.Picture` of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgrad.backward import NO_LOCAL, Backward, backward
from symgrad.diagnose.text.naming import LOSS_NAMES, claims, key_of, normal
from symgrad.graph import Graph
from symgrad.naming import display_names
from symgrad.printing import expression_text, step_text, text_names
from symgrad.report.model import Finding
from symgrad.report.picture import INHERITED, RIGHT, WRONG, Held, Link, Node, Picture
from symgrad.steps import READABLE

#: An array of more numbers than this is shown by its shape.
MOST_NUMBERS = 12
#: Steps of one stage, where nothing in the text tells stages apart.
CHUNK = 12

#: The value of a step of the reverse pass's graph.
Values = Callable[[int], Held]


def held(value: Any) -> Held:
    """A value as plain data: a float, nested lists of a few, else ``None``."""
    if value is None or isinstance(value, float):
        return None if value is None else float(value)
    size = getattr(value, "size", 1)
    if size > MOST_NUMBERS:
        return None
    return value.tolist() if hasattr(value, "tolist") else float(value)


def picture(
    taught: Backward,
    names: Sequence[str],
    values: tuple[Backward, Values] | None = None,
    *,
    result: str = "f",
    upstream: str = "",
    callers: Mapping[int, Any] | None = None,
    output: int | None = None,
    written: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Picture:
    """Everything that is drawn, with nothing known of a derivation by hand.

    Args:
        taught: the reverse pass with the rules as they are taught; its forward steps are the function.
        names: of the forward steps; empty for constants and for steps that are not drawn.
        values: a reverse pass with the same edges, and the values of its steps at the point.
        result: how the result is called.
        upstream: the gradient that flows into it, where it is no single number.
        callers: for steps made inside a function, where that was called.
        output: the step that is the result, where it is not the graph's.
        written: the formulas of the steps that are no inputs, and the local derivatives of the edges, where a list of
            steps has them already.
    """
    graph = taught.graph
    output = graph.output if output is None else output
    needed = graph.ancestors(output)
    shown = [i for i in range(min(taught.forward, len(names))) if needed[i] and names[i]]
    place = {i: n for n, i in enumerate(shown)}
    known = {i: n for i, n in enumerate(names) if n}
    value: Values = values[1] if values is not None else lambda i: None
    twin = values[0] if values is not None else taught
    stages = _stages(graph, shown, names, callers or {})
    formulas = iter(written[0]) if written is not None else None
    nodes = []
    for i in shown:
        step = graph.steps[i]
        formula = "" if step.is_leaf else next(formulas) if formulas is not None else step_text(graph, i, known)
        at = twin.cotangents.get(i)
        gradient = None if at is None else value(at)
        nodes.append(Node(i, names[i], formula, step.shape, value(i), gradient, span=step.span, stage=stages[i]))
    edges = {(e.step, e.input): n for n, e in enumerate(taught.edges)}
    stop = set(known)
    links = []
    for i in shown:
        for slot, j in enumerate(graph.steps[i].inputs):
            if j not in place:
                continue
            n = edges.get((i, slot), -1)
            local, factor, flow = "", None, None
            if n >= 0:
                edge, other = taught.edges[n], twin.edges[n]
                flow = value(other.contribution)
                if edge.local != NO_LOCAL:
                    local = written[1][n] if written is not None else known.get(edge.local) or expression_text(
                        graph, edge.local, stop=stop, names=known, limit=READABLE
                    )  # fmt: skip
                    factor = value(other.local)
            links.append(Link(place[j], place[i], n, f"d{names[i]}/d{names[j]}", local, factor, flow))
    wrt = tuple(place[i] for i in taught.wrt if i in place)
    return Picture(taught, tuple(names), tuple(nodes), tuple(links), place[output], result, upstream, wrt)


def plain(graph: Graph, wrt: Sequence[int], names: Sequence[str] | None = None) -> Picture:
    """The picture of a function without a point."""
    names = display_names(graph) if names is None else names
    return picture(backward(graph, wrt, "taught"), names, result=names[graph.output] or "f")


# --- stages ---------------------------------------------------------------------------------------------------------


def _stages(graph: Graph, shown: Sequence[int], names: Sequence[str], callers: Mapping[int, Any]) -> dict[int, str]:
    """What each step belongs to: a round of a loop, a call, or simply a stretch of the text.

    A line that runs again and again is a loop; which round it is, is counted. Where nothing repeats, numbers in names
    (h1, h2, ...) tell steps of time apart, and a hidden step belongs to the named one that it is for.
    """
    steps = graph.steps
    places = [(s.file, s.cell, s.line, s.column, s.end_line, s.end_column) if (s := steps[i].span) else None
              for i in shown]  # fmt: skip
    rounds: Counter[Any] = Counter((p, steps[i].op) for p, i in zip(places, shown, strict=True) if p is not None)
    seen: Counter[Any] = Counter()
    out: dict[int, str] = {}
    numbered = ""
    # Backwards, so that a hidden step comes after the named one that it is for.
    labels: dict[int, str] = {}
    for i in reversed(shown):
        found = re.search(r"(?<=[^\W\d])_?(\d+)", names[i]) or re.search(r"\[(\d+)\]", names[i])
        if not steps[i].is_hidden and not steps[i].is_leaf:
            numbered = f"step {found[1]}" if found else ""
        labels[i] = numbered
    for n, (i, p) in enumerate(zip(shown, places, strict=True)):
        if steps[i].is_input:
            out[i] = "inputs"
            continue
        key = (p, steps[i].op)
        call = callers.get(i)
        within = f"call in line {call.line}" if call is not None else ""
        if p is not None and rounds[key] > 1:
            seen[key] += 1
            out[i] = f"round {seen[key]}"
        else:
            out[i] = within or labels[i] or f"part {n // CHUNK + 1}"
    return out


# --- what is known of a derivation by hand ----------------------------------------------------------------------------


def judged(
    found: Picture,
    findings: Sequence[Finding],
    right: Mapping[str, Sequence[int]],
    inherited: Mapping[str, Sequence[int]],
    manual: Mapping[str, Held],
    called: Mapping[int, str],
) -> Picture:
    """The picture with what was found out about a person's own derivation.

    Args:
        found: as :func:`picture` made it.
        findings: of the report, in its order.
        right, inherited: name of a node -> the lines on which its gradient is worked out, right or merely inheriting.
        manual: name of a node -> what the person's lines give for its gradient.
        called: step -> how findings call it, where that is not the node's name.
    """
    of = [called.get(n.step, n.name) for n in found.nodes]
    named: dict[str, list[int]] = {}
    for n, name in enumerate(of):
        named.setdefault(name, []).append(n)
    blamed: dict[int, list[int]] = {}
    wrong: dict[str, list[int]] = {}
    for n, f in enumerate(findings):
        if not f.root:
            continue
        hits = _links_of(found, f, named) if f.factor else []
        for hit in hits:
            blamed.setdefault(hit, []).append(n)
        for name in _stands_for(f, named, found.result_name):
            wrong.setdefault(name, []).append(n)
    nodes = []
    for n, node in enumerate(found.nodes):
        name = of[n]
        mine = wrong.get(name, [])
        status = WRONG if mine else INHERITED if name in inherited else RIGHT if name in right else ""
        lines = {*right.get(name, ()), *inherited.get(name, ()), *(findings[k].line or 0 for k in mine)} - {0}
        nodes.append(
            replace(
                node, status=status, findings=tuple(mine), lines=tuple(sorted(lines)), manual=manual.get(name)
            )
        )  # fmt: skip
    links = []
    for n, link in enumerate(found.links):
        status = ""
        if n in blamed:
            status = WRONG
        elif link.edge >= 0 and nodes[link.tail].status == RIGHT:
            status = RIGHT
        elif link.edge >= 0 and {nodes[link.head].status, nodes[link.tail].status} <= {WRONG, INHERITED}:
            status = INHERITED
        told = status or n in blamed or link.status or link.findings
        links.append(replace(link, status=status, findings=tuple(blamed.get(n, ()))) if told else link)
    return replace(found, nodes=tuple(nodes), links=tuple(links), judged=True)


def renumbered(found: Picture, before: Sequence[Finding], after: Sequence[Finding]) -> Picture:
    """The same picture in a report whose findings stand in another order, or are more."""
    place = {f: n for n, f in reversed(list(enumerate(after)))}

    def moved(numbers: Sequence[int]) -> tuple[int, ...]:
        return tuple(place[before[k]] for k in numbers if before[k] in place)

    return replace(
        found,
        nodes=tuple(replace(n, findings=moved(n.findings)) for n in found.nodes),
        links=tuple(replace(k, findings=moved(k.findings)) for k in found.links),
    )


def _stands_for(f: Finding, named: Mapping[str, Sequence[int]], result: str) -> list[str]:
    """The node whose gradient the wrong line works out, as its name has it."""
    spelled = {normal(n): n for n in reversed([*named])} | {normal(key_of(n)): n for n in reversed([*named])}
    tops = {"", normal(result), *LOSS_NAMES}
    if f.step.startswith("d/d"):
        return [f.step[3:]] if f.step[3:] in named else []
    return [spelled[c.bottom] for c in claims(f.step) if c.bottom in spelled and c.top in tops][:1]


_FACTOR = re.compile(r"/d(?=[\w(])")


def _links_of(found: Picture, f: Finding, named: Mapping[str, Sequence[int]]) -> list[int]:
    """The links that a factor ``dh2/dh2_raw`` is made of: one, or those through steps that have no name."""
    tops: set[int] = set()
    bottoms: set[int] = set()
    if " with u = " in f.factor:
        head, _, inner = f.factor.partition(" with u = ")
        bottoms = _written(found, inner)
        word = head.removeprefix("d ").partition("(")[0]
        return [n for n, k in enumerate(found.links)
                if k.tail in bottoms and k.edge >= 0 and found.nodes[k.head].formula.startswith(word)]  # fmt: skip
    for cut in _FACTOR.finditer(f.factor):
        top, bottom = _bare(f.factor[1 : cut.start()]), _bare(f.factor[cut.end() :])
        tops |= {*named.get(top, ())} or _written(found, top)
        if not tops and f.forward_span is not None:
            tops |= {n for n, node in enumerate(found.nodes) if node.span == f.forward_span}
        bottoms |= {*named.get(bottom, ())} or _written(found, bottom)
    hits = _between(found, tops, bottoms)
    # A variable's whole gradient is no factor: it is said of the variable.
    return [] if tops == {found.result} and bottoms <= {*found.wrt} and len(hits) > 1 else hits


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _written(found: Picture, text: str) -> set[int]:
    """Nodes whose formula, written out down to names, is this text."""
    graph = found.reverse.graph
    wanted = re.sub(r"[\s()]", "", text)
    out = set()
    names = text_names(graph)
    for n, node in enumerate(found.nodes):
        if graph.steps[node.step].is_leaf:
            continue
        if wanted == re.sub(r"[\s()]", "", expression_text(graph, node.step, names=names, limit=READABLE)):
            out.add(n)
    return out


def _between(found: Picture, tops: set[int], bottoms: set[int]) -> list[int]:
    """Links on the ways from a bottom to a top on which no other step has a name of its own."""
    graph = found.reverse.graph
    into: dict[int, list[int]] = {}
    for n, link in enumerate(found.links):
        into.setdefault(link.head, []).append(n)
    reach = [False] * len(found.nodes)
    for n, node in enumerate(found.nodes):
        hidden = graph.steps[node.step].is_hidden
        reach[n] = n in bottoms or (hidden and any(reach[found.links[k].tail] for k in into.get(n, ())))
    out: set[int] = set()
    stack = [t for t in tops if t not in bottoms or len(tops) > 1]
    seen: set[int] = set()
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        for k in into.get(n, ()):
            tail = found.links[k].tail
            if reach[tail]:
                out.add(k)
                if tail not in bottoms:
                    stack.append(tail)
    return sorted(out)


def number_of(values: Sequence[Any]) -> Values:
    """Values that lie in a list, as they are held."""
    return lambda i: held(values[i]) if i >= 0 else None


