"""The pytest plugin: a fixture for homework tests, and failures that show the diagnostic and nothing around it.

It is loaded in every pytest run of an environment that has symgrad, so it imports nothing of symgrad until it is used.
A failed assertion of :mod:`symgrad.testing` is shown as its text: no source of the test, which may hold the answer, and
no traceback. ``pytest --symgrad-full-trace`` shows both.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from symgrad.testing import DerivativeError


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--symgrad-hint`` and the ini value ``symgrad_hint``: how much a failing test tells."""
    group = parser.getgroup("symgrad")
    group.addoption("--symgrad-hint", choices=["none", "line", "factor", "fix"], default=None,
                    help="what failures of the 'derivatives' fixture tell: none, line, factor or fix")  # fmt: skip
    group.addoption("--symgrad-full-trace", action="store_true", default=False,
                    help="show tracebacks of symgrad's assertions, with the source of the tests")  # fmt: skip
    parser.addini("symgrad_hint", "what failures of the 'derivatives' fixture tell", default="fix")


class Derivatives:
    """The assertions of :mod:`symgrad.testing` with the hint level of the run.

    Attributes:
        hint: the level, where a call does not say another.
    """

    def __init__(self, hint: str) -> None:
        self.hint = hint

    def assert_derivative(self, *args: Any, **options: Any) -> None:
        """See :func:`symgrad.testing.assert_derivative`."""
        __tracebackhide__ = True
        from symgrad import testing

        testing.assert_derivative(*args, **{"hint": self.hint, **options})

    def assert_backward(self, *args: Any, **options: Any) -> None:
        """See :func:`symgrad.testing.assert_backward`."""
        __tracebackhide__ = True
        from symgrad import testing

        testing.assert_backward(*args, **{"hint": self.hint, **options})

    def assert_derivation(self, *args: Any, **options: Any) -> None:
        """See :func:`symgrad.testing.assert_derivation`."""
        __tracebackhide__ = True
        from symgrad import testing

        testing.assert_derivation(*args, **{"hint": self.hint, **options})


@pytest.fixture
def derivatives(request: pytest.FixtureRequest) -> Derivatives:
    """symgrad's assertions, with the hint level that the run was given."""
    config = request.config
    return Derivatives(config.getoption("--symgrad-hint") or str(config.getini("symgrad_hint")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Show the diagnostic alone."""
    report: Any = yield
    error = None if call.excinfo is None else _ours(call.excinfo.value)
    if error is not None and report.failed and not item.config.getoption("--symgrad-full-trace"):
        path, line = str(item.location[0]), (item.location[1] or 0) + 1
        report.longrepr = _representation(str(error), path, line)
        # What the test printed or logged stays; locals (-l) were a part of the traceback.
    return report


def _ours(value: BaseException | None) -> DerivativeError | None:
    import sys

    testing = sys.modules.get("symgrad.testing")
    if testing is None:
        return None
    return value if isinstance(value, testing.DerivativeError) else None


def _representation(text: str, path: str, line: int) -> Any:
    """What pytest prints of a failure: the text, and its first line in the short summary. It survives pytest-xdist."""
    from _pytest._code.code import ReprExceptionInfo, ReprFileLocation, ReprTracebackNative

    lines = [f"{part}\n" for part in text.rstrip().split("\n")]
    return ReprExceptionInfo(
        reprtraceback=ReprTracebackNative(lines),
        reprcrash=ReprFileLocation(path, line, text.split("\n", maxsplit=1)[0]),
    )
