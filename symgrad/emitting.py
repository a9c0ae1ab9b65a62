"""From a script or an expression to the source of its correct backward pass: ``symgrad FILE.py --emit numpy``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.api import is_code, is_script, of_arrays
from symgrad.callables import call_subject
from symgrad.codegen.function import LANGUAGES, emit
from symgrad.codegen.pruning import pruned
from symgrad.cutting.problems import problems
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, normal
from symgrad.errors import SymgradError
from symgrad.files.passes import called, fitting
from symgrad.files.programs import Code, opened
from symgrad.frontends.notebook import read_notebook
from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.subjects.chosen import choose


def emit_source(
    source: str,
    filename: str = "script.py",
    language: str = "numpy",
    *,
    loss: str | None = None,
    mapping: Mapping[str, str] | None = None,
    wrt: Sequence[str] = (),
    style: str = "",
    sandbox: bool = True,
    timeout: float = 20.0,
    trace: Trace | None = None,
) -> str:
    """The correct backward pass of a script's forward pass, in the names that the script uses.

    Args:
        source: the script's text.
        filename: the name to use in messages.
        language: ``"numpy"``, ``"torch"`` or ``"latex"``.
        loss, mapping, sandbox, timeout: as for ``symgrad.manual.check_source``.
        wrt: the inputs to differentiate by; those of which the script works out a gradient, or else all.
        style: how the derivative by ``x`` is called: ``"d{}"``, ``"grad_{}"``; as the script does if not given.
        trace: the run of ``source``, where it has been run.

    Returns:
        source text; see :func:`symgrad.codegen.function.emit`.

    Raises:
        SymgradError: the script cannot be used, or holds a function that the language has not.
    """
    _known(language)
    if trace is not None:
        pass
    elif sandbox:
        from symgrad.frontends.sandbox import run_source

        trace = run_source(source, filename, timeout=timeout)
    else:
        from symgrad.frontends.tracing import trace_source

        trace = trace_source(source, filename)
    if trace.error is not None and (trace.error.fatal or not trace.bindings):
        raise trace.error.exception(source)
    parts = problems(trace) if loss is None and not mapping else ()
    if len({part.bindings[-1].line for part in parts}) == len(parts) > 1:  # rounds of one loop are written once
        texts = [_emit_run(part, language, None, {}, wrt, style) for part in parts]
        return _one_after_another([t.replace("def gradients(", f"def gradients_{n}(") for n, t in enumerate(texts, 1)])
    return _emit_run(trace, language, loss, mapping or {}, wrt, style)


def _emit_run(
    trace: Trace, language: str, loss: str | None, mapping: Mapping[str, str], wrt: Sequence[str], style: str
) -> str:
    subject = choose(trace, loss, mapping)
    inputs = _inputs(trace, subject, wrt)
    if language == "latex":
        return latex(subject.graph, inputs)
    values = dict(subject.point)
    names = [b.name for b in trace.bindings]
    return emit(subject.graph, inputs, language, style=style, names=names, values=values).text


def emit_file(
    path: str | os.PathLike[str], language: str = "numpy", *, call: Plan | None = None, **options: Any
) -> str:
    """The same for a ``.py`` or ``.ipynb`` file; see :func:`emit_source` for the options.

    Args:
        call: which functions of it to call, and with what; of a file that runs nothing each pair is called that it has.

    Raises:
        SymgradError: the file cannot be read or used, or no function of it can be called.
    """
    plan, timeout = call or Plan(), options.get("timeout", 20.0)
    notebook = read_notebook(path) if os.fspath(path).endswith(".ipynb") else None
    source, code = opened(path, timeout)
    try:
        return _emit_code(source, code, language, plan, options)
    except SymgradError as error:
        if notebook is not None:
            raise notebook.located(error) from None
        raise


def _emit_code(source: str, code: Code, language: str, plan: Plan, options: Mapping[str, Any]) -> str:
    """What a text runs, or the functions that it holds."""
    if plan.forward or plan.backward:
        return emit_passes(code, [(plan.forward, plan.backward)], language, plan, options.get("wrt", ()))
    trace = code.run(source)
    if trace.passes and not options.get("loss"):
        return emit_passes(code, trace.passes, language, plan, options.get("wrt", ()))
    return emit_source(source, code.name, language, trace=trace, **options)


def emit_passes(
    code: Code, passes: Sequence[tuple[str, str]], language: str, plan: Plan, wrt: Sequence[str] = ()
) -> str:
    """The correct backward passes of a file of functions, one after another.

    Args:
        passes: (forward, backward) of each.
        plan: what they are called with.

    Raises:
        SymgradError: none of them can be called.
    """
    out: list[str] = []
    errors: list[SymgradError] = []
    for forward, backward in passes:
        asked = bool(plan.forward or plan.backward)
        try:
            out.append(_pass(code, plan if asked else fitting(plan, forward, backward), language, wrt))
        except SymgradError as error:
            errors.append(error)
    if errors and not out:
        raise errors[0]
    return _one_after_another(out)


def _one_after_another(texts: Sequence[str]) -> str:
    head = texts[0].split("\n", maxsplit=1)[0] + "\n"
    if not head.startswith("import"):
        return "\n\n".join(texts)
    # once is enough
    return "\n\n".join([texts[0], *(text.removeprefix(head).lstrip("\n") for text in texts[1:])])


def _pass(code: Code, plan: Plan, language: str, wrt: Sequence[str]) -> str:
    """Of one pair: a function under the name of its backward."""
    trace, call = called(code, plan)
    subject = call_subject(trace, call.loss, call.gradients)
    by_name = [i for i in dict.fromkeys(step for _, step in subject.mapped.values()) if i in subject.leaves()]
    inputs = _inputs(trace, subject, wrt) if wrt or not by_name else by_name
    if language == "latex":
        return latex(subject.graph, inputs)
    names = [b.name for b in trace.bindings]
    text = emit(subject.graph, inputs, language, names=names, values=dict(subject.point)).text
    name = (call.backward or f"{call.forward}_gradients").replace(".", "_")
    return text.replace("def gradients(", f"def {name}(", 1)


def emit_target(target: str | os.PathLike[str], language: str = "numpy", **options: Any) -> str:
    """The same for whatever can be checked: a path, or the text of an expression.

    Args:
        target: a path that ends in ``.py`` or ``.ipynb``, the text of a script, or an expression.
        language: ``"numpy"``, ``"torch"`` or ``"latex"``.
        options: for code those of :func:`emit_file`; for expressions ``wrt``, ``shapes`` and ``at``.

    Raises:
        SymgradError: as for :func:`emit_source`; the expression does not parse, or its shapes do not fit.
    """
    _known(language)
    if is_code(target):
        return emit_file(target, language, **options)
    if is_script(target):
        text = os.fspath(target)
        code = Code(text, text, "<source>", "", options.get("timeout", 20.0))
        return _emit_code(text, code, language, options.pop("call", None) or Plan(), options)
    graph = _graph(os.fspath(target), options.pop("shapes", ()), options.pop("at", ()))
    named = options.pop("wrt", None) or list(graph.variables)
    for name in named:
        if name not in graph.variables:
            raise SymgradError(f"--wrt: there is no variable '{name}'; there are {', '.join(graph.variables)}")
    inputs = [graph.variables[name] for name in named]
    return latex(graph, inputs) if language == "latex" else emit(graph, inputs, language, **options).text


def latex(graph: Graph, wrt: Sequence[int]) -> str:
    """The gradients as an ``align*`` environment."""
    from symgrad.report.emitted import emitted_latex

    small, place = pruned(graph, wrt)
    return emitted_latex(small, [place[i] for i in wrt])


def _known(language: str) -> None:
    if language not in LANGUAGES:
        raise SymgradError(f"--emit {language}: choose {', '.join(LANGUAGES[:-1])} or {LANGUAGES[-1]}")


def _graph(text: str, shapes: Any, at: Any) -> Graph:
    """An expression of numbers, or of arrays. What is no single number is summed up with an upstream gradient."""
    if not of_arrays(text, at, {"shapes": shapes}):
        from symgrad.checking import read_target

        return read_target(text)
    from symgrad.shaped.checking import function_of

    return function_of(text, shapes, at or None)


def _inputs(trace: Trace, subject: Subject, wrt: Sequence[str]) -> list[int]:
    """What is differentiated by: what was asked for, what the script does itself, or every input that may vary."""
    leaves = subject.leaves()
    names = {i: subject.names.get(i, subject.graph.steps[i].name) for i in leaves}
    if wrt:
        found = {name: i for i, name in names.items()}
        missing = [n for n in wrt if n not in found]
        if missing:
            raise SymgradError(f"--wrt: there is no input '{missing[0]}'; there are {', '.join(found)}")
        return [found[n] for n in wrt]
    claimed = {c.bottom for u in subject.units for c in claims(u.name)}
    mine = [i for i in leaves if normal(names[i]) in claimed]
    if mine:
        return mine
    whole = {leaf.step for leaf in trace.leaves if not leaf.dtype.startswith(("float", "double"))}
    return [i for i in leaves if i not in whole and i not in subject.frozen] or leaves
