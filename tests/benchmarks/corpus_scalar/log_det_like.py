"""log of a 2x2 determinant plus a quadratic, divided by the trace."""

# loss: F
# gradients: Fa=a Fb=b Fc=c
import math

a = 2.3
b = 0.6
c = 1.7

det = a * c - b**2
tr = a + c
ld = math.log(det)
F = ld / tr + b / 4

# --- manual
F_ld = 1 / tr
F_tr = -ld / tr**2
F_det = F_ld / det
Fa = F_det * c + F_tr
Fc = F_det * a + F_tr
Fb = -2 * b * F_det + 1 / 4
print(Fa, Fb, Fc)
