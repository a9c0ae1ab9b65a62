"""What a change would make larger than anything that a pass works with is not computed: it is no line's value.

``np.outer`` of two matrices, which NumPy makes flat first, has as many entries as the product of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.diagnose.values.shaped import shape_of
from symgrad.ops import Op
from symgrad.ops.tensor import ShapeError

#: Of so many entries nothing is too large; what fits together by the rules may have so many.
ANY, FITTING = 1 << 22, 1 << 25


def bounded(op: Op, arrays: Sequence[Any], params: Mapping[str, Any]) -> None:
    """Refuse to compute what is too large.

    Raises:
        ShapeError: the arrays do not fit together by the rules, or what comes of them is too large.
    """
    if op.elementwise or math.prod([max(a.size, 1) for a in arrays]) <= ANY:
        return
    shape = shape_of(op, [a.shape for a in arrays], params)
    if shape is None or math.prod(shape) > FITTING:
        raise ShapeError("too large")
