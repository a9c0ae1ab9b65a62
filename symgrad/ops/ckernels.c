/* Elementwise kernels in double precision, without branches, so that a compiler turns a loop over them into SIMD.
   What a C library gives as vectors (libmvec) is only declared; the exponential family is written out, so that tanh and
   sech of one number share their exponential and their division. */
#include <math.h>
#include <string.h>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
#define FMA(a, b, c) __builtin_fma(a, b, c)
#else
#error "no fused multiply-add: a call for each would be slower than what this is to replace"
#endif

#define SIMD __attribute__((simd("notinbranch"), const))
SIMD double log(double);
SIMD double log2(double);
SIMD double log10(double);
SIMD double log1p(double);
SIMD double sin(double);
SIMD double cos(double);
SIMD double tan(double);
SIMD double asin(double);
SIMD double acos(double);
SIMD double atan(double);
SIMD double asinh(double);
SIMD double acosh(double);
SIMD double atanh(double);
SIMD double erf(double);
SIMD double erfc(double);
SIMD double atan2(double, double);
SIMD double hypot(double, double);
SIMD double pow(double, double);
#define K static inline __attribute__((always_inline)) double

/* The last bits of a double as those of an exponent. */
K k_shifted(double x, long long more) {
  long long bits;
  memcpy(&bits, &x, 8);
  bits = (long long)((unsigned long long)bits << 52) + more;
  memcpy(&x, &bits, 8);
  return x;
}
#ifdef SINGLE
/* z = (n + f) ln 2, |f| <= 0.5; 2**f - 1 by a polynomial through Chebyshev's points: within 5.2e-12 of it, which for what
   is rounded to float in the end is nothing. n + 1023 stands in the last bits of t, which is far larger. Far beyond the
   range of float z is clamped; within it, one scaling by 2**n does. */
#define FAR (0x1.8p52 + 1023.0)
K k_above(double z) { return z < -700.0 ? -700.0 : z; }
K k_clamp(double z) { return z > 700.0 ? 700.0 : k_above(z); }
K k_whole(double z) { return FMA(z, 0x1.71547652b82fep+0, FAR); }
K k_scale(double t) { return k_shifted(t, 0); }
K k_raised(double f) {
  double p = 0x1.63b2d7971923fp-20;
  p = FMA(p, f, 0x1.00c0e4e15189cp-16);
  p = FMA(p, f, 0x1.4308c7183d6a2p-13);
  p = FMA(p, f, 0x1.5d877598350dep-10);
  p = FMA(p, f, 0x1.3b2ab70ad2565p-7);
  p = FMA(p, f, 0x1.c6b08da70cce3p-5);
  p = FMA(p, f, 0x1.ebfbdff82a734p-3);
  p = FMA(p, f, 0x1.62e42fef9cc69p-1);
  return f * p;
}
K k_small(double z, double t) { return k_raised(FMA(z, 0x1.71547652b82fep+0, -(t - FAR))); }
/* The same for exp(-2 a), a >= 0: the factor is taken into the logarithm's. */
K k_twice_near(double a) { return a > 350.0 ? 350.0 : a; }
K k_twice_whole(double a) { return FMA(a, -0x1.71547652b82fep+1, FAR); }
K k_twice_small(double a, double t) { return k_raised(FMA(a, -0x1.71547652b82fep+1, -(t - FAR))); }
K k_scaled(double p, double t) { return FMA(p, k_scale(t), k_scale(t)); }
/* 1/d for d from 1 to 2: a parabola within 1 %, a step of third order and one of second: to 1.1e-12. On most processors
   a division cannot overlap with the next one; AMD's, since the first Zen, divide faster than this. */
#if defined(__znver1__) || defined(__znver2__) || defined(__znver3__) || defined(__znver4__) || defined(__znver5__)
K k_inverse(double d) { return 1.0 / d; }
#else
K k_inverse(double d) {
  double r = FMA(FMA(0x1.4afd6a052bf5bp-2, d, -0x1.745d1745d1746p+0), d, 0x1.0f83e0f83e0f9p+1);
  double h = FMA(-d, r, 1.0);
  r = FMA(r, FMA(h, h, h), r);
  return FMA(r, FMA(-d, r, 1.0), r);
}
#endif
/* log(1 + e) for e from 0 to 1: 2 atanh(s), s = e/(2 + e), by a polynomial in (2 s)**2 through Chebyshev's points:
   within 2.8e-12 of it. A call of the library's would keep the loop from being unrolled. */
