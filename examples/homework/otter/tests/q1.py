"""A test file for Otter-Grader: `otter check dora.py -t tests`, or `grader.check("q1")` in a notebook.

Otter runs the submission in its own process and hands its variables to the test cases; for submissions that are not to
be trusted there is `symgrad grade`.
"""

from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = 4

NET = "w_y*tanh(w_h*tanh(w_h*h0))"


@test_case(points=1)
def test_w_y(dw_y):
    from symgrad.testing import assert_derivative

    assert_derivative(NET, {"w_y": dw_y}, at={"w_y": 40, "w_h": 2, "h0": 0.5}, hint="none")


@test_case(points=3)
def test_w_h(dw_h):
    from symgrad.testing import assert_derivative

    assert_derivative(NET, {"w_h": dw_h}, at={"w_y": 40, "w_h": 2, "h0": 0.5}, hint="none")
