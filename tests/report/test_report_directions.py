"""The polar plot of directions: what is drawn where."""

from __future__ import annotations

import numpy as np
import pytest

from cleanaudio.report import plots
from cleanaudio.report.directions import plot_directions
from cleanaudio.spatial.geometry import circular, linear
from cleanaudio.spatial.locate import Locator, headings


@pytest.mark.parametrize("array", [circular(6, 0.0463), linear(4, 0.05)])
def test_the_picture_shows_what_was_found(array, monkeypatch, tmp_path):
    """A full circle, a dot a window at its angle and time, a line for the heading, the response highest there."""
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    delays = array.delays(np.array([0.0, 1.0, 0.0]), 343.2)
    hertz = np.fft.rfftfreq(32000, 1 / 16000)
    noise = np.fft.rfft(0.1 * np.random.default_rng(0).standard_normal(32000))
    signal = np.fft.irfft(noise * np.exp(-2j * np.pi * hertz * delays[:, None])).astype(np.float32)
    locator = Locator(16000, array.microphones, array, 343.2)
    bearings = locator.process(signal) + locator.flush()
    plot_directions(bearings, headings(bearings), locator, "a $name$ with \x1b", tmp_path / "a.png")
    (figure,) = figures
    (axes,) = figure.axes
    assert (axes.get_thetamin(), axes.get_thetamax()) == (0, 360)
    dots = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_allclose(dots[:, 0], np.radians([one.azimuth_deg for one in bearings]))
    np.testing.assert_allclose(dots[:, 1], [one.time_s for one in bearings])
    (line,) = axes.lines
    np.testing.assert_allclose(np.degrees(line.get_xdata()), 90, atol=1)
    shape = axes.patches[0].get_xy()
    assert np.degrees(shape[np.argmax(shape[:, 1]), 0]) == pytest.approx(90, abs=1)
    assert axes.get_title(loc="left") == "a $name$ with \\x1b"
    assert axes.get_legend().get_texts()[0].get_text() == "90°, 100% of the time"
