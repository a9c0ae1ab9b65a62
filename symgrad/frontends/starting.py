"""How the sandbox's child is started: its command, where it imports from, and its environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import lru_cache
from pathlib import Path

_CODE = "import sys; sys.path[:] = {path!r}; from symgrad.frontends.trace.child import {main}; {main}()"


def command(main: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _CODE.format(path=_path(), main=main)]


def _path() -> list[str]:
    """Where the child finds what it imports: the standard library, and the folders of NumPy and of symgrad.

    It is started without ``site``, so that neither ``.pth`` files nor the environment nor the working directory can add
    anything to it.
    """
    standard = [p for p in (os.path.dirname(os.__file__), _folder("_json", tuple(sys.path))) if p]
    wanted = [_folder(name, tuple(sys.path)) for name in ("numpy", "flint", "sympy", "mpmath", "symgrad")]
    paths = [*standard, *(p for p in wanted if p)]
    return list(dict.fromkeys(paths))


@lru_cache(maxsize=64)
def _folder(package: str, _among: tuple[str, ...]) -> str:
    """Looked up once for what the caller imports from: for all of them it takes half a millisecond."""
    found = importlib.util.find_spec(package)
    if found is None:
        return ""
    if found.submodule_search_locations:
        return str(Path(next(iter(found.submodule_search_locations))).resolve().parent)
    # A module may be built into the interpreter, which needs no folder.
    return str(Path(found.origin).resolve().parent) if found.has_location and found.origin else ""


def environment() -> dict[str, str]:
    """Nothing of the caller's environment but what loading a shared library may need; one thread for NumPy."""
    kept = {k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH", "SYSTEMROOT")}
    one = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
    return kept | one | {"LC_ALL": "C.UTF-8"}
