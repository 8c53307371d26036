"""``cleanaudio inspect``: tables, JSON, CSV, pictures, and recordings that are none."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from cli_helpers import write, write_damaged


@pytest.fixture(scope="module")
def voice(noisy_speech):
    return noisy_speech(1.5)


@pytest.fixture
def stereo(tmp_path, voice):
    """A recording whose right channel is upside down."""
    return write(tmp_path / "stereo.flac", np.stack([voice, -voice], axis=1))


def lines(text):
    return {one["input"]: one for one in map(json.loads, text.splitlines())}


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {row["input"]: row for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Run:
    """One run over all sorts of recordings, and what it left."""

    code: int
    json: dict
    csv: dict
    stdout: str
    stderr: str
    folder: Path
    plots: Path

    def __call__(self, name):
        label = str(self.folder / name)
        return self.json[label], self.csv[label]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, program, voice, noisy_speech):
    room = tmp_path_factory.mktemp("inspect")
    folder = room / "takes"
    write(folder / "one.wav", voice)
    write(folder / "one.flac", np.stack([voice, -voice], axis=1))
    write_damaged(folder / "half.flac", voice)
    write(folder / "below" / "one.wav", 0.5 * voice)
    write(folder / "frame.wav", np.array([0.5]))
    write(folder / "silence.wav", np.zeros(16000))
    write(folder / "eight.wav", np.tile(voice[:, None], 8))
    write(folder / "fast.wav", noisy_speech(1.0, 192000, 20.0), 192000)
    write(folder / "nan.wav", np.where(np.arange(len(voice)) == 9, np.nan, voice), subtype="FLOAT")
    (folder / "text.wav").write_text("this is no recording\n" * 40)
    (folder / "void.wav").touch()
    soundfile.write(folder / "zero.wav", np.zeros((0, 1)), 16000)
    ran = program(
        "inspect", folder, room / "missing.wav", "-r", "-j", "1",
        "--json", "--csv", room / "all.csv", "--plot", room / "p",
    )  # fmt: skip
    out = ran.stdout.decode()
    return Run(ran.returncode, lines(out), rows(room / "all.csv"), out, ran.stderr.decode(), folder, room / "p")


def test_one_recording_from_top_to_bottom(cli, stereo):
    ran = cli("inspect", stereo)
    table = dict(line.split("  ", 1) for line in ran.stdout.splitlines() if "  " in line)
    table = {label: value.strip() for label, value in table.items()}
    assert ran.code == 0
    assert table["rate"] == "16000 Hz" and table["format"] == "FLAC, PCM_16" and table["duration"] == "0:01.500"
    assert table["channels"] == "2; right is inverted against left"
    assert table["loudness"].endswith(" LUFS") and table["constant offset"].endswith(" %")
    assert "• right is inverted: mixed to mono" in ran.stdout


def test_several_have_a_row_each_in_order_and_a_picture_together(cli, tmp_path, speech_like):
    a, b = speech_like(1.5, seed=1), speech_like(1.5, seed=2)
    first = write(tmp_path / "z" / "x.wav", np.stack([a, b], axis=1))
    second = write(tmp_path / "a" / "x.wav", np.stack([b, a], axis=1))
    ran = cli("inspect", first, second, "-j", "2", "--compare", tmp_path / "spectrum_comparison.png")
    head, _units, *table = ran.stdout.splitlines()
    assert ran.code == 0 and "real bandwidth" in head
    findings = [row for row in table if row.startswith("• ")]
    assert [row.split()[0] for row in table if "x.wav" in row and row not in findings] == [str(first), str(second)]
    assert {row.split()[1].rstrip(":") for row in findings} <= {str(first), str(second)} and findings
    assert f"{second}: note: left and right are exchanged against {first}" in ran.stderr and "2 done" in ran.stderr
    picture = matplotlib.image.imread(tmp_path / "spectrum_comparison.png")
    assert picture.shape[0] > 500 and picture[..., :3].std() > 0.05


def test_one_bad_file_among_many_is_named_and_costs_no_other(mixed):
    bad = {str(mixed.folder / f"{name}.wav") for name in ("text", "void", "zero")}
    bad |= {str(mixed.folder / "half.flac"), str(mixed.folder.parent / "missing.wav")}
    assert mixed.code == 1 and len(mixed.json) == len(mixed.csv) == 13
    assert {label for label, one in mixed.json.items() if one["status"] == "failed"} == bad
    assert {label for label, row in mixed.csv.items() if row["status"] == "failed" and row["reason"]} == bad
    assert all(label in mixed.stderr and mixed.json[label]["reason"] for label in bad)
    assert "holds no samples" in mixed.stderr and re.search(r"half\.flac: damaged at 0\.\d\d s of 1\.50", mixed.stderr)


def test_json_and_csv_hold_the_same(mixed):
    one, row = mixed("one.flac")
    assert one["rate"] == int(row["rate"]) == 16000 and one["seconds"] == float(row["seconds"]) == 1.5
    for key in ("loudness", "dnsmos_ovrl", "spectral_centroid_hz", "offset"):
        assert float(row[key]) == pytest.approx(one["metrics"][key], abs=1e-5)
    assert row["wiring"] == "; ".join(one["wiring"]) == "right is inverted against left"
    assert one["recommendations"][0]["kind"] == "inverted"
    assert row["recommendations"] == "; ".join(
        f"{each['finding']}: {each['advice']}" for each in one["recommendations"]
    )
    for each in mixed.json.values():
        if each["status"] == "done":
            assert set(each["reasons"]) == {key for key, value in each["metrics"].items() if value is None}
    assert "NaN" not in mixed.stdout and "Infinity" not in mixed.stdout


def test_odd_recordings(mixed):
    frame, _ = mixed("frame.wav")
    assert frame["reasons"]["loudness"].startswith("not measurable: shorter than")
    silence, row = mixed("silence.wav")
    assert silence["reasons"]["dnsmos_ovrl"] == row["dnsmos_ovrl"] == "not measurable: digital silence"
    assert [each["kind"] for each in silence["recommendations"]] == ["silent"] and silence["wiring"] == []
    eight, _ = mixed("eight.wav")
    assert eight["channels"] == 8 and eight["wiring"][-1] == "channel 8 is a copy of channel 1"
    fast, _ = mixed("fast.wav")
    assert fast["rate"] == 192000 and fast["metrics"]["bandwidth_hz"] > 90000
    nan, _ = mixed("nan.wav")
    assert nan["not_numbers"] == 1 and nan["recommendations"][0]["kind"] == "not-numbers"


def test_pictures_mirror_the_folders_and_share_no_name(mixed):
    found = {str(path.relative_to(mixed.plots)) for path in mixed.plots.rglob("*.png")}
    stems = ("one", "one.wav", "below/one", "frame", "silence", "eight", "fast", "nan")
    assert found == {f"{stem}_{what}.png" for stem in stems for what in ("spectrum", "spectrogram")}
    assert matplotlib.image.imread(mixed.plots / "one_spectrogram.png")[..., :3].std() > 0.1


def test_a_recording_on_stdin(program, stereo):
    ran = program("inspect", "-", "--json", stdin=stereo.read_bytes())
    (one,) = lines(ran.stdout.decode()).values()
    assert ran.returncode == 0 and one["input"] == "-" and one["frames"] == 24000
    empty = program("inspect", "-", "--json")
    assert empty.returncode == 1 and json.loads(empty.stdout)["status"] == "failed"


def test_usage(cli, stereo, tmp_path):
    assert cli("inspect").code == 2
    assert cli("inspect", "-", stereo).code == 2
    assert cli("inspect", stereo, "--csv", tmp_path / "no" / "such.csv").code == 2
    assert cli("inspect", stereo, "--compare", tmp_path / "c.png").code == 2
    assert cli("inspect", stereo, stereo, "--compare", tmp_path / "c.xyz").code == 2
    (tmp_path / "empty").mkdir()
    assert cli("inspect", tmp_path / "empty").code == 4
    ran = cli("inspect", tmp_path / "empty", "--allow-empty", "--json")
    assert ran.code == 0 and not ran.stdout and "no audio files" not in ran.stderr
    (tmp_path / "file").touch()
    ran = cli("inspect", stereo, "--plot", tmp_path / "file")
    assert ran.code == 1 and "cannot be made" in ran.stderr


@pytest.mark.data
def test_real_recordings(cli, data_dir):
    ran = cli("inspect", data_dir / "dev" / "real-noisy", "--json")
    found = {Path(label).name: one for label, one in lines(ran.stdout).items()}
    assert ran.code == 0 and len(found) == 8
    assert found["real_06.flac"]["recommendations"][-1]["kind"] == "clean"
