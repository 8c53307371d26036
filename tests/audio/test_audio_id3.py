"""ID3 tags, compared with FFmpeg, libsndfile, and bytes made by hand after the standards of id3.org."""

import re
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile
import tagged_files
from hypothesis import given, settings
from hypothesis import strategies as st
from tagged_files import CHAPTERS, PNG, TEXT

from cleanaudio.audio.metadata import id3, id3_frames
from cleanaudio.audio.metadata.description import Chapter, Description, Picture
from cleanaudio.audio.metadata.tags import Tags, read_tags

WIDE = "Jürgen Ж".encode("utf-16")


def syncsafe(size):
    return bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])


def tag(*frames, version=3, flags=0, sizes=None):
    """Lay frames, names and contents, into a tag."""
    body = b""
    for name, content in frames:
        if version == 2:
            body += name + len(content).to_bytes(3) + content
        else:
            body += name + (syncsafe(len(content)) if version == 4 else len(content).to_bytes(4)) + b"\0\0" + content
    return b"ID3" + bytes([version, 0, flags]) + syncsafe(len(body)) + body


def unsynchronised(whole):
    """Part a 0xFF from what follows it, after the sizes of the frames were written (2.3, section 5)."""
    body = whole[10:].replace(b"\xff", b"\xff\0")
    return whole[:5] + b"\x80" + syncsafe(len(body)) + body


def chapter(name, start_ms, end_ms, inner=b""):
    return b"CHAP", name + b"\0" + struct.pack(">4I", start_ms, end_ms, 0xFFFFFFFF, 0xFFFFFFFF) + inner


def frame(name, content):
    return name + len(content).to_bytes(4) + b"\0\0" + content


