"""Inside the sandbox: the functions of a file that runs nothing are called, at values that fit them."""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.errors import Span, SymgradError
from symgrad.frontends import guessing
from symgrad.frontends.advice import advice, given
from symgrad.frontends.calling import Called, Caller, Unfit
from symgrad.frontends.kinds import ARRAY, DEFAULT, DERIVED, FUNCTION, Kind
from symgrad.frontends.lengths import Lengths
from symgrad.frontends.options import possible
from symgrad.frontends.plan import Plan
from symgrad.frontends.returned import meant
from symgrad.frontends.roles import Pair, Part
from symgrad.frontends.samples import make
from symgrad.frontends.tables import Table
from symgrad.frontends.targets import Target, bound, constructor, find_target, is_helper, parameters, speaks_torch
from symgrad.frontends.trace.data import Call, Trace, TraceError
from symgrad.frontends.trace.hosting import Hosted
from symgrad.frontends.trace.passes import input_of, is_force
from symgrad.frontends.trace.stop import Stop
from symgrad.ops.fitting import misfits

#: How many combinations of what the parameters may be are tried, and how often lengths are adapted in each.
COMBINATIONS, ADAPTATIONS = 400, 14
#: Seconds that trying may take.
SECONDS = 6.0
#: So many trials may come to a place where something is not there (a module), before it is believed that all will.
MOST_WANTING = 60

#: What takes a number was given an array.
_SINGLE = re.compile(
    r"only one element tensors|only (?:size-1|length-1|0-dimensional) arrays|truth value of an array|Boolean value of"
)
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


