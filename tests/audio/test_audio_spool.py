"""Audio on standard input, kept in a file."""

import io
import os

import numpy as np
import pytest
import soundfile

from cleanaudio.audio.files import probe
from cleanaudio.audio.spool import spool
from cleanaudio.errors import InputError, OutputError


def content(format, subtype=None):
    file = io.BytesIO()
    soundfile.write(file, np.zeros((3000, 2)) + 0.1, 16000, format=format, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        *[(content("WAV"), ".wav"), (content("RF64"), ".wav"), (content("FLAC"), ".flac"), (content("AIFF"), ".aiff")],
        *[(content("OGG", "OPUS"), ".opus"), (content("OGG", "VORBIS"), ".ogg"), (content("MP3"), ".mp3")],
    ],
)
def test_a_pipe_becomes_a_file_with_a_fitting_name(tmp_path, data, suffix):
    path = spool(io.BytesIO(data), tmp_path)
    assert path.parent == tmp_path and path.suffix == suffix
    assert path.read_bytes() == data
    assert probe(path).frames == 3000
    assert path.stat().st_mode & 0o077 == 0


def test_short_reads_of_a_pipe_are_put_together(tmp_path):
    inlet, outlet = os.pipe()
    data = content("WAV")
    with os.fdopen(outlet, "wb") as sender:
        sender.write(data[:100])
    with os.fdopen(inlet, "rb", buffering=0) as stream:
        assert spool(stream, tmp_path).read_bytes() == data[:100]


def test_nothing_on_the_pipe(tmp_path):
    with pytest.raises(InputError, match="no data") as caught:
        spool(io.BytesIO(), tmp_path)
    assert caught.value.path == "-"
    assert not list(tmp_path.iterdir())


class Breaking(io.RawIOBase):
    """Gives a little, then fails."""

    def __init__(self, error):
        self.first, self.error = True, error

    def read(self, size=-1):
        if self.first:
            self.first = False
            return b"RIFF"
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError(5, "Input/output error"), InputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_pipe_that_breaks_leaves_nothing(tmp_path, error, expected):
    with pytest.raises(expected):
        spool(Breaking(error), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_room_for_it(tmp_path):
    with pytest.raises(OutputError, match="cannot keep the input") as caught:
        spool(io.BytesIO(b"RIFF"), tmp_path / "none")
    assert "TMPDIR" in caught.value.remedy
