"""Loudspeaker layouts: which channel is which, as the bits of an extensible WAV header, and in what order it comes.

Within cleanaudio channels stand in the order of WAV, that of rising bits. A mask of 0 says that nothing is known.

Sources: Microsoft, Multiple Channel Audio Data and WAVE Files (the bits); the Vorbis I specification, 4.3.9, and
RFC 7845, 5.1.1.2 (Vorbis and Opus); RFC 9639, 9.1.3 (FLAC); Apple Lossless Format Description (ALAC).
"""

from __future__ import annotations

from collections.abc import Sequence

FL, FR, FC, LFE, BL, BR, FLC, FRC, BC, SL, SR = (1 << bit for bit in range(11))
_SHORT = [
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
]  # fmt: skip

NAMES = {
    FC: "mono",
    FL | FR: "stereo",
    FL | FR | LFE: "2.1",
    FL | FR | FC: "3.0",
    FL | FR | BC: "3.0(back)",
    FL | FR | FC | BC: "4.0",
    FL | FR | BL | BR: "quad",
    FL | FR | SL | SR: "quad(side)",
    FL | FR | FC | LFE: "3.1",
    FL | FR | FC | BL | BR: "5.0",
    FL | FR | FC | SL | SR: "5.0(side)",
    FL | FR | FC | LFE | BC: "4.1",
    FL | FR | FC | LFE | BL | BR: "5.1",
    FL | FR | FC | LFE | SL | SR: "5.1(side)",
    FL | FR | FC | BC | SL | SR: "6.0",
    FL | FR | FC | BL | BR | BC: "hexagonal",
    FL | FR | FC | LFE | BC | SL | SR: "6.1",
    FL | FR | FC | LFE | BL | BR | BC: "6.1(back)",
    FL | FR | FC | BL | BR | SL | SR: "7.0",
    FL | FR | FC | LFE | BL | BR | SL | SR: "7.1",
    FL | FR | FC | LFE | BL | BR | FLC | FRC: "7.1(wide)",
}
"""What FFmpeg calls them."""

DEFAULTS = {
    1: FC,
    2: FL | FR,
    3: FL | FR | LFE,
    4: FL | FR | FC | BC,
    5: FL | FR | FC | BL | BR,
    6: FL | FR | FC | LFE | BL | BR,
    7: FL | FR | FC | LFE | BC | SL | SR,
    8: FL | FR | FC | LFE | BL | BR | SL | SR,
}
"""What a number of channels is taken for where a file says nothing (av_channel_layout_default of FFmpeg)."""

_VORBIS = (
    (FL, FC, FR),
    (FL, FR, BL, BR),
    (FL, FC, FR, BL, BR),
    (FL, FC, FR, BL, BR, LFE),
    (FL, FC, FR, SL, SR, BC, LFE),
    (FL, FC, FR, SL, SR, BL, BR, LFE),
)
_ALAC = (
    (FC, FL, FR),
    (FC, FL, FR, BC),
    (FC, FL, FR, BL, BR),
    (FC, FL, FR, BL, BR, LFE),
    (FC, FL, FR, BL, BR, BC, LFE),
    (FC, FLC, FRC, FL, FR, BL, BR, LFE),
)
_FLAC = (
    (FL, FR, FC),
    (FL, FR, BL, BR),
    (FL, FR, FC, SL, SR),
    (FL, FR, FC, LFE, SL, SR),
    (FL, FR, FC, LFE, BC, SL, SR),
    (FL, FR, FC, LFE, BL, BR, SL, SR),
)
_LEAST, _MOST = 3, 8
_OPUS_FAMILY = 18  # offset in the identification header


def by_names(names: Sequence[str]) -> int:
    """Return the mask of channels that are called as FFmpeg calls them (``FL`` …), 0 where it has not all of them."""
    if not set(names) <= set(_SHORT):
        return 0
    return sum(1 << _SHORT.index(name) for name in set(names))


def of_mask(mask: int, channels: int) -> tuple[int, ...]:
    """Return the position of each channel; the default ones where a mask does not say as many as there are channels.

    Empty where there is no default either.
    """
    if mask.bit_count() != channels:
        mask = DEFAULTS.get(channels, 0)
    return tuple(1 << bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def is_special(mask: int, channels: int) -> bool:
    """Whether a mask says more than what is taken for granted of mono and stereo."""
    return mask != 0 and (channels > 2 or mask != DEFAULTS[channels])


def name(mask: int) -> str:
    """Return the name of a layout, in hexadecimal where it has none."""
    return NAMES.get(mask, f"0x{mask:X}")


def alike(mask: int, other: int) -> bool:
    """Whether two masks say the same of each channel; two surrounds may be called side or back ones."""

    def backs(mask: int) -> list[int]:
        bits = of_mask(mask, mask.bit_count())
        only_sides = not mask & (BL | BR)
        return [{SL: BL, SR: BR}.get(bit, bit) if only_sides else bit for bit in bits]

    return backs(mask) == backs(other)


def positions(container: str, subtype: str, channels: int) -> tuple[int, ...]:
    """Return the positions that an encoding gives to so many channels by their number alone, in coded order.

    Empty where it decides nothing, and for one and two channels, of which all have the same idea.
    """
    if not _LEAST <= channels <= _MOST:
        return ()
    if subtype in ("VORBIS", "OPUS"):
        return _VORBIS[channels - _LEAST]
    if subtype.startswith("ALAC"):
        return _ALAC[channels - _LEAST]
    return _FLAC[channels - _LEAST] if container == "FLAC" else ()


def opus_has_positions(head: bytes) -> bool:
    """Whether the channels of an Opus file that begins so have positions: in channel mapping family 1 they do."""
    at = head.find(b"OpusHead")
    return at >= 0 and head[at + _OPUS_FAMILY : at + _OPUS_FAMILY + 1] == b"\1"


def reading(coded: Sequence[int]) -> list[int] | None:
    """Return which coded channel each channel in the order of WAV is; None where the orders are the same."""
    order = [coded.index(position) for position in sorted(coded)]
    return None if order == sorted(order) else order


def writing(coded: Sequence[int]) -> list[int] | None:
    """Return which channel in the order of WAV each coded channel is; None where the orders are the same."""
    order = [sorted(coded).index(position) for position in coded]
    return None if order == sorted(order) else order
