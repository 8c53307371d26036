"""Where the microphones are, where sound comes from, and how long it takes from one to the other.

Axes are in metres, right-handed. Azimuth is counted from the x axis towards the y axis, elevation from the x-y plane
upwards, both in degrees. ``linear:N:D`` lies on the x axis, the first microphone at its low end, so that 0° is the
far end of the array and 90° is broadside; ``circular:N:R`` lies in the x-y plane, the first microphone on the x axis,
the others anticlockwise. The origin is the centre of the array.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cleanaudio.errors import InputError, RecipeError

_COINCIDENT_M = 1e-4
_MAX_EXTENT_M = 30.0
_MAX_MICROPHONES = 64


def speed_of_sound(temperature_c: float = 20.0) -> float:
    """Return the speed of sound in dry air, m/s: 331.3 √(1 + T / 273.15).

    Parameters
    ----------
    temperature_c : float
        −50 … 60 °C.

    Raises
    ------
    RecipeError
        A temperature outside that range.
    """
    if not -50 <= temperature_c <= 60:
        raise RecipeError(f"a temperature of {temperature_c:g} °C is outside -50 … 60 °C")
    return 331.3 * math.sqrt(1 + temperature_c / 273.15)


SPEED_OF_SOUND = speed_of_sound()
"""Where nobody says how warm it is, m/s."""


@dataclass(frozen=True)
class Direction:
    """A direction of arrival: where the source is, seen from the array.

    Parameters
    ----------
    azimuth_deg : float
        −180 … 360.
    elevation_deg : float, optional
        −90 … 90.

    Raises
    ------
    RecipeError
        Out of range.
    """

    azimuth_deg: float
    elevation_deg: float = 0.0

    def __post_init__(self) -> None:
        if not -180 <= self.azimuth_deg <= 360:
            raise RecipeError(f"an azimuth of {self.azimuth_deg:g}° is outside -180 … 360°")
        if not -90 <= self.elevation_deg <= 90:
            raise RecipeError(f"an elevation of {self.elevation_deg:g}° is outside -90 … 90°")

    @property
    def unit(self) -> NDArray[np.float64]:
        """Unit vector towards the source, shape (3,)."""
        return unit_vectors(np.array([self.azimuth_deg]), np.array([self.elevation_deg]))[0]


def parse_direction(text: str) -> Direction:
    """Read ``AZ`` or ``AZ,EL`` in degrees.

    Raises
    ------
    RecipeError
        No numbers, or out of range.
    """
    try:
        angles = [float(part) for part in text.split(",")]
    except ValueError:
        angles = []
    if len(angles) not in (1, 2):
        raise RecipeError(f"{text!r} is no direction", remedy="AZIMUTH or AZIMUTH,ELEVATION in degrees, as 30 or 30,10")
    return Direction(*angles)


def as_direction(angles: float | Sequence[float]) -> Direction:
    """Return a direction given as its azimuth, or as azimuth and elevation, in degrees.

    Raises
    ------
    RecipeError
        More or fewer numbers, or out of range.
    """
    given = np.atleast_1d(np.asarray(angles, np.float64))
    if given.ndim != 1 or len(given) not in (1, 2):
        raise RecipeError(f"{angles!r} is no direction", remedy="azimuth, or azimuth and elevation, in degrees")
    return Direction(*given.tolist())


def unit_vectors(azimuth_deg: NDArray[np.float64], elevation_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors, shape (n, 3), for azimuths and elevations of shape (n,)."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    flat = np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=-1)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Positions of the microphones of an array.

    Parameters
    ----------
    positions : ndarray, shape (microphones, 3)
        Metres, any origin.
    name : str, optional
        For messages.

    Raises
    ------
    RecipeError
        Fewer than 2 or more than 64 microphones, positions that are not finite, more than 30 m of extent, or two
        microphones in one place.
    """

    positions: NDArray[np.float64]
    name: str = "array"

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, np.float64)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise RecipeError(f"{self.name}: positions have the shape {positions.shape}, not (microphones, 3)")
        if not 2 <= len(positions) <= _MAX_MICROPHONES:
            raise RecipeError(f"{self.name}: an array has 2 … {_MAX_MICROPHONES} microphones, not {len(positions)}")
        if not np.isfinite(positions).all():
            raise RecipeError(f"{self.name}: a position is not a finite number")
        apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        if apart.max() > _MAX_EXTENT_M:
            raise RecipeError(
                f"{self.name}: the array is {apart.max():.0f} m wide", remedy="positions are in metres, not millimetres"
            )
        np.fill_diagonal(apart, np.inf)
        if apart.min() < _COINCIDENT_M:
            first, second = (int(k) for k in np.unravel_index(np.argmin(apart), apart.shape))
            raise RecipeError(
                f"{self.name}: microphones {first + 1} and {second + 1} are in one place",
                remedy="give every microphone its own position, in metres",
            )
        positions = positions - positions.mean(axis=0)
        positions.flags.writeable = False
        object.__setattr__(self, "positions", positions)

    @property
    def microphones(self) -> int:
        """How many microphones there are."""
        return len(self.positions)

    @property
    def extent_m(self) -> float:
        """Largest distance between two microphones."""
        return float(np.max(np.linalg.norm(self.positions[:, None] - self.positions[None], axis=-1)))

    @property
    def dimensions(self) -> int:
        """1 for microphones on a line, 2 for a plane, 3 otherwise."""
        return int(np.linalg.matrix_rank(self.positions, tol=1e-3 * self.extent_m))

    def check(self, channels: int) -> None:
        """Raise InputError unless a recording of so many channels fits."""
        if channels != self.microphones:
            raise InputError(
                f"{channels} channels, but {self.name} has {self.microphones} microphones",
                remedy="give the geometry of these channels, or choose the channels that it describes",
            )

    def select(self, channels: list[int] | tuple[int, ...]) -> Geometry:
        """Return the geometry of some channels (counted from 0), in that order."""
        return Geometry(self.positions[list(channels)], self.name)

    def delays(self, towards: NDArray[np.float64], speed: float, reference: int = 0) -> NDArray[np.float64]:
        """Return when a plane wave reaches each microphone, in seconds after the reference microphone.

        Parameters
        ----------
        towards : ndarray, shape (..., 3)
            Unit vectors towards the source.
        speed : float
            m/s, see :func:`speed_of_sound`.
        reference : int
            Counted from 0.

        Returns
        -------
        ndarray, shape (..., microphones)
        """
        return -(towards @ (self.positions - self.positions[reference]).T) / speed


