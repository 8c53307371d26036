"""``denoise`` in pipes: audio on stdin and stdout, names on stdin, and pipes that break."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import audio, read, rows, shape, started, wait_for, wav_bytes, write

UNKNOWN = 0xFFFFFFFF
QUIET = ("-b", "wiener", "-j", "1", "-q")


@pytest.fixture(scope="module")
def clip(noisy_speech) -> np.ndarray:
    """Half a second of noisy speech at 16 kHz, 16 bit."""
    return np.round(noisy_speech(2.0)[16000:24000] * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def whole(clip) -> bytes:
    return wav_bytes(clip)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory, program, whole) -> np.ndarray:
    """The clip cleaned as a file: what every pipe must give too."""
    folder = tmp_path_factory.mktemp("cleaned")
    (folder / "a.wav").write_bytes(whole)
    assert program("denoise", folder / "a.wav", "-o", folder / "out", *QUIET).returncode == 0
    return read(folder / "out/a.wav")


def heard(data: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(data), always_2d=True)[0]


@pytest.fixture
def piped(cli, monkeypatch, tmp_path):
    """``piped(arguments..., stdin=bytes)``: the command in this process; its temporaries go to ``tmp_path/room``."""

    def run(*arguments: object, stdin: bytes = b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "room"))
        (tmp_path / "room").mkdir(exist_ok=True)
        ran = cli(*arguments)
        assert list((tmp_path / "room").iterdir()) == []
        return ran

    return run


class TestAudioOnStdin:
    @pytest.mark.parametrize(
        "header",
        [
            {},
            {"data_size": UNKNOWN, "riff_size": UNKNOWN},  # ffmpeg
            {"data_size": 0x7FFFFFFF - 36, "riff_size": 0x7FFFFFFF},  # SoX
            {"data_size": 0, "riff_size": 0},
            {"data_size": 0, "riff_size": 36},
            {"data_size": UNKNOWN, "riff_size": UNKNOWN, "before": b"LIST\x0e\0\0\0INFOISFT\x02\0\0\0x\0"},
        ],
    )
    def test_any_header_will_do(self, piped, tmp_path, clip, cleaned, header):
        ran = piped("denoise", "-", "-o", tmp_path / "b.wav", *QUIET, stdin=wav_bytes(clip, **header))
        assert ran.code == 0 and ran.stderr == ""
        assert shape(tmp_path / "b.wav") == (16000, 1, 8000, "WAV", "PCM_16")
        assert np.abs(read(tmp_path / "b.wav") - cleaned).max() <= 3 / 32768  # the dither has another seed

    def test_goes_to_stdout(self, program, clip, cleaned):
        ran = program("denoise", "-", *QUIET, stdin=wav_bytes(clip, data_size=UNKNOWN, riff_size=UNKNOWN))
        assert ran.returncode == 0 and ran.stderr == b""
        assert np.abs(heard(ran.stdout) - cleaned).max() <= 3 / 32768

    @pytest.mark.parametrize(
        ("format", "subtype"), [("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("WAV", "FLOAT"), ("MP3", "MPEG_LAYER_III")]
    )
    def test_other_formats(self, piped, tmp_path, clip, format, subtype):
        file = io.BytesIO()
        soundfile.write(file, np.stack([clip, clip], axis=1) / 32768, 48000, subtype, format=format)
        assert piped("denoise", "-", "-o", tmp_path / "out", *QUIET, stdin=file.getvalue()).code == 0
        assert audio(tmp_path / "out") == {f"stdin.{format.lower()}"}
        assert shape(tmp_path / f"out/stdin.{format.lower()}") == (48000, 2, 8000, format, subtype)

    def test_into_another_format(self, program, whole):
        ran = program("denoise", "-", "-o", "-", "--format", "flac", *QUIET, stdin=whole)
        assert ran.returncode == 0 and ran.stdout[:4] == b"fLaC" and len(heard(ran.stdout)) == 8000

    def test_into_a_file_but_not_over_one(self, piped, tmp_path, whole):
        common = ("denoise", "-", "-o", tmp_path / "new/b.wav", *QUIET)
        assert piped(*common, stdin=whole).code == 0
        before = (tmp_path / "new/b.wav").read_bytes()
        ran = piped(*common, "--strength", "0", stdin=whole)
        assert ran.code == 1 and "b.wav: the output exists" in ran.stderr
        assert (tmp_path / "new/b.wav").read_bytes() == before
        assert piped(*common, "--strength", "0", "--overwrite", stdin=whole).code == 0
        assert (tmp_path / "new/b.wav").read_bytes() != before

    def test_into_a_folder(self, piped, tmp_path, whole):
        out = tmp_path / "out"
        ran = piped("denoise", "-", "-o", out, "--residual", "--suffix", "_x", "--json", *QUIET, stdin=whole)
        assert ran.code == 0, ran.stderr
        assert audio(out) == {"stdin_x.wav", "stdin_x.residual.wav"}
        (row,) = rows(out)
        assert (row["input"], row["output"], row["status"]) == ("-", str(out / "stdin_x.wav"), "done")
        assert json.loads(ran.stdout)["input"] == "-"

    def test_by_a_name_of_its_own(self, piped, tmp_path, whole):
        ran = piped("denoise", "-", "-o", tmp_path / "out", "--name", "night/{backend}.{ext}", *QUIET, stdin=whole)
        assert ran.code == 0 and audio(tmp_path / "out") == {"night/wiener.wav"}

    def test_is_never_too_young(self, piped, tmp_path, whole):
        common = ("denoise", "-", "-o", tmp_path / "out", "--min-age", "1h", "--skip-existing", *QUIET)
        assert piped(*common, stdin=whole).code == 0
        again = piped(*common, stdin=whole)  # what comes through a pipe may be anything
        assert again.code == 1 and "was made of another recording" in again.stderr
        assert [row["status"] for row in rows(tmp_path / "out")] == ["done", "failed"]

    def test_with_a_log(self, program, tmp_path, whole):
        ran = program("denoise", "-", "--metrics", tmp_path / "log.csv", *QUIET, stdin=whole)
        (row,) = rows(tmp_path / "log.csv")
        assert (row["input"], row["output"], row["frames"]) == ("-", "-", "8000")
        assert len(heard(ran.stdout)) == 8000

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "-: no data (pipe a recording into standard input)"),
            (b"not audio at all, but words\n" * 99, "-: is not audio"),
            (b"RIFF\xff\xff\xff\xffWAVE", "-: the WAV header ends before any samples"),
        ],
    )
    def test_what_is_no_audio(self, piped, data, message):
        ran = piped("denoise", "-", *QUIET, stdin=data)
        assert ran.code == 1 and ran.stdout == ""
        assert ran.stderr.startswith(f"cleanaudio: {message}") and "Traceback" not in ran.stderr

    def test_nothing_stays_in_the_temporary_folder(self, program, tmp_path, whole):
        ran = program("denoise", "-", *QUIET, stdin=whole, env={"TMPDIR": str(tmp_path)})
        assert ran.returncode == 0 and list(tmp_path.iterdir()) == []

    def test_what_broke_off_inside_a_sample(self, piped, tmp_path, whole):
        ran = piped("denoise", "-", "-o", tmp_path / "b.wav", "-b", "wiener", stdin=whole[:-7])
        assert ran.code == 0 and shape(tmp_path / "b.wav")[2] == 7996
        assert "-: note: the header promises 8000 frames, 7996 are there" in ran.stderr

    def test_closed(self, whole):
        command = [sys.executable, "-m", "cleanaudio", "denoise", "-", *QUIET]
        ran = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True)
        assert ran.returncode == 1 and b"stdin" in ran.stderr and b"bug" not in ran.stderr

    def test_of_a_young_file_is_refused_rather_than_not_minded(self, cli, tmp_path, whole):
        (tmp_path / "a.wav").write_bytes(whole)
        ran = cli("denoise", tmp_path / "a.wav", "-o", "-", "--min-age", "1h", "-b", "wiener")
        assert ran.code == 2 and "--min-age needs -o FOLDER" in ran.stderr

    def test_is_not_mixed_with_files(self, cli, tmp_path):
        ran = cli("denoise", "-", "a.wav", "-o", tmp_path)
        assert ran.code == 2 and "cannot be mixed" in ran.stderr


class TestAudioOnStdout:
    def test_of_a_file(self, program, tmp_path, whole, cleaned):
        (tmp_path / "a.wav").write_bytes(whole)
        ran = program("denoise", tmp_path / "a.wav", "-o", "-", "-b", "wiener")
        assert ran.returncode == 0 and ran.stderr.startswith(b"cleanaudio: 1 done")
        assert np.array_equal(heard(ran.stdout), cleaned)
        assert os.listdir(tmp_path) == ["a.wav"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["a.wav", "-o", "-", "--json"], "cannot share stdout"),
            (["a.wav", "-o", "-", "--residual"], "one signal"),
            (["a.wav", "b.wav", "-o", "-"], "stdout takes one recording, but there are several (give -o FOLDER)"),
            ([".", "-o", "-"], "stdout takes one recording, but there are several (give -o FOLDER)"),
        ],
    )
    def test_is_one_recording_and_nothing_else(self, piped, tmp_path, monkeypatch, whole, arguments, message):
        monkeypatch.chdir(tmp_path)
        for name in "ab":
            (tmp_path / f"{name}.wav").write_bytes(whole)
        ran = piped("denoise", *arguments, "-b", "wiener")
        assert ran.code == 2 and message in ran.stderr and ran.stdout == ""

    def test_of_what_is_not_there(self, piped, tmp_path):
        ran = piped("denoise", tmp_path / "missing.wav", "-o", "-", "-b", "wiener")
        assert ran.code == 1 and "missing.wav: no such file" in ran.stderr and ran.stdout == ""
        ran = piped("denoise", tmp_path / "room", "-o", "-", "-b", "wiener")
        assert ran.code == 4 and ran.stdout == ""

    def test_that_nobody_reads(self, noisy_speech):
        """More than a pipe holds, and the reader goes away: the command ends without a word."""
        with started("denoise", "-", *QUIET, stdin=subprocess.PIPE) as process:
            assert process.stdin and process.stdout and process.stderr
            process.stdout.close()
            process.stdin.write(wav_bytes(np.tile(np.round(noisy_speech(2.0) * 9999).astype(np.int16), 9)))
            process.stdin.close()
            said = process.stderr.read()
            assert process.wait(60) in (0, 1) and said == b""

    def test_on_a_full_disk(self, whole):
        with open("/dev/full", "wb") as full:
            command = [sys.executable, "-m", "cleanaudio", "denoise", "-", *QUIET]
            ran = subprocess.run(command, input=whole, stdout=full, stderr=subprocess.PIPE)
        assert ran.returncode == 1
        assert ran.stderr == b"cleanaudio: -: cannot be written: No space left on device (write to a file with -o)\n"

    def test_closed(self, whole):
        command = [sys.executable, "-m", "cleanaudio", "denoise", "-", "-o", "-", *QUIET]
        ran = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], input=whole, capture_output=True)
        assert ran.returncode == 2 and b"stdout is closed" in ran.stderr

    def test_dry(self, piped, whole):
        ran = piped("denoise", "-", "--dry-run", "-b", "wiener", stdin=whole)
        assert ran.code == 0 and ran.stdout.split()[-3:] == ["-", "-", "clean"]


def logged(folder: Path) -> int:
    """Return how many rows the log of a folder has, which may not be there yet."""
    return len(rows(folder)) if (folder / "metrics.csv").exists() else 0


class TestNamesOnStdin:
    @pytest.fixture
    def tree(self, tmp_path, monkeypatch, clip) -> Path:
        monkeypatch.chdir(tmp_path)
        for name in ("a.wav", "with space.wav", "sub/two\nlines.wav"):
            write(tmp_path / "in" / name, clip)
        return tmp_path

    def test_a_line_each(self, piped, tree):
        ran = piped("denoise", "@-", "-o", "out", *QUIET, stdin=b"in/a.wav\r\n\nin/with space.wav\n")
        assert ran.code == 0, ran.stderr
        assert audio(tree / "out") == {"in/a.wav", "in/with space.wav"}

    def test_each_is_done_and_told_of_before_the_next_is_named(self, tree):
        """As by a watcher: the program must not wait for a name to begin, or to tell of, the file before."""
        names = ("in/a.wav", "in/with space.wav")
        with started("denoise", "@-", "-o", "out", *QUIET, "--json", stdin=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            for count, name in enumerate(names, 1):
                process.stdin.write(f"{name}\n".encode())
                process.stdin.flush()
                wait_for(
                    lambda count=count: Path("out/metrics.csv").exists() and len(rows(tree / "out")) == count, process
                )
                assert json.loads(process.stdout.readline())["input"] == name
            process.stdin.close()
            assert process.wait(60) == 0
        assert audio(tree / "out") == set(names)

    def test_with_nul(self, piped, tree):
        found = subprocess.run(["find", "in", "-name", "*.wav", "-print0"], capture_output=True).stdout
        ran = piped("denoise", "@-0", "-o", "out", *QUIET, "--json", stdin=found)
        assert ran.code == 0, ran.stderr
        assert audio(tree / "out") == {"in/a.wav", "in/with space.wav", "in/sub/two\nlines.wav"}
        assert {json.loads(line)["status"] for line in ran.stdout.splitlines()} == {"done"}

    def test_a_manifest(self, piped, tree):
        lines = b"".join(json.dumps({"audio_filepath": f"in/{name}"}).encode() + b"\n" for name in ("a.wav", "no.wav"))
        ran = piped("denoise", "--manifest", "-", "-o", "out", *QUIET, stdin=lines)
        assert ran.code == 1 and "in/no.wav: no such file" in ran.stderr
        assert audio(tree / "out") == {"in/a.wav"}

    def test_none(self, piped, tree):
        ran = piped("denoise", "@-", "-o", "out", *QUIET)
        assert ran.code == 4 and "no names in this list" in ran.stderr

    def test_only_one_list_can_be_there(self, piped, tree):
        ran = piped("denoise", "@-", "@-0", "-o", "out", *QUIET)
        assert ran.code == 2 and "both read stdin" in ran.stderr


def test_decoders_do_not_talk_on_stderr(program, tmp_path, clip):
    """mpg123 has much to say about a frame that is cut short, without naming the file."""
    whole = write(tmp_path / "whole.mp3", clip, subtype="MPEG_LAYER_III").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[:300])
    command = ("denoise", tmp_path / "cut.mp3", "-o", tmp_path / "out", "-b", "wiener")
    ran = program(*command)
    assert ran.returncode == 1
    assert all(line.startswith(b"cleanaudio: ") for line in ran.stderr.splitlines())
    assert b"mpg123" in program(*command, "--debug").stderr


class TestTerminals:
    def run(self, *arguments: object, stream: str) -> tuple[int, str]:
        """Run the program with one of its streams on a terminal; return its exit code and what came there."""
        ours, theirs = pty.openpty()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
        command = [sys.executable, "-m", "cleanaudio", *map(str, arguments)]
        with subprocess.Popen(command, env={**os.environ, "TERM": "xterm"}, **streams) as process:
            os.close(theirs)
            came = b""
            with suppress(OSError):  # the end of a terminal
                while piece := os.read(ours, 4096):
                    came += piece
            os.close(ours)
            said = process.stderr.read() if process.stderr else b""
        return process.returncode, (came or said).decode()

    def test_get_no_audio(self, tmp_path, clip):
        code, said = self.run("denoise", write(tmp_path / "a.wav", clip), "-o", "-", "-b", "wiener", stream="stdout")
        assert code == 2 and "will not write audio to a terminal (redirect it, or give -o FILE)" in said

    def test_give_no_audio(self):
        code, said = self.run("stream", "-b", "wiener", stream="stdin")
        assert code == 2 and "stdin is a terminal (pipe audio into it" in said

    @pytest.mark.parametrize("quiet", [True, False])
    def test_show_a_bar(self, tmp_path, clip, quiet):
        for number in range(3):
            write(tmp_path / f"in/{number}.wav", clip)
        options = ["-q"] if quiet else []
        code, came = self.run(
            "denoise", tmp_path / "in", "-o", tmp_path / "out", "-b", "wiener", *options, stream="stderr"
        )
        assert code == 0 and (came.count("× real time") > 1) is not quiet  # in the bar too
        assert ("3/3" in came) is not quiet and ("3 done" in came) is not quiet


def test_json_for_a_reader_that_goes_away(tmp_path, clip):
    for number in range(8):
        write(tmp_path / f"in/{number}.wav", clip)
    with started("denoise", tmp_path / "in", "-o", tmp_path / "out", "-j", "1", "--json", *QUIET) as process:
        assert process.stdout and process.stderr
        assert json.loads(process.stdout.readline())["status"] == "done"
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 1 and said == b""
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    assert shape(tmp_path / "out" / Path(rows(tmp_path / "out")[0]["output"]).name)[2] == 8000
