"""Results: what is in them, when they appear, and what is left when something goes wrong."""

import errno
import io
import os
import signal
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from cleanaudio.audio.encodings import DEPTHS
from cleanaudio.audio.files import AudioInfo, open_reader, probe
from cleanaudio.audio.formats import OutputFormat, output_format
from cleanaudio.audio.temporary import temporaries
from cleanaudio.audio.wave import WaveSink
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.errors import FormatError, OutputError

RATE = 16000
WAV = OutputFormat("WAV", "PCM_16", ".wav")
FLAC = OutputFormat("FLAC", "PCM_16", ".flac")


def noise(frames, channels=2, level=0.1, seed=0):
    return (np.random.default_rng(seed).standard_normal((channels, frames)) * level).astype(np.float32)


def write(path, signal, format=WAV, rate=RATE, block=1000, **options):
    with AtomicWriter(path, rate, signal.shape[0], format, **options) as writer:
        for start in range(0, signal.shape[1], block):
            writer.write(signal[:, start : start + block])
    return writer


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def copy(source, target, **options):
    info = probe(source)
    with (
        open_reader(source) as reader,
        AtomicWriter(target, info.rate, info.channels, output_format(info), **options) as writer,
    ):
        for block in reader.blocks(777):
            writer.write(block)
    return writer


