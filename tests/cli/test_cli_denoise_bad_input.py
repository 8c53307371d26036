"""Bad input: a clear message with the file and the remedy, the right exit code, the other files done, nothing left."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from cli_helpers import (
    WITHOUT_ROOT,
    audio,
    hidden,
    read,
    rows,
    shape,
    small_files_only,
    wav_bytes,
    write,
    write_damaged,
)

from cleanaudio.batch.take import Take

WIENER = ("-b", "wiener", "-j", "1")
RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)
NAMES = (
    "with spaces.wav",
    "a 'single' and \"double\".wav",
    "two\nlines.wav",
    "café ünïcode 日本.wav",
    os.fsdecode(b"latin \xe9t\xe9.wav"),
    "-b.wav",
    "100% {stem} $HOME.wav",
    "[red]rich[bold].wav",
    "semi;colon,comma.wav",
    "LOUD.WAV",
)
BAD = {
    "text.wav": "is not audio",
    "random.flac": "is not audio",
    "random like mpeg.mp3": "is not audio",
    "half a header.flac": "damaged|not audio",
    "spoiled at once.flac": "nothing of the 16000 frames that the header promises can be read",
    "empty.wav": "is empty",
    "bare header.wav": "ends before any samples",
    "chunk of 4 GB.wav": "claims a chunk 'junk' of 4294967280 bytes",
    "1000 channels.wav": "claims 1000 channels",
    "rate 0.wav": "rate of 0 Hz",
    "cut at once.mp3": "nothing in it can be decoded",
    "dangling.wav": "leads nowhere",
    "own loop.wav": "leads nowhere|too many levels",
}
ODD = {
    "truncated.wav": "the header promises 16000 frames, 9000 are there",
    "promises more.wav": "the header promises 1000000 frames, 16000 are there",
    "not numbers.wav": "4 samples were not numbers",
    "integer scale.wav": "dB over full scale: export it with samples up to ±1",
    "no frames.wav": "holds no samples",
}


def int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32767).astype(np.int16)


def make(folder: Path, clip: np.ndarray, voice) -> None:
    """Fill a folder with all that may go wrong, and with what must go well all the same."""
    folder.mkdir()
    pcm = int16(clip)
    whole = wav_bytes(pcm)
    write(folder / "good.wav", clip)
    (folder / "text.wav").write_text("this is not audio at all\n" * 50)
    (folder / "random.flac").write_bytes(np.random.default_rng(2).bytes(5000))
    (folder / "random like mpeg.mp3").write_bytes(np.random.default_rng(1).bytes(5000))  # begins with 0xFFE4
    write(folder / "flac.flac", clip)
    (folder / "half a header.flac").write_bytes((folder / "flac.flac").read_bytes()[:30])
    data = (folder / "flac.flac").read_bytes()
    (folder / "spoiled at once.flac").write_bytes(data[:2000] + bytes(200) + data[2200:])
    (folder / "empty.wav").touch()
    (folder / "bare header.wav").write_bytes(whole[:36])
    (folder / "chunk of 4 GB.wav").write_bytes(whole[:36] + b"junk" + struct.pack("<I", 0xFFFFFFF0) + bytes(100))
    (folder / "1000 channels.wav").write_bytes(wav_bytes(pcm, channels=1000))
    (folder / "rate 0.wav").write_bytes(wav_bytes(pcm, rate=0))
    mp3 = write(folder / "mp3.mp3", clip, subtype="MPEG_LAYER_III")
    (folder / "cut at once.mp3").write_bytes(mp3.read_bytes()[:300])
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "own loop.wav").symlink_to("own loop.wav")
    (folder / "truncated.wav").write_bytes(whole[: 44 + 2 * 9000])
    (folder / "promises more.wav").write_bytes(wav_bytes(pcm, data_size=2_000_000))
    (folder / "no frames.wav").write_bytes(wav_bytes(pcm[:0]))
    spoiled = clip.copy()
    spoiled[[100, 5000, 9000, 9001]] = np.nan, np.inf, -np.inf, -1e30
    write(folder / "not numbers.wav", spoiled, subtype="FLOAT")
    write(folder / "integer scale.wav", clip * 2.0**23, subtype="FLOAT")
    write(folder / "silence.wav", np.zeros(16000))
    write(folder / "one frame.wav", clip[8000:8001])
    write(folder / "3 ms.wav", clip[8000:8048])
    write(folder / "dc.wav", np.full(16000, 0.25))
    write(folder / "square.wav", np.where(np.arange(16000) // 40 % 2, 1.0, -1.0).astype(np.float32), subtype="PCM_24")
    write(folder / "8 channels.wav", np.stack([np.roll(clip, 7 * n) for n in range(8)], axis=1))
    for rate in RATES:
        write(folder / f"at {rate}.wav", voice(1.0, rate), rate)
    for name in NAMES:
        write(folder / "upper.wav", clip[4000:12000]).rename(folder / name)


@pytest.fixture(scope="module")
def clip(noisy_speech) -> np.ndarray:
    """Half a second of noisy speech at 16 kHz."""
    return noisy_speech(2.0)[16000:24000]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, program, noisy_speech) -> SimpleNamespace:
    """One run over a folder of everything, by two workers."""
    base = tmp_path_factory.mktemp("mixed")
    source, out = base / "in", base / "out"
    make(source, noisy_speech(1.0), noisy_speech)
    ran = program("denoise", source, "-o", out, "-b", "wiener", "-j", "2", "--json")
    return SimpleNamespace(
        source=source,
        out=out,
        code=ran.returncode,
        stderr=ran.stderr.decode("utf-8", "surrogateescape"),
        json=[json.loads(line) for line in ran.stdout.splitlines()],
        rows={os.path.basename(row["input"]): row for row in rows(out)},
    )


def test_some_failed_and_nothing_is_left(mixed):
    assert mixed.code == 1
    assert "Traceback" not in mixed.stderr and "this is a bug" not in mixed.stderr
    assert hidden(mixed.out) == []
    assert len(mixed.rows) == len(mixed.json) == len(list(mixed.source.iterdir()))
    assert {name for name, row in mixed.rows.items() if row["status"] == "failed"} == set(BAD)


def test_a_name_of_other_bytes_is_written_as_shells_write_it(program, tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_text("no audio")
    ran = program("denoise", tmp_path, "-o", tmp_path / "out")
    assert b"/caf\\xe9.wav: is not audio" in ran.stderr


def test_what_is_missing_is_told_before_what_auto_is(program, tmp_path):
    ran = program("denoise", tmp_path / "a.wav")
    assert ran.returncode == 2
    assert ran.stderr == b"cleanaudio: where shall the results go? (give -o FOLDER)\n"


@pytest.mark.parametrize("name", BAD)
def test_bad_files_fail_with_a_reason_and_a_remedy(mixed, name):
    row = mixed.rows[name]
    assert row["status"] == "failed"
    (line,) = [line for line in mixed.stderr.splitlines() if f"/in/{name}: " in line]
    assert any(part in line.lower() for part in BAD[name].lower().split("|"))
    assert line.endswith(")"), "there is no remedy"
    assert line == f"cleanaudio: {row['reason']}"
    assert not (mixed.out / name).exists()


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_done_and_it_is_said(mixed, name):
    assert mixed.rows[name]["status"] == "done"
    assert ODD[name] in mixed.rows[name]["notes"]
    assert ODD[name] in mixed.stderr


def test_all_else_is_done_and_keeps_its_shape(mixed):
    done = [name for name, row in mixed.rows.items() if row["status"] == "done"]
    assert len(done) == len(list(mixed.source.iterdir())) - len(BAD)
    for name in done:
        made = shape(mixed.out / name)
        row = mixed.rows[name]
        assert (row["rate"], row["channels"], row["frames"]) == tuple(map(str, made[:3]))
        assert np.isfinite(read(mixed.out / name)).all()
        if name not in ODD:
            assert made == shape(mixed.source / name)


def test_silence_stays_digital_silence(mixed):
    assert not read(mixed.out / "silence.wav").any()
    assert not any(
        mixed.rows["silence.wav"][column] for column in ("peak_out_dbfs", "snr_in_db", "noise_floor_in_dbfs")
    )


def test_full_scale_does_not_wrap(mixed):
    before, after = read(mixed.source / "square.wav")[:, 0], read(mixed.out / "square.wav")[:, 0]
    assert np.abs(after).max() > 0.1
    assert np.mean(np.sign(before) == np.sign(after)) > 0.95
    assert mixed.rows["square.wav"]["clipped_in"] == "16000"


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_as_they_are(mixed, name):
    assert (mixed.out / name).is_file()
    assert mixed.rows[name]["output"] == str(mixed.out / name)
    assert str(mixed.out / name) in [entry["output"] for entry in mixed.json]


def test_numbers_in_json_are_numbers(mixed):
    entry = next(entry for entry in mixed.json if entry["input"].endswith("silence.wav"))
    assert entry["peak_out_dbfs"] is None and entry["frames"] == 16000 and entry["status"] == "done"


def test_nothing_at_all(cli, tmp_path):
    ran = cli("denoise", "-o", tmp_path / "out")
    assert ran.code == 2 and "name files or folders" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_no_such_file(cli, tmp_path):
    ran = cli("denoise", tmp_path / "nowhere.wav", "-o", tmp_path / "out", *WIENER)
    assert ran.code == 1 and f"{tmp_path / 'nowhere.wav'}: no such file" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [row["status"] for row in rows(tmp_path / "out")] == ["failed"]


@pytest.mark.parametrize("kind", ["folder", "glob", "list"])
def test_nothing_matched(cli, tmp_path, kind):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").write_text("")
    what = {"folder": tmp_path / "in", "glob": tmp_path / "in/*.wav", "list": f"@{tmp_path / 'in/notes.txt'}"}[kind]
    common = ("denoise", what, "-o", tmp_path / "out", *WIENER)
    ran = cli(*common)
    assert ran.code == 4 and "--allow-empty" in ran.stderr
    assert cli(*common, "--allow-empty").code == 0


def test_an_empty_folder_beside_a_good_file_is_said(cli, tmp_path, clip):
    (tmp_path / "none").mkdir()
    good = write(tmp_path / "good.wav", clip)
    ran = cli("denoise", tmp_path / "none", good, "-o", tmp_path / "out", *WIENER)
    assert ran.code == 1 and "no audio files in this folder" in ran.stderr
    assert audio(tmp_path / "out") == {"good.wav"}
    ran = cli("denoise", tmp_path / "none", good, "-o", tmp_path / "again", *WIENER, "--allow-empty")
    assert ran.code == 0 and audio(tmp_path / "again") == {"good.wav"}


def test_loops_of_links_end(cli, tmp_path, clip):
    write(tmp_path / "in/a.wav", clip)
    (tmp_path / "in/sub").mkdir()
    (tmp_path / "in/sub/up").symlink_to(tmp_path / "in")
    (tmp_path / "in/self").symlink_to("self")
    (tmp_path / "in/there").symlink_to("back")
    (tmp_path / "in/back").symlink_to("there")
    ran = cli("denoise", tmp_path / "in", "-r", "-o", tmp_path / "out", *WIENER)
    assert ran.code == 0, ran.stderr
    assert audio(tmp_path / "out") == {"a.wav"}


def test_an_output_folder_inside_the_input_folder(cli, tmp_path, clip):
    write(tmp_path / "a.wav", clip)
    common = ("denoise", tmp_path, "-r", "-o", tmp_path / "out", *WIENER)
    assert cli(*common).code == 0
    assert cli(*common, "--overwrite").code == 0
    assert audio(tmp_path) == {"a.wav", "out/a.wav"}


def test_a_name_beside_the_input_is_not_cleaned_again(cli, tmp_path, clip):
    write(tmp_path / "a.wav", clip)
    common = ("denoise", tmp_path, "-o", tmp_path, *WIENER, "--suffix", "_clean", "--skip-existing")
    assert cli(*common).code == 0
    assert audio(tmp_path) == {"a.wav", "a_clean.wav"}
    assert cli(*common).code == 0
    assert audio(tmp_path) == {"a.wav", "a_clean.wav"}


@pytest.mark.parametrize("how", ["folder", "file", "linked folder", "hard link"])
def test_the_input_is_never_replaced(cli, tmp_path, clip, how):
    path = write(tmp_path / "in/a.wav", clip)
    before = path.read_bytes()
    target = tmp_path / "in"
    if how == "file":
        target = path
    elif how == "linked folder":
        target = tmp_path / "link"
        target.symlink_to("in")
    elif how == "hard link":
        target = tmp_path / "out"
        target.mkdir()
        os.link(path, target / "a.wav")
    ran = cli("denoise", path, "-o", target, *WIENER, "--overwrite")
    assert ran.code == 1 and "replace the input itself" in ran.stderr and "--suffix" in ran.stderr
    assert path.read_bytes() == before and hidden(tmp_path) == []


def test_two_inputs_with_one_output(cli, tmp_path, clip):
    one, two = (write(tmp_path / folder / "x.wav", clip) for folder in "ab")
    ran = cli("denoise", one, two, "-o", tmp_path / "out", *WIENER)
    assert ran.code == 1 and f"{two}: {one} has the same output" in ran.stderr and "--name" in ran.stderr
    assert [row["status"] for row in rows(tmp_path / "out")] in (["done", "failed"], ["failed", "done"])
    ran = cli("denoise", one, two, "-o", tmp_path / "out2", *WIENER, "--name", "{parent}-{stem}.{ext}")
    assert ran.code == 0 and audio(tmp_path / "out2") == {"a-x.wav", "b-x.wav"}


def test_a_pipe_is_no_file(cli, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    ran = cli("denoise", tmp_path / "pipe.wav", "-o", tmp_path / "out", *WIENER)
    assert ran.code == 1 and "not a regular file" in ran.stderr and "stdin" in ran.stderr


def test_a_file_that_may_not_be_read(program, tmp_path, clip):
    for name in "ab":
        write(tmp_path / f"in/{name}.wav", clip)
    (tmp_path / "in/a.wav").chmod(0)
    ran = program("denoise", tmp_path / "in", "-o", tmp_path / "out", *WIENER, prefix=WITHOUT_ROOT)
    assert ran.returncode == 1
    assert b"in/a.wav: may not be read (give yourself permission" in ran.stderr and b"Traceback" not in ran.stderr
    assert audio(tmp_path / "out") == {"b.wav"} and hidden(tmp_path) == []


def test_a_folder_that_may_not_be_read(program, tmp_path, clip):
    write(tmp_path / "in/b.wav", clip)
    (tmp_path / "in/closed").mkdir(mode=0)
    ran = program("denoise", tmp_path / "in", "-r", "-o", tmp_path / "out", *WIENER, prefix=WITHOUT_ROOT)
    assert ran.returncode == 1
    assert b"in/closed: the folder cannot be read: Permission denied" in ran.stderr
    assert audio(tmp_path / "out") == {"b.wav"}


def test_an_output_folder_that_may_not_be_written_to(program, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    (tmp_path / "out").mkdir(mode=0o555)
    for target in (tmp_path / "out", tmp_path / "out/below", tmp_path / "out/a.wav"):
        ran = program("denoise", path, "-o", target, *WIENER, prefix=WITHOUT_ROOT)
        assert ran.returncode == 2, ran.stderr
        assert b"out: the folder cannot be written to (choose another folder with -o" in ran.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_one_folder_below_the_output_that_may_not_be_written_to(program, tmp_path, clip):
    for name in ("a.wav", "closed/b.wav"):
        write(tmp_path / "in" / name, clip)
    (tmp_path / "out/closed").mkdir(parents=True)
    (tmp_path / "out/closed").chmod(0o555)
    ran = program("denoise", tmp_path / "in", "-r", "-o", tmp_path / "out", *WIENER, prefix=WITHOUT_ROOT)
    assert ran.returncode == 1
    assert b"out/closed/b.wav: cannot be written: Permission denied (choose another folder" in ran.stderr
    assert audio(tmp_path / "out") == {"a.wav"} and hidden(tmp_path) == []


@pytest.mark.parametrize("target", ["there.txt", "there.txt/below"])
def test_an_output_folder_that_is_a_file(cli, tmp_path, clip, target):
    (tmp_path / "there.txt").touch()
    path = write(tmp_path / "a.wav", clip)
    ran = cli("denoise", path, "-o", tmp_path / target, *WIENER)
    assert ran.code == 2 and f"{tmp_path / 'there.txt'}: not a folder" in ran.stderr


@pytest.mark.parametrize("name", ["pipe", "pipe.wav", "/dev/null"])
@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_an_output_that_is_a_pipe_or_a_device(cli, tmp_path, clip, name, options):
    path = write(tmp_path / "a.wav", clip)
    target = tmp_path / name
    if not target.exists():
        os.mkfifo(target)
    ran = cli("denoise", path, "-o", target, *WIENER, *options)
    assert ran.code == 2 and f"{target}: is not a regular file (use -o - for a pipe)" in ran.stderr
    assert hidden(tmp_path) == []


def test_a_folder_that_has_the_name_of_an_output(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    (tmp_path / "out/a.wav").mkdir(parents=True)
    ran = cli("denoise", path, "-o", tmp_path / "out", *WIENER, "--overwrite")
    assert ran.code == 1 and "a folder has the name of the output" in ran.stderr


@pytest.fixture(params=["limit", "disk"])
def small_disk(request, tmp_path):
    """A folder on which some 400 kB fit, and the prefix of a command that shall meet its end there.

    A real small disk needs the right to mount one; where that is not given, the limit on the size of a file stands in.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    if request.param == "disk":
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True)
        if mounted.returncode == 0:
            yield folder, ()
            subprocess.run(["umount", folder], check=True)
            return
    yield folder, small_files_only(200_000)


