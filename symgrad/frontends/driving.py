"""Inside the sandbox: the functions of a file that runs nothing are called, at values that fit them."""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.errors import Span, SymgradError, did_you_mean
from symgrad.frontends import guessing, roles
from symgrad.frontends.advice import advice, given
from symgrad.frontends.calling import Called, Caller
from symgrad.frontends.guessing import ARRAY, COUNTS, DEFAULT, DERIVED, DICT, FUNCTION, VALUE, Kind, Lengths, Parameter
from symgrad.frontends.plan import Plan
from symgrad.frontends.roles import Pair, Part
from symgrad.frontends.trace.data import Call, Trace, TraceError
from symgrad.frontends.trace.hosting import Hosted
from symgrad.frontends.trace.passes import PARTIAL, Pass, is_force, is_function, passes
from symgrad.frontends.trace.sites import literal_value
from symgrad.frontends.trace.stop import Stop
from symgrad.ops.fitting import misfits

#: How many combinations of what the parameters may be are tried, and how often lengths are adapted in each.
COMBINATIONS, ADAPTATIONS = 400, 14
#: Seconds that trying may take.
SECONDS = 6.0

_UNPACKED = re.compile(r"values to unpack \(expected (\d)(?:, got (\d))?\)")
_INDEXED = re.compile(r"array is (\d)-dimensional, but (\d) were indexed")
_BEYOND = re.compile(r"out of bounds for axis \d with size (\d+)")
_BROADCAST = re.compile(r"broadcast together with shapes \(([\d, ]+)\) \(([\d, ]+)\)")

#: How far a trial came.
REFUSED, BEGUN, FORWARD, BACKWARD, FITTING = range(5)


