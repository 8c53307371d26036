"""Sound cards, through PortAudio (extra ``[live]``)."""

from __future__ import annotations

import queue
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.errors import BackendUnavailable, InputError
from cleanaudio.live.timing import Timing

Audio = NDArray[np.float32]

_SILENT_FOR_S = 2.0


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise BackendUnavailable("live audio", "live") from None
    except OSError as error:  # the package is there, the system's PortAudio is not
        raise BackendUnavailable(
            "live audio", "live", f"{error}; install the system's PortAudio (libportaudio2)"
        ) from None
    return sounddevice


def list_devices() -> list[dict[str, Any]]:
    """Return the audio devices: index, name, channels in and out, default rate.

    Raises
    ------
    BackendUnavailable
        No sounddevice, or no PortAudio.
    """
    return [
        {
            "index": index,
            "name": device["name"],
            "inputs": device["max_input_channels"],
            "outputs": device["max_output_channels"],
            "rate": int(device["default_samplerate"]),
        }
        for index, device in enumerate(_sounddevice().query_devices())
    ]


def run_devices(
    source: str | int | None,
    sink: str | int | None,
    processor: Processor,
    rate: int,
    channels: int,
    block: int,
    timing: Timing,
) -> None:
    """Clean from one device to another until interrupted.

    Parameters
    ----------
    source, sink : str, int or None
        Device names or indices; None is the system's default.
    processor : Processor
    rate, channels, block : int
    timing : Timing

    Raises
    ------
    InputError
        No such device, or it went away.
    BackendUnavailable
    """
    sounddevice = _sounddevice()
    ready: queue.Queue[Exception | None] = queue.Queue()
    kept = Queue(np.zeros((channels, 0), np.float32))

    def callback(data: Audio, out: Audio, frames: int, _time: object, status: Any) -> None:
        timing.watch(bool(status.input_overflow or status.output_underflow))
        started = time.perf_counter()
        try:
            heard = np.array(data.T, order="C")  # PortAudio will use its buffer again
            kept.push(processor.process(heard))
        except Exception as error:  # of any kind: the thread is PortAudio's, where it would be lost
            ready.put(error)
            raise sounddevice.CallbackAbort from error
        late = max(0, frames - len(kept))  # before the latency has passed there is silence
        out[:late] = 0
        out[late:] = kept.pop(frames - late).T
        timing.add(time.perf_counter() - started, frames)
        ready.put(None)

    try:
        with sounddevice.Stream(
            samplerate=rate,
            blocksize=block,
            device=(source, sink),
            channels=channels,
            dtype="float32",
            callback=callback,
        ):
            while (failure := ready.get(timeout=_SILENT_FOR_S)) is None:
                pass
    except queue.Empty:
        raise InputError("the audio device stopped giving sound", remedy="was it unplugged?") from None
    except (sounddevice.PortAudioError, ValueError) as error:
        raise InputError(
            f"the audio device cannot be used: {error}", remedy="see cleanaudio stream --list-devices"
        ) from None
    raise failure
