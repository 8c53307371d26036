"""Charts as SVG in two colourings, for light and dark screens.

They are as wide as a phone's screen, so that their letters stay readable there; a desktop shows several side by side.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cleanaudio.audio.wording import clock
from cleanaudio.errors import printable
from cleanaudio.report.excerpts import Audio, mono
from cleanaudio.report.markup import Picture, data_uri

WIDTH_IN, LEVELS_HEIGHT_IN = 3.9, 2.6
CSS_DPI = 96
LEVEL_RANGE_DB = 70
MOST_DOTS = 300
"""Dots of a distribution; of more recordings the quantiles are drawn."""
_LEVEL_S = 0.05
_LEGEND_COLUMNS = 2
_FLOOR_DB = -100.0


@dataclass(frozen=True)
class Margins:
    """Room around the axes, inches; fixed, because finding it out takes longer than drawing."""

    left: float
    right: float
    top: float
    bottom: float

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of the axes as shares of a figure's size."""
        inner = (width - self.left - self.right, height - self.top - self.bottom)
        return self.left / width, self.bottom / height, inner[0] / width, inner[1] / height


@dataclass(frozen=True)
class _Theme:
    ink: str
    faint: str
    grid: str
    before: str
    systems: tuple[str, ...]

    def of(self, order: Sequence[str], system: str) -> str:
        """Return a system's colour."""
        return self.systems[order.index(system) % len(self.systems)]


_LIGHT = _Theme(
    "#1f2933", "#5b6673", "#dde2e7", "#8a94a0", ("#0b7285", "#b3540a", "#6741a8", "#2f7a34", "#a61e4d", "#5c5f00")
)
_DARK = _Theme(
    "#e3e8ee", "#9aa5b1", "#2e363f", "#8a94a0", ("#4cc3d9", "#f2a65a", "#b79bf0", "#7fcf86", "#f08cae", "#d3d65f")
)


