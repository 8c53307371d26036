import json

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from scipy.signal import welch
from train_material import make_mixer

from cleanaudio.train import augment, rooms, synthetic

PLAIN = {
    "room_share": 0.0, "equaliser_share": 0.0, "low_pass_share": 0.0, "clip_share": 0.0, "clean_share": 0.0,
    "noise_share": 0.0, "silent_share": 0.0, "formant_share": 0.0,
}  # fmt: skip


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_excerpts_are_slices_at_speed_one_and_wrap_round():
    flat = torch.arange(-500, 500, dtype=torch.int16)
    ones = torch.tensor([1.0], dtype=torch.float64)
    out = augment.excerpts(flat, torch.tensor([100]), torch.tensor([50]), torch.tensor([45]), ones, 20)
    expected = np.concatenate([np.arange(145, 150), np.arange(100, 115)]) - 500
    assert np.allclose(out[0] * 32768, expected)


def test_excerpts_are_resampled_without_images_or_aliases():
    rng = np.random.default_rng(0)
    soft = scipy.signal.firwin(101, 0.3)
    flat = torch.from_numpy(np.convolve(rng.integers(-9000, 9000, 60000), soft).astype(np.int16))
    place = [torch.tensor([value]) for value in (1000, 48000, 0)]
    for step, taken in ((1 / 3, 4000), (0.75, 9000), (1.25, 15000)):
        out = augment.excerpts(flat, *place, torch.tensor([step], dtype=torch.float64), 12000)[0].numpy()
        expected = scipy.signal.resample(flat[1000 : 1000 + taken].numpy() / 32768, 12000)
        assert np.abs(out - expected).max() < 1e-5


def test_a_batch_depends_on_seed_and_step_alone(tmp_path):
    a, b = make_mixer(tmp_path).batch(7, 4), make_mixer(tmp_path).batch(7, 4)
    assert torch.equal(a.noisy, b.noisy) and torch.equal(a.target, b.target)
    assert not torch.equal(a.noisy, make_mixer(tmp_path).batch(8, 4).noisy)
    assert not torch.equal(a.noisy, make_mixer(tmp_path, seed=2).batch(7, 4).noisy)


def test_a_stock_is_mixed_several_times_and_every_voice_as_often_as_any_other(tmp_path):
    mixer = make_mixer(tmp_path, **PLAIN, stock=2, remix=3, speech_dbfs=(-30.0, -30.0))
    batches = [mixer.batch(step, 3) for step in range(12)]
    targets = [target.numpy().round(4).tobytes() for batch in batches for target in batch.target]
    assert len(set(targets[:18])) == 6 and all(targets[:18].count(target) == 3 for target in targets[:18])
    assert not set(targets[:18]) & set(targets[18:])
    noisy = {noisy.numpy().tobytes() for batch in batches for noisy in batch.noisy}
    assert len(noisy) == 36


def test_batches_are_finite_and_within_full_scale(tmp_path):
    mixer = make_mixer(tmp_path)
    for step in range(12):
        batch = mixer.batch(step, 6)
        for signal in (batch.noisy, batch.target):
            assert signal.shape == (6, 14400) and signal.isfinite().all() and signal.abs().max() <= 1


def test_speech_level_and_snr_are_what_was_asked_for(tmp_path):
    mixer = make_mixer(tmp_path, **PLAIN, snr_db=(10.0, 10.0), speech_dbfs=(-30.0, -30.0), seconds=0.8)
    batch = mixer.batch(0, 16)
    level = 20 * torch.log10(augment.active_level(batch.target, 48000))
    noise = 10 * torch.log10((batch.noisy - batch.target).square().mean(1))
    assert torch.allclose(level[:, 0], torch.tensor(-30.0), atol=0.1)
    assert torch.allclose(noise, torch.tensor(-40.0), atol=0.1)


def test_clean_noise_only_and_silent_examples(tmp_path):
    clean = make_mixer(tmp_path, **{**PLAIN, "clean_share": 1.0}).batch(0, 4)
    assert torch.equal(clean.noisy, clean.target) and clean.target.abs().max() > 0.01
    noise = make_mixer(tmp_path, **{**PLAIN, "noise_share": 1.0}).batch(0, 4)
    assert not noise.target.any() and noise.noisy.abs().amax(1).min() > 1e-4
    silent = make_mixer(tmp_path, **{**PLAIN, "silent_share": 1.0}).batch(0, 4)
    assert not silent.noisy.any() and not silent.target.any()


