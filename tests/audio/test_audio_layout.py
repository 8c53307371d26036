"""Which channel is which: tones through files of several channels, FFmpeg as the witness."""

import subprocess

import numpy as np
import pytest
import soundfile

from cleanaudio.audio.channelmask import left_out
from cleanaudio.audio.files import open_reader, probe
from cleanaudio.audio.formats import OutputFormat, output_format
from cleanaudio.audio.metadata.tags import read_tags
from cleanaudio.audio.writer import AtomicWriter

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


# masks


MASKS = {"2.1": 0xB, "3.0": 0x7, "quad": 0x33, "4.0": 0x107, "5.0": 0x37, "5.0(side)": 0x607, "5.1": 0x3F}
MASKS |= {"5.1(side)": 0x60F, "hexagonal": 0x137, "6.1": 0x70F, "7.1": 0x63F, "7.1(wide)": 0xFF}


def ffmpeg_made(path, layout, *options):
    source = ["-f", "lavfi", "-i", f"anoisesrc=d=0.2:a=0.1:r=48000,aformat=channel_layouts={layout}"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *options, path], check=True)
    return path


def converted(source, target, format=None, subtype=None):
    with open_reader(source) as reader:
        info = reader.info
        with AtomicWriter(target, info.rate, info.channels, output_format(info, format, subtype)) as writer:
            for block in reader.blocks():
                writer.write(block)
    return target


@pytest.mark.parametrize("layout", MASKS)
@pytest.mark.parametrize("source", ["in.wav", "in.flac", "in.w64", "in.mka"])
def test_positions_are_read_as_ffmpeg_writes_them(tmp_path, layout, source):
    codec = ["-c:a", "flac"] if source in ("in.flac", "in.mka") else []
    assert probe(ffmpeg_made(tmp_path / source, layout, *codec)).channel_mask == MASKS[layout]


MANY = [("7.1", "-c:a", codec) for codec in ("libvorbis", "libopus", "wavpack", "aac")]
MANY += [("7.1(wide)", "-c:a", "wavpack"), ("hexadecagonal", "-c:a", "libopus", "-mapping_family", "255")]


@pytest.mark.parametrize(("layout", "options"), [(layout, options) for layout, *options in MANY])
def test_many_channels_in_a_container_are_those_of_ffmpeg(tmp_path, layout, options):
    path = ffmpeg_made(tmp_path / "in.mka", layout, *options)
    channels = 16 if layout == "hexadecagonal" else 8
    samples, expected = contents(path), ffmpeg_decoded(path, channels)
    assert samples.shape[0] == channels
    frames = min(samples.shape[1], expected.shape[1])
    assert frames > 0.2 * RATE - 1
    np.testing.assert_allclose(samples[:, :frames], expected[:, :frames], atol=1e-6)


TARGETS = [("wav", None), ("flac", None), ("w64", "PCM_24"), ("caf", "PCM_16")]
MORE_TARGETS = [("wav", "FLOAT"), ("wav", "ULAW"), ("rf64", None), ("caf", "FLOAT")]
MORE_TARGETS += [("w64", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_32")]


@pytest.mark.parametrize("layout", MASKS)
@pytest.mark.parametrize(
    ("format", "subtype"), [*TARGETS, *(pytest.param(*more, marks=pytest.mark.slow) for more in MORE_TARGETS)]
)
def test_positions_go_along_to_where_they_can_be_said(tmp_path, layout, format, subtype):
    source = ffmpeg_made(tmp_path / "in.wav", layout)
    target = converted(source, tmp_path / f"out.{format}", format, subtype)
    assert ffprobe_layout(target) == layout
    back = converted(target, tmp_path / "back.wav", "wav")
    assert ffprobe_layout(back) == layout
    samples = soundfile.read(source)[0]
    for file in (target, back):
        exact = subtype not in ("ULAW", "ALAW", "PCM_U8")
        np.testing.assert_allclose(soundfile.read(file)[0], samples, atol=2**-15 if exact else 0.02)
    assert left_out(output_format(probe(source), format, subtype), samples.shape[1]) is None


@pytest.mark.parametrize("layout", ["stereo", "2.1", "5.1(side)"])
@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_s24le"])
def test_a_w64_with_an_extensible_header_is_read_as_ffmpeg_reads_it(tmp_path, layout, codec):
    path = ffmpeg_made(tmp_path / "in.w64", layout, "-c:a", codec)
    samples = contents(path)
    np.testing.assert_allclose(samples, ffmpeg_decoded(path, len(samples)), atol=1e-6)
    assert layout == "stereo" or probe(path).channel_mask == MASKS[layout]
    assert probe(path).subtype == {"f32": "FLOAT", "f64": "DOUBLE", "ala": "ALAW", "s24": "PCM_24"}[codec[4:7]]


def test_a_mask_of_flac_is_no_tag_of_the_recording(tmp_path):
    source = ffmpeg_made(tmp_path / "in.flac", "2.1", "-metadata", "title=one")
    assert b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0xb" in source.read_bytes()
    assert {name.upper() for name, _ in read_tags(source).comments} == {"TITLE", "ENCODER"}


def test_a_flac_that_says_no_positions_says_none_after(tmp_path):
    soundfile.write(tmp_path / "in.flac", np.zeros((100, 6)), RATE)
    converted(tmp_path / "in.flac", tmp_path / "out.flac")
    assert b"CHANNEL_MASK" not in (tmp_path / "out.flac").read_bytes()


def test_mono_and_stereo_keep_their_plain_header(tmp_path):
    source = ffmpeg_made(tmp_path / "in.flac", "stereo")
    converted(source, tmp_path / "out.wav", "wav")
    assert soundfile.info(tmp_path / "out.wav").format == "WAV"


@pytest.mark.parametrize(
    ("channels", "mask", "format", "subtype", "words"),
    [
        (3, 0xB, "AU", "PCM_16", None),  # for three channels FFmpeg takes that
        (3, 0x7, "AU", "PCM_16", "layout 3.0 not carried over: no place in AU"),
        (4, 0x33, "CAF", "ALAC_16", "layout quad not carried over: in ALAC_16 4 channels are 4.0"),
        (6, 0x60F, "OGG", "OPUS", None),
        (6, 0x137, "OGG", "OPUS", "hexagonal not carried over: in OPUS 6 channels are 5.1; channel 4 becomes the LFE"),
        (6, 0, "OGG", "VORBIS", "channel 4 becomes the LFE, of which VORBIS keeps only the low frequencies"),
        (7, 0x13F, "OGG", "VORBIS", "layout 6.1(back) not carried over"),
        (3, 0xB, "WAV", "IMA_ADPCM", None),
        (4, 0x33, "W64", "FLOAT", "layout quad not carried over: no place in W64"),
        (1, 0x1, "OGG", "VORBIS", None),
        (2, 0x3, "MP3", "MPEG_LAYER_III", None),
        (12, 0, "OGG", "OPUS", None),
    ],
)
def test_a_note_says_what_is_not_carried_over(channels, mask, format, subtype, words):
    said = left_out(OutputFormat(format, subtype, "", channel_mask=mask), channels)
    assert words is None if said is None else words in said
