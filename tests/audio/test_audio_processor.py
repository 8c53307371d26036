from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.processor import Series, SideBySide, driven, through
from cleanaudio.audio.queue import Queue

SIGNAL = np.random.default_rng(0).standard_normal((2, 200000)).astype(np.float32)


class Scaled:
    """Gives the first channels times a gain, so many frames later."""

    def __init__(self, gain, late=0, channels=2):
        self.gain, self.channels, self.latency = np.float32(gain), channels, late
        self.reset()

    def reset(self):
        self.waiting = Queue(np.zeros((self.channels, 0), np.float32))

    def process(self, block):
        self.waiting.push(self.gain * block[: self.channels])
        return self.waiting.pop(max(0, len(self.waiting) - self.latency))

    def flush(self):
        return self.waiting.pop(len(self.waiting))


def pieces(sizes):
    edges = np.cumsum([0, *sizes])
    return [SIGNAL[:, begin:end] for begin, end in pairwise(edges)]


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 30), st.integers(0, 30))
def test_a_series_is_one_after_the_other(sizes, first, second):
    path = Series([Scaled(2, first), Scaled(3, second)])
    assert path.latency == first + second
    for _ in range(2):
        out = np.concatenate(list(driven(path, pieces(sizes))), axis=1)
        np.testing.assert_array_equal(out, 6 * SIGNAL[:, : sum(sizes)])
        path.reset()


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 30), st.integers(0, 30))
def test_side_by_side_each_gives_a_channel(sizes, first, second):
    path = SideBySide([Scaled(2, first, 1), Scaled(3, second, 1)])
    assert path.latency == max(first, second)
    for _ in range(2):
        out = np.concatenate(list(driven(path, pieces(sizes))), axis=1)
        np.testing.assert_array_equal(out, np.float32([[2], [3]]) * SIGNAL[:1, : sum(sizes)])
        path.reset()


def test_a_whole_signal_goes_through():
    np.testing.assert_array_equal(through(Scaled(2, 100), SIGNAL), 2 * SIGNAL)
