from pathlib import Path

import pytest

from cleanaudio.batch.csvfile import CsvFile, cell
from cleanaudio.errors import OutputError, RecipeError


def test_a_table_takes_the_place_of_its_kind_only(tmp_path):
    path = tmp_path / "t.csv"
    with CsvFile(path, ["input", "status", "format", "snr"]) as table:
        table.write(["a.wav", "done", "WAV", "3"])
    for header in (["input", "status", "time_s"], ["input", "price"]):
        with pytest.raises(OutputError, match="no table of this kind"):
            CsvFile(path, header)
    with pytest.raises(OutputError, match="exists"):
        CsvFile(path, ["input", "status", "format", "snr"], replace=False)
    assert path.read_text() == "input,status,format,snr\na.wav,done,WAV,3\n"
    with CsvFile(path, ["input", "status", "format", "hum_hz"]):
        pass
    assert path.read_text() == "input,status,format,hum_hz\n"


def test_a_run_that_ends_before_its_first_row_leaves_what_was_there(tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("input,status,format\na.wav,done,WAV\n")
    before = old.read_bytes()
    for path in (old, new):
        with pytest.raises(RecipeError), CsvFile(path, ["input", "status", "format"]):
            raise RecipeError("not like this")
    assert old.read_bytes() == before and not new.exists()
    with CsvFile(Path("/dev/null"), ["input", "status", "format"]) as table:
        table.write(["a.wav", "done", "WAV"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.5, "0.5"), (-0.0000001, "0"), (1.0, "1"), (1 / 3, "0.333333"), (7, "7"), ("a\0b", "a\\0b")],
)
def test_a_cell(value, text):
    assert cell(value) == text
