"""Gradients of arrays that the user worked out: formulas of the variables and of the function's own named steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.tensors import parse_tensors
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import Shape
from symgrad.report.model import Finding


@dataclass(frozen=True, slots=True)
class Given:
    """One of them.

    Attributes:
        wrt: the variable.
        graph: the function, and after it the formula; ``target`` is its value.
        shape: of the formula; ``wanted``: of the variable.
        text: the formula.
    """

    wrt: str
    graph: Graph
    target: int
    shape: Shape
    wanted: Shape
    text: str

    @property
    def fits(self) -> bool:
        return self.shape == self.wanted


def formulas(
    manual: Mapping[str, str] | str | None, loss: Graph, names: Sequence[str], data: Collection[str],
    wrt: Sequence[str],
) -> list[Given]:  # fmt: skip
    """Read the user's formulas.

    Args:
        manual: variable -> formula; one formula alone belongs to the only variable.
        loss: the function. Formulas may use its inputs, the upstream gradient included, and its named steps.
        names: of its steps, as they are shown. ``data``: names that are no values.
        wrt: the variables that are differentiated by.

    Raises:
        SymgradError: a formula cannot be read, or is for no variable.
    """
    if manual is None:
        return []
    if isinstance(manual, str):
        if len(wrt) != 1:
            raise SymgradError(f"whose gradient is this? write NAME=FORMULA; the variables are {', '.join(wrt)}")
        manual = {wrt[0]: manual}
    places = {n: i for i, n in enumerate(names) if n and n not in data}
    places |= {s.name: i for i, s in enumerate(loss.steps) if s.is_input and s.name not in data}
    out = []
    for name, text in manual.items():
        if name not in wrt:
            raise SymgradError(
                f"--manual is for '{name}', which is not differentiated by{did_you_mean(name, wrt)}",
                hint=f"the variables are {', '.join(wrt)}",
            )
        shapes = {n: loss.steps[i].shape for n, i in places.items()}
        # A label is never a value; but a formula may pick entries with it.
        parsed = parse_tensors(text, shapes, {}, file=f"--manual {name}")
        graph, target = _after(loss, parsed.graph, places)
        wanted = loss.steps[loss.variables[name]].shape
        out.append(Given(name, graph, target, graph.steps[target].shape, wanted, text))
    return out


def _after(base: Graph, extra: Graph, places: Mapping[str, int]) -> tuple[Graph, int]:
    """Both graphs as one: the inputs of ``extra`` are steps of ``base``."""
    builder = GraphBuilder(base)
    moved: list[int] = []
    for step in extra.steps:
        if step.is_input:
            moved.append(places[step.name])
        else:
            name = "" if step.is_hidden else step.name
            moved.append(
                builder.add(step.op, (moved[j] for j in step.inputs), name=name, params=step.params, shape=step.shape)
            )
    return builder.build(base.output), moved[extra.output]


def misshapen(given: Given, result: str) -> Finding:
    """The finding for a formula whose shape is not the variable's."""
    turned = given.shape == given.wanted[::-1] and len(given.shape) > 1
    hint = "a gradient has the shape of its variable" + ("; is it the transpose?" if turned else "")
    message = f"your d{result}/d{given.wrt} has shape {given.shape}; {given.wrt} has shape {given.wanted}"
    return Finding("wrong-shape", message, hint=hint, root=True, mistake="wrong-shape", found=given.text)
