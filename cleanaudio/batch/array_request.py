"""What a ``beamform`` run does with every recording, and its resolved, hashable form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cleanaudio
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.batch.choices import METHODS, POSTFILTER_STRENGTH, Method
from cleanaudio.batch.masking import Masking
from cleanaudio.batch.output import Output
from cleanaudio.batch.recipe import JUDGES, described, versions
from cleanaudio.batch.voice import REVISION as GUARD_REVISION
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.dereverb import REVISION as DEREVERB_REVISION
from cleanaudio.spatial.dereverb import check_strength
from cleanaudio.spatial.geometry import Direction, Geometry, speed_of_sound

if TYPE_CHECKING:
    from cleanaudio.batch.take import Stretch

LEARNING = ("mvdr", "gev", "mwf")
"""Methods that learn from the recording where voice and noise are."""

REVISION = 4
"""Raised whenever the samples that come out of a beamformer change; part of the recipe's hash."""

MOST_MU, LONGEST_BLOCK_S = 1000.0, 3600.0
_NOMINAL_RATE = 48000


@dataclass(frozen=True)
class ArrayRequest:
    """What a ``beamform`` run does with every recording. Microphones are counted from 0.

    Parameters
    ----------
    method : {"mvdr", "gev", "mwf", "delay-and-sum", "superdirective"}
    geometry : Geometry, optional
        Of the microphones.
    direction : Direction, optional
        Of the voice.
    temperature_c : float
        Of the air.
    noise_from : (float, float or None), optional
        A stretch of each recording that holds only noise, seconds; in place of masks.
    mask : str, optional
        What tells voice from noise, as :func:`cleanaudio.batch.masking.decide` gives it.
    mu : float, optional
        Of ``mwf``.
    rank1 : bool
        The voice is one source without reverberation.
    block_s : float, optional
        Seconds that are heard before they are filtered; shorter follows moving talkers.
    reference : int, optional
        Microphone that the output is aligned with; default: the one in which the voice stands out most from the noise.
    mics : tuple of int, optional
        Channels of the recording that are used, in this order.
    keep_bad : bool
        Use microphones that are broken as if they were not.
    keep_channels : bool
        The voice as each microphone in use hears it, in place of the reference alone.
    dereverb : float
        0 … 1: how much of the reverberation is taken away before the beamformer.
    postfilter : str, optional
        Spec of what cleans the result, ``auto`` already decided.
    postfilter_strength : float
        0 … 1.
    guard : bool
        Take the postfilter back where it harms the voice.
    device : str
        ``"cpu"`` or ``"cuda"``.
    output : Output
        How every result is written.

    Raises
    ------
    RecipeError
        Options that do not go together.
    """

    method: Method = "mvdr"
    geometry: Geometry | None = None
    direction: Direction | None = None
    temperature_c: float = 20.0
    noise_from: Stretch | None = None
    mask: str | None = None
    mu: float | None = None
    rank1: bool = False
    block_s: float | None = None
    reference: int | None = None
    mics: tuple[int, ...] | None = None
    keep_bad: bool = False
    keep_channels: bool = False
    dereverb: float = 0.0
    postfilter: str | None = None
    postfilter_strength: float = POSTFILTER_STRENGTH
    guard: bool = False
    device: str = "cpu"
    output: Output = field(default_factory=Output)

    def __post_init__(self) -> None:
        speed_of_sound(self.temperature_c)
        check_strength(self.dereverb)
        method, learns = self.method, self.method in LEARNING
        if method not in METHODS:
            raise RecipeError(f"there is no method {method!r}", remedy=f"there are: {', '.join(METHODS)}")
        if self.direction is not None and self.geometry is None:
            raise RecipeError("a direction needs to know where the microphones are", remedy="give --array")
        if method == "superdirective" and self.geometry is None:
            raise RecipeError(f"{method} needs to know where the microphones are", remedy="give --array")
        if self.fixed and self.direction is None:
            raise RecipeError(
                f"{method} with an --array needs the --direction of the voice", remedy="cleanaudio locate finds it"
            )
        if self.direction is not None and method in ("gev", "mwf"):
            raise RecipeError(f"{method} finds the voice by itself: leave out --direction", remedy="or choose mvdr")
        if learns and self.mask is None and self.noise_from is None:
            raise RecipeError(f"{method} needs to know the noise", remedy="give --mask or --noise-from")
        if self.noise_from is not None and not learns:
            raise RecipeError(f"{method} does not learn from a stretch of noise: leave out --noise-from")
        if self.mu is not None and method != "mwf":
            raise RecipeError(f"--mu belongs to mwf, not to {method}")
        if self.mu is not None and not 0 <= self.mu <= MOST_MU:
            raise RecipeError(f"--mu lies between 0 and {MOST_MU:g}, not {self.mu:g}")
        if self.rank1 and not learns:
            raise RecipeError(f"--rank1 belongs to {', '.join(LEARNING)}, not to {method}")
        if self.block_s is not None and not (learns and 0.25 <= self.block_s <= LONGEST_BLOCK_S):
            limits = f"--block lies between 0.25 and {LONGEST_BLOCK_S:g} s"
            raise RecipeError(limits if learns else f"--block does not belong to {method}")
        if self.reference is not None and self.mics is not None and self.reference not in self.mics:
            raise RecipeError(f"--ref {self.reference + 1} is not among --mics")

    @property
    def fixed(self) -> bool:
        """Whether the beamformer is a fixed filter, known before anything is heard."""
        return self.method == "superdirective" or (self.method == "delay-and-sum" and self.geometry is not None)

    @property
    def speed(self) -> float:
        """Speed of sound, m/s."""
        return speed_of_sound(self.temperature_c)

    @property
    def masking(self) -> Masking | None:
        """What tells voice from noise; None where nothing has to."""
        needed = self.mask is not None and self.noise_from is None and not self.fixed
        return Masking(str(self.mask), self.device) if needed else None

    def after(self, rate: int, channels: int, threads: int = 1) -> chain.Chain | None:
        """Return the chain that cleans the result.

        Raises
        ------
        RecipeError, BackendUnavailable, ModelError
        """
        if self.postfilter is None:
            return None
        settings = chain.Settings(parse(self.postfilter), strength=self.postfilter_strength)
        return chain.resolve(settings, Setup(rate, channels, threads=threads, device=self.device))

    def resolved(self) -> dict[str, Any]:
        """Return everything that decides the samples, JSON-serialisable.

        Raises
        ------
        RecipeError, BackendUnavailable, ModelError
            What is wrong with the request for every recording alike.
        """
        output = self.output.resolved()
        masking, after = self.masking, self.after(_NOMINAL_RATE, 1)
        masks = masking.links(_NOMINAL_RATE) if masking else ()
        cleaning = after.links if after else ()
        return {
            "cleanaudio": cleanaudio.__version__,
            "beamformer": {"method": self.method, "revision": REVISION},
            "array": None if self.geometry is None else self.geometry.positions.tolist(),
            "direction": self.direction and [self.direction.azimuth_deg, self.direction.elevation_deg],
            "temperature_c": self.temperature_c,
            "noise_from": self.noise_from,
            "mask": masking and [masking.spec, described(masks)],
            "mu": self.mu,
            "rank1": self.rank1,
            "block_s": self.block_s,
            "reference": self.reference,
            "mics": self.mics,
            "keep_bad": self.keep_bad,
            "keep_channels": self.keep_channels,
            "dereverb": {"strength": self.dereverb, "revision": DEREVERB_REVISION} if self.dereverb else None,
            "postfilter": after and [self.postfilter_strength, described(cleaning)],
            "guard": {"revision": GUARD_REVISION} if self.guard and after is not None else None,
            "device": self.device,
            **output,
            "libraries": versions((*masks, *cleaning), "scipy", *(JUDGES if self.guard or self.output.judging else ())),
        }
