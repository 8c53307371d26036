"""How much of the cleaned signal a voice bears: what it loses, half a second by half a second.

Each half second is a cell, and four seconds of cells, weighted by a Hann window, say what the voice in their middle
loses. Two things are heard:

- What was removed follows the voice. The power removed from each frame is fitted by a constant, the noise, and a share
  of the power that is left, smeared over the time in which a room answers. That share is no noise: it is the voice in
  its room. On recordings of voices in noise it tells rooms from noise nearly without fault, where the level of speech
  and DNSMOS cannot.
- The level of what stands out from the noise, where speech is heard. It falls too where noise that comes and goes is
  removed, so it counts only where there is little noise and the voice is no plain one, or where so much is gone that
  the voice is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.spectrogram import HOP, RATE, SIZE, powers
from cleanaudio.metrics.speech_level import FEWEST_FRAMES, activity

Audio = NDArray[np.float32]
Vector = NDArray[np.float64]

REVISION = 4
"""Raised whenever the guard lets through other samples; part of the recipe's hash."""

FOLLOWS_DB, BEARS = (0.5, 1.5, 4.5), (1.0, 0.75, 0.5)
"""How much of the cleaned signal is taken where so much of the voice is removed. On mixes of the training recordings
three quarters are best for ESTOI and PESQ from 1 dB on; half, where the noise is far below the voice."""
FOLLOWS_GENTLER_DB, BEARS_GENTLER = (0.5, 1.0), (1.0, 0.5)
"""The same where what is taken instead is no input but cleaned more gently: on those mixes from 0.5 dB on half gives
0.2 to 0.3 more PESQ than all, and 2 to 4 dB more SI-SDR, with ESTOI as high as with the input, or higher."""
ROOM_S = 0.2
"""Time constant in which a room answers."""

LEVEL_LOSS_DB, AT_SNR_DB = (6.0, 3.0), (8.0, 16.0)
"""A voice may lose 3 dB of level where it stands out from the noise, and up to 6 dB in loud noise, with which weak
speech goes. Between the two SNRs (as in the log's rows) it is a line."""
GONE_DB = 12.0
"""Loss of level beyond which it is not noise alone that went."""

CELL_S, REACH, HOLD = 0.5, 4, 10
"""How long a cell is, how many on both sides of one have a say in it, and over how many without a voice that of the
nearest one holds: the detector misses half of what is whispered or far away."""

SPOKEN_SHARE, SURE_SHARE = 0.2, 0.6
"""Of what stands out, from which it is a voice, and a plain one. The detector hears one in less than 0.1 of distant
babble, in nothing of music, in 0.3 and more of what a voice in a hall gives, in half of a whisper, in 0.7 and more of a
voice in loud noise."""

_TINY = 1e-20  # power of digital silence


def allowed_loss(snr_db: float | None) -> float:
    """Return how many dB of level may go in noise of an SNR; None where it is not known."""
    return LEVEL_LOSS_DB[0] if snr_db is None else float(np.interp(snr_db, AT_SNR_DB, LEVEL_LOSS_DB))


@dataclass(frozen=True)
class Borne:
    """What a voice bears, cell by cell.

    Parameters
    ----------
    cleaned : ndarray, shape (cells,)
        Weight of the cleaned signal against one that is cleaned more gently.
    share : ndarray, shape (cells,)
        Weight of both against the input.
    loss_db : ndarray, shape (cells,)
        What would be lost.
    """

    cleaned: Vector
    share: Vector
    loss_db: Vector

    def at_most(self, share: float) -> Borne:
        """Return the same with no more than a share of what is no input."""
        return replace(self, share=np.minimum(self.share, share))


