"""The check of an installed model: its hash, and what it does to a built-in clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import through
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import CleanAudioError
from cleanaudio.models.catalog import Model

_SECONDS, _QUIET_S = 4.0, 1.0
_NOISE_GOES_DB, _VOICE_STAYS_DB = 6.0, 6.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
    passed : bool
    found : str
        What was found, for the user.
    """

    what: str
    passed: bool
    found: str


def verify(model: Model) -> list[Check]:
    """Check a model's hash and run it on the built-in clip.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of Check
    """
    digest = model.digest()
    if model.sha256:
        checks = [Check("hash", digest == model.sha256, f"sha256 {digest[:16]}…")]
    else:
        checks = [Check("hash", True, f"sha256 {digest[:16]}…, nothing to compare it with")]
    try:
        return checks + _run(model)
    except CleanAudioError as error:
        return [*checks, Check("run", False, error.describe())]


def _run(model: Model) -> list[Check]:
    voice, noise = clip(model.rate)
    settings = chain.Settings(parse(model.spec))
    processor = chain.resolve(settings, Setup(model.rate, 1)).open()
    out = through(processor, (voice + noise)[None])[0]
    same = out.shape == voice.shape and bool(np.isfinite(out).all())
    checks = [
        Check("length", same, f"{out.size} of {voice.size} samples, all finite" if same else f"{out.size} samples")
    ]
    if same:
        quiet = slice(round(_QUIET_S / 2 * model.rate), round(_QUIET_S * model.rate))
        loud = slice(round(_QUIET_S * model.rate), None)
        gone = _level_db(noise[quiet]) - _level_db(out[quiet])
        lost = _level_db(voice[loud]) - _level_db(out[loud])
        checks.append(Check("noise", gone >= _NOISE_GOES_DB, f"{gone:.1f} dB less"))
        checks.append(Check("voice", abs(lost) <= _VOICE_STAYS_DB, f"{lost:.1f} dB less"))
    return checks


def clip(rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a voice-like signal after a second of silence, and white noise 15 dB below it.

    Parameters
    ----------
    rate : int
        Hz.

    Returns
    -------
    (ndarray, ndarray), shape (frames,) each
    """
    t = np.arange(round(_SECONDS * rate)) / rate
    pitch = 120 * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * t) + 0.01 * np.sin(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    # Formants of vowels that follow each other, Hz, with the bandwidth of each.
    vowels = np.array([[730, 1090, 2440], [270, 2290, 3010], [570, 840, 2410], [530, 1840, 2480]])
    at = (t * 3.3) % len(vowels)
    first, share = at.astype(int), np.minimum((at % 1) / 0.3, 1)[:, None]
    formants = (1 - share) * vowels[first - 1] + share * vowels[first]
    voice = np.zeros_like(t)
    for harmonic in range(1, 34):
        gain = np.sum(1 / (1 + ((harmonic * pitch[:, None] - formants) / 90) ** 2), axis=1) / harmonic**0.5
        voice += np.where(harmonic * pitch < 0.45 * rate, gain, 0) * np.sin(harmonic * phase)
    voice *= np.clip(np.sin(2 * np.pi * 1.65 * t) ** 2 * 3, 0, 1) * (t >= _QUIET_S)
    voice *= 0.08 / np.sqrt(np.mean(voice[t >= _QUIET_S] ** 2))
    noise = np.random.default_rng(5).standard_normal(len(t)) * 0.08 * 10 ** (-15 / 20)
    return voice.astype(np.float32), noise.astype(np.float32)


def _level_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
