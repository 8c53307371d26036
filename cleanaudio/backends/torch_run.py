"""The backend ``torch``: a checkpoint of a training run, before it is exported.

A network takes the place of an ONNX session, so that the grid of chunks, the states, the linking of channels and the
checks for values that are not finite are those of the backend ``onnx``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.contract import Contract, Loaded, ModelBackend
from cleanaudio.backends.front import front_of
from cleanaudio.backends.interface import Option, Setup, Value
from cleanaudio.backends.onnx_causal import CausalContract
from cleanaudio.backends.onnx_frames import FrameContract
from cleanaudio.backends.onnx_waveform import WaveformContract, own_grid
from cleanaudio.backends.session import Port, Session
from cleanaudio.errors import BackendUnavailable, ModelError

if TYPE_CHECKING:
    from cleanaudio.networks.interface import Network

Array = NDArray[np.float32]


class TorchSession:
    """A network with the interface of a :class:`~cleanaudio.backends.session.Session`.

    Parameters
    ----------
    network : Network
        Ready to run, on its device.
    origin : str
        Folder name, for messages.
    """

    def __init__(self, network: Network, origin: str) -> None:
        from cleanaudio.networks.frames import FrameNetwork

        self.origin = origin
        self._network: Any = network
        self._device = next(network.parameters()).device
        states = network.state_shapes()
        self._forward = bool(states) or isinstance(network, FrameNetwork)
        if isinstance(network, FrameNetwork):
            shape = (1, network.size // 2 + 1, None, 2)
            source, clean = Port("mix", shape), Port("enh", shape)
        else:
            source, clean = Port("audio_input", (1, None)), Port("audio_output", (1, None))
        self.inputs = [source, *(Port(name, size) for name, size in states.items())]
        self.outputs = [clean, *(Port(f"{name}_out", size) for name, size in states.items())]

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Run the network once; see :meth:`cleanaudio.backends.session.Session.run`."""
        import torch

        tensors = [torch.from_numpy(np.ascontiguousarray(feeds[port.name])).to(self._device) for port in self.inputs]
        with torch.no_grad():
            outputs = self._network(*tensors) if self._forward else [self._network.enhance(*tensors)]
        by_name = {port.name: output for port, output in zip(self.outputs, outputs, strict=True)}
        return [by_name[name].cpu().numpy() for name in (names or by_name)]


class Torch(ModelBackend):
    """The backend ``torch``."""

    name = "torch"
    summary = "a checkpoint of cleanaudio train, before its export: torch:RUN_DIR"
    extra = "torch"
    runtime = "torch"
    wants = "a run folder", "write torch:RUN_DIR"
    options = (Option("checkpoint", "best", "best: the last, where none was judged yet", choices=("best", "last")),)

    def require(self) -> None:
        """Raise BackendUnavailable where torch or safetensors is missing."""
        for package in ("torch", "safetensors"):
            if find_spec(package) is None:
                raise BackendUnavailable(self.name, "torch", f"the package {package} is not installed")

    def load(self, argument: str, setup: Setup, options: Mapping[str, Value]) -> Loaded:
        """Return the checkpoint of a run folder."""
        from cleanaudio.networks.frames import FrameNetwork

        path = Path(argument) / f"{options['checkpoint']}.safetensors"
        if options["checkpoint"] == "best" and not path.exists():
            path = path.with_stem("last")
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            raise ModelError("there is no checkpoint", path=path, remedy="name a folder of cleanaudio train") from None
        network, spec, digest = _read(path, stamp, setup.device)
        front = front_of(spec, setup, network.rate, path)
        session = cast(Session, TorchSession(network, str(path)))
        needs = network.rate, network.context, network.ahead
        grids = own_grid(*needs, setup.live), own_grid(*needs, live=True)
        if isinstance(network, FrameNetwork):
            facts = network.rate, network.hop, network.window_name, network.delay
            contract: Contract = FrameContract(session, *facts, grids)
        elif network.state_shapes():
            contract = CausalContract(session, network.rate, network.hop, network.delay)
        else:
            contract = WaveformContract(session, network.rate, *grids)
        return Loaded(contract, {"checkpoint": digest}, front)


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int, device: str) -> tuple[Network, str, str]:
    """Return network, front and hash of a checkpoint, read once for as long as its file stays as it is."""
    from cleanaudio.networks.checkpoint import load_network
    from cleanaudio.networks.device import check

    check(device)
    network, facts = load_network(path.parent, path.name, device)
    return network, facts.get("front", ""), hashlib.sha256(path.read_bytes()).hexdigest()


TORCH = Torch()
