"""With which gain an output was written, by the log in its folder or above."""

from __future__ import annotations

import os

import pytest

from cleanaudio.batch.gains import Gains


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "out" / "deep" / "a.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1234")
    return path


def log(output, /, **cells):
    status = output.stat()
    row = {"output": str(output), "status": "done", "gain_db": "4.5", "output_bytes": status.st_size}
    row |= {"output_mtime_ns": status.st_mtime_ns, "time": "2000-01-01T00:00:00Z", "recipe": "r"}
    row |= {"input_bytes": 4, "input_mtime_ns": 1, **cells}
    (output.parents[1] / "metrics.csv").write_text(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n")


def test_the_log_says_it(output, monkeypatch):
    assert Gains().of(output) is None
    log(output)
    assert Gains().of(output) == 4.5
    monkeypatch.chdir(output.parent)
    assert Gains().of(output.relative_to(output.parent)) == 4.5
    log(output, gain_db="")
    assert Gains().of(output) == 0


@pytest.mark.parametrize(
    "cells", [{"status": "failed"}, {"output_bytes": 5}, {"output_mtime_ns": ""}, {"gain_db": "loud"}, {"output": "b"}]
)
def test_what_the_log_does_not_know_as_it_is_now_has_none(output, cells):
    log(output, **cells)
    assert Gains().of(output) is None


def test_an_output_that_was_changed_since_has_none(output):
    log(output)
    os.utime(output, (1e9, 1e9))
    assert Gains().of(output) is None


def test_the_log_says_it_also_through_a_link(output, tmp_path):
    log(output)
    (tmp_path / "to the log").symlink_to(tmp_path / "out")
    (tmp_path / "below the log").symlink_to(output.parent)
    assert Gains().of(tmp_path / "to the log" / "deep" / "a.wav") == 4.5
    assert Gains().of(tmp_path / "below the log" / "a.wav") == 4.5


def test_another_table_of_the_name_does_no_harm(output):
    (output.parent / "metrics.csv").write_text("a,b\n1,2\n")
    (output.parents[1] / "metrics.csv").write_bytes(b"\xff\x00\n\n")
    assert Gains().of(output) is None
