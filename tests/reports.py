"""Reports of everything in examples/, for the tests of renderings; and what can be read from a page."""

from __future__ import annotations

import contextlib
import io
import runpy
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import symgrad

EXAMPLES = Path(__file__).parent.parent / "examples"
#: Scripts and notebooks that hold a derivation of their own.
SCRIPTS = (
    "recurrent_tanh.py", "vanilla_rnn.py", "attention.py", "batchnorm.py", "custom_function.py", "affine_chain.py",
    "matmul_upstream.py", "softmax_cross_entropy.py", "homework.ipynb", "lstm.py",
)  # fmt: skip
#: Scripts that check an expression and keep the report.
EXPRESSIONS = (
    "named_steps.py", "recurrent_expression.py", "rounding.py", "shared_weight.py", "sigmoid_plus_tanh.py",
    "softmax_regression_expression.py", "staged.py", "squared_error.py", "affine_chain_expression.py", "identity.py",
    "linear.py", "polynomial.py", "product.py", "sigmoid_neuron.py", "square.py", "tanh_of_sigmoid.py",
)  # fmt: skip


@lru_cache(maxsize=64)
def report_of(name: str) -> Any:
    """The report of an example."""
    if name in SCRIPTS:
        return symgrad.check(EXAMPLES / name)
    with contextlib.redirect_stdout(io.StringIO()):
        found = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return next(v for v in found.values() if hasattr(v, "explain"))


class Page(HTMLParser):
    """The words and tags of a page.

    Attributes:
        text: all that is read, without what is in scripts and styles.
        tags: every element with its attributes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._silent = 0
        self.feed(html)
        self.text = " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words.append(data)
