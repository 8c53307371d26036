import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.limits import RATES
from cleanaudio.errors import FormatError, InputError
from cleanaudio.live.pcm import ENCODINGS, PcmFormat, read_header
from cleanaudio.live.pipes import PcmSource


def wav(subtype, frames=1000, channels=2, rate=44100, container="WAV"):
    audio = np.random.default_rng(1).uniform(-0.9, 0.9, (frames, channels)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format=container, subtype=subtype)
    return audio.T, file.getvalue()


def info(data):
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return file.samplerate, file.channels, file.frames, file.format, file.subtype


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 1e-7), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_wav_from_a_pipe_equals_soundfile_and_comes_out_as_it_was(subtype, tolerance, container):
    audio, data = wav(subtype, container=container)
    stream = io.BytesIO(data)
    pcm, length = read_header(stream)
    assert (pcm.rate, pcm.channels) == (44100, 2)
    heard = np.concatenate(list(PcmSource(stream, pcm, length).blocks(333)), axis=1)
    np.testing.assert_allclose(heard, audio, atol=tolerance)
    np.testing.assert_array_equal(heard, soundfile.read(io.BytesIO(data), dtype="float32")[0].T)
    samples = pcm.encode(heard)
    out = pcm.header(len(samples)) + samples
    assert info(out) == (44100, 2, 1000, "WAV" if container == "WAV" else "WAVEX", subtype)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(out), dtype="float32")[0].T, heard)


def test_samples_in_wider_frames_than_they_need_are_refused():
    _, data = wav("PCM_24")
    with pytest.raises(FormatError, match="2 channels and 24 bits with 8 bytes a frame"):
        read_header(io.BytesIO(data[:32] + (8).to_bytes(2, "little") + data[34:]))


@pytest.mark.parametrize("mask", [0, 0x3F, 0x60F])
def test_loudspeakers_pass_through_a_pipe(mask):
    _, data = wav("PCM_16", channels=6, container="WAVEX")
    pcm, _ = read_header(io.BytesIO(data[:40] + mask.to_bytes(4, "little") + data[44:]))
    header = pcm.header()
    assert pcm.mask == mask and int.from_bytes(header[40:44], "little") == mask
    assert read_header(io.BytesIO(header))[0] == pcm


def test_a_plain_header_stays_plain():
    pcm, _ = read_header(io.BytesIO(wav("PCM_16", channels=6)[1]))
    assert len(pcm.header()) == 44 and info(pcm.header(12) + bytes(12))[3] == "WAV"


@pytest.mark.parametrize(("container", "subtype"), [("W64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_other_containers_are_called_by_their_names(container, subtype):
    with pytest.raises(FormatError, match=f"holds {container}"):
        read_header(io.BytesIO(wav(subtype, container=container)[1]))


def test_raw_samples_are_not_taken_for_mp3():
    with pytest.raises(InputError, match="no WAV header"):
        read_header(io.BytesIO(b"\xff" * 100))


@pytest.mark.parametrize("unknown", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80"])
def test_an_unknown_length_reads_to_the_end(unknown):
    _, data = wav("PCM_16")
    at = data.index(b"data") + 4
    stream = io.BytesIO(data[:at] + unknown + data[at + 4 :])
    pcm, length = read_header(stream)
    assert length is None
    assert sum(block.shape[1] for block in PcmSource(stream, pcm, length).blocks(400)) == 1000


def test_what_follows_the_samples_is_not_heard():
    _, data = wav("PCM_16")
    stream = io.BytesIO(data + b"LIST\x04\0\0\0abcd")
    pcm, length = read_header(stream)
    assert sum(block.shape[1] for block in PcmSource(stream, pcm, length).blocks(400)) == 1000


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_our_header_is_read_by_soundfile(encoding):
    audio = np.random.default_rng(2).uniform(-1, 1, (2, 500)).astype(np.float32)
    pcm = PcmFormat(22050, 2, encoding, wav=True)
    heard, rate = soundfile.read(io.BytesIO(pcm.header() + pcm.encode(audio)), dtype="float32")
    assert rate == 22050
    np.testing.assert_allclose(heard.T, audio, atol=2**-7 if encoding == "u8" else 2**-15)


@given(
    st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=50), st.sampled_from(["u8", "s16le", "s24le", "s32le"])
)
def test_integers_stop_at_full_scale_and_never_wrap(values, encoding):
    audio = np.array([values], np.float32)
    pcm = PcmFormat(16000, 1, encoding)
    np.testing.assert_allclose(
        pcm.decode(pcm.encode(audio)), np.clip(audio, -1, 1), atol=2**-7 if encoding == "u8" else 2**-15
    )


def test_samples_that_are_no_numbers_become_silence():
    for encoding, kind in (("f32le", "<f4"), ("f64le", "<f8")):
        pcm = PcmFormat(16000, 1, encoding)
        assert np.all(pcm.decode(np.array([np.nan, np.inf, -np.inf], kind).tobytes()) == 0)
    assert np.all(pcm.decode(np.array([1e300, -1e300, 1e20], "<f8").tobytes()) == 0)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"hello world, this is text", b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f"])
def test_what_is_no_header_is_refused(data):
    with pytest.raises(InputError):
        read_header(io.BytesIO(data))


@pytest.mark.parametrize("arguments", [(0, 1), (16000, 0), (16000, 1000), (RATES[-1] + 1, 1), (16000, 1, "s24be")])
def test_what_cannot_be_streamed_is_refused(arguments):
    with pytest.raises(FormatError):
        PcmFormat(*arguments)


@pytest.mark.parametrize("rate", [RATES[0], RATES[-1]])
def test_every_rate_of_files_can_be_streamed(rate):
    assert PcmFormat(rate, 1).rate == rate


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6])
def test_sox_rounds_an_unknown_length_down_to_whole_frames(channels):
    _, data = wav("PCM_16", channels=channels)
    at = data.index(b"data") + 4
    claimed = 0x7FFFF000 // (2 * channels) * 2 * channels
    _, length = read_header(io.BytesIO(data[:at] + claimed.to_bytes(4, "little") + data[at + 4 :]))
    assert length is None
