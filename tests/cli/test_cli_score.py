import csv
import json
import re
import shutil
import sys

import numpy as np
import pytest
import soundfile
from cli_helpers import write_damaged


@pytest.fixture
def folders(tmp_path, speech_like, noise_like):
    """Three recordings: clean, noisy, and two systems, one better than the other."""
    for number in range(3):
        clean = speech_like(2.5, 16000, seed=number + 1)
        noise = 0.05 * noise_like(2.5, 16000, "white", seed=number)
        for side, share in (("clean", 0.0), ("noisy", 1.0), ("good", 0.2), ("poor", 0.7)):
            (tmp_path / side).mkdir(exist_ok=True)
            soundfile.write(tmp_path / side / f"take {number}.wav", clean + share * noise, 16000)
    return tmp_path


SOME = ("--metric", "si_sdr", "--metric", "lsd")


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_files_are_paired_by_name_and_measured(cli, folders):
    ran = cli("score", folders / "good", "--reference", folders / "clean", *SOME, "-o", folders / "s.csv", "--json")
    assert ran.code == 0
    files = [row for row in rows_of(ran.stdout) if row["kind"] == "file"]
    assert sorted(row["name"] for row in files) == ["take 0", "take 1", "take 2"]
    for row in files:
        clean, _ = soundfile.read(row["reference"])
        good, _ = soundfile.read(row["enhanced"])
        clean, good = clean - clean.mean(), good - good.mean()
        target = (good @ clean) / (clean @ clean) * clean
        expected = 10 * np.log10((target @ target) / np.sum((good - target) ** 2))
        assert row["metrics"]["si_sdr"] == pytest.approx(expected, abs=1e-3)
    with open(folders / "s.csv", newline="") as file:
        table = sorted(csv.DictReader(file), key=lambda row: row["enhanced"])  # both come as the workers finish
    assert [float(row["si_sdr"]) for row in table] == pytest.approx(
        [row["metrics"]["si_sdr"] for row in sorted(files, key=lambda one: one["enhanced"])], abs=1e-5
    )


def test_systems_side_by_side_differ_outside_their_interval(cli, folders):
    ran = cli(
        "score", "--system", f"good={folders / 'good'}", "--system", f"poor={folders / 'poor'}",
        "--reference", folders / "clean", *SOME, "--json",
    )  # fmt: skip
    sums = {(row["system"], row["metric"]): row for row in rows_of(ran.stdout) if row["kind"] == "aggregate"}
    assert ran.code == 0
    assert sums["good", "si_sdr"]["count"] == 3 and "difference" not in sums["good", "si_sdr"]
    difference = sums["poor", "si_sdr"]["difference"]
    assert difference["outside"] and difference["mean"] < -5


def test_figures_are_broken_down_by_a_manifests_column(cli, folders):
    manifest = folders / "m.csv"
    manifest.write_text("file,kind\nnoisy/take 0.wav,rain\nnoisy/take 1.wav,rain\nnoisy/take 2.wav,fan\n")
    ran = cli(
        "score", folders / "good", "--reference", folders / "clean", *SOME,
        "--group-by", "kind", "--manifest", manifest, "--json",
    )  # fmt: skip
    counts = {
        row["group"]: row["count"]
        for row in rows_of(ran.stdout)
        if row["kind"] == "aggregate" and row["metric"] == "si_sdr"
    }
    assert counts == {None: 3, "rain": 2, "fan": 1}
    assert cli("score", folders / "good", "--group-by", "kind").code == 2
    assert cli("score", folders / "good", "--group-by", "colour", "--manifest", manifest).code == 2


def test_systems_that_lack_recordings_are_told(cli, folders):
    (folders / "poor" / "take 1.wav").unlink()
    manifest = folders / "m.csv"
    manifest.write_text("file,kind\ntake 0.wav,rain\ntake 1.wav,rain\ntake 2.wav,fan\n")
    systems = [word for name in ("good", "poor") for word in ("--system", f"{name}={folders / name}")]
    grouped = ("--group-by", "kind", "--manifest", manifest)
    ran = cli("score", *systems, "--reference", folders / "clean", "--metric", "si_sdr", *grouped)
    assert ran.code == 0
    assert "note: poor lacks 1 of the 3 recordings of good" in ran.stderr and "good lacks" not in ran.stderr
    assert "good: mean of 3" in ran.stdout and "poor: mean of 2" in ran.stdout
    assert "rain (2, 1 files)" in ran.stdout and "fan (1 file)" in ran.stdout
    ran = cli("score", *systems[:2], "--reference", folders / "clean", "--metric", "si_sdr", *grouped)
    assert "good: mean " in ran.stdout and "rain (2 files)" in ran.stdout and "lacks" not in ran.stderr


