"""What a name may look like, for everything that reads or writes one.

A name is made of Latin and Greek letters, digits and underscores. Typographic variants (``ϕ`` for ``φ``, the micro
sign, subscript digits) are made one, as Python does for its identifiers, so that one name never has two spellings.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from functools import lru_cache

from symgrad.ops import SPELLINGS

#: Spelling -> the constant as a graph holds it.
CONSTANTS = {"pi": "pi", "π": "pi", "E": "E"}

#: Function spellings that are Greek letters too: a variable when no "(" follows.
ALSO_VARIABLES = frozenset({"gamma", "psi", "σ"})

#: Added to "a value is missing for NAME": what the user may have meant by it.
NAME_HINTS = {
    "e": "for Euler's number write E",
    "Pi": "for the constant write pi",
    "PI": "for the constant write pi",
    "Π": "for the constant write pi or π",
}

MAX_NAME = 100

_FIRST = "A-Za-z_α-ωΑ-ΡΣ-Ωϕϵϑϰϱµ"
_NAME = re.compile(f"[{_FIRST}][{_FIRST}0-9₀-₉]*")
_VARIANTS = str.maketrans("ϕϵϑϰϱµ₀₁₂₃₄₅₆₇₈₉", "φεθκρμ0123456789")
_LOOK_ALIKES = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


def normalize(word: str) -> str:
    """The one spelling under which a name is known (a plain ``str``, whatever subclass came in)."""
    return str(word) if word.isascii() else word.translate(_VARIANTS)


def skeleton(name: str) -> str:
    """Equal for names that look the same on a screen (Greek capital alpha and Latin A)."""
    return name if name.isascii() else name.translate(_LOOK_ALIKES)


@lru_cache(1024)
def refusal(name: str) -> tuple[str, str] | None:
    """Why ``name`` cannot be the name of a variable: a message and a help text; ``None`` if it can."""
    if len(name) > MAX_NAME:
        return f"the name is longer than {MAX_NAME} characters", ""
    if _NAME.fullmatch(name) is None:
        return f"{name!a} is not a name", "names are made of letters, digits and underscores"
    if keyword.iskeyword(name):
        return f"'{name}' is a keyword of Python and cannot be a name", "rename it"
    if name.startswith("__") or name.endswith("__"):
        return f"'{name}' cannot be a name: it starts or ends with two underscores", "rename it"
    if name.lower() in _NOT_FINITE:
        return f"'{name}' is not a finite number: there is nothing to differentiate", ""
    if name in CONSTANTS:
        return f"'{name}' is a constant", "choose another name"
    if name in SPELLINGS and name not in ALSO_VARIABLES:
        return f"'{name}' is a function: write its argument in parentheses, as in {name}(x)", ""
    return None


def printable(wanted: str, taken: Collection[str] = ()) -> str:
    """A name that can be read back, is not in ``taken``, and is ``wanted`` where possible.

    The second value of ``x``, which a graph calls ``x#2``, becomes ``x_2``.
    """
    name = re.sub(f"[^{_FIRST}0-9]", "_", normalize(wanted))[: MAX_NAME - 10]
    if not re.match(f"[{_FIRST}]", name) or name.startswith("__"):
        name = "v" + name
    if name.endswith("__"):
        name += "0"
    if refusal(name) is not None:
        name += "_"
    unique, n = name, 1
    while unique in taken or refusal(unique) is not None:
        n += 1
        unique = f"{name}_{n}"
    return unique
