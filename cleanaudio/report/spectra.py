"""Spectra and spectrograms of whole recordings, however long, as pictures (extra ``[plots]``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
_LEVELS_DB = np.arange(LOWEST_DB, 40.5, 0.5)
"""Cells in which levels are counted."""


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
        ``quiet_db`` is the level that each band stays below for a tenth of the time: the noise between the words.
    """

    frequencies_hz: NDArray[np.float64]
    mean_db: NDArray[np.float64]
    quiet_db: NDArray[np.float64]


def decibels(power: Any) -> NDArray[np.float64]:
    """Return power in dB, −150 at least."""
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10)))


class _Frames(ABC):
    """Powers of short frames, gathered block by block; 1 is a sine of full scale.

    Parameters
    ----------
    window_s : float
    rate : int
    total : int
        Frames of the recording.
    """

    def __init__(self, window_s: float, rate: int, total: int) -> None:
        self._size = 1 << max(4, round(np.log2(window_s * rate)))
        self._hop = max(self._size // 4, min(self._size, total // (4 * COLUMNS)))
        self._count = max(1, 1 + (total - self._size) // self._hop)
        self._rest, self._done = np.zeros(0, np.float32), 0

    def add(self, signal: NDArray[np.float32]) -> None:
        """Take the next samples, (n,)."""
        self._rest = np.concatenate([self._rest, signal])
        if len(self._rest) >= self._size:
            self._rest = self._rest[self._take(self._rest) * self._hop :]

    def _finish(self) -> None:
        """See that there is a frame at least."""
        if not self._done:
            self._take(np.pad(self._rest, (0, self._size - len(self._rest))))

    def _take(self, signal: NDArray[np.float32]) -> int:
        powers = power_frames(signal, self._size, self._hop) * np.float32((4 / self._size) ** 2)
        self._gather(powers)
        self._done += len(powers)
        return len(powers)

    @abstractmethod
    def _gather(self, powers: NDArray[np.float32]) -> None:
        """Take the powers of the next frames, (frames, bins)."""


class _Columns(_Frames):
    """Mean power of each bin over columns of equal length."""

    def __init__(self, window_s: float, rate: int, total: int) -> None:
        super().__init__(window_s, rate, total)
        columns = min(COLUMNS, self._count)
        self._sums, self._frames = np.zeros((columns, self._size // 2 + 1)), np.zeros(columns)

    def powers(self) -> NDArray[np.float64]:
        """Return the columns, (columns, bins)."""
        self._finish()
        heard = self._frames > 0
        return self._sums[heard] / self._frames[heard, None]

    def _gather(self, powers: NDArray[np.float32]) -> None:
        columns = np.minimum(
            len(self._sums) - 1, np.arange(self._done, self._done + len(powers)) * len(self._sums) // self._count
        )
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[starts]] += np.add.reduceat(powers, starts, axis=0)
        self._frames += np.bincount(columns, minlength=len(self._sums))


class _Bands(_Frames):
    """Mean power of bands, and how often each has which level: in flat memory, however long the recording is."""

    def __init__(self, window_s: float, rate: int, total: int) -> None:
        super().__init__(window_s, rate, total)
        bins = self._size // 2 + 1
        count = round(BANDS_PER_OCTAVE * np.log2(bins)) + 1
        self._first = np.unique(np.round(np.geomspace(1, bins, count)).astype(int))[:-1]
        self._widths = np.diff([*self._first, bins])
        self._centres = (self._first + (self._widths - 1) / 2) * rate / (2 * (bins - 1))
        self._sums = np.zeros(len(self._first))
        self._often = np.zeros((len(self._first), len(_LEVELS_DB)), np.int64)

    def spectrum(self) -> Spectrum:
        """Return what was heard."""
        self._finish()
        below = np.cumsum(self._often, axis=1) / self._done
        quiet_db = [np.interp(QUIET, share, _LEVELS_DB) for share in below]
        mean_db = decibels(self._sums / self._done)
        return Spectrum(self._centres, mean_db, np.minimum(quiet_db, mean_db))

    def _gather(self, powers: NDArray[np.float32]) -> None:
        bands = np.add.reduceat(powers, self._first, axis=1) / self._widths
        self._sums += bands.sum(axis=0)
        cells = np.searchsorted(_LEVELS_DB, decibels(bands).T)
        for often, row in zip(self._often, np.minimum(cells, len(_LEVELS_DB) - 1), strict=True):
            often += np.bincount(row, minlength=len(_LEVELS_DB))


def read_spectra(found: Inspection) -> tuple[Spectrum, Spectrogram]:
    """Read the spectrum and the spectrogram of a recording that was inspected, block by block.

    Raises
    ------
    InputError
        It cannot be read any more.
    """
    info = found.info
    fine, coarse = _Bands(LONG_S, info.rate, info.frames), _Columns(SHORT_S, info.rate, info.frames)
    with open_reader(info.path) as reader:
        for block in reader.blocks():
            signal = mix(block, found.wiring)[0]
            fine.add(signal)
            coarse.add(signal)
    return fine.spectrum(), Spectrogram(decibels(coarse.powers()), info.rate, info.seconds)


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
