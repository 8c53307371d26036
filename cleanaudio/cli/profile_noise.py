"""``cleanaudio profile-noise``: a noise print from recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cleanaudio.cli import options, values
from cleanaudio.cli.console import complain, say, stdout
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import BackendUnavailable, CleanAudioError, OutputError, RecipeError

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

_STEADY_DB, _CHANGING_DB = 2.0, 4.0


def profile_noise(
    inputs: options.Inputs = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The print, a JSON file; - for stdout.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Where the noise begins, e.g. 0:01.5.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Where it ends.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="The whole recording is noise.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw it: a PNG or SVG file.")] = None,
    recursive: options.Recursive = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure a noise print: of noise-only files (--all), of a stretch (--from, --to), or of the quiet parts found.

    cleanaudio profile-noise talk.wav -o room.json

    cleanaudio denoise talk.wav --profile room.json -o clean/
    """
    from cleanaudio.backends.profile import average

    if output is None:
        raise RecipeError("where shall the print go?", remedy="give -o room.json")
    if all_ and (start is not None or end is not None):
        raise RecipeError("--all contradicts --from and --to")
    if str(output) != "-" and output.exists() and not overwrite:
        raise OutputError("the output exists", path=output, remedy="--overwrite, or choose another name")
    stretch = None
    if start is not None or end is not None:
        stretch = (values.seconds(start or "0"), None if end is None else values.seconds(end))
        if stretch[1] is not None and stretch[1] <= stretch[0]:
            raise RecipeError("--to lies before --from")
    prints, failed = _measure_all(list(inputs or ()), recursive, stretch, all_)
    if not prints:
        raise typer.Exit(Exit.SOME_FAILED if failed else Exit.NOTHING_MATCHED)
    profile = average(prints)
    if str(output) == "-":
        print(json.dumps(profile.to_dict()))
    else:
        profile.save(output)
    if not quiet:
        _show(prints, to_stdout=str(output) != "-")
    if plot is not None:
        _plot(profile, plot)
    if failed:
        raise typer.Exit(Exit.SOME_FAILED)


def _measure_all(
    inputs: list[str], recursive: bool, stretch: tuple[float, float | None] | None, everything: bool
) -> tuple[list[NoiseProfile], int]:
    from cleanaudio.audio.files import open_reader
    from cleanaudio.backends.profile import measure, measure_quiet
    from cleanaudio.batch.take import Take

    prints, failed = [], 0
    for source in _sources(inputs, recursive):
        try:
            if isinstance(source, CleanAudioError):
                raise source
            with open_reader(source) as reader:
                take = Take(reader, stretch)
                rate, blocks = reader.info.rate, take.blocks()
                if stretch is None and not everything:
                    prints.append(measure_quiet(blocks, rate, source=str(source)))
                else:
                    prints.append(measure(blocks, rate, source=str(source), start_s=take.start / rate))
        except CleanAudioError as error:
            if error.path is None and not isinstance(source, CleanAudioError):
                error.path = str(source)
            complain(error)
            failed += 1
    return prints, failed


def _sources(inputs: list[str], recursive: bool) -> Iterator[Path | CleanAudioError]:
    import sys
    import tempfile

    from cleanaudio.audio.formats import AUDIO_SUFFIXES
    from cleanaudio.batch.inputs import expand
    from cleanaudio.batch.source import Source

    if not inputs:
        raise RecipeError("nothing to measure", remedy="name a recording")
    if inputs == ["-"]:
        from cleanaudio.audio.spool import spool

        with tempfile.TemporaryDirectory(prefix="cleanaudio-") as room:
            yield spool(sys.stdin.buffer, room)
        return
    for item in expand(inputs, recursive=recursive, suffixes=AUDIO_SUFFIXES, stdin=sys.stdin.buffer):
        yield item.path if isinstance(item, Source) else item.error


def _show(prints: list[NoiseProfile], to_stdout: bool) -> None:
    """Print which stretches were used, how loud and how steady they are."""
    from rich.table import Table
    from rich.text import Text

    from cleanaudio.cli.console import stderr

    table = Table("recording", "stretches", "noise", "level", "steadiness", box=None, header_style="bold")
    for one in prints:
        shown = [f"{_clock(part.start_s)} – {_clock(part.end_s)}" for part in one.stretches[:6]]
        more = len(one.stretches) - 6
        shown += [f"and {more} more"] * (more > 0)
        table.add_row(
            Text(one.source), "\n".join(shown), f"{one.seconds:.1f} s", f"{one.level_db:.1f} dBFS", _steadiness(one)
        )
    (stdout() if to_stdout else stderr()).print(table)
    if any((one.stationarity_db or 0.0) > _CHANGING_DB for one in prints):
        say("cleanaudio: note: this noise changes a lot, and a print fits steady noise: denoise may do better without")


def _steadiness(profile: NoiseProfile) -> str:
    spread = profile.stationarity_db
    if spread is None:
        return "too short to tell"
    word = "steady" if spread <= _STEADY_DB else "uneven" if spread <= _CHANGING_DB else "changing"
    return f"{word} (± {spread:.1f} dB)"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _plot(profile: NoiseProfile, path: Path) -> None:
    try:
        from cleanaudio.report.plots import plot_profile
    except ImportError:
        raise BackendUnavailable("--plot", "plots") from None
    plot_profile(profile, path)
