"""Graph -> text, in the language that ``frontends/expression.py`` reads.

How an op is written is in the table of ops: between its inputs, with the precedences that decide about parentheses,
or as a call. A graph is printed as statements; a step that has no name and is used once is written where it is used.
Nothing here recurses on depth, and nothing expands a shared step, so the text is linear in the graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from decimal import Decimal
from fractions import Fraction

from symgrad.graph import Graph, Step
from symgrad.names import printable
from symgrad.ops import OPS, Infix, TensorOp

#: Precedence of what needs no parentheses anywhere, and of a sum, from which on operators are set off by spaces.
_ATOM = 100
_SUM = OPS["add"].infix.precedence if OPS["add"].infix else 0
_PRODUCT = OPS["mul"].infix.precedence if OPS["mul"].infix else 0
_UNARY = OPS["neg"].infix.precedence if OPS["neg"].infix else 0

#: A statement of :func:`to_text` that would be longer gets names for its parts.
MAX_STATEMENT = 1_000
#: Numbers with more digits than this after or before the point are written with an exponent.
PLAIN_DIGITS = 16
#: Python converts no longer integer to decimal digits by itself.
_SAFE_BITS = 12_000


def number_text(value: Fraction) -> str:
    """The exact value in decimal, or as a quotient where no decimal is exact."""
    bottom, twos, fives = value.denominator, 0, 0
    while bottom % 2 == 0:
        bottom, twos = bottom // 2, twos + 1
    while bottom % 5 == 0:
        bottom, fives = bottom // 5, fives + 1
    if bottom != 1:
        return f"{_digits(value.numerator)}/{_digits(value.denominator)}"
    places = max(twos, fives)
    text = _digits(abs(value.numerator) * 10**places // value.denominator)
    stripped = text.rstrip("0") or "0"
    exponent = len(text) - len(stripped) - places if stripped != "0" else 0
    sign = "-" if value < 0 else ""
    if exponent >= 0 and len(stripped) + exponent <= PLAIN_DIGITS + 5:
        return sign + stripped + "0" * exponent
    point = len(stripped) + exponent
    if exponent < 0 and point > -PLAIN_DIGITS // 4:
        return sign + (f"{stripped[:point]}.{stripped[point:]}" if point > 0 else f"0.{'0' * -point}{stripped}")
    tail = f".{stripped[1:]}" if len(stripped) > 1 else ""
    return f"{sign}{stripped[0]}{tail}e{point - 1}"


def _digits(n: int) -> str:
    return str(n) if n.bit_length() < _SAFE_BITS else f"{Decimal(n):f}"


def _constant(step: Step) -> tuple[str, int]:
    """The text of a constant and its precedence."""
    value = step.value
    if isinstance(value, str):
        return value, _ATOM
    text = number_text(value)
    return text, _PRODUCT if "/" in text else _UNARY if value < 0 else _ATOM


def text_names(graph: Graph) -> dict[int, str]:
    """A name for every step but hidden constants: the user's where there is one, else ``u1``, ``u2``, ...

    The names are unique and can be read back; the second value of ``x`` is ``x_2``.
    """
    # A name that is fine as it stands keeps it; no other step may take it away.
    used = {s.name for s in graph if not s.is_hidden and printable(s.name) == s.name}
    names: dict[int, str] = {}
    for i, step in enumerate(graph):
        if not step.is_hidden:
            names[i] = step.name if step.name in used else printable(step.name, used)
            used.add(names[i])
    count = 0
    for i, step in enumerate(graph):
        if step.is_hidden and not step.is_const:
            count += 1
            while f"u{count}" in used:
                count += 1
            names[i] = f"u{count}"
    return names


def _arguments(graph: Graph, step: Step) -> tuple[int, ...]:
    """The inputs of a call, without trailing ones that only repeat the op's defaults."""
    inputs = step.inputs
    op = OPS.get(step.op)
    for default in reversed(op.defaults if op else ()):
        last = graph[inputs[-1]]
        if not (last.is_const and last.is_hidden and last.value == default):
            break
        inputs = inputs[:-1]
    return inputs


def value_text(value: object) -> str:
    """A rational as a person writes it, and anything else as it is."""
    return number_text(value) if isinstance(value, Fraction) else str(value)


#: Something still to be written: text as it is, or a step and the precedence that its place asks for.
_Piece = str | tuple[int, int]


