"""One run of a script: parse, check, rewrite, execute under guard, and hand back the trace."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np

from symgrad.deep import deep
from symgrad.errors import Span
from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace import hooks as names
from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.asked import Calls, constructor_of
from symgrad.frontends.trace.claims import settle
from symgrad.frontends.trace.data import Note, Round, Trace, TraceError
from symgrad.frontends.trace.declared import write_out
from symgrad.frontends.trace.instrument import instrument
from symgrad.frontends.trace.lambdas import as_functions
from symgrad.frontends.trace.library import Library, Package, SourceModule
from symgrad.frontends.trace.naming import Naming
from symgrad.frontends.trace.passes import passes
from symgrad.frontends.trace.places import CODE_NAME
from symgrad.frontends.trace.registry import Missing
from symgrad.frontends.trace.rules import MAX_SOURCE, Refused, check, settle_private, syntax_message
from symgrad.frontends.trace.sites import Function, Loop
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.values import Value, exact, number
from symgrad.ops.base import COPY

#: A loop that trains is ended when it has recorded so much.
ENOUGH_STEPS, MOST_LOOPED, ENOUGH_NUMBERS = 3_000, 20_000, 1_000_000
#: So many rounds that do the same as the one before are enough, where it is certain that a loop trains.
ALIKE = 4


class Run(Naming):
    """A script on its way through the tracer."""

    def __init__(self, source: str, filename: str, siblings: Siblings | None = None) -> None:
        super().__init__(source, filename)
        self.source = source
        self.library = Library(self, siblings or Siblings())
        self.tracer.of_ours = self.library.of_ours
        self.globals: dict[str, Any] = {}
        #: Top-level names whose values are given from outside.
        self.given: dict[str, Any] = {}
        #: Whether the expression's branch that is being worked out was chosen by something traced.
        self.on_traced = False
        #: Every loop is to have as many rounds as can be.
        self.patient = False
        #: Called when the script has ended, and what it left is still to be put together.
        self.ended: Callable[[], None] = lambda: None
        #: The forward and backward passes that the text holds.
        self.passes: tuple[tuple[str, str], ...] = ()
        #: What the script calls these with.
        self.asked = Calls()

    # --- before -------------------------------------------------------------------------------------------------

    def compile(self) -> CodeType:
        """The rewritten code.

        Raises:
            Stop: the text does not parse, or uses what is not accepted.
        """
        tr = self.tracer
        try:
            self.library.compile()
            if len(self.source) > MAX_SOURCE:
                tr.stop("limit", "the file is too long", span=Span(tr.filename, 1, 1, 1, 1))
            if "\0" in self.source:
                before = self.source.partition("\0")[0].split("\n")
                line, column = len(before), len(before[-1]) + 1
                tr.stop("syntax", "a null byte in the text", span=Span(tr.filename, line, column, line, column + 1))
            with deep(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source, CODE_NAME)
                settle_private(tree)
                write_out(tree)
                check(tree)
                as_functions(tree)
                self.passes = tuple((p.forward, p.backward) for p in passes(tree))
                called = {name for pair in self.passes for name in pair}
                self.asked.wanted = called | {constructor_of(name) for name in called if "." in name}
                return self.rewrite(tree)
        except SyntaxError as e:
            message, hint = syntax_message(e, self.source)
            line, column = e.lineno or 1, max(e.offset or 1, 1)
            end_line, end = e.end_lineno or line, e.end_offset or column + 1
            span = Span(tr.filename, line, column, end_line, max(end, column + 1) if end_line == line else max(end, 1))
            tr.stop("syntax", message, hint, span)
        except Refused as e:
            tr.stop("refused", e.message, e.hint, self.span(e.node))
        except (RecursionError, MemoryError):
            message = "the file is nested too deeply to be read, or a formula in it is too long"
            tr.stop("limit", message, span=Span(tr.filename, 1, 1, 1, 1))

    def rewrite(self, tree: ast.Module) -> CodeType:
        """Instrument a checked tree and compile it."""
        self.cells.read(tree)
        instrument(tree, self.made, self.given)
        code: CodeType = compile(tree, CODE_NAME, "exec", dont_inherit=True)
        return code

    # --- during -------------------------------------------------------------------------------------------------

    def namespace(self) -> dict[str, Any]:
        """The globals that the script starts with: its built-ins and the helpers of the rewriting."""
        table = self.namespace_of("")
        self.globals = table
        return table

    def namespace_of(self, label: str) -> dict[str, Any]:
        """The globals of one file, by its label among those that are imported."""
        guard = self.guard
        table = dict(guard.names)
        table |= {
            names.GETATTR: guard.getattr, names.SETATTR: self.set_attribute, names.DELATTR: guard.delattr,
            names.SETITEM: self.set_item, names.BIND: self.bind, names.APPEND: self.append, names.ENTER: self.enter,
            names.RETURN: self.handed_back,
            names.INPLACE: guard.inplace, names.POWER: guard.power, names.SHIFT: guard.shift, names.LEFT: guard.left,
            names.EXACT: self.exact,
            names.CHECK: self.tracer.alive, names.SCOPE: "", names.ROUND: self.round, names.LOOP: self.loop,
            names.GIVEN: self.given_value, names.TEST: self.test, names.CHOSEN: self.chosen, names.HELD: self.held,
        }  # fmt: skip
        made: dict[str, Any] = {"__builtins__": table, "__name__": "__main__", "__file__": "script.py"}
        table[names.IMPORT] = lambda name, whole: self.import_module(label, name, whole)
        table[names.FROM] = lambda module, name: self.import_from(label, module, name)
        table[names.STAR] = lambda module: made.update(self.import_star(label, module))
        return made

    # --- imports ------------------------------------------------------------------------------------------------

    def import_module(self, label: str, name: str, whole: bool) -> Any:
        """``import name``: of a file beside this one, or of what is traced."""
        found = self.library.find(label, name)
        if found is None:
            return self.guard.import_module(name, whole)
        if whole or "." not in name:
            return found
        return Package(name.partition(".")[0], {name.partition(".")[2]: found})

    def import_from(self, label: str, module: str, name: str) -> Any:
        joined = f"{module}{name}" if module.endswith(".") else f"{module}.{name}"
        inner = self.library.find(label, joined)
        found = self.library.find(label, module)
        if isinstance(found, SourceModule) and (inner is None or name in found.table):
            return self.guard.of_source(found, name)
        if inner is not None:
            return inner
        if isinstance(found, Missing):
            return Missing(self.tracer, joined, found.message)
        if module.startswith("."):
            self.tracer.alive()
            message = f"the module {module} is not found beside this file"
            return Missing(self.tracer, module, message)
        return self.guard.import_from(module, name)

    def import_star(self, label: str, module: str) -> dict[str, Any]:
        found = self.library.find(label, module)
        if found is None and module.startswith("."):
            self.tracer.unsupported(f"the module {module}, which is not beside this file,")
        return self.guard.star(self.guard.module(module) if found is None else found)

    def execute(self, code: CodeType) -> Trace:
        """Run the script to its end, or to where it stops. If it computes nothing, its functions are named."""
        trace = self.guarded(lambda: exec(code, self.namespace()))
        computed = any(v and not s.is_leaf for v, s in zip(self.tracer.varies, trace.graph.steps, strict=False))
        fatal = trace.error is not None and trace.error.fatal
        if fatal:
            return trace
        passes = () if computed else self.passes
        return replace(trace, offered=self.passes, passes=passes, asked=self.asked.all())

    def guarded(self, action: Callable[[], Any]) -> Trace:
        """Run something of the script's; whatever ends it becomes the trace's error."""
        error = self.attempt(action)
        self.ended()
        if self.tracer.dead is not None:
            error = self.tracer.dead.error
        self.cells.settle(self.globals, self.guard.classes)
        if self.tracer.dead is None:
            settle(self.tracer)
        if error is None:
            self.unset.settle(self)
        return self.tracer.finish(error)

    def attempt(self, action: Callable[[], Any]) -> TraceError | None:
        """Run something of the script's; why it ended before its end, where it did."""
        tr = self.tracer
        error: TraceError | None = None
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                action()
        except Stop as e:
            error = e.error
        except MemoryError as e:
            error = TraceError("limit", "the script needs more memory than it may have", tr.place_of(e.__traceback__))
        except RecursionError as e:
            error = TraceError("limit", "the script calls itself too deeply", tr.place_of(e.__traceback__, calls=True))
        except SystemExit as e:
            error = TraceError("refused", "the script ends itself with SystemExit", tr.place_of(e.__traceback__))
        except BaseException as e:  # the script's own exception, of whatever class
            error = self.raised(e)
        return error if tr.dead is None else tr.dead.error

    def raised(self, e: BaseException) -> TraceError:
        """An exception of the script's, in one line."""
        try:
            words = str(e)
        except BaseException:  # a __str__ of the script's
            words = ""
        if isinstance(e, SyntaxError | KeyError) and e.args:
            words = repr(e.args[0])
        name = type(e).__name__
        message = "".join(c if c.isprintable() else " " for c in f"{name}: {words}"[:500]) if words else name
        trace = e.__traceback__
        return TraceError("exception", message, self.tracer.place_of(trace), "", self.tracer.frames(trace))

    # --- helpers of the rewriting -------------------------------------------------------------------------------

    def exact(self, index: int) -> Any:
        value, fraction = self.made.exacts[index]
        return exact(self.tracer, value, fraction)

    def test(self, value: Any) -> Any:
        """What a branch of an expression is chosen by."""
        self.on_traced = isinstance(value, Value) and value.step is not None and self.tracer.varies[value.step]
        return value

    def chosen(self, value: Any) -> Any:
        """A number as written that is the value of a branch: where an input chose that, it is computed, and no input.

        To move it would be to leave the function: ``0 if x < 0 else x`` has no other value there.
        """
        if not self.on_traced or type(value) not in (int, float):
            return value
        tr = self.tracer
        step = tr.emit(COPY, (tr.constant(value),), value)
        tr.varies[step] = True
        return number(tr, value, step)

    def held(self, value: Any) -> None:
        """An assertion of the script's that numbers are near one another: it ends no run, as what is to be found out
        is why they are not."""
        if not value:
            tr = self.tracer
            said = " ".join(tr.text(tr.here()).split())[:80]
            tr.note(f"the assertion `{said}` does not hold; what comes after it was run all the same")

    def enter(self, index: int, *arguments: Any) -> tuple[Any, ...]:
        """A function begins: a new scope, and numbers that were passed without a name become named inputs."""
        tr = self.tracer
        tr.alive()
        function: Function = self.made.functions[index]
        scope = tr.entered(function.qualname)
        if function.qualname in self.asked.wanted:
            names = (site.name for site in function.parameters)
            self.asked.note(function.qualname, dict(zip(names, arguments, strict=True)))
        out: list[Any] = [scope]
        for site, value in zip(function.parameters, arguments, strict=True):
            nameless = type(value) is Array and value.step is None and value.data.dtype.kind == "f"
            out.append(self.bound(site, site.name, value, scope) if nameless or type(value) is float else value)
        return tuple(out)

    def loop(self, index: int) -> None:
        """A loop that trains begins."""
        self.made.loops[index].rounds = 0

    def round(self, index: int) -> bool:
        """One more round of a loop that trains; whether there have been enough: they are all alike."""
        site = self.made.loops[index]
        return self.one_more(site, self.span(site.node))

    def one_more(self, site: Loop, span: Span) -> bool:
        """The same of a loop, of whatever file, that is told with this place."""
        tr = self.tracer
        site.rounds += 1
        size = (len(tr.values), tr.numbers)
        if site.rounds == 1:
            site.begun, site.since, site.alike = size, size[0], 0
        tr.rounds.append(Round(site.begun[0], self._since_next(site, size[0])))
        if site.rounds == 1:
            return False
        done = site.rounds - 1
        ops = hash(tuple(step.op for step in tr.builder.steps[site.since :]))
        site.alike = site.alike + 1 if ops == site.ops else 0
        site.ops, site.since = ops, size[0]
        steps, numbers = size[0] - site.begun[0], size[1] - site.begun[1]
        enough = (done >= 3 and steps >= ENOUGH_STEPS and steps >= 60 * done) or steps >= MOST_LOOPED
        soon = site.surely and site.alike >= ALIKE and not self.patient
        if not (enough or soon or (done >= 2 and numbers >= ENOUGH_NUMBERS)):
            return False
        tr.hurried |= soon
        head = Span(span.file, span.line, span.column, span.line, span.column + 5)
        message = f"the loop was ended after {done} rounds, since they are alike"
        tr.notes.setdefault((message, head), Note(message, head))
        return True

    def _since_next(self, site: Loop, size: int) -> int:
        """Where a round begins: with the item that a ``for`` takes of an array for it, before its body is asked."""
        if site.rounds == 1 or not isinstance(site.node, ast.For):
            return size
        head, steps = self.span(site.node.iter), self.tracer.builder.steps
        while size > site.begun[0] and (span := steps[size - 1].span) is not None:
            if span.line != head.line or span.column > head.end_column:
                break  # of the body, which may stand on the same line
            size -= 1
        return size

    def given_value(self, name: str, *also: str) -> Any:
        """What the caller gave in place of what the script would assign."""
        values = [self.made_value(n) for n in (name, *also)]
        return tuple(values) if also else values[0]

    def made_value(self, name: str) -> Any:
        value = self.given[name]
        if isinstance(value, np.ndarray):
            return Array(self.tracer, value)
        return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
