"""Functions that differentiate functions: ``jax.grad(f)(w)``, ``torch.func.jacrev``, ``scipy.optimize.check_grad``.

The function is run as the script wrote it, and the reverse pass goes over the steps that it recorded. As with
``.backward()`` (see ``autograd.py``) what the script gets are autograd's numbers, to compare with: they are no
consequence of steps. Where one derivative is taken inside another they are, until the outer one has been worked out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.claims import claimed
from symgrad.frontends.trace.data import BackwardCall, GradRead
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.nested import leaves, mapped
from symgrad.frontends.trace.shaped import Recorder, gather
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Value, number
from symgrad.ops import OPS, TensorOp
from symgrad.ops.base import COPY

#: A Jacobian of more rows than this is no homework, and each is a reverse pass.
MOST_ROWS = 2_000


class Derivatives:
    """The derivatives that one run asks for.

    Attributes:
        depth: how many functions are being differentiated at this moment, one inside the other.
        rules: the step of what a function gave that brings its own pullback -> that, and the function's arguments.
    """

    def __init__(self, tr: Tracer) -> None:
        self.tr = tr
        self.depth = 0
        self.rules: dict[int, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {}

    # --- what a script calls --------------------------------------------------------------------------------------

    def gradient(
        self,
        function: Callable[..., Any],
        argnums: Any = 0,
        *,
        value: bool = False,
        aux: bool = False,
        summed: bool = False,
    ) -> Callable[..., Any]:
        """``grad(f)``: a function that gives the gradient of the scalar that ``f`` gives, by one argument or several.

        Args:
            argnums: the argument's position, or several.
            value: with the value, as (value, gradient).
            aux: the function gives (scalar, anything else), and so does this.
            summed: what the function gives may be an array; its sum is differentiated.

        Raises:
            TypeError: the function does not give a scalar.
        """  # fmt: skip

        def call(*args: Any, **kwargs: Any) -> Any:
            places, several = _positions(argnums, len(args))
            given, out = self._run(function, args, kwargs, places)
            extra = out[1] if aux else None
            top = out[0] if aux else out
            if not isinstance(top, Value | int | float):
                raise TypeError(f"Gradient only defined for scalar-output functions. Output was {type(top).__name__}.")
            if not summed and np.size(_raw(top)) != 1:
                shape = np.shape(_raw(top))
                raise TypeError(f"Gradient only defined for scalar-output functions. Output had shape: {shape}.")
            seed = np.ones(np.shape(_raw(top)))
            found = self._pulled([(top, seed)], [given[n] for n in places], [args[n] for n in places])
            grads = tuple(found) if several else found[0]
            if value:
                return ((top, extra), grads) if aux else (top, grads)
            return (grads, extra) if aux else grads

        return call

    def jacobian(self, function: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        """``jacrev(f)``: of an output of shape S by an argument of shape T an array of shape S + T.

        Raises:
            TypeError: the function gives no numbers.
        """

        def call(*args: Any, **kwargs: Any) -> Any:
            places, several = _positions(argnums, len(args))
            given, out = self._run(function, args, kwargs, places)
            if isinstance(out, list | tuple):
                out = gather(self.tr, out)
            shape = np.shape(_raw(out))
            rows = int(np.prod(shape, dtype=int))
            if rows > MOST_ROWS:
                self.tr.unsupported(f"a Jacobian of {rows:,} rows")
            each: list[dict[int, Any]] = []
            wanted = set(_steps([given[n] for n in places]))
            for n in range(rows if _varies(out) else 0):
                self.tr.alive()
                seed = np.zeros(rows)
                seed[n] = 1.0
                each.append(self._swept([(out.place, seed.reshape(shape))], wanted))

            def made(arg: Any, fresh: Any) -> Any:
                return self._made(self._stacked([_at(fresh, found) for found in each], fresh, shape), arg, out)

            grads = [mapped(made, args[n], given[n]) for n in places]
            return tuple(grads) if several else grads[0]

        return call

    def hessian(self, function: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        """``hessian(f)``: the Jacobian of the gradient."""
        return self.jacobian(self.gradient(function, argnums), argnums)

    def pullback(self, function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], Any]]:
        """``vjp(f, *primals)``: what the function gives, and the function from its cotangent to the primals' ones."""
        given, out = self._run(function, primals, {}, tuple(range(len(primals))))
        tops = list(out) if isinstance(out, list | tuple) else [out]

        def pull(*cotangents: Any) -> Any:
            several = len(cotangents) == 1 and isinstance(cotangents[0], list | tuple)
            seeds = list(cotangents[0]) if several else list(cotangents)
            pairs = [
                (t, np.broadcast_to(np.asarray(_raw(s)), np.shape(_raw(t)))) for t, s in zip(tops, seeds, strict=True)
            ]
            return tuple(self._pulled(pairs, given, primals))

        return out, pull

    def pushforward(self, function: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
        """``jvp(f, primals, tangents)``: what the function gives, and its derivative along the tangents."""
        firsts, along = _sequence(primals), _sequence(tangents)
        jacobians = self.jacobian(function, tuple(range(len(firsts))))(*firsts)
        out = function(*firsts)
        total: Any = 0.0
        for jacobian, tangent in zip(jacobians, along, strict=True):
            array = np.asarray(_raw(tangent), dtype=np.float64)
            total = total + np.tensordot(np.asarray(_raw(jacobian)), array, axes=array.ndim)
        return out, self._plain(np.asarray(total), out)

    def recorded(self, tops: Sequence[tuple[Any, Any]], wanted: Sequence[Any]) -> list[Any]:
        """``torch.autograd.grad(..., create_graph=True)``: gradients that are steps, to be differentiated again."""
        self.depth += 1
        try:
            found = self._swept([(t.place, seed) for t, seed in tops if _varies(t)], {w.place for w in wanted})
        finally:
            self.depth -= 1
        return [self._tensor(_at(w, found), w) for w in wanted]

    def _tensor(self, grad: Any, like: Any) -> Tensor:
        return Tensor(self.tr, _raw(grad), grad.step if isinstance(grad, Value) else None, like.dtype)

    def again(self, tops: Sequence[tuple[Any, Any]], wanted: Sequence[Any]) -> list[Any]:
        """The same of what is made of such gradients: numbers of autograd's."""
        return self._pulled(tops, wanted, wanted)

    # --- running ----------------------------------------------------------------------------------------------------

    def _run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], places: Sequence[int]
    ) -> tuple[list[Any], Any]:
        """The arguments as they were passed on, each by which is differentiated a step of its own, and the result."""
        tr = self.tr
        tr.alive()
        given = [self._fresh(a) if n in places else a for n, a in enumerate(args)]
        self.depth += 1
        try:
            return given, function(*given, **kwargs)
        finally:
            self.depth -= 1

    def _fresh(self, value: Any) -> Any:
        """An argument as a step of its own: the function may know the same number by another way as well."""
        tr = self.tr
        if isinstance(value, dict):
            return {k: self._fresh(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            made = [self._fresh(v) for v in value]
            return made if isinstance(value, list) else tuple(made)
        if isinstance(value, bool | str) or value is None:
            return value
        held = value.raw if isinstance(value, Value) else value
        if not isinstance(held, int | float | np.ndarray):
            return value
        known = isinstance(value, Value) and value.step is not None and tr.varies[value.step]
        data = held if isinstance(held, np.ndarray) and held.ndim else float(held)
        step = tr.emit(COPY, (value.place,), data) if known else tr.input("", data, tr.here())
        if isinstance(value, Array):
            return type(value)(tr, value.data, step, value.dtype)
        return number(tr, float(held), step, max(NUMPY, value.flavour if isinstance(value, Value) else NUMPY))

    # --- the reverse pass -------------------------------------------------------------------------------------------

    def _pulled(self, tops: Sequence[tuple[Any, Any]], given: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """The gradients of ``tops``, each with its cotangent, by what was ``given`` in the place of ``args``."""
        tr = self.tr
        roots = [(t.place, seed) for t, seed in tops if _varies(t)]
        found = self._swept(roots, set(_steps(given)))
        if self.depth == 0 and any(_varies(a) for a in leaves(args)):
            tr.backward_calls += [BackwardCall(place, tr.here()) for place, _ in roots]
        return [
            mapped(lambda arg, fresh: self._made(_at(fresh, found), arg), a, g)
            for a, g in zip(args, given, strict=True)
        ]

    def _swept(self, roots: Sequence[tuple[int, Any]], wanted: set[int]) -> dict[int, Any]:
        """The cotangent at each wanted step: numbers, or recorded themselves inside another derivative."""
        tr = self.tr
        recorded = self.depth > 0
        m: Any = Recorder(tr) if recorded else numeric.NUMERIC
        pending: dict[int, Any] = {}
        heap: list[int] = []
        lowest = min(wanted, default=0)
        for place, given in roots:
            seed = given if np.ndim(given) else float(given)
            pending[place] = pending[place] + seed if place in pending else seed
            heapq.heappush(heap, -place)
        done: dict[int, Any] = {}
        cuts = set(tr.cuts)
        while heap:
            place = -heapq.heappop(heap)
            if place in done:
                continue
            total = done[place] = pending.pop(place)
            step = tr.builder.steps[place]
            if place <= lowest or place in wanted or place in cuts or step.is_leaf:
                continue
            for source, flow in self._own(place, total):
                pending[source] = pending[source] + flow if source in pending else flow
                heapq.heappush(heap, -source)
            for position, source in enumerate(step.inputs if place not in self.rules else ()):
                if not tr.varies[source]:
                    continue
                flow = self._pull(m, place, position, total) if recorded else self._number(place, position, total)
                if flow is None:
                    continue
                shape = tr.builder.steps[source].shape
                flow = _narrowed(m, flow, shape) if recorded else numeric.unbroadcast(flow, shape)
                pending[source] = pending[source] + flow if source in pending else flow
                heapq.heappush(heap, -source)
        return done

    def with_rule(self, out: Any, args: tuple[Any, ...], pull: Callable[[Any], Any]) -> Any:
        """What a function gave that brings its own pullback."""
        if not self.depth or not _varies(out):
            return out
        step = self.tr.emit(COPY, (out.place,), out.raw)
        self.rules[step] = (pull, args)
        return (
            Array(self.tr, out.raw, step, out.dtype)
            if isinstance(out, Array)
            else number(self.tr, out.raw, step, out.flavour)
        )

    def _own(self, place: int, total: Any) -> Iterator[tuple[int, Any]]:
        """What flows on where the user's own pullback says it: it is given autograd's number, and gives claims."""
        if place not in self.rules:
            return
        tr = self.tr
        pull, args = self.rules[place]
        data = np.asarray(_raw(total), dtype=np.float64)
        step = tr.input("grad_output", data if data.ndim else float(data), tr.here())
        tr.grad_reads.append(GradRead(place, step, tr.here()))
        grad = Array(tr, data, step) if data.ndim else number(tr, float(data), step, NUMPY)
        found = pull(grad)
        for argument, given in zip(args, found if isinstance(found, tuple | list) else (found,), strict=False):
            if _varies(argument) and given is not None:
                claimed(tr, given, argument.place)
                yield argument.place, np.asarray(_raw(given), dtype=np.float64)

    def _number(self, place: int, position: int, total: Any) -> Any:
        """What flows to an input, in numbers."""
        step, value = self.tr.builder.steps[place], self.tr.value
        return numeric.pull(step.op, position, total, value(place), tuple(map(value, step.inputs)), dict(step.params))

    def _pull(self, m: Any, place: int, position: int, total: Any) -> Any:
        """What flows to an input, as recorded steps."""
        tr = self.tr
        step = tr.builder.steps[place]
        op = OPS[step.op]
        output, *inputs = (self._at(i) for i in (place, *step.inputs))
        if isinstance(op, TensorOp):
            rule = op.pull(position)
            return None if rule is None else rule(m, total, output, *inputs, **dict(step.params))
        local = op.rule(position, "autograd")
        return None if local is None else total * local(m, output, *inputs)

    def _at(self, step: int) -> Any:
        """A step as a traced value."""
        value = self.tr.value(step)
        if isinstance(value, np.ndarray) and value.ndim:
            return Array(self.tr, value, step)
        return number(self.tr, float(value), step, NUMPY)

    # --- what the script gets ---------------------------------------------------------------------------------------

    def _stacked(self, rows: Sequence[Any], fresh: Any, shape: tuple[int, ...]) -> Any:
        """Rows of a Jacobian as an array whose first axes are the output's."""
        whole = (*shape, *np.shape(_raw(fresh)))
        if not any(isinstance(r, Value) for r in rows):
            return np.stack([np.asarray(r) for r in rows]).reshape(whole) if rows else np.zeros(whole)
        stacked = gather(self.tr, [r if isinstance(r, Value) else Array(self.tr, np.asarray(r)) for r in rows])
        return Recorder(self.tr).reshape(stacked, shape=whole) if whole else rows[0]

    def _made(self, grad: Any, arg: Any, top: Any = None) -> Any:
        """A gradient as the script gets it: recorded inside another derivative, else a number of autograd's.

        Args:
            top: what a Jacobian is of.
        """
        tr = self.tr
        if isinstance(grad, Value):
            return grad
        data = np.asarray(grad, dtype=np.float64)
        made = self._plain(data, arg)
        if self.depth or not _varies(arg):
            return made
        name = f"{tr.builder.steps[arg.place].name}.grad"
        step = tr.input(name, data if data.ndim else float(data), tr.here())
        if np.size(_raw(top)) > 1:
            tr.jacobians[step] = (top, arg.place)
        elif data.shape == np.shape(arg.raw):
            tr.grad_reads.append(GradRead(arg.place, step, tr.here()))
        made.step = step
        return made

    def _plain(self, data: Any, like: Any) -> Any:
        """Numbers in the packaging of a value."""
        kind = Tensor if isinstance(like, Tensor) else Array
        if kind is Array and data.ndim == 0:
            return number(self.tr, float(data), None, NUMPY)
        return kind(self.tr, data, dtype=like.dtype if isinstance(like, Array) and "float" in like.dtype else "")


def _raw(value: Any) -> Any:
    return value if isinstance(value, np.ndarray | np.generic) else raw(value)


def _varies(value: Any) -> bool:
    return isinstance(value, Value) and value.step is not None and value.tr.varies[value.step]


def _at(fresh: Any, found: dict[int, Any]) -> Any:
    """What was found for a step: nothing flows into one that is not there."""
    missing = np.zeros(np.shape(_raw(fresh)))
    return found.get(fresh.place, missing) if isinstance(fresh, Value) else missing


def _steps(tree: Any) -> Iterator[int]:
    return (v.place for v in leaves(tree) if isinstance(v, Value))


def _positions(argnums: Any, count: int) -> tuple[tuple[int, ...], bool]:
    """Positions of arguments, and whether several were asked for."""
    several = isinstance(argnums, list | tuple)
    places = tuple(int(n) + (count if int(n) < 0 else 0) for n in (argnums if several else [argnums]))
    if any(not 0 <= n < count for n in places):
        raise ValueError(f"differentiating by argument {argnums!r} of a function that was called with {count}")
    return places, several


def _sequence(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _narrowed(m: Any, flow: Any, shape: tuple[int, ...]) -> Any:
    """A recorded cotangent, summed over the axes along which something of ``shape`` was broadcast to it."""
    have = np.shape(_raw(flow))
    if have == shape:
        return flow
    if len(have) < len(shape):
        return m.broadcast_to(flow, shape=shape)
    axes = tuple(n for n in range(len(have)) if n < len(have) - len(shape) or shape[n - len(have) + len(shape)] == 1)
    return m.reshape(m.sum(flow, axis=axes, keepdims=True) if axes else flow, shape=shape)
