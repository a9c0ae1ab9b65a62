"""Which functions and classes of a file are a forward and a backward pass, told by their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

#: Words for the two directions; what is before and after them in a name must be the same.
_FORWARD = ("forward_propagation", "forward_propagate", "forward_pass", "forwardprop", "forward_prop", "feedforward",
            "feed_forward", "forward", "Forward", "fprop", "fwd", "f_prop")  # fmt: skip
_BACKWARD = ("backward_propagation", "backward_propagate", "backward_pass", "backprop", "back_propagation",
             "backpropagation", "back_propagate", "back_prop", "backward_prop", "backward", "Backward", "bprop", "bwd",
             "back")  # fmt: skip
_GRADIENT = ("{}_grad", "grad_{}", "{}_backward", "backward_{}", "{}_gradient", "d_{}", "d{}", "{}_bwd", "{}_vjp",
             "{}_derivative", "{}_prime", "{}_deriv", "{}Prime", "{}Derivative", "{}Gradient", "{}Grad", "{}_der",
             "deriv_{}", "derivative_{}", "derivative_of_{}", "gradient_{}", "grad{}", "d{}_dx", "d{}dx",
             "{}_jacobian", "jacobian_{}", "{}_jac", "jac_{}", "J_{}", "D{}", "jacobian_of_{}", "{}Jacobian",
             "{}_dash", "{}prime", "{}deriv", "{}der", "{}p", "nabla_{}", "gradient_of_{}", "{}grad")  # fmt: skip
#: Of a second derivative, beside the function itself and its first one.
_SECOND = ("d2{}", "d2_{}", "dd{}", "{}_double_prime", "{}DoublePrime", "{}_pp", "{}pp", "{}_second", "{}_prime2",
           "{}_second_derivative", "second_derivative_{}", "{}_prime_prime", "{}dprime", "{}2prime", "d2{}_dx2",
           "d2{}dx2", "{}_second_deriv")  # fmt: skip
#: Words for a force and for the energy that it is the negative derivative of; what is around them must be the same.
_FORCE = re.compile(r"(?P<before>\w*?)(?:forces?|Forces?|F)(?P<after>(?:_\w+)?)$")
_ENERGY = re.compile(
    r"(?P<before>\w*?)(?:potential_energy|total_energy|energy_potential|potential|energy|Potential|Energy|pot|V|U|E)"
    r"(?P<after>(?:_\w+)?)$"
)
_VERB = re.compile(r"^(?:compute|calc|calculate|get|eval|evaluate)_?(?:the_)?")
#: ``dfdy``, ``df_dy``, ``d_f_d_y``: the derivative by one of several inputs. Run together, that is short, or Greek.
PARTIAL = re.compile(
    r"d_?(?P<f>[A-Za-z]\w*?)(?:_d_?|d_?(?=(?:\w{1,4}|alpha|gamma|delta|theta|kappa|sigma|omega|lambda)\d?$))"
    r"(?P<x>[A-Za-z]\w*)$"
)
#: ``derivative_wrt_x``, ``grad_by_w``, ``partial_mu``: of something that is not named.
_BY_ONE = re.compile(
    r"(?:(?:\w*?_)?(?:derivative|deriv|gradient|grad|partial|d\w{0,2})_(?:wrt|by|with_respect_to|respect_to)_|"
    r"partial_(?:derivative_)?(?:d)?|pd_)(?P<x>[A-Za-z]\w*)$"
)
_GENERIC = re.compile(
    r"(?:the_|my_)?(?:gradients?|grad|derivative|deriv|slope|score|jac|jacobian|fprime)(?:_at|_fn|_func|_function|_vector)?$"
)
#: What is said of a derivative that somebody worked out: ``manual_gradient``, ``df_by_hand``, ``analytic_grad``.
_BY_HAND = re.compile(
    r"^(?:my|manual|manually|hand|analytic|analytical|exact|explicit|closed_form|numpy|np)_|"
    r"_(?:manual|manually|by_hand|hand|analytic|analytical|exact|explicit|closed_form|mine)$"
)
#: A system of equations, or what is left of one, that a function called J is the Jacobian of.
_SYSTEM = re.compile(r"(?:f|F|g|G|fun|func|func_?vec|system|residuals?|r|equations|model|rhs)$")
_ALONE = frozenset("manual by_hand analytic analytical hand mine".split())
_HESSIAN = re.compile(r"(?:.*_)?(?:hess|hessian|H|information|fisher)(?:_\w+)?$", re.IGNORECASE)
#: The same where the exact one is meant, as far as its name says; expected information is another matrix.
_EXACT = re.compile(r"(?:.*_)?(?:[Hh]ess|[Hh]essian)(?:_(?:at|fn|func|function|matrix))?$|H$")
_LOSSES = re.compile(r"(?:.*_)?(?:loss|cost|J|L|E|error|nll|obj|objective)\d*$")
_GRADS = re.compile(r"(?:d[A-Z]\w*|d[a-z]{1,2}\d?|d_\w+|grads?|\w*_grads?|grad\w*|gradients?|delta\w*)$")


#: Methods of a class that is one function: what gives its derivative, and what gives its value.
_SLOPES = ("gradient", "gradients", "grad", "derivative", "deriv", "derivate", "prime", "slope", "fprime", "df", "diff")
_VALUES = ("loss", "cost", "value", "f", "fn", "func", "function", "energy", "potential", "objective", "evaluate",
           "eval", "activate", "activation", "activation_function", "__call__", "forward", "apply", "compute",
           "calculate", "call", "predict")  # fmt: skip
#: What a function is, said in its name: ``dice_loss`` beside ``dice_grad``, ``hinge_fn`` beside ``hinge_gradient``.
_SAID = re.compile(
    r"^(?:loss|cost|energy|objective)_(?P<a>\w+)$|"
    r"^(?P<b>\w+?)_?(?:[Ll]oss|[Cc]ost|[Ee]rror|[Ee]nergy|[Oo]bjective|[Vv]alue|nll|fn|func|function)$"
)


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward and a backward pass of a file.

    Attributes:
        forward, backward: names, with a dot for methods; ``backward`` is empty where one function does both.
        torch: a class of ``torch.autograd.Function``'s kind.
    """

    forward: str
    backward: str
    torch: bool = False


