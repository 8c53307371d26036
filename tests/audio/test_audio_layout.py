"""Which channel is which: tones through files of several channels, FFmpeg as the witness."""

import subprocess

import numpy as np
import pytest
import soundfile

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.writer import AtomicWriter, OutputFormat

RATE = 48000
SECONDS = 0.5
OGG = [OutputFormat("OGG", subtype, ".ogg") for subtype in ("VORBIS", "OPUS")]
ALAC = OutputFormat("CAF", "ALAC_16", ".caf")
FFMPEG_LAYOUTS = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
ALAC_LAYOUTS = FFMPEG_LAYOUTS | {4: "4.0", 7: "6.1(back)", 8: "7.1(wide)"}


def tones(channels, lfe):
    """One tone for each channel, a low one for the LFE, of which encoders keep nothing else."""
    hz = [60 if k == lfe else 300 + 200 * k for k in range(channels)]
    t = np.arange(round(RATE * SECONDS)) / RATE
    return hz, (0.1 * np.sin(2 * np.pi * np.outer(hz, t))).astype(np.float32)


def heard(audio, hz):
    """Which of the tones is the loudest in each channel."""
    middle = audio[:, audio.shape[1] // 5 : audio.shape[1] * 4 // 5]
    levels = np.abs(middle @ np.exp(-2j * np.pi * np.outer(np.arange(middle.shape[1]) / RATE, hz)))
    assert levels.max(axis=1).min() > 0.02 * middle.shape[1], "a channel is silent"
    return [hz[k] for k in levels.argmax(axis=1)]


def lfe_of(layout):
    return 3 if layout.startswith(("5.1", "6.1", "7.1")) else None


def ffmpeg_decoded(path, channels):
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-"]
    samples = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(samples, np.float32).reshape(-1, channels).T


def ffmpeg_encoded(path, audio, layout, *options):
    source = ["-f", "f32le", "-ar", str(RATE), "-ac", str(len(audio)), "-channel_layout", layout, "-i", "-"]
    command = ["ffmpeg", "-v", "error", "-y", *source, *options, path]
    subprocess.run(command, input=audio.T.tobytes(), check=True)
    return path


def ffprobe_layout(path):
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=channel_layout", "-of", "csv=p=0", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def written(path, audio, format):
    with AtomicWriter(path, RATE, len(audio), format) as writer:
        writer.write(audio)
    return path


def contents(path):
    with open_reader(path) as reader:
        return np.concatenate(list(reader.blocks(777)), axis=1)


@pytest.mark.parametrize("format", [*OGG, ALAC])
@pytest.mark.parametrize("channels", range(1, 9))
def test_each_channel_is_written_to_its_own_loudspeaker(tmp_path, format, channels):
    layouts = ALAC_LAYOUTS if format is ALAC else FFMPEG_LAYOUTS
    layout = layouts.get(channels, "")
    hz, audio = tones(channels, lfe_of(layout))
    path = written(tmp_path / f"a{format.suffix}", audio, format)
    assert layout in ("", ffprobe_layout(path))
    assert heard(ffmpeg_decoded(path, channels), hz) == hz
    assert heard(contents(path), hz) == hz


# FFmpeg itself swaps channels where it encodes 5.0 and 6.1 as Opus
@pytest.mark.parametrize(
    ("encoder", "channels"), [("libvorbis", n) for n in range(1, 9)] + [("libopus", n) for n in (1, 2, 3, 4, 6, 8)]
)
def test_each_channel_is_read_from_its_own_loudspeaker(tmp_path, encoder, channels):
    layout = FFMPEG_LAYOUTS.get(channels, {1: "mono", 2: "stereo"}.get(channels))
    hz, audio = tones(channels, lfe_of(layout))
    path = ffmpeg_encoded(tmp_path / "a.ogg", audio, layout, "-c:a", encoder)
    assert heard(contents(path), hz) == hz


def test_opus_channels_without_positions_stay_where_they_are(tmp_path):
    hz, audio = tones(6, None)
    path = ffmpeg_encoded(tmp_path / "a.opus", audio, "5.1", "-c:a", "libopus", "-mapping_family", "255")
    samples = soundfile.read(path, dtype="float32")[0].T
    np.testing.assert_array_equal(contents(path), samples)
    assert heard(contents(path), hz) == heard(samples, hz)


@pytest.mark.parametrize("format", OGG)
def test_reading_from_anywhere_gives_the_same_channels(tmp_path, format):
    hz, audio = tones(6, 3)
    path = written(tmp_path / "a.ogg", audio, format)
    with open_reader(path) as reader:
        reader.seek(RATE // 10)
        assert heard(reader.read(RATE // 3), hz) == hz
