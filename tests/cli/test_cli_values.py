import doctest

import pytest

from cleanaudio.cli import values
from cleanaudio.errors import RecipeError


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(values).failed == 0


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("0", 0)])
def test_positions(text, value):
    assert values.seconds(text) == value


@pytest.mark.parametrize("text", ["", "a", "1:60", "-1", "1:2:3:4", "inf", "nan", "1:"])
def test_what_is_no_position(text):
    with pytest.raises(RecipeError):
        values.seconds(text)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("stream", "--block-ms"),
        ("locate", "--window"),
        ("locate", "--step"),
        ("train", "--minutes"),
        ("beamform", "--mu"),
        ("beamform", "--block"),
        ("beamform", "--postfilter-strength"),
        ("export", "--exponent"),
    ],
)
def test_a_range_holds_no_nan(cli, command, option):
    ran = cli(command, *(["x"] if command != "stream" else []), option, "nan")
    assert ran.code == 2 and option in ran.stderr and "nan is not a finite number" in ran.stderr


@pytest.mark.parametrize(("text", "value"), [("0:00-0:02", (0, 2)), ("5-", (5, None)), ("-3", (0, 3))])
def test_stretches(text, value):
    assert values.stretch(text) == value


@pytest.mark.parametrize("text", ["5", "3-2", "2-2", "a-b"])
def test_what_is_no_stretch(text):
    with pytest.raises(RecipeError):
        values.stretch(text)


@pytest.mark.parametrize(("text", "value"), [("60s", 60), ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), ("7", 7)])
def test_durations(text, value):
    assert values.duration(text) == value


def test_pairs():
    assert values.pairs(["a=1", "b.c = x=y"]) == {"a": "1", "b.c": "x=y"}
    with pytest.raises(RecipeError):
        values.pairs(["a"])
