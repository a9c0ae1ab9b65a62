"""What backward returned: which value is the gradient of which input."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.sites import Site
from symgrad.frontends.trace.values import Value

if TYPE_CHECKING:
    from symgrad.frontends.calling import Called, Caller


#: What is given and compared with, and has no gradient though it is a number.
LABELS = re.compile(
    r"(?:y|t|ts|y_?true|labels?|targets?|ground_?truth|Y|mask|lengths?|actual|expected|desired|gold|truth|onehot|"
    r"one_hot|target_?\w*|true_?\w*)$"
)


class Returned:
    """The binding of returned gradients to the inputs.

    Args:
        caller: what ran the functions.
        leaves: the steps of the inputs, by name.
        called: is extended.
        first: in one function that returns its value and then the gradients, how many are no gradients.
    """

    def __init__(self, caller: Caller, leaves: Mapping[str, int], called: Called, first: int = 0) -> None:
        self.caller, self.leaves, self.called, self.first = caller, leaves, called, first
        self.tr = caller.run_.tracer
        loss = next(b.step for b in reversed(self.tr.bindings) if b.name == called.loss)
        needed = self.tr.builder.build(loss).ancestors(loss)
        self.names = [n for n, i in leaves.items() if needed[i] or n.partition("[")[0] in caller.given]
        #: The inputs that the loss depends on: a data set to draw from is none.
        self.needed = {n for n, i in leaves.items() if needed[i]}
        which = "forward" if first else "backward"
        node = caller.run_.returned_at.get(which)
        whole: ast.AST = node.value if node is not None and node.value is not None else caller.place(which)
        if first and isinstance(whole, ast.Tuple) and len(whole.elts) > first:
            rest = whole.elts[first:]
            whole = rest[0] if len(rest) == 1 else ast.copy_location(ast.Tuple(rest, ast.Load()), rest[0])
        self.whole: ast.AST = whole

    def bind(self, answer: Any) -> None:
        """Bind each returned gradient.

        Raises:
            SymgradError: there are too few or too many, or one is no number.
        """
        if answer is None:
            # A layer may keep its gradients, and return none.
            start = next(b.order for b in reversed(self.tr.bindings) if b.name == self.called.loss)
            if not any(b.name.startswith("self.") or b.name.endswith("]") for b in self.tr.bindings[start + 1 :]):
                hint = "return the gradients of the inputs"
                raise self.caller.error("backward", "backward returns nothing", hint=hint)
            return
        for label, owner, value, at in self.assigned(answer):
            self.bind_one(label, owner, value, at)

    def bind_one(self, label: str, owner: str, value: Any, at: ast.AST) -> None:
        tr, run = self.tr, self.caller.run_
        span = run.span(at)
        if value is None:
            loss = next(b.step for b in reversed(tr.bindings) if b.name == self.called.loss)
            if not tr.builder.build(loss).ancestors(loss)[self.leaves[owner]]:
                return
            if owner.partition("[")[0] in self.caller.defaults:
                return  # eps=1e-5, which nobody gave
            if self.caller.pair.is_torch and not tr.builder.steps[self.leaves[owner]].shape:
                self.called.notes.append((f"no gradient is returned for the number {owner}", span))
            elif self._is_unwanted(owner):
                said = f"no gradient is returned for '{owner}', and the file asks for none"
                self.called.notes.append((said, span))
            else:
                self.called.missing.append((owner, span))
            return
        if isinstance(value, np.ndarray):
            value = Array(tr, value)
        if isinstance(value, Value) and value.step is not None and tr.varies[value.step]:
            # A step of its own: a right value that is returned in the wrong place is wrong here, not where it is made.
            raw = value.raw if np.ndim(value.raw) else float(value.raw)
            step = tr.emit("alias", (value.step,), raw, span=span)
            tr.bind(label, step, span, span.line, "", "")
        elif isinstance(value, int | float | Value):
            raw = value.raw if isinstance(value, Value) else value
            plain = Array(tr, np.array(raw, dtype=np.float64)) if np.ndim(raw) else float(raw)
            run.bound(Site(label, at, span.line, literal=True), label, plain, "")
        else:
            kind = type(value).__name__
            raise self.caller.error("backward", f"the gradient of '{owner}' is a {kind} and no number")
        self.called.gradients[label] = self.leaves[owner]

    def _is_unwanted(self, owner: str) -> bool:
        """The script applies the Function of torch's, and never to a tensor in this place that wants a gradient."""
        forward = self.caller.pair.forward
        wants = self.tr.wants_gradients.get(forward.function.__qualname__.rpartition(".")[0])
        if not self.caller.pair.is_torch or wants is None:
            return False
        names = [p.name for p in forward.parameters]
        place = names.index(owner) if owner in names else len(wants)
        return place < len(wants) and not wants[place]

    def assigned(self, answer: Any) -> Iterator[tuple[str, str, Any, ast.AST]]:
        """(label, input, gradient, place) of everything that was returned and belongs to an input."""
        whole = self.whole
        if isinstance(answer, Mapping):
            written = zip(whole.keys, whole.values, strict=True) if isinstance(whole, ast.Dict) else ()
            at = {k.value: v for k, v in written if isinstance(k, ast.Constant)}
            owners = {key: meant(str(key), self.names) for key in answer}
            if not any(owners.values()):
                known, keys = ", ".join(self.names), ", ".join(f'"{key}"' for key in list(answer)[:4])
                message = f"backward returns {keys}, which are gradients of none of the inputs {known}"
                raise self.caller.error("backward", message, hint="name them dx, grad_x or x")
            for key, owner in owners.items():
                if owner is not None:  # the others are gradients of what lies between
                    yield f'return["{key}"]', owner, answer[key], at.get(key, whole)
            return
        answer = self.by_entries(answer)
        if type(answer) in (tuple, list):
            labels = [f"return[{i}]" for i in range(len(answer))]
            shown = whole.elts if isinstance(whole, ast.Tuple | ast.List) else []
            elements: Sequence[ast.AST] = shown if len(shown) == len(answer) else [whole] * len(answer)
        else:
            answer, labels, elements = (answer,), ["return"], [whole]
        for label, owner, value, element in zip(labels, self.owners(answer, elements), answer, elements, strict=True):
            if owner:
                yield label, owner, value, element

    def by_entries(self, answer: Any) -> Any:
        """``np.array([df_dx, df_dy])``, the derivative of a function of single numbers, as the list of its entries."""
        count = np.shape(answer.raw)[0] if isinstance(answer, Array) and np.ndim(answer.raw) == 1 else 0
        inputs = [n for n in self.names if n.partition("[")[0] in self.caller.given]
        numbers = [n for n in inputs if not self.tr.builder.steps[self.leaves[n]].shape]
        if not self.caller.derivative or not 0 < count <= len(numbers) or numbers != inputs:
            return answer
        return [answer[i] for i in range(count)]

    def owners(self, answer: Sequence[Any], elements: Sequence[ast.AST]) -> Sequence[str | None]:
        """The input of each returned value: as the caller says, else as they are called, else in order."""
        names, caller = self.names, self.caller
        if caller.returns is not None:
            return self.told(caller.returns, len(answer))
        written = map(_in_another_form, elements)
        called = [meant(e.id, names, exact=False) if isinstance(e, ast.Name) else None for e in written]
        if not caller.pair.is_torch and all(called) and len(set(called)) == len(called):
            order = [n for n in names if n in called]
            if called != order:
                span = caller.run_.span(caller.place("backward"))
                words = ", ".join(str(n) for n in called)
                message = f"the gradients are returned in the order {words}, which is not that of the inputs"
                self.called.notes.append((message, span))
            return called
        inputs = [n for n in names if n.partition("[")[0] in caller.given]
        whole_numbers = {leaf.name for leaf in self.tr.leaves if leaf.dtype.startswith(("int", "bool"))}
        told = [n for n in inputs if n.partition("[")[0] not in caller.defaults]
        parameters = [p.name for p in caller.pair.forward.parameters]
        if len(answer) == len(parameters) and (caller.pair.is_torch or len(answer) != len(told)):
            # One for each parameter, whether it was given or not.
            return [n if n in names else None for n in parameters]
        real = [n for n in told if n not in whole_numbers]
        for wanted in (
            told, inputs, real, [n for n in real if "[" not in n],
            [n for n in inputs if n not in whole_numbers], [n for n in real if not LABELS.match(n)],
            [n for n in told if not LABELS.match(n)],
            [n for n in inputs if n in self.needed and n not in whole_numbers],
            [n for n in names if n not in whole_numbers],
            [n for n in inputs if self.tr.builder.steps[self.leaves[n]].shape],
        ):  # fmt: skip
            if len(answer) == len(wanted):
                return self.fitting(wanted, answer)
        if caller.derivative and len(answer) < len(inputs):
            # The derivative by what comes first: what follows are settings, as in f(x, a, b).
            return inputs[: len(answer)]
        names = inputs or names
        if (only := self.by_shapes(names, answer)) is not None:
            return only
        example = ", ".join(f'"d{n}"' for n in names[: len(answer)])
        who = "forward" if self.first else "backward"
        what = "gradients" if self.first else "values"
        message = f"{who} returns {len(answer)} {what} for {len(names)} inputs ({', '.join(names)})"
        hint = f"say which they are, for example returns=({example},)" if len(answer) < len(names) else ""
        raise caller.error(who, message, hint=hint)

    def by_shapes(self, names: Sequence[str], answer: Sequence[Any]) -> list[str] | None:
        """The inputs that the shapes of arrays tell, each of one: ``return loss, grad`` of a function of w, X and y."""
        shapes = {n: self.tr.builder.steps[self.leaves[n]].shape for n in names}
        have = [_shape(v) for v in answer if v is not None]
        found = [[n for n in names if shapes[n] == h] for h in have if h]
        if len(found) != len(answer) or any(len(f) != 1 for f in found) or len({f[0] for f in found}) != len(found):
            return None
        return [f[0] for f in found]

    def fitting(self, wanted: list[str], answer: Sequence[Any]) -> list[str]:
        """The inputs in an order in which the shapes are those of the gradients, where there is just one such."""
        shapes = {n: self.tr.builder.steps[self.leaves[n]].shape for n in wanted}
        have = [_shape(v) if v is not None else None for v in answer]
        if all(h is None or h == shapes[n] for h, n in zip(have, wanted, strict=True)) or None in have:
            return wanted
        found = [[n for n in wanted if shapes[n] == h] for h in have]
        if all(len(f) == 1 for f in found) and len({f[0] for f in found}) == len(wanted):
            return [f[0] for f in found]
        return wanted

    def told(self, returns: Sequence[str], count: int) -> list[str | None]:
        if len(returns) != count:
            message = f"backward returns {count} values, and 'returns' names {len(returns)}"
            raise self.caller.error("backward", message)
        out = [meant(name, self.names) if name else None for name in returns]
        for name, owner in zip(returns, out, strict=True):
            if name and owner is None:
                known = ", ".join(self.names)
                raise SymgradError(f"returns: '{name}' is the gradient of none of the inputs {known}")
        return out


