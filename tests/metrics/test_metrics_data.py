"""Metrics on real recordings: the means that an independent script measured with the reference implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.metrics.score import score

pytestmark = pytest.mark.data

WITH_PESQ = {"si_sdr": 5.78214, "pesq_wb": 1.45001, "estoi": 0.63500}
"""Means over the 80 noisy recordings of dev/pairs-16k: si_sdr by formula, packages pesq and pystoi."""
FULL_BAND = {"si_sdr": 5.61638, "lsd_hi": 22.75956}
"""Means over the 40 noisy recordings of dev/pairs-48k."""
DNSMOS = {"dnsmos_ovrl": 1.81721, "dnsmos_sig": 2.37302, "dnsmos_bak": 2.02660}
"""The same, by package speechmos on what soxr makes of them at 16 kHz."""


def pairs(folder, step=1):
    for path in sorted((folder / "noisy").iterdir())[::step]:
        noisy, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clean, _ = soundfile.read(folder / "clean" / path.name, dtype="float32", always_2d=True)
        yield noisy.T, clean.T, rate


def means(folder, keys):
    found = [score(noisy, rate, clean, metrics=list(keys)) for noisy, clean, rate in pairs(folder)]
    return {key: np.mean([values[key] for values in found]) for key in keys}


def test_means_over_the_16k_pairs(data_dir):
    assert means(data_dir / "dev/pairs-16k", WITH_PESQ) == pytest.approx(WITH_PESQ, abs=0.005)


@pytest.mark.parametrize("expected", [FULL_BAND, DNSMOS], ids=["full band", "dnsmos"])
def test_means_over_the_48k_pairs(data_dir, expected):
    assert means(data_dir / "dev/pairs-48k", expected) == pytest.approx(expected, abs=0.005)


def test_si_sdr_of_real_pairs_equals_torchmetrics(data_dir):
    import torch
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as theirs

    for noisy, clean, rate in pairs(data_dir / "dev/pairs-16k", 10):
        sides = (torch.from_numpy(signal[0].astype(float)) for signal in (noisy, clean))
        expected = float(theirs(*sides, zero_mean=True))
        assert score(noisy, rate, clean, metrics=["si_sdr"])["si_sdr"] == pytest.approx(expected, abs=1e-3)


def test_clean_and_noisy_speech_have_no_artifacts_and_wada_follows_the_snr(data_dir):
    artifacts, estimates = [], []
    for noisy, clean, rate in pairs(data_dir / "dev/pairs-16k", 4):
        artifacts += [score(signal, rate, metrics=["artifacts"])["artifacts"] for signal in (clean, noisy)]
        true = 10 * math.log10(np.sum(clean**2) / np.sum((noisy - clean) ** 2))
        estimates.append((true, score(noisy, rate, metrics=["wada_snr"])["wada_snr"]))
    assert np.mean(artifacts) < 0.05 and np.max(artifacts) < 0.3
    assert np.corrcoef(np.array(estimates).T)[0, 1] > 0.6


def test_loudness_of_real_recordings_equals_pyloudnorm(data_dir):
    import pyloudnorm

    for path in sorted((data_dir / "dev/real-noisy").glob("*.*"))[:8]:
        if path.suffix == ".csv":
            continue
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        found = score(audio.T, rate, metrics=["loudness"])["loudness"]
        expected = pyloudnorm.Meter(rate).integrated_loudness(audio.astype(float))
        assert not isinstance(found, NotMeasurable) and found == pytest.approx(expected, abs=0.1)
