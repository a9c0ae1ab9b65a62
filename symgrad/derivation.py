"""A derivative as an object: closed form, simplified form, steps, LaTeX, and a torch function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symgrad import symbolic
from symgrad.backward import Row, rows
from symgrad.errors import SymgradError, Unsupported, did_you_mean
from symgrad.graph import Graph
from symgrad.naming import display_names
from symgrad.ops import lower
from symgrad.picturing import plain
from symgrad.report.paper import sections
from symgrad.report.tex import derivation_latex

if TYPE_CHECKING:
    import sympy as sp
    import torch


def pick_variables(graph: Graph, wrt: Sequence[str] | str | None) -> tuple[int, ...]:
    """Positions of the variables to differentiate by, all if ``wrt`` is ``None``.

    Raises:
        SymgradError: a name is no variable, or there is no variable at all.
    """
    variables = graph.variables
    if not variables:
        raise SymgradError("there is nothing to differentiate by: the expression has no variable")
    if wrt is None:
        return tuple(variables.values())
    wanted = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in wanted:
        if name not in variables:
            known = ", ".join(variables)
            raise SymgradError(
                f"cannot differentiate by '{name}': it is no variable of the expression{did_you_mean(name, variables)}",
                hint=f"the variables are {known}",
            )
    return tuple(variables[name] for name in dict.fromkeys(wanted))


@dataclass(frozen=True, slots=True)
class Manual:
    """A derivative that the user computes: a step of a graph, with the exact values of that graph's inputs."""

    graph: Graph
    target: int
    point: Mapping[int, Fraction]


@dataclass(frozen=True)
class Entry:
    """One derivative of a :class:`Derivation`.

    Attributes:
        label: ``"w"``, or ``"x,z"`` for a second derivative.
        row: the reverse pass that it belongs to.
        target: its position there.
        seconds: the budget for simplification.
    """

    label: str
    row: Row
    target: int
    seconds: float

    @cached_property
    def closed(self) -> symbolic.ClosedForm:
        """The closed form, simplified and checked; ``closed.reason`` says why there is none."""
        return symbolic.closed_form(self.row.reverse.graph, self.target, seconds=self.seconds)

    @property
    def expr(self) -> sp.Expr:
        """The derivative as the chain rule gives it, a SymPy expression in real symbols.

        Raises:
            Unsupported: a closed form would be too large, or hold numbers too large, to be written down.
        """
        if self.closed.reason:
            raise Unsupported(self.closed.reason)
        return self.closed.expr

    @property
    def simplified(self) -> sp.Expr:
        """The shortest equal form that the budget finds, checked against the graph before it is given.

        Raises:
            Unsupported: as for :attr:`expr`.
        """
        if self.closed.reason:
            raise Unsupported(self.closed.reason)
        return self.closed.simplified


@dataclass(frozen=True)
class Derivation:
    """The exact derivative of a function, derived but not yet evaluated.

    Attributes:
        graph: the function.
        wrt: positions of the variables.
        order: 1 or 2.
        rows: the reverse passes as taught.
        seconds: the budget for simplification.
    """

    graph: Graph
    wrt: tuple[int, ...]
    order: int
    rows: tuple[Row, ...]
    seconds: float = 1.0
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables of the function, in order of first use: the order of arguments of :meth:`torch`."""
        return tuple(self.graph.variables)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The single derivatives: one per variable, or one per pair of variables for order 2."""
        return tuple(
            Entry(label, row, target, self.seconds)
            for row in self.rows
            for label, target in zip(row.labels, row.targets, strict=True)
        )

    def __getitem__(self, label: str) -> Entry:
        """The derivative with respect to ``label`` (``"x"``, or ``"x,z"`` for order 2).

        Raises:
            KeyError: it was not derived.
        """
        for entry in self.entries:
            if entry.label == label or entry.label == ",".join(reversed(label.split(","))):
                return entry
        raise KeyError(label)

    @property
    def expr(self) -> Any:
        """The derivative as the chain rule gives it: an Expr, or for several derivatives a SymPy Matrix.

        The Matrix is a column (the gradient) for order 1 and the symmetric Hessian for order 2.

        Raises:
            Unsupported: a closed form would be too large; use :attr:`steps`.
        """
        return self._collect("expr")

    @property
    def simplified(self) -> Any:
        """Like :attr:`expr`, simplified within the budget and checked numerically before it is given."""
        return self._collect("simplified")

    def _collect(self, kind: str) -> Any:
        forms = {e.label: getattr(e, kind) for e in self.entries}
        if len(forms) == 1:
            return next(iter(forms.values()))
        import sympy as sp

        if self.order == 1:
            return sp.ImmutableMatrix(list(forms.values()))
        names = [self.graph.steps[i].name for i in self.wrt]
        return sp.ImmutableMatrix([[forms.get(f"{a},{b}", forms.get(f"{b},{a}")) for b in names] for a in names])

    @property
    def steps(self) -> Graph:
        """The derivation as named steps: forward steps, then one backward step per chain-rule factor."""
        return self.rows[0].reverse.graph

    @property
    def names(self) -> list[str]:
        """The names under which the forward steps are shown."""
        return display_names(self.graph)

    def latex(self, *, notation: str = "fraction") -> str:
        """The derivation as a LaTeX ``align*`` environment (amsmath): steps, chain-rule factors, result.

        Args:
            notation: how the derivative by x is written: ``"fraction"`` (df/dx), ``"bar"``, or ``"d"`` (dx).

        Raises:
            SymgradError: there is no such notation.
        """
        return derivation_latex(plain(self.graph, self.wrt), self._closed(), self.order, notation)

    def _closed(self) -> dict[str, str]:
        """The simplified forms in LaTeX; empty where one is too large."""
        found = {entry.label: entry.closed for entry in self.entries}
        return {n: "" if c.reason else symbolic.sympy_latex(c.simplified) for n, c in found.items()}

    def _repr_html_(self) -> str:
        from symgrad.report.notebook import typeset_lines

        return typeset_lines(sections(plain(self.graph, self.wrt), self._closed(), order=self.order))

    def _repr_latex_(self) -> str:
        from symgrad.report.notebook import mathjax

        return mathjax(sections(plain(self.graph, self.wrt), self._closed(), order=self.order))

    def torch(
        self, *, dtype: str | None = None, device: str | None = None, value: bool = False, compile: bool | None = None
    ) -> TorchDerivative:
        """The derivative as a function on torch tensors, evaluated with the accurate local factors.

        Many points are evaluated in blocks that fit the cache, or in a loop that the machine's C compiler makes (a
        fraction of a second): see :mod:`symgrad.bulk`. The last digit may then differ from that of a few points.

        Args:
            dtype: float64, float32, bfloat16 or float16; by default that of the tensors given.
            device: ``"cpu"`` or ``"cuda"``; by default that of the tensors given, an accelerator before the CPU.
            value: give the function's value too, before its derivatives.
            compile: whether a loop may be compiled: where so many points were evaluated that it pays (``None``), at
                once (``True``; on CUDA one kernel by torch.compile, which takes seconds), or never (``False``).

        Raises:
            SymgradError: the dtype is unknown or the device is not there.
        """
        return TorchDerivative(self, dtype, device, value, compile)