INTEGERS = [
    *[("WAV", name) for name in ("PCM_U8", "PCM_16", "PCM_24")],
    *[("WAVEX", "PCM_16"), ("WAVEX", "PCM_24"), ("RF64", "PCM_24"), ("W64", "PCM_16")],
    *[("FLAC", name) for name in ("PCM_S8", "PCM_16", "PCM_24")],
    *[("AIFF", name) for name in ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24")],
    *[("CAF", name) for name in ("PCM_16", "ALAC_16")],
    *[("AU", "PCM_S8"), ("AU", "PCM_24")],
]


@pytest.mark.parametrize("kind", INTEGERS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.integers(1, 3000), channels=st.integers(1, 4), dither=st.booleans(), seed=st.integers(0, 99))
def test_samples_that_were_not_processed_come_back_bit_by_bit(tmp_path, kind, frames, channels, dither, seed):
    format, subtype = kind
    depth = DEPTHS[subtype]
    steps = np.random.default_rng(seed).integers(-(2 ** (depth - 1)), 2 ** (depth - 1), (frames, channels))
    source, target = tmp_path / "in", tmp_path / "out"
    soundfile.write(source, (steps << (32 - depth)).astype(np.int32), RATE, subtype=subtype, format=format)
    info = probe(source)
    assert (info.format, info.subtype) == kind
    copy(source, target, overwrite=True, dither_seed=5 if dither else None)
    result = soundfile.info(target)
    assert (result.format, result.subtype, result.samplerate, result.channels) == (*kind, RATE, channels)
    np.testing.assert_array_equal(soundfile.read(target, dtype="int32")[0], soundfile.read(source, dtype="int32")[0])


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floating_point_keeps_what_is_above_full_scale(tmp_path, subtype):
    signal = noise(5000, level=2)
    writer = write(tmp_path / "a.wav", signal, OutputFormat("WAV", subtype, ".wav"))
    assert writer.clipped == 0
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_array_equal(samples.T, signal)


@pytest.mark.parametrize(("subtype", "kind"), [("PCM_U8", "u1"), ("PCM_16", "i2"), ("PCM_24", "i4"), ("PCM_32", "i4")])
def test_wav_is_what_scipy_reads(tmp_path, subtype, kind):
    signal = noise(999, 3)
    write(tmp_path / "a.wav", signal, OutputFormat("WAV", subtype, ".wav"))
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert (rate, samples.dtype) == (RATE, np.dtype(kind))
    step = 2.0 ** -(DEPTHS[subtype] - 1)
    scale, offset = (2**7, 128) if subtype == "PCM_U8" else (2.0 ** (8 * samples.itemsize - 1), 0)
    np.testing.assert_allclose((samples.T.astype(float) - offset) / scale, signal, atol=step / 2 + 1e-9)


def test_a_short_wav_has_the_plain_header(tmp_path):
    write(tmp_path / "a.wav", noise(10), frames=10)
    content = (tmp_path / "a.wav").read_bytes()
    assert len(content) == 44 + 40
    assert content[36:44] == b"data" + struct.pack("<I", 40)
    assert struct.unpack_from("<I", content, 4)[0] == len(content) - 8


def test_bytes_of_an_odd_number_are_padded(tmp_path):
    write(tmp_path / "a.wav", noise(7, 1), OutputFormat("WAV", "PCM_U8", ".wav"))
    content = (tmp_path / "a.wav").read_bytes()
    assert len(content) % 2 == 0 and struct.unpack_from("<I", content, 4)[0] == len(content) - 8
    assert read(tmp_path / "a.wav").shape == (1, 7)


def test_an_extensible_header_keeps_its_loudspeakers(tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(100, 6).T, RATE, format="WAVEX", subtype="PCM_24")
    content = bytearray((tmp_path / "in.wav").read_bytes())
    at = content.index(b"fmt ") + 8 + 20
    struct.pack_into("<I", content, at, 0x3F)
    (tmp_path / "in.wav").write_bytes(content)
    copy(tmp_path / "in.wav", tmp_path / "out.wav")
    assert probe(tmp_path / "out.wav").channel_mask == 0x3F
    assert soundfile.info(tmp_path / "out.wav").format == "WAVEX"


# beyond 4 GiB


class Sparse(io.BytesIO):
    """Keeps the header, counts the rest."""

    def __init__(self):
        super().__init__()
        self.end = 0

    def write(self, data):
        size = memoryview(data).nbytes
        if self.tell() < 4096 and size < 4096:
            super().write(data)
        else:
            self.seek(size, os.SEEK_CUR)
        self.end = max(self.end, self.tell())
        return size


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("gib", "magic"), [(3.9, b"RIFF"), (4.5, b"RF64")])
def test_above_4_gib_a_wav_is_rf64(known, gib, magic):
    frames = int(gib * 2**30) // 400 * 100
    file = Sparse()
    sink = WaveSink(file, "WAV", "PCM_16", 48000, 2, frames=frames if known else None)
    block = np.broadcast_to(np.zeros((1, 2), np.int16), (100, 2))
    sink._written = (frames - 100) * 4  # as if that much had been written
    sink.write(block)
    sink.finish()
    header = file.getvalue()
    assert header[:4] == magic and header[8:12] == b"WAVE"
    if magic == b"RF64":
        assert header[12:16] == b"ds64"
        riff_size, data_size, count = struct.unpack_from("<QQQ", header, 20)
        data_at = header.index(b"data") + 8
        assert (data_size, count, riff_size) == (frames * 4, frames, data_at - 8 + frames * 4)
        assert header[data_at - 4 : data_at] == header[4:8] == b"\xff" * 4
    else:
        assert struct.unpack_from("<I", header, header.index(b"data") + 4)[0] == frames * 4


def test_rf64_is_what_libsndfile_and_scipy_read(tmp_path):
    signal = noise(500)
    write(tmp_path / "a.wav", signal, OutputFormat("RF64", "PCM_16", ".wav"))
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_allclose(read(tmp_path / "a.wav"), signal, atol=1 / 65000)
    np.testing.assert_array_equal(wavfile.read(tmp_path / "a.wav")[1].T / 32768, read(tmp_path / "a.wav"))


def test_a_declared_length_that_needs_rf64_still_gives_a_short_file_right(tmp_path):
    signal = noise(500)
    write(tmp_path / "a.wav", signal, frames=2**31)
    assert soundfile.info(tmp_path / "a.wav").format == "WAV"
    assert read(tmp_path / "a.wav").shape == (2, 500)


# peaks


def test_clip_modes(tmp_path):
    signal = noise(RATE, level=0.5)
    over = int(np.count_nonzero(np.abs(signal) > 1))
    clamped = write(tmp_path / "c.wav", signal, clip_mode="clamp")
    limited = write(tmp_path / "l.wav", signal, clip_mode="limit")
    assert clamped.clipped == limited.clipped == over > 0
    np.testing.assert_allclose(read(tmp_path / "c.wav"), signal.clip(-1, 1), atol=1 / 30000)
    got = read(tmp_path / "l.wav")
    assert got.shape == signal.shape and np.abs(got).max() <= 1
    assert np.mean(np.square(got - signal)) < np.mean(np.square(signal))


