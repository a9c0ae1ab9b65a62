"""``torch.nn`` as a traced script has it. Layers: linear, activations, normalisation, convolution, pooling."""

# mypy: ignore-errors
# ruff: noqa: F821, ARG002

import math

import torch
import torch.nn.functional as F


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
    def __init__(self, beta=1.0, threshold=20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)


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
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True
    ):
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        size = pair_of(kernel_size)
        bound = 1 / math.sqrt(in_channels // groups * size[0] * size[1])
        self.weight = made((out_channels, in_channels // groups, *size), bound)
        self.bias = made((out_channels,), bound) if bias else None

    def forward(self, input):
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Conv1d(Module):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True
    ):
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        bound = 1 / math.sqrt(in_channels // groups * kernel_size)
        self.weight = made((out_channels, in_channels // groups, kernel_size), bound)
        self.bias = made((out_channels,), bound) if bias else None

    def forward(self, input):
        return F.conv1d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class MaxPool2d(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, input):
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding)


class AvgPool2d(MaxPool2d):
    def forward(self, input):
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding)
