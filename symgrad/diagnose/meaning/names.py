"""Which steps a name is called after: d(top)/d(bottom), as it spells them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.observing.truth import Truth
from symgrad.diagnose.text.abbreviations import joined
from symgrad.diagnose.text.naming import LOSS_NAMES, Claim, claims, is_bare, is_kept, is_loss, key_of, normal, singulars
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.ops.writing import read_at, write_at

#: What the gradient is called that is handed on from layer to layer.
_DELTA = re.compile(r"^(?:\w*_)?deltas?(?:_?\w*)$", re.I)

#: What is called what, of something measured under a name, a model says that it is.
_PREDICTED = ("{}hat", "{}pred", "{}p", "pred{}", "{}model", "{}est", "{}fit", "hat{}")

#: What a loop leads to is given a value so often.
ROUNDS = 3

Pair = tuple[int, int]


def _made_of(graph: Graph, i: int, depth: int) -> set[int]:
    """A step and what it is made of, so many steps back."""
    found = {i}
    for j in graph.steps[i].inputs if depth else ():
        found |= _made_of(graph, j, depth - 1)
    return found


class Names:
    """Names -> the (top, bottom) pairs whose derivative they may hold, for one subject.

    Attributes:
        guessed: names that say nothing -> pairs that something else tells.
    """

    def __init__(self, subject: Subject, truth: Truth, guessed: Mapping[str, Sequence[Pair]] | None = None) -> None:
        self.subject, self.truth = subject, truth
        self.guessed = guessed or {}
        self._aliases = self._forward_names()
        self._resolved: dict[str, tuple[Pair, ...]] = {}
        self._sets: dict[str, frozenset[Pair]] = {}
        self._topless: set[str] = set()
        self._loose: set[str] = set()
        self._reads: dict[Pair, list[int]] = {}

    def _forward_names(self) -> dict[str, list[int]]:
        out: dict[str, dict[int, None]] = {}
        for name, step in self.subject.aliases:
            for called in dict.fromkeys((name, key_of(name))):
                out.setdefault(normal(called), {})[step] = None
        return {name: list(steps) for name, steps in out.items()}

    @cached_property
    def _stems(self) -> dict[str, list[int]]:
        """Steps kept in a list, by the list's name."""
        out: dict[str, dict[int, None]] = {}
        for name, steps in self._aliases.items():
            stem, bracket, _ = name.partition("[")
            if bracket:
                out.setdefault(stem, {}).update(dict.fromkeys(steps))
        return {name: list(steps) for name, steps in out.items()}

    def pairs(self, name: str) -> tuple[Pair, ...]:
        """The (top, bottom) pairs that a name may stand for; empty if it says nothing."""
        if name not in self._resolved:
            self._resolved[name] = tuple(self._by_part(name, self._as_spelled(name, self._resolve(name))))
            self._sets[name] = frozenset(self._resolved[name])
        return self._resolved[name]

    def _by_part(self, name: str, found: list[Pair]) -> list[Pair]:
        """``W[i] -= rate*dW``: what is called after all of W, has the shape of the part that is read, and moves that
        part, is the gradient by it: the sum of what arrives at all places where it is read."""
        steps, out = self.subject.graph.steps, list[Pair]()
        for top, bottom in found if name in self._of_parts and name not in self.subject.mapped else ():
            reads = [k for k in self._children.get(bottom, ()) if read_at(steps, k) is not None]
            reads = [k for k in reads if steps[k].shape == self._of_parts[name] and self._depends(top, k)]
            if steps[bottom].shape == self._of_parts[name]:
                out.append((top, bottom))
            elif len({str(read_at(steps, k)) for k in reads}) == 1:
                out.append((top, reads[0]))
                self._reads[top, reads[0]] = reads
        return out if name in self._of_parts and name not in self.subject.mapped else found

    @cached_property
    def _of_objects(self) -> set[str]:
        """``x.grad``, where x is what the object is called: others of its kind have another name in the line."""
        kinds = {u.name.rpartition(".")[2] for u in self.subject.units if u.written} if self.subject.later else set()
        return {u.name for u in self.subject.units if u.name.rpartition(".")[2] in kinds and "." in u.name}

    @cached_property
    def _of_parts(self) -> dict[str, tuple[int, ...]]:
        """The names of values by which nothing but parts of arrays are moved, with their shapes."""
        graph = self.subject.graph
        if not self.subject.is_shaped:
            return {}
        moved: set[int] = set()
        for i in range(len(graph)):
            write = write_at(graph.steps, i, graph.steps[i].inputs)
            array = i
            while (earlier := write_at(graph.steps, array, graph.steps[array].inputs)) is not None:
                array = earlier.array
            if write is not None and array in self.truth.cotangents:
                moved |= _made_of(graph, write.value, 3)
        last = {u.name: u.step for u in self.subject.units}
        return {name: graph.steps[i].shape for name, i in last.items() if i in moved and graph.steps[i].shape}

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        out: dict[int, list[int]] = {}
        for k, step in enumerate(self.subject.graph.steps):
            for j in step.inputs:
                out.setdefault(j, []).append(k)
        return out

    def leave(self, names: Collection[str]) -> None:
        """These names hold derivatives of something else than is differentiated, and say nothing of it."""
        for name in names:
            self._resolved[name], self._sets[name] = (), frozenset()

    def retell(self, told: Mapping[str, Sequence[Pair]]) -> None:
        """These names say more than is in them."""
        for name, pairs in told.items():
            self._resolved[name], self._sets[name] = tuple(pairs), frozenset(pairs)
            self._loose.discard(name)
            if any(top != self.subject.loss for top, _ in pairs):
                self._topless.discard(name)

    def _as_spelled(self, name: str, found: list[Pair]) -> list[Pair]:
        """Where two names of the forward pass differ in nothing but capitals, e and E, those that are meant."""
        if name in self.subject.mapped:
            return found
        plain = name.replace("_", "")
        for called, steps in self._unlike.items():
            if not plain.endswith(called) and plain.lower().endswith(called.lower()):
                found = [(t, b) for t, b in found if b not in steps]
            if not plain.startswith(f"d{called}") and plain.lower().startswith(f"d{called.lower()}"):
                found = [(t, b) for t, b in found if t not in steps]
        if not self._twins:
            return found
        tops, bottoms = {t for t, _ in found}, {b for _, b in found}
        for called, steps in self._twins.items():
            if called.lower() not in plain.lower():
                continue  # what else it is called, as by a loop over all parameters, says nothing of this name
            if bottoms & steps and not plain.endswith(called) and not plain.startswith(called):
                bottoms -= steps
            if tops & steps and not plain.startswith(f"d{called}"):
                tops -= steps
        kept = [(t, b) for t, b in found if b in bottoms and (t in tops or t == self.subject.loss)]
        return kept or found

    @cached_property
    def _unlike(self) -> dict[str, set[int]]:
        """The steps of names that are spelled in one way, where derivatives say that the other spelling is something
        else: G_E beside G_e, and there is no E. Kepler's E may be called otherwise where it is worked out."""
        spelled: dict[str, set[str]] = {}
        for unit in self.subject.units:
            if unit.name.isidentifier():
                spelled.setdefault(normal(unit.name), set()).add(unit.name.replace("_", ""))
        pairs = [names for names in spelled.values() if len(names) > 1]
        out: dict[str, set[int]] = {}
        for name, step in self.subject.aliases if pairs else ():
            called = name.replace("_", "")
            if any(
                any(n.endswith(called) for n in names)
                and any(not n.endswith(called) and n.lower().endswith(called.lower()) for n in names)
                for names in pairs
            ):
                out.setdefault(called, set()).add(step)
        return {called: steps for called, steps in out.items() if called not in self._twins}

    @cached_property
    def _twins(self) -> dict[str, set[int]]:
        """The steps of such names, by how they are spelled."""
        spelled: dict[str, dict[str, set[int]]] = {}
        for name, step in self.subject.aliases:
            if name.isidentifier():
                spelled.setdefault(normal(name), {}).setdefault(name.replace("_", ""), set()).add(step)
        return {called: steps for some in spelled.values() if len(some) > 1 for called, steps in some.items()}

    def _resolve(self, name: str) -> list[Pair]:
        if name in self.subject.mapped:
            return [self.subject.mapped[name]]
        if is_kept(name) and any(self.subject.graph.steps[i].is_input for i in self._aliases.get(normal(name), ())):
            return []  # G["w"] is w of the generator
        for claim in claims(name):
            if self._is_of_another_loss(name, claim):
                return []
            found = self._at_the_end(name, self._pairs(claim.top, claim.bottom))
            if name in self._of_objects and len(found) > 1:
                # What a function of the pass calls x for a while is not what x.grad is of.
                later = {i for n, i in self.subject.later if normal(n) == claim.bottom}
                found = [(t, b) for t, b in found if b not in later] or found
            mine = self.subject.outside.get(name, {}).get(claim.bottom, ())
            if len(found) > 1 and mine:
                # dx beside an x of its own is not the gradient by what a function calls x.
                found = [(t, b) for t, b in found if b in mine] or found
            if claim.top in LOSS_NAMES and {b for _, b in found} == {self.subject.loss} and self._is_worked_out(name):
                return []  # dloss_dpred, where pred is all that is known: what arrives there is another matter
            if found and not claim.top and {b for _, b in found} == {self.subject.loss} and name in self.guessed:
                # df, where f is what is differentiated: by some input, or the upstream gradient.
                self._loose.add(name)
                return [*self.guessed[name], *found]
            if found:
                if not claim.top:
                    self._topless.add(name)
                return [*found, *self._before_activation(found)] if _DELTA.match(name) else found
        found = self._subscripted(name)
        if found and self.subject.is_shaped:
            self._loose.add(name)  # loss_ws may be the losses at all of ws
        if not found and name in self.guessed:
            self._loose.add(name)
            return list(self.guessed[name])
        if found or is_bare(name):
            return found
        for claim in claims(name):
            # dh in a loop, where the forward pass keeps its h in the list hs.
            # And gx[0], where it keeps them in xs.
            stem, bracket, _ = claim.bottom.partition("[")
            lists = singulars(stem)[1:] if bracket else singulars(stem)
            steps = [i for plural in lists for i in self._stems.get(plural, ())]
            found = self._between(self._aliases.get(claim.top, []), steps, claim.top)
            if found:
                self._loose.add(name)
                if not claim.top:
                    self._topless.add(name)
                return found
        return []

    def _at_the_end(self, name: str, pairs: list[Pair]) -> list[Pair]:
        """``dx_db``, worked out once, where a loop has led to x: that of what x is in the end. What it was before is
        gone by then."""
        steps, tops = self.subject.graph.steps, list(dict.fromkeys(t for t, _ in pairs))
        if self.subject.is_shaped or len(tops) < ROUNDS or len({steps[t].span for t in tops[1:]}) > 1:
            return pairs
        mine = [u.step for u in self.subject.units if u.name == name]
        return [p for p in pairs if p[0] == tops[-1]] if len(mine) == 1 and mine[0] > tops[-1] else pairs

    def _is_worked_out(self, name: str) -> bool:
        """What has this name is made of something, and is no number that a pass begins with; of what is no loss."""
        steps, called = self.subject.graph.steps, self.subject.names.get(self.subject.loss, "")
        mine = [u for u in self.subject.units if u.name == name]
        return bool(called) and not is_loss(called) and not any(steps[u.step].is_leaf for u in mine)

    def _is_of_another_loss(self, name: str, claim: Claim) -> bool:
        """``dE_dw``, where E is a function of w, and what is differentiated is another one, which E is no part of."""
        if claim.top not in LOSS_NAMES or claim.top in self._aliases:
            return False
        graph, wanted = self.subject.graph, self._aliases.get(claim.bottom, [])
        plain = name.replace("_", "")
        called = [step for spelled, step in self._beside.get(claim.top, ()) if plain.startswith(f"d{spelled}")]
        known = (Graph(graph.steps, step, graph.source).ancestors(step) for step in called[-1:])
        return any(any(k[i] for i in wanted) and not k[self.subject.loss] for k in known)

    def _before_activation(self, pairs: Sequence[Pair]) -> list[Pair]:
        """``delta_out`` is as often the gradient of what the activation ``out`` is made of."""
        steps = self.subject.graph.steps
        out = []
        for top, bottom in pairs:
            i = bottom
            while len(others := [j for j in steps[i].inputs if not steps[j].is_const]) == 1:
                if len(OPS[steps[i].op].partials) != len(steps[i].inputs):
                    break  # not entry by entry
                i = others[0]
            if i != bottom and not steps[i].is_leaf and self._depends(top, i):
                out.append((top, i))
        return out

    def _subscripted(self, name: str) -> list[Pair]:
        """F_x and Fx for dF/dx, where F is what the loss is called."""
        loss = normal(self.subject.names.get(self.subject.loss, ""))
        plain = normal(name)
        if not loss or not plain.startswith(loss) or plain == loss or plain in self._aliases:
            return []
        return self._pairs("", plain[len(loss) :])

    def _pairs(self, top: str, bottom: str) -> list[Pair]:
        bottoms = self._aliases.get(bottom, [])
        # dw[1][2] is a place in a matrix; of a list of layers, or of time steps, the order says less.
        if "[" in bottom and bottom in self._idle and not any(i in self.truth.cotangents for i in bottoms):
            return []  # relu(z) where z is negative: nothing arrives there, and other entries are not meant
        if "[" in bottom and not (bottoms and re.fullmatch(r".*\[\d+\]\[\d+\]", bottom)):
            # dws[0] may be the gradient of ws[2]: lists of gradients are filled from the end.
            bottoms = self._stems.get(bottom.split("[", maxsplit=1)[0]) or bottoms
            if not bottoms and (entry := re.fullmatch(r"(\w+)\[(\d+)\]", bottom)) is not None:
                bottoms = self._aliases.get(f"{entry[1]}{entry[2]}", [])  # dw[0], where the list of w0, w1 has no name
        bottoms = bottoms or self._begun(bottom)
        if top in ("", *LOSS_NAMES):
            bottoms = [*self._predicted(bottom, bottoms), *bottoms]
        return self._between(self._aliases.get(top, []), [*bottoms, *self._logarithms(bottom)], top)

    @cached_property
    def _idle(self) -> frozenset[str]:
        """The entries of lists of numbers that were there before what is differentiated, used by it or not."""
        if self.subject.is_shaped:
            return frozenset()
        return frozenset(normal(name) for name, i, _ in self.subject.bound if "[" in name and i < self.subject.loss)

    def _begun(self, bottom: str) -> list[int]:
        """``dx_dx0`` is by the value that x begins with, where it has several and nothing is called x0; or by
        the first of a list x."""
        listed = self._aliases.get(f"{bottom[:-1]}[0]", []) if bottom[-1:] == "0" else []
        if any(self.subject.graph.steps[i].is_input for i in listed):
            return [i for i in listed if self.subject.graph.steps[i].is_input]
        held = self._aliases.get(bottom[:-1], []) if bottom[-1:] == "0" else []
        graph = self.subject.graph
        return held[:1] if len(held) > 1 and graph.steps[original(graph, held[0])].is_input else []

    def _predicted(self, bottom: str, steps: Sequence[int]) -> list[int]:
        """``dy``, where y is what was measured, is the gradient by ``y_hat``."""
        graph = self.subject.graph
        if not steps or not all(graph.steps[original(graph, i)].is_input for i in steps):
            return []
        called = (form.format(bottom) for form in _PREDICTED)
        found = [i for name in called for i in self._aliases.get(name, ()) if not graph.steps[i].is_leaf]
        made = graph.dependents(*steps) if found else ()  # xhat is x that was scaled, and no prediction of it
        return [i for i in found if not made[i]]

    def _logarithms(self, bottom: str) -> list[int]:
        """``dK_dell`` may be by log_ell where that is what is given: ``ell = exp(log_ell)`` is positive."""
        found = (i for log in ("log", "ln") for i in self._aliases.get(log + bottom, ()))
        return [i for i in found if self.subject.graph.steps[i].is_input]

    def _between(self, tops: Sequence[int], bottoms: Sequence[int], top: str) -> list[Pair]:
        if not bottoms:
            return []
        if top in ("", *LOSS_NAMES) and not tops:
            return [(self.subject.loss, b) for b in bottoms if b in self.truth.cotangents]
        return [(t, b) for t in tops for b in bottoms if t >= b and self._depends(t, b)]

    def _depends(self, top: int, bottom: int) -> bool:
        if top == self.subject.loss:
            return bottom in self.truth.cotangents
        return self.truth.segment(top, bottom) is not None

    def others(self, name: str) -> list[int]:
        """The results of which a name says that it is the derivative, and of which what is differentiated is not made:
        E in dE_dx, beside L."""
        if "[" in name or name in self.subject.mapped or self.pairs(name):
            return []
        plain = name.replace("_", "")
        second = [
            step
            for called in self._beside
            if normal(name) != called and normal(name).removeprefix(called) in self._aliases
            for spelled, step in self._beside[called]
            # F_xy beside F_x, which is a derivative of F
            if plain.startswith(spelled) and self._subscripted(spelled)
        ]
        return second or [
            step
            for claim in (*claims(name), *([self._joined[name]] if name in self._joined else []))
            if claim.top and claim.bottom in self._aliases
            for spelled, step in self._beside.get(claim.top, ())
            if plain.startswith(f"d{spelled}")
        ]

    @cached_property
    def _joined(self) -> dict[str, Claim]:
        return joined((u.name for u in self.subject.units), {*self._aliases, *self._beside})

    @cached_property
    def _beside(self) -> dict[str, list[tuple[str, int]]]:
        """What was worked out besides what is differentiated, with how it is spelled, by its normalised name."""
        mine = {called for called, _ in self.subject.aliases}
        out: dict[str, list[tuple[str, int]]] = {}
        for called, step, _ in self.subject.bound:
            if called.isidentifier() and called not in mine and not self.subject.graph.steps[step].is_leaf:
                out.setdefault(normal(called), []).append((called.replace("_", ""), step))
        return out
