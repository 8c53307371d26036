"""DNSMOS: what a crowd of listeners would say of speech, background and the whole, without a reference.

* ``dnsmos_sig``, ``dnsmos_bak``, ``dnsmos_ovrl``: ITU-T P.835 scales (Reddy, Gopal & Cutler, ICASSP 2022), each
  1 … 5, higher is better.
* ``dnsmos_p808``: ITU-T P.808 scale (Reddy, Gopal & Cutler, ICASSP 2021), 1 … 5, higher is better.

Native rate 16 kHz (resampled by soxr; more than full scale is clipped); channels are averaged. The networks are the
ONNX files in the package ``speechmos`` (extra ``[metrics]``); its windows of 9.01 s, one a second, its repetition of
short clips and its polynomials are kept, so that the results are equal to those of ``speechmos.dnsmos.run``.

Windows overlap by eight ninths, and nearly all of the time goes into the first five layers of the P.835 network, which
see 13 frames (0.13 s). So the network is cut in two behind its second pooling: its front runs once over the recording,
and once over the two edges of each window, where the padding shows; its back runs once a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics import mel
from cleanaudio.metrics.interface import Computed, Metric, NotMeasurable, Signals, Vector
from cleanaudio.metrics.onnx_cut import cut, nodes
from cleanaudio.metrics.packages import package_folder

RATE = 16000
WINDOW_S = 9.01
WINDOW = int(WINDOW_S * RATE)
HOP = 160
"""Samples from frame to frame in both networks."""
FRAMES = 900
"""Frames of a window."""
STEP = RATE // HOP
"""Frames from window to window."""
POOL = 4
"""Frames that the two poolings of the front make one."""
EDGE = 2
"""Pooled frames at each end of a window that the zero padding of the convolutions reaches: four layers reach 4 frames,
which is 2 after the first pooling; the fifth layer makes it 3, which is 2 after the second."""
CHUNK = 224
"""Frames that the front sees at once, with 2 * EDGE * POOL more as context; a multiple of POOL."""
SECTION = 60
"""Windows worked on together; the memory for long recordings ends here."""
BANDS = 120

CLEAN_BAK = 3.9
"""``dnsmos_bak`` from which a recording has no background worth removing."""

_SIG = (-0.08397278, 1.22083953, 0.0052439)
_BAK = (-0.13166888, 1.60915514, -0.39604546)
_OVRL = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True)
class P835:
    """Mean opinion scores of one recording for speech, background and the whole, 1 … 5."""

    sig: float
    bak: float
    ovrl: float


@dataclass(frozen=True)
class Mos(P835):
    """The same, and the score of the older scale."""

    p808: float


@dataclass(frozen=True)
class _Networks:
    front: Any
    back: Any
    p808: Any


_threads = 0


def use_threads(count: int) -> None:
    """Set the number of threads of networks loaded from now on; 0 lets onnxruntime decide.

    Workers of a pool use one each.
    """
    global _threads
    _threads = count


def release() -> None:
    """Give the memory of the networks back, some 60 MB; they are loaded again where they are needed."""
    _networks.cache_clear()


@cache
def _networks(threads: int) -> _Networks:
    import onnxruntime

    folder = package_folder("speechmos") / "dnsmos_models"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3

    def session(model: bytes) -> Any:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    p835 = (folder / "sig_bak_ovr.onnx").read_bytes()
    steps = nodes(p835)
    frames = next(outputs[0] for operator, _, outputs in steps if operator == "Concat")
    pooled = [outputs[0] for operator, _, outputs in steps if operator == "MaxPool"][1]
    scores = steps[-1][2][0]
    return _Networks(
        front=session(cut(p835, (frames, 3), (pooled, 4))),
        back=session(cut(p835, (pooled, 4), (scores, 2))),
        p808=session((folder / "model_v8.onnx").read_bytes()),
    )


def _run(session: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(batch)})[0]


def window_starts(frames: int) -> list[int]:
    """Return where the windows of a recording of so many frames (at least a window) begin, in seconds.

    The reference implementation leaves out a window whose end, computed in floating point, falls one sample short;
    so does this one.
    """
    count = int(frames // RATE - WINDOW_S) + 1
    return [second for second in range(count) if int((second + WINDOW_S) * RATE) - second * RATE >= WINDOW]


def mos(signal: Vector) -> Mos:
    """Return the scores of a mono signal at 16 kHz, of any length from one sample.

    Parameters
    ----------
    signal : ndarray, shape (frames,), float32

    Raises
    ------
    ModuleNotFoundError
        ``speechmos`` is not installed.
    """
    networks = _networks(_threads)
    raw, p808 = [], []
    for section, starts in _sections(_long_enough(signal)):
        raw.append(_p835(networks, section, starts))
        p808 += [_run(networks.p808, features[None])[0, 0] for features in _p808_features(section, starts)]
    return Mos(*_scores(np.concatenate(raw)), float(np.mean(p808)))


def glance(signal: Vector) -> P835:
    """Return scores that compare two versions of one signal: without P.808, and of one window where it fills none.

    A fraction of the work of :func:`mos`, which hears in several windows what it repeats.

    Parameters
    ----------
    signal : ndarray, shape (frames,), float32
        Mono at 16 kHz, of any length from one sample.

    Raises
    ------
    ModuleNotFoundError
        ``speechmos`` is not installed.
    """
    networks = _networks(_threads)
    audio = _long_enough(signal)[: max(WINDOW, len(signal))]
    return P835(*_scores(np.concatenate([_p835(networks, section, starts) for section, starts in _sections(audio)])))


def _sections(audio: Vector) -> Iterator[tuple[Vector, list[int]]]:
    """Yield the stretches worked on together, and where in each its windows begin, in seconds."""
    starts = window_starts(len(audio))
    for at in range(0, len(starts), SECTION):
        first = starts[at]
        inside = [second - first for second in starts[at : at + SECTION]]
        yield audio[first * RATE : (first + inside[-1]) * RATE + WINDOW], inside


def _long_enough(signal: Vector) -> Vector:
    """Return a signal within full scale, doubled until it fills a window."""
    audio = np.clip(np.asarray(signal, np.float32), -1, 1)
    if len(audio) < WINDOW:
        audio = np.tile(audio, 2 ** int(np.ceil(np.log2(WINDOW / len(audio)))))
    return audio


def _scores(raw: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return SIG, BAK and OVRL out of the raw scores of each window, (windows, 3)."""
    sig, bak, ovrl = (float(np.polyval(curve, raw[:, k]).mean()) for k, curve in enumerate((_SIG, _BAK, _OVRL)))
    return sig, bak, ovrl


