"""Beamformers that are fixed filters: delay-and-sum with known delays, superdirective, any table of weights.

Each microphone has its finite impulse response; the sum of the filtered microphones is the output. The filters are
applied by overlap-save, so that a delay is a true delay, of any fraction of a sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.queue import Queue
from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.beamformers import superdirective
from cleanaudio.spatial.geometry import Direction, Geometry, steering
from cleanaudio.spatial.stream import Audio

_HALF = 64  # samples of sinc on each side
_KAISER = 9.0
_DESIGN = 1024


def delay_filters(delays: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the filters of delay-and-sum: each advances its microphone by its delay, in samples.

    Parameters
    ----------
    delays : ndarray, shape (channels,)
        When the wave reaches each microphone, in samples after the reference.

    Returns
    -------
    ndarray, shape (channels, 2 * centre + 1), float32
        A sinc under a Kaiser window (β = 9); the middle tap is time 0.
    """
    centre = _HALF + int(np.ceil(np.max(np.abs(delays))))
    time = np.arange(-centre, centre + 1) + np.asarray(delays, np.float64)[:, None]
    inside = np.clip(1 - (time / (_HALF + 1)) ** 2, 0.0, None)
    taper = np.where(inside > 0, np.i0(_KAISER * np.sqrt(inside)) / np.i0(_KAISER), 0.0)
    return (np.sinc(time) * taper * (1 / len(delays))).astype(np.float32)


def filters_of(weights: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Return the filters, shape (channels, 2 * centre + 1), of weights (bins, channels) of an output wᴴ x."""
    size = 2 * (len(weights) - 1)
    response = np.fft.fftshift(np.fft.irfft(weights.conj(), size, axis=0), axes=0)
    response = np.concatenate([response, response[:1]]).T
    response[:, [0, -1]] /= 2
    edge = size // 8
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    response[:, :edge] *= ramp
    response[:, -edge:] *= ramp[::-1]
    return response.astype(np.float32)


class FilterAndSum:
    """A sum of filtered microphones; one channel comes out.

    Parameters
    ----------
    filters : ndarray, shape (channels, 2 * centre + 1)
        The middle tap is time 0.
    """

    def __init__(self, filters: NDArray[np.float32]) -> None:
        self._channels, taps = filters.shape
        if taps % 2 == 0:
            raise RecipeError("filters have an odd number of taps, the middle one is time 0")
        self._centre = taps // 2
        self._size = 4 << (taps - 1).bit_length()
        self._step = self._size - taps + 1
        self._transfer = np.fft.rfft(filters, self._size, axis=-1)
        self.latency = self._centre + self._step
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._held = Queue(np.zeros((self._channels, self._centre), np.float32))
        self._taken = self._given = 0

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (1, m)."""
        check_block(block, self._channels)
        self._taken += block.shape[1]
        return self._advance(block)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        owed = self._taken - self._given
        tail = np.zeros((self._channels, -(-owed // self._step) * self._step + 2 * self._centre), np.float32)
        return self._advance(tail)[:, :owed]

    def _advance(self, block: Audio) -> Audio:
        self._held.push(block)
        steps = max(0, (len(self._held) - 2 * self._centre) // self._step)
        if not steps:
            return np.zeros((1, 0), np.float32)
        signal = self._held.peek(steps * self._step + 2 * self._centre)
        out = np.empty((steps, self._step), np.float32)
        for k in range(steps):
            start = k * self._step
            spectra = np.fft.rfft(signal[:, start : start + self._size], self._size, axis=-1)
            summed = np.fft.irfft(np.sum(spectra * self._transfer, axis=0), self._size)
            out[k] = summed[2 * self._centre : 2 * self._centre + self._step]
        self._held.pop(steps * self._step)
        self._given += steps * self._step
        return out.reshape(1, -1)


def fixed_filters(
    method: str, rate: int, geometry: Geometry, direction: Direction, speed: float, reference: int = 0
) -> NDArray[np.float32]:
    """Return the filters, (microphones, 2 * centre + 1), of ``delay-and-sum`` or ``superdirective``.

    Parameters
    ----------
    method : {"delay-and-sum", "superdirective"}
    rate : int
        Of the recording.
    geometry : Geometry
    direction : Direction
    speed : float
        m/s.
    reference : int
        Microphone that the output is aligned with, counted from 0.

    Raises
    ------
    InputError
        An array too wide for the method.
    RecipeError
        Another method, or a reference that is not there.
    """
    if not 0 <= reference < geometry.microphones:
        raise RecipeError(f"reference microphone {reference + 1} of {geometry.microphones}")
    delays = geometry.delays(direction.unit, speed, reference)
    if np.max(np.abs(delays)) * rate > _DESIGN // 4 and method == "superdirective":
        raise InputError(
            f"{geometry.name} is {geometry.extent_m:.2f} m wide: too wide for superdirective", remedy="delay-and-sum"
        )
    if method == "delay-and-sum":
        return delay_filters(delays * rate)
    if method == "superdirective":
        hertz = np.arange(_DESIGN // 2 + 1) * rate / _DESIGN
        return filters_of(superdirective(geometry, steering(delays, hertz), hertz, speed))
    raise RecipeError(f"no fixed beamformer {method!r}", remedy="delay-and-sum or superdirective")


def fixed_beamformer(
    method: str,
    rate: int,
    channels: int,
    geometry: Geometry,
    direction: Direction,
    speed: float,
    reference: int = 0,
) -> FilterAndSum:
    """Return ``delay-and-sum`` or ``superdirective`` for a known array and direction.

    Parameters
    ----------
    channels : int
        Of the recording.
    method, rate, geometry, direction, speed, reference
        As of :func:`fixed_filters`, which also says what is raised.

    Raises
    ------
    InputError
        Another number of microphones.
    """
    geometry.check(channels)
    return FilterAndSum(fixed_filters(method, rate, geometry, direction, speed, reference))
