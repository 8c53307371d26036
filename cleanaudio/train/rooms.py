"""Room responses: measured ones from a folder, and simulated shoebox rooms from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.resample import resampled
from cleanaudio.audio.whole import read_whole
from cleanaudio.errors import CleanAudioError, RecipeError
from cleanaudio.spatial.geometry import SPEED_OF_SOUND
from cleanaudio.train.clips import scan


def shoebox(generator: np.random.Generator, rate: int, seconds: float, reach_s: float = 0.08) -> NDArray[np.float32]:
    """Simulate the response from a random place to another in a random rectangular room.

    The early part comes from the image-source method (Allen & Berkley 1979, eq. 10) with one reflection factor for all
    walls from Sabine's formula, the late part is noise that decays with the reverberation time, and loses
    its high frequencies on the way.

    Parameters
    ----------
    generator : numpy.random.Generator
    rate : int
    seconds : float
        Length of the response.
    reach_s : float
        Where the late part takes over.

    Returns
    -------
    ndarray, shape (rate * seconds,), float32
        Unit energy, the direct sound at its beginning.
    """
    size = generator.uniform([2.5, 2.5, 2.2], [10.0, 8.0, 4.0])
    reverberation_s = np.exp(generator.uniform(np.log(0.12), np.log(1.0)))
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    absorption = min(0.161 * size.prod() / (surface * reverberation_s), 0.95)
    reflection = np.sqrt(1 - absorption)
    source, ear = generator.uniform(0.3, size - 0.3), generator.uniform(0.3, size - 0.3)
    order = np.ceil(SPEED_OF_SOUND * reach_s / (2 * size)).astype(int)
    cells = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in order), indexing="ij"), -1).reshape(-1, 1, 3)
    flips = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(1, 8, 3)
    distance = np.linalg.norm((1 - 2 * flips) * source + 2 * cells * size - ear, axis=-1).ravel()
    bounces = (np.abs(cells - flips) + np.abs(cells)).sum(-1).ravel()
    direct = np.linalg.norm(source - ear)
    delay = np.round((distance - direct) / SPEED_OF_SOUND * rate).astype(int)
    near = (delay >= 0) & (delay < reach_s * rate)
    count = int(rate * seconds)
    response = np.zeros(count)
    np.add.at(response, delay[near], reflection ** bounces[near] / np.maximum(distance[near], 0.1))
    late = int(reach_s * rate)
    time = np.arange(count) / rate
    tail = generator.standard_normal(count) * 10 ** (-3 * time / reverberation_s)
    dark = np.convolve(tail, np.full(8, 1 / 8), mode="same") * np.sqrt(8)
    share = np.clip(time / 0.5, 0, 1)
    tail = (1 - share) * tail + share * dark
    edge = slice(late // 2, late)
    level = np.sqrt(np.mean(response[edge] ** 2) / (np.mean(tail[edge] ** 2) + 1e-20))
    response += tail * level * np.clip((np.arange(count) - late // 2) / (late - late // 2), 0, 1)
    return (response / np.sqrt(np.sum(response**2))).astype(np.float32)


def measured(
    sources: Iterable[Path], rate: int, seconds: float, log: Callable[[str], None] = lambda text: None
) -> list[NDArray[np.float32]]:
    """Read room responses, every channel by itself, resampled, cut and brought to the same start and energy.

    Parameters
    ----------
    sources : iterable of Path
        Folders or manifests.
    rate : int
    seconds : float
    log : callable, optional
        Told which cannot be read.

    Returns
    -------
    list of ndarray, shape (rate * seconds,)
    """
    responses = []
    for source in sources:
        for clip in scan(Path(source), "type"):
            try:
                channels, own_rate = read_whole(clip.path)
            except CleanAudioError as error:
                log(f"a room response is left out: {error.describe()}")
                continue
            for channel in channels[:, clip.within(own_rate, channels.shape[1])]:
                if not len(channel):
                    continue
                response = resampled(channel, own_rate, rate)
                first = max(int(np.argmax(np.abs(response))) - rate // 1000, 0)
                response = response[first:][: int(rate * seconds)]
                energy = np.sqrt(np.sum(response**2))
                if energy > 0:
                    responses.append(np.pad(response / energy, (0, int(rate * seconds) - len(response))))
    return responses


def bank(
    sources: Iterable[Path],
    rate: int,
    seconds: float,
    simulated: int,
    seed: int,
    log: Callable[[str], None] = lambda text: None,
) -> NDArray[np.float32]:
    """Return measured and simulated responses together, shape (count, rate * seconds); see :func:`measured`.

    Raises
    ------
    RecipeError
        There are none.
    """
    generator = np.random.default_rng((seed, 77))
    rooms = measured(sources, rate, seconds, log)
    if not rooms and simulated < 1:
        raise RecipeError("there are no rooms", remedy="name --rir, or let simulated_rooms be above 0")
    # The measured ones stand for a fifth to a third of all, however few they are.
    rooms *= max(1, simulated // (2 * len(rooms))) if rooms else 1
    return np.stack(rooms + [shoebox(generator, rate, seconds) for _ in range(simulated)])