def _pieces(graph: Graph, index: int) -> tuple[list[_Piece], int]:
    """One step in terms of its inputs, and the precedence of the whole."""
    step = graph[index]
    op = OPS.get(step.op)
    infix = op.infix if op else None
    if isinstance(op, TensorOp) and op.uniform and step.shape and not graph[step.inputs[0]].shape:
        return _everywhere(graph, step), _ATOM
    if isinstance(op, TensorOp) and infix is None:
        return _templated(graph, step, op), _ATOM
    if infix is None:
        out: list[_Piece] = [f"{step.op}("]
        for n, j in enumerate(_arguments(graph, step)):
            out += [", ", (j, 0)] if n else [(j, 0)]
        out += [f", {key}={value_text(value)}" for key, value in step.params]
        return [*out, ")"], _ATOM
    if infix.prefix:
        inner = graph[step.inputs[0]]
        # "-2" is the number; the negation of a number is "-(2)".
        bare = inner.is_const and inner.is_hidden and isinstance(inner.value, Fraction)
        operand: list[_Piece] = ["(", (step.inputs[0], 0), ")"] if bare else [(step.inputs[0], infix.right)]
        return [infix.symbol, *operand], infix.precedence
    left, right = step.inputs
    symbol = f" {infix.symbol} " if infix.precedence <= _SUM else infix.symbol
    return [(left, infix.left), symbol, (right, _right(infix))], infix.precedence


def _everywhere(graph: Graph, step: Step) -> list[_Piece]:
    """One number over and over, as NumPy writes it."""
    inner = graph[step.inputs[0]]
    shape = str(step.shape[0]) if len(step.shape) == 1 else str(step.shape)
    if inner.is_const and inner.value in (0, 1):
        return [f"{'ones' if inner.value else 'zeros'}({shape})"]
    return [f"full({shape}, ", (step.inputs[0], 0), ")"]


def _templated(graph: Graph, step: Step, op: TensorOp) -> list[_Piece]:
    """A call, a method or an index, as the op's template says."""
    template = op.template(dict(step.params), [graph[j].shape for j in step.inputs])
    out: list[_Piece] = []
    for part in re.split(r"(\{\d+\}[.\[]?)", template):
        if part.startswith("{"):
            number, _, after = part[1:].partition("}")
            out += [(step.inputs[int(number)], _ATOM if after else 0), after]
        elif part:
            out.append(part)
    return out


def _is_bare(step: Step) -> bool:
    """Whether the step is written as its input alone."""
    op = OPS.get(step.op)
    return op is not None and op.infix is not None and not op.infix.symbol


def _right(infix: Infix) -> int:
    """What the right operand needs: ``a + (b + c)`` is another graph than ``a + b + c``."""
    return max(infix.right, infix.precedence + 1) if infix.left <= infix.precedence else infix.right


def _write(graph: Graph, root: int, name: Callable[[int], str], limit: int = 0) -> str | None:
    """``root`` in terms of the steps to which ``name`` gives one; ``None`` where that is longer than ``limit``."""
    out: list[str] = []
    length = 0
    stack: list[_Piece] = [(root, 0)]
    while stack:
        piece = stack.pop()
        if not isinstance(piece, str):
            index, need = piece
            step = graph[index]
            label = name(index) if index != root else step.name if step.is_input else ""
            if label:
                piece = label
            else:
                if step.is_const:
                    text, precedence = _constant(step)
                    parts: list[_Piece] = [text]
                elif step.is_leaf:
                    parts, precedence = [step.name], _ATOM
                elif _is_bare(step):
                    stack.append((step.inputs[0], need))
                    continue
                else:
                    parts, precedence = _pieces(graph, index)
                if precedence < need:
                    parts = ["(", *parts, ")"]
                stack.extend(reversed(parts))
                continue
        out.append(piece)
        length += len(piece)
        if limit and length > limit:
            return None
    return "".join(out)


def step_text(graph: Graph, index: int, names: Mapping[int, str] | None = None) -> str:
    """The formula of one step in terms of its inputs' names: ``w*u2``. Numbers are written out.

    ``names`` is :func:`text_names` of the graph; pass it where many steps are printed.
    """
    known = text_names(graph) if names is None else names
    if graph[index].is_input:
        return known.get(index, graph[index].name)
    return _write(graph, index, lambda j: known.get(j, "")) or ""


