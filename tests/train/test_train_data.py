import json

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from scipy.signal import welch
from train_material import make_mixer, write_corpus

from cleanaudio.errors import InputError
from cleanaudio.train import about, augment, corpus, rooms, synthetic
from cleanaudio.train.corpus import load, scan, swapped

PLAIN = {
    "room_share": 0.0, "equaliser_share": 0.0, "low_pass_share": 0.0, "clip_share": 0.0, "clean_share": 0.0,
    "noise_share": 0.0, "silent_share": 0.0, "formant_share": 0.0,
}  # fmt: skip


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_manifests_of_both_forms_and_plain_folders_are_read(tmp_path):
    speech, _ = write_corpus(tmp_path)
    assert [clip.bandwidth_hz for clip in scan(speech, "speaker")] == [7900, 7900, 20000, 20000]
    nemo = tmp_path / "nemo.jsonl"
    nemo.write_text(json.dumps({"audio_filepath": "speech/speech00.wav", "duration": 1.0, "speaker": "a"}) + "\n")
    (clip,) = scan(nemo, "speaker")
    assert clip.group == "a" and clip.path.exists()
    (speech / "manifest.csv").unlink()
    assert [clip.group for clip in scan(speech, "speaker")] == ["speech"] * 4


def test_json_beside_recordings_is_no_manifest(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "manifest.csv").unlink()
    (speech / "speech00.wav.json").write_text('{\n "angle": 30\n}\n')
    assert len(scan(speech, "speaker")) == 4
    for name in ("train_manifest.json", "nemo.jsonl"):
        (speech / name).write_text(json.dumps({"audio_filepath": "speech00.wav"}) + "\n")
        assert [clip.path.name for clip in scan(speech, "speaker")] == ["speech00.wav"]
        (speech / name).unlink()


