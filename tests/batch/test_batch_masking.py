import numpy as np
import pytest

from cleanaudio.backends import registry
from cleanaudio.batch.masking import Masking, decide


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


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("spec", ["vad", "salience", "omlsa"])
def test_the_latency_of_masks_is_what_it_says(spec, rate):
    """Fed 10 ms at a time, the masks over a sample are there so much later at most, and not much sooner."""
    size, hop = 1024, 256
    masks = Masking(spec).open(rate, 2, (size, hop), list)
    signal = 0.01 * np.random.default_rng(0).standard_normal((2, masks.latency + rate)).astype(np.float32)
    taken = count = most = 0
    for k in range(0, signal.shape[1], rate // 100):
        block = signal[:, k : k + rate // 100]
        taken, count = taken + block.shape[1], count + len(masks.process(block))
        most = max(most, taken - (count * hop - (size - hop)))  # frame ``count`` begins there
    assert most <= masks.latency <= most + rate / 10
