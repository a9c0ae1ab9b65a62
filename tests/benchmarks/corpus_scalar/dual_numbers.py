"""Forward mode with dual numbers: a class with the rules, seeded once for each input."""

# loss: fa.value
# gradients: fa.deriv=x fb.deriv=y
import math

x = 0.8
y = 1.3


class Dual:
    def __init__(self, value, deriv):
        self.value = value
        self.deriv = deriv

    def __add__(self, other):
        value = self.value + other.value
        # --- manual
        deriv = self.deriv + other.deriv
        # --- end
        return Dual(value, deriv)

    def __mul__(self, other):
        value = self.value * other.value
        # --- manual
        deriv = self.deriv * other.value + self.value * other.deriv
        # --- end
        return Dual(value, deriv)

    def __truediv__(self, other):
        value = self.value / other.value
        # --- manual
        deriv = (self.deriv * other.value - self.value * other.deriv) / other.value**2
        # --- end
        return Dual(value, deriv)

    def sin(self):
        value = math.sin(self.value)
        # --- manual
        deriv = math.cos(self.value) * self.deriv
        # --- end
        return Dual(value, deriv)

    def exp(self):
        value = math.exp(self.value)
        # --- manual
        deriv = value * self.deriv
        # --- end
        return Dual(value, deriv)


def f(a, b):
    return (a * b).sin() + a.exp() / b


fa = f(Dual(x, 1), Dual(y, 0))
fb = f(Dual(x, 0), Dual(y, 1))
print(fa.value, fa.deriv, fb.deriv)
