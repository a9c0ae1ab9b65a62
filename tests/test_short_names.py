"""Derivatives whose names are cut short (dl_da of level by alpha), in turn with a loop's results; and second ones."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.diagnose.text.abbreviations import spelled_out
from symgrad.diagnose.text.naming import Claim

#: The first forecast error is 0 whatever the inputs are, and so are the first rounds' derivatives.
HOLT = """
alpha = 0.3
beta = 0.2
y = [3.0, 3.4, 3.9, 4.1, 5.0]
level = y[0]
trend = y[1] - y[0]
dl_da, dl_db = 0.0, 0.0
dt_da, dt_db = 0.0, 0.0
sse = 0.0
dsse_da = 0.0
dsse_db = 0.0
for t in range(1, len(y)):
    pred = level + trend
    dpred_da = dl_da + dt_da
    dpred_db = dl_db + dt_db
    err = y[t] - pred
    sse += err**2
    dsse_da += -2*err*dpred_da
    dsse_db += -2*err*dpred_db
    new_level = alpha*y[t] + (1-alpha)*pred
    dnl_da = y[t] - pred + (1-alpha)*dpred_da
    dnl_db = (1-alpha)*dpred_db
    new_trend = beta*(new_level - level) + (1-beta)*trend
    dnt_da = beta*(dnl_da - dl_da) + (1-beta)*dt_da
    dnt_db = (new_level - level) - trend + beta*(dnl_db - dl_db) + (1-beta)*dt_db
    level, trend = new_level, new_trend
    dl_da, dl_db = dnl_da, dnl_db
    dt_da, dt_db = dnt_da, dnt_db
print(sse, dsse_da, dsse_db)
"""

IMPLICIT = """
x, y = 3.0, 3.2
F = x**3 + y**3 - 6*x*y
F_x = 3*x**2 - 6*y
F_y = 3*y**2 - 6*x
dy_dx = -F_x / F_y
F_xx = 6*x
F_yy = 6*y
print(F, dy_dx, F_xx, F_yy)
"""

SLIPS = [
    (HOLT, "y[t] - pred + (1-alpha)*dpred_da", "(1-alpha)*dpred_da"),  # all of dl_da is 0 then
    (HOLT, "(1-beta)*dt_da", "beta*dt_da"),
    (HOLT, "beta*(dnl_db - dl_db)", "beta*dnl_db"),
    (HOLT, "dsse_db += -2", "dsse_db += 2"),
    (IMPLICIT, "F_x = 3*x**2 - 6*y", "F_x = 3*x**2 - 6"),
    (IMPLICIT, "F_xx = 6*x", "F_xx = 6*y"),
    (IMPLICIT, "F_yy = 6*y", "F_yy = 6*x"),
]


@pytest.mark.parametrize("source", [HOLT, IMPLICIT], ids=["holt", "implicit"])
def test_right_work_is_right(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert "not checked" not in report.explain()


@pytest.mark.parametrize(("source", "right", "slip"), SLIPS)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str) -> None:
    assert source.count(right) == 1
    line = 1 + source[: source.index(right)].count("\n")
    report = symgrad.check(source.replace(right, slip))
    assert [f.span.line for f in report.findings if f.root and f.span] == [line], report.explain()


def test_short_forms_stand_for_one_name_only() -> None:
    called = ["level", "trend", "new_level", "alpha", "beta", "loss"]
    names = ["dl_da", "dnl_db", "dlevel_dalpha", "dL_da", "dt_dq", "dz_da"]
    assert spelled_out(names, called) == {"dnl_db": Claim("newlevel", "beta"), "dl_da": Claim("l", "alpha"),
                                          "dL_da": Claim("l", "alpha")}  # fmt: skip
    assert spelled_out(["dl_da"], called[:-1]) == {"dl_da": Claim("level", "alpha")}
    assert spelled_out(["dl_da"], [*called, "angle"]) == {}
