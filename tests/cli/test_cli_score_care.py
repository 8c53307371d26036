"""What is refused before the work, and what is told instead of kept back."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
import soundfile

from cleanaudio.report.scores import fixed, text


@pytest.fixture
def pair(tmp_path, speech_like):
    """One recording and its clean side."""
    clean = speech_like(2.0, 16000, seed=3)
    for side, share in (("clean", 0.0), ("noisy", 0.02)):
        (tmp_path / side).mkdir()
        noise = np.random.default_rng(1).standard_normal(len(clean))
        soundfile.write(tmp_path / side / "talk.wav", clean + share * noise, 16000)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "noisy/talk.wav", "--metric", "loudness", "-o", "noisy/talk.wav"),
        ("score", "noisy/talk.wav", "--metric", "loudness", "--report", "noisy/talk.wav"),
        ("inspect", "clean/talk.wav", "--csv", "noisy/talk.wav"),
        (
            "mix",
            "clean/talk.wav",
            "clean/talk.wav",
            "--snr",
            "5",
            "-o",
            "mixed",
            "--manifest",
            "noisy/talk.wav",
            "--overwrite",
        ),
    ],
)
def test_no_table_or_report_takes_the_place_of_a_recording(cli, pair, monkeypatch, arguments):
    monkeypatch.chdir(pair)
    before = (pair / "noisy" / "talk.wav").read_bytes()
    ran = cli(*arguments)
    assert ran.code == 2 and "exists, and is no" in ran.stderr
    assert (pair / "noisy" / "talk.wav").read_bytes() == before


def test_an_older_table_of_the_kind_is_replaced(cli, pair):
    for _ in range(2):
        assert cli("score", pair / "noisy", "--metric", "loudness", "-o", pair / "scores.csv").code == 0
    assert cli("inspect", pair / "noisy", "--csv", pair / "scores.csv").code == 2


@pytest.mark.parametrize("gate", ["rtf<1", "reference", "si_sdr>3", "kurtosis_ratio_delta<1"])
def test_a_gate_that_cannot_be_measured_here_is_no_verdict_on_the_files(cli, pair, gate):
    assert cli("score", pair / "noisy", "--metric", "loudness", "--gate", gate).code == 2


def test_a_manifest_that_nobody_asks_about_is_refused(cli, pair):
    ran = cli("score", pair / "noisy", "--metric", "loudness", "--manifest", "nowhere.csv")
    assert ran.code == 2 and "--manifest needs --group-by" in ran.stderr


def test_a_file_without_a_partner_is_called_by_its_place_as_the_others(cli, pair):
    (pair / "noisy" / "deep").mkdir()
    shutil.copyfile(pair / "noisy" / "talk.wav", pair / "noisy" / "deep" / "walk.wav")
    ran = cli("score", pair / "noisy", "-r", "--reference", pair / "clean", "--metric", "si_sdr", "--json")
    files = [row for row in map(json.loads, ran.stdout.splitlines()) if row["kind"] == "file"]
    assert {(row["name"], row["reason"] is None) for row in files} == {("talk", True), ("deep/walk", False)}


def test_no_minus_stands_before_a_zero():
    assert text(-0.0001, 3) == "0.000" and fixed(-0.0001, 3, signed=True) == "+0.000"
    assert text(-0.0006, 3) == "-0.001" and fixed(0.5, 1, signed=True) == "+0.5"


def test_a_metric_that_lacks_its_side_is_refused(cli, pair):
    ran = cli("score", pair / "noisy", "--metric", "si_sdr")
    assert ran.code == 2 and "give --reference" in ran.stderr
    assert cli("score", pair / "noisy", "--metric", "loudness_delta").code == 2


def test_a_gate_without_its_package_stops_before_the_first_file(cli, pair, monkeypatch):
    from cleanaudio.metrics import interface

    real = interface.find_spec
    monkeypatch.setattr(interface, "find_spec", lambda name: None if name == "speechmos" else real(name))
    arguments = ("denoise", pair / "noisy", "-b", "wiener", "-o", pair / "out", "--if-fails", "original")
    ran = cli(*arguments, "--gate", "blind")
    assert ran.code == 2 and "cleanaudio-cli[metrics]" in ran.stderr
    assert not (pair / "out").exists()
    assert cli(*arguments, "--gate", "blind", "--gate-missing", "ignore").code in (0, 3)


def test_what_was_done_to_the_signals_is_told(cli, pair):
    audio, rate = soundfile.read(pair / "noisy" / "talk.wav")
    soundfile.write(pair / "noisy" / "talk.wav", np.concatenate([np.zeros(160), audio])[:-400], rate)
    ran = cli("score", pair / "noisy", "--reference", pair / "clean", "--metric", "si_sdr", "--json")
    (notes,) = [row["notes"] for row in map(json.loads, ran.stdout.splitlines()) if row["kind"] == "file"]
    assert any("+10 ms" in note for note in notes) and any("filled up" in note for note in notes)


def test_the_table_says_of_how_many_files_a_mean_is(cli, pair):
    shutil.copyfile(pair / "clean" / "talk.wav", pair / "clean" / "same.wav")
    shutil.copyfile(pair / "clean" / "talk.wav", pair / "noisy" / "same.wav")
    ran = cli("score", pair / "noisy", "--reference", pair / "clean", "--metric", "si_sdr")
    assert ran.code == 0 and "si_sdr (1 of 2)" in ran.stdout  # that of the same signal is infinite


def test_names_on_stdin(cli, pair, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(f"{pair / 'noisy' / 'talk.wav'}\n".encode())

        @staticmethod
        def isatty():
            return False

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert cli("score", "@-", "--metric", "loudness").code == 0


def test_one_frame_and_none(cli, pair):
    soundfile.write(pair / "one.wav", np.full(1, 0.1), 48000)
    ran = cli("score", pair / "one.wav", "--metric", "dnsmos")
    assert ran.code == 0 and "too short" in ran.stdout
    soundfile.write(pair / "none.wav", np.zeros(0), 16000)
    ran = cli("denoise", pair / "none.wav", "-b", "wiener", "--gate", "clipping_ratio<0.1", "-o", pair / "out")
    assert ran.code == 3 and "bug" not in ran.stderr


def test_pictures_that_cannot_be_are_refused_before_the_work(cli, pair):
    recording = pair / "noisy" / "talk.wav"
    for name in ("print.xyz", "nowhere/print.png"):
        assert cli("profile-noise", recording, "-o", pair / "print.json", "--plot", pair / name).code == 2
        assert not (pair / "print.json").exists()
        both = (recording, pair / "clean" / "talk.wav")
        ran = cli("inspect", *both, "--compare", pair / name)
        assert ran.code == 2 and not ran.stdout


def test_a_print_of_nothing_and_of_what_is_not_whole(cli, pair):
    (pair / "empty").mkdir()
    assert cli("profile-noise", pair / "empty", "-o", pair / "print.json").code == 4
    data = (pair / "noisy" / "talk.wav").read_bytes()
    (pair / "cut.wav").write_bytes(data[: len(data) // 2])
    ran = cli("profile-noise", pair / "cut.wav", "--all", "-o", pair / "print.json")
    assert ran.code == 0 and "note: the header promises" in ran.stderr


def test_debug_shows_what_caused_a_failure(cli, pair, monkeypatch):
    monkeypatch.setattr("cleanaudio.batch.scoring.line_up", lambda *_, **__: 1 / 0)
    arguments = ("score", pair / "noisy", "--metric", "loudness", "-j", 1)
    assert "Traceback" not in cli(*arguments).stderr
    assert "ZeroDivisionError" in cli(*arguments, "--debug").stderr.split("Traceback", 1)[1]
    assert "Traceback" not in cli(*arguments).stderr
    for extra in ((), ("--debug",)):
        ran = cli("score", pair / "noisy", "--metric", "no such", *extra)
        assert ran.code == 2 and ("Traceback" in ran.stderr) == bool(extra)


def test_residuals_beside_outputs_are_not_scored(cli, pair):
    assert cli("denoise", pair / "noisy", "-b", "wiener", "-o", pair / "out", "--residual").code == 0
    arguments = ("--reference", pair / "clean", "--metric", "si_sdr", "--json")
    ran = cli("score", pair / "out", *arguments)
    assert ran.code == 0, ran.stderr
    assert "talk.residual.wav" not in ran.stdout


def test_what_is_lost_at_the_end_is_no_usage_error(cli, pair):
    arguments = ("score", pair / "noisy", "--metric", "loudness")
    ran = cli(*arguments, "--report", "/dev/full")
    assert ran.code == 1 and "/dev/full: cannot be written: No space left on device" in ran.stderr
    assert "loudness" in ran.stdout


def test_an_inverted_channel_does_not_silence_a_recording(cli, pair):
    for side in ("clean", "noisy"):
        audio, rate = soundfile.read(pair / side / "talk.wav")
        soundfile.write(pair / side / "talk.wav", np.stack([audio, -audio], axis=1), rate)
    arguments = ("--metric", "pesq_wb", "--metric", "si_sdr", "--metric", "dnsmos_ovrl", "--json")
    ran = cli("score", pair / "noisy", "--reference", pair / "clean", *arguments)
    (found,) = [row["metrics"] for row in map(json.loads, ran.stdout.splitlines()) if row["kind"] == "file"]
    for side in ("clean", "noisy"):
        audio, rate = soundfile.read(pair / side / "talk.wav")
        soundfile.write(pair / side / "talk.wav", audio[:, 0], rate)
    ran = cli("score", pair / "noisy", "--reference", pair / "clean", *arguments)
    (mono,) = [row["metrics"] for row in map(json.loads, ran.stdout.splitlines()) if row["kind"] == "file"]
    assert found == pytest.approx(mono, abs=0.01)
