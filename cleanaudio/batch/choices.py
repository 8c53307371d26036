"""Choices that the user has and their defaults, free of NumPy so that the command line can offer them at once."""

from __future__ import annotations

from typing import Literal, get_args

DEFAULT_NAME = "{stem}{suffix}.{ext}"
"""Template of an output's name."""

IfFails = Literal["keep", "original", "quarantine"]
"""What becomes of an output that fails the gate."""

Method = Literal["mvdr", "gev", "mwf", "delay-and-sum", "superdirective"]
"""How many microphones become one voice."""
METHODS: tuple[Method, ...] = get_args(Method)

POSTFILTER_STRENGTH = 0.95
"""All of it takes the room away with the noise. With this much PESQ is above that of any single microphone cleaned, in
measured and in simulated rooms, and DNSMOS OVRL in the measured one; with 0.7 PESQ is best in the measured room."""
