"""The exception that ends a traced run, whatever the user's code catches."""

from __future__ import annotations

from symgrad.frontends.trace.data import TraceError


class Stop(BaseException):
    """Ends the run. Not an ``Exception``: the user's ``except Exception`` does not see it.

    A bare ``except:`` does see it, but the tracer remembers it (:attr:`Tracer.dead`), every guard raises it again, and
    the run's result is this error in any case.
    """

    def __init__(self, error: TraceError) -> None:
        super().__init__(error.message)
        self.error = error
