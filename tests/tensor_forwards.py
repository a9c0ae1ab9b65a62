"""The forward passes of the tensor corpus once more, in torch and by other means, so that autograd says what is right.

Each function gets the inputs that gradients are declared for, as tensors by their expressions (``t["net.W"]``), and a
look-up of the script's other variables as tensors (``s("y")``); it returns the loss. They are written on their own,
from what each file says that it is, with torch's ready-made layers where there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

Tensors = Mapping[str, torch.Tensor]
Forward = Callable[[Tensors, Callable[[str], torch.Tensor]], torch.Tensor]


def mlp_script(t: Tensors, s: Any) -> torch.Tensor:
    out = F.linear(torch.tanh(F.linear(t["X"], t["W1"].T, t["b1"])), t["W2"].T, t["b2"])
    return F.mse_loss(out, s("Y"), reduction="sum") / 4


def mlp_grads_dict(t: Tensors, s: Any) -> torch.Tensor:
    w1, w2 = t['params["W1"]'], t['params["W2"]']
    h = F.relu(F.linear(s("X").T, w1, t['params["b1"]'].flatten()))
    logits = F.linear(h, w2, t['params["b2"]'].flatten())
    return F.cross_entropy(logits, s("Y").T.argmax(1)) + 0.3 / 10 * (w1.square().sum() + w2.square().sum())


def softmax_vectorized(t: Tensors, s: Any) -> torch.Tensor:
    return F.cross_entropy(s("X") @ t["W"], s("y").long()) + 0.15 * t["W"].square().sum()


def softmax_loops(t: Tensors, s: Any) -> torch.Tensor:
    return F.cross_entropy(s("X") @ t["W"], s("y").long()) + 0.5 * 0.25 * t["W"].square().sum()


def svm_hinge(t: Tensors, s: Any) -> torch.Tensor:
    # torch's own divides by the number of classes.
    return 4 * F.multi_margin_loss(s("X") @ t["W"], s("y").long()) + 0.05 * t["W"].square().sum()


def batchnorm_long(t: Tensors, s: Any) -> torch.Tensor:
    return (F.batch_norm(t["x"], None, None, t["gamma"], t["beta"], training=True, eps=0.01) * s("dout")).sum()


def batchnorm_fused(t: Tensors, s: Any) -> torch.Tensor:
    y = F.batch_norm(t["x"], None, None, t["gamma"], t["beta"], training=True, eps=1e-3)
    return 0.5 * F.mse_loss(y, s("target"))


def layernorm_long(t: Tensors, s: Any) -> torch.Tensor:
    return (F.layer_norm(t["x"], (5,), t["g"], t["b"], eps=1e-4) * s("R")).sum()


def layernorm_class(t: Tensors, s: Any) -> torch.Tensor:
    return (F.layer_norm(t["x"], (6,), t["ln.gamma"], t["ln.beta"], eps=1e-3) * s("dy")).sum()


def rnn_minchar(t: Tensors, s: Any) -> torch.Tensor:
    h, logits = s("hprev").T, []
    for word in (0, 3, 1):
        h = torch.tanh(t["Wxh"][:, word] + h @ t["Whh"].T + t["bh"].T)
        logits.append(h @ t["Why"].T + t["by"].T)
    return F.cross_entropy(torch.cat(logits), torch.tensor([3, 1, 4]), reduction="sum")


def rnn_class(t: Tensors, s: Any) -> torch.Tensor:
    cell = torch.nn.RNN(2, 4).double()
    given = {"weight_ih_l0": t["net.Wx"].T, "weight_hh_l0": t["net.Wh"].T, "bias_ih_l0": t["net.b"],
             "bias_hh_l0": torch.zeros(4, dtype=torch.float64)}  # fmt: skip
    out, _ = torch.func.functional_call(cell, given, (s("xs"),))
    return F.mse_loss(out[-1] @ t["net.Wo"] + t["net.bo"], s("target"), reduction="sum") / 3


def lstm(t: Tensors, s: Any) -> torch.Tensor:
    cell = torch.nn.LSTM(2, 4, batch_first=True).double()
    # torch's order of the gates is i, f, g, o.
    order = torch.cat([torch.arange(0, 8), torch.arange(12, 16), torch.arange(8, 12)])
    given = {"weight_ih_l0": t["Wx"].T[order], "weight_hh_l0": t["Wh"].T[order], "bias_ih_l0": t["b"][order],
             "bias_hh_l0": torch.zeros(16, dtype=torch.float64)}  # fmt: skip
    state = (t["h0"][None], torch.zeros_like(t["h0"])[None])
    out, _ = torch.func.functional_call(cell, given, (t["x"], state))
    return (out * s("G")).sum()


def gru(t: Tensors, s: Any) -> torch.Tensor:
    h = t["s0"]
    for x in (s("x1"), s("x2")):
        z, r = (torch.sigmoid(F.linear(x, t[f'P["W{k}"]']) + F.linear(h, t[f'P["U{k}"]'])) for k in "zr")
        new = torch.tanh(F.linear(x, t['P["Wh"]']) + F.linear(r * h, t['P["Uh"]']))
        h = torch.lerp(h, new, z)
    return 0.5 * (h - s("y")).square().sum()


def conv_loops(t: Tensors, s: Any) -> torch.Tensor:
    return (F.conv2d(t["x"], t["w"], t["b"], stride=2, padding=1) * s("dout")).sum()


def conv_im2col(t: Tensors, s: Any) -> torch.Tensor:
    out = F.conv2d(t["x"][None], t["K"], t["bias"].flatten())
    return 0.5 * F.mse_loss(out.flatten(), s("T").flatten(), reduction="sum")


def maxpool(t: Tensors, s: Any) -> torch.Tensor:
    return (F.max_pool2d(t["x"][None], 3, stride=2)[0] * s("dout")).sum()


def embedding(t: Tensors, s: Any) -> torch.Tensor:
    ctx = F.embedding_bag(s("words").long(), t["E"], mode="mean")
    return F.cross_entropy(F.linear(ctx, t["W"].T, t["b"]), s("labels").long())


def attention(t: Tensors, s: Any) -> torch.Tensor:
    q, k, v = (t["X"] @ t[w] for w in ("Wq", "Wk", "Wv"))
    return (F.scaled_dot_product_attention(q[None], k[None], v[None])[0] * s("G")).sum()


def attention_mask(t: Tensors, s: Any) -> torch.Tensor:
    heads = F.scaled_dot_product_attention(t["q"], t["k"], t["v"], is_causal=True)
    return F.mse_loss(heads @ t["Wo"], s("target"))


def vae(t: Tensors, s: Any) -> torch.Tensor:
    mean, logvar = s("x") @ t["Wm"], s("x") @ t["Ws"]
    sample = mean + torch.exp(logvar / 2) * s("eps")
    logits = F.linear(sample, t["Wd"].T, t["bd"])
    here = torch.distributions.Normal(mean, torch.exp(logvar / 2))
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    kl = torch.distributions.kl_divergence(here, standard).sum()
    return (F.binary_cross_entropy_with_logits(logits, s("x"), reduction="sum") + kl) / 4


def word2vec(t: Tensors, s: Any) -> torch.Tensor:
    v, rows = t["center"], t["outside"]
    return -F.logsigmoid(rows[3] @ v) - F.logsigmoid(-rows[[1, 5, 1, 0, 2]] @ v).sum()


def gp_kernel(t: Tensors, s: Any) -> torch.Tensor:
    x = s("X")
    squared = (x[:, None] - x[None]).square().sum(-1)
    kernel = torch.exp(2 * t["log_sf"] - squared / (2 * torch.exp(2 * t["log_ell"])))
    covariance = kernel + torch.exp(2 * t["log_sn"]) * torch.eye(5, dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.zeros(5, dtype=torch.float64), covariance)
    return -density.log_prob(s("y")) - 2.5 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))


def logistic_l2(t: Tensors, s: Any) -> torch.Tensor:
    logits = s("X") @ t["theta"] + t["theta0"]
    return F.binary_cross_entropy_with_logits(logits, s("y")) + 0.8 / 10 * t["theta"].square().sum()


def huber(t: Tensors, s: Any) -> torch.Tensor:
    each = F.huber_loss(s("X") @ t["w"] + t["b"], s("t"), reduction="none", delta=0.9)
    return (s("s") * each).sum() / s("s").sum()


def matrix_factorization(t: Tensors, s: Any) -> torch.Tensor:
    u = torch.cat([t["U"], t["bu"][:, None], torch.ones(4, 1, dtype=torch.float64)], 1)
    v = torch.cat([t["V"], torch.ones(5, 1, dtype=torch.float64), t["bi"][:, None]], 1)
    fit = (s("M") * (s("R") - u @ v.T)).square().sum()
    return fit + 0.1 * (t["U"].square().sum() + t["V"].square().sum())


def dropout_net(t: Tensors, s: Any) -> torch.Tensor:
    h = s("x")
    for n in range(3):
        h = F.linear(h, t[f"weights[{n}]"].T, t[f"biases[{n}]"])
        h = F.leaky_relu(h, 0.1) * s(f"masks[{n}]") if n < 2 else h
    return 0.5 * F.mse_loss(h, s("t"), reduction="sum") / 4


def residual_mlp(t: Tensors, s: Any) -> torch.Tensor:
    y = t["x"] + F.softplus(F.linear(t["x"], t["W1"].T, t["b1"])) @ t["W2"]
    return torch.linalg.vector_norm(y @ t["wo"])


def einsum_bilinear(t: Tensors, s: Any) -> torch.Tensor:
    return (torch.sigmoid(F.bilinear(t["a"], t["c"], t["B"].permute(1, 0, 2))) * s("T")).sum()


def layer_classes(t: Tensors, s: Any) -> torch.Tensor:
    h = torch.sigmoid(F.linear(t["x"], t["fc1.W"], t["fc1.b"]))
    return F.mse_loss(F.linear(h, t["fc2.W"], t["fc2.b"]), s("t"))


def torch_function(t: Tensors, s: Any) -> torch.Tensor:
    return torch.tanh(F.linear(t["x"], t["weight"], t["bias"])).pow(3).sum() / 4


def torch_names(t: Tensors, s: Any) -> torch.Tensor:
    h = F.embedding(s("Xb").long(), t["C"]).flatten(1) @ t["W1"]
    # Bessel's correction: torch's own layer has the other variance in training.
    h = (h - h.mean(0)) / torch.sqrt(h.var(0) + 1e-5)
    h = torch.tanh(t["bngain"] * h + t["bnbias"])
    return F.cross_entropy(F.linear(h, t["W2"].T, t["b2"]), s("Yb").long())


def lists_of_lists(t: Tensors, s: Any) -> torch.Tensor:
    return F.mse_loss(t["w2"] @ torch.tanh(t["w1"] @ s("x")), s("target"))


def inplace_update(t: Tensors, s: Any) -> torch.Tensor:
    h = torch.sigmoid(F.linear(s("X"), t["net.W1"].T, t["net.b1"]))
    return F.mse_loss(h @ t["net.W2"], s("Y"), reduction="sum") / 4


def softmax_jacobian(t: Tensors, s: Any) -> torch.Tensor:
    return F.cross_entropy(F.linear(t["x"], t["W"], t["b"]), torch.tensor(2))


def rmsnorm_swiglu(t: Tensors, s: Any) -> torch.Tensor:
    n = F.rms_norm(t["x"], (4,), t['p["w"]'], eps=1e-5)
    h = F.silu(n @ t['p["Wg"]']) * (n @ t['p["Wu"]'])
    return 0.5 * F.mse_loss(t["x"] + h @ t['p["Wd"]'], s("target"), reduction="sum")


def infonce(t: Tensors, s: Any) -> torch.Tensor:
    a, b = F.normalize(s("Xa") @ t["Wa"]), F.normalize(s("Xb") @ t["Wb"])
    own = torch.arange(4)
    return 0.5 * (F.cross_entropy(a @ b.T / 0.5, own) + F.cross_entropy(b @ a.T / 0.5, own))


def factorization_machine(t: Tensors, s: Any) -> torch.Tensor:
    # Every pair of features by itself, and not the square of a sum.
    x, v = s("X"), t["V"]
    both = sum((v[i] @ v[j]) * x[:, i] * x[:, j] for i in range(4) for j in range(i))
    loss = F.soft_margin_loss(t["b"] + x @ t["w"] + both, s("y").to(x.dtype))
    return loss + 0.05 * (v.square().sum() + t["w"].square().sum())


def conv1d_stride(t: Tensors, s: Any) -> torch.Tensor:
    h = F.relu(F.conv1d(t["x"], t["conv.W"], t["conv.b"], stride=2))
    return F.mse_loss(F.linear(F.avg_pool1d(h, 4).flatten(1), t["fc.W"].T, t["fc.b"]), s("y"))


#: By the name of the file.
FORWARDS: dict[str, Forward] = {
    name: function
    for name, function in list(globals().items())
    if callable(function) and getattr(function, "__module__", "") == __name__
}
