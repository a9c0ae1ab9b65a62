"""The attributes of traced values: what ``x.item()``, ``x.shape``, ``x.grad`` and ``x.tanh()`` mean.

Two tables and no reflection: an attribute that stands in neither does not exist, so nothing of the objects behind a
traced value can be reached.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace import (  # noqa: F401  (they register themselves)
    autograd,
    lib_numpy,
    lib_optimize,
    lib_scipy,
    lib_sorting,
    lib_torch,
    lib_whole,
    numpy_random,
)
from symgrad.frontends.trace.arrays import Array, Tensor, item
from symgrad.frontends.trace.lib_jax import Places
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.numpy_types import dtype_name
from symgrad.frontends.trace.registry import HANDLERS, SPELLED, Marker
from symgrad.frontends.trace.shaped import call
from symgrad.frontends.trace.values import ARRAY, FLOAT, NUMPY, TENSOR, TracedFloat, TracedInt, Value, apply, number
from symgrad.ops.library import LIBRARY


def _dtype(x: Any) -> Marker:
    name = x.dtype if isinstance(x, Array) else "float64"
    return Marker(f"torch.{name}" if isinstance(x, Tensor) else name, lambda v: False)


#: Attribute -> (least flavour that has it, how it is read).
PROPERTIES: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "shape": (NUMPY, lambda x: np.shape(raw(x))),
    "ndim": (NUMPY, lambda x: np.ndim(raw(x))),
    "dtype": (NUMPY, _dtype),
    "T": (NUMPY, lambda x: x if np.ndim(raw(x)) < 2 else call(x.tr, "numpy.transpose", x)),
    "mT": (NUMPY, lambda x: call(x.tr, "numpy.swapaxes", x, -2, -1)),
    "flat": (NUMPY, lambda x: call(x.tr, "numpy.ravel", x)),
    "strides": (ARRAY, lambda x: tuple(8 * s // x.data.itemsize for s in x.data.strides)),
    "itemsize": (ARRAY, lambda x: 8),
    "nbytes": (ARRAY, lambda x: 8 * int(x.data.size)),
    "at": (ARRAY, Places),
    "real": (FLOAT, lambda x: x),
    "imag": (FLOAT, lambda x: 0.0),
    "grad": (TENSOR, autograd.read),
    "data": (TENSOR, autograd.detached),
    "requires_grad": (TENSOR, lambda x: x.node is not None),
    "is_leaf": (TENSOR, lambda x: x.node is None or x.node.is_leaf),
    "grad_fn": (TENSOR, lambda x: None if x.node is None or x.node.is_leaf else "<grad_fn>"),
    "device": (TENSOR, lambda x: "cpu"),
}


def _same(x: Any, *args: Any, **kwargs: Any) -> Any:
    return x


def _number(x: Any, *args: Any) -> Any:
    """``.item()``: the same step as a plain Python number."""
    return item(x) if isinstance(x, Array) else number(x.tr, raw(x), x.place, FLOAT)


def _requires_grad(x: Any, flag: Any = True) -> Any:
    return autograd.track(x) if flag else autograd.untrack(x)


def _detach(x: Any) -> Any:
    x.node = None
    return x


def _zero(x: Any) -> Any:
    x.replace(type(x)(x.tr, np.zeros(x.data.shape), dtype=x.dtype))
    return x


def _as_type(x: Any, name: str) -> Any:
    """``x.astype(int)``: of one number that stands for no step, too."""
    if isinstance(x, Array):
        return _cast(name)(x)
    return int(x.raw) if name.startswith("int") and isinstance(x, Value) and x.step is None else x


def _cast(name: str) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        # The copy stays on the tape: a cast is the identity for a derivative.
        kind = np.float64 if "float" in name else bool if "bool" in name else np.int64
        data = np.asarray(raw(x)).astype(kind)
        if np.any(data != raw(x)):
            x.tr.note(f"the result of a cast to {name} is taken as a constant")
            return type(x)(x.tr, data, dtype=name)
        made = copied(x)
        made.recast(data, name)
        return made

    return call


def _to(x: Any, *args: Any, **kwargs: Any) -> Any:
    dtypes = [a for a in (*args, *kwargs.values()) if isinstance(a, Marker)]
    return _cast(dtype_name(dtypes[0], ""))(x) if dtypes else x


def _tolist(x: Any) -> Any:
    if not isinstance(x, Array) or x.data.ndim == 0:
        return _number(x)
    x.tr.note("the result of tolist is taken as constants")
    return x.data.tolist()


def _size(x: Any, *args: Any) -> Any:
    return np.shape(raw(x))[int(args[0])] if args else np.shape(raw(x))


def _home(x: Any) -> str:
    return "torch" if isinstance(x, Tensor) else "numpy"


def library_name(x: Any, name: str) -> str | None:
    """The method's name in the table of library functions."""
    dotted = f"torch.Tensor.{name}" if x.flavour == TENSOR else f"numpy.ndarray.{name}"
    return dotted if dotted in LIBRARY else None


