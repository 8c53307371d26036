from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.processor import through
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.none import Untouched
from cleanaudio.backends.offset import WithoutOffset
from cleanaudio.backends.spec import parse

RATE = 16000


def processor() -> WithoutOffset:
    return WithoutOffset(Untouched(2), 2, RATE)


def test_what_is_taken_away_is_the_mean_of_each_channel() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 10 * RATE)).astype(np.float32)
    wanted = noise - noise.mean(1, keepdims=True)
    got = through(processor(), noise + np.float32([[0.25], [-0.02]]))
    assert np.abs(got - wanted)[:, RATE:].max() < 0.005
    np.testing.assert_allclose(got[:, RATE:].mean(1), 0, atol=1e-3)


@pytest.mark.parametrize("hertz", [50, 60, 100, 120, 210])
def test_a_signal_without_one_is_left_as_it_is_and_silence_stays_silence(hertz: int) -> None:
    signal = 0.1 * np.random.default_rng(0).standard_normal((2, 10 * RATE)).astype(np.float32)
    signal += np.float32(0.1) * np.sin(2 * np.pi * hertz / RATE * np.arange(10 * RATE) + 1, dtype=np.float32)
    signal[:, 5 * RATE :] = 0
    np.testing.assert_array_equal(through(processor(), signal), signal)


def test_an_offset_that_changes_is_followed() -> None:
    signal = np.repeat(np.float32([[0.1, -0.1]]), 20 * RATE, axis=1).repeat(2, axis=0)
    got = through(processor(), signal)
    assert np.abs(got[:, RATE : 20 * RATE]).max() < 2e-3
    assert np.abs(got[:, 35 * RATE :]).max() < 0.01


@given(cuts=st.lists(st.integers(0, 9000), max_size=6))
def test_the_pieces_that_a_signal_comes_in_do_not_matter(cuts) -> None:
    signal = 0.3 + 0.1 * np.random.default_rng(1).standard_normal((2, 9000)).astype(np.float32)
    path = processor()
    whole = through(path, signal)
    path.reset()
    pieces = np.split(signal, sorted(cuts), axis=1)
    got = np.concatenate([*(path.process(piece) for piece in pieces), path.flush()], axis=1)
    np.testing.assert_allclose(got, whole, atol=1e-6)


@pytest.mark.parametrize("spec", ["deepfilternet", "fullband", "fullband-offline"])
def test_networks_clean_as_if_there_were_no_offset(noisy_speech, spec: str) -> None:
    noisy = noisy_speech(4.0, 48000, snr_db=10)[None].astype(np.float32)
    path = chain.resolve(chain.Settings(parse(spec)), Setup(48000, 1))
    wanted, got = through(path.open(), noisy)[0], through(path.open(), noisy + np.float32(0.1))[0]
    assert abs(got[48000:].mean()) < 1e-3
    error = (got - wanted)[48000:]
    assert 10 * np.log10((wanted @ wanted) / (error @ error)) > 20
