"""Real recordings through the whole program: outputs like the inputs, aligned to the sample, and a row for each."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

pytestmark = pytest.mark.data


def lag(x: np.ndarray, y: np.ndarray) -> int:
    """Frames by which y comes after x, by cross-correlation."""
    size = 1 << (2 * len(x)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)), size)
    best = int(np.argmax(correlation))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("backend", ["auto", "log-mmse", "omlsa"])
def test_real_noisy_recordings(backend: str, data_dir: Path, tmp_path: Path, program) -> None:
    source = data_dir / "dev" / "real-noisy"
    done = program("denoise", source, "-o", tmp_path, "-j", 2, "-b", backend, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    with open(tmp_path / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = {Path(row["input"]).name: row for row in csv.DictReader(file)}
    recordings = [path for path in source.iterdir() if path.suffix in {".wav", ".flac", ".ogg", ".opus", ".mp3"}]
    assert set(rows) == {path.name for path in recordings}
    assert recordings
    for path in recordings:
        before, after = sf.info(path), sf.info(rows[path.name]["output"])
        for fact in ("samplerate", "channels", "frames", "format", "subtype"):
            assert getattr(before, fact) == getattr(after, fact), f"{path.name}: {fact}"
        x, _ = sf.read(path, always_2d=True)
        y, _ = sf.read(rows[path.name]["output"], always_2d=True)
        assert lag(x[:, 0], y[:, 0]) == 0, path.name
        assert rows[path.name]["status"] == "done"
    fallen = [float(row["noise_floor_in_dbfs"]) - float(row["noise_floor_out_dbfs"]) for row in rows.values()]
    assert min(fallen) > -0.5
    assert np.median(fallen) > 3


@pytest.mark.parametrize("name", ["pairs-16k", "pairs-48k"])
def test_cleaning_brings_pairs_nearer_to_the_clean_file(name: str, data_dir: Path) -> None:
    """Mean SI-SDR of the first files, with the default backend and with a classical one."""
    from benchmarks.quality import clean_with, si_sdr
    from cleanaudio.backends import registry

    files = sorted((data_dir / "dev" / name / "noisy").iterdir())[:8]
    for spec in (registry.auto()[0], "log-mmse"):
        gains = []
        for path in files:
            noisy, rate = sf.read(path, dtype="float32", always_2d=True)
            clean, _ = sf.read(path.parents[1] / "clean" / path.name, dtype="float32", always_2d=True)
            out = clean_with(spec, noisy[:, 0], rate)[0]
            gains.append(si_sdr(clean[:, 0], out) - si_sdr(clean[:, 0], noisy[:, 0]))
        assert np.mean(gains) > 0, spec
