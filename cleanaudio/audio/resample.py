"""Streaming change of rate: samples at one rate in, at another out, in blocks of any size, sample-aligned."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.limits import RATES
from cleanaudio.audio.polyphase import PolyphaseStream
from cleanaudio.audio.processor import through
from cleanaudio.errors import FormatError

_MAX_PHASES = 10_000
"""Of the short filter; rates with hardly a common divisor need more, and are left to libsoxr."""


class Resampler:
    """Band-limited resampling by libsoxr (quality "HQ": 20 bits, linear phase), streaming.

    Frame ``k`` of the output stands at the time of frame ``k * rate_in / rate_out`` of the input: the filter's delay
    is taken out. After :meth:`flush`, ``round(n * rate_out / rate_in)`` frames have come out for ``n`` that went in.

    Parameters
    ----------
    rate_in, rate_out : int
        Rates in Hz, from 1 up to the highest of :data:`cleanaudio.audio.limits.RATES`.
    channels : int
    live : bool
        Use a short filter (70 dB) in place of libsoxr's, which comes 20 to 40 ms later.

    Raises
    ------
    FormatError
        This pair of rates is not served.
    """

    def __init__(self, rate_in: int, rate_out: int, channels: int, live: bool = False) -> None:
        self.rate_in, self.rate_out, self.channels = rate_in, rate_out, channels
        self._stream = _open(rate_in, rate_out, channels, live)
        self._taken = self._given = 0

    @property
    def latency(self) -> int:
        """Input frames that must be fed, at the most, before an output frame of their time comes out."""
        if isinstance(self._stream, PolyphaseStream):
            return self._stream.latency
        return _measured_latency(self.rate_in, self.rate_out)

    def length(self, frames: int) -> int:
        """Return how many frames come out for so many that go in."""
        return round(Fraction(frames * self.rate_out, self.rate_in))

    def reset(self) -> None:
        """Forget the signal."""
        self._stream.clear()
        self._taken = self._given = 0

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take (channels, n), return (channels, m)."""
        self._taken += block.shape[1]
        return self._give(self._stream.resample_chunk(np.ascontiguousarray(block.T, np.float32)).T)

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are still owed; only :meth:`reset` may follow."""
        rest = self._give(self._stream.resample_chunk(np.zeros((0, self.channels), np.float32), last=True).T)
        missing = self.length(self._taken) - self._given
        return np.pad(rest, ((0, 0), (0, missing))) if missing else rest

    def _give(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        samples = samples[:, : max(0, self.length(self._taken) - self._given)]
        self._given += samples.shape[1]
        return samples


def resampled(signal: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Return a whole signal at another rate; the same array where the rate is the same.

    Parameters
    ----------
    signal : ndarray, shape (frames,) or (channels, frames)
    rate_in, rate_out : int
        Rates in Hz, as in :class:`Resampler`.

    Raises
    ------
    FormatError
        This pair of rates is not served.
    """
    if rate_in == rate_out:
        return signal
    channels = np.atleast_2d(signal)
    out = through(Resampler(rate_in, rate_out, len(channels)), channels)
    return out if signal.ndim > 1 else out[0]


def _open(rate_in: int, rate_out: int, channels: int, live: bool = False):
    import soxr

    try:
        if not 1 <= rate_in <= RATES[-1] or not 1 <= rate_out <= RATES[-1]:
            raise ValueError(f"rates go from 1 to {RATES[-1]} Hz")
        if live and rate_out // gcd(rate_in, rate_out) <= _MAX_PHASES:
            return PolyphaseStream(rate_in, rate_out, channels)
        return soxr.ResampleStream(rate_in, rate_out, channels)
    except (ValueError, RuntimeError, TypeError, OverflowError) as error:
        raise FormatError(
            f"cannot resample {channels} channels from {rate_in} Hz to {rate_out} Hz: {error}",
            remedy="convert the recording to a usual rate such as 48000 Hz first",
        ) from error


@lru_cache(maxsize=64)
def _measured_latency(rate_in: int, rate_out: int) -> int:
    """Feed silence until output has flowed for a while, and return how far it was behind at most.

    libsoxr works on blocks of its own, so that its delay goes up and down while it runs.
    """
    stream = _open(rate_in, rate_out, 1)
    block = np.zeros((max(1, rate_in // 2000), 1), np.float32)
    fed = given = worst = first = 0
    while not first or fed < 8 * first:
        fed += len(block)
        given += len(stream.resample_chunk(block))
        worst = max(worst, fed - given * rate_in // rate_out)
        first = first or (fed if given else 0)
    # The next frame comes with the next block, at the latest. The stages' blocks drift against each other, so that the
    # worst case may take minutes to come: 2 % to spare.
    return worst + len(block) + worst // 50
