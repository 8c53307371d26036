"""Tags, chunks and pictures from one file to the next, compared with soundfile, PyAV and bytes."""

import io
import struct
import wave as standard_wave
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
import tagged_files
from hypothesis import given, settings
from hypothesis import strategies as st
from tagged_files import PNG, copy
from wav_bytes import RATE, chunk, chunks_of, noise, wav

from cleanaudio.audio import flac, riff
from cleanaudio.audio.files import open_reader, probe
from cleanaudio.audio.formats import output_format
from cleanaudio.audio.metadata import id3, marks
from cleanaudio.audio.metadata.description import Chapter, Description, Picture
from cleanaudio.audio.metadata.tags import Tags, read_tags
from cleanaudio.audio.recording import AudioInfo
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.errors import InputError

TEXT = {"title": "Ærø, take 1", "artist": "A", "album": "B", "comment": "line\nline", "date": "2026", "genre": "Speech"}
CHUNKS = [
    (b"bext", b"a description".ljust(602, b"\0") + b"A=PCM,F=48000\r\n\0"),
    (b"iXML", b"<?xml version='1.0'?><BWFXML><SCENE>1</SCENE></BWFXML>"),
    (b"cue ", struct.pack("<I", 1) + struct.pack("<II4sIII", 1, 500, b"data", 0, 0, 500)),
    (b"LIST", b"adtl" + b"labl" + struct.pack("<II", 8, 1) + b"odd\0"),
    (b"smpl", bytes(36)),
]


CUE_2 = struct.pack("<II4sIII", 2, 0, b"data", 0, 0, 8000)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("format", [None, "rf64", "wavex"])
def test_the_chunks_of_a_wav_are_carried_byte_for_byte(tmp_path, place, format):
    (tmp_path / "in.wav").write_bytes(wav(**{place: CHUNKS}))
    copy(tmp_path / "in.wav", tmp_path / "out.wav", format)
    if format != "rf64":
        kept = [row for row in chunks_of(tmp_path / "out.wav") if row[0] not in (b"fmt ", b"data")]
        assert kept == CHUNKS
    assert list(read_tags(tmp_path / "out.wav").chunks) == CHUNKS
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.wav")[0], soundfile.read(tmp_path / "in.wav")[0])


def test_python_reads_a_wav_with_chunks(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(before=CHUNKS))
    copy(tmp_path / "in.wav", tmp_path / "out.wav")
    with standard_wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getnframes(), file.getframerate(), file.getsampwidth()) == (2000, RATE, 2)


@pytest.mark.parametrize("subtype", ["ULAW", "IMA_ADPCM"])
def test_chunks_of_encodings_that_libsndfile_writes(tmp_path, subtype):
    (tmp_path / "in.wav").write_bytes(wav(before=CHUNKS))
    copy(tmp_path / "in.wav", tmp_path / "out.wav", subtype=subtype)
    kept = [row for row in chunks_of(tmp_path / "out.wav") if row[0] not in (b"fmt ", b"data", b"fact", b"PEAK")]
    assert kept == CHUNKS
    assert soundfile.info(tmp_path / "out.wav").subtype == subtype


def test_text_is_not_doubled_where_the_chunk_is_carried(tmp_path):
    info = (b"LIST", b"INFO" + chunk(b"INAM", b"a name\0") + chunk(b"IENG", b"an engineer\0"))
    (tmp_path / "in.wav").write_bytes(wav(before=[info]))
    assert read_tags(tmp_path / "in.wav").text["title"] == "a name"
    copy(tmp_path / "in.wav", tmp_path / "out.wav")
    assert [row for row in chunks_of(tmp_path / "out.wav") if row[0] == b"LIST"] == [info]


def test_no_chunk_that_is_too_long(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(before=[(b"PEAK", bytes(16)), (b"bext", bytes(65 << 20))]))
    tags = read_tags(tmp_path / "in.wav")
    assert tags.chunks == () and tags.left_out("WAV") == "bext not carried over: more than 64 MiB"
    (tmp_path / "in.wav").write_bytes(wav(before=[(b"abcd", bytes(40 << 20)), (b"efgh", bytes(40 << 20))]))
    tags = read_tags(tmp_path / "in.wav")
    assert [name for name, _ in tags.chunks] == [b"abcd"] and "efgh" in tags.left_out("WAV")


