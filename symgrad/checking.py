"""The whole pipeline on one page: a target in, a Report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from symgrad import symbolic
from symgrad.backward import rows
from symgrad.derivation import Derivation, Entry, Manual, pick_variables
from symgrad.errors import SymgradError
from symgrad.formats import get_format
from symgrad.frontends import expression
from symgrad.graph import Graph
from symgrad.naming import display_names
from symgrad.picturing import plain
from symgrad.printing import expression_text
from symgrad.report.model import Forms, GradientReport, Report
from symgrad.report.picture import Drawing
from symgrad.steps import READABLE, backward_steps, forward_steps

if TYPE_CHECKING:
    from symgrad.points import Point

__all__ = ["Manual", "check_expression", "derive", "read_target"]


def derive(
    target: Any, wrt: Sequence[str] | str | None = None, *, order: int = 1, simplify_seconds: float = 1.0
) -> Derivation:
    """Derive the exact derivative of an expression. Imports no torch.

    Args:
        target: text such as ``"x*tanh(x)"`` (several statements allowed), a SymPy expression, or a Graph.
        wrt: names of the variables to differentiate by; all by default.
        order: 1 for the gradient, 2 for the Hessian.
        simplify_seconds: budget for simplification, counted in work so that the result does not depend on the machine.

    Raises:
        SymgradError: the target cannot be used; the error says where and why.
    """
    if order not in (1, 2):
        raise SymgradError(f"order must be 1 or 2, not {order}")
    graph = read_target(target)
    positions = pick_variables(graph, wrt)
    return Derivation(graph, positions, order, rows(graph, positions, order, "taught"), simplify_seconds)


def check_expression(
    target: Any,
    at: Point | None = None,
    *,
    wrt: Sequence[str] | str | None = None,
    dtype: str = "float64",
    device: str = "cpu",
    order: int = 1,
    simplify_seconds: float = 1.0,
    manual: Mapping[str, Manual] | None = None,
) -> Report:
    """Derive the derivative of ``target``, and hold every witness of it at a point against the proven value.

    Args:
        target: as for :func:`derive`.
        at: the point: ``{"w": 2}`` (numbers, or text such as ``"pi/4"``) or ``"w=2"``. Without it the report holds
            the derivation alone, and torch is not imported.
        wrt, order, simplify_seconds: as for :func:`derive`.
        dtype: float64, float32, bfloat16 or float16: the format in which the witnesses compute. The exact value is
            proven at the binary values that this format makes of ``at``.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        manual: the user's own derivatives, by variable: one more witness each.

    Returns:
        a Report; ``report.ok`` and ``report.verdict`` sum it up.

    Raises:
        SymgradError: the input cannot be used: a syntax error, a missing value, a point outside a function's domain, an
            unknown dtype, a device that is not there.
    """
    fmt = get_format(dtype)
    derivation = derive(target, wrt, order=order, simplify_seconds=simplify_seconds)
    graph = derivation.graph
    point = None
    if at is not None:
        # What judges at a point is imported where there is one.
        from symgrad.points import read_point

        point = read_point(graph, at, fmt)
    names = display_names(graph)
    text = target if isinstance(target, str) else graph.source or expression.to_text(graph)
    gradients = [_closed_form(entry, names, graph) for entry in derivation.entries]
    report = Report(
        target=text, source=graph.source, result=names[graph.output] or "f", at={}, dtype=fmt.name, device=device,
        order=order, value="", verdict="agree", gradients=tuple(gradients), steps=(), backward=(), findings=(),
        graph=graph, rows=derivation.rows,
    )  # fmt: skip
    if point is None:
        walked = backward_steps(derivation.rows[0], names, None) if order == 1 else ()
        drawn = Drawing(lambda: plain(graph, derivation.wrt, names))
        return replace(report, steps=forward_steps(graph, names, None), backward=walked, drawing=drawn)
    from symgrad.judging import judged

    return judged(report, derivation, point, fmt, names, manual or {})


def read_target(target: Any) -> Graph:
    """Text, a SymPy expression or a Graph, as a Graph."""
    if isinstance(target, Graph):
        return target.verify()
    if isinstance(target, str):
        return expression.parse(target)
    if hasattr(target, "free_symbols") and hasattr(target, "func"):
        return symbolic.from_sympy(target)
    raise SymgradError(f"symgrad cannot check a {type(target).__name__}: give text or a SymPy expression")


def _closed_form(entry: Entry, names: Sequence[str], graph: Graph) -> GradientReport:
    result = names[graph.output] or "f"
    parts = entry.label.split(",")
    if len(parts) == 1:
        written = f"d{result}/d{entry.label}"
    else:
        below = f"d{parts[0]}2" if parts[0] == parts[1] else f"(d{parts[0]} d{parts[1]})"
        written = f"d2{result}/{below}"
    reverse = entry.row.reverse
    inputs = {i for i, s in enumerate(graph.steps) if s.is_input}
    chain = expression_text(reverse.graph, entry.target, stop=inputs, limit=READABLE) or ""
    return GradientReport(entry.label, written, chain, Forms(lambda: _simplified(entry)))


def _simplified(entry: Entry) -> tuple[str, str]:
    """The simplified form as text, unless it is too long, and in LaTeX."""
    closed = entry.closed
    if closed.reason:
        return "", ""
    text = symbolic.sympy_text(closed.simplified)
    return text if len(text) <= READABLE else "", symbolic.sympy_latex(closed.simplified)