def test_identical_files_are_as_good_as_it_gets(cli, folders):
    clean = folders / "clean"
    ran = cli("score", clean, "--reference", clean, "--metric", "si_sdr, lsd", "--metric", "stoi", "--json")
    row = rows_of(ran.stdout)[0]
    assert row["metrics"]["si_sdr"] is None and row["reasons"]["si_sdr"] == "inf"
    assert row["metrics"]["lsd"] == 0
    assert row["metrics"]["stoi"] == pytest.approx(1, abs=1e-4)


def test_what_has_no_partner_is_reported_and_the_rest_is_scored(cli, folders):
    (folders / "clean" / "take 1.wav").rename(folders / "clean" / "other.wav")
    ran = cli("score", folders / "good", "--reference", folders / "clean", *SOME)
    assert ran.code == 1
    assert "take 1.wav" in ran.stderr and "no reference file" in ran.stderr
    assert "other.wav" in ran.stderr and "nothing was scored against" in ran.stderr


def test_partners_that_are_not_sure_are_reported(cli, folders):
    for below in ("a", "b"):
        (folders / "clean" / below).mkdir()
        shutil.copyfile(folders / "clean" / "take 1.wav", folders / "clean" / below / "take 3.wav")
    (folders / "good" / "take 1.wav").rename(folders / "good" / "take 3.wav")
    ran = cli("score", folders / "good", "--reference", folders / "clean", "-r", *SOME)
    assert ran.code == 1 and "2 reference files of the name take 3" in ran.stderr


def test_globs_on_both_sides(cli, folders):
    ran = cli("score", folders / "g*" / "take [01].wav", "--reference", folders / "clean" / "*.wav", *SOME, "--json")
    assert ran.code == 0 and sum(row["kind"] == "file" for row in rows_of(ran.stdout)) == 2


def test_names_with_a_suffix_are_matched_by_template(cli, folders):
    for path in (folders / "good").iterdir():
        path.rename(path.with_name(f"{path.stem}_clean.wav"))
    assert cli("score", folders / "good", "--reference", folders / "clean", *SOME).code == 1
    assert cli("score", folders / "good", "--reference", folders / "clean", *SOME, "--match", "{stem}_clean").code == 0
    assert cli("score", folders / "good", "--match", "clean").code == 2


def test_two_files_need_not_share_a_name(cli, folders):
    ran = cli("score", folders / "good" / "take 0.wav", "--reference", folders / "clean" / "take 2.wav", *SOME)
    assert ran.code == 0 and "si_sdr" in ran.stdout


def test_a_gate_passes_and_fails(cli, folders):
    arguments = ("score", folders / "good", "--reference", folders / "clean", *SOME)
    assert cli(*arguments, "--gate", "si_sdr>5").code == 0
    failed = cli(*arguments, "--gate", "si_sdr>5,lsd<0.001")
    assert failed.code == 3 and "FAIL lsd<0.001" in failed.stdout
    assert cli(*arguments, "--gate", "niceness>5").code == 2
    assert cli(*arguments, "--gate", "si_sdr~5").code == 2


