import io
import os

import numpy as np
import pytest
import soundfile

from cleanaudio.live.pcm import PcmFormat, read_header
from cleanaudio.live.pipes import PcmSink, PcmSource, discard


@pytest.mark.parametrize("extra", [1, 3])
def test_a_stream_that_ends_inside_a_frame_loses_only_that_frame(extra):
    pcm = PcmFormat(16000, 2, "s16le")
    source = PcmSource(io.BytesIO(bytes(4 * 100 + extra)), pcm)
    assert sum(block.shape[1] for block in source.blocks(30)) == 100
    assert source.odd_bytes == extra


def test_stereo_declared_mono_is_noticed():
    rng = np.random.default_rng(3)
    voice = np.convolve(rng.standard_normal(16000), np.hanning(20), "same") / 20
    stereo = np.stack([voice, 0.8 * voice + 0.001 * rng.standard_normal(16000)])
    pcm = PcmFormat(16000, 1, "s16le")
    for signal, expected in ((stereo.T.reshape(1, -1), True), (voice[None], False), (np.zeros((1, 99)), False)):
        source = PcmSource(io.BytesIO(pcm.encode(signal.astype(np.float32))), pcm)
        assert len(list(source.blocks(160)))
        assert source.looks_like_stereo is expected


def blocks(channels=2, frames=1000):
    return np.split(
        np.random.default_rng(1).uniform(-0.9, 0.9, (channels, frames)).astype(np.float32), [10, 10, 300], 1
    )


def test_a_file_gets_a_header_that_knows_its_length(tmp_path):
    """Also where something stands in front of it."""
    with open(tmp_path / "out.wav", "w+b") as file:
        file.write(b"before")
        sink = PcmSink(file, PcmFormat(16000, 2, "f32le", wav=True))
        for block in blocks():
            sink.write(block)
        sink.finish()
        file.seek(0)
        assert file.read(6) == b"before"
        heard, _ = soundfile.read(io.BytesIO(file.read()), dtype="float32")
    np.testing.assert_array_equal(heard.T, np.concatenate(blocks(), axis=1))


@pytest.mark.parametrize("mode", ["ab", "not seekable"])
def test_elsewhere_the_header_stays_as_it_was_written(tmp_path, mode):
    with io.BytesIO() if mode == "not seekable" else (tmp_path / "out.wav").open("ab+") as stream:
        sink = PcmSink(stream, PcmFormat(16000, 2, wav=True))
        for block in blocks():
            sink.write(block)
        sink.finish()
        stream.seek(0)
        assert read_header(stream)[1] is None
        assert len(stream.read()) == 4 * 1000


def test_a_header_goes_out_with_the_first_samples():
    """And not before them, while a backend has nothing to give yet."""
    stream = io.BytesIO()
    sink = PcmSink(stream, PcmFormat(16000, 2, wav=True))
    sink.write(np.zeros((2, 0), np.float32))
    assert not stream.getvalue()
    sink.write(blocks()[0])
    assert len(stream.getvalue()) == len(PcmFormat(16000, 2, wav=True).header()) + 4 * 10


def test_raw_samples_have_no_header():
    stream = io.BytesIO()
    sink = PcmSink(stream, PcmFormat(16000, 2))
    sink.write(blocks()[0])
    sink.finish()
    assert len(stream.getvalue()) == 4 * 10


def test_what_nobody_reads_is_discarded():
    out, into = os.pipe()
    os.close(out)
    with open(into, "wb") as stream:
        sink = PcmSink(stream, PcmFormat(16000, 2))
        with pytest.raises(BrokenPipeError):
            sink.write(blocks()[0])
        discard(stream)
