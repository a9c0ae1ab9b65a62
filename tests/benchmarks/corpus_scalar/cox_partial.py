"""Cox's partial likelihood with one covariate, no ties."""

# loss: nlogpl
# gradients: score=beta
import math

beta = 0.4
times = [2.0, 3.5, 4.1, 6.0, 7.7]
event = [1, 1, 0, 1, 1]
z = [0.9, -0.5, 1.4, 0.3, -1.1]

nlogpl = 0.0
for i in range(len(times)):
    if not event[i]:
        continue
    at_risk = [j for j in range(len(times)) if times[j] >= times[i]]
    nlogpl -= beta * z[i] - math.log(sum(math.exp(beta * z[j]) for j in at_risk))

# --- manual
score = 0.0
information = 0.0
for i, (t_i, d_i) in enumerate(zip(times, event)):
    if d_i == 0:
        continue
    s0 = s1 = s2 = 0.0
    for j in range(len(times)):
        if times[j] < t_i:
            continue
        w = math.exp(beta * z[j])
        s0 += w
        s1 += w * z[j]
        s2 += w * z[j] ** 2
    zbar = s1 / s0
    score -= z[i] - zbar
    information += s2 / s0 - zbar**2
beta_new = beta - score / information
# --- end
print(f"-log PL = {nlogpl:.4f}   score = {score:.4f}   info = {information:.4f}   beta -> {beta_new:.4f}")
