"""Chunks of a WAV on their way: all that stay true go along, the others are named; in an excerpt positions move."""

import struct

import numpy as np
import pytest
import soundfile
from tagged_files import chapters, copy
from wav_bytes import RATE, chunk, chunks_of, wav

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.formats import output_format
from cleanaudio.audio.metadata.tags import Tags, read_tags
from cleanaudio.audio.writer import AtomicWriter

TECHNICAL = (b"fmt ", b"data", b"fact", b"PEAK", b"JUNK")
ADM = b"<ebuCoreMain><audioFormatExtended><audioChannelFormat/></audioFormatExtended></ebuCoreMain>"
TIMED_ADM = ADM.replace(b"<audioChannelFormat/>", b'<audioObject start="00:00:00.00000"/>')
CHNA = struct.pack("<HHH12s14s11sx", 1, 1, 1, b"ATU_00000001", b"AT_00010003_01", b"AP_00010003")
TRUE = [
    (b"cart", b"0101" + b"a spot".ljust(2044, b"\0")),
    (b"axml", ADM),
    (b"chna", CHNA),
    (b"umid", bytes(range(64))),
    (b"acid", bytes(24)),
    (b"minf", bytes(16)),
    (b"inst", b"\x3c\0\0\0\x7f\1\x7f"),
    (b"plst", struct.pack("<4I", 1, 1, 100, 1)),
    (b"LIST", b"exif" + chunk(b"ever", b"0210")),
    (b"xyz ", b"12345"),
]
UNTRUE = [(b"levl", bytes(120)), (b"LGWV", bytes(30)), (b"MD5 ", bytes(16))]


def excerpt(source, target, start, frames, format=None):
    """Write a part of a recording with our code; return its tags."""
    with open_reader(source) as reader:
        tags = read_tags(source).of_part(start, frames, reader.info.rate)
        kind = output_format(reader.info, format)
        with AtomicWriter(target, reader.info.rate, 1, kind, tags=tags, frames=frames) as writer:
            reader.seek(start)
            writer.write(reader.read(frames))
    return tags


def cues(*frames):
    """Lay cue points into a chunk, numbered from 1."""
    points = [struct.pack("<II4sIII", n, frame, b"data", 0, 0, frame) for n, frame in enumerate(frames, 1)]
    return b"cue ", struct.pack("<I", len(points)) + b"".join(points)


def adtl(*rows):
    """Lay what is said of points into a chunk: kind, number, text."""
    return b"LIST", b"adtl" + b"".join(chunk(name, struct.pack("<I", number) + text) for name, number, text in rows)


def region(length, text=b""):
    return struct.pack("<I4sHHHH", length, b"rgn ", 0, 0, 0, 0) + text


