"""Expressions as tokens: what each word is, and every refusal that needs no grammar.

Lark splits the text by the terminals of ``grammar.lark``; :class:`Words` then decides what each name is and pairs
the parentheses, before the parser sees the first token. So a misspelt function or a parenthesis without its partner is
reported as that, and not as a symbol that the grammar did not expect.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any

from symgrad.errors import Span, SymgradError, did_you_mean
from symgrad.names import CONSTANTS, MAX_NAME, normalize, refusal, skeleton
from symgrad.ops import SPELLINGS

#: Longest text in characters: 10,000 statements fit, and the slowest takes some two seconds.
MAX_TEXT = 200_000
#: Deepest nesting of parentheses.
MAX_DEPTH = 20_000
#: Digits that a number may be written with, and its largest decimal exponent. Together they stay below the 4300
#: digits at which Python refuses to print an integer.
MAX_DIGITS = 1_000
MAX_EXPONENT = 3_000
#: Text longer than this is not repeated in messages.
QUOTE = 40

#: Token types after which an operator, not a value, is expected.
VALUE_ENDS = frozenset({"NUMBER", "NAME", "CONST", "RPAR", "RSQB", "SUPER", "TURN"})

_FOREIGN = {
    "//": ("'//' rounds down, which has no derivative", "for a quotient write /"),
    ":=": ("':=' is not part of an expression", "write ="),
    "||": ("'||' is not part of an expression", "for the absolute value write abs(x)"),
    "&&": ("'&&' is not part of an expression", ""),
    "<>": ("'<>' is not a comparison", "write !="),
    "...": ("'...' is not part of an expression", "write every term"),
}
_CHARACTERS = {
    "|": ("'|' is not part of an expression", "for the absolute value write abs(x)"),
    "'": ("a quote is not part of an expression", "a derivative cannot be written as x'; text has no meaning here"),
    '"': ("a quote is not part of an expression", "text has no meaning here"),
    "`": ("a quote is not part of an expression", "text has no meaning here"),
    ".": ("'.' is neither part of a number nor an operator here", "attributes cannot be used; for a product write *"),
    "[": ("'[' is not part of an expression", "group with ( ); write an element as a name, as in x0"),
    "]": ("']' is not part of an expression", "group with ( ); write an element as a name, as in x0"),
    "{": ("'{' is not part of an expression", "group with ( )"),
    "}": ("'}' is not part of an expression", "group with ( )"),
    "!": ("'!' is not part of an expression", "for the factorial of x write gamma(x + 1)"),
    "%": ("'%' is not part of an expression", "for a percentage write /100"),
    ":": ("':' is not part of an expression", ""),
    "\\": ("a backslash is not part of an expression", "write the function's name alone, as in tanh(x)"),
    "∞": ("infinity is not a number that can be used", ""),
    "\u00a0": ("a no-break space (U+00A0) cannot be used", "write a plain space"),
    "\r": ("a carriage return without a line feed cannot be used", "end lines with a line feed"),
}


class Source:
    """A text, or a part of one, with what is needed to say where something stands in it."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        #: What is parsed begins here; token offsets count from it.
        self.base = 0
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]

    def part(self, base: int) -> Source:
        """The same text for the parser to read from ``base`` on."""
        other = copy(self)
        other.base = base
        return other

    def span(self, start: int, end: int) -> Span:
        line, column = self._place(start + self.base)
        end_line, end_column = self._place(end + self.base)
        return Span(self.file, line, column, end_line, end_column)

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def quote(self, start: int, end: int) -> str:
        """The text between two offsets, or an empty string where that is too long to repeat."""
        part = self.text[start + self.base : end + self.base]
        return part if len(part) <= QUOTE and "\n" not in part else ""

    def error(self, start: int, end: int, message: str, hint: str = "") -> SymgradError:
        return SymgradError(message, self.span(start, end), source=self.text, hint=hint)


def character_error(source: Source, offset: int) -> SymgradError:
    """The refusal of a character with which no token begins."""
    char = source.text[source.base + offset]
    if char in _CHARACTERS:
        message, hint = _CHARACTERS[char]
        return source.error(offset, offset + 1, message, hint)
    code = f"U+{ord(char):04X}"
    name = unicodedata.name(char, "")
    shown = f"'{char}'" if char.isascii() and char.isprintable() else f"{code} {name}".rstrip()
    if not char.isascii() and char.isprintable() and not unicodedata.combining(char):
        shown = f"'{char}' ({shown})"
    plain = unicodedata.normalize("NFKC", char)
    hint = f"write {plain}" if plain != char and plain.isascii() and plain.isalnum() else ""
    what = "the character" if not unicodedata.category(char).startswith("C") else "the control character"
    return source.error(offset, offset + 1, f"{what} {shown} cannot be used in an expression", hint)


def built(grammar: str, words: Any, actions: Any) -> Any:
    """The parser of one of the grammars beside this file."""
    # Imported here: what only reads graphs does not pay for lark and its tables.
    from lark import Lark

    text = Path(__file__).with_name(grammar).read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", postlex=words, transformer=actions)


