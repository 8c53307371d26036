import numpy as np
import pytest
import torch

from cleanaudio.audio.stft import window
from cleanaudio.networks.spectrum import Spectrum
from cleanaudio.train.config import TrainConfig
from cleanaudio.train.losses import EnhancementLoss, FrameLoss, compressed, ideal_mask, level_error, si_snr

CONFIG = TrainConfig("fullband")
WITH_LISTENER = TrainConfig("fullband", disturbance_weight=0.02, intelligibility_weight=0.1)


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _si_snr(estimate, target, **options):
    return si_snr(estimate.square().sum(1), target.square().sum(1), (estimate * target).sum(1), **options)


def test_si_snr_is_that_of_the_formula_and_knows_no_scale():
    target, error = noise(1, 8000), noise(1, 8000, seed=2)
    s, e = target[0].double().numpy(), (target + 0.3 * error)[0].double().numpy()
    along = (e @ s) / (s @ s) * s
    expected = 10 * np.log10((along @ along) / np.sum((e - along) ** 2))
    for scale in (0.3, 1.0, 7.0):
        assert _si_snr(scale * (target + 0.3 * error), target, floor=0).item() == pytest.approx(expected, abs=0.02)


def test_a_perfect_estimate_is_30_db():
    target = noise(2, 8000)
    assert _si_snr(target, target).tolist() == pytest.approx([30, 30], abs=0.1)


def test_compressed_error_is_zero_for_the_same_and_symmetric():
    a = torch.view_as_complex(noise(2, 10, 20, 2))
    b = torch.view_as_complex(noise(2, 10, 20, 2, seed=2))
    assert sum(compressed(a, a)) == 0
    assert torch.allclose(torch.stack(compressed(a, b)), torch.stack(compressed(b, a)))
    magnitude, parts = compressed(a, -a)
    assert magnitude < 1e-9 and parts > 1


@pytest.mark.parametrize("target_level", [0.0, 1e-6, 0.1])
@pytest.mark.parametrize("estimate_level", [0.0, 1e-6, 0.1])
def test_gradients_are_finite_also_on_silence(target_level, estimate_level):
    estimate = (estimate_level * noise(2, 9600)).requires_grad_()
    target = target_level * noise(2, 9600, seed=2)
    loss, parts = EnhancementLoss(48000, (512, 2048), WITH_LISTENER)(estimate, target, target)
    loss.backward()
    assert loss.isfinite() and all(part.isfinite() for part in parts.values())
    assert estimate.grad.isfinite().all()


def test_less_noise_is_less_loss():
    target, error = 0.1 * noise(2, 9600), 0.1 * noise(2, 9600, seed=2)
    loss = EnhancementLoss(48000, (512,), CONFIG)
    values = [loss(target + share * error, target, target + error)[0].item() for share in (0, 0.1, 0.5, 1)]
    assert values == sorted(values)


def test_ideal_masks():
    target = torch.tensor([1 + 0j, 0 + 0j, 1 + 0j, 1 + 0j])
    noisy = target + torch.tensor([1 + 0j, 1 + 0j, 0 + 0j, -2 + 0j])
    assert torch.allclose(ideal_mask("irm", target, noisy), torch.tensor([0.5**0.5, 0, 1, 0.2**0.5]), atol=1e-5)
    assert ideal_mask("ibm", target, noisy).tolist() == [0, 0, 1, 0]
    assert torch.allclose(ideal_mask("psm", target, noisy), torch.tensor([0.5, 0, 1, 0]), atol=1e-5)


def test_the_loss_on_frames_is_that_on_signals_up_to_the_window():
    torch.manual_seed(0)
    spectrum = Spectrum(torch.from_numpy(window("vorbis", 960)), 480)
    target = 0.1 * torch.randn(2, 48000)
    noisy, estimate = (target + share * torch.randn(2, 48000) for share in (0.1, 0.03))
    everywhere = torch.tensor([24000.0, 24000.0])
    of_frames, parts = FrameLoss(48000, 960, WITH_LISTENER)(*map(spectrum, (estimate, target, noisy)), everywhere)
    of_signals, same = EnhancementLoss(48000, (960,), WITH_LISTENER)(estimate, target, noisy)
    assert parts["disturbance"] == pytest.approx(same["disturbance"].item(), abs=0.25)
    assert parts["intelligibility"] == pytest.approx(same["intelligibility"].item(), abs=0.02)
    assert parts["si_snr_db"] == pytest.approx(same["si_snr_db"].item(), abs=0.1)
    assert parts["spectral"] == pytest.approx(same["spectral"].item(), rel=0.1)
    assert of_frames == pytest.approx(of_signals.item(), abs=0.01)


def test_a_voice_that_came_out_softer_or_louder_costs_its_decibels():
    target = noise(3, 8000)
    target[2] = 0
    energy = target.square().sum(1)
    for scale, decibels in ((0.5, 6.02), (1.0, 0.0), (2.0, 6.02)):
        wrong = level_error(energy, scale * energy)
        assert wrong.tolist() == pytest.approx([decibels, decibels, 0.0], abs=0.01)
    spectrum = Spectrum(torch.from_numpy(window("vorbis", 960)), 480)
    band = torch.full((3,), 24000.0)
    for loss in (
        EnhancementLoss(48000, (512,), CONFIG),
        lambda *x: FrameLoss(48000, 960, CONFIG)(*map(spectrum, x), band),
    ):
        _, parts = loss(0.5 * target[:, :4800], target[:, :4800], target[:, :4800])
        assert parts["level_db"].item() == pytest.approx(2 / 3 * 6.02, abs=0.01)


def test_what_lies_above_the_bandwidth_does_not_count_on_frames():
    spectrum = Spectrum(torch.from_numpy(window("vorbis", 960)), 480)
    target = 0.1 * torch.sin(torch.arange(4800) / 10)[None].repeat(2, 1)
    band = torch.tensor([8000.0, 24000.0])
    loss = FrameLoss(48000, 960, CONFIG)
    clean = spectrum(target)
    hissing = clean.clone()
    hissing[..., 200:] += 0.1
    (a, _), (b, _) = (loss(s[:1], clean[:1], clean[:1], band[:1]) for s in (clean, hissing))
    assert a == pytest.approx(b.item(), abs=1e-4)
    (a, _), (b, _) = (loss(s[1:], clean[1:], clean[1:], band[1:]) for s in (clean, hissing))
    assert b > a + 0.05
