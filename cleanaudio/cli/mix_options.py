"""Options of the commands that put noise under speech: ``mix`` and ``impact``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cleanaudio.audio.choices import Level
from cleanaudio.errors import RecipeError

MIXES = "How to mix"
_MOST_DB = 100.0


Noise = Annotated[
    list[str] | None,
    typer.Option("--noise", "-N", help="Files, folders and globs of noise; repeatable.", rich_help_panel=MIXES),
]
LevelOf = Annotated[
    Level,
    typer.Option("--level", help="Of the speech: without pauses (ITU-T P.56), or mean power.", rich_help_panel=MIXES),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Draws noises and places; same seed, same mixes.", rich_help_panel=MIXES)
]


def ratios(asked: Sequence[float] | None) -> tuple[float, ...]:
    """Return the signal-to-noise ratios that were asked for, dB, each once.

    Raises
    ------
    RecipeError
        One is out of range.
    """
    if asked and not all(-_MOST_DB <= one <= _MOST_DB for one in asked):
        raise RecipeError(f"--snr goes from -{_MOST_DB:g} to {_MOST_DB:g} dB")
    return tuple(dict.fromkeys(asked or ()))