@pytest.mark.parametrize("format", ["VORBIS", "OPUS"])
def test_lossy_encoders_get_no_peaks_either(tmp_path, format):
    for mode in ("clamp", "limit"):
        kind = OutputFormat("OGG", format, ".ogg")
        writer = write(tmp_path / "a.ogg", noise(RATE, level=0.6), kind, overwrite=True, clip_mode=mode)
        assert writer.clipped > 0


def test_values_that_are_no_numbers_are_refused(tmp_path):
    signal = noise(100)
    signal[0, 50] = np.nan
    with pytest.raises(OutputError, match="not numbers"):
        write(tmp_path / "a.wav", signal)
    assert not list(tmp_path.iterdir())


def test_a_transposed_block_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected"), AtomicWriter(tmp_path / "a.wav", RATE, 2, WAV) as writer:
        writer.write(noise(100).T)
    assert not list(tmp_path.iterdir())


# lossy outputs


@pytest.mark.parametrize(
    ("format", "rate", "channels", "bit_rates"),
    [
        ("MP3", 44100, 2, (64_000, 128_000, 320_000)),
        ("MP3", 48000, 1, (32_000, 64_000, 192_000)),
        ("MP3", 16000, 1, (16_000, 32_000, 64_000)),
        ("MP3", 8000, 1, (16_000, 32_000)),
        ("OPUS", 48000, 1, (16_000, 32_000, 96_000)),
        ("OPUS", 48000, 2, (48_000, 192_000)),
        ("VORBIS", 44100, 2, (80_000, 160_000, 320_000)),
        ("VORBIS", 16000, 1, (32_000, 64_000)),
    ],
)
def test_the_bit_rate_class_is_kept(tmp_path, format, rate, channels, bit_rates):
    path = tmp_path / "a"
    for bit_rate in bit_rates:
        info = AudioInfo("x", rate, channels, 1, "M4A", "AAC", bit_rate=bit_rate)
        write(path, noise(rate * 2, channels), output_format(info, format), rate, overwrite=True)
        assert probe(path).bit_rate == pytest.approx(bit_rate, rel=0.15)


@pytest.mark.parametrize(
    ("format", "rate", "bit_rate"),
    [
        *[("MP3", rate, bit_rate) for rate in (8000, 16000, 22050, 44100, 48000) for bit_rate in (8_000, 24_000, None)],
        *[("OPUS", rate, 96_000) for rate in (8000, 16000, 24000, 48000)],
        *[("VORBIS", rate, 48_000) for rate in (8000, 16000, 44100, 96000)],
    ],
)
def test_lossy_outputs_keep_length_and_place(tmp_path, format, rate, bit_rate):
    """The encoder's delay is taken off again, by cross-correlation."""
    frames = rate * 2 + 137
    signal = noise(frames, 1)
    taps = np.ones(8, np.float32) / 8
    signal = np.convolve(signal[0], np.convolve(taps, taps), "same").astype(np.float32)[None]
    info = AudioInfo("x", rate, 1, frames, "M4A", "AAC", bit_rate=bit_rate)
    write(tmp_path / "a", signal, output_format(info, format), rate)
    got = read(tmp_path / "a")
    assert probe(tmp_path / "a").frames == got.shape[1] == frames
    spectrum = np.fft.rfft(signal[0], 1 << 18) * np.conj(np.fft.rfft(got[0], 1 << 18))
    assert np.argmax(np.fft.irfft(spectrum)) == 0


