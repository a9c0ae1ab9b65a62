"""What a script may reach while it runs: attributes by exact type, and its own set of built-in functions.

An attribute access of the script is a call of :meth:`Guard.getattr`. It decides by the *exact* type of the object and
an allow-list of names for that type, so there is nothing to walk along: no ``__class__``, no ``gi_frame``, no
``__globals__``, not for any object that Python hands out (functions, generators, exceptions, methods, modules).
Classes that the script defines may inherit only from each other, from ``object`` and from exceptions, so no object of
its own can pose as a string, a number or one of our objects.
"""

from __future__ import annotations

import builtins
import string
import sys
from types import BuiltinFunctionType, FunctionType, GeneratorType
from typing import Any

from symgrad.errors import did_you_mean
from symgrad.frontends.trace import attributes
from symgrad.frontends.trace.allowed import EXCEPTIONS, HARMLESS, KINDS, OF_TYPES, OPEN, PLAIN, READABLE, REFUSED
from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.commandline import Settings
from symgrad.frontends.trace.drawn import BATCHES
from symgrad.frontends.trace.inert import PROGRESS_METHODS, Progress, Written, is_inert
from symgrad.frontends.trace.library import Package, SourceModule
from symgrad.frontends.trace.nothing import NOTHING, Inert
from symgrad.frontends.trace.numbers import Numbers
from symgrad.frontends.trace.records import Record
from symgrad.frontends.trace.registry import MODULES, Facade, Marker, Missing, module_of, named
from symgrad.frontends.trace.standins import opened
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import Mask, TracedFloat, TracedInt, Value

MODULES |= BATCHES


