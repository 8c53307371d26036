"""Where the sound came from: a polar plot."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from cleanaudio.spatial.locate import Bearing, Heading, Locator

_SMALLEST_DOT, _LARGEST_DOT = 10.0, 90.0
_SPAN_DB = 30.0  # of level, between the smallest and the largest dot


def plot_directions(
    bearings: Sequence[Bearing],
    headings: Sequence[Heading],
    locator: Locator,
    title: str,
    path: str | PathLike[str],
) -> None:
    """Draw the direction of each window, seen from above: early windows near the centre, loud ones large.

    In grey lies what the array heard of each direction, over all of the recording; a line for each heading.

    Parameters
    ----------
    bearings : sequence of Bearing
        At least one.
    headings : sequence of Heading
    locator : Locator
        Which found them.
    title : str
    path : str or PathLike
    """
    from cleanaudio.report.plots import ACCENT, GRID, INK, new_figure, put_title, save

    figure = new_figure(7.0, 6.4)
    axes: Any = figure.add_subplot(projection="polar")
    times = np.array([one.time_s for one in bearings])
    angles = np.radians([one.azimuth_deg for one in bearings])
    end = float(times[-1] + times[0])
    _draw_response(axes, locator, end, GRID)
    for one in headings:
        label = f"{one.azimuth_deg:.0f}°, {one.share:.0%} of the time"
        colour, width = (ACCENT, 2.2) if one is headings[0] else (INK, 1.0)
        axes.plot(2 * [np.radians(one.azimuth_deg)], [0, end], label=label, zorder=2, color=colour, linewidth=width)
    level = np.array([one.level_db for one in bearings])
    loudness = np.clip(1 + (level - level.max()) / _SPAN_DB, 0, 1)
    sizes = _SMALLEST_DOT + (_LARGEST_DOT - _SMALLEST_DOT) * loudness
    axes.scatter(angles, times, sizes, color=ACCENT, alpha=0.55, linewidths=0, zorder=3)
    axes.set_ylim(0, end)
    corners = range(-135, 181, 45)
    axes.set_xticks([np.radians(angle % 360) for angle in corners], [f"{angle}°" for angle in corners])
    axes.set_rlabel_position(-100 if abs(headings[0].azimuth_deg + 100) > 30 else 100)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.tick_params(colors=INK)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.spines["polar"].set_color(GRID)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(-0.12, 0.0))
    put_title(axes, title)
    save(figure, path)


def _draw_response(axes: Any, locator: Locator, end: float, colour: str) -> None:
    """Draw the mean response over azimuth, its best over the elevations, as a shape that reaches the rim."""
    azimuth, which = np.unique(locator.grid.azimuth_deg, return_inverse=True)
    best = np.full(len(azimuth), -np.inf)
    np.maximum.at(best, which.ravel(), locator.mean_score)
    shape = np.clip(best - np.median(best), 0, None)
    if not shape.max() > 0:
        return
    closed = slice(None) if np.ptp(azimuth) < 300 else [*range(len(azimuth)), 0]
    axes.fill(np.radians(azimuth[closed]), end * shape[closed] / shape.max(), color=colour, zorder=1)
