"""``cleanaudio stream``: live, through pipes, devices, or a file played at real time."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cleanaudio.audio.temporary import write_text
from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.cli import options
from cleanaudio.cli.console import plain, print_table, say
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import InputError, OutputError, RecipeError

if TYPE_CHECKING:
    from cleanaudio.backends.interface import Value
    from cleanaudio.live.timing import Timing

_PIPE, _DEVICE = "Pipes", "Devices"


def stream(
    backend: options.Backend = "auto",
    model: options.Model = None,
    contract: options.Contract = None,
    model_rate: options.ModelRate = None,
    settings: options.Settings = None,
    strength: options.Strength = 1.0,
    limit_db: options.LimitDb = None,
    dereverb: options.Dereverb = 0.0,
    channel_mode: Annotated[
        options.ChannelMode | None, typer.Option(help=options.CHANNEL_MODE_HELP, rich_help_panel=options.HOW)
    ] = None,
    profile: options.Profile = None,
    rate: Annotated[
        int | None, typer.Option(help="Sample rate of raw PCM on stdin; without it: WAV.", rich_help_panel=_PIPE)
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(min=1, help="Channels of raw PCM, or of devices.", show_default="1", rich_help_panel=_PIPE),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="Raw samples: u8, s16le, s24le, s32le, f32le or f64le.",
            show_default="s16le",
            rich_help_panel=_PIPE,
        ),
    ] = None,
    drop_backlog: Annotated[
        bool,
        typer.Option("--drop-backlog", help="Drop what came in while the backend was loaded.", rich_help_panel=_PIPE),
    ] = False,
    block_ms: Annotated[
        float, typer.Option(min=1, max=1000, callback=options.finite, help="Audio handled at a time.")
    ] = 10.0,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List sound devices.", rich_help_panel=_DEVICE)
    ] = False,
    input_device: Annotated[str | None, typer.Option(help="Name or number.", rich_help_panel=_DEVICE)] = None,
    output_device: Annotated[str | None, typer.Option(help="Name or number.", rich_help_panel=_DEVICE)] = None,
    simulate: Annotated[Path | None, typer.Option(help="Play this file at real time and report.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where --simulate writes its result.", callback=options.named)
    ] = None,
    stats: Annotated[Path | None, typer.Option(help="Write the report as JSON.", callback=options.named)] = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Clean live: samples in, cleaner samples out a few milliseconds later.

    arecord -f S16_LE -r 48000 -c 1 | cleanaudio stream | aplay

    ffmpeg -i in.mkv -f s16le -ac 2 -ar 48000 - | cleanaudio stream --rate 48000 --channels 2 > out.raw
    """
    if list_devices:
        _show_devices()
        return
    with_devices = input_device is not None or output_device is not None
    if simulate is not None and with_devices:
        raise RecipeError("--simulate and devices exclude each other")
    _check_raw({"--rate": rate, "--channels": channels, "--format": format_}, simulate is not None, with_devices)
    if drop_backlog and (with_devices or simulate is not None):
        raise RecipeError("--drop-backlog is for pipes", remedy="leave it out")
    if output is not None and simulate is None:
        raise RecipeError("-o belongs to --simulate", remedy="a pipe's result goes to stdout")
    if output is not None and output.exists():
        raise OutputError("the output exists", path=output, remedy="choose another name with -o")
    if stats is not None:
        _check_stats(stats)
    from cleanaudio.batch.recipe import decided

    spec, why = decided(backend, None if model is None else str(model), live=True)
    if why is not None and not quiet:
        say(f"cleanaudio: auto is {spec}: {why}")
    chosen = _Chosen(
        spec, options.settings_of(settings, contract, model_rate), strength, limit_db, dereverb, channel_mode, profile
    )
    if simulate is not None:
        report, code = _simulate(chosen, simulate, output, block_ms)
    elif with_devices:
        report, code = _devices(chosen, input_device, output_device, rate or 48000, channels or 1, block_ms)
    else:
        report, code = _pipe(chosen, rate, channels or 1, format_ or "s16le", block_ms, drop_backlog, quiet)
    if stats is not None:
        write_text(stats, json.dumps(report.as_dict()) + "\n", _OTHER_STATS)
    if not quiet:
        _say_report(report)
    if code:
        raise typer.Exit(code)


