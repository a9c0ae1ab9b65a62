"""The implicit function theorem: partial derivatives of a residual, and what is made of them."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

KEPLER = """
import math
e = 0.3
M = 1.1
target = 0.5
E = M
for _ in range(20):
    res = E - e * math.sin(E) - M
    E = E - res / (1 - e * math.cos(E))
loss = (math.cos(E) - target) ** 2
G_E = 1 - e * math.cos(E)
G_e = -math.sin(E)
G_M = -1
dE_de = -G_e / G_E
dE_dM = -G_M / G_E
dloss_dE = -2 * (math.cos(E) - target) * math.sin(E)
dloss_de = dloss_dE * dE_de
dloss_dM = dloss_dE * dE_dM
"""

ROOT = """
import math
a = 0.7
b = 1.9
y = 1.0
for k in range(30):
    y = y - (y + a * math.sin(y) - b) / (1 + a * math.cos(y))
F_y = 1 + a * math.cos(y)
F_a = math.sin(y)
F_b = -1.0
dy_da = -F_a / F_y
dy_db = -F_b / F_y
"""

#: Of x = phi(x) there is no residual in the text: it is x - phi(x), or its negative.
FIXED = """
import math
a = 0.8
b = 0.25
x = 0.5
for _ in range(60):
    x = math.exp(-a * x) + b
F = x**2 * a
e = math.exp(-a * x)
g_x = 1 + a * e
g_a = x * e
dx_da = -g_a / g_x
dx_db = 1 / g_x
dF_da = 2 * x * a * dx_da + x**2
"""
TURNED = FIXED.replace("g_x = 1 + a * e", "g_x = -a * e - 1").replace("g_a = x", "g_a = -x")
TURNED = TURNED.replace("1 / g_x", "-1 / g_x")
#: One round is no fixed point, so g_x is nothing that is known.
ONCE = """import math
a = 0.8
x = 0.5
F = math.sin(a*x)*x
e = math.cos(a*x)
g_x = a*e
dF_dx = g_x*x + math.sin(a*x)
"""

WRONG = [
    (FIXED, "g_x = 1 + a * e", "g_x = 1 - a * e", ""),
    (FIXED, "g_a = x * e", "g_a = e", ""),
    (FIXED, "2 * x * a * dx_da", "2 * x * dx_da", ""),
    (KEPLER, "G_e = -math.sin(E)", "G_e = math.sin(E)", "-math.sin(E)"),
    (KEPLER, "G_E = 1 - e * math.cos(E)", "G_E = 1 - math.cos(E)", ""),
    (KEPLER, "G_M = -1", "G_M = 1", "-1"),
    (KEPLER, "dE_de = -G_e / G_E", "dE_de = G_e / G_E", "-G_e / G_E"),
    (KEPLER, "dloss_dM = dloss_dE * dE_dM", "dloss_dM = dE_dM", ""),
    (ROOT, "F_a = math.sin(y)", "F_a = 2 * math.sin(y)", "math.sin(y)"),
    (ROOT, "F_a = math.sin(y)", "F_a = math.cos(y)", "math.sin(y)"),
    (ROOT, "F_y = 1 + a * math.cos(y)", "F_y = 1", ""),
    (ROOT, "dy_da = -F_a / F_y", "dy_da = -F_a", ""),
    (ROOT, "dy_db = -F_b / F_y", "dy_db = F_b / F_y", ""),
]


@pytest.mark.parametrize(
    ("source", "results"),
    [
        (KEPLER, {"dloss_de", "dloss_dM"}),
        (ROOT, {"dy_da", "dy_db"}),
        (FIXED, {"dF_da", "g_x"}),
        (TURNED, {"dF_da", "g_x"}),
    ],
)
def test_what_is_right_is_said_to_be(source: str, results: set[str]) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok
    assert results <= set(report.confirmed)


def test_a_slope_of_something_else_is_no_mistake_where_all_results_are_right() -> None:
    assert check_source(ONCE, sandbox=False).ok


@pytest.mark.parametrize(("source", "right", "wrong", "fix"), WRONG)
def test_the_line_of_the_mistake_is_told(source: str, right: str, wrong: str, fix: str) -> None:
    line = source.count("\n", 0, source.index(right)) + 1
    (found,) = [f for f in check_source(source.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == line
    assert not fix or (found.fix_verified and found.fix == fix)


def test_a_part_under_another_name_leaves_the_rest_alone() -> None:
    assert check_source(KEPLER.replace("G_E", "slope"), sandbox=False).ok


def test_names_that_differ_in_capitals_only_are_told_apart() -> None:
    text = "e = 0.4\nE = 1.7\nloss = e**2*E\ndE = e**2\nde = 2*e*E\n"
    assert set(check_source(text, sandbox=False).confirmed) == {"dE", "de"}
    (found,) = [f for f in check_source(text.replace("de = 2*e*E", "de = e*E"), sandbox=False).findings if f.root]
    assert found.line == 5