def meant(name: str, inputs: Sequence[str], *, exact: bool = True) -> str | None:
    """The input whose gradient a name says it is: ``dx``, ``grad_x``, ``x_grad``; with ``exact`` also ``x`` itself."""
    plain = {_plain(i): i for i in inputs}
    if exact and name in inputs:
        return name
    if exact and _plain(name) in plain:
        return plain[_plain(name)]
    word = name.removeprefix("self.")
    found = [plain[_plain(rest)] for rest in _readings(word) if _plain(rest) in plain]
    return found[0] if found else None


def _in_another_form(node: ast.AST) -> ast.AST:
    """``dx`` of ``dx.reshape(N, C, H, W)`` or ``dx[0].T``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute):
            return node
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def _plain(name: str) -> str:
    """``b0`` for ``params["b"][0]``: the last word, and what counts after it."""
    words = re.findall(r"[^\[\]\"'. ]+", name)
    last = max((n for n, word in enumerate(words) if not word.isdigit()), default=0)
    return "".join(words[last:]).replace("_", "").lower()


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of what is returned; that of one number for a list of arrays that are of different shapes, which is
    no array: the gradients of all layers."""
    try:
        return np.shape(value.raw if isinstance(value, Value) else value)
    except ValueError:
        return ()


def _readings(name: str) -> Iterator[str]:
    for prefix in (
        "dloss_d", "dloss_", "dL_d", "dl_d", "dLd", "dJ_d", "dJd", "dE_d", "dEd", "dC_d", "dCd", "d_L_d_", "grad_",
        "gradient_", "delta_", "nabla_", "g_", "d_", "grad", "delta", "g", "d",
    ):  # fmt: skip
        if name.startswith(prefix) and len(name) > len(prefix):
            yield name[len(prefix) :]
    for suffix in ("_gradient", "_grad", "_bar", "_g", "_d", "grad", "bar"):
        if name.endswith(suffix) and len(name) > len(suffix):
            yield name[: -len(suffix)]
