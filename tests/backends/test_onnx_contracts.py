from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_tiny as tiny
import pytest

from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
from cleanaudio.backends import onnx_waveform
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.onnx import ONNX
from cleanaudio.errors import ModelError, RecipeError
from cleanaudio.models.catalog import FOLDER, find_deepfilternet

RATE = 16000


def opened(model: str, channels: int = 1, linked: bool = True, live: bool = False, rate: int = RATE, **options):
    setup = Setup(rate, channels, linked=linked, live=live)
    resolved = ONNX.resolve(setup, ONNX.validate(options), model)
    return resolved, ONNX.open(setup, resolved)


def clean(model: str, signal: np.ndarray, block: int = 4000, **options) -> np.ndarray:
    _, processor = opened(model, len(signal), **options)
    pieces = [processor.process(signal[:, at : at + block]) for at in range(0, signal.shape[1], block)]
    return np.concatenate([*pieces, processor.flush()], axis=1)


def swelling(frames: int, first: float = 0.0, last: float = 1.0) -> np.ndarray:
    """A tone of a tenth of the rate: frames that are tens of samples apart see it alike, but for its level."""
    return (np.linspace(first, last, frames) * np.cos(0.2 * np.pi * np.arange(frames))).astype(np.float32)


def noise(channels: int = 1, frames: int = RATE, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


@pytest.fixture(
    params=["waveform", "waveform-3d", "streamed", "frames", "frames-free", "frames-together", "frame-chunks", "dtln"]
)
def halving(request, tmp_path: Path, monkeypatch) -> str:
    """A model of each contract that halves what it hears."""
    if request.param == "frame-chunks":
        monkeypatch.setattr(onnx_waveform, "OWN_CHUNK_S", 0.1)
    if request.param == "dtln":
        first = tiny.saved(tmp_path, tiny.dtln_stage(257, 0.5, mask=True), "1.onnx")
        # Four blocks cover each sample, and blocks are added up.
        return f"{first},{tiny.saved(tmp_path, tiny.dtln_stage(512, 0.25, mask=False), '2.onnx')}"
    made = {
        "waveform": tiny.waveform,
        "waveform-3d": lambda: tiny.waveform(shape=(1, 1, "n")),
        "streamed": tiny.streamed,
        "frames": tiny.frames,
        "frames-free": lambda: tiny.frames(free=True),
        "frames-together": tiny.frames_together,
        "frame-chunks": lambda: tiny.frames_together(card={"context": "2560", "ahead": "2560"}),
    }
    return tiny.saved(tmp_path, made[request.param]())


@pytest.mark.parametrize("frames", [0, 1, 255, 256, 5001, 2 * RATE])
def test_every_contract_gives_aligned_output_of_the_same_length(halving: str, frames: int) -> None:
    signal = noise(frames=frames)
    np.testing.assert_allclose(clean(halving, signal), 0.5 * signal, atol=1e-6)


@pytest.mark.parametrize("block", [1, 77, 128, 100_000])
def test_the_cutting_into_blocks_does_not_show(halving: str, block: int) -> None:
    signal = noise(frames=900 if block == 1 else 9000)
    np.testing.assert_allclose(clean(halving, signal, block), clean(halving, signal), atol=1e-6)


def test_linked_channels_keep_their_image_and_inverted_ones_their_voice(halving: str) -> None:
    mono = noise()[0]
    panned = clean(halving, np.stack([mono, 0.3 * mono]))
    np.testing.assert_allclose(panned[1], 0.3 * panned[0], atol=1e-6)
    np.testing.assert_allclose(panned[0], 0.5 * mono, atol=1e-5)
    np.testing.assert_allclose(clean(halving, np.stack([mono, -mono])), np.stack([mono, -mono]) / 2, atol=1e-5)


def test_independent_channels(halving: str) -> None:
    both = noise(2)
    np.testing.assert_allclose(clean(halving, both, linked=False), both / 2, atol=1e-6)


def test_reset_starts_anew(halving: str) -> None:
    signal = noise()
    _, processor = opened(halving)
    first = np.concatenate([processor.process(signal), processor.flush()], axis=1)
    processor.reset()
    processor.process(signal[:, :999])
    processor.reset()
    np.testing.assert_array_equal(np.concatenate([processor.process(signal), processor.flush()], axis=1), first)


def test_no_more_than_the_latency_is_held_back(halving: str) -> None:
    resolved, processor = opened(halving, live=True)
    assert processor.latency == resolved.latency
    given = 0
    for fed in range(160, 2 * RATE, 160):
        given += processor.process(np.zeros((1, 160), np.float32)).shape[1]
        assert fed - given <= processor.latency


def test_chunks_cover_each_sample_once_even_if_the_model_sees_them_twice(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.waveform(1.0))
    signal = noise(frames=7001)
    for chunk, overlap, context in ((512, 256, 0), (512, 0, 100), (1000, 333, 50), (4800, 2400, 0)):
        out = clean(model, signal, chunk=chunk, overlap=overlap, context=context)
        np.testing.assert_allclose(out, signal, atol=1e-6)


def test_a_stream_is_delayed_by_no_more_than_its_card_says(tmp_path: Path) -> None:
    resolved, _ = opened(tiny.saved(tmp_path, tiny.streamed(delay=160, hop=80)))
    assert (resolved.rate, resolved.latency) == (16000, 240)


def test_chunks_lie_on_a_fixed_grid(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.normalising())
    signal = noise(frames=9000) + 0.2 * np.sin(np.arange(9000) / 900).astype(np.float32)
    whole = clean(model, signal, chunk=512, overlap=256, context=64)
    np.testing.assert_allclose(clean(model, signal, 77, chunk=512, overlap=256, context=64), whole, atol=1e-6)
    assert np.max(np.abs(clean(model, signal, chunk=2048) - whole)) > 1e-3


def test_the_context_is_heard_on_both_sides(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.normalising())
    signal = noise(frames=400)
    out = clean(model, signal, chunk=400, overlap=0, context=100)
    heard = np.pad(signal, ((0, 0), (100, 100)))
    np.testing.assert_allclose(out, signal - heard.mean(), atol=1e-6)


def test_live_chunks_are_32_ms_and_others_a_second(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.waveform())
    assert opened(model, live=True)[0].latency == opened(model)[0].latency == 512
    assert opened(model, live=True, model_rate=48000)[0].latency == 1536
    for live, frames in ((True, 512), (False, RATE)):
        processor = opened(model, live=live)[1]
        half = frames // 2  # the first chunk begins so much before the recording
        assert processor.process(np.zeros((1, half - 1), np.float32)).shape[1] == 0
        assert processor.process(np.zeros((1, 1 + half), np.float32)).shape[1] > 0


def test_a_model_that_hears_any_length_hears_nothing_but_the_recording(tmp_path: Path) -> None:
    card = {"rate": "1000", "context": "1600", "ahead": "800"}
    model = tiny.saved(tmp_path, tiny.normalising(card=card))
    resolved, _ = opened(model, rate=1000)
    assert resolved.latency == 400 + 200  # live: a quarter of the context, and an eighth of it behind
    short = noise(frames=5000)
    np.testing.assert_allclose(clean(model, short, rate=1000), short - short.mean(), atol=1e-6)
    long = noise(frames=30000)
    out = clean(model, long, rate=1000)
    # 8 s at a time, less the fade of 20 ms: the second chunk begins at 7960.
    heard = long[:, 7960 - 1600 : 7960 + 8000 + 800]
    np.testing.assert_allclose(out[:, 8000:15000], long[:, 8000:15000] - heard.mean(), atol=1e-6)
    np.testing.assert_allclose(clean(model, long, 77, rate=1000), out, atol=1e-6)
    assert np.abs(clean(model, long, live=True, rate=1000) - out).max() > 1e-4


def test_a_network_without_caches_hears_chunks_of_frames(tmp_path: Path) -> None:
    """As it would hear them in one piece, where a chunk with its context is the whole recording, and on a grid."""
    card = {"rate": "1000", "hop": "10", "context": "1000", "ahead": "500"}
    model = tiny.saved(tmp_path, tiny.frames_together(mean=True, bins=11, card=card))
    resolved, _ = opened(model, rate=1000)
    assert resolved.latency == 20 + 250 + 120  # in whole frames of 10
    analysis = Stft(1, window("sqrt-hann", 20), 10)
    short = noise(frames=8400) + swelling(8400, 0.2, 0.2)
    spectra = analysis.push(np.pad(short, ((0, 0), (0, 10))))
    synthesis = Istft(1, synthesis_window(window("sqrt-hann", 20), 10), 10)
    wanted = synthesis.push(spectra - spectra.mean(axis=1, keepdims=True))[:, : short.shape[1]]
    np.testing.assert_allclose(clean(model, short, rate=1000), wanted, atol=1e-5)
    long = noise(frames=40000) + swelling(40000)
    out = clean(model, long, rate=1000)
    np.testing.assert_allclose(clean(model, long, 77, rate=1000), out, atol=1e-6)
    heard = long[:, 8000 - 1000 : 16000 + 500]  # of the second chunk
    tone = swelling(heard.shape[1], 1, 1)
    level = (heard * tone).mean()  # which is how each frame of it looks in the mean over frames
    wanted = (long[:, 9000:15000] * tone[:6000]).mean() - level
    np.testing.assert_allclose((out[:, 9000:15000] * tone[:6000]).mean(), wanted, atol=2e-3)


@pytest.mark.parametrize("context", [1, 80, 256, 1000, 16000])
@pytest.mark.parametrize("live", [False, True])
def test_any_context_will_do(tmp_path: Path, context: int, live: bool) -> None:
    model = tiny.saved(tmp_path, tiny.waveform(1.0, card={"context": str(context), "ahead": "1"}))
    signal = noise(frames=3000)
    np.testing.assert_allclose(clean(model, signal, live=live), signal, atol=1e-6)


def test_context_may_be_said_beside_the_model_and_a_delay_is_none_of_it(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.frames_together(mean=True, bins=11))
    signal = noise(frames=20000) + swelling(20000)
    short, long = (clean(model, signal, rate=1000, model_rate=1000, context=context) for context in (10, 3000))
    assert np.abs(short - long).max() > 1e-2
    with pytest.raises(ModelError, match="without caches has no delay"):
        opened(model, delay=10, hop=10, model_rate=1000)


def test_caches_are_used_whatever_the_card_says_of_context(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.frames(free=True, card={"context": "1600", "ahead": "800"}))
    np.testing.assert_allclose(clean(model, noise()), 0.5 * noise(), atol=1e-6)


def test_a_model_of_fixed_size_decides_on_the_chunk(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.waveform(shape=(1, 600)))
    assert opened(model)[0].latency == 600
    assert opened(model, context=50)[0].latency == 550
    np.testing.assert_allclose(clean(model, noise(), context=50), noise() / 2, atol=1e-6)
    with pytest.raises(RecipeError, match="600 samples"):
        opened(model, chunk=500)


@pytest.mark.parametrize("options", [{"chunk": 100, "overlap": 51}, {"chunk": 1, "overlap": 1}])
def test_chunks_overlap_by_half_at_most(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="at most by half"):
        opened(tiny.saved(tmp_path, tiny.waveform()), **options)


def test_a_model_that_gives_fewer_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives 502 samples for 512") as caught:
        clean(tiny.saved(tmp_path, tiny.shortened()), noise(), chunk=512)
    assert "chunk" in caught.value.remedy


def test_caches_are_paired_by_order_where_names_do_not_tell(tmp_path: Path) -> None:
    signal = noise()
    out = clean(tiny.saved(tmp_path, tiny.summing()), signal)
    late = np.pad(signal, ((0, 0), (256, 0)))[:, : signal.shape[1]]
    # The mean of neighbouring spectra, a hop apart, under √hann windows and their overlap.
    assert 0 < np.corrcoef(out[0], signal[0])[0, 1] < 0.9
    assert np.corrcoef(out[0], late[0])[0, 1] > 0.3


def test_a_frame_model_is_told_by_its_shape_not_by_its_names(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.frames(bins=481, names=("a", "b")))
    resolved, _ = opened(model, model_rate=48000)
    assert (resolved.rate, resolved.latency) == (48000, 960)


def test_the_card_says_how_a_model_is_run(tmp_path: Path) -> None:
    card = {"rate": "48000", "contract": "stft-frames", "hop": "240", "window": "vorbis"}
    model = tiny.saved(tmp_path, tiny.frames(bins=481, card=card))
    resolved, processor = opened(model)
    assert (resolved.rate, resolved.latency) == (48000, 960)
    signal = noise(frames=9000)
    out = np.concatenate([processor.process(signal), processor.flush()], axis=1)
    np.testing.assert_allclose(out, signal / 2, atol=1e-6)
    assert opened(model, model_rate=44100)[0].rate == 44100


def test_a_model_that_is_replaced_meanwhile_is_not_run_under_its_name(tmp_path: Path) -> None:
    model, setup = tiny.saved(tmp_path, tiny.waveform(0.5)), Setup(RATE, 1)
    resolved = ONNX.resolve(setup, {}, model)
    tiny.saved(tmp_path, tiny.waveform(0.25))
    with pytest.raises(ModelError, match="was replaced while it was in use"):
        ONNX.open(setup, resolved)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_delay_of_whole_frames_is_taken_out_before_channels_are_linked(tmp_path: Path, channels: int) -> None:
    model = tiny.saved(tmp_path, tiny.frames(card={"delay": "256"}, late=1))
    signal = noise(channels)
    resolved, _ = opened(model, channels)
    assert resolved.latency == 512 + 256
    np.testing.assert_allclose(clean(model, signal), signal / 2, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_delay_of_samples_is_taken_out(tmp_path: Path, channels: int) -> None:
    nodes = [tiny.helper.make_node("Slice", ["padded", "start", "end", "axis"], ["y"])]
    nodes.insert(0, tiny.helper.make_node("Concat", ["zeros", "x"], ["padded"], axis=1))
    constants = [
        tiny.constant("zeros", np.zeros((1, 30), np.float32)),
        tiny.constant("start", np.array([0])),
        tiny.constant("end", np.array([-30])),
        tiny.constant("axis", np.array([1])),
    ]
    late = tiny.model(nodes, [tiny.tensor("x", (1, "n"))], [tiny.tensor("y", (1, "n"))], constants)
    model = tiny.saved(tmp_path, late)
    signal = np.repeat(noise(frames=5000), channels, axis=0)
    options = {"chunk": 500, "overlap": 0, "context": 100}
    np.testing.assert_allclose(clean(model, signal, delay=30, **options), signal, atol=1e-5)
    assert np.max(np.abs(clean(model, signal, **options) - signal)) > 0.03


def test_an_archive_goes_to_deepfilternet(noisy_speech) -> None:
    from cleanaudio.backends.deepfilternet import DEEPFILTERNET

    path = str(find_deepfilternet())
    resolved, _ = opened(path, rate=48000)
    assert (resolved.rate, resolved.latency) == (48000, 1920)
    signal = noisy_speech(1.0, 48000)[None]
    setup = Setup(48000, 1)
    theirs = DEEPFILTERNET.open(setup, DEEPFILTERNET.resolve(setup, {}))
    wanted = np.concatenate([theirs.process(signal), theirs.flush()], axis=1)
    np.testing.assert_allclose(clean(path, signal, 48000, rate=48000), wanted, atol=1e-5)


def test_the_recipe_holds_contents_not_paths(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, _ = opened(tiny.saved(tmp_path, tiny.waveform()))
    same, _ = opened(tiny.saved(tmp_path / "other", tiny.waveform(), "renamed.onnx"))
    other, _ = opened(tiny.saved(tmp_path, tiny.waveform(0.7), "louder.onnx"))
    assert one.hashes == same.hashes != other.hashes
    assert str(tmp_path) not in str(one.options) + str(one.hashes)


def test_a_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    signal = noise(frames=3000)
    model = tiny.saved(tmp_path, tiny.waveform(0.5))
    clean(model, signal)
    tiny.saved(tmp_path, tiny.waveform(0.25, card={"note": "another size"}))
    np.testing.assert_allclose(clean(model, signal), signal / 4, atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("name", ["gtcrn", "ulunas", "dtln"])
def test_public_models_give_what_their_loops_give(name: str, data_dir: Path) -> None:
    import importlib.util

    import soundfile

    peers = data_dir.parent / "peers"
    spec = importlib.util.spec_from_file_location("peers_engines", peers / "engines.py")
    assert spec is not None and spec.loader is not None
    engines = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engines)
    files = {
        "gtcrn": "gtcrn/gtcrn_simple.onnx",
        "ulunas": "ulunas/ulunas.onnx",
        "dtln": "dtln/model_1.onnx,dtln/model_2.onnx",
    }
    model = ",".join(str(peers / "models" / part) for part in files[name].split(","))
    path = sorted((data_dir / "dev" / "pairs-16k" / "noisy").iterdir())[0]
    signal = soundfile.read(path, dtype="float32")[0]
    signal *= 0.9 / np.max(np.abs(signal))  # loud, so that it is heard as it is
    np.testing.assert_allclose(clean(model, signal[None])[0], engines.ENGINES[name](signal, RATE), atol=1e-4)


@pytest.mark.parametrize("option", ["chunk", "overlap", "context", "hop"])
def test_sizes_have_an_end(option: str) -> None:
    with pytest.raises(RecipeError, match=f"option {option}: .* is outside"):
        ONNX.validate({option: str(10**12)})


@pytest.mark.parametrize("hop", [300, 511, 512])
def test_windows_that_hardly_overlap_are_refused(hop: int) -> None:
    with pytest.raises(ModelError, match="does not go with a window of 512") as refused:
        opened(str(FOLDER / "autoencoder.onnx"), hop=hop)
    assert "--set hop=N, up to 256" in refused.value.describe()
