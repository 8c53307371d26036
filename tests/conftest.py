"""What several tests share: folders, signals, and two ways to run the command line."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# A shell that starts the tests in the background has them ignore SIGINT, and every process that they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "fixtures"


def _load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


@cache
def _maker():
    return _load("cleanaudio_fixtures_make", FIXTURES / "make.py")


@cache
def _voice(seconds: float, rate: int, seed: int) -> np.ndarray:
    samples = _maker().speech(seed, seconds, rate)
    samples.flags.writeable = False
    return samples


@pytest.fixture(autouse=True)
def ordinary_floating_point() -> None:
    """Undo what libraries built with -ffast-math do to the whole process when they are loaded: subnormals vanish.

    pyroomacoustics, which some tests compare with, is such a library.
    """
    if sys.platform == "linux":
        ctypes.CDLL("libm.so.6").fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """The folder of the committed clips; copy what you change."""
    return FIXTURES


@pytest.fixture(scope="session")
def fixtures_maker() -> ModuleType:
    """The module fixtures/make.py."""
    return _maker()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings that ``CLEANAUDIO_DATA`` names."""
    named = os.environ.get("CLEANAUDIO_DATA")
    if not named:
        pytest.fail("CLEANAUDIO_DATA names no folder of recordings (see: make test-data)", pytrace=False)
    folder = Path(named)
    if not (folder / "dev").is_dir():
        pytest.fail(f"CLEANAUDIO_DATA is {folder}, which holds no dev/ folder", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def speech_like() -> Callable[..., np.ndarray]:
    """``speech_like(seconds, rate, seed=1)``: a synthetic voice, (frames,) float32, peak 0.5, silent at first."""

    def make(seconds: float = 3.0, rate: int = 16000, seed: int = 1) -> np.ndarray:
        return _voice(seconds, rate, seed).copy()

    return make


@pytest.fixture(scope="session")
def noise_like() -> Callable[..., np.ndarray]:
    """``noise_like(seconds, rate, kind="pink", seed=1)``: (frames,) float32 of RMS 1; white, pink, fan or hum."""

    def make(seconds: float = 3.0, rate: int = 16000, kind: str = "pink", seed: int = 1) -> np.ndarray:
        return _maker().noise(seed, seconds, rate, kind)

    return make


@pytest.fixture(scope="session")
def noisy_speech() -> Callable[..., np.ndarray]:
    """``noisy_speech(seconds, rate, snr_db=10, seed=1)``: the voice over pink noise, (frames,) float32."""

    def make(seconds: float = 3.0, rate: int = 16000, snr_db: float = 10.0, seed: int = 1) -> np.ndarray:
        return _maker().at_snr(_voice(seconds, rate, seed), _maker().noise(seed + 100, seconds, rate), snr_db)

    return make


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """``tone(hertz, seconds, rate, level=0.5)``: a sine, (frames,) float32."""

    def make(hertz: float = 1000.0, seconds: float = 1.0, rate: int = 16000, level: float = 0.5) -> np.ndarray:
        t = np.arange(round(seconds * rate)) / rate
        return (level * np.sin(2 * np.pi * hertz * t)).astype(np.float32)

    return make


@pytest.fixture
def quick_dnsmos(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNSMOS says 3 of everything, at once: for tests of what becomes of files, whose gates ask it for their score."""
    from cleanaudio.metrics import dnsmos

    monkeypatch.setattr(dnsmos, "mos", lambda signal: dnsmos.Mos(sig=3.0, bak=3.0, ovrl=3.0, p808=3.0))


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, data and messages."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``cli("denoise", path, "-o", folder)``: runs the command line in this process, as the program's main does."""

    def run(*arguments: object) -> Ran:
        from cleanaudio.cli.app import main

        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(int(code), out, err)

    return run


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """``program("denoise", "-", stdin=data)``: runs the command line as a process of its own; bytes in and out."""

    def run(
        *arguments: object,
        stdin: bytes = b"",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 120,
        prefix: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        command = [*prefix, sys.executable, "-m", "cleanaudio", *(str(argument) for argument in arguments)]
        return subprocess.run(
            command, input=stdin, capture_output=True, cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout
        )

    return run
