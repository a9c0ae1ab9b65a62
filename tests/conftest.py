"""Before the first test: the bytecode of the package is written."""

from __future__ import annotations

import compileall
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Some hundred tests start processes that import the package, which may not write its bytecode themselves.

    An editable installation has none, and a process that compiles what it imports takes twice as long to start. With
    workers of pytest-xdist, the process that started them does it once, before they are.
    """
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parent.parent / "symgrad", quiet=2, workers=2)