class Driver:
    """Calls functions of a file.

    Args:
        plan: what is wanted.
        start: runs the file anew, and says why that ended before its end, where it did.
    """

    def __init__(self, plan: Plan, start: Callable[[], tuple[Hosted, TraceError | None]]) -> None:
        self.plan, self.start = plan, start
        #: Of the last trial, the gradients that have another shape than their parameter.
        self.unfit: dict[str, tuple[int, ...]] = {}
        #: Backward returns a Jacobian.
        self.table = False

    def drive(self) -> Trace:
        """The trace of forward and backward.

        A problem with the call is the trace's error, of kind ``"call"``.
        """
        run, error = self.start()
        if error is not None and error.fatal:
            return run.tracer.finish(error)
        try:
            target = find_target(self.plan, run.tree)
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

    # --- values that fit ----------------------------------------------------------------------------------------

    def fitting(self, run: Hosted, target: Target) -> tuple[dict[str, Kind], Lengths]:
        """Kinds of the parameters with which forward and backward run, and lengths.

        Where none are found, those that came furthest.
        """
        options = possible(self.plan, target, run.tree)
        best: tuple[tuple[int, int], dict[str, Kind], Lengths] = ((-1, 0), {}, Lengths())
        end = time.monotonic() + SECONDS
        queue = deque(guessing.choices(options, COMBINATIONS))
        tried: list[dict[str, Kind]] = []
        wanting: Counter[tuple[str, Span | None]] = Counter()
        while queue and time.monotonic() < end:
            kinds = queue.popleft()
            if kinds in tried:
                continue
            tried.append(kinds)
            lengths = Lengths()
            stage, trouble = self.adapted(run, target, kinds, lengths)
            if (stage, -len(self.unfit)) > best[0]:
                best = ((stage, -len(self.unfit)), dict(kinds), lengths)
            if stage == FITTING or (trouble is not None and trouble.fatal):
                break
            if trouble is not None and trouble.kind == "unsupported":
                wanting[trouble.message, trouble.span] += 1
                if wanting[trouble.message, trouble.span] >= MOST_WANTING:
                    break
            if stage == BACKWARD and (laid := guessing.laid_along(kinds, self.unfit, lengths)):
                queue.appendleft(laid)
            unpacked = _UNPACKED.search(trouble.message) if trouble is not None else None
            indexed = _INDEXED.search(trouble.message) if trouble is not None else None
            if indexed:
                queue.extendleft(reversed(guessing.reshaped(options, kinds, int(indexed[1]), int(indexed[2]))))
            if trouble is not None and _SINGLE.search(trouble.message):
                queue.appendleft(guessing.as_numbers(kinds))
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
            self.unfit = _unfit(outcome.called.trace, outcome.called.gradients) if outcome.called is not None else {}
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
        """Call the functions once.

        Raises:
            Unfit: they cannot be called in the way that is wanted, whatever they are given.
        """
        source = np.random.default_rng(self.plan.seed)
        arrays = [k for k in kinds.values() if k.what == ARRAY]
        classes = min((lengths.size(d, len(k.dims) > 3) for k in arrays for d in k.dims), default=2)
        values: dict[str, Any] = {}
        positive = False
        for name, kind in kinds.items():
            if kind.what in (FUNCTION, DERIVED):
                values[name] = _function(run, kind)
            elif kind.what != DEFAULT:
                values[name] = make(name, kind, lengths, source, positive=positive, classes=classes)
        caller: Caller | None = None
        try:
            caller, given, made = self.prepared(run, target, values)
            called = caller.run(given, made)
        except _Ended as ended:
            return Outcome(BEGUN, ended.error)
        except Stop as stop:
            return Outcome(BEGUN, stop.error)
        except Unfit:
            raise
        except Table:
            self.table = True
            self.revive(run)
            return self.attempt(run, target, kinds, lengths)
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
        wanted = {p.name for p in parameters(target.forward_node)[bound(target) :]}
        tensors = target.context or speaks_torch(run.tree)
        if target.maker is not None and owner is None:
            raise SymgradError(f"the file stops before '{target.forward.partition('.')[0]}' is defined")
        if target.maker is not None:
            init = constructor(target.maker, run.tree)
            ours = {p.name for p in parameters(init)[1:]} if init is not None else set()
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
        if returns is None and (by := input_of(target.backward, wanted)):
            returns = (f"d{by}",)
        caller = Caller(pair, run, self.plan.upstream, returns, tensors=tensors)
        caller.mean, caller.of_inputs, caller.table = self.plan.mean, self.plan.of_inputs, self.table
        caller.negative = is_force(target.backward) and not self.plan.positive
        if is_helper(target):
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
                if not callable(function):
                    raise SymgradError(f"when the file has run, '{name}' is no function any more")
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
        finite = bool(np.all(np.isfinite(np.asarray(called.trace.values[held[called.loss]]))))
        kept = {n: i for n, i in held.items() if n.startswith("self.")}
        leaves = {leaf.name: leaf.step for leaf in called.trace.leaves if leaf.name.startswith("self.")}
        pairs = [(held[name], leaf) for name, leaf in called.gradients.items()]
        pairs += [(i, leaves[of]) for n, i in kept.items() if (of := meant(n, list(leaves), exact=False)) is not None]
        return finite and bool(called.gradients or kept) and all(steps[i].shape == steps[j].shape for i, j in pairs)


def _unfit(trace: Trace, gradients: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The parameters of which what is returned as the gradient has another shape: that shape."""
    steps = trace.graph.steps
    names = {leaf.step: leaf.name for leaf in trace.leaves}
    found = [(gradients[b.name], b.step) for b in trace.bindings if b.name in gradients]
    return {names[of]: steps[i].shape for of, i in found if of in names and steps[i].shape != steps[of].shape}


def _function(run: Hosted, kind: Kind) -> Callable[[Any], Any]:
    """What stands in for a function that is passed: the hyperbolic tangent, or its derivative."""
    tanh = run.guard.module("numpy").get("tanh")
    return tanh if kind.what == FUNCTION else lambda x: 1 - tanh(x) ** 2


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


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.replace(",", " ").split())


def _stopped(error: TraceError) -> tuple[str, Span]:
    return f"the file stopped here when it was run: {error.message}", error.span or Span("", 1, 1, 1, 1)
