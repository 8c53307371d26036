"""Whether a beam is worth having: its own estimate of the SNR that it gains over the reference microphone."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from cleanaudio.spatial.stream import Audio

_FRAME_S, _JUDGED_S = 0.02, 30.0
_ENOUGH = 40  # frames before the beam is judged


class BeamJudge:
    """Whether the beam stands out from its noise more than the microphone does, over the last half minute.

    With masks the powers of voice and noise are what the masks say. Without, powers of 20 ms frames of both are ranked
    by the product of the two: the loudest 30 % are taken for voice and noise, the quietest 30 % for noise.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._frame = max(1, round(_FRAME_S * rate))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._powers: deque[tuple[float, float]] = deque(maxlen=round(_JUDGED_S / _FRAME_S))
        self._shares: deque[NDArray[np.float64]] = deque(maxlen=round(_JUDGED_S / 0.25))

    def push(self, beam: Audio, reference: Audio) -> None:
        """Take a stretch of both, (n,)."""
        count = len(beam) // self._frame * self._frame
        both = np.stack([beam[:count], reference[:count]]).astype(np.float64).reshape(2, -1, self._frame)
        self._powers.extend((float(a), float(b)) for a, b in np.mean(both**2, axis=-1).T if a > 0 and b > 0)

    def push_masked(self, powers: NDArray[np.floating], mask: NDArray[np.float64]) -> None:
        """Take power spectra of beam and reference, (2, frames, bins), and the mask (frames, bins)."""
        sums = np.stack([np.sum(powers * share, axis=(1, 2), dtype=np.float64) for share in (mask, 1 - mask)])
        if sums.any():
            self._shares.append(sums)

    def gain_db(self) -> float | None:
        """Return the beam's estimated gain in SNR; None while too little was heard or there is no noise to speak of."""
        if len(self._shares) >= 2:
            loud, quiet = np.sum(np.stack(list(self._shares)), axis=0)
            if not (loud > 0).all():
                return None
        elif len(self._powers) >= _ENOUGH:
            powers = np.array(self._powers)
            powers = powers[np.argsort(powers[:, 0] * powers[:, 1])]
            some = round(0.3 * len(powers))
            quiet = powers[:some].mean(axis=0)
            loud = np.maximum(powers[-some:].mean(axis=0) - quiet, 1e-3 * quiet)
        else:
            return None
        if quiet[1] < 1e-5 * loud[1]:
            return None
        return float(10 * np.log10(loud[0] / max(quiet[0], 1e-30) * quiet[1] / loud[1]))
