"""``torch.autograd.Function``s and layers that exist to give another gradient than the derivative of what they compute:
gradient reversal, scaled and clipped gradients, straight-through estimators, surrogates of a step.

Who hands a value on unchanged and writes a backward pass for it wants another gradient; so does who writes one for a
step, which has no slope. What such a backward pass gives is no derivative and cannot be held against one: it is said.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.syntax import nodes
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.passes import is_function, method_pair
from symgrad.manual.roundings import RIGHT_AS_THAT
from symgrad.manual.work import Account

#: Methods and functions that give what they are given.
_SAME = frozenset({"clone", "view_as", "contiguous", "copy", "alias", "expand_as", "identity", "asarray", "array"})
#: Words by which a Function says that its gradient is no derivative.
_SAID = re.compile(
    r"straight[\s_-]*through|(?<![A-Za-z])STE(?![a-z])|STE$|surrogate|guided|revers|pseudo[\s_-]*grad|"
    r"(?:with|scale|clip|replace|stop|flip|fake)_?grad|grad(?:ient)?_?(?:scal|clip|flip|revers)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A class with both passes.

    Attributes:
        forward, backward: its methods.
        torch: it is a Function of torch's.
        said: its name or its docstring says that it is such a one.
    """

    forward: ast.FunctionDef
    backward: ast.FunctionDef
    torch: bool
    said: bool

    def gives(self, line: int) -> bool:
        return self.forward.lineno <= line <= (self.forward.end_lineno or 0)

    def holds(self, line: int) -> bool:
        return self.backward.lineno <= line <= (self.backward.end_lineno or 0)


def of_gradients_changed_on_purpose(taken: Account) -> Account:
    """The account in which nothing in such a backward pass is blamed."""
    found = taken.diagnosis
    left = {b.span.line for b in found.blames} | {u.line for u in found.unchecked}
    for layer in _layers(taken.work.source) if left else ():
        if not any(map(layer.holds, left)) or not (why := _why(layer, taken)):
            continue
        said = f"line {layer.backward.lineno}: {why}: a deliberate difference, which is not judged"
        found = replace(
            found,
            blames=tuple(b for b in found.blames if not layer.holds(b.span.line)),
            left=tuple(b for b in found.left if not layer.holds(b.span.line)),
            unchecked=tuple(u for u in found.unchecked if not layer.holds(u.line)),
            right=tuple(u for u in found.right if not layer.holds(u.line)),
            conventions=(*found.conventions, said),
            notes=tuple(n for n in found.notes if not n.endswith(RIGHT_AS_THAT)),
        )
    return replace(taken, diagnosis=found)


def _layers(source: str) -> Iterator[_Layer]:
    for node in nodes(source):
        if isinstance(node, ast.ClassDef) and (pair := method_pair(node)) is not None:
            own = f"{node.name} {ast.get_docstring(node) or ''}"
            yield _Layer(*pair, is_function(node), _SAID.search(own) is not None)


def _why(layer: _Layer, taken: Account) -> str:
    """Why the gradient is another one on purpose, in words; empty where nothing says so."""
    name = layer.forward.name
    if _hands_on(layer.forward) and (layer.torch or layer.said):
        return f"{name} hands on what it is given, and backward gives another gradient than it gets"
    if not layer.torch and not layer.said:
        return ""
    if _is_flat(layer, taken.work.subject(taken.trace), taken.trace):
        return f"{name} has no slope, and backward gives a gradient in its place"
    return "backward is said to give another gradient than the derivative" if layer.said else ""


def _hands_on(forward: ast.FunctionDef) -> bool:
    """What is returned is a parameter, or a copy of it."""
    parameters = {a.arg for a in forward.args.args}
    made = {
        s.targets[0].id: s.value
        for s in forward.body
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name)
    }
    returned = [s.value for s in ast.walk(forward) if isinstance(s, ast.Return)]

    def same(value: ast.expr | None, depth: int = 0) -> bool:
        match value:
            case ast.Name(id=name) if name in made and depth < 4:
                return same(made[name], depth + 1)
            case ast.Name(id=name):
                return name in parameters
            case ast.Call(func=ast.Attribute(value=inner, attr=called)) if called in _SAME or called == "view":
                library = isinstance(inner, ast.Name) and inner.id not in parameters and inner.id not in made
                return same(value.args[0] if library and value.args else inner, depth)
            case ast.BinOp(left=inner, op=ast.Mult(), right=ast.Constant(value=1)):
                return same(inner, depth)
        return False

    return bool(returned) and all(map(same, returned))


def _is_flat(layer: _Layer, subject: Subject, trace: Trace) -> bool:
    """No change of an input of forward changes what it gives: of one that a gradient is returned for, where the two
    were called; of any, where a script applies them."""
    prepared = prepare(subject)
    if prepared is None:
        return False
    truth, steps = prepared.truth, subject.graph.steps
    if trace.call is not None:
        flows = [truth.cotangents.get(bottom) for _, bottom in subject.mapped.values()]
        return any(flow is None or not any(flow.floats) for flow in flows)
    inside = [s.span is not None and layer.gives(s.span.line) and not s.is_leaf for s in steps]
    below = subject.graph.ancestors(subject.loss)
    if not any(is_in and feeds for is_in, feeds in zip(inside, below, strict=True)):
        return False  # something else is differentiated, and that says nothing
    # Edges, and not the paths between what has a name: what is returned need have none.
    edges = (link for top, links in truth.elementary.items() if inside[top] for link in links)
    return not any(any(link.flow.floats) for link in edges if not inside[link.bottom])


__all__ = ["of_gradients_changed_on_purpose"]
