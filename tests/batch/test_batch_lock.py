"""One run at a time in an output folder, and no lock outlives its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from cleanaudio.batch.lock import LOCK_NAME, FolderLock
from cleanaudio.errors import OutputError

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from cleanaudio.batch.lock import FolderLock\n"
    "FolderLock(Path(sys.argv[1])).acquire()\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


def test_a_clean_end_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "new" / "out"
    with FolderLock(folder):
        assert os.listdir(folder) == [LOCK_NAME]
    assert os.listdir(folder) == []
    with FolderLock(folder):
        pass


def test_released_also_after_an_error(tmp_path):
    with pytest.raises(KeyError), FolderLock(tmp_path):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_release_without_acquire_and_twice(tmp_path):
    lock = FolderLock(tmp_path)
    lock.release()
    lock.acquire()
    lock.release()
    lock.release()


def test_second_run_is_told_who_has_it_and_a_killed_run_does_not_keep_it(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutputError) as caught:
            FolderLock(tmp_path).acquire()
        assert str(holder.pid) in caught.value.message
        assert caught.value.path == str(tmp_path)
        assert caught.value.remedy
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / LOCK_NAME).exists()
    with FolderLock(tmp_path), pytest.raises(OutputError, match=str(os.getpid())):
        FolderLock(tmp_path).acquire()
    assert os.listdir(tmp_path) == []


def test_the_output_folder_removed_during_the_run(tmp_path):
    folder = tmp_path / "out"
    with FolderLock(folder):
        (folder / LOCK_NAME).unlink()
        folder.rmdir()


def test_read_only_folder():
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        root = not os.geteuid()
        if root:
            os.seteuid(65534)
        try:
            for folder in (Path(name), Path(name) / "out"):
                with pytest.raises(OutputError, match="cannot be written") as caught:
                    FolderLock(folder).acquire()
                assert caught.value.path == str(folder)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(name, 0o755)


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError):
        FolderLock(tmp_path / "out").acquire()


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("keep")
    (tmp_path / LOCK_NAME).symlink_to("precious")
    with pytest.raises(OutputError):
        FolderLock(tmp_path).acquire()
    assert (tmp_path / "precious").read_text() == "keep"


def test_removing_the_file_lets_no_two_in(tmp_path):
    inside, most, entered = [], [], []
    until = time.monotonic() + 20

    def work():
        wins = 0
        while wins < 100 and time.monotonic() < until:
            lock = FolderLock(tmp_path)
            try:
                lock.acquire()
            except OutputError:
                continue
            inside.append(1)
            time.sleep(0)
            most.append(len(inside))
            inside.pop()
            lock.release()
            wins += 1
        entered.append(wins)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(entered) >= 100
    assert max(most) == 1


def killed(folder: Path, *names: str) -> None:
    """Begin outputs and die: the kernel gives the lock back, and the file stays."""
    text = (
        "import os, sys; from pathlib import Path\n"
        "from cleanaudio.batch.lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1]))\n"
        "lock.acquire()\n"
        "for name in sys.argv[2:]: lock.begin(lock.folder / name)\n"
        "os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", text, folder, *names], check=False).returncode == 9


def test_what_a_killed_run_had_begun_is_known_until_it_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a b\nc.wav", "ü.wav", os.fsdecode(b"\xff.wav"), "sub/d.wav"]
    killed(tmp_path / "out", *names)
    ours = Path("out")  # the next run may call the folder otherwise
    (ours / "sub").mkdir()
    for name in names:
        (ours / name).touch()
    with FolderLock(ours) as lock:
        assert all(lock.has_begun(ours / name) for name in names) and not lock.has_begun(ours / "other.wav")
        for name in names[:2]:
            lock.begin(ours / name)
            lock.end(ours / name)
    assert (ours / LOCK_NAME).exists()  # two still wait
    (ours / names[2]).unlink()
    with FolderLock(ours) as lock:
        assert [lock.has_begun(ours / name) for name in names] == [False, False, True, True]
        lock.end(ours / names[3])
    assert not (ours / LOCK_NAME).exists()


def test_what_a_killed_run_had_begun_waits_until_it_is_made(tmp_path):
    killed(tmp_path, "a.wav")
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    for _ in range(2):
        with FolderLock(tmp_path) as lock:
            lock.begin(tmp_path / "b.wav")
            for name in ("a.wav", "b.wav"):
                lock.give_up(tmp_path / name)  # skipped since it is too young, failed
            assert lock.has_begun(tmp_path / "a.wav") and not lock.has_begun(tmp_path / "b.wav")
        assert (tmp_path / LOCK_NAME).exists()
    with FolderLock(tmp_path) as lock:
        lock.begin(tmp_path / "a.wav")
        lock.end(tmp_path / "a.wav")
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_run_killed_while_its_note_grows_shorter_still_says_what_it_had_begun(tmp_path):
    text = (
        "import os, sys; from pathlib import Path\n"
        "from cleanaudio.batch.lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1]))\n"
        "lock.acquire()\n"
        "for name in ('a.wav', 'b with a long name.wav'): lock.begin(lock.folder / name)\n"
        "os.ftruncate = lambda *_: os._exit(9)\n"
        "lock.end(lock.folder / 'b with a long name.wav')\n"
    )
    assert subprocess.run([sys.executable, "-c", text, tmp_path], check=False).returncode == 9
    with FolderLock(tmp_path) as lock:
        assert lock.has_begun(tmp_path / "a.wav") and not lock.has_begun(tmp_path / "b with a long name.wav")


@pytest.mark.parametrize("content", [b"", b"12\n", b"12\nnonsense\n", b"12\n3\n", b"\xff\n[\n"])
def test_a_lock_file_of_any_content_is_taken_over(tmp_path, content):
    (tmp_path / LOCK_NAME).write_bytes(content)
    with FolderLock(tmp_path) as lock:
        assert not lock.has_begun(tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []
