"""A training run on the terminal: its bar, its signals, its processes under torchrun."""

from __future__ import annotations

import math
import os
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.cli.console import complain, plain, print_table, say, stderr
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import BackendUnavailable, OutputError

if TYPE_CHECKING:
    from cleanaudio.train.loop import Scores
    from cleanaudio.train.run import Request

LINE_S = 300.0
"""Seconds between lines where there is no terminal."""
PATIENCE_S = 3.0
"""A signal is heard after the step, for the sake of a checkpoint; another one, so much later, at once."""


def require(what: str) -> None:
    """Raise BackendUnavailable where a package of the extra ``torch`` is missing."""
    for package in ("torch", "safetensors", "onnx"):
        if find_spec(package) is None:
            raise BackendUnavailable(what, "torch", f"the package {package} is not installed")


def toml(text: str) -> Any:
    """Return a value as TOML reads it, or else the text itself.

    Examples
    --------
    >>> toml("[256, 1024]"), toml("0.5"), toml("cosine")
    ([256, 1024], 0.5, 'cosine')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def show_networks() -> None:
    """List what can be trained, by config."""
    from rich.table import Table

    from cleanaudio.train import config

    table = Table("config", "network", "rate", "what it is", box=None, header_style="bold")
    for name, path in config.shipped().items():
        chosen = config.read(path)
        about = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        table.add_row(name, chosen.network, f"{chosen.mix.rate} Hz", plain(about))
    print_table(table)


def run(request: Request, minutes: float | None, threads: int | None, quiet: bool) -> int:
    """Train; return the exit code."""
    import torch

    from cleanaudio.train.loop import Diverged
    from cleanaudio.train.run import NotBegun, prepare

    if threads is not None:
        torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    stop = Stop(patience_s=PATIENCE_S)
    with _processes(request) as (request, first):
        watch = Watch(request.config.steps, stop, shown=first and not quiet)
        try:
            trainer = prepare(request, watch.log, say if watch.shown else lambda text: None)
            with stop.listening(), watch:
                scores = trainer.run(math.inf if minutes is None else minutes, watch.after_step)
        except NotBegun:
            return Exit.USAGE
        except Stopped:
            return 128 + (stop.signal or 0)
        except (Diverged, OutputError) as error:
            complain(error)
            return Exit.SOME_FAILED
        except OSError as error:
            complain(OutputError(f"the run cannot be written: {error.strerror}", path=error.filename))
            return Exit.SOME_FAILED
    if watch.shown:
        trial = f"cleanaudio denoise FILE -b torch:{request.run_dir}"
        early = f", stopped early: {trainer.worse} evaluations were no better" if trainer.stopped_early else ""
        say(f"cleanaudio: {trainer.step} steps{early}{_scored(scores)}; try it: {trial}")
    return Exit.DONE if stop.signal is None else 128 + stop.signal


class Watch:
    """What a run tells: a bar on a terminal, else a line now and then.

    Parameters
    ----------
    steps : int
        Where the run ends.
    stop : Stop
    shown : bool
    """

    def __init__(self, steps: int, stop: Stop, shown: bool) -> None:
        self.shown = shown
        self._steps, self._stop = steps, stop
        self._row: dict[str, float] = {}
        self._told = -math.inf
        self._bar = None
        if shown and stderr().is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                MofNCompleteColumn(),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True),
                console=stderr(),
            )
            self._task = self._bar.add_task("", total=steps, figures="")

    def __enter__(self) -> Watch:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def log(self, row: dict[str, float]) -> None:
        """Take a row of the run's log."""
        self._row |= row
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, figures=self._figures())
        elif self.shown and (now - self._told >= LINE_S or "pesq" in row):
            self._told = now
            say(f"step {self._row['step']:.0f} of {self._steps}: {self._figures()}")

    def after_step(self, step: int) -> bool:
        """Show the step; return whether the run is to end."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        return self._stop.signal is not None

    def _figures(self) -> str:
        forms = {
            "loss": "loss {:.3g}",
            "rate": "rate {:.0e}",
            "hours_heard": "{:.1f} h",
            "pesq": "PESQ {:.2f}",
            "si_sdr_db": "SI-SDR {:.1f}",
        }
        found = {name: self._row.get(name, math.nan) for name in forms}
        return ", ".join(form.format(found[name]) for name, form in forms.items() if math.isfinite(found[name]))


def _scored(scores: Scores | None) -> str:
    return "" if scores is None else f", PESQ {scores.pesq:.3f}, SI-SDR {scores.si_sdr_db:.2f} dB"


@contextmanager
def _processes(request: Request) -> Iterator[tuple[Request, bool]]:
    """Join the other processes of torchrun, if there are any; yields the request and whether this is the first one."""
    from cleanaudio.networks.device import check

    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several and request.device == "cuda":
        request = replace(request, device=f"cuda:{os.environ['LOCAL_RANK']}")
    check(request.device)
    if not several:
        yield request, True
        return
    # Its functions keep, as a default, the group that is there while they are imported, and torch imports them now and
    # then; the threads of a group that is kept outlive the interpreter, and may abort the process.
    import torch.distributed.nn  # noqa: F401
    from torch import cuda, distributed

    if request.device != "cpu":
        cuda.set_device(request.device)
    distributed.init_process_group("gloo" if request.device == "cpu" else "nccl")
    try:
        yield request, distributed.get_rank() == 0
    finally:
        distributed.destroy_process_group()
