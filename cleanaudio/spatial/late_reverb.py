"""Late reverberation of a single channel: estimated from the past by the room's exponential decay, and subtracted.

Lebart, Boucher & Denbigh (Acta Acustica 87(3), 2001): energy that was in a bin T_l seconds ago has decayed by
exp(−2 Δ T_l), Δ = 3 ln 10 / T60, and what is left of it is late reverberation.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.snr import decision_directed
from cleanaudio.errors import RecipeError

_LATE_S = 0.048  # earlier reflections help a voice
_SMOOTH_S = 0.02
_PRIOR = 0.9  # decision-directed share of the frame before
_EDGES_HZ = (250, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000)
_LEAST_DECAYS, _KEPT_DECAYS = 20, 400
_DECAY_S, _DROP_DB = 0.1, 12.0


class DecayTime:
    """Reverberation time estimated from how energy dies away in the bands of speech.

    Speech stops more abruptly than a room: no free decay is steeper than the room's. The decays of at least 0.1 s
    and 12 dB are fitted with straight lines; their lower quartile is the estimate.

    Parameters
    ----------
    rate, size, hop : int
        Of the spectra.
    start_s : float
        Estimate before enough was heard.
    """

    def __init__(self, rate: int, size: int, hop: int, start_s: float = 0.5) -> None:
        hertz = np.arange(size // 2 + 1) * rate / size
        inside = [(hertz >= low) & (hertz < high) for low, high in pairwise(_EDGES_HZ)]
        self._bands = np.stack([band for band in inside if band.any()]).astype(np.float64)
        self._hop_s, self._start_s = hop / rate, start_s
        self._least = max(3, round(_DECAY_S * rate / hop))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._smooth: NDArray[np.float64] | None = None
        self._runs: list[list[float]] = [[] for _ in self._bands]
        self._times: deque[float] = deque(maxlen=_KEPT_DECAYS)

    def push(self, power: NDArray[np.floating]) -> None:
        """Take the power spectrum of the next frame, (bins,)."""
        energy = self._bands @ power
        self._smooth = energy if self._smooth is None else 0.6 * self._smooth + 0.4 * energy
        for run, level in zip(self._runs, (10 * np.log10(np.maximum(self._smooth, 1e-20))).tolist(), strict=True):
            if run and level >= run[-1]:
                self._judge(run)
                run.clear()
            run.append(level)

    def _judge(self, run: list[float]) -> None:
        # The bend at either end is left out: the voice's own fall, and the floor of noise.
        inner = run[1 : -len(run) // 4 or None]
        if len(inner) < self._least or inner[0] - inner[-1] < _DROP_DB:
            return
        time = np.arange(len(inner)) * self._hop_s
        slope = np.polyfit(time, inner, 1)[0]
        self._times.append(-60.0 / slope)

    @property
    def seconds(self) -> float:
        """The estimate, 0.1 … 2 s."""
        if len(self._times) < _LEAST_DECAYS:
            return self._start_s
        return float(np.clip(np.quantile(np.array(self._times), 0.25), 0.1, 2.0))


class LateReverb:
    """Suppresses late reverberation in the spectra of any number of channels.

    Parameters
    ----------
    rate, channels, size, hop : int
    strength : float
        0 … 1: the deepest gain is −18 dB times this.
    t60_s : float, optional
        Reverberation time, 0.1 … 10; estimated from the recording without it.
    linked : bool
        One gain for all channels, from their mean power, instead of one for each.

    Raises
    ------
    RecipeError
        Out of range.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        size: int,
        hop: int,
        strength: float = 1.0,
        t60_s: float | None = None,
        linked: bool = False,
    ) -> None:
        if not (0 <= strength <= 1 and (t60_s is None or 0.1 <= t60_s <= 10)):
            raise RecipeError("the strength is 0 … 1, the reverberation time 0.1 … 10 s")
        self.look_ahead = 0
        self._shape = (channels, size // 2 + 1)
        self._linked = linked
        self._late = max(1, round(_LATE_S * rate / hop))
        self._hop_s = hop / rate
        self._keep = float(np.exp(-self._hop_s / _SMOOTH_S))
        self._least = 10 ** (-18 * strength / 20)
        self._t60_s = t60_s
        self._decay = DecayTime(rate, size, hop)
        self.reset()

    @property
    def t60_s(self) -> float:
        """The reverberation time that is used now."""
        return self._decay.seconds if self._t60_s is None else self._t60_s

    def reset(self) -> None:
        """Forget the signal."""
        self._decay.reset()
        nothing = np.zeros((1, self._shape[1]) if self._linked else self._shape)
        self._power = self._clean = nothing
        self._past: deque[NDArray[np.float64]] = deque([nothing] * self._late, maxlen=self._late)
        self._frame = 0
        self._fade = 1.0

    def __call__(self, spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Take and return (channels, frames, bins)."""
        out = np.empty_like(spectra)
        for t in range(spectra.shape[1]):
            out[:, t] = spectra[:, t] * self._gain(np.abs(spectra[:, t].astype(np.complex128)) ** 2)
        return out

    def flush(self) -> NDArray[np.complex64]:
        """Return nothing: no frame waits."""
        return np.zeros((self._shape[0], 0, self._shape[1]), np.complex64)

    def _gain(self, observed: NDArray[np.float64]) -> NDArray[np.float64]:
        common = observed.mean(axis=0)
        if self._t60_s is None:
            self._decay.push(common)
        observed = common[None] if self._linked else observed
        if self._frame % 32 == 0:  # the decay time moves slowly
            rate_of_decay = 3 * np.log(10) / self.t60_s
            self._fade = float(np.exp(-2 * rate_of_decay * self._late * self._hop_s))
        self._frame += 1
        self._power = self._keep * self._power + (1 - self._keep) * observed
        late = np.maximum(self._fade * self._past[0], 1e-20)
        self._past.append(self._power)
        prior = decision_directed(self._clean, observed, late, _PRIOR)
        gain = np.maximum(prior / (1 + prior), self._least)
        self._clean = gain**2 * observed
        return gain
