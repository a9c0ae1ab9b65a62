"""Random expressions over every op of the table, with arguments that stay in its domain."""

from __future__ import annotations

from hypothesis import strategies as st

from symgrad.ops import OPS, Op

#: Ops that can be written. An order of polygamma is a whole number, so it is applied by itself.
WRITABLE = [op for op in OPS.values() if not op.hidden]


def literal(value: float) -> str:
    return f"({value!r})" if value < 0 else repr(value)


def written(op: Op, arguments: list[str]) -> str:
    if op.infix is None:
        return f"{op.name}({', '.join(arguments)})"
    if op.infix.prefix:
        return f"({op.infix.symbol}({arguments[0]}))"
    return f"(({arguments[0]}){op.infix.symbol}({arguments[1]}))"


@st.composite
def applications(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """One op. Where it has a domain, each argument is one of its test points, moved by at most 3 %."""
    op = draw(st.sampled_from(WRITABLE))
    if op.name == "where":
        a, b = draw(inner), draw(inner)
        relation = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
        return f"where({a} {relation} {b}, {draw(inner)}, {draw(inner)})"
    point = draw(st.sampled_from(op.points))
    whole = op.name == "polygamma"
    arguments = []
    for i in range(op.arity - draw(st.integers(0, len(op.defaults)))):
        if whole and i == 0:
            arguments.append(str(int(point[0])))
        elif op.domain or draw(st.booleans()):
            arguments.append(f"{literal(point[i])}*(1 + 0.03*tanh({draw(inner)}))")
        else:
            arguments.append(draw(inner))
    return written(op, arguments)


LEAVES = st.sampled_from(["x", "y", "x*y", "x + 1", "0.5", "y/4"])
EXPRESSIONS = applications(LEAVES | applications(LEAVES | applications(LEAVES)))

#: Short decimals and floats of any bits.
COORDINATES = st.decimals(-3, 3, places=2).map(float) | st.floats(-4, 4)