@dataclass(slots=True)
class Outcome:
    """What a trial came to: how far, and what was in the way."""

    stage: int
    error: SymgradError | TraceError | None = None
    called: Called | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: the functions' nodes and the class that they are methods of.

    Attributes:
        forward, backward: names in the file.
        maker: the class, where they are methods that need an object.
        context: they are static methods of a class of torch's.
    """

    forward: str
    backward: str
    forward_node: ast.FunctionDef
    backward_node: ast.FunctionDef | None
    maker: ast.ClassDef | None = None
    context: bool = False


class Driver:
    """Calls functions of a file.

    Args:
        plan: what is wanted.
        start: runs the file anew, and says why that ended before its end, where it did.
    """

    def __init__(self, plan: Plan, start: Callable[[], tuple[Hosted, TraceError | None]]) -> None:
        self.plan, self.start = plan, start

    def drive(self) -> Trace:
        """The trace of forward and backward.

        A problem with the call is the trace's error, of kind ``"call"``.
        """
        run, error = self.start()
        if error is not None and error.fatal:
            return run.tracer.finish(error)
        try:
            target = self.target(run)
            kinds, lengths = self.fitting(run, target)
            final, _ = self.start()
            own = len(final.tracer.bindings)
            outcome = self.attempt(final, target, kinds, lengths)
            return _without(self.finished(final, target, outcome, kinds, lengths, error), own)
        except SymgradError as problem:
            if error is not None and problem.span is None:
                message = f"{problem.message}; it stopped here: {error.message}"
                return run.tracer.finish(TraceError("call", message, error.span, problem.hint or error.hint))
            return run.tracer.finish(TraceError("call", problem.message, problem.span, problem.hint))
        except Stop as stop:
            return run.tracer.finish(stop.error)

    def finished(
        self, run: Hosted, target: Target, outcome: Outcome, kinds: Mapping[str, Kind], lengths: Lengths,
        before: TraceError | None,
    ) -> Trace:  # fmt: skip
        called = outcome.called
        called_with = tuple(given(n, k, lengths) for n, k in kinds.items() if k.what != DEFAULT)
        if called is None:
            if isinstance(outcome.error, SymgradError):
                problem = outcome.error
                hint = problem.hint or ("" if before is not None else advice(called_with))
                error = TraceError("call", problem.message, problem.span, hint)
                if before is not None and problem.span is None:
                    error = replace(error, message=f"{problem.message}: {before.message}", span=before.span)
            else:
                error = outcome.error or TraceError("call", "the functions cannot be called", None)
                error = replace(error, hint=error.hint or advice(called_with))
            trace = run.tracer.finish(error)
            return replace(trace, call=Call(target.forward, target.backward, inputs=called_with))
        call = Call(
            target.forward, target.backward, called.loss, called.gradients, tuple(called.missing), tuple(called.notes),
            called_with,
        )  # fmt: skip
        trace = called.trace
        if trace.error is not None and not trace.error.hint and not called.loss:
            trace = replace(trace, error=replace(trace.error, hint=advice(called_with)))
        if trace.error is None and before is not None:
            call = replace(call, notes=(*call.notes, _stopped(before)))
        return replace(trace, call=call)

    # --- which functions ----------------------------------------------------------------------------------------

    def target(self, run: Hosted) -> Target:
        """The functions that are wanted.

        Raises:
            SymgradError: there are none of these names.
        """
        plan = self.plan
        found = passes(run.tree)
        if not plan.forward and not plan.backward:
            if not found:
                raise SymgradError("the file runs nothing, and no forward and backward function were found in it",
                                   hint="name them: --forward NAME --backward NAME")  # fmt: skip
            chosen = found[0]
        elif plan.forward and plan.backward:
            chosen = Pass(plan.forward, plan.backward)
        else:
            chosen = self.other_half(found)
        forward, maker = self.node(run, chosen.forward)
        backward = self.node(run, chosen.backward)[0] if chosen.backward else None
        context = maker is not None and is_function(maker)
        static = any(_name(d) == "staticmethod" for d in forward.decorator_list)
        return Target(
            chosen.forward, chosen.backward, forward, backward, None if static else maker, context
        )

    def other_half(self, found: Sequence[Pass]) -> Pass:
        plan = self.plan
        one = plan.forward or plan.backward
        for p in found:
            if one in (p.forward, p.backward) or one in (p.forward.partition(".")[0], p.backward.partition(".")[0]):
                return p
        if plan.forward:
            return Pass(plan.forward, "")
        raise SymgradError(f"the forward function of '{plan.backward}' is not found", hint="name it with --forward")

    def node(self, run: Hosted, name: str) -> tuple[ast.FunctionDef, ast.ClassDef | None]:
        """A function or method by its name.

        Raises:
            SymgradError: there is none.
        """
        owner, _, method = name.rpartition(".")
        top = {n.name: n for n in run.tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        wanted = owner or method
        found = top.get(wanted)
        if found is None or (not owner and isinstance(found, ast.ClassDef)):
            functions = [n for n, v in top.items() if isinstance(v, ast.FunctionDef)]
            if isinstance(found, ast.ClassDef):
                raise SymgradError(f"'{name}' is a class: name its methods, --forward {name}.forward")
            raise SymgradError(f"the file has no function '{wanted}'{did_you_mean(wanted, functions)}")
        if isinstance(found, ast.FunctionDef):
            return found, None
        classes = {n.name: n for n in run.tree.body if isinstance(n, ast.ClassDef)}
        methods = _methods(found, classes)
        if method not in methods:
            raise SymgradError(f"the class {owner} has no method '{method}'{did_you_mean(method, list(methods))}")
        return methods[method], found

    # --- values that fit ----------------------------------------------------------------------------------------

    def parameters(self, target: Target, run: Hosted) -> dict[str, list[Kind]]:
        """What each parameter may be, of the constructor and of forward."""
        out: dict[str, list[Kind]] = {}
        nodes: list[tuple[ast.FunctionDef, int]] = [(target.forward_node, _bound(target))]
        if target.maker is not None:
            init = _constructor(target.maker, run)
            nodes = [*([(init, 1)] if init is not None else []), *nodes]
        for node, skipped in nodes:
            found = _parameters(node)[skipped:]
            names = [p.name for p in found]
            told = guessing.told_by_text(node, names)
            if node is not target.forward_node:  # what the object is made with, forward looks at
                told = guessing.told_by_text(target.forward_node, names) | told
            if target.backward_node is not None and node is target.forward_node:
                more = guessing.told_by_text(target.backward_node, names)
                told = {n: k for n, k in more.items() if k.what == ARRAY} | told
            side_by_side = guessing.gates(target.forward_node, target.backward_node, target.maker)
            functions = guessing.called_in(target.maker or node, names)
            for p in found:
                likely = guessing.candidates(p, told.get(p.name))
                if not p.optional:
                    likely = [*guessing.with_gates(p.name, side_by_side, told.get(p.name)), *likely]
                called = functions.get(p.name)
                out[p.name] = self.given(p.name) or ([called] if called is not None else likely)
        sizes = [k.dims for n, found in out.items() if n.endswith("shape") for k in found if k.what == COUNTS]
        own = [p.name for p in _parameters(target.forward_node)[_bound(target) :]]
        if target.maker is not None and sizes and own and not self.given(own[0]) and own[0] in out:
            # What an object is made for, it is given.
            out[own[0]] = [*(Kind(ARRAY, dims) for dims in sizes if dims), *out[own[0]]]
        for name in (*self.plan.shapes, *self.plan.values):
            top = name.partition(".")[0].partition("[")[0]
            if top not in out and not self.plan.lenient:
                raise SymgradError(
                    f"{target.forward} has no parameter '{name}'{did_you_mean(name, list(out))}",
                    hint=f"its parameters are {', '.join(out)}" if out else "",
                )
        return out

    def given(self, name: str) -> list[Kind] | None:
        """What the person says of a parameter."""
        plan = self.plan
        items: dict[str, Kind] = {}
        for key, shape in plan.shapes.items():
            top, inner = _split(key)
            if top == name:
                kind = Kind(ARRAY, tuple(shape))
                if not inner:
                    return [kind]
                items[inner] = kind
        if name in plan.values:
            value = plan.values[name]
            if isinstance(value, Mapping):
                items = {str(k): Kind(VALUE, value=_array(v)) for k, v in value.items()} | items
                return [Kind(DICT, items=items)]
            return [Kind(VALUE, value=_array(value))]
        for key, value in plan.values.items():
            top, inner = _split(key)
            if top == name and inner:
                items[inner] = Kind(VALUE, value=_array(value))
        return [Kind(DICT, items=items)] if items else None

    def fitting(self, run: Hosted, target: Target) -> tuple[dict[str, Kind], Lengths]:
        """Kinds of the parameters with which forward and backward run, and lengths.

        Where none are found, those that came furthest.
        """
        options = self.parameters(target, run)
        best: tuple[int, dict[str, Kind], Lengths] = (-1, {}, Lengths())
        end = time.monotonic() + SECONDS
        queue = deque(guessing.choices(options, COMBINATIONS))
        tried: list[dict[str, Kind]] = []
        while queue and time.monotonic() < end:
            kinds = queue.popleft()
            if kinds in tried:
                continue
            tried.append(kinds)
            lengths = Lengths()
            stage, trouble = self.adapted(run, target, kinds, lengths)
            if stage > best[0]:
                best = (stage, dict(kinds), lengths)
            if stage == FITTING or (trouble is not None and trouble.fatal):
                break
            unpacked = _UNPACKED.search(trouble.message) if trouble is not None else None
            indexed = _INDEXED.search(trouble.message) if trouble is not None else None
            if indexed:
                queue.extendleft(reversed(guessing.reshaped(options, kinds, int(indexed[1]), int(indexed[2]))))
            if trouble is not None and "used as indices must be of integer" in trouble.message:
                queue.extendleft(reversed(guessing.as_places(options, kinds)))
            if unpacked:
                have, want = int(unpacked[2] or 0), int(unpacked[1])
                for rank in [have] if unpacked[2] else [r for r in (4, 3, 2) if r > want]:
                    queue.extendleft(reversed(guessing.reshaped(options, kinds, rank, want)))
        return best[1], best[2]

    def adapted(
        self, run: Hosted, target: Target, kinds: Mapping[str, Kind], lengths: Lengths
    ) -> tuple[int, TraceError | None]:
        """Try a combination, making lengths equal that have to be, until it runs or nothing more can be done."""
        fixed: set[str] = set()
        stage, trouble = REFUSED, None
        for _ in range(ADAPTATIONS):
            run.tracer.misfit = None
            outcome = self.attempt(run, target, kinds, lengths)
            stage = outcome.stage
            misfit: Any = run.tracer.misfit
            trouble = outcome.error if isinstance(outcome.error, TraceError) else None
            if trouble is None and outcome.called is not None:
                trouble = outcome.called.trace.error
            self.revive(run)
            if stage >= BACKWARD or trouble is None or trouble.fatal:
                break
            beyond = _BEYOND.search(trouble.message)
            if misfit is None and beyond and lengths.shrink(int(beyond[1]), fixed):
                continue
            told = _BROADCAST.search(trouble.message)
            if told:
                misfit = ("add", [_numbers(told[1]), _numbers(told[2])], {})
            if misfit is None or not sum(lengths.join(a, b, fixed) for a, b in misfits(*misfit)):
                break
        return stage, trouble

    @staticmethod
    def revive(run: Hosted) -> None:
        """A trial that ended is over: the next one may run, and knows nothing of it."""
        run.tracer.forget()

    def attempt(self, run: Hosted, target: Target, kinds: Mapping[str, Kind], lengths: Lengths) -> Outcome:
        """Call the functions once."""
        source = np.random.default_rng(self.plan.seed)
        arrays = [k for k in kinds.values() if k.what == ARRAY]
        classes = min((lengths.size(d, len(k.dims) > 3) for k in arrays for d in k.dims), default=2)
        values: dict[str, Any] = {}
        positive = False
        for name, kind in kinds.items():
            if kind.what in (FUNCTION, DERIVED):
                values[name] = _function(run, kind)
            elif kind.what != DEFAULT:
                values[name] = guessing.make(name, kind, lengths, source, positive=positive, classes=classes)
        caller: Caller | None = None
        try:
            caller, given, made = self.prepared(run, target, values)
            called = caller.run(given, made)
        except _Ended as ended:
            return Outcome(BEGUN, ended.error)
        except Stop as stop:
            return Outcome(BEGUN, stop.error)
        except SymgradError as problem:
            # What backward returns does not fit: other values would not make it fit.
            return Outcome(FITTING if caller is not None and caller.loss_name else BEGUN, problem)
        if not called.loss:
            return Outcome(BEGUN, called.trace.error, called)
        if called.trace.error is not None:
            return Outcome(FORWARD, None, called)
        return Outcome(FITTING if self.fits(called) else BACKWARD, None, called)

    def prepared(
        self, run: Hosted, target: Target, values: Mapping[str, Any]
    ) -> tuple[Caller, dict[str, Any], dict[str, int]]:
        """The object that the methods are of, the caller, what forward is called with, and the object's inputs."""
        first: tuple[Any, ...] = ()
        made: dict[str, int] = {}
        owner = run.globals.get(target.forward.partition(".")[0])
        wanted = {p.name for p in _parameters(target.forward_node)[_bound(target) :]}
        tensors = target.context or _speaks_torch(run.tree)
        if target.maker is not None and owner is None:
            raise SymgradError(f"the file stops before '{target.forward.partition('.')[0]}' is defined")
        if target.maker is not None:
            init = _constructor(target.maker, run)
            ours = {p.name for p in _parameters(init)[1:]} if init is not None else set()
            mine = {n: v for n, v in values.items() if n in ours}
            helper = Caller.__new__(Caller)
            helper.run_, helper.tensors = run, tensors
            node: ast.AST = init if init is not None else target.maker
            places = {a.arg: a for a in ast.walk(init.args) if isinstance(a, ast.arg)} if init is not None else {}
            arguments = {n: helper.adopted(n, v, places.get(n, node), made) for n, v in mine.items()}
            held: list[Any] = []
            maker: Any = owner
            error = run.attempt(lambda: held.append(maker(**arguments)))
            if error is not None:
                raise _Ended(error)
            first = (held[0],)
        pair = self.pair(run, target, owner, first)
        returns = self.plan.returns
        partial = PARTIAL.match(target.backward.rpartition(".")[2])
        if returns is None and partial is not None and partial["x"] in wanted:
            returns = (f"d{partial['x']}",)
        caller = Caller(pair, run, self.plan.upstream, returns, tensors=tensors)
        caller.mean, caller.of_inputs = self.plan.mean, self.plan.of_inputs
        caller.negative = is_force(target.backward) and not self.plan.positive
        if _is_helper(target):
            caller.helper = "output" if self.plan.of_output else "input"
        given = {n: v for n, v in values.items() if n in wanted}
        return caller, given, made

    def pair(self, run: Hosted, target: Target, owner: Any, first: tuple[Any, ...]) -> Pair:
        with run.opened():
            parts: list[Part | None] = []
            for name in (target.forward, target.backward):
                if not name:
                    parts.append(None)
                    continue
                method = name.rpartition(".")[2]
                function = run.globals.get(method) if "." not in name else getattr(owner, method, None)
                if function is None:
                    raise SymgradError(f"the file stops before '{name}' is defined")
                function = getattr(function, "__func__", function)
                inside = inspect.unwrap(function)
                parts.append(Part(inside, first, target.context, tuple(inspect.signature(inside).parameters.values())))
            setup = None
            if target.context and getattr(owner, "setup_context", None) is not None and hasattr(owner, "__dict__"):
                defined = vars(owner).get("setup_context")
                if defined is not None:
                    setup = Part(getattr(defined, "__func__", defined))
        assert parts[0] is not None
        if setup is not None:
            parts[0] = replace(parts[0], context=False)
        return Pair(parts[0], parts[1], setup, is_torch=target.context)

    @staticmethod
    def fits(called: Called) -> bool:
        """Every gradient has the shape of what it is the gradient of, and there is one at least."""
        steps = called.trace.graph.steps
        held = {b.name: b.step for b in called.trace.bindings}
        attributes = any(b.name.startswith("self.") for b in called.trace.bindings)
        finite = bool(np.all(np.isfinite(np.asarray(called.trace.values[held[called.loss]]))))
        return finite and bool(called.gradients or attributes) and all(
            steps[held[name]].shape == steps[leaf].shape for name, leaf in called.gradients.items()
        )


