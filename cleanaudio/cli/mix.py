"""``cleanaudio mix``: clean speech and noise in, noisy speech at known signal-to-noise ratios out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import options
from cleanaudio.errors import RecipeError

_HOW = "How to mix"


class Level(StrEnum):
    """What counts as the level of the speech."""

    ACTIVE = "active"
    POWER = "power"


def mix(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLEAN... NOISE",
            help="Files, folders and quoted globs; the last is the noise, unless --noise names it.",
            show_default=False,
        ),
    ] = None,
    snr: Annotated[
        list[float] | None,
        typer.Option("--snr", help="Signal-to-noise ratio, dB; repeatable.", rich_help_panel=_HOW),
    ] = None,
    noise: Annotated[
        list[str] | None, typer.Option("--noise", "-N", help="The noise side; repeatable.", rich_help_panel=_HOW)
    ] = None,
    level: Annotated[
        Level,
        typer.Option(help="Level of the speech: without pauses (ITU-T P.56), or mean power.", rich_help_panel=_HOW),
    ] = Level.ACTIVE,
    every: Annotated[
        bool,
        typer.Option("--every", help="Each noise under each recording, not one drawn for it.", rich_help_panel=_HOW),
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Draws noises and places; same seed, same mixes.", rich_help_panel=_HOW)
    ] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder.", rich_help_panel=options.OUTPUT)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", help="CSV of what was mixed; default: manifest.csv there.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    format_: options.Format = None,
    subtype: options.Subtype = None,
    recursive: options.Recursive = False,
    jobs: options.Jobs = None,
    json_: options.Json = False,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    allow_empty: options.AllowEmpty = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Put noise under clean recordings, at one or more signal-to-noise ratios.

    cleanaudio mix speech.wav rain.wav --snr 5 -o noisy/

    cleanaudio mix clean/ --noise noises/ -r --snr 0 --snr 10 -o noisy/
    """
    from functools import partial

    from cleanaudio.audio.formats import check_names
    from cleanaudio.batch.mixing import MixRequest
    from cleanaudio.cli.mixing import Mixing, all_noise, find

    clean, noises = _sides(list(inputs or ()), list(noise or ()))
    snrs = list(dict.fromkeys(snr or ()))
    if not snrs:
        raise RecipeError("how loud shall the noise be?", remedy="give --snr DB, once or more")
    if not all(-100 <= one <= 100 for one in snrs):
        raise RecipeError("--snr goes from -100 to 100 dB")
    if output is None:
        raise RecipeError("where shall the results go?", remedy="give -o FOLDER")
    check_names(format_, subtype)
    request = MixRequest(level.value, seed, format_, subtype, overwrite)
    mixing = Mixing(
        request,
        folder=output,
        manifest=manifest or output / "manifest.csv",
        json=json_,
        quiet=quiet,
        debug=debug,
        allow_empty=allow_empty,
    )
    sources = partial(find, clean, recursive, output)
    code = mixing.run(sources, all_noise(noises, recursive, output), snrs, every=every, jobs=jobs, dry_run=dry_run)
    if code:
        raise typer.Exit(code)


def _sides(inputs: list[str], noise: list[str]) -> tuple[list[str], list[str]]:
    """Return the clean and the noise side."""
    if not noise:
        inputs, noise = inputs[:-1], inputs[-1:]
    if not inputs or not noise:
        raise RecipeError("nothing to mix", remedy="name recordings and a noise: cleanaudio mix CLEAN NOISE --snr 5")
    return inputs, noise
