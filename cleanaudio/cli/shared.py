"""The options that every command with the plan, the pool and the log has, taken in one piece."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cleanaudio.batch.choices import DEFAULT_NAME
from cleanaudio.cli import options
from cleanaudio.errors import RecipeError

if TYPE_CHECKING:
    from cleanaudio.batch.judge import Judging
    from cleanaudio.batch.levelling import Loudness


@dataclass(frozen=True)
class Shared:
    """What was asked for, as it was given; each is explained in :mod:`cleanaudio.cli.options`."""

    inputs: options.Inputs = None
    output: options.Output = None
    score: options.Score = False
    gate: options.Gate = None
    gate_missing: options.Missing = None
    if_fails: options.WhatIfFails = "keep"
    format: options.Format = None
    subtype: options.Subtype = None
    clip_mode: options.Clipping = "limit"
    loudness: options.LoudnessLufs = None
    true_peak: options.TruePeak = options.TRUE_PEAK
    name: options.Name = DEFAULT_NAME
    suffix: options.Suffix = ""
    metrics: options.Metrics = None
    recursive: options.Recursive = False
    manifest: options.Manifest = None
    jobs: options.Jobs = None
    json: options.Json = False
    dry_run: options.DryRun = False
    skip_existing: options.SkipExisting = False
    overwrite: options.Overwrite = False
    min_age: options.MinAge = "0s"
    allow_empty: options.AllowEmpty = False
    quiet: options.Quiet = False
    debug: options.Debug = False
    config: options.Config = None
    preset: options.Preset = None

    @cached_property
    def judging(self) -> Judging | None:
        """What is measured of every output, and what becomes of those that fail."""
        return options.judging(self.score, self.gate, self.gate_missing, self.if_fails)

    @cached_property
    def level(self) -> Loudness | None:
        """How loud the outputs shall be.

        Raises
        ------
        RecipeError
            A ceiling without a loudness, or nothing that can be reached.
        """
        from cleanaudio.batch.levelling import Loudness

        if self.loudness is not None:
            return Loudness(self.loudness, self.true_peak)
        if self.true_peak != options.TRUE_PEAK:
            raise RecipeError("--true-peak goes with --loudness", remedy="--clip-mode is for peaks over full scale")
        return None


_FIRST = ("inputs", "output")  # before the command's own in its help


def sharing(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the options of :class:`Shared` as its parameter ``shared``, beside its own.

    Parameters
    ----------
    command : callable
        ``command(shared, own=…)``, all its own parameters with defaults.

    Returns
    -------
    callable
        Takes every option by its name: what typer wants.
    """
    own = dict(inspect.signature(command, eval_str=True).parameters)
    del own["shared"]
    shared = dict(inspect.signature(Shared, eval_str=True).parameters)
    ordered = {name: shared[name] for name in _FIRST} | own | shared

    def run(**given: Any) -> None:
        command(Shared(**{name: given.pop(name) for name in shared}), **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in ordered.values()]
    )
    run.__annotations__ = {}
    return run