def steering(delays_s: NDArray[np.float64], frequencies_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the steering vectors exp(−j 2π f τ), shape (..., bins, microphones), of delays (..., microphones)."""
    return np.exp(-2j * np.pi * frequencies_hz[:, None] * delays_s[..., None, :])


def linear(microphones: int, spacing_m: float) -> Geometry:
    """Return a uniform linear array on the x axis."""
    positions = np.zeros((microphones, 3))
    positions[:, 0] = spacing_m * np.arange(microphones)
    return Geometry(positions, f"linear:{microphones}:{spacing_m:g}")


def circular(microphones: int, radius_m: float) -> Geometry:
    """Return a uniform circular array in the x-y plane."""
    angle = 2 * np.pi * np.arange(microphones) / microphones
    positions = radius_m * np.stack([np.cos(angle), np.sin(angle), np.zeros(microphones)], axis=1)
    return Geometry(positions, f"circular:{microphones}:{radius_m:g}")


def parse_array(text: str) -> Geometry:
    """Read ``linear:N:SPACING``, ``circular:N:RADIUS`` (metres) or the name of a JSON or CSV file of positions.

    A JSON file is a list of [x, y, z] or holds one under ``microphones``; a CSV file has a row per microphone, with
    the columns x, y, z (z may be missing) by name or in this order.

    Raises
    ------
    RecipeError
        Anything else, or positions that make no array.
    """
    kind, _, rest = text.partition(":")
    if kind in ("linear", "circular"):
        try:
            count, length = rest.split(":")
            microphones, metres = int(count), float(length)
        except ValueError:
            microphones, metres = 0, 0.0
        if not (2 <= microphones <= _MAX_MICROPHONES and metres > 0 and math.isfinite(metres)):
            raise RecipeError(
                f"{text!r} is no array", remedy=f"{kind}:MICROPHONES:METRES, 2 … {_MAX_MICROPHONES} microphones"
            )
        return linear(microphones, metres) if kind == "linear" else circular(microphones, metres)
    path = Path(text)
    if path.suffix.lower() not in (".json", ".csv"):
        raise RecipeError(f"{text!r} is no array", remedy="linear:4:0.05, circular:6:0.0463, or a .json or .csv file")
    try:
        content = path.read_text(encoding="utf-8-sig")
        rows = _json_rows(content) if path.suffix.lower() == ".json" else _csv_rows(content)
        positions = np.array([[*row, 0.0][:3] for row in rows], np.float64)
    except OSError as error:
        raise RecipeError(f"cannot read: {error.strerror}", path=path) from None
    except (ValueError, TypeError, KeyError) as error:
        raise RecipeError(
            f"holds no microphone positions: {error}", path=path, remedy="a row x,y,z in metres for each microphone"
        ) from None
    return Geometry(positions, path.name)


def as_geometry(array: str | PathLike[str] | Geometry | ArrayLike) -> Geometry:
    """Return an array that is given as what :func:`parse_array` reads, or by positions of shape (microphones, 3).

    Raises
    ------
    RecipeError
        As :func:`parse_array` and :class:`Geometry`.
    """
    if isinstance(array, Geometry):
        return array
    if isinstance(array, str | PathLike):
        return parse_array(fspath(array))
    try:
        positions = np.asarray(array, np.float64)
    except (ValueError, TypeError):
        raise RecipeError(f"{array!r} is no array of microphones", remedy="positions x, y, z in metres") from None
    return Geometry(positions)


def _json_rows(content: str) -> list[list[float]]:
    data = json.loads(content)
    rows = data["microphones"] if isinstance(data, dict) else data
    return [_row([row[axis] for axis in _axes(row)] if isinstance(row, dict) else row) for row in rows]


def _csv_rows(content: str) -> list[list[float]]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(content.splitlines()) if any(c.strip() for c in row)]
    names = [name.lower() for name in rows[0]] if rows else []
    if "x" not in names:
        return [_row(row) for row in rows if not row[0].startswith("#")]
    columns = [names.index(axis) for axis in _axes(names)]
    for row in rows[1:]:
        if len(row) <= max(columns):
            raise ValueError(f"the row {','.join(row)!r} has {len(row)} of {len(names)} columns")
    return [_row([row[column] for column in columns]) for row in rows[1:]]


def _axes(names: Iterable[str]) -> list[str]:
    """Return the axes that have a value, x and y among them."""
    there = set(names)
    if missing := [axis for axis in "xy" if axis not in there]:
        raise ValueError(f"{' and '.join(missing)} missing")
    return [axis for axis in "xyz" if axis in there]


def _row(values: list) -> list[float]:
    if len(values) not in (2, 3):
        raise ValueError(f"a row of {len(values)} values")
    return [float(value) for value in values]
