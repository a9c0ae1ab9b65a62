"""Modules that only show, count or name things: what they do has no part in a derivative, so it is left undone."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from symgrad.frontends.trace.nothing import NOTHING
from symgrad.frontends.trace.registry import CONSTANTS, HANDLERS, MODULES, constant, traced
from symgrad.frontends.trace.tracer import Tracer

#: Modules of which every name is an :class:`Inert`.
INERT = frozenset({
    "matplotlib", "pylab", "seaborn", "plotly", "graphviz", "logging", "pprint", "ipdb", "pdb",
    "mpl_toolkits", "bokeh", "tensorboardX", "wandb", "gc", "datetime", "timeit", "ipywidgets", "google", "progressbar",
    "terminaltables", "nnfs", "colorama", "termcolor",
})  # fmt: skip

#: The same of modules whose neighbours are not: models that are trained beside a net, for a picture to compare with.
PARTS = ("sklearn.linear_model", "sklearn.metrics", "sklearn.neural_network", "numpy.typing")


for _name in PARTS:
    CONSTANTS[_name] = lambda tr: NOTHING
MODULES |= {*PARTS, "json", "enum"}


def is_inert(module: str) -> bool:
    """Whether a module is one of these, or inside one."""
    if any(module == m or module.startswith(m + ".") for m in PARTS):
        return True
    here = module.partition(".")[0] in INERT or module == "IPython.display"
    return here and module not in MODULES and module.rpartition(".")[0] not in MODULES


# --- sys and os: their harmless parts ---------------------------------------------------------------------------


@constant("sys.path")
def _path(tr: Tracer) -> Any:
    return [""]


@constant("sys.argv")
def _argv(tr: Tracer) -> Any:
    return ["script.py"]


@constant("sys.version_info")
def _version(tr: Tracer) -> Any:
    return (3, 11, 0)


@constant("sys.maxsize")
def _maxsize(tr: Tracer) -> Any:
    return (1 << 63) - 1


@constant("sys.stdout", "sys.stderr")
def _stdout(tr: Tracer) -> Any:
    return Written(tr)


class Written:
    """``sys.stdout``: what is written is printed."""

    def __init__(self, tr: Tracer) -> None:
        self.tr = tr

    def write(self, text: Any) -> None:
        self.tr.write(str(text))

    def flush(self) -> None:
        pass


def _constantly(value: Any, tr: Tracer) -> Any:
    return value


for _name, _value in {"pardir": "..", "curdir": ".", "sep": "/", "linesep": "\n", "name": "posix"}.items():
    CONSTANTS[f"os.{_name}"] = partial(_constantly, _value)
# No text of a dictionary that holds settings of the machine.
CONSTANTS["os.environ"] = lambda tr: {}


def _of_paths(name: str) -> Callable[..., Any]:
    function = getattr(posixpath, name)

    def call(tr: Tracer, *parts: Any) -> Any:
        if not all(type(p) is str for p in parts):
            raise TypeError("a path is a text")
        return function(*parts)

    return call


for _name in ("join", "dirname", "basename", "splitext", "normpath", "split"):
    HANDLERS[f"os.path.{_name}"] = _of_paths(_name)


@traced("os.path.abspath", "os.path.realpath", "os.path.expanduser")
def _abspath(tr: Tracer, path: Any) -> Any:
    return path


@traced("os.path.exists", "os.path.isfile", "os.path.isdir")
def _exists(tr: Tracer, path: Any) -> bool:
    """There are no files here."""
    return False


@traced("os.getcwd")
def _cwd(tr: Tracer) -> str:
    return "/"


@traced("os.makedirs", "os.mkdir")
def _made_folder(tr: Tracer, path: Any, *args: Any, **kwargs: Any) -> None:
    """No folder is made."""


class Progress:
    """A progress bar: what goes round, also as ``with trange(n) as t``."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def nothing(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is shown."""


#: What a script may do with one besides going through it.
PROGRESS_METHODS = frozenset({
    "set_description", "set_postfix", "set_postfix_str", "set_description_str", "update", "close", "write", "refresh",
})  # fmt: skip


@traced("tqdm.tqdm", "tqdm.notebook.tqdm", "tqdm.auto.tqdm")
def _tqdm(tr: Tracer, items: Any = (), *args: Any, **kwargs: Any) -> Any:
    return Progress(items)


@traced("tqdm.trange", "tqdm.notebook.trange", "tqdm.auto.trange")
def _trange(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
    return Progress(range(*(int(a) for a in args if isinstance(a, int))))


@constant("abc.ABC", "abc.ABCMeta", "enum.Enum", "enum.IntEnum")
def _abc(tr: Tracer) -> Any:
    """Of an enumeration the numbers and texts that its names stand for are kept, and nothing else."""
    return object


@traced("json.dump")
def _dump(tr: Tracer, *args: Any, **options: Any) -> None:
    """Nothing is written."""


@traced("json.dumps")
def _dumps(tr: Tracer, *args: Any, **options: Any) -> str:
    return "{}"


@traced("abc.abstractmethod")
def _abstract(tr: Tracer, function: Any) -> Any:
    return function


# --- tests beside the functions: they are defined, and nobody runs them ----------------------------------------------

MODULES |= {"pytest", "pytest.mark", "unittest"}


@constant("unittest.TestCase")
def _test_case(tr: Tracer) -> Any:
    return object


@traced("unittest.main", "pytest.main")
def _main(tr: Tracer, *args: Any, **options: Any) -> int:
    return 0


def _as_it_is(function: Any) -> Any:
    return function


@traced(
    "pytest.mark.parametrize", "pytest.mark.skipif", "pytest.mark.usefixtures", "pytest.mark.filterwarnings",
    "unittest.skip", "unittest.skipIf", "unittest.skipUnless",
)  # fmt: skip
def _marked(tr: Tracer, *args: Any, **options: Any) -> Any:
    return _as_it_is


@traced("pytest.fixture", "pytest.mark.skip", "pytest.mark.xfail", "pytest.mark.slow", "unittest.expectedFailure")
def _marked_or_not(tr: Tracer, function: Any = None, *args: Any, **options: Any) -> Any:
    return function if callable(function) else _as_it_is