def test_the_gate_of_several_systems_counts_for_each_and_goes_into_the_csv(cli, folders):
    systems = [word for name in ("good", "poor") for word in ("--system", f"{name}={folders / name}")]
    ran = cli(
        "score", *systems, "--reference", folders / "clean", *SOME, "--gate", "si_sdr>12", "-o", folders / "s.csv"
    )
    assert ran.code == 3 and "3 of them rejected by the gate" in ran.stderr
    assert "good: 3 of 3 pass the gate" in ran.stdout and "poor: 0 of 3 pass the gate" in ran.stdout
    with open(folders / "s.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["system"], row["gate"]) for row in rows} == {("good", "pass"), ("poor", "fail")}
    assert all("quality" in row for row in rows)


def test_a_gate_of_ones_own_measures_no_more_than_it_asks_for(cli, folders):
    arguments = (
        "score",
        folders / "good",
        "--reference",
        folders / "clean",
        "--metric",
        "si_sdr",
        "--gate",
        "si_sdr>5",
    )
    ran = cli(*arguments)
    assert ran.code == 0 and "quality" not in ran.stdout and "pesq" not in ran.stdout
    (row, *_) = rows_of(cli(*arguments, "--json").stdout)
    assert set(row["metrics"]) == {"lag_ms", "si_sdr"} and row["quality"] is None and not row["reasons"]


def test_what_the_quality_lacks_is_said_with_the_extra_that_brings_it(cli, folders, monkeypatch):
    from cleanaudio.metrics import dnsmos, interface

    dnsmos.release()  # which may be loaded
    real = interface.find_spec
    monkeypatch.setattr(interface, "find_spec", lambda name: None if name == "speechmos" else real(name))
    monkeypatch.setitem(sys.modules, "speechmos", None)
    files = ("score", folders / "good" / "take 0.wav", "--noisy", folders / "noisy" / "take 0.wav")
    ran = cli(*files, "--metric", "loudness", "--gate", "blind", "--gate-missing", "ignore")
    quality, *_ = [line for line in ran.stdout.splitlines() if "PASS" in line or "FAIL" in line]
    assert "cleanaudio-cli[metrics]" in quality.split("dnsmos_ovrl_delta>=0")[0]


def test_what_cannot_be_measured_fails_the_gate_unless_it_is_ignored(cli, folders):
    soundfile.write(folders / "clean" / "take 0.wav", np.zeros(40000), 16000)
    arguments = (
        "score",
        folders / "good",
        "--reference",
        folders / "clean",
        *SOME,
        "--gate",
        "clipping_ratio<0.1,si_sdr>5",
    )
    assert cli(*arguments).code == 3
    assert cli(*arguments, "--gate-missing", "ignore").code == 0


def test_another_rate_is_resampled_and_said(cli, folders, speech_like):
    soundfile.write(folders / "r.wav", speech_like(2.5, 48000, seed=1), 48000)
    ran = cli("score", folders / "good" / "take 0.wav", "--reference", folders / "r.wav", *SOME)
    assert ran.code == 0 and "resampled from 48000 to 16000" in ran.stderr


def test_one_bad_file_does_not_stop_the_rest(cli, folders):
    (folders / "good" / "take 1.wav").write_text("this is no audio")
    samples, _ = soundfile.read(folders / "good" / "take 2.wav")
    samples[100] = np.nan
    soundfile.write(folders / "good" / "take 2.wav", samples, 16000, subtype="FLOAT")
    ran = cli("score", folders / "good", "--reference", folders / "clean", *SOME, "--json")
    assert ran.code == 1
    files = {row["name"]: row for row in rows_of(ran.stdout) if row["kind"] == "file"}
    assert files["take 0"]["metrics"] and files["take 1"]["reason"]
    assert "not numbers" in files["take 2"]["reason"]


def test_half_a_file_is_not_scored_as_if_it_were_whole(cli, folders, noise_like):
    path = write_damaged(folders / "good" / "half.flac", 0.1 * noise_like(2.0, 16000, "white"))
    ran = cli("score", folders / "good", "--metric", "loudness", "-o", folders / "s.csv")
    assert ran.code == 1 and "3 done, 1 failed" in ran.stderr
    assert re.search(rf"{re.escape(str(path))}: damaged at [01]\.\d\d s of 2\.00", ran.stderr)


def test_one_unreadable_file_among_a_hundred(cli, tmp_path, noise_like):
    noise = noise_like(0.2, 16000)
    (tmp_path / "many").mkdir()
    for number in range(100):
        soundfile.write(tmp_path / "many" / f"{number}.wav", 0.1 * noise, 16000)
    (tmp_path / "many" / "57.wav").write_bytes(b"RIFF")
    ran = cli("score", tmp_path / "many", "--metric", "clipping_ratio", "-o", tmp_path / "s.csv", "-j", "1")
    assert ran.code == 1 and "99 done, 1 failed" in ran.stderr
    with open(tmp_path / "s.csv", newline="") as file:
        failed = [row["name"] for row in csv.DictReader(file) if row["status"] == "failed"]
    assert failed == ["57"]


def test_another_length_is_an_error_when_it_is_far_off(cli, folders, speech_like):
    soundfile.write(folders / "long.wav", speech_like(4.0, 16000), 16000)
    ran = cli("score", folders / "long.wav", "--reference", folders / "clean" / "take 0.wav", *SOME)
    assert ran.code == 1 and "frames" in ran.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("--system", "x"), ("nowhere", "--metric", "niceness"), ("nowhere", "--metric", "stoi,")]
)
def test_usage_errors(cli, arguments):
    assert cli("score", *arguments).code == 2


def test_nothing_found(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert cli("score", tmp_path / "empty", "--metric", "loudness").code == 4
    assert cli("score", tmp_path / "empty", "--metric", "loudness", "--allow-empty").code == 0
