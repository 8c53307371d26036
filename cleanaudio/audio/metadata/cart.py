"""The cart chunk of a WAV for radio, in a part of the recording.

Source: AES46-2002, the post timers.
"""

from __future__ import annotations

import struct

_TIMERS = slice(684, 748)
_TIMER = struct.Struct("<4sI")


def of_part(cart: bytes, start: int, frames: int) -> bytes:
    """Return the chunk of a part: its timers are moved, those outside are unset (no name, 0)."""
    if len(cart) < _TIMERS.stop:
        return cart
    timers = []
    for name, frame in _TIMER.iter_unpack(cart[_TIMERS]):
        inside = name.strip(b"\0 ") and start <= frame <= start + frames
        timers.append(_TIMER.pack(name, frame - start) if inside else bytes(_TIMER.size))
    return cart[: _TIMERS.start] + b"".join(timers) + cart[_TIMERS.stop :]