def test_marks_outside_an_excerpt_are_left_out_of_it():
    comments = tuple((name.upper(), value) for name, value in TEXT.items())
    application = (2, b"appldata")
    whole = Tags(comments, chunks=tuple(CHUNKS), blocks=((flac.CUESHEET, b"1"), application))
    tags = whole.of_part(0, 100, RATE)
    assert tags.chunks == (*CHUNKS[:2], CHUNKS[4])
    assert tags.blocks == (application,) and tags.text == TEXT
    assert tags.left_out("FLAC") == (
        "bext, iXML, smpl not carried over: no place in FLAC; a cue sheet not carried over: told of the whole recording"
    )


def test_an_excerpt_begins_later_in_the_day(tmp_path):
    def bext(reference):
        return bytes(338) + reference.to_bytes(8, "little") + bytes(256)

    tags = Tags(chunks=((b"bext", bext(2**32 - 1)), (b"iXML", b"<a/>")))
    assert tags.of_part(96000, 100, 48000).chunks == ((b"bext", bext(2**32 + 95999)), (b"iXML", b"<a/>"))
    for odd in (b"short", bext(2**64 - 1)):
        assert Tags(chunks=((b"bext", odd),)).of_part(1, 1, 48000).chunks == ((b"bext", odd),)


def test_text_of_the_years_before_utf_8(tmp_path):
    info = (b"LIST", b"INFO" + chunk(b"INAM", "Café Müller".encode("cp1252") + b"\0"))
    (tmp_path / "in.wav").write_bytes(wav(before=[info]))
    assert read_tags(tmp_path / "in.wav").text["title"] == "Café Müller"
    soundfile.write(tmp_path / "in.mp3", noise(48000), 48000)
    tag = b"TAG" + "Café €".encode("cp1252").ljust(30, b"\0") + bytes(95)
    with open(tmp_path / "in.mp3", "ab") as file:
        file.write(tag)
    assert read_tags(tmp_path / "in.mp3").text["title"] == "Café €"


def test_a_flac_behind_an_id3_tag_keeps_what_both_say(tmp_path):
    soundfile.write(tmp_path / "own.flac", noise(), RATE)
    own = Tags((("TITLE", "of the FLAC"), ("MOOD", "calm")), (Picture(PNG, "image/png"),))
    copy(tmp_path / "own.flac", tmp_path / "tagged.flac", tags=own)
    tag = id3.build(Description((("TITLE", "of the tag"), ("ARTIST", "somebody"))))
    (tmp_path / "in.flac").write_bytes(tag + (tmp_path / "tagged.flac").read_bytes())
    tags = read_tags(tmp_path / "in.flac")
    assert tags.text | {"title": "of the FLAC", "artist": "somebody"} == tags.text
    assert dict(tags.comments)["MOOD"] == "calm" and tags.pictures == own.pictures


