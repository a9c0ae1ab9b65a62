import numpy as np
def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))
params = {'wf': 0.4, 'wi': -0.2, 'wo': 0.7, 'wg': 0.3, 'uf': 0.1, 'ui': 0.2, 'uo': -0.3, 'ug': 0.5}
xs = [0.5, -1.0, 2.0]
def forward(xs, h, c, p):
    cache = []
    for t, x in enumerate(xs):
        f = sigmoid(p['wf']*x + p['uf']*h)
        i = sigmoid(p['wi']*x + p['ui']*h)
        o = sigmoid(p['wo']*x + p['uo']*h)
        g = np.tanh(p['wg']*x + p['ug']*h)
        c_prev, h_prev = c, h
        c = f*c + i*g
        h = o*np.tanh(c)
        cache.append((x, f, i, o, g, c, c_prev, h_prev))
    return h, cache
def backward(dh, cache, p):
    grads = {k: 0 for k in p}
    dc = 0
    for x, f, i, o, g, c, c_prev, h_prev in cache[::-1]:
        tc = np.tanh(c)
        do = dh*tc
        dc = dc + dh*o*(1 - tc**2)
        df, di, dg = dc*c_prev, dc*g, dc*i
        gates = dict(f=df*f*(1-f), i=di*i*(1-i), o=do*o*(1-o), g=dg*(1-g*g))
        dh = 0
        for name in "fiog":
            grads['w' + name] += gates[name]*x
            grads['u' + name] += gates[name]*h_prev
            dh += gates[name]*p['u' + name]
        dc = dc*f
    return grads
h, cache = forward(xs, 0.1, 0.2, params)
grads = backward(1.0, cache, params)
for k in sorted(grads):
    print(k, "%.10f" % grads[k])
eps = 1e-5
for k in params:
    q = dict(params); q[k] += eps
    r = params.copy(); r[k] -= eps
    num = (forward(xs, 0.1, 0.2, q)[0] - forward(xs, 0.1, 0.2, r)[0]) / (2*eps)
    print(k, np.isclose(num, grads[k], rtol=1e-4), abs(num - grads[k]) < 1e-6)
