import json

import numpy as np
import pytest
import soundfile
from train_material import write_corpus

from cleanaudio.errors import InputError
from cleanaudio.train.clips import scan
from cleanaudio.train.corpus import load


def test_manifests_of_both_forms_and_plain_folders_are_read(tmp_path):
    speech, _ = write_corpus(tmp_path)
    assert [clip.bandwidth_hz for clip in scan(speech, "speaker")] == [7900, 7900, 20000, 20000]
    nemo = tmp_path / "nemo.jsonl"
    nemo.write_text(json.dumps({"audio_filepath": "speech/speech00.wav", "duration": 1.0, "speaker": "a"}) + "\n")
    (clip,) = scan(nemo, "speaker")
    assert clip.group == "a" and clip.path.exists()
    (speech / "manifest.csv").unlink()
    assert [clip.group for clip in scan(speech, "speaker")] == ["speech"] * 4


def test_json_beside_recordings_is_no_manifest(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "manifest.csv").unlink()
    (speech / "speech00.wav.json").write_text('{\n "angle": 30\n}\n')
    assert len(scan(speech, "speaker")) == 4
    for name in ("train_manifest.json", "nemo.jsonl"):
        (speech / name).write_text(json.dumps({"audio_filepath": "speech00.wav"}) + "\n")
        assert [clip.path.name for clip in scan(speech, "speaker")] == ["speech00.wav"]
        (speech / name).unlink()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no recordings"):
        scan(tmp_path, "speaker")


def test_a_manifest_of_something_else_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("name,size\na,1\n")
    with pytest.raises(InputError, match="not a manifest") as caught:
        scan(tmp_path, "speaker")
    assert "audio_filepath" in caught.value.remedy


def nemo(folder, *parts):
    """Write a manifest with a line for each part of speech11.wav."""
    lines = [{"audio_filepath": "speech/speech11.wav", "speaker": "a", **part} for part in parts]
    (folder / "nemo.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "nemo.jsonl"


def test_the_parts_that_a_manifest_names_are_cut_out(tmp_path):
    speech, _ = write_corpus(tmp_path)
    whole, rate = soundfile.read(speech / "speech11.wav", dtype="int16")

    def heard(*parts):
        return load([nemo(tmp_path, *parts)], tmp_path / "cache", "speaker", True).samples

    second, first = {"offset": 0.5, "duration": 0.25}, {"offset": 0.0, "duration": 0.125}
    expected = np.concatenate([whole[: rate // 8], whole[rate // 2 : 3 * rate // 4]])
    np.testing.assert_array_equal(heard(second, first), expected)
    np.testing.assert_array_equal(heard({"offset": 0.4}), whole[round(0.4 * rate) :])
    np.testing.assert_array_equal(heard({"duration": 0.4}), whole[: round(0.4 * rate)])
    np.testing.assert_array_equal(heard({"offset": None, "duration": 1e300}), whole)
    with pytest.raises(InputError, match="none of the recordings"):
        heard({"offset": 2.0, "duration": 1.0})


@pytest.mark.parametrize(
    "part", [{"offset": -1}, {"offset": "now"}, {"duration": -0.5}, {"duration": [1]}, {"offset": 10**400}]
)
def test_a_part_that_cannot_be_makes_no_manifest(tmp_path, part):
    with pytest.raises(InputError, match="not a manifest"):
        scan(nemo(tmp_path, part), "speaker")


def test_a_part_of_no_length_is_not_the_whole(tmp_path):
    write_corpus(tmp_path)
    manifest = nemo(tmp_path, {"duration": 0}, {"duration": 0.25})
    found = load([manifest], tmp_path / "cache", "speaker", True)
    assert found.seconds == 0.25 and ["empty" in text for text in found.skipped] == [True]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_manifests_are_read_as_spreadsheets_write_them(tmp_path, mark, separator):
    speech, _ = write_corpus(tmp_path)
    text = (speech / "manifest.csv").read_text().replace(",", separator)
    (speech / "manifest.csv").write_text(f"{mark}{text}{3 * separator}\n")
    assert [clip.bandwidth_hz for clip in scan(speech, "speaker")] == [7900, 7900, 20000, 20000]
    lines = nemo(tmp_path, {})
    lines.write_text(mark + lines.read_text())
    assert [clip.path.name for clip in scan(lines, "speaker")] == ["speech11.wav"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (",a,", "names no file"),
        ("a.wav,a,nan", "bandwidth_hz nan"),
        ("a.wav,a,-3", "bandwidth_hz -3"),
        ("a.wav,a,wide", "could not convert"),
    ],
)
def test_the_line_that_makes_no_sense_is_named(tmp_path, line, problem):
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"file,speaker,bandwidth_hz\nb.wav,b,\n{line}\n")
    with pytest.raises(InputError, match=f"not a manifest of recordings: .*{problem}") as caught:
        scan(manifest, "speaker")
    assert caught.value.path == f"{manifest}:3"
    lines = nemo(tmp_path, {}, {})
    lines.write_text(lines.read_text() + "no JSON\n")
    with pytest.raises(InputError, match="the line is not JSON") as caught:
        scan(lines, "speaker")
    assert caught.value.path == f"{lines}:3"
