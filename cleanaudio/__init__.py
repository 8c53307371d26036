"""cleanaudio: clean recorded speech.

The library's public face. Importing it is cheap; what a function needs is imported when it is called.

>>> import numpy as np, cleanaudio
>>> cleanaudio.clean(np.zeros(1600, np.float32), 16000, "wiener").shape
(1600,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cleanaudio.backends.interface import ChannelMode, Processor, Value
    from cleanaudio.backends.profile import NoiseProfile
    from cleanaudio.metrics.interface import Measured

__version__ = "0.1.0"
__all__ = ["clean", "open_chain", "score"]


def clean(
    samples: NDArray[np.floating],
    rate: int,
    backend: str = "auto",
    *,
    options: Mapping[str, Value] | None = None,
    strength: float = 1.0,
    limit_db: float | None = None,
    channels: ChannelMode | None = None,
    dereverb: float = 0.0,
    profile: NoiseProfile | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Clean a recording that is in memory.

    Parameters
    ----------
    samples : ndarray, shape (frames,) or (channels, frames)
        Floating point, nominal range ±1.
    rate : int
        Hz.
    backend : str
        ``auto``, a name, ``name:argument`` or a weighted sum such as ``0.6*deepfilternet+0.4*rnnoise``.
    options : mapping, optional
        Backend options; see ``cleanaudio backends NAME``.
    strength : float
        0 (leave it as it is) … 1.
    limit_db : float, optional
        Take away at most so many dB.
    channels : {"linked", "independent", "mid-side"}, optional
        Default: linked for two channels, independent for more.
    dereverb : float
        0 … 1: how much of the reverberation is taken away, all channels together, before the backend.
    profile : NoiseProfile, optional
        A measured noise print.
    threads : int
        Threads that a model may use.

    Returns
    -------
    ndarray, float32, shape of ``samples``

    Raises
    ------
    InputError
        ``samples`` is not audio.
    RecipeError, BackendUnavailable, ModelError
    """
    import numpy as np

    from cleanaudio.audio.array import as_audio

    audio = as_audio(samples)
    chain = _chain(
        backend, rate, len(audio), options, strength, limit_db, channels, dereverb, profile, threads, live=False
    )
    processor = chain.open(chain.analyse(lambda: [audio]) if chain.needs_analysis else None)
    cleaned = np.concatenate([processor.process(audio), processor.flush()], axis=1)
    return cleaned.reshape(np.shape(samples))


def open_chain(
    backend: str = "auto",
    *,
    rate: int,
    channels: int = 1,
    options: Mapping[str, Value] | None = None,
    strength: float = 1.0,
    limit_db: float | None = None,
    mode: ChannelMode | None = None,
    dereverb: float = 0.0,
    profile: NoiseProfile | None = None,
    threads: int = 1,
    live: bool = True,
) -> Processor:
    """Return a processor to be fed block by block.

    Parameters
    ----------
    backend : str
    rate : int
        Hz.
    channels : int
    options, strength, limit_db, dereverb, profile, threads
        As in :func:`clean`; reverberation is taken away frame by frame where ``live``.
    mode : {"linked", "independent", "mid-side"}, optional
        Channel mode.
    live : bool
        Whether the smallest latency is wanted.

    Raises
    ------
    RecipeError
        Also for a backend that must hear the whole recording first.
    BackendUnavailable, ModelError
    """
    from cleanaudio.errors import RecipeError

    chain = _chain(backend, rate, channels, options, strength, limit_db, mode, dereverb, profile, threads, live)
    if chain.needs_analysis:
        raise RecipeError(f"backend {backend} must hear the whole recording first", remedy="use cleanaudio.clean")
    return chain.open()


def score(
    enhanced: NDArray[np.floating],
    rate: int,
    *,
    reference: NDArray[np.floating] | None = None,
    noisy: NDArray[np.floating] | None = None,
    metrics: Sequence[str] | None = None,
    align: bool = True,
) -> dict[str, Measured]:
    """Measure a cleaned recording that is in memory.

    Parameters
    ----------
    enhanced, reference, noisy : ndarray, shape (frames,) or (channels, frames)
        What came out, the clean signal and what went in, all at ``rate``.
    rate : int
        Hz.
    metrics : sequence of str, optional
        Default: all that the given signals allow.
    align : bool
        Take a constant delay out first.

    Returns
    -------
    dict
        Each number, or a ``NotMeasurable`` with the reason.

    Raises
    ------
    InputError
        A signal is empty, or lengths differ by more than 0.25 s.
    RecipeError
        There is no such metric.
    """
    from cleanaudio.metrics.score import score as measure

    return measure(enhanced, rate, reference, noisy, metrics, align)


def _chain(
    backend: str,
    rate: int,
    channels: int,
    options: Mapping[str, Value] | None,
    strength: float,
    limit_db: float | None,
    mode: ChannelMode | None,
    dereverb: float,
    profile: NoiseProfile | None,
    threads: int,
    live: bool,
) -> Any:
    from cleanaudio.backends import chain, registry
    from cleanaudio.backends.interface import Setup
    from cleanaudio.backends.spec import parse

    terms = registry.decide(parse(backend))[0]
    settings = chain.Settings(terms, options or {}, strength, limit_db, mode, dereverb)
    return chain.resolve(settings, Setup(rate, channels, live=live, threads=threads, profile=profile))
