"""Facts about encodings, in libsndfile's names."""

from __future__ import annotations

FLOAT_SUBTYPES = frozenset(["FLOAT", "DOUBLE"])
"""Encodings in which full scale is no bound."""

PERCEPTUAL = frozenset(["VORBIS", "OPUS", "MPEG_LAYER_III"])
"""Encodings by a model of hearing that are written: lossy, and their bit rate can be chosen."""

DEPTHS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
}
"""Bits per sample of the lossless integer encodings."""
