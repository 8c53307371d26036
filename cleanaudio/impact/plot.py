"""The table as a picture: word errors and likeness of voice over the signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from cleanaudio.impact.study import CLEAN, NOISY
from cleanaudio.impact.table import Cell
from cleanaudio.report.plots import ACCENT, INK, new_figure, save, tidy

_COLOURS = (ACCENT, "#d9480f", "#5f3dc4", "#2b8a3e", "#a61e4d", "#1864ab")
_NOISY = "#868e96"


def plot_table(cells: Sequence[Cell], path: str | PathLike[str]) -> None:
    """Draw word error rate and, where it was measured, speaker similarity over SNR, a line for each system.

    Raises
    ------
    FormatError
        A suffix that matplotlib does not know.
    OutputError
        It cannot be written.
    """
    panels = [("wer", "word error rate (%)", 100.0)]
    if any(cell.similarity is not None for cell in cells if cell.system != CLEAN):
        panels.append(("similarity", "likeness to the clean voice (cosine)", 1.0))
    figure = new_figure(4.6 * len(panels) + 0.6, 4.5)
    systems = list(dict.fromkeys(cell.system for cell in cells if cell.system != CLEAN))
    for number, (name, title, factor) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        for system in systems:
            points = [(cell.snr_db, getattr(cell, name)) for cell in cells if cell.system == system]
            known = [(snr_db, factor * value) for snr_db, value in points if value is not None]
            plain = system == NOISY
            colour = _NOISY if plain else _COLOURS[(systems.index(system) - 1) % len(_COLOURS)]
            axes.plot(*zip(*known, strict=True), color=colour, label=system, marker="o", markersize=4,
                      linestyle="--" if plain else "-")  # fmt: skip
        for cell in cells:
            if cell.system == CLEAN and name == "wer":
                axes.axhline(factor * cell.wer, color=INK, linewidth=1, linestyle=":", label=CLEAN)
        axes.set_xlabel("SNR of the noisy recording (dB)")
        axes.set_title(title, loc="left", fontsize=11)
        if name == "wer":
            axes.set_ylim(bottom=0)
        tidy(axes)
        if number == 1:
            axes.legend(frameon=False)
    save(figure, path)
