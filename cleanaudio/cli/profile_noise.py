"""``cleanaudio profile-noise``: a noise profile from recordings."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cleanaudio.cli import options, values
from cleanaudio.cli.console import complain, plain, print_table, say
from cleanaudio.cli.exits import Exit
from cleanaudio.cli.pictures import check_picture
from cleanaudio.errors import CleanAudioError, OutputError, RecipeError

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

_STEADY_DB, _CHANGING_DB = 2.0, 4.0


def profile_noise(
    inputs: options.Inputs = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The profile, a JSON file; - for stdout.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Where the noise begins, e.g. 0:01.5.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Where it ends.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="The whole recording is noise.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw it: a PNG or SVG file.")] = None,
    recursive: options.Recursive = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure a noise profile: of noise-only files (--all), of a stretch (--from, --to), or of the quiet parts found.

    cleanaudio profile-noise talk.wav -o room.json

    cleanaudio denoise talk.wav --profile room.json -o clean/
    """
    from cleanaudio.backends.measuring import average

    if output is None:
        raise RecipeError("where shall the profile go?", remedy="give -o room.json")
    if all_ and (start is not None or end is not None):
        raise RecipeError("--all contradicts --from and --to")
    if str(output) != "-" and output.exists() and not overwrite:
        raise OutputError("the output exists", path=output, remedy="--overwrite, or choose another name")
    stretch = None
    if start is not None or end is not None:
        stretch = (values.seconds(start or "0"), None if end is None else values.seconds(end))
        if stretch[1] is not None and stretch[1] <= stretch[0]:
            raise RecipeError("--to lies before --from")
    if plot is not None:
        check_picture("--plot", plot)
    profiles, errors = _measure_all(tuple(inputs or ()), recursive, stretch, all_, quiet)
    if not profiles:
        from cleanaudio.batch.source import NothingFound

        empty = all(isinstance(error, NothingFound) for error in errors)
        raise typer.Exit(Exit.NOTHING_MATCHED if empty else Exit.SOME_FAILED)
    profile = average(profiles)
    if str(output) == "-":
        print(json.dumps(profile.to_dict()))
    else:
        profile.save(output)
    if not quiet:
        _show(profiles, to_stdout=str(output) != "-")
    if plot is not None:
        from cleanaudio.report.plots import plot_profile

        plot_profile(profile, plot)
    if errors:
        raise typer.Exit(Exit.SOME_FAILED)


def _measure_all(
    inputs: tuple[str, ...],
    recursive: bool,
    stretch: tuple[float, float | None] | None,
    everything: bool,
    quiet: bool,
) -> tuple[list[NoiseProfile], list[CleanAudioError]]:
    from cleanaudio.audio.files import open_reader
    from cleanaudio.backends.measuring import measure, measure_quiet
    from cleanaudio.batch.source import Problem, Source
    from cleanaudio.batch.take import Take
    from cleanaudio.cli.recordings import recordings

    if not inputs:
        raise RecipeError("nothing to measure", remedy="name a recording")
    profiles: list[NoiseProfile] = []
    errors: list[CleanAudioError] = []
    with ExitStack() as stack:
        for source in recordings(inputs, recursive, stack)():
            try:
                if isinstance(source, Problem):
                    raise source.error
                with open_reader(source.path) as reader:
                    take = Take(reader, stretch)
                    rate, blocks = reader.info.rate, take.blocks()
                    if stretch is None and not everything:
                        profiles.append(measure_quiet(blocks, rate, source=source.label))
                    else:
                        profiles.append(measure(blocks, rate, source=source.label, start_s=take.start / rate))
                    notes = [*reader.info.warnings]
                    if reader.repaired:
                        notes.append(f"{reader.repaired} samples that are not numbers were taken for silence")
                for note in () if quiet else notes:
                    say(f"cleanaudio: {source.label}: note: {note}")
            except CleanAudioError as error:
                if error.path is None or (isinstance(source, Source) and error.path == str(source.path)):
                    error.path = source.label
                complain(error)
                errors.append(error)
    return profiles, errors


def _show(profiles: list[NoiseProfile], to_stdout: bool) -> None:
    """Print which stretches were used, how loud and how steady they are."""
    from rich.table import Table

    from cleanaudio.audio.wording import clock
    from cleanaudio.cli.console import stderr

    table = Table("recording", "stretches", "noise", "level", "steadiness", box=None, header_style="bold")
    for one in profiles:
        shown = [f"{clock(part.start_s, 1)} – {clock(part.end_s, 1)}" for part in one.stretches[:6]]
        more = len(one.stretches) - 6
        shown += [f"and {more} more"] * (more > 0)
        table.add_row(
            plain(one.source), "\n".join(shown), f"{one.seconds:.1f} s", f"{one.level_db:.1f} dBFS", _steadiness(one)
        )
    if to_stdout:
        print_table(table)
    else:
        stderr().print(table)
    if any((one.stationarity_db or 0.0) > _CHANGING_DB for one in profiles):
        say(
            "cleanaudio: note: this noise changes a lot, and a profile fits steady noise: denoise may do better without"
        )


def _steadiness(profile: NoiseProfile) -> str:
    spread = profile.stationarity_db
    if spread is None:
        return "too short to tell"
    word = "steady" if spread <= _STEADY_DB else "uneven" if spread <= _CHANGING_DB else "changing"
    return f"{word} (± {spread:.1f} dB)"
