"""``torch.nn``, ``torch.optim`` and ``torch.autograd.Function`` as a traced script has them.

This text is never imported: it is rewritten and run in the sandbox beside the script, with the script's own rights, so
that a layer is a class like any other. Its parameters are inputs of the graph, what it computes stands where the
script calls it. Three helpers come from outside: ``fields_of`` (the attributes of an object), ``on_tape`` (what links
a Function to autograd) and ``is_tracked``.
"""

# mypy: ignore-errors
# ruff: noqa: ANN, D, F821, ARG002, E741, N806, PLR0913

import math

import torch
import torch.nn.functional as F


class Module:
    training = True

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def forward(self, *args):
        raise NotImplementedError("a Module without forward")

    def named_parameters(self, prefix="", recurse=True):
        for name, value in fields_of(self):
            if is_tracked(value):
                yield prefix + name, value
            elif isinstance(value, Module):
                for inner in value.named_parameters(prefix + name + "."):
                    yield inner
            elif isinstance(value, ParameterList):
                for n, p in enumerate(value.items_):
                    yield prefix + name + "." + str(n), p

    def parameters(self, recurse=True):
        for _, value in self.named_parameters():
            yield value

    def children(self):
        for _, value in fields_of(self):
            if isinstance(value, Module):
                yield value

    def named_children(self):
        for name, value in fields_of(self):
            if isinstance(value, Module):
                yield name, value

    def modules(self):
        yield self
        for child in self.children():
            for inner in child.modules():
                yield inner

    def zero_grad(self, set_to_none=True):
        for p in self.parameters():
            p.grad = None

    def train(self, mode=True):
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def apply(self, function):
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def register_buffer(self, name, value, persistent=True):
        setattr(self, name, value)

    def register_parameter(self, name, value):
        setattr(self, name, value)

    def requires_grad_(self, flag=True):
        for p in self.parameters():
            p.requires_grad_(flag)
        return self

    def double(self):
        return self

    def float(self):
        return self

    def cpu(self):
        return self

    def to(self, *args, **kwargs):
        return self

    def state_dict(self):
        return dict(self.named_parameters())


def made(shape, bound):
    return torch.nn.Parameter((torch.rand(*shape) * 2 - 1) * bound)


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        bound = 1 / math.sqrt(max(in_features, 1))
        self.in_features, self.out_features = in_features, out_features
        self.weight = made((out_features, in_features), bound)
        self.bias = made((out_features,), bound) if bias else None

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)


class Identity(Module):
    def forward(self, input):
        return input


class Flatten(Module):
    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        return torch.flatten(input, self.start_dim, self.end_dim)


class ReLU(Module):
    def forward(self, input):
        return torch.relu(input)


class Tanh(Module):
    def forward(self, input):
        return torch.tanh(input)


class Sigmoid(Module):
    def forward(self, input):
        return torch.sigmoid(input)


class SiLU(Module):
    def forward(self, input):
        return F.silu(input)


class Softplus(Module):
    def forward(self, input):
        return F.softplus(input)


class ELU(Module):
    def __init__(self, alpha=1.0, inplace=False):
        self.alpha = alpha

    def forward(self, input):
        return F.elu(input, self.alpha)


class LeakyReLU(Module):
    def __init__(self, negative_slope=0.01, inplace=False):
        self.negative_slope = negative_slope

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope)


class GELU(Module):
    def __init__(self, approximate="none"):
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)


class Softmax(Module):
    def __init__(self, dim=None):
        self.dim = dim

    def forward(self, input):
        return torch.softmax(input, dim=-1 if self.dim is None else self.dim)


class LogSoftmax(Module):
    def __init__(self, dim=None):
        self.dim = dim

    def forward(self, input):
        return torch.log_softmax(input, dim=-1 if self.dim is None else self.dim)


class Dropout(Module):
    def __init__(self, p=0.5, inplace=False):
        self.p = p

    def forward(self, input):
        return F.dropout(input, self.p, self.training)


class Embedding(Module):
    def __init__(self, num_embeddings, embedding_dim, padding_idx=None):
        self.weight = torch.nn.Parameter(torch.randn(num_embeddings, embedding_dim))

    def forward(self, input):
        return F.embedding(input, self.weight)


