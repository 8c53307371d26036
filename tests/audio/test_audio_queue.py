import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.queue import Queue

STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=30)


@given(STEPS, st.integers(0, 3), st.sampled_from([-1, -2]))
def test_what_comes_out_is_what_went_in(steps, start, axis):
    def numbered(first, end):
        return np.moveaxis(np.arange(first, end, dtype=float) * np.ones((2, 3, 1)), -1, axis)

    queue, written, read = Queue(numbered(0, start), axis), start, 0
    for push, peek, pop in steps:
        queue.push(numbered(written, written + push))
        written += push
        peek, pop = min(peek, len(queue)), min(pop, len(queue))
        assert np.array_equal(queue.peek(peek), numbered(read, read + peek))
        assert np.array_equal(queue.pop(pop), numbered(read, read + pop))
        read += pop
        assert len(queue) == written - read


@pytest.mark.parametrize("take", [Queue.pop, Queue.peek])
@pytest.mark.parametrize("length", [-1, 4])
def test_more_than_there_is_is_refused(take, length):
    queue = Queue(np.arange(3.0))
    with pytest.raises(ValueError, match="of 3"):
        take(queue, length)
    assert np.array_equal(queue.pop(3), np.arange(3.0))


def test_what_only_waits_is_not_copied():
    block = np.arange(10.0)
    queue = Queue(np.zeros(0))
    queue.push(block)
    assert all(np.shares_memory(queue.pop(length), block) for length in (3, 7))


def test_nothing_has_the_kind_of_what_waits():
    queue = Queue(np.zeros((2, 0, 5), np.complex64), axis=-2)
    assert queue.pop(0).shape == (2, 0, 5)
    assert queue.pop(0).dtype == np.complex64
    assert not queue
