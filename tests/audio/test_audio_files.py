"""What is read from good, odd and broken files, compared with soundfile, scipy and PyAV."""

import io
import os
import struct
import subprocess
import sys

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from cleanaudio.audio import mpeg, ogg, view
from cleanaudio.audio.files import open_reader, probe
from cleanaudio.errors import CleanAudioError, InputError

RATE = 16000
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT\x0e\0\0\0Lavf59.27.100\0"


def noise(frames, channels=2, seed=0):
    return (np.random.default_rng(seed).standard_normal((frames, channels)) * 0.1).clip(-1, 1)


def read_all(path, block=1000):
    with open_reader(path) as reader:
        blocks = list(reader.blocks(block))
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((reader.info.channels, 0), np.float32)


def wav(data, *, claim=None, riff=None, channels=2, rate=RATE, bits=16, fmt=None, before=b"", after=b"", magic=b"RIFF"):
    """A WAV file put together by hand, with whatever the header is to claim."""
    align = channels * bits // 8
    fields = fmt or struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(fields)) + fields + before
    body += b"data" + struct.pack("<I", len(data) if claim is None else claim) + data + after
    return magic + struct.pack("<I", len(body) if riff is None else riff) + body


@pytest.fixture
def pcm():
    return (noise(4800) * 32767).astype("<i2").tobytes()


