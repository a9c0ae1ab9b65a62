"""A forward and a backward function, run one after the other under one recorder."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgrad.errors import Span, SymgradError, Unsupported
from symgrad.frontends import roles
from symgrad.frontends.above import Above
from symgrad.frontends.returned import Returned
from symgrad.frontends.roles import Pair, Part
from symgrad.frontends.tables import Table, Tables
from symgrad.frontends.trace.arrays import Tensor
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.functions import source_of
from symgrad.frontends.trace.hosting import Hosting
from symgrad.frontends.trace.trusted import Trusted
from symgrad.frontends.trace.values import Value
from symgrad.frontends.trace.writes import valued
from symgrad.graph import Graph


class Unfit(SymgradError):
    """The functions cannot be called in the way that is wanted, whatever they are given."""


@dataclass(slots=True)
class Called:
    """What a run of both came to.

    Attributes:
        trace: the run.
        loss: the name under which what is differentiated is bound; empty where the run did not come so far.
        gradients: name under which a returned gradient is bound -> the step of the input that it belongs to. (Its name
            would not do: forward may give it to something else.)
        missing: (input, place) of a gradient that should have been returned and was ``None``.
        notes: what is to be said besides.
    """

    trace: Trace
    loss: str = ""
    gradients: dict[str, int] = field(default_factory=dict)
    missing: list[tuple[str, Span]] = field(default_factory=list)
    notes: list[tuple[str, Span]] = field(default_factory=list)


#: How far backward moves parameters that it updates at once.
RATE = 0.1
#: What an object calls the output that its forward does not return.
KEPT = ("output", "out", "outputs", "A", "a", "activation", "activations", "Z", "z", "y", "result")
EMPTY = Trace(Graph((), 0), ())


def file_of(pair: Pair) -> tuple[str, str]:
    """The text and name of the file that both functions are in.

    Raises:
        Unsupported: they are in two files, or their text is not to be had.
    """
    source, name = source_of(pair.forward.function)
    if pair.backward is None:
        return source, name
    if source_of(pair.backward.function)[1] != name:
        raise Unsupported("forward and backward are in two files: symgrad traces the functions of one")
    return source, name


def call(
    pair: Pair, inputs: Any, upstream: Any, returns: Sequence[str] | None, source: str, filename: str
) -> Called:
    """Run forward, then backward.

    Args:
        pair: the functions.
        inputs: forward's, by name or in order.
        upstream: dL/d(output); ``None`` for one of our choice.
        returns: what backward returns, in order: ``"dx"`` for the gradient of ``x``.
        source: the text to run, perhaps with repairs in it; ``filename``: the file.

    Raises:
        SymgradError: the functions cannot be called with this, or return what cannot be used.
    """
    try:
        return _called(pair, inputs, upstream, returns, Trusted(source, filename), table=False)
    except Table:
        return _called(pair, inputs, upstream, returns, Trusted(source, filename), table=True)


def _called(
    pair: Pair, inputs: Any, upstream: Any, returns: Sequence[str] | None, run: Trusted, *, table: bool
) -> Called:
    given = roles.bound_inputs(pair.forward, inputs)
    runner = Caller(pair, run, upstream, returns)
    runner.table = table
    count = len(inputs) if isinstance(inputs, Mapping | tuple | list) else 1
    runner.defaults = given.keys() - set(inputs if isinstance(inputs, Mapping) else list(given)[:count])
    try:
        called = runner.run(given)
        called.trace = valued(called.trace)
        return called
    finally:
        runner.run_.restore()


class Caller:
    """One run of a pair of functions.

    Args:
        pair: the functions.
        run: calls them.
        upstream: dL/d(output); ``None`` for one of our choice.
        returns: what backward returns, in order.
        tensors: the functions take tensors of torch.
    """

    def __init__(
        self, pair: Pair, run: Hosting, upstream: Any, returns: Sequence[str] | None, *, tensors: bool = False
    ) -> None:
        self.pair, self.run_, self.upstream, self.returns = pair, run, upstream, returns
        self.tensors = tensors or pair.is_torch
        #: Parameters of forward that were left to their defaults.
        self.defaults: set[str] = set()
        #: The parameters that forward is called with.
        self.given: set[str] = set()
        self.before: dict[str, int] = {}
        #: The steps of the upstream gradients; the name under which what is differentiated is bound.
        self.upstream_steps: list[int] = []
        self.loss_name = ""
        #: Backward is a derivative as a function of forward's ``"input"`` or ``"output"``, and no backward pass.
        self.helper = ""
        #: Backward is a force: the negative gradient of what forward gives, or the gradient.
        self.negative = False
        #: See :class:`symgrad.frontends.plan.Plan`.
        self.mean = self.of_inputs = False
        #: Backward is called as one that returns a Jacobian.
        self.table = False
        #: A parameter of backward that stands for an input of another name -> that input.
        self.stands: dict[str, str] = {}
        #: Backward takes what forward takes, and nothing that flows in from above: it is forward's derivative.
        self.derivative = False
        self.forward_node = run.find(pair.forward.function)
        self.backward_node = self.forward_node if pair.backward is None else run.find(pair.backward.function)

    def run(self, given: Mapping[str, Any], made: Mapping[str, int] | None = None) -> Called:
        """Call forward with ``given``, then backward.

        Args:
            given: by parameter.
            made: the inputs of the graph that are there already: what an object was made with.

        Raises:
            SymgradError: as for :func:`call`.
        """
        run = self.run_
        self.given = set(given)
        #: What had a name before forward began: the parameters of an object, and what is global.
        self.before = {b.name: b.step for b in run.tracer.bindings}
        places = {a.arg: a for a in ast.walk(self.forward_node.args) if isinstance(a, ast.arg)}
        leaves: dict[str, int] = dict(made or {})
        arguments = {
            name: self.adopted(name, value, places.get(name.partition("[")[0], self.forward_node), leaves)
            for name, value in given.items()
        }
        back = self.pair.backward
        context = (run.context(len(given)),) if back is not None and back.context else ()
        result: list[Any] = []
        error = run.attempt(lambda: result.append(self.forward(arguments, context)))
        if error is not None:
            return Called(run.tracer.finish(error))
        if back is None:
            return self.both(result[0], leaves)
        outputs, saved = self.split(self.kept() if result[0] is None else result[0])
        if self.helper:
            return self.derived(outputs, arguments, leaves)
        found = roles.roles(
            back, list(given), saved=bool(saved), output=self.output_name(), is_torch=self.pair.is_torch
        )
        if self.of_inputs:
            found = self.as_inputs(found, list(given))
            stood_for = arguments[next(iter(self.stands.values()))]
            if len(given) == 1:
                raise self.error("backward", "what flows in from above is no input here", Unfit)
            if np.shape(outputs[0].raw) == np.shape(getattr(stood_for, "raw", stood_for)) != ():
                # Of an activation the gradient that flows in is of this shape, and may have been forgotten.
                raise self.error("backward", "what flows in from above is no input here")
        several = len(found.upstream)
        self.derivative = not several and all(role == "input" for _, role in found.roles)
        if several > 1 and len(outputs) == 1 and saved:
            # forward returned (y1, y2) and backward takes a gradient of each
            outputs, saved = self.more_outputs(outputs, saved, several)
        above, tables = Above(self), Tables(self)
        values = above.upstreams(found, outputs)
        loss = above.loss(outputs, values or tables.row(outputs[0]))
        calls = self.backward_arguments(found, arguments, values, saved, outputs)
        answer: list[Any] = []
        error = run.attempt(lambda: answer.append(self.backward(calls, context)))
        called = Called(EMPTY, loss)
        if error is None:
            tables.bind(answer[0], outputs[0], arguments, Returned(self, self.all_leaves(leaves), called))
        called.trace = run.tracer.finish(error)
        return called

    def kept(self) -> Any:
        """What an object keeps as its output, where forward returns nothing: ``self.output``."""
        owner = self.pair.forward.first[0] if self.pair.forward.first else None
        for name in KEPT if owner is not None else ():
            value = getattr(owner, name, None)
            if isinstance(value, Value) and value.step is not None and self.run_.tracer.varies[value.step]:
                return value
        return None

    def as_inputs(self, found: roles.Roles, given: Sequence[str]) -> roles.Roles:
        """Backward's one upstream gradient is what forward was called with: ``def backward(self, dvalues, y_true)`` of
        a loss, which is called with the predictions.

        Raises:
            Unfit: there is not just one such parameter, and one such input.
        """
        taken = {p.name for p, role in found.roles if role == "input"}
        left = [n for n in given if n not in taken]
        if len(left) != 1 or len(found.upstream) != 1:
            raise self.error("backward", "backward takes no input under another name", Unfit)
        self.stands = {found.upstream[0]: left[0]}
        return roles.Roles(tuple((p, "input" if role == "upstream" else role) for p, role in found.roles))

    def derived(self, outputs: Sequence[Any], arguments: Mapping[str, Any], leaves: Mapping[str, int]) -> Called:
        """``sigmoid_derivative(x)``, or of the output: each entry is the derivative of its own entry."""
        tables = Tables(self)
        loss = Above(self).loss(outputs, tables.row(outputs[0]))
        value = outputs[0] if self.helper == "output" else next(iter(arguments.values()))
        part = self.pair.backward
        assert part is not None
        answer: list[Any] = []
        function = self.run_.convert(part.function, "backward")
        error = self.run_.attempt(lambda: answer.append(function(*part.first, value)))
        called = Called(EMPTY, loss)
        if error is None:
            tables.bind(answer[0], outputs[0], arguments, Returned(self, self.all_leaves(leaves), called))
        called.trace = self.run_.tracer.finish(error)
        return called

    def both(self, result: Any, leaves: Mapping[str, int]) -> Called:
        """One function that works out the loss and its gradients, and returns them in this order."""
        if not isinstance(result, tuple | list) or len(result) < 2:
            hint = "name the function that works out the gradients, with --backward, or backward="
            raise self.error("forward", "forward returns no gradients beside its value", hint=hint)
        loss, *rest = result
        if isinstance(loss, Value) and np.size(loss.raw) > 1:
            raise self.error("forward", "what is returned first is the loss, and this is an array of several numbers")
        self.refuse_outputs([loss])
        called = Called(EMPTY, Above(self).loss([loss], []))
        returned = Returned(self, self.all_leaves(leaves), called, first=1)
        returned.bind(rest[0] if len(rest) == 1 else tuple(rest))
        called.trace = self.run_.tracer.finish()
        return called

    def all_leaves(self, leaves: Mapping[str, int]) -> dict[str, int]:
        """The inputs, and then the parameters that the functions found for themselves: in an object, or global."""
        taken = set(leaves.values())
        last = max((b.step for b in self.run_.tracer.bindings if b.name == self.loss_name), default=0)
        given = set(self.upstream_steps)
        own = {leaf.name: leaf.step for leaf in self.run_.tracer.leaves if leaf.step < last} | self.before
        own = {n: i for n, i in own.items() if i not in given}
        return {**leaves, **{n: i for n, i in own.items() if n not in leaves and i not in taken}}

    # --- forward ------------------------------------------------------------------------------------------------

    def adopted(self, name: str, value: Any, at: ast.AST, leaves: dict[str, int]) -> Any:
        """An input: its numbers are inputs of the graph, and named; containers are copied."""
        run = self.run_
        if isinstance(value, Mapping):
            return {k: self.adopted(f'{name}["{k}"]', v, at, leaves) for k, v in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.adopted(f"{name}[{i}]", v, at, leaves) for i, v in enumerate(value))
        made = run.named(name, self.kind(value), at)
        if isinstance(made, Value):
            leaves[name] = made.place
        return made

    def kind(self, value: Any) -> Any:
        """A number as what the functions take: torch's functions take tensors; an array of no axes is a number."""
        if isinstance(value, np.ndarray | np.generic) and not np.ndim(value):
            value = np.float64(value) if value.dtype.kind == "f" else value.item()
        plain = type(value) is float or isinstance(value, np.ndarray | np.floating)
        if self.tensors and plain:
            whole = isinstance(value, np.ndarray) and value.dtype.kind in "iub"
            dtype = str(value.dtype) if isinstance(value, np.ndarray | np.floating) else "float64"
            data = np.asarray(value) if whole else np.asarray(value, dtype=np.float64)
            return Tensor(self.run_.tracer, data, dtype=dtype)
        return value

    def forward(self, arguments: Mapping[str, Any], context: tuple[Any, ...]) -> Any:
        part = self.pair.forward
        plain = {n: v for n, v in arguments.items() if "[" not in n}
        several = [v for n, v in arguments.items() if "[" in n]
        function = self.run_.convert(part.function, "forward")
        if several:
            result = function(*part.first, *context[: part.context], *plain.values(), *several)
        else:
            result = self.keywords(part, function, context[: part.context], plain)
        if self.pair.setup is not None:
            setup = self.run_.convert(self.pair.setup.function)
            setup(context[0], tuple(arguments.values()), result)
        return result

    def keywords(self, part: Part, function: Any, before: tuple[Any, ...], values: Mapping[str, Any]) -> Any:
        only = {p.name for p in part.parameters if p.kind == p.POSITIONAL_ONLY}
        first = [v for n, v in values.items() if n in only]
        return function(*part.first, *before, *first, **{n: v for n, v in values.items() if n not in only})

    def output_name(self) -> str:
        """What forward calls its output: the name that it returns (first)."""
        node = self.run_.returned_at.get("forward")
        value = node.value if node is not None else None
        if isinstance(value, ast.Tuple) and value.elts:
            value = value.elts[0]
        return value.id if isinstance(value, ast.Name) else ""

    def split(self, result: Any) -> tuple[list[Any], list[Any]]:
        """The outputs, and what is saved for backward."""
        if isinstance(result, Mapping):
            wanted = list(self.upstream) if isinstance(self.upstream, Mapping) else [
                k for k, v in result.items() if isinstance(v, Value)
            ]
            if len(wanted) != 1 and not isinstance(self.upstream, Mapping):
                message = "forward returns a dictionary of several numbers: give upstream by its keys"
                raise self.error("forward", message)
            outputs = [result.get(key) for key in wanted]
            saved: list[Any] = []
        elif isinstance(result, tuple | list) and result:
            count = len(self.upstream) if isinstance(self.upstream, tuple | list) else 1
            count = len(result) if self.pair.is_torch else count
            outputs, saved = list(result[:count]), list(result[count:])
        else:
            outputs, saved = [result], []
        self.refuse_outputs(outputs)
        return outputs, saved

    def refuse_outputs(self, outputs: Sequence[Any]) -> None:
        for output in outputs:
            if output is None:
                raise self.error("forward", "forward returns None where a number is needed")
            if not isinstance(output, Value) or output.step is None or not self.run_.tracer.varies[output.step]:
                kind = type(output).__name__
                plain = isinstance(output, int | float | Value | np.ndarray)
                message = "forward's result does not depend on any input" if plain else f"forward returns a {kind}"
                raise self.error("forward", message + ("" if plain else " where a number is needed"))

    def more_outputs(self, outputs: list[Any], saved: list[Any], several: int) -> tuple[list[Any], list[Any]]:
        outputs, saved = [*outputs, *saved[: several - 1]], saved[several - 1 :]
        if len(outputs) < several:
            raise self.error("backward", f"backward takes {several} upstream gradients, forward gives {len(outputs)}")
        self.refuse_outputs(outputs)
        return outputs, saved

    # --- between ------------------------------------------------------------------------------------------------

    def backward_arguments(
        self, found: roles.Roles, arguments: Mapping[str, Any], upstream: Sequence[Any], saved: Sequence[Any],
        outputs: Sequence[Any],
    ) -> dict[str, Any]:  # fmt: skip
        """What each parameter of backward gets; of ``*grads`` a list."""
        left = list(upstream)
        store = saved[0] if len(saved) == 1 else tuple(saved)
        out: dict[str, Any] = {}
        for p, role in found.roles:
            if p.kind == p.VAR_POSITIONAL:
                out[p.name], left = left, []
            elif role == "upstream":
                out[p.name] = left.pop(0)
            else:
                known = {"saved": store, "output": outputs[0], "rate": RATE}
                known["input"] = arguments.get(self.stands.get(p.name, p.name))
                out[p.name] = known[role]
        return out

    def backward(self, values: Mapping[str, Any], context: tuple[Any, ...]) -> Any:
        part = self.pair.backward
        assert part is not None
        function = self.run_.convert(part.function, "backward")
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        skipped = False  # a parameter was left to its default
        for p in part.parameters:
            if p.name not in values:
                skipped = True
            elif p.kind == p.VAR_POSITIONAL:
                positional += values[p.name]
            elif p.kind == p.KEYWORD_ONLY or skipped:
                keywords[p.name] = values[p.name]
            else:
                positional.append(values[p.name])
        return function(*part.first, *context, *positional, **keywords)

    # --- places -------------------------------------------------------------------------------------------------

    def place(self, which: str) -> ast.AST:
        """The return statement that was taken, else the head of the function."""
        node: ast.AST | None = self.run_.returned_at.get(which)
        if node is not None:
            return node
        function = self.forward_node if which == "forward" else self.backward_node
        if isinstance(function, ast.Lambda):
            return function.body
        head = ast.copy_location(ast.Pass(), function)
        head.end_lineno, head.end_col_offset = function.lineno, function.col_offset + len(f"def {function.name}")
        return head

    def error(
        self, which: str, message: str, kind: type[SymgradError] = SymgradError, hint: str = ""
    ) -> SymgradError:
        return kind(message, self.run_.span(self.place(which)), source=self.run_.source, hint=hint)
