"""A few seconds of a recording from all sides: before, after, reference, in line with each other.

However long the recordings are, no more than a few excerpts of them are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.resample import resampled
from cleanaudio.audio.spread import spread
from cleanaudio.errors import CleanAudioError, InputError
from cleanaudio.metrics.interface import polarity
from cleanaudio.metrics.score import line_up
from cleanaudio.report.scores import Score

Audio = NDArray[np.float32]

EXCERPT_S = 10.0
"""Longest excerpt."""
PROBES = 8
"""Places of a longer recording that are listened to, to find one where somebody speaks."""
_FRAME_S = 0.05


@dataclass(frozen=True)
class Excerpt:
    """The sides of one recording over the same stretch of time.

    Parameters
    ----------
    rate : int
        Frames per second of all of them.
    start_s, seconds, total_s : float
        Where the excerpt begins, how long it is, how long the recording is.
    before, reference : ndarray or None, shape (channels, frames)
    after : dict of str to ndarray
        By system.
    problems : dict of str to str
        By system: why it cannot be shown.
    gains_db : dict of str to float
        By system: the gain with which it was written after cleaning, where it is known.
    """

    rate: int
    start_s: float
    seconds: float
    total_s: float
    before: Audio | None
    reference: Audio | None
    after: dict[str, Audio]
    problems: dict[str, str]
    gains_db: dict[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether it is the whole recording."""
        return self.total_s <= self.seconds + 1e-6

    def removed(self, system: str) -> Audio | None:
        """Return what a system took away (and added): before minus after, but for its gain.

        Of the channel means if counts differ.
        """
        if self.before is None or system not in self.after:
            return None
        gain = 10 ** (self.gains_db.get(system, 0.0) / 20)
        before, after = self.before, self.after[system] / np.float32(gain)
        if len(before) != len(after):
            before, after = mono(before)[None], mono(after)[None]
        return before - after


def mono(signal: Audio) -> NDArray[np.float32]:
    """Return the channel mean, (frames,), of channels that are upside down turned over, as metrics hear them."""
    return signal[0] if len(signal) == 1 else (polarity(signal) * signal).mean(axis=0)


def read_excerpt(scores: Sequence[Score]) -> Excerpt:
    """Read an excerpt of one recording.

    Parameters
    ----------
    scores : sequence of Score
        One a system, of the same recording.

    Raises
    ------
    CleanAudioError
        Not even the first side can be read.
    """
    first = scores[0]
    with open_reader(first.enhanced) as reader:
        rate, total_s = reader.info.rate, reader.info.seconds
    start_s = 0.0 if total_s <= EXCERPT_S else _liveliest(first.enhanced)
    noisy = next((score.noisy for score in scores if score.noisy), None)
    clean = next((score.reference for score in scores if score.reference), None)
    sides = {
        what: _read(path, start_s, rate) for what, path in (("noisy", noisy), ("reference", clean)) if path is not None
    }
    after: dict[str, Audio] = {}
    problems: dict[str, str] = {}
    partners: dict[str, Audio | None] = {}
    for score in scores:
        try:
            enhanced, align = _read(score.enhanced, start_s, rate), "lag_ms" in score.measured
            lined_up = line_up(enhanced, rate, sides.get("reference"), sides.get("noisy"), align)
        except CleanAudioError as error:
            problems[score.system] = error.describe()
            continue
        signals = lined_up.signals
        after[score.system] = signals.enhanced
        partners = partners or {"before": signals.noisy, "reference": signals.reference}
    if not after:
        raise InputError("no side of it can be shown: " + "; ".join(problems.values()), path=first.enhanced)
    seconds = next(iter(after.values())).shape[1] / rate
    gains_db = {score.system: score.gain_db for score in scores if score.gain_db is not None}
    return Excerpt(rate, start_s, seconds, total_s, after=after, problems=problems, gains_db=gains_db, **partners)


def _read(path: str, start_s: float, rate: int, seconds: float = EXCERPT_S) -> Audio:
    """Read a stretch of a file at a rate."""
    with open_reader(path) as reader:
        own = reader.info.rate
        reader.seek(min(round(start_s * own), reader.info.frames))
        audio = reader.read(round(seconds * own))
    return resampled(audio, own, rate)


def _liveliest(path: str) -> float:
    """Return where an excerpt begins, in seconds, whose middle level is the highest of a few."""
    with open_reader(path) as reader:
        rate, levels = reader.info.rate, []
        size = max(1, round(_FRAME_S * rate))
        places = spread(reader.info.frames, round(EXCERPT_S * rate), PROBES)
        for start, length in places:
            reader.seek(start)
            audio = mono(reader.read(length))
            frames = audio[: len(audio) // size * size].reshape(-1, size)
            levels.append(float(np.median(np.mean(np.square(frames), axis=1))) if len(frames) else -1.0)
    return places[int(np.argmax(levels))][0] / rate