def _function(run: Hosted, kind: Kind) -> Callable[[Any], Any]:
    """What stands in for a function that is passed: the hyperbolic tangent, or its derivative."""
    tanh = run.guard.module("numpy").get("tanh")
    return tanh if kind.what == FUNCTION else lambda x: 1 - tanh(x) ** 2


def _is_helper(target: Target) -> bool:
    """Backward is a derivative as a function of one number, and no backward pass: ``sigmoid_derivative(x)``."""
    if target.backward_node is None or target.maker is not None or target.context:
        return False
    theirs, ours = _parameters(target.forward_node), _parameters(target.backward_node)
    if len(theirs) != 1 or len(ours) != 1:
        return False
    return ours[0].name == theirs[0].name or not roles.is_upstream(ours[0].name)


def _without(trace: Trace, own: int) -> Trace:
    """The run without the names that the file gave, before its functions were called, to what it computed itself: these
    are no part of the pass. ``own`` is how many names it gave."""
    leaf = [s.is_leaf for s in trace.graph.steps]
    kept = [b for n, b in enumerate(trace.bindings) if n >= own or leaf[b.step]]
    return replace(trace, bindings=tuple(replace(b, order=n) for n, b in enumerate(kept)))


class _Ended(Exception):
    """The run ended while the object was made."""

    def __init__(self, error: TraceError) -> None:
        super().__init__(error.message)
        self.error = error


