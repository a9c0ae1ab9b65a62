"""A run as seen from one of its results: what it was made of is the forward pass, what came besides the derivation.

What was detached, what belongs to an earlier round of training and what only compares by differences is left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from symgrad.diagnose import differences, evidence
from symgrad.diagnose.naming import claims, is_bare, key_of, normal
from symgrad.diagnose.source import SourceMap
from symgrad.diagnose.subject import STEP_OF, Move, Subject, Unit
from symgrad.epochs import Epoch, cut_at, last_epoch
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import CONST, INPUT, Graph
from symgrad.ops import OPS
from symgrad.ops.base import COPY

#: How an item of a dictionary is read.
_ITEM = re.compile(r'[\w.]+\["\w+"\]')
#: What is typed in once more is made of so many steps at most.
MOST_RETYPED = 200


def _cut(trace: Trace, loss: int, epoch: Epoch | None) -> Graph:
    """The graph in which what was detached, and is a part of the loss, is a number of its own."""
    graph = Graph(trace.graph.steps, loss, trace.graph.source)
    if epoch is not None:
        graph = cut_at(graph, epoch)
    needed = graph.ancestors(loss)
    cuts = {i for i in trace.cuts if needed[i]}
    steps = [replace(s, op=INPUT, inputs=()) if i in cuts else s for i, s in enumerate(graph.steps)]
    h = differences.step_size(trace, loss)
    if h >= 0:
        # f(x + h) and f(x - h) of a difference quotient, where f(x) itself is nowhere: there h is nothing.
        steps[h] = replace(steps[h], op=CONST, params=(("value", Fraction(0)),))
        for i, step in enumerate(steps):
            others = [j for j in step.inputs if j != h]
            is_sum = len(step.inputs) == 2 and evidence.sign_of(step.op) in ("+", "-")
            if is_sum and len(others) == 1 and step.inputs[0] != h:
                steps[i] = replace(step, op=COPY, inputs=(others[0],))  # x + h is x
    return Graph(tuple(steps), loss, graph.source)


def subject_at(trace: Trace, loss: int, mapping: Mapping[str, str]) -> Subject | None:
    """What is diagnosed where a step of the run is differentiated; ``None`` where an input has no finite value.

    Args:
        mapping: of names, what they hold the gradient of, by its name.

    Raises:
        SymgradError: there is no such name.
    """
    epoch = last_epoch(trace, loss)
    base = _cut(trace, loss, epoch)
    graph = Graph(base.steps, loss, base.source)
    forward = graph.ancestors(loss)
    h = differences.step_size(trace, loss)
    quotients = trace.graph.dependents(h) if h >= 0 else None
    entries = [b for b in trace.bindings if quotients is not None and quotients[b.step] and "[" in b.name]
    numeric = {b.name.split("[", maxsplit=1)[0] for b in entries}
    moves = evidence.moves(trace, graph, forward)
    bindings = _with_moves(trace, moves)
    done = next((b.order for b in trace.bindings if b.step == loss), len(trace.bindings))
    names: dict[int, str] = {}
    aliases: list[tuple[str, int]] = []
    units: list[Unit] = []
    latest: dict[str, int] = {}
    known: set[str] = set()
    dead: set[str] = set()
    beyond: set[int] = set()
    left_out: list[tuple[str, int]] = []
    ends: set[int] = set()
    #: A name and its line, or what is assigned to it -> the values that this had in the forward pass.
    written: dict[tuple[str, int | str], set[int]] = {}
    #: The values that a name had in the forward pass, on whatever line.
    had: dict[str, set[int]] = {}
    derived = {n for name in {b.name for b in trace.bindings} for c in claims(name) for n in (c.top, c.bottom)}
    begins = loss if len(trace.backward_calls) > 1 else -1
    elsewhere = _elsewhere(trace, graph, forward)
    for b in bindings:
        is_forward = forward[b.step]
        if b.name.split("[", maxsplit=1)[0] in numeric and not is_forward:
            continue  # what a difference quotient is written into
        if epoch is not None and b.step < epoch.start and not is_forward:
            latest[b.name] = b.step
            continue  # of an earlier round
        if quotients is not None and quotients[b.step] and not is_forward:
            continue  # the difference quotient, and what compares it
        if not is_forward and b.step < begins:
            continue  # the derivation of an earlier epoch, of which the last loss knows nothing
        reads = any(claims(b.name)) or is_bare(b.name)
        if reads and not is_forward and elsewhere is not None and elsewhere[b.step]:
            if b.name in latest and graph.steps[held := latest[b.name]].is_leaf:
                # The zeros that it is added up in are of the other cell as well.
                units = [u for u in units if (u.name, u.step) != (b.name, held)]
                latest.pop(b.name)
            continue
        lost = bool(dead) and any(dead & {c.top, c.bottom} for c in claims(b.name))
        if lost or _near(b.step, beyond, graph, ends):
            beyond.add(b.step)
            if b.augmented or "[" in b.name:
                left_out.append((b.name, b.step))
            continue
        claimed = b.name in mapping or (b.step in names and any(c.bottom in known for c in claims(b.name)))
        if is_forward and b.order <= done and not claimed:
            names.setdefault(b.step, b.name)
            aliases.append((b.name, b.step))
            held = _hash(trace.values[b.step])
            had.setdefault(b.name, set()).add(held)
            written.setdefault((b.name, b.line), set()).add(held)
            if not graph.steps[b.step].is_leaf:
                written.setdefault((b.name, _text(b, trace)), set()).add(held)
            known |= {normal(b.name), normal(key_of(b.name))}
        elif claimed or not is_forward or any(c.bottom in known for c in claims(b.name)):
            units.append(Unit(b.name, b.step, b.span, b.line, b.augmented, latest.get(b.name, -1), b.written, b.near))
            ends.add(b.step)
            before = written.get((b.name, b.line)) or written.get((b.name, _text(b, trace)), set())
            # What is taken out of a cache once more is what was put there, in whatever epoch.
            again = before and _hash(trace.values[b.step]) not in before | had.get(b.name, set())
            again = again and ((b.name, b.line) in written or not _is_retyped(b.step, graph, forward, units))
            if again and normal(b.name) in derived and not is_bare(b.name):
                # The line of the forward pass runs once more, and the loss knows nothing of it: what is derived from
                # here on under this name is no derivative of the loss. (A backward pass may well work out once more
                # what forward had: that is the same value.)
                dead.add(normal(b.name))
                beyond.add(b.step)
        elif graph.steps[b.step].shape:
            # After the loss a plain new name for a forward value (x, = ctx.saved_tensors) claims nothing itself; grad_x
            # may be meant by it all the same.
            aliases.append((b.name, b.step))
        latest[b.name] = b.step
    for i, name in read_as(graph, forward, names).items():
        names[i] = name
        aliases.insert(0, (name, i))
    point = _point(trace, graph)
    if point is None:
        return None
    autograd = {g.step: g.target for g in trace.grad_reads}
    mapped = {n: (loss, _named_step(aliases, target)) for n, target in mapping.items()}
    seed = _seed(trace, units, names.get(loss, ""), forward)
    return Subject(
        graph, point, names, tuple(aliases), tuple(units), base.source, autograd, mapped, trace.callers, seed,
        guessed=differences.beside_quotients(trace, loss, h) if h >= 0 else {}, moves=moves,
        called=evidence.called(trace),
        frozen=_still(trace, graph, point, units, moves), bound=_bound(bindings),
        left_out=tuple(left_out),
    )  # fmt: skip


def _is_retyped(step: int, graph: Graph, forward: Sequence[bool], units: Sequence[Unit]) -> bool:
    """A number of the forward pass is typed in once more, and made of the same inputs: wrongly then, and of no other
    data. What was moved by a derivative is other data."""
    derivatives = {u.step for u in units if any(claims(u.name)) or is_bare(u.name)}
    stack, seen = [step], set[int]()
    while stack and len(seen) < MOST_RETYPED:
        i = stack.pop()
        if graph.steps[i].shape or i in derivatives or (graph.steps[i].is_input and not forward[i]):
            return False
        if i not in seen:
            seen.add(i)
            stack.extend(j for j in graph.steps[i].inputs if not forward[j])
    return not stack


def _elsewhere(trace: Trace, graph: Graph, forward: Sequence[bool]) -> list[bool] | None:
    """For each step, whether it is made of other arrays than the loss, and of none of its own: what another cell of a
    notebook tries out, under the same names. ``None`` without arrays."""
    mine = [i for i, s in enumerate(graph.steps) if s.is_input and s.shape and forward[i]]
    others = [i for i, s in enumerate(graph.steps) if s.is_input and s.shape and not forward[i]]
    # Zeros that something is added up in are no data.
    others = [i for i in others if len(set(_flat(trace.values[i]))) > 1]
    if not mine or not others:
        return None
    near, far = graph.dependents(*mine), graph.dependents(*others)
    return [far[i] and not near[i] and not s.is_leaf for i, s in enumerate(graph.steps)]


def _flat(value: Any) -> list[float]:
    import numpy as np

    found: list[float] = np.asarray(value, dtype=np.float64).ravel()[:200].tolist()
    return found


def _hash(value: Any) -> int:
    """The same for the same value of a step."""
    if isinstance(value, float):
        return hash(value)
    import numpy as np

    return hash(np.asarray(value, dtype=np.float64).tobytes())


def _bound(bindings: Sequence[Binding]) -> tuple[tuple[str, int, int], ...]:
    """What each name is, and after which step it is."""
    out: list[tuple[str, int, int]] = []
    time = -1
    for b in bindings:
        time = max(time, b.step)
        out.append((b.name, b.step, time))
    return tuple(out)


def read_as(graph: Graph, forward: Sequence[bool], names: Mapping[int, str]) -> dict[int, str]:
    """Arrays that were put straight into a dictionary, by how they are read: ``params["W1"]``."""
    nameless = {i for i, s in enumerate(graph.steps) if s.is_input and s.shape and forward[i] and i not in names}
    if not nameless:
        return {}
    source = SourceMap(graph.source)
    out: dict[int, str] = {}
    for i, step in enumerate(graph.steps):
        for slot, j in enumerate(step.inputs):
            if j in nameless and j not in out and forward[i]:
                where = source.operand(step.span, slot)
                text = source.text(where).replace("'", '"') if where is not None else ""
                if _ITEM.fullmatch(text):
                    out[j] = text
    return out


def _point(trace: Trace, graph: Graph) -> dict[int, Any] | None:
    """The values of the inputs; ``None`` where one is not finite."""
    point: dict[int, Any] = {}
    for i, step in enumerate(graph.steps):
        value = trace.values[i]
        if not step.is_input:
            continue
        if isinstance(value, float):
            if not math.isfinite(value):
                return None
            point[i] = Fraction(value)
        else:
            import numpy as np

            point[i] = np.asarray(value, dtype=np.float64).reshape(step.shape)
            if not np.isfinite(point[i]).all():
                return None
    return point


def _still(
    trace: Trace, graph: Graph, point: Mapping[int, Any], units: Sequence[Unit], moves: Sequence[Move]
) -> frozenset[int]:
    """Where there are arrays, the inputs that must not be moved: whole numbers that count or choose, such as the size
    of a batch, labels (0 and 1, -1 and 1), places and masks.

    What somebody differentiates by is none of these, and neither are weights that begin as zeros.
    """
    if not any(step.shape for step in graph.steps):
        return frozenset()
    begun = _begun(trace, graph)
    kinds = {leaf.step: leaf.dtype for leaf in trace.leaves}
    called = {leaf.step: normal(leaf.name) for leaf in trace.leaves}
    claimed = {c.bottom for name in {u.name for u in units} for c in claims(name)}
    trained = {m.bottom for m in moves}
    out = set()
    for i, value in point.items():
        if called.get(i, "") in claimed or i in trained:
            continue
        kind = kinds.get(i, "int64" if graph.steps[i].shape else "float64")
        if not graph.steps[i].shape:
            chooses = i in begun or (not kind.startswith("float") and value.denominator == 1)
        elif kind.startswith("float"):
            chooses = set(value.ravel().tolist()) <= {-1.0, 0.0, 1.0}
        else:
            chooses = bool((value == value.round()).all())
        if chooses:
            out.add(i)
    return frozenset(out | (_worked_out_twice(trace, graph) - {i for i in point if called.get(i, "") in claimed}))


def _begun(trace: Trace, graph: Graph) -> set[int]:
    """``total = 0.0`` before ``total += x[i]`` in a loop, and the 1 of a product: what is added up is a sum, and the
    derivation may have it from ``np.sum``."""
    names: dict[int, set[str]] = {}
    for b in trace.bindings:
        names.setdefault(b.step, set()).add(b.name)
    users: dict[int, list[int]] = {}
    for k, step in enumerate(graph.steps):
        for j in step.inputs:
            users.setdefault(j, []).append(k)

    def goes_on(i: int, k: int) -> bool:
        infix = OPS[graph.steps[k].op].infix
        signs = "+-" if trace.values[i] == 0 else "*"
        same = names.get(i, set()) & names.get(k, set())
        return bool(same) and infix is not None and infix.symbol in signs and graph.steps[k].inputs[0] == i

    literal = [leaf.step for leaf in trace.leaves if leaf.literal and trace.values[leaf.step] in (0.0, 1.0)]
    return {i for i in literal if i in users and all(goes_on(i, k) for k in users[i])}


def _worked_out_twice(trace: Trace, graph: Graph) -> set[int]:
    """Numbers that the forward pass and the derivation each work out for themselves: ``scale = 1/np.sqrt(d)``. To move
    one of them alone would be to make them two."""
    forward = graph.ancestors(graph.output)
    literal = {leaf.step for leaf in trace.leaves if leaf.literal}
    held: dict[float, list[tuple[int, str]]] = {}
    for leaf in trace.leaves:
        value = trace.values[leaf.step]
        if isinstance(value, float) and value != round(value) and graph.steps[leaf.step].is_input:
            held.setdefault(value, []).append((leaf.step, normal(leaf.name)))
    out = set()
    for found in held.values():
        for i, name in found:
            others = [(j, other) for j, other in found if forward[i] and not forward[j]]
            if any(name == other or not {i, j} & literal for j, other in others):
                out.add(i)
    return out


def _with_moves(trace: Trace, moves: Sequence[Move]) -> Sequence[Binding]:
    """The assignments of a run, and among them what moves a parameter without having a name: w1 += x*delta."""
    bound = {b.step for b in trace.bindings}
    unnamed = {m.source: m for m in moves if m.source not in bound and trace.graph.steps[m.source].span is not None}
    if not unnamed:
        return trace.bindings
    out: list[Binding] = []
    waiting = sorted(unnamed)
    for b in trace.bindings:
        while waiting and waiting[0] < b.step:
            step = waiting.pop(0)
            span = trace.graph.steps[step].span
            assert span is not None  # those without were left out
            out.append(Binding(f"{STEP_OF}{unnamed[step].name}", step, span, span.line, b.scope, b.order))
        out.append(b)
    return out


@lru_cache(maxsize=4)
def _lines(source: str) -> list[str]:
    return source.split("\n")


def _text(b: Binding, trace: Trace) -> str:
    """The right-hand side as it is written."""
    lines = _lines(trace.graph.source)
    if b.span.line != b.span.end_line or b.span.line > len(lines):
        return f"line {b.span.line}"
    return lines[b.span.line - 1][b.span.column - 1 : b.span.end_column - 1]


def _near(step: int, wanted: Collection[int], graph: Graph, ends: Collection[int]) -> bool:
    """A step is one of some others, or computed from one: looked for as far as the next assignments (``ends``)."""
    stack, seen = [step], set[int]()
    while wanted and stack and len(seen) < 200:
        i = stack.pop()
        if i in wanted:
            return True
        if i not in seen and (i == step or i not in ends):
            seen.add(i)
            stack.extend(graph.steps[i].inputs)
    return False


def _seed(trace: Trace, units: Sequence[Unit], loss: str, forward: Sequence[bool]) -> Fraction:
    """The upstream gradient of the result, where the user gives it as a number: dy = 2.0."""
    leaves = {leaf.step for leaf in trace.leaves if leaf.literal}
    times = Counter(u.name for u in units)
    for unit in units:
        if loss and any(c.top == normal(loss) for c in claims(unit.name)):
            break  # dy_dw, worked out before: then dy = 2.0 is no gradient that arrives at y
        value = trace.values[unit.step]
        claimed = any(not c.top and c.bottom == normal(loss) for c in claims(unit.name))
        if (
            loss
            and claimed
            and times[unit.name] == 1
            and unit.step in leaves
            and not forward[unit.step]
            and isinstance(value, float)
        ):
            return Fraction(value) if value else Fraction(1)
    return Fraction(1)


def _named_step(aliases: Sequence[tuple[str, int]], target: str) -> int:
    found = [step for name, step in aliases if name == target]
    if not found:
        known = [name for name, _ in aliases]
        raise SymgradError(f"--map: the forward pass has no step '{target}'{did_you_mean(target, known)}")
    return found[-1]