class Guard(Numbers):
    """The guards and the built-in functions of one run."""

    def __init__(self, tr: Tracer) -> None:
        super().__init__(tr)
        #: Classes that the script has defined.
        self.classes: set[type] = set()
        self.modules: dict[str, Any] = {}
        #: Attributes that were read of the script's own objects, as they are written, and of which object.
        self.reads: dict[str, Any] = {}

    # --- attributes ---------------------------------------------------------------------------------------------

    def getattr(self, obj: Any, name: Any) -> Any:
        """``obj.name``."""
        tr = self.tr
        if tr.dead is not None:
            raise tr.dead
        if type(name) is not str:
            raise TypeError("attribute name must be string")
        kind = type(obj)
        if issubclass(kind, Value):
            if not name.startswith("_"):
                return attributes.get(obj, name)
        elif kind is Facade:
            if not name.startswith("_"):
                return obj.get(name)
        elif kind is Missing:
            obj.use()
        elif kind is Inert:
            return obj
        elif kind is SourceModule or kind is Package:
            if not name.startswith("__") and name in obj.table:
                return obj.table[name]
            raise AttributeError(f"module '{obj.name}' has no attribute '{name}'")
        elif name in OPEN.get(kind, ()):
            return getattr(obj, name)
        elif kind is Progress and name in PROGRESS_METHODS:
            return obj.nothing
        elif kind in self.classes:
            if self._own(name):
                found = getattr(obj, name)
                if isinstance(found, Value):
                    self.reads[self.tr.text(self.tr.here())] = obj
                return found
        elif name in READABLE.get(kind, ()):
            return getattr(obj, name)
        elif kind is str and name == "format":
            return lambda *args, **kwargs: self.format(obj, args, kwargs)
        else:
            found = self._special(obj, kind, name)
            if found is not None:
                return found[0]
        return self._no_attribute(obj, kind, name)

    @staticmethod
    def _own(name: str) -> builtins.bool:
        """What a script may call an attribute of its own classes."""
        return not name.startswith("__")

    def _special(self, obj: Any, kind: type, name: str) -> tuple[Any] | None:
        """The few attributes of classes, functions, exceptions, named tuples and ``super()``, in a tuple."""
        if isinstance(obj, type):
            if name == "__name__":
                return (obj.__name__,)
            # Only what the script's own classes define: no method of ``type`` and none of ``object``.
            defined = obj in self.classes and any(name in vars(c) for c in obj.__mro__ if c in self.classes)
            if (defined and self._own(name)) or (obj in self.classes and name == "__init__"):
                return (getattr(obj, name),)
            if name in OF_TYPES.get(obj, ()) or (name == "from_iterable" and obj.__module__ == "itertools"):
                return (getattr(obj, name),)
        elif name == "__name__" and isinstance(obj, FunctionType | BuiltinFunctionType):
            return (obj.__name__,)
        elif kind is super and obj.__thisclass__ in self.classes and (self._own(name) or name == "__init__"):
            return (getattr(obj, name),)
        elif isinstance(obj, BaseException) and name == "args":
            return (obj.args,)
        elif kind is Settings and name in obj.values:
            return (obj.values[name],)
        elif isinstance(obj, Record) and name in obj.fields:
            return (obj[obj.fields.index(name)],)
        elif kind is Marker and name in ("__name__", "name"):
            return (obj.short,)
        elif kind is Marker and name == "type":  # x.dtype.type
            return (obj,)
        return None

    def _no_attribute(self, obj: Any, kind: type, name: str) -> Any:
        words = attributes.kind_name(obj) if isinstance(obj, Value) else kind.__name__
        if name.startswith("_"):
            self.tr.refuse(f"the attribute {name} leads into Python's internals")
        if kind in self.classes or kind in READABLE:
            if name in dir(kind):
                self.tr.refuse(f"the attribute {name} of {words} is not available in a traced file")
            raise AttributeError(
                f"'{words}' object has no attribute '{name}'{did_you_mean(name, READABLE.get(kind, ()))}"
            )
        return self.tr.refuse(f"the attribute {name} of {words} is not available in a traced file")

    def builtin_getattr(self, obj: Any, name: Any, *default: Any) -> Any:
        """The script's ``getattr``."""
        try:
            return self.getattr(obj, name)
        except AttributeError:
            if default:
                return default[0]
            raise

    def hasattr(self, obj: Any, name: Any) -> builtins.bool:
        if type(obj) is Facade:
            return name in obj.names()
        try:
            self.getattr(obj, name)
        except AttributeError:
            return False
        return True

    def setattr(self, obj: Any, name: Any, value: Any) -> None:
        """``obj.name = value``: on the script's own objects, and the few attributes of a tensor that can be set."""
        self.tr.alive()
        if type(name) is not str:
            raise TypeError("attribute name must be string")
        if isinstance(obj, Value) and not name.startswith("_"):
            attributes.put(obj, name, value)
        elif (type(obj) in self.classes or (isinstance(obj, type) and obj in self.classes)) and self._own(name):
            setattr(obj, name, value)
        elif type(obj) is Settings and self._own(name):
            obj.values[name] = value
        elif isinstance(obj, Inert):
            pass
        elif isinstance(obj, Facade):
            self.tr.refuse(f"{obj.name}.{name} cannot be replaced")
        else:
            self.tr.refuse(f"the attribute {name} of {_kind_of(obj)} cannot be set in a traced file")

    def delattr(self, obj: Any, name: Any) -> None:
        self.tr.alive()
        if type(name) is not str or type(obj) not in self.classes or not self._own(name):
            self.tr.refuse(f"the attribute {name} of {_kind_of(obj)} cannot be deleted in a traced file")
        delattr(obj, name)

    # --- classes, modules ---------------------------------------------------------------------------------------

    def build_class(self, body: Any, name: str, *bases: Any) -> Any:
        """A ``class`` statement."""
        self.tr.alive()
        for base in bases:
            if isinstance(base, Missing):
                base.use()
            exception = isinstance(base, type) and issubclass(base, Exception) and base.__module__ == "builtins"
            if not (base is object or exception or (isinstance(base, type) and base in self.classes)):
                self.tr.refuse(f"a class cannot inherit from {_kind_of(base)} in a traced file")
        made: type = builtins.__build_class__(body, name, *bases)
        if type(made) is not type:
            self.tr.refuse("a class must be a plain class in a traced file")
        self.classes.add(made)
        return made

    def module(self, name: str) -> Any:
        name = module_of(name)
        if name not in self.modules:
            if name in ("builtins", "past.builtins", "six.moves"):
                self.modules[name] = SourceModule(name, dict(self.names))
            elif is_inert(name):
                self.modules[name] = NOTHING
            elif name in MODULES:
                self.modules[name] = Facade(self.tr, name)
            else:
                # Of Python's own modules most reach outside; a stranger's library is merely not traced.
                reaches = name.partition(".")[0] in sys.stdlib_module_names - HARMLESS
                kind = "refused" if reaches else "unsupported"
                message = f"the module {name} is not available in a traced file"
                self.modules[name] = Missing(self.tr, name, message, kind)
        return self.modules[name]

    def import_module(self, name: str, whole: bool) -> Any:
        """``import name``, or ``import name as ...``. A module that is not there hurts only when it is used."""
        self.tr.alive()
        top = name.partition(".")[0]
        return self.module(name if whole or module_of(name) not in MODULES else top)

    def import_from(self, module: str, name: str) -> Any:
        self.tr.alive()
        module = module_of(module)
        dotted = module_of(f"{module}.{name}")
        if dotted in MODULES:
            return self.module(dotted)
        if is_inert(dotted):
            return NOTHING
        found = self.module(module)
        if isinstance(found, Missing):
            return Missing(self.tr, dotted, found.message, found.kind)
        if isinstance(found, Inert):
            return found
        return self.of_source(found, name) if isinstance(found, SourceModule) else found.get(name)

    def of_source(self, module: SourceModule, name: str) -> Any:
        """A name of a module that was run from its text."""
        if name.startswith("__") or name not in module.table:
            raise ImportError(f"cannot import name '{name}' from '{module.name}'")
        return module.table[name]

    def star(self, module: Any) -> dict[str, Any]:
        """What ``from module import *`` brings."""
        if isinstance(module, Missing):
            module.use()
        if isinstance(module, SourceModule):
            return module.public()
        if isinstance(module, Facade):
            return {n: module.get(n) for n in module.names() if not n.startswith("_")}
        return {}

    def open(self, *args: Any, **options: Any) -> Any:
        """``open``: of a text beside the script one of ours; anything else is an attempt to leave."""
        self.tr.alive()
        found = opened(self.tr, *args, **options) if args else None
        if found is None:
            self.tr.refuse(f"open is not available in a traced file: it {REFUSED['open']}")
        return found

    # --- text ---------------------------------------------------------------------------------------------------

    def format(self, template: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """``template.format(...)`` for templates that look at whole arguments only."""
        self._check_template(template, 0)
        return template.format(*args, **kwargs)

    def _check_template(self, template: str, depth: int) -> None:
        for _, field, spec, _ in string.Formatter().parse(template):
            if field is not None and ("." in field or "[" in field):
                self.tr.refuse(
                    f"the format field {{{field}}} reaches into its argument", "give the value as an argument"
                )
            if spec and depth < 2:
                self._check_template(spec, depth + 1)

    def print(self, *args: Any, sep: Any = " ", end: Any = "\n", file: Any = None, **_: Any) -> None:
        self.tr.alive()
        if file is not None and type(file) is not Written:
            self.tr.refuse("print to a file is not available in a traced file")
        sep, end = " " if sep is None else sep, "\n" if end is None else end
        if type(sep) is not str or type(end) is not str:
            raise TypeError("sep and end must be strings")
        text = sep.join(str(a) for a in args) + end
        self.tr.write(text)
        self.tr.shows(text, *(a.step for a in args if isinstance(a, Value)))

    # --- types --------------------------------------------------------------------------------------------------

    def type(self, value: Any) -> Any:
        """The type of a value, as the name that the script has for it."""
        if isinstance(value, Mask):
            return self.names["bool"]
        if isinstance(value, TracedInt):
            return self.names["int"]
        if isinstance(value, Array):
            return Marker(
                "torch.Tensor" if attributes.kind_name(value) == "Tensor" else "numpy.ndarray", lambda x: False
            )
        if isinstance(value, TracedFloat):
            return (
                self.names["float"]
                if attributes.kind_name(value) == "float"
                else Marker("numpy.float64", lambda x: False)
            )
        kind = type(value)
        for name in ("float", "int", "bool"):
            if kind is getattr(builtins, name):
                return self.names[name]
        shown = kind in READABLE and kind not in (GeneratorType, property)
        if kind in self.classes or shown or kind is type(None) or isinstance(value, Exception):
            return kind
        return self.tr.refuse(f"the type of {_kind_of(value)} is not available in a traced file")

    def isinstance(self, value: Any, kinds: Any) -> builtins.bool:
        if isinstance(kinds, tuple):
            return any(self.isinstance(value, k) for k in kinds)
        if isinstance(kinds, Marker):
            return bool(kinds.test(value))
        if isinstance(kinds, Missing):
            kinds.use()
        for name in ("float", "int", "bool"):
            if kinds is self.names[name]:
                kinds = getattr(builtins, name)
        if isinstance(value, Array):
            return kinds is object
        if isinstance(value, Mask) and kinds is bool:
            return True
        return isinstance(value, kinds)

    def issubclass(self, kind: Any, kinds: Any) -> builtins.bool:
        if isinstance(kind, Marker):
            wanted = kinds if isinstance(kinds, tuple) else (kinds,)
            plain = kind.short.rstrip("0123456789")
            return any(kind == k or plain in KINDS.get(getattr(k, "short", ""), ()) for k in wanted)
        return issubclass(kind, kinds)

    # --- the table ----------------------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, Any]:
        """The script's built-in functions."""
        if not hasattr(self, "_names"):
            self._names = self._builtins()
        return self._names

    def _builtins(self) -> dict[str, Any]:
        table: dict[str, Any] = {name: getattr(builtins, name) for name in PLAIN}
        table |= EXCEPTIONS
        table |= {"None": None, "True": True, "False": False, "Ellipsis": ..., "NotImplemented": NotImplemented}
        own = "hasattr setattr delattr print float int round pow sum max min type isinstance issubclass"
        table |= {name: named(getattr(self, name), name) for name in own.split()}
        table["bool"] = named(self.boolean, "bool")
        table["getattr"] = named(self.builtin_getattr, "getattr")
        table["format"] = format
        # Python 2's, which much published code still has.
        table["xrange"] = range
        # A notebook's own, which it need not import.
        table["display"] = table["print"]
        table["__name__"] = "__main__"
        table["__build_class__"] = self.build_class
        for name, reason in REFUSED.items():
            if name == "open":
                table[name] = named(self.open, "open")
                continue
            message = f"{name} is not available in a traced file: it {reason}"
            table[name] = Missing(self.tr, name, message, "refused")
        return table


def _kind_of(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