def draw_levels(
    before: Audio | None,
    reference: Audio | None,
    after: Mapping[str, Audio],
    order: Sequence[str],
    rate: int,
    start_s: float,
    alt: str,
) -> Picture:
    """Draw the level of each 50 ms over time.

    Parameters
    ----------
    before, reference : ndarray or None, shape (channels, frames)
    after : mapping of str to ndarray
        By system.
    order : sequence of str
        All systems of the report, which decides their colours.
    rate : int
    start_s : float
    alt : str
    """
    size = max(1, round(_LEVEL_S * rate))

    def draw(axes: Any, theme: _Theme) -> None:
        curves: list[tuple[str, Audio, dict[str, Any]]] = (
            [] if before is None else [("before", before, {"color": theme.before})]
        )
        curves += [(system, signal, {"color": theme.of(order, system)}) for system, signal in after.items()]
        if reference is not None:
            curves.append(("reference", reference, {"color": theme.ink, "linewidth": 0.9, "linestyle": (0, (2, 2))}))
        top, end_s = _FLOOR_DB, start_s
        for name, signal, style in curves:
            level = _level(signal, size)
            times = start_s + (np.arange(len(level)) + 0.5) * size / rate
            axes.plot(times, level, label=shortened(name), **{"linewidth": 1.4, **style})
            top, end_s = max(top, level.max()), times[-1] + 0.5 * size / rate
        axes.set_ylim(max(_FLOOR_DB, top - LEVEL_RANGE_DB), top + 4)
        axes.set_xlim(start_s, end_s)
        axes.set_ylabel("dBFS", color=theme.faint)
        time_axis(axes, end_s, theme.faint)
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(_LEGEND_COLUMNS, len(curves)), frameon=False,
            labelcolor=theme.ink, fontsize=8, handlelength=1.4, columnspacing=1.2, borderpad=0.1,
        )  # fmt: skip

    legend_in = 0.2 * -(-(len(after) + (before is not None) + (reference is not None)) // _LEGEND_COLUMNS)
    margins = Margins(left=0.58, right=0.14, top=legend_in + 0.1, bottom=0.42)
    return _chart(draw, LEVELS_HEIGHT_IN, margins, alt)


@dataclass(frozen=True)
class Spread:
    """One side's numbers of all recordings.

    Parameters
    ----------
    system : str or None
        None: before cleaning.
    values : sequence of float
        Finite, at least one.
    interval : (float, float) or None
        95 % interval of the mean.
    """

    system: str | None
    values: Sequence[float]
    interval: tuple[float, float] | None


def draw_distribution(sides: Sequence[Spread], order: Sequence[str], axis: str, alt: str) -> Picture:
    """Draw the numbers of all recordings as dots, a row for each side, with the mean and its interval.

    Parameters
    ----------
    sides : sequence of Spread
        From top to bottom.
    order : sequence of str
        As for :func:`draw_levels`.
    axis : str
        What the axis is called.
    alt : str
    """

    def draw(axes: Any, theme: _Theme) -> None:
        for height, side in enumerate(sides):
            colour = theme.before if side.system is None else theme.of(order, side.system)
            shown = np.sort(np.asarray(side.values, float))
            if len(shown) > MOST_DOTS:
                shown = np.quantile(shown, np.linspace(0, 1, MOST_DOTS))
            jitter = np.random.default_rng(height).permutation(np.linspace(-0.16, 0.16, len(shown)))
            axes.plot(shown, height - 0.12 + jitter, "o", color=colour, markersize=4, alpha=0.55, markeredgewidth=0)
            if side.interval is not None:
                axes.plot(side.interval, [height + 0.27] * 2, color=colour, linewidth=2.4, solid_capstyle="round")
            mean = float(np.mean(side.values))
            axes.plot([mean], [height + 0.27], "D", color=colour, markersize=4.6, markeredgewidth=0)
        names = ["before" if side.system is None else shortened(side.system) for side in sides]
        axes.set_yticks(range(len(sides)), names)
        axes.set_ylim(len(sides) - 0.45, -0.45)
        axes.tick_params(axis="y", length=0, labelcolor=theme.ink)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(axis, color=theme.faint)
        axes.margins(x=0.04)

    margins = Margins(left=1.15, right=0.15, top=0.08, bottom=0.46)
    return _chart(draw, 0.54 + 0.42 * len(sides), margins, alt)


def shortened(name: str, most: int = 16) -> str:
    """Return a name short enough for a picture, and without what is no letter."""
    name = printable(name)
    return name if len(name) <= most else name[: most - 1] + "…"


def _chart(draw: Callable[[Any, _Theme], None], height_in: float, margins: Margins, alt: str) -> Picture:
    """Draw once for light and once for dark screens."""
    uris = []
    for theme in (_LIGHT, _DARK):
        with drawing():
            figure = Figure(figsize=(WIDTH_IN, height_in))
            figure.patch.set_alpha(0)
            axes = figure.add_axes(margins.box(WIDTH_IN, height_in), facecolor="none")
            axes.grid(True, color=theme.grid, linewidth=0.7)
            axes.set_axisbelow(True)
            for side, spine in axes.spines.items():
                spine.set_visible(side in ("left", "bottom"))
                spine.set_color(theme.grid)
            axes.tick_params(colors=theme.faint, length=3)
            draw(axes, theme)
            file = io.StringIO()
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue().replace("'DejaVu Sans'", "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans'")
        uris.append(data_uri("image/svg+xml", text.encode()))
    return Picture(alt, uris[0], round(WIDTH_IN * CSS_DPI), round(height_in * CSS_DPI), uris[1])


@contextmanager
def drawing() -> Iterator[None]:
    """Settings of matplotlib for a picture, put back afterwards."""
    look: Any = {"font.size": 8.5, "svg.fonttype": "none", "svg.hashsalt": "cleanaudio", "text.parse_math": False}
    with matplotlib.rc_context(look), warnings.catch_warnings():
        # the browser draws the letters, and it has fonts for scripts that matplotlib's has not
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def time_axis(axes: Any, end_s: float, colour: str) -> None:
    """Give axes a horizontal time in seconds, or as on a clock from a minute on."""
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if end_s >= 60:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second)))
        axes.set_xlabel("time", color=colour)
    else:
        axes.set_xlabel("s", color=colour)
    axes.tick_params(colors=colour, length=3)


def _level(signal: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    samples = mono(signal).astype(np.float64)
    frames = samples[: max(1, len(samples) // size) * size]
    if len(frames) < size:
        frames = np.pad(frames, (0, size - len(frames)))
    return 10 * np.log10(np.mean(frames.reshape(-1, size) ** 2, axis=1) + 10 ** (_FLOOR_DB / 10))
