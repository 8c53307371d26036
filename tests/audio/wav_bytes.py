"""WAV files laid together and taken apart byte by byte, with nothing of ours."""

import struct

import numpy as np

RATE = 16000


def noise(frames=2000, channels=1):
    return (np.random.default_rng(0).standard_normal((frames, channels)) * 0.1).clip(-1, 1)


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def wav(before=(), after=(), samples=None, codec=1, bits=16):
    data = (noise() * 32767).astype("<i2").tobytes() if samples is None else samples
    fields = struct.pack("<HHIIHH", codec, 1, RATE, RATE * bits // 8, bits // 8, bits)
    parts = [chunk(b"fmt ", fields), *(chunk(*row) for row in before), chunk(b"data", data)]
    body = b"WAVE" + b"".join([*parts, *(chunk(*row) for row in after)])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks_of(path):
    """Walk the chunks with nothing of ours."""
    content = path.read_bytes()
    assert struct.unpack_from("<I", content, 4)[0] in (len(content) - 8, 0xFFFFFFFF)
    found, position = [], 12
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        found.append((name, content[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    assert position == len(content)
    return found
