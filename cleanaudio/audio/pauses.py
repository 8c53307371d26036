"""The pauses of a recording: its quietest pieces without the rise and fall of syllables.

A piece is a quarter of a second. Its score is its level in the speech band plus a penalty for modulation: syllables
move that level by many dB within a piece, steady noise by less than one. Only the best pieces are kept, each with its
spectrum, so that one pass in flat memory is enough.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import Stft, window

HOP_S = 0.016
"""Seconds from frame to frame; a window is twice that."""
PIECE_FRAMES = 16
SPEECH_HZ = (150.0, 4000.0)
SPEECH_MODULATION_DB = 5.0
"""Standard deviation of the frames' level above which a piece is taken for speech."""
_STEADY_DB, _PENALTY = 2.0, 2.0
_MOST, _SPAN_DB = 32, 3.0
_SILENT = 1e-16  # power: -160 dBFS, below any converter's noise and the dither of 24 bits


@dataclass(frozen=True)
class Piece:
    """A quarter of a second of a recording.

    Parameters
    ----------
    start, frames : int
        Where, in frames of the recording.
    psd : ndarray, shape (channels, bins)
        Two-sided power spectral density, FS²/Hz.
    common : ndarray, shape (bins,)
        The same of the mean of the channels.
    level_db : float
        RMS level, dBFS, of all channels together, like what follows.
    modulation_db : float
        Standard deviation of the level in the speech band from frame to frame.
    score : float
        The lower, the better as a sample of the noise.
    """

    start: int
    frames: int
    psd: NDArray[np.float64]
    common: NDArray[np.float64]
    level_db: float
    modulation_db: float
    score: float

    @property
    def speech(self) -> bool:
        """Whether it moves as speech does."""
        return self.modulation_db > SPEECH_MODULATION_DB


@dataclass(frozen=True)
class Pause:
    """A stretch of a recording without speech.

    Parameters
    ----------
    start_s, end_s : float
    level_db : float
        RMS level, dBFS.
    """

    start_s: float
    end_s: float
    level_db: float


def sizes(rate: int) -> tuple[int, int]:
    """Return window and hop in frames, even and at least 16 and 8."""
    hop = max(8, round(HOP_S * rate / 2) * 2)
    return 2 * hop, hop


def pieces(blocks: Iterable[NDArray[np.float32]], rate: int, rest: bool = False) -> Iterator[Piece]:
    """Cut a recording into pieces, as it comes.

    Digital silence is left out.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (channels, n)
    rate : int
        Hz.
    rest : bool
        Whether the last piece may be shorter than the others; it may where it is the only one.
    """
    size, hop = sizes(rate)
    shape = window("hann", size)
    scale = 1 / (rate * float(np.sum(shape.astype(np.float64) ** 2)))
    band = slice(*(min(size // 2 + 1, max(1, round(f * size / rate))) for f in SPEECH_HZ))
    stft: Stft | None = None
    waiting: NDArray[np.float64] | None = None
    start = done = 0
    skip = size // hop - 1  # frames that reach back before the recording
    for block in blocks:
        stft = stft or Stft(block.shape[0], shape, hop)
        spectra = stft.push(block)
        spectra = np.concatenate([spectra, spectra.mean(axis=0, keepdims=True)])
        powers: NDArray[np.float64] = scale * np.square(np.abs(spectra), dtype=np.float64)
        waiting = powers[:, skip:] if waiting is None else np.concatenate([waiting, powers[:, skip:]], axis=1)
        skip = max(0, skip - powers.shape[1])
        while waiting.shape[1] >= PIECE_FRAMES:
            now, waiting = waiting[:, :PIECE_FRAMES], waiting[:, PIECE_FRAMES:]
            piece = _piece(now, start * hop, hop, rate, band)
            start += PIECE_FRAMES
            if piece is not None:
                done += 1
                yield piece
    if (rest or not done) and waiting is not None and waiting.shape[1]:
        piece = _piece(waiting, start * hop, hop, rate, band)
        if piece is not None:
            yield piece


def _piece(of_all: NDArray[np.float64], start: int, hop: int, rate: int, band: slice) -> Piece | None:
    """Return the piece of these powers, (channels + 1, frames, bins), the last ones those of the channels' mean."""
    powers = of_all[:-1].mean(axis=0)
    bins = powers.shape[1]
    width = rate / (2 * (bins - 1))  # Hz from bin to bin
    totals = (2 * powers.sum(axis=1) - powers[:, 0] - powers[:, -1]) * width
    if totals.min() < _SILENT:
        return None
    speech = 10 * np.log10(2 * powers[:, band].sum(axis=1) * width + _SILENT)
    modulation = float(speech.std())
    score = float(10 * np.log10(np.mean(10 ** (speech / 10)))) + _PENALTY * max(0.0, modulation - _STEADY_DB)
    level = 10 * np.log10(float(totals.mean()))
    *psd, common = of_all.mean(axis=1)
    return Piece(start, len(powers) * hop, np.array(psd), common, level, modulation, score)


def quietest(found: Iterable[Piece]) -> list[Piece]:
    """Return the pieces that are likeliest to be noise alone, in order of time.

    Parameters
    ----------
    found : iterable of Piece
        Consumed as it comes; no more than 8 s are held.

    Returns
    -------
    list of Piece
        8 s at most, none of a score more than 3 dB above the best one's. Empty only where there is no sound at all.
        Pieces that move as speech does are left out where others are left.
    """
    best: list[tuple[float, int, Piece]] = []
    for number, piece in enumerate(found):
        entry = (-piece.score, -number, piece)
        if len(best) < _MOST:
            heapq.heappush(best, entry)
        else:
            heapq.heappushpop(best, entry)
    kept = [piece for *_, piece in best]
    if any(not piece.speech for piece in kept):
        kept = [piece for piece in kept if not piece.speech]
    if kept:
        lowest = min(piece.score for piece in kept)
        kept = [piece for piece in kept if piece.score <= lowest + _SPAN_DB]
    return sorted(kept, key=lambda piece: piece.start)
