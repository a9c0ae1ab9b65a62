"""Submissions: found in a folder, read as bytes, and unpacked. Nothing of them is run or parsed here.

A submission is one entry of the folder: a ``.py`` or ``.ipynb`` file, a folder with one student's files, or a zip file
of such a folder. Its name is the entry's. Only regular files are read, of a limited size, and links are not followed.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from symgrad.errors import SymgradError

#: Bytes of one file, and of all files of a submission.
MAX_FILE, MAX_ALL = 20_000_000, 50_000_000
#: Files in a submission; how deep its folders go.
MAX_FILES, MAX_DEPTH = 500, 8
#: A part of a zip file that swells by more than this is a bomb.
MAX_RATIO = 200

CODE = (".py", ".ipynb")
#: What file managers and tools leave behind.
LITTER = ("__MACOSX", "__pycache__", ".ipynb_checkpoints", ".git", "node_modules")


class Unreadable(SymgradError):
    """A submission that cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's work, as bytes.

    Attributes:
        name: of the entry in the folder.
        files: path within the submission -> content; a zip file is one file, unpacked later.
        trouble: why it could not be read; empty if it was.
    """

    name: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    trouble: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for the same content."""
        digest = hashlib.sha256(self.trouble.encode())
        for path, data in sorted(self.files.items()):
            digest.update(f"\0{path}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
        return digest.hexdigest()[:32]


def entries(folder: Path) -> list[Path]:
    """The submissions in a folder, in the order of their names; of a file, that file alone.

    Raises:
        SymgradError: there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            return [folder]
        raise SymgradError(f"{folder}: there is no such folder")
    found = sorted(
        (p for p in folder.iterdir() if not p.name.startswith(".") and p.name not in LITTER),
        key=lambda p: os.fsencode(p.name),
    )
    if not found:
        raise SymgradError(f"{folder}: there are no submissions in it")
    return found


def read(path: Path) -> Submission:
    """Read one submission. Whatever is wrong with it is its ``trouble``, and never an exception."""
    name = path.name.encode("utf-8", "replace").decode()
    try:
        return Submission(name, _read(path))
    except Unreadable as error:
        return Submission(name, {}, error.message)
    except OSError as error:
        return Submission(name, {}, f"it cannot be read: {error.strerror or error}")


def _read(path: Path) -> dict[str, bytes]:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise Unreadable("it is a symbolic link, which is not followed")
    if stat.S_ISDIR(mode):
        return _folder(path)
    if path.suffix.lower() not in (*CODE, ".zip"):
        raise Unreadable(f"it is no .py, .ipynb or .zip file, and no folder: {path.suffix or 'no suffix'}")
    return {path.name: _file(path, MAX_FILE)}


def _file(path: Path, most: int) -> bytes:
    """A regular file's content; nothing that it may have been swapped for is followed or waited for."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("it is no regular file")
        if about.st_size > most:
            raise Unreadable(f"it is too large: {about.st_size / 1e6:.0f} MB, and at most {most / 1e6:.0f} MB are read")
        data = file.read(most + 1)
    if len(data) > most:
        raise Unreadable(f"it is too large: more than {most / 1e6:.0f} MB")
    return data


def _folder(root: Path) -> dict[str, bytes]:
    """The code files of a folder. Links are left out, whatever they point at."""
    out: dict[str, bytes] = {}
    left = MAX_ALL
    todo = [(root, 0)]
    while todo:
        folder, depth = todo.pop()
        for entry in sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name)):
            if entry.name in LITTER or entry.name.startswith("."):
                continue
            place = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH:
                    todo.append((place, depth + 1))
            elif entry.is_file(follow_symlinks=False) and place.suffix.lower() in CODE:
                data = _file(place, min(MAX_FILE, left))
                left -= len(data)
                out[place.relative_to(root).as_posix()] = data
                if len(out) > MAX_FILES:
                    raise Unreadable(f"it has more than {MAX_FILES} files")
    if not out:
        raise Unreadable("there is no .py or .ipynb file in it")
    return out


def unpacked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a submission, of a zip file those within it.

    Raises:
        Unreadable: the zip file is damaged, encrypted or too large when unpacked, or reaches outside itself.
    """
    if len(files) != 1 or not next(iter(files)).lower().endswith(".zip"):
        return dict(files)
    try:
        with zipfile.ZipFile(io.BytesIO(next(iter(files.values())))) as archive:
            return _unzipped(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as e:
        raise Unreadable(f"the zip file cannot be unpacked: {e}") from None


def _unzipped(archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = archive.infolist()
    if len(infos) > 20 * MAX_FILES:
        raise Unreadable(f"the zip file has {len(infos)} entries")
    out: dict[str, bytes] = {}
    left = MAX_ALL
    for info in infos:
        # Told for every entry, and not only for those that are read: who sends such a file means harm.
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\0" in info.filename:
            raise Unreadable(f"the zip file reaches outside itself: {info.filename[:80]!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise Unreadable(f"the zip file holds a symbolic link: {info.filename[:80]!r}")
        if info.is_dir() or path.suffix.lower() not in CODE or set(path.parts) & set(LITTER):
            continue
        if path.name.startswith(".") or len(path.parts) > MAX_DEPTH + 1:
            continue
        if info.flag_bits & 1:
            raise Unreadable("the zip file is encrypted")
        most = min(MAX_FILE, left)
        if info.file_size > most or (info.file_size > 1_000_000 and info.file_size > MAX_RATIO * info.compress_size):
            raise Unreadable(f"the zip file is too large when unpacked: {info.filename[:80]!r}")
        if path.as_posix() in out:
            raise Unreadable(f"the zip file holds {info.filename[:80]!r} twice")
        with archive.open(info) as file:
            # What the directory says of an entry's size need not be true.
            data = file.read(most + 1)
        if len(data) > most:
            raise Unreadable(f"the zip file is too large when unpacked: {info.filename[:80]!r}")
        left -= len(data)
        out[path.as_posix()] = data
        if len(out) > MAX_FILES:
            raise Unreadable(f"the zip file has more than {MAX_FILES} files of code")
    if not out:
        raise Unreadable("there is no .py or .ipynb file in the zip file")
    return out


def main_file(files: Mapping[str, bytes], wanted: str) -> str:
    """Which of a submission's files is looked at.

    Raises:
        Unreadable: it cannot be told.
    """
    if len(files) == 1:
        return next(iter(files))
    if wanted:
        named = [p for p in files if PurePosixPath(p).name == wanted or p == wanted]
        if named:
            return min(named, key=lambda p: (p.count("/"), p))
        raise Unreadable(f"there is no file {wanted} in it")
    top = min(p.count("/") for p in files)
    shallow = [p for p in files if p.count("/") == top]
    if len(shallow) == 1:
        return shallow[0]
    names = ", ".join(sorted(shallow)[:5])
    raise Unreadable(f"it has several files, and the assignment names none (file = ...): {names}")


__all__ = ["Submission", "Unreadable", "entries", "main_file", "read", "unpacked"]
