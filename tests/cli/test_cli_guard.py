"""When ``denoise`` listens to what it does, and what its log says of that."""

import csv

import numpy as np
import pytest
import soundfile

from cleanaudio.backends import registry
from cleanaudio.batch import guard


@pytest.fixture
def take(tmp_path, noisy_speech):
    soundfile.write(tmp_path / "take.wav", noisy_speech(1.0), 16000, subtype="PCM_16")
    return tmp_path / "take.wav"


@pytest.mark.parametrize(
    ("options", "listens"),
    [
        ((), None),
        (("-b", "auto", "--no-guard"), False),
        (("-b", "wiener"), False),
        (("-b", "wiener", "--guard"), True),
    ],
)
def test_it_is_on_where_auto_chose_a_network_or_where_asked(cli, take, tmp_path, monkeypatch, options, listens):
    asked = []
    monkeypatch.setattr(guard, "decide", lambda *_: asked.append(1) or guard.Decision(1.0))
    assert cli("denoise", take, "-o", tmp_path / "out", *options).code == 0
    if listens is None:
        listens = registry.auto()[0] != "omlsa"
    assert bool(asked) == listens


@pytest.mark.parametrize(("share", "said"), [(0.5, "guarded: 50% of the cleaning"), (0.0, "guarded: the original")])
def test_the_row_says_guarded_and_why_and_the_output_is_mixed_so(cli, take, tmp_path, monkeypatch, share, said):
    assert cli("denoise", take, "-o", tmp_path / "full", "-b", "wiener", "--subtype", "FLOAT").code == 0
    monkeypatch.setattr(guard, "decide", lambda *_: guard.Decision(share, "the speech lost 9.0 dB"))
    ran = cli("denoise", take, "-o", tmp_path / "out", "-b", "wiener", "--subtype", "FLOAT", "--guard")
    assert said in ran.stderr
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["notes"] == f"{said}: the speech lost 9.0 dB"
    before, full, out = (
        soundfile.read(path)[0] for path in (take, tmp_path / "full/take.wav", tmp_path / "out/take.wav")
    )
    assert np.allclose(out, before + share * (full - before), atol=1e-4)