@pytest.fixture
def put(tmp_path):
    def write(content, name="take.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        *[("WAV", name) for name in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")],
        *[("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "FLOAT"), ("AIFF", "PCM_16"), ("CAF", "ALAC_24")],
        *[("FLAC", "PCM_S8"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AU", "PCM_16")],
    ],
)
def test_samples_and_description_are_those_of_soundfile(tmp_path, format, subtype, rate):
    path = tmp_path / "take.bin"  # the name says nothing
    soundfile.write(path, noise(3001, 3), rate, subtype=subtype, format=format)
    info = probe(path)
    assert (info.format, info.subtype, info.rate, info.channels, info.frames) == (format, subtype, rate, 3, 3001)
    assert info.seconds == 3001 / rate
    assert info.lossy is (subtype in ("ULAW", "ALAW"))
    assert not info.warnings
    order = [1, 2, 0] if subtype == "ALAC_24" else [0, 1, 2]  # ALAC codes the centre first, soundfile leaves it there
    samples = soundfile.read(path, dtype="float32", always_2d=True)[0]
    np.testing.assert_array_equal(read_all(path).T, samples[:, order])


def test_samples_are_those_of_scipy(tmp_path):
    path = tmp_path / "take.wav"
    samples = (noise(500) * 32767).astype(np.int16)
    wavfile.write(path, RATE, samples)
    np.testing.assert_array_equal(read_all(path).T * 32768, samples)


@pytest.mark.parametrize(("format", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_lengths_are_exact(tmp_path, format, subtype):
    path = tmp_path / "take"
    with soundfile.SoundFile(path, "w", RATE, 1, subtype, format=format) as file:
        for second in range(4):
            file.write(noise(RATE + 77, 1, second))
    info = probe(path)
    assert info.lossy and info.bit_rate
    assert info.frames == read_all(path).shape[1] == 4 * (RATE + 77)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(st.integers(0, 3000), max_size=6), start=st.integers(0, 5000), kind=st.sampled_from([0, 1, 2, 3])
)
def test_any_cut_into_blocks_and_any_seek_give_the_same_samples(tmp_path, blocks, start, kind):
    format, subtype = [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")][kind]
    path = tmp_path / f"take{kind}"
    if not path.exists():
        soundfile.write(path, noise(5000, 1), RATE, subtype=subtype, format=format)
    whole = read_all(path)
    with open_reader(path) as reader:
        reader.seek(start)
        pieces = [reader.read(frames) for frames in blocks]
        got = np.concatenate([*pieces, reader.read(10**9)], axis=1)
        assert reader.position == reader.info.frames == 5000
    np.testing.assert_allclose(got, whole[:, start:], atol=1e-6 if format == "MP3" else 0)


def test_seek_refuses_what_is_outside(tmp_path):
    soundfile.write(tmp_path / "take.wav", noise(10), RATE)
    with open_reader(tmp_path / "take.wav") as reader:
        reader.seek(10)
        assert reader.read(5).shape == (2, 0)
        for frame in (-1, 11):
            with pytest.raises(ValueError, match="outside"):
                reader.seek(frame)


# headers of pipes


@pytest.mark.parametrize(
    ("claim", "riff"), [(0, 0), (0, 36), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024), (0x80000000, 0)]
)
@pytest.mark.parametrize("before", [b"", LIST])
def test_an_open_length_is_normal(put, pcm, claim, riff, before):
    path = put(wav(pcm, claim=claim, riff=riff, before=before))
    info = probe(path)
    assert info.frames == 4800
    assert not info.warnings
    np.testing.assert_array_equal(read_all(path).T * 32768, np.frombuffer(pcm, "<i2").reshape(-1, 2))


def test_a_stream_that_is_cut_inside_a_frame_loses_only_that(put, pcm):
    path = put(wav(pcm[:-3], claim=0, riff=0))
    assert read_all(path).shape == (2, 4799)


@pytest.mark.parametrize("after", [b"", LIST])
def test_no_samples_is_not_an_open_length(put, after):
    path = put(wav(b"", after=after))
    assert probe(path).frames == 0
    assert read_all(path).shape == (2, 0)


def test_a_flac_stream_of_unknown_length(tmp_path):
    path = tmp_path / "take.flac"
    samples = noise(20000)
    soundfile.write(path, samples, RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of the number of samples in STREAMINFO
    content[22:26] = bytes(4)
    expected = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float32")[0]
    path.write_bytes(content)
    info = probe(path)
    assert (info.frames, info.warnings) == (20000, ())
    np.testing.assert_array_equal(read_all(path).T, expected)
    with open_reader(path) as reader:
        reader.read(15000)
        reader.seek(7)
        np.testing.assert_array_equal(reader.read(100).T, expected[7:107])


def test_bw64_is_rf64(tmp_path):
    path = tmp_path / "take.wav"
    soundfile.write(path, noise(100), RATE, format="RF64")
    expected = soundfile.read(path, dtype="float32")[0]
    path.write_bytes(b"BW64" + path.read_bytes()[4:])
    np.testing.assert_array_equal(read_all(path).T, expected)


# headers that promise too much


@pytest.mark.parametrize("factor", [2, 10])
def test_a_wav_header_that_promises_too_much(put, pcm, factor):
    path = put(wav(pcm, claim=len(pcm) * factor))
    info = probe(path)
    assert info.frames == 4800
    assert info.warnings == (f"the header promises {4800 * factor} frames, 4800 are there",)
    assert read_all(path).shape == (2, 4800)


@pytest.mark.parametrize("format", ["FLAC", "AIFF", "W64", "AU", "RF64", "OGG"])
def test_a_file_that_is_cut_gives_what_is_there_and_a_warning(tmp_path, format):
    path = tmp_path / "take"
    soundfile.write(path, noise(60000), RATE, format=format)
    whole = read_all(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    info = probe(path)
    assert info.warnings
    got = read_all(path)
    assert got.shape[1] == info.frames
    assert 15000 < info.frames < 45000
    np.testing.assert_array_equal(got, whole[:, : info.frames])


@pytest.mark.parametrize("length", [3, 20, 43])
def test_a_wav_that_ends_in_its_header(put, pcm, length):
    with pytest.raises(InputError):
        probe(put(wav(pcm)[:length]))


def test_a_wav_of_nothing_but_a_header(put, pcm):
    assert probe(put(wav(pcm)[:44])).frames == 0


# MP3


@pytest.fixture(scope="module")
def mp3(tmp_path_factory):
    """A variable bit rate with a Xing tag, quiet at first: the first frames say nothing about the rest."""
    path = tmp_path_factory.mktemp("mp3") / "take.mp3"
    samples = noise(RATE * 6, 1) * np.repeat([0.0, 3.0, 0.1], RATE * 2)[:, None]
    soundfile.write(path, samples, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return path.read_bytes()


def mpeg_packets(path):
    with av.open(str(path)) as container:
        return sum(1 for packet in container.demux(audio=0) if packet.size)


def without_tag(content):
    scan = mpeg.scan(io.BytesIO(content), len(content))
    return content[: scan.start] + content[scan.start + len(scan.tag) :]


def test_the_frames_of_an_mp3_are_counted(put, mp3):
    path = put(mp3)
    scan = mpeg.scan(io.BytesIO(mp3), len(mp3))
    assert scan.frames == scan.promised == mpeg_packets(path)
    assert probe(path).frames == RATE * 6


def test_an_mp3_without_a_tag_is_read_to_its_end(put, mp3):
    path = put(without_tag(mp3))
    info = probe(path)
    assert info.frames == read_all(path).shape[1]
    assert abs(info.frames - 576 * mpeg_packets(path)) < 1200
    assert not info.warnings


def test_two_mp3_in_one_file_are_read_both(put, mp3):
    one, two = probe(put(without_tag(mp3))).frames, probe(put(without_tag(mp3) * 2)).frames
    assert abs(two - 2 * one) < 1200
    joined = put(mp3 + mp3)
    assert abs(probe(joined).frames - 2 * RATE * 6) < 2400
    assert read_all(joined).shape[1] == probe(joined).frames


def test_a_cut_mp3_gives_what_is_there_and_a_warning(put, mp3):
    path = put(mp3[: len(mp3) // 2])
    info = probe(path)
    assert "promises" in info.warnings[0]
    assert info.frames == read_all(path).shape[1] < RATE * 5


def test_rubbish_between_mp3_frames_is_got_over(put, mp3):
    path = put(mp3[:9000] + b"\0" * 5000 + mp3[9000:])
    assert probe(path).frames == read_all(path).shape[1] > RATE * 4
    assert probe(path).warnings == ("damaged places: 1; what follows them is read without a gap",)


@pytest.mark.parametrize("frame", [0, 1, 7])
def test_an_mp3_frame_that_claims_other_channels_is_passed_over(tmp_path, frame):
    soundfile.write(tmp_path / "take.mp3", noise(4000, 1), RATE, format="MP3")
    whole = (tmp_path / "take.mp3").read_bytes()
    offsets = [position for position, _ in mpeg._frames(io.BytesIO(whole), 0, len(whole))]
    spoiled = bytearray(whole)
    spoiled[offsets[frame] + 3] &= 0x3F  # stereo
    (tmp_path / "take.mp3").write_bytes(spoiled)
    info, samples = probe(tmp_path / "take.mp3"), read_all(tmp_path / "take.mp3")
    assert info.channels == 1 and samples.shape == (1, info.frames) and abs(info.frames - 4000) <= 3 * 576


def test_a_tag_between_joined_mp3_is_no_damage(put, mp3):
    assert not probe(put(without_tag(mp3) + b"TAG".ljust(128, b"\0") + without_tag(mp3))).warnings


@pytest.mark.parametrize("after", [b"APETAGEX" + bytes(9000), b"TAG".ljust(128, b"\0"), bytes(9000)])
def test_what_follows_an_mp3_is_no_reason_for_a_warning(put, mp3, capfd, after):
    path = put(mp3 + after)
    assert (probe(path).frames, probe(path).warnings) == (RATE * 6, ())
    assert read_all(path).shape[1] == RATE * 6
    assert not capfd.readouterr().err


def test_an_mp3_that_begins_within_a_frame_is_read_from_the_next_one_on(put, mp3):
    scan = mpeg.scan(io.BytesIO(mp3), len(mp3))
    cut = scan.runs[0][0] + 10_000
    path = put(mp3[cut:], "cut.mp3")
    info = probe(path)
    assert info.frames == read_all(path).shape[1]
    assert abs(info.frames - 576 * (mpeg_packets(path) - 1)) <= 2 * 576


@pytest.mark.parametrize("seed", range(5))
def test_frames_by_chance_are_no_mp3(put, seed):
    with pytest.raises(InputError, match="not audio"):
        probe(put(b"\0" + np.random.default_rng(seed).bytes(2_000_000), "take.mp3"))


def test_mp2_promises_no_length(tmp_path):
    path = tmp_path / "a.mp2"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp2", rate=44100, layout="mono")
        stream.codec_context.format, stream.codec_context.bit_rate = "s16", 128_000
        for start in range(0, 192 * 1152, 1152):
            frame = av.AudioFrame.from_ndarray(np.full((1, 1152), start % 99, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    info = probe(path)
    assert (info.frames, info.warnings) == (mpeg_packets(path) * 1152, ())
    assert read_all(path).shape == (1, info.frames)


def test_mp3_bit_rate(tmp_path):
    for level, bit_rate in ((0.0, 160_000), (0.8, 40_000)):
        soundfile.write(
            tmp_path / "a.mp3", noise(RATE), RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=level
        )
        assert probe(tmp_path / "a.mp3").bit_rate == bit_rate


# Ogg


def test_vorbis_has_its_nominal_bit_rate_and_opus_its_mean(tmp_path):
    samples = noise(48000 * 2, 1)
    soundfile.write(tmp_path / "v.ogg", samples, 48000, format="OGG", subtype="VORBIS", compression_level=0.7)
    assert probe(tmp_path / "v.ogg").bit_rate == 80_000  # the encoder's table for one channel at quality 3
    soundfile.write(tmp_path / "o.opus", samples, 48000, format="OGG", subtype="OPUS", compression_level=0.5)
    size = (tmp_path / "o.opus").stat().st_size
    assert probe(tmp_path / "o.opus").bit_rate == pytest.approx(size * 8 / 2, rel=0.05)


def test_flac_within_ogg_is_called_so(tmp_path):
    """By the first page, as the mapping of FLAC to Ogg has it."""
    info = b"fLaC" + struct.pack(">I", 34) + struct.pack(">HH6xQ16x", 4096, 4096, 16000 << 44 | 15 << 36)
    packet = b"\x7fFLAC\x01\x00\x00\x01" + info
    page = struct.pack("<4sBBqIIIBB", b"OggS", 0, 2, 0, 1, 0, 0, 1, len(packet)) + packet
    (tmp_path / "a.ogg").write_bytes(page)
    with pytest.raises(InputError, match="FLAC within Ogg"):
        open_reader(tmp_path / "a.ogg")


# what cannot be read


def test_missing_folder_empty_and_special_files(tmp_path):
    with pytest.raises(InputError, match="no such file") as caught:
        probe(tmp_path / "none.wav")
    assert caught.value.path == str(tmp_path / "none.wav") and caught.value.remedy
    with pytest.raises(InputError, match="folder"):
        probe(tmp_path)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(InputError, match="empty"):
        probe(tmp_path / "empty.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match="not a regular file"):
        probe(tmp_path / "pipe.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    with pytest.raises(InputError, match="cannot be opened"):
        probe(tmp_path / "loop.wav")
    with pytest.raises(InputError):
        probe("a\0b.wav")


def test_an_unreadable_file(put, pcm, monkeypatch):
    path = put(wav(pcm))
    path.chmod(0)
    if os.access(path, os.R_OK):  # as root nothing is unreadable

        def refuse(*arguments, **options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(view, "open", refuse, raising=False)
    with pytest.raises(InputError, match="may not be read") as caught:
        probe(path)
    assert "permission" in caught.value.remedy


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.vox", "a", "a.raw", "a.gsm", "a.m4a"])
@pytest.mark.parametrize("content", [b"dear diary\n" * 200, bytes(5000), b"\xff\xfb" + b"dear diary" * 50, b"ID3" * 99])
def test_what_is_not_audio_under_any_name(put, name, content, capfd):
    with pytest.raises(InputError, match=r"not audio|holds no sound"):
        probe(put(content, name))
    assert "mpg123" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 1000}, "1000 channels"),
        ({"channels": 60000}, "cannot be read"),
        ({"channels": 0}, "cannot be read"),
        ({"rate": 0}, "cannot be read"),
        ({"rate": 5}, "rate of 5 Hz"),
        ({"rate": 2_000_000}, "rate of 2000000 Hz"),
        ({"rate": 0xFFFFFFFF}, "cannot be read"),
        ({"bits": 0}, None),
        ({"before": b"LIST" + struct.pack("<I", 0xFFFFFFF0)}, "claims a chunk 'LIST' of 4294967280 bytes"),
        ({"before": b"abcd" + struct.pack("<I", 0x7FFFFFFF)}, "claims a chunk"),
    ],
)
def test_absurd_headers(put, pcm, fields, message):
    with pytest.raises(InputError, match=message) as caught:
        probe(put(wav(pcm, **fields)))
    assert caught.value.path and caught.value.remedy


def test_absurd_headers_cost_no_memory(put, pcm):
    path = put(wav(pcm, claim=0xFFFFFFF0, channels=64))
    script = (
        "import resource, sys\n"
        "from cleanaudio.audio.files import open_reader\n"
        "import soundfile\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with open_reader(sys.argv[1]) as reader: reader.read(10**6)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 50_000  # KiB


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.integers(0, 399), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    kind=st.sampled_from(["WAV", "FLAC", "OGG", "MP3", "AIFF", "RF64", "W64", "CAF", "AU"]),
)
def test_damage_gives_samples_or_our_own_error(tmp_path, cuts, kind):
    path = tmp_path / kind
    if not path.exists():
        soundfile.write(path, noise(4000, 1), RATE, format=kind)
    content = bytearray(path.read_bytes())
    for position, patch in cuts:
        content[position : position + len(patch)] = patch
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    try:
        with open_reader(broken) as reader:
            got = sum(block.shape[1] for block in reader.blocks(4096))
            assert got == reader.info.frames
    except CleanAudioError as error:
        assert error.path and error.remedy


# values


def test_values_that_are_no_numbers_become_zero_and_are_counted(tmp_path):
    samples = noise(1000).astype(np.float32)
    samples[10, 0], samples[11, 1], samples[500] = np.nan, np.inf, -np.inf
    samples[20, 0] = 7.5
    soundfile.write(tmp_path / "take.wav", samples, RATE, subtype="FLOAT")
    with open_reader(tmp_path / "take.wav") as reader:
        got = np.concatenate(list(reader.blocks(300)), axis=1)
        assert reader.repaired == 4
        reader.seek(0)
        assert reader.repaired == 0
    np.testing.assert_array_equal(got.T, np.where(np.isfinite(samples), samples, 0))
    assert got.max() == 7.5


@pytest.mark.parametrize(
    "name", ["take one.wav", 'it\'s "it".wav', "new\nline.wav", "prêt à l'écoute.wav", b"\xff\xfe.wav"]
)
def test_names(tmp_path, name):
    path = os.path.join(tmp_path, os.fsdecode(name))
    with open(path, "wb") as file:
        soundfile.write(file, noise(100), RATE, format="WAV")
    assert probe(path).frames == 100


@pytest.mark.parametrize("frames", [0, 1, 24, 8 * RATE])
@pytest.mark.parametrize("channels", [1, 8])
def test_short_and_many_channels(tmp_path, frames, channels):
    soundfile.write(tmp_path / "take.wav", noise(frames, channels), RATE)
    assert read_all(tmp_path / "take.wav").shape == (channels, frames)


def test_blocks_belong_to_the_caller(tmp_path):
    soundfile.write(tmp_path / "take.wav", noise(100), RATE)
    with open_reader(tmp_path / "take.wav") as reader:
        block = reader.read(10)
        assert block.dtype == np.float32 and block.flags.c_contiguous and block.flags.writeable


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("way", ["changed", "missing"])
def test_a_damaged_ogg_page_is_noticed_and_the_length_counted(tmp_path, subtype, way):
    path = tmp_path / "take.ogg"
    soundfile.write(path, noise(RATE * 20, 1), RATE, format="OGG", subtype=subtype)
    content = bytearray(path.read_bytes())
    pages = [at for at in range(len(content)) if content[at : at + 4] == b"OggS"]
    third, fourth = pages[-4], pages[-3]
    if way == "changed":
        content[third + 300] ^= 1
    else:
        del content[third:fourth]
    path.write_bytes(content)
    info = probe(path)
    assert "damaged" in info.warnings[0]
    assert info.frames == read_all(path).shape[1] < RATE * 20


def test_the_checksum_of_a_good_ogg_is_right(tmp_path):
    soundfile.write(tmp_path / "take.ogg", noise(RATE * 5, 1), RATE, format="OGG", subtype="VORBIS")
    with open(tmp_path / "take.ogg", "rb") as file:
        stream = ogg.describe(file, os.path.getsize(tmp_path / "take.ogg"))
    assert (stream.damaged, stream.ended, stream.links) == (0, True, (0,))


@pytest.mark.parametrize("behind", [bytes(1 << 20), np.random.default_rng(1).bytes(50_000)])
def test_what_lies_behind_the_samples_is_told(tmp_path, behind):
    """A recorder that lost its battery leaves an old length in the header."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(8000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole + b"LIST" + (4).to_bytes(4, "little") + b"INFO" + behind)
    with open_reader(path) as reader:
        assert reader.info.frames == 8000
        (warning,) = reader.info.warnings
        assert warning.startswith(f"{len(behind)} bytes behind the samples that the header counts are left out")
    path.write_bytes(whole + bytes(8))
    with open_reader(path) as reader:
        assert not reader.info.warnings


def test_what_follows_the_samples_of_a_w64_is_no_sound(tmp_path):
    path, other = tmp_path / "a.w64", tmp_path / "b.w64"
    for name, seed in ((path, 1), (other, 2)):
        soundfile.write(name, 0.1 * np.random.default_rng(seed).standard_normal(5000), 16000, "PCM_24", format="W64")
    alone = path.read_bytes()
    path.write_bytes(alone + other.read_bytes())
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-"]
    theirs = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    with open_reader(path) as reader:
        assert reader.info.frames == len(theirs) == 5000
        np.testing.assert_array_equal(reader.read(6000)[0], theirs)
