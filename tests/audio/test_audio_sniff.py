import pytest

from cleanaudio.audio.sniff import kind_of, suffix_of


@pytest.mark.parametrize(
    ("head", "kind", "suffix"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav", ".wav"),
        (b"OggS".ljust(28, b"\0") + b"OpusHead", "ogg", ".opus"),
        (b"\0\0\0\x20ftypM4A ", "container", ".m4a"),
        (b"ID3\x04".ljust(16, b"\0"), "mpeg", ".mp3"),
        (b"\xff\xfb\x90\x64".ljust(16, b"\0"), "mpeg", ".mp3"),
        (b"\xff\xf1\x50\x80".ljust(16, b"\0"), "container", ".aac"),
        (b"fLaC\0\0\0\x22".ljust(16, b"\0"), None, ".flac"),
        (b"hello", None, None),
        (b"\xff", None, None),
        (b"", None, None),
    ],
)
def test_a_file_is_known_by_its_first_bytes(head, kind, suffix):
    assert (kind_of(head), suffix_of(head)) == (kind, suffix)
