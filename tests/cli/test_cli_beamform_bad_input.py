"""What ``cleanaudio beamform`` says to what cannot be done: one recording's failure, or a usage error before any."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_helpers import audio, hidden, read, rows, write

RATE = 16000
ARRAY = ("--array", "linear:4:0.05")
FIXED = ("--method", "delay-and-sum", *ARRAY, "--direction", "30")


@pytest.fixture(scope="module")
def signals() -> np.ndarray:
    """A second of noise, the same at four microphones, (frames, 4), and a little of their own."""
    random = np.random.default_rng(1)
    common = 0.1 * random.standard_normal((RATE, 1))
    return (common + 0.01 * random.standard_normal((RATE, 4))).astype(np.float32)


@pytest.fixture
def failure(cli, tmp_path):
    """``failure(arguments...)``: the reason of the only row, which is a failure that leaves nothing behind."""

    def run(*arguments: object) -> str:
        ran = cli("beamform", *arguments, "-o", tmp_path / "out", "-j", "1", "--mask", "vad")
        assert ran.code == 1, ran.stderr
        (row,) = rows(tmp_path / "out")
        assert row["status"] == "failed" and row["reason"] in ran.stderr
        assert not audio(tmp_path / "out") and not hidden(tmp_path / "out")
        return row["reason"]

    return run


@pytest.fixture
def usage(cli, tmp_path, signals):
    """``usage(arguments...)``: what is said to a usage error, before anything is written."""

    def run(*arguments: object) -> str:
        source = write(tmp_path / "a.wav", signals)
        ran = cli("beamform", source, "-o", tmp_path / "out", *arguments)
        assert ran.code == 2, ran.stderr
        assert not (tmp_path / "out").exists() and "Traceback" not in ran.stderr
        return ran.stderr

    return run


class TestRecordings:
    def test_mono(self, failure, tmp_path, signals):
        assert "mono" in failure(write(tmp_path / "a.wav", signals[:, 0]))

    def test_a_lone_file_of_a_group(self, failure, tmp_path, signals):
        assert "mono" in failure(write(tmp_path / "a.CH1.wav", signals[:, 0]))

    def test_another_number_of_microphones_than_the_array_has(self, cli, tmp_path, signals):
        source = write(tmp_path / "a.wav", signals)
        ran = cli("beamform", source, "-o", tmp_path / "out", "--method", "superdirective", "--array", "linear:6:0.05",
                  "--direction", "0")  # fmt: skip
        assert ran.code == 1 and "4 channels" in ran.stderr and "6 microphones" in ran.stderr

    def test_too_few_microphones_that_work(self, failure, tmp_path, signals):
        reason = failure(write(tmp_path / "a.wav", signals * [0, 1, 0, 0]))
        assert "only 1" in reason and "--bad-mics keep" in reason

    def test_which_can_be_used_all_the_same(self, cli, tmp_path, signals):
        source = write(tmp_path / "a.wav", signals * [0, 1, 0, 0])
        ran = cli("beamform", source, "-o", tmp_path / "out", "--mask", "vad", "--bad-mics", "keep")
        assert ran.code == 0 and np.isfinite(read(tmp_path / "out/a.wav")).all()

    def test_a_reference_that_is_dead(self, failure, tmp_path, signals):
        reason = failure(write(tmp_path / "a.wav", signals * [1, 1, 0, 1]), "--ref", "3")
        assert "microphone 3, the reference" in reason and "silent" in reason

    def test_a_reference_that_is_not_there(self, failure, tmp_path, signals):
        assert "no microphone 9" in failure(write(tmp_path / "a.wav", signals), "--ref", "9")

    def test_channels_that_are_not_there(self, failure, tmp_path, signals):
        assert "no channel 7" in failure(write(tmp_path / "a.wav", signals), "--mics", "1,7")

    def test_no_audio(self, failure, tmp_path):
        (tmp_path / "a.wav").write_text("not audio")
        assert "a.wav" in failure(tmp_path / "a.wav")

    def test_an_array_too_wide_to_be_superdirective(self, cli, tmp_path, signals):
        source = write(tmp_path / "a.wav", signals)
        ran = cli("beamform", source, "-o", tmp_path / "out", "--method", "superdirective", "--array", "linear:4:9",
                  "--direction", "0")  # fmt: skip
        assert ran.code == 1 and "too wide" in ran.stderr

    def test_one_is_no_reason_to_stop(self, cli, tmp_path, signals):
        write(tmp_path / "in/a.wav", signals[:, 0])
        write(tmp_path / "in/b.wav", signals)
        ran = cli("beamform", tmp_path / "in", "-o", tmp_path / "out", *FIXED, "-j", "1")
        assert ran.code == 1 and audio(tmp_path / "out") == {"b.wav"}


class TestNoiseStretch:
    @pytest.mark.parametrize(("stretch", "said"), [("0-9", "ends after"), ("5-", "empty"), ("0.5-0.51", "too short")])
    def test_that_does_not_fit(self, cli, tmp_path, signals, stretch, said):
        source = write(tmp_path / "a.wav", signals)
        ran = cli("beamform", source, "-o", tmp_path / "out", "--noise-from", stretch)
        assert ran.code == 1 and said in rows(tmp_path / "out")[0]["reason"]

    @pytest.mark.parametrize("stretch", ["0.5-0.5", "1-0", "x", "3"])
    def test_that_is_none(self, usage, stretch):
        assert "stretch" in usage("--noise-from", stretch) or "time" in usage("--noise-from", stretch)


class TestGroups:
    def files(self, folder, signals, **changed):
        for k, one in enumerate(signals.T, 1):
            write(folder / f"a.CH{k}.wav", *changed.get(f"CH{k}", (one, RATE)))
        return folder

    def test_a_missing_microphone(self, failure, tmp_path, signals):
        folder = self.files(tmp_path / "in", signals)
        (folder / "a.CH2.wav").unlink()
        reason = failure(folder)
        assert "microphone 2 is missing" in reason and "--mics 1,3-4" in reason

    def test_which_can_be_done_without(self, cli, tmp_path, signals):
        folder = self.files(tmp_path / "in", signals)
        (folder / "a.CH2.wav").unlink()
        ran = cli("beamform", folder, "-o", tmp_path / "out", "--mics", "1,3-4", "--mask", "vad")
        assert ran.code == 0 and rows(tmp_path / "out")[0]["microphones"] == "1 3 4"

    def test_another_length(self, failure, tmp_path, signals):
        assert "0.500 s long" in failure(self.files(tmp_path / "in", signals, CH3=(signals[:8000, 2], RATE)))

    def test_another_rate(self, failure, tmp_path, signals):
        assert "8000 Hz" in failure(self.files(tmp_path / "in", signals, CH4=(signals[::2, 3], 8000)))

    def test_more_than_one_channel(self, failure, tmp_path, signals):
        assert "2 channels" in failure(self.files(tmp_path / "in", signals, CH1=(signals[:, :2], RATE)))

    def test_a_broken_file(self, failure, tmp_path, signals):
        folder = self.files(tmp_path / "in", signals)
        (folder / "a.CH3.wav").write_bytes(b"RIFF")
        assert "a.CH3.wav" in failure(folder)

    def test_names_that_match_nothing(self, cli, tmp_path, signals):
        folder = self.files(tmp_path / "in", signals)
        ran = cli("beamform", folder, "-o", tmp_path / "out", "--group", "mic{ch}.wav", "--mask", "vad")
        assert ran.code == 4 and "no file has a name like this" in ran.stderr

    def test_a_template_that_makes_no_sense(self, usage):
        assert "{ch}" in usage("--group", "{name}.wav")


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--direction", "30"), "--array"),
            (("--method", "superdirective"), "--array"),
            (("--method", "superdirective", *ARRAY), "locate"),
            (("--method", "delay-and-sum", *ARRAY), "--direction"),
            (("--method", "gev", *ARRAY, "--direction", "30"), "leave out --direction"),
            ((*ARRAY, "--direction", "400"), "outside"),
            ((*ARRAY, "--direction", "30,100"), "outside"),
            ((*ARRAY, "--direction", "north"), "no direction"),
            (("--array", "square:4:1"), "no array"),
            (("--array", "linear:4:0"), "no array"),
            (("--array", "nowhere.json"), "cannot read"),
            (("--temperature", "90"), "outside"),
            (("--mics", "1"), "one channel only"),
            (("--mics", "1,1"), "twice"),
            (("--mics", "a-b"), "no list"),
            (("--mics", "1,2", "--ref", "3"), "not among"),
            (("--ref", "0"), "no microphone"),
            (("--ref", "best"), "no microphone"),
            (("--mask", "none"), "--noise-from"),
            (("--mask", "nix"), "no backend"),
            (("--mask", "vad", "--noise-from", "0-1"), "has no effect"),
            ((*FIXED, "--mask", "vad"), "has no effect"),
            ((*FIXED, "--noise-from", "0-1"), "leave out --noise-from"),
            ((*FIXED, "--rank1"), "--rank1"),
            ((*FIXED, "--block", "2"), "--block"),
            (("--mu", "2"), "--mu"),
            (("--postfilter", "nix"), "no backend"),
            (("--plot-beam", "beam.png"), "known before"),
            ((*FIXED, "--plot-beam", "beam.xyz"), "suffix"),
            (("--if-fails", "original"), "--gate"),
            (("--gate-missing", "ignore"), "--gate"),
            (("--postfilter-strength", "0.5"), "--postfilter"),
            (("--guard",), "--postfilter"),
            (("--temperature", "3"), "--array"),
            (("--format", "xyz"), "cannot write"),
        ],
    )
    def test_that_makes_no_sense(self, usage, arguments, said):
        mask = () if {"--mask", *FIXED[:2], "superdirective", "--noise-from"} & set(arguments) else ("--mask", "vad")
        assert said in usage(*arguments, *mask)

    def test_two_microphones_in_one_place(self, usage, tmp_path):
        (tmp_path / "mics.json").write_text(json.dumps([[0, 0, 0], [0.1, 0, 0], [0, 0, 0], [0.2, 0, 0]]))
        assert "microphones 1 and 3 are in one place" in usage("--array", tmp_path / "mics.json")

    @pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '[["a", "b", "c"]]', "x,y\n1\n"])
    def test_a_file_that_is_no_array(self, usage, tmp_path, text):
        (tmp_path / "mics.json").write_text(text)
        assert "mics.json" in usage("--array", tmp_path / "mics.json")

    def test_a_sidecar_has_no_place_in_a_pipe(self, program, tmp_path, signals):
        done = program("beamform", write(tmp_path / "a.wav", signals), "-o", "-", "--sidecar", *FIXED)
        assert done.returncode == 2 and b"--sidecar" in done.stderr and not done.stdout
