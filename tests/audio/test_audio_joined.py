"""Files that were joined byte by byte, compared with their parts as soundfile and soxr read them."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from cleanaudio.audio import mpeg
from cleanaudio.audio.files import open_reader, probe

RATE = 44100
STEREO, MONO, OTHER_RATE = (RATE, 2), (RATE, 1), (48000, 2)


def recording(rate, channels, format, subtype=None, seconds=2.0, seed=0):
    """A file and its samples, (frames, channels), as soundfile reads them."""
    frames = round(rate * seconds)
    noise = np.random.default_rng(seed).standard_normal((frames + 400, channels)) * 0.3
    samples = np.apply_along_axis(np.convolve, 0, noise, np.hanning(401) / 40, "valid")
    soundfile.write(file := io.BytesIO(), samples, rate, subtype=subtype, format=format)
    content = file.getvalue()
    return content, soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


def as_first(samples, rate, first_rate, channels):
    samples = samples if rate == first_rate else soxr.resample(samples, rate, first_rate)
    return np.repeat(samples, channels, axis=1) if samples.shape[1] < channels else samples


def read_all(path, block=5000):
    with open_reader(path) as reader:
        return np.concatenate(list(reader.blocks(block)), axis=1)


@pytest.mark.parametrize(("format", "subtype"), [("MP3", None), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
@pytest.mark.parametrize(
    "kinds", [(STEREO, MONO, STEREO), (MONO, STEREO), (OTHER_RATE, STEREO), (STEREO, OTHER_RATE, MONO)]
)
def test_nothing_of_recordings_of_several_kinds_is_lost(tmp_path, capfd, format, subtype, kinds):
    if subtype == "OPUS":
        kinds = [(24000 if rate == RATE else rate, channels) for rate, channels in kinds]
    made = [recording(*kind, format, subtype, seed=seed) for seed, kind in enumerate(kinds)]
    path = tmp_path / "joined"
    path.write_bytes(b"".join(content for content, _ in made))
    expected = [as_first(samples, rate, kinds[0][0], 2) for (_, samples), (rate, _) in zip(made, kinds, strict=True)]
    info = probe(path)
    assert (info.rate, info.channels, info.frames) == (kinds[0][0], 2, sum(map(len, expected)))
    assert info.subtype == (subtype or "MPEG_LAYER_III")
    np.testing.assert_allclose(read_all(path).T, np.concatenate(expected), atol=2e-5)
    (note,) = info.warnings
    assert note.startswith(f"{len(kinds)} recordings are joined in it")
    for number, kind in enumerate(kinds):
        begin = sum(map(len, expected[:number])) / info.rate
        assert (f"{begin:.2f} s (" in note) is (kind != (info.rate, 2))
    assert not capfd.readouterr().err


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_recordings_of_one_kind_follow_each_other(tmp_path, format, subtype):
    made = [recording(48000, 1, format, subtype, seed=seed) for seed in range(3)]
    path = tmp_path / "joined"
    path.write_bytes(b"".join(content for content, _ in made))
    np.testing.assert_array_equal(read_all(path).T, np.concatenate([samples for _, samples in made]))
    assert probe(path).warnings == ("3 recordings are joined in it; tags are the first one's",)


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_a_file_joined_to_itself(tmp_path, format, subtype):
    one, samples = recording(*STEREO, format, subtype)
    path = tmp_path / "joined"
    path.write_bytes(one + one)
    np.testing.assert_array_equal(read_all(path).T, np.concatenate([samples, samples]))
    assert probe(path).warnings == ("2 recordings are joined in it; tags are the first one's",)


def test_seeking_gives_the_same_samples(tmp_path):
    kinds = (STEREO, OTHER_RATE, MONO)
    path = tmp_path / "joined.flac"
    path.write_bytes(b"".join(recording(*kind, "FLAC", seconds=1.0)[0] for kind in kinds))
    whole = read_all(path)
    with open_reader(path) as reader:
        for start in (100_000, 50_000, 44_100, 44_099, 88_200, 0, 60_000, 132_300):
            reader.seek(start)
            np.testing.assert_array_equal(reader.read(3000), whole[:, start : start + 3000])


def test_the_deepest_of_joined_flac_decides(tmp_path):
    path = tmp_path / "joined.flac"
    path.write_bytes(b"".join(recording(*STEREO, "FLAC", subtype)[0] for subtype in ("PCM_16", "PCM_24")))
    info = probe(path)
    assert (info.subtype, info.depth) == ("PCM_24", 24)


def test_tags_before_and_between_flac_streams(tmp_path):
    one, samples = recording(*STEREO, "FLAC")
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    path = tmp_path / "joined.flac"
    path.write_bytes(tag + one + tag + one)
    np.testing.assert_array_equal(read_all(path).T, np.concatenate([samples, samples]))


def test_what_cannot_be_read_of_a_chain_is_named(tmp_path):
    one, samples = recording(*STEREO, "OGG", "VORBIS")
    spoiled, _ = recording(*STEREO, "OGG", "VORBIS", seed=1)
    path = tmp_path / "joined.ogg"
    path.write_bytes(one + spoiled.replace(b"\x01vorbis", b"\x01varbis"))
    assert read_all(path).shape[1] == len(samples)
    notes = "; ".join(probe(path).warnings)
    assert f"left out: {len(spoiled)} bytes from byte {len(one)} on" in notes


@pytest.mark.parametrize("way", ["mark", "length", "between"])
def test_damage_in_a_chain_does_not_hide_what_follows(tmp_path, way):
    one, samples = recording(*STEREO, "OGG", "VORBIS")
    last = one.rindex(b"OggS")
    spoiled = bytearray(one)
    if way == "between":
        spoiled[last:last] = b"rubbish" * 9
    else:
        spoiled[last if way == "mark" else last + 26] ^= 0xFF
    path = tmp_path / "joined.ogg"
    path.write_bytes(spoiled + one)
    got, warnings = read_all(path).T, probe(path).warnings
    np.testing.assert_array_equal(got[-len(samples) :], samples)
    assert len(got) == probe(path).frames
    assert any("damaged places: 1;" in note for note in warnings)
    assert any("2 recordings are joined" in note for note in warnings)


def test_frames_of_another_kind_at_the_beginning_decide_nothing(tmp_path):
    """Two of them may stand anywhere by chance."""
    content, samples = recording(*MONO, "MP3")
    frame = b"\xff\xfb\x94\x00" + bytes(380)  # 128 kbit/s, 48 kHz, stereo
    path = tmp_path / "take.mp3"
    path.write_bytes(frame * 2 + content)
    info = probe(path)
    assert (info.rate, info.channels, info.frames) == (RATE, 1, len(samples))


LAYER_1 = b"\xff\xff\x90\x00" + bytes(308)  # 288 kbit/s, 44.1 kHz: its second byte is 0xFF, too
LAYER_3 = b"\xff\xfb\x90\x00" + bytes(413)  # 128 kbit/s, 44.1 kHz


@pytest.mark.parametrize("frame", [LAYER_1, LAYER_3])
@pytest.mark.parametrize("ones", [0, 1, 2, 3, 4, 5, (1 << 20) - 900, 1 << 20, (1 << 20) + 2, 3_000_000])
def test_a_run_of_ones_hides_no_frame_and_is_not_searched(monkeypatch, frame, ones):
    """An erased flash memory reads so."""
    looks = []
    key = mpeg.code_of
    monkeypatch.setattr(mpeg, "code_of", lambda *of: looks.append(of) or key(*of))
    content = frame * 3 + b"\xff" * ones + frame * 3
    offsets = [position for position, _ in mpeg._frames(io.BytesIO(content), 0, len(content))]
    later = len(frame) * 3 + ones
    assert offsets == [*range(0, 3 * len(frame), len(frame)), *range(later, len(content), len(frame))]
    assert len(looks) < 100


@pytest.mark.parametrize("marks", [1, 5, 20_000])
def test_stray_marks_after_a_flac_file_are_named_and_no_recordings(tmp_path, marks):
    one, samples = recording(*STEREO, "FLAC", "PCM_16")
    path = tmp_path / "take.flac"
    path.write_bytes(one + b"fLaC\0\0\0\x22" * marks)
    np.testing.assert_array_equal(read_all(path).T, samples)
    (note,) = probe(path).warnings
    assert f"left out: 8 bytes from byte {len(one)} on" in note and note.count("from byte") == min(marks, 5)
    assert note.endswith("and 19995 more") == (marks > 5)


def test_a_spoiled_flac_stream_does_not_hide_what_follows(tmp_path):
    one, samples = recording(*STEREO, "FLAC", "PCM_16")
    stray = b"fLaC\0\0\0\x22" + bytes(34)
    path = tmp_path / "take.flac"
    path.write_bytes(one + stray + one)
    np.testing.assert_array_equal(read_all(path).T, np.concatenate([samples, samples]))
    joined, left_out = probe(path).warnings
    assert joined.startswith("2 recordings are joined")
    assert f"left out: {len(stray)} bytes from byte {len(one)} on" in left_out


@pytest.mark.parametrize("kind", [STEREO, MONO, (16000, 1)])
@pytest.mark.parametrize("between", [b"", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)], ids=["nothing", "tags"])
@pytest.mark.parametrize("piece", [1 << 20, 997])
def test_each_of_joined_mp3_is_trimmed_by_its_own_tag(tmp_path, monkeypatch, kind, between, piece):
    monkeypatch.setattr(mpeg, "_PIECE", piece)
    made = [recording(*kind, "MP3", seed=seed) for seed in range(3)]
    path = tmp_path / "joined.mp3"
    path.write_bytes(between.join(content for content, _ in made))
    np.testing.assert_allclose(read_all(path).T, np.concatenate([samples for _, samples in made]), atol=2e-5)
    assert probe(path).warnings == ("3 recordings are joined in it; tags are the first one's",)


def test_mp3_with_no_tag_but_its_first_is_one_recording(tmp_path):
    content, samples = recording(*STEREO, "MP3")
    untagged = content[mpeg.scan(io.BytesIO(content), len(content)).runs[0][0] :]
    path = tmp_path / "take.mp3"
    for parts in ([content], [content, untagged], [untagged, untagged]):
        path.write_bytes(b"".join(parts))
        info = probe(path)
        assert not info.warnings and info.frames == read_all(path).shape[1] >= len(samples) * len(parts)


@pytest.mark.parametrize("where", ["after the first frames", "before the last frames", "promise not kept"])
def test_a_tag_that_begins_no_recording_ends_none(tmp_path, where):
    content, _ = recording(*STEREO, "MP3")
    scan = mpeg.scan(io.BytesIO(content), len(content))
    tag, sound = scan.tag, content[scan.runs[0][0] :]
    offsets = [position for position, _ in mpeg._frames(io.BytesIO(sound), 0, len(sound))]
    at = offsets[{"after the first frames": 7, "before the last frames": -7}.get(where, 30)]
    path = tmp_path / "take.mp3"
    path.write_bytes(tag * (where == "promise not kept") + sound[:at] + tag + sound[at:])
    info = probe(path)
    assert not any("joined" in note for note in info.warnings)
    assert info.frames == read_all(path).shape[1] >= 88200