@pytest.mark.parametrize("name", [b"ID3 ", b"id3 "])
def test_an_aiff_says_what_is_in_its_id3_chunk(tmp_path, name):
    soundfile.write(tmp_path / "in.aiff", noise(), RATE)
    picture = Picture(PNG, "image/png")
    tag = id3.build(Description((("TITLE", "a name"), ("MOOD", "calm")), (picture,)))
    data = (tmp_path / "in.aiff").read_bytes() + name + struct.pack(">I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    (tmp_path / "in.aiff").write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])
    tags = read_tags(tmp_path / "in.aiff")
    assert dict(tags.comments) == {"TITLE": "a name", "MOOD": "calm"} and tags.pictures == (picture,)
    assert tags.left_out("AIFF") is None
    copy(tmp_path / "in.aiff", tmp_path / "out.aiff")
    assert read_tags(tmp_path / "out.aiff") == tags
    if name == b"ID3 ":  # the only one that FFmpeg knows
        assert tagged_files.pictures(tmp_path / "out.aiff") == [PNG]
        assert tagged_files.text(tmp_path / "out.aiff") == {"title": "a name", "mood": "calm"}


def test_a_mark_far_behind_the_end_stays_one():
    (_, points), _ = marks.build((Chapter(1.0, None, "a"), Chapter(1e6, None, "b")), 48000)
    assert [frame for _, frame in marks._points(points)] == [48000, 2**32 - 1]


@pytest.mark.parametrize("target", ["wav", "rf64", "flac", "ogg", "opus", "mp3", "aiff", "caf"])
@pytest.mark.parametrize("source", ["WAV", "FLAC", "OGG", "MP3"])
def test_text_goes_from_format_to_format(tmp_path, source, target):
    with soundfile.SoundFile(tmp_path / "in", "w", RATE, 1, format=source) as file:
        for name, value in TEXT.items():
            setattr(file, name, value)
        file.write(noise())
    before = read_tags(tmp_path / "in").text
    assert before["title"] == TEXT["title"]
    copy(tmp_path / "in", tmp_path / "out", target)
    with soundfile.SoundFile(tmp_path / "out") as file:
        after = file.copy_metadata()
    for name in ("title", "artist", "comment"):
        if not (target == "aiff" and name == "comment") and target != "caf":
            assert after[name] == before[name]


CUES = (flac.CUESHEET, bytes(395) + b"\1" + bytes(8) + b"\xff" + bytes(27))  # nothing but a lead-out
SAID = Description((("TITLE", "a"), ("TITLE", "twice"), ("My_own", "tag")))


@pytest.mark.parametrize(("pictures", "others"), [((Picture(PNG, "image/png"),), ()), ((), (CUES, (2, b"appldata")))])
def test_what_a_flac_says_and_its_other_blocks_are_carried(tmp_path, pictures, others):
    soundfile.write(tmp_path / "plain.flac", noise(60000), RATE)
    with open(tmp_path / "plain.flac", "rb") as source, open(tmp_path / "in.flac", "wb") as target:
        flac.rewrite(source, target, replace(SAID, pictures=pictures), others)
    copy(tmp_path / "in.flac", tmp_path / "out.flac")
    with open(tmp_path / "out.flac", "rb") as file:
        assert flac.read(file) == (replace(SAID, pictures=pictures), others)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.flac")[0], soundfile.read(tmp_path / "plain.flac")[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.flac", "out.flac", "plain.flac"]
    if CUES not in others:  # FFmpeg wants a track in a cue sheet
        with av.open(str(tmp_path / "out.flac")) as container:
            assert container.metadata["My_own"] == "tag"
            (picture,) = container.streams.video
            assert bytes(next(container.demux(picture))) == PNG


def test_the_id3_tag_of_an_mp3_is_carried_byte_for_byte(tmp_path):
    soundfile.write(tmp_path / "plain.mp3", noise(30000), RATE, format="MP3")
    frame = b"TIT2" + struct.pack(">I", 7) + b"\0\0" + b"\0a name"
    private = b"PRIV" + struct.pack(">I", 300) + b"\0\0" + b"x" * 300
    body = frame + private
    size = bytes([0, 0, len(body) >> 7, len(body) & 0x7F])
    tag = b"ID3\x03\0\0" + size + body
    (tmp_path / "in.mp3").write_bytes(tag + (tmp_path / "plain.mp3").read_bytes())
    copy(tmp_path / "in.mp3", tmp_path / "out.mp3")
    content = (tmp_path / "out.mp3").read_bytes()
    assert content.startswith(tag) and content.count(b"ID3") == 1
    assert probe(tmp_path / "out.mp3").frames == probe(tmp_path / "in.mp3").frames == 30000
    assert read_tags(tmp_path / "out.mp3").text["title"] == "a name"


