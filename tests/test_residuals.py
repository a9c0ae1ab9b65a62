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

WRONG = [
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


@pytest.mark.parametrize("source", [KEPLER, ROOT])
def test_what_is_right_is_said_to_be(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok
    assert {"dloss_de", "dloss_dM"} <= set(report.confirmed) or {"dy_da", "dy_db"} <= set(report.confirmed)


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
