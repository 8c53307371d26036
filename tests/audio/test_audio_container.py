"""m4a, mp4, mkv, webm and wma, made by PyAV and decoded by it apart from our code."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from cleanaudio.audio.files import open_reader, probe
from cleanaudio.audio.formats import output_format
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.errors import BackendUnavailable, InputError

RATE = 44100
FRAMES = 50_001


def tone(frames=FRAMES, channels=2, rate=RATE):
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(frames) / rate)
    return np.stack([wave * (1 - 0.5 * channel) for channel in range(channels)]).astype(np.float32)


def encode(path, codec, signal, rate=RATE, kind="fltp", video=False, bit_rate=192_000, **options):
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(signal)]
    with av.open(str(path), "w") as container:
        if video:
            picture = container.add_stream("mpeg4", rate=25)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate, layout=layout, **options)
        stream.codec_context.format = kind
        stream.codec_context.bit_rate = bit_rate
        if video:
            container.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
            container.mux(picture.encode(None))
        size = stream.codec_context.frame_size or 1024
        for start in range(0, signal.shape[1], size):
            block = np.ascontiguousarray(signal[:, start : start + size])
            if kind == "s16p":
                block = np.round(block * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, kind, layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_all(path, block=5000):
    with open_reader(path) as reader:
        return np.concatenate(list(reader.blocks(block)), axis=1)


@pytest.mark.parametrize(
    ("name", "codec", "format", "subtype"),
    [
        ("a.m4a", "aac", "M4A", "AAC"),
        ("a.mkv", "aac", "MKV", "AAC"),
        ("a.webm", "libopus", "WEBM", "OPUS"),
        ("a.wma", "wmav2", "WMA", "WMAV2"),
        ("a.aac", "aac", "AAC", "AAC"),
        ("a.ac3", "ac3", "AC3", "AC3"),
    ],
)
def test_containers_are_read(tmp_path, name, codec, format, subtype):
    rate = 48000 if codec == "libopus" else RATE
    signal = tone(rate=rate)
    path = tmp_path / name
    if codec == "libopus":
        encode_opus(path, signal)
    else:
        encode(path, codec, signal)
    info = probe(path)
    assert (info.format, info.rate, info.channels) == (format, rate, 2)
    assert info.subtype.removeprefix("LIB") == subtype
    assert info.lossy and info.depth is None
    assert 40_000 < info.bit_rate < 400_000
    got = read_all(path)
    assert got.dtype == np.float32 and got.shape == (2, info.frames)
    assert abs(info.frames - FRAMES) < 4096
    if format in ("M4A", "MKV", "WEBM"):  # these say how much the encoder's delay is
        error = got[:, 5000:40000] - signal[:, 5000:40000]
        assert np.sqrt(np.mean(np.square(error))) < 0.01


def encode_opus(path, signal):
    interleaved = signal.T.reshape(1, -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="stereo")
        for start in range(0, interleaved.shape[1], 1920):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(interleaved[:, start : start + 1920]), "flt", "stereo"
            )
            frame.sample_rate, frame.pts = 48000, start // 2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_the_priming_and_the_padding_of_an_m4a_are_taken_off(tmp_path):
    time_s = np.arange(FRAMES) / RATE
    signal = np.tile(0.3 * np.sin(2 * np.pi * (200 + 1000 * time_s) * time_s), (2, 1)).astype(np.float32)
    path = encode(tmp_path / "a.m4a", "aac", signal)
    assert abs(probe(path).frames - FRAMES) <= RATE / 1000  # the edit list counts in milliseconds
    got = read_all(path)
    lags = np.correlate(got[0, 2000:12000], signal[0, 2500:11500], "valid")
    assert np.argmax(lags) == 500


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_the_sound_of_a_film(tmp_path, name):
    path = encode(tmp_path / name, "aac", tone(), video=True)
    info = probe(path)
    assert info.format in ("MP4", "MKV")
    assert read_all(path).shape == (2, info.frames)


def mux(path, tracks, video=False, late_s=0.0, gap_s=0.0, codec="pcm_s16le", defaults=()):
    """Sound tracks of one second, without a part in the middle, beside a picture that begins at 0."""
    with av.open(str(path), "w") as container:
        if video:
            picture = container.add_stream("mpeg4", rate=25)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        streams = [container.add_stream(codec, rate=48000, layout="mono") for _ in tracks]
        for number, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if number in defaults else av.stream.Disposition(0)
            stream.time_base = stream.codec_context.time_base = Fraction(1, 48000)
        if video:
            for packet in [*picture.encode(av.VideoFrame(32, 32, "yuv420p")), *picture.encode(None)]:
                container.mux(packet)
        for start in range(0, 48000, 960):
            pts = start + round(late_s * 48000) + (round(gap_s * 48000) if start >= 24000 else 0)
            for track, stream in zip(tracks, streams, strict=True):
                frame = av.AudioFrame.from_ndarray(track[None, start : start + 960], "s16", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, pts, Fraction(1, 48000)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def steps(seed):
    return np.random.default_rng(seed).integers(-9000, 9000, 48000).astype(np.int16)


@pytest.mark.parametrize(("defaults", "chosen"), [((), 0), ((0,), 0), ((1,), 1), ((1, 2), 1)])
def test_of_several_tracks_the_default_one_is_read_and_the_others_are_named(tmp_path, defaults, chosen):
    tracks = [steps(seed) for seed in range(3)]
    path = mux(tmp_path / "a.mkv", tracks, defaults=defaults)
    np.testing.assert_array_equal(read_all(path)[0] * 32768, tracks[chosen])
    (note,) = probe(path).warnings
    assert f"of its 3 sound tracks number {chosen + 1} alone is read" in note


def test_sound_that_begins_after_the_picture_stays_in_time(tmp_path):
    path = mux(tmp_path / "a.mkv", [steps(0)], video=True, late_s=0.68)
    got = read_all(path)[0] * 32768
    np.testing.assert_array_equal(got, np.concatenate([np.zeros(round(0.68 * 48000)), steps(0)]))
    assert probe(path).frames == len(got)
    assert "0.680 s after the picture" in probe(path).warnings[0]


def test_without_a_picture_the_sound_begins_at_once(tmp_path):
    path = mux(tmp_path / "a.mkv", [steps(0)], late_s=0.68)
    np.testing.assert_array_equal(read_all(path)[0] * 32768, steps(0))
    assert not probe(path).warnings


@pytest.mark.parametrize("gap_s", [0.1, 10.0])
def test_a_gap_in_the_timestamps_is_silent(tmp_path, gap_s):
    path = mux(tmp_path / "a.mkv", [steps(0)], gap_s=gap_s)
    got = read_all(path)[0] * 32768
    gap = np.zeros(round(gap_s * 48000))
    np.testing.assert_array_equal(got, np.concatenate([steps(0)[:24000], gap, steps(0)[24000:]]))
    assert f"{gap_s:.3f} s in all, are filled with silence" in probe(path).warnings[0]
    with open_reader(path) as reader:
        for start in (30_000, 100, 24_500):
            reader.seek(start)
            np.testing.assert_array_equal(reader.read(960)[0] * 32768, got[start : start + 960])


def test_what_raw_aac_guesses_of_its_length_cuts_nothing(tmp_path):
    path = encode(tmp_path / "a.aac", "aac", tone(8 * RATE, channels=1), bit_rate=64_000)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        decoded = sum(frame.samples for frame in container.decode(audio=0))
        assert 0 < decoded - round(stream.duration * stream.time_base * RATE) < 4096
    assert probe(path).frames == read_all(path).shape[1] == decoded


@pytest.mark.parametrize("first", [0, 1])
def test_what_changes_its_rate_or_channels_in_the_middle_is_converted(tmp_path, first):
    """Raw AAC that was joined: 440 Hz in stereo, and 440 Hz slower in mono."""
    kinds = [(44100, 2), (48000, 1)]
    for rate, channels in kinds:
        encode(tmp_path / f"{rate}.aac", "aac", tone(3 * RATE, channels), rate=rate)
    order = [kinds[first], kinds[1 - first], kinds[first]]
    (tmp_path / "a.aac").write_bytes(b"".join((tmp_path / f"{rate}.aac").read_bytes() for rate, _ in order))
    decoded = [probe(tmp_path / f"{rate}.aac").frames for rate, _ in order]
    info = probe(tmp_path / "a.aac")
    assert (info.rate, info.channels) == (order[0][0], 2)
    assert info.channel_mask.bit_count() in (0, 2)
    ends = np.cumsum([frames * info.rate / rate for frames, (rate, _) in zip(decoded, order, strict=True)])
    assert info.frames == pytest.approx(ends[-1], abs=2)
    samples = read_all(tmp_path / "a.aac")
    assert samples.shape == (2, info.frames)
    for end, (rate, channels) in zip(ends, order, strict=True):
        middle = samples[:, round(end - 1.5 * info.rate) :][:, : info.rate]
        heard = np.argmax(np.abs(np.fft.rfft(middle[0] * np.hanning(info.rate))))
        assert heard == pytest.approx(440 * rate / RATE, abs=1)
        ratio = np.std(middle[1]) / np.std(middle[0])
        assert ratio == pytest.approx(1 if channels == 1 else 0.5, abs=0.02)
    (note,) = info.warnings
    assert f"at {ends[0] / info.rate:.2f} s (" in note and f"at {ends[1] / info.rate:.2f} s (" in note
    with open_reader(tmp_path / "a.aac") as reader:
        for start in (200_000, 140_000, 0, 300_001):
            reader.seek(start)
            np.testing.assert_array_equal(reader.read(3000), samples[:, start : start + 3000])


def test_alac_in_caf_which_libsndfile_does_not_know(tmp_path):
    samples = (tone(channels=1) * 32767).astype(np.int16)
    path = encode(tmp_path / "a.caf", "alac", samples / 32767, kind="s16p")
    info = probe(path)
    assert (info.format, info.subtype, info.depth, info.frames) == ("CAF", "ALAC", 16, FRAMES)
    np.testing.assert_array_equal(read_all(path) * 32768, samples)


def test_an_mp4_without_its_index_is_cut_short(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", tone())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cut short"):
        probe(path)


@pytest.mark.parametrize(("name", "codec", "kind"), [("a.mkv", "pcm_f32le", "flt"), ("a.wv", "wavpack", "fltp")])
def test_floating_point_in_a_container(tmp_path, name, codec, kind):
    signal = tone(channels=1) * np.float32(5)
    path = encode(tmp_path / name, codec, signal, kind=kind)
    info = probe(path)
    assert (info.subtype, info.depth, info.lossy) == ("FLOAT", None, False)
    np.testing.assert_allclose(read_all(path), signal, atol=1e-6)


def test_floating_point_that_becomes_flac_is_noted_and_wav_keeps_it(tmp_path, cli):
    signal = tone(channels=1) * np.float32(5)
    path = encode(tmp_path / "a.mkv", "pcm_f32le", signal, kind="flt")
    rounded = cli("denoise", path, "-b", "none", "-o", tmp_path / "o")
    assert "note: floating point became PCM_24 in FLAC" in rounded.stderr
    assert soundfile.info(tmp_path / "o/a.flac").subtype == "PCM_24"
    kept = cli("denoise", path, "-b", "none", "-o", tmp_path / "o", "--format", "wav")
    assert "note" not in kept.stderr
    np.testing.assert_array_equal(soundfile.read(tmp_path / "o/a.wav", dtype="float32")[0], signal[0])


def test_lossless_in_a_container_is_exact_and_becomes_flac(tmp_path):
    steps = np.random.default_rng(0).integers(-32768, 32768, (2, 30_000))
    path = tmp_path / "a.m4a"
    encode(path, "alac", (steps / 32767).astype(np.float64), kind="s16p")
    info = probe(path)
    assert (info.subtype, info.depth, info.lossy, info.frames) == ("ALAC", 16, False, 30_000)
    np.testing.assert_array_equal(read_all(path) * 32768, steps)
    target = output_format(info)
    assert (target.format, target.subtype) == ("FLAC", "PCM_16")
    with open_reader(path) as reader, AtomicWriter(tmp_path / "a.flac", RATE, 2, target, dither_seed=1) as writer:
        for block in reader.blocks():
            writer.write(block)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.flac", dtype="int16")[0].T, steps)


def test_seeking_gives_the_same_samples(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", tone())
    whole = read_all(path)
    with open_reader(path) as reader:
        for start in (40_000, 123, 0, 30_000, 30_001):
            reader.seek(start)
            np.testing.assert_array_equal(reader.read(3000), whole[:, start : start + 3000])


def test_a_container_under_a_wrong_name(tmp_path):
    encode(tmp_path / "a.m4a", "aac", tone())
    (tmp_path / "a.m4a").rename(tmp_path / "a.wav")
    assert probe(tmp_path / "a.wav").subtype == "AAC"


def test_a_cut_container_gives_what_is_there(tmp_path):
    path = encode(tmp_path / "a.mkv", "aac", tone())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    info = probe(path)
    assert 10_000 < info.frames < 40_000
    assert read_all(path).shape[1] == info.frames


def test_a_damaged_packet_is_left_out_with_a_warning(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", tone())
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat")
    for at in range(start + 3000, start + 3600):
        content[at] ^= 0x5A
    path.write_bytes(content)
    info = probe(path)
    assert read_all(path).shape[1] == info.frames > 30_000
    assert not info.warnings or "damaged" in info.warnings[0]


def test_no_sound_and_no_container(tmp_path):
    with av.open(str(tmp_path / "silent.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="holds no sound"):
        probe(tmp_path / "silent.mp4")
    (tmp_path / "text.m4a").write_text("dear diary")
    with pytest.raises(InputError, match="not audio"):
        probe(tmp_path / "text.m4a")


def test_a_play_list_opens_nothing_else(tmp_path):
    encode(tmp_path / "secret.aac", "aac", tone())
    for name, text in (
        ("list.m4a", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.aac\n#EXT-X-ENDLIST\n"),
        ("list.mkv", f"ffconcat version 1.0\nfile '{tmp_path}/secret.aac'\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError):
            probe(tmp_path / name)


@pytest.mark.parametrize("name", ["a.m4a", "a.mkv", "a.wma"])
def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch, name):
    encode(tmp_path / name, "wmav2" if name == "a.wma" else "aac", tone())
    for module in [module for module in sys.modules if module.startswith("cleanaudio.audio.container")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BackendUnavailable, match="not available") as caught:
        probe(tmp_path / name)
    assert caught.value.remedy == "pip install 'cleanaudio-cli[formats]'"
    assert caught.value.path == str(tmp_path / name)


def test_pyav_is_not_imported_for_a_wav(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone().T, RATE)
    script = "import sys\nfrom cleanaudio.audio.files import probe\nprobe(sys.argv[1])\nassert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.wav"], check=True)
