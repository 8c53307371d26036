"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanaudio.audio.choices import ClipMode
from cleanaudio.batch.choices import IfFails
from cleanaudio.cli import completing, config, values
from cleanaudio.cli.console import show_causes
from cleanaudio.errors import InputError, RecipeError

if TYPE_CHECKING:
    from cleanaudio.backends.interface import Value
    from cleanaudio.backends.profile import NoiseProfile
    from cleanaudio.batch.judge import Judging
    from cleanaudio.report import gate as gates

HOW, NOISE, QUALITY, OUTPUT, INPUT, RUN = "How to clean", "Noise profile", "Quality", "Output", "Input", "The run"
TRUE_PEAK = -1.0


def named(path: Path | None) -> Path | None:
    """Return the name of a file that stdout cannot stand for.

    Raises
    ------
    RecipeError
        It is ``-``.
    """
    if path == Path("-"):
        raise RecipeError(
            "this file cannot go to stdout, which has other things to say", remedy="name a file; ./- is one"
        )
    return path


def finite(value: float | None) -> float | None:
    """Return a number that is one: a range lets NaN through."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


class ChannelMode(StrEnum):
    """How several channels share their decisions."""

    LINKED = "linked"
    INDEPENDENT = "independent"
    MID_SIDE = "mid-side"


CHANNEL_MODE_HELP = "One decision for all channels or one each; default: linked for stereo, else independent."


class GateMissing(StrEnum):
    """What becomes of a criterion that is not measurable."""

    FAIL = "fail"
    IGNORE = "ignore"


def _configure(context: typer.Context, parameter: typer.CallbackParam, value: object) -> object:
    """Once both are known, let ``--config`` and ``--preset`` set the defaults of the options still to be read."""
    seen = context.meta.setdefault("cleanaudio.config", {})
    seen[parameter.name] = value
    if len(seen) == 2:
        config.apply(context, **seen)
    return value


Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        "-b",
        help="NAME, NAME:FILE, or an average, weights in proportion: 3*A+2*B.",
        autocompletion=completing.backend,
        rich_help_panel=HOW,
    ),
]
Model = Annotated[Path | None, typer.Option("--model", help="Model file of the backend.", rich_help_panel=HOW)]
Contract = Annotated[
    str | None,
    typer.Option("--contract", help="How the model is fed, where its file does not tell.", rich_help_panel=HOW),
]
ModelRate = Annotated[
    int | None,
    typer.Option("--model-rate", help="Rate of the model, where its file does not tell.", rich_help_panel=HOW),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Backend option KEY=VALUE, repeatable; see: cleanaudio backends NAME.", rich_help_panel=HOW
    ),
]
Strength = Annotated[
    float,
    typer.Option("--strength", "-s", min=0, max=1, help="0: unprocessed, 1: fully processed.", rich_help_panel=HOW),
]
LimitDb = Annotated[
    float | None,
    typer.Option("--limit-db", "-l", min=0, max=120, help="Attenuate by at most so many dB.", rich_help_panel=HOW),
]
Dereverb = Annotated[
    float,
    typer.Option(
        "--dereverb", min=0, max=1, help="Take reverberation away: 0 nothing, 1 all it can.", rich_help_panel=HOW
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="cpu, or cuda where onnxruntime-gpu is installed.", rich_help_panel=HOW)
]
Profile = Annotated[
    Path | None, typer.Option("--profile", "-p", help="Noise profile made by profile-noise.", rich_help_panel=NOISE)
]

Score = Annotated[bool, typer.Option("--score", help="Measure each output, into the CSV.", rich_help_panel=QUALITY)]
Gate = Annotated[
    str | None,
    typer.Option("--gate", help='blind, "dnsmos_ovrl>=2.8,…" or a TOML file; exit 3 on FAIL.', rich_help_panel=QUALITY),
]
Missing = Annotated[
    GateMissing | None,
    typer.Option("--gate-missing", help="What a criterion that cannot be measured counts as.", rich_help_panel=QUALITY),
]
WhatIfFails = Annotated[
    IfFails,
    typer.Option("--if-fails", help="What becomes of an output that fails the gate.", rich_help_panel=QUALITY),
]

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, quoted globs, @list.txt, @- or @-0 (names on stdin), - (audio on stdin).",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", help="A folder; for one input also a file, or - for stdout.", rich_help_panel=OUTPUT
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="wav, flac, ogg, mp3 …; default: as the input.",
        autocompletion=completing.container,
        rich_help_panel=OUTPUT,
    ),
]
Subtype = Annotated[
    str | None,
    typer.Option("--subtype", help="PCM_16, PCM_24, FLOAT, VORBIS …; default: as the input.", rich_help_panel=OUTPUT),
]
Clipping = Annotated[
    ClipMode,
    typer.Option("--clip-mode", help="Peaks over full scale in integer formats.", rich_help_panel=OUTPUT),
]
LoudnessLufs = Annotated[
    float | None,
    typer.Option(
        "--loudness", metavar="LUFS", help="Loudness of each output: podcasts -16, mono -19.", rich_help_panel=OUTPUT
    ),
]
TruePeak = Annotated[
    float,
    typer.Option("--true-peak", metavar="dBTP", help="Ceiling of the peaks with --loudness.", rich_help_panel=OUTPUT),
]
Name = Annotated[
    str,
    typer.Option(
        "--name",
        help="Name of an output, from {stem} {suffix} {ext} {name} {parent} {backend} {number}.",
        rich_help_panel=OUTPUT,
    ),
]
Suffix = Annotated[str, typer.Option("--suffix", help="What {suffix} stands for, e.g. _clean.", rich_help_panel=OUTPUT)]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        "-m",
        help="The CSV log; default: metrics.csv in the folder.",
        callback=named,
        rich_help_panel=OUTPUT,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option("--skip-existing", help="Skip what an earlier run did in the same way.", rich_help_panel=OUTPUT),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.", rich_help_panel=OUTPUT)]

Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Look into subfolders too.", rich_help_panel=INPUT)]
Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest", help="JSON lines with audio_filepath, as NVIDIA NeMo writes them.", rich_help_panel=INPUT
    ),
]
MinAge = Annotated[str, typer.Option("--min-age", help="Leave younger files alone, e.g. 60s.", rich_help_panel=INPUT)]
AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="Nothing to do is fine (exit 0, not 4).", rich_help_panel=INPUT)
]

Guard = Annotated[
    bool | None,
    typer.Option(
        "--guard/--no-guard",
        help="Take cleaning back where it harms; default: on where auto chose a neural backend.",
        rich_help_panel=QUALITY,
    ),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Worker processes; default: the cores.", rich_help_panel=RUN)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line a file on stdout.", rich_help_panel=RUN)]
JsonEach = Annotated[bool, typer.Option("--json", help="One JSON line each on stdout.", rich_help_panel=RUN)]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan, do nothing.", rich_help_panel=RUN)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.", rich_help_panel=RUN)]
Debug = Annotated[
    bool,
    typer.Option("--debug", help="Tracebacks where something breaks.", callback=show_causes, rich_help_panel=RUN),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", is_eager=True, callback=_configure, help="Options from a TOML file.", rich_help_panel=RUN),
]


def _preset(help: str, **more: Any) -> Any:
    return typer.Option("--preset", is_eager=True, callback=_configure, help=help, rich_help_panel=RUN, **more)


Preset = Annotated[
    str | None,
    _preset(f"Named options: {', '.join(sorted(config.PRESETS))}, or of the file.", autocompletion=completing.preset),
]
OwnPreset = Annotated[str | None, _preset("Named options of the file.")]  # where none of ours says anything


def settings_of(pairs: list[str] | None, contract: str | None, model_rate: int | None) -> dict[str, Value]:
    """Return the backend options that were asked for, those with a name of their own among them."""
    own: dict[str, Value | None] = {"contract": contract, "model_rate": model_rate}
    return {key: value for key, value in own.items() if value is not None} | values.pairs(pairs or [])


def parse_gate(text: str | None, missing: GateMissing | None) -> gates.Gate | None:
    """Return the gate that was asked for, if one was."""
    if text is None:
        if missing is not None:
            raise RecipeError("--gate-missing needs a --gate")
        return None
    from cleanaudio.report import gate

    return gate.parse(text, None if missing is None else missing.value)


def judging(score: bool, gate: str | None, missing: GateMissing | None, if_fails: IfFails) -> Judging | None:
    """Return what is measured of every output and what becomes of those that fail, if anything is."""
    parsed = parse_gate(gate, missing)
    if parsed is None and if_fails != "keep":
        raise RecipeError("--if-fails needs a --gate")
    if parsed is None and not score:
        return None
    from cleanaudio.batch.judge import Judging
    from cleanaudio.metrics import registry

    if parsed is not None:
        if parsed.needs_reference:
            raise RecipeError("this gate needs clean references", remedy="use --gate blind here, or cleanaudio score")
        parsed.check(frozenset({"noisy"}), of_runs=True)
    usual = [key for _, keys in registry.select(None, frozenset({"noisy"})) for key in keys] if score else []
    keys = dict.fromkeys([*usual, *(parsed.keys if parsed else ())])
    return Judging(tuple(keys), parsed, if_fails)


def load_profile(path: Path | None) -> NoiseProfile | None:
    """Return the noise profile of a file, if one is named."""
    if path is None:
        return None
    if str(path) == "-":
        raise InputError(
            "a noise profile is read from a file", path=path, remedy="save it to a file first, or name /dev/stdin"
        )
    from cleanaudio.backends.profile import NoiseProfile

    return NoiseProfile.load(path)
