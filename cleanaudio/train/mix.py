"""How noisy and clean pairs are made: what may happen to a voice and a noise, how often and how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MixConfig:
    """How pairs are made. Probabilities are 0 … 1.

    Parameters
    ----------
    rate : int
        Hz.
    seconds : float
        Length of an excerpt.
    wide_share : float
        Share of the voices that have bandwidth above 8 kHz, if there are any.
    speech_dbfs, snr_db : tuple of float
        Ranges of the active speech level and of active speech over mean noise.
    snr_lean : float
        Above 1 favours low SNR: low + (high − low) · u^snr_lean, with u uniform in 0 … 1.
    speed : tuple of float
        Range of the change of pitch, formants and tempo together.
    formant_share, formants
        How often, and how far the formants move by themselves.
    room_share, noise_room_share : float
        How often the voice stands in a room, and a noise that was coloured.
    target : {"room", "early"}
        Whether the target keeps the room or only its first 50 ms.
    two_noises, synthetic_share, babble_share : float
    equaliser_share, low_pass_share, clip_share : float
    clean_share, noise_share, silent_share : float
        Examples without noise, without voice, without both.
    stock : int
        Batches whose voices and noises are prepared together.
    remix : int
        How often each of them is mixed.
    """

    rate: int = 48000
    seconds: float = 3.0
    wide_share: float = 0.4
    speech_dbfs: tuple[float, float] = (-40.0, -12.0)
    snr_db: tuple[float, float] = (-8.0, 30.0)
    snr_lean: float = 1.3
    speed: tuple[float, float] = (0.84, 1.19)
    formant_share: float = 0.25
    formants: tuple[float, float] = (0.87, 1.15)
    room_share: float = 0.35
    noise_room_share: float = 0.3
    target: str = "room"
    two_noises: float = 0.3
    synthetic_share: float = 0.15
    babble_share: float = 0.07
    equaliser_share: float = 0.6
    low_pass_share: float = 0.12
    clip_share: float = 0.05
    clean_share: float = 0.04
    noise_share: float = 0.04
    silent_share: float = 0.005
    stock: int = 8
    remix: int = 4
