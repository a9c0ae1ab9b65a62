"""Elo ratings of three players from four games: dictionaries, tuples in a list, a logistic loss."""

# loss: nll
# gradients: grad["anna"]=rating["anna"] grad["bert"]=rating["bert"] grad["cleo"]=rating["cleo"] dscale=scale
import math

rating = {"anna": 1.2, "bert": 0.9, "cleo": 1.5}
scale = 0.8
games = [("anna", "bert", 1), ("bert", "cleo", 0), ("anna", "cleo", 1), ("cleo", "bert", 0)]


def expected_score(mine, theirs):
    return 1 / (1 + math.exp((theirs - mine) / scale))


nll = 0.0
for white, black, won in games:
    p = expected_score(rating[white], rating[black])
    nll -= won * math.log(p) + (1 - won) * math.log(1 - p)

# --- manual
grad = {name: 0.0 for name in rating}
dscale = 0.0
for white, black, won in games:
    surprise = expected_score(rating[white], rating[black]) - won
    grad[white] += surprise / scale
    grad[black] -= surprise / scale
    dscale -= surprise * (rating[white] - rating[black]) / scale**2
print(grad, dscale)
