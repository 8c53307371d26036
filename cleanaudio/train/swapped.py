"""Whether the folders of voices and noises were swapped, by how much their level moves at the pace of syllables."""

from __future__ import annotations

import numpy as np

from cleanaudio.train.corpus import Corpus


def liveliness(corpus: Corpus, tracks: int = 60) -> float:
    """Return how much the level moves at the pace of syllables: the median over some tracks.

    The measure is the power of the modulation of the log level between 2 and 8 Hz over that below 25 Hz, times its
    depth in dB. Voices reach about four times as much as noise does, so that folders that were swapped stand out.
    """
    values = []
    for track in corpus.tracks[:: max(1, len(corpus.tracks) // tracks)]:
        samples = corpus.samples[track.start : track.start + min(track.length, 6 * track.rate)].astype(np.float32)
        hop = track.rate // 50
        level = np.mean(samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2, axis=1) + 1.0
        if len(level) < 50:
            continue
        decibels = np.maximum(10 * np.log10(level), 10 * np.log10(level.max()) - 40)
        power = np.abs(np.fft.rfft((decibels - decibels.mean()) * np.hanning(len(level)))) ** 2
        pace = np.fft.rfftfreq(len(level), 0.02)
        share = power[(pace >= 2) & (pace <= 8)].sum() / (power.sum() + 1e-9)
        values.append(share * decibels.std())
    return float(np.median(values)) if values else 0.0


def swapped(speech: Corpus, noise: Corpus) -> bool:
    """Whether the noise sounds more like voices than the speech does."""
    return liveliness(noise) > liveliness(speech)
