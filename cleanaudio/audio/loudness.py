"""Loudness as broadcasters measure it (ITU-R BS.1770-4), while the recording streams by.

All that grows with the recording is one number per 100 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cleanaudio.audio import layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

BLOCK_STEPS = 4
"""A gating block is 400 ms, four steps of 100 ms; blocks overlap by three of them."""
STEPS_PER_S = 10
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
OFFSET_DB = -0.691
"""So that a sine of 997 Hz at full scale in one channel reads −3.01 LUFS."""


def k_weighting(rate: int) -> NDArray[np.float64]:
    """Return the two second-order sections of the K-weighting (BS.1770-4, annex 1, fig. 2 and 4) for any rate.

    The standard lists coefficients at 48 kHz only. They are the bilinear transform, bent at the corner frequency, of
    the analogue filters below (a shelf of 4 dB above 1.7 kHz, and a high-pass at 38 Hz), which is applied at the rate
    asked for.

    Returns
    -------
    ndarray, shape (2, 6)
        Rows of b0 b1 b2 1 a1 a2.
    """
    gain, corner_hz, quality = 10 ** (3.999843853973347 / 20), 1681.974450955533, 0.7071752369554196
    k = np.tan(np.pi * min(corner_hz / rate, 0.49))
    middle = gain**0.4996667741545416  # the shelf's gain at its corner
    norm = 1 + k / quality + k * k
    shelf = [
        (gain + middle * k / quality + k * k) / norm,
        2 * (k * k - gain) / norm,
        (gain - middle * k / quality + k * k) / norm,
        1.0,
        2 * (k * k - 1) / norm,
        (1 - k / quality + k * k) / norm,
    ]
    corner_hz, quality = 38.13547087602444, 0.5003270373238773

    def bent(rate: int) -> tuple[float, float]:
        k = np.tan(np.pi * corner_hz / rate)
        return k, 1 + k / quality + k * k

    # the standard writes the numerator as 1, -2, 1 at 48 kHz, 0.04 dB more than a gain of 1 in the passband; so here
    (k, norm), gain = bent(rate), bent(48000)[1] / bent(rate)[1]
    high_pass = [gain, -2 * gain, gain, 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]
    return np.array([shelf, high_pass])


_SURROUND = 1.41
_WEIGHTS = {layout.LFE: 0.0} | dict.fromkeys((layout.BL, layout.BR, layout.BC, layout.SL, layout.SR), _SURROUND)


def channel_weights(channels: int, channel_mask: int = 0) -> NDArray[np.float64]:
    """Return the weight of each channel: none for the LFE, 1.41 for surrounds and what stands behind, else 1.

    The standard's annex 3 would weigh by 1 what stands more than 120 degrees from the front; but where a recording has
    no more than two surrounds they are called back ones all the same. FFmpeg's ebur128 makes no difference either.

    Parameters
    ----------
    channels : int
    channel_mask : int
        Loudspeaker positions; 0 takes the default ones of so many channels, where there are any.
    """
    positions = layout.of_mask(channel_mask, channels)
    return np.array([_WEIGHTS.get(position, 1.0) for position in positions]) if positions else np.ones(channels)


class LoudnessMeter:
    """Integrated loudness of a stream.

    Parameters
    ----------
    rate : int
    channels : int
    channel_mask : int
        Loudspeaker positions, 0 if unknown.
    """

    def __init__(self, rate: int, channels: int, channel_mask: int = 0) -> None:
        self._rate = rate
        self._sections = k_weighting(rate)
        self._state = np.zeros((2, channels, 2))
        self._weights = channel_weights(channels, channel_mask)
        self._frames = 0
        self._energies: list[float] = []
        self._partial = 0.0

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        if not block.shape[1]:
            return
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(self._sections, block.astype(np.float64), axis=1, zi=self._state)
        energy = self._weights @ weighted**2
        first = self._frames * STEPS_PER_S // self._rate
        self._frames += block.shape[1]
        start = self._frames - block.shape[1]
        # the steps that end within this block: step k ends before frame (k + 1) * rate / 10
        ends = (
            -(-np.arange(first + 1, self._frames * STEPS_PER_S // self._rate + 1) * self._rate // STEPS_PER_S) - start
        )
        for piece in np.split(energy, ends)[: len(ends)]:
            self._energies.append(self._partial + float(piece.sum()))
            self._partial = 0.0
        self._partial += float(energy[ends[-1] if len(ends) else 0 :].sum())

    def block_loudness(self) -> NDArray[np.float64]:
        """Return the loudness of each gating block in LUFS, −∞ in digital silence."""
        with np.errstate(divide="ignore"):
            return OFFSET_DB + 10 * np.log10(self._block_power())

    def _block_power(self) -> NDArray[np.float64]:
        if len(self._energies) < BLOCK_STEPS:
            return np.zeros(0)
        sums = np.convolve(self._energies, np.ones(BLOCK_STEPS), "valid")
        return np.maximum(sums, 0) / (BLOCK_STEPS * self._rate / STEPS_PER_S)

    def integrated(self) -> float | None:
        """Return the gated loudness of what was seen so far in LUFS (eq. 3–7).

        Returns
        -------
        float or None
            None if shorter than a block of 400 ms; −∞ if no block is louder than −70 LUFS.
        """
        power = self._block_power()
        if not len(power):
            return None
        audible = power[self.block_loudness() > ABSOLUTE_GATE_LUFS]
        if not len(audible):
            return -np.inf
        kept = audible[audible > audible.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
        return float(OFFSET_DB + 10 * np.log10(kept.mean()))
