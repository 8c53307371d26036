import math

import pytest

from cleanaudio.impact.plot import plot_table
from cleanaudio.impact.study import Finding
from cleanaudio.impact.table import CELL_COLUMNS, COLUMNS, as_dict, row_of, row_of_cell, tabulate
from cleanaudio.impact.words import WordErrors
from cleanaudio.metrics.interface import NotMeasurable


def finding(audio, system, snr_db, errors, words=10, **measured):
    return Finding(audio, system, snr_db, "n.wav", "said", "heard", WordErrors(words, errors, 0, 0), measured)


FINDINGS = [
    finding("a", "clean", None, 1),
    finding("b", "clean", None, 1, words=30),
    finding("b", "noisy", 5.0, 15, words=30, similarity=0.5, snr=math.inf),
    finding("a", "noisy", -5.0, 12, similarity=0.25, snr=-5.0),
    finding("b", "noisy", -5.0, 20, words=30, similarity=NotMeasurable("too short"), snr=-3.0),
    finding("a", "wiener", -5.0, 5, similarity=0.75),
    Finding("b", "wiener", -5.0, "n.wav", "said", error="it broke"),
]


def test_errors_are_summed_before_they_are_divided():
    cells = {(cell.system, cell.snr_db): cell for cell in tabulate(FINDINGS)}
    assert list(cells) == [("clean", None), ("noisy", -5.0), ("wiener", -5.0), ("noisy", 5.0)]
    assert cells["clean", None].wer == pytest.approx(2 / 40)
    noisy = cells["noisy", -5.0]
    assert (noisy.recordings, noisy.words) == (2, 40)
    assert noisy.wer == pytest.approx(32 / 40)
    assert noisy.degradation == pytest.approx(30 / 40)
    assert noisy.relative == pytest.approx((8 / 40) / (38 / 40))
    assert noisy.similarity == pytest.approx(0.25) and noisy.snr == pytest.approx(-4)
    assert cells["noisy", 5.0].snr is None  # infinite


def test_a_system_is_compared_with_the_clean_versions_of_its_own_recordings():
    wiener = tabulate(FINDINGS)[2]
    assert wiener.recordings == 1 and wiener.degradation == pytest.approx(0.5 - 0.1)
    assert wiener.relative == pytest.approx(0.5 / 0.9)


def test_more_heard_than_said_is_no_negative_performance():
    cells = tabulate([finding("a", "clean", None, 0), finding("a", "noisy", 0.0, 17)])
    assert cells[1].wer == pytest.approx(1.7) and cells[1].relative == 0


def test_what_is_compared_with_no_right_words_has_no_relative_performance():
    cells = tabulate([finding("a", "clean", None, 11), finding("a", "noisy", 0.0, 5)])
    assert [cell.relative for cell in cells] == [None, None]
    assert row_of_cell(cells[1])[CELL_COLUMNS.index("relative")] == ""


def test_rows_say_what_is_missing():
    table = [dict(zip(COLUMNS, row_of(one), strict=True)) for one in FINDINGS]
    assert [row["status"] for row in table] == ["done"] * 6 + ["failed"]
    assert table[-1]["reason"] == "it broke" and table[-1]["wer"] == ""
    assert table[4]["similarity"] == "not measurable: too short" and table[2]["snr"] == "inf"
    assert as_dict(FINDINGS[2])["metrics"]["snr"] is None and as_dict(FINDINGS[2])["reasons"] == {"snr": "inf"}


def test_the_table_as_csv():
    table = [dict(zip(CELL_COLUMNS, row_of_cell(one), strict=True)) for one in tabulate(FINDINGS)]
    assert table[0]["system"] == "clean" and table[0]["snr_db"] == ""
    assert float(table[1]["wer"]) == pytest.approx(0.8) and float(table[1]["snr_db"]) == -5


def test_the_picture_shows_every_system(tmp_path):
    plot_table(tabulate(FINDINGS), tmp_path / "p.svg")
    drawn = (tmp_path / "p.svg").read_text()
    assert all(f"<!-- {name} -->" in drawn for name in ("noisy", "wiener", "clean"))
    plot_table(tabulate([finding("a", "clean", None, 0), finding("a", "noisy", 0.0, 3)]), tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5000
