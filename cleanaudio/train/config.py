"""What a training run is: one TOML file, every key known."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cleanaudio.errors import RecipeError
from cleanaudio.networks.registry import check_types, names
from cleanaudio.train.mix import MixConfig

#: Levels of speech, and what PESQ and ESTOI hear, are measured through such a window.
WINDOW_SECONDS = 0.032


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Parameters
    ----------
    network : str
    options : mapping
        Fields of the network's config.
    mix : MixConfig
    seed : int
    batch : int
        Examples for each step and process.
    steps : int
        Where the run ends.
    optimizer : {"adamw", "adam"}
    learning_rate, weight_decay, clip : float
        Of the optimizer; ``clip`` bounds the norm of the gradient.
    schedule : {"plateau", "cosine", "constant"}
    warmup : int
        Steps over which the learning rate rises.
    plateau_factor : float
    plateau_patience : int
        The rate is multiplied by the factor after more than so many evaluations that were no better.
    average : float
        Decay of the running mean of the weights, for each step.
    target : {"signal", "spectrum", "irm", "ibm", "psm"}
        What the loss compares: signals, the spectra that the network makes (for networks on frames), or masks (for
        networks that have them).
    front : str
        Spec of the classical cleaning that the network stands behind; empty: none. The model will say so.
    front_share : float
        Share of the examples that go through the front; live, and in a series, the network must do without it.
    loss_sizes : tuple of int
        Windows of the spectral loss.
    si_snr_weight, level_weight : float
        Of the loss, for each dB.
    complex_share : float
        Of the complex error in the spectral one; the magnitude's is one minus it.
    disturbance_weight : float
        Of the loss, for each point that a listener's opinion falls.
    intelligibility_weight : float
        Of the loss, for all words lost.
    evaluate_minutes, checkpoint_minutes : float
    early_stop : int
        Evaluations without a better one until the run ends; 0: never.
    simulated_rooms : int
    mixed_precision : bool
        Run the network in bfloat16 on a GPU, and on processors that multiply it (AVX-512 BF16).
    """

    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    mix: MixConfig = field(default_factory=MixConfig)
    seed: int = 1
    batch: int = 8
    steps: int = 100_000
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    clip: float = 5.0
    schedule: str = "cosine"
    warmup: int = 500
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    average: float = 0.999
    target: str = "signal"
    front: str = ""
    front_share: float = 0.8
    loss_sizes: tuple[int, ...] = (512, 2048)
    si_snr_weight: float = 0.005
    complex_share: float = 0.4
    level_weight: float = 0.005
    disturbance_weight: float = 0.0
    intelligibility_weight: float = 0.0
    evaluate_minutes: float = 20.0
    checkpoint_minutes: float = 5.0
    early_stop: int = 0
    simulated_rooms: int = 300
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.network, str):
            raise RecipeError(f"network = {self.network!r} is not text", remedy=f"there are: {', '.join(names())}")
        check_types(self)
        check_types(self.mix, "mix.")
        _choice("optimizer", self.optimizer, ("adamw", "adam"))
        _choice("schedule", self.schedule, ("plateau", "cosine", "constant"))
        _choice("target", self.target, ("signal", "spectrum", "irm", "ibm", "psm"))
        _choice("mix.target", self.mix.target, ("room", "early"))
        _positive("batch", self.batch)
        _positive("steps", self.steps)
        _positive("learning_rate", self.learning_rate)
        _positive("clip", self.clip)
        for name in (
            *("seed", "weight_decay", "warmup", "plateau_patience", "early_stop", "simulated_rooms"),
            *("si_snr_weight", "level_weight", "disturbance_weight", "intelligibility_weight"),
        ):
            _not_negative(name, getattr(self, name))
        if self.seed >= 1 << 63:
            raise RecipeError(f"seed = {self.seed} is too large", remedy="it must be below 2^63")
        for name in ("evaluate_minutes", "checkpoint_minutes"):
            _not_negative(name, getattr(self, name), endless=True)
        _not_negative("mix.snr_lean", self.mix.snr_lean)
        for name in ("rate", "seconds", "stock", "remix"):
            _positive(f"mix.{name}", getattr(self.mix, name))
        for name in ("speech_dbfs", "snr_db", "speed", "formants"):
            _range(f"mix.{name}", getattr(self.mix, name))
        for name in ("speed", "formants"):  # ratios, drawn by their logarithm
            _positive(f"mix.{name}[0]", getattr(self.mix, name)[0])
        if not self.loss_sizes or not all(isinstance(size, int) and size >= 16 for size in self.loss_sizes):
            raise RecipeError(
                f"loss_sizes = {list(self.loss_sizes)} are no windows", remedy="name sizes from 16 samples"
            )
        if self.mix.seconds * self.mix.rate < max(self.loss_sizes):
            raise RecipeError(
                f"mix.seconds = {self.mix.seconds:g} is too short",
                remedy=f"an excerpt holds the largest of loss_sizes, {max(self.loss_sizes)} samples, at least",
            )
        if self.mix.seconds < WINDOW_SECONDS:
            raise RecipeError(
                f"mix.seconds = {self.mix.seconds:g} is too short", remedy=f"it must be {WINDOW_SECONDS:g} at least"
            )
        for name in ("front_share", "complex_share", "average", "plateau_factor"):
            _share(name, getattr(self, name))
        for item in fields(self.mix):
            if item.name.endswith("_share") or item.name == "two_noises":
                _share(f"mix.{item.name}", getattr(self.mix, item.name))


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"{name} = {value!r} is not one of {', '.join(allowed)}")


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        problem = "too small" if value <= 0 else "not finite"
        raise RecipeError(f"{name} = {value:g} is {problem}", remedy="it must be above zero and finite")


