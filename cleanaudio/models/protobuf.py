"""The wire format of Protocol Buffers, of which ONNX files are made: fields to read and to write, without a schema.

A message is a row of fields. Each begins with a number that holds the field's number and its kind: a number of up to
ten bytes (varint), bytes with their length before them (a text or a message), or four or eight bytes as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

Value = int | memoryview


def fields(message: memoryview) -> Iterator[tuple[int, Value, memoryview]]:
    """Yield (field number, number or bytes, the whole field as it stands); fixed-width numbers come as bytes.

    Raises
    ------
    ValueError, IndexError
        The message is broken.
    """
    at, end = 0, len(message)
    while at < end:
        start = at
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(message, at)
            yield tag >> 3, number, message[start:at]
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if tag >> 3 == 0 or size > end - at:
            raise ValueError("a field that ends behind its message")
        yield tag >> 3, message[at : at + size], message[start : at + size]
        at += size


def message_of(value: Value) -> memoryview:
    """Return a field's value as the message that it should be.

    Raises
    ------
    ValueError
        It is a number.
    """
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def text_of(value: Value) -> str:
    """Return a field's value as the text that it should be.

    Raises
    ------
    ValueError
        It is a number, or no UTF-8.
    """
    return bytes(message_of(value)).decode()


def encode(number: int, value: int | bytes) -> bytes:
    """Return a field: a number of at least 0, or bytes (of a text or a message)."""
    if isinstance(value, int):
        return _encode_varint(number << 3) + _encode_varint(value)
    return _encode_varint(number << 3 | 2) + _encode_varint(len(value)) + value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
