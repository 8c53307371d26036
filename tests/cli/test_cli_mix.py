import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import audio, hidden, read, shape, write

from cleanaudio.audio.p56 import speech_level
from cleanaudio.cli.progress import Progress


@pytest.fixture
def desk(tmp_path, monkeypatch, speech_like, noise_like):
    """Two voices in a tree, and three noises: short, long, of another rate and stereo."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "clean" / "a.wav", 0.3 * speech_like(2.0, 16000))
    write(tmp_path / "clean" / "deep" / "b.flac", 0.3 * speech_like(2.0, 16000, seed=2), subtype="PCM_24")
    write(tmp_path / "noise" / "short.wav", 0.05 * noise_like(0.7, 16000, "white"))
    write(tmp_path / "noise" / "long.wav", 0.05 * noise_like(5.0, 16000, "pink"))
    stereo = np.stack([0.05 * noise_like(4.0, 44100, seed=seed) for seed in (1, 2)], axis=1)
    write(tmp_path / "noise" / "stereo.wav", stereo, 44100)
    return tmp_path


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def snr_db(clean: Path, noisy: Path, level: str = "active") -> float:
    voice, mixed = read(clean).T, read(noisy).T
    _, rate = soundfile.read(clean)
    power = np.mean(voice**2)
    speech = speech_level(voice.astype(np.float32), rate).active_dbfs if level == "active" else 10 * np.log10(power)
    return speech - 10 * np.log10(np.mean((mixed - voice) ** 2))


def test_mixes_have_the_snr_that_was_asked_for_and_the_format_of_the_speech(cli, desk):
    ran = cli("mix", "clean", "noise", "-r", "--snr", -5, "--snr", 10, "-o", "out")
    assert ran.code == 0, ran.stderr
    assert audio(desk / "out") == {
        *("a_snr-5.wav", "a_snr10.wav", "deep/b_snr-5.flac", "deep/b_snr10.flac", "manifest.csv")
    }
    table = rows(desk / "out" / "manifest.csv")
    assert len(table) == 4 and {row["status"] for row in table} == {"done"}
    for row in table:
        assert shape(Path(row["noisy"])) == shape(Path(row["clean"]))
        assert snr_db(Path(row["clean"]), Path(row["noisy"])) == pytest.approx(float(row["snr_db"]), abs=0.05)
    assert len({(row["clean"], row["noise"], row["offset_s"]) for row in table}) == 2  # the same noise at each SNR
    assert hidden(desk / "out") == []


def test_a_list_in_a_pipe_is_read_by_the_plan_alone(cli, desk, monkeypatch):
    counts = []

    class Watched(Progress):
        def __init__(self, count, shown):
            counts.append(count and count())
            super().__init__(count, shown)

    monkeypatch.setattr("cleanaudio.cli.mixing.Progress", Watched)
    for clean, text in (("@-", "clean/a.wav\n"), ("clean/a.wav", "")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        ran = cli("mix", clean, "noise/long.wav", "--snr", -5, "--snr", 10, "-o", f"out {len(text)}")
        assert ran.code == 0 and "2 done" in ran.stderr, ran.stderr
    assert counts == [None, 2]


def test_what_was_mixed_in_is_the_noise_at_the_offset_that_the_manifest_states(cli, desk):
    assert cli("mix", "clean/a.wav", "noise/long.wav", "--snr", 0, "-o", "out").code == 0
    (row,) = rows(desk / "out" / "manifest.csv")
    assert (row["looped"], row["scale_db"]) == ("0", "0")
    start = round(float(row["offset_s"]) * 16000)
    noise = read(desk / "noise" / "long.wav")[start : start + 32000] * 10 ** (float(row["noise_gain_db"]) / 20)
    added = read(desk / "out" / "a_snr0.wav") - read(desk / "clean" / "a.wav")
    assert np.abs(added - noise).max() < 3 / 32768


def test_a_seed_decides_everything(cli, desk):
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert cli("mix", "clean", "noise", "-r", "--snr", 5, "--seed", seed, "-o", folder, "-j", 1).code == 0
    same, again, other = ((desk / name / "a_snr5.wav").read_bytes() for name in ("one", "again", "other"))
    assert same == again != other
    assert cli("mix", "clean/a.wav", "--noise", "noise", "--snr", 5, "--seed", 1, "-o", "alone").code == 0
    assert (desk / "alone" / "a_snr5.wav").read_bytes() == same  # whatever else is in the run


def test_every_noise_under_every_recording(cli, desk):
    ran = cli("mix", "clean/a.wav", "--noise", "noise/*o*.wav", "--snr", 5, "--every", "-o", "out")
    assert ran.code == 0
    assert audio(desk / "out") == {"a_short_snr5.wav", "a_long_snr5.wav", "a_stereo_snr5.wav", "manifest.csv"}
    for name in ("short", "long", "stereo"):
        assert snr_db(desk / "clean" / "a.wav", desk / "out" / f"a_{name}_snr5.wav") == pytest.approx(5, abs=0.05)


def test_stereo_speech_keeps_its_channels_and_mean_power_can_be_the_level(cli, desk, speech_like):
    voices = 0.2 * np.stack([speech_like(2.0, 16000), np.zeros(32000)], axis=1)
    write(desk / "two.wav", voices)
    ran = cli("mix", "two.wav", "noise/long.wav", "--snr", 7, "--level", "power", "-o", "out", "--subtype", "FLOAT")
    assert ran.code == 0
    assert shape(desk / "out" / "two_snr7.wav")[1] == 2
    assert snr_db(desk / "two.wav", desk / "out" / "two_snr7.wav", "power") == pytest.approx(7, abs=0.01)


def test_a_mix_that_would_exceed_full_scale_is_scaled_and_says_so(cli, desk, speech_like):
    write(desk / "loud.wav", 1.9 * speech_like(2.0, 16000))
    ran = cli("mix", "loud.wav", "noise/long.wav", "--snr", -10, "-o", "out")
    assert ran.code == 0 and "full scale" in ran.stderr
    (row,) = rows(desk / "out" / "manifest.csv")
    scale = 10 ** (float(row["scale_db"]) / 20)
    assert scale < 1 and "full scale" in row["notes"]
    mixed, voice = read(desk / "out" / "loud_snr-10.wav"), scale * read(desk / "loud.wav")
    assert 0.99 < np.abs(mixed).max() < 1
    speech = speech_level(voice.T.astype(np.float32), 16000).active_dbfs
    assert speech - 10 * np.log10(np.mean((mixed - voice) ** 2)) == pytest.approx(-10, abs=0.05)


def test_one_bad_file_does_not_stop_the_rest(cli, desk, speech_like):
    (desk / "clean" / "text.wav").write_text("this is no audio")
    write(desk / "clean" / "silent.wav", np.zeros(16000))
    broken = 0.3 * speech_like(2.0, 16000)
    broken[500] = np.nan
    write(desk / "clean" / "nan.wav", broken, subtype="FLOAT")
    write(desk / "clean" / "empty.wav", np.zeros(0))
    ran = cli("mix", "clean", "noise/long.wav", "--snr", 5, "-o", "out")
    assert ran.code == 1
    table = {Path(row["clean"]).stem: row for row in rows(desk / "out" / "manifest.csv")}
    assert {name for name, row in table.items() if row["status"] == "done"} == {"a"}
    for name, reason in (
        *(("text", "not audio"), ("silent", "silent"), ("nan", "not numbers"), ("empty", "no samples")),
    ):
        assert reason in table[name]["reason"] and f"{name}.wav" in table[name]["reason"]
    assert audio(desk / "out") == {"a_snr5.wav", "manifest.csv"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [(lambda: np.zeros(40000), "silent"), (lambda: np.full(40000, np.nan), "not numbers"), (lambda: [], "no samples")],
)
def test_bad_noise_is_the_row_of_who_got_it(cli, desk, make, reason):
    write(desk / "bad.wav", np.asarray(make(), float), subtype="FLOAT")
    assert cli("mix", "clean/a.wav", "bad.wav", "--snr", 5, "-o", "out").code == 1
    (row,) = rows(desk / "out" / "manifest.csv")
    assert reason in row["reason"] and "bad.wav" in row["reason"]


def test_noise_with_gaps_is_taken_where_there_is_some(cli, desk, noise_like):
    gaps = np.zeros(16000 * 20)
    gaps[8 * 16000 : 12 * 16000] = 0.1 * noise_like(4.0, 16000)
    write(desk / "gaps.wav", gaps)
    for seed in range(4):
        assert cli("mix", "clean/a.wav", "gaps.wav", "--snr", 5, "--seed", seed, "-o", f"o{seed}").code == 0


def test_existing_files_are_kept_unless_told_otherwise(cli, desk):
    arguments = ("mix", "clean/a.wav", "noise/long.wav", "--snr", 5, "-o", "out")
    assert cli(*arguments).code == 0
    before = (desk / "out" / "a_snr5.wav").read_bytes()
    assert cli(*arguments, "--seed", 9).code == 2  # the manifest
    assert cli(*arguments, "--seed", 9, "--manifest", "m.csv").code == 1
    assert "exists" in rows(desk / "m.csv")[0]["reason"]
    assert (desk / "out" / "a_snr5.wav").read_bytes() == before
    assert cli(*arguments, "--seed", 9, "--overwrite").code == 0
    assert (desk / "out" / "a_snr5.wav").read_bytes() != before


def test_a_run_that_finds_nothing_leaves_the_manifest_of_the_last(cli, desk):
    (desk / "empty").mkdir()
    assert cli("mix", "clean/a.wav", "noise/long.wav", "--snr", 5, "-o", "out").code == 0
    before = (desk / "out" / "manifest.csv").read_bytes()
    assert cli("mix", "empty", "noise/long.wav", "--snr", 5, "-o", "out", "--overwrite").code == 4
    assert (desk / "out" / "manifest.csv").read_bytes() == before


def test_a_run_in_which_nothing_was_mixed_is_not_in_the_way_of_the_next(cli, desk):
    write(desk / "noise" / "silent.wav", np.zeros(16000))
    assert cli("mix", "clean/a.wav", "noise/silent.wav", "--snr", 0, "-o", "out").code == 1
    (row,) = rows(desk / "out" / "manifest.csv")
    assert row["status"] == "failed"
    assert cli("mix", "clean/a.wav", "noise/long.wav", "--snr", 0, "-o", "out").code == 0
    (row,) = rows(desk / "out" / "manifest.csv")
    assert row["status"] == "done"
    assert cli("mix", "clean/deep/b.flac", "noise/long.wav", "--snr", 0, "-o", "out").code == 2


def test_json_and_dry_run(cli, desk):
    arguments = ("mix", "clean/a.wav", "noise/long.wav", "--snr", 5, "-o", "out", "--json")
    dry = cli(*arguments, "--dry-run")
    assert dry.code == 0 and not (desk / "out").exists()
    planned = json.loads(dry.stdout)
    assert planned.pop("status") == "planned"
    row = json.loads(cli(*arguments).stdout)
    assert row | planned == row and row["noisy"] == str(desk / "out" / "a_snr5.wav")
    assert row["status"] == "done" and row["snr_db"] == 5 and isinstance(row["offset_s"], float)


@pytest.mark.parametrize(
    "arguments",
    [
        ("clean", "--snr", "5", "-o", "out"),
        ("clean", "noise", "-o", "out"),
        ("clean", "noise", "--snr", "5"),
        ("clean", "noise", "--snr", "nan", "-o", "out"),
        ("clean", "noise", "--snr", "5", "-o", "out", "--format", "tape"),
        ("clean", "nowhere", "--snr", "5", "-o", "out"),
        ("clean", "clean/deep/none*", "--snr", "5", "-o", "out"),
        ("clean", "noise", "--snr", "5", "-o", "clean/a.wav"),
    ],
)
def test_usage_errors_come_before_anything_is_written(cli, desk, arguments):
    assert cli("mix", *arguments).code == 2
    assert not (desk / "out").exists()


def test_nothing_to_mix(cli, desk):
    (desk / "void").mkdir()
    assert cli("mix", "void", "noise", "--snr", 5, "-o", "out").code == 4
    assert cli("mix", "void", "noise", "--snr", 5, "-o", "out2", "--allow-empty").code == 0
