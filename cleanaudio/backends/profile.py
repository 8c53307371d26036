"""The noise print: what the noise of a room or machine sounds like, measured once and used at any rate."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.speech import Segment, Segments, noise_only
from cleanaudio.errors import InputError, OutputError, RecipeError

Audio = NDArray[np.float32]

KIND = "cleanaudio noise print"
_LOWEST = 1e-20
_SHORTEST_S = 0.1


@dataclass(frozen=True)
class NoiseProfile:
    """A noise print.

    Parameters
    ----------
    frequencies : tuple of float
        Hz, rising from 0 to half the rate.
    psd : tuple of float
        One-sided power spectral density at these frequencies, full scale² / Hz.
    rate : int
        Of the recording that it was measured on.
    window_s : float
        Length of the analysis window.
    seconds : float
        Noise that was listened to.
    level_dbfs : float
        Its power.
    spread_db : float
        Standard deviation of its level from frame to frame: up to 3 dB it is steady.
    source : str
        Where it was measured.
    stretches : tuple of (float, float)
        Seconds in the source.
    """

    frequencies: tuple[float, ...]
    psd: tuple[float, ...]
    rate: int
    window_s: float
    seconds: float
    level_dbfs: float
    spread_db: float
    source: str
    stretches: tuple[tuple[float, float], ...] = ()

    @cached_property
    def hash(self) -> str:
        """Hash of what decides the samples: the frequencies and densities."""
        numbers = np.array([self.frequencies, self.psd], "<f8")
        return hashlib.sha256(numbers.tobytes()).hexdigest()[:16]

    def at(self, frequencies: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the density at other frequencies, interpolated in decibels; beyond the print its last value holds.

        Parameters
        ----------
        frequencies : ndarray
            Hz.
        """
        known = np.log(np.maximum(self.psd, _LOWEST))
        return np.exp(np.interp(frequencies, self.frequencies, known))

    def power(self, analysis: NDArray[np.floating], rate: int) -> NDArray[np.float32]:
        """Return the mean |STFT|² that this noise has under an analysis window.

        Parameters
        ----------
        analysis : ndarray, shape (window,)
        rate : int
            Hz.

        Returns
        -------
        ndarray, shape (window // 2 + 1,), float32
        """
        size = len(analysis)
        density = self.at(np.arange(size // 2 + 1) * rate / size)
        return (density * rate * np.sum(np.square(analysis, dtype=np.float64)) / 2).astype(np.float32)

    def as_dict(self) -> dict[str, Any]:
        """Return the print as what ``json.dumps`` takes."""
        return {"kind": KIND, "version": 1} | {name: getattr(self, name) for name in self.__dataclass_fields__}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the print as JSON.

        Raises
        ------
        OutputError
        """
        try:
            Path(path).write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", path=path) from None

    @classmethod
    def load(cls, path: str | PathLike[str]) -> NoiseProfile:
        """Read a print.

        Raises
        ------
        InputError
            The file cannot be read, or is no print.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=path) from None
        except ValueError:
            raise InputError(
                "is not a noise print", path=path, remedy="make one with cleanaudio profile-noise"
            ) from None
        try:
            return cls._checked(content)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"is not a noise print: {error}", path=path, remedy="make one with cleanaudio profile-noise"
            ) from None

    @classmethod
    def _checked(cls, content: Any) -> NoiseProfile:
        if not isinstance(content, dict) or content.get("kind") != KIND:
            raise ValueError(f"its kind is not {KIND!r}")
        frequencies, psd = (tuple(float(value) for value in content[key]) for key in ("frequencies", "psd"))
        if len(frequencies) != len(psd) or len(psd) < 2:
            raise ValueError("frequencies and densities do not match")
        if any(b <= a for a, b in pairwise(frequencies)):
            raise ValueError("the frequencies do not rise")
        if not all(math.isfinite(value) and value >= 0 for value in (*frequencies, *psd)):
            raise ValueError("a density is not a positive number")
        return cls(
            frequencies,
            psd,
            int(content["rate"]),
            float(content["window_s"]),
            float(content["seconds"]),
            float(content["level_dbfs"]),
            float(content["spread_db"]),
            str(content["source"]),
            tuple((float(start), float(end)) for start, end in content["stretches"]),
        )


