"""What becomes of tags on the command line: what holds no more is dropped, what has no place is named in the row."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest
import soundfile
from cli_helpers import rows, write

from cleanaudio.audio.metadata import id3
from cleanaudio.audio.metadata.description import Chapter, Description, Picture

RATE = 16000
GAIN = ("REPLAYGAIN_TRACK_GAIN", "+4.00 dB")
CHAPTERS = (Chapter(0.0, 1.0, "one"), Chapter(1.0, 2.0, "two"), Chapter(2.0, 3.0, "three"))


@pytest.fixture
def denoise(cli):
    """``denoise(arguments...)`` in this process; must succeed."""

    def run(*arguments: object):
        ran = cli("denoise", *arguments, "-j", "1")
        assert ran.code == 0, ran.stderr

    return run


@pytest.fixture
def episode(tmp_path, noisy_speech):
    """Three seconds as MP3 with a gain, a cover and chapters."""
    path = tmp_path / "in.mp3"
    soundfile.write(tmp_path / "plain.mp3", noisy_speech(3.0), RATE, format="MP3")
    said = Description((("TITLE", "Ж"), GAIN), (Picture(b"\xff\xd8\xff\xd9", "image/jpeg"),), CHAPTERS)
    path.write_bytes(id3.build(said) + (tmp_path / "plain.mp3").read_bytes())
    return path


def seen(path):
    """Return text and chapters, by FFmpeg."""
    with av.open(str(path)) as container:
        text = container.metadata | container.streams.audio[0].metadata
        chapters = [
            (float(row["start"] * row["time_base"]), float(row["end"] * row["time_base"]), row["metadata"]["title"])
            for row in container.chapters()
        ]
    return {name.upper(): value for name, value in text.items()}, chapters


@pytest.mark.parametrize(
    "options", [["-b", "wiener"], ["-b", "none", "--loudness", "-20"], ["-b", "none", "--dereverb", "1"]]
)
@pytest.mark.parametrize("format", ["mp3", "flac"])
def test_a_gain_for_other_samples_is_dropped(denoise, episode, tmp_path, options, format):
    denoise(episode, "-o", tmp_path / "out", "-f", format, *options)
    text, chapters = seen(tmp_path / f"out/in.{format}")
    assert GAIN[0] not in text and text["TITLE"] == "Ж"
    assert [title for *_, title in chapters] == ["one", "two", "three"]


def test_a_gain_stays_with_its_samples(denoise, episode, tmp_path):
    denoise(episode, "-o", tmp_path / "out", "-f", "flac", "-b", "none", "--residual")
    assert seen(tmp_path / "out/in.flac")[0][GAIN[0]] == GAIN[1]
    assert GAIN[0] not in seen(tmp_path / "out/in.residual.flac")[0]


@pytest.mark.parametrize("format", ["mp3", "flac", "ogg", "wav"])
def test_chapters_follow_an_excerpt(denoise, episode, tmp_path, format):
    denoise(episode, "-o", tmp_path / "out", "-f", format, "-b", "wiener", "--excerpt", "0:01.5-0:02.5")
    assert seen(tmp_path / f"out/in.{format}")[1] == [(0.0, 0.5, "two"), (0.5, 1.0, "three")]


def test_the_row_says_what_has_no_place(denoise, episode, tmp_path):
    denoise(episode, "-o", tmp_path / "caf", "-f", "caf", "-b", "none")
    denoise(episode, "-o", tmp_path / "flac", "-f", "flac", "-b", "none")
    ((caf,), (flac,)) = rows(tmp_path / "caf"), rows(tmp_path / "flac")
    assert caf["notes"] == "1 text tag, 1 picture, 3 chapters not carried over: no place in CAF"
    assert flac["notes"] == ""


def test_a_broadcast_wave_is_no_louder_than_it_says(denoise, tmp_path, noisy_speech):
    source = write(tmp_path / "in.wav", noisy_speech(1.0))
    loudness = struct.pack("<5h", -2300, 800, -100, -1500, -2000)
    bext = bytes(346) + b"\2\0" + bytes(64) + loudness + bytes(180)
    content = source.read_bytes() + b"bext" + struct.pack("<I", len(bext)) + bext
    source.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    denoise(source, "-o", tmp_path / "same", "-b", "none")
    denoise(source, "-o", tmp_path / "loud", "-b", "none", "--loudness", "-20")
    assert loudness in (tmp_path / "same/in.wav").read_bytes()
    changed = (tmp_path / "loud/in.wav").read_bytes()
    assert loudness not in changed and b"\xff\x7f" * 5 in changed
    np.testing.assert_array_equal(soundfile.read(tmp_path / "same/in.wav")[0], soundfile.read(source)[0])


def appended(path, *rows):
    """Add chunks to the end of a WAV."""
    content = path.read_bytes() + b"".join(name + struct.pack("<I", len(said)) + said for name, said in rows)
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    return path


def test_the_row_says_which_chunks_are_left_out(denoise, tmp_path, noisy_speech):
    source = write(tmp_path / "in.wav", noisy_speech(3.0))
    appended(source, (b"cart", bytes(2048)), (b"levl", bytes(120)), (b"acid", bytes(24)))
    denoise(source, "-o", tmp_path / "whole", "-b", "wiener")
    denoise(source, "-o", tmp_path / "part", "-b", "wiener", "--excerpt", "0:01-0:02")
    ((whole,), (part,)) = rows(tmp_path / "whole"), rows(tmp_path / "part")
    assert whole["notes"] == "levl not carried over: told of the old samples"
    assert part["notes"] == f"{whole['notes']}; acid not carried over: told of the whole recording"
    for path, there in ((tmp_path / "whole/in.wav", True), (tmp_path / "part/in.wav", False)):
        content = path.read_bytes()
        assert b"cart" in content and b"levl" not in content and (b"acid" in content) == there


def test_a_beam_has_other_channels_than_its_array(cli, tmp_path, noisy_speech):
    array = np.repeat(noisy_speech(1.0).reshape(-1, 1), 3, axis=1)
    source = appended(write(tmp_path / "in.wav", array), (b"chna", bytes(124)), (b"axml", b"<audioFormatExtended/>"))
    ran = cli("beamform", source, "-o", tmp_path / "out", "-j", "1")
    assert ran.code == 0, ran.stderr
    (row,) = rows(tmp_path / "out")
    assert "chna, axml not carried over: told of the old channels" in row["notes"]
    assert b"chna" not in (tmp_path / "out/in.wav").read_bytes()
