"""A loop in C compiled by the machine's own compiler, and run on tensors.

This is an option: without a compiler, or for an op without a kernel in C, :func:`build` gives ``None``.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from symgrad.formats import get_format
from symgrad.graph import Graph
from symgrad.native.source import AGAIN, write

#: Seconds that the compiler may take.
PATIENCE = 20.0

_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC",
          "-fno-builtin-sin", "-fno-builtin-cos", "-w")  # fmt: skip
_VECTORS = "-mprefer-vector-width=512"
#: Loops of at most so many assignments are unrolled, and the rounds run interleaved: what one tanh waits for is shorter
#: than what a processor looks ahead, but not than that of the next round.
SHORT = 48
#: ... four times where functions of at most so many numbers are in it, else twice: more does not fit into registers.
FEW = 2
_UNROLLED = ("-funroll-loops", "--param", "max-unrolled-insns=2000", "--param", "max-average-unrolled-insns=2000",
             "-fschedule-insns")  # fmt: skip
_CALL = re.compile(r"\bk_\w+\((v\d+)")


def _unrolling(source: str) -> tuple[str, ...]:
    """Flags under which a short loop is unrolled; none for a long one."""
    body, _, _ = source[source.index("void run(") :].partition(AGAIN)
    if body.count("const double v") > SHORT:
        return ()
    times = 4 if len(set(_CALL.findall(body))) <= FEW else 2
    return (*_UNROLLED, "--param", f"max-unroll-times={times}")


class Loop:
    """A compiled loop. Call it with the number of points and the addresses of inputs and results."""

    def __init__(self, library: Any) -> None:
        self._run = library.run
        self._run.restype = None
        self._library = library

    def __call__(self, count: int, addresses: Sequence[int]) -> None:
        """Run it; other Python threads go on meanwhile."""
        self._run(ctypes.c_longlong(count), *(ctypes.c_void_p(a) for a in addresses))

    def on(self, piece: tuple[Sequence[Any], Sequence[Any]]) -> None:
        """Run it on contiguous tensors: inputs and results."""
        self(piece[1][0].numel(), [t.data_ptr() for part in piece for t in part])


@cache
def compiler() -> str | None:
    """The C compiler: what ``CC`` names, or the first of cc, gcc and clang that is there."""
    wanted = os.environ.get("CC", "").split()
    for name in [*wanted[:1], "cc", "gcc", "clang"]:
        found = shutil.which(name)
        if found:
            return found
    return None


def build(
    graph: Graph, inputs: Sequence[int], targets: Sequence[int], dtype: str, single: Sequence[bool]
) -> Loop | None:
    """Compile a graph, or say ``None``: no compiler, an op without a kernel, a format other than float32 and float64.

    Arguments are those of :func:`write`; ``dtype`` is a format's name.
    """
    if dtype not in ("float32", "float64") or compiler() is None or os.name != "posix":
        return None
    source = write(graph, inputs, targets, get_format(dtype), single)
    # Contracted, the error of a compensated sum would not be what was computed.
    contract = "fast" if dtype == "float32" else "off"
    if source is None:
        return None
    return _compiled(source, [f"-ffp-contract={contract}"], _unrolling(source) if dtype == "float32" else ())


def _compiled(source: str, contract: Sequence[str], unrolled: Sequence[str]) -> Loop | None:
    with tempfile.TemporaryDirectory(prefix="symgrad-") as folder:
        path, library = Path(folder) / "loop.c", Path(folder) / "loop.so"
        path.write_text(source, encoding="ascii")
        # Not every compiler knows the width, or how to unroll, and not every C library has vectors.
        first = [[*unrolled, _VECTORS, "-lmvec"]] if unrolled else []
        for extra in (*first, [_VECTORS, "-lmvec"], ["-lmvec"], []):
            flags = [*_FLAGS, *contract, *(f for f in extra if not f.startswith("-l"))]
            libraries = [f for f in extra if f.startswith("-l")]
            command = [str(compiler()), *flags, "-o", str(library), str(path), *libraries, "-lm"]
            try:
                done = subprocess.run(
                    command, capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
                )
            except (OSError, subprocess.TimeoutExpired):
                return None
            if done.returncode == 0:
                try:
                    return Loop(ctypes.CDLL(str(library)))
                except OSError:
                    return None
    return None
