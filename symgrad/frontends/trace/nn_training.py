"""``torch.optim``, and ``torch.autograd.Function``, as a traced script has them. See ``nn_modules``."""

# mypy: ignore-errors
# ruff: noqa: F821, ARG001, ARG002

import torch


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


class CustomOp:
    """What ``@torch.library.custom_op`` makes of a function: it may be given a backward of its own."""

    def __init__(self, function):
        self.function, self.backward, self.setup = function, None, None

    def __call__(self, *args, **named):
        given = (*args, *named.values())
        if self.backward is None:
            return self.function(*args, **named)
        ctx = FunctionContext()
        ctx.needs_input_grad = tuple([is_tracked(a) for a in given])
        with torch.no_grad():
            output = self.function(*args, **named)
            if self.setup is not None:
                self.setup(ctx, given, output)
        return on_tape(output, given, lambda *grads: self.backward(ctx, *grads), "op")

    def register_autograd(self, backward, setup_context=None, **other):
        self.backward, self.setup = backward, setup_context

    def register_fake(self, function):
        return function

    def register_kernel(self, device_types, function=None):
        return self.register_fake if function is None else function


def custom_op(name, fn=None, **options):
    return CustomOp if fn is None else CustomOp(fn)
