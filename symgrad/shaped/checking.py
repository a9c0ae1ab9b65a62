"""The whole pipeline for arrays: an expression with shapes and values in, a report out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.arrays import Program
from symgrad.backward import Backward, backward
from symgrad.errors import SymgradError, did_you_mean
from symgrad.formats import Format, get_format
from symgrad.frontends.shapes import Literal, nested, read_array, read_shapes
from symgrad.frontends.tensors import Parsed, parse_tensors, unknown_names
from symgrad.frontends.tokens import Source
from symgrad.graph import INPUT, Graph, GraphBuilder
from symgrad.judge import DISAGREE, UNDEFINED
from symgrad.judging import digits
from symgrad.naming import display_names
from symgrad.ops import Formula, Shape
from symgrad.ops.entries import MOST, bracket, too_large
from symgrad.picturing import number_of, picture
from symgrad.report.arrays import ArrayGradient, ArrayReport, ArrayWitness
from symgrad.report.model import Finding
from symgrad.shaped.judging import Computed, Proofs, Runner, entry_name, proven, refused, worst
from symgrad.shaped.manual import Given, formulas, misshapen
from symgrad.shaped.points import ArrayPoint, points, read_literals
from symgrad.shaped.steps import backward_lines, forward_lines, prefix

#: Reasons that are written out; the rest is counted.
MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class Function:
    """A function of arrays, ready to be differentiated.

    Attributes:
        graph: the function as written.
        loss: the same with an upstream gradient where the result is no single number: its output is one. ``seed`` is
            then the step of that gradient, else -1.
        names: of the steps of ``graph``, as they are shown.
        data: names that hold labels or places.
        wrt: the variables to differentiate by.
        letter: what stands before a name for its gradient.
    """

    graph: Graph
    loss: Graph
    seed: int
    names: list[str]
    data: frozenset[str]
    wrt: tuple[int, ...]
    letter: str

    @property
    def upstream(self) -> str:
        """The name of the upstream gradient; empty where there is none."""
        return self.loss.steps[self.seed].name if self.seed >= 0 else ""

    @property
    def shape(self) -> Shape:
        return self.graph.steps[self.graph.output].shape


def check_arrays(
    target: str,
    at: Any = None,
    *,
    shapes: Any = (),
    upstream: Any = None,
    wrt: Sequence[str] | str | None = None,
    dtype: str = "float64",
    device: str = "cpu",
    order: int = 1,
    manual: Mapping[str, str] | str | None = None,
    simplify_seconds: float = 1.0,  # noqa: ARG001  (there is nothing to simplify)
    strict: bool = False,  # noqa: ARG001
) -> ArrayReport:
    """Derive the gradient of an expression of arrays, and hold every witness of it against the proven values.

    Args:
        target: text such as ``"sum(tanh(W @ x + b)**2)"``; the last of several statements is the function.
        at: values, ``{"W": [[1, 2], [3, 4]]}`` or ``"W=[[1,2],[3,4]]"``. What is not given is drawn: the same numbers
            in every run, no two alike.
        shapes: of the other names, ``{"W": (3, 4)}``, ``"W=3x4"`` or several such texts.
        upstream: the gradient that flows into a result that is no single number, of its shape; drawn if not given.
        wrt: names of the variables to differentiate by; all by default.
        dtype: float64, float32, bfloat16 or float16: the format in which the witnesses compute.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        order: 1: second derivatives of arrays are not handled.
        manual: the user's own gradients, as formulas of arrays.

    Raises:
        SymgradError: the input cannot be used: a syntax error, shapes that do not fit, a point outside a function's
            domain, an unknown dtype, a device that is not there.
    """
    fmt = get_format(dtype)
    if order != 1:
        raise SymgradError("second derivatives are for functions of single numbers", hint="leave out --order")
    literals = read_literals(at)
    function = _function(target, literals, read_shapes(shapes), wrt)
    seeded = _upstream(upstream, function)
    reverse = backward(function.loss, function.wrt, "taught")
    mine = formulas(
        manual, function.loss, function.names, function.data, [function.graph[i].name for i in function.wrt]
    )
    used = function.loss.ancestors(function.loss.output)
    wanted = [i for i, s in enumerate(function.loss.steps) if s.is_input and (used[i] or i in function.wrt)]
    if sum(math.prod(function.loss.steps[i].shape) for i in wanted) > MOST:
        raise too_large()
    first: SymgradError | None = None
    for point in points(function.loss, wanted, {**literals, **seeded}, fmt):
        try:
            found = proven(function.loss, function.graph.output, function.wrt, point.values, function.names)
        except SymgradError as problem:
            first = first or problem
            if not refused(problem):
                raise
            continue
        return _report(target, function, reverse, point, found, fmt, device, literals, mine)
    if first is None:
        raise SymgradError("there is no point to check at")
    raise first


def _function(
    target: str, literals: Mapping[str, Literal], shapes: Mapping[str, Shape], wrt: Sequence[str] | str | None
) -> Function:
    known = dict(shapes)
    for name, literal in literals.items():
        if known.setdefault(name, literal.shape) != literal.shape:
            raise SymgradError(
                f"--shape says that '{name}' has shape {known[name]}, and --at gives it values of shape {literal.shape}"
            )
    whole = {n: _nest(v) for n, v in literals.items() if all(x.denominator == 1 for x in v.numbers)}
    parsed = parse_tensors(target, known, whole)
    graph = parsed.graph
    unknown_names(literals, graph, "--at")
    unknown_names(shapes, graph, "--shape")
    names = display_names(graph)
    result = names[graph.output] or "f"
    letter = prefix(names)
    loss, seed = graph, -1
    if graph.steps[graph.output].shape:
        builder = GraphBuilder(graph)
        m = Formula(builder)
        seed = builder.add(INPUT, name=letter + result, shape=graph.steps[graph.output].shape)
        loss = builder.build(m.sum(m.ref(graph.output) * m.ref(seed)).index)
    return Function(graph, loss, seed, names, parsed.data, _variables(parsed, wrt), letter)


def function_of(target: str, shapes: Any, at: Any = None) -> Graph:
    """The graph of an expression of arrays, with an upstream gradient as one more input where it is no single number.

    Raises:
        SymgradError: it does not parse, or its shapes do not fit.
    """
    return _function(target, read_literals(at), read_shapes(shapes), None).loss


def _nest(literal: Literal) -> Any:
    """Whole numbers, nested."""
    numbers = [int(n) for n in literal.numbers]
    for n in reversed(literal.shape[1:]):
        numbers = [numbers[k : k + n] for k in range(0, len(numbers), n)] if n else numbers  # type: ignore[misc]
    return numbers if literal.shape else numbers[0]


def _variables(parsed: Parsed, wrt: Sequence[str] | str | None) -> tuple[int, ...]:
    """Positions of the variables to differentiate by.

    Raises:
        SymgradError: there is none, or a name is no variable.
    """
    variables = {n: i for n, i in parsed.graph.variables.items() if n not in parsed.data}
    if not variables:
        raise SymgradError("there is nothing to differentiate by: the expression has no variable")
    if wrt is None or not wrt:
        return tuple(variables.values())
    for name in [wrt] if isinstance(wrt, str) else wrt:
        if name in parsed.data:
            raise SymgradError(f"cannot differentiate by '{name}': it holds labels or places")
        if name not in variables:
            raise SymgradError(
                f"cannot differentiate by '{name}': it is no variable of the expression{did_you_mean(name, variables)}",
                hint=f"the variables are {', '.join(variables)}",
            )
    return tuple(variables[n] for n in dict.fromkeys([wrt] if isinstance(wrt, str) else wrt))


def _upstream(given: Any, function: Function) -> dict[str, Literal]:
    """The upstream gradient by its name, where one is given.

    Raises:
        SymgradError: it has another shape than the result, or the result is a single number.
    """
    if given is None:
        return {}
    if function.seed < 0:
        raise SymgradError("the result is a single number: its gradient needs no --upstream")
    literal = read_array(Source(given, "--upstream"), 0, len(given), "upstream") if isinstance(given, str) else nested(
        given, "upstream"
    )  # fmt: skip
    if literal.shape != function.shape:
        raise SymgradError(f"--upstream has shape {literal.shape}; the result has shape {function.shape}")
    return {function.loss.steps[function.seed].name: literal}


# --- the report ---------------------------------------------------------------------------------------------------


def _report(
    target: str, function: Function, reverse: Backward, point: ArrayPoint, proofs: Proofs, fmt: Format, device: str,
    literals: Mapping[str, Literal], manual: Sequence[Given],
) -> ArrayReport:  # fmt: skip
    graph, names = function.graph, function.names
    runner = Runner(function.loss, function.wrt, point.values, fmt, device, names)
    taught = runner.taught(reverse)
    computed = {"symbolic": runner.symbolic(proofs), "autograd": runner.autograd(reverse, taught), "backward": taught}
    floats = point.floats()
    targets = range(len(reverse.graph))
    values = Program(reverse.graph, targets)({i: floats.get(i, _zeros(reverse.graph, i)) for i in targets})
    result = names[graph.output] or "f"
    lines = backward_lines(reverse, names, function.letter, graph.output, values)
    shown = {line.name: line.formula for line in lines}
    own = {given.wrt: given for given in manual if given.fits}
    gradients = []
    for n, i in enumerate(function.wrt):
        name = graph.steps[i].name
        truths = proofs.gradients[n]
        witnesses = {kind: c.judge(n, truths, fmt, name) for kind, c in computed.items()}
        if name in own:
            witnesses["manual"] = _judged(runner, own[name], truths, fmt, name)
        undefined, span = _undefined(proofs, function, truths, name, computed["autograd"], n)
        verdicts = [w.verdict for w in witnesses.values()] + [UNDEFINED] * bool(undefined)
        verdict = worst(verdicts)
        if verdict == UNDEFINED and any(v == DISAGREE for v in verdicts):
            verdict = DISAGREE
        symbol = f"d{result}/d{name}" if function.seed < 0 else function.letter + name
        gradients.append(
            ArrayGradient(
                name, symbol, graph.steps[i].shape, shown.get(function.letter + name, "0"),
                _texts(truths, proofs.proof.bits), undefined, span, witnesses, verdict,
            )
        )  # fmt: skip
    findings = [*_findings(gradients), *(misshapen(g, result) for g in manual if not g.fits)]
    verdict = worst([g.verdict for g in gradients] + [DISAGREE for g in manual if not g.fits])
    at = {function.loss.steps[i].name: v.astype(float).tolist() for i, v in point.values.items()}
    at |= {name: _nest(literals[name]) for name in function.data}
    return ArrayReport(
        target=target, source=graph.source, result=result, shape=function.shape,
        shapes={s.name: s.shape for s in function.loss.steps if s.is_input}, at=at, drawn=point.drawn,
        data=tuple(sorted(function.data)), upstream=function.upstream,
        dtype=fmt.name, device=device, value=_value(proofs), verdict=verdict, gradients=tuple(gradients),
        steps=forward_lines(graph, names, values), backward=lines, findings=tuple(findings), graph=graph,
        reverse=reverse, prefix=function.letter,
        picture=picture(
            reverse, names, (reverse, number_of(values)), result=result, upstream=function.upstream,
            output=graph.output,
        ),
    )  # fmt: skip


def _judged(runner: Runner, given: Given, truths: Any, fmt: Format, name: str) -> ArrayWitness:
    """The user's own gradient, run as it is written, against its own rounding bounds."""
    whole = Backward(given.graph, len(given.graph), {}, (), (), (given.target,))
    return runner.run(whole, [given.target]).judge(0, truths, fmt, name)


