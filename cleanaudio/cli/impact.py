"""``cleanaudio impact``: what noise, and cleaning, do to speech recognition and to the speaker's voice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import completing, mix_options, options
from cleanaudio.cli.pictures import check_picture
from cleanaudio.errors import RecipeError

_ASR = "Recognition"


def impact(
    manifest: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST.jsonl",
            help="Clean recordings: JSON lines with audio_filepath and text, as NVIDIA NeMo writes them.",
            show_default=False,
        ),
    ] = None,
    noise: mix_options.Noise = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            "--backend",
            "-b",
            help="What cleans; repeatable; see: cleanaudio backends.",
            autocompletion=completing.backend,
        ),
    ] = None,
    snr: Annotated[
        list[float] | None,
        typer.Option(
            "--snr", help="dB, repeatable; default: -5, 0, 5, 10, 15 and 20.", rich_help_panel=mix_options.MIXES
        ),
    ] = None,
    level: mix_options.LevelOf = "active",
    seed: mix_options.Seed = 0,
    recursive: options.Recursive = False,
    asr_command: Annotated[
        str | None,
        typer.Option(
            help='A recogniser of your own: "cmd {wav}" prints what it hears; default: Moonshine tiny (English).',
            rich_help_panel=_ASR,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="CSV, a row a version of a recording.",
            callback=options.named,
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="CSV of the table.", callback=options.named, rich_help_panel=options.OUTPUT),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", help="Draw it: a PNG or SVG file.", callback=options.named, rich_help_panel=options.OUTPUT
        ),
    ] = None,
    json_: options.Json = False,
    jobs: options.Jobs = None,
    allow_empty: options.AllowEmpty = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Mix clean speech with noise, clean it again, and see what a recogniser makes of each version.

    cleanaudio impact speech.jsonl --noise noises/ -b omlsa -b deepfilternet -o impact.csv --plot impact.png

    Word error rate, its degradation against the clean recordings, words right relative to them, likeness of the voice
    (Resemblyzer), SNR, PESQ and STOI, for each SNR, for the noisy speech and for each backend.
    """
    if manifest is None:
        raise RecipeError("nothing to study", remedy="name a manifest: cleanaudio impact speech.jsonl --noise noises/")
    if not noise:
        raise RecipeError("there is no noise", remedy="give --noise FOLDER")
    snrs = mix_options.ratios(snr)
    from cleanaudio.cli.mixing import all_noise
    from cleanaudio.cli.studying import Studying, look_ahead
    from cleanaudio.impact.study import SNRS_DB, Study

    if plot is not None:
        check_picture("--plot", plot)
    study = Study(
        noise=tuple((source.path, source.label) for source in all_noise(noise, recursive)),
        backends=_decided(backend or []),
        snrs_db=snrs or SNRS_DB,
        seed=seed,
        level=level,
        asr_command=asr_command,
    )
    look_ahead(study)
    studying = Studying(study, manifest, csv=output, table=table, plot=plot, json=json_, quiet=quiet)
    code = studying.run(jobs, allow_empty)
    if code:
        raise typer.Exit(code)


def _decided(backends: list[str]) -> tuple[str, ...]:
    """Return the backends, ``auto`` decided, each once; one that cannot be had is an error now."""
    from cleanaudio.batch.recipe import Request, decided, resolved

    specs = tuple(dict.fromkeys(decided(one)[0] for one in backends))
    for spec in specs:
        resolved(Request(backend=spec, options={}))
    return specs
