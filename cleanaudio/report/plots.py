"""Pictures of what was measured, drawn with matplotlib (extra ``[plots]``) without a display."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from cleanaudio.audio.temporary import replacing
from cleanaudio.errors import FormatError, OutputError, ResultLost, printable

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

_MAKER = "cleanaudio"
_SIGNED = {"png": "Software", "svg": "Creator", "pdf": "Creator"}
"""Where a format says who made it."""
INK, ACCENT, GRID = "#1f2933", "#0b7285", "#d9dee3"


def new_figure(width: float = 8.0, height: float = 4.5) -> Figure:
    """Return an empty figure, inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def tidy(axes: Any) -> None:
    """Give axes the house's look: light grid, no box."""
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=INK)


def put_title(axes: Any, title: str, size: float = 11) -> None:
    """Write a title above axes: a file's name is no formula, and has to be printable."""
    axes.set_title(printable(title), loc="left", parse_math=False, fontsize=size)


def check_name(path: str | PathLike[str]) -> None:
    """Make sure, before anything is measured, that a picture of this name can be written, and replaces no other.

    Raises
    ------
    FormatError
        A suffix that matplotlib does not know.
    OutputError
        Something is there that this program did not draw.
    """
    path = Path(path)
    known = Figure().canvas.get_supported_filetypes()
    kind = path.suffix[1:].lower()
    if kind not in known:
        raise FormatError("no picture has this suffix", path=path, remedy="use .png or .svg")
    try:
        taken = path.is_file() and path.stat().st_size > 0 and _MAKER.encode() not in path.read_bytes()
    except OSError:
        return  # writing will say what is wrong
    if taken and kind not in _SIGNED:
        raise OutputError("exists, and does not say who drew it", path=path, remedy="move it, or use .png or .svg")
    if taken:
        raise OutputError("exists, and is no picture of ours", path=path, remedy="choose another name, or move it")


def save(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure in the format of its suffix, and in it who drew it.

    Raises
    ------
    FormatError
        A suffix that matplotlib does not know.
    OutputError
        Something else is there.
    ResultLost
        It cannot be written.
    """
    path = Path(path)
    check_name(path)
    kind = path.suffix[1:].lower()
    signed: dict[str, Any] = {"metadata": {_SIGNED[kind]: _MAKER}} if kind in _SIGNED else {}
    try:
        with replacing(path) as unfinished:
            figure.savefig(unfinished, dpi=120, format=kind, **signed)
    except ValueError as error:
        raise FormatError(str(error), path=path, remedy="use .png or .svg") from None
    except OSError as error:
        raise ResultLost(f"cannot be written: {error.strerror}", path=path) from None


def plot_profile(profile: NoiseProfile, path: str | PathLike[str]) -> None:
    """Draw the spectrum of a noise profile, a line for each channel, over a logarithmic frequency axis."""
    figure = new_figure()
    axes = figure.add_subplot()
    frequencies = profile.frequencies
    audible = frequencies >= 20
    level = 10 * np.log10(np.maximum(2 * profile.psd, 1e-20))
    several = len(level) > 1
    for number, row in enumerate(level, start=1):
        colour = f"C{number}" if several else ACCENT
        axes.semilogx(frequencies[audible], row[audible], color=colour, linewidth=1.6, label=f"channel {number}")
    if several:
        axes.legend(frameon=False, fontsize=9, loc="best")
    axes.set_xlim(20, frequencies[-1])
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("density (dBFS / Hz)")
    axes.set_title(f"Noise profile: {profile.level_db:.1f} dBFS, {profile.seconds:.1f} s", loc="left")
    tidy(axes)
    save(figure, path)
