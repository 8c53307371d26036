import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.backends.frames import FrameQueue


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_what_comes_out_is_what_went_in(steps):
    queue, written, read = FrameQueue(), 0, 0
    for push, pop in steps:
        queue.push(np.arange(written, written + push, dtype=float)[None, :, None] * np.ones((2, 1, 3)))
        written += push
        count = min(pop, queue.frames)
        if count:
            expected = np.arange(read, read + count)
            assert np.array_equal(queue.peek(count)[1, :, 2], expected)
            assert np.array_equal(queue.pop(count)[0, :, 0], expected)
            read += count
        assert queue.frames == written - read


def test_more_than_there_is_is_refused():
    with pytest.raises(ValueError):
        FrameQueue().pop(1)
