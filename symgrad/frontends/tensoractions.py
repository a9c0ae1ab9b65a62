"""Building steps of arrays while an expression is parsed: each gets its shape, or is refused at its operator."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.errors import SymgradError, Unsupported, did_you_mean
from symgrad.frontends.arraywords import constant_of, unshaped
from symgrad.frontends.expression import Actions, Node
from symgrad.frontends.tokens import Source
from symgrad.graph import INPUT
from symgrad.names import normalize
from symgrad.ops import SPELLINGS, Formula, Ref, Shape, ShapeError, typed
from symgrad.ops.library import item
from symgrad.ops.library.bare import LABELS, OR_PROBABILITIES, REDUCE_ALONE, bare, dotted, method, plain

#: An array of more numbers than this is refused.
MOST_NUMBERS = 1_000_000


class Whole(list[Any]):
    """Whole numbers that pick entries, nested as they were given."""

    @property
    def shape(self) -> Shape:
        found: Any = self
        out = []
        while isinstance(found, list):
            out.append(len(found))
            found = found[0] if found else None
        return tuple(out)


@dataclass(frozen=True, slots=True)
class _Keyword:
    name: str
    value: Any
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Literal:
    """What is no value of a step: a string, None, True, ``...``, a slice, or a list."""

    value: Any
    start: int
    end: int


class TensorActions(Actions):
    """What the parser does at each reduction; what is inherited serves both languages."""

    def begin_arrays(self, source: Source, shapes: Mapping[str, Shape], whole: Mapping[str, Any]) -> None:
        """Prepare for one text: the shape of each name, and the values of those that are whole numbers."""
        self.begin(source)
        self.shapes = shapes
        self.whole = whole
        self.math = Formula(self.builder)
        #: Names used as labels or places: they are data.
        self.data: dict[str, int] = {}
        #: Names without a shape -> where they stand first.
        self.missing: dict[str, tuple[int, int]] = {}
        self._caret = (0, 1)

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step(
        self, op: str, operands: Sequence[Node], start: int, end: int, *, form: str = "", split: int = -1
    ) -> Node:
        inputs = [self._use(n) for n in operands]
        shapes = [self.builder.steps[i].shape for i in inputs]
        try:
            params, shape = typed(op, shapes, {})
        except ShapeError as problem:
            raise self._at_caret(problem.message) from None
        self._bounded(shape)
        self.operands.setdefault((start, end), tuple(n.inside or (n.start, n.end) for n in operands))
        span = self.source.span(start, end)
        index = self.builder.add(op, inputs, params=params, shape=shape, span=span)
        return Node(index, start, end, form=form, split=split)

    def _bounded(self, shape: Shape) -> None:
        if math.prod(shape) > MOST_NUMBERS:
            message = f"this has shape {shape}, {math.prod(shape)} numbers; at most {MOST_NUMBERS} can be handled"
            raise self._at_caret(message)

    def _at_caret(self, message: str, hint: str = "") -> SymgradError:
        """While shapes are missing, those that were guessed are no ground for complaint."""
        if self.missing:
            return unshaped(self.source, self.missing)
        return self.source.error(*self._caret, message, hint)

    def _shape(self, node: Node) -> Shape:
        return self.builder.steps[node.index].shape if node.index >= 0 else ()

    # --- operators ------------------------------------------------------------------------------------------------

    def _pointing(self, token: Any, then: Callable[[], Node]) -> Node:
        self._caret = (token.start_pos, token.end_pos)
        return then()

    def _plain(self, node: Any) -> None:
        """Refuse a list or a string where a value belongs."""
        if not isinstance(node, Node):
            raise self.source.error(node.start, node.end, "a value belongs here")

    def compare(self, children: list[Any]) -> Node:
        return self._pointing(children[1], lambda: super(TensorActions, self).compare(children))

    def binary(self, children: list[Any]) -> Node:
        return self._pointing(children[1], lambda: super(TensorActions, self).binary(children))

    def signed(self, children: list[Any]) -> Node:
        return self._pointing(children[0], lambda: super(TensorActions, self).signed(children))

    def root(self, children: list[Any]) -> Node:
        return self._pointing(children[0], lambda: super(TensorActions, self).root(children))

    def super(self, children: list[Any]) -> Node:
        node, token = children
        if token in ("⁻¹",) and self._shape(node):
            raise self.source.error(token.start_pos, token.end_pos, "the inverse of a matrix is not handled here")
        return self._pointing(token, lambda: super(TensorActions, self).super(children))

    def implicit(self, children: list[Node]) -> Node:
        a, b = children
        self._caret = (a.start, b.end)
        if self._shape(a) and self._shape(b):
            left, right = self.source.quote(a.start, a.end), self.source.quote(b.start, b.end)
            hint = (
                f"write {left} @ {right} for the matrix product, {left}*{right} entry by entry"
                if left and right
                else ""
            )
            message = f"two arrays, of shapes {self._shape(a)} and {self._shape(b)}, stand side by side"
            raise self._at_caret(message, hint)
        return super().implicit(children)

    def turned(self, children: list[Any]) -> Node:
        node, token = children
        self._caret = (token.start_pos, token.end_pos)
        rank = len(self._shape(node))
        swap = (*range(rank - 2), rank - 1, rank - 2) if rank > 1 else tuple(range(rank))
        axes = swap if token == ".mT" else tuple(reversed(range(rank)))
        return self._library(lambda m, x: m.transpose(x, axes=axes), [node], {}, node.start, token.end_pos)

    # --- names ----------------------------------------------------------------------------------------------------

    def constant(self, children: list[Any]) -> Node:
        token = children[0]
        if "." in token:
            return Node(-1, token.start_pos, token.end_pos, "", constant_of(str(token)))
        return super().constant(children)

    def variable(self, children: list[Any]) -> Node:
        token = children[0]
        name = normalize(token)
        if name not in self.bound:
            if name not in self.shapes:
                self.missing.setdefault(name, (token.start_pos, token.end_pos))
            span = self.source.span(token.start_pos, token.end_pos)
            self.bound[name] = self.builder.add(INPUT, name=name, shape=self.shapes.get(name, ()), span=span)
        return Node(self.bound[name], token.start_pos, token.end_pos)

    # --- calls ----------------------------------------------------------------------------------------------------

    def keyword(self, children: list[Any]) -> _Keyword:
        token, _, value = children
        return _Keyword(str(token), value, (token.start_pos, token.end_pos))

    def string(self, children: list[Any]) -> _Literal:
        token = children[0]
        return _Literal(str(token)[1:-1], token.start_pos, token.end_pos)

    def word(self, children: list[Any]) -> _Literal:
        token = children[0]
        return _Literal({"None": None, "True": True, "False": False}[str(token)], token.start_pos, token.end_pos)

    def dots(self, children: list[Any]) -> _Literal:
        return _Literal(..., children[0].start_pos, children[0].end_pos)

    def sequence(self, children: list[Any]) -> _Literal:
        values = [v for c in children for v in (c if isinstance(c, list) else [c]) if isinstance(v, Node | _Literal)]
        kind = list if children[0].type == "LSQB" else tuple
        return _Literal(kind(values), children[0].start_pos, children[-1].end_pos)

    def bound_of(self, children: list[Any]) -> Any:
        return children[0] if children else None

    def slice(self, children: list[Any]) -> _Literal:
        bounds = [c for c in children if not hasattr(c, "type")]
        colon = next(c for c in children if hasattr(c, "type"))
        return _Literal(
            slice(*(None if b is None else self._integer(b) for b in bounds)), colon.start_pos, colon.end_pos
        )

    def _integer(self, node: Any) -> int:
        if (
            isinstance(node, Node)
            and isinstance(node.value, Fraction)
            and node.value.denominator == 1
            and node.index < 0
        ):
            return int(node.value)
        raise self.source.error(node.start, node.end, "a whole number belongs here")

    def item(self, children: list[Any]) -> Node:
        node, opening, places, closing = children
        self._caret = (opening.start_pos, closing.end_pos)
        index = tuple(self._place(p) for p in places)
        return self._library(lambda m, x: item(m, x, index), [node], {}, node.start, closing.end_pos)

    def _place(self, part: Any) -> Any:
        """One item between brackets."""
        if isinstance(part, Node):
            whole = self._data(part)
            return self._integer(part) if whole is None else whole
        if isinstance(part, _Keyword):
            raise self.source.error(*part.place, "'=' cannot stand inside brackets")
        return self._whole_list(part) if isinstance(part.value, list | tuple) else part.value

    def _whole_list(self, literal: _Literal) -> Whole:
        return Whole(
            self._whole_list(v) if isinstance(v, _Literal) and isinstance(v.value, list) else self._integer(v)
            for v in literal.value
        )

    def _data(self, node: Any) -> Any:
        """The whole numbers that a plain name was given as its values, if it was."""
        if not isinstance(node, Node) or node.index < 0:
            return None
        step = self.builder.steps[node.index]
        if not step.is_input or step.name not in self.whole:
            return None
        self.data[step.name] = node.index
        values = self.whole[step.name]
        return Whole(values) if isinstance(values, list) else values

    def method(self, children: list[Any]) -> Node:
        node, token = children[0], children[1]
        args = children[3] if len(children) == 5 else []
        self._caret = (token.start_pos, token.end_pos)
        word = str(token)[1:]
        function = method(word)
        if function is not None:
            positional = [a for a in args if not isinstance(a, _Keyword)]
            named = [a for a in args if isinstance(a, _Keyword)]
            return self._library(function, [node, *positional], self._named(named), node.start, children[-1].end_pos)
        if word in SPELLINGS and not args:
            return self._step(SPELLINGS[word], [node], node.start, children[-1].end_pos)
        known = [
            w for w in ("sum", "mean", "reshape", "transpose", "dot", "max", "min", "std", "var", "trace") if method(w)
        ]
        raise self._at_caret(f"there is no method '{word}'{did_you_mean(word, known)}")

    def call(self, children: list[Any]) -> Node:
        token, close = children[0], children[-1]
        args: list[Any] = children[2] if len(children) == 4 else []
        self._caret = (token.start_pos, token.end_pos)
        start, end = token.start_pos, close.end_pos
        name = normalize(token)
        positional = [a for a in args if not isinstance(a, _Keyword)]
        named = [a for a in args if isinstance(a, _Keyword)]
        simple = all(isinstance(a, Node) for a in positional) and not named
        if "." in name:
            function = dotted(name)
            if function is None:
                name = plain(name)
        else:
            function = bare(name)
            if name in REDUCE_ALONE and simple and len(positional) > 1:
                function = None
        if function is not None:
            word = name.rpartition(".")[2]
            labels = LABELS.get(word)
            if labels is not None and word in OR_PROBABILITIES and self._alike(positional, labels):
                labels = None
            return self._library(function, positional, self._named(named), start, end, labels)
        if not simple:
            odd = [k.place for k in named] + [(a.start, a.end) for a in positional if not isinstance(a, Node)]
            raise self.source.error(odd[0][0], odd[0][1], f"{name} takes values only, no keywords or lists")
        renamed = type(token).new_borrow_pos(token.type, name, token)
        return super().call([renamed, *children[1:]])

    def _alike(self, args: Sequence[Any], labels: int) -> bool:
        """Whether what stands in the place of labels has the shape of the first operand."""
        shapes = [self._shape(a) for a in args if isinstance(a, Node)]
        if len(args) > labels and isinstance(args[labels], _Literal) and isinstance(args[labels].value, list):
            if any(isinstance(v, _Literal) for v in args[labels].value):
                hint = "write a name, and give it values with --at"
                raise self.source.error(
                    args[labels].start, args[labels].end, "labels are a list of whole numbers", hint
                )
            return False
        return len(shapes) > labels and shapes[labels] == shapes[0]

    def _named(self, keywords: Sequence[_Keyword]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for k in keywords:
            if k.name in out:
                raise self.source.error(*k.place, f"'{k.name}' is given twice")
            out[k.name] = k.value
        return out

    def _argument(self, value: Any, *, labels: bool = False) -> Any:
        """An operand as the library takes it: numbers as numbers, values as references."""
        if isinstance(value, _Literal):
            if isinstance(value.value, list | tuple) and labels:
                return self._whole_list(value)
            if isinstance(value.value, list | tuple):
                return type(value.value)(self._argument(v) for v in value.value)
            return value.value
        if labels:
            whole = self._data(value)
            if whole is not None:
                return whole
        if isinstance(value.value, Fraction) and value.index < 0:
            return int(value.value) if value.value.denominator == 1 else float(value.value)
        return self.math.ref(self._use(value))

    def _library(
        self, function: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any], start: int, end: int,
        labels: int | None = None,
    ) -> Node:  # fmt: skip
        """A function of the library, on references."""
        caret = self._caret
        given = [self._argument(a, labels=n == labels) for n, a in enumerate(args)]
        words = {k: self._argument(v) for k, v in named.items()}
        self.math.span = self.source.span(start, end)
        first = len(self.builder.steps)
        if self.missing:
            raise unshaped(self.source, self.missing)
        try:
            found = function(self.math, *given, **words)
        except (Unsupported, ShapeError) as problem:
            self._caret = caret
            raise self._at_caret(problem.message) from None
        except (TypeError, ValueError, AttributeError, IndexError, KeyError) as problem:
            self._caret = caret
            raise self._at_caret(_worded(problem, self.source.quote(*caret))) from None
        finally:
            self.math.span = None
        if isinstance(found, tuple) and hasattr(found, "values"):
            found = found.values  # torch.max(x, dim) returns the places as well
        if isinstance(found, int | float):
            return Node(-1, start, end, "", Fraction(repr(found)))
        if not isinstance(found, Ref):
            raise self._at_caret("this returns several arrays, or none")
        for step in self.builder.steps[first:]:
            self._caret = caret
            self._bounded(step.shape)
        self.operands.setdefault((start, end), ())
        return Node(found.index, start, end)


def _worded(problem: Exception, quoted: str) -> str:
    """Python's complaint about arguments, without the names of our own functions."""
    text = re.sub(r"^[\w.<>]+\(\) ", "", str(problem)).replace("'m', ", "")
    return (
        f"{quoted.lstrip('.') or 'this function'} {text}" if text.startswith(("got", "missing", "takes")) else f"{text}"
    )