@dataclass(frozen=True)
class Cells:
    """A stretch of a recording, half a second a row.

    Parameters
    ----------
    active, spoken : ndarray, shape (cells, 5)
        Of what stands out, and of that in which speech is heard: frames, power before less that of the noise, power
        after, what both have in common (their inner product), power after as a room smears it.
    fit : ndarray, shape (cells, 5)
        Of all frames, by weight: 1, smeared power, its square, power removed, its product with the smeared one.
    sums : ndarray, shape (cells, 3)
        Of all frames: power after, as a room smears it, power removed.
    allowed_db, gone_db : ndarray, shape (cells,)
        What a voice may lose of its level; the loss beyond which that counts in any case.
    """

    active: Vector
    spoken: Vector
    fit: Vector
    sums: Vector
    allowed_db: Vector
    gone_db: Vector

    def __len__(self) -> int:
        return len(self.allowed_db)

    @staticmethod
    def joined(stretches: Sequence[Cells]) -> Cells:
        """Return the cells of one or more stretches that follow each other."""
        return Cells(*map(np.concatenate, zip(*(vars(one).values() for one in stretches), strict=True)))

    def bearable(self, gentler: bool = False) -> Borne:
        """Return what the voice bears around each cell: all, and no loss, where none is heard far around.

        Parameters
        ----------
        gentler : bool
            Whether there is a signal that is cleaned more gently.
        """
        frames, before, after, common, smeared = self._around(self.spoken)
        standing_out = self._around(self.active)[0]
        voiced = (frames >= np.maximum(FEWEST_FRAMES, SPOKEN_SHARE * standing_out)) & (before > 0)
        before, after, common, smeared = (np.where(voiced, sums, 1.0) for sums in (before, after, common, smeared))
        after = np.maximum(after, _TINY)  # digital silence, in which all of the voice is gone
        follows_db = np.where(voiced, 10 * np.log10(1 + self._slope() * smeared / after), 0.0)
        level_db = 10 * np.log10(before / after)
        if gentler:  # which costs a plain voice little: where one in a room follows it, it is heard late
            bears = _lowest_around(np.interp(follows_db, FOLLOWS_GENTLER_DB, BEARS_GENTLER))
        else:
            bears = np.interp(follows_db, FOLLOWS_DB, BEARS)
        quiet = self.allowed_db <= LEVEL_LOSS_DB[1]
        no_plain_one = (follows_db > FOLLOWS_DB[0]) | (frames < SURE_SHARE * standing_out)
        counts = (level_db > self.gone_db) | (quiet & no_plain_one)
        keeps = np.where(counts, _keeping(before, after, common, 10 ** (-self.allowed_db / 10)), 1.0)
        keeps = _lowest_around(keeps)
        loss_db = np.where(keeps < bears, level_db, follows_db)
        both = np.minimum(bears, keeps)
        cleaned = np.maximum(both, BEARS_GENTLER[-1]) if gentler else np.ones(len(self))
        share = np.minimum(both / cleaned, 1)
        nearest = _nearest(voiced)
        return Borne(cleaned[nearest], share[nearest], loss_db[nearest])

    @property
    def snr_db(self) -> float:
        """How far what is removed and is no voice lies below the voice."""
        after, _, removed = np.sum(self.sums, axis=0)
        room = float(np.sum(self._slope() * self.sums[:, 1]))
        return 10 * float(np.log10((after + room + _TINY) / (max(removed - room, 0.0) + _TINY)))

    def _slope(self) -> Vector:
        """Return which share of the smeared power is removed: the line of least squares, no part of it negative."""
        one, x, xx, y, xy = self._around(self.fit)
        spread = one * xx - x * x
        slope, offset = one * xy - x * y, xx * y - x * xy
        slope, spread = np.where(offset >= 0, slope, xy), np.where(offset >= 0, spread, xx)
        return np.maximum(np.divide(slope, spread, out=np.zeros(len(self)), where=spread > 0), 0)

    @staticmethod
    def _around(sums: Vector) -> Vector:
        """Return the sums over the cells around each, (columns, cells)."""
        window = np.hanning(2 * REACH + 3)[1:-1]
        return np.array([np.convolve(column, window)[REACH : REACH + len(sums)] for column in sums.T])


