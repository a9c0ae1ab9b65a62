"""Functions of arrays as formulas call them: ``sum(x, axis=0)``, ``np.linalg.norm(x)``, ``x.sum()``."""

from __future__ import annotations

from typing import Any

from symgrad.ops.base import SPELLINGS
from symgrad.ops.library.spelling import LIBRARY, Function
from symgrad.ops.tensor import shape_of

#: What a formula may call, by the last part of its name. The rest of the table of library functions needs values (the
#: place of the largest), makes several arrays, or has no meaning in a formula.
WORDS = frozenset(
    "sum mean average var std max min amax amin prod norm vector_norm logsumexp softmax log_softmax cumsum trace diff "
    "dot vdot inner matmul mm bmm mv outer ger einsum tensordot kron "
    "reshape view ravel flatten squeeze expand_dims unsqueeze transpose permute permute_dims t swapaxes swapdims "
    "moveaxis movedim broadcast_to expand tile repeat repeat_interleave concatenate concat cat stack vstack hstack "
    "row_stack column_stack pad flip flipud fliplr rot90 roll diag diagflat diagonal triu tril take "
    "mse_loss l1_loss nll_loss cross_entropy binary_cross_entropy binary_cross_entropy_with_logits linear layer_norm "
    "batch_norm embedding conv1d conv2d avg_pool1d avg_pool2d max_pool1d max_pool2d addmm".split()
)  # fmt: skip

#: Short names that people write.
SHORT = {"mse": "mse_loss", "bce": "binary_cross_entropy", "nll": "nll_loss", "bmm": "matmul", "view": "reshape"}

#: Where a word is looked for, NumPy first: its std divides by N, torch's by N - 1.
_BARE = ("numpy.", "numpy.linalg.", "torch.nn.functional.", "scipy.special.", "torch.")
_ROOTS = {"np": "numpy", "numpy": "numpy", "torch": "torch", "F": "torch.nn.functional", "scipy": "scipy"}
_METHODS = ("numpy.ndarray.", "torch.Tensor.")

#: Functions one of whose operands holds labels or places: its position. What is given there as whole numbers is data.
LABELS = {"cross_entropy": 1, "nll_loss": 1, "nll": 1, "take": 1, "embedding": 0}

#: Of these, those that also take probabilities, of the shape of their first operand: then they are values, not labels.
OR_PROBABILITIES = frozenset({"cross_entropy"})

#: Functions that take one array or two: with one operand, or with keywords, they reduce.
REDUCE_ALONE = frozenset(SPELLINGS.keys() & WORDS)


def _full(value: Any) -> Function:
    def call(m: Any, *shape: Any) -> Any:
        wanted = shape[0] if len(shape) == 1 else shape
        return m.broadcast_to(m.constant(value), shape=wanted)

    return call


#: Arrays of one number.
_MADE: dict[str, Function] = {
    "ones": _full(1), "zeros": _full(0),
    "full": lambda m, shape, value: m.broadcast_to(value, shape=shape),
    "ones_like": lambda m, x: m.broadcast_to(m.constant(1), shape=shape_of(x)),
    "zeros_like": lambda m, x: m.broadcast_to(m.constant(0), shape=shape_of(x)),
}  # fmt: skip


def bare(word: str) -> Function | None:
    """The function of this name without a prefix."""
    name = SHORT.get(word, word)
    if name in _MADE:
        return _MADE[name]
    if name not in WORDS:
        return None
    return next((LIBRARY[p + name] for p in _BARE if p + name in LIBRARY), None)


def dotted(name: str) -> Function | None:
    """The function of a name such as ``np.linalg.norm``."""
    root, _, rest = name.partition(".")
    if root in ("np", "numpy", "torch") and rest in _MADE:
        return _MADE[rest]
    if root not in _ROOTS or rest.rpartition(".")[2] not in WORDS:
        return None
    return LIBRARY.get(f"{_ROOTS[root]}.{rest}")


def plain(name: str) -> str:
    """The elementwise function that a dotted name means: ``tanh`` for ``np.tanh`` and ``torch.nn.functional.tanh``."""
    root, _, rest = name.partition(".")
    last = {"absolute": "abs", "power": "pow"}.get(rest.rpartition(".")[2], rest.rpartition(".")[2])
    return last if root in _ROOTS and last in SPELLINGS else ""


def method(word: str) -> Function | None:
    """``x.word(...)``, as ``(m, x, ...)``."""
    if word not in WORDS:
        return None
    return next((LIBRARY[p + word] for p in _METHODS if p + word in LIBRARY), None)
