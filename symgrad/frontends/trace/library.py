"""Modules whose text is run in the sandbox beside the file's own: the files that it imports, and ours for ``torch.nn``,
``torch.distributions`` and ``scipy.stats``.

What such a module computes is recorded as everything is, but at the place in the user's file that called for it, and
the names in it are not the user's: of what it binds only parameters become named inputs.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace import autograd, lib_drawn
from symgrad.frontends.trace import hooks as names
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.declared import write_out
from symgrad.frontends.trace.instrument import instrument
from symgrad.frontends.trace.places import LIBRARY_NAME
from symgrad.frontends.trace.registry import MODULES, Facade, Missing
from symgrad.frontends.trace.rules import Refused, check, settle_private
from symgrad.frontends.trace.sites import Instrumented, Site

if TYPE_CHECKING:
    from symgrad.frontends.trace.run import Run

#: Modules of which a script finds our own text.
TORCH_NN = "torch.nn"
WHOLE_NN = "torch.nn, all of it"
DISTRIBUTIONS = "torch.distributions"
STATS = "scipy.stats"
MODULES |= {DISTRIBUTIONS, STATS, f"{DISTRIBUTIONS}.kl", f"{DISTRIBUTIONS}.distribution"}
MODULES |= {f"{DISTRIBUTIONS}.{name}" for name in "normal categorical bernoulli beta gamma poisson uniform".split()}
_NN_PARTS = ("nn_modules", "nn_layers", "nn_recurrent", "nn_losses", "nn_training")
_OURS = {
    TORCH_NN: _NN_PARTS,
    WHOLE_NN: (*_NN_PARTS, "nn_more"),
    DISTRIBUTIONS: ("text_distributions", "text_divergences"),
    STATS: ("text_stats",),
}
#: Read now: a sandbox opens no files.
_TEXTS = {
    label: "\n".join(Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in parts)
    for label, parts in _OURS.items()
}
_NN_HOMES = {
    "torch.nn": frozenset({"Module", "ModuleList", "ModuleDict", "ParameterList", "Sequential"}),
    "torch.optim": frozenset({"SGD", "Adam", "AdamW", "Optimizer"}),
    "torch.autograd": frozenset({"Function"}),
    "torch.autograd.function": frozenset({"Function", "FunctionContext"}),
    "torch.library": frozenset({"custom_op"}),
}
#: Compiling takes longer than most runs: layers that few scripts have are left out where they are not named.
_LAYERS = re.findall(r"^class (\w+)", _TEXTS[WHOLE_NN][len(_TEXTS[TORCH_NN]) :], re.MULTILINE)
_RARE = re.compile(rf"\b(?:{'|'.join(_LAYERS)})\b")


class SourceModule:
    """A module that was run from its text. The guards let its public names through, and nothing else."""

    def __init__(self, name: str, table: dict[str, Any]) -> None:
        self.name, self.table = name, table

    def __repr__(self) -> str:
        return f"<module {self.name!r}>"

    def public(self) -> dict[str, Any]:
        """What ``import *`` brings."""
        listed = self.table.get("__all__")
        if isinstance(listed, list | tuple):
            return {n: self.table[n] for n in listed if type(n) is str and n in self.table and not n.startswith("__")}
        return {n: v for n, v in self.table.items() if not n.startswith("_")}


class Package(SourceModule):
    """``import a.b``: what the script then has is ``a``, in which ``b`` is found."""


class Library:
    """The modules that can be imported from their text, in one run."""

    def __init__(self, run: Run, siblings: Siblings) -> None:
        self.run, self.siblings = run, siblings
        self.codes: dict[str, tuple[CodeType, Instrumented] | str] = {}
        self.modules: dict[str, SourceModule] = {}

    @property
    def most(self) -> int:
        """How many of its texts may come to be run: the imported files', and ours."""
        return len(self.siblings.texts) + len(_OURS)

    def compile(self) -> None:
        """Make every text ready, while compiling is still allowed."""
        for label, text in self.siblings.texts.items():
            self.codes[label] = self.compiled(text, label)
        self.run.tracer.texts = self.siblings.texts
        texts = (self.run.source, *self.siblings.texts.values())
        for label, word in ((TORCH_NN, "torch"), (DISTRIBUTIONS, "distributions"), (STATS, "stats")):
            if any(word in text for text in texts):
                rare = label == TORCH_NN and any(_RARE.search(text) for text in texts)
                self.codes[label] = get_ready(WHOLE_NN if rare else label)

    def of_ours(self, dotted: str) -> Any:
        """A layer, an optimiser, a distribution or ``Function``; ``None`` where there is no such thing."""
        home, _, name = dotted.rpartition(".")
        whole = DISTRIBUTIONS if home.startswith(f"{DISTRIBUTIONS}.") else home
        if whole in (DISTRIBUTIONS, STATS):
            known = whole in self.codes and dotted not in MODULES and not name.startswith("_")
            found = self.module(whole, whole).table.get(name) if known else None
            return None if isinstance(found, Facade | int | float) else found
        names_here = _NN_HOMES.get(home.removesuffix(".modules"))
        if names_here is None or TORCH_NN not in self.codes or name.startswith("_"):
            return None
        if not name[:1].isupper() and name not in names_here:
            return None
        module = self.module(TORCH_NN, TORCH_NN)
        found = module.table.get(name)
        other = {"SGD", "Adam", "AdamW", "Optimizer", "Function", "FunctionContext", "CustomOp"}
        here = name in names_here or (home == "torch.nn" and isinstance(found, type) and name not in other)
        return found if here else None

    @staticmethod
    def compiled(text: str, label: str = "") -> tuple[CodeType, Instrumented] | str:
        """The rewritten code of a module, or why there is none."""
        made = Instrumented()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text, LIBRARY_NAME + label)
                settle_private(tree)
                write_out(tree)
                check(tree)
                instrument(tree, made)
                return compile(tree, LIBRARY_NAME + label, "exec", dont_inherit=True), made
        except SyntaxError as e:
            return f"it does not parse: {e.msg}, line {e.lineno}"
        except Refused as e:
            return f"{e.message}, line {getattr(e.node, 'lineno', '?')}"
        except (RecursionError, MemoryError):
            return "it is nested too deeply"

    def find(self, label: str, name: str) -> Any:
        """The module that a file means by a name; ``None`` where it is none of ours."""
        target = self.siblings.found.get(label, {}).get(name)
        return None if target is None else self.module(target, name)

    def module(self, label: str, name: str) -> Any:
        if label in self.modules:
            return self.modules[label]
        found = self.codes.get(label, "it is not there")
        if isinstance(found, str):
            return Missing(self.run.tracer, name, f"the module {name} cannot be used: {found}")
        code, made = found
        table = self.namespace(label, made)
        # Before it runs, so that two files may import one another.
        self.modules[label] = SourceModule(name, table)
        exec(code, table)
        return self.modules[label]

    def namespace(self, label: str, made: Instrumented) -> dict[str, Any]:
        """The globals of a module: as the user's file has them, but its names are quiet."""
        run = self.run
        table = run.namespace_of(label)
        quiet = Quiet(run, made)
        own: dict[str, Callable[..., Any]] = {
            names.BIND: quiet.bind, names.APPEND: quiet.append, names.SETATTR: quiet.set_attribute,
            names.SETITEM: quiet.set_item, names.ENTER: quiet.enter, names.RETURN: quiet.handed_back,
            names.EXACT: quiet.exact, names.ROUND: quiet.round, names.LOOP: quiet.loop,
        }  # fmt: skip
        table["__builtins__"] = {**table["__builtins__"], **own}
        table["__name__"] = "imported"
        if label in _OURS:
            tr = run.tracer
            table["__builtins__"] |= {names.ROUND: lambda index: False, names.LOOP: lambda index: None}
            table["__builtins__"] |= {
                "fields_of": lambda owner: list(vars(owner).items()),
                "on_tape": partial(autograd.on_tape, tr),
                "is_tracked": lambda value: isinstance(value, Tensor) and value.node is not None,
                "drawn": partial(lib_drawn.drawn, tr),
                "held": partial(lib_drawn.held, tr),
                "normal_quantile": partial(lib_drawn.normal_quantile, tr),
            }
        return table


