"""``cleanaudio mix``: clean speech and noise in, noisy speech at known signal-to-noise ratios out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import mix_options, options
from cleanaudio.errors import RecipeError


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
        typer.Option("--snr", help="Signal-to-noise ratio, dB; repeatable.", rich_help_panel=mix_options.MIXES),
    ] = None,
    noise: mix_options.Noise = None,
    level: mix_options.LevelOf = "active",
    every: Annotated[
        bool,
        typer.Option(
            "--every", help="Each noise under each recording, not one drawn for it.", rich_help_panel=mix_options.MIXES
        ),
    ] = False,
    seed: mix_options.Seed = 0,
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
    from cleanaudio.cli.mixing import Mixing, all_noise
    from cleanaudio.cli.recordings import find

    clean, noises = _sides(list(inputs or ()), list(noise or ()))
    snrs = mix_options.ratios(snr)
    if not snrs:
        raise RecipeError("how loud shall the noise be?", remedy="give --snr DB, once or more")
    if output is None:
        raise RecipeError("where shall the results go?", remedy="give -o FOLDER")
    if str(output) == "-":
        raise RecipeError("stdout is not for mixes", remedy="give -o FOLDER")
    check_names(format_, subtype)
    request = MixRequest(level, seed, format_, subtype, overwrite)
    mixing = Mixing(
        request,
        clean=clean,
        folder=output,
        manifest=manifest or output / "manifest.csv",
        json=json_,
        quiet=quiet,
        allow_empty=allow_empty,
    )
    sources = partial(find, clean, recursive, exclude=(output,))
    code = mixing.run(sources, all_noise(noises, recursive, (output,)), snrs, every=every, jobs=jobs, dry_run=dry_run)
    if code:
        raise typer.Exit(code)


def _sides(inputs: list[str], noise: list[str]) -> tuple[list[str], list[str]]:
    """Return the clean and the noise side."""
    if not noise:
        inputs, noise = inputs[:-1], inputs[-1:]
    if not inputs or not noise:
        raise RecipeError("nothing to mix", remedy="name recordings and a noise: cleanaudio mix CLEAN NOISE --snr 5")
    return inputs, noise
