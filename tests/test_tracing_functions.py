"""What traced scripts call by name: orders, quantiles, distributions, layers and losses, held against the libraries.

One script of each theme is traced and run by Python; the numbers that it prints are the same. SciPy is not needed:
its functions are held against torch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import distributions as D

from symgrad.frontends.tracing import trace_source
from tests.slips import found, passes
from tests.test_tracing_arrays import HEAD, TORCH, TX, X, check

DISTRIBUTIONS = "import torch.distributions as D\nfrom torch.distributions import kl_divergence as kl\n"

#: Each name that is bound is compared, and the recorded steps are run again.
SCRIPTS: dict[str, str] = {
    "orders": HEAD + X + """
m = np.median(x); m1 = np.median(x, axis=1, keepdims=True); q = np.quantile(x, [0.2, 0.5], axis=1)
p = np.percentile(x, 30); lo = np.quantile(x, 0.4, method="lower"); mid = np.quantile(x, 0.5, method="midpoint")
""",
    "between points": HEAD + X + """
a = np.interp(x, [-1.0, 0.0, 1.0], [2.0, 1.0, 4.0]); b = np.interp(x[0], x[1][::-1] * 2, w[:, 0], left=-1.0)
s = np.select([x < 0, x < 1], [x**2, x**3], 5.0); p = np.piecewise(x, [x < 0], [lambda v: -v, lambda v: v**2])
""",
    "remainders": HEAD + X + """
r = np.mod(x, 0.3); f = np.fmod(x, -0.3); c = np.copysign(x, -1.0); n = np.nan_to_num(x); m = np.nanmean(x, axis=0)
e = np.extract(x > 0, x); i = x[np.ix_([0, 1], [0, 2])]; t = np.trapezoid(x, [0.0, 1.0, 3.0]); z = np.append(x, 1.0)
""",
    "orders in torch": TORCH + TX + """
s = torch.sort(x, dim=1, descending=True).values; k = x.topk(2).values; m = x.median(); md = torch.median(x, 1)[0]
c = torch.cummax(x, dim=1)[0]; h = torch.cummin(x, 1).values; kv = torch.kthvalue(x, 2, dim=0).values
q = torch.quantile(x, torch.tensor([0.1, 0.6]), dim=1); ms = torch.masked_select(x, x > 0); f = torch.frac(x)
r = torch.remainder(x, 0.3); lo, hi = torch.aminmax(x); sd, mean = torch.std_mean(x, dim=1)
""",
    "stretched": TORCH + TX + """
p = x.reshape(1, 1, 2, 3)
a = F.interpolate(p, scale_factor=2, mode="bilinear"); b = F.interpolate(p, size=(4, 5), mode="bilinear",
    align_corners=True)
mask = torch.tensor([[True, False], [True, True]]); at = F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
fl = torch.tensor([[0.0, -1.0], [0.5, 0.25]]); au = F.scaled_dot_product_attention(x, x, x, fl)
""",
    "layers": TORCH + "import torch.nn as nn\n" + TX + """
a = nn.RMSNorm(3)(x); b = nn.GroupNorm(1, 3)(x); c = nn.PReLU()(x); d = nn.SELU()(x); e = nn.CELU(0.5)(x)
f = nn.Hardtanh(-0.5, 0.2)(x); g = nn.GLU(0)(x); h = nn.Softmin(dim=1)(x); i = nn.CosineSimilarity()(x, x + 1)
j = nn.HuberLoss("sum", delta=0.3)(x, 2 * x); k = nn.KLDivLoss(reduction="batchmean")(x, x**2)
l = nn.SmoothL1Loss(beta=0.5)(x, 2 * x); m = nn.TripletMarginLoss(margin=3.0, swap=True)(x, x + 1, x - 1)
n = nn.GaussianNLLLoss(full=True)(x, 2 * x, x**2); o = nn.BCEWithLogitsLoss(reduction="sum")(x, x**2)
p = nn.MSELoss(size_average=False)(x, 2 * x); q = nn.MultiMarginLoss(p=2)(x, torch.tensor([0, 2]))
""",
    "distributions": TORCH + DISTRIBUTIONS + TX + """