def _parameters(node: ast.FunctionDef) -> list[Parameter]:
    """Those that take a value each."""
    ordered = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [None] * (len(ordered) - len(node.args.defaults))
    defaults += node.args.defaults
    pairs = [*zip(ordered, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    out = []
    for argument, default in pairs:
        literal = literal_value(default) if default is not None else None
        value = literal[0] if literal is not None else getattr(default, "value", ...) if default is not None else ...
        out.append(Parameter(argument.arg, default is not None, value))
    return out


def _bound(target: Target) -> int:
    """How many first parameters are not ours to fill."""
    static = any(_name(d) == "staticmethod" for d in target.forward_node.decorator_list)
    if "." not in target.forward:
        return 0
    if target.context:
        names = [a.arg for a in target.forward_node.args.args]
        return int(bool(names) and names[0] in ("ctx", "context", "self"))
    return 0 if static else 1


def _constructor(node: ast.ClassDef, run: Hosted) -> ast.FunctionDef | None:
    classes = {n.name: n for n in run.tree.body if isinstance(n, ast.ClassDef)}
    return _methods(node, classes).get("__init__")


def _methods(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    out: dict[str, ast.FunctionDef] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != node.name:
            out |= _methods(classes[base.id], {n: c for n, c in classes.items() if n != node.name})
    return out | {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _speaks_torch(tree: ast.Module) -> bool:
    """The file imports torch, and NumPy not."""
    known = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            known.add((node.module or "").partition(".")[0])
    return "torch" in known and "numpy" not in known


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.replace(",", " ").split())


def _split(key: str) -> tuple[str, str]:
    """``params.W1`` and ``params["W1"]`` as the parameter and its key."""
    top, _, inner = key.replace("[", ".").partition(".")
    return top, inner.strip("]\"'")


def _array(value: Any) -> Any:
    """Lists of numbers are arrays."""
    if isinstance(value, list | tuple) and value:
        try:
            made = np.array(value)
        except ValueError:
            return value
        return made if made.dtype.kind in "iufb" else value
    return value


def _stopped(error: TraceError) -> tuple[str, Span]:
    return f"the file stopped here when it was run: {error.message}", error.span or Span("", 1, 1, 1, 1)
