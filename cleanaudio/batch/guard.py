"""The guard: cleaning that would harm a recording is taken back, step by step, before anything is written.

A few excerpts are cleaned and compared with what they were. Where the speech loses level, sounds worse to DNSMOS, or
there was nothing to clean, the output is mixed with the input, down to the input itself. Neither the level nor DNSMOS
notices when a voice that drowns in noise is removed with it: where no voice can be made out, the first step is taken
in any case, so that what there is loses 12 dB at most. Nobody can tell whether sounds between the talk are music or
noise: where they go, it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace
from itertools import compress, pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import through
from cleanaudio.audio.level import LevelMeter
from cleanaudio.backends.interface import Processor
from cleanaudio.batch.recorded import Known
from cleanaudio.metrics import dnsmos
from cleanaudio.metrics.dnsmos import CLEAN_BAK, P835
from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.speech_level import SPEECH_LEVEL_CHANGE, is_heard

Audio = NDArray[np.float32]

STEPS = (1.0, 0.75, 0.5, 0.25)
"""Shares of the cleaned signal that are tried; below the last one the original passes through."""

LEVEL_LOSS_DB, AT_SNR_DB = (6.0, 3.0), (8.0, 16.0)
"""Speech may lose 3 dB where it stands out from the noise, and up to 6 dB in loud noise, with which weak speech goes:
there ESTOI begins to fall on noisy development recordings. Between the two SNRs (as in the log's rows) it is a line."""
SIG_LOSS = 0.3
"""DNSMOS SIG may fall so far."""
CLEAN_GAIN = 0.1
"""A recording with a DNSMOS BAK of ``CLEAN_BAK`` that cleaning harms, or whose OVRL it would not raise by so much, is
clean already."""

OTHERS_LOSS_DB = 12.0
"""What stands out in an excerpt without speech is mentioned when it loses more."""

EXCERPTS, EXCERPT_S = 6, 10.0
_SILENT = 1e-4


@dataclass(frozen=True)
class Decision:
    """What the guard says.

    Parameters
    ----------
    share : float
        Of the cleaned signal in the output, 1 … 0.
    reason : str or None
        Why it is below 1.
    cleaned : Processor or None
        Gives the cleaned signal once more, where the whole recording was cleaned to be heard.
    others : tuple of (float, float)
        Where, in seconds, excerpts begin in which other sounds than speech were taken away, and how many dB.
    """

    share: float
    reason: str | None = None
    cleaned: Processor | None = None
    others: tuple[tuple[float, float], ...] = ()

    def notes(self, what: str, without: str, gentler: str) -> list[str]:
        """Return what the user shall know.

        Parameters
        ----------
        what, without : str
            What is guarded, and what is left where nothing of it is.
        gentler : str
            Options that take less away.
        """
        notes = []
        if self.reason is not None:
            kept = f"{self.share:.0%} of {what}" if self.share else without
            notes.append(f"guarded: {kept}: {self.reason}")
        if self.others:
            places = ", ".join("{}:{:02d}".format(*divmod(int(start), 60)) for start, _ in self.others)
            most = max(loss for _, loss in self.others)
            notes.append(
                f"sounds that are no speech lost up to {most:.0f} dB, from {places} on; "
                f"if they are music, {gentler} leaves more of it"
            )
        return notes


def excerpts(frames: int, rate: int) -> list[tuple[int, int]]:
    """Return the stretches that are listened to: start and length in frames, spread evenly over the recording."""
    if not frames:
        return []
    length = round(EXCERPT_S * rate)
    if frames <= EXCERPTS * length:
        # of nearly one length: DNSMOS would judge a scrap at the end, which it repeats, like ten seconds
        count = max(1, round(frames / length))
        bounds = [k * frames // count for k in range(count + 1)]
        return [(start, end - start) for start, end in pairwise(bounds)]
    return [(round(k * (frames - length) / (EXCERPTS - 1)), length) for k in range(EXCERPTS)]


def decide(
    read: Callable[[int, int], Audio], frames: int, rate: int, open_processor: Callable[[], Processor]
) -> Decision:
    """Find how much cleaning a recording bears.

    Parameters
    ----------
    read : callable
        Takes start and length in frames, returns (channels, length).
    frames, rate : int
        Of the recording.
    open_processor : callable
        Makes a fresh processor.
    """
    cleaned = None
    bounds = excerpts(frames, rate)
    if frames > EXCERPTS * round(EXCERPT_S * rate):
        parts = ((start, read(start, length)) for start, length in bounds)
        pairs = ((at, noisy, through(open_processor(), noisy)) for at, noisy in parts if not _is_silent(noisy))
    else:
        whole, processor = read(0, frames), open_processor()
        out = through(processor, whole)
        cleaned = Known(out, processor.latency)
        cuts = ((start, np.s_[:, start : start + length]) for start, length in bounds)
        pairs = ((at, whole[cut], out[cut]) for at, cut in cuts if not _is_silent(whole[cut]))
    found = _bearable(pairs, rate)
    if cleaned is None:
        dnsmos.release()  # what takes long has to do with little memory
    return replace(found, cleaned=cleaned)


def _is_silent(audio: Audio) -> bool:
    return float(np.max(np.abs(audio), initial=0.0)) < _SILENT


def _bearable(pairs: Iterable[tuple[int, Audio, Audio]], rate: int) -> Decision:
    """Return the share of the cleaned signal that does no harm, and what is to be said of it.

    Parameters
    ----------
    pairs : iterable of (start, noisy, cleaned)
        The excerpts, of which only what is listened to is kept: the mean of the channels at a low rate.
    rate : int
    """
    meter = None
    starts, inputs, outputs = [], [], []
    for start, noisy, cleaned in pairs:
        both = Signals(cleaned, rate, noisy=noisy)
        heard, out = both.mono("noisy", dnsmos.RATE)[None], both.mono("enhanced", dnsmos.RATE)[None]
        if not heard.size:  # too short for the low rate
            continue
        meter = meter or LevelMeter(rate, len(noisy))
        meter.add(noisy)
        starts.append(start / rate)
        inputs.append(Signals(heard, dnsmos.RATE, noisy=heard))
        outputs.append(out)
    if meter is None:
        return Decision(1.0)
    allowed = _allowed_loss(meter.result().snr_db)
    before = _opinion(inputs) if dnsmos.DNSMOS.installed else None
    # music between the talk is no speech; but where none is heard at all it may be whispered
    spoken = [is_heard(one) for one in inputs]
    spoken = spoken if any(spoken) else [True] * len(inputs)
    reason = None
    for share in STEPS:
        mixed = [
            one.of_another(one.enhanced + np.float32(share) * (out - one.enhanced))
            for one, out in zip(inputs, outputs, strict=True)
        ]
        change = _level_change(compress(mixed, spoken))
        why = None
        if change is not None and change < -allowed:
            why = f"the speech lost {-change:.1f} dB"
        elif before is not None:
            why = _harm(before, _opinion(mixed))
        if why is None and change is None and share == STEPS[0]:
            why = "no voice can be made out in the noise"
        if why is None:
            between = [not one for one in spoken]
            losses = zip(compress(starts, between), map(_loss, compress(mixed, between)), strict=True)
            others = tuple((start, loss) for start, loss in losses if loss is not None and loss > OTHERS_LOSS_DB)
            return Decision(share, reason, others=others)
        if before is not None and before.bak >= CLEAN_BAK:
            return Decision(0.0, _CLEAN)
        reason = reason or why
    return Decision(0.0, reason)


def _allowed_loss(snr_db: float | None) -> float:
    """Return how many dB of level the speech may lose in noise of an SNR; None where it is not known."""
    return LEVEL_LOSS_DB[0] if snr_db is None else float(np.interp(snr_db, AT_SNR_DB, LEVEL_LOSS_DB))


def _level_change(signals: Iterable[Signals]) -> float | None:
    """Return by how many dB the level of the speech changes: the mean over the excerpts where it can be measured."""
    numbers = [-loss for loss in map(_loss, signals) if loss is not None]
    return float(np.mean(numbers)) if numbers else None


def _loss(signals: Signals) -> float | None:
    """Return how many dB what stands out loses, None where nothing does."""
    value = SPEECH_LEVEL_CHANGE(signals)["speech_level_change"]
    return -value if isinstance(value, float) and np.isfinite(value) else None


def _opinion(signals: list[Signals]) -> P835:
    """Return what DNSMOS says, mean over the excerpts."""
    glances = [astuple(dnsmos.glance(one.mono("enhanced", dnsmos.RATE))) for one in signals]
    return P835(*map(fmean, zip(*glances, strict=True)))


_CLEAN = "the input is clean already"


def _harm(before: P835, after: P835) -> str | None:
    """Return how cleaning harms, or None."""
    if after.sig < before.sig - SIG_LOSS:
        return f"DNSMOS SIG fell by {before.sig - after.sig:.2f}"
    if before.bak >= CLEAN_BAK and after.ovrl < before.ovrl + CLEAN_GAIN:
        return _CLEAN
    return None
