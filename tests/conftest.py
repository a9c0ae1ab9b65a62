"""Before the first test: the bytecode of the package is written, and what is slow to load and of no use is left out."""

from __future__ import annotations

import compileall
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lighter"))


def pytest_configure(config: pytest.Config) -> None:
    """Some hundred tests start processes that import the package, which may not write its bytecode themselves.

    An editable installation has none, and a process that compiles what it imports takes twice as long to start. With
    workers of pytest-xdist, the process that started them does it once, before they are.
    """
    # It is a plugin's package too, whose assertions pytest would rewrite in each process that imports it: 450 modules.
    # They state what must hold inside of it, and no test reads what they say.
    getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("symgrad")
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parent.parent / "symgrad", quiet=2, workers=2)
