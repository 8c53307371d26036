"""Files with tags, made and looked at by FFmpeg (PyAV) and soundfile, apart from our code."""

from __future__ import annotations

import base64
import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.formats import output_format
from cleanaudio.audio.metadata.tags import Tags, read_tags
from cleanaudio.audio.writer import AtomicWriter

RATE = 48000
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200015e"
    "21bc330000000049454e44ae426082"
)
TEXT = {"title": 'Épisode 1: "Quoted", & more – Ж', "artist": "Jürgen", "date": "2024-05-01", "track": "3/12"}
CHAPTERS = [(0.0, 0.5, "Intro"), (0.5, 1.25, "Main – Ж"), (1.25, 2.0, "Outro")]
CODECS = {".mp3": "libmp3lame", ".m4a": "aac", ".flac": "flac", ".opus": "libopus"}
KINDS = {".mp3": "fltp", ".m4a": "fltp", ".flac": "s16", ".opus": "flt"}


def picture_comment() -> str:
    """Return a front cover as it stands in a Vorbis comment, laid out by hand after RFC 9639, 8.8."""
    block = struct.pack(">II9sI", 3, 9, b"image/png", 0) + struct.pack(">5I", 1, 1, 8, 0, len(PNG)) + PNG
    return base64.b64encode(block).decode()


def chapter_comments(chapters) -> dict[str, str]:
    """Return chapters as Vorbis comments have them: FFmpeg's own in Ogg begin a second late."""
    rows = {}
    for number, (start, _, title) in enumerate(chapters, 1):
        rows |= {f"CHAPTER{number:03d}": f"00:00:{start:06.3f}", f"CHAPTER{number:03d}NAME": title}
    return rows


def make(path: Path, text=TEXT, chapters=CHAPTERS, cover=True, seconds=2.0) -> Path:
    """Let FFmpeg write a recording of noise with tags; FLAC gets its cover in a comment, as Ogg does."""
    suffix = path.suffix
    in_comment = suffix in (".flac", ".ogg", ".opus")
    more = {"METADATA_BLOCK_PICTURE": picture_comment()} if cover and in_comment else {}
    more |= chapter_comments(chapters) if in_comment else {}
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * RATE)))
    if suffix == ".ogg":  # PyAV brings no encoder for Vorbis
        return _vorbis(path, noise[0], {**text, **more})
    with av.open(str(path), "w", format={".m4a": "mp4", ".opus": "opus"}.get(suffix)) as container:
        audio = container.add_stream(CODECS[suffix], rate=RATE, layout="mono")
        (audio if suffix == ".opus" else container).metadata.update({**text, **more})
        picture = None
        if cover and not in_comment:
            picture = container.add_stream("png", rate=1)
            picture.width = picture.height = 1
            picture.pix_fmt = "gray"
            picture.disposition = av.stream.Disposition.attached_pic
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(1000 * start),
                    "end": round(1000 * end),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (start, end, title) in enumerate(() if in_comment else chapters, 1)
            ]
        )
        if picture is not None:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((1, 1), np.uint8), "gray")))
        size = 960
        for start in range(0, noise.shape[1], size):
            block = noise[:, start : start + size]
            block = (block * 32767).astype(np.int16) if KINDS[suffix] == "s16" else block.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), KINDS[suffix], "mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def _vorbis(path: Path, samples: np.ndarray, metadata: dict[str, str]) -> Path:
    """Let libsndfile encode and FFmpeg lay the packets into a file with these comments."""
    sound = io.BytesIO()
    soundfile.write(sound, samples, RATE, "VORBIS", format="OGG")
    sound.seek(0)
    with av.open(sound) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        stream.metadata.update(metadata)
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return path


def copy(source: Path, target: Path, format=None, subtype=None, tags: Tags | None = None) -> Tags:
    """Write a recording anew with our code, tags and all; return what went into it."""
    with open_reader(source) as reader:
        info = reader.info
        tags = read_tags(source) if tags is None else tags
        kind = output_format(info, format, subtype)
        with AtomicWriter(target, info.rate, info.channels, kind, tags=tags, frames=info.frames) as writer:
            for block in reader.blocks():
                writer.write(block)
    return tags


def text(path: Path) -> dict[str, str]:
    """Return the text that FFmpeg sees, its names in lower case."""
    with av.open(str(path)) as container:
        found = container.metadata | container.streams.audio[0].metadata
    return {name.lower(): value for name, value in found.items()}


def chapters(path: Path) -> list[tuple[float, float, str]]:
    """Return the chapters that FFmpeg sees: beginning and end in seconds, and title."""
    with av.open(str(path)) as container:
        return [
            (
                float(row["start"] * row["time_base"]),
                float(row["end"] * row["time_base"]),
                row["metadata"].get("title", ""),
            )
            for row in container.chapters()
        ]


def pictures(path: Path) -> list[bytes]:
    """Return the pictures that FFmpeg sees."""
    with av.open(str(path)) as container:
        return [bytes(next(container.demux(stream))) for stream in container.streams.video]


def decoded(path: Path) -> np.ndarray:
    """Return the samples as FFmpeg decodes them, float32."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
