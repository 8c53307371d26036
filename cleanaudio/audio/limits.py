"""How much is believed of what a header claims."""

from __future__ import annotations

MAX_CHANNELS = 64
"""More than these are taken for a damaged header, or for frames in the place of channels."""

RATES = range(1000, 1_536_001)
"""Rates of recordings that are worked on, Hz; others are taken for a damaged header."""

HELD_BYTES = 64 << 20
"""Tags and chunks up to this size are held in memory; longer ones are left out, or left to the decoder."""
