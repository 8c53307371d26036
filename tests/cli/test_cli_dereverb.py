"""``--dereverb`` of ``denoise`` and ``stream``, and the backend ``none``."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import audio, read, rows, shape, write

import cleanaudio
from cleanaudio.batch.voice import Borne, Cells


@pytest.fixture(scope="module")
def hall(fixtures_dir) -> np.ndarray:
    """Two seconds of reverberant speech at two microphones, (2, frames)."""
    return read(fixtures_dir / "rooms/hall.flac").T[:, 8000:40000].astype(np.float32)


@pytest.fixture
def recording(tmp_path, hall) -> Path:
    return write(tmp_path / "in/hall.wav", hall.T, subtype="FLOAT")


@pytest.fixture
def denoise(cli, recording, tmp_path):
    """``denoise(arguments...)`` of the recording with ``none`` into out/; must end with ``code``."""

    def run(*arguments: object, code: int = 0):
        backend = () if "-b" in arguments else ("-b", "none")
        ran = cli("denoise", recording, "-o", tmp_path / "out", "-j", "1", *backend, *arguments)
        assert ran.code == code, ran.stderr
        return ran

    return run


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("backend", ["none", "wiener"])
def test_writes_what_the_library_makes(denoise, tmp_path, recording, hall, backend, channels):
    write(recording, hall[:channels].T, subtype="FLOAT")
    denoise("-b", backend, "--dereverb", "0.8")
    made = tmp_path / "out/hall.wav"
    assert shape(made) == shape(recording)
    expected = cleanaudio.clean(hall[:channels], 16000, backend, dereverb=0.8)
    np.testing.assert_allclose(read(made).T, expected, atol=1e-6)
    (row,) = rows(tmp_path / "out")
    assert row["status"] == "done" and row["backend"] == backend
    assert float(row["latency_ms"]) > 15000  # the blocks that it learns from


def test_none_alone_gives_the_samples_back(denoise, tmp_path, recording, hall):
    denoise()
    np.testing.assert_array_equal(read(tmp_path / "out/hall.wav"), read(recording))


def test_the_residual_is_what_went(denoise, tmp_path, recording):
    denoise("--dereverb", "1", "--residual")
    (residual,) = audio(tmp_path / "out") - {"hall.wav"}
    gone = read(tmp_path / "out" / residual)
    np.testing.assert_allclose(gone + read(tmp_path / "out/hall.wav"), read(recording), atol=1e-6)
    assert np.std(gone) > 0.05 * np.std(read(recording))


def test_it_belongs_to_the_recipe(denoise, tmp_path):
    recipes = []
    for strength in ("0", "0.5", "1"):
        denoise("--dereverb", strength, "--skip-existing")
        recipes.append(rows(tmp_path / "out")[-1]["recipe"])
        assert rows(tmp_path / "out")[-1]["status"] == "done"
    assert len(set(recipes)) == 3
    denoise("--dereverb", "1", "--skip-existing")
    assert rows(tmp_path / "out")[-1]["status"] == "skipped"


def test_a_new_revision_is_another_recipe(monkeypatch):
    from cleanaudio.batch.recipe import Request, digest, resolved
    from cleanaudio.spatial import dereverb

    def recipe(strength: float) -> str:
        return digest(resolved(Request("none", {}, dereverb=strength)))

    before = recipe(1.0), recipe(0.0)
    monkeypatch.setattr(dereverb, "REVISION", dereverb.REVISION + 1)
    assert recipe(1.0) != before[0] and recipe(0.0) == before[1]


@pytest.mark.parametrize("where", ["at the top", "in a preset"])
def test_a_config_file_can_ask_for_it(denoise, tmp_path, hall, where):
    config = tmp_path / "options.toml"
    config.write_text(("[presets.church]\n" if where == "in a preset" else "") + "dereverb = 1.0\n")
    denoise("--config", config, *(("--preset", "church") if where == "in a preset" else ()))
    expected = cleanaudio.clean(hall, 16000, "none", dereverb=1.0)
    np.testing.assert_allclose(read(tmp_path / "out/hall.wav").T, expected, atol=1e-6)


@pytest.mark.parametrize("command", ["denoise", "stream"])
@pytest.mark.parametrize("strength", ["-0.1", "1.5", "much"])
def test_out_of_range_is_a_usage_error(cli, recording, tmp_path, command, strength):
    source = (recording, "-o", tmp_path / "out") if command == "denoise" else ("--rate", "16000")
    ran = cli(command, *source, "-b", "none", "--dereverb", strength)
    assert ran.code == 2 and "--dereverb" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_short_and_empty_clips(cli, tmp_path, hall):
    for frames in (0, 1, 400, 4000):
        write(tmp_path / f"in/{frames}.wav", hall[0, 9000 : 9000 + frames], subtype="FLOAT")
    ran = cli("denoise", tmp_path / "in", "-o", tmp_path / "out", "-b", "none", "--dereverb", "1", "-j", "1")
    assert ran.code == 0, ran.stderr
    for frames in (0, 1, 400, 4000):
        assert shape(tmp_path / f"out/{frames}.wav")[2] == frames


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_guard_takes_back_the_cleaning_alone(denoise, tmp_path, hall, monkeypatch, share):
    from cleanaudio.batch import guard

    monkeypatch.setattr(guard, "decide", lambda *_: guard.Decision(share, "it harms"))
    monkeypatch.setattr(Cells, "bearable", lambda cells, _: Borne(*np.ones((2, len(cells))), np.zeros(len(cells))))
    ran = denoise("-b", "wiener", "--dereverb", "1", "--guard")
    assert f"guarded: {'50% of the cleaning' if share else 'dereverberation alone'}: it harms" in ran.stderr
    dry = cleanaudio.clean(hall, 16000, "none", dereverb=1.0)
    expected = (1 - share) * dry + share * cleanaudio.clean(dry, 16000, "wiener")
    np.testing.assert_allclose(read(tmp_path / "out/hall.wav").T, expected, atol=1e-6)


@pytest.mark.slow
def test_the_guard_and_the_gate_hear_the_result(denoise, tmp_path, recording, hall):
    """The guard leaves dereverberation in; scores and gate are of what comes out."""
    pytest.importorskip("speechmos")
    denoise("--score", "--guard")
    denoise("--score", "--guard", "--dereverb", "1", "--overwrite")
    expected = cleanaudio.clean(hall, 16000, "none", dereverb=1.0)
    np.testing.assert_allclose(read(tmp_path / "out/hall.wav").T, expected, atol=1e-6)
    before, after = (float(row["dnsmos_ovrl"]) for row in rows(tmp_path / "out"))
    for signal, measured in ((hall, before), (expected, after)):
        found = cleanaudio.score(signal, 16000, metrics=["dnsmos"])["dnsmos_ovrl"]
        assert measured == pytest.approx(found, abs=0.01)
    assert abs(before - after) > 0.03
    gate = ("--gate", f"dnsmos_ovrl>={(before + after) / 2:.3f}", "--metrics", tmp_path / "gate.csv", "--overwrite")
    denoise(*gate, code=0 if before > after else 3)
    denoise(*gate, "--dereverb", "1", code=0 if after > before else 3)


def test_live_it_goes_frame_by_frame(cli, monkeypatch, hall):
    samples = np.round(hall * 32767).astype("<i2")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(samples.T.tobytes()))))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=True))
    ran = cli("stream", "-b", "none", "--rate", "16000", "--channels", "2", "--dereverb", "1")
    assert ran.code == 0 and "latency 32 ms (512 frames)" in ran.stderr
    processor = cleanaudio.open_chain("none", rate=16000, channels=2, dereverb=1.0)
    signal = (samples / 32768).astype(np.float32)
    expected = np.concatenate([processor.process(signal), processor.flush()], axis=1)
    heard = np.frombuffer(out.getvalue(), "<i2").reshape(-1, 2).T / 32768
    np.testing.assert_allclose(heard, expected, atol=2e-5)
    assert np.max(np.abs(heard - signal)) > 1e-3
