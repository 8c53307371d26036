"""A training run put together: recordings, rooms, mixer, development pairs, and the trainer over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from cleanaudio.errors import CleanAudioError, InputError, RecipeError
from cleanaudio.networks.checkpoint import BEST, LAST
from cleanaudio.train import about, config, corpus, evaluate, rooms
from cleanaudio.train.config import TrainConfig
from cleanaudio.train.data import Mixer
from cleanaudio.train.loop import Log, Trainer
from cleanaudio.train.swapped import swapped

ROOM_S = 1.0
"""Length of a room response."""


@dataclass(frozen=True)
class Request:
    """What a run is to be.

    Parameters
    ----------
    config : TrainConfig
    run_dir : Path
    speech, noise, rir : tuple of Path
        Folders or manifests; see :func:`cleanaudio.train.clips.scan`.
    dev : Path, optional
        Folder of noisy/clean pairs.
    dev_pairs : int
        So many of them, evenly out of all.
    cache : Path
        For decoded recordings; see :func:`cleanaudio.train.corpus.load`.
    device : str
    resume : bool
        Go on with the run of the folder.
    start : Path, optional
        A checkpoint whose weights are the first ones.
    """

    config: TrainConfig
    run_dir: Path
    speech: tuple[Path, ...]
    noise: tuple[Path, ...]
    rir: tuple[Path, ...]
    cache: Path
    dev: Path | None = None
    dev_pairs: int = 20
    device: str = "cpu"
    resume: bool = False
    start: Path | None = None


def configure(
    network: str, source: Path | None, run_dir: Path, resume: bool, changes: Mapping[str, Any]
) -> TrainConfig:
    """Return the config of a run.

    Parameters
    ----------
    network : str
        Or the name of another config that comes with the package.
    source : Path, optional
        A TOML file; default: the run's own where it is resumed, else the one that comes with the network.
    run_dir : Path
    resume : bool
    changes : mapping
        Values by key, those of tables with the table's name before a dot: ``mix.rate``.

    Raises
    ------
    RecipeError
        No such network, an unknown key, or a config of another network.
    InputError
        The run that is to be resumed has lost its config.
    """
    shipped = config.shipped()
    if network not in shipped:
        raise RecipeError(f"there is no network {network!r}", remedy=f"there are: {', '.join(shipped)}")
    if source is None:
        own = run_dir / "config.toml"
        if resume and (run_dir / LAST).exists() and not own.exists():
            raise InputError("the config of the run is missing", path=own, remedy="name another one with --config")
        source = own if resume and own.exists() else shipped[network]
    chosen = config.changed(config.read(source), changes)
    if chosen.network != config.read(shipped[network]).network:
        raise RecipeError(f"this config is of the network {chosen.network}, not {network}", path=source)
    return chosen


class NotBegun(CleanAudioError):
    """The first of several processes could not prepare the run, and has said why."""


def prepare(request: Request, log: Log = lambda row: None, say: Callable[[str], None] = lambda text: None) -> Trainer:
    """Do everything that comes before the first step; of several processes the first one begins, and fills the cache.

    Parameters
    ----------
    request : Request
    log : callable, optional
        Told the columns of log.csv now and then.
    say : callable, optional
        Told what the user should know.

    Raises
    ------
    InputError
        No usable recordings or pairs, or a folder that holds another run.
    OutputError
        The cache cannot be written.
    RecipeError
        A config that makes no sense.
    ModelError
        A checkpoint that is broken or of another network.
    NotBegun
        In the other processes, where the first one met one of these.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return _prepared(request, log, say)
    if distributed.get_rank():
        if not _told(False, request.device):
            raise NotBegun("the first process has not begun")
        return _prepared(request, lambda row: None, lambda text: None, follower=True)
    try:
        trainer = _prepared(request, log, say)
    except Exception:
        _told(False, request.device)
        raise
    _told(True, request.device)
    return trainer


def _told(well: bool, device: str) -> bool:
    """Return in every process what the first one tells: whether it is prepared."""
    word = torch.tensor(float(well), device=device)
    distributed.broadcast(word, 0)
    return bool(word)


def _prepared(request: Request, log: Log, say: Callable[[str], None], follower: bool = False) -> Trainer:
    _check_folder(request.run_dir, request.resume)
    c = request.config
    bank = rooms.bank(request.rir, c.mix.rate, ROOM_S, c.simulated_rooms, c.seed, say)
    speech = corpus.load(request.speech, request.cache, "speaker", True, c.mix.rate, say)
    noise = corpus.load(request.noise, request.cache, "type", False, c.mix.rate, say)
    say(f"speech {speech.seconds / 60:.0f} min, noise {noise.seconds / 60:.0f} min, room responses {len(bank)}")
    if swapped(speech, noise):
        say("the noise sounds more like voices than the speech does: are --speech and --noise swapped?")
    pairs = None
    if request.dev is not None and not follower:
        pairs = evaluate.load_pairs(request.dev, c.mix.rate, request.dev_pairs)
    if pairs is None and not follower and (c.schedule == "plateau" or c.early_stop):
        say("without --dev nothing is evaluated: no plateau lowers the learning rate, and no early stop ends the run")
    mixer = Mixer(speech, noise, bank, c.mix, c.seed, request.device)
    trainer = Trainer(c, mixer, request.run_dir, pairs, request.device, log)
    earlier: Mapping[str, Any] = {}
    if request.resume:
        trainer.resume()
        earlier = about.read(request.run_dir)
    elif request.start is not None:
        facts = trainer.start_from(request.start)
        earlier = {"before": {name: facts[name] for name in about.COUNTED}, "data": facts["data"]}
    if not follower:
        sources = {"speech": request.speech, "noise": request.noise, "rir": request.rir}
        trainer.made_of = about.gathered(sources, request.device, [*speech.skipped, *noise.skipped], earlier)
    return trainer


def _check_folder(run_dir: Path, resume: bool) -> None:
    """Look whether a run may begin, or go on, in a folder."""
    held = (run_dir / LAST).exists()
    if not resume and (held or (run_dir / BEST).exists()):
        way = "resume it, or name" if held else "its last checkpoint is missing; name"
        raise InputError("this folder already holds a run", path=run_dir, remedy=f"{way} another folder")
    if resume and not held:
        raise InputError("there is no run to resume", path=run_dir, remedy="begin one without --resume")
