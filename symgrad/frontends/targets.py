"""Which functions of a file are called: a forward and a backward pass, methods and the class that they need."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends import roles
from symgrad.frontends.kinds import Parameter
from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.passes import Pass, is_function, methods_of, passes
from symgrad.frontends.trace.sites import literal_value
from symgrad.frontends.trace.trees import walk


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: the functions' nodes and the class that they are methods of.

    Attributes:
        forward, backward: names in the file.
        maker: the class, where they are methods that need an object.
        context: they are static methods of a class of torch's.
    """

    forward: str
    backward: str
    forward_node: ast.FunctionDef
    backward_node: ast.FunctionDef | None
    maker: ast.ClassDef | None = None
    context: bool = False


def is_helper(target: Target) -> bool:
    """Backward is a derivative as a function of one number, and no backward pass: ``sigmoid_derivative(x)``."""
    if target.backward_node is None or target.maker is not None or target.context:
        return False
    theirs, ours = parameters(target.forward_node), parameters(target.backward_node)
    if len(theirs) != 1 or len(ours) != 1:
        return False
    return ours[0].name == theirs[0].name or not roles.is_upstream(ours[0].name)


def find_target(plan: Plan, tree: ast.Module) -> Target:
    """The functions that are wanted.

    Raises:
        SymgradError: there are none of these names.
    """
    found = passes(tree)
    if not plan.forward and not plan.backward:
        if not found:
            raise SymgradError("the file runs nothing, and no forward and backward function were found in it",
                               hint="name them: --forward NAME --backward NAME")  # fmt: skip
        chosen = found[0]
    elif plan.forward and plan.backward:
        chosen = Pass(plan.forward, plan.backward)
    else:
        chosen = _other_half(plan, found)
    forward, maker = _node(tree, chosen.forward)
    backward = _node(tree, chosen.backward)[0] if chosen.backward else None
    context = maker is not None and is_function(maker)
    static = any(_name(d) == "staticmethod" for d in forward.decorator_list)
    return Target(
        chosen.forward, chosen.backward, forward, backward, None if static else maker, context
    )


def _other_half(plan: Plan, found: Sequence[Pass]) -> Pass:
    one = plan.forward or plan.backward
    for p in found:
        if one in (p.forward, p.backward) or one in (p.forward.partition(".")[0], p.backward.partition(".")[0]):
            return p
    if plan.forward:
        return Pass(plan.forward, "")
    raise SymgradError(f"the forward function of '{plan.backward}' is not found", hint="name it with --forward")


def _node(tree: ast.Module, name: str) -> tuple[ast.FunctionDef, ast.ClassDef | None]:
    """A function or method by its name.

    Raises:
        SymgradError: there is none.
    """
    owner, _, method = name.rpartition(".")
    top = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    wanted = owner or method
    found = top.get(wanted)
    if found is None or (not owner and isinstance(found, ast.ClassDef)):
        functions = [n for n, v in top.items() if isinstance(v, ast.FunctionDef)]
        if isinstance(found, ast.ClassDef):
            raise SymgradError(f"'{name}' is a class: name its methods, --forward {name}.forward")
        raise SymgradError(f"the file has no function '{wanted}'{did_you_mean(wanted, functions)}")
    if isinstance(found, ast.FunctionDef):
        return found, None
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    methods = methods_of(found, classes)
    if method not in methods:
        raise SymgradError(f"the class {owner} has no method '{method}'{did_you_mean(method, list(methods))}")
    return methods[method], found


def parameters(node: ast.FunctionDef) -> list[Parameter]:
    """Those that take a value each."""
    ordered = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [None] * (len(ordered) - len(node.args.defaults))
    defaults += node.args.defaults
    pairs = [*zip(ordered, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    out = []
    for argument, default in pairs:
        literal = literal_value(default) if default is not None else None
        value = literal[0] if literal is not None else getattr(default, "value", ...) if default is not None else ...
        if isinstance(default, ast.Tuple | ast.List) and all(isinstance(e, ast.Constant) for e in default.elts):
            value = ast.literal_eval(default)
        annotation = ast.unparse(argument.annotation) if argument.annotation is not None else ""
        out.append(Parameter(argument.arg, default is not None, value, annotation))
    return out


def bound(target: Target) -> int:
    """How many first parameters are not ours to fill."""
    static = any(_name(d) == "staticmethod" for d in target.forward_node.decorator_list)
    if "." not in target.forward:
        return 0
    if target.context:
        names = [a.arg for a in target.forward_node.args.args]
        return int(bool(names) and names[0] in ("ctx", "context", "self"))
    return 0 if static else 1


def settings(target: Target) -> frozenset[str]:
    """The parameters of a ``torch.autograd.Function`` for which its backward returns nothing wherever it ends: who
    gives them is no tensor but a number, as far as forward allows that."""
    if not target.context or target.backward_node is None:
        return frozenset()
    names = [p.name for p in parameters(target.forward_node)[bound(target) :]]
    values = [n.value for n in ast.walk(target.backward_node) if isinstance(n, ast.Return)]
    ends = [v.elts for v in values if isinstance(v, ast.Tuple) and len(v.elts) == len(names)]
    written = [{name: ast.unparse(e) for name, e in zip(names, end, strict=True)} for end in ends]
    return frozenset(n for n in names if written and all(w[n] == "None" for w in written))


def constructor(node: ast.ClassDef, tree: ast.Module) -> ast.FunctionDef | None:
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    return methods_of(node, classes).get("__init__")


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


@lru_cache(maxsize=4)
def speaks_torch(tree: ast.Module) -> bool:
    """The file imports torch, and NumPy not."""
    known = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            known |= {a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            known.add((node.module or "").partition(".")[0])
    return "torch" in known and "numpy" not in known
