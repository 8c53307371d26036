"""A picture of what a fixed beamformer hears of each direction (extra ``[plots]``)."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from cleanaudio.report.plots import ACCENT, GRID, INK, check_name, new_figure, save
from cleanaudio.spatial.beampattern import BeamPattern, beam_pattern, weights_of
from cleanaudio.spatial.fixed import fixed_filters
from cleanaudio.spatial.geometry import Direction, Geometry

_RATE = 16000
"""The picture goes up to half of it: where voices are."""

_LOWEST_DB = -30.0
_SHOWN_HZ = (500, 1000, 2000, 4000)
_SHADES = ("#a5d8ff", "#4dabf7", ACCENT, INK)


def pattern_of(method: str, geometry: Geometry, direction: Direction, speed: float, reference: int = 0) -> BeamPattern:
    """Return the pattern of a fixed beamformer, up to 8 kHz, at the elevation that it looks to; as for its filters."""
    filters = fixed_filters(method, _RATE, geometry, direction, speed, reference)
    hertz = np.arange(50.0, _RATE / 2 + 1, 50.0)
    return beam_pattern(
        weights_of(filters, hertz, _RATE),
        geometry,
        hertz,
        speed,
        reference,
        elevation_deg=direction.elevation_deg,
        towards=direction.unit,
    )


def plot_beam(
    method: str, geometry: Geometry, direction: Direction, speed: float, reference: int, path: str | PathLike[str]
) -> None:
    """Draw the pattern: some frequencies around the circle, all of them over the azimuth.

    Raises
    ------
    FormatError, OutputError
        No picture can be written there, or something else is.
    InputError, RecipeError
        As of :func:`cleanaudio.spatial.fixed.fixed_filters`.
    """
    check_name(path)
    pattern = pattern_of(method, geometry, direction, speed, reference)
    figure = new_figure(11.0, 4.8)
    figure.suptitle(f"{method}, {geometry.name}, towards {direction.azimuth_deg:g}°", x=0.01, ha="left")
    circle: Any = figure.add_subplot(1, 2, 1, projection="polar")
    for hertz, shade in zip(_SHOWN_HZ, _SHADES, strict=True):
        gain = pattern.gain_db[:, int(np.argmin(np.abs(pattern.frequencies_hz - hertz)))]
        circle.plot(np.radians(pattern.azimuth_deg), np.maximum(gain, _LOWEST_DB), color=shade, label=f"{hertz} Hz")
    circle.set_ylim(_LOWEST_DB, max(3.0, float(pattern.gain_db.max())))
    circle.set_yticks([-30, -20, -10, 0])
    circle.set_rlabel_position(direction.azimuth_deg + 180)
    circle.axvline(np.radians(direction.azimuth_deg), color=INK, linewidth=0.8, linestyle=":")
    circle.grid(color=GRID)
    circle.legend(loc="lower left", bbox_to_anchor=(-0.25, -0.1), frameon=False, fontsize=8)
    plane = figure.add_subplot(1, 2, 2)
    shades = plane.pcolormesh(
        pattern.azimuth_deg,
        pattern.frequencies_hz / 1000,
        np.clip(pattern.gain_db.T, _LOWEST_DB, 0),
        cmap="viridis",
        shading="nearest",
        rasterized=True,
    )
    plane.set_xlabel("azimuth (°)")
    plane.set_ylabel("frequency (kHz)")
    plane.set_xticks(range(-180, 181, 90))
    figure.colorbar(shades, ax=plane, label="gain (dB)")
    save(figure, path)
