"""``cleanaudio inspect``: what is on a recording, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import options

_PICTURES = "Pictures"


def inspect(
    inputs: options.Inputs = None,
    recursive: options.Recursive = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            "--output",
            "-o",
            help="CSV with a row a file.",
            callback=options.named,
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    json_: options.Json = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Folder for the spectrum and the spectrogram of each.", rich_help_panel=_PICTURES),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            help="Picture of all spectra one above the other, e.g. of clean, noisy and enhanced.",
            rich_help_panel=_PICTURES,
        ),
    ] = None,
    jobs: options.Jobs = None,
    allow_empty: options.AllowEmpty = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Tell what is on recordings: bandwidth, levels, noise, hum, faulty channels … and what to do about it.

    cleanaudio inspect talk.wav

    cleanaudio inspect recordings/ -r --csv recordings.csv --plot pictures/

    cleanaudio inspect clean.wav noisy.wav enhanced.wav --compare spectrum_comparison.png
    """
    from cleanaudio.cli.inspecting import Inspecting

    code = Inspecting(
        tuple(inputs or ()), recursive=recursive, csv=csv, json=json_, plot=plot, compare=compare, quiet=quiet
    ).run(jobs, allow_empty)
    if code:
        raise typer.Exit(code)
