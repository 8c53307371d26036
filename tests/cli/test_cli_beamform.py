"""What ``cleanaudio beamform`` promises: one voice, aligned with a microphone, whatever the method."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import audio, hidden, read, rows, shape, write

import cleanaudio
from cleanaudio.spatial import adaptive, blocks

RATE = 16000
SPACING = 2 * 331.3 * np.sqrt(1 + 20 / 273.15) / RATE
"""Along a line of microphones so far apart, sound takes two samples from one to the next."""

ALONG = ("--array", f"linear:4:{SPACING}", "--direction", "0")
METHODS = {
    "mvdr": ("--mask", "vad"),
    "mvdr, backend": ("--mask", "omlsa"),
    "mvdr, noise known": ("--noise-from", "0-0.4"),
    "mvdr, direction known": ("--mask", "salience", *ALONG),
    "mvdr, rank 1": ("--mask", "vad", "--rank1", "--block", "1"),
    "gev": ("--method", "gev", "--mask", "vad"),
    "mwf": ("--method", "mwf", "--mask", "vad", "--mu", "0.1"),
    "delay-and-sum, known": ("--method", "delay-and-sum", *ALONG),
    "delay-and-sum, blind": ("--method", "delay-and-sum", "--mask", "none"),
    "delay-and-sum, mask": ("--method", "delay-and-sum", "--mask", "salience"),
    "superdirective": ("--method", "superdirective", *ALONG),
}
FIXED = ("--method", "delay-and-sum", *ALONG)


@pytest.fixture(scope="module")
def voice(speech_like) -> np.ndarray:
    """Two seconds of a voice, silent for the first half."""
    return speech_like(2.0, RATE, 4)


@pytest.fixture(scope="module")
def wave(voice) -> np.ndarray:
    """The voice from the end of the line, (frames, 4): microphone 4 hears it first, microphone 1 last by 6 samples.

    With a little noise of the microphones' own.
    """
    own = np.random.default_rng(7).standard_normal((len(voice), 4)).astype(np.float32)
    return np.stack([np.roll(voice, 6 - 2 * k) for k in range(4)], axis=1) + 3e-4 * own


@pytest.fixture
def beamform(cli):
    """``beamform(arguments...)``; must end with ``code``."""

    def run(*arguments: object, code: int = 0):
        ran = cli("beamform", *arguments, "-j", "1")
        assert ran.code == code, ran.stderr
        return ran

    return run


def mono_files(folder: Path, signals: np.ndarray, name: str = "a.CH{}.wav", subtype: str = "PCM_16") -> list[Path]:
    """Write a file for each microphone."""
    return [write(folder / name.format(k + 1), one, RATE, subtype) for k, one in enumerate(signals.T)]


def lag(one: np.ndarray, two: np.ndarray) -> int:
    """Return by how many samples the first comes after the second."""
    size = 2 * len(one)
    likeness = np.fft.irfft(np.fft.rfft(one, size) * np.fft.rfft(two, size).conj())
    return (int(np.argmax(likeness)) + len(one)) % size - len(one)


class TestEveryMethod:
    @pytest.mark.parametrize("method", METHODS)
    def test_gives_a_lone_source_as_the_reference_hears_it(self, beamform, tmp_path, wave, method):
        source = write(tmp_path / "in/a.wav", wave)
        for folder in ("out", "again"):
            beamform(source, "-o", tmp_path / folder, *METHODS[method], "--ref", "2")
        made = tmp_path / "out/a.wav"
        assert shape(made) == (RATE, 1, len(wave), "WAV", "PCM_16")
        heard, out = wave[RATE:, 1], read(made)[RATE:, 0]
        assert lag(out, heard) == 0
        assert abs(10 * np.log10(np.mean(out**2) / np.mean(heard**2))) < 0.5
        (row,) = rows(tmp_path / "out")
        assert (row["status"], row["reference"], row["microphones"], row["channels"]) == ("done", "2", "1 2 3 4", "4")
        assert row["method"] == method.split(",")[0] and not row["bad_microphones"]
        assert made.read_bytes() == (tmp_path / "again/a.wav").read_bytes()

    @pytest.mark.parametrize("method", METHODS)
    def test_keeps_the_channels_if_asked(self, beamform, tmp_path, wave, method):
        source = write(tmp_path / "in/a.wav", wave)
        beamform(source, "-o", tmp_path / "out", *METHODS[method], "--keep-channels")
        out = read(tmp_path / "out/a.wav")
        assert out.shape == wave.shape
        assert [lag(out[RATE:, k], wave[RATE:, k]) for k in range(4)] == [0, 0, 0, 0]

    @pytest.mark.parametrize("method", METHODS)
    def test_bears_short_clips(self, beamform, tmp_path, wave, method):
        lengths = (0, 1, 100, 5000)
        for frames in lengths:
            write(tmp_path / f"in/{frames}.wav", wave[RATE : RATE + frames])
        known = method == "mvdr, noise known"  # there is no such stretch in them
        beamform(tmp_path / "in", "-o", tmp_path / "out", *METHODS[method], code=int(known))
        assert known or [shape(tmp_path / f"out/{frames}.wav")[2] for frames in lengths] == list(lengths)

    @pytest.mark.parametrize("method", METHODS)
    def test_leaves_silence_silent(self, beamform, tmp_path, method):
        source = write(tmp_path / "in/a.wav", np.zeros((12000, 4)))
        beamform(source, "-o", tmp_path / "out", *METHODS[method])
        assert not read(tmp_path / "out/a.wav").any()


class TestQuality:
    @pytest.mark.parametrize(
        ("method", "least"),
        [
            (("--mask", "omlsa"), 3.5),
            (("--method", "mwf", "--mu", "5", "--noise-from", "0-0.45"), 8.0),
        ],
    )
    def test_noise_goes_and_the_voice_stays(self, beamform, tmp_path, fixtures_dir, method, least):
        room = fixtures_dir / "rooms/office.flac"
        beamform(room, "-o", tmp_path, "--ref", "1", *method)
        clean = read(fixtures_dir / "rooms/reference/office.flac")[:, 0]
        noisy, out = read(room)[:, 0], read(tmp_path / "office.flac")[:, 0]

        def sdr(signal):
            target = signal @ clean / (clean @ clean) * clean
            return 10 * np.log10(np.sum(target**2) / np.sum((signal - target) ** 2))

        assert sdr(out) - sdr(noisy) > least

    def test_a_post_filter_takes_more(self, beamform, tmp_path, fixtures_dir):
        room = fixtures_dir / "rooms/office.flac"
        beamform(room, "-o", tmp_path / "one", "--mask", "vad")
        beamform(room, "-o", tmp_path / "two", "--mask", "vad", "--postfilter", "noisereduce")
        beamform(room, "-o", tmp_path / "three", "--mask", "vad", "--postfilter", "omlsa", "--postfilter-strength", "0")
        before, after, untouched = (read(tmp_path / one / "office.flac")[:, 0] for one in ("one", "two", "three"))
        assert np.mean(after[:6000] ** 2) < 0.3 * np.mean(before[:6000] ** 2)
        np.testing.assert_allclose(untouched, before, atol=2 / 32768)
        assert rows(tmp_path / "two")[0]["postfilter"] == "noisereduce"

    @pytest.mark.slow
    def test_a_post_filter_that_takes_the_voice_is_held_back(self, beamform, tmp_path, fixtures_dir, monkeypatch):
        room, given = fixtures_dir / "rooms/office.flac", ("--mask", "vad", "--postfilter", "noisereduce", "--guard")
        monkeypatch.setattr("cleanaudio.batch.guard._loss", lambda signals: 0.0)
        monkeypatch.setattr("cleanaudio.batch.watched.eased", lambda noisy, cleaned, *_: cleaned)
        monkeypatch.setattr("cleanaudio.batch.guard._harm", lambda before, after: "it hurts")
        ran = beamform(room, "-o", tmp_path / "held", *given)
        assert "guarded: no postfilter: it hurts" in ran.stderr
        beamform(room, "-o", tmp_path / "bare", "--mask", "vad")
        np.testing.assert_array_equal(read(tmp_path / "held/office.flac"), read(tmp_path / "bare/office.flac"))
        monkeypatch.setattr("cleanaudio.batch.guard._harm", lambda before, after: None)
        beamform(room, "-o", tmp_path / "free", *given)
        beamform(room, "-o", tmp_path / "plain", *given[:-1])
        np.testing.assert_array_equal(read(tmp_path / "free/office.flac"), read(tmp_path / "plain/office.flac"))

    @pytest.mark.usefixtures("quick_dnsmos")
    def test_an_original_in_place_of_a_failure_is_no_beam(self, beamform, tmp_path, wave):
        source = write(tmp_path / "a.wav", wave)
        gated = ("--gate", "noise_floor<-200", "--if-fails", "original")
        beamform(source, "-o", tmp_path / "out", "--sidecar", "--mask", "vad", *gated, code=3)
        told = json.loads((tmp_path / "out/a.wav.json").read_text())
        assert (told["method"], told["windows"], told["condition"]) == ("none", [], None)
        (row,) = rows(tmp_path / "out")
        assert (row["method"], row["condition"], row["backend"]) == ("none", "", "")

    def test_dereverberation_comes_first(self, beamform, tmp_path, fixtures_dir):
        for share in (0, 1):
            beamform(fixtures_dir / "rooms/hall.flac", "-o", tmp_path / str(share), *FIXED[:2], "--dereverb", share,
                     "--array", fixtures_dir / "rooms/hall.json", "--direction", "110", "--ref", "1")  # fmt: skip
        early = read(fixtures_dir / "rooms/reference/hall.flac")[:, 0]
        error = [np.mean((read(tmp_path / str(share) / "hall.flac")[:, 0] - early) ** 2) for share in (0, 1)]
        assert error[1] < 0.8 * error[0]


class TestSeveralFiles:
    def test_equal_one_file_of_all_channels(self, beamform, tmp_path, wave):
        mono_files(tmp_path / "apart/deep", wave, subtype="FLOAT")
        write(tmp_path / "together/a.wav", wave, subtype="FLOAT")
        beamform(tmp_path / "apart", "-r", "-o", tmp_path / "one", *FIXED)
        beamform(tmp_path / "together", "-o", tmp_path / "two", *FIXED)
        np.testing.assert_array_equal(read(tmp_path / "one/deep/a.wav"), read(tmp_path / "two/a.wav"))
        (row,) = rows(tmp_path / "one")
        assert row["input"] == f"{tmp_path}/apart/deep/a.CH{{1,2,3,4}}.wav"
        assert int(row["input_bytes"]) == sum(path.stat().st_size for path in (tmp_path / "apart/deep").iterdir())

    def test_of_names_of_ones_own(self, beamform, tmp_path, wave):
        mono_files(tmp_path / "in", wave, "mic {}.wav")
        (tmp_path / "in/notes.wav").write_text("not of the array, and left alone")
        beamform(tmp_path / "in", "-o", tmp_path / "out", "--group", "mic {ch}.wav", *FIXED)
        assert audio(tmp_path / "out") == {"mic.wav"}

    def test_may_be_named_one_by_one_for_one_output(self, beamform, tmp_path, wave):
        files = mono_files(tmp_path, wave)
        beamform(*files, "-o", tmp_path / "voice.wav", *FIXED)
        assert shape(tmp_path / "voice.wav") == (RATE, 1, len(wave), "WAV", "PCM_16")

    def test_are_done_once(self, beamform, tmp_path, wave):
        mono_files(tmp_path / "in", wave)
        for _ in range(2):
            beamform(tmp_path / "in", "-o", tmp_path / "out", "--skip-existing", *FIXED)
        assert [row["status"] for row in rows(tmp_path / "out")] == ["done", "skipped"]

    @pytest.mark.parametrize("together", [True, False])
    def test_microphones_are_chosen_and_ordered(self, beamform, tmp_path, wave, together):
        turned = wave[:, [3, 1, 0, 2]]  # the array's first microphone is channel 3, its second channel 2 …
        write(tmp_path / "in/a.wav", turned) if together else mono_files(tmp_path / "in", turned)
        beamform(tmp_path / "in", "-o", tmp_path / "out", "--mics", "3,2,4", "--ref", "4", "--sidecar",
                 "--method", "delay-and-sum", "--array", f"linear:3:{SPACING}", "--direction", "0")  # fmt: skip
        out = read(tmp_path / "out/a.wav")[:, 0]
        assert lag(out, wave[:, 2]) == 0 and np.std(out) == pytest.approx(np.std(wave[:, 2]), rel=0.02)
        (row,) = rows(tmp_path / "out")
        assert (row["microphones"], row["reference"]) == ("3 2 4", "4")

    def test_a_little_too_short_decides(self, beamform, tmp_path, wave):
        files = mono_files(tmp_path / "in", wave)
        write(files[2], wave[:-50, 2])
        beamform(tmp_path / "in", "-o", tmp_path / "out", *FIXED)
        assert shape(tmp_path / "out/a.wav")[2] == len(wave) - 50
        assert "50 frames" in rows(tmp_path / "out")[0]["notes"]


class TestMicrophonesThatAreBroken:
    """Found, said, left out or put right."""

    def run(self, beamform, tmp_path, signals, *more, method=("--mask", "vad")) -> tuple[np.ndarray, str, dict]:
        source = write(tmp_path / "in/a.wav", signals)
        ran = beamform(source, "-o", tmp_path / "out", *method, *more, "--overwrite")
        return read(tmp_path / "out/a.wav")[:, 0], ran.stderr, rows(tmp_path / "out")[-1]

    @pytest.mark.parametrize(
        ("name", "breaking"),
        [
            ("silent", lambda one: 0 * one),
            ("quieter", lambda one: 0.01 * one),
            ("clipped", lambda one: np.clip(30 * one, -1, 1)),
        ],
    )
    def test_are_left_out(self, beamform, tmp_path, wave, name, breaking):
        signals = wave.copy()
        signals[:, 2] = breaking(signals[:, 2])
        out, said, row = self.run(beamform, tmp_path, signals, "--ref", "1")
        assert row["microphones"] == "1 2 4" and "microphone 3" in row["bad_microphones"]
        assert name in row["bad_microphones"] and row["bad_microphones"] in said
        assert np.mean((out - wave[:, 0])[RATE:] ** 2) < 0.1 * np.mean(wave[RATE:, 0] ** 2)

    def test_are_turned_over(self, beamform, tmp_path, wave):
        signals = wave * [1, 1, -1, 1]
        out, _, row = self.run(beamform, tmp_path, signals, "--ref", "1", method=FIXED)
        assert row["bad_microphones"] == "microphone 3 is inverted: turned over" and row["microphones"] == "1 2 3 4"
        assert np.std(out) == pytest.approx(np.std(wave[:, 0]), rel=0.03)

    def test_are_moved_back_in_time(self, beamform, tmp_path, wave):
        signals = wave.copy()
        signals[:, 1] = np.roll(signals[:, 1], 3200)
        signals[:3200, 1] = 0
        out, _, row = self.run(beamform, tmp_path, signals, "--ref", "1", method=FIXED)
        assert row["bad_microphones"].startswith("microphone 2 is 200.") and row["bad_microphones"].endswith(
            "late: moved"
        )
        assert np.std(out[RATE:-3200]) == pytest.approx(np.std(wave[RATE:-3200, 0]), rel=0.03)

    def test_are_kept_if_asked(self, beamform, tmp_path, wave):
        out, _, row = self.run(
            beamform, tmp_path, wave * [1, 1, -1, 1], "--bad-mics", "keep", "--ref", "1", method=FIXED
        )
        assert row["microphones"] == "1 2 3 4" and row["bad_microphones"] == "microphone 3 is inverted"
        assert np.std(out) == pytest.approx(np.std(wave[:, 0]) / 2, rel=0.05)

    def test_two_alike_are_no_harm(self, beamform, tmp_path, wave):
        out, _, _ = self.run(beamform, tmp_path, np.repeat(wave[:, :1], 2, axis=1))
        assert np.isfinite(out).all() and lag(out, wave[:, 0]) == 0

    def test_numbers_that_are_none_become_silence(self, beamform, tmp_path, wave):
        signals = wave.copy()
        signals[1000:1010, 1] = np.nan
        source = write(tmp_path / "in/a.wav", signals, subtype="FLOAT")
        beamform(source, "-o", tmp_path / "out", "--mask", "vad")
        assert np.isfinite(read(tmp_path / "out/a.wav")).all()
        assert "10 samples were not numbers" in rows(tmp_path / "out")[0]["notes"]


class TestSidecar:
    def test_of_a_blind_beam(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        beamform(source, "-o", tmp_path / "out", "--sidecar", *METHODS["delay-and-sum, blind"], "--ref", "1")
        told = json.loads((tmp_path / "out/a.wav.json").read_text())
        assert (told["method"], told["reference"], told["microphones"]) == ("delay-and-sum", 1, [1, 2, 3, 4])
        middle = told["windows"][len(told["windows"]) * 3 // 4]
        assert middle["delays"] == pytest.approx([0, -2, -4, -6], abs=0.3)
        assert sum(middle["weights"]) == pytest.approx(1, abs=0.1) and 0 <= told["fallback"] <= 1

    def test_of_a_learned_beam(self, beamform, tmp_path, wave):
        signals = wave * [1, 1, 1, 0]
        source = write(tmp_path / "in/a.wav", signals)
        beamform(source, "-o", tmp_path / "out", "--sidecar", "--mask", "vad", "--block", "0.5", "--ref", "2")
        told = json.loads((tmp_path / "out/a.wav.json").read_text())
        assert told["health"] == [{"microphone": 4, "kind": "dead", "detail": "is silent"}]
        assert len(told["windows"]) > 2 and all(one["reference"] == 2 for one in told["windows"])
        assert told["condition"] == pytest.approx(np.median([one["condition"] for one in told["windows"]]), rel=1e-5)

    def test_of_a_known_beam(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        beamform(source, "-o", tmp_path / "out", "--sidecar", *FIXED, "--ref", "1")
        told = json.loads((tmp_path / "out/a.wav.json").read_text())
        assert told["delays"] == pytest.approx([0, -2, -4, -6]) and told["direction"] == [0, 0]
        assert told["windows"] == []

    def test_of_silence_is_strict_json(self, beamform, tmp_path):
        source = write(tmp_path / "in/a.wav", np.zeros((RATE, 4)))
        beamform(source, "-o", tmp_path / "out", "--sidecar", "--mask", "vad")

        def no_constant(text):
            raise AssertionError(f"{text} is no JSON")

        json.loads((tmp_path / "out/a.wav.json").read_text(), parse_constant=no_constant)

    def test_comes_with_its_result_or_not_at_all(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        beamform(source, "-o", tmp_path / "out", "--sidecar", "--noise-from", "0-99", code=1)
        assert not audio(tmp_path / "out") and not hidden(tmp_path / "out")

    def test_is_no_reason_to_do_it_again(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        for _ in range(2):
            beamform(source, "-o", tmp_path / "out", "--sidecar", "--skip-existing", *FIXED)
        assert rows(tmp_path / "out")[-1]["status"] == "skipped"
        (tmp_path / "out/a.wav.json").unlink()
        beamform(source, "-o", tmp_path / "out", "--sidecar", "--skip-existing", *FIXED)
        assert rows(tmp_path / "out")[-1]["status"] == "done"


class TestTheRun:
    def test_another_recipe_makes_it_anew(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        for method in ("mvdr", "mvdr", "gev"):
            beamform(source, "-o", tmp_path / "out", "--method", method, "--mask", "vad", "--skip-existing")
        assert [row["status"] for row in rows(tmp_path / "out")] == ["done", "skipped", "done"]

    def test_a_plan_can_be_seen(self, beamform, tmp_path, wave):
        mono_files(tmp_path / "in", wave)
        ran = beamform(tmp_path / "in", "-o", tmp_path / "out", "--dry-run", "--json")
        assert json.loads(ran.stdout)["output"] == str(tmp_path / "out/a.wav")
        assert not (tmp_path / "out").exists()

    def test_through_pipes(self, program, tmp_path, wave):
        source = write(tmp_path / "a.wav", wave)
        done = program("beamform", "-", "-o", "-", *FIXED, stdin=source.read_bytes())
        assert done.returncode == 0, done.stderr
        (tmp_path / "b.wav").write_bytes(done.stdout)
        assert shape(tmp_path / "b.wav") == (RATE, 1, len(wave), "WAV", "PCM_16")

    def test_two_workers(self, cli, tmp_path, wave):
        for k in range(3):
            write(tmp_path / f"in/{k}.wav", wave)
        ran = cli("beamform", tmp_path / "in", "-o", tmp_path / "out", "-j", "2", *FIXED)
        assert ran.code == 0 and len(rows(tmp_path / "out")) == 3

    @pytest.mark.usefixtures("quick_dnsmos")
    def test_a_failed_gate_gives_the_reference_microphone(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave)
        gate = ("--gate", "noise_floor<=-200", "--if-fails", "original")
        beamform(source, "-o", tmp_path / "out", *FIXED, *gate, "--ref", "3", code=3)
        np.testing.assert_array_equal(read(tmp_path / "out/a.wav")[:, 0], read(source)[:, 2])

    def test_a_peak_is_scaled(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", 2.5 * wave, subtype="FLOAT")
        beamform(source, "-o", tmp_path / "out", *METHODS["mvdr"], "--subtype", "PCM_16", "--clip-mode", "rescale",
                 "--sidecar")  # fmt: skip
        assert np.abs(read(tmp_path / "out/a.wav")).max() == pytest.approx(1, abs=0.01)
        assert len(json.loads((tmp_path / "out/a.wav.json").read_text())["windows"]) == 1

    def test_the_library_does_the_same(self, beamform, tmp_path, wave):
        source = write(tmp_path / "in/a.wav", wave, subtype="FLOAT")
        beamform(source, "-o", tmp_path / "out", *METHODS["gev"], "--postfilter", "noisereduce")
        out = cleanaudio.beamform(read(source).T, RATE, "gev", mask="vad", postfilter="noisereduce")
        np.testing.assert_allclose(out, read(tmp_path / "out/a.wav")[:, 0], atol=1e-6)


class TestPicture:
    def test_of_a_beam(self, beamform, tmp_path):
        pytest.importorskip("matplotlib")
        beamform("--method", "superdirective", *ALONG, "--plot-beam", tmp_path / "beam.png")
        assert (tmp_path / "beam.png").read_bytes().startswith(b"\x89PNG")

    def test_of_the_microphones_that_are_used(self, beamform, tmp_path):
        pytest.importorskip("matplotlib")
        places = [[0, 0, 0], [0.3, 0.02, 0], [0.05, 0.07, 0], [0, 0.11, 0]]
        pictures = []
        for name, some, options in (
            ("all", places, ("--mics", "4,3,1", "--ref", "3")),
            ("used", [places[3], places[2], places[0]], ("--ref", "2")),
        ):
            (tmp_path / name).mkdir()
            array, picture = tmp_path / name / "mics.json", tmp_path / name / "beam.png"
            array.write_text(json.dumps(some))
            towards = ("--method", "superdirective", "--array", array, "--direction", "30")
            beamform(*towards, *options, "--plot-beam", picture)
            pictures.append(picture.read_bytes())
        assert pictures[0] == pictures[1]

    def test_beside_a_run(self, beamform, tmp_path, wave):
        pytest.importorskip("matplotlib")
        source = write(tmp_path / "in/a.wav", wave)
        beamform(source, "-o", tmp_path / "out", *FIXED, "--plot-beam", tmp_path / "beam.svg")
        assert (tmp_path / "beam.svg").exists() and (tmp_path / "out/a.wav").exists()


REAL = [name for name in METHODS if "known" not in name and name != "superdirective"]


@pytest.mark.data
@pytest.mark.parametrize("method", REAL)
def test_real_arrays_go_through_every_method(beamform, tmp_path, data_dir, method):
    beamform(data_dir / "dev/real-multichannel", "-o", tmp_path, *METHODS[method])
    made = rows(tmp_path)
    assert len(made) == 4 and all(row["status"] == "done" for row in made)


@pytest.mark.data
@pytest.mark.parametrize("method", ["mvdr", "gev", "mwf"])
def test_no_level_jumps_between_blocks_of_real_arrays(data_dir, monkeypatch, method):
    """The level over 25 ms on both sides of a border, less the same where the filter stays as before that border."""
    solve, solved, frozen = blocks.Blocks._solve, [], 10**9

    def until_frozen(self, speech, noise):
        solved.append(solve(self, speech, noise) if len(solved) < frozen else solved[-1])
        return solved[-1]

    monkeypatch.setattr(blocks.Blocks, "_solve", until_frozen)
    size, hop = adaptive.beamforming_stft(RATE)
    span = RATE // 40
    for path in sorted((data_dir / "dev/real-multichannel").glob("*.flac")):
        signals = read(path).T

        def step(stays, edge, signals=signals):
            nonlocal frozen
            frozen = stays
            solved.clear()
            out = cleanaudio.beamform(signals, RATE, method, mask="vad", block_s=1, reference=0)
            before, after = (np.mean(part**2) for part in (out[edge - span : edge], out[edge : edge + span]))
            return 10 * np.log10(after / before)

        for k in range(1, signals.shape[1] // RATE - 1):
            edge = k * round(RATE / hop) * hop - (size - hop) // 2
            assert abs(step(10**9, edge) - step(k, edge)) < 1.0
