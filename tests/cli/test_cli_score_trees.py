"""Recordings of one name in several folders, what they are compared with, and which group they belong to."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

ONLY = ("--metric", "si_sdr")


@pytest.fixture
def trees(tmp_path, speech_like, noise_like):
    """Two voices, each with a recording called x: good and poor, and their clean sides."""
    for folder, share in (("a", 0.05), ("b", 1.0)):
        clean = speech_like(1.5, 16000, seed=len(folder) + int(10 * share))
        noise = 0.05 * noise_like(1.5, 16000, "white", seed=1)
        for side, part in (("clean", 0.0), ("good", share), ("other", share / 2)):
            (tmp_path / side / folder).mkdir(parents=True)
            soundfile.write(tmp_path / side / folder / "x.wav", clean + part * noise, 16000)
    return tmp_path


def rows_of(ran, kind):
    return [row for row in map(json.loads, ran.stdout.splitlines()) if row["kind"] == kind]


def test_equal_names_in_different_folders_all_count(cli, trees):
    ran = cli("score", trees / "good", "-r", "--reference", trees / "clean", *ONLY, "--json")
    files = {row["name"]: row["metrics"]["si_sdr"] for row in rows_of(ran, "file")}
    (mean,) = [row for row in rows_of(ran, "aggregate") if row["metric"] == "si_sdr"]
    assert files.keys() == {"a/x", "b/x"} and mean["count"] == 2
    assert mean["mean"] == pytest.approx(np.mean(list(files.values())))


def test_systems_are_compared_place_by_place(cli, trees):
    shutil.rmtree(trees / "other" / "a")
    systems = ("--system", f"A={trees / 'good'}", "--system", f"B={trees / 'other'}")
    ran = cli("score", *systems, "-r", "--reference", trees / "clean", *ONLY, "--json")
    files = {(row["system"], row["name"]): row["metrics"]["si_sdr"] for row in rows_of(ran, "file")}
    (other,) = [row for row in rows_of(ran, "aggregate") if row["metric"] == "si_sdr" and row["system"] == "B"]
    assert other["difference"]["count"] == 1
    assert other["difference"]["mean"] == pytest.approx(files["B", "b/x"] - files["A", "b/x"])


def test_a_name_from_another_folder_will_do_only_where_it_is_the_only_one(cli, trees):
    (trees / "clean" / "b").rename(trees / "clean" / "c")
    ran = cli("score", trees / "good", "-r", "--reference", trees / "clean", *ONLY)
    assert ran.code == 1 and "1 done" in ran.stderr and "no reference file of the name" not in ran.stderr
    shutil.rmtree(trees / "good" / "a")
    shutil.rmtree(trees / "clean" / "a")
    assert cli("score", trees / "good", "-r", "--reference", trees / "clean", *ONLY).code == 0


def test_groups_go_by_place_and_numbers_are_no_names(cli, trees):
    manifest = trees / "m.csv"
    manifest.write_text("file,kind\na/x.wav,car\nb/x.wav,babble\n")
    arguments = ("--reference", trees / "clean", *ONLY, "--manifest", manifest, "--json")
    ran = cli("score", trees / "good", "-r", *arguments, "--group-by", "kind")
    assert {row["name"]: row["group"] for row in rows_of(ran, "file")} == {"a/x": "car", "b/x": "babble"}
    for side in ("good", "clean"):
        for name, folder in (("5", "a"), ("10", "b")):
            (trees / side / folder / "x.wav").rename(trees / side / f"{name}.wav")
    manifest.write_text("file,snr_db,kind\n5.wav,10,car\n10.wav,5,babble\n")
    ran = cli("score", trees / "good", *arguments, "--group-by", "kind")
    assert {row["name"]: row["group"] for row in rows_of(ran, "file")} == {"5": "car", "10": "babble"}


def test_a_row_that_ends_before_its_group_has_no_say(cli, trees):
    manifest = trees / "m.csv"
    manifest.write_text("file,kind\na/x.wav\na/x.wav,car\nb/x.wav,babble\n")
    arguments = ("--reference", trees / "clean", *ONLY, "--manifest", manifest, "--json")
    ran = cli("score", trees / "good", "-r", *arguments, "--group-by", "kind")
    assert {row["name"]: row["group"] for row in rows_of(ran, "file")} == {"a/x": "car", "b/x": "babble"}


def test_mixes_at_several_ratios_against_the_recordings_they_were_made_of(cli, trees):
    noise = trees / "noise.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(32000), 16000)
    assert cli("mix", trees / "clean" / "a" / "x.wav", noise, "--snr", 0, "--snr", 10, "-o", trees / "mixed").code == 0
    ran = cli(
        "score", trees / "mixed", "--reference", trees / "clean" / "a", "--match", "{stem}_snr*", *ONLY, "--json",
        "--manifest", trees / "mixed" / "manifest.csv", "--group-by", "snr_db",
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert {row["name"]: row["group"] for row in rows_of(ran, "file")} == {"x_snr0": "0", "x_snr10": "10"}
    means = {row["group"]: row["mean"] for row in rows_of(ran, "aggregate") if row["metric"] == "si_sdr"}
    assert means["10"] - means["0"] == pytest.approx(10, abs=1)


def test_what_was_cleaned_of_mixtures_has_both_partners(cli, trees):
    """The mixtures are called as the outputs are, the clean recordings as the template says."""
    noise = trees / "noise.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(32000), 16000)
    assert cli("mix", trees / "clean" / "a" / "x.wav", noise, "--snr", 0, "--snr", 10, "-o", trees / "mixed").code == 0
    assert cli("denoise", trees / "mixed", "-b", "wiener", "-o", trees / "out").code == 0
    sides = ("--reference", trees / "clean" / "a", "--noisy", trees / "mixed")
    ran = cli("score", trees / "out", *sides, "--match", "{stem}_snr*", "--metric", "si_sdr_delta", "--json")
    assert ran.code == 0, ran.stderr
    found = {row["name"]: (Path(row["reference"]).name, Path(row["noisy"]).name) for row in rows_of(ran, "file")}
    assert found == {"x_snr0": ("x.wav", "x_snr0.wav"), "x_snr10": ("x.wav", "x_snr10.wav")}


def test_no_file_is_its_own_partner_where_a_template_names_another(cli, trees):
    shutil.copyfile(trees / "good" / "a" / "x.wav", trees / "clean" / "a" / "x_good.wav")
    arguments = ("score", trees / "clean" / "a" / "x_good.wav", "--reference", trees / "clean", "-r", *ONLY, "--json")
    (row,) = rows_of(cli(*arguments, "--match", "{stem}_good"), "file")
    assert row["reason"] is not None  # two are called x, and one file alone says nothing of its folder
    arguments = ("score", trees / "clean" / "a" / "*_good.wav", "--reference", trees / "clean" / "a", *ONLY, "--json")
    (row,) = rows_of(cli(*arguments, "--match", "{stem}_good"), "file")
    assert Path(row["reference"]).name == "x.wav" and row["metrics"]["si_sdr"] is not None


def test_of_equal_names_the_one_with_the_same_suffix_is_the_partner(cli, trees):
    audio, rate = soundfile.read(trees / "clean" / "a" / "x.wav")
    for side in ("one", "two"):
        (trees / side).mkdir()
        for suffix, gain in ((".wav", 1.0), (".flac", 0.5)):
            soundfile.write((trees / side / "talk").with_suffix(suffix), gain * audio, rate)
    ran = cli("score", trees / "one", "--noisy", trees / "two", "--metric", "loudness_delta", "--json")
    assert ran.code == 0, ran.stderr
    for row in rows_of(ran, "file"):
        assert Path(row["enhanced"]).suffix == Path(row["noisy"]).suffix and row["metrics"]["loudness_delta"] == 0
    (trees / "one" / "talk.flac").rename(trees / "one" / "talk.ogg")
    ran = cli("score", trees / "one", "--noisy", trees / "two", "--metric", "loudness_delta")
    assert ran.code == 1 and "2 noisy files of the name talk" in ran.stderr and "talk.wav …" not in ran.stderr


def test_mixes_of_one_name_are_told_apart_in_the_manifest(cli, trees):
    noise = trees / "noise.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(32000), 16000)
    recordings = [trees / "clean" / folder / "x.wav" for folder in "ab"]
    ran = cli("mix", *recordings, noise, "--snr", 5, "-o", trees / "mixed")
    assert ran.code == 1 and "rename one of the recordings" in ran.stderr and "--name" not in ran.stderr
    with open(trees / "mixed" / "manifest.csv", newline="") as file:
        rows = [(row["status"], row["snr_db"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("done", "5"), ("failed", "5")]


def test_nothing_to_mix_leaves_no_manifest(cli, trees):
    (trees / "empty").mkdir()
    noise = trees / "good" / "a" / "x.wav"
    assert cli("mix", trees / "empty", noise, "--snr", 5, "-o", trees / "mixed", "--allow-empty").code in (0, 4)
    assert not (trees / "mixed" / "manifest.csv").exists()
