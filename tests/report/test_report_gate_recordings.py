"""The blind gate on real recordings: good systems pass, noisereduce's defaults fail."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import cleanaudio
from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.score import LinedUp, measure
from cleanaudio.report.gate import evaluate, parse

pytestmark = pytest.mark.data


def passed(folder, backends, step):
    """Return for each backend the share of recordings whose cleaning by it passes."""
    gate = parse("blind")
    results = []
    for path in sorted((folder / "noisy").iterdir())[::step]:
        noisy, rate = soundfile.read(path, dtype="float32", always_2d=True)
        before = Signals(noisy.T, rate, noisy=noisy.T)
        cleaned = [before.of_another(cleanaudio.clean(noisy.T, rate, backend)) for backend in backends]
        results.append([evaluate(gate, measure(LinedUp(signals, None, ()), gate.keys)).passed for signals in cleaned])
    return np.mean(results, axis=0)


@pytest.mark.parametrize(("pairs", "step"), [("pairs-16k", 8), ("pairs-48k", 5)])
def test_networks_pass_and_noisereduce_fails(data_dir, pairs, step):
    good = ["deepfilternet", "rnnoise"]
    *shares, noisereduce = passed(data_dir / "dev" / pairs, [*good, "noisereduce"], step)
    assert min(shares) >= 0.6, dict(zip(good, shares, strict=True))
    assert noisereduce <= 0.25
