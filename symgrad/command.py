"""How the words of a command line are read, before any option is: which command, and what of it is the target."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

#: Commands with a word of their own, and their modules: ``symgrad grade FOLDER ...``.
_OTHERS = {"grade": "symgrad.grading.command", "gradescope": "symgrad.grading.gradescope"}
#: Options that come first after such a word; after any other it is an expression: ``symgrad grade --at grade=2``.
_FIRST = ("-h", "--help", "--version", "--assignment", "--out", "--jobs", "--scheduler", "--results", "--folder",
          "--visibility")  # fmt: skip


class Command(click.Command):
    """A command whose argument may begin with a minus sign: ``symgrad "-x^2"`` is an expression, ``--foo`` a typo."""

    allow_extra_args = True  # they are refused here, in words that help

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        """The command, or one of those in a module of their own."""
        given = list(sys.argv[1:] if args is None else args)
        if len(given) > 1 and given[0] in _OTHERS and (given[1] in _FIRST or not given[1].startswith("-")):
            command = getattr(importlib.import_module(_OTHERS[given[0]]), given[0])
            return command.main(given[1:], *rest, **{**more, "prog_name": f"symgrad {given[0]}"})
        return super().main(args, *rest, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if len(args) == 1 and (args[0] == "check" or args[0] in _OTHERS):
            raise click.UsageError(f"{args[0]} what? See symgrad {args[0]} --help", ctx)
        if len(args) > 1 and args[0] == "check" and not args[1].startswith("--"):
            args = args[1:]
        options = {o for p in self.params for o in p.opts} | set(ctx.help_option_names)
        fixed: list[str] = []
        after_option = False
        for n, arg in enumerate(args):
            if arg == "--":
                fixed += args[n:]
                break
            looks_like_option = arg.startswith("--") or arg in options or arg == "-"
            if arg.startswith("-") and not looks_like_option and not after_option:
                fixed = [*fixed, *args[n + 1 :], "--", arg] if "--" not in args[n + 1 :] else [*fixed, *args[n:]]
                break
            fixed.append(arg)
            takes_value = any(arg in p.opts and not getattr(p, "is_flag", False) for p in self.params)
            after_option = takes_value and "=" not in arg
        super().parse_args(ctx, fixed)
        if ctx.args:
            # Several files, or an expression with blanks that the shell took apart.
            message = f"one target at a time, and '{ctx.args[0]}' is a second one; an expression stands in quotes"
            raise click.UsageError(message, ctx)
        return ctx.args
