"""What a script itself calls its functions with: plain data, to call them with again by themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from symgrad.frontends.trace.values import Value

#: So many calls are kept of each function, and arguments of no more numbers.
MOST_CALLS, MOST_NUMBERS = 3, 2_000
_INIT = ".__init__"


class Calls:
    """The first calls of some functions, by name, that differ in what is passed."""

    def __init__(self) -> None:
        #: Whose calls are kept.
        self.wanted: Collection[str] = ()
        self._kept: dict[str, list[dict[str, Any]]] = {}

    def note(self, name: str, arguments: Mapping[str, Any]) -> None:
        """A function is called."""
        if name not in self.wanted:
            return
        kept = self._kept.setdefault(name, [])
        if len(kept) >= MOST_CALLS:
            return
        if name.endswith(_INIT):
            # The object itself is no data, nor need all be that it is made of.
            arguments = {n: v for n, v in arguments.items() if isinstance(_bare(v), int | float | str)}
        try:
            found = {parameter: _plain(value) for parameter, value in arguments.items()}
        except _NotPlainError:
            return
        if found not in kept:
            kept.append(found)

    def all(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """(function, parameter -> value) of every call that is kept."""
        return tuple((name, call) for name, kept in self._kept.items() for call in kept)


def constructor_of(method: str) -> str:
    """``Layer.__init__`` for ``Layer.forward``."""
    return method.rpartition(".")[0] + _INIT


class _NotPlainError(Exception):
    """A value is an object, or too large."""


def _bare(value: Any) -> Any:
    return value.raw if isinstance(value, Value) else value


def _plain(value: Any) -> Any:
    raw = _bare(value)
    if isinstance(raw, np.ndarray | np.generic):
        if raw.dtype.kind not in "fiub" or raw.size > MOST_NUMBERS or not raw.size or not np.isfinite(raw).all():
            raise _NotPlainError
        return raw.tolist()
    if isinstance(raw, list | tuple):
        if not 0 < len(raw) <= MOST_NUMBERS:
            raise _NotPlainError
        return [_plain(v) for v in raw]
    if isinstance(raw, dict) and 0 < len(raw) <= MOST_NUMBERS and all(isinstance(key, str) for key in raw):
        return {key: _plain(v) for key, v in raw.items()}
    if raw is None or isinstance(raw, bool | str) or (isinstance(raw, int) and raw.bit_length() < 64):
        return raw
    if isinstance(raw, float) and np.isfinite(raw):
        return float(raw)
    raise _NotPlainError


__all__ = ["Calls", "constructor_of"]
