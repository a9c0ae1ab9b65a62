"""Lists of gradients that are turned round, or are not."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

LAYERS = """
import math
x = 0.8
ws = [1.2, -0.7, 0.95]
h = x
acts = [x]
for w in ws:
    h = math.tanh(w * h)
    acts.append(h)
g = 1.0
gws = []
for l in reversed(range(len(ws))):
    g = g * (1 - acts[l + 1] ** 2)
    gws.append(g * acts[l])
    g = g * ws[l]
gws = gws[::-1]
"""

TERMS = """
import math
ws = [1.2, -0.7, 0.95]
total = 0.0
for w in ws:
    total = total + math.sin(w)
dws = []
for w in ws:
    dws.append(math.cos(w))
"""


@pytest.mark.parametrize("source", [LAYERS, LAYERS.replace("gws = gws[::-1]\n", ""), TERMS])
def test_either_order_is_left_alone(source: str) -> None:
    assert check_source(source, sandbox=False).ok


@pytest.mark.parametrize(
    ("source", "fix"),
    [(LAYERS.replace("[::-1]", "[::1]"), "gws[::-1]"), (TERMS + "dws = dws[::-1]\n", "dws")],
)
def test_the_slice_is_told(source: str, fix: str) -> None:
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.fix, found.fix_verified) == (len(source.strip().split("\n")) + 1, fix, True)


def test_it_is_told_beside_another_mistake() -> None:
    source = LAYERS.replace("[::-1]", "[::1]").replace("g = g * ws[l]", "g = -g * ws[l]")
    assert [f.line for f in check_source(source, sandbox=False).findings if f.root] == [15, 16]
