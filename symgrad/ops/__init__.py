"""The table of ops: each declared once, with its rule, its witnesses and its spelling."""

from symgrad.ops import (  # noqa: F401  (imported for their declarations)
    activations,
    arithmetic,
    elementary,
    gathering,
    indexing,
    linalg,
    reductions,
    shapes,
    softmax,
)
from symgrad.ops.base import (
    OPS,
    RENAMING,
    SPELLINGS,
    Condition,
    Infix,
    Kink,
    Math,
    Op,
    Pitfall,
    Rule,
    is_sum,
    register,
    sign_of,
)
from symgrad.ops.build import Formula, Ref
from symgrad.ops.lowering import Lowered, lower
from symgrad.ops.tensor import Shape, ShapeError, TensorOp, typed

__all__ = [
    "OPS", "RENAMING", "SPELLINGS", "Condition", "Formula", "Infix", "Kink", "Lowered", "Math", "Op", "Pitfall", "Ref",
    "Rule", "Shape", "ShapeError", "TensorOp", "is_sum", "lower", "register", "sign_of", "typed",
]  # fmt: skip
