"""The promises of every beamforming stream: length, alignment, level, determinism, and what is odd coming in."""

import numpy as np
import pytest

from cleanaudio.audio.processor import Series
from cleanaudio.audio.stft import Stft, window
from cleanaudio.batch.masking import Masking
from cleanaudio.errors import CleanAudioError
from cleanaudio.spatial.adaptive import MaskBeamformer, NoiseStretch, beamforming_stft
from cleanaudio.spatial.blind import BlindDelayAndSum, delay_stft
from cleanaudio.spatial.fixed import fixed_beamformer
from cleanaudio.spatial.geometry import Direction, circular, steering
from cleanaudio.spatial.masks import ActivityMask, EnhancerMask
from cleanaudio.spatial.stream import frame_count

GEOMETRY = circular(4, 0.05)
SIZE, HOP = beamforming_stft(16000)


def _masked(**options):
    def make(channels=4, reference=1):
        masks = ActivityMask(16000, channels, SIZE, HOP)
        return MaskBeamformer(16000, channels, masks, reference=reference, **options)

    return make


def _capon(channels=4, reference=1):
    hertz = np.arange(SIZE // 2 + 1) * 16000 / SIZE
    look = steering(GEOMETRY.delays(Direction(60).unit, 343.0, reference), hertz)
    return MaskBeamformer(16000, 4, ActivityMask(16000, 4, SIZE, HOP), reference=reference, steering=look)


def _stretch(channels=4, reference=1):
    rng = np.random.default_rng(9)
    stretch = NoiseStretch(16000, channels, 0, 1, 1)
    stretch.push(0.001 * rng.standard_normal((channels, 16000)).astype(np.float32))
    return MaskBeamformer(16000, channels, noise=stretch.mean(), reference=reference)


METHODS = {
    "delay-and-sum": lambda channels=4, reference=1: fixed_beamformer(
        "delay-and-sum", 16000, channels, GEOMETRY, Direction(60), 343.0, reference
    ),
    "superdirective": lambda channels=4, reference=1: fixed_beamformer(
        "superdirective", 16000, channels, GEOMETRY, Direction(60), 343.0, reference
    ),
    "blind": lambda channels=4, reference=1: BlindDelayAndSum(16000, channels, reference),
    "mvdr": _masked(block_s=1.5),
    "mvdr without clustering": _masked(clustering=0, block_s=1.5),
    "mvdr rank 1": _masked(rank1=True, block_s=1.5),
    "mvdr towards": _capon,
    "mvdr noise stretch": _stretch,
    "gev": _masked(method="gev", block_s=1.5),
    "mwf": _masked(method="mwf", mu=1.0, block_s=1.5),
}
KNOWN = {"delay-and-sum", "superdirective", "mvdr towards"}
every = pytest.mark.parametrize("method", METHODS)


@every
def test_length_and_blocks(method, scene, run):
    signal = scene["mixture"][:, : 3 * 16000 + 123]
    stream = METHODS[method]()
    whole = run(stream, signal, signal.shape[1])
    assert whole.shape == (1, signal.shape[1]) and whole.dtype == np.float32
    assert stream.latency > 0
    stream.reset()
    np.testing.assert_allclose(run(stream, signal, 1013), whole, atol=1e-5)


@every
def test_a_lone_source_keeps_level_and_place(method, wave, speech_like, run, sdr):
    signal = wave(GEOMETRY, 60, speech_like(4.0, 16000, 7))
    for reference in (0, 2):
        out = run(METHODS[method](reference=reference), signal)[0]
        heard = signal[reference]
        level = 10 * np.log10(np.mean(out**2) / np.mean(heard**2))
        assert abs(level) < 0.5
        lag = np.argmax(np.correlate(out[20000:36000], heard[20100:35900], "valid")) - 100
        assert lag == 0
        assert sdr(heard, out) > 15


@every
def test_silence_gives_silence(method, run):
    out = run(METHODS[method](), np.zeros((4, 40000), np.float32))
    assert out.shape == (1, 40000) and not out.any()


@every
@pytest.mark.parametrize("frames", [0, 1, 100, 1500])
def test_clips_shorter_than_a_block(method, frames, scene, run):
    out = run(METHODS[method](), scene["mixture"][:, 20000 : 20000 + frames])
    assert out.shape == (1, frames) and np.isfinite(out).all()


@every
def test_identical_and_silent_channels(method, scene, run):
    signal = scene["mixture"][:, :40000].copy()
    signal[2] = signal[0]
    signal[3] = 0
    out = run(METHODS[method](reference=0), signal)
    assert np.isfinite(out).all()
    assert np.sqrt(np.mean(out**2)) < 2 * np.sqrt(np.mean(signal[0] ** 2))


@pytest.mark.parametrize("method", ["mvdr", "gev", "mwf"])
def test_noise_is_taken_away(method, scene, run, known, sdr):
    mixture, voice = scene["mixture"], scene["voice"]
    masks = EnhancerMask(known(voice), SIZE, HOP, range(4), exponent=2)
    out = run(MaskBeamformer(16000, 4, masks, method=method), mixture)
    assert sdr(voice[0], out[0]) > sdr(voice[0], mixture[0]) + 7


def test_the_noise_stretch_will_do(scene, run, sdr):
    mixture, voice = scene["mixture"], scene["voice"]
    stretch = NoiseStretch(16000, 4, 0.0, 0.5, 5.0)  # the voice begins later
    stretch.push(mixture)
    out = run(MaskBeamformer(16000, 4, noise=stretch.mean()), mixture)
    assert sdr(voice[0], out[0]) > sdr(voice[0], mixture[0]) + 4


@pytest.mark.parametrize("method", ["mvdr", "gev", "mwf"])
@pytest.mark.parametrize("factor", [1e-5, 1e-3, 1e3])
def test_with_a_noise_stretch_the_output_follows_the_level_of_the_input(method, factor, scene, run):
    def cleaned(signal):
        stretch = NoiseStretch(16000, 4, 0.0, 0.5, 5.0)
        stretch.push(signal)
        return run(MaskBeamformer(16000, 4, noise=stretch.mean(), method=method), signal)

    mixture = scene["mixture"][:, : 3 * 16000]
    expected = cleaned(mixture)
    scaled = cleaned(np.float32(factor) * mixture) / factor
    np.testing.assert_allclose(scaled, expected, atol=1e-4 * np.abs(expected).max())


class _Given:
    """A mask that is known beforehand."""

    latency = 0

    def __init__(self, mask):
        self.mask, self.given = mask.astype(np.float32), False

    def process(self, block):
        return self.mask[:0]

    def flush(self):
        return self.mask

    def reset(self):
        pass


def test_clustering_makes_up_for_a_poor_mask(scene, run, sdr):
    """A third of the mask is wrong."""
    mixture, voice, noise = (scene[name] for name in ("mixture", "voice", "noise"))
    tail = np.zeros((1, SIZE), np.float32)
    powers = [
        np.abs(Stft(1, window("sqrt-hann", SIZE), HOP).push(np.concatenate([x[:1], tail], axis=1))[0]) ** 2
        for x in (voice, noise)
    ]
    ideal = (powers[0] > powers[1])[: frame_count(voice.shape[1], SIZE, HOP)]
    poor = np.where(np.random.default_rng(0).random(ideal.shape) < 0.33, ~ideal, ideal)

    def cleaned(iterations):
        return sdr(voice[0], run(MaskBeamformer(16000, 4, _Given(poor), clustering=iterations), mixture)[0])

    assert cleaned(5) > cleaned(0) + 2


def test_no_jump_of_level_between_blocks(wave, run, known):
    """The noise moves; the block after learns it, and what is left of the noise slides from one level to the other."""
    rng = np.random.default_rng(1)
    voice, noise = 0.05 * rng.standard_normal((2, 10 * 16000))
    voice = wave(GEOMETRY, 60, voice)
    places = [wave(GEOMETRY, azimuth, part) for azimuth, part in zip((200, -60), np.split(noise, 2), strict=True)]
    mixture = voice + np.concatenate(places, axis=1)

    def jump(fade_s):
        masks = EnhancerMask(known(voice), SIZE, HOP, range(4), exponent=2)
        log = []
        stream = MaskBeamformer(16000, 4, masks, block_s=2.0, memory_s=2, fade_s=fade_s, log=log.append)
        out = run(stream, mixture)[0]
        assert len(log) == 5
        assert all(entry["reference"] == 0 and entry["condition"] >= 1 for entry in log)
        found = []
        for entry in log[:-1]:
            edge, span = round(entry["end_s"] * 16000) - SIZE // 2, 1600
            before, after = (
                np.sum(out[part] ** 2) / np.sum(mixture[0, part] ** 2)
                for part in (slice(edge - span, edge), slice(edge, edge + span))
            )
            found.append(abs(10 * np.log10(after / before)))
        return max(found)

    assert jump(1.0) < 1.0 < jump(0.0)


@pytest.mark.parametrize("mask", ["vad", "salience", "omlsa"])
@pytest.mark.parametrize("method", ["mvdr", "gev", "mwf", "blind"])
def test_the_latency_counts_that_of_the_masks(method, mask):
    """Fed live, 10 ms at a time, a frame never comes out later than the latency says, and not much sooner."""
    grid = delay_stft(16000) if method == "blind" else beamforming_stft(16000)
    masks = Masking(mask).open(16000, 2, grid, list)
    if method == "blind":
        stream = BlindDelayAndSum(16000, 2, 0, masks)
    else:
        stream = MaskBeamformer(16000, 2, masks, method=method, block_s=0.5, clustering=0)
    signal = 0.01 * np.random.default_rng(0).standard_normal((2, stream.latency + 16000)).astype(np.float32)
    taken = given = most = 0
    for k in range(0, signal.shape[1], 160):
        block = signal[:, k : k + 160]
        taken, given = taken + block.shape[1], given + stream.process(block).shape[1]
        most = max(most, taken - given)
    assert most <= stream.latency <= most + 16000


def test_a_series_is_one_after_the_other(scene, run):
    from cleanaudio.spatial.dereverb import dereverb

    signal = scene["mixture"][:, :20000]
    both = Series([dereverb(16000, 4, method="wpe", taps=2), METHODS["delay-and-sum"]()])
    expected = run(METHODS["delay-and-sum"](), run(dereverb(16000, 4, method="wpe", taps=2), signal))
    np.testing.assert_allclose(run(both, signal), expected, atol=1e-6)
    assert both.latency > 0


@pytest.mark.parametrize(
    "options",
    [
        {"method": "magic"},
        {"reference": 4},
        {"block_s": 0.1},
        {"block_s": float("nan")},
        {"memory_s": 0},
        {"masks": None},
        {"noise": np.zeros((513, 4, 4))},
        {"channels": 1},
    ],
)
def test_bad_options(options):
    arguments = {"rate": 16000, "channels": 4, "masks": ActivityMask(16000, 4, SIZE, HOP)} | options
    with pytest.raises(CleanAudioError):
        MaskBeamformer(**arguments)


@every
def test_a_block_of_another_shape(method):
    with pytest.raises(CleanAudioError, match="shape"):
        METHODS[method]().process(np.zeros((1000, 4), np.float32))
