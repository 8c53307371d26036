"""Blocks of several kinds as one, compared with soxr."""

import numpy as np
import soxr

from cleanaudio.audio.uniform import Uniform, widened


def noise(frames, channels, seed):
    return (np.random.default_rng(seed).standard_normal((frames, channels)) * 0.1).astype(np.float32)


def test_any_cut_into_blocks_gives_the_parts_as_soxr_converts_them():
    parts = [(noise(9000, 2, 0), 44100), (noise(7000, 1, 1), 48000), (noise(5000, 2, 2), 44100)]
    for size in (512, 4000):
        uniform = Uniform(44100, 2)
        pieces = [
            uniform.process(samples[start : start + size], rate)
            for samples, rate in parts
            for start in range(0, len(samples), size)
        ]
        got = np.concatenate([*pieces, uniform.flush()])
        middle = np.repeat(soxr.resample(parts[1][0], 48000, 44100), 2, axis=1)
        np.testing.assert_allclose(got, np.concatenate([parts[0][0], middle, parts[2][0]]), atol=2e-5)
        assert uniform.kinds == [(44100, 2, 0), (48000, 1, 9000), (44100, 2, 9000 + len(middle))]


def test_the_end_of_what_was_converted_is_not_forgotten():
    uniform = Uniform(16000, 1)
    got = [uniform.process(noise(4800, 1, 0), 48000), uniform.flush()]
    assert sum(map(len, got)) == 1600


def test_channels_that_are_missing():
    left_right = np.float32([[1, 2]])
    np.testing.assert_array_equal(widened(left_right, 4), [[1, 2, 0, 0]])
    np.testing.assert_array_equal(widened(np.float32([[3]]), 2), [[3, 3]])
    np.testing.assert_array_equal(widened(np.float32([[3]]), 6), [[3, 3, 0, 0, 0, 0]])
