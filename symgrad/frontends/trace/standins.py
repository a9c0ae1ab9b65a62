"""Data that a script reads from elsewhere: numbers and a text of our own stand in for it, and it is said.

A derivative is right or wrong whatever the data are, so a script that loads some can be checked all the same. Nothing
is read: whoever wants other data gives them (``--value data=...``, ``--shape X=20x2``).
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001, ARG002

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.numpy_types import size_of
from symgrad.frontends.trace.registry import HANDLERS, MODULES
from symgrad.frontends.trace.tracer import Tracer

#: What stands in for a text file: short lines of small letters.
TEXT = "\n".join(
    "anna berta carla dora emil frida gustav hanna ida jonas karl lena mario nora otto paula quentin rosa stefan tina "
    "ulla viktor wanda xaver yvonne zora albert bruno clara david".split()
) + "\n"  # fmt: skip
#: How many rows, or pictures, stand in for a data set whose size nobody knows.
SAMPLES = 60
#: Files that may be texts.
TEXTS = (".txt", ".text", ".csv", ".md", ".dat", "")


class TextFile:
    """An open text file that holds :data:`TEXT`."""

    def __init__(self) -> None:
        self._lines = TEXT.splitlines(keepends=True)

    def read(self, size: int = -1) -> str:
        return TEXT if size is None or size < 0 else TEXT[:size]

    def readlines(self) -> list[str]:
        return list(self._lines)

    def readline(self) -> str:
        return self._lines[0]

    def close(self) -> None:
        pass

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, *details: object) -> None:
        return None


#: What a script may do with one.
TEXT_METHODS = frozenset({"read", "readlines", "readline", "close"})


class Sink:
    """A file that is written: nothing is kept of it."""

    def write(self, text: Any) -> None:
        pass

    def writelines(self, lines: Any) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *details: object) -> None:
        return None


#: What a script may do with one.
SINK_METHODS = frozenset({"write", "writelines", "flush", "close"})


def opened(tr: Tracer, path: Any, mode: Any = "r", *args: Any, **options: Any) -> TextFile | Sink | None:
    """``open`` of a text that lies beside the script, for reading, or of a file there to be written, of which nothing
    is; ``None`` where it is anything else."""
    if type(path) is not str or type(mode) is not str:
        return None
    if not _is_beside(path):
        return None
    if mode in ("w", "wb", "wt", "a", "ab", "x", "xb"):
        tr.note(f"nothing is written to {posixpath.basename(path)[:60]!r}")
        return Sink()
    if mode not in ("r", "rt", "rU"):
        return None
    if posixpath.splitext(path)[1].lower() not in TEXTS:
        return None
    tr.note(f"{posixpath.basename(path)[:60]!r} is not read: a text of symgrad's own stands in for it")
    return TextFile()


def _is_beside(path: str) -> bool:
    """The path of a file beside the script, or below it."""
    return not (posixpath.isabs(path) or ".." in path.split("/") or path.startswith("~") or "\\" in path)


def _table(tr: Tracer, path: Any, *args: Any, usecols: Any = None, **options: Any) -> Any:
    """Numbers from a text file beside the script."""
    if type(path) is not str or not _is_beside(path):
        return tr.refuse("numbers are read from files beside the script only")
    columns = 3 if usecols is None else len(usecols) if isinstance(usecols, list | tuple) else 1
    tr.note(f"{posixpath.basename(path)[:60]!r} is not read: {SAMPLES} x {columns} random numbers stand in for it")
    table = np.round(np.random.RandomState(1).standard_normal((SAMPLES, columns)), 6)
    table = table.T if options.get("unpack") else table[:, 0] if columns == 1 else table
    return Array(tr, np.ascontiguousarray(table))


HANDLERS["numpy.loadtxt"] = HANDLERS["numpy.genfromtxt"] = _table


class Scaler:
    """``StandardScaler`` and ``MinMaxScaler``: what they make of data are data."""

    def __init__(self, tr: Tracer, *, between: bool) -> None:
        self.tr, self.between = tr, between
        self.shift: Any = 0.0
        self.width: Any = 1.0

    def fit(self, x: Any, *args: Any) -> Scaler:
        data = np.asarray(raw(x), dtype=np.float64)
        self.shift = data.min(axis=0) if self.between else data.mean(axis=0)
        width = data.max(axis=0) - self.shift if self.between else data.std(axis=0)
        self.width = np.where(width == 0, 1.0, width)
        return self

    def transform(self, x: Any) -> Any:
        return Array(self.tr, (np.asarray(raw(x), dtype=np.float64) - self.shift) / self.width)

    def inverse_transform(self, x: Any) -> Any:
        return Array(self.tr, np.asarray(raw(x), dtype=np.float64) * self.width + self.shift)

    def fit_transform(self, x: Any, *args: Any) -> Any:
        return self.fit(x).transform(x)


#: What a script may do with one.
SCALER_METHODS = frozenset({"fit", "transform", "inverse_transform", "fit_transform"})
HANDLERS["sklearn.preprocessing.StandardScaler"] = lambda tr, *a, **o: Scaler(tr, between=False)
HANDLERS["sklearn.preprocessing.MinMaxScaler"] = lambda tr, *a, **o: Scaler(tr, between=True)


MODULES |= {
    "keras", "keras.datasets", "keras.datasets.mnist", "keras.datasets.fashion_mnist", "keras.utils", "tensorflow",
    "tensorflow.keras", "tensorflow.keras.datasets", "tensorflow.keras.datasets.mnist", "tensorflow.keras.utils",
    "tensorflow.keras.datasets.fashion_mnist", "keras.utils.np_utils",
}
MODULES |= {"sklearn", "sklearn.datasets", "sklearn.model_selection", "sklearn.preprocessing", "nnfs.datasets"}


def _made(name: str, features: int, classes: int, samples: int) -> Callable[..., Any]:
    def call(tr: Tracer, n_samples: Any = samples, *args: Any, **options: Any) -> Any:
        count = int(raw(n_samples)) if isinstance(raw(n_samples), int) else samples
        width = int(raw(options.get("n_features", features)))
        kinds = int(raw(options.get("n_classes", options.get("centers", classes)) or classes))
        rows, columns = size_of(tr, (count, width))
        source = np.random.RandomState(1)
        tr.note(f"random numbers stand in for the data of {name}")
        x = Array(tr, np.round(source.standard_normal((rows, columns)), 6))
        if name == "make_regression":
            return x, Array(tr, np.round(source.standard_normal(rows), 6))
        return x, Array(tr, source.permutation(np.arange(rows) % max(kinds, 1)))

    return call


for _name, _features, _classes in (
    ("make_moons", 2, 2), ("make_circles", 2, 2), ("make_blobs", 2, 3), ("make_classification", 20, 2),
    ("make_regression", 100, 0),
):  # fmt: skip
    HANDLERS[f"sklearn.datasets.{_name}"] = _made(_name, _features, _classes, 100)


def _of_classes(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, samples: Any = 100, classes: Any = 3) -> Any:
        count, kinds = int(raw(samples)), int(raw(classes))
        rows, _ = size_of(tr, (count * kinds, 2))
        source = np.random.RandomState(1)
        tr.note(f"random numbers stand in for the data of {name}")
        x = Array(tr, np.round(source.standard_normal((rows, 2)), 6))
        return x, Array(tr, np.repeat(np.arange(kinds), count))

    return call


for _name in ("spiral_data", "vertical_data"):
    HANDLERS[f"nnfs.datasets.{_name}"] = _of_classes(_name)


class Bunch:
    """What ``load_iris()`` gives: ``data`` and ``target``, by attribute and by key."""

    def __init__(self, data: Any, target: Any, feature_names: list[str], target_names: list[str]) -> None:
        self.data, self.target = data, target
        self.feature_names, self.target_names = feature_names, target_names
        self.DESCR = "random numbers stand in for the data"

    def keys(self) -> list[str]:
        return ["data", "target", "feature_names", "target_names", "DESCR"]

    def __getitem__(self, key: Any) -> Any:
        found = {
            "data": self.data, "target": self.target, "feature_names": self.feature_names,
            "target_names": self.target_names, "DESCR": self.DESCR,
        }  # fmt: skip
        return found[key]


#: What a script may do with one.
BUNCH_ATTRIBUTES = frozenset({"data", "target", "feature_names", "target_names", "DESCR", "keys"})


def _loaded(name: str, samples: int, features: int, classes: int) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **options: Any) -> Any:
        source = np.random.RandomState(1)
        tr.note(f"random numbers stand in for the data of {name}")
        x = Array(tr, np.round(source.standard_normal((samples, features)), 6))
        numbers = np.arange(samples) % max(classes, 1)
        y = Array(tr, source.permutation(numbers) if classes else np.round(source.standard_normal(samples), 6))
        if raw(options.get("return_X_y", False)):
            return x, y
        columns, kinds = [f"x{n}" for n in range(features)], [f"class {n}" for n in range(classes)]
        return Bunch(x, y, columns, kinds)

    return call


#: As many samples as there are in the small data sets: who knows them writes their number.
for _name, _samples, _features, _classes in (
    ("load_iris", 150, 4, 3), ("load_digits", 200, 64, 10), ("load_wine", 178, 13, 3),
    ("load_breast_cancer", 569, 30, 2), ("load_diabetes", 442, 10, 0), ("load_boston", 506, 13, 0),
    ("fetch_california_housing", 500, 8, 0), ("fetch_openml", 60, 784, 10),
):  # fmt: skip
    HANDLERS[f"sklearn.datasets.{_name}"] = _loaded(_name, _samples, _features, _classes)


def _pictures(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **options: Any) -> Any:
        source = np.random.RandomState(1)
        tr.note(f"random numbers stand in for the data of {name}")

        def some(count: int) -> tuple[Any, Any]:
            x = Array(tr, source.randint(0, 256, (count, 28, 28)))
            return x, Array(tr, source.permutation(np.arange(count) % 10))

        return some(SAMPLES), some(SAMPLES // 3)

    return call


for _home in ("keras.datasets", "tensorflow.keras.datasets"):
    for _name in ("mnist", "fashion_mnist"):
        HANDLERS[f"{_home}.{_name}.load_data"] = _pictures(_name)


def _to_categorical(tr: Tracer, y: Any, num_classes: Any = None, **options: Any) -> Any:
    places = np.asarray(raw(y)).astype(int).reshape(-1)
    count = int(raw(num_classes)) if num_classes is not None else int(places.max(initial=0)) + 1
    size_of(tr, (len(places), count))
    return Array(tr, np.eye(count)[places])


for _name in ("keras.utils", "tensorflow.keras.utils", "keras.utils.np_utils"):
    HANDLERS[f"{_name}.to_categorical"] = _to_categorical


def _split(tr: Tracer, *arrays: Any, test_size: Any = 0.25, **options: Any) -> Any:
    """The first rows of each, and the last ones: which they are is chance."""
    out: list[Any] = []
    for array in arrays:
        count = len(array)
        size = raw(test_size) if test_size is not None else 0.25
        last = min(max(int(size if isinstance(size, int) else -(-count * size // 1)), 1), max(count - 1, 1))
        out += [array[: count - last], array[count - last :]]
    return out


HANDLERS["sklearn.model_selection.train_test_split"] = _split


def _sine(tr: Tracer, samples: Any = 100) -> Any:
    rows, _ = size_of(tr, (int(raw(samples)), 1))
    x = np.linspace(0.0, 1.0, rows).reshape(-1, 1)
    return Array(tr, x), Array(tr, np.sin(2 * np.pi * x))


HANDLERS["nnfs.datasets.sine_data"] = _sine