def passes(tree: ast.Module) -> list[Pass]:
    """The pairs of a file, in the order of their backward functions; of each function the first that fits."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    found: dict[str, Pass] = {}
    for name in functions:
        for forward in _forward_names(name):
            if forward in functions and forward != name:
                found[name] = Pass(forward, name)
                break
    for name, node in functions.items():
        alike = [f for f in _said_to_be(name, functions) if _named(functions[f]) == _named(node)]
        if name not in found and alike:
            found[name] = Pass(alike[0], name)
    for name in functions:
        first = [f for stem in _stems(name, _SECOND) for f, pair in found.items() if pair.forward == stem]
        if name not in found and first and not _named(functions[name])[1:]:
            found[name] = Pass(first[0], name)
    for name in functions:
        plain = _BY_HAND.sub("", name)
        if name not in found and plain != name:
            stem = next((f for f in _forward_names(plain) if f in functions and f not in (name, plain)), "")
            found |= {name: Pass(stem, name)} if stem else {}
    for name, node in functions.items():
        if name not in found and (_GENERIC.match(_BY_HAND.sub("", name)) or name in _ALONE):
            # "gradient" beside one other function of the same parameters
            same = [
                n for n, f in functions.items()
                if n != name and _named(f) == _named(node) and n not in found and not _HESSIAN.match(n)
            ]  # fmt: skip
            if len(same) == 1 and _named(node):
                found[name] = Pass(same[0], name)
    values = {n: sorted(_named(f)) for n, f in functions.items() if n not in found and not input_of(n, _named(f))}
    for name, node in functions.items():
        # "dL_dw" beside one other function of the same parameters, whatever that is called
        if name not in found and input_of(name, _named(node)):
            same = [n for n, its in values.items() if its == sorted(_named(node)) and not _HESSIAN.match(n)]
            found |= {name: Pass(same[0], name)} if len(same) == 1 else {}
    for name, node in functions.items():
        # A Hessian is the Jacobian of the gradient.
        if name not in found and is_hessian(name):
            firsts = [n for n in found if _named(functions[n]) == _named(node)]
            found |= {name: Pass(firsts[0], name)} if len(firsts) == 1 else {}
    if "J" in functions and "J" not in found:
        systems = [n for n, f in functions.items() if _SYSTEM.match(n) and _named(f) == _named(functions["J"])]
        found |= {"J": Pass(systems[0], "J")} if len(systems) == 1 else {}
    for name, node in functions.items():
        if name not in found and is_force(name) and (energy := _energy_of(name, node, functions)):
            found[name] = Pass(energy, name)
    used = {p.forward for p in found.values()} | set(found)
    for name, node in functions.items():
        if name not in used and _does_both(node):
            found[name] = Pass(name, "")
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    for name, made in classes.items():
        for pair in _of_class(made, classes):
            found[f"{name}.{pair[1] or pair[0]}"] = Pass(
                f"{name}.{pair[0]}", f"{name}.{pair[1]}" if pair[1] else "", is_function(made)
            )
    order = {n.name: n.lineno for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return sorted(found.values(), key=lambda p: order[(p.backward or p.forward).partition(".")[0]])


def input_of(name: str, parameters: Collection[str]) -> str:
    """The parameter that a function's name says it is the derivative by: ``w`` for ``dL_dw`` and ``grad_wrt_w``."""
    last = name.rpartition(".")[2]
    found = PARTIAL.match(last) or _BY_ONE.match(last)
    return found["x"] if found is not None and found["x"] in parameters else ""


