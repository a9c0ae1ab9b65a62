"""Files of Python as text, in the encoding that they declare."""

from __future__ import annotations

import importlib.util
import io
import os
import tokenize
from pathlib import Path

from symgrad.errors import Span, SymgradError

#: A longer file is not traced, in bytes.
MAX_SOURCE = 2_000_000


def read_source(path: str | os.PathLike[str]) -> str:
    """The text of a Python file, in the encoding that it declares.

    Raises:
        SymgradError: it is not there, too large, or no text.
    """
    return read_text(path)[0]


def read_text(path: str | os.PathLike[str]) -> tuple[str, str]:
    """The text of a Python file as Python reads it, and as it is in the file: with its line ends and its mark.

    Raises:
        SymgradError: as for :func:`read_source`.
    """
    return decode(read_bytes(path, MAX_SOURCE), os.fspath(path))


def decode(data: bytes, name: str) -> tuple[str, str]:
    """The same of a file's bytes.

    Raises:
        SymgradError: they are no text.
    """
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        text = importlib.util.decode_source(data)
        # What marks UTF-8 is dropped by "utf-8-sig" and kept by "utf-8".
        return text, data.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as e:
        raise SymgradError(f"{name} is no Python text: {e}", Span(name, 1, 1, 1, 1)) from e


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """A file of at most ``most`` bytes.

    Raises:
        SymgradError: it is not there, or larger.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except OSError as e:
        raise SymgradError(f"{name} cannot be read: {e.strerror}") from e
    if len(data) > most:
        raise SymgradError(f"{name} is too long to be traced")
    return data
