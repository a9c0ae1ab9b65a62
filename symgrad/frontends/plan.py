"""What to call in a file of functions, and with what: plain data that goes into the sandbox as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgrad.errors import SymgradError

#: No array of ours has more numbers.
LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Which functions are called, and with what.

    Attributes:
        forward, backward: names in the file, with a dot for a method: ``Affine.backward``. Both empty: they are found.
            ``backward`` empty: it is found by its name, or forward returns the loss and its gradients.
        shapes: input -> the shape of its random values.
        values: input -> its value: numbers, texts, lists and dictionaries of these.
        upstream: the gradient of the output, where it is not to be random.
        returns: what backward returns, in order.
        seed: of the random values.
        of_output: backward is a derivative as a function of forward's output: ``a*(1 - a)``.
        globals: top-level name -> its value: ``{"shape": [4, 3]}``, or ``{"value": ...}``.
        mean: what is differentiated is the mean of forward's results, not their sum, where nothing flows in from above.
        of_inputs: what backward takes under a name of its own is the input that it does not take otherwise.
        positive: a force is taken as the gradient itself, not as its negative.
        lenient: shapes and values for inputs that the functions have not are for other functions.
        known: input -> the shape with which the functions ran before, where they are called once more, a little
            differently: none but this one is tried.
        made: parameter of a constructor -> the number or text that the script makes an object with.
        of_input: the file gives backward itself what it gives forward: it takes no output. (The run need not know.)
    """

    forward: str = ""
    backward: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    upstream: Any = None
    returns: Sequence[str] | None = None
    seed: int = 1
    lenient: bool = False
    globals: Mapping[str, Any] = field(default_factory=dict)
    of_output: bool = False
    positive: bool = False
    mean: bool = False
    of_inputs: bool = False
    known: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)
    of_input: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "forward": self.forward, "backward": self.backward, "values": dict(self.values), "upstream": self.upstream,
            "shapes": {n: list(s) for n, s in self.shapes.items()}, "seed": self.seed,
            "of_output": self.of_output, "positive": self.positive, "mean": self.mean, "of_inputs": self.of_inputs,
            "globals": dict(self.globals), "lenient": self.lenient,
            "known": {n: list(s) for n, s in self.known.items()}, "made": dict(self.made),
            "returns": None if self.returns is None else list(self.returns),
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Plan:
        shapes = {n: tuple(s) for n, s in data["shapes"].items()}
        return Plan(
            data["forward"], data["backward"], shapes, data["values"], data["upstream"], data["returns"], data["seed"],
            data["lenient"], data["globals"], data["of_output"], data["positive"],
            data["mean"], data["of_inputs"], {n: tuple(s) for n, s in data["known"].items()}, data["made"],
        )  # fmt: skip


def read_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``x=4x3`` as ``("x", (4, 3))``; ``s=()`` is a single number.

    Raises:
        SymgradError: it is no shape.
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    parts = [p.strip() for p in given.strip("()[]").replace(",", "x").replace("*", "x").split("x") if p.strip()]
    if not name or not equals or not all(p.isdecimal() for p in parts) or (not parts and given not in ("()", "")):
        raise SymgradError(f"--shape {text!r}: write NAME=4x3, for example --shape x=4x3",
                           hint="--shape s=() is a number")  # fmt: skip
    shape = tuple(int(p) for p in parts)
    total = 1
    for n in shape:
        total *= max(n, 1)
    if total > LARGEST:
        raise SymgradError(f"--shape {text!r}: that is more than {LARGEST:,} numbers")
    return name, shape


def read_value(text: str) -> tuple[str, Any]:
    """``y=0,2,1``, ``mode=train``, ``bn_param={"mode":"train"}`` or ``p=0.5``; Python's way of writing them too.

    Raises:
        SymgradError: there is no name, or the value cannot be read.
    """
    import ast

    name, equals, given = text.partition("=")
    name, given = name.strip(), given.strip()
    if not name or not equals:
        raise SymgradError(f"--value {text!r}: write NAME=VALUE, for example --value y=0,2,1")
    try:
        value = ast.literal_eval(given)  # of the command line's own text: literals only, nothing is run
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        if given.startswith(("{", "[", "(")):
            import json

            try:
                value = json.loads(given)
            except ValueError as e:
                raise SymgradError(f"--value {text!r}: {given} cannot be read: {e}") from None
        else:
            value = given
    if not _plain(value):
        raise SymgradError(f"--value {text!r}: numbers, texts, lists and dictionaries can be given")
    return name, value


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str | int) and _plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str)


def given_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """Values of top-level names: of a shape random numbers, of lists of numbers arrays, everything else as it is."""
    import numpy as np

    source = np.random.default_rng(2)
    out: dict[str, Any] = {}
    for name, what in data.items():
        if "shape" in what:
            out[name] = np.round(source.standard_normal(tuple(what["shape"])), 6)
            continue
        value = what["value"]
        made = np.array(value) if isinstance(value, list) and value else None
        out[name] = made if made is not None and made.dtype.kind in "iufb" else value
    return out
