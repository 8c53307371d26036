"""``cleanaudio export``: a trained network as one ONNX file with its card inside."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import options
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import OutputError, RecipeError

_CARD, _MEASURE = "The card", "Measuring"


class Weights(StrEnum):
    """Which weights of a run."""

    BEST = "best"
    LAST = "last"
    MEAN = "mean"


def export(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN_DIR", help="A folder of cleanaudio train.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The ONNX file.", rich_help_panel=options.OUTPUT)
    ] = None,
    weights: Annotated[
        Weights,
        typer.Option(help="At the best evaluation, of the last step, or the running mean there.", show_default=True),
    ] = Weights.BEST,
    dev: Annotated[
        Path | None,
        typer.Option(help="A folder with noisy/ and clean/ to measure it on.", rich_help_panel=_MEASURE),
    ] = None,
    dev_pairs: Annotated[
        int | None, typer.Option("--dev-pairs", min=1, help="Number of pairs; default: all.", rich_help_panel=_MEASURE)
    ] = None,
    quantise: Annotated[
        bool,
        typer.Option("--quantise", help="8 bits, if that costs less than 0.02 PESQ.", rich_help_panel=_MEASURE),
    ] = False,
    level: Annotated[
        bool,
        typer.Option("--level", help="Scale it so that clean speech keeps its level.", rich_help_panel=_MEASURE),
    ] = False,
    exponent: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=2,
            callback=options.finite,
            help="Gains to this power: below 1 takes less away (not fullband).",
            rich_help_panel=_MEASURE,
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Weights stored in 16 bits: half the file.", rich_help_panel=options.OUTPUT)
    ] = False,
    licence: Annotated[str, typer.Option(help="Licence of the weights.", rich_help_panel=_CARD)] = "MIT",
    speech: Annotated[
        list[Path] | None,
        typer.Option("--speech", help="Speech it was trained on, if the run does not say.", rich_help_panel=_CARD),
    ] = None,
    noise: Annotated[
        list[Path] | None, typer.Option("--noise", help="Noise it was trained on.", rich_help_panel=_CARD)
    ] = None,
    rir: Annotated[
        list[Path] | None, typer.Option("--rir", help="Rooms it was trained on.", rich_help_panel=_CARD)
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write what a run has learned as ONNX, for machines without torch.

    cleanaudio export runs/fullband -o fullband.onnx --dev pairs/

    cleanaudio denoise talk.wav -b onnx:fullband.onnx -o clean/
    """
    from cleanaudio.cli import training
    from cleanaudio.cli.console import complain, say

    training.require("cleanaudio export")
    if run is None:
        raise RecipeError("which run?", remedy="name a folder of cleanaudio train")
    if output is None:
        raise RecipeError("where shall the model go?", remedy="give -o FILE.onnx")
    if output.suffix != ".onnx":
        raise RecipeError("a model's name ends with .onnx", path=output)
    if (quantise or level) and dev is None:
        raise RecipeError("--quantise and --level are measured on pairs", remedy="give --dev DIR: noisy/ and clean/")
    if output.exists() and not overwrite:
        raise OutputError("exists already", path=output, remedy="add --overwrite")
    from cleanaudio.train.export import Request
    from cleanaudio.train.export import export as write

    heard = {"speech": speech, "noise": noise, "rir": rir}
    request = Request(
        run_dir=run,
        target=output,
        weights=weights.value,
        dev=dev,
        dev_pairs=dev_pairs,
        quantise=quantise,
        level=level,
        exponent=exponent,
        half=half,
        licence=licence,
        sources={role: paths for role, paths in heard.items() if paths},
    )
    faults: list[str] = []
    try:
        card = write(request, (lambda text: None) if quiet else say, faults.append)
    except OutputError as error:
        complain(error)
        raise typer.Exit(Exit.SOME_FAILED) from error
    if not quiet:
        say(f"cleanaudio: {output}: {card['name']}, {card['contract']}, {output.stat().st_size / 1e6:.2f} MB")
    for fault in faults:
        say(f"cleanaudio: {output}: {fault}")
    if faults:
        raise typer.Exit(Exit.GATE_FAILED)
