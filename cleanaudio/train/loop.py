"""The training loop: steps, schedules, checkpoints and evaluation on development pairs."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from cleanaudio.audio.temporary import write_text
from cleanaudio.backends import front
from cleanaudio.backends.interface import Setup
from cleanaudio.errors import CleanAudioError, RecipeError
from cleanaudio.networks import checkpoint, registry
from cleanaudio.networks.checkpoint import BEST, LAST
from cleanaudio.networks.interface import Network
from cleanaudio.train import about, graph
from cleanaudio.train.config import TrainConfig, render
from cleanaudio.train.data import Mixer
from cleanaudio.train.evaluate import Scores, evaluate
from cleanaudio.train.hearing import apply_front
from cleanaudio.train.objective import Objective
from cleanaudio.train.runlog import RunLog

Log = Callable[[dict[str, float]], None]
AfterStep = Callable[[int], bool]
GO_ON, FINISH, STOP = range(3)


class Diverged(CleanAudioError):
    """The loss is no longer a number; the last good checkpoint is kept."""


class Trainer:
    """One run in one folder.

    Parameters
    ----------
    config : TrainConfig
    mixer : Mixer
    run_dir : Path
        Gets config.toml, log.csv, loss.png and the checkpoints.
    pairs : list of (noisy, clean), optional
        Development pairs at the network's rate.
    device : torch.device
    log : callable, optional
        Told the columns of log.csv now and then.

    Attributes
    ----------
    made_of : mapping or None
        What :func:`cleanaudio.train.about.gathered` found; written with the first checkpoint, so that nothing is said
        to have been heard of which no trace is left.
    """

    def __init__(
        self,
        config: TrainConfig,
        mixer: Mixer,
        run_dir: Path,
        pairs: list[tuple[np.ndarray, np.ndarray]] | None = None,
        device: torch.device | str = "cpu",
        log: Log = lambda row: None,
    ) -> None:
        self.config, self.mixer, self.run_dir = config, mixer, run_dir
        self.pairs = [
            (apply_front(config.front, config.mix.rate, noisy[None])[0], clean) for noisy, clean in pairs or []
        ]
        self.device, self.log, self._run_log = torch.device(device), log, RunLog(run_dir)
        torch.manual_seed(config.seed)
        self.network = registry.build(config.network, config.options).to(self.device)
        if self.network.rate != config.mix.rate:
            raise RecipeError(
                f"{config.network} works at {self.network.rate} Hz, the config mixes at {config.mix.rate}"
            )
        _check_sizes(self.network, config)
        if config.front:
            front.resolve(config.front, Setup(config.mix.rate, 1))  # which looks whether it can be
        self.objective = Objective(config, self.network, self.device)
        self.mean = copy.deepcopy(self.network).requires_grad_(False)
        weights, rate = self.network.parameters(), config.learning_rate
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(weights, rate, weight_decay=config.weight_decay)
            if config.optimizer == "adamw"
            else torch.optim.Adam(weights, rate)
        )
        self.made_of: Mapping[str, Any] | None = None
        self.step = 0
        self.minutes = self.hours = self.evaluated = 0.0
        self.best = -math.inf
        self.worse = 0
        self.slowed = 1.0
        shared = distributed.is_available() and distributed.is_initialized()
        self.rank, self.world = (distributed.get_rank(), distributed.get_world_size()) if shared else (0, 1)

    def resume(self) -> None:
        """Go on from the last checkpoint of the folder.

        Raises
        ------
        ModelError
            None there, broken, or of another network.
        OutputError
            The log cannot be written.
        """
        path = self.run_dir / LAST
        tensors, facts = checkpoint.load(path)
        checkpoint.fill(self.network, checkpoint.part(tensors, "network."), path)
        checkpoint.fill(self.mean, checkpoint.part(tensors, "mean."), path)
        checkpoint.fill_optimizer(self.optimizer, checkpoint.part(tensors, "optimizer."))
        self.step, self.minutes, self.hours = facts["step"], facts["minutes"], facts["hours_heard"]
        self.evaluated = facts.get("evaluated", self.minutes)
        self.best = facts["best"]
        self.worse, self.slowed = facts["worse"], facts["slowed"]
        if self.stopped_early:
            self.worse = 0  # who resumes wants to see whether it comes to more
        if not self.rank:
            self._run_log.end_at(self.step)

    def start_from(self, path: Path) -> dict[str, Any]:
        """Begin with the weights of another run, its best ones if a folder is named, or of an export, and nothing else.

        Returns its facts: what is counted, with the runs before it, and the data of all of them.
        """
        if path.is_dir():
            path = path / (BEST if (path / BEST).exists() else LAST)
        if path.suffix == ".onnx":
            weights, facts = graph.weights(path)
        else:
            tensors, facts = checkpoint.load(path)
            weights = checkpoint.part(tensors, "mean.") or checkpoint.part(tensors, "network.")
            facts |= about.total(facts, path.parent) | {"data": about.read(path.parent).get("data", [])}
        weights = self.network.adopted(weights)
        checkpoint.fill(self.network, weights, path)
        checkpoint.fill(self.mean, weights, path)
        return facts

    def run(self, minutes: float = math.inf, after_step: AfterStep = lambda step: False) -> Scores | None:
        """Train until the last step, an early stop, or so many minutes from now; returns the last evaluation.

        Parameters
        ----------
        minutes : float
        after_step : callable, optional
            Told the number of each step; where it returns True the run ends with a checkpoint, and no evaluation.

        Raises
        ------
        Diverged
            The loss became infinite or no number.
        OutputError
            A checkpoint cannot be written.
        """
        self.run_dir.mkdir(parents=True, exist_ok=True)
        if self.rank == 0:
            if not self.step:
                self._run_log.clear()
            write_text(self.run_dir / "config.toml", render(self.config), "free some space")
        began, before = time.monotonic(), self.minutes
        saved = logged = began
        sums: dict[str, float] = {}
        count = 0
        scores = None
        end = GO_ON
        while end == GO_ON and self.step < self.config.steps:
            parts = self.one_step()
            count += 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            now = time.monotonic()
            self.minutes = before + (now - began) / 60
            finished = self.step >= self.config.steps or now - began >= 60 * minutes
            # The strongest wish to end of all processes, so that none is left waiting for the others.
            end = int(self._agreed(STOP if after_step(self.step) else FINISH if finished else GO_ON, "MAX"))
            due = self.minutes - self.evaluated >= self.config.evaluate_minutes or end == FINISH
            judging = bool(self.pairs) and self.rank == 0 and due and end != STOP
            if now - logged >= 30 or end or judging:
                self._record({name: value / count for name, value in sums.items()})
                sums, count, logged = {}, 0, now
            if judging:
                scores = self._judge()
                self.evaluated = before + (time.monotonic() - began) / 60
            if self.config.schedule == "plateau":
                self.slowed = self._agreed(self.slowed, "MIN")  # of which only the first, who judges, knows
            if self.config.early_stop:
                end = int(self._agreed(max(end, FINISH if self.stopped_early else GO_ON), "MAX"))
            if now - saved >= 60 * self.config.checkpoint_minutes or end or judging:
                self.save()  # after the evaluation, whose result belongs to it
                saved = now
                if self.rank == 0:
                    self._run_log.plot()
        return scores

    @property
    def stopped_early(self) -> bool:
        """Whether so many evaluations were no better that the run ends."""
        return 0 < self.config.early_stop <= self.worse

    def _agreed(self, value: float, how: str) -> float:
        """Return the greatest (``MAX``) or least (``MIN``) of the values of all processes."""
        if self.world == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, getattr(distributed.ReduceOp, how))
        return shared.item()

    def one_step(self) -> dict[str, float]:
        """Make one update; returns the loss and its parts."""
        self.network.train()
        rate = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        c, place = self.config, self.step * self.world + self.rank
        batch = self.mixer.batch(place, c.batch)
        batch = replace(batch, noisy=self._heard(batch.noisy, place))
        torch.manual_seed(c.seed + place)  # dropout, so that a resumed run goes on with what would have come
        loss, parts = self.objective(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.world > 1:
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.world
        gradient = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        values = {"loss": loss.item(), **{name: value.item() for name, value in parts.items()}}
        values |= {"gradient": gradient.item(), "rate": rate}
        if not (math.isfinite(values["loss"]) and math.isfinite(values["gradient"])):
            raise Diverged(
                f"the loss is {values['loss']} and its gradient {values['gradient']} at step {self.step}",
                path=self.run_dir,
                remedy=("resume from the last checkpoint" if (self.run_dir / LAST).exists() else "begin again")
                + " with a smaller learning rate",
            )
        self.optimizer.step()
        self.step += 1
        self.hours += c.batch * self.world * c.mix.seconds / 3600
        self._average()
        return values

    def _heard(self, noisy: Tensor, place: int) -> Tensor:
        """Return what the network hears of a batch; the front runs on the CPU."""
        c = self.config
        if not c.front:
            return noisy
        choose = np.random.default_rng((c.seed, 3, place))
        index = torch.from_numpy(np.flatnonzero(choose.random(len(noisy)) < c.front_share)).to(self.device)
        behind = apply_front(c.front, c.mix.rate, noisy[index].cpu().numpy())
        return noisy.index_copy(0, index, torch.from_numpy(behind).to(self.device))

    def learning_rate(self) -> float:
        """Return the learning rate of the step that comes."""
        c = self.config
        rate = c.learning_rate * min(1.0, (self.step + 1) / max(c.warmup, 1))
        if c.schedule == "cosine" and self.step > c.warmup:
            part = (self.step - c.warmup) / max(c.steps - c.warmup, 1)
            rate *= 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))
        return rate * self.slowed

    def save(self) -> None:
        """Write the last checkpoint, and before the first one what the run is made of."""
        if self.rank:
            return
        if self.made_of is not None:
            about.write(self.run_dir, self.made_of)
            self.made_of = None
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"mean.{name}": value for name, value in self.mean.state_dict().items()}
        optimizer = checkpoint.optimizer_tensors(self.optimizer)
        tensors |= {f"optimizer.{name}": value for name, value in optimizer.items()}
        checkpoint.save(self.run_dir / LAST, tensors, self._facts())

    def _facts(self) -> dict[str, float | str | dict]:
        return {
            "network": self.config.network,
            "options": dict(self.config.options),
            "front": self.config.front,
            "step": self.step,
            "minutes": self.minutes,
            "hours_heard": self.hours,
            "evaluated": self.evaluated,
            "best": self.best,
            "worse": self.worse,
            "slowed": self.slowed,
        }

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        ours, theirs = self.network.state_dict(), self.mean.state_dict()
        for name, value in theirs.items():
            if value.is_floating_point():
                value.lerp_(ours[name], 1 - decay)
            else:
                value.copy_(ours[name])

    def _judge(self) -> Scores:
        assert self.pairs
        scores = evaluate(self.mean, self.pairs, self.config.mix.rate)
        self._record({"pesq": scores.pesq, "si_sdr_db": scores.si_sdr_db})
        if scores.rank > self.best:
            self.best, self.worse = scores.rank, 0
            tensors = {f"mean.{name}": value for name, value in self.mean.state_dict().items()}
            facts = self._facts() | {"pesq": scores.pesq, "si_sdr_db": scores.si_sdr_db}
            checkpoint.save(self.run_dir / BEST, tensors, facts)
        else:
            self.worse += 1
            if self.config.schedule == "plateau" and self.worse % (self.config.plateau_patience + 1) == 0:
                self.slowed *= self.config.plateau_factor
        return scores

    def _record(self, values: dict[str, float]) -> None:
        if self.rank:
            return
        row = {"step": self.step, "hours_heard": round(self.hours, 3), "minutes": round(self.minutes, 2)}
        row |= {name: float(f"{value:.5g}") for name, value in values.items()}
        self._run_log.add(row)
        self.log(row)


@torch.no_grad()
def _check_sizes(network: Network, config: TrainConfig) -> None:
    """Look whether a network can clean anything at all: torch builds layers that it cannot run.

    Raises
    ------
    RecipeError
    """
    silence = torch.zeros(1, round(config.mix.seconds * config.mix.rate), device=next(network.parameters()).device)
    network.eval()
    try:
        network.enhance(silence)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(f"network {config.network} cannot have these sizes: {reason}") from error
    network.train()
