"""Small matrix products, one thread: what a BLAS wins by sharing them it loses by waiting, a hundredfold when busy."""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager:
    """Return a context in which the BLAS libraries that are loaded by now use one thread each."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")
