"""Many scripts on one sandbox that is kept warm, each in a locked-in process of its own, with files that are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgrad.frontends import children, sandbox
from symgrad.frontends.plan import Plan
from symgrad.frontends.siblings import Siblings
from symgrad.frontends.trace.data import Trace


class Nursery:
    """The sandbox's nursery (see :mod:`symgrad.frontends.children`), started before it is needed.

    It may be used by a process that was forked from this one, which says so by ``children.borrow``.
    """

    def __init__(self) -> None:
        self.run("x = 0.5\n", "warm.py")

    def run(
        self, source: str, filename: str, *, timeout: float = 20.0, memory_mb: int = sandbox.DEFAULT_MEMORY_MB,
        plan: Plan | None = None, beside: Siblings | None = None, given: Mapping[str, Any] | None = None,
    ) -> Trace:  # fmt: skip
        """Trace one script; see :meth:`symgrad.frontends.sandbox.Sandbox.run`.

        Args:
            beside: the files that it may import, as texts; there are no others.

        Raises:
            SymgradError: it does not parse, does something that is refused, or passes a limit; with its line.
        """
        return sandbox.run_source(
            source, filename, timeout=timeout, memory_mb=memory_mb, plan=plan, beside=beside or Siblings(), given=given
        )

    def renew(self) -> None:
        """End whatever may still run, and begin anew."""
        children.renew()
        self.run("x = 0.5\n", "warm.py")

    def close(self) -> None:
        """End it."""
        children.renew()


__all__ = ["Nursery"]
