"""A mistake in a function of several lines: what belongs there is written with what the function was given.

``(p - 1)*center`` may be right where the script hands ``center`` over as ``v``; in the function it is ``(p - 1)*v``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.syntax import nodes
from symgrad.manual.work import Account

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\()")
#: What a sentence says in formulas: ``lacks the factor center``.
_LACKS = re.compile(r"(the (?:factor|term) )(.+?)(?= is missing|;|$)")


def in_scopes(taken: Account) -> Account:
    """The account in which fixes inside functions use the names of their parameters."""
    found, source = taken.diagnosis, taken.subject.source
    told = tuple(_told(b, source) for b in found.blames)
    return replace(taken, diagnosis=replace(found, blames=told)) if told != found.blames else taken


def _told(blame: Blame, source: str) -> Blame:
    function = function_at(source, blame.span.line) if blame.edits else None
    texts = [blame.fix, *(text for _, text in blame.edits)]
    if function is None or any("\n" in text for text in texts):
        return blame
    parameters = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    own = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    written = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} | set(parameters) | own
    foreign = {name for text in texts for name in _NAME.findall(text)} - written
    for given in _calls(function, parameters, source) if foreign else ():
        if foreign & given.keys():
            called = {name: given.get(name, name) for name in foreign}
            told = {text: _renamed(text, called) for text in texts}
            edits = tuple((span, told[text]) for span, text in blame.edits)
            expected = told[blame.fix] if blame.expected == blame.fix else blame.expected
            message = _LACKS.sub(lambda m, called=called: m[1] + _renamed(m[2], called), blame.message)  # type: ignore[misc]
            return replace(blame, fix=told[blame.fix], edits=edits, expected=expected, message=message)
    return blame


def _renamed(text: str, called: Mapping[str, str]) -> str:
    return _NAME.sub(lambda m: called.get(m.group(), m.group()), text)


def _calls(function: ast.FunctionDef, parameters: list[str], source: str) -> Iterator[dict[str, str]]:
    """For each call of a function the variables that it is handed: what each is called inside."""
    for node in nodes(source):
        if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
            continue
        method = isinstance(node.func, ast.Attribute)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called != function.name:
            continue
        names = parameters[1:] if method and parameters[:1] == ["self"] else parameters
        pairs = [*zip(names, node.args, strict=False), *((k.arg, k.value) for k in node.keywords if k.arg)]
        yield {value.id: name for name, value in pairs if isinstance(value, ast.Name)}


__all__ = ["in_scopes"]
