"""``cleanaudio beamform``: recordings of microphone arrays in, one voice each and a metrics CSV out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cleanaudio.batch.choices import POSTFILTER_STRENGTH, Method
from cleanaudio.cli import array_options, completing, options, values
from cleanaudio.cli.array_options import ARRAY, BadMics
from cleanaudio.cli.console import say
from cleanaudio.cli.shared import Shared, sharing
from cleanaudio.errors import BackendUnavailable, RecipeError

if TYPE_CHECKING:
    from cleanaudio.batch.array_request import ArrayRequest


_BEAM, _AFTER = "The beam", "After the beam"


@sharing
def beamform(
    shared: Shared,
    method: Annotated[Method, typer.Option(help="How the beam is formed.", rich_help_panel=_BEAM)] = "mvdr",
    mask: array_options.Mask = "auto",
    noise_from: Annotated[
        str | None,
        typer.Option(help="Noise only, e.g. 0:00-0:02, to learn from instead of masks.", rich_help_panel=_BEAM),
    ] = None,
    mu: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=options.finite,
            help="Of mwf, default 5: more takes away more noise, and more voice.",
            rich_help_panel=_BEAM,
        ),
    ] = None,
    rank1: Annotated[
        bool, typer.Option("--rank1", help="Take the voice for one source without echoes.", rich_help_panel=_BEAM)
    ] = False,
    block: Annotated[
        float | None,
        typer.Option(
            min=0.25,
            callback=options.finite,
            help="Seconds heard before a filter is made; 2 follows moving talkers.",
            rich_help_panel=_BEAM,
        ),
    ] = None,
    dereverb: options.Dereverb = 0.0,
    array: array_options.Array = None,
    direction: array_options.Direction = None,
    temperature: array_options.Temperature = None,
    mics: array_options.Mics = None,
    group: array_options.Group = None,
    ref: Annotated[
        str, typer.Option(help="Microphone that the result is aligned with: auto or a number.", rich_help_panel=ARRAY)
    ] = "auto",
    bad_mics: array_options.WhatOfBadMics = BadMics.DROP,
    postfilter: Annotated[
        str | None,
        typer.Option(
            help="Backend that cleans the beam, as of denoise.",
            rich_help_panel=_AFTER,
            autocompletion=completing.backend,
        ),
    ] = None,
    postfilter_strength: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=options.finite,
            help=f"At 1 the room goes with the noise; default: {POSTFILTER_STRENGTH}.",
            rich_help_panel=_AFTER,
        ),
    ] = None,
    guard: options.Guard = None,
    device: options.Device = "cpu",
    keep_channels: Annotated[
        bool,
        typer.Option(
            "--keep-channels",
            help="The voice as each microphone hears it, a channel each.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    sidecar: Annotated[
        bool,
        typer.Option(
            "--sidecar",
            help="Also write NAME.EXT.json: health, delays, weights, conditions.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    plot_beam: Annotated[
        Path | None,
        typer.Option(help="Draw what a known array hears of each direction.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Turn recordings of several microphones into one voice: same rate, length and alignment.

    cleanaudio beamform meeting.wav -o clean/

    cleanaudio beamform chime/ -r -o clean/ --postfilter auto

    cleanaudio beamform table.wav -o clean/ --method superdirective --array circular:6:0.0463 --direction 75
    """
    from cleanaudio.batch.array_request import ArrayRequest
    from cleanaudio.batch.beamforming import COLUMNS
    from cleanaudio.batch.groups import Grouping
    from cleanaudio.batch.masking import decide
    from cleanaudio.batch.recipe import decided, digest, guards
    from cleanaudio.cli.batch import Batch
    from cleanaudio.cli.batching import execute
    from cleanaudio.spatial.geometry import parse_array, parse_direction
    from cleanaudio.spatial.selection import parse_mics

    if postfilter is None and (guard or postfilter_strength is not None):
        raise RecipeError(f"{'--guard' if guard else '--postfilter-strength'} needs a --postfilter")
    chosen = None if mics is None else parse_mics(mics)
    spec, why = decide(mask)
    after, chosen_because = (None, None) if postfilter is None else decided(postfilter)
    batch = Batch.of(shared, columns=COLUMNS, grouping=Grouping(group, chosen), sidecar=sidecar)
    request = ArrayRequest(
        method=method,
        geometry=None if array is None else parse_array(array),
        direction=None if direction is None else parse_direction(direction),
        temperature_c=ArrayRequest.temperature_c if temperature is None else temperature,
        noise_from=None if noise_from is None else values.stretch(noise_from),
        mask=spec,
        mu=mu,
        rank1=rank1,
        block_s=block,
        reference=_reference(ref),
        mics=chosen,
        keep_bad=bad_mics is BadMics.KEEP,
        keep_channels=keep_channels,
        dereverb=dereverb,
        postfilter=after,
        postfilter_strength=ArrayRequest.postfilter_strength if postfilter_strength is None else postfilter_strength,
        guard=guard if guard is not None else after is not None and guards(after, chosen_because),
        device=device,
        output=batch.written,
    )
    if array is None and temperature is not None:
        raise RecipeError("--temperature needs an --array")
    if mask != "auto" and spec is not None and request.masking is None:
        raise RecipeError("--mask has no effect here", remedy="leave it out")
    if plot_beam is not None:
        _plot(request, plot_beam)
        if not batch.inputs and shared.manifest is None:
            return
    if why is not None and request.masking is not None and not shared.quiet:
        say(f"cleanaudio: masks by {spec}: {why}")
    execute(batch, digest(request.resolved()), partial(_work, request, batch.replaces), backend=method)


def _work(request, overwrite: bool, threads: int):
    from cleanaudio.batch import beamforming

    return partial(beamforming.beamform, request, overwrite, threads)


def _reference(text: str) -> int | None:
    """Read ``auto`` or a number from 1."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise RecipeError(f"--ref {text!r} is no microphone", remedy="give auto, or a number from 1")
    return int(text) - 1


def _plot(request: ArrayRequest, path: Path) -> None:
    """Draw the beam pattern of a fixed beamformer."""
    if not request.fixed or request.geometry is None or request.direction is None:
        raise RecipeError(
            "--plot-beam draws a beam that is known before anything is heard",
            remedy="give --method delay-and-sum or superdirective, an --array and a --direction",
        )
    from cleanaudio.spatial.selection import geometry_of

    try:
        from cleanaudio.report.beam import plot_beam
    except ImportError:
        raise BackendUnavailable("--plot-beam", "plots") from None
    geometry, reference = request.geometry, request.reference or 0
    if request.mics is not None:
        geometry = geometry_of(geometry, None, request.mics)
        reference = 0 if request.reference is None else request.mics.index(request.reference)
    plot_beam(request.method, geometry, request.direction, request.speed, reference, path)
