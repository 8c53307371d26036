"""A small corpus made from a seed, for the tests of training."""

from __future__ import annotations

import numpy as np
import soundfile

from cleanaudio.train.config import from_mapping
from cleanaudio.train.corpus import load
from cleanaudio.train.data import Mixer
from cleanaudio.train.loop import Trainer
from cleanaudio.train.mix import MixConfig

TINY = {
    "network": "fullband",
    "batch": 2,
    "warmup": 2,
    "options": {"channels": 16, "hidden": 8, "blocks": 1, "whole": 16},
    "loss_sizes": [512],
    "mix": {"seconds": 0.3},
}


def write_corpus(folder):
    """Write two voices (16 and 48 kHz) and two noises, with manifests; returns the folders."""
    draw = np.random.default_rng(5)
    for kind, rows in (("speech", []), ("noise", [])):
        (folder / kind).mkdir(parents=True)
        for number, rate in enumerate((16000, 48000)):
            for take in range(2):
                time = np.arange(rate) / rate
                if kind == "speech":
                    pitch = 110 * (1 + number)
                    x = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20)) * (time % 0.4 < 0.25)
                else:
                    x = draw.standard_normal(rate)
                name = f"{kind}{number}{take}.wav"
                soundfile.write(folder / kind / name, 0.1 * x, rate)
                rows.append(f"{name},{kind}{number},{kind}{number},{(7900, 20000)[number]}")
        (folder / kind / "manifest.csv").write_text("\n".join(["file,speaker,type,bandwidth_hz", *rows]) + "\n")
    return folder / "speech", folder / "noise"


def make_mixer(folder, seed=1, **mix):
    """Return a mixer over a corpus written below ``folder``."""
    if not (folder / "speech").exists():
        write_corpus(folder)
    mix = {"seconds": 0.3, **mix}
    rate = mix.get("rate", 48000)
    speech = load([folder / "speech"], folder / "cache", "speaker", True, rate)
    noise = load([folder / "noise"], folder / "cache", "type", False, rate)
    rooms = np.zeros((2, 4800), np.float32)
    rooms[:, 0], rooms[1, 1000] = 1, 0.5
    return Mixer(speech, noise, rooms, MixConfig(**mix), seed)


def train(config, mixer, run_dir, pairs=None, resume=False):
    """Run a config to its end; returns the last evaluation."""
    trainer = Trainer(config, mixer, run_dir, pairs)
    if resume:
        trainer.resume()
    return trainer.run()


def tiny_config(**changes):
    """Return a config that trains in no time."""
    return from_mapping({**TINY, **changes})
