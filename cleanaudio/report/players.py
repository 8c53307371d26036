"""Excerpts to listen to, inside the page: MP3, which every browser plays, Safari on older phones included."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.lossy import compression
from cleanaudio.audio.resample import resampled
from cleanaudio.report.excerpts import mono
from cleanaudio.report.markup import data_uri, esc

BIT_RATES = {0: 48_000, 32000: 64_000}
"""Bits per second of one channel, from this rate on; two, which have much in common, get half as many again."""
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""What MP3 knows."""


def encode(signal: NDArray[np.float32], rate: int, gain: float = 1.0) -> bytes:
    """Return a signal as MP3.

    Parameters
    ----------
    signal : ndarray, shape (channels, frames)
        More than two channels become their mean.
    rate : int
        Another rate than MP3's becomes the next higher one of those.
    gain : float
        What keeps all sides of a recording within full scale.
    """
    import soundfile

    if len(signal) > 2:
        signal = mono(signal)[None]
    wanted = next((known for known in _RATES if known >= rate), _RATES[-1])
    signal = resampled(signal, rate, wanted)
    bit_rate = next(bits for lowest, bits in sorted(BIT_RATES.items())[::-1] if wanted >= lowest)
    bit_rate += (len(signal) - 1) * bit_rate // 2
    setting = compression("MPEG_LAYER_III", wanted, len(signal), bit_rate)
    assert setting is not None
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", wanted, len(signal), "MPEG_LAYER_III",
        format="MP3", compression_level=setting.level, bitrate_mode=setting.mode,
    ) as sound:  # fmt: skip
        sound.write((signal * np.float32(gain)).T)
    return file.getvalue()


def player(signal: NDArray[np.float32], rate: int, gain: float, what: str, ready: bool) -> str:
    """Return an audio element.

    Parameters
    ----------
    signal : ndarray, shape (channels, frames)
    rate : int
    gain : float
    what : str
        Its name for screen readers.
    ready : bool
        The browser decodes it when the page opens. Phones do that for a few dozens only.
    """
    source = data_uri("audio/mpeg", encode(signal, rate, gain))
    preload = "metadata" if ready else "none"
    return f'<audio controls preload="{preload}" aria-label="{esc(what)}" src="{source}"></audio>'