v = x**2 + 0.1; p = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]); b = torch.tensor([0.0, 1.0, 1.0])
n, n2 = D.Normal(x, v), D.Normal(0.0, 1.0); n_l = n.log_prob(b); n_e = n.entropy(); n_c = n.cdf(b); n_k = kl(n, n2)
ln = D.LogNormal(x, v).log_prob(v); la = D.Laplace(x, v).log_prob(b); un = D.Uniform(x, x + v).entropy()
ex = D.Exponential(v).log_prob(v); ga = D.Gamma(v, p).log_prob(v); ge = D.Gamma(v, p).entropy()
be = D.Beta(v, p).log_prob(p); bh = D.Beta(v, p).entropy(); st = D.StudentT(v, x).log_prob(b)
po = D.Poisson(v).log_prob(b); bn = D.Bernoulli(p).log_prob(b); bl = D.Bernoulli(logits=x).entropy()
bi = D.Binomial(4, p).log_prob(b); gm = D.Geometric(p).log_prob(b)
c = D.Categorical(p * 2); c_l = c.log_prob(torch.tensor([2, 0])); c_e = c.entropy()
c_m = D.Categorical(logits=x).log_prob(torch.tensor([[0, 1], [2, 2]])); i_l = D.Independent(n, 1).log_prob(b)
mv = D.MultivariateNormal(b, torch.diag(v[0]) + 0.1); m_l = mv.log_prob(x); m_e = mv.entropy()
k_g = kl(D.Gamma(v, p), D.Gamma(p, v)); k_b = kl(D.Beta(v, p), D.Beta(p, v))
k_e = kl(D.Exponential(v), D.Exponential(p))
k_c = kl(D.Categorical(p), D.Categorical(logits=x)); k_n = kl(D.Bernoulli(p), D.Bernoulli(logits=x))
k_p = kl(D.Poisson(v), D.Poisson(p)); k_l = kl(D.Laplace(x, v), D.Laplace(p, v))
k_i = kl(D.Independent(n, 1), D.Independent(n, 1))
""",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_functions_are_those_of_the_libraries(name: str) -> None:
    check(SCRIPTS[name])


Z = torch.tensor([0.3, 1.2, 0.7], dtype=torch.float64)
K = torch.tensor([0.0, 2.0, 1.0], dtype=torch.float64)
P = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
STANDARD = D.Normal(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))

#: What is written with SciPy, and the same in torch.
SCIPY: list[tuple[str, Any]] = [
    ("stats.norm.logpdf(z)", STANDARD.log_prob(Z)),
    ("stats.norm(0.5, scale=2.0).pdf(z)", D.Normal(0.5, 2.0).log_prob(Z).exp()),
    ("stats.norm.cdf(z, 1.0, 2.0)", STANDARD.cdf((Z - 1) / 2)),
    ("stats.norm.logcdf(-40*z)", torch.special.log_ndtr(-40 * Z)),
    ("stats.norm.sf(z) + stats.norm.logsf(z)", STANDARD.cdf(-Z) + torch.special.log_ndtr(-Z)),
    ("stats.norm.ppf([0.2, 0.5])", STANDARD.icdf(P[:2])),
    ("stats.expon.logpdf(z, scale=2.0)", D.Exponential(0.5).log_prob(Z)),
    ("stats.gamma.logpdf(z, 2.5, scale=0.25)", D.Gamma(2.5, 4.0).log_prob(Z)),
    ("stats.beta.logpdf(p, 2.0, b=3.0)", D.Beta(2.0, 3.0).log_prob(P)),
    ("stats.t.logpdf(z, 4, 1.0, 2.0)", D.StudentT(4.0, 1.0, 2.0).log_prob(Z)),
    ("stats.lognorm.logpdf(z, 0.5)", D.LogNormal(0.0, 0.5).log_prob(Z)),
    ("stats.chi2.logpdf(z, 3)", D.Chi2(3.0).log_prob(Z)),
    ("stats.invgamma.logpdf(z, 2.0)", D.InverseGamma(2.0, 1.0).log_prob(Z)),
    ("stats.cauchy.logpdf(z)", D.Cauchy(0.0, 1.0).log_prob(Z)),
    ("stats.laplace.logpdf(z, 1, 2)", D.Laplace(1.0, 2.0).log_prob(Z)),
    ("stats.logistic.cdf(z)", torch.sigmoid(Z)),
    ("stats.poisson.logpmf(k, 1.5)", D.Poisson(1.5).log_prob(K)),
    ("stats.poisson(mu=z).pmf(k)", D.Poisson(Z).log_prob(K).exp()),
    ("stats.binom.logpmf(k, 4, p)", D.Binomial(4, P).log_prob(K)),
    ("stats.bernoulli.logpmf(k > 0, p)", D.Bernoulli(P).log_prob((K > 0).double())),
    ("stats.geom.logpmf(k + 1, p)", D.Geometric(P).log_prob(K)),
    ("stats.nbinom.logpmf(k, 2.5, p)", D.NegativeBinomial(2.5, 1 - P).log_prob(K)),
    ("stats.multivariate_normal.logpdf(z, p, np.eye(3) + 0.5)",
     D.MultivariateNormal(P, torch.eye(3, dtype=torch.float64) + 0.5).log_prob(Z)),
    ("special.xlogy(k, z) + special.xlog1py(k, p)", torch.xlogy(K, Z) + torch.special.xlog1py(K, P)),
    ("special.entr(p) + special.rel_entr(p, z)", torch.special.entr(P) + torch.xlogy(P, P / Z)),
    ("special.kl_div(p, z)", torch.xlogy(P, P / Z) - P + Z),
    ("special.gammaln(z) + special.digamma(z)", torch.lgamma(Z) + torch.digamma(Z)),
    ("special.polygamma(1, z) + special.psi(z)", torch.polygamma(1, Z) + torch.digamma(Z)),
    ("special.betaln(z, p)", torch.lgamma(Z) + torch.lgamma(P) - torch.lgamma(Z + P)),
    ("special.logit(p) + special.log_expit(z)", torch.logit(P) + torch.nn.functional.logsigmoid(Z)),
    ("special.ndtr(z) + special.erf(z) + special.erfc(z)", torch.special.ndtr(Z) + 1),
    ("special.softmax(np.stack([z, p]))", torch.softmax(torch.cat([Z, P]), 0).reshape(2, 3)),
    ("special.logsumexp(z, b=p)", torch.logsumexp(Z + P.log(), 0)),
    ("special.comb(5, 2) + special.factorial(k)", 10 + torch.lgamma(K + 1).exp()),
    ("special.erfinv([0.3, -0.2])", torch.special.erfinv(torch.tensor([0.3, -0.2], dtype=torch.float64))),
    ("special.ndtri([0.2, 0.5])", torch.special.ndtri(P[:2])),
]  # fmt: skip


def test_functions_of_scipy() -> None:
    lines = [f"v{n} = np.asarray({text})" for n, (text, _) in enumerate(SCIPY)]
    start = ["import numpy as np", "from scipy import stats, special", f"z = np.array({Z.tolist()})"]
    start += [f"k = np.array({K.tolist()})", f"p = np.array({P.tolist()})"]
    made = trace_source("\n".join([*start, *lines]), "s.py")
    assert made.error is None, made.error
    held = {b.name: made.values[b.step] for b in made.bindings}
    for n, (text, wanted) in enumerate(SCIPY):
        assert np.allclose(held[f"v{n}"], wanted.numpy(), rtol=1e-6, atol=1e-12), text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stats.gamma.logpdf(-x, 2.0)", "gamma outside its support"),
        ("stats.norm.ppf(x)", "quantiles of the normal distribution"),
        ("stats.gamma.cdf(x, 2.0)", "the distribution function of gamma"),
        ("special.erfinv(x)", "scipy.special.erfinv of what may be differentiated"),
        ("np.quantile(x, 0.3, method='hazen')", "quantiles by the method hazen"),
        ("np.nan_to_num(x / 0)", "nan_to_num of what has a NaN"),
    ],
)
def test_what_is_refused_has_a_name(line: str, words: str) -> None:
    start = "import numpy as np\nfrom scipy import stats, special\nx = np.array([0.5, 0.25])\n"
    made = trace_source(f"{start}y = {line}\n", "s.py")
    assert made.error is not None
    assert made.error.span.line == 4
    assert words in made.error.message


# --- beside a backward pass that was written by hand ------------------------------------------------------------------

DISTILLING = """\
import torch
import torch.nn.functional as F
student = torch.tensor([[0.3, -1.2, 0.7], [0.5, 0.1, -0.4]], requires_grad=True)
teacher = torch.tensor([[1.3, 0.2, -0.7], [-0.5, 0.6, 0.9]])
labels = torch.tensor([0, 2])
T = 2.0
logp = F.log_softmax(student / T, dim=1)
target = F.softmax(teacher / T, dim=1)
loss = 0.7 * F.kl_div(logp, target, reduction="batchmean") * T * T + 0.3 * F.cross_entropy(student, labels)
loss.backward()
d_soft = (torch.exp(logp) - target) / 2 * T
d_hard = (F.softmax(student, dim=1) - F.one_hot(labels, 3)) / 2
d_student = 0.7 * d_soft + 0.3 * d_hard
assert torch.allclose(d_student, student.grad, atol=1e-6)
"""
AUTOENCODER = """\
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence
x = torch.tensor([[0.3, 0.9, 0.1], [0.6, 0.2, 0.7]])
W = torch.tensor([[0.2, -0.4], [0.5, 0.1], [-0.3, 0.6]], requires_grad=True)
S = torch.tensor([[-0.2, 0.3], [0.1, 0.4], [0.2, -0.5]], requires_grad=True)
V = torch.tensor([[0.7, -0.1, 0.3], [0.2, 0.5, -0.6]], requires_grad=True)
mu, logstd = x @ W, x @ S
q = Normal(mu, torch.exp(logstd))
z = q.rsample()
logits = z @ V
kl = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum()
loss = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl
loss.backward()
with torch.no_grad():
    std = torch.exp(logstd)
    dlogits = torch.sigmoid(logits) - x
    dV = z.T @ dlogits
    dz = dlogits @ V.T
    dmu = dz + mu
    dlogstd = dz * (z - mu) + std**2 - 1
    dW = x.T @ dmu
    dS = x.T @ dlogstd
