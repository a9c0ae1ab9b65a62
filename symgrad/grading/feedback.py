"""What a student reads of a graded submission: text, and a page of HTML that holds nothing but escaped text."""

from __future__ import annotations

import html
from typing import Any

_STATUS = {"right": "right", "wrong": "wrong", "missing": "missing", "review": "open"}

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.25rem .9rem .25rem 0;vertical-align:top}
th{border-bottom:2px solid #d0d7de}td{border-bottom:1px solid #eaeef2}.number{text-align:right}
pre{background:#f6f8fa;padding:1rem;overflow-x:auto;border-radius:6px;font:14px/1.45 ui-monospace,monospace}
.right{color:#116329}.wrong,.missing{color:#a40e26}.open{color:#7d4e00}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}
th{border-color:#30363d}td{border-color:#21262d}.right{color:#56d364}.wrong,.missing{color:#ff7b72}.open{color:#e3b341}}
"""


def with_feedback(document: dict[str, Any]) -> dict[str, Any]:
    """The document with ``feedback``: its text and its page, made of what its hint level allows."""
    return document | {"feedback": {"text": text_of(document), "html": html_of(document)}}


def _head(document: dict[str, Any]) -> str:
    still = f" ({document['open']:g} more are open: a person will look)" if document["open"] else ""
    return f"{document['marks']:g} of {document['out_of']:g} marks{still}"


def _told(document: dict[str, Any]) -> list[str]:
    """The paragraphs that follow the table."""
    out = []
    if document["reason"]:
        out.append(document["reason"])
    if document["hinted"]:
        out.append(document["hinted"])
    elif document["hint"] != "none" and document["status"] == "graded":
        names = [g["name"] for g in document["gradients"] if g["status"] in ("wrong", "missing")]
        if names:
            out.append(f"to look at: {', '.join(names)}")
    return out


def _note(row: dict[str, Any], document: dict[str, Any]) -> str:
    """What may be said beside a gradient: a factor that it is off by gives its value away."""
    if row["status"] == "wrong" and document["hint"] not in ("factor", "fix"):
        return ""
    return str(row["note"] or "")


def text_of(document: dict[str, Any]) -> str:
    """The feedback as text."""
    lines = [f"{document['title']}: {_head(document)}", ""]
    wide = max([len(g["name"]) for g in document["gradients"]] or [1])
    for row in document["gradients"]:
        note = _note(row, document)
        marks = f"{row['marks']:g} of {row['out_of']:g}"
        line = f"  {row['name']:{wide}}  {_STATUS[row['status']]:8} {marks}{'  ' + note if note else ''}"
        lines.append(line.rstrip())
    for part in _told(document):
        lines += ["", part]
    return "\n".join(lines) + "\n"


def page(title: str, body: str) -> str:
    """A page that stands by itself and asks nobody for anything."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n{body}</html>\n'
    )


def html_of(document: dict[str, Any]) -> str:
    """The feedback as a page."""
    escape = html.escape
    rows = "".join(
        f'<tr><td>{escape(row["name"])}</td><td class="{_STATUS[row["status"]]}">{_STATUS[row["status"]]}</td>'
        f'<td class="number">{row["marks"]:g} of {row["out_of"]:g}</td><td>{escape(_note(row, document))}</td></tr>'
        for row in document["gradients"]
    )
    parts = "".join(f"<pre>{html.escape(part)}</pre>\n" for part in _told(document))
    title = f"{document['title']}: {document['submission']}"
    body = (
        f"<h1>{html.escape(document['title'])}</h1>\n<p>{html.escape(document['submission'])}: "
        f"<strong>{html.escape(_head(document))}</strong></p>\n"
        f'<table><tr><th>gradient</th><th></th><th class="number">marks</th><th></th></tr>{rows}</table>\n{parts}'
    )
    return page(title, body)


__all__ = ["html_of", "page", "text_of", "with_feedback"]
