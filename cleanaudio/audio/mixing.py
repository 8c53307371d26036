"""Speech and noise at a signal-to-noise ratio.

The ratio is that of the speech's level to the mean power of the noise under it, both averaged over the channels by
power. The speech's level is the active one (ITU-T P.56: pauses do not count, so that a recording with long pauses gets
no less noise) or its plain mean power. The noise is brought to the speech, which stays as it is, unless the sum would
exceed full scale: then both go down together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.choices import Level
from cleanaudio.audio.p56 import SpeechLevelMeter
from cleanaudio.errors import InputError

Audio = NDArray[np.float32]
Pairs = Callable[[], Iterable[tuple[Audio, Audio]]]
"""Walks speech and noise side by side from their beginning: blocks of one shape, (channels, n)."""

CEILING = 0.999
"""Highest peak of a mix; what is left is room for dither."""


class SilentNoiseError(InputError):
    """There is nothing but digital silence where the noise was to be taken from."""


@dataclass(frozen=True)
class Balance:
    """How speech and noise are added: ``scale * (speech + gain * noise)``.

    Parameters
    ----------
    gain : float
        Of the noise, linear.
    scale : float
        Of both, linear; below 1 where the mix would exceed full scale.
    speech_dbfs : float
        Level of the speech before either.
    """

    gain: float
    scale: float
    speech_dbfs: float

    def mix(self, speech: Audio, noise: Audio) -> Audio:
        """Return the mix of two blocks, (channels, n)."""
        return np.float32(self.scale) * (speech + np.float32(self.gain) * noise)

    @property
    def note(self) -> str | None:
        """What the user should know."""
        if self.scale == 1:
            return None
        return f"speech and noise scaled by {20 * np.log10(self.scale):.2f} dB: the mix would exceed full scale"


def balance(pairs: Pairs, rate: int, channels: int, snr_db: float, level: Level = "active") -> Balance:
    """Find how loud the noise must be.

    Walks the pairs once, and a second time where peaks of both might add up to more than full scale.

    Parameters
    ----------
    pairs : callable
    rate : int
        Hz.
    channels : int
    snr_db : float
    level : {"active", "power"}
        What counts as the speech's level.

    Raises
    ------
    InputError
        The speech is silent; :class:`SilentNoiseError` where the noise is.
    """
    meter = SpeechLevelMeter(rate, channels)
    energy, frames, highest = 0.0, 0, [0.0, 0.0]
    for speech, noise in pairs():
        meter.add(speech)
        energy += float(np.einsum("cn,cn->", noise, noise, dtype=np.float64))
        frames += noise.shape[1]
        highest = [max(peak, _peak(block)) for peak, block in zip(highest, (speech, noise), strict=True)]
    found = meter.result()
    speech_db = found.active_dbfs if level == "active" else found.rms_dbfs
    if speech_db is None:
        raise InputError("is silent: there is no level that noise could be compared with")
    if not energy:
        raise SilentNoiseError("the noise is silent there")
    noise_db = 10 * np.log10(energy / (frames * channels))
    gain = float(10 ** ((speech_db - noise_db - snr_db) / 20))
    peak = highest[0] + gain * highest[1]
    if peak > CEILING:
        peak = max(_peak(speech + np.float32(gain) * noise) for speech, noise in pairs())
    scale = CEILING / peak if peak > CEILING else 1.0
    return Balance(gain, scale, speech_db)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return random numbers that belong to a seed and some names, whatever else is drawn."""
    digest = blake2b("\0".join(names).encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest)])


def side_by_side(speech: Iterable[Audio], noise: Callable[[int], Audio]) -> Iterator[tuple[Audio, Audio]]:
    """Walk blocks of speech with as much noise each, which ``noise(frames)`` gives."""
    for block in speech:
        yield block, noise(block.shape[1])


def _peak(block: Audio) -> float:
    return float(max(block.max(initial=0.0), -block.min(initial=0.0)))