print((dV - V.grad).abs().max(), (dW - W.grad).abs().max(), (dS - S.grad).abs().max())
"""
PROBIT = """\
import numpy as np
from scipy.stats import norm
X = np.array([[1.0, 0.3], [1.0, -0.8], [1.0, 1.4], [1.0, 0.6]])
y = np.array([1.0, 0.0, 0.0, 1.0])
beta = np.array([0.1, 0.4])
def loss(beta):
    eta = X @ beta
    return -np.sum(y * norm.logcdf(eta) + (1 - y) * norm.logcdf(-eta))
def grad_loss(beta):
    eta = X @ beta
    phi = norm.pdf(eta)
    s = y * phi / norm.cdf(eta) - (1 - y) * phi / norm.cdf(-eta)
    return -X.T @ s
for step in range(3):
    beta = beta - 0.05 * grad_loss(beta)
print(loss(beta), beta)
"""


NEGATIVE_BINOMIAL = """\
import numpy as np
from scipy.special import gammaln, digamma
X = np.array([[1.0, 0.3], [1.0, -0.8], [1.0, 1.4], [1.0, 0.6]])
y = np.array([1.0, 3.0, 0.0, 2.0])
def negloglik(params):
    mu, r = np.exp(X @ params[:2]), np.exp(params[2])
    ll = gammaln(y + r) - gammaln(r) - gammaln(y + 1) + r * np.log(r / (r + mu)) + y * np.log(mu / (r + mu))
    return -np.sum(ll)
