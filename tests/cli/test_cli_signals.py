"""Runs that are stopped, whose workers are killed, or that meet each other: nothing half, every row written."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import audio, children, hidden, read, rows, shape, started, wait_for, who_writes, write

from cleanaudio.batch.lock import LOCK_NAME

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SIGNALS = pytest.mark.parametrize("number", list(CODES), ids=lambda number: number.name)


@pytest.fixture(scope="module")
def long(tmp_path_factory, noisy_speech) -> Path:
    """Eight channels for half a minute: more than a second of work, however fast the machine."""
    clip = np.tile(noisy_speech(4.0, 48000), 7)
    return write(tmp_path_factory.mktemp("long") / "long.wav", np.stack([clip] * 8, axis=1), 48000)


@pytest.fixture(scope="module")
def short(tmp_path_factory, noisy_speech) -> Path:
    return write(tmp_path_factory.mktemp("short") / "short.wav", noisy_speech(2.0)[16000:])


def many(folder: Path, source: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        os.link(source, folder / f"{number:03}.wav")
    return folder


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part"))


@contextmanager
def ignored(number: int) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def log_of(folder: Path) -> list[dict[str, str]]:
    return rows(folder) if (folder / "metrics.csv").exists() else []


@SIGNALS
def test_one_file_is_broken_off(tmp_path, long, number):
    out = tmp_path / "out"
    with started("denoise", long, "-o", out, "-b", "omlsa") as process:
        wait_for(lambda: parts(out), process)
        process.send_signal(number)
        assert process.wait(60) == CODES[number]
        said = process.stderr.read().decode()
    assert audio(out) == set() and hidden(out) == []
    (row,) = rows(out)
    assert row["status"] == "failed" and "the run was stopped" in row["reason"]
    assert "Traceback" not in said and said.endswith("0 done, 1 failed; stopped\n")


def test_a_stopped_score_leaves_the_report_of_before(cli, tmp_path, long, short):
    report, table = tmp_path / "r.html", tmp_path / "scores.csv"
    assert cli("score", short, "--metric", "loudness", "--report", report).code == 0
    before = report.read_bytes()
    folder = many(tmp_path / "in", short, 1)
    os.link(long, folder / "long.wav")
    arguments = ("score", folder, "--metric", "dnsmos", "--report", report, "-o", table, "-j", "1")
    with started(*arguments) as process:
        wait_for(lambda: table.exists() and len(table.read_text().splitlines()) > 1, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert report.read_bytes() == before


def test_who_is_started_to_ignore_the_terminal_does(tmp_path, short):
    """As a shell has it where a script puts a command into the background."""
    folder, out = many(tmp_path / "in", short, 20), tmp_path / "out"
    with ignored(signal.SIGINT), started("denoise", folder, "-o", out, "-b", "omlsa", "-j", "1") as process:
        wait_for(lambda: log_of(out), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert len(audio(out)) == 20


@SIGNALS
def test_a_batch_is_broken_off(tmp_path, long, short, number):
    folder, out = many(tmp_path / "in", short, 30), tmp_path / "out"
    os.link(long, folder / "000 long.wav")
    with started("denoise", folder, "-o", out, "-b", "omlsa", "-j", "2", "--json") as process:
        wait_for(lambda: len(log_of(out)) >= 3 and (out / "000 long.wav").exists() is False, process)
        wait_for(lambda: any("long" in path.name for path in parts(out)), process)
        os.killpg(process.pid, number)  # as the terminal does: to all
        assert process.wait(60) == CODES[number]
        said = process.stderr.read().decode()
    statuses = {Path(row["input"]).name: row["status"] for row in rows(out)}
    done = {name for name, status in statuses.items() if status == "done"}
    assert audio(out) == done and len(done) >= 3
    assert statuses["000 long.wav"] == "failed"
    assert hidden(out) == [] and "Traceback" not in said and "; stopped" in said
    for name in done:
        assert shape(out / name) == shape(short)


def test_what_was_broken_off_goes_on_where_it_was(tmp_path, short, program):
    folder, out = many(tmp_path / "in", short, 12), tmp_path / "out"
    common = ("denoise", folder, "-o", out, "-b", "omlsa", "-j", "2", "--skip-existing")
    with started(*common) as process:
        wait_for(lambda: log_of(out), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
    before = {row["input"] for row in rows(out) if row["status"] == "done"}
    assert before
    ran = program(*common)
    assert ran.returncode == 0, ran.stderr
    after = rows(out)[-12:]
    assert {row["input"] for row in after if row["status"] == "skipped"} == before
    assert len(audio(out)) == 12 and hidden(out) == []


def test_a_signal_between_a_name_and_its_row_is_heard_after_the_row(tmp_path, short, cli, monkeypatch):
    out, link = tmp_path / "out", os.link

    def link_and_interrupt(source, name):
        link(source, name)
        os.kill(os.getpid(), signal.SIGINT)

    arguments = ("denoise", short, "-o", out, "-b", "wiener", "--residual")
    monkeypatch.setattr(os, "link", link_and_interrupt)
    assert cli(*arguments).code == CODES[signal.SIGINT]
    monkeypatch.undo()
    assert [row["status"] for row in rows(out)] == ["done"] and hidden(out) == []
    assert audio(out) == {"short.wav", "short.residual.wav"}
    ran = cli(*arguments, "--skip-existing")
    assert ran.code == 0 and "1 skipped" in ran.stderr


def test_a_signal_while_modules_are_loaded(tmp_path, program):
    """It comes inside code that is run from text, as of a dataclass, over which CPython would kill itself."""
    raise_here = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"
    (tmp_path / "typer.py").write_text(f"exec({raise_here!r})")
    ran = program("denoise", "a.wav", "-o", "out", env={"PYTHONPATH": str(tmp_path)})
    assert ran.returncode == CODES[signal.SIGINT] and ran.stderr == b""


@SIGNALS
def test_a_signal_in_a_callback_while_modules_are_loaded(tmp_path, number):
    """As imports have them all the time; Python lets no exception out of it."""
    (tmp_path / "typer.py").write_text(
        "import os, time, weakref\n"
        "class Lock: pass\n"
        "lock = Lock()\n"
        f"reference = weakref.ref(lock, lambda _: os.kill(os.getpid(), {int(number)}))\n"
        "del lock\n"
        "time.sleep(5)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with started("denoise", "a.wav", "-o", "out", environment=environment) as process:
        assert process.wait(60) == CODES[number] and process.stderr.read() == b""


def test_an_exit_in_a_callback_is_no_signal(tmp_path, program):
    (tmp_path / "typer.py").write_text(
        "import sys, time, weakref\n"
        "class Lock: pass\n"
        "lock = Lock()\n"
        "reference = weakref.ref(lock, lambda _: sys.exit(137))\n"
        "del lock\n"
        "time.sleep(0.2)\n"
        "sys.exit(7)\n"
    )
    ran = program("denoise", "a.wav", "-o", "out", env={"PYTHONPATH": str(tmp_path)})
    assert ran.returncode == 7 and b"SystemExit: 137" in ran.stderr


def test_a_run_that_is_killed_keeps_its_rows_and_no_lock(tmp_path, short, program):
    folder, out = many(tmp_path / "in", short, 12), tmp_path / "out"
    common = ("denoise", folder, "-o", out, "-b", "omlsa", "-j", "1", "--skip-existing")
    with started(*common) as process:
        wait_for(lambda: len(log_of(out)) >= 2, process)
        workers = children(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    wait_for(
        lambda: not any(Path(f"/proc/{worker}/fd").exists() and os.listdir(f"/proc/{worker}/fd") for worker in workers)
    )
    known = {Path(row["output"]).name for row in rows(out) if row["status"] == "done"}
    made = {path.name for path in out.glob("*.wav")}
    assert known <= made and len(made - known) <= 1
    for name in made:
        assert shape(out / name) == shape(short)
    ran = program(*common)
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in out.glob("*.wav")} == {path.name for path in folder.iterdir()}


def test_a_run_whose_parent_alone_is_killed_goes_on_where_it_was(tmp_path, short, program):
    """Workers end with their parent, since nobody would write their rows; what they leave goes with the next run."""
    folder, out = many(tmp_path / "in", short, 40), tmp_path / "out"
    common = ("denoise", folder, "-o", out, "-b", "omlsa", "-j", "2", "--skip-existing")
    with started(*common) as process:
        wait_for(lambda: len(log_of(out)) >= 2 and parts(out), process)
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        wait_for(lambda: not any(Path(f"/proc/{worker}/exe").exists() for worker in workers))
    made = {path.name for path in out.glob("*.wav")}
    known = {Path(row["output"]).name for row in rows(out) if row["status"] == "done"}
    assert known <= made and len(made - known) <= 2  # named in the very moment
    missing = sorted({path.name for path in folder.iterdir()} - made)
    (out / f".{missing[-1]}.0123abcd.part").touch()  # as a worker leaves it that is killed too
    ran = program(*common)
    assert ran.returncode == 0, ran.stderr
    assert len(audio(out)) == 40 and hidden(out) == []


def test_a_worker_that_is_killed_costs_one_retry(tmp_path, long, short):
    folder, out = many(tmp_path / "in", short, 3), tmp_path / "out"
    os.link(long, folder / "000 long.wav")
    with started("denoise", folder, "-o", out, "-b", "spectral-subtraction", "-j", "2") as process:
        wait_for(lambda: any("long" in path.name for path in parts(out)), process)
        wait_for(lambda: len(log_of(out)) == 3, process)  # only the long one is left
        victim = wait_for(lambda: who_writes(out, process.pid), process)
        (first,) = parts(out)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: parts(out) and first not in parts(out), process)  # a new one, and the old one is gone
        assert process.wait(120) == 0, process.stderr.read()
    assert len(audio(out)) == 4 and hidden(out) == []
    assert sorted(row["status"] for row in rows(out)) == ["done"] * 4
    assert shape(out / "000 long.wav") == shape(long)
    assert np.isfinite(read(out / "000 long.wav")[::100]).all()


def test_a_worker_that_is_killed_twice_costs_its_file(tmp_path, long, short):
    folder, out = many(tmp_path / "in", short, 3), tmp_path / "out"
    os.link(long, folder / "000 long.wav")
    with started("denoise", folder, "-o", out, "-b", "omlsa", "-j", "2") as process:
        wait_for(lambda: len(log_of(out)) == 3, process)
        for _ in range(2):
            victim = wait_for(lambda: who_writes(out, process.pid), process)
            before = parts(out)
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda before=before: not set(before) & set(parts(out)))
        assert process.wait(60) == 1
        said = process.stderr.read().decode()
    found = {Path(row["input"]).name: row for row in rows(out)}
    assert found["000 long.wav"]["status"] == "failed" and "killed, twice" in found["000 long.wav"]["reason"]
    assert "000 long.wav: the process that worked on it was killed, twice (it may have run out of memory" in said
    assert len(audio(out)) == 3 and hidden(out) == []


def test_one_run_at_a_time_in_a_folder(tmp_path, short, program):
    out = tmp_path / "out"
    with started("denoise", "@-", "-o", out, "-b", "wiener", stdin=subprocess.PIPE) as first:
        wait_for(lambda: (out / LOCK_NAME).exists() and (out / LOCK_NAME).read_text(), first)
        ran = program("denoise", short, "-o", out, "-b", "wiener")
        assert ran.returncode == 2
        assert f"{out}: process {first.pid} is writing into this folder (wait for it" in ran.stderr.decode()
        ran = program("denoise", short, "-o", tmp_path / "other", "-b", "wiener")
        assert ran.returncode == 0
        first.stdin.write(os.fsencode(short) + b"\n")
        first.stdin.close()
        assert first.wait(60) == 0, first.stderr.read()
    assert audio(out) == {"short.wav"} and hidden(out) == []


@SIGNALS
@pytest.mark.parametrize("what", ["@-", "-"])
def test_a_run_that_waits_for_stdin_can_be_stopped(tmp_path, number, what):
    out, room = tmp_path / "out", tmp_path / "room"
    room.mkdir()
    environment = {**os.environ, "TMPDIR": str(room)}
    arguments = ("denoise", what, "-o", out, "-b", "wiener")
    with started(*arguments, stdin=subprocess.PIPE, environment=environment) as process:
        wait_for(lambda: (out / "metrics.csv").exists(), process)
        process.send_signal(number)
        assert process.wait(60) == CODES[number]
        assert b"Traceback" not in process.stderr.read()
    assert hidden(out) == [] and list(room.iterdir()) == []


@SIGNALS
def test_a_run_that_waits_for_another_name_can_be_stopped(tmp_path, short, number):
    out = tmp_path / "out"
    with started("denoise", "@-", "-o", out, "-b", "wiener", "-j", "2", stdin=subprocess.PIPE) as process:
        process.stdin.write(os.fsencode(short) + b"\n")
        process.stdin.flush()
        wait_for(lambda: log_of(out), process)
        process.send_signal(number)
        assert process.wait(60) == CODES[number]
        assert process.stderr.read().decode().endswith("; stopped\n")
    assert [row["status"] for row in rows(out)] == ["done"]
    assert audio(out) == {"short.wav"} and hidden(out) == []


@SIGNALS
def test_a_result_that_nobody_takes_can_be_stopped(tmp_path, short, long, number):
    """The pipe is full and nobody reads: the temporary files go all the same."""
    room = tmp_path / "room"
    room.mkdir()
    environment = {**os.environ, "TMPDIR": str(room)}
    with started(
        "denoise", short, "-o", "-", "--subtype", "DOUBLE", "-b", "wiener", environment=environment
    ) as process:
        wait_for(lambda: waits_to_write(process.pid), process)
        process.send_signal(number)
        assert process.wait(60) == CODES[number]
        assert b"Traceback" not in process.stderr.read()
    assert list(room.iterdir()) == []


def waits_to_write(pid: int) -> bool:
    """Whether a process sleeps in a write to its stdout, by the kernel's own words."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()
    return len(call) > 1 and call[0] == str(WRITE) and int(call[1], 16) == 1


WRITE = {"x86_64": 1, "aarch64": 64, "riscv64": 64}[os.uname().machine]