K k_log_beyond(double e) {
  double s = e * k_inverse(FMA(0.5, e, 1.0)), u = s * s;
  double p = 0x1.bfb4561e8dc48p-16;
  p = FMA(p, u, 0x1.5eab67b0d884cp-14);
  p = FMA(p, u, 0x1.c8cf1b3455de3p-12);
  p = FMA(p, u, 0x1.2489ae158dab2p-9);
  p = FMA(p, u, 0x1.9999c2d1aee49p-7);
  p = FMA(p, u, 0x1.5555553081220p-4);
  p = FMA(p, u, 0x1.0000000002acdp+0);
  return s * p;
}
/* log(x) = n ln 2 + 2 atanh(s), x = 2**n m, 0.75 <= m < 1.5, s = (m - 1)/(m + 1): a polynomial in s**2 through Chebyshev's
   points, within 2.1e-11 of it, which is relative to the logarithm around 1 as well. */
K k_log(double x) {
  double t = x < 0x1p-1022 ? x * 0x1p54 : x, less = 0x1p52 + (x < 0x1p-1022 ? 1077.0 : 1023.0), m, n;
  unsigned long long bits, power;
  memcpy(&bits, &t, 8);
  power = (bits + 0x0008000000000000ULL) >> 52;
  bits = bits - (power << 52) + 0x3ff0000000000000ULL;
  power |= 0x4330000000000000ULL;
  memcpy(&m, &bits, 8);
  memcpy(&n, &power, 8);
  double s = (m - 1.0) / (m + 1.0), u = s * s;
  double p = 0x1.ee7ecd2a696eep-3;
  p = FMA(p, u, 0x1.23deb57c796a5p-2);
  p = FMA(p, u, 0x1.999c2f89f7d9dp-2);
  p = FMA(p, u, 0x1.555553ac2db5ep-1);
  p = FMA(p, u, 0x1.0000000015c86p+1);
  double y = FMA(n - less, 0x1.62e42fefa39efp-1, s * p);
  y = x > 0x1.fffffffffffffp1023 ? x : y;
  y = x == 0.0 ? -__builtin_inf() : y;
  return x >= 0.0 ? y : __builtin_nan("");
}
/* sin(x + more pi/2) for |x| up to ANGLE: r = x - n pi/2 in two parts, which are enough as products are not rounded; both
   functions of r by polynomials, to 1.7e-11, so that the sine and the cosine of one number share nearly everything. The
   last bits of t are those of n. */