def test_a_full_disk(program, tmp_path, small_disk, clip):
    folder, prefix = small_disk
    write(tmp_path / "in/1 long.wav", np.tile(clip, 40))
    write(tmp_path / "in/2 short.wav", clip)
    ran = program("denoise", tmp_path / "in", "-o", folder, *WIENER, prefix=prefix)
    assert ran.returncode == 1, ran.stderr
    assert b"1 long.wav: cannot be written: " in ran.stderr and b"Traceback" not in ran.stderr
    assert b"No space left" in ran.stderr or b"File too large" in ran.stderr
    assert audio(folder) == {"2 short.wav"} and hidden(folder) == []
    assert sorted(row["status"] for row in rows(folder)) == ["done", "failed"]


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
def test_a_full_disk_under_other_encoders(program, tmp_path, noise_like, suffix):
    path = write(tmp_path / f"in/long.{suffix}", np.tile(0.1 * noise_like(5.0, 16000, "white"), 8), subtype=None)
    ran = program("denoise", path, "-o", tmp_path / "out", *WIENER, prefix=small_files_only(60_000))
    assert ran.returncode == 1, ran.stderr
    assert b"cannot be written: File too large (" in ran.stderr and b"Traceback" not in ran.stderr
    assert audio(tmp_path / "out") == set() and hidden(tmp_path) == []