class TorchDerivative:
    """A derivative that can be called on tensors of any (broadcastable) shape.

    Call it with one argument per variable of the function, by position in the order of ``variables`` or by name. It
    returns a tensor of the broadcast shape, or for several derivatives a tuple of them in the order of ``labels``; with
    ``value=True`` the function's value comes first.
    """

    def __init__(
        self, derivation: Derivation, dtype: str | None, device: str | None, value: bool = False,
        compile: bool | None = None,
    ) -> None:  # fmt: skip
        from symgrad import evaluate, formats
        from symgrad.bulk.evaluation import Bulk

        self.variables = derivation.variables
        self.labels = tuple(e.label for e in derivation.entries)
        self._dtype = evaluate.torch_dtype(formats.get_format(dtype)) if dtype is not None else None
        self._device = evaluate.torch_device(device) if device is not None else None
        accurate = rows(derivation.graph, derivation.wrt, derivation.order, "accurate")
        self._plans = []
        for n, row in enumerate(accurate):
            low = lower(row.reverse.graph)
            wanted = [derivation.graph.output] if value and n == 0 else []
            inputs = [low.place[i] for i in derivation.graph.variables.values()]
            targets = [low.place[t] for t in (*wanted, *row.targets)]
            self._plans.append(Bulk(low.graph, inputs, targets, compile))

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Evaluate at the given values: tensors, or anything that ``torch.as_tensor`` takes.

        Raises:
            TypeError: a variable is missing, unknown, or given twice.
        """
        import torch

        from symgrad import formats

        if len(args) > len(self.variables):
            raise TypeError(f"takes {len(self.variables)} arguments ({', '.join(self.variables)}), not {len(args)}")
        given = dict(zip(self.variables, args, strict=False))
        for name, value in kwargs.items():
            if name not in self.variables or name in given:
                raise TypeError(f"'{name}' is given twice" if name in given else f"there is no variable '{name}'")
            given[name] = value
        missing = [v for v in self.variables if v not in given]
        if missing:
            raise TypeError(f"no value for {', '.join(missing)}")
        tensors = [v for v in given.values() if isinstance(v, torch.Tensor)]
        dtype, device = self._dtype, self._device
        if dtype is None:
            floating = [t.dtype for t in tensors if t.dtype.is_floating_point]
            dtype = floating[0] if floating else torch.float64
            formats.get_format(str(dtype))
        if device is None:
            # As in torch, a number that lies on the CPU goes to where the others are.
            there = [t.device for t in tensors if t.dim()] or [t.device for t in tensors] or [torch.device("cpu")]
            device = next((d for d in there if d.type != "cpu"), there[0])
        values = [torch.as_tensor(given[n]).detach().to(device=device, dtype=dtype) for n in self.variables]
        shape = torch.broadcast_shapes(*(v.shape for v in values))  # type: ignore[no-untyped-call]
        out = [found for plan in self._plans for found in plan(values, shape, dtype, device)]
        return out[0] if len(out) == 1 else tuple(out)
