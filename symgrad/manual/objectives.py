"""Training without a loss: ``w -= rate * x.T @ (x @ w - y)`` where no line computes what is being made smaller.

What is differentiated is a guess then: a sum or a mean of squares of the first difference between what the parameters
give and what they do not. It is taken where the derivation agrees with it at least in part, and it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from symgrad.diagnose.deciding.loss import convention
from symgrad.diagnose.engine import Diagnosis, diagnose
from symgrad.diagnose.meaning.following import sign_of
from symgrad.diagnose.meaning.likely import abbreviated
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, is_bare, is_loss, is_surely_loss, normal
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import CONST, Graph, Step
from symgrad.manual.negatives import of_the_negative
from symgrad.manual.penalties import decayed
from symgrad.manual.work import Account
from symgrad.ops import OPS
from symgrad.ops.recognise import softmaxes
from symgrad.ops.writing import INDEX, write_at
from symgrad.subjects import choose
from symgrad.upstream import extended, grown

#: So many steps after a part of a sum the sum itself is looked for.
NEAR = 100
#: Names for the objective, of which the first is taken that the script has no use for.
NAMES = ("loss", "objective", "the_loss")


#: What is made of a difference, by what it is multiplied when all are added up, and what that is in words.
Way = tuple[Callable[[Trace, int], tuple[Trace, int]], Fraction, str]


Values = npt.NDArray[np.float64]
Link = Callable[[Values], Values]


@dataclass(frozen=True, slots=True)
class Objective:
    """A run that computes an objective at its end.

    Attributes:
        name: of the objective; text: what it is, in the script's words.
        downhill: what is subtracted is what the parameters give: ``y - f(x)``, which leads to the negative gradient.
    """

    trace: Trace
    name: str
    text: str
    downhill: bool = False


def of_an_objective(taken: Account) -> Account:
    """The account against what the script may be making smaller without computing it, where that explains more."""
    trace, found = taken.trace, taken.diagnosis
    named = is_surely_loss(taken.subject.names.get(taken.subject.loss, "")) or trace.backward_calls
    # Names ask for it: df_dx of an array f, or of several states.
    asked = taken.subject.loss not in taken.subject.names and not taken.subject.made_up
    if not taken.work.guesses or named or asked or trace.error is not None:
        return taken
    if (found.right or found.understood) and not stands_for_want(trace, taken.subject):
        return taken
    # exp(z) is its own derivative, and where mu = exp(z) was taken for the loss that tells nothing.
    names = {normal(b.name) for b in trace.bindings}
    if any(_is_called_derivative(u.name, names) for u in found.right):
        return taken
    best = taken
    for other in _candidates(trace):
        again = diagnose(other, brief=True)
        told = any(u.unnamed or _is_called_derivative(u.name, names) for u in again.right)
        if told and (best is taken or _explained(again) > _explained(best.diagnosis)):
            again = replace(diagnose(other), notes=(*again.notes, _said(other)))
            best = replace(taken, subject=again.subject or other, diagnosis=again)
    if best is taken and not taken.brief:
        best = _explained_by_fixes(taken)
    if best is taken and found.blames:
        return replace(taken, diagnosis=replace(found, blames=(), right=(), inherited=(), unchecked=(), conventions=()))
    return best


def _explained_by_fixes(taken: Account) -> Account:
    """The account against the objective for which the fewest changes would make everything right, where nothing is yet;
    whether they do is found out by running the script with them."""
    best = taken
    for other in (*_along_one_parameter(taken.trace), *_candidates(taken.trace)):
        candidate = of_the_negative(replace(taken, subject=other, diagnosis=diagnose(other)))
        again = candidate.diagnosis
        fixable = again.blames and not again.unchecked and all(b.edits for b in again.blames)
        if fixable and (best is taken or len(again.blames) < len(best.diagnosis.blames)):
            again = replace(again, notes=(*again.notes, _said(other)))
            best = replace(candidate, subject=again.subject or candidate.subject, diagnosis=again)
    return best


def _along_one_parameter(trace: Trace) -> Iterator[Subject]:
    """Where one array is all that is trained, and one gradient of its shape is worked out for it, ``g = J.T @ r``, what
    that is the gradient of up to its sign: half the sum of squares, before any other."""
    names = trained(trace)
    shapes = {b.name: trace.graph.steps[b.step].shape for b in reversed(trace.bindings)}
    given = {b.name for b in trace.bindings if is_bare(b.name) and not trace.graph.steps[b.step].is_leaf}
    if len(names) != 1 or len(given) != 1:
        return
    (name,), (gradient,) = names, given
    if shapes[name] != shapes[gradient] or not shapes[name]:
        return
    for o in objectives(trace):
        if o.text.endswith("**2)/2") and o.text.startswith("sum("):
            subject = replace(choose(o.trace, o.name, {gradient: name}), made_up=True, assumed=o.text)
            seed = Fraction(-1 if o.downhill else 1)
            yield replace(subject, seed=seed, convention=convention(seed)) if subject.seed == 1 != seed else subject


def _candidates(trace: Trace) -> Iterator[Subject]:
    """What may be differentiated: every objective, and then every one with the penalties
    whose gradients are added to those of the weights."""
    made = list(objectives(trace))
    plain = [replace(choose(o.trace, o.name, {}), made_up=True, assumed=o.text) for o in made]
    yield from plain
    for subject, o in zip(plain, made, strict=True):
        if o.downhill and subject.seed == 1 and not subject.moves:
            yield replace(subject, seed=Fraction(-1), convention=convention(Fraction(-1)))
    for subject in plain:
        if (whole := decayed(subject)) is not None:
            yield replace(whole, assumed=f"{subject.assumed} and a penalty of the weights' squares")


def _said(subject: Subject) -> str:
    return f"no loss is computed: the derivatives are held against that of {subject.assumed}"


def _explained(found: Diagnosis) -> tuple[int, int]:
    """What is left open counts as what is wrong: another objective is no way to say nothing of a line."""
    bad = len(found.blames) + len(found.unchecked)
    return len(found.right) - bad, -bad


def stands_for_want(trace: Trace, subject: Subject) -> bool:
    """What was taken for the loss stands there for want of one: a parameter after its update, or a mere difference
    of what a training script compares; what has no name, where only a gradient is worked out."""
    names = trained(trace)
    at, steps = subject.loss, subject.graph.steps
    while not steps[at].is_leaf and (OPS[steps[at].op].renames or steps[at].op == INDEX):
        at = steps[at].inputs[0]  # a, b, c = p takes no loss out of p
    step = steps[at]
    if not names and subject.loss not in subject.names:
        called = {normal(b.name) for b in trace.bindings}
        told = any({c.top, c.bottom} <= called for b in trace.bindings for c in claims(b.name))  # dx_dv is that of x
        return not told and bool(_claimed(trace)) and not any(is_loss(b.name) for b in trace.bindings)
    called = {subject.names.get(subject.loss, ""), *(b.name for b in trace.bindings if b.step == at != subject.loss)}
    return bool(names) and (subject.made_up or not names.isdisjoint(called) or sign_of(step.op) == "-")


def objectives(trace: Trace) -> Iterator[Objective]:
    """What the script may be making smaller, the likeliest first; nothing where there are no parameters."""
    trace = _first_epoch(trace)
    if not trace.bindings:
        return
    differences = _differences(trace)
    picked = _picked(trace)
    names = {b.name for b in trace.bindings}
    name = next((n for n in NAMES if n not in names), None)
    if name is None:
        return
    if picked:
        count = sum(int(np.size(trace.values[i])) for i in picked)
        words = "the cross-entropy with a softmax"
        chosen: list[Way] = [(_of_labels, Fraction(1), words), (_of_labels, Fraction(1, count), f"the mean of {words}")]
        yield from _made(trace, picked, chosen, name)
    span = trace.graph.steps[differences[0]].span if differences else None
    text = _text(trace.graph.source, span)
    if span is None or not text:
        return
    count = sum(int(np.size(trace.values[i])) for i in differences)
    squares = f"({text})**2"
    ways: list[Way] = [
        (_square, Fraction(1, count), f"mean({squares})"),
        (_square, Fraction(1, 2 * count), f"mean({squares})/2"),
        (_square, Fraction(1), f"sum({squares})"),
        (_square, Fraction(1, 2), f"sum({squares})/2"),
    ]
    for function, make, words in LINKS:
        if all(_outcome(trace, i, function) is not None for i in differences):
            ways.append((make, Fraction(1, count), f"the mean {words}, of which {text} is the gradient"))
            ways.append((make, Fraction(1), f"the {words}, of which {text} is the gradient"))
    if count == 1:
        ways = [(make, factor, words if make is not _square else _single(words)) for make, factor, words in ways]
    yield from _made(trace, differences, ways, name)


def _made(trace: Trace, differences: list[int], ways: Sequence[Way], name: str) -> Iterator[Objective]:
    """The run with each of these objectives."""
    span = trace.graph.steps[differences[0]].span
    assert span is not None  # what is found in the text has a place there
    row, moved = trace.graph.steps[differences[0]], trace.graph.dependents(*_parameters(trace))
    downhill = sign_of(row.op) == "-" and len(row.inputs) == 2 and moved[row.inputs[1]] and not moved[row.inputs[0]]
    # It is known as soon as the last difference is: what follows is derivation.
    after = next((n for n, b in enumerate(trace.bindings) if b.step > differences[-1]), len(trace.bindings))
    for make, factor, words in ways:
        made, total = _added(trace, differences, make)
        made, number = _number(made, factor)
        made, step = extended(made, "mul", (total, number))
        bound = Binding(name, step, span, span.line, "", after)
        bindings = (*trace.bindings[:after], bound, *trace.bindings[after:])
        numbered = tuple(replace(b, order=n) for n, b in enumerate(bindings))
        yield Objective(replace(made, bindings=numbered), name, words, downhill)


def trained(trace: Trace) -> set[str]:
    """The names of parameters: what is given other values that come of its first, and of something that is called a
    derivative."""
    moved = set(_moved(trace).values())
    if not moved:
        return set()
    names = {normal(b.name) for b in trace.bindings}
    found = set()
    for b in trace.bindings:
        if b.step in moved and b.name not in found:
            needed = Graph(trace.graph.steps, b.step, trace.graph.source).ancestors(b.step)
            if any(needed[d.step] and d.name != b.name and _is_derivative(d, trace, names) for d in trace.bindings):
                found.add(b.name)
    return found


def _is_derivative(b: Binding, trace: Trace, names: set[str]) -> bool:
    """Something is computed, and called a derivative of the loss by something that there is."""
    if trace.graph.steps[b.step].is_leaf:
        return False
    return _is_called_derivative(b.name, names)


def _is_called_derivative(name: str, names: Collection[str]) -> bool:
    return is_bare(name) or any(c.bottom in names and not c.top for c in claims(name))


def _differences(trace: Trace) -> list[int]:
    """``y_pred - y``: the first place that subtracts what does not depend on the parameters, or from it; in all rounds
    before the first parameter is moved."""
    steps = trace.graph.steps
    moved = _parameters(trace)
    reached = [False] * len(steps)
    found: list[int] = []
    for i, step in enumerate(steps):
        reached[i] = i in moved or any(reached[j] for j in step.inputs)
        if reached[i] and len(step.inputs) == 2 and sign_of(step.op) == "-" and step.span is not None:
            one, other = (reached[j] for j in step.inputs)
            plain = next(j for j in step.inputs if not reached[j]) if one != other else -1
            if plain >= 0 and not (steps[plain].is_const and not steps[plain].shape):
                found.append(i)
    if not found:
        return []
    found = [_whole_sum(i, steps) for i in found]
    # What is added up from zero is moved as well, and no difference knows of it.
    needed = Graph(steps, found[0], trace.graph.source).ancestors(found[0])
    end = min(step for leaf, step in moved.items() if needed[leaf])
    return [i for i in found if i < end and steps[i].span == steps[found[0]].span]


def _picked(trace: Trace) -> list[int]:
    """``delta = probs; delta[range(n), y] -= 1``: the steps that take 1 from what a softmax gives for the labels, in
    all rounds before the first parameter is moved."""
    steps = trace.graph.steps
    moved = _parameters(trace)
    given = {i for s in softmaxes(trace.graph) for i in s.outputs} if moved else set()
    end = min(moved.values(), default=-1)
    found = []
    for i, step in enumerate(steps):
        write = write_at(steps, i, step.inputs) if step.span is not None and i < end else None
        value = steps[write.value] if write is not None else step
        if write is None or write.adds or sign_of(value.op) != "-" or write.array not in given:
            continue
        read, one = value.inputs
        if steps[read].inputs[:1] == (write.array,) and steps[one].is_const and steps[one].value == 1:
            found.append(write.value)
    return [i for i in found if steps[i].span == steps[found[0]].span]


def _of_labels(trace: Trace, i: int) -> tuple[Trace, int]:
    """``-log(p)`` of what a softmax gives for the labels."""
    trace, logarithm = extended(trace, "log", (trace.graph.steps[i].inputs[0],))
    return extended(trace, "neg", (logarithm,))


def _whole_sum(i: int, steps: Sequence[Step]) -> int:
    """``y - m*x - c`` where ``y - m*x`` is a part of it, written in one."""
    while True:
        users = [k for k in range(i + 1, min(i + NEAR, len(steps))) if i in steps[k].inputs]
        span, outer = steps[i].span, steps[users[0]].span if len(users) == 1 else None
        if span is None or outer is None or sign_of(steps[users[0]].op) not in ("+", "-"):
            return i
        if outer.line != span.line or not outer.column <= span.column or not span.end_column <= outer.end_column:
            return i
        i = users[0]


def _first_epoch(trace: Trace) -> Trace:
    """The run until every parameter has been moved once: all rounds of training are alike."""
    moves = set(_moved(trace).values())
    if not moves:
        return trace
    # The next round reads it under other names.
    first = {b.step: n for n, b in reversed(list(enumerate(trace.bindings))) if b.step in moves}
    last = max(first.values(), default=-1)
    kept = trace.bindings[: last + 1]
    return replace(trace.until(max((b.step for b in kept), default=-1) + 1), bindings=kept)


def _parameters(trace: Trace) -> dict[int, int]:
    """What is moved, and where that begins; what derivatives are called after, and is not moved: never."""
    return dict.fromkeys(_claimed(trace), len(trace.graph)) | _moved(trace)


def _claimed(trace: Trace) -> set[int]:
    """Inputs that something is called the gradient by: ``weights[0]`` where there is ``nabla_w[-2]``."""
    steps = trace.graph.steps
    names = {f.step: f.name for f in trace.leaves if steps[f.step].is_input}
    called = {normal(name): i for i, name in names.items()}
    found = set()
    for name in {b.name for b in trace.bindings if not steps[b.step].is_leaf}:
        exact = [called[c.bottom] for c in claims(name) if not c.top and c.bottom in called]
        found.update(exact or [abbreviated(name, list(names), names)])
    return found - {-1}


def _moved(trace: Trace) -> dict[int, int]:
    """Inputs from which something is taken away, or to which something is added, under their own names -> the step at
    which that begins. What is made of a name's value otherwise is the state of a forward pass: ``a = tanh(w @ a)``."""
    starts: dict[str, int] = {}
    moved: dict[str, int] = {}
    reached: dict[str, Sequence[bool]] = {}
    for b in trace.bindings:
        if trace.graph.steps[b.step].is_input:
            starts.setdefault(b.name, b.step)
        elif b.name in starts and b.name not in moved:
            if b.name not in reached:
                reached[b.name] = trace.graph.dependents(starts[b.name])
            if reached[b.name][b.step] and _is_a_move(b.step, trace.graph.steps):
                moved[b.name] = b.step
    return {starts[name]: step for name, step in moved.items()}


