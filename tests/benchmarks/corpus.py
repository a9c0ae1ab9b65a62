"""The corpus of correct scalar derivations: reading a file, running it at other inputs, holding it to differences.

A corpus file is an ordinary script. Comments say what it claims:

* ``# loss: L``: the quantity that the gradients belong to;
* ``# gradients: dw=w grads["b"]=b``: expressions of the finished script, each the derivative of the loss in an input;
* ``# tangents: dy_dx=y/x``: expressions, each the derivative of ``y`` in the input ``x``;
* ``# --- manual``: from here on it is the hand-written part; ``# --- end`` (optional) ends it.

Inputs are the float literals assigned at the top level before the manual part (``x = 0.5``, ``a, b = 1.0, 2.0``,
``xs = [0.1, 0.2]``, ``p = {"w": 0.3}``, ``torch.tensor(2.0, ...)``). To run a script elsewhere they are replaced in
its syntax tree, never in its text. Torch scripts run with float64 as the default, so that differences are exact enough.
"""

from __future__ import annotations

import ast
import math
import random
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

HERE = Path(__file__).parent / "corpus_scalar"

#: Relative change of a declared derivative above which two scripts are different, and below which they are equal.
CHANGED, EQUAL = 1e-6, 1e-9
#: Random points near the written inputs at which scripts are compared.
POINTS = 3
#: Relative step and tolerance of the central differences.
STEP, TOLERANCE = 1e-5, 1e-6


class Unusable(Exception):
    """A script that raises, or whose derivatives are not finite."""


@dataclass(frozen=True)
class Derivation:
    """One file of the corpus."""

    name: str
    source: str
    loss: str
    gradients: tuple[tuple[str, str], ...]
    tangents: tuple[tuple[str, str, str], ...]
    #: First and last line of the hand-written part.
    first: int
    last: int
    #: The inputs by name (``x``, ``xs[0]``, ``p["w"]``), as written.
    inputs: Mapping[str, float] = field(hash=False, compare=False)

    @property
    def declared(self) -> tuple[str, ...]:
        """The expressions that hold derivatives."""
        return tuple(e for e, _ in self.gradients) + tuple(e for e, *_ in self.tangents)

    def points(self) -> list[list[float]]:
        """The inputs as written, then near ones: generic, of the same sign, where no zero or tie hides anything."""
        rng = random.Random(f"points of {self.name}")
        here = list(self.inputs.values())
        near = [[v * (1 + _nudge(rng)) if v else _nudge(rng) for v in here] for _ in range(POINTS)]
        return [here, *near]


def _nudge(rng: random.Random) -> float:
    return rng.choice((-1, 1)) * rng.uniform(0.04, 0.22)


class _Slots(ast.NodeTransformer):
    """Replaces float literals by ``__v[k]`` and remembers their values."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def _slot(self, value: float) -> ast.expr:
        self.values.append(value)
        at = ast.Constant(len(self.values) - 1)
        return ast.Subscript(ast.Name("__v", ast.Load()), at, ast.Load())

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant) and _is_float(node.operand):
            return self._slot(-node.operand.value)  # type: ignore[operator, arg-type]
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return self._slot(node.value) if _is_float(node) else node  # type: ignore[arg-type]


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is float


def _is_literal(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub()):
            return _is_literal(node.operand)
        case ast.List() | ast.Tuple():
            return all(map(_is_literal, node.elts))
        case ast.Dict():
            return all(map(_is_literal, node.values))
        case ast.Call(func=ast.Attribute(attr="tensor" | "float64")):
            return all(map(_is_literal, node.args))
    return False


def _names(target: ast.expr, value: ast.expr) -> list[str]:
    """The names of the float literals of ``target = value``, in the order of the text."""
    name = ast.unparse(target)
    match value:
        case ast.List() | ast.Tuple() if isinstance(target, ast.Tuple):
            return [n for t, v in zip(target.elts, value.elts, strict=True) for n in _names(t, v)]
        case ast.List() | ast.Tuple():
            items = [(f"{name}[{i}]", v) for i, v in enumerate(value.elts)]
        case ast.Dict():
            items = [(f"{name}[{ast.unparse(k)}]", v) for k, v in zip(value.keys, value.values, strict=True) if k]
        case ast.Call():
            items = [(name, v) for v in value.args]
        case ast.UnaryOp():
            items = [(name, value.operand)]
        case _:
            return [name] if _is_float(value) else []
    return [n for t, v in items for n in _names(ast.parse(t, mode="eval").body, v)]


def _opened(source: str, first: int) -> tuple[ast.Module, dict[str, float]]:
    """The syntax tree with its inputs replaced by slots, and the inputs by name."""
    tree = ast.parse(source)
    slots, names = _Slots(), []
    for stmt in tree.body:
        if isinstance(stmt, ast.Assign) and stmt.lineno < first and _is_literal(stmt.value):
            names += _names(stmt.targets[0], stmt.value)
            stmt.value = slots.visit(stmt.value)
    assert len(names) == len(slots.values), names
    return ast.fix_missing_locations(tree), {n.replace("'", '"'): v for n, v in zip(names, slots.values, strict=True)}


def program(source: str, first: int) -> CodeType:
    """The script, its inputs open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return compile(_opened(source, first)[0], "derivation.py", "exec")


