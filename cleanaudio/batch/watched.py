"""The guard's second half: through the whole recording, no more is cleaned than the voice bears.

What is mixed in moves no faster than what is heard over four seconds. Nobody can tell whether other sounds than speech
are music or noise: where they go, it is said.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.wording import clock, first_few
from cleanaudio.batch.voice import (
    CELL_S,
    HOLD,
    REACH,
    SPOKEN_SHARE,
    Audio,
    Cells,
    Vector,
    compared,
    eased,
    listen,
    parts,
)
from cleanaudio.metrics.spectrogram import HOP, RATE

STRETCH = 20
"""Cells that are listened to at once."""
_FRAMES = STRETCH * CELL_S * RATE / HOP

GIVEN_BACK = 0.1
"""Share of the input in the output from which it is mentioned."""
OTHERS_LOSS_DB, OTHERS_SHARE, OTHERS_BELOW_DB = 12.0, 0.2, 10.0
"""Other sounds are mentioned where they lose more, stand out for so much of the time, and are at most so far below the
voice."""
_PLACES = 4


class Watched:
    """Mixes the output of a processor with its input, so that the voice is not harmed.

    Parameters
    ----------
    processor : Processor
        Below the channels of what it cleans there may be as many that are cleaned more gently.
    rate, channels : int
    share : float
        Of the cleaned signal in the output at most, 0 … 1.
    whispered : bool
        Whether what stands out from the noise counts as speech although the voice detector finds none there.
    """

    def __init__(
        self, processor: Processor, rate: int, channels: int, share: float = 1.0, whispered: bool = False
    ) -> None:
        self._processor, self._rate, self._channels = processor, rate, channels
        self._most, self._whispered = share, whispered
        self._size = max(1, round(CELL_S * rate))
        self.latency = processor.latency
        self._clear()

    def _clear(self) -> None:
        nothing = np.zeros((self._channels, 0), np.float32)
        self._new, self._listened = ([Queue(nothing) for _ in range(2)] for _ in range(2))
        self._stretches: list[Cells] = []
        self._gentler = False
        self._given = 0

    def reset(self) -> None:
        """Forget the signal."""
        self._processor.reset()
        self._clear()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        return self._watch(block, self._processor.process(block), STRETCH * self._size)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        rest = self._processor.flush()
        settled = self._watch(rest[: self._channels, :0], rest, 1)
        return np.concatenate([settled, self._eased(len(self._listened[1]))], axis=1)

    def _watch(self, noisy: Audio, made: Audio, fewest: int) -> Audio:
        """Listen to whole stretches, and to a rest of so many frames; return what is settled by them."""
        for queue, block in zip(self._new, (noisy, made), strict=True):
            queue.push(block)
        out = [noisy[:, :0]]
        while len(self._new[1]) >= fewest:
            self._listen(min(STRETCH * self._size, len(self._new[1])))
            # in what lies nearer to the end than a cell reaches and holds, the next stretch has a say
            out.append(self._eased(max(0, len(self._listened[1]) - (2 * REACH + HOLD + 1) * self._size)))
        return np.concatenate(out, axis=1)

    def _listen(self, frames: int) -> None:
        noisy, made = (queue.pop(frames) for queue in self._new)
        for queue, audio in zip(self._listened, (noisy, made), strict=True):
            queue.push(audio)
        cleaned, gentler = parts(made, self._channels)
        self._gentler = gentler is not None
        meter = LevelMeter(self._rate, self._channels)
        meter.add(noisy)
        signals, cells = compared(noisy, cleaned, self._rate), -(-frames // self._size)
        self._stretches.append(listen(signals, cells, meter.result().snr_db, self._whispered))

    def _eased(self, frames: int) -> Audio:
        """Return the next frames of the output."""
        begin, self._given = self._given, self._given + frames
        noisy, made = (queue.pop(frames) for queue in self._listened)
        if not frames:
            return noisy
        first = max(0, len(self._stretches) - 3)
        borne = Cells.joined(self._stretches[first:]).bearable(self._gentler)
        start = begin - first * STRETCH * self._size
        return eased(noisy, made, borne.at_most(self._most), self._size, start)

    def notes(self, what: str, gentler: str) -> list[str]:
        """Return what the user should know about the whole recording.

        Parameters
        ----------
        what : str
            What is guarded.
        gentler : str
            Options that take less away.
        """
        if not self._stretches:
            return []
        notes = []
        borne = Cells.joined(self._stretches).bearable(self._gentler)
        for less, kept in (
            (borne.share < min(self._most, 1 - GIVEN_BACK), f"{borne.share.min():.0%} of {what}"),
            (borne.cleaned < 1 - GIVEN_BACK, f"{what} is gentler"),
        ):
            if less.any():
                lost = borne.loss_db[less].max()
                notes.append(f"guarded: {kept} {self._when(less, CELL_S)}: the speech would lose {lost:.1f} dB")
        losses = self._others()
        if losses.any():
            when = self._when(losses > 0, STRETCH * CELL_S)
            notes.append(
                f"sounds that are no speech lost up to {losses.max():.0f} dB {when}; "
                f"if they are music, {gentler} leaves more of it"
            )
        return notes

    def _when(self, marked: NDArray[np.bool_], seconds: float) -> str:
        """Return at which times something is marked, each place so many seconds long, the last one maybe shorter."""
        at, spans = 0, []
        for mark, places in groupby(marked):
            end = at + len(list(places))
            if mark:
                spans.append(f"{clock(at * seconds)}–{clock(min(end * seconds, self._given / self._rate))}")
            at = end
        return f"at {first_few(spans, _PLACES)}"

    def _others(self) -> Vector:
        """Return how many dB other sounds lose in each stretch, 0 where it is not worth a word."""
        active, spoken = (
            np.array([np.sum(getattr(one, kind), axis=0) for one in self._stretches]).T for kind in ("active", "spoken")
        )
        frames, before, after = active[:3]
        voiced = spoken[0] >= np.maximum(1, SPOKEN_SHARE * frames)
        with np.errstate(divide="ignore", invalid="ignore"):
            loss_db = 10 * np.log10(before / after)
            voice = np.sum(spoken[1, voiced]) / np.sum(spoken[0, voiced])
            below_db = 10 * np.log10(voice / (before / frames))
        worth = ~voiced & (loss_db > OTHERS_LOSS_DB) & (frames > OTHERS_SHARE * _FRAMES) & ~(below_db > OTHERS_BELOW_DB)
        return np.where(worth, np.minimum(loss_db, 200.0), 0.0)