def _nearest(voiced: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each cell the nearest one with a voice, where that holds, else itself."""
    here, there = np.arange(len(voiced)), np.flatnonzero(voiced)
    if not len(there):
        return here
    after = np.minimum(np.searchsorted(there, here), len(there) - 1)
    sides = there[np.stack([np.maximum(after - 1, 0), after])]
    nearest = sides[np.argmin(np.abs(sides - here), axis=0), here]
    return np.where(np.abs(nearest - here) <= HOLD, nearest, here)


def _lowest_around(values: Vector) -> Vector:
    """Return the lowest value as far as a cell reaches."""
    padded = np.pad(values, REACH, constant_values=1.0)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1).min(axis=1)


def _keeping(before: Vector, after: Vector, common: Vector, allowed: Vector) -> Vector:
    """Return the largest share s of 0 … 1 with ``|x + s (y - x)|² ≥ a |x|²``: x before, y after, a what is allowed."""
    square, half = before - 2 * common + after, before - common
    root = np.sqrt(np.maximum(half**2 - square * (1 - allowed) * before, 0))
    share = np.divide(half - root, square, out=np.ones(len(before)), where=after < allowed * before)
    return np.clip(share, 0, 1)


def compared(noisy: Audio, cleaned: Audio, rate: int) -> Signals:
    """Return what is listened to: the means of the channels at 16 kHz; of a frame or two, silence may be left."""
    both = Signals(cleaned, rate, noisy=noisy)
    after, before = (both.mono(what, RATE) for what in ("enhanced", "noisy"))
    if not len(after):
        after = before = np.zeros(1, np.float32)
    return Signals(after[None], RATE, noisy=before[None])


def listen(signals: Signals, cells: int, snr_db: float | None, whispered: bool = False) -> Cells:
    """Return what is heard in a stretch.

    Parameters
    ----------
    signals : Signals
        At 16 kHz, with the noisy input.
    cells : int
        Its length, the last one begun.
    snr_db : float or None
        Of the input.
    whispered : bool
        Whether what stands out from the noise counts as speech although the voice detector finds none there.
    """
    found = activity(signals)
    removed = signals.of_another(signals.mono("noisy") - signals.mono("enhanced"))
    before, after, gone = (
        powers(one, what).sum(axis=1, dtype=np.float64)
        for one, what in ((signals, "noisy"), (signals, "enhanced"), (removed, "enhanced"))
    )
    smeared = _smeared(after)
    every = np.ones(len(before))
    weight = 1 / (gone + 0.1 * np.sum(gone) / max(1, len(gone)) + _TINY) ** 2  # the more noise, the less certain
    heard = np.stack([every, before - 10 ** (found.noise_db / 10), after, (before + after - gone) / 2, smeared])
    cell = np.minimum((np.arange(len(before)) * HOP + SIZE // 2) // round(CELL_S * RATE), cells - 1)

    # Each cell has one say: the frames of a speaker who loses nothing are the most certain, and none of another's.
    weight *= (np.bincount(cell, minlength=cells) / np.maximum(np.bincount(cell, weight, cells), _TINY))[cell]

    def sums(columns: Vector, frames: Vector | NDArray[np.bool_] = every) -> Vector:
        return np.array([np.bincount(cell, column * frames, cells) for column in columns]).T

    return Cells(
        sums(heard, found.active),
        sums(heard, found.active if whispered else found.spoken),
        sums(weight * np.stack([every, smeared, smeared**2, gone, smeared * gone])),
        sums(np.stack([after, smeared, gone])),
        np.full(cells, allowed_loss(snr_db)),
        np.full(cells, 0.0 if whispered else GONE_DB),
    )


def _smeared(power: Vector) -> Vector:
    """Return a power over time as a room that answers would have it."""
    decay = np.exp(-HOP / RATE / ROOM_S)
    answer = (1 - decay) * decay ** np.arange(round(4 * ROOM_S * RATE / HOP))
    return np.convolve(power, answer)[: len(power)] if len(power) else power


def parts(made: Audio, channels: int) -> tuple[Audio, Audio | None]:
    """Return what a chain made: the cleaned signal, and, where there is one, what is cleaned more gently."""
    return made[:channels], made[channels:] if len(made) > channels else None


def eased(noisy: Audio, made: Audio, borne: Borne, size: int, start: int = 0) -> Audio:
    """Return so much of the cleaned signal as each cell bears, and what is gentler, or the input, for the rest.

    Parameters
    ----------
    noisy : ndarray, shape (channels, frames)
    made : ndarray, shape (channels or 2 · channels, frames)
        See :func:`parts`.
    borne : Borne
        Between the middles of the cells it goes in lines.
    size : int
        Of a cell, in frames.
    start : int
        The first frame's place, counted from the beginning of the first cell.
    """
    cleaned, gentler = parts(made, len(noisy))

    def mixed(there: Audio, here: Audio, share: Vector) -> Audio:
        if share.min(initial=1.0) == 1:
            return here
        at = np.arange(start, start + here.shape[1])
        gain = np.interp(at, (np.arange(len(share)) + 0.5) * size, share).astype(np.float32)
        return there + gain * (here - there)

    if gentler is not None:
        cleaned = mixed(gentler, cleaned, borne.cleaned)
    return mixed(noisy, cleaned, borne.share)