def expression_text(
    graph: Graph, index: int, stop: Container[int] = (), *, names: Mapping[int, str] | None = None, limit: int = 200
) -> str:
    """The formula of a step, written out down to named steps, leaves and the steps in ``stop``.

    An empty string where that is longer than ``limit`` characters; it is found out without writing it all. A step in
    ``stop`` that ``names`` has no name for is written out as well.
    """
    known = text_names(graph) if names is None else names
    if graph[index].is_input:
        return known.get(index, graph[index].name)

    def name(j: int) -> str:
        step = graph[j]
        return known.get(j, "") if j in stop or step.is_input or not step.is_hidden else ""

    return _write(graph, index, name, limit) or ""


def to_text(graph: Graph, output: int | None = None, *, separator: str = "; ") -> str:
    """The graph as statements that read back as an equal graph.

    Named steps are statements; hidden steps are written where they are used, or get a name where they are used more
    than once or the statement would be too long. With ``output``, only what that step depends on is printed.

    A rational without a finite decimal form is written as a quotient, and reads back as a division. Comparisons outside
    ``where(...)``, which only derivatives contain, cannot be read back.
    """
    result = graph.output if output is None else output
    named = () if output is not None else tuple(i for i, s in enumerate(graph) if not s.is_hidden)
    live = graph.ancestors(result, *named)
    statements = _statements(graph, result, live)
    names = _statement_names(graph, result, statements, live)
    lines = []
    for index in statements:
        text = names[index] if graph[index].is_input else _write(graph, index, lambda j: names.get(j, "")) or ""
        lines.append(f"{names[index]} = {text}" if index in names else text)
    if not statements or statements[-1] != result:
        lines.append(names[result] if result in names else _constant(graph[result])[0])
    return separator.join(lines)


def _statements(graph: Graph, result: int, live: list[bool]) -> list[int]:
    """The steps that are statements of their own, in order."""
    uses = [0] * len(graph)
    for i, step in enumerate(graph):
        if live[i]:
            for j in step.inputs:
                uses[j] += 1
    last = max(i for i, needed in enumerate(live) if needed)
    length = [0] * len(graph)
    out: list[int] = []
    for i, step in enumerate(graph):
        if not live[i]:
            continue
        if step.is_input:
            length[i] = len(step.name)
            # An input that nothing uses would be lost if no statement mentioned it; "x = x" is harmless.
            statement = uses[i] == 0 and not i == result == last
        elif step.is_leaf:
            length[i] = len(step.name) if not step.is_hidden else len(_constant(step)[0])
            statement = not step.is_hidden
        else:
            length[i] = len(step.op) + 4 + sum(length[j] + 2 for j in step.inputs)
            infix = OPS[step.op].infix if step.op in OPS else None
            long = length[i] > MAX_STATEMENT and (infix is None or infix.precedence > 0)
            statement = not step.is_hidden or i == result or uses[i] > 1 or long
        if statement:
            out.append(i)
            length[i] = len(step.name)
    return out


def _statement_names(graph: Graph, result: int, statements: list[int], live: list[bool]) -> dict[int, str]:
    """The names under which inputs and statements are printed; a last expression has none.

    The n-th value of ``x`` is printed as ``x`` again where no later statement uses an earlier value.
    """
    position = {index: n for n, index in enumerate(statements)}
    place = [position.get(i, len(statements)) for i in range(len(graph))]
    last_use = list(place)
    for i in range(len(graph) - 1, -1, -1):
        for j in graph[i].inputs if live[i] else ():
            # A step without a statement is written in the statement of its only user.
            place[j] = position.get(j, place[i])
            last_use[j] = place[i] if last_use[j] == len(statements) else max(last_use[j], place[i])
    if not statements or statements[-1] != result:
        last_use[result] = len(statements)
    display = text_names(graph)
    names = {i: display[i] for i, s in enumerate(graph) if s.is_input}
    holder = {name: i for i, name in names.items()}
    for n, index in enumerate(statements):
        step = graph[index]
        if step.is_input or (step.is_hidden and index == result and n == len(statements) - 1):
            continue
        base, again, _ = step.name.partition("#")
        name = base if again and base in holder and last_use[holder[base]] <= n else display[index]
        names[index] = name
        holder[name] = index
    return names
