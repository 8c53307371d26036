"""Processors in threads of their own: the same samples, in the same pieces, and work side by side."""

from __future__ import annotations

from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.processor import through
from cleanaudio.audio.queue import Queue
from cleanaudio.backends import chain
from cleanaudio.backends.combining import Blend
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.backends.threaded import AHEAD_S, Threaded

RATE = 100
SIGNAL = np.random.default_rng(0).standard_normal((2, 40 * RATE)).astype(np.float32)


class Late:
    """Gives what it gets, so many frames later; ``before`` is called with every block."""

    def __init__(self, frames=0, before=lambda block: None):
        self.latency, self.before = frames, before
        self.reset()

    def reset(self):
        self.queue = Queue(np.zeros((2, 0), np.float32))

    def process(self, block):
        self.before(block)
        self.queue.push(block)
        return self.queue.pop(max(0, len(self.queue) - self.latency))

    def flush(self):
        return self.queue.pop(len(self.queue))


@given(st.lists(st.integers(0, 15 * RATE), max_size=12), st.integers(0, 5 * RATE))
def test_what_comes_out_is_the_same_and_comes_a_bounded_time_later(pieces, frames):
    ahead = Threaded(Late(frames), RATE, 2)
    assert ahead.latency == frames
    for _ in range(2):
        out, at = [], 0
        for piece in pieces:
            block = SIGNAL[:, at : at + piece]
            at += block.shape[1]
            out.append(ahead.process(block))
            owed = at - sum(one.shape[1] for one in out) - frames
            assert owed <= max(AHEAD_S * RATE, block.shape[1])
        whole = np.concatenate([np.zeros((2, 0), np.float32), *out, ahead.flush()], axis=1)
        assert np.array_equal(whole, SIGNAL[:, :at])
        ahead.process(SIGNAL)  # which is forgotten
        ahead.reset()


def test_members_of_a_blend_work_at_the_same_time():
    both = Barrier(2, timeout=10)
    members = [Threaded(Late(before=lambda block: both.wait()), RATE, 2) for _ in range(2)]
    out = through(Blend(members, [[0.25, 0.75]], 2), SIGNAL)
    np.testing.assert_allclose(out, SIGNAL, rtol=1e-6)


def test_an_error_in_the_thread_is_the_callers():
    def fail(block):
        raise ValueError("broken")

    ahead = Threaded(Late(before=fail), RATE, 2)
    with pytest.raises(ValueError, match="broken"):
        through(ahead, SIGNAL)


@pytest.mark.parametrize("spec", ["0.7*log-mmse+0.3*omlsa", "0.6*fullband-offline+0.4*omlsa"])
def test_threads_change_nothing(noisy_speech, spec):
    signal = np.stack([noisy_speech(12.0, 48000), 0.5 * noisy_speech(12.0, 48000)])
    one, two = (
        through(chain.resolve(chain.Settings(parse(spec)), Setup(48000, 2, threads=threads)).open(), signal)
        for threads in (1, 2)
    )
    np.testing.assert_allclose(two, one, atol=1e-6)


def test_live_and_with_one_thread_nothing_waits():
    for setup in (Setup(48000, 1), Setup(48000, 1, live=True, threads=2)):
        opened = chain.resolve(chain.Settings(parse("0.7*log-mmse+0.3*omlsa")), setup).open()
        given = opened.process(np.zeros((1, 48000), np.float32)).shape[1]
        assert given >= 48000 - opened.latency - 1024


def test_reset_forgets_what_went_wrong():
    wrong = [True]

    def fail(block):
        if wrong:
            raise ValueError("no")

    threaded = Threaded(Late(before=fail), RATE, 2)
    for _ in range(3):
        threaded.process(SIGNAL[:, :RATE])
    wrong.clear()
    threaded.reset()
    np.testing.assert_array_equal(through(threaded, SIGNAL), SIGNAL)
