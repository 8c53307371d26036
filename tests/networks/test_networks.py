import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cleanaudio.errors import RecipeError
from cleanaudio.networks import conv_tasnet, registry
from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.networks.fullband import band_weights
from cleanaudio.train import config
from cleanaudio.train.losses import EnhancementLoss

STREAMING = ("autoencoder", "fullband", "mask-lstm-streaming")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def lively(name):
    """A network whose every weight matters, ready to run."""
    network = registry.build(name)
    if "fullband" in name:
        torch.nn.init.normal_(getattr(network, "inner", network).filter.weight, std=0.1)
    return network.eval()


@pytest.mark.parametrize("name", registry.names())
def test_every_network_overfits_one_batch(name):
    network = registry.build(name)
    rate = network.rate
    time = torch.arange(rate // 2) / rate
    target = 0.1 * torch.sin(2 * torch.pi * time * torch.tensor([[300.0], [500.0]])) * (time % 0.2 < 0.1)
    noisy = target + 0.05 * torch.randn(target.shape)
    loss_of = EnhancementLoss(rate, (512,), config.TrainConfig(name))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss, _ = loss_of(network.enhance(noisy), target, noisy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < losses[0] / 2:
            break
    assert losses[-1] < losses[0] / 2
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("samples", [1, 777, 16001])
def test_length_and_batch_are_kept(name, samples):
    network = lively(name)
    noisy = 0.1 * torch.randn(2, samples)
    with torch.no_grad():
        both = network.enhance(noisy)
        alone = network.enhance(noisy[1:])
    assert both.shape == noisy.shape
    assert torch.allclose(both[1:], alone, atol=1e-5)


@pytest.mark.parametrize("name", STREAMING)
def test_frame_by_frame_is_the_same_as_all_at_once(name):
    network = lively(name)
    spectra = 0.3 * torch.randn(1, network.size // 2 + 1, 23, 2)
    with torch.no_grad():
        whole = network(spectra, *network.start())[0]
        states, pieces = network.start(), []
        for piece in spectra.split([1, 4, 2, 1, 15], dim=2):
            enhanced, *states = network(piece, *states)
            pieces.append(enhanced)
    assert torch.allclose(torch.cat(pieces, dim=2), whole, atol=1e-5)
    assert [state.shape for state in states] == [state.shape for state in network.start()]


@pytest.mark.parametrize("name", STREAMING)
def test_nothing_is_known_of_the_future_beyond_the_look_ahead(name):
    network = lively(name)
    noisy = 0.1 * torch.randn(1, network.rate)
    change = network.rate // 2
    other = noisy.clone()
    other[:, change:] = 0.1 * torch.randn(1, network.rate - change)
    with torch.no_grad():
        difference = (network.enhance(noisy) - network.enhance(other))[0].abs().numpy()
    latency = network.size + network.delay
    assert difference[: change - latency].max() == 0
    assert difference[change:].max() > 1e-4
    assert latency / network.rate <= 0.032


def test_the_offline_network_begins_as_the_causal_one_and_hears_the_future():
    causal, offline = lively("fullband"), registry.build("fullband-offline").eval()
    offline.load_state_dict(offline.adopted(causal.state_dict()))
    noisy = 0.1 * torch.randn(2, 48000)
    with torch.no_grad():
        assert torch.allclose(offline.enhance(noisy), causal.enhance(noisy), atol=1e-5)
    own = offline.state_dict()
    assert offline.adopted(own).keys() == own.keys()
    for name, weights in own.items():
        if "after_" in name:
            torch.nn.init.normal_(weights, std=0.1)
    other = noisy.clone()
    other[:, 30000:] = 0
    with torch.no_grad():
        assert (offline.enhance(noisy) - offline.enhance(other))[:, 20000:28000].abs().max() > 1e-4


def test_causal_conv_tasnet_does_not_look_ahead():
    network = lively("conv-tasnet")
    noisy = 0.1 * torch.randn(1, 8000)
    other = noisy.clone()
    other[:, 4000:] = 0
    with torch.no_grad():
        difference = (network.enhance(noisy) - network.enhance(other))[0].abs().numpy()
    latency = network.hop + network.delay
    assert difference[: 4000 - latency].max() < 1e-6
    assert difference[4000 - network.delay :].max() > 1e-4
    assert latency / network.rate <= 0.02


def test_causal_conv_tasnet_in_pieces_is_the_same_as_all_at_once():
    network = lively("conv-tasnet")
    noisy = 0.1 * torch.randn(2, 40 * network.hop)
    with torch.no_grad():
        whole = network(noisy, *network.start(2))[0]
        states, pieces = network.start(2), []
        for piece in noisy.split([network.hop * strides for strides in (1, 30, 2, 7)], dim=1):
            clean, *states = network(piece, *states)
            pieces.append(clean)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    assert [state.shape for state in states] == [state.shape for state in network.start(2)]


def test_causal_conv_tasnet_cleans_long_signals_piece_by_piece(monkeypatch):
    network = lively("conv-tasnet")
    noisy = 0.1 * torch.randn(2, 40 * network.hop + 77)
    with torch.no_grad():
        whole = network.enhance(noisy)
        monkeypatch.setattr(conv_tasnet, "PIECE", 7)
        assert torch.allclose(network.enhance(noisy), whole, atol=1e-5)


def test_lists_will_do_where_tuples_are_wanted():
    network = registry.build("autoencoder", {"channels": [8, 16, 24], "strides": [4, 2, 2], "dilations": [1, 2]})
    assert network.config.strides == (4, 2, 2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("autoencoder", {"strides": [4, 2]}, "do not go together"),
        ("autoencoder", {"strides": [4, 2, 3, 2]}, "do not go together"),
        ("conv-tasnet", {"filters": 512}, "no Fourier transform"),
        ("conv-tasnet", {"hidden": -1}, "conv-tasnet cannot have these sizes"),
        ("fullband", {"taps": 2}, "do not go together"),
        ("fullband", {"low": 95}, "do not go together"),
        ("mask-lstm", {"hidden": 0}, "mask-lstm cannot have these sizes"),
    ],
)
def test_sizes_that_cannot_be_are_refused(name, options, message):
    with pytest.raises(RecipeError, match=message):
        registry.build(name, options)


@pytest.mark.parametrize("name", ["mask-lstm", "mask-lstm-streaming", "autoencoder", "conv-tasnet"])
def test_an_exponent_below_one_takes_less_away(name):
    noisy = 0.1 * torch.randn(1, 4000)
    energies = []
    for exponent in (0.5, 1.0, 2.0):
        torch.manual_seed(0)
        network = registry.build(name, {"exponent": exponent}).eval()
        with torch.no_grad():
            energies.append(network.enhance(noisy).square().sum().item())
    assert energies[0] > energies[1] > energies[2] > 0


def test_a_mask_to_a_power_is_that():
    network = lively("mask-lstm")
    other = registry.build("mask-lstm", {"exponent": 0.5}).eval()
    other.load_state_dict(network.state_dict())
    noisy = 0.1 * torch.randn(1, 4000)
    with torch.no_grad():
        assert torch.allclose(other.mask(noisy), network.mask(noisy).sqrt(), atol=1e-6)


@pytest.mark.parametrize("stride", [0, 100])
def test_frames_of_conv_tasnet_must_meet(stride):
    with pytest.raises(RecipeError, match=f"no multiple of a stride of {stride}"):
        registry.build("conv-tasnet", {"stride": stride})


def test_conv_tasnet_has_the_size_of_the_paper():
    # Luo & Mesgarani (2019), table II: 5.1 million parameters for two talkers, who need 65 thousand more for masks.
    network = registry.build("conv-tasnet", config.read(config.shipped()["conv-tasnet-full"]).options)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert 4.9e6 < count < 5.15e6


def test_fourier_filters_give_the_signal_back():
    network = conv_tasnet.ConvTasNet()
    for parameter in network.masks[1].parameters():
        torch.nn.init.zeros_(parameter)
    noisy = torch.randn(2, 1000)
    with torch.no_grad():
        assert torch.allclose(2 * network.enhance(noisy), noisy, atol=1e-5)


def test_cumulative_norm_is_the_mean_and_deviation_so_far():
    x, counts, memory = torch.randn(1, 5, 40), torch.rand(1, 40, 1), 20.0
    norm = conv_tasnet.CumulativeNorm(5)
    halves, before, heard = [], torch.zeros(1, 2, 1), torch.zeros(1, 1, 1)
    for half, count in zip(x.split([13, 27], dim=2), counts.split([13, 27], dim=1), strict=True):
        fading = conv_tasnet.Fading(count, memory, heard)
        out, before = norm(half, fading, before)
        halves.append(out)
        heard = fading.heard
    ours = torch.cat(halves, dim=2).detach().numpy()[0]
    for frame in (1, 7, 12, 13, 39):
        past = x[0, :, : frame + 1].numpy()
        weights = np.exp(-np.arange(frame, -1, -1) / memory) * counts[0, : frame + 1, 0].numpy()
        mean = np.average(past.mean(0), weights=weights)
        power = np.average((past**2).mean(0), weights=weights)
        assert np.allclose(ours[:, frame], (past[:, -1] - mean) / (power - mean**2) ** 0.5, atol=1e-3)


def test_fullband_stays_within_its_multiplications():
    network = lively("fullband")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 481, 100, 2), *network.start())
    assert 100e6 < counter.get_total_flops() / 2 < 400e6


