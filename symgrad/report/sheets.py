"""What one drawing shows: boxes and wires, the words on them, and nothing about places.

A picture of a few dozen steps is one sheet. A longer one becomes an overview of stages (rounds of a loop, calls, parts
of the text) and a sheet for each of them, so that a thousand steps are never drawn side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symgrad.report.picture import Held, Link, Node, Picture
from symgrad.report.values import brief, numpy_shape

#: More boxes than this are not drawn side by side.
MOST_BOXES = 40
#: A line in a box has at most so many characters.
MOST_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with words in it.

    Attributes:
        key: unique on the sheet.
        lines: the words; the first is the name.
        kind: ``"input"``, ``"step"``, ``"result"``, ``"stage"`` (many steps), ``"outside"`` (a step of another sheet).
        status: as for a node.
        href: what it leads to, within the page.
        label: the whole of it in words, for those who do not see it.
    """

    key: str
    lines: tuple[str, ...]
    kind: str
    status: str = ""
    href: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A line from one box to another: the value above it flows forward, the gradient below it back."""

    tail: str
    head: str
    above: str = ""
    below: str = ""
    status: str = ""
    href: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One drawing. ``children`` are the sheets that its stages open."""

    key: str
    title: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    children: tuple[Sheet, ...] = field(default=(), repr=False)

    def walk(self) -> Iterable[Sheet]:
        """This sheet and all below it, this one first."""
        waiting = [self]
        while waiting:
            sheet = waiting.pop()
            yield sheet
            waiting.extend(reversed(sheet.children))


MARK = {"right": "✓", "wrong": "✗", "inherited": "~", "": ""}
WORDS = {
    "right": "right",
    "wrong": "wrong",
    "inherited": "wrong only because of another",
    "": "",
}


def sheets(picture: Picture) -> Sheet:
    """The drawing of a picture, in sheets where it is large."""
    everything = range(len(picture.nodes))
    web = _Web(picture)
    if len(picture.nodes) <= MOST_BOXES:
        return _sheet(web, "graph", "Computation graph", list(everything))
    return _overview(web, "graph", "Computation graph", _runs(picture))


