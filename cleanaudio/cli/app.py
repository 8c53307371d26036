"""The application: its commands, and how errors become messages and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

import cleanaudio
from cleanaudio.cli import (
    backends,
    beamform,
    denoise,
    export,
    impact,
    inspect,
    locate,
    mix,
    models,
    profile_noise,
    score,
    stream,
    train,
)
from cleanaudio.cli.console import say, say_trace
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import CleanAudioError, ResultLost, lack

app = typer.Typer(
    name="cleanaudio",
    help="Clean recorded speech in batches: files in, cleaner files and a metrics CSV out.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("denoise")(denoise.denoise)
app.command("beamform")(beamform.beamform)
app.command("locate")(locate.locate)
app.command("profile-noise")(profile_noise.profile_noise)
app.command("score")(score.score)
app.command("inspect")(inspect.inspect)
app.command("mix")(mix.mix)
app.command("impact")(impact.impact)
app.command("stream")(stream.stream)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("backends")(backends.backends)
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cleanaudio {cleanaudio.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Clean recorded speech in batches: files in, cleaner files and a metrics CSV out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(arguments, prog_name="cleanaudio")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else Exit.DONE
    except CleanAudioError as error:
        _trace(error, arguments)
        say(f"cleanaudio: {error.describe()}")
        return Exit.SOME_FAILED if isinstance(error, ResultLost) else Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        _trace(error, arguments)
        say(f"cleanaudio: {_unforeseen(error)}")
        return Exit.SOME_FAILED
    return Exit.DONE


def _unforeseen(error: Exception) -> str:
    """Return what to say of an error that is not one of ours."""
    lacking = lack(error)
    if lacking is not None:
        return lacking.describe()
    if isinstance(error, OSError):
        where = error.filename or "standard output"  # all files of ours have errors of their own
        return f"{where}: {error.strerror or error}"
    return f"{type(error).__name__}: {error} (this is a bug; --debug shows where)"


def _trace(error: Exception, arguments: Sequence[str]) -> None:
    """With ``--debug``, show where an exception came from."""
    if "--debug" in arguments:
        say_trace(error)
