import numpy as np
import pytest

from cleanaudio.audio.snr import decision_directed


@pytest.mark.parametrize(("keep", "expected"), [(0.0, [2, 0]), (1.0, [1, 4]), (0.75, [1.25, 3])])
def test_it_lies_between_the_frame_before_and_this_one(keep, expected):
    clean, power, noise = (np.array(values) for values in ([2.0, 2.0], [6.0, 0.1], [2.0, 0.5]))
    np.testing.assert_allclose(decision_directed(clean, power, noise, keep), expected)


def test_it_keeps_single_precision():
    ones = np.ones(3, np.float32)
    assert decision_directed(ones, ones, ones, 0.98).dtype == np.float32
