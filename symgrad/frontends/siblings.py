"""The other files that a file imports: their texts go into the sandbox with it, since nothing can be read there.

What a file imports is told by looking at its lines, never by parsing: text from outside is parsed in the sandbox only.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

#: More files, or more text in all, are not sent along.
MOST_FILES, MOST_TEXT = 60, 2_000_000
#: So many folders above a file's own are looked in: a package's modules import from its root.
UPWARDS = 3

_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\(?[^\n#]*)", re.M)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([\w., \t]+)", re.M)


@dataclass(slots=True)
class Siblings:
    """Files that may be imported.

    Attributes:
        texts: label -> text. The file itself, which imports them, has the label ``""`` and no text here.
        found: label of a file -> the modules that it imports, as it writes them -> their labels.
    """

    texts: dict[str, str] = field(default_factory=dict)
    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"texts": self.texts, "found": self.found}

    @staticmethod
    def from_json(data: Any) -> Siblings:
        return Siblings(dict(data["texts"]), {k: dict(v) for k, v in data["found"].items()})


def siblings(path: str | os.PathLike[str], source: str) -> Siblings:
    """What a file imports of the files beside and above it, and what those import in turn."""
    out = Siblings()
    place = Path(path).resolve()
    todo: list[tuple[str, Path, str]] = [("", place, source)]
    left = MOST_TEXT
    while todo:
        label, at, text = todo.pop(0)
        known = out.found.setdefault(label, {})
        for name in _imported(text):
            found = _resolve(name, at.parent, place.parent)
            if found is None or (found == place and not label):
                continue  # a package may import the file, which is then another copy of it, as in Python
            child = str(found)
            if child not in out.texts:
                if len(out.texts) >= MOST_FILES:
                    continue
                try:
                    body = found.read_text(encoding="utf-8-sig")
                except (OSError, UnicodeDecodeError):
                    continue
                left -= len(body)
                if left < 0:
                    continue
                out.texts[child] = body
                todo.append((child, found, body))
            known[name] = child
    return out


def siblings_among(files: Mapping[str, bytes], first: str) -> Siblings:
    """The same where all files are given, by their paths, and no others may be looked at.

    Args:
        files: path, with ``/`` -> content; first: the path of the file that imports.
    """
    texts = {}
    for path, data in files.items():
        with contextlib.suppress(UnicodeDecodeError):
            texts[path] = data.decode("utf-8-sig")
    out = Siblings()
    todo = [("", first)]
    left = MOST_TEXT
    while todo:
        label, path = todo.pop(0)
        known = out.found.setdefault(label, {})
        for name in _imported(texts.get(path, "")):
            child = _among(name, path, first, texts)
            if child is None or (child == first and path == first):
                continue
            if child not in out.texts:
                left -= len(texts[child])
                if len(out.texts) >= MOST_FILES or left < 0:
                    continue
                out.texts[child] = texts[child]
                todo.append((child, child))
            known[name] = child
    return out


def _among(name: str, path: str, first: str, texts: Mapping[str, str]) -> str | None:
    """The path of a module that the file at ``path`` imports; as :func:`_resolve`."""
    dots = len(name) - len(name.lstrip("."))
    parts = name.strip(".").split(".")
    here = PurePosixPath(path).parent
    if dots:
        roots = [here]
        for _ in range(dots - 1):
            roots = [roots[0].parent]
    else:
        roots = list(dict.fromkeys([here, PurePosixPath(first).parent, *PurePosixPath(first).parent.parents]))
    for root in roots:
        base = root.joinpath(*parts) if all(parts) else root
        for candidate in (f"{base}.py", f"{base}/__init__.py") if all(parts) else (f"{base}/__init__.py",):
            if texts.get(candidate):
                return candidate
    return None


def _imported(text: str) -> Iterator[str]:
    """Every dotted name that an import line names; of ``from a import b`` both ``a`` and ``a.b``."""
    for match in _FROM.finditer(text):
        module, names = match.groups()
        yield module
        for name in re.findall(r"\w+", re.sub(r"\bas\s+\w+", "", names)):
            yield f"{module}{name}" if module.endswith(".") else f"{module}.{name}"
    for match in _IMPORT.finditer(text):
        for part in match[1].split(","):
            words = part.split()
            if words:
                yield words[0]


def _resolve(name: str, folder: Path, first: Path) -> Path | None:
    """The file of a module: of a relative name beside the file that names it, else beside it or above."""
    dots = len(name) - len(name.lstrip("."))
    parts = name.strip(".").split(".")
    if dots:
        roots = [folder]
        for _ in range(dots - 1):
            roots = [roots[0].parent]
    else:
        roots = list(dict.fromkeys([folder, first, *list(first.parents)[:UPWARDS]]))
    for root in roots:
        base = root.joinpath(*parts)
        for candidate in (base.with_suffix(".py"), base / "__init__.py") if all(parts) else (base / "__init__.py",):
            try:
                if candidate.is_file() and candidate.stat().st_size:
                    return candidate.resolve()
            except OSError:
                continue
    return None
