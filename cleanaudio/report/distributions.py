"""A picture for each of the first figures: where all the recordings lie, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cleanaudio.metrics.aggregate import finite, interval
from cleanaudio.report.charts import Spread, draw_distribution
from cleanaudio.report.labels import before, figure, label, unit
from cleanaudio.report.markup import Picture
from cleanaudio.report.scores import Aggregate, Score


def pictures(
    scores: Sequence[Score], systems: Sequence[str], keys: Sequence[str], sums: Sequence[Aggregate]
) -> Iterator[tuple[str, Picture]]:
    """Draw how each figure spreads; none of fewer than two recordings.

    Yields
    ------
    (str, Picture)
        The figure's key, and the picture.
    """
    intervals = {(one.system, one.key): (one.summary.low, one.summary.high) for one in sums if one.group is None}
    for key in keys:
        sides = []
        starts = {(score.noisy, score.name): value for score in scores if (value := before(score, key)) is not None}
        if starts:
            values = list(starts.values())
            sides.append(Spread(None, values, interval(np.array(values))))
        for system in systems:
            found = [finite(score.measured.get(key)) for score in scores if score.system == system]
            numbers = [value for value in found if value is not None]
            low, high = intervals.get((system, key), (None, None))
            if numbers:
                sides.append(Spread(system, numbers, None if low is None or high is None else (low, high)))
        if max((len(side.values) for side in sides), default=0) > 1:
            axis = label(key) + (f" ({unit(key)})" if unit(key) else "")
            yield key, draw_distribution(sides, systems, axis, _alt(key, sides))


def _alt(key: str, sides: Sequence[Spread]) -> str:
    said = []
    for side in sides:
        low, middle, high = (figure(key, float(value)) for value in np.percentile(side.values, (0, 50, 100)))
        who = "Before" if side.system is None else side.system
        said.append(f"{who}: {len(side.values)} recordings from {low} to {high}, median {middle}.")
    return f"{label(key)} of all recordings. {' '.join(said)}"
