"""Noise profiles: the power spectral density of a recording's noise, kept in a file and usable at any rate.

:mod:`cleanaudio.backends.measuring` makes them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.limits import RATES
from cleanaudio.audio.pauses import Pause
from cleanaudio.audio.temporary import write_text
from cleanaudio.backends.linking import cancels
from cleanaudio.errors import InputError

KIND = "cleanaudio noise profile"
VERSION = 3  # 1 had one density, the mean over the channels; 2 had none of what is common to them
LEAST = 1e-20
"""FS²/Hz, far below any recording."""
_TOP = 0.1  # share of the band whose mean stands for what lies above it


@dataclass(frozen=True, eq=False)
class NoiseProfile:
    """A noise profile.

    Parameters
    ----------
    psd : ndarray, shape (channels, bins)
        Two-sided power spectral density of each channel in FS²/Hz at :attr:`frequencies`.
    common : ndarray, shape (bins,)
        The same of the mean of the channels: where their noises are unrelated, half of what each of two has.
    rate : int
        Rate of the recording that it was measured on, Hz.
    window_s : float
        Analysis window.
    seconds : float
        How much was measured.
    source : str
        What was measured, as a name to show.
    stretches : tuple of Pause
        Which parts of it.
    stationarity_db : float or None
        Standard deviation of the level from quarter second to quarter second, mean over 12 bands: below about
        1.5 dB the noise is steady, above 4 dB a profile says little about it. None where there was but one.
    """

    psd: NDArray[np.float64]
    common: NDArray[np.float64]
    rate: int
    window_s: float
    seconds: float
    source: str = ""
    stretches: tuple[Pause, ...] = ()
    stationarity_db: float | None = None

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Frequencies of the bins, 0 … rate/2, Hz."""
        return np.linspace(0, self.rate / 2, self.psd.shape[1])

    @property
    def level_db(self) -> float:
        """RMS level of the noise in all channels, dBFS."""
        psd = self.psd.mean(axis=0)
        width = self.rate / (2 * (len(psd) - 1))
        return float(10 * np.log10((2 * psd.sum() - psd[0] - psd[-1]) * width + LEAST))

    @property
    def hash(self) -> str:
        """SHA-256 of what decides the samples that come out."""
        content = np.asarray([*self.psd, self.common], "<f8").tobytes()
        return hashlib.sha256(f"{self.rate} ".encode() + content).hexdigest()

    @property
    def mid_side(self) -> NoiseProfile:
        """The same of mid and side, in place of left and right."""
        if len(self.psd) != 2:
            return self
        mid = 2 * self.common
        return replace(self, psd=np.array([mid, np.maximum(self.psd.sum(axis=0) - mid, 0)]))

    def at(self, frequencies: NDArray[np.floating], channels: int = 1) -> NDArray[np.float64]:
        """Return the densities at other frequencies, two-sided, FS²/Hz.

        Interpolated on a logarithmic scale; above the band that was measured, the mean of its highest tenth.

        Parameters
        ----------
        frequencies : ndarray, shape (n,)
            Hz.
        channels : int
            Of the recording that is to be cleaned, or 1 for what linked ones are judged by: their mean, or the
            strongest where they cancel each other.

        Returns
        -------
        ndarray, shape (channels, n)
            Each channel's own where the profile has as many, else the mean over the profile's channels for each.
        """
        if channels == 1:
            strongest = self.psd[np.argmax(self.psd.sum(axis=1))]
            psd = (strongest if cancels(self.common.sum(), strongest.sum(), len(self.psd)) else self.common)[None]
        else:
            psd = self.psd if len(self.psd) == channels else self.psd.mean(axis=0, keepdims=True)
        psd = np.maximum(psd, LEAST)
        own = self.frequencies
        top = psd[:, int((1 - _TOP) * len(own)) :].mean(axis=1)
        ends = zip(np.log(psd), np.log(top), strict=True)
        logs = [np.interp(frequencies, own, row, right=end) for row, end in ends]
        return np.broadcast_to(np.exp(logs), (channels, len(frequencies)))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "kind": KIND,
            "version": VERSION,
            "rate": self.rate,
            "window_s": self.window_s,
            "seconds": self.seconds,
            "source": self.source,
            "level_db": round(self.level_db, 2),
            "stationarity_db": self.stationarity_db,
            "stretches": [{"start_s": s.start_s, "end_s": s.end_s, "level_db": s.level_db} for s in self.stretches],
            "psd": self.psd.tolist(),
            "common": self.common.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseProfile:
        """Return the profile that :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            Something else.
        """
        if not isinstance(data, Mapping) or data.get("kind") != KIND:
            raise InputError("this is not a noise profile", remedy="make one with cleanaudio profile-noise")
        if data.get("version") not in range(1, VERSION + 1):
            raise InputError(
                f"noise profile of version {data.get('version')!r}; this program reads 1 to {VERSION}",
                remedy="measure it again with cleanaudio profile-noise",
            )
        try:
            psd = np.atleast_2d(np.array(data["psd"], np.float64))
            common = np.array(data["common"], np.float64) if "common" in data else psd.mean(axis=0)
            rate, window_s, seconds = int(data["rate"]), float(data["window_s"]), float(data["seconds"])
            parts = tuple(Pause(**{k: float(s[k]) for k in _STRETCH}) for s in data.get("stretches", ()))
            steady = data.get("stationarity_db")
            steady = None if steady is None else float(steady)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"broken noise profile: {error}", remedy=_AGAIN) from None
        alike = psd.ndim == 2 and psd.shape[1] >= 2 and common.shape == psd.shape[1:]
        if not alike or not np.all(np.isfinite([*psd, common])) or np.any(psd < 0) or np.any(common < 0):
            raise InputError("broken noise profile: densities must be lists of numbers from zero up", remedy=_AGAIN)
        if not all(map(math.isfinite, (window_s, seconds, steady or 0.0))):
            raise InputError("broken noise profile: a time or stationarity_db is no number", remedy=_AGAIN)
        if rate not in RATES:
            raise InputError(f"broken noise profile: a rate of {rate} Hz", remedy=_AGAIN)
        return cls(psd, common, rate, window_s, seconds, str(data.get("source", "")), parts, steady)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON; a profile that was there is replaced in one step.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        write_text(path, text, "choose another folder")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NoiseProfile:
        """Read a profile.

        Raises
        ------
        InputError
            No such file, or not a noise profile.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read the noise profile: {error.strerror or error}", path=path) from None
        except (ValueError, RecursionError):
            raise InputError(
                "this is not a noise profile", path=path, remedy="make one with cleanaudio profile-noise"
            ) from None
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise InputError(error.message, path=path, remedy=error.remedy) from None


_STRETCH = ("start_s", "end_s", "level_db")
_AGAIN = "measure it again with cleanaudio profile-noise"
