"""``cleanaudio locate``: where the sound at an array of microphones comes from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import array_options, options
from cleanaudio.cli.array_options import BadMics
from cleanaudio.cli.console import say
from cleanaudio.errors import RecipeError

_SEARCH = "The search"


class Method(StrEnum):
    """How directions are found."""

    SRP_PHAT = "srp-phat"
    MUSIC = "music"


def locate(
    inputs: options.Inputs = None,
    array: array_options.Array = None,
    mics: array_options.Mics = None,
    group: array_options.Group = None,
    bad_mics: array_options.WhatOfBadMics = BadMics.DROP,
    temperature: array_options.Temperature = None,
    mask: array_options.Mask = "auto",
    method: Annotated[Method, typer.Option(help="How directions are found.", rich_help_panel=_SEARCH)] = (
        Method.SRP_PHAT
    ),
    window: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=10,
            callback=options.finite,
            help="Seconds for a direction; there is one every half of it.",
            rich_help_panel=_SEARCH,
        ),
    ] = 1.0,
    step: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=30,
            callback=options.finite,
            help="Degrees between directions; default: 1, with elevations 5.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    elevations: Annotated[
        bool, typer.Option("--elevations", help="Search up and down too.", rich_help_panel=_SEARCH)
    ] = False,
    device: options.Device = "cpu",
    recursive: options.Recursive = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            "--output",
            "-o",
            help="CSV with a row a window.",
            callback=options.named,
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    json_: options.Json = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Polar plot: a folder for those of all, or FILE.png for one.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    jobs: options.Jobs = None,
    allow_empty: options.AllowEmpty = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
    config: options.Config = None,
    preset: options.OwnPreset = None,
) -> None:
    """Find the direction of the voice over time: the number for --direction of beamform.

    cleanaudio locate table.wav --array circular:6:0.0463

    cleanaudio locate meetings/ -r --array mics.json --csv directions.csv --plot pictures/
    """
    from cleanaudio.batch import masking
    from cleanaudio.batch.groups import Grouping
    from cleanaudio.batch.locating import LocateRequest
    from cleanaudio.cli.locating import Locating
    from cleanaudio.spatial.doa import Grid
    from cleanaudio.spatial.geometry import SPEED_OF_SOUND, parse_array, speed_of_sound
    from cleanaudio.spatial.selection import parse_mics

    if array is None:
        raise RecipeError("where are the microphones?", remedy="give --array, such as linear:4:0.05 or mics.json")
    spec, why = masking.decide(mask)
    chosen = None if mics is None else parse_mics(mics)
    request = LocateRequest(
        parse_array(array),
        SPEED_OF_SOUND if temperature is None else speed_of_sound(temperature),
        method.value,
        None if spec is None else masking.Masking(spec, device),
        chosen,
        bad_mics is BadMics.KEEP,
        window,
        step or (5.0 if elevations else 1.0),
        elevations,
    )
    Grid(request.geometry, request.step_deg, elevations)  # what it cannot find is known before anything is heard
    if request.masking is not None:
        request.masking.cleaner(48000, 1)
    if why is not None and not quiet:
        say(f"cleanaudio: masks by {spec}: {why}")
    code = Locating(
        request,
        tuple(inputs or ()),
        recursive=recursive,
        grouping=Grouping(group, chosen),
        csv=csv,
        json=json_,
        plot=plot,
        quiet=quiet,
    ).run(jobs, allow_empty)
    if code:
        raise typer.Exit(code)