class _Web:
    """A picture, and which links lead into and out of each of its nodes."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.into: dict[int, list[Link]] = {}
        self.out: dict[int, list[Link]] = {}
        for link in picture.links:
            self.into.setdefault(link.head, []).append(link)
            self.out.setdefault(link.tail, []).append(link)

    def links_into(self, steps: Iterable[int]) -> Iterable[Link]:
        """In the order of their heads."""
        for n in steps:
            yield from self.into.get(n, ())


def _runs(picture: Picture) -> list[tuple[str, list[int]]]:
    """Stretches of steps of one stage, in order; stretches are never so long that they could not be drawn."""
    runs: list[tuple[str, list[int]]] = []
    inputs: list[int] = []
    for n, node in enumerate(picture.nodes):
        if not node.formula:
            inputs.append(n)
            continue
        if runs and runs[-1][0] == node.stage and len(runs[-1][1]) < MOST_BOXES:
            runs[-1][1].append(n)
        else:
            runs.append((node.stage, [n]))
    merged: list[tuple[str, list[int]]] = []
    for title, steps in runs:
        # Stages that alternate line by line would each be a box of one step.
        if merged and (len(steps) == 1 or len(merged[-1][1]) == 1) and len(merged[-1][1]) + len(steps) <= 8:
            first = merged[-1][0].split(" to ")[0]
            merged[-1] = (first if first == title else f"{first} to {title}", [*merged[-1][1], *steps])
        else:
            merged.append((title, steps))
    return merged


def _overview(web: _Web, key: str, title: str, runs: Sequence[tuple[str, list[int]]]) -> Sheet:
    """Stages as boxes; more of them than can be drawn are put together first."""
    picture = web.picture
    groups: list[list[tuple[str, list[int]]]] = [[run] for run in runs]
    if len(runs) > MOST_BOXES:
        size = -(-len(runs) // MOST_BOXES)
        while size * MOST_BOXES < len(runs) or size < 2:
            size += 1
        groups = [list(runs[i : i + size]) for i in range(0, len(runs), size)]
    children: list[Sheet] = []
    boxes: list[Box] = []
    owner: dict[int, str] = {}
    for n, group in enumerate(groups):
        name = f"{key}-{n + 1}"
        label = group[0][0] if len(group) == 1 else f"{group[0][0]} to {group[-1][0]}"
        steps = [i for _, run in group for i in run]
        child = _sheet(web, name, label, steps) if len(group) == 1 else _overview(web, name, label, group)
        children.append(child)
        status = _worst(web, steps)
        count = f"{len(steps)} step{'s' if len(steps) > 1 else ''}"
        first, last = picture.nodes[steps[0]].name, picture.nodes[steps[-1]].name
        lines = (_cut(label), count, _cut(f"{first} … {last}" if len(steps) > 1 else first))
        words = f"{label}: {count}, {first} to {last}" + (f"; {WORDS[status]}" if status else "")
        boxes.append(Box(name, lines, "stage", status, f"#{name}", words))
        owner.update(dict.fromkeys(steps, name))
    wires: dict[tuple[str, str], Wire] = {}
    # What is differentiated by enters nearly every stage: it is drawn where it is first used.
    used: dict[int, list[str]] = {}
    inside = [i for run in runs for i in run[1]]
    variables = set(picture.wrt)
    for link in web.links_into(inside):
        if link.tail in variables and link.head in owner and owner[link.head] not in used.setdefault(link.tail, []):
            used[link.tail].append(owner[link.head])
    for n, stages in used.items():
        box = _box(picture, n)
        boxes.insert(0, box)
        more = f"in {len(stages)} parts" if len(stages) > 1 else ""
        wires[box.key, stages[0]] = Wire(box.key, stages[0], more, "", picture.nodes[n].status)
    for link in web.links_into(inside):
        tail, head = owner.get(link.tail, ""), owner.get(link.head, "")
        if tail and head and tail != head:
            node = picture.nodes[link.tail]
            have = wires.get((tail, head))
            status = _worse(have.status if have else "", link.status)
            above, below = _carried(node, link)
            if have is not None and have.above != above:
                above, below = "several", ""
            wires[tail, head] = Wire(tail, head, above, below, status, f"#step-{link.head}")
    return Sheet(key, title, tuple(boxes), tuple(wires.values()), tuple(children))


def _worst(web: _Web, steps: Sequence[int]) -> str:
    found = {web.picture.nodes[n].status for n in steps} | {k.status for k in web.links_into(steps)}
    return next((s for s in ("wrong", "inherited", "right") if s in found), "")


def _worse(a: str, b: str) -> str:
    return next((s for s in ("wrong", "inherited", "right") if s in (a, b)), "")


def _sheet(web: _Web, key: str, title: str, steps: Sequence[int]) -> Sheet:
    """These steps with what flows into them; what comes from elsewhere is a box of its own."""
    picture, inside = web.picture, set(steps)
    links = list(web.links_into(steps))
    leaving = {n for n in steps if any(k.head not in inside for k in web.out.get(n, ()))}
    outside = list(dict.fromkeys(k.tail for k in links if k.tail not in inside))
    boxes = [_outside(picture.nodes[n], n) for n in outside]
    boxes += [_box(picture, n, leaves=n in leaving) for n in steps]
    wires = []
    for link in links:
        node = picture.nodes[link.tail]
        above, below = _carried(node, link)
        words = f"{link.symbol}"
        if link.local:
            words += f" = {link.local}"
        if link.factor is not None:
            words += f" = {brief(link.factor)}"
        words += f"; {WORDS[link.status]}" if link.status else ""
        wires.append(
            Wire(f"n{link.tail}", f"n{link.head}", above, below, link.status, f"#step-{link.head}", words)
        )  # fmt: skip
    return Sheet(key, title, tuple(boxes), tuple(wires))


def _carried(node: Node, link: Link) -> tuple[str, str]:
    """What stands above and below a wire."""
    above = _said(node.value, node.shape)
    below = _said(link.flow, node.shape) if link.edge >= 0 else ""
    if below and MARK[link.status]:
        below = f"{MARK[link.status]} {below}"
    elif not below and link.status:
        below = MARK[link.status]
    return above, below


def _said(value: Held, shape: tuple[int, ...]) -> str:
    if isinstance(value, list):
        text = brief(value)
        return text if len(text) <= 16 else numpy_shape(shape)
    if value is None:
        return numpy_shape(shape) if shape else ""
    return brief(value)


def _box(picture: Picture, n: int, *, leaves: bool = False) -> Box:
    node = picture.nodes[n]
    kind = "result" if n == picture.result else "step" if node.formula else "input"
    lines = [_cut(node.name)]
    if node.formula:
        lines.append(_cut(node.formula))
    elif node.shape:
        lines.append(numpy_shape(node.shape))
    if not node.formula and node.gradient is not None:
        found = _said(node.gradient, node.shape)
        lines.append(f"gradient {found}" if found != numpy_shape(node.shape) else "")
    elif kind == "result" or leaves:
        lines.append(f"= {_said(node.value, node.shape)}" if node.value is not None else "")
    words = [node.name + (f" = {node.formula}" if node.formula else "")]
    if node.value is not None:
        words.append(f"value {brief(node.value)}")
    if node.gradient is not None:
        words.append(f"gradient {brief(node.gradient)}")
    if node.status:
        words.append(f"your gradient is {WORDS[node.status]}")
    text = tuple(line for line in lines if line)
    if MARK[node.status]:
        text = (f"{text[0]} {MARK[node.status]}", *text[1:])
    return Box(f"n{n}", text, kind, node.status, f"#step-{n}", "; ".join(words))


def _outside(node: Node, n: int) -> Box:
    kind = "input" if not node.formula else "outside"
    lines = (_cut(node.name), numpy_shape(node.shape)) if node.shape and kind == "input" else (_cut(node.name),)
    words = f"{node.name}, {'an input' if kind == 'input' else 'from another part'}"
    return Box(f"n{n}", lines, kind, "", f"#step-{n}", words)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def layers(sheet: Sheet) -> dict[str, int]:
    """Box -> its column: one more than the last that it comes from; what comes from nowhere stands before its use."""
    order = {b.key: n for n, b in enumerate(sheet.boxes)}
    column = dict.fromkeys(order, 0)
    wires = sorted((w for w in sheet.wires if w.tail in order and w.head in order), key=lambda w: order[w.head])
    into: dict[str, list[str]] = {}
    for wire in wires:
        into.setdefault(wire.head, []).append(wire.tail)
    for box in sheet.boxes:
        column[box.key] = max((column[t] + 1 for t in into.get(box.key, ())), default=0)
    out: dict[str, list[str]] = {}
    for wire in wires:
        out.setdefault(wire.tail, []).append(wire.head)
    for key in order:
        if not into.get(key) and out.get(key):
            column[key] = min(column[h] for h in out[key]) - 1
    return column