#: What has been compiled once for all runs of this process.
_READY: dict[str, tuple[CodeType, Instrumented] | str] = {}


def get_ready(label: str = TORCH_NN) -> tuple[CodeType, Instrumented] | str:
    """Compile a text of our own, unless that was done: by a nursery for all that are forked from it."""
    if label not in _READY:
        _READY[label] = Library.compiled(_TEXTS[label])
    return _READY[label]


# The helpers have the signatures that the rewriting calls them with, used or not.
# ruff: noqa: ARG002
class Quiet:
    """The helpers of the rewriting for a module that is not the user's file."""

    def __init__(self, run: Run, made: Instrumented) -> None:
        self.run, self.made = run, made

    def bind(self, index: int, value: Any, scope: str) -> Any:
        return self.seen(self.made.sites[index], self.made.sites[index].name, value)

    def seen(self, site: Site, name: str, value: Any) -> Any:
        """An array of data that gets a name is an input of the graph."""
        tr = self.run.tracer
        if isinstance(value, Array) and not (value.step is not None and tr.varies[value.step]):
            here = tr.here()
            return self.run.leaf(site, name, value, "", span=here)
        return value

    def append(self, index: int, value: Any, scope: str, owner: Any) -> Any:
        return value

    def set_attribute(self, index: int, value: Any, scope: str, owner: Any, name: str) -> None:
        site = self.made.sites[index]
        self.run.guard.setattr(owner, name, self.seen(site, f"{site.name}.{name}", value))

    def set_item(self, index: int, value: Any, scope: str, owner: Any, key: Any) -> None:
        self.run.tracer.alive()
        owner[key] = value

    def enter(self, index: int, *arguments: Any) -> tuple[Any, ...]:
        self.run.tracer.alive()
        return ("", *arguments)

    def handed_back(self, index: int, value: Any) -> Any:
        return value

    def loop(self, index: int) -> None:
        self.made.loops[index].rounds = 0

    def round(self, index: int) -> bool:
        return self.run.one_more(self.made.loops[index], self.run.tracer.here())

    def exact(self, index: int) -> Any:
        return self.made.exacts[index][0]