class LayerNorm(Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        self.shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.weight = torch.nn.Parameter(torch.ones(*self.shape)) if elementwise_affine else None
        self.bias = torch.nn.Parameter(torch.zeros(*self.shape)) if elementwise_affine and bias else None

    def forward(self, input):
        return F.layer_norm(input, self.shape, self.weight, self.bias, self.eps)


class BatchNorm1d(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True):
        self.eps = eps
        self.weight = torch.nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = torch.nn.Parameter(torch.zeros(num_features)) if affine else None
        self.running_mean, self.running_var = torch.zeros(num_features), torch.ones(num_features)

    def forward(self, input):
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, self.training,
                            eps=self.eps)  # fmt: skip


class BatchNorm2d(BatchNorm1d):
    pass


def pair_of(value):
    return (value, value) if isinstance(value, int) else tuple(value)


class Conv2d(Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        self.stride, self.padding = stride, padding
        size = pair_of(kernel_size)
        bound = 1 / math.sqrt(in_channels * size[0] * size[1])
        self.weight = made((out_channels, in_channels, *size), bound)
        self.bias = made((out_channels,), bound) if bias else None

    def forward(self, input):
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding)


class Conv1d(Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        self.stride, self.padding = stride, padding
        bound = 1 / math.sqrt(in_channels * kernel_size)
        self.weight = made((out_channels, in_channels, kernel_size), bound)
        self.bias = made((out_channels,), bound) if bias else None

    def forward(self, input):
        return F.conv1d(input, self.weight, self.bias, self.stride, self.padding)


class MaxPool2d(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, input):
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding)


class AvgPool2d(MaxPool2d):
    def forward(self, input):
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding)


class Sequential(Module):
    def __init__(self, *layers):
        if len(layers) == 1 and isinstance(layers[0], dict):
            layers = tuple(layers[0].values())
        for n, layer in enumerate(layers):
            setattr(self, str(n), layer)
        self.count = len(layers)

    def __len__(self):
        return self.count

    def __iter__(self):
        return iter([getattr(self, str(n)) for n in range(self.count)])

    def __getitem__(self, n):
        return getattr(self, str(n % self.count))

    def forward(self, input):
        for layer in self:
            input = layer(input)
        return input


class ModuleList(Module):
    def __init__(self, layers=()):
        self.count = 0
        for layer in layers:
            self.append(layer)

    def append(self, layer):
        setattr(self, str(self.count), layer)
        self.count = self.count + 1
        return self

    def __len__(self):
        return self.count

    def __iter__(self):
        return iter([getattr(self, str(n)) for n in range(self.count)])

    def __getitem__(self, n):
        return getattr(self, str(n % self.count))


class ModuleDict(Module):
    def __init__(self, layers=None):
        self.keys_ = []
        for name, layer in (layers or {}).items():
            self[name] = layer

    def __setitem__(self, name, layer):
        self.keys_.append(name)
        setattr(self, name, layer)

    def __getitem__(self, name):
        return getattr(self, name)


class ParameterList:
    def __init__(self, items=()):
        self.items_ = list(items)

    def __getitem__(self, n):
        return self.items_[n]

    def __len__(self):
        return len(self.items_)

    def __iter__(self):
        return iter(self.items_)


class RNNCell(Module):
    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh"):
        bound = 1 / math.sqrt(hidden_size)
        self.hidden_size, self.nonlinearity = hidden_size, nonlinearity
        self.weight_ih = made((hidden_size, input_size), bound)
        self.weight_hh = made((hidden_size, hidden_size), bound)
        self.bias_ih = made((hidden_size,), bound) if bias else None
        self.bias_hh = made((hidden_size,), bound) if bias else None

    def forward(self, input, hx=None):
        if hx is None:
            hx = torch.zeros(*input.shape[:-1], self.hidden_size)
        raw = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(hx, self.weight_hh, self.bias_hh)
        return torch.tanh(raw) if self.nonlinearity == "tanh" else torch.relu(raw)