def _new(name: str) -> Callable[..., Any]:
    """``x.new_zeros(2, 3)``: a new tensor of x's dtype."""

    def call_(x: Any, *args: Any, **kwargs: Any) -> Any:
        return HANDLERS[f"torch.{name}"](x.tr, *args, dtype=kwargs.pop("dtype", None) or _dtype(x), **kwargs)

    return call_


def _apart(x: Any) -> Any:
    """No view any more: NumPy's flatten copies."""
    if not isinstance(x, Tensor):
        x.origin = None
    return x


def _fill(x: Any, value: Any) -> Any:
    x[...] = value
    return x


#: Method -> (least flavour that has it, what it does).
METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "item": (NUMPY, _number),
    "is_integer": (FLOAT, lambda x: float(x).is_integer()),
    "bit_length": (0, lambda x: int(x).bit_length()),
    "conjugate": (0, _same),
    "tolist": (NUMPY, _tolist),
    "copy": (NUMPY, lambda x, *a: copied(x) if isinstance(x, Array) else x),
    "astype": (NUMPY, lambda x, dtype, **kw: _as_type(x, dtype_name(dtype, ""))),
    "flatten": (ARRAY, lambda x, *a, **kw: _apart(call(x.tr, library_name(x, "flatten") or "", x, *a, **kw))),
    "fill": (ARRAY, _fill),
    "fill_": (TENSOR, _fill),
    "argsort": (ARRAY, lambda x, axis=-1: type(x)(x.tr, np.argsort(x.data, axis=int(axis)))),
    "round": (NUMPY, lambda x, *a, **kw: HANDLERS["numpy.round"](x.tr, x, *a)),
    "all": (ARRAY, lambda x, *a, **kw: HANDLERS[f"{_home(x)}.all"](x.tr, x, *a, **kw)),
    "any": (ARRAY, lambda x, *a, **kw: HANDLERS[f"{_home(x)}.any"](x.tr, x, *a, **kw)),
    "backward": (TENSOR, lambda x, gradient=None, **kw: autograd.backward(x, gradient)),
    "retain_grad": (TENSOR, autograd.retain),
    "requires_grad_": (TENSOR, _requires_grad),
    "detach": (TENSOR, autograd.detached),
    "detach_": (TENSOR, _detach),
    "numpy": (TENSOR, lambda x, **kw: autograd.to_numpy(x)),
    "cpu": (TENSOR, _same),
    "to": (TENSOR, _to),
    "clone": (TENSOR, copied),
    "new_tensor": (TENSOR, _new("tensor")),
    "new_zeros": (TENSOR, _new("zeros")),
    "new_ones": (TENSOR, _new("ones")),
    "new_full": (TENSOR, _new("full")),
    "contiguous": (TENSOR, _same),
    "block_until_ready": (NUMPY, _same),
    "double": (TENSOR, _cast("float64")),
    "float": (TENSOR, _cast("float32")),
    "half": (TENSOR, _cast("float16")),
    "bfloat16": (TENSOR, _cast("bfloat16")),
    "long": (TENSOR, _cast("int64")),
    "int": (TENSOR, _cast("int32")),
    "bool": (TENSOR, _cast("bool")),
    "zero_": (TENSOR, _zero),
    "size": (TENSOR, _size),
    "dim": (TENSOR, lambda x: np.ndim(raw(x))),
    "numel": (TENSOR, lambda x: int(np.size(raw(x)))),
    "nelement": (TENSOR, lambda x: int(np.size(raw(x)))),
    "ndimension": (TENSOR, lambda x: np.ndim(raw(x))),
    "type_as": (TENSOR, _same),
    "cuda": (TENSOR, _same),
    "is_floating_point": (TENSOR, lambda x: "float" in x.dtype),
    "square": (TENSOR, lambda x: lib_numpy.square(x.tr, x)),
    "rsqrt": (TENSOR, lambda x: lib_numpy.rsqrt(x.tr, x)),
    "reciprocal": (TENSOR, lambda x: lib_numpy.reciprocal(x.tr, x)),
    "clamp": (TENSOR, lambda x, min=None, max=None: lib_torch.clamp(x.tr, x, min, max)),
    "clamp_min": (TENSOR, lambda x, min: lib_torch.clamp(x.tr, x, min)),
    "clamp_max": (TENSOR, lambda x, max: lib_torch.clamp(x.tr, x, None, max)),
    "clip": (ARRAY, lambda x, min=None, max=None: lib_torch.clamp(x.tr, x, min, max)),
}  # fmt: skip


