"""``scipy.stats`` as a traced script has it: densities and distribution functions in NumPy's and SciPy's functions.

This text is never imported: like ``nn_modules`` it is run in the sandbox, with the script's own rights. One helper
comes from outside: ``normal_quantile``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, ARG002, B905

import math

import numpy as np
from scipy import special

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Frozen:
    """A distribution with its parameters."""

    def __init__(self, family, args, named):
        self.family, self.args, self.named = family, args, named

    def pdf(self, x):
        return self.family.pdf(x, *self.args, **self.named)

    def logpdf(self, x):
        return self.family.logpdf(x, *self.args, **self.named)

    def pmf(self, k):
        return self.family.pmf(k, *self.args, **self.named)

    def logpmf(self, k):
        return self.family.logpmf(k, *self.args, **self.named)

    def cdf(self, x):
        return self.family.cdf(x, *self.args, **self.named)

    def logcdf(self, x):
        return self.family.logcdf(x, *self.args, **self.named)

    def sf(self, x):
        return self.family.sf(x, *self.args, **self.named)

    def logsf(self, x):
        return self.family.logsf(x, *self.args, **self.named)

    def ppf(self, q):
        return self.family.ppf(q, *self.args, **self.named)

    def mean(self):
        return self.family.mean(*self.args, **self.named)

    def var(self):
        return self.family.var(*self.args, **self.named)

    def std(self):
        return np.sqrt(self.var())

    def rvs(self, size=None, random_state=None):
        return self.family.rvs(*self.args, size=size, random_state=random_state, **self.named)


class Family:
    """Distributions that are moved by ``loc`` and, if continuous, stretched by ``scale``."""

    name, words, least, most, scaled = "", (), -math.inf, math.inf, True

    def __call__(self, *args, **named):
        return Frozen(self, args, named)

    def settled(self, args, named):
        """The shape parameters, ``loc`` and ``scale``."""
        order = (*self.words, "loc", "scale") if self.scaled else (*self.words, "loc")
        if len(args) > len(order):
            raise TypeError("too many parameters of " + self.name)
        found = {"loc": 0, "scale": 1}
        for word, value in (*zip(order, args), *named.items()):
            if word not in order:
                raise TypeError(self.name + " has no parameter " + word)
            found[word] = value if isinstance(value, (int, float)) else np.asarray(value)
        missing = [w for w in self.words if w not in found]
        if missing:
            raise TypeError(self.name + " needs " + ", ".join(missing))
        return [found[w] for w in self.words], found["loc"], found["scale"]

    def standard(self, x, args, named):
        """``(x - loc)/scale``, within the support, with the shape parameters and the scale."""
        shapes, loc, scale = self.settled(args, named)
        z = x if isinstance(x, (int, float)) else np.asarray(x)
        z = z if type(loc) is int and loc == 0 else z - loc
        z = z if type(scale) is int and scale == 1 else z / scale
        if self.least > -math.inf and bool(np.any(z < self.least)):
            raise NotImplementedError(self.name + " outside its support")
        if self.most < math.inf and bool(np.any(z > self.most)):
            raise NotImplementedError(self.name + " outside its support")
        return z, shapes, scale

    def logpdf(self, x, *args, **named):
        z, shapes, scale = self.standard(x, args, named)
        found = self.log_density(z, *shapes)
        return found if type(scale) is int and scale == 1 else found - np.log(scale)

    def pdf(self, x, *args, **named):
        z, shapes, scale = self.standard(x, args, named)
        return self.density(z, *shapes) / scale

    def density(self, z, *shapes):
        return np.exp(self.log_density(z, *shapes))

    def cdf(self, x, *args, **named):
        z, shapes, _ = self.standard(x, args, named)
        return self.below(z, *shapes)

    def sf(self, x, *args, **named):
        z, shapes, _ = self.standard(x, args, named)
        return self.above(z, *shapes)

    def logcdf(self, x, *args, **named):
        return np.log(self.cdf(x, *args, **named))

    def logsf(self, x, *args, **named):
        return np.log(self.sf(x, *args, **named))

    def below(self, z, *shapes):
        raise NotImplementedError("the distribution function of " + self.name)

    def above(self, z, *shapes):
        return 1 - self.below(z, *shapes)

    def ppf(self, q, *args, **named):
        raise NotImplementedError("the quantiles of " + self.name)

    def mean(self, *args, **named):
        raise NotImplementedError("the mean of " + self.name)

    def var(self, *args, **named):
        raise NotImplementedError("the variance of " + self.name)

    def rvs(self, *args, size=None, random_state=None, **named):
        if random_state is not None:
            raise NotImplementedError("rvs with random_state")
        shapes, loc, scale = self.settled(args, named)
        return loc + scale * self.draw(size, *shapes)

    def draw(self, size, *shapes):
        raise NotImplementedError("random numbers of " + self.name)


class Normal(Family):
    name = "norm"

    def log_density(self, z):
        return -(z**2) / 2 - HALF_LOG_2PI

    def density(self, z):
        return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

    def below(self, z):
        return special.ndtr(z)

    def above(self, z):
        return special.ndtr(-z)

    def logcdf(self, x, *args, **named):
        return special.log_ndtr(self.standard(x, args, named)[0])

    def logsf(self, x, *args, **named):
        return special.log_ndtr(-self.standard(x, args, named)[0])

    def ppf(self, q, *args, **named):
        _, loc, scale = self.settled(args, named)
        return loc + scale * normal_quantile(q)

    def isf(self, q, *args, **named):
        return self.ppf(1 - q, *args, **named)

    def mean(self, *args, **named):
        return self.settled(args, named)[1]

    def var(self, *args, **named):
        return self.settled(args, named)[2] ** 2

    def draw(self, size):
        return np.random.normal(size=size)


class LogNormal(Family):
    name, words, least = "lognorm", ("s",), 0.0

    def log_density(self, z, s):
        logs = np.log(z)
        return -(logs**2) / (2 * s**2) - np.log(s) - logs - HALF_LOG_2PI

    def below(self, z, s):
        return special.ndtr(np.log(z) / s)


class Exponential(Family):
    name, least = "expon", 0.0

    def log_density(self, z):
        return -z

    def below(self, z):
        return -np.expm1(-z)

    def above(self, z):
        return np.exp(-z)

    def draw(self, size):
        return np.random.exponential(size=size)


class Gamma(Family):
    name, words, least = "gamma", ("a",), 0.0

    def log_density(self, z, a):
        return special.xlogy(a - 1, z) - z - special.gammaln(a)

    def draw(self, size, a):
        return np.random.standard_gamma(a, size=size)


class InverseGamma(Family):
    name, words, least = "invgamma", ("a",), 0.0

    def log_density(self, z, a):
        return -(a + 1) * np.log(z) - special.gammaln(a) - 1 / z


class ChiSquared(Family):
    name, words, least = "chi2", ("df",), 0.0

    def log_density(self, z, df):
        return special.xlogy(df / 2 - 1, z) - z / 2 - special.gammaln(df / 2) - math.log(2) * df / 2


class Beta(Family):
    name, words, least, most = "beta", ("a", "b"), 0.0, 1.0

    def log_density(self, z, a, b):
        return special.xlogy(a - 1, z) + special.xlog1py(b - 1, -z) - special.betaln(a, b)

    def draw(self, size, a, b):
        return np.random.beta(a, b, size=size)


class StudentT(Family):
    name, words = "t", ("df",)

    def log_density(self, z, df):
        constant = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * np.log(df * math.pi)
        return constant - (df + 1) / 2 * np.log1p(z**2 / df)

    def draw(self, size, df):
        return np.random.standard_t(df, size=size)


class Cauchy(Family):
    name = "cauchy"

    def log_density(self, z):
        return -math.log(math.pi) - np.log1p(z**2)

    def below(self, z):
        return 0.5 + np.arctan(z) / math.pi


class Laplace(Family):
    name = "laplace"

    def log_density(self, z):
        return -math.log(2) - np.abs(z)


class Logistic(Family):
    name = "logistic"

    def log_density(self, z):
        return special.log_expit(z) + special.log_expit(-z)

    def below(self, z):
        return special.expit(z)

    def above(self, z):
        return special.expit(-z)


class Uniform(Family):
    name, least, most = "uniform", 0.0, 1.0

    def log_density(self, z):
        return 0 * z

    def below(self, z):
        return z

    def draw(self, size):
        return np.random.uniform(size=size)


class Counts(Family):
    scaled, least = False, 0.0

    def logpmf(self, k, *args, **named):
        z, shapes, _ = self.standard(k, args, named)
        return self.log_density(z, *shapes)

    def pmf(self, k, *args, **named):
        return np.exp(self.logpmf(k, *args, **named))

    def logpdf(self, x, *args, **named):
        raise AttributeError(self.name + " has no attribute 'logpdf'")

    pdf = logpdf


class Poisson(Counts):
    name, words = "poisson", ("mu",)

    def log_density(self, k, mu):
        return special.xlogy(k, mu) - special.gammaln(k + 1) - mu

    def mean(self, *args, **named):
        return self.settled(args, named)[0][0]

    var = mean

    def draw(self, size, mu):
        return np.random.poisson(mu, size=size)


class Binomial(Counts):
    name, words = "binom", ("n", "p")

    def log_density(self, k, n, p):
        ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        return ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def draw(self, size, n, p):
        return np.random.binomial(n, p, size=size)


class Bernoulli(Counts):
    name, words, most = "bernoulli", ("p",), 1.0

    def log_density(self, k, p):
        return special.xlogy(k, p) + special.xlog1py(1 - k, -p)

    def draw(self, size, p):
        return np.random.binomial(1, p, size=size)


class Geometric(Counts):
    name, words, least = "geom", ("p",), 1.0

    def log_density(self, k, p):
        return special.xlog1py(k - 1, -p) + np.log(p)


class NegativeBinomial(Counts):
    name, words = "nbinom", ("n", "p")

    def log_density(self, k, n, p):
        ways = special.gammaln(n + k) - special.gammaln(k + 1) - special.gammaln(n)
        return ways + n * np.log(p) + special.xlog1py(k, -p)


class MultivariateNormal:
    """Of one mean and one covariance matrix: ``logpdf(x, mean, cov)`` for x of shape (d,) or (n, d)."""

    def __call__(self, *args, **named):
        return Frozen(self, args, named)

    def logpdf(self, x, mean=0, cov=1):
        x, cov = np.asarray(x), np.asarray(cov)
        if cov.ndim != 2:
            raise NotImplementedError("multivariate_normal without a covariance matrix")
        apart = np.reshape(x - mean, (-1, cov.shape[0]))
        squares = np.sum(apart * np.linalg.solve(cov, apart.T).T, axis=1)
        found = -0.5 * (squares + np.linalg.slogdet(cov)[1]) - cov.shape[0] * HALF_LOG_2PI
        return found[0] if x.ndim < 2 else found

    def pdf(self, x, mean=0, cov=1):
        return np.exp(self.logpdf(x, mean, cov))


norm, lognorm, expon, gamma, invgamma, chi2 = (
    Normal(), LogNormal(), Exponential(), Gamma(), InverseGamma(), ChiSquared()
)  # fmt: skip
beta, t, cauchy, laplace, logistic, uniform = Beta(), StudentT(), Cauchy(), Laplace(), Logistic(), Uniform()
poisson, binom, bernoulli, geom, nbinom = Poisson(), Binomial(), Bernoulli(), Geometric(), NegativeBinomial()
multivariate_normal = MultivariateNormal()
