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


class Poisson(Distribution):
    name = "poisson"

    def __init__(self, rate, validate_args=None):
        (self.rate,) = self.parameters_of(rate)

    @property
    def mean(self):
        return self.rate

    @property
    def variance(self):
        return self.rate

    def numbers(self):
        return (self.rate,)

    def log_prob(self, value):
        value = tensor_of(value)
        return torch.xlogy(value, self.rate) - self.rate - torch.lgamma(value + 1)


class OfLogits(Distribution):
    """Of probabilities or of logits, whichever the script gives."""

    def settle(self, probs, logits):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self.by_logits = probs is None

    def set_binary(self, probs, logits):
        self.settle(probs, logits)
        (value,) = self.parameters_of(logits if self.by_logits else probs)
        self.logits = value if self.by_logits else torch.log(value / (1 - value))
        self.probs = torch.sigmoid(value) if self.by_logits else value

    def logs(self):
        """The logarithms of the probabilities of 1 and of 0."""
        if self.by_logits:
            return torch.nn.functional.logsigmoid(self.logits), torch.nn.functional.logsigmoid(-self.logits)
        return torch.log(self.probs), torch.log(1 - self.probs)


class Bernoulli(OfLogits):
    name = "bernoulli"

    def __init__(self, probs=None, logits=None, validate_args=None):
        self.set_binary(probs, logits)

    @property
    def mean(self):
        return self.probs

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def numbers(self):
        return (self.probs,)

    def log_prob(self, value):
        value, (one, zero) = tensor_of(value), self.logs()
        return value * one + (1 - value) * zero

    def entropy(self):
        one, zero = self.logs()
        return -(self.probs * one + (1 - self.probs) * zero)


class Binomial(OfLogits):
    name = "binomial"

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        self.set_binary(probs, logits)
        self.total_count = float_of(total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def numbers(self):
        return (self.total_count, self.probs)

    def log_prob(self, value):
        value, n, (one, zero) = tensor_of(value), self.total_count, self.logs()
        ways = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        return ways + value * one + (n - value) * zero


class Geometric(OfLogits):
    name = "geometric"

    def __init__(self, probs=None, logits=None, validate_args=None):
        self.set_binary(probs, logits)

    @property
    def mean(self):
        return 1 / self.probs - 1

    def log_prob(self, value):
        one, zero = self.logs()
        return tensor_of(value) * zero + one


class Categorical(OfLogits):
    name = "categorical"

    def __init__(self, probs=None, logits=None, validate_args=None):
        self.settle(probs, logits)
        if self.by_logits:
            self.logits = torch.log_softmax(logits, -1)
            self.probs = torch.softmax(logits, -1)
        else:
            self.probs = probs / torch.sum(probs, -1, keepdim=True)
            self.logits = torch.log(self.probs)
        self.shape = tuple(self.probs.shape[:-1])
        self.batch_shape, self.event_shape, self.count = self.shape, (), self.probs.shape[-1]

    def numbers(self):
        return (self.probs,)

    def log_prob(self, value):
        value = tensor_of(value).long()
        shape = tuple((held(value) + torch.zeros(self.shape)).shape)
        logits = torch.broadcast_to(self.logits, (*shape, self.count))
        return torch.gather(logits, -1, torch.broadcast_to(value, shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self):
        return -torch.sum(self.probs * self.logits, -1)


class Independent(Distribution):
    """The last axes of a batch taken as one event."""

    def __init__(self, base_distribution, reinterpreted_batch_ndims, validate_args=None):
        self.base_dist, self.count = base_distribution, reinterpreted_batch_ndims
        self.shape = base_distribution.shape
        keep = len(self.shape) - self.count
        self.batch_shape, self.event_shape = self.shape[:keep], self.shape[keep:]

    @property
    def mean(self):
        return self.base_dist.mean

    @property
    def variance(self):
        return self.base_dist.variance

    def sample(self, sample_shape=()):
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape)

    def summed(self, value):
        return torch.sum(value, tuple(range(-self.count, 0))) if self.count else value

    def log_prob(self, value):
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self):
        return self.summed(self.base_dist.entropy())


