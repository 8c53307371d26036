"""Against the package itself, over whole signals."""

import subprocess
import sys

import noisereduce
import numpy as np
import pytest

from cleanaudio.backends.interface import Setup
from cleanaudio.backends.measuring import measure
from cleanaudio.backends.noisereduce import CHUNK, NOISEREDUCE

RATE = 48000


def run(audio, stationary, block=50_000, linked=False):
    setup = Setup(RATE, len(audio), linked=linked)
    resolved = NOISEREDUCE.resolve(setup, {"stationary": stationary})
    analysis = NOISEREDUCE.analyse([audio], setup, resolved) if resolved.needs_analysis else None
    processor = NOISEREDUCE.open(setup, resolved, analysis)
    parts = [processor.process(audio[:, at : at + block]) for at in range(0, audio.shape[1], block)]
    return np.concatenate([*parts, processor.flush()], axis=1)


def recording(frames, channels=1):
    rng = np.random.default_rng(0)
    time = np.arange(frames) / RATE
    voice = np.sin(2 * np.pi * 300 * time) * (np.sin(2 * np.pi * 0.7 * time) > 0) * 0.3
    return (voice + 0.03 * rng.standard_normal((channels, frames))).astype(np.float32)


@pytest.mark.parametrize("stationary", [False, True])
@pytest.mark.parametrize("frames", [40_000, CHUNK, CHUNK + 1, CHUNK + 20_000, 2 * CHUNK - 5])
def test_equals_the_package_on_the_whole_signal(stationary, frames):
    audio = recording(frames)
    expected = noisereduce.reduce_noise(audio, RATE, stationary=stationary)
    out = run(audio, stationary)
    assert out.shape == audio.shape
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_equals_the_package_on_two_channels():
    audio = recording(60_000, 2)
    audio[1] *= 0.01  # each side is judged by its own noise
    expected = [noisereduce.reduce_noise(side, RATE, stationary=True) for side in audio]
    np.testing.assert_allclose(run(audio, True), expected, atol=1e-5)


def test_linked_channels_are_judged_by_the_noise_of_their_mean():
    audio = recording(60_000, 2)
    thresholds = []
    for signal, linked in ((audio, True), (audio.mean(axis=0, keepdims=True), False)):
        setup = Setup(RATE, len(signal), linked=linked)
        resolved = NOISEREDUCE.resolve(setup, {"stationary": True})
        thresholds.append(NOISEREDUCE.analyse([signal], setup, resolved)["threshold_db"])
    np.testing.assert_allclose(*thresholds, atol=1e-3)


def test_stretches_of_digital_silence_stay_silent_and_hurt_nobody():
    audio = recording(120_000)
    audio[:, 50_000:90_000] = 0
    out = run(audio, False)
    assert np.isfinite(out).all()
    assert np.all(np.abs(out[:, 55_000:85_000]) < 1e-6)
    assert np.any(np.abs(out[:, :40_000]) > 0.01)


@pytest.mark.parametrize("frames", [0, 1, 100])
def test_almost_nothing(frames):
    for stationary in (False, True):
        assert run(recording(frames), stationary).shape == (1, frames)


def test_a_print_gives_the_threshold_that_its_noise_would():
    noise = (0.02 * np.random.default_rng(1).standard_normal((1, 300_000))).astype(np.float32)
    setup = Setup(RATE, 1)
    measured = NOISEREDUCE.analyse([noise], setup, NOISEREDUCE.resolve(setup, {"stationary": True}))
    by_print = Setup(RATE, 1, profile=measure([noise], RATE))
    resolved = NOISEREDUCE.resolve(by_print, {"stationary": True})
    assert not resolved.needs_analysis and resolved.hashes
    audio = recording(100_000)
    outputs = [
        NOISEREDUCE.open(setup, resolved, measured),
        NOISEREDUCE.open(by_print, resolved),
    ]
    ours, theirs = (np.concatenate([p.process(audio), p.flush()], axis=1) for p in outputs)
    assert np.mean((ours - theirs) ** 2) < 0.02 * np.mean(theirs**2)


def test_channels_that_cancel_have_a_threshold():
    side = recording(60_000)
    thresholds = []
    for audio in (np.vstack([side, -side]), side):
        setup = Setup(RATE, len(audio))
        resolved = NOISEREDUCE.resolve(setup, {"stationary": True})
        thresholds.append(NOISEREDUCE.analyse([audio], setup, resolved)["threshold_db"])
    np.testing.assert_allclose(*thresholds)


def test_a_fresh_process_loads_no_torch_and_leaves_the_package_whole():
    code = (
        "import sys, numpy as np\n"
        "from cleanaudio.backends.interface import Setup\n"
        "from cleanaudio.backends.noisereduce import NOISEREDUCE as n\n"
        "p = n.open(Setup(16000, 1), n.resolve(Setup(16000, 1), {}))\n"
        "p.process(np.ones((1, 99), np.float32)), p.flush()\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "import noisereduce\n"
        "assert noisereduce.reduce_noise\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