def test_a_log_that_is_full(program, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    log = tmp_path / "log.csv"
    common = ("denoise", path, *WIENER, "--metrics", log, "-o")
    assert program(*common, tmp_path / "out").returncode == 0
    limit = 40_000
    line = log.read_bytes().splitlines(keepends=True)[1]
    with open(log, "ab") as file:
        file.write(line * ((limit - log.stat().st_size) // len(line)))
    before = log.read_bytes()
    ran = program(*common, tmp_path / "out2", prefix=small_files_only(limit))
    assert ran.returncode == 1
    assert b"log.csv: the log cannot be written: File too large (" in ran.stderr and b"Traceback" not in ran.stderr
    assert log.read_bytes() == before
    # What is done and not in the log is remembered, and made anew when there is room again.
    again = program(
        "denoise", path, *WIENER, "--metrics", tmp_path / "new.csv", "--skip-existing", "-o", tmp_path / "out2"
    )
    assert again.returncode == 0 and audio(tmp_path / "out2") == {"a.wav"} and hidden(tmp_path) == []


def test_a_log_of_something_else(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    (tmp_path / "other.csv").write_text("name,age\nme,7\n")
    ran = cli("denoise", path, "-o", tmp_path / "out2", *WIENER, "--metrics", tmp_path / "other.csv")
    assert ran.code == 2 and "not a log" in ran.stderr
    assert (tmp_path / "other.csv").read_text() == "name,age\nme,7\n"
    assert not (tmp_path / "out2").exists()


def test_no_log(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    ran = cli("denoise", path, "-o", tmp_path / "out", *WIENER, "--metrics", "/dev/null")
    assert ran.code == 0, ran.stderr
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-b", "wienr"], "did you mean wiener?"),
        (["-b", "nothing-like-it"], "there are: "),
        (["-b", "wiener+"], "wiener"),
        (["-b", "wiener", "--set", "colour=blue"], "no option 'colour' (its options: "),
        (["-b", "wiener", "--set", "limit_db=much"], "'much' is not a number"),
        (["-b", "wiener", "--set", "limit_db=1e9"], "outside"),
        (["-b", "wiener", "--set", "limit_db"], "key=value"),
        (["-b", "wiener+log-mmse", "--set", "omlsa.limit_db=3"], "they are: wiener, log-mmse"),
        (["-b", "wiener", "--model", "x.onnx"], "takes no argument"),
        (["--strength", "2"], "--strength"),
        (["--limit-db", "-3"], "--limit-db"),
        (["--channels", "both"], "--channels"),
        (["--clip-mode", "wrap"], "--clip-mode"),
        (["--jobs", "0"], "--jobs"),
        (["--frobnicate"], "No such option"),
        (["--excerpt", "5"], "write START-END"),
        (["--noise-from", "0:00-0:61"], "go to 59"),
        (["--min-age", "soon"], "not a duration"),
        (["--name", "{title}.wav"], "a name template knows {stem}"),
        (["--name", "../{stem}.wav"], "inside the output folder"),
        (["--suffix", "a/b"], "holds a slash"),
        (["--suffix", "_clean", "--name", "{stem}.{ext}"], "write {suffix} into the name"),
        (["--skip-existing", "--overwrite"], "contradict"),
        (["--format", "doc"], "choose from wav"),
        (["--format", "flac", "--subtype", "VORBIS"], "FLAC cannot hold VORBIS (choose from "),
        (["--subtype", "PCM_17"], "there is no encoding PCM_17 (choose from "),
        (["--preset", "loudest"], "there are: "),
        (["--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (["--profile", "/no/such/print.json"], "/no/such/print.json"),
        (["--noise-from", "0-1", "--profile", "x.json"], "give one of them"),
        (["--fallback", "nothing-like-it"], "there are: "),
    ],
)
def test_usage_errors_stop_before_the_first_write(cli, tmp_path, clip, options, message):
    path = write(tmp_path / "a.wav", clip)
    ran = cli("denoise", path, "-o", tmp_path / "out", *(WIENER if "-b" not in options else ()), *options)
    assert ran.code == 2, ran.stderr
    assert message in ran.stderr and "Traceback" not in ran.stderr and ran.stdout == ""
    assert not (tmp_path / "out").exists()


def test_where_the_results_go_must_be_said(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    ran = cli("denoise", path)
    assert ran.code == 2 and "give -o FOLDER" in ran.stderr
    ran = cli("denoise", path, path, "-o", tmp_path / "one.wav")
    assert ran.code == 2 and "give a folder" in ran.stderr


@pytest.mark.parametrize("glob", [True, False])
def test_one_output_file_and_several_inputs(cli, tmp_path, clip, glob):
    for name in "ab":
        write(tmp_path / f"in/{name}.wav", clip)
    ran = cli("denoise", tmp_path / ("in/*" if glob else "in"), "-o", tmp_path / "one.wav", *WIENER)
    assert ran.code == 2 and "several inputs" in ran.stderr and not (tmp_path / "one.wav").exists()


def test_a_stretch_outside_the_recording(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    ran = cli("denoise", path, "-o", tmp_path / "out", *WIENER, "--excerpt", "0:10-0:20")
    assert ran.code == 1 and f"{path}: the stretch from 10 s lies outside" in ran.stderr
    assert audio(tmp_path / "out") == set() and hidden(tmp_path) == []


def test_a_rate_that_the_format_does_not_take(cli, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip, 22050)
    ran = cli("denoise", path, "-o", tmp_path / "out", *WIENER, "--format", "opus")
    assert ran.code == 1 and f"{path}: " in ran.stderr and "22050" in ran.stderr
    assert audio(tmp_path / "out") == set()


def test_mid_side_of_one_channel_is_no_error_and_of_three_one_that_names_the_file(cli, tmp_path, clip):
    mono = write(tmp_path / "mono.wav", clip)
    three = write(tmp_path / "three.wav", np.stack([clip] * 3, axis=1))
    ran = cli("denoise", mono, three, "-o", tmp_path / "out", *WIENER, "--channels", "mid-side")
    assert ran.code == 1 and f"{three}: mid-side needs two channels" in ran.stderr
    assert audio(tmp_path / "out") == {"mono.wav"}


def test_a_full_stdout_is_no_bug_and_a_closed_or_full_stderr_no_failure(program, tmp_path, clip):
    source = write(tmp_path / "a.wav", clip)
    shell = ("bash", "-c", '"$@" $HOW', "-")
    for how, code in {">/dev/full": 1, "2>/dev/full": 0, "2>&-": 0, ">&-": 0}.items():
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        through = tuple(part.replace("$HOW", how) for part in shell)
        ran = program("denoise", source, "-o", out, "-b", "wiener", "--json", prefix=through)
        assert ran.returncode == code, (how, ran.stderr)
        assert (out / "a.wav").exists() and b"bug" not in ran.stderr
    assert (
        b"standard output: No space left" in program("backends", prefix=("bash", "-c", '"$@" >/dev/full', "-")).stderr
    )


def test_tracebacks_are_for_debugging(program, tmp_path, clip):
    path = write(tmp_path / "a.wav", clip)
    broken = tmp_path / "soundfile.py"
    broken.write_text("raise RuntimeError('no sound here')\n")
    common = ("denoise", path, "-o", tmp_path / "out", *WIENER)
    ran = program(*common, env={"PYTHONPATH": str(tmp_path)})
    assert ran.returncode == 1 and b"Traceback" not in ran.stderr
    assert b"no sound here" in ran.stderr and b"--debug shows where" in ran.stderr
    ran = program(*common, "--debug", env={"PYTHONPATH": str(tmp_path)})
    assert b"Traceback" in ran.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory (fewer --jobs, or a lighter backend)"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files (raise ulimit -n, or fewer --jobs)"),
    ],
)
def test_a_machine_that_has_no_more_to_give(cli, tmp_path, clip, monkeypatch, error, said):
    def fail(*_: object, **__: object) -> None:
        raise error

    path = write(tmp_path / "a.wav", clip)
    monkeypatch.setattr(Take, "blocks", fail)
    ran = cli("denoise", path, "-o", tmp_path / "out", *WIENER)
    assert ran.code == 1 and f"cleanaudio: {path}: {said}\n" in ran.stderr
    monkeypatch.setattr("cleanaudio.batch.recipe.decided", fail)
    ran = cli("stream", "--simulate", path)
    assert ran.code == 1 and ran.stderr == f"cleanaudio: {said}\n"


def test_soundfile_agrees_that_the_bad_ones_are_bad(mixed):
    """The folder is what it says: libsndfile itself refuses the broken files."""
    for name in ("text.wav", "random.flac", "half a header.flac", "empty.wav", "bare header.wav"):
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.info(str(mixed.source / name))


def test_outputs_that_are_no_place(cli, tmp_path, clip, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path / "a.wav", clip)
    for arguments in (("denoise", source, "-o", ""), ("mix", source, source, "--snr", 0, "-o", "-")):
        ran = cli(*arguments)
        assert ran.code == 2 and "give -o FOLDER" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_ogg_has_a_highest_rate(cli, tmp_path, clip):
    source = write(tmp_path / "a.wav", clip, 250_000)
    ran = cli("denoise", source, "-b", "wiener", "-f", "ogg", "-o", tmp_path / "out")
    assert ran.code == 1 and "OGG cannot hold a rate of 250000 Hz (it takes up to 200000 Hz" in ran.stderr


def test_flac_says_before_the_work_that_it_has_no_number_for_a_high_odd_rate(cli, tmp_path, clip):
    source = write(tmp_path / "a.wav", clip, 68_697)
    ran = cli("denoise", source, "-b", "wiener", "-f", "flac", "-o", tmp_path / "out")
    assert ran.code == 1 and "FLAC cannot hold 1 channel at 68697 Hz (choose another format, such as wav)" in ran.stderr


def test_silence_and_hardly_anything_have_a_noise_print_of_nothing(cli, tmp_path, clip):
    for name, samples in (("silent", 0 * clip), ("tiny", clip[:99])):
        write(tmp_path / "in" / f"{name}.wav", samples)
    ran = cli("denoise", tmp_path / "in", "-b", "omlsa", "--set", "tracker=profile", "-o", tmp_path / "out")
    assert ran.code == 0, ran.stderr


def test_a_flac_that_is_damaged_in_the_middle_says_where_and_what_can_be_saved(cli, tmp_path, noise_like):
    path = write_damaged(tmp_path / "a.flac", 0.1 * noise_like(4.0, 16000, "white"))
    ran = cli("denoise", path, "-b", "wiener", "-o", tmp_path / "out")
    assert ran.code == 1 and re.search(r"a\.flac: damaged at [12]\.\d\d s of 4\.00: .*--excerpt 0-1 cleans", ran.stderr)
    assert cli("denoise", path, "-b", "wiener", "-o", tmp_path / "out", "--excerpt", "0-1").code == 0
    assert shape(tmp_path / "out" / "a.flac")[2] == 16000


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_written_to_while_it_is_read_fails_and_what_is_removed_does_not(cli, tmp_path, clip, monkeypatch, gone):
    path = write(tmp_path / "a.wav", clip)

    def blocks(take: Take):
        yield from whole(take)
        if gone:
            path.unlink()
        else:
            write(path, 0.5 * clip)

    whole = Take.blocks
    monkeypatch.setattr(Take, "blocks", blocks)
    ran = cli("denoise", path, "-b", "wiener", "-o", tmp_path / "out")
    assert ran.code == (0 if gone else 1), ran.stderr
    assert gone or f"{path}: was written to while it was read (" in ran.stderr
    assert audio(tmp_path / "out") == ({"a.wav"} if gone else set()) and hidden(tmp_path) == []


def test_numbers_that_are_none_are_counted_once_however_often_an_excerpt_is_walked(cli, tmp_path, clip):
    broken = clip.copy()
    broken[[4100, 4200, 4300]] = np.nan
    source = write(tmp_path / "a.wav", broken, subtype="FLOAT")
    ran = cli("denoise", source, "-b", "wiener", "--excerpt", "0.1-", "--loudness", -20, "-o", tmp_path / "out")
    assert ran.code == 0 and "note: 3 samples were not numbers" in ran.stderr


def test_a_name_of_a_format_that_is_not_written_becomes_flac_whatever_the_file_is(cli, tmp_path, clip):
    write(tmp_path / "a.ogg", clip, subtype="VORBIS").rename(tmp_path / "talk.m4a")
    assert cli("denoise", tmp_path / "talk.m4a", "-b", "wiener", "-o", tmp_path / "out").code == 0
    assert shape(tmp_path / "out/talk.flac")[2:] == (8000, "FLAC", "PCM_16")


@pytest.mark.parametrize("name", ["talk", "talk.bin"])
def test_a_name_that_says_no_format_gets_the_files_own(cli, tmp_path, clip, name):
    loud = write(tmp_path / "a.wav", 30 * clip, subtype="FLOAT")  # what no integer could hold
    loud.rename(tmp_path / name)
    assert cli("denoise", tmp_path / name, "-b", "none", "-o", tmp_path / "out").code == 0
    np.testing.assert_array_equal(read(tmp_path / "out/talk.wav"), read(tmp_path / name))