def _is_a_move(i: int, steps: Sequence[Step]) -> bool:
    """A sum, a difference, or what was written into."""
    while not steps[i].is_leaf and OPS[steps[i].op].renames:
        i = steps[i].inputs[0]
    if steps[i].is_leaf:
        return False  # handed to a function, under the same name
    return sign_of(steps[i].op) in ("+", "-") or write_at(steps, i, steps[i].inputs) is not None


def _added(trace: Trace, differences: list[int], make: Callable[[Trace, int], tuple[Trace, int]]) -> tuple[Trace, int]:
    """What ``make`` gives for each difference, all added up to one number."""
    total = -1
    for i in differences:
        trace, part = make(trace, i)
        if trace.graph.steps[part].shape:
            trace, part = extended(trace, "sum", (part,))
        trace, total = (trace, part) if total < 0 else extended(trace, "add", (total, part))
    return trace, total


def _square(trace: Trace, i: int) -> tuple[Trace, int]:
    return extended(trace, "mul", (i, i))


def _cross_entropy(trace: Trace, i: int) -> tuple[Trace, int]:
    """``-(y*log(p) + (1 - y)*log(1 - p))``, whose derivative by the argument of the sigmoid p is ``p - y``."""
    found = _outcome(trace, i, _sigmoid)
    assert found is not None  # else this is not among the ways
    trace, one = _number(trace, Fraction(1))
    total = -1
    for of_one in (False, True):
        parts = []
        for part in found:
            trace, held = extended(trace, "sub", (one, part)) if of_one else (trace, part)
            parts.append(held)
        trace, logarithm = extended(trace, "log", (parts[0],))
        trace, term = extended(trace, "mul", (parts[1], logarithm))
        trace, total = (trace, term) if total < 0 else extended(trace, "add", (total, term))
    return extended(trace, "neg", (total,))


