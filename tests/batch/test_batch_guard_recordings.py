"""The guard on real voices: clean, over music, whispered, and deep in noise."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import soundfile
import soxr
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from cleanaudio.audio.mixing import balance
from cleanaudio.metrics.score import score

pytestmark = pytest.mark.data

RATE = 16000
FILES = 5
BACKEND = "deepfilternet"


def whispered(voice, seed=0):
    """Return a voice with its vocal folds at rest: linear prediction of each 30 ms, driven by noise (16 kHz)."""
    random, size, order = np.random.default_rng(seed), 480, 20
    window = np.hanning(size + 1)[:size]
    brighter = np.append(voice[:1], voice[1:] - 0.95 * voice[:-1])  # breath has no glottal slope
    out = np.zeros(len(voice))
    for at in range(0, len(voice) - size, size // 2):
        frame = brighter[at : at + size] * window
        correlation = np.correlate(frame, frame, "full")[size - 1 : size + order]
        if correlation[0] < 1e-9:
            continue
        correlation[0] *= 1.0001
        taps = solve_toeplitz(correlation[:-1], correlation[1:])
        gain = np.sqrt(max(correlation[0] - taps @ correlation[1:], 0) / np.sum(window**2))
        breath = lfilter([gain], np.r_[1, -taps], random.standard_normal(2 * size))[size:]
        out[at : at + size] += breath * window
    return (0.03 * out / np.sqrt(np.mean(out**2))).astype(np.float32)


def mixed(voice, noise, snr_db):
    """Return the mix at an active-speech SNR, and the voice as it is in there."""
    noise = np.resize(noise, len(voice)).astype(np.float32)
    mix = balance(lambda: [(voice[None], noise[None])], RATE, 1, snr_db, "active")
    return mix.mix(voice[None], noise[None])[0], np.float32(mix.scale) * voice


def read(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE) if rate != RATE else samples.mean(axis=1)


@pytest.fixture(scope="module")
def music(data_dir):
    folder = data_dir / "train" / "noise"
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["type"] == "music"]
    return [read(folder / name) for name in names[:: len(names) // FILES]]


@pytest.fixture
def guarded(cli, data_dir, tmp_path):
    """``guarded(make)``: (voice, input, output, output without the guard, the row's notes) of each recording.

    ``make(number, clean, noise)`` returns the input and the voice in it.
    """

    def run(make):
        pairs = data_dir / "dev" / "pairs-16k"
        names = sorted(path.name for path in (pairs / "clean").iterdir())[2::16][:FILES]
        made = {}
        (tmp_path / "in").mkdir()
        for number, name in enumerate(names):
            clean = read(pairs / "clean" / name)
            noisy, voice = make(number, clean, read(pairs / "noisy" / name) - clean)
            soundfile.write(tmp_path / "in" / f"{number}.wav", noisy, RATE, subtype="FLOAT")
            made[number] = voice, noisy
        for switch in ("--guard", "--no-guard"):
            assert cli("denoise", tmp_path / "in", "-o", tmp_path / switch, "-b", BACKEND, switch).code == 0
        with open(tmp_path / "--guard" / "metrics.csv", newline="", encoding="utf-8") as file:
            notes = {row["input"]: row["notes"] for row in csv.DictReader(file)}
        return [
            (
                *both,
                *(read(tmp_path / switch / f"{number}.wav") for switch in ("--guard", "--no-guard")),
                notes[str(tmp_path / "in" / f"{number}.wav")],
            )
            for number, both in made.items()
        ]

    return run


def figures(voice, signal):
    return np.array(list(score(signal, RATE, reference=voice, metrics=["estoi", "si_sdr"], align=False).values()))


def means(found):
    """Return the mean ESTOI and SI-SDR before, after, and after without the guard."""
    return [np.mean([figures(one[0], one[side]) for one in found], axis=0) for side in (1, 2, 3)]


def kept_db(voice, signal):
    """Return how much of a voice is left in a signal, dB."""
    return 20 * np.log10(max(1e-6, float(voice @ signal) / float(voice @ voice)))


def test_a_clean_recording_is_left_as_it_is(guarded):
    found = guarded(lambda number, clean, noise: (clean, clean))
    left_alone = [noisy for _, noisy, out, _, notes in found if "clean already" in notes and np.array_equal(noisy, out)]
    assert left_alone
    for voice, _, out, bare, notes in found:
        assert kept_db(voice, out) > -6.5 and kept_db(voice, out) >= kept_db(voice, bare) - 0.1, notes


def test_speech_over_music_gains_and_keeps_its_level(guarded, music):
    found = guarded(lambda number, clean, noise: mixed(clean, music[number], 10))
    before, after, bare = means(found)
    assert (after > before).all() and (after >= bare - 0.01).all()
    assert all(kept_db(voice, out) > -7 for voice, _, out, _, _ in found)


def test_a_whisper_is_not_taken_for_noise(guarded):
    def make(number, clean, noise):
        return mixed(whispered(clean, number), noise, 15)

    found = guarded(make)
    before, after, bare = means(found)
    assert after[0] > max(before[0] - 0.02, bare[0] + 0.1)
    removed = [one for one in found if kept_db(one[0], one[3]) < -12]  # what the backend does when nobody watches
    assert len(removed) >= 3
    for voice, _, out, _, notes in removed:
        assert kept_db(voice, out) > -7 and "guarded" in notes


def test_deep_in_noise_the_voice_is_not_removed_with_it(guarded):
    found = guarded(lambda number, clean, noise: mixed(clean, noise, -5))
    before, after, _ = means(found)
    assert after[0] > before[0] - 0.005 and after[1] > before[1] + 1
    assert all(kept_db(voice, out) > -13 for voice, _, out, _, _ in found)
    assert min(kept_db(voice, bare) for voice, _, _, bare, _ in found) < -13
