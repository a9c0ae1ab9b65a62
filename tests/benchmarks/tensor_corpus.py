"""The corpus of correct tensor passes: reading a file, running it at other inputs, holding it to torch and differences.

A corpus file is an ordinary script that runs itself. Comments say what it claims:

* ``# loss: L``: the quantity that the gradients belong to;
* ``# inputs: X net``: the variables of the script whose numbers may be changed: arrays, numbers, lists, dictionaries of
  them, and objects that hold them;
* ``# gradients: dW=W net.db=net.b``: expressions of the finished script, each the derivative of the loss in a part of
  an input as it was before anything ran;
* ``# --- manual`` and ``# --- end`` (optional for the last): the hand-written parts, one or several.

To run a script elsewhere, a statement after the assignment of each input changes its numbers: in the syntax tree, never
in the text. Zeros get values, ones become others; signs stay. What "right" means is laid down twice, independently of
each other: by the forward passes in torch in ``tests/tensor_forwards.py``, and by central differences of the script.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from tests.benchmarks.corpus import CHANGED, EQUAL, Derivation, Unusable

HERE = Path(__file__).parent / "corpus_tensor"
#: The name that tracebacks and symgrad give to a script of the benchmark.
FILE = "derivation.py"
#: How many points: the inputs as written, and changed ones.
POINTS = 3
#: Step and tolerance of the directional differences.
STEP, TOLERANCE = 1e-6, 1e-6

#: The loss and the gradients at one point.
Values = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class TensorCase(Derivation):
    """One file of the corpus."""

    #: The variables that may be changed.
    variables: tuple[str, ...] = ()
    #: First and last line of each hand-written part.
    regions: tuple[tuple[int, int], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def manual(self, line: int) -> bool:
        """Whether a line is in a hand-written part."""
        return any(a < line < b for a, b in self.regions)


@dataclass(frozen=True)
class Raised(Exception):
    """A script raised: in which of its lines."""

    message: str
    line: int


def regions(source: str) -> tuple[tuple[int, int], ...]:
    """The hand-written parts of a text, by the lines of their marks."""
    out: list[tuple[int, int]] = []
    begin = 0
    lines = source.split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip() == "# --- manual":
            begin = number
        elif line.strip() == "# --- end" and begin:
            out.append((begin, number))
            begin = 0
    return tuple(out) + (((begin, len(lines) + 1),) if begin else ())


# --- running --------------------------------------------------------------------------------------------------------


def _moved(value: Any, rng: np.random.RandomState, seen: set[int]) -> Any:
    """The same with other numbers: arrays, lists and objects in place, numbers anew."""
    if type(value) is float or isinstance(value, np.floating):
        return type(value)(_other(np.asarray(value), rng).item())
    if id(value) in seen:
        return value
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            value[...] = _other(value, rng)
    elif type(value).__module__.startswith("torch"):
        if value.is_floating_point():
            value.data.copy_(value.data.new_tensor(_other(value.detach().numpy(), rng)))
    elif isinstance(value, list):
        value[:] = [_moved(v, rng, seen) for v in value]
    elif isinstance(value, dict):
        value.update({k: _moved(v, rng, seen) for k, v in value.items()})
    elif isinstance(value, tuple):
        return tuple(_moved(v, rng, seen) for v in value)
    elif hasattr(value, "__dict__"):
        for key, item in vars(value).items():
            if key not in ("lr", "eps"):
                setattr(value, key, _moved(item, rng, seen))
    return value


def _other(x: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    nudge = rng.choice((-1.0, 1.0), size=x.shape) * rng.uniform(0.04, 0.22, size=x.shape)
    return np.where(x == 0, nudge, x * (1 + nudge))


def program(case: TensorCase, source: str) -> CodeType:
    """The script with its inputs open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        tree = ast.parse(source)
        body: list[ast.stmt] = []
        waiting = set(case.variables)
        for stmt in tree.body:
            body.append(stmt)
            bound = _bound(stmt) & waiting
            waiting -= bound
            for name in sorted(bound):
                hook = ast.parse(f"{name} = __at({name!r}, {name})").body[0]
                body.append(ast.copy_location(hook, stmt))
        tree.body = body
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt | ast.expr) and not hasattr(node, "end_lineno"):
                node.end_lineno = node.lineno
        return compile(ast.fix_missing_locations(tree), FILE, "exec")