def test_names_that_are_no_utf_8_are_read_and_told(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "manifest.csv").unlink()
    try:
        voices = speech.rename(tmp_path / "v\udcff")
    except OSError:
        pytest.skip("this file system has no such names")
    assert load([voices], tmp_path / "cache", "speaker", True).tracks[0].group == "v\udcff"
    about.write(tmp_path / "run", {"speech": [voices]})
    assert about.read(tmp_path / "run")["data"] == ["speech: not stated: recordings: 4, from v\udcff"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no recordings"):
        scan(tmp_path, "speaker")


def test_a_manifest_of_something_else_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("name,size\na,1\n")
    with pytest.raises(InputError, match="not a manifest") as caught:
        scan(tmp_path, "speaker")
    assert "audio_filepath" in caught.value.remedy


def nemo(folder, *parts):
    """Write a manifest with a line for each part of speech11.wav."""
    lines = [{"audio_filepath": "speech/speech11.wav", "speaker": "a", **part} for part in parts]
    (folder / "nemo.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "nemo.jsonl"


def test_the_parts_that_a_manifest_names_are_cut_out(tmp_path):
    speech, _ = write_corpus(tmp_path)
    whole, rate = soundfile.read(speech / "speech11.wav", dtype="int16")

    def heard(*parts):
        return load([nemo(tmp_path, *parts)], tmp_path / "cache", "speaker", True).samples

    second, first = {"offset": 0.5, "duration": 0.25}, {"offset": 0.0, "duration": 0.125}
    expected = np.concatenate([whole[: rate // 8], whole[rate // 2 : 3 * rate // 4]])
    np.testing.assert_array_equal(heard(second, first), expected)
    np.testing.assert_array_equal(heard({"offset": 0.4}), whole[round(0.4 * rate) :])
    np.testing.assert_array_equal(heard({"duration": 0.4}), whole[: round(0.4 * rate)])
    np.testing.assert_array_equal(heard({"offset": None, "duration": 1e300}), whole)
    with pytest.raises(InputError, match="none of the recordings"):
        heard({"offset": 2.0, "duration": 1.0})


@pytest.mark.parametrize(
    "part", [{"offset": -1}, {"offset": "now"}, {"duration": -0.5}, {"duration": [1]}, {"offset": 10**400}]
)
def test_a_part_that_cannot_be_makes_no_manifest(tmp_path, part):
    with pytest.raises(InputError, match="not a manifest"):
        scan(nemo(tmp_path, part), "speaker")


def test_one_broken_file_is_skipped_counted_and_named(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "speech00.wav").write_bytes(b"RIFF nonsense")
    said = []
    corpus = load([speech], tmp_path / "cache", "speaker", True, log=said.append)
    assert len(corpus.skipped) == 1 and "speech00.wav" in corpus.skipped[0]
    assert "1 of 4" in said[0] and "b'" not in said[0]
    assert corpus.seconds == pytest.approx(3.0)


def test_nothing_but_broken_files_is_an_error(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no")
    with pytest.raises(InputError, match="none of the recordings") as caught:
        load([tmp_path], tmp_path / "cache", "speaker", True)
    assert "not silent" in caught.value.remedy


def test_the_cache_holds_the_samples_and_is_used_again(tmp_path):
    speech, _ = write_corpus(tmp_path)
    voices = load([speech], tmp_path / "cache", "speaker", True)
    assert [track.rate for track in voices.tracks] == [16000, 48000]  # the takes of a voice are joined
    first, _ = soundfile.read(speech / "speech00.wav", dtype="int16")
    assert np.array_equal(voices.samples[: len(first)], first)
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir())
    load([speech], tmp_path / "cache", "speaker", True)
    assert before == sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir())


def test_what_was_recorded_anew_is_read_anew(tmp_path):
    speech, _ = write_corpus(tmp_path)
    load([speech], tmp_path / "cache", "speaker", True)
    first, rate = soundfile.read(speech / "speech00.wav", dtype="int16")
    soundfile.write(speech / "speech00.wav", first // 2, rate)
    again = load([speech], tmp_path / "cache", "speaker", True)
    assert np.array_equal(again.samples[: len(first)], first // 2)


def test_two_runs_may_read_the_same_recordings_at_once(tmp_path, monkeypatch):
    speech, _ = write_corpus(tmp_path)
    read, pids, others = corpus._read, iter(range(1, 10)), []

    def interrupted(clip, most_rate):
        if not others and clip.path.name == "speech11.wav":  # by which time much has been written
            others.append(None)
            others.append(load([speech], tmp_path / "cache", "speaker", True))
        return read(clip, most_rate)

    monkeypatch.setattr(corpus, "_read", interrupted)
    monkeypatch.setattr(corpus.os, "getpid", lambda: next(pids))
    first, second = load([speech], tmp_path / "cache", "speaker", True), others[1]
    assert np.array_equal(first.samples, second.samples) and first.tracks == second.tracks
    assert len(first.samples) == 2 * 16000 + 2 * 48000
    assert all(first.samples[track.start : track.start + track.length].any() for track in first.tracks)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_silent_first_channel_is_no_voice(tmp_path):
    draw = np.random.default_rng(1).standard_normal(16000)
    soundfile.write(tmp_path / "right.wav", 0.1 * np.stack([0 * draw, draw], 1), 16000)
    soundfile.write(tmp_path / "both.wav", 0.1 * np.stack([draw, draw], 1), 16000)
    found = load([tmp_path], tmp_path / "cache", "speaker", True)
    assert len(found.tracks) == 1 and ["right.wav: empty or silent" in text for text in found.skipped] == [True]


def test_swapped_folders_are_noticed(tmp_path):
    speech, noise = write_corpus(tmp_path)
    voices = load([speech], tmp_path / "cache", "speaker", True)
    noises = load([noise], tmp_path / "cache", "type", False)
    assert swapped(noises, voices) and not swapped(voices, noises)


def test_a_lower_rate_is_reached_without_aliases(tmp_path):
    time = np.arange(48000) / 48000
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 12000 * time), 48000)
    tones = load([tmp_path], tmp_path / "cache", "type", False, most_rate=16000)
    assert tones.tracks[0].rate == 16000
    assert np.abs(tones.samples[500:-500]).max() < 30  # of 16384


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
