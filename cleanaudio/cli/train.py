"""``cleanaudio train``: a network of our own, from folders of speech and noise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import options
from cleanaudio.errors import RecipeError

_DATA, _HOW = "Recordings", "How to train"


class Target(StrEnum):
    """What the network is to bring out of a room."""

    ROOM = "room"
    EARLY = "early"


def train(
    network: Annotated[str | None, typer.Argument(metavar="NETWORK", help="See --list.", show_default=False)] = None,
    speech: Annotated[
        list[Path] | None,
        typer.Option("--speech", help="Clean voices: a folder or manifest; repeatable.", rich_help_panel=_DATA),
    ] = None,
    noise: Annotated[
        list[Path] | None,
        typer.Option("--noise", "-N", help="Noise: a folder or manifest; repeatable.", rich_help_panel=_DATA),
    ] = None,
    rir: Annotated[
        list[Path] | None,
        typer.Option(help="Measured room responses; simulated ones are there anyway.", rich_help_panel=_DATA),
    ] = None,
    dev: Annotated[
        Path | None,
        typer.Option(help="A folder with noisy/ and clean/: PESQ and SI-SDR now and then.", rich_help_panel=_DATA),
    ] = None,
    dev_pairs: Annotated[int, typer.Option("--dev-pairs", min=1, help="So many of them.", rich_help_panel=_DATA)] = 20,
    cache: Annotated[
        Path | None,
        typer.Option(help="For decoded recordings; default: cache in the run folder.", rich_help_panel=_DATA),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The run folder: checkpoints, log, plot.", rich_help_panel=options.OUTPUT),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="A TOML file; default: the one that comes with it.", rich_help_panel=_HOW),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE over the config, e.g. mix.seconds=2; repeatable.", rich_help_panel=_HOW),
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option(help="The voice with its room, or only its first 50 ms; default: room.", rich_help_panel=_HOW),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Where the run ends; default: the config's.", rich_help_panel=_HOW)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples a step; default: the config's.", rich_help_panel=_HOW)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights and mixes; default: the config's.", rich_help_panel=_HOW)
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--start-from", help="Begin with the weights of a run or an export.", rich_help_panel=_HOW),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0, callback=options.finite, help="Stop after so many, to be resumed.", rich_help_panel=options.RUN
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.", rich_help_panel=options.RUN)
    ] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=options.RUN)] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the CPU; default: torch's.", rich_help_panel=options.RUN)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the networks and their configs.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a network on noisy speech that is mixed on the fly.

    cleanaudio train fullband --speech voices/ --noise noises/ --dev pairs/ -o runs/fullband

    Stopped (Ctrl-C), it ends its step, keeps a checkpoint, and goes on with --resume as if nothing had been; a second
    Ctrl-C does not wait for the step. What it has learned: cleanaudio denoise talk.wav -b torch:runs/fullband. Several
    processes: torchrun -m cleanaudio train ...
    """
    from cleanaudio.cli import training, values

    training.require("cleanaudio train")
    if list_:
        training.show_networks()
        return
    if network is None:
        raise RecipeError("which network?", remedy="name one of cleanaudio train --list")
    if not speech or not noise:
        raise RecipeError("there is nothing to learn from", remedy="give --speech DIR and --noise DIR")
    if output is None:
        raise RecipeError("where shall the run go?", remedy="give -o RUN_DIR")
    if resume and start is not None:
        raise RecipeError("--resume and --start-from contradict each other")
    from cleanaudio.train.run import Request, configure

    own = {"steps": steps, "batch": batch, "seed": seed, "mix.target": target and target.value}
    changes = {key: value for key, value in own.items() if value is not None}
    changes |= {key: training.toml(text) for key, text in values.pairs(settings or []).items()}
    request = Request(
        config=configure(network, config, output, resume, changes),
        run_dir=output,
        speech=tuple(speech),
        noise=tuple(noise),
        rir=tuple(rir or ()),
        cache=cache or output / "cache",
        dev=dev,
        dev_pairs=dev_pairs,
        device=device,
        resume=resume,
        start=start,
    )
    code = training.run(request, minutes, threads, quiet)
    if code:
        raise typer.Exit(code)
