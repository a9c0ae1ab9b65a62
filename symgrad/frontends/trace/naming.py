"""Values get names: what an assignment of the script makes known to the graph."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.errors import Span
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.cells import Cells
from symgrad.frontends.trace.guard import Guard
from symgrad.frontends.trace.sites import Instrumented, Site
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.unset import Unset
from symgrad.frontends.trace.values import TracedFloat, TracedInt, Value, number
from symgrad.ops.base import COPY

#: Rows of lists of lists are known by name up to this many.
MOST_ROWS = 1000


class Naming:
    """The helpers of the rewriting that stand where the script assigns, appends, returns or sets an entry."""

    def __init__(self, source: str, filename: str) -> None:
        self.tracer = Tracer(source, filename)
        self.guard = Guard(self.tracer)
        self.cells = Cells(self.tracer)
        #: With the node, which must not go away: another one could get its id, and its place.
        self.spans: dict[int, tuple[ast.AST, Span]] = {}
        self.made = Instrumented()
        #: The rows of lists of lists, by identity, with what they are called; kept, so that no other gets their place.
        self.rows: dict[int, tuple[list[Any], str]] = {}
        #: Lists of zeros into which nothing is put.
        self.unset = Unset()

    def span(self, node: ast.AST) -> Span:
        """The place of a node of the original text."""
        key = id(node)
        if key not in self.spans:
            line = getattr(node, "lineno", 1)
            end_line = getattr(node, "end_lineno", None) or line
            start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None) or 0
            column = self.tracer.column
            span = Span(self.tracer.filename, line, column(line, start), end_line, column(end_line, end))
            self.spans[key] = (node, span)
        return self.spans[key][1]

    def bind(self, index: int, value: Any, scope: str) -> Any:
        site = self.made.sites[index]
        return self.bound(site, site.name, self.renamed(site, value), scope)

    def renamed(self, site: Site, value: Any) -> Any:
        """``b = a``: from here on ``a`` and ``b`` are two things to the reader, so they are two steps of the graph.

        Else what is computed from ``b`` could not be told from what is computed from ``a``, and a line that wrongly
        leaves out all but ``a`` would seem to change ``a`` itself.
        """
        tr = self.tracer
        if not isinstance(value, TracedFloat) or value.step is None or site.augmented:
            return value
        plain = isinstance(site.node, ast.Name | ast.Attribute)
        if not tr.varies[value.step] or (tr.builder.steps[value.step].is_hidden and not plain):
            return value
        step = tr.emit(COPY, (value.step,), value.raw, span=self.span(site.node))
        return number(tr, value.raw, step, value.flavour)

    def handed_back(self, index: int, value: Any) -> Any:
        """``return self.w``: a line that may be wrong, though it computes nothing, and so a step of its own."""
        self.tracer.alive()
        return self.renamed(self.made.sites[index], value)

    def append(self, index: int, value: Any, scope: str, owner: Any) -> Any:
        site = self.made.sites[index]
        return self.bound(site, f"{site.name}[{len(owner)}]", value, scope) if type(owner) is list else value

    def set_attribute(self, index: int, value: Any, scope: str, owner: Any, name: str) -> None:
        site = self.made.sites[index]
        value = self.renamed(site, value)
        whole = type(value) is int and self.cells.holds(owner, name)
        make = self.leaf if whole else self.bound
        spelled = f"{site.name}.{name}"
        called = self._called(owner, scope)
        value = make(site, f"{called}.{name}" if called else spelled, value, scope)
        if called and (last := self.tracer.bindings[-1:]) and last[0].name == f"{called}.{name}":
            self.tracer.bindings[-1] = replace(last[0], written=spelled)
        self.guard.setattr(owner, name, value)
        if type(owner) in self.guard.classes:
            self.cells.write(owner, name, site.name, value, self.guard.reads)
            self.guard.reads = {}

    def _called(self, owner: Any, scope: str) -> str:
        """``b.g = ...`` in a function that is given one array after the other: what that array is called outside."""
        if not scope or not isinstance(owner, Value) or owner.step is None:
            return ""
        return next((b.name for b in self.tracer.bindings if b.step == owner.step and b.name.isidentifier()), "")

    def set_item(self, index: int, value: Any, scope: str, owner: Any, key: Any) -> None:
        self.tracer.alive()
        site = self.made.sites[index]
        row = self.rows.get(id(owner)) if type(owner) is list and "[" in site.name else None
        name = row[1] if row is not None and row[0] is owner else site.name  # dw[k][i]: which row that is
        owner[key] = self.bound(site, f"{name}[{key_text(key)}]", self.renamed(site, value), scope)

    def bound(self, site: Site, name: str, value: Any, scope: str) -> Any:
        """A value gets a name: a plain number becomes a named input, a traced one is recorded under the name."""
        tr = self.tracer
        if isinstance(value, Value):
            if value.step is not None and tr.varies[value.step]:
                tr.bind(name, value.step, self.span(site.node), site.line, scope, site.augmented)
                return value
            return self.leaf(site, name, value, scope)
        if type(value) is float or (type(value) is int and site.literal):
            return self.leaf(site, name, value, scope)
        self.unset.bound(site, name, value, scope)
        if type(value) is list and value and type(value[0]) is list and len(value) <= MOST_ROWS:
            self.rows.update((id(inner), (inner, f"{name}[{i}]")) for i, inner in enumerate(value))
        if site.fresh:
            return self.elements(site, name, value, scope)
        if type(value) is dict and not site.augmented:
            # params = init(3, 4): zeros that a function made have no name yet.
            for key, inner in value.items():
                if isinstance(inner, Array) and inner.step is None and inner.data.dtype.kind == "f":
                    value[key] = self.leaf(site, f"{name}[{key_text(key)}]", inner, scope)
        if type(value) in self.guard.classes and not site.augmented:
            self.named_parts(site, name, value, scope, 0)
        if site.each is not None and type(value) in (list, dict):
            # dz = [p - y for ...]: the gradient of each entry is one to be judged. So is {name: 0.0 for name in w},
            # to which each of them is added.
            for key, inner in list(value.items() if type(value) is dict else enumerate(value)):
                rows = type(inner) is list and site.each.each is not None
                if isinstance(inner, TracedFloat | Array) or rows or site.each.literal:
                    entry = f"{name}[{key_text(key)}]"
                    value[key] = self.bound(site.each, entry, self.renamed(site.each, inner), scope)
        return value

    def named_parts(self, site: Site, name: str, value: Any, scope: str, depth: int) -> None:
        """A layer of torch.nn gets a name: so do its parameters, ``fc1.weight``."""
        layer = self.tracer.of_ours("torch.nn.Module") if self.tracer.of_ours is not None else None
        if layer is None or not isinstance(value, layer) or depth > 8:
            return
        tr = self.tracer
        for key, part in list(vars(value).items()):
            inner = f"{name}[{key}]" if key.isdecimal() else f"{name}.{key}"
            if isinstance(part, Tensor) and part.step is not None and part.node is not None and part.node.is_leaf:
                if tr.builder.steps[part.step].name.startswith("self."):
                    tr.builder.rename(part.step, inner)
                tr.bind(inner, part.step, self.span(site.node), site.line, scope, "")
            else:
                self.named_parts(site, inner, part, scope, depth + 1)

    def elements(self, site: Site, name: str, value: Any, scope: str) -> Any:
        """``ws = [0.1, 0.2]`` and ``p = {"w": 0.5}``: the numbers of a display are named one by one."""
        kind = type(value)
        if kind is dict and len(value) == len(site.elements):
            for (key, inner), part in zip(list(value.items()), site.elements, strict=True):
                value[key] = self.bound(part, f"{name}[{key_text(key)}]", inner, scope)
        elif kind in (list, tuple) and len(value) == len(site.elements):
            made = [
                self.bound(part, f"{name}[{i}]", inner, scope)
                for i, (inner, part) in enumerate(zip(value, site.elements, strict=True))
            ]
            if kind is tuple:
                return tuple(made)
            value[:] = made
        return value

    def leaf(self, site: Site, name: str, value: Any, scope: str, span: Span | None = None) -> Any:
        """A number that nothing was computed for: an input of the graph, called as the user calls it."""
        tr = self.tracer
        raw = value.raw if isinstance(value, Value) else value
        dtype = value.dtype if isinstance(value, Array) else "int64" if isinstance(raw, int) else "float64"
        try:
            recorded = raw if isinstance(raw, np.ndarray) and raw.ndim else float(raw)
        except OverflowError:
            return value
        quiet = span is not None
        span = span or self.span(site.node)
        step = tr.leaf(name, recorded, span, literal=site.literal, dtype=dtype, scope=scope)
        tr.bind(name, step, span, span.line if quiet else site.line, scope, site.augmented)
        if isinstance(value, Array):
            value.step = step
            if isinstance(value, Tensor) and value.node is not None:
                tr.grad_steps.add(step)
            return value
        if isinstance(value, TracedInt):
            return number(tr, type(raw)(raw), step)
        return number(tr, raw, step, value.flavour if isinstance(value, Value) else 0)


def key_text(key: Any) -> str:
    """A key as the user would write it."""
    if isinstance(key, str):
        # A name is printed by reports: nothing in it may drive a terminal, or fill it.
        return f'"{key}"' if key.isprintable() and len(key) <= 60 else repr(key[:60])
    if isinstance(key, Value):
        return "..." if np.ndim(key.raw) else repr(key.raw)
    if isinstance(key, tuple):
        return ", ".join(key_text(k) for k in key)
    return repr(key) if isinstance(key, float) or (isinstance(key, int) and key.bit_length() < 64) else "..."
