"""Running ONNX models: the one module that imports onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import ModelError, RecipeError
from cleanaudio.models.onnx_file import OnnxFile

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Parameters
    ----------
    name : str
    shape : tuple of int or None
        None where the size is free.
    """

    name: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name}[{','.join('?' if size is None else str(size) for size in self.shape)}]"

    def zeros(self) -> Array:
        """Return zeros of this shape, 1 for a free size."""
        return np.zeros([1 if size is None else size for size in self.shape], np.float32)


class Session:
    """A model that is loaded and ready to run.

    Attributes
    ----------
    inputs, outputs : list of Port
    origin : str
        The file's name, for messages.
    """

    def __init__(self, model: OnnxFile, threads: int = 1, device: str = "cpu") -> None:
        import onnxruntime as ort

        self.origin = model.origin
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised; the runtime must not write them to stderr as well
        options.add_session_config_entry("session.set_denormal_as_zero", "1")  # fading states would cost 100 × the time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(model.data, options, providers=_providers(device))
        except RecipeError:
            raise
        except Exception as error:  # onnxruntime's exceptions share no base but this one
            raise ModelError(f"cannot be loaded: {_first_line(error)}", path=self.origin) from error
        try:
            self.inputs = [_port(port, self.origin) for port in self._session.get_inputs()]
            self.outputs = [_port(port, self.origin) for port in self._session.get_outputs()]
        except UnicodeDecodeError:
            raise ModelError("is damaged: the names of its inputs or outputs are no text", path=self.origin) from None

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Run the model once.

        Parameters
        ----------
        names : sequence of str, optional
            Outputs that are wanted; default: all, in the model's order.
        feeds : mapping
            Every input by name.

        Raises
        ------
        ModelError
            The model fails on them.
        """
        try:
            return self._session.run(names, feeds)
        except Exception as error:
            raise ModelError(f"fails when run: {_first_line(error)}", path=self.origin) from error


class StatefulModel:
    """A model with caches, which start from zeros: what one run returns the next one is given.

    Parameters
    ----------
    session : Session
    source, result : Port
        What is fed and what comes out; all other ports are caches.

    Raises
    ------
    ModelError
        A cache is not renewed.
    """

    def __init__(self, session: Session, source: Port, result: Port) -> None:
        self._session, self._source = session, source
        self._caches = [port for port in session.inputs if port is not source]
        fresh = [port for port in session.outputs if port is not result]
        renewals = [_renewal(cache, at, fresh, session) for at, cache in enumerate(self._caches)]
        self._wanted = [result.name, *(port.name for port in renewals)]
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._feeds = {cache.name: cache.zeros() for cache in self._caches}

    def __call__(self, values: Array) -> Array:
        """Run the model once."""
        result, *fresh = self._session.run(self._wanted, self._feeds | {self._source.name: values})
        self._feeds = {cache.name: value for cache, value in zip(self._caches, fresh, strict=True)}
        return result


def _renewal(cache: Port, at: int, fresh: list[Port], session: Session) -> Port:
    """Return the output that renews a cache: by name (``conv_cache`` and ``conv_cache_out``), else by order."""
    named = [port for port in fresh if cache.name in port.name]
    port = named[0] if len(named) == 1 else fresh[at] if at < len(fresh) else None
    if port is None or port.shape != cache.shape:
        raise ModelError(f"no output renews its input {cache}: it gives {listed(session.outputs)}", path=session.origin)
    return port


def listed(ports: Sequence[Port]) -> str:
    """Return names and shapes, for messages."""
    return ", ".join(map(str, ports))


@lru_cache(maxsize=8)
def open_session(model: OnnxFile, threads: int = 1, device: str = "cpu") -> Session:
    """Return a session for a model; the same one again for the same model, which any number of processors may share.

    Parameters
    ----------
    model : OnnxFile
    threads : int
    device : str
        ``"cpu"``, or ``"cuda"`` for the CUDA provider first and the CPU behind it.

    Raises
    ------
    ModelError
        onnxruntime refuses it.
    RecipeError
        There is no such device.
    """
    return Session(model, threads, device)


def _providers(device: str) -> list[str]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    import onnxruntime as ort

    if device != "cuda":
        raise RecipeError(f"there is no device {device!r}", remedy="use --device cpu or --device cuda")
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise RecipeError(
            "this onnxruntime cannot use a CUDA device",
            remedy="pip install onnxruntime-gpu in place of onnxruntime, or use --device cpu",
        )
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def _port(port, origin: str) -> Port:
    if port.type != "tensor(float)":
        raise ModelError(f"{port.name} is a {port.type}, but a model must take and give tensor(float)", path=origin)
    return Port(port.name, tuple(size if isinstance(size, int) and size > 0 else None for size in port.shape))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
