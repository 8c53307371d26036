"""The backend ``onnx``: a public model that the user brings, run, aligned and reported like our own.

What a model takes and gives is one of four contracts, told apart by its inputs, its card or the option ``contract``:

``waveform``
    Samples in, samples out: :mod:`cleanaudio.backends.onnx_waveform`, with caches
    :mod:`cleanaudio.backends.onnx_causal`.
``stft-frames``
    STFT frames and caches: :mod:`cleanaudio.backends.onnx_frames`.
``dtln``
    Two files, separated by a comma: :mod:`cleanaudio.backends.onnx_dtln`.
``deepfilternet``
    An archive: :mod:`cleanaudio.backends.deepfilternet`.

A card is the file's own metadata: name, rate (Hz), contract, hop, delay (samples), window, context and ahead (samples
to be heard before and after a stretch, by a model that hears any length), front (a spec of classical backends that
clean recordings before the model hears them), latency (samples), licence, training data, metrics, date.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.stft import WindowName
from cleanaudio.backends import deepfilternet, dfn_archive
from cleanaudio.backends.contract import Loaded, ModelBackend
from cleanaudio.backends.front import front_of
from cleanaudio.backends.interface import Option, Setup, Value
from cleanaudio.backends.onnx_causal import CausalContract, stream_port
from cleanaudio.backends.onnx_dtln import DtlnContract
from cleanaudio.backends.onnx_frames import FrameContract, spectrum_port
from cleanaudio.backends.onnx_waveform import Grid, WaveformContract, foreign_grid, own_grid, samples_port
from cleanaudio.backends.session import Session, open_session
from cleanaudio.errors import BackendUnavailable, ModelError, RecipeError
from cleanaudio.models.onnx_file import OnnxFile, read, stamp

CONTRACTS = ("waveform", "stft-frames", "dtln", "deepfilternet")
_WINDOWS = ("sqrt-hann", "hann", "vorbis")
_USUAL_RATE = 16000


class ArchiveContract:
    """A DeepFilterNet archive that the user brings."""

    def __init__(self, path: str) -> None:
        self._archive = dfn_archive.read(path)
        self.rate = self._archive.config.rate
        self.latency = deepfilternet.latency(self._archive)
        self.digest = self._archive.digest

    def open(self, setup: Setup) -> Processor:
        """Return a fresh processor for all channels of ``setup``."""
        if find_spec("onnx") is None:
            raise BackendUnavailable("a DeepFilterNet archive", "deepfilternet", "the package onnx is not installed")
        return deepfilternet.processor(self._archive, setup, {o.name: o.default for o in deepfilternet.OPTIONS})


class Onnx(ModelBackend):
    """The backend ``onnx``."""

    name = "onnx"
    summary = "a model of yours: --model FILE.onnx, a DTLN pair A.onnx,B.onnx or a DeepFilterNet .tar.gz"
    runtime = "onnxruntime"
    wants = "a model", "add --model FILE.onnx, or write onnx:FILE"
    options = (
        Option("contract", "auto", "what the model takes and gives", choices=("auto", *CONTRACTS)),
        Option("model_rate", 0, "rate of the model; 0: as its card says, else 16000", "Hz", low=0, high=384000),
        Option(
            "delay", -1, "how far the model's output lags; -1: as its card says, else 0", "samples", low=-1, high=1e6
        ),
        Option(
            "chunk",
            0,
            "waveform: length of a chunk; 0: the model's own, else 1 s, live 32 ms",
            "samples",
            low=0,
            high=1e7,
        ),
        Option(
            "overlap", -1, "waveform: cross-faded from chunk to chunk; -1: half a chunk", "samples", low=-1, high=1e7
        ),
        Option("context", 0, "heard on either side of a chunk; 0: as the card says", "samples", low=0, high=1e7),
        Option(
            "hop", 0, "step; 0: as the card says, else 1/2 (dtln: 1/4) of the window, or 1", "samples", low=0, high=1e7
        ),
        Option("window", "auto", "stft-frames; auto: as the card says, else sqrt-hann", choices=("auto", *_WINDOWS)),
    )

    def load(self, argument: str, setup: Setup, options: Mapping[str, Value]) -> Loaded:
        """Return the model of an argument: a file, two separated by a comma, or an archive."""
        paths = [argument] if stamp(argument)[0] else argument.split(",")  # a file's name may hold a comma
        asked = str(options["contract"])
        if len(paths) == 1 and (asked == "deepfilternet" or (asked == "auto" and _is_archive(argument))):
            archive = ArchiveContract(argument)
            return Loaded(archive, {"model": archive.digest})
        models = [_read(path.strip(), *stamp(path.strip())) for path in paths]
        sessions = [open_session(model, setup.threads, setup.device) for model in models]
        card = _Card(models[0])
        contract = asked if asked != "auto" else _told(models, sessions, card)
        rate = int(options["model_rate"]) or card.number("rate") or _USUAL_RATE
        delay = int(options["delay"]) if int(options["delay"]) >= 0 else card.number("delay")
        hop = int(options["hop"]) or card.number("hop")
        hashes = {"model" if not at else f"model_{at + 1}": model.digest for at, model in enumerate(models)}
        if contract == "dtln" and len(sessions) == 2:
            return Loaded(DtlnContract(sessions[0], sessions[1], rate, hop, delay), hashes)
        front = front_of(card.text("front"), setup, rate, card.origin)
        if contract == "stft-frames" and len(sessions) == 1:
            name = cast(WindowName, options["window"] if options["window"] != "auto" else card.window())
            context = int(options["context"]) or card.number("context")
            needs = rate, context, card.number("ahead") if card.text("ahead") else context
            grids = own_grid(*needs, setup.live), own_grid(*needs, live=True)
            return Loaded(FrameContract(sessions[0], rate, hop, name, delay, grids), hashes, front)
        if contract == "waveform" and len(sessions) == 1:
            if stream_port(sessions[0].inputs) is not None:
                return Loaded(CausalContract(sessions[0], rate, hop, delay), hashes, front)
            grid, live = (_grid(sessions[0], card, rate, options, live) for live in (setup.live, True))
            return Loaded(WaveformContract(sessions[0], rate, grid, live, delay), hashes, front)
        wants = {"dtln": "two files, A.onnx,B.onnx", "deepfilternet": "one archive"}.get(contract, "one file")
        raise RecipeError(f"contract {contract} wants {wants}, not {len(models)}")


class _Card:
    """The parts of a model's card that decide how it is run."""

    def __init__(self, model: OnnxFile) -> None:
        self._model, self.origin = model, model.origin

    def text(self, key: str) -> str:
        return self._model.metadata.get(key, "").strip()

    def number(self, key: str) -> int:
        """Return a whole number, 0 where the card has none."""
        text = self.text(key) or "0"
        try:
            value = int(text)
        except ValueError:
            value = -1
        if not 0 <= value <= 10_000_000:
            raise ModelError(f"its card says {key} {text!r}", path=self.origin)
        return value

    def window(self) -> str:
        name = self.text("window") or _WINDOWS[0]
        if name not in _WINDOWS:
            raise ModelError(f"its card names the window {name!r}, not one of {', '.join(_WINDOWS)}", path=self.origin)
        return name


