"""One step of a scalar LSTM cell."""

# loss: h
# gradients: d_x=x d_h_prev=h_prev d_c_prev=c_prev d_wi=wi d_wf=wf d_wo=wo d_wg=wg
import math


def sig(v):
    return 1.0 / (1.0 + math.exp(-v))


x = 0.7
h_prev = -0.35
c_prev = 0.9
wi, wf, wo, wg = 0.6, -0.45, 1.2, 0.85
ui, uf, uo, ug = -0.3, 0.75, 0.5, -1.1

i = sig(wi * x + ui * h_prev)
f = sig(wf * x + uf * h_prev)
o = sig(wo * x + uo * h_prev)
g = math.tanh(wg * x + ug * h_prev)
c = f * c_prev + i * g
tc = math.tanh(c)
h = o * tc

# --- manual
d_o = tc
d_tc = o
d_c = d_tc * (1 - tc * tc)
d_f = d_c * c_prev
d_c_prev = d_c * f
d_i = d_c * g
d_g = d_c * i
d_ai = d_i * i * (1 - i)
d_af = d_f * f * (1 - f)
d_ao = d_o * o * (1 - o)
d_ag = d_g * (1 - g * g)
d_wi = d_ai * x
d_wf = d_af * x
d_wo = d_ao * x
d_wg = d_ag * x
d_x = d_ai * wi + d_af * wf + d_ao * wo + d_ag * wg
d_h_prev = d_ai * ui + d_af * uf + d_ao * uo + d_ag * ug
print(d_x, d_h_prev, d_c_prev)
print(d_wi, d_wf, d_wo, d_wg)
