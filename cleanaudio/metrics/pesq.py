"""PESQ: the opinion of listeners predicted from a model of hearing (ITU-T P.862, P.862.1 and P.862.2).

* ``pesq_wb`` (MOS-LQO, 1.04 … 4.65, higher is better): wide band, at 16 kHz.
* ``pesq_nb`` (MOS-LQO, 1.01 … 4.55, higher is better): narrow band, at 8 kHz.

Computed by the package ``pesq`` (extra ``[pesq]``: its C code carries the ITU's terms). The channel means are
resampled to that rate by soxr (HQ).

What is longer than 19 s is measured in pieces of equal length, none longer than that, and the mean of those in which
there is speech is given. P.862 is meant for 8 to 30 s, and the C code has room for 50 utterances, past which it writes.
"""

from __future__ import annotations

import math

import numpy as np

from cleanaudio.metrics.interface import Measured, Metric, NotMeasurable, Signals, Vector, single
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT

_LONGEST_S = 19.0
"""An utterance and the pause after it take the C code's detector 97 frames of 4 ms at least, 50 of them 19.4 s."""
_HEARD = 0.01  # 40 dB below the loudest the C code's detector hears nothing
_NO_UTTERANCE = NotMeasurable("PESQ found no utterance in the reference")


def wide_band(signals: Signals) -> Measured:
    """Return PESQ-WB."""
    return _pesq(signals, 16000, "wb")


def narrow_band(signals: Signals) -> Measured:
    """Return PESQ-NB."""
    return _pesq(signals, 8000, "nb")


def _pesq(signals: Signals, rate: int, mode: str) -> Measured:
    reference, enhanced = signals.mono("reference", rate), signals.mono("enhanced", rate)
    if not reference.any():
        return SILENT
    if not enhanced.any():
        return ENHANCED_SILENT
    if len(reference) < rate // 4:
        return NotMeasurable("shorter than PESQ's quarter of a second")
    count = math.ceil(len(reference) / (_LONGEST_S * rate))
    least = _HEARD * np.max(np.abs(reference))
    opinions = []
    for clean, cleaned in zip(np.array_split(reference, count), np.array_split(enhanced, count), strict=True):
        opinion = _opinion(clean, cleaned, rate, mode) if np.max(np.abs(clean)) >= least else _NO_UTTERANCE
        if isinstance(opinion, float):
            opinions.append(opinion)
        elif opinion != _NO_UTTERANCE:
            return opinion
    return float(np.mean(opinions)) if opinions else _NO_UTTERANCE


def _opinion(reference: Vector, enhanced: Vector, rate: int, mode: str) -> Measured:
    from pesq import BufferTooShortError, NoUtterancesError, pesq

    try:
        return float(pesq(rate, np.ascontiguousarray(reference), np.ascontiguousarray(enhanced), mode))
    except NoUtterancesError:
        return _NO_UTTERANCE
    except BufferTooShortError:
        return NotMeasurable("shorter than PESQ's quarter of a second")
    except ValueError:  # the package cannot turn its own NaN into a message
        return NotMeasurable("PESQ found nothing that it could compare")


def _metric(name: str, compute, low: float, high: float, summary: str) -> Metric:
    needs = frozenset({"reference"})
    return single(
        name, compute, needs=needs, unit="MOS", low=low, high=high, extra="pesq", modules=("pesq",), summary=summary
    )


PESQ_WB = _metric("pesq_wb", wide_band, 1.04, 4.65, "predicted listeners' score, wide band (16 kHz)")
PESQ_NB = _metric("pesq_nb", narrow_band, 1.01, 4.55, "predicted listeners' score, narrow band (8 kHz)")