class MultivariateNormal(Distribution):
    """Of one covariance matrix, or of its Cholesky factor."""

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        if precision_matrix is not None or (covariance_matrix is None and scale_tril is None):
            raise NotImplementedError("MultivariateNormal of anything but covariance_matrix or scale_tril")
        self.loc = loc
        self.scale_tril = torch.linalg.cholesky(covariance_matrix) if scale_tril is None else scale_tril
        self.shape = tuple(loc.shape)
        self.batch_shape, self.event_shape = self.shape[:-1], self.shape[-1:]

    @property
    def mean(self):
        return self.loc

    @property
    def covariance_matrix(self):
        return self.scale_tril @ self.scale_tril.T

    def rsample(self, sample_shape=()):
        eps = drawn("normal", (*given(sample_shape), *self.shape), 0.0, 1.0)
        return self.loc + eps @ self.scale_tril.T

    def sample(self, sample_shape=()):
        return held(self.rsample(sample_shape))

    def half_logdet(self):
        return torch.sum(torch.log(torch.diagonal(self.scale_tril)))

    def log_prob(self, value):
        apart = value - self.loc
        white = torch.linalg.solve_triangular(self.scale_tril, apart.reshape(-1, self.shape[-1]).T, upper=False)
        squares = torch.sum(white**2, 0).reshape(tuple(apart.shape[:-1]))
        return -0.5 * (self.shape[-1] * math.log(2 * math.pi) + squares) - self.half_logdet()

    def entropy(self):
        return 0.5 * self.shape[-1] * (1 + math.log(2 * math.pi)) + self.half_logdet()


def kl_divergence(p, q):
    for kind, divergence in DIVERGENCES:
        if type(p) is kind and type(q) is kind:
            return divergence(p, q)
    raise NotImplementedError("kl_divergence of these distributions")


def kl_normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - torch.log(ratio))


def kl_laplace(p, q):
    ratio, apart = p.scale / q.scale, torch.abs(p.loc - q.loc)
    return -torch.log(ratio) + apart / q.scale + ratio * torch.exp(-apart / p.scale) - 1


def kl_exponential(p, q):
    ratio = q.rate / p.rate
    return -torch.log(ratio) + ratio - 1


def kl_gamma(p, q):
    a, b = p.concentration, q.concentration
    first = b * torch.log(p.rate / q.rate) + torch.lgamma(b) - torch.lgamma(a)
    return first + (a - b) * torch.digamma(a) + (q.rate - p.rate) * (a / p.rate)


def kl_beta(p, q):
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    first = q.logarithm() - p.logarithm() + (a - c) * torch.digamma(a) + (b - d) * torch.digamma(b)
    return first + (c - a + d - b) * torch.digamma(a + b)


def kl_poisson(p, q):
    return p.rate * torch.log(p.rate / q.rate) - (p.rate - q.rate)


def kl_bernoulli(p, q):
    (p1, p0), (q1, q0) = p.logs(), q.logs()
    return p.probs * (p1 - q1) + (1 - p.probs) * (p0 - q0)


def kl_categorical(p, q):
    return torch.sum(p.probs * (p.logits - q.logits), -1)


def kl_independent(p, q):
    return p.summed(kl_divergence(p.base_dist, q.base_dist))


DIVERGENCES = (
    (Normal, kl_normal), (LogNormal, kl_normal), (Laplace, kl_laplace), (Exponential, kl_exponential),
    (Gamma, kl_gamma), (Beta, kl_beta), (Poisson, kl_poisson), (Bernoulli, kl_bernoulli),
    (Categorical, kl_categorical), (Independent, kl_independent),
)  # fmt: skip