def is_guessed(forward: str, backward: str) -> bool:
    """That a derivative is one of this function is told by the parameters only, or by the word for a force."""
    last = backward.rpartition(".")[2]
    found = PARTIAL.match(last)
    return is_force(last) or (found is not None and found["f"] != forward) or _BY_ONE.match(last) is not None


def is_hessian(name: str) -> bool:
    """A function of this name gives the matrix of second derivatives, or an approximation of it."""
    return _EXACT.match(_BY_HAND.sub("", name.rpartition(".")[2])) is not None


def is_partial(function: str, name: str) -> bool:
    """A function's name says that it is the derivative of this one by one of its inputs: ``dkernel_dls``."""
    found = PARTIAL.match(name)
    return found is not None and found["f"] == function


def is_force(name: str) -> bool:
    """A function of this name gives a force: the negative derivative of an energy."""
    found = _FORCE.fullmatch(_VERB.sub("", name.rpartition(".")[2]))
    return found is not None and (not found["before"] or found["before"].endswith("_"))


def _energy_of(force: str, node: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]) -> str:
    """The function of the energy that a force belongs to: of the same stem, or the only one, and of its parameters."""
    stem = _stem(_FORCE, force)
    known = {n: _stem(_ENERGY, n) for n, f in functions.items() if set(_named(f)) & set(_named(node)) and n != force}
    known = {n: s for n, s in known.items() if s is not None}
    same = [n for n, s in known.items() if s == stem]
    found = same if len(same) == 1 else list(known)
    return found[0] if len(found) == 1 else ""


def _stem(pattern: re.Pattern[str], name: str) -> str | None:
    """What is left of a name without the word, or ``None`` where it has none."""
    found = pattern.fullmatch(_VERB.sub("", name))
    if found is None or (found["before"] and not found["before"].endswith("_")):
        return None
    return f"{found['before']}{found['after']}".replace("_", "")