@pytest.mark.parametrize("place", ["before", "after"])
def test_all_that_stays_true_goes_along_and_the_rest_is_named(tmp_path, place):
    (tmp_path / "in.wav").write_bytes(wav(**{place: [*TRUE, *UNTRUE, (b"PAD ", bytes(8)), (b"JUNK", bytes(28))]}))
    tags = copy(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [row for row in chunks_of(tmp_path / "out.wav") if row[0] not in TECHNICAL] == TRUE
    assert tags.left_out("WAV") == "levl, LGWV, MD5 not carried over: told of the old samples"
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.wav")[0], soundfile.read(tmp_path / "in.wav")[0])


def test_elsewhere_each_of_them_is_named(tmp_path):
    notes = adtl((b"labl", 1, b"a\0"), (b"note", 1, b"more of it\0"))
    (tmp_path / "in.wav").write_bytes(wav(before=[*TRUE, cues(5), notes]))
    assert read_tags(tmp_path / "in.wav").left_out("FLAC") == (
        "cart, axml, chna, umid, acid, minf, inst, plst, LIST exif, xyz, notes of markers"
        " not carried over: no place in FLAC"
    )


def test_what_tells_of_channels_is_named_where_they_are_others():
    tags = Tags(chunks=tuple(TRUE)).of_other_channels()
    assert tags.chunks == tuple(row for row in TRUE if row[0] not in (b"axml", b"chna"))
    assert tags.left_out("WAV") == "axml, chna not carried over: told of the old channels"
    plain = (b"axml", b"<ebuCoreMain/>")
    assert Tags(chunks=(plain,)).of_other_channels() == Tags(chunks=(plain,))


def test_what_counts_from_the_beginning_is_not_in_an_excerpt():
    assert Tags(chunks=tuple(TRUE)).of_part(0, 100, RATE).left_out("WAV") == (
        "acid not carried over: told of the whole recording"
    )
    timed = Tags(chunks=((b"chna", CHNA), (b"axml", TIMED_ADM), (b"r64m", b"1"))).of_part(0, 100, RATE)
    assert timed.chunks == ()
    assert timed.left_out("WAV") == "chna, axml, r64m not carried over: told of the whole recording"


def test_marks_and_their_texts_move_with_an_excerpt(tmp_path):
    said = [
        *[
            (b"labl", 1, b"before\0"),
            (b"labl", 2, b"in\0"),
            (b"note", 2, b"a note\0"),
            (b"ltxt", 2, region(50, b"t\0")),
        ],
        *[(b"labl", 3, b"into\0"), (b"ltxt", 3, region(400)), (b"labl", 4, b"out of\0"), (b"ltxt", 4, region(900))],
        (b"labl", 5, b"behind\0"),
    ]
    played = (b"plst", struct.pack("<I9I", 3, 1, 10, 1, 3, 400, 2, 4, 100, 1))
    (tmp_path / "in.wav").write_bytes(wav(after=[cues(500, 1200, 700, 1900, 2000), adtl(*said), played]))
    tags = excerpt(tmp_path / "in.wav", tmp_path / "out.wav", 1000, 1000)
    found = dict(chunks_of(tmp_path / "out.wav"))
    points = [(2, 200), (3, 0), (4, 900)]
    packed = [struct.pack("<II4sIII", number, frame, b"data", 0, 0, frame) for number, frame in points]
    assert found[b"cue "] == struct.pack("<I", 3) + b"".join(packed)
    assert (b"LIST", found[b"LIST"]) == adtl(
        *[(b"labl", 2, b"in\0"), (b"note", 2, b"a note\0"), (b"ltxt", 2, region(50, b"t\0"))],
        *[(b"labl", 3, b"into\0"), (b"ltxt", 3, region(100)), (b"labl", 4, b"out of\0"), (b"ltxt", 4, region(100))],
    )
    assert found[b"plst"] == struct.pack("<I6I", 2, 3, 100, 2, 4, 100, 1)
    assert tags.left_out("WAV") is None
    excerpt(tmp_path / "in.wav", tmp_path / "out.flac", 1000, 1000, "flac")
    assert [row[::2] for row in chapters(tmp_path / "out.flac")] == [(0.0, "into"), (0.012, "in"), (0.056, "out of")]


def test_a_point_before_an_excerpt_is_not_at_its_beginning(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(before=[cues(100), adtl((b"labl", 1, b"one\0"))]))
    for name in ("out.wav", "out.flac"):
        excerpt(tmp_path / "in.wav", tmp_path / name, 200, 1000, name[4:])
        assert chapters(tmp_path / name) == []
    assert b"cue " not in dict(chunks_of(tmp_path / "out.wav"))


def smpl(*loops):
    head = struct.pack("<9I", 1, 2, 62500, 60, 0, 0, 0, len(loops), 3)
    return head + b"".join(struct.pack("<6I", n, 0, *loop, 0, 0) for n, loop in enumerate(loops)) + b"own"


def test_loops_move_with_an_excerpt():
    tags = Tags(chunks=((b"smpl", smpl((150, 249), (120, 130), (10, 20))),))
    inside = struct.pack("<6I", 0, 0, 50, 149, 0, 0) + struct.pack("<6I", 1, 0, 20, 30, 0, 0)
    head = struct.pack("<9I", 1, 2, 62500, 60, 0, 0, 0, 2, 3)
    whole = tags.of_part(100, 150, RATE)
    assert whole.chunks == ((b"smpl", head + inside + b"own"),) and whole.left_out("WAV") is None
    cut = tags.of_part(100, 149, RATE)
    assert cut.left_out("WAV") == "loops of smpl not carried over: told of the whole recording"
    assert Tags(chunks=((b"smpl", b"short"),)).of_part(1, 1, RATE).chunks == ((b"smpl", b"short"),)


def ixml(high, low, reference, rate=b"48000", more=b""):
    return (
        b"<?xml version='1.0'?><BWFXML><SCENE>1</SCENE>%s<SPEED><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>%d"
        b"</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>%d"
        b"</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO><TIMESTAMP_SAMPLE_RATE>%s</TIMESTAMP_SAMPLE_RATE></SPEED>"
        b"<BEXT><BWF_TIME_REFERENCE_LOW>%d</BWF_TIME_REFERENCE_LOW></BEXT></BWFXML>"
    ) % (more, high, low, rate, reference)


def test_the_ixml_of_an_excerpt_begins_as_late_as_its_bext():
    bext = bytes(338) + (2**32 - 1000).to_bytes(8, "little") + bytes(256)
    sync = b"<SYNC_POINT_LIST><SYNC_POINT><SYNC_POINT_LOW>5</SYNC_POINT_LOW></SYNC_POINT></SYNC_POINT_LIST>"
    whole = Tags(chunks=((b"bext", bext), (b"iXML", ixml(0, 2**32 - 1000, 7, more=sync))))
    part = whole.of_part(96000, 100, 48000)
    assert dict(part.chunks)[b"iXML"] == ixml(1, 95000, 96007)
    assert int.from_bytes(dict(part.chunks)[b"bext"][338:346], "little") == 2**32 + 95000
    assert part.left_out("WAV") == "sync points of iXML not carried over: told of the whole recording"
    pulled = Tags(chunks=((b"iXML", ixml(0, 0, 0, rate=b"47952")),)).of_part(96000, 100, 48000)
    assert pulled.chunks == ((b"iXML", ixml(0, 95904, 96000, rate=b"47952")),)
    for plain in (b"<a/>", b"<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>4294967295</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>"):
        assert Tags(chunks=((b"iXML", plain),)).of_part(5, 1, 48000).chunks == ((b"iXML", plain),)


def test_the_loudness_in_ixml_goes_with_that_in_bext():
    said = b"<BWFXML><A/><LOUDNESS><LOUDNESS_VALUE>-23</LOUDNESS_VALUE></LOUDNESS><B>1</B></BWFXML>"
    (row,) = Tags(chunks=((b"iXML", said),)).without_measurements().chunks
    assert row == (b"iXML", b"<BWFXML><A/><B>1</B></BWFXML>")


def test_the_timers_of_a_cart_move_with_an_excerpt():
    def cart(*timers):
        packed = b"".join(struct.pack("<4sI", *timer) for timer in timers)
        return b"0101".ljust(684, b"t") + packed.ljust(64, b"\0") + bytes(1300)

    whole = Tags(chunks=((b"cart", cart((b"INTs", 50), (b"AUDs", 100), (b"AUDe", 300), (b"EOD\0", 400))),))
    assert whole.of_part(100, 200, RATE).chunks == ((b"cart", cart((b"\0" * 4, 0), (b"AUDs", 0), (b"AUDe", 200))),)
    assert Tags(chunks=((b"cart", b"short"),)).of_part(1, 1, RATE).chunks == ((b"cart", b"short"),)


def test_points_that_share_a_number_stay_apart():
    name, content = cues(110, 150)
    shared = content[:28] + content[4:8] + content[32:]
    ((_, moved),) = Tags(chunks=((name, shared),)).of_part(100, 100, RATE).chunks
    assert [struct.unpack_from("<I", moved, at + 20) for at in (4, 28)] == [(10,), (50,)]


def test_timed_frames_of_a_tag_are_named():
    frames = [(b"ETCO", b"\2"), (b"TLEN", b"\x002"), (b"TIT2", b"\0a")]
    body = b"".join(name + struct.pack(">I", len(content)) + b"\0\0" + content for name, content in frames)
    tag = b"ID3\3\0\0\0\0\0" + bytes([len(body)]) + body
    tags = [Tags(id3=tag), Tags(chunks=((b"id3 ", tag),)), Tags(forms=((b"ID3 ", tag),))]
    notes = [whole.of_part(1, 1, RATE).left_out(kind) for whole, kind in zip(tags, ("MP3", "WAV", "AIFF"), strict=True)]
    assert notes == ["ETCO not carried over: told of the whole recording"] * 3


@pytest.mark.parametrize("text", [b" " * 400_000, b"<LOUDNESS>" * 40_000, b"<SYNC_POINT_LIST>" * 25_000])
def test_an_ixml_of_nonsense_costs_no_time(text):
    """Once a tenth of it took minutes."""
    from cleanaudio.audio.metadata import ixml

    content = b"<BWFXML>" + text + b"</BWFXML>"
    assert ixml.without_loudness(content) == content and ixml.without_sync_points(content) == content
    held = (
        b"<BWFXML>\n <LOUDNESS>-23</LOUDNESS>\n <BWF_MAX_TRUE_PEAK_LEVEL>-1</BWF_MAX_TRUE_PEAK_LEVEL>\n <TAKE>1</TAKE>"
    )
    assert ixml.without_loudness(held) == b"<BWFXML>\n <TAKE>1</TAKE>"
