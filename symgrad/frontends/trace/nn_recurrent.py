"""``torch.nn`` as a traced script has it. Recurrent cells and layers. See ``nn_modules``."""

# mypy: ignore-errors
# ruff: noqa: F821

import math

import torch
import torch.nn.functional as F


class RNNCell(Module):
    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh"):
        bound = 1 / math.sqrt(hidden_size)
        self.hidden_size, self.rectified = hidden_size, nonlinearity.startswith("r")
        self.weight_ih = made((hidden_size, input_size), bound)
        self.weight_hh = made((hidden_size, hidden_size), bound)
        self.bias_ih = made((hidden_size,), bound) if bias else None
        self.bias_hh = made((hidden_size,), bound) if bias else None

    def forward(self, input, hx=None):
        if hx is None:
            hx = torch.zeros(*input.shape[:-1], self.hidden_size)
        raw = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(hx, self.weight_hh, self.bias_hh)
        return torch.relu(raw) if self.rectified else torch.tanh(raw)


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
        self.hidden_size, self.rectified, self.batch_first = hidden_size, nonlinearity.startswith("r"), batch_first
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
            h = torch.relu(raw) if self.rectified else torch.tanh(raw)
            out.append(h)
        return torch.stack(out, time), h.unsqueeze(0)
