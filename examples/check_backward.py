"""A layer whose backward pass has a mistake, checked where it stands: symgrad.check_backward traces both methods."""

import math

import symgrad


class Neuron:
    """y = tanh(w*x + b), and what flows back through it."""

    def __init__(self, w: float, b: float) -> None:
        self.w, self.b = w, b

    def forward(self, x: float) -> float:
        self.x = x
        self.z = self.w * x + self.b
        self.y = math.tanh(self.z)
        return self.y

    def backward(self, dout: float) -> float:
        dz = dout * (1 - self.z**2)
        self.dw = dz * self.x
        self.db = dz
        return dz * self.w


if __name__ == "__main__":
    report = symgrad.check_backward(Neuron(w=0.8, b=-0.1), inputs={"x": 0.6})
    print(report.explain())
    (found,) = [f for f in report.findings if f.root]
    assert (found.mistake, found.expected, found.fix_verified) == ("input-for-output", "1 - self.y**2", True)
