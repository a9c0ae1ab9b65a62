"""``torch.distributions`` as a traced script has it: what is drawn is data, the rest is written in torch's functions.

This text is never imported: like ``nn_modules`` it is run in the sandbox, with the script's own rights. Two helpers
come from outside: ``drawn`` (numbers from a generator) and ``held`` (the numbers of a value, as data).
"""

# mypy: ignore-errors
# ruff: noqa: F821, ARG002

import math

import torch


def tensor_of(value):
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def float_of(value):
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(float(value))


def given(value):
    return [value] if isinstance(value, int) else list(value)


class Distribution:
    name = "a distribution"

    def parameters_of(self, *values):
        """The parameters as tensors of one shape, which is the batch's."""
        self.shape = tuple((sum([float_of(v) for v in values[1:]], float_of(values[0]))).shape)
        self.batch_shape, self.event_shape = self.shape, ()
        return [float_of(v) for v in values]

    def sample(self, sample_shape=()):
        return drawn(self.name, (*given(sample_shape), *self.shape), *self.numbers())

    def sample_n(self, n):
        return self.sample((n,))

    def rsample(self, sample_shape=()):
        raise NotImplementedError("rsample of " + self.name)

    def entropy(self):
        raise NotImplementedError("the entropy of " + self.name)

    def cdf(self, value):
        raise NotImplementedError("the cdf of " + self.name)

    def icdf(self, value):
        raise NotImplementedError("the icdf of " + self.name)

    def numbers(self):
        raise NotImplementedError("a sample of " + self.name)

    @property
    def stddev(self):
        return torch.sqrt(self.variance)


class Normal(Distribution):
    name = "normal"

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = self.parameters_of(loc, scale)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def stddev(self):
        return self.scale

    @property
    def variance(self):
        return self.scale**2

    def numbers(self):
        return (self.loc, self.scale)

    def rsample(self, sample_shape=()):
        eps = drawn("normal", (*given(sample_shape), *self.shape), 0.0, 1.0)
        return self.loc + eps * self.scale

    def log_prob(self, value):
        return -((tensor_of(value) - self.loc) ** 2) / (2 * self.scale**2) - torch.log(self.scale) - math.log(
            math.sqrt(2 * math.pi)
        )

    def cdf(self, value):
        return 0.5 * (1 + torch.erf((tensor_of(value) - self.loc) / (self.scale * math.sqrt(2))))

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + torch.log(self.scale) + torch.zeros(self.shape)


class LogNormal(Normal):
    name = "lognormal"

    @property
    def mean(self):
        return torch.exp(self.loc + self.scale**2 / 2)

    @property
    def mode(self):
        return torch.exp(self.loc - self.scale**2)

    @property
    def variance(self):
        return (torch.exp(self.scale**2) - 1) * torch.exp(2 * self.loc + self.scale**2)

    @property
    def stddev(self):
        return torch.sqrt(self.variance)

    def cdf(self, value):
        return Normal(self.loc, self.scale).cdf(torch.log(tensor_of(value)))

    def rsample(self, sample_shape=()):
        return torch.exp(Normal(self.loc, self.scale).rsample(sample_shape))

    def log_prob(self, value):
        logs = torch.log(tensor_of(value))
        return Normal(self.loc, self.scale).log_prob(logs) - logs

    def entropy(self):
        return Normal(self.loc, self.scale).entropy() + self.loc


class Laplace(Distribution):
    name = "laplace"

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = self.parameters_of(loc, scale)

    @property
    def mean(self):
        return self.loc

    @property
    def variance(self):
        return 2 * self.scale**2

    def numbers(self):
        return (self.loc, self.scale)

    def rsample(self, sample_shape=()):
        return self.loc + drawn("laplace", (*given(sample_shape), *self.shape), 0.0, 1.0) * self.scale

    def log_prob(self, value):
        return -torch.log(2 * self.scale) - torch.abs(tensor_of(value) - self.loc) / self.scale

    def entropy(self):
        return 1 + torch.log(2 * self.scale) + torch.zeros(self.shape)


class Uniform(Distribution):
    name = "uniform"

    def __init__(self, low, high, validate_args=None):
        self.low, self.high = self.parameters_of(low, high)

    @property
    def mean(self):
        return (self.high + self.low) / 2

    @property
    def variance(self):
        return (self.high - self.low) ** 2 / 12

    def numbers(self):
        return (self.low, self.high)

    def rsample(self, sample_shape=()):
        return self.low + drawn("uniform", (*given(sample_shape), *self.shape), 0.0, 1.0) * (self.high - self.low)

    def log_prob(self, value):
        value = tensor_of(value)
        if bool(torch.any(value < self.low)) or bool(torch.any(value >= self.high)):
            raise NotImplementedError("log_prob of Uniform outside its support")
        return -torch.log(self.high - self.low) + torch.zeros(value.shape)

    def entropy(self):
        return torch.log(self.high - self.low)


class Exponential(Distribution):
    name = "exponential"

    def __init__(self, rate, validate_args=None):
        (self.rate,) = self.parameters_of(rate)

    @property
    def mean(self):
        return 1 / self.rate

    @property
    def variance(self):
        return self.rate**-2

    def numbers(self):
        return (1 / self.rate,)

    def rsample(self, sample_shape=()):
        return drawn("exponential", (*given(sample_shape), *self.shape), 1.0) / self.rate

    def log_prob(self, value):
        return torch.log(self.rate) - self.rate * tensor_of(value)

    def cdf(self, value):
        return 1 - torch.exp(-self.rate * tensor_of(value))

    def entropy(self):
        return 1 - torch.log(self.rate)


class Gamma(Distribution):
    name = "gamma"

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = self.parameters_of(concentration, rate)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def variance(self):
        return self.concentration / self.rate**2

    def numbers(self):
        return (self.concentration, 1 / self.rate)

    def log_prob(self, value):
        value, a = tensor_of(value), self.concentration
        return a * torch.log(self.rate) + (a - 1) * torch.log(value) - self.rate * value - torch.lgamma(a)

    def entropy(self):
        a = self.concentration
        return a - torch.log(self.rate) + torch.lgamma(a) + (1 - a) * torch.digamma(a)


class Beta(Distribution):
    name = "beta"

    def __init__(self, concentration1, concentration0, validate_args=None):
        self.concentration1, self.concentration0 = self.parameters_of(concentration1, concentration0)

    @property
    def mean(self):
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self):
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def numbers(self):
        return (self.concentration1, self.concentration0)

    def log_prob(self, value):
        value, a, b = tensor_of(value), self.concentration1, self.concentration0
        return (a - 1) * torch.log(value) + (b - 1) * torch.log(1 - value) - self.logarithm()

    def logarithm(self):
        a, b = self.concentration1, self.concentration0
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        return self.logarithm() - (a - 1) * torch.digamma(a) - (b - 1) * torch.digamma(b) + (
            a + b - 2
        ) * torch.digamma(a + b)


class StudentT(Distribution):
    name = "standard_t"

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = self.parameters_of(df, loc, scale)

    def log_prob(self, value):
        y, df = (tensor_of(value) - self.loc) / self.scale, self.df
        constant = torch.log(self.scale) + 0.5 * torch.log(df) + 0.5 * math.log(math.pi)
        constant = constant + torch.lgamma(0.5 * df) - torch.lgamma(0.5 * (df + 1))
        return -0.5 * (df + 1) * torch.log1p(y**2 / df) - constant
