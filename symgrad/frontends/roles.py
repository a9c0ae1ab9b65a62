"""Who is who in a pair of functions: inputs, what forward saves, upstream gradients."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.returned import LABELS
from symgrad.frontends.trace.functions import plain_function

#: What an output is called that forward does not name.
_OUTPUTS = frozenset({"y", "out", "output", "result"})
_CONTEXT = re.compile(r"_?(?:ctx|context)$")
_SAVED = re.compile(
    r"_?(?:cache[sd]?|ctx|context|saved|tape|state|mem|memory|intermediates|aux|residuals?|res|stash|store)$"
)
#: What backward takes to update its parameters at once.
_RATE = re.compile(r"_?(?:lr|learn(?:ing)?_?rate|eta|step_?size|epsilon|eps|momentum|alpha|rate)$", re.IGNORECASE)
_UPSTREAM = re.compile(r"_?(?:d\w+|g\d*|g[yz]|grad\w*|\w+_grad|upstream\w*|delta\w*|nabla\w*|v|cotangent)$")


def is_upstream(name: str) -> bool:
    """Whether a parameter of backward is called as what flows in from above is, or what forward saved."""
    return bool(_UPSTREAM.match(name) or _SAVED.match(name))


@dataclass(frozen=True, slots=True)
class Part:
    """A forward or backward function.

    Attributes:
        function: the plain Python function.
        first: what is passed before everything else: the object of a method, or nothing.
        context: its next parameter is torch's ``ctx``.
        known: its parameters, where they have been looked up already.
    """

    function: FunctionType
    first: tuple[Any, ...] = ()
    context: bool = False
    known: tuple[inspect.Parameter, ...] | None = None

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """Those that the caller fills."""
        if self.known is not None:
            return list(self.known[len(self.first) + self.context :])
        found = list(inspect.signature(self.function, follow_wrapped=False).parameters.values())
        return found[len(self.first) + self.context :]


@dataclass(frozen=True, slots=True)
class Pair:
    """What is to be checked.

    Attributes:
        forward, backward: the functions; no backward where forward returns the loss and its gradients.
        setup: of a torch.autograd.Function of the newer kind, its ``setup_context``.
        is_torch: it is a torch.autograd.Function: gradients come in the order of the inputs, whatever they are called.
    """

    forward: Part
    backward: Part | None
    setup: Part | None = None
    is_torch: bool = False


def pair(forward: Any, backward: Any = None) -> Pair:
    """Functions, bound methods, an object or class with both methods, or a torch.autograd.Function.

    Raises:
        SymgradError: there is no such pair in what is given.
    """
    forward = _function_of(forward)
    if backward is None:
        owner = forward
        if inspect.isroutine(owner):
            return Pair(_part(owner), None)
        if not hasattr(owner, "forward") or not hasattr(owner, "backward"):
            raise SymgradError("give forward and backward, or an object that has methods of these names")
        if isinstance(owner, type):
            if _is_torch(owner):
                return _torch_pair(owner)
            static = [isinstance(inspect.getattr_static(owner, n), staticmethod) for n in ("forward", "backward")]
            if not all(static):
                try:
                    owner = owner()
                except Exception as e:
                    name = owner.__name__
                    raise SymgradError(f"{name}() cannot be made: {e}", hint=f"give an object: {name}(...)") from e
        forward, backward = owner.forward, owner.backward
    if isinstance(forward, type) and _is_torch(forward):
        return _torch_pair(forward)
    parts = [_part(forward), _part(backward)]
    return Pair(parts[0], parts[1], is_torch=parts[1].context)


def made(owner: Any, inputs: Any) -> tuple[Any, Any]:
    """An object of a class whose ``__init__`` takes some of the inputs, and the other inputs; else both as they are."""
    if not isinstance(owner, type) or _is_torch(owner) or not isinstance(inputs, Mapping):
        return owner, inputs
    if owner.__init__ is object.__init__:  # type: ignore[misc]
        return owner, inputs
    own = [n for n in list(inspect.signature(owner).parameters) if n in inputs]
    if not own:
        return owner, inputs
    try:
        return owner(**{n: inputs[n] for n in own}), {n: v for n, v in inputs.items() if n not in own}
    except Exception as e:
        given = ", ".join(f"{n}=..." for n in own)
        raise SymgradError(f"{owner.__name__}({given}) cannot be made: {e}") from e


def _function_of(applied: Any) -> Any:
    """``F`` of ``F.apply``, for a torch.autograd.Function; anything else as it is."""
    owner = getattr(applied, "__self__", None)
    if getattr(applied, "__name__", "") == "apply" and isinstance(owner, type) and _is_torch(owner):
        return owner
    return applied


def _is_torch(kind: type) -> bool:
    return any(base.__module__ == "torch.autograd.function" for base in kind.__mro__[1:])


def _torch_pair(kind: Any) -> Pair:
    own = {name for base in kind.__mro__ for name in vars(base) if not base.__module__.startswith("torch.")}
    if not {"forward", "backward"} <= own:
        raise SymgradError(f"{kind.__name__} has no forward or no backward of its own")
    if "setup_context" in own:
        setup = Part(plain_function(kind.setup_context)[0])
        return Pair(Part(plain_function(kind.forward)[0]), _part(kind.backward), setup, is_torch=True)
    return Pair(_part(kind.forward), _part(kind.backward), is_torch=True)


def _part(function: Any) -> Part:
    plain, owner = plain_function(function)
    first = () if owner is None else (owner,)
    names = list(inspect.signature(plain, follow_wrapped=False).parameters)[len(first) :]
    return Part(plain, first, bool(names) and bool(_CONTEXT.match(names[0])))


# --- inputs -------------------------------------------------------------------------------------------------------


def bound_inputs(part: Part, inputs: Any) -> dict[str, Any]:
    """The inputs by parameter, in the order of the parameters; of ``*xs`` one by one, as ``xs[0]``.

    A number that is a parameter's default is an input as well: backward may have the same parameter, and mean the same.

    Raises:
        SymgradError: they do not fit.
    """
    parameters = part.parameters
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if isinstance(inputs, Mapping):
        for name in inputs:
            if name not in names and not any(p.kind == p.VAR_KEYWORD for p in parameters):
                hint = f"its parameters are {', '.join(names)}" if names else ""
                raise SymgradError(f"forward has no parameter '{name}'{did_you_mean(str(name), names)}", hint=hint)
        found = {n: inputs[n] for n in [*(n for n in names if n in inputs), *(n for n in inputs if n not in names)]}
    else:
        given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
        found = dict(zip(names, given, strict=False))
        rest = given[len(names) :]
        several = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), None)
        if rest and several is None:
            raise SymgradError(f"forward takes {len(names)} inputs, {len(given)} were given")
        found |= {f"{several}[{i}]": value for i, value in enumerate(rest)}
    defaults = {p.name: p.default for p in parameters if type(p.default) in (int, float) and p.name not in found}
    if defaults:
        both = found | defaults
        found = {n: both[n] for n in [*(n for n in names if n in both), *(n for n in both if n not in names)]}
    missing = [
        p.name for p in parameters if p.name not in found and p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # fmt: skip
    if missing:
        hint = "give a method of an object, Layer(...).forward, not of the class" if missing[0] == "self" else ""
        raise SymgradError(f"there is no value for forward's parameter '{missing[0]}'", hint=hint)
    return found


# --- what backward is called with -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roles:
    """What each parameter of backward is.

    Attributes:
        roles: (parameter, ``"input"``, ``"saved"``, ``"output"``, ``"rate"`` or ``"upstream"``), in order.
    """

    roles: tuple[tuple[inspect.Parameter, str], ...]

    @property
    def upstream(self) -> list[str]:
        return [p.name for p, role in self.roles if role == "upstream"]


def roles(part: Part, inputs: Sequence[str], *, saved: bool, output: str, is_torch: bool) -> Roles:
    """Find out what backward's parameters are: inputs are called as forward calls them, and the rest as usual.

    Args:
        part: backward.
        inputs: the names of forward's inputs.
        saved: forward returned something besides its output.
        output: what forward calls its output, where it has a name.
        is_torch: everything after ``ctx`` is an upstream gradient.

    Raises:
        SymgradError: a parameter could be anything.
    """
    out: dict[str, str] = {}
    open_: list[inspect.Parameter] = []
    parameters = part.parameters
    for p in parameters:
        if is_torch or p.kind == p.VAR_POSITIONAL:
            out[p.name] = "upstream"
        elif p.name in inputs:
            out[p.name] = "input"
        elif p.kind == p.VAR_KEYWORD or (p.default is not p.empty and not _UPSTREAM.match(p.name)):
            continue
        elif saved and _SAVED.match(p.name):
            out[p.name] = "saved"
        elif p.name == output:
            out[p.name] = "output"
        elif _UPSTREAM.match(p.name):
            out[p.name] = "upstream"
        else:
            open_.append(p)
    for p in open_:
        if saved and "saved" not in out.values():
            out[p.name] = "saved"
        elif "upstream" not in out.values() and LABELS.match(p.name) and (
            p.name not in _OUTPUTS or len(open_) > 1
        ):
            raise SymgradError(f"backward takes {p.name!r}, which forward does not: it is the gradient of a loss that "
                               "forward does not compute")  # fmt: skip
        elif "upstream" not in out.values():
            out[p.name] = "upstream"
        elif p.name in _OUTPUTS and "output" not in out.values():
            out[p.name] = "output"
        elif _RATE.match(p.name):
            out[p.name] = "rate"
        else:
            raise SymgradError(
                f"what is backward's parameter '{p.name}'?",
                hint=f"an input is called as in forward ({', '.join(inputs)}), the upstream gradient dout, grad or "
                "the like, and what forward returns beside its output cache",
            )
    return Roles(tuple((p, out[p.name]) for p in parameters if p.name in out))
