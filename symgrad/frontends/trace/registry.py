"""What a script's ``math``, ``numpy`` and ``torch`` contain: facade modules over one table of dotted names.

The script never holds a real module object: its attributes lead anywhere. It holds a :class:`Facade`, whose names come
from three places, and from nowhere else:

* the table of ops (``Op.numpy``, ``Op.math``, ``Op.torch``), so that an op declared there is traced here;
* :data:`HANDLERS`: a dotted name -> how it is traced, filled by the modules beside this one;
* constants and types of :data:`CONSTANTS`.

Anything else is a :class:`Missing`: it does nothing until it is used, and then says its name and its line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.arrays import Array, Tensor, item
from symgrad.frontends.trace.shaped import call, gather, given_out
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import FLOAT, NUMPY, TENSOR, Value, apply, number
from symgrad.ops import OPS, SPELLINGS, Op
from symgrad.ops.libraries import ALONE, ALSO, KEYWORDS, SAME_NAME
from symgrad.ops.library import LIBRARY

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)

#: Dotted name -> how it is traced: called with the recorder and the script's arguments.
HANDLERS: dict[str, Handler] = {}

#: Dotted name -> makes the constant or type, given the recorder.
CONSTANTS: dict[str, Callable[[Tracer], Any]] = {}

#: Modules that a script may import, and the ones that are the same under another name.
MODULES = {
    "math", "numpy", "numpy.random", "numpy.linalg", "torch", "torch.nn", "torch.nn.functional", "torch.autograd",
    "torch.special", "torch.linalg", "torch.random", "functools", "itertools", "collections", "operator", "random",
    "time", "copy", "typing", "numbers", "warnings", "numpy.lib", "numpy.lib.stride_tricks", "sys", "os", "os.path",
    "tqdm", "tqdm.notebook", "tqdm.auto", "abc", "torch.cuda", "torch.backends",
    "torch.backends.mps", "torch.optim", "torch.autograd.function", "torch.nn.modules",
    "torch.nn.init", "torch.nn.parameter", "torch.nn.utils", "torch.library",
    "numpy.testing", "dataclasses", "statistics",
}  # fmt: skip

#: Modules whose arrays and functions are another one's to a script.
SAME_MODULE = {"jax.numpy": "numpy", "autograd.numpy": "numpy", "cupy": "numpy", "jax.scipy": "scipy",
               "autograd.scipy": "scipy"}  # fmt: skip

#: Modules of which a few harmless names exist, and of which everything else is an attempt to leave.
GUARDED = frozenset({"sys", "os", "os.path", "dataclasses", "numpy.testing"})

#: Keyword arguments that change nothing that is traced.
IGNORED = frozenset({"dtype", "inplace", "device"})

#: What reads, writes or loads: told apart from what is merely not traced, for the sake of the message.
FORBIDDEN = frozenset(
    "load save savez savez_compressed loadtxt savetxt genfromtxt fromfile tofile memmap fromregex DataSource "
    "ctypeslib f2py distutils testing compile jit hub utils multiprocessing distributed ops package classes "
    "cuda backends frombuffer from_dlpack get_include show_config lib core".split()
)


def module_of(name: str) -> str:
    """The module that a script means: ``numpy.linalg`` for ``jax.numpy.linalg``."""
    for other, known in SAME_MODULE.items():
        if name == other or name.startswith(other + "."):
            return known + name[len(other) :]
    return name


def traced(*names: str) -> Callable[[F], F]:
    """Declare how functions are traced: the function gets the recorder, then the script's arguments."""

    def declare(function: F) -> F:
        for name in names:
            HANDLERS[name] = function
        return function

    return declare


def constant(*names: str) -> Callable[[F], F]:
    """Declare a name that is no function: the decorated function makes it."""

    def declare(function: F) -> F:
        for name in names:
            CONSTANTS[name] = function
        return function

    return declare


def lift(tr: Tracer, value: Any, flavour: int) -> Any:
    """A script's argument as something that an op takes."""
    if isinstance(value, Value):
        if flavour == FLOAT and isinstance(value, Array):
            return item(value)  # the math module sees a Python number, whatever it is given
        return value
    if isinstance(value, int | float):
        return number(tr, value, None)
    if isinstance(value, list | tuple) and flavour in (NUMPY, TENSOR):
        return as_array(tr, value)
    raise TypeError(f"a number is needed, not {type(value).__name__}")


def as_array(tr: Tracer, value: Any, dtype: Any = None) -> Any:
    """Numbers, perhaps nested and perhaps traced, as a traced array."""
    return gather(tr, value, dtype)


def elementwise(
    tr: Tracer, name: str, op: Op, run: Callable[..., Any] | None, floor: int, *args: Any, **kw: Any
) -> Any:
    """Call an op of the table under its library's name."""
    operands = list(args)
    for keyword in KEYWORDS.get(op.name, ("input", "other"))[len(operands) :]:
        if keyword in kw:
            operands.append(kw.pop(keyword))
    out = kw.pop("out", None)
    if out is not None:
        return given_out(out, elementwise(tr, name, op, run, floor, *operands, **kw))
    for extra in list(kw):
        if extra in IGNORED:
            kw.pop(extra)
    if kw:
        tr.unsupported(f"{name}(..., {next(iter(kw))}=...)")
    if op.name in ALONE and len(operands) == 1:
        tr.unsupported(f"{name} {ALONE[op.name]}")
    least = op.arity - len(op.defaults)
    if not least <= len(operands) <= op.arity:
        raise TypeError(f"{name}() takes {op.arity} arguments, {len(operands)} were given")
    lifted = [lift(tr, a, floor) for a in operands]
    missing = op.arity - len(lifted)
    if missing:
        lifted += [float(d) for d in op.defaults[len(op.defaults) - missing :]]
    if floor == TENSOR and not any(isinstance(a, Tensor) for a in lifted):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(args[0]).__name__}")
    return apply(op.name, tuple(lifted), run, floor)


