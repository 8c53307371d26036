"""What a shell is told when its user presses the tabulator."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cleanaudio.backends import registry


def completed(*words):
    """Return what bash would offer for the last word."""
    told = {"_CLEANAUDIO_COMPLETE": "complete_bash", "COMP_WORDS": "cleanaudio " + " ".join(words)}
    environment = {**os.environ, **told, "COMP_CWORD": str(len(words))}
    command = [sys.executable, "-c", "import sys; from cleanaudio.cli.app import main; sys.exit(main())"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["deno"], ["denoise"]),
        (["denoise", "--loud"], ["--loudness"]),
        (["denoise", "-b", "wie"], ["wiener"]),
        (["stream", "-b", "0.6*omlsa+0.4*wie"], ["0.6*omlsa+0.4*wiener"]),
        (["impact", "-b", "no-such"], []),
        (["score", "--metric", "si_sdr,pesq_w"], ["si_sdr,pesq_wb"]),
        (["models", "card", "mask"], ["mask-lstm"]),
        (["denoise", "--preset", "pod"], ["podcast"]),
        (["beamform", "--format", "fl"], ["flac"]),
    ],
)
def test_the_tabulator_completes(words, expected):
    assert completed(*words) == expected


def test_every_backend_is_offered():
    assert set(registry.names()) < set(completed("backends", "''"))
