"""What ``cleanaudio denoise`` promises: outputs like inputs, a plan that can be seen, a log that can be trusted."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from cli_helpers import audio, hidden, read, rows, shape, write

from cleanaudio.batch.judge import Judge
from cleanaudio.batch.result import Result
from cleanaudio.batch.rows import COLUMNS


@pytest.fixture(scope="module")
def clip(noisy_speech) -> np.ndarray:
    """A second of noisy speech at 16 kHz."""
    return noisy_speech(2.0)[16000:]


@pytest.fixture
def denoise(cli):
    """``denoise(arguments...)`` with the Wiener filter, unless told otherwise; must end with ``code``."""

    def run(*arguments: object, code: int = 0):
        backend = () if {"-b", "--backend"} & set(arguments) else ("-b", "wiener")
        workers = () if {"-j", "--jobs"} & set(arguments) else ("-j", "1")
        ran = cli("denoise", *arguments, *backend, *workers)
        assert ran.code == code, ran.stderr
        return ran

    return run


class TestOutputs:
    @pytest.mark.parametrize(
        ("suffix", "subtype"),
        [
            *(("wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
            *(("flac", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
            *(("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", "MPEG_LAYER_III"), ("aiff", "PCM_24"), ("caf", "FLOAT")),
            *(("w64", "PCM_16"), ("au", "PCM_16"), ("rf64", "PCM_16"), ("wavex", "PCM_24")),
        ],
    )
    def test_come_out_as_they_went_in(self, denoise, tmp_path, clip, suffix, subtype):
        stereo = np.stack([clip, 0.5 * np.roll(clip, 10)], axis=1)
        source = write(tmp_path / f"in/a.{suffix}", stereo, subtype=subtype)
        if suffix == "wavex":
            source = source.rename(tmp_path / "in/a.wav")
        denoise(source, "-o", tmp_path / "out")
        made = tmp_path / "out" / source.name
        assert shape(made) == shape(source)
        (row,) = rows(tmp_path / "out")
        assert (row["rate"], row["channels"], row["status"], row["backend"]) == ("16000", "2", "done", "wiener")
        before, after = read(source)[:, 0], read(made)[:, 0]
        lags = np.correlate(after[4000:12000], before[4000:12000], "full")
        assert np.argmax(lags) == 7999, "not aligned to the sample"

    @pytest.mark.parametrize(
        ("name", "container", "subtype"),
        [
            *(("b.flac", "FLAC", "PCM_24"), ("b.MP3", "MP3", "MPEG_LAYER_III"), ("b.opus", "OGG", "OPUS")),
            *(("b.aiff", "AIFF", "PCM_24"), ("b.wav", "WAV", "PCM_24"), ("b.bwf", "WAV", "PCM_24")),
        ],
    )
    def test_are_what_the_name_of_a_single_one_says(self, denoise, tmp_path, clip, name, container, subtype):
        import soundfile

        denoise(write(tmp_path / "a.wav", clip, subtype="PCM_24"), "-o", tmp_path / name)
        info = soundfile.info(tmp_path / name)
        assert (info.format, info.subtype) == (container, subtype)

    def test_have_no_name_of_another_format(self, cli, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        for name, *more in (("b.flac", "-f", "wav"), ("b.m4a",)):
            ran = cli("denoise", source, "-b", "wiener", "-o", tmp_path / name, *more)
            assert ran.code == 2 and name[2:] in ran.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]

    def test_are_cleaner_than_the_inputs(self, denoise, tmp_path, speech_like, noisy_speech):
        voice = speech_like(4.0)
        source = write(tmp_path / "a.wav", noisy_speech(4.0, snr_db=10))
        denoise(source, "-o", tmp_path / "out")
        before, after = (np.mean((read(path)[:, 0] - voice) ** 2) for path in (source, tmp_path / "out/a.wav"))
        assert after < 0.5 * before

    def test_keep_their_tags(self, denoise, tmp_path, fixtures_dir):
        import soundfile

        denoise(fixtures_dir / "podcast.ogg", "-o", tmp_path)
        with (
            soundfile.SoundFile(fixtures_dir / "podcast.ogg") as one,
            soundfile.SoundFile(tmp_path / "podcast.ogg") as two,
        ):
            assert one.copy_metadata() == two.copy_metadata()

    def test_have_the_permissions_of_the_umask(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        source.chmod(0o600)
        before = os.umask(0o027)
        try:
            denoise(source, "-o", tmp_path / "out")
        finally:
            os.umask(before)
        assert (tmp_path / "out/a.wav").stat().st_mode & 0o777 == 0o640

    def test_mirror_the_folders(self, denoise, tmp_path, clip):
        for name in ("a.wav", "x/b.wav", "x/y/c.wav", ".hidden/d.wav", "notes.txt"):
            write(tmp_path / "in/x.wav", clip[:800]).rename(tmp_path / "in/tmp")
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in/tmp").rename(tmp_path / "in" / name)
        denoise(tmp_path / "in", "-o", tmp_path / "flat")
        assert audio(tmp_path / "flat") == {"a.wav"}
        denoise(tmp_path / "in", "-r", "-o", tmp_path / "deep")
        assert audio(tmp_path / "deep") == {"a.wav", "x/b.wav", "x/y/c.wav"}

    def test_one_file(self, denoise, tmp_path, clip):
        denoise(write(tmp_path / "a.wav", clip), "-o", tmp_path / "new/b.wav")
        assert shape(tmp_path / "new/b.wav") == shape(tmp_path / "a.wav")
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.wav"]

    def test_a_folder_that_is_called_like_a_file(self, denoise, tmp_path, clip):
        (tmp_path / "out.wav").mkdir()
        denoise(write(tmp_path / "a.wav", clip), "-o", tmp_path / "out.wav")
        assert audio(tmp_path / "out.wav") == {"a.wav"}

    @pytest.mark.parametrize(
        ("options", "made"),
        [
            (["--name", "{stem}{suffix}.{ext}", "--suffix", "_clean"], "take_clean.wav"),
            (["--name", "{parent}/{number:03}-{backend}-{stem}.{ext}"], "in/001-wiener-take.wav"),
            (["--name", "{name}.{ext}"], "take.wav.wav"),
            (["--format", "flac"], "take.flac"),
            (["--format", "opus"], "take.opus"),
        ],
    )
    def test_names(self, denoise, tmp_path, clip, options, made):
        denoise(write(tmp_path / "in/take.wav", clip), "-o", tmp_path / "out", *options)
        assert audio(tmp_path / "out") == {made}
        assert rows(tmp_path / "out")[0]["output"] == str(tmp_path / "out" / made)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--format", "flac"], ("FLAC", "PCM_24")),
            (["--subtype", "float"], ("WAV", "FLOAT")),
            (["--format", "wav", "--subtype", "PCM_16"], ("WAV", "PCM_16")),
            (["--format", "ogg"], ("OGG", "VORBIS")),
            (["--format", "mp3"], ("MP3", "MPEG_LAYER_III")),
        ],
    )
    def test_formats(self, denoise, tmp_path, clip, options, expected):
        denoise(write(tmp_path / "a.wav", clip, subtype="PCM_24"), "-o", tmp_path / "out", *options)
        (made,) = audio(tmp_path / "out")
        rate, channels, frames, *what = shape(tmp_path / "out" / made)
        assert (rate, channels, frames) == (16000, 1, 16000) and tuple(what) == expected

    def test_strength_0_changes_nothing(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        denoise(source, "-o", tmp_path / "out", "--strength", "0")
        assert np.abs(read(source) - read(tmp_path / "out/a.wav")).max() <= 2 / 32768

    def test_limit_db_leaves_the_noise_in(self, denoise, tmp_path, noise_like):
        source = write(tmp_path / "a.wav", 0.05 * noise_like(4.0, 16000, "white"), subtype="FLOAT")
        taken = []
        for limit in (0, 6, 20):
            denoise(source, "-o", tmp_path / str(limit), "--limit-db", limit)
            (row,) = rows(tmp_path / str(limit))
            taken.append(float(row["rms_in_dbfs"]) - float(row["rms_out_dbfs"]))
        assert abs(taken[0]) < 0.01 and 3 < taken[1] <= 6.1 and taken[1] + 3 < taken[2] <= 20.1

    def test_two_runs_make_the_same_bytes(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        for folder in ("one", "two"):
            denoise(source, "-o", tmp_path / folder)
        assert (tmp_path / "one/a.wav").read_bytes() == (tmp_path / "two/a.wav").read_bytes()

    def test_linked_channels_share_their_gains(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", np.stack([clip, 0.25 * clip], axis=1), subtype="FLOAT")
        denoise(source, "-o", tmp_path / "out", "--channels", "linked")
        left, right = read(tmp_path / "out/a.wav").T
        np.testing.assert_allclose(right, 0.25 * left, atol=1e-5)


class TestResidual:
    @pytest.mark.parametrize("backend", ["wiener", "0.5*wiener+0.5*log-mmse"])
    def test_input_is_output_plus_residual(self, denoise, tmp_path, clip, backend):
        stereo = np.stack([clip, np.roll(clip, 99)], axis=1)
        source = write(tmp_path / "a.wav", stereo, subtype="FLOAT")
        denoise(source, "-o", tmp_path / "out", "--residual", "-b", backend)
        assert audio(tmp_path / "out") == {"a.wav", "a.residual.wav"}
        made, removed = read(tmp_path / "out/a.wav"), read(tmp_path / "out/a.residual.wav")
        np.testing.assert_allclose(made + removed, read(source), atol=2e-7)
        assert np.abs(removed).max() > 0.01

    def test_is_shaped_like_the_input(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.flac", clip, subtype="PCM_24")
        denoise(source, "-o", tmp_path / "out", "--residual")
        assert shape(tmp_path / "out/a.residual.flac") == shape(source)

    def test_of_a_stretch(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip, subtype="FLOAT")
        denoise(source, "-o", tmp_path / "out", "--residual", "--excerpt", "0.25-0.75")
        made, removed = read(tmp_path / "out/a.wav"), read(tmp_path / "out/a.residual.wav")
        np.testing.assert_allclose(made + removed, read(source)[4000:12000], atol=2e-7)

    def test_nothing_is_left_when_only_the_residual_is_taken(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        (tmp_path / "out").mkdir()
        (tmp_path / "out/a.residual.wav").write_text("mine")
        ran = denoise(source, "-o", tmp_path / "out", "--residual", code=1)
        assert "a.residual.wav: the output exists" in ran.stderr
        assert audio(tmp_path / "out") == {"a.residual.wav"}
        assert (tmp_path / "out/a.residual.wav").read_text() == "mine"


class TestExcerpt:
    def test_of_silence_and_sound(self, denoise, tmp_path, clip):
        """What lies outside the stretch cannot be heard in it."""
        source = write(tmp_path / "a.wav", np.concatenate([np.ones(16000), clip, np.ones(16000)]))
        alone = write(tmp_path / "b.wav", clip)
        denoise(source, "-o", tmp_path / "out", "--excerpt", "0:01-0:02")
        denoise(alone, "-o", tmp_path / "out")
        assert shape(tmp_path / "out/a.wav")[2] == 16000
        assert np.abs(read(tmp_path / "out/a.wav") - read(tmp_path / "out/b.wav")).max() <= 3 / 32768

    def test_beyond_the_end_is_cut_there(self, denoise, tmp_path, clip):
        denoise(write(tmp_path / "a.wav", clip), "-o", tmp_path / "out", "--excerpt", "0.9-5")
        assert shape(tmp_path / "out/a.wav")[2] == 1600
        assert rows(tmp_path / "out")[0]["frames"] == "1600"


class TestClipping:
    @pytest.fixture
    def loud(self, tmp_path, tone) -> Path:
        return write(tmp_path / "loud.wav", tone(200.0, 1.0, level=2.0), subtype="FLOAT")

    def test_float_keeps_its_peaks(self, denoise, tmp_path, loud):
        denoise(loud, "-o", tmp_path / "out", "--strength", "0")
        assert np.abs(read(tmp_path / "out/loud.wav")).max() > 1.9
        assert rows(tmp_path / "out")[0]["clipped_out"] == "0"

    @pytest.mark.parametrize("mode", ["limit", "rescale", "clamp"])
    def test_integers_never_wrap(self, denoise, tmp_path, loud, mode):
        ran = denoise(loud, "-o", tmp_path / "out", "--strength", "0", "--subtype", "PCM_16", "--clip-mode", mode)
        before, after = read(loud)[:, 0], read(tmp_path / "out/loud.wav")[:, 0]
        assert np.abs(after).max() <= 1.0
        strong = np.abs(before) > 0.1
        assert (np.sign(before) == np.sign(after))[strong].all()
        counted = int(rows(tmp_path / "out")[0]["clipped_out"])
        shape_kept = np.corrcoef(before, after)[0, 1]
        if mode == "rescale":
            assert counted == 0 and shape_kept > 0.9999 and "scaled by -6.0" in ran.stderr
        elif mode == "clamp":
            np.testing.assert_allclose(after, np.clip(before, -1, 1), atol=3 / 32768)
            assert counted == np.count_nonzero(np.abs(before) > 1)
        else:
            assert counted > 0 and shape_kept > 0.99


class TestNoise:
    @pytest.fixture
    def recording(self, tmp_path, clip, noise_like) -> Path:
        """A second of noise alone, then speech in the same noise."""
        noise = 0.05 * noise_like(2.0, 16000, "fan")
        noise[16000:] += clip
        return write(tmp_path / "in/a.wav", noise)

    def test_from_a_stretch(self, denoise, tmp_path, recording):
        denoise(recording, "-o", tmp_path / "plain")
        denoise(recording, "-o", tmp_path / "told", "--noise-from", "0:00-0:01")
        assert (tmp_path / "plain/a.wav").read_bytes() != (tmp_path / "told/a.wav").read_bytes()
        assert float(rows(tmp_path / "told")[0]["noise_floor_out_dbfs"]) < -20
        ran = denoise(recording, "-o", tmp_path / "none", "--noise-from", "7-8", code=1)
        assert f"{recording}: the stretch from 7 s lies outside" in ran.stderr

    def test_from_a_print(self, denoise, cli, tmp_path, recording):
        ran = cli("profile-noise", recording, "--from", "0:00", "--to", "0:01", "-o", tmp_path / "room.json")
        assert ran.code == 0, ran.stderr
        denoise(recording, "-o", tmp_path / "told", "--profile", tmp_path / "room.json")
        denoise(recording, "-o", tmp_path / "same", "--noise-from", "0:00-0:01")
        told, same = read(tmp_path / "told/a.wav"), read(tmp_path / "same/a.wav")
        assert np.abs(told - same).max() < 0.01

    @pytest.mark.parametrize("text", ["", "{}", "not json", '{"psd": "x"}', "[1, 2]"])
    def test_a_print_that_is_none(self, denoise, tmp_path, recording, text):
        (tmp_path / "room.json").write_text(text)
        ran = denoise(recording, "-o", tmp_path / "out", "--profile", tmp_path / "room.json", code=2)
        assert "room.json: " in ran.stderr and "Traceback" not in ran.stderr and "this is a bug" not in ran.stderr
        assert not (tmp_path / "out").exists()


class TestInputs:
    @pytest.fixture
    def tree(self, tmp_path, clip) -> Path:
        for name in ("a.wav", "take[1].wav", "take1.wav", "sub/b.wav", "sub/c.flac", "sub/deep/d.wav"):
            write(tmp_path / "in" / name, clip[:1600])
        return tmp_path / "in"

    @pytest.mark.parametrize(
        ("pattern", "made"),
        [
            ("take[1].wav", {"take[1].wav"}),
            ("take?.wav", {"take1.wav"}),
            ("*.wav", {"a.wav", "take[1].wav", "take1.wav"}),
            ("**/*.wav", {"a.wav", "take[1].wav", "take1.wav", "sub/b.wav", "sub/deep/d.wav"}),
            ("sub/*", {"sub/b.wav", "sub/c.flac", "sub/deep/d.wav"}),
        ],
    )
    def test_globs(self, denoise, tree, tmp_path, pattern, made):
        ran = denoise(tree / pattern, "-o", tmp_path / "out", "--dry-run", "--json")
        found = {
            str(Path(json.loads(line)["output"]).relative_to(tmp_path / "out")) for line in ran.stdout.splitlines()
        }
        expected = {name.removeprefix("sub/") for name in made} if pattern.startswith("sub") else made
        assert found == expected
        assert not (tmp_path / "out").exists()

    def test_a_list(self, denoise, tree, tmp_path, monkeypatch):
        monkeypatch.chdir(tree.parent)
        Path("list.txt").write_text("in/a.wav\n\nin/sub/b.wav\r\nin/nowhere.wav\n")
        ran = denoise("@list.txt", "-o", "out", code=1)
        assert "in/nowhere.wav: no such file" in ran.stderr
        assert audio(tmp_path / "out") == {"in/a.wav", "in/sub/b.wav"}

    def test_a_manifest(self, denoise, tree, tmp_path):
        lines = [json.dumps({"audio_filepath": name, "duration": 0.1}) for name in ("a.wav", "sub/b.wav")]
        (tree / "manifest.jsonl").write_text("\n".join([*lines, "{broken", '{"text": "no file"}']))
        ran = denoise("--manifest", tree / "manifest.jsonl", "-o", tmp_path / "out", code=1)
        assert audio(tmp_path / "out") == {"a.wav", "sub/b.wav"}
        assert "manifest.jsonl:3: the line is not JSON" in ran.stderr
        assert "manifest.jsonl:4: the line has no audio_filepath" in ran.stderr

    def test_each_file_once(self, denoise, tree, tmp_path):
        ran = denoise(tree / "a.wav", tree, f"{tree}/*.wav", "-o", tmp_path / "out", "--dry-run", "--json")
        found = [json.loads(line)["input"] for line in ran.stdout.splitlines()]
        assert len(found) == len({os.path.realpath(name) for name in found}) == 3

    def test_young_files_are_left_alone(self, denoise, tree, tmp_path):
        old = time.time() - 3600
        os.utime(tree / "take1.wav", (old, old))
        ran = denoise(tree, "-o", tmp_path / "out", "--min-age", "10m")
        assert audio(tmp_path / "out") == {"take1.wav"} and "1 done, 2 skipped" in ran.stderr
        reasons = {Path(row["input"]).name: row["reason"] for row in rows(tmp_path / "out")}
        assert reasons["take1.wav"] == "" and reasons["a.wav"].startswith("still being written")


class TestThePlan:
    @pytest.fixture
    def three(self, tmp_path, clip) -> Path:
        for name in ("new.wav", "there.wav", "wrong.wav"):
            write(tmp_path / "in" / name, clip[:1600])
        (tmp_path / "out").mkdir()
        shutil.copy(tmp_path / "in/there.wav", tmp_path / "out/there.wav")
        return tmp_path

    def test_as_a_table(self, denoise, three):
        ran = denoise(three / "in", three / "missing.wav", "-o", three / "out", "--dry-run", code=1)
        lines = {line.split()[0].rpartition("/")[2]: line for line in ran.stdout.splitlines()}
        assert len(lines) == 5, "a name was broken over lines"
        assert "clean" in lines["new.wav"] and str(three / "out/new.wav") in lines["new.wav"]
        assert "fail" in lines["there.wav"] and "the output exists" in lines["there.wav"]
        assert "fail" in lines["missing.wav"] and "no such file" in lines["missing.wav"]
        assert audio(three / "out") == {"there.wav"} and not (three / "out/metrics.csv").exists()
        assert hidden(three) == []

    def test_as_json(self, denoise, three):
        ran = denoise(three / "in", "-o", three / "out", "--dry-run", "--json", "--residual", code=1)
        entries = {Path(entry["input"]).name: entry for entry in map(json.loads, ran.stdout.splitlines())}
        assert entries["new.wav"] == {
            "input": str(three / "in/new.wav"),
            "output": str(three / "out/new.wav"),
            "beside": [str(three / "out/new.residual.wav")],
            "status": "planned",
            "reason": None,
        }
        assert entries["there.wav"]["status"] == "failed" and "--overwrite" in entries["there.wav"]["reason"]

    def test_agrees_with_the_run(self, denoise, three):
        common = (three / "in", "-o", three / "out", "--json")
        planned = [json.loads(line) for line in denoise(*common, "--dry-run", code=1).stdout.splitlines()]
        ran = [json.loads(line) for line in denoise(*common, code=1).stdout.splitlines()]
        became = {"planned": "done", "failed": "failed", "skipped": "skipped"}
        assert {(entry["input"], entry["output"], became[entry["status"]]) for entry in planned} == {
            (entry["input"], entry["output"], entry["status"]) for entry in ran
        }

    def test_names_outputs_as_a_run_does(self, denoise, three, monkeypatch):
        monkeypatch.chdir(three)
        ran = denoise("in/new.wav", "no.wav", "-o", "out", "--residual", "--dry-run", "--json", code=1)
        new, missing = map(json.loads, ran.stdout.splitlines())
        assert new["output"] == str(three / "out/new.wav") and new["beside"] == [str(three / "out/new.residual.wav")]
        assert missing["output"] is None and missing["beside"] == [] and missing["status"] == "failed"
        assert json.loads(denoise("in/new.wav", "-o", "-", "--dry-run", "--json").stdout)["output"] == "-"

    def test_nothing_matched(self, denoise, tmp_path):
        (tmp_path / "in").mkdir()
        denoise(tmp_path / "in", "-o", tmp_path / "out", "--dry-run", code=4)
        assert not (tmp_path / "out").exists()


class TestExisting:
    @pytest.fixture
    def done(self, denoise, tmp_path, clip) -> Path:
        for name in "ab":
            write(tmp_path / f"in/{name}.wav", clip)
        denoise(tmp_path / "in", "-o", tmp_path / "out")
        return tmp_path

    def statuses(self, folder: Path, run: int = -1) -> list[str]:
        found = rows(folder)
        ids = list(dict.fromkeys(row["run_id"] for row in found))
        return [row["status"] for row in found if row["run_id"] == ids[run]]

    def test_is_refused_at_first(self, denoise, done):
        before = (done / "out/a.wav").read_bytes()
        ran = denoise(done / "in", "-o", done / "out", "--strength", "0.5", code=1)
        assert f"{done / 'out/a.wav'}: the output exists (--overwrite or --skip-existing)" in ran.stderr
        assert (done / "out/a.wav").read_bytes() == before
        assert self.statuses(done / "out") == ["failed", "failed"]

    def test_is_skipped_when_it_was_made_like_this(self, denoise, done):
        before = (done / "out/a.wav").stat().st_mtime_ns
        ran = denoise(done / "in", "-o", done / "out", "--skip-existing")
        assert "0 done, 2 skipped" in ran.stderr and self.statuses(done / "out") == ["skipped", "skipped"]
        assert (done / "out/a.wav").stat().st_mtime_ns == before

    @pytest.mark.parametrize("change", ["strength", "backend", "option", "touched", "longer"])
    def test_is_made_anew_when_it_was_made_otherwise(self, denoise, done, clip, change):
        options = {"strength": ["-s", "0.5"], "backend": ["-b", "log-mmse"], "option": ["--limit-db", "3"]}.get(
            change, []
        )
        again = ["done", "done"]
        if change == "touched":
            os.utime(done / "in/a.wav", (1e9, 1e9))
            again = ["done", "skipped"]
        elif change == "longer":
            write(done / "in/a.wav", np.tile(clip, 2))
            again = ["done", "skipped"]
        why = "the recording has changed" if change in ("touched", "longer") else "settings or versions differ"
        planned = denoise(done / "in", "-o", done / "out", "--skip-existing", "--dry-run", *options)
        assert planned.stdout.count(f"clean: {why}") == again.count("done")
        ran = denoise(done / "in", "-o", done / "out", "--skip-existing", *options)
        assert f"{again.count('done')} of them anew, since {why}" in ran.stderr
        assert sorted(self.statuses(done / "out")) == again
        assert [row["reason"] for row in rows(done / "out")[2:] if row["status"] == "done"] == [why] * again.count(
            "done"
        )
        if change == "longer":
            assert shape(done / "out/a.wav")[2] == 32000
        denoise(done / "in", "-o", done / "out", "--skip-existing", *options)
        assert self.statuses(done / "out") == ["skipped", "skipped"]

    def test_is_not_touched_where_the_log_does_not_know_it(self, denoise, done):
        (done / "out/metrics.csv").unlink()
        ran = denoise(done / "in", "-o", done / "out", "--skip-existing", code=1)
        assert "is not in the log" in ran.stderr

    def test_is_made_anew_where_it_was_removed(self, denoise, done):
        (done / "out/b.wav").unlink()
        denoise(done / "in", "-o", done / "out", "--skip-existing")
        assert sorted(self.statuses(done / "out")) == ["done", "skipped"]
        assert audio(done / "out") == {"a.wav", "b.wav"}

    def test_is_replaced_when_told_to(self, denoise, done):
        before = (done / "out/a.wav").read_bytes()
        denoise(done / "in", "-o", done / "out", "--overwrite", "--strength", "0.5")
        assert (done / "out/a.wav").read_bytes() != before
        assert self.statuses(done / "out") == ["done", "done"] and hidden(done) == []

    def test_the_log_is_appended_to(self, denoise, done):
        first = (done / "out/metrics.csv").read_bytes()
        denoise(done / "in", "-o", done / "out", "--skip-existing")
        assert (done / "out/metrics.csv").read_bytes().startswith(first)
        assert len({row["run_id"] for row in rows(done / "out")}) == 2


class TestTheLog:
    def test_has_a_row_for_everything(self, denoise, tmp_path, clip):
        for name in ("a.wav", "b.wav"):
            write(tmp_path / "in" / name, clip)
        (tmp_path / "in/bad.wav").write_text("no audio")
        ran = denoise(tmp_path / "in", tmp_path / "missing.wav", "-o", tmp_path / "out", "--json", code=1)
        found = {Path(row["input"]).name: row for row in rows(tmp_path / "out")}
        assert {name: row["status"] for name, row in found.items()} == {
            "a.wav": "done",
            "b.wav": "done",
            "bad.wav": "failed",
            "missing.wav": "failed",
        }
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        assert {Path(line["input"]).name: line["status"] for line in lines} == {
            n: r["status"] for n, r in found.items()
        }

    def test_has_all_columns_and_true_figures(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        denoise(source, "-o", tmp_path / "out")
        (row,) = rows(tmp_path / "out")
        assert tuple(row) == COLUMNS
        before, after = read(source), read(tmp_path / "out/a.wav")
        assert float(row["peak_in_dbfs"]) == pytest.approx(20 * np.log10(np.abs(before).max()), abs=0.01)
        assert float(row["rms_in_dbfs"]) == pytest.approx(10 * np.log10(np.mean(before**2)), abs=0.01)
        assert float(row["rms_out_dbfs"]) == pytest.approx(10 * np.log10(np.mean(after**2)), abs=0.02)
        assert float(row["noise_floor_out_dbfs"]) < float(row["noise_floor_in_dbfs"])
        assert (row["seconds"], row["frames"], row["clipped_in"]) == ("1", "16000", "0")
        assert float(row["elapsed_s"]) > 0 and float(row["rtf"]) > 0 and float(row["latency_ms"]) > 0
        status = source.stat()
        assert (row["input_bytes"], row["input_mtime_ns"]) == (str(status.st_size), str(status.st_mtime_ns))
        assert row["recipe"] and row["run_id"] and row["version"] and row["time"].endswith("Z")

    def test_can_be_elsewhere(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        denoise(source, "-o", tmp_path / "out", "--metrics", tmp_path / "logs/log.csv")
        assert not (tmp_path / "out/metrics.csv").exists()
        denoise(source, "-o", tmp_path / "b.wav", "--metrics", tmp_path / "logs/log.csv")
        assert [Path(row["output"]).name for row in rows(tmp_path / "logs/log.csv")] == ["a.wav", "b.wav"]

    def test_the_recipe_tells_settings_apart_and_nothing_else(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        for number, options in enumerate([[], ["-j", "1"], ["-s", "0.9"], ["--set", "limit_db=9"]]):
            denoise(source, "-o", tmp_path / str(number), *options)
        hashes = [rows(tmp_path / str(number))[0]["recipe"] for number in range(4)]
        assert hashes[0] == hashes[1] and len(set(hashes)) == 3


class TestWords:
    def test_quiet(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        ran = denoise(source, "-o", tmp_path / "out", "--quiet", "-b", "auto")
        assert (ran.stdout, ran.stderr) == ("", "")
        ran = denoise(source, tmp_path / "missing.wav", "-o", tmp_path / "out2", "--quiet", code=1)
        assert ran.stderr == f"cleanaudio: {tmp_path / 'missing.wav'}: no such file or directory (check its name)\n"

    def test_what_auto_means_is_said_and_logged(self, denoise, tmp_path, clip):
        ran = denoise(write(tmp_path / "a.wav", clip), "-o", tmp_path / "out", "-b", "auto")
        (row,) = rows(tmp_path / "out")
        assert f"auto is {row['backend']}: " in ran.stderr

    def test_data_and_words_keep_apart(self, denoise, tmp_path, clip):
        ran = denoise(write(tmp_path / "a.wav", clip), "-o", tmp_path / "out")
        assert ran.stdout == "" and ran.stderr.startswith("cleanaudio: 1 done; 1.0 s of audio in ")
        assert "\x1b" not in ran.stderr

    def test_help_says_what_the_weights_of_backends_mean(self, cli):
        said = re.sub(r"[\s│]+", " ", cli("denoise", "--help").stdout)
        assert "an average, weights in proportion: 3*A+2*B" in said

    def test_help_names_every_option_once(self, cli):
        ran = cli("denoise", "--help")
        assert ran.code == 0
        for option in ("--backend", "--noise-from", "--skip-existing", "--clip-mode", "--manifest", "--preset"):
            assert option in ran.stdout


class TestFallback:
    def test_is_used_and_told(self, denoise, tmp_path, clip):
        source = write(tmp_path / "a.wav", clip)
        (tmp_path / "broken.onnx").write_bytes(b"no model")
        model = f"onnx:{tmp_path / 'broken.onnx'}"
        ran = denoise(source, "-o", tmp_path / "out", "-b", model, "--fallback", "wiener")
        (row,) = rows(tmp_path / "out")
        assert row["backend"] == "wiener" and "wiener used instead" in row["notes"] and "used instead" in ran.stderr
        denoise(source, "-o", tmp_path / "none", "-b", model, code=2)


def test_two_workers_make_what_one_makes(denoise, tmp_path, fixtures_dir):
    for jobs in (1, 2):
        denoise(fixtures_dir, "-o", tmp_path / str(jobs), "-j", jobs)
    made = audio(tmp_path / "1")
    assert made == audio(tmp_path / "2") and len(made) >= 8
    for name in made - {"podcast.ogg"}:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    one, two = (read(tmp_path / jobs / "podcast.ogg") for jobs in "12")  # an Ogg stream has a random number
    assert np.array_equal(one, two)


def test_one_in_this_process_is_one_in_a_worker(denoise, tmp_path, clip):
    """A file alone is cleaned without the pool: that must not be heard."""
    for name in "ab":
        write(tmp_path / f"in/{name}.wav", clip)
    denoise(tmp_path / "in", "-o", tmp_path / "out")
    denoise(tmp_path / "in/a.wav", "-o", tmp_path / "alone")
    assert (tmp_path / "out/a.wav").read_bytes() == (tmp_path / "alone/a.wav").read_bytes()


@pytest.mark.parametrize(("suffix", "format"), [(".wav", "WAV"), (".flac", "FLAC"), (".mp3", "MP3")])
def test_what_is_only_read_becomes_what_its_name_says(denoise, tmp_path, suffix, format):
    """An AAC file that somebody named so."""
    tone = (0.1 * np.sin(np.arange(48000) / 20)).astype(np.float32)[None]
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[:, start : start + 1024]), "fltp", "mono")
            frame.rate = 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "a.m4a").rename(tmp_path / f"a{suffix}")
    denoise(tmp_path / f"a{suffix}", "-o", tmp_path / "out", "-b", "none")
    assert soundfile.info(tmp_path / "out" / f"a{suffix}").format == format


def test_a_blend_with_auto_in_it(cli, tmp_path, speech_like):
    soundfile.write(tmp_path / "a.wav", speech_like(1.0, 16000), 16000)
    ran = cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "auto+wiener")
    assert ran.code == 0 and (tmp_path / "out" / "a.wav").exists()


def test_gate_and_what_becomes_of_what_fails(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(2.0, 16000), 16000, subtype="PCM_16")
    before, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    arguments = ("denoise", tmp_path / "a.wav", "-b", "wiener", "--gate", "noise_floor<-200")
    kept = cli(*arguments, "-o", tmp_path / "keep")
    assert kept.code == 3 and "FAIL noise_floor<-200" in kept.stderr
    assert cli(*arguments, "-o", tmp_path / "original", "--if-fails", "original").code == 3
    after, _ = soundfile.read(tmp_path / "original" / "a.wav", dtype="int16")
    assert (after == before).all()
    assert cli(*arguments, "-o", tmp_path / "apart", "--if-fails", "quarantine").code == 3
    assert not (tmp_path / "apart" / "a.wav").exists() and (tmp_path / "apart" / "quarantine" / "a.wav").exists()
    passed = cli(
        "denoise",
        tmp_path / "a.wav",
        "-b",
        "wiener",
        "--gate",
        "noise_floor<0,rtf<1000,latency_ms<10000",
        "-o",
        tmp_path / "p",
    )
    assert passed.code == 0
    with open(tmp_path / "p" / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["gate"] == "pass" and float(row["noise_floor"]) < 0
    assert not row["quality"] and "dnsmos_ovrl_delta" not in row  # which nobody asked for


def test_the_rtf_of_a_row_is_the_one_that_its_gate_judged(cli, tmp_path, noisy_speech, monkeypatch):
    from cleanaudio.batch import judge

    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000)[:4000], 16000)
    measure = judge.score
    monkeypatch.setattr(judge, "score", lambda *given, **more: time.sleep(2) or measure(*given, **more))
    arguments = ("denoise", tmp_path / "a.wav", "-b", "wiener", "-o", tmp_path / "out", "-j", 1)
    ran = cli(*arguments, "--gate", "rtf<0,noise_floor<0")
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    (judged,) = re.findall(r"FAIL rtf<0 \((\S+)\)", ran.stderr)
    assert float(row["rtf"]) == pytest.approx(float(judged), rel=1e-3) and float(row["elapsed_s"]) >= 2


@pytest.mark.usefixtures("quick_dnsmos")
def test_what_is_in_quarantine_stays_there_until_something_changes(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    arguments = ("denoise", tmp_path / "a.wav", "-b", "wiener", "-o", tmp_path / "out", "--skip-existing")
    gated = (*arguments, "--gate", "noise_floor<-200", "--if-fails", "quarantine")
    assert cli(*gated).code == 3
    again = cli(*gated)
    assert again.code == 0 and "1 skipped" in again.stderr
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert Path(first["output"]) == tmp_path / "out" / "quarantine" / "a.wav"
    assert second["reason"] == "failed the gate in an earlier run"
    assert cli(*arguments, "--gate", "noise_floor<0").code == 0 and (tmp_path / "out" / "a.wav").exists()
    (tmp_path / "out" / "a.wav").unlink()
    (tmp_path / "out" / "quarantine" / "a.wav").unlink()
    assert cli(*gated).code == 3


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_original_in_place_of_a_failure_was_cleaned_by_nothing(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    gated = ("--gate", "noise_floor<-200", "--if-fails", "original")
    assert cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "omlsa", *gated).code == 3
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["backend"], row["latency_ms"]) == ("none", "0")


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_output_that_cannot_get_its_name_leaves_no_residual(cli, tmp_path, noisy_speech, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    gated = ("--gate", "noise_floor<-200", "--if-fails", "quarantine")
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", *gated)
    judge = Judge.__call__

    def taken_meanwhile(*given):
        place = judge(*given)
        place.parent.mkdir()
        place.write_text("of another")
        return place

    monkeypatch.setattr(Judge, "__call__", taken_meanwhile)
    ran = cli(*arguments, "--residual")
    assert ran.code == 1 and "exists already" in ran.stderr
    assert [path.name for path in (tmp_path / "out" / "quarantine").iterdir()] == ["a.wav"]
    again = cli(*arguments)  # known before anything is cleaned
    assert again.code == 1 and "quarantine/a.wav: the output exists" in again.stderr


@pytest.mark.parametrize("clip_mode", ["limit", "clamp"])
def test_levels_after_are_those_of_the_file_that_was_written(cli, tmp_path, noisy_speech, clip_mode):
    soundfile.write(tmp_path / "a.wav", 20 * noisy_speech(2.0, 16000), 16000, subtype="FLOAT")
    ran = cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "o", "-b", "none", *["--subtype", "PCM_16"],
              "--clip-mode", clip_mode)  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert cli("denoise", tmp_path / "o/a.wav", "-o", tmp_path / "p", "-b", "none").code == 0
    (first,), (second,) = rows(tmp_path / "o"), rows(tmp_path / "p")
    for what in ("peak", "rms", "noise_floor"):
        assert float(first[f"{what}_out_dbfs"]) == pytest.approx(float(second[f"{what}_in_dbfs"]), abs=0.01)
    assert int(first["clipped_out"]) > 0


@pytest.mark.usefixtures("quick_dnsmos")
def test_one_that_passes_tells_of_the_one_that_failed(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--skip-existing", "--gate")
    assert cli(*arguments, "noise_floor<-200", "--if-fails", "quarantine").code == 3
    assert "is still in" in cli(*arguments, "noise_floor<0").stderr
    apart = tmp_path / "out" / "quarantine" / "a.wav"
    apart.write_bytes(apart.read_bytes()[:-100])
    ran = cli(*arguments, "noise_floor<-200", "--if-fails", "quarantine")
    assert ran.code == 1 and "is not as it was made" in ran.stderr


def test_an_output_that_was_damaged_or_edited_is_not_taken_for_done(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    out = tmp_path / "out" / "a.wav"
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--skip-existing")
    assert cli(*arguments).code == 0
    whole = out.stat().st_size
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        assert [int(row["output_bytes"]) for row in csv.DictReader(file)] == [whole]
    os.truncate(out, 500)
    for more in ((), ("--strength", "0.5")):
        ran = cli(*arguments, *more)
        assert ran.code == 1 and f"is not as it was made: 500 bytes, not {whole}" in ran.stderr
    assert cli(*(a for a in arguments if a != "--skip-existing"), "--overwrite").code == 0
    assert out.stat().st_size == whole and "1 skipped" in cli(*arguments).stderr


def test_an_edit_that_keeps_the_size_is_not_lost(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    out = tmp_path / "out" / "a.wav"
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--skip-existing")
    assert cli(*arguments).code == 0
    edited, rate = soundfile.read(out, dtype="int16")
    edited[1000:2000] = 0
    soundfile.write(out, edited, rate, subtype="PCM_16")
    assert "1 skipped" in cli(*arguments).stderr
    ran = cli(*arguments, "--strength", "0.5")
    assert ran.code == 1 and "was changed since it was made" in ran.stderr
    np.testing.assert_array_equal(soundfile.read(out, dtype="int16")[0], edited)


@pytest.mark.usefixtures("quick_dnsmos")
def test_other_options_go_on_in_the_same_log(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--skip-existing")
    assert cli(*arguments).code == 0
    gated = (*arguments, "--gate", "noise_floor<0", "--if-fails", "original")
    assert "clean" in cli(*gated, "--dry-run").stdout
    assert "1 done" in cli(*gated).stderr
    skipped = cli(*gated).stderr
    assert "1 skipped" in skipped and "rejected" not in skipped
    assert "1 done" in cli(*arguments, "--loudness", "-20").stderr
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "done", "skipped", "done"]


@pytest.mark.usefixtures("quick_dnsmos")
@pytest.mark.parametrize("if_fails", ["keep", "original"])
def test_a_recording_that_is_moved_away_while_it_is_read_is_read_to_its_end(
    cli, tmp_path, noisy_speech, monkeypatch, if_fails
):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    make = Result.make

    def made(self, processor):
        (tmp_path / "a.wav").unlink()
        return make(self, processor)

    monkeypatch.setattr(Result, "make", made)
    gated = ("--gate", "noise_floor<-200", "--if-fails", if_fails)
    ran = cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", *gated)
    assert ran.code == 3 and soundfile.info(tmp_path / "out" / "a.wav").frames == 16000, ran.stderr


def test_a_noise_print_that_is_of_no_use_is_said(cli, tmp_path, noisy_speech):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    for backend, useless in (("fullband", True), ("omlsa", False), ("omlsa,fullband", False), ("fullband,omlsa", True)):
        ran = cli("denoise", tmp_path / "a.wav", "-o", tmp_path / backend, "-b", backend, "--noise-from", "0-0.3")
        assert ran.code == 0 and ("the noise profile was ignored" in ran.stderr) == useless, ran.stderr


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_output_that_stays_beside_a_quarantined_one_is_told_of(cli, tmp_path, noisy_speech):
    write(tmp_path / "a.wav", noisy_speech(1.0, 16000))
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener")
    assert cli(*arguments).code == 0
    ran = cli(*arguments, "--gate", "noise_floor<-200", "--if-fails", "quarantine", "--overwrite")
    assert ran.code == 3 and f"note: an earlier one is still at {tmp_path / 'out' / 'a.wav'}" in ran.stderr


@pytest.mark.usefixtures("quick_dnsmos")
@pytest.mark.parametrize(("if_fails", "folder"), [("keep", "."), ("original", "."), ("quarantine", "quarantine")])
def test_what_was_removed_goes_where_the_output_goes(cli, tmp_path, noisy_speech, if_fails, folder):
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.0, 16000), 16000, subtype="PCM_16")
    gated = ("--gate", "noise_floor<-200", "--if-fails", if_fails)
    arguments = ("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--residual", "--skip-existing")
    assert cli(*arguments, *gated).code == 3
    made = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.wav")}
    assert made == {Path(folder, "a.wav"), Path(folder, "a.residual.wav")}
    removed, _ = soundfile.read(tmp_path / "out" / folder / "a.residual.wav", dtype="int16")
    assert (removed == 0).all() == (if_fails == "original")
    again = cli(*arguments, *gated)
    assert again.code == 0 and "1 skipped, 1 of them rejected by the gate earlier" in again.stderr
    assert cli(*arguments, "--gate", "noise_floor<0").code == 0  # another recipe, so made anew


def test_gates_that_make_no_sense_here(cli, tmp_path, speech_like):
    soundfile.write(tmp_path / "a.wav", speech_like(1.0, 16000), 16000)
    for extra in (("--gate", "reference"), ("--if-fails", "original"), ("--gate", "nonsense")):
        assert cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "o", "-b", "wiener", *extra).code == 2
    piped = ("denoise", tmp_path / "a.wav", "-o", "-", "--gate", "rtf<9", "--if-fails", "quarantine")
    assert "no quarantine" in cli(*piped).stderr


@pytest.mark.usefixtures("quick_dnsmos")
@pytest.mark.parametrize(("suffix", "subtype"), [("mp3", None), ("ogg", None), ("wav", "PCM_16")])
def test_an_original_is_kept_byte_for_byte(cli, tmp_path, noisy_speech, suffix, subtype):
    recording = tmp_path / f"a.{suffix}"
    soundfile.write(recording, noisy_speech(2.0, 48000), 48000, subtype=subtype)
    gated = ("-b", "wiener", "--gate", "noise_floor<-200", "--if-fails", "original")
    assert cli("denoise", recording, "-o", tmp_path / "out", *gated).code == 3
    assert (tmp_path / "out" / recording.name).read_bytes() == recording.read_bytes()
    assert cli("denoise", recording, "-o", tmp_path / "part", *gated, "--excerpt", "0-1").code == 3
    assert soundfile.info(tmp_path / "part" / recording.name).duration == pytest.approx(1.0, abs=0.05)
    assert cli("denoise", recording, "-o", tmp_path / "else", *gated, "--format", "flac").code == 3
    assert soundfile.info(tmp_path / "else" / "a.flac").format == "FLAC"


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_original_is_kept_at_its_level_whatever_peaks_it_has(cli, tmp_path, noisy_speech):
    loud = noisy_speech(2.0, 48000)
    loud *= 3 / np.abs(loud).max()
    recording = write(tmp_path / "a.wav", loud, 48000, subtype="FLOAT")
    lossy = tmp_path / "a.mp3"
    soundfile.write(lossy, soundfile.read(recording)[0], 48000)
    gated = ("-b", "wiener", "--gate", "noise_floor<-200", "--if-fails", "original", "--clip-mode", "rescale")
    assert cli("denoise", lossy, "-o", tmp_path / "out", *gated).code == 3
    assert (tmp_path / "out" / "a.mp3").read_bytes() == lossy.read_bytes()
    (row,) = rows(tmp_path / "out")
    assert row["peak_out_dbfs"] == row["peak_in_dbfs"] and float(row["peak_in_dbfs"]) > 3
    assert "scaled" not in row["notes"]


def test_a_model_belongs_to_a_backend(cli, tmp_path, clip):
    recording = write(tmp_path / "a.wav", clip)
    for arguments in (("--model", "no.onnx"), ("-b", "auto:no.onnx"), ("-b", "wiener,auto:no.onnx")):
        ran = cli("denoise", recording, "-o", tmp_path / "out", *arguments)
        assert ran.code == 2 and "auto chooses its backend itself, and takes no model no.onnx" in ran.stderr


def test_nothing_to_do_is_no_news_where_that_is_allowed(cli, tmp_path):
    (tmp_path / "in").mkdir()
    arguments = ("denoise", tmp_path / "in", tmp_path / "*.wav", "-r", "-o", tmp_path / "out", "--skip-existing")
    ran = cli(*arguments, "--allow-empty", "--quiet", "--json")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        assert not list(csv.DictReader(file))
    ran = cli(*arguments, "--quiet")
    assert ran.code == 4 and "no audio files in this folder" in ran.stderr


def test_files_that_differ_in_their_endings_are_set_apart_as_is_told(cli, tmp_path, noisy_speech):
    for suffix in ("flac", "wav"):
        soundfile.write(tmp_path / f"t.{suffix}", noisy_speech(2.0, 16000), 16000)
    inputs = ("denoise", tmp_path / "t.flac", tmp_path / "t.wav", "-o", tmp_path / "out", "-b", "wiener", "-f", "wav")
    ran = cli(*inputs, "--dry-run")
    told = re.search(r'for instance "([^"]*)"', " ".join(ran.stdout.split()))
    assert told is not None
    assert cli(*inputs, "--name", told[1]).code == 0
    assert len(list((tmp_path / "out").glob("*.wav"))) == 2


@pytest.mark.parametrize(
    ("name", "format", "code"),
    [("{stem}.wav", "flac", 1), ("{stem}.wave", "wav", 0), ("{stem}.aif", "aiff", 0), ("{stem}.v2.{ext}", "flac", 0)],
)
def test_a_name_cannot_say_another_format(cli, tmp_path, noisy_speech, name, format, code):
    soundfile.write(tmp_path / "a.wav", noisy_speech(2.0, 16000), 16000)
    ran = cli("denoise", tmp_path / "a.wav", "-o", tmp_path / "out", "-b", "wiener", "--name", name, "-f", format)
    assert ran.code == code and ("whose format is flac" in ran.stderr) == bool(code)


@pytest.mark.parametrize(
    "arguments", [("denoise", "-o", "out", "-m", "-"), ("inspect", "-o", "-"), ("score", "--report", "-")]
)
def test_a_file_cannot_be_stdout(cli, tmp_path, noisy_speech, arguments):
    soundfile.write(tmp_path / "a.wav", noisy_speech(2.0, 16000), 16000)
    ran = cli(arguments[0], tmp_path / "a.wav", *arguments[1:])
    assert ran.code == 2 and "this file cannot go to stdout" in ran.stderr


def test_an_archive_that_has_moved_is_known_all_the_same(cli, tmp_path, clip):
    write(tmp_path / "inbox" / "a.wav", clip)
    write(tmp_path / "inbox" / "b.wav", clip[::-1])
    arguments = ("denoise", tmp_path / "inbox", "-b", "wiener", "--skip-existing", "-o")
    assert cli(*arguments, tmp_path / "old").code == 0
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new" / "b.wav").write_bytes(b"of somebody else")
    ran = cli(*arguments, tmp_path / "new")
    assert ran.code == 1 and "1 skipped" in ran.stderr and "new/b.wav: the output exists, and is not in" in ran.stderr


def test_a_folder_is_the_same_by_a_link(cli, tmp_path, clip):
    recording = write(tmp_path / "inbox" / "a.wav", clip)
    (tmp_path / "link").symlink_to("inbox")
    arguments = ("-b", "wiener", "--skip-existing", "-o", tmp_path / "out")
    assert cli("denoise", tmp_path / "inbox", *arguments).code == 0
    write(recording, clip[:8000])
    ran = cli("denoise", tmp_path / "link", *arguments)
    assert ran.code == 0 and "1 done" in ran.stderr, ran.stderr


def test_recordings_alike_in_name_size_and_time_are_two(cli, tmp_path, clip):
    """As recorders make them that cut every hour."""
    for card, samples in (("one", clip), ("two", clip[::-1])):
        os.utime(write(tmp_path / card / "001.wav", samples), (1.7e9, 1.7e9))
    arguments = ("-b", "wiener", "--skip-existing", "-o", tmp_path / "out")
    assert cli("denoise", tmp_path / "one", *arguments).code == 0
    ran = cli("denoise", tmp_path / "two", *arguments)
    assert ran.code == 1 and "was made of another recording" in ran.stderr
    shutil.rmtree(tmp_path / "two")
    (tmp_path / "one").rename(tmp_path / "two")
    ran = cli("denoise", tmp_path / "two", *arguments)
    assert ran.code == 0 and "1 skipped" in ran.stderr, "it has moved"


def test_outputs_beside_recordings_behind_a_link_are_none(cli, tmp_path, clip):
    write(tmp_path / "other" / "b.wav", clip)
    write(tmp_path / "rec" / "a.wav", clip)
    (tmp_path / "rec" / "link").symlink_to("../other")
    arguments = ("denoise", tmp_path / "rec", "-r", "-o", tmp_path / "rec", "-b", "wiener", "--suffix", "_c")
    assert cli(*arguments, "--skip-existing").code == 0
    ran = cli(*arguments, "--skip-existing")
    assert ran.code == 0 and "0 done" in ran.stderr, ran.stderr


def test_names_have_an_extension(cli, tmp_path, clip):
    recording = write(tmp_path / "a.wav", clip)
    for name in ("{stem}_clean", "{stem}.txt"):
        ran = cli("denoise", recording, "-b", "wiener", "-o", tmp_path / "out", "--name", name)
        assert ran.code == 2 and "makes names without an extension (end it with .{ext})" in ran.stderr


def test_names_with_control_characters_do_not_reach_the_terminal(cli, tmp_path, clip):
    recording = write(tmp_path / "a.wav", np.concatenate([clip, [np.nan]]), subtype="FLOAT")
    recording = recording.rename(tmp_path / "a\x1b[31m.wav")
    ran = cli("denoise", recording, "-b", "wiener", "-o", tmp_path / "out")
    assert "\x1b" not in ran.stderr and "\\x1b[31m.wav: note: " in ran.stderr
    assert "\x1b" not in cli("denoise", recording, "-o", tmp_path / "out", "--dry-run", "--overwrite").stdout
