"""From a script or an expression to the source of its correct backward pass: ``symgrad FILE.py --emit numpy``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.api import is_code
from symgrad.codegen import LANGUAGES, emit, pruned
from symgrad.diagnose.naming import claims, normal
from symgrad.diagnose.subject import Subject
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.subjects import choose


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
) -> str:
    """The correct backward pass of a script's forward pass, in the names that the script uses.

    Args:
        source: the script's text.
        filename: the name to use in messages.
        language: ``"numpy"``, ``"torch"`` or ``"latex"``.
        loss, mapping, sandbox, timeout: as for ``symgrad.diagnosing.check_source``.
        wrt: the inputs to differentiate by; those of which the script works out a gradient, or else all.
        style: how the derivative by ``x`` is called: ``"d{}"``, ``"grad_{}"``; as the script does if not given.

    Returns:
        source text; see :func:`symgrad.codegen.emit`.

    Raises:
        SymgradError: the script cannot be used, or holds a function that the language has not.
    """
    _known(language)
    if sandbox:
        from symgrad.frontends.sandbox import run_source

        trace = run_source(source, filename, timeout=timeout)
    else:
        from symgrad.frontends.tracing import trace_source

        trace = trace_source(source, filename)
    if trace.error is not None and (trace.error.fatal or not trace.bindings):
        raise trace.error.exception(source)
    subject = choose(trace, loss, mapping or {})
    inputs = _inputs(trace, subject, wrt)
    if language == "latex":
        return latex(subject.graph, inputs)
    values = dict(subject.point)
    names = [b.name for b in trace.bindings]
    return emit(subject.graph, inputs, language, style=style, names=names, values=values).text


def emit_file(path: str | os.PathLike[str], language: str = "numpy", **options: Any) -> str:
    """The same for a ``.py`` or ``.ipynb`` file; see :func:`emit_source` for the options.

    Raises:
        SymgradError: the file cannot be read or used.
    """
    if os.fspath(path).endswith(".ipynb"):
        from symgrad.frontends.notebook import read_notebook

        notebook = read_notebook(path)
        try:
            return emit_source(notebook.source, notebook.file, language, **options)
        except SymgradError as error:
            raise notebook.located(error) from None
    from symgrad.frontends import sandbox

    source, _ = sandbox.read_text(path)
    return emit_source(source, os.path.basename(os.fspath(path)), language, **options)


def emit_target(target: str | os.PathLike[str], language: str = "numpy", **options: Any) -> str:
    """The same for whatever can be checked: a path, or the text of an expression.

    Args:
        target: a path that ends in ``.py`` or ``.ipynb``, or an expression.
        language: ``"numpy"``, ``"torch"`` or ``"latex"``.
        options: for code those of :func:`emit_source`; for expressions ``wrt`` and ``shapes``.

    Raises:
        SymgradError: as for :func:`emit_source`; the expression does not parse, or its shapes do not fit.
    """
    _known(language)
    if is_code(target):
        return emit_file(target, language, **options)
    graph = _graph(os.fspath(target), options.pop("shapes", ()))
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


def _graph(text: str, shapes: Any) -> Graph:
    """An expression of numbers, or of arrays where shapes are given. What is no single number is summed up with an
    upstream gradient."""
    if not shapes:
        from symgrad.checking import read_target

        return read_target(text)
    from symgrad.shaped.checking import function_of

    return function_of(text, shapes)


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