def _p835(networks: _Networks, audio: Vector, starts: list[int]) -> NDArray[np.float32]:
    """Return the raw scores of each window, (windows, 3)."""
    total = STEP * starts[-1] + FRAMES
    frames = np.lib.stride_tricks.sliding_window_view(audio, 2 * HOP)[: total * HOP : HOP]
    context = EDGE * POOL
    pooled = []
    for begin in range(0, total, CHUNK):
        before, end = max(0, begin - context), min(total, begin + CHUNK)
        out = _run(networks.front, frames[None, before : min(total, end + context)])
        pooled.append(out[0, :, (begin - before) // POOL : (end - before) // POOL])
    shared = np.concatenate(pooled, axis=1)
    bounds = [STEP * second for second in starts]
    windows = np.stack([shared[:, at // POOL : (at + FRAMES) // POOL] for at in bounds])
    if len(bounds) > 1:  # the recording's own two ends are right already
        heads = [frames[at : at + 2 * context] for at in bounds[1:]]
        tails = [frames[at + FRAMES - 2 * context : at + FRAMES] for at in bounds[:-1]]
        edges = _run(networks.front, np.stack(heads + tails))
        windows[1:, :, :EDGE] = edges[: len(heads), :, :EDGE]
        windows[:-1, :, -EDGE:] = edges[len(heads) :, :, -EDGE:]
    return np.concatenate([_run(networks.back, window[None]) for window in windows])


def _p808_features(audio: Vector, starts: list[int]) -> list[NDArray[np.float32]]:
    """Return the mel spectrogram of each window in the network's scale, (FRAMES, BANDS) each.

    Frames are centred and zero-padded at the ends of each window of 9 s; those inside are shared by the windows.
    """
    size = 2 * HOP + 1
    filters = mel.filters(RATE, size, BANDS).T
    total = STEP * starts[-1] + FRAMES
    padded = np.pad(audio[: total * HOP], (HOP, HOP + 1))
    shared = mel.power_frames(padded, size, HOP)[:total] @ filters
    features = []
    for second in starts:
        at, first = STEP * second, RATE * second
        window = shared[at : at + FRAMES].copy()
        head = np.pad(audio[first : first + HOP + 1], (HOP, 0))
        last = first + FRAMES * HOP
        tail = np.pad(audio[last - size + 1 : last], (0, 1))
        window[[0, -1]] = mel.power_frames(np.concatenate([head, tail]), size, size) @ filters
        level = 10 * np.log10(np.maximum(1e-10, window))
        level -= 10 * np.log10(max(1e-10, float(window.max())))
        features.append((np.maximum(level, level.max() - 80) + 40) / 40)
    return features


def _compute(signals: Signals) -> Computed:
    signal = signals.mono("enhanced", RATE)
    if not len(signal):
        return dict.fromkeys(DNSMOS.keys, NotMeasurable("too short"))
    if not signal.any():
        return dict.fromkeys(DNSMOS.keys, NotMeasurable("digital silence"))
    scores = mos(signal)
    return {f"dnsmos_{scale}": getattr(scores, scale) for scale in ("sig", "bak", "ovrl", "p808")}


DNSMOS = Metric(
    name="dnsmos",
    keys=("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808"),
    compute=_compute,
    unit="MOS",
    low=1.0,
    high=5.0,
    extra="metrics",
    modules=("onnxruntime", "speechmos"),
    summary="predicted listeners' scores: speech, background, overall (P.835) and P.808",
)