def run(code: CodeType, at: Sequence[float]) -> dict[str, Any]:
    """The finished script's variables; raises `Unusable` for whatever goes wrong in it."""
    scope: dict[str, Any] = {"__name__": "derivation", "__v": list(at), "print": lambda *a, **k: None}
    torch = sys.modules.get("torch") if "torch" not in code.co_names else __import__("torch")
    before = torch.get_default_dtype() if torch else None
    try:
        if torch:
            torch.set_default_dtype(torch.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(code, scope)
    except Exception as e:
        raise Unusable(f"{type(e).__name__}: {e}") from e
    finally:
        if torch:
            torch.set_default_dtype(before)
    return scope


def values(code: CodeType, at: Sequence[float], expressions: Sequence[str]) -> tuple[float, ...]:
    """The values of expressions of the finished script."""
    scope = run(code, at)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = tuple(float(eval(_compiled(e), scope)) for e in expressions)
    except Exception as e:
        raise Unusable(f"{type(e).__name__}: {e}") from e
    if not all(map(math.isfinite, found)):
        raise Unusable("a derivative is not finite")
    return found


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<declared>", "eval")


def close(a: Sequence[float], b: Sequence[float], tolerance: float) -> bool:
    """Whether the numbers agree, each to a relative tolerance."""
    return all(abs(x - y) <= tolerance * max(abs(x), abs(y)) + 1e-12 for x, y in zip(a, b, strict=True))


@cache
def expected(case: Derivation) -> tuple[tuple[float, ...], ...]:
    """The declared derivatives of the correct script, at each of its points."""
    code = program(case.source, case.first)
    return tuple(values(code, at, case.declared) for at in case.points())


def differences(case: Derivation, at: Sequence[float]) -> list[float]:
    """The declared derivatives by central differences of the script itself."""
    code, names = program(case.source, case.first), list(case.inputs)
    asked = [(case.loss, x) for _, x in case.gradients] + [(y, x) for _, y, x in case.tangents]
    out = []
    for y, x in asked:
        k, h = names.index(x), STEP * max(1.0, abs(at[names.index(x)]))
        up, down = (values(code, [*at[:k], at[k] + s * h, *at[k + 1 :]], [y])[0] for s in (1, -1))
        out.append((up - down) / (2 * h))
    return out


def validate(case: Derivation) -> list[str]:
    """What is wrong with a file of the corpus: nothing, or which derivative at which point."""
    wrong = []
    for at, found in zip(case.points(), expected(case), strict=True):
        for name, f, true in zip(case.declared, found, differences(case, at), strict=True):
            if abs(f - true) > TOLERANCE * max(abs(f), abs(true), 0.01):
                wrong.append(
                    f"{case.name}: {name} is {f}, by differences {true}, at {dict(zip(case.inputs, at, strict=True))}"
                )
    return wrong


def _header(source: str, key: str) -> str:
    found = re.search(rf"^# {key}: (.*)$", source, re.M)
    return found[1] if found else ""


def manual_lines(source: str) -> frozenset[int]:
    """The lines of the hand-written parts, by their marks."""
    found, inside = set(), False
    for number, line in enumerate(source.split("\n"), 1):
        inside = line.strip() == "# --- manual" or (inside and line.strip() != "# --- end")
        if inside:
            found.add(number)
    return frozenset(found)


def read(path: Path) -> Derivation:
    """One file."""
    source = path.read_text(encoding="ascii")
    lines = source.split("\n")
    first = next(i for i, line in enumerate(lines, 1) if line.strip() == "# --- manual")
    last = max((i for i, line in enumerate(lines, 1) if line.strip() == "# --- end"), default=len(lines))
    gradients = [g.rsplit("=", 1) for g in _header(source, "gradients").split()]
    tangents = [re.split("[=/]", t) for t in _header(source, "tangents").split()]
    return Derivation(
        name=path.stem,
        source=source,
        loss=_header(source, "loss"),
        gradients=tuple((a, b) for a, b in gradients),
        tangents=tuple((a, b, c) for a, b, c in tangents),
        first=first,
        last=last,
        inputs=_opened(source, first)[1],
    )


@cache
def corpus() -> tuple[Derivation, ...]:
    """Every file, by name."""
    return tuple(read(path) for path in sorted(HERE.glob("*.py")))