def _handled(name: str) -> Callable[..., Any]:
    """A method that does what torch's function of that name does."""
    return lambda x, *args, **kwargs: HANDLERS[f"torch.{name}"](x.tr, x, *args, **kwargs)


METHODS |= {
    name: (TENSOR, _handled(name))
    for name in "sort topk kthvalue median quantile msort cummax cummin masked_select frac fmod remainder nan_to_num "
    "nanmean nansum isnan isfinite isinf allclose equal".split()
}


def get(x: Value, name: str) -> Any:
    """``x.name``.

    Raises:
        AttributeError: there is no such attribute on a value of this kind.
    """
    found = PROPERTIES.get(name)
    if found is not None and x.flavour >= found[0]:
        return found[1](x)
    if name == "size" and NUMPY <= x.flavour < TENSOR:
        return int(np.size(raw(x)))
    method = METHODS.get(name)
    if method is not None and x.flavour >= method[0]:
        run = method[1]
        return lambda *args, **kwargs: run(x, *args, **kwargs)
    if x.flavour >= NUMPY:
        dotted = library_name(x, name)
        if dotted is not None:
            known = dotted
            return lambda *args, **kwargs: call(x.tr, known, x, *args, **kwargs)
        in_place = library_name(x, name[:-1]) if name.endswith("_") and x.flavour == TENSOR else None
        if in_place is not None:
            changing = in_place
            return lambda *args, **kwargs: x.replace(call(x.tr, changing, x, *args, **kwargs))  # type: ignore[attr-defined]
    if x.flavour == TENSOR:
        spelled = SPELLED.get(f"torch.{name}")
        if spelled is not None:
            op = spelled[0].name
            return lambda *args: apply(op, (x, *args))
        spelled = SPELLED.get(f"torch.{name[:-1]}") if name.endswith("_") else None
        if spelled is not None:
            op = spelled[0].name
            return lambda *args: x.replace(apply(op, (x, *args)))  # type: ignore[attr-defined]
    if isinstance(x, Array):
        if name in x.extra:
            return x.extra[name]
        if hasattr(np.ndarray, name) or x.flavour == TENSOR:
            kind = "torch.Tensor" if x.flavour == TENSOR else "numpy.ndarray"
            x.tr.unsupported(f"{kind}.{name}")
    raise AttributeError(f"'{kind_name(x)}' object has no attribute '{name}'")


def put(x: Value, name: str, value: Any) -> None:
    """``x.name = value``."""
    if not isinstance(x, Array):
        raise AttributeError(f"'{kind_name(x)}' object has no attribute '{name}'")
    if isinstance(x, Tensor) and name == "grad":
        if value is not None and not isinstance(value, Tensor):
            raise TypeError("assigned grad has data of a different type")
        x.grad = value
    elif isinstance(x, Tensor) and name == "data":
        node, x.node = x.node, None
        x.replace(value)
        x.node = node
    elif isinstance(x, Tensor) and name == "requires_grad":
        _requires_grad(x, bool(value))
    elif name == "shape" and x.origin is None:
        x.reshaped(call(x.tr, "numpy.reshape", x, value))
    elif name in PROPERTIES or name in METHODS:
        x.tr.unsupported(f"setting {kind_name(x)}.{name}")
    else:
        x.extra[name] = value


def kind_name(x: Value) -> str:
    """The type's name as the script would print it."""
    if isinstance(x, Tensor):
        return "Tensor"
    if isinstance(x, Array):
        return "ndarray"
    if isinstance(x, TracedInt):
        return "int"
    return "float" if isinstance(x, TracedFloat) and x.flavour == FLOAT else "float64"
