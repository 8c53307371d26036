import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.geometry import circular, linear
from cleanaudio.spatial.selection import choose, geometry_of, parse_mics


@given(st.lists(st.integers(1, 64), min_size=2, unique=True))
def test_a_list_of_channels_is_read(numbers):
    assert parse_mics(",".join(map(str, numbers))) == tuple(number - 1 for number in numbers)


def test_ranges_are_read():
    assert parse_mics("1,3,4-6") == (0, 2, 3, 4, 5)
    assert parse_mics(" 6-4 , 1") == (5, 4, 3, 0)


@pytest.mark.parametrize(
    "text", ["", "a", "1,", "0,1", "1-", "-2", "1.5,2", "1,1", "1-3,2", "1", "1,2000", "1-99999999999"]
)
def test_what_is_no_list_is_refused(text):
    with pytest.raises(RecipeError, match=r"list|twice|one channel"):
        parse_mics(text)


def test_channels_are_chosen():
    assert choose(4, None) == (0, 1, 2, 3)
    assert choose(4, (2, 0)) == (2, 0)
    with pytest.raises(InputError, match="mono"):
        choose(1, None)
    with pytest.raises(InputError, match="no channel 5, 7"):
        choose(4, (0, 4, 6))


def test_a_geometry_is_of_the_chosen_channels_or_of_all():
    array = circular(6, 0.05)
    assert geometry_of(array, 8, (5, 4, 3, 2, 1, 0)) is array  # of the chosen ones, in their order
    for channels in (6, None):
        some = geometry_of(array, channels, (0, 3, 5))
        np.testing.assert_allclose(
            np.diff(some.positions, axis=0), np.diff(array.positions[[0, 3, 5]], axis=0), atol=1e-12
        )
    with pytest.raises(InputError, match=r"3 channels, but linear:4:0\.05 has 4"):
        geometry_of(linear(4, 0.05), 8, (0, 1, 2))
    with pytest.raises(InputError, match="4 microphones"):
        geometry_of(linear(4, 0.05), None, (0, 1, 5))
