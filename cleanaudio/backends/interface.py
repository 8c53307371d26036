"""The contract of a backend: what it says about itself, and what it makes.

Audio is float32 of shape ``(channels, frames)``, nominal range ±1, everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cleanaudio.errors import RecipeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cleanaudio.audio.processor import Processor
    from cleanaudio.backends.profile import NoiseProfile

    Audio = NDArray[np.float32]

Value = float | int | bool | str
ChannelMode = Literal["linked", "independent", "mid-side"]


@dataclass(frozen=True)
class Option:
    """One option of a backend, as shown by ``cleanaudio backends NAME`` and set by ``--set``.

    Parameters
    ----------
    name : str
    default : float, int, bool or str
        Its type is the option's type.
    help : str
    unit : str, optional
    low, high : float, optional
        Inclusive range of a number.
    choices : tuple of str, optional
        Allowed values of a string.
    """

    name: str
    default: Value
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, given: Value) -> Value:
        """Return ``given`` (text or a value of the right type) as this option's type.

        Raises
        ------
        RecipeError
            Wrong type, out of range, or not among the choices.
        """
        try:
            value = self._convert(given)
        except (TypeError, ValueError, OverflowError):
            kind = type(self.default).__name__
            raise RecipeError(f"option {self.name}: {given!r} is not {_TYPES[kind]}") from None
        if self.choices and value not in self.choices:
            raise RecipeError(f"option {self.name}: {value!r} is not one of {', '.join(self.choices)}")
        if not isinstance(value, str | bool):
            low = self.low if self.low is not None else float("-inf")
            high = self.high if self.high is not None else float("inf")
            if not low <= value <= high:  # also refuses NaN
                unit = f" {self.unit}" if self.unit else ""
                raise RecipeError(f"option {self.name}: {value:g} is outside {low:g} … {high:g}{unit}")
        return value

    def _convert(self, given: Value) -> Value:
        if isinstance(self.default, bool):
            text = str(given).lower()
            if text in ("1", "true", "yes", "on"):
                return True
            if text in ("0", "false", "no", "off"):
                return False
            raise ValueError(text)
        if isinstance(given, bool) and not isinstance(self.default, str):
            raise ValueError(given)
        if isinstance(self.default, int):
            number = float(given)
            if number != int(number):
                raise ValueError(given)
            return int(number)
        return type(self.default)(given)


_TYPES = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text"}


@dataclass(frozen=True)
class Setup:
    """What a processor is built for.

    Parameters
    ----------
    rate : int
        Rate of the recording, Hz.
    channels : int
        Channels that go in and come out.
    linked : bool
        One gain decision for all channels, instead of one for each.
    live : bool
        Wanted for live use: the smallest latency counts, and nothing may be known ahead.
    threads : int
        Threads that one processor may use.
    device : str
        ``"cpu"`` or ``"cuda"``.
    profile : NoiseProfile, optional
        A measured noise profile.
    cleaned : bool
        Whether another backend has cleaned the input.
    """

    rate: int
    channels: int
    linked: bool = True
    live: bool = False
    threads: int = 1
    device: str = "cpu"
    profile: NoiseProfile | None = None
    cleaned: bool = False

    @property
    def decisions(self) -> int:
        """How many gain decisions are made: one for linked channels, else one for each."""
        return 1 if self.linked else self.channels


@dataclass(frozen=True)
class Resolved:
    """What is known of a backend once its options are complete and its model, if any, has been opened.

    Parameters
    ----------
    rate : int
        The rate at which its processors run; the chain resamples where the recording has another.
    latency : int
        Algorithmic delay in frames at ``rate``.
    options : mapping
        Every option with its value.
    hashes : mapping
        What was read, by role: ``{"model": sha256}``.
    libraries : tuple of str
        Distributions whose version decides the samples.
    needs_analysis : bool
        Whether :meth:`Backend.analyse` must run before the walk.
    """

    rate: int
    latency: int
    options: Mapping[str, Value]
    hashes: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ("numpy",)
    needs_analysis: bool = False


Analysis = Mapping[str, Any]
"""What a first pass found: small and JSON-serialisable."""


class Backend(ABC):
    """A way to clean a signal. Static facts as class attributes, processors from :meth:`open`.

    Attributes
    ----------
    name : str
        As in ``--backend``.
    summary : str
        One line for ``cleanaudio backends``.
    kind : {"classical", "neural"}
    options : tuple of Option
        An option called ``limit_db`` is what ``--limit-db`` sets; a backend without one gets its output mixed
        with the input instead.
    revision : int
        Raised whenever the samples that come out change; part of the recipe's hash.
    extra : str or None
        The pip extra that brings its packages.
    live : bool
        Whether it can run without knowing the recording ahead.
    takes_argument : bool
        Whether ``name:ARGUMENT`` makes sense.
    takes_profile : bool
        Whether a noise profile is of use to it.
    keeps_room : bool
        Whether it is made to leave the reverberation of a voice as it is.
    """

    name: str
    summary: str
    kind: Literal["classical", "neural"]
    options: tuple[Option, ...] = ()
    revision: int = 1
    extra: str | None = None
    live: bool = True
    takes_argument: bool = False
    takes_profile: bool = False
    keeps_room: bool = False

    def require(self) -> None:  # noqa: B027 - most backends need nothing
        """Raise BackendUnavailable where an optional package is missing; cheap, imports nothing heavy."""

    @abstractmethod
    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Complete the options, open what they name.

        Parameters
        ----------
        setup : Setup
        options : mapping
            Those that the user set, already validated by :meth:`validate`.
        argument : str, optional
            What stood behind the colon.

        Raises
        ------
        RecipeError, BackendUnavailable, ModelError
        """

    @abstractmethod
    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor for ``resolved.rate`` and ``setup.channels`` (``setup.rate`` is the file's).

        It is given finite samples only, in blocks that are not changed afterwards.
        """

    def analyse(self, blocks: Iterable[Audio], setup: Setup, resolved: Resolved) -> Analysis:
        """Run the first pass over the whole recording, at ``resolved.rate``; :meth:`open` is given the result."""
        raise NotImplementedError(f"{self.name} has no first pass")

    def validate(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Check names, types and ranges of the options that the user set.

        Raises
        ------
        RecipeError
        """
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                names = ", ".join(known) or "none"
                raise RecipeError(f"backend {self.name} has no option {name!r}", remedy=f"its options: {names}")
        return {name: known[name].parse(value) for name, value in given.items()}

    def complete(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Return every option of this backend: the given value or the default."""
        return {option.name: given.get(option.name, option.default) for option in self.options}
