"""One graph of named steps: the form that every input becomes.

An expression, a script, a traced function and symgrad's own backward pass are all a :class:`Graph`: immutable
:class:`Step` objects in topological order, each assigned once. This module knows nothing of derivatives and
nothing of what an op means; it is plain data, and goes to JSON and back without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, Union

from symgrad.errors import InternalError, Span
from symgrad.swift import swift

#: Op names with a meaning for the graph itself: leaves have no inputs and no rule.
INPUT = "input"
CONST = "const"

#: A parameter of a step: what is fixed when the graph is made, and never differentiated. Plain data, tuples nested as
#: deep as need be: an axis tuple, the pad widths of every axis, an index specification.
Param: TypeAlias = Union[Fraction, int, str, bool, tuple["Param", ...], None]  # noqa: UP007  (a recursive alias)

GRAPH_SCHEMA = 1


@swift
@dataclass(frozen=True, slots=True)
class Step:
    """One assignment ``name = op(inputs)``.

    Attributes:
        name: unique within the graph. A name that the user did not write is ``%`` and a number; the n-th value
            of a name that is assigned again is ``name#n``. Neither can be written by a user.
        op: the op's name in the table of ``symgrad.ops``, or ``"input"`` or ``"const"``.
        inputs: positions of earlier steps.
        params: sorted pairs; for a ``const`` the pair ``("value", Fraction | "pi" | "E")``.
        shape: of the value; ``()`` for a scalar.
        span: where the user wrote it.
        of: for a step of a backward pass, the (forward step, input position) whose chain-rule factor it is.
    """

    name: str
    op: str
    inputs: tuple[int, ...] = ()
    params: tuple[tuple[str, Param], ...] = ()
    shape: tuple[int, ...] = ()
    span: Span | None = None
    of: tuple[int, int] | None = None
    #: Asked of every step time and again, and so kept.
    is_leaf: bool = field(init=False, repr=False, compare=False)
    is_input: bool = field(init=False, repr=False, compare=False)
    is_const: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kind = self.op
        _SET_INPUT(self, kind == INPUT)
        _SET_CONST(self, kind == CONST)
        _SET_LEAF(self, kind in (INPUT, CONST))

    @property
    def value(self) -> Fraction | str:
        """The value of a ``const`` step: an exact rational, or the name of a constant."""
        value = self.params[0][1] if self.params else None
        if self.op != CONST or not isinstance(value, Fraction | str):
            raise InternalError(f"step {self.name} is no constant")
        return value

    @property
    def is_hidden(self) -> bool:
        """True where the user gave it no name."""
        return self.name.startswith("%")


_SET_LEAF, _SET_INPUT, _SET_CONST = (vars(Step)[name].__set__ for name in ("is_leaf", "is_input", "is_const"))


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps in topological order, and which of them is the result.

    Attributes:
        steps: every step's inputs stand before it.
        output: position of the result.
        source: the text that spans point into (empty if there is none).
    """

    steps: tuple[Step, ...]
    output: int
    source: str = ""

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    @property
    def variables(self) -> dict[str, int]:
        """Name -> position of each input step, in order of first use."""
        return {s.name: i for i, s in enumerate(self.steps) if s.op == INPUT}

    def find(self, name: str) -> int:
        """The position of the step called ``name``.

        Raises:
            KeyError: there is none.
        """
        for i, step in enumerate(self.steps):
            if step.name == name:
                return i
        raise KeyError(name)

    def ancestors(self, *targets: int) -> list[bool]:
        """For each position, whether some target depends on it (a target depends on itself)."""
        needed = [False] * len(self.steps)
        for t in targets:
            needed[t] = True
        for i in range(max(targets, default=-1), -1, -1):
            if needed[i]:
                for j in self.steps[i].inputs:
                    needed[j] = True
        return needed

    def dependents(self, *sources: int) -> list[bool]:
        """For each position, whether it depends on some source (a source depends on itself)."""
        depends = [False] * len(self.steps)
        for source in sources:
            depends[source] = True
        for i in range(min(sources, default=len(self.steps)), len(self.steps)):
            for j in self.steps[i].inputs:
                if depends[j]:
                    depends[i] = True
                    break
        return depends

    def verify(self) -> Graph:
        """Check the invariants and return self.

        Raises:
            InternalError: an input stands after its use, a name is taken twice, or a leaf has inputs.
        """
        seen: set[str] = set()
        for i, step in enumerate(self.steps):
            if step.name in seen:
                raise InternalError(f"two steps are called {step.name}")
            seen.add(step.name)
            if any(not 0 <= j < i for j in step.inputs):
                raise InternalError(f"step {step.name} uses a step that does not stand before it")
            if step.is_leaf and step.inputs:
                raise InternalError(f"the leaf {step.name} has inputs")
        if not 0 <= self.output < len(self.steps):
            raise InternalError("the graph has no output step")
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain data: only dict, list, str, int, bool and None."""
        return {
            "schema": GRAPH_SCHEMA,
            "output": self.output,
            "source": self.source,
            "steps": [_step_to_json(s) for s in self.steps],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Graph:
        """The inverse of :meth:`to_json`; the result is verified.

        Raises:
            InternalError: the document breaks an invariant or is of another schema.
        """
        if data.get("schema") != GRAPH_SCHEMA:
            raise InternalError(f"graph schema {data.get('schema')!r} is not {GRAPH_SCHEMA}")
        steps = tuple(_step_from_json(s) for s in data["steps"])
        return Graph(steps, int(data["output"]), str(data["source"])).verify()


def _step_to_json(step: Step) -> dict[str, Any]:
    out: dict[str, Any] = {"name": step.name, "op": step.op}
    if step.inputs:
        out["inputs"] = list(step.inputs)
    if step.params:
        out["params"] = {k: _param_to_json(v) for k, v in step.params}
    if step.shape:
        out["shape"] = list(step.shape)
    if step.span is not None:
        s = step.span
        out["span"] = [s.file, s.line, s.column, s.end_line, s.end_column]
    if step.of is not None:
        out["of"] = list(step.of)
    return out


def _param_to_json(value: Param) -> Any:
    if isinstance(value, Fraction):
        return {"rational": f"{value.numerator:x}/{value.denominator:x}"}
    return {"tuple": [_param_to_json(v) for v in value]} if isinstance(value, tuple) else value


def _param_from_json(value: Any) -> Param:
    if isinstance(value, dict):
        if "rational" in value:
            top, bottom = value["rational"].split("/")
            return Fraction(int(top, 16), int(bottom, 16))
        return tuple(_param_from_json(v) for v in value["tuple"])
    if value is None or isinstance(value, bool | int | str):
        return value
    raise InternalError(f"{value!r} is no step parameter")


def _step_from_json(data: Mapping[str, Any]) -> Step:
    span, of, params = data.get("span"), data.get("of"), data.get("params")
    return Step(
        str(data["name"]),
        str(data["op"]),
        tuple(map(int, data.get("inputs", ()))),
        tuple(sorted((k, _param_from_json(v)) for k, v in params.items())) if params else (),
        tuple(map(int, data.get("shape", ()))),
        Span(*span) if span is not None else None,
        (int(of[0]), int(of[1])) if of is not None else None,
    )


class GraphBuilder:
    """Collects steps, gives each a unique name, and shares equal constants.

    With ``share=True`` equal steps (same op, inputs and params) are made once; a backward pass wants that, a
    user's own text does not, since every line of it must stay visible.
    """

    def __init__(self, base: Graph | None = None, *, share: bool = False, source: str = "") -> None:
        self.steps: list[Step] = list(base.steps) if base else []
        self.source = base.source if base else source
        self._names: set[str] = {s.name for s in self.steps}
        self._versions: dict[str, int] = {}
        self._share = share
        # Of equal steps the first counts: what comes later here is overwritten.
        last = len(self.steps) - 1
        self._known: dict[tuple[object, ...], int] = {
            (s.op, s.inputs, s.params): last - i for i, s in enumerate(reversed(self.steps)) if share or s.op == CONST
        }

    def fresh(self, wanted: str) -> str:
        """``wanted`` if it is free, else ``wanted#2``, ``wanted#3``, ..."""
        if wanted not in self._names:
            self._names.add(wanted)
            return wanted
        n = self._versions.get(wanted, 1) + 1
        while f"{wanted}#{n}" in self._names:
            n += 1
        self._versions[wanted] = n
        name = f"{wanted}#{n}"
        self._names.add(name)
        return name

    def add(
        self,
        op: str,
        inputs: Iterable[int] = (),
        *,
        name: str = "",
        params: tuple[tuple[str, Param], ...] = (),
        shape: tuple[int, ...] = (),
        span: Span | None = None,
        of: tuple[int, int] | None = None,
    ) -> int:
        """Append a step and return its position (or that of an equal one, where sharing is on)."""
        ins = tuple(inputs)
        shared = (self._share or op == CONST) and not name
        key = (op, ins, params)
        if shared and key in self._known:
            return self._known[key]
        index = len(self.steps)
        if name:
            unique = self.fresh(name)
        else:
            unique = f"%{index}"
            self._names.add(unique)
        self.steps.append(Step(unique, op, ins, params, shape, span, of))
        if shared:
            self._known[key] = index
        return index

    def const(self, value: Fraction | str, span: Span | None = None) -> int:
        return self.add(CONST, params=(("value", value),), span=span)

    def rename(self, index: int, name: str) -> None:
        """Give a hidden step the name that the user assigns it to."""
        step = self.steps[index]
        unique = self.fresh(name)
        self._names.discard(step.name)
        self.steps[index] = Step(
            unique, step.op, step.inputs, step.params, step.shape, step.span, step.of
        )

    def build(self, output: int) -> Graph:
        return Graph(tuple(self.steps), output, self.source)
