"""Functions of the caller's own: a forward and a backward function, or one that holds a derivation."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from symgrad.checking import check_expression
from symgrad.diagnose.meaning.functions import tied
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, normal
from symgrad.effort import ran, within
from symgrad.errors import SymgradError, Unsupported
from symgrad.frontends import calling, roles
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.functions import plain_function, source_of
from symgrad.frontends.trace.trusted import Trusted
from symgrad.frontends.trace.writes import whole
from symgrad.graph import Graph
from symgrad.manual import Work, check_formulas, check_work
from symgrad.manual.reporting import with_what_lacked
from symgrad.printing import to_text
from symgrad.report.model import Finding, Report
from symgrad.subjects.chosen import choose, subject_of
from symgrad.subjects.copies import told_apart

#: Seconds that finding out what is wrong may take.
TIMEOUT = 20.0


def check_backward(
    forward: Any,
    backward: Any = None,
    inputs: Any = (),
    upstream: Any = None,
    returns: Sequence[str] | None = None,
    *,
    strict: bool = False,
    witnesses: bool = False,
    timeout: float = TIMEOUT,
) -> Report:
    """Check a backward pass against its forward pass, both functions of your own.

    They run in this process, once under tracing (and again with each repair), so this is for code that you trust. Their
    text is read from their file; findings point into it. Traced are both functions, what they call in the same file,
    and ``math``, NumPy and torch; see :class:`symgrad.frontends.trace.trusted.Trusted` for what is not. Objects are
    left as they were.

    Args:
        forward: a function or bound method; or, without ``backward``, an object or class with methods ``forward`` and
            ``backward`` (of a class the inputs that its ``__init__`` names are given to that), or a
            ``torch.autograd.Function`` or its ``apply``. It returns a number; or the number and then what backward
            needs (``out, cache``); or several numbers, if ``upstream`` has several. Without ``backward``, a function
            that returns a loss and then its gradients. Numbers may be arrays throughout.
        backward: a function or bound method. Its parameters are told by their names: those of forward's inputs are the
            inputs; ``dout``, ``grad_output``, ``dy`` and the like are upstream gradients; ``cache`` and the like is
            what forward returned beside its output.
        inputs: the values, as a dictionary by parameter, a tuple in order, or one number. Numbers in dictionaries and
            lists among them are inputs as well.
        upstream: dL/d(output), or a tuple or dictionary of them; if not given 1.5, or random numbers in the output's
            shape, so that one that is not used shows.
        returns: what backward returns, in order, for example ``("dw", "dx")``; ``""`` for what is no gradient. Without
            it the keys of a returned dictionary tell, or the names in the return statement, or else the order of the
            inputs. For a torch.autograd.Function it is always the order.
        strict, witnesses: as for :func:`symgrad.manual.check_source`.
        timeout: about so many seconds may be spent on finding out what is wrong. The functions themselves may take as
            long as they do.

    Raises:
        SymgradError: the functions cannot be found, called or traced, or return what is no gradient.
    """
    if backward is None:
        forward, inputs = roles.made(forward, inputs)
    pair = roles.pair(forward, backward)
    source, filename = calling.file_of(pair)
    called: list[calling.Called] = []

    def run(text: str) -> Trace:
        begin = time.monotonic()
        called.append(calling.call(pair, inputs, upstream, returns, text, filename))
        ran(time.monotonic() - begin)
        return called[-1].trace

    def chosen(trace: Trace, _like: Subject | None) -> Subject:
        return call_subject(trace, called[-1].loss, called[-1].gradients)

    trace = run(source)
    if trace.error is not None and not called[-1].loss:
        raise trace.error.exception(source)
    missing = [missing_finding(name, span) for name, span in called[-1].missing]
    notes = [Finding("note", message, span) for message, span in called[-1].notes]
    work = Work(source, _shown(filename), run, chosen, what="backward pass")
    with within(timeout) as effort:
        report = check_work(work, trace, strict=strict, witnesses=witnesses, found=missing)
    report = with_what_lacked(report, effort)
    return replace(report, findings=(*report.findings, *notes))


def missing_finding(name: str, span: Any) -> Finding:
    return Finding(
        "never-assigned", f"None is returned for '{name}', on which the output depends", span, f"d{name}",
        mistake="never-assigned", found="None", root=True,
    )  # fmt: skip


def call_subject(trace: Trace, loss: str, gradients: Mapping[str, int]) -> Subject:
    """What is to be diagnosed of a run in which a forward and a backward function were called.

    Args:
        loss: the name under which what is differentiated is bound.
        gradients: name of a returned gradient -> the step that it is the gradient of.

    Raises:
        SymgradError: forward has no finite value.
    """
    subject = None
    if loss:
        trace = tied(trace)
        first = {b.step: b.order for b in reversed(trace.bindings)}
        named = {name: first[step] for name, step in gradients.items() if step in first}
        trace = told_apart(_from_the_call_on(trace, min(gradients.values(), default=0)))
        steps = {b.order: b.step for b in trace.bindings}
        step = next(b.step for b in reversed(trace.bindings) if b.name == loss)
        subject = subject_of(trace, step, {name: steps[order] for name, order in named.items()})
    if subject is None:
        raise SymgradError("forward has no finite value at these inputs")
    return subject


def _from_the_call_on(trace: Trace, begun: int) -> Trace:
    """The run without what its file did by itself before the functions were called, and what these know nothing of."""
    needed = trace.graph.ancestors(*range(begun, len(trace.graph)))
    kept = tuple(b for b in trace.bindings if b.step >= begun or needed[b.step])
    return replace(trace, bindings=kept)


def _shown(filename: str) -> str:
    """The file as it is seen from here."""
    relative = os.path.relpath(filename)
    return os.path.basename(filename) if relative.startswith("..") else relative


def is_callable(target: Any) -> bool:
    """A function or method, or something with ``forward`` and ``backward``."""
    import inspect

    return inspect.isroutine(target) or (hasattr(target, "forward") and hasattr(target, "backward"))


def check_function(
    function: Any, at: Any = None, manual: Mapping[str, str] | str | None = None, **options: Any
) -> Report:
    """Check a function of your own: the derivation that it holds, or its derivative.

    Args:
        function: if it works out a derivative (lines such as ``dx = ...``, or several results), those are checked as a
            script's are; if not, its derivative is, as an expression's. Something with ``forward`` and ``backward``
            goes to :func:`check_backward`.
        at: the inputs: a dictionary by parameter, a tuple in order, or one number.
        manual: formulas of the derivative, as for ``symgrad.check``.
        options: as for :func:`check_backward`, or for ``symgrad.check`` with an expression.

    Raises:
        SymgradError: as for :func:`check_backward`.
    """
    if hasattr(function, "forward") and hasattr(function, "backward") and manual is None:
        return check_backward(function, None, at, **options)
    for name in ("loss", "mapping", "sandbox"):
        if name in options:
            raise SymgradError(f"'{name}' is for scripts, and this is a function")
    if isinstance(at, str):
        raise SymgradError("the inputs of a function are values: at={'x': 0.5}")
    target, owner = plain_function(function)
    source, filename = source_of(target)
    part = roles.Part(target, () if owner is None else (owner,))
    if at is None:
        raise SymgradError("a function is traced at a point: give 'at', for example at={'x': 0.5}")
    inputs = roles.bound_inputs(part, at)
    first = next(iter(target.__code__.co_varnames), "") if owner is not None else ""

    def run(text: str) -> Trace:
        begin = time.monotonic()
        found = whole(Trusted(text, filename).trace(target, ({first: owner} if first else {}) | inputs))
        ran(time.monotonic() - begin)
        return found

    trace = run(source)
    if trace.error is not None:
        raise trace.error.exception(source)
    if manual is None and _is_derivation(trace):
        extra = {k: options.pop(k) for k in ("strict", "witnesses") if k in options}
        timeout = options.pop("timeout", TIMEOUT)
        if options:
            raise SymgradError(f"'{next(iter(options))}' is for expressions, and the function holds a derivation")
        work = Work(source, _shown(filename), run, lambda t, like: choose(t, None, {}, like), what="function")
        with within(timeout) as effort:
            report = check_work(work, trace, **extra)
        return with_what_lacked(report, effort)
    if "timeout" in options:
        raise SymgradError("'timeout' is for derivations, and the function holds none")
    graph, point = _pruned(trace)
    if manual is not None:
        report = check_formulas(graph, manual, point, **options)
    else:
        report = check_expression(graph, point, **options)
    return replace(report, target=to_text(graph).replace("return_ = ", ""))  # and not all of the file


def _is_derivation(trace: Trace) -> bool:
    """Some line is called as a derivative by something before it, or several things are returned."""
    known: set[str] = set()
    for b in trace.bindings:
        if any(c.bottom in known for c in claims(b.name)):
            return True
        known.add(normal(b.name))
    return any(b.name.startswith("return[") for b in trace.bindings)


def _pruned(trace: Trace) -> tuple[Graph, dict[str, Fraction]]:
    """What the result is computed from, and the values of the inputs.

    Raises:
        SymgradError: the result is no number that depends on an input.
    """
    if not any(b.name == "return" for b in trace.bindings):
        raise SymgradError("the function returns no number that depends on its inputs")
    whole = trace.graph
    for step in whole.steps:
        if step.shape:
            message = "a function of arrays needs a backward pass to check: symgrad.check_backward(forward, backward)"
            raise Unsupported(message, step.span, source=whole.source)
    needed = whole.ancestors(whole.output)
    kept = [i for i in range(len(whole)) if needed[i]]
    place = {i: n for n, i in enumerate(kept)}
    steps = tuple(replace(whole.steps[i], inputs=tuple(place[j] for j in whole.steps[i].inputs)) for i in kept)
    graph = Graph(steps, place[whole.output], whole.source)
    point = {whole.steps[i].name: Fraction(float(trace.values[i])) for i in kept if whole.steps[i].is_input}
    return graph, point