def _bound(stmt: ast.stmt) -> set[str]:
    if not isinstance(stmt, ast.Assign):
        return set()
    return {n.id for t in stmt.targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def run(case: TensorCase, code: CodeType, point: int, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The finished script's variables, and under ``__inputs`` its inputs as they were.

    Args:
        case: whose script it is.
        code: from `program`.
        point: 0 for the inputs as written.
        change: what is added to parts of the inputs, by their expressions.

    Raises:
        Raised: whatever goes wrong in it.
    """
    rng = np.random.RandomState(1000 + point)
    inputs: dict[str, Any] = {}

    def at(name: str, value: Any) -> Any:
        value = _moved(value, rng, set()) if point else value
        scope_now = {name: value}
        for path, delta in (change or {}).items():
            if re.match(rf"{name}\b", path):
                _add(scope_now, path, delta)
        value = scope_now[name]
        inputs[name] = _copied(value)
        return value

    scope: dict[str, Any] = {"__name__": "__main__", "__at": at}
    state = np.random.get_state()
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exec(code, scope)
    except Exception as e:
        raise Raised(f"{type(e).__name__}: {e}", _line(e)) from e
    finally:
        np.random.set_state(state)
    scope["__inputs"] = inputs
    return scope


def _copied(value: Any) -> Any:
    if type(value).__module__.startswith("torch"):
        return value.detach().clone()
    return copy.deepcopy(value)


def _add(scope: dict[str, Any], path: str, delta: Any) -> None:
    """``path += delta``, element by element in nested lists; tensors stay the leaves that they are."""
    old = eval(path, {}, scope)
    if type(old).__module__.startswith("torch"):
        old.data.add_(old.data.new_tensor(delta))
        return
    new = (np.asarray(old) + delta).tolist() if isinstance(old, list) else old + delta
    exec(f"{path} = __new", {"__new": new}, scope)


def _line(error: BaseException) -> int:
    """The line of the script in which it was raised: the innermost one that is the script's own."""
    line, where = 0, error.__traceback__
    while where is not None:
        if where.tb_frame.f_code.co_filename == FILE:
            line = where.tb_lineno
        where = where.tb_next
    return line


def array(value: Any) -> np.ndarray:
    """What a script calls a gradient, as numbers."""
    if type(value).__module__.startswith("torch"):
        value = value.detach().numpy()
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as e:
        raise Unusable(f"no array of numbers: {e}") from e


def values(case: TensorCase, code: CodeType, point: int, declared: Sequence[str] | None = None) -> Values:
    """The loss and the declared gradients at one point.

    Raises:
        Raised: the script raised. Unusable: a gradient is missing or not finite.
    """
    scope = run(case, code, point)
    try:
        found = tuple(array(eval(e, scope)) for e in (case.loss, *(declared or case.declared)))
    except Exception as e:
        raise Unusable(f"{type(e).__name__}: {e}") from e
    if not all(np.all(np.isfinite(v)) for v in found):
        raise Unusable("a derivative is not finite")
    return found


def near(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether two arrays have one shape, and differ by less than so much of the largest entry."""
    if a.shape != b.shape:
        return False
    scale = max(float(np.max(np.abs(a), initial=0)), float(np.max(np.abs(b), initial=0)))
    return bool(np.all(np.abs(a - b) <= tolerance * scale + 1e-13))


def same(a: Sequence[Values], b: Sequence[Values], tolerance: float = CHANGED) -> bool:
    """Whether two outcomes are the same at every point."""
    return all(near(x, y, tolerance) for u, v in zip(a, b, strict=True) for x, y in zip(u, v, strict=True))


@cache
def expected(case: TensorCase) -> tuple[Values, ...]:
    """The loss and the declared gradients of the correct script, at each of its points."""
    code = program(case, case.source)
    return tuple(values(case, code, k) for k in range(POINTS))


def outcome(case: TensorCase, source: str, declared: Sequence[str] | None = None) -> tuple[Values, ...] | Raised | None:
    """The same of another text; how it raised; or ``None`` where no derivation came out."""
    try:
        code = program(case, source)
        return tuple(values(case, code, k, declared) for k in range(POINTS))
    except Raised as e:
        return e
    except (Unusable, SyntaxError):
        return None


def is_right(case: TensorCase, source: str, declared: Sequence[str] | None = None, tolerance: float = CHANGED) -> bool:
    """Whether a text works out the same gradients of the same loss."""
    found = outcome(case, source, declared)
    return isinstance(found, tuple) and same(found, expected(case), tolerance)


# --- what is in reach of a line -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """What a line can use: all names, and the texts (``W``, ``self.W``, ``P["W"]``) of arrays and numbers."""

    scope: Mapping[str, Any]
    texts: Mapping[str, Any]

    def shape(self, text: str) -> tuple[int, ...] | None:
        """Of an array, or of an expression of arrays that changes nothing; ``None`` where there is none."""
        known = self.texts.get(text)
        if known is None:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    known = eval(text, dict(self.scope))
                except Exception:
                    return None
        return tuple(known.shape) if hasattr(known, "shape") else () if isinstance(known, float) else None


@cache
def reach(case: TensorCase) -> dict[int, Reach]:
    """For each line of the hand-written parts what is in reach when it is run for the first time."""
    found: dict[int, Reach] = {}

    def on(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != FILE:
            return None
        if event == "line" and (frame.f_code.co_name[0] != "<" or frame.f_code.co_name == "<module>"):
            line = frame.f_lineno
            if case.manual(line) and line not in found:
                scope = {**frame.f_globals, **frame.f_locals}
                found[line] = Reach(scope, _texts(scope))
        return on

    code = program(case, case.source)
    before = sys.gettrace()
    sys.settrace(on)
    try:
        run(case, code, 1)
    finally:
        sys.settrace(before)
    return found


def _texts(scope: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in scope.items():
        if name.startswith("__"):
            continue
        items: dict[str, Any] = {name: value}
        if isinstance(value, dict) and len(value) <= 16:
            items.update({f'{name}["{k}"]': v for k, v in value.items() if isinstance(k, str)})
        elif name == "self":
            items.update({f"self.{k}": v for k, v in vars(value).items()})
        for text, v in items.items():
            if isinstance(v, np.ndarray) or type(v).__name__ == "Tensor":
                out[text] = array(v)
            elif isinstance(v, int | float) and not isinstance(v, bool):
                out[text] = v
    return out


# --- validation -----------------------------------------------------------------------------------------------------


def differences(case: TensorCase, point: int) -> list[str]:
    """What is wrong with the declared gradients by central differences along a random direction: nothing, or which."""
    code, rng = program(case, case.source), np.random.RandomState(point)
    scope = run(case, code, point)
    wrong = []
    for expression, path in case.gradients:
        found = array(eval(expression, scope))
        shape = array(eval(path, {}, scope["__inputs"])).shape
        if found.shape != shape:
            wrong.append(f"{case.name}: {expression} has shape {found.shape} for {shape}")
            continue
        v = rng.standard_normal(shape)
        losses = [array(eval(case.loss, run(case, code, point, {path: s * STEP * v}))) for s in (1, -1)]
        true = float(losses[0] - losses[1]) / (2 * STEP)
        along = float(np.sum(found * v))
        if abs(along - true) > TOLERANCE * max(float(np.sum(np.abs(found * v))), 0.1):
            wrong.append(f"{case.name}: {expression} along a direction is {along}, by differences {true}")
    return wrong


# --- reading --------------------------------------------------------------------------------------------------------


def _header(source: str, key: str) -> str:
    found = re.search(rf"^# {key}: (.*)$", source, re.M)
    return found[1] if found else ""


def read(path: Path) -> TensorCase:
    """One file."""
    source = path.read_text(encoding="ascii")
    parts = regions(source)
    gradients = [g.rsplit("=", 1) for g in _header(source, "gradients").split()]
    return TensorCase(
        name=path.stem,
        source=source,
        loss=_header(source, "loss"),
        gradients=tuple((a, b) for a, b in gradients),
        tangents=(),
        first=parts[0][0],
        last=parts[-1][1],
        inputs={},
        variables=tuple(_header(source, "inputs").split()),
        regions=parts,
    )


@cache
def tensor_corpus() -> tuple[TensorCase, ...]:
    """Every file, by name."""
    return tuple(read(path) for path in sorted(HERE.glob("*.py")))


__all__ = [
    "CHANGED", "EQUAL", "Raised", "TensorCase", "differences", "expected", "is_right", "outcome", "reach", "same",
    "tensor_corpus",
]  # fmt: skip
