"""The recorder of one run: steps, values, names and places.

Every traced value (see ``values.py``) points here. The recorder gives each op a step whose span is exactly the
sub-expression that the interpreter was executing: see ``places.py``.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from symgrad.errors import Span
from symgrad.frontends.trace.data import (
    BackwardCall,
    Binding,
    GradRead,
    Leaf,
    Note,
    Round,
    Trace,
    TraceError,
)
from symgrad.frontends.trace.places import CODE_NAME, LIBRARY_NAME, Places
from symgrad.frontends.trace.stop import Stop
from symgrad.graph import INPUT, Graph, GraphBuilder, Param
from symgrad.ops.values import function
from symgrad.ops.writing import WRITING

#: More steps than this are a runaway loop: they would fill memory before they fill time.
MAX_STEPS = 400_000
#: Of a run that was ended for its time, no more are handed over: its diagnosis may take some seconds then, and no more.
MOST_DIAGNOSED = 5_000
#: As many numbers in all, where the values are arrays: a trace has to cross the sandbox's wall.
MAX_NUMBERS = 8_000_000
MAX_NOTES = 200

#: ``Binding.augmented`` of a name whose array was changed in place by another statement than ``name op= value``.
CHANGED = "[]="


class Tracer(Places):
    """What is recorded while the user's code runs."""

    def __init__(self, source: str, filename: str, *, output_limit: int = 200_000) -> None:
        super().__init__(source, filename)
        self.builder = GraphBuilder(source=source)
        self.values: list[Any] = []
        #: For each step, whether it depends on an input: the others are constants, however they were computed.
        self.varies: list[bool] = []
        self.bindings: list[Binding] = []
        self.leaves: list[Leaf] = []
        self.backward_calls: list[BackwardCall] = []
        self.rounds: list[Round] = []
        self.hurried = False
        #: See :class:`symgrad.frontends.trace.data.Trace`.
        self.returned: list[tuple[str, int]] = []
        self.grad_reads: list[GradRead] = []
        #: The step of a Jacobian of autograd's -> what it is of, and the step that it is by.
        self.jacobians: dict[int, tuple[Any, int]] = {}
        #: Steps of gradients of autograd's that can be differentiated themselves.
        self.gradients: set[int] = set()
        #: Steps that the script claims to be gradients, and by which steps: see ``claims.py``.
        self.claims: list[tuple[int, int]] = []
        #: What was printed, and the values in it; those that were put into a text since then.
        self.printed: list[tuple[str, tuple[int, ...]]] = []
        self.worded: list[int] = []
        #: What should be equal by the script's own words, and what is shown side by side, by the lines that do so.
        self.compared: dict[int, tuple[int, int]] = {}
        self.shown: dict[int, tuple[int, ...]] = {}
        #: Of some steps, whether they are whole numbers, or made of such alone.
        self._counts: dict[int, bool] = {}
        #: What something was rounded to -> what it was before.
        self.roundings: dict[int, int] = {}
        #: Steps through which no gradient flows: what was detached.
        self.cuts: list[int] = []
        self.notes: dict[tuple[str, Span], Note] = {}
        #: Steps of tensors that torch was asked to differentiate with respect to.
        self.grad_steps: set[int] = set()
        #: Of a Function of torch's, by its name, for which of its arguments some call of the script's wants gradients.
        self.wants_gradients: dict[str, list[bool]] = {}
        #: torch.no_grad() is in force when above zero.
        self.no_grad = 0
        self.default_dtype = "float32"
        #: Set once the run must end; nothing revives it.
        self.dead: Stop | None = None
        #: The script's time is over: why it ends at the next step.
        self._late: str = ""
        self.output: list[str] = []
        self.output_left = output_limit
        #: The step of a traced function's result, where it has one.
        self.result: int | None = None
        self._consts: dict[tuple[type, float], int] = {}
        self._calls: dict[str, int] = {}
        self._has_functions = "def " in source or "lambda" in source
        self.callers: dict[int, Span] = {}
        #: Where in an imported file each step was made: its label and line.
        self._made_in: dict[int, tuple[str, int]] = {}
        #: The texts of the imported files, by their labels.
        self.texts: Mapping[str, str] = {}
        self._numbers = 0
        #: So many steps are those of trials, of which nobody asks for the values.
        self._forgotten = 0
        #: The names of each array's step.
        self._bound: dict[int, dict[str, Binding]] = {}
        #: Where a name went over to what an array is changed to -> where it had been given.
        self.moved: dict[int, int] = {}
        #: The step of ``x[mask]`` -> the steps of x and of the mask.
        self.masked: dict[int, tuple[int, int]] = {}
        #: Finds the classes of ``torch.nn`` and its like, by their dotted names.
        self.of_ours: Callable[[str], Any] | None = None
        #: The last operation whose arrays did not fit: the op, their shapes, its parameters.
        self.misfit: tuple[str, list[tuple[int, ...]], dict[str, Any]] | None = None

    # --- ends ---------------------------------------------------------------------------------------------------

    def stop(self, kind: str, message: str, hint: str = "", span: Span | None = None) -> NoReturn:
        """End the run; see :class:`TraceError` for ``kind``. The first reason is the one that is reported."""
        if self.dead is None:
            self.dead = Stop(TraceError(kind, message, span or self.here(), hint, self.frames()))
        raise self.dead

    def out_of_time(self, frame: FrameType | None, seconds: float) -> None:
        """The script's time is over: it ends here where its own code is running, and else at the next step.

        Within the recorder it must not end: what is recorded would not be whole.
        """
        self._late = f"the script does not end within {seconds:g} s"
        name = "" if frame is None else frame.f_code.co_filename
        if name == CODE_NAME or name.startswith(LIBRARY_NAME):
            self.end_late()

    def end_late(self) -> NoReturn:
        """End the run: what it recorded so far may be used."""
        place = self.here()
        text = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        start = len(text) - len(text.lstrip())
        span = Span(place.file, place.line, start + 1, place.line, max(len(text.rstrip()), start + 1) + 1)
        self.stop("time", self._late, "raise the limit with --timeout, or shorten the loop", span)

    def refuse(self, message: str, hint: str = "") -> NoReturn:
        self.stop("refused", message, hint)

    def unsupported(self, what: str, hint: str = "") -> NoReturn:
        self.stop("unsupported", f"{what} cannot be traced yet", hint)

    def alive(self) -> None:
        """Raise the reason why the run ended, if the user's code has swallowed it; end it, if its time is over."""
        if self.dead is not None:
            raise self.dead
        if self._late:
            self.end_late()

    def note(self, message: str) -> None:
        """Say once per place that something was taken as a constant."""
        span = self.here()
        if len(self.notes) < MAX_NOTES:
            self.notes.setdefault((message, span), Note(message, span))

    def write(self, text: str) -> None:
        """Keep what the script prints."""
        self.output_left -= len(text)
        if self.output_left < 0:
            self.stop("limit", "the script prints too much")
        self.output.append(text)

    def words(self, step: int | None) -> None:
        """A value is put into a text."""
        if step is not None and len(self.worded) < MAX_NOTES:
            self.worded.append(step)

    def shows(self, text: str, *steps: int | None) -> None:
        """Keep which values are shown, and in which words: these only where autograd's may be among them."""
        shown = (*self.worded, *(s for s in steps if s is not None))
        self.worded.clear()
        if shown and len(self.shown) < MAX_NOTES:
            self.shown[self.here().line] = shown
        if self.grad_reads and shown and len(self.printed) < MAX_NOTES:
            self.printed.append((text, shown))

    # --- steps --------------------------------------------------------------------------------------------------

    def emit(
        self,
        op: str,
        inputs: Sequence[int],
        value: Any,
        span: Span | None = None,
        params: tuple[tuple[str, Param], ...] = (),
    ) -> int:
        """Record ``op(inputs)``, executed here (or at ``span``), with its concrete value."""
        if self._late:
            self.end_late()
        shape: tuple[int, ...] = value.shape if isinstance(value, np.ndarray) else ()
        index = self.builder.add(op, inputs, span=span or self.here(), shape=shape, params=params)
        if span is None and self._inside is not None:
            self._made_in[index] = self._inside
        if self._has_functions:
            caller = self.caller()
            if caller is not None:
                self.callers[index] = caller
        # Of an array that is written into, what is written: where nobody looks at the rest, many writes are made one.
        self.keep(value, self.builder.steps[inputs[1]].shape if op in WRITING else None)
        varies = self.varies
        varies.append(any(varies[i] for i in inputs))
        if index > MAX_STEPS:
            self.stop("limit", f"the script computes more than {MAX_STEPS:,} values")
        return index

    def keep(self, value: Any, counts: tuple[int, ...] | None = None) -> None:
        """Store the value of the step just made; ``counts`` is the shape that counts for its size."""
        self.values.append(value)
        self._numbers += math.prod(np.shape(value) if counts is None else counts)
        if self._numbers > MAX_NUMBERS:
            self.stop("unsupported", f"the script computes arrays of more than {MAX_NUMBERS:,} numbers in all")

    def drop(self, step: int | None) -> None:
        """An array has been changed: what it held before is not kept, and worked out again by who asks."""
        if step is not None and not self.builder.steps[step].is_leaf and isinstance(self.values[step], np.ndarray):
            self.values[step] = None

    def value(self, step: int) -> Any:
        """The value of a step, kept or not."""
        waiting = [step]
        while waiting:
            i = waiting[-1]
            made = self.builder.steps[i]
            missing = [j for j in made.inputs if self.values[j] is None]
            if missing and self.values[i] is None:
                waiting += missing
                continue
            if self.values[i] is None:
                with np.errstate(all="ignore"):
                    run = function(made.op)
                    self.values[i] = np.asarray(run(*(self.values[j] for j in made.inputs), **dict(made.params)))
            waiting.pop()
        return self.values[step]

    def constant(self, value: float) -> int:
        """The step of a plain number: exactly the decimal that Python writes for it, 1/10 for 0.1."""
        key = (type(value), value)
        found = self._consts.get(key)
        if found is None:
            if isinstance(value, float) and not math.isfinite(value):
                # An infinity is no rational, so it cannot be a const step: it is an input that nobody named.
                return self.input(repr(float(value)), float(value), self.here())
            exact = Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))
            found = self._consts[key] = self.exact(exact, value)
        return found

    def exact(self, exact: Fraction | str, value: float) -> int:
        """The step of an exact constant, shared by all its uses."""
        approximate = float(value)  # of a whole number too large, Python's own OverflowError
        index = self.builder.const(exact, self.here())
        if index == len(self.values):
            self.values.append(approximate)
            self.varies.append(False)
        return index

    def is_count(self, step: int) -> bool:
        """A number that whole numbers and constants alone are made to: ``np.sqrt(2.0 / n_in)``."""
        if step not in self._counts:
            row = self.builder.steps[step]
            made = bool(row.inputs) and not row.shape and all(self.is_count(i) for i in row.inputs)
            self._counts[step] = row.is_const or made
        return self._counts[step]

    def input(self, name: str, value: Any, span: Span) -> int:
        """A new leaf step."""
        shape: tuple[int, ...] = value.shape if isinstance(value, np.ndarray) else ()
        index = self.builder.add(INPUT, name=name, shape=shape, span=span)
        self.keep(value)
        self.varies.append(True)
        return index

    def leaf(self, name: str, value: Any, span: Span, *, literal: bool, dtype: str, scope: str) -> int:
        """A number that the user named."""
        index = self.input(name, value, span)
        if dtype.startswith("int") and not isinstance(value, np.ndarray):
            self._counts[index] = True
        self.leaves.append(Leaf(name, index, span, False, literal, dtype, scope))
        return index

    def rounded(self, before: int, value: Any, span: Span, dtype: str) -> int:
        """The step of what a step was rounded to: it is named by what it is assigned to, if it is."""
        index = self.builder.add(INPUT, shape=np.shape(value), span=span)
        self.keep(value)
        self.varies.append(True)
        self.roundings[index] = before
        self.leaves.append(Leaf(self.text(span), index, span, False, False, dtype, ""))
        return index

    def bind(self, name: str, step: int, span: Span, line: int, scope: str, augmented: str) -> None:
        """A traced value gets a name; a step that had none takes it."""
        if self.builder.steps[step].is_hidden:
            self.builder.rename(step, name)
        place = len(self.bindings)
        if self.builder.steps[step].shape:
            known = self._bound.setdefault(step, {})
            before = known.get(name)
            # x[0] += 1 is first a change of x and then an assignment: one line, one binding.
            if before is not None and before.augmented == CHANGED and before.span.line == span.line:
                place = before.order
            known[name] = Binding(name, step, span, line, scope, place, augmented)
        made = Binding(name, step, span, line, scope, place, augmented)
        self.bindings[place : place + 1] = [made]

    def of_gradients(self) -> set[int]:
        """The steps that are made of gradients of autograd's, and these themselves."""
        out = set(self.gradients)
        for i in range(min(out, default=0), len(self.values) if out else 0):
            if any(j in out for j in self.builder.steps[i].inputs):
                out.add(i)
        return out

    def place_bound(self, name: str, step: int) -> int:
        """Where it is recorded that a step got this name just now; -1 if it did not."""
        known = self._bound.get(step, {}).get(name)
        if known is not None:
            return known.order
        last = self.bindings[-1] if self.bindings else None
        return last.order if last is not None and (last.name, last.step) == (name, step) else -1

    def has_names(self, step: int | None) -> bool:
        """The array of a step has been given names."""
        return step in self._bound

    def rebind(self, old: int | None, new: int | None) -> None:
        """An array was written into: the names of its old step go over to the new one."""
        if old is None or new is None or new == old:
            return
        span = self.here()
        for known in list(self._bound.pop(old, {}).values()):
            self.moved[len(self.bindings)] = known.order
            self.bind(known.name, new, span, span.line, known.scope, CHANGED)

    @property
    def numbers(self) -> int:
        """How many numbers have been kept."""
        return self._numbers

    def revive(self) -> None:
        """What ended the run counts no more: something else of the file is run."""
        self.dead = None
        self._late = ""
        self.no_grad = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is run inside is run for its value alone: its names, inputs and claims count for nothing."""
        lists: tuple[list[Any], ...] = (
            self.bindings, self.leaves, self.backward_calls, self.grad_reads, self.claims, self.returned, self.printed,
        )  # fmt: skip
        counts = [len(some) for some in lists]
        notes = dict(self.notes)
        try:
            yield
        finally:
            for some, count in zip(lists, counts, strict=True):
                del some[count:]
            self.notes = notes
            for step, known in list(self._bound.items()):
                kept = {name: b for name, b in known.items() if b.order < counts[0]}
                self._bound[step] = kept
                if not kept:
                    del self._bound[step]
            self.moved = {new: old for new, old in self.moved.items() if new < counts[0]}

    def forget(self) -> None:
        """What was recorded was a trial: its names, its inputs and its end count no more."""
        self.revive()
        self.bindings.clear()
        self.leaves.clear()
        self._bound.clear()
        self.moved.clear()
        self.notes.clear()
        self._numbers = 0
        self._forgotten = len(self.values)

    def entered(self, qualname: str) -> str:
        """The scope of one more call of a function."""
        number = self._calls[qualname] = self._calls.get(qualname, 0) + 1
        return f"{qualname}#{number}"

    def _elsewhere(self) -> dict[int, tuple[str, int, str]]:
        """Where in the imported files the steps were made that have names in this one."""
        out: dict[int, tuple[str, int, str]] = {}
        for b in self.bindings:
            label, line = self._made_in.get(b.step, ("", 0))
            text = self.texts.get(label, "").split("\n")
            if 0 < line <= len(text):
                out[b.step] = (posixpath.basename(label), line, text[line - 1].strip()[:200])
        return out

    # --- the result ---------------------------------------------------------------------------------------------

    def finish(self, error: TraceError | None = None) -> Trace:
        if error is not None and error.fatal:
            # Nothing of the run is used, and there may be no memory left to hand it over.
            return Trace(Graph((), 0, self.source), (), error=error)
        steps = tuple(self.builder.steps)
        late = error is not None and error.kind == "time" and len(steps) > MOST_DIAGNOSED
        end = MOST_DIAGNOSED if late else len(steps)
        output = self.backward_calls[-1].step if self.backward_calls else len(steps) - 1
        output = output if self.result is None else self.result
        leaves = tuple(
            Leaf(f.name, f.step, f.span, f.step in self.grad_steps, f.literal, f.dtype, f.scope) for f in self.leaves
        )
        # A lone surrogate is no text that could be shown.
        printed = "".join(self.output).encode("utf-8", "replace").decode("utf-8")
        kept = min(self._forgotten, end)
        made = Trace(
            graph=Graph(steps, max(output, 0), self.source),
            values=(*self.values[:kept], *map(plain, self.values[kept:end])),
            bindings=tuple(self.bindings),
            elsewhere=self._elsewhere(),
            leaves=leaves,
            backward_calls=tuple(self.backward_calls),
            rounds=tuple(self.rounds),
            hurried=self.hurried,
            returned=tuple(self.returned),
            grad_reads=tuple(self.grad_reads),
            callers=dict(self.callers),
            cuts=tuple(self.cuts),
            compared=tuple(self.compared.values()),
            shown=tuple(self.shown[line] for line in sorted(self.shown)),
            roundings=dict(self.roundings),
            prints=tuple(printed.split("\n")[:-1] if printed.endswith("\n") else printed.split("\n"))
            if printed
            else (),
            notes=tuple(self.notes.values()),
            error=error,
        )
        if not late or error is None or error.span is None:
            return made
        said = f"it had computed {len(steps):,} values by then, of which the first {end:,} are looked at"
        return replace(made.until(end), notes=(*made.notes, Note(said, error.span)))


def plain(value: Any) -> Any:
    """A value as a float, or an array of its own; ``None`` for one that was not kept: see ``writes.valued``."""
    if value is None:
        return None
    if isinstance(value, np.ndarray) and value.ndim:
        return value.astype(np.float64)
    return float(value)