def _grid(session: Session, card: _Card, rate: int, options: Mapping[str, Value], live: bool) -> Grid:
    """Return how a recording is cut: by the options, else by the card of one of our own networks."""
    chunk, overlap, context = (int(options[name]) for name in ("chunk", "overlap", "context"))
    own = card.number("context")
    if own and card.text("ahead") and (chunk, overlap, context) == (0, -1, 0):
        return own_grid(rate, own, card.number("ahead"), live)
    return foreign_grid(session, rate, chunk, overlap, context or own, live)


def _told(models: list[OnnxFile], sessions: list[Session], card: _Card) -> str:
    """Return the contract of models by their card, else by their inputs."""
    if len(models) == 2:
        return "dtln"
    named = card.text("contract")
    if named:
        if named not in CONTRACTS:
            raise ModelError(f"its card names the contract {named!r}, which is not known", path=models[0].origin)
        return named
    inputs = sessions[0].inputs
    if len(models) == 1 and spectrum_port(inputs) is not None:
        return "stft-frames"
    if len(models) == 1 and (samples_port(inputs) or stream_port(inputs)) is not None:
        return "waveform"
    raise ModelError(
        f"takes {', '.join(map(str, inputs))}, which is no contract that we know",
        path=models[0].origin,
        remedy=f"they are: {', '.join(CONTRACTS)}",
    )


def _is_archive(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(2) == b"\x1f\x8b"  # gzip
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=8)
def _read(path: str, mtime_ns: int, size: int) -> OnnxFile:
    """Read a model once for as long as its file stays as it is."""
    return read(path)


ONNX = Onnx()
