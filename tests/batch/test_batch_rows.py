"""The log: every row whole, whatever the names are and however the run ended."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cleanaudio.batch.csvfile import open_text
from cleanaudio.batch.csvfile import rows as rows_of
from cleanaudio.batch.history import RowIndex
from cleanaudio.batch.names import Numbers, RealNames
from cleanaudio.batch.outcome import Done, Failed, Job, Skipped
from cleanaudio.batch.rows import COLUMNS, RowWriter, json_of, row_of
from cleanaudio.errors import InputError, OutputError

any_label = st.one_of(st.text(), st.binary().map(os.fsdecode)).map(lambda text: text.replace("\0", ""))


def job(
    label: str = "a.wav", output: str = "out/a.wav", size: int = 10, mtime_ns: int = 1_700_000_000_123_456_789
) -> Job:
    return Job(0, (Path("a.wav"),), Path(output), label, size, mtime_ns)


def writer(path: Path, recipe: str = "r1", **more) -> RowWriter:
    return RowWriter(path, run_id="run", version="1.0", recipe_hash=recipe, **more)


def read(path: Path) -> list[dict[str, str]]:
    """Read with the csv module alone; the key None holds cells too many, the value None marks cells too few."""
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


class TestRow:
    def test_done(self):
        row = row_of(Done(job(), {"rate": 16000, "seconds": 1.5}, ("short", "limited")))
        assert row["status"] == "done"
        assert row["reason"] is None
        assert row["notes"] == "short; limited"
        assert (row["rate"], row["seconds"], row["input_bytes"]) == (16000, 1.5, 10)
        assert row["output"] == os.path.abspath("out/a.wav")

    def test_failed_tells_the_file_and_the_remedy(self):
        row = row_of(Failed(job(), InputError("not audio", path="a.wav", remedy="look at it"), {"elapsed_s": 0.1}))
        assert row["status"] == "failed"
        assert row["reason"] == "a.wav: not audio (look at it)"
        assert row["elapsed_s"] == 0.1

    def test_skipped(self):
        assert row_of(Skipped(job(), "done before")) == {
            "input": "a.wav",
            "input_path": os.path.abspath("a.wav"),
            "output": os.path.abspath("out/a.wav"),
            "input_bytes": 10,
            "input_mtime_ns": 1_700_000_000_123_456_789,
            "status": "skipped",
            "reason": "done before",
        }

    def test_nothing_is_known_of_a_file_that_is_not_there(self):
        row = row_of(Failed(Job(0, (), Path(), "nix.wav"), InputError("no such file")))
        assert row["output"] is row["input_bytes"] is row["input_mtime_ns"] is None

    def test_json_has_numbers_and_nulls_and_no_infinity(self):
        outcome = Done(job(), {"peak_in_dbfs": float("-inf"), "rms_in_dbfs": float("nan"), "rate": 8000}, ("n",))
        text = json.dumps(json_of(outcome), allow_nan=False)
        back = json.loads(text)
        assert back["peak_in_dbfs"] is back["rms_in_dbfs"] is None
        assert (back["rate"], back["notes"]) == (8000, ["n"])
        assert json_of(Skipped(job(), "r"))["notes"] == []

    def test_bytes_of_a_name_survive_json(self):
        label = os.fsdecode(b"caf\xe9.wav")
        assert os.fsencode(json.loads(json.dumps(json_of(Skipped(job(label), "r"))))["input"]) == b"caf\xe9.wav"


class TestWriter:
    def test_a_new_log(self, tmp_path):
        path = tmp_path / "logs" / "m.csv"
        with writer(path) as rows:
            rows.write(Done(job(), {"rtf": 0.00125, "seconds": 10800.123456, "snr_in_db": -0.0000001}))
            assert len(read(path)) == 1  # at once, not at the end
        (row,) = read(path)
        assert tuple(row) == COLUMNS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["time"])
        assert (row["run_id"], row["version"], row["recipe"]) == ("run", "1.0", "r1")
        assert (row["rtf"], row["seconds"], row["snr_in_db"]) == ("0.00125", "10800.123456", "0")
        assert (row["reason"], row["rate"]) == ("", "")

    def test_it_is_a_log(self, tmp_path):
        path = tmp_path / "m.csv"
        for recipe in ("r1", "r2"):
            with writer(path, recipe) as rows:
                rows.write(Skipped(job(), recipe))
        assert [row["reason"] for row in read(path)] == ["r1", "r2"]
        assert path.read_text().count("run_id") == 1

    def test_extra_columns(self, tmp_path):
        path = tmp_path / "m.csv"
        with writer(path, extra_columns=("pesq",)) as rows:
            rows.write(Done(job(), {"pesq": 2.5}))
        assert read(path)[0]["pesq"] == "2.5"
        with writer(path) as rows:
            rows.write(Skipped(job("b.wav"), "later"))
        first, second = read(path)
        assert (first["pesq"], second["pesq"], second["reason"]) == ("2.5", "", "later")

    def test_a_log_is_widened_by_the_columns_that_it_lacks(self, tmp_path):
        path = tmp_path / "m.csv"
        path.touch(mode=0o640)
        with writer(path) as narrow:
            narrow.write(Skipped(job("a\nb"), "before"))
            with writer(path, extra_columns=("pesq", "stoi")) as wide:
                wide.write(Done(job(), {"pesq": 2.5, "stoi": 0.5}))
                narrow.write(Skipped(job("c"), "meanwhile"))  # it must find the file that took the place of its own
                wide.write(Done(job(), {"stoi": 0.25}))
        rows = read(path)
        assert [row["input"] for row in rows] == ["a\nb", job().label, "c", job().label]
        assert [(row["pesq"], row["stoi"]) for row in rows] == [("", ""), ("2.5", "0.5"), ("", ""), ("", "0.25")]
        assert path.stat().st_mode & 0o777 == 0o640 and list(tmp_path.iterdir()) == [path]

    def test_logs_that_were_joined_are_one(self, tmp_path):
        parts = [tmp_path / "narrow.csv", tmp_path / "wide.csv"]
        for path, extra in zip(parts, ((), ("pesq",)), strict=True):
            with writer(path, extra_columns=extra) as rows:
                rows.write(Done(job(path.stem), {}))
        for number, (first, second) in enumerate((parts, parts[::-1])):
            path = tmp_path / f"{number}.csv"
            path.write_bytes(first.read_bytes() + second.read_bytes())
            assert len(RowIndex.read(path)) == 1  # both made one file
            with writer(path, extra_columns=("stoi",)) as rows:
                rows.write(Done(job("later", "out/b.wav"), {"stoi": 0.5}))
            index = RowIndex.read(path)
            assert len(index) == 2 and index.find(Path("out/b.wav")).made_from(10, job().mtime_ns, "r1")
            with open_text(path) as file:
                *_, last = rows_of(file)
            assert (last["input"], last["stoi"], last.get("pesq", "")) == ("later", "0.5", "")

    def test_what_a_killed_run_left_is_not_in_the_way_of_a_wider_log(self, tmp_path):
        path = tmp_path / "m.csv"
        with writer(path) as rows:
            rows.write(Skipped(job("a"), "before"))
        left = tmp_path / f"m.csv.{os.getpid()}.part"
        left.write_text("of another")
        with writer(path, extra_columns=("pesq",)) as rows:
            rows.write(Skipped(job("b"), "later"))
        assert [row["input"] for row in read(path)] == ["a", "b"] and left.read_text() == "of another"

    def test_a_number_that_someone_has_written_too_large_is_no_row(self, tmp_path):
        path = tmp_path / "m.csv"
        with writer(path) as rows:
            rows.write(Done(job(output=str(tmp_path / "a.wav")), {}))
        assert len(RowIndex.read(path)) == 1
        path.write_text(path.read_text().replace(",10,", f",{10**20},"))
        assert len(RowIndex.read(path)) == 0

    def test_a_row_that_was_cut_off_stays_so_in_a_wider_log(self, tmp_path):
        path = tmp_path / "m.csv"
        with writer(path) as rows:
            rows.write(Done(job(output=str(tmp_path / "a.wav")), {}))
        path.write_bytes(path.read_bytes()[:-20])
        with writer(path, extra_columns=("pesq",)) as rows:
            rows.write(Skipped(job("b"), "later"))
        assert len(RowIndex.read(path)) == 0 and read(path)[-1]["input"] == "b"

    def test_a_log_that_is_moved_away_meanwhile_is_begun_anew(self, tmp_path):
        path = tmp_path / "m.csv"
        with writer(path) as rows:
            rows.write(Skipped(job("a"), "x"))
            path.rename(tmp_path / "old.csv")
            rows.write(Skipped(job("b"), "x"))
        assert [[row["input"] for row in read(tmp_path / name)] for name in ("old.csv", "m.csv")] == [["a"], ["b"]]

    @pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"RIFF\0\0\0\0WAVE" * 20_000, b"\n", b"notes", bytes(500_000)])
    def test_a_file_of_something_else_is_left_alone(self, tmp_path, content):
        path = tmp_path / "m.csv"
        path.write_bytes(content)
        with pytest.raises(OutputError, match="not a log") as caught:
            writer(path)
        assert "--metrics" in caught.value.remedy
        assert path.read_bytes() == content

    def test_a_log_that_a_spreadsheet_saved(self, tmp_path):
        path = tmp_path / "m.csv"
        path.write_bytes(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
        with writer(path) as rows:
            rows.write(Done(job(output=str(tmp_path / "a.wav")), {}))
        assert len(RowIndex.read(path)) == 1

    def test_a_field_that_is_no_column_is_a_mistake(self, tmp_path):
        with writer(tmp_path / "m.csv") as rows, pytest.raises(ValueError, match="wibble"):
            rows.write(Done(job(), {"wibble": 1}))

    @pytest.mark.parametrize("path", ["/proc/nix/m.csv", "."])
    def test_not_writable(self, path):
        with pytest.raises(OutputError, match="log"):
            writer(Path(path))

    def test_dev_null(self):
        with writer(Path("/dev/null")) as rows:
            rows.write(Skipped(job(), "x"))

    @settings(max_examples=150, deadline=None)
    @given(any_label, any_label)
    @example('"', "\r")
    @example("a\r\nb,c\n", " =1+1")
    @example("", "\udcc2\udc80")
    @example("\ud800 half a character", "\udce9")
    def test_any_name_comes_back(self, label, reason):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.csv"
            with writer(path) as rows:
                rows.write(Skipped(job(label), reason))
                rows.write(Skipped(job(), "after"))
            first, second = read(path)
        assert second["reason"] == "after"
        for text, back in ((label, first["input"]), (reason, first["reason"])):
            try:
                name = os.fsdecode(os.fsencode(text))  # what a folder would show: bytes that are UTF-8 after all
            except UnicodeEncodeError:  # no file can be called so; the row is still a row
                continue
            if "\ud800" not in label + reason:
                assert back == name


class TestKilled:
    LABEL = 'a "quoted",\nname\r.wav'

    def test_cut_anywhere_only_the_last_row_is_lost(self, tmp_path):
        whole, path = tmp_path / "whole.csv", tmp_path / "m.csv"
        with writer(whole) as rows:
            rows.write(Skipped(job("first"), "x"))
            rows.write(Skipped(job(self.LABEL), "y"))
        data = whole.read_bytes()
        first_end = data.index(b"\n", data.index(b"\n") + 1) + 1
        for cut in range(len(data) + 1):
            path.write_bytes(data[:cut])
            with writer(path) as rows:
                rows.write(Skipped(job("new"), "z"))
            good = [row for row in read(path) if None not in row and None not in row.values()]
            expected = ["first"] * (cut >= first_end - 1) + [self.LABEL] * (cut >= len(data) - 1) + ["new"]
            assert [row["input"] for row in good] == expected, cut

    def test_sigkill_in_the_middle(self, tmp_path):
        path = tmp_path / "m.csv"
        program = (
            "import sys; from pathlib import Path\n"
            "from cleanaudio.batch.rows import RowWriter\n"
            "from cleanaudio.batch.outcome import Job, Skipped\n"
            "rows = RowWriter(Path(sys.argv[1]), 'run', '1', 'r')\n"
            "for i in range(10**9):\n"
            "    rows.write(Skipped(Job(i, (), Path('o'), f'name {i}\\n' * 20), 'x' * 500))\n"
            "    if i == 50: print('on', flush=True)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"on\n"
            process.send_signal(signal.SIGKILL)
        with writer(path) as rows:
            rows.write(Skipped(job("after"), "z"))
        *before, last = [row for row in read(path) if None not in row and None not in row.values()]
        assert last["input"] == "after"
        assert len(before) > 50
        assert [row["input"] for row in before] == [f"name {i}\n" * 20 for i in range(len(before))]

    def test_two_runs_in_one_log_do_not_mix(self, tmp_path):
        path = tmp_path / "m.csv"
        program = (
            "import sys; from pathlib import Path\n"
            "from cleanaudio.batch.rows import RowWriter\n"
            "from cleanaudio.batch.outcome import Job, Skipped\n"
            "with RowWriter(Path(sys.argv[1]), sys.argv[2], '1', 'r') as rows:\n"
            "    for i in range(300): rows.write(Skipped(Job(i, (), Path('o'), str(i)), sys.argv[2] * 2000))\n"
        )
        runs = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "ab"]
        assert [run.wait() for run in runs] == [0, 0]
        rows = read(path)
        for name in "ab":
            mine = [row for row in rows if row["run_id"] == name]
            assert [row["input"] for row in mine] == [str(i) for i in range(300)]
            assert all(row["reason"] == name * 2000 for row in mine)
        assert len(rows) == 600

    def test_full_disk_takes_the_row_back(self, tmp_path):
        path = tmp_path / "m.csv"
        program = (
            "import os, resource, sys; from pathlib import Path\n"
            "from cleanaudio.batch.rows import RowWriter\n"
            "from cleanaudio.batch.outcome import Job, Skipped\n"
            "from cleanaudio.errors import OutputError\n"
            "path = Path(sys.argv[1]); rows = RowWriter(path, 'run', '1', 'r')\n"
            "write = lambda text: rows.write(Skipped(Job(0, (), Path('o'), text), 'x' * 100))\n"
            "write('first'); size = os.path.getsize(path)\n"
            "_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
            # the next write ends in its middle, as on a full disk
            "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60, hard))\n"
            "try: write('second')\n"
            "except OutputError as error: print(error.describe())\n"
            "assert os.path.getsize(path) == size\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)); write('third')\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert str(path) in done.stdout
        assert "cannot be written" in done.stdout
        assert [row["input"] for row in read(path)] == ["first", "third"]


class TestIndex:
    def log(self, path: Path, *outcomes, recipe: str = "r1") -> RowIndex:
        with writer(path, recipe) as rows:
            for outcome in outcomes:
                rows.write(outcome)
        return RowIndex.read(path)

    def test_finds_an_output_however_it_is_written(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        os.mkdir("out")
        os.symlink("out", "link")
        index = self.log(Path("m.csv"), Done(job(output="out/a.wav"), {}))
        for name in ("out/a.wav", "./out/a.wav", "out/../out/a.wav", "link/a.wav", tmp_path / "out" / "a.wav"):
            made = index.find(Path(name))
            assert made is not None
            assert made.made_from(10, 1_700_000_000_123_456_789, "r1")
            assert not made.made_from(11, 1_700_000_000_123_456_789, "r1")
            assert not made.made_from(10, 1_700_000_000_123_456_788, "r1")
            assert not made.made_from(10, 1_700_000_000_123_456_789, "r2")
        assert index.find(Path("a.wav")) is None
        monkeypatch.chdir("/")
        assert RowIndex.read(tmp_path / "m.csv").find(tmp_path / "out" / "a.wav") is not None

    def test_the_last_done_row_counts_and_skips_and_failures_do_not(self, tmp_path):
        path, output = tmp_path / "m.csv", str(tmp_path / "a.wav")
        self.log(path, Done(job(output=output), {}), recipe="r1")
        self.log(path, Done(job(output=output, size=20), {}), recipe="r2")
        index = self.log(
            path, Skipped(job(output=output), "s"), Failed(job(output=output), InputError("f")), recipe="r3"
        )
        assert len(index) == 1
        assert index.find(Path(output)).made_from(20, 1_700_000_000_123_456_789, "r2")

    def test_a_file_from_1970(self, tmp_path):
        output = tmp_path / "a.wav"
        index = self.log(tmp_path / "m.csv", Done(job(output=str(output), mtime_ns=0), {}))
        assert index.find(output).made_from(10, 0, "r1")

    def test_no_log_no_knowledge(self, tmp_path):
        assert len(RowIndex.read(tmp_path / "nix.csv")) == 0

    def test_an_empty_file_is_an_empty_log(self, tmp_path):
        (tmp_path / "m.csv").touch()  # as mktemp leaves it
        assert len(RowIndex.read(tmp_path / "m.csv")) == 0

    @pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\n", bytes(1000)])
    def test_not_a_log(self, tmp_path, content):
        path = tmp_path / "m.csv"
        path.write_bytes(content)
        with pytest.raises(OutputError, match="not a log"):
            RowIndex.read(path)

    def test_unfinished_and_edited_rows_are_left_out(self, tmp_path):
        path = tmp_path / "m.csv"
        self.log(path, *(Done(job(output=str(tmp_path / f"{i}.wav")), {}) for i in range(3)))
        lines = path.read_text().splitlines(keepends=True)
        lines[2] = lines[2].replace(",10,", ",ten,")
        path.write_text("".join(lines)[:-40] + '"' + "x" * 200_000)
        index = RowIndex.read(path)
        assert index.find(tmp_path / "0.wav") is not None
        assert index.find(tmp_path / "1.wav") is None
        assert index.find(tmp_path / "2.wav") is None


@given(st.lists(st.binary(max_size=6), max_size=300))
def test_numbers_do_what_a_dictionary_does(keys):
    numbers, plain = Numbers(), {}
    for key in keys:
        assert numbers.find(key) == plain.get(key)
        assert numbers.add(key) == plain.setdefault(key, len(plain))
    assert len(numbers) == len(plain)
    assert all(numbers.find(key) == number for key, number in plain.items())


def test_many_numbers_are_small():
    numbers = Numbers()
    for i in range(20_000):
        assert numbers.add(b"%d" % i) == i
    assert (numbers._prints.itemsize + numbers._numbers.itemsize) * len(numbers._prints) <= 36 * 20_000
    assert numbers.find(b"20000") is None


def test_real_names_resolve_folders_and_not_files(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    (tmp_path / "d" / "x").symlink_to("y")
    names = RealNames()
    assert names.real(tmp_path / "l" / "x") == str(tmp_path.resolve() / "d" / "x")
    assert names.real(f"{tmp_path}/l/..") == str(tmp_path.resolve())
    with pytest.raises(ValueError, match="null"):
        names.key("a\0b/c")


def test_start_up_imports_nothing_heavy():
    program = (
        "import sys, cleanaudio.batch.inputs, cleanaudio.batch.plan, cleanaudio.batch.rows, cleanaudio.batch.lock\n"
        "print(*({'numpy', 'scipy', 'soundfile', 'rich', 'typer', 'multiprocessing'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
