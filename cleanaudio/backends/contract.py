"""Models that the user names: what all contracts promise, and what the backends that run such a model share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cleanaudio.audio.processor import Processor
from cleanaudio.backends.front import NO_FRONT, Front
from cleanaudio.backends.interface import Analysis, Backend, Resolved, Setup, Value
from cleanaudio.backends.linking import spread
from cleanaudio.backends.offset import WithoutOffset
from cleanaudio.errors import ModelError, RecipeError


class Contract(Protocol):
    """A model that is loaded, as one of the contracts sees it.

    Attributes
    ----------
    rate : int
        Hz.
    latency : int
        Samples at that rate.
    """

    rate: int
    latency: int

    def open(self, setup: Setup) -> Processor:
        """Return a fresh processor for all channels of ``setup``."""
        ...


class MonoContract(ABC):
    """A contract whose processors take one channel.

    Attributes
    ----------
    rate : int
        Hz.
    step : int
        Samples that its processors wait for, as of :class:`~cleanaudio.backends.linking.Linked`.
    """

    rate: int
    step: int = 0

    def open(self, setup: Setup) -> Processor:
        """Return a fresh processor for all channels of ``setup``."""
        return spread([self._make() for _ in range(setup.decisions)], setup, self.rate, self.step)

    @abstractmethod
    def _make(self) -> Processor:
        """Return a fresh processor for one channel."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run.

    Parameters
    ----------
    contract : Contract
    hashes : mapping
        SHA-256 of what was read, by role.
    front : Front
        What cleans recordings before the model hears them.
    """

    contract: Contract
    hashes: Mapping[str, str]
    front: Front = NO_FRONT


@dataclass(frozen=True)
class ResolvedModel(Resolved):
    """What is known of a model that the user named, and where it lies.

    Parameters
    ----------
    model : str
        The argument of the spec; a path is not part of what decides the samples, its content is.
    """

    model: str = ""


class ModelBackend(Backend):
    """A backend that runs a model which the user names.

    Attributes
    ----------
    runtime : str
        Distribution that runs the model.
    wants : (str, str)
        What its argument is, and the remedy where there is none.
    """

    kind = "neural"
    takes_argument = True
    runtime: str
    wants: tuple[str, str]

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> ResolvedModel:
        """Load the model."""
        if not argument:
            what, remedy = self.wants
            raise RecipeError(f"backend {self.name} needs {what}", remedy=remedy)
        complete = self.complete(options)
        model = self.load(argument, setup, complete)
        return ResolvedModel(
            rate=model.contract.rate,
            latency=model.contract.latency,
            options=complete,
            hashes={**model.hashes, **model.front.hashes},
            libraries=("numpy", self.runtime, *model.front.libraries),
            model=argument,
        )

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        assert isinstance(resolved, ResolvedModel)
        model = self.load(resolved.model, setup, resolved.options)
        if {**model.hashes, **model.front.hashes} != resolved.hashes:  # its hash stands in the results
            raise ModelError(
                "was replaced while it was in use",
                path=resolved.model,
                remedy="run it again, or clean with a copy of it",
            )
        path = model.front.before(model.contract.open(setup))
        return WithoutOffset(path, setup.channels, model.contract.rate)

    @abstractmethod
    def load(self, argument: str, setup: Setup, options: Mapping[str, Value]) -> Loaded:
        """Return the model of an argument.

        Parameters
        ----------
        argument : str
            What stood behind the colon.
        setup : Setup
        options : mapping
            All of them.

        Raises
        ------
        RecipeError, BackendUnavailable, ModelError
        """
