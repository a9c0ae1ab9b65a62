"""Names of derivatives in a notation of their own: ``v3b`` for the gradient by ``v3``, and ``dS_dphi``, where the sum
of squares is called ``css``.

What a symbol stands for is told by the derivatives that are right: if ``dS_dphi`` is that of css by phi, S is css, and
``dS_dtheta`` was to be that of css by theta. What no right one tells is taken for the result, or for the one input that
begins with it. What is hung onto the names of variables, or put before them, is told in the same way.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.abbreviations import spelled_out
from symgrad.diagnose.text.naming import LIKELIHOOD, LOSS_NAMES, Claim, claims, is_bare, normal, singulars

Pair = tuple[int, int]

#: So many assignments under a name are looked at, from the first and from the last ones of a loop.
_LOOKS = 3
#: Tangents by every input are worked out as long as there are no more steps than this for all of them.
_WORK = 5000
#: What is made of a derivative is looked at so far.
_USERS = 200
#: What is hung onto a name is no longer than this, and so many names must be right that are made so.
_AFFIX, _LIKES = 6, 2
#: The gradient by something.
_PLAIN = re.compile(r"(?:g|d|grad|gradient)_(\w+)")
#: This by that.
_SPELLED = re.compile(r"(?:d|partial|grad)", re.I)
#: An entry of a list.
_ENTRY = re.compile(r"(\w+)\[(\d+)\]")


@dataclass(slots=True)
class _Symbols:
    """What is called what in the forward pass, and what symbols were found to stand for.

    Attributes:
        steps: of each variable, and of each list, by its normalised name.
        inputs: those of these that are inputs.
        spelled: the variables' names as they are.
        others: what else the script has names for.
        votes: symbol -> the names that right derivatives take it for.
    """

    steps: Mapping[str, list[int]]
    inputs: Collection[str]
    spelled: Collection[str]
    others: frozenset[str]
    votes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def meaning(self, symbol: str) -> str:
        """The name of a variable that a symbol stands for; empty where nothing tells."""
        if symbol in self.steps or not symbol:
            return symbol
        (first, n), *others = [*self.votes[symbol].most_common(2), ("", 0)]
        return first if n > (others[0][1] if others else 0) else ""


def symbols(layout: Layout) -> tuple[dict[str, tuple[Pair, ...]], set[str]]:
    """Names -> the pairs (top, bottom) whose derivative they are meant to hold; and those of the names of which no
    right derivative tells that. Of numbers only."""
    subject = layout.subject
    if subject.is_shaped:
        return {}, set()
    steps: dict[str, dict[int, None]] = defaultdict(dict)
    for name, i in subject.aliases:
        for called in (normal(name), normal(name).split("[", maxsplit=1)[0]):
            steps[called][i] = None
    leaves = {normal(subject.names[i]) for i in subject.leaves() if i in subject.names and i not in subject.frozen}
    others = frozenset(normal(name) for name, _, _ in subject.bound) - steps.keys()
    held = _Symbols({n: list(mine) for n, mine in steps.items()}, leaves, {n for n, _ in subject.aliases}, others)
    read = {u.name: claim for u in subject.units if (claim := _open(u.name, held)) is not None}
    short = spelled_out(read, {name for name, _ in subject.aliases})
    if not read:
        return {}, set()
    units: dict[str, list[Unit]] = {name: [] for name in read}
    for unit in subject.units:
        if unit.name in read and not layout.graph.steps[unit.step].is_leaf:
            units[unit.name].append(unit)
    ends = {called for called, mine in held.steps.items() if subject.loss in mine}
    families: Counter[str] = Counter()
    for name, mine in _by_stem(units).items():
        claim, told = read[mine[0].name], set[tuple[str, str]]()
        for unit in dict.fromkeys((*mine[:_LOOKS], *mine[-_LOOKS:])):
            told.update(_values(unit, read[unit.name], held, layout))
        families[claim.top] += bool(name)
        held.votes[claim.top].update({top for top, _ in told})
        held.votes[_stem(claim.bottom)].update({bottom for _, bottom in told})
    for top, n in families.items():
        # A wrong one may be right of something else: most of them have to be, but for those of the result.
        for called, votes in list(held.votes[top].items()):
            if called and called not in ends and 2 * votes <= n:
                del held.votes[top][called]
    _settle_twice({_stem(c.bottom) for c in read.values()}, held)
    taken = {held.meaning(s) for s in held.votes}
    out, guesses = dict[str, tuple[Pair, ...]](), set[str]()
    for name, claim in read.items():
        bottom = held.meaning(_stem(claim.bottom)) or _begun(_stem(claim.bottom), held, taken)
        top = held.meaning(claim.top)
        if name in short and top not in ends:
            continue  # cut short: there is more to go by than this
        if not claim.top and not held.votes[""]:
            continue  # g_x may be anything, if no other is the gradient that it says
        last = not claim.top or any(not _goes_on(u, layout, read, held) for u in units[name][-1:])
        if claim.top and not top and any(_is_carried(u, layout, held) for u in units[name]):
            last = False  # that of a state with which a loop goes on, and not of what comes of it
        # de_dphi[3], of a list eps, is that of eps[3].
        index = claim.bottom.removeprefix(_stem(claim.bottom))
        series = bool(index) and any(called.startswith(f"{top}[") for called in held.steps)
        tops = held.steps.get(top + index * series, []) if top else [subject.loss] if last else []
        pairs = tuple((t, b) for t in tops for b in held.steps.get(bottom, ()) if _depends(t, b, layout))
        if pairs:
            out[name] = pairs
        if claim.top and not top:
            guesses.add(name)
    return out, guesses


def affixed(layout: Layout, known: Known) -> dict[str, tuple[Pair, ...]]:
    """Names -> the pairs of which they hold the gradients, where several that are made of the names of variables in one
    way, ``v3b`` and ``v5b``, are right as that. Of numbers only."""
    subject = layout.subject
    if subject.is_shaped:
        return {}
    steps: dict[str, dict[int, None]] = defaultdict(dict)
    for name, i in subject.aliases:
        if i in layout.truth.cotangents:
            steps[name][i] = None
    forward = {normal(name) for name in steps}
    made: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for unit in layout.last.values():
        if layout.is_forward(unit.step) or any(c.bottom in forward for c in claims(unit.name)):
            continue
        for name in steps:
            before, found, after = unit.name.partition(name)
            if found and before + after and len(before + after) <= _AFFIX and not (before and after):
                made[before, after][unit.name] = name
    out: dict[str, tuple[Pair, ...]] = {}
    for (before, _), names in made.items():
        right = {n for n, v in names.items() if _flows_to(n, steps[v], layout, known)}
        enough = 1 if _says_gradient(before, layout) else _LIKES
        if right and len(right) < len(names):
            # MPL = dY*dinner_dK, beside MPK: the gradient of another of these is no accident either.
            every = [i for v in names.values() for i in steps[v]]
            swapped = {n for n in names if n not in right and _flows_to(n, every, layout, known)}
            enough = 1 if len(right | swapped) == len(names) else enough
        if len({names[n] for n in right}) >= enough and 4 * len(right) >= len(names):
            out.update((n, tuple((subject.loss, i) for i in steps[v])) for n, v in names.items())
    return out


def _says_gradient(prefix: str, layout: Layout) -> bool:
    """``score_`` of a likelihood, and what ends with the name of the result: the ``MU_`` of a utility U."""
    result = layout.subject.names.get(layout.subject.loss, "")
    word = prefix.removesuffix("_")
    ends = bool(result) and word.endswith(result) and len(word) > len(result)
    return ends or (word.lower() == "score" and LIKELIHOOD.search(normal(result)) is not None)


def ordered(layout: Layout, known: Known) -> dict[str, tuple[Pair, ...]]:
    """``grad[1]`` beside a right ``grad[0]``: the gradients of a list are by the inputs in their order. Of numbers
    only."""
    subject = layout.subject
    inputs = [i for i in subject.leaves() if i in subject.names]
    forward = {normal(name) for name, _ in subject.aliases}
    lists: dict[str, dict[int, Unit]] = defaultdict(dict)
    for unit in () if subject.is_shaped else layout.last.values():
        found = _ENTRY.fullmatch(unit.name)
        if found and not layout.is_forward(unit.step) and not _is_told(unit.name, forward):
            lists[found[1]][int(found[2])] = unit
    out: dict[str, tuple[Pair, ...]] = {}
    for stem, mine in lists.items():
        told = {n: {i for i in inputs if _is_gradient(u, (i,), layout, known)} for n, u in mine.items()}
        shifts = {inputs.index(i) - n for n, found in told.items() if len(found) == 1 for i in found}
        # Who calls the list a gradient needs one that is right, and who calls it anything else two.
        enough = sum(map(bool, told.values())) >= (1 if is_bare(stem) else _LIKES)
        if enough and (len(shifts) == 1 or 0 in shifts):
            shift = shifts.pop() if len(shifts) == 1 else 0
            named = {u.name: n + shift for n, u in mine.items()}
            out.update((name, ((subject.loss, inputs[n]),)) for name, n in named.items() if 0 <= n < len(inputs))
    return out


def _is_told(name: str, forward: Collection[str]) -> bool:
    """The name itself says of what it is: ``dw[0]``, beside w[0], and ``gy[0]``, beside a list ys."""
    kept = {called.partition("[")[0] for called in forward if "[" in called}
    return any(
        c.bottom in forward or not kept.isdisjoint(singulars(c.bottom.partition("[")[0])) for c in claims(name)
    )


def _is_gradient(unit: Unit, steps: Collection[int], layout: Layout, known: Known) -> bool:
    """The value is that of the gradient by one of some steps, and says so: it is not 1, which many are."""
    actual = layout.actual(unit.step)
    if actual.constant() is not None:
        return False
    return any(q.kind == "cotangent" and q.bottom in steps for q in known.right(actual))


def _flows_to(name: str, steps: Collection[int], layout: Layout, known: Known) -> bool:
    """One of the first or of the last values of the name is a part of the gradient by one of some steps, or all of it,
    and says so: ``v5b`` gets what comes by one path, and is added to later on."""
    mine = layout.by_name[name]
    flows = (
        q
        for u in dict.fromkeys((*mine[:_LOOKS], *mine[-_LOOKS:]))
        if layout.actual(u.step).constant() is None
        for q in known.right(layout.actual(u.step))
    )
    return any(q.kind in ("cotangent", "contribution", "sum") and q.bottom in steps for q in flows)


def _settle_twice(bottoms: Collection[str], held: _Symbols) -> None:
    """Of several symbols that are taken for one input, a wrong derivative may be the one by something else: the one
    with the same numbers is meant, or none."""
    claimed: dict[str, list[str]] = defaultdict(list)
    for symbol in bottoms:
        if symbol not in held.steps and (meant := held.meaning(symbol)):
            claimed[meant].append(symbol)
    for meant, mine in claimed.items():
        fitting = [s for s in mine if re.findall(r"\d+", s) == re.findall(r"\d+", meant)]
        for symbol in mine if len(mine) > 1 else ():
            if fitting != [symbol]:
                held.votes[symbol].clear()


def _by_stem(units: Mapping[str, list[Unit]]) -> dict[str, list[Unit]]:
    """The assignments of all entries of a list together."""
    out: dict[str, list[Unit]] = defaultdict(list)
    for name, mine in units.items():
        out[_stem(name)] += mine
    return {name: mine for name, mine in out.items() if mine}


def _stem(symbol: str) -> str:
    """``dphi`` of ``de_dphi[3]``: which entry of a list it is says nothing of what it is by."""
    return symbol.split("[", maxsplit=1)[0]


def _open(name: str, held: _Symbols) -> Claim | None:
    """What a name says, where it says "this by that" and one of the two is no variable."""
    read = claims(name)
    plain = _PLAIN.fullmatch(name)
    if plain is not None and len(plain[1]) == 1 and plain[1].isupper() and plain[1] not in held.spelled:
        return Claim("", plain[1])  # g_V is not by v
    if any(c.bottom in held.steps and (c.top in held.steps or c.top in ("", *LOSS_NAMES)) for c in read):
        return None
    if plain is not None and not any(c.top for c in read):
        return Claim("", normal(plain[1]))
    spelled = _SPELLED.match(name) is not None  # J12 is the derivative of whatever
    # Of x, another result, dx_du may well be right.
    read = tuple(c for c in read if not {c.top, _stem(c.bottom)} & held.others)
    open_claims = [c for c in read if spelled and c.top and not (c.top in held.steps and _stem(c.bottom) in held.steps)]
    # Of dS_dphi, S and phi; of two readings the one of which more is known.
    return max(open_claims, key=lambda c: (_stem(c.bottom) in held.steps) + (c.top in held.steps), default=None)


def _values(unit: Unit, claim: Claim, held: _Symbols, layout: Layout) -> Iterator[tuple[str, str]]:
    """The names (top, bottom) of derivatives that an assignment has the value of."""
    truth, actual = layout.truth, layout.actual(unit.step)
    if actual.is_zero or not actual.usable or actual.constant() is not None:
        return
    bottom = _stem(claim.bottom)
    bottoms = [bottom] if bottom in held.inputs else sorted(held.inputs) if bottom not in held.steps else []
    if len(bottoms) * len(layout.graph) > _WORK:
        return
    tops: Mapping[str, list[int]] = held.steps
    if not claim.top or claim.top in held.steps:
        tops = {claim.top: held.steps[claim.top] if claim.top else [layout.subject.loss]}
    for b in bottoms:
        for leaf in held.steps[b][:1]:
            tangents = truth.tangents(leaf)
            for top, mine in tops.items():
                if "[" not in top and any(i in tangents and actual.same(tangents[i]) for i in mine):
                    yield top, b


def _begun(symbol: str, held: _Symbols, taken: Collection[str]) -> str:
    """The one input that begins with a symbol, and that no other stands for."""
    found = {name for name in held.inputs if name.startswith(normal(symbol)) and name not in taken and "[" not in name}
    return found.pop() if len(found) == 1 else ""


def _goes_on(unit: Unit, layout: Layout, read: Collection[str], held: _Symbols) -> bool:
    """Other derivatives are made of an assignment, if by way of what has another name."""

    def is_derivative(name: str) -> bool:
        return name in read or is_bare(name) or any(c.bottom in held.steps for c in claims(name))

    stack, seen = [unit.step], {unit.step}
    while stack and len(seen) < _USERS:
        for k in layout.dependents(stack.pop()):
            if any(is_derivative(u.name) for u in layout.units_at[k]):
                return True
            if k not in seen:
                seen.add(k)
                stack.append(k)
    return False


def _is_carried(unit: Unit, layout: Layout, held: _Symbols) -> bool:
    """A derivative of something else that is known is made of an assignment itself."""
    users = (u.name for k in layout.dependents(unit.step) for u in layout.units_at[k])
    return any(name != unit.name and any(c.top in held.steps for c in claims(name) if c.top) for name in users)


def _depends(top: int, bottom: int, layout: Layout) -> bool:
    truth = layout.truth
    return bottom in truth.cotangents if top == layout.subject.loss else truth.segment(top, bottom) is not None


__all__ = ["affixed", "ordered", "symbols"]