def measure(
    blocks: Iterable[Audio], rate: int, *, source: str, offset_s: float = 0.0, find: bool = False
) -> NoiseProfile:
    """Measure a print from a recording as it streams by.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (channels, n)
    rate : int
        Hz.
    source : str
        What it is called in the print.
    offset_s : float
        Where in the source the blocks begin.
    find : bool
        Look for the stretches without speech; otherwise everything is noise.

    Raises
    ------
    InputError
        Too short, or digitally silent.
    """
    segments: Segments | None = None
    for block in blocks:
        if segments is None:
            segments = Segments(rate, len(block), **({} if find else {"keep": None}))
        segments.add(block)
    if segments is None:
        raise InputError("holds no samples", path=source)
    heard = segments.finish()
    chosen = noise_only(heard) if find else heard
    if not chosen:
        raise InputError(
            f"holds no noise to measure: it is shorter than {_SHORTEST_S:g} s, or digitally silent",
            path=source,
            remedy="name a stretch of room tone with --from and --to",
        )
    return _profile(chosen, rate, segments.analysis, source, offset_s)


def _profile(
    segments: Sequence[Segment], rate: int, analysis: NDArray[np.float32], source: str, offset_s: float
) -> NoiseProfile:
    weights = np.array([segment.frames for segment in segments], float)
    power = np.average([segment.power for segment in segments], axis=0, weights=weights)
    levels = np.array([segment.level_dbfs for segment in segments])
    mean_level = 10 * np.log10(np.average(10 ** (levels / 10), weights=weights))
    within = np.average([segment.spread_db**2 for segment in segments], weights=weights)
    size = len(analysis)
    scale = 2 / (rate * float(np.sum(analysis.astype(np.float64) ** 2)))
    return NoiseProfile(
        tuple((np.arange(size // 2 + 1) * rate / size).tolist()),
        tuple((power * scale).tolist()),
        rate,
        size / rate,
        round(float(sum(segment.end - segment.start for segment in segments)), 3),
        round(float(mean_level), 2),
        round(float(np.sqrt(within + np.var(levels))), 2),
        source,
        tuple(_joined(segments, offset_s)),
    )


def _joined(segments: Sequence[Segment], offset_s: float) -> list[tuple[float, float]]:
    """Return the stretches of time, neighbours made one."""
    found: list[tuple[float, float]] = []
    for segment in segments:
        start, end = round(segment.start + offset_s, 3), round(segment.end + offset_s, 3)
        if found and abs(found[-1][1] - start) < 1e-3:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def average(profiles: Sequence[NoiseProfile]) -> NoiseProfile:
    """Return one print from several, each weighed by its duration; at the highest of their rates.

    Raises
    ------
    RecipeError
        There are none.
    """
    if not profiles:
        raise RecipeError("no noise prints to average")
    if len(profiles) == 1:
        return profiles[0]
    finest = max(profiles, key=lambda profile: profile.rate)
    weights = [profile.seconds for profile in profiles]
    frequencies = np.array(finest.frequencies)
    psd = np.average([profile.at(frequencies) for profile in profiles], axis=0, weights=weights)
    levels = np.array([profile.level_dbfs for profile in profiles])
    spread = np.average([profile.spread_db**2 for profile in profiles], weights=weights)
    return NoiseProfile(
        finest.frequencies,
        tuple(psd.tolist()),
        finest.rate,
        finest.window_s,
        round(sum(weights), 3),
        round(float(10 * np.log10(np.average(10 ** (levels / 10), weights=weights))), 2),
        round(float(np.sqrt(spread + np.var(levels))), 2),
        "; ".join(profile.source for profile in profiles),
    )