class Words:
    """Lark's post-lexer: types the names, pairs the parentheses, turns line ends into separators.

    One instance serves a cached parser; :meth:`start` is called before each parse.
    """

    #: Terminals that the lexer must keep although no rule uses them.
    always_accept: tuple[str, ...] = ("NEWLINE", "SEMICOLON", "FOREIGN")

    def start(self, source: Source) -> None:
        self.source = source
        #: The tokens given to the parser so far.
        self.given: list[Any] = []

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        """The tokens that the parser is to see.

        Raises:
            SymgradError: a word or a parenthesis that no grammar could accept.
        """
        from lark.exceptions import UnexpectedCharacters

        tokens: list[Any] = []
        try:
            for token in stream:
                tokens.append(token)
        except UnexpectedCharacters as bad:
            # A forbidden word explains more than the symbol behind it, as in "lambda x: x".
            for token in tokens:
                reason = refusal(normalize(token)) if token.type == "NAME" else None
                if reason is not None and normalize(token) not in CONSTANTS.keys() | SPELLINGS.keys():
                    raise _error(self.source, token, *reason) from None
            raise character_error(self.source, bad.pos_in_stream or 0) from None
        for token in self._sorted(tokens):
            self.given.append(token)
            yield token

    def _sorted(self, tokens: list[Any]) -> list[Any]:
        source = self.source
        partner = _pair(source, tokens)
        variables: dict[str, str] = {}
        for token, after in zip(tokens, [*tokens[1:], None], strict=True):
            if token.type == "NAME" and (after is None or after.type != "LPAR"):
                name = normalize(token)
                other = variables.setdefault(skeleton(name), name)
                if other != name:
                    raise _error(source, token, f"'{name}' and '{other}' look alike but differ", "rename one of them")
        out: list[Any] = []
        depth = 0
        for k, token in enumerate(tokens):
            kind = token.type
            if kind == "NAME":
                self._name(tokens, k, partner, variables)
            elif kind == "LPAR":
                depth += 1
            elif kind == "RPAR":
                depth -= 1
            elif kind == "FOREIGN":
                default = (f"'{token}' is not part of an expression", "write the whole assignment: x = x + 1")
                raise _error(source, token, *_FOREIGN.get(str(token), default))
            elif kind in ("SEMICOLON", "NEWLINE"):
                # Line ends inside parentheses are white space; empty statements are none.
                if depth or not out or out[-1].type == "SEP":
                    continue
                token.type = "SEP"
            out.append(token)
        if out and out[-1].type == "SEP":
            out.pop()
        return out

    def _name(self, tokens: list[Any], k: int, partner: dict[int, int], variables: dict[str, str]) -> None:
        """Decide what the name ``tokens[k]`` is, and set its type."""
        source, token = self.source, tokens[k]
        name = normalize(token)
        after = tokens[k + 1] if k + 1 < len(tokens) else None
        if k and tokens[k - 1].type == "NUMBER" and tokens[k - 1].end_pos == token.start_pos:
            _check_suffix(source, tokens[k - 1], token)
        if len(name) > MAX_NAME:
            raise _error(source, token, f"the name is longer than {MAX_NAME} characters")
        called = after is not None and after.type == "LPAR"
        if called and name in SPELLINGS:
            if skeleton(name) in variables:
                message = f"'{name}' is used as a variable as well, so '{name}(' is unclear"
                raise _error(source, token, message, "rename the variable")
            token.type = "FUNC"
            return
        reason = refusal(name)
        if reason is not None and name not in CONSTANTS:
            message, hint = reason
            if name in SPELLINGS and after is not None and after.type == "EQUALS":
                message, hint = f"'{name}' is a function and cannot be assigned", "choose another name"
            elif name in SPELLINGS and after is not None and after.type in ("SUPER", "POWER"):
                hint = f"write the power behind the call: {name}(x)**2"
            raise _error(source, token, message, hint)
        if called:
            raise self._no_function(tokens, k, partner, variables)
        if reason is not None:
            if after is not None and after.type == "EQUALS":
                raise _error(source, token, f"'{name}' is a constant and cannot be assigned", "choose another name")
            token.type = "CONST"

    def _no_function(
        self, tokens: list[Any], k: int, partner: dict[int, int], variables: dict[str, str]
    ) -> SymgradError:
        source, token = self.source, tokens[k]
        name = normalize(token)
        close = tokens[partner[k + 1]]
        group = source.quote(tokens[k + 1].start_pos, close.end_pos) or "(...)"
        product = f"for a product write {name}*{group}"
        if partner[k + 1] + 1 < len(tokens) and tokens[partner[k + 1] + 1].type == "EQUALS":
            return _error(source, token, f"'{name}{group}' cannot be assigned", f"write {name} = ...")
        if name in CONSTANTS:
            return _error(source, token, f"'{name}' is a constant, not a function", product)
        if skeleton(name) in variables:
            return _error(source, token, f"'{name}' is a variable, not a function", product)
        near = did_you_mean(name, SPELLINGS)
        return _error(source, token, f"unknown function '{name}'{near}", "" if near else product)


