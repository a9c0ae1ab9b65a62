"""The table of ops: each declared once, with its rule, its witnesses and its spelling."""

from symgrad.ops import activations, arithmetic, elementary  # noqa: F401  (imported for their declarations)
from symgrad.ops.base import OPS, SPELLINGS, Condition, Infix, Kink, Math, Op, Pitfall, Rule, register
from symgrad.ops.build import Formula, Ref
from symgrad.ops.lowering import Lowered, lower

__all__ = [
    "OPS", "SPELLINGS", "Condition", "Formula", "Infix", "Kink", "Lowered", "Math", "Op", "Pitfall", "Ref", "Rule",
    "lower", "register",
]  # fmt: skip
