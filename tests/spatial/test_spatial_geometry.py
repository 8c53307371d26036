import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.errors import CleanAudioError, InputError, RecipeError
from cleanaudio.spatial.geometry import (
    Direction,
    Geometry,
    circular,
    linear,
    parse_array,
    parse_direction,
    speed_of_sound,
    steering,
)


def test_speed_of_sound_is_that_of_the_tables():
    # Bohn, JAES 36(4), 1988: 331.45 m/s at 0 °C, 343.4 m/s at 20 °C
    assert speed_of_sound(0) == pytest.approx(331.45, abs=0.3)
    assert speed_of_sound(20) == pytest.approx(343.4, abs=0.3)
    for wrong in (-60, 61, float("nan")):
        with pytest.raises(RecipeError, match="temperature"):
            speed_of_sound(wrong)


def test_linear_and_circular_arrays():
    array = parse_array("linear:4:0.05")
    assert array.microphones == 4 and array.dimensions == 1
    np.testing.assert_allclose(array.positions[:, 0], [-0.075, -0.025, 0.025, 0.075])
    ring = parse_array("circular:6:0.0463")
    assert ring.dimensions == 2
    np.testing.assert_allclose(np.linalg.norm(ring.positions, axis=1), 0.0463)
    # neighbours of a hexagon are a radius apart
    np.testing.assert_allclose(np.linalg.norm(ring.positions[0] - ring.positions[1]), 0.0463)


def test_positions_from_files(tmp_path):
    rows = [[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0.05]]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "b.json").write_text(json.dumps({"microphones": [dict(zip("xyz", row, strict=True)) for row in rows]}))
    (tmp_path / "c.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    (tmp_path / "d.csv").write_text("name,z,x,y\n" + "\n".join(f"m,{z},{x},{y}" for x, y, z in rows))
    expected = Geometry(np.array(rows, float)).positions
    for name in "a.json", "b.json", "c.csv", "d.csv":
        np.testing.assert_allclose(parse_array(str(tmp_path / name)).positions, expected, err_msg=name)


@pytest.mark.parametrize(
    "text", ["linear:4", "linear:1:0.05", "linear:4:-1", "linear:4:nan", "circular:x:1", "square:4:1", "", "mics.txt"]
)
def test_specs_that_are_no_array(text):
    with pytest.raises(RecipeError, match="no array"):
        parse_array(text)


@pytest.mark.parametrize("content", ["[[0,0,0],[1]]", "{}", "[1,2]", "not json", '[["a","b","c"],[0,0,0]]', "[]"])
def test_files_that_hold_no_array(tmp_path, content):
    path = tmp_path / "mics.json"
    path.write_text(content)
    with pytest.raises(RecipeError) as error:
        parse_array(str(path))
    assert "mics.json" in error.value.describe()


@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("mics.json", '[{"x": 0, "z": 0}, {"x": 0, "z": 0.1}]', "y missing"),
        ("mics.json", '[{"x": 0, "y": 0}, {"z": 0.1}]', "x and y missing"),
        ("mics.csv", "x,z\n0,0\n0,0.1\n", "y missing"),
        ("mics.csv", "name,z,x\na,0,0\nb,0,0.1\n", "y missing"),
    ],
)
def test_positions_that_lack_x_or_y(tmp_path, name, content, missing):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(RecipeError, match=f"holds no microphone positions: {missing}") as error:
        parse_array(str(path))
    assert error.value.remedy


@pytest.mark.parametrize("short", ["0.05,0", "0.05"])
def test_a_short_row_is_named(tmp_path, short):
    path = tmp_path / "mics.csv"
    path.write_text(f"x,y,z\n0,0,0\n{short}\n0.1,0,0\n")
    with pytest.raises(RecipeError, match=f"holds no microphone positions: the row '{short}' has") as error:
        parse_array(str(path))
    assert error.value.remedy


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match="cannot read"):
        parse_array(str(tmp_path / "none.csv"))


def test_coincident_microphones_are_named():
    with pytest.raises(RecipeError, match="microphones 1 and 3 are in one place"):
        Geometry(np.array([[0, 0, 0], [0.1, 0, 0], [0, 0, 0.00001]]))


def test_millimetres_taken_for_metres():
    with pytest.raises(RecipeError, match="wide") as error:
        Geometry(np.array([[0, 0, 0], [150, 0, 0]]))
    assert "metres" in error.value.remedy
    with pytest.raises(RecipeError, match="wide"):
        parse_array("circular:6:46.3")


def test_infinite_position():
    with pytest.raises(RecipeError, match="finite"):
        Geometry(np.array([[0, 0, 0], [np.inf, 0, 0]]))


def test_another_number_of_microphones():
    with pytest.raises(InputError, match=r"6 channels, but linear:4:0\.05 has 4 microphones"):
        linear(4, 0.05).check(6)


@pytest.mark.parametrize("text", ["", "a", "1,2,3", "361", "-181", "0,91", "nan", "0,nan"])
def test_directions_out_of_range(text):
    with pytest.raises(CleanAudioError):
        parse_direction(text)


def test_directions():
    assert parse_direction("30") == Direction(30, 0)
    assert parse_direction("-90, 10") == Direction(-90, 10)
    np.testing.assert_allclose(Direction(90, 0).unit, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(Direction(17, 90).unit, [0, 0, 1], atol=1e-12)


def test_delays_of_a_linear_array():
    array, c = linear(4, 0.05), 343.0
    np.testing.assert_allclose(array.delays(Direction(90).unit, c), 0, atol=1e-15)
    # from the far end: the last microphone hears it first
    np.testing.assert_allclose(array.delays(Direction(0).unit, c), [0, -0.05 / c, -0.1 / c, -0.15 / c], atol=1e-15)
    np.testing.assert_allclose(array.delays(Direction(60).unit, c, 3)[0], 0.15 * 0.5 / c)


@given(st.floats(-180, 360), st.floats(-90, 90), st.integers(0, 5))
def test_no_delay_is_longer_than_the_array(azimuth, elevation, reference):
    array = circular(6, 0.1)
    delays = array.delays(Direction(azimuth, elevation).unit, 343.0, reference)
    assert delays[reference] == 0
    assert np.all(np.abs(delays) <= array.extent_m / 343.0 + 1e-12)
    np.testing.assert_allclose(np.abs(steering(delays, np.array([0.0, 1000.0]))), 1.0)


def test_steering_is_a_pure_delay():
    tau = np.array([0.0, 1e-3])
    phase = np.angle(steering(tau, np.array([100.0, 250.0])))
    np.testing.assert_allclose(phase[:, 1], [-2 * np.pi * 0.1, -2 * np.pi * 0.25])