def _check_raw(described: dict[str, object], simulated: bool, with_devices: bool) -> None:
    """Refuse what describes raw samples where there are none: a file and the header of a WAV describe their own."""
    given = [name for name, value in described.items() if value is not None]
    if simulated and given:
        raise RecipeError(f"{given[0]} is for raw samples, and --simulate plays a file", remedy="leave it out")
    if with_devices and "--format" in given:
        raise RecipeError("--format is for raw samples, and devices have none", remedy="leave it out")
    if not with_devices and given and "--rate" not in given:
        raise RecipeError(
            f"{given[0]} is for raw samples, and without --rate stdin is WAV",
            remedy=f"add --rate, or leave {given[0]} out",
        )


_MAGIC_BYTES = 4
_OTHER_STATS = "choose another file with --stats"


def _check_stats(path: Path) -> None:
    """Check at the beginning, not after hours, that the figures can be written and replace nothing but older ones."""
    if not os.access(path.parent, os.W_OK):
        why = "Permission denied" if path.parent.is_dir() else "there is no such folder"
        raise OutputError(f"cannot be written: {why}", path=path, remedy=_OTHER_STATS)
    if path.is_dir():
        raise OutputError("is a folder", path=path, remedy=_OTHER_STATS)
    if path.is_file():
        with open(path, "rb") as file:
            if file.read(1) not in (b"", b"{"):
                raise OutputError("exists, and holds no figures of a stream", path=path, remedy=_OTHER_STATS)


class _Chosen:
    """The signal path that the options ask for."""

    def __init__(
        self,
        spec: str,
        settings: dict[str, Value],
        strength: float,
        limit_db: float | None,
        dereverb: float,
        mode: options.ChannelMode | None,
        profile: Path | None,
    ) -> None:
        self._spec, self._settings, self._profile = spec, settings, profile
        self._strength, self._limit_db, self._dereverb, self._mode = strength, limit_db, dereverb, mode

    def open(self, rate: int, channels: int, block_ms: float) -> tuple[Any, Timing]:
        """Return the processor, warm, and the timing of a run with it."""
        from cleanaudio import open_chain
        from cleanaudio.live.engine import warm_up
        from cleanaudio.live.timing import Timing

        processor = open_chain(
            self._spec,
            rate=rate,
            channels=channels,
            options=self._settings,
            strength=self._strength,
            limit_db=self._limit_db,
            dereverb=self._dereverb,
            mode=None if self._mode is None else self._mode.value,
            profile=options.load_profile(self._profile),
        )
        block = max(1, round(block_ms / 1000 * rate))
        warm_up(processor, rate, channels, block)
        return processor, Timing(rate, processor.latency, block)


def _pipe(
    chosen: _Chosen,
    rate: int | None,
    channels: int,
    encoding: str,
    block_ms: float,
    drop_backlog: bool,
    quiet: bool,
) -> tuple[Any, int]:
    from io import BufferedReader
    from itertools import chain

    from cleanaudio.audio.riff import MAGICS
    from cleanaudio.live.backlog import HEARD_S, backlog
    from cleanaudio.live.engine import pump
    from cleanaudio.live.pcm import PcmFormat, read_header
    from cleanaudio.live.pipes import PcmSink, PcmSource, discard

    if sys.stdin is None or sys.__stdout__ is None:  # sys.stdout takes what is printed then, and drops it
        closed = "stdin" if sys.stdin is None else "stdout"
        raise InputError(f"{closed} is closed", path="-", remedy="pipe audio through, or use --simulate")
    if sys.stdin.isatty():
        raise RecipeError("stdin is a terminal", remedy="pipe audio into it, or use --input-device or --simulate")
    if sys.stdout.isatty():
        raise RecipeError("will not write audio to a terminal", remedy="pipe it on, or redirect it to a file")
    # What a larger buffer takes in with the header would be missing from what is known to wait in the pipe.
    stdin, out = BufferedReader(cast(BufferedReader, sys.stdin.buffer).raw, _MAGIC_BYTES), sys.stdout.buffer
    if rate is None:
        pcm, length = read_header(stdin)
    else:
        pcm, length = PcmFormat(rate, channels, encoding), None
        if stdin.peek(_MAGIC_BYTES) in MAGICS:
            raise RecipeError(
                "stdin begins with a WAV header, and --rate is for raw samples", remedy="leave --rate out"
            )
    source = PcmSource(stdin, pcm, length)
    began = time.monotonic()
    processor, timing = chosen.open(pcm.rate, pcm.channels, block_ms)

    stop = Stop()
    try:
        with stop.listening():
            with suppress(Stopped), stop.breaking():
                timing.backlog_s = backlog(source, time.monotonic() - began)
            if timing.backlog_s is not None and timing.backlog_s > HEARD_S:
                fate = "stay as delay (--drop-backlog drops them)"
                came = timing.backlog_s
                if drop_backlog:
                    source.drop()
                    timing.backlog_s, fate = 0.0, "were dropped"
                if not quiet:
                    say(f"cleanaudio: -: note: {came:.2g} s had come in before the backend was ready, and {fate}")
            sink = PcmSink(out, pcm)
            heard = chain(_until(stop, source.blocks(timing.block)), source.rest())
            pump(heard, processor, sink.write, timing)
            sink.finish()
    except BrokenPipeError:  # the reader has gone, which is no error
        discard(out)
    if source.odd_bytes and not quiet:
        say(f"cleanaudio: -: note: the stream ended inside a frame; {source.odd_bytes} bytes were left over")
    if source.looks_like_stereo and not quiet:
        say("cleanaudio: -: note: this looks like stereo declared mono; is it --channels 2?")
    return timing.report(), _code(stop)


