"""What a student writes: right work that is to be right, and one slip in it that is to be found in its line."""

from __future__ import annotations

from typing import Any

import symgrad


def found(source: str, right: str, slip: str, mistake: str) -> Any:
    """The one finding in ``source`` with ``slip`` in the place of ``right``; of a kind, if that is not left open."""
    wrong = source.replace(right, slip, 1)
    line = next(n for n, (a, b) in enumerate(zip(source.split("\n"), wrong.split("\n"), strict=True), 1) if a != b)
    report = symgrad.check(wrong)
    roots = [f for f in report.findings if f.root]
    assert [f.span.line for f in roots if f.span] == [line], report.explain()
    assert mistake in ("", roots[0].mistake), report.explain()
    return roots[0]


def passes(source: str) -> None:
    """Work of which all is right, and is seen to be."""
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed
    assert not [f for f in report.findings if f.code == "unchecked"], report.explain()
