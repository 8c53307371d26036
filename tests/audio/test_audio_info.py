"""LIST INFO and APE tags on their way into other formats, compared with FFmpeg and with bytes laid by hand."""

import re
import struct

import pytest
import soundfile
import tagged_files
from tagged_files import PNG, copy
from wav_bytes import chunk, chunks_of, noise, wav

from cleanaudio.audio.metadata import id3
from cleanaudio.audio.metadata.description import Description
from cleanaudio.audio.metadata.tags import Tags, read_tags

INFO = {
    **{
        "INAM": "Sitzung 3",
        "IENG": "Jane",
        "ITCH": "Jürgen",
        "ISBJ": "a subject",
        "IKEY": "one; two",
        "ILNG": "Deutsch",
    },
    **{"ISRC": "an archive", "ISRF": "tape", "IMED": "DAT", "ICMS": "Radio Ж", "IARL": "Shelf 3", "IPRT": "4"},
    **{"ICRP": "no"},
}
COMMENTS = {
    **{"TITLE": "Sitzung 3", "ENGINEER": "Jane", "ENCODED-BY": "Jürgen", "SUBJECT": "a subject"},
    **{"KEYWORDS": "one; two", "LANGUAGE": "Deutsch", "SOURCE": "an archive", "SOURCEFORM": "tape", "MEDIA": "DAT"},
    **{"COMMISSIONED": "Radio Ж", "ARCHIVALLOCATION": "Shelf 3", "TRACKNUMBER": "4", "ICRP": "no"},
}


def info(fields, encoding="utf-8"):
    rows = (chunk(name.encode(), text.encode(encoding) + b"\0") for name, text in fields.items())
    return b"LIST", b"INFO" + b"".join(rows)


def own_comments(path):
    """Return the comments of a FLAC or Ogg file as they stand in it."""
    content = path.read_bytes()
    found = (re.search(rb"(.{4})" + f"{name}=".encode(), content, re.DOTALL) for name in COMMENTS)
    return {
        match[0][4:-1].decode(): content[match.end() : match.start() + 4 + int.from_bytes(match[1], "little")].decode()
        for match in found
        if match
    }


@pytest.mark.parametrize("target", ["flac", "opus"])
def test_all_the_text_of_a_wav_becomes_comments(tmp_path, target):
    (tmp_path / "in.wav").write_bytes(wav(before=[info(INFO)], samples=bytes(2 * 16000)))
    tags = copy(tmp_path / "in.wav", tmp_path / f"out.{target}", target)
    assert own_comments(tmp_path / f"out.{target}") == COMMENTS
    assert tags.left_out("FLAC") is None
    seen = tagged_files.text(tmp_path / "in.wav")  # FFmpeg has names of its own for three of them
    assert {tags.fields[ours] for ours in ("ENCODED-BY", "LANGUAGE", "TRACKNUMBER")} == {
        seen[theirs] for theirs in ("encoded_by", "language", "track")
    }


def test_all_the_text_of_a_wav_becomes_frames(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(before=[info(INFO)], samples=bytes(2 * 16000)))
    copy(tmp_path / "in.wav", tmp_path / "out.mp3", "mp3")
    content = (tmp_path / "out.mp3").read_bytes()
    assert all(content.count(name) == 1 for name in (b"TIT2", b"TENC", b"TLAN", b"TMED", b"TRCK"))
    seen = tagged_files.text(tmp_path / "out.mp3")
    names = {"title": "TITLE", "encoded_by": "ENCODED-BY", "language": "LANGUAGE", "track": "TRACKNUMBER"}
    names |= {"tmed": "MEDIA"} | {name.lower(): name for name in ("ENGINEER", "SUBJECT", "KEYWORDS", "COMMISSIONED")}
    assert {name: seen.get(name) for name in names} == {name: COMMENTS[ours] for name, ours in names.items()}