def _poisson(trace: Trace, i: int) -> tuple[Trace, int]:
    """``p - y*log(p)``, whose derivative by the argument of the exponential p is ``p - y``."""
    found = _outcome(trace, i, _exp)
    assert found is not None  # else this is not among the ways
    trace, logarithm = extended(trace, "log", (found[0],))
    trace, term = extended(trace, "mul", (found[1], logarithm))
    return extended(trace, "sub", (found[0], term))


def _outcome(trace: Trace, i: int, function: Link) -> tuple[int, int] | None:
    """p and y of a difference of p = function(z) and y, however the function is written; ``None`` if it is none."""
    steps = trace.graph.steps
    for p, y in (steps[i].inputs, steps[i].inputs[::-1]):
        z = p
        while len(others := [j for j in steps[z].inputs if not steps[j].is_const]) == 1:
            z = others[0]
            expected = function(np.asarray(trace.values[z], dtype=np.float64))
            if np.shape(expected) == np.shape(trace.values[p]) and np.allclose(expected, trace.values[p], 1e-9, 1e-12):
                return p, y
    return None


def _sigmoid(z: Values) -> Values:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-z)))


def _exp(z: Values) -> Values:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(z))


#: Generalised linear models: the function by which what is predicted comes of a linear one, the loss whose gradient is
#: then what is predicted less what is known (McCullagh and Nelder, Generalized Linear Models, 2.2.4), and its name.
LINKS: tuple[tuple[Link, Callable[[Trace, int], tuple[Trace, int]], str], ...] = (
    (_sigmoid, _cross_entropy, "cross-entropy"),
    (_exp, _poisson, "negative log-likelihood of a Poisson distribution"),
)


def _number(trace: Trace, value: Fraction) -> tuple[Trace, int]:
    """The run with one constant more."""
    steps = trace.graph.steps
    made = Step(f"%{len(steps)}", CONST, (), (("value", value),))
    return grown(trace, (*steps, made)), len(steps)


def _single(words: str) -> str:
    """The sum or mean of one thing is that thing."""
    return words.replace("mean(", "", 1).replace("sum(", "", 1).replace("**2)", "**2", 1)


def _text(source: str, span: Span | None) -> str:
    lines = source.split("\n")
    if span is None or span.line != span.end_line or not 0 < span.line <= len(lines):
        return ""
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]


__all__ = ["Objective", "objectives", "of_an_objective", "stands_for_want", "trained"]
