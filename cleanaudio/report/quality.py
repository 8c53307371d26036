"""One number for how much cleaning helped."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cleanaudio.metrics.interface import Measured, NotMeasurable

PARTS = {
    "reference": ("pesq_wb_delta", "stoi_delta", "artifacts"),
    "blind": ("dnsmos_ovrl_delta", "dnsmos_sig_delta", "artifacts"),
}
"""The numbers that the score is made of, by the named gate that it comes with."""


def known(values: Mapping[str, Measured], key: str) -> Measured:
    """Return a number out of several; not measurable where it is absent, or none."""
    value = values.get(key, NotMeasurable("was not measured"))
    if not isinstance(value, NotMeasurable) and math.isnan(value):
        return NotMeasurable("the result is not a number")
    return value


def quality(values: Mapping[str, Measured]) -> Measured:
    """Return how much cleaning helped, 0 … 1.

    With the clean reference::

        0.4 · clip(ΔPESQ / 2) + 0.4 · clip(ΔSTOI) − 0.2 · artifacts

    without::

        0.6 · clip(ΔOVRL) + 0.4 · clip(1 + ΔSIG / 0.5) − 0.2 · artifacts

    where clip limits to 0 … 1, Δ is enhanced minus noisy input, and the whole is limited to 0 … 1 (with the reference
    it comes to 0.8 at most, for a recording that was hardly intelligible). The first is taken
    where ``pesq_wb_delta`` and ``stoi_delta`` are among the values. The second gives 0.4 to a recording that is left as
    it is, full marks to one that gains a point of OVRL and keeps its SIG. Not measurable where a part is not.
    """

    def clip(value: float) -> float:
        return min(1.0, max(0.0, value))

    with_reference = "pesq_wb_delta" in values and "stoi_delta" in values
    parts = []
    for key in PARTS["reference" if with_reference else "blind"]:
        value = known(values, key)
        if isinstance(value, NotMeasurable):
            return NotMeasurable(f"{key}: {value.reason}")
        parts.append(value)
    first, second, artifacts = parts
    if with_reference:
        return clip(0.4 * clip(first / 2) + 0.4 * clip(second) - 0.2 * artifacts)
    return clip(0.6 * clip(first) + 0.4 * clip(1 + second / 0.5) - 0.2 * artifacts)
