"""cleanaudio: clean recorded speech.

The library's public face. Importing it is cheap; what a function needs is imported when it is called.

>>> import numpy as np, cleanaudio
>>> cleanaudio.clean(np.zeros(1600, np.float32), 16000, "wiener").shape
(1600,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanaudio.batch.choices import POSTFILTER_STRENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from cleanaudio.audio.processor import Processor
    from cleanaudio.backends.chain import Chain, Settings
    from cleanaudio.backends.interface import ChannelMode, Setup, Value
    from cleanaudio.backends.profile import NoiseProfile
    from cleanaudio.batch.choices import Method
    from cleanaudio.metrics.interface import Measured
    from cleanaudio.spatial.geometry import Geometry

__version__ = "0.1.0"
__all__ = ["beamform", "clean", "open_chain", "score"]


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

    The samples are those of ``cleanaudio denoise --no-guard``: nothing watches here what a network does to a voice.

    Parameters
    ----------
    samples : ndarray, shape (frames,) or (channels, frames)
        Floating point, nominal range ±1.
    rate : int
        Hz, 1000 to 1 536 000.
    backend : str
        ``auto``, a name, ``name:argument``, a weighted sum such as ``0.6*deepfilternet+0.4*rnnoise``, or a series such
        as ``omlsa,fullband``, where the second hears what the first has cleaned.
    options : mapping, optional
        Backend options; see ``cleanaudio backends NAME``.
    strength : float
        0 (leave it as it is) … 1.
    limit_db : float, optional
        Attenuate by at most so many dB.
    channels : {"linked", "independent", "mid-side"}, optional
        Default: linked for two channels, independent for more.
    dereverb : float
        0 … 1: how much of the late reverberation is removed, from all channels together, before the backend.
    profile : NoiseProfile, optional
        The noise, measured by ``cleanaudio profile-noise`` and read with ``NoiseProfile.load``.
    threads : int
        Threads that a model may use, one at least.

    Returns
    -------
    ndarray, float32, shape of ``samples``

    Raises
    ------
    InputError
        ``samples`` is not audio, or ``rate`` or ``threads`` out of range.
    RecipeError, BackendUnavailable, ModelError
    """
    import numpy as np

    from cleanaudio.audio.array import as_audio
    from cleanaudio.audio.processor import through
    from cleanaudio.backends.chain import Settings
    from cleanaudio.backends.interface import Setup

    audio = as_audio(samples)
    settings = Settings((), options or {}, strength, limit_db, channels, dereverb)
    chain = _chain(backend, settings, Setup(rate, len(audio), threads=threads, profile=profile))
    processor = chain.open(chain.analyse(lambda: [audio]) if chain.needs_analysis else None)
    cleaned = through(processor, audio)
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
        As in :func:`clean`; of those that can go block by block.
    rate : int
        Hz, 1000 to 1 536 000.
    channels : int
        Number of channels of the blocks, 1 to 64.
    options, strength, limit_db, dereverb, profile, threads
        As in :func:`clean`; reverberation is suppressed frame by frame where ``live``.
    mode : {"linked", "independent", "mid-side"}, optional
        What ``channels`` is in :func:`clean`: how the channels share their decisions.
    live : bool
        Whether the smallest latency is wanted.

    Returns
    -------
    Processor
        Takes blocks of (channels, n), floating point; another shape, or integers, are an InputError.

    Raises
    ------
    InputError
        ``rate``, ``channels`` or ``threads`` is out of range.
    RecipeError
        Also for a backend that must hear the whole recording first.
    BackendUnavailable, ModelError
    """
    from cleanaudio.backends.blocks import Checked
    from cleanaudio.backends.chain import Settings
    from cleanaudio.backends.interface import Setup
    from cleanaudio.errors import RecipeError

    settings = Settings((), options or {}, strength, limit_db, mode, dereverb)
    chain = _chain(backend, settings, Setup(rate, channels, live=live, threads=threads, profile=profile))
    if chain.needs_analysis:
        raise RecipeError(f"backend {backend} must hear the whole recording first", remedy="use cleanaudio.clean")
    return Checked(chain.open(), chain.channels)


def beamform(
    samples: NDArray[np.floating],
    rate: int,
    method: Method = "mvdr",
    *,
    array: str | PathLike[str] | Geometry | ArrayLike | None = None,
    direction: tuple[float, float] | float | None = None,
    temperature_c: float = 20.0,
    noise_from: tuple[float, float] | None = None,
    mask: str = "auto",
    mu: float | None = None,
    rank1: bool = False,
    block_s: float | None = None,
    reference: int | None = None,
    keep_bad: bool = False,
    keep_channels: bool = False,
    dereverb: float = 0.0,
    postfilter: str | None = None,
    postfilter_strength: float = POSTFILTER_STRENGTH,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Turn a recording of several microphones that is in memory into one voice.

    Microphones that are dead, clipped, much too quiet, inverted or late are left out or repaired, unless ``keep_bad``.

    Parameters
    ----------
    samples : ndarray, shape (channels, frames)
        Floating point, nominal range ±1.
    rate : int
        Hz, 1000 to 1 536 000.
    method : {"mvdr", "gev", "mwf", "delay-and-sum", "superdirective"}
    array : str, path, Geometry or array_like of shape (microphones, 3), optional
        Where the microphones are: ``linear:4:0.05``, ``circular:6:0.0463``, a file of positions, or the positions in
        metres.
    direction : float or (float, float), optional
        Azimuth, or azimuth and elevation, of the voice, degrees.
    temperature_c : float
        Temperature of the air, °C: it decides the speed of sound.
    noise_from : (float, float), optional
        A stretch that holds only noise, seconds; in place of a mask.
    mask : str
        What tells voice from noise: ``auto``, a backend, ``salience`` (what stands out of steady noise), ``vad`` (by
        level), or ``none``, which only a blind delay-and-sum can do with.
    mu : float, optional
        Trade-off of ``mwf``: a larger one removes more noise, and distorts the voice more.
    rank1 : bool
        Take the voice for one source without echoes.
    block_s : float, optional
        Length of the blocks, seconds; each has filters of its own.
    reference : int, optional
        Microphone that the result is aligned with, counted from 0; default: the one in which the voice stands out
        most from the noise.
    keep_bad : bool
        Use broken microphones as they are.
    keep_channels : bool
        Return the voice as each microphone in use hears it.
    dereverb : float
        0 … 1: how much of the late reverberation is removed first.
    postfilter : str, optional
        Backend that cleans the result.
    postfilter_strength : float
        0 … 1.
    threads : int
        Threads that a model may use, one at least.

    Returns
    -------
    ndarray, float32, shape (frames,)
        With ``keep_channels`` (microphones in use, frames).

    Raises
    ------
    InputError
        ``samples`` is not audio, or of an array in which fewer than two microphones can be used; or ``rate`` or
        ``threads`` is out of range.
    RecipeError, BackendUnavailable, ModelError
    """
    from cleanaudio.audio.array import as_audio, as_rate
    from cleanaudio.audio.processor import through
    from cleanaudio.batch.array_path import ArrayPath
    from cleanaudio.batch.array_request import ArrayRequest
    from cleanaudio.batch.masking import decide
    from cleanaudio.batch.recipe import decided
    from cleanaudio.spatial.geometry import as_direction, as_geometry

    audio, rate, threads = as_audio(samples), as_rate(rate), _threads(threads)
    geometry = None if array is None else as_geometry(array)
    request = ArrayRequest(
        method=method,
        geometry=geometry,
        direction=None if direction is None else as_direction(direction),
        temperature_c=temperature_c,
        noise_from=noise_from,
        mask=decide(mask)[0],
        mu=mu,
        rank1=rank1,
        block_s=block_s,
        reference=reference,
        keep_bad=keep_bad,
        keep_channels=keep_channels,
        dereverb=dereverb,
        postfilter=None if postfilter is None else decided(postfilter)[0],
        postfilter_strength=postfilter_strength,
    )
    path = ArrayPath(request, rate, len(audio), audio.shape[1], lambda: [audio], geometry=geometry, threads=threads)
    processor = path.open()
    out = through(processor, audio)
    return out if keep_channels else out[0]


