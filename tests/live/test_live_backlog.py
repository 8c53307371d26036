import os
import threading
import time
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
import pytest

from cleanaudio.live.backlog import backlog
from cleanaudio.live.pcm import PcmFormat
from cleanaudio.live.pipes import PcmSource

PCM = PcmFormat(16000, 1, "s16le")
SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 20 * PCM.rate).astype("<i2")
SECOND = 2 * PCM.rate


@pytest.fixture
def pipe():
    """``pipe(pieces, pause_s)``: a source into whose pipe bytes are written, after each of which there is a pause."""

    def make(pieces, pause_s=0.0, then_s=0.0):
        out, into = os.pipe()

        def write():
            with open(into, "wb", buffering=0) as stream:
                for piece in pieces:
                    for at in range(0, len(piece), 1 << 12):
                        stream.write(piece[at : at + (1 << 12)])
                    time.sleep(pause_s)
                time.sleep(then_s)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        stack.callback(writer.join, 30)
        source = PcmSource(stack.enter_context(os.fdopen(out, "rb")), PCM)
        time.sleep(0.1)  # while the backend is loaded
        return source

    with ExitStack() as stack:
        yield make


def cut(data, *sizes):
    edges = np.cumsum([0, *sizes])
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("period_s", [0.01, 0.125])
@pytest.mark.parametrize("before_s", [1, 4])
def test_a_live_source_is_behind_by_what_came_before(pipe, before_s, period_s):
    """Also by more than a pipe holds, which is two seconds here: the source keeps the rest for a while."""
    data = SAMPLES.tobytes()[: round((before_s + 0.5) * SECOND)]
    period = round(period_s * SECOND)
    source = pipe(cut(data, before_s * SECOND, *[period] * round(0.5 / period_s)), period_s)
    behind = backlog(source, 0.1)
    assert before_s <= behind < before_s + 0.35
    assert b"".join(PCM.encode(block) for block in source.blocks(160)) == data


def test_what_is_dropped_is_not_heard(pipe):
    data = SAMPLES.tobytes()[: SECOND + 1]  # inside of a frame
    source = pipe([data, SAMPLES.tobytes()[SECOND + 1 : SECOND + 3200]], 0.3)
    assert backlog(source, 0.1) == pytest.approx(1, abs=0.01)
    source.drop()
    assert b"".join(PCM.encode(block) for block in source.blocks(160)) == SAMPLES.tobytes()[SECOND : SECOND + 3200]


@pytest.mark.parametrize("seconds", [0.3, 1.5, 20])
def test_a_recording_is_not_waited_for(pipe, seconds):
    """However long it is: all of it comes faster than from a live source, or it is at its end."""
    data = SAMPLES.tobytes()[: round(seconds * SECOND)]
    source = pipe([data])
    assert backlog(source, 0.1) is None
    assert b"".join(PCM.encode(block) for block in source.blocks(160)) == data


def test_of_a_file_there_is_none(tmp_path):
    (tmp_path / "a.raw").write_bytes(SAMPLES.tobytes())
    with open(tmp_path / "a.raw", "rb") as stream:
        assert backlog(PcmSource(stream, PCM), 0.1) is None


def test_of_a_source_that_has_just_begun_there_is_next_to_none(pipe):
    source = pipe([SAMPLES.tobytes()[:320]], then_s=0.3)
    assert backlog(source, 0.1) == pytest.approx(0.01)
