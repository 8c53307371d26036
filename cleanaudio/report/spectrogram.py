"""Spectrograms as small PNG: decimated, in few colours, dark on any page."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cleanaudio.metrics.mel import power_frames
from cleanaudio.report.charts import CSS_DPI, WIDTH_IN, Margins, drawing, time_axis
from cleanaudio.report.excerpts import mono
from cleanaudio.report.markup import Picture, data_uri

HEIGHT_IN = 2.1
SHARPNESS = 2
"""Pixels per CSS pixel."""
TIME_CELLS, BAND_CELLS = 320, 160
"""What a spectrogram is decimated to."""
COLOURS = 64
"""Colours of the file; fewer make it smaller."""
RANGE_DB = 70
"""From the darkest to the brightest."""
_WINDOW_S = 0.032
_HERTZ = (100, 500, 1000, 2000, 4000, 8000, 16000)
MARGINS = Margins(left=0.58, right=0.14, top=0.12, bottom=0.42)
_PANEL, _INK = "#12161b", "#c9d1d9"


def spectrum_of(signal: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return the decimated spectrogram of a channel mean in dB, (bands, columns); bands equally wide in mel."""
    size = max(16, 2 * round(_WINDOW_S * rate / 2))
    samples = mono(signal)
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    hop = max(1, min(size // 4, len(samples) // TIME_CELLS))
    powers = power_frames(samples, size, hop).astype(np.float64) / (size / 4) ** 2
    edges = np.unique(np.linspace(0, len(powers), TIME_CELLS + 1).round().astype(int))
    columns = np.add.reduceat(powers, edges[:-1], axis=0) / np.diff(edges)[:, None]
    # the integral over frequency, read off at the bands' edges: right for bands wider and narrower than a bin
    bins = np.arange(columns.shape[1] + 1) - 0.5
    integral = np.pad(np.cumsum(columns, axis=1), ((0, 0), (1, 0)))
    at = _hertz(np.linspace(0, _mel(rate / 2), BAND_CELLS + 1)) * size / rate - 0.5
    bands = np.diff([np.interp(at, bins, row) for row in integral], axis=1) / np.diff(at)
    return 10 * np.log10(np.maximum(bands, 1e-20)).T


def draw_spectrogram(
    spectrum: NDArray[np.float64], rate: int, start_s: float, seconds: float, top_db: float, alt: str
) -> Picture:
    """Draw a spectrogram.

    Parameters
    ----------
    spectrum : ndarray
        Of :func:`spectrum_of`.
    rate : int
    start_s, seconds : float
        What the time axis shows.
    top_db : float
        The brightest colour; the darkest is 70 dB below, so that all sides of a recording can be compared.
    alt : str
    """
    from PIL import Image

    with drawing():
        canvas = FigureCanvasAgg(Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=CSS_DPI * SHARPNESS, facecolor=_PANEL))
        axes = canvas.figure.add_axes(MARGINS.box(WIDTH_IN, HEIGHT_IN), facecolor=_PANEL)
        axes.imshow(
            spectrum, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
            vmin=top_db - RANGE_DB, vmax=top_db, extent=(start_s, start_s + seconds, 0, _mel(rate / 2)),
        )  # fmt: skip
        ticks = [hertz for hertz in _HERTZ if hertz <= 0.501 * rate]
        names = [f"{hertz / 1000:g}k" if hertz >= 1000 else str(hertz) for hertz in ticks]
        axes.set_yticks([_mel(hertz) for hertz in ticks], names)
        time_axis(axes, start_s + seconds, _INK)
        axes.set_ylabel("Hz", color=_INK)
        for spine in axes.spines.values():
            spine.set_visible(False)
        canvas.draw()
    small = io.BytesIO()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return Picture(alt, data_uri("image/png", small.getvalue()), round(WIDTH_IN * CSS_DPI), round(HEIGHT_IN * CSS_DPI))


def _mel(hertz: float) -> float:
    """O'Shaughnessy 1987: 2595 log₁₀(1 + f / 700)."""
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
