"""The blind gate on real recordings: good systems pass, noisereduce's defaults fail."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import cleanaudio
from cleanaudio.report.gate import evaluate, parse

pytestmark = pytest.mark.data


def passed(folder, backend, step):
    """Return the share of recordings whose cleaning by a backend passes."""
    gate = parse("blind")
    results = []
    for path in sorted((folder / "noisy").iterdir())[::step]:
        noisy, rate = soundfile.read(path, dtype="float32", always_2d=True)
        cleaned = cleanaudio.clean(noisy.T, rate, backend)
        measured = cleanaudio.score(cleaned, rate, noisy=noisy.T, metrics=gate.keys, align=False)
        results.append(evaluate(gate, measured).passed)
    return np.mean(results)


@pytest.mark.parametrize("pairs", ["pairs-16k", "pairs-48k"])
def test_networks_pass_and_noisereduce_fails(data_dir, pairs):
    folder = data_dir / "dev" / pairs
    step = 8 if pairs == "pairs-16k" else 5
    for backend in ("deepfilternet", "rnnoise"):
        assert passed(folder, backend, step) >= 0.6, backend
    assert passed(folder, "noisereduce", step) <= 0.25
