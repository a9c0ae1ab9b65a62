"""symgrad says which line and which chain-rule factor of a hand-written derivative is wrong.

    >>> import symgrad
    >>> report = symgrad.check("40*tanh(w*tanh(w*0.5))", at={"w": 2})
    >>> report.verdict
    'agree'

Importing symgrad imports neither torch nor SymPy; each is loaded when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from symgrad.api import check, check_backward, derive
    from symgrad.derivation import Derivation
    from symgrad.errors import InternalError, SymgradError, Unsupported
    from symgrad.report.model import Report

_WHERE = {
    "check": "symgrad.api",
    "check_backward": "symgrad.api",
    "derive": "symgrad.api",
    "Derivation": "symgrad.derivation",
    "Report": "symgrad.report.model",
    "SymgradError": "symgrad.errors",
    "Unsupported": "symgrad.errors",
    "InternalError": "symgrad.errors",
}

__all__ = [
    "Derivation", "InternalError", "Report", "SymgradError", "Unsupported", "__version__", "check", "check_backward",
    "derive",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'symgrad' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext symgrad``: gives a notebook the magic ``%%symgrad``."""
    from symgrad.jupyter import register

    register(shell)


def __dir__() -> list[str]:
    return sorted(__all__)
