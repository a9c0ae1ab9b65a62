"""Other texts for what is worked out and used nowhere, and for a function that hands on what it was given."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence

from symgrad.diagnose.text.texts import COUNTING, Rewording, Text, at, stored

#: So many names of one line are exchanged, or of one function tried.
MOST_NAMES = 6


def given_back(text: Text) -> Iterator[Rewording]:
    """``return x`` where ``dx`` was worked out, and is read nowhere in its function."""
    for function in text.functions:
        nodes = list(ast.walk(function))
        read = _read_in(nodes)
        mine = [s for s in text.simple if text.function_at(s.lineno) is function]
        idle = {n: s.lineno for s in mine for n in stored(s) if s.lineno in text.manual and n not in read}
        for statement in mine if len(idle) == 1 else ():
            if not isinstance(statement, ast.Return) or statement.value is None:
                continue
            value = statement.value
            for given in value.elts if isinstance(value, ast.Tuple | ast.List) else (value,):
                for name, line in idle.items() if isinstance(given, ast.Name) else ():
                    message = f"`{text.of(given)}` is returned, and {name}, worked out in line {line}, is used nowhere"
                    yield at(given, name, "wrong-variable", message, 0.55)


def handed_on(text: Text, ranks: Mapping[str, int]) -> Iterator[Rewording]:
    """``return grad`` where grad is what the function was given: the slope of what its layer does is left out."""
    for function in text.functions:
        given = {a.arg for a in function.args.args}
        mine = [s for s in text.simple if text.function_at(s.lineno) is function and isinstance(s, ast.Return)]
        bound = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for statement in mine if function in text.beside else ():
            value = statement.value
            if not isinstance(value, ast.Name) or value.id not in given or value.id in bound:
                continue
            held = dict.fromkeys((*sorted(bound), *text.beside[function]))
            message = f"`{text.of(statement)}` hands the gradient on as it came"
            for name in [n for n in held if ranks.get(n, 0)][:MOST_NAMES]:
                for slope in (f"{name} * (1 - {name})", f"(1 - {name}**2)", f"({name} > 0)", name):
                    yield at(value, f"{value.id} * {slope}", "missing-factor", message, 1.1)


def never_read(text: Text) -> Iterator[Rewording]:
    """``return self.mask``, where ``dout`` came in and is read nowhere: what a layer does begins with what arrives."""
    for function in text.functions if text.beside else ():
        given = [a.arg for a in function.args.args if a.arg not in ("self", "cls", "ctx")]
        read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        mine = [s for s in text.simple if text.function_at(s.lineno) is function and isinstance(s, ast.Return)]
        if function not in text.beside or len(given) != 1 or given[0] in read or len(mine) != 1:
            continue
        value = mine[0].value
        if value is None or isinstance(value, ast.Constant | ast.Tuple):
            continue
        own = text.of(value)
        bare = f"({own})" if isinstance(value, ast.BinOp | ast.Compare | ast.BoolOp) else own
        message = f"`{text.of(mine[0])}` leaves out {given[0]}, the gradient that arrives, which is read nowhere"
        yield at(value, f"{given[0]} * {bare}", "missing-factor", message, 0.5)


def _read_in(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that are read; of ``dx[i] += v`` dx is not."""
    targets: set[int] = set()
    for n in nodes:
        base = n
        while isinstance(base, ast.Subscript) and (base is not n or isinstance(base.ctx, ast.Store)):
            base = base.value
            targets.add(id(base))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in targets}


def unread(
    text: Text, asked: Collection[int], ranks: Mapping[str, int], ends: Collection[str] = ()
) -> Iterator[Rewording]:
    """What is worked out and read nowhere: somebody meant to use it, unless the derivation ends in it."""
    read = {n.id for n in text.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    unused = {
        n.id: s.lineno for s in text.simple if s.lineno in text.manual for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id not in read and n.id not in ends
    }  # fmt: skip
    unused.update(_items(text, asked, ranks))
    made = {name for s in text.simple if s.lineno in asked for name in stored(s)}
    for statement in text.simple:
        value = statement.value if isinstance(statement, ast.Assign | ast.AugAssign) else None
        if value is None or isinstance(value, ast.Tuple | ast.List) or statement.lineno not in text.manual:
            continue
        if statement.lineno not in asked and not (isinstance(value, ast.Name) and value.id in made):
            continue
        own = text.of(value)
        for name, line in unused.items():
            apart = line and text.function_at(line) is not text.function_at(statement.lineno)
            if line == statement.lineno or apart:
                continue
            bare = f"({own})" if isinstance(value, ast.BinOp) else own
            where = f"worked out in line {line} and used nowhere" if line else "used nowhere else here"
            message = f"`{own}` leaves out {name}, which is {where}"
            if not line and not any(f"[{v}" in name or f" {v}]" in name for v in text.loops(statement.lineno)):
                continue
            if not line:
                yield at(value, f"{bare} * {name}", "missing-factor", message, 0.75)
                continue
            yield at(value, f"{own} + {name}", "missing-term", message, 0.6)
            yield at(value, f"{bare} * {name}", "missing-factor", message, 0.65)
            yield at(value, f"{own} - {name}", "missing-term", message, 0.7)


def _items(text: Text, asked: Collection[int], ranks: Mapping[str, int]) -> dict[str, int]:
    """``dout[n, i, j]`` in a loop over n, i and j, where the derivation reads nothing of dout but its shape."""
    out: dict[str, int] = {}
    for line in asked:
        function = text.function_at(line)
        variables = text.loops(line)
        if not variables:
            continue
        shapes = {id(n.value) for n in text.nodes if isinstance(n, ast.Attribute) and n.attr in COUNTING}
        for node in text.nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_like"):
                shapes |= {id(n) for n in ast.walk(node)}
        names = (n for n in text.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        mine = (n for n in names if n.lineno in text.manual and text.function_at(n.lineno) is function)
        read = {n.id for n in mine if id(n) not in shapes}
        held = [a.arg for a in function.args.args] if function is not None else []
        for statement in text.simple:
            if text.function_at(statement.lineno) is function and isinstance(statement, ast.Assign):
                held += sorted(
                    n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                )
        others = [n for n in dict.fromkeys(held) if n not in read and ranks.get(n)]
        for name in others[:MOST_NAMES]:
            if 1 < len(variables) <= ranks[name]:
                out[f"{name}[{', '.join(variables)}]"] = 0
            out.update(dict.fromkeys((f"{name}[{v}]" for v in reversed(variables)), 0))
        break
    return out