K k_turned(double x, unsigned long long more) {
  double t = FMA(x, 0x1.45f306dc9c883p-1, 0x1.8p52), n = t - 0x1.8p52, y;
  double r = FMA(-n, 0x1.1a62633145c07p-54, FMA(-n, 0x1.921fb54442d18p+0, x)), u = r * r;
  double s = 0x1.6dbe0838a06e9p-19, c = -0x1.25244e23e6e3ap-22;
  s = FMA(s, u, -0x1.a013a793b98cep-13);
  s = FMA(s, u, 0x1.11110def2e1c9p-7);
  s = FMA(s, u, -0x1.555555545e0acp-3);
  s = r * FMA(s, u, 1.0);
  c = FMA(c, u, 0x1.a015c47d920acp-16);
  c = FMA(c, u, -0x1.6c16bf54e7232p-10);
  c = FMA(c, u, 0x1.5555555502cf4p-5);
  c = FMA(FMA(c, u, -0.5), u, 1.0);
  unsigned long long quarter, bits;
  memcpy(&quarter, &t, 8);
  quarter += more;
  y = (long long)(quarter << 63) < 0 ? c : s;
  memcpy(&bits, &y, 8);
  bits ^= (quarter << 62) & 0x8000000000000000ULL;
  memcpy(&y, &bits, 8);
  return y;
}
K k_sin(double x) { return k_turned(x, 0); }
K k_cos(double x) { return k_turned(x, 1); }
#else
K k_log(double x) { return log(x); }
K k_sin(double x) { return sin(x); }
K k_cos(double x) { return cos(x); }
K k_log_beyond(double e) { return log1p(e); }
/* 2**k for whole k from -1022 to 1023: k moves into the exponent's bits by an addition. */
K k_power2(double k) { return k_shifted(k + 0x1.8p52, 1023LL << 52); }
K k_whole(double z) { return __builtin_rint(z * 0x1.71547652b82fep+0); }
/* z = n ln 2 + r, |r| < 0.347; exp(r) - 1 by Taylor. The first term left out is below 1e-17 of 1. */
K k_small(double z, double n) {
  double r = FMA(-n, 0x1.62e42fefa39efp-1, z);
  r = FMA(-n, 0x1.abc9e3b39803fp-56, r);
  double p = 1.0 / 87178291200.0;
  p = FMA(p, r, 1.0 / 6227020800.0);
  p = FMA(p, r, 1.0 / 479001600.0);
  p = FMA(p, r, 1.0 / 39916800.0);
  p = FMA(p, r, 1.0 / 3628800.0);
  p = FMA(p, r, 1.0 / 362880.0);
  p = FMA(p, r, 1.0 / 40320.0);
  p = FMA(p, r, 1.0 / 5040.0);
  p = FMA(p, r, 1.0 / 720.0);
  p = FMA(p, r, 1.0 / 120.0);
  p = FMA(p, r, 1.0 / 24.0);
  p = FMA(p, r, 1.0 / 6.0);
  p = FMA(p, r, 0.5);
  return FMA(r * r, p, r);
}
/* In two halves, so that neither a subnormal result nor the largest one leaves the range on the way. */
K k_above(double z) { return z < -760.0 ? -760.0 : z; }
K k_clamp(double z) { return z > 720.0 ? 720.0 : k_above(z); }
K k_low(double n) { return k_power2(__builtin_floor(n * 0.5)); }
K k_high(double n) { return k_power2(n - __builtin_floor(n * 0.5)); }
K k_scaled(double p, double n) { return FMA(p, k_low(n), k_low(n)) * k_high(n); }
K k_scale(double n) { return k_low(n) * k_high(n); }
K k_inverse(double d) { return 1.0 / d; }
K k_twice_near(double a) { return k_above(-2.0 * a); }
K k_twice_whole(double z) { return k_whole(z); }
K k_twice_small(double z, double n) { return k_small(z, n); }
#endif
K k_exp(double x) {
  double z = k_clamp(x), n = k_whole(z);
  return k_scaled(k_small(z, n), n);
}
K k_expm1(double x) {
  double z = k_clamp(x), n = k_whole(z), p = k_small(z, n), s = k_scale(n);
  return z > 693.0 ? k_exp(x) : x == 0.0 ? x : FMA(p, s, s - 1.0);
}
/* exp(x) for x <= 0. */
K k_falling(double x) {
  double z = k_above(x), n = k_whole(z);
  return k_scaled(k_small(z, n), n);
}
K k_abs(double x) { return __builtin_fabs(x); }
/* exp(-2 a) and exp(-2 a) - 1 for a >= 0. */
K k_falling_twice(double a) {
  double z = k_twice_near(a), n = k_twice_whole(z);
  return k_scaled(k_twice_small(z, n), n);
}
K k_decay_twice(double a) {
  double z = k_twice_near(a), n = k_twice_whole(z), s = k_scale(n);
  return FMA(k_twice_small(z, n), s, s - 1.0);
}
K k_tanh(double x) {
  double e = k_falling_twice(k_abs(x));
  double y = -k_decay_twice(k_abs(x)) * k_inverse(1.0 + e);
  return __builtin_copysign(y, x);
}
K k_sech_squared(double x) {
  double e = k_falling_twice(k_abs(x)), q = k_inverse(1.0 + e);
  return 4.0 * e * q * q;
}
K k_sech(double x) {
  double e = k_falling(-k_abs(x));
  return 2.0 * e * k_inverse(FMA(e, e, 1.0));
}
K k_csch(double x) {
  double e = k_falling(-k_abs(x)), y = -2.0 * e / k_expm1(-2.0 * k_abs(x));
  return __builtin_copysign(y, x);
}
K k_sinh(double x) {
  double a = k_abs(x), m = k_expm1(a), half = k_exp(0.5 * a);
  double y = a > 40.0 ? 0.5 * half * half : 0.5 * (m + m / (m + 1.0));
  return __builtin_copysign(y, x);
}
K k_cosh(double x) {
  double a = k_abs(x), half = k_exp(0.5 * a), e = k_exp(a);
  return a > 40.0 ? 0.5 * half * half : 0.5 * (e + 1.0 / e);
}
K k_sigmoid(double x) {
  double e = k_falling(-k_abs(x)), q = k_inverse(1.0 + e);
  return x < 0.0 ? e * q : q;
}
K k_max(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }
K k_min(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }
K k_softplus(double x) { return k_max(x, 0.0) + k_log_beyond(k_falling(-k_abs(x))); }
K k_logsigmoid(double x) { return k_min(x, 0.0) - k_log_beyond(k_falling(-k_abs(x))); }
K k_silu(double x) { return x * k_sigmoid(x); }
K k_sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }
K k_heaviside(double x, double h) { return x > 0.0 ? 1.0 : x < 0.0 ? 0.0 : h; }
K k_leaky_relu(double x, double a) { return x > 0.0 ? x : a * x; }
K k_elu(double x, double a) { return x > 0.0 ? x : a * k_expm1(k_min(x, 0.0)); }
K k_hardtanh(double x) { return k_min(k_max(x, -1.0), 1.0); }
/* What (a, b) multiply to beyond their rounded product y; the remainder is exact. */
K k_product_error(double y, double a, double b) { return FMA(a, b, -y); }
K k_finite(double x) { return k_abs(x) <= 0x1.fffffffffffffp1023 ? x : 0.0; }
