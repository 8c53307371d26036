"""Options of the commands for arrays of microphones, so that they are called and explained alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cleanaudio.cli import completing

ARRAY = "The array"

Array = Annotated[
    str | None,
    typer.Option(
        "--array",
        help="linear:N:SPACING or circular:N:RADIUS in metres, or a .json or .csv file of positions.",
        rich_help_panel=ARRAY,
    ),
]
Mics = Annotated[
    str | None,
    typer.Option("--mics", help="Channels to use and their order, e.g. 1,3,4-6; default: all.", rich_help_panel=ARRAY),
]
Direction = Annotated[
    str | None,
    typer.Option(
        "--direction",
        help="Where the voice is: AZIMUTH or AZIMUTH,ELEVATION in degrees, as locate prints it.",
        rich_help_panel=ARRAY,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature", help="Of the air in °C, which decides the speed of sound; default: 20.", rich_help_panel=ARRAY
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        help='Mono files that are one recording: "{name}.CH{ch}.wav", or none; default: names of CHiME and AMI.',
        rich_help_panel=ARRAY,
    ),
]


class BadMics(StrEnum):
    """What becomes of broken microphones."""

    DROP = "drop"
    KEEP = "keep"


WhatOfBadMics = Annotated[
    BadMics,
    typer.Option(
        "--bad-mics", help="Broken microphones: leave them out, or use them as they are.", rich_help_panel=ARRAY
    ),
]
Mask = Annotated[
    str,
    typer.Option(
        "--mask",
        help="What tells voice from noise: a backend, salience (steady noise), vad (by level), or none.",
        rich_help_panel=ARRAY,
        autocompletion=completing.mask,
    ),
]