def _error(source: Source, token: Any, message: str, hint: str = "") -> SymgradError:
    return source.error(token.start_pos, token.end_pos, message, hint)


def _check_suffix(source: Source, number: Any, name: Any) -> None:
    """Refuse what would silently become a product: 0x1F, 1_000."""
    hexadecimal = str(number) == "0" and re.fullmatch("[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+", name)
    if hexadecimal or name.startswith("_"):
        message = f"'{source.quote(number.start_pos, name.end_pos)}' is not a number"
        hint = "write numbers in decimal, without underscores; put * between the factors of a product"
        raise source.error(number.start_pos, name.end_pos, message, hint)


def _pair(source: Source, tokens: list[Any]) -> dict[int, int]:
    """The position of each "(" -> that of its ")".

    Raises:
        SymgradError: one has no partner, or they nest too deep.
    """
    stack: list[int] = []
    partner: dict[int, int] = {}
    for k, token in enumerate(tokens):
        kind = token.type
        if kind == "LPAR":
            stack.append(k)
            if len(stack) > MAX_DEPTH:
                raise _error(source, token, f"parentheses are nested more than {MAX_DEPTH} deep")
        elif kind == "RPAR":
            if not stack:
                raise _error(source, token, "this ')' has no '(' before it")
            partner[stack.pop()] = k
        elif kind == "SEMICOLON" and stack:
            raise _error(source, tokens[stack[-1]], "this '(' is not closed before the next ';'")
    if stack:
        raise _error(source, tokens[stack[-1]], "this '(' is never closed")
    return partner


def unexpected(source: Source, token: Any, given: list[Any]) -> SymgradError:
    """A sentence for a token that the grammar does not allow here.

    ``token`` is the culprit (its type is ``$END`` at the end of the text), ``given`` what the parser was fed.
    """
    ended = token.type == "$END"
    before = given if ended else given[:-1]
    last = before[-1] if before else None
    start, end = (last.end_pos, last.end_pos + 1) if ended and last else (token.start_pos, token.end_pos)
    shown = "the text ends" if ended else "the line ends" if token.type == "SEP" and token == "\n" else f"not '{token}'"
    if last is None or last.type not in VALUE_ENDS:
        if token.type == "EQUALS" and (last is None or last.type == "SEP"):
            return source.error(start, end, "'=' needs a name before it", "write NAME = EXPRESSION")
        if token.type == "RPAR" and last is not None and last.type == "LPAR":
            return source.error(last.start_pos, end, "there is nothing between these parentheses")
        place = f"after '{last}'" if last is not None and last.type != "SEP" else "at the start"
        found = shown if shown.startswith("not") else f"but {shown}"
        return source.error(start, end, f"expected a number, a name or '(' {place}, {found}")
    if token.type == "EQUALS":
        return _stray_equals(source, token, before)
    if token.type == "COMPARE":
        return source.error(start, end, "only one comparison can be made at a time", "nest where(...) instead")
    if token.type == "COMMA":
        hint = "write decimals with a point, as in 1.5" if last.type == "NUMBER" else ""
        return source.error(start, end, "',' can only separate the arguments of a function", hint)
    what = shown if shown.startswith("not") else f"but {shown}"
    return source.error(start, end, f"expected an operator after '{_clip(last)}', {what}")


def _clip(token: Any) -> str:
    return str(token) if len(token) <= QUOTE else f"{token[:QUOTE]}..."


def _stray_equals(source: Source, token: Any, before: list[Any]) -> SymgradError:
    start, end = token.start_pos, token.end_pos
    depth = 0
    for earlier in reversed(before):
        depth += (earlier.type == "RPAR") - (earlier.type == "LPAR")
        if depth < 0:
            return source.error(start, end, "'=' cannot stand inside parentheses", "to compare, write ==")
        if earlier.type == "SEP":
            break
        if earlier.type == "EQUALS":
            message = "only one '=' can stand in a statement"
            return source.error(start, end, message, "write two statements: b = c; a = b")
    return source.error(start, end, "only a single name can stand before '='", "write NAME = EXPRESSION")


def number(source: Source, token: Any) -> Fraction:
    """The exact value of a literal: ``0.1`` is one tenth."""
    text = str(token)
    if len(text) <= 9 and text.isdecimal():
        return Fraction(int(text))
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS:
        message = f"the number has more than {MAX_DIGITS} digits"
        raise source.error(token.start_pos, token.end_pos, message)
    size = exponent.lstrip("+-").lstrip("0")
    if len(size) > 9 or int(size or "0") > MAX_EXPONENT:
        message = f"the exponent of this number is beyond {MAX_EXPONENT}"
        raise source.error(token.start_pos, token.end_pos, message, "symgrad keeps numbers exactly")
    return Fraction(text)