def _until(stop: Stop, blocks: Iterable[Any]) -> Iterator[Any]:
    """Yield blocks until a signal comes; those that were yielded are still cleaned and written."""
    waiting = iter(blocks)
    while True:
        try:
            with stop.breaking():
                block = next(waiting, None)
        except Stopped:
            return
        if block is None:
            return
        yield block


def _code(stop: Stop) -> int:
    return Exit.DONE if stop.signal is None else 128 + stop.signal


def _simulate(chosen: _Chosen, path: Path, output: Path | None, block_ms: float) -> tuple[Any, int]:
    from contextlib import ExitStack

    from cleanaudio.audio.files import open_reader
    from cleanaudio.audio.formats import named_format, output_format
    from cleanaudio.audio.writer import AtomicWriter
    from cleanaudio.live.engine import in_real_time, pump

    with ExitStack() as stack:
        reader = stack.enter_context(open_reader(path))
        info = reader.info
        processor, timing = chosen.open(info.rate, info.channels, block_ms)
        if output is None:
            sink = _nowhere
        else:
            target = output_format(info, named_format(output, path, None))
            sink = stack.enter_context(AtomicWriter(output, info.rate, info.channels, target)).write
        stop = Stop((signal.SIGINT,))  # another signal leaves no file behind
        with stop.listening():
            pump(_until(stop, in_real_time(reader.blocks(timing.block), info.rate, timing)), processor, sink, timing)
    return timing.report(), _code(stop)


def _devices(
    chosen: _Chosen, source: str | None, sink: str | None, rate: int, channels: int, block_ms: float
) -> tuple[Any, int]:
    from cleanaudio.live.devices import run_devices

    processor, timing = chosen.open(rate, channels, block_ms)
    stop = Stop()
    with stop.listening(), suppress(Stopped), stop.breaking():
        run_devices(_device(source), _device(sink), processor, rate, channels, timing.block, timing)
    return timing.report(), _code(stop)


def _device(text: str | None) -> str | int | None:
    return int(text) if text is not None and text.isdecimal() else text


def _show_devices() -> None:
    from rich.table import Table

    from cleanaudio.live.devices import list_devices

    table = Table("number", "name", "in", "out", "rate", box=None, header_style="bold")
    devices = list_devices()
    for device in devices:
        table.add_row(*(plain(str(device[key])) for key in ("index", "name", "inputs", "outputs", "rate")))
    if devices:
        print_table(table)
    else:
        print("no audio devices")


def _say_report(report: Any) -> None:
    behind = f" and {report.backlog_ms:.0f} ms of backlog" if report.backlog_ms else ""
    parts = [
        f"latency {report.latency_ms:g} ms ({report.latency_frames} frames){behind}, blocks of {report.block_ms:g} ms",
    ]
    if report.blocks:
        parts += [
            f"compute p50 {report.compute_p50_ms} p95 {report.compute_p95_ms} p99 {report.compute_p99_ms} "
            f"max {report.compute_max_ms} ms",
            f"real-time factor {report.real_time_factor}",
        ]
    runs = "" if report.under_runs is None else f"{report.under_runs} under-runs in "
    say(f"cleanaudio: {'; '.join([*parts, f'{runs}{report.seconds:g} s'])}")


def _nowhere(block: Any) -> None:
    """Drop the audio of a simulation without an output file."""