class LSTMCell(Module):
    def __init__(self, input_size, hidden_size, bias=True):
        bound = 1 / math.sqrt(hidden_size)
        self.hidden_size = hidden_size
        self.weight_ih = made((4 * hidden_size, input_size), bound)
        self.weight_hh = made((4 * hidden_size, hidden_size), bound)
        self.bias_ih = made((4 * hidden_size,), bound) if bias else None
        self.bias_hh = made((4 * hidden_size,), bound) if bias else None

    def forward(self, input, hx=None):
        if hx is None:
            zeros = torch.zeros(*input.shape[:-1], self.hidden_size)
            hx = (zeros, zeros)
        h, c = hx
        raw = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = torch.chunk(raw, 4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class GRUCell(Module):
    def __init__(self, input_size, hidden_size, bias=True):
        bound = 1 / math.sqrt(hidden_size)
        self.hidden_size = hidden_size
        self.weight_ih = made((3 * hidden_size, input_size), bound)
        self.weight_hh = made((3 * hidden_size, hidden_size), bound)
        self.bias_ih = made((3 * hidden_size,), bound) if bias else None
        self.bias_hh = made((3 * hidden_size,), bound) if bias else None

    def forward(self, input, hx=None):
        if hx is None:
            hx = torch.zeros(*input.shape[:-1], self.hidden_size)
        a = torch.chunk(F.linear(input, self.weight_ih, self.bias_ih), 3, -1)
        b = torch.chunk(F.linear(hx, self.weight_hh, self.bias_hh), 3, -1)
        r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
        n = torch.tanh(a[2] + r * b[2])
        return (1 - z) * n + z * hx


class RNN(Module):
    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False):
        if num_layers != 1:
            raise NotImplementedError("an RNN of several layers")
        bound = 1 / math.sqrt(hidden_size)
        self.hidden_size, self.nonlinearity, self.batch_first = hidden_size, nonlinearity, batch_first
        self.weight_ih_l0 = made((hidden_size, input_size), bound)
        self.weight_hh_l0 = made((hidden_size, hidden_size), bound)
        self.bias_ih_l0 = made((hidden_size,), bound) if bias else None
        self.bias_hh_l0 = made((hidden_size,), bound) if bias else None

    def forward(self, input, hx=None):
        time = 1 if self.batch_first and input.dim() == 3 else 0
        steps = torch.unbind(input, time)
        h = torch.zeros(*steps[0].shape[:-1], self.hidden_size) if hx is None else hx[0]
        out = []
        for x in steps:
            raw = F.linear(x, self.weight_ih_l0, self.bias_ih_l0) + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
            h = torch.tanh(raw) if self.nonlinearity == "tanh" else torch.relu(raw)
            out.append(h)
        return torch.stack(out, time), h.unsqueeze(0)


class MSELoss(Module):
    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        self.reduction = "sum" if size_average is False else reduction

    def forward(self, input, target):
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(MSELoss):
    def forward(self, input, target):
        return F.l1_loss(input, target, reduction=self.reduction)


class BCELoss(Module):
    def __init__(self, weight=None, reduction="mean"):
        self.reduction = reduction

    def forward(self, input, target):
        return F.binary_cross_entropy(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(BCELoss):
    def forward(self, input, target):
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction)


class NLLLoss(BCELoss):
    def forward(self, input, target):
        return F.nll_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(Module):
    def __init__(self, weight=None, reduction="mean", label_smoothing=0.0):
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def forward(self, input, target):
        return F.cross_entropy(input, target, reduction=self.reduction, label_smoothing=self.label_smoothing)


# --- torch.optim --------------------------------------------------------------------------------------------------


class Optimizer:
    def __init__(self, params, lr=1e-3, momentum=0.0, weight_decay=0.0, **other):
        self.params = [p for group in params for p in (group["params"] if isinstance(group, dict) else [group])]
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.state = {}

    def zero_grad(self, set_to_none=True):
        for p in self.params:
            p.grad = None

    def step(self, closure=None):
        with torch.no_grad():
            for n, p in enumerate(self.params):
                if p.grad is not None:
                    p -= self.lr * self.direction(n, p.grad.data)


class SGD(Optimizer):
    def direction(self, n, g):
        if not self.momentum:
            return g
        self.state[n] = g if n not in self.state else self.momentum * self.state[n] + g
        return self.state[n]


class Adam(Optimizer):
    def direction(self, n, g):
        m, v, t = self.state.get(n, (0.0, 0.0, 0))
        m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
        self.state[n] = (m, v, t)
        return (m / (1 - 0.9**t)) / (torch.sqrt(v / (1 - 0.999**t)) + 1e-8)


class AdamW(Adam):
    pass


# --- torch.autograd.Function --------------------------------------------------------------------------------------


class FunctionContext:
    def __init__(self):
        self.saved_tensors = ()

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    @property
    def saved_variables(self):
        return self.saved_tensors

    def mark_dirty(self, *tensors):
        pass

    def mark_non_differentiable(self, *tensors):
        pass

    def set_materialize_grads(self, value):
        pass


class Function:
    setup_context = None

    @classmethod
    def apply(cls, *args):
        ctx = FunctionContext()
        ctx.needs_input_grad = tuple([is_tracked(a) for a in args])
        with torch.no_grad():
            if cls.setup_context is not None:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        return on_tape(output, args, lambda *grads: cls.backward(ctx, *grads), cls.__name__)
