import csv
import json
import shlex
import sys

import numpy as np
import pytest
from cli_helpers import write, write_damaged

# Hears all words where it is quiet between them, else two. Without numpy, so that it starts at once.
HEARS = """
import array, sys, wave
samples = array.array("h", wave.open(sys.argv[1]).readframes(-1))
floor = sorted(map(abs, samples))[len(samples) // 5] / 32768
print(" ".join(["one", "two", "three", "four"][: 4 if floor < 2e-3 else 2]))
"""


@pytest.fixture
def desk(tmp_path, monkeypatch, speech_like, noise_like):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a", "b"), 1):
        write(tmp_path / "clean" / f"{name}.wav", 0.3 * speech_like(1.5, 16000, seed=number))
    write(tmp_path / "noise" / "white.wav", 0.1 * noise_like(4.0, 16000, "white"))
    (tmp_path / "hears.py").write_text(HEARS)
    manifest(tmp_path, [{"audio_filepath": f"clean/{name}.wav", "text": "One, two, three, four!"} for name in "ab"])
    return tmp_path


def manifest(folder, lines):
    (folder / "speech.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


ASR = ("--asr-command", f"{shlex.quote(sys.executable)} -I -S hears.py {{wav}}")
SOME = ("impact", "speech.jsonl", "--noise", "noise", "-j", "1", "--snr", "0", "--snr", "20", *ASR)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_study_from_manifest_to_table_csv_and_picture(cli, desk):
    outputs = ("-o", "impact.csv", "--table", "table.csv", "--plot", "impact.png")
    ran = cli(*SOME, "-b", "spectral-subtraction", *outputs)
    assert ran.code == 0, ran.stderr
    versions = rows(desk / "impact.csv")
    assert len(versions) == 2 * (1 + 2 * 2) and {row["status"] for row in versions} == {"done"}
    table = {(row["system"], row["snr_db"]): row for row in rows(desk / "table.csv")}
    assert list(table) == [
        *(("clean", ""), ("noisy", "0"), ("spectral-subtraction", "0"), ("noisy", "20"), ("spectral-subtraction", "20"))
    ]
    assert float(table["clean", ""]["wer"]) == 0
    assert float(table["noisy", "0"]["wer"]) == pytest.approx(0.5)
    assert float(table["noisy", "0"]["degradation"]) == pytest.approx(0.5)
    assert float(table["noisy", "0"]["relative"]) == pytest.approx(0.5)
    assert float(table["noisy", "0"]["stoi"]) < float(table["noisy", "20"]["stoi"])
    assert (desk / "impact.png").stat().st_size > 5000
    assert "spectral-subtraction" in ran.stdout and "50.0 %" in ran.stdout


def test_json_has_every_version_and_the_table(cli, desk):
    ran = cli(*SOME, "--json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.code == 0 and [line["kind"] for line in lines] == ["version"] * 6 + ["aggregate"] * 3
    assert lines[1]["system"] == "noisy" and lines[1]["wer"] == 0.5 and lines[1]["metrics"]["stoi"] is not None


def test_the_ladder_of_ratios_is_the_usual_one_unless_told_otherwise(cli, desk):
    manifest(desk, [{"audio_filepath": "clean/a.wav", "text": "one two three four"}])
    ran = cli("impact", "speech.jsonl", "--noise", "noise/white.wav", *ASR, "--table", "t.csv", "-q")
    assert ran.code == 0
    assert [row["snr_db"] for row in rows(desk / "t.csv")] == ["", "-5", "0", "5", "10", "15", "20"]


def test_what_is_wrong_with_one_recording_is_its_row_and_the_others_go_on(cli, desk, speech_like):
    (desk / "clean" / "text.wav").write_text("this is no audio")
    broken = np.full(16000, 0.1)
    broken[7] = np.nan
    write(desk / "clean" / "nan.wav", broken, subtype="FLOAT")
    write(desk / "clean" / "silent.wav", np.zeros(16000))
    write_damaged(desk / "clean" / "half.flac", 0.3 * speech_like(1.5, 16000))
    lines = [{"audio_filepath": f"clean/{name}.wav", "text": "one"} for name in ("text", "nan", "silent", "gone")]
    lines.append({"audio_filepath": "clean/half.flac", "text": "one"})
    lines += [{"audio_filepath": "clean/a.wav", "text": "one two three four"}, {"audio_filepath": "clean/b.wav"}]
    manifest(desk, lines)
    with open(desk / "speech.jsonl", "a") as file:
        file.write("not json\n")
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 1
    found = rows(desk / "impact.csv")
    assert [row["system"] for row in found if row["audio"] == "clean/a.wav"] == ["clean", "noisy", "noisy"]
    reasons = {row["audio"]: row["reason"] for row in found if row["status"] == "failed"}
    assert len(reasons) == 7
    for name, reason in (
        ("clean/text.wav", "not audio"),
        ("clean/nan.wav", "not numbers"),
        ("clean/silent.wav", "silent"),
        ("clean/gone.wav", "no such file"),
        ("clean/half.flac", "damaged at"),
        ("clean/b.wav", "no text"),
        ("speech.jsonl:8", "not JSON"),
    ):
        assert reason in reasons[name] and reason in ran.stderr


def test_a_recording_in_parts_is_refused_and_one_that_is_named_twice_is_studied_once(cli, desk):
    whole = {"audio_filepath": "clean/b.wav", "text": "one two three four", "offset": 0, "duration": 1.5}
    parts = [{"audio_filepath": "./clean/a.wav", "text": text, "duration": 0.7} for text in ("one two", "three four")]
    manifest(desk, [whole, *parts, whole])
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 1 and "./clean/a.wav: the manifest gives the text of parts of it" in ran.stderr
    assert [(row["audio"], row["status"]) for row in rows(desk / "impact.csv")] == [
        *[("clean/b.wav", "done")] * 3, ("./clean/a.wav", "failed")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason"), [("import sys; sys.exit('out of memory')", "out of memory"), ("pass", "gave no words")]
)
def test_an_asr_command_that_fails_or_prints_nothing(cli, desk, code, reason):
    (desk / "hears.py").write_text(code)
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 1 and reason in ran.stderr
    assert [row["status"] for row in rows(desk / "impact.csv")] == ["failed", "failed"]


def test_an_asr_command_that_fails_over_noise_costs_that_version(cli, desk):
    (desk / "hears.py").write_text(HEARS.replace("print(", "assert floor < 2e-3, 'lost'\nprint("))
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 1 and "noisy at 0 dB" in ran.stderr and "lost" in ran.stderr
    status = {(row["system"], row["snr_db"]): row["status"] for row in rows(desk / "impact.csv")}
    assert status == {("clean", ""): "done", ("noisy", "0"): "failed", ("noisy", "20"): "done"}


def test_bad_noise_is_the_reason_in_the_row(cli, desk):
    (desk / "noise" / "white.wav").write_text("no audio")
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 1
    assert all("noise: is not audio" in row["reason"] for row in rows(desk / "impact.csv"))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("speech.jsonl",),
        ("speech.jsonl", "--noise", "nowhere"),
        ("speech.jsonl", "--noise", "empty"),
        ("speech.jsonl", "--noise", "noise", "--asr-command", "whisper"),
        ("speech.jsonl", "--noise", "noise", "--asr-command", "nosuchprogram {wav}"),
        ("speech.jsonl", "--noise", "noise", *ASR, "-b", "nosuchbackend"),
        ("speech.jsonl", "--noise", "noise", *ASR, "--snr", "inf"),
        ("speech.jsonl", "--noise", "noise", *ASR, "-o", "clean/a.wav/x.csv"),
    ],
)
def test_usage_errors(cli, desk, arguments):
    (desk / "empty").mkdir()
    assert cli("impact", *arguments).code == 2


