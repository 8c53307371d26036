"""What becomes of loudspeaker layouts on the command line, FFmpeg as the witness."""

import subprocess
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from cli_helpers import rows

RATE = 48000
HZ = [300, 500, 700, 60, 1100, 1300]


def surround(path, layout="5.1", channels=6):
    """Half a second with a tone in each channel, a low one in the LFE of 5.1."""
    tones = "|".join(f"0.1*sin(2*PI*{hz}*t)" for hz in HZ[:channels])
    source = ["-f", "lavfi", "-i", f"aevalsrc='{tones}':s={RATE}:d=0.5:c={layout}"]
    subprocess.run(["ffmpeg", "-v", "error", *source, path], check=True)
    return path


def ffprobe_layout(path):
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=channel_layout", "-of", "csv=p=0", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def heard(path):
    """The loudest frequency of each channel, as FFmpeg decodes it."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-"]
    samples = subprocess.run(command, capture_output=True, check=True).stdout
    audio = np.frombuffer(samples, np.float32).reshape(-1, 6)[RATE // 10 : RATE * 2 // 5]
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))[:, None], RATE, axis=0))
    assert spectrum.max(axis=0).min() > 100, "a channel is silent"
    return spectrum.argmax(axis=0)


@pytest.mark.parametrize("through", ["ogg", "opus", "flac", "caf", "w64"])
def test_five_and_one_come_out_where_they_went_in(cli, tmp_path, through):
    surround(tmp_path / "in.wav")
    chain = [tmp_path / name for name in ("in.wav", f"a.{through}", f"again/a.{through}", "out.wav")]
    for source, target in pairwise(chain):
        ran = cli("denoise", source, "-b", "none", "-o", target)
        assert ran.code == 0, ran.stderr
        np.testing.assert_allclose(heard(target), HZ, atol=3)
    assert ffprobe_layout(chain[-1]) == "5.1"


@pytest.mark.parametrize(("layout", "channels"), [("2.1", 3), ("hexagonal", 6), ("quad", 4), ("5.1(side)", 6)])
def test_flac_and_wav_say_the_layout(cli, tmp_path, layout, channels):
    surround(tmp_path / "in.wav", layout, channels)
    for source, target in (("in.wav", "a/in.flac"), ("a/in.flac", "b/in.flac"), ("b/in.flac", "c/in.wav")):
        folder = (tmp_path / target).parent
        ran = cli("denoise", tmp_path / source, "-b", "none", "-f", target[-4:].strip("."), "-o", folder)
        assert ran.code == 0, ran.stderr
        assert ffprobe_layout(tmp_path / target) == layout
        assert all("layout" not in row["notes"] for row in rows(folder))
    assert cli("denoise", tmp_path / "in.wav", "-b", "none", "-f", "wav", "-o", tmp_path / "d").code == 0
    assert ffprobe_layout(tmp_path / "d/in.wav") == layout


def test_a_row_says_what_a_format_cannot_say(cli, tmp_path):
    surround(tmp_path / "in.wav", "hexagonal", 6)
    assert cli("denoise", tmp_path / "in.wav", "-b", "none", "-f", "opus", "-o", tmp_path / "out").code == 0
    (row,) = rows(tmp_path / "out")
    assert "speaker layout hexagonal not carried over" in row["notes"] and "channel 4 becomes the LFE" in row["notes"]


def test_positions_end_with_the_channels_that_had_them(cli, tmp_path):
    surround(tmp_path / "in.flac", "hexagonal", 6)
    ran = cli("beamform", tmp_path / "in.flac", "--method", "delay-and-sum", "-o", tmp_path / "out")
    assert ran.code == 0, ran.stderr
    (made,) = (tmp_path / "out").glob("*.flac")
    assert soundfile.info(made).channels == 1
    assert b"CHANNEL_MASK" not in made.read_bytes()


def test_only_what_can_be_written_is_offered(cli, tmp_path):
    surround(tmp_path / "in.wav", "quad", 4)
    ran = cli("denoise", tmp_path / "in.wav", "-f", "mp3", "--subtype", "PCM_16", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "MPEG_LAYER_III" in ran.stderr and "MPEG_LAYER_II," not in ran.stderr and "MPEG_LAYER_I," not in ran.stderr