@pytest.mark.parametrize("source", [".m4a", ".flac", ".ogg", ".opus"])
def test_what_becomes_an_mp3_says_the_same(tmp_path, source):
    path = tagged_files.make(tmp_path / f"in{source}", {**TEXT, "comment": "Zeile – 1", "podcast_url": "http://x/Ж"})
    tagged_files.copy(path, tmp_path / "out.mp3", "mp3")
    seen = tagged_files.text(tmp_path / "out.mp3")
    assert {name: seen[name] for name in TEXT} == TEXT
    assert seen["comment"] == "Zeile – 1"
    if source != ".m4a":  # MP4 has no place for names of one's own, FFmpeg leaves them out
        assert seen["podcast_url"] == "http://x/Ж"
    assert tagged_files.chapters(tmp_path / "out.mp3") == CHAPTERS
    assert len(tagged_files.pictures(tmp_path / "out.mp3")) == 1
    with soundfile.SoundFile(tmp_path / "out.mp3") as file:
        assert (file.title, file.artist) == (TEXT["title"], TEXT["artist"])


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_ffprobe_reads_an_mp3_without_a_word(tmp_path):
    path = tagged_files.make(tmp_path / "in.flac")
    tagged_files.copy(path, tmp_path / "out.mp3", "mp3")
    command = ["ffprobe", "-v", "warning", "-show_entries", "format_tags=title,artist,date", "-of", "csv=p=0"]
    ran = subprocess.run([*command, tmp_path / "out.mp3"], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert TEXT["artist"] in ran.stdout and TEXT["date"] in ran.stdout


@pytest.mark.parametrize(
    ("date", "frames"),
    [
        ("2024-05-01", {"TYER": b"2024", "TDAT": b"0105"}),
        ("2024-05-01T10:30", {"TYER": b"2024", "TDAT": b"0105", "TIME": b"1030"}),
        ("2024", {"TYER": b"2024"}),
        ("2024-05", {"TYER": b"2024", "TXXX": b"DATE\x002024-05"}),
        ("last May", {"TXXX": b"DATE\0last May"}),
    ],
)
def test_a_date_is_split_as_the_standard_has_it_and_read_back(date, frames):
    built = id3.build(Description((("DATE", date),)))
    assert dict(contents(built)) == {name: b"\0" + content for name, content in frames.items()}
    assert id3.read(built).comments == (("DATE", date),)


def contents(built):
    """Walk the frames of a tag of version 2.3."""
    assert built[:6] == b"ID3\3\0\0" and built[6:10] == syncsafe(len(built) - 10)
    at = 10
    while at < len(built):
        size = int.from_bytes(built[at + 4 : at + 8])
        yield built[at : at + 4].decode(), built[at + 10 : at + 10 + size]
        at += 10 + size


def test_text_beyond_ascii_is_utf_16():
    built = dict(contents(id3.build(Description((("ARTIST", "Jürgen Ж"), ("TITLE", "plain"))))))
    assert built == {"TPE1": b"\1" + WIDE, "TIT2": b"\0plain"}


@pytest.mark.parametrize(
    "read",
    [
        tag((b"TP1", b"\1" + WIDE), (b"TYE", b"\x002024"), (b"COM", b"\0eng\0a"), version=2),
        tag((b"TPE1", b"\1" + WIDE), (b"TYER", b"\x002024\0"), (b"COMM", b"\0eng\0a")),
        tag(
            (b"TPE1", b"\2" + "Jürgen Ж".encode("utf-16-be") + b"\0\0"), (b"TYER", b"\x002024"), (b"COMM", b"\0eng\0a")
        ),
        tag((b"TPE1", b"\3" + "Jürgen Ж\0".encode()), (b"TDRC", b"\x032024"), (b"COMM", b"\3eng\0a"), version=4),
        unsynchronised(tag((b"TPE1", b"\1" + WIDE), (b"TYER", b"\x002024"), (b"COMM", b"\0eng\0a"))),
    ],
    ids=["2.2", "2.3", "2.3 big endian", "2.4", "2.3 unsynchronised"],
)
def test_all_versions_are_read(read):
    assert set(id3.read(read).comments) == {("ARTIST", "Jürgen Ж"), ("DATE", "2024"), ("COMMENT", "a")}


def test_pictures_of_both_layouts():
    old = tag((b"PIC", b"\0PNG\3\0" + PNG), version=2)
    new = tag((b"APIC", b"\1image/png\0\4" + "Rück".encode("utf-16") + b"\0\0" + PNG))
    assert id3.read(old).pictures == (Picture(PNG, "image/png"),)
    assert id3.read(new).pictures == (Picture(PNG, "image/png", 4, "Rück"),)


def test_a_tag_without_anything_to_leave_out_stays_byte_for_byte():
    padded = tag((b"TIT2", b"\0a"), (b"PRIV", b"x" * 20))
    padded = padded[:6] + syncsafe(len(padded) - 10 + 50) + padded[10:] + bytes(50)
    assert id3.without_measurements(padded) == padded
    assert id3.of_part(padded, 1.0, 2.0) == padded


def test_gains_and_tables_go_and_nothing_else():
    gains = [(b"TXXX", b"\0replaygain_track_gain\0+4.00 dB"), (b"RVA2", b"t\0\1\0\0\0"), (b"MLLT", bytes(10))]
    norm = (b"COMM", b"\0engiTunNORM\0 00000A")
    rest = [(b"TIT2", b"\0a"), (b"PRIV", b"x" * 9), (b"TXXX", b"\0podcast_url\0http://x")]
    assert id3.without_measurements(tag(rest[0], *gains, rest[1], norm, rest[2])) == tag(*rest)


def test_chapters_of_a_part_are_moved_and_keep_what_is_in_them():
    art = frame(b"APIC", b"\0image/png\0\3\0" + PNG)
    names = [frame(b"TIT2", b"\0" + name) for name in (b"a", b"b", b"c", b"d")]
    marks = [
        chapter(b"one", 0, 2000, names[0]),
        chapter(b"two", 2000, 5000, names[1] + art),
        chapter(b"three", 5000, 7000, names[2]),
        chapter(b"four", 7000, 9000, names[3]),
    ]
    contents_of = (b"CTOC", b"toc\0\3\4one\0two\0three\0four\0")
    whole = tag((b"TIT2", b"\0e"), (b"TLEN", b"\x009000"), contents_of, *marks)
    part = id3.of_part(whole, 2.5, 6.0)
    assert part == tag(
        (b"TIT2", b"\0e"),
        (b"CTOC", b"toc\0\3\2two\0three\0"),
        chapter(b"two", 0, 2500, names[1] + art),
        chapter(b"three", 2500, 3500, names[2]),
    )
    assert id3.of_part(whole, 20.0, 21.0) == tag((b"TIT2", b"\0e"))


def test_ffmpeg_sees_the_chapters_of_a_part(tmp_path):
    path = tagged_files.make(tmp_path / "in.mp3")
    tags = read_tags(path).of_part(36000, 36000, 48000)
    tagged_files.copy(path, tmp_path / "out.mp3", tags=tags)
    assert tagged_files.chapters(tmp_path / "out.mp3") == [(0.0, 0.5, "Main – Ж"), (0.5, 0.75, "Outro")]
    assert tagged_files.text(tmp_path / "out.mp3")["title"] == TEXT["title"]


def test_chapters_and_links_come_back():
    chapters = (Chapter(0.0, 1.5, "a"), Chapter(1.5, 3.0, "Ж", "https://example.org/a"))
    assert id3.read(id3.build(Description(chapters=chapters))).chapters == chapters


def test_what_only_id3_can_say_is_named(tmp_path):
    art = frame(b"APIC", b"\0image/png\0\3\0" + PNG)
    only = tag((b"TIT2", b"\0a"), (b"PRIV", b"x"), (b"UFID", b"y"), (b"PRIV", b"z"), chapter(b"1", 0, 9, art))
    note = Tags(id3=only).left_out("FLAC")
    assert note == "PRIV, UFID, the pictures of chapters not carried over: no place in FLAC"
    assert Tags(id3=only).left_out("MP3") is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([2, 3, 4]),
    st.integers(0, 255),
    st.binary(max_size=80),
    st.sampled_from(sorted(id3_frames._SHORT_NAMES)),
)
def test_any_bytes_are_read_to_an_end(version, flags, content, name):
    name = (name if version == 2 else id3_frames._SHORT_NAMES[name]).encode()
    whole = tag((name, content), version=version, flags=flags) + content
    id3.read(whole), id3.unsaid(whole), id3.without_measurements(whole), id3.of_part(whole, 0.5, 1.0)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text(st.sampled_from("ABCXYZ_-"), min_size=5, max_size=9),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: "\ufeff" not in text),
        max_size=5,
    )
)
def test_all_text_comes_back(fields):
    assert dict(id3.read(id3.build(Description(tuple(fields.items())))).comments) == fields


def test_the_sound_of_an_mp3_does_not_depend_on_its_tag(tmp_path):
    path = tagged_files.make(tmp_path / "in.flac")
    tagged_files.copy(path, tmp_path / "with.mp3", "mp3")
    tagged_files.copy(path, tmp_path / "without.mp3", "mp3", tags=Tags())
    np.testing.assert_array_equal(soundfile.read(tmp_path / "with.mp3")[0], soundfile.read(tmp_path / "without.mp3")[0])
    assert not re.match(b"ID3", (tmp_path / "without.mp3").read_bytes())
