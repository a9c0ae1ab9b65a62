"""What becomes of a report on the command line: text for the terminal or for programs, and files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symgrad.errors import SymgradError

FORMATS = ("text", "json", "github", "sarif")


def check_names(files: Mapping[str, str | None]) -> None:
    """Refuse names of files before any work is done.

    Raises:
        SymgradError: a name ends in nothing that can be written.
    """
    from symgrad.report.graphs import KINDS, kind_of

    graph, plot = files.get("graph"), files.get("plot")
    if graph:
        kind_of(graph, KINDS, "--graph")
    if plot:
        kind_of(plot, ("png", "svg", "pdf"), "--plot")


def rendered(
    report: Any, kind: str, *, path: str = "", width: int = 100, color: bool = False, unicode: bool = False
) -> str:
    """The report as one of :data:`FORMATS`.

    Args:
        path: of the file that was checked, for the formats that say where findings are.
        width, color, unicode: of text.
    """
    if kind == "json":
        return json.dumps(report.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
    if kind == "github":
        from symgrad.report.annotations import github

        return github(report, path)
    if kind == "sarif":
        from symgrad.report.annotations import sarif

        return json.dumps(sarif(report, path), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return str(report.explain(width=width, color=color, unicode=unicode))


def refused(error: SymgradError, target: str, kind: str, *, path: str = "") -> str:
    """The same of input that could not be used; empty for text, which goes to standard error."""
    if kind == "json":
        from symgrad.report.document import error_document

        return json.dumps(error_document(error, target), ensure_ascii=True, allow_nan=False) + "\n"
    if kind == "github":
        from symgrad.report.annotations import github_error

        return github_error(error, path)
    if kind == "sarif":
        from symgrad.report.annotations import sarif_error

        return json.dumps(sarif_error(error, path), ensure_ascii=True, allow_nan=False, indent=2) + "\n"
    return ""


def write_files(report: Any, html: str | None, graph: str | None) -> None:
    """The files that were asked for.

    Raises:
        SymgradError: one cannot be written, or there is nothing to draw.
    """
    if html:
        _write("--html", html, report.html().encode())
    if graph:
        from symgrad.report.graphs import KINDS, graph_bytes, kind_of

        _write("--graph", graph, _drawn(lambda: graph_bytes(report.picture, kind_of(graph, KINDS, "--graph"))))


def write_plot(
    target: str, at: Sequence[str], path: str, *, manual: Any = None, dtype: str = "float64", device: str = "cpu"
) -> str:
    """Plot a function of one variable over a range, and say in words what the plot shows.

    Raises:
        SymgradError: as for :func:`symgrad.curves.curve`; the file cannot be written.
    """
    from symgrad.curves import curve
    from symgrad.report.curve import WORDS, picture

    found = curve(target, at, manual=manual, dtype=dtype, device=device)
    _write("--plot", path, _drawn(lambda: picture(found, Path(path).suffix.removeprefix(".").lower())))
    lines = [f"d{found.result}/d{found.variable} at {len(found.xs)} points from {found.xs[0]:g} to {found.xs[-1]:g}"]
    for witness in found.errors:
        x, error = found.worst(witness)
        if not math.isnan(error):
            lines.append(f"  {WORDS[witness]:<17} off by at most {error:.3g} ulp, at {found.variable} = {x:.6g}")
    return "\n".join(lines) + "\n"


def _drawn(draw: Any) -> bytes:
    try:
        return bytes(draw())
    except ModuleNotFoundError as missing:
        raise SymgradError(
            f"this picture needs {missing.name}, which is not installed", hint="pip install 'symgrad[pictures]'"
        ) from missing


def _write(option: str, path: str, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as problem:
        raise SymgradError(f"{option} {path}: {os.strerror(problem.errno or 0)}") from problem
