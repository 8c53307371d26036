"""PESQ: the opinion of listeners predicted from a model of hearing (ITU-T P.862, P.862.1 and P.862.2).

* ``pesq_wb`` (MOS-LQO, 1.04 … 4.65, higher is better): wide band, at 16 kHz.
* ``pesq_nb`` (MOS-LQO, 1.01 … 4.55, higher is better): narrow band, at 8 kHz.

Computed by the package ``pesq`` (extra ``[pesq]``: its C code carries the ITU's terms). The channel means are
resampled to that rate by soxr (HQ).
"""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Measured, Metric, NotMeasurable, Signals, single
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT


def wide_band(signals: Signals) -> Measured:
    """Return PESQ-WB."""
    return _pesq(signals, 16000, "wb")


def narrow_band(signals: Signals) -> Measured:
    """Return PESQ-NB."""
    return _pesq(signals, 8000, "nb")


def _pesq(signals: Signals, rate: int, mode: str) -> Measured:
    from pesq import BufferTooShortError, NoUtterancesError, pesq

    reference, enhanced = signals.mono("reference", rate), signals.mono("enhanced", rate)
    if not reference.any():
        return SILENT
    if not enhanced.any():
        return ENHANCED_SILENT
    if len(reference) < rate // 4:
        return NotMeasurable("shorter than PESQ's quarter of a second")
    try:
        return float(pesq(rate, np.ascontiguousarray(reference), np.ascontiguousarray(enhanced), mode))
    except NoUtterancesError:
        return NotMeasurable("PESQ found no utterance in the reference")
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
