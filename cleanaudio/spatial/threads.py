"""One BLAS thread for many small matrices: to share such little work costs more than it saves, above all when busy."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock
from types import TracebackType
from typing import Any


def one_thread() -> AbstractContextManager[None]:
    """Return a context in which the BLAS libraries that are loaded by now use one thread each.

    The limit is the whole process's, as the thread pool of OpenBLAS is. Several threads may be inside at once: the
    first one limits, and the last one to leave restores what the first has found.
    """
    return _LIMIT


class _Limit:
    """The limit, and how many are inside of it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._found: list[tuple[Any, int]] = []  # libraries, and the threads that each had

    def __enter__(self) -> None:
        from threadpoolctl import OpenBLASController, ThreadpoolController

        with self._lock:
            # Those who come later find one thread everywhere but in a library that was loaded since.
            for library in ThreadpoolController().select(user_api="blas").lib_controllers:
                threads = library.num_threads or 1
                if threads > 1:
                    self._found.append((library, threads))
                    library.set_num_threads(1)
            # OpenBLAS listens to one thread until that lets go; another one may be the last to leave.
            OpenBLASController.clear_controlling_thread()
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        from threadpoolctl import OpenBLASController

        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            while self._found:
                library, threads = self._found.pop()
                library.set_num_threads(threads)
            OpenBLASController.clear_controlling_thread()


_LIMIT = _Limit()
