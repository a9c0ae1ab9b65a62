"""What a script may have as it is: attributes by exact type, built-in functions, and why the others are not there."""

from __future__ import annotations

import builtins
import collections
from types import GeneratorType

from symgrad.frontends.trace.commandline import PARSER_METHODS, Parser
from symgrad.frontends.trace.inert import Written
from symgrad.frontends.trace.lib_differentiating import RULE_METHODS, CustomRule
from symgrad.frontends.trace.lib_jax import CHOSEN_METHODS, Chosen
from symgrad.frontends.trace.numpy_plain import ENTRIES_METHODS, Entries
from symgrad.frontends.trace.standins import (
    BUNCH_ATTRIBUTES,
    SCALER_METHODS,
    SINK_METHODS,
    TEXT_METHODS,
    Bunch,
    Scaler,
    Sink,
    TextFile,
)


def _public(kind: type, *without: str) -> frozenset[str]:
    return frozenset(n for n in dir(kind) if not n.startswith("_")) - set(without)


#: Exact type -> the attributes that may be read. ``str.format`` walks attributes by itself: it is replaced below.
READABLE: dict[type, frozenset[str]] = {
    str: _public(str, "format", "format_map"),
    list: _public(list), tuple: _public(tuple), dict: _public(dict), set: _public(set), frozenset: _public(frozenset),
    int: _public(int, "from_bytes", "to_bytes"), float: _public(float, "fromhex"), bool: _public(bool, "from_bytes"),
    complex: _public(complex), range: _public(range), slice: _public(slice), bytes: frozenset({"decode"}),
    collections.OrderedDict: _public(collections.OrderedDict), collections.deque: _public(collections.deque),
    collections.defaultdict: _public(collections.defaultdict), collections.Counter: _public(collections.Counter),
    GeneratorType: frozenset({"send", "close"}), property: frozenset({"setter", "getter", "deleter"}),
}  # fmt: skip

#: Attributes of types themselves.
OF_TYPES: dict[type, frozenset[str]] = {
    str: frozenset({"lower", "upper", "strip", "join", "title"}), dict: frozenset({"fromkeys"}),
}  # fmt: skip

EXCEPTIONS: dict[str, type[BaseException]] = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
#: Built-in functions and types that a script may have as they are.
PLAIN = (
    "abs all any bin callable chr divmod enumerate filter hash hex id iter len map next oct ord repr reversed set "
    "slice sorted str tuple zip complex dict frozenset list object range property staticmethod classmethod super bytes"
).split()

#: Built-ins that are not there, with the reason.
REFUSED = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "makes code",
    "open": "reaches files",
    "input": "waits for a person",
    "globals": "reaches the interpreter's tables",
    "locals": "reaches the interpreter's tables",
    "vars": "reaches the interpreter's tables",
    "dir": "reaches the interpreter's tables",
    "breakpoint": "starts a debugger",
    "exit": "ends the process",
    "quit": "ends the process",
    "memoryview": "reaches memory",
    "bytearray": "reaches memory",
    "help": "starts a pager",
    "get_ipython": "runs commands",
}

#: Abstract types of NumPy -> the names of the types below them, without their sizes.
KINDS = {
    "integer": ("int", "uint"), "signedinteger": ("int",), "floating": ("float",), "inexact": ("float",),
    "number": ("int", "uint", "float"), "generic": ("int", "uint", "float", "bool"),
}  # fmt: skip
#: Modules of Python's own that reach nothing outside, and of which nothing is there: a run ends where one is used, and
#: what it did before is checked.
HARMLESS = frozenset(
    "fractions decimal statistics string textwrap contextlib bisect heapq re csv unittest doctest cmath array "
    "base64 binascii calendar colorsys difflib graphlib hashlib html keyword locale queue secrets struct uuid "
    "zoneinfo".split()
)
#: Methods of our own objects that stand for files.
OPEN: dict[type, frozenset[str]] = {
    TextFile: TEXT_METHODS, Sink: SINK_METHODS, Written: frozenset({"write", "flush"}), Bunch: BUNCH_ATTRIBUTES,
    Parser: PARSER_METHODS, Scaler: SCALER_METHODS, Chosen: CHOSEN_METHODS,
    CustomRule: RULE_METHODS, Entries: ENTRIES_METHODS,
}  # fmt: skip
