"""A line of somebody's code, typeset: ``(1 - h2_raw**2)*dh2`` as LaTeX. It is read, and never run."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache

from symgrad.ops import OPS, TensorOp
from symgrad.report.latex import ATOM, escaped, symbol

SUM, PRODUCT, UNARY, POWER = 2, 3, 4, 5
#: Longer text is shown as code.
LONGEST = 600

_BINARY = {
    ast.Add: (" + ", SUM, SUM, SUM), ast.Sub: (" - ", SUM, SUM, PRODUCT),
    ast.Mult: (" \\cdot ", PRODUCT, PRODUCT, UNARY),
    ast.MatMult: (" \\, ", PRODUCT, PRODUCT, UNARY), ast.Mod: (" \\bmod ", PRODUCT, PRODUCT, UNARY),
    ast.FloorDiv: (" \\mathbin{/\\!/} ", PRODUCT, PRODUCT, UNARY),
}  # fmt: skip
_COMPARE = {ast.Lt: "<", ast.LtE: "\\le", ast.Gt: ">", ast.GtE: "\\ge", ast.Eq: "=", ast.NotEq: "\\ne"}
_AUGMENTED = {ast.Add: "+", ast.Sub: "-", ast.Mult: "\\cdot", ast.Div: "/"}


@lru_cache(maxsize=1)
def _functions() -> Mapping[str, str]:
    """What a function is called -> its template, for those of numbers."""
    out: dict[str, str] = {}
    for op in OPS.values():
        if not isinstance(op, TensorOp) and op.infix is None:
            for name in (op.name, *op.aliases):
                out[name] = op.latex
    return out


def code_latex(text: str, arrays: frozenset[str] = frozenset(), *, caret_is_power: bool = False) -> str:
    """A piece of Python as LaTeX; an empty string where it is no expression, nor an assignment of one.

    Args:
        text: as it stands in the user's file.
        arrays: names that hold arrays: their products entry by entry are told from those of numbers.
        caret_is_power: ``^`` is a power, as in symgrad's own expressions.
    """
    if len(text) > LONGEST:
        return ""
    source = text.replace("^", "**") if caret_is_power else text
    try:
        with warnings.catch_warnings():
            # "invalid decimal literal", "str is not callable": the script has said so itself, if it matters.
            warnings.simplefilter("ignore")
            tree = ast.parse(source.strip(), mode="exec")
        if len(tree.body) != 1:
            return ""
        return _Writer(arrays).statement(tree.body[0])
    except (SyntaxError, ValueError, _NoFormula, RecursionError, MemoryError):
        return ""


class _NoFormula(Exception):
    """Something that formulas do not hold."""


class _Writer:
    def __init__(self, arrays: frozenset[str]) -> None:
        self.arrays = arrays

    def statement(self, node: ast.stmt) -> str:
        if isinstance(node, ast.Expr):
            return self.write(node.value)[0]
        if isinstance(node, ast.AugAssign) and type(node.op) in _AUGMENTED:
            sign = _AUGMENTED[type(node.op)]
            return f"{self.write(node.target)[0]} \\mathrel{{{sign}}}= {self.write(node.value)[0]}"
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return f"{self.write(node.targets[0])[0]} = {self.write(node.value)[0]}"
        if isinstance(node, ast.Return) and node.value is not None:
            return self.write(node.value)[0]
        raise _NoFormula

    def is_array(self, node: ast.expr) -> bool:
        """Whether it seems to hold an array: some name in it does."""
        return any(
            isinstance(n, ast.Name | ast.Attribute | ast.Subscript) and ast.unparse(n) in self.arrays
            for n in ast.walk(node)
        )

    def within(self, node: ast.expr, need: int) -> str:
        text, strength = self.write(node)
        return f"\\left({text}\\right)" if strength < need else text

    def write(self, node: ast.expr) -> tuple[str, int]:
        """LaTeX and how strongly it binds."""
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.USub):
                return "-" + self.within(node.operand, PRODUCT), SUM
            if isinstance(node.op, ast.Not | ast.Invert):
                return "\\neg " + self.within(node.operand, UNARY), UNARY
            return self.write(node.operand)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Compare) and all(type(o) in _COMPARE for o in node.ops):
            parts = [self.within(node.left, SUM)]
            for op, side in zip(node.ops, node.comparators, strict=True):
                parts += [_COMPARE[type(op)], self.within(side, SUM)]
            return " ".join(parts), 1
        if isinstance(node, ast.IfExp):
            yes, test, no = (self.write(n)[0] for n in (node.body, node.test, node.orelse))
            return f"\\begin{{cases}} {yes} & {test} \\\\ {no} & \\text{{otherwise}} \\end{{cases}}", ATOM
        if isinstance(node, ast.Tuple | ast.List):
            inner = ", ".join(self.write(e)[0] for e in node.elts)
            return (f"\\left({inner}\\right)" if isinstance(node, ast.Tuple) else f"\\left[{inner}\\right]"), ATOM
        return self.atom(node)

    def atom(self, node: ast.expr) -> tuple[str, int]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, int | float | complex) and not isinstance(node.value, bool):
                return _number(node.value), ATOM
            return f"\\mathrm{{{escaped(str(node.value))}}}", ATOM
        if isinstance(node, ast.Name):
            return symbol(node.id), ATOM
        if isinstance(node, ast.Attribute):
            if node.attr in ("T", "mT"):
                return f"{self.within(node.value, ATOM)}^{{\\top}}", POWER
            if isinstance(node.value, ast.Name):
                return symbol(node.attr if node.value.id in ("self", "np", "torch", "math") else
                              f"{node.value.id}.{node.attr}"), ATOM  # fmt: skip
            return f"{self.within(node.value, ATOM)}.{symbol(node.attr)}", ATOM
        if isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                return symbol(node.slice.value), ATOM
            base = self.within(node.value, ATOM)
            inner = _index(self, node.slice)
            return (f"{base}_{{{inner}}}" if "_{" not in base and "^{" not in base else f"{base}[{inner}]"), ATOM
        raise _NoFormula

    def binary(self, node: ast.BinOp) -> tuple[str, int]:
        if isinstance(node.op, ast.Div):
            return f"\\frac{{{self.write(node.left)[0]}}}{{{self.write(node.right)[0]}}}", ATOM
        if isinstance(node.op, ast.Pow):
            base = self.within(node.left, ATOM)
            base = f"\\left({base}\\right)" if base.startswith("\\frac") else base
            return f"{base}^{{{self.write(node.right)[0]}}}", POWER
        if type(node.op) not in _BINARY:
            raise _NoFormula
        sign, strength, left, right = _BINARY[type(node.op)]
        if isinstance(node.op, ast.Mult) and self.is_array(node.left) and self.is_array(node.right):
            sign = " \\odot "
        return f"{self.within(node.left, left)}{sign}{self.within(node.right, right)}", strength

    def call(self, node: ast.Call) -> tuple[str, int]:
        args = list(node.args)
        if isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, node.func.value
            root = owner
            while isinstance(root, ast.Attribute):
                root = root.value
            module = isinstance(root, ast.Name) and root.id in ("np", "numpy", "torch", "math", "F", "nn", "jnp")
            if not module and not (isinstance(owner, ast.Name) and owner.id == "self"):
                args = [owner, *args]
        elif isinstance(node.func, ast.Name):
            name = node.func.id
        else:
            raise _NoFormula
        texts = [self.write(a)[0] for a in args if not isinstance(a, ast.Starred)]
        if len(texts) != len(args):
            raise _NoFormula
        under = ", ".join(f"{escaped(k.arg or '')}={self.write(k.value)[0]}" for k in node.keywords)
        template = _functions().get(name)
        if template and not under and f"{{{len(texts)}}}" not in template and f"{{{len(texts) - 1}}}" in template:
            return template.format(*texts), ATOM if not template.startswith("-") else UNARY
        sub = f"_{{{under}}}" if under else ""
        return f"\\operatorname{{{escaped(name)}}}{sub}\\left({', '.join(texts)}\\right)", ATOM


def _index(writer: _Writer, node: ast.expr) -> str:
    if isinstance(node, ast.Slice):
        ends = [writer.write(e)[0] if e is not None else "" for e in (node.lower, node.upper)]
        return ":".join(ends) + (f":{writer.write(node.step)[0]}" if node.step is not None else "")
    if isinstance(node, ast.Tuple):
        return ",".join(_index(writer, e) for e in node.elts)
    return writer.write(node)[0]


def _number(value: complex) -> str:
    text = repr(value)
    if re.fullmatch(r"-?[\d.]+", text):
        return text
    found = re.fullmatch(r"(-?[\d.]+)e([+-]?\d+)", text)
    return f"{found[1]} \\cdot 10^{{{int(found[2])}}}" if found else f"\\mathrm{{{escaped(text)}}}"
