"""Chunks of an AIFF on their way, compared with FFmpeg, with libsndfile's cues and loops, and with bytes."""

import struct

import numpy as np
import pytest
import soundfile
import tagged_files
from tagged_files import PNG, copy
from wav_bytes import RATE, chunk, chunks_of, noise, wav

from cleanaudio.audio import aiff
from cleanaudio.audio.metadata import id3
from cleanaudio.audio.metadata.description import Chapter, Description, Picture
from cleanaudio.audio.metadata.tags import Tags, read_tags

GET_CUES, GET_INSTRUMENT = 0x10CE, 0x10D0


def row(name, content):
    return name + struct.pack(">I", len(content)) + content + b"\0" * (len(content) % 2)


def pstring(text):
    return bytes([len(text)]) + text + b"\0" * ((1 + len(text)) % 2)


def markers(*rows):
    packed = (struct.pack(">HI", number, frame) + pstring(name) for number, frame, name in rows)
    return b"MARK", struct.pack(">H", len(rows)) + b"".join(packed)


def instrument(first=(1, 7, 3), second=(0, 0, 0), cents=0):
    return b"INST", struct.pack(">6bh", 60, cents, 10, 100, 1, 127, 6) + struct.pack(">6H", *first, *second)


def remark(number, text):
    return b"COMT", struct.pack(">HIHH", 1, 3_000_000_000, number, len(text)) + text + b"\0" * (len(text) % 2)


ROWS = [
    *[
        (b"NAME", b"a talk"),
        (b"AUTH", "Jürgen".encode()),
        (b"(c) ", "© me".encode()),
        (b"ANNO", b"one"),
        (b"ANNO", b"two"),
    ],
    markers((7, 400, b"cough"), (3, 1200, b"retake"), (9, 1500, b"odd")),
    *[instrument(), remark(3, b"again"), (b"AESD", bytes(24)), (b"APPL", b"stoc\1\2\3"), (b"basc", bytes(84))],
]


def make(path, rows):
    """Write an AIFF of 2000 frames, these chunks in front of its samples."""
    data = (noise() * 32767).astype(">i2").tobytes()
    rate = bytes.fromhex("400cfa00000000000000")  # 16000 in 80 bits
    rows = [(b"COMM", struct.pack(">HIH", 1, 2000, 16) + rate), *rows, (b"SSND", bytes(8) + data)]
    body = b"AIFF" + b"".join(row(*pair) for pair in rows)
    path.write_bytes(b"FORM" + struct.pack(">I", len(body)) + body)
    return path


