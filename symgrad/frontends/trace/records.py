"""The base of the named tuples that a script may hold."""

from __future__ import annotations

from typing import Any


class Record(tuple[Any, ...]):
    """A tuple whose entries have names: the standard ones are made with ``eval``, and have more attributes."""

    __slots__ = ()
    fields: tuple[str, ...] = ()


class Extreme(Record):
    """What ``torch.max(x, dim)`` returns."""

    __slots__ = ()
    fields = ("values", "indices")


class Ends(Record):
    """What ``torch.aminmax`` returns."""

    __slots__ = ()
    fields = ("min", "max")


#: By their names in the table of library functions.
RECORDS: dict[str, type[Record]] = {"Extreme": Extreme, "Ends": Ends}
