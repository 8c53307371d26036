"""The broadcast chunk (``bext``) of a WAV, edited for a part of the recording or for other samples.

Source: EBU Tech 3285, version 2.
"""

from __future__ import annotations

_TIME_REFERENCE = slice(338, 346)
_VERSION = slice(346, 348)
_LOUDNESS = slice(412, 422)  # loudness, its range, true peak, maximum momentary and short-term loudness: int16 each
_UNKNOWN = (0x7FFF).to_bytes(2, "little")


def later(bext: bytes, frames: int) -> bytes:
    """Return the chunk of a part that begins so many frames later in the day (2.3, TimeReference)."""
    if len(bext) < _TIME_REFERENCE.stop:
        return bext
    reference = int.from_bytes(bext[_TIME_REFERENCE], "little") + frames
    if reference >> 64:  # one that nobody set
        return bext
    return bext[: _TIME_REFERENCE.start] + reference.to_bytes(8, "little") + bext[_TIME_REFERENCE.stop :]


def without_loudness(bext: bytes) -> bytes:
    """Return the chunk with the loudness that version 2 has places for unknown (2.4: 0x7FFF)."""
    if len(bext) < _LOUDNESS.stop or int.from_bytes(bext[_VERSION], "little") < 2:
        return bext
    unknown = _UNKNOWN * ((_LOUDNESS.stop - _LOUDNESS.start) // 2)
    return bext[: _LOUDNESS.start] + unknown + bext[_LOUDNESS.stop :]
