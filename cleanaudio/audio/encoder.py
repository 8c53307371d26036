"""From blocks of float32 to the samples of an encoding, in a container: what all writers share."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from cleanaudio.audio import aiff, channelmask, flac, ogg, wave
from cleanaudio.audio.choices import ClipMode
from cleanaudio.audio.encodings import DEPTHS, PERCEPTUAL
from cleanaudio.audio.formats import OutputFormat
from cleanaudio.audio.limiter import Limiter
from cleanaudio.audio.metadata import id3
from cleanaudio.audio.metadata.tags import Tags
from cleanaudio.audio.quantise import Quantiser
from cleanaudio.audio.sndsink import SndfileSink
from cleanaudio.errors import FormatError, OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleanaudio.audio.level import LevelMeter

    Audio = NDArray[np.float32]


_NEVER_EMPTY = ("OPUS", "MPEG_LAYER_III")
_PIECE_S = 1.0
_REMEDIES = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some of your quota or choose another folder",
    errno.EFBIG: "raise the limit on file sizes or choose a smaller format",
    errno.EACCES: "choose another folder or change its permissions",
    errno.EPERM: "choose another folder or change its permissions",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "choose another folder",
    errno.EEXIST: "choose another folder",
    errno.EISDIR: "choose another name",
}


class _Sink(Protocol):
    def write(self, samples: NDArray) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class Encoder:
    """What all writers share: from blocks of float32 to samples of the encoding.

    Attributes
    ----------
    frames : int
        Frames taken so far.
    clipped : int
        Samples above full scale that were limited or clamped so far; always 0 in floating point.
    meter : LevelMeter or None
        Hears what is written.
    """

    def __init__(
        self,
        name: str,
        rate: int,
        channels: int,
        output_format: OutputFormat,
        tags: Tags | None,
        frames: int | None,
        clip_mode: ClipMode,
        dither_seed: int | None,
    ) -> None:
        self.frames = 0
        self._name = name
        self._rate, self._channels, self._format = rate, channels, output_format
        self._tags = Tags() if tags is None else tags
        self._expected = frames
        subtype, bounded = output_format.subtype, output_format.is_bounded
        self._limiter = Limiter(rate, channels) if bounded and clip_mode == "limit" else None
        self._clamp = bounded and subtype in PERCEPTUAL
        self._clamped = 0
        self._quantiser = None
        if bounded and not self._clamp:
            depth = DEPTHS.get(subtype)  # the companded and adaptive encodings have a noise of their own
            self._quantiser = Quantiser(depth or 16, channels, dither_seed if depth else None)
        self._sink: _Sink | None = None
        self.meter: LevelMeter | None = None

    @property
    def clipped(self) -> int:
        """Samples above full scale that were limited or clamped so far."""
        limited = self._limiter.limited if self._limiter else 0
        return limited + self._clamped + (self._quantiser.clipped if self._quantiser else 0)

    def write(self, block: Audio) -> None:
        """Take the next frames, (channels, n).

        Raises
        ------
        OutputError
            They cannot be written, or hold values that are not numbers.
        ValueError
            The block has another shape.
        """
        if block.ndim != 2 or block.shape[0] != self._channels:
            raise ValueError(f"expected ({self._channels}, n), got {block.shape}")
        piece = round(self._rate * _PIECE_S)
        for start in range(0, block.shape[1], piece):
            self._write(block[:, start : start + piece])

    def _write(self, block: Audio) -> None:
        if not np.isfinite(np.abs(block).max()):
            raise OutputError(
                "the processing gave values that are not numbers", path=self._name, remedy="try another backend"
            )
        self.frames += block.shape[1]
        self._put(self._limiter.process(block) if self._limiter else block)

    def _put(self, block: Audio) -> None:
        if self.meter is not None:
            self.meter.add(np.clip(block, -1, 1) if self._format.is_bounded else block)
        if self._quantiser is not None:
            samples: NDArray = self._quantiser.process(block)
        else:
            samples = np.ascontiguousarray(block.T, dtype=np.float32)
            if self._clamp and samples.size and max(samples.max(), -samples.min()) > 1.0:
                self._clamped += int(np.count_nonzero(np.abs(samples) > 1.0))
                samples = np.clip(samples, -1.0, 1.0)
        assert self._sink is not None, "the writer is a context manager"
        try:
            self._sink.write(samples)
        except OSError as error:
            raise self._failed(error) from error

    def _finish(self) -> None:
        if self._limiter is not None:
            self._put(self._limiter.flush())
        assert self._sink is not None
        if not self.frames and self._format.subtype in _NEVER_EMPTY:
            raise FormatError(
                f"{self._format.subtype} cannot hold a recording without samples",
                path=self._name,
                remedy="choose another format, such as wav",
            )
        self._sink.finish()
        self._sink = None

    def _abort(self) -> None:
        if self._sink is not None:
            self._sink.abort()
            self._sink = None

    def _open_sink(self, file: BinaryIO) -> _Sink:
        container, subtype = self._format.format, self._format.subtype
        if container in wave.CONTAINERS and subtype in wave.ENCODINGS:
            return wave.WaveSink(
                file,
                container,
                subtype,
                self._rate,
                self._channels,
                frames=self._expected,
                chunks=self._tags.chunks_for_wav(self._rate),
                channel_mask=self._format.channel_mask,
            )
        if container == "MP3":
            file.write(self._tags.id3 or id3.build(self._tags))
        return SndfileSink(file, self._rate, self._channels, self._format, self._tags.text_for(container))

    def _describe(self, written: BinaryIO, create: Callable[[], BinaryIO]) -> BinaryIO:
        """Add to a finished file what libsndfile cannot write; return it, or the copy that takes its place."""
        container, tags = self._format.format, self._tags
        if container in wave.CONTAINERS and self._format.subtype not in wave.ENCODINGS:
            wave.set_channel_mask(written, self._format.channel_mask)
            wave.append_chunks(written, tags.chunks_for_wav(self._rate))
        elif container == "AIFF":
            aiff.append(written, tags.chunks_for_aiff(self._rate))
        elif container == "FLAC" and (tags.blocks or not tags.silent or self._says_positions()):
            said = flac.with_channel_mask(tags, self._format.channel_mask) if self._says_positions() else tags
            with written:
                flac.rewrite(written, target := create(), said, tags.blocks)
            return target
        elif container in channelmask.REWRITTEN and self._says_positions():
            with written:
                channelmask.rewrite(written, target := create(), self._format.channel_mask)
            return target
        elif container == "OGG" and not tags.silent:
            with written:
                ogg.rewrite(written, target := create(), tags)
            return target
        return written

    def _says_positions(self) -> bool:
        return channelmask.has_to_say(self._format, self._channels)

    def _failed(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "check the folder and its disk")
        return OutputError(f"cannot be written: {reason}", path=self._name, remedy=remedy)