def _named(node: ast.FunctionDef) -> list[str]:
    return [a.arg for a in node.args.args]


def _forward_names(backward: str) -> Iterator[str]:
    """What the forward function may be called that a backward function belongs to."""
    for word in _BACKWARD:
        if word in backward:
            before, _, after = backward.partition(word)
            for other in _FORWARD:
                yield f"{before}{other}{after}"
            while "_" in after:  # batchnorm_backward_alt
                after = after.rpartition("_")[0]
                for other in _FORWARD:
                    yield f"{before}{other}{after}"
            break
    if (found := PARTIAL.match(backward)) is not None:
        yield found["f"]
    yield from _stems(backward, _GRADIENT)


def _said_to_be(backward: str, functions: Collection[str]) -> list[str]:
    """The functions that have the stem of a backward function's name, and a word for what they are."""
    stems = {s.strip("_").lower() for s in _stems(backward, _GRADIENT)}
    said = {f: m["a"] or m["b"] for f in functions if f != backward and (m := _SAID.match(f)) is not None}
    return [f for f, stem in said.items() if stem.strip("_").lower() in stems]


def _stems(name: str, patterns: Sequence[str]) -> Iterator[str]:
    """What a name is made of by one of the patterns: ``f`` for ``f_prime``."""
    for pattern in patterns:
        start, _, end = pattern.partition("{}")
        if name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end):
            yield name[len(start) : len(name) - len(end)]


def methods_of(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """A class's methods, and those of the classes of the file that it is made from."""
    out: dict[str, ast.FunctionDef] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != node.name:
            out |= methods_of(classes[base.id], {n: c for n, c in classes.items() if n != node.name})
    return out | {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def _of_class(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[tuple[str, str]]:
    methods = {n: m for n, m in methods_of(node, classes).items() if not _is_empty(m)}
    for word in _BACKWARD:
        for other in (*_FORWARD, "__call__", "predict"):
            if word in methods and other in methods:
                yield other, word
                return
    for name in _SLOPES:
        values = [n for n in _VALUES if n in methods and not _does_both(methods[n])]
        if name in methods and values and len(_named(methods[name])) > 1:
            yield values[0], name
            return
    for name in methods:
        for forward in _forward_names(name):
            if forward in methods and forward != name and not name.startswith("_"):
                yield forward, name
                break
    for name in ("loss", "lossFun", "cost", "loss_and_grad"):
        if name in methods and _does_both(methods[name]):
            yield name, ""


def method_pair(node: ast.ClassDef) -> tuple[ast.FunctionDef, ast.FunctionDef] | None:
    """The methods of a class that are its forward and its backward pass, where it has both."""
    methods = methods_of(node, {})
    names = next(_of_class(node, {}), None)
    return (methods[names[0]], methods[names[1]]) if names is not None and names[1] else None


def _is_empty(node: ast.FunctionDef) -> bool:
    """``pass`` or ``raise NotImplementedError``: a base class says what its children have."""
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return all(isinstance(s, ast.Pass | ast.Raise) for s in body)


def is_function(node: ast.ClassDef) -> bool:
    """A class of ``torch.autograd.Function``'s kind."""
    return any(ast.unparse(base).rpartition(".")[2] == "Function" for base in node.bases) and any(
        isinstance(n, ast.FunctionDef) and n.name == "forward" and n.decorator_list for n in node.body
    )


def _does_both(node: ast.FunctionDef) -> bool:
    """``return loss, grads``."""
    for part in ast.walk(node):
        value = part.value if isinstance(part, ast.Return) else None
        if isinstance(value, ast.Tuple) and len(value.elts) > 1:
            first, second = value.elts[0], value.elts[1]
            inside = [n.id for n in ast.walk(second) if isinstance(n, ast.Name)]
            if isinstance(first, ast.Name) and _LOSSES.match(first.id) and any(map(_GRADS.match, inside)):
                return True
    return False
