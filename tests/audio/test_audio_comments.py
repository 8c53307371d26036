"""Vorbis comments in Ogg and FLAC: replaced without touching the sound, as FFmpeg and libsndfile see them."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tagged_files
from hypothesis import given, settings
from hypothesis import strategies as st
from tagged_files import CHAPTERS, PNG, RATE, TEXT

from cleanaudio.audio import ogg
from cleanaudio.audio.metadata import comments
from cleanaudio.audio.metadata.description import Chapter, Description, Picture
from cleanaudio.audio.metadata.tags import Tags, read_tags

MORE = {"DESCRIPTION": "Zeile – 1", "podcast_url": "http://x", "LYRICS": "a\nb", "under-name": "c"}


def plain(path, subtype, seconds=3.0, channels=2):
    noise = 0.1 * np.random.default_rng(0).standard_normal((round(seconds * RATE), channels))
    soundfile.write(path, noise, RATE, subtype, format="OGG")
    return path


def rewritten(source, description):
    target = io.BytesIO()
    with open(source, "rb") as file:
        ogg.rewrite(file, target, description)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 3000, 65024, 65025, 65026, 300_000])
@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_the_sound_stays_as_it_is_whatever_is_said_before_it(tmp_path, subtype, size):
    source, target = plain(tmp_path / "a.ogg", subtype), tmp_path / "b.ogg"
    said = Description((("TITLE", "Ж"), ("LYRICS", "x" * size)), (Picture(PNG, "image/png"),))
    target.write_bytes(rewritten(source, said))
    np.testing.assert_array_equal(soundfile.read(target)[0], soundfile.read(source)[0])
    np.testing.assert_array_equal(tagged_files.decoded(target), tagged_files.decoded(source))
    seen = tagged_files.text(target)
    assert seen["title"] == "Ж" and seen.get("lyrics", "") == "x" * size
    assert tagged_files.pictures(target) == [PNG]
    assert_pages(target.read_bytes())


def assert_pages(content):
    """Walk the pages as RFC 3533 has them: numbered, with the checksum of its polynomial computed bit by bit."""
    position, number = 0, 0
    while position < len(content):
        magic, _, _, _, _, page, checksum, segments = struct.unpack_from("<4sBBqIIIB", content, position)
        end = position + 27 + segments + sum(content[position + 27 : position + 27 + segments])
        assert (magic, page) == (b"OggS", number)
        if number < 4:  # slow
            whole = content[position : position + 22] + bytes(4) + content[position + 26 : end]
            assert crc(whole) == checksum
        position, number = end, number + 1
    assert position == len(content)


def crc(content):
    register = 0
    for byte in content:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register & 0x80000000 else 0)) & 0xFFFFFFFF
    return register


@pytest.mark.parametrize("source", [".ogg", ".opus", ".flac"])
def test_a_recording_keeps_every_comment_chapter_and_picture(tmp_path, source):
    path = tagged_files.make(tmp_path / f"in{source}", TEXT | MORE)
    out = tmp_path / f"out{source}"
    tagged_files.copy(path, out)
    assert tagged_files.text(out) == tagged_files.text(path)
    assert [row[::2] for row in tagged_files.chapters(out)] == [row[::2] for row in CHAPTERS]
    assert tagged_files.pictures(out) == [PNG]
    assert read_tags(out) == read_tags(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"in{source}", f"out{source}"]


@pytest.mark.parametrize("target", [".ogg", ".opus", ".flac"])
@pytest.mark.parametrize("source", [".mp3", ".m4a", ".opus"])
def test_another_format_says_the_same(tmp_path, source, target):
    path = tagged_files.make(tmp_path / f"in{source}", TEXT | {"comment": "Zeile – 1"})
    out = tmp_path / f"out{target}"
    tagged_files.copy(path, out, target[1:])
    seen = tagged_files.text(out)
    assert {name: seen[name] for name in TEXT} == TEXT
    assert seen["comment"] == "Zeile – 1"
    assert [row[::2] for row in tagged_files.chapters(out)] == [row[::2] for row in CHAPTERS]
    assert tagged_files.pictures(out) == tagged_files.pictures(path)
    with soundfile.SoundFile(out) as file:
        assert file.title == TEXT["title"]


def test_a_name_may_come_twice(tmp_path):
    said = Tags((("ARTIST", "a"), ("ARTIST", "b"), ("artist", "c")))
    plain(tmp_path / "in.ogg", "VORBIS")
    tagged_files.copy(tmp_path / "in.ogg", tmp_path / "out.ogg", tags=said)
    assert read_tags(tmp_path / "out.ogg").comments == said.comments
    assert tagged_files.text(tmp_path / "out.ogg")["artist"] == "a;b;c"  # as FFmpeg joins them


def test_who_has_encoded_the_sound_stays(tmp_path):
    source = plain(tmp_path / "a.ogg", "VORBIS")
    vendor = source.read_bytes().split(b"\x03vorbis")[1][4:].split(b"\x01\0\0\0")[0][:20]
    assert vendor.startswith(b"Xiph")
    assert vendor in rewritten(source, Description((("TITLE", "a"),)))


def test_a_header_laid_out_by_hand():
    entries = [b"TITLE=a", b"CHAPTER01=01:02:03.5", b"chapter01name=b", b"CHAPTER01URL=http://x", b"no name", b"A=b=c"]
    body = b"".join(struct.pack("<I", len(entry)) + entry for entry in entries)
    packet = b"OpusTags" + struct.pack("<I", 3) + b"xyz" + struct.pack("<I", len(entries)) + body
    said = comments.read(packet)
    assert said == Description((("TITLE", "a"), ("A", "b=c")), (), (Chapter(3723.5, None, "b", "http://x"),))
    again = comments.replaced(packet, comments.entries(said, pictures=True))
    assert again.startswith(b"OpusTags\3\0\0\0xyz") and comments.read(again) == said


def test_what_only_looks_like_chapters_stays_text():
    entries = (("CHAPTER001", "soon"), ("CHAPTER001NAME", "b"))
    assert comments.read(comments.replaced(b"", entries)) == Description(entries)


def test_a_picture_laid_out_by_hand():
    block = struct.pack(">II9sI5s5I", 4, 9, b"image/png", 5, "Rück".encode(), 1, 2, 8, 0, len(PNG)) + PNG
    picture = Picture(PNG, "image/png", 4, "Rück", (1, 2, 8, 0))
    assert comments.unpacked(block) == picture and comments.packed(picture) == block
    assert comments.unpacked(block[:-1]) is None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", b"\x03vorbis", b"OpusTags"]), st.binary(max_size=120))
def test_any_bytes_are_read_to_an_end(prefix, content):
    comments.read(prefix + content)
    comments.unpacked(content)
    comments.read(comments.replaced(prefix + content, [("A", "b")]))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 4000))
def test_damaged_pages_say_what_they_can(tmp_path_factory, content, cut):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "damaged.ogg"
    if not path.exists():
        plain(path, "VORBIS", 0.1)
    data = path.read_bytes()
    data = data[:cut] + content + data[cut + len(content) :]
    ogg.read(io.BytesIO(data), len(data))
