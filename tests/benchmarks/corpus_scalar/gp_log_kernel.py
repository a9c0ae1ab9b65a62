"""A squared-exponential kernel between two points, its marginal likelihood, and derivatives by logarithms."""

# loss: nlml
# gradients: dnlml_dlog_ell=log_ell dnlml_dlog_sf=log_sf
import math

x1, x2 = 0.4, 1.3
y1, y2 = 0.9, -0.35
log_ell = -0.2
log_sf = 0.15
noise = 0.3

ell = math.exp(log_ell)
sf = math.exp(log_sf)
k11 = sf**2 + noise
k12 = sf**2 * math.exp(-((x1 - x2) ** 2) / (2 * ell**2))
det = k11 * k11 - k12 * k12
quad = (k11 * (y1**2 + y2**2) - 2 * k12 * y1 * y2) / det
nlml = 0.5 * quad + 0.5 * math.log(det)

# --- manual
dk12_dlog_ell = k12 * (x1 - x2) ** 2 / ell**2
dk12_dlog_sf = 2 * k12
dk11_dlog_sf = 2 * sf**2
ddet_dk11 = 2 * k11
ddet_dk12 = -2 * k12
dquad_dk11 = (y1**2 + y2**2) / det - quad * ddet_dk11 / det
dquad_dk12 = -2 * y1 * y2 / det - quad * ddet_dk12 / det
dnlml_dk11 = 0.5 * dquad_dk11 + 0.5 * ddet_dk11 / det
dnlml_dk12 = 0.5 * dquad_dk12 + 0.5 * ddet_dk12 / det
dnlml_dlog_ell = dnlml_dk12 * dk12_dlog_ell
dnlml_dlog_sf = dnlml_dk11 * dk11_dlog_sf + dnlml_dk12 * dk12_dlog_sf
print(nlml, dnlml_dlog_ell, dnlml_dlog_sf)
