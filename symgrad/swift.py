"""Frozen dataclasses of which thousands are made."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def swift(cls: type[T]) -> type[T]:
    """A frozen dataclass with slots, made in half the time: its fields are set by the slots themselves.

    What Python writes for one goes through ``object.__setattr__``, which looks each of them up.

    Raises:
        TypeError: a field has a factory for a default, or is to be given by its name.
    """
    own: Any = cls.__init__
    given = [f for f in fields(cls) if f.init]  # type: ignore[arg-type]  # a dataclass it is
    names = tuple(f.name for f in given)
    if own.__code__.co_argcount != 1 + len(given) or any(f.default_factory is not MISSING for f in given):
        raise TypeError(f"{cls.__name__} is no plain dataclass")
    setters = {f"_{name}": vars(cls)[name].__set__ for name in names}
    lines = [f"def __init__(self, {', '.join(names)}):", *(f" _{name}(self, {name})" for name in names)]
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join(lines), setters)
    made: Any = setters["__init__"]
    made.__defaults__, made.__kwdefaults__ = own.__defaults__, own.__kwdefaults__
    made.__annotations__, made.__qualname__, made.__module__ = own.__annotations__, own.__qualname__, cls.__module__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
