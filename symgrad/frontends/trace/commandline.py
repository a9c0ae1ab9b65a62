"""``argparse``: a script that takes settings is run with their defaults."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001, ARG002

from __future__ import annotations

from typing import Any

from symgrad.frontends.trace.registry import MODULES, constant, traced
from symgrad.frontends.trace.tracer import Tracer

MODULES.add("argparse")


class Settings:
    """What ``parse_args`` gives: settings by name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


class Parser:
    """An ``ArgumentParser``, or a group of one: it keeps the defaults."""

    def __init__(self) -> None:
        self.defaults: dict[str, Any] = {}

    def add_argument(self, *names: Any, **options: Any) -> None:
        if not names or not all(type(n) is str for n in names):
            raise TypeError("the name of an argument is a text")
        long = next((n for n in names if n.startswith("--")), names[0])
        name = options.get("dest", long.lstrip("-").replace("-", "_"))
        stored = {"store_true": False, "store_false": True, "count": 0}.get(options.get("action", ""))
        self.defaults[str(name)] = options.get("default", stored)

    def set_defaults(self, **values: Any) -> None:
        self.defaults |= values

    def add_argument_group(self, *args: Any, **options: Any) -> Parser:
        return self

    def add_mutually_exclusive_group(self, *args: Any, **options: Any) -> Parser:
        return self

    def parse_args(self, *args: Any, **options: Any) -> Settings:
        return Settings(dict(self.defaults))

    def parse_known_args(self, *args: Any, **options: Any) -> tuple[Settings, list[str]]:
        return self.parse_args(), []

    def print_help(self, *args: Any) -> None:
        """Nothing is printed."""


#: What a script may do with one.
PARSER_METHODS = frozenset(n for n in vars(Parser) if not n.startswith("_"))


@traced("argparse.ArgumentParser")
def _parser(tr: Tracer, *args: Any, **options: Any) -> Parser:
    return Parser()


@constant("argparse.ArgumentDefaultsHelpFormatter", "argparse.RawTextHelpFormatter", "argparse.SUPPRESS")
def _formatter(tr: Tracer) -> Any:
    return None
