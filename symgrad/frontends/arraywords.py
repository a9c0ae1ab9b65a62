"""Expressions with arrays as tokens: brackets, dotted names, keywords. The rest is in ``tokens.py``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.tokens import MAX_DEPTH, Source, Words
from symgrad.names import NAME_HINTS, normalize, skeleton
from symgrad.ops import SPELLINGS
from symgrad.ops.library.bare import SHORT, WORDS, bare, dotted, plain

_CLOSES = {"LPAR": "RPAR", "LSQB": "RSQB"}
_CONSTANTS = {"pi": "pi", "e": "E"}
_VALUES = frozenset({"None", "True", "False"})


class ArrayWords(Words):
    """Types the names, pairs parentheses and brackets, turns line ends into separators."""

    always_accept = ("NEWLINE", "SEMICOLON", "FOREIGN", "DOTTED")

    def start(self, source: Source, known: Collection[str] = ()) -> None:
        super().start(source)
        #: Names that are arrays for sure: ``F.T`` is a transpose then, and no function of torch.
        self.known = known

    def _sorted(self, tokens: list[Any]) -> list[Any]:
        source = self.source
        tokens = [part for token in tokens for part in self._parts(token)]
        partner = _paired(source, tokens)
        depths = _depths(tokens)
        variables: dict[str, str] = {}
        for k, token in enumerate(tokens):
            after = tokens[k + 1].type if k + 1 < len(tokens) else ""
            if token.type == "NAME" and after == "EQUALS" and depths[k]:
                token.type = "KEY"
            elif token.type == "NAME" and str(token) in _VALUES:
                token.type = "WORD"
            elif token.type == "NAME" and after != "LPAR":
                name = normalize(token)
                other = variables.setdefault(skeleton(name), name)
                if other != name:
                    raise _error(source, token, f"'{name}' and '{other}' look alike but differ", "rename one of them")
        missing: dict[str, tuple[int, int]] = {}
        assigned = {normalize(t) for t, after in pairwise(tokens)
                    if t.type == "NAME" and after.type == "EQUALS"}  # fmt: skip
        out: list[Any] = []
        for k, token in enumerate(tokens):
            kind = token.type
            if kind == "NAME":
                self._name(tokens, k, partner, variables)
                name = normalize(token)
                if token.type == "NAME" and name not in assigned and name not in self.known:
                    missing.setdefault(name, (token.start_pos, token.end_pos))
            elif kind == "DOTTED":
                self._dotted(token, tokens[k + 1] if k + 1 < len(tokens) else None)
            elif kind == "METHOD" and (k + 1 == len(tokens) or tokens[k + 1].type != "LPAR"):
                raise _error(source, token, f"'{token}' is not part of an expression", "methods are called: x.sum()")
            elif kind == "FOREIGN":
                hint = "write the whole assignment: x = x + 1"
                raise _error(source, token, f"'{token}' is not part of an expression", hint)
            elif kind in ("SEMICOLON", "NEWLINE"):
                if depths[k] or not out or out[-1].type == "SEP":
                    continue
                token.type = "SEP"
            out.append(token)
        if out and out[-1].type == "SEP":
            out.pop()
        if missing:
            raise unshaped(source, missing)
        return out

    def _parts(self, token: Any) -> list[Any]:
        """``F.T`` in two, where ``F`` is an array."""
        if token.type != "DOTTED" or str(token).partition(".")[0] not in self.known:
            return [token]
        out = []
        at = token.start_pos
        for n, part in enumerate(str(token).split(".")):
            text = part if n == 0 else "." + part
            kind = "NAME" if n == 0 else "TURN" if part in ("T", "mT") else "METHOD"
            piece = type(token).new_borrow_pos(kind, text, token)
            piece.start_pos, piece.end_pos = at, at + len(text)
            out.append(piece)
            at += len(text)
        return out

    def _name(self, tokens: list[Any], k: int, partner: dict[int, int], variables: dict[str, str]) -> None:
        token = tokens[k]
        called = k + 1 < len(tokens) and tokens[k + 1].type == "LPAR"
        name = normalize(token)
        if called and bare(name) is not None and skeleton(name) not in variables:
            token.type = "FUNC"
            return
        super()._name(tokens, k, partner, variables)

    def _dotted(self, token: Any, after: Any) -> None:
        name = str(token)
        if after is None or after.type != "LPAR":
            last = name.rpartition(".")[2]
            if last not in _CONSTANTS or name.count(".") > 1:
                hint = "functions are called: np.sum(x)"
                raise _error(self.source, token, f"'{name}' is not part of an expression", hint)
            token.type = "CONST"
            return
        if dotted(name) is None and not plain(name):
            near = did_you_mean(name.rpartition(".")[2], {*SPELLINGS, *WORDS, *SHORT})
            raise _error(self.source, token, f"unknown function '{name}'{near}")
        token.type = "FUNC"


def unshaped(source: Source, missing: Mapping[str, tuple[int, int]]) -> SymgradError:
    """The error for names that have no shape, all by name."""
    names = list(missing)
    listed = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
    wanted = " ".join(f"--shape {n}=..." for n in names)
    hints = [NAME_HINTS[n] for n in names if n in NAME_HINTS]
    example = "for example 3x4, 3, or scalar for a single number; or give values with --at"
    return source.error(*missing[names[0]], f"no shape for {listed}: add {wanted}", "; ".join([*hints, example]))


def constant_of(name: str) -> str:
    """The constant that ``np.pi`` or ``math.e`` is."""
    return _CONSTANTS.get(name.rpartition(".")[2], name)


def _error(source: Source, token: Any, message: str, hint: str = "") -> SymgradError:
    return source.error(token.start_pos, token.end_pos, message, hint)


def _depths(tokens: list[Any]) -> list[int]:
    """How many brackets are open at each token."""
    out, depth = [], 0
    for token in tokens:
        depth -= token.type in _CLOSES.values()
        out.append(depth)
        depth += token.type in _CLOSES
    return out


def _paired(source: Source, tokens: list[Any]) -> dict[int, int]:
    """The position of each opening bracket -> that of its partner.

    Raises:
        SymgradError: one has no partner, or another kind of partner, or they nest too deep.
    """
    stack: list[int] = []
    partner: dict[int, int] = {}
    for k, token in enumerate(tokens):
        if token.type in _CLOSES:
            stack.append(k)
            if len(stack) > MAX_DEPTH:
                raise _error(source, token, f"parentheses are nested more than {MAX_DEPTH} deep")
        elif token.type in _CLOSES.values():
            if not stack:
                raise _error(source, token, f"this '{token}' has no partner before it")
            opening = tokens[stack[-1]]
            if _CLOSES[opening.type] != token.type:
                raise _error(source, token, f"this '{token}' closes a '{opening}'")
            partner[stack.pop()] = k
        elif token.type == "SEMICOLON" and stack:
            raise _error(source, tokens[stack[-1]], f"this '{tokens[stack[-1]]}' is not closed before the next ';'")
    if stack:
        raise _error(source, tokens[stack[-1]], f"this '{tokens[stack[-1]]}' is never closed")
    return partner