def _not_negative(name: str, value: float, endless: bool = False) -> None:
    if not value >= 0 or (value == math.inf and not endless):
        problem = "below zero" if value < 0 else "not finite"
        raise RecipeError(f"{name} = {value:g} is {problem}", remedy="it must be zero or above, and finite")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RecipeError(f"{name} = {value:g} is no share", remedy="it lies between 0 and 1")


def _range(name: str, value: tuple[float, ...]) -> None:
    numbers = len(value) == 2 and all(isinstance(end, int | float) for end in value)
    if not numbers or not -math.inf < value[0] <= value[1] < math.inf:
        raise RecipeError(f"{name} = {list(value)} is no range", remedy="give the lowest and the highest value")


def from_mapping(values: Mapping[str, Any]) -> TrainConfig:
    """Build a config from nested plain values.

    Raises
    ------
    RecipeError
        An unknown key, none for the network, or a value that does not fit.
    """
    known = {item.name for item in fields(TrainConfig)}
    _known(values, known, "")
    if "network" not in values:
        raise RecipeError("the config does not say which network", remedy='add: network = "fullband"')
    mix = _table("mix", values.get("mix", {}))
    _table("options", values.get("options", {}))
    _known(mix, {item.name for item in fields(MixConfig)}, "mix.")
    tidy = {key: _tuples(value) for key, value in values.items() if key != "mix"}
    return TrainConfig(**tidy, mix=MixConfig(**{key: _tuples(value) for key, value in mix.items()}))


def changed(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    """Return a config with other values, those of tables by the table's name before a dot: ``mix.rate``.

    Raises
    ------
    RecipeError
        An unknown key, or a value that does not fit.
    """
    values = asdict(config)
    for key, value in changes.items():
        table, dot, name = key.rpartition(".")
        if dot and table not in ("mix", "options"):
            raise RecipeError(f"the config has no table {table}", remedy="there are mix and options")
        (_table(table, values[table]) if dot else values)[name] = value
    return from_mapping(values)


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{name} = {value!r} is not a table", remedy=f"set its keys: {name}.KEY = VALUE")
    return value


def _known(values: Mapping[str, Any], known: set[str], prefix: str) -> None:
    for key in values:
        if key not in known:
            raise RecipeError(
                f"the config has an unknown key {prefix}{key}", remedy=f"known: {', '.join(sorted(known))}"
            )


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read(path: Path) -> TrainConfig:
    """Read a TOML file.

    Raises
    ------
    RecipeError
        Not TOML, or an unknown key.
    """
    try:
        return from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
    except RecipeError as error:
        error.path = str(path)
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RecipeError(f"the config cannot be read ({error})", path=path) from error


def shipped() -> dict[str, Path]:
    """Return the configs that come with the package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "configs").glob("*.toml"))}


def render(config: TrainConfig) -> str:
    """Return the TOML text of a config, every value written out."""
    values = asdict(config)
    tables = {key: dict(values.pop(key)) for key in ("options", "mix")}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    for name, table in tables.items():
        lines += ["", f"[{name}]"] + [f"{key} = {_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which JSON does not escape
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