def rows_of(path):
    """Walk the chunks with nothing of ours."""
    content = path.read_bytes()
    assert struct.unpack_from(">I", content, 4)[0] == len(content) - 8
    found, position = [], 12
    while position < len(content):
        name, size = struct.unpack_from(">4sI", content, position)
        found.append((name, content[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    assert position == len(content)
    return [pair for pair in found if pair[0] not in (b"COMM", b"SSND")]


def asked(path, command, size):
    """Return what libsndfile answers to a command."""
    with soundfile.SoundFile(path) as file:
        answer = soundfile._ffi.new("char[]", size)
        assert soundfile._snd.sf_command(file._file, command, answer, size)
        return bytes(soundfile._ffi.buffer(answer))


def cues(path):
    """Return frames and names of the cue points, by libsndfile."""
    answer = asked(path, GET_CUES, 4 + 100 * 280)
    points = (struct.unpack_from("<i4x3iI256s", answer, 4 + 280 * k) for k in range(answer[0]))
    return sorted((point[4], point[5].split(b"\0")[0]) for point in points)


def loops(path):
    """Return the fields of an instrument and its loops (mode, start, end), by libsndfile."""
    answer = asked(path, GET_INSTRUMENT, 12 + 4 + 16 * 16)
    (count,) = struct.unpack_from("<i", answer, 12)
    return struct.unpack_from("<i6b", answer), [struct.unpack_from("<iII", answer, 16 + 16 * k) for k in range(count)]


def test_the_chunks_of_an_aiff_are_carried_byte_for_byte(tmp_path):
    make(tmp_path / "in.aiff", ROWS)
    tags = copy(tmp_path / "in.aiff", tmp_path / "out.aiff")
    assert rows_of(tmp_path / "out.aiff") == ROWS and tags.left_out("AIFF") is None
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.aiff")[0], soundfile.read(tmp_path / "in.aiff")[0])
    assert tagged_files.text(tmp_path / "out.aiff") == tagged_files.text(tmp_path / "in.aiff")


def test_markers_and_loops_of_an_aiff_go_into_a_wav(tmp_path):
    make(tmp_path / "in.aiff", ROWS)
    tags = copy(tmp_path / "in.aiff", tmp_path / "out.wav", "wav")
    starts = [(0.025, "cough"), (0.075, "retake"), (0.09375, "odd")]
    assert [found[::2] for found in tagged_files.chapters(tmp_path / "out.wav")] == starts
    assert [frame for frame, _ in cues(tmp_path / "out.wav")] == [400, 1200, 1500]
    chunks = dict(chunks_of(tmp_path / "out.wav"))
    assert struct.unpack_from("<7I", chunks[b"smpl"], 8)[:3] == (62500, 60, 0)
    assert chunks[b"smpl"][36:] == struct.pack("<6I", 1, 0, 400, 1199, 0, 0)
    assert chunks[b"inst"] == struct.pack("<7b", 60, 0, 6, 10, 100, 1, 127)
    assert tags.left_out("WAV") == "AESD, APPL, basc not carried over: no place in WAV"
    fields = {"TITLE": "a talk", "ARTIST": "Jürgen", "COPYRIGHT": "© me", "COMMENT": "one/two/again"}
    assert read_tags(tmp_path / "out.wav").fields == fields


def test_libsndfile_sees_the_same_loop_in_the_wav(tmp_path):
    make(tmp_path / "in.aiff", [markers((1, 300, b"a"), (2, 900, b"b")), instrument((2, 1, 2))])
    copy(tmp_path / "in.aiff", tmp_path / "out.wav", "wav")
    (*_, (mode, start, end)) = loops(tmp_path / "out.wav")[1]
    assert (start, end) == (300, 900)  # behind the last
    assert mode == 803  # to and fro, as libsndfile numbers it


@pytest.mark.parametrize(("cents", "pitch"), [(0, 60.0), (-20, 60.2), (20, 59.8)])
def test_an_instrument_out_of_tune(cents, pitch):
    forms = (markers((1, 3, b"a"), (3, 9, b"b"), (7, 5, b"c")), instrument((1, 1, 3), cents=cents))
    _, (name, content) = aiff.sampler(forms, RATE)
    note, fraction = struct.unpack_from("<II", content, 12)
    assert name == b"smpl" and note + fraction / 2**32 == pytest.approx(pitch)


@pytest.mark.parametrize("loop", [(0, 7, 3), (1, 3, 7), (1, 7, 8)])
def test_no_loop_no_sampler(loop):
    assert [name for name, _ in aiff.sampler((ROWS[5], instrument(loop)), RATE)] == [b"inst"]
    assert aiff.sampler(((b"INST", b"short"),), RATE) == ()


def test_markers_go_into_a_flac_and_the_rest_is_named(tmp_path):
    tag = id3.build(Description((("MOOD", "calm"),)))
    make(tmp_path / "in.aiff", [*ROWS, (b"ID3 ", tag)])
    tags = copy(tmp_path / "in.aiff", tmp_path / "out.flac", "flac")
    titles = [title for *_, title in tagged_files.chapters(tmp_path / "out.flac")]
    assert titles == ["cough", "retake", "odd"] and tagged_files.text(tmp_path / "out.flac")["mood"] == "calm"
    assert tags.left_out("FLAC") == "INST, AESD, APPL, basc not carried over: no place in FLAC"


def test_an_aiff_takes_what_others_say(tmp_path):
    points = struct.pack("<I", 1) + struct.pack("<II4sIII", 1, 800, b"data", 0, 0, 800)
    label = b"adtl" + chunk(b"labl", struct.pack("<I", 1) + "Büro\0".encode())
    (tmp_path / "in.wav").write_bytes(wav(before=[(b"cue ", points), (b"LIST", label)]))
    tags = read_tags(tmp_path / "in.wav")
    said = Tags((("TITLE", "a"), ("MOOD", "calm")), (Picture(PNG, "image/png"),), tags.chapters)
    copy(tmp_path / "in.wav", tmp_path / "out.aiff", "aiff", tags=said)
    assert cues(tmp_path / "out.aiff") == [(800, "Büro".encode())]
    seen = tagged_files.text(tmp_path / "out.aiff")
    assert (seen["title"], seen["mood"]) == ("a", "calm")
    assert tagged_files.pictures(tmp_path / "out.aiff") == [PNG]
    found = read_tags(tmp_path / "out.aiff")
    assert (found.fields, found.pictures, found.chapters) == (said.fields, said.pictures, said.chapters)


def test_a_title_is_cut_between_letters():
    ((_, content),) = aiff.markers((Chapter(0.0, None, "ä" * 200),), RATE)
    assert content[8] == 254 and content[9:263].decode() == "ä" * 127 and len(content) == 264


def test_markers_and_loops_move_with_an_excerpt():
    tag = (b"ID3 ", id3.build(Description((("MOOD", "calm"),))))
    whole = Tags(forms=(*ROWS, tag), chapters=aiff.chapters(tuple(ROWS), RATE))
    part = whole.of_part(400, 800, RATE)
    moved = [markers((7, 0, b"cough"), (3, 800, b"retake")), *ROWS[6:10]]
    assert part.forms == (*ROWS[:5], *moved, tag)
    assert [chapter.title for chapter in part.chapters] == ["cough", "retake"]
    assert part.left_out("AIFF") == "basc not carried over: told of the whole recording"
    cut = whole.of_part(500, 800, RATE)
    assert dict(cut.forms)[b"INST"] == instrument((0, 0, 0))[1]
    assert cut.left_out("AIFF") == "loops of INST, basc not carried over: told of the whole recording"
    none = whole.of_part(0, 100, RATE)
    assert b"MARK" not in dict(none.forms) and dict(none.forms)[b"COMT"] == remark(0, b"again")[1]
    assert none.chapters == ()


def test_gains_in_an_aiff_are_dropped():
    tag = id3.build(Description((("MOOD", "calm"), ("REPLAYGAIN_TRACK_GAIN", "+4 dB"))))
    ((_, left),) = Tags(forms=((b"ID3 ", tag),)).without_measurements().forms
    assert id3.read(left).fields == {"MOOD": "calm"}


def test_other_channels_and_damage(tmp_path):
    tags = Tags(forms=((b"CHAN", bytes(12)), (b"NAME", b"a"))).of_other_channels()
    assert tags.forms == ((b"NAME", b"a"),)
    assert tags.left_out("AIFF") == "CHAN not carried over: told of the old channels"
    content = make(tmp_path / "in.aiff", []).read_bytes() + b"MARK" + struct.pack(">I", 400) + b"cut"
    (tmp_path / "in.aiff").write_bytes(content)
    assert read_tags(tmp_path / "in.aiff") == Tags()
    for length in range(40):
        damaged = tuple((name, rest[:length]) for name, rest in ROWS)
        Tags(forms=damaged, chapters=aiff.chapters(damaged, RATE)).of_part(1, 500, RATE).chunks_for_wav(RATE)


def test_no_chunks_that_are_too_long(tmp_path):
    make(tmp_path / "in.aiff", [(b"abcd", bytes(40 << 20)), (b"efgh", bytes(40 << 20)), (b"NAME", b"a")])
    tags = read_tags(tmp_path / "in.aiff")
    assert [name for name, _ in tags.forms] == [b"abcd", b"NAME"]
    assert tags.left_out("AIFF") == "efgh not carried over: more than 64 MiB"