def gradient(params):
    mu, r = np.exp(X @ params[:2]), np.exp(params[2])
    dbeta = X.T @ (r * (y - mu) / (r + mu))
    dr = np.sum(digamma(y + r) - digamma(r) + np.log(r / (r + mu)) + 1 - (r + y) / (r + mu))
    return -np.append(dbeta, r * dr)
params = np.array([0.5, 0.1, -0.2])
print(negloglik(params), gradient(params))
"""


@pytest.mark.parametrize(
    ("script", "right", "wrong"),
    [
        (DISTILLING, "/ 2 * T\n", "/ 2\n"),
        (AUTOENCODER, "dmu = dz + mu", "dmu = dz - mu"),
        (NEGATIVE_BINOMIAL, "- digamma(r)", "+ digamma(r)"),
        (PROBIT, "(1 - y) * phi / norm.cdf(-eta)", "(1 - y) * phi / norm.cdf(eta)"),
    ],
    ids=["batchmean", "distributions", "norm.cdf", "a score that is returned negated, and printed"],
)
def test_a_backward_pass_beside_functions_of_the_library(script: str, right: str, wrong: str) -> None:
    passes(script)
    found(script, right, wrong, "")


@pytest.mark.parametrize("said", ["mean", "mode", "variance", "stddev", "cdf(torch.tensor(1.3))", "entropy()"])
def test_a_logarithmic_normal_is_no_normal(said: str) -> None:
    made = "torch.distributions.LogNormal(torch.tensor(0.4), torch.tensor(0.7))"
    traced = trace_source(f"import torch\na = torch.tensor(1.0)\nfound = {made}.{said} * a\n")
    step = next(b.step for b in traced.bindings if b.name == "found")
    want = eval(f"{made}.{said}", {"torch": torch})  # a text of ours
    assert float(np.asarray(traced.values[step])) == pytest.approx(float(want), rel=1e-5)
