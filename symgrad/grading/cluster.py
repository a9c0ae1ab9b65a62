"""Grading on Dask, an optional extra: ``pip install symgrad[dask]``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from symgrad.errors import SymgradError

#: Seconds to find the scheduler.
CONNECTING = 30


@contextlib.contextmanager
def connected(address: str, jobs: int | None = None) -> Iterator[tuple[Executor, int]]:
    """An executor that runs on a Dask cluster, and how many submissions it grades at a time.

    Its workers need the same symgrad; submissions and the assignment travel with the tasks. A worker that dies takes
    nothing with it: the scheduler gives its tasks to the others.

    Args:
        address: of the scheduler, ``tcp://HOST:PORT``, or ``local`` for workers on this machine.
        jobs: for ``local`` how many; by default one for each processor.

    Raises:
        SymgradError: Dask is not installed, or there is no scheduler.
    """
    try:
        import distributed
    except ImportError:
        raise SymgradError("--scheduler needs Dask", hint="pip install 'symgrad[dask]'") from None
    made: Any = distributed
    with contextlib.ExitStack() as stack:
        target: Any = address
        if address == "local":
            target = stack.enter_context(
                made.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None, silence_logs=40)
            )
        try:
            client = stack.enter_context(made.Client(target, timeout=CONNECTING, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:
            raise SymgradError(f"--scheduler {address}: {error}") from None
        threads = sum(client.nthreads().values()) or 1
        yield client.get_executor(pure=False, retries=3), jobs or threads


__all__ = ["connected"]
