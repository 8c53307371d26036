"""What ``--loudness`` promises: that loudness and no peaks above the ceiling, whatever is cleaned and however."""

from __future__ import annotations

import json
import re
import subprocess
from io import BufferedRandom, FileIO

import numpy as np
import pyloudnorm
import pytest
from cli_helpers import read, rows, shape, write
from scipy.signal import resample_poly

from cleanaudio.backends.none import Untouched
from cleanaudio.batch.levelling import Levelled, Loudness
from cleanaudio.batch.replay import Replayed
from cleanaudio.errors import OutputError, RecipeError


@pytest.fixture(scope="module")
def clip(noisy_speech) -> np.ndarray:
    """Three seconds of noisy speech at 16 kHz."""
    return noisy_speech(3.0)


@pytest.fixture
def denoise(cli):
    """``denoise(arguments...)`` in this process; must end with ``code``."""

    def run(*arguments: object, code: int = 0):
        ran = cli("denoise", *arguments, "-j", "1")
        assert ran.code == code, ran.stderr
        return ran

    return run


def loudness(path) -> float:
    """Integrated loudness, by pyloudnorm."""
    return pyloudnorm.Meter(shape(path)[0]).integrated_loudness(read(path))


def true_peak(path) -> float:
    """The highest level between the samples in dBTP, by a resampler to four times the rate, as the standard has it."""
    return 20 * np.log10(np.abs(resample_poly(read(path), 4, 1)).max())