def test_the_text_of_a_wav_stays_in_a_wav(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(before=[info(INFO)]))
    copy(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [row for row in chunks_of(tmp_path / "out.wav") if row[0] not in (b"fmt ", b"data")] == [info(INFO)]


def test_text_that_no_encoding_has_is_replaced_in_a_wav():
    rows = dict(Tags((("TITLE", "lone \udc80"), ("ARTIST", "Jürgen"))).chunks_for_wav(16000))
    assert rows == {b"LIST": b"INFO" + chunk(b"INAM", b"lone ?\0") + chunk(b"IART", "Jürgen\0".encode())}


def test_fields_of_the_years_before_utf_8_codes_and_doubles(tmp_path):
    said = {"IENG": "Müller – 1", "ISRC": "DE-A12-24-00001", "ITRK": "7", "IPRT": "8", "ICMT": ""}
    (tmp_path / "in.wav").write_bytes(wav(before=[info(said, "cp1252")]))
    assert read_tags(tmp_path / "in.wav").fields == {
        **{"ENGINEER": "Müller – 1", "ISRC": "DE-A12-24-00001", "TRACKNUMBER": "7"},
    }


def ape(*items):
    """Lay items into a tag: key, flags, content."""
    body = b"".join(struct.pack("<II", len(value), flags) + key + b"\0" + value for key, flags, value in items)
    head = b"APETAGEX" + struct.pack("<III", 2000, len(body) + 32, len(items))
    return head + struct.pack("<I8x", 0xA0000000) + body + head + struct.pack("<I8x", 0x80000000)


ITEMS = [
    *[(b"Title", 0, "Über".encode()), (b"Album Artist", 0, b"a\0b"), (b"Year", 0, b"2024"), (b"MP3GAIN_UNDO", 0, b"1")],
    *[(b"Cover Art (Front)", 2, b"cover.png\0" + PNG), (b"Peaks", 2, b"\1\2\3")],
]


@pytest.fixture
def mp3(tmp_path):
    """Return a function that writes an MP3 with an ID3v2 tag before and an APE tag behind it."""
    soundfile.write(tmp_path / "plain.mp3", noise(30000), 16000, format="MP3")
    sound = (tmp_path / "plain.mp3").read_bytes()

    def write(before=b"", after=b""):
        (tmp_path / "in.mp3").write_bytes(before + sound + after)
        return tmp_path / "in.mp3"

    return write


@pytest.mark.parametrize("behind", [b"", b"TAG" + b"Ueber".ljust(125, b"\0")])
@pytest.mark.parametrize("target", ["mp3", "flac"])
def test_an_ape_tag_goes_along(tmp_path, mp3, behind, target):
    path = mp3(after=ape(*ITEMS) + behind)
    tags = copy(path, tmp_path / f"out.{target}", target)
    seen = tagged_files.text(tmp_path / f"out.{target}")
    assert (seen["title"], seen["date"]) == ("Über", "2024")
    assert seen["album_artist"] in ("a/b", "a;b") and "mp3gain_undo" not in seen
    assert tagged_files.pictures(tmp_path / f"out.{target}") == [PNG]
    assert tags.left_out(target.upper()) == "Peaks of the APE tag not carried over: neither text nor picture"


@pytest.mark.parametrize("version", [3, 4])
def test_an_ape_tag_adds_to_an_id3_tag(tmp_path, mp3, version):
    frames = b"TIT2" + struct.pack(">I", 5) + b"\0\0" + b"\0mine" + b"PRIV" + struct.pack(">I", 4) + b"\0\0" + b"a\0bc"
    head = b"ID3" + bytes([version, 0, 0, 0, 0, 0])
    path = mp3(head + bytes([len(frames)]) + frames, ape(*ITEMS))
    copy(path, tmp_path / "out.mp3")
    assert (tmp_path / "out.mp3").read_bytes()[10:].startswith(frames)
    seen = tagged_files.text(tmp_path / "out.mp3")
    assert (seen["title"], seen["album_artist"], seen["date"]) == ("mine", "a/b", "2024")
    assert tagged_files.pictures(tmp_path / "out.mp3") == [PNG]


def test_an_old_id3_tag_has_no_place_for_more(mp3):
    frame = b"TT2" + (5).to_bytes(3) + b"\0mine"
    path = mp3(b"ID3\2\0\0\0\0\0" + bytes([len(frame)]) + frame, ape(*ITEMS[:3]))
    assert read_tags(path).left_out("MP3") == "2 text tags not carried over: no place in MP3"
    assert read_tags(path).left_out("FLAC") is None


def test_an_id3_tag_that_says_it_all_stays_as_it_is(mp3):
    tag = id3.build(Description((("TITLE", "a"),)))
    assert read_tags(mp3(tag, ape((b"Title", 0, b"another")))).id3 == tag


ENDLESS = ape((b"TITLE", 0, b"xxxxx")).replace(b"TITLE\0", b"TITLEx").replace(b"\5\0\0\0", bytes(4))  # no end of a key


@pytest.mark.parametrize(
    "end", [ape(*ITEMS)[:-5], ape(*ITEMS)[40:], b"APETAGEX" + b"\xff" * 24, ape((b"x", 0, b"")), ENDLESS]
)
def test_a_damaged_ape_tag_says_nothing(mp3, end):
    assert read_tags(mp3(after=end)).comments in ((), (("ALBUMARTIST", "a"), ("ALBUMARTIST", "b"), ("DATE", "2024")))
