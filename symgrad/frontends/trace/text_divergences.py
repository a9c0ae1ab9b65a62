"""``torch.distributions`` as a traced script has it: of whole numbers and of several, and divergences. See
``text_distributions``, of which this is the rest."""

# mypy: ignore-errors
# ruff: noqa: F821, ARG002

import math

import torch


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
