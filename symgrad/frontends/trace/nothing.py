"""What stands for everything that has no part in a derivative."""

# A method has the signature of what it stands for, used or not.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Inert:
    """Stands for a picture, an axis, a progress bar: everything may be done to it, and nothing happens."""

    def __call__(self, *args: Any, **kwargs: Any) -> Inert:
        return self

    def __iter__(self) -> Iterator[Inert]:
        return iter((self, self))  # fig, ax = plt.subplots()

    def __getitem__(self, key: Any) -> Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __enter__(self) -> Inert:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def __len__(self) -> int:
        return 0

    def __sub__(self, other: Any) -> float:
        return 0.0

    def __add__(self, other: Any) -> Inert:
        return self

    __radd__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __rsub__ = __pow__ = __add__

    def __repr__(self) -> str:
        return "<nothing>"

    def __bool__(self) -> bool:
        return False


NOTHING = Inert()

__all__ = ["NOTHING", "Inert"]