def _spellings() -> dict[str, tuple[Op, Callable[..., Any] | None, int]]:
    """Every dotted name of an elementwise op of the table."""
    table: dict[str, tuple[Op, Callable[..., Any] | None, int]] = {}
    known: dict[str, list[str]] = {}
    for library, words in SAME_NAME.items():
        for word in words.split():
            known.setdefault(SPELLINGS.get(word, word), []).append(f"{library}.{word}")
    for op in OPS.values():
        if not op.elementwise:
            continue
        names = [*known.get(op.name, ()), *ALSO.get(op.name, ())]
        names += [n for n in (op.numpy, op.torch, op.math) if isinstance(n, str)]
        for name in names:
            floor = FLOAT if name.startswith("math.") else TENSOR if name.startswith("torch.") else NUMPY
            run = numeric.lookup(math, name) if floor == FLOAT else numeric.function(op.name)
            table[name] = (op, run, floor)
    return table


SPELLED = _spellings()


class Missing:
    """A name that a facade does not have. Holding it is harmless; using it ends the run with its name and line."""

    def __init__(self, tr: Tracer, name: str, message: str = "", kind: str = "unsupported") -> None:
        self.tr = tr
        self.name = name
        self.kind = kind
        self.message = message or f"{name} cannot be traced yet"

    def use(self) -> Any:
        self.tr.stop(self.kind, self.message)

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self.use()

    def __iter__(self) -> Any:
        return self.use()

    def __enter__(self) -> Any:
        return self.use()

    def __exit__(self, *details: Any) -> None:
        self.use()

    def __getitem__(self, key: Any) -> Any:
        return self.use()

    def __bool__(self) -> bool:
        self.use()
        return False


class Marker:
    """A type of a facade (``np.float64``, ``torch.Tensor``): to test with ``isinstance``, to name a dtype, or to
    call."""

    def __init__(self, name: str, test: Callable[[Any], bool], make: Callable[..., Any] | None = None) -> None:
        self.name = name
        self.test = test
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.make is None:
            raise TypeError(f"cannot create '{self.name}' instances")
        return self.make(*args, **kwargs)

    def __repr__(self) -> str:
        return self.name

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    def __eq__(self, other: object) -> bool:
        # A dtype equals its type and its name, in either library.
        return (
            other == self.short if isinstance(other, str) else isinstance(other, Marker) and other.short == self.short
        )

    def __hash__(self) -> int:
        return hash(self.short)


class Facade:
    """A module as the script sees it. It has no attributes of its own that the guards let through."""

    def __init__(self, tr: Tracer, name: str) -> None:
        self.tr = tr
        self.name = name
        self._found: dict[str, Any] = {}
        #: What it does when called, where it is a function with attributes.
        self.function: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.function is None:
            raise TypeError("'module' object is not callable")
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<module {self.name!r}, as symgrad traces it>"

    def names(self) -> set[str]:
        """Everything that the facade has."""
        start = self.name + "."
        return {
            name[len(start) :].partition(".")[0]
            for table in (SPELLED, HANDLERS, LIBRARY, CONSTANTS, MODULES)
            for name in table
            if name.startswith(start)
        }

    def get(self, attribute: str) -> Any:
        """One attribute; a :class:`Missing` if there is none."""
        if attribute not in self._found:
            self._found[attribute] = self._make(attribute)
        return self._found[attribute]

    def _make(self, attribute: str) -> Any:
        dotted = module_of(f"{self.name}.{attribute}")
        tr = self.tr
        if tr.of_ours is not None:
            found = tr.of_ours(dotted)
            if found is not None:
                return found
        if dotted in CONSTANTS:
            return CONSTANTS[dotted](tr)
        if dotted in HANDLERS:
            handler = partial(HANDLERS[dotted], tr)
            return named(partial(_into, handler) if self.name == "numpy" else handler, attribute)
        if dotted in SPELLED:
            op, run, floor = SPELLED[dotted]
            function = named(partial(elementwise, tr, dotted, op, run, floor), attribute)
            if dotted in _owners(len(HANDLERS), len(LIBRARY)):  # numpy.add has an attribute at
                inner = Facade(tr, dotted)
                inner.function = function
                return inner
            return function
        if dotted in LIBRARY:
            return named(partial(call, tr, dotted), attribute)
        if dotted in MODULES or any(m.startswith(dotted + ".") for m in MODULES):
            return Facade(tr, dotted)
        if self.name in GUARDED:
            return Missing(tr, dotted, f"the module {self.name} is not available in a traced file: {dotted}", "refused")
        if attribute in FORBIDDEN:
            return Missing(tr, dotted, f"{dotted} is not available: a traced file may not reach outside", "refused")
        return Missing(tr, dotted)


@cache
def _owners(*_sizes: int) -> frozenset[str]:
    """What of the tables has attributes of its own: looked up again only where one of these has grown."""
    return frozenset(name[:k] for name in (*HANDLERS, *LIBRARY) for k, c in enumerate(name) if c == ".")


def _into(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function of NumPy, whose result may be asked for in an array that is there: ``out=``."""
    out = kwargs.pop("out", None)
    found = function(*args, **kwargs)
    return found if out is None else given_out(out, found)


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A plain function around ``function``: a ``partial`` would show its insides to Python's own
    machinery, and a bound method is one object more between the script and the guard."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__name__ = name
    return call


__all__ = [
    "CONSTANTS", "HANDLERS", "MODULES", "SPELLED", "Facade", "Marker", "Missing", "as_array", "constant", "lift",
    "traced",
]  # fmt: skip
