"""Spectra and spectrograms of whole recordings, however long, as pictures (extra ``[plots]``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.metrics.mel import power_frames
from cleanaudio.report.inspection import Inspection, mix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT_S, LONG_S = 0.04, 0.16
"""Windows of spectrograms and of spectra: one follows speech, the other tells the lines of hum apart."""
COLUMNS = 1000
"""At most so many columns; in a long recording each is the mean of many frames."""
QUIET = 0.1
BANDS_PER_OCTAVE = 24
"""Spectra are smoothed to so many where these are wider than a bin."""
RANGE_DB = 80.0
LOWEST_DB = -150.0
LOWEST_HZ = 30.0


@dataclass(frozen=True)
class Spectrogram:
    """Levels over time and frequency, of all channels as one.

    Parameters
    ----------
    levels_db : ndarray, shape (columns, bins)
        0 dB is a sine of full scale.
    rate : int
    seconds : float
    """

    levels_db: NDArray[np.float64]
    rate: int
    seconds: float


@dataclass(frozen=True)
class Spectrum:
    """Levels over frequency.

    Parameters
    ----------
    frequencies_hz, mean_db, quiet_db : ndarray, shape (bands,)
        ``quiet_db`` is the level that each frequency stays below for a tenth of the time: the noise between the words.
    """

    frequencies_hz: NDArray[np.float64]
    mean_db: NDArray[np.float64]
    quiet_db: NDArray[np.float64]


def decibels(power: Any) -> NDArray[np.float64]:
    """Return power in dB, −150 at least."""
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10)))


class _Columns:
    """Mean power of each bin over columns of equal length, gathered block by block."""

    def __init__(self, window_s: float, rate: int, total: int) -> None:
        self._size = 1 << max(4, round(np.log2(window_s * rate)))
        self._hop = max(self._size // 4, min(self._size, total // (4 * COLUMNS)))
        self._count = max(1, 1 + (total - self._size) // self._hop)
        columns = min(COLUMNS, self._count)
        self._sums, self._frames = np.zeros((columns, self._size // 2 + 1)), np.zeros(columns)
        self._rest, self._done = np.zeros(0, np.float32), 0

    def add(self, signal: NDArray[np.float32]) -> None:
        """Take the next frames, (n,)."""
        self._rest = np.concatenate([self._rest, signal])
        if len(self._rest) >= self._size:
            self._rest = self._rest[self._take(self._rest) * self._hop :]

    def powers(self) -> NDArray[np.float64]:
        """Return the columns, (columns, bins); 1 is a sine of full scale."""
        if not self._done:
            self._take(np.pad(self._rest, (0, self._size - len(self._rest))))
        heard = self._frames > 0
        return self._sums[heard] / self._frames[heard, None]

    def _take(self, signal: NDArray[np.float32]) -> int:
        powers = power_frames(signal, self._size, self._hop) * np.float32((4 / self._size) ** 2)
        columns = np.minimum(
            len(self._sums) - 1, np.arange(self._done, self._done + len(powers)) * len(self._sums) // self._count
        )
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[starts]] += np.add.reduceat(powers, starts, axis=0)
        self._frames += np.bincount(columns, minlength=len(self._sums))
        self._done += len(powers)
        return len(powers)


def read_spectra(found: Inspection) -> tuple[Spectrum, Spectrogram]:
    """Read the spectrum and the spectrogram of a recording that was inspected, block by block.

    Raises
    ------
    InputError
        It cannot be read any more.
    """
    info = found.info
    fine, coarse = (_Columns(window_s, info.rate, info.frames) for window_s in (LONG_S, SHORT_S))
    with open_reader(info.path) as reader:
        for block in reader.blocks():
            signal = mix(block, found.wiring)[0]
            fine.add(signal)
            coarse.add(signal)
    return _spectrum(fine.powers(), info.rate), Spectrogram(decibels(coarse.powers()), info.rate, info.seconds)


def _spectrum(powers: NDArray[np.float64], rate: int) -> Spectrum:
    bins = powers.shape[1]
    bands = np.unique(np.round(np.geomspace(1, bins, round(BANDS_PER_OCTAVE * np.log2(bins)) + 1)).astype(int))[:-1]
    widths = np.diff([*bands, bins])
    centres = (bands + (widths - 1) / 2) * rate / (2 * (bins - 1))
    curves = (powers.mean(axis=0), np.quantile(powers, QUIET, axis=0))
    mean_db, quiet_db = (decibels(np.add.reduceat(curve, bands) / widths) for curve in curves)
    return Spectrum(centres, mean_db, quiet_db)


def plot_spectrum(spectrum: Spectrum, found: Inspection, title: str, path: str | PathLike[str]) -> None:
    """Draw the spectrum of a recording with its bandwidth and its hum.

    Parameters
    ----------
    spectrum : Spectrum
    found : Inspection
    title : str
    path : str or PathLike
        Its suffix says the format.
    """
    from cleanaudio.report.plots import ACCENT, INK, new_figure, put_title, save

    figure = new_figure()
    axes = figure.add_subplot()
    _draw(axes, spectrum, ACCENT, "mean")
    axes.semilogx(*_audible(spectrum, spectrum.quiet_db), color="#868e96", linewidth=1.1, label="quietest tenth")
    edge = found.value("bandwidth_hz")
    if edge is not None:
        axes.axvline(
            edge, color=INK, linewidth=1, linestyle=(0, (4, 3)), label=f"real bandwidth, {edge / 1000:.3g} kHz"
        )
    if found.hum is not None:
        for number, line in enumerate(found.hum.lines_hz):
            label = f"hum, {found.hum.base_hz} Hz" if number == 0 else None
            axes.axvline(line, color="#c92a2a", linewidth=0.8, alpha=0.6, label=label)
    _frame(axes, [spectrum])
    axes.set_xlabel("frequency (Hz)")
    axes.legend(frameon=False, fontsize=9, loc="best")
    put_title(axes, title)
    save(figure, path)


def plot_spectrogram(spectrogram: Spectrogram, title: str, path: str | PathLike[str]) -> None:
    """Draw level over time and frequency, 80 dB from the loudest on."""
    from cleanaudio.report.plots import INK, new_figure, put_title, save

    figure = new_figure(9.0, 4.5)
    axes = figure.add_subplot()
    levels = spectrogram.levels_db.T
    top = float(np.percentile(levels, 99.9))
    minutes = spectrogram.seconds > 180
    picture = axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - RANGE_DB,
        vmax=top,
        extent=(0, spectrogram.seconds / (60 if minutes else 1), 0, spectrogram.rate / 2000),
        interpolation="nearest",
    )
    axes.set_xlabel("time (min)" if minutes else "time (s)")
    axes.set_ylabel("frequency (kHz)")
    axes.tick_params(colors=INK)
    bar = figure.colorbar(picture, ax=axes, pad=0.01)
    bar.set_label("level (dBFS)")
    bar.outline.set_visible(False)
    put_title(axes, title)
    save(figure, path)


def plot_comparison(spectra: Sequence[tuple[str, Spectrum]], path: str | PathLike[str]) -> None:
    """Draw spectra one above the other on the same axes, the first one as a grey shadow behind the others.

    Parameters
    ----------
    spectra : sequence of (str, Spectrum)
        Titles and spectra, as clean, noisy, enhanced.
    path : str or PathLike
    """
    from cleanaudio.report.plots import ACCENT, new_figure, put_title, save

    figure: Figure = new_figure(8.0, 0.6 + 2.3 * len(spectra))
    panels = figure.subplots(len(spectra), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    first_title, first = spectra[0]
    for number, (axes, (title, spectrum)) in enumerate(zip(panels, spectra, strict=True)):
        if number:
            axes.fill_between(*_audible(first, first.mean_db), LOWEST_DB, color="#dee2e6", linewidth=0)
        _draw(axes, spectrum, ACCENT, "mean")
        _frame(axes, [one for _, one in spectra])
        put_title(axes, f"{title}   (grey: {first_title})" if number else title, 10)
    panels[-1].set_xlabel("frequency (Hz)")
    save(figure, path)


def _audible(spectrum: Spectrum, levels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shown = spectrum.frequencies_hz >= LOWEST_HZ
    return spectrum.frequencies_hz[shown], levels[shown]


def _draw(axes: Any, spectrum: Spectrum, colour: str, label: str) -> None:
    axes.semilogx(*_audible(spectrum, spectrum.mean_db), color=colour, linewidth=1.4, label=label)


def _frame(axes: Any, spectra: Sequence[Spectrum]) -> None:
    from cleanaudio.report.plots import tidy

    shown = np.concatenate([_audible(one, one.mean_db)[1] for one in spectra])
    lows = np.concatenate([_audible(one, one.quiet_db)[1] for one in spectra])
    top = float(shown.max()) + 5
    axes.set_ylim(max(float(min(shown.min(), lows.min())) - 5, top - 110), top)
    axes.set_xlim(LOWEST_HZ, max(one.frequencies_hz[-1] for one in spectra))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")
    axes.set_ylabel("level (dBFS)")
    tidy(axes)