def test_cover_chapters_and_text_of_an_m4a_go_into_a_flac(tmp_path):
    path = tmp_path / "in.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata.update({"title": "a title", "artist": "an artist"})
        audio = container.add_stream("aac", rate=44100, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width = cover.height = 1
        cover.pix_fmt = "gray"
        cover.disposition = av.stream.Disposition.attached_pic
        container.set_chapters(
            [
                {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},
                {"id": 2, "start": 500, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "two"}},
            ]
        )
        picture = av.VideoFrame.from_ndarray(np.zeros((1, 1), np.uint8), "gray")
        container.mux(cover.encode(picture))
        for start in range(0, 44100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    copy(path, tmp_path / "out.flac")
    with av.open(str(tmp_path / "out.flac")) as container:
        upper = {name.upper(): value for name, value in container.metadata.items()}
        assert (upper["TITLE"], upper["ARTIST"]) == ("a title", "an artist")
        assert len(container.streams.video) == 1
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one", "two"]
    assert soundfile.info(tmp_path / "out.flac").frames == probe(path).frames


CUE = [
    (b"cue ", struct.pack("<I", 2) + struct.pack("<II4sIII", 7, 0, b"data", 0, 0, 1600) + CUE_2),
    (b"LIST", b"adtl" + chunk(b"labl", struct.pack("<I", 7) + b"Intro\0") + chunk(b"labl", b"\2\0\0\0M\xfcll\0")),
]


def test_cue_points_become_chapters_and_chapters_cue_points(tmp_path):
    (tmp_path / "in.wav").write_bytes(wav(after=CUE, samples=bytes(2 * 32000)))
    chapters = (Chapter(0.1, 0.5, "Intro"), Chapter(0.5, 2.0, "Müll"))
    assert read_tags(tmp_path / "in.wav").chapters == chapters
    copy(tmp_path / "in.wav", tmp_path / "a.flac", "flac")
    assert tagged_files.chapters(tmp_path / "a.flac") == [(0.1, 0.5, "Intro"), (0.5, 2.0, "Müll")]
    copy(tmp_path / "a.flac", tmp_path / "out.wav", "wav")
    assert tagged_files.chapters(tmp_path / "out.wav") == [(0.1, 0.5, "Intro"), (0.5, 2.0, "Müll")]
    assert dict(chunks_of(tmp_path / "out.wav"))[b"cue "][12:16] == b"data"


def test_a_marker_and_a_region_may_begin_at_the_same_frame(tmp_path):
    points = struct.pack("<I", 2) + b"".join(struct.pack("<II4sIII", n, 0, b"data", 0, 0, 1600) for n in (1, 2))
    region = b"adtl" + chunk(b"ltxt", struct.pack("<II4sHHHH", 2, 800, b"rgn ", 0, 0, 0, 0))
    (tmp_path / "in.wav").write_bytes(wav(after=[(b"cue ", points), (b"LIST", region)], samples=bytes(2 * 32000)))
    ends = {chapter.end_s for chapter in read_tags(tmp_path / "in.wav").chapters}
    assert ends == {None, 0.15} or ends == {2.0, 0.15} or ends == {0.1, 0.15}


@pytest.mark.parametrize("source", [".mp3", ".m4a", ".opus", ".ogg", ".flac"])
def test_a_wav_says_what_any_format_says(tmp_path, source):
    more = {"comment": "Zeile", "podcast_url": "http://x"}
    path = tagged_files.make(tmp_path / f"in{source}", tagged_files.TEXT | more)
    tags = copy(path, tmp_path / "out.wav", "wav")
    said = read_tags(tmp_path / "out.wav")
    assert said.fields == tags.fields and len(said.pictures) == 1
    assert [chapter.title for chapter in said.chapters] == [title for *_, title in tagged_files.CHAPTERS]
    seen = tagged_files.text(tmp_path / "out.wav")
    assert seen["title"] == tagged_files.TEXT["title"]
    assert [row[::2] for row in tagged_files.chapters(tmp_path / "out.wav")] == [
        row[::2] for row in tagged_files.CHAPTERS
    ]
    assert tagged_files.pictures(tmp_path / "out.wav") == tagged_files.pictures(path)


@pytest.mark.parametrize("target", ["wav", "flac", "ogg", "opus", "mp3"])
def test_an_excerpt_has_the_chapters_that_lie_in_it(tmp_path, target):
    path = tagged_files.make(tmp_path / "in.flac")
    tags = read_tags(path).of_part(36000, 48000, 48000)
    with open_reader(path) as reader:
        kind = output_format(reader.info, target)
        with AtomicWriter(tmp_path / f"out.{target}", 48000, 1, kind, tags=tags, frames=48000) as writer:
            reader.seek(36000)
            writer.write(reader.read(48000))
    rows = [(start, title) for start, _, title in tagged_files.chapters(tmp_path / f"out.{target}")]
    assert rows == [(0.0, "Main – Ж"), (0.5, "Outro")]
    assert tags.of_part(0, 100, 48000).chapters[0].end_s == 100 / 48000
    assert len(read_tags(path).of_part(0, 24000, 48000).chapters) == 1


def bext_2(loudness, version=2):
    head = b"a description".ljust(346, b"\0") + struct.pack("<H", version) + b"u" * 64
    return head + struct.pack("<5h", *loudness) + bytes(180) + b"A=PCM\r\n"


def test_the_loudness_of_a_broadcast_chunk_becomes_unknown():
    measured = Tags(chunks=((b"bext", bext_2((-2300, 800, -100, -1500, -2000))), (b"iXML", b"<a/>")))
    unknown = ((b"bext", bext_2((0x7FFF,) * 5)), (b"iXML", b"<a/>"))
    assert measured.without_measurements().chunks == unknown
    older = Tags(chunks=((b"bext", bext_2((0,) * 5, version=1)),))
    assert older.without_measurements() == older


def test_gains_go_and_the_rest_stays():
    said = (
        ("TITLE", "a"),
        ("REPLAYGAIN_TRACK_GAIN", "+4 dB"),
        ("r128_track_gain", "1024"),
        ("PODCAST_URL", "http://x"),
    )
    assert Tags(said).without_measurements() == Tags((said[0], said[3]))


def test_what_has_no_place_is_named():
    pictures, chapters = (Picture(PNG, "image/png"),) * 2, tuple(Chapter(float(k)) for k in range(3))
    full = Tags((("TITLE", "a"), ("MOOD", "b")), pictures, chapters, tuple(CHUNKS), (CUES,))
    assert full.left_out("AU") == (
        "2 text tags, 2 pictures, 3 chapters, bext, iXML, smpl, a cue sheet not carried over: no place in AU"
    )
    assert full.left_out("CAF").startswith("1 text tag, 2 pictures, 3 chapters, bext")
    assert full.left_out("FLAC") == "bext, iXML, smpl not carried over: no place in FLAC"
    assert full.left_out("AIFF") == "bext, iXML, smpl, a cue sheet not carried over: no place in AIFF"
    assert full.left_out("WAV") == "a cue sheet not carried over: no place in WAV"
    assert Tags((("MOOD", "b"),), pictures, chapters).left_out("OGG") is None


@pytest.mark.parametrize("target", ["au", "w64", "aiff", "caf"])
def test_formats_with_little_place_take_what_libsndfile_writes(tmp_path, target):
    path = tagged_files.make(tmp_path / "in.flac", {"title": "a", "genre": "b", "mood": "c"})
    copy(path, tmp_path / "out", target)
    with soundfile.SoundFile(tmp_path / "out") as file:
        found = file.copy_metadata()
    wanted = {"au": {}, "w64": {}, "aiff": {"title": "a"}, "caf": {"title": "a", "genre": "b"}}
    assert found == wanted[target]


def test_no_tags(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    assert read_tags(tmp_path / "a.wav") == Tags()
    with pytest.raises(InputError):
        read_tags(tmp_path / "none.wav")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"RIFF", b"RF64"]))
