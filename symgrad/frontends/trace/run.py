"""One run of a script: parse, check, rewrite, execute under guard, and hand back the trace."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np

from symgrad.errors import Span
from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace import hooks as names
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.asked import Calls
from symgrad.frontends.trace.cells import Cells
from symgrad.frontends.trace.data import Note, Round, Trace, TraceError
from symgrad.frontends.trace.declared import write_out
from symgrad.frontends.trace.guard import Guard
from symgrad.frontends.trace.instrument import instrument
from symgrad.frontends.trace.lambdas import as_functions
from symgrad.frontends.trace.library import Library, Package, SourceModule
from symgrad.frontends.trace.passes import passes
from symgrad.frontends.trace.places import CODE_NAME
from symgrad.frontends.trace.registry import Missing
from symgrad.frontends.trace.rules import MAX_SOURCE, Refused, check, settle_private, syntax_message
from symgrad.frontends.trace.sites import Function, Instrumented, Loop, Site
from symgrad.frontends.trace.stop import Stop
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.unset import Unset
from symgrad.frontends.trace.values import TracedFloat, TracedInt, Value, exact, number
from symgrad.ops.base import COPY

#: A loop that trains is ended when it has recorded so much.
ENOUGH_STEPS, MOST_LOOPED, ENOUGH_NUMBERS = 3_000, 20_000, 1_000_000
#: So many rounds that do the same as the one before are enough, where it is certain that a loop trains.
ALIKE = 4

#: Rows of lists of lists are known by name up to this many.
MOST_ROWS = 1000


class Run:
    """A script on its way through the tracer."""

    def __init__(self, source: str, filename: str, siblings: Siblings | None = None) -> None:
        self.source = source
        self.tracer = Tracer(source, filename)
        self.guard = Guard(self.tracer)
        self.cells = Cells(self.tracer)
        #: With the node, which must not go away: another one could get its id, and its place.
        self.spans: dict[int, tuple[ast.AST, Span]] = {}
        self.made = Instrumented()
        self.library = Library(self, siblings or Siblings())
        self.tracer.of_torch = self.library.of_torch
        self.globals: dict[str, Any] = {}
        #: The rows of lists of lists, by identity, with what they are called; kept, so that no other gets their place.
        self.rows: dict[int, tuple[list[Any], str]] = {}
        #: Lists of zeros into which nothing is put.
        self.unset = Unset()
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
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source, CODE_NAME)
                settle_private(tree)
                write_out(tree)
                check(tree)
                as_functions(tree)
                self.passes = tuple((p.forward, p.backward) for p in passes(tree))
                self.asked.wanted = {name for pair in self.passes for name in pair}
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
            tr.stop("limit", "the file is nested too deeply to be read", span=Span(tr.filename, 1, 1, 1, 1))

    def rewrite(self, tree: ast.Module) -> CodeType:
        """Instrument a checked tree and compile it."""
        self.cells.read(tree)
        instrument(tree, self.made, self.given)
        code: CodeType = compile(tree, CODE_NAME, "exec", dont_inherit=True)
        return code

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
            names.GIVEN: self.given_value, names.TEST: self.test, names.CHOSEN: self.chosen,
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

    def append(self, index: int, value: Any, scope: str, owner: Any) -> Any:
        site = self.made.sites[index]
        return self.bound(site, f"{site.name}[{len(owner)}]", value, scope) if type(owner) is list else value

    def set_attribute(self, index: int, value: Any, scope: str, owner: Any, name: str) -> None:
        site = self.made.sites[index]
        value = self.renamed(site, value)
        whole = type(value) is int and self.cells.holds(owner, name)
        make = self.leaf if whole else self.bound
        value = make(site, f"{site.name}.{name}", value, scope)
        self.guard.setattr(owner, name, value)
        if type(owner) in self.guard.classes:
            self.cells.write(owner, name, site.name, value, self.guard.reads)
            self.guard.reads = {}

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
            # dz = [p - y for ...]: the gradient of each entry is one to be judged.
            for key, inner in list(value.items() if type(value) is dict else enumerate(value)):
                if isinstance(inner, TracedFloat | Array) or (type(inner) is list and site.each.each is not None):
                    entry = f"{name}[{key_text(key)}]"
                    value[key] = self.bound(site.each, entry, self.renamed(site.each, inner), scope)
        return value

    def named_parts(self, site: Site, name: str, value: Any, scope: str, depth: int) -> None:
        """A layer of torch.nn gets a name: so do its parameters, ``fc1.weight``."""
        layer = self.tracer.of_torch("torch.nn.Module") if self.tracer.of_torch is not None else None
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
