"""Noise trackers: what turns the powers of noisy frames into the noise PSD under each of them, by name."""

from __future__ import annotations

from collections.abc import Callable

from cleanaudio.backends.noise.imcra import Imcra
from cleanaudio.backends.noise.mcra import Mcra
from cleanaudio.backends.noise.minimum import MinimumStatistics
from cleanaudio.backends.noise.spp import SpeechPresence
from cleanaudio.backends.noise.tracker import Causal, Recursion, Tracker
from cleanaudio.backends.noise.two_sided import TwoSided

RECURSIONS: dict[str, Callable[[float, float], Recursion]] = {
    "minimum-statistics": MinimumStatistics,
    "mcra": Mcra,
    "imcra": Imcra,
    "mmse-spp": SpeechPresence,
}
"""Trackers that hear only the past."""

START_UP_S = 1.0
"""What they hear before they begin, where they may."""


def make(name: str, hop_s: float, overlap: int, tiny: float, look_ahead: bool) -> Tracker:
    """Return a fresh tracker for one channel.

    Parameters
    ----------
    name : str
        ``two-sided``, or one of :data:`RECURSIONS`.
    hop_s : float
        Seconds from frame to frame.
    overlap : int
        Frames that share a sample.
    tiny : float
        Power of a bin that counts as nothing.
    look_ahead : bool
        Whether the first second may be heard before the first decision.
    """
    if name == "two-sided":
        return TwoSided(hop_s, overlap, tiny)
    start_up = round(START_UP_S / hop_s) if look_ahead else 0
    return Causal(RECURSIONS[name](hop_s, tiny), overlap - 1, tiny, start_up)
