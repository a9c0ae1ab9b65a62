"""A line that is wrong as a whole is told at that line, and not at the one below that only works on with it."""

from __future__ import annotations

import symgrad

RNN = """\
import numpy as np
np.random.seed(0)
T, D, H, V = 4, 3, 5, 2
x = np.random.randn(T, D)
target = np.random.randn(T, V)
Wxh = np.random.randn(H, D) * 0.5
Whh = np.random.randn(H, H) * 0.5
Why = np.random.randn(V, H) * 0.5
bh = np.random.randn(H) * 0.1
by = np.random.randn(V) * 0.1
hs = [np.zeros(H)]
ys = []
loss = 0.0
for t in range(T):
    h = np.tanh(Wxh @ x[t] + Whh @ hs[-1] + bh)
    y = Why @ h + by
    hs.append(h)
    ys.append(y)
    loss += 0.5 * np.sum((y - target[t]) ** 2)
dWxh = np.zeros_like(Wxh)
dWhh = np.zeros_like(Whh)
dWhy = np.zeros_like(Why)
dbh = np.zeros_like(bh)
dby = np.zeros_like(by)
dh_next = np.zeros(H)
for t in reversed(range(T)):
    dy = ys[t] - target[t]
    dWhy += np.outer(dy, hs[t + 1])
    dby += dy
    dh = Why.T @ dy + dh_next
    draw = (1 - hs[t + 1] ** 2) * dh
    dWxh += np.outer(draw, x[t])
    dWhh += np.outer(draw, hs[t])
    dbh += draw
    dh_next = Whh.T @ draw
print(dWxh, dWhh, dWhy, dbh, dby)
"""
SOFTMAX = """\
import numpy as np
np.random.seed(7)
N, D, C = 6, 4, 3
X = np.random.randn(N, D)
y = np.random.randint(0, C, N)
W = np.random.randn(D, C)
b = np.random.randn(C)
reg = 0.1
scores = X.dot(W) + b
scores -= np.max(scores, axis=1, keepdims=True)
exp_scores = np.exp(scores)
probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
data_loss = np.sum(-np.log(probs[range(N), y])) / N
reg_loss = 0.5 * reg * np.sum(W * W)
loss = data_loss + reg_loss
dscores = probs.copy()
dscores[range(N), y] -= 1
dscores /= N
dW = np.dot(X.T, dscores)
db = np.sum(dscores, axis=0)
dW += reg * W
dX = np.dot(dscores, W.T)
print(loss, dW, db, dX)
"""


def lines(source: str) -> set[int | None]:
    return {f.line for f in symgrad.check(source).findings if f.root}


def test_the_right_ones_are_right() -> None:
    assert symgrad.check(RNN).ok
    assert symgrad.check(SOFTMAX).ok


def test_a_line_that_is_right_with_the_gradient_that_its_input_is_called_after_is_not_blamed() -> None:
    source = RNN.replace("Why.T @ dy + dh_next", "Why.T @ dy - dh_next").replace("= Whh.T @ draw", "= Whh.T @ dh")
    found = lines(source)
    assert found
    assert found <= {30, 35}


def test_what_is_only_divided_further_down_is_told_where_it_was_wrong() -> None:
    assert lines(SOFTMAX.replace("dscores[range(N), y] -= 1", "dscores -= 1")) == {17}


def test_a_division_of_its_own_is_told_at_its_line() -> None:
    assert lines(SOFTMAX.replace("dscores /= N", "dscores /= D")) == {18}
