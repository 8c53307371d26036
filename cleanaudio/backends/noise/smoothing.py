"""Small pieces that the trackers share: factors for other hops, smoothing over bins and over frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


def per_frame(factor: float, hop_s: float, published_hop_s: float = 0.008) -> np.float32:
    """Return a recursive factor that a paper gives for one hop, for another."""
    return np.float32(factor ** (hop_s / published_hop_s))


def neighbours(powers: Power) -> Power:
    """Return powers (frames, bins) averaged over three bins with weights ¼, ½, ¼; the edges repeat."""
    out = powers * np.float32(0.5)
    quarter = powers * np.float32(0.25)
    out[:, 1:] += quarter[:, :-1]
    out[:, :-1] += quarter[:, 1:]
    out[:, :1] += quarter[:, :1]
    out[:, -1:] += quarter[:, -1:]
    return out


def recursive(values: Power, keep: float | np.float32, state: Power) -> Power:
    """Average over frames in place: ``state = keep * state + (1 - keep) * value`` for each of (frames, bins).

    ``state`` (bins,) is carried on; the averages stand in ``values``, which is returned.
    """
    values *= np.float32(1 - keep)
    last = state * np.float32(keep)
    for row in values:
        row += last
        np.multiply(row, keep, out=last)
    if len(values):
        state[:] = values[-1]
    return values
