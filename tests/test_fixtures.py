"""The committed clips are what fixtures/make.py makes, and are what their README says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile as sf

LOSSY = {".mp3", ".ogg"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, fixtures_maker: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("fixtures")
    fixtures_maker.main(folder)
    return folder


def audio_files(folder: Path) -> list[Path]:
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix in {".wav", ".flac", *LOSSY})


def test_the_same_clips_come_out_again(fresh: Path, fixtures_dir: Path) -> None:
    assert audio_files(fresh) == audio_files(fixtures_dir)
    for name in audio_files(fresh):
        made, kept = sf.info(fresh / name), sf.info(fixtures_dir / name)
        assert (made.samplerate, made.channels, made.frames, made.subtype) == (
            kept.samplerate, kept.channels, kept.frames, kept.subtype,
        )  # fmt: skip
        a, _ = sf.read(fresh / name)
        b, _ = sf.read(fixtures_dir / name)
        tolerance = 0.02 if name.suffix in LOSSY else 0.01 if made.subtype == "PCM_U8" else 1e-4
        assert np.max(np.abs(a - b)) <= tolerance, name


def test_they_are_small_and_explained(fixtures_dir: Path) -> None:
    names = audio_files(fixtures_dir)
    assert sum((fixtures_dir / name).stat().st_size for name in names) < 3_200_000
    explained = re.findall(r"`([^`]+\.(?:wav|flac|ogg|mp3))`", (fixtures_dir / "README.md").read_text("utf-8"))
    assert sorted(explained) == sorted(map(str, names))


def test_the_rooms_are_described(fresh: Path, fixtures_dir: Path) -> None:
    """Each has its geometry, and a reference as long as itself."""
    described = sorted((fixtures_dir / "rooms").glob("*.json"))
    assert [path.stem for path in described] == [path.stem for path in sorted((fixtures_dir / "rooms").glob("*.flac"))]
    for path in described:
        assert path.read_text("utf-8") == (fresh / "rooms" / path.name).read_text("utf-8")
        facts, clip = json.loads(path.read_text("utf-8")), sf.info(path.with_suffix(".flac"))
        reference = sf.info(path.parent / "reference" / f"{path.stem}.flac")
        assert clip.channels == len(facts["microphones"])
        assert (reference.frames, reference.channels) == (clip.frames, 1)


def test_a_room_decays_as_fast_as_it_says(fixtures_maker: ModuleType) -> None:
    from pyroomacoustics.experimental import measure_rt60

    for scene in fixtures_maker.SCENES.values():
        response = fixtures_maker.responses(scene, 16000)[0][0]
        assert measure_rt60(response, 16000, decay_db=20) == pytest.approx(scene.rt60_s, rel=0.25)


def test_a_voice_has_the_marks_of_speech(fixtures_dir: Path) -> None:
    """Pauses, a pitch in its range, and most of the energy below 4 kHz."""
    x, rate = sf.read(fixtures_dir / "pairs/clean/fan.wav")
    frames = x[: len(x) // 320 * 320].reshape(-1, 320)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    assert 0.1 < np.mean(level < level.max() - 40) < 0.5  # pauses
    loudest = x[np.argmax(level) * 320 - 320 :][:1024]
    auto = np.correlate(loudest, loudest, "full")[1023:]
    lag = np.argmax(auto[rate // 300 : rate // 60]) + rate // 300
    assert 80 < rate / lag < 160
    power = np.abs(np.fft.rfft(x)) ** 2
    assert 0.9 < np.sum(power[: len(power) // 2]) / np.sum(power) < 0.9999