def test_bands_share_each_bin_and_miss_none():
    weights = band_weights(96, 32)
    assert torch.allclose(weights.sum(0), torch.ones(385), atol=1e-5)
    assert (weights.sum(1) > 0).all()


@pytest.mark.parametrize("name", registry.names())
def test_silence_stays_silent(name):
    network = lively(name)
    with torch.no_grad():
        out = network.enhance(torch.zeros(1, network.rate // 2))
    assert out.isfinite().all() and out.abs().max() < 1e-6


def test_the_streaming_mask_keeps_its_running_statistics_in_half_precision_too():
    network = lively("mask-lstm-streaming")
    noise = 0.1 * torch.randn(1, 257, 500, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = network(noise, *network.start(1))[1]
        # oneDNN has LSTMs of such numbers for some processors only
        with torch.autocast("cpu", torch.bfloat16), torch.backends.mkldnn.flags(enabled=False):
            rough = network(noise, *network.start(1))[1]
    torch.testing.assert_close(rough, exact, rtol=1e-3, atol=1e-4)


def test_level_hardly_changes_what_the_streaming_mask_does():
    network = lively("mask-lstm-streaming")
    noisy = 0.1 * torch.randn(1, 16000)
    assert isinstance(network, FrameNetwork)
    with torch.no_grad():
        loud, quiet = network.mask(noisy)[:, 20:], network.mask(0.3 * noisy)[:, 20:]
    assert (loud - quiet).abs().max() < 0.02


def test_unknown_networks_and_options_are_refused():
    with pytest.raises(RecipeError, match="no network 'resnet'"):
        registry.build("resnet")
    with pytest.raises(RecipeError, match="chanels"):
        registry.build("fullband", {"chanels": 3})