def ffmpeg_loudness(path) -> float:
    """Integrated loudness, by FFmpeg, which looks at the loudspeaker layout."""
    command = ["ffmpeg", "-nostats", "-i", path, "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.findall(r"I: +(\S+) LUFS", said)[-1])


def test_the_gate_says_the_same_of_an_output_whatever_its_gain(cli, denoise, tmp_path, speech_like):
    """In ``denoise``, and in ``score`` where the log says what the gain is; elsewhere nobody can tell."""
    noise = 0.001 * np.random.default_rng(0).standard_normal(48000)
    source = write(tmp_path / "in" / "a.wav", 0.1 * (speech_like(3.0) + noise))
    gate = ("--gate", "speech_level_change>-8,noise_floor_delta<1,loudness>-17")
    said = {}
    for lufs in (-16, -30):
        out = tmp_path / str(lufs)
        denoise(source, "-o", out, "-b", "wiener", "--loudness", lufs, *gate, code=0 if lufs == -16 else 3)
        (row,) = rows(out / "metrics.csv")
        ran = cli("score", out, "--noisy", tmp_path / "in", "--metric", "loudness", *gate, "--json")
        found = json.loads(ran.stdout.splitlines()[0])
        assert ran.code == (0 if lufs == -16 else 3) and float(row["gain_db"]) > 4
        assert found["metrics"]["noise_floor_delta"] == pytest.approx(float(row["noise_floor_delta"]), abs=0.05)
        said[lufs] = found["metrics"]["speech_level_change"]
        assert any("is taken out where it is compared" in note for note in found["notes"])
    assert said[-16] == pytest.approx(said[-30], abs=0.3)  # the limiter takes a little
    (out / "metrics.csv").unlink()
    ran = cli("score", out, "--noisy", tmp_path / "in", "--gate", "speech_level_change>-8")
    assert ran.code == 3 and "no log beside it says" in ran.stderr and "a gain that is not known" in ran.stdout


def test_where_the_layout_is_lost_the_output_is_as_loud_as_it_will_be_heard(denoise, tmp_path):
    tones = "0.04*sin(2*PI*500*t)|0.04*sin(2*PI*700*t)|0.2*sin(2*PI*90*t)"
    source = ["-f", "lavfi", "-i", f"aevalsrc='{tones}':s=48000:d=2:c=2.1"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:a", "pcm_s24le", tmp_path / "in.wav"], check=True)
    denoise(tmp_path / "in.wav", "-o", tmp_path / "out", "-b", "none", "-f", "ogg", "--loudness", -23)
    assert ffmpeg_loudness(tmp_path / "out/in.ogg") == pytest.approx(-23, abs=0.3)  # three channels of Vorbis are 3.0


@pytest.mark.parametrize(("layout", "channels", "loud"), [("2.1", 3, 2), ("quad", 4, 3), ("7.1", 8, 3)])
def test_a_layout_is_heard_as_ffmpeg_hears_it(denoise, cli, tmp_path, layout, channels, loud):
    levels = [0.2 if k == loud else 0.04 for k in range(channels)]
    tones = "|".join(f"{level}*sin(2*PI*{90 + 80 * k}*t)" for k, level in enumerate(levels))
    source = ["-f", "lavfi", "-i", f"aevalsrc='{tones}':s=16000:d=2:c={layout}"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:a", "pcm_s24le", tmp_path / "in.wav"], check=True)
    denoise(tmp_path / "in.wav", "-o", tmp_path / "out", "-b", "none", "--loudness", -23)
    made = tmp_path / "out/in.wav"
    assert ffmpeg_loudness(made) == pytest.approx(-23, abs=0.15)
    for command in (("score", made, "--metric", "loudness"), ("inspect", made)):
        first = json.loads(cli(*command, "--json").stdout.splitlines()[0])
        assert first["metrics"]["loudness"] == pytest.approx(-23, abs=0.15)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_outputs_are_as_loud_as_asked(denoise, tmp_path, clip, subtype, gain):
    stereo = gain * np.stack([clip, 0.5 * clip], axis=1)
    source = write(tmp_path / "in.wav", stereo, subtype=subtype)
    denoise(source, "-o", tmp_path / "out", "-b", "wiener", "--loudness", -23)
    made = tmp_path / "out/in.wav"
    assert shape(made) == shape(source)
    assert loudness(made) == pytest.approx(-23, abs=0.2)
    (row,) = rows(tmp_path / "out")
    assert float(row["loudness_out_lufs"]) == pytest.approx(loudness(made), abs=0.1)
    assert float(row["true_peak_out_dbtp"]) == pytest.approx(true_peak(made), abs=0.2)
    assert float(row["rms_out_dbfs"]) == pytest.approx(20 * np.log10(np.std(read(made))), abs=0.1)


def test_peaks_stay_below_the_ceiling(denoise, tmp_path, clip):
    source = write(tmp_path / "in.wav", clip)
    denoise(source, "-o", tmp_path / "out", "-b", "none", "--loudness", -14, "--true-peak", -3)
    assert true_peak(tmp_path / "out/in.wav") < -2.85
    assert loudness(tmp_path / "out/in.wav") == pytest.approx(-14, abs=0.2)  # what limiting takes is given back
    (row,) = rows(tmp_path / "out")
    assert int(row["clipped_out"]) > 0
    denoise(
        source, "-o", tmp_path / "low", "-b", "none", "--loudness", -12, "--true-peak", -3, "--clip-mode", "rescale"
    )
    (row,) = rows(tmp_path / "low")
    assert int(row["clipped_out"]) == 0 and "the peaks allow" in row["notes"]
    made, before = read(tmp_path / "low/in.wav")[:, 0], read(source)[:, 0]
    assert np.allclose(made, before * 10 ** (float(row["gain_db"]) / 20), atol=1e-3)  # the shape is kept
    assert true_peak(tmp_path / "low/in.wav") == pytest.approx(-3, abs=0.1)


def test_spikes_between_the_samples_stay_below_the_ceiling_too(denoise, tmp_path):
    random = np.random.default_rng(1)
    spiky = 0.02 * random.standard_normal(3 * 16000)
    spiky[random.integers(0, len(spiky), 3000)] *= 40
    source = write(tmp_path / "in.wav", np.clip(spiky, -1, 1), subtype="FLOAT")
    denoise(source, "-o", tmp_path / "out", "-b", "none", "--loudness", -12)
    assert true_peak(tmp_path / "out/in.wav") < -0.9


def test_rescale_limits_nothing_even_where_there_is_no_loudness(denoise, tmp_path, clip):
    short = clip[:3000] / np.abs(clip[:3000]).max()
    source = write(tmp_path / "in.wav", short, subtype="FLOAT")
    denoise(source, "-o", tmp_path / "out", "-b", "none", "--loudness", -16, "--clip-mode", "rescale")
    (row,) = rows(tmp_path / "out")
    assert int(row["clipped_out"]) == 0 and "only brought below the ceiling" in row["notes"]
    assert true_peak(tmp_path / "out/in.wav") == pytest.approx(-1, abs=0.1)


def test_without_a_loudness_the_level_stays_and_is_explained(denoise, tmp_path, clip):
    for name, samples in {"silent": np.zeros(16000), "short": clip[:1600], "empty": clip[:0]}.items():
        write(tmp_path / f"in/{name}.wav", samples)
    denoise(tmp_path / "in", "-o", tmp_path / "out", "-b", "none", "--loudness", -16)
    for row in rows(tmp_path / "out"):
        assert row["gain_db"] in ("0", "0.0") and "its level stays" in row["notes"]
        assert row["loudness_out_lufs"] == ""
    assert np.array_equal(read(tmp_path / "out/short.wav"), read(tmp_path / "in/short.wav"))


def test_what_was_removed_has_the_same_gain(denoise, tmp_path, clip):
    source = write(tmp_path / "in.wav", 0.1 * clip, subtype="FLOAT")
    denoise(source, "-o", tmp_path / "out", "-b", "wiener", "--loudness", -30, "--residual")
    (row,) = rows(tmp_path / "out")
    both = read(tmp_path / "out/in.wav") + read(tmp_path / "out/in.residual.wav")
    assert np.allclose(both, read(source) * 10 ** (float(row["gain_db"]) / 20), atol=1e-3)


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_original_in_place_of_a_failure_is_as_loud(denoise, tmp_path, clip):
    source = write(tmp_path / "in.wav", clip)
    gate = ("--gate", "noise_floor<=-200", "--if-fails", "original")
    denoise(source, "-o", tmp_path / "out", "-b", "wiener", "--loudness", -23, *gate, code=3)
    assert loudness(tmp_path / "out/in.wav") == pytest.approx(-23, abs=0.2)
    made, before = read(tmp_path / "out/in.wav")[:, 0], read(source)[:, 0]
    assert np.corrcoef(made, before)[0, 1] > 0.9999


def test_a_single_file_is_brought_there_too(cli, tmp_path, clip):
    source = write(tmp_path / "in.wav", clip)
    ran = cli("denoise", source, "-o", tmp_path / "a.wav", "-b", "wiener", "--loudness", -20, "--json", "-j", 1)
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout)["loudness_out_lufs"] == pytest.approx(-20, abs=0.2)
    assert loudness(tmp_path / "a.wav") == pytest.approx(-20, abs=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--loudness", 3), "a loudness of 3 LUFS"),
        (("--loudness", -16, "--true-peak", 2), "a true peak of 2 dBTP"),
        (("--true-peak", -2), "--true-peak goes with --loudness"),
    ],
)
def test_what_cannot_be_is_a_usage_error(denoise, tmp_path, clip, options, message):
    source = write(tmp_path / "in.wav", clip)
    ran = denoise(source, "-o", tmp_path / "out", "-b", "none", *options, code=2)
    assert message in ran.stderr and not (tmp_path / "out").exists()


def test_blocks_do_not_matter(clip):
    def walked(through):
        yield from (through.process(block) for block in blocks)
        yield through.flush()

    audio = clip[None].astype(np.float32)
    outputs = []
    for cuts in ((), (0, 1, 4000, 4001, 30000)):
        blocks = np.split(audio, cuts, axis=1)
        level = Levelled(Untouched(1), walked, 16000, 1, Loudness(-10.0), limits=True)
        outputs.append(np.concatenate(list(walked(level)), axis=1))
    assert outputs[0].shape == audio.shape
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    with pytest.raises(RecipeError):
        Loudness(float("nan"))


def test_nothing_is_cleaned_twice(tmp_path, clip):
    class Once(Untouched):
        """Gives back what it gets, and counts the blocks."""

        seen = 0

        def process(self, block):
            self.seen += 1
            return super().process(block)

    blocks, once = np.split(clip[None].astype(np.float32), 3, axis=1), Once(1)
    with Replayed(once, tmp_path / "out.wav") as replayed:
        for _ in range(3):
            for block in blocks:
                np.testing.assert_array_equal(replayed.process(block), block)
            assert replayed.flush().shape == (1, 0)
            replayed.reset()
    assert once.seen == 3 and not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_of_the_output(tmp_path, clip, monkeypatch):
    monkeypatch.setattr("cleanaudio.batch.replay.TemporaryFile", lambda dir: FileIO("/dev/full", "wb"))
    with Replayed(Untouched(1), tmp_path / "out.wav") as replayed, pytest.raises(OutputError) as failed:
        replayed.process(clip[None].astype(np.float32))
    assert "No space left on device" in failed.value.describe() and "out.wav" in failed.value.describe()


def test_a_disk_that_is_full_only_when_the_rest_is_written_out_is_one_too(tmp_path, clip, monkeypatch):
    full = BufferedRandom(FileIO("/dev/full", "r+b"), 1 << 20)
    monkeypatch.setattr("cleanaudio.batch.replay.TemporaryFile", lambda dir: full)
    with pytest.raises(OutputError, match="No space left"), Replayed(Untouched(1), tmp_path / "out.wav") as replayed:
        replayed.process(clip[None, :1000].astype(np.float32))  # still in memory
        replayed.flush()
        replayed.reset()


@pytest.mark.usefixtures("quick_dnsmos")
def test_a_gate_hears_the_cleaning_and_not_the_gain(denoise, tmp_path, clip):
    source = write(tmp_path / "in.wav", 0.5 * clip)
    changes = []
    for number, loudness in enumerate(((), ("--loudness", -40), ("--loudness", -20))):
        denoise(source, "-o", tmp_path / str(number), "-b", "wiener", "--gate", "speech_level_change>-20", *loudness)
        changes.append(float(rows(tmp_path / str(number))[0]["speech_level_change"]))
    assert changes[1:] == pytest.approx(changes[:1] * 2, abs=0.1)
