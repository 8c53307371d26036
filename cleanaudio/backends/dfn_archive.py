"""A DeepFilterNet archive: three ONNX graphs and a config.ini in a .tar.gz, as its authors publish it."""

from __future__ import annotations

import gzip
import io
import math
import tarfile
import zlib
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from os import PathLike
from pathlib import PurePosixPath

from cleanaudio.errors import ModelError
from cleanaudio.models.onnx_file import OnnxFile, checked, read_bytes, stamp

GRAPHS = ("enc", "erb_dec", "df_dec")
_MAX_PACKED, _MAX_UNPACKED, _MAX_MEMBERS = 500_000_000, 1_000_000_000, 100


@dataclass(frozen=True)
class Config:
    """What a DeepFilterNet was trained with (names as in Schröter et al. 2022).

    Parameters
    ----------
    rate : int
        Hz.
    window, hop : int
        Of the STFT, samples.
    erb_bands : int
        Bands of the gain, N_ERB.
    least_bins : int
        Bins that a band has at least.
    filtered_bins : int
        Lowest bins that the deep filter works on.
    order : int
        Frames under the deep filter, N.
    look_ahead : int
        Frames that the network hears ahead of the one it decides on; the deep filter's last tap.
    time_constant_s : float
        Of the running normalisation of the features, τ.
    """

    rate: int
    window: int
    hop: int
    erb_bands: int
    least_bins: int
    filtered_bins: int
    order: int
    look_ahead: int
    time_constant_s: float

    @property
    def decay(self) -> float:
        """α of the running normalisation, rounded as in training: to the fewest digits, from three, below 1."""
        exact = math.exp(-self.hop / (self.rate * self.time_constant_s))
        return next(a for digits in range(3, 17) if (a := round(exact, digits)) < 1)


@dataclass(frozen=True, eq=False)
class Archive:
    """An archive that was read and checked; equal to itself alone.

    Parameters
    ----------
    config : Config
    graphs : mapping
        ``enc``, ``erb_dec`` and ``df_dec``.
    digest : str
        SHA-256 of the archive file.
    origin : str
        Its path.
    """

    config: Config
    graphs: Mapping[str, OnnxFile]
    digest: str
    origin: str


def read(path: str | PathLike[str]) -> Archive:
    """Read an archive, once for as long as its file stays as it is.

    Raises
    ------
    ModelError
        Missing, broken, too large, or not of this form.
    """
    return _read(str(path), *stamp(path))


@lru_cache(maxsize=2)
def _read(origin: str, mtime_ns: int, size: int) -> Archive:
    packed = read_bytes(origin, _MAX_PACKED)
    wanted = {f"{name}.onnx" for name in GRAPHS} | {"config.ini"}
    found: dict[str, bytes] = {}
    try:
        stream = _Bounded(gzip.GzipFile(fileobj=io.BytesIO(packed)), _MAX_UNPACKED)
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # a stream: nothing is written, links are not followed
            for count, member in enumerate(tar):
                if count >= _MAX_MEMBERS:
                    raise ValueError(f"more than {_MAX_MEMBERS} members")
                name = PurePosixPath(member.name).name
                if member.isreg() and name in wanted and name not in found:
                    file = tar.extractfile(member)
                    assert file is not None  # a regular member has content
                    found[name] = file.read()
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise ModelError(f"is not a DeepFilterNet archive, or broken ({error})", path=origin) from error
    missing = sorted(wanted - found.keys())
    if missing:
        raise ModelError(f"is not a DeepFilterNet archive: it lacks {', '.join(missing)}", path=origin)
    graphs = {name: checked(found[f"{name}.onnx"], f"{origin}/{name}.onnx") for name in GRAPHS}
    return Archive(_config(found["config.ini"], origin), graphs, sha256(packed).hexdigest(), origin)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error once more than so many bytes were read: a small file may unpack to anything."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it unpacks to too much")
        return data


def _config(data: bytes, origin: str) -> Config:
    try:
        parser = ConfigParser(interpolation=None)
        parser.read_string(data.decode())
        df, net = parser["df"], parser["deepfilternet"]
        config = Config(
            rate=int(df["sr"]),
            window=int(df["fft_size"]),
            hop=int(df["hop_size"]),
            erb_bands=int(df["nb_erb"]),
            least_bins=int(df["min_nb_erb_freqs"]),
            filtered_bins=int(df["nb_df"]),
            order=int(df["df_order"]),
            look_ahead=int(df["df_lookahead"]),
            time_constant_s=float(df["norm_tau"]),
        )
        conv_look_ahead = int(net["conv_lookahead"])
        sane = (
            8000 <= config.rate <= 192000
            and 0 < config.hop <= config.window <= 2 * config.hop <= 16384
            and 0 < config.erb_bands * config.least_bins <= config.window // 2 + 1
            and 0 < config.filtered_bins <= config.window // 2 + 1
            and 0 <= config.look_ahead < config.order <= 100
            and config.time_constant_s > 0
        )
    except (ConfigError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ModelError(f"its config.ini cannot be used ({error})", path=origin) from error
    if not sane:
        raise ModelError("its config.ini makes no sense", path=origin)
    if conv_look_ahead != config.look_ahead:
        raise ModelError(
            f"its network looks {conv_look_ahead} frames ahead, its filter {config.look_ahead}: not supported",
            path=origin,
        )
    return config
