"""An assignment: what is asked, what is right, and what counts how much. Plain data, so that it can travel."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from symgrad import __version__
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.sandbox import DEFAULT_MEMORY_MB
from symgrad.frontends.texts import read_source
from symgrad.report.hints import level_of
from symgrad.report.marks import Rubric, rubric_of

_KEYS = (
    "name", "file", "expression", "reference", "result", "gradients", "seed", "hint", "timeout", "budget", "memory_mb",
    "names", "inputs", "functions", "rubric",
)  # fmt: skip
_FUNCTIONS = ("forward", "backward", "returns", "provided")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is asked of a student.

    Attributes:
        name: its title.
        file: the name of the file to look at, where a submission has several.
        expression: the function, as a formula; or
        reference: the text of a Python file with the forward pass (``reference_name``: its name), or, with
            ``forward`` and ``backward``, with these functions.
        result: the name of what is differentiated, in the reference and in submissions; found out where it is empty.
        gradients: the inputs whose gradients are asked for; empty: all that the result depends on.
        names: input -> the names that its gradient may have in a submission, besides the usual ones.
        inputs: input -> ``{"value": ...}``, or ``{"shape": [...]}`` for numbers that are drawn.
        forward, backward: the functions that a submission defines; ``returns``: what backward returns, in order.
        provided: forward is given to the students: a submission without one uses the reference's.
        seed: of all that is drawn.
        hint: how much feedback tells: none, line, factor or fix.
        timeout: seconds that a submission's code may run; budget: seconds that grading one may take in all.
        memory_mb: what its code may use.
        rubric: what counts how much.
    """

    name: str
    file: str = ""
    expression: str = ""
    reference: str = ""
    reference_name: str = "reference.py"
    result: str = ""
    gradients: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    forward: str = ""
    backward: str = ""
    returns: tuple[str, ...] | None = None
    provided: bool = False
    seed: int = 1
    hint: str = "line"
    timeout: float = 10.0
    budget: float = 120.0
    memory_mb: int = DEFAULT_MEMORY_MB
    rubric: Rubric = field(default_factory=Rubric)

    @property
    def calls(self) -> bool:
        """Submissions are functions, and not scripts."""
        return bool(self.forward or self.backward)

    def to_json(self) -> dict[str, Any]:
        """Plain dict, list, str, int, float, bool and None."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return made

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Assignment:
        """The inverse of :meth:`to_json`."""
        known = dict(data)
        known["gradients"] = tuple(known["gradients"])
        known["names"] = {n: tuple(v) for n, v in known["names"].items()}
        known["returns"] = None if known["returns"] is None else tuple(known["returns"])
        known["rubric"] = Rubric(**known["rubric"])
        return Assignment(**known)

    @property
    def fingerprint(self) -> str:
        """The same for the same assignment, judged by the same symgrad."""
        text = json.dumps([__version__, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_assignment(path: Path) -> Assignment:
    """Read an assignment from a TOML file; the files that it names lie beside it.

    Raises:
        SymgradError: it cannot be read, or holds what no assignment has.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise SymgradError(f"{path} cannot be read: {e.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise SymgradError(f"{path} is no TOML: {e}") from None
    try:
        return _assignment(data, path)
    except SymgradError as error:
        raise SymgradError(f"{path}: {error.message}", hint=error.hint) from None


def _assignment(data: dict[str, Any], path: Path) -> Assignment:
    _known(data, _KEYS, "an assignment")
    options: dict[str, Any] = {"name": _text(data, "name") or path.stem, "rubric": rubric_of(data.get("rubric"))}
    for key in ("file", "expression", "result", "hint"):
        if key in data:
            options[key] = _text(data, key)
    level_of(options.get("hint", "line"))
    if bool(data.get("expression")) == bool(data.get("reference")):
        raise SymgradError("say what is right by one of expression = \"...\" and reference = \"FILE.py\"")
    if data.get("reference"):
        beside = path.parent / _text(data, "reference")
        options |= {"reference": read_source(beside), "reference_name": beside.name}
    for key, kind, least in (("seed", int, 0), ("timeout", float, 0.1), ("budget", float, 1.0), ("memory_mb", int, 16)):
        if key in data:
            value = data[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise SymgradError(f"{key} = {value!r}: it is a number from {least:g} on")
            options[key] = kind(value)
    options["gradients"] = _names(data.get("gradients", []), "gradients")
    names = _table(data, "names")
    options["names"] = {n: _names([v] if isinstance(v, str) else v, f"[names] {n}") for n, v in names.items()}
    options["inputs"] = {n: _input(n, v) for n, v in _table(data, "inputs").items()}
    functions = _table(data, "functions")
    _known(functions, _FUNCTIONS, "[functions]")
    if functions:
        if not data.get("reference"):
            raise SymgradError("[functions] needs a reference file that defines them")
        options |= {k: _text(functions, k) for k in ("forward", "backward") if k in functions}
        if "returns" in functions:
            options["returns"] = _names(functions["returns"], "[functions] returns")
        options["provided"] = bool(functions.get("provided", False))
        if not options.get("forward"):
            raise SymgradError("[functions] needs forward = \"NAME\"")
    return Assignment(**options)


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            raise SymgradError(f"{where} has no '{key}'{did_you_mean(key, keys)}", hint=f"it has {', '.join(keys)}")


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise SymgradError(f"{key} = {value!r}: it is a text")
    return value


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise SymgradError(f"[{key}] is a table")
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise SymgradError(f"{where} is a list of names")
    return tuple(value)


def _input(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        _known(value, ("shape", "value"), f"[inputs] {name}")
        if len(value) != 1:
            raise SymgradError(f"[inputs] {name}: give either shape or value")
        if "shape" in value:
            shape = value["shape"]
            if not isinstance(shape, list) or not all(type(n) is int and 0 < n < 100_000 for n in shape):
                raise SymgradError(f"[inputs] {name}: a shape is a list of lengths, such as [4, 3]")
            size = 1
            for n in shape:
                size *= n
            if size > 100_000:
                raise SymgradError(f"[inputs] {name}: that is more than 100,000 numbers")
        return dict(value)
    return {"value": value}


__all__ = ["Assignment", "read_assignment"]
