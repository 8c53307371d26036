"""How numbers are written for people."""

import pytest

from cleanaudio.audio.wording import clock


@pytest.mark.parametrize(
    ("seconds", "digits", "written"),
    [
        (0.0, 0, "0:00"),
        (59.4, 0, "0:59"),
        (59.5, 0, "1:00"),
        (3599.96, 1, "1:00:00.0"),
        (3723.0, 0, "1:02:03"),
        (59.96, 1, "1:00.0"),
        (4.25, 3, "0:04.250"),
        (754.5678, 3, "12:34.568"),
    ],
)
def test_a_time_is_written_as_on_a_clock(seconds, digits, written):
    assert clock(seconds, digits) == written
