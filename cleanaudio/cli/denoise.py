"""``cleanaudio denoise``: recordings in, cleaner recordings and a metrics CSV out."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from cleanaudio.cli import completing, options, values
from cleanaudio.cli.shared import Shared, sharing
from cleanaudio.errors import RecipeError


@sharing
def denoise(
    shared: Shared,
    backend: options.Backend = "auto",
    model: options.Model = None,
    contract: options.Contract = None,
    model_rate: options.ModelRate = None,
    settings: options.Settings = None,
    strength: options.Strength = 1.0,
    limit_db: options.LimitDb = None,
    dereverb: options.Dereverb = 0.0,
    channels: Annotated[
        options.ChannelMode | None, typer.Option(help=options.CHANNEL_MODE_HELP, rich_help_panel=options.HOW)
    ] = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            help="Backend to use where the first cannot be had or fails; repeatable.",
            rich_help_panel=options.HOW,
            autocompletion=completing.backend,
        ),
    ] = None,
    device: options.Device = "cpu",
    excerpt: Annotated[
        str | None, typer.Option(help="Clean only this stretch, e.g. 0:30-1:00.", rich_help_panel=options.HOW)
    ] = None,
    profile: options.Profile = None,
    noise_from: Annotated[
        str | None,
        typer.Option(
            help="A stretch of each recording with noise only, e.g. 0:00-0:02.", rich_help_panel=options.NOISE
        ),
    ] = None,
    guard: options.Guard = None,
    residual: Annotated[
        bool, typer.Option("--residual", help="Also write what was removed.", rich_help_panel=options.OUTPUT)
    ] = False,
) -> None:
    """Clean recordings: same rate, channels, length, depth and tags out as in.

    cleanaudio denoise talk.wav -o clean/

    cleanaudio denoise recordings/ -r -o clean/ --skip-existing
    """
    from cleanaudio.batch.recipe import Request, decided, digest, guards, resolved
    from cleanaudio.cli.batch import Batch
    from cleanaudio.cli.batching import execute, workers

    if profile is not None and noise_from is not None:
        raise RecipeError("--profile and --noise-from both name the noise: give one of them")
    spec, why = decided(backend, None if model is None else str(model))
    fallbacks = tuple(decided(one)[0] for one in fallback or ())
    if why is not None and not fallbacks:
        from cleanaudio.backends import registry

        fallbacks = registry.fallbacks(spec)
    batch = Batch.of(shared, residual=residual)
    request = Request(
        backend=spec,
        options=options.settings_of(settings, contract, model_rate),
        strength=strength,
        limit_db=limit_db,
        channels=channels.value if channels else None,
        dereverb=dereverb,
        profile=options.load_profile(profile),
        noise_from=None if noise_from is None else values.stretch(noise_from),
        excerpt=None if excerpt is None else values.stretch(excerpt),
        fallback=fallbacks,
        device=device,
        guard=guards(spec, why) if guard is None else guard,
        output=batch.written,
    )
    recipe = resolved(request, workers(shared.jobs))
    execute(batch, digest(recipe), partial(_work, request, batch.replaces), backend=spec, why=why)


def _work(request, overwrite: bool, threads: int):
    from cleanaudio.batch.job import denoise as clean

    return partial(clean, request, overwrite, threads)