def test_an_empty_manifest(cli, desk):
    manifest(desk, [])
    assert cli(*SOME).code == 4
    assert cli(*SOME, "--allow-empty").code == 0
    assert cli("impact", "gone.jsonl", "--noise", "noise", *ASR).code == 1


def test_without_the_encoder_the_study_says_what_to_install(cli, desk, monkeypatch):
    from cleanaudio.impact import speaker

    monkeypatch.setattr(speaker, "find_spec", lambda name: None)
    speaker.encoder.cache_clear()
    manifest(desk, [{"audio_filepath": "clean/a.wav", "text": "one two three four"}])
    ran = cli(*SOME, "-o", "impact.csv")
    assert ran.code == 0 and "pip install --no-deps resemblyzer" in ran.stderr
    assert all(row["similarity"].startswith("not measurable") for row in rows(desk / "impact.csv"))


@pytest.mark.slow
@pytest.mark.data
def test_noise_harms_a_real_recogniser_and_a_real_voice(cli, desk, data_dir):
    folder = data_dir / "dev" / "pairs-16k" / "clean"
    said = {"006": "did you look at these papers on the table how came you to leave the key in the door",
            "013": "let us begin with that his commentary on galatians"}  # fmt: skip
    manifest(desk, [{"audio_filepath": str(folder / f"dev16k_{key}.flac"), "text": text} for key, text in said.items()])
    ran = cli("impact", "speech.jsonl", "--noise", "noise", "--snr", "-10", "--snr", "20", "--table", "t.csv", "-j", 1)
    assert ran.code == 0, ran.stderr
    clean, loud, quiet = rows(desk / "t.csv")
    assert float(clean["wer"]) < 0.1 and float(loud["wer"]) > float(quiet["wer"]) + 0.2
    assert float(loud["similarity"]) < float(quiet["similarity"]) < 1
