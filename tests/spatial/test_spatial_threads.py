from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np  # noqa: F401 - its BLAS is what is limited
import pytest
from threadpoolctl import OpenBLASController, threadpool_info, threadpool_limits

from cleanaudio.spatial.threads import one_thread


def _threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    """BLAS libraries that use two threads each, for every thread to change."""
    with threadpool_limits(limits=2, user_api="blas"):
        OpenBLASController.clear_controlling_thread()
        assert _threads() == {2}
        yield


def test_inside_there_is_one_thread(two_threads):
    with one_thread():
        assert _threads() == {1}
        with one_thread():
            assert _threads() == {1}
        assert _threads() == {1}
    assert _threads() == {2}


def test_an_error_leaves_nothing_limited(two_threads):
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert _threads() == {2}


def test_threads_that_are_inside_at_once_leave_what_the_first_has_found(two_threads):
    """Of three, each comes in while the one before is inside, and leaves after it."""
    steps = [Barrier(3) for _ in range(6)]

    def stay(k):
        for step in steps[:k]:
            step.wait(30)
        with one_thread():
            seen = []
            for step in steps[k : k + 3]:
                step.wait(30)
                seen.append(_threads())
        for step in steps[k + 3 :]:
            step.wait(30)
        return seen

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(stay, range(3))) == [[{1}] * 3] * 3
        assert _threads() == {2}
    assert _threads() == {2}
