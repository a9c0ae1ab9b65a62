"""What flows in from above a backward pass: a gradient for each output, and the loss whose gradients these are."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.frontends import roles
from symgrad.frontends.trace.hosting import is_tensor
from symgrad.frontends.trace.shaped import Recorder
from symgrad.frontends.trace.values import Value

if TYPE_CHECKING:
    from symgrad.frontends.calling import Caller

#: dL/d(output) where none is given: not 1, so that a forgotten upstream gradient shows.
UPSTREAM = 1.5
#: What the upstream gradients of arrays are drawn with.
SEED = 20


def _free(words: Sequence[str], taken: Collection[str]) -> str:
    """A name that nothing has yet."""
    return next(w for w in chain(words, (f"{words[0]}_{n}" for n in count(1))) if w not in taken)


class Above:
    """The upstream gradients of one run of a pair of functions."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def upstreams(self, found: roles.Roles, outputs: Sequence[Any]) -> list[Any]:
        """An input of the graph for each output; none where backward takes none."""
        names = [p for p, role in found.roles if role == "upstream"]
        if not names:
            if self.caller.upstream is not None:
                message = "backward has no parameter for the upstream gradient that was given"
                raise self.caller.error("backward", message)
            return []
        given = self.caller.upstream
        given = list(given.values()) if isinstance(given, Mapping) else given
        given = list(given) if isinstance(given, list | tuple) else [given]
        if len(given) == 1 and given[0] is None:
            given = self.own_upstreams(outputs)
            only = names[0].default if len(names) == len(given) == 1 else None
            if isinstance(only, int | float) and not np.shape(given[0]):
                # A loss's ``dout=1``: a number, whatever becomes of it, since nobody calls it with another.
                return [float(only)]
        spread = len(names) == 1 and names[0].kind == names[0].VAR_POSITIONAL
        if len(given) != len(outputs) or not (spread or len(names) == len(outputs)):
            message = f"forward has {len(outputs)} outputs, backward takes {len(names)} upstream gradients"
            raise self.caller.error("backward", f"{message}, and {len(given)} are given")
        places = {a.arg: a for a in ast.walk(self.caller.backward_node.args) if isinstance(a, ast.arg)}
        out = []
        for n, value in enumerate(given):
            parameter = names[0] if spread else names[n]
            name = f"{parameter.name}[{n}]" if spread else parameter.name
            made: Any = value.detach() if is_tensor(value) else np.asarray(value, dtype=np.float64)
            wanted = np.shape(outputs[n].raw)
            if tuple(made.shape) not in ((), wanted):
                message = f"the upstream gradient given has shape {tuple(made.shape)}, and the output {wanted}"
                raise self.caller.error("forward", message)
            if not is_tensor(made):
                made = self.caller.kind(np.broadcast_to(made, wanted).copy() if wanted else float(made))
            out.append(self.caller.run_.named(name, made, places.get(parameter.name, self.caller.backward_node)))
            if isinstance(out[-1], Value):
                self.caller.upstream_steps.append(out[-1].place)
        return out

    def own_upstreams(self, outputs: Sequence[Any]) -> list[Any]:
        """Of our choice: nothing special about any entry, so that nothing forgotten or summed wrongly is hidden."""
        source = np.random.default_rng(SEED)
        out: list[Any] = []
        for n, output in enumerate(outputs):
            shape = np.shape(output.raw)
            out.append(np.round(source.standard_normal(shape), 6) if shape else UPSTREAM + n)
        return out

    def loss(self, outputs: Sequence[Any], values: Sequence[Any]) -> str:
        """What is differentiated: the output, times what flows in from above where backward takes that."""
        tr = self.caller.run_.tracer
        taken = {b.name for b in tr.bindings}
        place = self.caller.place("forward")
        span = self.caller.run_.span(place)
        for n, output in enumerate(outputs):
            if output.step not in {b.step for b in tr.bindings}:
                name = _free(("out", "y", "output", f"out_{n}"), taken)
                taken.add(name)
                tr.bind(name, output.step, span, span.line, "", "")
        total = outputs[0]
        if values:
            begin = len(tr.builder.steps)
            parts = [self.weighed(o, v) for o, v in zip(outputs, values, strict=True)]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            for i in range(begin, len(tr.builder.steps)):
                tr.builder.steps[i] = replace(tr.builder.steps[i], span=span)
        elif len(outputs) > 1:
            raise self.caller.error("backward", "forward has several outputs, and backward takes no upstream gradients")
        elif np.size(total.raw) == 1 and np.shape(total.raw):
            total = self.summed(total)
        elif np.shape(total.raw):
            # A function of single numbers, applied to many: each result is differentiated by its own number.
            total = self.summed(total)
        if self.caller.mean:
            count = np.size(outputs[0].raw)
            if values or len(outputs) > 1 or count < 2:
                raise self.caller.error("backward", "there is nothing to take the mean of")
            total = total / count
            tr.builder.steps[-1] = replace(tr.builder.steps[-1], span=span)
        if self.caller.negative:
            total = -total
            tr.builder.steps[-1] = replace(tr.builder.steps[-1], span=span)
        name = _free(("loss", "L", "objective", "total_loss"), taken)
        tr.bind(name, total.step, span, span.line, "", "")
        self.caller.loss_name = name
        return name

    def weighed(self, output: Any, value: Any) -> Any:
        """The part of the loss that one output has: its product with the gradient that flows in."""
        product = output * value
        return self.summed(product) if np.shape(product.raw) else product

    def summed(self, value: Any) -> Any:
        return Recorder(self.caller.run_.tracer).sum(value)