def test_nothing_of_a_voice_reaches_beyond_its_bandwidth(tmp_path):
    batch = make_mixer(tmp_path, **{**PLAIN, "clean_share": 1.0}, wide_share=0.5, seconds=1.0).batch(0, 12)
    assert {bool(band > 10000) for band in batch.bandwidth_hz} == {True, False}
    for signal, band in zip(batch.target, batch.bandwidth_hz, strict=True):
        power = torch.fft.rfft(signal).abs().square()
        frequency = torch.fft.rfftfreq(len(signal), 1 / 48000)
        assert power[frequency > band + 50].sum() < 1e-9 * power.sum()


def test_the_target_keeps_the_room_unless_it_is_to_be_early(tmp_path):
    choice = {**PLAIN, "room_share": 1.0, "clean_share": 1.0, "rate": 16000}
    kept = make_mixer(tmp_path, **choice).batch(0, 6)
    assert torch.equal(kept.noisy, kept.target)
    early = make_mixer(tmp_path, **choice, target="early").batch(0, 6)
    assert (early.noisy - early.target).abs().max() > 0.01


def test_formants_move_and_the_pitch_stays():
    rate, time = 16000, np.arange(32000) / 16000
    harmonics = np.arange(1, 50) * 120.0
    strength = np.exp(-(((harmonics - 1500) / 300) ** 2)) + 1e-3
    voice = np.sum(strength[:, None] * np.sin(2 * np.pi * harmonics[:, None] * time), axis=0)
    moved = augment.shift_formants(torch.from_numpy(voice[None]).float(), torch.tensor([1.15]), rate)[0].numpy()
    frequency, power = welch(moved, rate, nperseg=4096)
    centre = np.sum(frequency * power) / np.sum(power)
    assert 1600 < centre < 1850
    peak = frequency[np.argmax(power)]
    assert abs(peak / 120 - round(peak / 120)) < 0.05


def test_simulated_rooms_begin_with_the_direct_sound_and_decay():
    for seed in range(5):
        response = rooms.shoebox(np.random.default_rng(seed), 16000, 1.0)
        energy = np.cumsum(response[::-1] ** 2)[::-1]
        assert energy[0] == pytest.approx(1, abs=1e-3)
        assert response[0] > 0 and energy[8000] < 0.1 * energy[0]


def test_the_bank_holds_measured_and_simulated_rooms(tmp_path):
    soundfile.write(tmp_path / "room.flac", np.eye(1, 8000, 800)[0].repeat(2).reshape(-1, 2) * 0.5, 16000)
    bank = rooms.bank([tmp_path], 48000, 0.5, simulated=8, seed=1)
    assert bank.shape == (2 * 2 + 8, 24000)
    assert np.argmax(np.abs(bank[0])) <= 50


def test_the_part_of_a_room_response_that_a_manifest_names_is_taken(tmp_path):
    soundfile.write(tmp_path / "rooms.wav", np.concatenate([np.zeros(16000), np.eye(1, 16000, 100)[0]]), 16000)
    for line in ({}, {"offset": 1.0, "duration": 0.0}):
        (tmp_path / "rooms.jsonl").write_text(json.dumps({"audio_filepath": "rooms.wav", "duration": 1.0} | line))
        assert rooms.measured([tmp_path], 16000, 0.5) == []
    (tmp_path / "rooms.jsonl").write_text(json.dumps({"audio_filepath": "rooms.wav", "offset": 1.0}))
    assert len(rooms.measured([tmp_path], 16000, 0.5)) == 1


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_made_noises_are_finite_lively_and_repeatable(kind):
    noise = kind(generator(), 3, 16000, 16000)
    assert noise.shape == (3, 16000) and noise.isfinite().all()
    assert (noise.std(1) > 0).all()
    assert torch.equal(noise, kind(generator(), 3, 16000, 16000))


def test_hum_stands_on_multiples_of_the_mains():
    noise = synthetic.hum(generator(3), 1, 64000, 16000)[0].numpy()
    frequency, power = welch(noise, 16000, nperseg=16000)
    mains = min((50, 60), key=lambda f: -power[np.isclose(frequency % f, 0, atol=1.5)].sum())
    near = np.minimum(frequency % mains, mains - frequency % mains) < 4
    assert power[near & (frequency < 1300)].sum() > 0.9 * power.sum()


def test_soft_and_hard_clipping_stay_below_the_threshold():
    x = torch.linspace(-1, 1, 101)[None].repeat(2, 1)
    out = augment.clip_softly(x, torch.tensor([[0.3], [0.3]]), torch.tensor([[True], [False]]))
    assert out.abs().max() <= 0.3 + 1e-6
    assert torch.allclose(out[0, 40:60], x[0, 40:60])
