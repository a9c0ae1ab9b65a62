"""Names of ``torch`` that are not ops of the table. torch itself is never imported here."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace import autograd
from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.lib_numpy import Nothing, clip
from symgrad.frontends.trace.numpy_types import dtype_name, size_of
from symgrad.frontends.trace.registry import CONSTANTS, HANDLERS, Facade, Marker, as_array, constant, lift, traced
from symgrad.frontends.trace.shaped import call
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import TENSOR, TracedInt, Value, apply

for _name in (
    "float64",
    "double",
    "float32",
    "float",
    "float16",
    "half",
    "bfloat16",
    "int64",
    "long",
    "int32",
    "int",
    "bool",
):

    def _dtype(tr: Tracer, name: str = _name) -> Any:
        return Marker(f"torch.{name}", lambda x: False)

    CONSTANTS[f"torch.{_name}"] = _dtype


@constant("torch.Tensor", "torch.FloatTensor", "torch.DoubleTensor")
def _tensor_type(tr: Tracer) -> Any:
    return Marker("torch.Tensor", lambda x: isinstance(x, Tensor), lambda value=0.0: tensor(tr, value))


@constant("torch.nn.Parameter")
def _parameter(tr: Tracer) -> Any:
    def make(value: Any, requires_grad: Any = True) -> Any:
        return tensor(tr, value, requires_grad=requires_grad)

    return Marker("torch.nn.Parameter", lambda x: isinstance(x, Tensor), make)


@traced("torch.tensor", "torch.as_tensor", "torch.from_numpy", "torch.scalar_tensor")
def tensor(
    tr: Tracer, data: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False, **options: Any
) -> Any:
    """A new tensor off the tape. Made from a traced value it is the same step: the same number, named again."""
    step: int | None = None
    if isinstance(data, Value):
        step = data.place if data.step is not None or hasattr(data, "exact") else None
        whole = isinstance(data, TracedInt)
        default = data.dtype if isinstance(data, Array) else "int64" if whole else tr.default_dtype
        values = np.asarray(raw(data))
    else:
        made_of = as_array(tr, data)
        values, step = made_of.data, made_of.step
        default = {"i": "int64", "b": "bool"}.get(np.asarray(values).dtype.kind, tr.default_dtype)
    name = dtype_name(dtype, default)
    if requires_grad and not name.startswith(("float", "bfloat")):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    made = Tensor(tr, np.array(values, dtype=np.float64 if "float" in name else None), step, name)
    return autograd.track(made) if requires_grad else made


def _filled(name: str, value: float | None) -> None:
    def finish(tr: Tracer, shape: tuple[int, ...], fill: Any, options: dict[str, Any]) -> Any:
        made = Tensor(tr, np.full(shape, float(raw(fill))), dtype=dtype_name(options.get("dtype"), tr.default_dtype))
        return autograd.track(made) if options.get("requires_grad") else made

    def call(tr: Tracer, *args: Any, fill_value: Any = value, **options: Any) -> Any:
        sizes: Any = args
        if value is None and len(args) == 2:
            sizes, fill_value = args
        elif len(args) == 1 and isinstance(args[0], list | tuple):
            sizes = args[0]
        return finish(tr, size_of(tr, sizes), fill_value, options)

    def like(tr: Tracer, model: Any, fill_value: Any = value, **options: Any) -> Any:
        options.setdefault("dtype", model.dtype)
        return finish(tr, np.shape(raw(model)), fill_value, options)

    HANDLERS[f"torch.{name}"] = call
    HANDLERS[f"torch.{name}_like"] = like


_filled("zeros", 0.0)
_filled("ones", 1.0)
_filled("empty", 0.0)
_filled("full", None)


def _draw(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **options: Any) -> Any:
        source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
        shape = args[0] if len(args) == 1 and isinstance(args[0], list | tuple) else args
        made = Tensor(tr, np.asarray(getattr(source, name)(*size_of(tr, shape))), dtype=tr.default_dtype)
        return autograd.track(made) if options.get("requires_grad") else made

    return call


@traced("torch.Generator")
def _generator(tr: Tracer, *args: Any, **options: Any) -> Any:
    return Facade(tr, "torch.Generator")


@traced("torch.Generator.manual_seed")
def _seeded(tr: Tracer, seed: Any = 0) -> Any:
    _seed(tr, seed)
    return Facade(tr, "torch.Generator")


@traced("torch.randint")
def _randint(tr: Tracer, low: Any, high: Any, size: Any = None, **options: Any) -> Any:
    if size is None:
        low, high, size = 0, low, high
    source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
    return Tensor(tr, source.randint(int(low), int(high), size_of(tr, size)))


@traced("torch.randperm")
def _randperm(tr: Tracer, n: Any, **options: Any) -> Any:
    source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
    return Tensor(tr, source.permutation(size_of(tr, n)[0]))


HANDLERS["torch.rand"] = _draw("rand")
HANDLERS["torch.randn"] = _draw("randn")


@traced("torch.manual_seed", "torch.random.manual_seed")
def _seed(tr: Tracer, seed: Any = 0) -> None:
    tr.note("torch's random numbers are not reproduced: the trace draws its own")
    tr.__dict__["torch_random"] = np.random.RandomState(int(seed) % 2**32)


@traced("torch.set_default_dtype")
def _default(tr: Tracer, dtype: Any) -> None:
    tr.default_dtype = dtype_name(dtype, "float32")


@traced("torch.set_printoptions", "torch.set_num_threads", "torch.use_deterministic_algorithms")
def _ignored(tr: Tracer, *args: Any, **kwargs: Any) -> None:
    return None


@traced("torch.device")
def _device(tr: Tracer, *args: Any) -> str:
    return "cpu"


@traced("torch.cuda.is_available", "torch.backends.mps.is_available", "torch.cuda.device_count")
def _no_accelerator(tr: Tracer) -> bool:
    return False


@traced("torch.cuda.manual_seed", "torch.cuda.manual_seed_all")
def _nothing(tr: Tracer, *args: Any) -> None:
    return None


@traced("torch.is_tensor")
def _is_tensor(tr: Tracer, x: Any) -> bool:
    return isinstance(x, Tensor)


class NoGrad:
    """``torch.no_grad()``, as a ``with`` block or as a decorator."""

    def __init__(self, tr: Tracer, on: bool = False) -> None:
        self.tr = tr
        self.change = -1 if on else 1

    def __enter__(self) -> None:
        self.before = self.tr.no_grad
        self.tr.no_grad = max(self.change, 0)

    def __exit__(self, *details: object) -> None:
        self.tr.no_grad = self.before

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with NoGrad(self.tr, self.change < 0):
                return function(*args, **kwargs)

        return call


@traced("torch.no_grad", "torch.inference_mode")
def _no_grad(tr: Tracer, *args: Any) -> Any:
    return NoGrad(tr)(args[0]) if args and callable(args[0]) else NoGrad(tr)


@traced("torch.enable_grad")
def _enable_grad(tr: Tracer) -> Any:
    return NoGrad(tr, on=True)


@traced("torch.set_grad_enabled")
def _set_grad_enabled(tr: Tracer, mode: Any) -> Any:
    return NoGrad(tr, on=bool(mode))


@traced("torch.autograd.set_detect_anomaly")
def _anomaly(tr: Tracer, *args: Any) -> Any:
    return Nothing()


HANDLERS["torch.autograd.gradcheck"] = autograd.gradcheck


@traced("torch.nn.functional.dropout")
def _dropout(tr: Tracer, x: Any, p: Any = 0.5, training: Any = True, inplace: Any = False) -> Any:
    """The mask is data: which entries stay is not a matter of derivatives."""
    rate = float(raw(p))
    if not training or rate == 0.0:
        return x
    source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
    mask = (source.uniform(size=np.shape(raw(x))) >= rate) / (1 - rate)
    return x * Tensor(tr, mask, dtype=x.dtype)


def _filled_in_place(name: str) -> None:
    def call(tr: Tracer, tensor: Any, a: Any = None, b: Any = None, **options: Any) -> Any:
        source = tr.__dict__.setdefault("torch_random", np.random.RandomState(0))
        shape = tensor.data.shape
        if name in ("zeros_", "ones_", "constant_"):
            data = np.full(shape, {"zeros_": 0.0, "ones_": 1.0}.get(name, float(raw(a or 0.0))))
        elif name == "normal_":
            data = source.standard_normal(shape) * float(raw(1.0 if b is None else b)) + float(raw(a or 0.0))
        elif name == "uniform_":
            low, high = float(raw(a or 0.0)), float(raw(1.0 if b is None else b))
            data = source.uniform(low, high, shape)
        else:
            data = source.standard_normal(shape) / np.sqrt(max(shape[-1:] or (1,)))
        tensor.recast(np.asarray(data), tensor.dtype)
        if tensor.step is not None:
            tr.values[tensor.step] = tensor.data
        return tensor

    HANDLERS[f"torch.nn.init.{name}"] = call


for _name in (
    "zeros_", "ones_", "constant_", "normal_", "uniform_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
    "kaiming_normal_", "orthogonal_",
):  # fmt: skip
    _filled_in_place(_name)


@traced("torch.autograd.backward")
def _backward(tr: Tracer, tensors: Any, grad_tensors: Any = None, **options: Any) -> None:
    several = isinstance(tensors, list | tuple)
    for i, t in enumerate(tensors if several else [tensors]):
        autograd.backward(t, grad_tensors[i] if several and grad_tensors is not None else grad_tensors)


# --- functions composed of ops ----------------------------------------------------------------------------------


@traced("torch.clamp", "torch.clip")
def clamp(tr: Tracer, x: Any, min: Any = None, max: Any = None) -> Any:
    return clip(tr, x, min, max)


@traced("torch.clamp_min")
def _clamp_min(tr: Tracer, x: Any, min: Any) -> Any:
    return clip(tr, x, min, None)


@traced("torch.clamp_max")
def _clamp_max(tr: Tracer, x: Any, max: Any) -> Any:
    return clip(tr, x, None, max)


@traced("torch.clone")
def _clone(tr: Tracer, x: Any) -> Any:
    return copied(x)


@traced("torch.nn.functional.gelu")
def _gelu(tr: Tracer, x: Any, approximate: Any = "none") -> Any:
    return apply("gelu" if approximate == "none" else "gelu_tanh", (lift(tr, x, TENSOR),), floor=TENSOR)


@traced("torch.nn.functional.softplus")
def _softplus(tr: Tracer, input: Any, beta: Any = 1.0, threshold: Any = 20.0) -> Any:
    """Beyond the threshold torch leaves out what is below 2e-9."""
    if raw(threshold) < 20:
        tr.unsupported("torch.nn.functional.softplus with a threshold below 20")
    if raw(beta) == 1:
        return apply("softplus", (lift(tr, input, TENSOR),), floor=TENSOR)
    return apply("softplus", (lift(tr, input, TENSOR) * beta,), floor=TENSOR) / beta


@traced("torch.nn.functional.hardtanh")
def _hardtanh(tr: Tracer, input: Any, min_val: Any = -1.0, max_val: Any = 1.0, inplace: Any = False) -> Any:
    if (raw(min_val), raw(max_val)) == (-1, 1):
        return apply("hardtanh", (lift(tr, input, TENSOR),), floor=TENSOR)
    return clip(tr, input, min_val, max_val)


@traced("torch.nn.utils.parameters_to_vector")
def _parameters_to_vector(tr: Tracer, parameters: Any) -> Any:
    return call(tr, "torch.cat", [call(tr, "torch.ravel", p) for p in parameters])


@traced("torch.nn.utils.clip_grad_norm_")
def _clip_grad_norm(tr: Tracer, parameters: Any, max_norm: Any, norm_type: Any = 2.0, **options: Any) -> Any:
    """By which number all gradients are made shorter is data."""
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    several = [(p, g) for p in given if (g := autograd.read(p)) is not None]
    sizes = [np.linalg.norm(np.ravel(raw(g)), float(raw(norm_type))) for _, g in several]
    total = float(np.linalg.norm(sizes, float(raw(norm_type)))) if sizes else 0.0
    share = float(raw(max_norm)) / (total + 1e-6)
    for p, gradient in several if share < 1 else ():
        p.grad = gradient * share
    return Tensor(tr, np.asarray(total), dtype=tr.default_dtype)


@traced("torch.nn.functional.one_hot")
def _one_hot(tr: Tracer, x: Any, num_classes: Any = -1) -> Any:
    labels = np.asarray(raw(x)).astype(np.int64)
    classes = int(labels.max()) + 1 if int(num_classes) < 0 else int(num_classes)
    return Tensor(tr, (labels[..., None] == np.arange(classes)).astype(np.int64))


@traced("torch.eye")
def _eye(tr: Tracer, n: Any, m: Any = None, **options: Any) -> Any:
    rows, columns = size_of(tr, (n, n if m is None else m))
    return Tensor(tr, np.eye(rows, columns), dtype=dtype_name(options.get("dtype"), tr.default_dtype))


@traced("torch.linspace")
def _linspace(tr: Tracer, start: Any, end: Any, steps: Any = 100, dtype: Any = None, **options: Any) -> Any:
    data = np.linspace(raw(start), raw(end), size_of(tr, steps)[0])
    made = Tensor(tr, data, dtype=dtype_name(dtype, tr.default_dtype))
    return autograd.track(made) if options.get("requires_grad") else made


@traced("torch.logspace")
def _logspace(tr: Tracer, start: Any, end: Any, steps: Any, base: Any = 10.0, **options: Any) -> Any:
    data = np.logspace(raw(start), raw(end), size_of(tr, steps)[0], base=raw(base))
    return Tensor(tr, data, dtype=dtype_name(options.get("dtype"), tr.default_dtype))


@traced("torch.arange")
def _arange(tr: Tracer, *args: Any, dtype: Any = None, **options: Any) -> Any:
    data = HANDLERS["numpy.arange"](tr, *args).data
    return Tensor(tr, data, dtype=dtype_name(dtype, "int64" if data.dtype.kind == "i" else tr.default_dtype))