def test_any_bytes_after_the_magic_are_walked_to_an_end(content, magic):
    data = magic + b"\0\0\0\0WAVE" + content
    layout = riff.read_layout(io.BytesIO(data), len(data))
    assert layout.available <= len(data)
    assert all(row.start + row.size <= len(data) for row in layout.chunks if row.name != b"data")


def test_text_that_is_too_much_for_flac_is_left_out_and_said(tmp_path, tone):
    said = Tags((("TITLE", "a talk"), ("COVERART", "x" * (17 << 20)), ("ARTIST", "me")))
    path = tmp_path / "a.flac"
    kind = output_format(AudioInfo("x", 16000, 1, 1600, "FLAC", "PCM_16"))
    with AtomicWriter(path, 16000, 1, kind, tags=said, frames=1600) as writer:
        writer.write(tone(440, 0.1, 16000)[None])
    assert soundfile.read(path)[0].shape == (1600,)
    assert read_tags(path).comments == (("TITLE", "a talk"), ("ARTIST", "me"))
    assert said.left_out("FLAC") == "1 text tag not carried over: no place in FLAC"


@pytest.mark.parametrize("target", ["flac", "ogg", "mp3"])
def test_the_text_of_a_container_has_the_names_of_the_format(tmp_path, target):
    said = {"album_artist": "Radio Ж", "disc": "2/3", "track": "4/9", "title": "a"}
    path = tagged_files.make(tmp_path / "in.m4a", said, chapters=(), cover=False)
    copy(path, tmp_path / f"out.{target}", target)
    content = (tmp_path / f"out.{target}").read_bytes()
    if target == "mp3":
        wanted = {"TPE2": "album_artist", "TPOS": "disc", "TRCK": "track", "TIT2": "title"}
        assert b"TXXX" not in content and all(content.count(name.encode()) == 1 for name in wanted)
    else:
        own = [f"{name}=".encode() for name in ("ALBUMARTIST", "DISCNUMBER", "TRACKNUMBER")]
        assert [content.upper().count(name) for name in own] == [1, 1, 1]
        assert b"ALBUM_ARTIST=" not in content.upper() and b"DISC=" not in content.upper()
    seen = tagged_files.text(tmp_path / f"out.{target}")
    assert {name: seen[name] for name in said} == said
