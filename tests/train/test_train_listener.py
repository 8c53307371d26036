"""What networks learn from of PESQ and ESTOI, beside the packages pesq and pystoi that measure them."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from scipy.stats import pearsonr

from cleanaudio.train.disturbance import Disturbance
from cleanaudio.train.intelligibility import Intelligibility


def measured(measure, estimate, target, rate=16000):
    size = round(0.016 * rate) * 2
    hann = torch.hann_window(size) * (2 / size) ** 0.5
    level = max(np.sqrt(np.mean(target**2)), 1e-3)

    def powers(signal):
        frames = torch.as_tensor(signal / level, dtype=torch.float32)[None].unfold(1, size, size // 2)
        return torch.fft.rfft(frames * hann).abs().square()

    return measure(rate, size, size // 2)(powers(estimate), powers(target)).item()


def fall(estimate, target, rate=16000):
    return measured(Disturbance, estimate, target, rate)


def understood(estimate, target, rate=16000):
    return measured(Intelligibility, estimate, target, rate)


def raw(score):
    """Return the score before P.862.2 maps it to opinions."""
    return (4.6607 - np.log(4 / (score - 0.999) - 1)) / 1.3669


@pytest.fixture(scope="module")
def pair(speech_like, noise_like):
    clean = speech_like(3.0, 16000, 3)
    return clean, (clean + 0.02 * noise_like(3.0, 16000, "pink", 5)).astype(np.float32)


def test_nothing_is_disturbed_by_the_same_signal_at_any_level(pair):
    clean, noisy = pair
    assert fall(clean, clean) == pytest.approx(0, abs=1e-3)
    assert fall(0.1 * clean, clean) == pytest.approx(0, abs=1e-3)
    assert fall(0.1 * noisy, 3 * clean) == pytest.approx(fall(noisy, clean), rel=1e-3)


def test_it_falls_as_pesq_does(pair):
    from pesq import pesq

    clean, noisy = pair
    mixed = [clean + share * (noisy - clean) for share in (2.0, 1.0, 0.5, 0.25, 0.125, 0.06)]
    theirs = [raw(pesq(16000, clean, x, "wb")) for x in mixed]
    ours = [4.5 - fall(x, clean) for x in mixed]
    assert pearsonr(theirs, ours).statistic > 0.98


def test_it_is_understood_as_estoi_says(pair):
    from pystoi import stoi

    clean, noisy = pair
    shares = (8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
    theirs = [stoi(clean, clean + share * (noisy - clean), 16000, extended=True) for share in shares]
    ours = [understood(clean + share * (noisy - clean), clean) for share in shares]
    assert pearsonr(theirs, ours).statistic > 0.98
    assert ours == sorted(ours) and ours[-1] == pytest.approx(1, abs=1e-3)


def test_of_silence_all_is_understood(pair):
    assert understood(pair[1], 0 * pair[0]) == 1
    assert understood(pair[1][:2000], pair[0][:2000]) == 1  # shorter than the measure


def test_what_is_added_costs_more_than_what_is_taken_away(pair):
    clean = pair[0]
    spectrum = np.fft.rfft(clean)
    band = (np.arange(len(spectrum)) / len(clean) * 16000 > 2000) & (np.arange(len(spectrum)) % 2 == 0)
    part = np.fft.irfft(spectrum * band, len(clean)).astype(np.float32)
    draw = np.random.default_rng(1)
    noise = np.fft.irfft(np.fft.rfft(draw.standard_normal(len(clean))) * band, len(clean)).astype(np.float32)
    noise *= np.sqrt(np.mean(part**2) / np.mean(noise**2))
    assert fall(clean + noise, clean) > fall(clean - part, clean)


def test_the_same_voice_at_48_khz_is_disturbed_alike(pair):
    import soxr

    clean, noisy = pair
    high = [soxr.resample(signal, 16000, 48000) for signal in (noisy, clean)]
    assert fall(*high, rate=48000) == pytest.approx(fall(noisy, clean), abs=0.15)


@pytest.mark.data
def test_both_go_with_what_is_measured_on_real_recordings(data_dir):
    from pesq import pesq
    from pystoi import stoi

    theirs, ours = [], []
    for path in sorted((data_dir / "dev/pairs-16k/noisy").iterdir())[::4]:
        noisy, _ = soundfile.read(path, dtype="float32")
        clean, _ = soundfile.read(data_dir / "dev/pairs-16k/clean" / path.name, dtype="float32")
        theirs.append((raw(pesq(16000, clean, noisy, "wb")), stoi(clean, noisy, 16000, extended=True)))
        ours.append((4.5 - fall(noisy, clean), understood(noisy, clean)))
    for theirs_of_one, ours_of_one in zip(zip(*theirs, strict=True), zip(*ours, strict=True), strict=True):
        assert pearsonr(theirs_of_one, ours_of_one).statistic > 0.95