def score(
    enhanced: NDArray[np.floating],
    rate: int,
    *,
    reference: NDArray[np.floating] | None = None,
    noisy: NDArray[np.floating] | None = None,
    metrics: str | Sequence[str] | None = None,
    align: bool = True,
) -> dict[str, Measured]:
    """Measure a cleaned recording that is in memory.

    Parameters
    ----------
    enhanced, reference, noisy : ndarray, shape (frames,) or (channels, frames)
        What came out, the clean signal and what went in, all at ``rate``.
    rate : int
        Hz, 1000 to 1 536 000.
    metrics : str or sequence of str, optional
        Default: all that the given signals allow.
    align : bool
        Compensate a constant delay first.

    Returns
    -------
    dict
        Each number, or a ``NotMeasurable`` with the reason.

    Raises
    ------
    InputError
        A signal is no audio or empty, ``rate`` is out of range, or lengths differ by more than 0.25 s.
    RecipeError
        There is no such metric.
    """
    from cleanaudio.audio.array import as_rate
    from cleanaudio.metrics.score import score as measure

    names = (metrics,) if isinstance(metrics, str) else None if metrics is None else tuple(metrics)
    return measure(enhanced, as_rate(rate), reference, noisy, names, align)


def _chain(backend: str, settings: Settings, setup: Setup) -> Chain:
    """Return the signal path of settings that still lack their backend, for a setup that is still to be checked."""
    from dataclasses import replace

    from cleanaudio.audio.array import as_number, as_rate
    from cleanaudio.audio.limits import MAX_CHANNELS
    from cleanaudio.backends import registry
    from cleanaudio.backends.chain import resolve
    from cleanaudio.backends.spec import parse

    rate = as_rate(setup.rate)
    channels = as_number(setup.channels, range(1, MAX_CHANNELS + 1), "the number of channels")
    terms = registry.decide(parse(backend), setup.live)[0]
    setup = replace(setup, rate=rate, channels=channels, threads=_threads(setup.threads))
    return resolve(replace(settings, terms=terms), setup)


def _threads(count: int) -> int:
    from cleanaudio.audio.array import as_number

    return as_number(count, range(1, 1025), "the number of threads")
