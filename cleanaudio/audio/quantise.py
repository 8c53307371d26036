"""From floating point to integer samples: rounding, TPDF dither, and never a wrap.

Dither (Lipshitz, Wannamaker, Vanderkooy: Quantization and Dither, JAES 1992): two uniform random numbers, together
triangular over ±1 step, are added before rounding, which makes the error independent of the signal. Samples that are
already exact multiples of a step get none: digital silence stays silent and what was not processed stays as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

_DEEPEST_DITHER = 24  # a step of deeper samples is below what single precision resolves


class Quantiser:
    """Streaming quantiser; the result does not depend on how the signal is cut into blocks.

    Parameters
    ----------
    bits : int
        2 to 32; full scale is 2^(bits-1).
    channels : int
    seed : int, optional
        Of the dither; None rounds without.

    Attributes
    ----------
    clipped : int
        Samples beyond ±1 so far, which became the highest or lowest value there is.
    """

    def __init__(self, bits: int, channels: int, seed: int | None = None) -> None:
        self.clipped = 0
        self._bits = bits
        self._channels = channels
        self._random = np.random.PCG64(seed) if seed is not None and bits <= _DEEPEST_DITHER else None
        self._dtype: Any = np.float32 if bits <= 16 else np.float64  # both hold the steps and a fine dither

    def process(self, block: Audio) -> NDArray[np.int16] | NDArray[np.int32]:
        """Return (channels, n) as interleaved integers, (n, channels), int16 up to 16 bits, else int32."""
        full_scale = self._dtype(2.0 ** (self._bits - 1))
        scaled = np.multiply(block.T, full_scale, dtype=self._dtype, order="C")
        whole = np.rint(scaled)
        if self._random is not None:
            exact = whole == scaled
            if exact.all():
                self._random.advance(len(scaled) * self._draws)
            else:
                dithered = np.rint(scaled + self._dither(len(scaled)))
                np.copyto(whole, dithered, where=~exact)
        if len(whole) and max(whole.max(), -whole.min()) >= full_scale:
            self.clipped += int(np.count_nonzero(np.abs(block) > 1.0))
            np.clip(whole, -full_scale, full_scale - 1, out=whole)
        return whole.astype(np.int16 if self._bits <= 16 else np.int32)

    @property
    def _draws(self) -> int:
        """Random words of 64 bits for a frame: each gives four uniform numbers, two samples."""
        return (self._channels + 1) // 2

    def _dither(self, frames: int) -> NDArray:
        assert self._random is not None
        words = self._random.random_raw(frames * self._draws).view(np.uint16).reshape(frames, -1)
        numbers = words[:, : 2 * self._channels].astype(self._dtype)
        return (numbers[:, 0::2] - numbers[:, 1::2]) * self._dtype(2.0**-16)
