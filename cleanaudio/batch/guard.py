"""The guard: cleaning that would harm a recording is taken back before anything is written.

A few excerpts are cleaned and compared with what they were. Where they sound worse to DNSMOS, the output is mixed with
the input, step by step, down to the input itself; where there was nothing to clean, the input stays as it is. Neither
the level nor DNSMOS notices when a voice that drowns in noise is removed with it: where no voice can be made out, the
first step is taken in any case, so that what there is loses 12 dB at most. Then the level of the voice is watched
through the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace
from itertools import compress, pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.processor import Processor, through
from cleanaudio.audio.spread import spread
from cleanaudio.batch.replay import Known
from cleanaudio.batch.take import Take
from cleanaudio.batch.voice import CELL_S, Cells, allowed_loss, compared, eased, listen, parts
from cleanaudio.batch.watched import Watched
from cleanaudio.metrics import dnsmos
from cleanaudio.metrics.dnsmos import CLEAN_BAK, P835
from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.speech_level import SPEECH_LEVEL_CHANGE, activity

Audio = NDArray[np.float32]

STEPS = (1.0, 0.75, 0.5, 0.25)
"""Shares of the cleaned signal that are tried; below the last one the original passes through."""

SIG_LOSS = 0.3
"""DNSMOS SIG may fall so far, and further where OVRL rises: loud noise takes SIG for a guess."""
CLEAN_GAIN, CLEAN_SNR_DB = 0.1, 18.0
"""A recording with a DNSMOS BAK of ``CLEAN_BAK`` is clean already if its speech would lose level, or if its OVRL would
not rise by so much and the noise that would go lies so far below the voice."""

EXCERPTS, EXCERPT_S = 6, 10.0
_SILENT = 1e-4
_ALL_DB = 200.0  # loss that digital silence counts as
_CLEAN = "the input is clean already"


@dataclass(frozen=True)
class Decision:
    """What the guard decided about the recording as a whole.

    Parameters
    ----------
    share : float
        Of the cleaned signal in the output at most, 1 … 0.
    reason : str or None
        Why it is below 1.
    whispered : bool
        Whether what stands out from the noise counts as speech although the voice detector finds none.
    before, cleaned : Processor or None
        Give what comes before the cleaning, and the cleaned signal, once more, where the whole recording was heard.
    """

    share: float
    reason: str | None = None
    whispered: bool = False
    before: Processor | None = None
    cleaned: Processor | None = None

    def watching(self, processor: Processor, rate: int, channels: int) -> Watched:
        """Return the processor mixed with its input, by as much as is said here and as the voice needs."""
        return Watched(processor, rate, channels, self.share, self.whispered)

    def notes(self, what: str, without: str) -> list[str]:
        """Return what the user should know.

        Parameters
        ----------
        what, without : str
            What is guarded, and what is left where nothing of it is.
        """
        if self.reason is None:
            return []
        kept = f"{self.share:.0%} of {what}" if self.share else without
        return [f"guarded: {kept}: {self.reason}"]


def guarded(
    take: Take,
    channels: int,
    threads: int,
    open_processor: Callable[[], Processor],
    open_before: Callable[[], Processor] | None = None,
) -> tuple[Decision, Watched | None]:
    """Decide about a recording; return what cleans as much as it bears too, None where that is nothing.

    Parameters
    ----------
    take : Take
    channels : int
        Of what is cleaned.
    threads : int
        Threads that a model may use.
    open_processor, open_before : callable
        As :func:`decide` takes them.
    """
    dnsmos.use_threads(threads)
    rate = take.reader.info.rate
    decision = decide(take.read, take.frames, rate, open_processor, open_before)
    if not decision.share:
        return decision, None
    return decision, decision.watching(decision.cleaned or open_processor(), rate, channels)


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
    return spread(frames, length, EXCERPTS)


def decide(
    read: Callable[[int, int], Audio],
    frames: int,
    rate: int,
    open_processor: Callable[[], Processor],
    open_before: Callable[[], Processor] | None = None,
) -> Decision:
    """Find how much cleaning a recording bears.

    Parameters
    ----------
    read : callable
        Takes start and length in frames, returns (channels, length).
    frames, rate : int
        Of the recording.
    open_processor : callable
        Makes a fresh processor. Below the channels of what it cleans there may be as many that are cleaned more gently.
    open_before : callable, optional
        Makes a fresh processor for what comes before it and is not guarded.
    """
    source = cleaned = None
    bounds = excerpts(frames, rate)
    if frames > EXCERPTS * round(EXCERPT_S * rate):
        stretches = (read(start, length) for start, length in bounds)
        if open_before is not None:
            stretches = (through(open_before(), stretch) for stretch in stretches)
        pairs = ((noisy, through(open_processor(), noisy)) for noisy in stretches if not _is_silent(noisy))
    else:
        whole, processor = read(0, frames), open_processor()
        if open_before is not None:
            before = open_before()
            whole = through(before, whole)
            source = Known(whole, before.latency)
        out = through(processor, whole)
        cleaned = Known(out, processor.latency)
        cuts = (np.s_[:, start : start + length] for start, length in bounds)
        pairs = ((whole[cut], out[cut]) for cut in cuts if not _is_silent(whole[cut]))
    found = _bearable(pairs, rate)
    if cleaned is None:
        dnsmos.release()  # what takes long has to do with little memory
    return replace(found, before=source, cleaned=cleaned)


def _is_silent(audio: Audio) -> bool:
    return float(np.max(np.abs(audio), initial=0.0)) < _SILENT


def _bearable(pairs: Iterable[tuple[Audio, Audio]], rate: int) -> Decision:
    """Return the share of the cleaned signal that does no harm.

    Parameters
    ----------
    pairs : iterable of (noisy, made)
        The excerpts, of which only what is listened to is kept: the mean of the channels at a low rate.
    rate : int
    """
    meter, found, made = None, [], []
    for noisy, out in pairs:
        meter = meter or LevelMeter(rate, len(noisy))
        meter.add(noisy)
        heard = [compared(noisy, part, rate) for part in parts(out, len(noisy)) if part is not None]
        found.append(heard[0])
        made.append(np.concatenate([one.enhanced for one in heard]))
    if meter is None:
        return Decision(1.0)
    snr_db = meter.result().snr_db
    # music between the talk is no speech; but where none is heard at all it may be whispered
    spoken = [activity(one).is_speech for one in found]
    whispered = not any(spoken)
    loss_db = _loss(found if whispered else compress(found, spoken))
    before = _opinion(one.of_noisy() for one in found) if dnsmos.DNSMOS.installed else None
    is_clean = before is not None and before.bak >= CLEAN_BAK
    if is_clean and loss_db is not None and loss_db > allowed_loss(snr_db):
        return Decision(0.0, _CLEAN)
    size = round(CELL_S * dnsmos.RATE)
    cells = [listen(one, -(-one.enhanced.shape[1] // size), snr_db, whispered) for one in found]
    borne = [one.bearable(gentler=len(out) > 1) for one, out in zip(cells, made, strict=True)]
    reason = None
    for share in STEPS:
        mixed = [
            one.of_another(eased(one.of_noisy().enhanced, out, bears.at_most(share), size))
            for one, out, bears in zip(found, made, borne, strict=True)
        ]
        why = None
        if before is not None:
            after = _opinion(mixed)
            why = _harm(before, after)
            little = after.ovrl < before.ovrl + CLEAN_GAIN and Cells.joined(cells).snr_db > CLEAN_SNR_DB
            if is_clean and (why or little):
                return Decision(0.0, _CLEAN)
        if why is None and loss_db is None and share == STEPS[0]:
            why = "no voice can be made out in the noise"
        if why is None:
            return Decision(share, reason, whispered)
        reason = reason or why
    return Decision(0.0, reason)


def _loss(signals: Iterable[Signals]) -> float | None:
    """Return how many dB the speech loses: the mean over the excerpts where that can be measured."""
    changes = [SPEECH_LEVEL_CHANGE(one)["speech_level_change"] for one in signals]
    numbers = [max(change, -_ALL_DB) for change in changes if isinstance(change, float)]
    return -fmean(numbers) if numbers else None


def _opinion(signals: Iterable[Signals]) -> P835:
    """Return what DNSMOS says, mean over the excerpts."""
    glances = [astuple(dnsmos.glance(one.mono("enhanced", dnsmos.RATE))) for one in signals]
    return P835(*map(fmean, zip(*glances, strict=True)))


def _harm(before: P835, after: P835) -> str | None:
    """Return how cleaning harms, or None."""
    if after.ovrl < before.ovrl and after.sig < before.sig - SIG_LOSS:
        return f"DNSMOS SIG fell by {before.sig - after.sig:.2f}"
    return None
