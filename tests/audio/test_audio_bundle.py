"""Several files, or some channels of one, as one reader."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from cleanaudio.audio.bundle import open_side_by_side, picked
from cleanaudio.audio.files import open_reader
from cleanaudio.errors import InputError


@pytest.fixture
def files(tmp_path):
    """Write mono files of noise and return their paths and samples."""
    samples = (0.1 * np.random.default_rng(0).standard_normal((3, 5000))).astype(np.float32)
    for k, one in enumerate(samples):
        soundfile.write(tmp_path / f"{k}.wav", one, 16000, "FLOAT")
    return [tmp_path / f"{k}.wav" for k in range(3)], samples


def everything(reader, block=777):
    return np.concatenate(list(reader.blocks(block)), axis=1)


def test_files_become_channels(files):
    paths, samples = files
    with open_side_by_side(paths) as reader:
        assert (reader.info.channels, reader.info.frames, reader.info.path) == (3, 5000, str(paths[0]))
        np.testing.assert_array_equal(everything(reader), samples)
        reader.seek(1234)
        np.testing.assert_array_equal(reader.read(10), samples[:, 1234:1244])


def test_channels_are_picked_in_any_order(files, tmp_path):
    _, samples = files
    soundfile.write(tmp_path / "all.wav", samples.T, 16000, "FLOAT")
    with picked(open_reader(tmp_path / "all.wav"), (2, 0)) as reader:
        np.testing.assert_array_equal(everything(reader), samples[[2, 0]])


def test_all_channels_are_the_reader_itself(files):
    with open_side_by_side(files[0]) as reader:
        assert picked(reader, range(3)) is reader


def test_what_is_no_number_is_counted_once(files):
    paths, samples = files
    samples[1, 100:103] = np.nan
    soundfile.write(paths[1], samples[1], 16000, "FLOAT")
    with open_side_by_side(paths) as reader:
        assert np.isfinite(everything(reader)).all()
        assert reader.repaired == 3


def test_the_shortest_decides_where_little_is_missing(files):
    paths, samples = files
    soundfile.write(paths[2], samples[2, :4900], 16000, "FLOAT")
    with open_side_by_side(paths) as reader:
        assert reader.info.frames == 4900 and "100 frames" in reader.info.warnings[0]
        np.testing.assert_array_equal(everything(reader), samples[:, :4900])


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(5000), 8000, "8000 Hz"),
        (np.zeros(10000), 16000, "0.625 s long"),
        (np.zeros((5000, 2)), 16000, "2 channels"),
    ],
)
def test_files_that_do_not_go_together(files, samples, rate, message):
    paths, _ = files
    soundfile.write(paths[1], samples, rate)
    with pytest.raises(InputError, match=message) as caught:
        open_side_by_side(paths)
    assert caught.value.path == str(paths[1]) and caught.value.remedy


def test_a_missing_file_leaves_none_open(files, tmp_path):
    import os

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InputError, match="no such file"):
        open_side_by_side([*files[0], tmp_path / "nix.wav"])
    assert len(os.listdir("/proc/self/fd")) == before
