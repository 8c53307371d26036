"""The networks of our own that ship with the package, as backends; trained by ``cleanaudio train``.

Each is an ONNX file in :mod:`cleanaudio.models` whose card says how it is run, as of any model of the backend ``onnx``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cleanaudio.audio.processor import Processor
from cleanaudio.backends.interface import Analysis, Backend, Resolved, Setup, Value
from cleanaudio.backends.onnx import ONNX
from cleanaudio.errors import BackendUnavailable
from cleanaudio.models.catalog import FOLDER


class Shipped(Backend):
    """A network that ships.

    Parameters
    ----------
    name : str
        Of the backend, and of the file without its suffix.
    summary : str
    live : bool
    """

    kind = "neural"
    keeps_room = True

    def __init__(self, name: str, summary: str, live: bool = True) -> None:
        self.name, self.summary, self.live = name, summary, live
        self.path = FOLDER / f"{name}.onnx"

    def require(self) -> None:
        """Raise BackendUnavailable where this installation lacks the weights."""
        if not self.path.is_file():
            raise BackendUnavailable(
                self.name,
                None,
                "this version has no weights for it",
                remedy=f"cleanaudio train {self.name}, then -b onnx with what cleanaudio export makes of it",
            )

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Open the model."""
        self.require()
        return replace(ONNX.resolve(setup, {}, str(self.path)), options={})

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        return ONNX.open(setup, replace(resolved, options=ONNX.complete({})), analysis)


FULLBAND = Shipped("fullband", "our network for the whole band: band gains and a complex filter, at 48 kHz")
FULLBAND_OFFLINE = Shipped(
    "fullband-offline", "our best network: as fullband, but it hears past and future, at 48 kHz", live=False
)
MASK_LSTM = Shipped("mask-lstm", "our recurrent masks behind omlsa, which hear both past and future, at 16 kHz")
CONV_TASNET = Shipped("conv-tasnet", "our convolutional network from samples to samples, behind omlsa, at 16 kHz")
AUTOENCODER = Shipped("autoencoder", "our convolutional denoising autoencoder on spectra, behind omlsa, at 16 kHz")
