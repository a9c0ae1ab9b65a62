"""Attention, composed of ops of the table."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import spelled
from symgrad.ops.linalg import turned
from symgrad.ops.tensor import shape_of

#: What stands for minus infinity where a score is masked: its exponential is 0, and it is a number.
_MASKED = -1e30


@spelled("torch.nn.functional.scaled_dot_product_attention")
def scaled_dot_product_attention(
    m: Any, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: Any = 0.0, is_causal: Any = False,
    scale: Any = None, enable_gqa: Any = False,
) -> Any:  # fmt: skip
    """``softmax(scale * q @ k.T + mask) @ v`` over (..., L, E), (..., S, E), (..., S, V).

    Raises:
        Unsupported: dropout, whose mask torch draws; grouped heads; a mask that leaves a row nothing to look at.
    """
    import numpy as np

    if dropout_p:
        raise Unsupported("scaled_dot_product_attention with dropout_p")
    if enable_gqa:
        raise Unsupported("scaled_dot_product_attention with enable_gqa")
    if attn_mask is not None and is_causal:
        raise Unsupported("scaled_dot_product_attention with attn_mask and is_causal")
    factor = 1 / math.sqrt(shape_of(query)[-1]) if scale is None else scale
    scores = m.matmul(query, turned(m, key)) * factor
    if is_causal:
        seen = m.tril(m.broadcast_to(1.0, shape=shape_of(scores)[-2:]))
        scores = m.where(seen, scores, _MASKED)
    elif attn_mask is not None:
        given = np.asarray(getattr(attn_mask, "raw", attn_mask))
        if given.dtype == bool or getattr(attn_mask, "dtype", None) == "bool":
            if not given.any(axis=-1).all():
                raise Unsupported("scaled_dot_product_attention with a row that is masked altogether")
            scores = m.where(attn_mask, scores, _MASKED)
        else:
            scores = scores + attn_mask
    return m.matmul(m.softmax(scores, axis=-1), value)