def _zeros(graph: Graph, index: int) -> Any:
    import numpy as np

    return np.zeros(graph.steps[index].shape)


def _texts(truths: Any, bits: int) -> Any:
    """The proven digits of each entry, nested."""
    import numpy as np

    from symgrad.enclosure import precision

    with precision(bits):
        out = [digits(t) if t.defined else "" for t in truths.reshape(-1)]
    return np.array(out, dtype=object).reshape(truths.shape).tolist()


def _value(proofs: Proofs) -> Any:
    import numpy as np

    from symgrad.enclosure import Proven

    wrapped = np.empty(proofs.value.size, dtype=object)
    for n, ball in enumerate(proofs.value.reshape(-1)):
        wrapped[n] = Proven(ball, reason="" if ball.is_finite() else "it is not finite")
    return _texts(wrapped.reshape(proofs.value.shape), proofs.proof.bits)


def _undefined(
    proofs: Proofs, function: Function, truths: Any, name: str, autograd: Computed, n: int
) -> tuple[dict[str, str], Any]:
    """Entry -> why it has no derivative, and where in the text the first of these stands."""
    out: dict[str, str] = {}
    span = None
    for flat, truth in enumerate(truths.reshape(-1)):
        if truth.defined:
            continue
        where = proofs.numbers
        reason = truth.reason
        if truth.where is not None:
            number = truth.where if truth.where < len(where.graph) else where.graph.output
            reason = f"at {entry_name(where, function.loss, number, function.names)}: {reason}"
            span = span or where.graph.steps[number].span
        if truth.kink is not None and autograd.values is not None:
            reason += f"; torch picks {float(autograd.values[n].reshape(-1)[flat]) + 0.0:.12g}"
        out[name + bracket(flat, truths.shape)] = reason
    return out, span


