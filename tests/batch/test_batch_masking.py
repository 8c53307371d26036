import pytest

from cleanaudio.backends import registry
from cleanaudio.batch.masking import decide


@pytest.mark.parametrize(
    ("order", "mask"),
    [
        (("0.1*mask-lstm+0.9*fullband",), "fullband"),
        (("omlsa,0.7*fullband+0.3*mask-lstm",), "fullband"),
        (("omlsa",), "salience"),
    ],
)
def test_auto_is_one_backend_for_masks(monkeypatch, order, mask):
    monkeypatch.setattr(registry, "AUTO_ORDER", order)
    assert decide("auto")[0] == mask and decide("auto")[1]


def test_a_sum_that_is_named_stays_one(monkeypatch):
    monkeypatch.setattr(registry, "AUTO_ORDER", ("wiener",))
    assert decide("0.5*auto+0.5*fullband")[0] == "0.5*wiener+0.5*fullband"
    assert decide("0.5*omlsa+0.5*wiener") == ("0.5*omlsa+0.5*wiener", None)
    assert decide("none") == (None, None) and decide("vad") == ("vad", None)
