"""``torch.nn`` as a traced script has it. What a module is, and modules of modules: ``Sequential``, ``ModuleList``.

This text and those of the other ``nn_`` modules are one module to the script, and never imported: they are rewritten
and run in the sandbox beside the script, with the script's own rights, so
that a layer is a class like any other. Its parameters are inputs of the graph, what it computes stands where the
script calls it. Three helpers come from outside: ``fields_of`` (the attributes of an object), ``on_tape`` (what links
a Function to autograd) and ``is_tracked``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, ARG002, UP028

import torch


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
            if is_tracked(value) and value.is_leaf:  # what forward keeps for backward is none
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