def _findings(gradients: Sequence[ArrayGradient]) -> list[Finding]:
    """What a caller must look at: each disagreement, each entry without a derivative."""
    out = []
    for g in gradients:
        if g.undefined:
            entries = list(g.undefined)
            listed = ", ".join(entries[:MOST_REASONS])
            more = f" and {len(entries) - MOST_REASONS} more" if len(entries) > MOST_REASONS else ""
            count = math.prod(g.shape)
            whole = f"{len(entries)} of {count} entries, {listed}{more}" if g.shape else "its value"
            message = f"{g.symbol} is not defined here ({whole}): {g.undefined[entries[0]]}"
            out.append(Finding("undefined", message, g.span))
        for kind, witness in g.witnesses.items():
            if witness.verdict == DISAGREE:
                out.append(_disagreement(g, kind, witness))
    return out


def _disagreement(g: ArrayGradient, kind: str, witness: ArrayWitness) -> Finding:
    """Which entries are wrong, and how wrong the worst of them is."""
    count, wrong, mine = math.prod(g.shape), witness.verdicts[DISAGREE], kind == "manual"
    listed = ", ".join(witness.entries) + (f" and {wrong - len(witness.entries)} more" * (wrong > len(witness.entries)))
    found, expected = repr(witness.value), _at(g.exact, witness.entry)
    who = f"your {g.symbol}" if mine else f"{g.symbol} by {kind}"
    if not g.shape:
        message = f"{who} is {found}; the proven value is {expected}"
    else:
        message = f"{who} is wrong in {wrong} of {count} entries, {listed}"
        message += f": {witness.entry} is {found}; the proven value is {expected}"
    return Finding(
        "wrong-value" if mine else "disagreement", message, step=g.wrt, found=found, expected=expected,
        mistake="wrong-value" if mine else "", root=mine,
    )  # fmt: skip


def _at(exact: Any, entry: str) -> str:
    places = entry.partition("[")[2].rstrip("]")
    for place in places.split(",") if places else ():
        exact = exact[int(place)]
    return str(exact)
