import os
import threading

import pytest

from cleanaudio.audio.temporary import write_text
from cleanaudio.errors import OutputError


def test_a_text_takes_the_place_of_an_older_one_and_leaves_nothing_else(tmp_path):
    path = tmp_path / ("録" * 83 + ".json")  # 254 bytes
    for text in ("old", "nëw"):
        write_text(path, text, "")
    assert path.read_text(encoding="utf-8") == "nëw"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_no_utf_8_are_written_as_they_are(tmp_path):
    write_text(tmp_path / "a.json", "from v\udcff", "")
    assert (tmp_path / "a.json").read_bytes() == b"from v\xff"


def test_what_cannot_be_written_is_said_and_the_older_one_is_intact(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        write_text(path, "new", "free some space")
    assert caught.value.remedy == "free some space"
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_none_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    with pytest.raises(OutputError, match="cannot be written: Not a directory") as caught:
        write_text(tmp_path / "notes.txt" / "room.json", "{}", "choose another folder")
    assert str(caught.value.path).endswith("notes.txt/room.json")


def test_pipes_are_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "figures", "")
    reader.join(10)
    assert heard == ["figures"] and pipe.is_fifo()