@pytest.mark.parametrize(
    ("format", "rate", "bit_rate"),
    [
        *[("MP3", rate, 64_000) for rate in (16000, 22050, 44100, 48000)],
        *[("MP3", 44100, bit_rate) for bit_rate in (96_000, 192_000, 224_000, 320_000, None)],
        ("OPUS", 48000, 96_000),
        ("VORBIS", 44100, 96_000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_outputs_keep_the_level(tmp_path, format, rate, bit_rate, channels):
    """LAME alone would turn down by up to 0.45 dB."""
    time = np.arange(rate * 2) / rate
    signal = np.stack([0.2 * np.sin(2 * np.pi * 300 * time) + 0.1 * np.sin(2 * np.pi * 1100 * time)] * channels)
    info = AudioInfo("x", rate, channels, rate * 2, "M4A", "AAC", bit_rate=bit_rate)
    write(tmp_path / "a", signal.astype(np.float32), output_format(info, format), rate)
    got = read(tmp_path / "a")
    middle = np.s_[:, rate // 2 : -rate // 2]
    assert 10 * np.log10(np.mean(got[middle] ** 2) / np.mean(signal[middle] ** 2)) == pytest.approx(0, abs=0.1)


def test_a_minute_of_vorbis_in_one_block(tmp_path):
    signal = noise(RATE * 60, 1)
    write(tmp_path / "a.ogg", signal, OutputFormat("OGG", "VORBIS", ".ogg"), block=RATE * 60)
    assert probe(tmp_path / "a.ogg").frames == RATE * 60


@pytest.mark.parametrize("frames", [0, 1, 48])
@pytest.mark.parametrize("name", ["WAV", "FLAC", "OGG", "OPUS", "MP3", "AIFF", "W64", "CAF"])
def test_very_short_results(tmp_path, frames, name):
    info = AudioInfo("x", RATE, 2, frames, "WAV", "PCM_16", depth=16)
    if not frames and name in ("OPUS", "MP3"):
        with pytest.raises(FormatError, match="without samples"):
            write(tmp_path / "a", noise(0), output_format(info, name))
        assert not list(tmp_path.iterdir())
        return
    write(tmp_path / "a", noise(frames), output_format(info, name))
    assert probe(tmp_path / "a").frames == frames
    assert probe(tmp_path / "a").channels == 2


# appearing and not appearing


def test_the_result_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.wav"
    with AtomicWriter(path, RATE, 2, WAV) as writer:
        writer.write(noise(10))
        assert not path.exists()
        (temporary,) = path.parent.iterdir()
        assert temporaries(path.parent)(path.name) == [temporary]
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(
    "format", [WAV, FLAC, OutputFormat("OGG", "VORBIS", ".ogg"), OutputFormat("MP3", "MPEG_LAYER_III", "")]
)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_an_exception(tmp_path, format, error, capfd):
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(error), AtomicWriter(tmp_path / "a", RATE, 2, format, overwrite=True) as writer:
        writer.write(noise(5000))
        raise error
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"before"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        for format in (WAV, FLAC):
            write(tmp_path / "a", noise(10), format, overwrite=True)
            assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask
    finally:
        os.umask(before)


def test_overwriting(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already") as caught:
        write(path, noise(10))
    assert path.read_bytes() == b"precious" and caught.value.remedy
    write(path, noise(10), overwrite=True)
    assert read(path).shape == (2, 10)
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("links", [True, False])
def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch, links):
    path = tmp_path / "a.wav"
    if not links:

        def refuse(*arguments):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OutputError, match="exists already"), AtomicWriter(path, RATE, 2, WAV) as writer:
        writer.write(noise(10))
        path.write_bytes(b"from another")
    assert path.read_bytes() == b"from another"
    assert os.listdir(tmp_path) == ["a.wav"]


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a.wav", noise(10))
    assert os.listdir(tmp_path) == ["a.wav"]


def test_targets_that_cannot_be(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path, noise(10), overwrite=True)
    with pytest.raises(OutputError, match="not a regular file"):
        write("/dev/null", noise(10), overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write(tmp_path / "file" / "a.wav", noise(10))
    assert caught.value.remedy == "choose another folder"
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write(tmp_path / ("x" * 300 + ".wav"), noise(10))
    assert caught.value.remedy == "choose a shorter name"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "name", ["é" * 125 + ".wav", "x" * 251 + ".wav", 'new\nline \'n "quotes".wav', os.fsdecode(b"\xff.wav")]
)
def test_names(tmp_path, name):
    write(tmp_path / name, noise(10))
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch, code):
    opened = os.open

    def refuse(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=os.strerror(code)) as caught:
        write(tmp_path / "a.wav", noise(10))
    assert caught.value.path == str(tmp_path / "a.wav") and "folder" in caught.value.remedy


FULL_DISK = """
import resource, sys
import numpy as np
from cleanaudio.audio.formats import OutputFormat
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
block = np.random.default_rng(0).standard_normal((2, 48000)).astype("f") * 0.1
try:
    with AtomicWriter(sys.argv[1], 48000, 2, OutputFormat(*sys.argv[2].split(","), "")) as writer:
        for _ in range(int(sys.argv[4])):
            writer.write(block)
except OutputError as error:
    print(error.describe())
"""


@pytest.mark.parametrize(
    "format", ["WAV,PCM_16", "WAV,ALAW", "FLAC,PCM_16", "OGG,VORBIS", "OGG,OPUS", "MP3,MPEG_LAYER_III"]
)
@pytest.mark.parametrize(("limit", "blocks"), [(20_000, 4), (100, 1)])
def test_a_full_disk_while_writing_and_while_closing(tmp_path, format, limit, blocks):
    path = tmp_path / "a.out"
    command = [sys.executable, "-c", FULL_DISK, path, format, str(limit), str(blocks)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"{path}: cannot be written: File too large (")
    assert run.stderr == ""
    assert not list(tmp_path.iterdir())


def test_no_space_is_said_with_a_remedy(tmp_path, monkeypatch):
    opened = os.open
    monkeypatch.setattr(os, "open", lambda *arguments, **options: opened("/dev/full", os.O_RDWR))
    with pytest.raises(OutputError, match="No space left") as caught:
        write(tmp_path / "a.wav", noise(RATE), block=RATE)
    assert "free some space" in caught.value.remedy


@pytest.mark.parametrize("signals", [signal.SIGINT, signal.SIGTERM])
def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path, signals):
    script = (
        "import sys, time, numpy as np\n"
        "from cleanaudio.audio.formats import OutputFormat\n"
        "from cleanaudio.audio.writer import AtomicWriter\n"
        "with AtomicWriter(sys.argv[1], 8000, 1, OutputFormat('WAV', 'PCM_16', '.wav')) as writer:\n"
        "    writer.write(np.zeros((1, 8000), 'f'))\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "a.wav"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signals)
        process.wait(20)
    left = os.listdir(tmp_path)
    assert "a.wav" not in left
    if signals == signal.SIGINT:
        assert not left


# memory


def test_memory_does_not_grow_with_length(tmp_path):
    script = (
        "import resource, sys\n"
        "from cleanaudio.audio.files import open_reader\n"
        "from cleanaudio.audio.level import LevelMeter\n"
        "from cleanaudio.audio.formats import output_format\n"
        "from cleanaudio.audio.writer import AtomicWriter\n"
        "with open_reader(sys.argv[1]) as reader:\n"
        "    info, meter = reader.info, LevelMeter(reader.info.rate, reader.info.channels)\n"
        "    with AtomicWriter(sys.argv[2], 48000, 2, output_format(info), overwrite=True, dither_seed=1) as writer:\n"
        "        for block in reader.blocks():\n"
        "            meter.add(block)\n"
        "            writer.write(block * 0.7)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    used = []
    for seconds in (5, 60):
        with soundfile.SoundFile(tmp_path / "in.flac", "w", 48000, 2, "PCM_16") as file:
            for second in range(seconds):
                file.write(noise(48000, seed=second % 3).T)
        run = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "in.flac", tmp_path / "out.flac"],
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(int(run.stdout))
    assert used[1] < 1.05 * used[0]


# formats


def describe(format, subtype, rate=RATE, channels=2, **more):
    return AudioInfo("x", rate, channels, 1, format, subtype, depth=DEPTHS.get(subtype), **more)


@pytest.mark.parametrize(
    ("given", "format", "subtype", "expected"),
    [
        (("WAV", "PCM_24"), None, None, ("WAV", "PCM_24", ".wav")),
        (("RF64", "FLOAT"), None, None, ("RF64", "FLOAT", ".wav")),
        (("WAV", "ULAW"), None, None, ("WAV", "ULAW", ".wav")),
        (("OGG", "OPUS"), None, None, ("OGG", "OPUS", ".opus")),
        (("M4A", "AAC"), None, None, ("FLAC", "PCM_16", ".flac")),
        (("MKV", "FLOAT"), None, None, ("FLAC", "PCM_24", ".flac")),
        (("M4A", "AAC"), "wav", None, ("WAV", "PCM_16", ".wav")),
        (("NIST", "PCM_16"), None, None, ("FLAC", "PCM_16", ".flac")),
        (("WAV", "FLOAT"), "flac", None, ("FLAC", "PCM_24", ".flac")),
        (("WAV", "PCM_32"), "flac", None, ("FLAC", "PCM_24", ".flac")),
        (("WAV", "PCM_U8"), "flac", None, ("FLAC", "PCM_S8", ".flac")),
        (("FLAC", "PCM_24"), "wav", None, ("WAV", "PCM_24", ".wav")),
        (("FLAC", "PCM_S8"), "wav", None, ("WAV", "PCM_U8", ".wav")),
        (("CAF", "ALAC_24"), "wav", None, ("WAV", "PCM_24", ".wav")),
        (("CAF", "ALAC_16"), None, None, ("CAF", "ALAC_16", ".caf")),
        (("CAF", "ALAC_24"), None, None, ("CAF", "PCM_24", ".caf")),
        (("MP3", "MPEG_LAYER_III"), "WAV", None, ("WAV", "PCM_16", ".wav")),
        (("MP3", "MPEG_LAYER_II"), None, None, ("MP3", "MPEG_LAYER_III", ".mp3")),
        (("WAV", "PCM_16"), "ogg", None, ("OGG", "VORBIS", ".ogg")),
        (("WAV", "PCM_16"), "opus", None, ("OGG", "OPUS", ".opus")),
        (("WAV", "PCM_16"), "wav", "pcm_24", ("WAV", "PCM_24", ".wav")),
        (("WAV", "PCM_16"), None, "float", ("WAV", "FLOAT", ".wav")),
        (("WAV", "PCM_16"), "aif", None, ("AIFF", "PCM_16", ".aiff")),
    ],
)
def test_the_output_is_as_the_input_or_as_asked(given, format, subtype, expected):
    got = output_format(describe(*given), format, subtype)
    assert (got.format, got.subtype, got.suffix) == expected


@pytest.mark.parametrize(
    ("given", "format", "subtype", "message", "remedy"),
    [
        (describe("WAV", "PCM_16"), "xyz", None, "cannot write 'xyz'", "flac"),
        (describe("WAV", "PCM_16"), "m4a", None, "cannot write 'm4a'", "opus"),
        (describe("WAV", "PCM_16"), "flac", "FLOAT", "FLAC cannot hold FLOAT", "PCM_24"),
        (describe("WAV", "PCM_16", 44100), "opus", None, "44100 Hz", "48000"),
        (describe("WAV", "PCM_16", 96000), "mp3", None, "96000 Hz", "flac"),
        (describe("WAV", "PCM_16", channels=6), "mp3", None, "6 channels", "wav"),
        (describe("WAV", "PCM_16", channels=12), "flac", None, "12 channels", "wav"),
        (describe("WAV", "PCM_16"), "mp3", "MPEG_LAYER_II", "cannot hold MPEG_LAYER_II", "MPEG_LAYER_III"),
    ],
)
def test_what_a_format_cannot_hold(given, format, subtype, message, remedy):
    with pytest.raises(FormatError, match=message) as caught:
        output_format(given, format, subtype)
    assert remedy in caught.value.remedy


def test_every_combination_that_is_allowed_can_be_written_and_read(tmp_path):
    for format in ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "W64", "AIFF", "CAF", "AU"):
        for subtype in soundfile.available_subtypes(format):
            path = tmp_path / f"{format}-{subtype}"
            try:
                target = output_format(describe(format, subtype, channels=1), format, subtype)
            except FormatError:
                continue
            write(path, noise(4000, 1), target)
            info = probe(path)
            assert (info.format, info.subtype) == (format, subtype)
            assert 4000 <= info.frames < 6000  # ADPCM and GSM have blocks of a fixed size
            if not info.lossy:
                np.testing.assert_allclose(read(path), noise(4000, 1), atol=0.01)
