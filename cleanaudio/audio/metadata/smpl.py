"""The sampler chunk of a WAV: its loops in a part of the recording.

Source: Microsoft, New Multimedia Data Types and Data Techniques 3.0 (1994), ``smpl``.
"""

from __future__ import annotations

import struct

_HEAD = 36
_COUNT = slice(28, 32)
_LOOP = struct.Struct("<6I")


def of_part(smpl: bytes, start: int, frames: int) -> tuple[bytes, bool]:
    """Return the chunk of a part, and whether loops were left out that lie in it, but not all of them."""
    if len(smpl) < _HEAD:
        return smpl, False
    count = int.from_bytes(smpl[_COUNT], "little")
    end = min(_HEAD + count * _LOOP.size, _HEAD + (len(smpl) - _HEAD) // _LOOP.size * _LOOP.size)
    kept, cut = [], False
    for number, kind, first, last, fraction, times in _LOOP.iter_unpack(smpl[_HEAD:end]):
        if start <= first and last < start + frames:
            kept.append(_LOOP.pack(number, kind, first - start, last - start, fraction, times))
        else:
            cut = cut or (first < start + frames and last >= start)
    head = smpl[: _COUNT.start] + len(kept).to_bytes(4, "little") + smpl[_COUNT.stop : _HEAD]
    return head + b"".join(kept) + smpl[end:], cut
